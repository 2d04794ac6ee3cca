/*
 * Route selection between sources (hrp.h). Steps 1 to 3 each shrink the set of candidates; what is
 * left is used, all of it (ECMP). No step puts static routes first (HRP-7, OPEN-6).
 */
#include "lib/hrp.h"

static bool
is_er(const struct hrp_route *r)
{
	return r->source == HRP_SRC_EXPRESS_ROUTE;
}

/* ER-18: among ExpressRoute routes only those of the highest connection weight count at all. */
static void
drop_light(const struct hrp_route *routes, size_t n, bool *keep)
{
	uint32_t best = 0;

	for (size_t i = 0; i < n; i++)
		if (is_er(&routes[i]) && routes[i].weight > best)
			best = routes[i].weight;
	for (size_t i = 0; i < n; i++)
		keep[i] = !is_er(&routes[i]) || routes[i].weight == best;
}

/* Keeps one of the two classes, ExpressRoute or everything else, if it has a candidate. */
static void
prefer_class(const struct hrp_route *routes, size_t n, bool *keep, bool er)
{
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= keep[i] && is_er(&routes[i]) == er;
	for (size_t i = 0; any && i < n; i++)
		keep[i] = keep[i] && is_er(&routes[i]) == er;
}

static void
prefer_short(const struct hrp_route *routes, size_t n, bool *keep)
{
	uint16_t best = UINT16_MAX;

	for (size_t i = 0; i < n; i++)
		if (keep[i] && routes[i].path_len < best)
			best = routes[i].path_len;
	for (size_t i = 0; i < n; i++)
		keep[i] = keep[i] && routes[i].path_len == best;
}

size_t
hrp_select(enum hrp_pref pref, const struct hrp_route *routes, size_t n, bool *keep)
{
	size_t kept = 0;

	/* 1. connection weight, which a gateway evaluates before anything else (ER-18) */
	drop_light(routes, n, keep);
	switch (pref) {
	case HRP_PREF_EXPRESS_ROUTE:
		/* 2. the class (HRP-2, HRP-3, HRP-8), 3. the shortest AS path in it (HRP-5, RS-60)
		 */
		prefer_class(routes, n, keep, true);
		prefer_short(routes, n, keep);
		break;
	case HRP_PREF_VPN_GATEWAY:
		prefer_class(routes, n, keep, false);
		prefer_short(routes, n, keep);
		break;
	case HRP_PREF_AS_PATH:
		/* 2. the shortest AS path whatever the source, 3. on a tie ExpressRoute (HRP-4) */
		prefer_short(routes, n, keep);
		prefer_class(routes, n, keep, true);
		break;
	}
	for (size_t i = 0; i < n; i++)
		kept += keep[i];
	return kept;
}

const char *
hrp_reason(enum hrp_pref pref, const struct hrp_route *winner, const struct hrp_route *loser)
{
	static const char *const class_rule[] = { [HRP_PREF_EXPRESS_ROUTE] = "HRP-2",
		[HRP_PREF_VPN_GATEWAY] = "HRP-3",
		[HRP_PREF_AS_PATH] = "HRP-4" };

	if (is_er(winner) && is_er(loser) && winner->weight != loser->weight)
		return "ER-18";
	if (is_er(winner) != is_er(loser) || pref == HRP_PREF_AS_PATH)
		return class_rule[pref];
	if (winner->source == HRP_SRC_NVA && loser->source == HRP_SRC_NVA)
		return "RS-60";
	return "HRP-5";
}
