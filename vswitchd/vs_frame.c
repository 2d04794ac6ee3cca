#include "vswitchd/vs_frame.h"

#include "lib/flow.h"
#include "lib/octets.h"

#include <linux/virtio_net.h>
#include <string.h>

#define ETH_LEN    14
#define ETYPE_IPV4 0x0800
#define ETYPE_ARP  0x0806
#define ARP_LEN    28
#define IPV4_LEN   20

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* younger than some headers */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_SCTP    132
#define PROTO_UDPLITE 136

static const uint8_t fabric_mac[6] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc };

/* ---- offloads ---- */

_Static_assert(sizeof(struct virtio_net_hdr) == VS_VNET_HDR, "header of a TAP");

static bool
gso_fine(const struct virtio_net_hdr *h, size_t len)
{
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		return h->gso_type == VIRTIO_NET_HDR_GSO_NONE;
	case VIRTIO_NET_HDR_GSO_TCPV4:
	case VIRTIO_NET_HDR_GSO_UDP:
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return h->gso_size > 0 && h->gso_size <= len;
	default:
		return false;
	}
}

/* len: without the header. The checksum lies behind the smallest IP header, and in the frame. */
static bool
vnet_fine(const struct virtio_net_hdr *h, size_t len)
{
	const unsigned known = VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID;

	if ((h->flags & ~known) != 0 || h->hdr_len > len || !gso_fine(h, len))
		return false;
	return (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0 ||
	       (h->csum_start >= ETH_LEN + IPV4_LEN &&
		   (size_t)h->csum_start + h->csum_offset + 2 <= len);
}

/* ---- flows ---- */

static void
flow_set(struct vs_flow *f, struct fab_flow_end src, struct fab_flow_end dst, uint8_t proto)
{
	f->src = src.addr;
	f->dst = dst.addr;
	f->hash = fab_flow_hash(src, dst, proto);
	f->pair = fab_flow_pair(src, dst, proto);
}

static bool
has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP ||
	       proto == PROTO_UDPLITE;
}

/* ---- IPv4 ---- */

static bool
not_unicast(uint32_t addr)
{
	return addr >> 28 >= 0xe || addr >> 16 == 0xa9fe || addr >> 24 == 0;
}

/* A fragment has no ports, so that all of a packet go the same way: only the first one could. */
static void
parse_flow(struct vs_frame *out, const uint8_t *ip, size_t header, size_t total)
{
	struct fab_flow_end src = { .addr = get32(ip + 12) }, dst = { .addr = get32(ip + 16) };
	bool fragment = (get16(ip + 6) & 0x3fff) != 0;

	if (!fragment && has_ports(ip[9]) && total >= header + 4) {
		src.port = get16(ip + header);
		dst.port = get16(ip + header + 2);
	}
	out->proto = ip[9];
	out->ports = (uint32_t)src.port << 16 | dst.port;
	flow_set(&out->flow, src, dst, ip[9]);
}

static void
parse_ipv4(struct vs_frame *out, const struct virtio_net_hdr *h, const uint8_t *ip, size_t len)
{
	size_t header, total;

	if (len < IPV4_LEN || ip[0] >> 4 != 4)
		return;
	header = (ip[0] & 15u) * 4;
	total = get16(ip + 2);
	if (header < IPV4_LEN || total < header || total > len)
		return;
	parse_flow(out, ip, header, total);
	out->size = (uint32_t)total;
	if (h->gso_type != VIRTIO_NET_HDR_GSO_NONE && h->gso_size + header < total)
		out->size = h->gso_size + (uint32_t)header;
	out->kind = not_unicast(out->flow.dst) ? VS_FRAME_NOT_UNICAST : VS_FRAME_IPV4;
}

/* ---- ARP ---- */

static void
parse_arp(struct vs_frame *out, const uint8_t *arp, size_t len)
{
	if (len < ARP_LEN || get16(arp) != 1 || get16(arp + 2) != ETYPE_IPV4 || arp[4] != 6 ||
	    arp[5] != 4)
		return;
	memcpy(out->arp.mac, arp + 8, 6);
	out->arp.sender = get32(arp + 14);
	out->arp.target = get32(arp + 24);
	out->kind = get16(arp + 6) == 1 && out->arp.sender != out->arp.target ? VS_FRAME_ARP
									      : VS_FRAME_ARP_OTHER;
}

bool
vs_frame_is_arp(const uint8_t *buf, size_t len)
{
	return len >= VS_VNET_HDR + ETH_LEN && get16(buf + VS_VNET_HDR + 12) == ETYPE_ARP;
}

size_t
vs_frame_arp_reply(
    uint8_t buf[static VS_ARP_REPLY_LEN], const struct vs_frame *request, uint32_t own)
{
	uint8_t *p = buf + VS_VNET_HDR;

	if (request->kind != VS_FRAME_ARP || request->arp.target == own)
		return 0;
	memset(buf, 0, VS_VNET_HDR);
	memcpy(p, request->arp.mac, 6);
	memcpy(p + 6, fabric_mac, 6);
	p = put16(p + 12, ETYPE_ARP);
	p = put16(p, 1); /* Ethernet */
	p = put16(p, ETYPE_IPV4);
	p = put8(put8(p, 6), 4);
	p = put16(p, 2); /* reply */
	memcpy(p, fabric_mac, 6);
	p = put32(p + 6, request->arp.target);
	memcpy(p, request->arp.mac, 6);
	put32(p + 6, request->arp.sender);
	return VS_ARP_REPLY_LEN;
}

/* ---- frames ---- */

void
vs_frame_parse(struct vs_frame *out, const uint8_t *buf, size_t len)
{
	struct virtio_net_hdr h;
	const uint8_t *eth = buf + VS_VNET_HDR;
	bool group;

	*out = (struct vs_frame){ .kind = VS_FRAME_BAD };
	if (len < VS_VNET_HDR + ETH_LEN || len > VS_FRAME_MAX)
		return;
	len -= VS_VNET_HDR;
	memcpy(&h, buf, sizeof(h));
	if (!vnet_fine(&h, len))
		return;
	group = (eth[0] & 1) != 0;
	if (get16(eth + 12) == ETYPE_ARP)
		parse_arp(out, eth + ETH_LEN, len - ETH_LEN);
	else if (get16(eth + 12) == ETYPE_IPV4)
		parse_ipv4(out, &h, eth + ETH_LEN, len - ETH_LEN);
	else if (group) /* IPv6 looking for neighbours, LLDP: every guest says that now and then */
		out->kind = VS_FRAME_NOT_UNICAST;
	if (group && out->kind == VS_FRAME_IPV4)
		out->kind = VS_FRAME_NOT_UNICAST;
}

void
vs_frame_set_macs(uint8_t *buf, uint32_t taker)
{
	uint8_t *p = put16(buf + VS_VNET_HDR, 0x02fa);

	p = put32(p, taker);
	memcpy(p, fabric_mac, 6);
}
