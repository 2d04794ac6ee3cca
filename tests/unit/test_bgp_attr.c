#include "lib/bgp_attr.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"

#include <string.h>

#define SEQ 2
#define SET 1

/* 65001 65002 {65003,65004} */
static const uint8_t path_mixed[] = { SEQ, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xea, SET, 2, 0, 0,
	0xfd, 0xeb, 0, 0, 0xfd, 0xec };

/* ---- interning ---- */

static void
test_equal_specs_share_one_object(void)
{
	uint32_t sorted[] = { 1, 2, 3 }, shuffled[] = { 3, 1, 2, 3, 1 };
	uint32_t large[] = { 1, 2, 3, 1, 2, 4 }, large_shuffled[] = { 1, 2, 4, 1, 2, 3, 1, 2, 4 };
	struct bgp_attr_spec a = { .next_hop = 7,
		.communities = sorted,
		.n_communities = 3,
		.large = large,
		.n_large = 2,
		.as_path = path_mixed,
		.as_path_octets = sizeof(path_mixed) };
	struct bgp_attr_spec b = a;
	struct bgp_attr_table *t;
	struct bgp_attrs *x, *y;

	b.communities = shuffled;
	b.n_communities = 5;
	b.large = large_shuffled;
	b.n_large = 3;
	b.med = 99; /* without has_med it says nothing */
	CU_ASSERT_EQUAL_FATAL(bgp_attr_table_new(&t), FAB_OK);
	x = bgp_attrs_intern(t, &a);
	y = bgp_attrs_intern(t, &b);
	CU_ASSERT_PTR_NOT_NULL_FATAL(x);
	CU_ASSERT_PTR_EQUAL(x, y);
	CU_ASSERT_EQUAL(bgp_attr_table_count(t), 1);
	CU_ASSERT_EQUAL(x->refs, 2);
	CU_ASSERT_EQUAL(x->as_path_len, 3);
	CU_ASSERT_EQUAL(x->s.n_communities, 3);
	CU_ASSERT_EQUAL(x->s.n_large, 2);
	CU_ASSERT(bgp_attrs_has_community(x, 2) && !bgp_attrs_has_community(x, 4));
	CU_ASSERT_PTR_NOT_EQUAL(x->s.as_path, a.as_path);
	bgp_attrs_unref(t, x);
	bgp_attrs_unref(t, y);
	bgp_attrs_unref(t, NULL);
	CU_ASSERT_EQUAL(bgp_attr_table_count(t), 0);
	bgp_attr_table_free(t);
}

static void
test_each_field_makes_a_set_of_its_own(void)
{
	static const uint8_t other[] = { 0xe0, 99, 1, 5 };
	static const uint32_t word[] = { 5, 6, 7 };
	struct bgp_attr_spec specs[] = {
		{ .next_hop = 1 },
		{ .next_hop = 2 },
		{ .origin = 2, .next_hop = 1 },
		{ .next_hop = 1, .has_med = true },
		{ .next_hop = 1, .has_med = true, .med = 1 },
		{ .next_hop = 1, .has_local_pref = true },
		{ .next_hop = 1, .has_local_pref = true, .local_pref = 1 },
		{ .next_hop = 1, .atomic_aggregate = true },
		{ .next_hop = 1, .aggregator_as = 1 },
		{ .next_hop = 1, .aggregator_as = 1, .aggregator_addr = 1 },
		{ .next_hop = 1, .as_path = path_mixed, .as_path_octets = 10 },
		{ .next_hop = 1, .as_path = path_mixed, .as_path_octets = 20 },
		{ .next_hop = 1, .communities = word, .n_communities = 1 },
		{ .next_hop = 1,
		    .communities = word,
		    .n_communities = 1,
		    .partial = BGP_PARTIAL_COMMUNITIES },
		{ .next_hop = 1, .large = word, .n_large = 1 },
		{ .next_hop = 1, .other = other, .other_octets = 4 },
	};
	enum { N = sizeof(specs) / sizeof(specs[0]) };
	struct bgp_attrs *held[N];
	struct bgp_attr_table *t;

	CU_ASSERT_EQUAL_FATAL(bgp_attr_table_new(&t), FAB_OK);
	for (size_t i = 0; i < N; i++)
		held[i] = bgp_attrs_intern(t, &specs[i]);
	CU_ASSERT_EQUAL(bgp_attr_table_count(t), N);
	for (size_t i = 0; i < N; i++) {
		struct bgp_attrs *again = bgp_attrs_intern(t, &held[i]->s);

		CU_ASSERT_PTR_EQUAL(again, held[i]);
		bgp_attrs_unref(t, again);
		bgp_attrs_unref(t, held[i]);
	}
	CU_ASSERT_EQUAL(bgp_attr_table_count(t), 0);
	bgp_attr_table_free(t);
}

static void
test_the_table_grows(void)
{
	enum { N = 5000 };
	static struct bgp_attrs *held[N];
	struct bgp_attr_table *t;

	CU_ASSERT_EQUAL_FATAL(bgp_attr_table_new(&t), FAB_OK);
	for (uint32_t i = 0; i < N; i++)
		held[i] = bgp_attrs_intern(t, &(struct bgp_attr_spec){ .next_hop = i });
	CU_ASSERT_EQUAL(bgp_attr_table_count(t), N);
	for (uint32_t i = 0; i < N; i++) {
		struct bgp_attrs *a = bgp_attrs_intern(t, &(struct bgp_attr_spec){ .next_hop = i });

		CU_ASSERT_PTR_EQUAL(a, held[i]);
		bgp_attrs_unref(t, a);
	}
	for (uint32_t i = 0; i < N; i++)
		bgp_attrs_unref(t, held[i]);
	bgp_attr_table_free(t);
}

/* ---- AS paths ---- */

static void
test_path_validity(void)
{
	static const struct {
		const char *what;
		uint8_t path[16];
		size_t octets;
		bool valid;
	} cases[] = {
		{ "empty", { 0 }, 0, true },
		{ "one ASN", { SEQ, 1, 0, 0, 0, 1 }, 6, true },
		{ "set", { SET, 1, 0, 0, 0, 1 }, 6, true },
		{ "confederation", { 3, 1, 0, 0, 0, 1, 4, 1, 0, 0, 0, 1 }, 12, true },
		{ "type 0", { 0, 1, 0, 0, 0, 1 }, 6, false },
		{ "type 5", { 5, 1, 0, 0, 0, 1 }, 6, false },
		{ "no ASN in it", { SEQ, 0 }, 2, false },
		{ "cut short", { SEQ, 1, 0, 0, 0 }, 5, false },
		{ "one octet left over", { SEQ, 1, 0, 0, 0, 1, SEQ }, 7, false },
		{ "overrun", { SEQ, 2, 0, 0, 0, 1 }, 6, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(bgp_path_valid(cases[i].path, cases[i].octets), cases[i].valid);
}

/* RS-60, HRP-6: what the decision counts. */
static void
test_path_questions(void)
{
	uint32_t asns[3];

	CU_ASSERT_EQUAL(bgp_path_len(path_mixed, sizeof(path_mixed)), 3);
	CU_ASSERT_EQUAL(bgp_path_len(NULL, 0), 0);
	CU_ASSERT(bgp_path_has(path_mixed, sizeof(path_mixed), 65004));
	CU_ASSERT_FALSE(bgp_path_has(path_mixed, sizeof(path_mixed), 65005));
	CU_ASSERT_EQUAL(bgp_path_first(path_mixed, sizeof(path_mixed)), 65001);
	CU_ASSERT_EQUAL(bgp_path_first(path_mixed + 10, 10), 0);
	CU_ASSERT_EQUAL(bgp_path_first(NULL, 0), 0);
	CU_ASSERT_EQUAL(bgp_path_origin(path_mixed, 10), 65002);
	CU_ASSERT_EQUAL(bgp_path_origin(NULL, 0), 0);
	CU_ASSERT_EQUAL(bgp_path_flatten(path_mixed, sizeof(path_mixed), asns, 3), 4);
	CU_ASSERT(asns[0] == 65001 && asns[2] == 65003);
}

static void
test_path_format(void)
{
	static const uint8_t confed[] = { 3, 1, 0, 0, 0, 7, 4, 1, 0, 0, 0, 8 };
	char buf[64], small[8];

	CU_ASSERT_STRING_EQUAL(
	    bgp_path_format(buf, sizeof(buf), path_mixed, 20, ' '), "65001 65002 {65003,65004}");
	CU_ASSERT_STRING_EQUAL(
	    bgp_path_format(buf, sizeof(buf), path_mixed, 10, '-'), "65001-65002");
	CU_ASSERT_STRING_EQUAL(bgp_path_format(buf, sizeof(buf), confed, 12, ' '), "(7) [8]");
	CU_ASSERT_STRING_EQUAL(bgp_path_format(buf, sizeof(buf), NULL, 0, ' '), "");
	CU_ASSERT_STRING_EQUAL(
	    bgp_path_format(small, sizeof(small), path_mixed, 20, ' '), "65001 6");
}

static void
expect_path(const struct bgp_path_buf *b, const char *text)
{
	char buf[4096];

	CU_ASSERT(bgp_path_valid(b->data, b->octets));
	CU_ASSERT_STRING_EQUAL(bgp_path_format(buf, sizeof(buf), b->data, b->octets, ' '), text);
}

static bool
drop_equal(uint32_t asn, void *arg)
{
	return asn == *(uint32_t *)arg;
}

/* MR-3: as-override and delete-AS; ER private-AS stripping works the same way. */
static void
test_path_edits(void)
{
	struct bgp_path_buf b = { 0 };
	uint32_t asn = 65003;

	CU_ASSERT(bgp_path_prepend(&b, 1, 2));
	expect_path(&b, "1 1");
	CU_ASSERT(bgp_path_append(&b, 2));
	expect_path(&b, "1 1 2");
	bgp_path_replace(&b, 1, 9);
	expect_path(&b, "9 9 2");

	bgp_path_load(&b, path_mixed, sizeof(path_mixed));
	CU_ASSERT(bgp_path_append(&b, 7));
	expect_path(&b, "65001 65002 {65003,65004} 7");
	bgp_path_remove(&b, drop_equal, &asn);
	expect_path(&b, "65001 65002 {65004} 7");
	asn = 65004;
	bgp_path_remove(&b, drop_equal, &asn);
	expect_path(&b, "65001 65002 7");
	CU_ASSERT_EQUAL(b.octets, 16); /* two segments stay two */

	bgp_path_load(&b, path_mixed + 10, 10);
	CU_ASSERT(bgp_path_prepend(&b, 65515, 1));
	expect_path(&b, "65515 {65003,65004}");
}

static void
test_path_prepend_fills_segments_and_stops_at_the_limit(void)
{
	struct bgp_path_buf b = { 0 }, before;
	size_t n = 0;

	CU_ASSERT(bgp_path_prepend(&b, 5, 254));
	CU_ASSERT(bgp_path_prepend(&b, 6, 3));
	CU_ASSERT(bgp_path_valid(b.data, b.octets));
	CU_ASSERT_EQUAL(bgp_path_len(b.data, b.octets), 257);
	CU_ASSERT_EQUAL(b.data[1], 2);
	CU_ASSERT_EQUAL(bgp_path_first(b.data, b.octets), 6);
	while (bgp_path_prepend(&b, 7, 1))
		n++;
	CU_ASSERT(n > 700 && b.octets > BGP_AS_PATH_OCTETS_MAX - 6);
	before = b;
	CU_ASSERT_FALSE(bgp_path_prepend(&b, 7, 100));
	CU_ASSERT_FALSE(bgp_path_prepend(&b, 7, UINT32_MAX));
	CU_ASSERT_EQUAL(b.octets, before.octets);
	CU_ASSERT_EQUAL(memcmp(b.data, before.data, b.octets), 0);
	while (bgp_path_append(&b, 7))
		continue;
	CU_ASSERT(bgp_path_valid(b.data, b.octets));
	CU_ASSERT(b.octets <= BGP_AS_PATH_OCTETS_MAX);
}

/* A path as text: "1 2 {3,4}", sets of any size, ASNs decimal. */
static void
build(struct bgp_path_buf *b, const char *text)
{
	b->octets = 0;
	while (*text != '\0') {
		bool set = *text == '{';
		size_t seg = b->octets;
		char *end;

		if (!set) {
			bgp_path_append(b, (uint32_t)strtoul(text, &end, 10));
			text = *end == ' ' ? end + 1 : end;
			continue;
		}
		b->data[b->octets++] = SET;
		b->data[b->octets++] = 0;
		do {
			uint32_t asn = (uint32_t)strtoul(text + 1, &end, 10);

			b->data[b->octets++] = (uint8_t)(asn >> 24);
			b->data[b->octets++] = (uint8_t)(asn >> 16);
			b->data[b->octets++] = (uint8_t)(asn >> 8);
			b->data[b->octets++] = (uint8_t)asn;
			b->data[seg + 1]++;
			text = end;
		} while (*text == ',');
		text += text[1] == ' ' ? 2 : 1;
	}
}

/* RFC 6793 4.2.3 */
static void
test_as4_path_merge(void)
{
	static const struct {
		const char *as_path, *as4_path, *merged;
	} cases[] = {
		{ "100 23456 200", "70000 200", "100 70000 200" },
		{ "23456 23456", "70000 80000", "70000 80000" },
		{ "1 2 3 23456", "70000", "1 2 3 70000" },
		/* an old speaker shortened the path: AS4_PATH is stale */
		{ "1", "70000 80000", "1" },
		{ "1 23456", "", "1 23456" },
		/* a set counts as one */
		{ "1 {23456,2}", "{70000,2}", "1 {70000,2}" },
		{ "1 {2,3} 23456", "70000", "1 {2,3} 70000" },
		{ "{2,3} 23456 4", "70000 4", "{2,3} 70000 4" },
		{ "", "", "" },
	};
	struct bgp_path_buf path, as4;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build(&path, cases[i].as_path);
		build(&as4, cases[i].as4_path);
		bgp_path_merge_as4(&path, as4.data, as4.octets);
		expect_path(&path, cases[i].merged);
	}
}

static void
test_as4_path_merge_drops_confederations_and_keeps_the_limit(void)
{
	static const uint8_t confed[] = { 3, 1, 0, 0, 0, 7, SEQ, 1, 0, 1, 0x11, 0x70 };
	struct bgp_path_buf path, as4;

	build(&path, "1 23456");
	bgp_path_merge_as4(&path, confed, sizeof(confed));
	expect_path(&path, "1 70000");

	path.octets = 0;
	CU_ASSERT(bgp_path_prepend(&path, 5, 1000));
	as4.octets = 0;
	while ((size_t)as4.octets + 6 <= sizeof(as4.data)) {
		memcpy(as4.data + as4.octets, (const uint8_t[]){ SET, 1, 0, 0, 0, 9 }, 6);
		as4.octets += 6;
	}
	bgp_path_merge_as4(&path, as4.data, as4.octets);
	CU_ASSERT(bgp_path_valid(path.data, path.octets));
	CU_ASSERT_EQUAL(bgp_path_len(path.data, path.octets), 1000);
	CU_ASSERT_EQUAL(bgp_path_first(path.data, path.octets), 5);
}

static void
test_two_octet_paths(void)
{
	static const uint8_t path2[] = { SEQ, 2, 0xfd, 0xe9, 0x5b, 0xa0 };
	struct bgp_path_buf b;
	uint8_t out[32];

	CU_ASSERT(bgp_path2_valid(path2, 6));
	for (size_t n = 1; n < sizeof(path2); n++)
		CU_ASSERT_FALSE(bgp_path2_valid(path2, n));
	CU_ASSERT(bgp_path_from_as2(&b, path2, sizeof(path2)));
	expect_path(&b, "65001 23456");
	CU_ASSERT_FALSE(bgp_path_needs_as4(b.data, b.octets));
	CU_ASSERT_EQUAL(bgp_path_to_as2(out, b.data, b.octets), 6);
	CU_ASSERT_EQUAL(memcmp(out, path2, 6), 0);
	build(&b, "65001 70000");
	CU_ASSERT(bgp_path_needs_as4(b.data, b.octets));
	CU_ASSERT_EQUAL(bgp_path_to_as2(out, b.data, b.octets), 6);
	CU_ASSERT_EQUAL(memcmp(out, path2, 6), 0);
}

static void
test_asn_ranges(void)
{
	static const struct {
		uint32_t asn;
		bool is_private, is_reserved;
	} cases[] = {
		{ 0, false, true },
		{ 1, false, false },
		{ 23456, false, true },
		{ 64495, false, false },
		{ 64496, false, true },
		{ 64511, false, true },
		{ 64512, true, false },
		{ 65534, true, false },
		{ 65535, false, true },
		{ 65551, false, true },
		{ 65552, false, false },
		{ 4199999999u, false, false },
		{ 4200000000u, true, false },
		{ 4294967294u, true, false },
		{ 4294967295u, false, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL(bgp_asn_is_private(cases[i].asn), cases[i].is_private);
		CU_ASSERT_EQUAL(bgp_asn_is_reserved(cases[i].asn), cases[i].is_reserved);
	}
}

static void
test_communities_as_text(void)
{
	static const char *const bad[] = { "", ":", "1", "1:", ":1", "65536:1", "1:65536", "1:1 ",
		" 1:1", "01:1", "-1:1", "no_export", "1:2:3" };
	uint32_t c = 7;
	char buf[24];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(bgp_community_parse(&c, bad[i]), FAB_EINVAL);
	CU_ASSERT_EQUAL(c, 7);
	CU_ASSERT_EQUAL(bgp_community_parse(&c, "65517:65517"), FAB_OK);
	CU_ASSERT_EQUAL(c, BGP_COMMUNITY(65517, 65517));
	CU_ASSERT_STRING_EQUAL(bgp_community_format(buf, c), "65517:65517");
	CU_ASSERT_EQUAL(bgp_community_parse(&c, "no-advertise"), FAB_OK); /* RS-78 */
	CU_ASSERT_STRING_EQUAL(bgp_community_format(buf, c), "65535:65282");
	CU_ASSERT_EQUAL(bgp_community_parse(&c, "no-export"), FAB_OK); /* RS-79 */
	CU_ASSERT_STRING_EQUAL(bgp_community_format(buf, c), "65535:65281");
}

static CU_TestInfo tests[] = {
	{ "equal specs share one object", test_equal_specs_share_one_object },
	{ "each field makes a set of its own", test_each_field_makes_a_set_of_its_own },
	{ "the table grows", test_the_table_grows },
	{ "path validity (RFC 7606 7.2)", test_path_validity },
	{ "path length, first, origin, membership", test_path_questions },
	{ "paths as text", test_path_format },
	{ "prepend, append, replace, remove (MR-3)", test_path_edits },
	{ "prepend fills segments and stops at the limit",
	    test_path_prepend_fills_segments_and_stops_at_the_limit },
	{ "AS4_PATH merge (RFC 6793 4.2.3)", test_as4_path_merge },
	{ "AS4_PATH merge drops confederations, keeps the limit",
	    test_as4_path_merge_drops_confederations_and_keeps_the_limit },
	{ "two-octet paths", test_two_octet_paths },
	{ "private and reserved ASNs", test_asn_ranges },
	{ "communities as text (RS-78, RS-79)", test_communities_as_text },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("bgp_attr", tests)
