#include "fabctl/ctl_packet.h"

#include "lib/ipnet.h"
#include "lib/octets.h"

#include <stdio.h>
#include <string.h>

#define ETH_LEN    14
#define ETYPE_IPV4 0x0800
#define ETYPE_ARP  0x0806
#define ETYPE_IPV6 0x86dd

/* What is behind the IP header. */
struct payload {
	const char *src, *dst; /* addresses */
	const uint8_t *p;
	size_t len; /* that was captured */
	size_t size;
};

static void
icmp_text(char out[static CTL_PACKET_TEXT], const struct payload *l)
{
	static const char *const names[] = { [0] = "echo reply",
		[3] = "unreachable",
		[5] = "redirect",
		[8] = "echo request",
		[11] = "time exceeded" };
	uint8_t type = l->len > 0 ? l->p[0] : 255;
	const char *name =
	    type < sizeof(names) / sizeof(names[0]) && names[type] != NULL ? names[type] : "other";

	if ((type == 0 || type == 8) && l->len >= 8)
		snprintf(out, CTL_PACKET_TEXT, "%s > %s ICMP %s, id %u, seq %u", l->src, l->dst,
		    name, get16(l->p + 4), get16(l->p + 6));
	else
		snprintf(out, CTL_PACKET_TEXT, "%s > %s ICMP %s", l->src, l->dst, name);
}

static void
tcp_flags(char out[static 9], uint8_t flags)
{
	static const char letters[] = "FSRPAUEC";
	size_t n = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((flags & 1u << i) != 0)
			out[n++] = letters[i];
	out[n] = '\0';
}

static void
tcp_text(char out[static CTL_PACKET_TEXT], const struct payload *l)
{
	size_t header = l->len >= 14 ? (l->p[12] >> 4) * 4u : 0;
	char flags[9];

	if (l->len < 14) {
		snprintf(out, CTL_PACKET_TEXT, "%s > %s TCP", l->src, l->dst);
		return;
	}
	tcp_flags(flags, l->p[13]);
	snprintf(out, CTL_PACKET_TEXT, "%s:%u > %s:%u TCP %s seq %u, %zu octets", l->src,
	    get16(l->p), l->dst, get16(l->p + 2), flags, get32(l->p + 4),
	    l->size > header ? l->size - header : 0);
}

static void
udp_text(char out[static CTL_PACKET_TEXT], const struct payload *l)
{
	if (l->len < 8)
		snprintf(out, CTL_PACKET_TEXT, "%s > %s UDP", l->src, l->dst);
	else
		snprintf(out, CTL_PACKET_TEXT, "%s:%u > %s:%u UDP %zu octets", l->src, get16(l->p),
		    l->dst, get16(l->p + 2), l->size > 8 ? l->size - 8 : 0);
}

static void
ipv4_text(char out[static CTL_PACKET_TEXT], const uint8_t *ip, size_t len)
{
	char src[IPADDR_STRLEN], dst[IPADDR_STRLEN];
	struct payload l = { .src = src, .dst = dst };
	size_t header = len >= 20 ? (ip[0] & 15u) * 4 : 0;
	size_t total = len >= 20 ? get16(ip + 2) : 0;

	if (header < 20 || header > len || total < header) {
		snprintf(out, CTL_PACKET_TEXT, "IPv4, malformed");
		return;
	}
	ipaddr_format(src, get32(ip + 12));
	ipaddr_format(dst, get32(ip + 16));
	l.p = ip + header;
	l.len = len - header;
	l.size = total - header;
	if ((get16(ip + 6) & 0x1fff) != 0)
		snprintf(out, CTL_PACKET_TEXT, "%s > %s fragment at %u", src, dst,
		    (get16(ip + 6) & 0x1fffu) * 8);
	else if (ip[9] == 1)
		icmp_text(out, &l);
	else if (ip[9] == 6)
		tcp_text(out, &l);
	else if (ip[9] == 17)
		udp_text(out, &l);
	else
		snprintf(out, CTL_PACKET_TEXT, "%s > %s protocol %u, %zu octets", src, dst, ip[9],
		    l.size);
}

static void
arp_text(char out[static CTL_PACKET_TEXT], const uint8_t *arp, size_t len)
{
	char a[IPADDR_STRLEN], b[IPADDR_STRLEN];

	if (len < 28)
		snprintf(out, CTL_PACKET_TEXT, "ARP, malformed");
	else if (get16(arp + 6) == 1)
		snprintf(out, CTL_PACKET_TEXT, "ARP who has %s, says %s",
		    ipaddr_format(a, get32(arp + 24)), ipaddr_format(b, get32(arp + 14)));
	else
		snprintf(out, CTL_PACKET_TEXT, "ARP %s is at %02x:%02x:%02x:%02x:%02x:%02x",
		    ipaddr_format(a, get32(arp + 14)), arp[8], arp[9], arp[10], arp[11], arp[12],
		    arp[13]);
}

void
ctl_packet_text(char out[static CTL_PACKET_TEXT], const uint8_t *eth, size_t len)
{
	unsigned type = len >= ETH_LEN ? get16(eth + 12) : 0;

	if (type == ETYPE_IPV4)
		ipv4_text(out, eth + ETH_LEN, len - ETH_LEN);
	else if (type == ETYPE_ARP)
		arp_text(out, eth + ETH_LEN, len - ETH_LEN);
	else if (type == ETYPE_IPV6)
		snprintf(out, CTL_PACKET_TEXT, "IPv6");
	else if (len < ETH_LEN)
		snprintf(out, CTL_PACKET_TEXT, "cut short");
	else
		snprintf(out, CTL_PACKET_TEXT, "Ethernet type 0x%04x", type);
}
