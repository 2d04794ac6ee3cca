/*
 * The roles of gatewayd: configurations in, what peers and fabricd see out. Sessions are stand-ins.
 */
#include "gatewayd/gw.h"
#include "lib/err.h"
#include "lib/log.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/wire_fixture.h"

#include <string.h>

#define RS        FAB__V1__PEER_ROLE__PEER_ROUTE_SERVER
#define MSEE      FAB__V1__PEER_ROLE__PEER_MSEE
#define SITE      FAB__V1__PEER_ROLE__PEER_CUSTOMER
#define SIBLING   FAB__V1__PEER_ROLE__PEER_GATEWAY_SIBLING
#define ERGW      FAB__V1__PEER_ROLE__PEER_ER_GATEWAY
#define PATH(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

static struct fab_loop *loop;
static struct wire_node *node;
static struct fx_conf fx;
static struct fx_report report;

static void
configure(void)
{
	fx.m.generation++;
	wire_node_config(node, &fx.m);
	fab_loop_turn(loop, 0);
}

static void
start(const struct wire_role *role)
{
	static const struct wire_report_to to = { fx_report_send, &report };

	fab_log_set_level(FAB_LOG_ERROR);
	memset(&report, 0, sizeof(report));
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_node_new(&node, loop, "gw", NULL, role, &to), FAB_OK);
}

static void
teardown(void)
{
	wire_node_free(node);
	fab_loop_free(loop);
}

static void
up(const char *peer)
{
	struct bgp_session *s = fake_find(peer);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	fake_up(s);
	fake_end_of_rib(s);
	fab_loop_turn(loop, 0);
}

static void
announce(const char *peer, const char *prefixes, const uint32_t *path)
{
	struct bgp_session *s = fake_find(peer);

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	fake_rx(s, &(struct fake_update){
		       .announce = prefixes, .next_hop = s->conf.peer_addr, .path = path });
	fab_loop_turn(loop, 0);
}

static const char *
path_at(const char *peer, const char *prefix)
{
	struct bgp_session *s = fake_find(peer);
	const struct fake_route *r = s == NULL ? NULL : fake_has(s, prefix);

	return r == NULL ? "absent" : fake_path(r);
}

/* ---- ExpressRoute gateway ---- */

/* Instance of er1 in hub1; two MSEEs of circuit1, and perhaps a Route Server. */
static void
setup_er(unsigned instance, bool route_server)
{
	start(&gw_er_role);
	fx_conf_init(&fx, instance == 0 ? "er1-0" : "er1-1", FAB__V1__NODE_KIND__NODE_ER_GATEWAY,
	    65515, instance == 0 ? "10.1.1.12" : "10.1.1.13");
	fx.m.instance = instance;
	fx_gateway(&fx, "10.1.0.0/16", "10.11.0.0/16 10.12.0.0/16");
	fx.gateway.has_route_server = route_server;
	fx.gateway.max_prefixes_out = 5;
	fx_circuit(&fx, "circuit1", 10, "10.24.0.4", "10.24.0.5");
	for (size_t i = 0; i < 2; i++) {
		static const char *const names[] = { "circuit1-primary", "circuit1-secondary" };
		static const char *const addresses[] = { "10.1.1.4", "10.1.1.5" };
		Fab__V1__BgpPeerConfig *p =
		    fx_peer(&fx, names[i], MSEE, 12076, addresses[i], "10.1.1.12");

		p->resource = fx.circuits[0].circuit;
		p->weight = 10;
	}
	fx_peer(&fx, "er1-sibling", SIBLING, 65515, "10.1.1.14", "10.1.1.12");
	if (route_server)
		fx_peer(&fx, "rs1-0", RS, 65515, "10.1.0.4", "10.1.1.12");
	configure();
	up("circuit1-primary");
	up("circuit1-secondary");
	up("er1-sibling");
	if (route_server)
		up("rs1-0");
}

static void
test_er_without_route_server_reports_both_next_hops_ER_19(void)
{
	const struct fx_route *r;

	setup_er(0, false);
	announce("circuit1-primary", "172.20.0.0/16 10.1.5.0/24 0.0.0.0/0", PATH(12076, 64900));
	announce("circuit1-secondary", "172.20.0.0/16", PATH(12076, 64900));
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "172.20.0.0/16"), "10.24.0.4 10.24.0.5");
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "0.0.0.0/0"), "10.24.0.4"); /* ER-22 */
	r = fx_reported(&report, "172.20.0.0/16");
	CU_ASSERT_EQUAL(r->source, HRP_SRC_EXPRESS_ROUTE);
	CU_ASSERT_EQUAL(r->weight, 10); /* ER-18 */
	CU_ASSERT_STRING_EQUAL(r->path, "12076 64900");
	/* Inside the VNet, and the VNet itself, are not reported. */
	CU_ASSERT_EQUAL(report.n_routes, 2);
	CU_ASSERT_TRUE(report.converged);
	/* One MSEE dies: its next hop goes. */
	fake_down(fake_find("circuit1-primary"), "hold timer expired");
	fab_loop_turn(loop, 0);
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "172.20.0.0/16"), "10.24.0.5");
	CU_ASSERT_FALSE(report.converged);
	teardown();
}

/* SC-D, "without RS": the gateway reports in its place from the moment on that it leaves. */
static void
test_er_reports_when_its_route_server_leaves(void)
{
	setup_er(0, true);
	announce("circuit1-primary", "172.20.0.0/16", PATH(12076, 64900));
	announce("circuit1-secondary", "172.20.0.0/16", PATH(12076, 64900));
	CU_ASSERT_EQUAL(report.n_routes, 0);
	fx.gateway.has_route_server = false;
	fx.m.n_peers--;
	configure();
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "172.20.0.0/16"), "10.24.0.4 10.24.0.5");
	CU_ASSERT_EQUAL(report.n_routes, 1);
	teardown();
}

/* SC-D, B2B-12: only VNet prefixes leave, whatever branches there are. */
static void
test_er_without_route_server_is_no_transit_B2B_12(void)
{
	setup_er(0, false);
	announce("circuit1-primary", "172.20.0.0/16", PATH(12076, 64900));
	announce("er1-sibling", "172.24.0.0/16", PATH(12076, 64900));
	CU_ASSERT_EQUAL(fake_find("circuit1-secondary")->n_table, 3);
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-secondary", "10.12.0.0/16"), "65515");
	teardown();
}

static void
test_er_sibling_routes_are_backup(void)
{
	setup_er(0, false);
	announce("er1-sibling", "172.20.0.0/16", PATH(12076));
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "172.20.0.0/16"), "10.1.1.14");
	announce("circuit1-primary", "172.20.0.0/16", PATH(12076, 64900));
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "172.20.0.0/16"), "10.24.0.4");
	teardown();
}

static void
test_er_instances_show_route_server_both_next_hops_ER_19(void)
{
	static const char *const want[] = { "10.24.0.4", "10.24.0.5" };

	for (unsigned i = 0; i < 2; i++) {
		setup_er(i, true);
		announce("circuit1-primary", "172.20.0.0/16", PATH(12076, 64900));
		announce("circuit1-secondary", "172.20.0.0/16", PATH(12076, 64900));
		CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "172.20.0.0/16"), "12076 64900");
		CU_ASSERT_EQUAL(
		    fake_has(fake_find("rs1-0"), "172.20.0.0/16")->next_hop, fx_ip(want[i]));
		/* The Route Server is the reporter. */
		CU_ASSERT_EQUAL(report.n_routes, 0);
		/* The other MSEE takes over within the same turn. */
		fake_down(fake_find(i == 0 ? "circuit1-primary" : "circuit1-secondary"), "lost");
		fab_loop_turn(loop, 0);
		CU_ASSERT_EQUAL(
		    fake_has(fake_find("rs1-0"), "172.20.0.0/16")->next_hop, fx_ip(want[1 - i]));
		teardown();
	}
}

static void
test_er_advertises_vnets_and_route_server_routes_ER_10(void)
{
	setup_er(0, true);
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.1.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.12.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "10.1.0.0/16"), "absent");
	announce("rs1-0", "0.0.0.0/0", PATH(65001));
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-secondary", "0.0.0.0/0"), "65515 65001");
	CU_ASSERT_STRING_EQUAL(path_at("er1-sibling", "0.0.0.0/0"), "absent");
	/* A spoke comes (SC-E, RS-97), under running sessions. */
	fx_nets(&fx, &fx.gateway.spoke_prefixes, &fx.gateway.n_spoke_prefixes,
	    "10.11.0.0/16 10.12.0.0/16 10.13.0.0/16");
	configure();
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.13.0.0/16"), "65515");
	CU_ASSERT_EQUAL(fake_find("circuit1-primary")->stats.transitions, 1);
	teardown();
}

/* ER-14: what Azure was seen to announce with each list of summaries (GV-6). */
static void
test_er_summaries_GV_6(void)
{
	static const struct {
		const char *summaries, *out;
	} rows[] = {
		{ "", "10.0.0.0/16 10.1.0.0/16 10.2.0.0/16" }, { "10.0.0.0/14", "10.0.0.0/14" },
		{ "10.0.0.0/15", "10.0.0.0/15 10.2.0.0/16" },
		{ "172.16.0.0/16", "172.16.0.0/16 10.1.0.0/16 10.2.0.0/16" },
		{ "", "10.0.0.0/16 10.1.0.0/16 10.2.0.0/16" }, /* null reverts at once */
	};

	setup_er(0, false);
	fx_nets(&fx, &fx.gateway.vnet_prefixes, &fx.gateway.n_vnet_prefixes, "10.0.0.0/16");
	fx_nets(&fx, &fx.gateway.spoke_prefixes, &fx.gateway.n_spoke_prefixes,
	    "10.1.0.0/16 10.2.0.0/16");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[128], *net, *save = NULL;
		size_t n = 0;

		fx_nets(&fx, &fx.gateway.summaries, &fx.gateway.n_summaries, rows[i].summaries);
		configure();
		snprintf(want, sizeof(want), "%s", rows[i].out);
		for (net = strtok_r(want, " ", &save); net != NULL;
		     net = strtok_r(NULL, " ", &save)) {
			CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", net), "65515");
			n++;
		}
		CU_ASSERT_EQUAL(fake_find("circuit1-primary")->n_table, n);
	}
	teardown();
}

static void
test_er_connection_limit_ER_21(void)
{
	setup_er(0, true);
	announce("rs1-0", "192.168.1.0/24 192.168.2.0/24", PATH(65001));
	/* RS-26: 3 VNet prefixes and 2 of the Route Server: at the limit of 5. */
	CU_ASSERT_PTR_NOT_NULL(fake_find("circuit1-primary"));
	announce("rs1-0", "192.168.3.0/24", PATH(65001));
	CU_ASSERT_PTR_NULL(fake_find("circuit1-primary"));
	CU_ASSERT_PTR_NULL(fake_find("circuit1-secondary"));
	CU_ASSERT_PTR_NOT_NULL(fake_find("er1-sibling"));
	fake_rx(fake_find("rs1-0"), &(struct fake_update){ .withdraw = "192.168.1.0/24" });
	fab_loop_turn(loop, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_find("circuit1-primary"));
	up("circuit1-primary");
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "192.168.3.0/24"), "65515 65001");
	/* On-premises prefixes do not count. */
	announce("circuit1-primary", "172.16.0.0/24 172.16.1.0/24 172.16.2.0/24", PATH(12076));
	CU_ASSERT_PTR_NOT_NULL(fake_find("circuit1-primary"));
	teardown();
}

/* ---- route maps ---- */

/* One rule without conditions: drop, or 10.200.0.0/16 for what is inside. */
static struct {
	Fab__V1__Prefix prefix, *prefixes[1];
	Fab__V1__RouteMapAction action[2], *actions[2];
	Fab__V1__RouteMapRule rule[2], *rules[2];
	Fab__V1__RouteMap map[2], *maps[2];
} maps;

enum { MAP_DROP = 1, MAP_SUMMARY };

static void
add_maps(void)
{
	fab__v1__prefix__init(maps.prefixes[0] = &maps.prefix);
	maps.prefix.addr = 0x0ac80000;
	maps.prefix.len = 16;
	for (size_t i = 0; i < 2; i++) {
		fab__v1__route_map_action__init(maps.actions[i] = &maps.action[i]);
		fab__v1__route_map_rule__init(maps.rules[i] = &maps.rule[i]);
		fab__v1__route_map__init(maps.maps[i] = &maps.map[i]);
		maps.map[i].name = (char *)(uintptr_t)(i == 0 ? "drop" : "summary");
		maps.map[i].rules = &maps.rules[i];
		maps.rule[i].actions = &maps.actions[i];
		maps.map[i].n_rules = maps.rule[i].n_actions = 1;
	}
	maps.action[1].act = FAB__V1__ROUTE_MAP_ACT__ACT_REPLACE;
	maps.action[1].on = FAB__V1__ROUTE_MAP_SUBJECT__ON_PREFIX;
	maps.action[1].prefixes = maps.prefixes;
	maps.action[1].n_prefixes = 1;
	fx.m.route_maps = maps.maps;
	fx.m.n_route_maps = 2;
}

/* SC-M, RM-2, RM-9: on-premises gets the summary, without the path of the NVA. */
static void
test_er_outbound_map(void)
{
	setup_er(0, true);
	add_maps();
	announce("rs1-0", "10.200.1.0/24 10.200.2.0/24", PATH(65001));
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.200.1.0/24"), "65515 65001");
	fx.peers[0].out_map = fx.peers[1].out_map = MAP_SUMMARY;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.200.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-secondary", "10.200.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.200.1.0/24"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.1.0.0/16"), "65515");
	CU_ASSERT_EQUAL(fake_find("circuit1-primary")->resets, 0);
	/* ER-21 counts what goes out: 3 VNet prefixes and one summary, whatever it stands for. */
	announce("rs1-0", "10.200.3.0/24 10.200.4.0/24 10.200.5.0/24 10.200.6.0/24", PATH(65001));
	CU_ASSERT_PTR_NOT_NULL(fake_find("circuit1-primary"));
	fx.peers[0].out_map = fx.peers[1].out_map = 0;
	configure();
	CU_ASSERT_PTR_NULL(fake_find("circuit1-primary"));
	fx.peers[0].out_map = fx.peers[1].out_map = MAP_DROP;
	configure();
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_find("circuit1-primary"));
	up("circuit1-primary");
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.200.1.0/24"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at("circuit1-primary", "10.11.0.0/16"), "65515"); /* RM-9 */
	teardown();
}

/* RM-2: towards the Route Server. */
static void
test_er_inbound_map(void)
{
	setup_er(0, true);
	add_maps();
	announce("circuit1-primary", "10.200.1.0/24 10.200.2.0/24", PATH(12076, 64900));
	fx.peers[0].in_map = MAP_SUMMARY;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "10.200.0.0/16"), "");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "10.200.1.0/24"), "absent");
	CU_ASSERT_EQUAL(
	    fake_has(fake_find("rs1-0"), "10.200.0.0/16")->next_hop, fx_ip("10.24.0.4"));
	CU_ASSERT_STRING_EQUAL(
	    path_at("circuit1-secondary", "10.200.0.0/16"), "absent"); /* B2B-9 */
	fx.peers[0].in_map = MAP_DROP;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "10.200.0.0/16"), "absent");
	CU_ASSERT_EQUAL(
	    speaker_peer_routes_in(speaker_peer_find(wire_node_speaker(node), "circuit1-primary")),
	    2);
	teardown();
}

static void
count_own(void *ctx, enum wire_listing what, bool network, uint32_t want)
{
	struct wire_row row = { 0 };

	gw_er_role.row(
	    ctx, what, network ? NULL : speaker_peer_find(wire_node_speaker(node), "rs1-0"), &row);
	CU_ASSERT_EQUAL(row.weight, want);
	CU_ASSERT_EQUAL(row.network, network);
}

static void
test_er_listing_ER_17(void)
{
	void *ctx;

	setup_er(0, true);
	ctx = wire_node_role_ctx(node);
	count_own(ctx, WIRE_LEARNED, true, 32768);
	count_own(ctx, WIRE_LEARNED, false, 32769);
	count_own(ctx, WIRE_ADVERTISED, false, 0);
	CU_ASSERT_TRUE(gw_er_role.own_in_learned);
	teardown();
}

/* ---- MSEE ---- */

static void
test_msee_prefers_the_shorter_full_path_ER_13(void)
{
	start(&gw_msee_role);
	fx_conf_init(&fx, "circuit1-primary", FAB__V1__NODE_KIND__NODE_MSEE, 12076, "10.1.1.4");
	fab__v1__msee_config__init(&fx.msee);
	fx.m.msee = &fx.msee;
	fx_peer(&fx, "dc1", SITE, 64900, "172.31.0.1", "172.31.0.2");
	fx_peer(&fx, "er1-0", ERGW, 65515, "10.1.1.12", "10.1.1.4");
	fx_peer(&fx, "er2-0", ERGW, 65515, "10.2.1.12", "10.2.1.4");
	fx.peers[1].resource = fx.peers[1].name;
	fx.peers[2].resource = fx.peers[2].name;
	configure();
	up("dc1");
	up("er1-0");
	up("er2-0");
	announce("er2-0", "9.9.9.9/32", PATH(65515, 65010, 65010, 65010));
	announce("er1-0", "9.9.9.9/32", PATH(65515, 65010));
	/* The customer cannot tell (ER-11), the MSEE can (GV-5). */
	CU_ASSERT_STRING_EQUAL(path_at("dc1", "9.9.9.9/32"), "12076");
	CU_ASSERT_EQUAL(fake_has(fake_find("dc1"), "9.9.9.9/32")->next_hop, fx_ip("172.31.0.2"));
	CU_ASSERT_STRING_EQUAL(path_at("er2-0", "9.9.9.9/32"), "absent"); /* ER-31 */
	announce("dc1", "172.20.0.0/16 172.20.1.1/32 0.0.0.0/0", PATH(64900));
	CU_ASSERT_STRING_EQUAL(path_at("er1-0", "172.20.0.0/16"), "12076 64900");
	CU_ASSERT_STRING_EQUAL(path_at("er2-0", "172.20.1.1/32"), "12076 64900"); /* ER-7 */
	CU_ASSERT_STRING_EQUAL(path_at("er2-0", "0.0.0.0/0"), "12076 64900");
	CU_ASSERT_EQUAL(report.n_routes, 0);
	teardown();
}

static void
test_msee_limits_the_customer_ER_6(void)
{
	struct bgp_session *s;

	start(&gw_msee_role);
	fx_conf_init(&fx, "circuit1-primary", FAB__V1__NODE_KIND__NODE_MSEE, 12076, "10.1.1.4");
	fx_peer(&fx, "dc1", SITE, 64900, "172.31.0.1", "172.31.0.2")->max_prefixes = 2;
	fx_peer(&fx, "er1-0", ERGW, 65515, "10.1.1.12", "10.1.1.4");
	configure();
	up("dc1");
	up("er1-0");
	announce("dc1", "172.20.0.0/16 172.21.0.0/16", PATH(64900));
	CU_ASSERT_STRING_EQUAL(path_at("er1-0", "172.21.0.0/16"), "12076 64900");
	announce("dc1", "172.22.0.0/16", PATH(64900));
	s = fake_find("dc1");
	CU_ASSERT_EQUAL(s->resets, 1);
	CU_ASSERT_EQUAL(s->reset_subcode, BGP_CEASE_MAX_PREFIXES);
	fake_settle();
	fab_loop_turn(loop, 0);
	CU_ASSERT_STRING_EQUAL(path_at("er1-0", "172.20.0.0/16"), "absent");
	/* Below the limit the session is back. */
	up("dc1");
	announce("dc1", "172.20.0.0/16", PATH(64900));
	CU_ASSERT_STRING_EQUAL(path_at("er1-0", "172.20.0.0/16"), "12076 64900");
	teardown();
}

/* ---- VPN gateway ---- */

static void
setup_vpn(bool active_active, bool standby, bool route_server)
{
	start(&gw_vpn_role);
	fx_conf_init(&fx, standby ? "vpn1-1" : "vpn1-0", FAB__V1__NODE_KIND__NODE_VPN_GATEWAY,
	    65515, standby ? "10.1.1.7" : "10.1.1.6");
	fx.m.instance = standby;
	fx_gateway(&fx, "10.1.0.0/16", "10.11.0.0/16");
	fx.gateway.active_active = active_active;
	fx.gateway.standby = standby;
	fx.gateway.has_route_server = route_server;
	fx.gateway.public_address = active_active ? 0 : fx_ip("20.0.0.1");
	fx_nets(&fx, &fx.gateway.p2s_pools, &fx.gateway.n_p2s_pools, "192.168.9.0/24");
	fx_static(&fx, "old", "172.22.0.0/16");
	fx_peer(&fx, "branch1", SITE, 64901, "172.21.0.1", "10.1.1.6");
	fx_peer(&fx, "branch2", SITE, 64902, "172.23.0.1", "10.1.1.6");
	fx.peers[0].resource = fx.peers[0].name;
	fx.peers[1].resource = fx.peers[1].name;
	fx_peer(&fx, "vpn1-sibling", SIBLING, 65515, "10.1.1.8", "10.1.1.6");
	if (route_server)
		fx_peer(&fx, "rs1-0", RS, 65515, "10.1.0.4", "10.1.1.6");
	configure();
}

static void
test_vpn_reports_without_route_server(void)
{
	static const struct {
		const char *prefix, *hops;
		enum hrp_source source;
	} rows[] = {
		{ "172.21.0.0/16", "10.1.1.6", HRP_SRC_VPN },        /* VPN-14 */
		{ "172.22.0.0/16", "10.1.1.6", HRP_SRC_VPN_STATIC }, /* VPN-6 */
		{ "192.168.9.0/24", "10.1.1.6", HRP_SRC_P2S },       /* VPN-20 */
		{ "0.0.0.0/0", "10.1.1.6", HRP_SRC_VPN },            /* VPN-11 */
		{ "172.23.0.0/16", "10.1.1.8", HRP_SRC_VPN },        /* by the sibling */
	};

	setup_vpn(true, false, false);
	up("branch1");
	up("vpn1-sibling");
	announce("branch1", "172.21.0.0/16 0.0.0.0/0 10.11.3.0/24", PATH(64901));
	announce("vpn1-sibling", "172.23.0.0/16", PATH(64902));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, rows[i].prefix), rows[i].hops);
		CU_ASSERT_PTR_NOT_NULL_FATAL(fx_reported(&report, rows[i].prefix));
		CU_ASSERT_EQUAL(fx_reported(&report, rows[i].prefix)->source, rows[i].source);
	}
	CU_ASSERT_EQUAL(report.n_routes, 5);
	teardown();
}

/* The /32 of a BGP peer is a Network row of the learned routes, and nothing else. */
static void
check_peer_is_listed(const char *prefix)
{
	struct wire_speaker ws = {
		.sp = wire_node_speaker(node), .own_in_learned = true, .row = gw_vpn_role.row
	};
	struct ipnet net = fx_net(prefix);
	bool found, listed = false;
	Fab__V1__BgpRouteList *list = wire_speaker_learned(&ws, "", &found);

	for (size_t i = 0; i < list->n_routes; i++)
		if (list->routes[i]->addr == net.addr && list->routes[i]->len == net.len)
			listed = list->routes[i]->network && list->routes[i]->weight == 32768;
	CU_ASSERT_TRUE(listed);
	CU_ASSERT_PTR_NULL(fx_reported(&report, prefix));
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
}

static void
test_vpn_transit_between_sites_VPN_9(void)
{
	setup_vpn(true, false, true);
	up("branch1");
	up("branch2");
	up("rs1-0");
	announce("branch1", "172.21.0.0/16 0.0.0.0/0", PATH(64901));
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "172.21.0.0/16"), "65515 64901");
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "0.0.0.0/0"), "absent"); /* VPN-12 */
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "172.21.0.1/32"), "absent");
	check_peer_is_listed("172.21.0.1/32"); /* VPN-5, VPN-15 */
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "10.11.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "172.22.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "192.168.9.0/24"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "172.21.0.0/16"), "64901");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "172.22.0.0/16"), ""); /* B2B-6 */
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "0.0.0.0/0"), "64901");
	CU_ASSERT_EQUAL(fake_has(fake_find("rs1-0"), "172.21.0.0/16")->next_hop, fx_ip("10.1.1.6"));
	announce("rs1-0", "192.168.250.0/24", PATH(65001));
	CU_ASSERT_STRING_EQUAL(path_at("branch1", "192.168.250.0/24"), "65515 65001"); /* B2B-7 */
	CU_ASSERT_EQUAL(report.n_routes, 0);
	teardown();
}

static Fab__V1__BgpPeerConfig *
peer_of(const char *name)
{
	for (size_t i = 0; i < fx.m.n_peers; i++)
		if (strcmp(fx.peers[i].name, name) == 0)
			return &fx.peers[i];
	CU_FAIL_FATAL("no such peer");
	return NULL;
}

static void
test_vpn_maps(void)
{
	setup_vpn(true, false, true);
	add_maps();
	up("branch1");
	up("branch2");
	up("rs1-0");
	announce("branch1", "172.21.0.0/16 10.200.1.0/24 10.200.2.0/24", PATH(64901));
	peer_of("branch1")->in_map = MAP_SUMMARY;
	peer_of("branch2")->out_map = MAP_DROP;
	fx.statics[0].in_map = MAP_DROP;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "172.21.0.0/16"), "64901");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "10.200.0.0/16"), "");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "10.200.1.0/24"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "172.22.0.0/16"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "172.21.0.0/16"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "10.11.0.0/16"), "65515"); /* RM-9 */
	CU_ASSERT_EQUAL(fake_find("branch1")->resets + fake_find("branch2")->resets, 0);
	peer_of("branch1")->in_map = peer_of("branch2")->out_map = fx.statics[0].in_map = 0;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "10.200.1.0/24"), "64901");
	CU_ASSERT_STRING_EQUAL(path_at("rs1-0", "172.22.0.0/16"), "");
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "10.200.0.0/16"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at("branch2", "10.200.1.0/24"), "65515 64901");
	teardown();
}

static void
test_vpn_standby_takes_over_and_stands_back_VPN_1(void)
{
	setup_vpn(false, true, false);
	/* It waits for its sibling, and has nothing but that session. */
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_find("vpn1-sibling"));
	CU_ASSERT_PTR_NULL(fake_find("branch1"));
	up("vpn1-sibling");
	CU_ASSERT_EQUAL(report.n_routes, 0);
	CU_ASSERT_TRUE(report.converged);
	fake_down(fake_find("vpn1-sibling"), "hold timer expired");
	fab_loop_turn(loop, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(fake_find("branch1"));
	up("branch1");
	announce("branch1", "172.21.0.0/16", PATH(64901));
	/* VPN-14: the gateway's public address, whichever instance works. */
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "172.21.0.0/16"), "20.0.0.1");
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&report, "172.22.0.0/16"), "20.0.0.1");
	CU_ASSERT_STRING_EQUAL(path_at("branch1", "10.1.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(report.last_session, "branch1 Established synced");
	up("vpn1-sibling");
	CU_ASSERT_PTR_NULL(fake_find("branch1"));
	CU_ASSERT_EQUAL(report.sessions_up, 1); /* its own end of branch1 is told, too */
	CU_ASSERT_EQUAL(report.n_routes, 0);
	teardown();
}

/* VPN-17, OPEN-7: a sibling that died is followed later than one that was stopped. */
static void
test_vpn_failover_takes_its_time_VPN_17(void)
{
	static const struct {
		const char *reason;
		uint32_t at_least_ms, less_than_ms;
	} rows[] = {
		{ "connection closed by the peer", 600, 20000 },
		{ "received NOTIFICATION Cease/Administrative Shutdown", 100, 600 },
	};
	Fab__V1__DelayRange failover = FAB__V1__DELAY_RANGE__INIT,
			    planned = FAB__V1__DELAY_RANGE__INIT;

	setup_vpn(false, true, false);
	failover.min_ms = failover.max_ms = 600;
	planned.min_ms = 100;
	planned.max_ms = 150;
	fx.gateway.failover = &failover;
	fx.gateway.failover_planned = &planned;
	configure();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fab_mono start;
		uint64_t ms;

		up("vpn1-sibling");
		AWAIT(loop, fake_find("branch1") == NULL && report.converged);
		start = fab_mono_now();
		fake_down(fake_find("vpn1-sibling"), rows[i].reason);
		fab_loop_turn(loop, 0);
		CU_ASSERT_PTR_NULL(fake_find("branch1"));
		CU_ASSERT_FALSE(report.converged);
		AWAIT(loop, fake_find("branch1") != NULL);
		ms = fab_mono_us_between(start, fab_mono_now()) / 1000;
		CU_ASSERT(ms >= rows[i].at_least_ms && ms < rows[i].less_than_ms);
	}
	/* A sibling that comes back in time changes nothing. */
	up("vpn1-sibling");
	fake_down(fake_find("vpn1-sibling"), rows[0].reason);
	fab_loop_turn(loop, 0);
	up("vpn1-sibling");
	CU_ASSERT_TRUE(report.converged);
	CU_ASSERT_PTR_NULL(fake_find("branch1"));
	teardown();
}

static void
test_vpn_standby_does_not_wait_for_ever_VPN_1(void)
{
	setup_vpn(false, true, false);
	CU_ASSERT_PTR_NULL(fake_find("branch1"));
	/* The sibling never shows up; hold time of the fixture is 3 s. */
	AWAIT(loop, fake_find("branch1") != NULL);
	CU_ASSERT_PTR_NOT_NULL(fx_reported(&report, "172.22.0.0/16"));
	teardown();
}

static void
test_a_gateway_needs_its_section(void)
{
	setup_vpn(true, false, false);
	fx.m.gateway = NULL;
	configure();
	CU_ASSERT_EQUAL(wire_node_conf(node)->generation, fx.m.generation - 1);
	teardown();
}

static CU_TestInfo tests[] = {
	{ "ER-19, ER-22: without a Route Server both next hops are reported",
	    test_er_without_route_server_reports_both_next_hops_ER_19 },
	{ "ExpressRoute: reports when its Route Server leaves",
	    test_er_reports_when_its_route_server_leaves },
	{ "B2B-12: without a Route Server there is no transit",
	    test_er_without_route_server_is_no_transit_B2B_12 },
	{ "routes of the sibling are backup", test_er_sibling_routes_are_backup },
	{ "ER-19: the two instances show a Route Server both next hops",
	    test_er_instances_show_route_server_both_next_hops_ER_19 },
	{ "ER-10 ... ER-12: what goes to the MSEEs",
	    test_er_advertises_vnets_and_route_server_routes_ER_10 },
	{ "ER-14, GV-6: summaries", test_er_summaries_GV_6 },
	{ "ER-21: above the limit connections go down, and return",
	    test_er_connection_limit_ER_21 },
	{ "SC-M, RM-2, RM-9, ER-21: an outbound route map", test_er_outbound_map },
	{ "RM-2: an inbound route map", test_er_inbound_map },
	{ "RM-1, RM-2, VPN-6: maps of a VPN connection", test_vpn_maps },
	{ "ER-17: listing", test_er_listing_ER_17 },
	{ "ER-7, ER-13, ER-15, MR-12, GV-5: the MSEE compares full paths",
	    test_msee_prefers_the_shorter_full_path_ER_13 },
	{ "ER-6, VPN-7: too many prefixes end the session", test_msee_limits_the_customer_ER_6 },
	{ "VPN-6, VPN-11, VPN-14, VPN-20: what a VPN gateway reports",
	    test_vpn_reports_without_route_server },
	{ "VPN-8, VPN-9, VPN-12, B2B-6, B2B-7: what it advertises",
	    test_vpn_transit_between_sites_VPN_9 },
	{ "VPN-1: the standby takes over and stands back",
	    test_vpn_standby_takes_over_and_stands_back_VPN_1 },
	{ "VPN-17, TIME-15: failover takes its time", test_vpn_failover_takes_its_time_VPN_17 },
	{ "VPN-1: the standby does not wait for ever",
	    test_vpn_standby_does_not_wait_for_ever_VPN_1 },
	{ "a gateway needs its section", test_a_gateway_needs_its_section },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("gw_role", tests)
