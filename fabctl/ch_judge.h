#ifndef FABCTL_CH_JUDGE_H
#define FABCTL_CH_JUDGE_H
/*
 * What one fault did, and whether the design stood it. Invariants, for every ordered pair of
 * endpoints that could talk before:
 *
 *   delivered   it can talk again once everybody has settled, unless nothing else could carry it
 *   no-loop     no packet goes in circles then
 *   blackhole   it was not lost for longer than the bound
 *   symmetric   no stateful NVA sees one direction only (MR-9)
 *   no-stale    no NIC has a route to what is dead
 *   settles     everybody settles in time
 *   returns     after the repair everything is as it was
 *
 * At rest, before any fault, the same is asked of the design itself. Pure: plain data in and out.
 */
#include "fabctl/ch_paths.h"
#include "fabctl/ch_plan.h"
#include "fabctl/ch_watch.h"

enum ch_invariant {
	CH_INV_DELIVERED,
	CH_INV_LOOP,
	CH_INV_BLACKHOLE,
	CH_INV_SYMMETRIC,
	CH_INV_STALE,
	CH_INV_SETTLES,
	CH_INV_RETURNS,
	CH_INV_COUNT
};
const char *ch_invariant_name(enum ch_invariant i);

struct ch_stale {
	char nic[CH_END_MAX], prefix[24], source[32], next_hop[16], node[CH_END_MAX];
};

/* What was seen of one cell. */
struct ch_seen {
	const struct ch_step *steps; /* none: at rest */
	size_t n_steps;
	const struct ch_watch *before, *after; /* at rest both are the same */
	uint64_t settled_us;                   /* wall clock when everybody had settled */
	uint64_t bound_us;                     /* what a loss may last at most */
	uint64_t return_us;                    /* the longest loss while it was repaired */
	uint64_t outage_us; /* the longest time in which real packets were lost, 0: none were */
	const char *outage; /* whose: "vm11 to vm12" */
	bool settled, returned;
	const char *why; /* not settled, or not returned: what was missing */
	const struct ch_stale *stale;
	size_t n_stale;
};

/* A pair that was lost, for a time or until the repair. */
struct ch_lost {
	const char *src, *dst;
	uint64_t us;
	bool stays;    /* lost as long as the fault lasts */
	bool alone;    /* and nothing else could carry it */
	bool itself;   /* because one of the two is what is broken */
	char way[256]; /* stays and not alone: what could carry it */
};

struct ch_finding {
	enum ch_invariant invariant;
	const char *rule; /* "MR-5"; static, or of what was seen */
	char what[320];   /* with the first pair that shows it */
	size_t pairs;     /* that show it */
	const char *fix;  /* static; "" if none is known */
};

struct ch_verdicts {
	struct ch_lost *lost;
	size_t n_lost;
	struct ch_finding *findings; /* one for each invariant and rule */
	size_t n_findings;
	const char *rule; /* that explains how such a fault goes, "" if none */
	char note[96];    /* "no second instance of nva1"; "" if there is nothing to say */
};

void ch_judge(struct ch_verdicts *out, const struct topo *t, const struct ch_seen *seen);
void ch_verdicts_fini(struct ch_verdicts *v);

/* Nobody closes a connection: only timers find it (RS-91). */
bool ch_is_silent(const struct ch_step *steps, size_t n);

#endif
