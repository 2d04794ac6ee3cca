/*
 * Best routes of a scope without a Route Server.
 */
#include "fabricd/fc_best.h"

#include "lib/err.h"

#include <string.h>

struct best_input {
	const struct fc_group *group[FC_FEEDS_MAX];
	struct hrp_route route[FC_FEEDS_MAX];
	bool keep[FC_FEEDS_MAX];
	size_t n;
};

static struct hrp_route
hrp_of(const struct fc_group *g)
{
	return (struct hrp_route){
		.source = g->key.source, .path_len = g->key.path_len, .weight = g->key.weight
	};
}

static bool
hrp_equal(const struct hrp_route *a, const struct hrp_route *b)
{
	struct hrp_route both[2] = { *a, *b };
	bool keep[2];

	return hrp_select(HRP_PREF_EXPRESS_ROUTE, both, 2, keep) == 2;
}

static void
best_collect(
    const struct fc_bgp *b, const struct fc_scope *s, struct ipnet net, struct best_input *in)
{
	in->n = 0;
	for (size_t i = 0; i < s->n_feeds; i++) {
		const uint32_t *slot;
		const struct fc_group *g;

		if (!s->feed[i]->counted || (slot = fc_lpm_slot(&s->feed[i]->rib, net)) == NULL)
			continue;
		g = fc_group_get(&b->groups, *slot & ~FC_STALE);
		in->group[in->n] = g;
		in->route[in->n++] = hrp_of(g);
	}
}

/* One group with the next hops of all that are kept. */
static int
best_merge(struct fc_bgp *b, const struct best_input *in, uint32_t *id)
{
	uint32_t hops[FC_FEEDS_MAX * FC_NEXT_HOPS_MAX];
	const struct fc_group *first = NULL;
	struct fc_group *merged;
	struct fc_group_key key;
	size_t n = 0;
	bool same = true;
	int err;

	for (size_t i = 0; i < in->n; i++) {
		const struct fc_group *g = in->group[i];

		if (!in->keep[i])
			continue;
		first = first != NULL ? first : g;
		same = same && g == first;
		memcpy(&hops[n], g->hops, g->key.n_hops * sizeof(hops[0]));
		n += g->key.n_hops;
	}
	FAB_ASSERT(first != NULL); /* hrp_select() keeps at least one */
	*id = first->id;
	if (same) {
		fc_group_ref(&b->groups, *id);
		return FAB_OK;
	}
	key = first->key;
	key.n_hops = (uint16_t)(n > FC_NEXT_HOPS_MAX ? FC_NEXT_HOPS_MAX : n);
	if ((err = fc_group_intern(&b->groups, key, hops, &merged)) == FAB_OK)
		*id = merged->id;
	return err;
}

/* ER-23: ExpressRoute before VPN; both instances' NICs use the result, hence two changes. */
int
fc_best_update(struct fc_bgp *b, struct fc_scope *s, struct ipnet net, size_t *changed)
{
	struct best_input in;
	size_t one = 0;
	uint32_t id;
	int err;

	best_collect(b, s, net, &in);
	if (in.n == 0) {
		*changed += fc_table_del(&b->groups, &s->best, net) ? 2 : 0;
		return FAB_OK;
	}
	hrp_select(HRP_PREF_EXPRESS_ROUTE, in.route, in.n, in.keep);
	if ((err = best_merge(b, &in, &id)) == FAB_OK)
		err = fc_table_set(&b->groups, &s->best, net, id, &one);
	*changed += 2 * one;
	return err;
}

int
fc_best_update_all(struct fc_bgp *b, struct fc_scope *s, const struct fc_feed *r, size_t *changed)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;
	int err = FAB_OK;

	fc_lpm_walk(&it, &r->rib, (struct ipnet){ 0, 0 });
	while (err == FAB_OK && fc_lpm_next(&it, &hit))
		err = fc_best_update(b, s, hit.net, changed);
	return err;
}

/* Of the gateways' routes those that hrp_select() left out, and those of gateways that are gone. */
size_t
fc_best_losers(const struct fc_bgp *b, const struct fc_scope *s, struct ipnet net,
    struct fc_bgp_other out[static FC_FEEDS_MAX])
{
	const uint32_t *best = fc_lpm_slot(&s->best, net), *slot;
	struct hrp_route winner = { 0 }, loser;
	size_t n = 0;

	if (best != NULL)
		winner = hrp_of(fc_bgp_group(b, *best));
	for (size_t i = 0; i < s->n_feeds; i++) {
		if ((slot = fc_lpm_slot(&s->feed[i]->rib, net)) == NULL)
			continue;
		loser = hrp_of(fc_bgp_group(b, *slot));
		if (s->feed[i]->counted && best != NULL && hrp_equal(&winner, &loser))
			continue;
		out[n++] = (struct fc_bgp_other){ s->feed[i]->name, *slot,
			s->feed[i]->counted ? hrp_reason(HRP_PREF_EXPRESS_ROUTE, &winner, &loser)
					    : "RS-93" };
	}
	return n;
}
