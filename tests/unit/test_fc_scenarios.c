/*
 * Effective routes in the scenarios of section 8, as tables: what each NIC sees before, during and
 * after.
 */
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"
#include "tests/unit/fc_plan.h"

static const char plan[] = PLAN;

static void
test_example_of_section_5_5(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4 10.1.2.5");
	fix_both(&f, "rs1", HRP_SRC_EXPRESS_ROUTE, "172.20.0.0/16", "10.24.0.4 10.24.0.5");
	fix_expect_table(&f, "vm11",
	    D_S11 D_HUB VIA("0.0.0.0/0", "10.1.2.4 10.1.2.5")
		VIA("172.20.0.0/16", "10.24.0.4 10.24.0.5")); /* ER-19 */
	fix_close(&f);
}

static void
test_sc_a_firewall_attracts_the_default_route(void)
{
	static const char via[] =
	    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4";
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_expect_table(&f, "vm11", D_S11 D_HUB VIA("0.0.0.0/0", "10.1.2.4"));
	fix_expect_table(&f, "vm12", D_S12 D_HUB VIA("0.0.0.0/0", "10.1.2.4"));
	fix_expect_table(&f, "work1", D_HUB_VM VIA("0.0.0.0/0", "10.1.2.4"));
	fix_expect_lookup(&f, "vm11", "10.12.0.4", via); /* spoke to spoke: no peering */
	fix_expect_lookup(&f, "vm11", "10.1.10.4", "Default Active 10.1.0.0/16 VNetPeering");
	/* somebody adds a UDR */
	fix_expect_table(&f, "out1",
	    D_HUB_VM "VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
		     "User Active 0.0.0.0/0 Internet (out)\n");
	fix_expect_table(&f, "still1", D_HUB_VM D_INTERNET NONE);
	/* private traffic only: a supernet (RS-53) */
	fix_both_withdraw(&f, "rs1", "0.0.0.0/0");
	fix_nva(&f, "rs1", "10.0.0.0/8", "10.1.2.4");
	fix_expect_table(
	    &f, "vm11", D_S11 D_HUB D_INTERNET VIA("10.0.0.0/8", "10.1.2.4") "12 None\n");
	/* failover without a second NVA */
	fix_both_withdraw(&f, "rs1", "10.0.0.0/8");
	fix_expect_table(&f, "vm11", D_S11 D_HUB D_INTERNET NONE);
	fix_close(&f);
}

static void
test_sc_b_c_active_passive_and_ecmp(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4"); /* SC-B: the shorter path alone */
	fix_expect_table(&f, "vm11", D_S11 D_HUB VIA("0.0.0.0/0", "10.1.2.4"));
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.5"); /* NVA1 is killed */
	fix_expect_table(&f, "vm11", D_S11 D_HUB VIA("0.0.0.0/0", "10.1.2.5"));
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4 10.1.2.5"); /* SC-C */
	fix_expect_table(&f, "vm11", D_S11 D_HUB VIA("0.0.0.0/0", "10.1.2.4 10.1.2.5"));
	fix_close(&f);
}

static void
test_sc_d_vpn_nva_and_expressroute(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "192.168.250.0/24 172.21.0.0/16", "10.1.2.4");
	fix_both(&f, "rs1", HRP_SRC_EXPRESS_ROUTE, "172.20.0.0/16", "10.24.0.4 10.24.0.5");
	fix_expect_table(&f, "vm11",
	    D_S11 D_HUB D_INTERNET VIA("172.20.0.0/16", "10.24.0.4 10.24.0.5")
		VIA("172.21.0.0/16", "10.1.2.4") VIA("192.168.250.0/24", "10.1.2.4") NONE);
	fix_close(&f);
}

static void
test_sc_e_spokes_come_and_go(void)
{
	static const char only_s11[] =
	    HUB1 SPOKES "peerings: [{hub: hub1, spoke: s11}]\n" TABLES RS NVAS VMS;
	struct fix f;

	fix_open(&f, only_s11);
	fix_nva(&f, "rs1", "172.21.0.0/16", "10.1.2.4");
	fix_expect_table(&f, "vm12", D_S12 D_INTERNET NONE);
	fix_rebind(&f, plan); /* s12 is peered with gateway transit */
	fix_expect_table(&f, "vm12", D_S12 D_HUB D_INTERNET VIA("172.21.0.0/16", "10.1.2.4") NONE);
	fix_rebind(&f, only_s11);
	fix_expect_table(&f, "vm12", D_S12 D_INTERNET NONE);
	fix_close(&f);
}

#define REGION2                                                                                    \
	"  hub2: {region: northeurope, address_space: 10.2.0.0/16, subnets: {RouteServerSubnet: "  \
	"10.2.0.0/26, nva: 10.2.2.0/24}}\n"                                                        \
	"  s21: {region: northeurope, address_space: 10.21.0.0/16, subnets: {vms: "                \
	"10.21.0.0/24}}\n"

static void
test_sc_g_multi_region(void)
{
	struct fix f;

	fix_open(&f, HUB1 SPOKES REGION2
	    "peerings: [{hub: hub1, spoke: [s11, s12]}, {hub: hub2, spoke: s21}, {between: [hub1, "
	    "hub2]}]\n" TABLES
	    "route_servers: {rs1: {vnet: hub1, peers: [nva1]}, rs2: {vnet: hub2, peers: [nva3]}}\n"
	    "nvas:\n"
	    "  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, peers: {nva3: {}}}\n"
	    "  nva3: {subnet: hub2/nva, ip: 10.2.2.4, asn: 65002}\n" VMS
	    "  vm21: {subnet: s21/vms, ip: 10.21.0.4}\n");
	/* without MR-3 RS1 has none of 10.2x */
	fix_expect_lookup(&f, "vm11", "10.21.0.4", "Default Active 10.0.0.0/8 None");
	fix_nva(&f, "rs1", "10.2.0.0/16 10.21.0.0/16", "10.1.2.4");
	fix_nva(&f, "rs2", "10.1.0.0/16 10.11.0.0/16", "10.2.2.4");
	fix_expect_table(&f, "vm11",
	    D_S11 D_HUB D_INTERNET VIA("10.2.0.0/16", "10.1.2.4") VIA("10.21.0.0/16", "10.1.2.4")
		NONE);
	fix_expect_lookup(/* MR-8 */
	    &f, "work1", "10.2.2.4", "Default Active 10.2.0.0/16 VNetGlobalPeering");
	fix_expect_lookup(&f, "vm21", "10.11.0.4",
	    "VirtualNetworkGateway Active 10.11.0.0/16 VirtualNetworkGateway 10.2.2.4");
	fix_both_withdraw(&f, "rs1", "10.2.0.0/16 10.21.0.0/16"); /* NVA3 is gone */
	fix_expect_table(&f, "vm11", D_S11 D_HUB D_INTERNET NONE);
	fix_close(&f);
}

static void
test_sc_h_default_reaches_the_outside_subnet(void)
{
	struct fix f;

	fix_open(&f, HUB1 SPOKES PEERINGS TABLES RS NVAS VMS
	    "  outside: {subnet: hub1/outside, ip: 10.1.3.4}\n");
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_expect_table(&f, "outside", D_HUB_VM VIA("0.0.0.0/0", "10.1.2.4"));
	fix_expect_lookup(
	    &f, "out1", "8.8.8.8", "User Active 0.0.0.0/0 Internet (out)");              /* fix 1 */
	fix_expect_lookup(&f, "still1", "8.8.8.8", "Default Active 0.0.0.0/0 Internet"); /* fix 2 */
	/* with halves one UDR for 0.0.0.0/0 does not help */
	fix_nva(&f, "rs1", "0.0.0.0/1 128.0.0.0/1", "10.1.2.4");
	fix_expect_lookup(&f, "out1", "8.8.8.8",
	    "VirtualNetworkGateway Active 0.0.0.0/1 VirtualNetworkGateway 10.1.2.4");
	fix_close(&f);
}

/* GV-8: VIP 10.1.0.5/32 outside the VNet 10.0.0.0/16; the primary is killed and returns. */
static void
test_gv_8_failover_of_a_vip(void)
{
	static const char vip[] = "VirtualNetworkGateway Active 10.1.0.5/32 VirtualNetworkGateway ";
	char want[128];
	struct fix f;

	fix_open(&f, "vnets: {lab: {address_space: 10.0.0.0/16, subnets: {RouteServerSubnet: "
		     "10.0.0.0/26, vms: 10.0.1.0/24}}}\n"
		     "route_servers: {rs: {vnet: lab, peers: [a, b]}}\n"
		     "nvas: {a: {subnet: lab/vms, ip: 10.0.1.4, asn: 65010}, b: {subnet: lab/vms, "
		     "ip: 10.0.1.5, asn: 65010}}\n"
		     "vms: {client: {subnet: lab/vms, ip: 10.0.1.6}}\n");
	for (int step = 0; step < 3; step++) {
		const char *via = step == 1 ? "10.0.1.5" : "10.0.1.4";

		fix_nva(&f, "rs", "10.1.0.5/32", via);
		snprintf(want, sizeof(want), "%s%s", vip, via);
		fix_expect_lookup(&f, "client", "10.1.0.5", want);
	}
	fix_close(&f);
}

static CU_TestInfo scenario_tests[] = {
	{ "example of section 5.5", test_example_of_section_5_5 },
	{ "SC-A: firewall attracts the default route",
	    test_sc_a_firewall_attracts_the_default_route },
	{ "SC-B, SC-C: active/passive and ECMP", test_sc_b_c_active_passive_and_ecmp },
	{ "SC-D: VPN NVA and ExpressRoute", test_sc_d_vpn_nva_and_expressroute },
	{ "SC-E: spokes come and go", test_sc_e_spokes_come_and_go },
	{ "SC-G, MR-8: multi-region", test_sc_g_multi_region },
	{ "SC-H: the default reaches the outside subnet",
	    test_sc_h_default_reaches_the_outside_subnet },
	{ "GV-8: failover of a VIP", test_gv_8_failover_of_a_vip },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_scenarios", scenario_tests)
