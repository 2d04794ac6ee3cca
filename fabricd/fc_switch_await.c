/*
 * Who waits until a change is in force at the switches.
 */
#include "fabricd/fc_switch_int.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

struct fc_switch_wait {
	struct fc_switch *sw;
	uint64_t generation; /* 0: what was touched is not compiled yet */
	struct fab_timer *deadline;
	fc_switch_await_fn *fn;
	void *ctx;
	struct fc_switch_wait *prev, *next;
};

static void
wait_end(struct fc_switch_wait *w, int err, const char *why)
{
	fc_switch_await_fn *fn = w->fn;
	void *ctx = w->ctx;

	DL_DELETE(w->sw->waits, w);
	fab_timer_free(w->deadline);
	free(w);
	fn(ctx, err, why);
}

/* A connected host that has not the generation in force; NULL: none. */
static const struct fc_switch_host *
missing(const struct fc_switch_wait *w)
{
	const struct fc_switch_host *h = NULL;

	while ((h = fc_switch_next(w->sw, h)) != NULL)
		if (h->reporter != NULL &&
		    (w->generation == 0 || !h->acknowledged || h->generation < w->generation))
			break;
	return h;
}

static void
on_deadline(void *arg)
{
	struct fc_switch_wait *w = arg;
	const struct fc_switch_host *h = missing(w);
	char why[256];

	snprintf(why, sizeof(why), "vswitchd on %.100s does not have it in force after %d s",
	    h != NULL ? h->name : "some host", FC_SWITCH_AWAIT_MS / 1000);
	wait_end(w, FAB_ETIMEOUT, why);
}

void
fc_switch_waits_check(struct fc_switch *sw)
{
	struct fc_switch_wait *w, *tmp;

	DL_FOREACH_SAFE (sw->waits, w, tmp)
		if (missing(w) == NULL)
			wait_end(w, FAB_OK, "");
}

void
fc_switch_waits_arm(struct fc_switch *sw)
{
	struct fc_switch_wait *w;

	DL_FOREACH (sw->waits, w)
		if (w->generation == 0)
			w->generation = sw->generation;
}

void
fc_switch_waits_free(struct fc_switch *sw)
{
	while (sw->waits != NULL)
		wait_end(sw->waits, FAB_ECLOSED, "fabricd ends");
}

bool
fc_switch_await(struct fc_switch *sw, fc_switch_await_fn *fn, void *ctx)
{
	struct fc_switch_wait *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return false;
	*w = (struct fc_switch_wait){ .sw = sw, .fn = fn, .ctx = ctx };
	if (missing(w) == NULL ||
	    fab_timer_new(&w->deadline, sw->f->loop, on_deadline, w) != FAB_OK) {
		free(w);
		return false;
	}
	fab_timer_set_ms(w->deadline, FC_SWITCH_AWAIT_MS);
	DL_APPEND(sw->waits, w);
	if (sw->watches != NULL) /* else the first snapshot arms it */
		fab_loop_defer(sw->f->loop, &sw->post);
	return true;
}
