/*
 * The modelled path of a packet. A walk is at one place at a time: in front of a NIC's effective
 * routes, inside an NVA, at a gateway, an MSEE or a site. Each step writes down the decision made
 * there and moves on, until somebody takes the packet, drops it, or sees it a second time. Every
 * decision depends on the place and the two addresses alone, so twice at one place is a loop.
 */
#include "fabricd/fc_cover.h"
#include "fabricd/fc_eff.h"
#include "fabricd/fc_layers_int.h"
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum stage {
	STAGE_NIC,       /* index of the NIC: about to leave the guest */
	STAGE_ROUTER,    /* index of the NIC: delivered to a router */
	STAGE_GATEWAY,   /* came from on premises */
	STAGE_MSEE_UP,   /* towards Azure */
	STAGE_MSEE_DOWN, /* towards the site */
	STAGE_SITE,
	STAGE_COUNT
};

struct walk {
	const struct fc_layers *l;
	const struct topo *t;
	struct fc_endpoint src, dst;
	struct fc_trace *out;
	uint32_t hash;
	enum stage stage;
	int index;
	unsigned instance; /* of a gateway or MSEE, for its name only */
	bool done;
	struct {
		enum stage stage;
		int index;
	} seen[FC_TRACE_HOPS_MAX];
	size_t n_seen;
	struct fc_trace_hop spare; /* what comes after the last that fits */
};

const char *
fc_verdict_name(enum fc_verdict v)
{
	static const char *const names[] = {
		[FC_DELIVERED] = "delivered",
		[FC_LOOP] = "loop",
		[FC_BLACKHOLE] = "blackhole",
		[FC_FILTERED] = "filtered",
	};

	return names[v];
}

/* ---- writing down ---- */

__attribute__((format(printf, 3, 4))) static void
finish(struct walk *w, enum fc_verdict verdict, const char *fmt, ...)
{
	va_list ap;

	w->out->verdict = verdict;
	w->done = true;
	va_start(ap, fmt);
	if (fmt[0] != '\0') /* a delivered packet keeps its warning */
		vsnprintf(w->out->reason, sizeof(w->out->reason), fmt, ap);
	va_end(ap);
}

static void
copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static struct fc_trace_hop *
hop(struct walk *w, enum fc_place place, int index, const char *node, const char *rule)
{
	struct fc_trace_hop *h;

	if (w->out->n_hops == FC_TRACE_HOPS_MAX) {
		finish(w, FC_LOOP, "more than %d hops", FC_TRACE_HOPS_MAX);
		return &w->spare;
	}
	h = &w->out->hops[w->out->n_hops++];
	*h = (struct fc_trace_hop){ .place = place, .index = index };
	copy(h->node, sizeof(h->node), node);
	copy(h->rule, sizeof(h->rule), rule);
	return h;
}

static void
deliver(struct walk *w, enum fc_place place, int index, const char *node)
{
	struct fc_trace_hop *h = hop(w, place, index, node, "");

	if (place == FC_AT_NIC)
		copy(h->nic, sizeof(h->nic), node);
	if (!w->done)
		finish(w, FC_DELIVERED, "%s", "");
}

static void
go(struct walk *w, enum stage stage, int index)
{
	w->stage = stage;
	w->index = index;
}

static const char *
node_name(const struct topo *t, enum topo_node_kind kind, int index, unsigned instance)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].kind == kind && t->nodes[i].index == index &&
		    t->nodes[i].instance == instance)
			return t->nodes[i].name;
	return "?";
}

static const char *
gateway_name(const struct topo *t, int gw, unsigned instance)
{
	return node_name(t,
	    t->gateways[gw].type == GW_VPN ? TOPO_NODE_VPN_GATEWAY : TOPO_NODE_ER_GATEWAY, gw,
	    instance);
}

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
admit(struct walk *w, int from_vnet, int nic)
{
	const struct topo_nic *n = &w->t->nics[nic];
	bool nsg = w->t->vnets[n->vnet].subnets[n->subnet].nsg;
	const struct topo_peering *p;
	int i;

	if (n->vm >= 0 && !w->t->vms[n->vm].running) {
		finish(w, FC_BLACKHOLE, "%s is not running", n->name);
		return false;
	}
	if (from_vnet < 0 || from_vnet == n->vnet ||
	    (i = topo_find_peering(w->t, n->vnet, from_vnet)) < 0)
		return true;
	p = &w->t->peerings[i];
	if (nsg && !p->allow_virtual_network_access) {
		finish(w, FC_FILTERED, "allowVirtualNetworkAccess is off in %s (PEER-5)",
		    w->t->vnets[n->vnet].name);
		return false;
	}
	if (p->allow_forwarded_traffic || vnet_has(w->t, from_vnet, w->src.addr))
		return true;
	if (nsg)
		finish(w, FC_FILTERED, "allowForwardedTraffic is off in %s (PEER-6, OPEN-9)",
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
platform_has(struct walk *w, int vnet)
{
	const struct topo *t = w->t;

	for (unsigned i = 0; i < 2; i++) {
		int rs = t->vnets[vnet].route_server;
		const int gws[] = { t->vnets[vnet].er_gateway, t->vnets[vnet].vpn_gateway };

		if (rs >= 0 && t->servers[rs].ip[i] == w->dst.addr) {
			deliver(
			    w, FC_AT_ROUTE_SERVER, rs, node_name(t, TOPO_NODE_ROUTE_SERVER, rs, i));
			return true;
		}
		for (size_t g = 0; g < 2; g++) {
			if (gws[g] < 0 || t->gateways[gws[g]].ip[i] != w->dst.addr)
				continue;
			deliver(w, gateway_place(t, gws[g]), gws[g], gateway_name(t, gws[g], i));
			return true;
		}
	}
	return false;
}

/* The fabric delivers by address inside vnet. */
static void
arrive(struct walk *w, int from_vnet, int vnet)
{
	int nic = topo_find_nic_by_ip(w->t, vnet, w->dst.addr);
	char buf[IPADDR_STRLEN];

	if (nic < 0 && platform_has(w, vnet))
		return;
	if (nic < 0)
		finish(w, FC_BLACKHOLE, "nobody in %s has %s", w->t->vnets[vnet].name,
		    ipaddr_format(buf, w->dst.addr));
	else if (admit(w, from_vnet, nic))
		deliver(w, FC_AT_NIC, nic, w->t->nics[nic].name);
}

/* Hands the unchanged packet to the NIC with address via (UDR-3, RS-56). */
static void
to_next_hop(struct walk *w, const struct fc_view *v, int from_vnet, uint32_t via)
{
	const struct fc_sys_route *direct = fc_sys_direct(v->sys, via);
	char buf[IPADDR_STRLEN];
	int vnet, nic;

	ipaddr_format(buf, via);
	if (direct == NULL) {
		finish(w, FC_BLACKHOLE, "next hop %s is not directly reachable (UDR-3)", buf);
		return;
	}
	vnet = direct->peer_vnet >= 0 ? direct->peer_vnet : v->vnet;
	nic = topo_find_nic_by_ip(w->t, vnet, via);
	if (nic < 0)
		finish(w, FC_BLACKHOLE, "nobody in %s has next hop %s (UDR-3)",
		    w->t->vnets[vnet].name, buf);
	else if (via != w->dst.addr && !w->t->nics[nic].ip_forwarding)
		finish(w, FC_BLACKHOLE, "IP forwarding is off on %s (UDR-3)", w->t->nics[nic].name);
	else if (admit(w, from_vnet, nic))
		go(w, STAGE_ROUTER, nic);
}

/* ---- gateways ---- */

/* An ExpressRoute next hop is an MSEE (ER-19). */
static void
to_msee(struct walk *w, uint32_t via)
{
	char buf[IPADDR_STRLEN];

	for (size_t i = 0; i < w->t->n_circuits; i++) {
		for (unsigned j = 0; j < 2; j++) {
			if (w->t->circuits[i].nic_next_hop[j] != via)
				continue;
			w->instance = j;
			go(w, STAGE_MSEE_DOWN, (int)i);
			return;
		}
	}
	finish(w, FC_BLACKHOLE, "no circuit has next hop %s", ipaddr_format(buf, via));
}

static void
hop_to(struct walk *w, enum fc_place place, int index, const char *node, const char *rule,
    struct ipnet net, const char *how, const char *next)
{
	struct fc_trace_hop *h = hop(w, place, index, node, rule);
	char buf[IPNET_STRLEN];

	snprintf(h->route, sizeof(h->route), "%s %s %s", ipnet_format(buf, net), how, next);
}

static const struct topo_gw_connection *
connection_for(const struct topo *t, int gw, uint32_t addr, struct ipnet *net)
{
	const struct topo_gw_connection *found = NULL;
	int best = -1;

	for (size_t i = 0; i < t->gateways[gw].n_conns; i++) {
		const struct topo_gw_connection *c = &t->gateways[gw].conns[i];
		struct ipnet n;
		int len = fc_cover_connection(t, c, addr, &n);

		if (len <= best)
			continue;
		best = len;
		found = c;
		*net = n;
	}
	return found;
}

static void
to_vpn(struct walk *w, int gw, unsigned instance)
{
	const struct topo_gw_connection *c;
	const char *name;
	struct ipnet net;

	if (gw < 0) {
		finish(
		    w, FC_BLACKHOLE, "no VPN gateway for next hop VirtualNetworkGateway (ER-37)");
		return;
	}
	name = gateway_name(w->t, gw, instance);
	if (fc_cover_nets(&w->t->gateways[gw].p2s_pools, w->dst.addr, &net) >= 0) {
		deliver(w, FC_AT_VPN_GATEWAY, gw, name); /* VPN-20 */
		return;
	}
	if ((c = connection_for(w->t, gw, w->dst.addr, &net)) == NULL) {
		finish(w, FC_BLACKHOLE, "no connection of %s leads there", name);
		return;
	}
	hop_to(w, FC_AT_VPN_GATEWAY, gw, name, c->bgp ? "VPN-9" : "VPN-6", net, "connection",
	    w->t->sites[c->index].name);
	go(w, STAGE_SITE, c->index);
}

/* VPN-14: an address of one instance, or the public one of an active-standby pair. */
static void
to_vpn_address(struct walk *w, uint32_t via)
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
	finish(w, FC_BLACKHOLE, "no VPN gateway has next hop %s", ipaddr_format(buf, via));
}

/* ---- following an effective route ---- */

static void
to_internet(struct walk *w)
{
	char buf[IPADDR_STRLEN];

	if (w->dst.internet)
		deliver(w, FC_AT_INTERNET, 0, "internet");
	else
		finish(
		    w, FC_BLACKHOLE, "%s is not on the Internet", ipaddr_format(buf, w->dst.addr));
}

static void
follow_gateway(struct walk *w, const struct fc_view *v, int from_vnet, const struct fc_eff_route *r,
    size_t taken)
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
follow(struct walk *w, const struct fc_view *v, int from_vnet, const struct fc_eff_route *r,
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
		finish(w, FC_BLACKHOLE, "route %s has next hop None", ipnet_format(buf, r->prefix));
	}
}

/* ---- one step for each place ---- */

static void
step_nic(struct walk *w)
{
	const struct topo_nic *n = &w->t->nics[w->index];
	const struct ipnet dst = { w->dst.addr, 32 };
	struct fc_eff_route r;
	struct fc_trace_hop *h;
	struct fc_view v;
	size_t taken;

	fc_view_nic(&v, w->l, w->index);
	if (!fc_view_lookup(&v, dst, &r)) {
		finish(w, FC_BLACKHOLE, "%s has no route", n->name);
		return;
	}
	taken = r.n_next_hops > 0 ? w->hash % r.n_next_hops : 0;
	h = hop(w, FC_AT_NIC, w->index, n->name, fc_view_rule(&v, &r, dst));
	copy(h->nic, sizeof(h->nic), n->name);
	format_route(h->route, sizeof(h->route), &r, taken);
	if (r.n_next_hops > 0 && r.next_hops[taken] == n->ip)
		copy(h->rule, sizeof(h->rule), "RS-64");
	follow(w, &v, n->vnet, &r, taken);
}

/* ER-20, UDR-9: what comes from on premises obeys the GatewaySubnet's table. */
static void
step_gateway(struct walk *w)
{
	const struct topo_gateway *g = &w->t->gateways[w->index];
	const struct topo_vnet *vnet = &w->t->vnets[g->vnet];
	const struct ipnet dst = { w->dst.addr, 32 };
	const char *rule = g->type == GW_VPN ? "UDR-9" : "ER-20";
	struct fc_eff_route r;
	struct fc_trace_hop *h;
	struct fc_view v;
	int subnet = -1;
	size_t taken;

	for (size_t i = 0; i < vnet->n_subnets; i++)
		if (strcmp(vnet->subnets[i].name, "GatewaySubnet") == 0)
			subnet = (int)i;
	fc_view_subnet(&v, w->l, g->vnet, subnet, 0);
	if (!fc_view_lookup(&v, dst, &r)) {
		finish(w, FC_BLACKHOLE, "%s has no route", g->name);
		return;
	}
	taken = r.n_next_hops > 0 ? w->hash % r.n_next_hops : 0;
	h = hop(w, gateway_place(w->t, w->index), w->index,
	    gateway_name(w->t, w->index, w->instance), r.source == FC_SRC_USER ? "UDR-9" : rule);
	copy(h->nic, sizeof(h->nic), "GatewaySubnet");
	format_route(h->route, sizeof(h->route), &r, taken);
	/* Not out of a VNet as far as peerings care, unless an NVA sends it on. */
	follow(w, &v, -1, &r, taken);
}

static bool
is_gone(const struct walk *w, const char *node)
{
	const struct fc_router *r = fc_router_find(w->l->routers, node);

	return r != NULL && r->gone;
}

/* Neither a table of its own nor news that it went away: foreign software. */
static bool
is_silent(const struct walk *w, const char *node)
{
	return fc_router_find(w->l->routers, node) == NULL;
}

static const struct topo_router_peer *
peer_named(const struct topo_router_peer *peers, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(peers[i].name, name) == 0)
			return &peers[i];
	return NULL;
}

/* What lies behind a tunnel: the region of the NVA at its end, or the site's prefixes. */
static int
cover_peer(const struct walk *w, const struct topo_router_peer *p, struct ipnet *net)
{
	int vnet, scope;

	if (is_gone(w, p->name))
		return -1;
	if (p->is_site)
		return fc_cover_site(&w->t->sites[p->index], w->dst.addr, false, net);
	vnet = w->t->nvas[p->index].vnet;
	scope = fc_scope_of(w->t, vnet);
	return fc_cover_region(w->t, scope >= 0 ? scope : vnet, w->dst.addr, net);
}

static const struct topo_router_peer *
guess_tunnel(
    const struct walk *w, const struct topo_router_peer *peers, size_t n, struct ipnet *net)
{
	const struct topo_router_peer *found = NULL;
	int best = -1;

	for (size_t i = 0; i < n; i++) {
		struct ipnet candidate;
		int len = peers[i].tunnel ? cover_peer(w, &peers[i], &candidate) : -1;

		if (len <= best)
			continue;
		best = len;
		found = &peers[i];
		*net = candidate;
	}
	return found;
}

/* MR-6: the packet appears at the other end of the tunnel. */
static void
to_router_peer(struct walk *w, const struct topo_router_peer *p)
{
	const struct topo *t = w->t;

	if (p->is_site) {
		go(w, STAGE_SITE, p->index);
		return;
	}
	for (size_t i = 0; i < t->n_nics; i++) {
		if (t->nics[i].nva == p->index) {
			go(w, STAGE_ROUTER, (int)i);
			return;
		}
	}
	finish(w, FC_BLACKHOLE, "%s has no NIC", p->name);
}

static void
step_nva(struct walk *w, const struct topo_nva *nva)
{
	const struct topo_router_peer *p = NULL;
	const char *next;
	struct ipnet net;

	if (is_gone(w, nva->name)) {
		finish(w, FC_BLACKHOLE, "%s is gone and still the next hop (RS-91)", nva->name);
		return;
	}
	if (is_silent(w, nva->name))
		p = guess_tunnel(w, nva->peers, nva->n_peers, &net);
	else if (fc_layers_router_lookup(w->l, nva->name, w->dst.addr, &net, &next))
		p = peer_named(nva->peers, nva->n_peers, next);
	if (p == NULL || !p->tunnel) { /* MR-5, RS-81: out of the NIC, whose table decides */
		go(w, STAGE_NIC, w->index);
		return;
	}
	hop_to(w, FC_AT_NIC, w->index, nva->name, "MR-6", net, "tunnel", p->name);
	to_router_peer(w, p);
}

static void
step_router(struct walk *w)
{
	const struct topo_nic *n = &w->t->nics[w->index];
	struct ipnet net;

	if (n->ip == w->dst.addr ||
	    (n->nva >= 0 && fc_cover_nets(&w->t->nvas[n->nva].owns, w->dst.addr, &net) >= 0))
		deliver(w, FC_AT_NIC, w->index, n->name);
	else if (n->nva >= 0)
		step_nva(w, &w->t->nvas[n->nva]);
	else
		go(w, STAGE_NIC, w->index);
}

/* The circuit's gateway that leads to the destination: the one that has it natively before one
 * that carries it for others (SC-G: the shorter path, ER-13). */
static int
circuit_gateway(const struct walk *w, int circuit, struct ipnet *net, bool *native)
{
	int best = -1, found = -1;

	for (int pass = 0; pass < 2 && found < 0; pass++) {
		for (size_t i = 0; i < w->t->n_gateways; i++) {
			const struct topo_gateway *g = &w->t->gateways[i];
			struct ipnet n;
			bool linked = false;
			int len;

			for (size_t j = 0; j < g->n_conns; j++)
				linked = linked || g->conns[j].index == circuit;
			if (g->type != GW_EXPRESS_ROUTE || !linked)
				continue;
			len = fc_cover_gateway(w->l, (int)i, w->dst.addr, pass == 0, &n);
			if (len <= best)
				continue;
			best = len;
			found = (int)i;
			*net = n;
			*native = pass == 0;
		}
	}
	return found;
}

static void
msee_to_gateway(struct walk *w, int gw, struct ipnet net, bool native)
{
	unsigned at = w->instance;

	w->instance = w->hash % 2; /* ER-15: both instances announce it */
	hop_to(w, FC_AT_MSEE, w->index, node_name(w->t, TOPO_NODE_MSEE, w->index, at),
	    native ? "ER-10" : "B2B-2", net, "gateway", gateway_name(w->t, gw, w->instance));
	go(w, STAGE_GATEWAY, gw);
}

static void
step_msee_up(struct walk *w)
{
	struct ipnet net;
	bool native;
	int gw = circuit_gateway(w, w->index, &net, &native);

	if (gw >= 0)
		msee_to_gateway(w, gw, net, native);
	else
		finish(w, FC_BLACKHOLE, "no gateway of %s announces it (ER-12)",
		    w->t->circuits[w->index].name);
}

static void
step_msee_down(struct walk *w)
{
	const struct topo_circuit *c = &w->t->circuits[w->index];
	struct ipnet net, of_gateway;
	int len = fc_cover_site(&w->t->sites[c->site], w->dst.addr, true, &net);
	bool native = false;
	int gw = circuit_gateway(w, w->index, &of_gateway, &native);

	if (gw >= 0 && native && of_gateway.len > len) { /* ER-30 */
		msee_to_gateway(w, gw, of_gateway, true);
	} else if (len >= 0) {
		hop_to(w, FC_AT_MSEE, w->index,
		    node_name(w->t, TOPO_NODE_MSEE, w->index, w->instance), "ER-1", net, "site",
		    w->t->sites[c->site].name);
		go(w, STAGE_SITE, c->site);
	} else {
		finish(w, FC_BLACKHOLE, "%s does not announce it on %s", w->t->sites[c->site].name,
		    c->name);
	}
}

/* ---- sites ---- */

static void
site_to_circuit(struct walk *w, int circuit, unsigned instance, struct ipnet net)
{
	hop_to(w, FC_AT_SITE, w->index, w->t->sites[w->index].name, "ER-10", net, "via",
	    node_name(w->t, TOPO_NODE_MSEE, circuit, instance));
	w->instance = instance;
	go(w, STAGE_MSEE_UP, circuit);
}

static void
site_to_vpn(struct walk *w, int gw, unsigned instance, struct ipnet net)
{
	hop_to(w, FC_AT_SITE, w->index, w->t->sites[w->index].name, "VPN-8", net, "via",
	    gateway_name(w->t, gw, instance));
	w->instance = instance;
	go(w, STAGE_GATEWAY, gw);
}

static void
site_to_peer(struct walk *w, const struct topo_router_peer *p, struct ipnet net)
{
	hop_to(w, FC_AT_SITE, w->index, w->t->sites[w->index].name, "MR-6", net, "tunnel", p->name);
	to_router_peer(w, p);
}

/* Its table names the next node. */
static bool
site_by_table(struct walk *w, const struct topo_site *s)
{
	const struct topo_router_peer *p;
	const char *next;
	struct ipnet net;
	int node;

	if (!fc_layers_router_lookup(w->l, s->name, w->dst.addr, &net, &next))
		return false;
	if ((p = peer_named(s->peers, s->n_peers, next)) != NULL) {
		site_to_peer(w, p, net);
		return true;
	}
	if ((node = topo_find_node(w->t, next)) < 0)
		return false; /* its own announcement of something it does not have */
	if (w->t->nodes[node].kind == TOPO_NODE_MSEE)
		site_to_circuit(w, w->t->nodes[node].index, w->t->nodes[node].instance, net);
	else if (w->t->nodes[node].kind == TOPO_NODE_VPN_GATEWAY)
		site_to_vpn(w, w->t->nodes[node].index, w->t->nodes[node].instance, net);
	return true;
}

/* The site routes statically into the tunnels of connections without BGP, and into everything if
 * it is foreign software whose table we do not know. */
static bool
site_by_connection(struct walk *w, int site, bool with_bgp)
{
	struct ipnet net;

	for (size_t i = 0; i < w->t->n_gateways; i++) {
		const struct topo_gateway *g = &w->t->gateways[i];

		for (size_t j = 0; j < g->n_conns; j++) {
			const struct topo_gw_connection *c = &g->conns[j];

			if (g->type != GW_VPN || c->index != site || (c->bgp && !with_bgp) ||
			    fc_cover_gateway(w->l, (int)i, w->dst.addr, true, &net) < 0)
				continue;
			site_to_vpn(w, (int)i, g->active_active ? w->hash % 2 : 0, net);
			return true;
		}
	}
	return false;
}

static bool
site_by_circuit(struct walk *w, int site)
{
	struct ipnet net;
	bool native;

	for (size_t i = 0; i < w->t->n_circuits; i++) {
		if (w->t->circuits[i].site != site || circuit_gateway(w, (int)i, &net, &native) < 0)
			continue;
		site_to_circuit(w, (int)i, w->hash % 2, net);
		return true;
	}
	return false;
}

static bool
site_by_guess(struct walk *w, const struct topo_site *s)
{
	const struct topo_router_peer *p;
	struct ipnet net;

	if (site_by_circuit(w, w->index) || site_by_connection(w, w->index, true))
		return true;
	if ((p = guess_tunnel(w, s->peers, s->n_peers, &net)) == NULL)
		return false;
	site_to_peer(w, p, net);
	return true;
}

static void
step_site(struct walk *w)
{
	const struct topo_site *s = &w->t->sites[w->index];
	char buf[IPADDR_STRLEN];
	struct ipnet net;

	if (is_gone(w, s->name)) {
		finish(w, FC_BLACKHOLE, "%s is gone", s->name);
		return;
	}
	if (fc_cover_site(s, w->dst.addr, false, &net) >= 0) {
		deliver(w, FC_AT_SITE, w->index, s->name);
		return;
	}
	if (site_by_table(w, s) || site_by_connection(w, w->index, false) ||
	    (is_silent(w, s->name) && site_by_guess(w, s)))
		return;
	if (w->dst.internet && fc_cover_site(s, w->dst.addr, true, &net) >= 0)
		deliver(w, FC_AT_INTERNET, 0, "internet"); /* ER-22: it announced the way out */
	else
		finish(w, FC_BLACKHOLE, "%s has no route to %s", s->name,
		    ipaddr_format(buf, w->dst.addr));
}

/* ---- the walk ---- */

static void (*const steps[STAGE_COUNT])(struct walk *) = {
	[STAGE_NIC] = step_nic,
	[STAGE_ROUTER] = step_router,
	[STAGE_GATEWAY] = step_gateway,
	[STAGE_MSEE_UP] = step_msee_up,
	[STAGE_MSEE_DOWN] = step_msee_down,
	[STAGE_SITE] = step_site,
};

/* Not the same for both directions: return flows are hashed on their own (SC-C). */
static uint32_t
flow_hash(uint32_t src, uint32_t dst)
{
	uint32_t h = src * 0x9e3779b1u ^ (dst * 0x85ebca77u + 0x165667b1u);

	h ^= h >> 15;
	h *= 0x2c1b3c6du;
	h ^= h >> 13;
	return h;
}

static bool
been_here(struct walk *w)
{
	for (size_t i = 0; i < w->n_seen; i++)
		if (w->seen[i].stage == w->stage && w->seen[i].index == w->index)
			return true;
	if (w->n_seen == FC_TRACE_HOPS_MAX)
		return true;
	w->seen[w->n_seen].stage = w->stage;
	w->seen[w->n_seen++].index = w->index;
	return false;
}

static void
start(struct walk *w)
{
	const struct topo_nic *n;

	if (w->src.nic < 0) {
		go(w, STAGE_SITE, w->src.site);
		return;
	}
	n = &w->t->nics[w->src.nic];
	if (n->vm >= 0 && !w->t->vms[n->vm].running)
		finish(w, FC_BLACKHOLE, "%s is not running", n->name);
	go(w, n->nva >= 0 ? STAGE_ROUTER : STAGE_NIC, w->src.nic);
}

static void
report_loop(struct walk *w)
{
	const char *last = w->out->n_hops > 0 ? w->out->hops[w->out->n_hops - 1].rule : "";
	bool self = strcmp(last, "RS-64") == 0;

	if (w->stage == STAGE_NIC || w->stage == STAGE_ROUTER)
		finish(w, FC_LOOP, "%s gets the packet a second time%s", w->t->nics[w->index].name,
		    self ? ": its own route leads back to it" : "");
	else
		finish(w, FC_LOOP, "the packet is back where it was");
}

void
fc_trace_run(
    const struct fc_layers *l, struct fc_endpoint src, struct fc_endpoint dst, struct fc_trace *out)
{
	struct walk w = { .l = l,
		.t = l->topo,
		.src = src,
		.dst = dst,
		.out = out,
		.hash = flow_hash(src.addr, dst.addr) };

	FAB_ASSERT(fc_endpoint_is_source(&src));
	*out = (struct fc_trace){ .verdict = FC_BLACKHOLE };
	start(&w);
	while (!w.done) {
		if (been_here(&w))
			report_loop(&w);
		else
			steps[w.stage](&w);
	}
}
