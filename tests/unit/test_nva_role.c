/*
 * nvad as a role: configurations in, what peers and fabricd see out. Sessions are stand-ins.
 */
#include "lib/err.h"
#include "lib/log.h"
#include "nvad/nva_role.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/wire_fixture.h"

#include <string.h>

#define RS        FAB__V1__PEER_ROLE__PEER_ROUTE_SERVER
#define ROUTER    FAB__V1__PEER_ROLE__PEER_ROUTER
#define PATH(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

static struct fab_loop *loop;
static struct wire_node *node;
static struct fx_conf fx;
static struct fx_report report;
static struct bgp_session *rs0, *rs1, *nva3;
static uint32_t azure[] = { 65515, 12076 };
static uint32_t no_advertise[] = { BGP_COMMUNITY_NO_ADVERTISE };

static void
configure(void)
{
	fx.m.generation++;
	wire_node_config(node, &fx.m);
	fab_loop_turn(loop, 0);
}

/* nva1 of multi-region: both instances of rs1, and nva3 of the other region. */
static void
setup(void)
{
	static const struct wire_report_to to = { fx_report_send, &report };

	fab_log_set_level(FAB_LOG_ERROR);
	memset(&report, 0, sizeof(report));
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_node_new(&node, loop, "nva1", NULL, &nva_role, &to), FAB_OK);
	fx_conf_init(&fx, "nva1", FAB__V1__NODE_KIND__NODE_NVA, 65001, "10.1.2.4");
	fx.router.relay = true;
	fx_peer(&fx, "rs1-0", RS, 65515, "10.1.0.4", "10.1.2.4");
	fx_peer(&fx, "rs1-1", RS, 65515, "10.1.0.5", "10.1.2.4");
	fx.peers[0].resource = fx.peers[1].resource = fx.peers[0].name;
	fx_peer(&fx, "nva3", ROUTER, 65002, "10.2.2.4", "10.1.2.4");
	fx_originate(&fx, "192.168.250.0/24");
	configure();
	rs0 = fake_find("rs1-0");
	rs1 = fake_find("rs1-1");
	nva3 = fake_find("nva3");
	fake_up(rs0);
	fake_up(rs1);
	fake_up(nva3);
	fab_loop_turn(loop, 0);
}

static void
teardown(void)
{
	wire_node_free(node);
	fab_loop_free(loop);
}

static void
announce(struct bgp_session *s, const char *prefixes, const uint32_t *path)
{
	fake_rx(s, &(struct fake_update){
		       .announce = prefixes, .next_hop = s->conf.peer_addr, .path = path });
	fab_loop_turn(loop, 0);
}

static const char *
path_at(struct bgp_session *s, const char *prefix)
{
	const struct fake_route *r = fake_has(s, prefix);

	return r == NULL ? "absent" : fake_path(r);
}

static void
test_prefixes_are_added_under_running_sessions(void)
{
	unsigned messages;

	setup();
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "192.168.250.0/24"), "65001");
	messages = rs0->messages;
	fx_originate(&fx, "10.99.0.0/16")->prepend = 2;
	configure();
	CU_ASSERT_PTR_EQUAL(fake_find("rs1-0"), rs0);
	CU_ASSERT_EQUAL(rs0->stats.transitions, 1);
	CU_ASSERT_EQUAL(rs0->messages, messages + 1); /* the new prefix and nothing else */
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.99.0.0/16"), "65001 65001 65001");
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "10.99.0.0/16"), "65001 65001 65001");
	/* One prefix changes, the other does not move. */
	fx.originates[1].prepend = 0;
	configure();
	CU_ASSERT_EQUAL(rs0->messages, messages + 2);
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.99.0.0/16"), "65001");
	fx.m.n_originate = 1;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.99.0.0/16"), "absent");
	CU_ASSERT_EQUAL(rs0->withdrawn, 1);
	CU_ASSERT_EQUAL(rs0->stats.transitions + rs1->stats.transitions, 2);
	teardown();
}

static void
test_a_prefix_may_differ_between_peers(void)
{
	static char *to_rs[] = { "rs1-0" }, *to_nva[] = { "nva3" };
	Fab__V1__Originate *o;

	setup();
	o = fx_originate(&fx, "0.0.0.0/0");
	o->to = to_rs; /* name of a peer, and the resource of both */
	o->n_to = 1;
	o->communities = no_advertise;
	o->n_communities = 1;
	o = fx_originate(&fx, "0.0.0.0/0");
	o->to = to_nva;
	o->n_to = 1;
	o->prepend = 1;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "0.0.0.0/0"), "65001");
	CU_ASSERT_STRING_EQUAL(path_at(rs1, "0.0.0.0/0"), "65001");
	CU_ASSERT_EQUAL(fake_has(rs0, "0.0.0.0/0")->n_communities, 1); /* RS-78 */
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "0.0.0.0/0"), "65001 65001");
	CU_ASSERT_EQUAL(fake_has(nva3, "0.0.0.0/0")->n_communities, 0);
	teardown();
}

static void
test_relay_between_regions_MR_3_MR_4(void)
{
	setup();
	for (size_t i = 0; i < 2; i++) {
		fx.policies[i].strip_as = azure;
		fx.policies[i].n_strip_as = 2;
		fx.policies[i].add_communities = no_advertise;
		fx.policies[i].n_add_communities = 1;
	}
	configure();
	CU_ASSERT_EQUAL(rs0->stats.transitions, 1);
	announce(rs0, "10.1.0.0/16", PATH(65515));
	announce(nva3, "10.21.0.0/16", PATH(65002, 65515));
	/* The Route Server's own never goes to its other instance (MR-4). */
	CU_ASSERT_STRING_EQUAL(path_at(rs1, "10.1.0.0/16"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "10.1.0.0/16"), "65001 65515");
	CU_ASSERT_EQUAL(fake_has(nva3, "10.1.0.0/16")->next_hop, 0x0a010204);
	/* Deletion shortens the path (MR-3), NO_ADVERTISE keeps it inside the region (SC-G). */
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.21.0.0/16"), "65001 65002");
	CU_ASSERT_STRING_EQUAL(path_at(rs1, "10.21.0.0/16"), "65001 65002");
	CU_ASSERT_EQUAL(fake_has(rs0, "10.21.0.0/16")->communities[0], BGP_COMMUNITY_NO_ADVERTISE);
	/* as-override instead, at run time. */
	fx.policies[0].n_strip_as = fx.policies[1].n_strip_as = 0;
	fx.policies[0].as_override = fx.policies[1].as_override = true;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.21.0.0/16"), "65001 65002 65001");
	CU_ASSERT_EQUAL(rs0->stats.transitions, 1);
	/* RS-42: what the other NVA of this ASN announced is not taken. */
	announce(rs0, "10.77.0.0/16", PATH(65515, 65001));
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "10.77.0.0/16"), "absent");
	fx.router.relay = false;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "10.1.0.0/16"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "192.168.250.0/24"), "65001");
	teardown();
}

static void
test_default_originate_is_for_others(void)
{
	setup();
	fx.policies[2].default_originate = true;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "0.0.0.0/0"), "65001");
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "0.0.0.0/0"), "absent");
	CU_ASSERT_STRING_EQUAL(fx_reported(&report, "0.0.0.0/0")->peer, "");
	/* A learned default is what the router itself follows. */
	announce(rs0, "0.0.0.0/0", PATH(65515, 64900));
	CU_ASSERT_STRING_EQUAL(fx_reported(&report, "0.0.0.0/0")->peer, "rs1-0");
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "0.0.0.0/0"), "65001");
	fx.policies[2].default_originate = false;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(nva3, "0.0.0.0/0"), "65001 65515 64900");
	teardown();
}

static void
test_prefix_rules(void)
{
	Fab__V1__PrefixRule deny = FAB__V1__PREFIX_RULE__INIT;
	Fab__V1__PrefixRule *rules[] = { &deny };

	setup();
	deny.addr = 0x0a150000; /* 10.21.0.0/16 and below */
	deny.len = 16;
	deny.ge = 16;
	deny.deny = true;
	announce(nva3, "10.21.0.0/16 10.21.1.0/24 10.22.0.0/16", PATH(65002));
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.21.1.0/24"), "65001 65002");
	fx.policies[0].export_rules = rules;
	fx.policies[0].n_export_rules = 1;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.21.0.0/16"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.21.1.0/24"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at(rs0, "10.22.0.0/16"), "65001 65002");
	CU_ASSERT_STRING_EQUAL(path_at(rs1, "10.21.0.0/16"), "65001 65002");
	fx.policies[2].import_rules = rules;
	fx.policies[2].n_import_rules = 1;
	configure();
	CU_ASSERT_STRING_EQUAL(path_at(rs1, "10.21.0.0/16"), "absent");
	CU_ASSERT_STRING_EQUAL(path_at(rs1, "10.22.0.0/16"), "65001 65002");
	teardown();
}

static void
test_reports_for_trace(void)
{
	setup();
	CU_ASSERT_STRING_EQUAL(fx_reported(&report, "192.168.250.0/24")->peer, "");
	announce(nva3, "10.21.0.0/16", PATH(65002, 65515));
	CU_ASSERT_STRING_EQUAL(fx_reported(&report, "10.21.0.0/16")->peer, "nva3");
	CU_ASSERT_STRING_EQUAL(fx_reported(&report, "10.21.0.0/16")->path, "65002 65515");
	CU_ASSERT_FALSE(report.converged);
	fake_end_of_rib(rs0);
	fake_end_of_rib(rs1);
	fake_end_of_rib(nva3);
	fab_loop_turn(loop, 0);
	CU_ASSERT_TRUE(report.converged);
	CU_ASSERT_EQUAL(report.generation, fx.m.generation);
	CU_ASSERT_STRING_EQUAL(report.last_session, "nva3 Established synced");
	fake_down(nva3, "hold timer expired");
	fab_loop_turn(loop, 0);
	CU_ASSERT_FALSE(report.converged);
	CU_ASSERT_STRING_EQUAL(report.last_session, "nva3 Idle");
	CU_ASSERT_PTR_NULL(fx_reported(&report, "10.21.0.0/16"));
	teardown();
}

static void
test_a_configuration_for_somebody_else_is_refused(void)
{
	uint64_t generation;

	setup();
	generation = wire_node_conf(node)->generation;
	fx.m.kind = FAB__V1__NODE_KIND__NODE_MSEE;
	configure();
	CU_ASSERT_EQUAL(wire_node_conf(node)->generation, generation);
	fx.m.kind = FAB__V1__NODE_KIND__NODE_SITE;
	fx.peers[0].asn = 0;
	configure();
	CU_ASSERT_EQUAL(wire_node_conf(node)->generation, generation);
	CU_ASSERT_PTR_EQUAL(fake_find("rs1-0"), rs0);
	fx.peers[0].asn = 65515;
	configure();
	CU_ASSERT_EQUAL(wire_node_conf(node)->generation, fx.m.generation);
	teardown();
}

static CU_TestInfo tests[] = {
	{ "prefixes are added under running sessions",
	    test_prefixes_are_added_under_running_sessions },
	{ "a prefix may differ between peers", test_a_prefix_may_differ_between_peers },
	{ "MR-3, MR-4, SC-G: relay between regions", test_relay_between_regions_MR_3_MR_4 },
	{ "default_originate is for others", test_default_originate_is_for_others },
	{ "prefix rules, at run time", test_prefix_rules },
	{ "reports for trace", test_reports_for_trace },
	{ "a configuration for somebody else is refused",
	    test_a_configuration_for_somebody_else_is_refused },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("nva_role", tests)
