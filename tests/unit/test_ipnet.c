#include "lib/err.h"
#include "lib/ipnet.h"
#include "tests/unit/fab_cunit.h"

static void
test_prefix_round_trip(void)
{
	static const char *const cases[] = { "0.0.0.0/0", "10.1.0.0/16", "255.255.255.255/32",
		"128.0.0.0/1" };
	char buf[IPNET_STRLEN];
	struct ipnet net;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, cases[i]), FAB_OK);
		CU_ASSERT_STRING_EQUAL(ipnet_format(buf, net), cases[i]);
	}
}

static void
test_malformed_prefixes_are_refused(void)
{
	static const char *const cases[] = { "", "10.1.0.0", "10.1.0.0/", "10.1.0.0/33",
		"10.1.0/16", "10.1.0.0.0/16", "256.0.0.0/8", "10.1.0.1/16", " 10.1.0.0/16",
		"10.1.0.0/16 ", "010.1.0.0/16", "10.1.0.0/-1", "a.b.c.d/8", "10.1.0.0/016",
		"1e1.0.0.0/8" };
	struct ipnet net = { 7, 7 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(ipnet_parse(&net, cases[i]), FAB_EINVAL);
	CU_ASSERT_EQUAL(net.addr, 7);
}

static void
test_containment_and_overlap(void)
{
	struct ipnet all, ten, sub, other;

	ipnet_parse(&all, "0.0.0.0/0");
	ipnet_parse(&ten, "10.0.0.0/8");
	ipnet_parse(&sub, "10.1.0.0/16");
	ipnet_parse(&other, "172.16.0.0/12");
	CU_ASSERT(ipnet_contains(all, ten) && ipnet_contains(ten, sub) && ipnet_contains(ten, ten));
	CU_ASSERT_FALSE(ipnet_contains(sub, ten));
	CU_ASSERT(ipnet_overlaps(sub, ten) && ipnet_overlaps(ten, sub));
	CU_ASSERT_FALSE(ipnet_overlaps(ten, other));
	CU_ASSERT(ipnet_has_addr(all, 0xffffffff) && ipnet_has_addr(sub, 0x0a01ffff));
}

static CU_TestInfo tests[] = {
	{ "prefixes survive parse and format", test_prefix_round_trip },
	{ "malformed prefixes are refused, output untouched", test_malformed_prefixes_are_refused },
	{ "containment and overlap", test_containment_and_overlap },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ipnet", tests)
