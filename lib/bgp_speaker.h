#ifndef LIB_BGP_SPEAKER_H
#define LIB_BGP_SPEAKER_H
/*
 * A BGP speaker: peers, listeners, one RIB, and the way of a route from Adj-RIB-In over a role's
 * policy to Adj-RIB-Out. routeserverd, gatewayd and nvad are roles: each supplies struct
 * speaker_role, everything else is here.
 *
 * Turn of the loop: UPDATEs and session losses change Adj-RIB-In and put prefixes on a dirty list;
 * the deferred end of the turn runs select() once per dirty prefix, sends the difference to each
 * export group (peers for which export() gives equal results and whose wire format is equal share
 * one encoding) and calls changed() with the whole batch. Nothing waits for a timer, unless the
 * role wants it: speaker_set_window() and delay_ms().
 */
#include "lib/bgp_session.h"
#include "lib/hrp.h"
#include "lib/route_map.h"

#define SPEAKER_PATHS_MAX 64 /* paths of one prefix that select() sees at a time */

struct speaker;
struct speaker_peer;

/* One path of one prefix in Adj-RIB-In, or originated here. */
struct speaker_path {
	struct bgp_attrs *attrs;   /* after import policy */
	struct speaker_peer *peer; /* NULL: originated here */
	enum hrp_source source;    /* class for hrp_select(); set by import or originate */
	uint32_t weight;
	uint32_t tag; /* the role's own mark, e.g. index of an origination; below 2^31 */
};

struct speaker_peer_conf {
	struct bgp_session_conf session;
	uint32_t accept_addr;  /* TCP: the real address it connects from, 127.0.1.1 for example; 0:
				  session.dial_addr, and if that is 0 too, session.peer_addr */
	uint32_t max_prefixes; /* 0: none. Counting is RS-22: held + NLRI of the UPDATE */
	uint32_t group;        /* export group: peers with the same number and role get the same
				  routes; the role chooses */
	void *user;            /* the role's; see speaker_peer_user() */
	bool ibgp;
};

/* Result of one change batch: prefix and its winners. n_best 0: gone. */
struct speaker_change {
	struct ipnet prefix;
	const struct speaker_path *const *best;
	size_t n_best;
};

/* Why a batch happened: the stamps of fab.v1.Cause, wall-clock microseconds. */
struct speaker_cause {
	char text[160];
	char subject[64];
	uint64_t detect_us, withdraw_us, best_path_us;
	uint64_t held_us; /* its oldest change came then, and waited; 0: it did not wait */
	char held[64];    /* why */
};

struct speaker_role {
	/* Import, once per distinct (peer, attribute set): fills out (starts as a copy of in, its
	 * pointers may lead into scratch memory from speaker_scratch()), sets source and weight in
	 * *path. false: drop every prefix of this UPDATE (AS loop, RS-50). */
	bool (*import_attrs)(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
	    struct bgp_attr_spec *out, struct speaker_path *path);
	/* Once per prefix. false: drop it (RS-51). May be NULL. */
	bool (*import_prefix)(void *ctx, struct speaker_peer *from, const struct ipnet *prefix);
	/* Chooses among n >= 1 paths: writes indexes of the winners, best first, returns how many.
	 * The first is the one that is advertised. NULL: speaker_decide(). */
	size_t (*select)(void *ctx, const struct ipnet *prefix,
	    const struct speaker_path *const *paths, size_t n, uint16_t *winners);
	/* Export, once per distinct (winning attribute set, source peer, tag, export group). to is
	 * one member of the group. Fills out (a copy of the path's attributes at first). false: do
	 * not send. Split horizon (never back to the peer it came from) is done by the speaker. */
	bool (*export_attrs)(void *ctx, struct speaker_peer *to, const struct speaker_path *path,
	    struct bgp_attr_spec *out);
	/* Once per prefix and group, before export_attrs; may be NULL. */
	bool (*export_prefix)(void *ctx, struct speaker_peer *to, const struct ipnet *prefix,
	    const struct speaker_path *path);
	/* Route maps; each may be NULL, and return NULL: none. import_map: for what a peer sends,
	 * behind import_attrs and import_prefix. What it drops or summarizes stays in Adj-RIB-In
	 * and in speaker_walk_in() (RS-112), but is no candidate. export_map: for what goes to a
	 * group, in front of export_attrs; path NULL asks for the group's map as such. A summary
	 * exists as long as one of the routes that it stands for. The maps may change only together
	 * with speaker_reevaluate(). */
	const struct route_map *(*import_map)(void *ctx, struct speaker_peer *from);
	const struct route_map *(*export_map)(
	    void *ctx, struct speaker_peer *to, const struct speaker_path *path);
	/* How long a change of what that peer announces takes to be decided; lost: a path went
	 * away, with or without its session. Once per turn and peer. 0: no time. May be NULL. */
	uint32_t (*delay_ms)(void *ctx, struct speaker_peer *from, bool lost);
	/* The number of prefixes that wait has changed in this turn (speaker_held()). */
	void (*held)(void *ctx);
	/* After the turn's changes were handed to the sessions. */
	void (*changed)(void *ctx, const struct speaker_change *changes, size_t n,
	    const struct speaker_cause *cause);
	/* Established or lost; `synced` follows when the first table is complete. */
	void (*peer_state)(
	    void *ctx, struct speaker_peer *p, enum bgp_state now, const char *reason);
	void (*peer_synced)(void *ctx, struct speaker_peer *p);
};

int speaker_new(
    struct speaker **out, struct fab_loop *loop, const struct speaker_role *role, void *ctx);
/* Ends every session with Cease/Administrative Shutdown; no callback follows. NULL is fine. */
void speaker_free(struct speaker *sp);
struct bgp_attr_table *speaker_attrs(struct speaker *sp);
/* Memory for import and export callbacks, valid until they return. */
struct speaker_scratch {
	struct bgp_path_buf path;
	uint32_t communities[1024];
};
struct speaker_scratch *speaker_scratch(struct speaker *sp);

int speaker_listen_tcp(struct speaker *sp, uint32_t addr, uint16_t port);
int speaker_listen_nng(struct speaker *sp, const char *url, const struct fab_tls *tls);
/* The port in use of the newest TCP listener; 0 if there is none. */
uint16_t speaker_listen_port(const struct speaker *sp);
void speaker_unlisten_all(struct speaker *sp);

/* Peers are identified by name. Connections are matched by session.peer_addr (NNG) or by the real
 * source address (TCP: accept_addr); from elsewhere they are closed without a word (RS-36). Without
 * a data plane TCP peers live on loopback: a NEXT_HOP in 127/8 or equal to the peer's real address
 * stands for peer_addr and is replaced before Adj-RIB-In. */
int speaker_peer_add(
    struct speaker *sp, const struct speaker_peer_conf *conf, struct speaker_peer **out);
/* Cease/Peer De-configured; its routes are withdrawn at the end of the turn. Not from a callback of
 * the role; p is invalid at once, for the caller. */
void speaker_peer_remove(struct speaker *sp, struct speaker_peer *p);
/* Moves it to another export group under its running session: the peer is told what differs between
 * the two, nothing else (RM-13). */
void speaker_peer_regroup(struct speaker *sp, struct speaker_peer *p, uint32_t group);
struct speaker_peer *speaker_peer_find(struct speaker *sp, const char *name);
/* Iteration in order of addition: NULL starts, NULL ends. */
struct speaker_peer *speaker_peer_next(struct speaker *sp, struct speaker_peer *after);
const struct speaker_peer_conf *speaker_peer_conf(const struct speaker_peer *p);
void *speaker_peer_user(const struct speaker_peer *p);
struct bgp_session *speaker_peer_session(struct speaker_peer *p);
bool speaker_peer_synced(const struct speaker_peer *p);
uint32_t speaker_peer_routes_in(const struct speaker_peer *p);
uint32_t speaker_peer_routes_out(const struct speaker_peer *p);

/* Originates or replaces a route of our own (key: prefix and tag). */
int speaker_originate(struct speaker *sp, const struct ipnet *prefix,
    const struct bgp_attr_spec *spec, enum hrp_source source, uint32_t weight, uint32_t tag);
void speaker_unoriginate(struct speaker *sp, const struct ipnet *prefix, uint32_t tag);

/* The role's policy changed: run import again on what is held (Adj-RIB-In keeps routes as
 * received), select and export again for everything. Peers of which import dropped something are
 * asked for their routes again if they can (RFC 2918), because what was dropped is not held. */
void speaker_reevaluate(struct speaker *sp, const char *why);
/* ROUTE-REFRESH to every Established peer whose group number, under the mask, is this one (RS-96);
 * peers without it are reset. */
void speaker_refresh_peers(struct speaker *sp, uint32_t group, uint32_t mask);

/* RFC 4271 9.1.2.2 (lib/bgp_decide.h). Writes one winner. For use as select: the outcome depends on
 * the paths alone, not on the order in which they came, so that a restarted fabric ends where it
 * was. The second one prefers the present winner to an equal newcomer (RFC 5004). */
size_t speaker_decide(void *ctx, const struct ipnet *prefix,
    const struct speaker_path *const *paths, size_t n, uint16_t *winners);
size_t speaker_decide_stable(void *ctx, const struct ipnet *prefix,
    const struct speaker_path *const *paths, size_t n, uint16_t *winners);

/* Who has changed is decided again window_ms later at the earliest (RS-99); 0: at once. What
 * changes in the next after_ms counts for nothing. */
void speaker_set_window(struct speaker *sp, uint32_t window_ms, uint32_t after_ms);
/* What changes in this turn has waited since then, in the role's hands. */
void speaker_note_wait(struct speaker *sp, uint64_t since_us, const char *why);
/* Prefixes that wait to be decided. */
size_t speaker_held(const struct speaker *sp);

/* Walks. received: as it came, before import policy (RS-112); dropped routes (RS-50, RS-51) are not
 * held. Return false from fn to stop. */
typedef bool speaker_walk_fn(void *arg, const struct ipnet *prefix, const struct bgp_attrs *attrs,
    struct speaker_peer *peer);
void speaker_walk_in(struct speaker *sp, struct speaker_peer *p, speaker_walk_fn *fn, void *arg);
void speaker_walk_out(struct speaker *sp, struct speaker_peer *p, speaker_walk_fn *fn, void *arg);
/* Every path of every prefix; best says whether it is among the winners. */
typedef bool speaker_walk_rib_fn(
    void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best);
void speaker_walk_rib(struct speaker *sp, speaker_walk_rib_fn *fn, void *arg);
size_t speaker_prefix_count(const struct speaker *sp);
/* Some path of it is held. */
bool speaker_has_prefix(const struct speaker *sp, const struct ipnet *prefix);

#endif
