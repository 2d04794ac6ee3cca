#include "tests/unit/fab_cunit.h"

#include "fabctl/ctl_out.h"
#include "lib/err.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

static char *
printed(enum ctl_format format, const char *json, const struct ctl_view *view)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	size_t size;
	char *text;
	FILE *fp = open_memstream(&text, &size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	CU_ASSERT_EQUAL(ctl_print(fp, format, value, view), FAB_OK);
	fclose(fp);
	json_decref(value);
	return text;
}

static const struct ctl_column columns[] = {
	{ "Source", "source" },
	{ "Address Prefix", "addressPrefix" },
	{ "Next Hop IP", "hop.ip" },
	CTL_COLUMNS_END,
};

static void
expect_table(const char *json, const struct ctl_view *view, const char *want)
{
	char *got = printed(CTL_TABLE, json, view);

	CU_ASSERT_STRING_EQUAL(got, want);
	free(got);
}

static void
test_table_joins_lists_and_pads_columns(void)
{
	static const struct ctl_view view = { .columns = columns, .rows = "value" };

	/* OPEN-10: next hops of one route are joined with a blank. */
	expect_table(
	    "{\"value\":["
	    "{\"source\":\"Default\",\"addressPrefix\":[\"10.1.0.0/16\"],\"hop\":{\"ip\":[]}},"
	    "{\"source\":\"User\",\"addressPrefix\":[\"0.0.0.0/0\"],"
	    "\"hop\":{\"ip\":[\"10.1.2.4\",\"10.1.2.5\"]}}]}",
	    &view,
	    "Source   Address Prefix  Next Hop IP\n"
	    "-------  --------------  -----------------\n"
	    "Default  10.1.0.0/16\n"
	    "User     0.0.0.0/0       10.1.2.4 10.1.2.5\n");
}

static void
test_table_of_any_value(void)
{
	static const struct ctl_column one[] = { { "V", "v" }, CTL_COLUMNS_END };
	static const struct ctl_view view = { .columns = one };

	expect_table("[{\"v\":7},{\"v\":true},{\"v\":false},{\"v\":null},{\"v\":1.5},{},"
		     "{\"v\":{\"a\":[1]}}]",
	    &view, "V\n---------\n7\nTrue\nFalse\n\n1.5\n\n{\"a\":[1]}\n");
}

static void
test_table_of_one_object_and_of_none(void)
{
	static const struct ctl_view view = { .columns = columns, .empty = "no routes" };

	expect_table("{\"source\":\"User\"}", &view,
	    "Source  Address Prefix  Next Hop IP\n"
	    "------  --------------  -----------\n"
	    "User\n");
	expect_table("[]", &view, "no routes\n");
}

static void
test_json_is_indented_and_parses_back(void)
{
	char *text = printed(CTL_JSON, "{\"b\":[1,2],\"a\":\"x\"}", NULL);

	CU_ASSERT_STRING_EQUAL(text, "{\n  \"b\": [\n    1,\n    2\n  ],\n  \"a\": \"x\"\n}\n");
	free(text);
}

static void
test_yaml_is_block_style(void)
{
	char *text = printed(CTL_YAML,
	    "{\"value\":[{\"source\":\"User\",\"addressPrefix\":[\"10.0.0.0/8\"],\"hops\":[],"
	    "\"name\":\"\",\"on\":true},{\"source\":\"yes\"}],\"m\":[[1,2],[3]],\"e\":{}}",
	    NULL);

	CU_ASSERT_STRING_EQUAL(text, "value:\n"
				     "  - source: User\n"
				     "    addressPrefix:\n"
				     "      - \"10.0.0.0/8\"\n"
				     "    hops: []\n"
				     "    name: \"\"\n"
				     "    \"on\": true\n"
				     "  - source: \"yes\"\n"
				     "m:\n"
				     "  - - 1\n"
				     "    - 2\n"
				     "  - - 3\n"
				     "e: {}\n");
	free(text);
}

/* A foreign YAML reader finds the strings unchanged. */
static void
test_yaml_strings_survive(void)
{
	static const char *const strings[] = { "", "plain", "a b", "12", "1e3", "0x1f", "10.0.0.0",
		"true", "No", "~", "null", "- x", "a: b", "a #b", "@x", "'", "\"", "\\", "{", "[",
		"*a", "&a", "!t", "%d", "line\nline", "tab\t", "\xc3\xa9", "-", "?", "a/b_c.d-e" };
	char *text;

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		json_t *value = json_pack("{s:[s]}", "key", strings[i]);
		struct fy_document *doc;
		const char *got;
		size_t size, len;
		FILE *fp = open_memstream(&text, &size);

		CU_ASSERT_EQUAL(ctl_print(fp, CTL_YAML, value, NULL), FAB_OK);
		fclose(fp);
		doc = fy_document_build_from_string(NULL, text, FY_NT);
		CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
		got = fy_node_get_scalar(
		    fy_node_by_path(fy_document_root(doc), "/key/0", FY_NT, 0), &len);
		CU_ASSERT_PTR_NOT_NULL_FATAL(got);
		CU_ASSERT_EQUAL(len, strlen(strings[i]));
		CU_ASSERT_EQUAL(memcmp(got, strings[i], len), 0);
		fy_document_destroy(doc);
		json_decref(value);
		free(text);
	}
}

static void
test_formats_by_name(void)
{
	enum ctl_format f = CTL_TABLE;

	CU_ASSERT_EQUAL(ctl_format_parse(&f, "json"), FAB_OK);
	CU_ASSERT_EQUAL(f, CTL_JSON);
	CU_ASSERT_EQUAL(ctl_format_parse(&f, "yaml"), FAB_OK);
	CU_ASSERT_EQUAL(f, CTL_YAML);
	CU_ASSERT_EQUAL(ctl_format_parse(&f, "xml"), FAB_EINVAL);
	CU_ASSERT_EQUAL(f, CTL_YAML);
}

static void
test_full_disk_is_an_error(void)
{
	FILE *fp = fopen("/dev/full", "w");
	json_t *value = json_object();

	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	CU_ASSERT_EQUAL(ctl_print(fp, CTL_JSON, value, NULL), FAB_EIO);
	fclose(fp);
	json_decref(value);
}

static CU_TestInfo tests[] = {
	{ "table joins lists and pads columns", test_table_joins_lists_and_pads_columns },
	{ "table of any value", test_table_of_any_value },
	{ "table of one object and of none", test_table_of_one_object_and_of_none },
	{ "JSON is indented and parses back", test_json_is_indented_and_parses_back },
	{ "YAML is block style", test_yaml_is_block_style },
	{ "YAML strings survive", test_yaml_strings_survive },
	{ "formats by name", test_formats_by_name },
	{ "full disk is an error", test_full_disk_is_an_error },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_out", tests)
