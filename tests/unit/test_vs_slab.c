/*
 * Slices: none overlaps another one, none is given out again too early, none is lost.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"
#include "vswitchd/vs_slab.h"

#include <stdbool.h>
#include <string.h>

enum { ROOM = 5000, SLICES = 200 };

struct held {
	struct vs_slice *s;
	uint32_t n;
};

static void
test_sizes(void)
{
	uint32_t before = 0;

	for (uint32_t n = 1; n < 200000; n++) {
		uint32_t size = vs_slab_size(n);

		CU_ASSERT_TRUE_FATAL(size >= n && size >= before && size <= n + n / 4);
		CU_ASSERT_EQUAL_FATAL(vs_slab_size(size), size); /* a class is its own size */
		before = size;
	}
	CU_ASSERT_TRUE(vs_slab_size(1u << 27) == 1u << 27);
}

/* Writes one into each of its cells; all must have been zero. */
static bool
paint(uint8_t *cells, const struct held *h, uint8_t from, uint8_t to)
{
	for (uint32_t i = h->s->at; i < h->s->at + h->n; i++) {
		if (i == 0 || i >= ROOM || cells[i] != from)
			return false;
		cells[i] = to;
	}
	return true;
}

static void
test_slices_are_apart(void)
{
	static uint8_t cells[ROOM];
	struct held held[SLICES] = { 0 };
	unsigned seed = fc_seed();
	struct vs_slab slab;

	memset(cells, 0, sizeof(cells));
	vs_slab_init(&slab, ROOM);
	for (int i = 0; i < 20000; i++) {
		struct held *h = &held[(uint32_t)rand_r(&seed) % SLICES];

		if (h->s != NULL) {
			CU_ASSERT_TRUE_FATAL(paint(cells, h, 1, 0));
			vs_slab_put(&slab, h->s);
			h->s = NULL;
			continue;
		}
		h->n = 1 + (uint32_t)rand_r(&seed) % 60;
		if (vs_slab_get(&slab, &h->s, h->n) != FAB_OK)
			h->s = NULL; /* full */
		else
			CU_ASSERT_TRUE_FATAL(paint(cells, h, 0, 1));
	}
	for (size_t i = 0; i < SLICES; i++)
		vs_slab_put(&slab, held[i].s);
	vs_slab_fini(&slab);
}

static void
test_freed_slices_rest(void)
{
	struct vs_slice *a, *b, *c;
	struct vs_slab slab;
	uint32_t at;

	vs_slab_init(&slab, 25); /* two of 12 */
	CU_ASSERT_EQUAL_FATAL(vs_slab_get(&slab, &a, 12), FAB_OK);
	at = a->at;
	vs_slab_put(&slab, a);
	CU_ASSERT_EQUAL_FATAL(vs_slab_get(&slab, &b, 12), FAB_OK);
	CU_ASSERT_NOT_EQUAL(b->at, at);
	/* No room left: packets are waited for, where the kernel lets us. */
	if (vs_slab_grace() == FAB_OK) {
		CU_ASSERT_EQUAL_FATAL(vs_slab_get(&slab, &c, 12), FAB_OK);
		CU_ASSERT_EQUAL(c->at, at);
		vs_slab_put(&slab, c);
	}
	CU_ASSERT_EQUAL(vs_slab_get(&slab, &c, 13), FAB_ETOOBIG);
	vs_slab_put(&slab, b);
	vs_slab_put(&slab, NULL);
	vs_slab_fini(&slab);
}

static void
test_larger_than_the_room(void)
{
	struct vs_slice *s;
	struct vs_slab slab;

	vs_slab_init(&slab, 10);
	CU_ASSERT_EQUAL(vs_slab_get(&slab, &s, 10), FAB_ETOOBIG); /* cell 0 is nobody's */
	CU_ASSERT_EQUAL(vs_slab_get(&slab, &s, UINT32_MAX / 2), FAB_ETOOBIG);
	CU_ASSERT_EQUAL_FATAL(vs_slab_get(&slab, &s, 8), FAB_OK);
	vs_slab_put(&slab, s);
	vs_slab_fini(&slab);
}

static CU_TestInfo slab_tests[] = {
	{ "sizes", test_sizes },
	{ "slices are apart", test_slices_are_apart },
	{ "freed slices rest", test_freed_slices_rest },
	{ "larger than the room", test_larger_than_the_room },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_slab", slab_tests)
