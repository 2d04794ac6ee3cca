#include "lib/route_map.h"

#include "lib/err.h"
#include "tests/unit/fab_cunit.h"

#include <string.h>

#define LIST(...)                                                                                  \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define C(lo) BGP_COMMUNITY(65001, lo)
#define SPOKE BGP_COMMUNITY(65518, 65518)
#define N(a)  (sizeof(a) / sizeof((a)[0]))
#define MAX   4

/* A rule as a row of a table has it: lists end with 0, prefixes with NULL. */
struct cond {
	enum route_map_match match;
	const char *prefixes[MAX];
	uint32_t communities[MAX], path[MAX];
};

struct todo {
	enum route_map_act act;
	enum route_map_subject on;
	const char *prefixes[MAX];
	uint32_t values[MAX];
};

struct built {
	struct route_map map;
	struct route_map_rule rules[3];
	struct route_map_condition conditions[3][2];
	struct route_map_action actions[3][3];
	struct ipnet nets[3][5][MAX];
};

static struct ipnet
net(const char *text)
{
	struct ipnet n = { 0, 0 };

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&n, text), FAB_OK);
	return n;
}

static struct route_map_u32s
values(const uint32_t *v)
{
	static uint32_t pool[64][MAX];
	static size_t used;
	struct route_map_u32s out = { pool[used++ % 64], 0 };

	while (out.n < MAX && v[out.n] != 0) {
		out.v[out.n] = v[out.n];
		out.n++;
	}
	return out;
}

static struct route_map_nets
nets(struct ipnet *at, const char *const *text)
{
	struct route_map_nets out = { at, 0 };

	for (; out.n < MAX && text[out.n] != NULL; out.n++)
		out.v[out.n] = net(text[out.n]);
	return out;
}

/* Appends a rule; conditions and actions may be NULL. */
static void
rule(struct built *b, const struct cond *c, size_t n_conds, const struct todo *t, size_t n_todo,
    bool terminate)
{
	size_t at = b->map.n_rules++;
	struct route_map_rule *r = &b->rules[at];

	b->map.name = "map";
	b->map.rules = b->rules;
	*r = (struct route_map_rule){ "rule", b->conditions[at], n_conds, b->actions[at], n_todo,
		terminate };
	for (size_t i = 0; i < n_conds; i++)
		r->conditions[i] =
		    (struct route_map_condition){ c[i].match, nets(b->nets[at][i], c[i].prefixes),
			    values(c[i].communities), values(c[i].path) };
	for (size_t i = 0; i < n_todo; i++)
		r->actions[i] = (struct route_map_action){ t[i].act, t[i].on,
			nets(b->nets[at][2 + i], t[i].prefixes), values(t[i].values) };
	route_map_prepare(&b->map);
}

/* The route of every test: 10.200.1.0/24, path 65001 65002, communities 65001:1, 65001:2 and the
 * internal 65518:65518. */
struct route {
	struct ipnet prefix;
	struct bgp_attr_spec attrs;
	struct bgp_path_buf path;
	uint32_t communities[3];
};

static void
route_init(struct route *r)
{
	memset(r, 0, sizeof(*r));
	r->prefix = net("10.200.1.0/24");
	bgp_path_append(&r->path, 65001);
	bgp_path_append(&r->path, 65002);
	memcpy(r->communities, (uint32_t[]){ C(1), C(2), SPOKE }, sizeof(r->communities));
	r->attrs = (struct bgp_attr_spec){ .next_hop = 0x0a010204,
		.as_path = r->path.data,
		.as_path_octets = r->path.octets,
		.communities = r->communities,
		.n_communities = 3 };
}

/* "10.200.1.0/24 | 65001 65002 | 65001:1 65001:2", internal communities left out unless lost. */
static const char *
text_of(const struct route *r)
{
	static char out[256];
	char p[IPNET_STRLEN], path[64], c[24];
	bool spoke = false;
	size_t n;

	bgp_path_format(path, sizeof(path), r->attrs.as_path, r->attrs.as_path_octets, ' ');
	n = (size_t)snprintf(out, sizeof(out), "%s | %s |", ipnet_format(p, r->prefix), path);
	for (size_t i = 0; i < r->attrs.n_communities; i++) {
		if (r->attrs.communities[i] == SPOKE)
			spoke = true;
		else
			n += (size_t)snprintf(out + n, sizeof(out) - n, " %s",
			    bgp_community_format(c, r->attrs.communities[i]));
	}
	if (!spoke)
		snprintf(out + n, sizeof(out) - n, " lost 65518:65518");
	return out;
}

static struct route_map_buf buf;

static void
expect(const char *rule_id, const struct route_map *m, const char *want)
{
	struct route r;
	bool taken;

	route_init(&r);
	taken = route_map_run(m, &r.prefix, &r.attrs, &buf);
	if (strcmp(taken ? text_of(&r) : "dropped", want) != 0)
		printf("\n%s: %s, not %s", rule_id, taken ? text_of(&r) : "dropped", want);
	CU_ASSERT_STRING_EQUAL(taken ? text_of(&r) : "dropped", want);
}

#define SAME    "10.200.1.0/24 | 65001 65002 | 65001:1 65001:2"
#define DROPPED "dropped"

/* ---- conditions ---- */

static void
test_conditions(void)
{
	static const struct {
		const char *rule_id;
		struct cond c;
		bool matches;
	} rows[] = {
		{ "RM-4 Equals the prefix", { RM_EQUALS, { "10.200.1.0/24" }, { 0 }, { 0 } },
		    true },
		{ "RM-4 Equals is exact", { RM_EQUALS, { "10.200.0.0/16" }, { 0 }, { 0 } }, false },
		{ "RM-4 Equals one of a list",
		    { RM_EQUALS, { "10.9.0.0/16", "10.200.1.0/24" }, { 0 }, { 0 } }, true },
		{ "RM-4 Contains what is below", { RM_CONTAINS, { "10.200.0.0/16" }, { 0 }, { 0 } },
		    true },
		{ "RM-4 Contains the prefix itself",
		    { RM_CONTAINS, { "10.200.1.0/24" }, { 0 }, { 0 } }, true },
		{ "RM-4 Contains not what is above",
		    { RM_CONTAINS, { "10.200.1.0/25" }, { 0 }, { 0 } }, false },
		{ "RM-4 Contains 0/0 is everything", { RM_CONTAINS, { "0.0.0.0/0" }, { 0 }, { 0 } },
		    true },
		{ "ARM-4 NotEquals", { RM_NOT_EQUALS, { "10.200.0.0/16" }, { 0 }, { 0 } }, true },
		{ "ARM-4 NotEquals the prefix",
		    { RM_NOT_EQUALS, { "10.200.1.0/24" }, { 0 }, { 0 } }, false },
		{ "ARM-4 NotContains", { RM_NOT_CONTAINS, { "10.200.0.0/16" }, { 0 }, { 0 } },
		    false },
		{ "ARM-4 NotContains another", { RM_NOT_CONTAINS, { "10.9.0.0/16" }, { 0 }, { 0 } },
		    true },
		{ "RM-5 Equals: all are there", { RM_EQUALS, { NULL }, { C(1), C(2) }, { 0 } },
		    true },
		{ "RM-5 Equals: more may be there", { RM_EQUALS, { NULL }, { C(1) }, { 0 } },
		    true },
		{ "RM-5 Equals: one is missing", { RM_EQUALS, { NULL }, { C(1), C(3) }, { 0 } },
		    false },
		{ "RM-5 Contains: one is enough", { RM_CONTAINS, { NULL }, { C(3), C(1) }, { 0 } },
		    true },
		{ "RM-5 Contains: none", { RM_CONTAINS, { NULL }, { C(3) }, { 0 } }, false },
		{ "ARM-4 NotEquals: one is missing",
		    { RM_NOT_EQUALS, { NULL }, { C(1), C(3) }, { 0 } }, true },
		{ "ARM-4 NotContains: one is there",
		    { RM_NOT_CONTAINS, { NULL }, { C(1), C(3) }, { 0 } }, false },
		{ "RM-6 Equals", { RM_EQUALS, { NULL }, { 0 }, { 65001, 65002 } }, true },
		{ "RM-6 Equals in the listed order",
		    { RM_EQUALS, { NULL }, { 0 }, { 65002, 65001 } }, false },
		{ "RM-6 Equals the whole path", { RM_EQUALS, { NULL }, { 0 }, { 65001 } }, false },
		{ "RM-6 Contains", { RM_CONTAINS, { NULL }, { 0 }, { 65009, 65002 } }, true },
		{ "RM-6 Contains none", { RM_CONTAINS, { NULL }, { 0 }, { 65009 } }, false },
		{ "ARM-4 NotEquals path", { RM_NOT_EQUALS, { NULL }, { 0 }, { 65001 } }, true },
		{ "ARM-4 NotContains path", { RM_NOT_CONTAINS, { NULL }, { 0 }, { 65009 } }, true },
		{ "two lists of one condition both hold",
		    { RM_CONTAINS, { "10.200.0.0/16" }, { C(1) }, { 0 } }, true },
		{ "one of two lists does not",
		    { RM_CONTAINS, { "10.200.0.0/16" }, { C(3) }, { 0 } }, false },
	};
	static const struct todo drop = { .act = RM_DROP };

	for (size_t i = 0; i < N(rows); i++) {
		struct built b = { 0 };

		rule(&b, &rows[i].c, 1, &drop, 1, false);
		expect(rows[i].rule_id, &b.map, rows[i].matches ? DROPPED : SAME);
	}
}

/* RM-3 */
static void
test_all_conditions_hold_and_none_matches_everything(void)
{
	static const struct cond both[] = {
		{ RM_CONTAINS, { "10.200.0.0/16" }, { 0 }, { 0 } },
		{ RM_CONTAINS, { NULL }, { 0 }, { 65009 } },
	};
	static const struct todo drop = { .act = RM_DROP };
	struct built one = { 0 }, two = { 0 }, none = { 0 };

	rule(&one, both, 1, &drop, 1, false);
	rule(&two, both, 2, &drop, 1, false);
	rule(&none, NULL, 0, &drop, 1, false);
	expect("RM-3 one condition", &one.map, DROPPED);
	expect("RM-3 the second does not hold", &two.map, SAME);
	expect("RM-3 no condition", &none.map, DROPPED);
}

/* RM-3: Continue, Terminate, the end permits. */
static void
test_rules_follow_each_other(void)
{
	static const struct cond other = { RM_EQUALS, { "10.9.0.0/16" }, { 0 }, { 0 } };
	static const struct cond ours = { RM_EQUALS, { "10.200.1.0/24" }, { 0 }, { 0 } };
	static const struct todo drop = { .act = RM_DROP };
	static const struct todo mark = { RM_ADD, RM_COMMUNITY, { NULL }, { C(9) } };
	struct built empty = { .map.name = "map" }, skip = { 0 }, go = { 0 }, stop = { 0 };

	rule(&skip, &other, 1, &drop, 1, true);
	rule(&skip, &ours, 1, &mark, 1, false);
	rule(&go, &ours, 1, &mark, 1, false);
	rule(&go, NULL, 0, &drop, 1, false);
	rule(&stop, &ours, 1, &mark, 1, true);
	rule(&stop, NULL, 0, &drop, 1, false);
	expect("RM-3 an empty map permits", &empty.map, SAME);
	expect("RM-3 no match goes on", &skip.map, SAME " 65001:9");
	expect("RM-3 Continue", &go.map, DROPPED);
	expect("RM-3 Terminate", &stop.map, SAME " 65001:9");
}

/* ---- actions ---- */

static void
test_actions(void)
{
	static const struct {
		const char *rule_id;
		struct todo t[3];
		size_t n;
		const char *want;
	} rows[] = {
		{ "RM-7 Drop", { { .act = RM_DROP } }, 1, DROPPED },
		{ "RM-7 prepend in the listed order",
		    { { RM_ADD, RM_AS_PATH, { NULL }, { 3320, 3330 } } }, 1,
		    "10.200.1.0/24 | 3320 3330 65001 65002 | 65001:1 65001:2" },
		{ "RM-7 replace the path", { { RM_REPLACE, RM_AS_PATH, { NULL }, { 3320 } } }, 1,
		    "10.200.1.0/24 | 3320 | 65001:1 65001:2" },
		{ "RM-7 an empty list removes all", { { RM_REPLACE, RM_AS_PATH, { NULL }, { 0 } } },
		    1, "10.200.1.0/24 |  | 65001:1 65001:2" },
		{ "RM-7 add a community", { { RM_ADD, RM_COMMUNITY, { NULL }, { C(7) } } }, 1,
		    SAME " 65001:7" },
		{ "RM-7, RS-80 replace communities",
		    { { RM_REPLACE, RM_COMMUNITY, { NULL }, { C(7) } } }, 1,
		    "10.200.1.0/24 | 65001 65002 | 65001:7" },
		{ "RM-7, RS-80 remove communities",
		    { { RM_REMOVE, RM_COMMUNITY, { NULL }, { C(1), SPOKE } } }, 1,
		    "10.200.1.0/24 | 65001 65002 | 65001:2" },
		{ "RM-7 summary without path and communities",
		    { { RM_REPLACE, RM_PREFIX, { "10.200.0.0/16" }, { 0 } } }, 1,
		    "10.200.0.0/16 |  |" },
		{ "RM-7 never more specific",
		    { { RM_REPLACE, RM_PREFIX, { "10.200.1.0/25" }, { 0 } } }, 1, SAME },
		{ "RM-7 a summary of something else",
		    { { RM_REPLACE, RM_PREFIX, { "10.9.0.0/16" }, { 0 } } }, 1, SAME },
		{ "RM-7 the summary that has it inside",
		    { { RM_REPLACE, RM_PREFIX, { "10.9.0.0/16", "10.200.0.0/15" }, { 0 } } }, 1,
		    "10.200.0.0/15 |  |" },
		{ "RM-7 actions follow each other",
		    { { RM_REPLACE, RM_PREFIX, { "10.200.0.0/16" }, { 0 } },
			{ RM_ADD, RM_AS_PATH, { NULL }, { 3320 } },
			{ RM_ADD, RM_COMMUNITY, { NULL }, { C(7) } } },
		    3, "10.200.0.0/16 | 3320 | 65001:7" },
	};

	for (size_t i = 0; i < N(rows); i++) {
		struct built b = { 0 };

		rule(&b, NULL, 0, rows[i].t, rows[i].n, false);
		expect(rows[i].rule_id, &b.map, rows[i].want);
	}
}

/* Later rules see what earlier ones made. */
static void
test_a_rule_sees_the_summary(void)
{
	static const struct cond summary = { RM_EQUALS, { "10.200.0.0/16" }, { 0 }, { 0 } };
	static const struct todo replace = { RM_REPLACE, RM_PREFIX, { "10.200.0.0/16" }, { 0 } };
	static const struct todo drop = { .act = RM_DROP };
	struct built b = { 0 };

	rule(&b, NULL, 0, &replace, 1, false);
	rule(&b, &summary, 1, &drop, 1, false);
	expect("RM-3 in order", &b.map, DROPPED);
}

static void
test_no_room_drops(void)
{
	static const struct todo prepend = { RM_ADD, RM_AS_PATH, { NULL }, { 3320 } };
	static uint32_t many[ROUTE_MAP_COMMUNITIES_MAX];
	static const struct todo mark = { RM_ADD, RM_COMMUNITY, { NULL }, { C(9) } };
	struct built longer = { 0 }, more = { 0 };
	struct route r;

	rule(&longer, NULL, 0, &prepend, 1, false);
	rule(&more, NULL, 0, &mark, 1, false);
	route_init(&r);
	while (bgp_path_append(&r.path, 65001))
		;
	r.attrs.as_path_octets = r.path.octets;
	CU_ASSERT_FALSE(route_map_run(&longer.map, &r.prefix, &r.attrs, &buf));
	route_init(&r);
	r.attrs.communities = many;
	r.attrs.n_communities = ROUTE_MAP_COMMUNITIES_MAX;
	CU_ASSERT_FALSE(route_map_run(&more.map, &r.prefix, &r.attrs, &buf));
}

/* ---- the map as a whole ---- */

static void
test_what_a_map_depends_on(void)
{
	static const struct cond by_community = { RM_CONTAINS, { NULL }, { C(1) }, { 0 } };
	static const struct cond by_prefix = { RM_CONTAINS, { "10.0.0.0/8" }, { 0 }, { 0 } };
	static const struct todo replace = { RM_REPLACE, RM_PREFIX, { "10.200.0.0/16" }, { 0 } };
	static const struct todo drop = { .act = RM_DROP };
	struct built a = { 0 }, b = { 0 }, c = { 0 };
	struct route r;

	rule(&a, &by_community, 1, &drop, 1, false);
	rule(&b, &by_prefix, 1, &drop, 1, false);
	rule(&c, NULL, 0, &replace, 1, false);
	CU_ASSERT_FALSE(a.map.by_prefix || a.map.summarizes);
	CU_ASSERT_TRUE(b.map.by_prefix && !b.map.summarizes);
	CU_ASSERT_TRUE(c.map.by_prefix && c.map.summarizes);
	route_init(&r);
	CU_ASSERT_FALSE(route_map_run(&a.map, NULL, &r.attrs, &buf));
}

static void
test_equality(void)
{
	static const struct cond c1 = { RM_CONTAINS, { "10.0.0.0/8" }, { C(1) }, { 65001 } };
	static const struct cond c2 = { RM_EQUALS, { "10.0.0.0/8" }, { C(1) }, { 65001 } };
	static const struct cond c3 = { RM_CONTAINS, { "10.0.0.0/9" }, { C(1) }, { 65001 } };
	static const struct cond c4 = { RM_CONTAINS, { "10.0.0.0/8" }, { C(2) }, { 65001 } };
	static const struct cond c5 = { RM_CONTAINS, { "10.0.0.0/8" }, { C(1) }, { 65002 } };
	static const struct todo t1 = { RM_ADD, RM_AS_PATH, { NULL }, { 3320 } };
	static const struct todo t2 = { RM_REPLACE, RM_AS_PATH, { NULL }, { 3320 } };
	static const struct todo t3 = { RM_ADD, RM_AS_PATH, { NULL }, { 3330 } };
	static const struct {
		const struct cond *c;
		const struct todo *t;
		bool terminate;
	} rows[] = {
		{ &c1, &t1, false },
		{ &c1, &t1, true },
		{ &c2, &t1, false },
		{ &c3, &t1, false },
		{ &c4, &t1, false },
		{ &c5, &t1, false },
		{ &c1, &t2, false },
		{ &c1, &t3, false },
	};
	struct built b[N(rows)] = { 0 }, same = { 0 };

	for (size_t i = 0; i < N(rows); i++)
		rule(&b[i], rows[i].c, 1, rows[i].t, 1, rows[i].terminate);
	rule(&same, &c1, 1, &t1, 1, false);
	CU_ASSERT_TRUE(route_map_equal(&b[0].map, &same.map));
	CU_ASSERT_TRUE(route_map_equal(NULL, NULL));
	CU_ASSERT_FALSE(route_map_equal(&b[0].map, NULL));
	for (size_t i = 1; i < N(rows); i++)
		CU_ASSERT_FALSE(route_map_equal(&b[0].map, &b[i].map));
}

static CU_TestInfo tests[] = {
	{ "RM-4, RM-5, RM-6, ARM-4: conditions", test_conditions },
	{ "RM-3: all conditions, or none", test_all_conditions_hold_and_none_matches_everything },
	{ "RM-3: Continue, Terminate, the end permits", test_rules_follow_each_other },
	{ "RM-7, RS-80: actions", test_actions },
	{ "later rules see the summary", test_a_rule_sees_the_summary },
	{ "an edit without room drops", test_no_room_drops },
	{ "whether a map looks at prefixes", test_what_a_map_depends_on },
	{ "equality", test_equality },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("route_map", tests)
