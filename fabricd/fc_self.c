/*
 * Service Node of fabricd itself: health, counters, log level, internal state.
 */
#include "fabricd/fc_api.h"
#include "fabricd/fc_api_impl.h"
#include "fabricd/fc_converge.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/version.h"
#include "proto/node.pb-c.h"

#include <stdlib.h>
#include <unistd.h>

static void
self_health(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	Fab__V1__HealthReply reply = FAB__V1__HEALTH_REPLY__INIT;
	const struct fc *f = ctx;
	char why[FC_WHY_MAX];
	uint64_t later;

	(void)msg;
	reply.ok = true;
	reply.converged = fc_converged(f, why, &later);
	reply.name = fc_unconst(FC_NAME);
	reply.kind = FAB__V1__NODE_KIND__NODE_FABRIC;
	reply.pid = getpid();
	reply.uptime_us = fab_mono_us_between(f->started, fab_mono_now());
	reply.version = fc_unconst(fab_version());
	fab_rpc_reply(call, &reply.base);
}

static uint64_t
connected_nodes(const struct fc *f)
{
	uint64_t n = 0;

	for (const struct fc_node *at = fc_node_next(f->nodes, NULL); at != NULL;
	     at = fc_node_next(f->nodes, at))
		n += fc_node_connected(at);
	return n;
}

static void
self_stats(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const struct fc *f = ctx;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "resources", f->doc->n },
		{ "revision", f->revision },
		{ "nodes", f->topo->n_nodes },
		{ "nodes_connected", connected_nodes(f) },
		{ "nics", f->topo->n_nics },
		{ "events", fc_events_last(f->events) },
		{ "route_batches", f->batches },
		{ "routes_reported", f->routes },
		{ "layers_generation", fc_layers_generation(f->layers) },
		{ "layers_octets", fc_layers_memory(f->layers) },
	};
	const size_t n = sizeof(rows) / sizeof(rows[0]);
	Fab__V1__StatsReply reply = FAB__V1__STATS_REPLY__INIT;
	Fab__V1__Counter counters[sizeof(rows) / sizeof(rows[0])],
	    *list[sizeof(rows) / sizeof(rows[0])];

	(void)msg;
	for (size_t i = 0; i < n; i++) {
		fab__v1__counter__init(&counters[i]);
		counters[i].name = fc_unconst(rows[i].name);
		counters[i].value = rows[i].value;
		list[i] = &counters[i];
	}
	reply.counters = list;
	reply.n_counters = n;
	fab_rpc_reply(call, &reply.base);
}

static void
self_set_log_level(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__LogLevelRequest *req = (const Fab__V1__LogLevelRequest *)msg;
	Fab__V1__Empty reply = FAB__V1__EMPTY__INIT;
	enum fab_log_level level;

	(void)ctx;
	if (fab_log_level_parse(&level, req->level) != FAB_OK) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT,
		    "'%.32s' is not a log level: error, warn, info, debug", req->level);
		return;
	}
	fab_log_set_level(level);
	fab_rpc_reply(call, &reply.base);
}

static char *
dump_node(struct fc_mem *mem, char *text, const struct fc_node *n)
{
	const struct fc_session *s;

	text = fc_mem_format(mem, "%snode %s: %s, pid %d, %s, configuration %llu of %llu%s\n", text,
	    n->name, fc_node_state(n), n->pid, n->url, (unsigned long long)n->status_generation,
	    (unsigned long long)n->generation, n->status_converged ? ", converged" : "");
	for (s = n->sessions; s != NULL; s = s->hh.next)
		text = fc_mem_format(mem, "%s  session %s: %s%s, %u routes in%s%s\n", text, s->peer,
		    s->state, s->synced ? ", synced" : "", s->routes_in,
		    s->reason[0] == '\0' ? "" : ", ", s->reason);
	return text;
}

static void
self_dump(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	Fab__V1__DumpReply reply = FAB__V1__DUMP_REPLY__INIT;
	const struct fc *f = ctx;
	struct fc_mem mem = { 0 };
	char *text = fc_mem_format(&mem, "fabricd %s, fabric %s, revision %llu, %zu resources\n",
	    fab_version(), f->topo->name, (unsigned long long)f->revision, f->doc->n);

	(void)msg;
	for (const struct fc_node *n = fc_node_next(f->nodes, NULL); n != NULL;
	     n = fc_node_next(f->nodes, n))
		text = dump_node(&mem, text, n);
	reply.text = text;
	fc_api_reply(call, &mem, &reply.base);
}

const struct fab_rpc_handler fc_self_table[] = {
	{ .method = "Health", .unary = self_health },
	{ .method = "Stats", .unary = self_stats },
	{ .method = "SetLogLevel", .unary = self_set_log_level },
	{ .method = "Dump", .unary = self_dump },
	{ .method = NULL },
};
