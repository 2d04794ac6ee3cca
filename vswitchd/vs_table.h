#ifndef VSWITCHD_VS_TABLE_H
#define VSWITCHD_VS_TABLE_H
/*
 * A compiled table: sorted, disjoint ranges of addresses, each with the longest prefix that covers
 * it; every prefix knows the next shorter one that contains it. Immutable. Built in linear time
 * from sorted prefixes; a lookup is a binary search and, rarely, a walk to a shorter prefix.
 */
#include "lib/ipnet.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VS_NO_ENTRY UINT32_MAX

struct vs_entry {
	uint32_t addr;
	uint32_t group;
	uint32_t parent; /* the longest entry that contains this one; VS_NO_ENTRY: none */
	uint8_t len;
};

struct vs_range {
	uint32_t start; /* first address; it ends where the next one starts */
	uint32_t entry; /* VS_NO_ENTRY: a hole */
};

struct vs_table {
	const struct vs_entry *entries; /* in ipnet_cmp() order */
	const struct vs_range *ranges;  /* the first one starts at 0.0.0.0 */
	uint32_t n_entries, n_ranges;
	bool has_default; /* holds 0.0.0.0/0 (SYS-5, EFF-14) */
};

/* Routes in any order, a prefix twice: the later one counts; groups are not 0. FAB_EINVAL: host
 * bits, length. */
int vs_table_build(struct vs_table **out, const uint32_t *addr, const uint8_t *len,
    const uint32_t *group, size_t n);
struct vs_change {
	struct ipnet net;
	uint32_t group; /* 0: withdrawn */
	uint32_t order; /* of two for one prefix the higher one counts */
};

/* A table like old (NULL: empty) but for the changes, which it sorts. Linear if they are sorted and
 * name no prefix twice. FAB_EINVAL as above. */
int vs_table_merge(
    struct vs_table **out, const struct vs_table *old, struct vs_change *changes, size_t n);
void vs_table_free(struct vs_table *t); /* NULL is fine */
size_t vs_table_memory(const struct vs_table *t);

/* The longest entry that contains addr, VS_NO_ENTRY if there is none. Its parents are the shorter
 * ones. */
uint32_t vs_table_find(const struct vs_table *t, uint32_t addr);

#endif
