/* lib/conn: framing, order, backpressure, end of connections, listeners, TLS. */
#include "lib/conn.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* One end of a connection, and what happened there. */
struct end {
	struct fab_conn *c;
	size_t frames;
	size_t octets;
	uint32_t last_len;
	bool bad; /* a frame came with another content or out of order */
	bool closed;
	int err;
	unsigned drained;
	bool free_in_frame;
	bool pause_in_frame;
	bool echo;
};

struct net {
	struct fab_test_dir dir;
	struct fab_loop *loop;
	struct fab_conn_listener *listener;
	struct fab_dial *dial;
	bool dial_done;
	int dial_err;
	struct end client;
	struct end server;
};

/* Octet i of frame n, so that mixed-up frames are seen. */
static uint8_t
pattern(size_t n, size_t i)
{
	return (uint8_t)(n * 7 + i * 13 + (i >> 8));
}

static struct fab_buf *
frame_new(size_t n, size_t len)
{
	struct fab_buf *b = fab_buf_new(len);

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	for (size_t i = 0; i < len; i++)
		b->data[i] = pattern(n, i);
	return b;
}

static void
on_frame(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len)
{
	struct end *e = ctx;

	for (size_t i = 0; i < len; i++)
		if (data[i] != pattern(e->frames, i))
			e->bad = true;
	if (e->echo) {
		struct fab_buf *b = frame_new(e->frames, len);

		CU_ASSERT_EQUAL(fab_conn_send(c, b), FAB_OK);
		fab_buf_unref(b);
	}
	e->frames++;
	e->octets += len;
	e->last_len = (uint32_t)len;
	if (e->pause_in_frame)
		fab_conn_pause(c, true);
	if (e->free_in_frame) {
		fab_conn_free(c);
		e->c = NULL;
	}
}

static void
on_closed(void *ctx, struct fab_conn *c, int err)
{
	struct end *e = ctx;

	CU_ASSERT_FALSE(e->closed);
	e->closed = true;
	e->err = err;
	fab_conn_free(c);
	e->c = NULL;
}

static void
on_drained(void *ctx, struct fab_conn *c)
{
	struct end *e = ctx;

	(void)c;
	e->drained++;
}

static const struct fab_conn_cb callbacks = { on_frame, on_closed, on_drained };

static void
on_accept(void *ctx, struct fab_conn *c)
{
	struct net *n = ctx;

	fab_conn_free(n->server.c);
	n->server.c = c;
	n->server.closed = false;
	fab_conn_set_cb(c, &callbacks, &n->server);
}

static void
on_dialled(void *ctx, struct fab_conn *c, int err)
{
	struct net *n = ctx;

	n->dial_done = true;
	n->dial_err = err;
	n->client.c = c;
	fab_dial_free(n->dial);
	n->dial = NULL;
	if (c != NULL)
		fab_conn_set_cb(c, &callbacks, &n->client);
}

static void
net_init(struct net *n)
{
	memset(n, 0, sizeof(*n));
	fab_test_dir_init(&n->dir);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&n->loop), FAB_OK);
}

static void
net_listen(struct net *n, const char *url, const struct fab_tls *tls)
{
	CU_ASSERT_EQUAL_FATAL(
	    fab_conn_listen(&n->listener, n->loop, url, tls, on_accept, n), FAB_OK);
}

static void
net_dial(struct net *n, const char *url, const struct fab_tls *tls)
{
	CU_ASSERT_EQUAL_FATAL(fab_conn_dial(&n->dial, n->loop, url, tls, on_dialled, n), FAB_OK);
	AWAIT(n->loop, n->dial_done);
}

/* Listens and dials; scheme is "ipc" or "tcp". */
static void
net_connect(struct net *n, const char *scheme)
{
	char url[64];

	net_init(n);
	if (strcmp(scheme, "ipc") == 0) {
		snprintf(url, sizeof(url), "%s", n->dir.url);
		net_listen(n, url, NULL);
	} else {
		net_listen(n, "tcp://127.0.0.1:0", NULL);
		snprintf(
		    url, sizeof(url), "tcp://127.0.0.1:%u", fab_conn_listener_port(n->listener));
	}
	net_dial(n, url, NULL);
	CU_ASSERT_EQUAL_FATAL(n->dial_err, FAB_OK);
	AWAIT(n->loop, n->server.c != NULL);
}

static void
net_fini(struct net *n)
{
	fab_dial_free(n->dial);
	fab_conn_free(n->client.c);
	fab_conn_free(n->server.c);
	fab_conn_listener_free(n->listener);
	fab_loop_free(n->loop);
	fab_test_dir_fini(&n->dir);
}

static void
send_frames(struct fab_conn *c, size_t first, size_t count, size_t len)
{
	for (size_t i = first; i < first + count; i++) {
		struct fab_buf *b = frame_new(i, len);

		CU_ASSERT_EQUAL(fab_conn_send(c, b), FAB_OK);
		fab_buf_unref(b);
	}
}

static void
test_frames_of_all_sizes_come_back(void)
{
	static const size_t lens[] = { 1, 3, 4, 5, 2047, 2048, 2049, 32764, 65531, 65532, 65533,
		1000000, FAB_CONN_FRAME_MAX, 2, 70000, 1 };
	static const char *const schemes[] = { "ipc", "tcp" };

	for (size_t s = 0; s < 2; s++) {
		struct net n;

		net_connect(&n, schemes[s]);
		n.server.echo = true;
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
			send_frames(n.client.c, i, 1, lens[i]);
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			AWAIT(n.loop, n.client.frames > i);
		}
		CU_ASSERT_FALSE(n.client.bad);
		CU_ASSERT_FALSE(n.server.bad);
		CU_ASSERT_EQUAL(n.client.octets, n.server.octets);
		CU_ASSERT_EQUAL(n.client.last_len, 1);
		CU_ASSERT_EQUAL(fab_conn_backlog(n.client.c), 0);
		net_fini(&n);
	}
}

static void
test_many_small_frames_keep_their_order(void)
{
	struct net n;

	net_connect(&n, "ipc");
	n.server.echo = true;
	for (size_t i = 0; i < 20; i++) {
		send_frames(n.client.c, i * 1000, 1000, 40);
		fab_loop_turn(n.loop, 0);
	}
	AWAIT(n.loop, n.client.frames == 20000);
	CU_ASSERT_FALSE(n.client.bad);
	CU_ASSERT_FALSE(n.server.bad);
	CU_ASSERT_EQUAL(fab_conn_sent(n.client.c), 20000 * 44);
	net_fini(&n);
}

static void
test_shared_buffer_reaches_both_ends(void)
{
	struct net n;
	struct fab_buf *b;

	net_connect(&n, "ipc");
	b = frame_new(0, 5000);
	CU_ASSERT_EQUAL(fab_conn_send(n.client.c, b), FAB_OK);
	CU_ASSERT_EQUAL(fab_conn_send(n.server.c, b), FAB_OK);
	CU_ASSERT_EQUAL(b->refs, 3);
	AWAIT(n.loop, n.client.frames == 1 && n.server.frames == 1);
	AWAIT(n.loop, b->refs == 1);
	CU_ASSERT_FALSE(n.client.bad || n.server.bad);
	fab_buf_unref(b);
	fab_buf_unref(NULL);
	net_fini(&n);
}

static void
test_send_refuses_empty_and_oversized(void)
{
	struct net n;
	struct fab_buf *b;

	net_connect(&n, "ipc");
	b = fab_buf_new(0);
	CU_ASSERT_EQUAL(fab_conn_send(n.client.c, b), FAB_EINVAL);
	fab_buf_unref(b);
	b = fab_buf_new(FAB_CONN_FRAME_MAX + 1);
	CU_ASSERT_EQUAL(fab_conn_send(n.client.c, b), FAB_ETOOBIG);
	fab_buf_unref(b);
	net_fini(&n);
}

/* A socket without this library behind it, to say what the library never would. */
static int
raw_connect(const struct fab_test_dir *dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", dir->url + strlen("ipc://"));
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	return fd;
}

static void
raw_send(int fd, const void *data, size_t len)
{
	CU_ASSERT_EQUAL(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void
test_bad_headers_end_the_connection(void)
{
	static const struct {
		uint8_t octets[5];
		size_t len;
		bool hang_up;
		int err;
	} rows[] = {
		{ { 0x01, 0, 0, 1 }, 4, false, FAB_ETOOBIG }, /* FAB_CONN_FRAME_MAX + 1 */
		{ { 0xff, 0xff, 0xff, 0xff }, 4, false, FAB_ETOOBIG },
		{ { 0, 0, 0, 0 }, 4, false, FAB_ECLOSED },   /* goodbye */
		{ { 0, 0, 0 }, 3, true, FAB_ECLOSED },       /* header cut off */
		{ { 0, 0, 0, 9, 1 }, 5, true, FAB_ECLOSED }, /* body cut off */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct net n;
		int fd;

		net_init(&n);
		net_listen(&n, n.dir.url, NULL);
		fd = raw_connect(&n.dir);
		raw_send(fd, rows[i].octets, rows[i].len);
		if (rows[i].hang_up)
			close(fd);
		AWAIT(n.loop, n.server.closed);
		CU_ASSERT_EQUAL(n.server.err, rows[i].err);
		CU_ASSERT_EQUAL(n.server.frames, 0);
		if (!rows[i].hang_up)
			close(fd);
		net_fini(&n);
	}
}

static void
test_frames_cut_anywhere_are_joined(void)
{
	uint8_t wire[3 * 14];
	struct net n;
	int fd;

	for (size_t f = 0; f < 3; f++) {
		uint32_t be = htonl(10);

		memcpy(wire + f * 14, &be, 4);
		for (size_t i = 0; i < 10; i++)
			wire[f * 14 + 4 + i] = pattern(f, i);
	}
	net_init(&n);
	net_listen(&n, n.dir.url, NULL);
	for (size_t cut = 1; cut < sizeof(wire); cut++) {
		n.server.frames = 0;
		fd = raw_connect(&n.dir);
		raw_send(fd, wire, cut);
		AWAIT(n.loop, n.server.frames == cut / 14);
		raw_send(fd, wire + cut, sizeof(wire) - cut);
		AWAIT(n.loop, n.server.frames == 3);
		CU_ASSERT_FALSE(n.server.bad);
		close(fd);
		AWAIT(n.loop, n.server.closed);
		n.server.closed = false;
	}
	net_fini(&n);
}

static void
test_pause_stops_frames_and_resume_delivers(void)
{
	struct net n;

	net_connect(&n, "ipc");
	n.server.pause_in_frame = true;
	send_frames(n.client.c, 0, 3, 100);
	for (size_t i = 1; i <= 3; i++) {
		AWAIT(n.loop, n.server.frames == i);
		for (int turns = 0; turns < 20; turns++)
			fab_loop_turn(n.loop, 1);
		CU_ASSERT_EQUAL(n.server.frames, i);
		fab_conn_pause(n.server.c, false);
	}
	CU_ASSERT_FALSE(n.server.bad);
	net_fini(&n);
}

static void
test_backlog_grows_while_peer_pauses_then_drains(void)
{
	const size_t mark = 1u << 20;
	struct net n;
	size_t sent = 0;

	net_connect(&n, "ipc");
	fab_conn_set_high_water(n.client.c, mark);
	fab_conn_pause(n.server.c, true);
	while (fab_conn_backlog(n.client.c) <= 2 * mark) {
		send_frames(n.client.c, sent++, 1, 10000);
		fab_loop_turn(n.loop, 0);
	}
	CU_ASSERT_EQUAL(n.client.drained, 0);
	CU_ASSERT(fab_conn_sent(n.client.c) < mark);
	fab_conn_pause(n.server.c, false);
	AWAIT(n.loop, n.client.drained == 1);
	CU_ASSERT(fab_conn_backlog(n.client.c) <= mark / 2);
	AWAIT(n.loop, n.server.frames == sent);
	CU_ASSERT_FALSE(n.server.bad);
	CU_ASSERT_EQUAL(n.client.drained, 1);
	net_fini(&n);
}

static void
test_backlog_limit_ends_the_connection(void)
{
	struct fab_buf *b = frame_new(0, 1u << 20);
	struct net n;
	int err = FAB_OK;

	net_connect(&n, "ipc");
	fab_conn_pause(n.server.c, true);
	for (int i = 0; i < 70; i++) {
		err = n.client.closed ? FAB_ECLOSED : fab_conn_send(n.client.c, b);
		CU_ASSERT_FALSE(n.client.closed); /* never from inside send */
	}
	CU_ASSERT_EQUAL(err, FAB_OK);
	AWAIT(n.loop, n.client.closed);
	CU_ASSERT_EQUAL(n.client.err, FAB_ETOOBIG);
	CU_ASSERT_EQUAL(b->refs, 1);
	fab_buf_unref(b);
	net_fini(&n);
}

static void
test_flush_free_delivers_everything(void)
{
	struct net n;

	net_connect(&n, "ipc");
	send_frames(n.client.c, 0, 300, 20000);
	fab_conn_flush_free(n.client.c, 10000);
	n.client.c = NULL;
	AWAIT(n.loop, n.server.closed);
	CU_ASSERT_EQUAL(n.server.err, FAB_ECLOSED);
	CU_ASSERT_EQUAL(n.server.frames, 300);
	CU_ASSERT_FALSE(n.server.bad);
	net_fini(&n);
}

static void
test_flush_free_is_bounded_and_dies_with_the_loop(void)
{
	struct net n;
	struct fab_mono start;

	net_connect(&n, "ipc");
	fab_conn_pause(n.server.c, true);
	send_frames(n.client.c, 0, 100, 100000);
	start = fab_mono_now();
	fab_conn_flush_free(n.client.c, 50);
	n.client.c = NULL;
	fab_conn_pause(n.server.c, true);
	while (fab_mono_us_between(start, fab_mono_now()) < 100000)
		fab_loop_turn(n.loop, 10);
	fab_conn_pause(n.server.c, false);
	AWAIT(n.loop, n.server.closed);
	CU_ASSERT(n.server.frames < 100);
	n.dial_done = false;
	net_dial(&n, n.dir.url, NULL);
	AWAIT(n.loop, n.server.c != NULL);
	fab_conn_pause(n.server.c, true);
	send_frames(n.client.c, 0, 100, 100000);
	fab_conn_flush_free(n.client.c, 60000);
	n.client.c = NULL;
	net_fini(&n); /* still flushing: the loop frees it */
}

static void
test_free_inside_frame(void)
{
	struct net n;

	net_connect(&n, "ipc");
	n.server.free_in_frame = true;
	send_frames(n.client.c, 0, 5, 100);
	AWAIT(n.loop, n.client.closed);
	CU_ASSERT_EQUAL(n.server.frames, 1);
	CU_ASSERT_FALSE(n.server.closed);
	net_fini(&n);
}

static void
hang_up_politely(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len)
{
	struct end *e = ctx;

	(void)data;
	(void)len;
	send_frames(c, 0, 1, 100);
	fab_conn_flush_free(c, 5000);
	e->c = NULL;
}

static void
test_flush_free_inside_frame_still_answers(void)
{
	static const struct fab_conn_cb polite = { hang_up_politely, on_closed, NULL };
	struct net n;

	net_connect(&n, "ipc");
	fab_conn_set_cb(n.server.c, &polite, &n.server);
	send_frames(n.client.c, 0, 3, 100);
	AWAIT(n.loop, n.client.closed);
	CU_ASSERT_EQUAL(n.client.frames, 1);
	CU_ASSERT_FALSE(n.client.bad);
	net_fini(&n);
}

static void
test_peer_loss_is_told_once(void)
{
	struct net n;

	net_connect(&n, "tcp");
	fab_conn_free(n.server.c);
	n.server.c = NULL;
	AWAIT(n.loop, n.client.closed);
	CU_ASSERT_EQUAL(n.client.err, FAB_ECLOSED);
	for (int i = 0; i < 20; i++)
		fab_loop_turn(n.loop, 1); /* on_closed() checks that it is not told again */
	net_fini(&n);
}

static void
test_listen_errors(void)
{
	static const struct {
		const char *url;
		int err;
	} rows[] = {
		{ "", FAB_EINVAL },
		{ "ipc://", FAB_EINVAL },
		{ "inproc://x", FAB_EINVAL },
		{ "ws://127.0.0.1:0", FAB_EINVAL },
		{ "tcp://127.0.0.1:notaport", FAB_EINVAL },
		{ "tls+tcp://127.0.0.1:0", FAB_EINVAL }, /* without certificates */
		{ "ipc:///nonexistent-directory/s.ipc", FAB_EUNREACH },
	};
	struct net n;

	net_init(&n);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fab_conn_listener *l = NULL;
		int err = fab_conn_listen(&l, n.loop, rows[i].url, NULL, on_accept, &n);

		CU_ASSERT_EQUAL(err, rows[i].err);
		CU_ASSERT_PTR_NULL(l);
	}
	net_fini(&n);
}

/* A socket file that nobody listens on any more, as kill -9 leaves it. */
static void
make_stale(const struct fab_test_dir *dir)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", dir->url + strlen("ipc://"));
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
	close(fd);
}

static void
test_stale_socket_is_replaced_live_one_is_not(void)
{
	struct fab_conn_listener *second = NULL;
	struct net n;

	net_init(&n);
	make_stale(&n.dir);
	net_listen(&n, n.dir.url, NULL);
	CU_ASSERT_EQUAL(
	    fab_conn_listen(&second, n.loop, n.dir.url, NULL, on_accept, &n), FAB_EEXIST);
	net_dial(&n, n.dir.url, NULL);
	CU_ASSERT_EQUAL(n.dial_err, FAB_OK);
	send_frames(n.client.c, 0, 1, 10);
	AWAIT(n.loop, n.server.frames == 1);
	net_fini(&n);
}

static void
test_listen_never_removes_a_file(void)
{
	struct fab_conn_listener *l = NULL;
	const char *path;
	struct net n;
	int fd;

	net_init(&n);
	path = n.dir.url + strlen("ipc://");
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	CU_ASSERT_EQUAL(fab_conn_listen(&l, n.loop, n.dir.url, NULL, on_accept, &n), FAB_EEXIST);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	net_fini(&n);
}

static void
test_dial_nobody_and_cancel(void)
{
	struct net n;

	net_init(&n);
	net_dial(&n, n.dir.url, NULL);
	CU_ASSERT_EQUAL(n.dial_err, FAB_EUNREACH);
	CU_ASSERT_PTR_NULL(n.client.c);
	make_stale(&n.dir);
	n.dial_done = false;
	net_dial(&n, n.dir.url, NULL);
	CU_ASSERT_EQUAL(n.dial_err, FAB_EUNREACH);
	/* Cancelled before the loop saw the result: done is never called. */
	n.dial_done = false;
	net_listen(&n, n.dir.url, NULL);
	for (int i = 0; i < 50; i++) {
		struct fab_dial *d = NULL;

		CU_ASSERT_EQUAL(fab_conn_dial(&d, n.loop, n.dir.url, NULL, on_dialled, &n), FAB_OK);
		fab_dial_free(d);
		fab_loop_turn(n.loop, 0);
	}
	CU_ASSERT_FALSE(n.dial_done);
	net_fini(&n);
}

static void
test_connections_come_and_go(void)
{
	struct net n;

	net_init(&n);
	net_listen(&n, n.dir.url, NULL);
	n.server.echo = true;
	for (size_t i = 0; i < 200; i++) {
		n.dial_done = false;
		n.client.frames = n.server.frames = 0;
		net_dial(&n, n.dir.url, NULL);
		CU_ASSERT_EQUAL_FATAL(n.dial_err, FAB_OK);
		send_frames(n.client.c, 0, 3, 1000);
		if (i % 2 == 0)
			AWAIT(n.loop, n.client.frames == 3);
		fab_conn_free(n.client.c);
		n.client.c = NULL;
		n.server.closed = false;
	}
	net_fini(&n);
}

struct files {
	char cert[96], key[96], ca[96];
};

static struct fab_tls
tls_files(struct files *f, const struct fab_test_dir *d, const char *own, const char *ca)
{
	snprintf(f->cert, sizeof(f->cert), "%s/%s.pem", d->path, own);
	snprintf(f->key, sizeof(f->key), "%s/%s.key", d->path, own);
	snprintf(f->ca, sizeof(f->ca), "%s/%s-ca.pem", d->path, ca);
	return (struct fab_tls){ f->cert, f->key, f->ca };
}

static void
test_tls_needs_certificates_of_the_ca(void)
{
	static const struct {
		const char *server_own, *server_ca, *client_own, *client_ca;
		const char *host;
		bool works;
	} rows[] = {
		{ "a", "a", "a", "a", "127.0.0.1", true },
		{ "a", "a", "a", "a", "localhost", true },
		{ "a", "b", "b", "a", "localhost", true },
		{ "a", "a", "a", "b", "localhost", false },  /* client does not trust the server */
		{ "a", "a", "b", "a", "localhost", false },  /* server does not trust the client */
		{ "a", "a", NULL, "a", "localhost", false }, /* client shows none */
	};
	struct net certs;

	net_init(&certs);
	CU_ASSERT_EQUAL_FATAL(fab_test_certs(&certs.dir, "a"), 0);
	CU_ASSERT_EQUAL_FATAL(fab_test_certs(&certs.dir, "b"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct files sf, cf;
		struct fab_tls server =
		    tls_files(&sf, &certs.dir, rows[i].server_own, rows[i].server_ca);
		struct fab_tls client = tls_files(&cf, &certs.dir,
		    rows[i].client_own != NULL ? rows[i].client_own : "a", rows[i].client_ca);
		char url[64];
		struct net n;

		if (rows[i].client_own == NULL)
			client.cert = client.key = NULL;
		net_init(&n);
		net_listen(&n, "tls+tcp://127.0.0.1:0", &server);
		snprintf(url, sizeof(url), "tls+tcp://%s:%u", rows[i].host,
		    fab_conn_listener_port(n.listener));
		net_dial(&n, url, &client);
		CU_ASSERT_EQUAL_FATAL(n.dial_err, FAB_OK);
		send_frames(n.client.c, 0, 1, 100000);
		if (rows[i].works) {
			AWAIT(n.loop, n.server.frames == 1);
			CU_ASSERT_FALSE(n.server.bad);
		} else {
			AWAIT(n.loop, n.client.closed && n.server.closed);
			CU_ASSERT_EQUAL(n.server.frames, 0);
		}
		net_fini(&n);
	}
	net_fini(&certs);
}

static void
test_tls_files_are_checked(void)
{
	struct net n;
	struct files f;
	struct fab_tls tls;
	struct fab_conn_listener *l = NULL;
	struct fab_dial *d = NULL;

	net_init(&n);
	CU_ASSERT_EQUAL_FATAL(fab_test_certs(&n.dir, "a"), 0);
	tls = tls_files(&f, &n.dir, "missing", "a");
	CU_ASSERT_EQUAL(
	    fab_conn_listen(&l, n.loop, "tls+tcp://127.0.0.1:0", &tls, on_accept, &n), FAB_EINVAL);
	CU_ASSERT_EQUAL(
	    fab_conn_dial(&d, n.loop, "tls+tcp://127.0.0.1:1", &tls, on_dialled, &n), FAB_EINVAL);
	tls = tls_files(&f, &n.dir, "a", "missing");
	CU_ASSERT_EQUAL(
	    fab_conn_listen(&l, n.loop, "tls+tcp://127.0.0.1:0", &tls, on_accept, &n), FAB_EINVAL);
	tls = (struct fab_tls){ .ca = f.ca };
	CU_ASSERT_EQUAL(
	    fab_conn_listen(&l, n.loop, "tls+tcp://127.0.0.1:0", &tls, on_accept, &n), FAB_EINVAL);
	net_fini(&n);
}

static void
test_local_urls(void)
{
	static const struct {
		const char *url;
		bool local;
	} rows[] = {
		{ "ipc:///tmp/x", true },
		{ "tcp://127.0.0.1:1", true },
		{ "tcp://127.8.9.1:1", true },
		{ "tcp://localhost:1", true },
		{ "tcp://[::1]:1", true },
		{ "tcp://10.0.0.1:1", false },
		{ "tcp://0.0.0.0:1", false },
		{ "tcp://fabricd:5180", false },
		{ "tcp://*:5180", false },
		{ "tls+tcp://fabricd:5180", false },
		{ "nonsense", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(fab_conn_url_is_local(rows[i].url), rows[i].local);
}

static CU_TestInfo tests[] = {
	{ "frames of all sizes come back (ipc, tcp)", test_frames_of_all_sizes_come_back },
	{ "many small frames keep their order", test_many_small_frames_keep_their_order },
	{ "one buffer on two connections", test_shared_buffer_reaches_both_ends },
	{ "empty and oversized messages are not sent", test_send_refuses_empty_and_oversized },
	{ "bad headers end the connection", test_bad_headers_end_the_connection },
	{ "frames cut anywhere are joined", test_frames_cut_anywhere_are_joined },
	{ "pause stops frames, resume delivers", test_pause_stops_frames_and_resume_delivers },
	{ "backlog grows, then drains", test_backlog_grows_while_peer_pauses_then_drains },
	{ "backlog limit ends the connection", test_backlog_limit_ends_the_connection },
	{ "flush_free delivers everything", test_flush_free_delivers_everything },
	{ "flush_free is bounded", test_flush_free_is_bounded_and_dies_with_the_loop },
	{ "free inside frame()", test_free_inside_frame },
	{ "flush_free inside frame() answers", test_flush_free_inside_frame_still_answers },
	{ "peer loss is told once", test_peer_loss_is_told_once },
	{ "listen errors", test_listen_errors },
	{ "stale socket replaced, live one not", test_stale_socket_is_replaced_live_one_is_not },
	{ "listen never removes a file", test_listen_never_removes_a_file },
	{ "dial: nobody there, cancel", test_dial_nobody_and_cancel },
	{ "connections come and go", test_connections_come_and_go },
	{ "TLS needs certificates of the CA", test_tls_needs_certificates_of_the_ca },
	{ "TLS files are checked", test_tls_files_are_checked },
	{ "which URLs are local", test_local_urls },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("conn", tests)
