/*
 * BGP over TCP (RFC 4271): a non-blocking socket on the loop, a read buffer that messages are
 * decoded from in place, and a queue of shared buffers that is written with one sendmsg() per turn.
 * A connection that ends with a NOTIFICATION lives on without an owner until the peer has taken it
 * (tcp_linger); closing a socket with unread data would reset it and could destroy the message.
 */
#include "lib/bgp_transport.h"
#include "lib/err.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define RX_CAPACITY 65536 /* more than the longest message, so one always fits */
#define TX_IOV_MAX  64
#define RING_MIN    16

/* Queued messages, oldest at [head]. */
struct ring {
	struct fab_buf **slots;
	size_t cap; /* power of two */
	size_t head;
	size_t count;
};

struct tcp {
	struct bgp_transport base;
	struct fab_loop *loop;
	int fd;
	struct event *readable;
	struct event *writable;
	struct fab_timer *timer; /* continues reading, reports an early failure, bounds lingering */
	struct fab_post flush;
	struct fab_exit exit; /* while lingering */
	uint8_t *rx;
	size_t rx_start, rx_end;
	struct ring tx;
	size_t tx_offset; /* octets of the oldest message that are written already */
	size_t backlog;
	int dial_err;
	bool connecting;
	bool above_mark;
	bool tx_failed;
	bool lingering; /* nobody owns it any more */
	bool dead;      /* to be freed when the last callback returns */
	unsigned in_cb;
};

/* ---- queue ---- */

static int
ring_push(struct ring *r, struct fab_buf *b)
{
	if (r->count == r->cap) {
		size_t cap = r->cap == 0 ? RING_MIN : 2 * r->cap;
		struct fab_buf **slots = malloc(cap * sizeof(struct fab_buf *));

		if (slots == NULL)
			return FAB_ENOMEM;
		for (size_t i = 0; i < r->count; i++)
			slots[i] = r->slots[(r->head + i) & (r->cap - 1)];
		free(r->slots);
		*r = (struct ring){ slots, cap, 0, r->count };
	}
	r->slots[(r->head + r->count++) & (r->cap - 1)] = fab_buf_ref(b);
	return FAB_OK;
}

static struct fab_buf *
ring_at(const struct ring *r, size_t i)
{
	return r->slots[(r->head + i) & (r->cap - 1)];
}

static void
ring_pop(struct ring *r)
{
	fab_buf_unref(ring_at(r, 0));
	r->head = (r->head + 1) & (r->cap - 1);
	r->count--;
}

/* Drops what waits, but not the rest of a message that the peer has seen the beginning of. */
static void
tx_drop_waiting(struct tcp *t)
{
	size_t keep = t->tx_offset > 0 ? 1 : 0;

	while (t->tx.count > keep) {
		fab_buf_unref(ring_at(&t->tx, t->tx.count - 1));
		t->tx.count--;
	}
	t->backlog = keep ? ring_at(&t->tx, 0)->len - t->tx_offset : 0;
}

/* ---- life and end ---- */

static void
tcp_free(struct tcp *t)
{
	if (t->in_cb > 0) {
		t->dead = true;
		return;
	}
	if (t->lingering)
		fab_loop_exit_remove(t->loop, &t->exit);
	fab_loop_defer_cancel(t->loop, &t->flush);
	if (t->readable != NULL)
		event_free(t->readable);
	if (t->writable != NULL)
		event_free(t->writable);
	fab_timer_free(t->timer);
	while (t->tx.count > 0)
		ring_pop(&t->tx);
	free(t->tx.slots);
	free(t->rx);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

/* Ends a callback round: true if the owner has let go of t, which is then gone. */
static bool
leave_cb(struct tcp *t)
{
	if (--t->in_cb == 0 && t->dead) {
		tcp_free(t);
		return true;
	}
	return t->dead;
}

static void
tcp_down(struct tcp *t, int err)
{
	event_del(t->readable);
	event_del(t->writable);
	fab_loop_defer_cancel(t->loop, &t->flush);
	if (t->lingering) {
		tcp_free(t);
		return;
	}
	t->tx_failed = true;
	t->in_cb++;
	if (t->base.cb != NULL)
		t->base.cb->down(t->base.ctx, err);
	leave_cb(t);
}

/* ---- writing ---- */

static size_t
tx_gather(const struct tcp *t, struct iovec *iov)
{
	size_t n;

	for (n = 0; n < t->tx.count && n < TX_IOV_MAX; n++) {
		struct fab_buf *b = ring_at(&t->tx, n);
		size_t skip = n == 0 ? t->tx_offset : 0;

		iov[n] = (struct iovec){ b->data + skip, b->len - skip };
	}
	return n;
}

static void
tx_consume(struct tcp *t, size_t n)
{
	t->backlog -= n;
	n += t->tx_offset;
	while (t->tx.count > 0 && n >= ring_at(&t->tx, 0)->len) {
		n -= ring_at(&t->tx, 0)->len;
		ring_pop(&t->tx);
	}
	t->tx_offset = n;
}

/* Writes what the socket takes. False: it has failed. A failed write is not the end yet: the reason
 * may still wait to be read. */
static bool
tx_write(struct tcp *t)
{
	struct iovec iov[TX_IOV_MAX];
	struct msghdr msg = { .msg_iov = iov };
	ssize_t n;

	while (t->tx.count > 0) {
		msg.msg_iovlen = tx_gather(t, iov);
		n = sendmsg(t->fd, &msg, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n < 0) {
			t->tx_failed = true;
			t->tx_offset = 0;
			tx_drop_waiting(t);
			return false;
		}
		tx_consume(t, (size_t)n);
	}
	return true;
}

static void
tx_tell_drained(struct tcp *t)
{
	if (!t->above_mark || t->backlog > BGP_HIGH_WATER / 2)
		return;
	t->above_mark = false;
	if (t->lingering || t->base.cb == NULL)
		return;
	t->in_cb++;
	t->base.cb->drained(t->base.ctx);
	leave_cb(t);
}

static void
tcp_flush(void *arg)
{
	struct tcp *t = arg;

	if (t->connecting || t->tx_failed)
		return;
	if (!tx_write(t)) {
		if (t->lingering)
			tcp_free(t);
		return;
	}
	if (t->tx.count > 0)
		event_add(t->writable, NULL);
	else if (t->lingering)
		shutdown(t->fd, SHUT_WR);
	tx_tell_drained(t);
}

static int
tcp_send(struct bgp_transport *base, struct fab_buf *b)
{
	struct tcp *t = (struct tcp *)base;

	if (t->tx_failed)
		return FAB_ECLOSED;
	if (ring_push(&t->tx, b) != FAB_OK)
		return FAB_ENOMEM;
	t->backlog += b->len;
	if (t->backlog > BGP_HIGH_WATER)
		t->above_mark = true;
	if (!event_pending(t->writable, EV_WRITE, NULL))
		fab_loop_defer(t->loop, &t->flush);
	return FAB_OK;
}

static size_t
tcp_backlog(const struct bgp_transport *base)
{
	return ((const struct tcp *)base)->backlog;
}

/* ---- reading ---- */

/* Delivers the messages in the buffer. False: t is closed, or has yielded. */
static bool
rx_deliver(struct tcp *t)
{
	unsigned n;

	t->in_cb++;
	for (n = 0; n < BGP_MSGS_PER_TURN && !t->dead && !t->lingering; n++) {
		const uint8_t *p = t->rx + t->rx_start;
		size_t len = bgp_msg_frame(p, t->rx_end - t->rx_start,
		    t->base.extended ? BGP_MESSAGE_EXTENDED : BGP_MESSAGE_MAX);

		if (len == 0)
			break;
		t->rx_start += len;
		t->base.cb->message(t->base.ctx, p, len);
	}
	if (leave_cb(t))
		return false;
	if (n == BGP_MSGS_PER_TURN && !t->lingering) {
		event_del(t->readable);
		fab_timer_set_ms(t->timer, 0);
		return false;
	}
	return true;
}

static void
rx_make_room(struct tcp *t)
{
	size_t have = t->rx_end - t->rx_start;

	if (t->rx_start > 0 && have > 0)
		memmove(t->rx, t->rx + t->rx_start, have);
	t->rx_start = 0;
	t->rx_end = have;
}

/* What still arrives is of no interest, but the end is. */
static void
linger_read(struct tcp *t)
{
	uint8_t waste[4096];
	ssize_t n;

	for (int i = 0; i < 16; i++) {
		n = recv(t->fd, waste, sizeof(waste), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			tcp_free(t);
			return;
		}
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;
	ssize_t n;

	(void)what;
	if (t->lingering) {
		linger_read(t);
		return;
	}
	rx_make_room(t);
	n = recv(fd, t->rx + t->rx_end, RX_CAPACITY - t->rx_end, 0);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		tcp_down(t, n == 0 ? FAB_ECLOSED : fab_err_from_errno(errno));
		return;
	}
	t->rx_end += (size_t)n;
	rx_deliver(t);
}

static void
on_timer(void *arg)
{
	struct tcp *t = arg;

	if (t->lingering)
		tcp_free(t);
	else if (t->dial_err != FAB_OK)
		tcp_down(t, t->dial_err);
	else if (rx_deliver(t))
		event_add(t->readable, NULL);
}

/* ---- making one ---- */

static void
on_connected(struct tcp *t)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	t->connecting = false;
	if (error != 0) {
		tcp_down(t, fab_err_from_errno(error));
		return;
	}
	event_add(t->readable, NULL);
	t->in_cb++;
	t->base.cb->up(t->base.ctx);
	leave_cb(t);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct tcp *t = arg;

	(void)fd;
	(void)what;
	if (t->connecting)
		on_connected(t);
	else
		tcp_flush(t);
}

/* Takes over fd, unless it fails. */
static int
tcp_new(struct tcp **out, struct fab_loop *loop, int fd)
{
	struct event_base *base = fab_loop_base(loop);
	struct tcp *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return FAB_ENOMEM;
	t->base.ops = &bgp_tcp_ops;
	t->loop = loop;
	t->fd = fd;
	t->flush = (struct fab_post){ .fn = tcp_flush, .arg = t };
	t->rx = malloc(RX_CAPACITY);
	t->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, t);
	t->writable = event_new(base, fd, EV_WRITE, on_writable, t);
	if (t->rx == NULL || t->readable == NULL || t->writable == NULL ||
	    fab_timer_new(&t->timer, loop, on_timer, t) != FAB_OK) {
		t->fd = -1;
		tcp_free(t);
		return FAB_ENOMEM;
	}
	*out = t;
	return FAB_OK;
}

int
bgp_tcp_from_fd(struct bgp_transport **out, struct fab_loop *loop, int fd)
{
	struct tcp *t;
	int rc = tcp_new(&t, loop, fd);

	if (rc == FAB_OK)
		*out = &t->base;
	return rc;
}

static struct sockaddr_in
sockaddr_of(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(addr)
	};
}

static void
set_options(int fd, uint8_t ttl)
{
	int on = 1, hops = ttl;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (ttl > 0)
		setsockopt(fd, IPPROTO_IP, IP_TTL, &hops, sizeof(hops));
}

/* A failure is reported by the caller's timer, as one that the network takes time for. */
static int
start_connect(int fd, const struct bgp_session_conf *conf)
{
	struct sockaddr_in to = sockaddr_of(conf->dial_addr, conf->dial_port);
	struct sockaddr_in from = sockaddr_of(conf->source_addr, 0);
	int on = 1;

	set_options(fd, conf->ttl);
	if (conf->source_addr != 0) {
		/* The port is chosen with the destination known: no two connections clash. */
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(fd, (const struct sockaddr *)&from, sizeof(from)) != 0)
			return fab_err_from_errno(errno);
	}
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)
		return fab_err_from_errno(errno);
	return FAB_OK;
}

static int
tcp_dial(struct bgp_transport **out, struct fab_loop *loop, const struct bgp_session_conf *conf,
    const struct bgp_transport_cb *cb, void *ctx)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct tcp *t;
	int rc;

	if (fd < 0)
		return fab_err_from_errno(errno);
	rc = tcp_new(&t, loop, fd);
	if (rc != FAB_OK) {
		close(fd);
		return rc;
	}
	t->base.cb = cb;
	t->base.ctx = ctx;
	t->connecting = true;
	t->dial_err = start_connect(fd, conf);
	if (t->dial_err != FAB_OK)
		fab_timer_set_ms(t->timer, 0);
	else
		event_add(t->writable, NULL);
	*out = &t->base;
	return FAB_OK;
}

static void
tcp_adopt(struct bgp_transport *base, const struct bgp_session_conf *conf,
    const struct bgp_transport_cb *cb, void *ctx)
{
	struct tcp *t = (struct tcp *)base;

	t->base.cb = cb;
	t->base.ctx = ctx;
	set_options(t->fd, conf->ttl);
	event_add(t->readable, NULL);
}

/* The loop goes away: what the socket takes now is all that the peer gets. */
static void
on_exit_loop(void *arg)
{
	struct tcp *t = arg;

	t->lingering = false; /* off the list already */
	tcp_free(t);
}

static void
tcp_linger(struct tcp *t, struct fab_buf *last)
{
	t->base.cb = NULL;
	tx_drop_waiting(t);
	if (ring_push(&t->tx, last) != FAB_OK) {
		tcp_free(t);
		return;
	}
	t->backlog += last->len;
	t->lingering = true;
	t->exit = (struct fab_exit){ .fn = on_exit_loop, .arg = t };
	fab_loop_exit_add(t->loop, &t->exit);
	fab_timer_set_ms(t->timer, BGP_LINGER_MS);
	event_add(t->readable, NULL);
	tcp_flush(t);
}

static void
tcp_close(struct bgp_transport *base, struct fab_buf *last)
{
	struct tcp *t = (struct tcp *)base;

	if (last == NULL || t->connecting || t->tx_failed)
		tcp_free(t);
	else
		tcp_linger(t, last);
}

const struct bgp_transport_ops bgp_tcp_ops = {
	.dial = tcp_dial,
	.adopt = tcp_adopt,
	.send = tcp_send,
	.backlog = tcp_backlog,
	.close = tcp_close,
	.decode = bgp_msg_decode,
	.encode_open = bgp_msg_encode_open,
	.encode_notify = bgp_msg_encode_notify,
	.encode_keepalive = bgp_msg_encode_keepalive,
	.encode_refresh = bgp_msg_encode_refresh,
};
