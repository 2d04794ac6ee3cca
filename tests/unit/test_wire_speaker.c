/*
 * wire_speaker: what the Speaker service answers.
 */
#include "lib/err.h"
#include "lib/wire_apply.h"
#include "lib/wire_speaker.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fake_session.h"
#include "tests/unit/wire_fixture.h"

#include <string.h>

#define NVA       FAB__V1__PEER_ROLE__PEER_NVA
#define PATH(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

static struct fab_loop *loop;
static struct speaker *sp;
static struct wire_apply *a;
static struct wire_speaker ws;
static struct fx_conf fx;

/* Import changes the weight and the path, so that listings can be told apart (RS-112). */
static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	(void)ctx;
	(void)from;
	(void)in;
	path->weight = 5;
	out->n_communities = 0;
	return true;
}

static bool
export_attrs(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	(void)ctx;
	(void)path;
	out->next_hop = wire_peer_of(to)->local_address;
	return true;
}

static void
row(void *ctx, enum wire_listing what, const struct speaker_peer *peer, struct wire_row *r)
{
	(void)ctx;
	(void)peer;
	if (what == WIRE_LEARNED)
		r->weight = 32768;
}

static void
setup(void)
{
	static const struct speaker_role role = { .import_attrs = import_attrs,
		.export_attrs = export_attrs };
	static const struct wire_apply_ops ops = { 0 };
	struct ipnet net = { 0x0a010000, 16 };
	struct bgp_attr_spec spec = { .next_hop = 0 };
	struct wire_conf *conf = NULL;
	struct wire_diff diff = { 0 };
	char why[256];

	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_new(&sp, loop, &role, NULL), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_apply_new(&a, sp, NULL, &ops, NULL), FAB_OK);
	fx_conf_init(&fx, "rs1-0", FAB__V1__NODE_KIND__NODE_ROUTE_SERVER, 65515, "10.1.0.4");
	fx_peer(&fx, "nva1", NVA, 65001, "10.1.2.4", "10.1.0.4");
	fx_peer(&fx, "nva2", NVA, 65002, "10.1.2.5", "10.1.0.4");
	CU_ASSERT_EQUAL_FATAL(wire_conf_decode(&conf, &fx.m, why), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_apply_conf(a, conf, &diff, why), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_apply_own(a, &net, &spec, HRP_SRC_UNKNOWN, 0, 0), FAB_OK);
	fake_up(fake_find("nva1"));
	fake_up(fake_find("nva2"));
	fake_rx(fake_find("nva1"), &(struct fake_update){ .announce = "10.99.0.0/16 10.98.0.0/16",
				       .next_hop = 0x0a010204,
				       .path = PATH(65001, 64900),
				       .communities = { 0x10002 },
				       .n_communities = 1 });
	fake_rx(fake_find("nva2"),
	    &(struct fake_update){
		.announce = "10.99.0.0/16", .next_hop = 0x0a010205, .path = PATH(65002) });
	fab_loop_turn(loop, 0);
	ws = (struct wire_speaker){ .sp = sp, .address = 0x0a010004, .row = row };
}

static void
teardown(void)
{
	wire_apply_free(a);
	speaker_free(sp);
	fab_loop_free(loop);
}

static const Fab__V1__BgpRoute *
find(const Fab__V1__BgpRouteList *list, const char *prefix, const char *peer)
{
	struct ipnet net = fx_net(prefix);

	for (size_t i = 0; i < list->n_routes; i++)
		if (list->routes[i]->addr == net.addr && list->routes[i]->len == net.len &&
		    strcmp(list->routes[i]->peer, peer) == 0)
			return list->routes[i];
	return NULL;
}

static void
test_learned_is_as_received_RS_112(void)
{
	Fab__V1__BgpRouteList *list;
	const Fab__V1__BgpRoute *r;
	bool found = false;

	setup();
	list = wire_speaker_learned(&ws, "nva1", &found);
	CU_ASSERT_TRUE(found);
	CU_ASSERT_EQUAL_FATAL(list->n_routes, 2);
	r = find(list, "10.99.0.0/16", "nva1");
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_EQUAL(r->next_hop, 0x0a010204);
	CU_ASSERT_EQUAL(r->n_as_path, 2);
	CU_ASSERT_EQUAL(r->as_path[1], 64900);
	CU_ASSERT_EQUAL(r->n_communities, 1); /* import policy removed it later */
	CU_ASSERT_EQUAL(r->weight, 32768);    /* RS-110 */
	CU_ASSERT_EQUAL(r->peer_address, 0x0a010204);
	CU_ASSERT_EQUAL(r->local_address, 0x0a010004);
	CU_ASSERT_FALSE(r->network);
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	teardown();
}

static void
test_a_peer_is_named_or_addressed(void)
{
	static const struct {
		const char *which;
		bool found;
		size_t n;
	} rows[] = { { "nva2", true, 1 }, { "10.1.2.5", true, 1 }, { "", true, 3 },
		{ "nva3", false, 0 }, { "10.1.2.6", false, 0 } };

	setup();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool found = !rows[i].found;
		Fab__V1__BgpRouteList *list = wire_speaker_learned(&ws, rows[i].which, &found);

		CU_ASSERT_EQUAL(found, rows[i].found);
		CU_ASSERT_EQUAL(list->n_routes, rows[i].n);
		fab__v1__bgp_route_list__free_unpacked(list, NULL);
	}
	teardown();
}

static void
test_own_routes_among_learned_ER_17(void)
{
	Fab__V1__BgpRouteList *list;
	const Fab__V1__BgpRoute *r;
	bool found;

	setup();
	ws.own_in_learned = true;
	list = wire_speaker_learned(&ws, "", &found);
	CU_ASSERT_EQUAL(list->n_routes, 4);
	r = find(list, "10.1.0.0/16", "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	CU_ASSERT_TRUE(r->network);
	CU_ASSERT_EQUAL(r->n_as_path, 0);
	CU_ASSERT_EQUAL(r->local_address, 0x0a010004);
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	list = wire_speaker_learned(&ws, "nva1", &found);
	CU_ASSERT_EQUAL(list->n_routes, 2); /* one peer: what it sent */
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	teardown();
}

static void
test_advertised(void)
{
	Fab__V1__BgpRouteList *list;
	bool found;

	setup();
	list = wire_speaker_advertised(&ws, "nva2", &found);
	CU_ASSERT_TRUE(found);
	/* 10.1/16 of our own and 10.98/16 of nva1; 10.99/16 is its own. */
	CU_ASSERT_EQUAL_FATAL(list->n_routes, 2);
	CU_ASSERT_EQUAL(list->routes[0]->next_hop, 0x0a010004);
	CU_ASSERT_STRING_EQUAL(list->routes[0]->peer, "nva2"); /* to whom */
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	teardown();
}

static void
test_rib_marks_the_best(void)
{
	Fab__V1__BgpRouteList *list;

	setup();
	list = wire_speaker_routes(&ws);
	CU_ASSERT_EQUAL_FATAL(list->n_routes, 4);
	CU_ASSERT_FALSE(find(list, "10.99.0.0/16", "nva1")->best);
	CU_ASSERT_TRUE(find(list, "10.99.0.0/16", "nva2")->best); /* shorter */
	CU_ASSERT_TRUE(find(list, "10.1.0.0/16", "")->best);
	CU_ASSERT_EQUAL(find(list, "10.98.0.0/16", "nva1")->weight, 5);
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	teardown();
}

static void
test_peers(void)
{
	Fab__V1__PeerList *list;

	setup();
	fake_down(fake_find("nva2"), "hold timer expired");
	fab_loop_turn(loop, 0);
	list = wire_speaker_peers(&ws);
	CU_ASSERT_EQUAL_FATAL(list->n_peers, 2);
	CU_ASSERT_STRING_EQUAL(list->peers[0]->name, "nva1");
	CU_ASSERT_STRING_EQUAL(list->peers[0]->state, "Established");
	CU_ASSERT_EQUAL(list->peers[0]->routes_in, 2);
	CU_ASSERT_EQUAL(list->peers[0]->asn, 65001);
	CU_ASSERT_EQUAL(list->peers[0]->hold_sec, 3);
	CU_ASSERT_STRING_EQUAL(list->peers[0]->transport, "nng");
	CU_ASSERT_STRING_EQUAL(list->peers[1]->state, "Idle");
	CU_ASSERT_STRING_EQUAL(list->peers[1]->last_error, "hold timer expired");
	CU_ASSERT_EQUAL(list->peers[1]->routes_in, 0); /* RS-113 */
	fab__v1__peer_list__free_unpacked(list, NULL);
	teardown();
}

static CU_TestInfo tests[] = {
	{ "RS-112: learned routes are as received", test_learned_is_as_received_RS_112 },
	{ "a peer is named or addressed", test_a_peer_is_named_or_addressed },
	{ "ER-17: own routes among the learned", test_own_routes_among_learned_ER_17 },
	{ "advertised routes", test_advertised },
	{ "the RIB marks the best", test_rib_marks_the_best },
	{ "RS-113: peers and their states", test_peers },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("wire_speaker", tests)
