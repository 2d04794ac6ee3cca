#ifndef FABCTL_CH_PATHS_H
#define FABCTL_CH_PATHS_H
/*
 * What could carry a packet, whatever the routes say: the boxes of the topology and who can hand a
 * packet to whom, without those that are broken. Tells a loss that nothing could have prevented
 * (there is one firewall, and it is dead) from one that is the design's fault (there is a second
 * one, and nobody is told to use it).
 *
 *   NIC to NIC         in one VNet or in two that are peered (PEER-2: not further)
 *   NVA                passes packets on; another NVA or a site also through a tunnel (MR-6)
 *   gateway            between its VNets and what is behind it, never back (B2B-12)
 *   MSEE               between a gateway and its site (ER-1; two circuits are not joined, B2B-9)
 *   site               passes packets on if it relays
 *   the Internet       from whoever has a public address; through an NVA that translates (SC-J)
 */
#include "fabctl/ch_plan.h"
#include "lib/topo.h"

#define CH_WAY_MAX 256

/* broken: n steps. way: "vm11 > nva2 > vm12", the shortest one; may be NULL. */
bool ch_could_carry(const struct topo *t, const struct ch_step *broken, size_t n, const char *src,
    const char *dst, char *way);

/* An endpoint is itself what is broken. */
bool ch_is_broken(const struct ch_step *broken, size_t n, const char *name);

#endif
