/*
 * Policy of the three roles of gatewayd, by table: one row per statement of the semantics.
 */
#include "gatewayd/gw_policy.h"
#include "tests/unit/fab_cunit.h"

#include <stdio.h>
#include <string.h>

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))
#define IP(a, b, c, d)                                                                             \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static struct speaker_scratch buf;

/* ---- the reference address plan of the semantics ---- */

static struct ipnet vnet_v[] = { { IP(10, 1, 0, 0), 16 } };
static struct ipnet spokes_v[] = { { IP(10, 11, 0, 0), 16 }, { IP(10, 12, 0, 0), 16 } };
static struct ipnet lng_v[] = { { IP(172, 22, 0, 0), 16 } };
static uint32_t hops1[] = { IP(10, 24, 0, 4), IP(10, 24, 0, 5) };
static uint32_t hops2[] = { IP(10, 24, 1, 4), IP(10, 24, 1, 5) };
static struct wire_circuit circuits[] = {
	{ .name = "circuit1", .weight = 10, .next_hops = { hops1, 2 } },
	{ .name = "circuit2", .weight = 0, .next_hops = { hops2, 2 } },
};
static struct wire_static statics[] = { { .name = "old", .prefixes = { lng_v, 1 }, .up = true } };
static struct wire_gw_conf gw_conf = {
	.vnet = { vnet_v, 1 },
	.spokes = { spokes_v, 2 },
	.circuits = circuits,
	.n_circuits = 2,
	.statics = statics,
	.n_statics = 1,
	.active_active = true,
};

/* Peers of an ER gateway instance. */
enum { C1_PRI, C1_SEC, C2_PRI, C2_SEC, RS0, RS1, SIB, SITE1, SITE2, ERGW_PEER, N_PEERS };
static struct wire_peer peers[N_PEERS] = {
	[C1_PRI] = { .name = "circuit1-primary",
	    .role = WIRE_PEER_MSEE,
	    .asn = 12076,
	    .address = IP(10, 1, 1, 4),
	    .local_address = IP(10, 1, 1, 12),
	    .weight = 10,
	    .resource = "circuit1" },
	[C1_SEC] = { .name = "circuit1-secondary",
	    .role = WIRE_PEER_MSEE,
	    .asn = 12076,
	    .address = IP(10, 1, 1, 5),
	    .local_address = IP(10, 1, 1, 12),
	    .weight = 10,
	    .resource = "circuit1" },
	[C2_PRI] = { .name = "circuit2-primary",
	    .role = WIRE_PEER_MSEE,
	    .asn = 12076,
	    .address = IP(10, 1, 1, 8),
	    .local_address = IP(10, 1, 1, 12),
	    .resource = "circuit2" },
	[C2_SEC] = { .name = "circuit2-secondary",
	    .role = WIRE_PEER_MSEE,
	    .asn = 12076,
	    .address = IP(10, 1, 1, 9),
	    .local_address = IP(10, 1, 1, 12),
	    .resource = "circuit2" },
	[RS0] = { .name = "rs1-0",
	    .role = WIRE_PEER_ROUTE_SERVER,
	    .asn = 65515,
	    .address = IP(10, 1, 0, 4),
	    .local_address = IP(10, 1, 1, 12),
	    .resource = "rs1" },
	[RS1] = { .name = "rs1-1",
	    .role = WIRE_PEER_ROUTE_SERVER,
	    .asn = 65515,
	    .address = IP(10, 1, 0, 5),
	    .local_address = IP(10, 1, 1, 12),
	    .resource = "rs1" },
	[SIB] = { .name = "er1-1",
	    .role = WIRE_PEER_SIBLING,
	    .asn = 65515,
	    .address = IP(10, 1, 1, 13),
	    .local_address = IP(10, 1, 1, 12),
	    .resource = "" },
	[SITE1] = { .name = "branch1",
	    .role = WIRE_PEER_CUSTOMER,
	    .asn = 64901,
	    .address = IP(172, 21, 0, 1),
	    .local_address = IP(10, 1, 1, 4),
	    .weight = 7,
	    .resource = "branch1" },
	[SITE2] = { .name = "branch2",
	    .role = WIRE_PEER_CUSTOMER,
	    .asn = 64902,
	    .address = IP(172, 23, 0, 1),
	    .local_address = IP(10, 1, 1, 4),
	    .resource = "branch2" },
	[ERGW_PEER] = { .name = "er1-0",
	    .role = WIRE_PEER_ER_GATEWAY,
	    .asn = 65515,
	    .address = IP(10, 1, 1, 12),
	    .local_address = IP(10, 1, 1, 4),
	    .resource = "er1" },
};

static struct wire_conf
conf_of(enum wire_kind kind, uint32_t asn, unsigned instance)
{
	return (struct wire_conf){ .name = "me",
		.kind = kind,
		.asn = asn,
		.instance = instance,
		.address = IP(10, 1, 1, 12),
		.peers = peers,
		.n_peers = N_PEERS,
		.gw = &gw_conf };
}

/* A route whose path is written "12076 64900"; several are kept at a time. */
static struct gw_route
route(int from, uint32_t tag, uint32_t weight, const char *path)
{
	static struct bgp_path_buf paths[16];
	static struct bgp_attr_spec specs[16];
	static unsigned next;
	struct bgp_path_buf *b = &paths[next % 16];
	struct bgp_attr_spec *s = &specs[next++ % 16];
	unsigned asn;
	int used;

	bgp_path_load(b, NULL, 0);
	for (; sscanf(path, "%u%n", &asn, &used) == 1; path += used)
		CU_ASSERT_TRUE_FATAL(bgp_path_append(b, asn));
	*s = (struct bgp_attr_spec){ .as_path = b->data,
		.as_path_octets = b->octets,
		.next_hop = from < 0 ? 0 : peers[from].address };
	return (struct gw_route){
		.from = from < 0 ? NULL : &peers[from], .tag = tag, .weight = weight, .attrs = s
	};
}

static const char *
path_text(const struct bgp_attr_spec *s)
{
	static char text[128];

	return bgp_path_format(text, sizeof(text), s->as_path, s->as_path_octets, ' ');
}

static void
check(bool ok, const char *what)
{
	if (ok)
		return;
	CU_FAIL("see the row's name");
	printf("\n%s\n", what);
}

/* ---- ExpressRoute ---- */

static void
test_er_import(void)
{
	struct {
		const char *name;
		int from;
		const char *path;
		uint32_t local_pref;
		bool accept;
		enum hrp_source source;
		uint32_t weight, next_hop;
	} rows[] = {
		{ "ER-19: next hop of NICs, primary", C1_PRI, "12076 64900", 0, true,
		    HRP_SRC_EXPRESS_ROUTE, 10, IP(10, 24, 0, 4) },
		{ "ER-19: secondary", C1_SEC, "12076 64900", 0, true, HRP_SRC_EXPRESS_ROUTE, 10,
		    IP(10, 24, 0, 5) },
		{ "ER-18: weight of the other connection", C2_PRI, "12076 64900", 0, true,
		    HRP_SRC_EXPRESS_ROUTE, 0, IP(10, 24, 1, 4) },
		{ "own ASN in the path", C1_PRI, "12076 65515 64900", 0, false, 0, 0, 0 },
		{ "B2B-5: NVA route keeps its next hop", RS0, "65001", 100, true, HRP_SRC_NVA, 0,
		    IP(10, 1, 0, 4) },
		{ "the sibling's weight is in LOCAL_PREF", SIB, "12076 64900", 110, true,
		    HRP_SRC_EXPRESS_ROUTE, 10, IP(10, 1, 1, 13) },
	};
	struct wire_conf conf = conf_of(WIRE_ER_GATEWAY, 65515, 0);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_route r = route(rows[i].from, 0, 0, rows[i].path);
		struct bgp_attr_spec out = *r.attrs;
		struct gw_import mark = { 0 };
		bool ok;

		out.has_local_pref = rows[i].local_pref != 0;
		out.local_pref = rows[i].local_pref;
		ok = gw_er_import(&conf, r.from, &out, &mark);
		check(ok == rows[i].accept, rows[i].name);
		if (ok)
			check(mark.source == rows[i].source && mark.weight == rows[i].weight &&
				  out.next_hop == rows[i].next_hop,
			    rows[i].name);
	}
}

static void
test_er_export(void)
{
	struct {
		const char *name;
		int from;
		uint32_t tag;
		const char *path;
		uint32_t community;
		int to;
		const char *want; /* NULL: not sent */
	} rows[] = {
		{ "ER-10: VNet prefix", -1, GW_OWN_VNET, "", 0, C1_PRI, "65515" },
		{ "ER-10: spoke prefix", -1, GW_OWN_SPOKE, "", 0, C2_SEC, "65515" },
		{ "ER-11: Route Server's route", RS0, 0, "65001", 0, C1_PRI, "65515 65001" },
		{ "ER-11: prepends are kept towards the MSEE", RS1, 0, "65001 65001", 0, C1_PRI,
		    "65515 65001 65001" },
		{ "B2B-2: a VPN route that the Route Server passes on", RS0, 0, "64901", 0, C1_PRI,
		    "65515 64901" },
		{ "RS-78: NO_ADVERTISE", RS0, 0, "65001", BGP_COMMUNITY_NO_ADVERTISE, C1_PRI,
		    NULL },
		{ "RS-79: NO_EXPORT", RS0, 0, "65001", BGP_COMMUNITY_NO_EXPORT, C1_PRI, NULL },
		{ "B2B-9, ER-32: circuits are not joined", C1_PRI, 0, "12076 64900", 0, C2_PRI,
		    NULL },
		{ "nor the two MSEEs of one", C1_PRI, 0, "12076 64900", 0, C1_SEC, NULL },
		{ "B2B-6: to the Route Server", C1_PRI, 0, "12076 64900", 0, RS0, "12076 64900" },
		{ "B2B-4: to the sibling", C1_PRI, 0, "12076 64900", 0, SIB, "12076 64900" },
		{ "VNet prefixes are the Route Server's own (RS-70)", -1, GW_OWN_VNET, "", 0, RS0,
		    NULL },
		{ "iBGP does not go on over iBGP", RS0, 0, "65001", 0, SIB, NULL },
		{ "the sibling's routes are backup only", SIB, 0, "12076 64900", 0, RS0, NULL },
		{ "and not for MSEEs", SIB, 0, "12076 64900", 0, C1_PRI, NULL },
	};
	struct wire_conf conf = conf_of(WIRE_ER_GATEWAY, 65515, 0);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_route r = route(rows[i].from, rows[i].tag, 10, rows[i].path);
		struct bgp_attr_spec in = *r.attrs, out;
		bool sent;

		in.communities = &rows[i].community;
		in.n_communities = rows[i].community != 0;
		r.attrs = &in;
		out = in;
		sent = gw_er_export(&conf, &r, &peers[rows[i].to], &buf, &out);
		check(sent == (rows[i].want != NULL), rows[i].name);
		if (!sent || rows[i].want == NULL)
			continue;
		check(strcmp(path_text(&out), rows[i].want) == 0, rows[i].name);
		if (peers[rows[i].to].role == WIRE_PEER_MSEE)
			check(
			    out.next_hop == IP(10, 1, 1, 12) && !out.has_local_pref, rows[i].name);
		else /* ER-18 for the Route Server */
			check(out.has_local_pref && out.local_pref == 110 &&
				  out.next_hop == in.next_hop,
			    rows[i].name);
	}
}

static void
test_er_default_route_passes_ER_12(void)
{
	struct wire_conf conf = conf_of(WIRE_ER_GATEWAY, 65515, 0);
	struct ipnet def = { 0, 0 };
	struct gw_route r = route(RS0, 0, 0, "65001");

	CU_ASSERT_FALSE(gw_is_vnet_prefix(&conf, &def));
	CU_ASSERT_TRUE(gw_er_goes_out(&r));
}

static void
test_vnet_prefixes_are_filtered_VPN_10(void)
{
	struct wire_conf conf = conf_of(WIRE_VPN_GATEWAY, 65515, 0);
	struct {
		const char *name;
		struct ipnet p;
		bool filtered;
	} rows[] = {
		{ "own VNet", { IP(10, 1, 0, 0), 16 }, true },
		{ "inside own VNet", { IP(10, 1, 2, 0), 24 }, true },
		{ "spoke with gateway transit", { IP(10, 11, 0, 0), 16 }, true },
		{ "inside it", { IP(10, 12, 1, 1), 32 }, true },
		{ "supernet", { IP(10, 0, 0, 0), 8 }, false },
		{ "VNet peered without transit", { IP(10, 13, 0, 0), 16 }, false },
		{ "0/0 (VPN-11)", { 0, 0 }, false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		check(gw_is_vnet_prefix(&conf, &rows[i].p) == rows[i].filtered, rows[i].name);
}

/* ---- selection ---- */

struct pick_row {
	const char *name;
	unsigned instance;
	struct {
		int from;
		uint32_t tag, weight;
		const char *path; /* NULL ends */
	} in[5];
	size_t n;       /* winners */
	uint16_t first; /* index of the first */
};

static void
test_selection(void)
{
	static const struct pick_row rows[] = {
		{ "ER-18: weight goes before AS path", 0,
		    { { C2_PRI, 0, 0, "12076 64900" },
			{ C1_PRI, 0, 10, "12076 64900 64900 64900" } },
		    1, 1 },
		{ "ER-18: then the shorter AS path", 0,
		    { { C1_PRI, 0, 10, "12076 64900 64900" }, { C2_PRI, 0, 10, "12076 64900" } }, 1,
		    1 },
		{ "ER-18: then ECMP", 0,
		    { { C1_PRI, 0, 0, "12076 64900" }, { C1_SEC, 0, 0, "12076 64900" },
			{ C2_PRI, 0, 0, "12076 64900" }, { C2_SEC, 0, 0, "12076 64900" } },
		    4, 0 },
		{ "ER-19: instance 0 shows the primary", 0,
		    { { C1_SEC, 0, 0, "12076 64900" }, { C1_PRI, 0, 0, "12076 64900" } }, 2, 1 },
		{ "ER-19: instance 1 the secondary", 1,
		    { { C1_SEC, 0, 0, "12076 64900" }, { C1_PRI, 0, 0, "12076 64900" } }, 2, 0 },
		{ "B2B-11: both instances show one circuit", 1,
		    { { C2_SEC, 0, 0, "12076 64900" }, { C1_PRI, 0, 0, "12076 64900" } }, 2, 1 },
		{ "the sibling is backup, whatever its path", 0,
		    { { SIB, 0, 10, "12076" }, { C1_PRI, 0, 10, "12076 64900" } }, 1, 1 },
		{ "a branch goes before the Route Server", 0,
		    { { RS0, 0, 0, "65001" }, { C1_PRI, 0, 0, "12076 64900" } }, 1, 1 },
		{ "an own VNet before all", 0,
		    { { C1_PRI, 0, 10, "12076" }, { -1, GW_OWN_VNET, 0, "" } }, 1, 1 },
		{ "VPN-6: a static prefix has the shorter path", 0,
		    { { SITE1, 0, 0, "64901" }, { -1, GW_OWN_STATIC, 0, "" } }, 1, 1 },
		{ "one path", 0, { { SIB, 0, 0, "12076" } }, 1, 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct wire_conf conf = conf_of(WIRE_ER_GATEWAY, 65515, rows[i].instance);
		struct gw_route routes[5];
		uint16_t winners[SPEAKER_PATHS_MAX];
		size_t n = 0;

		for (; n < 5 && rows[i].in[n].path != NULL; n++)
			routes[n] = route(rows[i].in[n].from, rows[i].in[n].tag,
			    rows[i].in[n].weight, rows[i].in[n].path);
		check(gw_select(&conf, routes, n, winners) == rows[i].n, rows[i].name);
		check(winners[0] == rows[i].first, rows[i].name);
	}
}

/* ---- MSEE ---- */

static void
test_msee_export(void)
{
	struct {
		const char *name;
		int from, to;
		const char *path, *want;
	} rows[] = {
		{ "ER-11: VNet prefix", ERGW_PEER, SITE1, "65515", "12076" },
		{ "ER-11: NVA route, private ASNs removed", ERGW_PEER, SITE1,
		    "65515 65001 65001 65001", "12076" },
		{ "OPEN-17: public ASN is kept", ERGW_PEER, SITE1, "65515 65001 8075 65002",
		    "12076 8075" },
		{ "OPEN-17: private ASNs of 32 bits", ERGW_PEER, SITE1, "65515 4200000000",
		    "12076" },
		{ "ER-17: customer route to the gateway", SITE1, ERGW_PEER, "64900",
		    "12076 64900" },
		{ "prepends of the customer are kept", SITE1, ERGW_PEER, "64900 64900",
		    "12076 64900 64900" },
		{ "ER-31: no reflection between gateways", ERGW_PEER, ERGW_PEER, "65515", NULL },
		{ "nor between customers", SITE1, SITE2, "64901", NULL },
	};
	struct wire_conf conf = conf_of(WIRE_MSEE, 12076, 0);
	struct wire_msee_conf strict = { .circuit = "", .strips_public = true };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_route r = route(rows[i].from, 0, 0, rows[i].path);
		struct bgp_attr_spec out = *r.attrs;
		bool sent = gw_msee_export(&conf, &r, &peers[rows[i].to], &buf, &out);

		check(sent == (rows[i].want != NULL), rows[i].name);
		if (sent && rows[i].want != NULL)
			check(strcmp(path_text(&out), rows[i].want) == 0 &&
				  out.next_hop == peers[rows[i].to].local_address,
			    rows[i].name);
	}
	/* OPEN-17, the other way: towards the customer nothing but 12076. */
	conf.msee = &strict;
	for (int to = SITE1; to <= ERGW_PEER; to += ERGW_PEER - SITE1) {
		struct gw_route r =
		    route(to == SITE1 ? ERGW_PEER : SITE1, 0, 0, "64900 65001 8075");
		struct bgp_attr_spec out = *r.attrs;

		check(gw_msee_export(&conf, &r, &peers[to], &buf, &out), "OPEN-17: sent");
		check(
		    strcmp(path_text(&out), to == SITE1 ? "12076" : "12076 64900 65001 8075") == 0,
		    "OPEN-17: all ASNs are stripped, towards the customer");
	}
}

/* ER-9: under maintenance the path is longer, towards both sides. */
static void
test_msee_maintenance(void)
{
	static const struct {
		int from, to;
		const char *path, *want;
	} rows[] = {
		{ ERGW_PEER, SITE1, "65515 65001", "12076 12076 12076 12076" },
		{ SITE1, ERGW_PEER, "64900", "12076 12076 12076 12076 64900" },
	};
	const struct wire_msee_conf msee = { .circuit = "c", .prepend = 3 };
	struct wire_conf conf = conf_of(WIRE_MSEE, 12076, 0);

	conf.msee = &msee;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_route r = route(rows[i].from, 0, 0, rows[i].path);
		struct bgp_attr_spec out = *r.attrs;

		CU_ASSERT_TRUE(gw_msee_export(&conf, &r, &peers[rows[i].to], &buf, &out));
		CU_ASSERT_STRING_EQUAL(path_text(&out), rows[i].want);
	}
}

static void
test_msee_import(void)
{
	static uint32_t community = BGP_COMMUNITY(64900, 1);
	struct wire_conf conf = conf_of(WIRE_MSEE, 12076, 0);
	struct gw_route r = route(SITE1, 0, 0, "64900"),
			loop = route(ERGW_PEER, 0, 0, "65515 12076");
	struct bgp_attr_spec out = *r.attrs;
	struct gw_import mark;

	/* ER-8: communities of the customer are ignored; ER-15: LocPrf 100. */
	out.communities = &community;
	out.n_communities = 1;
	CU_ASSERT_TRUE(gw_msee_import(&conf, r.from, &out, &mark));
	CU_ASSERT_EQUAL(out.n_communities, 0);
	CU_ASSERT_EQUAL(out.local_pref, 100);
	out = *loop.attrs;
	CU_ASSERT_FALSE(gw_msee_import(&conf, loop.from, &out, &mark));
}

/* ---- VPN ---- */

static void
test_vpn_export(void)
{
	struct {
		const char *name;
		int from;
		uint32_t tag;
		const char *path;
		struct ipnet p;
		int to;
		const char *want;
	} rows[] = {
		{ "VPN-8: VNet", -1, GW_OWN_VNET, "", { IP(10, 1, 0, 0), 16 }, SITE1, "65515" },
		{ "VPN-8: spoke", -1, GW_OWN_SPOKE, "", { IP(10, 11, 0, 0), 16 }, SITE1, "65515" },
		{ "VPN-8: LNG prefix of another connection", -1, GW_OWN_STATIC, "",
		    { IP(172, 22, 0, 0), 16 }, SITE1, "65515" },
		{ "VPN-9: transit between sites", SITE2, 0, "64902", { IP(172, 23, 0, 0), 16 },
		    SITE1, "65515 64902" },
		{ "not back over its connection", SITE1, 0, "64901", { IP(172, 21, 0, 0), 16 },
		    SITE1, NULL },
		{ "B2B-7: Route Server's route", RS0, 0, "65001", { IP(192, 168, 0, 0), 16 }, SITE1,
		    "65515 65001" },
		{ "B2B-7: ER route", RS0, 0, "12076 64900", { IP(172, 20, 0, 0), 16 }, SITE1,
		    "65515 12076 64900" },
		{ "VPN-12, B2B-14: 0/0 of the Route Server", RS0, 0, "65001", { 0, 0 }, SITE1,
		    NULL },
		{ "VPN-12: 0/0 of another site", SITE2, 0, "64902", { 0, 0 }, SITE1, NULL },
		{ "VPN-12: halves pass", RS0, 0, "65001", { 0, 1 }, SITE1, "65515 65001" },
		{ "VPN-12: the other half", RS0, 0, "65001", { IP(128, 0, 0, 0), 1 }, SITE2,
		    "65515 65001" },
		{ "VPN-8: inside a VNet", RS0, 0, "65001", { IP(10, 1, 2, 0), 24 }, SITE1, NULL },
		{ "RS-53: a supernet", RS0, 0, "65001", { IP(10, 0, 0, 0), 8 }, SITE1,
		    "65515 65001" },
		{ "VPN-20: P2S pool to a site", -1, GW_OWN_P2S, "", { IP(192, 168, 9, 0), 24 },
		    SITE1, "65515" },
		{ "VPN-15: peer /32 is for listings", -1, GW_OWN_PEER, "",
		    { IP(172, 21, 0, 1), 32 }, SITE2, NULL },
		{ "B2B-6: site to the Route Server", SITE1, 0, "64901", { IP(172, 21, 0, 0), 16 },
		    RS0, "64901" },
		{ "B2B-6: LNG prefix, empty path", -1, GW_OWN_STATIC, "", { IP(172, 22, 0, 0), 16 },
		    RS0, "" },
		{ "VPN-11: 0/0 of a site reaches the Route Server", SITE1, 0, "64901", { 0, 0 },
		    RS0, "64901" },
		{ "RS-70: VNet prefix not to the Route Server", -1, GW_OWN_VNET, "",
		    { IP(10, 1, 0, 0), 16 }, RS0, NULL },
		{ "VPN-13: site to the sibling", SITE1, 0, "64901", { IP(172, 21, 0, 0), 16 }, SIB,
		    "64901" },
		{ "LNG prefixes are the sibling's own", -1, GW_OWN_STATIC, "",
		    { IP(172, 22, 0, 0), 16 }, SIB, NULL },
		{ "P2S pools too", -1, GW_OWN_P2S, "", { IP(192, 168, 9, 0), 24 }, SIB, NULL },
		{ "iBGP does not go on over iBGP", SIB, 0, "64901", { IP(172, 21, 0, 0), 16 }, RS0,
		    NULL },
		{ "the sibling's route to another site", SIB, 0, "64902", { IP(172, 23, 0, 0), 16 },
		    SITE1, "65515 64902" },
	};
	struct wire_conf conf = conf_of(WIRE_VPN_GATEWAY, 65515, 0);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gw_route r = route(rows[i].from, rows[i].tag, 0, rows[i].path);
		const struct wire_peer *to = &peers[rows[i].to];
		struct bgp_attr_spec out = *r.attrs;
		bool sent = gw_vpn_export_prefix(&conf, &r, to, &rows[i].p) &&
			    gw_vpn_export(&conf, &r, to, &buf, &out);

		check(sent == (rows[i].want != NULL), rows[i].name);
		if (sent && rows[i].want != NULL)
			check(strcmp(path_text(&out), rows[i].want) == 0, rows[i].name);
	}
	/* OPEN-13, the other way: to another VNet's gateway, what sites said but not what the Route
	 * Server did. */
	for (int from = RS0; from <= SITE2; from += SITE2 - RS0) {
		struct gw_route r = route(from, 0, 0, "64902");
		struct wire_peer to = peers[SITE1];
		struct bgp_attr_spec out = *r.attrs;

		to.no_export_of_learned = true;
		check(gw_vpn_export(&conf, &r, &to, &buf, &out) == (from == SITE2), "OPEN-13");
	}
}

static void
test_p2s_pool_is_for_the_nics_only_B2B_8(void)
{
	struct wire_conf conf = conf_of(WIRE_VPN_GATEWAY, 65515, 0);
	struct gw_route r = route(-1, GW_OWN_P2S, 0, "");
	struct bgp_attr_spec out = *r.attrs;

	CU_ASSERT_TRUE_FATAL(gw_vpn_export(&conf, &r, &peers[RS0], &buf, &out));
	CU_ASSERT_EQUAL_FATAL(out.n_communities, 1);
	CU_ASSERT_EQUAL(out.communities[0], BGP_COMMUNITY_NO_ADVERTISE);
}

static void
test_vpn_next_hop_VPN_14(void)
{
	struct wire_conf conf = conf_of(WIRE_VPN_GATEWAY, 65515, 0);
	struct wire_gw_conf standby = gw_conf;
	struct gw_route r = route(SITE1, 0, 0, "64901");
	struct bgp_attr_spec out = *r.attrs;
	struct gw_import mark;

	/* Active-active: the instance's BGP address; weight of the connection. */
	CU_ASSERT_TRUE(gw_vpn_import(&conf, r.from, &out, &mark));
	CU_ASSERT_EQUAL(out.next_hop, IP(10, 1, 1, 12));
	CU_ASSERT_EQUAL(mark.weight, 7);
	CU_ASSERT_EQUAL(mark.source, HRP_SRC_VPN);
	/* Active-standby: the public address. */
	standby.active_active = false;
	standby.public_address = IP(20, 0, 0, 1);
	conf.gw = &standby;
	out = *r.attrs;
	CU_ASSERT_TRUE(gw_vpn_import(&conf, r.from, &out, &mark));
	CU_ASSERT_EQUAL(out.next_hop, IP(20, 0, 0, 1));
}

static CU_TestInfo tests[] = {
	{ "ER-16 ... ER-19: what an ER gateway learns", test_er_import },
	{ "ER-10 ... ER-12, B2B-*: what it advertises", test_er_export },
	{ "ER-12: the default route passes", test_er_default_route_passes_ER_12 },
	{ "VPN-10: VNet prefixes are filtered", test_vnet_prefixes_are_filtered_VPN_10 },
	{ "ER-18, ER-19, B2B-11: selection", test_selection },
	{ "ER-11, OPEN-17: what an MSEE advertises", test_msee_export },
	{ "ER-9: an MSEE under maintenance", test_msee_maintenance },
	{ "ER-8, ER-15: what it learns", test_msee_import },
	{ "VPN-8 ... VPN-13, B2B-6: what a VPN gateway advertises", test_vpn_export },
	{ "B2B-8: a P2S pool is for NICs only", test_p2s_pool_is_for_the_nics_only_B2B_8 },
	{ "VPN-14: next hop of NICs", test_vpn_next_hop_VPN_14 },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("gw_policy", tests)
