/*
 * Steps of a trace inside Azure: an effective route is followed to a NIC, to a next hop, to a
 * gateway or to the Internet.
 */
#include "fabricd/fc_cover.h"
#include "fabricd/fc_walk.h"
#include "lib/err.h"

#include <stdio.h>
#include <string.h>

static enum fc_place
gateway_place(const struct topo *t, int gw)
{
	return t->gateways[gw].type == GW_VPN ? FC_AT_VPN_GATEWAY : FC_AT_ER_GATEWAY;
}

/* "0.0.0.0/0 VirtualNetworkGateway 10.1.2.5 10.1.2.4": the one taken comes first. */
static void
format_route(char *buf, size_t size, const struct fc_eff_route *r, size_t taken)
{
	char net[IPNET_STRLEN], addr[IPADDR_STRLEN];
	size_t used;

	snprintf(buf, size, "%s %s", ipnet_format(net, r->prefix), fc_hop_name(r->hop));
	for (size_t i = 0; i < r->n_next_hops; i++) {
		used = strlen(buf);
		ipaddr_format(addr, r->next_hops[(taken + i) % r->n_next_hops]);
		snprintf(buf + used, size - used, " %s", addr);
	}
}

/* ---- arriving at a NIC ---- */

static bool
vnet_has(const struct topo *t, int vnet, uint32_t addr)
{
	struct ipnet net;

	return fc_cover_nets(&t->vnets[vnet].space, addr, &net) >= 0;
}

/* Whether a packet out of from_vnet (-1: from a gateway) gets into the NIC's subnet. Network
 * security groups are modelled as their default rules, which let in the VirtualNetwork tag. */
static bool
admit(struct fc_walk *w, int from_vnet, int nic)
{
	const struct topo_nic *n = &w->t->nics[nic];
	bool nsg = w->t->vnets[n->vnet].subnets[n->subnet].nsg;
	const struct topo_peering *p;
	int i;

	if (n->vm >= 0 && !w->t->vms[n->vm].running) {
		fc_walk_finish(w, FC_BLACKHOLE, "%s is not running", n->name);
		return false;
	}
	if (from_vnet < 0 || from_vnet == n->vnet ||
	    (i = topo_find_peering(w->t, n->vnet, from_vnet)) < 0)
		return true;
	p = &w->t->peerings[i];
	if (nsg && !p->allow_virtual_network_access) {
		fc_walk_finish(w, FC_FILTERED, "allowVirtualNetworkAccess is off in %s (PEER-5)",
		    w->t->vnets[n->vnet].name);
		return false;
	}
	if (p->allow_forwarded_traffic || w->t->quirks.forwarded == FORWARDED_PASS ||
	    vnet_has(w->t, from_vnet, w->from))
		return true;
	nsg = nsg || w->t->quirks.forwarded == FORWARDED_DROP;
	if (nsg)
		fc_walk_finish(w, FC_FILTERED,
		    "allowForwardedTraffic is off in %s (PEER-6, OPEN-9)",
		    w->t->vnets[n->vnet].name);
	else
		snprintf(w->out->reason, sizeof(w->out->reason),
		    "warning: allowForwardedTraffic is off in %s and no network security group "
		    "enforces it (OPEN-9)",
		    w->t->vnets[n->vnet].name);
	return !nsg;
}

/* Route Server instances answer pings (RS-8), gateways terminate tunnels. */
static bool
platform_has(struct fc_walk *w, int vnet)
{
	const struct topo *t = w->t;

	for (unsigned i = 0; i < 2; i++) {
		int rs = t->vnets[vnet].route_server;
		const int gws[] = { t->vnets[vnet].er_gateway, t->vnets[vnet].vpn_gateway };

		if (rs >= 0 && t->servers[rs].ip[i] == w->dst.addr) {
			fc_walk_deliver(w, FC_AT_ROUTE_SERVER, rs,
			    fc_walk_node_name(t, TOPO_NODE_ROUTE_SERVER, rs, i));
			return true;
		}
		for (size_t g = 0; g < 2; g++) {
			if (gws[g] < 0 || t->gateways[gws[g]].ip[i] != w->dst.addr)
				continue;
			fc_walk_deliver(w, gateway_place(t, gws[g]), gws[g],
			    fc_walk_gateway_name(t, gws[g], i));
			return true;
		}
	}
	return false;
}

/* Behind an inner load balancer: one of the NVAs in vnet that own addr and are alive, the same for
 * both directions of a flow (RS-56, SC-C). -1: nobody. */
static int
nic_owning(const struct fc_walk *w, int vnet, uint32_t addr)
{
	int found[FC_NEXT_HOPS_MAX];
	struct ipnet net;
	size_t n = 0;

	for (size_t i = 0; i < w->t->n_nics && n < FC_NEXT_HOPS_MAX; i++) {
		const struct topo_nic *c = &w->t->nics[i];

		if (c->vnet == vnet && c->nva >= 0 && !fc_walk_is_gone(w, c->name) &&
		    fc_cover_nets(&w->t->nvas[c->nva].owns, addr, &net) >= 0)
			found[n++] = (int)i;
	}
	return n > 0 ? found[fc_walk_choose_pair(w, n)] : -1;
}

/* One of the healthy backends, the same for both directions of a flow (RS-57, SC-C). -1: none, and
 * the walk is over. */
static int
balance(struct fc_walk *w, int balancer)
{
	const struct topo_load_balancer *l = &w->t->balancers[balancer];
	struct fc_trace_hop *h;
	int found[FC_NEXT_HOPS_MAX];
	size_t n = 0, taken;

	for (size_t i = 0; i < l->n_backends && n < FC_NEXT_HOPS_MAX; i++)
		if (fc_backend_is_healthy(w->l, l, l->backends[i]))
			found[n++] = l->backends[i];
	if (n == 0) {
		fc_walk_finish(w, FC_BLACKHOLE, "no backend of %s is healthy (RS-57)", l->name);
		return -1;
	}
	taken = fc_walk_choose_pair(w, n);
	h = fc_walk_hop(w, FC_AT_LOAD_BALANCER, balancer, l->name, "SC-C");
	snprintf(h->route, sizeof(h->route), "%s, of %zu healthy backends of %zu",
	    w->t->nics[found[taken]].name, n, l->n_backends);
	return found[taken];
}

/* The NIC that takes packets for addr in vnet; -1: none. */
static int
taker(struct fc_walk *w, int vnet, uint32_t addr)
{
	int nic = topo_find_nic_by_ip(w->t, vnet, addr), balancer;

	if (nic >= 0)
		return nic;
	balancer = topo_find_balancer_by_ip(w->t, vnet, addr);
	return balancer >= 0 ? balance(w, balancer) : nic_owning(w, vnet, addr);
}

/* The fabric delivers by address inside vnet. */
static void
arrive(struct fc_walk *w, int from_vnet, int vnet)
{
	int nic = taker(w, vnet, w->dst.addr);
	char buf[IPADDR_STRLEN];

	if (nic < 0 && (w->done || platform_has(w, vnet)))
		return;
	if (nic < 0)
		fc_walk_finish(w, FC_BLACKHOLE, "nobody in %s has %s", w->t->vnets[vnet].name,
		    ipaddr_format(buf, w->dst.addr));
	else if (admit(w, from_vnet, nic))
		fc_walk_deliver(w, FC_AT_NIC, nic, w->t->nics[nic].name);
}

/* Hands the unchanged packet to the NIC with address via (UDR-3, RS-56). */
static void
to_next_hop(struct fc_walk *w, const struct fc_view *v, int from_vnet, uint32_t via)
{
	const struct fc_sys_route *direct = fc_sys_direct(v->sys, via);
	char buf[IPADDR_STRLEN];
	int vnet, nic;

	ipaddr_format(buf, via);
	if (direct == NULL) {
		fc_walk_finish(
		    w, FC_BLACKHOLE, "next hop %s is not directly reachable (UDR-3)", buf);
		return;
	}
	vnet = direct->peer_vnet >= 0 ? direct->peer_vnet : v->vnet;
	nic = taker(w, vnet, via);
	if (w->done)
		return;
	if (nic < 0)
		fc_walk_finish(w, FC_BLACKHOLE, "nobody in %s has next hop %s (UDR-3)",
		    w->t->vnets[vnet].name, buf);
	else if (via != w->dst.addr && !w->t->nics[nic].ip_forwarding)
		fc_walk_finish(
		    w, FC_BLACKHOLE, "IP forwarding is off on %s (UDR-3)", w->t->nics[nic].name);
	else if (admit(w, from_vnet, nic))
		fc_walk_go(w, FC_STAGE_ROUTER, nic);
}

/* ---- gateways ---- */

/* An ExpressRoute next hop is an MSEE (ER-19). */
static void
to_msee(struct fc_walk *w, uint32_t via)
{
	char buf[IPADDR_STRLEN];

	for (size_t i = 0; i < w->t->n_circuits; i++) {
		for (unsigned j = 0; j < 2; j++) {
			if (w->t->circuits[i].nic_next_hop[j] != via)
				continue;
			w->instance = j;
			fc_walk_go(w, FC_STAGE_MSEE_DOWN, (int)i);
			return;
		}
	}
	fc_walk_finish(w, FC_BLACKHOLE, "no circuit has next hop %s", ipaddr_format(buf, via));
}

static const struct topo_gw_connection *
connection_for(const struct fc_layers *l, int gw, uint32_t addr, struct ipnet *net)
{
	const struct topo *t = l->topo;
	const struct topo_gw_connection *found = NULL;
	int best = -1;

	for (size_t i = 0; i < t->gateways[gw].n_conns; i++) {
		const struct topo_gw_connection *c = &t->gateways[gw].conns[i];
		struct ipnet n;
		int len = fc_cover_connection(l, c, addr, &n);

		if (len <= best)
			continue;
		best = len;
		found = c;
		*net = n;
	}
	return found;
}

/* VPN-1, VPN-13: through the tunnel of name, an instance of this end, to one of the other end. */
static void
to_other_gateway(struct fc_walk *w, int gw, const char *name, const struct topo_gw_connection *c,
    struct ipnet net)
{
	bool both = w->t->gateways[c->gateway].active_active;

	w->instance = both ? fc_walk_gateway_instance(w, c->gateway, name) : 0;
	fc_walk_hop_to(w, FC_AT_VPN_GATEWAY, gw, name, c->bgp ? "VPN-9" : "VPN-6", net,
	    "connection", fc_walk_gateway_name(w->t, c->gateway, w->instance));
	fc_walk_go(w, FC_STAGE_GATEWAY, c->gateway);
}

static void
to_vpn(struct fc_walk *w, int gw, unsigned instance)
{
	const struct topo_gw_connection *c;
	const char *name;
	struct ipnet net;
	int i;

	if (gw < 0) {
		fc_walk_finish(
		    w, FC_BLACKHOLE, "no VPN gateway for next hop VirtualNetworkGateway (ER-37)");
		return;
	}
	name = fc_walk_gateway_name(w->t, gw, instance);
	if ((i = topo_find_client_by_ip(w->t, w->dst.addr)) >= 0 &&
	    w->t->clients[i].gateway == gw) {
		fc_walk_hop_to(w, FC_AT_VPN_GATEWAY, gw, name, "VPN-20",
		    (struct ipnet){ w->dst.addr, 32 }, "client", w->t->clients[i].name);
		fc_walk_to_client(w, gw, -1);
		return;
	}
	if (fc_cover_nets(&w->t->gateways[gw].p2s_pools, w->dst.addr, &net) >= 0) {
		fc_walk_deliver(w, FC_AT_VPN_GATEWAY, gw, name); /* VPN-20 */
		return;
	}
	if ((c = connection_for(w->l, gw, w->dst.addr, &net)) == NULL) {
		fc_walk_finish(w, FC_BLACKHOLE, "no connection of %s leads there", name);
		return;
	}
	if (c->gateway >= 0) {
		to_other_gateway(w, gw, name, c, net);
		return;
	}
	fc_walk_hop_to(w, FC_AT_VPN_GATEWAY, gw, name, c->bgp ? "VPN-9" : "VPN-6", net,
	    "connection", w->t->sites[c->index].name);
	fc_walk_go(w, FC_STAGE_SITE, c->index);
}

/* VPN-14: an address of one instance, or the public one of an active-standby pair. */
static void
to_vpn_address(struct fc_walk *w, uint32_t via)
{
	char buf[IPADDR_STRLEN];

	for (size_t i = 0; i < w->t->n_gateways; i++) {
		const struct topo_gateway *g = &w->t->gateways[i];

		if (g->type != GW_VPN)
			continue;
		if (g->ip[0] == via || g->ip[1] == via || g->public_ip == via) {
			to_vpn(w, (int)i, g->active_active && g->ip[1] == via ? 1 : 0);
			return;
		}
	}
	fc_walk_finish(w, FC_BLACKHOLE, "no VPN gateway has next hop %s", ipaddr_format(buf, via));
}

/* ---- following an effective route ---- */

/* A gateway has public addresses for its tunnels only. */
static void
to_internet(struct fc_walk *w)
{
	const struct topo_nic *n = w->stage == FC_STAGE_NIC ? &w->t->nics[w->index] : NULL;

	if (n != NULL)
		fc_walk_to_internet(w, n->name, n->ip, n->public_ip);
	else
		fc_walk_to_internet(w, "the gateway", 0, 0);
}

static void
follow_gateway(struct fc_walk *w, const struct fc_view *v, int from_vnet,
    const struct fc_eff_route *r, size_t taken)
{
	if (r->source == FC_SRC_USER) { /* VPN-22 */
		to_vpn(w, v->scope >= 0 ? w->t->vnets[v->scope].vpn_gateway : -1, 0);
		return;
	}
	switch (r->bgp_source) {
	case HRP_SRC_EXPRESS_ROUTE:
		to_msee(w, r->next_hops[taken]);
		break;
	case HRP_SRC_VPN:
	case HRP_SRC_VPN_STATIC:
	case HRP_SRC_P2S:
		to_vpn_address(w, r->next_hops[taken]);
		break;
	default:
		to_next_hop(w, v, from_vnet, r->next_hops[taken]);
	}
}

static void
follow(struct fc_walk *w, const struct fc_view *v, int from_vnet, const struct fc_eff_route *r,
    size_t taken)
{
	char buf[IPNET_STRLEN];

	switch (r->hop) {
	case FC_HOP_VNET_LOCAL:
		arrive(w, from_vnet, v->vnet);
		break;
	case FC_HOP_VNET_PEERING:
	case FC_HOP_VNET_GLOBAL_PEERING:
		arrive(w, from_vnet, r->peer_vnet);
		break;
	case FC_HOP_INTERNET:
		to_internet(w);
		break;
	case FC_HOP_VIRTUAL_APPLIANCE:
		to_next_hop(w, v, from_vnet, r->next_hops[taken]);
		break;
	case FC_HOP_GATEWAY:
		follow_gateway(w, v, from_vnet, r, taken);
		break;
	default:
		fc_walk_finish(
		    w, FC_BLACKHOLE, "route %s has next hop None", ipnet_format(buf, r->prefix));
	}
}

/* ---- steps ---- */

struct decision {
	struct fc_eff_route route;
	size_t taken; /* of its next hops */
	struct fc_trace_hop *hop;
};

/* Looks up the destination and writes the hop down; false: no route. */
static bool
decide(struct fc_walk *w, const struct fc_view *v, enum fc_place place, const char *node,
    struct decision *d)
{
	const struct ipnet dst = { w->dst.addr, 32 };

	if (!fc_view_lookup(v, dst, &d->route)) {
		fc_walk_finish(w, FC_BLACKHOLE, "%s has no route", node);
		return false;
	}
	d->taken = d->route.n_next_hops > 0 ? fc_walk_choose(w, d->route.n_next_hops) : 0;
	d->hop = fc_walk_hop(w, place, w->index, node, fc_view_rule(v, &d->route, dst));
	format_route(d->hop->route, sizeof(d->hop->route), &d->route, d->taken);
	return true;
}

static void
set_rule(struct fc_trace_hop *h, const char *rule)
{
	snprintf(h->rule, sizeof(h->rule), "%s", rule);
}

/* By no route that anybody made or learned. */
static void
to_platform(struct fc_walk *w, const struct topo_nic *n)
{
	struct fc_trace_hop *h = fc_walk_hop(w, FC_AT_NIC, w->index, n->name, "");

	snprintf(h->nic, sizeof(h->nic), "%s", n->name);
	snprintf(h->route, sizeof(h->route), "168.63.129.16/32, the platform");
	if (w->from != n->ip)
		fc_walk_finish(w, FC_BLACKHOLE, "the platform hears %s alone there", n->name);
	else
		fc_walk_finish(w, FC_BLACKHOLE, "the platform takes answers to health probes only");
}

void
fc_walk_nic(struct fc_walk *w)
{
	const struct topo_nic *n = &w->t->nics[w->index];
	struct decision d;
	struct fc_view v;

	if (w->dst.addr == IPADDR_PLATFORM) {
		to_platform(w, n);
		return;
	}
	fc_view_nic(&v, w->l, w->index);
	if (!decide(w, &v, FC_AT_NIC, n->name, &d))
		return;
	snprintf(d.hop->nic, sizeof(d.hop->nic), "%s", n->name);
	if (d.route.n_next_hops > 0 && d.route.next_hops[d.taken] == n->ip)
		set_rule(d.hop, "RS-64");
	follow(w, &v, n->vnet, &d.route, d.taken);
}

/* ER-20, UDR-9: what comes from on premises obeys the GatewaySubnet's table. */
void
fc_walk_gateway(struct fc_walk *w)
{
	const struct topo_gateway *g = &w->t->gateways[w->index];
	struct decision d;
	struct fc_view v;

	fc_view_subnet(&v, w->l, g->vnet, w->t->vnets[g->vnet].gateway_subnet, 0);
	if (!decide(w, &v, gateway_place(w->t, w->index),
		fc_walk_gateway_name(w->t, w->index, w->instance), &d))
		return;
	snprintf(d.hop->nic, sizeof(d.hop->nic), "GatewaySubnet");
	if (d.route.source == FC_SRC_USER)
		set_rule(d.hop, "UDR-9");
	else if (g->type == GW_EXPRESS_ROUTE)
		set_rule(d.hop, "ER-20");
	/* Gateway transit, not forwarded traffic: PEER-6 does not apply to the next VNet. */
	follow(w, &v, -1, &d.route, d.taken);
}
