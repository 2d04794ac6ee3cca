#ifndef LIB_BGP_FSM_H
#define LIB_BGP_FSM_H
/*
 * Inside a BGP session: the session, its two connections and the state machine that each of them
 * runs. bgp_fsm.c holds the table and its actions, bgp_link.c one connection (messages and timers),
 * bgp_session.c both of them together and what the owner sees, bgp_cut.c emulates a cut link.
 * Nobody else includes this but tests.
 */
#include "lib/bgp_transport.h"
#include "lib/clock.h"

/* RFC 4271 8.1, as far as they differ here. */
enum bgp_event {
	BGP_EV_START,         /* dial */
	BGP_EV_START_PASSIVE, /* wait for a connection */
	BGP_EV_STOP,          /* by the owner; err says with what NOTIFICATION */
	BGP_EV_RESET,         /* by the owner, or the connection lost a collision */
	BGP_EV_RETRY,         /* ConnectRetryTimer */
	BGP_EV_CONN_UP,
	BGP_EV_CONN_DOWN,
	BGP_EV_HOLD_EXPIRED,
	BGP_EV_KEEPALIVE_DUE,
	BGP_EV_RX_OPEN,
	BGP_EV_RX_UPDATE,
	BGP_EV_RX_NOTIFICATION,
	BGP_EV_RX_KEEPALIVE,
	BGP_EV_RX_REFRESH,
	BGP_EV_RX_BAD, /* does not decode; err says why */
	BGP_EV_COUNT
};

#define BGP_RETRY_FIRST_MS 20     /* after a dial that failed; doubles */
#define BGP_RETRY_ERROR_MS 100    /* after a connection that failed */
#define BGP_DIAL_MIN_MS    1000   /* time to connect, even if retries are closer */
#define BGP_OPEN_HOLD_MS   240000 /* RFC 4271 8.2.2: OpenSent, when hold timers are off */
#define BGP_HOLD_GRACE_MS  5      /* what has arrived already is read before a peer is given up */
#define BGP_BFD_GRACE_MS   50     /* the same for BFD: a busy machine is no broken link */
#define BGP_ERROR_TEXT_MAX 400

/* A queue of messages on a cut link. */
struct bgp_held {
	struct fab_buf **bufs;
	size_t n, cap;
	size_t octets;
};

/* One connection of a session, and its state machine. */
struct bgp_link {
	struct bgp_session *s;
	struct bgp_transport *t; /* NULL: none */
	enum bgp_state state;
	bool incoming; /* the peer opened it */
	bool seen_keepalive;
	bool hold_grace;
	struct bgp_open peer; /* its OPEN, from OpenConfirm on */
	struct bgp_decode_opts opts;
	uint32_t hold_ms; /* in force; 0: none */
	struct fab_mono last_rx;
	struct fab_mono hold_set; /* when the hold timer was last set */
	struct fab_timer *hold;
	struct fab_timer *keepalive;
	struct fab_timer *bfd_tx, *bfd_rx; /* NULL: no BFD */
	const struct bgp_msg *rx;          /* during an RX event */
	struct bgp_notify err;             /* for STOP, RESET, RX_BAD */
	struct bgp_held held_in, held_out;
	int lost; /* ended behind a cut: the error */
};

enum { BGP_DIALLER, BGP_LISTENER, BGP_LINKS };

struct bgp_session {
	struct fab_loop *loop;
	struct bgp_session_conf conf;
	struct bgp_session_cb cb;
	void *ctx;
	const struct bgp_transport_ops *ops;
	struct bgp_link link[BGP_LINKS];
	enum bgp_state state; /* of both links together */
	uint64_t since_us;
	bool running;
	bool quiet;   /* no callbacks: being freed */
	bool stopped; /* by the owner: no `down` */
	bool holdoff; /* after a reset: nobody is let in before the retry timer fires */
	uint32_t backoff_ms;
	struct fab_timer *retry;
	struct fab_post work;
	unsigned depth;         /* nesting of events */
	struct bgp_link *loser; /* of a collision; reset after the running event */
	struct {
		bool due;
		uint8_t code, subcode;
		char reason[BGP_ERROR_TEXT_MAX];
	} reset;
	struct {
		bool due;
		enum bgp_cease subcode;
		uint8_t data[1 + BGP_SHUTDOWN_TEXT_MAX];
		uint16_t data_len;
	} stop;
	bool cut_in, cut_out;
	struct bgp_transport *parked[BGP_LINKS]; /* closed behind a cut, not seen by the peer */
	struct fab_timer *unpark;
	struct bgp_scratch scratch;
	struct bgp_session_stats stats;
	char last_error[BGP_ERROR_TEXT_MAX];
	bool shut_down; /* the last NOTIFICATION said so */
	struct fab_tls tls;
	char *strings[6]; /* copies that conf leads into */
};

/* ---- bgp_fsm.c ---- */

/* Walks the table. Actions queue messages and arm timers, they never step. */
void bgp_fsm_step(struct bgp_link *l, enum bgp_event ev);

/* ---- bgp_link.c ---- */

extern const struct bgp_transport_cb bgp_link_cb;

int bgp_link_init(struct bgp_link *l, struct bgp_session *s);
struct bgp_link *bgp_link_other(struct bgp_link *l);
/* Steps, then deals with what the step left behind (collision, stop). */
void bgp_link_event(struct bgp_link *l, enum bgp_event ev);
void bgp_link_send(struct bgp_link *l, struct fab_buf *b); /* takes over b; NULL: no memory */
void bgp_link_receive(struct bgp_link *l, const uint8_t *data, size_t len);
/* Ends the connection, with a NOTIFICATION if n is not NULL. */
void bgp_link_close(struct bgp_link *l, const struct bgp_notify *n);
void bgp_link_arm_hold(struct bgp_link *l, uint32_t ms); /* 0: off */
void bgp_link_arm_keepalive(struct bgp_link *l);
void bgp_link_start_bfd(struct bgp_link *l);
uint32_t bgp_jitter(uint32_t ms);

/* ---- bgp_session.c ---- */

void bgp_session_set_error(struct bgp_session *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void bgp_session_arm_retry(struct bgp_session *s); /* with backoff and jitter */
/* A link has come to the state now: tells the owner what follows for the session. */
void bgp_session_changed(struct bgp_session *s, enum bgp_state now);
void bgp_session_stop_now(struct bgp_session *s);
void bgp_session_out_of_resources(struct bgp_session *s, const char *why);

/* ---- bgp_cut.c ---- */

void bgp_cut_hold_in(struct bgp_link *l, const uint8_t *data, size_t len);
void bgp_cut_hold_out(struct bgp_link *l, struct fab_buf *b);
void bgp_cut_drop(struct bgp_link *l); /* what is held for l */
void bgp_cut_park(struct bgp_session *s, struct bgp_transport *t);
void bgp_cut_fini(struct bgp_session *s);

#endif
