#ifndef FABRICD_FC_TABLE_H
#define FABRICD_FC_TABLE_H
/*
 * A table of BGP routes: prefix -> next-hop group, with a reference on the group for each route. A
 * route that was not repeated in the snapshot under way carries FC_STALE beside the group's number.
 */
#include "fabricd/fc_group.h"
#include "fabricd/fc_lpm.h"

#define FC_STALE 0x80000000u

void fc_table_clear(struct fc_group_pool *p, struct fc_lpm *t);
/* Stores group id for net, not stale, and takes over the caller's reference; adds one to *changed
 * unless that was the route already. */
int fc_table_set(
    struct fc_group_pool *p, struct fc_lpm *t, struct ipnet net, uint32_t id, size_t *changed);
/* False: net was not there. */
bool fc_table_del(struct fc_group_pool *p, struct fc_lpm *t, struct ipnet net);

#endif
