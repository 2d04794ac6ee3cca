#include "lib/bgp_msg.h"

#include "tests/unit/bgp_test.h"
#include "tests/unit/fab_cunit.h"

static struct bgp_scratch scratch;
static const struct bgp_decode_opts as4 = { .as4 = true };

/* Encodes with one wire's function and decodes again; the caller frees *b. */
static int
decode_buf(enum bgp_wire wire, struct bgp_msg *out, const struct fab_buf *b)
{
	struct bgp_notify err;

	return decode_on(wire, out, &scratch, &as4, b->data, b->len, &err);
}

/* ---- header, RFC 4271 6.1 ---- */

static void
test_header_errors(void)
{
	static const struct {
		const char *what, *hex;
		bool extended;
		int subcode; /* 0: fine */
	} cases[] = {
		{ "KEEPALIVE", "ffffffffffffffffffffffffffffffff 0013 04", false, 0 },
		{ "marker", "ffffffffffffffffffffffffffffff00 0013 04", false, 1 },
		{ "length 18", "ffffffffffffffffffffffffffffffff 0012 04", false, 2 },
		{ "length 4097", "ffffffffffffffffffffffffffffffff 1001 02", false, 2 },
		{ "KEEPALIVE of 20", "ffffffffffffffffffffffffffffffff 0014 04 00", false, 2 },
		{ "type 0", "ffffffffffffffffffffffffffffffff 0013 00", false, 3 },
		{ "type 6", "ffffffffffffffffffffffffffffffff 0013 06", false, 3 },
		{ "short OPEN", "ffffffffffffffffffffffffffffffff 0013 01", false, 2 },
		{ "short UPDATE", "ffffffffffffffffffffffffffffffff 0016 02 000000", false, 2 },
		{ "short NOTIFICATION", "ffffffffffffffffffffffffffffffff 0014 03 06", false, 2 },
		{ "short refresh", "ffffffffffffffffffffffffffffffff 0014 05 00", false, 2 },
		{ "RFC 8654 4: long OPEN", "ffffffffffffffffffffffffffffffff 1001 01", true, 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct octets o = { 0 };
		struct bgp_decode_opts opts = { .as4 = true, .extended = cases[i].extended };
		struct bgp_notify err = { 0 };
		struct bgp_msg m;
		int rc;

		add_hex(&o, cases[i].hex);
		rc = bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err);
		CU_ASSERT_EQUAL(rc, cases[i].subcode == 0 ? FAB_OK : FAB_EBADMSG);
		CU_ASSERT_EQUAL(err.code, cases[i].subcode == 0 ? 0 : BGP_ERR_HEADER);
		CU_ASSERT_EQUAL(err.subcode, cases[i].subcode);
		if (cases[i].subcode == 2) {
			CU_ASSERT_EQUAL(err.len, 2);
			CU_ASSERT_EQUAL(memcmp(err.data, o.d + 16, 2), 0);
		}
	}
}

static void
test_framing(void)
{
	struct octets o = { 0 };

	add_hex(&o, "ffffffffffffffffffffffffffffffff 0017 05 0001 0001");
	for (size_t n = 0; n < 23; n++)
		CU_ASSERT_EQUAL(bgp_msg_frame(o.d, n, BGP_MESSAGE_MAX), 0);
	CU_ASSERT_EQUAL(bgp_msg_frame(o.d, 23, BGP_MESSAGE_MAX), 23);
	CU_ASSERT_EQUAL(bgp_msg_frame(o.d, 60, BGP_MESSAGE_MAX), 23);
	o.d[16] = 0xff;
	CU_ASSERT_EQUAL(bgp_msg_frame(o.d, 60, BGP_MESSAGE_MAX), BGP_HEADER_OCTETS);
	CU_ASSERT_EQUAL(bgp_msg_frame(o.d, 60, BGP_MESSAGE_EXTENDED), 0);
	o.d[0] = 0;
	CU_ASSERT_EQUAL(bgp_msg_frame(o.d, 60, BGP_MESSAGE_EXTENDED), BGP_HEADER_OCTETS);
}

/* ---- OPEN ---- */

static struct fab_buf *
encode_open(enum bgp_wire wire, const struct bgp_open *o)
{
	return wire == BGP_WIRE_PB ? wire_bgp_encode_open(o) : bgp_msg_encode_open(o);
}

/* RS-33: what a Route Server offers, and everything that it does not. */
static void
test_open_round_trip(void)
{
	static const struct bgp_open cases[] = {
		{ 4, 180, 65515, 0x0a010004, true, true, true, true, false, false },
		{ 4, 0, 65515, 1, true, true, false, true, true, true },
		{ 4, 3, 4200000000u, 1, true, true, false, false, false, false },
		{ 4, 65535, 1, UINT32_MAX, false, true, false, true, false, false },
	};
	static const enum bgp_wire wires[] = { BGP_WIRE_RFC_AS4, BGP_WIRE_PB };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t w = 0; w < 2; w++) {
			struct fab_buf *b = encode_open(wires[w], &cases[i]);
			const struct bgp_open *e = &cases[i], *o;
			struct bgp_msg m;

			CU_ASSERT_EQUAL_FATAL(decode_buf(wires[w], &m, b), FAB_OK);
			CU_ASSERT_EQUAL(m.type, BGP_MSG_OPEN);
			o = &m.open;
			CU_ASSERT(o->version == e->version && o->hold_sec == e->hold_sec &&
				  o->asn == e->asn && o->router_id == e->router_id);
			CU_ASSERT(o->as4 == e->as4 && o->ipv4 == e->ipv4 && o->ipv6 == e->ipv6 &&
				  o->refresh == e->refresh &&
				  o->enhanced_refresh == e->enhanced_refresh &&
				  o->extended_message == e->extended_message);
			fab_buf_unref(b);
		}
	}
}

/* RFC 6793 4.1: the two-octet field says AS_TRANS. */
static void
test_open_with_a_large_asn_says_as_trans(void)
{
	struct bgp_open o = { .version = 4, .asn = 70000, .router_id = 1, .as4 = true };
	struct fab_buf *b = bgp_msg_encode_open(&o);

	CU_ASSERT(b->data[20] == 0x5b && b->data[21] == 0xa0);
	fab_buf_unref(b);
}

#define OPEN_HEAD "ffffffffffffffffffffffffffffffff 0000 01 04 fde9 00b4 0a010204 "

static void
test_open_parameters(void)
{
	static const struct {
		const char *what, *hex;
		int subcode; /* -1: fine */
		bool as4, ipv4, ipv6, refresh;
		uint32_t asn;
	} cases[] = {
		{ "none", "00", -1, false, true, false, false, 65001 },
		{ "one capability", "04 02 02 02 00", -1, false, true, false, true, 65001 },
		{ "each in a parameter of its own", "0c 02 02 02 00 02 06 41 04 00 00 fd e9", -1,
		    true, true, false, true, 65001 },
		{ "IPv6 only", "08 02 06 01 04 00 02 00 01", -1, false, false, true, false, 65001 },
		{ "IPv4 multicast only", "08 02 06 01 04 00 01 00 02", -1, false, false, false,
		    false, 65001 },
		{ "unknown capabilities", "0a 02 08 80 00 47 04 01 02 03 04", -1, false, true,
		    false, false, 65001 },
		{ "RFC 9072", "ff ff 00 07 02 00 04 02 00 80 00", -1, false, true, false, true,
		    65001 },
		{ "AS4 says another ASN", "08 02 06 41 04 00 01 11 70", -1, true, true, false,
		    false, 70000 },
		{ "unknown parameter", "03 01 01 00", 4, 0 },
		{ "total too long", "05 02 02 02 00", 0, 0 },
		{ "total too short", "03 02 02 02 00", 0, 0 },
		{ "parameter overruns", "04 02 03 02 00", 0, 0 },
		{ "parameter without length", "01 02", 0, 0 },
		{ "capability overruns", "04 02 02 02 01", 0, 0 },
		{ "capability without length", "03 02 01 02", 0, 0 },
		{ "AS4 of 2 octets", "06 02 04 41 02 fd e9", 0, 0 },
		{ "multiprotocol of 3", "07 02 05 01 03 00 01 00", 0, 0 },
		{ "refresh with a value", "05 02 03 02 01 00", 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct octets o = { 0 };
		struct bgp_notify err = { 0 };
		struct bgp_msg m;
		int rc;

		add_hex(&o, OPEN_HEAD);
		add_hex(&o, cases[i].hex);
		o.d[17] = (uint8_t)o.n;
		rc = bgp_msg_decode(&m, &scratch, &as4, o.d, o.n, &err);
		CU_ASSERT_EQUAL(rc, cases[i].subcode < 0 ? FAB_OK : FAB_EBADMSG);
		if (rc != FAB_OK) {
			CU_ASSERT_EQUAL(err.code, BGP_ERR_OPEN);
			CU_ASSERT_EQUAL(err.subcode, cases[i].subcode);
			continue;
		}
		CU_ASSERT_EQUAL(m.open.asn, cases[i].asn);
		CU_ASSERT(m.open.as4 == cases[i].as4 && m.open.ipv4 == cases[i].ipv4 &&
			  m.open.ipv6 == cases[i].ipv6 && m.open.refresh == cases[i].refresh);
	}
}

/* RFC 4271 6.2, RFC 6286 2.2, RFC 5492 3 */
static void
test_open_is_acceptable_or_not(void)
{
	static const struct {
		struct bgp_open open;
		int subcode; /* 0: acceptable */
	} cases[] = {
		{ { .version = 4, .asn = 65001, .router_id = 9, .hold_sec = 3, .ipv4 = true }, 0 },
		{ { .version = 4, .asn = 65001, .router_id = 9, .hold_sec = 0, .ipv4 = true }, 0 },
		/* eBGP peers may have our identifier */
		{ { .version = 4, .asn = 65001, .router_id = 5, .ipv4 = true }, 0 },
		{ { .version = 3, .asn = 65001, .router_id = 9, .ipv4 = true }, 1 },
		{ { .version = 4, .asn = 65002, .router_id = 9, .ipv4 = true }, 2 },
		{ { .version = 4, .asn = 0, .router_id = 9, .ipv4 = true }, 2 },
		{ { .version = 4, .asn = 65001, .router_id = 0, .ipv4 = true }, 3 },
		{ { .version = 4, .asn = 65001, .router_id = 9, .hold_sec = 1, .ipv4 = true }, 6 },
		{ { .version = 4, .asn = 65001, .router_id = 9, .hold_sec = 2, .ipv4 = true }, 6 },
		{ { .version = 4, .asn = 65001, .router_id = 9, .ipv6 = true }, 7 },
	};
	struct bgp_open internal = { .version = 4, .asn = 65515, .router_id = 5, .ipv4 = true };
	struct bgp_notify err;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		err = (struct bgp_notify){ 0 };
		CU_ASSERT_EQUAL(bgp_open_acceptable(&cases[i].open, 65515, 65001, 5, &err),
		    cases[i].subcode == 0);
		CU_ASSERT_EQUAL(err.subcode, cases[i].subcode);
		if (cases[i].subcode == 1)
			CU_ASSERT(err.len == 2 && err.data[0] == 0 && err.data[1] == 4);
	}
	CU_ASSERT_FALSE(bgp_open_acceptable(&internal, 65515, 65515, 5, &err));
	CU_ASSERT_EQUAL(err.subcode, BGP_OPEN_BAD_ID);
	CU_ASSERT(bgp_open_acceptable(&internal, 65515, 65515, 6, &err));
}

/* ---- the rest ---- */

static void
test_small_messages_round_trip(void)
{
	static const uint8_t data[] = { 1, 2, 3 };
	struct bgp_notify n = { BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIXES, 3, data };
	struct bgp_refresh r = { 1, 1, 2 };
	struct bgp_hello h = { "nva1", 0x0a010204, 0x0a010004 };
	struct bgp_msg m;
	struct fab_buf *b;

	for (int pb = 0; pb < 2; pb++) {
		enum bgp_wire wire = pb ? BGP_WIRE_PB : BGP_WIRE_RFC_AS4;

		b = pb ? wire_bgp_encode_notify(&n) : bgp_msg_encode_notify(&n);
		CU_ASSERT_EQUAL_FATAL(decode_buf(wire, &m, b), FAB_OK);
		CU_ASSERT_EQUAL(m.type, BGP_MSG_NOTIFICATION);
		CU_ASSERT(m.notify.code == 6 && m.notify.subcode == 1 && m.notify.len == 3 &&
			  memcmp(m.notify.data, data, 3) == 0);
		fab_buf_unref(b);
		b = pb ? wire_bgp_encode_refresh(&r) : bgp_msg_encode_refresh(&r);
		CU_ASSERT_EQUAL_FATAL(decode_buf(wire, &m, b), FAB_OK);
		CU_ASSERT_EQUAL(m.type, BGP_MSG_REFRESH);
		CU_ASSERT(m.refresh.afi == 1 && m.refresh.safi == 1 && m.refresh.subtype == 2);
		fab_buf_unref(b);
		b = pb ? wire_bgp_encode_keepalive() : bgp_msg_encode_keepalive();
		CU_ASSERT_EQUAL_FATAL(decode_buf(wire, &m, b), FAB_OK);
		CU_ASSERT_EQUAL(m.type, BGP_MSG_KEEPALIVE);
		fab_buf_unref(b);
	}
	b = wire_bgp_encode_hello(&h);
	CU_ASSERT_EQUAL_FATAL(decode_buf(BGP_WIRE_PB, &m, b), FAB_OK);
	CU_ASSERT_EQUAL(m.type, BGP_MSG_HELLO);
	CU_ASSERT_STRING_EQUAL(m.hello.name, "nva1");
	CU_ASSERT(m.hello.from_addr == 0x0a010204 && m.hello.to_addr == 0x0a010004);
	fab_buf_unref(b);
}

static void
test_notifications_as_text(void)
{
	static const uint8_t text[] = { 5, 'h', 'e', '\n', 'l', 'o' };
	static const uint8_t overrun[] = { 9, 'h' };
	static const struct {
		struct bgp_notify n;
		const char *text;
	} cases[] = {
		{ { 6, 2, 0, NULL }, "Cease/Administrative Shutdown" },
		{ { 6, 2, 6, text }, "Cease/Administrative Shutdown (\"he?lo\")" },
		{ { 6, 4, 6, text }, "Cease/Administrative Reset (\"he?lo\")" },
		{ { 6, 1, 6, text }, "Cease/Maximum Number of Prefixes Reached" },
		{ { 6, 2, 2, overrun }, "Cease/Administrative Shutdown" },
		{ { 6, 99, 0, NULL }, "Cease/99" },
		{ { 4, 0, 0, NULL }, "Hold Timer Expired" },
		{ { 2, 2, 0, NULL }, "OPEN Message Error/Bad Peer AS" },
		{ { 9, 1, 0, NULL }, "error 9/1" },
		{ { 0, 0, 0, NULL }, "error 0/0" },
		{ { 255, 255, 0, NULL }, "error 255/255" },
	};
	char buf[400], tiny[10];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(
		    bgp_notify_format(buf, sizeof(buf), &cases[i].n), cases[i].text);
	CU_ASSERT_STRING_EQUAL(bgp_notify_format(tiny, sizeof(tiny), &cases[1].n), "Cease/Adm");
}

/* RFC 9003 2: at most 255 octets, whole characters. */
static void
test_shutdown_text_is_cut_at_a_character(void)
{
	uint8_t out[1 + BGP_SHUTDOWN_TEXT_MAX];
	char text[400];

	CU_ASSERT_EQUAL(bgp_shutdown_encode(out, "bye"), 4);
	CU_ASSERT(out[0] == 3 && memcmp(out + 1, "bye", 3) == 0);
	memset(text, 'x', sizeof(text));
	text[254] = (char)0xc3; /* a character of two octets over the edge */
	text[255] = (char)0xa4;
	text[sizeof(text) - 1] = '\0';
	CU_ASSERT_EQUAL(bgp_shutdown_encode(out, text), 255);
	CU_ASSERT_EQUAL(out[0], 254);
	memset(text, 0x80, sizeof(text) - 1);
	CU_ASSERT_EQUAL(bgp_shutdown_encode(out, text), 1);
}

static void
test_protobuf_garbage_is_refused(void)
{
	static const struct {
		const char *what, *hex;
	} cases[] = {
		{ "empty", "" },
		{ "no body", "7a 00" },
		{ "cut", "12 05 08 04" },
		{ "wire type", "14 00" },
		{ "OPEN with bad capabilities", "12 04 2a 02 41 09" },
		{ "hold time above 16 bits", "12 04 18 80 80 04" },
		{ "lengths do not match addresses", "1a 0a 0a 04 00 00 00 0a 12 02 08 08" },
		{ "prefix length 33", "1a 09 0a 04 00 00 00 0a 12 01 21" },
	};
	struct octets o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_notify err = { 0 };
		struct bgp_msg m;

		o.n = 0;
		add_hex(&o, cases[i].hex);
		CU_ASSERT_EQUAL(wire_bgp_decode(&m, &scratch, &as4, o.d, o.n, &err), FAB_EBADMSG);
		CU_ASSERT(err.code != 0);
	}
	memset(o.d, 0, sizeof(o.d));
	CU_ASSERT_EQUAL(wire_bgp_decode(&(struct bgp_msg){ 0 }, &scratch, &as4, o.d, 65536,
			    &(struct bgp_notify){ 0 }),
	    FAB_EBADMSG);
}

/* A frame of unknown fields may not make us allocate a multiple of its size. */
static void
test_protobuf_unpacks_in_bounded_memory(void)
{
	struct bgp_notify err;
	struct octets o = { 0 };
	struct bgp_msg m;

	while (o.n + 2 <= 65000)
		add_hex(&o, "7800");
	CU_ASSERT_EQUAL(wire_bgp_decode(&m, &scratch, &as4, o.d, o.n, &err), FAB_EBADMSG);
	o.n = 0;
	add_hex(&o, "2a007800"); /* KEEPALIVE and a field of a later version */
	CU_ASSERT_EQUAL(wire_bgp_decode(&m, &scratch, &as4, o.d, o.n, &err), FAB_OK);
	CU_ASSERT_EQUAL(m.type, BGP_MSG_KEEPALIVE);
	bgp_scratch_fini(&scratch);
}

static CU_TestInfo tests[] = {
	{ "header errors (RFC 4271 6.1)", test_header_errors },
	{ "framing", test_framing },
	{ "OPEN round trip on both wires (RS-33)", test_open_round_trip },
	{ "OPEN with a large ASN says AS_TRANS", test_open_with_a_large_asn_says_as_trans },
	{ "OPEN parameters and capabilities", test_open_parameters },
	{ "OPEN is acceptable or not (RFC 4271 6.2)", test_open_is_acceptable_or_not },
	{ "small messages round trip on both wires", test_small_messages_round_trip },
	{ "NOTIFICATION as text", test_notifications_as_text },
	{ "shutdown text is cut at a character (RFC 9003)",
	    test_shutdown_text_is_cut_at_a_character },
	{ "protobuf garbage is refused", test_protobuf_garbage_is_refused },
	{ "protobuf unpacks in bounded memory", test_protobuf_unpacks_in_bounded_memory },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("bgp_msg", tests)
