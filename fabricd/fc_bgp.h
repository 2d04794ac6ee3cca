#ifndef FABRICD_FC_BGP_H
#define FABRICD_FC_BGP_H
/*
 * The BGP layer: what the reporters of each scope say, and which table each NIC uses. A scope is a
 * VNet with a Route Server or gateways. Each reporter has a table of its own (prefix -> group).
 * With a Route Server instance i's table is what the NICs of instance i see; without one a table of
 * the best routes of all gateway instances is kept beside them.
 */
#include "fabricd/fc_layers.h"
#include "fabricd/fc_table.h"

#define FC_FEEDS_MAX       4       /* of a scope: two gateways of two instances */
#define FC_FEED_ROUTES_MAX 1000000 /* far above what Azure's limits allow to arrive */

struct fc_feed {
	UT_hash_handle hh; /* by name */
	char *name;
	char *vnet_name; /* of its scope */
	int vnet;
	unsigned instance;
	struct fc_lpm rib;
	bool connected;
	bool ready;   /* has been converged since it connected */
	bool counted; /* gateways: part of the best table */
	bool seen;    /* mark of a bind */
};

struct fc_scope {
	bool has_rs;
	struct fc_feed *feed[FC_FEEDS_MAX];
	size_t n_feeds;
	unsigned serving[2]; /* Route Server: whose table the NICs of each instance use */
	bool dark;           /* both instances are gone, and their routes with them (OPEN-16) */
	struct fc_lpm best;  /* gateways only */
};

struct fc_bgp {
	struct fc_group_pool groups;
	struct fc_feed *feeds;
	struct fc_scope *scopes; /* one per VNet of the topology; n_feeds 0: not a scope */
	size_t n_scopes;
	bool withdraws; /* OPEN-16 */
};

void fc_bgp_init(struct fc_bgp *b);
void fc_bgp_fini(struct fc_bgp *b);

/* Follows the topology; routes of reporters that still exist in the same VNet stay. FAB_ENOMEM: the
 * layer is consistent, but routes may be missing until the next snapshots. */
int fc_bgp_bind(struct fc_bgp *b, const struct topo *t);

/* Both follow the same topology. */
int fc_bgp_copy(struct fc_bgp *to, const struct fc_bgp *from);

/* See fc_layers.h for these. */
int fc_bgp_snapshot_begin(struct fc_bgp *b, const char *reporter);
int fc_bgp_apply(
    struct fc_bgp *b, const char *reporter, const struct fc_route_batch *batch, size_t *changed);
int fc_bgp_snapshot_end(struct fc_bgp *b, const char *reporter, size_t *changed);
/* True if some NIC's table changed. */
bool fc_bgp_state(struct fc_bgp *b, const char *reporter, bool connected, bool converged);

/* Whether every reporter is there and has had all its routes since. */
bool fc_bgp_settled(const struct fc_bgp *b);

/* The table that NICs of that instance in the scope of vnet use; NULL: vnet is not a scope. Its
 * values are for fc_bgp_group(). */
const struct fc_lpm *fc_bgp_table(const struct fc_bgp *b, int vnet, unsigned instance);
const struct fc_group *fc_bgp_group(const struct fc_bgp *b, uint32_t value);

/* A route for net that the NICs of that instance do not use although a reporter of the scope has
 * it. */
struct fc_bgp_other {
	const char *reporter;
	uint32_t value;
	const char *rule; /* RS-66: the other instance's; RS-93: its reporter is gone; else why it
			     lost (HRP-*, ER-18, RS-60) */
};
size_t fc_bgp_others(const struct fc_bgp *b, int vnet, unsigned instance, struct ipnet net,
    struct fc_bgp_other out[static FC_FEEDS_MAX]);
/* Prefixes that contain net in any table of the scope, shortest first. */
size_t fc_bgp_match_all(
    const struct fc_bgp *b, int vnet, struct ipnet net, struct ipnet out[static FC_LPM_DEPTH]);
size_t fc_bgp_memory(const struct fc_bgp *b);

/* Whether every prefix of the batch is well-formed and every group small enough. */
bool fc_batch_valid(const struct fc_route_batch *b);
size_t fc_batch_announced(const struct fc_route_batch *b);

#endif
