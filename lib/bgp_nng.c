/*
 * BGP between our own daemons: protobuf messages (wire_bgp.c), one frame of lib/conn each. The
 * dialler says Hello first, because an ipc path has no source address; the listener keeps a
 * connection to itself until it knows by Hello whom to offer it to.
 */
#include "lib/bgp_transport.h"
#include "lib/err.h"
#include "lib/wire_bgp.h"

#include <stdlib.h>
#include <utlist.h>

#define HELLO_TIMEOUT_MS 5000
#define STRANGERS_MAX    256 /* connections without a Hello */

struct nng_listener;

struct nng {
	struct bgp_transport base;
	struct fab_loop *loop;
	struct fab_conn *conn;
	struct fab_dial *dial;
	struct fab_timer *timer; /* continues reading; or: Hello is late */
	const struct bgp_session_conf *conf;
	struct nng_listener *listener; /* until Hello */
	struct nng *prev, *next;       /* among the strangers of the listener */
	unsigned frames;               /* since the last pause */
	unsigned in_cb;
	bool dead;
};

struct nng_listener {
	struct bgp_listener base;
	struct fab_loop *loop;
	struct fab_conn_listener *l;
	struct nng *strangers;
	size_t n_strangers;
	struct bgp_scratch scratch;
	bgp_accept_fn *fn;
	void *ctx;
};

static void
stranger_leaves(struct nng *t)
{
	if (t->listener == NULL)
		return;
	DL_DELETE(t->listener->strangers, t);
	t->listener->n_strangers--;
	t->listener = NULL;
}

static void
nng_free(struct nng *t)
{
	stranger_leaves(t);
	fab_conn_free(t->conn);
	t->conn = NULL;
	if (t->in_cb > 0) {
		t->dead = true;
		return;
	}
	fab_dial_free(t->dial);
	fab_timer_free(t->timer);
	free(t);
}

static void
leave_cb(struct nng *t)
{
	if (--t->in_cb == 0 && t->dead)
		nng_free(t);
}

static void
nng_down(struct nng *t, int err)
{
	if (t->listener != NULL) {
		nng_free(t);
		return;
	}
	t->in_cb++;
	if (t->base.cb != NULL)
		t->base.cb->down(t->base.ctx, err);
	leave_cb(t);
}

/* ---- what lib/conn tells ---- */

static void hello_received(struct nng *t, const uint8_t *data, size_t len);

static void
on_frame(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len)
{
	struct nng *t = ctx;

	if (t->listener != NULL) {
		hello_received(t, data, len);
		return;
	}
	if (++t->frames >= BGP_MSGS_PER_TURN) {
		t->frames = 0;
		fab_conn_pause(c, true);
		fab_timer_set_ms(t->timer, 0);
	}
	t->in_cb++;
	t->base.cb->message(t->base.ctx, data, len);
	leave_cb(t);
}

static void
on_closed(void *ctx, struct fab_conn *c, int err)
{
	struct nng *t = ctx;

	fab_conn_free(c);
	t->conn = NULL;
	fab_timer_cancel(t->timer);
	nng_down(t, err);
}

static void
on_drained(void *ctx, struct fab_conn *c)
{
	struct nng *t = ctx;

	(void)c;
	if (t->base.cb == NULL)
		return;
	t->in_cb++;
	t->base.cb->drained(t->base.ctx);
	leave_cb(t);
}

static const struct fab_conn_cb conn_cb = {
	.frame = on_frame,
	.closed = on_closed,
	.drained = on_drained,
};

static void
on_timer(void *arg)
{
	struct nng *t = arg;

	if (t->listener != NULL)
		nng_free(t); /* no Hello in time */
	else if (t->conn != NULL)
		fab_conn_pause(t->conn, false);
}

static int
nng_new(struct nng **out, struct fab_loop *loop)
{
	struct nng *t = calloc(1, sizeof(*t));

	if (t == NULL || fab_timer_new(&t->timer, loop, on_timer, t) != FAB_OK) {
		free(t);
		return FAB_ENOMEM;
	}
	t->base.ops = &bgp_nng_ops;
	t->loop = loop;
	*out = t;
	return FAB_OK;
}

static void
take_conn(struct nng *t, struct fab_conn *c)
{
	t->conn = c;
	fab_conn_set_high_water(c, BGP_HIGH_WATER);
	fab_conn_set_cb(c, &conn_cb, t);
}

/* ---- dialling ---- */

static int
say_hello(struct nng *t)
{
	struct bgp_hello hello = { t->conf->local_name, t->conf->local_addr, t->conf->peer_addr };
	struct fab_buf *b = wire_bgp_encode_hello(&hello);
	int rc = b == NULL ? FAB_ENOMEM : fab_conn_send(t->conn, b);

	fab_buf_unref(b);
	return rc;
}

static void
on_dialled(void *ctx, struct fab_conn *c, int err)
{
	struct nng *t = ctx;

	fab_dial_free(t->dial);
	t->dial = NULL;
	if (err == FAB_OK) {
		take_conn(t, c);
		err = say_hello(t);
	}
	if (err != FAB_OK) {
		nng_down(t, err);
		return;
	}
	t->in_cb++;
	t->base.cb->up(t->base.ctx);
	leave_cb(t);
}

static int
nng_dial(struct bgp_transport **out, struct fab_loop *loop, const struct bgp_session_conf *conf,
    const struct bgp_transport_cb *cb, void *ctx)
{
	struct nng *t;
	int rc = nng_new(&t, loop);

	if (rc != FAB_OK)
		return rc;
	t->base.cb = cb;
	t->base.ctx = ctx;
	t->conf = conf;
	rc = fab_conn_dial(&t->dial, loop, conf->dial_url, conf->tls, on_dialled, t);
	if (rc != FAB_OK) {
		nng_free(t);
		return rc;
	}
	*out = &t->base;
	return FAB_OK;
}

/* ---- the rest of the vtable ---- */

static void
nng_adopt(struct bgp_transport *base, const struct bgp_session_conf *conf,
    const struct bgp_transport_cb *cb, void *ctx)
{
	struct nng *t = (struct nng *)base;

	t->conf = conf;
	t->base.cb = cb;
	t->base.ctx = ctx;
}

static int
nng_send(struct bgp_transport *base, struct fab_buf *b)
{
	struct nng *t = (struct nng *)base;

	return t->conn == NULL ? FAB_ECLOSED : fab_conn_send(t->conn, b);
}

static size_t
nng_backlog(const struct bgp_transport *base)
{
	const struct nng *t = (const struct nng *)base;

	return t->conn == NULL ? 0 : fab_conn_backlog(t->conn);
}

static void
nng_close(struct bgp_transport *base, struct fab_buf *last)
{
	struct nng *t = (struct nng *)base;

	if (last != NULL && t->conn != NULL && fab_conn_send(t->conn, last) == FAB_OK) {
		fab_conn_flush_free(t->conn, BGP_LINGER_MS);
		t->conn = NULL;
	}
	nng_free(t);
}

const struct bgp_transport_ops bgp_nng_ops = {
	.dial = nng_dial,
	.adopt = nng_adopt,
	.send = nng_send,
	.backlog = nng_backlog,
	.close = nng_close,
	.decode = wire_bgp_decode,
	.encode_open = wire_bgp_encode_open,
	.encode_notify = wire_bgp_encode_notify,
	.encode_keepalive = wire_bgp_encode_keepalive,
	.encode_refresh = wire_bgp_encode_refresh,
};

/* ---- listening ---- */

/* The first frame of a stranger: after it, the connection is a session's or gone. */
static void
hello_received(struct nng *t, const uint8_t *data, size_t len)
{
	static const struct bgp_decode_opts opts = { .as4 = true };
	struct nng_listener *l = t->listener;
	struct bgp_incoming in = { .t = &t->base };
	struct bgp_notify err;
	struct bgp_msg m;

	if (wire_bgp_decode(&m, &l->scratch, &opts, data, len, &err) != FAB_OK ||
	    m.type != BGP_MSG_HELLO) {
		nng_free(t);
		return;
	}
	stranger_leaves(t);
	fab_timer_cancel(t->timer);
	in.to_addr = m.hello.to_addr;
	t->in_cb++;
	l->fn(l->ctx, &in, m.hello.from_addr);
	if (in.t != NULL)
		bgp_incoming_refuse(&in, 0);
	leave_cb(t);
}

static void
on_accept(void *ctx, struct fab_conn *c)
{
	struct nng_listener *l = ctx;
	struct nng *t;

	if (l->n_strangers >= STRANGERS_MAX || nng_new(&t, l->loop) != FAB_OK) {
		fab_conn_free(c);
		return;
	}
	t->listener = l;
	DL_APPEND(l->strangers, t);
	l->n_strangers++;
	fab_timer_set_ms(t->timer, HELLO_TIMEOUT_MS);
	take_conn(t, c);
}

static void
nng_listener_free(struct bgp_listener *base)
{
	struct nng_listener *l = (struct nng_listener *)base;

	while (l->strangers != NULL)
		nng_free(l->strangers);
	fab_conn_listener_free(l->l);
	bgp_scratch_fini(&l->scratch);
	free(l);
}

int
bgp_listen_nng(struct bgp_listener **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, bgp_accept_fn *fn, void *ctx)
{
	struct nng_listener *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return FAB_ENOMEM;
	l->base.free = nng_listener_free;
	l->loop = loop;
	l->fn = fn;
	l->ctx = ctx;
	rc = fab_conn_listen(&l->l, loop, url, tls, on_accept, l);
	if (rc != FAB_OK) {
		free(l);
		return rc;
	}
	l->base.port = fab_conn_listener_port(l->l);
	*out = &l->base;
	return FAB_OK;
}
