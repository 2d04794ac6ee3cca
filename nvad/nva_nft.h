#ifndef NVAD_NVA_NFT_H
#define NVAD_NVA_NFT_H
/*
 * Rules of nftables in the namespace that the NVA stands in, by libnftables. Needs CAP_NET_ADMIN
 * there.
 */
#define NVA_NFT_WHY_MAX 192

/* Runs commands, all of them or none. FAB_EIO: why[] is one line, "cannot WHAT: what nftables
 * says".
 */
int nva_nft_run(const char *commands, const char *what, char why[static NVA_NFT_WHY_MAX]);

#endif
