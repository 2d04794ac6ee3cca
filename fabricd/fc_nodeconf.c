/*
 * Node configurations (see fc_nodeconf.h): what a node is, its peers (the ends of fc_pairs that are
 * its own), what it originates, and the section of its kind.
 *
 * The error is sticky (fc_mem): after a failed allocation the functions go on with less and
 * fc_nodeconf_new() throws the result away.
 */
#include "fabricd/fc_nodeconf.h"

#include "fabricd/fc_pairs.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

#define MSEE_HOLD_MIN_MS         10000 /* ER-3 */
#define MSEE_MAINTENANCE_PREPEND 3     /* ER-9; longer than any difference among its gateways */

struct build {
	const struct topo *t;
	const struct topo_node *node;
	const struct fc_urls *urls;
	struct fc_nodeconf *nc;
	const char **alias; /* of each peer: fc_end.alias of the own end */
	size_t peers_room;
};

static const char *
node_url(struct build *b, const char *template, const char *name)
{
	char buf[FC_URL_MAX];
	int err = fc_url_format(buf, template, name);

	if (err == FAB_OK)
		return fc_mem_format(&b->nc->mem, "%s", buf);
	b->nc->mem.err = err;
	return "";
}

static struct wire_nets
nets(const struct topo_nets *n)
{
	return (struct wire_nets){ n->v, n->n };
}

/* ---- peers ---- */

static struct wire_rules
rules(struct build *b, const struct topo_prefix_rule *v, size_t n)
{
	struct wire_prefix_rule *out = fc_mem_take(&b->nc->mem, n, sizeof(*out));

	for (size_t i = 0; i < n && out != NULL; i++) {
		bool exact = v[i].ge == 0 && v[i].le == 0;

		out[i] = (struct wire_prefix_rule){
			.prefix = v[i].prefix,
			.ge = v[i].ge != 0 ? v[i].ge : v[i].prefix.len,
			.le = v[i].le != 0 ? v[i].le
			      : exact      ? v[i].prefix.len
					   : 32,
			.deny = v[i].deny,
		};
	}
	return (struct wire_rules){ out, out == NULL ? 0 : n };
}

/* MR-3, MR-4. */
static struct wire_policy
policy(struct build *b, const struct topo_policy *p)
{
	if (p == NULL)
		return (struct wire_policy){ 0 };
	return (struct wire_policy){
		.as_override = p->as_override,
		.default_originate = p->default_originate,
		.next_hop_unchanged = p->next_hop_unchanged,
		.prepend = p->prepend,
		.strip_as = { p->strip_as, p->n_strip_as },
		.add_communities = { p->communities, p->n_communities },
		.export_rules = rules(b, p->export_rules, p->n_export),
		.import_rules = rules(b, p->import_rules, p->n_import),
	};
}

static void
listen_tcp(struct build *b, struct topo_tcp at)
{
	struct wire_conf *c = &b->nc->conf;

	for (size_t i = 0; i < c->n_listen; i++)
		if (c->listen[i].addr == at.addr && c->listen[i].port == at.port)
			return;
	/* One address per node: the instance's bgp_listen, or port 179 of the Azure address. */
	if (at.port == 0 || (c->listen == NULL && (c->listen = fc_mem_take(&b->nc->mem, 1,
						       sizeof(*c->listen))) == NULL))
		return;
	c->listen[0] = (struct wire_tcp){ at.addr, at.port };
	c->n_listen = 1;
}

static bool
is_nva(const struct fc_end *e)
{
	return e->node != NULL && e->node->kind == TOPO_NODE_NVA;
}

/* The node's copy of a map, numbered by the order in which its peers name them; NULL: none. */
static const struct route_map *
map_of(struct build *b, const struct topo_route_map *m)
{
	struct wire_conf *c = &b->nc->conf;

	if (m == NULL || c->maps == NULL)
		return NULL;
	for (size_t i = 0; i < c->n_maps; i++)
		if (c->maps[i].rules == m->map.rules && strcmp(c->maps[i].name, m->name) == 0)
			return &c->maps[i];
	c->maps[c->n_maps] = m->map;
	return &c->maps[c->n_maps++];
}

/* What the platform adds to a session of this node: delays (ER-5, TIME-20), timers (VPN-4, ER-3),
 * BFD (ER-4). */
static void
peer_timing(struct build *b, struct wire_peer *out, const struct fc_end *other, bool tcp)
{
	const struct topo_timing *tm = &b->t->timing;
	enum topo_node_kind kind = b->node->kind;
	const struct topo_node *msee = kind == TOPO_NODE_MSEE ? b->node : other->node;
	bool gateway = kind == TOPO_NODE_ER_GATEWAY || kind == TOPO_NODE_VPN_GATEWAY;

	if ((gateway && other->role == WIRE_PEER_ROUTE_SERVER) ||
	    (kind == TOPO_NODE_ROUTE_SERVER && other->role != WIRE_PEER_NVA))
		out->delay = tm->delays.ibgp;
	if (kind == TOPO_NODE_ER_GATEWAY && other->role == WIRE_PEER_MSEE) {
		out->delay = tm->delays.er_reconvergence;
		out->delay_losses = true;
	}
	out->own_timers = kind == TOPO_NODE_VPN_GATEWAY && other->role == WIRE_PEER_CUSTOMER;
	if (kind == TOPO_NODE_MSEE && other->role == WIRE_PEER_CUSTOMER)
		out->min_hold_ms = tm->hold_ms < MSEE_HOLD_MIN_MS ? tm->hold_ms : MSEE_HOLD_MIN_MS;
	/* Foreign software may have a BFD of its own; ours is in our sessions. */
	if (!tcp && msee != NULL && msee->kind == TOPO_NODE_MSEE &&
	    (other->role == WIRE_PEER_CUSTOMER || kind == TOPO_NODE_SITE) &&
	    b->t->circuits[msee->index].bfd)
		out->bfd_ms = tm->bfd_ms;
}

/* RS-11: one end is a gateway that is interrupted, the other one is not in its VNet. */
static bool
interrupted(const struct build *b, const struct fc_end *me, const struct fc_end *other)
{
	const struct fc_end *ends[2] = { me, other };

	for (int i = 0; i < 2; i++) {
		const struct topo_node *n = ends[i]->node, *far = ends[1 - i]->node;

		if (n != NULL && far != NULL &&
		    (n->kind == TOPO_NODE_ER_GATEWAY || n->kind == TOPO_NODE_VPN_GATEWAY) &&
		    (far->kind == TOPO_NODE_MSEE || far->kind == TOPO_NODE_SITE ||
			(far->kind == TOPO_NODE_VPN_GATEWAY && far->index != n->index)) &&
		    b->t->gateways[n->index].interrupted)
			return true;
	}
	return false;
}

static void
peer_fill(struct build *b, struct wire_peer *out, const struct fc_pair *p, bool dials)
{
	const struct fc_end *me = dials ? &p->dial : &p->listen;
	const struct fc_end *other = dials ? &p->listen : &p->dial;
	bool tcp = p->transport == TOPO_TCP;

	*out = (struct wire_peer){
		.name = other->name,
		.role = other->role,
		.asn = other->asn,
		.address = other->address,
		.local_address = me->address,
		.tcp = tcp,
		.tunnel = p->tunnel && is_nva(me) && is_nva(other), /* others are the switch's */
		.no_export_of_learned = me->own_only,
		.passive = !dials,
		.optional = me->standby || other->standby,
		.shut = interrupted(b, me, other),
		.url = dials && !tcp ? node_url(b, b->urls->bgp, other->name) : "",
		.source_address = tcp ? p->tcp_source : 0,
		.max_prefixes = me->max_prefixes,
		.keepalive_ms = b->nc->keepalive_ms,
		.hold_ms = b->nc->hold_ms,
		.weight = me->weight,
		.resource = me->resource,
		.policy = policy(b, me->policy),
		.in_map = map_of(b, me->in_map),
		.out_map = map_of(b, me->out_map),
	};
	if (out->out_map != NULL)
		out->out_map_number = (uint32_t)(out->out_map - b->nc->conf.maps) + 1;
	peer_timing(b, out, other, tcp);
	if (tcp && dials)
		out->dial = (struct wire_tcp){ p->tcp.addr, p->tcp.port };
	if (tcp && !dials)
		listen_tcp(b, p->tcp);
}

static void
count_own(void *arg, const struct fc_pair *p)
{
	struct build *b = arg;

	b->peers_room += (p->dial.node == b->node) + (p->listen.node == b->node);
}

static void
add_own(void *arg, const struct fc_pair *p)
{
	struct build *b = arg;
	struct wire_conf *c = &b->nc->conf;

	if (b->nc->mem.err != FAB_OK)
		return;
	if (p->dial.node == b->node) {
		b->alias[c->n_peers] = p->dial.alias;
		peer_fill(b, &c->peers[c->n_peers++], p, true);
	}
	if (p->listen.node == b->node) {
		b->alias[c->n_peers] = p->listen.alias;
		peer_fill(b, &c->peers[c->n_peers++], p, false);
	}
}

/* ---- originations of NVAs and sites ---- */

/* `to` of an advert (nvad compares names and resources of peers): a connection's name becomes the
 * names of its peers, other words stay. One that nobody has matches nobody, rather than everybody.
 */
static void
resolve_to(struct build *b, struct wire_originate *o, const struct topo_advert *a)
{
	const struct wire_conf *c = &b->nc->conf;

	if ((o->to = fc_mem_take(&b->nc->mem, a->n_to * (c->n_peers + 1), sizeof(*o->to))) == NULL)
		return;
	for (size_t i = 0; i < a->n_to; i++) {
		size_t before = o->n_to;

		for (size_t k = 0; k < c->n_peers; k++)
			if (strcmp(a->to[i], b->alias[k]) == 0 &&
			    strcmp(a->to[i], c->peers[k].resource) != 0)
				o->to[o->n_to++] = c->peers[k].name;
		if (o->n_to == before)
			o->to[o->n_to++] = a->to[i];
	}
}

static void
adverts(struct build *b, const struct topo_advert *v, size_t n)
{
	struct wire_conf *c = &b->nc->conf;

	if ((c->originate = fc_mem_take(&b->nc->mem, n, sizeof(*c->originate))) == NULL)
		return;
	c->n_originate = n;
	for (size_t i = 0; i < n; i++) {
		c->originate[i] = (struct wire_originate){
			.prefix = v[i].prefix,
			.prepend = v[i].prepend,
			.communities = { v[i].communities, v[i].n_communities },
			.large = { v[i].large, 3 * v[i].n_large },
			.next_hop = v[i].next_hop, /* RS-56 */
			.has_med = v[i].has_med,
			.med = v[i].med,
		};
		resolve_to(b, &c->originate[i], &v[i]);
	}
}

/* ---- sections ---- */

/* A VNet whose prefixes gateways and Route Server of `hub` announce: AGT here, URG there (RS-71,
 * RS-76, PEER-8, OPEN-12). */
static bool
uses_gateways_of(const struct topo *t, const struct topo_peering *p)
{
	return p->allow_gateway_transit && p->reverse >= 0 &&
	       t->peerings[p->reverse].use_remote_gateways;
}

enum spokes { USES_GATEWAYS, USES_NONE, ANY };

/* Prefixes of the VNets connected to vnet: those that use its gateways, or those that do not. One
 * peering away and no further: what is behind a spoke an NVA has to announce (ER-10, MR-13). */
static struct wire_nets
peered_nets(struct build *b, int vnet, enum spokes spokes)
{
	const struct topo *t = b->t;
	struct wire_nets out = { 0 };
	size_t n = 0;

	for (int fill = 0; fill < 2; fill++) {
		for (size_t i = 0; i < t->n_peerings; i++) {
			const struct topo_peering *p = &t->peerings[i];
			const struct topo_nets *space = &p->space; /* RS-97, PEER-4 */

			if (p->vnet != vnet || p->state != PEERING_CONNECTED ||
			    (spokes != ANY && uses_gateways_of(t, p) != (spokes == USES_GATEWAYS)))
				continue;
			if (!fill)
				n += space->n;
			else
				memcpy(&out.v[out.n], space->v, space->n * sizeof(*space->v));
			out.n += fill ? space->n : 0;
		}
		if (!fill && (out.v = fc_mem_take(&b->nc->mem, n, sizeof(*out.v))) == NULL)
			break;
	}
	return out;
}

static void
route_server(struct build *b)
{
	const struct topo_route_server *s = &b->t->servers[b->node->index];
	struct wire_conf *c = &b->nc->conf;
	struct wire_rs_conf *rs = fc_mem_take(&b->nc->mem, 1, sizeof(*rs));

	c->asn = TOPO_RSV_ASN;                                /* RS-1 */
	c->router_id = c->address = s->ip[b->node->instance]; /* RS-2 */
	listen_tcp(b, s->bgp_listen[b->node->instance]);
	if ((c->rs = rs) == NULL)
		return;
	*rs = (struct wire_rs_conf){
		.vnet = nets(&b->t->vnets[s->vnet].space),        /* RS-70, RS-75 */
		.spokes = peered_nets(b, s->vnet, USES_GATEWAYS), /* RS-71 */
		.branch_to_branch = s->branch_to_branch,
		.hub_routing_preference = s->hub_routing_preference,
		.max_next_hops = b->t->limits.next_hops,        /* RS-27 */
		.max_prefixes_total = b->t->limits.rs_prefixes, /* RS-25 */
		.anti_flap_ms = b->t->timing.delays.anti_flap.max_ms,
		.no_export_passes = b->t->quirks.no_export_passes, /* OPEN-18 */
		.lists_covered = b->t->quirks.lists_covered,       /* OPEN-5 */
		.sibling = "",
		.resource = s->name,
	};
	for (size_t i = 0; i < b->t->n_nodes; i++) {
		const struct topo_node *n = &b->t->nodes[i];

		if (n->kind == b->node->kind && n->index == b->node->index && n != b->node)
			rs->sibling = n->name;
	}
}

/* VPN-6: prefixes of the local network gateway, with or without BGP. */
static void
static_connections(struct build *b, struct wire_gw_conf *gw, const struct topo_gateway *g)
{
	if ((gw->statics = fc_mem_take(&b->nc->mem, g->n_conns, sizeof(*gw->statics))) == NULL)
		return;
	for (size_t i = 0; i < g->n_conns; i++) {
		const struct topo_gw_connection *k = &g->conns[i];

		if (k->prefixes.n > 0)
			gw->statics[gw->n_statics++] = (struct wire_static){ .name = k->name,
				.prefixes = nets(&k->prefixes),
				.weight = k->routing_weight,
				.up = true, /* VPN-21: routes stay whatever the tunnel does */
				.in_map =
				    map_of(b, k->in_map < 0 ? NULL : &b->t->maps[k->in_map]) };
	}
}

static void
circuit_connections(struct build *b, struct wire_gw_conf *gw, const struct topo_gateway *g)
{
	if ((gw->circuits = fc_mem_take(&b->nc->mem, g->n_conns, sizeof(*gw->circuits))) == NULL)
		return;
	for (size_t i = 0; i < g->n_conns; i++) {
		const struct topo_circuit *c = &b->t->circuits[g->conns[i].index];
		uint32_t *hops = fc_mem_take(&b->nc->mem, 2, sizeof(*hops));

		if (hops == NULL)
			return;
		memcpy(hops, c->nic_next_hop, sizeof(c->nic_next_hop)); /* ER-19 */
		gw->circuits[gw->n_circuits++] = (struct wire_circuit){ .name = c->name,
			.weight = g->conns[i].routing_weight,
			.next_hops = { hops, 2 } };
	}
}

static void
gateway(struct build *b)
{
	const struct topo_gateway *g = &b->t->gateways[b->node->index];
	const struct topo_vnet *v = &b->t->vnets[g->vnet];
	struct wire_conf *c = &b->nc->conf;
	struct wire_gw_conf *gw = fc_mem_take(&b->nc->mem, 1, sizeof(*gw));

	c->asn = g->asn;
	c->router_id = c->address = g->ip[b->node->instance];
	if ((c->gw = gw) == NULL)
		return;
	*gw = (struct wire_gw_conf){
		.vnet = nets(&v->space), /* ER-10, VPN-8 */
		.spokes = peered_nets(b, g->vnet,
		    b->t->quirks.announces_all_spokes ? ANY : USES_GATEWAYS), /* OPEN-12 */
		.ignored = peered_nets(b, g->vnet, USES_NONE),                /* VPN-10 */
		.p2s = nets(&g->p2s_pools),
		.active_active = g->type == GW_EXPRESS_ROUTE || g->active_active,
		.has_route_server = fc_gateway_has_server(b->t, b->node->index),
		.standby = g->type == GW_VPN && !g->active_active && b->node->instance == 1,
		.resource = g->name,
		.max_prefixes_out = g->type == GW_EXPRESS_ROUTE ? b->t->limits.er_prefixes_out : 0,
		.sibling_address = g->ip[1 - b->node->instance],
		.public_address = g->public_ip,               /* VPN-14 */
		.failover = b->t->timing.delays.vpn_failover, /* VPN-17 */
		.failover_planned = b->t->timing.delays.vpn_failover_planned,
	};
	if (g->type == GW_EXPRESS_ROUTE)
		gw->summaries = nets(&v->summaries); /* ER-14 */
	if (g->type == GW_VPN)
		static_connections(b, gw, g);
	else
		circuit_connections(b, gw, g);
}

static void
msee(struct build *b)
{
	const struct topo_circuit *k = &b->t->circuits[b->node->index];
	struct wire_conf *c = &b->nc->conf;
	struct wire_msee_conf *m = fc_mem_take(&b->nc->mem, 1, sizeof(*m));

	c->asn = TOPO_MSEE_ASN;
	c->router_id = c->address = k->msee_ip[b->node->instance];
	if ((c->msee = m) == NULL)
		return;
	*m = (struct wire_msee_conf){
		.circuit = k->name,
		.secondary = b->node->instance == 1,
		.max_gateway_prefixes = b->t->limits.er_prefixes_out, /* ER-21 */
		.nic_next_hop = k->nic_next_hop[b->node->instance],
		.prepend = k->maintenance == (int)b->node->instance ? MSEE_MAINTENANCE_PREPEND : 0,
		.strips_public = b->t->quirks.strips_public, /* OPEN-17 */
	};
	for (size_t i = 0; i < c->n_peers; i++)
		if (c->peers[i].role == WIRE_PEER_CUSTOMER)
			m->max_customer_prefixes = c->peers[i].max_prefixes; /* ER-6 */
}

static void
nva(struct build *b)
{
	const struct topo_nva *n = &b->t->nvas[b->node->index];
	struct wire_conf *c = &b->nc->conf;

	c->asn = n->asn;
	c->router_id = c->address = n->ip;
	c->relay = n->relay;
	c->kernel_routes = b->urls->packets && topo_node_in_guest(b->t, b->node);
	c->snat = n->snat;
	c->stateful = c->kernel_routes && n->stateful;
	adverts(b, n->adverts, n->n_adverts);
}

static void
site(struct build *b)
{
	const struct topo_site *s = &b->t->sites[b->node->index];
	struct wire_conf *c = &b->nc->conf;

	c->asn = s->asn;
	c->router_id = c->address = s->ip;
	c->relay = s->relay;
	adverts(b, s->adverts, s->n_adverts);
}

/* Timers that a router has of its own; 0: none. */
static void
own_timers(const struct build *b, uint32_t *hold_ms, uint32_t *keepalive_ms)
{
	if (b->node->kind == TOPO_NODE_NVA) {
		*hold_ms = b->t->nvas[b->node->index].hold_ms;
		*keepalive_ms = b->t->nvas[b->node->index].keepalive_ms;
	} else if (b->node->kind == TOPO_NODE_SITE) {
		*hold_ms = b->t->sites[b->node->index].hold_ms;
		*keepalive_ms = b->t->sites[b->node->index].keepalive_ms;
	}
}

/* RFC 4271 4.4: keepalives at a third of the hold time, unless the router says otherwise (RS-32,
 * ER-3). */
static void
timers(struct build *b)
{
	const struct topo_timing *tm = &b->t->timing;
	struct fc_nodeconf *nc = b->nc;
	uint32_t hold_ms = 0, keepalive_ms = 0;

	nc->conf.seed = tm->seed;
	nc->conf.connect_retry_ms = tm->connect_retry_ms;
	nc->keepalive_ms = tm->keepalive_ms;
	nc->hold_ms = tm->hold_ms;
	own_timers(b, &hold_ms, &keepalive_ms);
	if (hold_ms != 0) {
		nc->hold_ms = hold_ms;
		if (nc->keepalive_ms > nc->hold_ms / 3)
			nc->keepalive_ms = nc->hold_ms / 3;
	}
	if (keepalive_ms != 0)
		nc->keepalive_ms = keepalive_ms;
}

static const struct {
	enum wire_kind kind;
	void (*section)(struct build *b);
} kinds[] = {
	[TOPO_NODE_ROUTE_SERVER] = { WIRE_ROUTE_SERVER, route_server },
	[TOPO_NODE_ER_GATEWAY] = { WIRE_ER_GATEWAY, gateway },
	[TOPO_NODE_VPN_GATEWAY] = { WIRE_VPN_GATEWAY, gateway },
	[TOPO_NODE_MSEE] = { WIRE_MSEE, msee },
	[TOPO_NODE_NVA] = { WIRE_NVA, nva },
	[TOPO_NODE_SITE] = { WIRE_SITE, site },
};

int
fc_nodeconf_new(
    struct fc_nodeconf **out, const struct topo *t, size_t node, const struct fc_urls *urls)
{
	struct build b = { .t = t, .node = &t->nodes[node], .urls = urls };
	int err;

	if ((b.nc = calloc(1, sizeof(*b.nc))) == NULL)
		return FAB_ENOMEM;
	b.nc->conf.name = b.node->name;
	b.nc->conf.fabric = t->name;
	b.nc->conf.kind = kinds[b.node->kind].kind;
	b.nc->conf.instance = b.node->instance;
	b.nc->conf.bgp_url = node_url(&b, urls->bgp, b.node->name);
	timers(&b);
	fc_pairs_each(t, count_own, &b);
	b.nc->conf.peers = fc_mem_take(&b.nc->mem, b.peers_room, sizeof(*b.nc->conf.peers));
	b.nc->conf.maps = fc_mem_take(&b.nc->mem, t->n_maps, sizeof(*b.nc->conf.maps));
	b.alias = fc_mem_take(&b.nc->mem, b.peers_room, sizeof(*b.alias));
	fc_pairs_each(t, add_own, &b);
	kinds[b.node->kind].section(&b);
	if ((err = b.nc->mem.err) != FAB_OK) {
		fc_nodeconf_free(b.nc);
		return err;
	}
	*out = b.nc;
	return FAB_OK;
}

void
fc_nodeconf_free(struct fc_nodeconf *nc)
{
	if (nc == NULL)
		return;
	fc_mem_free(&nc->mem);
	free(nc);
}
