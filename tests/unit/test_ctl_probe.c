#include "tests/unit/fab_cunit.h"

#include "fabctl/ctl_probe_run.h"
#include "lib/err.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS      UINT64_C(1000000)
#define LOOP_IP 0x7f000001u
#define REST_OF(...)                                                                               \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* ---- statistics ---- */

struct stat_case {
	const char *what;
	size_t n;
	struct ctl_probe_record r[6]; /* sent, arrived, answered (ms), arrivals */
	struct ctl_probe_stat want;   /* times in ms */
};

static const struct stat_case stat_cases[] = {
	{ "nothing was sent", 0, REST_OF({ 0 }), { 0 } },
	{ "all in order", 3, REST_OF({ 10, 11, 12, 1 }, { 20, 21, 22, 1 }, { 30, 31, 32, 1 }),
	    { .sent = 3,
		.received = 3,
		.answered = 3,
		.longest_gap_ns = 10,
		.gap_end_ns = 21,
		.rtt_median_ns = 2,
		.rtt_p99_ns = 2 } },
	{ "nothing arrived: the gap is all of it", 3, REST_OF({ 10 }, { 20 }, { 30 }),
	    { .sent = 3,
		.lost = 3,
		.longest_gap_ns = 20,
		.gap_end_ns = 30,
		.outage_ns = 20,
		.outage_end_ns = 30 } },
	{ "lost at the start", 3, REST_OF({ 10 }, { 20 }, { 30, 31, 33, 1 }),
	    { .sent = 3,
		.received = 1,
		.lost = 2,
		.answered = 1,
		.longest_gap_ns = 21,
		.gap_end_ns = 31,
		.outage_ns = 21,
		.outage_end_ns = 31,
		.rtt_median_ns = 3,
		.rtt_p99_ns = 3 } },
	{ "lost at the end", 4, REST_OF({ 10, 11, 0, 1 }, { 20, 21, 0, 1 }, { 30 }, { 60 }),
	    { .sent = 4,
		.received = 2,
		.lost = 2,
		.longest_gap_ns = 39,
		.gap_end_ns = 60,
		.outage_ns = 30,
		.outage_end_ns = 60 } },
	{ "of two runs the longer", 6,
	    REST_OF({ 10 }, { 20 }, { 30 }, { 40, 41, 0, 1 }, { 50 }, { 55, 56, 0, 1 }),
	    { .sent = 6,
		.received = 2,
		.lost = 4,
		.longest_gap_ns = 31,
		.gap_end_ns = 41,
		.outage_ns = 31,
		.outage_end_ns = 41 } },
	{ "lost in the middle, the way back too", 4,
	    REST_OF({ 10, 11, 12, 1 }, { 20 }, { 30 }, { 40, 41, 0, 1 }),
	    { .sent = 4,
		.received = 2,
		.lost = 2,
		.answered = 1,
		.longest_gap_ns = 30,
		.gap_end_ns = 41,
		.outage_ns = 21,
		.outage_end_ns = 41,
		.rtt_median_ns = 2,
		.rtt_p99_ns = 2 } },
	{ "copies", 2, REST_OF({ 10, 11, 0, 3 }, { 20, 21, 0, 2 }),
	    { .sent = 2, .received = 2, .duplicated = 3, .longest_gap_ns = 10, .gap_end_ns = 21 } },
	/* Arrive as 1 0 3 2 5 4: three came after a higher number. */
	{ "out of order", 6,
	    REST_OF({ 10, 21, 0, 1 }, { 11, 20, 0, 1 }, { 12, 23, 0, 1 }, { 13, 22, 0, 1 },
		{ 14, 25, 0, 1 }, { 15, 24, 0, 1 }),
	    { .sent = 6, .received = 6, .reordered = 3, .longest_gap_ns = 10, .gap_end_ns = 20 } },
	{ "one that is late is one out of order", 4,
	    REST_OF({ 10, 50, 0, 1 }, { 20, 21, 0, 1 }, { 30, 31, 0, 1 }, { 40, 41, 0, 1 }),
	    { .sent = 4, .received = 4, .reordered = 1, .longest_gap_ns = 11, .gap_end_ns = 21 } },
};

static void
test_stat(void)
{
	for (size_t i = 0; i < sizeof(stat_cases) / sizeof(stat_cases[0]); i++) {
		const struct stat_case *c = &stat_cases[i];
		struct ctl_probe_record r[6];
		struct ctl_probe_stat s, w = c->want;

		memcpy(r, c->r, sizeof(r));
		for (size_t k = 0; k < 6; k++) {
			r[k].sent_ns *= MS;
			r[k].arrived_ns *= MS;
			r[k].answered_ns *= MS;
		}
		CU_ASSERT_EQUAL_FATAL(ctl_probe_stat(&s, r, c->n), FAB_OK);
		if (s.sent != w.sent || s.received != w.received || s.lost != w.lost ||
		    s.duplicated != w.duplicated || s.reordered != w.reordered ||
		    s.answered != w.answered || s.longest_gap_ns != w.longest_gap_ns * MS ||
		    s.gap_end_ns != w.gap_end_ns * MS || s.outage_ns != w.outage_ns * MS ||
		    s.outage_end_ns != w.outage_end_ns * MS ||
		    s.rtt_median_ns != w.rtt_median_ns * MS || s.rtt_p99_ns != w.rtt_p99_ns * MS) {
			printf("\n%s\n", c->what);
			CU_FAIL("statistics differ");
		}
	}
}

static void
test_percentiles(void)
{
	static struct ctl_probe_record r[200];
	struct ctl_probe_stat s;

	for (size_t i = 0; i < 200; i++) /* round trips of 1 ... 200 ms, shuffled */
		r[i] = (struct ctl_probe_record){ MS, MS, MS + (i * 73 % 200 + 1) * MS, 1 };
	CU_ASSERT_EQUAL_FATAL(ctl_probe_stat(&s, r, 200), FAB_OK);
	CU_ASSERT_EQUAL(s.rtt_median_ns, 101 * MS);
	CU_ASSERT_EQUAL(s.rtt_p99_ns, 199 * MS);
}

/* ---- real packets, over our own loopback ---- */

/* Entering a namespace, even the own one, needs CAP_SYS_ADMIN. */
static int
own_namespace(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), how = 1;
	pid_t pid;

	CU_ASSERT_FATAL(fd >= 0);
	if ((pid = fork()) == 0)
		_exit(setns(fd, CLONE_NEWNET) == 0 ? 0 : 1);
	waitpid(pid, &how, 0);
	if (how == 0)
		return fd;
	close(fd);
	return -1;
}

static void
probe_loopback(bool tcp)
{
	static const volatile sig_atomic_t never;
	const struct ctl_probe_record *r;
	struct ctl_probe_conf conf = { .tcp = tcp, .pps = 20000, .packets = 2000 };
	struct ctl_probe_stat s;
	struct ctl_probe *p;
	char why[CTL_PROBE_WHY_MAX];
	int fd = own_namespace();
	size_t n;

	if (fd < 0) {
		printf("not root, skipped ... ");
		return;
	}
	conf.src = conf.dst = fd;
	CU_ASSERT_EQUAL_FATAL(ctl_probe_start(&p, &conf, why), FAB_OK);
	close(fd);
	ctl_probe_go(p, LOOP_IP);
	CU_ASSERT_EQUAL_FATAL(ctl_probe_end(p, &never, &r, &n, why), FAB_OK);
	CU_ASSERT_EQUAL(n, 2000);
	CU_ASSERT_EQUAL(ctl_probe_stat(&s, r, n), FAB_OK);
	CU_ASSERT_EQUAL(s.received, 2000);
	CU_ASSERT_EQUAL(s.answered, 2000);
	CU_ASSERT_EQUAL(s.duplicated + s.reordered, 0);
	CU_ASSERT(s.rtt_median_ns > 0 && s.rtt_median_ns <= s.rtt_p99_ns);
	/* Paced: 2,000 at 20,000 a second. */
	CU_ASSERT(r[1999].sent_ns - r[0].sent_ns >= 99 * MS);
	ctl_probe_free(p);
}

static void
test_udp(void)
{
	probe_loopback(false);
}

static void
test_tcp(void)
{
	probe_loopback(true);
}

static void
test_stop_and_free(void)
{
	static const volatile sig_atomic_t at_once = 1;
	const struct ctl_probe_record *r;
	struct ctl_probe_conf conf = { .pps = 1, .packets = 1000 };
	struct ctl_probe *p;
	char why[CTL_PROBE_WHY_MAX];
	int fd = own_namespace();
	size_t n;

	if (fd < 0) {
		printf("not root, skipped ... ");
		return;
	}
	conf.src = conf.dst = fd;
	CU_ASSERT_EQUAL_FATAL(ctl_probe_start(&p, &conf, why), FAB_OK);
	ctl_probe_go(p, LOOP_IP);
	CU_ASSERT_EQUAL(ctl_probe_end(p, &at_once, &r, &n, why), FAB_OK);
	CU_ASSERT(n <= 2);
	ctl_probe_free(p);
	CU_ASSERT_EQUAL_FATAL(ctl_probe_start(&p, &conf, why), FAB_OK);
	ctl_probe_free(p); /* never let go */
	ctl_probe_free(NULL);
	close(fd);
	CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
}

static void
test_what_is_no_namespace(void)
{
	struct ctl_probe_conf conf = { .src = -1, .dst = -1, .pps = 1, .packets = 1 };
	struct ctl_probe *p = NULL;
	char why[CTL_PROBE_WHY_MAX] = "";

	CU_ASSERT_EQUAL(ctl_probe_start(&p, &conf, why), FAB_EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot enter the destination: "));
	CU_ASSERT_PTR_NULL(p);
}

static CU_TestInfo tests[] = {
	{ "lost, copied and late packets, and the longest gap", test_stat },
	{ "median and 99th percentile", test_percentiles },
	{ "UDP there and back", test_udp },
	{ "TCP there and back", test_tcp },
	{ "stopped, and never started", test_stop_and_free },
	{ "what is no namespace", test_what_is_no_namespace },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_probe", tests)
