/*
 * Who reaches whom, as a stream; routes to what is dead; and what is announced as broken.
 */
#include "fabricd/fc_mesh.h"
#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

#define TWO_SPOKES                                                                                 \
	"name: two\n"                                                                              \
	"timing: {profile: fast, converge_quiet: 20ms}\n"                                          \
	"vnets:\n"                                                                                 \
	"  hub: {region: r, address_space: [10.1.0.0/16], "                                        \
	"subnets: {RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}}\n"                           \
	"  s1: {region: r, address_space: [10.11.0.0/16], subnets: {vms: 10.11.0.0/24}}\n"         \
	"  s2: {region: r, address_space: [10.12.0.0/16], subnets: {vms: 10.12.0.0/24}}\n"         \
	"peerings: [{hub: hub, spoke: [s1, s2]}]\n"                                                \
	"route_servers: {rs: {vnet: hub, peers: [nva1, nva2]}}\n"                                  \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}\n"                                    \
	"  nva2: {subnet: hub/nva, ip: 10.1.2.5, asn: 65002}\n"                                    \
	"vms:\n"                                                                                   \
	"  vm1: {subnet: s1/vms, ip: 10.11.0.4}\n"                                                 \
	"  vm2: {subnet: s2/vms, ip: 10.12.0.4}\n"                                                 \
	"  off: {subnet: s2/vms, ip: 10.12.0.9, running: false}\n"

/* ---- the stream ---- */

struct seen {
	unsigned pairs, changes; /* in the snapshot, after it */
	bool known;
	char last[512]; /* of vm1 to vm2: "delivered vm1 > nva1 > vm2 RS-65: reason" */
	uint64_t at_us;
};

static void
take(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__ReachPair *p = (const Fab__V1__ReachPair *)(const void *)item;
	struct seen *s = ctx;

	s->known |= info->snapshot_end;
	if (p == NULL)
		return;
	s->pairs += info->in_snapshot;
	s->changes += !info->in_snapshot;
	if (strcmp(p->src, "vm1") != 0 || strcmp(p->dst, "vm2") != 0)
		return;
	s->at_us = p->at_us;
	snprintf(s->last, sizeof(s->last), "%s %s [%s] %s", p->verdict, p->way, p->rule, p->reason);
}

static const struct fab_rpc_sub_ops take_ops = { .item = take };

static bool
sees(const struct seen *s, const char *text)
{
	return strstr(s->last, text) != NULL;
}

static enum fab_rpc_status
note(struct fixture *fx, const char *action, const char *node)
{
	Fab__V1__FaultNote req = FAB__V1__FAULT_NOTE__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;

	req.action = (char *)(uintptr_t)action;
	req.node = (char *)(uintptr_t)node;
	reply = fixture_call(fx, "NoteFault", &req.base, &status);
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	return status;
}

static enum fab_rpc_status
link_op(struct fixture *fx, const char *a, bool cut)
{
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;

	req.a = (char *)(uintptr_t)a;
	req.cut = cut;
	req.restore = !cut;
	reply = fixture_call(fx, "Link", &req.base, &status);
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	return status;
}

static void
test_pairs_are_told_and_followed(void)
{
	Fab__V1__ReachRequest req = FAB__V1__REACH_REQUEST__INIT;
	struct seen s = { .pairs = 0 };
	struct fab_rpc_sub *sub;
	struct fake rs[2];
	struct fixture fx;
	uint64_t before;

	fixture_init(&fx, TWO_SPOKES, false);
	fake_route_servers(&fx, rs);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_subscribe(&sub, fx.client, &fab__v1__fabric__descriptor,
				  "Reach", &req.base, &take_ops, &s),
	    FAB_OK);
	AWAIT(fx.loop, s.known);
	CU_ASSERT_EQUAL(s.pairs, 2); /* the VM that does not run is no endpoint */
	CU_ASSERT_TRUE(sees(&s, "delivered vm1 > nva1 > vm2"));

	/* Dead from the moment that it is announced; the routes follow when they do (RS-91). */
	before = fab_wall_us();
	CU_ASSERT_EQUAL(note(&fx, "pause", "nva1"), FAB_RPC_OK);
	AWAIT(fx.loop, sees(&s, "blackhole vm1 [RS-91] nva1 is gone"));
	CU_ASSERT_TRUE(s.at_us >= before && s.at_us <= fab_wall_us());
	for (size_t i = 0; i < 2; i++) {
		fake_withdraw(&rs[i], "0.0.0.0/0", 0);
		fake_announce(&rs[i], default_nva2, 0);
	}
	AWAIT(fx.loop, sees(&s, "delivered vm1 > nva2 > vm2"));
	CU_ASSERT_EQUAL(note(&fx, "resume", "nva1"), FAB_RPC_OK);

	CU_ASSERT_EQUAL(link_op(&fx, "vm1", true), FAB_RPC_OK);
	AWAIT(fx.loop, sees(&s, "the link from vm1 to nva2 is cut"));
	CU_ASSERT_EQUAL(link_op(&fx, "vm1", false), FAB_RPC_OK);
	AWAIT(fx.loop, sees(&s, "delivered"));
	fab_rpc_sub_free(sub);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* A pair of regions is cut for virtual machines too, which are no nodes. */
static void
test_regions_that_are_cut(void)
{
	static const char yaml[] =
	    "vnets:\n"
	    "  a: {region: r1, address_space: [10.1.0.0/16], subnets: {vms: 10.1.0.0/24}}\n"
	    "  b: {region: r2, address_space: [10.2.0.0/16], subnets: {vms: 10.2.0.0/24}}\n"
	    "peerings: [{between: [a, b]}]\n"
	    "vms:\n"
	    "  vm1: {subnet: a/vms, ip: 10.1.0.4}\n"
	    "  vm2: {subnet: b/vms, ip: 10.2.0.4}\n"
	    "  vm3: {subnet: a/vms, ip: 10.1.0.5}\n";
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	char r1[] = "r1", r2[] = "r2";
	enum fab_rpc_status status;
	ProtobufCMessage *reply;
	struct fc_mesh_pair p;
	struct fixture fx;

	fixture_init(&fx, yaml, false);
	fc_mesh_look(fx.f->layers, "vm1", "vm2", &p);
	CU_ASSERT_EQUAL(p.verdict, FC_DELIVERED);
	req.a = r1;
	req.b = r2;
	req.cut = true;
	reply = fixture_call(&fx, "Link", &req.base, &status);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	fc_mesh_look(fx.f->layers, "vm1", "vm2", &p);
	CU_ASSERT_EQUAL(p.verdict, FC_BLACKHOLE);
	CU_ASSERT_STRING_EQUAL(p.reason, "the link from vm1 to vm2 is cut");
	CU_ASSERT_STRING_EQUAL(p.way, "vm1");
	fc_mesh_look(fx.f->layers, "vm1", "vm3", &p);
	CU_ASSERT_EQUAL(p.verdict, FC_DELIVERED);
	fixture_fini(&fx);
}

/* RS-57: a load balancer leaves out a backend whose NIC is cut; one that hangs, when it is missed.
 */
static void
test_backends_that_are_cut_or_hang(void)
{
	static const char yaml[] =
	    "timing: {profile: fast, converge_quiet: 20ms}\n"
	    "vnets:\n"
	    "  a: {address_space: [10.1.0.0/16], subnets: {nva: 10.1.2.0/24, vms: {prefix: "
	    "10.1.0.0/24, route_table: rt}}}\n"
	    "  b: {address_space: [10.2.0.0/16], subnets: {vms: 10.2.0.0/24}}\n"
	    "peerings: [{between: [a, b]}]\n"
	    "route_tables: {rt: {routes: {b: {prefix: 10.2.0.0/16, next_hop: VirtualAppliance "
	    "10.1.2.100}}}}\n"
	    "nvas:\n"
	    "  nva1: {subnet: a/nva, ip: 10.1.2.4, asn: 65001}\n"
	    "  nva2: {subnet: a/nva, ip: 10.1.2.5, asn: 65001}\n"
	    "load_balancers: {ilb: {subnet: a/nva, ip: 10.1.2.100, backends: [nva1, nva2]}}\n"
	    "vms:\n"
	    "  vm1: {subnet: a/vms, ip: 10.1.0.4}\n"
	    "  vm2: {subnet: b/vms, ip: 10.2.0.4}\n";
	const struct fake said = { .converged = true };
	struct fc_mesh_pair p;
	struct fixture fx;
	struct fake k[2];

	fixture_init(&fx, yaml, false);
	fake_init(&k[0], &fx, "nva1", &said);
	fake_init(&k[1], &fx, "nva2", &said);
	AWAIT(fx.loop, k[0].configs && k[1].configs);
	CU_ASSERT_EQUAL(link_op(&fx, "nva1", true), FAB_RPC_OK);
	fc_mesh_look(fx.f->layers, "vm1", "vm2", &p);
	CU_ASSERT_STRING_EQUAL(p.way, "vm1 > ilb > nva2 > vm2");
	CU_ASSERT_EQUAL(link_op(&fx, "nva1", false), FAB_RPC_OK);
	CU_ASSERT_EQUAL(link_op(&fx, "nva2", true), FAB_RPC_OK);
	fc_mesh_look(fx.f->layers, "vm1", "vm2", &p);
	CU_ASSERT_STRING_EQUAL(p.way, "vm1 > ilb > nva1 > vm2");
	CU_ASSERT_EQUAL(note(&fx, "pause", "nva1"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 50), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_PTR_NOT_NULL(strstr(fx.why, "fabricd has not missed nva1 yet"));
	fake_fini(&k[0]);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 20000), FAB_RPC_OK);
	fc_mesh_look(fx.f->layers, "vm1", "vm2", &p);
	CU_ASSERT_EQUAL(p.verdict, FC_BLACKHOLE);
	CU_ASSERT_STRING_EQUAL(p.rule, "RS-57");
	fake_fini(&k[1]);
	fixture_fini(&fx);
}

/* Of many virtual machines some from everywhere. */
static void
test_endpoints_of_a_large_estate(void)
{
	static char yaml[16384] =
	    "vnets: {a: {address_space: [10.1.0.0/16], subnets: {vms: 10.1.0.0/24}}}\n"
	    "sites: {dc1: {asn: 64900, prefixes: [172.20.0.0/16]}}\n"
	    "vms:\n";
	const char *names[FC_MESH_ENDS_MAX];
	struct fixture fx;

	for (int i = 0; i < 200; i++)
		snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml),
		    "  vm%03d: {subnet: a/vms, ip: 10.1.0.%d, running: %s}\n", i, i + 4,
		    i < 10 ? "false" : "true");
	fixture_init(&fx, yaml, false);
	CU_ASSERT_EQUAL(fc_mesh_ends(fx.f->topo, names, FC_MESH_ENDS_MAX), FC_MESH_ENDS_MAX);
	CU_ASSERT_STRING_EQUAL(names[0], "dc1");
	CU_ASSERT_TRUE(strcmp(names[1], "vm010") >= 0);
	CU_ASSERT_STRING_EQUAL(names[FC_MESH_ENDS_MAX - 1], "vm199");
	CU_ASSERT_TRUE(strcmp(names[32], "vm100") > 0 && strcmp(names[32], "vm112") < 0);
	CU_ASSERT_EQUAL(fc_mesh_ends(fx.f->topo, names, 1), 1);
	fixture_fini(&fx);
}

static void
refused(void *ctx, enum fab_rpc_status status, const char *message)
{
	(void)message;
	*(enum fab_rpc_status *)ctx = status;
}

static void
ignore(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	(void)ctx;
	(void)item;
	(void)info;
}

static void
test_too_many_endpoints_are_refused(void)
{
	static const struct fab_rpc_sub_ops ops = { .item = ignore, .ended = refused };
	Fab__V1__ReachRequest req = FAB__V1__REACH_REQUEST__INIT;
	char name[] = "vm1", *names[FC_MESH_ENDS_MAX + 1];
	enum fab_rpc_status status = FAB_RPC_OK;
	struct fab_rpc_sub *sub;
	struct fixture fx;

	for (size_t i = 0; i <= FC_MESH_ENDS_MAX; i++)
		names[i] = name;
	req.endpoints = names;
	req.n_endpoints = FC_MESH_ENDS_MAX + 1;
	fixture_init(&fx, TWO_SPOKES, false);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_subscribe(&sub, fx.client, &fab__v1__fabric__descriptor,
				  "Reach", &req.base, &ops, &status),
	    FAB_OK);
	AWAIT(fx.loop, status == FAB_RPC_RESOURCE_EXHAUSTED);
	fab_rpc_sub_free(sub);
	fixture_fini(&fx);
}

/* ---- stale routes ---- */

static size_t
stale(struct fixture *fx, char first[static 128])
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply = fixture_call(fx, "Stale", &req.base, &status);
	const Fab__V1__StaleList *list = (const Fab__V1__StaleList *)(const void *)reply;
	size_t n;

	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	n = list->n_value;
	if (n > 0)
		snprintf(first, 128, "%s %s %s %s %s", list->value[0]->nic, list->value[0]->prefix,
		    list->value[0]->source, list->value[0]->next_hop, list->value[0]->node);
	protobuf_c_message_free_unpacked(reply, NULL);
	return n;
}

/* Routes to an NVA that hangs; the NVAs' own NICs have them too (RS-62). */
static void
test_routes_to_the_dead_are_listed(void)
{
	struct fake rs[2];
	struct fixture fx;
	char first[128];

	fixture_init(&fx, TWO_SPOKES, false);
	fake_route_servers(&fx, rs);
	CU_ASSERT_EQUAL(stale(&fx, first), 0);
	CU_ASSERT_EQUAL(note(&fx, "pause", "nva1"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(stale(&fx, first), 4);
	CU_ASSERT_STRING_EQUAL(first, "nva1 0.0.0.0/0 VirtualNetworkGateway 10.1.2.4 nva1");
	CU_ASSERT_EQUAL(note(&fx, "resume", "nva1"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(stale(&fx, first), 0);
	CU_ASSERT_EQUAL(note(&fx, "kill", "nobody"), FAB_RPC_OK);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* ---- settled ---- */

/* All there, with all sessions up. */
static void
init_all(struct fixture *fx, struct fake k[static 4])
{
	static const char *const names[] = { "rs-0", "rs-1", "nva1", "nva2" };
	const struct fake rs = { .up = { "nva1", "nva2" }, .n_up = 2, .converged = true };
	const struct fake nva = { .up = { "rs-0", "rs-1" }, .n_up = 2, .converged = true };

	fixture_init(fx, TWO_SPOKES, false);
	for (size_t i = 0; i < 4; i++)
		fake_init(&k[i], fx, names[i], i < 2 ? &rs : &nva);
	AWAIT(fx->loop, k[0].configs && k[1].configs && k[2].configs && k[3].configs);
}

static void
test_settled_waits_for_all_who_have_to_notice(void)
{
	struct fixture fx;
	struct fake k[4];

	init_all(&fx, k);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 20000), FAB_RPC_OK);

	/* nva1 hangs: both instances must miss it, and converged never comes. */
	CU_ASSERT_EQUAL(note(&fx, "pause", "nva1"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 50), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(fx.why, "the session between nva1 and rs-0 is not missed yet"));
	fake_session(&k[0], "nva1", false, "hold timer expired");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 50), FAB_RPC_DEADLINE_EXCEEDED);
	fake_session(&k[1], "nva1", false, "hold timer expired");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 20000), FAB_RPC_OK);

	/* It is back: its sessions have to come up again. */
	CU_ASSERT_EQUAL(note(&fx, "resume", "nva1"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 50), FAB_RPC_DEADLINE_EXCEEDED);
	fake_session(&k[0], "nva1", true, "");
	fake_session(&k[1], "nva1", true, "");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 20000), FAB_RPC_OK);

	/* One that was killed is gone for fabricd too; a Route Server instance that hangs must be
	 * (RS-66). */
	CU_ASSERT_EQUAL(note(&fx, "kill", "nva2"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 50), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_PTR_NOT_NULL(strstr(fx.why, "fabricd has not missed nva2 yet"));
	fake_fini(&k[3]);
	fake_session(&k[0], "nva2", false, "closed");
	fake_session(&k[1], "nva2", false, "closed");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 20000), FAB_RPC_OK);
	CU_ASSERT_EQUAL(note(&fx, "pause", "rs-0"), FAB_RPC_OK);
	fake_session(&k[2], "rs-0", false, "hold timer expired");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 50), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_PTR_NOT_NULL(strstr(fx.why, "fabricd has not missed rs-0 yet"));
	fake_fini(&k[0]);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 20000), FAB_RPC_OK);
	fake_fini(&k[1]);
	fake_fini(&k[2]);
	fixture_fini(&fx);
}

static void
test_settled_by_the_ends_of_a_cut_link(void)
{
	struct fixture fx;
	struct fake k[4];

	init_all(&fx, k);
	CU_ASSERT_EQUAL(link_op(&fx, "nva1", true), FAB_RPC_OK);
	fake_session(&k[0], "nva1", false, "hold timer expired");
	fake_session(&k[1], "nva1", false, "hold timer expired");
	fake_session(&k[2], "rs-0", false, "hold timer expired");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 50), FAB_RPC_DEADLINE_EXCEEDED);
	fake_session(&k[2], "rs-1", false, "hold timer expired");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "settled", 20000), FAB_RPC_OK);
	for (size_t i = 0; i < 4; i++)
		fake_fini(&k[i]);
	fixture_fini(&fx);
}

/* ---- all links ---- */

static void
test_every_link_is_listed(void)
{
	static const char *const expected[] = { "path nva1 rs-0", "path nva1 rs-1",
		"path nva2 rs-0", "path nva2 rs-1", "nic nva1 ", "nic nva2 ", "nic off ",
		"nic vm1 ", "nic vm2 " };
	Fab__V1__LinkQuery req = FAB__V1__LINK_QUERY__INIT;
	const Fab__V1__LinkList *list;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;
	struct fixture fx;
	char text[128];

	fixture_init(&fx, TWO_SPOKES, false);
	req.every = true;
	reply = fixture_call(&fx, "Links", &req.base, &status);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	list = (const Fab__V1__LinkList *)(const void *)reply;
	CU_ASSERT_EQUAL_FATAL(list->n_value, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < list->n_value; i++) {
		snprintf(text, sizeof(text), "%s %s %s", list->value[i]->kind, list->value[i]->a,
		    list->value[i]->b);
		CU_ASSERT_STRING_EQUAL(text, expected[i]);
	}
	protobuf_c_message_free_unpacked(reply, NULL);
	fixture_fini(&fx);
}

static CU_TestInfo tests[] = {
	{ "RS-91: pairs are told, and followed", test_pairs_are_told_and_followed },
	{ "RS-57: backends that are cut or hang", test_backends_that_are_cut_or_hang },
	{ "regions that are cut", test_regions_that_are_cut },
	{ "endpoints of a large estate", test_endpoints_of_a_large_estate },
	{ "too many endpoints are refused", test_too_many_endpoints_are_refused },
	{ "RS-62: routes to the dead are listed", test_routes_to_the_dead_are_listed },
	{ "settled waits for all who have to notice",
	    test_settled_waits_for_all_who_have_to_notice },
	{ "settled by the ends of a cut link", test_settled_by_the_ends_of_a_cut_link },
	{ "every link is listed", test_every_link_is_listed },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_mesh", tests)
