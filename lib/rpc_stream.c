/*
 * Both ends of a stream. The sender keeps at most a window of items in flight, the receiver
 * acknowledges what it consumed once per loop turn. What exceeds the window waits in a queue: the
 * items of a snapshot without limit, deltas up to FAB_RPC_STREAM_QUEUE and RPC_QUEUE_OCTETS. When
 * the deltas overflow they are all dropped; the receiver still gets the snapshot that is under way,
 * and when it has acknowledged everything a new epoch starts with a new snapshot. So a reader of
 * any speed sees consistent states, and memory stays bounded by the window, one snapshot and the
 * queue limits.
 *
 * Items are encoded and numbered when they are put: only a tail of the queue is ever dropped, and
 * the next item after that belongs to a new epoch.
 */
#include "lib/rpc_impl.h"

#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- sender: the queue ---- */

static void
queue_drop(struct fab_rpc_stream *s, bool deltas_only)
{
	struct rpc_queued **at = &s->queue;

	while (*at != NULL) {
		struct rpc_queued *q = *at;

		if (deltas_only && !q->delta) {
			at = &q->next;
			continue;
		}
		*at = q->next;
		fab_buf_unref(q->buf);
		free(q);
	}
	s->queue_tail = at;
	s->deltas = 0;
	s->delta_octets = 0;
}

static int
queue_add(struct fab_rpc_stream *s, struct fab_buf *b, bool delta)
{
	struct rpc_queued *q = malloc(sizeof(*q));

	if (q == NULL)
		return FAB_ENOMEM;
	*q = (struct rpc_queued){ .buf = b, .delta = delta };
	*s->queue_tail = q;
	s->queue_tail = &q->next;
	if (delta) {
		s->deltas++;
		s->delta_octets += b->len;
	}
	return FAB_OK;
}

static struct fab_buf *
queue_take(struct fab_rpc_stream *s)
{
	struct rpc_queued *q = s->queue;
	struct fab_buf *b = q->buf;

	s->queue = q->next;
	if (s->queue == NULL)
		s->queue_tail = &s->queue;
	if (q->delta) {
		s->deltas--;
		s->delta_octets -= b->len;
	}
	free(q);
	return b;
}

/* The reader is too slow, or we are out of memory: what it misses will be in the next snapshot. */
static void
stream_overflow(struct fab_rpc_stream *s)
{
	queue_drop(s, true);
	s->live = false;
	if (s->link != NULL)
		rpc_link_stats(s->link)->overflows++;
}

/* ---- sender: items ---- */

/* Encodes an ITEM and queues it; *kept (may be NULL) borrows its buffer. */
static int
stream_queue(
    struct fab_rpc_stream *s, const ProtobufCMessage *item, bool delta, struct fab_buf **kept)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	struct fab_buf *b;
	int err;

	f.kind = FAB__V1__RPC_FRAME__KIND__ITEM;
	f.call = s->call;
	f.epoch = s->epoch;
	f.seq = s->seq + 1;
	if (item == NULL)
		f.snapshot_end = f.no_item = 1;
	err = rpc_frame_encode(&b, &f, item);
	if (err == FAB_OK && (err = queue_add(s, b, delta)) != FAB_OK)
		fab_buf_unref(b);
	if (err != FAB_OK)
		return err;
	s->seq++;
	if (kept != NULL)
		*kept = b;
	return FAB_OK;
}

/* Everything up to the last snapshot item but one may leave; that one may still get the mark of the
 * snapshot's end. */
static bool
window_open(const struct fab_rpc_stream *s)
{
	const struct fab_buf *b = s->queue->buf;

	if (b == s->last_snapshot || s->sent - s->acked >= RPC_WINDOW_ITEMS)
		return false;
	return s->inflight_octets == 0 || s->inflight_octets + b->len <= RPC_WINDOW_OCTETS;
}

static void
stream_send_queued(struct fab_rpc_stream *s)
{
	while (s->queue != NULL && window_open(s)) {
		struct fab_buf *b = queue_take(s);

		s->sent++;
		s->inflight_len[s->sent % RPC_WINDOW_ITEMS] = b->len;
		s->inflight_octets += b->len;
		/* If the link is dying it says so itself, and the stream starts again. */
		(void)rpc_link_send_buf(s->link, b);
		fab_buf_unref(b);
	}
}

static bool
snapshot_finish(struct fab_rpc_stream *s)
{
	if (s->last_snapshot != NULL)
		rpc_frame_mark_end(s->last_snapshot);
	else if (s->seq > 0 || stream_queue(s, NULL, false, NULL) != FAB_OK)
		return false; /* an item was lost for lack of memory */
	s->last_snapshot = NULL;
	return true;
}

static void
stream_snapshot(struct fab_rpc_stream *s)
{
	queue_drop(s, false);
	s->epoch++;
	s->seq = s->sent = s->acked = 0;
	s->inflight_octets = 0;
	s->last_snapshot = NULL;
	s->live = false;
	s->in_snapshot = true;
	rpc_link_stats(s->link)->snapshots++;
	s->ops->snapshot(s->ctx, s);
	s->in_snapshot = false;
	if (!s->freed && s->link != NULL)
		s->live = snapshot_finish(s);
}

static void
stream_finish(struct fab_rpc_stream *s)
{
	rpc_link_send_status(s->link, s->call, s->end_status, s->end_message);
	s->ended(s);
}

/* Sends what the window allows; starts a new epoch for a reader that caught up after an overflow;
 * ends the stream when it is empty. May free s. */
static void
stream_pump(struct fab_rpc_stream *s)
{
	if (s->in_cb || s->link == NULL)
		return;
	stream_send_queued(s);
	if (s->queue == NULL && !s->live && !s->ending && s->sent == s->acked) {
		s->in_cb = true;
		stream_snapshot(s);
		s->in_cb = false;
		if (s->freed) {
			free(s);
			return;
		}
		if (s->link == NULL)
			return;
		stream_send_queued(s);
	}
	if (s->ending && s->queue == NULL)
		stream_finish(s);
}

void
fab_rpc_stream_put(struct fab_rpc_stream *s, const ProtobufCMessage *item)
{
	struct fab_buf *b;
	int err;

	if (s->freed || s->ending || s->link == NULL || (!s->in_snapshot && !s->live))
		return;
	if (s->in_snapshot) {
		err = stream_queue(s, item, false, &b);
		if (err == FAB_OK) {
			s->last_snapshot = b;
			stream_send_queued(s);
		}
	} else if (s->deltas >= FAB_RPC_STREAM_QUEUE || s->delta_octets >= RPC_QUEUE_OCTETS) {
		stream_overflow(s);
		err = FAB_OK;
	} else {
		err = stream_queue(s, item, true, NULL);
		if (err == FAB_OK)
			stream_pump(s);
		else
			stream_overflow(s);
	}
	if (err != FAB_OK) {
		rpc_link_stats(s->link)->lost_items++;
		fab_debug("rpc: stream item not sent: %s", fab_strerror(err));
	}
}

bool
fab_rpc_stream_live(const struct fab_rpc_stream *s)
{
	return s->live;
}

void
fab_rpc_stream_end(struct fab_rpc_stream *s, enum fab_rpc_status status, const char *message)
{
	FAB_ASSERT(s->ended != NULL);
	if (s->ending)
		return;
	s->ending = true;
	s->end_status = status;
	s->end_message = message != NULL ? strdup(message) : NULL;
	stream_pump(s);
}

/* ---- sender: connection ---- */

void
rpc_stream_init(struct fab_rpc_stream *s)
{
	memset(s, 0, sizeof(*s));
	s->queue_tail = &s->queue;
}

void
rpc_stream_fini(struct fab_rpc_stream *s)
{
	rpc_stream_detach(s);
	free(s->end_message);
	s->end_message = NULL;
}

void
rpc_stream_attach(struct fab_rpc_stream *s, struct rpc_link *link, uint64_t call)
{
	rpc_stream_detach(s);
	s->link = link;
	s->call = call;
	stream_pump(s);
}

void
rpc_stream_detach(struct fab_rpc_stream *s)
{
	queue_drop(s, false);
	s->link = NULL;
	s->live = false;
	s->last_snapshot = NULL;
	s->seq = s->sent = s->acked = 0;
}

int
rpc_stream_ack(struct fab_rpc_stream *s, uint64_t epoch, uint64_t seq)
{
	if (s->link == NULL || epoch < s->epoch)
		return FAB_OK; /* an echo of a former epoch */
	if (epoch > s->epoch || seq > s->sent)
		return FAB_EBADMSG;
	while (s->acked < seq)
		s->inflight_octets -= s->inflight_len[++s->acked % RPC_WINDOW_ITEMS];
	stream_pump(s);
	return FAB_OK;
}

/* ---- receiver ---- */

static void
send_ack(void *arg)
{
	struct rpc_rx *rx = arg;
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;

	f.kind = FAB__V1__RPC_FRAME__KIND__ACK;
	f.call = rx->call;
	f.epoch = rx->epoch;
	f.seq = rx->seq;
	rpc_link_send(rx->link, &f, NULL);
}

void
rpc_rx_init(struct rpc_rx *rx, struct rpc_link *link, uint64_t call)
{
	memset(rx, 0, sizeof(*rx));
	rx->link = link;
	rx->call = call;
	rx->ack = (struct fab_post){ .fn = send_ack, .arg = rx };
}

void
rpc_rx_fini(struct rpc_rx *rx)
{
	if (rx->link != NULL)
		fab_loop_defer_cancel(rpc_link_loop(rx->link), &rx->ack);
	rx->link = NULL;
}

int
rpc_rx_item(struct rpc_rx *rx, const Fab__V1__RpcFrame *f, const ProtobufCMessageDescriptor *type,
    ProtobufCMessage **item, struct fab_rpc_item *info)
{
	bool begin = !rx->begun || f->epoch != rx->epoch;
	ProtobufCMessage *m = NULL;

	if (f->seq != (begin ? 1 : rx->seq + 1))
		return FAB_EBADMSG;
	if (!(f->no_item && f->snapshot_end) && (m = rpc_body_decode(type, &f->body)) == NULL)
		return FAB_EBADMSG;
	rx->begun = true;
	rx->epoch = f->epoch;
	rx->seq = f->seq;
	if (begin)
		rx->in_snapshot = true;
	*info = (struct fab_rpc_item){
		.epoch = f->epoch,
		.seq = f->seq,
		.snapshot_begin = begin,
		.in_snapshot = rx->in_snapshot,
		.snapshot_end = rx->in_snapshot && f->snapshot_end,
	};
	if (f->snapshot_end)
		rx->in_snapshot = false;
	fab_loop_defer(rpc_link_loop(rx->link), &rx->ack);
	*item = m;
	return FAB_OK;
}
