/*
 * Service Fabric over RPC, with stand-in nodes: waiting, links, listings, resources, processes.
 */
#include "fabricd/fc_trace_links.h"
#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

#define WITH_FOREIGN                                                                               \
	SMALL_NET("nva1: {}, fw: {transport_address: 127.0.1.1}")                                  \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}\n"                                    \
	"  fw: {subnet: hub/nva, ip: 10.1.2.6, asn: 65003, run: [bird, -f]}\n"

/* The two that are foreign have a session with each other. */
#define WITH_TWO_FOREIGN                                                                           \
	SMALL_NET("nva1: {}, fw: {transport_address: 127.0.1.1}")                                  \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}\n"                                    \
	"  fw: {subnet: hub/nva, ip: 10.1.2.6, asn: 65003, run: [bird, -f], peers: {lb: {}}}\n"    \
	"  lb: {subnet: hub/nva, ip: 10.1.2.7, asn: 65004, run: [bgpd], "                          \
	"bgp_listen: '127.0.1.2:1790'}\n"

/* All four nodes of SMALL, with all their sessions up. */
struct four {
	struct fake rs0, rs1, nva1, nva2;
};

static void
four_init(struct four *n, struct fixture *fx)
{
	const struct fake rs = { .up = { "nva1", "nva2" }, .n_up = 2, .converged = true };
	const struct fake nva = { .up = { "rs-0", "rs-1" }, .n_up = 2, .converged = true };

	fake_init(&n->rs0, fx, "rs-0", &rs);
	fake_init(&n->rs1, fx, "rs-1", &rs);
	fake_init(&n->nva1, fx, "nva1", &nva);
	fake_init(&n->nva2, fx, "nva2", &nva);
	AWAIT(fx->loop, n->rs0.configs && n->rs1.configs && n->nva1.configs && n->nva2.configs);
}

static void
four_fini(struct four *n)
{
	fake_fini(&n->rs0);
	fake_fini(&n->rs1);
	fake_fini(&n->nva1);
	fake_fini(&n->nva2);
}

static bool
why_is(const struct fixture *fx, const char *text)
{
	if (strstr(fx->why, text) == NULL)
		printf("why is '%s', expected '%s'\n", fx->why, text);
	return strstr(fx->why, text) != NULL;
}

/* ---- waiting ---- */

static void
test_converged_names_what_is_missing(void)
{
	struct fixture fx;
	struct four n;

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 0), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_TRUE(why_is(&fx, "node rs-0 is not running (never seen)"));
	four_init(&n, &fx);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20000), FAB_RPC_OK);

	fake_session(&n.rs0, "nva1", false, "hold timer expired");
	fake_status(&n.rs0, false);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs-0 nva1 up", 20), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_TRUE(why_is(&fx, "node rs-0: session with nva1 is Idle"));
	fake_session(&n.rs0, "nva1", true, "");
	fake_status(&n.rs0, true);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20000), FAB_RPC_OK);

	fake_fini(&n.nva2);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "node nva2 down", 20000), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 0), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_TRUE(why_is(&fx, "node nva2 is not running (lost)"));
	fake_fini(&n.rs0);
	fake_fini(&n.rs1);
	fake_fini(&n.nva1);
	fixture_fini(&fx);
}

/* A configuration that was not taken over yet, and routes that still move, are not converged. */
static void
test_converged_waits_for_calm(void)
{
	struct fab_mono before;
	struct fixture fx;
	struct four n;

	fixture_init(&fx, SMALL, false);
	four_init(&n, &fx);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20000), FAB_RPC_OK);
	before = fab_mono_now();
	fake_announce(&n.rs0, default_nva1, 0);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "learned rs nva1 1.0.0.0/8", 0),
	    FAB_RPC_DEADLINE_EXCEEDED); /* a round trip: the route is there */
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20000), FAB_RPC_OK);
	CU_ASSERT_TRUE(fab_mono_us_between(before, fab_mono_now()) >=
		       fx.f->topo->timing.converge_quiet_ms * 1000u);
	/* The stand-ins answer a new configuration with a new status; one that hangs does not. */
	fab_rpc_stream_free(n.nva1.report);
	n.nva1.report = NULL;
	CU_ASSERT_EQUAL(fixture_wait(&fx, "node nva1 down", 20000), FAB_RPC_OK);
	four_fini(&n);
	fixture_fini(&fx);
}

static void
test_conditions_come_true(void)
{
	static const struct {
		const char *expr;
		enum fab_rpc_status status;
	} rows[] = {
		{ "effective vm1 0.0.0.0/0", FAB_RPC_OK },
		{ "effective vm1 0.0.0.0/0 via 10.1.2.4", FAB_RPC_OK },
		{ "no effective vm1 0.0.0.0/0 via 10.1.2.5", FAB_RPC_OK },
		{ "effective vm1 0.0.0.0/0 via 10.1.2.5", FAB_RPC_DEADLINE_EXCEEDED },
		{ "no effective vm1 10.99.0.0/16", FAB_RPC_OK },
		{ "effective vm9 0.0.0.0/0", FAB_RPC_NOT_FOUND },
		{ "session rs nva1 up", FAB_RPC_OK },
		{ "session nva1 rs up", FAB_RPC_OK },
		{ "session rs-0 nva1 up", FAB_RPC_OK },
		{ "session rs nva1 down", FAB_RPC_DEADLINE_EXCEEDED },
		{ "no session rs nva1 down", FAB_RPC_OK },
		{ "session nva1 nva2 up", FAB_RPC_NOT_FOUND },
		{ "node rs up", FAB_RPC_OK },
		{ "no node rs-1 down", FAB_RPC_OK },
		{ "node nva9 up", FAB_RPC_NOT_FOUND },
		{ "learned rs nva1 0.0.0.0/0", FAB_RPC_OK },
		{ "no learned rs nva1 10.0.0.0/8", FAB_RPC_OK },
		{ "learned rs nva1 10.0.0.0/8", FAB_RPC_DEADLINE_EXCEEDED },
		{ "learned nva1 rs 10.0.0.0/8", FAB_RPC_NOT_FOUND },
		{ "nonsense", FAB_RPC_INVALID_ARGUMENT },
	};
	struct fixture fx;
	struct four n;

	fixture_init(&fx, SMALL, false);
	four_init(&n, &fx);
	n.rs0.learned[n.rs0.n_learned++] = default_nva1;
	n.rs1.learned[n.rs1.n_learned++] = default_nva1;
	fake_announce(&n.rs0, default_nva1, 0);
	fake_announce(&n.rs1, default_nva1, 0);
	CU_ASSERT_EQUAL(
	    fixture_wait(&fx, "effective vm1 0.0.0.0/0 via 10.1.2.4", 20000), FAB_RPC_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum fab_rpc_status got = fixture_wait(&fx, rows[i].expr, 0);

		if (got != rows[i].status)
			printf("%s: %s: %s\n", rows[i].expr, fab_rpc_status_name(got), fx.why);
		CU_ASSERT_EQUAL(got, rows[i].status);
	}
	/* One end is enough: the other one hangs and does not say anything. */
	fake_session(&n.rs0, "nva1", false, "hold timer expired");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs-0 nva1 down", 20000), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs-0 nva1 up", 0), FAB_RPC_DEADLINE_EXCEEDED);
	/* Not all of a resource's sessions are down. */
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs nva1 down", 0), FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs nva1 up", 0), FAB_RPC_DEADLINE_EXCEEDED);
	/* Back up only when both say so. */
	fake_session(&n.nva1, "rs-0", false, "connection closed by the peer");
	AWAIT(fx.loop, !fc_session_find(fc_node_find(fx.f->nodes, "nva1"), "rs-0")->established);
	fake_session(&n.rs0, "nva1", true, "");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs-0 nva1 up", 0), FAB_RPC_DEADLINE_EXCEEDED);
	fake_session(&n.nva1, "rs-0", true, "");
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs-0 nva1 up", 20000), FAB_RPC_OK);
	four_fini(&n);
	fixture_fini(&fx);
}

struct answer {
	bool there;
	enum fab_rpc_status status;
};

static void
note_answer(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct answer *a = ctx;

	(void)message;
	(void)reply;
	a->there = true;
	a->status = status;
}

static uint64_t
wait_later(struct fixture *fx, const char *expr, struct answer *a)
{
	Fab__V1__WaitRequest req = FAB__V1__WAIT_REQUEST__INIT;

	*a = (struct answer){ 0 };
	req.expression = (char *)(uintptr_t)expr;
	req.timeout_ms = 20000;
	return fab_rpc_call(fx->client, &fab__v1__fabric__descriptor, "Wait", &req.base, 25000,
	    20000, note_answer, a);
}

static void
test_waiters_hang_up_or_see_it_come(void)
{
	struct answer effective, learned, given_up, left;
	struct fixture fx;
	struct four n;
	uint64_t id;

	fixture_init(&fx, SMALL, false);
	four_init(&n, &fx);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20000), FAB_RPC_OK);
	wait_later(&fx, "effective vm1 0.0.0.0/0 via 10.1.2.4", &effective);
	wait_later(&fx, "learned rs nva1 0.0.0.0/0", &learned);
	wait_later(&fx, "node nva1 down", &left);
	id = wait_later(&fx, "node nva2 down", &given_up);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "node rs up", 20000), FAB_RPC_OK); /* all are in place */
	fab_rpc_cancel(fx.client, id);
	AWAIT(fx.loop, given_up.there && given_up.status == FAB_RPC_CANCELLED);
	CU_ASSERT_FALSE(effective.there || learned.there);

	n.rs0.learned[n.rs0.n_learned++] = default_nva1;
	n.rs1.learned[n.rs1.n_learned++] = default_nva1;
	fake_announce(&n.rs0, default_nva1, 0);
	fake_announce(&n.rs1, default_nva1, 0);
	AWAIT(fx.loop, effective.there && learned.there);
	CU_ASSERT_EQUAL(effective.status, FAB_RPC_OK);
	CU_ASSERT_EQUAL(learned.status, FAB_RPC_OK);
	CU_ASSERT_FALSE(left.there);
	four_fini(&n);
	fab_rpc_client_free(fx.client); /* with a wait under way */
	fx.client = NULL;
	CU_ASSERT_TRUE(left.there);
	fixture_fini(&fx);
}

/* ---- links ---- */

static enum fab_rpc_status
set_link(struct fixture *fx, const char *a, const char *b, bool cut, bool one_way)
{
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;

	req.a = (char *)(uintptr_t)a;
	req.b = (char *)(uintptr_t)b;
	req.cut = cut;
	req.restore = !cut;
	req.one_way = one_way;
	reply = fixture_call(fx, "Link", &req.base, &status);
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	return status;
}

static bool
cut_is(const struct fake *k, const char *peer, bool in, bool out)
{
	const struct wire_peer *p = fake_peer(k, peer);

	return p != NULL && p->cut_in == in && p->cut_out == out;
}

static void
test_links_are_cut_at_both_ends(void)
{
	struct fixture fx;
	struct four n;

	fixture_init(&fx, SMALL, false);
	four_init(&n, &fx);
	CU_ASSERT_EQUAL(set_link(&fx, "rs", "nva1", true, false), FAB_RPC_OK);
	/* The answer comes when both ends have confirmed. */
	CU_ASSERT_EQUAL(n.rs0.faults, 1);
	CU_ASSERT_EQUAL(n.rs1.faults, 1);
	CU_ASSERT_EQUAL(n.nva1.faults, 2);
	CU_ASSERT_EQUAL(n.nva2.faults, 0);
	CU_ASSERT_TRUE(n.nva1.fault.cut_in && n.nva1.fault.cut_out);
	AWAIT(fx.loop, cut_is(&n.rs0, "nva1", true, true) && cut_is(&n.nva1, "rs-1", true, true));
	CU_ASSERT_TRUE(cut_is(&n.rs0, "nva2", false, false));
	CU_ASSERT_EQUAL(n.nva2.configs, 1);

	/* One direction again: what nva1 sends arrives, what the Route Server sends does not. */
	CU_ASSERT_EQUAL(set_link(&fx, "nva1", "rs", false, true), FAB_RPC_OK);
	AWAIT(fx.loop, cut_is(&n.rs0, "nva1", false, true) && cut_is(&n.nva1, "rs-0", true, false));

	/* The cut outlives the process. */
	fake_fini(&n.nva1);
	fake_init(&n.nva1, &fx, "nva1", NULL);
	AWAIT(fx.loop, n.nva1.configs > 0);
	CU_ASSERT_TRUE(cut_is(&n.nva1, "rs-0", true, false));
	CU_ASSERT_EQUAL(set_link(&fx, "rs-0", "nva1", false, false), FAB_RPC_OK);
	AWAIT(fx.loop, cut_is(&n.nva1, "rs-0", false, false));
	CU_ASSERT_TRUE(cut_is(&n.nva1, "rs-1", true, false));
	CU_ASSERT_EQUAL(set_link(&fx, "nva1", "nva2", true, false), FAB_RPC_NOT_FOUND);
	four_fini(&n);
	fixture_fini(&fx);
}

/* Its NIC takes all of its sessions along. */
static void
test_a_nic_that_is_cut_cuts_its_sessions(void)
{
	struct fixture fx;
	struct four n;

	fixture_init(&fx, SMALL, false);
	four_init(&n, &fx);
	CU_ASSERT_EQUAL(set_link(&fx, "nva1", "", true, false), FAB_RPC_OK);
	CU_ASSERT_EQUAL(n.rs0.faults, 1);
	CU_ASSERT_EQUAL(n.rs1.faults, 1);
	CU_ASSERT_EQUAL(n.nva1.faults, 2);
	CU_ASSERT_EQUAL(n.nva2.faults, 0);
	AWAIT(fx.loop, cut_is(&n.rs0, "nva1", true, true) && cut_is(&n.nva1, "rs-1", true, true));
	/* A session that was cut by itself stays so. */
	CU_ASSERT_EQUAL(set_link(&fx, "nva1", "rs-0", true, false), FAB_RPC_OK);
	CU_ASSERT_EQUAL(n.rs0.faults, 1);
	CU_ASSERT_EQUAL(set_link(&fx, "nva1", "", false, false), FAB_RPC_OK);
	AWAIT(fx.loop, cut_is(&n.rs1, "nva1", false, false));
	CU_ASSERT_TRUE(cut_is(&n.rs0, "nva1", true, true));
	CU_ASSERT_EQUAL(set_link(&fx, "nobody", "", true, false), FAB_RPC_NOT_FOUND);
	four_fini(&n);
	fixture_fini(&fx);
}

/* ---- delay and loss ---- */

static enum fab_rpc_status
shape_link(struct fixture *fx, const char *a, Fab__V1__LinkField field, uint32_t value)
{
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;

	req.a = (char *)(uintptr_t)a;
	req.set = true;
	req.fields = &field;
	req.n_fields = 1;
	req.delay_us = req.jitter_us = req.loss_ppm = value;
	req.rate = value;
	reply = fixture_call(fx, "Link", &req.base, &status);
	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	return status;
}

/* "nva1 <-> : 1 2 3 4" */
static void
expect_listed(struct fixture *fx, const char *a, const char *want)
{
	Fab__V1__LinkQuery req = FAB__V1__LINK_QUERY__INIT;
	enum fab_rpc_status status;
	Fab__V1__LinkList *list;
	char text[512] = "";

	req.a = (char *)(uintptr_t)a;
	list = (Fab__V1__LinkList *)fixture_call(fx, "Links", &req.base, &status);
	CU_ASSERT_PTR_NOT_NULL_FATAL(list);
	for (size_t i = 0; i < list->n_value; i++) {
		const Fab__V1__LinkInfo *l = list->value[i];

		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%s %s %s %s:%s %u %u %u %u;", l->kind, l->a, l->one_way ? "->" : "<->", l->b,
		    l->cut ? " cut" : "", l->delay_us, l->jitter_us, l->loss_ppm,
		    (unsigned)l->rate);
	}
	CU_ASSERT_STRING_EQUAL(text, want);
	protobuf_c_message_free_unpacked(&list->base, NULL);
}

static void
test_links_are_set_field_by_field(void)
{
	struct fixture fx;

	fixture_init(&fx, SMALL, true);
	expect_listed(&fx, "", "");
	expect_listed(&fx, "nva1", "nic nva1 <-> : 0 0 0 0;");
	CU_ASSERT_EQUAL(shape_link(&fx, "nva1", FAB__V1__LINK_FIELD__LINK_DELAY, 7), FAB_RPC_OK);
	CU_ASSERT_EQUAL(shape_link(&fx, "nva1", FAB__V1__LINK_FIELD__LINK_LOSS, 8), FAB_RPC_OK);
	CU_ASSERT_EQUAL(set_link(&fx, "nva1", "", true, true), FAB_RPC_OK);
	expect_listed(&fx, "", "nic  -> nva1: 7 0 8 0;nic nva1 -> : cut 7 0 8 0;");
	fixture_kill_fabric(&fx);
	fixture_start_fabric(&fx);
	expect_listed(&fx, "", "nic  -> nva1: 7 0 8 0;nic nva1 -> : cut 7 0 8 0;");
	CU_ASSERT_EQUAL(set_link(&fx, "nva1", "", false, true), FAB_RPC_OK);
	CU_ASSERT_EQUAL(shape_link(&fx, "nva1", FAB__V1__LINK_FIELD__LINK_DELAY, 0), FAB_RPC_OK);
	expect_listed(&fx, "", "nic nva1 <-> : 0 0 8 0;");
	CU_ASSERT_EQUAL(shape_link(&fx, "nva1", FAB__V1__LINK_FIELD__LINK_LOSS, 0), FAB_RPC_OK);
	expect_listed(&fx, "", "");
	CU_ASSERT_EQUAL(shape_link(&fx, "nva1", FAB__V1__LINK_FIELD__LINK_LOSS, 1000001),
	    FAB_RPC_INVALID_ARGUMENT);
	fixture_fini(&fx);
}

/* "vm1: > nva1 7; nva1: nva1 > cut" */
static void
expect_crossed(
    struct fixture *fx, const char *src, const char *dst, const char *want, const char *reason)
{
	Fab__V1__TraceRequest req = FAB__V1__TRACE_REQUEST__INIT;
	enum fab_rpc_status status;
	Fab__V1__TraceReply *r;
	char text[512] = "";

	req.src = (char *)(uintptr_t)src;
	req.dst = (char *)(uintptr_t)dst;
	r = (Fab__V1__TraceReply *)fixture_call(fx, "Trace", &req.base, &status);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	for (size_t i = 0; i < r->n_hops; i++)
		for (size_t k = 0; k < r->hops[i]->n_links; k++) {
			const Fab__V1__LinkInfo *l = r->hops[i]->links[k];

			CU_ASSERT_TRUE(l->one_way);
			snprintf(text + strlen(text), sizeof(text) - strlen(text),
			    "%s: %s %s>%s%s %u;", r->hops[i]->node, l->kind, l->a, l->b,
			    l->cut ? " cut" : "", l->delay_us);
		}
	CU_ASSERT_STRING_EQUAL(text, want);
	CU_ASSERT_STRING_EQUAL(r->reason, reason);
	fab__v1__trace_reply__free_unpacked(r, NULL);
}

#define FAR                                                                                        \
	"timing: {profile: fast}\n"                                                                \
	"regions: {delay: 9ms}\n"                                                                  \
	"vnets:\n"                                                                                 \
	"  hub: {region: r, address_space: [10.1.0.0/16], subnets: {nva: 10.1.2.0/24, "            \
	"GatewaySubnet: 10.1.1.0/26, vms: {prefix: 10.1.3.0/24, route_table: rt}}}\n"              \
	"  far: {region: s, address_space: [10.2.0.0/16], subnets: {vms: 10.2.0.0/24}}\n"          \
	"peerings: [{between: [hub, far]}]\n"                                                      \
	"route_tables: {rt: {routes: {far: {prefix: 10.2.0.0/16, next_hop: VirtualAppliance "      \
	"10.1.2.100}}}}\n"                                                                         \
	"gateways: {er1: {vnet: hub, type: ExpressRoute, circuits: [c1]}}\n"                       \
	"circuits: {c1: {site: dc}}\n"                                                             \
	"sites: {dc: {asn: 64900, prefixes: [172.20.0.0/16]}}\n"                                   \
	"vms:\n"                                                                                   \
	"  vm1: {subnet: hub/vms, ip: 10.1.3.4}\n"                                                 \
	"  fw: {subnet: hub/nva, ip: 10.1.2.4, ip_forwarding: true}\n"                             \
	"  vm2: {subnet: far/vms, ip: 10.2.0.4}\n"                                                 \
	"load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.100, backends: fw}}\n"

static void
test_trace_names_links(void)
{
	struct fixture fx;

	fixture_init(&fx, FAR, false);
	expect_crossed(&fx, "vm1", "vm2", "fw: regions r>s 9000;", "");
	CU_ASSERT_EQUAL(shape_link(&fx, "fw", FAB__V1__LINK_FIELD__LINK_DELAY, 7), FAB_RPC_OK);
	expect_crossed(&fx, "vm1", "vm2", "vm1: nic >fw 7;fw: nic fw> 7;fw: regions r>s 9000;", "");
	/* A cut one ends the way; the reason says which. */
	CU_ASSERT_EQUAL(set_link(&fx, "vm2", "", true, false), FAB_RPC_OK);
	expect_crossed(&fx, "vm1", "vm2", "vm1: nic >fw 7;", "the link from fw to vm2 is cut");
	expect_crossed(&fx, "vm2", "vm1", "", "the link from vm2 to vm1 is cut");
	fixture_fini(&fx);
}

/* ER-19: out of the NIC straight to the MSEE, by what both instances' paths have in common. */
static void
test_trace_names_links_to_msees(void)
{
	struct fc_crossed c[FC_CROSSED_MAX];
	struct fc_trace tr = { .n_hops = 2,
		.hops = { { .place = FC_AT_NIC, .node = "vm1" },
		    { .place = FC_AT_MSEE, .node = "c1-primary" } } };
	struct fixture fx;

	fixture_init(&fx, FAR, false);
	tr.hops[0].index = topo_find_nic(fx.f->topo, "vm1");
	CU_ASSERT_EQUAL(set_link(&fx, "er1-0", "c1-primary", true, false), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fc_trace_crossed(fx.f->links, fx.f->topo, &tr, 0, c), 0);
	CU_ASSERT_EQUAL(set_link(&fx, "er1-1", "c1-primary", true, false), FAB_RPC_OK);
	CU_ASSERT_EQUAL_FATAL(fc_trace_crossed(fx.f->links, fx.f->topo, &tr, 0, c), 1);
	CU_ASSERT_TRUE(c[0].kind == FC_LINK_NODES && c[0].state.cut);
	CU_ASSERT_STRING_EQUAL(c[0].from, "er1");
	CU_ASSERT_STRING_EQUAL(c[0].to, "c1-primary");
	CU_ASSERT_EQUAL(fc_trace_crossed(fx.f->links, fx.f->topo, &tr, 1, c), 0);
	fixture_fini(&fx);
}

static void
test_links_of_absent_nodes_are_cut_when_they_come(void)
{
	struct fixture fx;
	struct fake nva1;

	fixture_init(&fx, SMALL, true);
	CU_ASSERT_EQUAL(set_link(&fx, "rs-0", "nva1", true, false), FAB_RPC_OK);
	fixture_kill_fabric(&fx); /* the cut outlives fabricd */
	fixture_start_fabric(&fx);
	fake_init(&nva1, &fx, "nva1", NULL);
	AWAIT(fx.loop, nva1.configs == 1);
	CU_ASSERT_TRUE(cut_is(&nva1, "rs-0", true, true));
	CU_ASSERT_TRUE(cut_is(&nva1, "rs-1", false, false));
	/* Who leaves the topology takes its cuts along. */
	fixture_apply(&fx, SMALL_NET(""));
	fixture_apply(&fx, SMALL);
	AWAIT(fx.loop, fake_peer(&nva1, "rs-0") != NULL && cut_is(&nva1, "rs-0", false, false));
	fake_fini(&nva1);
	fixture_fini(&fx);
}

/* ---- listings ---- */

static Fab__V1__InstanceRoutes *
list(struct fixture *fx, const char *method, const char *resource, const char *peer,
    enum fab_rpc_status *status)
{
	Fab__V1__PeerRequest req = FAB__V1__PEER_REQUEST__INIT;

	req.resource = (char *)(uintptr_t)resource;
	req.peer = (char *)(uintptr_t)peer;
	return (Fab__V1__InstanceRoutes *)fixture_call(fx, method, &req.base, status);
}

/* RS-110, RS-113: one list per instance; one that is gone gives an empty list. */
static void
test_listings_ask_both_instances(void)
{
	enum fab_rpc_status status;
	Fab__V1__InstanceRoutes *r;
	struct fixture fx;
	struct four n;

	fixture_init(&fx, SMALL, false);
	four_init(&n, &fx);
	n.rs0.learned[n.rs0.n_learned++] = default_nva1;
	n.rs1.learned[n.rs1.n_learned++] = default_nva1;
	r = list(&fx, "RoutesLearned", "rs", "nva1", &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	CU_ASSERT_EQUAL_FATAL(r->n_instances, 2);
	for (size_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(r->instances[i]->index, i);
		CU_ASSERT_TRUE(r->instances[i]->reachable);
		CU_ASSERT_EQUAL_FATAL(r->instances[i]->n_routes, 1);
		CU_ASSERT_EQUAL(r->instances[i]->routes[0]->len, 0);
	}
	fab__v1__instance_routes__free_unpacked(r, NULL);

	fake_fini(&n.rs1);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "node rs-1 down", 20000), FAB_RPC_OK);
	r = list(&fx, "RoutesAdvertised", "rs", "10.1.2.4", &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	CU_ASSERT_EQUAL_FATAL(r->n_instances, 2);
	CU_ASSERT_EQUAL(r->instances[0]->n_routes, 1);
	CU_ASSERT_FALSE(r->instances[1]->reachable);
	CU_ASSERT_EQUAL(r->instances[1]->n_routes, 0);
	CU_ASSERT_STRING_EQUAL(r->instances[1]->instance, "rs-1");
	fab__v1__instance_routes__free_unpacked(r, NULL);
	fake_fini(&n.rs0);
	fake_fini(&n.nva1);
	fake_fini(&n.nva2);
	fixture_fini(&fx);
}

static void
test_listings_of_what_is_not_there(void)
{
	static const struct {
		const char *method, *resource, *peer;
		enum fab_rpc_status status;
		const char *why;
	} rows[] = {
		{ "RoutesLearned", "rs9", "nva1", FAB_RPC_NOT_FOUND, "no Route Server 'rs9'" },
		{ "RoutesLearned", "rs", "nva9", FAB_RPC_NOT_FOUND, "with a peer 'nva9'" },
		{ "RoutesLearned", "rs", "10.1.2.99", FAB_RPC_NOT_FOUND,
		    "with a peer '10.1.2.99'" },
		{ "RoutesLearned", "nva1", "rs-0", FAB_RPC_NOT_FOUND, "no Route Server 'nva1'" },
		{ "GatewayLearned", "rs", "", FAB_RPC_NOT_FOUND, "no gateway 'rs'" },
		{ "GatewayPeers", "gw", "", FAB_RPC_NOT_FOUND, "no gateway 'gw'" },
		{ "CircuitRoutes", "c1", "", FAB_RPC_NOT_FOUND, "no circuit 'c1'" },
		{ "CircuitRoutes", "c1", "third", FAB_RPC_INVALID_ARGUMENT,
		    "'third' is neither primary nor secondary" },
		{ "RouterRoutes", "rs", "", FAB_RPC_NOT_FOUND, "no NVA or site 'rs'" },
		{ "RouterRoutes", "fw", "", FAB_RPC_FAILED_PRECONDITION, "runs other software" },
	};
	struct fixture fx;

	fixture_init(&fx, WITH_FOREIGN, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum fab_rpc_status status;

		CU_ASSERT_PTR_NULL(
		    list(&fx, rows[i].method, rows[i].resource, rows[i].peer, &status));
		CU_ASSERT_EQUAL(status, rows[i].status);
		CU_ASSERT_TRUE(why_is(&fx, rows[i].why));
	}
	fixture_fini(&fx);
}

/* ---- processes ---- */

static void
test_processes(void)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	const struct fake said = { .up = { "nva1", "fw" }, .n_up = 2, .converged = true };
	enum fab_rpc_status status;
	Fab__V1__NodeList *l;
	struct fixture fx;
	struct fake rs0;

	fixture_init(&fx, WITH_TWO_FOREIGN, false);
	fake_init(&rs0, &fx, "rs-0", &said);
	AWAIT(fx.loop, rs0.configs == 1);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "session rs-0 fw up", 20000), FAB_RPC_OK);
	l = (Fab__V1__NodeList *)fixture_call(&fx, "Ps", &req.base, &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	CU_ASSERT_EQUAL_FATAL(l->n_nodes, 6);
	CU_ASSERT_STRING_EQUAL(l->nodes[0]->name, "fabricd");
	CU_ASSERT_EQUAL(l->nodes[0]->pid, getpid());
	for (size_t i = 1; i < l->n_nodes; i++) {
		const Fab__V1__NodeInfo *k = l->nodes[i];

		if (strcmp(k->name, "rs-0") == 0) {
			CU_ASSERT_STRING_EQUAL(k->kind, "route_server");
			CU_ASSERT_STRING_EQUAL(k->state, "running");
			CU_ASSERT_EQUAL(k->pid, 4711);
			CU_ASSERT_EQUAL(k->sessions, 2);
			CU_ASSERT_EQUAL(k->sessions_up, 2);
			CU_ASSERT_TRUE(k->converged);
			CU_ASSERT_STRING_EQUAL(k->endpoints[0], rs0.url);
		} else if (strcmp(k->name, "fw") == 0) {
			CU_ASSERT_STRING_EQUAL(k->state, "foreign");
			CU_ASSERT_EQUAL(k->sessions, 2); /* as the Route Server sees them */
			CU_ASSERT_EQUAL(k->sessions_up, 1);
			CU_ASSERT_FALSE(k->converged);
			CU_ASSERT_EQUAL_FATAL(k->n_run, 2);
			CU_ASSERT_STRING_EQUAL(k->run[0], "bird");
		} else if (strcmp(k->name, "lb") == 0) {
			CU_ASSERT_EQUAL(k->sessions, 0); /* nobody of ours sees that with fw */
			CU_ASSERT_TRUE(k->converged);
		} else {
			CU_ASSERT_STRING_EQUAL(k->state, "never seen");
			CU_ASSERT_EQUAL(k->sessions_up, 0);
		}
	}
	fab__v1__node_list__free_unpacked(l, NULL);
	fake_fini(&rs0);
	fixture_fini(&fx);
}

/* ---- resources and routes ---- */

static void
test_requests_about_nothing(void)
{
	Fab__V1__ResourceRef ref = FAB__V1__RESOURCE_REF__INIT;
	Fab__V1__NicRequest nic = FAB__V1__NIC_REQUEST__INIT;
	Fab__V1__NicAddressRequest hop = FAB__V1__NIC_ADDRESS_REQUEST__INIT;
	Fab__V1__NicPrefixRequest explain = FAB__V1__NIC_PREFIX_REQUEST__INIT;
	Fab__V1__TraceRequest trace = FAB__V1__TRACE_REQUEST__INIT;
	Fab__V1__TimelineRequest timeline = FAB__V1__TIMELINE_REQUEST__INIT;
	Fab__V1__LinkRequest link = FAB__V1__LINK_REQUEST__INIT;
	const struct {
		const char *method;
		const ProtobufCMessage *req;
		enum fab_rpc_status status;
		const char *why;
	} rows[] = {
		{ "Get", &ref.base, FAB_RPC_INVALID_ARGUMENT, "UnknownKind: 'spoon' is not" },
		{ "Delete", &ref.base, FAB_RPC_INVALID_ARGUMENT, "UnknownKind: 'spoon' is not" },
		{ "RoutesEffective", &nic.base, FAB_RPC_NOT_FOUND, "no NIC 'vm9'" },
		{ "NextHop", &hop.base, FAB_RPC_INVALID_ARGUMENT, "'here' is not an address" },
		{ "Explain", &explain.base, FAB_RPC_INVALID_ARGUMENT, "'1.2.3' is neither" },
		{ "Trace", &trace.base, FAB_RPC_NOT_FOUND, "no endpoint 'vm9'" },
		{ "Timeline", &timeline.base, FAB_RPC_NOT_FOUND, "there is no such change" },
		{ "Link", &link.base, FAB_RPC_INVALID_ARGUMENT,
		    "either cut, restored, set or cleared" },
		{ "Nonsense", &link.base, FAB_RPC_UNIMPLEMENTED, "" },
	};
	struct fixture fx;

	ref.kind = (char *)(uintptr_t) "spoon";
	nic.nic = trace.src = (char *)(uintptr_t) "vm9";
	trace.dst = hop.nic = explain.nic = (char *)(uintptr_t) "vm1";
	hop.address = (char *)(uintptr_t) "here";
	explain.prefix = (char *)(uintptr_t) "1.2.3";
	timeline.back = 9;
	fixture_init(&fx, SMALL, false);
	for (size_t i = 0; i + 1 < sizeof(rows) / sizeof(rows[0]); i++) {
		enum fab_rpc_status status;
		ProtobufCMessage *reply = fixture_call(&fx, rows[i].method, rows[i].req, &status);

		CU_ASSERT_PTR_NULL(reply);
		CU_ASSERT_EQUAL(status, rows[i].status);
		CU_ASSERT_TRUE(why_is(&fx, rows[i].why));
	}
	fixture_fini(&fx);
}

/* EFF-18, ERR-6. */
static void
test_a_vm_that_does_not_run_has_no_table(void)
{
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	enum fab_rpc_status status;
	struct fixture fx;

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_EQUAL(fixture_set(&fx, "vm", "vm1", "running=false"), FAB_RPC_OK);
	req.nic = (char *)(uintptr_t) "vm1";
	CU_ASSERT_PTR_NULL(fixture_call(&fx, "RoutesEffective", &req.base, &status));
	CU_ASSERT_EQUAL(status, FAB_RPC_INVALID_ARGUMENT);
	CU_ASSERT_TRUE(why_is(&fx, "NicMustBeAttachedToRunningVmToGetEffectiveRoutes: "));
	CU_ASSERT_EQUAL(fixture_wait(&fx, "no effective vm1 0.0.0.0/0", 0), FAB_RPC_OK);
	fixture_fini(&fx);
}

/* ---- events ---- */

struct reader {
	uint64_t last;
	unsigned n;
	bool complete, ended;
};

static void
read_event(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__Event *e = (const Fab__V1__Event *)item;
	struct reader *r = ctx;

	if (e != NULL) {
		CU_ASSERT_EQUAL(e->seq, r->last + 1);
		r->last = e->seq;
		r->n++;
	}
	r->complete |= info->snapshot_end;
}

static void
read_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct reader *r = ctx;

	(void)message;
	r->ended = status == FAB_RPC_OK;
}

static void
test_events_are_streamed(void)
{
	static const struct fab_rpc_sub_ops ops = { read_event, read_ended };
	Fab__V1__EventsRequest req = FAB__V1__EVENTS_REQUEST__INIT;
	struct reader log = { 0 }, follower = { .last = 3 };
	struct fab_rpc_sub *a, *b;
	struct fixture fx;

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_subscribe(&a, fx.client, &fab__v1__fabric__descriptor,
				  "Events", &req.base, &ops, &log),
	    FAB_OK);
	req.follow = true;
	req.since = 3;
	CU_ASSERT_EQUAL_FATAL(fab_rpc_subscribe(&b, fx.client, &fab__v1__fabric__descriptor,
				  "Events", &req.base, &ops, &follower),
	    FAB_OK);
	AWAIT(fx.loop, log.ended && follower.complete);
	fab_rpc_sub_free(a);
	CU_ASSERT_EQUAL(log.n, fc_events_last(fx.f->events));
	CU_ASSERT_EQUAL(follower.n, log.n - 3);
	CU_ASSERT_EQUAL(fixture_set(&fx, "vm", "vm1", "ip=10.11.0.9"), FAB_RPC_OK);
	AWAIT(fx.loop, follower.n == log.n - 3 + 1);
	CU_ASSERT_FALSE(follower.ended);
	fab_rpc_sub_free(b);
	fixture_fini(&fx);
}

static CU_TestInfo tests[] = {
	{ "converged names what is missing", test_converged_names_what_is_missing },
	{ "converged waits for calm", test_converged_waits_for_calm },
	{ "conditions come true", test_conditions_come_true },
	{ "waiters hang up, or see it come", test_waiters_hang_up_or_see_it_come },
	{ "links are cut at both ends", test_links_are_cut_at_both_ends },
	{ "a NIC that is cut cuts its sessions", test_a_nic_that_is_cut_cuts_its_sessions },
	{ "a trace names links that are cut, slow or lossy", test_trace_names_links },
	{ "ER-19: a trace names links to MSEEs", test_trace_names_links_to_msees },
	{ "links are set field by field", test_links_are_set_field_by_field },
	{ "links of absent nodes are cut when they come",
	    test_links_of_absent_nodes_are_cut_when_they_come },
	{ "RS-110, RS-113: listings ask both instances", test_listings_ask_both_instances },
	{ "listings of what is not there", test_listings_of_what_is_not_there },
	{ "processes", test_processes },
	{ "requests about nothing", test_requests_about_nothing },
	{ "EFF-18, ERR-6: a VM that does not run has no table",
	    test_a_vm_that_does_not_run_has_no_table },
	{ "events are streamed", test_events_are_streamed },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_api", tests)
