/* lib/loop: order and thread safety of posts, end-of-turn work, timers, signals. */
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/loop.h"
#include "tests/unit/fab_cunit.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define POSTERS      4
#define POSTS_EACH   2000
#define TURN_WAIT_MS 1000
#define NS_PER_S     UINT64_C(1000000000)

static char trace[64];

static void
note(void *arg)
{
	strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
}

static struct fab_loop *
new_loop(void)
{
	struct fab_loop *loop = NULL;

	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	trace[0] = '\0';
	return loop;
}

static void
test_posts_run_in_order_once(void)
{
	struct fab_loop *loop = new_loop();
	struct fab_post a = { .fn = note, .arg = "a" }, b = { .fn = note, .arg = "b" };
	struct fab_post c = { .fn = note, .arg = "c" };

	fab_loop_post(loop, &a);
	fab_loop_post(loop, &b);
	fab_loop_post(loop, &c);
	fab_loop_post(loop, &a); /* queued already */
	fab_loop_post_cancel(loop, &b);
	fab_loop_post_cancel(loop, &b);
	fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_STRING_EQUAL(trace, "ac");
	fab_loop_post(loop, &b);
	fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_STRING_EQUAL(trace, "acb");
	fab_loop_free(loop);
}

struct poster {
	struct fab_loop *loop;
	struct fab_post node;
	_Atomic bool pending;
	unsigned runs;
	pthread_t thread;
};

static void
poster_ran(void *arg)
{
	struct poster *p = arg;

	p->runs++;
	p->pending = false;
}

static void *
poster_main(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < POSTS_EACH; i++) {
		p->pending = true;
		fab_loop_post(p->loop, &p->node);
		while (p->pending)
			sched_yield();
	}
	return NULL;
}

static bool
posters_done(const struct poster *p)
{
	for (int i = 0; i < POSTERS; i++)
		if (p[i].runs < POSTS_EACH)
			return false;
	return true;
}

static void
test_no_post_of_other_threads_is_lost(void)
{
	struct fab_loop *loop = new_loop();
	struct poster p[POSTERS] = { 0 };
	struct fab_mono start = fab_mono_now();

	for (int i = 0; i < POSTERS; i++) {
		p[i].loop = loop;
		p[i].node = (struct fab_post){ .fn = poster_ran, .arg = &p[i] };
		CU_ASSERT_EQUAL_FATAL(pthread_create(&p[i].thread, NULL, poster_main, &p[i]), 0);
	}
	while (!posters_done(p) && fab_mono_us_between(start, fab_mono_now()) < 60000000)
		fab_loop_turn(loop, TURN_WAIT_MS);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(p[i].thread, NULL);
		CU_ASSERT_EQUAL(p[i].runs, POSTS_EACH);
	}
	fab_loop_free(loop);
}

static struct fab_post defer_inner = { .fn = note, .arg = "i" };

static void
defer_more(void *arg)
{
	note("o");
	fab_loop_defer(arg, &defer_inner);
}

static void
post_then_defer(void *arg)
{
	static struct fab_post outer = { .fn = defer_more };

	note("p");
	outer.arg = arg;
	fab_loop_defer(arg, &outer);
}

static void
test_deferred_work_ends_the_turn(void)
{
	struct fab_loop *loop = new_loop();
	struct fab_post first = { .fn = post_then_defer, .arg = loop };
	struct fab_post second = { .fn = note, .arg = "q" };
	struct fab_post gone = { .fn = note, .arg = "x" };

	fab_loop_post(loop, &first);
	fab_loop_post(loop, &second);
	fab_loop_defer(loop, &gone);
	fab_loop_defer_cancel(loop, &gone);
	fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_STRING_EQUAL(trace, "pqoi");
	fab_loop_free(loop);
}

struct again {
	struct fab_loop *loop;
	struct fab_post node;
	unsigned runs;
};

static void
defer_again(void *arg)
{
	struct again *a = arg;

	a->runs++;
	fab_loop_defer(a->loop, &a->node);
}

static void
test_endless_deferring_does_not_hold_the_turn(void)
{
	struct fab_loop *loop = new_loop();
	struct again a = { .loop = loop, .node = { .fn = defer_again, .arg = &a } };
	struct fab_post post = { .fn = note, .arg = "p" };

	fab_loop_defer(loop, &a.node);
	fab_loop_post(loop, &post);
	fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_STRING_EQUAL(trace, "p");
	CU_ASSERT(a.runs >= 1 && a.runs < 100);
	fab_loop_free(loop);
}

static void
test_timers_fire_in_order_never_early(void)
{
	static const uint64_t ms[] = { 30, 1, 7, 15, 0 };
	static char *const names[] = { "e", "b", "c", "d", "a" };
	struct fab_loop *loop = new_loop();
	struct fab_timer *t[5];
	struct fab_mono start = fab_mono_now();

	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL_FATAL(fab_timer_new(&t[i], loop, note, names[i]), FAB_OK);
		CU_ASSERT_FALSE(fab_timer_pending(t[i]));
		fab_timer_set_ms(t[i], ms[i]);
		CU_ASSERT_TRUE(fab_timer_pending(t[i]));
	}
	for (size_t seen = 0; seen < 5;) {
		uint64_t us;

		fab_loop_turn(loop, TURN_WAIT_MS);
		us = fab_mono_us_between(start, fab_mono_now());
		for (; seen < strlen(trace); seen++)
			for (int i = 0; i < 5; i++)
				if (names[i][0] == trace[seen])
					CU_ASSERT(us >= ms[i] * 1000);
		CU_ASSERT_FATAL(us < 10000000);
	}
	CU_ASSERT_STRING_EQUAL(trace, "abcde");
	for (int i = 0; i < 5; i++)
		fab_timer_free(t[i]);
	fab_loop_free(loop);
}

static void
free_own_timer(void *arg)
{
	struct fab_timer **t = arg;

	note("f");
	fab_timer_free(*t);
	*t = NULL;
}

static void
test_timer_cancel_rearm_and_free_inside(void)
{
	struct fab_loop *loop = new_loop();
	struct fab_timer *cancelled, *moved, *freed;

	CU_ASSERT_EQUAL_FATAL(fab_timer_new(&cancelled, loop, note, "x"), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_timer_new(&moved, loop, note, "m"), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_timer_new(&freed, loop, free_own_timer, &freed), FAB_OK);
	fab_timer_set_ms(cancelled, 1);
	fab_timer_cancel(cancelled);
	CU_ASSERT_FALSE(fab_timer_pending(cancelled));
	fab_timer_set_ms(moved, 60000);
	fab_timer_set_ms(moved, 2);
	fab_timer_set_ms(freed, 5);
	while (freed != NULL)
		fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_STRING_EQUAL(trace, "mf");
	fab_timer_free(cancelled);
	fab_timer_free(moved);
	fab_timer_free(NULL);
	fab_loop_free(loop);
}

static void
raise_signal(void *arg)
{
	kill(getpid(), *(int *)arg);
}

static void
test_timers_with_a_window_gather(void)
{
	struct fab_loop *loop = new_loop();
	struct fab_timer *wide, *narrow;
	struct fab_mono start;

	CU_ASSERT_EQUAL_FATAL(fab_timer_new(&wide, loop, note, "w"), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_timer_new(&narrow, loop, note, "n"), FAB_OK);
	/* A window of a second holds a whole second; it fires after that, never before. */
	start = fab_mono_now();
	fab_timer_set_within(wide, 0, 1000);
	while (trace[0] == '\0')
		fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_STRING_EQUAL(trace, "w");
	CU_ASSERT(fab_mono_now().ns / NS_PER_S > start.ns / NS_PER_S);
	/* Just after a whole second none is near: any moment of the window will do. */
	start = fab_mono_now();
	fab_timer_set_within(narrow, 20, 30);
	while (trace[1] == '\0')
		fab_loop_turn(loop, TURN_WAIT_MS);
	CU_ASSERT_STRING_EQUAL(trace, "wn");
	CU_ASSERT(fab_mono_us_between(start, fab_mono_now()) >= 20000);
	fab_timer_free(wide);
	fab_timer_free(narrow);
	fab_loop_free(loop);
}

static void
test_signals_end_the_loop(void)
{
	static int signals[] = { SIGTERM, SIGINT };

	for (size_t i = 0; i < 2; i++) {
		struct fab_loop *loop = new_loop();
		struct fab_post post = { .fn = raise_signal, .arg = &signals[i] };

		CU_ASSERT_EQUAL(fab_loop_handle_signals(loop), FAB_OK);
		fab_loop_post(loop, &post);
		fab_loop_run(loop);
		CU_ASSERT_FALSE(fab_loop_stopping(loop));
		fab_loop_stop(loop);
		CU_ASSERT_TRUE(fab_loop_stopping(loop));
		fab_loop_run(loop); /* stopped before: returns at once */
		fab_loop_free(loop);
	}
}

static void
test_exit_work_runs_when_the_loop_is_freed(void)
{
	struct fab_loop *loop = new_loop();
	struct fab_exit a = { .fn = note, .arg = "a" }, b = { .fn = note, .arg = "b" };
	struct fab_exit c = { .fn = note, .arg = "c" };

	fab_loop_exit_add(loop, &a);
	fab_loop_exit_add(loop, &b);
	fab_loop_exit_add(loop, &c);
	fab_loop_exit_remove(loop, &b);
	fab_loop_free(loop);
	CU_ASSERT_STRING_EQUAL(trace, "ca");
}

static CU_TestInfo tests[] = {
	{ "posts run once, in order", test_posts_run_in_order_once },
	{ "no post of another thread is lost", test_no_post_of_other_threads_is_lost },
	{ "deferred work ends the turn", test_deferred_work_ends_the_turn },
	{ "endless deferring does not hold the turn",
	    test_endless_deferring_does_not_hold_the_turn },
	{ "timers fire in order, never early", test_timers_fire_in_order_never_early },
	{ "timers: cancel, re-arm, free inside", test_timer_cancel_rearm_and_free_inside },
	{ "timers with a window gather", test_timers_with_a_window_gather },
	{ "SIGTERM and SIGINT end the loop", test_signals_end_the_loop },
	{ "exit work runs when the loop is freed", test_exit_work_runs_when_the_loop_is_freed },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("loop", tests)
