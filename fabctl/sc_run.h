#ifndef FABCTL_SC_RUN_H
#define FABCTL_SC_RUN_H
/*
 * One scenario in a fabric of its own: up, step by step until one fails, down. What a failed one
 * leaves behind lies in one directory: logs, events, timeline, processes, and the NICs.
 */
#include "fabctl/sc_call.h"
#include "fabctl/sc_file.h"

#include <jansson.h>

/* {"scenario", "file", "ok", "seconds", "steps", of a skipped one "skipped": why, and of a failed
 * one "line", "step", "message", "kept"}; the caller's. keep: whatever the end, the fabric stays up
 * and "url" says where. seed: of
 * the fabric's delays; 0: as the topology has it. */
json_t *sc_run(const struct sc_file *f, bool keep, uint32_t seed);

#endif
