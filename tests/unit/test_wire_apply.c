/*
 * wire_apply: a configuration applied by difference. Sessions are stand-ins (fake_session.h), so
 * identity and counters of the session objects tell what was re-created.
 */
#include "lib/err.h"
#include "lib/wire_apply.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/wire_fixture.h"

#include <string.h>

#define RS FAB__V1__PEER_ROLE__PEER_ROUTE_SERVER

static struct fab_loop *loop;
static struct speaker *sp;
static struct wire_apply *a;
static struct fx_conf fx;
static bool hold_back; /* wanted() says no to "rs1-1" */

static bool
wanted(void *ctx, const struct wire_peer *peer)
{
	(void)ctx;
	return !peer->shut && !(hold_back && strcmp(peer->name, "rs1-1") == 0);
}

static void
setup(void)
{
	static const struct speaker_role role = { 0 };
	static const struct wire_apply_ops ops = { .wanted = wanted };

	hold_back = false;
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_new(&sp, loop, &role, NULL), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_apply_new(&a, sp, NULL, &ops, NULL), FAB_OK);
	fx_conf_init(&fx, "nva1", FAB__V1__NODE_KIND__NODE_NVA, 65001, "10.1.2.4");
	fx_peer(&fx, "rs1-0", RS, 65515, "10.1.0.4", "10.1.2.4");
	fx_peer(&fx, "rs1-1", RS, 65515, "10.1.0.5", "10.1.2.4");
}

static void
teardown(void)
{
	wire_apply_free(a);
	speaker_free(sp);
	fab_loop_free(loop);
}

static struct wire_diff
apply(int want)
{
	struct wire_conf *conf = NULL;
	struct wire_diff diff = { 0 };
	char why[256] = "";

	CU_ASSERT_EQUAL_FATAL(wire_conf_decode(&conf, &fx.m, why), FAB_OK);
	CU_ASSERT_EQUAL(wire_apply_conf(a, conf, &diff, why), want);
	fab_loop_turn(loop, 0);
	return diff;
}

static void
test_unchanged_sessions_stay_up(void)
{
	struct wire_diff d;
	struct bgp_session *s0;

	setup();
	d = apply(FAB_OK);
	CU_ASSERT_EQUAL(d.added, 2);
	s0 = fake_find("rs1-0");
	fake_up(s0);
	CU_ASSERT_EQUAL(s0->stats.transitions, 1);
	/* Nothing changed; then everything changed that a running session survives. */
	d = apply(FAB_OK);
	CU_ASSERT_EQUAL(d.kept, 2);
	CU_ASSERT_EQUAL(d.added + d.removed + d.recreated, 0);
	fx.peers[0].weight = 5;
	fx.peers[0].resource = fx.m.name;
	fx.policies[0].prepend = 3;
	d = apply(FAB_OK);
	CU_ASSERT_EQUAL(d.kept, 2);
	CU_ASSERT_PTR_EQUAL(fake_find("rs1-0"), s0);
	CU_ASSERT_EQUAL(s0->stats.transitions, 1);
	CU_ASSERT_EQUAL(s0->state, BGP_ESTABLISHED);
	/* The session leads to the new configuration all the same. */
	CU_ASSERT_EQUAL(wire_peer_of(speaker_peer_find(sp, "rs1-0"))->policy.prepend, 3);
	teardown();
}

static void
test_changed_sessions_are_created_again(void)
{
	struct wire_diff d;
	struct bgp_session *s1;

	setup();
	apply(FAB_OK);
	s1 = fake_find("rs1-1");
	fake_up(s1);
	fx.peers[0].hold_ms = 9000;
	d = apply(FAB_OK);
	CU_ASSERT_EQUAL(d.recreated, 1);
	CU_ASSERT_EQUAL(d.kept, 1);
	CU_ASSERT_EQUAL(fake_find("rs1-0")->conf.hold_ms, 9000);
	fx.peers[0].max_prefixes = 100;
	CU_ASSERT_EQUAL(apply(FAB_OK).recreated, 1);
	fx.peers[0].address = fx_ip("10.1.0.6");
	CU_ASSERT_EQUAL(apply(FAB_OK).recreated, 1);
	fx.peers[0].url = fx.peers[0].name;
	fx.peers[0].passive = false;
	CU_ASSERT_EQUAL(apply(FAB_OK).recreated, 1);
	CU_ASSERT_PTR_EQUAL(fake_find("rs1-1"), s1);
	CU_ASSERT_EQUAL(s1->stats.transitions, 1);
	/* Everything that concerns this end concerns every session. */
	fx.m.asn = 65002;
	CU_ASSERT_EQUAL(apply(FAB_OK).recreated, 2);
	teardown();
}

static void
test_swapped_addresses_are_no_conflict(void)
{
	setup();
	apply(FAB_OK);
	fx.peers[0].address = fx_ip("10.1.0.5");
	fx.peers[1].address = fx_ip("10.1.0.4");
	CU_ASSERT_EQUAL(apply(FAB_OK).recreated, 2);
	CU_ASSERT_EQUAL(fake_find("rs1-0")->conf.peer_addr, fx_ip("10.1.0.5"));
	teardown();
}

static void
test_removed_shut_and_unwanted_peers_have_no_session(void)
{
	struct wire_diff d;

	setup();
	apply(FAB_OK);
	fx.peers[0].shut = true;
	d = apply(FAB_OK);
	CU_ASSERT_EQUAL(d.removed, 1);
	CU_ASSERT_PTR_NULL(fake_find("rs1-0"));
	fx.peers[0].shut = false;
	CU_ASSERT_EQUAL(apply(FAB_OK).added, 1);
	/* The role changes its mind between configurations. */
	hold_back = true;
	wire_apply_recheck(a);
	fab_loop_turn(loop, 0);
	CU_ASSERT_PTR_NULL(fake_find("rs1-1"));
	hold_back = false;
	wire_apply_recheck(a);
	CU_ASSERT_PTR_NOT_NULL(fake_find("rs1-1"));
	fx.m.n_peers = 1;
	CU_ASSERT_EQUAL(apply(FAB_OK).removed, 1);
	CU_ASSERT_PTR_NULL(fake_find("rs1-1"));
	/* Shut first, then gone from the configuration. */
	fx.peers[0].shut = true;
	CU_ASSERT_EQUAL(apply(FAB_OK).removed, 1);
	fx.m.n_peers = 0;
	CU_ASSERT_EQUAL(apply(FAB_OK).removed, 0);
	teardown();
}

static void
test_converged_is_all_wanted_sessions_synced(void)
{
	char why[128];

	setup();
	CU_ASSERT_FALSE(wire_apply_converged(a, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(why, "no configuration yet");
	apply(FAB_OK);
	fake_up(fake_find("rs1-0"));
	fake_end_of_rib(fake_find("rs1-0"));
	fab_loop_turn(loop, 0);
	CU_ASSERT_FALSE(wire_apply_converged(a, why, sizeof(why)));
	CU_ASSERT_STRING_EQUAL(why, "peer rs1-1 is not up");
	fake_up(fake_find("rs1-1"));
	fab_loop_turn(loop, 0);
	CU_ASSERT_FALSE(wire_apply_converged(a, NULL, 0)); /* Established, not synced */
	fake_end_of_rib(fake_find("rs1-1"));
	fab_loop_turn(loop, 0);
	CU_ASSERT_TRUE(wire_apply_converged(a, NULL, 0));
	fake_down(fake_find("rs1-1"), "hold timer expired");
	CU_ASSERT_FALSE(wire_apply_converged(a, NULL, 0));
	hold_back = true;
	CU_ASSERT_TRUE(wire_apply_converged(a, NULL, 0));
	teardown();
}

/* Which real addresses of a TCP peer go where. */
static void
test_tcp_addresses(void)
{
	static const struct {
		const char *name;
		const char *at; /* where it listens; NULL: nowhere */
		uint32_t port;
		const char *source;
		bool passive;
		const char *want_dial, *want_source, *want_accept;
	} rows[] = {
		{ "it dials from its Azure address", NULL, 0, NULL, true, NULL, NULL, NULL },
		{ "it dials from a loopback address", NULL, 0, "127.0.1.1", true, NULL, NULL,
		    "127.0.1.1" },
		{ "we dial", "127.0.0.1", 1790, NULL, false, "127.0.0.1", NULL, NULL },
		{ "we dial from an address", "127.0.0.1", 1790, "127.0.1.1", false, "127.0.0.1",
		    "127.0.1.1", NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		Fab__V1__TcpEndpoint at = FAB__V1__TCP_ENDPOINT__INIT;
		const struct speaker_peer_conf *pc;

		setup();
		fx.m.n_peers = 1;
		fx.peers[0].transport = FAB__V1__BGP_TRANSPORT__TRANSPORT_TCP;
		fx.peers[0].passive = rows[i].passive;
		at.addr = rows[i].at == NULL ? 0 : fx_ip(rows[i].at);
		at.port = rows[i].port;
		fx.peers[0].tcp = &at;
		fx.peers[0].tcp_source = rows[i].source == NULL ? 0 : fx_ip(rows[i].source);
		apply(FAB_OK);
		pc = speaker_peer_conf(speaker_peer_find(sp, "rs1-0"));
		CU_ASSERT_EQUAL(pc->session.transport, BGP_TRANSPORT_TCP);
		CU_ASSERT_EQUAL(pc->session.passive, rows[i].passive);
		CU_ASSERT_EQUAL(pc->session.dial_addr,
		    rows[i].want_dial == NULL ? 0 : fx_ip(rows[i].want_dial));
		CU_ASSERT_EQUAL(pc->session.source_addr,
		    rows[i].want_source == NULL ? 0 : fx_ip(rows[i].want_source));
		CU_ASSERT_EQUAL(
		    pc->accept_addr, rows[i].want_accept == NULL ? 0 : fx_ip(rows[i].want_accept));
		teardown();
	}
}

/* ---- originations ---- */

static struct wire_diff
own(const char *const *prefixes, uint32_t origin)
{
	struct wire_diff d = { 0 };
	struct bgp_attr_spec spec = { .origin = (uint8_t)origin };

	wire_apply_own_begin(a);
	for (size_t i = 0; prefixes[i] != NULL; i++) {
		struct ipnet net = fx_net(prefixes[i]);

		CU_ASSERT_EQUAL(
		    wire_apply_own(a, &net, &spec, HRP_SRC_UNKNOWN, 0, (uint32_t)(i & 1)), FAB_OK);
	}
	wire_apply_own_end(a, &d);
	fab_loop_turn(loop, 0);
	return d;
}

static void
test_originations_by_difference(void)
{
	static const char *const first[] = { "10.0.0.0/8", "10.0.0.0/8", "10.1.0.0/16", NULL };
	static const char *const second[] = { "10.0.0.0/8", "10.0.0.0/8", "10.2.0.0/16", NULL };
	static const char *const none[] = { NULL };
	struct wire_diff d;

	setup();
	d = own(first, 0); /* the same prefix twice, by tag */
	CU_ASSERT_EQUAL(d.originated, 3);
	CU_ASSERT_EQUAL(speaker_prefix_count(sp), 2);
	d = own(first, 0);
	CU_ASSERT_EQUAL(d.originated + d.unoriginated, 0);
	d = own(second, 0);
	CU_ASSERT_EQUAL(d.originated, 1);
	CU_ASSERT_EQUAL(d.unoriginated, 1);
	d = own(second, 2); /* other attributes */
	CU_ASSERT_EQUAL(d.originated, 3);
	d = own(none, 0);
	CU_ASSERT_EQUAL(d.unoriginated, 3);
	CU_ASSERT_EQUAL(speaker_prefix_count(sp), 0);
	own(first, 0); /* what is left is taken back by free() */
	teardown();
}

static CU_TestInfo tests[] = {
	{ "unchanged sessions stay up", test_unchanged_sessions_stay_up },
	{ "changed sessions are created again", test_changed_sessions_are_created_again },
	{ "swapped addresses are no conflict", test_swapped_addresses_are_no_conflict },
	{ "removed, shut and unwanted peers have no session",
	    test_removed_shut_and_unwanted_peers_have_no_session },
	{ "converged: all wanted sessions are synced",
	    test_converged_is_all_wanted_sessions_synced },
	{ "TCP: which address goes where", test_tcp_addresses },
	{ "originations by difference", test_originations_by_difference },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("wire_apply", tests)
