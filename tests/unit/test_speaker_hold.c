/*
 * Decisions of a speaker that wait: the window of RS-99 (TIME-4), and changes that take their time
 * (ER-5, TIME-13, TIME-20).
 */
#include "lib/bgp_speaker.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"
#include "tests/unit/fake_session.h"

#include <string.h>

#define SELF      0x0a010004u
#define NET       "10.50.0.0/16"
#define OTHER     "10.60.0.0/16"
#define PATH(...) ((const uint32_t[]){ __VA_ARGS__, 0 })
#define WINDOW_MS 150

struct role {
	struct fab_loop *loop;
	struct speaker *sp;
	uint32_t delay_ms[2]; /* [1]: of a loss */
	unsigned batches, told;
	struct speaker_cause cause;
};

static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	(void)ctx;
	(void)from;
	(void)in;
	(void)out;
	(void)path;
	return true;
}

static bool
export_attrs(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	(void)ctx;
	(void)to;
	(void)path;
	(void)out;
	return true;
}

static uint32_t
delay_ms(void *ctx, struct speaker_peer *from, bool lost)
{
	struct role *r = ctx;

	(void)from;
	return r->delay_ms[lost];
}

static void
held(void *ctx)
{
	((struct role *)ctx)->told++;
}

static void
changed(
    void *ctx, const struct speaker_change *changes, size_t n, const struct speaker_cause *cause)
{
	struct role *r = ctx;

	(void)changes;
	(void)n;
	r->batches++;
	r->cause = *cause;
}

static const struct speaker_role role_ops = {
	.import_attrs = import_attrs,
	.export_attrs = export_attrs,
	.delay_ms = delay_ms,
	.held = held,
	.changed = changed,
};

static struct bgp_session *
peer(struct role *r, const char *name, uint32_t addr)
{
	struct speaker_peer_conf conf = { .session = { .local_name = "rs",
					      .peer_name = name,
					      .local_as = 65515,
					      .peer_as = 65001,
					      .local_addr = SELF,
					      .peer_addr = addr } };

	CU_ASSERT_EQUAL_FATAL(speaker_peer_add(r->sp, &conf, NULL), FAB_OK);
	fake_up(fake_find(name));
	fab_loop_turn(r->loop, 0);
	return fake_find(name);
}

static void
setup(struct role *r)
{
	*r = (struct role){ 0 };
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&r->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_new(&r->sp, r->loop, &role_ops, r), FAB_OK);
}

static void
teardown(struct role *r)
{
	speaker_free(r->sp);
	fab_loop_free(r->loop);
}

static void
rx(struct role *r, struct bgp_session *s, const char *announce, const uint32_t *path)
{
	fake_rx(s, &(struct fake_update){
		       .announce = announce, .path = path, .next_hop = s->conf.peer_addr });
	fab_loop_turn(r->loop, 0);
}

static void
rx_withdraw(struct role *r, struct bgp_session *s, const char *withdraw)
{
	fake_rx(s, &(struct fake_update){ .withdraw = withdraw });
	fab_loop_turn(r->loop, 0);
}

static uint64_t
ms_since(struct fab_mono start)
{
	return fab_mono_us_between(start, fab_mono_now()) / 1000;
}

/* RS-99: a first change is at once, an implicit replace as well; a second one waits until the
 * window since the first is over. */
static void
test_second_change_waits(void)
{
	struct bgp_session *a, *b;
	struct fab_mono start;
	struct role r;

	setup(&r);
	a = peer(&r, "a", 1);
	b = peer(&r, "b", 2);
	rx(&r, a, NET, PATH(65001)); /* before there is a window */
	speaker_set_window(r.sp, WINDOW_MS, 0);
	rx(&r, a, NET, PATH(65001, 65001));
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(b, NET)), "65001 65001");
	start = fab_mono_now();
	rx_withdraw(&r, a, NET);
	CU_ASSERT_PTR_NOT_NULL(fake_has(b, NET));
	CU_ASSERT_EQUAL(speaker_held(r.sp), 1);
	CU_ASSERT_EQUAL(r.told, 1);
	CU_ASSERT_EQUAL(r.batches, 2);
	/* Another prefix does not wait for it. */
	rx(&r, a, OTHER, PATH(65001));
	CU_ASSERT_PTR_NOT_NULL(fake_has(b, OTHER));
	AWAIT(r.loop, fake_has(b, NET) == NULL);
	CU_ASSERT(ms_since(start) >= WINDOW_MS - 20);
	CU_ASSERT_EQUAL(speaker_held(r.sp), 0);
	CU_ASSERT_EQUAL(r.told, 2);
	CU_ASSERT_NOT_EQUAL(r.cause.held_us, 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(r.cause.text, "RS-99"));
	teardown(&r);
}

/* What it became meanwhile is what counts: there and back again is no change. */
static void
test_last_state_counts(void)
{
	struct bgp_session *a, *b;
	struct role r;
	unsigned batches, announced;

	setup(&r);
	a = peer(&r, "a", 1);
	b = peer(&r, "b", 2);
	speaker_set_window(r.sp, WINDOW_MS, 0);
	rx(&r, a, NET, PATH(65001));
	batches = r.batches;
	announced = b->announced;
	fake_down(a, "connection closed by the peer");
	fab_loop_turn(r.loop, 0);
	CU_ASSERT_PTR_NOT_NULL(fake_has(b, NET));
	fake_up(a);
	rx(&r, a, NET, PATH(65001));
	CU_ASSERT_EQUAL(speaker_held(r.sp), 1);
	AWAIT(r.loop, speaker_held(r.sp) == 0);
	CU_ASSERT_EQUAL(b->announced, announced);
	CU_ASSERT_EQUAL(b->withdrawn, 0);
	CU_ASSERT(r.batches <= batches + 1);
	teardown(&r);
}

/* The window ends: later changes are first ones again. */
static void
test_window_ends(void)
{
	struct bgp_session *a, *b;
	struct fab_mono start;
	struct role r;

	setup(&r);
	a = peer(&r, "a", 1);
	b = peer(&r, "b", 2);
	speaker_set_window(r.sp, 50, 0);
	rx(&r, a, NET, PATH(65001));
	start = fab_mono_now();
	AWAIT(r.loop, ms_since(start) >= 60);
	rx_withdraw(&r, a, NET);
	CU_ASSERT_PTR_NULL(fake_has(b, NET));
	/* And what is learned in the first time after the start begins none. */
	speaker_set_window(r.sp, WINDOW_MS, 10000);
	start = fab_mono_now();
	AWAIT(r.loop, ms_since(start) >= 60);
	rx(&r, a, OTHER, PATH(65001));
	rx_withdraw(&r, a, OTHER);
	CU_ASSERT_PTR_NULL(fake_has(b, OTHER));
	CU_ASSERT_EQUAL(speaker_held(r.sp), 0);
	teardown(&r);
}

/* ER-5: only what is lost takes long; its peer is gone before that is decided. */
static void
test_losses_take_their_time(void)
{
	struct bgp_session *a, *b;
	struct fab_mono start;
	struct role r;

	setup(&r);
	a = peer(&r, "a", 1);
	b = peer(&r, "b", 2);
	r.delay_ms[1] = WINDOW_MS;
	rx(&r, a, NET " " OTHER, PATH(65001));
	CU_ASSERT_EQUAL(b->n_table, 2);
	start = fab_mono_now();
	fake_down(a, "connection closed by the peer");
	fab_loop_turn(r.loop, 0);
	CU_ASSERT_EQUAL(b->n_table, 2);
	CU_ASSERT_EQUAL(speaker_held(r.sp), 2);
	AWAIT(r.loop, b->n_table == 0);
	CU_ASSERT(ms_since(start) >= WINDOW_MS);
	CU_ASSERT_EQUAL(speaker_prefix_count(r.sp), 0);
	teardown(&r);
}

/* A peer that leaves the configuration takes its routes with it: its number is given away again. */
static void
test_removed_peer_waits_for_nothing(void)
{
	struct bgp_session *b;
	struct role r;

	setup(&r);
	rx(&r, peer(&r, "a", 1), NET, PATH(65001));
	b = peer(&r, "b", 2);
	r.delay_ms[0] = r.delay_ms[1] = 100000;
	CU_ASSERT_EQUAL(b->n_table, 1);
	speaker_peer_remove(r.sp, speaker_peer_find(r.sp, "a"));
	fab_loop_turn(r.loop, 0);
	CU_ASSERT_EQUAL(b->n_table, 0);
	CU_ASSERT_EQUAL(speaker_held(r.sp), 0);
	/* One that waits when the speaker ends is no leak. */
	rx(&r, b, OTHER, PATH(65001));
	CU_ASSERT_EQUAL(speaker_held(r.sp), 1);
	teardown(&r);
}

static CU_TestInfo hold_tests[] = {
	{ "RS-99, TIME-4: a second change waits", test_second_change_waits },
	{ "the last state counts", test_last_state_counts },
	{ "the window ends", test_window_ends },
	{ "ER-5, TIME-13: losses take their time", test_losses_take_their_time },
	{ "a removed peer waits for nothing", test_removed_peer_waits_for_nothing },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("speaker_hold", hold_tests)
