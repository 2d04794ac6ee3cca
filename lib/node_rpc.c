/*
 * The Node service that every daemon answers: health, counters, log level, internal state, link
 * faults.
 */
#include "lib/err.h"
#include "lib/log.h"
#include "lib/node_impl.h"
#include "lib/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNTERS_MAX     128
#define COUNTER_NAME_MAX 64

static void
rpc_health(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	struct node *n = ctx;
	Fab__V1__HealthReply rep = FAB__V1__HEALTH_REPLY__INIT;
	char name[64], version[64];

	(void)req;
	snprintf(name, sizeof(name), "%s", n->options.name);
	snprintf(version, sizeof(version), "%s", fab_version());
	rep.ok = 1;
	rep.converged = (n->configs > 0 || n->ops->connect != NULL) && n->ops->converged(n->ctx);
	rep.name = name;
	rep.kind = n->kind;
	rep.pid = getpid();
	rep.uptime_us = fab_wall_us() - n->started_us;
	rep.version = version;
	fab_rpc_reply(call, &rep.base);
}

/* ---- counters ---- */

struct counters {
	size_t count;
	Fab__V1__Counter rows[COUNTERS_MAX];
	Fab__V1__Counter *list[COUNTERS_MAX];
	char names[COUNTERS_MAX][COUNTER_NAME_MAX];
};

static void
counter_add(void *arg, const char *name, uint64_t value)
{
	struct counters *c = arg;
	size_t i = c->count;

	if (i == COUNTERS_MAX)
		return;
	fab__v1__counter__init(&c->rows[i]);
	snprintf(c->names[i], COUNTER_NAME_MAX, "%s", name);
	c->rows[i].name = c->names[i];
	c->rows[i].value = value;
	c->list[i] = &c->rows[i];
	c->count++;
}

static void
add_rpc_stats(struct counters *c, const char *prefix, const struct fab_rpc_stats *s)
{
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "connections", s->connections },
		{ "calls", s->calls },
		{ "frames_in", s->frames_in },
		{ "bad_frames", s->bad_frames },
		{ "stray_frames", s->stray_frames },
		{ "refused", s->refused },
		{ "silent_peers", s->silent_peers },
		{ "snapshots", s->snapshots },
		{ "overflows", s->overflows },
		{ "lost_items", s->lost_items },
	};
	char name[COUNTER_NAME_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(name, sizeof(name), "%s_%s", prefix, rows[i].name);
		counter_add(c, name, rows[i].value);
	}
}

static void
rpc_stats(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	struct node *n = ctx;
	Fab__V1__StatsReply rep = FAB__V1__STATS_REPLY__INIT;
	struct counters *c = calloc(1, sizeof(*c));

	(void)req;
	if (c == NULL) {
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	counter_add(c, "configs", n->configs);
	add_rpc_stats(c, "rpc_server", fab_rpc_server_stats(n->server));
	if (n->client != NULL)
		add_rpc_stats(c, "rpc_client", fab_rpc_client_stats(n->client));
	if (n->ops->stats != NULL)
		n->ops->stats(n->ctx, counter_add, c);
	rep.n_counters = c->count;
	rep.counters = c->list;
	fab_rpc_reply(call, &rep.base);
	free(c);
}

/* ---- the rest ---- */

static void
rpc_set_log_level(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	const Fab__V1__LogLevelRequest *r = (const Fab__V1__LogLevelRequest *)req;
	Fab__V1__Empty rep = FAB__V1__EMPTY__INIT;
	enum fab_log_level level;

	(void)ctx;
	if (fab_log_level_parse(&level, r->level) != FAB_OK) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT,
		    "%.32s is not a log level: error, warn, info, debug", r->level);
		return;
	}
	fab_log_set_level(level);
	fab_rpc_reply(call, &rep.base);
}

static void
rpc_dump(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	struct node *n = ctx;
	Fab__V1__DumpReply rep = FAB__V1__DUMP_REPLY__INIT;
	char *more = n->ops->dump != NULL ? n->ops->dump(n->ctx) : NULL;
	char *text = NULL;

	(void)req;
	if (asprintf(&text, "%s %s %s pid %d\nfabric %s %s, configuration %llu (%llu received)\n%s",
		n->ops->program, fab_version(), n->options.name, (int)getpid(),
		n->options.fabric_url,
		n->client != NULL && fab_rpc_client_connected(n->client) ? "connected"
									 : "not connected",
		(unsigned long long)n->generation, (unsigned long long)n->configs,
		more != NULL ? more : "") < 0) {
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "out of memory");
	} else {
		rep.text = text;
		fab_rpc_reply(call, &rep.base);
		free(text);
	}
	free(more);
}

static void
rpc_fault(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	struct node *n = ctx;
	const Fab__V1__FaultRequest *r = (const Fab__V1__FaultRequest *)req;
	Fab__V1__Empty rep = FAB__V1__EMPTY__INIT;
	int err = n->ops->fault != NULL ? n->ops->fault(n->ctx, r) : FAB_ENOTSUP;

	if (err == FAB_OK)
		fab_rpc_reply(call, &rep.base);
	else
		fab_rpc_fail(
		    call, fab_rpc_status_of(err), "peer %.64s: %s", r->peer, fab_strerror(err));
}

const struct fab_rpc_handler node_table[] = {
	{ .method = "Health", .unary = rpc_health },
	{ .method = "Stats", .unary = rpc_stats },
	{ .method = "SetLogLevel", .unary = rpc_set_log_level },
	{ .method = "Dump", .unary = rpc_dump },
	{ .method = "Fault", .unary = rpc_fault },
	{ NULL },
};
