#include "lib/bgp_decide.h"
#include "tests/unit/fab_cunit.h"

/* Candidates are equal (all zero) in everything but what a row says. */
static const struct row {
	const char *what;
	struct bgp_candidate c[3];
	size_t n, winner;
	unsigned step;
	bool stable;
} rows[] = {
	{ "alone", { { .med = 1 } }, 1, 0, 0, false },
	{ "1. weight beats all else", { { .local = true }, { .weight = 1, .path_len = 9 } }, 2, 1,
	    1, false },
	{ "2. own origination beats LOCAL_PREF", { { .local_pref = 200 }, { .local = true } }, 2, 1,
	    2, false },
	{ "3. LOCAL_PREF beats the path", { { 0 }, { .local_pref = 1, .path_len = 9 } }, 2, 1, 3,
	    false },
	{ "4. shortest path", { { .path_len = 3 }, { .path_len = 2, .origin = 2 } }, 2, 1, 4,
	    false },
	{ "5. lowest origin", { { .origin = 2 }, { .origin = 1 }, { .origin = 0, .med = 9 } }, 3, 2,
	    5, false },
	{ "6. MED of the same neighbour", { { .med = 5 }, { .med = 4, .ibgp = true } }, 2, 1, 6,
	    false },
	{ "6. MED of different neighbours does not count",
	    { { .med = 5, .router_id = 1 }, { .med = 4, .neighbor_as = 7, .router_id = 2 } }, 2, 0,
	    9, false },
	/* Comparing pairs would give a result that depends on the order here. */
	{ "6. MED drops the second, then the identifier decides",
	    { { .med = 5, .router_id = 2 }, { .med = 9, .router_id = 1 },
		{ .neighbor_as = 7, .router_id = 3 } },
	    3, 0, 9, false },
	{ "7. eBGP over iBGP", { { .ibgp = true }, { .router_id = 2 } }, 2, 1, 7, false },
	{ "8. RFC 5004: the present winner stays", { { 0 }, { .current = true, .router_id = 1 } },
	    2, 1, 8, true },
	{ "8. not unless asked for", { { 0 }, { .current = true, .router_id = 1 } }, 2, 0, 9,
	    false },
	{ "8. not for iBGP",
	    { { .ibgp = true }, { .ibgp = true, .current = true, .router_id = 1 } }, 2, 0, 9,
	    true },
	{ "8. not against a better one", { { 0 }, { .current = true, .path_len = 1 } }, 2, 0, 4,
	    true },
	{ "9. lowest BGP Identifier", { { .router_id = 11 }, { .router_id = 10, .peer_addr = 9 } },
	    2, 1, 9, false },
	{ "10. lowest peer address",
	    { { .peer_addr = 21 }, { .peer_addr = 19 }, { .peer_addr = 20 } }, 3, 1, 10, false },
};

static void
test_each_step_decides(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		unsigned step = 99;
		size_t winner = bgp_decide(row->c, row->n, row->stable, &step);

		if (winner != row->winner || step != row->step)
			printf("\n%s: winner %zu, step %u", row->what, winner, step);
		CU_ASSERT_EQUAL(winner, row->winner);
		CU_ASSERT_EQUAL(step, row->step);
	}
}

static void
test_order_of_candidates_does_not_matter(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];
		struct bgp_candidate turned[3];

		for (size_t shift = 1; shift < row->n; shift++) {
			for (size_t k = 0; k < row->n; k++)
				turned[(k + shift) % row->n] = row->c[k];
			CU_ASSERT_EQUAL(bgp_decide(turned, row->n, row->stable, NULL),
			    (row->winner + shift) % row->n);
		}
	}
}

static CU_TestInfo tests[] = {
	{ "RFC 4271 9.1.2.2, RFC 5004: each step decides", test_each_step_decides },
	{ "the order of candidates does not matter", test_order_of_candidates_does_not_matter },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("bgp_decide", tests)
