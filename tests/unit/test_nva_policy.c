/*
 * nva_policy: what a router takes, and what it makes of a route for one peer.
 */
#include "nvad/nva_policy.h"
#include "tests/unit/fab_cunit.h"

#include <string.h>

#define ME            65001u
#define SELF          0x0a010204u /* 10.1.2.4 */
#define PATH_MAX_TEXT 128

static struct speaker_scratch buf;

static uint32_t rsv_and_msee[] = { 65515, 12076 };
static uint32_t no_advertise[] = { BGP_COMMUNITY_NO_ADVERTISE };

static struct wire_conf conf = { .asn = ME, .relay = true, .address = SELF };

/* A spec whose path is asns (0 ends). */
static struct bgp_attr_spec
spec_of(struct bgp_path_buf *path, const uint32_t *asns)
{
	bgp_path_load(path, NULL, 0);
	for (size_t i = 0; asns[i] != 0; i++)
		CU_ASSERT_TRUE_FATAL(bgp_path_append(path, asns[i]));
	return (struct bgp_attr_spec){
		.as_path = path->data, .as_path_octets = path->octets, .next_hop = 0x0a010004
	};
}

static const char *
path_text(const struct bgp_attr_spec *s)
{
	static char text[PATH_MAX_TEXT];

	return bgp_path_format(text, sizeof(text), s->as_path, s->as_path_octets, ' ');
}

static struct wire_peer
peer_of(uint32_t asn, const char *resource)
{
	return (struct wire_peer){ .name = "p",
		.asn = asn,
		.address = 0x0a010004,
		.local_address = SELF,
		.resource = resource,
		.role = WIRE_PEER_ROUTE_SERVER };
}

static void
test_own_asn_in_path_is_rejected_RS_42(void)
{
	struct {
		uint32_t path[8];
		bool accept;
	} rows[] = {
		{ { 65515 }, true },
		{ { 65515, 65002 }, true },
		{ { 65515, 65001 }, false }, /* the other NVA of the same ASN */
		{ { 65001 }, false },
		{ { 65002, 65515, 65001, 64900 }, false },
	};
	struct wire_peer rs = peer_of(65515, "rs1");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bgp_path_buf path;
		struct bgp_attr_spec in = spec_of(&path, rows[i].path);

		CU_ASSERT_EQUAL(nva_import(&conf, &rs, &in), rows[i].accept);
	}
}

static void
test_own_address_as_next_hop_is_rejected(void)
{
	struct bgp_path_buf path;
	struct bgp_attr_spec in = spec_of(&path, (uint32_t[]){ 65002, 0 });
	struct wire_peer peer = peer_of(65002, "");

	in.next_hop = SELF;
	CU_ASSERT_FALSE(nva_import(&conf, &peer, &in));
}

/* MR-2, MR-3 and SC-G: what NVA1 sends to RS1 of a route of region 2. */
static void
test_as_path_towards_route_server_MR_3(void)
{
	struct {
		const char *name;
		struct wire_policy policy;
		uint32_t path[8];
		const char *want;
	} rows[] = {
		{ "nothing: RS1 will drop it (MR-2)", { 0 }, { 65002, 65515 },
		    "65001 65002 65515" },
		{ "as-override", { .as_override = true }, { 65002, 65515 }, "65001 65002 65001" },
		{ "deletion", { .strip_as = { rsv_and_msee, 2 } }, { 65002, 65515 },
		    "65001 65002" },
		{ "deletion of ER ASNs", { .strip_as = { rsv_and_msee, 2 } },
		    { 65002, 65515, 12076, 64900 }, "65001 65002 64900" },
		{ "override replaces each", { .as_override = true }, { 65515, 65002, 65515, 12076 },
		    "65001 65001 65002 65001 12076" },
		{ "deletion, then prepend", { .strip_as = { rsv_and_msee, 2 }, .prepend = 2 },
		    { 65002, 65515 }, "65001 65001 65001 65002" },
		{ "deletion goes before override",
		    { .strip_as = { rsv_and_msee, 1 }, .as_override = true }, { 65002, 65515 },
		    "65001 65002" },
		{ "all of a path", { .strip_as = { rsv_and_msee, 2 } }, { 65515 }, "65001" },
	};
	struct wire_peer from = peer_of(65002, "");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bgp_path_buf path;
		struct bgp_attr_spec in = spec_of(&path, rows[i].path), out;
		struct wire_peer rs = peer_of(65515, "rs1");

		rs.policy = rows[i].policy;
		CU_ASSERT_TRUE_FATAL(nva_export_learned(&conf, &from, &rs, &in, &buf, &out));
		CU_ASSERT_STRING_EQUAL(path_text(&out), rows[i].want);
		CU_ASSERT_EQUAL(out.next_hop, SELF);
	}
}

static void
test_what_may_be_relayed(void)
{
	static uint32_t no_export[] = { BGP_COMMUNITY_NO_EXPORT };
	struct {
		const char *name;
		bool relay, only_own;
		const char *from_resource, *to_resource;
		uint32_t from_asn, to_asn;
		uint32_t *communities;
		bool sent;
	} rows[] = {
		{ "relay on", true, false, "", "rs1", 65002, 65515, NULL, true },
		{ "relay off", false, false, "", "rs1", 65002, 65515, NULL, false },
		{ "peer wants our own only", true, true, "", "rs1", 65002, 65515, NULL, false },
		{ "instance 0 to instance 1 (MR-4)", true, false, "rs1", "rs1", 65515, 65515, NULL,
		    false },
		{ "from one Route Server to another (MR-10)", true, false, "rs1", "rs2", 65515,
		    65515, NULL, true },
		{ "two peers without a resource", true, false, "", "", 65002, 65003, NULL, true },
		{ "NO_ADVERTISE (RFC 1997)", true, false, "", "", 65002, 65003, no_advertise,
		    false },
		{ "NO_ADVERTISE over iBGP", true, false, "", "", 65002, ME, no_advertise, false },
		{ "NO_EXPORT to another AS", true, false, "", "", 65002, 65003, no_export, false },
		{ "NO_EXPORT over iBGP", true, false, "", "", 65002, ME, no_export, true },
		{ "iBGP to iBGP", true, false, "", "", ME, ME, NULL, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bgp_path_buf path;
		struct bgp_attr_spec in = spec_of(&path, (uint32_t[]){ 65002, 0 }), out;
		struct wire_peer from = peer_of(rows[i].from_asn, rows[i].from_resource);
		struct wire_peer to = peer_of(rows[i].to_asn, rows[i].to_resource);
		struct wire_conf c = conf;

		c.relay = rows[i].relay;
		to.no_export_of_learned = rows[i].only_own;
		in.communities = rows[i].communities;
		in.n_communities = rows[i].communities == NULL ? 0 : 1;
		if (nva_export_learned(&c, &from, &to, &in, &buf, &out) != rows[i].sent) {
			CU_FAIL("relayed or not");
			printf("\n%s\n", rows[i].name);
		}
	}
}

static void
test_attributes_of_a_relayed_route(void)
{
	static uint32_t some[] = { BGP_COMMUNITY(65001, 7) };
	struct bgp_path_buf path;
	struct bgp_attr_spec in = spec_of(&path, (uint32_t[]){ 65002, 0 }), out;
	struct wire_peer from = peer_of(65002, ""), to = peer_of(65003, "");

	in.has_med = true;
	in.med = 5;
	in.communities = some;
	in.n_communities = 1;
	to.policy.add_communities = (struct wire_u32s){ no_advertise, 1 };
	CU_ASSERT_TRUE(nva_export_learned(&conf, &from, &to, &in, &buf, &out));
	CU_ASSERT_FALSE(out.has_med); /* RFC 4271 5.1.4 */
	CU_ASSERT_EQUAL_FATAL(out.n_communities, 2);
	CU_ASSERT_EQUAL(out.communities[0], some[0]);
	CU_ASSERT_EQUAL(out.communities[1], BGP_COMMUNITY_NO_ADVERTISE);
	to.policy.next_hop_unchanged = true;
	CU_ASSERT_TRUE(nva_export_learned(&conf, &from, &to, &in, &buf, &out));
	CU_ASSERT_EQUAL(out.next_hop, in.next_hop);
	/* iBGP: path and MED stay, LOCAL_PREF is there. */
	to.asn = ME;
	CU_ASSERT_TRUE(nva_export_learned(&conf, &from, &to, &in, &buf, &out));
	CU_ASSERT_STRING_EQUAL(path_text(&out), "65002");
	CU_ASSERT_TRUE(out.has_med);
	CU_ASSERT_TRUE(out.has_local_pref);
	CU_ASSERT_EQUAL(out.local_pref, 100);
}

static void
test_communities_that_do_not_fit_are_not_cut(void)
{
	static uint32_t many[1024];
	struct bgp_path_buf path;
	struct bgp_attr_spec in = spec_of(&path, (uint32_t[]){ 65002, 0 }), out;
	struct wire_peer from = peer_of(65002, ""), to = peer_of(65003, "");

	in.communities = many;
	in.n_communities = 1023;
	to.policy.add_communities = (struct wire_u32s){ no_advertise, 1 };
	CU_ASSERT_TRUE(nva_export_learned(&conf, &from, &to, &in, &buf, &out));
	CU_ASSERT_EQUAL(out.n_communities, 1024);
	in.n_communities = 1024;
	CU_ASSERT_FALSE(nva_export_learned(&conf, &from, &to, &in, &buf, &out));
}

static void
test_own_routes(void)
{
	static uint32_t behind[] = { 64901, 64902 };
	struct {
		const char *name;
		struct wire_originate o;
		struct wire_policy policy;
		uint32_t to_asn;
		const char *want;
		uint32_t next_hop;
	} rows[] = {
		{ "plain", { .prepend = 0 }, { .prepend = 0 }, 65515, "65001", SELF },
		{ "prepended (SC-B)", { .prepend = 2 }, { .prepend = 0 }, 65515,
		    "65001 65001 65001", SELF },
		{ "prepends add up", { .prepend = 1 }, { .prepend = 1 }, 65515, "65001 65001 65001",
		    SELF },
		{ "third-party next hop (RS-56)", { .next_hop = 0x0a010264 }, { .prepend = 0 },
		    65515, "65001", 0x0a010264 },
		{ "as if learned", { .as_path = { behind, 2 } }, { .prepend = 0 }, 65515,
		    "65001 64901 64902", SELF },
		{ "iBGP", { .prepend = 2 }, { .prepend = 0 }, ME, "", SELF },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wire_peer to = peer_of(rows[i].to_asn, "rs1");
		struct bgp_attr_spec out;

		to.policy = rows[i].policy;
		CU_ASSERT_TRUE_FATAL(nva_export_own(&conf, &to, &rows[i].o, &buf, &out));
		CU_ASSERT_STRING_EQUAL(path_text(&out), rows[i].want);
		CU_ASSERT_EQUAL(out.next_hop, rows[i].next_hop);
	}
}

static void
test_own_routes_go_where_they_are_meant_to(void)
{
	const char *to_rs[] = { "rs1" }, *to_peer[] = { "nva3", "p" };
	struct wire_originate all = { .n_to = 0 }, rs = { .to = to_rs, .n_to = 1 },
			      peer = { .to = to_peer, .n_to = 2 };
	struct wire_peer rs1 = peer_of(65515, "rs1"), nobody = peer_of(65002, "");

	rs1.name = "rs1-0";
	nobody.name = "nva4";
	CU_ASSERT_TRUE(nva_own_is_for(&all, &rs1));
	CU_ASSERT_TRUE(nva_own_is_for(&all, &nobody));
	CU_ASSERT_TRUE(nva_own_is_for(&rs, &rs1));
	CU_ASSERT_FALSE(nva_own_is_for(&rs, &nobody));
	CU_ASSERT_FALSE(nva_own_is_for(&peer, &nobody));
	nobody.name = "p";
	CU_ASSERT_TRUE(nva_own_is_for(&peer, &nobody));
}

static CU_TestInfo tests[] = {
	{ "RS-42: the own ASN in the path is rejected", test_own_asn_in_path_is_rejected_RS_42 },
	{ "the own address as next hop is rejected", test_own_address_as_next_hop_is_rejected },
	{ "MR-3: AS path towards a Route Server", test_as_path_towards_route_server_MR_3 },
	{ "MR-4: what may be relayed", test_what_may_be_relayed },
	{ "attributes of a relayed route", test_attributes_of_a_relayed_route },
	{ "communities that do not fit are not cut", test_communities_that_do_not_fit_are_not_cut },
	{ "own routes: path and next hop", test_own_routes },
	{ "own routes go where they are meant to", test_own_routes_go_where_they_are_meant_to },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("nva_policy", tests)
