#include "tests/unit/fab_cunit.h"

#include "fabctl/ctl_ps.h"
#include "fabctl/ctl_wire.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* Compares with JSON text and gives up value. */
static void
expect(json_t *got, const char *want)
{
	json_t *w = json_loads(want, 0, NULL);
	char *text;

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	if (!json_equal(got, w)) {
		text = json_dumps(got, JSON_COMPACT);
		printf("\n got  %s\n want %s\n", text, want);
		free(text);
		CU_FAIL("JSON differs");
	}
	json_decref(got);
	json_decref(w);
}

/* A route and lists around it: instance `index` holds it, the other one nothing. */
struct fixture {
	Fab__V1__BgpRoute route, *routes[1];
	Fab__V1__InstanceRouteList list, *lists[1];
	Fab__V1__InstanceRoutes m;
	uint32_t path[4];
};

static void
fixture_init(struct fixture *f, uint32_t index)
{
	*f = (struct fixture){ .route = FAB__V1__BGP_ROUTE__INIT,
		.list = FAB__V1__INSTANCE_ROUTE_LIST__INIT,
		.m = FAB__V1__INSTANCE_ROUTES__INIT };
	f->routes[0] = &f->route;
	f->lists[0] = &f->list;
	f->list.index = index;
	f->list.reachable = true;
	f->list.routes = f->routes;
	f->list.n_routes = 1;
	f->m.instances = f->lists;
	f->m.n_instances = 1;
	f->route.as_path = f->path;
}

static void
fixture_path(struct fixture *f, size_t n, const uint32_t *path)
{
	memcpy(f->path, path, n * sizeof(path[0]));
	f->route.n_as_path = n;
}

static void
test_rs110_learned(void)
{
	static const uint32_t path[] = { 65001, 65001, 65001 };
	struct fixture f;

	fixture_init(&f, 1);
	fixture_path(&f, 3, path);
	f.route.addr = 0;
	f.route.len = 0;
	f.route.next_hop = IP(10, 1, 2, 100); /* third party, as received */
	f.route.peer_address = IP(10, 1, 2, 4);
	f.route.local_address = IP(10, 1, 0, 5);
	expect(ctl_wire_learned(&f.m),
	    "{\"RouteServiceRole_IN_0\":[],\"RouteServiceRole_IN_1\":[{\"localAddress\":\"10.1.0."
	    "5\","
	    "\"network\":\"0.0.0.0/0\",\"nextHop\":\"10.1.2.100\",\"sourcePeer\":\"10.1.2.4\","
	    "\"origin\":\"EBgp\",\"asPath\":\"65001-65001-65001\",\"weight\":32768}]}");
}

/* RS-3: which address an instance has is not fixed, and the answer may have any order. */
static void
test_rs3_instances_have_names(void)
{
	struct fixture a, b;
	Fab__V1__InstanceRouteList *lists[2];
	const json_t *row;
	json_t *v;

	fixture_init(&a, 1);
	a.route.local_address = IP(10, 1, 0, 4);
	fixture_init(&b, 0);
	b.route.local_address = IP(10, 1, 0, 5);
	lists[0] = &a.list;
	lists[1] = &b.list;
	a.m.instances = lists;
	a.m.n_instances = 2;
	v = ctl_wire_learned(&a.m);
	CU_ASSERT_EQUAL(json_object_size(v), 2);
	row = json_array_get(json_object_get(v, "RouteServiceRole_IN_0"), 0);
	CU_ASSERT_STRING_EQUAL(ctl_str(row, "localAddress"), "10.1.0.5");
	row = json_array_get(json_object_get(v, "RouteServiceRole_IN_1"), 0);
	CU_ASSERT_STRING_EQUAL(ctl_str(row, "localAddress"), "10.1.0.4");
	json_decref(v);
}

static void
test_rs111_advertised(void)
{
	static const uint32_t path[] = { 65515, 65000 };
	struct fixture f;

	fixture_init(&f, 0);
	fixture_path(&f, 2, path);
	f.route.addr = IP(10, 2, 0, 0);
	f.route.len = 16;
	f.route.next_hop = f.route.local_address = IP(10, 1, 0, 4);
	expect(ctl_wire_advertised(&f.m),
	    "{\"RouteServiceRole_IN_0\":[{\"localAddress\":\"10.1.0.4\",\"network\":\"10.2.0.0/"
	    "16\","
	    "\"nextHop\":\"10.1.0.4\",\"origin\":\"Igp\",\"asPath\":\"65515-65000\",\"weight\":0}],"
	    "\"RouteServiceRole_IN_1\":[]}");
}

static void
test_rs113_nothing_is_two_empty_lists(void)
{
	Fab__V1__InstanceRoutes none = FAB__V1__INSTANCE_ROUTES__INIT;

	expect(
	    ctl_wire_learned(&none), "{\"RouteServiceRole_IN_0\":[],\"RouteServiceRole_IN_1\":[]}");
	expect(ctl_wire_gateway_learned(&none), "{\"value\":[]}");
}

/* ER-17: 12076 in front, weight 32769. VPN-15: weight 32768, IBgp from the other instance. */
static void
test_er17_vpn15_gateway_learned(void)
{
	static const struct {
		uint32_t path[2];
		bool ibgp;
		const char *as_path, *origin;
		int weight;
	} cases[] = {
		{ { 12076, 64900 }, false, "12076-64900", "EBgp", 32769 },
		{ { 12076, 64900 }, true, "12076-64900", "IBgp", 32768 },
		{ { 64901, 64902 }, false, "64901-64902", "EBgp", 32768 },
	};
	struct fixture f;
	char want[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fixture_init(&f, 0);
		fixture_path(&f, 2, cases[i].path);
		f.route.addr = IP(172, 20, 0, 0);
		f.route.len = 16;
		f.route.ibgp = cases[i].ibgp;
		f.route.next_hop = f.route.peer_address = IP(10, 1, 1, 4);
		f.route.local_address = IP(10, 1, 1, 12);
		snprintf(want, sizeof(want),
		    "{\"value\":[{\"localAddress\":\"10.1.1.12\",\"network\":\"172.20.0.0/16\","
		    "\"nextHop\":\"10.1.1.4\",\"sourcePeer\":\"10.1.1.4\",\"origin\":\"%s\","
		    "\"asPath\":\"%s\",\"weight\":%d}]}",
		    cases[i].origin, cases[i].as_path, cases[i].weight);
		expect(ctl_wire_gateway_learned(&f.m), want);
	}
}

static void
test_er17_own_networks_have_no_path(void)
{
	struct fixture f;

	fixture_init(&f, 0);
	f.route.addr = IP(10, 1, 0, 0);
	f.route.len = 16;
	f.route.network = true;
	f.route.local_address = IP(10, 1, 1, 12);
	expect(ctl_wire_gateway_learned(&f.m),
	    "{\"value\":[{\"localAddress\":\"10.1.1.12\",\"network\":\"10.1.0.0/16\","
	    "\"nextHop\":\"\",\"sourcePeer\":\"10.1.1.12\",\"origin\":\"Network\",\"asPath\":\"\","
	    "\"weight\":32768}]}");
}

static void
test_er15_circuit_table(void)
{
	static const uint32_t path[] = { 65515, 65001 };
	static const struct {
		size_t n;
		uint32_t origin;
		const char *path;
	} cases[] = { { 2, 0, "65515 65001 I" }, { 1, 0, "65515 I" }, { 0, 0, "I" },
		{ 1, 1, "65515 E" }, { 1, 2, "65515 ?" } };
	struct fixture f;
	char want[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fixture_init(&f, 0);
		fixture_path(&f, cases[i].n, path);
		f.route.addr = IP(10, 1, 0, 0);
		f.route.len = 16;
		f.route.origin = cases[i].origin;
		f.route.next_hop = IP(10, 1, 1, 12);
		f.route.best = true;
		snprintf(want, sizeof(want),
		    "{\"value\":[{\"network\":\"10.1.0.0/16\",\"nextHop\":\"10.1.1.12\","
		    "\"locPrf\":100,\"weight\":0,\"path\":\"%s\"}]}",
		    cases[i].path);
		expect(ctl_wire_circuit(&f.m, false), want);
	}
	expect(ctl_wire_circuit(&f.m, true),
	    "{\"value\":[{\"network\":\"10.1.0.0/16\",\"nextHop\":\"10.1.1.12*\",\"locPrf\":100,"
	    "\"weight\":0,\"path\":\"65515 ?\"}]}");
}

static void
test_rows_are_sorted(void)
{
	static const struct {
		uint32_t addr, len, next_hop;
		bool best;
	} given[] = { { IP(10, 2, 0, 0), 16, 1, true }, { IP(10, 1, 0, 0), 24, 1, true },
		{ IP(10, 1, 0, 0), 16, 9, true }, { IP(10, 1, 0, 0), 16, 8, false },
		{ IP(10, 1, 0, 0), 16, 7, false } };
	static const char *const want[] = { "0.0.0.9", "0.0.0.7", "0.0.0.8", "0.0.0.1", "0.0.0.1" };
	Fab__V1__BgpRoute routes[5], *list[5];
	struct fixture f;
	json_t *v;

	fixture_init(&f, 0);
	for (int i = 0; i < 5; i++) {
		routes[i] = (Fab__V1__BgpRoute)FAB__V1__BGP_ROUTE__INIT;
		routes[i].addr = given[i].addr;
		routes[i].len = given[i].len;
		routes[i].next_hop = given[i].next_hop;
		routes[i].best = given[i].best;
		list[i] = &routes[i];
	}
	f.list.routes = list;
	f.list.n_routes = 5;
	v = ctl_wire_router(&f.m);
	for (size_t i = 0; i < 5; i++)
		CU_ASSERT_STRING_EQUAL(
		    ctl_str(json_array_get(json_object_get(v, "value"), i), "nextHop"), want[i]);
	json_decref(v);
}

static void
test_router_communities(void)
{
	uint32_t communities[] = { 0xffffff02, (65517u << 16) | 65517 };
	uint32_t large[] = { 65001, 1, 2, 4200000000, 3, 4 };
	static const uint32_t path[] = { 65515 };
	struct fixture f;

	fixture_init(&f, 0);
	fixture_path(&f, 1, path);
	f.route.addr = IP(10, 11, 0, 0);
	f.route.len = 16;
	f.route.next_hop = IP(10, 1, 0, 4);
	f.route.best = true;
	f.route.communities = communities;
	f.route.n_communities = 2;
	f.route.large_communities = large;
	f.route.n_large_communities = 6;
	expect(ctl_wire_router(&f.m),
	    "{\"value\":[{\"network\":\"10.11.0.0/"
	    "16\",\"nextHop\":\"10.1.0.4\",\"asPath\":\"65515\","
	    "\"communities\":[\"65535:65282\",\"65517:65517\",\"65001:1:2\",\"4200000000:3:4\"],"
	    "\"best\":true}]}");
}

static void
test_vpn16_gateway_peers(void)
{
	static const struct {
		const char *state, *azure, *duration;
		uint64_t since_us;
	} cases[] = {
		{ "Established", "Connected", "00:00:01.0000000", 1700000000000000 - 1000000 },
		{ "Established", "Connected", "9.19:57:00.6523430",
		    1700000000000000 - (9 * 86400 + 19 * 3600 + 57 * 60) * UINT64_C(1000000) -
			652343 },
		{ "Established", "Connected", "00:00:00.0000000", 1700000000000001 },
		{ "Active", "Connecting", "", 5 },
		{ "OpenConfirm", "Connecting", "", 5 },
		{ "Idle", "Idle", "", 5 },
		{ "strange", "Unknown", "", 5 },
	};
	Fab__V1__PeerStatus p = FAB__V1__PEER_STATUS__INIT, *peers[] = { &p };
	Fab__V1__InstancePeerList list = FAB__V1__INSTANCE_PEER_LIST__INIT, *lists[] = { &list };
	Fab__V1__InstancePeers m = FAB__V1__INSTANCE_PEERS__INIT;
	char state[16], want[512];

	p.address = IP(10, 1, 0, 4);
	p.local_address = IP(10, 1, 1, 12);
	p.asn = 65515;
	p.routes_in = 3;
	p.messages_in = 4;
	p.messages_out = 5000000000;
	p.state = state;
	list.peers = peers;
	list.n_peers = 1;
	m.instances = lists;
	m.n_instances = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(state, sizeof(state), "%s", cases[i].state);
		p.since_us = cases[i].since_us;
		snprintf(want, sizeof(want),
		    "{\"value\":[{\"neighbor\":\"10.1.0.4\",\"asn\":65515,\"state\":\"%s\","
		    "\"connectedDuration\":\"%s\",\"routesReceived\":3,\"messagesSent\":5000000000,"
		    "\"messagesReceived\":4,\"localAddress\":\"10.1.1.12\"}]}",
		    cases[i].azure, cases[i].duration);
		expect(ctl_wire_gateway_peers(&m, 1700000000000000), want);
	}
}

static void
test_ps_joins_both_sides(void)
{
	Fab__V1__NodeInfo a = FAB__V1__NODE_INFO__INIT, b = a, *nodes[] = { &a, &b };
	Fab__V1__NodeList list = FAB__V1__NODE_LIST__INIT;
	static char no_route[] = "no-route";
	char rs[] = "rs1-0", rs_kind[] = "route_server", url[] = "ipc:///x/rs1-0.ipc";
	char nva[] = "nva1", nva_kind[] = "nva", lost[] = "lost", running[] = "running";
	char *endpoints[] = { url };
	/* A process that certainly has ended: no process starts at tick 1 with our pid. */
	struct ctl_state dead = { .name = "nva1",
		.kind = "nva",
		.cwd = "/",
		.proc = { .pid = getpid(), .start = 1 },
		.started_us = 5000000 };

	a.name = rs;
	a.kind = rs_kind;
	a.pid = 12;
	a.state = running;
	a.started_us = 7000000;
	a.sessions_up = 4;
	a.sessions = 5;
	a.endpoints = endpoints;
	a.n_endpoints = 1;
	b.name = nva;
	b.kind = nva_kind;
	b.pid = 13;
	b.state = lost;
	b.sessions_up = 1;
	b.sessions = 2;
	list.nodes = nodes;
	list.n_nodes = 2;
	/* Not a local fabric: all from fabricd. */
	expect(ctl_ps_join(NULL, 0, &list, 10000000),
	    "[{\"name\":\"nva1\",\"kind\":\"nva\",\"pid\":13,\"state\":\"lost\",\"uptime_s\":0,"
	    "\"endpoints\":[],\"sessions\":{\"up\":1,\"configured\":2}},"
	    "{\"name\":\"rs1-0\",\"kind\":\"route_server\",\"pid\":12,\"state\":\"running\","
	    "\"uptime_s\":3,\"endpoints\":[\"ipc:///x/rs1-0.ipc\"],"
	    "\"sessions\":{\"up\":4,\"configured\":5}}]");
	/* A vswitchd has counters. */
	Fab__V1__Counter drops = FAB__V1__COUNTER__INIT, *counters[1] = { &drops };
	drops.name = no_route;
	drops.value = 7;
	b.counters = counters;
	b.n_counters = 1;
	list.nodes = nodes + 1;
	list.n_nodes = 1;
	expect(ctl_ps_join(NULL, 0, &list, 10000000),
	    "[{\"name\":\"nva1\",\"kind\":\"nva\",\"pid\":13,\"state\":\"lost\",\"uptime_s\":0,"
	    "\"endpoints\":[],\"sessions\":{\"up\":1,\"configured\":2},"
	    "\"counters\":{\"no-route\":7}}]");
	b.n_counters = 0;
	/* Local: the process table knows better who is dead. */
	list.nodes = nodes + 1;
	list.n_nodes = 1;
	char want[256];
	snprintf(want, sizeof(want),
	    "[{\"name\":\"nva1\",\"kind\":\"nva\",\"pid\":%d,\"state\":\"dead\",\"uptime_s\":0,"
	    "\"endpoints\":[],\"sessions\":{\"up\":0,\"configured\":2}}]",
	    (int)getpid());
	expect(ctl_ps_join(&dead, 1, &list, 10000000), want);
	/* fabricd does not answer. */
	snprintf(want, sizeof(want),
	    "[{\"name\":\"nva1\",\"kind\":\"nva\",\"pid\":%d,\"state\":\"dead\",\"uptime_s\":0,"
	    "\"endpoints\":[],\"sessions\":{\"up\":0,\"configured\":0}}]",
	    (int)getpid());
	expect(ctl_ps_join(&dead, 1, NULL, 10000000), want);
}

static CU_TestInfo tests[] = {
	{ "RS-110: learned", test_rs110_learned },
	{ "RS-3: instances have names", test_rs3_instances_have_names },
	{ "RS-111: advertised", test_rs111_advertised },
	{ "RS-113: nothing is two empty lists", test_rs113_nothing_is_two_empty_lists },
	{ "ER-17, VPN-15: gateway learned", test_er17_vpn15_gateway_learned },
	{ "ER-17: own networks have no path", test_er17_own_networks_have_no_path },
	{ "ER-15: circuit table", test_er15_circuit_table },
	{ "rows are sorted", test_rows_are_sorted },
	{ "router routes with communities", test_router_communities },
	{ "VPN-16: gateway peers", test_vpn16_gateway_peers },
	{ "ps joins both sides", test_ps_joins_both_sides },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_wire", tests)
