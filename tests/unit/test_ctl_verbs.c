/*
 * The verbs against a stand-in for fabricd in a process of its own: what they print, and how they
 * exit.
 */
#include "tests/unit/fab_cunit.h"

#include "fabctl/ctl.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"
#include "proto/node.pb-c.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/fabctl-verbs-XXXXXX";
static char url[64], out_path[64], err_path[64], topo_path[64];
static pid_t server;
static char *out, *err; /* what the last verb wrote */

/* ---- the stand-in ---- */

static void
serve_effective(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__NicRequest *req = CTL_REPLY(Fab__V1__NicRequest, m);
	Fab__V1__EffectiveRoute r = FAB__V1__EFFECTIVE_ROUTE__INIT, *rows[] = { &r };
	Fab__V1__EffectiveRouteList reply = FAB__V1__EFFECTIVE_ROUTE_LIST__INIT;
	char source[] = "VirtualNetworkGateway", state[] = "Active", prefix[] = "0.0.0.0/0";
	char a[] = "10.1.2.4", b[] = "10.1.2.5", *prefixes[] = { prefix }, *hops[] = { a, b };

	(void)ctx;
	if (strcmp(req->nic, "off") == 0) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT,
		    "NicMustBeAttachedToRunningVmToGetEffectiveRoutes: off is not\nrunning");
		return;
	}
	if (strcmp(req->nic, "vm11") != 0) {
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no NIC '%s'", req->nic);
		return;
	}
	r.source = r.next_hop_type = source;
	r.state = state;
	r.address_prefix = prefixes;
	r.n_address_prefix = 1;
	r.next_hop_ip_address = hops;
	r.n_next_hop_ip_address = 2;
	reply.value = rows;
	reply.n_value = 1;
	fab_rpc_reply(call, &reply.base);
}

/* The destination says what becomes of the packet: "VERDICT", or "VERDICT BACK" or "VERDICT break".
 */
static void
serve_trace(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__TraceRequest *req = CTL_REPLY(Fab__V1__TraceRequest, m);
	Fab__V1__TraceReply reply = FAB__V1__TRACE_REPLY__INIT;
	Fab__V1__TraceHop hop = FAB__V1__TRACE_HOP__INIT, *hops[] = { &hop };
	char there[32] = "", back[32] = "delivered";

	(void)ctx;
	sscanf(req->dst, "%31s %31s", there, back);
	reply.stateful_break = strcmp(back, "break") == 0;
	hop.node = req->src;
	reply.hops = reply.back_hops = hops;
	reply.n_hops = reply.n_back_hops = 1;
	reply.verdict = there;
	reply.back_verdict = reply.stateful_break ? there : back;
	reply.symmetric = true;
	fab_rpc_reply(call, &reply.base);
}

static void
serve_wait(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__WaitRequest *req = CTL_REPLY(Fab__V1__WaitRequest, m);
	Fab__V1__WaitReply reply = FAB__V1__WAIT_REPLY__INIT;

	(void)ctx;
	if (strcmp(req->expression, "converged") == 0) {
		reply.ok = true;
		reply.waited_ms = req->timeout_ms;
		fab_rpc_reply(call, &reply.base);
	} else if (strcmp(req->expression, "never") == 0) {
		fab_rpc_fail(call, FAB_RPC_DEADLINE_EXCEEDED, "nva1: never seen");
	} else {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "unknown condition");
	}
}

static void
serve_apply(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__ApplyRequest *req = CTL_REPLY(Fab__V1__ApplyRequest, m);
	Fab__V1__ApplyReply reply = FAB__V1__APPLY_REPLY__INIT;
	Fab__V1__ResourceChange change = FAB__V1__RESOURCE_CHANGE__INIT, *changes[] = { &change };
	Fab__V1__ApplyError e1 = FAB__V1__APPLY_ERROR__INIT, e2 = e1, *errors[] = { &e1, &e2 };
	char overlap[] = "VnetAddressSpacesOverlap", other[] = "RouteConflict", text[] = "no";
	char create[] = "create", update[] = "update", vnet[] = "vnet", hub[] = "hub1";

	(void)ctx;
	if (strcmp(req->text, "bad\n") == 0) {
		e1.code = overlap;
		e1.line = 7;
		e2.code = other;
		e1.message = e2.message = text;
		reply.errors = errors;
		reply.n_errors = 2;
	} else if (strcmp(req->text, "same\n") != 0) {
		change.action = req->dry_run ? create : update;
		change.kind = vnet;
		change.name = hub;
		reply.changes = changes;
		reply.n_changes = 1;
	}
	fab_rpc_reply(call, &reply.base);
}

static void
serve_set(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__SetRequest *req = CTL_REPLY(Fab__V1__SetRequest, m);
	Fab__V1__ApplyReply reply = FAB__V1__APPLY_REPLY__INIT;
	Fab__V1__ApplyError e = FAB__V1__APPLY_ERROR__INIT, *errors[] = { &e };
	char code[] = "InvalidPeerAsn", text[] = "65515 is reserved";

	(void)ctx;
	if (req->n_assignments == 2 && strcmp(req->assignments[1], "asn=65515") == 0) {
		e.code = code;
		e.message = text;
		reply.errors = errors;
		reply.n_errors = 1;
	}
	fab_rpc_reply(call, &reply.base);
}

static void
serve_get(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__ResourceRef *req = CTL_REPLY(Fab__V1__ResourceRef, m);
	Fab__V1__ResourceList reply = FAB__V1__RESOURCE_LIST__INIT;
	Fab__V1__Resource a = FAB__V1__RESOURCE__INIT, b = a, *list[] = { &a, &b };
	char n1[] = "nva1", n2[] = "nva2", json[] = "{\"asn\":65001,\"advertise\":[]}";

	(void)ctx;
	if (strcmp(req->kind, "nva") != 0) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "no kind '%s'", req->kind);
		return;
	}
	a.kind = b.kind = req->kind;
	a.name = n1;
	b.name = n2;
	a.json = b.json = json;
	reply.resources = list;
	reply.n_resources = req->name[0] == '\0' ? 2 : strcmp(req->name, "nva1") == 0 ? 1 : 0;
	fab_rpc_reply(call, &reply.base);
}

static void
serve_delete(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	Fab__V1__ApplyReply reply = FAB__V1__APPLY_REPLY__INIT;

	(void)ctx;
	(void)m;
	fab_rpc_reply(call, &reply.base);
}

static void
serve_timeline(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__TimelineRequest *req = CTL_REPLY(Fab__V1__TimelineRequest, m);
	Fab__V1__TimelineReply reply = FAB__V1__TIMELINE_REPLY__INIT;
	Fab__V1__TimelineStage s = FAB__V1__TIMELINE_STAGE__INIT, *stages[] = { &s };
	char cause[] = "kill nva1", fast[] = "fast", detect[] = "detect", rs[] = "rs1-0";

	(void)ctx;
	if (req->back > 1) {
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "only one change so far");
		return;
	}
	reply.cause = cause;
	reply.timing = fast;
	reply.start_us = 1700000000000000;
	reply.total_us = 2500;
	s.stage = detect;
	s.node = rs;
	s.offset_us = 1250;
	s.at_us = reply.start_us + 1250;
	s.routes = 5;
	reply.stages = stages;
	reply.n_stages = 1;
	fab_rpc_reply(call, &reply.base);
}

static void
serve_ps(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	Fab__V1__NodeList reply = FAB__V1__NODE_LIST__INIT;
	Fab__V1__NodeInfo n = FAB__V1__NODE_INFO__INIT, *nodes[] = { &n };
	char name[] = "nva1", kind[] = "nva", lost[] = "lost";

	(void)ctx;
	(void)m;
	n.name = name;
	n.kind = kind;
	n.state = lost;
	n.sessions = 2;
	reply.nodes = nodes;
	reply.n_nodes = 1;
	fab_rpc_reply(call, &reply.base);
}

static void
serve_link(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	const Fab__V1__LinkRequest *req = CTL_REPLY(Fab__V1__LinkRequest, m);
	Fab__V1__Empty reply = FAB__V1__EMPTY__INIT;

	(void)ctx;
	if (req->cut == req->restore || strcmp(req->b, "nobody") == 0)
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no link");
	else
		fab_rpc_reply(call, &reply.base);
}

static void
put_event(struct fab_rpc_stream *s, uint64_t seq)
{
	Fab__V1__Event e = FAB__V1__EVENT__INIT;
	char kind[] = "fault", subject[] = "nva1", text[] = "kill";

	e.seq = seq;
	e.at_us = 1700000000000000 + seq;
	e.kind = kind;
	e.subject = subject;
	e.text = text;
	fab_rpc_stream_put(s, &e.base);
}

static void
events_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	put_event(s, 1);
	put_event(s, 2);
	if (ctx != NULL) /* follow: one more, then the end */
		put_event(s, 3);
	fab_rpc_stream_end(s, FAB_RPC_OK, "");
}

static enum fab_rpc_status
open_events(void *ctx, const ProtobufCMessage *m, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	static const struct fab_rpc_stream_ops event_ops = { .snapshot = events_snapshot };
	static int follow;

	(void)ctx;
	(void)s;
	(void)why;
	*ops = &event_ops;
	*stream_ctx = CTL_REPLY(Fab__V1__EventsRequest, m)->follow ? &follow : NULL;
	return FAB_RPC_OK;
}

static void
serve_health(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *m)
{
	static int asked;
	Fab__V1__HealthReply reply = FAB__V1__HEALTH_REPLY__INIT;

	(void)ctx;
	(void)m;
	reply.ok = true;
	reply.converged = asked++ > 0; /* not at first */
	fab_rpc_reply(call, &reply.base);
}

static const struct fab_rpc_handler fabric_table[] = {
	{ .method = "RoutesEffective", .unary = serve_effective },
	{ .method = "Trace", .unary = serve_trace },
	{ .method = "Wait", .unary = serve_wait },
	{ .method = "Apply", .unary = serve_apply },
	{ .method = "Set", .unary = serve_set },
	{ .method = "Get", .unary = serve_get },
	{ .method = "Delete", .unary = serve_delete },
	{ .method = "Timeline", .unary = serve_timeline },
	{ .method = "Ps", .unary = serve_ps },
	{ .method = "Link", .unary = serve_link },
	{ .method = "Events", .open = open_events },
	{ NULL },
};

static const struct fab_rpc_handler node_table[] = {
	{ .method = "Health", .unary = serve_health },
	{ NULL },
};

static int
serve(void)
{
	struct fab_rpc_server *s;
	struct fab_loop *loop;

	if (fab_loop_new(&loop) != FAB_OK || fab_loop_handle_signals(loop) != FAB_OK ||
	    fab_rpc_server_new(&s, loop) != FAB_OK ||
	    fab_rpc_server_add(s, &fab__v1__fabric__descriptor, fabric_table, NULL) != FAB_OK ||
	    fab_rpc_server_add(s, &fab__v1__node__descriptor, node_table, NULL) != FAB_OK ||
	    fab_rpc_server_listen(s, url, NULL) != FAB_OK)
		return 1;
	fab_loop_run(loop);
	fab_rpc_server_free(s);
	fab_loop_free(loop);
	return 0;
}

/* ---- running a verb ---- */

static char *
slurp(const char *path)
{
	FILE *fp = fopen(path, "r");
	char *text = calloc(1, 65536);

	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	if (fread(text, 1, 65535, fp) == 0)
		text[0] = '\0';
	fclose(fp);
	return text;
}

/* fabctl with the words up to NULL, in a process of its own; fills out and err, returns the exit
 * code. */
static int
fabctl(const char *first, ...)
{
	char *argv[16] = { (char *)(uintptr_t) "fabctl", (char *)(uintptr_t) "--url", url };
	int argc = 3, status = 0;
	va_list ap;
	pid_t pid;

	va_start(ap, first);
	for (const char *w = first; w != NULL; w = va_arg(ap, const char *))
		argv[argc++] = (char *)(uintptr_t)w;
	va_end(ap);
	fflush(NULL);
	if ((pid = fork()) == 0) {
		if (freopen(out_path, "w", stdout) == NULL ||
		    freopen(err_path, "w", stderr) == NULL)
			_exit(99);
		exit(ctl_main(argc, argv));
	}
	waitpid(pid, &status, 0);
	free(out);
	free(err);
	out = slurp(out_path);
	err = slurp(err_path);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
expect_json(const char *want)
{
	json_t *got = json_loads(out, 0, NULL), *w = json_loads(want, 0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	if (got == NULL || !json_equal(got, w)) {
		printf("\n got  %s\n want %s\n", out, want);
		CU_FAIL("JSON differs");
	}
	json_decref(got);
	json_decref(w);
}

static void
write_topology(const char *text)
{
	FILE *fp = fopen(topo_path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	fputs(text, fp);
	fclose(fp);
}

/* ---- tests ---- */

static void
test_setup(void)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(url, sizeof(url), "ipc://%s/f.ipc", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	snprintf(err_path, sizeof(err_path), "%s/err", dir);
	snprintf(topo_path, sizeof(topo_path), "%s/t.yaml", dir);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	setenv("TZ", "UTC", 1);
	fflush(NULL);
	if ((server = fork()) == 0)
		exit(serve());
	/* fabctl waits for the answer, but not for the socket file. */
	for (int i = 0; access(url + 6, F_OK) != 0 && i < 2000; i++)
		poll(NULL, 0, 1);
}

static void
test_effective_routes(void)
{
	CU_ASSERT_EQUAL(fabctl("-o", "json", "routes", "effective", "vm11", NULL), CTL_OK);
	expect_json("{\"value\":[{\"name\":\"\",\"source\":\"VirtualNetworkGateway\","
		    "\"state\":\"Active\",\"addressPrefix\":[\"0.0.0.0/0\"],"
		    "\"nextHopType\":\"VirtualNetworkGateway\","
		    "\"nextHopIpAddress\":[\"10.1.2.4\",\"10.1.2.5\"],"
		    "\"disableBgpRoutePropagation\":false}]}");
	/* OPEN-10: the table joins next hops with a blank. */
	CU_ASSERT_EQUAL(fabctl("routes", "effective", "vm11", NULL), CTL_OK);
	CU_ASSERT_STRING_EQUAL(out,
	    "Source                 State   Address Prefix  Next Hop Type          Next Hop IP\n"
	    "---------------------  ------  --------------  ---------------------  "
	    "-----------------\n"
	    "VirtualNetworkGateway  Active  0.0.0.0/0       VirtualNetworkGateway  10.1.2.4 "
	    "10.1.2.5\n");
	CU_ASSERT_STRING_EQUAL(err, "");
}

static void
test_refusals_are_one_line_with_azures_code(void)
{
	CU_ASSERT_EQUAL(fabctl("routes", "effective", "vm99", NULL), CTL_REFUSED);
	CU_ASSERT_STRING_EQUAL(err, "fabctl: NOT_FOUND: no NIC 'vm99'\n");
	/* EFF-18 */
	CU_ASSERT_EQUAL(fabctl("-o", "json", "routes", "effective", "off", NULL), CTL_REFUSED);
	CU_ASSERT_STRING_EQUAL(err, "fabctl: NicMustBeAttachedToRunningVmToGetEffectiveRoutes: off "
				    "is not running\n");
	CU_ASSERT_STRING_EQUAL(out, "");
	CU_ASSERT_EQUAL(fabctl("explain", "vm11", "0.0.0.0/0", NULL), CTL_NO);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "fabctl: UNIMPLEMENTED: "));
}

static void
test_trace_verdict_is_the_exit_code(void)
{
	static const struct {
		const char *dst;
		int one_way, both;
	} cases[] = {
		{ "delivered", CTL_OK, CTL_OK },
		{ "blackhole", CTL_NO, CTL_NO },
		{ "loop", CTL_NO, CTL_NO },
		{ "delivered filtered", CTL_OK, CTL_NO },
		{ "delivered break", CTL_OK, CTL_NO },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL(fabctl("trace", "vm11", cases[i].dst, NULL), cases[i].one_way);
		CU_ASSERT_EQUAL(
		    fabctl("trace", "vm11", cases[i].dst, "--both", NULL), cases[i].both);
	}
}

static void
test_trace_json(void)
{
	CU_ASSERT_EQUAL(fabctl("-o", "json", "trace", "vm11", "delivered break", NULL), CTL_OK);
	expect_json("{\"verdict\":\"delivered\",\"hops\":[{\"node\":\"vm11\",\"nic\":\"\","
		    "\"route\":\"\",\"rule\":\"\"}],\"reason\":\"\",\"symmetric\":true,"
		    "\"stateful_break\":true,\"dst_address\":\"\"}");
	CU_ASSERT_EQUAL(
	    fabctl("-o", "json", "trace", "--both", "vm11", "delivered loop", NULL), CTL_NO);
	expect_json("{\"verdict\":\"delivered\",\"hops\":[{\"node\":\"vm11\",\"nic\":\"\","
		    "\"route\":\"\",\"rule\":\"\"}],\"reason\":\"\",\"symmetric\":true,"
		    "\"stateful_break\":false,\"back_verdict\":\"loop\",\"back_hops\":["
		    "{\"node\":\"vm11\",\"nic\":\"\",\"route\":\"\",\"rule\":\"\"}],"
		    "\"back_reason\":\"\",\"dst_address\":\"\"}");
}

static void
test_wait(void)
{
	CU_ASSERT_EQUAL(fabctl("-o", "json", "wait", "converged", "--timeout", "7s", NULL), CTL_OK);
	expect_json("{\"ok\":true,\"waited_ms\":7000}");
	CU_ASSERT_EQUAL(fabctl("-o", "json", "wait", "never", "--timeout", "1s", NULL), CTL_NO);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"ok\": false"));
	CU_ASSERT_STRING_EQUAL(err, "fabctl: TIMEOUT: not within 1000 ms: nva1: never seen\n");
	CU_ASSERT_EQUAL(fabctl("wait", "nonsense", NULL), CTL_REFUSED);
	CU_ASSERT_STRING_EQUAL(err, "fabctl: INVALID_ARGUMENT: unknown condition\n");
}

static void
test_apply_and_diff(void)
{
	char want[512];

	write_topology("good\n");
	CU_ASSERT_EQUAL(fabctl("-o", "json", "diff", topo_path, NULL), CTL_OK);
	expect_json("[{\"action\":\"create\",\"kind\":\"vnet\",\"name\":\"hub1\"}]");
	CU_ASSERT_EQUAL(fabctl("-o", "json", "apply", "--dry-run", topo_path, NULL), CTL_OK);
	expect_json("[{\"action\":\"create\",\"kind\":\"vnet\",\"name\":\"hub1\"}]");
	CU_ASSERT_EQUAL(fabctl("apply", topo_path, NULL), CTL_OK);
	CU_ASSERT_STRING_EQUAL(out, "Action  Kind  Name\n------  ----  ----\nupdate  vnet  hub1\n");
	write_topology("same\n");
	CU_ASSERT_EQUAL(fabctl("apply", topo_path, NULL), CTL_OK);
	CU_ASSERT_STRING_EQUAL(out, "no changes\n");
	/* All errors at once, where they are. */
	write_topology("bad\n");
	CU_ASSERT_EQUAL(fabctl("-o", "json", "apply", topo_path, NULL), CTL_REFUSED);
	snprintf(want, sizeof(want), "%s:7: VnetAddressSpacesOverlap: no\n%s: RouteConflict: no\n",
	    topo_path, topo_path);
	CU_ASSERT_STRING_EQUAL(err, want);
	CU_ASSERT_STRING_EQUAL(out, "");
}

static void
test_resources(void)
{
	CU_ASSERT_EQUAL(fabctl("-o", "json", "get", "nva", NULL), CTL_OK);
	expect_json("[{\"kind\":\"nva\",\"name\":\"nva1\",\"properties\":{\"asn\":65001,"
		    "\"advertise\":[]}},{\"kind\":\"nva\",\"name\":\"nva2\",\"properties\":"
		    "{\"asn\":65001,\"advertise\":[]}}]");
	CU_ASSERT_EQUAL(fabctl("-o", "yaml", "get", "nva", "nva1", NULL), CTL_OK);
	CU_ASSERT_STRING_EQUAL(
	    out, "kind: nva\nname: nva1\nproperties:\n  asn: 65001\n  advertise: []\n");
	CU_ASSERT_EQUAL(fabctl("get", "nva", "nva9", NULL), CTL_REFUSED);
	CU_ASSERT_STRING_EQUAL(err, "fabctl: NOT_FOUND: there is no nva 'nva9'\n");
	CU_ASSERT_EQUAL(fabctl("get", "apple", NULL), CTL_REFUSED);
	CU_ASSERT_STRING_EQUAL(err, "fabctl: INVALID_ARGUMENT: no kind 'apple'\n");
	CU_ASSERT_EQUAL(
	    fabctl("-o", "json", "set", "nva", "nva1", "relay=true", "asn=65002", NULL), CTL_OK);
	expect_json("{\"kind\":\"nva\",\"name\":\"nva1\",\"properties\":{\"asn\":65001,"
		    "\"advertise\":[]}}");
	CU_ASSERT_EQUAL(fabctl("set", "nva", "nva1", "relay=true", "asn=65515", NULL), CTL_REFUSED);
	CU_ASSERT_STRING_EQUAL(err, "fabctl: InvalidPeerAsn: 65515 is reserved\n");
	CU_ASSERT_EQUAL(fabctl("-o", "json", "delete", "nva", "nva1", NULL), CTL_OK);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"name\": \"nva1\""));
}

static void
test_events_end_or_follow(void)
{
	CU_ASSERT_EQUAL(fabctl("-o", "json", "events", NULL), CTL_OK);
	CU_ASSERT_STRING_EQUAL(out,
	    "{\"seq\":1,\"at_us\":1700000000000001,\"kind\":\"fault\",\"subject\":\"nva1\","
	    "\"text\":\"kill\"}\n"
	    "{\"seq\":2,\"at_us\":1700000000000002,\"kind\":\"fault\",\"subject\":\"nva1\","
	    "\"text\":\"kill\"}\n");
	CU_ASSERT_EQUAL(fabctl("events", "-f", NULL), CTL_OK);
	CU_ASSERT_STRING_EQUAL(out, "22:13:20.000001  fault    nva1               kill\n"
				    "22:13:20.000002  fault    nva1               kill\n"
				    "22:13:20.000003  fault    nva1               kill\n");
}

static void
test_timeline(void)
{
	CU_ASSERT_EQUAL(fabctl("timeline", NULL), CTL_OK);
	CU_ASSERT_STRING_EQUAL(out, "kill nva1 (timing fast)\n"
				    "        ms  Stage       Node                Routes  What\n"
				    "     1.250  detect      rs1-0                    5  \n"
				    "     2.500  total\n");
	CU_ASSERT_EQUAL(fabctl("-o", "json", "timeline", "1", NULL), CTL_OK);
	expect_json("{\"start_us\":1700000000000000,\"cause\":\"kill nva1\",\"stages\":[{"
		    "\"stage\":\"detect\",\"node\":\"rs1-0\",\"at_us\":1700000000001250,"
		    "\"offset_us\":1250,\"text\":\"\",\"routes\":5}],\"total_us\":2500,"
		    "\"timing\":\"fast\"}");
	CU_ASSERT_EQUAL(fabctl("timeline", "2", NULL), CTL_REFUSED);
}

static void
test_health_says_whether_converged(void)
{
	CU_ASSERT_EQUAL(fabctl("health", NULL), CTL_NO);
	CU_ASSERT_EQUAL(fabctl("-o", "json", "health", NULL), CTL_OK);
	CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"converged\": true"));
}

static void
test_ps_and_links(void)
{
	CU_ASSERT_EQUAL(fabctl("-o", "json", "ps", NULL), CTL_OK);
	expect_json("[{\"name\":\"nva1\",\"kind\":\"nva\",\"pid\":0,\"state\":\"lost\","
		    "\"uptime_s\":0,\"endpoints\":[],\"sessions\":{\"up\":0,\"configured\":2}}]");
	CU_ASSERT_EQUAL(fabctl("-o", "json", "link", "cut", "nva1", "rs1-0", NULL), CTL_OK);
	expect_json("{\"a\":\"nva1\",\"b\":\"rs1-0\",\"cut\":true,\"one_way\":false}");
	CU_ASSERT_EQUAL(
	    fabctl("-o", "json", "link", "restore", "nva1", "rs1-0", "--one-way", NULL), CTL_OK);
	expect_json("{\"a\":\"nva1\",\"b\":\"rs1-0\",\"cut\":false,\"one_way\":true}");
	CU_ASSERT_EQUAL(fabctl("link", "cut", "nva1", "nobody", NULL), CTL_REFUSED);
}

static void
test_server_gone(void)
{
	int status = 0;

	kill(server, SIGTERM);
	CU_ASSERT_EQUAL(waitpid(server, &status, 0), server);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(fabctl("get", "nva", NULL), CTL_UNREACHABLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(err, "fabctl: UNAVAILABLE: "));
	free(out);
	free(err);
	unlink(url + 6);
	unlink(out_path);
	unlink(err_path);
	unlink(topo_path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static CU_TestInfo tests[] = {
	{ "set up", test_setup },
	{ "effective routes", test_effective_routes },
	{ "refusals are one line with Azure's code (EFF-18)",
	    test_refusals_are_one_line_with_azures_code },
	{ "trace: the verdict is the exit code", test_trace_verdict_is_the_exit_code },
	{ "trace: JSON", test_trace_json },
	{ "wait", test_wait },
	{ "apply and diff", test_apply_and_diff },
	{ "resources", test_resources },
	{ "events end or follow", test_events_end_or_follow },
	{ "timeline", test_timeline },
	{ "health says whether converged", test_health_says_whether_converged },
	{ "ps and links", test_ps_and_links },
	{ "server gone", test_server_gone },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_verbs", tests)
