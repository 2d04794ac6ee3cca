/*
 * The cache's book: what goes in, what a review changes, what is counted for whom, and how much
 * there can be at most. The cache itself is a list here.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "vswitchd/vs_flows.h"

#include <string.h>

enum { ROOM = VS_FLOWS_MAX + 16, SLOTS = 16 };

/* What the kernel would have, and who got what. */
struct cache {
	struct vs_flows *f;
	struct {
		struct vs_flow_key key;
		uint32_t to;
		bool there, coming, going;
	} flows[ROOM];
	size_t n;
	uint32_t taker[SLOTS]; /* by the last octet of the destination */
	uint64_t rx[SLOTS], tx[SLOTS];
	unsigned commits, clears;
	int refuse; /* what the next commit comes to */
};

static struct cache cache;

static uint32_t
decide(void *ctx, const struct vs_flow_key *k, const struct vs_flow *flow)
{
	const struct cache *c = ctx;

	CU_ASSERT_EQUAL(flow->dst, k->dst);
	return c->taker[k->dst % SLOTS];
}

static size_t
find(const struct cache *c, const struct vs_flow_key *k, bool coming)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		if (memcmp(&c->flows[i].key, k, sizeof(*k)) == 0 && c->flows[i].coming == coming)
			break;
	return i;
}

static void
add(void *ctx, const struct vs_flow_key *k, uint32_t to)
{
	struct cache *c = ctx;

	CU_ASSERT_TRUE_FATAL(c->n < ROOM);
	c->flows[c->n].key = *k;
	c->flows[c->n].to = to;
	c->flows[c->n].there = c->flows[c->n].going = false;
	c->flows[c->n++].coming = true;
}

static void
del(void *ctx, const struct vs_flow_key *k)
{
	struct cache *c = ctx;
	size_t i = find(c, k, false);

	CU_ASSERT_TRUE_FATAL(i < c->n && c->flows[i].there);
	c->flows[i].going = true;
}

static int
commit(void *ctx)
{
	struct cache *c = ctx;
	int err = c->refuse;
	size_t left = 0;

	c->commits++;
	c->refuse = FAB_OK;
	if (err != FAB_OK)
		return err;
	for (size_t i = 0; i < c->n; i++) {
		if (c->flows[i].going) /* its last packets: 1,000 in all */
			vs_flows_counted(c->f, &c->flows[i].key, 1000, 100000);
		else
			c->flows[left++] = c->flows[i];
	}
	c->n = left;
	for (size_t i = 0; i < c->n; i++) {
		c->flows[i].there = true;
		c->flows[i].coming = false;
	}
	return FAB_OK;
}

static void
clear(void *ctx)
{
	struct cache *c = ctx;

	c->clears++;
	c->n = 0;
}

static void
carried(void *ctx, uint32_t from, uint32_t to, uint64_t packets, uint64_t octets)
{
	struct cache *c = ctx;

	CU_ASSERT_EQUAL(octets, packets * 100);
	c->rx[from % SLOTS] += packets;
	c->tx[to % SLOTS] += packets;
}

static const struct vs_flows_ops ops = { decide, add, del, commit, clear, carried };

static void
begin(void)
{
	memset(&cache, 0, sizeof(cache));
	CU_ASSERT_EQUAL_FATAL(vs_flows_new(&cache.f, &ops, &cache), FAB_OK);
}

static struct vs_flow_key
key(uint32_t from, uint32_t src, uint32_t dst)
{
	return (struct vs_flow_key){ .from = from, .src = src, .dst = dst };
}

static void
ask(const struct vs_flow_key *k)
{
	const struct vs_flow flow = { .src = k->src, .dst = k->dst };

	vs_flows_ask(cache.f, k, &flow);
}

/* Where the cache sends it; 0: it does not have it. */
static uint32_t
taker(const struct vs_flow_key *k)
{
	size_t i = find(&cache, k, false);

	return i < cache.n ? cache.flows[i].to : 0;
}

static void
test_only_what_is_decided_comes_in(void)
{
	struct vs_flow_key plain = key(1, 11, 2), not = key(1, 11, 3), other = key(2, 11, 2);

	begin();
	cache.taker[2] = 5;
	ask(&plain);
	ask(&plain);
	ask(&not );
	ask(&other);
	CU_ASSERT_EQUAL(taker(&plain), 0); /* not yet */
	vs_flows_commit(cache.f);
	CU_ASSERT_EQUAL(taker(&plain), 5);
	CU_ASSERT_EQUAL(taker(&other), 5);
	CU_ASSERT_EQUAL(taker(&not ), 0);
	CU_ASSERT_EQUAL(cache.n, 2);
	CU_ASSERT_EQUAL(vs_flows_count(cache.f), 2);
	CU_ASSERT_EQUAL(vs_flows_stats(cache.f)->added, 2);
	CU_ASSERT_EQUAL(vs_flows_stats(cache.f)->refused, 1);
	vs_flows_commit(cache.f); /* nothing to do */
	CU_ASSERT_EQUAL(cache.commits, 1);
	vs_flows_free(cache.f);
}

static void
test_connections_are_flows_of_their_own(void)
{
	struct vs_flow_key all = key(1, 11, 2), one = all, two = all;

	begin();
	one.proto = two.proto = 6;
	one.ports = 1000 << 16 | 80;
	two.ports = 1001 << 16 | 80;
	cache.taker[2] = 5;
	ask(&all);
	ask(&one);
	ask(&two);
	vs_flows_commit(cache.f);
	CU_ASSERT_EQUAL(cache.n, 3);
	vs_flows_free(cache.f);
}

/* In one commit: a flow that moves never misses, and what it was counts for who got it. */
static void
test_review_moves_and_removes(void)
{
	struct vs_flow_key moves = key(1, 11, 2), goes = key(1, 11, 3), stays = key(1, 11, 4);

	begin();
	cache.taker[2] = cache.taker[3] = cache.taker[4] = 5;
	ask(&moves);
	ask(&goes);
	ask(&stays);
	vs_flows_commit(cache.f);
	vs_flows_counted(cache.f, &moves, 400, 40000);
	vs_flows_counted(cache.f, &stays, 3, 300);
	cache.taker[2] = 6;
	cache.taker[3] = 0;
	vs_flows_review(cache.f);
	CU_ASSERT_EQUAL(cache.commits, 2);
	CU_ASSERT_EQUAL(taker(&moves), 6);
	CU_ASSERT_EQUAL(taker(&goes), 0);
	CU_ASSERT_EQUAL(taker(&stays), 5);
	CU_ASSERT_EQUAL(cache.rx[1], 2003);
	CU_ASSERT_EQUAL(cache.tx[5], 2003);
	CU_ASSERT_EQUAL(cache.tx[6], 0);
	vs_flows_counted(cache.f, &moves, 7, 700); /* from nothing */
	CU_ASSERT_EQUAL(cache.tx[6], 7);
	CU_ASSERT_EQUAL(vs_flows_stats(cache.f)->moved, 1);
	CU_ASSERT_EQUAL(vs_flows_stats(cache.f)->removed, 1);
	vs_flows_review(cache.f);
	CU_ASSERT_EQUAL(cache.commits, 2);
	vs_flows_free(cache.f);
}

static void
test_a_port_is_forgotten(void)
{
	struct vs_flow_key from = key(5, 11, 2), to = key(1, 11, 3), other = key(1, 11, 2);

	begin();
	cache.taker[2] = 6;
	cache.taker[3] = 5;
	ask(&from);
	ask(&to);
	ask(&other);
	vs_flows_commit(cache.f);
	vs_flows_forget(cache.f, 5);
	CU_ASSERT_EQUAL(taker(&from), 0);
	CU_ASSERT_EQUAL(taker(&to), 0);
	CU_ASSERT_EQUAL(taker(&other), 6);
	CU_ASSERT_EQUAL(cache.rx[5], 1000);
	CU_ASSERT_EQUAL(cache.tx[5], 1000);
	ask(&from); /* it may come back */
	vs_flows_commit(cache.f);
	CU_ASSERT_EQUAL(taker(&from), 6);
	vs_flows_free(cache.f);
}

static void
test_what_is_idle_goes(void)
{
	struct vs_flow_key busy = key(1, 11, 2), idle = key(1, 11, 3);

	begin();
	cache.taker[2] = cache.taker[3] = 5;
	ask(&busy);
	ask(&idle);
	vs_flows_commit(cache.f);
	vs_flows_counted(cache.f, &idle, 1, 100);
	vs_flows_age(cache.f); /* both are new */
	CU_ASSERT_EQUAL(cache.n, 2);
	vs_flows_counted(cache.f, &busy, 1, 100);
	vs_flows_counted(cache.f, &idle, 1, 100); /* as before */
	vs_flows_age(cache.f);
	CU_ASSERT_EQUAL(taker(&busy), 5);
	CU_ASSERT_EQUAL(taker(&idle), 0);
	vs_flows_free(cache.f);
}

/* One sender cannot take all of it, and all cannot take more than there is. */
static void
test_bounds(void)
{
	uint32_t senders = VS_FLOWS_MAX / VS_FLOWS_PORT_MAX;
	struct vs_flow_key k;

	begin();
	cache.taker[2] = 5;
	for (uint32_t from = 1; from <= senders + 1; from++)
		for (uint32_t src = 0; src < VS_FLOWS_PORT_MAX + 10; src++) {
			k = key(from, src, 2);
			ask(&k);
		}
	vs_flows_commit(cache.f);
	CU_ASSERT_EQUAL(vs_flows_count(cache.f), VS_FLOWS_MAX);
	k = key(1, VS_FLOWS_PORT_MAX - 1, 2);
	CU_ASSERT_EQUAL(taker(&k), 5);
	k = key(1, VS_FLOWS_PORT_MAX, 2);
	CU_ASSERT_EQUAL(taker(&k), 0);
	k = key(senders, 0, 2);
	CU_ASSERT_EQUAL(taker(&k), 5);
	k = key(senders + 1, 0, 2);
	CU_ASSERT_EQUAL(taker(&k), 0);
	vs_flows_forget(cache.f, 1); /* makes room for others */
	ask(&k);
	vs_flows_commit(cache.f);
	CU_ASSERT_EQUAL(taker(&k), 5);
	vs_flows_free(cache.f);
}

/* What the kernel has is not known: it is emptied, and starts anew. */
static void
test_a_commit_that_fails(void)
{
	struct vs_flow_key old = key(1, 11, 2), new = key(1, 11, 3);

	begin();
	cache.taker[2] = cache.taker[3] = 5;
	ask(&old);
	vs_flows_commit(cache.f);
	ask(&new);
	cache.refuse = FAB_ENOMEM;
	vs_flows_commit(cache.f);
	CU_ASSERT_EQUAL(cache.clears, 1);
	CU_ASSERT_EQUAL(vs_flows_count(cache.f), 0);
	ask(&old);
	ask(&new);
	vs_flows_commit(cache.f);
	CU_ASSERT_EQUAL(cache.n, 2);
	vs_flows_free(cache.f);
}

static CU_TestInfo tests[] = {
	{ "what is decided comes in, the rest does not", test_only_what_is_decided_comes_in },
	{ "connections are flows of their own", test_connections_are_flows_of_their_own },
	{ "a review moves and removes", test_review_moves_and_removes },
	{ "a port is forgotten", test_a_port_is_forgotten },
	{ "what is idle goes", test_what_is_idle_goes },
	{ "no more than the bounds", test_bounds },
	{ "a commit that fails empties the cache", test_a_commit_that_fails },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_flows", tests)
