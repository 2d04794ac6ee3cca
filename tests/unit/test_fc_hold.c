/*
 * What the platform does not do at once: route tables (TIME-10) and peerings (TIME-11, PEER-13).
 */
#include "fabricd/fc_hold.h"

#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

#define TABLE(next_hop)                                                                            \
	"route_tables: {rt: {routes: {x: {prefix: 10.9.0.0/16, next_hop: " next_hop "}}}}\n"

/* A spoke whose VM has a route table. */
#define NET(vms, peerings) NET_WITH("", vms, peerings)
#define NET_WITH(delays, vms, peerings)                                                            \
	"name: small\n"                                                                            \
	"timing: {profile: fast, converge_quiet: 20ms" delays "}\n"                                \
	"vnets:\n"                                                                                 \
	"  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "           \
	"nva: 10.1.2.0/24}}\n"                                                                     \
	"  spoke: {address_space: 10.11.0.0/16, subnets: {vms: " vms "}}\n"                        \
	"  other: {address_space: 10.12.0.0/16}\n"                                                 \
	"peerings: [" peerings "]\n"                                                               \
	"vms: {vm1: {subnet: spoke/vms, ip: 10.11.0.4}}\n"                                         \
	"nvas: {nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, run: [bird]}}\n"                 \
	"route_servers: {rs: {vnet: hub, peers: {}}}\n"
#define WITH   "{prefix: 10.11.0.0/24, route_table: rt}"
#define PEERED "{hub: hub, spoke: spoke}"
#define PEERED_SLOWLY                                                                              \
	NET_WITH(", delays: {peering: 100ms..200ms, peering_routes: 150ms}", WITH, PEERED)         \
	TABLE("None")
#define CLASSIC NET(WITH, PEERED) TABLE("VirtualAppliance 10.1.2.4")

static bool
has(struct fixture *fx, const char *prefix, const char *hops)
{
	return strcmp(fixture_effective(fx, "vm1", prefix), hops) == 0;
}

static void
set_ok(struct fixture *fx, const char *kind, const char *name, const char *assignment)
{
	CU_ASSERT_EQUAL(fixture_set(fx, kind, name, assignment), FAB_RPC_OK);
}

static bool
waits(const struct fixture *fx)
{
	char what[96];
	uint64_t ms;

	return fc_holds_pending(fx->f->holds, what, &ms);
}

static bool
has_stage(const struct fixture *fx, enum fc_stage_kind kind)
{
	const struct fc_change *c = fc_timeline_get(fx->f->timeline, 1);

	for (size_t i = 0; c != NULL && i < c->n_stages; i++)
		if (c->stages[i].kind == kind)
			return true;
	return false;
}

/* TIME-10: the classic failover rewrites a route; NICs follow later. */
static void
test_a_route_table_takes_a_while(void)
{
	struct fixture fx;
	struct fab_mono start;

	fixture_init(&fx, CLASSIC, false);
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "10.1.2.4")); /* what it begins with, at once */
	set_ok(&fx, "fabric", "fabric", "timing.delays.udr=150ms..300ms");
	start = fab_mono_now();
	set_ok(&fx, "route_table", "rt", "routes.x.next_hop=VirtualAppliance 10.1.2.5");
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "10.1.2.4"));
	CU_ASSERT_TRUE(waits(&fx) && has_stage(&fx, FC_STAGE_DELAY));
	/* Who asks for the resource gets what was set. */
	CU_ASSERT_STRING_EQUAL(
	    json_string_value(json_object_get(
		json_object_get(
		    json_object_get(
			topo_doc_find(fx.f->doc, TOPO_ROUTE_TABLE, "rt")->props, "routes"),
		    "x"),
		"next_hop")),
	    "VirtualAppliance 10.1.2.5");
	AWAIT(fx.loop, has(&fx, "10.9.0.0/16", "10.1.2.5"));
	CU_ASSERT(fab_mono_us_between(start, fab_mono_now()) >= 150000);
	CU_ASSERT_TRUE(!waits(&fx) && has_stage(&fx, FC_STAGE_LAYER));
	fixture_fini(&fx);
}

static void
test_changes_keep_their_order(void)
{
	static const char *const hops[] = { "10.1.2.5", "10.1.2.6", "10.1.2.7", "10.1.2.8" };
	struct fixture fx;
	size_t seen = 0;

	fixture_init(&fx, CLASSIC, false);
	set_ok(&fx, "fabric", "fabric", "timing.delays.udr=20ms..200ms");
	for (size_t i = 0; i < 4; i++) {
		char text[64];

		snprintf(text, sizeof(text), "routes.x.next_hop=VirtualAppliance %s", hops[i]);
		set_ok(&fx, "route_table", "rt", text);
	}
	/* It may pass over one that another one follows in the same moment, but never goes back. */
	while (waits(&fx)) {
		const char *now = fixture_effective(&fx, "vm1", "10.9.0.0/16");

		for (size_t i = 0; i < 4; i++)
			if (strcmp(now, hops[i]) == 0) {
				CU_ASSERT(i >= seen);
				seen = i;
			}
	}
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "10.1.2.8"));
	fixture_fini(&fx);
}

/* A table that a subnet gets or loses, and one that is deleted, with the rest of the change. */
static void
test_subnets_change_their_tables_later(void)
{
	struct fixture fx;

	fixture_init(&fx, CLASSIC, false);
	set_ok(&fx, "fabric", "fabric", "timing.delays.udr=150ms");
	set_ok(&fx, "vnet", "spoke", "subnets.vms.route_table=");
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "10.1.2.4"));
	AWAIT(fx.loop, has(&fx, "10.9.0.0/16", "-"));
	set_ok(&fx, "vnet", "spoke", "subnets.vms.route_table=rt");
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "-"));
	AWAIT(fx.loop, has(&fx, "10.9.0.0/16", "10.1.2.4"));
	set_ok(&fx, "fabric", "fabric", "timing.delays.udr=1h");
	fixture_apply(&fx, NET("10.11.0.0/24", PEERED));
	CU_ASSERT_EQUAL(fx.f->topo->n_tables, 1);
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "10.1.2.4"));
	CU_ASSERT_PTR_NULL(topo_doc_find(fx.f->doc, TOPO_ROUTE_TABLE, "rt"));
	fixture_fini(&fx);
}

/* The old version needs a peering that goes away: no half of it is left. */
static void
test_what_cannot_wait_does_not(void)
{
	struct fixture fx;

	fixture_init(&fx, CLASSIC, false);
	set_ok(&fx, "fabric", "fabric", "timing.delays.udr=1h");
	set_ok(&fx, "route_table", "rt", "routes.x.next_hop=None");
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "10.1.2.4") && waits(&fx));
	fixture_apply(&fx, NET(WITH, "") TABLE("None"));
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "None"));
	CU_ASSERT_FALSE(waits(&fx));
	fixture_fini(&fx);
}

static void
test_a_restart_of_fabricd_loses_no_change(void)
{
	struct fixture fx;

	fixture_init(&fx, NULL, true);
	fixture_apply(&fx, CLASSIC);
	set_ok(&fx, "fabric", "fabric", "timing.delays.udr=1h");
	set_ok(&fx, "route_table", "rt", "routes.x.next_hop=None");
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "10.1.2.4"));
	fixture_kill_fabric(&fx);
	fixture_start_fabric(&fx);
	CU_ASSERT_TRUE(has(&fx, "10.9.0.0/16", "None"));
	CU_ASSERT_FALSE(waits(&fx));
	fixture_fini(&fx);
}

static bool
spokes_are(const struct fake *rs, size_t n)
{
	return rs->conf->rs->spokes.n == n;
}

/* TIME-11, PEER-13: Route Servers hear of a spoke when the peering is Connected, NICs have its
 * routes later. */
static void
test_a_peering_takes_a_while(void)
{
	struct fixture fx;
	struct fake rs;

	const char *slow = "timing.delays={peering: 100ms..200ms, peering_routes: 150ms}";

	fixture_init(&fx, NET(WITH, "") TABLE("None"), false);
	fake_init(&rs, &fx, "rs-0", NULL);
	AWAIT(fx.loop, rs.configs == 1);
	set_ok(&fx, "fabric", "fabric", slow);
	fixture_apply(&fx, PEERED_SLOWLY);
	CU_ASSERT_TRUE(has(&fx, "10.1.0.0/16", "-") && waits(&fx));
	CU_ASSERT_TRUE(spokes_are(&rs, 0));
	AWAIT(fx.loop, spokes_are(&rs, 1)); /* Connected */
	CU_ASSERT_TRUE(has(&fx, "10.1.0.0/16", "-") && waits(&fx));
	AWAIT(fx.loop, has(&fx, "10.1.0.0/16", "VNetPeering"));
	CU_ASSERT_FALSE(waits(&fx));
	fake_fini(&rs);
	fixture_fini(&fx);
}

static CU_TestInfo hold_tests[] = {
	{ "TIME-10: a route table takes a while", test_a_route_table_takes_a_while },
	{ "changes keep their order", test_changes_keep_their_order },
	{ "subnets change their tables later", test_subnets_change_their_tables_later },
	{ "what cannot wait does not", test_what_cannot_wait_does_not },
	{ "a restart of fabricd loses no change", test_a_restart_of_fabricd_loses_no_change },
	{ "TIME-11, PEER-13: a peering takes a while", test_a_peering_takes_a_while },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_hold", hold_tests)
