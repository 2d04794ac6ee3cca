#ifndef FABRICD_FC_LISTING_H
#define FABRICD_FC_LISTING_H
/*
 * What `routes effective` shows. Azure's answer lags behind what NICs have (TIME-5, TIME-6,
 * TIME-7): with timing.delays.effective_routes there are layers of their own for it, which hear of
 * routes later. Without that delay the listing is of the layers behind the NICs. Other questions
 * (explain, trace, nexthop) are about packets, and always answered from those.
 */
#include "fabricd/fc.h"
#include "proto/control.pb-c.h"

struct fc_listing;

int fc_listing_new(struct fc_listing **out, struct fc *f);
void fc_listing_free(struct fc_listing *li);

/* topo is in force, and f->layers are bound to it. Out of memory: the listing does not lag. */
void fc_listing_follow(struct fc_listing *li);
const struct fc_layers *fc_listing_layers(const struct fc_listing *li);

/* What f->layers were just told, to be told later; batch is m, decoded. */
void fc_listing_batch(struct fc_listing *li, const char *node, const Fab__V1__RouteBatch *m,
    const struct fc_route_batch *batch, bool in_snapshot);
void fc_listing_snapshot(struct fc_listing *li, const char *node, bool begin);
void fc_listing_state(struct fc_listing *li, const char *node, bool connected, bool converged);

/* A node of which something is not listed yet; NULL: none. */
const char *fc_listing_pending(const struct fc_listing *li, uint64_t *ms);

#endif
