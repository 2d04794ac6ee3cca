#include "tests/unit/fab_cunit.h"

#include "attach/at_args.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char why[192];

static int
parse_list(struct at_wanted **out, size_t *n, const char *text)
{
	static char buf[256];

	snprintf(buf, sizeof(buf), "%s", text);
	why[0] = '\0';
	return at_list_parse(out, n, buf, why);
}

static void
test_list(void)
{
	struct at_wanted *v;
	size_t n;

	CU_ASSERT_EQUAL_FATAL(
	    parse_list(&v, &n, "vm11\n\n  nva1\t router \r\nvm12\nvm13 off\nnva2 router off"),
	    FAB_OK);
	CU_ASSERT_EQUAL_FATAL(n, 5);
	CU_ASSERT_STRING_EQUAL(v[0].name, "vm11");
	CU_ASSERT_FALSE(v[0].router);
	CU_ASSERT_STRING_EQUAL(v[1].name, "nva1");
	CU_ASSERT_TRUE(v[1].router);
	CU_ASSERT_STRING_EQUAL(v[2].name, "vm12");
	CU_ASSERT_FALSE(v[2].off);
	CU_ASSERT_TRUE(v[3].off);
	CU_ASSERT_FALSE(v[3].router);
	CU_ASSERT_TRUE(v[4].off);
	CU_ASSERT_TRUE(v[4].router);
	free(v);
	CU_ASSERT_EQUAL_FATAL(parse_list(&v, &n, ""), FAB_OK); /* nobody */
	CU_ASSERT_EQUAL(n, 0);
	free(v);
}

static void
test_list_errors(void)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "vm11\nvm12 switch\n", "line 2 is not NAME [router] [off]" },
		{ "nva1 off router\n", "line 1 is not NAME [router] [off]" },
		{ "nva1 off off\n", "line 1 is not NAME [router] [off]" },
		{ "nva1 router now\n", "line 1 is not NAME [router] [off]" },
		{ "\n\n../vm11\n", "line 3 is not NAME [router] [off]" },
		{ "vm11\n.hidden", "line 2 is not NAME [router] [off]" },
	};
	struct at_wanted *v = NULL;
	size_t n = 7;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL(parse_list(&v, &n, cases[i].text), FAB_EINVAL);
		CU_ASSERT_STRING_EQUAL(why, cases[i].why);
	}
	CU_ASSERT_PTR_NULL(v); /* results are untouched */
	CU_ASSERT_EQUAL(n, 7);
}

static enum at_verdict
parse(struct at_args *a, const char *line)
{
	static char words[512];
	static char *argv[32];
	char *save = NULL;
	int argc = 0;

	snprintf(words, sizeof(words), "fabattach %s", line);
	memset(argv, 0, sizeof(argv));
	for (char *w = strtok_r(words, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	return at_args_parse(a, argc, argv);
}

static void
test_command_line(void)
{
	struct at_args a;

	CU_ASSERT_EQUAL_FATAL(parse(&a, "--socket /s --name fw"), AT_RUN);
	CU_ASSERT_STRING_EQUAL(a.socket, "/s");
	CU_ASSERT_STRING_EQUAL(a.name, "fw");
	CU_ASSERT_PTR_NULL(a.make);
	at_args_fini(&a);
	CU_ASSERT_EQUAL_FATAL(
	    parse(&a, "--socket /s vm11 --make /d --router nva1 vm12 --router nva2"), AT_RUN);
	CU_ASSERT_STRING_EQUAL(a.make, "/d");
	CU_ASSERT_EQUAL_FATAL(a.n_guests, 4);
	for (size_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(a.guests[i].router, strncmp(a.guests[i].name, "nva", 3) == 0);
	at_args_fini(&a);
}

static void
test_reload(void)
{
	char path[] = "/tmp/at-list-XXXXXX", line[128];
	int fd = mkstemp(path);
	struct at_args a;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(write(fd, "vm11\n", 5), 5);
	snprintf(line, sizeof(line), "--socket /s --make /d --list %s", path);
	CU_ASSERT_EQUAL_FATAL(parse(&a, line), AT_RUN);
	CU_ASSERT_EQUAL(a.n_guests, 1);
	CU_ASSERT_EQUAL(write(fd, "vm12 router\n", 12), 12);
	CU_ASSERT_EQUAL(at_args_reload(&a, why), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(a.n_guests, 2);
	CU_ASSERT_STRING_EQUAL(a.guests[1].name, "vm12");
	CU_ASSERT_EQUAL(write(fd, "a b c\n", 6), 6);
	CU_ASSERT_EQUAL(at_args_reload(&a, why), FAB_EINVAL);
	unlink(path);
	CU_ASSERT_EQUAL(at_args_reload(&a, why), FAB_ENOENT);
	CU_ASSERT_EQUAL(a.n_guests, 2); /* as they were */
	CU_ASSERT_STRING_EQUAL(a.guests[1].name, "vm12");
	at_args_fini(&a);
	close(fd);
}

static CU_TestInfo tests[] = {
	{ "a list of guests", test_list },
	{ "errors in it name the line", test_list_errors },
	{ "a sidecar and guests on the command line", test_command_line },
	{ "a list that is read again", test_reload },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("at_args", tests)
