#ifndef LIB_CONN_H
#define LIB_CONN_H
/*
 * A connection that carries whole messages over an NNG byte stream (ipc://PATH, tcp://HOST:PORT,
 * tls+tcp://HOST:PORT): each message is preceded by its length in 4 octets, network order. Why not
 * NNG's message sockets: see docs/architecture.md.
 *
 * All calls and callbacks are on the loop's thread; NNG's own threads only post to the loop.
 */
#include "lib/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAB_CONN_FRAME_MAX (16u << 20) /* octets; a longer frame ends the connection */

struct fab_conn;
struct fab_conn_listener;
struct fab_dial;

/* File names in PEM; with a ca the other side must present a certificate that it signed. */
struct fab_tls {
	const char *cert;
	const char *key;
	const char *ca;
};

/* A counted, immutable message: one encoding can wait in the queues of many connections. */
struct fab_buf {
	uint32_t refs;
	uint32_t len;
	uint8_t data[];
};

struct fab_buf *fab_buf_new(size_t len); /* NULL: out of memory; refs 1, data not initialised */
struct fab_buf *fab_buf_ref(struct fab_buf *b);
void fab_buf_unref(struct fab_buf *b);

struct fab_conn_cb {
	/* One whole message; data is valid during the call only. */
	void (*frame)(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len);
	/* The connection is gone (peer closed, died, or sent a bad frame: err says which). Called
	 * once, never from inside fab_conn_send(); the owner then calls fab_conn_free(). */
	void (*closed)(void *ctx, struct fab_conn *c, int err);
	/* The send queue fell below half of the mark set with fab_conn_set_high_water(). May be
	 * NULL. */
	void (*drained)(void *ctx, struct fab_conn *c);
};

/* Takes over callbacks for a connection that came from a listener or a dialler. */
void fab_conn_set_cb(struct fab_conn *c, const struct fab_conn_cb *cb, void *ctx);
/* Queues one message. Takes its own reference. FAB_ECLOSED after the connection ended. */
int fab_conn_send(struct fab_conn *c, struct fab_buf *b);
/* Octets queued and not yet accepted by the transport. */
size_t fab_conn_backlog(const struct fab_conn *c);
void fab_conn_set_high_water(struct fab_conn *c, size_t octets);
/* Stops or resumes reading (backpressure). */
void fab_conn_pause(struct fab_conn *c, bool paused);
/* Closes at once and frees; no callback follows. What is queued is lost unless
 * fab_conn_flush_free() is used, which sends it first (bounded by timeout_ms) in the background.
 * NULL is fine. */
void fab_conn_free(struct fab_conn *c);
void fab_conn_flush_free(struct fab_conn *c, uint32_t timeout_ms);

typedef void fab_conn_accept_fn(void *ctx, struct fab_conn *c);

/* FAB_EINVAL: not a URL we know; FAB_EEXIST: somebody listens there; a stale ipc socket file is
 * replaced. tls may be NULL unless the URL is tls+tcp://. */
int fab_conn_listen(struct fab_conn_listener **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_conn_accept_fn *fn, void *ctx);
void fab_conn_listener_free(struct fab_conn_listener *l);

/* Dials once. done is called exactly once on the loop, with a connection (the receiver owns it) or
 * an error, unless the dial was freed before. */
typedef void fab_conn_dial_fn(void *ctx, struct fab_conn *c, int err);
int fab_conn_dial(struct fab_dial **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_conn_dial_fn *done, void *ctx);
/* Cancels; also required after done was called. */
void fab_dial_free(struct fab_dial *d);

#endif
