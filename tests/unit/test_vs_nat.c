/*
 * Translated packets: what an interface card or a receiver computes over them afterwards is right
 * where it was right before, and stays wrong where it was wrong.
 */
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"
#include "tests/unit/vs_packet.h"
#include "vswitchd/vs_nat.h"

#include <stdlib.h>

#define PRIVATE 0x0a0b0004
#define PUBLIC  0x14000004
#define OTHER   0x08080808

#define TCP_SUM  (PKT_L4 + 16)
#define UDP_SUM  (PKT_L4 + 6)
#define ICMP_SUM (PKT_L4 + 2)
#define QUOTED   (PKT_L4 + 8)

/* ---- checksums, computed as a receiver does ---- */

static uint32_t
sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s += (i & 1) != 0 ? p[i] : (uint32_t)p[i] << 8;
	return s;
}

static uint16_t
fold(uint32_t s)
{
	while (s > 0xffff)
		s = (s >> 16) + (s & 0xffff);
	return (uint16_t)s;
}

static uint32_t
pseudo(const uint8_t *ip)
{
	size_t header = (ip[0] & 15u) * 4;

	return sum(0, ip + 12, 8) + ip[9] + get16(ip + 2) - (uint32_t)header;
}

/* Right: 0xffff. */
static uint16_t
ip_check(const uint8_t *ip)
{
	return fold(sum(0, ip, (ip[0] & 15u) * 4));
}

static uint16_t
l4_check(const uint8_t *ip)
{
	size_t header = (ip[0] & 15u) * 4;

	return fold(sum(ip[9] == 1 ? 0 : pseudo(ip), ip + header, get16(ip + 2) - header));
}

static void
ip_finish(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~ip_check(ip));
}

static void
l4_finish(uint8_t *ip, uint8_t *field)
{
	uint16_t check;

	put16(field, 0);
	check = (uint16_t)~l4_check(ip);
	put16(field, check == 0 && ip[9] == 17 ? 0xffff : check); /* RFC 768: UDP's 0 is none */
}

/* ---- packets ---- */

static size_t
packet(uint8_t *buf, uint8_t proto, size_t at, uint32_t src, uint32_t dst, size_t n)
{
	size_t len = pkt_udp(buf, src, dst, 1234, 80, n);

	for (size_t i = PKT_L4 + 8; i < len; i++)
		buf[i] = (uint8_t)rand();
	buf[PKT_IP + 9] = proto;
	ip_finish(buf + PKT_IP);
	l4_finish(buf + PKT_IP, buf + at);
	return len;
}

static size_t
tcp(uint8_t *buf, uint32_t src, uint32_t dst, size_t n)
{
	return packet(buf, 6, TCP_SUM, src, dst, n < 12 ? 12 : n);
}

static size_t
udp(uint8_t *buf, uint32_t src, uint32_t dst, size_t n)
{
	return packet(buf, 17, UDP_SUM, src, dst, n);
}

/* From src to dst, about a packet of dst to src, of which `quoted` octets are there. */
static size_t
icmp_error(uint8_t *buf, uint32_t src, uint32_t dst, bool is_udp, size_t quoted)
{
	uint8_t inner[256];
	size_t len;

	if (is_udp)
		udp(inner, dst, src, 40);
	else
		tcp(inner, dst, src, 40);
	len = pkt_udp(buf, src, dst, 0, 0, quoted);
	buf[PKT_IP + 9] = 1;
	ip_finish(buf + PKT_IP);
	buf[PKT_L4] = 3;
	buf[PKT_L4 + 1] = 1;
	memset(buf + PKT_L4 + 4, 0, 4);
	memcpy(buf + QUOTED, inner + PKT_IP, quoted);
	l4_finish(buf + PKT_IP, buf + ICMP_SUM);
	return len;
}

static void
expect_right(const uint8_t *buf, uint32_t src, uint32_t dst)
{
	CU_ASSERT_EQUAL(get32(buf + PKT_IP + 12), src);
	CU_ASSERT_EQUAL(get32(buf + PKT_IP + 16), dst);
	CU_ASSERT_EQUAL(ip_check(buf + PKT_IP), 0xffff);
	CU_ASSERT_EQUAL(l4_check(buf + PKT_IP), 0xffff);
}

/* ---- tests ---- */

static void
test_both_addresses(void)
{
	uint8_t buf[2048];

	srand(fc_seed());
	for (size_t n = 0; n < 500; n++) {
		uint32_t to = (uint32_t)rand() | 1;
		size_t len = tcp(buf, PRIVATE, OTHER, n);

		vs_nat_apply(buf, len, to, 0);
		expect_right(buf, to, OTHER);
		vs_nat_apply(buf, len, 0, PRIVATE);
		expect_right(buf, to, PRIVATE);
		len = udp(buf, PRIVATE, OTHER, n);
		vs_nat_apply(buf, len, to, PUBLIC);
		expect_right(buf, to, PUBLIC);
	}
}

/* There and back is the same packet. */
static void
test_back_again(void)
{
	uint8_t buf[256], before[256];
	size_t len = tcp(buf, PRIVATE, OTHER, 90);

	memcpy(before, buf, len);
	vs_nat_apply(buf, len, PUBLIC, 0);
	CU_ASSERT_NOT_EQUAL(memcmp(buf, before, len), 0);
	vs_nat_apply(buf, len, PRIVATE, 0);
	CU_ASSERT_EQUAL(memcmp(buf, before, len), 0);
}

static void
test_wrong_stays_wrong(void)
{
	uint8_t buf[256];
	size_t len = tcp(buf, PRIVATE, OTHER, 90);

	buf[TCP_SUM + 1] ^= 5;
	buf[PKT_IP + 11] ^= 3;
	vs_nat_apply(buf, len, PUBLIC, 0);
	CU_ASSERT_NOT_EQUAL(ip_check(buf + PKT_IP), 0xffff);
	CU_ASSERT_NOT_EQUAL(l4_check(buf + PKT_IP), 0xffff);
}

/* What the sending kernel leaves to the card: the field holds the sum of the pseudo header. */
static void
test_checksum_left_to_the_card(void)
{
	static const uint8_t protos[] = { 6, 17 };
	uint8_t buf[256];

	for (size_t i = 0; i < 2; i++) {
		size_t at = protos[i] == 6 ? TCP_SUM : UDP_SUM;
		size_t len = packet(buf, protos[i], at, PRIVATE, OTHER, 60);
		const struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = PKT_L4 - VS_VNET_HDR,
			.csum_offset = (uint16_t)(at - PKT_L4) };

		pkt_offload(buf, &h);
		put16(buf + at, fold(pseudo(buf + PKT_IP)));
		vs_nat_apply(buf, len, PUBLIC, 0);
		CU_ASSERT_EQUAL(get16(buf + at), fold(pseudo(buf + PKT_IP)));
		CU_ASSERT_EQUAL(ip_check(buf + PKT_IP), 0xffff);
		/* The card's work. */
		put16(buf + at, (uint16_t)~fold(sum(0, buf + PKT_L4, len - PKT_L4)));
		expect_right(buf, PUBLIC, OTHER);
	}
}

/* RFC 768: 0 means that there is none, so a sum of 0 is sent as 0xffff. */
static void
test_udp_without_checksum(void)
{
	uint8_t buf[256];
	size_t len = udp(buf, PRIVATE, OTHER, 40);
	unsigned zeros = 0;

	put16(buf + UDP_SUM, 0);
	vs_nat_apply(buf, len, PUBLIC, 0);
	CU_ASSERT_EQUAL(get16(buf + UDP_SUM), 0);
	for (uint32_t to = 0x14000000; to < 0x14010000; to++) {
		len = udp(buf, PRIVATE, OTHER, 0);
		vs_nat_apply(buf, len, to, 0);
		CU_ASSERT_NOT_EQUAL_FATAL(get16(buf + UDP_SUM), 0);
		zeros += get16(buf + UDP_SUM) == 0xffff;
		CU_ASSERT_EQUAL_FATAL(l4_check(buf + PKT_IP), 0xffff);
	}
	CU_ASSERT_TRUE(zeros > 0);
}

/* A later fragment has data where the first one has the checksum. */
static void
test_later_fragment(void)
{
	uint8_t buf[256], before[256];
	size_t len = tcp(buf, PRIVATE, OTHER, 90);

	put16(buf + PKT_IP + 6, 0x2000 | 7);
	ip_finish(buf + PKT_IP);
	memcpy(before, buf, len);
	vs_nat_apply(buf, len, PUBLIC, 0);
	CU_ASSERT_EQUAL(ip_check(buf + PKT_IP), 0xffff);
	CU_ASSERT_EQUAL(memcmp(buf + PKT_L4, before + PKT_L4, len - PKT_L4), 0);
}

static void
expect_right_error(const uint8_t *buf, uint32_t src, uint32_t dst, bool whole)
{
	expect_right(buf, src, dst);
	CU_ASSERT_EQUAL(get32(buf + QUOTED + 12), dst);
	CU_ASSERT_EQUAL(get32(buf + QUOTED + 16), src);
	CU_ASSERT_EQUAL(ip_check(buf + QUOTED), 0xffff);
	if (whole)
		CU_ASSERT_EQUAL(l4_check(buf + QUOTED), 0xffff);
}

/* RFC 5508 4.2: the quoted packet went the other way. 28 octets are the least that is quoted; then
 * there is a checksum of UDP, but none of TCP. */
static void
test_icmp_errors(void)
{
	static const size_t quoted[] = { 28, 40, 68 };
	uint8_t buf[512];

	for (size_t i = 0; i < sizeof(quoted) / sizeof(quoted[0]); i++)
		for (int is_udp = 0; is_udp < 2; is_udp++) {
			bool whole = quoted[i] == 68;
			size_t len = icmp_error(buf, PRIVATE, OTHER, is_udp, quoted[i]);

			vs_nat_apply(buf, len, PUBLIC, 0);
			expect_right_error(buf, PUBLIC, OTHER, whole);
			vs_nat_apply(buf, len, 0, PRIVATE);
			expect_right_error(buf, PUBLIC, PRIVATE, whole);
		}
}

/* Of a router on the way: what it quotes is somebody else's. An answer to a ping quotes nothing. */
static void
test_icmp_that_quotes_nothing_of_it(void)
{
	uint8_t buf[512], before[512];
	size_t len = icmp_error(buf, PRIVATE, OTHER, true, 68);

	put32(buf + QUOTED + 16, 0x0a0b0009);
	ip_finish(buf + QUOTED);
	l4_finish(buf + PKT_IP, buf + ICMP_SUM);
	memcpy(before, buf, len);
	vs_nat_apply(buf, len, PUBLIC, 0);
	expect_right(buf, PUBLIC, OTHER);
	CU_ASSERT_EQUAL(memcmp(buf + PKT_L4, before + PKT_L4, len - PKT_L4), 0);
	len = icmp_error(buf, PRIVATE, OTHER, true, 68);
	buf[PKT_L4] = 0;
	l4_finish(buf + PKT_IP, buf + ICMP_SUM);
	memcpy(before, buf, len);
	vs_nat_apply(buf, len, PUBLIC, 0);
	expect_right(buf, PUBLIC, OTHER);
	CU_ASSERT_EQUAL(memcmp(buf + PKT_L4, before + PKT_L4, len - PKT_L4), 0);
}

/* Lengths in the quoted headers are anything; nothing beyond the packet is touched. */
static void
test_quoted_rubbish(void)
{
	uint8_t buf[512], before[512];

	srand(fc_seed());
	for (int i = 0; i < 20000; i++) {
		size_t len = icmp_error(buf, PRIVATE, OTHER, i % 2, 20 + (size_t)rand() % 40);

		buf[QUOTED + (size_t)rand() % (len - QUOTED)] = (uint8_t)rand();
		memset(buf + len, 0xee, sizeof(buf) - len);
		memcpy(before, buf, sizeof(buf));
		vs_nat_apply(buf, len, PUBLIC, 0);
		CU_ASSERT_EQUAL_FATAL(memcmp(buf + len, before + len, sizeof(buf) - len), 0);
		CU_ASSERT_EQUAL_FATAL(ip_check(buf + PKT_IP), 0xffff);
	}
}

static CU_TestInfo tests[] = {
	{ "RFC 1624: both addresses, any length", test_both_addresses },
	{ "there and back is the same packet", test_back_again },
	{ "wrong checksums stay wrong", test_wrong_stays_wrong },
	{ "a checksum left to the card", test_checksum_left_to_the_card },
	{ "RFC 768: UDP without a checksum", test_udp_without_checksum },
	{ "later fragments have no checksum", test_later_fragment },
	{ "RFC 5508: ICMP errors quote the other direction", test_icmp_errors },
	{ "ICMP that quotes nothing of it", test_icmp_that_quotes_nothing_of_it },
	{ "quoted rubbish", test_quoted_rubbish },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_nat", tests)
