/*
 * What two configurations have in common, and questions about their lists of prefixes.
 */
#include "lib/wire_conf.h"

#include <string.h>

static bool
u32s_equal(const struct wire_u32s *a, const struct wire_u32s *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof(*a->v)) == 0);
}

static bool
rules_equal(const struct wire_rules *a, const struct wire_rules *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct wire_prefix_rule *x = &a->v[i], *y = &b->v[i];

		if (!ipnet_eq(x->prefix, y->prefix) || x->ge != y->ge || x->le != y->le ||
		    x->deny != y->deny)
			return false;
	}
	return true;
}

static bool
policy_equal(const struct wire_policy *a, const struct wire_policy *b)
{
	return a->as_override == b->as_override && a->default_originate == b->default_originate &&
	       a->next_hop_unchanged == b->next_hop_unchanged && a->prepend == b->prepend &&
	       u32s_equal(&a->strip_as, &b->strip_as) &&
	       u32s_equal(&a->add_communities, &b->add_communities) &&
	       rules_equal(&a->export_rules, &b->export_rules) &&
	       rules_equal(&a->import_rules, &b->import_rules);
}

static bool
peer_policy_equal(const struct wire_peer *a, const struct wire_peer *b)
{
	return a->role == b->role && a->weight == b->weight &&
	       a->no_export_of_learned == b->no_export_of_learned &&
	       strcmp(a->resource, b->resource) == 0 && policy_equal(&a->policy, &b->policy);
}

bool
wire_conf_maps_differ(const struct wire_conf *a, const struct wire_conf *b)
{
	for (size_t i = 0; i < a->n_peers; i++)
		for (size_t k = 0; k < b->n_peers; k++)
			if (strcmp(a->peers[i].name, b->peers[k].name) == 0 &&
			    !(route_map_equal(a->peers[i].in_map, b->peers[k].in_map) &&
				route_map_equal(a->peers[i].out_map, b->peers[k].out_map)))
				return true;
	return false;
}

bool
wire_conf_policy_differs(const struct wire_conf *a, const struct wire_conf *b)
{
	if (a->asn != b->asn || a->relay != b->relay)
		return true;
	for (size_t i = 0; i < a->n_peers; i++)
		for (size_t k = 0; k < b->n_peers; k++)
			if (strcmp(a->peers[i].name, b->peers[k].name) == 0 &&
			    !peer_policy_equal(&a->peers[i], &b->peers[k]))
				return true;
	return false;
}

bool
wire_nets_cover(const struct wire_nets *nets, const struct ipnet *p)
{
	for (size_t i = 0; i < nets->n; i++)
		if (ipnet_contains(nets->v[i], *p))
			return true;
	return false;
}

bool
wire_nets_overlap(const struct wire_nets *nets, const struct ipnet *p)
{
	for (size_t i = 0; i < nets->n; i++)
		if (ipnet_overlaps(nets->v[i], *p))
			return true;
	return false;
}

bool
wire_rules_accept(const struct wire_rules *rules, const struct ipnet *p)
{
	for (size_t i = 0; i < rules->n; i++) {
		const struct wire_prefix_rule *r = &rules->v[i];

		if (p->len >= r->ge && p->len <= r->le && ipnet_contains(r->prefix, *p))
			return !r->deny;
	}
	return true;
}
