#ifndef FABCTL_CTL_LINK_H
#define FABCTL_CTL_LINK_H
/*
 * A link as JSON and as one line, for all verbs that name some.
 */
#include "proto/fabric.pb-c.h"

#include <jansson.h>

#define CTL_LINK_TEXT_MAX 256

/* As `link list` has it; a new reference. */
json_t *ctl_link_json(const Fab__V1__LinkInfo *l);
/* One direction of that: "nva1 > nva3 20ms+-2ms 1% 100mbit", "vm11 > cut", "> vm12 20ms". */
void ctl_link_text(char out[static CTL_LINK_TEXT_MAX], const json_t *link);

#endif
