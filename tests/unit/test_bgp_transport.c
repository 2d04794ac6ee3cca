/*
 * Peers that behave badly, or just differently: octet streams on a plain socket and frames on a
 * plain lib/conn, against one session. Nothing that they send may do more than end the session.
 */
#include "lib/bgp_fsm.h"
#include "tests/unit/bgp_test.h"
#include "tests/unit/fab_cunit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK 0x7f000001u
#define WAIT_MS  5000

static struct fab_loop *loop;
static struct bgp_listener *listener;
static struct bgp_session *session;
static unsigned ups, downs, updates, first_keepalives, accepts;
static uint32_t accepted_from;
static struct bgp_attr_spec last_attrs;
static char last_path[64], reason[BGP_ERROR_TEXT_MAX];

/* ---- the session under test ---- */

static void
on_up(void *ctx, struct bgp_session *s)
{
	(void)ctx;
	(void)s;
	ups++;
}

static void
on_down(void *ctx, struct bgp_session *s, const char *why)
{
	(void)ctx;
	(void)s;
	downs++;
	snprintf(reason, sizeof(reason), "%s", why);
}

static void
on_update(void *ctx, struct bgp_session *s, const struct bgp_update *u)
{
	(void)ctx;
	(void)s;
	updates++;
	last_attrs = u->attrs;
	if (u->n_nlri > 0 && !u->treat_as_withdraw)
		bgp_path_format(
		    last_path, sizeof(last_path), u->attrs.as_path, u->attrs.as_path_octets, ' ');
}

static void
on_first_keepalive(void *ctx, struct bgp_session *s)
{
	(void)ctx;
	(void)s;
	first_keepalives++;
}

static const struct bgp_session_cb callbacks = {
	.up = on_up,
	.down = on_down,
	.update = on_update,
	.first_keepalive = on_first_keepalive,
};

static void
on_accept(void *ctx, struct bgp_incoming *in, uint32_t peer_addr)
{
	(void)ctx;
	accepts++;
	accepted_from = peer_addr;
	bgp_session_accept(session, in);
}

static void
session_open(enum bgp_transport_kind kind)
{
	const struct bgp_session_conf conf = { .local_name = "rs1-0",
		.peer_name = "nva1",
		.local_as = 65515,
		.peer_as = 65001,
		.router_id = 5,
		.local_addr = 0x0a010004,
		.hold_ms = 30000,
		.connect_retry_ms = 100,
		.transport = kind,
		.passive = true };

	ups = downs = updates = first_keepalives = accepts = 0;
	last_path[0] = reason[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(bgp_session_new(&session, loop, &conf, &callbacks, NULL), FAB_OK);
	bgp_session_start(session);
}

static void
open_tcp(void)
{
	session_open(BGP_TRANSPORT_TCP);
	CU_ASSERT_EQUAL_FATAL(
	    bgp_listen_tcp(&listener, loop, LOOPBACK, 0, on_accept, NULL), FAB_OK);
}

static void
close_all(void)
{
	bgp_listener_free(listener);
	listener = NULL;
	bgp_session_free(session);
	session = NULL;
}

static uint64_t
ms_since(struct fab_mono t)
{
	return fab_mono_us_between(t, fab_mono_now()) / 1000;
}

#define WAIT(condition)                                                                            \
	do {                                                                                       \
		struct fab_mono start_ = fab_mono_now();                                           \
                                                                                                   \
		while (!(condition) && ms_since(start_) < WAIT_MS)                                 \
			fab_loop_turn(loop, 10);                                                   \
		CU_ASSERT_FATAL(condition);                                                        \
	} while (0)

/* ---- a plain socket ---- */

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(LOOPBACK)
	};
}

static int
dial(void)
{
	struct sockaddr_in to = loopback(bgp_listener_port(listener));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Sends everything, while the loop turns. */
static void
push(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t k = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (k < 0 && errno != EAGAIN)
			return; /* it has been closed, which the test will see */
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
		fab_loop_turn(loop, 0);
	}
}

static void
push_buf(int fd, struct fab_buf *b)
{
	push(fd, b->data, b->len);
	fab_buf_unref(b);
}

/* Reads until a message of this type has come; false at the end of the stream. */
static bool
pull_until(int fd, uint8_t type, uint8_t *code, uint8_t *subcode)
{
	static uint8_t buf[70000];
	struct fab_mono start = fab_mono_now();
	size_t have = 0, len;

	while (ms_since(start) < WAIT_MS) {
		ssize_t k = recv(fd, buf + have, sizeof(buf) - have, MSG_DONTWAIT);

		if (k == 0 || (k < 0 && errno != EAGAIN))
			return false;
		have += k > 0 ? (size_t)k : 0;
		while ((len = bgp_msg_frame(buf, have, BGP_MESSAGE_EXTENDED)) > 0) {
			if (buf[18] == type) {
				*code = len > 20 ? buf[19] : 0;
				*subcode = len > 20 ? buf[20] : 0;
				return true;
			}
			have -= len;
			memmove(buf, buf + len, have);
		}
		fab_loop_turn(loop, 10);
	}
	return false;
}

static bool
at_end(int fd)
{
	struct fab_mono start = fab_mono_now();
	uint8_t buf[4096];

	while (ms_since(start) < WAIT_MS) {
		ssize_t k = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (k == 0 || (k < 0 && errno != EAGAIN))
			return true;
		fab_loop_turn(loop, 10);
	}
	return false;
}

static struct fab_buf *
peer_open(bool as4)
{
	const struct bgp_open open = { .version = 4,
		.asn = 65001,
		.router_id = 9,
		.hold_sec = 30,
		.ipv4 = true,
		.as4 = as4,
		.refresh = as4 };

	return bgp_msg_encode_open(&open);
}

static int
dial_and_establish(bool as4)
{
	int fd = dial();

	push_buf(fd, peer_open(as4));
	push_buf(fd, bgp_msg_encode_keepalive());
	WAIT(bgp_session_state(session) == BGP_ESTABLISHED);
	return fd;
}

static void
expect_notification(int fd, uint8_t code, uint8_t subcode)
{
	uint8_t c = 0, sub = 0;

	CU_ASSERT(pull_until(fd, BGP_MSG_NOTIFICATION, &c, &sub));
	CU_ASSERT_EQUAL(c, code);
	CU_ASSERT_EQUAL(sub, subcode);
	CU_ASSERT(at_end(fd));
	close(fd);
}

#define ATTRS "40 01 01 00 40 02 06 02 01 00 00 fd e9 40 03 04 0a 01 02 04"

/* ---- streams ---- */

static void
test_one_octet_per_segment(void)
{
	struct fab_buf *open = peer_open(true), *ka = bgp_msg_encode_keepalive();
	struct octets o;
	int fd, on = 1;

	open_tcp();
	fd = dial();
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	make_update(&o, "", ATTRS, "10 0a 01");
	for (size_t i = 0; i < open->len; i++)
		push(fd, open->data + i, 1);
	for (size_t i = 0; i < ka->len; i++)
		push(fd, ka->data + i, 1);
	for (size_t i = 0; i < o.n; i++)
		push(fd, o.d + i, 1);
	WAIT(updates == 1);
	CU_ASSERT_STRING_EQUAL(last_path, "65001");
	CU_ASSERT_EQUAL(ups, 1);
	fab_buf_unref(open);
	fab_buf_unref(ka);
	close(fd);
	close_all();
}

/* All are delivered, but only so many per turn: the others have their turn, too. */
static void
test_thousands_of_messages_per_segment(void)
{
	static struct octets all;
	struct octets o;
	unsigned before, turns = 0;
	int fd;

	open_tcp();
	fd = dial_and_establish(true);
	make_update(&o, "", ATTRS, "10 0a 01");
	all.n = 0;
	for (int i = 0; i < 1200; i++)
		add_octets(&all, o.d, o.n);
	CU_ASSERT_EQUAL(send(fd, all.d, all.n, 0), (ssize_t)all.n);
	do {
		before = updates;
		fab_loop_turn(loop, 10);
		CU_ASSERT(updates - before <= 2 * BGP_MSGS_PER_TURN);
		turns++;
	} while (updates < 1200 && turns < 1000);
	CU_ASSERT_EQUAL(updates, 1200);
	CU_ASSERT(turns >= 3);
	close(fd);
	WAIT(downs == 1);
	close_all();
}

static void
test_streams_that_are_not_bgp(void)
{
	static const struct {
		const char *what, *hex;
		uint8_t code, subcode;
	} cases[] = {
		{ "HTTP", "474554202f20485454502f312e310d0a486f73743a20780d0a0d0a", 1, 1 },
		{ "zeros", "00000000000000000000000000000000000000000000", 1, 1 },
		{ "length 0", "ffffffffffffffffffffffffffffffff 0000 01", 1, 2 },
		{ "length 65535", "ffffffffffffffffffffffffffffffff ffff 02", 1, 2 },
		{ "type 77", "ffffffffffffffffffffffffffffffff 0013 4d", 1, 3 },
		{ "KEEPALIVE before OPEN", "ffffffffffffffffffffffffffffffff 0013 04", 5, 1 },
		{ "UPDATE before OPEN", "ffffffffffffffffffffffffffffffff 0017 02 00000000", 5, 1 },
		{ "OPEN version 5",
		    "ffffffffffffffffffffffffffffffff 001d 01 05 fde9 001e 00000009 00", 2, 1 },
	};

	open_tcp();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct octets o = { 0 };
		int fd = dial();

		add_hex(&o, cases[i].hex);
		push(fd, o.d, o.n);
		expect_notification(fd, cases[i].code, cases[i].subcode);
	}
	CU_ASSERT(ups == 0 && downs == 0);
	close(dial_and_establish(true)); /* nobody is blamed for it */
	close_all();
}

/* The NOTIFICATION arrives although the peer sends on and on, which we do not read. */
static void
test_the_last_word_arrives(void)
{
	static uint8_t flood[1 << 20];
	struct octets o;
	int fd;

	open_tcp();
	fd = dial_and_establish(true);
	make_update(&o, "", ATTRS, "21 0a 01 02 03 04"); /* prefix length 33 */
	push(fd, o.d, o.n);
	for (int i = 0; i < 8; i++)
		(void)send(fd, flood, sizeof(flood), MSG_DONTWAIT | MSG_NOSIGNAL);
	WAIT(downs == 1);
	CU_ASSERT_STRING_EQUAL(
	    reason, "sent NOTIFICATION UPDATE Message Error/Invalid Network Field");
	expect_notification(fd, BGP_ERR_UPDATE, BGP_UPDATE_BAD_NETWORK);
	close_all();
}

static void
test_long_messages_need_the_capability(void)
{
	struct octets o = { 0 };
	int fd;

	open_tcp();
	fd = dial_and_establish(true);
	add_hex(&o, "ffffffffffffffffffffffffffffffff 1001 02");
	push(fd, o.d, o.n); /* the header is enough to know */
	expect_notification(fd, BGP_ERR_HEADER, BGP_HEADER_BAD_LENGTH);
	close_all();
}

/* RFC 6793: a peer without capability 65. RS-34 */
static void
test_a_peer_with_two_octet_asns(void)
{
	struct octets o;
	int fd;

	open_tcp();
	fd = dial_and_establish(false);
	CU_ASSERT_EQUAL(bgp_session_wire(session), BGP_WIRE_RFC_AS2);
	CU_ASSERT_FALSE(bgp_session_refresh(session)); /* RS-96: it has to be reset */
	make_update(&o, "",
	    "40 01 01 00 40 02 06 02 02 fd e9 5b a0 40 03 04 0a 01 02 04"
	    "c0 11 06 02 01 00 01 11 70",
	    "10 0a 01");
	push(fd, o.d, o.n);
	WAIT(updates == 1);
	CU_ASSERT_STRING_EQUAL(last_path, "65001 70000");
	close(fd);
	close_all();
}

static void
test_ways_to_go(void)
{
	static const struct linger hard = { 1, 0 };
	static const struct bgp_notify bye = { BGP_ERR_CEASE, BGP_CEASE_ADMIN_RESET, 0, NULL };
	int fd;

	open_tcp();
	fd = dial_and_establish(true);
	close(fd);
	WAIT(downs == 1);
	CU_ASSERT_STRING_EQUAL(reason, "connection closed by the peer");
	fd = dial_and_establish(true);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd); /* RST */
	WAIT(downs == 2);
	CU_ASSERT_STRING_EQUAL(reason, "connection closed by the peer");
	fd = dial_and_establish(true);
	push_buf(fd, bgp_msg_encode_notify(&bye));
	WAIT(downs == 3); /* before close(): what we have not read makes it an RST */
	close(fd);
	printf("<%s>\n", reason);
	CU_ASSERT_STRING_EQUAL(reason, "received NOTIFICATION Cease/Administrative Reset");
	fd = dial();
	WAIT(bgp_session_state(session) == BGP_OPEN_SENT);
	close(fd); /* before its OPEN */
	WAIT(bgp_session_state(session) == BGP_ACTIVE);
	CU_ASSERT_EQUAL(downs, 3);
	close_all();
}

/* Octets queued to a peer that never reads are limited; ours are shared, so this costs little. */
static void
test_a_peer_that_never_reads(void)
{
	struct fab_buf *b = fab_buf_new(BGP_MESSAGE_MAX);
	struct fab_mono start;
	int fd;

	memset(b->data, 0xff, b->len);
	b->data[16] = 0x10;
	b->data[17] = 0;
	b->data[18] = BGP_MSG_UPDATE;
	open_tcp();
	fd = dial_and_establish(true);
	for (size_t n = 0; n <= BGP_BACKLOG_MAX / BGP_MESSAGE_MAX + 4096 && downs == 0; n++) {
		bgp_session_send(session, b);
		CU_ASSERT_FATAL(bgp_session_backlog(session) <= BGP_BACKLOG_MAX);
		if (n % 1024 == 0)
			fab_loop_turn(loop, 0);
	}
	WAIT(downs == 1);
	CU_ASSERT_STRING_EQUAL(reason, "the peer does not read: backlog above the limit");
	start = fab_mono_now();
	WAIT(b->refs == 1); /* what waited is dropped, also for a peer that stays silent */
	CU_ASSERT(ms_since(start) < 3000);
	fab_buf_unref(b);
	close(fd);
	close_all();
}

/* Without descriptors connections wait, and the loop does not spin on them. A loop of its own:
 * connections that linger in the other one would give descriptors back. */
static void
test_a_listener_out_of_descriptors(void)
{
	struct fab_loop *others = loop;
	struct sockaddr_in to;
	struct rlimit old, low;
	struct fab_mono start;
	unsigned turns = 0;
	int fd, top;

	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	open_tcp();
	to = loopback(bgp_listener_port(listener));
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	top = dup(fd);
	close(top);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = (rlim_t)top; /* the next descriptor is one too many */
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &low), 0);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	start = fab_mono_now();
	while (ms_since(start) < 60) {
		fab_loop_turn(loop, 10);
		turns++;
	}
	CU_ASSERT_EQUAL(accepts, 0);
	CU_ASSERT(turns < 20);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &old), 0);
	WAIT(accepts == 1);
	close(fd);
	close_all();
	fab_loop_free(loop);
	loop = others;
}

/* The source address that a session binds to, which is how the other side knows it. */
static void
test_source_address_and_ttl(void)
{
	struct bgp_session_conf conf = { .local_as = 65001,
		.peer_as = 65515,
		.router_id = 9,
		.hold_ms = 30000,
		.connect_retry_ms = 100,
		.dial_addr = LOOPBACK,
		.source_addr = 0x7f000105,
		.ttl = 2 }; /* RS-31 */
	struct bgp_session *peer;

	open_tcp();
	conf.dial_port = bgp_listener_port(listener);
	CU_ASSERT_EQUAL_FATAL(bgp_session_new(&peer, loop, &conf, &callbacks, NULL), FAB_OK);
	bgp_session_start(peer);
	WAIT(bgp_session_state(session) == BGP_ESTABLISHED &&
	     bgp_session_state(peer) == BGP_ESTABLISHED);
	CU_ASSERT_EQUAL(accepted_from, 0x7f000105);
	bgp_session_free(peer);
	conf.source_addr = 0xcb007101; /* 203.0.113.1 is not ours */
	CU_ASSERT_EQUAL_FATAL(bgp_session_new(&peer, loop, &conf, &callbacks, NULL), FAB_OK);
	bgp_session_start(peer);
	WAIT(bgp_session_last_error(peer)[0] != '\0');
	bgp_session_free(peer);
	close_all();
}

static void
test_a_port_in_use_is_reported(void)
{
	struct bgp_listener *second = NULL;

	open_tcp();
	CU_ASSERT_EQUAL(
	    bgp_listen_tcp(&second, loop, LOOPBACK, bgp_listener_port(listener), on_accept, NULL),
	    FAB_EEXIST);
	CU_ASSERT_PTR_NULL(second);
	close_all();
}

/* ---- frames ---- */

static char url[128], socket_path[100], dir[64];
static struct fab_conn *conn;
static unsigned conn_closed, conn_frames;
static struct bgp_notify conn_notified;

static void
conn_frame(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len)
{
	static struct bgp_scratch sc;
	static const struct bgp_decode_opts opts = { .as4 = true };
	struct bgp_notify err;
	struct bgp_msg m;

	(void)ctx;
	(void)c;
	conn_frames++;
	CU_ASSERT_EQUAL(wire_bgp_decode(&m, &sc, &opts, data, len, &err), FAB_OK);
	if (m.type == BGP_MSG_NOTIFICATION)
		conn_notified = (struct bgp_notify){ m.notify.code, m.notify.subcode, 0, NULL };
	bgp_scratch_fini(&sc);
}

static void
conn_down(void *ctx, struct fab_conn *c, int err)
{
	(void)ctx;
	(void)c;
	(void)err;
	conn_closed++;
}

static const struct fab_conn_cb conn_cb = { .frame = conn_frame, .closed = conn_down };

static void
on_dialled(void *ctx, struct fab_conn *c, int err)
{
	(void)ctx;
	CU_ASSERT_EQUAL(err, FAB_OK);
	conn = c;
	if (c != NULL)
		fab_conn_set_cb(c, &conn_cb, NULL);
}

static void
open_nng(void)
{
	session_open(BGP_TRANSPORT_NNG);
	CU_ASSERT_EQUAL_FATAL(bgp_listen_nng(&listener, loop, url, NULL, on_accept, NULL), FAB_OK);
}

static void
dial_conn(void)
{
	struct fab_dial *d;

	conn = NULL;
	conn_closed = conn_frames = 0;
	conn_notified = (struct bgp_notify){ 0 };
	CU_ASSERT_EQUAL_FATAL(fab_conn_dial(&d, loop, url, NULL, on_dialled, NULL), FAB_OK);
	WAIT(conn != NULL);
	fab_dial_free(d);
}

static void
conn_send_buf(struct fab_buf *b)
{
	CU_ASSERT_EQUAL(fab_conn_send(conn, b), FAB_OK);
	fab_buf_unref(b);
}

static void
conn_send_hex(const char *hex)
{
	struct octets o = { 0 };
	struct fab_buf *b;

	add_hex(&o, hex);
	b = fab_buf_new(o.n);
	memcpy(b->data, o.d, o.n);
	conn_send_buf(b);
}

static void
test_strangers_are_shown_the_door(void)
{
	static const struct bgp_open open = {
		.version = 4, .asn = 65001, .router_id = 9, .ipv4 = true
	};

	open_nng();
	dial_conn();
	conn_send_hex("ff ff ff"); /* no protobuf */
	WAIT(conn_closed == 1);
	fab_conn_free(conn);
	dial_conn();
	conn_send_buf(wire_bgp_encode_open(&open)); /* an OPEN without Hello */
	WAIT(conn_closed == 1);
	fab_conn_free(conn);
	dial_conn();
	fab_conn_free(conn); /* not a word */
	dial_conn();         /* still there when the listener goes */
	CU_ASSERT_EQUAL(accepts, 0);
	close_all();
	WAIT(conn_closed == 1);
	fab_conn_free(conn);
}

static void
expect_conn_notification(uint8_t code, uint8_t subcode)
{
	WAIT(conn_closed == 1);
	CU_ASSERT_EQUAL(conn_notified.code, code);
	CU_ASSERT_EQUAL(conn_notified.subcode, subcode);
	fab_conn_free(conn);
}

static void
test_frames_that_are_not_bgp(void)
{
	static const struct bgp_hello hello = { "nva1", 0x0a010204, 0x0a010004 };

	open_nng();
	dial_conn();
	conn_send_buf(wire_bgp_encode_hello(&hello));
	conn_send_hex("ff ff ff");
	expect_conn_notification(BGP_ERR_HEADER, BGP_HEADER_NOT_SYNCHRONISED);
	CU_ASSERT_EQUAL(accepted_from, 0x0a010204);
	dial_conn();
	conn_send_buf(wire_bgp_encode_hello(&hello));
	conn_send_buf(wire_bgp_encode_hello(&hello)); /* twice */
	expect_conn_notification(BGP_ERR_HEADER, BGP_HEADER_BAD_TYPE);
	dial_conn();
	conn_send_buf(wire_bgp_encode_hello(&hello));
	conn_send_buf(wire_bgp_encode_keepalive());
	expect_conn_notification(BGP_ERR_FSM, BGP_FSM_IN_OPEN_SENT);
	CU_ASSERT(ups == 0 && downs == 0);
	close_all();
}

/* Many frames at once: all arrive, with pauses for the others. */
static void
test_thousands_of_frames_at_once(void)
{
	static const struct bgp_hello hello = { "nva1", 0x0a010204, 0x0a010004 };
	static const struct bgp_open open = {
		.version = 4, .asn = 65001, .router_id = 9, .hold_sec = 30, .ipv4 = true
	};
	struct fab_buf *eor = bgp_encode_end_of_rib(BGP_WIRE_PB);

	open_nng();
	dial_conn();
	conn_send_buf(wire_bgp_encode_hello(&hello));
	conn_send_buf(wire_bgp_encode_open(&open));
	conn_send_buf(wire_bgp_encode_keepalive());
	for (int i = 0; i < 5000; i++)
		CU_ASSERT_EQUAL(fab_conn_send(conn, eor), FAB_OK);
	fab_buf_unref(eor);
	WAIT(updates == 5000);
	fab_conn_free(conn);
	WAIT(downs == 1);
	close_all();
}

/* ---- set up once ---- */

static void
test_set_up(void)
{
	snprintf(dir, sizeof(dir), "/tmp/test_bgp_transport.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(socket_path, sizeof(socket_path), "%s/rs.bgp", dir);
	snprintf(url, sizeof(url), "ipc://%s", socket_path);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
}

static void
test_tear_down(void)
{
	fab_loop_free(loop); /* with connections that still linger */
	unlink(socket_path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

/* 192.0.2.1 (RFC 5737) is on no interface; a NIC gets its address after the daemon has started. */
static void
test_listens_on_an_address_to_come(void)
{
	struct fab_loop *own;
	struct bgp_listener *l = NULL;

	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&own), FAB_OK);
	CU_ASSERT_EQUAL(bgp_listen_tcp(&l, own, 0xc0000201, 0, on_accept, NULL), FAB_OK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(l);
	CU_ASSERT(bgp_listener_port(l) != 0);
	bgp_listener_free(l);
	fab_loop_free(own);
}

static CU_TestInfo tests[] = {
	{ "listens on an address to come", test_listens_on_an_address_to_come },
	{ "set up", test_set_up },
	{ "one octet per segment", test_one_octet_per_segment },
	{ "thousands of messages per segment", test_thousands_of_messages_per_segment },
	{ "streams that are not BGP (RFC 4271 6.1)", test_streams_that_are_not_bgp },
	{ "the last word arrives", test_the_last_word_arrives },
	{ "long messages need the capability (RFC 8654)", test_long_messages_need_the_capability },
	{ "a peer with two-octet ASNs (RFC 6793, RS-34)", test_a_peer_with_two_octet_asns },
	{ "ways to go (RS-90)", test_ways_to_go },
	{ "a peer that never reads", test_a_peer_that_never_reads },
	{ "a listener out of descriptors", test_a_listener_out_of_descriptors },
	{ "source address and TTL (RS-31)", test_source_address_and_ttl },
	{ "a port in use is reported", test_a_port_in_use_is_reported },
	{ "strangers are shown the door", test_strangers_are_shown_the_door },
	{ "frames that are not BGP", test_frames_that_are_not_bgp },
	{ "thousands of frames at once", test_thousands_of_frames_at_once },
	{ "tear down", test_tear_down },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("bgp_transport", tests)
