/*
 * Compiled tables: ranges, parents, duplicates, and the same answers as a plain list gives.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"
#include "vswitchd/vs_table.h"

#include <stdlib.h>

#define ROUTES_MAX 4000

struct routes {
	uint32_t addr[ROUTES_MAX];
	uint8_t len[ROUTES_MAX];
	uint32_t group[ROUTES_MAX];
	size_t n;
};

static void
put(struct routes *r, const char *text, uint32_t group)
{
	struct ipnet net = { 0, 0 };

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, text), FAB_OK);
	r->addr[r->n] = net.addr;
	r->len[r->n] = net.len;
	r->group[r->n++] = group;
}

static struct vs_table *
build(const struct routes *r)
{
	struct vs_table *t = NULL;

	CU_ASSERT_EQUAL_FATAL(vs_table_build(&t, r->addr, r->len, r->group, r->n), FAB_OK);
	return t;
}

static uint32_t
group_at(const struct vs_table *t, const char *text)
{
	uint32_t addr = 0, e;

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, text), FAB_OK);
	e = vs_table_find(t, addr);
	return e != VS_NO_ENTRY ? t->entries[e].group : 0;
}

static void
test_empty_table_is_one_hole(void)
{
	struct vs_table *t = NULL;

	CU_ASSERT_EQUAL_FATAL(vs_table_build(&t, NULL, NULL, NULL, 0), FAB_OK);
	CU_ASSERT_EQUAL(t->n_ranges, 1);
	CU_ASSERT_FALSE(t->has_default);
	CU_ASSERT_EQUAL(vs_table_find(t, 0), VS_NO_ENTRY);
	CU_ASSERT_EQUAL(vs_table_find(t, UINT32_MAX), VS_NO_ENTRY);
	vs_table_free(t);
	vs_table_free(NULL);
}

static void
test_both_ends_of_each_prefix(void)
{
	static const struct {
		const char *addr;
		uint32_t group; /* 0: a hole */
	} rows[] = {
		{ "0.0.0.0", 1 },
		{ "0.255.255.255", 1 },
		{ "1.0.0.0", 0 },
		{ "9.255.255.255", 0 },
		{ "10.0.0.0", 2 },
		{ "10.1.0.0", 3 },
		{ "10.1.1.255", 3 },
		{ "10.1.2.0", 4 },
		{ "10.1.2.3", 5 },
		{ "10.1.2.4", 4 },
		{ "10.1.2.255", 4 },
		{ "10.1.3.0", 3 },
		{ "10.1.255.255", 3 },
		{ "10.2.0.0", 2 },
		{ "10.255.255.255", 2 },
		{ "11.0.0.0", 0 },
		{ "255.255.255.253", 0 },
		{ "255.255.255.254", 6 },
		{ "255.255.255.255", 7 },
	};
	struct routes r = { .n = 0 };
	struct vs_table *t;

	put(&r, "255.255.255.255/32", 7);
	put(&r, "10.1.2.0/24", 4);
	put(&r, "0.0.0.0/8", 1);
	put(&r, "10.0.0.0/8", 2);
	put(&r, "255.255.255.254/31", 6);
	put(&r, "10.1.2.3/32", 5);
	put(&r, "10.1.0.0/16", 3);
	t = build(&r);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(group_at(t, rows[i].addr), rows[i].group);
	CU_ASSERT_FALSE(t->has_default);
	vs_table_free(t);
}

static void
test_parents_lead_to_the_default_route(void)
{
	static const uint8_t lens[] = { 32, 24, 16, 8, 0 };
	struct routes r = { .n = 0 };
	struct vs_table *t;
	uint32_t e;

	put(&r, "0.0.0.0/0", 1);
	put(&r, "10.0.0.0/8", 2);
	put(&r, "10.0.0.0/16", 3);
	put(&r, "10.0.0.0/24", 4);
	put(&r, "10.0.0.0/32", 5);
	t = build(&r);
	CU_ASSERT_TRUE(t->has_default);
	e = vs_table_find(t, 0x0a000000);
	for (size_t i = 0; i < sizeof(lens); i++) {
		CU_ASSERT_NOT_EQUAL_FATAL(e, VS_NO_ENTRY);
		CU_ASSERT_EQUAL(t->entries[e].len, lens[i]);
		e = t->entries[e].parent;
	}
	CU_ASSERT_EQUAL(e, VS_NO_ENTRY);
	vs_table_free(t);
}

static void
test_the_later_one_of_two_counts(void)
{
	struct routes r = { .n = 0 };
	struct vs_table *t;

	put(&r, "10.0.0.0/8", 1);
	put(&r, "10.0.0.0/8", 2);
	put(&r, "9.0.0.0/8", 3);
	put(&r, "10.0.0.0/8", 4);
	t = build(&r);
	CU_ASSERT_EQUAL(t->n_entries, 2);
	CU_ASSERT_EQUAL(group_at(t, "10.9.9.9"), 4);
	CU_ASSERT_EQUAL(group_at(t, "9.9.9.9"), 3);
	vs_table_free(t);
}

static void
test_malformed_prefixes_are_refused(void)
{
	static const struct {
		uint32_t addr;
		uint8_t len;
	} rows[] = { { 0x0a000001, 8 }, { 0x0a000000, 33 }, { 1, 0 }, { 0x0a000000, 255 } };
	static const uint32_t group = 1;
	struct vs_table *t = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(
		    vs_table_build(&t, &rows[i].addr, &rows[i].len, &group, 1), FAB_EINVAL);
	CU_ASSERT_PTR_NULL(t);
}

/* ---- against a plain list ---- */

/* Few bits vary, so that prefixes nest, touch and collide. */
static struct ipnet
random_net(unsigned *seed)
{
	uint8_t len = (uint8_t)(rand_r(seed) % 33);
	uint32_t addr = (uint32_t)(rand_r(seed) & 0xf) << 28 |
			(uint32_t)(rand_r(seed) & 0xff) << 16 | (uint32_t)(rand_r(seed) & 0x3);

	return (struct ipnet){ addr & ipnet_mask(len), len };
}

static void
random_routes(struct routes *r, size_t n, unsigned *seed)
{
	for (r->n = 0; r->n < n; r->n++) {
		struct ipnet net = random_net(seed);

		r->addr[r->n] = net.addr;
		r->len[r->n] = net.len;
		r->group[r->n] = (uint32_t)r->n + 1;
	}
}

/* The longest one that contains addr and is shorter than below; the later one of equals. */
static size_t
naive_find(const struct routes *r, uint32_t addr, unsigned below)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < r->n; i++)
		if (r->len[i] < below &&
		    ipnet_has_addr((struct ipnet){ r->addr[i], r->len[i] }, addr) &&
		    (best == SIZE_MAX || r->len[i] >= r->len[best]))
			best = i;
	return best;
}

static void
compare_chain(const struct vs_table *t, const struct routes *r, uint32_t addr)
{
	uint32_t e = vs_table_find(t, addr);
	unsigned below = 33;
	size_t want;

	while ((want = naive_find(r, addr, below)) != SIZE_MAX) {
		CU_ASSERT_NOT_EQUAL_FATAL(e, VS_NO_ENTRY);
		CU_ASSERT_EQUAL(t->entries[e].len, r->len[want]);
		CU_ASSERT_EQUAL(t->entries[e].group, r->group[want]);
		below = r->len[want];
		e = t->entries[e].parent;
	}
	CU_ASSERT_EQUAL(e, VS_NO_ENTRY);
}

static void
compare_edges(const struct vs_table *t, const struct routes *r, size_t i)
{
	uint32_t last = r->addr[i] | ~ipnet_mask(r->len[i]);

	compare_chain(t, r, r->addr[i]);
	compare_chain(t, r, r->addr[i] - 1);
	compare_chain(t, r, last);
	compare_chain(t, r, last + 1);
}

static void
test_same_answers_as_a_plain_list(void)
{
	static struct routes r;
	unsigned seed = fc_seed();

	for (unsigned round = 0; round < 60; round++) {
		struct vs_table *t;

		random_routes(
		    &r, (size_t)rand_r(&seed) % (round % 10 == 0 ? ROUTES_MAX : 200), &seed);
		t = build(&r);
		for (unsigned i = 0; i < 100; i++)
			compare_chain(t, &r, random_net(&seed).addr + (uint32_t)rand_r(&seed) % 3);
		for (unsigned i = 0; i < 100 && r.n > 0; i++)
			compare_edges(t, &r, (size_t)rand_r(&seed) % r.n);
		for (uint32_t i = 1; i < t->n_ranges; i++)
			CU_ASSERT_TRUE(t->ranges[i - 1].start < t->ranges[i].start);
		vs_table_free(t);
	}
}

static CU_TestInfo table_tests[] = {
	{ "an empty table is one hole", test_empty_table_is_one_hole },
	{ "both ends of each prefix", test_both_ends_of_each_prefix },
	{ "parents lead to the default route", test_parents_lead_to_the_default_route },
	{ "the later one of two counts", test_the_later_one_of_two_counts },
	{ "malformed prefixes are refused", test_malformed_prefixes_are_refused },
	{ "same answers as a plain list", test_same_answers_as_a_plain_list },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_table", table_tests)
