/*
 * wire_conf: NodeConfig in, plain structs out, and one line for whatever is wrong.
 */
#include "lib/err.h"
#include "lib/wire_conf.h"
#include "tests/unit/fab_cunit.h"

#include <string.h>

#define NET(a, b, c, d, l)                                                                         \
	{                                                                                          \
		.addr = (uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d), .len = (l)               \
	}

/* A NodeConfig with one NNG peer; the parts lead into each other, so it must stay where it is. */
struct sample {
	Fab__V1__NodeConfig conf;
	Fab__V1__Timers timers;
	Fab__V1__BgpPeerConfig peer, peer2;
	Fab__V1__BgpPeerConfig *peers[2];
	Fab__V1__Originate orig;
	Fab__V1__Originate *origs[1];
	Fab__V1__Prefix prefix;
	Fab__V1__Prefix *prefixes[1];
	Fab__V1__GatewayConfig gw;
	Fab__V1__RouterPolicy policy;
	Fab__V1__PrefixRule rule;
	Fab__V1__PrefixRule *rules[1];
};

static void
sample_peer(Fab__V1__BgpPeerConfig *p, const char *name)
{
	fab__v1__bgp_peer_config__init(p);
	p->name = (char *)(uintptr_t)name;
	p->role = FAB__V1__PEER_ROLE__PEER_ROUTE_SERVER;
	p->asn = 65515;
	p->address = 0x0a010004;
	p->local_address = 0x0a010204;
	p->url = (char *)(uintptr_t) "ipc:///tmp/rs1-0.bgp";
}

static void
sample_init(struct sample *s)
{
	fab__v1__node_config__init(&s->conf);
	fab__v1__timers__init(&s->timers);
	fab__v1__originate__init(&s->orig);
	fab__v1__prefix__init(&s->prefix);
	fab__v1__gateway_config__init(&s->gw);
	fab__v1__router_policy__init(&s->policy);
	fab__v1__prefix_rule__init(&s->rule);
	sample_peer(&s->peer, "rs1-0");
	sample_peer(&s->peer2, "rs1-1");
	s->peers[0] = &s->peer;
	s->peers[1] = &s->peer2;
	s->origs[0] = &s->orig;
	s->prefixes[0] = &s->prefix;
	s->rules[0] = &s->rule;
	s->conf.name = (char *)(uintptr_t) "nva1";
	s->conf.kind = FAB__V1__NODE_KIND__NODE_NVA;
	s->conf.asn = 65001;
	s->conf.router_id = s->conf.address = 0x0a010204;
	s->timers = (Fab__V1__Timers){ .base = s->timers.base,
		.keepalive_ms = 1000,
		.hold_ms = 3000,
		.connect_retry_ms = 500 };
	s->conf.timers = &s->timers;
	s->conf.peers = s->peers;
	s->conf.n_peers = 2;
	s->peer.policy = &s->policy;
	s->policy.export_rules = s->rules;
	s->policy.n_export_rules = 1;
	s->conf.originate = s->origs;
	s->conf.n_originate = 1;
	s->gw.vnet_prefixes = s->prefixes;
	s->gw.n_vnet_prefixes = 1;
	s->prefix.addr = 0x0a010000;
	s->prefix.len = 16;
}

static void
test_all_fields_arrive(void)
{
	struct sample s;
	struct wire_conf *c = NULL;
	char why[256] = "";
	uint32_t communities[] = { 0xffffff02 };
	char *to[] = { "rs1" };

	sample_init(&s);
	s.orig.communities = communities;
	s.orig.n_communities = 1;
	s.orig.to = to;
	s.orig.n_to = 1;
	s.conf.gateway = &s.gw;
	s.peer.hold_ms = 9000;
	s.peer.weight = 10;
	s.conf.generation = 7;
	CU_ASSERT_EQUAL_FATAL(wire_conf_decode(&c, &s.conf, why), FAB_OK);
	CU_ASSERT_EQUAL(c->kind, WIRE_NVA);
	CU_ASSERT_EQUAL(c->generation, 7);
	CU_ASSERT_STRING_EQUAL(c->name, "nva1");
	CU_ASSERT_STRING_EQUAL(c->bgp_url, "");
	CU_ASSERT_EQUAL_FATAL(c->n_peers, 2);
	CU_ASSERT_EQUAL(c->peers[0].role, WIRE_PEER_ROUTE_SERVER);
	CU_ASSERT_EQUAL(c->peers[0].hold_ms, 9000);
	CU_ASSERT_EQUAL(c->peers[1].hold_ms, 3000); /* the node's timers */
	CU_ASSERT_EQUAL(c->peers[1].keepalive_ms, 1000);
	CU_ASSERT_EQUAL(c->peers[0].weight, 10);
	CU_ASSERT_EQUAL_FATAL(c->n_originate, 1);
	CU_ASSERT_EQUAL(c->originate[0].communities.v[0], 0xffffff02);
	CU_ASSERT_STRING_EQUAL(c->originate[0].to[0], "rs1");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->gw);
	CU_ASSERT_EQUAL(c->gw->vnet.v[0].len, 16);
	CU_ASSERT_PTR_NULL(c->rs);
	wire_conf_free(c);
	wire_conf_free(NULL);
}

struct bad_row {
	const char *name;
	void (*spoil)(struct sample *s);
	const char *why; /* part of the line */
};

static void
spoil_name(struct sample *s)
{
	s->conf.name = (char *)(uintptr_t) "";
}

static void
spoil_asn(struct sample *s)
{
	s->peer2.asn = 0;
}

static void
spoil_twice(struct sample *s)
{
	s->peer2.name = s->peer.name;
}

static void
spoil_hold(struct sample *s)
{
	s->peer.hold_ms = 2999;
}

static void
spoil_hold_long(struct sample *s)
{
	s->peer.hold_ms = 65536000;
}

static void
spoil_host_bits(struct sample *s)
{
	s->orig.addr = 1;
	s->orig.len = 31;
}

static void
spoil_length(struct sample *s)
{
	s->orig.len = 33;
}

static void
spoil_rule(struct sample *s)
{
	s->rule.ge = 24;
	s->rule.le = 20;
}

static void
spoil_instance(struct sample *s)
{
	s->conf.instance = 2;
}

static void
spoil_newline(struct sample *s)
{
	s->peer.name = s->peer2.name = (char *)(uintptr_t) "a\nb";
}

static void
spoil_large(struct sample *s)
{
	static uint32_t two[] = { 1, 2 };

	s->orig.large_communities = two;
	s->orig.n_large_communities = 2;
}

static void
spoil_map_number(struct sample *s)
{
	s->peer.in_map = 1;
}

static void
spoil_map(struct sample *s)
{
	static Fab__V1__RouteMapAction action, *actions[] = { &action };
	static Fab__V1__RouteMapRule rule, *rules[] = { &rule };
	static Fab__V1__RouteMap map, *maps[] = { &map };

	fab__v1__route_map_action__init(&action);
	fab__v1__route_map_rule__init(&rule);
	fab__v1__route_map__init(&map);
	action.act = FAB__V1__ROUTE_MAP_ACT__ACT_ADD;
	action.on = FAB__V1__ROUTE_MAP_SUBJECT__ON_PREFIX;
	rule.actions = actions;
	rule.n_actions = 1;
	map.name = (char *)(uintptr_t) "m1";
	map.rules = rules;
	map.n_rules = 1;
	s->conf.route_maps = maps;
	s->conf.n_route_maps = 1;
}

static void
test_bad_configurations_are_refused_in_one_line(void)
{
	static const struct bad_row rows[] = {
		{ "no name", spoil_name, "name" },
		{ "peer without ASN", spoil_asn, "rs1-1" },
		{ "peer twice", spoil_twice, "rs1-0: configured twice" },
		{ "hold time below three seconds", spoil_hold, "hold time 2999" },
		{ "hold time above 65535 s", spoil_hold_long, "hold time" },
		{ "host bits", spoil_host_bits, "not a prefix" },
		{ "length 33", spoil_length, "not a prefix" },
		{ "rule with ge above le", spoil_rule, "do not fit" },
		{ "third instance", spoil_instance, "instance 2" },
		{ "newline in a name", spoil_newline, "a?b: configured twice" },
		{ "large communities not in threes", spoil_large, "threes" },
		{ "a map that is not there", spoil_map_number, "rs1-0: there is no route map 1" },
		{ "RM-7 prefixes can only be replaced", spoil_map,
		    "route map m1: no action 1 on 1" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sample s;
		struct wire_conf *c = NULL;
		char why[256] = "";

		sample_init(&s);
		rows[i].spoil(&s);
		CU_ASSERT_EQUAL(wire_conf_decode(&c, &s.conf, why), FAB_EINVAL);
		CU_ASSERT_PTR_NULL(c);
		if (strstr(why, rows[i].why) == NULL) {
			CU_FAIL("wrong reason");
			printf("\n%s: %s\n", rows[i].name, why);
		}
	}
}

static void
test_covers_is_equal_or_more_specific(void)
{
	struct ipnet v[] = { NET(10, 1, 0, 0, 16), NET(10, 11, 0, 0, 16) };
	struct wire_nets nets = { .v = v, .n = 2 };
	struct {
		struct ipnet p;
		bool cover, overlap;
	} rows[] = {
		{ NET(10, 1, 0, 0, 16), true, true },
		{ NET(10, 1, 2, 0, 24), true, true },
		{ NET(10, 11, 3, 4, 32), true, true },
		{ NET(10, 0, 0, 0, 8), false, true }, /* a supernet passes: RS-53 */
		{ NET(0, 0, 0, 0, 0), false, true },
		{ NET(10, 2, 0, 0, 16), false, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(wire_nets_cover(&nets, &rows[i].p), rows[i].cover);
		CU_ASSERT_EQUAL(wire_nets_overlap(&nets, &rows[i].p), rows[i].overlap);
	}
}

static void
test_first_matching_rule_decides(void)
{
	struct wire_prefix_rule v[] = {
		{ .prefix = NET(10, 1, 0, 0, 16), .ge = 16, .le = 16, .deny = true },
		{ .prefix = NET(10, 0, 0, 0, 8), .ge = 8, .le = 24, .deny = false },
		{ .prefix = NET(0, 0, 0, 0, 0), .ge = 0, .le = 32, .deny = true },
	};
	struct wire_rules rules = { .v = v, .n = 3 }, none = { 0 };
	struct {
		struct ipnet p;
		bool accept;
	} rows[] = {
		{ NET(10, 1, 0, 0, 16), false },
		{ NET(10, 1, 1, 0, 24), true },
		{ NET(10, 1, 1, 0, 25), false },
		{ NET(172, 20, 0, 0, 16), false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(wire_rules_accept(&rules, &rows[i].p), rows[i].accept);
		CU_ASSERT_TRUE(wire_rules_accept(&none, &rows[i].p));
	}
}

static void
test_rule_lengths_are_filled_in(void)
{
	struct {
		uint32_t ge, le;
		uint8_t want_ge, want_le;
	} rows[] = { { 0, 0, 8, 8 }, { 0, 24, 8, 24 }, { 16, 0, 16, 32 }, { 16, 20, 16, 20 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sample s;
		struct wire_conf *c = NULL;
		char why[256];
		const struct wire_prefix_rule *r;

		sample_init(&s);
		s.rule.addr = 0x0a000000;
		s.rule.len = 8;
		s.rule.ge = rows[i].ge;
		s.rule.le = rows[i].le;
		CU_ASSERT_EQUAL_FATAL(wire_conf_decode(&c, &s.conf, why), FAB_OK);
		r = &c->peers[0].policy.export_rules.v[0];
		CU_ASSERT_EQUAL(r->ge, rows[i].want_ge);
		CU_ASSERT_EQUAL(r->le, rows[i].want_le);
		wire_conf_free(c);
	}
}

static CU_TestInfo tests[] = {
	{ "all fields arrive", test_all_fields_arrive },
	{ "bad configurations are refused in one line",
	    test_bad_configurations_are_refused_in_one_line },
	{ "cover is equal or more specific", test_covers_is_equal_or_more_specific },
	{ "the first matching rule decides", test_first_matching_rule_decides },
	{ "lengths of a rule are filled in", test_rule_lengths_are_filled_in },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("wire_conf", tests)
