/*
 * The rules of a Route Server (rs_policy.h).
 */
#include "routeserverd/rs_policy.h"

#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

/* ---- configuration ---- */

/* Sorts and drops what is inside another prefix, so that a binary search finds the only candidate.
 */
static size_t
make_disjoint(struct ipnet *v, size_t n)
{
	size_t kept = 0;

	qsort(v, n, sizeof(*v), ipnet_cmp);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !ipnet_contains(v[kept - 1], v[i]))
			v[kept++] = v[i];
	return kept;
}

int
rs_policy_init(struct rs_policy *p, const struct wire_rs_conf *conf, uint32_t address)
{
	size_t n = conf->vnet.n + conf->spokes.n;
	struct ipnet *v = calloc(n + 1, sizeof(*v));

	if (v == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < n; i++)
		v[i] = i < conf->vnet.n ? conf->vnet.v[i] : conf->spokes.v[i - conf->vnet.n];
	*p = (struct rs_policy){
		.address = address,
		.branch_to_branch = conf->branch_to_branch,
		.no_export_passes = conf->no_export_passes,
		.lists_covered = conf->lists_covered,
		.preference = (enum hrp_pref)conf->hub_routing_preference,
		.max_next_hops = conf->max_next_hops,
		.max_prefixes = conf->max_prefixes_total,
		.covered = v,
		.n_covered = make_disjoint(v, n),
		.n_vnet_prefixes = n,
	};
	return FAB_OK;
}

void
rs_policy_fini(struct rs_policy *p)
{
	free(p->covered);
	*p = (struct rs_policy){ 0 };
}

bool
rs_policy_differs(const struct rs_policy *a, const struct rs_policy *b)
{
	if (a->branch_to_branch != b->branch_to_branch ||
	    a->no_export_passes != b->no_export_passes || a->lists_covered != b->lists_covered ||
	    a->preference != b->preference || a->max_next_hops != b->max_next_hops ||
	    a->max_prefixes != b->max_prefixes || a->address != b->address ||
	    a->n_covered != b->n_covered)
		return true;
	for (size_t i = 0; i < a->n_covered; i++)
		if (!ipnet_eq(a->covered[i], b->covered[i]))
			return true;
	return false;
}

/* ---- import ---- */

static enum hrp_source
source_of(enum rs_side from, const struct bgp_attrs *in)
{
	switch (from) {
	case RS_SIDE_NVA:
		return HRP_SRC_NVA;
	case RS_SIDE_ER:
		return HRP_SRC_EXPRESS_ROUTE;
	case RS_SIDE_VPN:
		if (in->as_path_len > 0)
			return HRP_SRC_VPN;
		/* Prefixes of connections without BGP come with an empty path (B2B-6, HRP-6), as do
		 * P2S pools, which a gateway keeps from everybody but the NICs (VPN-20, B2B-8). */
		return bgp_attrs_has_community(in, BGP_COMMUNITY_NO_ADVERTISE) ? HRP_SRC_P2S
									       : HRP_SRC_VPN_STATIC;
	default:
		return HRP_SRC_UNKNOWN;
	}
}

bool
rs_import_attrs(enum rs_side from, const struct bgp_attrs *in, struct speaker_path *path)
{
	const struct bgp_attr_spec *s = &in->s;

	/* RS-50: before anything else, and from whomever it comes */
	if (bgp_path_has(s->as_path, s->as_path_octets, RS_ASN))
		return false;
	/* B2B-10, OPEN-14: a second Route Server on the same circuit drops what the first one sent;
	 * VNet prefixes that the MSEE reflects (ER-30) do not carry the mark. */
	if (from == RS_SIDE_ER && bgp_attrs_has_community(in, RS_COMMUNITY_ROUTE))
		return false;
	path->source = source_of(from, in);
	/* ER-18: a gateway tells the weight of the connection by LOCAL_PREF. */
	if (from == RS_SIDE_ER && s->has_local_pref && s->local_pref > RS_GW_LOCAL_PREF)
		path->weight = s->local_pref - RS_GW_LOCAL_PREF;
	/* RS-56: NEXT_HOP stays; RS-58, OPEN-15: AS_PATH and communities stay, MED, ORIGIN and
	 * LOCAL_PREF of an NVA decide nothing. */
	return true;
}

bool
rs_import_prefix(const struct rs_policy *p, const struct ipnet *prefix)
{
	size_t lo = 0, hi = p->n_covered;

	/* The last entry that does not begin behind the prefix is the only one that can contain it.
	 */
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (p->covered[mid].addr <= prefix->addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	/* RS-51; a supernet (RS-53), 0/0 (RS-55) and what is only peered (RS-54) pass */
	return lo == 0 || !ipnet_contains(p->covered[lo - 1], *prefix);
}

/* ---- selection ---- */

static bool
next_hop_among(const struct rs_candidate *c, const uint16_t *winners, size_t n, uint32_t next_hop)
{
	for (size_t i = 0; i < n; i++)
		if (c[winners[i]].next_hop == next_hop)
			return true;
	return false;
}

/* Ascending by the peer's address; n is small. */
static void
insert_by_peer(const struct rs_candidate *c, uint16_t *v, size_t n, size_t index)
{
	while (n > 0 && c[v[n - 1]].peer_addr > c[index].peer_addr) {
		v[n] = v[n - 1];
		n--;
	}
	v[n] = (uint16_t)index;
}

/* RS-27: routes of further next hops are left out. */
static size_t
limit_next_hops(const struct rs_candidate *c, uint16_t *v, size_t n, size_t max)
{
	size_t kept = 0, hops = 0;

	for (size_t i = 0; i < n; i++) {
		bool known = next_hop_among(c, v, kept, c[v[i]].next_hop);

		if (!known && max != 0 && hops == max)
			continue;
		hops += !known;
		v[kept++] = v[i];
	}
	return kept;
}

size_t
rs_select(const struct rs_policy *p, const struct rs_candidate *c, size_t n, uint16_t *winners)
{
	struct hrp_route routes[SPEAKER_PATHS_MAX];
	bool keep[SPEAKER_PATHS_MAX];
	size_t n_winners = 0;

	FAB_ASSERT(n >= 1 && n <= SPEAKER_PATHS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (c[i].peer_addr == 0) { /* our own prefix */
			winners[0] = (uint16_t)i;
			return 1;
		}
		routes[i] = c[i].route;
	}
	hrp_select(p->preference, routes, n, keep); /* RS-60, RS-61 */
	for (size_t i = 0; i < n; i++)
		if (keep[i])
			insert_by_peer(c, winners, n_winners++, i);
	return limit_next_hops(c, winners, n_winners, p->max_next_hops);
}

/* ---- export ---- */

/* What may pass from whom to whom, before any look at attributes. */
enum gate { NEVER, ALWAYS, WITH_B2B };

static const enum gate gates[RS_SIDE_COUNT][RS_SIDE_COUNT] = {
	/* RS-70, RS-71; gateways know the VNets from the platform */
	[RS_SIDE_OWN] = { [RS_SIDE_NVA] = ALWAYS },
	/* RS-72: independent of branch-to-branch; B2B-1, B2B-2 */
	[RS_SIDE_NVA] = { [RS_SIDE_NVA] = ALWAYS,
	    [RS_SIDE_ER] = WITH_B2B,
	    [RS_SIDE_VPN] = WITH_B2B },
	/* RS-73; B2B-9: no way between two circuits, nor back to the other instance */
	[RS_SIDE_ER] = { [RS_SIDE_NVA] = WITH_B2B, [RS_SIDE_VPN] = WITH_B2B },
	[RS_SIDE_VPN] = { [RS_SIDE_NVA] = WITH_B2B, [RS_SIDE_ER] = WITH_B2B },
};

static bool
may_pass(const struct rs_policy *p, const struct rs_export *x)
{
	enum gate gate = gates[x->from][x->to];

	if (gate == NEVER || (gate == WITH_B2B && !p->branch_to_branch))
		return false;
	if (x->from == RS_SIDE_OWN)
		return true;
	/* RS-78: to no BGP peer */
	if (bgp_attrs_has_community(x->in, BGP_COMMUNITY_NO_ADVERTISE))
		return false;
	/* RS-79, OPEN-18: not out of the AS, which gateways belong to */
	return p->no_export_passes || x->to != RS_SIDE_NVA ||
	       !bgp_attrs_has_community(x->in, BGP_COMMUNITY_NO_EXPORT);
}

static bool
add_community(struct speaker_scratch *sc, struct bgp_attr_spec *out, uint32_t community)
{
	if (out->n_communities > RS_COMMUNITIES_MAX)
		return false;
	if (out->n_communities > 0)
		memcpy(sc->communities, out->communities,
		    out->n_communities * sizeof(*sc->communities));
	sc->communities[out->n_communities++] = community;
	out->communities = sc->communities;
	return true;
}

/* "Every UPDATE to an NVA": section 1.6. */
static bool
dress_for_nva(const struct rs_policy *p, struct speaker_scratch *sc, struct bgp_attr_spec *out)
{
	bgp_path_load(&sc->path, out->as_path, out->as_path_octets);
	if (!bgp_path_prepend(&sc->path, RS_ASN, 1))
		return false;
	out->as_path = sc->path.data;
	out->as_path_octets = sc->path.octets;
	out->next_hop = p->address;
	out->origin = BGP_ORIGIN_IGP;
	return true;
}

bool
rs_export(const struct rs_policy *p, const struct rs_export *x, struct speaker_scratch *sc,
    struct bgp_attr_spec *out)
{
	if (!may_pass(p, x))
		return false;
	out->has_med = false;
	out->med = 0;
	out->has_local_pref = false; /* RS-58: an instance gives all its routes the same */
	out->local_pref = 0;
	if (x->from != RS_SIDE_OWN && !add_community(sc, out, RS_COMMUNITY_ROUTE))
		return false;
	if (x->from == RS_SIDE_OWN && x->tag == RS_TAG_SPOKE &&
	    !add_community(sc, out, RS_COMMUNITY_SPOKE))
		return false;
	/* B2B-5: to a gateway NEXT_HOP and AS_PATH leave as they are */
	return x->to != RS_SIDE_NVA || dress_for_nva(p, sc, out);
}
