/*
 * Route maps under a speaker: the way of single routes first, then random announcements, losses and
 * changes of maps against a model. Which route a map matches is tested in test_route_map.c; here it
 * is where a map stands, what it leaves in listings, and that nobody hears more than the
 * difference.
 */
#include "lib/bgp_speaker.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fake_session.h"

#include <stdlib.h>
#include <string.h>

#define PEERS     4
#define PREFIXES  26
#define OWN_AS    65515
#define NONE      (-1)
#define PATH(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

/* ---- the maps that tests choose from ---- */

enum {
	MAP_NONE,
	MAP_DROP,
	MAP_DROP_65002,
	MAP_PREPEND,
	MAP_SUMMARY,
	MAP_SUMMARY_TAGGED,
	MAP_COUNT
};

static struct ipnet low[] = { { 0x0a000000u, 13 } };      /* 10.0.0.0/13 */
static struct ipnet middle[] = { { 0x0a080000u, 13 } };   /* 10.8.0.0/13 */
static struct ipnet all_of_10[] = { { 0x0a000000u, 8 } }; /* 10.0.0.0/8 */
static uint32_t as_65002[] = { 65002 }, as_3320[] = { 3320 };

static struct route_map_condition in_low = { .match = RM_CONTAINS, .prefixes = { low, 1 } };
static struct route_map_condition in_middle = { .match = RM_CONTAINS, .prefixes = { middle, 1 } };
static struct route_map_condition over_65002 = { .match = RM_CONTAINS, .as_path = { as_65002, 1 } };
static struct route_map_action drop = { .act = RM_DROP };
static struct route_map_action prepend = { RM_ADD, RM_AS_PATH, { NULL, 0 }, { as_3320, 1 } };
static struct route_map_action to_middle = { RM_REPLACE, RM_PREFIX, { middle, 1 }, { NULL, 0 } };
static struct route_map_action to_10[] = {
	{ RM_REPLACE, RM_PREFIX, { all_of_10, 1 }, { NULL, 0 } },
	{ RM_ADD, RM_AS_PATH, { NULL, 0 }, { as_3320, 1 } },
};
static struct route_map_rule rules[MAP_COUNT] = {
	[MAP_DROP] = { "low", &in_low, 1, &drop, 1, true },
	[MAP_DROP_65002] = { "path", &over_65002, 1, &drop, 1, true },
	[MAP_PREPEND] = { "prepend", &over_65002, 1, &prepend, 1, true },
	[MAP_SUMMARY] = { "middle", &in_middle, 1, &to_middle, 1, true },
	[MAP_SUMMARY_TAGGED] = { "ten", NULL, 0, to_10, 2, true },
};
static struct route_map maps[MAP_COUNT];

static const struct route_map *
map_at(int id)
{
	for (int i = 1; i < MAP_COUNT && maps[id].name == NULL; i++) {
		maps[i] =
		    (struct route_map){ .name = rules[i].name, .rules = &rules[i], .n_rules = 1 };
		route_map_prepare(&maps[i]);
	}
	return id == MAP_NONE ? NULL : &maps[id];
}

/* ---- a role with maps ---- */

struct model {
	struct fab_loop *loop;
	struct speaker *sp;
	unsigned seed;
	bool up[PEERS];
	int in_map[PEERS], out_map[PEERS];
	int held[PEERS][PREFIXES]; /* index into paths */
	bool own[PREFIXES];
	unsigned imports, exports;
};

static int
number(struct speaker_peer *p)
{
	return speaker_peer_conf(p)->session.peer_name[1] - '0';
}

static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	struct model *m = ctx;

	(void)from;
	(void)out;
	path->source = HRP_SRC_NVA;
	m->imports++;
	return !bgp_path_has(in->s.as_path, in->s.as_path_octets, OWN_AS);
}

static bool
export_attrs(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	struct model *m = ctx;
	struct speaker_scratch *sc = speaker_scratch(m->sp);

	(void)to;
	(void)path;
	m->exports++;
	bgp_path_load(&sc->path, out->as_path, out->as_path_octets);
	bgp_path_prepend(&sc->path, OWN_AS, 1);
	out->as_path = sc->path.data;
	out->as_path_octets = sc->path.octets;
	return true;
}

static const struct route_map *
import_map(void *ctx, struct speaker_peer *from)
{
	const struct model *m = ctx;

	return map_at(m->in_map[number(from)]);
}

static const struct route_map *
export_map(void *ctx, struct speaker_peer *to, const struct speaker_path *path)
{
	const struct model *m = ctx;

	return path != NULL && path->peer == NULL ? NULL : map_at(m->out_map[number(to)]);
}

static const struct speaker_role role = {
	.import_attrs = import_attrs,
	.export_attrs = export_attrs,
	.import_map = import_map,
	.export_map = export_map,
};

static void
setup(struct model *m, unsigned seed)
{
	*m = (struct model){ .seed = seed };
	for (int i = 0; i < PEERS; i++)
		for (int k = 0; k < PREFIXES; k++)
			m->held[i][k] = NONE;
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&m->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_new(&m->sp, m->loop, &role, m), FAB_OK);
}

static void
teardown(struct model *m)
{
	speaker_free(m->sp);
	fab_loop_free(m->loop);
}

static const char *
name_of(int i)
{
	static const char *const names[PEERS] = { "p0", "p1", "p2", "p3" };

	return names[i];
}

static struct bgp_session *
session(int i)
{
	return fake_find(name_of(i));
}

static void
add_peer(struct model *m, int i)
{
	struct speaker_peer_conf conf = {
		.session = { .peer_name = name_of(i),
		    .local_as = OWN_AS,
		    .peer_as = 65001,
		    .peer_addr = (uint32_t)i + 1 },
		.group = (uint32_t)m->out_map[i],
	};

	CU_ASSERT_EQUAL_FATAL(speaker_peer_add(m->sp, &conf, NULL), FAB_OK);
	fake_up(session(i));
	m->up[i] = true;
}

static void
turn(struct model *m)
{
	fab_loop_turn(m->loop, 0);
}

static void
rx(struct model *m, int i, const char *announce, const uint32_t *path)
{
	fake_rx(session(i), &(struct fake_update){
				.announce = announce, .path = path, .next_hop = (uint32_t)i + 1 });
	turn(m);
}

static void
rx_withdraw(struct model *m, int i, const char *withdraw)
{
	fake_rx(session(i), &(struct fake_update){ .withdraw = withdraw });
	turn(m);
}

static void
set_in_map(struct model *m, int i, int map)
{
	m->in_map[i] = map;
	speaker_reevaluate(m->sp, "test");
}

static void
set_out_map(struct model *m, int i, int map)
{
	m->out_map[i] = map;
	speaker_peer_regroup(m->sp, speaker_peer_find(m->sp, name_of(i)), (uint32_t)map);
	speaker_reevaluate(m->sp, "test");
}

static const char *
path_at(int i, const char *prefix)
{
	const struct fake_route *r = fake_has(session(i), prefix);

	return r == NULL ? "nothing" : fake_path(r);
}

static bool
count_one(
    void *arg, const struct ipnet *prefix, const struct bgp_attrs *attrs, struct speaker_peer *peer)
{
	(void)prefix;
	(void)peer;
	CU_ASSERT_EQUAL(attrs->s.n_communities, 0);
	++*(size_t *)arg;
	return true;
}

static size_t
learned(struct model *m, int i)
{
	size_t n = 0;

	speaker_walk_in(m->sp, speaker_peer_find(m->sp, name_of(i)), count_one, &n);
	return n;
}

/* ---- inbound ---- */

/* RM-2, RS-112 */
static void
test_dropped_routes_are_listed_but_not_used(void)
{
	static const int both[] = { MAP_DROP, MAP_DROP_65002 };
	struct model m;

	for (size_t i = 0; i < 2; i++) {
		setup(&m, 0);
		m.in_map[0] = both[i];
		add_peer(&m, 0);
		add_peer(&m, 1);
		rx(&m, 0, "10.0.0.0/16 10.1.0.0/16", PATH(65002));
		rx(&m, 0, "10.9.0.0/16", PATH(65001));
		CU_ASSERT_EQUAL(learned(&m, 0), 3);
		CU_ASSERT_EQUAL(session(1)->n_table, 1);
		CU_ASSERT_STRING_EQUAL(path_at(1, "10.9.0.0/16"), "65515 65001");
		CU_ASSERT_EQUAL(speaker_peer_routes_in(speaker_peer_find(m.sp, "p0")), 3);
		/* Another peer's is used, though it is longer. */
		rx(&m, 1, "10.0.0.0/16", PATH(65003, 65003, 65003));
		CU_ASSERT_STRING_EQUAL(path_at(0, "10.0.0.0/16"), "65515 65003 65003 65003");
		rx_withdraw(&m, 0, "10.0.0.0/16 10.1.0.0/16 10.9.0.0/16");
		CU_ASSERT_EQUAL(learned(&m, 0), 0);
		CU_ASSERT_EQUAL(session(1)->n_table, 0);
		CU_ASSERT_EQUAL(speaker_prefix_count(m.sp), 1);
		teardown(&m);
	}
}

/* RM-13: no session flaps, no route is asked for again, what is held passes the new map. */
static void
test_a_new_inbound_map_works_on_what_is_held(void)
{
	struct model m;

	setup(&m, 0);
	add_peer(&m, 0);
	add_peer(&m, 1);
	rx(&m, 0, "10.0.0.0/16 10.9.0.0/16", PATH(65002));
	CU_ASSERT_EQUAL(session(1)->n_table, 2);
	for (int map = MAP_COUNT - 1; map >= 0; map--) {
		set_in_map(&m, 0, map);
		turn(&m);
		CU_ASSERT_EQUAL(learned(&m, 0), 2);
		switch (map) {
		case MAP_NONE:
		case MAP_PREPEND:
			CU_ASSERT_STRING_EQUAL(path_at(1, "10.0.0.0/16"),
			    map == MAP_NONE ? "65515 65002" : "65515 3320 65002");
			CU_ASSERT_EQUAL(session(1)->n_table, 2);
			break;
		case MAP_DROP:
			CU_ASSERT_STRING_EQUAL(path_at(1, "10.9.0.0/16"), "65515 65002");
			CU_ASSERT_EQUAL(session(1)->n_table, 1);
			break;
		case MAP_DROP_65002:
			CU_ASSERT_EQUAL(session(1)->n_table, 0);
			break;
		case MAP_SUMMARY:
			CU_ASSERT_STRING_EQUAL(path_at(1, "10.8.0.0/13"), "65515");
			CU_ASSERT_STRING_EQUAL(path_at(1, "10.0.0.0/16"), "65515 65002");
			CU_ASSERT_EQUAL(session(1)->n_table, 2);
			break;
		default:
			CU_ASSERT_STRING_EQUAL(path_at(1, "10.0.0.0/8"), "65515 3320");
			CU_ASSERT_EQUAL(session(1)->n_table, 1);
		}
	}
	CU_ASSERT_EQUAL(session(0)->refreshes + session(0)->resets + session(1)->resets, 0);
	CU_ASSERT_EQUAL(session(1)->strays, 0);
	teardown(&m);
}

/* RM-7: one announcement, until the last contributor goes. */
static void
test_an_inbound_summary_lives_as_long_as_its_routes(void)
{
	struct model m;

	setup(&m, 0);
	m.in_map[0] = MAP_SUMMARY;
	add_peer(&m, 0);
	add_peer(&m, 1);
	rx(&m, 0, "10.9.0.0/16 10.10.0.0/16", PATH(65001, 65002));
	CU_ASSERT_EQUAL(session(1)->n_table, 1);
	CU_ASSERT_STRING_EQUAL(path_at(1, "10.8.0.0/13"), "65515");
	CU_ASSERT_EQUAL(session(1)->announced, 1);
	CU_ASSERT_EQUAL(fake_has(session(1), "10.8.0.0/13")->next_hop, 1);
	CU_ASSERT_PTR_NULL(fake_has(session(0), "10.8.0.0/13")); /* RS-77 */
	rx_withdraw(&m, 0, "10.9.0.0/16");
	CU_ASSERT_EQUAL(session(1)->n_table, 1);
	CU_ASSERT_EQUAL(session(1)->announced, 1);
	rx_withdraw(&m, 0, "10.10.0.0/16");
	CU_ASSERT_EQUAL(session(1)->n_table, 0);
	rx(&m, 0, "10.9.0.0/16", PATH(65001));
	CU_ASSERT_EQUAL(session(1)->n_table, 1);
	fake_down(session(0), "test");
	turn(&m);
	CU_ASSERT_EQUAL(session(1)->n_table, 0);
	CU_ASSERT_EQUAL(speaker_prefix_count(m.sp), 0);
	teardown(&m);
}

/* Of contributors that differ the one with the lowest next hop speaks, whoever came first. */
static void
test_the_summary_does_not_depend_on_the_order(void)
{
	struct model m;

	for (int k = 0; k < 2; k++) {
		setup(&m, 0);
		m.in_map[0] = MAP_SUMMARY;
		add_peer(&m, 0);
		add_peer(&m, 1);
		for (int i = 0; i < 2; i++)
			fake_rx(session(0), &(struct fake_update){
						.announce = i == k ? "10.9.0.0/16" : "10.10.0.0/16",
						.path = PATH(65001),
						.next_hop = i == k ? 7 : 8 });
		turn(&m);
		CU_ASSERT_EQUAL(fake_has(session(1), "10.8.0.0/13")->next_hop, 7);
		rx_withdraw(&m, 0, "10.9.0.0/16");
		CU_ASSERT_EQUAL(fake_has(session(1), "10.8.0.0/13")->next_hop, 8);
		teardown(&m);
	}
}

/* The work is per attribute set as long as no prefix is looked at, and none without a map. */
static void
test_attributes_are_decided_once(void)
{
	static struct ipnet nets[1000];
	struct model m;

	for (unsigned i = 0; i < 1000; i++)
		nets[i] = (struct ipnet){ 0x0b000000u + (i << 8), 24 };
	setup(&m, 0);
	m.in_map[0] = MAP_PREPEND;
	m.out_map[1] = MAP_PREPEND;
	add_peer(&m, 0);
	add_peer(&m, 1);
	add_peer(&m, 2);
	turn(&m);
	fake_rx_nets(session(0), nets, 1000, 1, PATH(65002));
	turn(&m);
	CU_ASSERT_EQUAL(m.imports, 1);
	CU_ASSERT_EQUAL(m.exports, 2); /* one for each group that has it */
	CU_ASSERT_STRING_EQUAL(path_at(1, "11.0.0.0/24"), "65515 3320 3320 65002");
	CU_ASSERT_STRING_EQUAL(path_at(2, "11.0.0.0/24"), "65515 3320 65002");
	CU_ASSERT_EQUAL(session(1)->messages, 2); /* and End-of-RIB */
	teardown(&m);
}

/* ---- outbound ---- */

/* RM-2: only the advertisement changes; RM-7: several routes become one. */
static void
test_an_outbound_map_changes_one_peers_view(void)
{
	struct model m;

	setup(&m, 0);
	m.out_map[1] = MAP_SUMMARY;
	for (int i = 0; i < 3; i++)
		add_peer(&m, i);
	rx(&m, 0, "10.9.0.0/16 10.10.0.0/16 10.20.0.0/16", PATH(65001));
	CU_ASSERT_EQUAL(session(1)->n_table, 2);
	CU_ASSERT_STRING_EQUAL(path_at(1, "10.8.0.0/13"), "65515");
	CU_ASSERT_STRING_EQUAL(path_at(1, "10.20.0.0/16"), "65515 65001");
	CU_ASSERT_EQUAL(session(2)->n_table, 3);
	/* The prefix itself is a contributor like the others. */
	rx(&m, 2, "10.8.0.0/13", PATH(65009));
	CU_ASSERT_STRING_EQUAL(path_at(1, "10.8.0.0/13"), "65515");
	rx_withdraw(&m, 0, "10.9.0.0/16 10.10.0.0/16");
	CU_ASSERT_STRING_EQUAL(path_at(1, "10.8.0.0/13"), "65515");
	rx_withdraw(&m, 2, "10.8.0.0/13");
	CU_ASSERT_STRING_EQUAL(path_at(1, "10.8.0.0/13"), "nothing");
	CU_ASSERT_EQUAL(session(1)->strays, 0);
	teardown(&m);
}

/* RM-13: the peer hears the difference, its neighbours nothing. */
static void
test_a_new_outbound_map_tells_the_difference(void)
{
	struct bgp_session *s;
	struct model m;

	setup(&m, 0);
	for (int i = 0; i < 3; i++)
		add_peer(&m, i);
	rx(&m, 0, "10.0.0.0/16 10.9.0.0/16", PATH(65001));
	s = session(1);
	CU_ASSERT_EQUAL(s->announced, 2);
	set_out_map(&m, 1, MAP_DROP);
	turn(&m);
	CU_ASSERT_EQUAL(s->n_table, 1);
	CU_ASSERT_EQUAL(s->announced, 2);
	CU_ASSERT_EQUAL(s->withdrawn, 1);
	set_out_map(&m, 1, MAP_NONE);
	turn(&m);
	CU_ASSERT_EQUAL(s->n_table, 2);
	CU_ASSERT_EQUAL(s->announced, 3);
	set_out_map(&m, 1, MAP_SUMMARY);
	set_out_map(&m, 1, MAP_PREPEND); /* twice in a turn: only the last one counts */
	turn(&m);
	CU_ASSERT_EQUAL(s->announced, 3);
	CU_ASSERT_EQUAL(s->withdrawn, 1);
	CU_ASSERT_EQUAL(session(2)->announced, 2);
	CU_ASSERT_EQUAL(session(2)->withdrawn + s->strays + s->resets + s->end_of_ribs, 1);
	CU_ASSERT_EQUAL(speaker_peer_routes_out(speaker_peer_find(m.sp, "p1")), 2);
	teardown(&m);
}

/* ---- the model ---- */

static const uint32_t paths[][4] = { { 65001 }, { 65001, 65002 }, { 65002, 65001, 65001 } };
#define N_PATHS ((unsigned)(sizeof(paths) / sizeof(paths[0])))

static unsigned
rnd(struct model *m, unsigned n)
{
	return (unsigned)rand_r(&m->seed) % n;
}

/* 10.0/16 ... 10.23/16, and the two summaries. */
static struct ipnet
net_of(int k)
{
	return k == PREFIXES - 2   ? middle[0]
	       : k == PREFIXES - 1 ? all_of_10[0]
				   : (struct ipnet){ 0x0a000000u + ((uint32_t)k << 16), 16 };
}

static int
index_of(struct ipnet net)
{
	for (int k = 0; k < PREFIXES; k++)
		if (ipnet_eq(net_of(k), net))
			return k;
	return NONE;
}

/* Length of the path that a map makes, and the prefix; NONE: dropped. */
static int
mapped(int map, int *k, const struct bgp_path_buf *path, struct bgp_path_buf *out)
{
	struct bgp_attr_spec s = { .as_path = path->data, .as_path_octets = path->octets };
	static struct route_map_buf buf;
	struct ipnet net = net_of(*k);

	if (map != MAP_NONE && !route_map_run(map_at(map), &net, &s, &buf))
		return NONE;
	bgp_path_load(out, s.as_path, s.as_path_octets);
	*k = index_of(net);
	return bgp_path_len(out->data, out->octets);
}

/* The best path of every prefix: who has it, and its AS path. */
struct best {
	int peer[PREFIXES]; /* PEERS: our own */
	struct bgp_path_buf path[PREFIXES];
};

static void
offer(struct best *b, int k, int peer, const struct bgp_path_buf *path)
{
	int had = b->peer[k] == NONE ? NONE : bgp_path_len(b->path[k].data, b->path[k].octets);

	if (had != NONE && had <= bgp_path_len(path->data, path->octets))
		return;
	b->peer[k] = peer;
	b->path[k] = *path;
}

static void
model_best(const struct model *m, struct best *b)
{
	static const struct bgp_path_buf empty;
	struct bgp_path_buf path, out;

	for (int k = 0; k < PREFIXES; k++) {
		b->peer[k] = NONE;
		if (m->own[k])
			offer(b, k, PEERS, &empty);
	}
	for (int i = 0; i < PEERS; i++)
		for (int k = 0; k < PREFIXES; k++) {
			int to = k;

			if (m->held[i][k] == NONE)
				continue;
			bgp_path_load(&path, NULL, 0);
			for (int n = 0; n < 4 && paths[m->held[i][k]][n] != 0; n++)
				bgp_path_append(&path, paths[m->held[i][k]][n]);
			if (mapped(m->in_map[i], &to, &path, &out) != NONE)
				offer(b, to, i, &out);
		}
}

/* What peer j has of each prefix: path length (with ours), 0 for nothing. A summary goes to j
 * unless all its routes are j's (RS-77). */
static void
model_table(const struct model *m, const struct best *b, int j, int want[PREFIXES])
{
	bool direct[PREFIXES] = { false }, mine[PREFIXES] = { false }, others[PREFIXES] = { false };
	struct bgp_path_buf out;

	memset(want, 0, PREFIXES * sizeof(*want));
	for (int k = 0; k < PREFIXES; k++) {
		int to = k, len;

		if (b->peer[k] == NONE)
			continue;
		len =
		    mapped(b->peer[k] == PEERS ? MAP_NONE : m->out_map[j], &to, &b->path[k], &out);
		if (len == NONE)
			continue;
		if (to == k) {
			direct[k] = true;
			want[k] = b->peer[k] == j ? 0 : len + 1;
		} else if (!direct[to]) {
			*(b->peer[k] == j ? &mine[to] : &others[to]) = true;
			want[to] = len + 1;
		}
	}
	for (int k = 0; k < PREFIXES; k++)
		if (!direct[k] && mine[k] && !others[k])
			want[k] = 0;
}

static void
check(struct model *m)
{
	static struct best b;

	model_best(m, &b);
	for (int j = 0; j < PEERS; j++) {
		int want[PREFIXES];

		if (!m->up[j])
			continue;
		model_table(m, &b, j, want);
		for (int k = 0; k < PREFIXES; k++) {
			char text[IPNET_STRLEN];
			const struct fake_route *r =
			    fake_has(session(j), ipnet_format(text, net_of(k)));
			int have = r == NULL ? 0 : (int)r->n_path;

			if (have != want[k])
				printf("\nseed %u: peer %d has %s with %d ASNs, not %d", m->seed, j,
				    text, have, want[k]);
			CU_ASSERT_FATAL(have == want[k]);
		}
		CU_ASSERT_EQUAL_FATAL(session(j)->strays, 0);
		CU_ASSERT_EQUAL_FATAL(speaker_peer_routes_out(speaker_peer_find(m->sp, name_of(j))),
		    session(j)->n_table);
	}
}

static void
op_session(struct model *m, int i)
{
	if (!m->up[i]) {
		add_peer(m, i);
		return;
	}
	if (rnd(m, 2) == 0) {
		fake_down(session(i), "test");
		speaker_peer_remove(m->sp, speaker_peer_find(m->sp, name_of(i)));
	} else {
		speaker_peer_remove(m->sp, speaker_peer_find(m->sp, name_of(i)));
	}
	m->up[i] = false;
	for (int k = 0; k < PREFIXES; k++)
		m->held[i][k] = NONE;
}

static void
op_routes(struct model *m, int i)
{
	struct ipnet nets[PREFIXES];
	struct bgp_update u = { 0 };
	int path = (int)rnd(m, N_PATHS);
	bool gone = rnd(m, 2) == 0;
	size_t n = 0;

	if (!m->up[i])
		return;
	for (int k = 0; k < PREFIXES; k++)
		if (rnd(m, 5) == 0) {
			nets[n++] = net_of(k);
			m->held[i][k] = gone ? NONE : path;
		}
	u.withdrawn = nets;
	u.n_withdrawn = n;
	if (gone)
		session(i)->cb->update(session(i)->ctx, session(i), &u);
	else
		fake_rx_nets(session(i), nets, n, (uint32_t)i + 1, paths[path]);
}

static void
op_own(struct model *m)
{
	int k = (int)rnd(m, PREFIXES);
	struct ipnet net = net_of(k);
	struct bgp_attr_spec spec = { .next_hop = 1 };

	m->own[k] = !m->own[k];
	if (m->own[k])
		speaker_originate(m->sp, &net, &spec, HRP_SRC_UNKNOWN, 0, 0);
	else
		speaker_unoriginate(m->sp, &net, 0);
}

static void
op_any(struct model *m)
{
	int i = (int)rnd(m, PEERS);

	switch (rnd(m, 10)) {
	case 0:
		op_session(m, i);
		break;
	case 1:
		op_own(m);
		break;
	case 2:
		set_in_map(m, i, (int)rnd(m, MAP_COUNT));
		break;
	case 3:
		if (m->up[i])
			set_out_map(m, i, (int)rnd(m, MAP_COUNT));
		break;
	case 4:
		if (m->up[i])
			session(i)->cb->refresh(session(i)->ctx, session(i));
		break;
	default:
		op_routes(m, i);
		break;
	}
}

static void
test_peers_have_what_the_model_says(void)
{
	for (unsigned seed = 1; seed <= 20; seed++) {
		struct model m;

		setup(&m, seed);
		for (unsigned t = 0; t < 300; t++) {
			for (unsigned n = 1 + rnd(&m, 4); n > 0; n--)
				op_any(&m);
			turn(&m);
			check(&m);
		}
		teardown(&m);
	}
}

static CU_TestInfo tests[] = {
	{ "RS-112, RM-2: what a map drops is listed, not used",
	    test_dropped_routes_are_listed_but_not_used },
	{ "RM-13: a new inbound map works on what is held",
	    test_a_new_inbound_map_works_on_what_is_held },
	{ "RM-7: a summary lives as long as its routes",
	    test_an_inbound_summary_lives_as_long_as_its_routes },
	{ "the summary does not depend on the order",
	    test_the_summary_does_not_depend_on_the_order },
	{ "attributes are decided once", test_attributes_are_decided_once },
	{ "RM-2, RM-7: an outbound map changes one peer's view",
	    test_an_outbound_map_changes_one_peers_view },
	{ "RM-13: a new outbound map tells the difference",
	    test_a_new_outbound_map_tells_the_difference },
	{ "peers have what the model says", test_peers_have_what_the_model_says },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("speaker maps", tests)
