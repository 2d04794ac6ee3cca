#ifndef LIB_BGP_TRANSPORT_H
#define LIB_BGP_TRANSPORT_H
/*
 * What a BGP session needs from below: a connection that carries whole messages, and the encoding
 * that belongs to it. bgp_tcp.c (RFC 4271 on a socket) and bgp_nng.c (protobuf on lib/conn) each
 * fill one struct bgp_transport_ops; tests fill their own. Only bgp_session.c, bgp_fsm.c and the
 * transports include this.
 */
#include "lib/bgp_session.h"

#define BGP_HIGH_WATER    (1u << 20) /* octets queued; drained() comes below half of it */
#define BGP_MSGS_PER_TURN 256        /* of one peer, then others have their turn */
#define BGP_LINGER_MS     1000       /* for the peer to take a last NOTIFICATION */

struct bgp_transport_ops;

/* A connection or the attempt at one. The owner may close it from inside each callback. */
struct bgp_transport_cb {
	void (*up)(void *ctx); /* the dial has succeeded */
	/* One message; of a broken header only BGP_HEADER_OCTETS. */
	void (*message)(void *ctx, const uint8_t *data, size_t len);
	/* The dial failed or the connection ended; only close() is allowed from here on. */
	void (*down)(void *ctx, int err);
	void (*drained)(void *ctx);
};

struct bgp_transport {
	const struct bgp_transport_ops *ops;
	const struct bgp_transport_cb *cb;
	void *ctx;
	bool extended; /* the session allows messages above 4,096 octets (RFC 8654) */
};

struct bgp_transport_ops {
	/* Starts a connection as conf says; conf has to stay. Callbacks come later, never from
	 * inside. */
	int (*dial)(struct bgp_transport **out, struct fab_loop *loop,
	    const struct bgp_session_conf *conf, const struct bgp_transport_cb *cb, void *ctx);
	/* A connection from a listener finds its session; from now on there are callbacks. */
	void (*adopt)(struct bgp_transport *t, const struct bgp_session_conf *conf,
	    const struct bgp_transport_cb *cb, void *ctx);
	/* Queues; what is sent in one turn leaves together at its end. */
	int (*send)(struct bgp_transport *t, struct fab_buf *b);
	size_t (*backlog)(const struct bgp_transport *t);
	/* Ends it; no callback follows. last, if not NULL, is sent before, in the background, and
	 * borrowed; whole messages that still wait are dropped or follow, as it suits. */
	void (*close)(struct bgp_transport *t, struct fab_buf *last);

	int (*decode)(struct bgp_msg *out, struct bgp_scratch *sc,
	    const struct bgp_decode_opts *opts, const uint8_t *p, size_t n, struct bgp_notify *err);
	struct fab_buf *(*encode_open)(const struct bgp_open *open);
	struct fab_buf *(*encode_notify)(const struct bgp_notify *n);
	struct fab_buf *(*encode_keepalive)(void);
	struct fab_buf *(*encode_refresh)(const struct bgp_refresh *r);
};

extern const struct bgp_transport_ops bgp_tcp_ops;
extern const struct bgp_transport_ops bgp_nng_ops;

struct bgp_incoming {
	struct bgp_transport *t; /* NULL once it is taken or refused */
	uint32_t to_addr;        /* the address that the dialler wants to reach; 0: not known */
};

struct bgp_listener {
	void (*free)(struct bgp_listener *l);
	uint16_t port;
};

/* Makes a transport of a connected, non-blocking stream socket. Takes over fd unless it fails. */
int bgp_tcp_from_fd(struct bgp_transport **out, struct fab_loop *loop, int fd);

#endif
