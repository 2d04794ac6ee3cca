#include "tests/unit/bgp_test.h"
#include "tests/unit/fab_cunit.h"

static struct bgp_attr_table *table;
static struct bgp_scratch scratch;

static const struct ipnet net_10_1 = { 0x0a010000, 16 };

/* ORIGIN IGP; AS_PATH 65001; NEXT_HOP 10.1.2.4: what a valid external UPDATE has at least. */
#define ORIGIN   "40 01 01 00 "
#define AS_PATH  "40 02 06 02 01 00 00 fd e9 "
#define NEXT_HOP "40 03 04 0a 01 02 04 "
#define BASE     ORIGIN AS_PATH NEXT_HOP
#define NLRI     "10 0a 01 "

static struct bgp_decode_opts
opts_for(enum bgp_wire wire, bool ibgp)
{
	return (struct bgp_decode_opts){ .as4 = wire != BGP_WIRE_RFC_AS2, .ibgp = ibgp };
}

/* ---- round trips over all wires ---- */

static void
expect_round_trip(enum bgp_wire wire, bool ibgp, const struct bgp_attr_spec *spec)
{
	static const struct ipnet nets[] = { { 0, 0 }, { 0x80000000, 1 }, { 0x0a010000, 16 },
		{ 0x0a010200, 23 }, { 0x0a010204, 32 } };
	struct bgp_decode_opts opts = opts_for(wire, ibgp);
	struct bgp_attr_spec expect = *spec;
	struct bgp_attrs *a = bgp_attrs_intern(table, spec), *want, *got;
	struct collected c = { .n = 0 };
	struct bgp_notify err;
	struct bgp_msg m;
	struct bgp_update *u;

	expect.has_local_pref = ibgp;
	if (!spec->has_local_pref)
		expect.local_pref = 100;
	want = bgp_attrs_intern(table, &expect);
	CU_ASSERT_EQUAL_FATAL(
	    bgp_encode_update(wire, ibgp, BGP_MESSAGE_EXTENDED, a, nets, 5, collect_cb, &c),
	    FAB_OK);
	CU_ASSERT_EQUAL_FATAL(c.n, 1);
	opts.extended = true;
	CU_ASSERT_EQUAL_FATAL(
	    decode_on(wire, &m, &scratch, &opts, c.b[0]->data, c.b[0]->len, &err), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(m.updates.n, 1);
	u = &m.updates.u[0];
	CU_ASSERT_EQUAL(u->n_withdrawn, 0);
	CU_ASSERT_FALSE(u->treat_as_withdraw || u->end_of_rib);
	CU_ASSERT_EQUAL_FATAL(u->n_nlri, 5);
	for (size_t i = 0; i < 5; i++)
		CU_ASSERT(ipnet_eq(u->nlri[i], nets[i]));
	got = bgp_attrs_intern(table, &u->attrs);
	CU_ASSERT_PTR_EQUAL(got, want);
	bgp_attrs_unref(table, got);
	bgp_attrs_unref(table, want);
	bgp_attrs_unref(table, a);
	collected_free(&c);
}

static const uint8_t path_small[] = { 2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0x5b, 0xa0 };
static const uint8_t path_large[] = { 2, 2, 0, 0, 0xfd, 0xe9, 0, 1, 0x11, 0x70, 1, 1, 0, 0, 0, 9 };
static const uint32_t words[600] = { 1, 2, 3, 4, 5, 6, UINT32_MAX };
static const uint8_t path_one[] = { 2, 1, 0, 0, 0xfd, 0xe9 };
static uint8_t path_long[4 * 998];
/* Extended communities, an attribute of 300 octets nobody knows, another of none. */
static uint8_t other[8 + 3 + 304 + 3];

static void
test_attributes_round_trip(void)
{
	const struct bgp_attr_spec cases[] = {
		{ .next_hop = 0x0a010204 },
		{ .next_hop = 1, .origin = 2, .has_med = true, .med = UINT32_MAX },
		{ .next_hop = 1, .has_local_pref = true, .local_pref = 400 },
		{ .next_hop = 1,
		    .atomic_aggregate = true,
		    .aggregator_as = 65001,
		    .aggregator_addr = 7 },
		{ .next_hop = 1,
		    .aggregator_as = 70000,
		    .aggregator_addr = 7,
		    .partial = BGP_PARTIAL_AGGREGATOR },
		{ .next_hop = 1, .as_path = path_small, .as_path_octets = sizeof(path_small) },
		{ .next_hop = 1,
		    .as_path = path_large,
		    .as_path_octets = sizeof(path_large),
		    .aggregator_as = 70000,
		    .aggregator_addr = 7 },
		{ .next_hop = 1, .as_path = path_long, .as_path_octets = sizeof(path_long) },
		{ .next_hop = 1, .communities = words, .n_communities = 600 },
		{ .next_hop = 1, .large = words, .n_large = 200, .partial = BGP_PARTIAL_LARGE },
		{ .next_hop = 1,
		    .other = other,
		    .other_octets = sizeof(other),
		    .as_path = path_large,
		    .as_path_octets = sizeof(path_large),
		    .communities = words,
		    .n_communities = 7,
		    .large = words,
		    .n_large = 2,
		    .partial = BGP_PARTIAL_COMMUNITIES,
		    .has_med = true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int wire = 0; wire < BGP_WIRE_COUNT; wire++) {
			expect_round_trip((enum bgp_wire)wire, false, &cases[i]);
			expect_round_trip((enum bgp_wire)wire, true, &cases[i]);
		}
	}
}

static size_t
count_prefixes(enum bgp_wire wire, const struct collected *c, size_t max, bool withdrawn)
{
	struct bgp_decode_opts opts = opts_for(wire, false);
	struct bgp_notify err;
	struct bgp_msg m;
	size_t sum = 0;

	opts.extended = true;
	for (size_t i = 0; i < c->n; i++) {
		CU_ASSERT(c->b[i]->len <= max);
		CU_ASSERT_EQUAL_FATAL(
		    decode_on(wire, &m, &scratch, &opts, c->b[i]->data, c->b[i]->len, &err),
		    FAB_OK);
		sum += withdrawn ? m.updates.u[0].n_withdrawn : m.updates.u[0].n_nlri;
	}
	return sum;
}

/* As few messages as possible: all but the last are full. */
static void
test_prefixes_are_packed(void)
{
	enum { N = 4000 };
	static const struct {
		enum bgp_wire wire;
		size_t max, messages, withdrawals;
	} cases[] = {
		/* (4096 - 23 - 21) / 4 = 1013 /24s, (4096 - 23) / 4 = 1018 withdrawn */
		{ BGP_WIRE_RFC_AS4, 4096, 4, 4 },
		{ BGP_WIRE_RFC_AS2, 4096, 4, 4 },
		{ BGP_WIRE_RFC_AS4, 65535, 1, 1 },
		{ BGP_WIRE_PB, 65535, 1, 1 },
		{ BGP_WIRE_PB, 4096, 5, 5 },
	};
	static struct ipnet nets[N];
	struct bgp_attrs *a = bgp_attrs_intern(
	    table, &(struct bgp_attr_spec){
		       .next_hop = 1, .as_path = path_one, .as_path_octets = sizeof(path_one) });

	for (uint32_t i = 0; i < N; i++)
		nets[i] = (struct ipnet){ 0x0a000000 + (i << 8), 24 };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct collected c = { .n = 0 };

		CU_ASSERT_EQUAL(bgp_encode_update(
				    cases[i].wire, false, cases[i].max, a, nets, N, collect_cb, &c),
		    FAB_OK);
		CU_ASSERT_EQUAL(c.n, cases[i].messages);
		CU_ASSERT_EQUAL(count_prefixes(cases[i].wire, &c, cases[i].max, false), N);
		collected_free(&c);
		CU_ASSERT_EQUAL(bgp_encode_update(cases[i].wire, false, cases[i].max, NULL, nets, N,
				    collect_cb, &c),
		    FAB_OK);
		CU_ASSERT_EQUAL(c.n, cases[i].withdrawals);
		CU_ASSERT_EQUAL(count_prefixes(cases[i].wire, &c, cases[i].max, true), N);
		collected_free(&c);
	}
	bgp_attrs_unref(table, a);
}

static void
test_attributes_that_do_not_fit_are_refused(void)
{
	static uint32_t many[1100];
	struct bgp_attrs *a;
	struct collected c = { .n = 0 };

	for (uint32_t i = 0; i < 1100; i++)
		many[i] = i;
	a = bgp_attrs_intern(table,
	    &(struct bgp_attr_spec){ .next_hop = 1, .communities = many, .n_communities = 1100 });
	for (int wire = 0; wire < BGP_WIRE_COUNT; wire++) {
		CU_ASSERT_EQUAL(bgp_encode_update((enum bgp_wire)wire, false, BGP_MESSAGE_MAX, a,
				    &net_10_1, 1, collect_cb, &c),
		    FAB_ETOOBIG);
		CU_ASSERT_EQUAL(c.n, 0);
		CU_ASSERT_EQUAL(bgp_encode_update((enum bgp_wire)wire, false, BGP_MESSAGE_EXTENDED,
				    a, &net_10_1, 1, collect_cb, &c),
		    FAB_OK);
		CU_ASSERT_EQUAL(c.n, 1);
		collected_free(&c);
	}
	bgp_attrs_unref(table, a);
}

static void
test_end_of_rib(void)
{
	for (int wire = 0; wire < BGP_WIRE_COUNT; wire++) {
		struct bgp_decode_opts opts = opts_for((enum bgp_wire)wire, false);
		struct fab_buf *b = bgp_encode_end_of_rib((enum bgp_wire)wire);
		struct bgp_notify err;
		struct bgp_msg m;

		CU_ASSERT_EQUAL(
		    decode_on((enum bgp_wire)wire, &m, &scratch, &opts, b->data, b->len, &err),
		    FAB_OK);
		CU_ASSERT_EQUAL(m.updates.n, 1);
		CU_ASSERT(m.updates.u[0].end_of_rib);
		CU_ASSERT_EQUAL(m.updates.u[0].n_nlri + m.updates.u[0].n_withdrawn, 0);
		fab_buf_unref(b);
	}
}

/* ---- RFC 7606 ---- */

enum outcome { FINE, WITHDRAWN, RESET };

/* One attribute is wrong: what becomes of the message, and of the field it was meant for. */
static void
test_rfc7606_rows(void)
{
	static const struct {
		const char *what, *attrs;
		enum outcome outcome;
		int subcode;
		bool ibgp, as2;
	} cases[] = {
		{ "all is well", BASE, FINE },
		/* 3 c: flags */
		{ "ORIGIN optional", "c0 01 01 00 " AS_PATH NEXT_HOP, WITHDRAWN },
		{ "ORIGIN with Partial and unused bits", "6f 01 01 00" AS_PATH NEXT_HOP, FINE },
		{ "AS_PATH optional", ORIGIN "c0 02 00" NEXT_HOP, WITHDRAWN },
		{ "NEXT_HOP not transitive", ORIGIN AS_PATH "00 03 04 0a 01 02 04", WITHDRAWN },
		{ "MED transitive", BASE "c0 04 04 00 00 00 01", WITHDRAWN },
		{ "ATOMIC_AGGREGATE optional", BASE "c0 06 00", WITHDRAWN },
		{ "AGGREGATOR well-known", BASE "40 07 08 00 00 fd e9 0a 00 00 01", WITHDRAWN },
		{ "COMMUNITIES not transitive", BASE "80 08 04 00 00 00 01", WITHDRAWN },
		{ "large communities not transitive", BASE "80 20 0c 00000001 00000002 00000003",
		    WITHDRAWN },
		{ "MP_UNREACH transitive", BASE "c0 0f 03 00 01 01", WITHDRAWN },
		/* 3 d: what is mandatory */
		{ "no ORIGIN", AS_PATH NEXT_HOP, WITHDRAWN },
		{ "no AS_PATH", ORIGIN NEXT_HOP, WITHDRAWN },
		{ "no NEXT_HOP", ORIGIN AS_PATH, WITHDRAWN },
		{ "no LOCAL_PREF from inside", BASE, WITHDRAWN, 0, true },
		{ "LOCAL_PREF from inside", BASE "40 05 04 00 00 00 64", FINE, 0, true },
		/* 3 g: twice */
		{ "ORIGIN twice, the first counts", BASE "40 01 01 07", FINE },
		{ "MP_UNREACH twice", BASE "80 0f 03 00 02 01 80 0f 03 00 02 01", RESET, 1 },
		/* 7.1 */
		{ "ORIGIN 3", "40 01 01 03" AS_PATH NEXT_HOP, WITHDRAWN },
		{ "ORIGIN of 2 octets", "40 01 02 00 00" AS_PATH NEXT_HOP, WITHDRAWN },
		{ "ORIGIN empty", "40 01 00" AS_PATH NEXT_HOP, WITHDRAWN },
		/* 7.2 */
		{ "AS_PATH segment overruns", ORIGIN "40 02 06 02 02 00 00 fd e9" NEXT_HOP,
		    WITHDRAWN },
		{ "AS_PATH segment underruns", ORIGIN "40 02 07 02 01 00 00 fd e9 02" NEXT_HOP,
		    WITHDRAWN },
		{ "AS_PATH segment empty", ORIGIN "40 02 02 02 00" NEXT_HOP, WITHDRAWN },
		{ "AS_PATH segment type 7", ORIGIN "40 02 06 07 01 00 00 fd e9" NEXT_HOP,
		    WITHDRAWN },
		{ "AS_PATH with a confederation", ORIGIN "40 02 06 03 01 00 00 fd e9" NEXT_HOP,
		    WITHDRAWN },
		{ "AS_PATH with AS 0 (RFC 7607)",
		    ORIGIN "40 02 0a 02 02 00 00 fd e9 00 00 00 00" NEXT_HOP, WITHDRAWN },
		{ "AS_PATH with a set of AS 0", ORIGIN "40 02 06 01 01 00 00 00 00" NEXT_HOP,
		    WITHDRAWN },
		{ "AS_PATH with AS 0 from an old peer",
		    ORIGIN "40 02 06 02 02 fd e9 00 00" NEXT_HOP, WITHDRAWN, 0, false, true },
		{ "AS_PATH empty", ORIGIN "40 02 00" NEXT_HOP, FINE },
		{ "AS_PATH of 4 octets from an old peer", BASE, WITHDRAWN, 0, false, true },
		/* 7.3 and RFC 4271 6.3 */
		{ "NEXT_HOP of 3 octets", ORIGIN AS_PATH "40 03 03 0a 01 02", WITHDRAWN },
		{ "NEXT_HOP 0.0.0.0", ORIGIN AS_PATH "40 03 04 00 00 00 00", WITHDRAWN },
		{ "NEXT_HOP 224.0.0.1", ORIGIN AS_PATH "40 03 04 e0 00 00 01", WITHDRAWN },
		{ "NEXT_HOP is our address", ORIGIN AS_PATH "40 03 04 0a 01 00 04", WITHDRAWN },
		/* 7.4 */
		{ "MED of 3 octets", BASE "80 04 03 00 00 01", WITHDRAWN },
		/* 7.5 */
		{ "LOCAL_PREF of 3 octets from outside", BASE "40 05 03 00 00 01", FINE },
		{ "LOCAL_PREF optional from outside", BASE "c0 05 04 00 00 00 01", FINE },
		{ "LOCAL_PREF of 3 octets from inside", BASE "40 05 03 00 00 01", WITHDRAWN, 0,
		    true },
		/* 7.6, 7.7: the attribute is dropped */
		{ "ATOMIC_AGGREGATE of 1 octet", BASE "40 06 01 00", FINE },
		{ "AGGREGATOR of 6 octets", BASE "c0 07 06 fd e9 0a 00 00 01", FINE },
		{ "AGGREGATOR of AS 0 (RFC 7607)", BASE "c0 07 08 00 00 00 00 0a 00 00 01", FINE },
		/* 7.8 */
		{ "COMMUNITIES of 5 octets", BASE "c0 08 05 00 00 00 01 00", WITHDRAWN },
		{ "COMMUNITIES empty", BASE "c0 08 00", WITHDRAWN },
		/* 7.9, 7.10 */
		{ "ORIGINATOR_ID of 3 octets from outside", BASE "80 09 03 00 00 01", FINE },
		{ "ORIGINATOR_ID of 3 octets from inside",
		    BASE "40 05 04 00 00 00 64 80 09 03 00 00 01", WITHDRAWN, 0, true },
		{ "CLUSTER_LIST of 3 octets from outside", BASE "80 0a 03 00 00 01", FINE },
		{ "CLUSTER_LIST empty from inside", BASE "40 05 04 00 00 00 64 80 0a 00", WITHDRAWN,
		    0, true },
		{ "CLUSTER_LIST from inside", BASE "40 05 04 00 00 00 64 80 0a 04 00 00 00 01",
		    FINE, 0, true },
		/* 7.11, 7.12 */
		{ "MP_REACH of 4 octets", BASE "80 0e 04 00 02 01 10", RESET, 9 },
		{ "MP_REACH next hop overruns", BASE "80 0e 05 00 02 01 10 00", RESET, 9 },
		{ "MP_REACH IPv4 with 16 octets of next hop",
		    BASE "80 0e 15 00 01 01 10 00000000000000000000000000000000 00", RESET, 9 },
		{ "MP_REACH IPv6 with 15 octets of next hop",
		    BASE "80 0e 14 00 02 01 0f 000000000000000000000000000000 00", RESET, 9 },
		{ "MP_REACH IPv6 prefix length 129",
		    BASE "80 0e 16 00 02 01 10 00000000000000000000000000000000 00 81", RESET, 9 },
		{ "MP_UNREACH IPv6 prefix overruns", BASE "80 0f 05 00 02 01 10 20", RESET, 9 },
		{ "MP_UNREACH of 2 octets", BASE "80 0f 02 00 02", RESET, 9 },
		{ "MP_REACH of an unknown family", BASE "80 0e 06 00 19 41 00 00 ff", FINE },
		/* 7.14, 7.15, RFC 8092 */
		{ "extended communities of 9 octets", BASE "c0 10 09 000000000000000000",
		    WITHDRAWN },
		{ "IPv6 extended communities of 8 octets", BASE "c0 19 08 0000000000000000",
		    WITHDRAWN },
		{ "large communities of 11 octets", BASE "c0 20 0b 0000000000000000000000",
		    WITHDRAWN },
		{ "large communities empty", BASE "c0 20 00", WITHDRAWN },
		/* RFC 6793 4.1 and 6: AS4_* are dropped */
		{ "AS4_PATH from a new peer", BASE "c0 11 03 02 09 00", FINE },
		{ "AS4_PATH broken, from an old peer",
		    ORIGIN "40 02 04 02 01 fd e9" NEXT_HOP "c0 11 03 02 09 00", FINE, 0, false,
		    true },
		{ "AS4_AGGREGATOR of 7 octets, from an old peer",
		    ORIGIN "40 02 04 02 01 fd e9" NEXT_HOP "c0 12 07 00000000000000", FINE, 0,
		    false, true },
		/* RFC 4271 6.3 */
		{ "unknown well-known", BASE "40 63 01 00", RESET, 2 },
		{ "unknown optional non-transitive", BASE "80 63 01 00", FINE },
		/* 4: the list itself */
		{ "attribute overruns the list", BASE "c0 08 40 00 00 00 01", WITHDRAWN },
		{ "two octets left over", BASE "c0 08", WITHDRAWN },
		{ "extended header cut", BASE "d0 08 00", WITHDRAWN },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_decode_opts opts = {
			.as4 = !cases[i].as2, .ibgp = cases[i].ibgp, .local_addr = 0x0a010004
		};
		struct bgp_notify err = { 0 };
		struct octets o;
		struct bgp_msg m;
		int rc;

		make_update(&o, "", cases[i].attrs, NLRI);
		rc = bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err);
		CU_ASSERT_EQUAL(rc, cases[i].outcome == RESET ? FAB_EBADMSG : FAB_OK);
		if (rc != FAB_OK) {
			CU_ASSERT_EQUAL(err.code, BGP_ERR_UPDATE);
			CU_ASSERT_EQUAL(err.subcode, cases[i].subcode);
			continue;
		}
		CU_ASSERT_EQUAL_FATAL(m.updates.n, 1);
		CU_ASSERT_EQUAL(m.updates.u[0].n_nlri, 1);
		CU_ASSERT(ipnet_eq(m.updates.u[0].nlri[0], net_10_1));
		CU_ASSERT_EQUAL(m.updates.u[0].treat_as_withdraw, cases[i].outcome == WITHDRAWN);
		if (m.updates.u[0].treat_as_withdraw != (cases[i].outcome == WITHDRAWN))
			printf("row: %s\n", cases[i].what);
		if (cases[i].outcome == FINE) /* nothing of a discarded attribute stays */
			CU_ASSERT(!m.updates.u[0].attrs.atomic_aggregate &&
				  m.updates.u[0].attrs.aggregator_as == 0 &&
				  m.updates.u[0].attrs.other_octets == 0 &&
				  m.updates.u[0].attrs.has_local_pref == cases[i].ibgp);
	}
}

/* RFC 7606 3 b, 5.2, 5.3: lengths and prefixes that cannot be trusted. */
static void
test_broken_fields_reset_the_session(void)
{
	static const struct {
		const char *what, *withdrawn, *attrs, *nlri;
		int subcode;
	} cases[] = {
		{ "NLRI length 33", "", BASE, "21 0a 01 02 03 04", 10 },
		{ "NLRI overruns", "", BASE, "18 0a 01", 10 },
		{ "withdrawn length 33", "21 0a 01 02 03 04", "", "", 10 },
		{ "withdrawn overruns", "18 0a 01", "", "", 10 },
		{ "MP_REACH IPv4 prefix overruns", "",
		    BASE "80 0e 0b 00 01 01 04 0a 01 02 05 00 18 0a", "", 10 },
		{ "MP_UNREACH IPv4 length 33", "", "80 0f 04 00 01 01 21", "", 10 },
		{ "an error and nothing to withdraw", "10 0a 01", "40 01 01 09", "", 1 },
	};
	static const struct bgp_decode_opts opts = { .as4 = true };
	struct bgp_notify err;
	struct octets o;
	struct bgp_msg m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_update(&o, cases[i].withdrawn, cases[i].attrs, cases[i].nlri);
		CU_ASSERT_EQUAL(bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err), FAB_EBADMSG);
		CU_ASSERT_EQUAL(err.code, BGP_ERR_UPDATE);
		CU_ASSERT_EQUAL(err.subcode, cases[i].subcode);
	}
	make_update(&o, "10 0a 01", BASE, NLRI);
	o.d[20] = 0xff; /* withdrawn routes beyond the end */
	CU_ASSERT_EQUAL(bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err), FAB_EBADMSG);
	CU_ASSERT_EQUAL(err.subcode, BGP_UPDATE_BAD_LIST);
	make_update(&o, "", BASE, "");
	o.d[22]++; /* attributes beyond the end */
	CU_ASSERT_EQUAL(bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err), FAB_EBADMSG);
	CU_ASSERT_EQUAL(err.subcode, BGP_UPDATE_BAD_LIST);
}

/* ---- what else a message can hold ---- */

static const struct bgp_updates *
decode_hex(
    struct bgp_msg *m, bool is_as4, const char *withdrawn, const char *attrs, const char *nlri)
{
	struct bgp_decode_opts opts = { .as4 = is_as4 };
	static struct octets o;
	struct bgp_notify err;

	make_update(&o, withdrawn, attrs, nlri);
	CU_ASSERT_EQUAL_FATAL(bgp_msg_decode(m, &scratch, &opts, o.d, o.n, &err), FAB_OK);
	return &m->updates;
}

static void
test_host_bits_are_masked(void)
{
	struct bgp_msg m;
	const struct bgp_updates *u = decode_hex(&m, true, "0c ac 1f", BASE, "11 0a 01 ff 04 ff");

	CU_ASSERT(ipnet_eq(u->u[0].withdrawn[0], (struct ipnet){ 0xac100000, 12 }));
	CU_ASSERT(ipnet_eq(u->u[0].nlri[0], (struct ipnet){ 0x0a018000, 17 }));
	CU_ASSERT(ipnet_eq(u->u[0].nlri[1], (struct ipnet){ 0xf0000000, 4 }));
}

/* RFC 4271 5: passed on with Partial set, whatever header it came with; sorted by type. */
static void
test_unknown_transitive_attributes_are_carried(void)
{
	static const uint8_t expect[] = { 0xc0, 16, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0xe0, 99, 2, 7, 7,
		0xe0, 200, 1, 5 };
	struct bgp_msg m;
	const struct bgp_updates *u = decode_hex(&m, true, "",
	    "c0 c8 01 05" BASE "d0 63 0002 0707 c0 10 08 0102030405060708 80 61 01 00", NLRI);

	CU_ASSERT_EQUAL_FATAL(u->u[0].attrs.other_octets, sizeof(expect));
	CU_ASSERT_EQUAL(memcmp(u->u[0].attrs.other, expect, sizeof(expect)), 0);
	CU_ASSERT(bgp_other_valid(u->u[0].attrs.other, u->u[0].attrs.other_octets));
}

static void
test_too_many_carried_attributes_are_withdrawn(void)
{
	static struct octets o;
	static const struct bgp_decode_opts opts = { .as4 = true, .extended = true };
	struct bgp_notify err;
	struct bgp_msg m;

	make_update(&o, "", BASE, "");
	o.n = 23 + o.d[22];
	for (int type = 100; type < 140; type++)
		add_octets(&o, (const uint8_t[]){ 0xc0, (uint8_t)type, 0 }, 3);
	o.d[22] = (uint8_t)(o.n - 23);
	add_hex(&o, NLRI);
	o.d[17] = (uint8_t)o.n;
	CU_ASSERT_EQUAL(bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err), FAB_OK);
	CU_ASSERT(m.updates.u[0].treat_as_withdraw);

	make_update(&o, "", BASE, ""); /* one of 9,000 octets */
	o.n = 23 + o.d[22];
	add_hex(&o, "d0 64 2328");
	memset(o.d + o.n, 1, 9000);
	o.n += 9000;
	o.d[21] = (uint8_t)((o.n - 23) >> 8);
	o.d[22] = (uint8_t)(o.n - 23);
	add_hex(&o, NLRI);
	o.d[16] = (uint8_t)(o.n >> 8);
	o.d[17] = (uint8_t)o.n;
	CU_ASSERT_EQUAL(bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err), FAB_OK);
	CU_ASSERT(m.updates.u[0].treat_as_withdraw);
}

/* RFC 4760 for IPv4 unicast; IPv6 is read and left alone. */
static void
test_multiprotocol(void)
{
	static const char reach4[] = "80 0e 0c 00 01 01 04 0a 01 02 05 00 10 0a 02";
	static const char reach6[] =
	    ORIGIN AS_PATH "80 0e 1a 00 02 01 10 20010db8000000000000000000000001 00 20 20010db8";
	char both[256];
	struct bgp_msg m;
	const struct bgp_updates *u;

	snprintf(both, sizeof(both), "%s%s", ORIGIN AS_PATH, reach4);
	u = decode_hex(&m, true, "", both, "");
	CU_ASSERT_EQUAL_FATAL(u->n, 1);
	CU_ASSERT_EQUAL(u->u[0].n_nlri, 1);
	CU_ASSERT_EQUAL(u->u[0].attrs.next_hop, 0x0a010205);
	CU_ASSERT_FALSE(u->u[0].treat_as_withdraw);

	/* Two next hops in one message: each with its own prefixes. */
	snprintf(both, sizeof(both), "%s%s", BASE, reach4);
	u = decode_hex(&m, true, "08 0b", both, NLRI);
	CU_ASSERT_EQUAL_FATAL(u->n, 2);
	CU_ASSERT(u->u[0].n_withdrawn == 1 && u->u[1].n_withdrawn == 0);
	CU_ASSERT_EQUAL(u->u[0].attrs.next_hop, 0x0a010204);
	CU_ASSERT(ipnet_eq(u->u[0].nlri[0], net_10_1));
	CU_ASSERT_EQUAL(u->u[1].attrs.next_hop, 0x0a010205);
	CU_ASSERT(ipnet_eq(u->u[1].nlri[0], (struct ipnet){ 0x0a020000, 16 }));

	u = decode_hex(&m, true, "08 0b", "80 0f 06 00 01 01 10 0a 03", "");
	CU_ASSERT_EQUAL_FATAL(u->n, 1);
	CU_ASSERT_EQUAL(u->u[0].n_withdrawn, 2);
	CU_ASSERT_FALSE(u->u[0].end_of_rib);

	CU_ASSERT_EQUAL(decode_hex(&m, true, "", reach6, "")->n, 0);
	CU_ASSERT_EQUAL(decode_hex(&m, true, "", "80 0f 03 00 02 01", "")->n, 0);
	u = decode_hex(&m, true, "", "80 0f 03 00 01 01", "");
	CU_ASSERT(u->n == 1 && u->u[0].end_of_rib);
}

/* RFC 6793 4.2.3, from the wire of a peer without capability 65. */
static void
test_as4_attributes_of_an_old_peer(void)
{
	static const struct {
		const char *what, *attrs, *path;
		uint32_t aggregator;
	} cases[] = {
		{ "merged", "40 02 06 02 02 fd e9 5b a0" NEXT_HOP "c0 11 06 02 01 00 01 11 70",
		    "65001 70000", 0 },
		{ "aggregator AS_TRANS",
		    "40 02 04 02 01 5b a0" NEXT_HOP
		    "c0 07 06 5b a0 0a 00 00 01 c0 11 06 02 01 00 01 11 70"
		    "c0 12 08 00 01 11 70 0a 00 00 02",
		    "70000", 70000 },
		/* an old speaker aggregated on the way: both AS4 attributes are stale */
		{ "aggregator of another",
		    "40 02 04 02 01 5b a0" NEXT_HOP
		    "c0 07 06 fd e9 0a 00 00 01 c0 11 06 02 01 00 01 11 70"
		    "c0 12 08 00 01 11 70 0a 00 00 02",
		    "23456", 65001 },
		{ "AS4_PATH longer",
		    "40 02 04 02 01 5b a0" NEXT_HOP "c0 11 0a 02 02 00 01 11 70 00 01 11 71",
		    "23456", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct bgp_attr_spec *s;
		char attrs[256], text[64];
		struct bgp_msg m;

		snprintf(attrs, sizeof(attrs), "%s%s", ORIGIN, cases[i].attrs);
		s = &decode_hex(&m, false, "", attrs, NLRI)->u[0].attrs;
		CU_ASSERT_STRING_EQUAL(
		    bgp_path_format(text, sizeof(text), s->as_path, s->as_path_octets, ' '),
		    cases[i].path);
		CU_ASSERT_EQUAL(s->aggregator_as, cases[i].aggregator);
	}
}

static void
test_a_path_above_the_limit_is_withdrawn(void)
{
	static const struct bgp_decode_opts opts = { .extended = true };
	static struct octets o;
	struct bgp_decode_opts four = opts;
	struct bgp_notify err;
	struct bgp_msg m;

	/* 1,200 ASNs of two octets are too many once they have four. */
	make_update(&o, "", ORIGIN NEXT_HOP, "");
	o.n = 23 + o.d[22];
	add_hex(&o, "50 02 0000");
	for (int i = 0; i < 6; i++) {
		add_octets(&o, (const uint8_t[]){ 2, 200 }, 2);
		memset(o.d + o.n, 1, 400);
		o.n += 400;
	}
	o.d[36] = (6 * 402) >> 8;
	o.d[37] = (uint8_t)(6 * 402);
	o.d[21] = (uint8_t)((o.n - 23) >> 8);
	o.d[22] = (uint8_t)(o.n - 23);
	add_hex(&o, NLRI);
	o.d[16] = (uint8_t)(o.n >> 8);
	o.d[17] = (uint8_t)o.n;
	CU_ASSERT_EQUAL_FATAL(bgp_msg_decode(&m, &scratch, &opts, o.d, o.n, &err), FAB_OK);
	CU_ASSERT(m.updates.n == 1 && m.updates.u[0].treat_as_withdraw);
	four.as4 = true; /* and garbage when read as four octets each */
	CU_ASSERT_EQUAL_FATAL(bgp_msg_decode(&m, &scratch, &four, o.d, o.n, &err), FAB_OK);
	CU_ASSERT(m.updates.u[0].treat_as_withdraw);
}

/* ---- the same over protobuf ---- */

static void
expect_pb_withdrawn(const struct bgp_attr_spec *spec, const struct bgp_decode_opts *opts, bool is)
{
	struct bgp_attrs *a = bgp_attrs_intern(table, spec);
	struct collected c = { .n = 0 };
	struct bgp_notify err;
	struct bgp_msg m;

	bgp_encode_update(
	    BGP_WIRE_PB, false, BGP_MESSAGE_EXTENDED, a, &net_10_1, 1, collect_cb, &c);
	CU_ASSERT_EQUAL_FATAL(
	    wire_bgp_decode(&m, &scratch, opts, c.b[0]->data, c.b[0]->len, &err), FAB_OK);
	CU_ASSERT_EQUAL(m.updates.u[0].treat_as_withdraw, is);
	CU_ASSERT_EQUAL(m.updates.u[0].n_nlri, 1);
	collected_free(&c);
	bgp_attrs_unref(table, a);
}

static void
test_protobuf_attributes_are_checked_too(void)
{
	static const uint8_t bad_path[] = { 2, 1, 0, 0, 0, 9, 9, 1, 0, 0, 0, 9 };
	static const uint8_t other_cut[] = { 0xe0, 99, 4, 1 },
			     other_known[] = { 0xc0, 8, 4, 0, 0, 0, 1 };
	static const uint8_t other_unsorted[] = { 0xe0, 99, 0, 0xe0, 98, 0 };
	static const uint8_t other_local[] = { 0x80, 99, 0 };
	struct bgp_decode_opts opts = { .local_addr = 9 }, ibgp = { .ibgp = true };
	const struct bgp_attr_spec bad[] = {
		{ .next_hop = 1, .origin = 3 },
		{ .next_hop = 0 },
		{ .next_hop = 9 },
		{ .next_hop = 0xe0000001 },
		{ .next_hop = 1, .other = other_cut, .other_octets = sizeof(other_cut) },
		{ .next_hop = 1, .other = other_known, .other_octets = sizeof(other_known) },
		{ .next_hop = 1, .other = other_unsorted, .other_octets = sizeof(other_unsorted) },
		{ .next_hop = 1, .other = other_local, .other_octets = sizeof(other_local) },
	};
	struct bgp_attr_spec path = { .next_hop = 1, .as_path = bad_path, .as_path_octets = 6 };
	struct bgp_attrs *a = bgp_attrs_intern(table, &path);
	struct collected c = { .n = 0 };
	struct bgp_notify err;
	struct bgp_msg m;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_pb_withdrawn(&bad[i], &opts, true);
	expect_pb_withdrawn(&path, &opts, false);
	expect_pb_withdrawn(&path, &ibgp, true); /* no LOCAL_PREF from inside */

	/* A segment that is not one, put into a message that was fine. */
	bgp_encode_update(
	    BGP_WIRE_PB, false, BGP_MESSAGE_EXTENDED, a, &net_10_1, 1, collect_cb, &c);
	for (size_t i = 0; i + 6 <= c.b[0]->len; i++) {
		if (memcmp(c.b[0]->data + i, bad_path, 6) == 0)
			c.b[0]->data[i] = 9;
	}
	CU_ASSERT_EQUAL_FATAL(
	    wire_bgp_decode(&m, &scratch, &opts, c.b[0]->data, c.b[0]->len, &err), FAB_OK);
	CU_ASSERT(m.updates.u[0].treat_as_withdraw);
	collected_free(&c);
	bgp_attrs_unref(table, a);
}

/* ---- every truncation and every single-octet mutation ---- */

/* Whatever comes out of a decoder has to be usable. */
static void
check_result(const struct bgp_msg *m)
{
	if (m->type != BGP_MSG_UPDATE)
		return;
	for (size_t i = 0; i < m->updates.n; i++) {
		const struct bgp_update *u = &m->updates.u[i];
		struct bgp_attrs *a;

		for (size_t k = 0; k < u->n_withdrawn; k++)
			FAB_ASSERT(u->withdrawn[k].len <= 32 &&
				   ipnet_has_addr(u->withdrawn[k], u->withdrawn[k].addr));
		for (size_t k = 0; k < u->n_nlri; k++)
			FAB_ASSERT(
			    u->nlri[k].len <= 32 && ipnet_has_addr(u->nlri[k], u->nlri[k].addr));
		if (u->n_nlri == 0 || u->treat_as_withdraw)
			continue;
		FAB_ASSERT(u->attrs.origin <= 2 && u->attrs.next_hop != 0 &&
			   bgp_path_valid(u->attrs.as_path, u->attrs.as_path_octets) &&
			   bgp_other_valid(u->attrs.other, u->attrs.other_octets));
		a = bgp_attrs_intern(table, &u->attrs);
		FAB_ASSERT(a != NULL);
		bgp_attrs_unref(table, a);
	}
}

static void
decode_exactly(enum bgp_wire wire, bool ibgp, const uint8_t *p, size_t n)
{
	struct bgp_decode_opts opts = opts_for(wire, ibgp);
	uint8_t *copy = malloc(n > 0 ? n : 1);
	struct bgp_notify err;
	struct bgp_msg m;
	char text[300];

	if (n > 0)
		memcpy(copy, p, n);
	if (decode_on(wire, &m, &scratch, &opts, copy, n, &err) == FAB_OK)
		check_result(&m);
	else
		bgp_notify_format(text, sizeof(text), &err);
	free(copy);
}

static void
torture(enum bgp_wire wire, bool ibgp, const struct fab_buf *b)
{
	uint8_t copy[4096];

	FAB_ASSERT(b->len <= sizeof(copy));
	for (size_t n = 0; n <= b->len; n++) {
		memcpy(copy, b->data, b->len);
		decode_exactly(wire, ibgp, copy, n);
		if (wire != BGP_WIRE_PB && n >= BGP_HEADER_OCTETS) { /* with a length that fits */
			copy[16] = (uint8_t)(n >> 8);
			copy[17] = (uint8_t)n;
			decode_exactly(wire, ibgp, copy, n);
		}
	}
	memcpy(copy, b->data, b->len);
	for (size_t i = 0; i < b->len; i++) {
		for (int v = 0; v < 256; v++) {
			copy[i] = (uint8_t)v;
			decode_exactly(wire, ibgp, copy, b->len);
		}
		copy[i] = b->data[i];
	}
}

static void
test_every_truncation_and_mutation_of_an_update_survives(void)
{
	static const uint8_t carried[] = { 0xc0, 16, 8, 0, 1, 2, 3, 4, 5, 6, 7, 0xe0, 99, 1, 5 };
	struct bgp_attr_spec full = { .next_hop = 1,
		.has_med = true,
		.has_local_pref = true,
		.atomic_aggregate = true,
		.aggregator_as = 70000,
		.as_path = path_large,
		.as_path_octets = sizeof(path_large),
		.communities = words,
		.n_communities = 3,
		.large = words,
		.n_large = 2,
		.other = carried,
		.other_octets = sizeof(carried) };
	struct bgp_attrs *a = bgp_attrs_intern(table, &full);
	static const struct ipnet nets[] = { { 0, 0 }, { 0x0a010000, 16 }, { 0x0a010203, 32 } };

	for (int wire = 0; wire < BGP_WIRE_COUNT; wire++) {
		struct collected c = { .n = 0 };

		bgp_encode_update((enum bgp_wire)wire, true, 4096, a, nets, 3, collect_cb, &c);
		bgp_encode_update((enum bgp_wire)wire, true, 4096, NULL, nets, 3, collect_cb, &c);
		for (size_t i = 0; i < c.n; i++)
			torture((enum bgp_wire)wire, true, c.b[i]);
		collected_free(&c);
	}
	bgp_attrs_unref(table, a);
}

static void
test_every_truncation_and_mutation_of_the_others_survives(void)
{
	struct bgp_open open = { 4, 180, 65515, 1, true, true, true, true, true, true };
	uint8_t text[1 + BGP_SHUTDOWN_TEXT_MAX];
	struct bgp_notify n = { 6, 2, (uint16_t)bgp_shutdown_encode(text, "maintenance"), text };
	struct bgp_refresh r = { 1, 1, 0 };
	struct bgp_hello h = { "nva1", 1, 2 };
	struct fab_buf *rfc[] = { bgp_msg_encode_open(&open), bgp_msg_encode_notify(&n),
		bgp_msg_encode_refresh(&r), bgp_msg_encode_keepalive() };
	struct fab_buf *pb[] = { wire_bgp_encode_open(&open), wire_bgp_encode_notify(&n),
		wire_bgp_encode_refresh(&r), wire_bgp_encode_keepalive(),
		wire_bgp_encode_hello(&h) };

	for (size_t i = 0; i < sizeof(rfc) / sizeof(rfc[0]); i++) {
		torture(BGP_WIRE_RFC_AS4, false, rfc[i]);
		fab_buf_unref(rfc[i]);
	}
	for (size_t i = 0; i < sizeof(pb) / sizeof(pb[0]); i++) {
		torture(BGP_WIRE_PB, false, pb[i]);
		fab_buf_unref(pb[i]);
	}
}

static void
test_multiprotocol_mutations_survive(void)
{
	static struct octets o;
	struct fab_buf *b;

	make_update(&o, "08 0b",
	    BASE "80 0e 0c 00 01 01 04 0a 01 02 05 00 10 0a 02 80 0f 06 00 02 01 10 0a 03", NLRI);
	b = fab_buf_new(o.n);
	memcpy(b->data, o.d, o.n);
	torture(BGP_WIRE_RFC_AS4, false, b);
	fab_buf_unref(b);
}

/* ---- set up once ---- */

static void
test_set_up(void)
{
	uint8_t *p = other;

	CU_ASSERT_EQUAL_FATAL(bgp_attr_table_new(&table), FAB_OK);
	memcpy(p, (const uint8_t[]){ 0xc0, 16, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0xf0, 99, 1, 44 }, 15);
	memset(p + 15, 0x55, 300);
	memcpy(p + 315, (const uint8_t[]){ 0xe0, 200, 0 }, 3);
	for (size_t i = 0; i < sizeof(path_long); i += 998) { /* four segments */
		memset(path_long + i, 1, 998);
		path_long[i] = BGP_AS_SEQUENCE;
		path_long[i + 1] = 249;
	}
}

static void
test_tear_down(void)
{
	bgp_scratch_fini(&scratch);
	bgp_attr_table_free(table); /* asserts that no set is left */
}

static CU_TestInfo tests[] = {
	{ "set up", test_set_up },
	{ "attributes round trip over all wires", test_attributes_round_trip },
	{ "prefixes are packed", test_prefixes_are_packed },
	{ "attributes that do not fit are refused", test_attributes_that_do_not_fit_are_refused },
	{ "End-of-RIB", test_end_of_rib },
	{ "RFC 7606, row by row", test_rfc7606_rows },
	{ "broken fields reset the session (RFC 7606 3, 5)", test_broken_fields_reset_the_session },
	{ "host bits are masked", test_host_bits_are_masked },
	{ "unknown transitive attributes are carried (RFC 4271 5)",
	    test_unknown_transitive_attributes_are_carried },
	{ "too many carried attributes are withdrawn",
	    test_too_many_carried_attributes_are_withdrawn },
	{ "multiprotocol (RFC 4760)", test_multiprotocol },
	{ "AS4 attributes of an old peer (RFC 6793)", test_as4_attributes_of_an_old_peer },
	{ "a path above the limit is withdrawn", test_a_path_above_the_limit_is_withdrawn },
	{ "protobuf attributes are checked too", test_protobuf_attributes_are_checked_too },
	{ "every truncation and mutation of an UPDATE survives",
	    test_every_truncation_and_mutation_of_an_update_survives },
	{ "every truncation and mutation of the others survives",
	    test_every_truncation_and_mutation_of_the_others_survives },
	{ "multiprotocol mutations survive", test_multiprotocol_mutations_survive },
	{ "tear down", test_tear_down },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("bgp_update", tests)
