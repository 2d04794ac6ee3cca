/*
 * Effective routes: the rules of sections 1.5 and 5.1 to 5.5 one by one, and a comparison of
 * listing and look-up with a naive model.
 */
#include "fabricd/fc_layers_int.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"
#include "tests/unit/fc_plan.h"
#include "tests/unit/fc_seed.h"

static const char plan[] = PLAN;

/* ---- 5.1 system routes ---- */

static void
test_sys_1_to_4_alone(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_expect_table(&f, "vm11", D_S11 D_HUB D_INTERNET NONE);
	fix_expect_table(&f, "work1", D_HUB_VM D_INTERNET NONE);
	fix_close(&f);
}

static void
test_sys_3_and_4_prefixes_drop(void)
{
	static const char *const prefixes[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10", "127.0.0.0/8", "198.18.0.0/15", "157.59.0.0/16", "104.146.0.0/17",
		"104.147.0.0/16", "40.108.0.0/17", "40.109.0.0/16", "23.103.0.0/18",
		"20.35.252.0/22" };
	struct fix f;

	fix_open(&f, plan);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct ipnet net;
		char addr[IPADDR_STRLEN], want[64];

		CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, prefixes[i]), FAB_OK);
		snprintf(want, sizeof(want), "Default Active %s None", prefixes[i]);
		fix_expect_lookup(&f, "vm11", ipaddr_format(addr, net.addr), want);
		ipaddr_format(addr, net.addr | ~ipnet_mask(net.len));
		fix_expect_lookup(&f, "vm11", addr, want);
	}
	fix_close(&f);
}

/* A VNet that is exactly 10.0.0.0/8 takes the place of the None route; one inside does not
 * (OPEN-8). */
static void
test_sys_3_vnet_replaces_its_own_none_route(void)
{
	struct fix f;

	fix_open(&f, "vnets: {big: {address_space: 10.0.0.0/8, subnets: {vms: 10.0.0.0/24}}}\n"
		     "vms: {vm: {subnet: big/vms, ip: 10.0.0.4}}\n");
	fix_expect_table(&f, "vm", "Default Active 10.0.0.0/8 VnetLocal\n" D_INTERNET "12 None\n");
	fix_close(&f);
}

static void
test_sys_5_none_routes_vanish_with_the_default(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_expect_lookup(&f, "vm11", "192.168.1.1", "Default Active 192.168.0.0/16 None");
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_expect_table(&f, "vm11", D_S11 D_HUB VIA("0.0.0.0/0", "10.1.2.4"));
	fix_expect_lookup(&f, "vm11", "192.168.1.1",
	    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4");
	/* by a UDR as well, and not where the BGP default does not arrive (UDR-7) */
	fix_expect_lookup(&f, "out1", "192.168.1.1", "User Active 0.0.0.0/0 Internet (out)");
	fix_expect_lookup(&f, "still1", "192.168.1.1", "Default Active 192.168.0.0/16 None");
	fix_both_withdraw(&f, "rs1", "0.0.0.0/0");
	fix_expect_table(&f, "vm11", D_S11 D_HUB D_INTERNET NONE);
	fix_close(&f);
}

static void
test_sys_6_global_peering(void)
{
	struct fix f;

	fix_open(&f, "vnets:\n"
		     "  a: {region: westeurope, address_space: [10.1.0.0/16, 10.101.0.0/16], "
		     "subnets: {vms: 10.1.0.0/24}}\n"
		     "  b: {region: northeurope, address_space: [10.2.0.0/16, 10.102.0.0/16], "
		     "subnets: {vms: 10.2.0.0/24}}\n"
		     "peerings: [{between: [a, b]}]\n"
		     "vms: {vma: {subnet: a/vms, ip: 10.1.0.4}}\n");
	fix_expect_table(&f, "vma",
	    "Default Active 10.1.0.0/16 VnetLocal\n"
	    "Default Active 10.101.0.0/16 VnetLocal\n"
	    "Default Active 10.2.0.0/16 VNetGlobalPeering\n"
	    "Default Active 10.102.0.0/16 VNetGlobalPeering\n" D_INTERNET NONE);
	fix_close(&f);
}

/* ---- 5.2 peerings ---- */

#define THREE                                                                                      \
	"vnets:\n"                                                                                 \
	"  a: {address_space: 10.1.0.0/16, subnets: {vms: 10.1.0.0/24}}\n"                         \
	"  b: {address_space: 10.2.0.0/16, subnets: {vms: 10.2.0.0/24}}\n"                         \
	"  c: {address_space: 10.3.0.0/16, subnets: {vms: 10.3.0.0/24}}\n"
#define THREE_VMS "vms: {vma: {subnet: a/vms, ip: 10.1.0.4}, vmb: {subnet: b/vms, ip: 10.2.0.4}}\n"

static void
test_peer_1_only_connected_peerings_have_routes(void)
{
	struct fix f;

	fix_open(&f, THREE "peerings: [{from: a, to: b}]\n" THREE_VMS);
	fix_expect_table(&f, "vma", "Default Active 10.1.0.0/16 VnetLocal\n" D_INTERNET NONE);
	fix_expect_explain(&f, "vma", "10.2.0.0/16",
	    "Default Active 10.0.0.0/8 None: chosen [SYS-3]\n"
	    "Default Active 10.2.0.0/16 VNetPeering: absent: the peering is Initiated [PEER-1]\n"
	    "Default Active 0.0.0.0/0 Internet: beaten by longer prefix 10.0.0.0/8 [EFF-6]\n");
	fix_rebind(&f, THREE "peerings: [{from: a, to: b}, {from: b, to: a}]\n" THREE_VMS);
	fix_expect_table(&f, "vma",
	    "Default Active 10.1.0.0/16 VnetLocal\n"
	    "Default Active 10.2.0.0/16 VNetPeering\n" D_INTERNET NONE);
	fix_close(&f);
}

static void
test_peer_2_no_transit_over_two_peerings(void)
{
	struct fix f;

	fix_open(&f, THREE "peerings: [{between: [a, b]}, {between: [b, c]}]\n" THREE_VMS);
	fix_expect_lookup(&f, "vma", "10.3.0.4", "Default Active 10.0.0.0/8 None");
	fix_expect_lookup(&f, "vmb", "10.3.0.4", "Default Active 10.3.0.0/16 VNetPeering");
	fix_close(&f);
}

/* PEER-5: the route stays; PEER-4: a new prefix of the peer is a route after the next bind. */
static void
test_peer_4_and_5_prefixes_of_the_peer(void)
{
	struct fix f;

	fix_open(&f,
	    THREE "peerings: [{between: [a, b], allow_virtual_network_access: false}]\n" THREE_VMS);
	fix_expect_lookup(&f, "vma", "10.2.0.4", "Default Active 10.2.0.0/16 VNetPeering");
	fix_expect_lookup(&f, "vma", "10.22.0.4", "Default Active 10.0.0.0/8 None");
	fix_rebind(&f, "vnets:\n"
		       "  a: {address_space: 10.1.0.0/16, subnets: {vms: 10.1.0.0/24}}\n"
		       "  b: {address_space: [10.2.0.0/16, 10.22.0.0/16], subnets: {vms: "
		       "10.2.0.0/24}}\n"
		       "peerings: [{between: [a, b]}]\n" THREE_VMS);
	fix_expect_lookup(&f, "vma", "10.22.0.4", "Default Active 10.22.0.0/16 VNetPeering");
	fix_close(&f);
}

/* ---- 5.3 user-defined routes ---- */

static void
test_udr_1_2_8_types_and_override_of_system_routes(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "172.21.0.0/16 10.1.2.0/24", "10.1.2.4");
	fix_expect_table(&f, "udr11",
	    "Default Invalid 10.11.0.0/16 VnetLocal\n" /* UDR-8 */
	    D_HUB D_INTERNET "Default Invalid 10.0.0.0/8 None\n"
	    "VirtualNetworkGateway Invalid 172.21.0.0/16 VirtualNetworkGateway 10.1.2.4\n"
	    "User Active 10.0.0.0/8 VirtualAppliance 10.1.2.4 (all)\n"
	    "User Active 10.11.0.0/16 VirtualAppliance 10.1.2.4 (local)\n"
	    "User Active 10.1.2.128/25 None (drop)\n"
	    "User Active 172.21.0.0/16 VirtualNetworkGateway (vpn)\n"
	    "12 None\n");
	/* UDR-1: the other subnet of the VNet has no table */
	fix_expect_lookup(&f, "vm11", "10.11.0.5", "Default Active 10.11.0.0/16 VnetLocal");
	fix_close(&f);
}

static void
test_udr_7_no_propagation_means_no_bgp_route_at_all(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_both(&f, "rs1", HRP_SRC_EXPRESS_ROUTE, "172.20.0.0/16", "10.24.0.4 10.24.0.5");
	fix_expect_table(&f, "still1", D_HUB_VM D_INTERNET NONE); /* RS-63 */
	CU_ASSERT_TRUE(fc_eff_propagation_disabled(f.t, fix_nic(&f, "still1")));
	CU_ASSERT_FALSE(fc_eff_propagation_disabled(f.t, fix_nic(&f, "out1")));
	CU_ASSERT_FALSE(fc_eff_propagation_disabled(f.t, fix_nic(&f, "work1")));
	fix_close(&f);
}

/* ---- 5.4 selection ---- */

static void
test_eff_6_longest_prefix_then_user_bgp_system(void)
{
	static const struct {
		const char *addr, *want;
	} rows[] = {
		{ "10.1.2.200", "User Active 10.1.2.128/25 None (drop)" },
		{ "10.1.2.4", "Default Active 10.1.0.0/16 VNetPeering" },
		{ "10.11.0.4", "User Active 10.11.0.0/16 VirtualAppliance 10.1.2.4 (local)" },
		{ "10.12.0.4",
		    "VirtualNetworkGateway Active 10.12.0.0/14 VirtualNetworkGateway 10.1.2.5" },
		{ "10.99.0.4", "User Active 10.0.0.0/8 VirtualAppliance 10.1.2.4 (all)" },
		{ "172.21.0.1", "User Active 172.21.0.0/16 VirtualNetworkGateway (vpn)" },
		{ "172.16.0.1",
		    "VirtualNetworkGateway Active 172.16.0.0/12 VirtualNetworkGateway 10.1.2.5" },
		{ "8.8.8.8", "Default Active 0.0.0.0/0 Internet" },
	};
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "10.0.0.0/8 10.12.0.0/14 172.16.0.0/12 172.21.0.0/16", "10.1.2.5");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fix_expect_lookup(&f, "udr11", rows[i].addr, rows[i].want);
	fix_close(&f);
}

/* Observed: 10.10.1.0/27 of the Route Server not in the table of a NIC whose VNet is peered to the
 * hub 10.10.0.0/16; without the peering the hub and its subnet both appear. */
static void
test_eff_7_vnet_routes_win_over_longer_bgp_routes(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1",
	    "10.1.0.0/16 10.1.10.0/24 10.11.0.0/17 10.12.0.0/16 10.12.1.0/24 10.0.0.0/15",
	    "10.1.2.4");
	fix_expect_table(&f, "vm11",
	    D_S11 D_HUB D_INTERNET VIA("10.0.0.0/15", "10.1.2.4") VIA("10.12.0.0/16", "10.1.2.4")
		VIA("10.12.1.0/24", "10.1.2.4") NONE);
	fix_close(&f);
}

static void
test_eff_8_short_udr_does_not_override_a_peering(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_expect_lookup(&f, "udr11", "10.1.10.4", "Default Active 10.1.0.0/16 VNetPeering");
	fix_expect_explain(&f, "udr11", "10.1.10.4/32",
	    "Default Active 10.1.0.0/16 VNetPeering: chosen [SYS-6]\n"
	    "User Active 10.0.0.0/8 VirtualAppliance 10.1.2.4 (all): "
	    "beaten by longer prefix 10.1.0.0/16 VNetPeering [EFF-8]\n"
	    "Default Invalid 10.0.0.0/8 None: beaten by User 10.0.0.0/8 [EFF-6]\n"
	    "Default Active 0.0.0.0/0 Internet: beaten by longer prefix 10.1.0.0/16 [EFF-6]\n");
	fix_close(&f);
}

/* ---- 5.5 the table ---- */

static void
test_eff_10_11_names(void)
{
	CU_ASSERT_STRING_EQUAL(fc_source_name(FC_SRC_DEFAULT), "Default");
	CU_ASSERT_STRING_EQUAL(fc_source_name(FC_SRC_GATEWAY), "VirtualNetworkGateway");
	CU_ASSERT_STRING_EQUAL(fc_source_name(FC_SRC_USER), "User");
	CU_ASSERT_STRING_EQUAL(fc_state_name(FC_ACTIVE), "Active");
	CU_ASSERT_STRING_EQUAL(fc_state_name(FC_INVALID), "Invalid");
	CU_ASSERT_STRING_EQUAL(fc_hop_name(FC_HOP_VNET_LOCAL), "VnetLocal");
	CU_ASSERT_STRING_EQUAL(fc_hop_name(FC_HOP_VNET_PEERING), "VNetPeering");
	CU_ASSERT_STRING_EQUAL(fc_hop_name(FC_HOP_VNET_GLOBAL_PEERING), "VNetGlobalPeering");
	CU_ASSERT_STRING_EQUAL(fc_hop_name(FC_HOP_INTERNET), "Internet");
	CU_ASSERT_STRING_EQUAL(fc_hop_name(FC_HOP_NONE), "None");
	CU_ASSERT_STRING_EQUAL(fc_hop_name(FC_HOP_VIRTUAL_APPLIANCE), "VirtualAppliance");
	CU_ASSERT_STRING_EQUAL(fc_hop_name(FC_HOP_GATEWAY), "VirtualNetworkGateway");
	CU_ASSERT_STRING_EQUAL(
	    fc_hop_name(FC_HOP_SERVICE_ENDPOINT), "VirtualNetworkServiceEndpoint"); /* SYS-7 */
}

/* EFF-12: only User rows have a name, system rows no next hop address. */
static void
test_eff_12_fields_of_a_row(void)
{
	struct fc_eff_route *rows;
	struct fix f;
	size_t n;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "192.0.2.0/24", "10.1.2.4");
	CU_ASSERT_EQUAL_FATAL(fc_eff_list(f.l, fix_nic(&f, "udr11"), &rows, &n), FAB_OK);
	CU_ASSERT_TRUE(n > 10);
	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_EQUAL(rows[i].name != NULL, rows[i].source == FC_SRC_USER);
		CU_ASSERT_EQUAL(rows[i].route_table >= 0, rows[i].source == FC_SRC_USER);
		CU_ASSERT_EQUAL(rows[i].peer_vnet >= 0, rows[i].hop == FC_HOP_VNET_PEERING);
		if (rows[i].source == FC_SRC_DEFAULT)
			CU_ASSERT_EQUAL(rows[i].n_next_hops, 0);
		CU_ASSERT_EQUAL(rows[i].bgp_source,
		    rows[i].source == FC_SRC_GATEWAY ? HRP_SRC_NVA : HRP_SRC_UNKNOWN);
	}
	free(rows);
	fix_close(&f);
}

static void
test_eff_13_14_losers_of_the_same_prefix(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_expect_table(&f, "out1", /* against the system route */
	    D_HUB_VM "Default Invalid 0.0.0.0/0 Internet\n"
		     "User Active 0.0.0.0/0 Internet (out)\n");
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_expect_table(&f, "out1", /* against BGP, which had replaced the system route */
	    D_HUB_VM "VirtualNetworkGateway Invalid 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
		     "User Active 0.0.0.0/0 Internet (out)\n");
	fix_expect_table(&f, "work1", /* EFF-14: absent, not Invalid */
	    D_HUB_VM VIA("0.0.0.0/0", "10.1.2.4"));
	fix_close(&f);
}

static void
test_eff_15_ecmp_is_one_row(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "192.0.2.0/24", "10.1.2.5 10.1.2.4"); /* OPEN-10 */
	fix_expect_lookup(&f, "vm11", "192.0.2.1",
	    "VirtualNetworkGateway Active 192.0.2.0/24 VirtualNetworkGateway 10.1.2.4 10.1.2.5");
	fix_close(&f);
}

/* SC-F in small: 10.31/16 announced with a next hop in s11 is usable in s11 and hub1, but not in
 * s12, which is not peered with s11. */
static void
test_rs_57_eff_16_next_hop_not_directly_reachable(void)
{
	static const char dropped[] = "VirtualNetworkGateway Active 10.31.0.0/16 None";
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "10.31.0.0/16", "10.11.2.4");
	fix_expect_lookup(&f, "work1", "10.31.0.4",
	    "VirtualNetworkGateway Active 10.31.0.0/16 VirtualNetworkGateway 10.11.2.4");
	fix_expect_lookup(&f, "vm11", "10.31.0.4",
	    "VirtualNetworkGateway Active 10.31.0.0/16 VirtualNetworkGateway 10.11.2.4");
	fix_expect_lookup(&f, "vm12", "10.31.0.4", dropped);
	fix_expect_explain(&f, "vm12", "10.31.0.0/16",
	    "VirtualNetworkGateway Active 10.31.0.0/16 None: chosen, but its next hop is not "
	    "directly reachable: dropped [RS-57]\n"
	    "Default Active 10.0.0.0/8 None: beaten by longer prefix 10.31.0.0/16 [EFF-6]\n"
	    "Default Active 0.0.0.0/0 Internet: beaten by longer prefix 10.31.0.0/16 [EFF-6]\n");
	/* of two next hops the reachable one is left */
	fix_nva(&f, "rs1", "10.31.0.0/16", "10.11.2.4 10.1.2.4");
	fix_expect_lookup(&f, "vm12", "10.31.0.4",
	    "VirtualNetworkGateway Active 10.31.0.0/16 VirtualNetworkGateway 10.1.2.4");
	fix_nva(&f, "rs1", "10.31.0.0/16", ""); /* none at all */
	fix_expect_lookup(&f, "vm11", "10.31.0.4", dropped);
	/* an unreachable default still takes the place of the system's */
	fix_nva(&f, "rs1", "0.0.0.0/0", "192.0.2.1");
	fix_expect_table(&f, "vm12",
	    D_S12 D_HUB "VirtualNetworkGateway Active 0.0.0.0/0 None\n"
			"VirtualNetworkGateway Active 10.31.0.0/16 None\n");
	fix_close(&f);
}

static void
test_eff_17_suppressed_routes_are_explained_not_listed(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0 10.1.10.0/24", "10.1.2.4");
	fix_expect_table(&f, "vm11", D_S11 D_HUB VIA("0.0.0.0/0", "10.1.2.4"));
	fix_expect_explain(&f, "vm11", "10.1.10.0/24",
	    "Default Active 10.1.0.0/16 VNetPeering: chosen [EFF-7]\n"
	    "VirtualNetworkGateway Active 10.1.10.0/24 VirtualNetworkGateway 10.1.2.4: hidden: "
	    "VNetPeering 10.1.0.0/16 wins over BGP [EFF-7]\n"
	    "Default Active 10.0.0.0/8 None: absent: 0.0.0.0/0 is overridden [SYS-5]\n"
	    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4: beaten by "
	    "longer prefix 10.1.0.0/16 [EFF-6]\n"
	    "Default Active 0.0.0.0/0 Internet: absent: BGP 0.0.0.0/0 is present [EFF-14]\n");
	fix_close(&f);
}

static void
test_eff_18_vm_must_run(void)
{
	struct fc_eff_route *rows = NULL;
	struct fix f;
	size_t n = 7;

	fix_open(&f, plan);
	CU_ASSERT_EQUAL(fc_eff_list(f.l, fix_nic(&f, "off11"), &rows, &n), FAB_ECLOSED);
	CU_ASSERT_PTR_NULL(rows);
	CU_ASSERT_EQUAL(n, 7);
	fix_close(&f);
}

/* ---- 1.5 ---- */

static void
test_rs_62_every_subnet_of_the_scope(void)
{
	static const char *const in_scope[] = { "vm11", "vm12", "work1", "nva1", "nva2" };
	struct fc_view v;
	struct fc_eff_route r;
	struct fix f;

	fix_open(&f, plan);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	for (size_t i = 0; i < sizeof(in_scope) / sizeof(in_scope[0]); i++) /* nva1: RS-64 */
		fix_expect_lookup(&f, in_scope[i], "8.8.8.8",
		    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4");
	fc_view_subnet(&v, f.l, topo_find_vnet(f.t, "hub1"), 1, 0); /* GatewaySubnet */
	CU_ASSERT_TRUE_FATAL(fc_view_lookup(&v, (struct ipnet){ 0x08080808, 32 }, &r));
	CU_ASSERT_EQUAL(r.source, FC_SRC_GATEWAY);
	fix_close(&f);
}

/* RS-62, PEER-7, PEER-8: a peering without useRemoteGateways gets nothing (SC-E). */
static void
test_rs_62_not_without_gateway_transit(void)
{
	struct fix f;

	fix_open(&f, HUB1 SPOKES
	    "peerings: [{hub: hub1, spoke: s11}, {between: [hub1, s12]}]\n" TABLES RS NVAS VMS);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_expect_lookup(&f, "vm12", "8.8.8.8", "Default Active 0.0.0.0/0 Internet");
	fix_expect_lookup(&f, "vm11", "8.8.8.8",
	    "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4");
	fix_close(&f);
}

/* ---- against a naive model ---- */

#define MODEL_MAX 60

struct model {
	struct ipnet bgp[MODEL_MAX];
	uint32_t hop[MODEL_MAX];
	size_t n_bgp;
};

static struct ipnet
random_net(unsigned *seed)
{
	static const uint32_t bases[] = { 0x0a010000, 0x0a0b0000, 0x0a0c0000, 0x0a150000,
		0xac140000, 0x08080000, 0x00000000, 0xc0a80000 };
	static const uint8_t lens[] = { 0, 1, 7, 8, 12, 14, 15, 16, 16, 17, 24, 32 };
	uint8_t len = lens[(size_t)rand_r(seed) % sizeof(lens)];
	uint32_t addr = bases[rand_r(seed) % 8] | (uint32_t)(rand_r(seed) & 0x0302);

	return (struct ipnet){ addr & ipnet_mask(len), len };
}

/* Section 5.4 read aloud: drop, then keep the best of equal prefixes, then longest match. */
static int
naive_lookup(
    const struct fix *f, const struct model *m, int nic, uint32_t addr, struct fc_eff_route *out)
{
	struct fc_view v;
	int best = -1;
	bool overridden = false;

	fc_view_nic(&v, f->l, nic);
	for (size_t i = 0; v.propagates && i < m->n_bgp; i++)
		overridden = overridden || m->bgp[i].len == 0;
	for (size_t i = 0; v.table >= 0 && i < f->t->tables[v.table].n_routes; i++)
		overridden = overridden || f->t->tables[v.table].routes[i].prefix.len == 0;
	for (size_t i = 0; i < v.sys->n; i++) {
		const struct fc_sys_route *r = &v.sys->v[i];

		if ((r->hop == FC_HOP_NONE && overridden) || !ipnet_has_addr(r->prefix, addr) ||
		    r->prefix.len <= best)
			continue;
		best = r->prefix.len;
		fc_view_sys_row(out, r);
	}
	for (size_t i = 0; v.propagates && i < m->n_bgp; i++) {
		bool hidden = false;

		for (size_t j = 0; j < v.sys->n; j++)
			hidden = hidden || (fc_hop_is_vnet(v.sys->v[j].hop) &&
					       ipnet_contains(v.sys->v[j].prefix, m->bgp[i]));
		if (hidden || !ipnet_has_addr(m->bgp[i], addr) || m->bgp[i].len < best)
			continue;
		best = m->bgp[i].len;
		*out = (struct fc_eff_route){ .source = FC_SRC_GATEWAY,
			.hop = FC_HOP_GATEWAY,
			.prefix = m->bgp[i],
			.next_hops = &m->hop[i],
			.n_next_hops = 1 };
	}
	for (size_t i = 0; v.table >= 0 && i < f->t->tables[v.table].n_routes; i++) {
		const struct topo_udr *u = &f->t->tables[v.table].routes[i];

		if (!ipnet_has_addr(u->prefix, addr) || u->prefix.len < best)
			continue;
		best = u->prefix.len;
		fc_view_user_row(&v, out, i);
	}
	return best;
}

static void
change_model(struct fix *f, struct model *m, unsigned *seed)
{
	struct ipnet net = random_net(seed);
	uint32_t hop = 0x0a010204 + (uint32_t)(rand_r(seed) & 1);
	char net_text[IPNET_STRLEN], hop_text[IPADDR_STRLEN];
	size_t at = 0;

	ipnet_format(net_text, net);
	while (at < m->n_bgp && !ipnet_eq(m->bgp[at], net))
		at++;
	if (rand_r(seed) % 3 == 0) {
		fix_both_withdraw(f, "rs1", net_text);
		if (at < m->n_bgp) {
			m->n_bgp--;
			m->bgp[at] = m->bgp[m->n_bgp];
			m->hop[at] = m->hop[m->n_bgp];
		}
	} else if (at < MODEL_MAX) {
		fix_nva(f, "rs1", net_text, ipaddr_format(hop_text, hop));
		m->bgp[at] = net;
		m->hop[at] = hop;
		m->n_bgp += at == m->n_bgp;
	}
}

/* The listing and the look-up must agree as well: the longest Active row decides. */
static int
listed_lookup(const struct fc_eff_route *rows, size_t n, uint32_t addr)
{
	int best = -1;

	for (size_t i = 0; i < n; i++)
		if (rows[i].state == FC_ACTIVE && ipnet_has_addr(rows[i].prefix, addr) &&
		    (best < 0 || rows[i].prefix.len > rows[best].prefix.len))
			best = (int)i;
	return best;
}

static bool
same_route(const struct fc_eff_route *a, const struct fc_eff_route *b)
{
	return a->source == b->source && a->hop == b->hop && ipnet_eq(a->prefix, b->prefix) &&
	       a->n_next_hops == b->n_next_hops &&
	       (a->n_next_hops == 0 || a->next_hops[0] == b->next_hops[0]);
}

static void
compare_nic(struct fix *f, const struct model *m, int nic, unsigned *seed)
{
	struct fc_eff_route *rows, got, want;
	size_t n;

	CU_ASSERT_EQUAL_FATAL(fc_eff_list(f->l, nic, &rows, &n), FAB_OK);
	for (int i = 0; i < 40; i++) {
		uint32_t addr = random_net(seed).addr | (uint32_t)(rand_r(seed) & 0xff);
		int listed = listed_lookup(rows, n, addr);
		bool found = fc_eff_lookup(f->l, nic, addr, &got);

		CU_ASSERT_EQUAL(found, naive_lookup(f, m, nic, addr, &want) >= 0);
		CU_ASSERT_EQUAL(found, listed >= 0);
		if (!found || listed < 0)
			continue;
		CU_ASSERT_TRUE(same_route(&got, &want));
		CU_ASSERT_TRUE(same_route(&got, &rows[listed]));
	}
	free(rows);
}

/* The plan with other user-defined routes for udr11. */
static void
random_plan(char *yaml, size_t size, unsigned *seed)
{
	static const char *const hops[] = { "VirtualAppliance 10.1.2.4", "Internet", "VnetLocal",
		"None" };
	struct ipnet used[12];
	size_t n = 0;

	snprintf(yaml, size,
	    HUB1 SPOKES PEERINGS RS NVAS VMS
	    "route_tables:\n"
	    "  rt-internet: {routes: {out: {prefix: 0.0.0.0/0, next_hop: Internet}}}\n"
	    "  rt-still: {disable_bgp_route_propagation: %s}\n"
	    "  rt-udr:\n"
	    "    routes:\n",
	    rand_r(seed) % 2 == 0 ? "true" : "false");
	for (int i = 0; i < 12; i++) {
		struct ipnet net = random_net(seed);
		char text[IPNET_STRLEN];
		bool known = false;

		for (size_t k = 0; k < n; k++)
			known = known || ipnet_eq(used[k], net);
		if (known)
			continue; /* UDR-4 */
		used[n++] = net;
		snprintf(yaml + strlen(yaml), size - strlen(yaml),
		    "      r%d: {prefix: %s, next_hop: %s}\n", i, ipnet_format(text, net),
		    hops[rand_r(seed) % 4]);
	}
}

static void
test_same_answers_as_the_naive_model(void)
{
	static const char *const nics[] = { "vm11", "udr11", "work1", "out1", "still1", "nva1" };
	unsigned seed = fc_seed();
	struct model m = { .n_bgp = 0 };
	char yaml[8192];
	struct fix f;

	fix_open(&f, plan);
	for (int round = 0; round < 200; round++) {
		if (round % 10 == 9) {
			random_plan(yaml, sizeof(yaml), &seed);
			fix_rebind(&f, yaml);
		}
		for (int i = 0; i < 5; i++)
			change_model(&f, &m, &seed);
		for (size_t i = 0; i < sizeof(nics) / sizeof(nics[0]); i++)
			compare_nic(&f, &m, fix_nic(&f, nics[i]), &seed);
	}
	fix_close(&f);
}

/* UDR-5: of equal prefixes the most explicit route counts, whatever the order in the file; a longer
 * prefix wins whatever it comes from. */
static void
test_udr_5_service_tags(void)
{
	static const char *const text =
	    "service_tags:\n"
	    "  - {tag: AzureCloud, prefixes: [20.0.0.0/8, 20.1.0.0/16, 20.2.0.0/16, 20.3.0.0/16, "
	    "20.4.0.0/16]}\n"
	    "  - {tag: AzureCloud.WestEurope, prefixes: [20.1.0.0/16, 20.2.0.0/16, 20.3.0.0/16, "
	    "20.4.0.0/16]}\n"
	    "  - {tag: Storage, prefixes: [20.2.0.0/16, 20.3.0.0/16, 20.4.0.0/16]}\n"
	    "  - {tag: Storage.WestEurope, prefixes: [20.3.0.0/16, 20.4.0.0/16]}\n"
	    "vnets: {v: {address_space: 10.1.0.0/16, subnets: {vms: {prefix: 10.1.0.0/24, "
	    "route_table: rt}}}}\n"
	    "route_tables: {rt: {routes: {\n"
	    "  e-cloud: {prefix: AzureCloud, next_hop: None},\n"
	    "  d-cloud-we: {prefix: azurecloud.westeurope, next_hop: Internet},\n"
	    "  c-storage: {prefix: Storage, next_hop: None},\n"
	    "  b-storage-we: {prefix: Storage.WestEurope, next_hop: Internet},\n"
	    "  a-prefix: {prefix: 20.4.0.0/16, next_hop: None},\n"
	    "  sample: {prefix: AzureActiveDirectory, next_hop: Internet}}}}\n"
	    "vms: {vm: {subnet: v/vms, ip: 10.1.0.4}}\n";
	static const struct {
		const char *addr, *want;
	} rows[] = {
		{ "20.9.0.1", "User Active 20.0.0.0/8 None (e-cloud)" },
		{ "20.1.0.1", "User Active 20.1.0.0/16 Internet (d-cloud-we)" },
		{ "20.2.0.1", "User Active 20.2.0.0/16 None (c-storage)" },
		{ "20.3.0.1", "User Active 20.3.0.0/16 Internet (b-storage-we)" },
		{ "20.4.0.1", "User Active 20.4.0.0/16 None (a-prefix)" },
		{ "40.126.1.1", "User Active 40.126.0.0/18 Internet (sample)" },
	};
	struct fix f;

	fix_open(&f, text);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		fix_expect_lookup(&f, "vm", rows[i].addr, rows[i].want);
	/* One route for each prefix, none of the losers. */
	CU_ASSERT_EQUAL(f.t->tables[0].n_routes, 7);
	CU_ASSERT_EQUAL(f.t->tables[0].n_given, 6);
	fix_close(&f);
}

static CU_TestInfo eff_tests[] = {
	{ "UDR-5: service tags", test_udr_5_service_tags },
	{ "SYS-1, SYS-2: system routes alone", test_sys_1_to_4_alone },
	{ "SYS-3, SYS-4: prefixes that drop", test_sys_3_and_4_prefixes_drop },
	{ "SYS-3, OPEN-8: a VNet replaces its own None route",
	    test_sys_3_vnet_replaces_its_own_none_route },
	{ "SYS-5: None routes vanish with the default",
	    test_sys_5_none_routes_vanish_with_the_default },
	{ "SYS-6: global peering", test_sys_6_global_peering },
	{ "PEER-1: only Connected peerings have routes",
	    test_peer_1_only_connected_peerings_have_routes },
	{ "PEER-2: no transit over two peerings", test_peer_2_no_transit_over_two_peerings },
	{ "PEER-4, PEER-5: prefixes of the peer", test_peer_4_and_5_prefixes_of_the_peer },
	{ "UDR-1, UDR-2, UDR-8: types, override of system routes",
	    test_udr_1_2_8_types_and_override_of_system_routes },
	{ "UDR-7, RS-63: no propagation means no BGP route at all",
	    test_udr_7_no_propagation_means_no_bgp_route_at_all },
	{ "EFF-6: longest prefix, then user, BGP, system",
	    test_eff_6_longest_prefix_then_user_bgp_system },
	{ "EFF-7: VNet routes win over longer BGP routes",
	    test_eff_7_vnet_routes_win_over_longer_bgp_routes },
	{ "EFF-8: a short UDR does not override a peering",
	    test_eff_8_short_udr_does_not_override_a_peering },
	{ "EFF-10, EFF-11: names", test_eff_10_11_names },
	{ "EFF-12: fields of a row", test_eff_12_fields_of_a_row },
	{ "EFF-13, EFF-14: losers of the same prefix", test_eff_13_14_losers_of_the_same_prefix },
	{ "EFF-15, OPEN-10: ECMP is one row", test_eff_15_ecmp_is_one_row },
	{ "RS-57, EFF-16: next hop not directly reachable",
	    test_rs_57_eff_16_next_hop_not_directly_reachable },
	{ "EFF-17: suppressed routes are explained, not listed",
	    test_eff_17_suppressed_routes_are_explained_not_listed },
	{ "EFF-18: the VM must run", test_eff_18_vm_must_run },
	{ "RS-62, RS-64, RS-65: every subnet of the scope", test_rs_62_every_subnet_of_the_scope },
	{ "RS-62, PEER-8: not without gateway transit", test_rs_62_not_without_gateway_transit },
	{ "same answers as the naive model", test_same_answers_as_the_naive_model },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_eff", eff_tests)
