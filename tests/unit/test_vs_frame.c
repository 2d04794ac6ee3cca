/*
 * Frames of guests: what is carried, what is answered, what is refused, and that nothing is read
 * beyond the end.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"
#include "tests/unit/vs_packet.h"

#include <stdlib.h>

#define VM1 0x0a010004
#define VM2 0x0a010005

/* In a buffer of exactly that size, so that the sanitizer sees every step beyond. */
static struct vs_frame
parse(const uint8_t *buf, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct vs_frame f;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	if (len > 0)
		memcpy(exact, buf, len);
	vs_frame_parse(&f, exact, len);
	free(exact);
	return f;
}

static void
test_udp_packet(void)
{
	uint8_t buf[200];
	struct vs_frame f = parse(buf, pkt_udp(buf, VM1, VM2, 1000, 53, 100));

	CU_ASSERT_EQUAL(f.kind, VS_FRAME_IPV4);
	CU_ASSERT_EQUAL(f.flow.src, VM1);
	CU_ASSERT_EQUAL(f.flow.dst, VM2);
	CU_ASSERT_EQUAL(f.size, 128);
}

/* Ethernet pads short frames; that is not part of the packet. */
static void
test_padding_is_no_harm(void)
{
	uint8_t buf[200] = { 0 };

	pkt_udp(buf, VM1, VM2, 1000, 53, 1);
	CU_ASSERT_EQUAL(parse(buf, VS_VNET_HDR + 60).kind, VS_FRAME_IPV4);
}

/* Its sender may have cut it, its ports are missing: it is carried by its addresses. */
static void
test_packet_that_ends_before_its_ports(void)
{
	uint8_t buf[200];
	struct vs_frame f;

	pkt_udp(buf, VM1, VM2, 1000, 53, 0);
	put16(buf + PKT_IP + 2, 22);
	f = parse(buf, PKT_L4 + 2);
	CU_ASSERT_EQUAL(f.kind, VS_FRAME_IPV4);
	buf[PKT_L4] ^= 1;
	CU_ASSERT_EQUAL(parse(buf, PKT_L4 + 2).flow.hash, f.flow.hash);
}

static void
test_every_truncation_is_refused(void)
{
	uint8_t buf[200];
	size_t len = pkt_udp(buf, VM1, VM2, 1000, 53, 20);

	for (size_t n = 0; n < len; n++)
		CU_ASSERT_EQUAL(parse(buf, n).kind, VS_FRAME_BAD);
	len = pkt_arp(buf, VM1, VM2);
	for (size_t n = 0; n < len; n++)
		CU_ASSERT_EQUAL(parse(buf, n).kind, VS_FRAME_BAD);
}

static void
test_malformed_packets_are_refused(void)
{
	static const struct {
		size_t at;
		uint8_t value;
	} rows[] = {
		{ PKT_IP, 0x55 },       /* version 5 */
		{ PKT_IP, 0x44 },       /* header of 16 octets */
		{ PKT_IP, 0x4f },       /* header longer than the packet */
		{ PKT_IP + 3, 19 },     /* total below the header */
		{ PKT_IP + 2, 0x10 },   /* total beyond the frame */
		{ PKT_ETH + 12, 0x86 }, /* an unknown type */
		{ PKT_ETH + 12, 0x81 }, /* VLAN */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[200];
		size_t len = pkt_udp(buf, VM1, VM2, 1000, 53, 0);

		buf[rows[i].at] = rows[i].value;
		CU_ASSERT_EQUAL(parse(buf, len).kind, VS_FRAME_BAD);
	}
}

static void
test_what_is_not_unicast(void)
{
	static const struct {
		uint32_t dst;
		enum vs_frame_kind want;
	} rows[] = {
		{ 0xffffffff, VS_FRAME_NOT_UNICAST },
		{ 0xe0000001, VS_FRAME_NOT_UNICAST },
		{ 0xefffffff, VS_FRAME_NOT_UNICAST },
		{ 0xf0000001, VS_FRAME_NOT_UNICAST },
		{ 0xa9fea9fe, VS_FRAME_NOT_UNICAST }, /* 169.254.169.254 */
		{ 0x00000000, VS_FRAME_NOT_UNICAST },
		{ 0xdfffffff, VS_FRAME_IPV4 },
		{ 0xa9ff0001, VS_FRAME_IPV4 },
		{ 0x01000000, VS_FRAME_IPV4 },
	};
	uint8_t buf[200];
	size_t len;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		len = pkt_udp(buf, VM1, rows[i].dst, 1, 2, 4);
		CU_ASSERT_EQUAL(parse(buf, len).kind, rows[i].want);
	}
	len = pkt_udp(buf, VM1, VM2, 1, 2, 4);
	buf[PKT_ETH] = 0xff; /* to everybody, but with an address of one */
	CU_ASSERT_EQUAL(parse(buf, len).kind, VS_FRAME_NOT_UNICAST);
	put16(buf + PKT_ETH + 12, 0x86dd); /* IPv6 looking for neighbours */
	CU_ASSERT_EQUAL(parse(buf, len).kind, VS_FRAME_NOT_UNICAST);
}

/* ---- hashes ---- */

static struct vs_flow
flow_of(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, void (*change)(uint8_t *))
{
	uint8_t buf[400];
	size_t len = pkt_udp(buf, src, dst, sport, dport, 100);
	struct vs_frame f;

	if (change != NULL)
		change(buf);
	f = parse(buf, len);
	CU_ASSERT_EQUAL(f.kind, VS_FRAME_IPV4);
	return f.flow;
}

static void
as_tcp(uint8_t *buf)
{
	buf[PKT_IP + 9] = 6;
}

static void
as_icmp(uint8_t *buf)
{
	buf[PKT_IP + 9] = 1;
}

static void
as_first_fragment(uint8_t *buf)
{
	put16(buf + PKT_IP + 6, 0x2000);
}

static void
as_last_fragment(uint8_t *buf)
{
	put16(buf + PKT_IP + 6, 0x0100);
}

static void
dont_fragment(uint8_t *buf)
{
	put16(buf + PKT_IP + 6, 0x4000);
}

/* Four octets of options in front of the ports. */
static void
with_options(uint8_t *buf)
{
	buf[PKT_IP] = 0x46;
	memcpy(buf + PKT_L4 + 4, buf + PKT_L4, 4);
	memset(buf + PKT_L4, 1, 4);
}

static void
test_hash_covers_the_five_tuple(void)
{
	struct vs_flow f = flow_of(VM1, VM2, 1000, 53, NULL);

	CU_ASSERT_EQUAL(flow_of(VM1, VM2, 1000, 53, dont_fragment).hash, f.hash);
	CU_ASSERT_EQUAL(flow_of(VM1, VM2, 1000, 53, with_options).hash, f.hash);
	CU_ASSERT_NOT_EQUAL(flow_of(VM1, VM2, 1001, 53, NULL).hash, f.hash);
	CU_ASSERT_NOT_EQUAL(flow_of(VM1, VM2, 1000, 54, NULL).hash, f.hash);
	CU_ASSERT_NOT_EQUAL(flow_of(VM1 + 1, VM2, 1000, 53, NULL).hash, f.hash);
	CU_ASSERT_NOT_EQUAL(flow_of(VM1, VM2 + 1, 1000, 53, NULL).hash, f.hash);
	CU_ASSERT_NOT_EQUAL(flow_of(VM1, VM2, 1000, 53, as_tcp).hash, f.hash);
	CU_ASSERT_NOT_EQUAL(flow_of(VM2, VM1, 53, 1000, NULL).hash, f.hash);
}

static void
test_pair_is_the_same_in_both_directions(void)
{
	unsigned seed = fc_seed();

	for (unsigned i = 0; i < 2000; i++) {
		uint32_t a = 0x0a000000 | (uint32_t)rand_r(&seed) % 4,
			 b = 0x0a000000 | (uint32_t)rand_r(&seed) % 4;
		uint16_t pa = (uint16_t)rand_r(&seed), pb = (uint16_t)rand_r(&seed);
		struct vs_flow there = flow_of(a, b, pa, pb, NULL),
			       back = flow_of(b, a, pb, pa, NULL);

		CU_ASSERT_EQUAL(there.pair, back.pair);
		CU_ASSERT_TRUE(there.hash != back.hash || (a == b && pa == pb));
	}
}

/* Only the first fragment has ports, so they count in none. */
static void
test_fragments_stay_together(void)
{
	struct vs_flow first = flow_of(VM1, VM2, 1000, 53, as_first_fragment);

	CU_ASSERT_EQUAL(flow_of(VM1, VM2, 7, 8, as_last_fragment).hash, first.hash);
	CU_ASSERT_EQUAL(
	    flow_of(VM1, VM2, 1, 2, as_icmp).hash, flow_of(VM1, VM2, 3, 4, as_icmp).hash);
	CU_ASSERT_NOT_EQUAL(flow_of(VM1, VM2 + 1, 7, 8, as_last_fragment).hash, first.hash);
}

/* ---- offloads ---- */

static void
test_offload_headers(void)
{
	const uint8_t csum = VIRTIO_NET_HDR_F_NEEDS_CSUM, tcp = VIRTIO_NET_HDR_GSO_TCPV4;
	const struct {
		struct virtio_net_hdr h;
		bool good;
	} rows[] = {
		{ { .flags = csum, .csum_start = 34, .csum_offset = 6 }, true },
		{ { .flags = VIRTIO_NET_HDR_F_DATA_VALID }, true },
		{ { .flags = csum, .csum_start = 34, .csum_offset = 1006 }, true },
		{ { .flags = csum, .csum_start = 34, .csum_offset = 1007 }, false },
		{ { .flags = csum, .csum_start = 33, .csum_offset = 6 }, false },
		{ { .flags = csum, .csum_start = 0xffff, .csum_offset = 0xffff }, false },
		{ { .flags = 4 }, false },
		{ { .gso_type = tcp, .gso_size = 500, .hdr_len = 54 }, true },
		{ { .gso_type = tcp | VIRTIO_NET_HDR_GSO_ECN, .gso_size = 500 }, true },
		{ { .gso_type = 5, .gso_size = 500 }, true }, /* UDP_L4 */
		{ { .gso_type = VIRTIO_NET_HDR_GSO_UDP, .gso_size = 500 }, true },
		{ { .gso_type = tcp, .gso_size = 0 }, false },
		{ { .gso_type = tcp, .gso_size = 1043 }, false },
		{ { .gso_type = tcp, .gso_size = 500, .hdr_len = 1043 }, false },
		{ { .gso_type = VIRTIO_NET_HDR_GSO_TCPV6, .gso_size = 500 }, false },
		{ { .gso_type = VIRTIO_NET_HDR_GSO_ECN }, false },
		{ { .gso_type = 2, .gso_size = 500 }, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[1200];
		size_t len = pkt_udp(buf, VM1, VM2, 1, 2, 1000); /* 1042 on Ethernet */

		pkt_offload(buf, &rows[i].h);
		CU_ASSERT_EQUAL(parse(buf, len).kind, rows[i].good ? VS_FRAME_IPV4 : VS_FRAME_BAD);
	}
}

/* A guest hands over 64 KiB at once, but its packets are small. */
static void
test_size_is_that_of_a_segment(void)
{
	static uint8_t buf[VS_FRAME_MAX + 1];
	size_t len = pkt_udp(buf, VM1, VM2, 1, 2, 65507);

	CU_ASSERT_EQUAL(len, VS_FRAME_MAX);
	CU_ASSERT_EQUAL(parse(buf, len).size, 65535);
	CU_ASSERT_EQUAL(parse(buf, len + 1).kind, VS_FRAME_BAD);
	pkt_offload(
	    buf, &(struct virtio_net_hdr){
		     .gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1448, .hdr_len = 66 });
	CU_ASSERT_EQUAL(parse(buf, len).size, 1468);
}

/* ---- ARP ---- */

static void
test_fabric_answers_every_arp(void)
{
	static const uint8_t want[] = { 0x02, 0xfa, 10, 1, 0, 4, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc,
		0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 10, 1, 0,
		1, 0x02, 0xfa, 10, 1, 0, 4, 10, 1, 0, 4 };
	static const uint8_t zero[VS_VNET_HDR];
	uint8_t buf[VS_ARP_REPLY_LEN], reply[VS_ARP_REPLY_LEN];
	struct vs_frame f = parse(buf, pkt_arp(buf, VM1, 0x0a010001));

	CU_ASSERT_EQUAL_FATAL(f.kind, VS_FRAME_ARP);
	CU_ASSERT_EQUAL_FATAL(vs_frame_arp_reply(reply, &f, VM1), sizeof(reply));
	CU_ASSERT_EQUAL(memcmp(reply, zero, sizeof(zero)), 0);
	CU_ASSERT_EQUAL(memcmp(reply + VS_VNET_HDR, want, sizeof(want)), 0);
}

static void
test_arp_without_an_answer(void)
{
	uint8_t buf[VS_ARP_REPLY_LEN], reply[VS_ARP_REPLY_LEN];
	struct vs_frame f;
	size_t len = pkt_arp(buf, VM1, VM1); /* an announcement */

	CU_ASSERT_EQUAL(parse(buf, len).kind, VS_FRAME_ARP_OTHER);
	pkt_arp(buf, 0, VM1); /* is somebody else there? */
	f = parse(buf, len);
	CU_ASSERT_EQUAL(f.kind, VS_FRAME_ARP);
	CU_ASSERT_EQUAL(vs_frame_arp_reply(reply, &f, VM1), 0);
	pkt_arp(buf, VM1, VM2);
	buf[PKT_IP + 7] = 2; /* an answer */
	f = parse(buf, len);
	CU_ASSERT_EQUAL(f.kind, VS_FRAME_ARP_OTHER);
	CU_ASSERT_EQUAL(vs_frame_arp_reply(reply, &f, VM1), 0);
}

static void
test_foreign_arp_is_refused(void)
{
	static const size_t at[] = { 1, 2, 4, 5 }; /* hardware, protocol, their lengths */

	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		uint8_t buf[VS_ARP_REPLY_LEN];
		size_t len = pkt_arp(buf, VM1, VM2);

		buf[PKT_IP + at[i]] ^= 0x10;
		CU_ASSERT_EQUAL(parse(buf, len).kind, VS_FRAME_BAD);
	}
}

static void
test_only_macs_are_rewritten(void)
{
	static const uint8_t macs[] = { 0x02, 0xfa, 10, 1, 0, 5, 0x12, 0x34, 0x56, 0x78, 0x9a,
		0xbc };
	uint8_t buf[200], was[200];
	size_t len = pkt_udp(buf, VM1, VM2, 1, 2, 100);

	memcpy(was, buf, len);
	vs_frame_set_macs(buf, VM2);
	CU_ASSERT_EQUAL(memcmp(buf + PKT_ETH, macs, sizeof(macs)), 0);
	memcpy(was + PKT_ETH, macs, sizeof(macs));
	CU_ASSERT_EQUAL(memcmp(buf, was, len), 0);
}

static CU_TestInfo frame_tests[] = {
	{ "a UDP packet", test_udp_packet },
	{ "padding is no harm", test_padding_is_no_harm },
	{ "a packet that ends before its ports", test_packet_that_ends_before_its_ports },
	{ "every truncation is refused", test_every_truncation_is_refused },
	{ "malformed packets are refused", test_malformed_packets_are_refused },
	{ "broadcast, multicast and link-local are told apart", test_what_is_not_unicast },
	{ "RS-60: the hash covers the 5-tuple", test_hash_covers_the_five_tuple },
	{ "SC-C: pair is the same in both directions", test_pair_is_the_same_in_both_directions },
	{ "fragments stay together", test_fragments_stay_together },
	{ "offload headers", test_offload_headers },
	{ "size is that of a segment", test_size_is_that_of_a_segment },
	{ "the fabric answers every ARP", test_fabric_answers_every_arp },
	{ "ARP without an answer", test_arp_without_an_answer },
	{ "foreign ARP is refused", test_foreign_arp_is_refused },
	{ "only MACs are rewritten", test_only_macs_are_rewritten },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_frame", frame_tests)
