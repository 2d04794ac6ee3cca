/*
 * The layers: reports and snapshots, which instance serves a NIC, best routes of gateways, changes
 * of the topology, tables of routers.
 */
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"

/* hub1 with a Route Server, one spoke; vm0 is served by instance 0, vm1 by instance 1 (RS-66). */
#define HUB                                                                                        \
	"vnets:\n"                                                                                 \
	"  hub1: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "          \
	"GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24}}\n"                                         \
	"  s11: {address_space: 10.11.0.0/16, subnets: {vms: 10.11.0.0/24}}\n"                     \
	"peerings: [{hub: hub1, spoke: s11, do_not_verify_remote_gateways: true}]\n"
#define VMS                                                                                        \
	"vms:\n"                                                                                   \
	"  vm0: {subnet: s11/vms, ip: 10.11.0.6}\n"                                                \
	"  vm1: {subnet: s11/vms, ip: 10.11.0.4}\n"
#define NVAS                                                                                       \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001}\n"                                   \
	"  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001}\n"
#define RS "route_servers: {rs1: {vnet: hub1, peers: {nva1: {}, nva2: {}}}}\n"
#define GATEWAYS                                                                                   \
	"gateways:\n"                                                                              \
	"  er1: {vnet: hub1, type: ExpressRoute, circuits: {c1: {}, c2: {}}}\n"                    \
	"  vpn1: {vnet: hub1, type: Vpn, active_active: true, connections: {branch1: {}}}\n"       \
	"circuits: {c1: {site: dc1}, c2: {site: dc1}}\n"                                           \
	"sites:\n"                                                                                 \
	"  dc1: {asn: 64900, prefixes: 172.20.0.0/16}\n"                                           \
	"  branch1: {asn: 64901, prefixes: 172.21.0.0/16}\n"

static const char rs_yaml[] = HUB VMS NVAS RS;
static const char gw_yaml[] = HUB VMS NVAS GATEWAYS;

static const struct fix_route NVA = { HRP_SRC_NVA, 1, 0 };
static const struct fix_route ER = { HRP_SRC_EXPRESS_ROUTE, 2, 0 };
static const struct fix_route VPN = { HRP_SRC_VPN, 1, 0 };

#define DEFAULT_VIA "VirtualNetworkGateway Active 0.0.0.0/0 VirtualNetworkGateway "
#define DC_VIA      "VirtualNetworkGateway Active 172.20.0.0/16 VirtualNetworkGateway "
#define INTERNET    "Default Active 0.0.0.0/0 Internet"
#define DC_NONE     "Default Active 172.16.0.0/12 None"

static void
expect_default(struct fix *f, const char *vm0, const char *vm1)
{
	fix_expect_lookup(f, "vm0", "8.8.8.8", vm0);
	fix_expect_lookup(f, "vm1", "8.8.8.8", vm1);
}

/* ---- Route Server instances ---- */

static void
test_rs66_a_nic_sees_the_routes_of_its_instance(void)
{
	struct fix f;

	fix_open(&f, rs_yaml);
	CU_ASSERT_EQUAL(f.t->nics[fix_nic(&f, "vm0")].instance, 0);
	CU_ASSERT_EQUAL(f.t->nics[fix_nic(&f, "vm1")].instance, 1);
	expect_default(&f, INTERNET, INTERNET);
	CU_ASSERT_EQUAL(fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.4"), 1);
	expect_default(&f, DEFAULT_VIA "10.1.2.4", INTERNET); /* RS-94: inconsistent */
	CU_ASSERT_EQUAL(fix_tell(&f, "rs1-1", NVA, "0.0.0.0/0", "10.1.2.5"), 1);
	expect_default(&f, DEFAULT_VIA "10.1.2.4", DEFAULT_VIA "10.1.2.5");
	fix_close(&f);
}

static void
test_changes_are_counted_by_outcome(void)
{
	static const char two[] = "0.0.0.0/0 10.99.0.0/24";
	struct fix f;

	fix_open(&f, rs_yaml);
	CU_ASSERT_EQUAL(fix_tell(&f, "rs1-0", NVA, two, "10.1.2.4 10.1.2.5"), 2);
	CU_ASSERT_EQUAL(fix_tell(&f, "rs1-0", NVA, two, "10.1.2.5 10.1.2.4"), 0);
	CU_ASSERT_EQUAL(fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.5"), 1);
	CU_ASSERT_EQUAL(fix_withdraw(&f, "rs1-0", "10.99.0.0/25"), 0);
	CU_ASSERT_EQUAL(fix_withdraw(&f, "rs1-0", two), 2);
	CU_ASSERT_EQUAL(fix_withdraw(&f, "rs1-0", two), 0);
	fix_close(&f);
}

static void
test_generation_moves_with_the_tables_only(void)
{
	struct fix f;
	uint64_t before;

	fix_open(&f, rs_yaml);
	before = fc_layers_generation(f.l);
	fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.4");
	CU_ASSERT_NOT_EQUAL(fc_layers_generation(f.l), before);
	before = fc_layers_generation(f.l);
	fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.4");
	CU_ASSERT_EQUAL(fc_layers_generation(f.l), before);
	fc_layers_reporter_state(f.l, "rs1-1", true, true); /* now serves vm0 too (RS-93) */
	CU_ASSERT_NOT_EQUAL(fc_layers_generation(f.l), before);
	before = fc_layers_generation(f.l);
	fc_layers_reporter_state(f.l, "rs1-1", true, true);
	fix_router(&f, "nva1", "10.1.0.0/16>rs1-0");
	CU_ASSERT_EQUAL(fc_layers_generation(f.l), before);
	fix_close(&f);
}

/* Steps of one instance's life and who then serves the two NICs. */
static void
test_rs93_instance_choice(void)
{
	static const struct {
		const char *reporter;
		bool connected, converged;
		const char *vm0, *vm1; /* whose next hop they see */
	} steps[] = {
		{ "rs1-0", true, false, "10.1.2.4", "10.1.2.4" }, /* alone: serves both */
		{ "rs1-1", true, false, "10.1.2.4", "10.1.2.4" }, /* may lack routes yet */
		{ "rs1-1", true, true, "10.1.2.5", "10.1.2.5" },  /* has all its routes first */
		{ "rs1-0", true, true, "10.1.2.4", "10.1.2.5" },
		{ "rs1-0", true, false, "10.1.2.4", "10.1.2.5" }, /* lost a peer: RS-94 */
		{ "rs1-0", false, false, "10.1.2.5", "10.1.2.5" },
		{ "rs1-0", true, false, "10.1.2.5", "10.1.2.5" }, /* back, not ready yet */
		{ "rs1-0", true, true, "10.1.2.4", "10.1.2.5" },
		{ "rs1-1", false, false, "10.1.2.4", "10.1.2.4" },
		/* RS-95: both gone, the NICs stay with what they had last */
		{ "rs1-0", false, false, "10.1.2.4", "10.1.2.4" },
		{ "rs1-1", true, false, "10.1.2.5", "10.1.2.5" },
		{ "rs1-0", true, false, "10.1.2.5", "10.1.2.5" },
		{ "rs1-0", true, true, "10.1.2.4", "10.1.2.4" },
		{ "rs1-1", true, true, "10.1.2.4", "10.1.2.5" },
	};
	char vm0[128], vm1[128];
	struct fix f;

	fix_open(&f, rs_yaml);
	fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.4");
	fix_tell(&f, "rs1-1", NVA, "0.0.0.0/0", "10.1.2.5");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		fc_layers_reporter_state(
		    f.l, steps[i].reporter, steps[i].connected, steps[i].converged);
		snprintf(vm0, sizeof(vm0), DEFAULT_VIA "%s", steps[i].vm0);
		snprintf(vm1, sizeof(vm1), DEFAULT_VIA "%s", steps[i].vm1);
		expect_default(&f, vm0, vm1);
	}
	fix_close(&f);
}

static void
test_rs95_fail_static_survives_a_new_topology(void)
{
	struct fix f;

	fix_open(&f, rs_yaml);
	fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.4");
	fix_tell(&f, "rs1-1", NVA, "0.0.0.0/0", "10.1.2.5");
	fc_layers_reporter_state(f.l, "rs1-0", true, true);
	fc_layers_reporter_state(f.l, "rs1-1", false, false);
	fc_layers_reporter_state(f.l, "rs1-0", false, false);
	fix_rebind(&f, rs_yaml);
	expect_default(&f, DEFAULT_VIA "10.1.2.4", DEFAULT_VIA "10.1.2.4");
	fix_close(&f);
}

/* ---- snapshots ---- */

static void
test_snapshot_drops_what_is_not_repeated(void)
{
	struct fix f;
	size_t changed = 99;

	fix_open(&f, rs_yaml);
	fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0 10.98.0.0/16 10.99.0.0/16", "10.1.2.4");
	CU_ASSERT_EQUAL(fc_layers_snapshot_begin(f.l, "rs1-0"), FAB_OK);
	expect_default(&f, DEFAULT_VIA "10.1.2.4", INTERNET); /* nothing is lost meanwhile */
	CU_ASSERT_EQUAL(fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.4"), 0);
	CU_ASSERT_EQUAL(fix_tell(&f, "rs1-0", NVA, "10.98.0.0/16", "10.1.2.5"), 1);
	CU_ASSERT_EQUAL(fc_layers_snapshot_end(f.l, "rs1-0", &changed), FAB_OK);
	CU_ASSERT_EQUAL(changed, 1);
	fix_expect_lookup(&f, "vm0", "10.99.0.1", DEFAULT_VIA "10.1.2.4");
	fix_expect_lookup(&f, "vm0", "10.98.0.1",
	    "VirtualNetworkGateway Active 10.98.0.0/16 VirtualNetworkGateway 10.1.2.5");
	fix_close(&f);
}

/* The connection broke in the middle of a snapshot; the next one starts over. */
static void
test_snapshot_that_never_ended_is_superseded(void)
{
	struct fix f;
	size_t changed;

	fix_open(&f, rs_yaml);
	fix_tell(&f, "rs1-0", NVA, "10.98.0.0/16 10.99.0.0/16", "10.1.2.4");
	CU_ASSERT_EQUAL(fc_layers_snapshot_begin(f.l, "rs1-0"), FAB_OK);
	fix_tell(&f, "rs1-0", NVA, "10.98.0.0/16", "10.1.2.4");
	CU_ASSERT_EQUAL(fc_layers_snapshot_begin(f.l, "rs1-0"), FAB_OK);
	fix_tell(&f, "rs1-0", NVA, "10.99.0.0/16", "10.1.2.4");
	CU_ASSERT_EQUAL(fc_layers_snapshot_end(f.l, "rs1-0", &changed), FAB_OK);
	CU_ASSERT_EQUAL(changed, 1);
	fix_expect_lookup(&f, "vm0", "10.98.0.1", "Default Active 10.0.0.0/8 None");
	fix_expect_lookup(&f, "vm0", "10.99.0.1",
	    "VirtualNetworkGateway Active 10.99.0.0/16 VirtualNetworkGateway 10.1.2.4");
	fix_close(&f);
}

/* ---- scopes without a Route Server ---- */

static void
test_er23_expressroute_beats_vpn_for_the_same_prefix(void)
{
	struct fix f;

	fix_open(&f, gw_yaml);
	CU_ASSERT_EQUAL(fix_tell(&f, "vpn1-0", VPN, "172.20.0.0/16", "10.1.1.6"), 2);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6");
	fix_tell(&f, "er1-0", ER, "172.20.0.0/16", "10.24.0.4 10.24.0.5");
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.24.0.4 10.24.0.5");
	fix_expect_lookup(&f, "vm1", "172.20.0.1", DC_VIA "10.24.0.4 10.24.0.5");
	/* ER-23: a longer prefix over VPN wins by LPM */
	fix_tell(&f, "vpn1-0", VPN, "172.20.9.0/24", "10.1.1.6");
	fix_expect_lookup(&f, "vm0", "172.20.9.1",
	    "VirtualNetworkGateway Active 172.20.9.0/24 VirtualNetworkGateway 10.1.1.6");
	CU_ASSERT_EQUAL(fix_withdraw(&f, "er1-0", "172.20.0.0/16"), 2);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6");
	fix_close(&f);
}

/* VPN-14: active-active shows both BGP addresses, active-standby the public one. */
static void
test_vpn14_instances_merge_their_next_hops(void)
{
	struct fix f;

	fix_open(&f, gw_yaml);
	fix_tell(&f, "vpn1-0", VPN, "172.20.0.0/16", "10.1.1.6");
	CU_ASSERT_EQUAL(fix_tell(&f, "vpn1-1", VPN, "172.20.0.0/16", "10.1.1.7"), 2);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6 10.1.1.7");
	/* VPN-18: one instance is lost, the other one carries everything, and back */
	fc_layers_reporter_state(f.l, "vpn1-1", true, true);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.7");
	fc_layers_reporter_state(f.l, "vpn1-0", true, true);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6 10.1.1.7");
	fc_layers_reporter_state(f.l, "vpn1-0", false, false);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.7");
	fc_layers_reporter_state(f.l, "vpn1-0", true, true);
	CU_ASSERT_EQUAL(fix_withdraw(&f, "vpn1-0", "172.20.0.0/16"), 2);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.7");
	fix_withdraw(&f, "vpn1-1", "172.20.0.0/16");
	fix_tell(&f, "vpn1-0", VPN, "172.20.0.0/16", "203.0.113.1");
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "203.0.113.1");
	fix_close(&f);
}

static void
test_er18_weight_decides_between_circuits(void)
{
	struct fix f;

	fix_open(&f, gw_yaml);
	fix_tell(&f, "er1-0", (struct fix_route){ HRP_SRC_EXPRESS_ROUTE, 2, 0 }, "172.20.0.0/16",
	    "10.24.0.4 10.24.0.5");
	fix_tell(&f, "er1-1", (struct fix_route){ HRP_SRC_EXPRESS_ROUTE, 4, 10 }, "172.20.0.0/16",
	    "10.24.1.4 10.24.1.5");
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.24.1.4 10.24.1.5");
	fix_close(&f);
}

static void
test_gateway_that_is_gone_loses_its_routes_unless_all_are(void)
{
	struct fix f;

	fix_open(&f, gw_yaml);
	fix_tell(&f, "er1-0", ER, "172.20.0.0/16", "10.24.0.4 10.24.0.5");
	fix_tell(&f, "vpn1-0", VPN, "172.20.0.0/16", "10.1.1.6");
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.24.0.4 10.24.0.5");
	fc_layers_reporter_state(f.l, "er1-0", true, true);
	fc_layers_reporter_state(f.l, "vpn1-0", true, true);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.24.0.4 10.24.0.5");
	fc_layers_reporter_state(f.l, "er1-0", false, false);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6");
	fc_layers_reporter_state(f.l, "vpn1-0", false, false);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6"); /* RS-95 */
	fix_rebind(&f, gw_yaml);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6");
	fc_layers_reporter_state(f.l, "er1-0", true, false);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.24.0.4 10.24.0.5");
	fix_close(&f);
}

static void
test_gateway_snapshot_sweeps_the_merged_table(void)
{
	struct fix f;
	size_t changed;

	fix_open(&f, gw_yaml);
	fix_tell(&f, "er1-0", ER, "172.20.0.0/16", "10.24.0.4");
	fix_tell(&f, "vpn1-0", VPN, "172.20.0.0/16", "10.1.1.6");
	CU_ASSERT_EQUAL(fc_layers_snapshot_begin(f.l, "er1-0"), FAB_OK);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.24.0.4");
	CU_ASSERT_EQUAL(fc_layers_snapshot_end(f.l, "er1-0", &changed), FAB_OK);
	CU_ASSERT_EQUAL(changed, 2);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.1.1.6");
	fix_close(&f);
}

/* ---- topology changes ---- */

static void
test_bind_keeps_routes_of_reporters_that_remain(void)
{
	struct fix f;

	fix_open(&f, rs_yaml);
	fix_tell(&f, "rs1-0", NVA, "0.0.0.0/0", "10.1.2.4");
	fix_rebind(&f, HUB NVAS RS "vms: {vm0: {subnet: s11/vms, ip: 10.11.0.6}}\n");
	fix_expect_lookup(&f, "vm0", "8.8.8.8", DEFAULT_VIA "10.1.2.4");
	fix_rebind(&f, HUB VMS NVAS); /* Route Server deleted: RS-98 */
	fix_expect_lookup(&f, "vm0", "8.8.8.8", INTERNET);
	fix_rebind(&f, rs_yaml);
	fix_expect_lookup(&f, "vm0", "8.8.8.8", INTERNET);
	fix_close(&f);
}

/* With a Route Server in the VNet only its instances report. */
static void
test_gateways_do_not_report_beside_a_route_server(void)
{
	struct fix f;
	struct fc_route_batch empty = { 0 };
	size_t changed;

	fix_open(&f, gw_yaml);
	fix_tell(&f, "er1-0", ER, "172.20.0.0/16", "10.24.0.4");
	fix_rebind(&f, HUB VMS NVAS RS GATEWAYS);
	CU_ASSERT_EQUAL(fc_layers_apply(f.l, "er1-0", &empty, &changed), FAB_ENOENT);
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_NONE);
	fix_tell(&f, "rs1-0", ER, "172.20.0.0/16", "10.24.0.4");
	fix_expect_lookup(&f, "vm0", "172.20.0.1", DC_VIA "10.24.0.4");
	fix_close(&f);
}

static void
test_reporter_that_moves_to_another_vnet_starts_afresh(void)
{
	static const char other[] =
	    "vnets:\n"
	    "  hub1: {address_space: 10.1.0.0/16, subnets: {nva: 10.1.2.0/24}}\n"
	    "  hub2: {address_space: 10.2.0.0/16, subnets: {RouteServerSubnet: 10.2.0.0/26, "
	    "vms: 10.2.1.0/24}}\n"
	    "route_servers: {rs1: {vnet: hub2}}\n"
	    "vms: {vm0: {subnet: hub2/vms, ip: 10.2.1.5}, vm1: {subnet: hub2/vms, ip: 10.2.1.4}}\n";
	struct fix f;

	fix_open(&f, rs_yaml);
	fix_nva(&f, "rs1", "0.0.0.0/0", "10.1.2.4");
	fix_rebind(&f, other);
	expect_default(&f, INTERNET, INTERNET);
	fix_close(&f);
}

/* ---- bad input ---- */

static void
test_malformed_batches_change_nothing(void)
{
	static const uint32_t good_addr[] = { 0x0a630000 }, host_bits[] = { 0x0a630001 };
	static const uint8_t len16[] = { 16 }, len33[] = { 33 };
	static const uint32_t hops[FIX_ROUTES_MAX + 1] = { 0x0a010204 };
	struct fc_route_group good = { .source = HRP_SRC_NVA,
		.next_hops = hops,
		.n_next_hops = 1,
		.addr = good_addr,
		.len = len16,
		.n = 1 };
	struct {
		struct fc_route_group g[2];
		const uint32_t *withdrawn;
		const uint8_t *withdrawn_len;
	} rows[] = {
		{ { good, { .addr = host_bits, .len = len16, .n = 1 } }, NULL, NULL },
		{ { good, { .addr = good_addr, .len = len33, .n = 1 } }, NULL, NULL },
		{ { good, { .next_hops = hops, .n_next_hops = 65 } }, NULL, NULL },
		{ { good, good }, host_bits, len16 },
		{ { good, good }, good_addr, len33 },
	};
	struct fix f;

	fix_open(&f, rs_yaml);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fc_route_batch b = { .groups = rows[i].g,
			.n_groups = 2,
			.withdrawn_addr = rows[i].withdrawn,
			.withdrawn_len = rows[i].withdrawn_len,
			.n_withdrawn = rows[i].withdrawn != NULL };
		size_t changed = 7;

		CU_ASSERT_EQUAL(fc_layers_apply(f.l, "rs1-0", &b, &changed), FAB_EINVAL);
		CU_ASSERT_EQUAL(changed, 7);
		CU_ASSERT_EQUAL(fc_layers_router_apply(f.l, "nva1", &b, false, false), FAB_EINVAL);
	}
	fix_expect_lookup(&f, "vm0", "10.99.0.1", "Default Active 10.0.0.0/8 None");
	fix_close(&f);
}

static void
test_unknown_reporters_are_refused(void)
{
	static const char *const names[] = { "rs1", "rs1-2", "rs2-0", "nva1", "hub1", "" };
	struct fc_route_batch empty = { 0 };
	struct fix f;
	size_t changed;

	fix_open(&f, rs_yaml);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CU_ASSERT_EQUAL(fc_layers_apply(f.l, names[i], &empty, &changed), FAB_ENOENT);
		CU_ASSERT_EQUAL(fc_layers_snapshot_begin(f.l, names[i]), FAB_ENOENT);
		CU_ASSERT_EQUAL(fc_layers_snapshot_end(f.l, names[i], &changed), FAB_ENOENT);
		fc_layers_reporter_state(f.l, names[i], true, true);
	}
	CU_ASSERT_EQUAL(fc_layers_router_apply(f.l, "rs1-0", &empty, false, false), FAB_ENOENT);
	fix_close(&f);
}

/* ---- routers ---- */

static void
expect_router(struct fix *f, const char *node, const char *addr_text, const char *want)
{
	struct ipnet net;
	const char *peer;
	uint32_t addr;
	char buf[IPNET_STRLEN];

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, addr_text), FAB_OK);
	f->text[0] = '\0';
	if (fc_layers_router_lookup(f->l, node, addr, &net, &peer))
		fix_add(f, "%s>%s", ipnet_format(buf, net), peer);
	fix_expect_text(f, addr_text, want);
}

static void
test_router_tables(void)
{
	struct fc_route_batch empty = { 0 };
	struct fix f;

	fix_open(&f, rs_yaml);
	expect_router(&f, "nva1", "10.21.0.1", "");
	fix_router(&f, "nva1", "10.21.0.0/16>nva2 10.1.0.0/16>rs1-0 0.0.0.0/0>");
	expect_router(&f, "nva1", "10.21.0.1", "10.21.0.0/16>nva2");
	expect_router(&f, "nva1", "10.1.2.3", "10.1.0.0/16>rs1-0");
	expect_router(&f, "nva1", "8.8.8.8", "0.0.0.0/0>");
	fix_router(&f, "nva1", "10.21.0.0/16>nva2"); /* a snapshot drops the rest */
	expect_router(&f, "nva1", "8.8.8.8", "");
	fc_layers_router_gone(f.l, "nva1");
	expect_router(&f, "nva1", "10.21.0.1", "");
	CU_ASSERT_EQUAL(fc_layers_router_apply(f.l, "nva1", &empty, false, false), FAB_OK);
	expect_router(&f, "nva1", "10.21.0.1", "10.21.0.0/16>nva2");
	fix_rebind(&f, gw_yaml);
	expect_router(&f, "nva1", "10.21.0.1", "10.21.0.0/16>nva2");
	fix_rebind(&f, HUB VMS);
	expect_router(&f, "nva1", "10.21.0.1", "");
	fix_close(&f);
}

static void
test_memory_is_accounted(void)
{
	struct fix f;
	size_t before;

	fix_open(&f, rs_yaml);
	before = fc_layers_memory(f.l);
	CU_ASSERT_TRUE(before > 0 && before < 100000);
	fix_tell(&f, "rs1-0", NVA,
	    "10.90.0.0/16 10.91.0.0/16 10.92.0.0/16 10.93.0.0/16 10.94.0.0/16", "10.1.2.4");
	CU_ASSERT_TRUE(fc_layers_memory(f.l) > before);
	fix_close(&f);
	fc_layers_free(NULL);
}

/* ---- backends ---- */

#define LB(probe)                                                                                  \
	HUB VMS "load_balancers:\n"                                                                \
		"  ilb1: {subnet: s11/vms, ip: 10.11.0.100, backends: [vm0, vm1]" probe "}\n"

static bool
is_healthy(const struct fix *f, const char *backend)
{
	return fc_backend_is_healthy(f->l, &f->t->balancers[0], fix_nic(f, backend));
}

/* RS-57: what was found stays until something else is found, or nobody asks any more. */
static void
test_health_of_backends(void)
{
	const struct fc_health down = { .healthy = false, .why = "refused", .since_us = 5 },
			       up = { .healthy = true, .since_us = 7 };
	const struct fc_health *h;
	struct fix f;
	bool changed;

	fix_open(&f, LB(", probe: {port: 80}"));
	CU_ASSERT_TRUE(is_healthy(&f, "vm0"));
	CU_ASSERT_PTR_NULL(fc_backend_health(f.l, &f.t->balancers[0], fix_nic(&f, "vm0")));
	CU_ASSERT_EQUAL(fc_layers_health(f.l, "ilb2", "vm0", &down, &changed), FAB_ENOENT);
	CU_ASSERT_EQUAL(fc_layers_health(f.l, "ilb1", "vm9", &down, &changed), FAB_ENOENT);
	CU_ASSERT_EQUAL(fc_layers_health(f.l, "ilb1", "vm0", &down, &changed), FAB_OK);
	CU_ASSERT_TRUE(changed);
	CU_ASSERT_EQUAL(fc_layers_health(f.l, "ilb1", "vm0", &down, &changed), FAB_OK);
	CU_ASSERT_FALSE(changed);
	CU_ASSERT_TRUE(!is_healthy(&f, "vm0") && is_healthy(&f, "vm1"));
	fix_rebind(&f, LB(", probe: {port: 8080}"));
	h = fc_backend_health(f.l, &f.t->balancers[0], fix_nic(&f, "vm0"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	CU_ASSERT_TRUE(!h->healthy && h->since_us == 5);
	CU_ASSERT_STRING_EQUAL(h->why, "refused");
	CU_ASSERT_EQUAL(fc_layers_health(f.l, "ilb1", "vm0", &up, &changed), FAB_OK);
	CU_ASSERT_TRUE(changed && is_healthy(&f, "vm0") && h->since_us == 7);
	CU_ASSERT_EQUAL(fc_layers_health(f.l, "ilb1", "vm0", &down, &changed), FAB_OK);
	fix_rebind(&f, LB(""));
	CU_ASSERT_TRUE(is_healthy(&f, "vm0"));
	fix_rebind(&f, LB(", probe: {port: 80}"));
	CU_ASSERT_TRUE(is_healthy(&f, "vm0")); /* forgotten */
	fix_close(&f);
}

static CU_TestInfo layers_tests[] = {
	{ "RS-57: health of backends", test_health_of_backends },
	{ "RS-66: a NIC sees the routes of its instance",
	    test_rs66_a_nic_sees_the_routes_of_its_instance },
	{ "changes are counted by outcome", test_changes_are_counted_by_outcome },
	{ "generation moves with the tables only", test_generation_moves_with_the_tables_only },
	{ "RS-93, RS-94, RS-95: instance choice", test_rs93_instance_choice },
	{ "RS-95: fail-static survives a new topology",
	    test_rs95_fail_static_survives_a_new_topology },
	{ "snapshot drops what is not repeated", test_snapshot_drops_what_is_not_repeated },
	{ "snapshot that never ended is superseded", test_snapshot_that_never_ended_is_superseded },
	{ "ER-23: ExpressRoute beats VPN for the same prefix",
	    test_er23_expressroute_beats_vpn_for_the_same_prefix },
	{ "VPN-14, VPN-18: instances merge their next hops",
	    test_vpn14_instances_merge_their_next_hops },
	{ "ER-18: weight decides between circuits", test_er18_weight_decides_between_circuits },
	{ "gateway that is gone loses its routes unless all are",
	    test_gateway_that_is_gone_loses_its_routes_unless_all_are },
	{ "gateway snapshot sweeps the merged table",
	    test_gateway_snapshot_sweeps_the_merged_table },
	{ "RS-98: bind keeps routes of reporters that remain",
	    test_bind_keeps_routes_of_reporters_that_remain },
	{ "gateways do not report beside a Route Server",
	    test_gateways_do_not_report_beside_a_route_server },
	{ "reporter that moves to another VNet starts afresh",
	    test_reporter_that_moves_to_another_vnet_starts_afresh },
	{ "malformed batches change nothing", test_malformed_batches_change_nothing },
	{ "unknown reporters are refused", test_unknown_reporters_are_refused },
	{ "router tables", test_router_tables },
	{ "memory is accounted", test_memory_is_accounted },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_layers", layers_tests)
