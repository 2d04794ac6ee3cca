#ifndef FABRICD_FC_LAG_H
#define FABRICD_FC_LAG_H
/*
 * What Route Servers and gateways have reported and NICs do not have yet: the platform takes its
 * time to program them (TIME-2, TIME-3, TIME-20). A queue for each node; what is in it is applied
 * in the order in which it came, each after a delay of its own, which is drawn from the range that
 * timing.delays has. Without a delay nothing is ever queued. Loop thread.
 */
#include "lib/topo.h"
#include "proto/control.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

#define FC_LAG_ITEMS_MAX 10000 /* of a node; with more the oldest are applied early */

struct fc;
struct fc_lag;

/* Its time has come: m is a route batch of that node as it was queued, with when that was (wall
 * clock); m NULL: the node was lost then. */
typedef void fc_lag_fn(
    struct fc *f, const char *node, const Fab__V1__RouteBatch *m, uint64_t queued_us);

/* f and fn are borrowed. */
int fc_lag_new(struct fc_lag **out, struct fc *f, fc_lag_fn *fn);
void fc_lag_free(struct fc_lag *l);

/* The delay of what that node says now, drawn from r; 0: at once, and nothing of it waits. */
uint32_t fc_lag_draw(struct fc_lag *l, const char *node, struct topo_range r);
/* Queues; not before what is queued already. FAB_ENOMEM: nothing was. */
int fc_lag_put(struct fc_lag *l, const char *node, const Fab__V1__RouteBatch *m, uint32_t delay_ms);
/* Forgets what is queued of that node: it says everything again. */
void fc_lag_drop(struct fc_lag *l, const char *node);
void fc_lag_drop_all(struct fc_lag *l);
/* A node of which something is queued, and how long the first of it still takes; NULL: none. */
const char *fc_lag_pending(const struct fc_lag *l, uint64_t *ms);

#endif
