#ifndef FABCTL_CTL_POWER_H
#define FABCTL_CTL_POWER_H
/*
 * Guests as machines: without power a guest loses its link, then all of its processes, and its
 * namespace with everything configured in it. Switched on again it is a new one under the old name,
 * in which the node of that name is started, if there is one. Which guests are off is written in
 * the list that fabattach reads, so it outlives every process.
 */
#include "fabctl/ctl.h"

#include <jansson.h>
#include <stdbool.h>

/* Names of the guests that are off, as keys of an object; the caller's. */
json_t *ctl_power_off(const char *run_dir);
bool ctl_power_is_off(const char *run_dir, const char *name);

/* `kill NAME --guest`. Returns the exit code, with words. */
int ctl_power_kill(struct ctl *c, const char *name);
/* For `start`, under the lock of the run directory: the new namespace is there on CTL_OK. */
int ctl_power_on(struct ctl *c, const char *name);

#endif
