#include "lib/err.h"
#include "lib/rib.h"
#include "tests/unit/fab_cunit.h"

static struct ipnet
net(unsigned i)
{
	return (struct ipnet){ 0x0a000000u + (i << 8), 24 };
}

static void
test_prefixes_are_found_until_released(void)
{
	struct rib *rib;
	struct ipnet same_addr = { 0x0a000000, 8 };

	CU_ASSERT_EQUAL_FATAL(rib_new(&rib), FAB_OK);
	for (unsigned i = 0; i < 10000; i++)
		CU_ASSERT_PTR_NOT_NULL_FATAL(rib_prefix_add(rib, net(i)));
	CU_ASSERT_EQUAL(rib_count(rib), 10000);
	CU_ASSERT_PTR_EQUAL(rib_prefix_add(rib, net(77)), rib_prefix_find(rib, net(77)));
	CU_ASSERT_PTR_NULL(rib_prefix_find(rib, same_addr));
	for (unsigned i = 0; i < 10000; i += 2)
		rib_prefix_release(rib, rib_prefix_find(rib, net(i)));
	CU_ASSERT_EQUAL(rib_count(rib), 5000);
	for (unsigned i = 0; i < 10000; i++)
		CU_ASSERT_EQUAL(rib_prefix_find(rib, net(i)) != NULL, i % 2 == 1);
	rib_free(rib);
}

static void
test_paths_keep_order_of_arrival(void)
{
	struct rib *rib;
	struct rib_prefix *p;
	int a, b, c;

	CU_ASSERT_EQUAL_FATAL(rib_new(&rib), FAB_OK);
	p = rib_prefix_add(rib, net(1));
	rib_path_add(rib, p, 30)->route = &a;
	rib_path_add(rib, p, 10)->route = &b;
	rib_path_add(rib, p, 20)->route = &c;
	CU_ASSERT_EQUAL(p->paths->from, 30);
	CU_ASSERT_EQUAL(p->paths->next->next->from, 20);
	CU_ASSERT_PTR_EQUAL(rib_path_remove(rib, p, 10), &b);
	CU_ASSERT_PTR_NULL(rib_path_find(p, 10));
	CU_ASSERT_PTR_EQUAL(p->paths->next->route, &c);
	CU_ASSERT_PTR_EQUAL(rib_path_remove(rib, p, 30), &a);
	rib_prefix_release(rib, p); /* still holds a path: stays */
	CU_ASSERT_EQUAL(rib_count(rib), 1);
	rib_path_remove(rib, p, 20);
	rib_prefix_release(rib, p);
	CU_ASSERT_EQUAL(rib_count(rib), 0);
	rib_free(rib);
}

static void
test_outs_are_per_group(void)
{
	struct rib *rib;
	struct rib_prefix *p;
	int a, b;

	CU_ASSERT_EQUAL_FATAL(rib_new(&rib), FAB_OK);
	p = rib_prefix_add(rib, net(1));
	rib_out_add(rib, p, 0)->attrs = &a;
	rib_out_add(rib, p, 7)->attrs = &b;
	CU_ASSERT_PTR_EQUAL(rib_out_find(p, 0)->attrs, &a);
	CU_ASSERT_PTR_NULL(rib_out_find(p, 1));
	CU_ASSERT_PTR_EQUAL(rib_out_remove(rib, p, 0), &a);
	rib_prefix_release(rib, p);
	CU_ASSERT_EQUAL(rib_count(rib), 1);
	CU_ASSERT_PTR_EQUAL(rib_out_remove(rib, p, 7), &b);
	rib_prefix_release(rib, p);
	CU_ASSERT_EQUAL(rib_count(rib), 0);
	rib_free(rib);
}

static void
test_dirty_list_has_each_prefix_once(void)
{
	struct rib *rib;
	struct rib_prefix *a, *b;

	CU_ASSERT_EQUAL_FATAL(rib_new(&rib), FAB_OK);
	a = rib_prefix_add(rib, net(1));
	b = rib_prefix_add(rib, net(2));
	rib_dirty_add(rib, a);
	rib_dirty_add(rib, b);
	rib_dirty_add(rib, a);
	rib_dirty_add(rib, b);
	rib_prefix_release(rib, a); /* dirty: stays */
	CU_ASSERT_EQUAL(rib_count(rib), 2);
	CU_ASSERT_PTR_EQUAL(rib_dirty_take(rib), a);
	rib_dirty_add(rib, a); /* again, behind b */
	CU_ASSERT_PTR_EQUAL(rib_dirty_take(rib), b);
	CU_ASSERT_PTR_EQUAL(rib_dirty_take(rib), a);
	CU_ASSERT_PTR_NULL(rib_dirty_take(rib));
	rib_dirty_add(rib, b);
	CU_ASSERT_PTR_EQUAL(rib_dirty_take(rib), b);
	rib_free(rib);
}

static void
test_walk_survives_changes(void)
{
	struct rib *rib;
	struct rib_prefix *p;
	size_t cursor = 0, seen = 0;

	CU_ASSERT_EQUAL_FATAL(rib_new(&rib), FAB_OK);
	for (unsigned i = 0; i < 1000; i++)
		rib_prefix_add(rib, net(i));
	while ((p = rib_next(rib, &cursor)) != NULL) {
		struct rib_prefix *other = rib_prefix_find(rib, net(999 - (unsigned)seen));

		/* Remove the one just seen and one elsewhere, and add a new one. */
		if (other != NULL && other != p)
			rib_prefix_release(rib, other);
		rib_prefix_release(rib, p);
		rib_prefix_add(rib, net(5000 + (unsigned)seen));
		seen++;
		CU_ASSERT_FATAL(seen < 5000);
	}
	CU_ASSERT(seen >= 500);
	for (unsigned i = 0; i < 1000; i++)
		CU_ASSERT_PTR_NULL(rib_prefix_find(rib, net(i)));
	rib_free(rib);
}

static CU_TestInfo tests[] = {
	{ "prefixes are found until released", test_prefixes_are_found_until_released },
	{ "paths keep their order of arrival", test_paths_keep_order_of_arrival },
	{ "Adj-RIB-Out is per group", test_outs_are_per_group },
	{ "the dirty list holds each prefix once", test_dirty_list_has_each_prefix_once },
	{ "a walk survives changes", test_walk_survives_changes },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("rib", tests)
