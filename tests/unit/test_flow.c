#include "lib/flow.h"
#include "tests/unit/fab_cunit.h"

static const struct fab_flow_end a = { 0x0a0b0004, 40000 }, b = { 0x0a0c0004, 443 };

static void
test_directions(void)
{
	CU_ASSERT_NOT_EQUAL(fab_flow_hash(a, b, 6), fab_flow_hash(b, a, 6));
	CU_ASSERT_EQUAL(fab_flow_pair(a, b, 6), fab_flow_pair(b, a, 6));
	CU_ASSERT_NOT_EQUAL(fab_flow_pair(a, b, 6), fab_flow_pair(a, b, 17));
}

/* Of 4,000 flows each of n gets its share, within a tenth; behind each router another choice. */
static void
test_spread(void)
{
	for (size_t n = 1; n <= 8; n++) {
		unsigned got[8][8] = { 0 };

		for (uint32_t i = 0; i < 4000; i++) {
			struct fab_flow_end src = { a.addr, (uint16_t)(i + 1024) };
			uint32_t hash = fab_flow_hash(src, b, 6);

			got[fab_flow_choose(fab_flow_behind(hash, 0), n)]
			   [fab_flow_choose(fab_flow_behind(hash, 1), n)]++;
		}
		for (size_t i = 0; i < n; i++) {
			unsigned first = 0, second = 0;

			for (size_t j = 0; j < n; j++) {
				first += got[i][j];
				second += got[j][i];
				CU_ASSERT(got[i][j] > 0);
			}
			CU_ASSERT(first * n > 3600 && first * n < 4400);
			CU_ASSERT(second * n > 3600 && second * n < 4400);
		}
	}
}

static CU_TestInfo tests[] = {
	{ "each direction has its hash, a pair has one (RS-60, SC-C)", test_directions },
	{ "every member gets its share, behind every router anew", test_spread },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("flow", tests)
