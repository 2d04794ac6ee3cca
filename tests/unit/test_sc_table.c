/*
 * What scenarios say of tables of routes: which of it holds, and how the difference is told.
 */
#include "fabctl/sc_table.h"

#include "fab_cunit.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char effective[] =
    "{'value': ["
    "{'source': 'Default', 'state': 'Active', 'addressPrefix': ['10.11.0.0/16', '10.13.0.0/16'],"
    " 'nextHopType': 'VnetLocal', 'nextHopIpAddress': []},"
    "{'source': 'User', 'state': 'Active', 'addressPrefix': ['0.0.0.0/0'],"
    " 'nextHopType': 'VirtualAppliance', 'nextHopIpAddress': ['10.1.2.9']},"
    "{'source': 'VirtualNetworkGateway', 'state': 'Invalid', 'addressPrefix': ['0.0.0.0/0'],"
    " 'nextHopType': 'VirtualNetworkGateway', 'nextHopIpAddress': ['10.1.2.4']},"
    "{'source': 'VirtualNetworkGateway', 'state': 'Active', 'addressPrefix': ['10.50.0.0/16'],"
    " 'nextHopType': 'VirtualNetworkGateway', 'nextHopIpAddress': ['10.1.2.4', '10.1.2.5']}]}";

static const char router[] =
    "{'value': ["
    "{'network': '10.11.0.0/16', 'nextHop': '10.1.0.4', 'asPath': '65515',"
    " 'communities': ['65518:65518'], 'best': true},"
    "{'network': '10.11.0.0/16', 'nextHop': '10.1.0.5', 'asPath': '65515',"
    " 'communities': ['65518:65518'], 'best': false},"
    "{'network': '10.11.0.0/16', 'nextHop': '10.9.9.9', 'asPath': '65001-65515',"
    " 'communities': [], 'best': false},"
    "{'network': '10.98.0.0/16', 'nextHop': '10.1.2.4', 'asPath': '', 'communities': [],"
    " 'best': true}]}";

static const char gateway[] =
    "{'value': ["
    "{'network': '10.50.0.0/16', 'nextHop': '10.1.2.4', 'asPath': '65001',"
    " 'sourcePeer': '10.1.0.4', 'origin': 'IBgp'},"
    "{'network': '10.50.0.0/16', 'nextHop': '10.1.1.4', 'asPath': '12076-64900',"
    " 'sourcePeer': '10.1.1.4', 'origin': 'EBgp'}]}";

static const char msee[] =
    "{'value': ["
    "{'network': '10.50.0.0/16', 'nextHop': '10.1.1.12', 'path': '65515 65001 I'},"
    "{'network': '10.50.0.0/16', 'nextHop': '10.1.1.13', 'path': '65515 65001 I'},"
    "{'network': '10.50.0.0/16', 'nextHop': '10.2.1.12', 'path': '65515 65001 65001 I'}]}";

static const char learned[] =
    "{'RouteServiceRole_IN_0': [{'network': '0.0.0.0/0', 'nextHop': '10.1.2.4',"
    " 'sourcePeer': '10.1.2.4', 'origin': 'EBgp', 'asPath': '65001'}],"
    " 'RouteServiceRole_IN_1': []}";

/* What a step with these rows says of the answer; one prefix each, NULL: not given. */
static char *
diff(const char *answer, const char *prefix, const char *contains, const char *equals,
    const char *lacks)
{
	char *text = strdup(answer);
	const char *wants[] = { contains, equals, lacks };
	struct sc_rows rows[3];
	json_t *json, *tables;

	FAB_ASSERT(text != NULL);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	for (int i = 0; i < 3; i++)
		rows[i] = (struct sc_rows){ .given = wants[i] != NULL,
			.n = wants[i] != NULL,
			.prefix = &prefix,
			.want = &wants[i] };
	FAB_ASSERT((json = json_loads(text, 0, NULL)) != NULL);
	tables = sc_table_make(json);
	free(text);
	text = sc_table_diff(
	    tables, &(struct sc_step){ .contains = rows[0], .equals = rows[1], .lacks = rows[2] });
	json_decref(tables);
	json_decref(json);
	return text;
}

static void
test_what_holds_and_what_does_not(void)
{
	static const struct {
		const char *answer, *prefix, *want;
		bool holds;
	} rows[] = {
		{ effective, "10.11.0.0/16", "", true }, { effective, "10.12.0.0/16", "", false },
		{ effective, "10.13.0.0/16", "VnetLocal", true },
		{ effective, "10.13.0.0/16", "Default VnetLocal", true },
		{ effective, "10.13.0.0/16", "User VnetLocal", false },
		{ effective, "0.0.0.0/0", "10.1.2.9", true },
		{ effective, "0.0.0.0/0", "User", true },
		{ effective, "0.0.0.0/0", "User VirtualAppliance 10.1.2.9", true },
		{ effective, "0.0.0.0/0", "VirtualAppliance 10.1.2.9", true },
		{ effective, "0.0.0.0/0", "User 10.1.2.9", true },
		{ effective, "0.0.0.0/0", "10.1.2.4", false },
		{ effective, "0.0.0.0/0", "Invalid VirtualNetworkGateway 10.1.2.4", true },
		{ effective, "0.0.0.0/0", "Invalid 10.1.2.9", false },
		{ effective, "10.50.0.0/16", "10.1.2.4 10.1.2.5", true },
		{ effective, "10.50.0.0/16", "10.1.2.4", false },
		{ effective, "10.50.0.0/16", "VirtualNetworkGateway 10.1.2.4 10.1.2.5", true },
		{ effective, "10.50.0.0/16", "VirtualNetworkGateway", true },
		{ router, "10.11.0.0/16", "via 10.1.0.4 10.1.0.5 path 65515 community 65518:65518",
		    true },
		{ router, "10.11.0.0/16", "path 65515 via 10.1.0.5 10.1.0.4", true },
		{ router, "10.11.0.0/16", "via 10.1.0.4", false },
		{ router, "10.11.0.0/16", "via 10.1.0.4 10.1.0.5 10.9.9.9", false },
		{ router, "10.11.0.0/16", "path 65001-65515", false },
		{ router, "10.11.0.0/16", "community 65517:65517", false },
		{ router, "10.98.0.0/16", "path none", true },
		{ router, "10.11.0.0/16", "path none", false },
		{ gateway, "10.50.0.0/16", "origin IBgp via 10.1.2.4 path 65001", true },
		{ gateway, "10.50.0.0/16", "via 10.1.1.4 from 10.1.1.4", true },
		{ gateway, "10.50.0.0/16", "via 10.1.2.4 path 65001", false },
		{ gateway, "10.50.0.0/16", "origin Network", false },
		{ msee, "10.50.0.0/16", "via 10.1.1.12 10.1.1.13 path 65515-65001", true },
		{ msee, "10.50.0.0/16", "path 65515-65001-65001", false },
		{ msee, "10.50.0.0/16", "via", false },
		{ msee, "10.50.0.0/16", "10.1.1.12", false },
		{ learned, "0.0.0.0/0", "path 65001", false }, /* one instance lacks it */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = diff(rows[i].answer, rows[i].prefix, rows[i].want, NULL, NULL);

		if ((text[0] == '\0') != rows[i].holds)
			printf("%s '%s':%s\n", rows[i].prefix, rows[i].want, text);
		CU_ASSERT_EQUAL(text[0] == '\0', rows[i].holds);
		free(text);
	}
}

static void
test_the_difference(void)
{
	static const struct {
		const char *answer, *prefix, *contains, *equals, *lacks, *text;
	} rows[] = {
		{ effective, "0.0.0.0/0", "Internet", NULL, NULL,
		    "\n  - 0.0.0.0/0 Internet"
		    "\n  + 0.0.0.0/0 User VirtualAppliance 10.1.2.9"
		    "\n  + 0.0.0.0/0 Invalid VirtualNetworkGateway 10.1.2.4" },
		{ effective, "10.50.0.0/16", NULL, "10.1.2.4 10.1.2.5", NULL,
		    "\n  + 10.11.0.0/16 VnetLocal"
		    "\n  + 10.13.0.0/16 VnetLocal"
		    "\n  + 0.0.0.0/0 User VirtualAppliance 10.1.2.9"
		    "\n  + 0.0.0.0/0 Invalid VirtualNetworkGateway 10.1.2.4" },
		{ effective, "10.50.0.0/16", NULL, NULL, "10.1.2.4", "" },
		{ effective, "10.50.0.0/16", NULL, NULL, "",
		    "\n  + 10.50.0.0/16 VirtualNetworkGateway 10.1.2.4 10.1.2.5" },
		{ router, "10.98.0.0/16", "via 10.1.2.5 path none", NULL, NULL,
		    "\n  - 10.98.0.0/16 via 10.1.2.5 path none"
		    "\n  + 10.98.0.0/16 via 10.1.2.4 path none" },
		{ router, "10.11.0.0/16", NULL, NULL, "community 65518:65518",
		    "\n  + 10.11.0.0/16 via 10.1.0.4 10.1.0.5 path 65515 community 65518:65518" },
		{ learned, "0.0.0.0/0", NULL, "path 65001", NULL,
		    "\n  - RouteServiceRole_IN_1 0.0.0.0/0 path 65001" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = diff(rows[i].answer, rows[i].prefix, rows[i].contains, rows[i].equals,
		    rows[i].lacks);

		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
		free(text);
	}
}

static CU_TestInfo tests[] = {
	{ "what holds and what does not", test_what_holds_and_what_does_not },
	{ "the difference", test_the_difference },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("sc_table", tests)
