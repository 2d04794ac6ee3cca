/*
 * Chaos: which faults, in which order, and by which names.
 */
#include "fabctl/ch_plan.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"

#include <stdlib.h>
#include <string.h>

static const struct ch_element elements[] = {
	{ false, "fabricd", "" },
	{ false, "nva1", "" },
	{ false, "rs1-0", "" },
	{ true, "nva1", "rs1-0" },
	{ true, "nva1", "" },
	{ true, "vm11", "" },
};
#define N_ELEMENTS (sizeof(elements) / sizeof(elements[0]))

static struct ch_plan
plan(struct ch_filter filter)
{
	struct ch_plan p = { .n = 0 };
	char missing[CH_NAME_MAX];

	CU_ASSERT_EQUAL_FATAL(ch_plan_make(&p, elements, N_ELEMENTS, &filter, missing), FAB_OK);
	return p;
}

#define ALL                                                                                        \
	{                                                                                          \
		true, true, true                                                                   \
	}

/* Names of all cells, one a line. Static storage. */
static const char *
names(const struct ch_plan *p)
{
	static char text[65536];
	char name[CH_CELL_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < p->n; i++) {
		ch_cell_name(name, &p->cells[i]);
		strcat(text, name);
		strcat(text, "\n");
	}
	return text;
}

static void
test_every_fault_of_every_element(void)
{
	struct ch_plan p = plan((struct ch_filter){ .faults = ALL });

	CU_ASSERT_STRING_EQUAL(names(&p),
	    "kill fabricd\nkill nva1\nkill rs1-0\npause fabricd\npause nva1\npause rs1-0\n"
	    "cut nva1 rs1-0\ncut nva1\ncut vm11\n");
	ch_plan_fini(&p);
	p = plan((struct ch_filter){ .faults = { false, true, false }, .only = "rs1-0,vm11" });
	CU_ASSERT_STRING_EQUAL(names(&p), "pause rs1-0\n");
	ch_plan_fini(&p);
	p = plan((struct ch_filter){ .faults = ALL, .only = "rs1-0", .limit = 2 });
	CU_ASSERT_STRING_EQUAL(names(&p), "kill rs1-0\npause rs1-0\n");
	ch_plan_fini(&p);
}

/* Not one element twice; a NIC and the process behind it are two. */
static void
test_pairs(void)
{
	struct ch_plan p = plan((struct ch_filter){ .faults = ALL, .pairs = true, .only = "nva1" });

	CU_ASSERT_STRING_EQUAL(names(&p), "kill nva1\npause nva1\ncut nva1 rs1-0\ncut nva1\n"
					  "kill nva1 + cut nva1 rs1-0\nkill nva1 + cut nva1\n"
					  "pause nva1 + cut nva1 rs1-0\npause nva1 + cut nva1\n"
					  "cut nva1 rs1-0 + cut nva1\n");
	ch_plan_fini(&p);
	p = plan((struct ch_filter){ .faults = ALL, .pairs = true, .only = "fabricd,vm11" });
	CU_ASSERT_STRING_EQUAL(names(&p), "kill fabricd\npause fabricd\ncut vm11\n");
	ch_plan_fini(&p);
}

static void
test_order_is_that_of_the_seed(void)
{
	const struct ch_filter filter = { .faults = ALL, .pairs = true, .seed = 7 };
	struct ch_plan a = plan(filter), b = plan(filter), sorted, other;
	struct ch_filter next = filter, none = filter;
	char first[65536];

	next.seed = 8;
	none.seed = 0;
	other = plan(next);
	sorted = plan(none);
	snprintf(first, sizeof(first), "%s", names(&a));
	CU_ASSERT_STRING_EQUAL(first, names(&b));
	CU_ASSERT_STRING_NOT_EQUAL(first, names(&other));
	CU_ASSERT_STRING_NOT_EQUAL(first, names(&sorted));
	CU_ASSERT_EQUAL(a.n, sorted.n);
	for (size_t i = 0; i < sorted.n; i++) { /* the same cells */
		char name[CH_CELL_MAX + 1];

		ch_cell_name(name, &sorted.cells[i]);
		strcat(name, "\n");
		CU_ASSERT_PTR_NOT_NULL(strstr(first, name));
	}
	ch_plan_fini(&a);
	ch_plan_fini(&b);
	ch_plan_fini(&other);
	ch_plan_fini(&sorted);
}

static void
test_names_that_are_not_there(void)
{
	const struct ch_filter filter = { .faults = ALL, .only = "nva1,nva" };
	char missing[CH_NAME_MAX];
	struct ch_plan p;

	CU_ASSERT_EQUAL(ch_plan_make(&p, elements, N_ELEMENTS, &filter, missing), FAB_ENOENT);
	CU_ASSERT_STRING_EQUAL(missing, "nva");
}

static void
test_names_lead_back(void)
{
	static const char *const good[] = { "kill nva1", "pause rs1-0", "cut nva1", "cut a b",
		"kill nva1 + cut nva2 rs1-0", "cut a b + cut c" };
	static const char *const bad[] = { "", "kill", "kill ", "kill a b", "flood a", "cut a b c",
		"kill a +", "kill a + ", "kill a + pause b + cut c", " kill a", "kill a  b" };
	char name[CH_CELL_MAX];
	struct ch_cell c;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(ch_cell_parse(&c, good[i]), FAB_OK);
		ch_cell_name(name, &c);
		CU_ASSERT_STRING_EQUAL(name, good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(ch_cell_parse(&c, bad[i]), FAB_EINVAL);
}

static void
test_lists_of_faults(void)
{
	bool set[CH_FAULT_COUNT] = { true, true, true };

	CU_ASSERT_EQUAL(ch_faults_parse(set, "cut,kill"), FAB_OK);
	CU_ASSERT_TRUE(set[CH_KILL] && !set[CH_PAUSE] && set[CH_CUT]);
	CU_ASSERT_EQUAL(ch_faults_parse(set, ""), FAB_EINVAL);
	CU_ASSERT_EQUAL(ch_faults_parse(set, "kill,"), FAB_EINVAL);
	CU_ASSERT_EQUAL(ch_faults_parse(set, "kil"), FAB_EINVAL);
	CU_ASSERT_TRUE(set[CH_KILL]);
}

static void
expect_words(const char *cell, bool repair, const char *expected)
{
	const char *words[CH_WORDS_MAX];
	char text[256] = "";
	struct ch_cell c;

	CU_ASSERT_EQUAL_FATAL(ch_cell_parse(&c, cell), FAB_OK);
	ch_step_words(words, &c.step[0], repair);
	for (size_t i = 0; words[i] != NULL; i++) {
		strcat(text, i > 0 ? " " : "");
		strcat(text, words[i]);
	}
	CU_ASSERT_STRING_EQUAL(text, expected);
}

static void
test_steps_are_command_lines(void)
{
	expect_words("kill nva1", false, "kill nva1");
	expect_words("kill nva1", true, "start nva1");
	expect_words("pause nva1", true, "resume nva1");
	expect_words("cut nva1 rs1-0", false, "link cut nva1 rs1-0");
	expect_words("cut nva1", true, "link restore nva1");
}

static CU_TestInfo tests[] = {
	{ "every fault of every element", test_every_fault_of_every_element },
	{ "pairs", test_pairs },
	{ "order is that of the seed", test_order_is_that_of_the_seed },
	{ "names that are not there", test_names_that_are_not_there },
	{ "names lead back", test_names_lead_back },
	{ "lists of faults", test_lists_of_faults },
	{ "steps are command lines", test_steps_are_command_lines },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ch_plan", tests)
