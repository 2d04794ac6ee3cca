/*
 * The unary calls of a client, by number.
 *
 * A call waits (no connection yet), is sent (its REQUEST left; a loss fails it, it is never
 * repeated), or is finished (its done() is due at the end of the loop turn).
 */
#include "lib/rpc_client_impl.h"

#include "lib/clock.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct rpc_client_call {
	uint64_t id;
	enum rpc_call_state state;
	struct fab_buf *request; /* until it is sent */
	const ProtobufCMessageDescriptor *reply_type;
	fab_rpc_done_fn *done;
	void *ctx;
	struct fab_timer *timer; /* the deadline, or the end of waiting if that is earlier */
	struct fab_mono start;
	uint32_t timeout_ms;
	bool wait_ends; /* the timer stands for the end of waiting */
	enum fab_rpc_status status;
	char *message;
	struct fab_rpc_client *client;
	UT_hash_handle hh;
	struct rpc_client_call *prev, *next; /* in the list of its state */
};

static void
call_move(struct rpc_client_call *call, enum rpc_call_state state)
{
	struct fab_rpc_client *c = call->client;

	DL_DELETE(c->lists[call->state], call);
	call->state = state;
	DL_APPEND(c->lists[state], call);
}

static void
call_free(struct rpc_client_call *call)
{
	struct fab_rpc_client *c = call->client;

	HASH_DEL(c->calls, call);
	DL_DELETE(c->lists[call->state], call);
	fab_timer_free(call->timer);
	fab_buf_unref(call->request);
	free(call->message);
	free(call);
}

/* Calls done() and frees; the client may be gone afterwards unless the caller entered it. */
static void
call_done(struct rpc_client_call *call, enum fab_rpc_status status, const char *message,
    const ProtobufCMessage *reply)
{
	fab_rpc_done_fn *done = call->done;
	void *ctx = call->ctx;
	char text[RPC_MESSAGE_MAX];

	/* message may be the call's own. */
	snprintf(text, sizeof(text), "%s", message != NULL ? message : "");
	call_free(call);
	done(ctx, status, text, reply);
}

/* As call_done(), at the end of the turn. */
static void
call_finish_later(struct rpc_client_call *call, enum fab_rpc_status status, const char *message)
{
	call->status = status;
	call->message = message != NULL ? strdup(message) : NULL;
	if (call->timer != NULL)
		fab_timer_cancel(call->timer);
	call_move(call, RPC_CALL_FINISHED);
	fab_loop_defer(call->client->loop, &call->client->finish);
}

static void
finish_calls(void *arg)
{
	struct fab_rpc_client *c = arg;
	struct rpc_client_call *call;

	rpc_client_enter(c);
	while ((call = c->lists[RPC_CALL_FINISHED]) != NULL)
		call_done(call, call->status, call->message, NULL);
	rpc_client_leave(c);
}

static void
call_unreachable(struct rpc_client_call *call)
{
	struct fab_rpc_client *c = call->client;
	char text[RPC_MESSAGE_MAX];

	snprintf(text, sizeof(text), "no connection to %s: %s", c->url, fab_strerror(c->last_err));
	call_finish_later(call, FAB_RPC_UNAVAILABLE, text);
}

static void
on_call_timer(void *arg)
{
	struct rpc_client_call *call = arg;

	if (call->wait_ends) {
		call_unreachable(call);
		return;
	}
	if (call->state == RPC_CALL_SENT)
		rpc_link_send_cancel(call->client->link, call->id);
	call_finish_later(call, FAB_RPC_DEADLINE_EXCEEDED, "no answer in time");
}

/* Milliseconds until the deadline, 0 for none; at least 1. */
static uint32_t
call_time_left(const struct rpc_client_call *call)
{
	uint64_t spent = fab_mono_us_between(call->start, fab_mono_now()) / 1000;

	if (call->timeout_ms == 0)
		return 0;
	return spent < call->timeout_ms ? call->timeout_ms - (uint32_t)spent : 1;
}

static void
call_arm(struct rpc_client_call *call, uint32_t ms, bool wait_ends)
{
	call->wait_ends = wait_ends;
	if (ms == 0) {
		if (call->timer != NULL)
			fab_timer_cancel(call->timer);
		return;
	}
	if (call->timer == NULL &&
	    fab_timer_new(&call->timer, call->client->loop, on_call_timer, call) != FAB_OK)
		return; /* the connection still bounds the call */
	fab_timer_set_ms(call->timer, ms);
}

static void
call_send(struct rpc_client_call *call)
{
	struct fab_rpc_client *c = call->client;
	uint32_t left = call_time_left(call);
	int err;

	err = rpc_link_send_buf(c->link, call->request);
	fab_buf_unref(call->request);
	call->request = NULL;
	call_move(call, RPC_CALL_SENT);
	if (err != FAB_OK)
		call_finish_later(call, FAB_RPC_UNAVAILABLE, fab_strerror(err));
	else
		call_arm(call, left, false);
}

static int
call_encode(struct rpc_client_call *call, const char *method, const ProtobufCMessage *req)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	char name[128];

	snprintf(name, sizeof(name), "%s", method);
	f.kind = FAB__V1__RPC_FRAME__KIND__REQUEST;
	f.call = call->id;
	f.method = name;
	f.timeout_ms = call->timeout_ms;
	return rpc_frame_encode(&call->request, &f, req);
}

static void
call_start(struct rpc_client_call *call, uint32_t wait_ms)
{
	struct fab_rpc_client *c = call->client;
	uint32_t left = call->timeout_ms;

	if (HASH_COUNT(c->calls) > FAB_RPC_CALLS_MAX)
		call_finish_later(call, FAB_RPC_RESOURCE_EXHAUSTED, "too many calls");
	else if (c->connected)
		call_send(call);
	else if (wait_ms == 0)
		call_unreachable(call);
	else
		call_arm(call, left != 0 && left < wait_ms ? left : wait_ms,
		    left == 0 || wait_ms <= left);
}

uint64_t
fab_rpc_call(struct fab_rpc_client *c, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *req, uint32_t timeout_ms, uint32_t wait_ms,
    fab_rpc_done_fn *done, void *ctx)
{
	struct rpc_client_call *call = calloc(1, sizeof(*call));
	char name[128];
	int err;

	FAB_ASSERT(call != NULL); /* done() could not be called either */
	call->client = c;
	call->id = ++c->next_id;
	call->done = done;
	call->ctx = ctx;
	call->timeout_ms = timeout_ms;
	call->start = fab_mono_now();
	call->reply_type = rpc_method_find(name, sizeof(name), service, method)->output;
	HASH_ADD(hh, c->calls, id, sizeof(call->id), call);
	DL_APPEND(c->lists[RPC_CALL_WAITING], call);
	c->stats.calls++;
	err = call_encode(call, name, req);
	if (err != FAB_OK)
		call_finish_later(call, FAB_RPC_RESOURCE_EXHAUSTED, fab_strerror(err));
	else
		call_start(call, wait_ms);
	return call->id;
}

void
fab_rpc_cancel(struct fab_rpc_client *c, uint64_t id)
{
	struct rpc_client_call *call;

	HASH_FIND(hh, c->calls, &id, sizeof(id), call);
	if (call == NULL || call->state == RPC_CALL_FINISHED)
		return;
	if (call->state == RPC_CALL_SENT)
		rpc_link_send_cancel(c->link, id);
	call_finish_later(call, FAB_RPC_CANCELLED, "cancelled");
}

static void
on_response(struct rpc_client_call *call, const Fab__V1__RpcFrame *f)
{
	ProtobufCMessage *reply;

	if (f->status != FAB_RPC_OK) {
		call_done(call, (enum fab_rpc_status)f->status, f->message, NULL);
		return;
	}
	reply = rpc_body_decode(call->reply_type, &f->body);
	if (reply != NULL)
		call_done(call, FAB_RPC_OK, "", reply);
	else
		call_done(call, FAB_RPC_INTERNAL, "the answer does not decode", NULL);
	protobuf_c_message_free_unpacked(reply, NULL);
}

/* ---- for rpc_client.c ---- */

void
rpc_calls_init(struct fab_rpc_client *c)
{
	c->finish = (struct fab_post){ .fn = finish_calls, .arg = c };
}

void
rpc_calls_fini(struct fab_rpc_client *c)
{
	/* With those that a done() of them starts. */
	while (c->calls != NULL)
		call_done(c->calls, FAB_RPC_CANCELLED, "the client is closed", NULL);
	fab_loop_defer_cancel(c->loop, &c->finish);
}

void
rpc_calls_send_waiting(struct fab_rpc_client *c)
{
	struct rpc_client_call *call, *next;

	DL_FOREACH_SAFE (c->lists[RPC_CALL_WAITING], call, next)
		call_send(call);
}

bool
rpc_calls_frame(struct fab_rpc_client *c, const Fab__V1__RpcFrame *f)
{
	struct rpc_client_call *call;

	HASH_FIND(hh, c->calls, &f->call, sizeof(f->call), call);
	if (call == NULL || call->state != RPC_CALL_SENT ||
	    f->kind != FAB__V1__RPC_FRAME__KIND__RESPONSE)
		return false;
	on_response(call, f);
	return true;
}

void
rpc_calls_fail_sent(struct fab_rpc_client *c, const char *why)
{
	while (!c->freed && c->lists[RPC_CALL_SENT] != NULL)
		call_done(c->lists[RPC_CALL_SENT], FAB_RPC_UNAVAILABLE, why, NULL);
}

/* ---- synchronous calls ---- */

struct sync_call {
	bool done;
	enum fab_rpc_status status;
	const ProtobufCMessageDescriptor *type;
	ProtobufCMessage *reply;
	char *why;
};

/* The reply belongs to the library; the caller wants one of its own. */
static void
on_sync_done(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct sync_call *sync = ctx;
	size_t len = reply != NULL ? protobuf_c_message_get_packed_size(reply) : 0;
	uint8_t *data;

	sync->done = true;
	sync->status = status;
	snprintf(sync->why, 256, "%s", message);
	if (reply == NULL)
		return;
	data = malloc(len + 1);
	if (data != NULL) {
		protobuf_c_message_pack(reply, data);
		sync->reply = protobuf_c_message_unpack(reply->descriptor, NULL, len, data);
		free(data);
	}
	if (sync->reply == NULL)
		sync->status = FAB_RPC_RESOURCE_EXHAUSTED;
}

enum fab_rpc_status
fab_rpc_call_sync(struct fab_loop *loop, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method, const ProtobufCMessage *req,
    uint32_t timeout_ms, uint32_t wait_ms, ProtobufCMessage **reply, char why[static 256])
{
	struct sync_call sync = { .why = why };
	uint64_t id;

	why[0] = '\0';
	id = fab_rpc_call(c, service, method, req, timeout_ms, wait_ms, on_sync_done, &sync);
	while (!sync.done && !fab_loop_stopping(loop))
		fab_loop_turn(loop, 1000);
	if (!sync.done) {
		fab_rpc_cancel(c, id);
		while (!sync.done)
			fab_loop_turn(loop, 0);
	}
	if (sync.status == FAB_RPC_OK)
		*reply = sync.reply;
	return sync.status;
}
