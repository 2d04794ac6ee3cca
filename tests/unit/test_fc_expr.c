/*
 * Conditions of `fabctl wait`: what parses to what, and one line for everything else.
 */
#include "fabricd/fc_expr.h"

#include "fab_cunit.h"
#include "lib/err.h"

#include <stdio.h>
#include <string.h>

static void
test_conditions_that_parse(void)
{
	static const struct {
		const char *text;
		struct fc_expr want;
	} rows[] = {
		{ "converged", { .kind = FC_EXPR_CONVERGED } },
		{ "  converged\n", { .kind = FC_EXPR_CONVERGED } },
		{ "settled", { .kind = FC_EXPR_SETTLED } },
		{ "effective vm11 0.0.0.0/0",
		    { .kind = FC_EXPR_EFFECTIVE, .a = "vm11", .prefix = { 0, 0 } } },
		{ "effective vm11 10.21.0.0/16 via 10.1.2.4", { .kind = FC_EXPR_EFFECTIVE,
								  .a = "vm11",
								  .prefix = { 0x0a150000, 16 },
								  .has_via = true,
								  .via = 0x0a010204 } },
		{ "no effective vm11 10.21.0.0/16 via 10.1.2.4", { .kind = FC_EXPR_EFFECTIVE,
								     .negate = true,
								     .a = "vm11",
								     .prefix = { 0x0a150000, 16 },
								     .has_via = true,
								     .via = 0x0a010204 } },
		{ "learned rs1 nva1 10.21.0.0/16", { .kind = FC_EXPR_LEARNED,
						       .a = "rs1",
						       .b = "nva1",
						       .prefix = { 0x0a150000, 16 } } },
		{ "advertised rs1 nva1 10.21.0.0/16", { .kind = FC_EXPR_ADVERTISED,
							  .a = "rs1",
							  .b = "nva1",
							  .prefix = { 0x0a150000, 16 } } },
		{ "knows dc1 10.11.0.0/16",
		    { .kind = FC_EXPR_KNOWS, .a = "dc1", .prefix = { 0x0a0b0000, 16 } } },
		{ "knows dc1 10.11.0.0/16 via circuit1-primary", { .kind = FC_EXPR_KNOWS,
								     .a = "dc1",
								     .prefix = { 0x0a0b0000, 16 },
								     .has_via = true,
								     .way = "circuit1-primary" } },
		{ "trace vm11 10.12.0.4 blackhole", { .kind = FC_EXPR_TRACE,
							.a = "vm11",
							.b = "10.12.0.4",
							.verdict = FC_BLACKHOLE } },
		{ "no trace vm11 vm12 delivered via nva1,nva3", { .kind = FC_EXPR_TRACE,
								    .negate = true,
								    .a = "vm11",
								    .b = "vm12",
								    .has_via = true,
								    .way = "nva1,nva3" } },
		{ "trace vm11 vm12 delivered via none",
		    { .kind = FC_EXPR_TRACE, .a = "vm11", .b = "vm12", .has_via = true } },
		{ "learned rs1 nva1 10.21.0.0/16 path 65001-65002 community 65517:65517",
		    { .kind = FC_EXPR_LEARNED,
			.a = "rs1",
			.b = "nva1",
			.prefix = { 0x0a150000, 16 },
			.path = "65001-65002",
			.has_community = true,
			.community = 0xffedffed } },
		{ "no knows dc1 10.11.0.0/16 path none via circuit1-primary",
		    { .kind = FC_EXPR_KNOWS,
			.negate = true,
			.a = "dc1",
			.prefix = { 0x0a0b0000, 16 },
			.has_via = true,
			.way = "circuit1-primary",
			.path = "none" } },
		{ "no loop", { .kind = FC_EXPR_LOOP, .negate = true } },
		{ "loop vm11 internet", { .kind = FC_EXPR_LOOP, .a = "vm11", .b = "internet" } },
		{ "symmetric vm11 dc1", { .kind = FC_EXPR_SYMMETRIC, .a = "vm11", .b = "dc1" } },
		{ "session rs1-0 nva1 up",
		    { .kind = FC_EXPR_SESSION, .a = "rs1-0", .b = "nva1", .up = true } },
		{ "session rs1 nva1 down", { .kind = FC_EXPR_SESSION, .a = "rs1", .b = "nva1" } },
		{ "no node nva1 up",
		    { .kind = FC_EXPR_NODE, .negate = true, .a = "nva1", .up = true } },
		{ "backend ilb1 fw1 up",
		    { .kind = FC_EXPR_BACKEND, .a = "ilb1", .b = "fw1", .up = true } },
		{ "node nva1 down", { .kind = FC_EXPR_NODE, .a = "nva1" } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct fc_expr *w = &rows[i].want;
		struct fc_expr e;
		char why[256] = "";

		CU_ASSERT_EQUAL(fc_expr_parse(&e, rows[i].text, why), FAB_OK);
		CU_ASSERT_STRING_EQUAL(why, "");
		CU_ASSERT_EQUAL(e.kind, w->kind);
		CU_ASSERT_EQUAL(e.negate, w->negate);
		CU_ASSERT_STRING_EQUAL(e.a, w->a);
		CU_ASSERT_STRING_EQUAL(e.b, w->b);
		CU_ASSERT_TRUE(ipnet_eq(e.prefix, w->prefix));
		CU_ASSERT_EQUAL(e.has_via, w->has_via);
		CU_ASSERT_EQUAL(e.via, w->via);
		CU_ASSERT_STRING_EQUAL(e.way, w->way);
		CU_ASSERT_EQUAL(e.verdict, w->verdict);
		CU_ASSERT_EQUAL(e.up, w->up);
		CU_ASSERT_STRING_EQUAL(e.path, w->path);
		CU_ASSERT_EQUAL(e.has_community, w->has_community);
		CU_ASSERT_EQUAL(e.community, w->community);
	}
}

static void
test_conditions_that_are_refused(void)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "unknown condition ''" },
		{ "no", "unknown condition ''" },
		{ "Converged", "unknown condition 'Converged'" },
		{ "converged now", "expected: converged" },
		{ "no converged", "'no converged' is not a condition" },
		{ "no settled", "'no settled' is not a condition" },
		{ "effective vm11", "expected: effective NIC PREFIX [via ADDR]" },
		{ "effective vm11 10.0.0.1/8", "'10.0.0.1/8' is not a prefix such as 10.1.0.0/16" },
		{ "effective vm11 10.0.0.0/8 via", "expected: effective NIC PREFIX [via ADDR]" },
		{ "effective vm11 10.0.0.0/8 to 10.1.2.4",
		    "expected: effective NIC PREFIX [via ADDR]" },
		{ "effective vm11 10.0.0.0/8 via nva1", "'nva1' is not an address" },
		{ "trace vm11 vm12", "expected: trace SRC DST delivered|loop|" },
		{ "trace vm11 vm12 lost",
		    "'lost' is neither delivered, loop, blackhole nor filtered" },
		{ "knows dc1 10.1.0.0/16 from x", "expected: knows ROUTER PREFIX [via NODE]" },
		{ "symmetric vm11 vm12 via none", "expected: symmetric A B" },
		{ "session rs1 nva1", "expected: session A B up|down" },
		{ "session rs1 nva1 open", "'open' is neither up nor down" },
		{ "node nva1 up down", "expected: node NAME up|down" },
		{ "effective vm11 10.0.0.0/8 path 65001",
		    "expected: effective NIC PREFIX [via ADDR]" },
		{ "learned rs1 nva1 10.0.0.0/8 via 10.1.2.4", "expected: learned RS PEER PREFIX" },
		{ "learned rs1 nva1 10.0.0.0/8 path", "expected: learned RS PEER PREFIX" },
		{ "knows dc1 10.0.0.0/8 path 65001,65002", "'65001,65002' is not a path such as" },
		{ "knows dc1 10.0.0.0/8 community x", "'x' is not a community such as" },
		{ "loop vm11", "expected: loop [A B]" },
		{ "a b c d e f g h i j k l m",
		    "a condition has at most 12 words of 127 characters" },
	};
	char longest[FC_EXPR_MAX + 1], why[256];
	struct fc_expr e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(fc_expr_parse(&e, rows[i].text, why), FAB_EINVAL);
		if (strncmp(why, rows[i].why, strlen(rows[i].why)) != 0)
			printf("'%s': %s\n", rows[i].text, why);
		CU_ASSERT_EQUAL(strncmp(why, rows[i].why, strlen(rows[i].why)), 0);
	}
	memset(longest, 'x', FC_EXPR_MAX);
	longest[FC_EXPR_MAX] = '\0';
	CU_ASSERT_EQUAL(fc_expr_parse(&e, longest, why), FAB_EINVAL);
	CU_ASSERT_STRING_EQUAL(why, "condition longer than 511 characters");
	longest[FC_EXPR_WORD] = '\0';
	CU_ASSERT_EQUAL(fc_expr_parse(&e, longest, why), FAB_EINVAL);
}

static CU_TestInfo tests[] = {
	{ "conditions that parse", test_conditions_that_parse },
	{ "conditions that are refused", test_conditions_that_are_refused },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_expr", tests)
