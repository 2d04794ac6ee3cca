/*
 * The end of a turn: every dirty prefix is decided once, the differences go to the export groups
 * and, as one batch with the stamps of their cause, to the role.
 */
#include "lib/bgp_speaker_priv.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define KEEP_MAX 4096 /* elements; larger buffers are given back after a run */

_Static_assert(SPEAKER_PATHS_MAX <= UINT8_MAX, "a rank fits");

static void
note_change(struct speaker *sp, const struct ipnet *net, struct rib_path *const *in,
    const uint16_t *winners, size_t n)
{
	sp->changes =
	    speaker_grow(sp->changes, &sp->max_changes, sp->n_changes + 1, sizeof(*sp->changes));
	sp->changes[sp->n_changes++] = (struct speaker_change){ .prefix = *net, .n_best = n };
	sp->best = speaker_grow(sp->best, &sp->max_best, sp->n_best + n, sizeof(*sp->best));
	for (size_t i = 0; i < n; i++)
		sp->best[sp->n_best++] = &((struct sp_route *)in[winners[i]]->route)->path;
}

/* Gives the paths their ranks; true if the winners are not what they were. */
static bool
rank(struct rib_path *const *in, size_t n, const uint16_t *winners, size_t n_winners)
{
	uint8_t ranks[SPEAKER_PATHS_MAX] = { 0 };
	bool changed = false;

	for (size_t i = 0; i < n_winners; i++)
		ranks[winners[i]] = (uint8_t)(i + 1);
	for (size_t i = 0; i < n; i++) {
		const struct sp_route *r = in[i]->route;

		changed |= in[i]->rank != ranks[i] || (ranks[i] != 0 && r->renewed);
		in[i]->rank = ranks[i];
	}
	return changed;
}

static void
decide_prefix(struct speaker *sp, struct rib_prefix *prefix)
{
	const struct speaker_path *paths[SPEAKER_PATHS_MAX];
	struct rib_path *in[SPEAKER_PATHS_MAX];
	uint16_t winners[SPEAKER_PATHS_MAX];
	size_t n = 0, n_winners = 0;
	bool changed;

	sp->deciding = NULL;
	for (struct rib_path *p = prefix->paths; p != NULL && n < SPEAKER_PATHS_MAX; p = p->next) {
		if (((struct sp_route *)p->route)->path.attrs == NULL) { /* a route map drops it */
			prefix->touched |= p->rank > 0;
			p->rank = 0;
			continue;
		}
		in[n] = p;
		paths[n] = &((struct sp_route *)p->route)->path;
		if (p->rank == 1)
			sp->deciding = paths[n];
		n++;
	}
	if (n > 0)
		n_winners = (sp->role->select != NULL ? sp->role->select : speaker_decide)(
		    sp->ctx, &prefix->net, paths, n, winners);
	FAB_ASSERT(n_winners <= n);
	changed = rank(in, n, winners, n_winners) || prefix->touched;
	prefix->touched = false;
	if (changed) {
		note_change(sp, &prefix->net, in, winners, n_winners);
		speaker_hold_changed(sp, prefix);
	}
	speaker_out_prefix(sp, prefix, n_winners > 0 ? in[winners[0]] : NULL);
}

/* To the role. Winners lead into Adj-RIB-In and are valid until the next change of it. */
static void
report(struct speaker *sp, const struct speaker_cause *cause)
{
	const struct speaker_path *const *best = sp->best;

	for (size_t i = 0; i < sp->n_changes; i++) {
		sp->changes[i].best = best;
		best += sp->changes[i].n_best;
	}
	if (sp->n_changes > 0 && sp->role->changed != NULL)
		sp->role->changed(sp->ctx, sp->changes, sp->n_changes, cause);
	sp->n_changes = sp->n_best = 0;
	if (sp->max_changes > KEEP_MAX) {
		free(sp->changes);
		free(sp->best);
		sp->changes = NULL;
		sp->best = NULL;
		sp->max_changes = sp->max_best = 0;
	}
}

static void
tell_synced(struct speaker *sp)
{
	struct speaker_peer *p, *next;

	DL_FOREACH_SAFE (sp->peers, p, next) {
		if (!p->synced_due)
			continue;
		p->synced_due = false;
		p->synced = true;
		if (sp->role->peer_synced != NULL)
			sp->role->peer_synced(sp->ctx, p);
	}
}

/* Nothing in the RIB refers to removed peers any more. */
static void
free_gone(struct speaker *sp)
{
	struct speaker_peer *p, *next;

	DL_FOREACH_SAFE (sp->gone, p, next) {
		sp->by_slot[p->slot] = NULL;
		free(p);
	}
	sp->gone = NULL;
}

void
speaker_run(struct speaker *sp)
{
	struct speaker_cause cause;
	struct rib_prefix *prefix;

	speaker_hold_begin(sp);
	cause = sp->cause;
	sp->cause_rank = 0;
	memset(&sp->cause, 0, sizeof(sp->cause));
	speaker_out_begin(sp);
	while ((prefix = rib_dirty_take(sp->rib)) != NULL) {
		if (speaker_hold_waits(sp, prefix))
			continue;
		decide_prefix(sp, prefix);
		rib_prefix_release(sp->rib, prefix);
	}
	cause.best_path_us = fab_wall_us();
	speaker_hold_end(sp);
	speaker_in_settle(sp);
	speaker_out_late(sp);
	speaker_out_flush(sp);
	free_gone(sp);
	report(sp, &cause);
	tell_synced(sp);
}
