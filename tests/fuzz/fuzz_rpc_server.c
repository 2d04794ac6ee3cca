/*
 * What a client may write to the socket of a server: bytes from the first header on. The server
 * must survive, and close the connection at the latest when the client stops writing.
 */
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/control.pb-c.h"
#include "proto/node.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define INPUT_MAX  65536
#define TURNS_MAX  2000
#define STREAM_LEN 2000 /* items in a snapshot: more than the window */

static struct fab_loop *loop;
static struct fab_rpc_server *server;
static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static char dir[] = "/tmp/fuzzrpc.XXXXXX";

static void
serve(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	Fab__V1__Empty rep = FAB__V1__EMPTY__INIT;

	(void)ctx;
	(void)req;
	fab_rpc_reply(call, &rep.base);
}

static void
cancelled(void *call)
{
	fab_rpc_fail(call, FAB_RPC_CANCELLED, "as you wish");
}

static void
serve_never(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	(void)ctx;
	(void)req;
	fab_rpc_call_on_cancel(call, cancelled, call);
}

static void
snapshot(void *ctx, struct fab_rpc_stream *s)
{
	Fab__V1__NodeConfig conf = FAB__V1__NODE_CONFIG__INIT;

	(void)ctx;
	for (conf.generation = 0; conf.generation < STREAM_LEN; conf.generation++)
		fab_rpc_stream_put(s, &conf.base);
}

static const struct fab_rpc_stream_ops stream_ops = { .snapshot = snapshot };

static enum fab_rpc_status
open_watch(void *ctx, const ProtobufCMessage *req, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	const Fab__V1__WatchRequest *r = (const Fab__V1__WatchRequest *)req;

	(void)ctx;
	(void)s;
	*ops = &stream_ops;
	*stream_ctx = NULL;
	snprintf(why, 256, "%s", r->name);
	return r->pid == 0 ? FAB_RPC_OK : FAB_RPC_NOT_FOUND;
}

static void
sink_open(void *ctx, void **stream_ctx)
{
	(void)ctx;
	*stream_ctx = malloc(1);
}

static void
sink_item(
    void *ctx, void *stream_ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	(void)ctx;
	(void)stream_ctx;
	FAB_ASSERT(item != NULL || info->snapshot_end);
	FAB_ASSERT(!info->snapshot_begin || (info->in_snapshot && info->seq == 1));
}

static void
sink_closed(void *ctx, void *stream_ctx)
{
	(void)ctx;
	free(stream_ctx);
}

static const struct fab_rpc_sink_ops sink = { sink_open, sink_item, sink_closed };

static const struct fab_rpc_handler node_rows[] = {
	{ .method = "SetLogLevel", .unary = serve },
	{ .method = "Stats", .unary = serve_never },
	{ NULL },
};

static const struct fab_rpc_handler control_rows[] = {
	{ .method = "Watch", .open = open_watch },
	{ .method = "Report", .sink = &sink },
	{ NULL },
};

static void
cleanup(void)
{
	fab_rpc_server_free(server);
	fab_loop_free(loop);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char url[64];

	(void)argc;
	(void)argv;
	FAB_ASSERT(mkdtemp(dir) != NULL);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
	snprintf(url, sizeof(url), "ipc://%s/s", dir);
	FAB_ASSERT(fab_loop_new(&loop) == FAB_OK);
	FAB_ASSERT(fab_rpc_server_new(&server, loop) == FAB_OK);
	FAB_ASSERT(
	    fab_rpc_server_add(server, &fab__v1__node__descriptor, node_rows, NULL) == FAB_OK);
	FAB_ASSERT(fab_rpc_server_add(server, &fab__v1__control__descriptor, control_rows, NULL) ==
		   FAB_OK);
	FAB_ASSERT(fab_rpc_server_listen(server, url, NULL) == FAB_OK);
	atexit(cleanup);
	return 0;
}

/* Sends without blocking for long; the server may have closed already. */
static void
send_all(int fd, const uint8_t *data, size_t size)
{
	for (int turns = 0; size > 0 && turns < TURNS_MAX; turns++) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0) {
			data += n;
			size -= (size_t)n;
		}
		fab_loop_turn(loop, n > 0 ? 0 : 1);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint8_t buf[65536];
	bool open = true;

	FAB_ASSERT(fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	send_all(fd, data, size < INPUT_MAX ? size : INPUT_MAX);
	shutdown(fd, SHUT_WR); /* the server reads everything up to here, then closes */
	for (int turns = 0; turns < TURNS_MAX && open; turns++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		open = n > 0 || (n < 0 && errno == EAGAIN);
		if (n < 0 && open)
			fab_loop_turn(loop, 10);
	}
	FAB_ASSERT(!open);
	close(fd);
	return 0;
}
