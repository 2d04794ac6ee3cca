#ifndef LIB_RPC_IMPL_H
#define LIB_RPC_IMPL_H
/*
 * What the rpc_*.c files share; nobody else includes this.
 *
 * rpc_frame.c  messages to bytes and back
 * rpc_link.c   a connection that carries frames: greeting, heartbeats, backpressure
 * rpc_stream.c both ends of a stream: queue and window of the sender, order and ACK of the receiver
 * rpc_server.c, rpc_client.c, rpc_call.c, rpc_sub.c  calls and streams by their numbers
 */
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/rpc.pb-c.h"

/* ---- rpc_frame.c ---- */

#define RPC_DECODE_MAX  (128u << 20) /* octets of memory that one decoded message may take */
#define RPC_MESSAGE_MAX 512          /* octets of a status message */

/* Encodes head with body (NULL: none) as its body field. Two octets are left free behind the data,
 * for rpc_frame_mark_end(). FAB_ETOOBIG, FAB_ENOMEM. */
int rpc_frame_encode(
    struct fab_buf **out, const Fab__V1__RpcFrame *head, const ProtobufCMessage *body);
/* Adds snapshot_end to an encoded ITEM. */
void rpc_frame_mark_end(struct fab_buf *b);
/* NULL: does not decode. Free with fab__v1__rpc_frame__free_unpacked(). */
Fab__V1__RpcFrame *rpc_frame_decode(const uint8_t *data, size_t len);
/* As protobuf_c_message_unpack(), but with a bound on the memory that a small hostile message can
 * claim. */
ProtobufCMessage *rpc_body_decode(
    const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body);
/* Writes "fab.v1.Node/Health"; FAB_ETOOBIG. */
int rpc_method_name(
    char *out, size_t size, const ProtobufCServiceDescriptor *service, const char *method);
/* A method that must be there; writes its name as above. */
const ProtobufCMethodDescriptor *rpc_method_find(
    char *name, size_t size, const ProtobufCServiceDescriptor *service, const char *method);

/* ---- rpc_link.c ---- */

struct rpc_link;

struct rpc_link_ops {
	/* One frame other than PING and PONG. An error ends the link. */
	int (*frame)(void *ctx, const Fab__V1__RpcFrame *f);
	/* The first frame of the other side came. May be NULL. */
	void (*up)(void *ctx);
	/* The link is dead; the owner calls rpc_link_free(), from here or later. */
	void (*down)(void *ctx, int err);
};

/* Takes over conn, also on failure. greet: send PING at once (server). */
int rpc_link_new(struct rpc_link **out, struct fab_loop *loop, struct fab_conn *conn, bool greet,
    const struct rpc_link_ops *ops, void *ctx, struct fab_rpc_stats *stats);
void rpc_link_free(struct rpc_link *l); /* what was sent last may be lost; NULL is fine */
/* Lets the other side read what was sent, then closes. */
void rpc_link_flush_free(struct rpc_link *l);
int rpc_link_send(struct rpc_link *l, const Fab__V1__RpcFrame *head, const ProtobufCMessage *body);
int rpc_link_send_buf(struct rpc_link *l, struct fab_buf *b);
/* RESPONSE without body. */
void rpc_link_send_status(
    struct rpc_link *l, uint64_t call, enum fab_rpc_status status, const char *message);
/* l may be NULL: the link was lost a moment ago. */
void rpc_link_send_cancel(struct rpc_link *l, uint64_t call);
struct fab_loop *rpc_link_loop(struct rpc_link *l);
struct fab_rpc_stats *rpc_link_stats(struct rpc_link *l);

/* ---- rpc_stream.c, sender ---- */

#define RPC_WINDOW_ITEMS  1024        /* sent and not acknowledged */
#define RPC_WINDOW_OCTETS (1u << 20)  /* likewise; one item may exceed it */
#define RPC_QUEUE_OCTETS  (16u << 20) /* deltas that wait, as FAB_RPC_STREAM_QUEUE */

struct rpc_queued {
	struct fab_buf *buf;
	bool delta;
	struct rpc_queued *next;
};

struct fab_rpc_stream {
	struct rpc_link *link; /* NULL: disconnected */
	uint64_t call;
	const struct fab_rpc_stream_ops *ops;
	void *ctx;
	/* The stream ended by fab_rpc_stream_end() and is empty: the server frees it. */
	void (*ended)(struct fab_rpc_stream *s);

	struct rpc_queued *queue; /* waits for the window: rest of a snapshot, then deltas */
	struct rpc_queued **queue_tail;
	size_t deltas;
	size_t delta_octets;
	uint64_t epoch;
	uint64_t seq;   /* of the last item queued in this epoch */
	uint64_t sent;  /* last seq handed to the link */
	uint64_t acked; /* last seq that the receiver consumed */
	size_t inflight_octets;
	uint32_t inflight_len[RPC_WINDOW_ITEMS]; /* by seq modulo the window */

	struct fab_buf *last_snapshot; /* newest item of the snapshot being written */
	bool in_snapshot;
	bool live;
	bool ending;
	enum fab_rpc_status end_status;
	char *end_message;
	bool in_cb;
	bool freed;
};

void rpc_stream_init(struct fab_rpc_stream *s);
void rpc_stream_fini(struct fab_rpc_stream *s);
/* Starts (again) with a snapshot on link. */
void rpc_stream_attach(struct fab_rpc_stream *s, struct rpc_link *link, uint64_t call);
void rpc_stream_detach(struct fab_rpc_stream *s);
/* FAB_EBADMSG: acknowledges what was never sent. */
int rpc_stream_ack(struct fab_rpc_stream *s, uint64_t epoch, uint64_t seq);

/* ---- rpc_stream.c, receiver ---- */

struct rpc_rx {
	struct rpc_link *link;
	uint64_t call;
	uint64_t epoch;
	uint64_t seq;
	bool begun;
	bool in_snapshot;
	struct fab_post ack; /* at the end of the loop turn */
};

void rpc_rx_init(struct rpc_rx *rx, struct rpc_link *link, uint64_t call);
void rpc_rx_fini(struct rpc_rx *rx);
/* Checks the order and decodes; *item (NULL for an empty snapshot) is the caller's. FAB_EBADMSG: a
 * gap, or it does not decode. */
int rpc_rx_item(struct rpc_rx *rx, const Fab__V1__RpcFrame *f,
    const ProtobufCMessageDescriptor *type, ProtobufCMessage **item, struct fab_rpc_item *info);

/* ---- rpc_client.c for rpc_sub.c ---- */

#define RPC_BACKOFF_MIN_MS 10
#define RPC_BACKOFF_MAX_MS 1000

/* A stream of a client, either direction, kept open across reconnects. */
struct rpc_client_stream {
	uint64_t call;  /* 0: not open */
	uint32_t delay; /* before it opens again after the server ended it */
	struct fab_timer *retry;
	struct fab_rpc_client *client;
	const ProtobufCMethodDescriptor *method;
	char name[128];
	/* Open by sending a REQUEST numbered s->call. */
	void (*open)(struct rpc_client_stream *s, struct rpc_link *link);
	int (*item)(struct rpc_client_stream *s, const Fab__V1__RpcFrame *f);
	int (*ack)(struct rpc_client_stream *s, const Fab__V1__RpcFrame *f);
	/* The call is over, s->call is 0. */
	void (*ended)(struct rpc_client_stream *s, enum fab_rpc_status status, const char *message);
	struct rpc_client_stream *prev, *next;
};

int rpc_client_stream_init(struct rpc_client_stream *s, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method);
void rpc_client_stream_fini(struct rpc_client_stream *s);
/* Ends the call with CANCEL and opens it again after a delay. */
void rpc_client_stream_restart(struct rpc_client_stream *s);

/* *delay is doubled within its bounds; returns it with jitter. */
uint32_t rpc_backoff(uint32_t *delay);

#endif
