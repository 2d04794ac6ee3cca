#include "vswitchd/vs_segment.h"

#include "lib/err.h"
#include "lib/octets.h"

#include <string.h>

#define ETH_LEN    14
#define ETYPE_IPV4 0x0800
#define IPV4_LEN   20
#define TCP_LEN    20
#define TCP_MSS    1460
#define TTL        128
#define PROTO_TCP  6

/* ---- checksums ---- */

static uint32_t
add_words(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get16(p);
	return len > 0 ? sum + ((uint32_t)p[0] << 8) : sum;
}

static uint16_t
fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* ---- writing ---- */

static void
write_ipv4(uint8_t *ip, const struct vs_segment *s, size_t total)
{
	memset(ip, 0, IPV4_LEN);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)total);
	ip[6] = 0x40; /* not to be fragmented */
	ip[8] = TTL;
	ip[9] = PROTO_TCP;
	put32(ip + 12, s->src);
	put32(ip + 16, s->dst);
	put16(ip + 10, fold(add_words(0, ip, IPV4_LEN)));
}

/* Returns the length of the header. */
static size_t
write_tcp(uint8_t *tcp, const struct vs_segment *s)
{
	size_t header = TCP_LEN + ((s->flags & VS_TCP_SYN) != 0 ? 4 : 0);

	memset(tcp, 0, header);
	put16(tcp, s->sport);
	put16(tcp + 2, s->dport);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = (uint8_t)s->flags;
	put16(tcp + 14, 0xffff);
	if (header > TCP_LEN)
		put32(tcp + TCP_LEN, 2u << 24 | 4u << 16 | TCP_MSS);
	if (s->len > 0)
		memcpy(tcp + header, s->data, s->len);
	return header;
}

size_t
vs_segment_write(uint8_t buf[static VS_SEGMENT_MAX], const struct vs_segment *s)
{
	uint8_t *eth = buf + VS_VNET_HDR, *ip = eth + ETH_LEN, *tcp = ip + IPV4_LEN;
	size_t len;

	FAB_ASSERT(s->len <= VS_SEGMENT_DATA_MAX);
	memset(buf, 0, VS_VNET_HDR + ETH_LEN);
	put16(eth + 12, ETYPE_IPV4);
	len = write_tcp(tcp, s) + s->len;
	write_ipv4(ip, s, IPV4_LEN + len);
	put16(
	    tcp + 16, fold(add_words(add_words(PROTO_TCP + (uint32_t)len, ip + 12, 8), tcp, len)));
	return (size_t)(tcp - buf) + len;
}

/* ---- reading ---- */

/* The IPv4 packet in a frame; NULL: there is none, whole but for the end of its payload. */
static const uint8_t *
find_ipv4(const uint8_t *buf, size_t len)
{
	const uint8_t *ip = buf + VS_VNET_HDR + ETH_LEN;

	if (len < VS_VNET_HDR + ETH_LEN + IPV4_LEN + TCP_LEN || get16(ip - 2) != ETYPE_IPV4 ||
	    ip[0] >> 4 != 4 || (get16(ip + 6) & 0x3fff) != 0 || ip[9] != PROTO_TCP)
		return NULL;
	return ip;
}

bool
vs_segment_read(struct vs_segment *out, const uint8_t *buf, size_t len)
{
	const uint8_t *ip = find_ipv4(buf, len), *tcp;
	size_t total, header, there;

	if (ip == NULL)
		return false;
	tcp = ip + (size_t)(ip[0] & 15) * 4;
	total = get16(ip + 2);
	if (tcp < ip + IPV4_LEN || tcp + TCP_LEN > buf + len)
		return false;
	header = (size_t)(tcp[12] >> 4) * 4;
	if (header < TCP_LEN || total < (size_t)(tcp - ip) + header || tcp + header > buf + len)
		return false;
	there = (size_t)(buf + len - (tcp + header));
	*out = (struct vs_segment){ .src = get32(ip + 12),
		.dst = get32(ip + 16),
		.sport = get16(tcp),
		.dport = get16(tcp + 2),
		.seq = get32(tcp + 4),
		.ack = get32(tcp + 8),
		.flags = tcp[13],
		.data = tcp + header,
		.size = total - (size_t)(tcp - ip) - header };
	out->len = out->size < there ? out->size : there;
	return true;
}
