/*
 * The prefix trie against a plain list: exact look-up, longest match, everything that contains or
 * lies inside a prefix, order of the walk, after random additions and removals.
 */
#include "fabricd/fc_lpm.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ipnet
net(const char *text)
{
	struct ipnet n = { 0, 0 };

	CU_ASSERT_FATAL(ipnet_parse(&n, text) == FAB_OK);
	return n;
}

static void
put(struct fc_lpm *t, const char *text, uint32_t value)
{
	uint32_t *slot = fc_lpm_add(t, net(text));

	CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
	*slot = value;
}

static void
test_empty_set_answers_nothing(void)
{
	struct fc_lpm t;
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit, hits[FC_LPM_DEPTH];

	fc_lpm_init(&t);
	CU_ASSERT_EQUAL(fc_lpm_get(&t, net("0.0.0.0/0")), FC_LPM_NONE);
	CU_ASSERT_EQUAL(fc_lpm_del(&t, net("0.0.0.0/0")), FC_LPM_NONE);
	CU_ASSERT_EQUAL(fc_lpm_match(&t, net("10.0.0.0/8"), hits), 0);
	CU_ASSERT_FALSE(fc_lpm_longest(&t, 0x0a000001, FC_LPM_DEPTH, &hit));
	fc_lpm_walk(&it, &t, net("0.0.0.0/0"));
	CU_ASSERT_FALSE(fc_lpm_next(&it, &hit));
	fc_lpm_fini(&t);
}

static void
test_longest_match_stops_below_a_length(void)
{
	static const struct {
		const char *addr;
		unsigned below;
		const char *want; /* NULL: nothing */
	} rows[] = {
		{ "10.1.2.3", 33, "10.1.2.3/32" },
		{ "10.1.2.3", 32, "10.1.2.0/24" },
		{ "10.1.2.3", 24, "10.0.0.0/8" },
		{ "10.1.2.3", 8, "0.0.0.0/0" },
		{ "10.1.2.3", 0, NULL },
		{ "10.1.2.4", 33, "10.1.2.0/24" },
		{ "10.1.3.0", 33, "10.0.0.0/8" },
		{ "11.0.0.0", 33, "0.0.0.0/0" },
		{ "255.255.255.255", 33, "255.255.255.255/32" },
	};
	struct fc_lpm t;

	fc_lpm_init(&t);
	put(&t, "10.1.2.3/32", 1);
	put(&t, "0.0.0.0/0", 2);
	put(&t, "10.1.2.0/24", 3);
	put(&t, "10.0.0.0/8", 4);
	put(&t, "255.255.255.255/32", 5);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fc_lpm_hit hit;
		uint32_t addr;
		bool found;

		CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, rows[i].addr), FAB_OK);
		found = fc_lpm_longest(&t, addr, rows[i].below, &hit);
		CU_ASSERT_EQUAL(found, rows[i].want != NULL);
		if (found && rows[i].want != NULL)
			CU_ASSERT_TRUE(ipnet_eq(hit.net, net(rows[i].want)));
	}
	fc_lpm_fini(&t);
}

static void
test_removal_returns_the_nodes(void)
{
	struct fc_lpm t;
	size_t before;

	fc_lpm_init(&t);
	CU_ASSERT_EQUAL(fc_lpm_reserve(&t, 1000), FAB_OK);
	before = fc_lpm_memory(&t);
	for (unsigned round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < 1000; i++)
			*fc_lpm_add(&t, (struct ipnet){ i * 7919 << 8, 24 }) = i;
		CU_ASSERT_EQUAL(t.count, 1000);
		for (uint32_t i = 0; i < 1000; i++)
			CU_ASSERT_EQUAL(fc_lpm_del(&t, (struct ipnet){ i * 7919 << 8, 24 }), i);
		CU_ASSERT_EQUAL(t.count, 0);
		CU_ASSERT_EQUAL(t.root, 0);
	}
	CU_ASSERT_EQUAL(fc_lpm_memory(&t), before);
	fc_lpm_fini(&t);
}

/* ---- against a plain list ---- */

#define NAIVE_MAX 400

struct naive {
	struct fc_lpm_hit v[NAIVE_MAX];
	size_t n;
};

static int
hit_cmp(const void *a, const void *b)
{
	return ipnet_cmp(
	    &((const struct fc_lpm_hit *)a)->net, &((const struct fc_lpm_hit *)b)->net);
}

static struct fc_lpm_hit *
naive_find(struct naive *s, struct ipnet n)
{
	for (size_t i = 0; i < s->n; i++)
		if (ipnet_eq(s->v[i].net, n))
			return &s->v[i];
	return NULL;
}

/* Few bits vary, so that prefixes nest and collide. */
static struct ipnet
random_net(unsigned *seed)
{
	uint8_t len = (uint8_t)(rand_r(seed) % 33);
	uint32_t addr = (uint32_t)(rand_r(seed) & 0x0f) << 28 |
			(uint32_t)(rand_r(seed) & 0x7) << 20 | (uint32_t)(rand_r(seed) & 0x3);

	return (struct ipnet){ addr & ipnet_mask(len), len };
}

static void
change(struct fc_lpm *t, struct naive *s, unsigned *seed)
{
	struct ipnet n = random_net(seed);
	struct fc_lpm_hit *known = naive_find(s, n);

	if (rand_r(seed) % 5 < 3 && (known != NULL || s->n < NAIVE_MAX)) {
		uint32_t *slot = fc_lpm_add(t, n), value = (uint32_t)rand_r(seed);

		CU_ASSERT_EQUAL(*slot, known != NULL ? known->value : FC_LPM_NONE);
		if (known == NULL)
			known = &s->v[s->n++];
		*slot = value;
		*known = (struct fc_lpm_hit){ n, value };
	} else {
		CU_ASSERT_EQUAL(fc_lpm_del(t, n), known != NULL ? known->value : FC_LPM_NONE);
		if (known != NULL)
			*known = s->v[--s->n];
	}
}

static void
compare_walk(const struct fc_lpm *t, struct naive *s, struct ipnet inside)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	qsort(s->v, s->n, sizeof(s->v[0]), hit_cmp);
	fc_lpm_walk(&it, t, inside);
	for (size_t i = 0; i < s->n; i++) {
		if (!ipnet_contains(inside, s->v[i].net))
			continue;
		CU_ASSERT_TRUE_FATAL(fc_lpm_next(&it, &hit));
		CU_ASSERT_TRUE(ipnet_eq(hit.net, s->v[i].net) && hit.value == s->v[i].value);
	}
	CU_ASSERT_FALSE(fc_lpm_next(&it, &hit));
}

static void
compare_match(const struct fc_lpm *t, struct naive *s, struct ipnet inner, unsigned below)
{
	struct fc_lpm_hit hits[FC_LPM_DEPTH], hit;
	size_t n = 0, got = fc_lpm_match(t, inner, hits);
	const struct fc_lpm_hit *best = NULL;

	for (size_t i = 0; i < s->n; i++) { /* in order, so shorter ones come first */
		if (!ipnet_contains(s->v[i].net, inner))
			continue;
		CU_ASSERT_TRUE(n < got && ipnet_eq(hits[n].net, s->v[i].net));
		n++;
		if (s->v[i].net.len < below)
			best = &s->v[i];
	}
	CU_ASSERT_EQUAL(n, got);
	if (inner.len == 32) {
		CU_ASSERT_EQUAL(fc_lpm_longest(t, inner.addr, below, &hit), best != NULL);
		if (best != NULL)
			CU_ASSERT_EQUAL(hit.value, best->value);
	}
}

static void
test_same_answers_as_a_plain_list(void)
{
	unsigned seed = fc_seed();
	struct naive s = { .n = 0 };
	struct fc_lpm t;

	fc_lpm_init(&t);
	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 40; i++)
			change(&t, &s, &seed);
		CU_ASSERT_EQUAL(t.count, s.n);
		compare_walk(&t, &s, random_net(&seed));
		for (unsigned i = 0; i < 40; i++) {
			struct ipnet n = random_net(&seed);

			compare_match(&t, &s, n, (unsigned)rand_r(&seed) % 34);
			compare_match(&t, &s, (struct ipnet){ n.addr, 32 }, FC_LPM_DEPTH);
		}
	}
	fc_lpm_fini(&t);
}

static CU_TestInfo lpm_tests[] = {
	{ "empty set answers nothing", test_empty_set_answers_nothing },
	{ "longest match stops below a length", test_longest_match_stops_below_a_length },
	{ "removal returns the nodes", test_removal_returns_the_nodes },
	{ "same answers as a plain list", test_same_answers_as_a_plain_list },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_lpm", lpm_tests)
