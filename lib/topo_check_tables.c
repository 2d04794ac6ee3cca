/*
 * Rules about route tables and the subnets that carry them (UDR-*, RS-6, ER-35 ... ER-37).
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

#define TAGS_PER_TABLE 25 /* UDR-5 */

/* ---- a table by itself ---- */

static void
check_table(struct topo_build *b, size_t i)
{
	const struct topo_route_table *t = &b->t->tables[i];
	struct topo_span *v = topo_arena_alloc(b->arena, t->n_routes, sizeof(*v));
	struct topo_clash clash = { 0 };
	char pointer[TOPO_POINTER_MAX], p[IPNET_STRLEN];

	if (t->n_given > b->t->limits.routes_per_table)
		topo_build_error(b, TOPO_ROUTE_TABLE, i, "/routes", "RoutesPerTableLimitReached",
		    "%zu routes; the limit is %u (UDR-6)", t->n_given,
		    b->t->limits.routes_per_table);
	if (t->n_tags > TAGS_PER_TABLE)
		topo_build_error(b, TOPO_ROUTE_TABLE, i, "/routes",
		    "ServiceTagsPerTableLimitReached",
		    "%zu routes to service tags; the limit is %d (UDR-5)", t->n_tags,
		    TAGS_PER_TABLE);
	for (size_t k = 0; v != NULL && k < t->n_routes; k++)
		v[k] = (struct topo_span){ t->routes[k].prefix, k };
	while (v != NULL && topo_span_clash(v, t->n_routes, &clash)) {
		/* Prefixes of a table may contain each other; only equal ones conflict (UDR-4,
		 * ERR-3), and equal ones are neighbours in the sorted array. */
		const struct topo_span *before = clash.b - 1;

		if (!ipnet_eq(before->net, clash.b->net))
			continue;
		snprintf(
		    pointer, sizeof(pointer), "/routes/%s/prefix", t->routes[clash.b->tag].name);
		topo_build_error(b, TOPO_ROUTE_TABLE, i, pointer, "RouteConflict",
		    "route %.64s has prefix %s already", t->routes[before->tag].name,
		    ipnet_format(p, clash.b->net));
	}
}

/* ---- a table on a subnet ---- */

/* UDR-3: directly reachable, in the own VNet or a peered one. */
static bool
is_reachable(const struct topo *t, int vnet, uint32_t addr)
{
	if (topo_vnet_has_addr(&t->vnets[vnet], addr))
		return true;
	for (size_t i = topo_first_peering(t, vnet);
	     i < t->n_peerings && t->peerings[i].vnet == vnet; i++)
		if (t->peerings[i].remote >= 0 &&
		    topo_vnet_has_addr(&t->vnets[t->peerings[i].remote], addr))
			return true;
	return false;
}

static bool
is_owned(const struct topo *t, uint32_t addr)
{
	for (size_t i = 0; i < t->n_nvas; i++)
		for (size_t k = 0; k < t->nvas[i].owns.n; k++)
			if (ipnet_has_addr(t->nvas[i].owns.v[k], addr))
				return true;
	for (size_t i = 0; i < t->n_balancers; i++)
		if (t->balancers[i].ip == addr)
			return true;
	return false;
}

/* UDR-3: Azure takes any address; one that no NIC has, or that does not forward, drops packets. */
static void
warn_appliance(struct topo_build *b, size_t table, const char *pointer, uint32_t addr)
{
	const struct topo *t = b->t;
	const struct topo_nic *nic = NULL;
	char a[IPADDR_STRLEN];
	int found;

	for (size_t i = 0; i < t->n_vnets && nic == NULL; i++)
		if (topo_vnet_has_addr(&t->vnets[i], addr) &&
		    (found = topo_find_nic_by_ip(t, (int)i, addr)) >= 0)
			nic = &t->nics[found];
	if (nic == NULL && !is_owned(t, addr))
		topo_build_warn(b, TOPO_ROUTE_TABLE, table, pointer, "NextHopWithoutNic",
		    "no NIC has address %s; packets are dropped", ipaddr_format(a, addr));
	else if (nic != NULL && !nic->ip_forwarding)
		topo_build_warn(b, TOPO_ROUTE_TABLE, table, pointer, "NextHopDoesNotForward",
		    "%s has address %s but not ip_forwarding; packets are dropped (UDR-3)",
		    nic->name, ipaddr_format(a, addr));
}

/* ER-37: the hop means a VPN gateway. Beside ExpressRoute it is accepted, but not supported. */
static void
check_gateway_hop(struct topo_build *b, const struct topo_vnet *v, const struct topo_subnet *s,
    const char *pointer, bool vpn)
{
	if (!vpn)
		topo_build_error(b, TOPO_ROUTE_TABLE, (size_t)s->route_table, pointer,
		    "VirtualNetworkGatewayHopNeedsVpn",
		    "VirtualNetworkGateway means a VPN gateway, but subnet %.64s/%.64s has "
		    "ExpressRoute only (ER-37)",
		    v->name, s->name);
	else
		topo_build_warn(b, TOPO_ROUTE_TABLE, (size_t)s->route_table, pointer,
		    "VirtualNetworkGatewayHopUnsupported",
		    "VirtualNetworkGateway is not supported where VPN and ExpressRoute coexist, as "
		    "for subnet %.64s/%.64s (ER-37)",
		    v->name, s->name);
}

static void
check_hop(struct topo_build *b, int vnet, const struct topo_subnet *s, const struct topo_udr *r)
{
	const struct topo *t = b->t;
	const struct topo_vnet *v = &t->vnets[vnet];
	const struct topo_vnet *scope = v->scope < 0 ? NULL : &t->vnets[v->scope];
	char pointer[TOPO_POINTER_MAX], a[IPADDR_STRLEN];

	snprintf(pointer, sizeof(pointer), "/routes/%s/next_hop", r->name);
	if (r->hop == HOP_VIRTUAL_APPLIANCE && !is_reachable(t, vnet, r->address) &&
	    b->complete[TOPO_VNET] && b->complete[TOPO_PEERING])
		topo_build_error(b, TOPO_ROUTE_TABLE, (size_t)s->route_table, pointer,
		    "NextHopNotReachable",
		    "%s is neither in VNet %.64s, whose subnet %.64s has this table, nor in a "
		    "peered one (UDR-3)",
		    ipaddr_format(a, r->address), v->name, s->name);
	if (r->hop == HOP_VNET_GATEWAY && scope != NULL && scope->er_gateway >= 0)
		check_gateway_hop(b, v, s, pointer, scope->vpn_gateway >= 0);
}

/* All subnets with a table that is small enough, up to the first that makes a route wrong: the
 * others would say the same again. */
static void
check_hops(struct topo_build *b)
{
	const struct topo *t = b->t;
	bool *done = topo_arena_alloc(b->arena, t->n_tables, sizeof(*done));
	size_t before;

	for (size_t i = 0; done != NULL && i < t->n_vnets; i++)
		for (size_t k = 0; k < t->vnets[i].n_subnets; k++) {
			const struct topo_subnet *s = &t->vnets[i].subnets[k];
			const struct topo_route_table *table;

			if (s->route_table < 0)
				continue;
			table = &t->tables[s->route_table];
			if (done[s->route_table] || table->n_given > t->limits.routes_per_table)
				continue;
			before = b->errs->n;
			for (size_t r = 0; r < table->n_routes; r++)
				check_hop(b, (int)i, s, &table->routes[r]);
			done[s->route_table] = b->errs->n > before;
		}
}

static void
warn_appliances(struct topo_build *b)
{
	char pointer[TOPO_POINTER_MAX];

	for (size_t i = 0; i < b->t->n_tables; i++)
		for (size_t k = 0; k < b->t->tables[i].n_routes; k++) {
			const struct topo_udr *r = &b->t->tables[i].routes[k];

			snprintf(pointer, sizeof(pointer), "/routes/%s/next_hop", r->name);
			if (r->hop == HOP_VIRTUAL_APPLIANCE)
				warn_appliance(b, i, pointer, r->address);
		}
}

/* ---- subnets with rules of their own ---- */

static void
check_server_subnet(struct topo_build *b, size_t i)
{
	const struct topo_vnet *v = &b->t->vnets[i];
	const struct topo_subnet *s = &v->subnets[v->route_server_subnet];

	if (s->route_table >= 0)
		topo_build_error(b, TOPO_VNET, i, "/subnets/RouteServerSubnet/route_table",
		    "RouteServerSubnetRouteTable",
		    "RouteServerSubnet must not have a route table (RS-6)");
	if (s->nsg)
		topo_build_error(b, TOPO_VNET, i, "/subnets/RouteServerSubnet/nsg",
		    "RouteServerSubnetNsg",
		    "RouteServerSubnet must not have a network security group (RS-6)");
}

static bool
covers_public(const struct topo *t, const struct topo_vnet *v, struct ipnet prefix)
{
	return v->vpn_gateway >= 0 && ipnet_has_addr(prefix, t->gateways[v->vpn_gateway].public_ip);
}

/* ER-35: accepted by Azure, but the gateway suffers. ER-36: the Route Server behind it too. */
static void
warn_covered(struct topo_build *b, size_t i, const struct topo_route_table *t)
{
	const struct topo_vnet *v = &b->t->vnets[i];
	const struct topo_subnet *own = &v->subnets[v->gateway_subnet], *rs = NULL;
	bool rs_local = false;
	char p[IPNET_STRLEN];

	if (v->route_server >= 0 && v->route_server_subnet >= 0)
		rs = &v->subnets[v->route_server_subnet];
	for (size_t k = 0; k < t->n_routes; k++)
		rs_local = rs_local || (rs != NULL && t->routes[k].hop == HOP_VNET_LOCAL &&
					   ipnet_contains(t->routes[k].prefix, rs->prefix));
	for (size_t k = 0; k < t->n_routes; k++) {
		const struct topo_udr *r = &t->routes[k];

		if (r->prefix.len == 0 || r->hop == HOP_VNET_LOCAL)
			continue;
		if (ipnet_contains(r->prefix, own->prefix) || covers_public(b->t, v, r->prefix))
			topo_build_warn(b, TOPO_VNET, i, "/subnets/GatewaySubnet/route_table",
			    "GatewaySubnetCovered",
			    "route %.64s %s covers GatewaySubnet or the gateway's public address "
			    "(ER-35)",
			    r->name, ipnet_format(p, r->prefix));
		if (rs != NULL && !rs_local && ipnet_contains(r->prefix, rs->prefix))
			topo_build_warn(b, TOPO_VNET, i, "/subnets/GatewaySubnet/route_table",
			    "RouteServerSubnetCovered",
			    "route %.64s %s catches the sessions between gateway and Route Server; "
			    "add a route for RouteServerSubnet to VnetLocal (ER-36)",
			    r->name, ipnet_format(p, r->prefix));
	}
}

/* ER-35. */
static void
check_gateway_subnet(struct topo_build *b, size_t i)
{
	const struct topo_vnet *v = &b->t->vnets[i];
	const struct topo_subnet *s = &v->subnets[v->gateway_subnet];
	const struct topo_route_table *t;

	if (s->nsg)
		topo_build_error(b, TOPO_VNET, i, "/subnets/GatewaySubnet/nsg", "GatewaySubnetNsg",
		    "GatewaySubnet must not have a network security group (ER-35)");
	if (s->route_table < 0)
		return;
	t = &b->t->tables[s->route_table];
	if (t->disable_bgp_route_propagation)
		topo_build_error(b, TOPO_VNET, i, "/subnets/GatewaySubnet/route_table",
		    "GatewaySubnetPropagationDisabled",
		    "route table %.64s disables BGP route propagation; the gateway would stop "
		    "working (ER-35)",
		    t->name);
	for (size_t k = 0; k < t->n_routes; k++)
		if (t->routes[k].prefix.len == 0)
			topo_build_error(b, TOPO_VNET, i, "/subnets/GatewaySubnet/route_table",
			    "GatewaySubnetDefaultRoute",
			    "route table %.64s has a route for 0.0.0.0/0, which GatewaySubnet "
			    "does not support (ER-35)",
			    t->name);
	warn_covered(b, i, t);
}

void
topo_check_tables(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_tables; i++)
		check_table(b, i);
	for (size_t i = 0; i < b->t->n_vnets; i++) {
		if (b->t->vnets[i].route_server_subnet >= 0)
			check_server_subnet(b, i);
		if (b->t->vnets[i].gateway_subnet >= 0)
			check_gateway_subnet(b, i);
	}
	check_hops(b);
	if (b->warnings != NULL)
		warn_appliances(b);
}
