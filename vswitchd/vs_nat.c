#include "vswitchd/vs_nat.h"

#include "lib/octets.h"
#include "vswitchd/vs_frame.h"

#include <linux/virtio_net.h>
#include <string.h>

#define ETH_LEN  14
#define IPV4_LEN 20
#define SRC      12 /* where an IPv4 header has its addresses */
#define DST      16
#define IP_SUM   10

#define PROTO_ICMP    1
#define PROTO_TCP     6
#define PROTO_UDP     17
#define PROTO_UDPLITE 136

#define ICMP_LEN 8
#define ICMP_SUM 2

/* ---- checksums ---- */

static uint32_t
words(uint32_t v)
{
	return (v >> 16) + (v & 0xffff);
}

/* RFC 1624: the sum of ones' complements in which `from` became `to`. */
static uint16_t
adjust(uint16_t sum, uint32_t from, uint32_t to)
{
	uint32_t x = (uint16_t)~sum + words(~from) + words(to);

	return (uint16_t)~words(words(x));
}

static void
adjust_at(uint8_t *sum, uint32_t from, uint32_t to)
{
	put16(sum, adjust((uint16_t)get16(sum), from, to));
}

/* ---- packets ---- */

/* An IPv4 packet, or as much of one as an ICMP error quotes. */
struct packet {
	uint8_t *ip;
	size_t len;     /* octets that are there */
	size_t header;  /* of them */
	uint8_t *todo;  /* the checksum that is left to the card; NULL: none */
	uint8_t *l4sum; /* of the pseudo header too; NULL: none */
};

static bool
is_later_fragment(const struct packet *p)
{
	return (get16(p->ip + 6) & 0x1fff) != 0;
}

static uint8_t *
find_l4sum(const struct packet *p)
{
	size_t at;

	switch (p->ip[9]) {
	case PROTO_TCP:
		at = 16;
		break;
	case PROTO_UDP:
	case PROTO_UDPLITE:
		at = 6;
		break;
	default:
		return NULL;
	}
	return is_later_fragment(p) || p->header + at + 2 > p->len ? NULL : p->ip + p->header + at;
}

static void
adjust_l4(const struct packet *p, uint32_t from, uint32_t to)
{
	bool udp = p->ip[9] == PROTO_UDP;
	uint16_t sum;

	if (p->l4sum == NULL)
		return;
	sum = (uint16_t)get16(p->l4sum);
	if (p->l4sum == p->todo) { /* a sum, not its complement */
		put16(p->l4sum, (uint16_t)~adjust((uint16_t)~sum, from, to));
	} else if (sum != 0 || !udp) { /* RFC 768: 0 is none */
		sum = adjust(sum, from, to);
		put16(p->l4sum, sum == 0 && udp ? 0xffff : sum);
	}
}

static void
readdress(struct packet *p, size_t field, uint32_t to)
{
	uint32_t from = get32(p->ip + field);

	put32(p->ip + field, to);
	adjust_at(p->ip + IP_SUM, from, to);
	adjust_l4(p, from, to);
}

/* ---- ICMP errors ---- */

static bool
is_error(const struct packet *p)
{
	const uint8_t *icmp = p->ip + p->header;

	if (p->ip[9] != PROTO_ICMP || is_later_fragment(p) ||
	    p->len < p->header + ICMP_LEN + IPV4_LEN)
		return false;
	return icmp[0] == 3 || icmp[0] == 4 || icmp[0] == 5 || icmp[0] == 11 || icmp[0] == 12;
}

static bool
find_quoted(struct packet *out, const struct packet *p)
{
	*out = (struct packet){ .ip = p->ip + p->header + ICMP_LEN,
		.len = p->len - p->header - ICMP_LEN };
	out->header = (out->ip[0] & 15u) * 4;
	if (out->ip[0] >> 4 != 4 || out->header < IPV4_LEN || out->header > out->len)
		return false;
	out->l4sum = find_l4sum(out);
	return true;
}

/* The quoted packet went the other way: what its sender calls `from` it has in that field. */
static void
readdress_quoted(struct packet *p, size_t field, uint32_t from, uint32_t to)
{
	uint8_t *sum = p->ip + p->header + ICMP_SUM;
	uint32_t ip_sum, l4_sum = 0;
	struct packet q;

	if (!find_quoted(&q, p) || get32(q.ip + field) != from)
		return;
	ip_sum = get16(q.ip + IP_SUM);
	if (q.l4sum != NULL)
		l4_sum = get16(q.l4sum);
	readdress(&q, field, to);
	if (sum == p->todo)
		return;
	adjust_at(sum, from, to);
	adjust_at(sum, ip_sum, get16(q.ip + IP_SUM));
	if (q.l4sum != NULL)
		adjust_at(sum, l4_sum, get16(q.l4sum));
}

static void
translate(struct packet *p, size_t field, uint32_t to)
{
	uint32_t from = get32(p->ip + field);

	readdress(p, field, to);
	if (is_error(p))
		readdress_quoted(p, field == SRC ? DST : SRC, from, to);
}

void
vs_nat_apply(uint8_t *buf, size_t len, uint32_t src, uint32_t dst)
{
	struct packet p = { .ip = buf + VS_VNET_HDR + ETH_LEN };
	struct virtio_net_hdr h;

	memcpy(&h, buf, sizeof(h));
	p.header = (p.ip[0] & 15u) * 4;
	p.len = get16(p.ip + 2);
	if (p.len > len - VS_VNET_HDR - ETH_LEN)
		return; /* not parsed: nothing to rely on */
	if ((h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0)
		p.todo = buf + VS_VNET_HDR + h.csum_start + h.csum_offset;
	p.l4sum = find_l4sum(&p);
	if (src != 0)
		translate(&p, SRC, src);
	if (dst != 0)
		translate(&p, DST, dst);
}
