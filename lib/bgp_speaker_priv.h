#ifndef LIB_BGP_SPEAKER_PRIV_H
#define LIB_BGP_SPEAKER_PRIV_H
/*
 * What the files of the speaker share; nobody else includes this.
 *
 *	bgp_speaker.c         peers, sessions, listeners
 *	bgp_speaker_in.c      Adj-RIB-In: import, originations
 *	bgp_speaker_hold.c    decisions that wait
 *	bgp_speaker_run.c     end of a turn: selection, the batch for the role
 *	bgp_speaker_sum.c     summaries that route maps make
 *	bgp_speaker_out.c     Adj-RIB-Out, packing
 *	bgp_speaker_late.c    Adj-RIB-Out where a route map summarizes
 *	bgp_speaker_group.c   export groups
 *	bgp_speaker_decide.c  speaker_decide()
 *	bgp_speaker_walk.c    listings
 *
 * Who is who in the RIB: `from` is the peer's slot in peers.by_slot for what was received, and
 * ORIGIN | tag for what is originated here, SUMMARY | slot for what an inbound route map makes of
 * several routes of a peer. A slot is used again only after the run that removed
 * the last trace of its peer.
 */
#include "lib/bgp_speaker.h"
#include "lib/clock.h"
#include "lib/rib.h"

#define ORIGIN    0x80000000u
#define SUMMARY   0x40000000u
#define FROM_NONE 0u /* no peer has slot 0 */

/* One attribute set from one source, with what import policy made of it: shared by every prefix
 * that has it, so a path in the RIB is a pointer to this. */
struct sp_route {
	struct speaker_path path; /* attrs NULL: import policy drops it, or hidden */
	struct bgp_attrs *in;     /* as received */
	uint32_t from;
	uint32_t refs;  /* paths in the RIB, and whoever works with it */
	bool renewed;   /* reevaluation changed path; until the end of the run */
	bool by_prefix; /* what a route map made of it for some prefixes only */
	bool hidden;    /* a route map drops it: held and listed, but no candidate (RS-112) */
	struct sp_route *hash_next;
	struct sp_export *exports; /* cache, indexed by group slot */
	uint16_t n_exports;
};

struct sp_export {
	struct bgp_attrs *attrs; /* NULL: not sent */
	bool known;
};

/* Adj-RIB-Out is one per group; its members get it through a filter of split horizon only. */
struct sp_group {
	uint32_t number; /* of speaker_peer_conf */
	uint16_t slot;
	struct speaker_peer *members; /* by group_next */
	uint32_t n_out;               /* prefixes in Adj-RIB-Out */
	bool live;                    /* in this run: some member has a table to keep up to date */
	struct sp_batch *batch;       /* what this run has to tell */
	unsigned classes;             /* wire formats among the members */
	bool deferred;      /* in this run: its map summarizes, so all waits for the end */
	struct ipnet *late; /* prefixes that wait */
	size_t n_late, max_late;
};

/* What a peer had been sent when it left its group: until the next run tells it the difference. */
struct sp_moved {
	struct ipnet net;
	struct bgp_attrs *attrs;
	bool kept; /* the new group has it too */
};

/* A table that a member still has to get. */
enum sp_table_due { TABLE_NONE, TABLE_FIRST, TABLE_AGAIN };

struct speaker_peer {
	struct speaker *sp;
	struct speaker_peer_conf conf; /* strings are the session's */
	struct bgp_session *session;
	struct sp_group *group; /* NULL once removed */
	struct speaker_peer *group_next;
	struct speaker_peer *prev, *next; /* utlist: speaker.peers or speaker.gone */
	unsigned wire_class;              /* in a flush: members of one class share encodings */
	uint32_t slot;
	uint32_t routes_in;
	uint32_t dropped; /* prefixes import refused since the session came up */
	uint32_t out_own; /* entries of the group's Adj-RIB-Out that came from it */
	enum sp_table_due due;
	bool up, synced, synced_due;
	bool moved;
	struct sp_moved *had;
	size_t n_had;
	bool delay_drawn[2]; /* in this turn; [1]: of a loss */
	uint32_t delay_ms[2];
};

struct speaker {
	struct fab_loop *loop;
	const struct speaker_role *role;
	void *ctx;
	struct bgp_attr_table *attrs;
	struct rib *rib;
	struct sp_route **routes; /* hash of struct sp_route */
	size_t n_routes, n_route_buckets;
	bool renewed; /* some route is */
	struct speaker_peer *peers, *gone;
	struct speaker_peer **by_slot;
	uint32_t n_slots;
	struct sp_group **groups; /* by slot, NULL: free */
	uint16_t n_groups;
	struct sp_listener *listeners;
	struct fab_post post;
	struct speaker_cause cause;
	unsigned cause_rank; /* 0: nothing happened yet in this turn */
	/* Buffers that live from run to run. */
	struct speaker_change *changes;
	const struct speaker_path **best;
	size_t n_changes, max_changes, n_best, max_best;
	const struct speaker_path *deciding; /* the winner so far while select() runs */
	struct speaker_scratch scratch;
	struct route_map_buf map_buf;
	struct sp_sums *sums; /* NULL as long as no route map summarizes */
	/* bgp_speaker_hold.c */
	struct fab_mono started;
	struct sp_hold *holds; /* by prefix */
	struct fab_timer *hold_timer;
	size_t n_held, told_held;
	uint32_t window_ms;
	uint64_t window_from_us;
};

/* ---- bgp_speaker.c ---- */

/* A run at the end of this turn. */
void speaker_schedule(struct speaker *sp);

/* What happened, for the cause of the batch; a later rank outdoes an earlier one. */
enum { CAUSE_CONFIG = 1, CAUSE_UPDATE, CAUSE_LOSS };
void speaker_note(struct speaker *sp, unsigned rank, const char *subject, const char *text);

/* Member of the group with this slot, NULL for originations and peers elsewhere. */
static inline struct speaker_peer *
speaker_member(const struct speaker *sp, const struct sp_group *g, uint32_t from)
{
	struct speaker_peer *p = from & (ORIGIN | SUMMARY) ? NULL : sp->by_slot[from];

	return p != NULL && p->group == g ? p : NULL;
}

/* realloc() for arrays that grow: at least need elements. Out of memory ends the process. */
void *speaker_grow(void *array, size_t *max, size_t need, size_t size);

/* ---- bgp_speaker_in.c ---- */

/* FAB_ENOMEM, or FAB_ETOOBIG when the peer exceeds max_prefixes (RS-22): nothing was learned. */
int speaker_in_update(struct speaker_peer *p, const struct bgp_update *u);
void speaker_in_drop_all(struct speaker_peer *p);
void speaker_in_reevaluate(struct speaker *sp);
/* The run has seen which routes were renewed. */
void speaker_in_settle(struct speaker *sp);
void speaker_in_fini(struct speaker *sp);
void speaker_route_unref(struct speaker *sp, struct sp_route *r);

/* ---- bgp_speaker_sum.c ---- */

/* One way to announce a summary, and how many routes ask for it. */
struct sp_part {
	struct speaker_path path; /* attrs: with a reference */
	uint32_t from;            /* slot of the peer, for split horizon */
	uint32_t n;
	struct sp_part *next;
};

/* Route net of this owner (a peer's slot; ORIGIN | slot of an export group) asks for the summary
 * `to` with this path, or for none any more (to NULL). Returns how many summaries look different
 * now, and which. */
size_t speaker_sum_set(struct speaker *sp, uint32_t owner, const struct ipnet *net,
    const struct ipnet *to, const struct speaker_path *path, uint32_t from,
    struct ipnet changed[static 2]);
/* The best part of a summary, NULL: it does not exist. */
const struct sp_part *speaker_sum_best(
    const struct speaker *sp, uint32_t owner, const struct ipnet *to);
/* Some route of the owner asks for a summary. */
bool speaker_sum_any(const struct speaker *sp, uint32_t owner);
/* Forgets the owner's summaries; gone (may be NULL) is told of each. */
void speaker_sum_clear(struct speaker *sp, uint32_t owner,
    void (*gone)(struct speaker *sp, uint32_t owner, const struct ipnet *to));
void speaker_sum_fini(struct speaker *sp);
/* ---- bgp_speaker_hold.c ---- */

int speaker_hold_init(struct speaker *sp);
void speaker_hold_fini(struct speaker *sp);
/* The prefix has lost or got a path of that peer. */
void speaker_hold_path(
    struct speaker *sp, const struct rib_prefix *prefix, struct speaker_peer *peer, bool lost);
/* Before a run takes the first dirty prefix, and after the last. */
void speaker_hold_begin(struct speaker *sp);
void speaker_hold_end(struct speaker *sp);
/* True: not in this run. The prefix stays, whatever becomes of its paths. */
bool speaker_hold_waits(struct speaker *sp, const struct rib_prefix *prefix);
/* The run has changed its winners. */
void speaker_hold_changed(struct speaker *sp, const struct rib_prefix *prefix);

/* ---- bgp_speaker_run.c ---- */

void speaker_run(struct speaker *sp);

/* ---- bgp_speaker_group.c ---- */

/* Finds or creates the group and makes p its member. FAB_ENOMEM. */
int speaker_out_join(struct speaker_peer *p);
/* The last one to leave takes the group with it. */
void speaker_out_leave(struct speaker_peer *p);
void speaker_out_moved_free(struct speaker_peer *p);
void speaker_out_fini(struct speaker *sp);

/* ---- bgp_speaker_out.c ---- */

/* Before the first dirty prefix of a run. */
void speaker_out_begin(struct speaker *sp);
/* One dirty prefix: best may be NULL. Notes what members have to be told. */
void speaker_out_prefix(struct speaker *sp, struct rib_prefix *prefix, const struct rib_path *best);
/* What the group is sent for this path, with a reference; NULL: nothing. A map may make another
 * prefix of *net. */
struct bgp_attrs *speaker_export(
    struct speaker *sp, struct sp_group *g, struct ipnet *net, const struct rib_path *path);
/* The group's entry becomes (now, from); takes the reference. now NULL: none. */
void speaker_out_set(struct speaker *sp, struct sp_group *g, struct rib_prefix *prefix,
    struct bgp_attrs *now, uint32_t from);
/* Sends what was noted, and tables that are due. */
void speaker_out_flush(struct speaker *sp);
/* Forgets the export results of every route. */
void speaker_out_forget(struct sp_route *r, struct speaker *sp);
struct sp_batch *speaker_batch_new(void); /* NULL: no memory */
void speaker_batch_free(struct sp_batch *batch);

/* ---- bgp_speaker_late.c ---- */

/* In place of an entry: notes what may look different at the end of the run. */
void speaker_late_prefix(struct speaker *sp, struct sp_group *g, const struct rib_prefix *prefix,
    const struct rib_path *best);
/* After the last dirty prefix: settles what was noted. */
void speaker_out_late(struct speaker *sp);

#endif
