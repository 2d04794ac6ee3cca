/*
 * wire_report: the same rows from deltas and from a snapshot, grouped, whatever the order in which
 * routes arrived.
 */
#include "lib/err.h"
#include "lib/wire_apply.h"
#include "lib/wire_report.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/wire_fixture.h"

#include <stdlib.h>
#include <string.h>

#define NVA       FAB__V1__PEER_ROLE__PEER_NVA
#define PATH(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

static struct fab_loop *loop;
static struct speaker *sp;
static struct wire_apply *a;
static struct fx_conf fx;
static struct fx_report delta, snap;
static const struct wire_report_to to_delta = { fx_report_send, &delta };
static const struct wire_report_to to_snap = { fx_report_send, &snap };
static wire_route_fn *route_fn;

/* Every path wins: ECMP over all. */
static size_t
select_all(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *paths, size_t n,
    uint16_t *winners)
{
	(void)ctx;
	(void)prefix;
	(void)paths;
	for (size_t i = 0; i < n; i++)
		winners[i] = (uint16_t)i;
	return n;
}

static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	(void)ctx;
	(void)in;
	(void)out;
	path->source = HRP_SRC_NVA;
	path->weight = wire_peer_of(from)->weight;
	return true;
}

static void
changed(
    void *ctx, const struct speaker_change *changes, size_t n, const struct speaker_cause *cause)
{
	(void)ctx;
	if (n > FX_ROUTES_MAX)
		return; /* more than the fixture keeps */
	wire_report_changes(&to_delta, route_fn, NULL, changes, n, cause);
}

static void
setup(void)
{
	static const struct speaker_role role = {
		.import_attrs = import_attrs, .select = select_all, .changed = changed
	};
	static const struct wire_apply_ops ops = { 0 };
	static const char *const names[] = { "nva1", "nva2", "nva3" };
	static const char *const addresses[] = { "10.1.2.4", "10.1.2.5", "10.1.2.6" };
	struct wire_conf *conf = NULL;
	struct wire_diff diff = { 0 };
	char why[256];

	memset(&delta, 0, sizeof(delta));
	memset(&snap, 0, sizeof(snap));
	route_fn = wire_route_learned;
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_new(&sp, loop, &role, NULL), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_apply_new(&a, sp, NULL, &ops, NULL), FAB_OK);
	fx_conf_init(&fx, "rs1-0", FAB__V1__NODE_KIND__NODE_ROUTE_SERVER, 65515, "10.1.0.4");
	for (size_t i = 0; i < 3; i++)
		fx_peer(&fx, names[i], NVA, 65001, addresses[i], "10.1.0.4");
	fx.peers[2].weight = 7;
	CU_ASSERT_EQUAL_FATAL(wire_conf_decode(&conf, &fx.m, why), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_apply_conf(a, conf, &diff, why), FAB_OK);
	for (size_t i = 0; i < 3; i++)
		fake_up(fake_find(names[i]));
	fab_loop_turn(loop, 0);
}

static void
teardown(void)
{
	wire_apply_free(a);
	speaker_free(sp);
	fab_loop_free(loop);
}

static void
announce(const char *peer, const char *prefixes, const char *next_hop, const uint32_t *path)
{
	struct fake_update u = { .announce = prefixes, .next_hop = fx_ip(next_hop), .path = path };

	fake_rx(fake_find(peer), &u);
	fab_loop_turn(loop, 0);
}

static void
withdraw(const char *peer, const char *prefixes)
{
	struct fake_update u = { .withdraw = prefixes };

	fake_rx(fake_find(peer), &u);
	fab_loop_turn(loop, 0);
}

static bool
same_route(const struct fx_route *x, const struct fx_route *y)
{
	return ipnet_eq(x->net, y->net) && x->source == y->source &&
	       x->n_next_hops == y->n_next_hops && x->weight == y->weight &&
	       memcmp(x->next_hops, y->next_hops, x->n_next_hops * sizeof(x->next_hops[0])) == 0 &&
	       strcmp(x->path, y->path) == 0 && strcmp(x->peer, y->peer) == 0;
}

static void
check_snapshot_equals_delta(void)
{
	memset(&snap, 0, sizeof(snap));
	wire_report_routes(&to_snap, route_fn, NULL, sp);
	CU_ASSERT_EQUAL(snap.n_routes, delta.n_routes);
	for (size_t i = 0; i < delta.n_routes; i++) {
		char text[IPNET_STRLEN];
		const struct fx_route *r =
		    fx_reported(&snap, ipnet_format(text, delta.routes[i].net));

		CU_ASSERT_PTR_NOT_NULL_FATAL(r);
		CU_ASSERT(same_route(r, &delta.routes[i]));
	}
}

static void
test_ecmp_set_does_not_depend_on_arrival(void)
{
	static const char *const orders[][2] = { { "nva1", "nva2" }, { "nva2", "nva1" } };

	for (size_t i = 0; i < 2; i++) {
		const struct fx_route *r;

		setup();
		for (size_t k = 0; k < 2; k++) {
			bool first = strcmp(orders[i][k], "nva1") == 0;

			announce(orders[i][k], "10.99.0.0/16", first ? "10.1.2.4" : "10.1.2.5",
			    first ? PATH(65001, 1) : PATH(65001, 2));
		}
		CU_ASSERT_STRING_EQUAL(
		    fx_reported_hops(&delta, "10.99.0.0/16"), "10.1.2.4 10.1.2.5");
		r = fx_reported(&delta, "10.99.0.0/16");
		CU_ASSERT_STRING_EQUAL(r->peer, "nva1"); /* the lowest next hop */
		CU_ASSERT_STRING_EQUAL(r->path, "65001 1");
		CU_ASSERT_EQUAL(r->source, HRP_SRC_NVA);
		check_snapshot_equals_delta();
		teardown();
	}
}

static void
test_equal_next_hops_are_told_once(void)
{
	setup();
	announce("nva1", "10.99.0.0/16", "10.1.2.100", PATH(65001));
	announce("nva2", "10.99.0.0/16", "10.1.2.100", PATH(65001));
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&delta, "10.99.0.0/16"), "10.1.2.100");
	CU_ASSERT_STRING_EQUAL(fx_reported(&delta, "10.99.0.0/16")->peer, "nva1");
	check_snapshot_equals_delta();
	teardown();
}

static void
test_changes_and_withdrawals(void)
{
	setup();
	announce("nva1", "10.1.0.0/24 10.2.0.0/24 10.3.0.0/24", "10.1.2.4", PATH(65001));
	announce("nva3", "10.3.0.0/24 10.4.0.0/24", "10.1.2.6", PATH(65003));
	CU_ASSERT_EQUAL(delta.n_routes, 4);
	CU_ASSERT_EQUAL(fx_reported(&delta, "10.4.0.0/24")->weight, 7);
	CU_ASSERT_STRING_EQUAL(delta.cause, "peer nva3: UPDATE");
	withdraw("nva1", "10.2.0.0/24 10.3.0.0/24");
	CU_ASSERT_EQUAL(delta.n_routes, 3);
	CU_ASSERT_STRING_EQUAL(fx_reported_hops(&delta, "10.3.0.0/24"), "10.1.2.6");
	check_snapshot_equals_delta();
	fake_down(fake_find("nva3"), "hold timer expired");
	fab_loop_turn(loop, 0);
	CU_ASSERT_EQUAL(delta.n_routes, 1);
	CU_ASSERT_STRING_EQUAL(delta.cause, "peer nva3: hold timer expired");
	check_snapshot_equals_delta();
	teardown();
}

static void
test_own_routes_are_left_out_or_not(void)
{
	struct ipnet net = { 0x0a010000, 16 };
	struct bgp_attr_spec spec = { .next_hop = 0x0a010004 };

	setup();
	CU_ASSERT_EQUAL(wire_apply_own(a, &net, &spec, HRP_SRC_UNKNOWN, 0, 0), FAB_OK);
	fab_loop_turn(loop, 0);
	CU_ASSERT_EQUAL(delta.n_routes, 0);
	route_fn = wire_route_any;
	wire_report_routes(&to_snap, route_fn, NULL, sp);
	CU_ASSERT_EQUAL_FATAL(snap.n_routes, 1);
	CU_ASSERT_STRING_EQUAL(snap.routes[0].peer, "");
	teardown();
}

struct counter {
	size_t batches, groups, prefixes, withdrawn;
};

static void
count(void *arg, const Fab__V1__ReportItem *item)
{
	struct counter *c = arg;

	c->batches++;
	c->groups += item->routes->n_groups;
	c->withdrawn += item->routes->n_withdrawn_addr;
	for (size_t i = 0; i < item->routes->n_groups; i++)
		c->prefixes += item->routes->groups[i]->n_addr;
}

static void
test_large_tables_are_cut_into_batches(void)
{
	enum { N = WIRE_BATCH_PREFIXES + 10 };
	struct ipnet *nets = calloc(N, sizeof(*nets));
	struct counter c = { 0 };
	struct wire_report_to to = { count, &c };

	setup();
	for (uint32_t i = 0; i < N; i++)
		nets[i] = (struct ipnet){ 0x14000000 + (i << 8), 24 };
	fake_down(fake_find("nva2"), "not needed here");
	fake_down(fake_find("nva3"), "not needed here");
	fake_rx_nets(fake_find("nva1"), nets, N, 0x0a010204, PATH(65001));
	free(nets);
	fab_loop_turn(loop, 0);
	wire_report_routes(&to, wire_route_learned, NULL, sp);
	CU_ASSERT_EQUAL(c.batches, 2);
	CU_ASSERT_EQUAL(c.groups, 2); /* one attribute set: one group in each */
	CU_ASSERT_EQUAL(c.prefixes, N);
	CU_ASSERT_EQUAL(c.withdrawn, 0);
	teardown();
}

static CU_TestInfo tests[] = {
	{ "an ECMP set does not depend on the order of arrival",
	    test_ecmp_set_does_not_depend_on_arrival },
	{ "equal next hops are told once", test_equal_next_hops_are_told_once },
	{ "changes and withdrawals", test_changes_and_withdrawals },
	{ "own routes are left out, or not", test_own_routes_are_left_out_or_not },
	{ "large tables are cut into batches", test_large_tables_are_cut_into_batches },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("wire_report", tests)
