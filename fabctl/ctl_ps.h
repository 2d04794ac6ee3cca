#ifndef FABCTL_CTL_PS_H
#define FABCTL_CTL_PS_H
/*
 * The processes of a fabric: what the run directory knows (pid, running, paused, dead) joined with
 * what fabricd knows (sessions, endpoints).
 */
#include "fabctl/ctl_out.h"
#include "fabctl/ctl_run.h"
#include "proto/fabric.pb-c.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* [{name, kind, pid, state, uptime_s, endpoints, sessions}], fabricd first, then by name. states
 * may be empty (not a local fabric), nodes may be NULL (fabricd does not answer). */
json_t *ctl_ps_join(
    const struct ctl_state *states, size_t n, const Fab__V1__NodeList *nodes, uint64_t now_us);

/* As text: one table, sessions as up/configured. */
extern const struct ctl_view ctl_ps_view;
/* Its table alone, without what each vswitchd counted. */
void ctl_ps_table(FILE *fp, const json_t *value);

#endif
