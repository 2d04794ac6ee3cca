/*
 * A health probe as both of its ends see it: what is said to what is heard, which answers make a
 * backend healthy, and how many of them change a mind. Segments go through frames, as they do on
 * their way.
 */
#include "lib/err.h"
#include "lib/ipnet.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/vs_packet.h"
#include "vswitchd/vs_probe.h"

#include <stdio.h>
#include <stdlib.h>

#define BACKEND 0x0a010204 /* 10.1.2.4 */
#define PORT    8080
#define SPORT   50000
#define SEQ     0xfffffff0u /* ours; it wraps */
#define THEIRS  0xffffffffu /* theirs too */

/* What was said: "S", "A+FA" ... in order, with the payload of the last one. */
struct talk {
	struct vs_probe p;
	char said[128];
	char text[VS_SEGMENT_DATA_MAX + 1];
	uint32_t seq, ack; /* of the last one */
};

static const char *
flags_text(unsigned flags, char out[static 8])
{
	static const char letters[] = "FSRPA";
	size_t n = 0;

	for (unsigned i = 0; i < 5; i++)
		if ((flags & 1u << i) != 0)
			out[n++] = letters[i];
	out[n] = '\0';
	return out;
}

/* By way of a frame. */
static void
hear(void *ctx, const struct vs_segment *s)
{
	uint8_t frame[VS_SEGMENT_MAX];
	struct talk *t = ctx;
	struct vs_segment got;
	char flags[8];

	CU_ASSERT_TRUE_FATAL(vs_segment_read(&got, frame, vs_segment_write(frame, s)));
	CU_ASSERT_EQUAL(got.src, IPADDR_PLATFORM);
	CU_ASSERT_EQUAL(got.dst, BACKEND);
	CU_ASSERT_TRUE(got.sport == SPORT && got.dport == PORT);
	snprintf(t->said + strlen(t->said), sizeof(t->said) - strlen(t->said), "%s%s",
	    t->said[0] != '\0' ? " " : "", flags_text(got.flags, flags));
	memcpy(t->text, got.data, got.len);
	t->text[got.len] = '\0';
	t->seq = got.seq;
	t->ack = got.ack;
}

static void
start(struct talk *t, bool http)
{
	const struct vs_probe_conf conf = {
		.ip = BACKEND, .port = PORT, .http = http, .path = "/health"
	};

	memset(t, 0, sizeof(*t));
	t->p.send = hear;
	t->p.ctx = t;
	vs_probe_start(&t->p, &conf, SPORT, SEQ);
	CU_ASSERT_STRING_EQUAL(t->said, "S");
	CU_ASSERT_EQUAL(t->seq, SEQ);
	t->said[0] = '\0';
}

/* The backend says something, `at` octets into its stream, and has heard all that was said. */
static void
say_at(struct talk *t, unsigned flags, uint32_t at, const char *data)
{
	struct vs_segment s = { .src = BACKEND,
		.dst = IPADDR_PLATFORM,
		.sport = PORT,
		.dport = SPORT,
		.seq = THEIRS + at,
		.ack = t->p.next,
		.flags = flags,
		.data = (const uint8_t *)data,
		.len = strlen(data) };
	uint8_t frame[VS_SEGMENT_MAX];
	struct vs_segment got;

	t->said[0] = '\0';
	CU_ASSERT_TRUE_FATAL(vs_segment_read(&got, frame, vs_segment_write(frame, &s)));
	vs_probe_input(&t->p, &got);
}

static void
expect(const struct talk *t, const char *said, enum vs_probe_result result, const char *why)
{
	CU_ASSERT_STRING_EQUAL(t->said, said);
	CU_ASSERT_EQUAL(t->p.result, result);
	CU_ASSERT_STRING_EQUAL(t->p.why, why);
}

/* ---- TCP ---- */

static void
test_tcp_is_open_and_closed_politely(void)
{
	struct talk t;

	start(&t, false);
	expect(&t, "", VS_PROBE_PENDING, "");
	say_at(&t, VS_TCP_SYN | VS_TCP_ACK, 0, "");
	expect(&t, "FA", VS_PROBE_OK, "");
	CU_ASSERT_TRUE(t.seq == SEQ + 1 && t.ack == THEIRS + 1);
	say_at(&t, VS_TCP_ACK, 1, "");
	expect(&t, "", VS_PROBE_OK, "");
	say_at(&t, VS_TCP_FIN | VS_TCP_ACK, 1, "");
	expect(&t, "A", VS_PROBE_OK, "");
	CU_ASSERT_TRUE(t.seq == SEQ + 2 && t.ack == THEIRS + 2);
	CU_ASSERT_EQUAL(t.p.state, VS_PROBE_IDLE);
	t.said[0] = '\0';
	vs_probe_expire(&t.p, "too late");
	expect(&t, "", VS_PROBE_OK, "");
}

static void
test_nobody_listens(void)
{
	struct talk t;

	start(&t, false);
	say_at(&t, VS_TCP_RST | VS_TCP_ACK, 0, "");
	expect(&t, "", VS_PROBE_SHUT, "connection refused");
	vs_probe_again(&t.p);
	vs_probe_expire(&t.p, "too late");
	expect(&t, "", VS_PROBE_SHUT, "connection refused");
}

static void
test_nobody_answers(void)
{
	struct talk t;

	start(&t, false);
	vs_probe_again(&t.p);
	CU_ASSERT_EQUAL(t.seq, SEQ);
	vs_probe_again(&t.p);
	expect(&t, "S S", VS_PROBE_PENDING, "");
	vs_probe_expire(&t.p, "no answer");
	expect(&t, "S S", VS_PROBE_FAILED, "no answer");
	say_at(&t, VS_TCP_SYN | VS_TCP_ACK, 0, "");
	expect(&t, "", VS_PROBE_FAILED, "no answer"); /* too late */
}

/* It took the connection and does nothing with it. */
static void
test_what_hangs_is_reset(void)
{
	struct talk t;

	start(&t, false);
	say_at(&t, VS_TCP_SYN | VS_TCP_ACK, 0, "");
	t.said[0] = '\0';
	vs_probe_again(&t.p);
	CU_ASSERT_EQUAL(t.seq, SEQ + 1);
	expect(&t, "FA", VS_PROBE_OK, "");
	vs_probe_expire(&t.p, "no answer");
	expect(&t, "FA RA", VS_PROBE_OK, "");
	CU_ASSERT_EQUAL(t.seq, SEQ + 2);
}

/* A kernel that remembers an earlier connection of that port acknowledges what it had. */
static void
test_an_earlier_connection_is_forgotten(void)
{
	struct vs_segment s = { .src = BACKEND,
		.sport = PORT,
		.dport = SPORT,
		.seq = 77,
		.ack = 4711,
		.flags = VS_TCP_ACK };
	struct talk t;

	start(&t, false);
	vs_probe_input(&t.p, &s);
	expect(&t, "R", VS_PROBE_PENDING, "");
	CU_ASSERT_EQUAL(t.seq, 4711);
	t.said[0] = '\0';
	s.flags = VS_TCP_ACK | VS_TCP_RST; /* of that one */
	vs_probe_input(&t.p, &s);
	expect(&t, "", VS_PROBE_PENDING, "");
	vs_probe_again(&t.p);
	say_at(&t, VS_TCP_SYN | VS_TCP_ACK, 0, "");
	expect(&t, "FA", VS_PROBE_OK, "");
}

static void
test_others_are_not_heard(void)
{
	const struct vs_segment right = { .src = BACKEND,
		.sport = PORT,
		.dport = SPORT,
		.ack = SEQ + 1,
		.flags = VS_TCP_ACK | VS_TCP_RST };
	struct vs_segment wrong[4];
	struct talk t;

	for (size_t i = 0; i < 4; i++)
		wrong[i] = right;
	wrong[0].src++;
	wrong[1].sport++;
	wrong[2].dport++;
	wrong[3].flags = VS_TCP_RST;
	start(&t, false);
	for (size_t i = 0; i < 4; i++)
		vs_probe_input(&t.p, &wrong[i]);
	expect(&t, "", VS_PROBE_PENDING, "");
	vs_probe_input(&t.p, &right);
	expect(&t, "", VS_PROBE_SHUT, "connection refused");
}

/* ---- HTTP ---- */

static void
ask(struct talk *t)
{
	start(t, true);
	say_at(t, VS_TCP_SYN | VS_TCP_ACK, 0, "");
	expect(t, "PA", VS_PROBE_PENDING, "");
	CU_ASSERT_TRUE(t->seq == SEQ + 1 && t->ack == THEIRS + 1);
}

static void
test_http_asks_and_is_answered(void)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nfine";
	struct talk t;

	ask(&t);
	CU_ASSERT_STRING_EQUAL(t.text, "GET /health HTTP/1.1\r\nHost: 10.1.2.4:8080\r\n"
				       "User-Agent: Load Balancer Agent\r\n"
				       "Connection: close\r\n\r\n");
	say_at(&t, VS_TCP_ACK, 1, "");
	expect(&t, "", VS_PROBE_PENDING, "");
	say_at(&t, VS_TCP_ACK | VS_TCP_PSH, 1, answer);
	expect(&t, "FA", VS_PROBE_OK, "");
	CU_ASSERT_EQUAL(t.ack, THEIRS + (uint32_t)sizeof(answer)); /* with the SYN */
	say_at(&t, VS_TCP_ACK | VS_TCP_PSH, sizeof(answer), "more");
	expect(&t, "A", VS_PROBE_OK, "");
	CU_ASSERT_EQUAL(t.ack, THEIRS + (uint32_t)sizeof(answer) + 4);
	say_at(&t, VS_TCP_ACK | VS_TCP_FIN, sizeof(answer) + 4, "");
	expect(&t, "A", VS_PROBE_OK, "");
	CU_ASSERT_EQUAL(t.p.state, VS_PROBE_IDLE);
}

/* Each row is the whole stream, said at once and then octet by octet. */
static void
test_http_answers(void)
{
	static const struct {
		const char *answer;
		enum vs_probe_result result;
		const char *why;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\n\r\n", VS_PROBE_OK, "" },
		{ "HTTP/1.1 503 Service Unavailable\r\n\r\n", VS_PROBE_SHUT, "HTTP status 503" },
		{ "HTTP/1.0 204 No Content\r\n\r\n", VS_PROBE_SHUT, "HTTP status 204" },
		{ "HTTP/1.1 2\n0 OK\r\n\r\n", VS_PROBE_SHUT, "HTTP status 2?0" },
		{ "SSH-2.0-OpenSSH_9.6\r\n", VS_PROBE_SHUT, "the answer is not HTTP" },
		{ "HTTP/1.1", VS_PROBE_SHUT, "it closed the connection without an answer" },
		{ "", VS_PROBE_SHUT, "it closed the connection without an answer" },
	};
	struct talk t;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t n = (uint32_t)strlen(rows[i].answer);

		ask(&t);
		say_at(&t, VS_TCP_ACK | VS_TCP_FIN, 1, rows[i].answer);
		expect(&t, "FA", rows[i].result, rows[i].why);
		CU_ASSERT_EQUAL(t.ack, THEIRS + n + 2);
		ask(&t);
		for (uint32_t k = 0; k < n; k++)
			say_at(&t, VS_TCP_ACK, 1 + k, (char[]){ rows[i].answer[k], '\0' });
		say_at(&t, VS_TCP_ACK | VS_TCP_FIN, 1 + n, "");
		CU_ASSERT_EQUAL(t.p.result, rows[i].result);
		CU_ASSERT_STRING_EQUAL(t.p.why, rows[i].why);
		CU_ASSERT_EQUAL(t.p.state, VS_PROBE_IDLE);
	}
}

static void
test_http_is_patient_with_loss(void)
{
	struct talk t;

	ask(&t);
	t.text[0] = '\0';
	vs_probe_again(&t.p); /* the request was lost */
	CU_ASSERT_EQUAL(t.seq, SEQ + 1);
	CU_ASSERT_EQUAL(strncmp(t.text, "GET /health ", 12), 0);
	say_at(&t, VS_TCP_SYN | VS_TCP_ACK, 0, ""); /* or our acknowledgement */
	expect(&t, "A", VS_PROBE_PENDING, "");
	say_at(&t, VS_TCP_ACK, 14, "OK\r\n"); /* the beginning was lost */
	expect(&t, "A", VS_PROBE_PENDING, "");
	CU_ASSERT_EQUAL(t.ack, THEIRS + 1);
	say_at(&t, VS_TCP_ACK, 1, "HTTP/1.1 200 OK\r\n");
	expect(&t, "FA", VS_PROBE_OK, "");
	say_at(&t, VS_TCP_ACK, 1, "HTTP/1.1 200 OK\r\n"); /* our FIN */
	expect(&t, "A", VS_PROBE_OK, "");
}

static void
test_http_reset(void)
{
	struct talk t;

	ask(&t);
	say_at(&t, VS_TCP_RST, 5, ""); /* not where we are */
	expect(&t, "", VS_PROBE_PENDING, "");
	say_at(&t, VS_TCP_RST, 1, "");
	expect(&t, "", VS_PROBE_SHUT, "connection reset");
	ask(&t);
	vs_probe_expire(&t.p, "no answer");
	CU_ASSERT_EQUAL(t.p.result, VS_PROBE_FAILED);
	CU_ASSERT_STRING_EQUAL(t.said, "PA RA");
}

/* ---- frames ---- */

static uint32_t
ones(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	return sum;
}

static uint32_t
folded(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum >> 16) + (sum & 0xffff);
	return sum;
}

static void
test_frames_are_what_a_kernel_takes(void)
{
	const char *texts[] = { "", "x", "GET / HTTP/1.1\r\n\r\n" };
	uint8_t frame[VS_SEGMENT_MAX];
	struct vs_frame f;

	for (size_t i = 0; i < 6; i++) {
		const struct vs_segment s = { .src = IPADDR_PLATFORM,
			.dst = BACKEND,
			.sport = SPORT,
			.dport = PORT,
			.seq = 1,
			.flags = i < 3 ? VS_TCP_ACK : VS_TCP_SYN,
			.data = (const uint8_t *)texts[i % 3],
			.len = strlen(texts[i % 3]) };
		size_t len = vs_segment_write(frame, &s), tcp = len - PKT_L4;

		vs_frame_parse(&f, frame, len);
		CU_ASSERT_EQUAL(f.kind, VS_FRAME_IPV4);
		CU_ASSERT_EQUAL(f.size, len - PKT_IP);
		CU_ASSERT_EQUAL(folded(ones(frame + PKT_IP, 20)), 0xffff);
		CU_ASSERT_EQUAL(folded(ones(frame + PKT_IP + 12, 8) + 6 + (uint32_t)tcp +
				       ones(frame + PKT_L4, tcp)),
		    0xffff);
	}
}

static void
test_no_octet_beyond_the_frame_is_read(void)
{
	const struct vs_segment s = { .src = BACKEND, .data = (const uint8_t *)"data", .len = 4 };
	uint8_t whole[VS_SEGMENT_MAX];
	size_t len = vs_segment_write(whole, &s);
	struct vs_segment got;

	for (size_t n = 0; n <= len; n++) {
		uint8_t *cut = malloc(n > 0 ? n : 1); /* the sanitizer knows its end */

		CU_ASSERT_PTR_NOT_NULL_FATAL(cut);
		memcpy(cut, whole, n);
		CU_ASSERT_EQUAL(vs_segment_read(&got, cut, n), n >= PKT_L4 + 20);
		if (n >= PKT_L4 + 20)
			CU_ASSERT_TRUE(got.size == 4 && got.len == n - PKT_L4 - 20);
		free(cut);
	}
	whole[PKT_IP + 9] = 17;
	CU_ASSERT_FALSE(vs_segment_read(&got, whole, len));
	whole[PKT_IP + 9] = 6;
	whole[PKT_IP + 7] = 1; /* a fragment */
	CU_ASSERT_FALSE(vs_segment_read(&got, whole, len));
	whole[PKT_IP + 7] = 0;
	whole[PKT_L4 + 12] = 0xf0; /* options beyond its end */
	CU_ASSERT_FALSE(vs_segment_read(&got, whole, len));
	whole[PKT_L4 + 12] = 0x40; /* no whole header */
	CU_ASSERT_FALSE(vs_segment_read(&got, whole, len));
}

/* ---- what many of them say ---- */

/* RS-57. Each result is + or -, or ! for a clear no; "u" and "d" behind it: the state changes. */
static void
test_so_many_in_a_row(void)
{
	static const struct {
		unsigned threshold;
		const char *story;
	} rows[] = {
		{ 1, "+u -d +u +-d-" },
		{ 2, "- + - ++u + - + --d - + - ++u" },
		{ 2, "--d ++u" },
		{ 3, "++ - +++u -- + ---d" },
		{ 3, "+++u !d ! + + +u" },
		{ 2, "!d + - ++u" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vs_health h = { .state = VS_HEALTH_UNKNOWN };

		for (const char *c = rows[i].story; *c != '\0'; c++) {
			bool change, want = c[1] == 'u' || c[1] == 'd';

			if (strchr("+-!", *c) == NULL)
				continue;
			change = vs_health_note(&h, *c == '+', rows[i].threshold, *c == '!');
			CU_ASSERT_EQUAL(change, want);
			if (want)
				CU_ASSERT_EQUAL(
				    h.state, c[1] == 'u' ? VS_HEALTH_UP : VS_HEALTH_DOWN);
		}
	}
}

static CU_TestInfo tests[] = {
	{ "TCP: open, and closed politely", test_tcp_is_open_and_closed_politely },
	{ "TCP: nobody listens", test_nobody_listens },
	{ "TCP: nobody answers", test_nobody_answers },
	{ "TCP: what hangs is reset in the end", test_what_hangs_is_reset },
	{ "TCP: an earlier connection is forgotten", test_an_earlier_connection_is_forgotten },
	{ "segments of others are not heard", test_others_are_not_heard },
	{ "HTTP: asks, is answered, closes", test_http_asks_and_is_answered },
	{ "HTTP: answers, whole and in pieces", test_http_answers },
	{ "HTTP: what is lost is said again", test_http_is_patient_with_loss },
	{ "HTTP: a reset", test_http_reset },
	{ "frames are what a kernel takes", test_frames_are_what_a_kernel_takes },
	{ "no octet beyond a frame is read", test_no_octet_beyond_the_frame_is_read },
	{ "RS-57: so many in a row change a mind", test_so_many_in_a_row },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_probe", tests)
