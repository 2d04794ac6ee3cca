/*
 * Explanations: every candidate with its verdict and the rule behind it. Single rules are explained
 * in test_fc_eff.c too.
 */
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"
#include "tests/unit/fc_plan.h"

static const char plan[] = PLAN;

static void
test_explain_chosen_and_beaten(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_expect_explain(&f, "out1", "0.0.0.0/0",
	    "User Active 0.0.0.0/0 Internet (out): chosen [EFF-6]\n"
	    "VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4: beaten by "
	    "User 0.0.0.0/0 [EFF-6]\n"
	    "Default Active 0.0.0.0/0 Internet: absent: BGP 0.0.0.0/0 is present [EFF-14]\n");
	fix_expect_explain(&f, "still1", "0.0.0.0/0",
	    "Default Active 0.0.0.0/0 Internet: chosen [SYS-2]\n"
	    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4: ignored: the "
	    "route table disables BGP propagation [UDR-7]\n");
	fix_close(&f);
}

static void
test_explain_routes_of_the_other_instance(void)
{
	static const struct fix_route nva = { HRP_SRC_NVA, 1, 0 };
	struct fix f;

	fix_open(&f, plan);
	fix_tell(&f, f.t->nics[fix_nic(&f, "vm11")].instance == 0 ? "rs1-1" : "rs1-0", nva,
	    "192.0.2.0/24", "10.1.2.4");
	fix_expect_explain(&f, "vm11", "192.0.2.1/32",
	    "Default Active 0.0.0.0/0 Internet: chosen [SYS-2]\n"
	    "VirtualNetworkGateway Active 192.0.2.0/24 VirtualNetworkGateway 10.1.2.4: known to "
	    "rs1-0, which does not serve this NIC [RS-66]\n");
	fix_close(&f);
}

static void
test_explain_losers_among_gateways(void)
{
	struct fix f;

	fix_open(&f, HUB1 SPOKES PEERINGS TABLES VMS
	    "gateways: {er1: {vnet: hub1, type: ExpressRoute, circuits: [c1]}, vpn1: {vnet: hub1, "
	    "type: Vpn, connections: [branch1]}}\n"
	    "circuits: {c1: {site: dc1}}\n"
	    "sites: {dc1: {asn: 64900, prefixes: 172.20.0.0/16}, branch1: {asn: 64901, prefixes: "
	    "172.21.0.0/16}}\n");
	fix_both(&f, "er1", HRP_SRC_EXPRESS_ROUTE, "172.20.0.0/16", "10.24.0.4 10.24.0.5");
	fix_tell(
	    &f, "vpn1-0", (struct fix_route){ HRP_SRC_VPN, 1, 0 }, "172.20.0.0/16", "203.0.113.1");
	fix_expect_explain(&f, "vm11", "172.20.0.0/16", /* ER-23 */
	    "VirtualNetworkGateway Active 172.20.0.0/16 VirtualNetworkGateway 10.24.0.4 "
	    "10.24.0.5: chosen [ER-19]\n"
	    "VirtualNetworkGateway Active 172.20.0.0/16 VirtualNetworkGateway 203.0.113.1: of "
	    "vpn1-0, beaten by another route of the same prefix [HRP-2]\n"
	    "Default Active 172.16.0.0/12 None: beaten by longer prefix 172.20.0.0/16 [EFF-6]\n"
	    "Default Active 0.0.0.0/0 Internet: beaten by longer prefix 172.20.0.0/16 [EFF-6]\n");
	fc_layers_reporter_state(f.l, "vpn1-0", true, true);
	fix_expect_explain(&f, "vm11", "172.20.0.0/16",
	    "VirtualNetworkGateway Active 172.20.0.0/16 VirtualNetworkGateway 203.0.113.1: chosen "
	    "[VPN-14]\n"
	    "VirtualNetworkGateway Active 172.20.0.0/16 VirtualNetworkGateway 10.24.0.4 "
	    "10.24.0.5: does not count: er1-0 is gone [RS-93]\n"
	    "VirtualNetworkGateway Active 172.20.0.0/16 VirtualNetworkGateway 10.24.0.4 "
	    "10.24.0.5: does not count: er1-1 is gone [RS-93]\n"
	    "Default Active 172.16.0.0/12 None: beaten by longer prefix 172.20.0.0/16 [EFF-6]\n"
	    "Default Active 0.0.0.0/0 Internet: beaten by longer prefix 172.20.0.0/16 [EFF-6]\n");
	fix_close(&f);
}

/* A prefix that no route names exactly: what lies inside takes part. */
static void
test_explain_a_covering_prefix(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "10.12.0.0/16 10.11.5.0/24", "10.1.2.4");
	fix_expect_explain(&f, "vm11", "10.8.0.0/13",
	    "Default Active 10.0.0.0/8 None: chosen [SYS-3]\n"
	    "VirtualNetworkGateway Active 10.11.5.0/24 VirtualNetworkGateway 10.1.2.4: hidden: "
	    "VnetLocal 10.11.0.0/16 wins over BGP [EFF-7]\n"
	    "VirtualNetworkGateway Active 10.12.0.0/16 VirtualNetworkGateway 10.1.2.4: active for "
	    "its part of the prefix [RS-65]\n"
	    "Default Active 10.11.0.0/16 VnetLocal: active for its part of the prefix [SYS-1]\n"
	    "Default Active 0.0.0.0/0 Internet: beaten by longer prefix 10.0.0.0/8 [EFF-6]\n");
	fix_close(&f);
}

static void
test_explain_is_bounded(void)
{
	static const struct fix_route nva = { HRP_SRC_NVA, 1, 0 };
	struct fc_candidate *c;
	char net[IPNET_STRLEN];
	struct fix f;
	size_t n;

	fix_open(&f, plan);
	for (uint32_t i = 0; i < FC_EXPLAIN_MAX + 10; i++)
		fix_tell(&f, "rs1-1", nva,
		    ipnet_format(net, (struct ipnet){ 0x2c000000 + (i << 8), 24 }), "10.1.2.4");
	CU_ASSERT_EQUAL_FATAL(
	    fc_eff_explain(f.l, fix_nic(&f, "vm11"), (struct ipnet){ 0x2c000000, 7 }, &c, &n),
	    FAB_OK);
	CU_ASSERT_EQUAL(n, FC_EXPLAIN_MAX);
	free(c);
	fix_close(&f);
}

static void
test_explain_the_platform(void)
{
	struct fc_eff_route r;
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0 168.63.129.0/24", "10.1.2.4");
	fix_expect_explain(&f, "vm11", "168.63.129.16/32",
	    "Default Active 0.0.0.0/0 Internet: chosen [SYS-2]\n"
	    "VirtualNetworkGateway Active 168.63.129.0/24 VirtualNetworkGateway 10.1.2.4: does "
	    "not count: the platform has this address []\n"
	    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4: does not "
	    "count: the platform has this address []\n");
	CU_ASSERT_TRUE(fc_eff_lookup(f.l, fix_nic(&f, "vm11"), IPADDR_PLATFORM, &r));
	CU_ASSERT_EQUAL(r.hop, FC_HOP_INTERNET);
	fix_close(&f);
}

static CU_TestInfo explain_tests[] = {
	{ "explain: the platform's address", test_explain_the_platform },
	{ "explain: chosen and beaten", test_explain_chosen_and_beaten },
	{ "explain: routes of the other instance", test_explain_routes_of_the_other_instance },
	{ "explain: losers among gateways", test_explain_losers_among_gateways },
	{ "explain: a covering prefix", test_explain_a_covering_prefix },
	{ "explain is bounded", test_explain_is_bounded },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_explain", explain_tests)
