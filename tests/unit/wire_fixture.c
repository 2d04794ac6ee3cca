/*
 * See wire_fixture.h.
 */
#include "tests/unit/wire_fixture.h"

#include "lib/err.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

uint32_t
fx_ip(const char *text)
{
	uint32_t addr = 0;

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, text), FAB_OK);
	return addr;
}

struct ipnet
fx_net(const char *text)
{
	struct ipnet net = { 0 };

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, text), FAB_OK);
	return net;
}

static char *
borrowed(const char *s)
{
	return (char *)(uintptr_t)s;
}

void
fx_conf_init(
    struct fx_conf *c, const char *name, Fab__V1__NodeKind kind, uint32_t asn, const char *address)
{
	memset(c, 0, sizeof(*c));
	fab__v1__node_config__init(&c->m);
	fab__v1__timers__init(&c->timers);
	c->timers.keepalive_ms = 1000;
	c->timers.hold_ms = 3000;
	c->timers.connect_retry_ms = 200;
	c->m.name = borrowed(name);
	c->m.kind = kind;
	c->m.asn = asn;
	c->m.address = c->m.router_id = fx_ip(address);
	c->m.timers = &c->timers;
	c->m.peers = c->peer_list;
	c->m.originate = c->originate_list;
	c->m.generation = 1;
	fab__v1__router_config__init(&c->router);
	c->m.router = &c->router;
}

Fab__V1__BgpPeerConfig *
fx_peer(struct fx_conf *c, const char *name, Fab__V1__PeerRole role, uint32_t asn,
    const char *address, const char *local)
{
	size_t i = c->m.n_peers++;
	Fab__V1__BgpPeerConfig *p = &c->peers[i];

	CU_ASSERT_FATAL(i < FX_PEERS_MAX);
	c->peer_list[i] = p;
	fab__v1__bgp_peer_config__init(p);
	fab__v1__router_policy__init(&c->policies[i]);
	p->name = borrowed(name);
	p->role = role;
	p->asn = asn;
	p->address = fx_ip(address);
	p->local_address = fx_ip(local);
	p->passive = true;
	p->policy = &c->policies[i];
	return p;
}

Fab__V1__Originate *
fx_originate(struct fx_conf *c, const char *prefix)
{
	size_t i = c->m.n_originate++;
	struct ipnet net = fx_net(prefix);

	CU_ASSERT_FATAL(i < FX_ORIGINATE_MAX);
	c->originate_list[i] = &c->originates[i];
	fab__v1__originate__init(&c->originates[i]);
	c->originates[i].addr = net.addr;
	c->originates[i].len = net.len;
	return &c->originates[i];
}

void
fx_nets(struct fx_conf *c, Fab__V1__Prefix ***list, size_t *n, const char *prefixes)
{
	char word[IPNET_STRLEN];
	int used;

	*list = &c->net_lists[c->n_nets];
	*n = 0;
	for (; sscanf(prefixes, "%18s%n", word, &used) == 1; prefixes += used) {
		struct ipnet net = fx_net(word);
		Fab__V1__Prefix *p = &c->nets[c->n_nets];

		CU_ASSERT_FATAL(c->n_nets < FX_NETS_MAX);
		fab__v1__prefix__init(p);
		p->addr = net.addr;
		p->len = net.len;
		c->net_lists[c->n_nets++] = p;
		(*n)++;
	}
}

Fab__V1__GatewayConfig *
fx_gateway(struct fx_conf *c, const char *vnet, const char *spokes)
{
	fab__v1__gateway_config__init(&c->gateway);
	fx_nets(c, &c->gateway.vnet_prefixes, &c->gateway.n_vnet_prefixes, vnet);
	fx_nets(c, &c->gateway.spoke_prefixes, &c->gateway.n_spoke_prefixes, spokes);
	c->gateway.circuits = c->circuit_list;
	c->gateway.connections = c->static_list;
	c->m.gateway = &c->gateway;
	return &c->gateway;
}

void
fx_circuit(struct fx_conf *c, const char *name, uint32_t weight, const char *primary,
    const char *secondary)
{
	size_t i = c->gateway.n_circuits++;

	CU_ASSERT_FATAL(i < 2);
	c->circuit_list[i] = &c->circuits[i];
	fab__v1__circuit_connection__init(&c->circuits[i]);
	c->next_hops[i][0] = fx_ip(primary);
	c->next_hops[i][1] = fx_ip(secondary);
	c->circuits[i].circuit = borrowed(name);
	c->circuits[i].weight = weight;
	c->circuits[i].next_hops = c->next_hops[i];
	c->circuits[i].n_next_hops = 2;
}

void
fx_static(struct fx_conf *c, const char *name, const char *prefixes)
{
	size_t i = c->gateway.n_connections++;

	CU_ASSERT_FATAL(i < 2);
	c->static_list[i] = &c->statics[i];
	fab__v1__static_connection__init(&c->statics[i]);
	c->statics[i].name = borrowed(name);
	c->statics[i].up = true;
	fx_nets(c, &c->statics[i].prefixes, &c->statics[i].n_prefixes, prefixes);
}

/* ---- reports ---- */

static struct fx_route *
find(struct fx_report *r, struct ipnet net)
{
	for (size_t i = 0; i < r->n_routes; i++)
		if (ipnet_eq(r->routes[i].net, net))
			return &r->routes[i];
	return NULL;
}

static void
announce(struct fx_report *r, const Fab__V1__RouteGroup *g, struct ipnet net)
{
	struct fx_route *route = find(r, net);
	size_t at = 0;

	if (route == NULL) {
		CU_ASSERT_FATAL(r->n_routes < FX_ROUTES_MAX);
		route = &r->routes[r->n_routes++];
	}
	memset(route, 0, sizeof(*route));
	route->net = net;
	route->source = (enum hrp_source)g->source;
	route->weight = g->weight;
	snprintf(route->peer, sizeof(route->peer), "%s", g->peer);
	CU_ASSERT_FATAL(g->n_next_hops <= 8);
	route->n_next_hops = g->n_next_hops;
	if (g->n_next_hops > 0)
		memcpy(route->next_hops, g->next_hops, g->n_next_hops * sizeof(uint32_t));
	for (size_t i = 0; i < g->n_as_path && at < sizeof(route->path); i++)
		at += (size_t)snprintf(&route->path[at], sizeof(route->path) - at, "%s%u",
		    i == 0 ? "" : " ", g->as_path[i]);
}

static void
take_routes(struct fx_report *r, const Fab__V1__RouteBatch *b)
{
	r->batches++;
	if (b->cause != NULL)
		snprintf(r->cause, sizeof(r->cause), "%s", b->cause->text);
	for (size_t i = 0; i < b->n_withdrawn_addr; i++) {
		struct ipnet net = { b->withdrawn_addr[i], b->withdrawn_len.data[i] };
		struct fx_route *route = find(r, net);

		r->withdrawn++;
		if (route != NULL)
			*route = r->routes[--r->n_routes];
	}
	for (size_t g = 0; g < b->n_groups; g++)
		for (size_t i = 0; i < b->groups[g]->n_addr; i++)
			announce(r, b->groups[g],
			    (struct ipnet){ b->groups[g]->addr[i], b->groups[g]->len.data[i] });
}

static void
take_session(struct fx_report *r, const Fab__V1__SessionReport *m)
{
	size_t i = 0;

	r->sessions++;
	snprintf(r->last_session, sizeof(r->last_session), "%s %s%s", m->peer, m->state,
	    m->synced ? " synced" : "");
	while (i < r->sessions_up && strcmp(r->up[i], m->peer) != 0)
		i++;
	if (m->established && i == r->sessions_up) {
		CU_ASSERT_FATAL(i < FX_PEERS_MAX);
		snprintf(r->up[r->sessions_up++], sizeof(r->up[0]), "%s", m->peer);
	} else if (!m->established && i < r->sessions_up) {
		memmove(r->up[i], r->up[--r->sessions_up], sizeof(r->up[0]));
	}
}

void
fx_report_send(void *arg, const Fab__V1__ReportItem *item)
{
	struct fx_report *r = arg;

	r->items++;
	switch (item->body_case) {
	case FAB__V1__REPORT_ITEM__BODY_ROUTES:
		take_routes(r, item->routes);
		break;
	case FAB__V1__REPORT_ITEM__BODY_SESSION:
		take_session(r, item->session);
		break;
	case FAB__V1__REPORT_ITEM__BODY_STATUS:
		r->statuses++;
		r->converged = item->status->converged;
		r->generation = item->status->generation;
		r->status_routes = item->status->routes;
		break;
	case FAB__V1__REPORT_ITEM__BODY_NOTICE:
		r->notices++;
		snprintf(r->notice, sizeof(r->notice), "%s", item->notice->text);
		break;
	default:
		CU_FAIL("an item without a body");
	}
}

const struct fx_route *
fx_reported(const struct fx_report *r, const char *prefix)
{
	struct ipnet net = fx_net(prefix);

	for (size_t i = 0; i < r->n_routes; i++)
		if (ipnet_eq(r->routes[i].net, net))
			return &r->routes[i];
	return NULL;
}

const char *
fx_reported_hops(const struct fx_report *r, const char *prefix)
{
	static char text[160];
	const struct fx_route *route = fx_reported(r, prefix);
	char addr[IPADDR_STRLEN];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; route != NULL && i < route->n_next_hops; i++)
		at += (size_t)snprintf(&text[at], sizeof(text) - at, "%s%s", i == 0 ? "" : " ",
		    ipaddr_format(addr, route->next_hops[i]));
	return text;
}
