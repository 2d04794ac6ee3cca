/*
 * Every BGP session of a topology (see fc_pairs.h), one function per kind of session.
 */
#include "fabricd/fc_pairs.h"

#include <string.h>

#define ER_PREMIUM_LIMIT 10000 /* ER-6 */
#define ER_DEFAULT_LIMIT 4000

struct walk {
	const struct topo *t;
	fc_pair_fn *fn;
	void *arg;
};

static const struct topo_node *
node_of(const struct topo *t, enum topo_node_kind kind, int index, unsigned instance)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct topo_node *n = &t->nodes[i];

		if (n->kind == kind && n->index == index && n->instance == instance)
			return n;
	}
	return NULL;
}

static void
emit(const struct walk *w, const struct fc_pair *p)
{
	w->fn(w->arg, p);
}

/* An end that is one of our nodes; resource and the rest are for the caller to fill in. */
static struct fc_end
end_of(const struct topo_node *node, enum wire_peer_role role, uint32_t asn, uint32_t address)
{
	return (struct fc_end){ .node = node,
		.name = node->name,
		.role = role,
		.asn = asn,
		.address = address,
		.resource = "",
		.alias = "" };
}

static const struct topo_route_map *
map_at(const struct walk *w, int index)
{
	return index < 0 ? NULL : &w->t->maps[index];
}

static void
swap_ends(struct fc_pair *p)
{
	struct fc_end e = p->dial;

	p->dial = p->listen;
	p->listen = e;
}

/* ---- Route Server ---- */

/* RS-30: one session to each instance. An NVA may be a peer of several Route Servers, also of VNets
 * that are only peered with its own (RS-38, MR-10, MR-11, MR-14). */
static void
rs_nva(const struct walk *w, int rs, const struct topo_rs_peer *peer, unsigned instance)
{
	const struct topo_route_server *s = &w->t->servers[rs];
	const struct topo_nva *nva = peer->nva < 0 ? NULL : &w->t->nvas[peer->nva];
	bool foreign = nva == NULL || nva->foreign;
	struct fc_pair p = {
		.dial = { .node = nva == NULL ? NULL : node_of(w->t, TOPO_NODE_NVA, peer->nva, 0),
		    .name = peer->name,
		    .role = WIRE_PEER_NVA,
		    .asn = peer->peer_asn,
		    .address = peer->peer_ip,
		    .resource = s->name,
		    .alias = "",
		    .policy = nva == NULL ? NULL : &nva->to_route_server },
		.listen = end_of(node_of(w->t, TOPO_NODE_ROUTE_SERVER, rs, instance),
		    WIRE_PEER_ROUTE_SERVER, TOPO_RSV_ASN, s->ip[instance]),
		.transport = foreign ? TOPO_TCP : peer->transport,
		.tcp = s->bgp_listen[instance],
		.tcp_source = peer->transport_address,
	};

	p.listen.max_prefixes = w->t->limits.routes_per_peer; /* RS-21 */
	p.listen.in_map = map_at(w, peer->in_map);
	p.listen.out_map = map_at(w, peer->out_map);
	if (foreign && p.tcp_source == 0)
		p.tcp_source = peer->peer_ip;
	if (foreign && peer->transport_port != 0) {
		swap_ends(&p);
		p.tcp = (struct topo_tcp){ p.tcp_source, peer->transport_port };
		p.tcp_source = s->bgp_listen[instance].addr;
	}
	emit(w, &p);
}

static enum topo_node_kind
gw_kind(const struct topo_gateway *g)
{
	return g->type == GW_VPN ? TOPO_NODE_VPN_GATEWAY : TOPO_NODE_ER_GATEWAY;
}

static struct fc_end
gw_end(const struct walk *w, int gw, unsigned instance, uint32_t asn)
{
	const struct topo_gateway *g = &w->t->gateways[gw];
	struct fc_end e = end_of(node_of(w->t, gw_kind(g), gw, instance),
	    g->type == GW_VPN ? WIRE_PEER_VPN_GATEWAY : WIRE_PEER_ER_GATEWAY, asn, g->ip[instance]);

	e.standby = g->type == GW_VPN && !g->active_active && instance == 1;
	return e;
}

bool
fc_gateway_has_server(const struct topo *t, int gateway)
{
	int rs = t->vnets[t->gateways[gateway].vnet].route_server;

	return rs >= 0 && (!t->quirks.b2b_makes_sessions || t->servers[rs].branch_to_branch);
}

/* B2B-4; up whatever branch-to-branch is, which gates only what is passed on (OPEN-11). */
static void
rs_gateway(const struct walk *w, int rs, int gw)
{
	const struct topo_route_server *s = &w->t->servers[rs];
	const struct topo_gateway *g = &w->t->gateways[gw];

	if (!fc_gateway_has_server(w->t, gw))
		return;
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned j = 0; j < 2; j++) {
			struct fc_pair p = {
				.dial = gw_end(w, gw, i, g->asn),
				.listen = end_of(node_of(w->t, TOPO_NODE_ROUTE_SERVER, rs, j),
				    WIRE_PEER_ROUTE_SERVER, TOPO_RSV_ASN, s->ip[j]),
			};

			p.dial.resource = s->name;
			p.listen.resource = g->name;
			emit(w, &p);
		}
	}
}

static void
rs_pairs(const struct walk *w, int rs)
{
	const struct topo_route_server *s = &w->t->servers[rs];
	const struct topo_vnet *v = &w->t->vnets[s->vnet];

	for (size_t i = 0; i < s->n_peers; i++) {
		rs_nva(w, rs, &s->peers[i], 0);
		rs_nva(w, rs, &s->peers[i], 1);
	}
	if (v->er_gateway >= 0)
		rs_gateway(w, rs, v->er_gateway);
	if (v->vpn_gateway >= 0)
		rs_gateway(w, rs, v->vpn_gateway);
}

/* ---- gateways ---- */

static void
gw_sibling(const struct walk *w, int gw)
{
	const struct topo_gateway *g = &w->t->gateways[gw];
	struct fc_pair p = { .dial = gw_end(w, gw, 0, g->asn), .listen = gw_end(w, gw, 1, g->asn) };

	p.dial.role = p.listen.role = WIRE_PEER_SIBLING;
	p.listen.standby = false; /* the standby lives by watching its sibling */
	emit(w, &p);
}

/* The address under which a gateway knows an MSEE of its nth circuit. .4/.5 is what labs show for
 * one circuit (ER-16); .6/.7 is left to a VPN gateway beside it (VPN-1), .12/.13 are the gateway's
 * own instances. */
static uint32_t
msee_neighbour(const struct topo_gateway *g, size_t conn, unsigned msee)
{
	static const uint8_t more[] = { 0, 4, 6 }; /* .4, .8, .10 */
	uint32_t offset =
	    conn < sizeof(more) ? more[conn] : 10 + 2 * (uint32_t)(conn - sizeof(more));

	return g->msee_ip[msee] + offset;
}

/* ER-16: each instance has a session to both MSEEs. */
static void
gw_circuit(const struct walk *w, int gw, size_t conn)
{
	const struct topo_gateway *g = &w->t->gateways[gw];
	const struct topo_gw_connection *c = &g->conns[conn];
	const char *circuit = w->t->circuits[c->index].name;

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned m = 0; m < 2; m++) {
			struct fc_pair p = {
				.dial = gw_end(w, gw, i, g->asn),
				.listen = end_of(node_of(w->t, TOPO_NODE_MSEE, c->index, m),
				    WIRE_PEER_MSEE, TOPO_MSEE_ASN, msee_neighbour(g, conn, m)),
			};

			p.dial.resource = circuit;
			p.dial.weight = c->routing_weight; /* ER-18 */
			p.dial.in_map = map_at(w, c->in_map);
			p.dial.out_map = map_at(w, c->out_map);
			p.listen.resource = g->name;
			emit(w, &p);
		}
	}
}

/* By VPN-5 the gateway dials; here the site does, as towards MSEEs. An active-standby gateway has
 * one BGP address, whichever instance holds it (VPN-1). */
static void
gw_site(const struct walk *w, int gw, size_t conn)
{
	const struct topo_gateway *g = &w->t->gateways[gw];
	const struct topo_gw_connection *c = &g->conns[conn];
	const struct topo_site *s = &w->t->sites[c->index];

	for (unsigned i = 0; i < 2 && c->bgp; i++) {
		struct fc_pair p = {
			.dial = end_of(node_of(w->t, TOPO_NODE_SITE, c->index, 0),
			    WIRE_PEER_CUSTOMER, s->asn, s->ip),
			.listen = gw_end(w, gw, i, g->asn),
			.transport = s->transport,
		};

		if (!g->active_active)
			p.listen.address = g->ip[0];
		p.tcp = (struct topo_tcp){ p.listen.address, TOPO_BGP_PORT };
		p.tcp_source = s->bgp_listen.addr;
		p.dial.resource = g->name;
		p.dial.alias = c->name;
		p.dial.policy = &s->policy;
		p.listen.resource = c->name;
		p.listen.weight = c->routing_weight;
		p.listen.max_prefixes = w->t->limits.vpn_routes_per_peer; /* VPN-7 */
		p.listen.in_map = map_at(w, c->in_map);
		p.listen.out_map = map_at(w, c->out_map);
		emit(w, &p);
	}
}

/* An end of a tunnel between two VPN gateways: to the other gateway it is what a site is. */
static struct fc_end
vnet_end(const struct walk *w, int gw, unsigned instance, const struct topo_gw_connection *c)
{
	const struct topo_gateway *g = &w->t->gateways[gw];
	struct fc_end e = gw_end(w, gw, instance, g->asn);

	e.role = WIRE_PEER_CUSTOMER;
	if (!g->active_active)
		e.address = g->ip[0]; /* VPN-1 */
	e.resource = c->name;
	e.weight = c->routing_weight;
	e.max_prefixes = w->t->limits.vpn_routes_per_peer; /* VPN-7 */
	e.own_only = w->t->quirks.vnet2vnet_own_only;      /* OPEN-13 */
	return e;
}

/* VPN-13: each instance has a session to both of the other gateway. Told once, by the first. */
static void
gw_gateway(const struct walk *w, int gw, const struct topo_gw_connection *c)
{
	const struct topo_gw_connection *back =
	    c->back < 0 ? NULL : &w->t->gateways[c->gateway].conns[c->back];

	if (back == NULL || !c->bgp || !back->bgp || gw >= c->gateway)
		return;
	for (unsigned i = 0; i < 4; i++) {
		const struct fc_pair p = { .dial = vnet_end(w, gw, i / 2, c),
			.listen = vnet_end(w, c->gateway, i % 2, back) };

		emit(w, &p);
	}
}

static void
gw_pairs(const struct walk *w, int gw)
{
	const struct topo_gateway *g = &w->t->gateways[gw];

	gw_sibling(w, gw);
	for (size_t i = 0; i < g->n_conns; i++) {
		if (g->type == GW_EXPRESS_ROUTE)
			gw_circuit(w, gw, i);
		else if (g->conns[i].gateway >= 0)
			gw_gateway(w, gw, &g->conns[i]);
		else
			gw_site(w, gw, i);
	}
}

/* ---- circuits and routers ---- */

/* ER-6; a premium circuit has the higher default. */
static uint32_t
customer_limit(const struct topo *t, const struct topo_circuit *c)
{
	if (c->premium && t->limits.er_prefixes_in == ER_DEFAULT_LIMIT)
		return ER_PREMIUM_LIMIT;
	return t->limits.er_prefixes_in;
}

/* ER-1: one session per /30. */
static void
circuit_pairs(const struct walk *w, int circuit)
{
	const struct topo_circuit *c = &w->t->circuits[circuit];
	const struct topo_site *s = c->site < 0 ? NULL : &w->t->sites[c->site];

	for (unsigned m = 0; m < 2 && s != NULL; m++) {
		struct fc_pair p = {
			.dial = end_of(node_of(w->t, TOPO_NODE_SITE, c->site, 0),
			    WIRE_PEER_CUSTOMER, s->asn, c->site_ip[m]),
			.listen = end_of(node_of(w->t, TOPO_NODE_MSEE, circuit, m), WIRE_PEER_MSEE,
			    TOPO_MSEE_ASN, c->msee_ip[m]),
			.transport = s->transport,
			.tcp = { c->msee_ip[m], TOPO_BGP_PORT },
			.tcp_source = s->bgp_listen.addr,
		};

		p.dial.resource = c->name;
		p.dial.policy = &s->policy;
		p.listen.resource = c->name;
		p.listen.max_prefixes = customer_limit(w->t, c);
		emit(w, &p);
	}
}

static struct fc_end
router_end(const struct walk *w, bool is_site, int index)
{
	if (is_site)
		return end_of(node_of(w->t, TOPO_NODE_SITE, index, 0), WIRE_PEER_ROUTER,
		    w->t->sites[index].asn, w->t->sites[index].ip);
	return end_of(node_of(w->t, TOPO_NODE_NVA, index, 0), WIRE_PEER_ROUTER,
	    w->t->nvas[index].asn, w->t->nvas[index].ip);
}

/* The entry of the other end about this one: both ends list the session. */
static const struct topo_router_peer *
reverse_entry(const struct topo *t, const struct topo_router_peer *rp, bool is_site, int index)
{
	const struct topo_router_peer *v =
	    rp->is_site ? t->sites[rp->index].peers : t->nvas[rp->index].peers;
	size_t n = rp->is_site ? t->sites[rp->index].n_peers : t->nvas[rp->index].n_peers;

	for (size_t i = 0; i < n; i++)
		if (v[i].is_site == is_site && v[i].index == index)
			return &v[i];
	return NULL;
}

/* Where a router listens, or really comes from, by TCP: its bgp_listen. */
static struct topo_tcp
router_tcp(const struct topo *t, const struct fc_end *e)
{
	return e->node->kind == TOPO_NODE_SITE ? t->sites[e->node->index].bgp_listen
					       : t->nvas[e->node->index].bgp_listen;
}

static void
router_pairs(
    const struct walk *w, bool is_site, int index, const struct topo_router_peer *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct topo_router_peer *back = reverse_entry(w->t, &v[i], is_site, index);
		struct fc_pair p = {
			.dial = router_end(w, is_site, index),
			.listen = router_end(w, v[i].is_site, v[i].index),
			.transport = v[i].transport,
			.tunnel = v[i].tunnel,
		};

		/* Told once, by the end that dials. */
		if (strcmp(p.dial.name, p.listen.name) >= 0)
			continue;
		p.dial.policy = &v[i].policy;
		p.listen.policy = back == NULL ? NULL : &back->policy;
		p.tcp = router_tcp(w->t, &p.listen);
		if (p.tcp.port == 0)
			p.tcp = (struct topo_tcp){ p.listen.address, TOPO_BGP_PORT };
		p.tcp_source = router_tcp(w->t, &p.dial).addr;
		emit(w, &p);
	}
}

void
fc_pairs_each(const struct topo *t, fc_pair_fn *fn, void *arg)
{
	const struct walk w = { .t = t, .fn = fn, .arg = arg };

	for (size_t i = 0; i < t->n_servers; i++)
		rs_pairs(&w, (int)i);
	for (size_t i = 0; i < t->n_gateways; i++)
		gw_pairs(&w, (int)i);
	for (size_t i = 0; i < t->n_circuits; i++)
		circuit_pairs(&w, (int)i);
	for (size_t i = 0; i < t->n_nvas; i++)
		router_pairs(&w, false, (int)i, t->nvas[i].peers, t->nvas[i].n_peers);
	for (size_t i = 0; i < t->n_sites; i++)
		router_pairs(&w, true, (int)i, t->sites[i].peers, t->sites[i].n_peers);
}

const char *
fc_node_resource(const struct topo *t, const struct topo_node *n)
{
	switch (n->kind) {
	case TOPO_NODE_ROUTE_SERVER:
		return t->servers[n->index].name;
	case TOPO_NODE_ER_GATEWAY:
	case TOPO_NODE_VPN_GATEWAY:
		return t->gateways[n->index].name;
	case TOPO_NODE_MSEE:
		return t->circuits[n->index].name;
	case TOPO_NODE_NVA:
	case TOPO_NODE_SITE:
		break;
	}
	return n->name;
}

bool
fc_end_named(const struct topo *t, const struct fc_end *e, const char *name)
{
	return strcmp(e->name, name) == 0 ||
	       (e->node != NULL && strcmp(fc_node_resource(t, e->node), name) == 0);
}
