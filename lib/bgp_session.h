#ifndef LIB_BGP_SESSION_H
#define LIB_BGP_SESSION_H
/*
 * One BGP session (RFC 4271): state machine as a table, timers, collision handling; the messages
 * travel over a transport behind struct bgp_transport_ops (TCP with RFC 4271 encoding, NNG with
 * proto/bgp.proto). The session knows no RIB and no policy; its owner gets decoded UPDATEs and
 * sends encoded ones that many sessions may share.
 *
 * Layering: bgp_msg (codec, no sockets) <- bgp_tcp / bgp_nng (transports) <- bgp_session (FSM).
 */
#include "lib/bgp_msg.h"
#include "lib/conn.h"
#include "lib/loop.h"

#define BGP_HOLD_SEC_DEFAULT 180
#define BGP_CONNECT_RETRY_MS 30000 /* RS-36 */
#define BGP_BACKLOG_MAX                                                                            \
	(64u << 20) /* octets queued to one peer; above: Cease, Out of Resources                   \
		     */

enum bgp_state {
	BGP_IDLE,
	BGP_CONNECT,
	BGP_ACTIVE,
	BGP_OPEN_SENT,
	BGP_OPEN_CONFIRM,
	BGP_ESTABLISHED,
	BGP_STATE_COUNT
};

const char *bgp_state_name(enum bgp_state s);

enum bgp_transport_kind { BGP_TRANSPORT_TCP, BGP_TRANSPORT_NNG };

struct bgp_session_conf {
	const char *local_name; /* node names, for Hello and logs; copied, as all strings here */
	const char *peer_name;
	uint32_t local_as;
	uint32_t peer_as;
	uint32_t router_id;
	uint32_t local_addr; /* Azure addresses, host order */
	uint32_t peer_addr;
	uint32_t hold_ms; /* whole seconds are offered; 0 disables; 1 and 2 s are refused */
	uint32_t
	    keepalive_ms; /* upper bound; a third of the negotiated hold time if that is less */
	uint32_t connect_retry_ms;
	enum bgp_transport_kind transport;
	bool passive;
	const char *dial_url; /* NNG */
	uint32_t dial_addr;   /* TCP: real address and port; port 0: never dial */
	uint16_t dial_port;
	uint32_t source_addr;        /* TCP: bind to it before connecting; 0: any */
	uint8_t ttl;                 /* TCP: IP TTL of what we send; 0: system default */
	bool offer_ipv6;             /* Multiprotocol IPv6 unicast beside IPv4 (RS-33) */
	bool offer_enhanced_refresh; /* RFC 7313; off for the Route Server role (RS-33) */
	bool offer_extended_message; /* RFC 8654 */
	const struct fab_tls *tls;   /* NNG over tls+tcp://; copied; NULL: none */
	/* Both ends send a KEEPALIVE at least this often, and give the other up after
	 * BGP_BFD_MULTIPLIER times that in silence; 0: no. Stands for BFD (RFC 5882, ER-4). */
	uint32_t bfd_ms;
	bool own_timers;      /* keeps hold_ms whatever the peer offers (VPN-4) */
	uint32_t min_hold_ms; /* refuses a peer that offers less, but more than 0 (ER-3) */
};

#define BGP_BFD_MULTIPLIER 3

struct bgp_session_stats {
	uint64_t msgs_in, msgs_out, updates_in, updates_out, octets_in, octets_out;
	uint64_t notifications_in, notifications_out, treat_as_withdraw;
	uint64_t transitions; /* into Established */
};

struct bgp_session;

/* All may be NULL except update and down. None may free the session (use bgp_session_free() from
 * another loop turn or after the callback returned). */
struct bgp_session_cb {
	void (*up)(void *ctx, struct bgp_session *s);
	/* Left Established. reason is text such as "hold timer expired" or "received NOTIFICATION
	 * Cease/Administrative Shutdown". */
	void (*down)(void *ctx, struct bgp_session *s, const char *reason);
	void (*state)(void *ctx, struct bgp_session *s, enum bgp_state old, enum bgp_state now);
	void (*update)(void *ctx, struct bgp_session *s, const struct bgp_update *u);
	/* The peer asks for the whole Adj-RIB-Out again (RFC 2918). With RFC 7313 the owner
	 * brackets what it sends by bgp_session_refresh_mark(). */
	void (*refresh)(void *ctx, struct bgp_session *s);
	/* First KEEPALIVE after Established arrived: with End-of-RIB a sign that the peer's first
	 * table is complete. */
	void (*first_keepalive)(void *ctx, struct bgp_session *s);
	/* Backlog fell below the low mark (half of 1 MiB), having been above 1 MiB. */
	void (*drained)(void *ctx, struct bgp_session *s);
};

/* FAB_EINVAL: hold_ms of 1 ... 2,999 or above 65,535 s. Without an address or URL to dial the
 * session is passive. */
int bgp_session_new(struct bgp_session **out, struct fab_loop *loop,
    const struct bgp_session_conf *conf, const struct bgp_session_cb *cb, void *ctx);
/* Closes with Cease/Peer De-configured if a connection is open. NULL is fine. */
void bgp_session_free(struct bgp_session *s);

void bgp_session_start(struct bgp_session *s); /* started already: nothing happens */
/* Cease with a subcode and, for Administrative Shutdown and Reset, an optional text (RFC 9003). The
 * session stays Idle until started again. No `down` callback follows. Called from inside a callback
 * of this session it takes effect when the callback has returned. */
void bgp_session_stop(struct bgp_session *s, enum bgp_cease subcode, const char *text);
/* NOTIFICATION, then back to trying after connect_retry_ms; until then the peer is refused, too,
 * unless it was Cease with Administrative Reset or Other Configuration Change. `down` is called,
 * from the loop, with reason. No further UPDATE is delivered meanwhile. */
void bgp_session_reset(
    struct bgp_session *s, enum bgp_error code, uint8_t subcode, const char *reason);

/* Queues an encoded message (from bgp_encode_update) if the session is Established. Takes its own
 * reference. Never fails: a backlog above BGP_BACKLOG_MAX resets the session. */
void bgp_session_send(struct bgp_session *s, struct fab_buf *b);
/* Asks the peer for its routes again; false if it did not offer the capability. */
bool bgp_session_refresh(struct bgp_session *s);
/* Begin (or end) of the answer to a refresh; does nothing unless both sides offered RFC 7313. */
void bgp_session_refresh_mark(struct bgp_session *s, bool end);

enum bgp_state bgp_session_state(const struct bgp_session *s);
enum bgp_wire bgp_session_wire(const struct bgp_session *s); /* Established only */
size_t bgp_session_message_max(const struct bgp_session *s); /* 4096 or 65535 octets */
size_t bgp_session_backlog(const struct bgp_session *s);
uint16_t bgp_session_hold_sec(const struct bgp_session *s); /* negotiated */
/* BGP Identifier from the peer's OPEN; 0 before. */
uint32_t bgp_session_peer_router_id(const struct bgp_session *s);
const struct bgp_session_stats *bgp_session_stats(const struct bgp_session *s);
const struct bgp_session_conf *bgp_session_conf(const struct bgp_session *s);
/* The peer ended it last, on purpose: Cease/Administrative Shutdown. */
bool bgp_session_was_shut_down(const struct bgp_session *s);
const char *bgp_session_last_error(const struct bgp_session *s); /* "" if none */
uint64_t bgp_session_since_us(const struct bgp_session *s);      /* wall time of the last change */
/* Fault injection (design section 9): a cut link. Nothing arrives or leaves, not even the end of
 * the connection, until the hold timer notices. Restored before that, what waited is delivered, as
 * TCP would. */
void bgp_session_cut(struct bgp_session *s, bool in, bool out);

/* ---- incoming connections ---- */

struct bgp_incoming; /* an accepted connection that is not yet part of a session */
struct bgp_listener;

/* peer_addr: the Azure address from Hello (NNG) or the source address (TCP). Hand it over with
 * bgp_session_accept() or refuse with bgp_incoming_refuse(), during the call. */
typedef void bgp_accept_fn(void *ctx, struct bgp_incoming *in, uint32_t peer_addr);

int bgp_listen_tcp(struct bgp_listener **out, struct fab_loop *loop, uint32_t addr, uint16_t port,
    bgp_accept_fn *fn, void *ctx);
int bgp_listen_nng(struct bgp_listener **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, bgp_accept_fn *fn, void *ctx);
uint16_t bgp_listener_port(const struct bgp_listener *l); /* TCP: the port in use */
void bgp_listener_free(struct bgp_listener *l);

/* The session takes the connection (collision detection of RFC 4271 6.8 applies). */
void bgp_session_accept(struct bgp_session *s, struct bgp_incoming *in);
/* Closes; with a reason of BGP_CEASE_REJECTED a NOTIFICATION goes first. 0: just close (RS-36). */
void bgp_incoming_refuse(struct bgp_incoming *in, enum bgp_cease subcode);

#endif
