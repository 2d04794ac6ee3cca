/*
 * The calling side: one connection that is dialled again for as long as the client lives, unary
 * calls by number, and the streams of rpc_sub.c.
 *
 * A call waits (no connection yet), is sent (its REQUEST left; a loss fails it, it is never
 * repeated), or is finished (its done() is due at the end of the loop turn).
 */
#include "lib/rpc_impl.h"

#include "lib/clock.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum call_state { CALL_WAITING, CALL_SENT, CALL_FINISHED };

struct client_call {
	uint64_t id;
	enum call_state state;
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
	struct client_call *prev, *next; /* in the list of its state */
};

struct fab_rpc_client {
	struct fab_loop *loop;
	char *url;
	char *tls_files[3]; /* what tls points to */
	struct fab_tls tls;
	bool has_tls;
	fab_rpc_state_fn *state;
	void *ctx;

	struct fab_dial *dial;
	struct rpc_link *link;
	bool connected;
	struct fab_timer *retry;
	uint32_t delay;
	int last_err; /* why there is no connection */

	uint64_t next_id;
	struct client_call *calls; /* all, by id */
	struct client_call *lists[CALL_FINISHED + 1];
	struct fab_post finish; /* deferred: done() of finished calls */
	struct rpc_client_stream *streams;
	struct fab_rpc_stats stats;
	unsigned in_cb;
	bool freed;
};

static void client_dial(void *arg);

static void
client_enter(struct fab_rpc_client *c)
{
	c->in_cb++;
}

static void
client_leave(struct fab_rpc_client *c)
{
	if (--c->in_cb == 0 && c->freed)
		free(c);
}

/* A cheap generator; only has to keep clients from dialling in step. */
static uint32_t
jitter(uint32_t bound)
{
	static uint64_t state;

	if (state == 0)
		state = fab_mono_now().ns | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state % bound);
}

uint32_t
rpc_backoff(uint32_t *delay)
{
	uint32_t now = *delay < RPC_BACKOFF_MIN_MS ? RPC_BACKOFF_MIN_MS : *delay;

	*delay = 2 * now < RPC_BACKOFF_MAX_MS ? 2 * now : RPC_BACKOFF_MAX_MS;
	return now / 2 + 1 + jitter(now / 2);
}

/* ---- calls ---- */

static void
call_move(struct client_call *call, enum call_state state)
{
	struct fab_rpc_client *c = call->client;

	DL_DELETE(c->lists[call->state], call);
	call->state = state;
	DL_APPEND(c->lists[state], call);
}

static void
call_free(struct client_call *call)
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
call_done(struct client_call *call, enum fab_rpc_status status, const char *message,
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
call_finish_later(struct client_call *call, enum fab_rpc_status status, const char *message)
{
	call->status = status;
	call->message = message != NULL ? strdup(message) : NULL;
	if (call->timer != NULL)
		fab_timer_cancel(call->timer);
	call_move(call, CALL_FINISHED);
	fab_loop_defer(call->client->loop, &call->client->finish);
}

static void
finish_calls(void *arg)
{
	struct fab_rpc_client *c = arg;
	struct client_call *call;

	client_enter(c);
	while ((call = c->lists[CALL_FINISHED]) != NULL)
		call_done(call, call->status, call->message, NULL);
	client_leave(c);
}

static void
call_unreachable(struct client_call *call)
{
	struct fab_rpc_client *c = call->client;
	char text[RPC_MESSAGE_MAX];

	snprintf(text, sizeof(text), "no connection to %s: %s", c->url, fab_strerror(c->last_err));
	call_finish_later(call, FAB_RPC_UNAVAILABLE, text);
}

static void
on_call_timer(void *arg)
{
	struct client_call *call = arg;

	if (call->wait_ends) {
		call_unreachable(call);
		return;
	}
	if (call->state == CALL_SENT)
		rpc_link_send_cancel(call->client->link, call->id);
	call_finish_later(call, FAB_RPC_DEADLINE_EXCEEDED, "no answer in time");
}

/* Milliseconds until the deadline, 0 for none; at least 1. */
static uint32_t
call_time_left(const struct client_call *call)
{
	uint64_t spent = fab_mono_us_between(call->start, fab_mono_now()) / 1000;

	if (call->timeout_ms == 0)
		return 0;
	return spent < call->timeout_ms ? call->timeout_ms - (uint32_t)spent : 1;
}

static void
call_arm(struct client_call *call, uint32_t ms, bool wait_ends)
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
call_send(struct client_call *call)
{
	struct fab_rpc_client *c = call->client;
	uint32_t left = call_time_left(call);
	int err;

	err = rpc_link_send_buf(c->link, call->request);
	fab_buf_unref(call->request);
	call->request = NULL;
	call_move(call, CALL_SENT);
	if (err != FAB_OK)
		call_finish_later(call, FAB_RPC_UNAVAILABLE, fab_strerror(err));
	else
		call_arm(call, left, false);
}

static int
call_encode(struct client_call *call, const char *method, const ProtobufCMessage *req)
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

static const ProtobufCMethodDescriptor *
method_find(char *name, size_t size, const ProtobufCServiceDescriptor *service, const char *method)
{
	const ProtobufCMethodDescriptor *m =
	    protobuf_c_service_descriptor_get_method_by_name(service, method);

	FAB_ASSERT(m != NULL && rpc_method_name(name, size, service, method) == FAB_OK);
	return m;
}

static void
call_start(struct client_call *call, uint32_t wait_ms)
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
	struct client_call *call = calloc(1, sizeof(*call));
	char name[128];
	int err;

	FAB_ASSERT(call != NULL); /* done() could not be called either */
	call->client = c;
	call->id = ++c->next_id;
	call->done = done;
	call->ctx = ctx;
	call->timeout_ms = timeout_ms;
	call->start = fab_mono_now();
	call->reply_type = method_find(name, sizeof(name), service, method)->output;
	HASH_ADD(hh, c->calls, id, sizeof(call->id), call);
	DL_APPEND(c->lists[CALL_WAITING], call);
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
	struct client_call *call;

	HASH_FIND(hh, c->calls, &id, sizeof(id), call);
	if (call == NULL || call->state == CALL_FINISHED)
		return;
	if (call->state == CALL_SENT)
		rpc_link_send_cancel(c->link, id);
	call_finish_later(call, FAB_RPC_CANCELLED, "cancelled");
}

static void
on_response(struct client_call *call, const Fab__V1__RpcFrame *f)
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

/* ---- streams ---- */

static void
stream_open(struct rpc_client_stream *s)
{
	s->call = ++s->client->next_id;
	fab_timer_cancel(s->retry);
	s->open(s, s->client->link);
}

static void
on_stream_retry(void *arg)
{
	struct rpc_client_stream *s = arg;

	if (s->client != NULL && s->client->connected && s->call == 0)
		stream_open(s);
}

int
rpc_client_stream_init(struct rpc_client_stream *s, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method)
{
	int err = fab_timer_new(&s->retry, c->loop, on_stream_retry, s);

	if (err != FAB_OK)
		return err;
	s->client = c;
	s->method = method_find(s->name, sizeof(s->name), service, method);
	DL_APPEND(c->streams, s);
	fab_timer_set_ms(s->retry, 0); /* not from inside this call */
	return FAB_OK;
}

void
rpc_client_stream_fini(struct rpc_client_stream *s)
{
	if (s->client != NULL) {
		if (s->call != 0)
			rpc_link_send_cancel(s->client->link, s->call);
		DL_DELETE(s->client->streams, s);
	}
	fab_timer_free(s->retry);
}

void
rpc_client_stream_restart(struct rpc_client_stream *s)
{
	if (s->call != 0)
		rpc_link_send_cancel(s->client->link, s->call);
	s->call = 0;
	fab_timer_set_ms(s->retry, rpc_backoff(&s->delay));
}

static struct rpc_client_stream *
stream_find(struct fab_rpc_client *c, uint64_t call)
{
	struct rpc_client_stream *s;

	DL_FOREACH (c->streams, s)
		if (s->call == call)
			return s;
	return NULL;
}

static int
stream_frame(struct fab_rpc_client *c, struct rpc_client_stream *s, const Fab__V1__RpcFrame *f)
{
	switch (f->kind) {
	case FAB__V1__RPC_FRAME__KIND__ITEM:
		if (s->item != NULL)
			return s->item(s, f);
		break;
	case FAB__V1__RPC_FRAME__KIND__ACK:
		if (s->ack != NULL)
			return s->ack(s, f);
		break;
	case FAB__V1__RPC_FRAME__KIND__RESPONSE:
		s->call = 0;
		fab_timer_set_ms(s->retry, rpc_backoff(&s->delay));
		s->ended(s, (enum fab_rpc_status)f->status, f->message);
		return FAB_OK;
	default:
		break;
	}
	c->stats.stray_frames++;
	return FAB_OK;
}

/* ---- connection ---- */

static int
on_frame(void *ctx, const Fab__V1__RpcFrame *f)
{
	struct fab_rpc_client *c = ctx;
	struct rpc_client_stream *s;
	struct client_call *call;
	int err = FAB_OK;

	HASH_FIND(hh, c->calls, &f->call, sizeof(f->call), call);
	client_enter(c);
	if (call != NULL && call->state == CALL_SENT &&
	    f->kind == FAB__V1__RPC_FRAME__KIND__RESPONSE)
		on_response(call, f);
	else if (f->call != 0 && (s = stream_find(c, f->call)) != NULL)
		err = stream_frame(c, s, f);
	else
		c->stats.stray_frames++;
	client_leave(c);
	return err;
}

static void
client_retry(struct fab_rpc_client *c, int err)
{
	c->last_err = err;
	fab_timer_set_ms(c->retry, rpc_backoff(&c->delay));
}

/* Everything that was sent on the lost connection fails now; streams fall back to closed. */
static void
fail_sent(struct fab_rpc_client *c, int err)
{
	struct rpc_client_stream *s;
	struct client_call *call;
	char text[RPC_MESSAGE_MAX];

	snprintf(text, sizeof(text), "connection to %s lost: %s", c->url, fab_strerror(err));
	while (!c->freed && (call = c->lists[CALL_SENT]) != NULL)
		call_done(call, FAB_RPC_UNAVAILABLE, text, NULL);
	do {
		/* Anew after each callback, which may free any stream. */
		DL_FOREACH (c->streams, s)
			if (s->call != 0)
				break;
		if (s != NULL) {
			s->call = 0;
			s->ended(s, FAB_RPC_UNAVAILABLE, text);
		}
	} while (s != NULL && !c->freed);
}

static void
on_down(void *ctx, int err)
{
	struct fab_rpc_client *c = ctx;
	bool was_connected = c->connected;

	fab_debug("rpc: %s: %s", c->url, fab_strerror(err));
	client_enter(c);
	rpc_link_free(c->link);
	c->link = NULL;
	c->connected = false;
	client_retry(c, err);
	fail_sent(c, err);
	if (!c->freed && was_connected && c->state != NULL)
		c->state(c->ctx, false);
	client_leave(c);
}

static void
on_up(void *ctx)
{
	struct fab_rpc_client *c = ctx;
	struct rpc_client_stream *s, *next;
	struct client_call *call, *next_call;

	c->connected = true;
	c->delay = 0;
	c->stats.connections++;
	client_enter(c);
	if (c->state != NULL)
		c->state(c->ctx, true);
	if (!c->freed) {
		DL_FOREACH_SAFE (c->lists[CALL_WAITING], call, next_call)
			call_send(call);
		/* Streams open by their timers: a snapshot may do anything to the list. */
		DL_FOREACH_SAFE (c->streams, s, next) {
			s->delay = 0;
			fab_timer_set_ms(s->retry, 0);
		}
	}
	client_leave(c);
}

static const struct rpc_link_ops link_ops = { on_frame, on_up, on_down };

static void
on_dialled(void *ctx, struct fab_conn *conn, int err)
{
	struct fab_rpc_client *c = ctx;

	fab_dial_free(c->dial);
	c->dial = NULL;
	if (err == FAB_OK)
		err = rpc_link_new(&c->link, c->loop, conn, false, &link_ops, c, &c->stats);
	if (err != FAB_OK)
		client_retry(c, err);
}

static int
client_try(struct fab_rpc_client *c)
{
	return fab_conn_dial(&c->dial, c->loop, c->url, c->has_tls ? &c->tls : NULL, on_dialled, c);
}

static void
client_dial(void *arg)
{
	struct fab_rpc_client *c = arg;
	int err = client_try(c);

	if (err != FAB_OK)
		client_retry(c, err);
}

/* ---- interface ---- */

static int
client_copy_tls(struct fab_rpc_client *c, const struct fab_tls *tls)
{
	const char *from[3];

	if (tls == NULL)
		return FAB_OK;
	from[0] = tls->cert;
	from[1] = tls->key;
	from[2] = tls->ca;
	for (int i = 0; i < 3; i++)
		if (from[i] != NULL && (c->tls_files[i] = strdup(from[i])) == NULL)
			return FAB_ENOMEM;
	c->tls = (struct fab_tls){ c->tls_files[0], c->tls_files[1], c->tls_files[2] };
	c->has_tls = true;
	return FAB_OK;
}

int
fab_rpc_client_new(struct fab_rpc_client **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_rpc_state_fn *state, void *ctx)
{
	struct fab_rpc_client *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return FAB_ENOMEM;
	c->loop = loop;
	c->state = state;
	c->ctx = ctx;
	c->last_err = FAB_EUNREACH;
	c->finish = (struct fab_post){ .fn = finish_calls, .arg = c };
	err = fab_timer_new(&c->retry, loop, client_dial, c);
	if (err == FAB_OK && (c->url = strdup(url)) == NULL)
		err = FAB_ENOMEM;
	if (err == FAB_OK)
		err = client_copy_tls(c, tls);
	if (err == FAB_OK)
		err = client_try(c);
	if (err != FAB_OK) {
		fab_rpc_client_free(c);
		return err;
	}
	*out = c;
	return FAB_OK;
}

static void
client_orphan_streams(struct fab_rpc_client *c)
{
	struct rpc_client_stream *s, *next;

	DL_FOREACH_SAFE (c->streams, s, next) {
		bool open = s->call != 0;

		DL_DELETE(c->streams, s);
		s->client = NULL;
		s->call = 0;
		fab_timer_cancel(s->retry);
		if (open)
			s->ended(s, FAB_RPC_CANCELLED, NULL);
	}
}

void
fab_rpc_client_free(struct fab_rpc_client *c)
{
	if (c == NULL || c->freed)
		return;
	c->freed = true;
	client_enter(c);
	fab_timer_free(c->retry);
	fab_dial_free(c->dial);
	client_orphan_streams(c);
	rpc_link_flush_free(c->link);
	c->link = NULL;
	c->connected = false;
	/* With those that a done() of them starts. */
	while (c->calls != NULL)
		call_done(c->calls, FAB_RPC_CANCELLED, "the client is closed", NULL);
	fab_loop_defer_cancel(c->loop, &c->finish);
	for (size_t i = 0; i < 3; i++)
		free(c->tls_files[i]);
	free(c->url);
	client_leave(c);
}

bool
fab_rpc_client_connected(const struct fab_rpc_client *c)
{
	return c->connected;
}

const struct fab_rpc_stats *
fab_rpc_client_stats(const struct fab_rpc_client *c)
{
	return &c->stats;
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
