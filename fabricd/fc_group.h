#ifndef FABRICD_FC_GROUP_H
#define FABRICD_FC_GROUP_H
/*
 * Next-hop groups: everything that BGP routes of a layer share but the prefix. Interned and
 * counted, so a route is a prefix and a group number, and 4,000 routes through one NVA are one
 * group. All scopes share one pool.
 */
#include "lib/hrp.h"

#include <stdint.h>
#include <uthash.h>

#define FC_NEXT_HOPS_MAX 64 /* of one group; Azure's own limits are lower (RS-27) */

struct fc_group_key {
	enum hrp_source source;
	uint32_t weight;   /* ER-18 */
	uint16_t path_len; /* HRP-6 */
	uint16_t n_hops;
};

struct fc_group {
	UT_hash_handle hh;
	uint32_t id;
	uint32_t refs;
	struct fc_group_key key; /* the hops follow it in memory: both are the hash key */
	uint32_t hops[];         /* in ascending order, no duplicates */
};

struct fc_group_pool {
	struct fc_group *by_key;
	struct fc_group **by_id; /* NULL: free number */
	uint32_t *free_ids;
	uint32_t n_ids, n_free, cap;
	size_t octets;
};

void fc_group_pool_init(struct fc_group_pool *p);
/* Frees all groups, referenced or not. */
void fc_group_pool_fini(struct fc_group_pool *p);

/* The group with these members and one reference for the caller. hops in any order, at most
 * FC_NEXT_HOPS_MAX (FAB_ETOOBIG). */
int fc_group_intern(
    struct fc_group_pool *p, struct fc_group_key key, const uint32_t *hops, struct fc_group **out);
const struct fc_group *fc_group_get(const struct fc_group_pool *p, uint32_t id);
void fc_group_ref(struct fc_group_pool *p, uint32_t id);
void fc_group_unref(struct fc_group_pool *p, uint32_t id);
size_t fc_group_memory(const struct fc_group_pool *p);

#endif
