/*
 * The decision process (bgp_decide.h): each step drops the candidates that are worse than the best
 * of those that are left, until one remains. Elimination instead of comparing pairs, because MED
 * orders only routes of the same neighbouring AS and pairs would give results that depend on the
 * order.
 */
#include "lib/bgp_decide.h"

#include "lib/err.h"

#include <string.h>

/* What a candidate costs in one step; the cheapest stay. */
typedef uint64_t cost_fn(const struct bgp_candidate *c);

static uint64_t
cost_weight(const struct bgp_candidate *c)
{
	return UINT32_MAX - c->weight;
}

static uint64_t
cost_origination(const struct bgp_candidate *c)
{
	return !c->local;
}

static uint64_t
cost_local_pref(const struct bgp_candidate *c)
{
	return UINT32_MAX - c->local_pref;
}

static uint64_t
cost_path(const struct bgp_candidate *c)
{
	return c->path_len;
}

static uint64_t
cost_origin(const struct bgp_candidate *c)
{
	return c->origin;
}

static uint64_t
cost_ibgp(const struct bgp_candidate *c)
{
	return c->ibgp;
}

static uint64_t
cost_router_id(const struct bgp_candidate *c)
{
	return c->router_id;
}

static uint64_t
cost_peer(const struct bgp_candidate *c)
{
	return c->peer_addr;
}

/* MED and stability are not costs of one candidate alone. */
enum { STEP_MED = 6, STEP_STABLE = 8, STEP_COUNT = 11 };

static cost_fn *const costs[STEP_COUNT] = {
	[1] = cost_weight,
	[2] = cost_origination,
	[3] = cost_local_pref, /* 9.1.1 */
	[4] = cost_path,       /* 9.1.2.2 a */
	[5] = cost_origin,     /* b */
	[7] = cost_ibgp,       /* d; e, the interior cost, is the same for all here */
	[9] = cost_router_id,  /* f */
	[10] = cost_peer,      /* g */
};

static void
keep_cheapest(const struct bgp_candidate *c, size_t n, bool *alive, cost_fn *cost)
{
	uint64_t best = UINT64_MAX;

	for (size_t i = 0; i < n; i++)
		if (alive[i] && cost(&c[i]) < best)
			best = cost(&c[i]);
	for (size_t i = 0; i < n; i++)
		alive[i] = alive[i] && cost(&c[i]) == best;
}

/* 6. lowest MED among routes of the same neighbouring AS (9.1.2.2 c) */
static void
keep_lowest_med(const struct bgp_candidate *c, size_t n, bool *alive)
{
	bool keep[BGP_DECIDE_MAX];

	for (size_t i = 0; i < n; i++) {
		keep[i] = alive[i];
		for (size_t k = 0; k < n && keep[i]; k++)
			keep[i] = !alive[k] || c[k].neighbor_as != c[i].neighbor_as ||
				  c[k].med >= c[i].med;
	}
	memcpy(alive, keep, n * sizeof(*keep));
}

/* 8. the present winner, if external: saves a change that gains nothing (RFC 5004 3) */
static void
keep_current(const struct bgp_candidate *c, size_t n, bool *alive)
{
	size_t current = n;

	for (size_t i = 0; i < n; i++)
		if (alive[i] && c[i].current && !c[i].ibgp)
			current = i;
	for (size_t i = 0; current < n && i < n; i++)
		alive[i] = i == current;
}

static size_t
count(const bool *alive, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++)
		left += alive[i];
	return left;
}

size_t
bgp_decide(const struct bgp_candidate *c, size_t n, bool stable, unsigned *step)
{
	bool alive[BGP_DECIDE_MAX];
	unsigned at = 0;
	size_t i = 0;

	FAB_ASSERT(n >= 1 && n <= BGP_DECIDE_MAX);
	memset(alive, true, n * sizeof(*alive));
	while (count(alive, n) > 1 && ++at < STEP_COUNT) {
		if (at == STEP_MED)
			keep_lowest_med(c, n, alive);
		else if (at == STEP_STABLE && stable)
			keep_current(c, n, alive);
		else if (costs[at] != NULL)
			keep_cheapest(c, n, alive, costs[at]);
	}
	if (step != NULL)
		*step = at;
	while (!alive[i])
		i++;
	return i; /* equal in everything: the first */
}
