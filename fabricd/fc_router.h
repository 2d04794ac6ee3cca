#ifndef FABRICD_FC_ROUTER_H
#define FABRICD_FC_ROUTER_H
/*
 * What NVAs and on-premises routers say about their own tables: prefix -> node that the packet goes
 * to next. Only trace uses it.
 */
#include "fabricd/fc_layers.h"
#include "fabricd/fc_lpm.h"

#include <uthash.h>

#define FC_ROUTER_PEERS_MAX  1024
#define FC_ROUTER_ROUTES_MAX 1000000

struct fc_router {
	UT_hash_handle hh; /* by name */
	char *name;
	bool gone;         /* it did report and went away */
	struct fc_lpm rib; /* -> index in peers, FC_STALE during a snapshot */
	char **peers;
	size_t n_peers;
};

/* An NVA or a site of t. */
bool fc_is_router(const struct topo *t, const char *node);

void fc_routers_free(struct fc_router **all);
/* Forgets those that are no node of t any more. */
void fc_routers_bind(struct fc_router **all, const struct topo *t);
struct fc_router *fc_router_find(struct fc_router *all, const char *node);
/* FAB_ENOENT: t has no NVA or site of that name. */
int fc_router_apply(struct fc_router **all, const struct topo *t, const char *node,
    const struct fc_route_batch *b, bool snapshot_begin, bool snapshot_end);
size_t fc_routers_memory(const struct fc_router *all);

#endif
