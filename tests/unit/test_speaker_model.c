/*
 * The speaker against a model: random announcements, withdrawals, losses, refreshes, peers that are
 * removed and added, policy that changes; after each turn every peer must have exactly what a walk
 * over all paths says. Fixed seeds, so a failure can be repeated.
 */
#include "lib/bgp_speaker.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fake_session.h"

#include <stdlib.h>
#include <string.h>

#define PEERS    6
#define PREFIXES 24
#define OWN_AS   65515
#define NONE     (-1)

/* Paths by length; index + 1 is the length. A path of length 3 is refused by import. */
static const uint32_t paths[][5] = { { 65001 }, { 65001, 65002 }, { 65001, OWN_AS, 65003 },
	{ 65001, 65001, 65001, 65001 } };
#define N_PATHS ((int)(sizeof(paths) / sizeof(paths[0])))
#define REFUSED 2

struct model {
	struct fab_loop *loop;
	struct speaker *sp;
	unsigned seed;
	bool present[PEERS], up[PEERS];
	int held[PEERS][PREFIXES]; /* index into paths */
	bool own[PREFIXES];
	bool b2b; /* groups exchange routes, else only members of one group do */
	unsigned batches;
};

static unsigned
rnd(struct model *m, unsigned n)
{
	return (unsigned)rand_r(&m->seed) % n;
}

/* Peers 0 ... 3 are group 0, the others group 1. */
static uint32_t
group_of(int peer)
{
	return peer >= 4;
}

static const char *
name_of(int peer)
{
	static const char *const names[PEERS] = { "p0", "p1", "p2", "p3", "p4", "p5" };

	return names[peer];
}

static struct ipnet
net_of(int i)
{
	return (struct ipnet){ 0x0a000000u + ((uint32_t)i << 16), 16 };
}

/* ---- the role ---- */

static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	(void)ctx;
	(void)from;
	(void)out;
	(void)path;
	return !bgp_path_has(in->s.as_path, in->s.as_path_octets, OWN_AS);
}

static bool
export_attrs(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	struct model *m = ctx;
	struct speaker_scratch *sc = speaker_scratch(m->sp);
	uint32_t group = speaker_peer_conf(to)->group;

	bgp_path_load(&sc->path, out->as_path, out->as_path_octets);
	bgp_path_prepend(&sc->path, OWN_AS, 1);
	out->as_path = sc->path.data;
	out->as_path_octets = sc->path.octets;
	return path->peer == NULL || m->b2b || speaker_peer_conf(path->peer)->group == group;
}

static void
changed(void *ctx, const struct speaker_change *changes, size_t n, const struct speaker_cause *c)
{
	struct model *m = ctx;

	(void)c;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < changes[i].n_best; k++)
			CU_ASSERT_PTR_NOT_NULL(changes[i].best[k]->attrs);
	m->batches++;
}

static const struct speaker_role role = {
	.import_attrs = import_attrs, .export_attrs = export_attrs, .changed = changed
};

/* ---- operations ---- */

static void
op_add(struct model *m, int i)
{
	struct speaker_peer_conf conf = {
		.session = { .peer_name = name_of(i),
		    .local_as = OWN_AS,
		    .peer_as = 65001,
		    .peer_addr = (uint32_t)i + 1 },
		.group = group_of(i),
	};

	CU_ASSERT_EQUAL_FATAL(speaker_peer_add(m->sp, &conf, NULL), FAB_OK);
	m->present[i] = true;
	if (i % 3 == 0)
		fake_find(name_of(i))->wire = BGP_WIRE_RFC_AS2;
}

static void
forget(struct model *m, int i)
{
	m->up[i] = false;
	for (int k = 0; k < PREFIXES; k++)
		m->held[i][k] = NONE;
}

static void
op_peer(struct model *m, int i)
{
	struct bgp_session *s = fake_find(name_of(i));

	if (!m->present[i]) {
		op_add(m, i);
	} else if (!m->up[i]) {
		fake_up(s);
		m->up[i] = true;
	} else if (rnd(m, 3) == 0) {
		speaker_peer_remove(m->sp, speaker_peer_find(m->sp, name_of(i)));
		m->present[i] = false;
		forget(m, i);
	} else {
		fake_down(s, "test");
		forget(m, i);
	}
}

static void
op_update(struct model *m, int i)
{
	struct bgp_session *s = fake_find(name_of(i));
	struct ipnet nets[PREFIXES];
	int path = (int)rnd(m, (unsigned)N_PATHS);
	size_t n = 0;

	if (!m->up[i])
		return;
	for (int k = 0; k < PREFIXES; k++)
		if (rnd(m, 4) == 0) {
			nets[n++] = net_of(k);
			m->held[i][k] = path == REFUSED ? NONE : path;
		}
	fake_rx_nets(s, nets, n, 1, paths[path]);
}

static void
op_withdraw(struct model *m, int i)
{
	struct bgp_session *s = fake_find(name_of(i));
	struct bgp_update u = { 0 };
	struct ipnet net = net_of((int)rnd(m, PREFIXES));

	if (!m->up[i])
		return;
	u.withdrawn = &net;
	u.n_withdrawn = 1;
	m->held[i][(net.addr >> 16) & 0xff] = NONE;
	s->cb->update(s->ctx, s, &u);
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

	switch (rnd(m, 12)) {
	case 0:
		op_peer(m, i);
		break;
	case 1:
		op_own(m);
		break;
	case 2:
		if (m->up[i])
			fake_find(name_of(i))
			    ->cb->refresh(fake_find(name_of(i))->ctx, fake_find(name_of(i)));
		break;
	case 3:
		m->b2b = !m->b2b;
		speaker_reevaluate(m->sp, "test");
		break;
	case 4:
	case 5:
	case 6:
		op_withdraw(m, i);
		break;
	default:
		op_update(m, i);
		break;
	}
}

/* ---- the check ---- */

/* Who has the best path of a prefix: a peer, PEERS for our own, NONE. */
static int
model_best(const struct model *m, int k)
{
	int best = NONE;

	if (m->own[k])
		return PEERS;
	for (int i = 0; i < PEERS; i++)
		if (m->held[i][k] != NONE && (best == NONE || m->held[i][k] < m->held[best][k]))
			best = i;
	return best;
}

static bool
right(const struct model *m, int peer, int k)
{
	const struct bgp_session *s = fake_find(name_of(peer));
	char prefix[IPNET_STRLEN];
	const struct fake_route *r = fake_has(s, ipnet_format(prefix, net_of(k)));
	int best = model_best(m, k);

	if (best == NONE || best == peer ||
	    (best != PEERS && !m->b2b && group_of(best) != group_of(peer)))
		return r == NULL;
	return r != NULL && r->n_path == (best == PEERS ? 1u : (size_t)m->held[best][k] + 2);
}

static void
check(struct model *m)
{
	for (int i = 0; i < PEERS; i++) {
		if (!m->up[i])
			continue;
		for (int k = 0; k < PREFIXES; k++)
			CU_ASSERT_FATAL(right(m, i, k));
		CU_ASSERT_EQUAL(speaker_peer_routes_out(speaker_peer_find(m->sp, name_of(i))),
		    fake_find(name_of(i))->n_table);
		CU_ASSERT_EQUAL_FATAL(fake_find(name_of(i))->strays, 0);
	}
}

static void
run(unsigned seed, unsigned turns)
{
	struct model m = { .seed = seed };

	for (int i = 0; i < PEERS; i++)
		forget(&m, i);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&m.loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_new(&m.sp, m.loop, &role, &m), FAB_OK);
	for (unsigned t = 0; t < turns; t++) {
		for (unsigned n = 1 + rnd(&m, 4); n > 0; n--)
			op_any(&m);
		fab_loop_turn(m.loop, 0);
		check(&m);
	}
	CU_ASSERT(m.batches > turns / 10);
	speaker_free(m.sp);
	fab_loop_free(m.loop);
}

static void
test_peers_have_what_the_model_says(void)
{
	for (unsigned seed = 1; seed <= 20; seed++)
		run(seed, 300);
}

static CU_TestInfo tests[] = {
	{ "peers have what the model says", test_peers_have_what_the_model_says },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("speaker model", tests)
