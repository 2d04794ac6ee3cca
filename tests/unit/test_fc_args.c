/*
 * fabricd's command line: what follows from what was given, and what is refused.
 */
#include "fabricd/fc_args.h"

#include "lib/err.h"
#include "tests/unit/fab_cunit.h"

#include <stdio.h>
#include <string.h>

#define ARGS_MAX 16

/* Parses words separated by blanks, with standard error of the complaint going nowhere. */
static enum fab_args_verdict
parse(struct fc_options *o, const char *line)
{
	static char copy[PATH_MAX];
	char *argv[ARGS_MAX + 2] = { copy }, *save = NULL;
	enum fab_args_verdict verdict;
	FILE *out = stdout, *err = stderr;
	int argc = 1;

	snprintf(copy, sizeof(copy), "fabricd %s", line);
	strtok_r(copy, " ", &save);
	while (argc <= ARGS_MAX && (argv[argc] = strtok_r(NULL, " ", &save)) != NULL)
		argc++;
	stdout = stderr = fopen("/dev/null", "w");
	verdict = fc_args_parse(o, argc, argv);
	fclose(stdout);
	stdout = out;
	stderr = err;
	return verdict;
}

static void
test_defaults_follow_from_the_listen_url(void)
{
	static const struct {
		const char *line, *store, *node_url, *bgp_url;
	} rows[] = {
		{ "--listen ipc:///run/x/fabricd.ipc", "/run/x/fabric.db", "",
		    "ipc:///run/x/%s.bgp" },
		{ "--listen ipc:///run/x/fabricd.ipc --run-dir /srv", "/srv/fabric.db", "",
		    "ipc:///srv/%s.bgp" },
		{ "--listen ipc:///run/x/fabricd.ipc --store /srv/my.db", "/srv/my.db", "",
		    "ipc:///run/x/%s.bgp" },
		{ "--listen tcp://127.0.0.1:1 --run-dir /srv --bgp-url tcp://%s:1790",
		    "/srv/fabric.db", "", "tcp://%s:1790" },
		{ "--listen tcp://0.0.0.0:1 --insecure --store s --bgp-url tcp://%s:1 "
		  "--node-url tcp://%s:2",
		    "s", "tcp://%s:2", "tcp://%s:1" },
	};
	struct fc_options o;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(parse(&o, rows[i].line), FAB_ARGS_RUN);
		CU_ASSERT_STRING_EQUAL(o.store, rows[i].store);
		CU_ASSERT_STRING_EQUAL(o.node_url, rows[i].node_url);
		CU_ASSERT_STRING_EQUAL(o.bgp_url, rows[i].bgp_url);
		CU_ASSERT_PTR_NULL(o.topology);
		CU_ASSERT_FALSE(o.packets);
		CU_ASSERT_EQUAL(o.args.level, FAB_LOG_INFO);
		CU_ASSERT_PTR_NULL(fab_args_tls(&o.args));
	}
	CU_ASSERT_EQUAL(
	    parse(&o, "--listen ipc:///x/f --topology t.yaml --timing fast --log-level debug "
		      "--tls-cert c --tls-key k --tls-ca a --packets"),
	    FAB_ARGS_RUN);
	CU_ASSERT_TRUE(o.packets);
	CU_ASSERT_STRING_EQUAL(o.topology, "t.yaml");
	CU_ASSERT_STRING_EQUAL(o.timing, "fast");
	CU_ASSERT_EQUAL(o.args.level, FAB_LOG_DEBUG);
	CU_ASSERT_PTR_EQUAL_FATAL(fab_args_tls(&o.args), &o.args.tls);
	CU_ASSERT_STRING_EQUAL(o.args.tls.ca, "a");
}

static void
test_what_is_refused(void)
{
	static const char *const rows[] = {
		"",
		"--listen",
		"--listen http://x/",
		"--listen tcp://0.0.0.0:1 --store s --bgp-url tcp://%s:1", /* beyond loopback */
		"--listen tls+tcp://127.0.0.1:1 --store s --bgp-url tcp://%s:1",
		"--listen tcp://127.0.0.1:1 --bgp-url tcp://%s:1", /* where is the store? */
		"--listen tcp://127.0.0.1:1 --store s",            /* where do nodes listen? */
		"--listen ipc:///x/f --bgp-url tcp://host:1",
		"--listen ipc:///x/f --node-url tcp://%s:%s",
		"--listen ipc:///x/f --log-level loud",
		"--listen ipc:///x/f more",
		"--listen ipc:///x/f --colour blue",
	};
	struct fc_options o;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(parse(&o, rows[i]), FAB_ARGS_EXIT_USAGE);
	CU_ASSERT_EQUAL(parse(&o, "--help"), FAB_ARGS_EXIT_OK);
	CU_ASSERT_EQUAL(parse(&o, "--version"), FAB_ARGS_EXIT_OK);
}

static CU_TestInfo tests[] = {
	{ "defaults follow from the listen URL", test_defaults_follow_from_the_listen_url },
	{ "what is refused", test_what_is_refused },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_args", tests)
