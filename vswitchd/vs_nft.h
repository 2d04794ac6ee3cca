#ifndef VSWITCHD_VS_NFT_H
#define VSWITCHD_VS_NFT_H
/*
 * The userspace engine with a flow cache in the kernel: guests have veths (vs_wired.h), and rules
 * of nftables at our ends (vs_rules.h) send what belongs to a flow of the cache (vs_flows.h)
 * straight to its taker. CAP_NET_ADMIN is enough, in a user namespace too.
 *
 * When vswitchd is killed, cached flows go on until the next one's tables are in force, which
 * starts with an empty cache. When it ends on purpose nothing passes any more.
 */
#include "vswitchd/vs_engine.h"

#define VS_NFT_WHY_MAX    192
#define VS_NFT_IDLE_MS    15000 /* a flow that carried nothing for that long, up to twice, goes */
#define VS_NFT_COUNTED_MS 100   /* counters are at most that old */

struct fab_loop;

/* FAB_EPERM, FAB_EIO ...: why[] says in a line what is missing. The model, which gets its watcher,
 * and the loop are borrowed. */
int vs_nft_new(struct vs_engine **out, struct vs_model *m, struct fab_loop *loop,
    char why[static VS_NFT_WHY_MAX]);

#endif
