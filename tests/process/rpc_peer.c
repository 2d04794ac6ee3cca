/*
 * The other process of test_rpc_process: serves Node and Control on a URL until SIGTERM.
 *
 * rpc_peer URL [CERT KEY CA]. Prints "ready PORT" when it listens. Dump answers with the process
 * id, Stats never answers, Watch streams the numbers 1 ... N (NodeConfig.generation), Report
 * counts. SetLogLevel carries commands: "grow COUNT LENGTH" adds numbers, each padded to LENGTH
 * octets; "grown N" is printed when the last one is there.
 */
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/control.pb-c.h"
#include "proto/node.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STREAMS_MAX 64
#define GROW_STEP   200 /* numbers per loop turn */
#define HELD_MAX    20000

struct peer {
	struct fab_loop *loop;
	struct fab_rpc_server *server;
	struct fab_rpc_stream *streams[STREAMS_MAX];
	size_t stream_count;
	uint64_t state; /* the numbers 1 ... state */
	uint64_t wanted;
	char *pad;
	struct fab_timer *grow;
	struct fab_rpc_call *held[HELD_MAX];
	size_t held_count;
};

static void
put(struct peer *p, struct fab_rpc_stream *s, uint64_t number)
{
	Fab__V1__NodeConfig conf = FAB__V1__NODE_CONFIG__INIT;

	conf.generation = number;
	if (p->pad != NULL)
		conf.name = p->pad;
	fab_rpc_stream_put(s, &conf.base);
}

static void
snapshot(void *ctx, struct fab_rpc_stream *s)
{
	Fab__V1__NodeConfig conf = FAB__V1__NODE_CONFIG__INIT;
	struct peer *p = ctx;

	/* Compact: only the newest number, as a state that was overwritten would be. */
	conf.generation = p->state;
	fab_rpc_stream_put(s, &conf.base);
}

static void
closed(void *ctx, struct fab_rpc_stream *s)
{
	struct peer *p = ctx;

	for (size_t i = 0; i < p->stream_count; i++)
		if (p->streams[i] == s)
			p->streams[i] = p->streams[--p->stream_count];
}

static const struct fab_rpc_stream_ops stream_ops = { snapshot, closed };

static enum fab_rpc_status
open_watch(void *ctx, const ProtobufCMessage *req, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	struct peer *p = ctx;

	(void)req;
	if (p->stream_count == STREAMS_MAX) {
		snprintf(why, 256, "too many");
		return FAB_RPC_RESOURCE_EXHAUSTED;
	}
	p->streams[p->stream_count++] = s;
	*ops = &stream_ops;
	*stream_ctx = p;
	return FAB_RPC_OK;
}

static void
on_grow(void *arg)
{
	struct peer *p = arg;

	for (int i = 0; i < GROW_STEP && p->state < p->wanted; i++) {
		p->state++;
		for (size_t k = 0; k < p->stream_count; k++)
			put(p, p->streams[k], p->state);
	}
	if (p->state < p->wanted) {
		fab_timer_set_ms(p->grow, 0);
		return;
	}
	printf("grown %llu\n", (unsigned long long)p->state);
	fflush(stdout);
}

static void
serve_command(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	Fab__V1__Empty rep = FAB__V1__EMPTY__INIT;
	struct peer *p = ctx;
	unsigned count, len;

	if (sscanf(((const Fab__V1__LogLevelRequest *)req)->level, "grow %u %u", &count, &len) !=
	    2) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "not a command");
		return;
	}
	free(p->pad);
	p->pad = malloc(len + 1);
	memset(p->pad, 'x', len);
	p->pad[len] = '\0';
	p->wanted = p->state + count;
	fab_timer_set_ms(p->grow, 0);
	fab_rpc_reply(call, &rep.base);
}

static void
serve_dump(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	Fab__V1__DumpReply rep = FAB__V1__DUMP_REPLY__INIT;
	char text[32];

	(void)ctx;
	(void)req;
	snprintf(text, sizeof(text), "%d", (int)getpid());
	rep.text = text;
	fab_rpc_reply(call, &rep.base);
}

static void
serve_never(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	struct peer *p = ctx;

	(void)req;
	if (p->held_count == HELD_MAX)
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "too many");
	else
		p->held[p->held_count++] = call;
}

static void
report_open(void *ctx, void **stream_ctx)
{
	*stream_ctx = ctx;
}

static void
report_item(
    void *ctx, void *stream_ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	(void)ctx;
	(void)stream_ctx;
	(void)item;
	(void)info;
}

static void
report_closed(void *ctx, void *stream_ctx)
{
	(void)ctx;
	(void)stream_ctx;
}

static const struct fab_rpc_sink_ops sink = { report_open, report_item, report_closed };

static const struct fab_rpc_handler node_rows[] = {
	{ .method = "Dump", .unary = serve_dump },
	{ .method = "Stats", .unary = serve_never },
	{ .method = "SetLogLevel", .unary = serve_command },
	{ NULL },
};

static const struct fab_rpc_handler control_rows[] = {
	{ .method = "Watch", .open = open_watch },
	{ .method = "Report", .sink = &sink },
	{ NULL },
};

static int
start(struct peer *p, int argc, char **argv)
{
	struct fab_tls tls = { 0 };
	int err;

	if (argc == 5)
		tls = (struct fab_tls){ argv[2], argv[3], argv[4] };
	if ((err = fab_loop_new(&p->loop)) != FAB_OK ||
	    (err = fab_loop_handle_signals(p->loop)) != FAB_OK ||
	    (err = fab_timer_new(&p->grow, p->loop, on_grow, p)) != FAB_OK ||
	    (err = fab_rpc_server_new(&p->server, p->loop)) != FAB_OK ||
	    (err = fab_rpc_server_add(p->server, &fab__v1__node__descriptor, node_rows, p)) !=
		FAB_OK ||
	    (err = fab_rpc_server_add(p->server, &fab__v1__control__descriptor, control_rows, p)) !=
		FAB_OK)
		return err;
	return fab_rpc_server_listen(p->server, argv[1], argc == 5 ? &tls : NULL);
}

int
main(int argc, char **argv)
{
	static struct peer p;
	int err;

	if (argc != 2 && argc != 5)
		return 2;
	err = start(&p, argc, argv);
	if (err != FAB_OK) {
		fprintf(stderr, "rpc_peer: %s: %s\n", argv[1], fab_strerror(err));
		return 3;
	}
	printf("ready %u\n", fab_rpc_server_port(p.server));
	fflush(stdout);
	fab_loop_run(p.loop);
	fab_rpc_server_free(p.server);
	while (p.held_count > 0)
		fab_rpc_fail(p.held[--p.held_count], FAB_RPC_ABORTED, "stopping");
	fab_timer_free(p.grow);
	fab_loop_drain(p.loop, 500);
	fab_loop_free(p.loop);
	free(p.pad);
	return 0;
}
