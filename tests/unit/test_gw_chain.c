/*
 * The way of a route through five roles, over real sessions (BGP over NNG, ipc):
 *
 *	dc1 - circuit1-primary, -secondary - er1-0, er1-1 - rs1-0, rs1-1 - nva1
 *
 * Everybody has his own speaker in this one process. What each end sees is the table "Who learns
 * what" of section 2.1 of the semantics, with exact AS paths.
 */
#include "gatewayd/gw.h"
#include "lib/err.h"
#include "lib/log.h"
#include "nvad/nva_role.h"
#include "routeserverd/rs.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"
#include "tests/unit/wire_fixture.h"

#include <string.h>

#define TO_RS    FAB__V1__PEER_ROLE__PEER_ROUTE_SERVER
#define TO_NVA   FAB__V1__PEER_ROLE__PEER_NVA
#define TO_MSEE  FAB__V1__PEER_ROLE__PEER_MSEE
#define TO_SITE  FAB__V1__PEER_ROLE__PEER_CUSTOMER
#define TO_ER    FAB__V1__PEER_ROLE__PEER_ER_GATEWAY
#define TO_SIBL  FAB__V1__PEER_ROLE__PEER_GATEWAY_SIBLING
#define HOLD_MS  30000 /* no session may be lost because the machine is busy */
#define RETRY_MS 50

enum { DC1, PRI, SEC, ER0, ER1, RS0, RS1, NVA1, N_NODES };

static const char *const names[N_NODES] = { "dc1", "circuit1-primary", "circuit1-secondary",
	"er1-0", "er1-1", "rs1-0", "rs1-1", "nva1" };

static struct {
	struct wire_node *w;
	struct fx_conf conf;
	struct fx_report report;
	char url[64];
} nodes[N_NODES];
static struct fab_loop *loop;
static struct fab_test_dir dir;

/* ---- the topology ---- */

static struct fx_conf *
conf(int n, Fab__V1__NodeKind kind, uint32_t asn, const char *address)
{
	struct fx_conf *c = &nodes[n].conf;

	fx_conf_init(c, names[n], kind, asn, address);
	c->m.bgp_url = nodes[n].url;
	c->timers.hold_ms = HOLD_MS;
	c->timers.keepalive_ms = HOLD_MS / 3;
	c->timers.connect_retry_ms = RETRY_MS;
	return c;
}

/* One session, both ends of it. */
static void
join(int dials, Fab__V1__PeerRole is_to_dialler, int listens, Fab__V1__PeerRole is_to_listener,
    const char *dial_addr, const char *listen_addr)
{
	Fab__V1__BgpPeerConfig *d = fx_peer(&nodes[dials].conf, names[listens], is_to_dialler,
	    nodes[listens].conf.m.asn, listen_addr, dial_addr);
	Fab__V1__BgpPeerConfig *l = fx_peer(&nodes[listens].conf, names[dials], is_to_listener,
	    nodes[dials].conf.m.asn, dial_addr, listen_addr);

	d->passive = false;
	d->url = nodes[listens].url;
	l->passive = true;
}

static void
resource(int node, size_t first, size_t n, const char *name)
{
	for (size_t i = first; i < first + n; i++)
		nodes[node].conf.peers[i].resource = (char *)(uintptr_t)name;
}

static void
topology_azure(void)
{
	static const char *const er_ip[] = { "10.1.1.12", "10.1.1.13" };
	static const char *const rs_ip[] = { "10.1.0.4", "10.1.0.5" };
	static const char *const msee_ip[] = { "10.1.1.4", "10.1.1.5" };

	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 2; k++)
			join(ER0 + i, TO_MSEE, PRI + k, TO_ER, er_ip[i], msee_ip[k]);
		for (int k = 0; k < 2; k++)
			join(ER0 + i, TO_RS, RS0 + k, TO_ER, er_ip[i], rs_ip[k]);
		resource(ER0 + i, 0, 2, "circuit1");
		resource(ER0 + i, 2, 2, "rs1");
		join(NVA1, TO_RS, RS0 + i, TO_NVA, "10.1.2.4", rs_ip[i]);
	}
	resource(NVA1, 0, 2, "rs1");
	join(ER0, TO_SIBL, ER1, TO_SIBL, er_ip[0], er_ip[1]);
}

static Fab__V1__RouteServerConfig rs_section[2];

static void
topology(void)
{
	static const char *const customer_ip[] = { "172.31.0.1", "172.31.0.5" };
	static const char *const msee_ip[] = { "172.31.0.2", "172.31.0.6" };

	conf(DC1, FAB__V1__NODE_KIND__NODE_SITE, 64900, "172.20.0.1");
	fx_originate(&nodes[DC1].conf, "172.20.0.0/16");
	conf(NVA1, FAB__V1__NODE_KIND__NODE_NVA, 65001, "10.1.2.4");
	fx_originate(&nodes[NVA1].conf, "192.168.250.0/24")->prepend = 1;
	fx_originate(&nodes[NVA1].conf, "0.0.0.0/0");
	for (int i = 0; i < 2; i++) {
		struct fx_conf *c;

		conf(PRI + i, FAB__V1__NODE_KIND__NODE_MSEE, 12076, msee_ip[i]);
		c = conf(ER0 + i, FAB__V1__NODE_KIND__NODE_ER_GATEWAY, 65515,
		    i == 0 ? "10.1.1.12" : "10.1.1.13");
		c->m.instance = (uint32_t)i;
		fx_gateway(c, "10.1.0.0/16", "10.11.0.0/16")->has_route_server = true;
		fx_circuit(c, "circuit1", 0, "10.24.0.4", "10.24.0.5");
		c = conf(RS0 + i, FAB__V1__NODE_KIND__NODE_ROUTE_SERVER, 65515,
		    i == 0 ? "10.1.0.4" : "10.1.0.5");
		fab__v1__route_server_config__init(&rs_section[i]);
		fx_nets(
		    c, &rs_section[i].vnet_prefixes, &rs_section[i].n_vnet_prefixes, "10.1.0.0/16");
		fx_nets(c, &rs_section[i].spoke_prefixes, &rs_section[i].n_spoke_prefixes,
		    "10.11.0.0/16");
		rs_section[i].branch_to_branch = true;
		rs_section[i].max_next_hops = 8;
		c->m.route_server = &rs_section[i];
		c->m.instance = (uint32_t)i;
		join(DC1, TO_MSEE, PRI + i, TO_SITE, customer_ip[i], msee_ip[i]);
	}
	resource(DC1, 0, 2, "circuit1");
	topology_azure();
}

/* ---- life ---- */

static void
configure(int n)
{
	nodes[n].conf.m.generation++;
	wire_node_config(nodes[n].w, &nodes[n].conf.m);
}

static void
start(int n)
{
	static const struct wire_role *const roles[N_NODES] = { &nva_role, &gw_msee_role,
		&gw_msee_role, &gw_er_role, &gw_er_role, &rs_role, &rs_role, &nva_role };
	struct wire_report_to to = { fx_report_send, &nodes[n].report };

	memset(&nodes[n].report, 0, sizeof(nodes[n].report));
	CU_ASSERT_EQUAL_FATAL(
	    wire_node_new(&nodes[n].w, loop, names[n], NULL, roles[n], &to), FAB_OK);
	configure(n);
}

static void
stop(int n)
{
	wire_node_free(nodes[n].w);
	nodes[n].w = NULL;
}

static bool
all_converged(void)
{
	for (int n = 0; n < N_NODES; n++)
		if (nodes[n].w != NULL && !wire_node_converged(nodes[n].w))
			return false;
	return true;
}

static void
setup(void)
{
	fab_log_init("test", FAB_LOG_ERROR);
	fab_test_dir_init(&dir);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	for (int n = 0; n < N_NODES; n++)
		snprintf(nodes[n].url, sizeof(nodes[n].url), "ipc://%s/%d.bgp", dir.path, n);
	topology();
	/* Diallers first: they have to try again. */
	for (int n = 0; n < N_NODES; n++)
		start(n);
	AWAIT(loop, all_converged());
}

static void
teardown(void)
{
	for (int n = 0; n < N_NODES; n++)
		stop(n);
	fab_loop_free(loop);
	fab_test_dir_fini(&dir);
}

/* ---- what a node knows ---- */

struct look {
	struct ipnet net;
	const char *peer; /* NULL: the best */
	char path[64];
	bool found;
};

static bool
look_at(void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best)
{
	struct look *l = arg;
	const char *peer = path->peer == NULL ? "" : wire_peer_of(path->peer)->name;

	if (!ipnet_eq(l->net, *prefix) || (l->peer == NULL ? !best : strcmp(l->peer, peer) != 0))
		return true;
	bgp_path_format(
	    l->path, sizeof(l->path), path->attrs->s.as_path, path->attrs->s.as_path_octets, ' ');
	l->found = true;
	return false;
}

/* AS path of a node's best route, or of the one that it learned from a peer; "-" if there is none.
 */
static const char *
path_of(int n, const char *prefix, const char *peer)
{
	static struct look l;

	l = (struct look){ .net = fx_net(prefix), .peer = peer };
	speaker_walk_rib(wire_node_speaker(nodes[n].w), look_at, &l);
	return l.found ? l.path : "-";
}

static bool
has(int n, const char *prefix, const char *peer, const char *path)
{
	return strcmp(path_of(n, prefix, peer), path) == 0;
}

static uint64_t
transitions(int n)
{
	uint64_t sum = 0;

	for (struct speaker_peer *p = NULL;
	     (p = speaker_peer_next(wire_node_speaker(nodes[n].w), p)) != NULL;)
		sum += bgp_session_stats(speaker_peer_session(p))->transitions;
	return sum;
}

static uint64_t
all_transitions(void)
{
	uint64_t sum = 0;

	for (int n = 0; n < N_NODES; n++)
		if (nodes[n].w != NULL)
			sum += transitions(n);
	return sum;
}

/* ---- tests ---- */

static void
test_who_learns_what_with_branch_to_branch(void)
{
	static const struct {
		const char *rule;
		int node;
		const char *prefix, *peer, *path;
	} rows[] = {
		{ "site to MSEE", PRI, "172.20.0.0/16", "dc1", "64900" },
		{ "ER-17", ER0, "172.20.0.0/16", "circuit1-primary", "12076 64900" },
		{ "ER-16", ER1, "172.20.0.0/16", "circuit1-primary", "12076 64900" },
		{ "B2B-6", RS0, "172.20.0.0/16", "er1-0", "12076 64900" },
		{ "B2B-4", RS1, "172.20.0.0/16", "er1-1", "12076 64900" },
		{ "RS-73", NVA1, "172.20.0.0/16", "rs1-0", "65515 12076 64900" },
		{ "RS-70", NVA1, "10.1.0.0/16", "rs1-1", "65515" },
		{ "RS-71", NVA1, "10.11.0.0/16", "rs1-0", "65515" },
		{ "RS-58", RS0, "192.168.250.0/24", "nva1", "65001 65001" },
		{ "B2B-5", ER0, "192.168.250.0/24", "rs1-0", "65001 65001" },
		{ "ER-11", PRI, "192.168.250.0/24", "er1-0", "65515 65001 65001" },
		{ "ER-15", PRI, "10.1.0.0/16", "er1-1", "65515" },
		{ "ER-11", DC1, "192.168.250.0/24", "circuit1-primary", "12076" },
		{ "ER-10", DC1, "10.1.0.0/16", "circuit1-secondary", "12076" },
		{ "ER-10", DC1, "10.11.0.0/16", NULL, "12076" },
		{ "ER-12", DC1, "0.0.0.0/0", NULL, "12076" },
		{ "ER-12", ER1, "0.0.0.0/0", NULL, "65001" },
	};

	setup();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Sessions are up; the last UPDATE may still be on its way. */
		AWAIT(loop, has(rows[i].node, rows[i].prefix, rows[i].peer, rows[i].path));
	}
	/* ER-19: both next hops reach the NICs of both instances, by the Route Server alone. */
	for (int i = 0; i < 2; i++) {
		AWAIT(loop, strcmp(fx_reported_hops(&nodes[RS0 + i].report, "172.20.0.0/16"),
				"10.24.0.4 10.24.0.5") == 0);
		CU_ASSERT_EQUAL(fx_reported(&nodes[RS0 + i].report, "172.20.0.0/16")->source,
		    HRP_SRC_EXPRESS_ROUTE);
		CU_ASSERT_EQUAL(nodes[ER0 + i].report.n_routes, 0);
	}
	teardown();
}

static void
test_branch_to_branch_gates_the_exchange_only_OPEN_11(void)
{
	uint64_t before;

	setup();
	AWAIT(loop, has(NVA1, "172.20.0.0/16", NULL, "65515 12076 64900"));
	AWAIT(loop, has(DC1, "192.168.250.0/24", NULL, "12076"));
	before = all_transitions();
	for (int i = 0; i < 2; i++) {
		rs_section[i].branch_to_branch = false;
		configure(RS0 + i);
	}
	AWAIT(loop, has(NVA1, "172.20.0.0/16", NULL, "-"));
	AWAIT(loop, has(DC1, "192.168.250.0/24", NULL, "-"));
	AWAIT(loop, has(DC1, "0.0.0.0/0", NULL, "-"));
	/* NICs and VNet prefixes do not notice (B2B-1). */
	CU_ASSERT_STRING_EQUAL(
	    fx_reported_hops(&nodes[RS0].report, "172.20.0.0/16"), "10.24.0.4 10.24.0.5");
	CU_ASSERT_STRING_EQUAL(path_of(DC1, "10.1.0.0/16", NULL), "12076");
	CU_ASSERT_EQUAL(all_transitions(), before);
	teardown();
}

static void
test_one_gateway_instance_dies_and_returns(void)
{
	setup();
	AWAIT(loop, has(DC1, "192.168.250.0/24", NULL, "12076"));
	stop(ER0);
	AWAIT(
	    loop, strcmp(fx_reported_hops(&nodes[RS0].report, "172.20.0.0/16"), "10.24.0.5") == 0);
	AWAIT(loop, has(PRI, "10.1.0.0/16", "er1-0", "-"));
	CU_ASSERT_STRING_EQUAL(path_of(PRI, "10.1.0.0/16", NULL), "65515");
	CU_ASSERT_STRING_EQUAL(path_of(DC1, "192.168.250.0/24", NULL), "12076");
	start(ER0);
	AWAIT(loop, all_converged());
	AWAIT(loop, strcmp(fx_reported_hops(&nodes[RS0].report, "172.20.0.0/16"),
			"10.24.0.4 10.24.0.5") == 0);
	teardown();
}

static void
test_a_prefix_travels_without_a_session_bouncing(void)
{
	uint64_t before;

	setup();
	before = all_transitions();
	fx_originate(&nodes[DC1].conf, "172.24.0.0/16")->prepend = 2;
	configure(DC1);
	AWAIT(loop, has(NVA1, "172.24.0.0/16", NULL, "65515 12076 64900 64900 64900"));
	nodes[DC1].conf.m.n_originate--;
	configure(DC1);
	AWAIT(loop, has(NVA1, "172.24.0.0/16", NULL, "-"));
	CU_ASSERT_EQUAL(all_transitions(), before);
	teardown();
}

static CU_TestInfo tests[] = {
	{ "SC-D, SC-J: who learns what", test_who_learns_what_with_branch_to_branch },
	{ "OPEN-11, B2B-1: branch-to-branch gates the exchange only",
	    test_branch_to_branch_gates_the_exchange_only_OPEN_11 },
	{ "one gateway instance dies and returns", test_one_gateway_instance_dies_and_returns },
	{ "a prefix travels without a session bouncing",
	    test_a_prefix_travels_without_a_session_bouncing },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("gw_chain", tests)
