/*
 * The serving side: listeners, connections, and the calls on each by number. A call is an entry of
 * one of three kinds: unary, server stream (we send), sink (we receive a client stream).
 *
 * Nothing that comes from a client is trusted: see on_frame() for the reaction to each kind of
 * nonsense, and the limits in lib/rpc.h.
 */
#include "lib/rpc_impl.h"

#include "lib/log.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum entry_kind { ENTRY_UNARY, ENTRY_STREAM, ENTRY_SINK };

struct entry {
	uint64_t id;
	enum entry_kind kind;
	struct server_conn *conn; /* NULL: the caller is gone */
	UT_hash_handle hh;
};

struct fab_rpc_call {
	struct entry e;
	struct fab_rpc_server *server;
	ProtobufCMessage *req;
	struct fab_timer *deadline;
	fab_loop_fn *cancel;
	void *cancel_arg;
	fab_rpc_done_fn *local_done; /* fab_rpc_call_handler(): no caller, this instead */
	void *local_ctx;
	bool in_handler;
	bool answered;
	struct fab_rpc_call *prev, *next; /* server->calls */
};

struct server_stream {
	struct fab_rpc_stream s; /* first, freed as such */
	struct entry e;
};

struct server_sink {
	struct entry e;
	const struct fab_rpc_sink_ops *ops;
	void *ctx;
	void *stream_ctx;
	const ProtobufCMessageDescriptor *type;
	struct rpc_rx rx;
};

struct server_conn {
	struct fab_rpc_server *server;
	struct rpc_link *link;
	struct entry *entries;
	size_t streams;
	struct server_conn *prev, *next;
};

struct server_method {
	char name[128];
	const struct fab_rpc_handler *row;
	const ProtobufCMethodDescriptor *type;
	void *ctx;
	UT_hash_handle hh;
};

struct server_listener {
	struct fab_conn_listener *l;
	struct server_listener *next;
};

struct fab_rpc_server {
	struct fab_loop *loop;
	struct server_method *methods;
	struct server_listener *listeners;
	struct server_conn *conns;
	size_t conn_count;
	struct fab_rpc_call *calls; /* unanswered */
	size_t call_count;
	struct fab_rpc_stats stats;
};

/* ---- entries ---- */

static void
entry_add(struct server_conn *conn, struct entry *e, uint64_t id, enum entry_kind kind)
{
	e->id = id;
	e->kind = kind;
	e->conn = conn;
	HASH_ADD(hh, conn->entries, id, sizeof(e->id), e);
}

static void
entry_remove(struct entry *e)
{
	if (e->conn == NULL)
		return;
	HASH_DEL(e->conn->entries, e);
	if (e->kind != ENTRY_UNARY)
		e->conn->streams--;
	e->conn = NULL;
}

static struct fab_rpc_call *
entry_call(struct entry *e)
{
	return (struct fab_rpc_call *)((char *)e - offsetof(struct fab_rpc_call, e));
}

static struct server_stream *
entry_stream(struct entry *e)
{
	return (struct server_stream *)((char *)e - offsetof(struct server_stream, e));
}

static struct server_sink *
entry_sink(struct entry *e)
{
	return (struct server_sink *)((char *)e - offsetof(struct server_sink, e));
}

/* ---- unary calls ---- */

static void
call_free(struct fab_rpc_call *call)
{
	entry_remove(&call->e);
	if (call->server != NULL) {
		DL_DELETE(call->server->calls, call);
		call->server->call_count--;
	}
	fab_timer_free(call->deadline);
	if (call->req != NULL && call->local_done == NULL)
		protobuf_c_message_free_unpacked(call->req, NULL);
	free(call);
}

static void
call_answer(struct fab_rpc_call *call, enum fab_rpc_status status, const char *message,
    const ProtobufCMessage *reply)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	struct server_conn *conn = call->e.conn;

	FAB_ASSERT(!call->answered);
	call->answered = true;
	if (call->local_done != NULL) {
		call->local_done(call->local_ctx, status, message, reply);
	} else if (conn != NULL && reply != NULL) {
		f.kind = FAB__V1__RPC_FRAME__KIND__RESPONSE;
		f.call = call->e.id;
		if (rpc_link_send(conn->link, &f, reply) == FAB_ETOOBIG)
			rpc_link_send_status(conn->link, call->e.id, FAB_RPC_RESOURCE_EXHAUSTED,
			    "the answer is too big for a frame");
	} else if (conn != NULL) {
		rpc_link_send_status(conn->link, call->e.id, status, message);
	}
	if (!call->in_handler)
		call_free(call);
}

void
fab_rpc_reply(struct fab_rpc_call *call, const ProtobufCMessage *reply)
{
	call_answer(call, FAB_RPC_OK, "", reply);
}

void
fab_rpc_fail(struct fab_rpc_call *call, enum fab_rpc_status status, const char *fmt, ...)
{
	char text[RPC_MESSAGE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	call_answer(call, status, text, NULL);
}

void
fab_rpc_call_on_cancel(struct fab_rpc_call *call, fab_loop_fn *fn, void *arg)
{
	call->cancel = fn;
	call->cancel_arg = arg;
}

/* Nobody waits for the answer any more. May free call. */
static void
call_gone(struct fab_rpc_call *call)
{
	fab_loop_fn *fn = call->cancel;

	entry_remove(&call->e);
	fab_timer_free(call->deadline);
	call->deadline = NULL;
	call->cancel = NULL;
	if (fn != NULL)
		fn(call->cancel_arg);
}

static void
on_deadline(void *arg)
{
	struct fab_rpc_call *call = arg;

	if (call->e.conn != NULL)
		rpc_link_send_status(
		    call->e.conn->link, call->e.id, FAB_RPC_DEADLINE_EXCEEDED, "no answer in time");
	call_gone(call);
}

static int
open_unary(struct server_conn *conn, const struct server_method *m, const Fab__V1__RpcFrame *f,
    ProtobufCMessage *req)
{
	struct fab_rpc_server *server = conn->server;
	struct fab_rpc_call *call;

	if (server->call_count >= FAB_RPC_PENDING_MAX)
		return FAB_ETOOBIG;
	if ((call = calloc(1, sizeof(*call))) == NULL)
		return FAB_ENOMEM;
	call->server = server;
	call->req = req;
	DL_APPEND(server->calls, call);
	server->call_count++;
	entry_add(conn, &call->e, f->call, ENTRY_UNARY);
	call->in_handler = true;
	m->row->unary(m->ctx, call, req);
	call->in_handler = false;
	if (call->answered)
		call_free(call);
	else if (f->timeout_ms > 0 &&
		 fab_timer_new(&call->deadline, server->loop, on_deadline, call) == FAB_OK)
		fab_timer_set_ms(call->deadline, f->timeout_ms);
	return FAB_OK;
}

void
fab_rpc_call_handler(const struct fab_rpc_handler *table, void *ctx, const char *method,
    const ProtobufCMessage *req, fab_rpc_done_fn *done, void *done_ctx)
{
	struct fab_rpc_call *call;

	while (table->method != NULL && strcmp(table->method, method) != 0)
		table++;
	FAB_ASSERT(table->unary != NULL);
	call = calloc(1, sizeof(*call));
	FAB_ASSERT(call != NULL);
	call->local_done = done;
	call->local_ctx = done_ctx;
	call->in_handler = true;
	table->unary(ctx, call, req);
	call->in_handler = false;
	if (call->answered)
		call_free(call);
}

/* ---- server streams ---- */

/* fab_rpc_stream_end() was called and all is sent. */
static void
stream_ended(struct fab_rpc_stream *s)
{
	struct server_stream *ss = (struct server_stream *)s;

	entry_remove(&ss->e);
	rpc_stream_fini(s);
	free(ss);
}

static void
stream_gone(struct server_stream *ss)
{
	bool told = ss->s.ending; /* the owner has forgotten it */

	entry_remove(&ss->e);
	ss->s.ending = true;
	rpc_stream_detach(&ss->s);
	if (!told && ss->s.ops->closed != NULL)
		ss->s.ops->closed(ss->s.ctx, &ss->s);
	rpc_stream_fini(&ss->s);
	free(ss);
}

static int
open_stream(struct server_conn *conn, const struct server_method *m, const Fab__V1__RpcFrame *f,
    const ProtobufCMessage *req)
{
	struct server_stream *ss;
	enum fab_rpc_status status;
	char why[256] = "";

	if (conn->streams >= FAB_RPC_STREAMS_MAX)
		return FAB_ETOOBIG;
	if ((ss = calloc(1, sizeof(*ss))) == NULL)
		return FAB_ENOMEM;
	rpc_stream_init(&ss->s);
	ss->s.ended = stream_ended;
	status = m->row->open(m->ctx, req, &ss->s, &ss->s.ops, &ss->s.ctx, why);
	if (status != FAB_RPC_OK) {
		rpc_link_send_status(conn->link, f->call, status, why);
		rpc_stream_fini(&ss->s);
		free(ss);
		return FAB_OK;
	}
	conn->streams++;
	entry_add(conn, &ss->e, f->call, ENTRY_STREAM);
	rpc_stream_attach(&ss->s, conn->link, f->call);
	return FAB_OK;
}

/* ---- sinks ---- */

static int
open_sink(struct server_conn *conn, const struct server_method *m, const Fab__V1__RpcFrame *f)
{
	struct server_sink *sink;

	if (conn->streams >= FAB_RPC_STREAMS_MAX)
		return FAB_ETOOBIG;
	if ((sink = calloc(1, sizeof(*sink))) == NULL)
		return FAB_ENOMEM;
	sink->ops = m->row->sink;
	sink->ctx = m->ctx;
	sink->type = m->type->input;
	rpc_rx_init(&sink->rx, conn->link, f->call);
	conn->streams++;
	entry_add(conn, &sink->e, f->call, ENTRY_SINK);
	sink->ops->open(sink->ctx, &sink->stream_ctx);
	return FAB_OK;
}

static void
sink_gone(struct server_sink *sink)
{
	entry_remove(&sink->e);
	rpc_rx_fini(&sink->rx);
	sink->ops->closed(sink->ctx, sink->stream_ctx);
	free(sink);
}

/* A gap or a malformed item ends this stream only; its sender starts again with a snapshot. */
static void
sink_item(struct server_conn *conn, struct server_sink *sink, const Fab__V1__RpcFrame *f)
{
	struct fab_rpc_item info;
	ProtobufCMessage *item;

	if (rpc_rx_item(&sink->rx, f, sink->type, &item, &info) != FAB_OK) {
		conn->server->stats.bad_frames++;
		rpc_link_send_status(
		    conn->link, f->call, FAB_RPC_DATA_LOSS, "malformed item or gap");
		sink_gone(sink);
		return;
	}
	sink->ops->item(sink->ctx, sink->stream_ctx, item, &info);
	protobuf_c_message_free_unpacked(item, NULL);
}

/* ---- frames ---- */

static void
entry_gone(struct entry *e)
{
	switch (e->kind) {
	case ENTRY_UNARY:
		call_gone(entry_call(e));
		break;
	case ENTRY_STREAM:
		stream_gone(entry_stream(e));
		break;
	case ENTRY_SINK:
		sink_gone(entry_sink(e));
		break;
	}
}

static void
refuse(struct server_conn *conn, uint64_t call, int err)
{
	conn->server->stats.refused++;
	rpc_link_send_status(conn->link, call, FAB_RPC_RESOURCE_EXHAUSTED,
	    err == FAB_ETOOBIG ? "too many calls" : "out of memory");
}

static int
open_call(struct server_conn *conn, const struct server_method *m, const Fab__V1__RpcFrame *f)
{
	ProtobufCMessage *req;
	int err;

	if (m->row->sink != NULL)
		return open_sink(conn, m, f);
	req = rpc_body_decode(m->type->input, &f->body);
	if (req == NULL) {
		rpc_link_send_status(
		    conn->link, f->call, FAB_RPC_INVALID_ARGUMENT, "the request does not decode");
		return FAB_OK;
	}
	if (m->row->unary != NULL) {
		err = open_unary(conn, m, f, req); /* owns req if it succeeds */
	} else {
		err = open_stream(conn, m, f, req);
		if (err == FAB_OK)
			protobuf_c_message_free_unpacked(req, NULL);
	}
	if (err != FAB_OK)
		protobuf_c_message_free_unpacked(req, NULL);
	return err;
}

static void
on_request(struct server_conn *conn, const Fab__V1__RpcFrame *f)
{
	struct fab_rpc_server *server = conn->server;
	struct server_method *m;
	int err = FAB_ETOOBIG;

	server->stats.calls++;
	HASH_FIND_STR(server->methods, f->method, m);
	if (m == NULL) {
		rpc_link_send_status(conn->link, f->call, FAB_RPC_UNIMPLEMENTED, "no such method");
		return;
	}
	if (HASH_COUNT(conn->entries) < FAB_RPC_CALLS_MAX)
		err = open_call(conn, m, f);
	if (err != FAB_OK)
		refuse(conn, f->call, err);
}

/* A wrong call number in a REQUEST ends the connection: the client cannot be told which call
 * failed. Frames for calls that are not (any more) ours are normal after a cancel. */
static int
on_frame(void *ctx, const Fab__V1__RpcFrame *f)
{
	struct server_conn *conn = ctx;
	struct entry *e;

	HASH_FIND(hh, conn->entries, &f->call, sizeof(f->call), e);
	if (f->kind == FAB__V1__RPC_FRAME__KIND__REQUEST) {
		if (f->call == 0 || e != NULL)
			return FAB_EBADMSG;
		on_request(conn, f);
		return FAB_OK;
	}
	if (e != NULL && f->kind == FAB__V1__RPC_FRAME__KIND__CANCEL)
		entry_gone(e);
	else if (e != NULL && e->kind == ENTRY_SINK && f->kind == FAB__V1__RPC_FRAME__KIND__ITEM)
		sink_item(conn, entry_sink(e), f);
	else if (e != NULL && e->kind == ENTRY_STREAM && f->kind == FAB__V1__RPC_FRAME__KIND__ACK)
		return rpc_stream_ack(&entry_stream(e)->s, f->epoch, f->seq);
	else
		conn->server->stats.stray_frames++;
	return FAB_OK;
}

/* ---- connections ---- */

static void
conn_drop(struct server_conn *conn)
{
	while (conn->entries != NULL)
		entry_gone(conn->entries);
	DL_DELETE(conn->server->conns, conn);
	conn->server->conn_count--;
	free(conn);
}

static void
on_down(void *ctx, int err)
{
	struct server_conn *conn = ctx;
	struct rpc_link *link = conn->link;

	fab_debug("rpc: client gone: %s", fab_strerror(err));
	conn_drop(conn);
	rpc_link_free(link);
}

static const struct rpc_link_ops link_ops = { .frame = on_frame, .down = on_down };

static void
on_accept(void *ctx, struct fab_conn *c)
{
	struct fab_rpc_server *server = ctx;
	struct server_conn *conn;

	if (server->conn_count >= FAB_RPC_CONNS_MAX || (conn = calloc(1, sizeof(*conn))) == NULL) {
		server->stats.refused++;
		fab_conn_free(c);
		return;
	}
	conn->server = server;
	if (rpc_link_new(&conn->link, server->loop, c, true, &link_ops, conn, &server->stats) !=
	    FAB_OK) {
		free(conn);
		return;
	}
	DL_APPEND(server->conns, conn);
	server->conn_count++;
	server->stats.connections++;
}

/* ---- interface ---- */

int
fab_rpc_server_new(struct fab_rpc_server **out, struct fab_loop *loop)
{
	struct fab_rpc_server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return FAB_ENOMEM;
	s->loop = loop;
	*out = s;
	return FAB_OK;
}

static int
method_add(struct fab_rpc_server *s, const ProtobufCServiceDescriptor *service,
    const struct fab_rpc_handler *row, void *ctx)
{
	struct server_method *m, *other;
	int err;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return FAB_ENOMEM;
	m->row = row;
	m->ctx = ctx;
	m->type = protobuf_c_service_descriptor_get_method_by_name(service, row->method);
	err = m->type != NULL ? FAB_OK : FAB_ENOENT;
	if (err == FAB_OK)
		err = rpc_method_name(m->name, sizeof(m->name), service, row->method);
	if (err == FAB_OK) {
		HASH_FIND_STR(s->methods, m->name, other);
		err = other == NULL ? FAB_OK : FAB_EEXIST;
	}
	if (err != FAB_OK) {
		free(m);
		return err;
	}
	HASH_ADD_STR(s->methods, name, m);
	return FAB_OK;
}

int
fab_rpc_server_add(struct fab_rpc_server *s, const ProtobufCServiceDescriptor *service,
    const struct fab_rpc_handler *table, void *ctx)
{
	int err = FAB_OK;

	for (; err == FAB_OK && table->method != NULL; table++) {
		if ((table->unary != NULL) + (table->open != NULL) + (table->sink != NULL) != 1)
			return FAB_EINVAL;
		err = method_add(s, service, table, ctx);
	}
	return err;
}

int
fab_rpc_server_listen(struct fab_rpc_server *s, const char *url, const struct fab_tls *tls)
{
	struct server_listener *l = calloc(1, sizeof(*l));
	int err;

	if (l == NULL)
		return FAB_ENOMEM;
	err = fab_conn_listen(&l->l, s->loop, url, tls, on_accept, s);
	if (err != FAB_OK) {
		free(l);
		return err;
	}
	LL_PREPEND(s->listeners, l);
	return FAB_OK;
}

uint16_t
fab_rpc_server_port(const struct fab_rpc_server *s)
{
	const struct server_listener *l;

	LL_FOREACH (s->listeners, l)
		if (fab_conn_listener_port(l->l) != 0)
			return fab_conn_listener_port(l->l);
	return 0;
}

const struct fab_rpc_stats *
fab_rpc_server_stats(const struct fab_rpc_server *s)
{
	return &s->stats;
}

static void
listeners_free(struct fab_rpc_server *s)
{
	struct server_listener *l, *next;

	LL_FOREACH_SAFE (s->listeners, l, next) {
		fab_conn_listener_free(l->l);
		free(l);
	}
	s->listeners = NULL;
}

void
fab_rpc_server_free(struct fab_rpc_server *s)
{
	struct server_method *m, *next;
	struct fab_rpc_call *call, *next_call;

	if (s == NULL)
		return;
	listeners_free(s);
	while (s->conns != NULL) {
		struct rpc_link *link = s->conns->link;

		conn_drop(s->conns);
		rpc_link_flush_free(link);
	}
	DL_FOREACH_SAFE (s->calls, call, next_call)
		call->server = NULL; /* its handler still answers */
	HASH_ITER (hh, s->methods, m, next) {
		HASH_DEL(s->methods, m);
		free(m);
	}
	free(s);
}
