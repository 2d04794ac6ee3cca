#ifndef LIB_NODE_IMPL_H
#define LIB_NODE_IMPL_H
/*
 * What node.c and node_rpc.c share; nobody else includes this.
 */
#include "lib/clock.h"
#include "lib/node.h"

struct node {
	struct node_options options;
	const struct node_ops *ops;
	void *ctx; /* of ops; NULL before start() */
	bool started;

	struct fab_loop *loop;
	struct fab_rpc_server *server;
	struct fab_rpc_client *client;
	struct fab_rpc_sub *watch;
	struct fab_rpc_stream *report;

	uint64_t started_us;
	Fab__V1__NodeKind kind;      /* of the last configuration */
	uint64_t generation;         /* likewise */
	uint64_t configs;            /* received */
	enum fab_rpc_status refused; /* the watch's last status that was logged */
};

#endif
