/*
 * Captured packets in words and as pcapng; and values of link options.
 */
#include "fabctl/ctl.h"
#include "fabctl/ctl_link.h"
#include "fabctl/ctl_packet.h"
#include "fabctl/ctl_pcapng.h"
#include "lib/err.h"
#include "lib/octets.h"
#include "tests/unit/fab_cunit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static size_t
make_ipv4(uint8_t *buf, uint8_t proto, const uint8_t *l4, size_t n)
{
	memset(buf, 0, 34);
	put16(buf + 12, 0x0800);
	put16(buf + 14, 0x4500);
	put16(buf + 16, (unsigned)(20 + n));
	buf[23] = proto;
	put32(put32(buf + 26, 0x0a0b0004), 0x0a0c0004);
	memcpy(buf + 34, l4, n);
	return 34 + n;
}

static void
expect(const uint8_t *buf, size_t len, const char *want)
{
	char text[CTL_PACKET_TEXT];

	ctl_packet_text(text, buf, len);
	CU_ASSERT_STRING_EQUAL(text, want);
}

static void
test_packets_in_words(void)
{
	static const uint8_t echo[] = { 8, 0, 0, 0, 0, 7, 0, 9 }, quench[] = { 4, 0, 0, 0 },
			     udp[] = { 0, 53, 4, 0, 0, 12, 0, 0, 1, 2, 3, 4 },
			     tcp[20] = { 0, 179, 0x30, 0x39, 0, 0, 0, 5, 0, 0, 0, 0, 0x50, 0x12 },
			     arp[] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 250, 10, 11, 0, 4, 10, 11, 0, 4,
				     0, 0, 0, 0, 0, 0, 10, 11, 0, 1 };
	uint8_t buf[128];
	size_t n;

	expect(buf, make_ipv4(buf, 1, echo, sizeof(echo)),
	    "10.11.0.4 > 10.12.0.4 ICMP echo request, id 7, seq 9");
	expect(buf, make_ipv4(buf, 1, quench, sizeof(quench)), "10.11.0.4 > 10.12.0.4 ICMP other");
	expect(buf, make_ipv4(buf, 17, udp, sizeof(udp)),
	    "10.11.0.4:53 > 10.12.0.4:1024 UDP 4 octets");
	expect(buf, make_ipv4(buf, 6, tcp, sizeof(tcp)),
	    "10.11.0.4:179 > 10.12.0.4:12345 TCP SA seq 5, 0 octets");
	expect(buf, make_ipv4(buf, 47, udp, 8), "10.11.0.4 > 10.12.0.4 protocol 47, 8 octets");
	n = make_ipv4(buf, 17, udp, sizeof(udp));
	put16(buf + 20, 185);
	expect(buf, n, "10.11.0.4 > 10.12.0.4 fragment at 1480");
	memset(buf, 0, 14);
	put16(buf + 12, 0x0806);
	memcpy(buf + 14, arp, sizeof(arp));
	expect(buf, 14 + sizeof(arp), "ARP who has 10.11.0.1, says 10.11.0.4");
	buf[21] = 2;
	expect(buf, 14 + sizeof(arp), "ARP 10.11.0.4 is at 02:fa:0a:0b:00:04");
	put16(buf + 12, 0x86dd);
	expect(buf, 14, "IPv6");
	put16(buf + 12, 0x88cc);
	expect(buf, 14, "Ethernet type 0x88cc");
}

/* Each length of each packet, in memory of exactly that size. */
static void
test_packets_cut_short(void)
{
	static const uint8_t l4[20] = { 8 };
	static const uint8_t protos[] = { 1, 6, 17, 47 };
	char text[CTL_PACKET_TEXT];
	uint8_t whole[64];

	for (size_t i = 0; i < sizeof(protos); i++)
		for (size_t n = 0; n <= make_ipv4(whole, protos[i], l4, sizeof(l4)); n++) {
			uint8_t *copy = malloc(n > 0 ? n : 1);

			CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
			memcpy(copy, whole, n);
			ctl_packet_text(text, copy, n);
			CU_ASSERT_STRING_NOT_EQUAL(text, "");
			free(copy);
		}
}

/* ---- pcapng ---- */

static uint32_t
u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void
test_pcapng(void)
{
	static const uint32_t types[] = { 0x0a0d0d0a, 1, 6, 6, 5 };
	static const uint8_t data[61] = { 1, 2, 3 };
	struct ctl_pcapng_packet p = {
		.at_us = 0x123456789, .comment = "", .size = 61, .data = data, .len = 61
	};
	char *text = NULL;
	size_t size, at = 0;
	FILE *fp = open_memstream(&text, &size);
	const uint8_t *b;

	CU_ASSERT_EQUAL(ctl_pcapng_begin(fp, "vm11", "fabctl"), FAB_OK);
	CU_ASSERT_EQUAL(ctl_pcapng_packet(fp, &p), FAB_OK);
	p.from_guest = 1;
	p.lost = 5;
	p.comment = "dropped: no-owner";
	CU_ASSERT_EQUAL(ctl_pcapng_packet(fp, &p), FAB_OK);
	CU_ASSERT_EQUAL(ctl_pcapng_end(fp, 1, 2, 5), FAB_OK);
	fclose(fp);
	b = (const uint8_t *)text;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		uint32_t len = u32(b + at + 4);

		CU_ASSERT_EQUAL_FATAL(u32(b + at), types[i]);
		CU_ASSERT_FATAL(len % 4 == 0 && len >= 12 && at + len <= size);
		CU_ASSERT_EQUAL(u32(b + at + len - 4), len); /* the same at both ends */
		if (types[i] == 6) {
			CU_ASSERT_EQUAL(u32(b + at + 12), 1);
			CU_ASSERT_EQUAL(u32(b + at + 16), 0x23456789);
			CU_ASSERT_EQUAL(u32(b + at + 20), 61);
			CU_ASSERT_EQUAL(memcmp(b + at + 28, data, 61), 0);
			CU_ASSERT_EQUAL(u32(b + at + 28 + 64), 4u << 16 | 2); /* flags */
			CU_ASSERT_EQUAL(u32(b + at + 28 + 68), i == 2 ? 1 : 2);
		}
		at += len;
	}
	CU_ASSERT_EQUAL(at, size);
	CU_ASSERT_PTR_NOT_NULL(memmem(text, size, "dropped: no-owner", 17));
	CU_ASSERT_PTR_NOT_NULL(memmem(text, size, "vm11", 4));
	free(text);
	fp = fopen("/dev/full", "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	setvbuf(fp, NULL, _IONBF, 0);
	CU_ASSERT_EQUAL(ctl_pcapng_begin(fp, "vm11", "fabctl"), FAB_EIO);
	fclose(fp);
}

/* ---- link options ---- */

static void
test_values_of_links(void)
{
	static const struct {
		const char *text;
		int64_t delay, loss, rate; /* -1: refused */
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "20ms", 20000, -1, -1 },
		{ "0.5ms", 500, -1, -1 },
		{ "7us", 7, -1, -1 },
		{ "60s", 60000000, -1, -1 },
		{ "61s", -1, -1, -1 },
		{ "1%", -1, 10000, -1 },
		{ "0.01%", -1, 100, -1 },
		{ "100%", -1, 1000000, -1 },
		{ "101%", -1, -1, -1 },
		{ "100mbit", -1, -1, 100000000 },
		{ "8kbit", -1, -1, 8000 },
		{ "7kbit", -1, -1, -1 },
		{ "1000gbit", -1, -1, 1000000000000 },
		{ "1001gbit", -1, -1, -1 },
		{ "9600bit", -1, -1, 9600 },
		{ "20", -1, -1, -1 },
		{ "", -1, -1, -1 },
		{ "ms", -1, -1, -1 },
		{ "-1ms", -1, -1, -1 },
		{ " 1ms", -1, -1, -1 },
		{ "1ms ", -1, -1, -1 },
		{ "inf%", -1, -1, -1 },
		{ "nan%", -1, -1, -1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t delay = 0, loss = 0;
		uint64_t rate = 0;

		CU_ASSERT_EQUAL(
		    ctl_link_delay(&delay, rows[i].text) == FAB_OK ? delay : -1ll, rows[i].delay);
		CU_ASSERT_EQUAL(
		    ctl_link_loss(&loss, rows[i].text) == FAB_OK ? loss : -1ll, rows[i].loss);
		CU_ASSERT_EQUAL(ctl_link_rate(&rate, rows[i].text) == FAB_OK ? (int64_t)rate : -1ll,
		    rows[i].rate);
	}
}

static void
test_links_as_text(void)
{
	static const struct {
		const char *a, *b, *want;
		bool cut;
		uint32_t delay, jitter, loss;
		uint64_t rate;
	} rows[] = {
		{ "nva1", "", "nva1 > cut", true, 0, 0, 0, 0 },
		{ "", "vm12", "> vm12 20ms", false, 20000, 0, 0, 0 },
		{ "nva1", "nva3", "nva1 > nva3 1.5ms+-0.5ms 0.1% 100mbit", false, 1500, 500, 1000,
		    100000000 },
		{ "a", "b", "a > b 0ms+-2ms", false, 0, 2000, 0, 0 },
		{ "a", "b", "a > b cut 50% 9kbit", true, 0, 0, 500000, 9000 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		Fab__V1__LinkInfo l = FAB__V1__LINK_INFO__INIT;
		char text[CTL_LINK_TEXT_MAX];
		json_t *json;

		l.a = (char *)(uintptr_t)rows[i].a;
		l.b = (char *)(uintptr_t)rows[i].b;
		l.cut = rows[i].cut;
		l.delay_us = rows[i].delay;
		l.jitter_us = rows[i].jitter;
		l.loss_ppm = rows[i].loss;
		l.rate = rows[i].rate;
		json = ctl_link_json(&l);
		ctl_link_text(text, json);
		CU_ASSERT_STRING_EQUAL(text, rows[i].want);
		json_decref(json);
	}
}

static CU_TestInfo capture_tests[] = {
	{ "packets in words", test_packets_in_words },
	{ "packets cut short", test_packets_cut_short },
	{ "pcapng", test_pcapng },
	{ "values of links", test_values_of_links },
	{ "links as text", test_links_as_text },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_capture", capture_tests)
