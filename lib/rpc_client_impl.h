#ifndef LIB_RPC_CLIENT_IMPL_H
#define LIB_RPC_CLIENT_IMPL_H
/*
 * Between rpc_client.c (the connection of a client) and rpc_call.c (its calls); nobody else
 * includes this.
 */
#include "lib/rpc_impl.h"

enum rpc_call_state { RPC_CALL_WAITING, RPC_CALL_SENT, RPC_CALL_FINISHED, RPC_CALL_STATE_COUNT };

struct rpc_client_call; /* rpc_call.c */

struct fab_rpc_client {
	struct fab_loop *loop;
	char *url;
	char *tls_files[3]; /* what tls points to */
	struct fab_tls tls;
	bool has_tls;
	fab_rpc_state_fn *state;
	void *ctx;

	struct fab_dial *dial;
	struct rpc_link *link;
	bool connected;
	struct fab_timer *retry;
	uint32_t delay;
	int last_err; /* why there is no connection */

	uint64_t next_id;
	struct rpc_client_call *calls; /* all, by id */
	struct rpc_client_call *lists[RPC_CALL_STATE_COUNT];
	struct fab_post finish; /* deferred: done() of finished calls */
	struct rpc_client_stream *streams;
	struct fab_rpc_stats stats;
	unsigned in_cb;
	bool freed;
};

/* ---- rpc_client.c ---- */

/* Around callbacks, which may free the client: it stays until the last leave. */
void rpc_client_enter(struct fab_rpc_client *c);
void rpc_client_leave(struct fab_rpc_client *c);

/* ---- rpc_call.c, which alone looks into calls, lists and finish ---- */

void rpc_calls_init(struct fab_rpc_client *c);
/* Ends all with CANCELLED. The caller has entered the client, here and below. */
void rpc_calls_fini(struct fab_rpc_client *c);
/* There is a connection. */
void rpc_calls_send_waiting(struct fab_rpc_client *c);
/* Takes the answer to a call; false: this frame is something else. */
bool rpc_calls_frame(struct fab_rpc_client *c, const Fab__V1__RpcFrame *f);
/* The connection is gone: ends with UNAVAILABLE what was sent on it. */
void rpc_calls_fail_sent(struct fab_rpc_client *c, const char *why);

#endif
