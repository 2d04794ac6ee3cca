#ifndef NVAD_NVA_FIREWALL_H
#define NVAD_NVA_FIREWALL_H
/*
 * A stateful firewall (MR-9): what the NVA forwards has to belong to a connection whose beginning
 * passed here, so traffic that comes back by another NVA breaks, as with real ones. TCP begins with
 * a SYN, a ping with its request; UDP has no beginning that a packet could tell, each direction is
 * one. A table of nftables in the namespace that the NVA stands in; it stays when nvad ends, and so
 * do its connections.
 */
#include "nvad/nva_nft.h"

#include <stdbool.h>

/* Puts it in force, or takes it away. FAB_EIO: why[]; a kernel may lack connection tracking. */
int nva_firewall_apply(bool on, char why[static NVA_NFT_WHY_MAX]);

#endif
