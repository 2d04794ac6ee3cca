/*
 * Questions to nodes (see fc_ask.h). Calls in flight hold the ask: it is freed with the last of
 * them, whether somebody still wants it or not.
 */
#include "fabricd/fc_ask.h"

#include "fabricd/fc_mem.h"
#include "lib/err.h"
#include "proto/speaker.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct slot {
	struct fc_ask *ask;
	char name[FC_NODE_NAME_MAX];
	ProtobufCMessage *reply;
};

struct fc_ask {
	struct fc_nodes *ns;
	const struct fc_question *q; /* only while starting */
	struct fc_answer answers[FC_ASK_NODES_MAX];
	struct slot slots[FC_ASK_NODES_MAX];
	size_t n, pending, foreign;
	fc_ask_fn *fn; /* NULL: nobody wants the answers any more */
	void *ctx;
	struct fab_loop *loop;
	struct fab_post finish;
};

static void
ask_destroy(struct fc_ask *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->slots[i].reply != NULL)
			protobuf_c_message_free_unpacked(a->slots[i].reply, NULL);
	free(a);
}

static void
ask_release(struct fc_ask *a)
{
	if (--a->pending > 0)
		return;
	if (a->fn != NULL)
		a->fn(a->ctx, a->answers, a->n);
	ask_destroy(a);
}

/* The reply is the library's and gone after the callback. */
static ProtobufCMessage *
copy_message(const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *buf = malloc(len + 1);
	ProtobufCMessage *copy;

	if (buf == NULL)
		return NULL;
	protobuf_c_message_pack(m, buf);
	copy = protobuf_c_message_unpack(m->descriptor, NULL, len, buf);
	free(buf);
	return copy;
}

static void
answered(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct slot *s = ctx;
	struct fc_ask *a = s->ask;
	struct fc_answer *answer = &a->answers[s - a->slots];

	(void)message;
	answer->status = status;
	answer->reachable = status != FAB_RPC_UNAVAILABLE && status != FAB_RPC_CANCELLED &&
			    status != FAB_RPC_DEADLINE_EXCEEDED;
	if (status == FAB_RPC_OK && a->fn != NULL && (s->reply = copy_message(reply)) == NULL)
		answer->status = FAB_RPC_RESOURCE_EXHAUSTED;
	answer->reply = s->reply;
	ask_release(a);
}

static void
ask_node(void *arg, struct fc_node *n)
{
	struct fc_ask *a = arg;
	const struct topo_node *tn = fc_node_topo(a->ns, n);
	struct fab_rpc_client *client;
	struct slot *s;

	if (!(a->q->kinds & 1u << tn->kind) || a->n == FC_ASK_NODES_MAX ||
	    (a->q->instance >= 0 && (unsigned)a->q->instance != tn->instance))
		return;
	if (n->foreign) {
		a->foreign++;
		return;
	}
	s = &a->slots[a->n];
	s->ask = a;
	snprintf(s->name, sizeof(s->name), "%s", n->name);
	a->answers[a->n++] = (struct fc_answer){
		.node = s->name, .instance = tn->instance, .status = FAB_RPC_UNAVAILABLE
	};
	if ((client = fc_node_client(a->ns, n)) == NULL)
		return;
	a->pending++;
	fab_rpc_call(client, &fab__v1__speaker__descriptor, a->q->method, a->q->req,
	    FC_ASK_TIMEOUT_MS, FC_ASK_TIMEOUT_MS, answered, s);
}

static void
finish_cb(void *arg)
{
	ask_release(arg);
}

int
fc_ask_new(
    struct fc_ask **out, struct fc_nodes *ns, const struct fc_question *q, fc_ask_fn *fn, void *ctx)
{
	struct fc_ask *a = calloc(1, sizeof(*a));
	int err;

	if (a == NULL)
		return FAB_ENOMEM;
	a->ns = ns;
	a->q = q;
	a->pending = 1;
	fc_nodes_named(ns, q->name, ask_node, a);
	a->q = NULL;
	if (a->n == 0) {
		err = a->foreign > 0 ? FAB_ENOTSUP : FAB_ENOENT;
		ask_destroy(a);
		return err;
	}
	a->fn = fn;
	a->ctx = ctx;
	a->loop = fc_nodes_loop(ns);
	a->finish = (struct fab_post){ .fn = finish_cb, .arg = a };
	fab_loop_defer(a->loop, &a->finish);
	*out = a;
	return FAB_OK;
}

void
fc_ask_free(struct fc_ask *a)
{
	if (a == NULL)
		return;
	a->fn = NULL;
	if (a->finish.queued) {
		fab_loop_defer_cancel(a->loop, &a->finish);
		ask_release(a);
	}
}

int
fc_ask_expr(
    struct fc_ask **out, struct fc_nodes *ns, const struct fc_expr *e, fc_ask_fn *fn, void *ctx)
{
	Fab__V1__PeerRoutesRequest req = FAB__V1__PEER_ROUTES_REQUEST__INIT;
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct fc_question q = { .name = e->a,
		.kinds = 1u << TOPO_NODE_ROUTE_SERVER,
		.instance = -1,
		.method = e->kind == FC_EXPR_LEARNED ? "ListLearned" : "ListAdvertised",
		.req = &req.base };

	req.peer = fc_unconst(e->b);
	if (e->kind == FC_EXPR_KNOWS) {
		q.kinds = 1u << TOPO_NODE_NVA | 1u << TOPO_NODE_SITE;
		q.method = "ListRoutes";
		q.req = &empty.base;
	}
	return fc_ask_new(out, ns, &q, fn, ctx);
}

/* "65515-65001", "none" */
static bool
path_is(const Fab__V1__BgpRoute *r, const char *want)
{
	char number[16];

	if (strcmp(want, "none") == 0)
		return r->n_as_path == 0;
	for (size_t i = 0; i < r->n_as_path; i++) {
		int len = snprintf(number, sizeof(number), "%s%u", i > 0 ? "-" : "", r->as_path[i]);

		if (strncmp(want, number, (size_t)len) != 0)
			return false;
		want += len;
	}
	return *want == '\0' && r->n_as_path > 0;
}

static bool
has_community(const Fab__V1__BgpRoute *r, uint32_t community)
{
	for (size_t i = 0; i < r->n_communities; i++)
		if (r->communities[i] == community)
			return true;
	return false;
}

static bool
route_is(const Fab__V1__BgpRoute *r, const struct fc_expr *e)
{
	return r->addr == e->prefix.addr && r->len == e->prefix.len &&
	       (e->kind != FC_EXPR_KNOWS ||
		   (r->best && (!e->has_via || strcmp(r->peer, e->way) == 0))) &&
	       (e->path[0] == '\0' || path_is(r, e->path)) &&
	       (!e->has_community || has_community(r, e->community));
}

bool
fc_answer_has(const struct fc_answer *a, const struct fc_expr *e)
{
	const Fab__V1__BgpRouteList *list = (const Fab__V1__BgpRouteList *)a->reply;

	for (size_t i = 0; list != NULL && i < list->n_routes; i++)
		if (route_is(list->routes[i], e))
			return true;
	return false;
}
