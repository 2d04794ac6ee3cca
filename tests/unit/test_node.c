/* lib/node: command line, the two streams to fabricd (a stand-in on the same loop), Node service.
 */
#include "lib/err.h"
#include "lib/log.h"
#include "lib/node.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <fcntl.h>
#include <string.h>

#define CONTROL (&fab__v1__control__descriptor)

/* The daemon under the frame. */
struct daemon {
	struct node *node;
	unsigned configs, snapshots, stops;
	uint64_t generation;
	bool converged;
	bool refuse_start;
	struct fab_rpc_client *client; /* that connect() got */
};

static struct daemon the_daemon;

static int
d_start(struct node *n, void **ctx)
{
	if (the_daemon.refuse_start)
		return FAB_EINVAL;
	the_daemon.node = n;
	*ctx = &the_daemon;
	return FAB_OK;
}

static void
d_config(void *ctx, const Fab__V1__NodeConfig *conf)
{
	struct daemon *d = ctx;

	d->configs++;
	d->generation = conf->generation;
}

static void
fill_status(Fab__V1__ReportItem *item, Fab__V1__NodeStatus *status, uint32_t routes)
{
	fab__v1__report_item__init(item);
	fab__v1__node_status__init(status);
	status->routes = routes;
	item->body_case = FAB__V1__REPORT_ITEM__BODY_STATUS;
	item->status = status;
}

static void
d_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct daemon *d = ctx;
	Fab__V1__ReportItem item;
	Fab__V1__NodeStatus status;

	d->snapshots++;
	fill_status(&item, &status, 1);
	fab_rpc_stream_put(s, &item.base);
}

static void
d_stats(void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct daemon *d = ctx;

	add(arg, "answers", 42 + d->stops);
}

static char *
d_dump(void *ctx)
{
	(void)ctx;
	return strdup("all is well\n");
}

static int
d_fault(void *ctx, const Fab__V1__FaultRequest *req)
{
	(void)ctx;
	return strcmp(req->peer, "nva1") == 0 ? FAB_OK : FAB_ENOENT;
}

static bool
d_converged(void *ctx)
{
	struct daemon *d = ctx;

	return d->converged;
}

static void
d_stop(void *ctx)
{
	struct daemon *d = ctx;

	d->stops++;
}

static int
d_connect(void *ctx, struct fab_rpc_client *client)
{
	((struct daemon *)ctx)->client = client;
	return FAB_OK;
}

static const char *const roles[] = { "er", "vpn", NULL };

static const struct node_ops ops = {
	.program = "testd",
	.roles = roles,
	.start = d_start,
	.config = d_config,
	.snapshot = d_snapshot,
	.stats = d_stats,
	.dump = d_dump,
	.fault = d_fault,
	.converged = d_converged,
	.stop = d_stop,
};

/* ---- command line ---- */

/* The parser writes to stdout and stderr; keep that out of the test's output. */
struct silence {
	int out, err;
};

static void
silence(struct silence *s)
{
	int null = open("/dev/null", O_WRONLY);

	fflush(stdout);
	s->out = dup(STDOUT_FILENO);
	s->err = dup(STDERR_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	close(null);
}

static void
speak(struct silence *s)
{
	fflush(stdout);
	dup2(s->out, STDOUT_FILENO);
	dup2(s->err, STDERR_FILENO);
	close(s->out);
	close(s->err);
}

#define ARGS_MAX 12

static void
test_command_lines(void)
{
	static const struct {
		const char *argv[ARGS_MAX];
		enum fab_args_verdict verdict;
		bool roles; /* a daemon that has roles */
	} rows[] = {
		{ { "--fabric", "ipc:///x", "--name", "rs1-0" }, FAB_ARGS_RUN },
		{ { "--fabric=ipc:///x", "--name=rs1-0", "--listen=ipc:///y" }, FAB_ARGS_RUN },
		{ { "--fabric", "tcp://127.0.0.1:5170", "--name", "a" }, FAB_ARGS_RUN },
		{ { "--fabric", "ipc:///x", "--name", "a", "--role", "vpn" }, FAB_ARGS_RUN, true },
		{ { "--fabric", "ipc:///x", "--name", "a" }, FAB_ARGS_EXIT_USAGE, true },
		{ { "--fabric", "ipc:///x", "--name", "a", "--role", "vpn" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "a", "--log-level", "debug" }, FAB_ARGS_RUN },
		{ { "--fabric", "tls+tcp://f:1", "--name", "a", "--tls-cert", "c", "--tls-key", "k",
		      "--tls-ca", "a" },
		    FAB_ARGS_RUN },
		{ { "--fabric", "tcp://fabricd:5170", "--name", "a", "--insecure" }, FAB_ARGS_RUN },
		{ { "--help" }, FAB_ARGS_EXIT_OK },
		{ { "--version" }, FAB_ARGS_EXIT_OK },
		{ { NULL }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x" }, FAB_ARGS_EXIT_USAGE },
		{ { "--name", "a" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "a/b" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "a", "stray" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "a", "--wings" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "a", "--role", "rs" }, FAB_ARGS_EXIT_USAGE,
		    true },
		{ { "--fabric", "ipc:///x", "--name", "a", "--log-level", "loud" },
		    FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "http://x", "--name", "a" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "a", "--listen", "x" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "tcp://fabricd:5170", "--name", "a" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "ipc:///x", "--name", "a", "--listen", "tcp://*:5180" },
		    FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "tls+tcp://f:1", "--name", "a" }, FAB_ARGS_EXIT_USAGE },
		{ { "--fabric", "tls+tcp://f:1", "--name", "a", "--tls-cert", "c", "--tls-key",
		      "k" },
		    FAB_ARGS_EXIT_USAGE },
	};

	struct node_ops plain = ops;

	plain.roles = NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *argv[ARGS_MAX + 2] = { strdup("testd") };
		struct node_options o = { 0 };
		struct silence s;
		int argc = 1;

		for (; argc <= ARGS_MAX && rows[i].argv[argc - 1] != NULL; argc++)
			argv[argc] = strdup(rows[i].argv[argc - 1]);
		silence(&s);
		CU_ASSERT_EQUAL(
		    node_parse(&o, argc, argv, rows[i].roles ? &ops : &plain), rows[i].verdict);
		speak(&s);
		CU_ASSERT_EQUAL(o.name != NULL, rows[i].verdict == FAB_ARGS_RUN);
		for (int k = 0; k < argc; k++)
			free(argv[k]);
	}
	fab_log_init("test", FAB_LOG_ERROR);
}

static void
test_options_are_kept(void)
{
	char *argv[] = { "testd", "--fabric", "tls+tcp://f:1", "--name", "er1-0", "--listen",
		"ipc:///y", "--role", "er", "--tls-cert", "c", "--tls-key", "k", "--tls-ca", "a",
		"--log-level", "error", NULL };
	struct node_options o;

	CU_ASSERT_EQUAL_FATAL(node_parse(&o, 17, argv, &ops), FAB_ARGS_RUN);
	CU_ASSERT_STRING_EQUAL(o.fabric_url, "tls+tcp://f:1");
	CU_ASSERT_STRING_EQUAL(o.name, "er1-0");
	CU_ASSERT_STRING_EQUAL(o.listen_url, "ipc:///y");
	CU_ASSERT_STRING_EQUAL(o.role, "er");
	CU_ASSERT_PTR_EQUAL(fab_args_tls(&o.args), &o.args.tls);
	CU_ASSERT_STRING_EQUAL(o.args.tls.cert, "c");
	CU_ASSERT_STRING_EQUAL(o.args.tls.key, "k");
	CU_ASSERT_STRING_EQUAL(o.args.tls.ca, "a");
	CU_ASSERT_FALSE(fab_log_enabled(FAB_LOG_WARN));
}

/* A daemon's own options stand beside those that all have. */
static void
test_own_options(void)
{
	static const struct node_own_option own[] = { { "attach", "PATH", "where" },
		{ "engine", "ENGINE", "how" }, { NULL, NULL, NULL } };
	char *argv[] = { "testd", "--fabric", "ipc:///x", "--engine", "fast", "--name", "a", NULL };
	struct node_ops more = ops;
	struct node_options o;
	struct silence s;

	more.roles = NULL;
	silence(&s);
	CU_ASSERT_EQUAL(node_parse(&o, 7, argv, &more), FAB_ARGS_EXIT_USAGE);
	speak(&s);
	more.options = own;
	CU_ASSERT_EQUAL_FATAL(node_parse(&o, 7, argv, &more), FAB_ARGS_RUN);
	CU_ASSERT_PTR_NULL(o.own[0]);
	CU_ASSERT_STRING_EQUAL(o.own[1], "fast");
	CU_ASSERT_STRING_EQUAL(o.fabric_url, "ipc:///x");
	fab_log_init("test", FAB_LOG_ERROR);
}

/* ---- with a stand-in for fabricd ---- */

struct net {
	struct fab_test_dir dir;
	char node_url[64];
	struct fab_loop *loop;
	struct fab_rpc_server *fabric;
	struct node *node;
	struct fab_rpc_stream *watch;
	bool unknown_node;
	char watch_name[64], watch_url[64];
	unsigned watch_closed;
	unsigned hellos, statuses, begins, ends;
	bool hello_first;
	int32_t pid;
	uint32_t routes;
};

static void
send_config(struct net *n, struct fab_rpc_stream *s, uint64_t generation)
{
	Fab__V1__NodeConfig conf = FAB__V1__NODE_CONFIG__INIT;

	(void)n;
	conf.generation = generation;
	conf.kind = FAB__V1__NODE_KIND__NODE_ROUTE_SERVER;
	fab_rpc_stream_put(s, &conf.base);
}

static void
watch_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	send_config(ctx, s, 1);
}

static void
watch_closed(void *ctx, struct fab_rpc_stream *s)
{
	struct net *n = ctx;

	(void)s;
	n->watch_closed++;
	n->watch = NULL;
}

static const struct fab_rpc_stream_ops watch_ops = { watch_snapshot, watch_closed };

static enum fab_rpc_status
open_watch(void *ctx, const ProtobufCMessage *req, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **sops, void **stream_ctx, char why[static 256])
{
	const Fab__V1__WatchRequest *r = (const Fab__V1__WatchRequest *)req;
	struct net *n = ctx;

	snprintf(n->watch_name, sizeof(n->watch_name), "%s", r->name);
	snprintf(n->watch_url, sizeof(n->watch_url), "%s", r->listen_url);
	if (n->unknown_node) {
		snprintf(why, 256, "no such node");
		return FAB_RPC_NOT_FOUND;
	}
	n->watch = s;
	*sops = &watch_ops;
	*stream_ctx = n;
	return FAB_RPC_OK;
}

static void
report_open(void *ctx, void **stream_ctx)
{
	*stream_ctx = ctx;
}

static void
report_item(void *ctx, void *stream_ctx, const ProtobufCMessage *m, const struct fab_rpc_item *info)
{
	const Fab__V1__ReportItem *item = (const Fab__V1__ReportItem *)m;
	struct net *n = ctx;

	(void)stream_ctx;
	n->begins += info->snapshot_begin;
	n->ends += info->snapshot_end;
	if (info->snapshot_begin)
		n->hello_first = item->body_case == FAB__V1__REPORT_ITEM__BODY_HELLO;
	if (item->body_case == FAB__V1__REPORT_ITEM__BODY_HELLO) {
		n->hellos++;
		n->pid = item->hello->pid;
	} else if (item->body_case == FAB__V1__REPORT_ITEM__BODY_STATUS) {
		n->statuses++;
		n->routes = item->status->routes;
	}
}

static void
report_closed(void *ctx, void *stream_ctx)
{
	(void)ctx;
	(void)stream_ctx;
}

static const struct fab_rpc_sink_ops sink = { report_open, report_item, report_closed };

static const struct fab_rpc_handler control[] = {
	{ .method = "Watch", .open = open_watch },
	{ .method = "Report", .sink = &sink },
	{ NULL },
};

static void
fabric_start(struct net *n)
{
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n->fabric, n->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n->fabric, CONTROL, control, n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(n->fabric, n->dir.url, NULL), FAB_OK);
}

static void
net_init_with(struct net *n, const struct node_ops *with)
{
	struct node_options o = { .name = "rs1-0" };
	char why[256];

	memset(n, 0, sizeof(*n));
	memset(&the_daemon, 0, sizeof(the_daemon));
	fab_log_init("test", FAB_LOG_ERROR);
	fab_test_dir_init(&n->dir);
	snprintf(n->node_url, sizeof(n->node_url), "ipc://%s/node.ipc", n->dir.path);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&n->loop), FAB_OK);
	o.fabric_url = n->dir.url;
	o.listen_url = n->node_url;
	CU_ASSERT_EQUAL_FATAL(node_new(&n->node, n->loop, &o, with, why), FAB_OK);
}

static void
net_init(struct net *n)
{
	net_init_with(n, &ops);
}

static void
net_fini(struct net *n)
{
	unsigned stops = the_daemon.stops;

	node_free(n->node);
	CU_ASSERT_EQUAL(the_daemon.stops, stops + 1);
	fab_rpc_server_free(n->fabric);
	fab_loop_drain(n->loop, 5000);
	fab_loop_free(n->loop);
	fab_test_dir_fini(&n->dir);
}

static void
test_configuration_arrives_and_changes(void)
{
	struct net n;

	net_init(&n);
	fabric_start(&n);
	AWAIT(n.loop, the_daemon.configs == 1);
	CU_ASSERT_EQUAL(the_daemon.generation, 1);
	CU_ASSERT_STRING_EQUAL(n.watch_name, "rs1-0");
	CU_ASSERT_STRING_EQUAL(n.watch_url, n.node_url);
	send_config(&n, n.watch, 2);
	AWAIT(n.loop, the_daemon.configs == 2);
	CU_ASSERT_EQUAL(the_daemon.generation, 2);
	net_fini(&n);
	CU_ASSERT_EQUAL(n.watch_closed, 1);
}

static void
test_unknown_node_keeps_asking(void)
{
	struct net n;

	net_init(&n);
	n.unknown_node = true;
	fabric_start(&n);
	AWAIT(n.loop, fab_rpc_server_stats(n.fabric)->calls >= 4);
	CU_ASSERT_EQUAL(the_daemon.configs, 0);
	n.unknown_node = false;
	AWAIT(n.loop, the_daemon.configs == 1);
	net_fini(&n);
}

static void
test_report_starts_with_hello(void)
{
	Fab__V1__ReportItem item;
	Fab__V1__NodeStatus status;
	struct net n;

	net_init(&n);
	fill_status(&item, &status, 5);
	node_report(n.node, &item); /* nobody listens: dropped */
	fabric_start(&n);
	AWAIT(n.loop, n.ends == 1);
	CU_ASSERT_EQUAL(n.begins, 1);
	CU_ASSERT_TRUE(n.hello_first);
	CU_ASSERT_EQUAL(n.pid, getpid());
	CU_ASSERT_EQUAL(n.routes, 1);
	CU_ASSERT_EQUAL(n.statuses, 1);
	node_report(n.node, &item);
	AWAIT(n.loop, n.statuses == 2);
	CU_ASSERT_EQUAL(n.routes, 5);
	net_fini(&n);
}

static void
test_fabric_restart_brings_everything_again(void)
{
	struct net n;

	net_init(&n);
	fabric_start(&n);
	AWAIT(n.loop, n.ends == 1 && the_daemon.configs == 1);
	fab_rpc_server_free(n.fabric);
	n.fabric = NULL;
	fabric_start(&n);
	AWAIT(n.loop, n.ends == 2 && the_daemon.configs == 2);
	CU_ASSERT_TRUE(n.hello_first);
	CU_ASSERT_EQUAL(n.hellos, 2);
	CU_ASSERT_EQUAL(the_daemon.snapshots, 2);
	net_fini(&n);
}

/* ---- the Node service, without sockets ---- */

struct answer {
	enum fab_rpc_status status;
	char message[256];
	ProtobufCMessage *reply;
};

static void
on_answer(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct answer *a = ctx;
	uint8_t data[16384];

	a->status = status;
	snprintf(a->message, sizeof(a->message), "%s", message);
	a->reply = NULL;
	if (reply == NULL)
		return;
	CU_ASSERT_FATAL(protobuf_c_message_get_packed_size(reply) <= sizeof(data));
	a->reply = protobuf_c_message_unpack(
	    reply->descriptor, NULL, protobuf_c_message_pack(reply, data), data);
}

static enum fab_rpc_status
ask(struct net *n, const char *method, const ProtobufCMessage *req, struct answer *a)
{
	fab_rpc_call_handler(node_table, n->node, method, req, on_answer, a);
	return a->status;
}

static void
test_health(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	const Fab__V1__HealthReply *h;
	struct answer a;
	struct net n;

	net_init(&n);
	the_daemon.converged = true;
	CU_ASSERT_EQUAL(ask(&n, "Health", &empty.base, &a), FAB_RPC_OK);
	h = (const Fab__V1__HealthReply *)a.reply;
	CU_ASSERT_TRUE(h->ok);
	CU_ASSERT_FALSE(h->converged); /* no configuration yet */
	CU_ASSERT_STRING_EQUAL(h->name, "rs1-0");
	CU_ASSERT_EQUAL(h->pid, getpid());
	CU_ASSERT(strlen(h->version) > 0);
	protobuf_c_message_free_unpacked(a.reply, NULL);
	fabric_start(&n);
	AWAIT(n.loop, the_daemon.configs == 1);
	CU_ASSERT_EQUAL(ask(&n, "Health", &empty.base, &a), FAB_RPC_OK);
	h = (const Fab__V1__HealthReply *)a.reply;
	CU_ASSERT_TRUE(h->converged);
	CU_ASSERT_EQUAL(h->kind, FAB__V1__NODE_KIND__NODE_ROUTE_SERVER);
	protobuf_c_message_free_unpacked(a.reply, NULL);
	net_fini(&n);
}

static uint64_t
counter(const struct answer *a, const char *name)
{
	const Fab__V1__StatsReply *s = (const Fab__V1__StatsReply *)a->reply;

	for (size_t i = 0; i < s->n_counters; i++)
		if (strcmp(s->counters[i]->name, name) == 0)
			return s->counters[i]->value;
	return UINT64_MAX;
}

/* Its streams are its own: nothing of Control is opened, and no configuration is waited for. */
static void
test_a_daemon_with_its_own_service(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	const Fab__V1__HealthReply *rep;
	struct node_ops own = ops;
	struct answer a;
	struct net n;

	own.connect = d_connect;
	own.kind = FAB__V1__NODE_KIND__NODE_VSWITCH;
	net_init_with(&n, &own);
	CU_ASSERT_PTR_NOT_NULL_FATAL(the_daemon.client);
	fabric_start(&n);
	AWAIT(n.loop, fab_rpc_client_connected(the_daemon.client));
	CU_ASSERT_EQUAL_FATAL(ask(&n, "Health", &empty.base, &a), FAB_RPC_OK);
	rep = (const Fab__V1__HealthReply *)a.reply;
	CU_ASSERT_EQUAL(rep->kind, FAB__V1__NODE_KIND__NODE_VSWITCH);
	CU_ASSERT_FALSE(rep->converged);
	protobuf_c_message_free_unpacked(a.reply, NULL);
	the_daemon.converged = true;
	CU_ASSERT_EQUAL_FATAL(ask(&n, "Health", &empty.base, &a), FAB_RPC_OK);
	CU_ASSERT_TRUE(((const Fab__V1__HealthReply *)a.reply)->converged);
	protobuf_c_message_free_unpacked(a.reply, NULL);
	CU_ASSERT_EQUAL(fab_rpc_server_stats(n.fabric)->calls, 0);
	CU_ASSERT_EQUAL(the_daemon.configs, 0);
	net_fini(&n);
}

static void
test_stats_and_dump(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct answer a;
	struct net n;

	net_init(&n);
	fabric_start(&n);
	AWAIT(n.loop, the_daemon.configs == 1 && n.ends == 1);
	CU_ASSERT_EQUAL(ask(&n, "Stats", &empty.base, &a), FAB_RPC_OK);
	CU_ASSERT_EQUAL(counter(&a, "answers"), 42);
	CU_ASSERT_EQUAL(counter(&a, "configs"), 1);
	CU_ASSERT_EQUAL(counter(&a, "rpc_client_connections"), 1);
	CU_ASSERT_EQUAL(counter(&a, "rpc_client_snapshots"), 1);
	CU_ASSERT_EQUAL(counter(&a, "rpc_server_calls"), 0);
	protobuf_c_message_free_unpacked(a.reply, NULL);
	CU_ASSERT_EQUAL(ask(&n, "Dump", &empty.base, &a), FAB_RPC_OK);
	CU_ASSERT_PTR_NOT_NULL(
	    strstr(((const Fab__V1__DumpReply *)a.reply)->text, "all is well\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(((const Fab__V1__DumpReply *)a.reply)->text, " connected"));
	protobuf_c_message_free_unpacked(a.reply, NULL);
	net_fini(&n);
}

static void
test_log_level_and_fault(void)
{
	Fab__V1__LogLevelRequest level = FAB__V1__LOG_LEVEL_REQUEST__INIT;
	Fab__V1__FaultRequest fault = FAB__V1__FAULT_REQUEST__INIT;
	struct answer a;
	struct net n;

	net_init(&n);
	level.level = "warn";
	CU_ASSERT_EQUAL(ask(&n, "SetLogLevel", &level.base, &a), FAB_RPC_OK);
	protobuf_c_message_free_unpacked(a.reply, NULL);
	CU_ASSERT_TRUE(fab_log_enabled(FAB_LOG_WARN));
	CU_ASSERT_FALSE(fab_log_enabled(FAB_LOG_INFO));
	level.level = "shout";
	CU_ASSERT_EQUAL(ask(&n, "SetLogLevel", &level.base, &a), FAB_RPC_INVALID_ARGUMENT);
	CU_ASSERT_FALSE(fab_log_enabled(FAB_LOG_INFO));
	fab_log_set_level(FAB_LOG_ERROR);
	fault.peer = "nva1";
	CU_ASSERT_EQUAL(ask(&n, "Fault", &fault.base, &a), FAB_RPC_OK);
	protobuf_c_message_free_unpacked(a.reply, NULL);
	fault.peer = "nva9";
	CU_ASSERT_EQUAL(ask(&n, "Fault", &fault.base, &a), FAB_RPC_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(a.message, "peer nva9: not found");
	net_fini(&n);
}

static void
test_failures_to_start_leave_nothing(void)
{
	struct node_options o = { .name = "rs1-0" };
	struct node *second = NULL;
	char why[256];
	struct net n;

	net_init(&n);
	o.fabric_url = n.dir.url;
	o.listen_url = n.node_url; /* taken by the first */
	CU_ASSERT_EQUAL(node_new(&second, n.loop, &o, &ops, why), FAB_EEXIST);
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, n.node_url));
	CU_ASSERT_EQUAL(the_daemon.stops, 1); /* what start() made is undone */
	the_daemon.refuse_start = true;
	CU_ASSERT_EQUAL(node_new(&second, n.loop, &o, &ops, why), FAB_EINVAL);
	CU_ASSERT_EQUAL(the_daemon.stops, 1);
	net_fini(&n);
}

static CU_TestInfo tests[] = {
	{ "command lines", test_command_lines },
	{ "options are kept", test_options_are_kept },
	{ "own options", test_own_options },
	{ "configuration arrives and changes", test_configuration_arrives_and_changes },
	{ "unknown node keeps asking", test_unknown_node_keeps_asking },
	{ "report starts with hello", test_report_starts_with_hello },
	{ "fabric restart brings everything again", test_fabric_restart_brings_everything_again },
	{ "Health", test_health },
	{ "a daemon with its own service", test_a_daemon_with_its_own_service },
	{ "Stats and Dump", test_stats_and_dump },
	{ "SetLogLevel and Fault", test_log_level_and_fault },
	{ "failures to start leave nothing", test_failures_to_start_leave_nothing },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("node", tests)
