#include "tests/unit/fab_cunit.h"

#include "lib/pbjson.h"
#include "proto/control.pb-c.h"
#include "proto/fabric.pb-c.h"
#include "proto/node.pb-c.h"

#include <stdbool.h>
#include <string.h>

static const char *const addresses[] = { "addr", "next_hop", NULL };

/* Compares with JSON text, whatever the order of keys. */
static void
expect(const void *msg, unsigned flags, const char *want)
{
	json_t *got = pbjson_encode(msg, flags, addresses);
	json_t *w = json_loads(want, 0, NULL);
	char *text;

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_PTR_NOT_NULL_FATAL(got);
	if (!json_equal(got, w)) {
		text = json_dumps(got, JSON_COMPACT);
		printf("\n got  %s\n want %s\n", text, want);
		free(text);
		CU_FAIL("JSON differs");
	}
	json_decref(got);
	json_decref(w);
}

static void
test_keys_in_camel_and_snake_case(void)
{
	Fab__V1__NextHopReply m = FAB__V1__NEXT_HOP_REPLY__INIT;
	char type[] = "VirtualAppliance", ip[] = "10.1.2.4";

	m.next_hop_type = type;
	m.next_hop_ip_address = ip;
	expect(&m, PBJSON_CAMEL,
	    "{\"nextHopType\":\"VirtualAppliance\",\"nextHopIpAddress\":\"10.1.2.4\","
	    "\"routeTableId\":\"\"}");
	expect(&m, PBJSON_SNAKE,
	    "{\"next_hop_type\":\"VirtualAppliance\",\"next_hop_ip_address\":\"10.1.2.4\","
	    "\"route_table_id\":\"\"}");
}

static void
test_addresses_are_dotted_only_where_named(void)
{
	Fab__V1__Originate m = FAB__V1__ORIGINATE__INIT;
	uint32_t communities[] = { 0xffffff02 };

	m.addr = 0x0a010000;
	m.len = 16;
	m.next_hop = 0;
	m.communities = communities;
	m.n_communities = 1;
	expect(&m, PBJSON_SNAKE,
	    "{\"addr\":\"10.1.0.0\",\"len\":16,\"prepend\":0,\"communities\":[4294967042],"
	    "\"large_communities\":[],\"next_hop\":\"0.0.0.0\",\"med\":0,\"to\":[],\"as_path\":[],"
	    "\"origin\":0,\"med_set\":false}");
}

static void
test_wide_integers_are_strings_unless_numbers_are_wanted(void)
{
	Fab__V1__Counter m = FAB__V1__COUNTER__INIT;

	m.value = 1700000000000000;
	expect(&m, 0, "{\"name\":\"\",\"value\":\"1700000000000000\"}");
	expect(&m, PBJSON_NUMBERS, "{\"name\":\"\",\"value\":1700000000000000}");
	m.value = UINT64_MAX; /* no JSON number of jansson holds it */
	expect(&m, PBJSON_NUMBERS, "{\"name\":\"\",\"value\":\"18446744073709551615\"}");
}

static void
test_enums_by_name_or_number(void)
{
	Fab__V1__HealthReply m = FAB__V1__HEALTH_REPLY__INIT;
	const char *want = "{\"ok\":false,\"converged\":false,\"name\":\"\",\"kind\":%s,\"pid\":-1,"
			   "\"uptime_us\":0,\"version\":\"\"}";
	char text[256];

	m.pid = -1;
	m.kind = FAB__V1__NODE_KIND__NODE_MSEE;
	snprintf(text, sizeof(text), want, "\"NODE_MSEE\"");
	expect(&m, PBJSON_SNAKE | PBJSON_NUMBERS, text);
	m.kind = (Fab__V1__NodeKind)77; /* a newer peer */
	snprintf(text, sizeof(text), want, "77");
	expect(&m, PBJSON_SNAKE | PBJSON_NUMBERS, text);
}

static void
test_bytes_are_base64(void)
{
	static const struct {
		const char *bytes, *want;
	} cases[] = {
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "\xff\xfe\xfd", "//79" },
	};
	Fab__V1__RouteBatch m = FAB__V1__ROUTE_BATCH__INIT;
	uint8_t buf[8];
	char text[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		m.withdrawn_len.len = strlen(cases[i].bytes);
		memcpy(buf, cases[i].bytes, m.withdrawn_len.len);
		m.withdrawn_len.data = buf;
		snprintf(text, sizeof(text),
		    "{\"groups\":[],\"withdrawnAddr\":[],\"withdrawnLen\":\"%s\"}", cases[i].want);
		expect(&m, 0, text); /* cause is unset: left out */
	}
}

static void
test_oneof_shows_the_chosen_member_only(void)
{
	Fab__V1__ReportItem m = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__NodeStatus status = FAB__V1__NODE_STATUS__INIT;

	expect(&m, 0, "{}");
	status.converged = true;
	m.body_case = FAB__V1__REPORT_ITEM__BODY_STATUS;
	m.status = &status;
	expect(&m, 0, "{\"status\":{\"generation\":\"0\",\"converged\":true,\"routes\":0}}");
}

static void
test_lists_of_messages_and_strings(void)
{
	Fab__V1__EffectiveRoute r = FAB__V1__EFFECTIVE_ROUTE__INIT, *rows[] = { &r };
	Fab__V1__EffectiveRouteList m = FAB__V1__EFFECTIVE_ROUTE_LIST__INIT;
	char a[] = "10.1.2.4", b[] = "10.1.2.5", p[] = "0.0.0.0/0";
	char *hops[] = { a, b }, *prefixes[] = { p };

	r.address_prefix = prefixes;
	r.n_address_prefix = 1;
	r.next_hop_ip_address = hops;
	r.n_next_hop_ip_address = 2;
	m.value = rows;
	m.n_value = 1;
	expect(&m, 0,
	    "{\"value\":[{\"name\":\"\",\"source\":\"\",\"state\":\"\","
	    "\"addressPrefix\":[\"0.0.0.0/0\"],\"nextHopType\":\"\","
	    "\"nextHopIpAddress\":[\"10.1.2.4\",\"10.1.2.5\"],"
	    "\"disableBgpRoutePropagation\":false}],\"hub\":[]}");
}

static void
test_text_that_is_not_utf8_stays_valid_json(void)
{
	Fab__V1__LogLevelRequest m = FAB__V1__LOG_LEVEL_REQUEST__INIT;
	char bad[] = "a\xff\"b";

	m.level = bad;
	expect(&m, 0, "{\"level\":\"a?\\\"b\"}");
}

static CU_TestInfo tests[] = {
	{ "keys in camel and snake case", test_keys_in_camel_and_snake_case },
	{ "addresses are dotted only where named", test_addresses_are_dotted_only_where_named },
	{ "wide integers are strings unless numbers are wanted",
	    test_wide_integers_are_strings_unless_numbers_are_wanted },
	{ "enums by name or number", test_enums_by_name_or_number },
	{ "bytes are base64", test_bytes_are_base64 },
	{ "oneof shows the chosen member only", test_oneof_shows_the_chosen_member_only },
	{ "lists of messages and strings", test_lists_of_messages_and_strings },
	{ "text that is not UTF-8 stays valid JSON", test_text_that_is_not_utf8_stays_valid_json },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("pbjson", tests)
