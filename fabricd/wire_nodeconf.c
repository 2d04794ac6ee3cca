/*
 * Encoding of node configurations (see wire_nodeconf.h). The message tree borrows the strings and
 * arrays of the configuration; only its nodes are allocated.
 */
#include "fabricd/wire_nodeconf.h"

#include "lib/err.h"
#include "proto/control.pb-c.h"

#include <stdlib.h>

static Fab__V1__Prefix **
prefixes(struct fc_mem *m, const struct wire_nets *nets, size_t *n)
{
	Fab__V1__Prefix **out = fc_mem_take(m, nets->n, sizeof(*out));
	Fab__V1__Prefix *p = fc_mem_take(m, nets->n, sizeof(*p));

	*n = 0;
	for (size_t i = 0; i < nets->n && p != NULL; i++) {
		fab__v1__prefix__init(&p[i]);
		p[i].addr = nets->v[i].addr;
		p[i].len = nets->v[i].len;
		out[(*n)++] = &p[i];
	}
	return out;
}

static Fab__V1__TcpEndpoint *
tcp(struct fc_mem *m, const struct wire_tcp *at)
{
	Fab__V1__TcpEndpoint *e = fc_mem_take(m, 1, sizeof(*e));

	if (e == NULL)
		return NULL;
	fab__v1__tcp_endpoint__init(e);
	e->addr = at->addr;
	e->port = at->port;
	return e;
}

static Fab__V1__PrefixRule **
rules(struct fc_mem *m, const struct wire_rules *rules, size_t *n)
{
	Fab__V1__PrefixRule **out = fc_mem_take(m, rules->n, sizeof(*out));
	Fab__V1__PrefixRule *r = fc_mem_take(m, rules->n, sizeof(*r));

	*n = 0;
	for (size_t i = 0; i < rules->n && r != NULL; i++) {
		fab__v1__prefix_rule__init(&r[i]);
		r[i].addr = rules->v[i].prefix.addr;
		r[i].len = rules->v[i].prefix.len;
		r[i].ge = rules->v[i].ge;
		r[i].le = rules->v[i].le;
		r[i].deny = rules->v[i].deny;
		out[(*n)++] = &r[i];
	}
	return out;
}

static Fab__V1__RouterPolicy *
policy(struct fc_mem *m, const struct wire_policy *p)
{
	Fab__V1__RouterPolicy *out = fc_mem_take(m, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	fab__v1__router_policy__init(out);
	out->as_override = p->as_override;
	out->default_originate = p->default_originate;
	out->next_hop_unchanged = p->next_hop_unchanged;
	out->prepend = p->prepend;
	out->strip_as = p->strip_as.v;
	out->n_strip_as = p->strip_as.n;
	out->add_communities = p->add_communities.v;
	out->n_add_communities = p->add_communities.n;
	out->export_rules = rules(m, &p->export_rules, &out->n_export_rules);
	out->import_rules = rules(m, &p->import_rules, &out->n_import_rules);
	return out;
}

static uint32_t
map_number(const struct wire_conf *c, const struct route_map *map)
{
	return map == NULL ? 0 : (uint32_t)(map - c->maps) + 1;
}

/* NULL: no delay. */
static Fab__V1__DelayRange *
range(struct fc_mem *m, struct topo_range r)
{
	Fab__V1__DelayRange *out = r.max_ms == 0 ? NULL : fc_mem_take(m, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	fab__v1__delay_range__init(out);
	out->min_ms = r.min_ms;
	out->max_ms = r.max_ms;
	return out;
}

static void
peer(struct fc_mem *m, Fab__V1__BgpPeerConfig *out, const struct wire_conf *c,
    const struct wire_peer *p)
{
	fab__v1__bgp_peer_config__init(out);
	out->name = fc_unconst(p->name);
	out->role = (Fab__V1__PeerRole)p->role;
	out->asn = p->asn;
	out->address = p->address;
	out->local_address = p->local_address;
	out->transport =
	    p->tcp ? FAB__V1__BGP_TRANSPORT__TRANSPORT_TCP : FAB__V1__BGP_TRANSPORT__TRANSPORT_NNG;
	out->url = fc_unconst(p->url);
	out->tcp = p->tcp ? tcp(m, &p->dial) : NULL;
	out->tcp_source = p->source_address;
	out->passive = p->passive;
	out->max_prefixes = p->max_prefixes;
	out->keepalive_ms = p->keepalive_ms;
	out->hold_ms = p->hold_ms;
	out->weight = p->weight;
	out->policy = policy(m, &p->policy);
	out->no_export_of_learned = p->no_export_of_learned;
	out->tunnel = p->tunnel;
	out->resource = fc_unconst(p->resource);
	out->shut = p->shut;
	out->optional = p->optional;
	out->in_map = map_number(c, p->in_map);
	out->out_map = map_number(c, p->out_map);
	out->cut_in = p->cut_in;
	out->cut_out = p->cut_out;
	out->delay = range(m, p->delay);
	out->delay_losses = p->delay_losses;
	out->bfd_ms = p->bfd_ms;
	out->own_timers = p->own_timers;
	out->min_hold_ms = p->min_hold_ms;
}

static void
originate(struct fc_mem *m, Fab__V1__Originate *out, const struct wire_originate *o)
{
	fab__v1__originate__init(out);
	out->addr = o->prefix.addr;
	out->len = o->prefix.len;
	out->prepend = o->prepend;
	out->communities = o->communities.v;
	out->n_communities = o->communities.n;
	out->large_communities = o->large.v;
	out->n_large_communities = o->large.n;
	out->as_path = o->as_path.v;
	out->n_as_path = o->as_path.n;
	out->next_hop = o->next_hop;
	out->med_set = o->has_med;
	out->med = o->med;
	out->origin = o->origin;
	if ((out->to = fc_mem_take(m, o->n_to, sizeof(*out->to))) != NULL)
		for (; out->n_to < o->n_to; out->n_to++)
			out->to[out->n_to] = fc_unconst(o->to[out->n_to]);
}

static Fab__V1__RouteServerConfig *
route_server(struct fc_mem *m, const struct wire_rs_conf *rs)
{
	Fab__V1__RouteServerConfig *out = fc_mem_take(m, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	fab__v1__route_server_config__init(out);
	out->vnet_prefixes = prefixes(m, &rs->vnet, &out->n_vnet_prefixes);
	out->spoke_prefixes = prefixes(m, &rs->spokes, &out->n_spoke_prefixes);
	out->branch_to_branch = rs->branch_to_branch;
	out->hub_routing_preference = (Fab__V1__HubRoutingPreference)rs->hub_routing_preference;
	out->max_next_hops = rs->max_next_hops;
	out->max_prefixes_total = rs->max_prefixes_total;
	out->anti_flap_ms = rs->anti_flap_ms;
	out->no_export_passes = rs->no_export_passes;
	out->lists_covered = rs->lists_covered;
	out->sibling = fc_unconst(rs->sibling);
	out->resource = fc_unconst(rs->resource);
	return out;
}

static void
statics(struct fc_mem *m, Fab__V1__GatewayConfig *out, const struct wire_conf *c)
{
	const struct wire_gw_conf *gw = c->gw;
	Fab__V1__StaticConnection *s = fc_mem_take(m, gw->n_statics, sizeof(*s));

	out->connections = fc_mem_take(m, gw->n_statics, sizeof(*out->connections));
	for (size_t i = 0; i < gw->n_statics && out->connections != NULL; i++) {
		fab__v1__static_connection__init(&s[i]);
		s[i].name = fc_unconst(gw->statics[i].name);
		s[i].prefixes = prefixes(m, &gw->statics[i].prefixes, &s[i].n_prefixes);
		s[i].weight = gw->statics[i].weight;
		s[i].up = gw->statics[i].up;
		s[i].in_map = map_number(c, gw->statics[i].in_map);
		out->connections[out->n_connections++] = &s[i];
	}
}

static void
circuits(struct fc_mem *m, Fab__V1__GatewayConfig *out, const struct wire_gw_conf *gw)
{
	Fab__V1__CircuitConnection *c = fc_mem_take(m, gw->n_circuits, sizeof(*c));

	out->circuits = fc_mem_take(m, gw->n_circuits, sizeof(*out->circuits));
	for (size_t i = 0; i < gw->n_circuits && out->circuits != NULL; i++) {
		fab__v1__circuit_connection__init(&c[i]);
		c[i].circuit = fc_unconst(gw->circuits[i].name);
		c[i].weight = gw->circuits[i].weight;
		c[i].next_hops = gw->circuits[i].next_hops.v;
		c[i].n_next_hops = gw->circuits[i].next_hops.n;
		out->circuits[out->n_circuits++] = &c[i];
	}
}

static Fab__V1__GatewayConfig *
gateway(struct fc_mem *m, const struct wire_conf *c)
{
	const struct wire_gw_conf *gw = c->gw;
	Fab__V1__GatewayConfig *out = fc_mem_take(m, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	fab__v1__gateway_config__init(out);
	out->vnet_prefixes = prefixes(m, &gw->vnet, &out->n_vnet_prefixes);
	out->spoke_prefixes = prefixes(m, &gw->spokes, &out->n_spoke_prefixes);
	out->p2s_pools = prefixes(m, &gw->p2s, &out->n_p2s_pools);
	out->ignored_prefixes = prefixes(m, &gw->ignored, &out->n_ignored_prefixes);
	out->active_active = gw->active_active;
	out->has_route_server = gw->has_route_server;
	out->standby = gw->standby;
	out->resource = fc_unconst(gw->resource);
	out->max_prefixes_out = gw->max_prefixes_out;
	out->sibling_address = gw->sibling_address;
	out->public_address = gw->public_address;
	out->failover = range(m, gw->failover);
	out->failover_planned = range(m, gw->failover_planned);
	out->summaries = prefixes(m, &gw->summaries, &out->n_summaries);
	statics(m, out, c);
	circuits(m, out, gw);
	return out;
}

static Fab__V1__MseeConfig *
msee(struct fc_mem *m, const struct wire_msee_conf *c)
{
	Fab__V1__MseeConfig *out = fc_mem_take(m, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	fab__v1__msee_config__init(out);
	out->circuit = fc_unconst(c->circuit);
	out->secondary = c->secondary;
	out->max_customer_prefixes = c->max_customer_prefixes;
	out->max_gateway_prefixes = c->max_gateway_prefixes;
	out->nic_next_hop = c->nic_next_hop;
	out->prepend = c->prepend;
	out->strips_public = c->strips_public;
	return out;
}

static Fab__V1__RouterConfig *
router(struct fc_mem *m, const struct wire_conf *c)
{
	Fab__V1__RouterConfig *out = fc_mem_take(m, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	fab__v1__router_config__init(out);
	out->relay = c->relay;
	out->kernel_routes = c->kernel_routes;
	out->snat = c->snat;
	out->stateful = c->stateful;
	return out;
}

static Fab__V1__Timers *
timers(struct fc_mem *m, const struct fc_nodeconf *nc)
{
	Fab__V1__Timers *out = fc_mem_take(m, 1, sizeof(*out));

	if (out == NULL)
		return NULL;
	fab__v1__timers__init(out);
	out->keepalive_ms = nc->keepalive_ms;
	out->hold_ms = nc->hold_ms;
	out->connect_retry_ms = nc->conf.connect_retry_ms;
	return out;
}

static void
peers(struct fc_mem *m, Fab__V1__NodeConfig *out, const struct wire_conf *c)
{
	Fab__V1__BgpPeerConfig *p = fc_mem_take(m, c->n_peers, sizeof(*p));

	out->peers = fc_mem_take(m, c->n_peers, sizeof(*out->peers));
	for (size_t i = 0; i < c->n_peers && out->peers != NULL; i++) {
		peer(m, &p[i], c, &c->peers[i]);
		out->peers[out->n_peers++] = &p[i];
	}
}

static void
originations(struct fc_mem *m, Fab__V1__NodeConfig *out, const struct wire_conf *c)
{
	Fab__V1__Originate *o = fc_mem_take(m, c->n_originate, sizeof(*o));

	out->originate = fc_mem_take(m, c->n_originate, sizeof(*out->originate));
	for (size_t i = 0; i < c->n_originate && out->originate != NULL; i++) {
		originate(m, &o[i], &c->originate[i]);
		out->originate[out->n_originate++] = &o[i];
	}
}

/* ---- route maps ---- */

static Fab__V1__Prefix **
map_prefixes(struct fc_mem *m, const struct route_map_nets *nets, size_t *n)
{
	return prefixes(m, &(struct wire_nets){ nets->v, nets->n }, n);
}

static void
conditions(struct fc_mem *m, Fab__V1__RouteMapRule *out, const struct route_map_rule *r)
{
	Fab__V1__RouteMapCondition *c = fc_mem_take(m, r->n_conditions, sizeof(*c));

	out->conditions = fc_mem_take(m, r->n_conditions, sizeof(*out->conditions));
	for (size_t i = 0; i < r->n_conditions && out->conditions != NULL; i++) {
		const struct route_map_condition *from = &r->conditions[i];

		fab__v1__route_map_condition__init(&c[i]);
		c[i].match = (Fab__V1__RouteMapMatch)from->match;
		c[i].prefixes = map_prefixes(m, &from->prefixes, &c[i].n_prefixes);
		c[i].communities = from->communities.v;
		c[i].n_communities = from->communities.n;
		c[i].as_path = from->as_path.v;
		c[i].n_as_path = from->as_path.n;
		out->conditions[out->n_conditions++] = &c[i];
	}
}

static void
actions(struct fc_mem *m, Fab__V1__RouteMapRule *out, const struct route_map_rule *r)
{
	Fab__V1__RouteMapAction *a = fc_mem_take(m, r->n_actions, sizeof(*a));

	out->actions = fc_mem_take(m, r->n_actions, sizeof(*out->actions));
	for (size_t i = 0; i < r->n_actions && out->actions != NULL; i++) {
		const struct route_map_action *from = &r->actions[i];

		fab__v1__route_map_action__init(&a[i]);
		a[i].act = (Fab__V1__RouteMapAct)from->act;
		a[i].on = (Fab__V1__RouteMapSubject)from->on;
		a[i].prefixes = map_prefixes(m, &from->prefixes, &a[i].n_prefixes);
		a[i].values = from->values.v;
		a[i].n_values = from->values.n;
		out->actions[out->n_actions++] = &a[i];
	}
}

static void
map(struct fc_mem *m, Fab__V1__RouteMap *out, const struct route_map *from)
{
	Fab__V1__RouteMapRule *r = fc_mem_take(m, from->n_rules, sizeof(*r));

	fab__v1__route_map__init(out);
	out->name = fc_unconst(from->name);
	out->rules = fc_mem_take(m, from->n_rules, sizeof(*out->rules));
	for (size_t i = 0; i < from->n_rules && out->rules != NULL; i++) {
		fab__v1__route_map_rule__init(&r[i]);
		r[i].name = fc_unconst(from->rules[i].name);
		r[i].terminate = from->rules[i].terminate;
		conditions(m, &r[i], &from->rules[i]);
		actions(m, &r[i], &from->rules[i]);
		out->rules[out->n_rules++] = &r[i];
	}
}

static void
maps(struct fc_mem *m, Fab__V1__NodeConfig *out, const struct wire_conf *c)
{
	Fab__V1__RouteMap *r = fc_mem_take(m, c->n_maps, sizeof(*r));

	out->route_maps = fc_mem_take(m, c->n_maps, sizeof(*out->route_maps));
	for (size_t i = 0; i < c->n_maps && out->route_maps != NULL; i++) {
		map(m, &r[i], &c->maps[i]);
		out->route_maps[out->n_route_maps++] = &r[i];
	}
}

static void
listeners(struct fc_mem *m, Fab__V1__NodeConfig *out, const struct wire_conf *c)
{
	out->bgp_tcp = fc_mem_take(m, c->n_listen, sizeof(*out->bgp_tcp));
	for (size_t i = 0; i < c->n_listen && out->bgp_tcp != NULL; i++) {
		Fab__V1__TcpEndpoint *e = tcp(m, &c->listen[i]);

		if (e != NULL)
			out->bgp_tcp[out->n_bgp_tcp++] = e;
	}
}

int
wire_nodeconf_encode(uint8_t **out, size_t *len, const struct fc_nodeconf *nc)
{
	const struct wire_conf *c = &nc->conf;
	Fab__V1__NodeConfig m = FAB__V1__NODE_CONFIG__INIT;
	struct fc_mem mem = { 0 };
	uint8_t *buf = NULL;
	int err;

	m.name = fc_unconst(c->name);
	m.fabric = fc_unconst(c->fabric);
	m.kind = (Fab__V1__NodeKind)c->kind;
	m.instance = c->instance;
	m.asn = c->asn;
	m.router_id = c->router_id;
	m.address = c->address;
	m.bgp_url = fc_unconst(c->bgp_url);
	m.timers = timers(&mem, nc);
	m.seed = c->seed;
	listeners(&mem, &m, c);
	peers(&mem, &m, c);
	originations(&mem, &m, c);
	maps(&mem, &m, c);
	m.route_server = c->rs == NULL ? NULL : route_server(&mem, c->rs);
	m.gateway = c->gw == NULL ? NULL : gateway(&mem, c);
	m.msee = c->msee == NULL ? NULL : msee(&mem, c->msee);
	if (c->kind == WIRE_NVA || c->kind == WIRE_SITE)
		m.router = router(&mem, c);
	if ((err = mem.err) == FAB_OK) {
		buf = malloc(fab__v1__node_config__get_packed_size(&m));
		err = buf == NULL ? FAB_ENOMEM : FAB_OK;
	}
	if (err == FAB_OK) {
		*len = fab__v1__node_config__pack(&m, buf);
		*out = buf;
	}
	fc_mem_free(&mem);
	return err;
}
