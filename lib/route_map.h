#ifndef LIB_ROUTE_MAP_H
#define LIB_ROUTE_MAP_H
/*
 * Route maps of a Route Server (RM-2 ... RM-8): ordered rules, each with conditions and actions,
 * for the routes of one connection in one direction. Plain data and pure functions; where a map is
 * put is the speaker's business (bgp_speaker.h), who may have which one is checked in
 * topo_check_maps.c.
 */
#include "lib/bgp_attr.h"
#include "lib/ipnet.h"

#define ROUTE_MAP_COMMUNITIES_MAX 1024

struct route_map_nets {
	struct ipnet *v;
	size_t n;
};

struct route_map_u32s {
	uint32_t *v;
	size_t n;
};

/* Numbers of fab.v1.RouteMapMatch and fab.v1.RouteMapAction. */
enum route_map_match { RM_EQUALS, RM_CONTAINS, RM_NOT_EQUALS, RM_NOT_CONTAINS, RM_MATCH_COUNT };
enum route_map_act { RM_DROP, RM_ADD, RM_REPLACE, RM_REMOVE, RM_ACT_COUNT };

/* A list that is empty sets no condition. */
struct route_map_condition {
	enum route_map_match match;
	struct route_map_nets prefixes;    /* RM-4 */
	struct route_map_u32s communities; /* RM-5 */
	struct route_map_u32s as_path;     /* RM-6 */
};

/* What of a route an action is about. */
enum route_map_subject { RM_ROUTE, RM_PREFIX, RM_AS_PATH, RM_COMMUNITY, RM_SUBJECT_COUNT };

struct route_map_action {
	enum route_map_act act;
	enum route_map_subject on;
	struct route_map_nets prefixes;
	struct route_map_u32s values; /* ASNs or communities */
};

struct route_map_rule {
	const char *name;
	struct route_map_condition *conditions;
	size_t n_conditions;
	struct route_map_action *actions;
	size_t n_actions;
	bool terminate; /* when it matched; otherwise the next rule follows */
};

struct route_map {
	const char *name;
	struct route_map_rule *rules;
	size_t n_rules;
	bool by_prefix;  /* some condition or action looks at prefixes: see route_map_prepare() */
	bool summarizes; /* some action replaces prefixes */
};

/* Where edited attributes stay until the next run. */
struct route_map_buf {
	struct bgp_path_buf path;
	uint32_t communities[ROUTE_MAP_COMMUNITIES_MAX];
};

/* Sets by_prefix and summarizes from the rules. */
void route_map_prepare(struct route_map *m);

/*
 * Runs the map over one route. *prefix and *attrs are changed in place, the latter's pointers may
 * lead into buf afterwards. False: dropped.
 *
 * Prefix Replace makes *prefix the summary that has it inside, without AS path and communities, or
 * changes nothing when the action lists none (RM-7: never more specific). Internal communities
 * (RS-80) survive everything. An edit for which there is no room drops the route.
 *
 * When !m->by_prefix, prefix may be NULL: one run is good for every prefix with these attributes.
 */
bool route_map_run(const struct route_map *m, struct ipnet *prefix, struct bgp_attr_spec *attrs,
    struct route_map_buf *buf);

bool route_map_equal(const struct route_map *a, const struct route_map *b);

/* Internal markers of the platform, which no map may remove (RS-80). */
bool route_map_is_internal(uint32_t community);

#endif
