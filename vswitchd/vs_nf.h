#ifndef VSWITCHD_VS_NF_H
#define VSWITCHD_VS_NF_H
/*
 * nf_tables by netlink (libmnl), as far as vs_rules.c needs it: transactions, the expressions of
 * rules, elements of maps with their counters. Everything is in the family netdev. The kernel
 * answers within the call, so nothing here waits.
 *
 * libnftables, which nvad uses, compiles text and gives counters back as text; a flow a packet is
 * waiting for, and thousands of counters a second, are not for it.
 */
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VS_NF_WHY_MAX 192
#define VS_NF_KEY_MAX 20 /* octets */

/* The n-th register of four octets. */
#define VS_NF_REG(n) (NFT_REG32_00 + (n))

struct vs_nf;

/* FAB_EIO, FAB_ENOMEM. */
int vs_nf_new(struct vs_nf **out);
void vs_nf_free(struct vs_nf *nf); /* NULL is fine */

/* An element of a map, as the kernel tells of it. */
struct vs_nf_elem {
	const uint8_t *key;
	size_t key_len;
	uint64_t packets, octets;
};

typedef void vs_nf_elem_fn(void *ctx, const struct vs_nf_elem *e);

/* ---- transactions: all of it or nothing ---- */

void vs_nf_begin(struct vs_nf *nf);
/* Whether the transaction should be committed before more is put into it. */
bool vs_nf_is_full(const struct vs_nf *nf);
/* fn (NULL: nobody): each element that was deleted, with what it counted until nothing could find
 * it any more. FAB_EPERM, FAB_ENOENT, FAB_EEXIST ...: nothing has changed; why[] says what "step"
 * came to. */
int vs_nf_commit(struct vs_nf *nf, const char *step, vs_nf_elem_fn *fn, void *ctx,
    char why[static VS_NF_WHY_MAX]);

void vs_nf_table_add(struct vs_nf *nf, const char *table);
void vs_nf_table_del(struct vs_nf *nf, const char *table);

struct vs_nf_map {
	const char *table, *name;
	uint32_t key_type, key_len;   /* type: what nft shows it as */
	uint32_t data_type, data_len; /* likewise */
	uint32_t size;                /* elements */
	bool counts;                  /* each element does */
};

void vs_nf_map_add(struct vs_nf *nf, const struct vs_nf_map *m);
void vs_nf_elem_add(struct vs_nf *nf, const struct vs_nf_map *m, const void *key, const void *data);
void vs_nf_elem_del(struct vs_nf *nf, const struct vs_nf_map *m, const void *key);
void vs_nf_map_flush(struct vs_nf *nf, const struct vs_nf_map *m);

/* At the ingress of that device; what no rule takes is dropped. dev NULL: nowhere yet. */
void vs_nf_chain_add(struct vs_nf *nf, const char *table, const char *chain, const char *dev);
void vs_nf_chain_del(struct vs_nf *nf, const char *table, const char *chain);
void vs_nf_chain_flush(struct vs_nf *nf, const char *table, const char *chain);

/* ---- rules: expressions between begin and end ---- */

void vs_nf_rule_begin(struct vs_nf *nf, const char *table, const char *chain);
void vs_nf_rule_end(struct vs_nf *nf);

void vs_nf_load_meta(struct vs_nf *nf, unsigned reg, enum nft_meta_keys key);
void vs_nf_load(
    struct vs_nf *nf, unsigned reg, enum nft_payload_bases base, unsigned at, unsigned len);
void vs_nf_mask(struct vs_nf *nf, unsigned reg, const void *mask, unsigned len);
/* The rule ends here unless it holds. */
void vs_nf_check(
    struct vs_nf *nf, unsigned reg, enum nft_cmp_ops op, const void *value, unsigned len);
void vs_nf_set(struct vs_nf *nf, unsigned reg, const void *value, unsigned len);
/* Into the packet. */
void vs_nf_store(
    struct vs_nf *nf, unsigned reg, enum nft_payload_bases base, unsigned at, unsigned len);
/* What the map has for the key in that register, into dreg; the rule ends if it has nothing. */
void vs_nf_look_up(struct vs_nf *nf, const struct vs_nf_map *m, unsigned reg, unsigned dreg);
/* To the interface whose index is in that register. */
void vs_nf_forward(struct vs_nf *nf, unsigned reg);

/* ---- questions ---- */

/* Every element. FAB_ENOENT: no such map. */
int vs_nf_each_elem(
    struct vs_nf *nf, const char *table, const char *map, vs_nf_elem_fn *fn, void *ctx);
/* Every table of the family; the transaction must be empty. */
int vs_nf_each_table(struct vs_nf *nf, void (*fn)(void *ctx, const char *name), void *ctx);

#endif
