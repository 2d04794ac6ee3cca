#ifndef FABRICD_FC_LPM_H
#define FABRICD_FC_LPM_H
/*
 * A set of IPv4 prefixes, each with a 32-bit value: a path-compressed binary trie whose nodes live
 * in one array and name each other by index. 20 octets a node, at most two nodes a prefix, at most
 * 33 steps per question; an in-order walk yields ipnet_cmp() order. Every layer is one of these.
 */
#include "lib/ipnet.h"

#define FC_LPM_NONE  UINT32_MAX /* not a value: no such prefix */
#define FC_LPM_DEPTH 33         /* lengths 0 ... 32 */

struct fc_lpm_node {
	uint32_t addr;
	uint32_t value;
	uint32_t child[2]; /* by the bit behind the prefix; 0: none */
	uint8_t len;
	bool used; /* false: only a fork */
};

struct fc_lpm {
	struct fc_lpm_node *nodes; /* [0] is never used */
	uint32_t root, free, n_nodes, cap;
	size_t count;
};

/* An all-zero struct is an empty set as well. */
void fc_lpm_init(struct fc_lpm *t);
void fc_lpm_fini(struct fc_lpm *t);

/* Makes room for n more prefixes, so that as many fc_lpm_add() calls cannot fail. */
int fc_lpm_reserve(struct fc_lpm *t, size_t n);
/* The value of net, which is added with FC_LPM_NONE if it is new; the caller has to store another
 * one. NULL: out of memory. Valid until the next add or del. */
uint32_t *fc_lpm_add(struct fc_lpm *t, struct ipnet net);
/* The value of exactly net, NULL if it is not there. */
uint32_t *fc_lpm_slot(const struct fc_lpm *t, struct ipnet net);
uint32_t fc_lpm_get(const struct fc_lpm *t, struct ipnet net);
/* Removes net; returns its value, FC_LPM_NONE if it was not there. */
uint32_t fc_lpm_del(struct fc_lpm *t, struct ipnet net);
struct fc_lpm_hit {
	struct ipnet net;
	uint32_t value;
};

/* All prefixes that contain net (itself included), shortest first; returns how many. */
size_t fc_lpm_match(
    const struct fc_lpm *t, struct ipnet net, struct fc_lpm_hit hits[static FC_LPM_DEPTH]);
/* The longest one that contains addr and is shorter than below (33: any). */
bool fc_lpm_longest(const struct fc_lpm *t, uint32_t addr, unsigned below, struct fc_lpm_hit *hit);

/* Walks all prefixes inside a given one in order. The set must not change meanwhile. */
struct fc_lpm_iter {
	const struct fc_lpm *t;
	uint32_t stack[FC_LPM_DEPTH + 1];
	unsigned depth;
};

void fc_lpm_walk(struct fc_lpm_iter *it, const struct fc_lpm *t, struct ipnet inside);
bool fc_lpm_next(struct fc_lpm_iter *it, struct fc_lpm_hit *hit);

size_t fc_lpm_memory(const struct fc_lpm *t);

#endif
