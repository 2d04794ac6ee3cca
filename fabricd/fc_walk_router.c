/*
 * Steps of a trace outside Azure's own routing: inside NVAs, at MSEEs and at sites. Where a router
 * reports its table, that decides; for foreign software what lies behind its tunnels is guessed
 * from the topology.
 */
#include "fabricd/fc_cover.h"
#include "fabricd/fc_walk.h"

#include <stdio.h>
#include <string.h>

/* Neither a table of its own nor news that it went away: foreign software. */
static bool
is_silent(const struct fc_walk *w, const char *node)
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
cover_peer(const struct fc_walk *w, const struct topo_router_peer *p, struct ipnet *net)
{
	int vnet, scope;

	if (fc_walk_is_dead(w, p->name))
		return -1;
	if (p->is_site)
		return fc_cover_site(&w->t->sites[p->index], w->dst.addr, false, net);
	vnet = w->t->nvas[p->index].vnet;
	scope = fc_scope_of(w->t, vnet);
	return fc_cover_region(w->t, scope >= 0 ? scope : vnet, w->dst.addr, net);
}

static const struct topo_router_peer *
guess_tunnel(
    const struct fc_walk *w, const struct topo_router_peer *peers, size_t n, struct ipnet *net)
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
to_router_peer(struct fc_walk *w, const struct topo_router_peer *p)
{
	const struct topo *t = w->t;

	if (p->is_site) {
		fc_walk_go(w, FC_STAGE_SITE, p->index);
		return;
	}
	for (size_t i = 0; i < t->n_nics; i++) {
		if (t->nics[i].nva == p->index) {
			fc_walk_go(w, FC_STAGE_ROUTER, (int)i);
			return;
		}
	}
	fc_walk_finish(w, FC_BLACKHOLE, "%s has no NIC", p->name);
}

/* It ends the client's tunnel; its NIC's routes do not see that. */
static bool
to_client(struct fc_walk *w, const struct topo_nva *nva)
{
	int i = topo_find_client_by_ip(w->t, w->dst.addr);

	if (i < 0 || w->t->clients[i].nva != (int)(nva - w->t->nvas))
		return false;
	fc_walk_hop_to(w, FC_AT_NIC, w->index, nva->name, "SC-D", (struct ipnet){ w->dst.addr, 32 },
	    "client", w->t->clients[i].name);
	return fc_walk_to_client(w, -1, w->t->clients[i].nva);
}

static void
step_nva(struct fc_walk *w, const struct topo_nva *nva)
{
	const struct topo_router_peer *p = NULL;
	const char *next;
	struct ipnet net;

	if (fc_walk_is_dead(w, nva->name)) {
		fc_walk_finish(
		    w, FC_BLACKHOLE, "%s is gone and still the next hop (RS-91)", nva->name);
		return;
	}
	if (to_client(w, nva))
		return;
	if (w->dst.addr == IPADDR_PLATFORM)
		p = NULL; /* every guest has a route of its own to there */
	else if (is_silent(w, nva->name))
		p = guess_tunnel(w, nva->peers, nva->n_peers, &net);
	else if (fc_layers_router_lookup(w->l, nva->name, w->dst.addr, &net, &next))
		p = peer_named(nva->peers, nva->n_peers, next);
	if (p == NULL || !p->tunnel) { /* MR-5, MR-7, RS-81: out of the NIC, whose table decides */
		fc_walk_translate(w, nva->snat, nva->ip, (struct fc_translator){ w->index, -1 });
		fc_walk_go(w, FC_STAGE_NIC, w->index);
		return;
	}
	fc_walk_hop_to(w, FC_AT_NIC, w->index, nva->name, "MR-6", net, "tunnel", p->name);
	to_router_peer(w, p);
}

void
fc_walk_router(struct fc_walk *w)
{
	const struct topo_nic *n = &w->t->nics[w->index];
	struct ipnet net;

	if (n->ip == w->dst.addr ||
	    (n->nva >= 0 && topo_find_client_by_ip(w->t, w->dst.addr) < 0 &&
		fc_cover_nets(&w->t->nvas[n->nva].owns, w->dst.addr, &net) >= 0))
		fc_walk_deliver(w, FC_AT_NIC, w->index, n->name);
	else if (n->nva >= 0)
		step_nva(w, &w->t->nvas[n->nva]);
	else
		fc_walk_go(w, FC_STAGE_NIC, w->index);
}

/* The circuit's gateway that leads to the destination: the one that has it natively before one
 * that carries it for others (SC-G: the shorter path, ER-13). */
static int
circuit_gateway(const struct fc_walk *w, int circuit, struct ipnet *net, bool *native)
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

unsigned
fc_walk_gateway_instance(const struct fc_walk *w, int gw, const char *peer)
{
	const struct fc_layer_faults *fs = &w->l->faults;
	unsigned taken = (unsigned)fc_walk_choose(w, 2);

	if (fs->session_is_down != NULL &&
	    fs->session_is_down(fs->ctx, peer, fc_walk_gateway_name(w->t, gw, taken)) &&
	    !fs->session_is_down(fs->ctx, peer, fc_walk_gateway_name(w->t, gw, 1 - taken)))
		return 1 - taken;
	return taken;
}

static void
msee_to_gateway(struct fc_walk *w, int gw, struct ipnet net, bool native)
{
	const char *msee = fc_walk_node_name(w->t, TOPO_NODE_MSEE, w->index, w->instance);

	w->instance = fc_walk_gateway_instance(w, gw, msee);
	fc_walk_hop_to(w, FC_AT_MSEE, w->index, msee, native ? "ER-10" : "B2B-2", net, "gateway",
	    fc_walk_gateway_name(w->t, gw, w->instance));
	fc_walk_go(w, FC_STAGE_GATEWAY, gw);
}

void
fc_walk_msee_up(struct fc_walk *w)
{
	struct ipnet net;
	bool native;
	int gw = circuit_gateway(w, w->index, &net, &native);

	if (gw >= 0)
		msee_to_gateway(w, gw, net, native);
	else
		fc_walk_finish(w, FC_BLACKHOLE, "no gateway of %s announces it (ER-12)",
		    w->t->circuits[w->index].name);
}

void
fc_walk_msee_down(struct fc_walk *w)
{
	const struct topo_circuit *c = &w->t->circuits[w->index];
	struct ipnet net, of_gateway;
	int len = fc_cover_site(&w->t->sites[c->site], w->dst.addr, true, &net);
	bool native = false;
	int gw = circuit_gateway(w, w->index, &of_gateway, &native);

	if (gw >= 0 && native && of_gateway.len > len) { /* ER-30 */
		msee_to_gateway(w, gw, of_gateway, true);
	} else if (len >= 0) {
		fc_walk_hop_to(w, FC_AT_MSEE, w->index,
		    fc_walk_node_name(w->t, TOPO_NODE_MSEE, w->index, w->instance), "ER-1", net,
		    "site", w->t->sites[c->site].name);
		fc_walk_go(w, FC_STAGE_SITE, c->site);
	} else {
		fc_walk_finish(w, FC_BLACKHOLE, "%s does not announce it on %s",
		    w->t->sites[c->site].name, c->name);
	}
}

/* ---- sites ---- */

static void
site_to_circuit(struct fc_walk *w, int circuit, unsigned instance, struct ipnet net)
{
	fc_walk_hop_to(w, FC_AT_SITE, w->index, w->t->sites[w->index].name, "ER-10", net, "via",
	    fc_walk_node_name(w->t, TOPO_NODE_MSEE, circuit, instance));
	w->instance = instance;
	fc_walk_go(w, FC_STAGE_MSEE_UP, circuit);
}

static void
site_to_vpn(struct fc_walk *w, int gw, unsigned instance, struct ipnet net)
{
	fc_walk_hop_to(w, FC_AT_SITE, w->index, w->t->sites[w->index].name, "VPN-8", net, "via",
	    fc_walk_gateway_name(w->t, gw, instance));
	w->instance = instance;
	fc_walk_go(w, FC_STAGE_GATEWAY, gw);
}

static void
site_to_peer(struct fc_walk *w, const struct topo_router_peer *p, struct ipnet net)
{
	fc_walk_hop_to(
	    w, FC_AT_SITE, w->index, w->t->sites[w->index].name, "MR-6", net, "tunnel", p->name);
	to_router_peer(w, p);
}

/* Its table names the next node. */
static bool
site_by_table(struct fc_walk *w, const struct topo_site *s)
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
site_by_connection(struct fc_walk *w, int site, bool with_bgp)
{
	struct ipnet net;

	for (size_t i = 0; i < w->t->n_gateways; i++) {
		const struct topo_gateway *g = &w->t->gateways[i];

		for (size_t j = 0; j < g->n_conns; j++) {
			const struct topo_gw_connection *c = &g->conns[j];

			if (g->type != GW_VPN || c->index != site || (c->bgp && !with_bgp) ||
			    fc_cover_gateway(w->l, (int)i, w->dst.addr, true, &net) < 0)
				continue;
			site_to_vpn(
			    w, (int)i, g->active_active ? (unsigned)fc_walk_choose(w, 2) : 0, net);
			return true;
		}
	}
	return false;
}

static bool
site_by_circuit(struct fc_walk *w, int site)
{
	struct ipnet net;
	bool native;

	for (size_t i = 0; i < w->t->n_circuits; i++) {
		if (w->t->circuits[i].site != site || circuit_gateway(w, (int)i, &net, &native) < 0)
			continue;
		site_to_circuit(w, (int)i, (unsigned)fc_walk_choose(w, 2), net);
		return true;
	}
	return false;
}

static bool
site_by_guess(struct fc_walk *w, const struct topo_site *s)
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

/* By a way of its own, perhaps one that it announced (ER-22). */
static void
site_to_internet(struct fc_walk *w, const struct topo_site *s)
{
	struct fc_trace_hop *h;

	fc_walk_translate(w, s->snat, s->ip, (struct fc_translator){ -1, w->index });
	h = fc_walk_hop(w, FC_AT_SITE, w->index, s->name, "ER-22");
	snprintf(h->route, sizeof(h->route), "0.0.0.0/0 Internet");
	fc_walk_to_internet(w, s->name, s->ip, s->public_ip);
}

void
fc_walk_site(struct fc_walk *w)
{
	const struct topo_site *s = &w->t->sites[w->index];
	char buf[IPADDR_STRLEN];
	struct ipnet net;

	if (fc_walk_is_dead(w, s->name)) {
		fc_walk_finish(w, FC_BLACKHOLE, "%s is gone", s->name);
		return;
	}
	if (fc_cover_site(s, w->dst.addr, false, &net) >= 0) {
		fc_walk_deliver(w, FC_AT_SITE, w->index, s->name);
		return;
	}
	if (site_by_table(w, s) || site_by_connection(w, w->index, false) ||
	    (is_silent(w, s->name) && site_by_guess(w, s)))
		return;
	if (w->dst.internet &&
	    (fc_cover_site(s, w->dst.addr, true, &net) >= 0 || s->public_ip != 0))
		site_to_internet(w, s);
	else
		fc_walk_finish(w, FC_BLACKHOLE, "%s has no route to %s", s->name,
		    ipaddr_format(buf, w->dst.addr));
}
