#include "tests/unit/fab_cunit.h"

#include "fabctl/ctl_args.h"
#include "lib/err.h"

#include <string.h>

static const struct ctl_cmd table[] = {
	{ "up", "FILE", 1, 1, CTL_BIT(CTL_OPT_WAIT), NULL, "start" },
	{ "get", "KIND [NAME]", 1, 2, 0, NULL, "look" },
	{ "routes learned", "RS PEER", 2, 2, 0, NULL, "routes" },
	{ "routes", "", 0, 0, 0, NULL, "shorter than the one before" },
	{ "events", "", 0, 0, CTL_BIT(CTL_OPT_FOLLOW), NULL, "log" },
	{ "exec", "GUEST COMMAND...", 1, 1 + CTL_REST, 0, NULL, "run" },
	{ NULL },
};

/* Splits text at blanks and parses it; NULL: refused, with why as wanted. */
static const struct ctl_cmd *
parse(struct ctl_args *args, const char *text, char why[static 256])
{
	static char line[512], *argv[CTL_POS_MAX + 16]; /* args point into them */
	char *save = NULL;
	const struct ctl_cmd *cmd = NULL;
	int argc = 1;

	memset(argv, 0, sizeof(argv));
	argv[0] = strcpy(line, "fabctl");
	snprintf(line + 8, sizeof(line) - 8, "%s", text);
	for (char *w = strtok_r(line + 8, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	why[0] = '\0';
	return ctl_args_parse(&cmd, args, table, argc, argv, why) == FAB_OK ? cmd : NULL;
}

static void
test_rest_is_left_alone(void)
{
	static const struct {
		const char *line, *rest[4];
	} cases[] = {
		{ "exec vm11 ping -c1 10.0.0.1", { "ping", "-c1", "10.0.0.1" } },
		{ "-o json exec --url=ipc:///x vm11 ip -o addr", { "ip", "-o", "addr" } },
		{ "exec vm11 -- -odd --help", { "-odd", "--help" } },
		{ "exec -- vm11 -- x", { "--", "x" } }, /* one is enough */
		{ "exec exec exec", { "exec" } },
	};
	struct ctl_args args;
	char why[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = 0;

		CU_ASSERT_PTR_NOT_NULL_FATAL(parse(&args, cases[i].line, why));
		CU_ASSERT_EQUAL(args.n_pos, 1);
		for (; cases[i].rest[n] != NULL; n++)
			CU_ASSERT_STRING_EQUAL(args.rest[n], cases[i].rest[n]);
		CU_ASSERT_PTR_NULL(args.rest[n]);
	}
	CU_ASSERT_PTR_NULL(parse(&args, "exec vm11", why));
	CU_ASSERT_STRING_EQUAL(why, "usage: fabctl exec GUEST COMMAND...");
	CU_ASSERT_PTR_NULL(parse(&args, "exec vm11 --", why));
	CU_ASSERT_PTR_NULL(parse(&args, "exec", why));
	CU_ASSERT_PTR_NOT_NULL(parse(&args, "exec --help", why));
	CU_ASSERT_PTR_NULL(parse(&args, "exec -x vm11 ping", why)); /* this one would be ours */
}

static void
test_verbs_and_words(void)
{
	static const struct {
		const char *line, *verb, *first;
		unsigned n;
	} cases[] = {
		{ "up x.yaml", "up", "x.yaml", 1 },
		{ "get vnet", "get", "vnet", 1 },
		{ "get vnet hub1", "get", "vnet", 2 },
		{ "routes learned rs1 nva1", "routes learned", "rs1", 2 },
		{ "routes", "routes", NULL, 0 },
		{ "-o json routes learned rs1 nva1", "routes learned", "rs1", 2 },
		{ "routes -ojson learned --url=ipc:///x rs1 nva1", "routes learned", "rs1", 2 },
		{ "get vnet -- -odd", "get", "vnet", 2 },
		{ "get -", "get", "-", 1 },
	};
	struct ctl_args args;
	char why[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct ctl_cmd *cmd = parse(&args, cases[i].line, why);

		CU_ASSERT_PTR_NOT_NULL_FATAL(cmd);
		CU_ASSERT_STRING_EQUAL(cmd->words, cases[i].verb);
		CU_ASSERT_EQUAL(args.n_pos, cases[i].n);
		if (cases[i].first != NULL)
			CU_ASSERT_STRING_EQUAL(args.pos[0], cases[i].first);
	}
}

static void
test_option_values(void)
{
	static const char *const lines[] = { "up f --wait 5s -o yaml", "up f --wait=5s -oyaml",
		"--output=yaml up --wait 5s f" };
	struct ctl_args args;
	char why[256];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(parse(&args, lines[i], why));
		CU_ASSERT_STRING_EQUAL(args.opt[CTL_OPT_WAIT], "5s");
		CU_ASSERT_STRING_EQUAL(args.opt[CTL_OPT_OUTPUT], "yaml");
		CU_ASSERT_STRING_EQUAL(args.pos[0], "f");
		CU_ASSERT_PTR_NULL(args.opt[CTL_OPT_FOLLOW]);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(parse(&args, "events -f", why));
	CU_ASSERT_STRING_EQUAL(args.opt[CTL_OPT_FOLLOW], "");
}

static void
test_refusals_say_what_is_wrong(void)
{
	static const struct {
		const char *line, *why;
	} cases[] = {
		{ "fly", "unknown verb 'fly'; 'fabctl help' lists them" },
		{ "routes lerned rs1 x", "usage: fabctl routes" },
		{ "up", "usage: fabctl up FILE" },
		{ "up a b", "usage: fabctl up FILE" },
		{ "up f --sideways", "unknown option '--sideways'" },
		{ "up f -x", "unknown option '-x'" },
		{ "up f --wait", "'--wait' needs TIME" },
		{ "up f --follow", "'up' does not take --follow" },
		{ "events --follow=yes", "unknown option '--follow=yes'" },
	};
	struct ctl_args args;
	char why[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_PTR_NULL(parse(&args, cases[i].line, why));
		CU_ASSERT_STRING_EQUAL(why, cases[i].why);
	}
}

static void
test_no_words_is_no_verb(void)
{
	struct ctl_args args;
	char why[256];

	CU_ASSERT_PTR_NULL(parse(&args, "--help", why));
	CU_ASSERT_STRING_EQUAL(why, "");
	CU_ASSERT_PTR_NOT_NULL(args.opt[CTL_OPT_HELP]);
	CU_ASSERT_PTR_NOT_NULL(parse(&args, "up --help", why)); /* not held to its words */
}

static void
test_too_many_words_are_refused(void)
{
	char line[CTL_POS_MAX * 2 + 16] = "get", why[256];
	struct ctl_args args;

	for (int i = 0; i < CTL_POS_MAX; i++)
		strcat(line, " x");
	CU_ASSERT_PTR_NULL(parse(&args, line, why));
	CU_ASSERT_STRING_EQUAL(why, "more than 64 words");
}

static void
test_durations(void)
{
	static const struct {
		const char *text;
		int err;
		uint32_t ms;
	} cases[] = {
		{ "0", FAB_OK, 0 },
		{ "5", FAB_OK, 5000 },
		{ "60s", FAB_OK, 60000 },
		{ "500ms", FAB_OK, 500 },
		{ "2m", FAB_OK, 120000 },
		{ "24h", FAB_OK, 86400000 },
		{ "25h", FAB_EINVAL, 0 },
		{ "", FAB_EINVAL, 0 },
		{ "-1", FAB_EINVAL, 0 },
		{ "1.5s", FAB_EINVAL, 0 },
		{ "5 s", FAB_EINVAL, 0 },
		{ "s", FAB_EINVAL, 0 },
		{ "99999999999999999999", FAB_EINVAL, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t ms = 0;

		CU_ASSERT_EQUAL(ctl_duration_ms(&ms, cases[i].text), cases[i].err);
		CU_ASSERT_EQUAL(ms, cases[i].ms);
	}
}

static CU_TestInfo tests[] = {
	{ "verbs and words", test_verbs_and_words },
	{ "option values", test_option_values },
	{ "refusals say what is wrong", test_refusals_say_what_is_wrong },
	{ "no words is no verb", test_no_words_is_no_verb },
	{ "too many words are refused", test_too_many_words_are_refused },
	{ "durations", test_durations },
	{ "a command line behind a verb is left alone", test_rest_is_left_alone },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_args", tests)
