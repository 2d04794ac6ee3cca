/*
 * Adj-RIB-Out of export groups whose route map summarizes (RM-7).
 *
 * Several prefixes of the RIB are one in Adj-RIB-Out, and a prefix may be there for itself and as a
 * summary. So a dirty prefix only says which summary it asks for now; at the end of the run every
 * prefix that may look different is settled once, whatever the order in which they came.
 */
#include "lib/bgp_speaker_priv.h"
#include "lib/err.h"

#include <stdlib.h>

#define KEEP_MAX 4096 /* elements; a longer list is given back after a run */

static void
late_add(struct sp_group *g, const struct ipnet *net)
{
	g->late = speaker_grow(g->late, &g->max_late, g->n_late + 1, sizeof(*g->late));
	g->late[g->n_late++] = *net;
}

void
speaker_late_prefix(struct speaker *sp, struct sp_group *g, const struct rib_prefix *prefix,
    const struct rib_path *best)
{
	struct ipnet net = prefix->net, changed[2];
	struct speaker_path sum = { 0 };
	bool asks;
	size_t n;

	sum.attrs = best != NULL ? speaker_export(sp, g, &net, best) : NULL;
	asks = sum.attrs != NULL && !ipnet_eq(net, prefix->net);
	n = speaker_sum_set(sp, ORIGIN | g->slot, &prefix->net, asks ? &net : NULL, &sum,
	    best != NULL ? best->from & ~SUMMARY : FROM_NONE, changed);
	bgp_attrs_unref(sp->attrs, sum.attrs);
	for (size_t i = 0; i < n; i++)
		late_add(g, &changed[i]);
	late_add(g, &prefix->net);
}

static const struct rib_path *
best_of(const struct rib_prefix *prefix)
{
	for (const struct rib_path *p = prefix->paths; p != NULL; p = p->next)
		if (p->rank == 1)
			return p;
	return NULL;
}

/* Whose route it is, for split horizon: nobody's if several peers' routes are in it. */
static uint32_t
source_of(const struct sp_part *parts)
{
	for (const struct sp_part *p = parts; p != NULL; p = p->next)
		if (p->from != parts->from)
			return FROM_NONE;
	return parts == NULL ? FROM_NONE : parts->from;
}

/* A route that is there for itself goes before a summary of the same prefix. */
static void
settle_prefix(struct speaker *sp, struct sp_group *g, const struct ipnet *net)
{
	const struct sp_part *part = speaker_sum_best(sp, ORIGIN | g->slot, net);
	struct rib_prefix *prefix = rib_prefix_add(sp->rib, *net);
	const struct rib_path *best;
	struct bgp_attrs *now = NULL;
	struct ipnet to = *net;

	FAB_ASSERT(prefix != NULL);
	best = best_of(prefix);
	if (best != NULL)
		now = speaker_export(sp, g, &to, best);
	if (now != NULL && ipnet_eq(to, *net)) {
		speaker_out_set(sp, g, prefix, now, best->from);
	} else {
		bgp_attrs_unref(sp->attrs, now);
		speaker_out_set(sp, g, prefix,
		    part == NULL ? NULL : bgp_attrs_ref(part->path.attrs), source_of(part));
	}
	rib_prefix_release(sp->rib, prefix);
}

static int
net_cmp(const void *a, const void *b)
{
	return ipnet_cmp(a, b);
}

static void
group_late(struct speaker *sp, struct sp_group *g)
{
	if (g->n_late > 0)
		qsort(g->late, g->n_late, sizeof(*g->late), net_cmp);
	for (size_t i = 0; i < g->n_late; i++)
		if (i == 0 || !ipnet_eq(g->late[i], g->late[i - 1]))
			settle_prefix(sp, g, &g->late[i]);
	g->n_late = 0;
	if (g->max_late <= KEEP_MAX)
		return;
	free(g->late);
	g->late = NULL;
	g->max_late = 0;
}

void
speaker_out_late(struct speaker *sp)
{
	for (uint16_t i = 0; i < sp->n_groups; i++)
		if (sp->groups[i] != NULL && sp->groups[i]->deferred)
			group_late(sp, sp->groups[i]);
}
