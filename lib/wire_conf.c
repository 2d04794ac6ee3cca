/*
 * NodeConfig to struct wire_conf. Everything is copied into blocks that belong to the conf, so a
 * conf is freed whole; the first thing that is wrong ends the decoding with one line.
 */
#include "lib/wire_conf.h"

#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define HOLD_MS_MIN       3000 /* RFC 4271 4.2: zero or at least three seconds */
#define CONNECT_RETRY_MAX 3600000

struct wire_block {
	struct wire_block *next;
	_Alignas(max_align_t) unsigned char data[];
};

/* A decoding under way. err is sticky: after the first one nothing is taken any more. */
struct decode {
	struct wire_conf *conf;
	char *why; /* 256 octets */
	int err;
};

static const char *const kind_names[] = {
	[WIRE_UNKNOWN] = "unknown",
	[WIRE_FABRIC] = "fabric",
	[WIRE_ROUTE_SERVER] = "Route Server",
	[WIRE_ER_GATEWAY] = "ExpressRoute gateway",
	[WIRE_VPN_GATEWAY] = "VPN gateway",
	[WIRE_MSEE] = "MSEE",
	[WIRE_NVA] = "NVA",
	[WIRE_SITE] = "site",
};
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == WIRE_KIND_COUNT, "a name per kind");
_Static_assert(WIRE_SITE == (int)FAB__V1__NODE_KIND__NODE_SITE, "numbers of fab.v1.NodeKind");
_Static_assert(RM_MATCH_COUNT == FAB__V1__ROUTE_MAP_MATCH__MATCH_NOT_CONTAINS + 1 &&
		   RM_ACT_COUNT == FAB__V1__ROUTE_MAP_ACT__ACT_REMOVE + 1 &&
		   RM_SUBJECT_COUNT == FAB__V1__ROUTE_MAP_SUBJECT__ON_COMMUNITY + 1,
    "numbers of route maps");
_Static_assert(WIRE_PEER_SIBLING == (int)FAB__V1__PEER_ROLE__PEER_GATEWAY_SIBLING,
    "numbers of fab.v1.PeerRole");

const char *
wire_kind_name(enum wire_kind k)
{
	return k < WIRE_KIND_COUNT ? kind_names[k] : kind_names[WIRE_UNKNOWN];
}

static void __attribute__((format(printf, 2, 3))) refuse(struct decode *d, const char *fmt, ...)
{
	va_list ap;

	if (d->err != FAB_OK)
		return;
	d->err = FAB_EINVAL;
	va_start(ap, fmt);
	vsnprintf(d->why, 256, fmt, ap);
	va_end(ap);
	/* Names come from the message; the line stays one. */
	for (char *p = d->why; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = '?';
}

/* Zeroed; NULL after an error, and for n of 0. */
static void *
take(struct decode *d, size_t n, size_t size)
{
	struct wire_block *b;

	if (d->err != FAB_OK || n == 0)
		return NULL;
	b = calloc(1, sizeof(*b) + n * size);
	if (b == NULL) {
		d->err = FAB_ENOMEM;
		snprintf(d->why, 256, "out of memory");
		return NULL;
	}
	b->next = d->conf->blocks;
	d->conf->blocks = b;
	return b->data;
}

static const char *
take_string(struct decode *d, const char *s)
{
	size_t len = s == NULL ? 0 : strlen(s);
	char *copy;

	if (len == 0)
		return "";
	copy = take(d, len + 1, 1);
	if (copy != NULL)
		memcpy(copy, s, len + 1);
	return copy == NULL ? "" : copy;
}

static struct wire_u32s
take_u32s(struct decode *d, const char *what, const uint32_t *v, size_t n)
{
	struct wire_u32s out = { 0 };

	if (n > WIRE_LIST_MAX) {
		refuse(d, "%s: more than %d entries", what, WIRE_LIST_MAX);
		return out;
	}
	out.v = take(d, n, sizeof(*v));
	if (out.v != NULL) {
		memcpy(out.v, v, n * sizeof(*v));
		out.n = n;
	}
	return out;
}

static struct ipnet
take_prefix(struct decode *d, const char *what, uint32_t addr, uint32_t len)
{
	struct ipnet net = { .addr = addr, .len = (uint8_t)len };

	if (len > 32 || (addr & ~ipnet_mask((uint8_t)len)) != 0) {
		refuse(d, "%s: %08x/%u is not a prefix", what, addr, len);
		return (struct ipnet){ 0 };
	}
	return net;
}

static struct wire_nets
take_nets(struct decode *d, const char *what, Fab__V1__Prefix *const *v, size_t n)
{
	struct wire_nets out = { 0 };

	if (n > WIRE_LIST_MAX) {
		refuse(d, "%s: more than %d prefixes", what, WIRE_LIST_MAX);
		return out;
	}
	out.v = take(d, n, sizeof(*out.v));
	if (out.v == NULL)
		return out;
	for (; out.n < n; out.n++)
		out.v[out.n] = take_prefix(d, what, v[out.n]->addr, v[out.n]->len);
	return out;
}

/* ge and le both 0 mean exactly this length; le 0 beside a ge means up to 32. */
static struct wire_prefix_rule
take_rule(struct decode *d, const char *what, const Fab__V1__PrefixRule *m)
{
	struct wire_prefix_rule r = { .prefix = take_prefix(d, what, m->addr, m->len),
		.deny = m->deny };
	uint32_t ge = m->ge != 0 ? m->ge : m->len;
	uint32_t le = m->le != 0 ? m->le : m->ge != 0 ? 32 : m->len;

	if (ge < m->len || le < ge || le > 32)
		refuse(d, "%s: lengths %u to %u do not fit a /%u", what, ge, le, m->len);
	r.ge = (uint8_t)ge;
	r.le = (uint8_t)le;
	return r;
}

static struct wire_rules
take_rules(struct decode *d, const char *what, Fab__V1__PrefixRule *const *v, size_t n)
{
	struct wire_rules out = { 0 };

	if (n > WIRE_LIST_MAX) {
		refuse(d, "%s: more than %d rules", what, WIRE_LIST_MAX);
		return out;
	}
	out.v = take(d, n, sizeof(*out.v));
	if (out.v == NULL)
		return out;
	for (; out.n < n; out.n++)
		out.v[out.n] = take_rule(d, what, v[out.n]);
	return out;
}

/* ---- route maps ---- */

static struct route_map_nets
take_map_nets(struct decode *d, const char *what, Fab__V1__Prefix *const *v, size_t n)
{
	struct wire_nets nets = take_nets(d, what, v, n);

	return (struct route_map_nets){ nets.v, nets.n };
}

static struct route_map_u32s
take_map_u32s(struct decode *d, const char *what, const uint32_t *v, size_t n)
{
	struct wire_u32s list = take_u32s(d, what, v, n);

	return (struct route_map_u32s){ list.v, list.n };
}

static void
take_conditions(
    struct decode *d, const char *map, struct route_map_rule *r, const Fab__V1__RouteMapRule *m)
{
	r->conditions = take(d, m->n_conditions, sizeof(*r->conditions));
	for (; r->conditions != NULL && r->n_conditions < m->n_conditions; r->n_conditions++) {
		const Fab__V1__RouteMapCondition *c = m->conditions[r->n_conditions];

		if ((unsigned)c->match >= RM_MATCH_COUNT)
			refuse(d, "route map %s: unknown condition %d", map, (int)c->match);
		r->conditions[r->n_conditions] = (struct route_map_condition){
			.match = (enum route_map_match)c->match,
			.prefixes = take_map_nets(d, map, c->prefixes, c->n_prefixes),
			.communities = take_map_u32s(d, map, c->communities, c->n_communities),
			.as_path = take_map_u32s(d, map, c->as_path, c->n_as_path),
		};
	}
}

static void
take_actions(
    struct decode *d, const char *map, struct route_map_rule *r, const Fab__V1__RouteMapRule *m)
{
	r->actions = take(d, m->n_actions, sizeof(*r->actions));
	for (; r->actions != NULL && r->n_actions < m->n_actions; r->n_actions++) {
		const Fab__V1__RouteMapAction *a = m->actions[r->n_actions];

		if ((unsigned)a->act >= RM_ACT_COUNT || (unsigned)a->on >= RM_SUBJECT_COUNT ||
		    (a->on == FAB__V1__ROUTE_MAP_SUBJECT__ON_PREFIX &&
			a->act != FAB__V1__ROUTE_MAP_ACT__ACT_REPLACE))
			refuse(d, "route map %s: no action %d on %d", map, (int)a->act, (int)a->on);
		if (a->n_values > WIRE_COMMUNITIES_MAX)
			refuse(d, "route map %s: more than %d communities or ASNs", map,
			    WIRE_COMMUNITIES_MAX);
		r->actions[r->n_actions] = (struct route_map_action){
			.act = (enum route_map_act)a->act,
			.on = (enum route_map_subject)a->on,
			.prefixes = take_map_nets(d, map, a->prefixes, a->n_prefixes),
			.values = take_map_u32s(d, map, a->values, a->n_values),
		};
	}
}

static void
take_map(struct decode *d, struct route_map *map, const Fab__V1__RouteMap *m)
{
	map->name = take_string(d, m->name);
	map->rules = take(d, m->n_rules, sizeof(*map->rules));
	for (; map->rules != NULL && map->n_rules < m->n_rules; map->n_rules++) {
		struct route_map_rule *r = &map->rules[map->n_rules];

		r->name = take_string(d, m->rules[map->n_rules]->name);
		r->terminate = m->rules[map->n_rules]->terminate;
		take_conditions(d, map->name, r, m->rules[map->n_rules]);
		take_actions(d, map->name, r, m->rules[map->n_rules]);
	}
	route_map_prepare(map);
}

static void
take_maps(struct decode *d, const Fab__V1__NodeConfig *m)
{
	struct wire_conf *c = d->conf;

	if (m->n_route_maps > WIRE_LIST_MAX)
		refuse(d, "more than %d route maps", WIRE_LIST_MAX);
	c->maps = take(d, m->n_route_maps, sizeof(*c->maps));
	for (; c->maps != NULL && c->n_maps < m->n_route_maps; c->n_maps++)
		take_map(d, &c->maps[c->n_maps], m->route_maps[c->n_maps]);
}

static const struct route_map *
map_at(struct decode *d, const char *whose, uint32_t number)
{
	if (number == 0 || d->err != FAB_OK)
		return NULL;
	if (number > d->conf->n_maps) {
		refuse(d, "%s: there is no route map %u", whose, number);
		return NULL;
	}
	return &d->conf->maps[number - 1];
}

static struct wire_tcp
take_tcp(struct decode *d, const char *what, const Fab__V1__TcpEndpoint *m)
{
	if (m == NULL)
		return (struct wire_tcp){ 0 };
	if (m->port > UINT16_MAX)
		refuse(d, "%s: port %u", what, m->port);
	return (struct wire_tcp){ .addr = m->addr, .port = (uint16_t)m->port };
}

static void
take_policy(
    struct decode *d, struct wire_policy *p, const char *peer, const Fab__V1__RouterPolicy *m)
{
	if (m == NULL)
		return;
	p->as_override = m->as_override;
	p->default_originate = m->default_originate;
	p->next_hop_unchanged = m->next_hop_unchanged;
	p->prepend = m->prepend;
	p->strip_as = take_u32s(d, peer, m->strip_as, m->n_strip_as);
	p->add_communities = take_u32s(d, peer, m->add_communities, m->n_add_communities);
	p->export_rules = take_rules(d, peer, m->export_rules, m->n_export_rules);
	p->import_rules = take_rules(d, peer, m->import_rules, m->n_import_rules);
}

/* An enum of a newer fabricd is 0, unknown. */
static int
known(int value, int count)
{
	return value > 0 && value < count ? value : 0;
}

static uint32_t
first_set(uint32_t a, uint32_t b, uint32_t c)
{
	return a != 0 ? a : b != 0 ? b : c;
}

static void
take_timers(struct decode *d, struct wire_peer *p, const Fab__V1__BgpPeerConfig *m,
    const Fab__V1__Timers *t)
{
	p->hold_ms = first_set(m->hold_ms, t == NULL ? 0 : t->hold_ms, 180000);
	p->keepalive_ms =
	    first_set(m->keepalive_ms, t == NULL ? 0 : t->keepalive_ms, p->hold_ms / 3);
	if (p->hold_ms < HOLD_MS_MIN || p->hold_ms > UINT16_MAX * 1000u)
		refuse(d, "peer %s: hold time %u ms is not 3 to 65535 s", m->name, p->hold_ms);
}

static struct topo_range
take_range(struct decode *d, const char *what, const Fab__V1__DelayRange *m)
{
	if (m == NULL)
		return (struct topo_range){ 0 };
	if (m->min_ms > m->max_ms)
		refuse(d, "%s: a delay of %u to %u ms", what, m->min_ms, m->max_ms);
	return (struct topo_range){ m->min_ms, m->max_ms };
}

static void
take_peer(struct decode *d, struct wire_peer *p, const Fab__V1__BgpPeerConfig *m,
    const Fab__V1__Timers *t)
{
	*p = (struct wire_peer){
		.name = take_string(d, m->name),
		.role = (enum wire_peer_role)known((int)m->role, WIRE_PEER_ROLE_COUNT),
		.asn = m->asn,
		.address = m->address,
		.local_address = m->local_address,
		.tcp = m->transport == FAB__V1__BGP_TRANSPORT__TRANSPORT_TCP,
		.passive = m->passive,
		.no_export_of_learned = m->no_export_of_learned,
		.tunnel = m->tunnel,
		.shut = m->shut,
		.optional = m->optional,
		.cut_in = m->cut_in,
		.cut_out = m->cut_out,
		.url = take_string(d, m->url),
		.dial = take_tcp(d, m->name, m->tcp),
		.source_address = m->tcp_source,
		.max_prefixes = m->max_prefixes,
		.weight = m->weight,
		.resource = take_string(d, m->resource),
		.in_map = map_at(d, m->name, m->in_map),
		.out_map = map_at(d, m->name, m->out_map),
		.out_map_number = m->out_map,
		.delay = take_range(d, m->name, m->delay),
		.delay_losses = m->delay_losses,
		.bfd_ms = m->bfd_ms,
		.own_timers = m->own_timers,
		.min_hold_ms = m->min_hold_ms,
	};
	take_timers(d, p, m, t);
	take_policy(d, &p->policy, m->name, m->policy);
	if (p->name[0] == '\0' || p->asn == 0)
		refuse(d, "peer '%s': name or ASN missing", p->name);
}

struct name_seen {
	UT_hash_handle hh;
	const char *name;
};

/* Names identify sessions, so no two peers may share one. */
static void
check_names(struct decode *d)
{
	struct name_seen *seen = NULL, *all, *hit;

	all = calloc(d->conf->n_peers + 1, sizeof(*all));
	if (all == NULL)
		d->err = FAB_ENOMEM;
	for (size_t i = 0; i < d->conf->n_peers && d->err == FAB_OK; i++) {
		const char *name = d->conf->peers[i].name;

		HASH_FIND_STR(seen, name, hit);
		if (hit != NULL) {
			refuse(d, "peer %s: configured twice", name);
			break;
		}
		all[i].name = name;
		HASH_ADD_KEYPTR(hh, seen, name, strlen(name), &all[i]);
	}
	HASH_CLEAR(hh, seen);
	free(all);
}

static void
take_peers(struct decode *d, const Fab__V1__NodeConfig *m)
{
	struct wire_conf *c = d->conf;

	if (m->n_peers > WIRE_PEERS_MAX)
		refuse(d, "more than %d peers", WIRE_PEERS_MAX);
	c->peers = take(d, m->n_peers, sizeof(*c->peers));
	if (c->peers == NULL)
		return;
	for (; c->n_peers < m->n_peers && d->err == FAB_OK; c->n_peers++)
		take_peer(d, &c->peers[c->n_peers], m->peers[c->n_peers], m->timers);
	check_names(d);
}

static void
take_origination(struct decode *d, struct wire_originate *o, const Fab__V1__Originate *m)
{
	const char *what = "originate";

	*o = (struct wire_originate){
		.prefix = take_prefix(d, what, m->addr, m->len),
		.prepend = m->prepend,
		.communities = take_u32s(d, what, m->communities, m->n_communities),
		.large = take_u32s(d, what, m->large_communities, m->n_large_communities),
		.as_path = take_u32s(d, what, m->as_path, m->n_as_path),
		.next_hop = m->next_hop,
		.has_med = m->med_set,
		.med = m->med,
		.origin = (uint8_t)m->origin,
		.to = take(d, m->n_to, sizeof(*o->to)),
	};
	if (o->large.n % 3 != 0 || m->origin > 2)
		refuse(d, "originate: large communities not in threes, or no such origin");
	if (o->communities.n > WIRE_COMMUNITIES_MAX || o->large.n > WIRE_COMMUNITIES_MAX ||
	    o->as_path.n > WIRE_COMMUNITIES_MAX)
		refuse(d, "originate: more than %d communities or ASNs", WIRE_COMMUNITIES_MAX);
	for (; o->to != NULL && o->n_to < m->n_to; o->n_to++)
		o->to[o->n_to] = take_string(d, m->to[o->n_to]);
}

static void
take_originations(struct decode *d, const Fab__V1__NodeConfig *m)
{
	struct wire_conf *c = d->conf;

	if (m->n_originate > WIRE_ORIGINATE_MAX)
		refuse(d, "more than %d prefixes to originate", WIRE_ORIGINATE_MAX);
	c->originate = take(d, m->n_originate, sizeof(*c->originate));
	if (c->originate == NULL)
		return;
	for (; c->n_originate < m->n_originate && d->err == FAB_OK; c->n_originate++)
		take_origination(d, &c->originate[c->n_originate], m->originate[c->n_originate]);
}

static void
take_rs(struct decode *d, const Fab__V1__RouteServerConfig *m)
{
	struct wire_rs_conf *r;

	if (m == NULL || (r = take(d, 1, sizeof(*r))) == NULL)
		return;
	*r = (struct wire_rs_conf){
		.vnet = take_nets(d, "vnet_prefixes", m->vnet_prefixes, m->n_vnet_prefixes),
		.spokes = take_nets(d, "spoke_prefixes", m->spoke_prefixes, m->n_spoke_prefixes),
		.branch_to_branch = m->branch_to_branch,
		.hub_routing_preference = (uint32_t)m->hub_routing_preference,
		.max_next_hops = m->max_next_hops,
		.max_prefixes_total = m->max_prefixes_total,
		.anti_flap_ms = m->anti_flap_ms,
		.no_export_passes = m->no_export_passes,
		.lists_covered = m->lists_covered,
		.sibling = take_string(d, m->sibling),
		.resource = take_string(d, m->resource),
	};
	d->conf->rs = r;
}

static void
take_statics(struct decode *d, struct wire_gw_conf *g, const Fab__V1__GatewayConfig *m)
{
	g->statics = take(d, m->n_connections, sizeof(*g->statics));
	if (g->statics == NULL)
		return;
	for (; g->n_statics < m->n_connections; g->n_statics++) {
		const Fab__V1__StaticConnection *s = m->connections[g->n_statics];

		g->statics[g->n_statics] = (struct wire_static){
			.name = take_string(d, s->name),
			.prefixes = take_nets(d, s->name, s->prefixes, s->n_prefixes),
			.weight = s->weight,
			.up = s->up,
			.in_map = map_at(d, s->name, s->in_map),
		};
	}
}

static void
take_circuits(struct decode *d, struct wire_gw_conf *g, const Fab__V1__GatewayConfig *m)
{
	g->circuits = take(d, m->n_circuits, sizeof(*g->circuits));
	if (g->circuits == NULL)
		return;
	for (; g->n_circuits < m->n_circuits; g->n_circuits++) {
		const Fab__V1__CircuitConnection *s = m->circuits[g->n_circuits];

		g->circuits[g->n_circuits] = (struct wire_circuit){
			.name = take_string(d, s->circuit),
			.weight = s->weight,
			.next_hops = take_u32s(d, s->circuit, s->next_hops, s->n_next_hops),
		};
	}
}

static void
take_gw(struct decode *d, const Fab__V1__GatewayConfig *m)
{
	struct wire_gw_conf *g;

	if (m == NULL || (g = take(d, 1, sizeof(*g))) == NULL)
		return;
	*g = (struct wire_gw_conf){
		.vnet = take_nets(d, "vnet_prefixes", m->vnet_prefixes, m->n_vnet_prefixes),
		.spokes = take_nets(d, "spoke_prefixes", m->spoke_prefixes, m->n_spoke_prefixes),
		.p2s = take_nets(d, "p2s_pools", m->p2s_pools, m->n_p2s_pools),
		.ignored =
		    take_nets(d, "ignored_prefixes", m->ignored_prefixes, m->n_ignored_prefixes),
		.active_active = m->active_active,
		.has_route_server = m->has_route_server,
		.standby = m->standby,
		.resource = take_string(d, m->resource),
		.max_prefixes_out = m->max_prefixes_out,
		.sibling_address = m->sibling_address,
		.public_address = m->public_address,
		.failover = take_range(d, "failover", m->failover),
		.failover_planned = take_range(d, "failover_planned", m->failover_planned),
		.summaries = take_nets(d, "summaries", m->summaries, m->n_summaries),
	};
	take_statics(d, g, m);
	take_circuits(d, g, m);
	d->conf->gw = g;
}

static void
take_msee(struct decode *d, const Fab__V1__MseeConfig *m)
{
	struct wire_msee_conf *e;

	if (m == NULL || (e = take(d, 1, sizeof(*e))) == NULL)
		return;
	*e = (struct wire_msee_conf){
		.circuit = take_string(d, m->circuit),
		.secondary = m->secondary,
		.max_customer_prefixes = m->max_customer_prefixes,
		.max_gateway_prefixes = m->max_gateway_prefixes,
		.nic_next_hop = m->nic_next_hop,
		.prepend = m->prepend,
		.strips_public = m->strips_public,
	};
	if (m->prepend > WIRE_PREPEND_MAX)
		refuse(d, "an MSEE that prepends %u times", m->prepend);
	d->conf->msee = e;
}

static void
take_node(struct decode *d, const Fab__V1__NodeConfig *m)
{
	struct wire_conf *c = d->conf;

	c->name = take_string(d, m->name);
	c->fabric = take_string(d, m->fabric);
	c->kind = (enum wire_kind)known((int)m->kind, WIRE_KIND_COUNT);
	c->instance = m->instance;
	c->asn = m->asn;
	c->router_id = m->router_id;
	c->address = m->address;
	c->bgp_url = take_string(d, m->bgp_url);
	c->connect_retry_ms = m->timers == NULL ? 0 : m->timers->connect_retry_ms;
	c->generation = m->generation;
	c->seed = m->seed;
	c->relay = m->router != NULL && m->router->relay;
	c->kernel_routes = m->router != NULL && m->router->kernel_routes;
	c->snat = m->router != NULL && m->router->snat;
	c->stateful = m->router != NULL && m->router->stateful;
	if (c->name[0] == '\0' || c->asn == 0 || c->router_id == 0)
		refuse(d, "name, ASN or router id missing");
	if (c->instance > 1 || c->connect_retry_ms > CONNECT_RETRY_MAX)
		refuse(d, "instance %u or connect retry %u ms out of range", c->instance,
		    c->connect_retry_ms);
	c->listen = take(d, m->n_bgp_tcp, sizeof(*c->listen));
	for (; c->listen != NULL && c->n_listen < m->n_bgp_tcp; c->n_listen++)
		c->listen[c->n_listen] = take_tcp(d, "bgp_tcp", m->bgp_tcp[c->n_listen]);
}

int
wire_conf_decode(struct wire_conf **out, const Fab__V1__NodeConfig *m, char why[static 256])
{
	struct decode d = { .conf = calloc(1, sizeof(*d.conf)), .why = why };

	if (d.conf == NULL)
		return FAB_ENOMEM;
	take_node(&d, m);
	take_maps(&d, m);
	take_peers(&d, m);
	take_originations(&d, m);
	take_rs(&d, m->route_server);
	take_gw(&d, m->gateway);
	take_msee(&d, m->msee);
	if (d.err != FAB_OK) {
		wire_conf_free(d.conf);
		return d.err;
	}
	*out = d.conf;
	return FAB_OK;
}

void
wire_conf_free(struct wire_conf *c)
{
	struct wire_block *b, *next;

	if (c == NULL)
		return;
	for (b = c->blocks; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(c);
}
