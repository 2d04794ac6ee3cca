#ifndef FABRICD_WIRE_BATCH_H
#define FABRICD_WIRE_BATCH_H
/*
 * fab.v1.RouteBatch as struct fc_route_batch. Nothing is copied but the list of groups: prefixes,
 * next hops and paths stay in the message.
 */
#include "fabricd/fc_layers.h"
#include "fabricd/fc_mem.h"
#include "fabricd/fc_timeline.h"
#include "proto/control.pb-c.h"

#define WIRE_BATCH_NEXT_HOPS 64   /* of one group; an ECMP set has at most 8 (RS-27) */
#define WIRE_BATCH_PATH      1024 /* ASNs of a path */

/* FAB_EBADMSG: lists that do not fit each other, a length above 32, host bits, a limit exceeded.
 * FAB_ENOMEM. *prefixes receives how many are announced and withdrawn. */
int wire_batch_decode(struct fc_mem *mem, struct fc_route_batch *out, uint32_t *prefixes,
    const Fab__V1__RouteBatch *m);
/* The stamps of its cause; all but layer_us and changed. Strings stay in the message. */
void wire_batch_stamps(struct fc_batch_stamps *out, const char *node, const Fab__V1__RouteBatch *m);

#endif
