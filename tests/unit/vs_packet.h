#ifndef TESTS_UNIT_VS_PACKET_H
#define TESTS_UNIT_VS_PACKET_H
/*
 * Frames as guests send them, virtio header first.
 */
#include "lib/octets.h"
#include "vswitchd/vs_frame.h"

#include <linux/virtio_net.h>
#include <string.h>

#define PKT_ETH VS_VNET_HDR
#define PKT_IP  (VS_VNET_HDR + 14)
#define PKT_L4  (PKT_IP + 20)

static const uint8_t pkt_fabric_mac[6] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc };

static inline void
pkt_ethernet(uint8_t *buf, const uint8_t dst[6], uint32_t guest, unsigned type)
{
	memset(buf, 0, PKT_IP);
	memcpy(buf + PKT_ETH, dst, 6);
	put32(put16(buf + PKT_ETH + 6, 0x02fa), guest);
	put16(buf + PKT_ETH + 12, type);
}

/* UDP with n octets behind its header; returns the length. */
static inline size_t
pkt_udp(uint8_t *buf, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, size_t n)
{
	uint8_t *p;

	pkt_ethernet(buf, pkt_fabric_mac, src, 0x0800);
	p = put16(buf + PKT_IP, 0x4500);
	p = put16(p, (unsigned)(28 + n));
	p = put32(p, 0);
	p = put16(p, 64 << 8 | 17);
	p = put16(p, 0);
	p = put32(put32(p, src), dst);
	p = put16(put16(p, sport), dport);
	put32(p, (uint32_t)(8 + n) << 16);
	memset(buf + PKT_L4 + 8, 0xab, n);
	return PKT_L4 + 8 + n;
}

static inline size_t
pkt_arp(uint8_t *buf, uint32_t sender, uint32_t target)
{
	static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
	uint8_t *p;

	pkt_ethernet(buf, everybody, sender, 0x0806);
	p = put32(buf + PKT_IP, 0x00010800);
	p = put32(p, 0x06040001);
	p = put32(put16(p, 0x02fa), sender);
	p = put32(p, sender);
	p = put32(put16(p, 0), 0);
	put32(p, target);
	return PKT_IP + 28;
}

static inline void
pkt_offload(uint8_t *buf, const struct virtio_net_hdr *h)
{
	memcpy(buf, h, VS_VNET_HDR);
}

#endif
