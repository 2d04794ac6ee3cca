#include "fabctl/ch_cell.h"

#include "fabctl/ch_probe.h"
#include "fabctl/ctl_run.h"
#include "fabctl/sc_call.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTLE_MS   20000 /* beyond the hold time */
#define CONVERGE_MS 60000
#define RETURN_MS   5000 /* between "converged" and being as before */
#define AWAY_MS     1000 /* for how long fabricd is away */
#define LOOK_MS     20

/* ---- at rest ---- */

bool
ch_rest_take(struct ch_rest *out, struct ch_fabric *f)
{
	*out = (struct ch_rest){ .routes = ch_fabric_routes(f) };
	if (out->routes == NULL)
		return false;
	FAB_ASSERT((out->watch = malloc(sizeof(*out->watch))) != NULL);
	ch_watch_restart(f->watch, fab_wall_us());
	*out->watch = *f->watch;
	return true;
}

void
ch_rest_fini(struct ch_rest *r)
{
	json_decref(r->routes);
	free(r->watch);
	*r = (struct ch_rest){ 0 };
}

/* ---- results ---- */

static json_t *
ms_or_null(int64_t us)
{
	return us >= 0 ? json_real((double)us / 1000) : json_null();
}

static json_t *
lost_json(const struct ch_verdicts *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_lost; i++) {
		const struct ch_lost *l = &v->lost[i];
		json_t *row = json_pack("{s:s, s:s, s:f, s:b}", "src", l->src, "dst", l->dst, "ms",
		    (double)l->us / 1000, "stays", (int)l->stays);

		if (l->stays)
			json_object_set_new(row, "because",
			    json_string(l->itself  ? "itself"
					: l->alone ? "nothing else could carry it"
						   : "broken"));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *
findings_json(const struct ch_verdicts *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->n_findings; i++) {
		const struct ch_finding *f = &v->findings[i];

		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s, s:I, s:s}", "invariant",
			      ch_invariant_name(f->invariant), "rule", f->rule, "what", f->what,
			      "pairs", (json_int_t)f->pairs, "fix", f->fix));
	}
	return list;
}

static json_t *
result(const char *name, const struct ch_verdicts *v)
{
	json_t *r = json_pack("{s:s, s:b, s:s, s:s, s:o, s:o}", "cell", name, "ok",
	    (int)(v->n_findings == 0), "rule", v->rule, "note", v->note, "lost", lost_json(v),
	    "broken", findings_json(v));

	FAB_ASSERT(r != NULL);
	return r;
}

static json_t *
ends_json(const struct ch_watch *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->n; i++)
		json_array_append_new(list, json_string(w->names[i]));
	return list;
}

json_t *
ch_rest_judge(struct ch_fabric *f, const struct ch_rest *r)
{
	struct ch_seen seen = { .before = r->watch,
		.after = r->watch,
		.settled = true,
		.returned = true,
		.why = "",
		.bound_us = UINT64_MAX };
	struct ch_stale *stale = NULL;
	struct ch_verdicts v;
	json_t *out;

	if (ch_fabric_stale(f, &stale, &seen.n_stale))
		seen.stale = stale;
	ch_judge(&v, f->t, &seen);
	out = result("(at rest)", &v);
	json_object_set_new(out, "endpoints", ends_json(r->watch));
	ch_verdicts_fini(&v);
	free(stale);
	return out;
}

/* ---- as it was? ---- */

static bool
routes_differ(struct ch_fabric *f, const struct ch_rest *r)
{
	json_t *now = ch_fabric_routes(f), *value;
	const char *key;
	bool differ = now == NULL || !json_equal(now, r->routes);

	json_object_foreach(r->routes, key, value)
	{
		const char *is = json_string_value(json_object_get(now, key));

		if (now == NULL || (is != NULL && strcmp(is, json_string_value(value)) == 0))
			continue;
		snprintf(f->why, sizeof(f->why), "%.150s was %.150s and is %.150s", key,
		    json_string_value(value), is != NULL ? is : "gone");
		json_decref(now);
		return true;
	}
	if (now != NULL && differ)
		snprintf(f->why, sizeof(f->why), "there are more effective routes than before");
	json_decref(now);
	return differ;
}

static bool
looks_differ(struct ch_fabric *f, const struct ch_rest *r)
{
	for (size_t i = 0; i < r->watch->n; i++)
		for (size_t k = 0; k < r->watch->n; k++) {
			const struct ch_look *was = &r->watch->now[i][k],
					     *is = &f->watch->now[i][k];

			if (was->verdict == is->verdict && strcmp(was->way, is->way) == 0)
				continue;
			snprintf(f->why, sizeof(f->why),
			    "%.60s to %.60s went %.150s and now %.150s", r->watch->names[i],
			    r->watch->names[k], was->way, is->way);
			return true;
		}
	return false;
}

static bool
is_as_before(struct ch_fabric *f, const struct ch_rest *r)
{
	struct fab_mono since = fab_mono_now();

	/* The routes first: their answers come behind whatever the stream had to tell. */
	while (routes_differ(f, r) || looks_differ(f, r)) {
		if (sc_interrupted || fab_mono_us_between(since, fab_mono_now()) > RETURN_MS * 1000)
			return false;
		ch_fabric_pass(f, LOOK_MS);
	}
	return true;
}

/* ---- one cell ---- */

struct run {
	struct ch_fabric *f;
	const struct ch_rest *rest;
	const struct ch_cell *cell;
	struct ch_watch *after; /* as it was when everybody had settled */
	struct ch_stale *stale;
	struct ch_seen seen;
	int64_t detect_us, converge_us;
	json_t *packets; /* what probes saw; NULL: there were none */
	char outage[128];
	char why[512];
};

static uint32_t
hold_ms(const struct topo *t)
{
	uint32_t hold = t->timing.hold_ms;

	for (size_t i = 0; i < t->n_nvas; i++)
		if (t->nvas[i].hold_ms > hold)
			hold = t->nvas[i].hold_ms;
	return hold;
}

static bool
is_about_fabricd(const struct ch_cell *c)
{
	return strcmp(c->step[0].a, CTL_FABRICD) == 0;
}

static bool
do_steps(struct run *r, bool repair)
{
	const char *words[CH_WORDS_MAX];
	bool ok = true;

	for (size_t i = 0; i < r->cell->n && ok; i++) {
		size_t k = repair ? r->cell->n - 1 - i : i;

		ch_step_words(words, &r->cell->step[k], repair);
		ok = ch_fabric_do(r->f, words);
	}
	return ok;
}

/* Nobody can be asked while fabricd is away, and nothing depends on it: BGP and packets go on. What
 * it says until all have reported again is its own ignorance. */
static bool
break_fabricd(struct run *r)
{
	if (!do_steps(r, false))
		return false;
	ch_fabric_pass(r->f, AWAY_MS);
	r->detect_us = r->converge_us = -1;
	*r->after = *r->rest->watch;
	r->seen.settled = true;
	return true;
}

/* And waits until everybody has noticed, with packets on their way meanwhile. */
static bool
break_and_wait(struct run *r)
{
	struct ch_fabric *f = r->f;
	struct ch_probes probes;
	bool done;

	ch_probes_begin(&probes, f, r->rest->watch, r->cell->step, r->cell->n);
	ch_watch_restart(f->watch, fab_wall_us());
	done = do_steps(r, false);
	if (done) {
		r->seen.settled = ch_fabric_wait(f, "settled", hold_ms(f->t) + SETTLE_MS);
		if (!r->seen.settled)
			snprintf(r->why, sizeof(r->why), "not settled: %.400s", f->why);
	}
	r->packets = ch_probes_end(&probes, &r->seen.outage_us, r->outage);
	return done;
}

static bool
break_it(struct run *r)
{
	uint64_t since = fab_wall_us();
	struct ch_fabric *f = r->f;

	if (is_about_fabricd(r->cell))
		return break_fabricd(r);
	if (!break_and_wait(r))
		return false;
	if (!ch_fabric_stale(f, &r->stale, &r->seen.n_stale))
		return false;
	r->seen.settled_us = fab_wall_us();
	*r->after = *f->watch;
	ch_fabric_times(f, since, &r->detect_us, &r->converge_us);
	return true;
}

static uint64_t
longest_loss(const struct run *r, uint64_t now_us)
{
	const struct ch_watch *w = r->f->watch;
	uint64_t longest = 0, us;

	for (size_t i = 0; i < w->n; i++)
		for (size_t k = 0; k < w->n; k++)
			if (r->rest->watch->now[i][k].verdict == CH_DELIVERED &&
			    (us = ch_loss_us(&w->loss[i][k], now_us)) > longest)
				longest = us;
	return longest;
}

static bool
repair_it(struct run *r)
{
	struct ch_fabric *f = r->f;

	ch_watch_restart(f->watch, fab_wall_us());
	if (!do_steps(r, true) || !ch_fabric_wait(f, "converged", CONVERGE_MS))
		return false;
	r->seen.returned = is_as_before(f, r->rest);
	if (!is_about_fabricd(r->cell))
		r->seen.return_us = longest_loss(r, fab_wall_us());
	return r->seen.returned;
}

static json_t *
judged(struct run *r, double seconds)
{
	char name[CH_CELL_MAX];
	struct ch_verdicts v;
	json_t *out;

	r->seen.after = r->after;
	r->seen.stale = r->stale;
	r->seen.why = r->why;
	r->seen.outage = r->outage;
	ch_judge(&v, r->f->t, &r->seen);
	ch_cell_name(name, r->cell);
	out = result(name, &v);
	json_object_set_new(out, "detect_ms", ms_or_null(r->detect_us));
	json_object_set_new(out, "converge_ms", ms_or_null(r->converge_us));
	json_object_set_new(out, "return_lost_ms", json_real((double)r->seen.return_us / 1000));
	json_object_set_new(out, "seconds", json_real(seconds));
	if (r->packets != NULL)
		json_object_set(out, "packets", r->packets);
	ch_verdicts_fini(&v);
	return out;
}

json_t *
ch_cell_run(struct ch_fabric *f, const struct ch_rest *rest, const struct ch_cell *cell,
    uint32_t bound_ms, bool *good)
{
	struct run r = { .f = f,
		.rest = rest,
		.cell = cell,
		.after = malloc(sizeof(*r.after)),
		.detect_us = -1,
		.converge_us = -1,
		.seen = { .steps = cell->step, .n_steps = cell->n, .before = rest->watch } };
	struct fab_mono since = fab_mono_now();
	json_t *out;

	FAB_ASSERT(r.after != NULL);
	*r.after = *rest->watch;
	r.seen.bound_us =
	    1000ull * (bound_ms + (ch_is_silent(cell->step, cell->n) ? hold_ms(f->t) : 0));
	*good = break_it(&r) && repair_it(&r);
	if (!*good && r.why[0] == '\0')
		snprintf(r.why, sizeof(r.why), "%s", f->why);
	out = judged(&r, (double)fab_mono_us_between(since, fab_mono_now()) / 1e6);
	json_decref(r.packets);
	free(r.after);
	free(r.stale);
	return out;
}
