/*
 * Captures as streams (see vs_watch.h).
 */
#include "vswitchd/vs_watch.h"

#include "lib/err.h"
#include "proto/capture.pb-c.h"
#include "vswitchd/vs_capture.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define BATCH_PACKETS 64
#define BATCH_OCTETS  65536
#define TURN_BATCHES  16 /* of one capture before the loop does other things */

struct watcher {
	struct vs_watch *w; /* NULL: that has gone */
	char name[VS_NAME_MAX];
	struct fab_rpc_stream *stream;
	struct vs_capture *capture;
	struct event *ev;
	uint64_t lost; /* that could not be put into the stream */
	struct watcher *prev, *next;
};

struct vs_watch {
	struct fab_loop *loop;
	struct vs_engine *engine;
	struct watcher *list;
	size_t n;
};

/* Packets on their way into one message. */
struct batch {
	Fab__V1__CapturedPackets m;
	Fab__V1__CapturedPacket packet[BATCH_PACKETS], *list[BATCH_PACKETS];
	uint8_t data[2 * BATCH_OCTETS];
	size_t octets;
};

static void
batch_init(struct batch *b)
{
	fab__v1__captured_packets__init(&b->m);
	b->m.packets = b->list;
	b->octets = 0;
}

static void
batch_add(struct batch *b, const struct vs_captured *p, uint64_t lost)
{
	Fab__V1__CapturedPacket *out = &b->packet[b->m.n_packets];

	fab__v1__captured_packet__init(out);
	out->at_us = p->at_us;
	out->from_guest = p->from_guest;
	if (p->dropped)
		out->drop = (char *)(uintptr_t)vs_drop_name(p->why);
	out->lost = lost;
	out->size = p->size;
	out->data.data = memcpy(b->data + b->octets, p->data, p->len);
	out->data.len = p->len;
	b->octets += p->len;
	b->list[b->m.n_packets++] = out;
}

/* False: the ring is empty. */
static bool
fill(struct batch *b, struct watcher *r)
{
	struct vs_captured p;

	batch_init(b);
	while (b->m.n_packets < BATCH_PACKETS && b->octets < BATCH_OCTETS) {
		if (!vs_capture_take(r->capture, &p))
			return false;
		batch_add(b, &p, p.lost + r->lost);
		r->lost = 0;
	}
	return true;
}

/* A stream that is out of sync drops what it is given. */
static void
hand_on(struct watcher *r, const struct batch *b)
{
	if (b->m.n_packets == 0)
		return;
	if (fab_rpc_stream_live(r->stream)) {
		fab_rpc_stream_put(r->stream, &b->m.base);
		return;
	}
	for (size_t i = 0; i < b->m.n_packets; i++)
		r->lost += 1 + b->packet[i].lost;
}

static void
readable(evutil_socket_t fd, short what, void *arg)
{
	struct watcher *r = arg;
	struct batch *b = malloc(sizeof(*b));
	bool more = b != NULL;

	(void)fd;
	(void)what;
	for (unsigned i = 0; more && i < TURN_BATCHES; i++) {
		more = fill(b, r);
		hand_on(r, b);
	}
	free(b);
	if (more)
		event_active(r->ev, EV_READ, 0); /* the descriptor has been emptied already */
}

/* ---- streams ---- */

static void
watcher_stop(struct watcher *r)
{
	if (r->w == NULL)
		return;
	vs_engine_capture(r->w->engine, r->name, r->capture, false);
	event_free(r->ev);
	vs_capture_free(r->capture);
	DL_DELETE(r->w->list, r);
	r->w->n--;
	r->w = NULL;
}

/* Nothing is remembered of packets. */
static void
watch_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	(void)ctx;
	(void)s;
}

static void
watch_closed(void *ctx, struct fab_rpc_stream *s)
{
	struct watcher *r = ctx;

	(void)s;
	watcher_stop(r);
	free(r);
}

static const struct fab_rpc_stream_ops watch_ops = {
	.snapshot = watch_snapshot,
	.closed = watch_closed,
};

static int
watcher_start(struct watcher *r, uint32_t snap)
{
	struct vs_watch *w = r->w;
	int err = vs_capture_new(&r->capture, snap);

	if (err != FAB_OK)
		return err;
	r->ev = event_new(
	    fab_loop_base(w->loop), vs_capture_fd(r->capture), EV_READ | EV_PERSIST, readable, r);
	if (r->ev == NULL || event_add(r->ev, NULL) != 0)
		err = FAB_ENOMEM;
	else
		err = vs_engine_capture(w->engine, r->name, r->capture, true);
	if (err == FAB_OK)
		return FAB_OK;
	if (r->ev != NULL)
		event_free(r->ev);
	vs_capture_free(r->capture);
	return err;
}

static enum fab_rpc_status
watch_open(void *ctx, const ProtobufCMessage *msg, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	const Fab__V1__CaptureRequest *req = (const Fab__V1__CaptureRequest *)msg;
	struct vs_watch *w = ctx;
	struct watcher *r;
	int err;

	if (w->n >= VS_WATCH_MAX) {
		snprintf(why, 256, "%d captures run already", VS_WATCH_MAX);
		return FAB_RPC_RESOURCE_EXHAUSTED;
	}
	if (strlen(req->nic) >= VS_NAME_MAX || (r = calloc(1, sizeof(*r))) == NULL) {
		snprintf(why, 256, "no NIC of that name");
		return FAB_RPC_NOT_FOUND;
	}
	*r = (struct watcher){ .w = w, .stream = s };
	snprintf(r->name, sizeof(r->name), "%s", req->nic);
	if ((err = watcher_start(r, req->snap_octets)) != FAB_OK) {
		snprintf(why, 256, err == FAB_ENOENT ? "nobody is plugged in as '%.100s'" : "%s",
		    err == FAB_ENOENT ? req->nic : fab_strerror(err));
		free(r);
		return fab_rpc_status_of(err);
	}
	DL_APPEND(w->list, r);
	w->n++;
	*ops = &watch_ops;
	*stream_ctx = r;
	return FAB_RPC_OK;
}

const struct fab_rpc_handler vs_watch_table[] = {
	{ .method = "Watch", .open = watch_open },
	{ .method = NULL },
};

/* ---- life ---- */

int
vs_watch_new(struct vs_watch **out, struct fab_loop *loop, struct vs_engine *engine)
{
	struct vs_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return FAB_ENOMEM;
	*w = (struct vs_watch){ .loop = loop, .engine = engine };
	*out = w;
	return FAB_OK;
}

void
vs_watch_free(struct vs_watch *w)
{
	struct watcher *r, *tmp;

	if (w == NULL)
		return;
	DL_FOREACH_SAFE (w->list, r, tmp)
		watcher_stop(r);
	free(w);
}
