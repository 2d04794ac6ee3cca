#ifndef LIB_RPC_H
#define LIB_RPC_H
/*
 * gRPC-like calls over lib/conn with protobuf-c's service descriptors: unary calls with deadlines
 * and status codes, server streams and client streams. Frames are proto/rpc.proto.
 *
 * Everything happens on the loop's thread. A lost connection fails every call in flight with
 * UNAVAILABLE at once; a silent one is found by PING after FAB_RPC_HEARTBEAT_MS without traffic and
 * closed after three. A client reconnects by itself with backoff and jitter; its streams then start
 * again with a snapshot. Calls are never repeated behind the caller's back.
 */
#include "lib/conn.h"
#include "lib/loop.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#define FAB_RPC_HEARTBEAT_MS 2000
#define FAB_RPC_CALLS_MAX    16384 /* in flight per connection; more are RESOURCE_EXHAUSTED */
#define FAB_RPC_STREAM_QUEUE 4096  /* deltas that wait for a slow reader before it is resynced */
#define FAB_RPC_STREAMS_MAX  256   /* per connection to a server */
#define FAB_RPC_CONNS_MAX    1024  /* per server; more are closed at once */
#define FAB_RPC_PENDING_MAX                                                                        \
	65536 /* unanswered calls per server, with those whose caller is gone                      \
	       */

/* gRPC's codes and numbers. */
enum fab_rpc_status {
	FAB_RPC_OK = 0,
	FAB_RPC_CANCELLED = 1,
	FAB_RPC_UNKNOWN = 2,
	FAB_RPC_INVALID_ARGUMENT = 3,
	FAB_RPC_DEADLINE_EXCEEDED = 4,
	FAB_RPC_NOT_FOUND = 5,
	FAB_RPC_ALREADY_EXISTS = 6,
	FAB_RPC_PERMISSION_DENIED = 7,
	FAB_RPC_RESOURCE_EXHAUSTED = 8,
	FAB_RPC_FAILED_PRECONDITION = 9,
	FAB_RPC_ABORTED = 10,
	FAB_RPC_OUT_OF_RANGE = 11,
	FAB_RPC_UNIMPLEMENTED = 12,
	FAB_RPC_INTERNAL = 13,
	FAB_RPC_UNAVAILABLE = 14,
	FAB_RPC_DATA_LOSS = 15,
	FAB_RPC_UNAUTHENTICATED = 16,
};

const char *fab_rpc_status_name(enum fab_rpc_status s); /* "NOT_FOUND" */

/* The status that tells a caller of a handler's enum fab_err; FAB_RPC_OK for FAB_OK. */
enum fab_rpc_status fab_rpc_status_of(int err);

/* What a server or a client has seen so far. */
struct fab_rpc_stats {
	uint64_t connections;
	uint64_t calls;
	uint64_t frames_in;
	uint64_t bad_frames;   /* oversized, malformed or against the rules: connection closed */
	uint64_t stray_frames; /* for unknown calls or of unknown kinds: ignored */
	uint64_t refused;      /* calls and connections over a limit */
	uint64_t silent_peers; /* found by heartbeat */
	uint64_t snapshots;    /* sent */
	uint64_t overflows;    /* slow readers that had to be resynced */
	uint64_t lost_items;   /* too big, or out of memory */
};

/* ---- server ---- */

struct fab_rpc_server;
struct fab_rpc_call;   /* one unary call being served */
struct fab_rpc_stream; /* the sending end of a stream, on either side */

/* Unary handler: answers now or later with exactly one fab_rpc_reply() or fab_rpc_fail(), which end
 * the life of call. req lives until then. A call whose caller is gone, even one whose server was
 * freed, must still be answered. */
typedef void fab_rpc_unary_fn(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req);

void fab_rpc_reply(struct fab_rpc_call *call, const ProtobufCMessage *reply);
void fab_rpc_fail(struct fab_rpc_call *call, enum fab_rpc_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Calls fn(arg) if the caller hangs up or its deadline passes before the answer; the call must
 * still be answered (from fn, or later). NULL fn: forget it. */
void fab_rpc_call_on_cancel(struct fab_rpc_call *call, fab_loop_fn *fn, void *arg);

/* What the sender of a stream provides. */
struct fab_rpc_stream_ops {
	/* Write the whole state with fab_rpc_stream_put(). Called when the stream opens, after a
	 * reconnect (client streams) and when a slow reader has caught up again after its queue
	 * overflowed; the library marks begin (new epoch) and end. Snapshot items are exempt from
	 * the queue limit. */
	void (*snapshot)(void *ctx, struct fab_rpc_stream *s);
	/* Gone for good: the receiver hung up, its connection died, or the server is being freed.
	 * Release what hangs on ctx; s is freed by the library after this returns. Not called for
	 * client streams, which their owner frees. May be NULL. */
	void (*closed)(void *ctx, struct fab_rpc_stream *s);
};

/* Appends one item. Between snapshots this is a delta: it is dropped, silently, while the stream is
 * out of sync or disconnected, because the next snapshot will contain it. */
void fab_rpc_stream_put(struct fab_rpc_stream *s, const ProtobufCMessage *item);
/* True between a completed snapshot and the next overflow or disconnect. */
bool fab_rpc_stream_live(const struct fab_rpc_stream *s);
/* Server side: ends the stream with a status, after what is queued was sent. The owner forgets s;
 * closed() is not called any more. Allowed inside snapshot(). */
void fab_rpc_stream_end(struct fab_rpc_stream *s, enum fab_rpc_status status, const char *message);

/* Server-stream handler. Return FAB_RPC_OK after setting *ops and *stream_ctx: snapshot() follows
 * at once. Any other status refuses (a message may be put into why[]). */
typedef enum fab_rpc_status fab_rpc_open_fn(void *ctx, const ProtobufCMessage *req,
    struct fab_rpc_stream *s, const struct fab_rpc_stream_ops **ops, void **stream_ctx,
    char why[static 256]);

/* Receiving end. info tells where the item stands. */
struct fab_rpc_item {
	uint64_t epoch;
	uint64_t seq;
	bool snapshot_begin; /* forget what earlier items said */
	bool in_snapshot;
	bool
	    snapshot_end; /* the last item of the snapshot; item is NULL if the snapshot is empty */
};

/* Client-stream handlers on the server: open is called for a new stream, item for each message,
 * closed exactly once when the sender is gone. *stream_ctx is the handler's. */
struct fab_rpc_sink_ops {
	void (*open)(void *ctx, void **stream_ctx);
	void (*item)(void *ctx, void *stream_ctx, const ProtobufCMessage *item,
	    const struct fab_rpc_item *info);
	void (*closed)(void *ctx, void *stream_ctx);
};

/* A row of a service's handler table: exactly one of unary, open, sink. Method names without a row
 * answer UNIMPLEMENTED. */
struct fab_rpc_handler {
	const char *method; /* "RoutesEffective" */
	fab_rpc_unary_fn *unary;
	fab_rpc_open_fn *open;
	const struct fab_rpc_sink_ops *sink;
};

int fab_rpc_server_new(struct fab_rpc_server **out, struct fab_loop *loop);
/* Registers a service. table ends with a row whose method is NULL and must stay valid. */
int fab_rpc_server_add(struct fab_rpc_server *s, const ProtobufCServiceDescriptor *service,
    const struct fab_rpc_handler *table, void *ctx);
int fab_rpc_server_listen(struct fab_rpc_server *s, const char *url, const struct fab_tls *tls);
/* The port of the last TCP URL, for port 0; 0 if there is none. */
uint16_t fab_rpc_server_port(const struct fab_rpc_server *s);
const struct fab_rpc_stats *fab_rpc_server_stats(const struct fab_rpc_server *s);
/* Streams and sinks are told closed(), unanswered calls their on_cancel. What was sent already
 * still reaches the clients. Not from inside a handler. NULL is fine. */
void fab_rpc_server_free(struct fab_rpc_server *s);

/* For unit tests of handlers, without any socket: calls the unary row of table for method. done
 * (with done_ctx) is called when the handler answers, as fab_rpc_call() would. */
typedef void fab_rpc_done_fn(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply);
void fab_rpc_call_handler(const struct fab_rpc_handler *table, void *ctx, const char *method,
    const ProtobufCMessage *req, fab_rpc_done_fn *done, void *done_ctx);

/* ---- client ---- */

struct fab_rpc_client;
struct fab_rpc_sub; /* the receiving end of a server stream */

/* Starts dialling at once. FAB_EINVAL: the URL or the TLS files are of no use. tls may be NULL.
 * state (may be NULL) tells of connects and losses. Connected means that the server has greeted us:
 * one that is stopped, or refuses our certificate, does not count. */
typedef void fab_rpc_state_fn(void *ctx, bool connected);
int fab_rpc_client_new(struct fab_rpc_client **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_rpc_state_fn *state, void *ctx);
/* Fails every call in flight with CANCELLED, and those that a done() starts then, which it must not
 * do for ever; then frees. What was sent already still reaches the server. Subscriptions and
 * streams of c fall silent; their owners still free them. Allowed inside any callback of c. NULL is
 * fine. */
void fab_rpc_client_free(struct fab_rpc_client *c);
const struct fab_rpc_stats *fab_rpc_client_stats(const struct fab_rpc_client *c);
bool fab_rpc_client_connected(const struct fab_rpc_client *c);

/* fab_rpc_done_fn: reply is NULL unless status is FAB_RPC_OK; message is "" then. Both are valid
 * during the call only. */

/* Starts a unary call. While not connected it waits for the connection, at most wait_ms and not
 * beyond its deadline; then, or at once with wait_ms 0, it fails with UNAVAILABLE. done is called
 * exactly once, never from inside this call. timeout_ms 0: no deadline; wait_ms is not part of
 * it: the deadline runs from now. req is encoded at once. Returns the id for fab_rpc_cancel(). */
uint64_t fab_rpc_call(struct fab_rpc_client *c, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *req, uint32_t timeout_ms, uint32_t wait_ms,
    fab_rpc_done_fn *done, void *ctx);
/* done is called with CANCELLED, from the loop. An unknown id is ignored. */
void fab_rpc_cancel(struct fab_rpc_client *c, uint64_t id);

struct fab_rpc_sub_ops {
	/* item is NULL only for an empty snapshot's end. */
	void (*item)(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info);
	/* The server refused or ended the stream (also with OK), or the connection was lost
	 * (UNAVAILABLE), or an item was missing (DATA_LOSS). The subscription opens itself again,
	 * with backoff, until it is freed, which may happen here. May be NULL. */
	void (*ended)(void *ctx, enum fab_rpc_status status, const char *message);
};

/* Opens a server stream and keeps it open across reconnects. req is copied. */
int fab_rpc_subscribe(struct fab_rpc_sub **out, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method, const ProtobufCMessage *req,
    const struct fab_rpc_sub_ops *ops, void *ctx);
/* What it asks from now on whenever it opens itself again; for a request that says something about
 * the state of who asks. The stream that is open goes on. req is copied and of the same type.
 * FAB_ENOMEM: it goes on asking the old one. */
int fab_rpc_sub_set_request(struct fab_rpc_sub *s, const ProtobufCMessage *req);
void fab_rpc_sub_free(struct fab_rpc_sub *s);

/* Opens a client stream and keeps it open across reconnects. snapshot() is never called from inside
 * this call. */
int fab_rpc_publish(struct fab_rpc_stream **out, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method,
    const struct fab_rpc_stream_ops *ops, void *ctx);
void fab_rpc_stream_free(struct fab_rpc_stream *s); /* client streams only */

/* Synchronous call for command-line tools: runs the loop until answered. On FAB_RPC_OK *reply is
 * the caller's (protobuf_c_message_free_unpacked). why receives the message otherwise. */
enum fab_rpc_status fab_rpc_call_sync(struct fab_loop *loop, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method, const ProtobufCMessage *req,
    uint32_t timeout_ms, uint32_t wait_ms, ProtobufCMessage **reply, char why[static 256]);

#endif
