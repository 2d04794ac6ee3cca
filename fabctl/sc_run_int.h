#ifndef FABCTL_SC_RUN_INT_H
#define FABCTL_SC_RUN_INT_H
/*
 * A scenario that runs, between the files of the runner: sc_run.c (steps, up and down), sc_table.c,
 * sc_event.c, sc_overlay.c, sc_keep.c.
 */
#include "fabctl/sc_run.h"
#include "lib/clock.h"

#define SC_LOOK_MS 50 /* between two looks at what is to become so */

struct run {
	const struct sc_file *f;
	char top[64]; /* the scenario's own directory: run/, and what is kept */
	char run_dir[80], mrt_dir[80], url[128];
	char inside[96];    /* the topology, if it is the scenario's own */
	uint64_t since_us;  /* wall time at which the last step began that did something */
	unsigned applied;   /* maps so far */
	const char *timing; /* NULL: the topology's */
	bool skipped;       /* a command said that this cannot be tried here */
	const struct sc_step *failed;
	char why[1024];
};

/* Says why; always false. */
bool sc_fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A command line that must succeed. */
bool sc_command(struct run *r, const char *const *words);
/* The answer as JSON, NULL after sc_fail(). */
json_t *sc_ask(struct run *r, const char *const *words);
/* What of ms is left. */
uint32_t sc_left(struct fab_mono since, uint32_t ms);

/* "event KIND [SUBJECT [TEXT...]]" and its "no": about what happened since r->since_us. */
bool sc_is_event(const char *condition);
bool sc_event_holds(struct run *r, const char *condition, uint32_t within_ms);
bool sc_event_stays(struct run *r, const char *condition, uint32_t ms);

/* Lays a part of a topology over the one that runs: a map is merged, null takes away. */
bool sc_overlay(struct run *r, const json_t *part);

/* Logs, events, timeline, processes and NICs, into r->top; what the nodes said in BGP is there
 * already, in r->mrt_dir. */
void sc_keep(struct run *r);
/* Removes a directory of files. */
void sc_empty_dir(const char *path);

#endif
