#ifndef NVAD_NVA_KERNEL_H
#define NVAD_NVA_KERNEL_H
/*
 * The forwarding table of the namespace that the NVA stands in, by rtnetlink: what the router
 * learned becomes kernel routes, and its tunnels to other NVAs become VXLAN devices (MR-5, MR-6).
 * With conf->snat the namespace translates what it forwards to the Internet (nva_snat.h).
 *
 *   learned through a tunnel   -> the tunnel's device
 *   everything else            -> eth0 by the subnet's first address; the switch decides (MR-7)
 *
 * Waits until the NVA's own address stands on eth0, so that nothing is ever written into a
 * namespace that is not the NVA's. Routes carry the protocol number of BGP, so that nvad knows
 * those of an earlier one. They stay when nvad ends or dies, as the forwarding plane of a router
 * does: packets go on while BGP is away.
 *
 * Loop thread only. Needs CAP_NET_ADMIN in that namespace; without it, or on another failure, there
 * is one line in the log and the router goes on without (FAB_OK).
 */
#include "lib/loop.h"
#include "lib/wire_conf.h"

struct nva_kernel;

int nva_kernel_new(struct nva_kernel **out, struct fab_loop *loop);
void nva_kernel_free(struct nva_kernel *k); /* NULL is fine; routes and tunnels stay */

/* Own address and tunnels of conf, borrowed for the call. Without conf->kernel_routes everything
 * that was written is taken away. */
void nva_kernel_config(struct nva_kernel *k, const struct wire_conf *conf);
/* peer: name of the peer that the route was learned from, "" for an own one. FAB_ENOMEM. */
int nva_kernel_set(struct nva_kernel *k, const struct ipnet *prefix, const char *peer);
void nva_kernel_del(struct nva_kernel *k, const struct ipnet *prefix);
/* Takes away what an earlier nvad left and nobody wants any more; for when the router has heard
 * from all its peers. */
void nva_kernel_sweep(struct nva_kernel *k);

#endif
