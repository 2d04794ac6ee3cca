/*
 * Slow, lossy and narrow links by a clock that the test sets: when frames leave, in which order,
 * how many are lost; and frames that stand for many packets, cut.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/vs_fixture.h"
#include "tests/unit/vs_packet.h"
#include "vswitchd/vs_gso.h"
#include "vswitchd/vs_shape.h"

#include <stdlib.h>

#define MS      1000000u
#define LOG_MAX 4096
#define FRAME   1000 /* octets on the wire */
#define TIME0   (5000u * (uint64_t)MS)

struct world {
	struct vs_fix *fix;
	struct vs_model *m;
	struct vs_shape *s;
	uint64_t generation, now;
	unsigned passed, lost;
	struct {
		unsigned nth; /* the frame's number */
		uint64_t at;  /* since TIME0 */
		bool from;    /* it was told */
	} log[LOG_MAX];
};

static char from_port, to_port, other_port;

static struct world *
world_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	w->fix = fix_new();
	for (uint32_t i = 1; i <= 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%u", i);
		fix_port(w->fix, i, name, "10.0.0.4");
	}
	CU_ASSERT_EQUAL_FATAL(vs_model_new(&w->m), FAB_OK);
	fix_snapshot(w->fix, w->m, w->generation = 1);
	fix_clear(w->fix);
	CU_ASSERT_EQUAL_FATAL(vs_shape_new(&w->s, seed), FAB_OK);
	w->now = TIME0;
	return w;
}

static void
world_free(struct world *w)
{
	vs_shape_free(w->s);
	vs_model_free(w->m);
	fix_free(w->fix);
	free(w);
}

/* Links 1, 2, ... are what port 1, 2, ... sends. */
static void
set_links(struct world *w, const struct vs_link_conf *shapes, size_t n)
{
	static const uint32_t ports[] = { 1, 2, 3 };
	struct vs_link_conf v[3];
	struct vs_update u = fix_update(w->fix, ++w->generation);

	for (size_t i = 0; i < n; i++) {
		v[i] = shapes[i];
		v[i].id = (uint32_t)i + 1;
		v[i].name = "link";
		v[i].kind = VS_LINK_OUT;
		v[i].from = &ports[i];
		v[i].n_from = 1;
	}
	u.replace_links = true;
	u.links = v;
	u.n_links = n;
	CU_ASSERT_EQUAL_FATAL(fix_apply(w->fix, w->m, &u), FAB_OK);
	CU_ASSERT_EQUAL(vs_shape_sync(w->s, w->m), FAB_OK);
}

static const uint32_t one[] = { 1 }, both[] = { 1, 2 };

static enum vs_fate
put(struct world *w, const uint32_t *links, unsigned n, unsigned nth)
{
	const struct vs_shape_frame f = { .from = &from_port,
		.to = &to_port,
		.data = (const uint8_t *)&nth,
		.len = sizeof(nth),
		.wire = FRAME };

	return vs_shape_put(w->s, w->now, links, n, &f);
}

static void
on_deliver(void *arg, const struct vs_shape_frame *f)
{
	struct world *w = arg;
	unsigned nth = LOG_MAX;

	CU_ASSERT_EQUAL_FATAL(f->len, sizeof(nth));
	CU_ASSERT_PTR_EQUAL(f->to, &to_port);
	memcpy(&nth, f->data, sizeof(nth));
	CU_ASSERT_FATAL(w->passed < LOG_MAX);
	w->log[w->passed].nth = nth;
	w->log[w->passed].at = w->now - TIME0;
	w->log[w->passed++].from = f->from != NULL;
}

static void
on_lost(void *arg, const struct vs_shape_frame *f)
{
	struct world *w = arg;

	CU_ASSERT_PTR_EQUAL(f->from, &from_port);
	w->lost++;
}

static const struct vs_shape_ops ops = { on_deliver, on_lost };

/* Until nothing is held, each time at the moment that was asked for. */
static void
run_dry(struct world *w)
{
	while (vs_shape_due(w->s) != UINT64_MAX) {
		CU_ASSERT_TRUE(vs_shape_due(w->s) >= w->now);
		w->now = vs_shape_due(w->s);
		vs_shape_run(w->s, w->now, 1, &ops, w);
	}
	CU_ASSERT_EQUAL(vs_shape_held(w->s), 0);
}

/* ---- delay ---- */

static void
test_delay(void)
{
	struct world *w = world_new(1);

	set_links(w, &(struct vs_link_conf){ .delay_us = 20000 }, 1);
	CU_ASSERT_EQUAL(vs_shape_due(w->s), UINT64_MAX);
	CU_ASSERT_EQUAL(put(w, one, 1, 0), VS_FATE_HELD);
	CU_ASSERT_EQUAL(vs_shape_due(w->s), TIME0 + 20u * MS);
	w->now += 5u * MS;
	CU_ASSERT_EQUAL(put(w, one, 1, 1), VS_FATE_HELD);
	w->now = TIME0 + 20u * MS - 1;
	vs_shape_run(w->s, w->now, 10, &ops, w);
	CU_ASSERT_EQUAL(w->passed, 0);
	run_dry(w);
	CU_ASSERT_EQUAL_FATAL(w->passed, 2);
	CU_ASSERT_TRUE(w->log[0].nth == 0 && w->log[0].at == 20u * MS);
	CU_ASSERT_TRUE(w->log[1].nth == 1 && w->log[1].at == 25u * MS);
	world_free(w);
}

/* Nobody overtakes, and the delay stays within its bounds but for those who wait for others. */
static void
test_jitter_keeps_the_order(void)
{
	enum { N = 1000 };
	struct world *w = world_new(7);
	uint64_t least = UINT64_MAX, most = 0;

	set_links(w, &(struct vs_link_conf){ .delay_us = 20000, .jitter_us = 5000 }, 1);
	for (unsigned i = 0; i < N; i++) {
		while (vs_shape_due(w->s) <= TIME0 + i * 10u * (uint64_t)MS) {
			w->now = vs_shape_due(w->s);
			vs_shape_run(w->s, w->now, 1, &ops, w);
		}
		w->now = TIME0 + i * 10u * (uint64_t)MS;
		CU_ASSERT_EQUAL(put(w, one, 1, i), VS_FATE_HELD);
	}
	run_dry(w);
	CU_ASSERT_EQUAL_FATAL(w->passed, N);
	for (unsigned i = 0; i < N; i++) {
		uint64_t took = w->log[i].at - i * 10u * (uint64_t)MS;

		CU_ASSERT_EQUAL(w->log[i].nth, i);
		least = took < least ? took : least;
		most = took > most ? took : most;
	}
	CU_ASSERT_TRUE(least >= 15u * MS && least < 16u * MS);
	CU_ASSERT_TRUE(most <= 25u * MS && most > 24u * MS);
	world_free(w);
}

static void
test_links_one_after_the_other(void)
{
	const struct vs_link_conf shapes[] = { { .delay_us = 1000 }, { .delay_us = 3000 } };
	struct world *w = world_new(1);

	set_links(w, shapes, 2);
	CU_ASSERT_EQUAL(put(w, both, 2, 0), VS_FATE_HELD);
	w->now += 2u * MS; /* it is on the second link, as if the engine had been there in time */
	vs_shape_run(w->s, w->now, 10, &ops, w);
	CU_ASSERT_EQUAL(put(w, both + 1, 1, 1), VS_FATE_HELD);
	run_dry(w);
	CU_ASSERT_EQUAL_FATAL(w->passed, 2);
	CU_ASSERT_TRUE(w->log[0].nth == 0 && w->log[0].at == 4u * MS);
	CU_ASSERT_TRUE(w->log[1].nth == 1 && w->log[1].at == 5u * MS);
	world_free(w);
}

/* ---- loss ---- */

static unsigned
count_lost(uint64_t seed, uint32_t loss_ppm, unsigned n)
{
	struct world *w = world_new(seed);
	unsigned lost = 0;

	set_links(w, &(struct vs_link_conf){ .loss_ppm = loss_ppm }, 1);
	for (unsigned i = 0; i < n; i++) {
		enum vs_fate fate = put(w, one, 1, i);

		CU_ASSERT_NOT_EQUAL(fate, VS_FATE_HELD);
		lost += fate == VS_FATE_LOST;
	}
	world_free(w);
	return lost;
}

/* 100,000 draws with p = 1 %: 1,000 +- 31; the bounds are more than six times that away. */
static void
test_loss(void)
{
	unsigned lost = count_lost(42, 10000, 100000);

	CU_ASSERT_TRUE(lost > 800 && lost < 1200);
	CU_ASSERT_EQUAL(count_lost(42, 10000, 100000), lost); /* the seed decides */
	CU_ASSERT_NOT_EQUAL(count_lost(43, 10000, 100000), lost);
	CU_ASSERT_EQUAL(count_lost(1, 1000000, 1000), 1000);
	CU_ASSERT_EQUAL(count_lost(1, 0, 1000), 0);
}

/* ---- rate ---- */

/* 1,000 octets at 8 Mbit/s take a millisecond each. */
static void
test_rate(void)
{
	struct world *w = world_new(1);
	unsigned held = 0;

	set_links(w, &(struct vs_link_conf){ .rate = 8000000 }, 1);
	for (unsigned i = 0; i < 500; i++)
		held += put(w, one, 1, i) == VS_FATE_HELD;
	CU_ASSERT_EQUAL(held, VS_SHAPE_QUEUE_MS + 1); /* the last one came just in time */
	run_dry(w);
	CU_ASSERT_EQUAL_FATAL(w->passed, held);
	for (unsigned i = 0; i < held; i++)
		CU_ASSERT_TRUE(w->log[i].nth == i && w->log[i].at == (i + 1) * (uint64_t)MS);
	w->now += 1000u * (uint64_t)MS; /* nothing was saved up meanwhile */
	CU_ASSERT_EQUAL(put(w, one, 1, 0), VS_FATE_HELD);
	CU_ASSERT_EQUAL(vs_shape_due(w->s), w->now + MS);
	world_free(w);
}

/* A very slow link takes a few packets all the same. */
static void
test_slow_rates_have_a_queue(void)
{
	struct world *w = world_new(1);
	unsigned held = 0;

	set_links(w, &(struct vs_link_conf){ .rate = 64000 }, 1);
	for (unsigned i = 0; i < 500; i++)
		held += put(w, one, 1, i) == VS_FATE_HELD;
	CU_ASSERT_EQUAL(held, VS_SHAPE_QUEUE_OCTETS / FRAME + 1);
	world_free(w);
}

static void
test_rate_of_one_link_does_not_hold_the_other(void)
{
	const struct vs_link_conf shapes[] = { { .rate = 8000000, .delay_us = 50000 },
		{ .rate = 8000000 } };
	struct world *w = world_new(1);

	set_links(w, shapes, 2);
	CU_ASSERT_EQUAL(put(w, both, 2, 0), VS_FATE_HELD); /* 1 + 50 + 1 ms */
	CU_ASSERT_EQUAL(put(w, both + 1, 1, 1), VS_FATE_HELD);
	run_dry(w);
	CU_ASSERT_EQUAL_FATAL(w->passed, 2);
	CU_ASSERT_TRUE(w->log[0].nth == 1 && w->log[0].at == 1u * MS);
	CU_ASSERT_TRUE(w->log[1].nth == 0 && w->log[1].at == 52u * MS);
	world_free(w);
}

/* ---- limits and changes ---- */

static void
test_memory_is_bounded(void)
{
	static uint8_t large[65536];
	const struct vs_shape_frame f = {
		.from = &from_port, .to = &to_port, .data = large, .len = sizeof(large)
	};
	const struct vs_link_conf shapes[] = { { .delay_us = 1000000 }, { .delay_us = 1000000 } };
	struct world *w = world_new(1);
	unsigned held = 0;

	set_links(w, shapes, 2);
	while (vs_shape_put(w->s, w->now, one, 1, &f) == VS_FATE_HELD && held < 100000)
		held++;
	CU_ASSERT_TRUE(vs_shape_held(w->s) <= VS_SHAPE_LINK_MAX);
	CU_ASSERT_TRUE(held > VS_SHAPE_LINK_MAX / sizeof(large) * 9 / 10);
	CU_ASSERT_EQUAL(put(w, both + 1, 1, 0), VS_FATE_HELD); /* the other link has room */
	world_free(w);
}

static void
test_links_change_under_way(void)
{
	const struct vs_link_conf shapes[] = { { .delay_us = 1000 }, { .delay_us = 3000 } };
	struct world *w = world_new(1);

	set_links(w, shapes, 2);
	CU_ASSERT_EQUAL(put(w, both, 2, 0), VS_FATE_HELD);
	set_links(w, shapes, 1); /* the second one is as good as new */
	run_dry(w);
	CU_ASSERT_TRUE(w->passed == 1 && w->log[0].at == 1u * MS);
	set_links(w, shapes, 2);
	CU_ASSERT_EQUAL(put(w, both, 2, 1), VS_FATE_HELD);
	set_links(w, (struct vs_link_conf[]){ shapes[0], { .cut = true } }, 2);
	run_dry(w);
	CU_ASSERT_TRUE(w->passed == 1 && w->lost == 1);
	set_links(w, NULL, 0);
	CU_ASSERT_EQUAL(put(w, both, 2, 2), VS_FATE_PASS);
	world_free(w);
}

static void
test_ports_leave_under_way(void)
{
	struct world *w = world_new(1);

	set_links(w, &(struct vs_link_conf){ .delay_us = 1000 }, 1);
	for (unsigned i = 0; i < 40; i++) {
		const struct vs_shape_frame f = { .from = i % 4 == 0 ? &other_port : &from_port,
			.to = i % 2 == 0 ? &to_port : &other_port,
			.data = (const uint8_t *)&i,
			.len = sizeof(i) };

		w->now += 1000;
		CU_ASSERT_EQUAL(vs_shape_put(w->s, w->now, one, 1, &f), VS_FATE_HELD);
	}
	vs_shape_forget(w->s, &other_port);
	run_dry(w);
	CU_ASSERT_EQUAL_FATAL(w->passed, 20);
	for (unsigned i = 0; i < 20; i++)
		CU_ASSERT_TRUE(w->log[i].nth == 2 * i && w->log[i].from == (i % 2 == 1));
	world_free(w);
}

/* ---- frames that stand for many packets ---- */

struct segments {
	unsigned n;
	size_t octets;
	uint8_t data[4096];
};

/* The kernel's receiver adds up: pseudo header, then everything from csum_start on. */
static uint16_t
finish_checksum(const uint8_t *ip, size_t l4, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)ip[l4 + i] << 8 : ip[l4 + i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void
check_segment(const uint8_t *frame, size_t len, unsigned proto)
{
	const uint8_t *ip = frame + PKT_IP;
	size_t total = get16(ip + 2), at = proto == 6 ? 16 : 6;
	struct virtio_net_hdr h;
	uint8_t copy[4096];
	uint32_t sum = proto + (uint32_t)total - 20;

	memcpy(&h, frame, sizeof(h));
	CU_ASSERT_EQUAL(h.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	CU_ASSERT_EQUAL(h.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CU_ASSERT_TRUE(h.csum_start == 34 && h.csum_offset == at);
	CU_ASSERT_EQUAL(total, len - PKT_IP);
	CU_ASSERT_EQUAL(finish_checksum(ip, 0, 20), 0);
	for (unsigned i = 12; i < 20; i += 2)
		sum += get16(ip + i);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	CU_ASSERT_EQUAL(
	    get16(ip + 20 + at), sum); /* of the pseudo header, for the kernel to go on */
	memcpy(copy, ip, total);
	put16(copy + 20 + at, finish_checksum(ip, 20, total - 20));
	CU_ASSERT_NOT_EQUAL(get16(copy + 20 + at), 0);
}

static void
on_segment(void *arg, uint8_t *frame, size_t len)
{
	struct segments *s = arg;
	const uint8_t *ip = frame + PKT_IP, *tcp = frame + PKT_L4;
	size_t n = len - PKT_L4 - 20;

	check_segment(frame, len, 6);
	CU_ASSERT_EQUAL(get16(ip + 4), 100u + s->n);
	CU_ASSERT_EQUAL(get32(tcp + 4), 0xfffffff0u + (uint32_t)s->octets); /* it wraps */
	CU_ASSERT_EQUAL(tcp[13], s->n == 0 ? 0x90 : s->octets + n == 2500 ? 0x19 : 0x10);
	memcpy(s->data + s->octets, tcp + 20, n);
	s->octets += n;
	s->n++;
}

static size_t
make_tcp(uint8_t *buf, size_t payload, const struct virtio_net_hdr *h)
{
	size_t len = pkt_udp(buf, 0x0a000004, 0x0a000005, 1, 2, payload + 12);

	pkt_offload(buf, h);
	put16(buf + PKT_IP + 4, 100);
	buf[PKT_IP + 9] = 6;
	put32(buf + PKT_L4 + 4, 0xfffffff0u);
	buf[PKT_L4 + 12] = 5 << 4;
	buf[PKT_L4 + 13] = 0x99; /* CWR, ACK, PSH, FIN */
	for (size_t i = 0; i < payload; i++)
		buf[PKT_L4 + 20 + i] = (uint8_t)(i * 7);
	return len;
}

static void
test_tcp_is_cut_into_segments(void)
{
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.gso_size = 1000,
		.hdr_len = 54,
		.csum_start = 34,
		.csum_offset = 16 };
	struct segments s = { 0 };
	uint8_t buf[4096];
	size_t len = make_tcp(buf, 2500, &h);

	CU_ASSERT_TRUE(vs_gso_split(buf, len, on_segment, &s));
	CU_ASSERT_EQUAL(s.n, 3);
	CU_ASSERT_EQUAL_FATAL(s.octets, 2500);
	CU_ASSERT_EQUAL(memcmp(s.data, buf + PKT_L4 + 20, 2500), 0);
	h.gso_size = 2500; /* one packet already */
	pkt_offload(buf, &h);
	CU_ASSERT_FALSE(vs_gso_split(buf, len, on_segment, &s));
	h.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	pkt_offload(buf, &h);
	CU_ASSERT_FALSE(vs_gso_split(buf, len, on_segment, &s));
	h.gso_type = VIRTIO_NET_HDR_GSO_UDP; /* fragments */
	h.gso_size = 100;
	pkt_offload(buf, &h);
	CU_ASSERT_FALSE(vs_gso_split(buf, len, on_segment, &s));
	h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	pkt_offload(buf, &h);
	buf[PKT_L4 + 12] = 15 << 4; /* options up to beyond the end */
	CU_ASSERT_FALSE(vs_gso_split(buf, PKT_L4 + 30, on_segment, &s));
	CU_ASSERT_EQUAL(s.n, 3);
}

static void
on_datagram(void *arg, uint8_t *frame, size_t len)
{
	struct segments *s = arg;
	size_t n = len - PKT_L4 - 8;

	check_segment(frame, len, 17);
	CU_ASSERT_EQUAL(get16(frame + PKT_L4 + 4), n + 8);
	memcpy(s->data + s->octets, frame + PKT_L4 + 8, n);
	s->octets += n;
	s->n++;
}

static void
test_udp_is_cut_into_datagrams(void)
{
	const struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = 5,
		.gso_size = 100,
		.hdr_len = 42,
		.csum_start = 34,
		.csum_offset = 6 };
	struct segments s = { 0 };
	uint8_t buf[4096];
	size_t len = pkt_udp(buf, 0x0a000004, 0x0a000005, 1, 2, 250);

	pkt_offload(buf, &h);
	CU_ASSERT_TRUE(vs_gso_split(buf, len, on_datagram, &s));
	CU_ASSERT_TRUE(s.n == 3 && s.octets == 250);
	CU_ASSERT_EQUAL(memcmp(s.data, buf + PKT_L4 + 8, 250), 0);
}

static CU_TestInfo shape_tests[] = {
	{ "delay", test_delay },
	{ "jitter keeps the order", test_jitter_keeps_the_order },
	{ "links one after the other", test_links_one_after_the_other },
	{ "loss", test_loss },
	{ "rate", test_rate },
	{ "slow rates have a queue", test_slow_rates_have_a_queue },
	{ "rate of one link does not hold the other",
	    test_rate_of_one_link_does_not_hold_the_other },
	{ "memory is bounded", test_memory_is_bounded },
	{ "links change under way", test_links_change_under_way },
	{ "ports leave under way", test_ports_leave_under_way },
	{ "TCP is cut into segments", test_tcp_is_cut_into_segments },
	{ "UDP is cut into datagrams", test_udp_is_cut_into_datagrams },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_shape", shape_tests)
