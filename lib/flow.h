#ifndef LIB_FLOW_H
#define LIB_FLOW_H
/*
 * How a flow chooses one of several equal ways (RS-60) or backends (SC-C). The switch does it for
 * packets, fabricd for traces: both have to choose the same. vs_fast.bpf.c says it once more, for
 * the kernel.
 */
#include <stddef.h>
#include <stdint.h>

/* One end. Host order; port 0 where the protocol has none, and in fragments. */
struct fab_flow_end {
	uint32_t addr;
	uint16_t port;
};

/* Hash of a direction: its answer has another one. proto: IP's. */
uint32_t fab_flow_hash(struct fab_flow_end src, struct fab_flow_end dst, uint8_t proto);
/* The same for both directions. */
uint32_t fab_flow_pair(struct fab_flow_end src, struct fab_flow_end dst, uint8_t proto);
/* Routers behind each other choose anew, or every second member would never be used: hash as it is
 * behind that many routers. */
uint32_t fab_flow_behind(uint32_t hash, unsigned routers);
/* The index of the one of n > 0 that the hash chooses: spreads without the bias of a remainder. */
size_t fab_flow_choose(uint32_t hash, size_t n);

#endif
