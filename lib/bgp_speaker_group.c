/*
 * Export groups: who is in which, and what becomes of a member that changes over to another one
 * under its running session (RM-13).
 */
#include "lib/bgp_speaker_priv.h"
#include "lib/err.h"

#include <stdlib.h>
#include <utlist.h>

/* ---- groups ---- */

static struct sp_group *
group_find(struct speaker *sp, uint32_t number, uint16_t *free_slot)
{
	*free_slot = sp->n_groups;
	for (uint16_t i = 0; i < sp->n_groups; i++) {
		if (sp->groups[i] == NULL)
			*free_slot = i;
		else if (sp->groups[i]->number == number)
			return sp->groups[i];
	}
	return NULL;
}

static struct sp_group *
group_new(struct speaker *sp, uint32_t number, uint16_t slot)
{
	struct sp_group **groups, *g;

	if (slot == sp->n_groups) {
		if (slot == UINT16_MAX)
			return NULL;
		groups = realloc(sp->groups, (slot + 1u) * sizeof(struct sp_group *));
		if (groups == NULL)
			return NULL;
		sp->groups = groups;
		sp->groups[sp->n_groups++] = NULL;
	}
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->batch = speaker_batch_new();
	if (g->batch == NULL) {
		free(g);
		return NULL;
	}
	g->number = number;
	g->slot = slot;
	sp->groups[slot] = g;
	return g;
}

int
speaker_out_join(struct speaker_peer *p)
{
	struct speaker *sp = p->sp;
	struct rib_prefix *prefix;
	size_t cursor = 0;
	uint16_t slot;
	struct sp_group *g = group_find(sp, p->conf.group, &slot);

	if (g == NULL) {
		g = group_new(sp, p->conf.group, slot);
		if (g == NULL)
			return FAB_ENOMEM;
		/* Its Adj-RIB-Out comes from the run, which looks at every prefix again. */
		while ((prefix = rib_next(sp->rib, &cursor)) != NULL)
			rib_dirty_add(sp->rib, prefix);
		speaker_schedule(sp);
	}
	p->group = g;
	LL_PREPEND2(g->members, p, group_next);
	return FAB_OK;
}

static void
group_free(struct speaker *sp, struct sp_group *g)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	while (g->n_out > 0 && (prefix = rib_next(sp->rib, &cursor)) != NULL)
		if (rib_out_find(prefix, g->slot) != NULL) {
			bgp_attrs_unref(sp->attrs, rib_out_remove(sp->rib, prefix, g->slot));
			g->n_out--;
			rib_prefix_release(sp->rib, prefix);
		}
	for (size_t i = 0; i < sp->n_route_buckets; i++)
		for (struct sp_route *r = sp->routes[i]; r != NULL; r = r->hash_next)
			if (g->slot < r->n_exports) {
				bgp_attrs_unref(sp->attrs, r->exports[g->slot].attrs);
				r->exports[g->slot] = (struct sp_export){ 0 };
			}
	speaker_sum_clear(sp, ORIGIN | g->slot, NULL);
	sp->groups[g->slot] = NULL;
	free(g->late);
	speaker_batch_free(g->batch);
	free(g);
}

void
speaker_out_leave(struct speaker_peer *p)
{
	struct sp_group *g = p->group;

	p->group = NULL;
	if (g == NULL)
		return;
	LL_DELETE2(g->members, p, group_next);
	if (g->members == NULL)
		group_free(p->sp, g);
}

void
speaker_out_fini(struct speaker *sp)
{
	for (uint16_t i = 0; i < sp->n_groups; i++)
		if (sp->groups[i] != NULL)
			group_free(sp, sp->groups[i]);
	free(sp->groups);
	sp->groups = NULL;
	sp->n_groups = 0;
}

/* ---- changing over ---- */

void
speaker_out_moved_free(struct speaker_peer *p)
{
	for (size_t i = 0; i < p->n_had; i++)
		bgp_attrs_unref(p->sp->attrs, p->had[i].attrs);
	free(p->had);
	p->had = NULL;
	p->n_had = 0;
	p->moved = false;
}

/* Writes down what the peer has from its group. */
static void
moved_note(struct speaker_peer *p)
{
	struct speaker *sp = p->sp;
	struct rib_prefix *prefix;
	size_t cursor = 0;

	/* A second move before the run tells nothing new: the peer still has what it had. */
	if (!p->up || p->due == TABLE_FIRST || p->moved)
		return;
	p->had = calloc(p->group->n_out + 1, sizeof(*p->had));
	FAB_ASSERT(p->had != NULL);
	while ((prefix = rib_next(sp->rib, &cursor)) != NULL) {
		struct rib_out *out = rib_out_find(prefix, p->group->slot);

		if (out != NULL && out->from != p->slot)
			p->had[p->n_had++] =
			    (struct sp_moved){ prefix->net, bgp_attrs_ref(out->attrs), false };
	}
	p->moved = true;
}

void
speaker_peer_regroup(struct speaker *sp, struct speaker_peer *p, uint32_t group)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;
	int err;

	if (p->conf.group == group)
		return;
	moved_note(p);
	speaker_out_leave(p);
	p->conf.group = group;
	err = speaker_out_join(p);
	FAB_ASSERT(err == FAB_OK);
	p->out_own = 0;
	while ((prefix = rib_next(sp->rib, &cursor)) != NULL) {
		struct rib_out *out = rib_out_find(prefix, p->group->slot);

		p->out_own += out != NULL && out->from == p->slot;
	}
	speaker_schedule(sp);
}
