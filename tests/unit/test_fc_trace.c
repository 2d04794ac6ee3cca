/*
 * Trace: the modelled path hop by hop, with the rule that decided each hop; loops, black holes,
 * filters; and what two directions of a flow say together.
 */
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"

/* One hub with both gateways, a Route Server and two NVAs; a hook for more in each section. */
#define VNETS(gw_table, nva_table, vm_table, nsg)                                                  \
	"vnets:\n"                                                                                 \
	"  hub1:\n"                                                                                \
	"    address_space: 10.1.0.0/16\n"                                                         \
	"    subnets:\n"                                                                           \
	"      RouteServerSubnet: 10.1.0.0/26\n"                                                   \
	"      GatewaySubnet: {prefix: 10.1.1.0/26" gw_table "}\n"                                 \
	"      nva: {prefix: 10.1.2.0/24" nva_table "}\n"                                          \
	"      work: 10.1.10.0/24\n"                                                               \
	"  s11: {address_space: 10.11.0.0/16, subnets: {vms: {prefix: 10.11.0.0/24" vm_table       \
	"}}}\n"                                                                                    \
	"  s12: {address_space: 10.12.0.0/16, subnets: {vms: {prefix: 10.12.0.0/24" nsg "}}}\n"    \
	"  s13: {address_space: 10.99.0.0/16}\n"
/* The peering with s13 has one side only (PEER-1). */
#define PEERINGS "peerings: [{hub: hub1, spoke: [s11, s12]}, {from: s11, to: s13}]\n"
#define TABLES                                                                                     \
	"route_tables:\n"                                                                          \
	"  rt-internet: {routes: {out: {prefix: 0.0.0.0/0, next_hop: Internet}}}\n"                \
	"  rt-gw: {routes: {s11: {prefix: 10.11.0.0/16, next_hop: VirtualAppliance 10.1.2.4}}}\n"  \
	"  rt-dc:\n"                                                                               \
	"    routes:\n"                                                                            \
	"      dc: {prefix: 172.20.0.0/16, next_hop: VirtualAppliance 10.1.2.4}\n"                 \
	"      ghost: {prefix: 192.0.2.0/25, next_hop: VirtualAppliance 10.1.2.99}\n"              \
	"      far: {prefix: 192.0.2.128/25, next_hop: VirtualAppliance 10.99.0.4}\n"              \
	"      vm: {prefix: 198.51.100.0/24, next_hop: VirtualAppliance 10.1.10.4}\n"              \
	"      vpn: {prefix: 172.21.0.0/16, next_hop: VirtualNetworkGateway}\n"                    \
	"      drop: {prefix: 203.0.113.0/24, next_hop: None}\n"
#define RS "route_servers: {rs1: {vnet: hub1, branch_to_branch: true, peers: [nva1, nva2]}}\n"
#define NVAS                                                                                       \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, stateful: true, owns: [10.1.2.100, " \
	"192.168.250.0/24]}\n"                                                                     \
	"  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, stateful: true, owns: 10.1.2.100}\n"
#define PUBLIC_NVAS                                                                                \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, public_ip: 20.0.0.4, snat: true}\n"  \
	"  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, public_ip: 20.0.0.5}\n"
#define GATEWAYS                                                                                   \
	"gateways:\n"                                                                              \
	"  er1: {vnet: hub1, type: ExpressRoute, circuits: [c1]}\n"                                \
	"  vpn1: {vnet: hub1, type: Vpn, active_active: true, connections: {branch1: {}, "         \
	"branch2: {bgp: false}}, p2s_pools: 192.168.251.0/24}\n"                                   \
	"circuits: {c1: {site: dc1}}\n"                                                            \
	"sites:\n"                                                                                 \
	"  dc1: {asn: 64900, prefixes: 172.20.0.0/16}\n"                                           \
	"  branch1: {asn: 64901, prefixes: 172.21.0.0/16}\n"                                       \
	"  branch2: {asn: 64902, prefixes: 172.22.0.0/16}\n"
#define VMS                                                                                        \
	"vms:\n"                                                                                   \
	"  vm11: {subnet: s11/vms, ip: 10.11.0.4}\n"                                               \
	"  off11: {subnet: s11/vms, ip: 10.11.0.9, running: false}\n"                              \
	"  vm12: {subnet: s12/vms, ip: 10.12.0.4}\n"                                               \
	"  work1: {subnet: hub1/work, ip: 10.1.10.4}\n"
#define REST     TABLES RS NVAS GATEWAYS VMS
#define USES(rt) ", route_table: " rt

static const char plan[] = VNETS("", "", "", "") PEERINGS REST;

static void
tell_plan(struct fix *f)
{
	fix_nva(f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_both(f, "rs1", HRP_SRC_EXPRESS_ROUTE, "172.20.0.0/16", "10.24.0.4 10.24.0.5");
	fix_both(f, "rs1", HRP_SRC_VPN, "172.21.0.0/16", "10.1.1.6 10.1.1.7");
	fix_both(f, "rs1", HRP_SRC_VPN_STATIC, "172.22.0.0/16", "10.1.1.6 10.1.1.7");
}

/* With what the routers of the plan know. */
static void
open_plan(struct fix *f, const char *yaml)
{
	fix_open(f, yaml);
	tell_plan(f);
	fix_router(f, "nva1", "0.0.0.0/0> 10.1.0.0/16>rs1-0 10.11.0.0/16>rs1-0 10.12.0.0/16>rs1-0");
	fix_router(f, "dc1",
	    "172.20.0.0/16> 10.1.0.0/16>c1-primary 10.11.0.0/16>c1-primary "
	    "10.12.0.0/16>c1-secondary 172.21.0.0/16>c1-primary 192.168.250.0/24>c1-primary");
	fix_router(f, "branch1",
	    "172.21.0.0/16> 10.1.0.0/16>vpn1-0 10.11.0.0/16>vpn1-1 172.20.0.0/16>vpn1-0");
}

/* ---- inside Azure ---- */

static void
test_local_and_peered_delivery(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_expect_trace(&f, "vm11", "10.1.10.4",
	    "vm11 [SYS-6] 10.1.0.0/16 VNetPeering\n"
	    "work1\n"
	    "delivered");
	fix_expect_trace(&f, "work1", "nva2",
	    "work1 [SYS-1] 10.1.0.0/16 VnetLocal\n"
	    "nva2\n"
	    "delivered");
	fix_expect_trace(&f, "vm11", "10.1.10.77",
	    "vm11 [SYS-6] 10.1.0.0/16 VNetPeering\n"
	    "blackhole: nobody in hub1 has 10.1.10.77");
	fix_expect_trace(&f, "vm11", "off11",
	    "vm11 [SYS-1] 10.11.0.0/16 VnetLocal\n"
	    "blackhole: off11 is not running");
	fix_expect_trace(&f, "off11", "vm11", "blackhole: off11 is not running");
	fix_expect_trace(&f, "vm11", "10.1.0.5", /* RS-8 */
	    "vm11 [SYS-6] 10.1.0.0/16 VNetPeering\n"
	    "rs1-1\n"
	    "delivered");
	fix_expect_trace(&f, "vm11", "10.1.1.12",
	    "vm11 [SYS-6] 10.1.0.0/16 VNetPeering\n"
	    "er1-0\n"
	    "delivered");
	fix_close(&f);
}

static void
test_sc_a_spoke_to_spoke_through_the_nva(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1 [SYS-6] 10.12.0.0/16 VNetPeering\n"
	    "vm12\n"
	    "delivered");
	fix_close(&f);
}

/* SC-H: the default route leads the NVA's own packets back to it; a UDR on its subnet helps. */
static void
test_sc_h_rs_64_loop_and_its_remedy(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_expect_trace(&f, "vm11", "8.8.8.8",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1 [RS-64] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "loop: nva1 gets the packet a second time: its own route leads back to it");
	fix_close(&f);
	open_plan(
	    &f, VNETS("", USES("rt-internet"), "", "") PEERINGS TABLES RS PUBLIC_NVAS GATEWAYS VMS);
	fix_expect_trace(&f, "vm11", "8.8.8.8",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1 [EFF-6] 0.0.0.0/0 Internet\n"
	    "internet\n"
	    "delivered");
	fix_expect_trace(&f, "vm11", "192.0.2.1", /* in no table, but public */
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1 [EFF-6] 0.0.0.0/0 Internet\n"
	    "internet\n"
	    "delivered");
	fix_expect_trace(&f, "vm11", "192.168.7.7",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1 [EFF-6] 0.0.0.0/0 Internet\n"
	    "blackhole: nva1 does not translate what it forwards to the Internet (SC-J)");
	fix_expect_trace(&f, "nva1", "192.168.7.7",
	    "nva1 [EFF-6] 0.0.0.0/0 Internet\n"
	    "blackhole: 192.168.7.7 is not on the Internet");
	fix_close(&f);
}

/* SYS-2: there is no default outbound access; SC-J: an NVA has to translate. */
static void
test_internet_by_public_addresses(void)
{
	struct fix f;

	fix_open(&f, VNETS("", USES("rt-internet"), "", "") PEERINGS TABLES RS PUBLIC_NVAS VMS
	    "  vm13: {subnet: s12/vms, ip: 10.12.0.5, public_ip: 20.0.0.13}\n");
	fix_expect_trace(&f, "vm12", "internet",
	    "vm12 [SYS-2] 0.0.0.0/0 Internet\n"
	    "blackhole: vm12 has no public address");
	fix_expect_trace(&f, "vm13", "internet",
	    "vm13 [SYS-2] 0.0.0.0/0 Internet\n"
	    "internet\n"
	    "delivered");
	fix_expect_trace(&f, "vm13", "20.0.0.4",
	    "vm13 [SYS-2] 0.0.0.0/0 Internet\n"
	    "nva1\n"
	    "delivered");
	fix_expect_trace(&f, "internet", "vm13",
	    "internet [ARM-14] 20.0.0.13/32 public vm13\n"
	    "vm13\n"
	    "delivered");
	fix_expect_trace(&f, "internet", "vm12", "blackhole: the Internet has no way to 10.12.0.4");
	fix_expect_trace(
	    &f, "internet", "20.0.0.99", "blackhole: the Internet has no way to 20.0.0.99");
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.5");
	fix_expect_trace(&f, "vm13", "internet",
	    "vm13 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.5\n"
	    "nva2 [EFF-6] 0.0.0.0/0 Internet\n"
	    "blackhole: nva2 does not translate what it forwards to the Internet (SC-J)");
	fix_close(&f);
}

/* SC-J: the answer goes to the NVA that translated, and on from there. */
static void
test_back_from_the_internet(void)
{
	struct fc_endpoint vm, net;
	struct fc_trace there, back;
	struct fix f;

	fix_open(&f, VNETS("", USES("rt-internet"), "", "") PEERINGS TABLES RS PUBLIC_NVAS VMS);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	CU_ASSERT_EQUAL_FATAL(fc_endpoint_parse(f.l, &vm, "vm12"), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fc_endpoint_parse(f.l, &net, "internet"), FAB_OK);
	fc_trace_run(f.l, vm, net, &there);
	CU_ASSERT_EQUAL(there.verdict, FC_DELIVERED);
	CU_ASSERT_EQUAL(there.translator.nic, fix_nic(&f, "nva1"));
	fc_trace_back(f.l, vm, net, &there, &back);
	CU_ASSERT_EQUAL(back.verdict, FC_DELIVERED);
	CU_ASSERT_EQUAL_FATAL(back.n_hops, 3);
	CU_ASSERT_STRING_EQUAL(back.hops[0].node, "internet");
	CU_ASSERT_STRING_EQUAL(back.hops[1].node, "nva1");
	CU_ASSERT_STRING_EQUAL(back.hops[2].node, "vm12");
	CU_ASSERT_TRUE(fc_trace_symmetric(&there, &back));
	fix_close(&f);
}

static void
test_udr_3_next_hops_that_do_not_forward(void)
{
	struct fix f;

	open_plan(&f, VNETS("", "", USES("rt-dc"), "") PEERINGS REST);
	fix_expect_trace(&f, "vm11", "192.0.2.1",
	    "vm11 [EFF-6] 192.0.2.0/25 VirtualAppliance 10.1.2.99\n"
	    "blackhole: nobody in hub1 has next hop 10.1.2.99 (UDR-3)");
	fix_expect_trace(&f, "vm11", "192.0.2.200",
	    "vm11 [EFF-6] 192.0.2.128/25 VirtualAppliance 10.99.0.4\n"
	    "blackhole: next hop 10.99.0.4 is not directly reachable (UDR-3)");
	fix_expect_trace(&f, "vm11", "198.51.100.1",
	    "vm11 [EFF-6] 198.51.100.0/24 VirtualAppliance 10.1.10.4\n"
	    "blackhole: IP forwarding is off on work1 (UDR-3)");
	fix_expect_trace(&f, "vm11", "203.0.113.1",
	    "vm11 [EFF-6] 203.0.113.0/24 None\n"
	    "blackhole: route 203.0.113.0/24 has next hop None");
	fix_close(&f);
}

static void
test_blackholes_of_system_and_bgp_routes(void)
{
	struct fix f;

	fix_open(&f, plan);
	fix_expect_trace(&f, "vm11", "vm12", /* no NVA announces anything */
	    "vm11 [SYS-3] 10.0.0.0/8 None\n"
	    "blackhole: route 10.0.0.0/8 has next hop None");
	fix_nva(&f, "rs1", "10.31.0.0/16", "10.12.0.4");
	fix_expect_trace(&f, "vm11", "10.31.0.4",
	    "vm11 [RS-57] 10.31.0.0/16 None\n"
	    "blackhole: route 10.31.0.0/16 has next hop None");
	fix_close(&f);
}

/* RS-91: a dead NVA stays next hop until the hold timer runs out. */
static void
test_rs_91_nva_that_is_gone(void)
{
	struct fix f;

	open_plan(&f, plan);
	fc_layers_router_gone(f.l, "nva1");
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "blackhole: nva1 is gone and still the next hop (RS-91)");
	fix_close(&f);
}

static bool
stands(void *ctx, const char *node)
{
	return strcmp(node, ctx) == 0;
}

/* RS-91: its process is dead, but its machine forwards as it did. */
static void
test_rs_91_machine_that_stands(void)
{
	static char nva1[] = "nva1", nva2[] = "nva2";
	struct fix f;

	open_plan(&f, plan);
	fc_layers_set_machines(f.l, stands, nva1);
	fc_layers_router_gone(f.l, "nva1");
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1 [SYS-6] 10.12.0.0/16 VNetPeering\n"
	    "vm12\n"
	    "delivered");
	fc_layers_set_machines(f.l, stands, nva2);
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "blackhole: nva1 is gone and still the next hop (RS-91)");
	fix_close(&f);
}

/* ---- filters ---- */

#define NSG ", nsg: true"
#define S12_PEERING(access, forwarded)                                                             \
	"peerings:\n"                                                                              \
	"  - {hub: hub1, spoke: s11}\n"                                                            \
	"  - {from: hub1, to: s12, allow_gateway_transit: true}\n"                                 \
	"  - {from: s12, to: hub1, use_remote_gateways: true, "                                    \
	"allow_virtual_network_access: " access ", allow_forwarded_traffic: " forwarded "}\n"

static void
test_peer_6_open_9_forwarded_traffic(void)
{
	static const char path[] = "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
				   "nva1 [SYS-6] 10.12.0.0/16 VNetPeering\n";
	static const struct {
		const char *yaml, *end;
	} rows[] = {
		{ VNETS("", "", "", NSG) S12_PEERING("true", "false") REST,
		    "filtered: allowForwardedTraffic is off in s12 (PEER-6, OPEN-9)" },
		{ VNETS("", "", "", NSG) S12_PEERING("true", "true") REST, "vm12\ndelivered" },
		{ "quirks: {forwarded_traffic: pass}\n" VNETS("", "", "", NSG)
			S12_PEERING("true", "false") REST,
		    "vm12\ndelivered" },
		{ "quirks: {forwarded_traffic: drop}\n" VNETS("", "", "", "")
			S12_PEERING("true", "false") REST,
		    "filtered: allowForwardedTraffic is off in s12 (PEER-6, OPEN-9)" },
		{ VNETS("", "", "", "") S12_PEERING("true", "false") REST,
		    "vm12\ndelivered: warning: allowForwardedTraffic is off in s12 and no network "
		    "security group enforces it (OPEN-9)" },
	};
	char want[512];
	struct fix f;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		open_plan(&f, rows[i].yaml);
		snprintf(want, sizeof(want), "%s%s", path, rows[i].end);
		fix_expect_trace(&f, "vm11", "vm12", want);
		/* a source in the peer VNet itself is not forwarded */
		fix_expect_trace(&f, "work1", "vm12",
		    "work1 [SYS-6] 10.12.0.0/16 VNetPeering\n"
		    "vm12\n"
		    "delivered");
		fix_close(&f);
	}
}

static void
test_peer_5_virtual_network_access(void)
{
	struct fix f;

	open_plan(&f, VNETS("", "", "", NSG) S12_PEERING("false", "true") REST);
	fix_expect_trace(&f, "work1", "vm12",
	    "work1 [SYS-6] 10.12.0.0/16 VNetPeering\n"
	    "filtered: allowVirtualNetworkAccess is off in s12 (PEER-5)");
	fix_expect_trace(&f, "vm12", "work1",
	    "vm12 [SYS-6] 10.1.0.0/16 VNetPeering\n"
	    "work1\n"
	    "delivered");
	fix_close(&f);
	open_plan(&f, VNETS("", "", "", "") S12_PEERING("false", "true") REST);
	fix_expect_trace(&f, "work1", "vm12",
	    "work1 [SYS-6] 10.12.0.0/16 VNetPeering\n"
	    "vm12\n"
	    "delivered");
	fix_close(&f);
}

/* ---- ECMP ---- */

#define FLOWS 32

struct flows {
	unsigned by_nva1, broken, asymmetric;
};

/* Flows between vm12 and FLOWS machines in s11 over both NVAs. */
static struct flows
count_flows(const char *next_hops)
{
	static char yaml[8192];
	struct flows n = { 0 };
	char name[16];
	struct fix f;

	snprintf(yaml, sizeof(yaml), "%s", plan);
	for (unsigned i = 0; i < FLOWS; i++)
		snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml),
		    "  m%u: {subnet: s11/vms, ip: 10.11.0.%u}\n", i, 20 + i);
	open_plan(&f, yaml);
	fix_nva(&f, "rs1", "0.0.0.0/0", next_hops);
	for (unsigned i = 0; i < FLOWS; i++) {
		struct fc_trace there, back;

		snprintf(name, sizeof(name), "m%u", i);
		there = fix_trace(&f, name, "vm12");
		back = fix_trace(&f, "vm12", name);
		CU_ASSERT_EQUAL(there.verdict, FC_DELIVERED);
		CU_ASSERT_EQUAL_FATAL(there.n_hops, 3);
		n.by_nva1 += strcmp(there.hops[1].node, "nva1") == 0;
		n.broken += fc_trace_stateful_break(f.l, &there, &back);
		n.asymmetric += !fc_trace_symmetric(&there, &back);
	}
	fix_close(&f);
	return n;
}

/* SC-C: each direction is hashed on its own, so some flows over a stateful pair break (MR-9). */
static void
test_sc_c_mr_9_ecmp_over_stateful_nvas(void)
{
	struct flows n = count_flows("10.1.2.4 10.1.2.5");

	CU_ASSERT_TRUE(n.by_nva1 > FLOWS / 8 && n.by_nva1 < FLOWS - FLOWS / 8);
	CU_ASSERT_TRUE(n.broken > FLOWS / 8 && n.broken < FLOWS - FLOWS / 8);
	CU_ASSERT_EQUAL(n.broken, n.asymmetric);
}

/* RS-56: an inner load balancer as next hop keeps both directions together. */
static void
test_rs_56_load_balancer_address_as_next_hop(void)
{
	struct flows n = count_flows("10.1.2.100");
	struct fix f;

	CU_ASSERT_TRUE(n.by_nva1 > FLOWS / 8 && n.by_nva1 < FLOWS - FLOWS / 8);
	CU_ASSERT_EQUAL(n.broken, 0);
	CU_ASSERT_EQUAL(n.asymmetric, 0);
	open_plan(&f, plan); /* its probes take a dead NVA out */
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.100");
	fc_layers_router_gone(f.l, "nva1");
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.100\n"
	    "nva2 [SYS-6] 10.12.0.0/16 VNetPeering\n"
	    "vm12\n"
	    "delivered");
	fix_close(&f);
}

/* SC-C: each direction meets the load balancer before the NVA, which does not make them differ. */
static void
test_load_balancers_do_not_break_symmetry(void)
{
	struct fc_trace *there = calloc(2, sizeof(*there)), *back;
	static const struct {
		enum fc_place place;
		int index;
	} out[] = { { FC_AT_NIC, 1 }, { FC_AT_LOAD_BALANCER, 0 }, { FC_AT_NIC, 7 },
		{ FC_AT_NIC, 2 } };

	FAB_ASSERT(there != NULL);
	back = &there[1];
	there->verdict = back->verdict = FC_DELIVERED;
	there->n_hops = back->n_hops = 4;
	for (size_t i = 0; i < 4; i++) {
		there->hops[i].place = back->hops[i].place = out[i].place;
		there->hops[i].index = back->hops[i].index = out[i].index;
	}
	back->hops[0].index = 2;
	back->hops[3].index = 1;
	CU_ASSERT_TRUE(fc_trace_symmetric(there, back));
	back->hops[2].index = 8; /* the other NVA */
	CU_ASSERT_FALSE(fc_trace_symmetric(there, back));
	free(there);
}

/* The one taken comes first, the others behind it. */
static void
test_ecmp_lists_the_alternatives(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_nva(&f, "rs1", "10.12.0.0/16", "10.1.2.4 10.1.2.5");
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-60] 10.12.0.0/16 VirtualNetworkGateway 10.1.2.5 10.1.2.4\n"
	    "nva2 [EFF-7] 10.12.0.0/16 VNetPeering\n"
	    "vm12\n"
	    "delivered");
	fix_expect_trace(&f, "vm11", "10.12.0.5",
	    "vm11 [RS-60] 10.12.0.0/16 VirtualNetworkGateway 10.1.2.4 10.1.2.5\n"
	    "nva1 [EFF-7] 10.12.0.0/16 VNetPeering\n"
	    "blackhole: nobody in s12 has 10.12.0.5");
	fix_close(&f);
}

/* ---- on premises ---- */

#define TO_DC                                                                                      \
	"vm11 [ER-19] 172.20.0.0/16 VirtualNetworkGateway 10.24.0.5 10.24.0.4\n"                   \
	"c1-secondary [ER-1] 172.20.0.0/16 site dc1\n"                                             \
	"dc1\n"                                                                                    \
	"delivered"
#define FROM_DC                                                                                    \
	"dc1 [ER-10] 10.11.0.0/16 via c1-primary\n"                                                \
	"c1-primary [ER-10] 10.11.0.0/16 gateway er1-1\n"

static void
expect_pair(struct fix *f, const char *a, const char *b, bool symmetric, bool stateful_break)
{
	struct fc_trace there = fix_trace(f, a, b), back = fix_trace(f, b, a);

	CU_ASSERT_EQUAL(fc_trace_symmetric(&there, &back), symmetric);
	CU_ASSERT_EQUAL(fc_trace_stateful_break(f->l, &there, &back), stateful_break);
}

/* SC-I: neither direction passes the NVA. */
static void
test_sc_i_on_premises_bypasses_the_nva(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_expect_trace(&f, "vm11", "dc1", TO_DC);
	fix_expect_trace(&f, "dc1", "vm11",
	    FROM_DC "er1-1 [ER-20] 10.11.0.0/16 VNetPeering\n"
		    "vm11\n"
		    "delivered");
	expect_pair(&f, "vm11", "dc1", true, false);
	fix_close(&f);
}

/* SC-I, UDR-9: a GatewaySubnet table alone makes the flow one-sided; the spoke needs one too. */
static void
test_sc_i_udr_9_gateway_subnet_table(void)
{
	static const char inspected[] =
	    FROM_DC "er1-1 [UDR-9] 10.11.0.0/16 VirtualAppliance 10.1.2.4\n"
		    "nva1 [SYS-6] 10.11.0.0/16 VNetPeering\n"
		    "vm11\n"
		    "delivered";
	struct fix f;

	open_plan(&f, VNETS(USES("rt-gw"), "", "", "") PEERINGS REST);
	fix_expect_trace(&f, "dc1", "vm11", inspected);
	fix_expect_trace(&f, "vm11", "dc1", TO_DC);
	expect_pair(&f, "vm11", "dc1", false, true);
	fix_close(&f);
	open_plan(&f, VNETS(USES("rt-gw"), "", USES("rt-dc"), "") PEERINGS REST);
	fix_expect_trace(&f, "dc1", "vm11", inspected);
	fix_expect_trace(&f, "vm11", "dc1",
	    "vm11 [EFF-6] 172.20.0.0/16 VirtualAppliance 10.1.2.4\n"
	    "nva1 [ER-19] 172.20.0.0/16 VirtualNetworkGateway 10.24.0.5 10.24.0.4\n"
	    "c1-secondary [ER-1] 172.20.0.0/16 site dc1\n"
	    "dc1\n"
	    "delivered");
	expect_pair(&f, "vm11", "dc1", true, false);
	fix_close(&f);
}

/* SC-D, B2B-2: the NVA's clients reach on premises and back over ExpressRoute. */
static void
test_sc_d_clients_of_the_nva(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_nva(&f, "rs1", "192.168.250.0/24", "10.1.2.4");
	fix_expect_trace(&f, "dc1", "192.168.250.10",
	    "dc1 [ER-10] 192.168.250.0/24 via c1-primary\n"
	    "c1-primary [B2B-2] 192.168.250.0/24 gateway er1-0\n"
	    "er1-0 [ER-20] 192.168.250.0/24 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1\n"
	    "delivered");
	fix_expect_trace(&f, "192.168.250.10", "dc1",
	    "nva1 [ER-19] 172.20.0.0/16 VirtualNetworkGateway 10.24.0.4 10.24.0.5\n"
	    "c1-primary [ER-1] 172.20.0.0/16 site dc1\n"
	    "dc1\n"
	    "delivered");
	expect_pair(&f, "192.168.250.10", "dc1", true, false);
	fix_both_withdraw(&f, "rs1", "192.168.250.0/24");
	fix_expect_trace(&f, "dc1", "192.168.250.10",
	    "dc1 [ER-10] 192.168.250.0/24 via c1-primary\n"
	    "c1-primary [B2B-2] 0.0.0.0/0 gateway er1-0\n"
	    "er1-0 [ER-20] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "nva1\n"
	    "delivered");
	fix_both_withdraw(&f, "rs1", "0.0.0.0/0");
	fix_expect_trace(&f, "dc1", "192.168.250.10",
	    "dc1 [ER-10] 192.168.250.0/24 via c1-primary\n"
	    "blackhole: no gateway of c1 announces it (ER-12)");
	fix_close(&f);
}

static void
test_vpn_connections(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_expect_trace(&f, "vm11", "branch1",
	    "vm11 [VPN-14] 172.21.0.0/16 VirtualNetworkGateway 10.1.1.6 10.1.1.7\n"
	    "vpn1-0 [VPN-9] 172.21.0.0/16 connection branch1\n"
	    "branch1\n"
	    "delivered");
	fix_expect_trace(&f, "branch1", "vm11",
	    "branch1 [VPN-8] 10.11.0.0/16 via vpn1-1\n"
	    "vpn1-1 [SYS-6] 10.11.0.0/16 VNetPeering\n"
	    "vm11\n"
	    "delivered");
	expect_pair(&f, "vm11", "branch1", true, false); /* whatever instance */
	/* VPN-6: without BGP the site has no table, its tunnel takes the gateway's prefixes */
	fix_expect_trace(&f, "vm11", "branch2",
	    "vm11 [VPN-14] 172.22.0.0/16 VirtualNetworkGateway 10.1.1.6 10.1.1.7\n"
	    "vpn1-0 [VPN-6] 172.22.0.0/16 connection branch2\n"
	    "branch2\n"
	    "delivered");
	fix_router(&f, "branch2", "172.22.0.0/16>");
	fix_expect_trace(&f, "branch2", "vm11",
	    "branch2 [VPN-8] 10.11.0.0/16 via vpn1-1\n"
	    "vpn1-1 [SYS-6] 10.11.0.0/16 VNetPeering\n"
	    "vm11\n"
	    "delivered");
	fix_expect_trace(
	    &f, "branch2", "172.20.0.1", "blackhole: branch2 has no route to 172.20.0.1");
	fc_layers_router_gone(f.l, "branch2");
	fix_expect_trace(&f, "branch2", "vm11", "blackhole: branch2 is gone");
	fix_close(&f);
}

/* VPN-22: a UDR sends to the VPN gateway; VPN-20: clients of its own pool. */
static void
test_vpn_20_22_udr_and_clients(void)
{
	struct fix f;

	open_plan(&f, VNETS("", "", USES("rt-dc"), "") PEERINGS REST);
	fix_expect_trace(&f, "vm11", "branch1",
	    "vm11 [EFF-6] 172.21.0.0/16 VirtualNetworkGateway\n"
	    "vpn1-0 [VPN-9] 172.21.0.0/16 connection branch1\n"
	    "branch1\n"
	    "delivered");
	fix_both(&f, "rs1", HRP_SRC_P2S, "192.168.251.0/24", "10.1.1.6");
	fix_expect_trace(&f, "vm11", "192.168.251.3",
	    "vm11 [VPN-14] 192.168.251.0/24 VirtualNetworkGateway 10.1.1.6\n"
	    "vpn1-0\n"
	    "delivered");
	fix_expect_trace(&f, "192.168.251.3", "vm11",
	    "vpn1-0 [SYS-6] 10.11.0.0/16 VNetPeering\n"
	    "vm11\n"
	    "delivered");
	expect_pair(&f, "192.168.251.3", "vm11", true, false);
	fix_close(&f);
	fix_open(&f, VNETS("", "", USES("rt-dc"), "") PEERINGS TABLES RS NVAS VMS);
	fix_expect_trace(&f, "vm11", "172.21.0.1",
	    "vm11 [EFF-6] 172.21.0.0/16 VirtualNetworkGateway\n"
	    "blackhole: no VPN gateway for next hop VirtualNetworkGateway (ER-37)");
	fix_close(&f);
}

/* B2B-2: transit between an ExpressRoute and a VPN site, both ways. */
static void
test_b2b_2_transit_between_gateways(void)
{
	struct fix f;

	open_plan(&f, plan);
	fix_expect_trace(&f, "branch1", "dc1",
	    "branch1 [VPN-8] 172.20.0.0/16 via vpn1-0\n"
	    "vpn1-0 [ER-19] 172.20.0.0/16 VirtualNetworkGateway 10.24.0.4 10.24.0.5\n"
	    "c1-primary [ER-1] 172.20.0.0/16 site dc1\n"
	    "dc1\n"
	    "delivered");
	fix_expect_trace(&f, "dc1", "branch1",
	    "dc1 [ER-10] 172.21.0.0/16 via c1-primary\n"
	    "c1-primary [B2B-2] 172.21.0.0/16 gateway er1-1\n"
	    "er1-1 [ER-20] 172.21.0.0/16 VirtualNetworkGateway 10.1.1.6 10.1.1.7\n"
	    "vpn1-0 [VPN-9] 172.21.0.0/16 connection branch1\n"
	    "branch1\n"
	    "delivered");
	expect_pair(&f, "branch1", "dc1", true, false);
	fix_close(&f);
}

/* ER-22: the site announces the way out. */
static void
test_er_22_default_from_on_premises(void)
{
	struct fix f;

	fix_open(&f, VNETS("", "", "", "") PEERINGS TABLES VMS
	    "gateways: {er1: {vnet: hub1, type: ExpressRoute, circuits: [c1]}}\n"
	    "circuits: {c1: {site: dc1}}\n"
	    "sites: {dc1: {asn: 64900, prefixes: 172.20.0.0/16, advertise: [0.0.0.0/0], "
	    "public_ip: 20.0.0.20, snat: true}}\n");
	fix_both(
	    &f, "er1", HRP_SRC_EXPRESS_ROUTE, "172.20.0.0/16 0.0.0.0/0", "10.24.0.4 10.24.0.5");
	fix_router(&f, "dc1", "172.20.0.0/16> 0.0.0.0/0> 10.1.0.0/16>c1-primary");
	fix_expect_trace(&f, "vm11", "8.8.8.8",
	    "vm11 [ER-19] 0.0.0.0/0 VirtualNetworkGateway 10.24.0.5 10.24.0.4\n"
	    "c1-secondary [ER-1] 0.0.0.0/0 site dc1\n"
	    "dc1 [ER-22] 0.0.0.0/0 Internet\n"
	    "internet\n"
	    "delivered");
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [ER-19] 0.0.0.0/0 VirtualNetworkGateway 10.24.0.5 10.24.0.4\n"
	    "c1-secondary [ER-10] 10.12.0.0/16 gateway er1-1\n"
	    "er1-1 [ER-20] 10.12.0.0/16 VNetPeering\n"
	    "vm12\n"
	    "delivered");
	fix_expect_trace(&f, "vm11", "192.168.9.9",
	    "vm11 [ER-19] 0.0.0.0/0 VirtualNetworkGateway 10.24.0.5 10.24.0.4\n"
	    "c1-secondary [ER-1] 0.0.0.0/0 site dc1\n"
	    "blackhole: dc1 has no route to 192.168.9.9");
	fix_close(&f);
}

/* ---- two regions ---- */

#define REGIONS(nva_table, tunnel)                                                                 \
	"vnets:\n"                                                                                 \
	"  hub1: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "          \
	"GatewaySubnet: 10.1.1.0/26, nva: {prefix: 10.1.2.0/24" nva_table "}}}\n"                  \
	"  hub2: {region: northeurope, address_space: 10.2.0.0/16, subnets: {RouteServerSubnet: "  \
	"10.2.0.0/26, GatewaySubnet: 10.2.1.0/26, nva: 10.2.2.0/24}}\n"                            \
	"  s11: {address_space: 10.11.0.0/16, subnets: {vms: 10.11.0.0/24}}\n"                     \
	"  s21: {region: northeurope, address_space: 10.21.0.0/16, subnets: {vms: "                \
	"10.21.0.0/24}}\n"                                                                         \
	"peerings: [{hub: hub1, spoke: s11}, {hub: hub2, spoke: s21}, {between: [hub1, hub2]}]\n"  \
	"route_tables: {rt-far: {routes: {far: {prefix: 10.21.0.0/16, next_hop: VirtualAppliance " \
	"10.2.2.4}}}}\n"                                                                           \
	"route_servers: {rs1: {vnet: hub1, branch_to_branch: true, peers: [nva1]}, rs2: {vnet: "   \
	"hub2, peers: [nva3]}}\n"                                                                  \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, peers: {nva3: {" tunnel "}, nva4: "  \
	"{" tunnel "}}}\n"                                                                         \
	"  nva3: {subnet: hub2/nva, ip: 10.2.2.4, asn: 65002}\n"                                   \
	"  nva4: {subnet: hub2/nva, ip: 10.2.2.5, asn: 65002}\n"                                   \
	"gateways:\n"                                                                              \
	"  er1: {vnet: hub1, type: ExpressRoute, circuits: [c1]}\n"                                \
	"  er2: {vnet: hub2, type: ExpressRoute, circuits: [c1]}\n"                                \
	"circuits: {c1: {site: dc1}}\n"                                                            \
	"sites: {dc1: {asn: 64900, prefixes: 172.20.0.0/16}}\n"                                    \
	"vms: {vm11: {subnet: s11/vms, ip: 10.11.0.4}, vm21: {subnet: s21/vms, ip: 10.21.0.4}}\n"

static void
open_regions(struct fix *f, const char *yaml)
{
	fix_open(f, yaml);
	fix_nva(f, "rs1", "10.2.0.0/16 10.21.0.0/16", "10.1.2.4");
	fix_nva(f, "rs2", "10.1.0.0/16 10.11.0.0/16", "10.2.2.4");
}

static void
tell_routers(struct fix *f)
{
	fix_router(
	    f, "nva1", "10.1.0.0/16>rs1-0 10.11.0.0/16>rs1-0 10.2.0.0/16>nva3 10.21.0.0/16>nva3");
	fix_router(
	    f, "nva3", "10.2.0.0/16>rs2-0 10.21.0.0/16>rs2-0 10.1.0.0/16>nva1 10.11.0.0/16>nva1");
}

#define TO_VM21 "vm11 [RS-65] 10.21.0.0/16 VirtualNetworkGateway 10.1.2.4\n"
#define AT_VM21                                                                                    \
	"nva3 [SYS-6] 10.21.0.0/16 VNetPeering\n"                                                  \
	"vm21\n"                                                                                   \
	"delivered"

static void
test_mr_5_loop_without_overlay(void)
{
	struct fix f;

	open_regions(&f, REGIONS("", "tunnel: false"));
	tell_routers(&f);
	fix_expect_trace(&f, "vm11", "vm21",
	    TO_VM21 "nva1 [RS-64] 10.21.0.0/16 VirtualNetworkGateway 10.1.2.4\n"
		    "loop: nva1 gets the packet a second time: its own route leads back to it");
	fix_close(&f);
}

static void
test_mr_6_tunnel_and_mr_7_udr(void)
{
	struct fix f;

	open_regions(&f, REGIONS("", "tunnel: true"));
	tell_routers(&f);
	fix_expect_trace(
	    &f, "vm11", "vm21", TO_VM21 "nva1 [MR-6] 10.21.0.0/16 tunnel nva3\n" AT_VM21);
	expect_pair(&f, "vm11", "vm21", true, false);
	fix_close(&f);
	open_regions(&f, REGIONS(", route_table: rt-far", "tunnel: false"));
	tell_routers(&f);
	fix_expect_trace(&f, "vm11", "vm21",
	    TO_VM21 "nva1 [EFF-6] 10.21.0.0/16 VirtualAppliance 10.2.2.4\n" AT_VM21);
	fix_close(&f);
}

/* Foreign software reports no table: what lies behind the tunnels decides. */
static void
test_foreign_nvas(void)
{
	struct fix f;

	open_regions(&f, REGIONS("", "tunnel: true"));
	fix_expect_trace(
	    &f, "vm11", "vm21", TO_VM21 "nva1 [MR-6] 10.21.0.0/16 tunnel nva3\n" AT_VM21);
	/* of two equal ones not the one that is known to be dead */
	fix_router(&f, "nva3", "");
	fc_layers_router_gone(f.l, "nva3");
	fix_expect_trace(&f, "vm11", "vm21",
	    TO_VM21 "nva1 [MR-6] 10.21.0.0/16 tunnel nva4\n"
		    "nva4 [SYS-6] 10.21.0.0/16 VNetPeering\n"
		    "vm21\n"
		    "delivered");
	/* nothing behind a tunnel: out of the NIC */
	fix_expect_trace(
	    &f, "nva4", "vm21", "nva4 [SYS-6] 10.21.0.0/16 VNetPeering\nvm21\ndelivered");
	fix_close(&f);
}

/* SC-G, ER-13: with both hubs on one circuit the MSEE prefers the native gateway; a site of
 * foreign software is traced by the topology. */
static void
test_sc_g_msee_prefers_the_native_gateway(void)
{
	struct fix f;

	open_regions(&f, REGIONS("", "tunnel: true"));
	fix_expect_trace(&f, "dc1", "vm21",
	    "dc1 [ER-10] 10.21.0.0/16 via c1-primary\n"
	    "c1-primary [ER-10] 10.21.0.0/16 gateway er2-1\n"
	    "er2-1 [ER-20] 10.21.0.0/16 VNetPeering\n"
	    "vm21\n"
	    "delivered");
	fix_expect_trace(&f, "dc1", "8.8.8.8", "blackhole: dc1 has no route to 8.8.8.8");
	fix_close(&f);
}

/* ER-30: VNets on one circuit reach each other by way of the MSEE. */
static void
test_er_30_hairpin_at_the_msee(void)
{
	struct fix f;

	open_regions(&f, REGIONS("", "tunnel: true"));
	fix_both_withdraw(&f, "rs1", "10.2.0.0/16 10.21.0.0/16");
	fix_both(&f, "rs1", HRP_SRC_EXPRESS_ROUTE, "10.21.0.0/16", "10.24.0.4 10.24.0.5");
	fix_expect_trace(&f, "vm11", "vm21",
	    "vm11 [ER-19] 10.21.0.0/16 VirtualNetworkGateway 10.24.0.5 10.24.0.4\n"
	    "c1-secondary [ER-10] 10.21.0.0/16 gateway er2-1\n"
	    "er2-1 [ER-20] 10.21.0.0/16 VNetPeering\n"
	    "vm21\n"
	    "delivered");
	fix_close(&f);
}

/* ---- ends ---- */

static void
test_endpoints(void)
{
	static const struct {
		const char *text;
		int err;
		const char *addr;
		const char *nic, *site;
		bool internet;
	} rows[] = {
		{ "vm11", FAB_OK, "10.11.0.4", "vm11", NULL, false },
		{ "nva1", FAB_OK, "10.1.2.4", "nva1", NULL, false },
		{ "dc1", FAB_OK, "172.20.0.1", NULL, "dc1", false },
		{ "internet", FAB_OK, "8.8.8.8", NULL, NULL, true },
		{ "10.12.0.4", FAB_OK, "10.12.0.4", "vm12", NULL, false },
		{ "10.12.0.5", FAB_OK, "10.12.0.5", NULL, NULL, false },
		{ "172.20.9.9", FAB_OK, "172.20.9.9", NULL, "dc1", false },
		{ "192.168.250.7", FAB_OK, "192.168.250.7", "nva1", NULL, false },
		{ "192.168.251.7", FAB_OK, "192.168.251.7", NULL, NULL, false },
		{ "192.168.1.1", FAB_OK, "192.168.1.1", NULL, NULL, false },
		{ "8.8.8.8", FAB_OK, "8.8.8.8", NULL, NULL, true },
		{ "nobody", FAB_ENOENT, NULL, NULL, NULL, false },
		{ "", FAB_ENOENT, NULL, NULL, NULL, false },
		{ "10.1.2", FAB_ENOENT, NULL, NULL, NULL, false },
	};
	struct fix f;

	open_plan(&f, plan);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fc_endpoint e;
		char buf[IPADDR_STRLEN];

		CU_ASSERT_EQUAL_FATAL(fc_endpoint_parse(f.l, &e, rows[i].text), rows[i].err);
		if (rows[i].err != FAB_OK)
			continue;
		CU_ASSERT_STRING_EQUAL(ipaddr_format(buf, e.addr), rows[i].addr);
		CU_ASSERT_EQUAL(e.nic, rows[i].nic != NULL ? fix_nic(&f, rows[i].nic) : -1);
		CU_ASSERT_EQUAL(e.site >= 0, rows[i].site != NULL);
		CU_ASSERT_EQUAL(e.internet, rows[i].internet);
		CU_ASSERT_EQUAL(e.gateway >= 0, strncmp(rows[i].text, "192.168.251.", 12) == 0);
		CU_ASSERT_EQUAL(fc_endpoint_is_source(&e),
		    rows[i].nic != NULL || rows[i].site != NULL || e.gateway >= 0 || e.internet);
	}
	fix_close(&f);
}

/* Any address from anywhere ends in a verdict, with and without tables of the routers. */
static void
test_every_pair_ends(void)
{
	static const char *const ends[] = { "vm11", "vm12", "work1", "nva1", "nva2", "dc1",
		"branch1", "branch2", "192.168.250.7" };
	static const char *const dsts[] = { "8.8.8.8", "10.99.0.1", "192.168.251.9", "10.1.0.4",
		"10.1.1.6", "0.0.0.0", "255.255.255.255", "172.22.0.1" };
	static const size_t n_ends = sizeof(ends) / sizeof(ends[0]);
	struct fix f;

	for (int known = 0; known < 2; known++) {
		if (known) {
			open_plan(&f, plan);
		} else {
			fix_open(&f, plan);
			tell_plan(&f);
		}
		for (size_t i = 0; i < n_ends; i++) {
			for (size_t j = 0; j < n_ends; j++)
				CU_ASSERT_TRUE(fix_trace(&f, ends[i], ends[j]).n_hops < 20);
			for (size_t j = 0; j < sizeof(dsts) / sizeof(dsts[0]); j++)
				CU_ASSERT_TRUE(fix_trace(&f, ends[i], dsts[j]).n_hops < 20);
		}
		fix_close(&f);
	}
}

/* ---- what is broken ---- */

struct broken {
	const char *a, *b;   /* a link that is cut, in one direction */
	const char *a2, *b2; /* and another one */
	const char *down;    /* a node that was announced as dead */
	bool missed;         /* who has a session over those links misses it */
};

static bool
same(const char *a, const char *b)
{
	return a != NULL && strcmp(a, b) == 0;
}

static bool
says_cut(void *ctx, const char *from, const char *to)
{
	const struct broken *b = ctx;

	return (same(b->a, from) && same(b->b, to)) || (same(b->a2, from) && same(b->b2, to));
}

static bool
says_down(void *ctx, const char *node)
{
	return same(((const struct broken *)ctx)->down, node);
}

static bool
says_missed(void *ctx, const char *a, const char *b)
{
	return ((const struct broken *)ctx)->missed && says_cut(ctx, a, b);
}

static void
broken_plan(struct fix *f, struct broken *b)
{
	open_plan(f, plan);
	fc_layers_set_faults(f->l, &(struct fc_layer_faults){ .is_down = says_down,
				       .is_cut = says_cut,
				       .session_is_down = says_missed,
				       .ctx = b });
}

/* The packet ends where the link is cut, whatever the routes say. */
static void
test_a_link_that_is_cut_ends_the_packet(void)
{
	struct broken b = { .a = "vm11", .b = "nva1" };
	struct fix f;

	broken_plan(&f, &b);
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "blackhole: the link from vm11 to nva1 is cut");
	CU_ASSERT_EQUAL(fix_trace(&f, "vm12", "vm11").verdict, FC_DELIVERED); /* one way */
	b = (struct broken){ .down = "nva1" };
	fix_expect_trace(&f, "vm11", "vm12",
	    "vm11 [RS-65] 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4\n"
	    "blackhole: nva1 is gone and still the next hop (RS-91)");
	fix_close(&f);
}

/* Both gateway instances announce a prefix; the MSEE uses the one that it still has a session
 * with. */
static void
test_er_15_msee_takes_the_instance_that_is_left(void)
{
	struct broken b = { .a = "c1-primary", .b = "er1-1" };
	struct fix f;

	broken_plan(&f, &b);
	fix_expect_trace(
	    &f, "dc1", "vm11", FROM_DC "blackhole: the link from c1-primary to er1-1 is cut");
	b.missed = true; /* the hold timer has expired */
	fix_expect_trace(&f, "dc1", "vm11",
	    "dc1 [ER-10] 10.11.0.0/16 via c1-primary\n"
	    "c1-primary [ER-10] 10.11.0.0/16 gateway er1-0\n"
	    "er1-0 [ER-20] 10.11.0.0/16 VNetPeering\n"
	    "vm11\n"
	    "delivered");
	fix_close(&f);
}

/* The way out passes no gateway, but ends with the last one that the MSEE can reach. */
static void
test_er_19_way_out_needs_a_gateway_at_the_msee(void)
{
	struct broken b = { .a = "er1-0", .b = "c1-secondary" };
	struct fix f;

	broken_plan(&f, &b);
	fix_expect_trace(&f, "vm11", "dc1", TO_DC);
	b.a2 = "er1-1";
	b.b2 = "c1-secondary";
	fix_expect_trace(&f, "vm11", "dc1",
	    "vm11 [ER-19] 172.20.0.0/16 VirtualNetworkGateway 10.24.0.5 10.24.0.4\n"
	    "blackhole: the link from vm11 to c1-secondary is cut");
	fix_close(&f);
}

static CU_TestInfo trace_tests[] = {
	{ "local and peered delivery", test_local_and_peered_delivery },
	{ "SC-A: spoke to spoke through the NVA", test_sc_a_spoke_to_spoke_through_the_nva },
	{ "SC-H, RS-64: loop and its remedy", test_sc_h_rs_64_loop_and_its_remedy },
	{ "SYS-2, SC-J: the Internet by public addresses", test_internet_by_public_addresses },
	{ "SC-J: back from the Internet", test_back_from_the_internet },
	{ "UDR-3: next hops that do not forward", test_udr_3_next_hops_that_do_not_forward },
	{ "SYS-3, RS-57: black holes of system and BGP routes",
	    test_blackholes_of_system_and_bgp_routes },
	{ "RS-91: NVA that is gone", test_rs_91_nva_that_is_gone },
	{ "RS-91: NVA whose machine stands", test_rs_91_machine_that_stands },
	{ "PEER-6, OPEN-9: forwarded traffic", test_peer_6_open_9_forwarded_traffic },
	{ "PEER-5: virtual network access", test_peer_5_virtual_network_access },
	{ "SC-C, MR-9: ECMP over stateful NVAs", test_sc_c_mr_9_ecmp_over_stateful_nvas },
	{ "RS-56: load balancer address as next hop",
	    test_rs_56_load_balancer_address_as_next_hop },
	{ "SC-C: load balancers do not break symmetry", test_load_balancers_do_not_break_symmetry },
	{ "RS-60: ECMP lists the alternatives", test_ecmp_lists_the_alternatives },
	{ "SC-I, ER-19, ER-20: on premises bypasses the NVA",
	    test_sc_i_on_premises_bypasses_the_nva },
	{ "SC-I, UDR-9: GatewaySubnet table", test_sc_i_udr_9_gateway_subnet_table },
	{ "SC-D, B2B-2: clients of the NVA", test_sc_d_clients_of_the_nva },
	{ "VPN-6, VPN-8, VPN-14: connections", test_vpn_connections },
	{ "VPN-20, VPN-22, ER-37: UDR and clients", test_vpn_20_22_udr_and_clients },
	{ "B2B-2: transit between gateways", test_b2b_2_transit_between_gateways },
	{ "ER-22: default from on premises", test_er_22_default_from_on_premises },
	{ "MR-5: loop without overlay", test_mr_5_loop_without_overlay },
	{ "MR-6, MR-7: tunnel and UDR", test_mr_6_tunnel_and_mr_7_udr },
	{ "foreign NVAs", test_foreign_nvas },
	{ "SC-G, ER-13: MSEE prefers the native gateway",
	    test_sc_g_msee_prefers_the_native_gateway },
	{ "ER-30: hairpin at the MSEE", test_er_30_hairpin_at_the_msee },
	{ "a link that is cut ends the packet", test_a_link_that_is_cut_ends_the_packet },
	{ "ER-15: the MSEE takes the instance that is left",
	    test_er_15_msee_takes_the_instance_that_is_left },
	{ "ER-19: the way out needs a gateway at the MSEE",
	    test_er_19_way_out_needs_a_gateway_at_the_msee },
	{ "endpoints", test_endpoints },
	{ "every pair ends", test_every_pair_ends },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_trace", trace_tests)
