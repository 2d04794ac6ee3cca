#include "routeserverd/rs_policy.h"

#include "lib/err.h"
#include "tests/unit/fab_cunit.h"

#include <string.h>

#define SELF 0x0a010004u /* 10.1.0.4 */
#define PATH(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct bgp_attr_table *table;
static struct speaker_scratch scratch;

/* An attribute set; path ends with 0. */
static struct bgp_attrs *
attrs(const uint32_t *path, uint32_t community, uint32_t local_pref)
{
	static struct bgp_path_buf buf;
	struct bgp_attr_spec spec = { .origin = BGP_ORIGIN_INCOMPLETE,
		.next_hop = 0x0a010204,
		.has_med = true,
		.med = 7,
		.has_local_pref = local_pref != 0,
		.local_pref = local_pref,
		.communities = &community,
		.n_communities = community != 0 };

	bgp_path_load(&buf, NULL, 0);
	for (size_t i = 0; path[i] != 0; i++)
		bgp_path_append(&buf, path[i]);
	spec.as_path = buf.data;
	spec.as_path_octets = buf.octets;
	return bgp_attrs_intern(table, &spec);
}

static struct ipnet
net(const char *text)
{
	struct ipnet n = { 0, 0 };

	CU_ASSERT_EQUAL(ipnet_parse(&n, text), FAB_OK);
	return n;
}

/* hub1 of the reference plan: its VNet, s11 and s12. */
static void
setup(struct rs_policy *p, bool b2b)
{
	struct ipnet vnet[] = { net("10.1.0.0/16") };
	struct ipnet spokes[] = { net("10.12.0.0/16"), net("10.11.0.0/16"), net("10.11.64.0/18") };
	struct wire_rs_conf conf = { .vnet = { vnet, 1 },
		.spokes = { spokes, 3 },
		.branch_to_branch = b2b,
		.max_next_hops = 8 };

	CU_ASSERT_EQUAL_FATAL(rs_policy_init(p, &conf, SELF), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(bgp_attr_table_new(&table), FAB_OK);
}

static void
teardown(struct rs_policy *p)
{
	CU_ASSERT_EQUAL(bgp_attr_table_count(table), 0);
	bgp_attr_table_free(table);
	rs_policy_fini(p);
}

/* ---- import ---- */

static void
test_import_of_attributes(void)
{
	static const struct {
		const char *rule;
		enum rs_side from;
		uint32_t path[4], community, local_pref;
		bool taken;
		enum hrp_source source;
		uint32_t weight;
	} rows[] = {
		{ "NVA", RS_SIDE_NVA, PATH(65001), 0, 0, true, HRP_SRC_NVA, 0 },
		{ "RS-50 first", RS_SIDE_NVA, PATH(65515), 0, 0, false, 0, 0 },
		{ "RS-50, MR-2", RS_SIDE_NVA, PATH(65001, 65002, 65515), 0, 0, false, 0, 0 },
		{ "RS-50 from a gateway", RS_SIDE_VPN, PATH(64901, 65515), 0, 0, false, 0, 0 },
		{ "RS-40 neighbours of 65515 are no loop", RS_SIDE_NVA, PATH(65514, 65516), 0, 0,
		    true, HRP_SRC_NVA, 0 },
		{ "RS-58, OPEN-15 LOCAL_PREF of an NVA", RS_SIDE_NVA, PATH(65001), 0, 500, true,
		    HRP_SRC_NVA, 0 },
		{ "RS-78 is no reason to drop", RS_SIDE_NVA, PATH(65001),
		    BGP_COMMUNITY_NO_ADVERTISE, 0, true, HRP_SRC_NVA, 0 },
		{ "RS-80 marker from an NVA", RS_SIDE_NVA, PATH(65001), RS_COMMUNITY_ROUTE, 0, true,
		    HRP_SRC_NVA, 0 },
		{ "ER", RS_SIDE_ER, PATH(12076, 64900), 0, 100, true, HRP_SRC_EXPRESS_ROUTE, 0 },
		{ "ER-18", RS_SIDE_ER, PATH(12076, 64900), 0, 110, true, HRP_SRC_EXPRESS_ROUTE,
		    10 },
		{ "ER-30, OPEN-14 reflected VNet", RS_SIDE_ER, PATH(12076, 12076), 0, 0, true,
		    HRP_SRC_EXPRESS_ROUTE, 0 },
		{ "B2B-10, OPEN-14 route of another Route Server", RS_SIDE_ER, PATH(12076, 12076),
		    RS_COMMUNITY_ROUTE, 0, false, 0, 0 },
		{ "VPN", RS_SIDE_VPN, PATH(64901), 0, 0, true, HRP_SRC_VPN, 0 },
		{ "B2B-8, VPN-20 P2S pool", RS_SIDE_VPN, PATH(0), BGP_COMMUNITY_NO_ADVERTISE, 0,
		    true, HRP_SRC_P2S, 0 },
		{ "B2B-6 static connection", RS_SIDE_VPN, PATH(0), 0, 0, true, HRP_SRC_VPN_STATIC,
		    0 },
	};
	struct rs_policy p;

	setup(&p, false);
	for (size_t i = 0; i < N(rows); i++) {
		struct bgp_attrs *in = attrs(rows[i].path, rows[i].community, rows[i].local_pref);
		struct speaker_path path = { 0 };
		bool taken = rs_import_attrs(rows[i].from, in, &path);

		if (taken != rows[i].taken)
			printf("\n%s", rows[i].rule);
		CU_ASSERT_EQUAL(taken, rows[i].taken);
		if (taken) {
			CU_ASSERT_EQUAL(path.source, rows[i].source);
			CU_ASSERT_EQUAL(path.weight, rows[i].weight);
		}
		bgp_attrs_unref(table, in);
	}
	teardown(&p);
}

static void
test_import_of_prefixes(void)
{
	static const struct {
		const char *rule, *prefix;
		bool taken;
	} rows[] = {
		{ "RS-51 equal", "10.1.0.0/16", false },
		{ "RS-51 a subnet", "10.1.0.0/26", false },
		{ "RS-51 a host", "10.1.255.255/32", false },
		{ "RS-51 equal to a spoke", "10.11.0.0/16", false },
		{ "RS-51 inside a spoke", "10.12.3.0/24", false },
		{ "RS-51 inside an entry inside an entry", "10.11.65.0/24", false },
		{ "RS-51 behind an entry inside an entry", "10.11.128.0/24", false },
		{ "RS-53 supernet", "10.0.0.0/8", true },
		{ "RS-53 next supernet", "10.10.0.0/15", true },
		{ "RS-54 peered without gateway transit", "10.2.0.0/16", true },
		{ "RS-55 default route", "0.0.0.0/0", true },
		{ "below the first", "9.0.0.0/8", true },
		{ "above the last", "10.13.0.0/16", true },
		{ "the last address", "255.255.255.255/32", true },
	};
	struct rs_policy p;

	setup(&p, false);
	for (size_t i = 0; i < N(rows); i++) {
		struct ipnet n = net(rows[i].prefix);

		if (rs_import_prefix(&p, &n) != rows[i].taken)
			printf("\n%s", rows[i].rule);
		CU_ASSERT_EQUAL(rs_import_prefix(&p, &n), rows[i].taken);
	}
	teardown(&p);
}

static void
test_differences_that_matter(void)
{
	struct rs_policy a, b;

	setup(&a, false);
	bgp_attr_table_free(table);
	setup(&b, false);
	CU_ASSERT_FALSE(rs_policy_differs(&a, &b));
	b.branch_to_branch = true;
	CU_ASSERT(rs_policy_differs(&a, &b));
	b = (struct rs_policy){ .covered = b.covered,
		.n_covered = b.n_covered,
		.address = SELF,
		.max_next_hops = 8,
		.preference = HRP_PREF_AS_PATH };
	CU_ASSERT(rs_policy_differs(&a, &b));
	b.preference = HRP_PREF_EXPRESS_ROUTE;
	CU_ASSERT_FALSE(rs_policy_differs(&a, &b));
	b.covered[1].addr++;
	CU_ASSERT(rs_policy_differs(&a, &b));
	rs_policy_fini(&b);
	teardown(&a);
}

/* ---- selection ---- */

#define NVA(len, nh, peer)                                                                         \
	{                                                                                          \
		{ HRP_SRC_NVA, len, 0 }, nh, peer                                                  \
	}
#define ER(len, nh, peer)                                                                          \
	{                                                                                          \
		{ HRP_SRC_EXPRESS_ROUTE, len, 0 }, nh, peer                                        \
	}

static void
test_selection(void)
{
	static const struct {
		const char *rule;
		enum hrp_pref pref;
		size_t max, n;
		struct rs_candidate c[5];
		size_t n_winners;
		uint16_t winners[5];
	} rows[] = {
		{ "RS-60 active and passive", HRP_PREF_EXPRESS_ROUTE, 8, 2,
		    { NVA(1, 4, 4), NVA(3, 5, 5) }, 1, { 0 } },
		{ "RS-60 ECMP, lowest peer first", HRP_PREF_EXPRESS_ROUTE, 8, 3,
		    { NVA(1, 6, 6), NVA(1, 4, 4), NVA(1, 5, 5) }, 3, { 1, 2, 0 } },
		{ "RS-56 one load balancer is one next hop", HRP_PREF_EXPRESS_ROUTE, 1, 2,
		    { NVA(1, 9, 4), NVA(1, 9, 5) }, 2, { 0, 1 } },
		{ "RS-27 limit of next hops", HRP_PREF_EXPRESS_ROUTE, 2, 4,
		    { NVA(1, 7, 7), NVA(1, 5, 5), NVA(1, 4, 4), NVA(1, 4, 6) }, 3, { 2, 1, 3 } },
		{ "RS-27 no limit", HRP_PREF_EXPRESS_ROUTE, 0, 3,
		    { NVA(1, 7, 7), NVA(1, 5, 5), NVA(1, 4, 4) }, 3, { 2, 1, 0 } },
		{ "RS-61, HRP-8 ER wins", HRP_PREF_EXPRESS_ROUTE, 8, 2,
		    { NVA(1, 4, 4), ER(2, 12, 12) }, 1, { 1 } },
		{ "RS-61, HRP-4 by path", HRP_PREF_AS_PATH, 8, 2, { NVA(1, 4, 4), ER(2, 12, 12) },
		    1, { 0 } },
		{ "our own prefix", HRP_PREF_EXPRESS_ROUTE, 8, 3,
		    { ER(1, 12, 12), NVA(0, 0, 0), NVA(1, 4, 4) }, 1, { 1 } },
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct rs_policy p = { .preference = rows[i].pref, .max_next_hops = rows[i].max };
		uint16_t got[5] = { 0 };
		size_t n = rs_select(&p, rows[i].c, rows[i].n, got);

		if (n != rows[i].n_winners)
			printf("\n%s: %zu", rows[i].rule, n);
		CU_ASSERT_EQUAL(n, rows[i].n_winners);
		CU_ASSERT_EQUAL(memcmp(got, rows[i].winners, n * sizeof(got[0])), 0);
	}
}

/* ---- export ---- */

static void
test_who_gets_what(void)
{
	static const struct {
		const char *rule;
		enum rs_side from, to;
		uint32_t community;
		bool off, on; /* sent without and with branch-to-branch */
	} rows[] = {
		{ "RS-70", RS_SIDE_OWN, RS_SIDE_NVA, 0, true, true },
		{ "gateways know VNets", RS_SIDE_OWN, RS_SIDE_ER, 0, false, false },
		{ "RS-72", RS_SIDE_NVA, RS_SIDE_NVA, 0, true, true },
		{ "B2B-1, B2B-2 NVA to ER", RS_SIDE_NVA, RS_SIDE_ER, 0, false, true },
		{ "B2B-1, B2B-2 NVA to VPN", RS_SIDE_NVA, RS_SIDE_VPN, 0, false, true },
		{ "RS-73 ER to NVA", RS_SIDE_ER, RS_SIDE_NVA, 0, false, true },
		{ "RS-73 VPN to NVA", RS_SIDE_VPN, RS_SIDE_NVA, 0, false, true },
		{ "B2B-2 ER to VPN", RS_SIDE_ER, RS_SIDE_VPN, 0, false, true },
		{ "B2B-2 VPN to ER", RS_SIDE_VPN, RS_SIDE_ER, 0, false, true },
		{ "B2B-9 ER to ER", RS_SIDE_ER, RS_SIDE_ER, 0, false, false },
		{ "VPN to VPN", RS_SIDE_VPN, RS_SIDE_VPN, 0, false, false },
		{ "RS-78 to NVA", RS_SIDE_NVA, RS_SIDE_NVA, BGP_COMMUNITY_NO_ADVERTISE, false,
		    false },
		{ "RS-78 to ER", RS_SIDE_NVA, RS_SIDE_ER, BGP_COMMUNITY_NO_ADVERTISE, false,
		    false },
		{ "RS-78 to VPN", RS_SIDE_ER, RS_SIDE_VPN, BGP_COMMUNITY_NO_ADVERTISE, false,
		    false },
		{ "RS-79, OPEN-18 to NVA", RS_SIDE_NVA, RS_SIDE_NVA, BGP_COMMUNITY_NO_EXPORT, false,
		    false },
		{ "RS-79, OPEN-18 to ER", RS_SIDE_NVA, RS_SIDE_ER, BGP_COMMUNITY_NO_EXPORT, false,
		    true },
		{ "RS-79 ER to NVA", RS_SIDE_ER, RS_SIDE_NVA, BGP_COMMUNITY_NO_EXPORT, false,
		    false },
	};
	static const uint32_t path[] = { 65001, 0 };
	struct rs_policy p;

	setup(&p, false);
	for (size_t i = 0; i < N(rows); i++) {
		struct bgp_attrs *in = attrs(path, rows[i].community, 0);
		struct rs_export x = { .from = rows[i].from, .to = rows[i].to, .in = in };
		struct bgp_attr_spec out = in->s;
		bool off, on;

		p.branch_to_branch = false;
		off = rs_export(&p, &x, &scratch, &out);
		out = in->s;
		p.branch_to_branch = true;
		on = rs_export(&p, &x, &scratch, &out);
		if (off != rows[i].off || on != rows[i].on)
			printf("\n%s: off %d, on %d", rows[i].rule, off, on);
		CU_ASSERT_EQUAL(off, rows[i].off);
		CU_ASSERT_EQUAL(on, rows[i].on);
		/* OPEN-18: with the other choice NO_EXPORT is a community like others. */
		p.no_export_passes = true;
		out = in->s;
		on = rs_export(&p, &x, &scratch, &out);
		p.no_export_passes = false;
		CU_ASSERT_EQUAL(on, rows[i].on || rows[i].community == BGP_COMMUNITY_NO_EXPORT);
		bgp_attrs_unref(table, in);
	}
	teardown(&p);
}

static void
test_what_they_get(void)
{
	static const struct {
		const char *rule;
		enum rs_side from, to;
		enum rs_tag tag;
		uint32_t path[4], community;
		const char *out_path;
		uint32_t communities[2]; /* 0: none */
		bool own_next_hop;
		uint8_t origin;
	} rows[] = {
		{ "RS-70", RS_SIDE_OWN, RS_SIDE_NVA, RS_TAG_VNET, PATH(0), 0, "65515", { 0 }, true,
		    BGP_ORIGIN_IGP },
		{ "RS-71", RS_SIDE_OWN, RS_SIDE_NVA, RS_TAG_SPOKE, PATH(0), 0, "65515",
		    { RS_COMMUNITY_SPOKE }, true, BGP_ORIGIN_IGP },
		{ "RS-72", RS_SIDE_NVA, RS_SIDE_NVA, 0, PATH(65001), 0, "65515 65001",
		    { RS_COMMUNITY_ROUTE }, true, BGP_ORIGIN_IGP },
		{ "RS-58 communities stay", RS_SIDE_NVA, RS_SIDE_NVA, 0, PATH(65001),
		    BGP_COMMUNITY(65001, 7), "65515 65001",
		    { BGP_COMMUNITY(65001, 7), RS_COMMUNITY_ROUTE }, true, BGP_ORIGIN_IGP },
		{ "RS-73 VPN", RS_SIDE_VPN, RS_SIDE_NVA, 0, PATH(64901), 0, "65515 64901",
		    { RS_COMMUNITY_ROUTE }, true, BGP_ORIGIN_IGP },
		{ "RS-73 ER", RS_SIDE_ER, RS_SIDE_NVA, 0, PATH(12076, 64900), 0,
		    "65515 12076 64900", { RS_COMMUNITY_ROUTE }, true, BGP_ORIGIN_IGP },
		{ "B2B-5", RS_SIDE_NVA, RS_SIDE_ER, 0, PATH(65001), 0, "65001",
		    { RS_COMMUNITY_ROUTE }, false, BGP_ORIGIN_INCOMPLETE },
		{ "B2B-2", RS_SIDE_ER, RS_SIDE_VPN, 0, PATH(12076, 64900), 0, "12076 64900",
		    { RS_COMMUNITY_ROUTE }, false, BGP_ORIGIN_INCOMPLETE },
	};
	struct rs_policy p;

	setup(&p, true);
	for (size_t i = 0; i < N(rows); i++) {
		struct bgp_attrs *in = attrs(rows[i].path, rows[i].community, 130), *sent;
		struct rs_export x = {
			.from = rows[i].from, .to = rows[i].to, .tag = rows[i].tag, .in = in
		};
		struct bgp_attr_spec out = in->s;
		char text[64];
		size_t n = 0;

		CU_ASSERT_FATAL(rs_export(&p, &x, &scratch, &out));
		sent = bgp_attrs_intern(table, &out);
		bgp_path_format(text, sizeof(text), sent->s.as_path, sent->s.as_path_octets, ' ');
		if (strcmp(text, rows[i].out_path) != 0)
			printf("\n%s: %s", rows[i].rule, text);
		CU_ASSERT_STRING_EQUAL(text, rows[i].out_path);
		CU_ASSERT_EQUAL(sent->s.next_hop, rows[i].own_next_hop ? SELF : in->s.next_hop);
		CU_ASSERT_EQUAL(sent->s.origin, rows[i].origin);
		CU_ASSERT_FALSE(sent->s.has_med || sent->s.has_local_pref);
		for (; n < 2 && rows[i].communities[n] != 0; n++)
			CU_ASSERT(bgp_attrs_has_community(sent, rows[i].communities[n]));
		CU_ASSERT_EQUAL(sent->s.n_communities, n);
		bgp_attrs_unref(table, sent);
		bgp_attrs_unref(table, in);
	}
	teardown(&p);
}

static void
test_too_many_communities_are_not_sent(void)
{
	static uint32_t many[RS_COMMUNITIES_MAX + 1];
	struct bgp_attr_spec spec = { .next_hop = 1, .communities = many };
	struct rs_policy p;

	setup(&p, true);
	for (uint32_t i = 0; i < N(many); i++)
		many[i] = BGP_COMMUNITY(65001, i);
	for (uint16_t n = RS_COMMUNITIES_MAX; n <= RS_COMMUNITIES_MAX + 1; n++) {
		struct bgp_attrs *in;
		struct rs_export x = { .from = RS_SIDE_NVA, .to = RS_SIDE_NVA };
		struct bgp_attr_spec out;

		spec.n_communities = n;
		x.in = in = bgp_attrs_intern(table, &spec);
		out = in->s;
		CU_ASSERT_EQUAL(rs_export(&p, &x, &scratch, &out), n <= RS_COMMUNITIES_MAX);
		bgp_attrs_unref(table, in);
	}
	teardown(&p);
}

static CU_TestInfo tests[] = {
	{ "RS-50, RS-58, B2B-6, B2B-10, ER-18: import of attributes", test_import_of_attributes },
	{ "RS-51, RS-53, RS-54, RS-55: import of prefixes", test_import_of_prefixes },
	{ "a change of policy is noticed", test_differences_that_matter },
	{ "RS-27, RS-56, RS-60, RS-61: selection", test_selection },
	{ "RS-70 ... RS-73, RS-78, RS-79, B2B-1, B2B-2, B2B-9: who gets what", test_who_gets_what },
	{ "RS-70 ... RS-73, B2B-5: what they get", test_what_they_get },
	{ "too many communities are not sent", test_too_many_communities_are_not_sent },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("rs_policy", tests)
