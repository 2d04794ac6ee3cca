/*
 * Evaluation of route maps (route_map.h).
 */
#include "lib/route_map.h"

#include <string.h>

/* ---- conditions ---- */

static bool
prefix_holds(const struct route_map_condition *c, const struct ipnet *prefix)
{
	bool contains = c->match == RM_CONTAINS || c->match == RM_NOT_CONTAINS;

	for (size_t i = 0; i < c->prefixes.n; i++)
		if (contains ? ipnet_contains(c->prefixes.v[i], *prefix)
			     : ipnet_eq(c->prefixes.v[i], *prefix))
			return true;
	return false;
}

static bool
has(const struct bgp_attr_spec *s, uint32_t community)
{
	for (size_t i = 0; i < s->n_communities; i++)
		if (s->communities[i] == community)
			return true;
	return false;
}

/* Equals: all of them are there; Contains: one is. */
static bool
communities_hold(const struct route_map_condition *c, const struct bgp_attr_spec *s)
{
	size_t found = 0;

	for (size_t i = 0; i < c->communities.n; i++)
		found += has(s, c->communities.v[i]);
	if (c->match == RM_CONTAINS || c->match == RM_NOT_CONTAINS)
		return found > 0;
	return found == c->communities.n;
}

/* Equals: the path is the list, in this order; Contains: one ASN is in it. */
static bool
path_holds(const struct route_map_condition *c, const struct bgp_attr_spec *s)
{
	uint32_t path[256];
	size_t n;

	if (c->match == RM_CONTAINS || c->match == RM_NOT_CONTAINS) {
		for (size_t i = 0; i < c->as_path.n; i++)
			if (bgp_path_has(s->as_path, s->as_path_octets, c->as_path.v[i]))
				return true;
		return false;
	}
	n = bgp_path_flatten(s->as_path, s->as_path_octets, path, sizeof(path) / sizeof(path[0]));
	return n == c->as_path.n && n <= sizeof(path) / sizeof(path[0]) &&
	       memcmp(path, c->as_path.v, n * sizeof(*path)) == 0;
}

/* ARM-4: each list of a criterion is negated by itself. */
static bool
condition_holds(
    const struct route_map_condition *c, const struct ipnet *prefix, const struct bgp_attr_spec *s)
{
	bool wanted = c->match == RM_EQUALS || c->match == RM_CONTAINS;

	if (c->prefixes.n > 0 && prefix_holds(c, prefix) != wanted)
		return false;
	if (c->communities.n > 0 && communities_hold(c, s) != wanted)
		return false;
	return c->as_path.n == 0 || path_holds(c, s) == wanted;
}

/* RM-3: all conditions; none matches everything. */
static bool
matches(const struct route_map_rule *r, const struct ipnet *prefix, const struct bgp_attr_spec *s)
{
	for (size_t i = 0; i < r->n_conditions; i++)
		if (!condition_holds(&r->conditions[i], prefix, s))
			return false;
	return true;
}

/* ---- actions ---- */

bool
route_map_is_internal(uint32_t community)
{
	static const uint32_t internal[] = {
		BGP_COMMUNITY(65517, 12001),
		BGP_COMMUNITY(65517, 12002),
		BGP_COMMUNITY(65517, 12003),
		BGP_COMMUNITY(65517, 12005),
		BGP_COMMUNITY(65517, 12006),
		BGP_COMMUNITY(65517, 12076),
		BGP_COMMUNITY(65518, 12076),
		BGP_COMMUNITY(65515, 10000),
		BGP_COMMUNITY(65515, 20000),
		BGP_COMMUNITY(65517, 65517),
		BGP_COMMUNITY(65518, 65518),
	};

	for (size_t i = 0; i < sizeof(internal) / sizeof(internal[0]); i++)
		if (internal[i] == community)
			return true;
	return false;
}

static bool
listed(const struct route_map_u32s *list, uint32_t value)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i] == value)
			return true;
	return false;
}

/* Keeps those for which keep is right, then adds the list. */
static bool
edit_communities(struct bgp_attr_spec *s, const struct route_map_action *a, struct route_map_buf *b)
{
	size_t n = 0;

	if (s->n_communities + a->values.n > ROUTE_MAP_COMMUNITIES_MAX)
		return false;
	for (size_t i = 0; i < s->n_communities; i++) {
		uint32_t c = s->communities[i];
		bool keep = a->act == RM_ADD || route_map_is_internal(c) ||
			    (a->act == RM_REMOVE && !listed(&a->values, c));

		if (keep)
			b->communities[n++] = c;
	}
	for (size_t i = 0; i < a->values.n && a->act != RM_REMOVE; i++)
		b->communities[n++] = a->values.v[i];
	s->communities = b->communities;
	s->n_communities = (uint16_t)n;
	return true;
}

/* The list goes in front of the path, in its order; Replace has it alone. */
static bool
edit_path(struct bgp_attr_spec *s, const struct route_map_action *a, struct route_map_buf *b)
{
	bgp_path_load(&b->path, s->as_path, a->act == RM_ADD ? s->as_path_octets : 0);
	for (size_t i = a->values.n; i > 0; i--)
		if (!bgp_path_prepend(&b->path, a->values.v[i - 1], 1))
			return false;
	s->as_path = b->path.data;
	s->as_path_octets = b->path.octets;
	return true;
}

/* RM-7: only a summary, and it starts with nothing but what the platform needs. */
static bool
summarize(struct ipnet *prefix, struct bgp_attr_spec *s, const struct route_map_action *a,
    struct route_map_buf *b)
{
	static const struct route_map_action strip = { .act = RM_REPLACE };

	for (size_t i = 0; i < a->prefixes.n; i++) {
		if (!ipnet_contains(a->prefixes.v[i], *prefix))
			continue;
		*prefix = a->prefixes.v[i];
		s->as_path_octets = 0;
		s->n_large = 0;
		s->atomic_aggregate = false;
		s->aggregator_as = 0;
		s->partial = 0;
		return edit_communities(s, &strip, b);
	}
	return true;
}

static bool
act(const struct route_map_action *a, struct ipnet *prefix, struct bgp_attr_spec *s,
    struct route_map_buf *b)
{
	switch (a->on) {
	case RM_PREFIX:
		return summarize(prefix, s, a, b);
	case RM_AS_PATH:
		return edit_path(s, a, b);
	case RM_COMMUNITY:
		return edit_communities(s, a, b);
	default:
		return a->act != RM_DROP;
	}
}

bool
route_map_run(const struct route_map *m, struct ipnet *prefix, struct bgp_attr_spec *attrs,
    struct route_map_buf *buf)
{
	for (size_t i = 0; i < m->n_rules; i++) {
		const struct route_map_rule *r = &m->rules[i];

		if (!matches(r, prefix, attrs))
			continue;
		for (size_t k = 0; k < r->n_actions; k++)
			if (!act(&r->actions[k], prefix, attrs, buf))
				return false;
		if (r->terminate)
			break;
	}
	return true; /* RM-3: the end of the list permits */
}

/* ---- the map as a whole ---- */

void
route_map_prepare(struct route_map *m)
{
	m->by_prefix = m->summarizes = false;
	for (size_t i = 0; i < m->n_rules; i++) {
		const struct route_map_rule *r = &m->rules[i];

		for (size_t k = 0; k < r->n_conditions; k++)
			m->by_prefix |= r->conditions[k].prefixes.n > 0;
		for (size_t k = 0; k < r->n_actions; k++)
			m->summarizes |= r->actions[k].on == RM_PREFIX;
	}
	m->by_prefix |= m->summarizes;
}

static bool
nets_equal(const struct route_map_nets *a, const struct route_map_nets *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!ipnet_eq(a->v[i], b->v[i]))
			return false;
	return true;
}

static bool
u32s_equal(const struct route_map_u32s *a, const struct route_map_u32s *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

static bool
rule_equal(const struct route_map_rule *a, const struct route_map_rule *b)
{
	if (a->terminate != b->terminate || a->n_conditions != b->n_conditions ||
	    a->n_actions != b->n_actions)
		return false;
	for (size_t i = 0; i < a->n_conditions; i++) {
		const struct route_map_condition *x = &a->conditions[i], *y = &b->conditions[i];

		if (x->match != y->match || !nets_equal(&x->prefixes, &y->prefixes) ||
		    !u32s_equal(&x->communities, &y->communities) ||
		    !u32s_equal(&x->as_path, &y->as_path))
			return false;
	}
	for (size_t i = 0; i < a->n_actions; i++) {
		const struct route_map_action *x = &a->actions[i], *y = &b->actions[i];

		if (x->act != y->act || x->on != y->on || !nets_equal(&x->prefixes, &y->prefixes) ||
		    !u32s_equal(&x->values, &y->values))
			return false;
	}
	return true;
}

bool
route_map_equal(const struct route_map *a, const struct route_map *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (strcmp(a->name, b->name) != 0 || a->n_rules != b->n_rules)
		return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}
