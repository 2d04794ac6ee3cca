#ifndef NVAD_NVA_SNAT_H
#define NVAD_NVA_SNAT_H
/*
 * What an NVA forwards to the Internet leaves with its own address, and answers find their way back
 * (SC-J): a table of nftables in the namespace that the NVA stands in. It stays when nvad ends, as
 * routes do. Needs CAP_NET_ADMIN in that namespace.
 */
#include "nvad/nva_nft.h"

#include <stdbool.h>
#include <stdint.h>

/* Puts it in force for that address of eth0, or takes it away. Connections that are there go on.
 * FAB_EIO: why[] says what, in one line. */
int nva_snat_apply(bool on, uint32_t ip, char why[static NVA_NFT_WHY_MAX]);

#endif
