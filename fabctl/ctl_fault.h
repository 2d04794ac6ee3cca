#ifndef FABCTL_CTL_FAULT_H
#define FABCTL_CTL_FAULT_H
/*
 * Faults that fabctl causes by itself, and how fabricd hears of them.
 */
#include "fabctl/ctl.h"

/* Tells fabricd first, so that the timeline starts with the cause. Best effort: a fault must also
 * work on a fabric whose fabricd is gone. */
void ctl_fault_note(struct ctl *c, const char *node, const char *action);

#endif
