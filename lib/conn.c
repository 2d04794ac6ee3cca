/*
 * Connections: framing, gathering writes, backpressure, orderly end.
 *
 * One nng_aio reads into one buffer, several frames per completion; another one writes as many
 * queued messages as fit. Their callbacks run on NNG's threads and do nothing but post to the loop.
 * struct fab_conn belongs to the loop's thread; it is torn down there by closing the stream and
 * stopping both aios, which waits for callbacks that are running right now and leaves none behind.
 */
#include "lib/conn.h"

#include "lib/conn_impl.h"
#include "lib/err.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LEN    4
#define RX_BUFFER_LEN (64u << 10)
#define TX_STAGE_LEN  (32u << 10) /* small messages are copied here, side by side */
#define TX_COPY_MAX   2048        /* octets; longer messages are written from where they are */
#define TX_IOV_MAX    8           /* what an nng_aio takes */
#define TX_GRACE_MS   1000        /* after a failed write: time to read what the peer said last */
#define RING_MIN      16

/* Queued messages, oldest at [head]; NULL stands for goodbye. */
struct tx_ring {
	struct fab_buf **slots;
	size_t cap; /* power of two */
	size_t head;
	size_t count;
};

/* A write in progress. Most end before anybody asks for them, so that their end need not wake the
 * loop: an idle fabric sends a KEEPALIVE a second on each session. */
enum tx_phase {
	TX_WATCHED, /* its end is posted to the loop */
	TX_QUIET,   /* its end becomes TX_DONE, unless it failed or was partial */
	TX_DONE,    /* written, all of it; tx_watch() does the accounts */
};

struct fab_conn {
	struct fab_loop *loop;
	nng_stream *stream;
	struct fab_conn_cb cb;
	void *ctx;
	bool has_cb;

	nng_aio *rx_aio;
	struct fab_post rx_post; /* by NNG's thread: the read is done */
	struct fab_post rx_work; /* deferred: deliver what is buffered */
	uint8_t *rx_buf;
	size_t rx_cap;
	size_t rx_start;
	size_t rx_end;
	bool rx_busy;
	bool paused;

	nng_aio *tx_aio;
	struct fab_post tx_post; /* by NNG's thread: the write is done */
	struct fab_post tx_work; /* deferred: start a write */
	struct tx_ring ring;
	uint8_t *stage;
	nng_iov iov[TX_IOV_MAX]; /* what is left of the write in progress */
	size_t iov_count;
	size_t inflight; /* messages in it */
	size_t tx_len;   /* octets in it */
	_Atomic int tx_phase;
	size_t backlog;
	size_t high_water;
	uint64_t sent;
	bool tx_busy;
	bool above_mark;

	int err; /* not FAB_OK: the connection has ended */
	bool reported;
	bool tx_failed;
	bool flushing; /* nobody owns it any more */
	bool freed;
	unsigned in_cb;
	struct fab_timer *timer; /* grace after a failed write, or the bound of flushing */
	struct fab_exit exit;
};

struct fab_buf *
fab_buf_new(size_t len)
{
	struct fab_buf *b;

	if (len > UINT32_MAX || (b = malloc(sizeof(*b) + len)) == NULL)
		return NULL;
	b->refs = 1;
	b->len = (uint32_t)len;
	return b;
}

struct fab_buf *
fab_buf_ref(struct fab_buf *b)
{
	b->refs++;
	return b;
}

void
fab_buf_unref(struct fab_buf *b)
{
	if (b == NULL)
		return;
	FAB_ASSERT(b->refs > 0);
	if (--b->refs == 0)
		free(b);
}

int
fab_err_from_nng(int rv)
{
	if ((rv & NNG_ESYSERR) != 0)
		return fab_err_from_errno(rv & ~NNG_ESYSERR);
	switch (rv) {
	case 0:
		return FAB_OK;
	case NNG_ENOMEM:
		return FAB_ENOMEM;
	case NNG_EINVAL:
	case NNG_EADDRINVAL:
	case NNG_ENOTSUP:
		return FAB_EINVAL;
	case NNG_EADDRINUSE:
	case NNG_EEXIST:
		return FAB_EEXIST;
	case NNG_ENOENT:
	case NNG_ECONNREFUSED:
	case NNG_EUNREACHABLE:
		return FAB_EUNREACH;
	case NNG_ETIMEDOUT:
		return FAB_ETIMEOUT;
	case NNG_ECLOSED:
	case NNG_ECONNSHUT:
	case NNG_ECONNRESET:
	case NNG_ECONNABORTED:
	case NNG_ECANCELED:
		return FAB_ECLOSED;
	case NNG_EPERM:
	case NNG_EPEERAUTH:
	case NNG_ECRYPTO:
		return FAB_EPERM;
	default:
		return FAB_EIO;
	}
}

/* ---- the queue ---- */

static int
ring_push(struct tx_ring *r, struct fab_buf *b)
{
	if (r->count == r->cap) {
		size_t cap = r->cap == 0 ? RING_MIN : 2 * r->cap;
		struct fab_buf **slots = malloc(cap * sizeof(struct fab_buf *));

		if (slots == NULL)
			return FAB_ENOMEM;
		for (size_t i = 0; i < r->count; i++)
			slots[i] = r->slots[(r->head + i) & (r->cap - 1)];
		free(r->slots);
		*r = (struct tx_ring){ slots, cap, 0, r->count };
	}
	r->slots[(r->head + r->count++) & (r->cap - 1)] = b;
	return FAB_OK;
}

static struct fab_buf *
ring_at(const struct tx_ring *r, size_t i)
{
	return r->slots[(r->head + i) & (r->cap - 1)];
}

static void
ring_pop(struct tx_ring *r, size_t n)
{
	for (; n > 0; n--) {
		fab_buf_unref(r->slots[r->head]);
		r->head = (r->head + 1) & (r->cap - 1);
		r->count--;
	}
}

/* ---- life and end ---- */

static void
on_rx_aio(void *arg)
{
	struct fab_conn *c = arg;

	fab_loop_post(c->loop, &c->rx_post);
}

static void
on_tx_aio(void *arg)
{
	struct fab_conn *c = arg;
	int quiet = TX_QUIET;

	if (nng_aio_result(c->tx_aio) == 0 && nng_aio_count(c->tx_aio) == c->tx_len &&
	    atomic_compare_exchange_strong(&c->tx_phase, &quiet, TX_DONE))
		return;
	fab_loop_post(c->loop, &c->tx_post);
}

/* Closes the stream and stops NNG's part for good; the struct stays. */
static void
conn_shut(struct fab_conn *c)
{
	if (c->stream == NULL)
		return;
	nng_stream_close(c->stream);
	nng_aio_stop(c->rx_aio);
	nng_aio_stop(c->tx_aio);
	fab_loop_post_cancel(c->loop, &c->rx_post);
	fab_loop_post_cancel(c->loop, &c->tx_post);
	fab_loop_defer_cancel(c->loop, &c->tx_work);
	nng_stream_free(c->stream);
	c->stream = NULL;
	c->rx_busy = c->tx_busy = false;
	ring_pop(&c->ring, c->ring.count);
	c->backlog = c->inflight = 0;
}

static void
conn_destroy(struct fab_conn *c)
{
	conn_shut(c);
	fab_loop_defer_cancel(c->loop, &c->rx_work);
	if (c->flushing)
		fab_loop_exit_remove(c->loop, &c->exit);
	nng_aio_free(c->rx_aio);
	nng_aio_free(c->tx_aio);
	fab_timer_free(c->timer);
	free(c->ring.slots);
	free(c->stage);
	free(c->rx_buf);
	free(c);
}

/* The connection has ended. Tells the owner, if there is one and if it was not told yet. */
static void
conn_fail(struct fab_conn *c, int err)
{
	if (c->err == FAB_OK)
		c->err = err;
	conn_shut(c);
	if (c->flushing) {
		conn_destroy(c);
		return;
	}
	if (c->timer != NULL)
		fab_timer_cancel(c->timer);
	if (!c->has_cb || c->reported)
		return;
	c->reported = true;
	c->in_cb++;
	c->cb.closed(c->ctx, c, c->err);
	if (--c->in_cb == 0 && c->freed)
		conn_destroy(c);
}

/* The grace after a failed write is over, or flushing took too long. */
static void
on_timer(void *arg)
{
	conn_fail(arg, FAB_ECLOSED);
}

/* ---- reading ---- */

static void
rx_start(struct fab_conn *c)
{
	nng_iov iov = { c->rx_buf + c->rx_end, c->rx_cap - c->rx_end };

	nng_aio_set_iov(c->rx_aio, 1, &iov);
	c->rx_busy = true;
	nng_stream_recv(c->stream, c->rx_aio);
}

/* Length of the frame at the front; false while its header is incomplete. */
static bool
rx_frame_len(const struct fab_conn *c, uint32_t *len)
{
	uint32_t be;

	if (c->rx_end - c->rx_start < HEADER_LEN)
		return false;
	memcpy(&be, c->rx_buf + c->rx_start, HEADER_LEN);
	*len = ntohl(be);
	return true;
}

/* Makes room for the rest of the frame at the front, or for more frames. A buffer that grew for a
 * large frame shrinks again when it is empty. */
static int
rx_make_room(struct fab_conn *c)
{
	size_t have = c->rx_end - c->rx_start;
	size_t need = RX_BUFFER_LEN;
	uint32_t len;
	uint8_t *buf;

	if (have > 0 && rx_frame_len(c, &len) && HEADER_LEN + (size_t)len > need)
		need = HEADER_LEN + (size_t)len;
	if (have > 0 && c->rx_start > 0)
		memmove(c->rx_buf, c->rx_buf + c->rx_start, have);
	c->rx_start = 0;
	c->rx_end = have;
	if (c->rx_cap == need || (have > 0 && c->rx_cap > need))
		return FAB_OK;
	buf = realloc(c->rx_buf, need);
	if (buf == NULL)
		return FAB_ENOMEM;
	c->rx_buf = buf;
	c->rx_cap = need;
	return FAB_OK;
}

/* Takes one frame off the buffer. False: none complete, or the connection ended. */
static bool
rx_next(struct fab_conn *c, int *err)
{
	const uint8_t *data;
	uint32_t len;

	if (!rx_frame_len(c, &len))
		return false;
	if (len == 0 || len > FAB_CONN_FRAME_MAX) {
		*err = len == 0 ? FAB_ECLOSED : FAB_ETOOBIG;
		return false;
	}
	if (c->rx_end - c->rx_start < HEADER_LEN + (size_t)len)
		return false;
	data = c->rx_buf + c->rx_start + HEADER_LEN;
	c->rx_start += HEADER_LEN + (size_t)len;
	if (!c->flushing)
		c->cb.frame(c->ctx, c, data, len);
	return true;
}

/* Delivers what is buffered, then reads on. Deferred once too often it does nothing. */
static void
rx_work(void *arg)
{
	struct fab_conn *c = arg;
	int err = FAB_OK;

	if (c->rx_busy)
		return;
	c->in_cb++;
	while (!c->freed && !c->paused && c->err == FAB_OK && rx_next(c, &err))
		continue;
	c->in_cb--;
	if (c->freed) {
		if (c->in_cb == 0)
			conn_destroy(c);
		return;
	}
	if (err == FAB_OK)
		err = c->err;
	if (err == FAB_OK && !c->paused && (err = rx_make_room(c)) == FAB_OK)
		rx_start(c);
	if (err != FAB_OK)
		conn_fail(c, err);
}

static void
rx_done(void *arg)
{
	struct fab_conn *c = arg;
	int rv = nng_aio_result(c->rx_aio);

	c->rx_busy = false;
	if (rv != 0) {
		conn_fail(c, fab_err_from_nng(rv));
		return;
	}
	c->rx_end += nng_aio_count(c->rx_aio);
	rx_work(c);
}

/* ---- writing ---- */

static void
iov_append(struct fab_conn *c, void *data, size_t len)
{
	nng_iov *last = c->iov_count > 0 ? &c->iov[c->iov_count - 1] : NULL;

	if (last != NULL && (uint8_t *)last->iov_buf + last->iov_len == (uint8_t *)data)
		last->iov_len += len;
	else
		c->iov[c->iov_count++] = (nng_iov){ data, len };
}

/* Gathers queued messages: headers and small bodies side by side in the stage, large bodies from
 * where they are. */
static void
tx_gather(struct fab_conn *c)
{
	size_t used = 0;

	c->iov_count = 0;
	for (c->inflight = 0; c->inflight < c->ring.count; c->inflight++) {
		struct fab_buf *b = ring_at(&c->ring, c->inflight);
		uint32_t len = b == NULL ? 0 : b->len;
		bool copy = len <= TX_COPY_MAX;
		size_t stage_len = HEADER_LEN + (copy ? len : 0);
		uint32_t be = htonl(len);

		if (used + stage_len > TX_STAGE_LEN || c->iov_count + 2 > TX_IOV_MAX)
			break;
		memcpy(c->stage + used, &be, HEADER_LEN);
		if (copy && len > 0)
			memcpy(c->stage + used + HEADER_LEN, b->data, len);
		iov_append(c, c->stage + used, stage_len);
		used += stage_len;
		if (!copy)
			c->iov[c->iov_count++] = (nng_iov){ b->data, len };
	}
}

static void
tx_start(struct fab_conn *c)
{
	/* Small, and nobody waits for its end. */
	bool quiet =
	    c->iov_count == 1 && c->inflight == c->ring.count && !c->above_mark && !c->flushing;

	c->tx_len = 0;
	for (size_t i = 0; i < c->iov_count; i++)
		c->tx_len += c->iov[i].iov_len;
	atomic_store(&c->tx_phase, quiet ? TX_QUIET : TX_WATCHED);
	nng_aio_set_iov(c->tx_aio, (unsigned)c->iov_count, c->iov);
	c->tx_busy = true;
	nng_stream_send(c->stream, c->tx_aio);
}

static void
tx_work(void *arg)
{
	struct fab_conn *c = arg;

	if (c->err != FAB_OK || c->tx_busy || c->tx_failed || c->ring.count == 0)
		return;
	if (c->backlog > FAB_CONN_BACKLOG_MAX) {
		conn_fail(c, FAB_ETOOBIG);
		return;
	}
	if (c->stage == NULL && (c->stage = malloc(TX_STAGE_LEN)) == NULL) {
		conn_fail(c, FAB_ENOMEM);
		return;
	}
	tx_gather(c);
	tx_start(c);
}

/* Takes n octets off the front of the write in progress; NNG may write less than it was given. */
static void
iov_consume(struct fab_conn *c, size_t n)
{
	size_t i = 0;

	c->backlog -= n;
	c->sent += n;
	while (i < c->iov_count && n >= c->iov[i].iov_len)
		n -= c->iov[i++].iov_len;
	memmove(c->iov, c->iov + i, (c->iov_count - i) * sizeof(c->iov[0]));
	c->iov_count -= i;
	if (n > 0) {
		c->iov[0].iov_buf = (uint8_t *)c->iov[0].iov_buf + n;
		c->iov[0].iov_len -= n;
	}
}

/* A failed write means that the peer is going; what it said last may still be unread. So the end is
 * reported by the reader, or after a grace. */
static void
tx_fail(struct fab_conn *c, int err)
{
	c->tx_failed = true;
	ring_pop(&c->ring, c->ring.count);
	c->backlog = c->inflight = 0;
	if (!c->rx_busy ||
	    (c->timer == NULL && fab_timer_new(&c->timer, c->loop, on_timer, c) != FAB_OK))
		conn_fail(c, err);
	else if (!fab_timer_pending(c->timer))
		fab_timer_set_ms(c->timer, TX_GRACE_MS);
}

static void
tx_tell_drained(struct fab_conn *c)
{
	if (!c->above_mark || c->backlog > c->high_water / 2)
		return;
	c->above_mark = false;
	if (c->flushing || !c->has_cb || c->cb.drained == NULL)
		return;
	c->in_cb++;
	c->cb.drained(c->ctx, c);
	if (--c->in_cb == 0 && c->freed)
		conn_destroy(c);
}

/* The write is complete: its messages are no longer needed. */
static void
tx_settle(struct fab_conn *c)
{
	ring_pop(&c->ring, c->inflight);
	c->inflight = 0;
}

static void
tx_done(void *arg)
{
	struct fab_conn *c = arg;
	int rv = nng_aio_result(c->tx_aio);

	c->tx_busy = false;
	if (rv != 0) {
		tx_fail(c, fab_err_from_nng(rv));
		return;
	}
	iov_consume(c, nng_aio_count(c->tx_aio));
	if (c->iov_count > 0) {
		tx_start(c);
		return;
	}
	tx_settle(c);
	if (c->ring.count > 0)
		fab_loop_defer(c->loop, &c->tx_work);
	tx_tell_drained(c);
}

/* Somebody waits for the end of the write in progress, or for his turn behind it. Calls nobody: a
 * quiet write is the only one, and it was started below the mark. */
static void
tx_watch(struct fab_conn *c)
{
	int quiet = TX_QUIET;

	if (!c->tx_busy || atomic_compare_exchange_strong(&c->tx_phase, &quiet, TX_WATCHED))
		return;
	if (quiet == TX_DONE) {
		c->tx_busy = false;
		iov_consume(c, c->tx_len);
		tx_settle(c);
	}
}

/* ---- interface ---- */

struct fab_conn *
fab_conn_new(struct fab_loop *loop, nng_stream *stream)
{
	struct fab_conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		nng_stream_free(stream);
		return NULL;
	}
	c->loop = loop;
	c->stream = stream;
	c->rx_post = (struct fab_post){ .fn = rx_done, .arg = c };
	c->rx_work = (struct fab_post){ .fn = rx_work, .arg = c };
	c->tx_post = (struct fab_post){ .fn = tx_done, .arg = c };
	c->tx_work = (struct fab_post){ .fn = tx_work, .arg = c };
	c->high_water = FAB_CONN_BACKLOG_MAX;
	if (nng_aio_alloc(&c->rx_aio, on_rx_aio, c) != 0 ||
	    nng_aio_alloc(&c->tx_aio, on_tx_aio, c) != 0) {
		fab_conn_free(c);
		return NULL;
	}
	nng_aio_set_timeout(c->rx_aio, NNG_DURATION_INFINITE);
	nng_aio_set_timeout(c->tx_aio, NNG_DURATION_INFINITE);
	return c;
}

void
fab_conn_set_cb(struct fab_conn *c, const struct fab_conn_cb *cb, void *ctx)
{
	c->cb = *cb;
	c->ctx = ctx;
	c->has_cb = true;
	if (!c->rx_busy)
		fab_loop_defer(c->loop, &c->rx_work);
}

int
fab_conn_send(struct fab_conn *c, struct fab_buf *b)
{
	if (c->err != FAB_OK || c->tx_failed || c->freed)
		return FAB_ECLOSED;
	if (b->len == 0)
		return FAB_EINVAL;
	if (b->len > FAB_CONN_FRAME_MAX)
		return FAB_ETOOBIG;
	tx_watch(c);
	if (ring_push(&c->ring, b) != FAB_OK)
		return FAB_ENOMEM;
	fab_buf_ref(b);
	c->backlog += HEADER_LEN + b->len;
	if (c->backlog > c->high_water)
		c->above_mark = true;
	if (!c->tx_busy)
		fab_loop_defer(c->loop, &c->tx_work);
	return FAB_OK;
}

/* Octets that are written but not yet in the accounts. */
static size_t
tx_unsettled(const struct fab_conn *c)
{
	return c->tx_busy && atomic_load(&c->tx_phase) == TX_DONE ? c->tx_len : 0;
}

size_t
fab_conn_backlog(const struct fab_conn *c)
{
	return c->backlog - tx_unsettled(c);
}

uint64_t
fab_conn_sent(const struct fab_conn *c)
{
	return c->sent + tx_unsettled(c);
}

void
fab_conn_set_high_water(struct fab_conn *c, size_t octets)
{
	tx_watch(c);
	c->high_water = octets;
	c->above_mark = c->backlog > octets;
}

void
fab_conn_pause(struct fab_conn *c, bool paused)
{
	c->paused = paused;
	if (!paused && !c->rx_busy && c->has_cb)
		fab_loop_defer(c->loop, &c->rx_work);
}

void
fab_conn_free(struct fab_conn *c)
{
	if (c == NULL)
		return;
	conn_shut(c);
	c->freed = true;
	if (c->in_cb == 0)
		conn_destroy(c);
}

static void
on_exit_loop(void *arg)
{
	struct fab_conn *c = arg;

	c->flushing = false; /* off the list already */
	conn_destroy(c);
}

/* Goodbye comes last; the peer answers by closing, which ends the read. */
void
fab_conn_flush_free(struct fab_conn *c, uint32_t timeout_ms)
{
	struct fab_timer *timer = NULL;

	if (c == NULL)
		return;
	tx_watch(c);
	if (c->err != FAB_OK || c->tx_failed || ring_push(&c->ring, NULL) != FAB_OK) {
		fab_conn_free(c);
		return;
	}
	if (c->timer == NULL && fab_timer_new(&timer, c->loop, on_timer, c) != FAB_OK) {
		fab_conn_free(c);
		return;
	}
	if (timer != NULL)
		c->timer = timer;
	fab_timer_set_ms(c->timer, timeout_ms);
	c->backlog += HEADER_LEN;
	c->flushing = true;
	c->exit = (struct fab_exit){ .fn = on_exit_loop, .arg = c };
	fab_loop_exit_add(c->loop, &c->exit);
	c->paused = false;
	fab_loop_defer(c->loop, &c->rx_work);
	fab_loop_defer(c->loop, &c->tx_work);
}
