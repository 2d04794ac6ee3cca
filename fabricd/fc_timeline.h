#ifndef FABRICD_FC_TIMELINE_H
#define FABRICD_FC_TIMELINE_H
/*
 * Groups the stamps that arrive from everywhere (fault notes, session reports, the causes of route
 * batches) into changes: what `fabctl timeline` shows stage by stage.
 *
 * A change opens with a fault note, a change of configuration, or a stamp that no open change can
 * own. It stays open until FC_TIMELINE_QUIET_US have passed without anything new. A fault that has
 * produced nothing yet keeps it open longer, because only a hold timer may find it: hold time plus
 * FC_TIMELINE_GRACE_US. After a silent fault (pause, link cut) the quiet time is at least one
 * keepalive interval, as the hold timers of two peers expire that far apart.
 *
 * Stamps are wall-clock microseconds of the process that saw the event. A stamp belongs to the
 * change in whose time it was made, not to the one that is open when it arrives. Pure: knows no
 * clock and no other module.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FC_TIMELINE_CHANGES  32   /* kept; older ones are forgotten */
#define FC_TIMELINE_STAGES   1024 /* per change; more are counted and left out */
#define FC_TIMELINE_QUIET_US 1000000u
#define FC_TIMELINE_GRACE_US 10000000u
#define FC_TIMELINE_NAME_MAX 64
#define FC_TIMELINE_TEXT_MAX 128
#define FC_TIMELINE_OBSERVER "fabricd" /* sees processes, and no packets */

enum fc_stage_kind {
	FC_STAGE_FAULT,      /* somebody broke or repaired something */
	FC_STAGE_CONFIG,     /* the configuration was changed */
	FC_STAGE_DETECT,     /* a node noticed */
	FC_STAGE_WITHDRAW,   /* routes left an Adj-RIB-In */
	FC_STAGE_ADJ_RIB_IN, /* routes only came or changed there */
	FC_STAGE_BEST_PATH,
	FC_STAGE_DELAY,      /* the platform takes its time */
	FC_STAGE_LAYER,      /* the layers behind the NICs follow */
	FC_STAGE_PROGRAMMED, /* and so do the tables of a virtual switch */
	FC_STAGE_PROBE,      /* what packets noticed of it */
	FC_STAGE_KIND_COUNT
};

const char *fc_stage_name(enum fc_stage_kind k); /* "best-path" */

struct fc_stage {
	enum fc_stage_kind kind;
	uint64_t at_us;
	uint32_t routes;
	char node[FC_TIMELINE_NAME_MAX];
	char subject[FC_TIMELINE_NAME_MAX]; /* peer or node that it is about; may be empty */
	char text[FC_TIMELINE_TEXT_MAX];
};

struct fc_change {
	uint64_t start_us, last_us; /* first and last stamp */
	uint64_t delayed_us;        /* a delay ends then; more will come */
	char cause[FC_TIMELINE_TEXT_MAX];
	struct fc_stage *stages; /* by time */
	size_t n_stages, room;
	size_t left_out; /* stages beyond FC_TIMELINE_STAGES */
	bool fault, silent, effect;
};

/* Stamps of one route batch; 0: this stage did not happen. */
struct fc_batch_stamps {
	const char *node, *subject, *text;
	uint64_t detect_us, withdraw_us, best_path_us, layer_us, programmed_us;
	uint64_t delay_us, delay_for_us; /* a delay began, and for how long */
	const char *delay_text;
	uint64_t since_us; /* its cause was then, before a delay; 0: now */
	uint32_t routes;   /* in the batch */
	uint32_t changed;  /* entries of the layers, or of the switch, that changed */
	bool announces;    /* it takes no route back */
};

/* The longest gap that a probe saw. */
struct fc_probe {
	const char *node, *text;
	uint64_t from_us, to_us;
	bool lost; /* packets were lost in it */
};

struct fc_timeline;

int fc_timeline_new(struct fc_timeline **out);
void fc_timeline_free(struct fc_timeline *tl);

/* Timers of the profile in force; they decide how long a fault may take to be noticed. */
void fc_timeline_timing(struct fc_timeline *tl, uint64_t hold_us, uint64_t keepalive_us);

/* silent: nobody closes a connection, only timers find it. Out of memory: the stamp is lost. */
void fc_timeline_fault(
    struct fc_timeline *tl, uint64_t at_us, const char *node, const char *text, bool silent);
void fc_timeline_config(struct fc_timeline *tl, uint64_t at_us, const char *text);
/* A node saw a session go up or down. */
void fc_timeline_session(
    struct fc_timeline *tl, uint64_t at_us, const char *node, const char *peer, const char *text);
void fc_timeline_batch(struct fc_timeline *tl, const struct fc_batch_stamps *b);

/* Goes to the newest change that was under way during the gap; opens none, and false if there was
 * none. A gap without losses does not prolong the change: it may have other reasons. */
bool fc_timeline_probe(struct fc_timeline *tl, const struct fc_probe *p);

/* back 0 or 1: the newest change, 2: the one before, ... NULL: there is none. Valid until the next
 * call that adds. */
const struct fc_change *fc_timeline_get(struct fc_timeline *tl, uint32_t back);

#endif
