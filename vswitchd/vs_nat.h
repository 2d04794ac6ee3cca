#ifndef VSWITCHD_VS_NAT_H
#define VSWITCHD_VS_NAT_H
/*
 * Public addresses: one address of a packet becomes another, each for each, so nothing has to be
 * remembered. Checksums are adjusted, not computed anew (RFC 1624): a wrong one stays wrong, and
 * one that a TAP left for the interface card to finish (VIRTIO_NET_HDR_F_NEEDS_CSUM) stays a sum of
 * the pseudo header. Of fragments only the first one has a checksum behind the IP header. An ICMP
 * error quotes a packet of the other direction, which is translated back (RFC 5508 4.2).
 */
#include <stddef.h>
#include <stdint.h>

/* buf: a frame that vs_frame_parse() found to be IPv4. src, dst: new addresses, 0: as it is. */
void vs_nat_apply(uint8_t *buf, size_t len, uint32_t src, uint32_t dst);

#endif
