/* What is not a topology file ends in one clear line; YAML's conveniences work. */
#include "tests/unit/fab_cunit.h"
#include "tests/unit/topo_case.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define KNOWN                                                                                      \
	"unknown key; known are name, timing, limits, strict, packets, quirks, regions, vnets, "   \
	"peerings, "                                                                               \
	"route_tables, "                                                                           \
	"route_servers, nvas, gateways, circuits, sites, vms"

static const struct topo_case syntax_cases[] = {
	{ "", 1, "EmptyFile", "there is nothing in it" },
	{ "# nothing\n", 1, "EmptyFile", "there is nothing in it" },
	{ "name: x\nvnets: [a\n", 3, "SyntaxError",
	    "this is not YAML: flow sequence without a closing bracket" },
	{ "name: x\nstrict: \"a\n", 2, "SyntaxError",
	    "this is not YAML: double-quoted scalar without closing quote" },
	{ "name: x\n  b: c\n", 1, "SyntaxError", "this is not YAML: invalid multiline plain key" },
	{ "name: x\n---\nname: y\n", 2, "SyntaxError",
	    "a second document starts here; one file is one topology" },
	{ "- a\n- b\n", 1, "WrongType",
	    "a topology is a map with keys such as name, vnets and peerings" },
	{ "just words\n", 1, "WrongType",
	    "a topology is a map with keys such as name, vnets and peerings" },
	{ "name: x\nname: y\n", 2, "DuplicateKey", "key \"name\" is there twice, first in line 1" },
	{ "vnets:\n  a: {address_space: 10.1.0.0/16}\n  b: {address_space: 10.2.0.0/16}\n  a: {}\n",
	    4, "DuplicateKey", "key \"a\" is there twice, first in line 2" },
	{ "name: !!str x\n", 1, "TagNotSupported",
	    "tags (!name) have no meaning here; leave it out" },
	{ "? [a, b]\n: c\n", 1, "WrongType", "a key must be text" },
	{ "name: \"a\\0b\"\n", 1, "InvalidText", "text with NUL or not in UTF-8" },
	{ "name: x\nregion: 'a''''b'\n", 2, "InvalidText",
	    "write text with several ' in a row in double quotes" },
	{ "name: a\nx: \001\n", 2, "InvalidText",
	    "this is not text: there is a control character" },
	{ "name: a\nx: \377\376\n", 2, "InvalidText", "this is not text in UTF-8" },
	{ "name: \355\240\200\n", 1, "InvalidText", "this is not text in UTF-8" },
	{ "name: \300\200\n", 1, "InvalidText", "this is not text in UTF-8" },
	{ "name: \360\237\n", 1, "InvalidText", "this is not text in UTF-8" },
	{ "vnet: {}\n", 1, "UnknownKey", "vnet: unknown key; did you mean \"vnets\"?" },
	{ "name: x\nfirewalls: {}\n", 2, "UnknownKey", "firewalls: " KNOWN },
	{ "name: x\n\"a\\nb\": 1\n", 2, "UnknownKey", "a b: " KNOWN },
	{ "vnets: [a]\n", 1, "WrongType", "vnets must be a map: a name, then its properties" },
	{ "peerings:\n  a: b\n", 2, "WrongType", "peerings must be a list: - {hub: A, spoke: B}" },
	{ "vms: 3\n", 1, "WrongType", "vms must be a map: a name, then its properties" },
};

static void
test_syntax(void)
{
	TOPO_REFUSED(syntax_cases);
}

/* ---- aliases ---- */

static const struct topo_case alias_cases[] = {
	{ "vnets: *a\n", 1, "UnknownAlias", "*a refers to nothing that is complete before it" },
	{ "vnets: &a\n  b: *a\n", 2, "UnknownAlias",
	    "*a refers to nothing that is complete before it" },
	{ "name: x\nvms:\n  <<: 3\n", 3, "WrongType", "<< takes a map or a list of up to 16 maps" },
	{ "name: x\nvms:\n  <<: {}\n  <<: {}\n", 4, "DuplicateKey",
	    "key \"<<\" is there twice; write <<: [*a, *b]" },
};

static void
test_bad_aliases(void)
{
	TOPO_REFUSED(alias_cases);
}

static void
test_merge_keys(void)
{
	static const char text[] = "vnets:\n"
				   "  a: {address_space: 10.1.0.0/16, subnets: {s: 10.1.0.0/24}}\n"
				   "nvas:\n"
				   "  n1: &n {subnet: a/s, ip: 10.1.0.4, asn: 65001, advertise: "
				   "&adv [0.0.0.0/0]}\n"
				   "  n2: {<<: *n, ip: 10.1.0.5}\n"
				   "  n3: {ip: 10.1.0.6, asn: 65003, <<: [{asn: 1}, *n, {relay: "
				   "false}], advertise: *adv}\n";
	struct topo *t = topo_case_build(text, strlen(text));

	topo_case_print("merge", &topo_case_errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(t->nvas[1].ip, 0x0a010005);
	CU_ASSERT_EQUAL(t->nvas[1].asn, 65001);
	CU_ASSERT_EQUAL(t->nvas[1].n_adverts, 1);
	CU_ASSERT_EQUAL(t->nvas[2].asn, 65003);
	CU_ASSERT_FALSE(t->nvas[2].relay);
	CU_ASSERT(t->nvas[1].relay);
	topo_free(t);
}

/* libfyaml has a way of its own for each style and for each amount of escapes. */
static void
test_scalar_styles(void)
{
	static const struct {
		const char *yaml, *text;
	} cases[] = {
		{ "plain words", "plain words" },
		{ "two\n      lines", "two lines" },
		{ "'it''s \"x\"'", "it's \"x\"" },
		{ "\"a\\u20ac\\x41\\\\b\"", "a\342\202\254A\\b" },
		{ "'a''b''c''d''e''f''g''h''i''j'", "a'b'c'd'e'f'g'h'i'j" },
		{ "\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\"",
		    "\"\"\"\"\"\"\"\"\"\"\"\"" },
		{ ">-\n      folded\n      text", "folded text" },
		{ "|-\n      literal", "literal" },
		{ "\"\"", "" },
	};
	char text[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topo *t;

		snprintf(text, sizeof(text),
		    "vnets:\n  a:\n    region: %s\n    address_space: 10.1.0.0/16\n",
		    cases[i].yaml);
		t = topo_case_build(text, strlen(text));
		topo_case_print(cases[i].yaml, &topo_case_errors);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		CU_ASSERT_STRING_EQUAL(t->vnets[0].region, cases[i].text);
		topo_free(t);
	}
}

/* ---- amounts ---- */

static void
expect_one(const char *text, size_t len, unsigned line, const char *code)
{
	CU_ASSERT_PTR_NULL(topo_case_build(text, len));
	if (topo_case_errors.n != 1 || strcmp(topo_case_errors.e[0].code, code) != 0)
		topo_case_print(code, &topo_case_errors);
	CU_ASSERT_EQUAL_FATAL(topo_case_errors.n, 1);
	CU_ASSERT_STRING_EQUAL(topo_case_errors.e[0].code, code);
	CU_ASSERT_EQUAL(topo_case_errors.e[0].line, line);
}

/* "&b [*a,*a,...]" ten times over: 10^10 values from 600 octets. */
static void
test_alias_bomb(void)
{
	char text[1024] = "a0: &a0 [x]\n";
	size_t n = strlen(text);

	for (int i = 1; i <= 10; i++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, "a%d: &a%d [", i, i);
		for (int k = 0; k < 10; k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "*a%d,", i - 1);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "]\n");
	}
	expect_one(text, n, 7, "TooManyValues");
}

/* Each map takes 1000 pairs from the first without holding them itself. */
static void
test_merge_bomb(void)
{
	size_t size = 200000, n = 0;
	char *text = malloc(size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	n += (size_t)snprintf(text, size, "a: &a {");
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, size - n, "k%d: 1, ", i);
	n += (size_t)snprintf(text + n, size - n, "}\nb:\n");
	for (int i = 0; i < 1000; i++)
		n += (size_t)snprintf(text + n, size - n, "  - {<<: *a}\n");
	CU_ASSERT_PTR_NULL(topo_case_build(text, n));
	CU_ASSERT_EQUAL(topo_case_errors.n, 1);
	CU_ASSERT_STRING_EQUAL(topo_case_errors.e[0].code, "TooManyValues");
	free(text);
}

static void
test_depth(void)
{
	char text[20001];

	memset(text, '[', sizeof(text));
	expect_one(text, 20000, 1, "TooDeep");
	memset(text, '-', sizeof(text));
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = ' ';
	expect_one(text, 20000, 1, "TooDeep");
}

/* libfyaml takes quadratic time over blanks behind a flow collection. */
static void
test_blanks(void)
{
	size_t size = 1u << 20;
	char *text = malloc(size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, ' ', size);
	memcpy(text, "name: x\nvms: {}", 15);
	expect_one(text, size, 2, "InvalidText");
	free(text);
}

static void
test_errors_are_counted(void)
{
	char text[8192];
	size_t n = 0;

	for (int i = 0; i < 300; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "key%d: 1\n", i);
	CU_ASSERT_PTR_NULL(topo_case_build(text, n));
	CU_ASSERT_EQUAL_FATAL(topo_case_errors.n, TOPO_ERRORS_MAX);
	CU_ASSERT_STRING_EQUAL(topo_case_errors.e[TOPO_ERRORS_MAX - 2].code, "UnknownKey");
	CU_ASSERT_STRING_EQUAL(topo_case_errors.e[TOPO_ERRORS_MAX - 1].code, "TooManyErrors");
}

/* A message is one line of valid UTF-8, whatever the file says. */
static void
test_messages_are_text(void)
{
	char text[2048] = "\"\\r\\n\\t";
	size_t n = strlen(text);
	json_t *valid;

	while (n < 1000)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "\342\202\254");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "\": 1\n");
	for (int shift = 0; shift < 3; shift++) {
		CU_ASSERT_PTR_NULL(topo_case_build(text, n));
		CU_ASSERT_EQUAL_FATAL(topo_case_errors.n, 1);
		valid = json_string(topo_case_errors.e[0].message);
		CU_ASSERT_PTR_NOT_NULL(valid);
		CU_ASSERT_PTR_NULL(strpbrk(topo_case_errors.e[0].message, "\r\n\t"));
		json_decref(valid);
		memmove(text + 2, text + 1, n - 1);
		text[1] = 'x';
		n++;
	}
}

/* ---- files ---- */

static void
expect_file(const char *path, const char *code, const char *message)
{
	struct topo_doc *doc = NULL;

	topo_case_errors.n = 0;
	CU_ASSERT_EQUAL(topo_parse_file(&doc, path, &topo_case_errors), FAB_EINVAL);
	CU_ASSERT_PTR_NULL(doc);
	CU_ASSERT_EQUAL_FATAL(topo_case_errors.n, 1);
	CU_ASSERT_STRING_EQUAL(topo_case_errors.e[0].code, code);
	CU_ASSERT_STRING_EQUAL(topo_case_errors.e[0].message, message);
}

/* Written sparse: 100 MB that take no room. */
static void
test_large_file(void)
{
	char path[] = "/tmp/fab-topo-XXXXXX", message[256];
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, 100000000), 0);
	snprintf(message, sizeof(message),
	    "%s: 100000000 octets; a topology file has at most 8388608", path);
	expect_file(path, "FileTooLarge", message);
	CU_ASSERT_EQUAL(ftruncate(fd, 8388608), 0);
	expect_file(path, "InvalidText", "this is not text: there is a control character");
	close(fd);
	unlink(path);
}

static void
test_endless_file(void)
{
	expect_file(
	    "/dev/zero", "FileTooLarge", "8388609 octets; a topology file has at most 8388608");
}

static void
test_unreadable_files(void)
{
	char path[] = "/tmp/fab-topo-XXXXXX", message[256];
	int fd = mkstemp(path);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(chmod(path, 0), 0);
	if (geteuid() != 0) {
		snprintf(message, sizeof(message), "%s: Permission denied", path);
		expect_file(path, "FileUnreadable", message);
	}
	close(fd);
	unlink(path);
	snprintf(message, sizeof(message), "%s: No such file or directory", path);
	expect_file(path, "FileUnreadable", message);
	expect_file("/tmp", "FileUnreadable", "/tmp: is a directory");
	expect_file("/proc/self/mem", "FileUnreadable", "/proc/self/mem: Input/output error");
}

/* Every beginning of a valid file is refused or accepted, never a crash. */
static void
test_truncations(void)
{
	static const char text[] =
	    "name: x\ntiming: {profile: fast, bgp: {hold: 3s}}\n"
	    "vnets: &v\n  hub: {address_space: [10.1.0.0/16], subnets: {a: 10.1.2.0/24}}\n"
	    "nvas:\n  n1: {subnet: hub/a, ip: 10.1.2.4, asn: 65001, advertise: [{prefix: "
	    "0.0.0.0/0, communities: ['65001:7']}]}\n"
	    "sites: {\"dc\": {asn: 64900, prefixes: [172.20.0.0/16]}}\n"
	    "vms:\n  vm: {subnet: hub/a, ip: 10.1.2.9}\n";
	size_t accepted = 0;

	for (size_t len = 0; len < sizeof(text); len++) {
		struct topo *t = topo_case_build(text, len);

		CU_ASSERT((t == NULL) == (topo_case_errors.n > 0));
		accepted += t != NULL;
		topo_free(t);
	}
	CU_ASSERT(accepted > 4);
}

static void
test_line_ends_of_windows(void)
{
	static const char text[] = "\xef\xbb\xbfname: x\r\nvnets:\r\n  a:\r\n    address_space: "
				   "10.1.0.0/16\r\n";
	struct topo *t = topo_case_build(text, strlen(text));

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_STRING_EQUAL(t->name, "x");
	CU_ASSERT_EQUAL(t->n_vnets, 1);
	topo_free(t);
}

static CU_TestInfo tests[] = {
	{ "what is not a topology ends in one line", test_syntax },
	{ "aliases of nothing or of themselves", test_bad_aliases },
	{ "anchors, aliases and merge keys", test_merge_keys },
	{ "styles of scalars", test_scalar_styles },
	{ "alias bomb", test_alias_bomb },
	{ "merge bomb", test_merge_bomb },
	{ "depth", test_depth },
	{ "a million blanks", test_blanks },
	{ "more errors than anybody reads", test_errors_are_counted },
	{ "messages are one line of UTF-8", test_messages_are_text },
	{ "100 MB", test_large_file },
	{ "a file without end", test_endless_file },
	{ "unreadable, absent, directory", test_unreadable_files },
	{ "every truncation of a valid file", test_truncations },
	{ "carriage returns and a byte order mark", test_line_ends_of_windows },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("topo_yaml", tests)
