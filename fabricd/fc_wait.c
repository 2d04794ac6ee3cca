/*
 * Waiting for conditions (see fc_wait.h).
 */
#include "fabricd/fc_wait.h"

#include "fabricd/fc_ask.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct fc_wait {
	struct fc_waits *ws;
	struct fc_expr expr;
	struct fab_mono since;
	struct fab_timer *deadline, *recheck;
	bool expired;
	fc_wait_fn *fn;
	void *ctx;
	char why[FC_WHY_MAX];
	/* What fc_expr_asks(): a round of questions, and its latest answer. */
	struct fc_ask *ask;
	bool answered, have;
	struct fc_wait *prev, *next;
};

struct fc_waits {
	struct fc *f;
	struct fc_wait *all;
	size_t n;
	struct fab_post check;
};

static void
wait_free(struct fc_wait *w)
{
	DL_DELETE(w->ws->all, w);
	w->ws->n--;
	fab_timer_free(w->deadline);
	fab_timer_free(w->recheck);
	fc_ask_free(w->ask);
	free(w);
}

static void
wait_end(struct fc_wait *w, enum fc_wait_end end)
{
	uint32_t ms = (uint32_t)(fab_mono_us_between(w->since, fab_mono_now()) / 1000);
	fc_wait_fn *fn = w->fn;
	void *ctx = w->ctx;
	char why[FC_WHY_MAX];

	snprintf(why, sizeof(why), "%s", w->why);
	wait_free(w);
	fn(ctx, end, ms, why);
}

void
fc_wait_cancel(struct fc_wait *w)
{
	wait_end(w, FC_WAIT_CANCELLED);
}

/* ---- what has to be asked ---- */

static void
routes_answer(void *ctx, const struct fc_answer *answers, size_t n)
{
	struct fc_wait *w = ctx;
	size_t have = 0, up = 0;

	for (size_t i = 0; i < n; i++) {
		up += answers[i].reachable;
		have += fc_answer_has(&answers[i], &w->expr);
	}
	w->ask = NULL;
	w->answered = true;
	w->have = up > 0 && have == up;
	if (w->expr.kind == FC_EXPR_KNOWS)
		snprintf(w->why, sizeof(w->why), "%.60s %s", w->expr.a,
		    up == 0    ? "does not run"
		    : have > 0 ? "knows it so"
			       : "does not know it so");
	else
		snprintf(w->why, sizeof(w->why), "%zu of %zu running instances of %.60s %s %.60s",
		    have, up, w->expr.a,
		    w->expr.kind == FC_EXPR_LEARNED ? "have it from" : "announce it to", w->expr.b);
	fc_waits_check(w->ws);
}

/* Asks, and says what the last answer was. */
static int
routes_hold(struct fc_wait *w, bool *holds, uint64_t *recheck_ms)
{
	int err = FAB_OK;

	*holds = w->answered && w->have != w->expr.negate;
	if (*holds || w->ask != NULL)
		return FAB_OK;
	if (w->answered && !w->expired) {
		/* The answer is used up; the next question comes with the timer. */
		w->answered = false;
		*recheck_ms = FC_WAIT_ASK_MS;
		return FAB_OK;
	}
	if (!w->answered)
		err = fc_ask_expr(&w->ask, w->ws->f->nodes, &w->expr, routes_answer, w);
	if (err == FAB_ENOENT)
		snprintf(w->why, sizeof(w->why), "no %s '%.60s'",
		    w->expr.kind == FC_EXPR_KNOWS ? "NVA or site" : "Route Server", w->expr.a);
	if (err == FAB_ENOTSUP)
		snprintf(
		    w->why, sizeof(w->why), "%.60s runs software that cannot be asked", w->expr.a);
	return err;
}

/* ---- looking ---- */

static void
look(struct fc_wait *w)
{
	uint64_t recheck_ms = 0;
	bool holds = false;
	int err;

	if (fc_expr_asks(&w->expr))
		err = routes_hold(w, &holds, &recheck_ms);
	else
		err = fc_expr_holds(w->ws->f, &w->expr, &holds, w->why, &recheck_ms);
	if (err != FAB_OK)
		wait_end(w, FC_WAIT_REFUSED);
	else if (holds)
		wait_end(w, FC_WAIT_HOLDS);
	else if (w->expired && w->ask == NULL)
		wait_end(w, FC_WAIT_TIMEOUT);
	else if (recheck_ms > 0)
		fab_timer_set_ms(w->recheck, recheck_ms);
}

static void
check_all(void *arg)
{
	struct fc_waits *ws = arg;
	struct fc_wait *w, *tmp;

	DL_FOREACH_SAFE (ws->all, w, tmp)
		look(w);
}

void
fc_waits_check(struct fc_waits *ws)
{
	if (ws->all != NULL)
		fab_loop_defer(ws->f->loop, &ws->check);
}

static void
recheck_cb(void *arg)
{
	look(arg);
}

static void
deadline_cb(void *arg)
{
	struct fc_wait *w = arg;

	w->expired = true;
	look(w);
}

int
fc_waits_new(struct fc_waits **out, struct fc *f)
{
	struct fc_waits *ws = calloc(1, sizeof(*ws));

	if (ws == NULL)
		return FAB_ENOMEM;
	ws->f = f;
	ws->check = (struct fab_post){ .fn = check_all, .arg = ws };
	*out = ws;
	return FAB_OK;
}

void
fc_waits_free(struct fc_waits *ws)
{
	if (ws == NULL)
		return;
	while (ws->all != NULL)
		wait_end(ws->all, FC_WAIT_CANCELLED);
	fab_loop_defer_cancel(ws->f->loop, &ws->check);
	free(ws);
}

int
fc_wait_new(struct fc_wait **out, struct fc_waits *ws, const struct fc_expr *e, uint32_t timeout_ms,
    fc_wait_fn *fn, void *ctx)
{
	struct fc_wait *w;
	int err;

	if (ws->n >= FC_WAITS_MAX)
		return FAB_ETOOBIG;
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return FAB_ENOMEM;
	*w = (struct fc_wait){ .ws = ws,
		.expr = *e,
		.since = fab_mono_now(),
		.fn = fn,
		.ctx = ctx,
		.expired = timeout_ms == 0 };
	DL_APPEND(ws->all, w);
	ws->n++;
	if ((err = fab_timer_new(&w->deadline, ws->f->loop, deadline_cb, w)) != FAB_OK ||
	    (err = fab_timer_new(&w->recheck, ws->f->loop, recheck_cb, w)) != FAB_OK) {
		wait_free(w);
		return err;
	}
	if (timeout_ms > 0)
		fab_timer_set_ms(w->deadline, timeout_ms);
	fc_waits_check(ws);
	*out = w;
	return FAB_OK;
}
