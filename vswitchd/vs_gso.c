#include "vswitchd/vs_gso.h"

#include "lib/octets.h"
#include "vswitchd/vs_frame.h"

#include <linux/virtio_net.h>
#include <string.h>

#define ETH_LEN     14
#define IPV4_LEN    20
#define PROTO_TCP   6
#define PROTO_UDP   17
#define TCP_LEN     20
#define TCP_FIN_PSH 0x09 /* of the last segment only */
#define TCP_CWR     0x80 /* of the first one (RFC 3168 6.1.2) */
#define UDP_LEN     8

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* younger than some headers */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

/* Where things are in the large frame, from its Ethernet header on. */
struct cut {
	const uint8_t *eth;
	uint8_t proto;
	size_t l4, payload, end; /* offsets */
	size_t size;             /* payload of a segment */
};

/* What lies before the payload, as the guest wrote it. False: it makes no sense. */
static bool
find_headers(struct cut *c, const uint8_t *eth, size_t len)
{
	size_t header = (eth[ETH_LEN] & 15u) * 4, total = get16(eth + ETH_LEN + 2), l4len;

	c->eth = eth;
	c->proto = eth[ETH_LEN + 9];
	c->l4 = ETH_LEN + header;
	c->end = ETH_LEN + total;
	if (header < IPV4_LEN || c->end > len || c->l4 + TCP_LEN > c->end)
		return false;
	l4len = c->proto == PROTO_TCP ? (eth[c->l4 + 12] >> 4) * 4u : UDP_LEN;
	c->payload = c->l4 + l4len;
	return l4len >= (c->proto == PROTO_TCP ? TCP_LEN : UDP_LEN) && c->payload < c->end;
}

static bool
can_cut(const struct cut *c, const struct virtio_net_hdr *h)
{
	switch (h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		return c->proto == PROTO_TCP;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		return c->proto == PROTO_UDP;
	default:
		return false;
	}
}

static uint32_t
sum16(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < n; i += 2)
		sum += get16(p + i);
	return sum;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void
fix_ip(uint8_t *ip, size_t header, size_t total, unsigned nth)
{
	put16(ip + 2, (unsigned)total);
	put16(ip + 4, (get16(ip + 4) + nth) & 0xffff);
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold(sum16(ip, header)));
}

/* The sum of the pseudo header, to which whoever needs it adds the rest. */
static uint16_t
pseudo_sum(const uint8_t *ip, uint8_t proto, size_t l4len)
{
	return fold(sum16(ip + 12, 8) + proto + (uint32_t)l4len);
}

static void
fix_tcp(uint8_t *tcp, uint32_t offset, bool first, bool last)
{
	put32(tcp + 4, get32(tcp + 4) + offset);
	if (!first)
		tcp[13] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[13] &= (uint8_t)~TCP_FIN_PSH;
}

static void
fix_header(uint8_t *frame, const struct cut *c)
{
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.hdr_len = (uint16_t)c->payload,
		.csum_start = (uint16_t)c->l4,
		.csum_offset = c->proto == PROTO_TCP ? 16 : 6 };

	memcpy(frame, &h, sizeof(h));
}

/* The segment whose payload starts at `at`. Returns its length with the virtio header. */
static size_t
make_segment(uint8_t *out, const struct cut *c, size_t at, unsigned nth)
{
	size_t n = c->end - at < c->size ? c->end - at : c->size, l4len = c->payload - c->l4 + n;
	uint8_t *eth = out + VS_VNET_HDR, *ip = eth + ETH_LEN, *l4 = eth + c->l4;
	bool tcp = c->proto == PROTO_TCP;

	fix_header(out, c);
	memcpy(eth, c->eth, c->payload);
	memcpy(eth + c->payload, c->eth + at, n);
	fix_ip(ip, c->l4 - ETH_LEN, c->l4 - ETH_LEN + l4len, nth);
	if (tcp)
		fix_tcp(l4, (uint32_t)(at - c->payload), nth == 0, at + n == c->end);
	else
		put16(l4 + 4, (unsigned)l4len);
	put16(l4 + (tcp ? 16 : 6), pseudo_sum(ip, c->proto, l4len));
	return VS_VNET_HDR + c->payload + n;
}

bool
vs_gso_split(const uint8_t *frame, size_t len, vs_gso_fn *fn, void *arg)
{
	uint8_t out[VS_FRAME_MAX];
	struct virtio_net_hdr h;
	struct cut c;
	unsigned nth = 0;

	memcpy(&h, frame, sizeof(h));
	if (h.gso_type == VIRTIO_NET_HDR_GSO_NONE ||
	    !find_headers(&c, frame + VS_VNET_HDR, len - VS_VNET_HDR) || !can_cut(&c, &h))
		return false;
	c.size = h.gso_size;
	if (c.end - c.payload <= c.size)
		return false;
	for (size_t at = c.payload; at < c.end; at += c.size)
		fn(arg, out, make_segment(out, &c, at, nth++));
	return true;
}
