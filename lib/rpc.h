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

/* ---- server ---- */

struct fab_rpc_server;
struct fab_rpc_call;   /* one unary call being served */
struct fab_rpc_stream; /* the sending end of a stream, on either side */

/* Unary handler: answers now or later with exactly one fab_rpc_reply() or fab_rpc_fail(), which end
 * the life of call. req lives until then. A call whose caller is gone may still be answered. */
typedef void fab_rpc_unary_fn(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req);

void fab_rpc_reply(struct fab_rpc_call *call, const ProtobufCMessage *reply);
void fab_rpc_fail(struct fab_rpc_call *call, enum fab_rpc_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Calls fn(arg) if the caller hangs up or its deadline passes before the answer; the call must
 * still be answered. NULL fn: forget it. */
void fab_rpc_call_on_cancel(struct fab_rpc_call *call, fab_loop_fn *fn, void *arg);

/* What the sender of a stream provides. */
struct fab_rpc_stream_ops {
	/* Write the whole state with fab_rpc_stream_put(). Called when the stream opens, after a
	 * reconnect (client streams) and when a slow reader has caught up again after its queue
	 * overflowed; the library marks begin (new epoch) and end. Snapshot items are exempt from
	 * the queue limit. */
	void (*snapshot)(void *ctx, struct fab_rpc_stream *s);
	/* Gone for good: the receiver hung up or the server stream's connection died. Release what
	 * hangs on ctx; s is freed by the library after this returns. Not called for client
	 * streams, which their owner frees. */
	void (*closed)(void *ctx, struct fab_rpc_stream *s);
};

/* Appends one item. Between snapshots this is a delta: it is dropped, silently, while the stream is
 * out of sync or disconnected, because the next snapshot will contain it. */
void fab_rpc_stream_put(struct fab_rpc_stream *s, const ProtobufCMessage *item);
/* True between a completed snapshot and the next overflow or disconnect. */
bool fab_rpc_stream_live(const struct fab_rpc_stream *s);
/* Server side: ends the stream with a status. */
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
	bool snapshot_end; /* item may be NULL then: an empty snapshot */
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
void fab_rpc_server_free(struct fab_rpc_server *s);

/* ---- client ---- */

struct fab_rpc_client;
struct fab_rpc_sub; /* the receiving end of a server stream */

/* Starts dialling at once. tls may be NULL. state (may be NULL) tells of connects and losses. */
typedef void fab_rpc_state_fn(void *ctx, bool connected);
int fab_rpc_client_new(struct fab_rpc_client **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_rpc_state_fn *state, void *ctx);
/* Fails every call in flight with CANCELLED, then frees. NULL is fine. */
void fab_rpc_client_free(struct fab_rpc_client *c);
bool fab_rpc_client_connected(const struct fab_rpc_client *c);

/* reply is NULL unless status is FAB_RPC_OK; both valid during the call only. message is "" for OK.
 */
typedef void fab_rpc_done_fn(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply);

/* Starts a unary call. While not connected it waits for the connection until its deadline;
 * wait_ms of 0 means fail with UNAVAILABLE at once when not connected. done is called exactly once,
 * never from inside this call. timeout_ms 0: no deadline. Returns the id for fab_rpc_cancel(). */
uint64_t fab_rpc_call(struct fab_rpc_client *c, const ProtobufCServiceDescriptor *service,
    const char *method, const ProtobufCMessage *req, uint32_t timeout_ms, uint32_t wait_ms,
    fab_rpc_done_fn *done, void *ctx);
/* done is called with CANCELLED, from the loop. An unknown id is ignored. */
void fab_rpc_cancel(struct fab_rpc_client *c, uint64_t id);

struct fab_rpc_sub_ops {
	/* item is NULL only for an empty snapshot's end. */
	void (*item)(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info);
	/* The server refused or ended the stream, or the connection was lost (UNAVAILABLE). The
	 * subscription opens itself again, with backoff, until it is freed. May be NULL. */
	void (*ended)(void *ctx, enum fab_rpc_status status, const char *message);
};

/* Opens a server stream and keeps it open across reconnects. req is copied. */
int fab_rpc_subscribe(struct fab_rpc_sub **out, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method, const ProtobufCMessage *req,
    const struct fab_rpc_sub_ops *ops, void *ctx);
void fab_rpc_sub_free(struct fab_rpc_sub *s);

/* Opens a client stream and keeps it open across reconnects. */
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
