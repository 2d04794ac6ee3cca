/*
 * Hints from thread to thread: told with the second packet and now and then later, none wrong,
 * none waits.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "vswitchd/vs_hints.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

enum { FLOWS = 3000, TIMES = 40 };

static struct vs_hints *hints;

static struct vs_hint
hint_of(uint32_t n)
{
	return (struct vs_hint){ .key = { .from = n, .src = n * 7, .dst = n + 1 },
		.packet = { .src = n * 7, .dst = n + 1, .hash = ~n } };
}

static unsigned
taken(void)
{
	struct vs_hint h;
	unsigned n = 0;

	while (vs_hints_take(hints, &h))
		n++;
	return n;
}

static bool
is_readable(void)
{
	struct pollfd p = { .fd = vs_hints_fd(hints), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
test_second_packet_and_again(void)
{
	struct vs_hint h = hint_of(1), got;

	CU_ASSERT_EQUAL_FATAL(vs_hints_new(&hints), FAB_OK);
	vs_hints_see(hints, &h);
	CU_ASSERT_FALSE(is_readable());
	CU_ASSERT_FALSE(vs_hints_take(hints, &got));
	vs_hints_see(hints, &h);
	CU_ASSERT_TRUE(is_readable());
	CU_ASSERT_TRUE_FATAL(vs_hints_take(hints, &got));
	CU_ASSERT_EQUAL(memcmp(&got, &h, sizeof(h)), 0);
	CU_ASSERT_EQUAL(taken(), 0);
	CU_ASSERT_FALSE(is_readable());
	for (int i = 0; i < 64; i++)
		vs_hints_see(hints, &h);
	CU_ASSERT_EQUAL(taken(), 4);
	vs_hints_free(hints);
}

static void
test_full_ring_loses(void)
{
	CU_ASSERT_EQUAL_FATAL(vs_hints_new(&hints), FAB_OK);
	for (uint32_t n = 1; n <= VS_HINTS_ROOM + 100; n++) {
		struct vs_hint h = hint_of(n);

		vs_hints_see(hints, &h);
		vs_hints_see(hints, &h);
	}
	CU_ASSERT_EQUAL(taken(), VS_HINTS_ROOM);
	CU_ASSERT_EQUAL(taken(), 0);
	vs_hints_free(hints);
}

static void *
see_all(void *arg)
{
	for (uint32_t i = 0; i < FLOWS * TIMES; i++) {
		struct vs_hint h = hint_of(i / TIMES + 1);

		vs_hints_see(hints, &h);
	}
	return arg;
}

/* Every hint that comes is one that was given, in order, and each one wakes who waits. */
static void
test_two_threads(void)
{
	struct pollfd p = { .events = POLLIN };
	struct vs_hint h, want;
	unsigned wrong = 0, n = 0;
	uint32_t last = 0;
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(vs_hints_new(&hints), FAB_OK);
	p.fd = vs_hints_fd(hints);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, see_all, NULL), 0);
	while (poll(&p, 1, 500) == 1)
		while (vs_hints_take(hints, &h)) {
			want = hint_of(h.key.from);
			wrong += memcmp(&h, &want, sizeof(h)) != 0 || h.key.from < last;
			last = h.key.from;
			n++;
		}
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(n >= VS_HINTS_ROOM);
	CU_ASSERT_TRUE(n <= FLOWS * (1 + TIMES / 16));
	vs_hints_free(hints);
}

static CU_TestInfo tests[] = {
	{ "told with the second packet, and again", test_second_packet_and_again },
	{ "a full ring loses", test_full_ring_loses },
	{ "two threads", test_two_threads },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_hints", tests)
