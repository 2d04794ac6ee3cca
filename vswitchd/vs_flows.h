#ifndef VSWITCHD_VS_FLOWS_H
#define VSWITCHD_VS_FLOWS_H
/*
 * Which flows a cache in the kernel has (vs_nft.h). A flow is what one port sends from one address
 * to another one, or, where the choice among several takers goes by ports, one connection of that.
 *
 * The userspace engine only says which flows it sees (vs_hints.h). Whether one may be cached is
 * decided here, by the tables in force and on the thread that puts tables in force: so nothing that
 * was decided by older tables can come into the cache later, and vs_flows_review() after an update
 * is all that keeps it true. A flow whose taker has changed goes on with the other one, without a
 * turn through userspace.
 *
 * Loop thread only.
 */
#include "vswitchd/vs_model.h"

#define VS_FLOWS_MAX      8192
#define VS_FLOWS_PORT_MAX 2048 /* of one sender: who forwards can send from and to any address */

/* No holes: it is compared as octets. */
struct vs_flow_key {
	uint32_t from; /* slot of the sender's port */
	uint32_t src, dst;
	uint32_t proto; /* 0: all of them */
	uint32_t ports; /* source << 16 | destination, with proto */
};

/* The cache itself. */
struct vs_flows_ops {
	/* Slot of who gets it by the tables in force; 0: it is not for the cache. */
	uint32_t (*decide)(void *ctx, const struct vs_flow_key *k, const struct vs_flow *flow);
	void (*add)(void *ctx, const struct vs_flow_key *k, uint32_t to);
	void (*del)(void *ctx, const struct vs_flow_key *k);
	/* What was added and deleted since the last call is so now, and vs_flows_counted() has been
	 * called for what was deleted. Not FAB_OK: unknown; the next call is clear(). */
	int (*commit)(void *ctx);
	/* It has none any more. */
	void (*clear)(void *ctx);
	/* What it carried since it was last asked. */
	void (*carried)(void *ctx, uint32_t from, uint32_t to, uint64_t packets, uint64_t octets);
};

struct vs_flows_stats {
	uint64_t added, refused, moved, removed; /* refused: not for the cache, or no room */
};

struct vs_flows;

int vs_flows_new(struct vs_flows **out, const struct vs_flows_ops *ops, void *ctx);
/* The cache stays as it is. NULL is fine. */
void vs_flows_free(struct vs_flows *f);

/* A flow was seen. vs_flows_commit() follows after the last one of several. */
void vs_flows_ask(struct vs_flows *f, const struct vs_flow_key *k, const struct vs_flow *flow);
void vs_flows_commit(struct vs_flows *f);

/* Other tables are in force. */
void vs_flows_review(struct vs_flows *f);
/* Nothing from or to that port is cached any more. */
void vs_flows_forget(struct vs_flows *f, uint32_t slot);
/* Flows that carried nothing since the call before go. Ask the cache for its counters first. */
void vs_flows_age(struct vs_flows *f);

/* What the cache counted for a flow since it was added. */
void vs_flows_counted(
    struct vs_flows *f, const struct vs_flow_key *k, uint64_t packets, uint64_t octets);

size_t vs_flows_count(const struct vs_flows *f);
const struct vs_flows_stats *vs_flows_stats(const struct vs_flows *f);

#endif
