/*
 * The options that all daemons share: what is kept, what is printed, what is refused and how.
 */
#include "lib/args.h"

#include "lib/err.h"
#include "lib/version.h"
#include "tests/unit/fab_cunit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 12

enum { OPT_COLOUR = 1, OPT_LOUD };

static const struct option options[] = {
	{ "colour", required_argument, NULL, OPT_COLOUR },
	{ "loud", no_argument, NULL, OPT_LOUD },
	{ NULL, 0, NULL, 0 },
};

struct own {
	char colour[16];
	bool loud;
};

static int
take(void *ctx, int opt, const char *value)
{
	struct own *o = ctx;

	if (opt == OPT_LOUD) {
		CU_ASSERT_PTR_NULL(value);
		o->loud = true;
		return FAB_OK;
	}
	CU_ASSERT_EQUAL(opt, OPT_COLOUR);
	if (strlen(value) >= sizeof(o->colour))
		return fab_args_complain("testd", "no such colour", value);
	strcpy(o->colour, value);
	return FAB_OK;
}

static void
help(const void *ctx)
{
	(void)ctx;
	printf("Usage: testd\n" FAB_ARGS_HELP);
}

static const struct fab_args_own own = { "testd", options, take, help };

/* One command line, its words separated by blanks, and what became of it. */
struct run {
	char words[256];
	struct fab_args args;
	struct own own;
	enum fab_args_verdict verdict;
	int url_err; /* of --colour, taken for a URL */
	char *said;  /* on both outputs */
};

static void
parse(struct run *r, const char *line)
{
	FILE *out = stdout, *err = stderr;
	char *argv[WORDS_MAX + 2] = { r->words }, *save = NULL;
	size_t len;
	int argc = 1;

	memset(r, 0, sizeof(*r));
	snprintf(r->words, sizeof(r->words), "testd %s", line);
	strtok_r(r->words, " ", &save);
	while (argc <= WORDS_MAX && (argv[argc] = strtok_r(NULL, " ", &save)) != NULL)
		argc++;
	stdout = stderr = open_memstream(&r->said, &len);
	r->verdict = fab_args_parse(&r->args, &own, &r->own, argc, argv);
	if (r->own.colour[0] != '\0')
		r->url_err = fab_args_check_url(&r->args, r->own.colour);
	fclose(stdout);
	stdout = out;
	stderr = err;
}

static void
test_what_is_kept(void)
{
	struct run r;

	parse(&r, "");
	CU_ASSERT_EQUAL(r.verdict, FAB_ARGS_RUN);
	CU_ASSERT_STRING_EQUAL(r.args.program, "testd");
	CU_ASSERT_EQUAL(r.args.level, FAB_LOG_INFO);
	CU_ASSERT_FALSE(r.args.insecure);
	CU_ASSERT_PTR_NULL(fab_args_tls(&r.args));
	free(r.said);
	parse(&r, "--tls-cert c --loud --tls-key=k --insecure --log-level debug --tls-ca a");
	CU_ASSERT_EQUAL(r.verdict, FAB_ARGS_RUN);
	CU_ASSERT_TRUE(r.own.loud);
	CU_ASSERT_TRUE(r.args.insecure);
	CU_ASSERT_EQUAL(r.args.level, FAB_LOG_DEBUG);
	CU_ASSERT_PTR_EQUAL_FATAL(fab_args_tls(&r.args), &r.args.tls);
	CU_ASSERT_STRING_EQUAL(r.args.tls.cert, "c");
	CU_ASSERT_STRING_EQUAL(r.args.tls.key, "k");
	CU_ASSERT_STRING_EQUAL(r.args.tls.ca, "a");
	CU_ASSERT_STRING_EQUAL(r.said, "");
	free(r.said);
	parse(&r, "--tls-key k"); /* not enough for tls+tcp, but no reason to be silent about it */
	CU_ASSERT_PTR_NOT_NULL(fab_args_tls(&r.args));
	free(r.said);
}

static void
test_help_and_version(void)
{
	char version[64];
	struct run r;

	parse(&r, "--help --colour");
	CU_ASSERT_EQUAL(r.verdict, FAB_ARGS_EXIT_OK);
	CU_ASSERT_STRING_EQUAL(r.said, "Usage: testd\n" FAB_ARGS_HELP);
	free(r.said);
	parse(&r, "--version stray");
	snprintf(version, sizeof(version), "testd %s\n", fab_version());
	CU_ASSERT_EQUAL(r.verdict, FAB_ARGS_EXIT_OK);
	CU_ASSERT_STRING_EQUAL(r.said, version);
	free(r.said);
	/* It speaks of no option that does not exist. */
	for (const char *p = FAB_ARGS_HELP; (p = strstr(p, "--")) != NULL; p += 2) {
		char line[64];
		size_t len = 2 + strcspn(p + 2, " ,\n");

		snprintf(line, sizeof(line), "%.*s %s", (int)len, p,
		    strncmp(p, "--log-level", len) == 0 ? "warn" : "x");
		parse(&r, line);
		CU_ASSERT_PTR_NULL(strstr(r.said, "unrecognized"));
		free(r.said);
	}
}

static void
test_what_is_refused(void)
{
	static const struct {
		const char *line, *said;
	} rows[] = {
		{ "--log-level loud",
		    "testd: --log-level is error, warn, info or debug: loud (see testd --help)\n" },
		{ "--loud stray", "testd: unexpected argument: stray (see testd --help)\n" },
		{ "--colour ultramarine-and-gold",
		    "testd: no such colour: ultramarine-and-gold (see testd --help)\n" },
		{ "--wings", NULL }, /* getopt's own words */
		{ "--tls-cert", NULL },
		{ "-v", NULL },
	};
	struct run r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		parse(&r, rows[i].line);
		CU_ASSERT_EQUAL(r.verdict, FAB_ARGS_EXIT_USAGE);
		if (rows[i].said != NULL)
			CU_ASSERT_STRING_EQUAL(r.said, rows[i].said);
		CU_ASSERT_NOT_EQUAL(r.said[0], '\0');
		free(r.said);
	}
}

static void
test_which_urls_may_be_used(void)
{
	static const struct {
		const char *line, *said; /* NULL: it may */
	} rows[] = {
		{ "--colour ipc:///x", NULL },
		{ "--colour tcp://[::1]:1", NULL },
		{ "--colour tcp://*:1",
		    "plain TCP beyond loopback needs --insecure; better use tls+tcp://: "
		    "tcp://*:1" },
		{ "--colour tcp://*:1 --insecure", NULL },
		{ "--colour tls+tcp://f:1 --tls-cert c --tls-key k --tls-ca a", NULL },
		{ "--colour tls+tcp://f:1 --insecure",
		    "tls+tcp:// needs --tls-cert, --tls-key and --tls-ca: tls+tcp://f:1" },
		{ "--colour tls+tcp://f:1 --tls-cert c --tls-key k",
		    "tls+tcp:// needs --tls-cert, --tls-key and --tls-ca: tls+tcp://f:1" },
		{ "--colour http://x",
		    "not a URL of the form ipc://PATH, tcp://HOST:PORT or tls+tcp://HOST:PORT: "
		    "http://x" },
	};
	char want[256];
	struct run r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		want[0] = '\0';
		if (rows[i].said != NULL)
			snprintf(
			    want, sizeof(want), "testd: %s (see testd --help)\n", rows[i].said);
		parse(&r, rows[i].line);
		CU_ASSERT_EQUAL(r.verdict, FAB_ARGS_RUN);
		CU_ASSERT_EQUAL(r.url_err, rows[i].said == NULL ? FAB_OK : FAB_EINVAL);
		CU_ASSERT_STRING_EQUAL(r.said, want);
		free(r.said);
	}
}

static CU_TestInfo tests[] = {
	{ "what is kept", test_what_is_kept },
	{ "help and version", test_help_and_version },
	{ "what is refused", test_what_is_refused },
	{ "which URLs may be used", test_which_urls_may_be_used },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("args", tests)
