#ifndef FABCTL_SC_RUN_H
#define FABCTL_SC_RUN_H
/*
 * One scenario in a fabric of its own: up, step by step until one fails, down. What a failed one
 * leaves behind lies in one directory: logs, events, timeline, processes, and the NICs.
 */
#include "fabctl/sc_call.h"
#include "fabctl/sc_file.h"

#include <jansson.h>

struct sc_options {
	bool keep;          /* whatever the end, the fabric stays up */
	uint32_t seed;      /* of the fabric's delays; 0: as the topology has it */
	const char *timing; /* a profile; NULL: the topology's */
	const char *url;    /* of a fabric that runs, and stays; NULL: one is made for it */
};

/* {"scenario", "file", "ok", "seconds", "steps", of a skipped one "skipped": why, and of a failed
 * one "line", "step", "message", "kept"}, of one that stays up "url" says where; the caller's. */
json_t *sc_run(const struct sc_file *f, const struct sc_options *o);

#endif
