/*
 * Rules about route maps: what a map may do (RM-7, RM-8, RM-9) and where it may be (RM-1, RM-10,
 * RM-12, ERR-10).
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <string.h>

/* ---- what a map does ---- */

struct place {
	struct topo_build *b;
	size_t map;
	char pointer[TOPO_POINTER_MAX];
};

#define complain(p, code, ...)                                                                     \
	topo_build_error((p)->b, TOPO_ROUTE_MAP, (p)->map, (p)->pointer, code, __VA_ARGS__)

/* RM-8: the limits of what goes in front of a path. */
static void
check_asns(struct place *p, const struct route_map_u32s *asns, bool written)
{
	for (size_t i = 0; i < asns->n; i++) {
		uint32_t asn = asns->v[i];

		if (asn > UINT16_MAX)
			complain(
			    p, "InvalidRouteMapAsn", "ASN %u does not fit in 16 bits (RM-8)", asn);
		else if (written && (bgp_asn_is_private(asn) || topo_asn_is_azure_reserved(asn) ||
					topo_asn_is_iana_reserved(asn)))
			complain(p, "InvalidRouteMapAsn",
			    "ASN %u is private or reserved and cannot be put into a path (RM-8)",
			    asn);
	}
}

static const char *
fault_of(const struct route_map_action *a, const json_t *given)
{
	size_t lists = (json_object_get(given, "prefixes") != NULL) +
		       (json_object_get(given, "as_path") != NULL) +
		       (json_object_get(given, "communities") != NULL);

	if (a->act == RM_DROP)
		return lists > 0 ? "Drop takes no list" : NULL;
	if (lists != 1)
		return "name one of prefixes, as_path and communities";
	if (a->on == RM_PREFIX && a->act != RM_REPLACE)
		return "prefixes can only be replaced";
	if (a->on == RM_AS_PATH && a->act == RM_REMOVE)
		return "of an AS path nothing can be removed; replace it";
	return NULL;
}

static void
check_action(struct place *p, const struct route_map_action *a, const json_t *given)
{
	const char *fault = fault_of(a, given);
	char c[24];

	if (fault != NULL)
		complain(p, "InvalidRouteMapAction", "%s (RM-7)", fault);
	if (a->on == RM_AS_PATH)
		check_asns(p, &a->values, true);
	for (size_t i = 0; a->on == RM_COMMUNITY && a->act == RM_REMOVE && i < a->values.n; i++)
		if (route_map_is_internal(a->values.v[i]))
			complain(p, "InvalidRouteMapCommunity",
			    "%s is a marker of the platform and cannot be removed (RS-80)",
			    bgp_community_format(c, a->values.v[i]));
}

static void
check_rule(struct place *p, size_t k, const struct route_map_rule *r)
{
	const json_t *rules = json_object_get(p->b->props[TOPO_ROUTE_MAP][p->map], "rules");
	const json_t *given = json_object_get(json_array_get(rules, k), "actions");

	for (size_t i = 0; i < r->n_conditions; i++) {
		snprintf(p->pointer, sizeof(p->pointer), "/rules/%zu/match/%zu", k, i);
		check_asns(p, &r->conditions[i].as_path, false);
	}
	for (size_t i = 0; i < r->n_actions; i++) {
		snprintf(p->pointer, sizeof(p->pointer), "/rules/%zu/actions/%zu", k, i);
		check_action(p, &r->actions[i], json_array_get(given, i));
	}
}

/* ---- where a map is ---- */

/* A map belongs to one Route Server, as its connections do. */
static void
check_owner(
    struct topo_build *b, enum topo_kind kind, size_t i, const char *pointer, int map, int server)
{
	const struct topo *t = b->t;

	if (map < 0 || t->maps[map].server < 0 || t->maps[map].server == server)
		return;
	if (server < 0)
		topo_build_error(b, kind, i, pointer, "RouteMapWithoutRouteServer",
		    "route map %.64s needs its Route Server %.64s in this VNet (RM-1)",
		    t->maps[map].name, t->servers[t->maps[map].server].name);
	else
		topo_build_error(b, kind, i, pointer, "RouteMapOfAnotherRouteServer",
		    "route map %.64s belongs to Route Server %.64s", t->maps[map].name,
		    t->servers[t->maps[map].server].name);
}

static void
check_owners(struct topo_build *b, enum topo_kind kind, size_t i, const char *pointer, int in_map,
    int out_map, int server)
{
	check_owner(b, kind, i, pointer, in_map, server);
	if (out_map != in_map)
		check_owner(b, kind, i, pointer, out_map, server);
}

/* RM-12, once the Route Server is upgraded (OPEN-20). */
static void
check_hub_connection(
    struct topo_build *b, size_t i, const struct topo_rs_peer *p, const char *pointer)
{
	const struct topo *t = b->t;
	int peering = topo_find_peering(t, p->vnet, t->servers[i].vnet);

	if (!p->hub_connection)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer,
		    "HubBgpConnectionMustReferenceFullyProvisionedHubVirtualNetworkConnection",
		    "%.64s is in VNet %.64s and needs hub_connection (RM-12)", p->name,
		    t->vnets[p->vnet].name);
	else if (peering < 0 || !t->peerings[peering].use_remote_gateways)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "VNetPeeringInFailedState",
		    "hub_connection needs use_remote_gateways in the peering of %.64s with %.64s "
		    "(RM-12)",
		    t->vnets[p->vnet].name, t->vnets[t->servers[i].vnet].name);
}

static void
check_server(struct topo_build *b, size_t i)
{
	const struct topo_route_server *s = &b->t->servers[i];
	char pointer[TOPO_POINTER_MAX];

	for (size_t k = 0; k < s->n_peers; k++) {
		const struct topo_rs_peer *p = &s->peers[k];
		bool far = p->vnet >= 0 && p->vnet != s->vnet;

		snprintf(pointer, sizeof(pointer), "/peers/%s", p->name);
		if (far && (p->in_map >= 0 || p->out_map >= 0))
			topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer,
			    "HubBgpConnectionFromSpokeVnetCannotReferenceRouteMap",
			    "%.64s is in VNet %.64s; only peers in %.64s take route maps (RM-12)",
			    p->name, b->t->vnets[p->vnet].name, b->t->vnets[s->vnet].name);
		else
			check_owners(
			    b, TOPO_ROUTE_SERVER, i, pointer, p->in_map, p->out_map, (int)i);
		if (far && s->route_map_tier && b->complete[TOPO_PEERING])
			check_hub_connection(b, i, p, pointer);
	}
}

static void
check_gateway(struct topo_build *b, size_t i)
{
	const struct topo_gateway *g = &b->t->gateways[i];
	char pointer[TOPO_POINTER_MAX];

	for (size_t k = 0; k < g->n_conns; k++) {
		const struct topo_gw_connection *c = &g->conns[k];

		snprintf(pointer, sizeof(pointer), "/%s/%s",
		    g->type == GW_VPN ? "connections" : "circuits", c->name);
		if (c->vnet_to_vnet && (c->in_map >= 0 || c->out_map >= 0))
			topo_build_error(b, TOPO_GATEWAY, i, pointer,
			    "InvalidRoutingConfigurationForConnectionType",
			    "a connection of type Vnet2Vnet takes no route maps (RM-10)");
		else if (g->vnet >= 0 && b->complete[TOPO_ROUTE_SERVER])
			check_owners(b, TOPO_GATEWAY, i, pointer, c->in_map, c->out_map,
			    b->t->vnets[g->vnet].route_server);
	}
}

void
topo_check_maps(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_maps; i++)
		for (size_t k = 0; k < b->t->maps[i].map.n_rules; k++)
			check_rule(
			    &(struct place){ .b = b, .map = i }, k, &b->t->maps[i].map.rules[k]);
	for (size_t i = 0; i < b->t->n_servers; i++)
		if (b->t->servers[i].vnet >= 0)
			check_server(b, i);
	for (size_t i = 0; i < b->t->n_gateways; i++)
		check_gateway(b, i);
}
