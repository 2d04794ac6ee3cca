/*
 * The ring between the engine and who watches a port: what is put comes out, in order, once; what
 * does not fit is counted; a reader that sleeps is woken.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "vswitchd/vs_capture.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void
put(struct vs_capture *c, uint32_t nth, uint32_t len)
{
	uint8_t data[2048];

	memset(data, (int)(nth & 0xff), sizeof(data));
	vs_capture_put(c, &(struct vs_captured){ .at_us = nth,
			      .from_guest = nth % 2 == 0,
			      .dropped = nth % 3 == 0,
			      .why = VS_DROP_NO_OWNER,
			      .size = len + 7,
			      .len = len,
			      .data = data });
}

static bool
is_readable(const struct vs_capture *c)
{
	struct pollfd p = { .fd = vs_capture_fd(c), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void
test_round_and_round(void)
{
	struct vs_capture *c = NULL;
	struct vs_captured got;

	CU_ASSERT_EQUAL_FATAL(vs_capture_new(&c, 1500), FAB_OK);
	CU_ASSERT_FALSE(is_readable(c));
	CU_ASSERT_FALSE(vs_capture_take(c, &got));
	for (uint32_t i = 0; i < 20000; i++) { /* several times its size */
		put(c, i, i % 1600);
		CU_ASSERT_TRUE(is_readable(c));
		CU_ASSERT_TRUE_FATAL(vs_capture_take(c, &got));
		CU_ASSERT_TRUE(got.at_us == i && got.from_guest == (i % 2 == 0));
		CU_ASSERT_TRUE(got.dropped == (i % 3 == 0) && got.lost == 0);
		CU_ASSERT_EQUAL(got.size, i % 1600 + 7);
		CU_ASSERT_EQUAL(got.len, i % 1600 < 1500 ? i % 1600 : 1500);
		CU_ASSERT_TRUE(got.len == 0 ||
			       (got.data[0] == (i & 0xff) && got.data[got.len - 1] == (i & 0xff)));
		CU_ASSERT_FALSE(vs_capture_take(c, &got));
		CU_ASSERT_FALSE(is_readable(c));
	}
	vs_capture_free(c);
	vs_capture_free(NULL);
}

static void
test_what_does_not_fit_is_counted(void)
{
	struct vs_capture *c = NULL;
	struct vs_captured got;
	uint32_t n = 0, put_in_all = 10000;

	CU_ASSERT_EQUAL_FATAL(vs_capture_new(&c, 0), FAB_OK);
	for (uint32_t i = 0; i < put_in_all; i++)
		put(c, i, 1000);
	for (; vs_capture_take(c, &got); n++)
		CU_ASSERT_TRUE(got.at_us == n && got.lost == 0);
	CU_ASSERT_TRUE(n > 1000 && n < put_in_all);
	put(c, put_in_all, 10);
	CU_ASSERT_TRUE_FATAL(vs_capture_take(c, &got));
	CU_ASSERT_EQUAL(got.at_us, put_in_all);
	CU_ASSERT_EQUAL(got.lost, put_in_all - n);
	put(c, 1, 10);
	CU_ASSERT_TRUE_FATAL(vs_capture_take(c, &got));
	CU_ASSERT_EQUAL(got.lost, 0); /* once is enough */
	vs_capture_free(c);
}

enum { MANY = 50000 };

static void *
writer(void *arg)
{
	for (uint32_t i = 0; i < MANY; i++)
		put(arg, i, 100);
	return NULL;
}

/* The reader sleeps whenever the ring is empty; no wake-up is missed. */
static void
test_reader_and_writer(void)
{
	struct vs_capture *c = NULL;
	struct vs_captured got;
	uint64_t seen = 0;
	pthread_t t;

	CU_ASSERT_EQUAL_FATAL(vs_capture_new(&c, 0), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, writer, c), 0);
	while (seen < MANY) {
		struct pollfd p = { .fd = vs_capture_fd(c), .events = POLLIN };

		if (vs_capture_take(c, &got)) {
			CU_ASSERT_EQUAL(got.at_us, seen + got.lost);
			seen += 1 + got.lost;
		} else if (poll(&p, 1, 20000) != 1) {
			break; /* lost at the end are told with the next one */
		}
		if (seen >= MANY - 1)
			break;
	}
	pthread_join(t, NULL);
	while (vs_capture_take(c, &got))
		seen += 1 + got.lost;
	CU_ASSERT_TRUE(seen > 0 && seen <= MANY);
	put(c, 0, 1);
	CU_ASSERT_TRUE_FATAL(vs_capture_take(c, &got));
	CU_ASSERT_EQUAL(seen + got.lost, MANY);
	vs_capture_free(c);
}

static CU_TestInfo capture_tests[] = {
	{ "round and round", test_round_and_round },
	{ "what does not fit is counted", test_what_does_not_fit_is_counted },
	{ "reader and writer", test_reader_and_writer },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_capture", capture_tests)
