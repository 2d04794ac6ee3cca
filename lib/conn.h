#ifndef LIB_CONN_H
#define LIB_CONN_H
/*
 * A connection that carries whole messages over an NNG byte stream (ipc://PATH, tcp://HOST:PORT,
 * tls+tcp://HOST:PORT): each message is preceded by its length in 4 octets, network order. Why not
 * NNG's message sockets: see docs/architecture.md.
 *
 * A length of 0 says goodbye: nothing follows, the receiver closes. A socket that is simply closed
 * may lose what the other side has not read yet (NNG drops it on POLLHUP), so fab_conn_flush_free()
 * says goodbye and waits for the other side.
 *
 * All calls and callbacks are on the loop's thread; NNG's own threads only post to the loop. Sends
 * of one loop turn leave together at its end, without any timer. Frames per turn and connection are
 * bounded by the read buffer (64 KiB or one larger frame).
 */
#include "lib/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAB_CONN_FRAME_MAX       (16u << 20) /* octets; a longer frame ends the connection */
#define FAB_CONN_BACKLOG_MAX     (64u << 20) /* octets queued to send; more end the connection */
#define FAB_CONN_DIAL_TIMEOUT_MS 5000

struct fab_conn;
struct fab_conn_listener;
struct fab_dial;

/* File names in PEM; with a ca the other side must present a certificate that it signed. A dialler
 * also compares the host of the URL with the certificate, unless it is an address. */
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
void fab_buf_unref(struct fab_buf *b); /* NULL is fine */

struct fab_conn_cb {
	/* One whole message; data is valid during the call only. The connection may be freed from
	 * here. */
	void (*frame)(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len);
	/* The connection is gone: FAB_ECLOSED peer closed or died, FAB_ETOOBIG oversized frame or
	 * backlog, FAB_EPERM TLS refused. Called once, never from inside another call of this
	 * header; the owner then calls fab_conn_free(), from here or later. */
	void (*closed)(void *ctx, struct fab_conn *c, int err);
	/* The send queue fell below half of the mark set with fab_conn_set_high_water(), having
	 * been above the mark. May be NULL. */
	void (*drained)(void *ctx, struct fab_conn *c);
};

/* Takes over callbacks for a connection that came from a listener or a dialler, or from another
 * owner. Nothing is read before the first call. */
void fab_conn_set_cb(struct fab_conn *c, const struct fab_conn_cb *cb, void *ctx);
/* Queues one message of 1 ... FAB_CONN_FRAME_MAX octets (FAB_EINVAL, FAB_ETOOBIG). Takes its own
 * reference. FAB_ECLOSED after the connection ended. */
int fab_conn_send(struct fab_conn *c, struct fab_buf *b);
/* Octets queued and not yet accepted by the transport. */
size_t fab_conn_backlog(const struct fab_conn *c);
/* Octets that the transport has accepted so far: tells whether a slow reader still reads. */
uint64_t fab_conn_sent(const struct fab_conn *c);
void fab_conn_set_high_water(struct fab_conn *c, size_t octets);
/* Stops or resumes reading (backpressure). A loss may stay unseen while reading is stopped. */
void fab_conn_pause(struct fab_conn *c, bool paused);
/* Closes at once and frees; no callback follows. What is queued is lost unless
 * fab_conn_flush_free() is used, which sends it first (bounded by timeout_ms) in the background.
 * NULL is fine. */
void fab_conn_free(struct fab_conn *c);
void fab_conn_flush_free(struct fab_conn *c, uint32_t timeout_ms);

typedef void fab_conn_accept_fn(void *ctx, struct fab_conn *c);

/* FAB_EINVAL: not a URL we know, or a TLS file that cannot be used; FAB_EEXIST: somebody listens
 * there, or the path is no socket; a stale ipc socket file is replaced. tls may be NULL unless the
 * URL is tls+tcp://. fn owns each connection. */
int fab_conn_listen(struct fab_conn_listener **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_conn_accept_fn *fn, void *ctx);
/* The TCP port really bound, for URLs with port 0; 0 for ipc. */
uint16_t fab_conn_listener_port(const struct fab_conn_listener *l);
void fab_conn_listener_free(struct fab_conn_listener *l); /* NULL is fine */

/* Dials once. done is called exactly once on the loop, with a connection (the receiver owns it) or
 * an error, unless the dial was freed before. A TLS handshake that fails shows later, as closed().
 */
typedef void fab_conn_dial_fn(void *ctx, struct fab_conn *c, int err);
int fab_conn_dial(struct fab_dial **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_conn_dial_fn *done, void *ctx);
/* Cancels; also required after done was called (and allowed from inside). NULL is fine. */
void fab_dial_free(struct fab_dial *d);

/* True for ipc:// and for tcp hosts 127.0.0.0/8, ::1 and localhost: no TLS needed. */
bool fab_conn_url_is_local(const char *url);
/* May a daemon use this URL? FAB_EINVAL: not one we know; FAB_ENOENT: tls+tcp:// without cert, key
 * and ca; FAB_EPERM: plain TCP beyond loopback (insecure allows it). */
int fab_conn_url_check(const char *url, const struct fab_tls *tls, bool insecure);

#endif
