/*
 * Route maps of a topology: from JSON to the struct that Route Servers and gateways evaluate.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <string.h>

static struct route_map_nets
nets(struct topo_build *b, const json_t *o)
{
	struct topo_nets n = topo_get_nets(b, o, "prefixes");

	return (struct route_map_nets){ n.v, n.n };
}

static struct route_map_u32s
communities(struct topo_build *b, const json_t *o)
{
	const json_t *list = json_object_get(o, "communities");
	struct route_map_u32s out;

	out.v = topo_build_alloc(b, &out.n, json_array_size(list), sizeof(*out.v));
	for (size_t i = 0; i < out.n; i++)
		topo_community_parse(&out.v[i], json_string_value(json_array_get(list, i)));
	return out;
}

static struct route_map_u32s
asns(struct topo_build *b, const json_t *o)
{
	const json_t *list = json_object_get(o, "as_path");
	struct route_map_u32s out;

	out.v = topo_build_alloc(b, &out.n, json_array_size(list), sizeof(*out.v));
	for (size_t i = 0; i < out.n; i++)
		out.v[i] = (uint32_t)json_integer_value(json_array_get(list, i));
	return out;
}

static struct route_map_condition
condition(struct topo_build *b, const json_t *o)
{
	const char *word = topo_get_text(o, "condition");
	bool negated = strncmp(word, "Not", 3) == 0;
	bool contains = strcmp(negated ? word + 3 : word, "Contains") == 0;

	return (struct route_map_condition){
		.match = negated ? (contains ? RM_NOT_CONTAINS : RM_NOT_EQUALS)
				 : (contains ? RM_CONTAINS : RM_EQUALS),
		.prefixes = nets(b, o),
		.communities = communities(b, o),
		.as_path = asns(b, o),
	};
}

static struct route_map_action
action(struct topo_build *b, const json_t *o)
{
	const char *word = topo_get_text(o, "type");
	struct route_map_action a = {
		.act = strcmp(word, "Add") == 0       ? RM_ADD
		       : strcmp(word, "Replace") == 0 ? RM_REPLACE
		       : strcmp(word, "Remove") == 0  ? RM_REMOVE
						      : RM_DROP,
	};

	if (json_object_get(o, "prefixes") != NULL) {
		a.on = RM_PREFIX;
		a.prefixes = nets(b, o);
	} else if (json_object_get(o, "as_path") != NULL) {
		a.on = RM_AS_PATH;
		a.values = asns(b, o);
	} else if (json_object_get(o, "communities") != NULL) {
		a.on = RM_COMMUNITY;
		a.values = communities(b, o);
	}
	return a;
}

static void
rule(struct topo_build *b, struct route_map_rule *r, const json_t *o)
{
	const json_t *match = json_object_get(o, "match"), *acts = json_object_get(o, "actions");
	const char *name = topo_get_text(o, "name"), *next = topo_get_text(o, "next");

	r->name = name == NULL ? "" : topo_arena_text(b->arena, name, strlen(name));
	r->terminate = strcmp(next, "Terminate") == 0;
	r->conditions =
	    topo_build_alloc(b, &r->n_conditions, json_array_size(match), sizeof(*r->conditions));
	for (size_t i = 0; i < r->n_conditions; i++)
		r->conditions[i] = condition(b, json_array_get(match, i));
	r->actions = topo_build_alloc(b, &r->n_actions, json_array_size(acts), sizeof(*r->actions));
	for (size_t i = 0; i < r->n_actions; i++)
		r->actions[i] = action(b, json_array_get(acts, i));
}

void
topo_build_maps(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_maps; i++) {
		const json_t *props = b->props[TOPO_ROUTE_MAP][i];
		const json_t *rules = json_object_get(props, "rules");
		struct topo_route_map *m = &b->t->maps[i];

		m->server = topo_build_ref(b, TOPO_ROUTE_MAP, i, "/route_server", TOPO_ROUTE_SERVER,
		    topo_get_text(props, "route_server"));
		m->map.name = m->name;
		m->map.rules = topo_build_alloc(
		    b, &m->map.n_rules, json_array_size(rules), sizeof(*m->map.rules));
		for (size_t k = 0; k < m->map.n_rules; k++)
			rule(b, &m->map.rules[k], json_array_get(rules, k));
		route_map_prepare(&m->map);
	}
}
