/*
 * fabricd with stand-in nodes: configurations out, reports in, and what becomes of them.
 */
#include "fabricd/fc_control.h"
#include "lib/err.h"
#include "tests/unit/fc_fabric.h"

#define FOREIGN                                                                                    \
	SMALL_NET("")                                                                              \
	"nvas: {fw: {subnet: hub/nva, ip: 10.1.2.9, asn: 65003, run: [bird]}}\n"

static const struct fab_rpc_sink_ops *
report_row(void)
{
	for (const struct fab_rpc_handler *row = fc_control_table;; row++)
		if (strcmp(row->method, "Report") == 0)
			return row->sink;
}

static bool
connected(struct fixture *fx, const char *name)
{
	const struct fc_node *n = fc_node_find(fx->f->nodes, name);

	return n != NULL && fc_node_connected(n);
}

static bool
session_up(struct fixture *fx, const char *name, const char *peer)
{
	const struct fc_node *n = fc_node_find(fx->f->nodes, name);
	const struct fc_session *s = n == NULL ? NULL : fc_session_find(n, peer);

	return s != NULL && s->established;
}

static bool
has_event(struct fixture *fx, const char *subject, const char *text)
{
	const struct fc_event *e;

	for (uint64_t seq = 0; (e = fc_events_after(fx->f->events, seq)) != NULL; seq = e->seq)
		if (strcmp(e->subject, subject) == 0 && strstr(e->text, text) != NULL)
			return true;
	return false;
}

/* ---- configurations ---- */

static void
test_a_change_reaches_whom_it_concerns(void)
{
	struct fixture fx;
	struct fake rs, nva1, nva2;
	uint64_t generation;

	fixture_init(&fx, SMALL, false);
	fake_init(&rs, &fx, "rs-0", NULL);
	fake_init(&nva1, &fx, "nva1", NULL);
	fake_init(&nva2, &fx, "nva2", NULL);
	AWAIT(fx.loop, rs.configs == 1 && nva1.configs == 1 && nva2.configs == 1);
	CU_ASSERT_EQUAL(rs.conf->kind, WIRE_ROUTE_SERVER);
	CU_ASSERT_EQUAL(fake_peer(&rs, "nva1")->asn, 65001);
	generation = rs.conf->generation;

	CU_ASSERT_EQUAL(fixture_set(&fx, "nva", "nva1", "asn=65011"), FAB_RPC_OK);
	AWAIT(fx.loop, rs.configs == 2 && nva1.configs == 2);
	CU_ASSERT_EQUAL(fake_peer(&rs, "nva1")->asn, 65011);
	CU_ASSERT_TRUE(rs.conf->generation > generation);
	/* Nobody hears of what no node's configuration shows. */
	CU_ASSERT_EQUAL(fixture_set(&fx, "vm", "vm1", "ip=10.11.0.9"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_set(&fx, "nva", "nva2", "stateful=true"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(fixture_set(&fx, "nva", "nva2", "relay=false"), FAB_RPC_OK);
	AWAIT(fx.loop, nva2.configs == 2);
	CU_ASSERT_EQUAL(rs.configs, 2);
	CU_ASSERT_EQUAL(nva1.configs, 2);
	fake_fini(&rs);
	fake_fini(&nva1);
	fake_fini(&nva2);
	fixture_fini(&fx);
}

static void
test_who_is_not_in_the_topology_waits(void)
{
	struct fixture fx;
	struct fake late, foreign;

	fixture_init(&fx, FOREIGN, false);
	fake_init(&late, &fx, "nva1", NULL);
	fake_init(&foreign, &fx, "fw", NULL);
	AWAIT(fx.loop, late.ended == FAB_RPC_NOT_FOUND);
	AWAIT(fx.loop, foreign.ended == FAB_RPC_FAILED_PRECONDITION);
	CU_ASSERT_EQUAL(late.configs, 0);
	fixture_apply(&fx, SMALL);
	AWAIT(fx.loop, late.configs == 1);
	CU_ASSERT_TRUE(connected(&fx, "nva1"));
	fake_fini(&foreign);
	fake_fini(&late);
	fixture_fini(&fx);
}

/* RS-98: who leaves the topology is told to close its sessions. */
static void
test_a_node_that_leaves_gets_a_configuration_without_peers(void)
{
	struct fixture fx;
	struct fake nva1;

	fixture_init(&fx, SMALL, false);
	fake_init(&nva1, &fx, "nva1", NULL);
	AWAIT(fx.loop, nva1.configs == 1);
	CU_ASSERT_EQUAL(nva1.conf->n_peers, 2);
	fixture_apply(&fx, SMALL_NET(""));
	AWAIT(fx.loop, nva1.configs == 2 && nva1.ended == FAB_RPC_NOT_FOUND);
	CU_ASSERT_EQUAL(nva1.conf->n_peers, 0);
	fixture_apply(&fx, SMALL);
	AWAIT(fx.loop, nva1.configs == 3);
	CU_ASSERT_EQUAL(nva1.conf->n_peers, 2);
	fake_fini(&nva1);
	AWAIT(fx.loop, !connected(&fx, "nva1"));
	fixture_fini(&fx);
}

static void
test_the_process_that_started_last_has_the_name(void)
{
	struct fixture fx;
	struct fake older = { .started_us = 1000 }, newer = { .started_us = 2000 }, first, second;

	fixture_init(&fx, SMALL, false);
	fake_init(&first, &fx, "nva1", &older);
	AWAIT(fx.loop, first.configs == 1);
	/* The stand-ins share a socket name; the second one takes it over, as a restart does. */
	fab_rpc_server_free(first.server);
	first.server = NULL;
	fake_init(&second, &fx, "nva1", &newer);
	AWAIT(fx.loop, second.configs == 1 && first.ended == FAB_RPC_ALREADY_EXISTS);
	fake_session(&first, "rs-0", true, "");
	fake_session(&second, "rs-1", true, "");
	AWAIT(fx.loop, session_up(&fx, "nva1", "rs-1"));
	CU_ASSERT_FALSE(session_up(&fx, "nva1", "rs-0"));
	fake_fini(&first);
	CU_ASSERT_EQUAL(fixture_set(&fx, "nva", "nva1", "relay=false"), FAB_RPC_OK);
	AWAIT(fx.loop, second.configs == 2);
	CU_ASSERT_TRUE(connected(&fx, "nva1"));
	fake_fini(&second);
	fixture_fini(&fx);
}

/* ---- reports ---- */

/* RS-62, RS-65: what the instances report is what the NICs have. */
static void
test_routes_become_effective_and_go(void)
{
	struct fixture fx;
	struct fake rs[2];

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "Internet");
	fake_route_servers(&fx, rs);
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "nva2", "0.0.0.0/0"), "10.1.2.4");
	for (int i = 0; i < 2; i++)
		fake_announce(&rs[i], default_nva2, 0); /* replaces */
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.5") == 0);
	for (int i = 0; i < 2; i++)
		fake_withdraw(&rs[i], "0.0.0.0/0", 0);
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "Internet") == 0);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static Fab__V1__TimelineReply *
timeline(struct fixture *fx)
{
	Fab__V1__TimelineRequest req = FAB__V1__TIMELINE_REQUEST__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply = fixture_call(fx, "Timeline", &req.base, &status);

	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	return (Fab__V1__TimelineReply *)reply;
}

/* RS-90: the whole way of a loss, stage by stage. */
static void
test_a_loss_is_a_timeline(void)
{
	static const char *const want[] = { "fault", "detect", "withdraw", "best-path", "layer" };
	Fab__V1__FaultNote note = FAB__V1__FAULT_NOTE__INIT;
	Fab__V1__TimelineReply *t;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;
	struct fixture fx;
	struct fake rs[2];
	uint64_t now;

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	now = fab_wall_us();
	note.action = (char *)(uintptr_t) "kill";
	note.node = (char *)(uintptr_t) "nva1";
	note.at_us = now;
	reply = fixture_call(&fx, "NoteFault", &note.base, &status);
	CU_ASSERT_EQUAL(status, FAB_RPC_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
	fake_session(&rs[0], "nva1", false, "connection closed");
	fake_withdraw(&rs[0], "0.0.0.0/0", now + 100);
	fake_withdraw(&rs[1], "0.0.0.0/0", now + 150);
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "Internet") == 0);

	t = timeline(&fx);
	CU_ASSERT_STRING_EQUAL(t->cause, "kill nva1");
	CU_ASSERT_STRING_EQUAL(t->timing, fx.f->topo->timing.profile);
	CU_ASSERT_EQUAL(t->start_us, now);
	for (size_t w = 0; w < sizeof(want) / sizeof(want[0]); w++) {
		size_t n = 0;

		for (size_t i = 0; i < t->n_stages; i++)
			n += strcmp(t->stages[i]->stage, want[w]) == 0;
		CU_ASSERT_EQUAL(n, w == 0 ? 1 : 2); /* one of each instance */
	}
	CU_ASSERT_STRING_EQUAL(t->stages[t->n_stages - 1]->stage, "layer");
	CU_ASSERT_EQUAL(t->stages[t->n_stages - 1]->routes, 1);
	CU_ASSERT_EQUAL(t->total_us, t->stages[t->n_stages - 1]->offset_us);
	CU_ASSERT_TRUE(has_event(&fx, "rs-0", "entries changed: peer nva1: connection closed"));
	CU_ASSERT_TRUE(has_event(&fx, "nva1", "kill nva1"));
	fab__v1__timeline_reply__free_unpacked(t, NULL);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static void
test_sessions_follow_the_reports(void)
{
	struct fixture fx;
	struct fake rs, said = { .up = { "nva1", "nva2" }, .n_up = 2 };

	fixture_init(&fx, SMALL, false);
	fake_init(&rs, &fx, "rs-0", &said);
	AWAIT(fx.loop, session_up(&fx, "rs-0", "nva1") && session_up(&fx, "rs-0", "nva2"));
	fake_session(&rs, "nva2", false, "hold timer expired");
	AWAIT(fx.loop, !session_up(&fx, "rs-0", "nva2"));
	CU_ASSERT_TRUE(session_up(&fx, "rs-0", "nva1"));
	CU_ASSERT_TRUE(has_event(&fx, "rs-0", "session nva2 down: hold timer expired"));
	/* What a new snapshot does not repeat is gone. */
	rs.n_up = 0;
	fixture_kill_fabric(&fx);
	fixture_start_fabric(&fx);
	fixture_apply(&fx, SMALL);
	AWAIT(fx.loop, connected(&fx, "rs-0"));
	CU_ASSERT_FALSE(session_up(&fx, "rs-0", "nva1"));
	fake_fini(&rs);
	AWAIT(fx.loop, !connected(&fx, "rs-0"));
	CU_ASSERT_TRUE(has_event(&fx, "rs-0", "lost"));
	CU_ASSERT_STRING_EQUAL(fc_node_state(fc_node_find(fx.f->nodes, "rs-0")), "lost");
	fixture_fini(&fx);
}

/* RS-93: an instance dies, the other one serves all NICs; RS-95: both gone, the routes stay. */
static void
test_instances_stand_in_for_each_other(void)
{
	struct fixture fx;
	struct fake rs[2];

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	fake_announce(&rs[1], default_nva2, 0); /* the instances differ, RS-66 */
	fake_fini(&rs[0]);
	AWAIT(fx.loop, !connected(&fx, "rs-0"));
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.5") == 0);
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "nva1", "0.0.0.0/0"), "10.1.2.5");
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "nva2", "0.0.0.0/0"), "10.1.2.5");
	fake_fini(&rs[1]);
	AWAIT(fx.loop, !connected(&fx, "rs-1"));
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.5");
	fixture_fini(&fx);
}

/* RS-66: an instance that never gets all its sessions takes its NICs all the same after a while. */
static void
test_an_instance_does_not_wait_for_ever(void)
{
	struct fixture fx;
	struct fake rs[2];

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_EQUAL(fixture_set(&fx, "fabric", "fabric", "timing.bgp.hold=0s"), FAB_RPC_OK);
	CU_ASSERT_EQUAL(
	    fixture_set(&fx, "fabric", "fabric", "timing.bgp.connect_retry=100ms"), FAB_RPC_OK);
	fake_init(&rs[0], &fx, "rs-0", NULL);
	fake_announce(&rs[0], default_nva1, 0);
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.4") == 0);
	fake_init(&rs[1], &fx, "rs-1", NULL);
	fake_announce(&rs[1], default_nva2, 0);
	AWAIT(fx.loop, connected(&fx, "rs-1"));
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.4");
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.5") == 0);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* After a restart of fabricd there are no routes until their reporters are back; then there are. */
static void
test_a_restart_of_fabricd_brings_the_routes_back(void)
{
	struct fixture fx;
	struct fake rs[2];
	unsigned configs;

	fixture_init(&fx, NULL, true);
	fixture_apply(&fx, SMALL);
	fake_route_servers(&fx, rs);
	configs = rs[0].configs;
	fixture_kill_fabric(&fx);
	fixture_start_fabric(&fx);
	CU_ASSERT_STRING_EQUAL(fx.f->topo->name, "small"); /* from the store */
	CU_ASSERT_EQUAL(fx.f->revision, 1);
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "nva1", "10.1.0.0/16"), "VnetLocal");
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.4") == 0);
	AWAIT(fx.loop, rs[0].configs > configs);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* ---- hostile reports ---- */

static void
put_bad_batch(struct fake *k, unsigned what)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__RouteBatch b = FAB__V1__ROUTE_BATCH__INIT;
	Fab__V1__RouteGroup g = FAB__V1__ROUTE_GROUP__INIT, *groups[1] = { &g };
	uint32_t addr = 0x0a000000, many[2000] = { 0 };
	uint8_t len = 8;

	g.addr = &addr;
	g.n_addr = 1;
	g.len = (ProtobufCBinaryData){ 1, &len };
	b.groups = groups;
	b.n_groups = 1;
	switch (what) {
	case 0:
		g.len.len = 0; /* lists that do not fit each other */
		break;
	case 1:
		len = 33;
		break;
	case 2:
		addr |= 1; /* host bits */
		break;
	case 3:
		g.next_hops = many;
		g.n_next_hops = 65;
		break;
	case 4:
		g.as_path = many;
		g.n_as_path = 1025;
		break;
	default:
		b.withdrawn_addr = &addr;
		b.n_withdrawn_addr = 1;
		break;
	}
	item.body_case = FAB__V1__REPORT_ITEM__BODY_ROUTES;
	item.routes = &b;
	fab_rpc_stream_put(k->report, &item.base);
}

/* A report as it comes in, without a stream: a test says itself what is whole. */
static void
say(struct fixture *fx, void *reporter, int body, void *part, struct fab_rpc_item info)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;

	item.body_case = (Fab__V1__ReportItem__BodyCase)body;
	item.hello = part;
	report_row()->item(fx->f, reporter, &item.base, &info);
}

static void *
say_hello(struct fixture *fx, const char *name)
{
	Fab__V1__ReportHello hello = FAB__V1__REPORT_HELLO__INIT;
	Fab__V1__NodeStatus status = FAB__V1__NODE_STATUS__INIT;
	void *r;

	report_row()->open(fx->f, &r);
	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	hello.name = (char *)(uintptr_t)name;
	say(fx, r, FAB__V1__REPORT_ITEM__BODY_HELLO, &hello,
	    (struct fab_rpc_item){ .snapshot_begin = true, .in_snapshot = true });
	status.generation = fc_node_find(fx->f->nodes, name)->generation;
	status.converged = true;
	say(fx, r, FAB__V1__REPORT_ITEM__BODY_STATUS, &status,
	    (struct fab_rpc_item){ .in_snapshot = true });
	return r;
}

static void
say_all(struct fixture *fx, void *reporter)
{
	report_row()->item(fx->f, reporter, NULL,
	    &(struct fab_rpc_item){ .in_snapshot = true, .snapshot_end = true });
}

/* The switch may have tables when all those that they are made of have told all their routes: Route
 * Server instances and sites; not before because one says that it has converged. */
static void
test_routes_are_known_when_all_have_told_them(void)
{
	struct fixture fx;
	void *rs0, *rs1, *dc1;

	fixture_init(&fx, SMALL "sites: {dc1: {asn: 64900, prefixes: [172.20.0.0/16]}}\n", false);
	CU_ASSERT_FALSE(fc_control_settled(fx.f));
	rs0 = say_hello(&fx, "rs-0");
	rs1 = say_hello(&fx, "rs-1");
	dc1 = say_hello(&fx, "dc1");
	say_all(&fx, dc1);
	say_all(&fx, rs0);
	CU_ASSERT_FALSE(fc_control_settled(fx.f));
	say_all(&fx, rs1);
	CU_ASSERT_TRUE(fc_control_settled(fx.f));
	report_row()->closed(fx.f, dc1);
	CU_ASSERT_FALSE(fc_control_settled(fx.f));
	report_row()->closed(fx.f, rs0);
	report_row()->closed(fx.f, rs1);
	fixture_fini(&fx);
}

static void
test_bad_batches_are_refused_whole(void)
{
	struct fixture fx;
	struct fake rs[2];

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	for (unsigned what = 0; what < 6; what++)
		for (int i = 0; i < 2; i++)
			put_bad_batch(&rs[i], what);
	for (int i = 0; i < 2; i++)
		fake_announce(&rs[i], default_nva2, 0);
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.5") == 0);
	CU_ASSERT_STRING_EQUAL(fixture_effective(&fx, "vm1", "10.0.0.0/8"), "-"); /* SYS-5 */
	CU_ASSERT_TRUE(connected(&fx, "rs-0"));
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static void
test_names_and_numbers_of_nodes_are_limited(void)
{
	struct fixture fx;
	char name[2 * FC_NODE_NAME_MAX], peer[32];
	struct fc_node *n;
	unsigned i;

	fixture_init(&fx, SMALL, false);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	CU_ASSERT_PTR_NULL(fc_node_add(fx.f->nodes, name));
	CU_ASSERT_PTR_NULL(fc_node_add(fx.f->nodes, ""));
	for (i = 0; i < FC_NODE_UNKNOWN_MAX; i++) {
		snprintf(name, sizeof(name), "stranger%u", i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(fc_node_add(fx.f->nodes, name));
	}
	CU_ASSERT_PTR_NULL(fc_node_add(fx.f->nodes, "one-more"));
	CU_ASSERT_PTR_NOT_NULL(fc_node_add(fx.f->nodes, "nva1"));
	fc_node_release(fx.f->nodes, fc_node_find(fx.f->nodes, "stranger0"));
	CU_ASSERT_PTR_NULL(fc_node_find(fx.f->nodes, "stranger0"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(n = fc_node_add(fx.f->nodes, "one-more"));
	for (i = 0; i < FC_NODE_SESSIONS; i++) {
		snprintf(peer, sizeof(peer), "peer%u", i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(fc_session_add(n, peer));
	}
	CU_ASSERT_PTR_NULL(fc_session_add(n, "one-more"));
	CU_ASSERT_PTR_NOT_NULL(fc_session_add(n, "peer0"));
	fixture_fini(&fx);
}

static CU_TestInfo tests[] = {
	{ "a change reaches whom it concerns", test_a_change_reaches_whom_it_concerns },
	{ "who is not in the topology waits", test_who_is_not_in_the_topology_waits },
	{ "RS-98: a node that leaves gets a configuration without peers",
	    test_a_node_that_leaves_gets_a_configuration_without_peers },
	{ "the process that started last has the name",
	    test_the_process_that_started_last_has_the_name },
	{ "RS-62, RS-65: routes become effective and go", test_routes_become_effective_and_go },
	{ "RS-90: a loss is a timeline", test_a_loss_is_a_timeline },
	{ "sessions follow the reports", test_sessions_follow_the_reports },
	{ "RS-93, RS-95: instances stand in for each other",
	    test_instances_stand_in_for_each_other },
	{ "RS-66: an instance does not wait for ever", test_an_instance_does_not_wait_for_ever },
	{ "a restart of fabricd brings the routes back",
	    test_a_restart_of_fabricd_brings_the_routes_back },
	{ "routes are known when all have told them",
	    test_routes_are_known_when_all_have_told_them },
	{ "bad batches are refused whole", test_bad_batches_are_refused_whole },
	{ "names and numbers of nodes are limited", test_names_and_numbers_of_nodes_are_limited },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_control", tests)
