#include "fabctl/ch_rules.h"

#include <string.h>

/* ---- endpoints ---- */

static int
nic_of(const struct topo *t, const char *name)
{
	return topo_find_nic(t, name);
}

/* Scope of an endpoint's VNet: its region of the design; -1: outside of Azure. */
static int
scope_of(const struct topo *t, const char *name)
{
	int nic = nic_of(t, name);

	if (nic < 0)
		return -1;
	return t->vnets[t->nics[nic].vnet].scope >= 0 ? t->vnets[t->nics[nic].vnet].scope
						      : t->nics[nic].vnet;
}

static uint32_t
address_of(const struct topo *t, const char *name)
{
	int nic = nic_of(t, name);

	if (nic >= 0)
		return t->nics[nic].ip;
	for (size_t i = 0; i < t->n_sites; i++)
		if (strcmp(t->sites[i].name, name) == 0)
			return t->sites[i].ip;
	for (size_t i = 0; i < t->n_clients; i++)
		if (strcmp(t->clients[i].name, name) == 0)
			return t->clients[i].ip;
	return TOPO_INTERNET_IP;
}

/* ---- losses ---- */

/* MR-2: an NVA of the sender's Route Server has a neighbour where the packet is to go, and hands on
 * routes in whose path 65515 is still to be found. */
static bool
keeps_65515(const struct topo_policy *p)
{
	if (p->as_override)
		return false;
	for (size_t i = 0; i < p->n_strip_as; i++)
		if (p->strip_as[i] == TOPO_RSV_ASN)
			return false;
	return true;
}

static bool
has_neighbour_in(const struct topo *t, const struct topo_nva *nva, int scope)
{
	for (size_t i = 0; i < nva->n_peers; i++) {
		int vnet = nva->peers[i].is_site ? -1 : t->nvas[nva->peers[i].index].vnet;

		if (vnet >= 0 && (vnet == scope || t->vnets[vnet].scope == scope))
			return true;
	}
	return false;
}

static bool
routes_are_dropped(const struct topo *t, const char *src, const char *dst)
{
	int from = scope_of(t, src), to = scope_of(t, dst);
	int rs = from >= 0 ? t->vnets[from].route_server : -1;

	if (rs < 0 || to < 0 || from == to)
		return false;
	for (size_t i = 0; i < t->servers[rs].n_peers; i++) {
		int nva = t->servers[rs].peers[i].nva;

		if (nva >= 0 && has_neighbour_in(t, &t->nvas[nva], to) &&
		    keeps_65515(&t->nvas[nva].to_route_server))
			return true;
	}
	return false;
}

/* A route that is there and says None, or none at all. */
static bool
has_no_route(const struct ch_look *look)
{
	return strstr(look->reason, "next hop None") != NULL ||
	       strstr(look->reason, "has no route") != NULL;
}

const char *
ch_rule_of_loss(const struct topo *t, const char *src, const char *dst, const struct ch_look *look)
{
	if (look->verdict == CH_LOOP && strcmp(look->rule, "RS-64") == 0) {
		if (nic_of(t, dst) < 0 && scope_of(t, src) >= 0 && strcmp(dst, TOPO_INTERNET) == 0)
			return "SC-H";
		if (scope_of(t, dst) >= 0 && scope_of(t, dst) != scope_of(t, src))
			return "MR-5";
	}
	if (look->verdict == CH_BLACKHOLE && has_no_route(look) && routes_are_dropped(t, src, dst))
		return "MR-2";
	return look->rule;
}

/* The sender's subnet has a route table that keeps BGP's routes away, or decides by itself. */
static bool
own_table_decides(const struct topo *t, const char *src, const char *dst)
{
	int nic = nic_of(t, src), table = -1;
	uint32_t addr = address_of(t, dst);
	const struct topo_route_table *rt;

	if (nic >= 0)
		table = t->vnets[t->nics[nic].vnet].subnets[t->nics[nic].subnet].route_table;
	if (table < 0)
		return false;
	rt = &t->tables[table];
	for (size_t i = 0; i < rt->n_routes; i++)
		if (ipnet_contains(rt->routes[i].prefix, (struct ipnet){ addr, 32 }))
			return true;
	return rt->disable_bgp_route_propagation;
}

bool
ch_is_wanted(const struct topo *t, const char *src, const char *dst, const struct ch_look *look)
{
	if (look->verdict == CH_LOOP)
		return false;
	if (strcmp(dst, TOPO_INTERNET) == 0) /* nobody needs a way out; SC-J: or tries in vain */
		return strcmp(look->rule, "SC-J") != 0 || own_table_decides(t, src, dst);
	return look->verdict == CH_FILTERED || own_table_decides(t, src, dst) ||
	       strcmp(src, TOPO_INTERNET) == 0;
}

/* ---- faults ---- */

static const struct topo_node *
node_named(const struct topo *t, const char *name)
{
	int i = topo_find_node(t, name);

	return i >= 0 ? &t->nodes[i] : NULL;
}

static const char *
rule_of_process(const struct topo *t, const struct topo_node *n, bool silent)
{
	if (n == NULL)
		return "";
	switch (n->kind) {
	case TOPO_NODE_ROUTE_SERVER:
		return "RS-93";
	case TOPO_NODE_ER_GATEWAY:
		return "ER-15";
	case TOPO_NODE_VPN_GATEWAY:
		return t->gateways[n->index].active_active ? "VPN-18" : "VPN-1";
	case TOPO_NODE_MSEE:
		return "ER-1";
	default:
		return silent ? "RS-91" : "RS-90";
	}
}

static bool
either(const struct topo_node *a, const struct topo_node *b, enum topo_node_kind kind)
{
	return (a != NULL && a->kind == kind) || (b != NULL && b->kind == kind);
}

static const char *
rule_of_link(const struct topo_node *a, const struct topo_node *b)
{
	if (a == NULL || b == NULL)
		return "";
	if (either(a, b, TOPO_NODE_ROUTE_SERVER))
		return either(a, b, TOPO_NODE_NVA) ? "RS-94" : "B2B-4";
	if (either(a, b, TOPO_NODE_MSEE))
		return either(a, b, TOPO_NODE_SITE) ? "ER-1" : "ER-16";
	if (either(a, b, TOPO_NODE_VPN_GATEWAY))
		return either(a, b, TOPO_NODE_SITE) ? "VPN-18" : "B2B-4";
	return either(a, b, TOPO_NODE_ER_GATEWAY) ? "B2B-4" : "MR-6";
}

const char *
ch_rule_of_fault(const struct topo *t, const struct ch_step *s)
{
	const struct topo_node *a = node_named(t, s->a), *b = node_named(t, s->b);

	return s->b[0] != '\0' ? rule_of_link(a, b) : rule_of_process(t, a, s->fault != CH_KILL);
}

/* ---- remedies ---- */

const char *
ch_fix_of(const char *rule)
{
	static const struct {
		const char *rule, *fix;
	} fixes[] = {
		{ "SC-H", "a route 0.0.0.0/0 -> Internet in a table of the NVA's subnet, or no BGP "
			  "propagation there" },
		{ "MR-5", "a tunnel between the NVAs (MR-6), or on their subnet a route for the "
			  "other region's prefixes to its NVA (MR-7)" },
		{ "MR-2", "let the NVA remove or replace 65515 towards the Route Server (MR-3): "
			  "strip_as or as_override" },
		{ "RS-64", "a route on the NVA's own subnet for what it announces (MR-7, SC-H)" },
		{ "MR-9", "prefer one NVA by prepending on the other, or make a load balancer the "
			  "next hop (RS-56)" },
		{ "RS-91", "a shorter hold time (RS-32); a second NVA takes over after it" },
		{ "RS-94",
		    "each NIC follows one instance (RS-66): a second NVA keeps the route there; if "
		    "NVAs are stateful, a load balancer as next hop (RS-56) keeps both "
		    "directions together" },
		{ "UDR-3",
		    "let BGP announce it, so that it goes with the NVA (RS-90), or point to a "
		    "load balancer with two backends (RS-57)" },
		{ "RS-57", "a next hop in the VNet of the NIC or in one peered with it" },
		{ "RS-95", "without both instances NICs keep their routes, and NVAs and gateways "
			   "learn none: routes of one's own where it has to go on (MR-7)" },
	};

	for (size_t i = 0; i < sizeof(fixes) / sizeof(fixes[0]); i++)
		if (strcmp(fixes[i].rule, rule) == 0)
			return fixes[i].fix;
	return "";
}
