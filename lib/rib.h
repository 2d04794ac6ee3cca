#ifndef LIB_RIB_H
#define LIB_RIB_H
/*
 * The prefix table of a BGP speaker: for each prefix the paths it was offered (Adj-RIB-In of all
 * peers, in one list) and what was sent for it to each export group (Adj-RIB-Out). Storage only:
 * what a path is worth and where it goes is decided in bgp_speaker*.c.
 *
 * Everything comes from pools, so that a route costs 24 octets and a prefix 48, and no call of the
 * allocator. Objects keep their address until they are removed. The paths of a prefix stay in the
 * order of arrival.
 */
#include "lib/ipnet.h"

#include <stddef.h>
#include <stdint.h>

struct rib;

/* One path; from is the owner's number of the peer or origination, unique within a prefix. */
struct rib_path {
	struct rib_path *next;
	void *route; /* the owner's: attributes and origin, shared by many prefixes */
	uint32_t from;
	uint8_t rank; /* the owner's: 1 is best, 0 not chosen */
};

/* What a group was sent. */
struct rib_out {
	struct rib_out *next;
	void *attrs;   /* the owner's */
	uint32_t from; /* of the path that it came from */
	uint16_t group;
};

struct rib_prefix {
	struct ipnet net;
	bool used;    /* the rib's */
	bool touched; /* the owner's: a chosen path was removed or replaced */
	struct rib_path *paths;
	struct rib_out *outs;
	struct rib_prefix *hash_next;
	struct rib_prefix *dirty_next; /* NULL: not on the dirty list */
};

/* FAB_ENOMEM. */
int rib_new(struct rib **out);
/* Frees the storage; what routes and attrs point to is the owner's. NULL is fine. */
void rib_free(struct rib *rib);
size_t rib_count(const struct rib *rib);

struct rib_prefix *rib_prefix_find(const struct rib *rib, struct ipnet net);
/* Finds or creates; NULL: out of memory. */
struct rib_prefix *rib_prefix_add(struct rib *rib, struct ipnet net);
/* Removes a prefix that has no path, no out and is not dirty; otherwise does nothing. */
void rib_prefix_release(struct rib *rib, struct rib_prefix *p);

struct rib_path *rib_path_find(const struct rib_prefix *p, uint32_t from);
/* Appends; from must not be there. NULL: out of memory. */
struct rib_path *rib_path_add(struct rib *rib, struct rib_prefix *p, uint32_t from);
/* The path must be there. Returns its route. */
void *rib_path_remove(struct rib *rib, struct rib_prefix *p, uint32_t from);

struct rib_out *rib_out_find(const struct rib_prefix *p, uint16_t group);
struct rib_out *rib_out_add(struct rib *rib, struct rib_prefix *p, uint16_t group);
/* The out must be there. Returns its attrs. */
void *rib_out_remove(struct rib *rib, struct rib_prefix *p, uint16_t group);

/* The dirty list: prefixes to look at again. A prefix is on it at most once and stays in the table
 * as long. */
void rib_dirty_add(struct rib *rib, struct rib_prefix *p);
/* Takes one out, in order of addition; NULL: none is left. */
struct rib_prefix *rib_dirty_take(struct rib *rib);

/* Walks every prefix, in no useful order: start with 0. Safe against any change in between: what is
 * removed is not seen any more, what is added may or may not be. NULL: the end. */
struct rib_prefix *rib_next(const struct rib *rib, size_t *cursor);

#endif
