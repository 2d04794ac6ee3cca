/*
 * The prober behind the userspace engine, with socket pairs in the place of TAPs and a guest that
 * answers by hand: what it sends, what it makes of the answers, and whom it does not hear.
 */
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/ipnet.h"
#include "lib/loop.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/vs_fixture.h"
#include "tests/unit/vs_packet.h"
#include "vswitchd/vs_platform.h"
#include "vswitchd/vs_prober.h"
#include "vswitchd/vs_segment.h"
#include "vswitchd/vs_user.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 20000
#define INTERVAL_MS 240
#define PORT        8080

enum { FW1 = 1, FW2 };

struct world {
	struct fab_loop *loop;
	struct vs_fix *fix;
	struct vs_model *m;
	struct vs_engine *e;
	struct vs_prober *p;
	int guest[3]; /* fw1's and fw2's ends; both have the same address, in VNets of their own */
	unsigned changes;
	bool healthy;
	char backend[16], why[64];
};

static void
changed(void *ctx, const struct vs_finding *f)
{
	struct world *w = ctx;

	CU_ASSERT_STRING_EQUAL(f->balancer, "ilb1");
	w->changes++;
	w->healthy = f->healthy;
	snprintf(w->backend, sizeof(w->backend), "%s", f->backend);
	snprintf(w->why, sizeof(w->why), "%s", f->why);
}

static int
attach(struct vs_engine *e, const char *name)
{
	int fd[2];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
	CU_ASSERT_EQUAL_FATAL(vs_engine_attach(e, name, fd[0]), FAB_OK);
	return fd[1];
}

/* Ports FW1 and FW2 of that first id, and n of them as targets. */
static void
put_targets(struct world *w, uint32_t first, size_t n)
{
	struct vs_target_conf targets[2];
	struct vs_update u = { .generation = 1, .snapshot = true, .last = true };
	char why[128];

	fix_clear(w->fix);
	fix_port(w->fix, first + FW1, "fw1", "10.1.2.4")->region = 1;
	fix_port(w->fix, first + FW2, "fw2", "10.1.2.4")->region = 1;
	for (size_t i = 0; i < 2; i++)
		targets[i] = (struct vs_target_conf){ .balancer = "ilb1",
			.port = first + FW1 + (uint32_t)i,
			.tcp_port = PORT,
			.path = "",
			.interval_ms = INTERVAL_MS,
			.threshold = 2 };
	u.ports = w->fix->ports;
	u.n_ports = w->fix->n_ports;
	u.targets = targets;
	u.n_targets = n;
	CU_ASSERT_EQUAL_FATAL(vs_model_apply(w->m, &u, why), FAB_OK);
	vs_prober_refresh(w->p);
}

static void
world_open(struct world *w)
{
	struct vs_prober_conf conf = { .changed = changed, .ctx = w };

	*w = (struct world){ .fix = fix_new() };
	signal(SIGPIPE, SIG_IGN);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&w->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(vs_model_new(&w->m), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(vs_user_new(&w->e, w->m), FAB_OK);
	conf.loop = w->loop;
	conf.model = w->m;
	conf.engine = w->e;
	CU_ASSERT_EQUAL_FATAL(vs_prober_new(&w->p, &conf), FAB_OK);
	w->guest[FW1] = attach(w->e, "fw1");
	w->guest[FW2] = attach(w->e, "fw2");
}

static void
world_close(struct world *w)
{
	vs_prober_free(w->p);
	vs_engine_free(w->e);
	vs_model_free(w->m);
	fab_loop_free(w->loop);
	close(w->guest[FW1]);
	close(w->guest[FW2]);
	fix_free(w->fix);
}

static bool
expired(struct fab_mono since)
{
	return fab_mono_us_between(since, fab_mono_now()) > PATIENCE_MS * 1000ull;
}

/* The next segment that a guest gets, within the patience, while the prober runs. */
static struct vs_segment
receive(struct world *w, unsigned guest)
{
	static uint8_t frame[VS_SEGMENT_MAX];
	struct pollfd p = { .fd = w->guest[guest], .events = POLLIN };
	struct fab_mono since = fab_mono_now();
	struct vs_segment s = { 0 };
	ssize_t n;

	while (poll(&p, 1, 0) == 0 && !expired(since))
		fab_loop_turn(w->loop, 1);
	n = recv(p.fd, frame, sizeof(frame), MSG_DONTWAIT);
	CU_ASSERT_TRUE_FATAL(n > 0 && vs_segment_read(&s, frame, (size_t)n));
	CU_ASSERT_EQUAL(memcmp(frame + PKT_ETH + 6, pkt_fabric_mac, 6), 0);
	CU_ASSERT_TRUE(s.src == IPADDR_PLATFORM && s.dst == fix_addr("10.1.2.4"));
	CU_ASSERT_EQUAL(s.dport, PORT);
	return s;
}

/* The next SYN, whatever else is said before. */
static struct vs_segment
receive_syn(struct world *w, unsigned guest)
{
	struct vs_segment s;

	do
		s = receive(w, guest);
	while (s.flags != VS_TCP_SYN);
	return s;
}

static void
answer(struct world *w, unsigned guest, const struct vs_segment *to, unsigned flags)
{
	const struct vs_segment s = { .src = to->dst,
		.dst = to->src,
		.sport = to->dport,
		.dport = to->sport,
		.seq = 77,
		.ack = to->seq + 1,
		.flags = flags | VS_TCP_ACK };
	uint8_t frame[VS_SEGMENT_MAX];
	size_t len = vs_segment_write(frame, &s);

	CU_ASSERT_EQUAL_FATAL(send(w->guest[guest], frame, len, 0), (ssize_t)len);
}

static void
await_change(struct world *w, unsigned n)
{
	struct fab_mono since = fab_mono_now();

	while (w->changes < n && !expired(since))
		fab_loop_turn(w->loop, 1);
	CU_ASSERT_EQUAL(w->changes, n);
}

/* ---- tests ---- */

static void
test_answers_make_it_healthy_and_silence_does_not(void)
{
	struct world w;
	struct vs_segment s;

	world_open(&w);
	put_targets(&w, 0, 1);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(w.changes, 0);
		s = receive_syn(&w, FW1);
		answer(&w, FW1, &s, VS_TCP_SYN);
	}
	await_change(&w, 1);
	CU_ASSERT_TRUE(w.healthy);
	CU_ASSERT_STRING_EQUAL(w.backend, "fw1");
	await_change(&w, 2); /* nobody says anything any more */
	CU_ASSERT_FALSE(w.healthy);
	CU_ASSERT_STRING_EQUAL(w.why, "no answer within 240 ms");
	for (int i = 0; i < 20 && w.changes == 2; i++) { /* old ones wait there too */
		s = receive_syn(&w, FW1);
		answer(&w, FW1, &s, VS_TCP_SYN);
	}
	await_change(&w, 3);
	CU_ASSERT_TRUE(w.healthy);
	world_close(&w);
}

static void
test_refused(void)
{
	struct world w;

	world_open(&w);
	put_targets(&w, 0, 1);
	for (int i = 0; i < 2; i++) {
		struct vs_segment s = receive_syn(&w, FW1);

		answer(&w, FW1, &s, VS_TCP_RST);
	}
	await_change(&w, 1);
	CU_ASSERT_FALSE(w.healthy);
	CU_ASSERT_STRING_EQUAL(w.why, "connection refused");
	world_close(&w);
}

/* VNets may overlap: who answers is known by the port, not by its address. */
static void
test_two_with_one_address(void)
{
	struct world w;

	world_open(&w);
	put_targets(&w, 0, 2);
	while (w.changes < 1) {
		struct vs_segment one = receive_syn(&w, FW1), two = receive_syn(&w, FW2);

		CU_ASSERT_NOT_EQUAL(one.sport, two.sport);
		answer(&w, FW1, &one, VS_TCP_SYN);
		answer(&w, FW1, &two, VS_TCP_SYN); /* speaks for another one */
		for (int i = 0; i < 5; i++)
			fab_loop_turn(w.loop, 1);
	}
	CU_ASSERT_STRING_EQUAL(w.backend, w.healthy ? "fw1" : "fw2");
	await_change(&w, 2);
	CU_ASSERT_STRING_EQUAL(w.backend, w.healthy ? "fw1" : "fw2");
	world_close(&w);
}

/* An update gives all ports other numbers while an answer is on its way. */
static void
test_renumbered(void)
{
	struct world w;

	world_open(&w);
	put_targets(&w, 0, 1);
	for (uint32_t i = 0; w.changes == 0 && i < 20; i++) {
		struct vs_segment s = receive_syn(&w, FW1);

		put_targets(&w, 100 * (i + 1), 1);
		answer(&w, FW1, &s, VS_TCP_SYN);
		for (int k = 0; k < 5; k++)
			fab_loop_turn(w.loop, 1);
	}
	CU_ASSERT_TRUE(w.changes == 1 && w.healthy);
	world_close(&w);
}

static void
count(void *ctx, const struct vs_finding *f)
{
	CU_ASSERT_STRING_EQUAL(f->why, f->healthy ? "" : "connection refused");
	++*(unsigned *)ctx;
}

static unsigned
known(const struct world *w)
{
	unsigned n = 0;

	vs_prober_each(w->p, count, &n);
	return n;
}

/* Nothing is said of what is not known yet, or no longer asked. */
static void
test_what_is_known(void)
{
	struct vs_segment s;
	struct world w;

	world_open(&w);
	put_targets(&w, 0, 2);
	CU_ASSERT_EQUAL(known(&w), 0);
	for (int i = 0; i < 2; i++) {
		s = receive_syn(&w, FW2);
		CU_ASSERT_EQUAL(known(&w), 0);
		answer(&w, FW2, &s, VS_TCP_RST);
	}
	await_change(&w, 1);
	CU_ASSERT_EQUAL(known(&w), 1);
	put_targets(&w, 0, 1);
	CU_ASSERT_EQUAL(known(&w), 0);
	put_targets(&w, 0, 0);
	world_close(&w);
}

/* A guest whose helper is not back yet is not asked; it would look dead. */
static void
test_who_was_never_there(void)
{
	struct fab_mono since = fab_mono_now();
	struct vs_segment s;
	struct world w;

	world_open(&w);
	CU_ASSERT_EQUAL(vs_engine_detach(w.e, "fw1"), FAB_OK);
	close(w.guest[FW1]);
	put_targets(&w, 0, 1);
	while (fab_mono_us_between(since, fab_mono_now()) < 5 * INTERVAL_MS * 1000)
		fab_loop_turn(w.loop, 10);
	CU_ASSERT_EQUAL(w.changes, 0);
	w.guest[FW1] = attach(w.e, "fw1");
	s = receive_syn(&w, FW1);
	answer(&w, FW1, &s, VS_TCP_SYN);
	CU_ASSERT_EQUAL(vs_engine_detach(w.e, "fw1"), FAB_OK);
	await_change(&w, 1);
	CU_ASSERT_STRING_EQUAL(w.why, "its machine is not plugged in");
	world_close(&w);
}

static CU_TestInfo tests[] = {
	{ "RS-57: answers and silence", test_answers_make_it_healthy_and_silence_does_not },
	{ "refused", test_refused },
	{ "two backends with one address", test_two_with_one_address },
	{ "ports get other numbers meanwhile", test_renumbered },
	{ "what is known", test_what_is_known },
	{ "who was never there is not asked", test_who_was_never_there },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_prober", tests)
