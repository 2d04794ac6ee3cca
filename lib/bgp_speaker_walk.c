/*
 * Listings of a speaker: Adj-RIB-In as received (RS-112), Adj-RIB-Out of one peer, the whole RIB.
 */
#include "lib/bgp_speaker_priv.h"

void
speaker_walk_in(struct speaker *sp, struct speaker_peer *p, speaker_walk_fn *fn, void *arg)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	while ((prefix = rib_next(sp->rib, &cursor)) != NULL) {
		const struct rib_path *path = rib_path_find(prefix, p->slot);

		if (path == NULL)
			continue;
		if (!fn(arg, &prefix->net, ((const struct sp_route *)path->route)->in, p))
			return;
	}
}

void
speaker_walk_out(struct speaker *sp, struct speaker_peer *p, speaker_walk_fn *fn, void *arg)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	while (p->up && (prefix = rib_next(sp->rib, &cursor)) != NULL) {
		const struct rib_out *out = rib_out_find(prefix, p->group->slot);

		if (out == NULL || out->from == p->slot)
			continue;
		if (!fn(arg, &prefix->net, out->attrs, p))
			return;
	}
}

void
speaker_walk_rib(struct speaker *sp, speaker_walk_rib_fn *fn, void *arg)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	while ((prefix = rib_next(sp->rib, &cursor)) != NULL)
		for (const struct rib_path *p = prefix->paths; p != NULL; p = p->next)
			if (((const struct sp_route *)p->route)->path.attrs != NULL &&
			    !fn(arg, &prefix->net, &((const struct sp_route *)p->route)->path,
				p->rank > 0))
				return;
}

size_t
speaker_prefix_count(const struct speaker *sp)
{
	return rib_count(sp->rib);
}

bool
speaker_has_prefix(const struct speaker *sp, const struct ipnet *prefix)
{
	const struct rib_prefix *p = rib_prefix_find(sp->rib, *prefix);

	return p != NULL && p->paths != NULL;
}
