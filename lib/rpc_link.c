/*
 * A connection that carries RPC frames. Adds to lib/conn: the server's greeting, heartbeats that
 * find a silent peer, and an end to reading while the peer does not read our answers.
 *
 * One timer per link, armed for the earliest moment at which silence can matter, so traffic costs
 * no timer work. The server is a bit more patient than the client; so on an idle link only the
 * client sends PING, and the server's timer finds that it heard something.
 */
#include "lib/rpc_impl.h"

#include "lib/clock.h"
#include "lib/log.h"

#include <stdlib.h>

#define MISSED_MAX      3
#define HIGH_WATER      (4u << 20) /* octets of answers that wait: stop reading requests */
#define FLUSH_MS        2000
#define PATIENCE_US     (UINT64_C(1000) * FAB_RPC_HEARTBEAT_MS)
#define SERVER_EXTRA_US UINT64_C(500000)

struct rpc_link {
	struct fab_loop *loop;
	struct fab_conn *conn;
	const struct rpc_link_ops *ops;
	void *ctx;
	struct fab_rpc_stats *stats;
	struct fab_timer *timer;
	struct fab_mono last_rx;
	uint64_t patience_us; /* at most so much silence before PING, and between PINGs; 3/4 of it
				 at least */
	uint64_t sent_then;   /* fab_conn_sent() at the last heartbeat while paused */
	unsigned missed;
	bool up;
	bool paused;
	bool dead;
	bool freed;
	unsigned in_cb;
};

static void
link_leave(struct rpc_link *l)
{
	if (--l->in_cb == 0 && l->freed)
		free(l);
}

static void
link_down(struct rpc_link *l, int err)
{
	if (l->dead || l->freed)
		return;
	l->dead = true;
	fab_timer_cancel(l->timer);
	l->in_cb++;
	l->ops->down(l->ctx, err);
	link_leave(l);
}

static void
send_kind(struct rpc_link *l, Fab__V1__RpcFrame__Kind kind)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;

	f.kind = kind;
	rpc_link_send(l, &f, NULL);
}

/* ---- heartbeats ---- */

static void
arm_heartbeat(struct rpc_link *l, uint64_t us)
{
	uint64_t ms = (us + 999) / 1000;

	fab_timer_set_within(l->timer, ms - ms / 4, ms);
}

/* While we do not read because the peer does not, silence says nothing, but progress does. */
static bool
paused_peer_reads(struct rpc_link *l)
{
	uint64_t sent = fab_conn_sent(l->conn);
	bool reads = sent != l->sent_then;

	l->sent_then = sent;
	return reads;
}

/* Misses are counted by timer, not by the clock: after a process was stopped itself, its peers get
 * all their chances to be heard. */
static void
on_heartbeat(void *arg)
{
	struct rpc_link *l = arg;
	uint64_t silent = fab_mono_us_between(l->last_rx, fab_mono_now());

	if (silent < l->patience_us - l->patience_us / 4) {
		arm_heartbeat(l, l->patience_us - silent);
		return;
	}
	if (l->paused && paused_peer_reads(l)) {
		l->missed = 0;
		arm_heartbeat(l, l->patience_us);
		return;
	}
	if (l->missed++ == MISSED_MAX) {
		fab_debug("rpc: peer is silent, closing");
		l->stats->silent_peers++;
		link_down(l, FAB_ETIMEOUT);
		return;
	}
	if (!l->paused)
		send_kind(l, FAB__V1__RPC_FRAME__KIND__PING);
	arm_heartbeat(l, l->patience_us);
}

/* ---- connection ---- */

static int
link_dispatch(struct rpc_link *l, const Fab__V1__RpcFrame *f)
{
	if (!l->up) {
		l->up = true;
		if (l->ops->up != NULL)
			l->ops->up(l->ctx);
		if (l->dead || l->freed)
			return FAB_OK;
	}
	switch (f->kind) {
	case FAB__V1__RPC_FRAME__KIND__PING:
		send_kind(l, FAB__V1__RPC_FRAME__KIND__PONG);
		return FAB_OK;
	case FAB__V1__RPC_FRAME__KIND__PONG:
		return FAB_OK;
	default:
		return l->ops->frame(l->ctx, f);
	}
}

static void
on_frame(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len)
{
	struct rpc_link *l = ctx;
	Fab__V1__RpcFrame *f;
	int err = FAB_EBADMSG;

	(void)c;
	if (l->dead)
		return;
	l->last_rx = fab_mono_now();
	l->missed = 0;
	l->stats->frames_in++;
	l->in_cb++;
	f = rpc_frame_decode(data, len);
	if (f != NULL) {
		err = link_dispatch(l, f);
		fab__v1__rpc_frame__free_unpacked(f, NULL);
	}
	if (err != FAB_OK) {
		l->stats->bad_frames++;
		link_down(l, err);
	}
	link_leave(l);
}

static void
on_closed(void *ctx, struct fab_conn *c, int err)
{
	struct rpc_link *l = ctx;

	(void)c;
	if (err == FAB_ETOOBIG)
		l->stats->bad_frames++;
	link_down(l, err);
}

static void
on_drained(void *ctx, struct fab_conn *c)
{
	struct rpc_link *l = ctx;

	l->paused = false;
	l->last_rx = fab_mono_now();
	fab_conn_pause(c, false);
}

static const struct fab_conn_cb conn_cb = { on_frame, on_closed, on_drained };

int
rpc_link_new(struct rpc_link **out, struct fab_loop *loop, struct fab_conn *conn, bool greet,
    const struct rpc_link_ops *ops, void *ctx, struct fab_rpc_stats *stats)
{
	struct rpc_link *l = calloc(1, sizeof(*l));

	if (l == NULL || fab_timer_new(&l->timer, loop, on_heartbeat, l) != FAB_OK) {
		free(l);
		fab_conn_free(conn);
		return FAB_ENOMEM;
	}
	l->loop = loop;
	l->conn = conn;
	l->ops = ops;
	l->ctx = ctx;
	l->stats = stats;
	l->last_rx = fab_mono_now();
	l->patience_us = PATIENCE_US + (greet ? SERVER_EXTRA_US : 0);
	arm_heartbeat(l, l->patience_us);
	fab_conn_set_high_water(conn, HIGH_WATER);
	fab_conn_set_cb(conn, &conn_cb, l);
	if (greet)
		send_kind(l, FAB__V1__RPC_FRAME__KIND__PING);
	*out = l;
	return FAB_OK;
}

static void
link_finish(struct rpc_link *l)
{
	fab_timer_free(l->timer);
	l->timer = NULL;
	l->conn = NULL;
	l->dead = true;
	l->freed = true;
	if (l->in_cb == 0)
		free(l);
}

void
rpc_link_free(struct rpc_link *l)
{
	if (l == NULL)
		return;
	fab_conn_free(l->conn);
	link_finish(l);
}

void
rpc_link_flush_free(struct rpc_link *l)
{
	if (l == NULL)
		return;
	fab_conn_flush_free(l->conn, FLUSH_MS);
	link_finish(l);
}

int
rpc_link_send_buf(struct rpc_link *l, struct fab_buf *b)
{
	int err;

	if (l->dead)
		return FAB_ECLOSED;
	err = fab_conn_send(l->conn, b);
	if (err == FAB_OK && !l->paused && fab_conn_backlog(l->conn) > HIGH_WATER) {
		l->paused = true;
		l->sent_then = fab_conn_sent(l->conn);
		fab_conn_pause(l->conn, true);
	}
	return err;
}

int
rpc_link_send(struct rpc_link *l, const Fab__V1__RpcFrame *head, const ProtobufCMessage *body)
{
	struct fab_buf *b;
	int err;

	if (l->dead)
		return FAB_ECLOSED;
	err = rpc_frame_encode(&b, head, body);
	if (err != FAB_OK)
		return err;
	err = rpc_link_send_buf(l, b);
	fab_buf_unref(b);
	return err;
}

void
rpc_link_send_status(
    struct rpc_link *l, uint64_t call, enum fab_rpc_status status, const char *message)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	char text[RPC_MESSAGE_MAX];

	snprintf(text, sizeof(text), "%s", message != NULL ? message : "");
	f.kind = FAB__V1__RPC_FRAME__KIND__RESPONSE;
	f.call = call;
	f.status = (uint32_t)status;
	f.message = text;
	rpc_link_send(l, &f, NULL);
}

void
rpc_link_send_cancel(struct rpc_link *l, uint64_t call)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;

	if (l == NULL)
		return;
	f.kind = FAB__V1__RPC_FRAME__KIND__CANCEL;
	f.call = call;
	rpc_link_send(l, &f, NULL);
}

struct fab_loop *
rpc_link_loop(struct rpc_link *l)
{
	return l->loop;
}

struct fab_rpc_stats *
rpc_link_stats(struct rpc_link *l)
{
	return l->stats;
}
