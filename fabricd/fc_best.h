#ifndef FABRICD_FC_BEST_H
#define FABRICD_FC_BEST_H
/*
 * The table that NICs use in a scope without a Route Server: for each prefix what hrp_select()
 * keeps of the routes that the gateway instances report, with the next hops of all of them (ER-23,
 * VPN-14). A reporter that is not counted does not take part.
 */
#include "fabricd/fc_bgp.h"

/* Chooses again for net. Both instances' NICs use the result: a change counts two. */
int fc_best_update(struct fc_bgp *b, struct fc_scope *s, struct ipnet net, size_t *changed);
/* For every prefix that r has. */
int fc_best_update_all(
    struct fc_bgp *b, struct fc_scope *s, const struct fc_feed *r, size_t *changed);
/* The reported routes for net that are not part of the best one. */
size_t fc_best_losers(const struct fc_bgp *b, const struct fc_scope *s, struct ipnet net,
    struct fc_bgp_other out[static FC_FEEDS_MAX]);

#endif
