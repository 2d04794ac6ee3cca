/*
 * The frame of a daemon: struct node ties the loop, the server on --listen, the client to --fabric
 * with its two streams (Watch in, Report out) and the daemon's struct node_ops together. Everything
 * of BGP and policy is behind those ops.
 */
#include "lib/node.h"

#include "lib/bgp_mrt.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/node_impl.h"
#include "lib/version.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAST_WORDS_MS 500 /* at exit, for what was sent but not read yet */

/* ---- configuration ---- */

static void
watch_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	struct node *n = ctx;
	const Fab__V1__NodeConfig *conf = (const Fab__V1__NodeConfig *)item;

	(void)info; /* each item is the whole configuration */
	if (conf == NULL)
		return;
	n->refused = FAB_RPC_OK;
	n->kind = conf->kind;
	n->generation = conf->generation;
	n->configs++;
	fab_debug("configuration %llu", (unsigned long long)conf->generation);
	n->ops->config(n->ctx, conf);
}

/* The library asks again by itself; one line for each new reason is enough. */
static void
watch_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct node *n = ctx;

	if (status == n->refused || status == FAB_RPC_UNAVAILABLE)
		return; /* a lost connection has its own line */
	n->refused = status;
	fab_warn("no configuration from %s: %s: %s", n->options.fabric_url,
	    fab_rpc_status_name(status), message);
}

static const struct fab_rpc_sub_ops watch_ops = { watch_item, watch_ended };

static int
watch_start(struct node *n)
{
	Fab__V1__WatchRequest req = FAB__V1__WATCH_REQUEST__INIT;
	char name[64], url[256] = "", version[64];

	snprintf(name, sizeof(name), "%s", n->options.name);
	snprintf(version, sizeof(version), "%s", fab_version());
	if (n->options.listen_url != NULL)
		snprintf(url, sizeof(url), "%s", n->options.listen_url);
	req.name = name;
	req.pid = getpid();
	req.listen_url = url;
	req.version = version;
	req.started_us = n->started_us;
	return fab_rpc_subscribe(
	    &n->watch, n->client, &fab__v1__control__descriptor, "Watch", &req.base, &watch_ops, n);
}

/* ---- reports ---- */

static void
report_hello(struct node *n, struct fab_rpc_stream *s)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__ReportHello hello = FAB__V1__REPORT_HELLO__INIT;
	char name[64];

	snprintf(name, sizeof(name), "%s", n->options.name);
	hello.name = name;
	hello.pid = getpid();
	hello.started_us = n->started_us;
	item.body_case = FAB__V1__REPORT_ITEM__BODY_HELLO;
	item.hello = &hello;
	fab_rpc_stream_put(s, &item.base);
}

static void
report_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct node *n = ctx;

	report_hello(n, s);
	n->ops->snapshot(n->ctx, s);
}

static const struct fab_rpc_stream_ops report_ops = { .snapshot = report_snapshot };

void
node_report(struct node *n, const Fab__V1__ReportItem *item)
{
	if (n->report != NULL)
		fab_rpc_stream_put(n->report, &item->base);
}

/* ---- life ---- */

static void
on_fabric(void *ctx, bool connected)
{
	struct node *n = ctx;

	if (connected)
		fab_info("connected to %s", n->options.fabric_url);
	else
		fab_warn("connection to %s lost", n->options.fabric_url);
}

struct fab_loop *
node_loop(struct node *n)
{
	return n->loop;
}

const char *
node_name(const struct node *n)
{
	return n->options.name;
}

const struct node_options *
node_options(const struct node *n)
{
	return &n->options;
}

int
node_serve(struct node *n, const ProtobufCServiceDescriptor *service,
    const struct fab_rpc_handler *table, void *ctx)
{
	return fab_rpc_server_add(n->server, service, table, ctx);
}

static int
node_start(struct node *n, char why[static 256])
{
	const struct node_options *o = &n->options;
	const struct fab_tls *tls = fab_args_tls(&o->args);
	int err;

	snprintf(why, 256, "%s", "cannot start");
	err = fab_rpc_server_new(&n->server, n->loop);
	if (err == FAB_OK)
		err = fab_rpc_server_add(n->server, &fab__v1__node__descriptor, node_table, n);
	if (err == FAB_OK && (err = n->ops->start(n, &n->ctx)) != FAB_OK &&
	    (err == FAB_EINVAL || err == FAB_ENOTSUP))
		why[0] = '\0'; /* it has said so itself */
	if (err != FAB_OK)
		return err;
	n->started = true;
	if (o->listen_url != NULL) {
		snprintf(why, 256, "cannot listen on %s", o->listen_url);
		err = fab_rpc_server_listen(n->server, o->listen_url, tls);
	}
	if (err != FAB_OK)
		return err;
	snprintf(why, 256, "cannot use %s", o->fabric_url);
	err = fab_rpc_client_new(&n->client, n->loop, o->fabric_url, tls, on_fabric, n);
	if (err == FAB_OK && n->ops->connect != NULL)
		return n->ops->connect(n->ctx, n->client);
	if (err == FAB_OK)
		err = watch_start(n);
	if (err == FAB_OK)
		err = fab_rpc_publish(
		    &n->report, n->client, &fab__v1__control__descriptor, "Report", &report_ops, n);
	return err;
}

int
node_new(struct node **out, struct fab_loop *loop, const struct node_options *options,
    const struct node_ops *ops, char why[static 256])
{
	struct node *n = calloc(1, sizeof(*n));
	char what[256];
	int err;

	if (n == NULL) {
		snprintf(why, 256, "out of memory");
		return FAB_ENOMEM;
	}
	n->options = *options;
	n->ops = ops;
	n->kind = ops->kind;
	n->loop = loop;
	n->started_us = fab_wall_us();
	err = node_start(n, what);
	if (err != FAB_OK) {
		why[0] = '\0';
		if (what[0] != '\0')
			snprintf(why, 256, "%.200s: %s", what, fab_strerror(err));
		node_free(n);
		return err;
	}
	*out = n;
	return FAB_OK;
}

/* The daemon's state goes first, while its last reports and sessions can still be sent. */
void
node_free(struct node *n)
{
	if (n == NULL)
		return;
	if (n->started)
		n->ops->stop(n->ctx);
	fab_rpc_sub_free(n->watch);
	fab_rpc_stream_free(n->report);
	fab_rpc_client_free(n->client);
	fab_rpc_server_free(n->server);
	free(n);
}

/* FAB_MRT_DIR is for whoever looks for a fault; it does not keep a node from starting. */
static void
record_bgp(const char *name)
{
	const char *dir = getenv("FAB_MRT_DIR");
	char path[PATH_MAX];

	if (dir == NULL || dir[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s/%s.mrt", dir, name);
	if (bgp_mrt_open(path) != FAB_OK)
		fab_warn("cannot record BGP in %s: %s", path, strerror(errno));
}

static int
run(const struct node_options *options, const struct node_ops *ops)
{
	struct fab_loop *loop;
	struct node *n;
	char why[256];
	int err;

	if (ops->connect == NULL) /* with Control: it speaks BGP */
		record_bgp(options->name);
	if (fab_loop_new(&loop) != FAB_OK || fab_loop_handle_signals(loop) != FAB_OK) {
		fprintf(stderr, "%s: cannot create the event loop\n", ops->program);
		return 3;
	}
	err = node_new(&n, loop, options, ops, why);
	if (err == FAB_OK) {
		fab_info("%s %s, pid %d, fabric %s", ops->program, fab_version(), (int)getpid(),
		    options->fabric_url);
		fab_loop_run(loop);
		fab_info("stopping");
		node_free(n);
	} else if (why[0] != '\0') {
		fprintf(stderr, "%s: %s\n", ops->program, why);
	}
	fab_loop_drain(loop, LAST_WORDS_MS);
	fab_loop_free(loop);
	bgp_mrt_close();
	if (err == FAB_OK)
		return 0;
	return err == FAB_EINVAL ? 2 : err == FAB_ENOTSUP ? 4 : 3;
}

int
node_main(int argc, char **argv, const struct node_ops *ops)
{
	struct node_options options;

	switch (node_parse(&options, argc, argv, ops)) {
	case FAB_ARGS_EXIT_OK:
		return 0;
	case FAB_ARGS_EXIT_USAGE:
		return 2;
	case FAB_ARGS_RUN:
		break;
	}
	return run(&options, ops);
}
