/*
 * A whole Route Server instance (rs_role under wire_node) with real sessions: nva1 over TCP from a
 * loopback address as foreign software would, nva2 and both gateways over NNG. The peers are plain
 * speakers in the same loop.
 */
#include "lib/conn.h"
#include "lib/err.h"
#include "lib/log.h"
#include "routeserverd/rs.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define RS_ADDR   0x0a010004u /* 10.1.0.4 */
#define NVA1_ADDR 0x0a010204u /* 10.1.2.4 */
#define NVA2_ADDR 0x0a010205u
#define ER_ADDR   0x0a01010cu /* 10.1.1.12 */
#define VPN_ADDR  0x0a010104u
#define SPOKES    8

#define ROUTE  BGP_COMMUNITY(65517, 65517)
#define SPOKE  BGP_COMMUNITY(65518, 65518)
#define P(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

enum { NVA1, NVA2, ER, VPN, N_PEERS };

static const struct peer_fact {
	const char *name;
	uint32_t asn, addr;
	Fab__V1__PeerRole role;
	bool tcp;
} facts[N_PEERS] = {
	{ "nva1", 65001, NVA1_ADDR, FAB__V1__PEER_ROLE__PEER_NVA, true },
	{ "nva2", 65003, NVA2_ADDR, FAB__V1__PEER_ROLE__PEER_NVA, false },
	{ "er1-0", 65515, ER_ADDR, FAB__V1__PEER_ROLE__PEER_ER_GATEWAY, false },
	{ "vpn1-0", 65515, VPN_ADDR, FAB__V1__PEER_ROLE__PEER_VPN_GATEWAY, false },
};

/* One of the peers: originates what the test says and keeps what it gets. */
struct peer {
	struct world *w;
	const struct peer_fact *fact;
	struct speaker *sp;
	struct speaker_peer *rs;
	bool synced;
	char lost[128];
};

/* What the instance reported to fabricd for one prefix. */
struct reported {
	struct ipnet net;
	Fab__V1__RouteSource source;
	uint32_t next_hops[8];
	size_t n_next_hops;
	uint32_t path[8];
	size_t n_path;
};

struct world {
	struct fab_loop *loop;
	struct fab_test_dir dir;
	struct wire_node *rs;
	struct peer peers[N_PEERS];
	char bgp_url[80];
	uint32_t real_rs, real_nva; /* loopback addresses and a port, of this process only */
	uint16_t port;
	/* Reports. */
	struct reported routes[64];
	size_t n_routes;
	unsigned batches;
	char cause[128];
	bool converged;
	unsigned notices;
	char notice[128]; /* the last one */
	/* The configuration, changed and sent again by tests. */
	bool b2b, lists_covered;
	enum hrp_pref preference;
	const char *spokes[SPOKES]; /* up to the first NULL */
	uint32_t max_prefixes, max_total;
	bool no_nva2;
	uint32_t in_map, out_map; /* of nva1: 1 drops, 2 summarizes; see fill_maps() */
	uint64_t generation;
};

/* ---- the peers ---- */

static bool
accept_all(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	(void)ctx;
	(void)from;
	(void)in;
	(void)out;
	(void)path;
	return true;
}

/* Own originations as they are, with the own ASN in front when the other is of another AS. */
static bool
send_own(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	struct peer *p = ctx;
	struct speaker_scratch *sc = speaker_scratch(p->sp);

	bgp_path_load(&sc->path, out->as_path, out->as_path_octets);
	if (!speaker_peer_conf(to)->ibgp)
		bgp_path_prepend(&sc->path, p->fact->asn, 1);
	out->as_path = sc->path.data;
	out->as_path_octets = sc->path.octets;
	return path->peer == NULL;
}

static void
on_state(void *ctx, struct speaker_peer *sp, enum bgp_state now, const char *reason)
{
	struct peer *p = ctx;

	(void)sp;
	p->synced = false;
	snprintf(p->lost, sizeof(p->lost), "%s", now == BGP_ESTABLISHED ? "" : reason);
}

static void
on_synced(void *ctx, struct speaker_peer *sp)
{
	struct peer *p = ctx;

	(void)sp;
	p->synced = true;
}

static const struct speaker_role peer_role = { .import_attrs = accept_all,
	.export_attrs = send_own,
	.peer_state = on_state,
	.peer_synced = on_synced };

static void
peer_start(struct world *w, int i)
{
	struct peer *p = &w->peers[i];
	const struct peer_fact *f = &facts[i];
	struct speaker_peer_conf conf = {
		.session = { .local_name = f->name,
		    .peer_name = "rs1-0",
		    .local_as = f->asn,
		    .peer_as = 65515,
		    .router_id = f->addr,
		    .local_addr = f->addr,
		    .peer_addr = RS_ADDR,
		    .hold_ms = 9000,
		    .keepalive_ms = 3000,
		    .connect_retry_ms = 50,
		    .transport = f->tcp ? BGP_TRANSPORT_TCP : BGP_TRANSPORT_NNG,
		    .dial_url = w->bgp_url,
		    .dial_addr = w->real_rs,
		    .dial_port = w->port,
		    .source_addr = w->real_nva },
		.ibgp = f->asn == 65515,
	};

	*p = (struct peer){ .w = w, .fact = f };
	CU_ASSERT_EQUAL_FATAL(speaker_new(&p->sp, w->loop, &peer_role, p), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_peer_add(p->sp, &conf, &p->rs), FAB_OK);
}

/* next_hop 0: the peer itself. */
static void
announce(
    struct peer *p, const char *prefix, const uint32_t *path, uint32_t next_hop, uint32_t community)
{
	static struct bgp_path_buf buf;
	struct bgp_attr_spec spec = { .next_hop = next_hop != 0 ? next_hop : p->fact->addr,
		.communities = &community,
		.n_communities = community != 0 };
	struct ipnet net;

	if (p->fact->tcp && next_hop == 0)
		spec.next_hop = p->w->real_nva; /* what foreign software puts there */
	bgp_path_load(&buf, NULL, 0);
	for (size_t i = 0; path != NULL && path[i] != 0; i++)
		bgp_path_append(&buf, path[i]);
	spec.as_path = buf.data;
	spec.as_path_octets = buf.octets;
	ipnet_parse(&net, prefix);
	speaker_originate(p->sp, &net, &spec, HRP_SRC_UNKNOWN, 0, 0);
}

static void
withdraw(struct peer *p, const char *prefix)
{
	struct ipnet net;

	ipnet_parse(&net, prefix);
	speaker_unoriginate(p->sp, &net, 0);
}

/* ---- what a peer has ---- */

struct look {
	struct ipnet net;
	const struct bgp_attrs *found;
};

static bool
look_fn(
    void *arg, const struct ipnet *prefix, const struct bgp_attrs *attrs, struct speaker_peer *peer)
{
	struct look *l = arg;

	(void)peer;
	if (ipnet_eq(*prefix, l->net))
		l->found = attrs;
	return l->found == NULL;
}

static const struct bgp_attrs *
has(struct peer *p, const char *prefix)
{
	struct look l = { 0 };

	ipnet_parse(&l.net, prefix);
	speaker_walk_in(p->sp, p->rs, look_fn, &l);
	return l.found;
}

/* "65515 65001", or "-" for nothing. */
static const char *
path_of(struct peer *p, const char *prefix)
{
	static char text[128];
	const struct bgp_attrs *a = has(p, prefix);

	return a == NULL
		   ? "-"
		   : bgp_path_format(text, sizeof(text), a->s.as_path, a->s.as_path_octets, ' ');
}

/* ---- what the instance reports ---- */

static struct reported *
report_of(struct world *w, struct ipnet net, bool add)
{
	size_t i = 0;

	while (i < w->n_routes && !ipnet_eq(w->routes[i].net, net))
		i++;
	if (i == w->n_routes) {
		if (!add)
			return NULL;
		CU_ASSERT_FATAL(i < sizeof(w->routes) / sizeof(w->routes[0]));
		w->n_routes++;
	}
	return &w->routes[i];
}

static void
take_group(struct world *w, const Fab__V1__RouteGroup *g)
{
	for (size_t i = 0; i < g->n_addr; i++) {
		struct reported *r =
		    report_of(w, (struct ipnet){ g->addr[i], g->len.data[i] }, true);

		*r = (struct reported){ .net = { g->addr[i], g->len.data[i] },
			.source = g->source,
			.n_next_hops = g->n_next_hops,
			.n_path = g->n_as_path };
		for (size_t k = 0; k < g->n_next_hops && k < 8; k++)
			r->next_hops[k] = g->next_hops[k];
		for (size_t k = 0; k < g->n_as_path && k < 8; k++)
			r->path[k] = g->as_path[k];
	}
}

static void
take_batch(struct world *w, const Fab__V1__RouteBatch *b)
{
	w->batches++;
	if (b->cause != NULL)
		snprintf(w->cause, sizeof(w->cause), "%s", b->cause->text);
	for (size_t i = 0; i < b->n_withdrawn_addr; i++) {
		struct ipnet net = { b->withdrawn_addr[i], b->withdrawn_len.data[i] };
		struct reported *r = report_of(w, net, false);

		if (r != NULL)
			*r = w->routes[--w->n_routes];
	}
	for (size_t i = 0; i < b->n_groups; i++)
		take_group(w, b->groups[i]);
}

static void
on_report(void *arg, const Fab__V1__ReportItem *item)
{
	struct world *w = arg;

	if (item->body_case == FAB__V1__REPORT_ITEM__BODY_ROUTES)
		take_batch(w, item->routes);
	else if (item->body_case == FAB__V1__REPORT_ITEM__BODY_STATUS)
		w->converged = item->status->converged;
	if (item->body_case == FAB__V1__REPORT_ITEM__BODY_NOTICE) {
		w->notices++;
		snprintf(w->notice, sizeof(w->notice), "%s", item->notice->text);
	}
}

static const struct reported *
reports(struct world *w, const char *prefix)
{
	struct ipnet net;

	ipnet_parse(&net, prefix);
	return report_of(w, net, false);
}

static bool
reports_source(struct world *w, const char *prefix, Fab__V1__RouteSource source)
{
	const struct reported *r = reports(w, prefix);

	return r != NULL && r->source == source;
}

/* ---- configuration ---- */

static char *
str(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void
fill_peer(struct world *w, Fab__V1__BgpPeerConfig *m, const struct peer_fact *f)
{
	fab__v1__bgp_peer_config__init(m);
	m->name = str(f->name);
	m->role = f->role;
	m->asn = f->asn;
	m->address = f->addr;
	m->local_address = RS_ADDR;
	m->transport =
	    f->tcp ? FAB__V1__BGP_TRANSPORT__TRANSPORT_TCP : FAB__V1__BGP_TRANSPORT__TRANSPORT_NNG;
	m->tcp_source = f->tcp ? w->real_nva : 0;
	m->passive = true;
	m->max_prefixes = f->role == FAB__V1__PEER_ROLE__PEER_NVA ? w->max_prefixes : 0;
}

static void
fill_prefix(Fab__V1__Prefix *m, const char *text)
{
	struct ipnet net;

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, text), FAB_OK);
	fab__v1__prefix__init(m);
	m->addr = net.addr;
	m->len = net.len;
}

/* "low" drops 10.200.1.0/24 and 10.200.2.0/24, "ten" makes 10.0.0.0/8 of what is inside. */
struct maps {
	Fab__V1__Prefix prefix[3], *in_low[2], *in_ten[1];
	Fab__V1__RouteMapCondition match[2], *matches[2];
	Fab__V1__RouteMapAction action[2], *actions[2];
	Fab__V1__RouteMapRule rule[2], *rules[2];
	Fab__V1__RouteMap map[2], *maps[2];
};

static void
fill_maps(struct maps *m, Fab__V1__NodeConfig *c)
{
	static const char *const prefixes[] = { "10.200.1.0/24", "10.200.2.0/24", "10.0.0.0/8" };

	for (size_t i = 0; i < 3; i++)
		fill_prefix(&m->prefix[i], prefixes[i]);
	m->in_low[0] = &m->prefix[0];
	m->in_low[1] = &m->prefix[1];
	m->in_ten[0] = &m->prefix[2];
	for (size_t i = 0; i < 2; i++) {
		fab__v1__route_map_condition__init(m->matches[i] = &m->match[i]);
		fab__v1__route_map_action__init(m->actions[i] = &m->action[i]);
		fab__v1__route_map_rule__init(m->rules[i] = &m->rule[i]);
		fab__v1__route_map__init(m->maps[i] = &m->map[i]);
		m->match[i].prefixes = i == 0 ? m->in_low : m->in_ten;
		m->match[i].n_prefixes = i == 0 ? 2 : 1;
		m->rule[i].conditions = &m->matches[i];
		m->rule[i].actions = &m->actions[i];
		m->rule[i].n_conditions = m->rule[i].n_actions = 1;
		m->map[i].rules = &m->rules[i];
		m->map[i].n_rules = 1;
		m->map[i].name = str(i == 0 ? "low" : "ten");
	}
	m->match[1].match = FAB__V1__ROUTE_MAP_MATCH__MATCH_CONTAINS;
	m->action[1].act = FAB__V1__ROUTE_MAP_ACT__ACT_REPLACE;
	m->action[1].on = FAB__V1__ROUTE_MAP_SUBJECT__ON_PREFIX;
	m->action[1].prefixes = m->in_ten;
	m->action[1].n_prefixes = 1;
	c->route_maps = m->maps;
	c->n_route_maps = 2;
}

/* Sends the configuration as the world has it now. */
static void
configure(struct world *w)
{
	Fab__V1__NodeConfig c;
	struct maps maps;
	Fab__V1__RouteServerConfig rs;
	Fab__V1__Timers timers;
	Fab__V1__TcpEndpoint tcp, *tcps[] = { &tcp };
	Fab__V1__BgpPeerConfig peer[N_PEERS], *peers[N_PEERS];
	Fab__V1__Prefix vnet, *vnets[] = { &vnet }, spoke[SPOKES], *spokes[SPOKES];

	fab__v1__node_config__init(&c);
	fab__v1__route_server_config__init(&rs);
	fab__v1__timers__init(&timers);
	fab__v1__tcp_endpoint__init(&tcp);
	for (int i = 0; i < N_PEERS; i++) {
		if (w->no_nva2 && i == NVA2)
			continue;
		peers[c.n_peers] = &peer[i];
		fill_peer(w, peers[c.n_peers++], &facts[i]);
	}
	fill_maps(&maps, &c);
	peer[NVA1].in_map = w->in_map;
	peer[NVA1].out_map = w->out_map;
	fill_prefix(&vnet, "10.1.0.0/16");
	for (; rs.n_spoke_prefixes < SPOKES && w->spokes[rs.n_spoke_prefixes] != NULL;
	     rs.n_spoke_prefixes++)
		fill_prefix(spokes[rs.n_spoke_prefixes] = &spoke[rs.n_spoke_prefixes],
		    w->spokes[rs.n_spoke_prefixes]);
	rs.vnet_prefixes = vnets;
	rs.n_vnet_prefixes = 1;
	rs.spoke_prefixes = spokes;
	rs.branch_to_branch = w->b2b;
	rs.lists_covered = w->lists_covered;
	rs.hub_routing_preference = (Fab__V1__HubRoutingPreference)w->preference;
	rs.max_next_hops = 8;
	rs.max_prefixes_total = w->max_total;
	timers.hold_ms = 9000;
	timers.keepalive_ms = 3000;
	timers.connect_retry_ms = 50;
	tcp.addr = w->real_rs;
	tcp.port = w->port;
	c.name = str("rs1-0");
	c.kind = FAB__V1__NODE_KIND__NODE_ROUTE_SERVER;
	c.asn = 65515;
	c.router_id = c.address = RS_ADDR;
	c.bgp_url = w->bgp_url;
	c.bgp_tcp = tcps;
	c.n_bgp_tcp = 1;
	c.timers = &timers;
	c.peers = peers;
	c.route_server = &rs;
	c.generation = ++w->generation;
	wire_node_config(w->rs, &c);
}

static bool
all_synced(const struct world *w)
{
	for (int i = 0; i < N_PEERS; i++)
		if (w->peers[i].sp != NULL && !w->peers[i].synced)
			return false;
	return true;
}

static void
setup(struct world *w)
{
	struct wire_report_to to = { .send = on_report, .arg = w };
	uint32_t pid = (uint32_t)getpid();

	fab_log_init("rs1-0", FAB_LOG_ERROR);
	*w = (struct world){ .spokes = { "10.11.0.0/16", "10.12.0.0/16" } };
	fab_test_dir_init(&w->dir);
	snprintf(w->bgp_url, sizeof(w->bgp_url), "ipc://%s/rs1-0.bgp", w->dir.path);
	w->real_rs = 0x7f000001u | (pid & 0x7fff) << 8 | 0x800000;
	w->real_nva = w->real_rs + 1;
	w->port = (uint16_t)(10000 + pid % 20000);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&w->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_node_new(&w->rs, w->loop, "rs1-0", NULL, &rs_role, &to), FAB_OK);
	configure(w);
	for (int i = 0; i < N_PEERS; i++)
		peer_start(w, i);
	AWAIT(w->loop, all_synced(w) && w->converged);
}

static void
teardown(struct world *w)
{
	for (int i = 0; i < N_PEERS; i++)
		speaker_free(w->peers[i].sp);
	wire_node_free(w->rs);
	fab_loop_free(w->loop);
	fab_test_dir_fini(&w->dir);
}

/* Every peer has seen everything that was sent before: a prefix from nva1 has come to nva2 and the
 * other way round, and the gateways' sessions are ordered by the same loop. */
static void
settle(struct world *w)
{
	static unsigned n;
	char a[IPNET_STRLEN], b[IPNET_STRLEN];

	n++;
	ipnet_format(a, (struct ipnet){ 0xc6120000u + (n << 8), 24 });
	ipnet_format(b, (struct ipnet){ 0xc6130000u + (n << 8), 24 });
	announce(&w->peers[NVA1], a, NULL, 0, 0);
	announce(&w->peers[NVA2], b, NULL, 0, 0);
	AWAIT(w->loop, has(&w->peers[NVA2], a) != NULL && has(&w->peers[NVA1], b) != NULL);
	withdraw(&w->peers[NVA1], a);
	withdraw(&w->peers[NVA2], b);
	AWAIT(w->loop, has(&w->peers[NVA2], a) == NULL && has(&w->peers[NVA1], b) == NULL);
}

/* ---- tests ---- */

/* RS-70 ... RS-72, RS-75, RS-77 */
static void
test_nvas_get_vnets_and_each_other(void)
{
	const struct bgp_attrs *a;
	struct world w;

	setup(&w);
	for (int i = NVA1; i <= NVA2; i++) {
		AWAIT(w.loop, has(&w.peers[i], "10.12.0.0/16") != NULL);
		CU_ASSERT_STRING_EQUAL(path_of(&w.peers[i], "10.1.0.0/16"), "65515");
		CU_ASSERT_STRING_EQUAL(path_of(&w.peers[i], "10.11.0.0/16"), "65515");
		a = has(&w.peers[i], "10.1.0.0/16");
		CU_ASSERT_EQUAL(a->s.n_communities, 0);
		CU_ASSERT_EQUAL(a->s.next_hop, RS_ADDR);
		CU_ASSERT_FALSE(a->s.has_med);
		a = has(&w.peers[i], "10.11.0.0/16");
		CU_ASSERT_EQUAL(a->s.n_communities, 1);
		CU_ASSERT(bgp_attrs_has_community(a, SPOKE));
		CU_ASSERT_PTR_NULL(has(&w.peers[i], "0.0.0.0/0")); /* RS-74 */
	}
	announce(&w.peers[NVA1], "10.99.0.0/16", NULL, 0, 0);
	announce(&w.peers[NVA2], "0.0.0.0/0", NULL, 0, 0); /* RS-55 */
	AWAIT(w.loop, has(&w.peers[NVA2], "10.99.0.0/16") != NULL);
	AWAIT(w.loop, has(&w.peers[NVA1], "0.0.0.0/0") != NULL);
	a = has(&w.peers[NVA2], "10.99.0.0/16");
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA2], "10.99.0.0/16"), "65515 65001");
	CU_ASSERT_EQUAL(a->s.next_hop, RS_ADDR);
	CU_ASSERT(bgp_attrs_has_community(a, ROUTE));
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA1], "10.99.0.0/16"));
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA1], "0.0.0.0/0"), "65515 65003");
	/* RS-60, and what NICs are told: the Azure address, not where the session comes from. */
	CU_ASSERT_FATAL(reports(&w, "10.99.0.0/16") != NULL);
	CU_ASSERT_EQUAL(reports(&w, "10.99.0.0/16")->source, FAB__V1__ROUTE_SOURCE__SOURCE_NVA);
	CU_ASSERT_EQUAL(reports(&w, "10.99.0.0/16")->next_hops[0], NVA1_ADDR);
	CU_ASSERT_EQUAL(reports(&w, "10.99.0.0/16")->path[0], 65001);
	CU_ASSERT_PTR_NULL(reports(&w, "10.1.0.0/16")); /* VNets are not BGP routes */
	teardown(&w);
}

/* RS-50 ... RS-53, MR-2: dropped without a word, absent from learned routes, session stays. */
static void
test_loops_and_vnet_prefixes_are_dropped(void)
{
	static const char *const dropped[] = { "10.1.0.0/16", "10.1.5.0/24", "10.11.0.0/16",
		"10.12.7.7/32" };
	struct speaker *sp;
	struct world w;

	setup(&w);
	sp = wire_node_speaker(w.rs);
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		announce(&w.peers[NVA1], dropped[i], NULL, 0, 0);
	announce(&w.peers[NVA1], "192.0.2.0/24", P(65002, 65515), 0, 0);
	announce(&w.peers[NVA1], "10.0.0.0/8", NULL, 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.0.0.0/8") != NULL);
	settle(&w);
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		CU_ASSERT_PTR_NULL(reports(&w, dropped[i]));
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA2], "10.11.0.0/16"), "65515");
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA2], "10.1.5.0/24"));
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA2], "192.0.2.0/24"));
	CU_ASSERT_PTR_NULL(reports(&w, "192.0.2.0/24"));
	CU_ASSERT_EQUAL(speaker_peer_routes_in(speaker_peer_find(sp, "nva1")), 1);
	CU_ASSERT_EQUAL(
	    bgp_session_stats(speaker_peer_session(speaker_peer_find(sp, "nva1")))->transitions, 1);
	teardown(&w);
}

/* RS-73, B2B-1, B2B-2, B2B-5, RS-78, OPEN-11: the switch changes routes, not sessions. */
static void
test_branch_to_branch(void)
{
	struct speaker *sp;
	struct world w;

	setup(&w);
	sp = wire_node_speaker(w.rs);
	announce(&w.peers[ER], "172.20.0.0/16", P(12076, 64900), 0, 0);
	announce(&w.peers[VPN], "172.21.0.0/16", P(64901), 0, 0);
	announce(&w.peers[NVA1], "192.168.250.0/24", NULL, 0, 0);
	announce(&w.peers[NVA1], "192.168.251.0/24", NULL, 0, BGP_COMMUNITY_NO_ADVERTISE);
	AWAIT(w.loop, reports(&w, "172.20.0.0/16") != NULL && reports(&w, "172.21.0.0/16") != NULL);
	settle(&w);
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA1], "172.20.0.0/16"));
	CU_ASSERT_PTR_NULL(has(&w.peers[ER], "192.168.250.0/24"));
	CU_ASSERT_PTR_NULL(has(&w.peers[VPN], "172.20.0.0/16"));
	CU_ASSERT(reports_source(&w, "172.20.0.0/16", FAB__V1__ROUTE_SOURCE__SOURCE_EXPRESS_ROUTE));
	CU_ASSERT(reports_source(&w, "172.21.0.0/16", FAB__V1__ROUTE_SOURCE__SOURCE_VPN));
	CU_ASSERT_EQUAL(reports(&w, "172.20.0.0/16")->next_hops[0], ER_ADDR);

	w.b2b = true;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "172.20.0.0/16") != NULL);
	AWAIT(w.loop, has(&w.peers[ER], "172.21.0.0/16") != NULL);
	AWAIT(w.loop, has(&w.peers[VPN], "192.168.250.0/24") != NULL);
	settle(&w);
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA1], "172.20.0.0/16"), "65515 12076 64900");
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA2], "172.21.0.0/16"), "65515 64901");
	CU_ASSERT(bgp_attrs_has_community(has(&w.peers[NVA1], "172.20.0.0/16"), ROUTE));
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[VPN], "172.20.0.0/16"), "12076 64900");
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[ER], "192.168.250.0/24"), "65001");
	CU_ASSERT_EQUAL(has(&w.peers[ER], "192.168.250.0/24")->s.next_hop, NVA1_ADDR);
	CU_ASSERT_PTR_NULL(has(&w.peers[ER], "172.20.0.0/16"));
	CU_ASSERT_PTR_NULL(has(&w.peers[ER], "10.1.0.0/16"));
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA2], "192.168.251.0/24"));
	CU_ASSERT_PTR_NULL(has(&w.peers[ER], "192.168.251.0/24"));
	CU_ASSERT_PTR_NOT_NULL(reports(&w, "192.168.251.0/24")); /* RS-78: NICs get it */

	w.b2b = false;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "172.20.0.0/16") == NULL);
	AWAIT(w.loop, has(&w.peers[ER], "192.168.250.0/24") == NULL);
	for (int i = 0; i < N_PEERS; i++) {
		struct speaker_peer *p = speaker_peer_find(sp, facts[i].name);

		CU_ASSERT_EQUAL(bgp_session_stats(speaker_peer_session(p))->transitions, 1);
	}
	teardown(&w);
}

/* HRP-2 ... HRP-4, HRP-8, RS-61 */
static void
test_hub_routing_preference(void)
{
	struct world w;

	setup(&w);
	w.b2b = true;
	configure(&w);
	announce(&w.peers[ER], "172.20.0.0/16", P(12076, 64900), 0, 0);
	announce(&w.peers[NVA1], "172.20.0.0/16", NULL, 0, 0);
	settle(&w);
	AWAIT(w.loop,
	    reports_source(&w, "172.20.0.0/16", FAB__V1__ROUTE_SOURCE__SOURCE_EXPRESS_ROUTE));
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA2], "172.20.0.0/16"), "65515 12076 64900");
	w.preference = HRP_PREF_VPN_GATEWAY;
	configure(&w);
	AWAIT(w.loop, reports_source(&w, "172.20.0.0/16", FAB__V1__ROUTE_SOURCE__SOURCE_NVA));
	AWAIT(w.loop, strcmp(path_of(&w.peers[NVA2], "172.20.0.0/16"), "65515 65001") == 0);
	w.preference = HRP_PREF_EXPRESS_ROUTE;
	configure(&w);
	AWAIT(w.loop,
	    reports_source(&w, "172.20.0.0/16", FAB__V1__ROUTE_SOURCE__SOURCE_EXPRESS_ROUTE));
	w.preference = HRP_PREF_AS_PATH;
	configure(&w);
	AWAIT(w.loop, reports_source(&w, "172.20.0.0/16", FAB__V1__ROUTE_SOURCE__SOURCE_NVA));
	teardown(&w);
}

/* RS-56, RS-60: equal paths are one ECMP set; a third party's next hop is kept. */
static void
test_ecmp_and_third_party_next_hop(void)
{
	const struct reported *r;
	struct world w;

	setup(&w);
	announce(&w.peers[NVA1], "0.0.0.0/0", NULL, 0, 0);
	announce(&w.peers[NVA2], "0.0.0.0/0", NULL, 0x0a010264, 0);
	AWAIT(w.loop, (r = reports(&w, "0.0.0.0/0")) != NULL && r->n_next_hops == 2);
	CU_ASSERT_EQUAL(r->next_hops[0], NVA1_ADDR);
	CU_ASSERT_EQUAL(r->next_hops[1], 0x0a010264);
	announce(&w.peers[NVA1], "0.0.0.0/0", P(65001, 65001), 0, 0);
	AWAIT(w.loop, reports(&w, "0.0.0.0/0")->n_next_hops == 1);
	CU_ASSERT_EQUAL(reports(&w, "0.0.0.0/0")->next_hops[0], 0x0a010264);
	teardown(&w);
}

/* RS-96, RS-97, and RS-51 when address spaces change under held routes. */
static void
test_spokes_come_and_go(void)
{
	struct world w;

	setup(&w);
	announce(&w.peers[NVA1], "10.13.5.0/24", NULL, 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.13.5.0/24") != NULL);
	w.spokes[2] = "10.13.0.0/16";
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.13.0.0/16") != NULL);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.13.5.0/24") == NULL);
	CU_ASSERT(bgp_attrs_has_community(has(&w.peers[NVA1], "10.13.0.0/16"), SPOKE));
	CU_ASSERT_PTR_NULL(reports(&w, "10.13.5.0/24"));
	w.spokes[2] = NULL;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.13.0.0/16") == NULL);
	/* Asked for again, because dropped routes are not held. */
	AWAIT(w.loop, has(&w.peers[NVA2], "10.13.5.0/24") != NULL);
	teardown(&w);
}

/* RS-90, GV-8 */
static void
test_lost_nva_withdraws(void)
{
	struct world w;

	setup(&w);
	announce(&w.peers[NVA1], "10.99.0.0/16", NULL, 0, 0);
	announce(&w.peers[NVA1], "0.0.0.0/0", NULL, 0, 0);
	announce(&w.peers[NVA2], "0.0.0.0/0", P(65003, 65003), 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA2], "0.0.0.0/0") != NULL);
	settle(&w);
	w.batches = 0;
	speaker_free(w.peers[NVA1].sp);
	w.peers[NVA1].sp = NULL;
	AWAIT(w.loop, has(&w.peers[NVA2], "0.0.0.0/0") == NULL);
	CU_ASSERT_EQUAL(w.batches, 1);
	CU_ASSERT_PTR_NULL(reports(&w, "10.99.0.0/16"));
	CU_ASSERT_EQUAL(reports(&w, "0.0.0.0/0")->next_hops[0], NVA2_ADDR);
	CU_ASSERT_EQUAL(strncmp(w.cause, "peer nva1: ", 11), 0);
	AWAIT(w.loop, !w.converged);
	teardown(&w);
}

/* RS-98 */
static void
test_deleted_peering_closes_and_withdraws(void)
{
	struct world w;

	setup(&w);
	announce(&w.peers[NVA2], "10.99.0.0/16", NULL, 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.99.0.0/16") != NULL);
	w.no_nva2 = true;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.99.0.0/16") == NULL);
	AWAIT(w.loop, w.peers[NVA2].lost[0] != '\0');
	CU_ASSERT_PTR_NOT_NULL(strstr(w.peers[NVA2].lost, "Peer De-configured"));
	CU_ASSERT_PTR_NULL(reports(&w, "10.99.0.0/16"));
	AWAIT(w.loop, w.converged); /* of what is left */
	teardown(&w);
}

/* RS-31, RS-33 */
static void
test_what_sessions_offer(void)
{
	static const struct wire_peer peer = { .name = "nva1", .role = WIRE_PEER_NVA };
	struct speaker_peer_conf pc = { .session = { .ttl = 1,
					    .offer_enhanced_refresh = true,
					    .offer_extended_message = true } };

	rs_role.apply.peer(NULL, &peer, &pc);
	CU_ASSERT_EQUAL(pc.session.ttl, 0);
	CU_ASSERT(pc.session.offer_ipv6);
	CU_ASSERT_FALSE(pc.session.offer_enhanced_refresh || pc.session.offer_extended_message);
}

/* RS-21, RS-22 over a real session. */
static void
test_too_many_routes_end_the_session(void)
{
	struct world w;

	setup(&w);
	w.max_prefixes = 3;
	configure(&w); /* another limit is another session */
	AWAIT(w.loop, all_synced(&w) && w.converged);
	announce(&w.peers[NVA2], "10.91.0.0/16", NULL, 0, 0);
	announce(&w.peers[NVA2], "10.92.0.0/16", NULL, 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.92.0.0/16") != NULL);
	announce(&w.peers[NVA2], "10.93.0.0/16", NULL, 0, 0);
	announce(&w.peers[NVA2], "10.94.0.0/16", NULL, 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.91.0.0/16") == NULL);
	AWAIT(w.loop, w.peers[NVA2].lost[0] != '\0');
	CU_ASSERT_PTR_NOT_NULL(strstr(w.peers[NVA2].lost, "Maximum Number of Prefixes Reached"));
	teardown(&w);
}

/* RS-25 */
static void
test_sum_of_prefixes_is_limited(void)
{
	struct world w;

	setup(&w);
	w.max_total = 5; /* three VNet prefixes are there */
	configure(&w);
	announce(&w.peers[ER], "172.16.0.0/16", P(12076, 64900), 0, 0);
	AWAIT(w.loop, reports(&w, "172.16.0.0/16") != NULL);
	announce(&w.peers[VPN], "172.17.0.0/16", P(64901), 0, 0);
	AWAIT(w.loop, reports(&w, "172.17.0.0/16") != NULL);
	announce(&w.peers[ER], "172.18.0.0/16", P(12076, 64900), 0, 0);
	announce(&w.peers[ER], "172.17.0.0/16", P(12076, 64900), 0, 0); /* known: no further one */
	AWAIT(w.loop,
	    reports_source(&w, "172.17.0.0/16", FAB__V1__ROUTE_SOURCE__SOURCE_EXPRESS_ROUTE));
	CU_ASSERT_PTR_NULL(reports(&w, "172.18.0.0/16"));
	CU_ASSERT_EQUAL(w.notices, 1); /* said once */
	CU_ASSERT_STRING_EQUAL(
	    w.notice, "more than 5 on-premises and VNet prefixes: the rest is refused (RS-25)");
	announce(&w.peers[NVA1], "10.99.0.0/16", NULL, 0, 0); /* NVA routes do not count */
	AWAIT(w.loop, reports(&w, "10.99.0.0/16") != NULL);
	teardown(&w);
}

static size_t
learned_from_nva1(struct world *w)
{
	struct wire_speaker ws = {
		.address = RS_ADDR, .row = rs_role.row, .sp = wire_node_speaker(w->rs)
	};
	bool found = false;
	Fab__V1__BgpRouteList *list = wire_speaker_learned(&ws, "nva1", &found);
	size_t n = list->n_routes;

	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	return n;
}

/* OPEN-5, RS-51, RS-52: an NVA's route inside a VNet is not there, or listed and no more. */
static void
test_covered_routes(void)
{
	struct world w;

	setup(&w);
	announce(&w.peers[NVA1], "10.1.2.0/24", NULL, 0, 0);
	announce(&w.peers[NVA1], "10.99.0.0/16", NULL, 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.99.0.0/16") != NULL);
	CU_ASSERT_EQUAL(learned_from_nva1(&w), 1);
	w.lists_covered = true;
	configure(&w);
	AWAIT(w.loop, learned_from_nva1(&w) == 2);
	settle(&w);
	CU_ASSERT_PTR_NULL(reports(&w, "10.1.2.0/24"));
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA2], "10.1.2.0/24"));
	CU_ASSERT_PTR_NOT_NULL(reports(&w, "10.99.0.0/16"));
	w.lists_covered = false;
	configure(&w);
	AWAIT(w.loop, learned_from_nva1(&w) == 1);
	teardown(&w);
}

/* RS-110 ... RS-113 */
static void
test_listings(void)
{
	struct wire_speaker ws = { .address = RS_ADDR, .row = rs_role.row };
	Fab__V1__BgpRouteList *list;
	bool found = false;
	struct world w;

	setup(&w);
	ws.sp = wire_node_speaker(w.rs);
	announce(&w.peers[NVA1], "10.99.0.0/16", P(65001), 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.99.0.0/16") != NULL);
	list = wire_speaker_learned(&ws, "nva1", &found);
	CU_ASSERT_FATAL(found && list->n_routes == 1);
	CU_ASSERT_EQUAL(list->routes[0]->weight, 32768);
	CU_ASSERT_EQUAL(list->routes[0]->next_hop, NVA1_ADDR);
	CU_ASSERT_EQUAL(list->routes[0]->peer_address, NVA1_ADDR);
	CU_ASSERT_EQUAL(list->routes[0]->local_address, RS_ADDR);
	CU_ASSERT_EQUAL(list->routes[0]->n_as_path, 2); /* 65001-65001 */
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	list = wire_speaker_advertised(&ws, "10.1.2.5", &found);
	CU_ASSERT_EQUAL_FATAL(list->n_routes, 4);
	for (size_t i = 0; i < list->n_routes; i++) {
		CU_ASSERT_EQUAL(list->routes[i]->weight, 0);
		CU_ASSERT_EQUAL(list->routes[i]->next_hop, RS_ADDR);
		CU_ASSERT_EQUAL(list->routes[i]->as_path[0], 65515);
	}
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	speaker_free(w.peers[NVA1].sp);
	w.peers[NVA1].sp = NULL;
	AWAIT(w.loop, !w.converged);
	list = wire_speaker_advertised(&ws, "nva1", &found);
	CU_ASSERT(found && list->n_routes == 0); /* RS-113 */
	fab__v1__bgp_route_list__free_unpacked(list, NULL);
	teardown(&w);
}

/* SC-M, RM-2, RS-112: NICs, gateways and NVAs do not have what the map drops; the listing has. */
static void
test_inbound_map(void)
{
	struct world w;

	setup(&w);
	w.b2b = true;
	w.in_map = 1;
	configure(&w);
	announce(&w.peers[NVA1], "10.200.1.0/24", NULL, 0, 0);
	announce(&w.peers[NVA1], "10.200.2.0/24", NULL, 0, 0);
	announce(&w.peers[NVA1], "10.200.3.0/24", NULL, 0, 0);
	announce(&w.peers[NVA2], "10.200.1.0/24", P(65004), 0, 0);
	AWAIT(w.loop, has(&w.peers[ER], "10.200.3.0/24") != NULL);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.200.1.0/24") != NULL);
	settle(&w);
	CU_ASSERT_EQUAL(learned_from_nva1(&w), 3);
	CU_ASSERT_PTR_NULL(reports(&w, "10.200.2.0/24"));
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA2], "10.200.2.0/24"));
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[ER], "10.200.2.0/24"), "-");
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[ER], "10.200.3.0/24"), "65001");
	/* The longer path of nva2 is the best one now: the map comes before the choice. */
	CU_ASSERT_EQUAL(reports(&w, "10.200.1.0/24")->next_hops[0], NVA2_ADDR);
	/* RS-50 and RS-51 come before the map: not listed. */
	announce(&w.peers[NVA1], "10.1.9.0/24", NULL, 0, 0);
	announce(&w.peers[NVA1], "10.200.4.0/24", P(65515), 0, 0);
	settle(&w);
	CU_ASSERT_EQUAL(learned_from_nva1(&w), 3);
	teardown(&w);
}

/* RM-13: maps come, change and go under running sessions; RM-9: VNet prefixes stay. */
static void
test_maps_change_under_running_sessions(void)
{
	const struct bgp_session_stats *stats;
	struct world w;
	uint64_t before;

	setup(&w);
	announce(&w.peers[NVA2], "10.200.1.0/24", NULL, 0, 0);
	announce(&w.peers[NVA2], "10.200.3.0/24", NULL, 0, 0);
	announce(&w.peers[NVA1], "10.200.2.0/24", NULL, 0, 0);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.200.3.0/24") != NULL);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.200.2.0/24") != NULL);
	stats = bgp_session_stats(
	    speaker_peer_session(speaker_peer_find(wire_node_speaker(w.rs), "nva1")));
	w.out_map = 2;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.0.0.0/8") != NULL);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.200.3.0/24") == NULL);
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA1], "10.0.0.0/8"), "65515");
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA1], "10.1.0.0/16"), "65515");
	CU_ASSERT_STRING_EQUAL(path_of(&w.peers[NVA1], "10.11.0.0/16"), "65515");
	CU_ASSERT_PTR_NOT_NULL(reports(&w, "10.200.3.0/24")); /* NICs keep the routes */
	CU_ASSERT_PTR_NULL(reports(&w, "10.0.0.0/8"));
	w.out_map = 1;
	w.in_map = 1;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.200.3.0/24") != NULL);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.0.0.0/8") == NULL);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.200.2.0/24") == NULL);
	CU_ASSERT_PTR_NULL(has(&w.peers[NVA1], "10.200.1.0/24"));
	w.in_map = w.out_map = 0;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA2], "10.200.2.0/24") != NULL);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.200.1.0/24") != NULL);
	/* RS-96 reaches NVAs with a map of their own too: they send their routes again. */
	w.out_map = 2;
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.0.0.0/8") != NULL);
	before = stats->updates_in;
	w.spokes[2] = "10.13.0.0/16";
	configure(&w);
	AWAIT(w.loop, has(&w.peers[NVA1], "10.13.0.0/16") != NULL);
	AWAIT(w.loop, stats->updates_in > before);
	CU_ASSERT_EQUAL(stats->transitions, 1);
	teardown(&w);
}

/* Closed without a word. */
static bool
refused_from(struct world *w, uint32_t source)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(source) };
	struct sockaddr_in rs = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(w->real_rs),
		.sin_port = htons(w->port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ssize_t n = -1;
	char octet;

	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&me, sizeof(me)), 0);
	(void)connect(fd, (struct sockaddr *)&rs, sizeof(rs));
	AWAIT(w->loop, (n = recv(fd, &octet, 1, 0)) >= 0 || errno == ECONNRESET);
	close(fd);
	return n <= 0;
}

/* RS-36 */
static void
test_strangers_are_refused(void)
{
	struct world w;

	setup(&w);
	CU_ASSERT(refused_from(&w, w.real_nva + 1));
	CU_ASSERT(refused_from(&w, w.real_rs));
	CU_ASSERT(w.converged);
	teardown(&w);
}

static void
test_wrong_configurations_are_refused(void)
{
	struct wire_rs_conf rs = { .max_next_hops = 8 };
	struct wire_peer peer = { .name = "nva1", .role = WIRE_PEER_NVA, .asn = 65001 };
	struct wire_conf c = { .asn = 65515,
		.router_id = RS_ADDR,
		.address = RS_ADDR,
		.rs = &rs,
		.peers = &peer,
		.n_peers = 1 };
	char why[256];

	CU_ASSERT(rs_role.check(NULL, &c, why));
	peer.asn = 65515; /* RS-43 */
	CU_ASSERT_FALSE(rs_role.check(NULL, &c, why));
	CU_ASSERT_STRING_EQUAL(why, "peer nva1: AS 65515 is the Route Server's own");
	peer = (struct wire_peer){ .name = "dc1", .role = WIRE_PEER_CUSTOMER, .asn = 64900 };
	CU_ASSERT_FALSE(rs_role.check(NULL, &c, why));
	c.n_peers = 0;
	c.asn = 65514; /* RS-1 */
	CU_ASSERT_FALSE(rs_role.check(NULL, &c, why));
	c.asn = 65515;
	c.router_id = 1; /* RS-2 */
	CU_ASSERT_FALSE(rs_role.check(NULL, &c, why));
	c.router_id = RS_ADDR;
	c.rs = NULL;
	CU_ASSERT_FALSE(rs_role.check(NULL, &c, why));
}

static CU_TestInfo tests[] = {
	{ "RS-70 ... RS-72, RS-74, RS-77: NVAs get VNets and each other",
	    test_nvas_get_vnets_and_each_other },
	{ "RS-50, RS-51, RS-52: loops and VNet prefixes are dropped",
	    test_loops_and_vnet_prefixes_are_dropped },
	{ "RS-73, B2B-1, B2B-2, B2B-5, RS-78: branch-to-branch", test_branch_to_branch },
	{ "HRP-2 ... HRP-4: hub routing preference", test_hub_routing_preference },
	{ "RS-56, RS-60: ECMP and third-party next hops", test_ecmp_and_third_party_next_hop },
	{ "RS-51, RS-96, RS-97: spokes come and go", test_spokes_come_and_go },
	{ "RS-90: a lost NVA's routes are withdrawn", test_lost_nva_withdraws },
	{ "RS-98: a deleted peering closes and withdraws",
	    test_deleted_peering_closes_and_withdraws },
	{ "RS-31, RS-33: what sessions offer", test_what_sessions_offer },
	{ "RS-21: too many routes end the session", test_too_many_routes_end_the_session },
	{ "RS-25: the sum of prefixes is limited", test_sum_of_prefixes_is_limited },
	{ "OPEN-5, RS-51, RS-52: routes inside a VNet", test_covered_routes },
	{ "RS-110 ... RS-113: listings", test_listings },
	{ "SC-M, RM-2, RS-50, RS-51, RS-112: an inbound route map", test_inbound_map },
	{ "RM-7, RM-9, RM-13, RS-96: maps change under running sessions",
	    test_maps_change_under_running_sessions },
	{ "RS-36: strangers are refused", test_strangers_are_refused },
	{ "RS-1, RS-2, RS-43: wrong configurations are refused",
	    test_wrong_configurations_are_refused },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("rs", tests)
