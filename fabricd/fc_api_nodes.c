/*
 * Service Fabric: the processes, and the listings that are asked of the nodes themselves.
 */
#include "fabricd/fc_api_impl.h"
#include "fabricd/fc_ask.h"
#include "fabricd/fc_converge.h"
#include "fabricd/fc_pairs.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KINDS_RS      (1u << TOPO_NODE_ROUTE_SERVER)
#define KINDS_GATEWAY (1u << TOPO_NODE_ER_GATEWAY | 1u << TOPO_NODE_VPN_GATEWAY)
#define KINDS_MSEE    (1u << TOPO_NODE_MSEE)
#define KINDS_ROUTER  (1u << TOPO_NODE_NVA | 1u << TOPO_NODE_SITE)

/* ---- Ps ---- */

struct count {
	const struct fc *f;
	const struct fc_node *n;
	uint32_t up, all;
};

/* Sessions of foreign software, as the other ends see them. Between two that are foreign nobody can
 * tell, so those do not count. */
static void
count_foreign(void *arg, const struct fc_pair *p)
{
	struct count *c = arg;
	const struct fc_end *me = &p->dial, *other = &p->listen;
	const struct fc_session *s;
	const struct fc_node *n;

	if (strcmp(p->listen.name, c->n->name) == 0) {
		me = &p->listen;
		other = &p->dial;
	}
	if (strcmp(me->name, c->n->name) != 0 || other->node == NULL)
		return;
	n = fc_node_find(c->f->nodes, other->node->name);
	if (n != NULL && n->foreign)
		return;
	c->all++;
	s = n == NULL ? NULL : fc_session_find(n, me->name);
	c->up += s != NULL && s->established;
}

static void
count_sessions(struct count *c)
{
	const struct fc_session *s;

	if (c->n->foreign) {
		fc_pairs_each(c->f->topo, count_foreign, c);
		return;
	}
	c->all = (uint32_t)c->n->n_peers;
	for (s = c->n->sessions; s != NULL; s = s->hh.next)
		c->up += s->established;
}

/* Where a Route Server instance listens for foreign software. */
static struct topo_tcp
tcp_of(const struct topo *t, const struct topo_node *tn)
{
	switch (tn->kind) {
	case TOPO_NODE_ROUTE_SERVER:
		return t->servers[tn->index].bgp_listen[tn->instance];
	case TOPO_NODE_NVA:
		return t->nvas[tn->index].bgp_listen;
	case TOPO_NODE_SITE:
		return t->sites[tn->index].bgp_listen;
	default:
		return (struct topo_tcp){ 0 };
	}
}

static void
add_endpoints(struct fc_mem *mem, Fab__V1__NodeInfo *out, const struct fc *f,
    const struct fc_node *n, const struct topo_node *tn)
{
	struct topo_tcp tcp = tcp_of(f->topo, tn);
	char url[FC_URL_MAX], addr[IPADDR_STRLEN];

	if ((out->endpoints = fc_mem_take(mem, 3, sizeof(char *))) == NULL)
		return;
	if (!n->foreign) {
		if (n->url[0] != '\0')
			out->endpoints[out->n_endpoints++] = fc_unconst(n->url);
		if (fc_url_format(url, f->conf.urls.bgp, n->name) == FAB_OK)
			out->endpoints[out->n_endpoints++] = fc_mem_format(mem, "%s", url);
	}
	if (tcp.port != 0)
		out->endpoints[out->n_endpoints++] =
		    fc_mem_format(mem, "tcp://%s:%u", ipaddr_format(addr, tcp.addr), tcp.port);
}

static void
fill_node(
    struct fc_mem *mem, Fab__V1__NodeInfo *out, const struct fc *f, const struct topo_node *tn)
{
	const struct fc_node *n = fc_node_find(f->nodes, tn->name);
	struct count c = { .f = f, .n = n };

	fab__v1__node_info__init(out);
	out->name = fc_unconst(tn->name);
	out->kind = fc_unconst(fc_node_kind_name(tn->kind));
	out->run = tn->run;
	out->n_run = tn->n_run;
	if (n == NULL)
		return;
	count_sessions(&c);
	out->sessions = c.all;
	out->sessions_up = c.up;
	out->state = fc_unconst(fc_node_state(n));
	if (fc_node_connected(n)) {
		out->pid = n->pid;
		out->started_us = n->started_us;
	}
	out->converged = n->foreign ? c.up == c.all : fc_node_converged(n);
	add_endpoints(mem, out, f, n, tn);
}

static void
fill_self(struct fc_mem *mem, Fab__V1__NodeInfo *out, const struct fc *f)
{
	fab__v1__node_info__init(out);
	out->name = fc_unconst(FC_NAME);
	out->kind = fc_unconst("fabric");
	out->state = fc_unconst("running");
	out->pid = getpid();
	out->started_us = f->started_us;
	out->converged = true; /* it waits for nobody */
	if (f->conf.listen_url != NULL &&
	    (out->endpoints = fc_mem_take(mem, 1, sizeof(char *))) != NULL)
		out->endpoints[out->n_endpoints++] = fc_unconst(f->conf.listen_url);
}

static size_t
count_switches(const struct fc *f)
{
	size_t n = 0;

	for (const struct fc_switch_host *h = NULL; (h = fc_switch_next(f->sw, h)) != NULL;)
		n++;
	return n;
}

void
fc_api_ps(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	Fab__V1__NodeList reply = FAB__V1__NODE_LIST__INIT;
	const struct fc *f = ctx;
	size_t n_nodes = f->topo->n_nodes + 1, n = n_nodes + count_switches(f);
	struct fc_mem mem = { 0 };
	Fab__V1__NodeInfo *out = fc_mem_take(&mem, n, sizeof(*out));
	const struct fc_switch_host *h = NULL;

	(void)msg;
	reply.nodes = fc_mem_take(&mem, n, sizeof(*reply.nodes));
	if (reply.nodes != NULL) {
		fill_self(&mem, &out[0], f);
		for (size_t i = n_nodes; i < n; i++)
			fc_api_fill_switch(&mem, &out[i], f, h = fc_switch_next(f->sw, h));
		for (size_t i = 1; i < n_nodes; i++)
			fill_node(&mem, &out[i], f, &f->topo->nodes[i - 1]);
		for (; reply.n_nodes < n; reply.n_nodes++)
			reply.nodes[reply.n_nodes] = &out[reply.n_nodes];
	}
	fc_api_reply(call, &mem, &reply.base);
}

/* ---- listings of nodes ---- */

static void
routes_answered(void *ctx, const struct fc_answer *a, size_t n)
{
	Fab__V1__InstanceRoutes reply = FAB__V1__INSTANCE_ROUTES__INIT;
	struct fc_mem mem = { 0 };
	Fab__V1__InstanceRouteList *out;

	out = fc_mem_take(&mem, n, sizeof(*out));
	reply.instances = fc_mem_take(&mem, n, sizeof(*reply.instances));
	for (size_t i = 0; i < n && reply.instances != NULL; i++) {
		const Fab__V1__BgpRouteList *list = (const Fab__V1__BgpRouteList *)a[i].reply;

		fab__v1__instance_route_list__init(&out[i]);
		out[i].instance = fc_unconst(a[i].node);
		out[i].index = a[i].instance;
		out[i].reachable = a[i].reachable;
		out[i].routes = list == NULL ? NULL : list->routes;
		out[i].n_routes = list == NULL ? 0 : list->n_routes;
		reply.instances[reply.n_instances++] = &out[i];
	}
	fc_api_reply(ctx, &mem, &reply.base); /* ctx is the call */
}

static void
peers_answered(void *ctx, const struct fc_answer *a, size_t n)
{
	Fab__V1__InstancePeers reply = FAB__V1__INSTANCE_PEERS__INIT;
	struct fc_mem mem = { 0 };
	Fab__V1__InstancePeerList *out;

	out = fc_mem_take(&mem, n, sizeof(*out));
	reply.instances = fc_mem_take(&mem, n, sizeof(*reply.instances));
	for (size_t i = 0; i < n && reply.instances != NULL; i++) {
		const Fab__V1__PeerList *list = (const Fab__V1__PeerList *)a[i].reply;

		fab__v1__instance_peer_list__init(&out[i]);
		out[i].instance = fc_unconst(a[i].node);
		out[i].index = a[i].instance;
		out[i].reachable = a[i].reachable;
		out[i].peers = list == NULL ? NULL : list->peers;
		out[i].n_peers = list == NULL ? 0 : list->n_peers;
		reply.instances[reply.n_instances++] = &out[i];
	}
	fc_api_reply(ctx, &mem, &reply.base); /* ctx is the call */
}

/* Whether the resource has a session with a peer of that name or address, up or not. */
struct peer_search {
	const struct fc *f;
	const char *resource, *peer;
	uint32_t addr; /* 0: peer is no address */
	bool found;
};

static bool
end_is_peer(const struct peer_search *s, const struct fc_end *e)
{
	return strcmp(e->name, s->peer) == 0 || (s->addr != 0 && e->address == s->addr);
}

static void
search_peer(void *arg, const struct fc_pair *p)
{
	struct peer_search *s = arg;
	const struct topo *t = s->f->topo;

	s->found |= (fc_end_named(t, &p->dial, s->resource) && end_is_peer(s, &p->listen)) ||
		    (fc_end_named(t, &p->listen, s->resource) && end_is_peer(s, &p->dial));
}

static bool
has_peer(const struct fc *f, const char *resource, const char *peer)
{
	struct peer_search s = { .f = f, .resource = resource, .peer = peer };

	if (ipaddr_parse(&s.addr, peer) != FAB_OK)
		s.addr = 0;
	fc_pairs_each(f->topo, search_peer, &s);
	return s.found;
}

/* Asks the nodes of req->resource; what says in a refusal what was looked for. */
static void
ask(struct fc *f, struct fab_rpc_call *call, const Fab__V1__PeerRequest *req,
    struct fc_question *question, const char *what, fc_ask_fn *answered)
{
	struct fc_ask *unused;
	int err;

	question->name = req->resource;
	err = fc_ask_new(&unused, f->nodes, question, answered, call);
	if (err == FAB_ENOENT)
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no %s '%s'", what, req->resource);
	else if (err == FAB_ENOTSUP)
		fab_rpc_fail(call, FAB_RPC_FAILED_PRECONDITION,
		    "'%s' runs other software: ask its own tool", req->resource);
	else if (err != FAB_OK)
		fab_rpc_fail(call, fab_rpc_status_of(err), "%s", fab_strerror(err));
}

static void
ask_about_peer(struct fc *f, struct fab_rpc_call *call, const ProtobufCMessage *msg, unsigned kinds,
    const char *method, const char *what)
{
	const Fab__V1__PeerRequest *req = (const Fab__V1__PeerRequest *)msg;
	Fab__V1__PeerRoutesRequest about = FAB__V1__PEER_ROUTES_REQUEST__INIT;
	struct fc_question q = {
		.kinds = kinds, .instance = -1, .method = method, .req = &about.base
	};

	/* RS-113: a peer that is down has no routes; one that is not configured is a mistake, and
	 * gateways are no peers of a Route Server (RS-114). */
	if (req->peer[0] != '\0' && !has_peer(f, req->resource, req->peer)) {
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no %s '%s' with a peer '%s'", what,
		    req->resource, req->peer);
		return;
	}
	about.peer = req->peer;
	ask(f, call, req, &q, what, routes_answered);
}

void
fc_api_routes_learned(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	ask_about_peer(ctx, call, msg, KINDS_RS, "ListLearned", "Route Server");
}

void
fc_api_routes_advertised(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	ask_about_peer(ctx, call, msg, KINDS_RS, "ListAdvertised", "Route Server");
}

void
fc_api_gateway_learned(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	ask_about_peer(ctx, call, msg, KINDS_GATEWAY, "ListLearned", "gateway");
}

void
fc_api_gateway_advertised(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	ask_about_peer(ctx, call, msg, KINDS_GATEWAY, "ListAdvertised", "gateway");
}

static void
ask_for_peers(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg, unsigned kinds,
    const char *what)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct fc_question q = {
		.kinds = kinds, .instance = -1, .method = "ListPeers", .req = &empty.base
	};

	ask(ctx, call, (const Fab__V1__PeerRequest *)msg, &q, what, peers_answered);
}

void
fc_api_gateway_peers(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	ask_for_peers(ctx, call, msg, KINDS_GATEWAY, "gateway");
}

void
fc_api_server_peers(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	ask_for_peers(ctx, call, msg, KINDS_RS, "Route Server");
}

void
fc_api_circuit_routes(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__PeerRequest *req = (const Fab__V1__PeerRequest *)msg;
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct fc_question q = {
		.kinds = KINDS_MSEE, .instance = -1, .method = "ListRoutes", .req = &empty.base
	};

	if (strcmp(req->peer, "primary") == 0)
		q.instance = 0;
	else if (strcmp(req->peer, "secondary") == 0)
		q.instance = 1;
	else if (req->peer[0] != '\0') {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT,
		    "'%s' is neither primary nor secondary", req->peer);
		return;
	}
	ask(ctx, call, req, &q, "circuit", routes_answered);
}

void
fc_api_router_routes(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct fc_question q = {
		.kinds = KINDS_ROUTER, .instance = -1, .method = "ListRoutes", .req = &empty.base
	};

	ask(ctx, call, (const Fab__V1__PeerRequest *)msg, &q, "NVA or site", routes_answered);
}
