/*
 * A fabric and its stand-in nodes (see fc_fabric.h).
 */
#include "tests/unit/fc_fabric.h"

#include "fabricd/fc_api.h"
#include "fabricd/fc_apply.h"
#include "fabricd/fc_control.h"
#include "fabricd/fc_switch.h"
#include "lib/err.h"
#include "proto/switch.pb-c.h"

const struct fake_route default_nva1 = { "0.0.0.0/0", "10.1.2.4", "nva1" };
const struct fake_route default_nva2 = { "0.0.0.0/0", "10.1.2.5", "nva2" };

#define FABRIC  (&fab__v1__fabric__descriptor)
#define CONTROL (&fab__v1__control__descriptor)

/* ---- fabric ---- */

void
fixture_start_fabric(struct fixture *fx)
{
	const struct fc_conf conf = { .urls = { .bgp = fx->bgp }, .listen_url = fx->dir.url };
	char why[FC_STORE_WHY_MAX] = "";

	CU_ASSERT_EQUAL_FATAL(fc_new(&fx->f, fx->loop, &conf), FAB_OK);
	if (fx->store[0] != '\0')
		CU_ASSERT_EQUAL_FATAL(fc_open(fx->f, fx->store, why), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&fx->server, fx->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(fx->server, FABRIC, fc_api_table, fx->f), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_server_add(fx->server, CONTROL, fc_control_table, fx->f), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_server_add(fx->server, &fab__v1__node__descriptor, fc_self_table, fx->f),
	    FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_server_add(fx->server, &fab__v1__switch__descriptor, fc_switch_table, fx->f),
	    FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(fx->server, fx->dir.url, NULL), FAB_OK);
}

void
fixture_kill_fabric(struct fixture *fx)
{
	fab_rpc_server_free(fx->server);
	fc_free(fx->f);
	if (fx->client != NULL) /* so that no call goes to the dead one */
		AWAIT(fx->loop, !fab_rpc_client_connected(fx->client));
}

void
fixture_apply(struct fixture *fx, const char *yaml)
{
	struct fc_apply_result *r = fc_apply_result_new();

	CU_ASSERT_EQUAL(fc_apply_text(fx->f, yaml, strlen(yaml), false, r), FAB_OK);
	for (size_t i = 0; i < r->errors.n; i++)
		printf("%u: %s: %s\n", r->errors.e[i].line, r->errors.e[i].code,
		    r->errors.e[i].message);
	CU_ASSERT_EQUAL_FATAL(r->errors.n, 0);
	fc_apply_result_free(r);
}

void
fixture_init(struct fixture *fx, const char *yaml, bool with_store)
{
	memset(fx, 0, sizeof(*fx));
	fab_test_dir_init(&fx->dir);
	snprintf(fx->bgp, sizeof(fx->bgp), "ipc://%s/%%s.bgp", fx->dir.path);
	if (with_store)
		snprintf(fx->store, sizeof(fx->store), "%s/fabric.db", fx->dir.path);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&fx->loop), FAB_OK);
	fixture_start_fabric(fx);
	if (yaml != NULL)
		fixture_apply(fx, yaml);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&fx->client, fx->loop, fx->dir.url, NULL, NULL, NULL), FAB_OK);
}

void
fixture_fini(struct fixture *fx)
{
	fab_rpc_client_free(fx->client);
	fx->client = NULL;
	fixture_kill_fabric(fx);
	fab_loop_drain(fx->loop, 1000);
	fab_loop_free(fx->loop);
	fab_test_dir_fini(&fx->dir);
}

/* ---- calls ---- */

ProtobufCMessage *
fixture_call(struct fixture *fx, const char *method, const ProtobufCMessage *req,
    enum fab_rpc_status *status)
{
	ProtobufCMessage *reply = NULL;

	fx->why[0] = '\0';
	*status = fab_rpc_call_sync(
	    fx->loop, fx->client, FABRIC, method, req, 20000, 20000, &reply, fx->why);
	return reply;
}

/* For calls whose answer is only a status. */
static enum fab_rpc_status
call_status(struct fixture *fx, const char *method, const ProtobufCMessage *req)
{
	enum fab_rpc_status status;
	ProtobufCMessage *reply = fixture_call(fx, method, req, &status);

	if (reply != NULL)
		protobuf_c_message_free_unpacked(reply, NULL);
	return status;
}

static void
describe_route(char *buf, size_t size, const Fab__V1__EffectiveRoute *r)
{
	snprintf(buf, size, "%s", r->n_next_hop_ip_address == 0 ? r->next_hop_type : "");
	for (size_t i = 0; i < r->n_next_hop_ip_address; i++)
		snprintf(buf + strlen(buf), size - strlen(buf), "%s%s", i == 0 ? "" : " ",
		    r->next_hop_ip_address[i]);
}

const char *
fixture_effective(struct fixture *fx, const char *nic, const char *prefix)
{
	static char text[256];
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;
	Fab__V1__EffectiveRouteList *list;
	enum fab_rpc_status status;

	req.nic = (char *)(uintptr_t)nic;
	list =
	    (Fab__V1__EffectiveRouteList *)fixture_call(fx, "RoutesEffective", &req.base, &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	snprintf(text, sizeof(text), "-");
	for (size_t i = 0; i < list->n_value; i++)
		if (strcmp(list->value[i]->address_prefix[0], prefix) == 0 &&
		    strcmp(list->value[i]->state, "Active") == 0)
			describe_route(text, sizeof(text), list->value[i]);
	fab__v1__effective_route_list__free_unpacked(list, NULL);
	return text;
}

enum fab_rpc_status
fixture_wait(struct fixture *fx, const char *expr, uint32_t timeout_ms)
{
	Fab__V1__WaitRequest req = FAB__V1__WAIT_REQUEST__INIT;

	req.expression = (char *)(uintptr_t)expr;
	req.timeout_ms = timeout_ms;
	return call_status(fx, "Wait", &req.base);
}

enum fab_rpc_status
fixture_set(struct fixture *fx, const char *kind, const char *name, const char *assignment)
{
	Fab__V1__SetRequest req = FAB__V1__SET_REQUEST__INIT;
	char *assignments[1] = { (char *)(uintptr_t)assignment };

	req.kind = (char *)(uintptr_t)kind;
	req.name = (char *)(uintptr_t)name;
	req.assignments = assignments;
	req.n_assignments = 1;
	return call_status(fx, "Set", &req.base);
}

/* ---- stand-ins: reports ---- */

static void
put(struct fake *k, struct fab_rpc_stream *s, int body, void *part)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;

	(void)k;
	item.body_case = (Fab__V1__ReportItem__BodyCase)body;
	item.hello = part; /* the parts are one union of pointers */
	fab_rpc_stream_put(s, &item.base);
}

static void
stamp(Fab__V1__RouteBatch *b, Fab__V1__Cause *c, uint64_t detect_us)
{
	if (detect_us == 0)
		return;
	fab__v1__cause__init(c);
	c->text = (char *)(uintptr_t) "peer nva1: connection closed";
	c->subject = (char *)(uintptr_t) "nva1";
	c->detect_us = detect_us;
	c->withdraw_us = detect_us + 1;
	c->best_path_us = detect_us + 2;
	b->cause = c;
}

static void
put_route(struct fake *k, struct fab_rpc_stream *s, const struct fake_route *r, uint64_t detect_us)
{
	Fab__V1__RouteBatch b = FAB__V1__ROUTE_BATCH__INIT;
	Fab__V1__RouteGroup g = FAB__V1__ROUTE_GROUP__INIT, *groups[1] = { &g };
	Fab__V1__Cause cause;
	struct ipnet net;
	uint32_t hops[FAKE_HOPS], asn = 65001;
	char text[64], *hop, *save = NULL;

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, r->prefix), FAB_OK);
	snprintf(text, sizeof(text), "%s", r->next_hop);
	for (hop = strtok_r(text, " ", &save); hop != NULL; hop = strtok_r(NULL, " ", &save)) {
		CU_ASSERT_FATAL(g.n_next_hops < FAKE_HOPS);
		CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&hops[g.n_next_hops++], hop), FAB_OK);
	}
	g.source = FAB__V1__ROUTE_SOURCE__SOURCE_NVA;
	g.next_hops = hops;
	g.as_path = &asn;
	g.n_as_path = 1;
	g.addr = &net.addr;
	g.n_addr = 1;
	g.len = (ProtobufCBinaryData){ 1, &net.len };
	g.peer = (char *)(uintptr_t)r->peer;
	b.groups = groups;
	b.n_groups = 1;
	stamp(&b, &cause, detect_us);
	put(k, s, FAB__V1__REPORT_ITEM__BODY_ROUTES, &b);
}

static void
put_session(struct fake *k, struct fab_rpc_stream *s, const char *peer, bool up, const char *reason)
{
	Fab__V1__SessionReport m = FAB__V1__SESSION_REPORT__INIT;

	m.peer = (char *)(uintptr_t)peer;
	m.established = m.synced = up;
	m.state = (char *)(uintptr_t)(up ? "Established" : "Idle");
	m.reason = (char *)(uintptr_t)reason;
	m.at_us = fab_wall_us();
	put(k, s, FAB__V1__REPORT_ITEM__BODY_SESSION, &m);
}

static void
put_status(struct fake *k, struct fab_rpc_stream *s)
{
	Fab__V1__NodeStatus m = FAB__V1__NODE_STATUS__INIT;

	m.generation = k->conf == NULL ? 0 : k->conf->generation;
	m.converged = k->converged;
	m.routes = (uint32_t)k->n_routes;
	put(k, s, FAB__V1__REPORT_ITEM__BODY_STATUS, &m);
}

static void
fake_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	Fab__V1__ReportHello hello = FAB__V1__REPORT_HELLO__INIT;
	struct fake *k = ctx;

	hello.name = k->name;
	hello.pid = 4711;
	hello.started_us = k->started_us;
	put(k, s, FAB__V1__REPORT_ITEM__BODY_HELLO, &hello);
	for (size_t i = 0; i < k->n_up; i++)
		put_session(k, s, k->up[i], true, "");
	for (size_t i = 0; i < k->n_routes; i++)
		put_route(k, s, &k->routes[i], 0);
	put_status(k, s);
}

void
fake_announce(struct fake *k, struct fake_route r, uint64_t detect_us)
{
	k->routes[k->n_routes++] = r;
	put_route(k, k->report, &r, detect_us);
}

void
fake_withdraw(struct fake *k, const char *prefix, uint64_t detect_us)
{
	Fab__V1__RouteBatch b = FAB__V1__ROUTE_BATCH__INIT;
	Fab__V1__Cause cause;
	struct ipnet net;
	size_t n = 0;

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, prefix), FAB_OK);
	for (size_t i = 0; i < k->n_routes; i++)
		if (strcmp(k->routes[i].prefix, prefix) != 0)
			k->routes[n++] = k->routes[i];
	k->n_routes = n;
	b.withdrawn_addr = &net.addr;
	b.n_withdrawn_addr = 1;
	b.withdrawn_len = (ProtobufCBinaryData){ 1, &net.len };
	stamp(&b, &cause, detect_us);
	put(k, k->report, FAB__V1__REPORT_ITEM__BODY_ROUTES, &b);
}

void
fake_session(struct fake *k, const char *peer, bool up, const char *reason)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n_up; i++)
		if (strcmp(k->up[i], peer) != 0)
			k->up[n++] = k->up[i];
	k->n_up = n;
	if (up)
		k->up[k->n_up++] = peer;
	put_session(k, k->report, peer, up, reason);
}

void
fake_status(struct fake *k, bool converged)
{
	k->converged = converged;
	put_status(k, k->report);
}

/* ---- stand-ins: configuration ---- */

static void
fake_config(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	struct fake *k = ctx;
	struct wire_conf *conf = NULL;
	char why[256];

	(void)info;
	if (item == NULL)
		return;
	CU_ASSERT_EQUAL_FATAL(
	    wire_conf_decode(&conf, (const Fab__V1__NodeConfig *)item, why), FAB_OK);
	wire_conf_free(k->conf);
	k->conf = conf;
	k->configs++;
	put_status(k, k->report);
}

static void
fake_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct fake *k = ctx;

	(void)message;
	k->ended = status;
}

void
fake_route_servers(struct fixture *fx, struct fake rs[2])
{
	fake_init(&rs[0], fx, "rs-0", NULL);
	fake_init(&rs[1], fx, "rs-1", NULL);
	AWAIT(fx->loop, rs[0].configs == 1 && rs[1].configs == 1);
	for (int i = 0; i < 2; i++) {
		fake_status(&rs[i], true);
		fake_announce(&rs[i], default_nva1, 0);
	}
	AWAIT(fx->loop, strcmp(fixture_effective(fx, "vm1", "0.0.0.0/0"), "10.1.2.4") == 0);
}

const struct wire_peer *
fake_peer(const struct fake *k, const char *name)
{
	for (size_t i = 0; k->conf != NULL && i < k->conf->n_peers; i++)
		if (strcmp(k->conf->peers[i].name, name) == 0)
			return &k->conf->peers[i];
	return NULL;
}

/* ---- stand-ins: services ---- */

static void
fake_list(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	Fab__V1__BgpRouteList reply = FAB__V1__BGP_ROUTE_LIST__INIT;
	Fab__V1__BgpRoute rows[FAKE_ROWS], *list[FAKE_ROWS];
	const struct fake *k = ctx;
	struct ipnet net;

	(void)req;
	for (size_t i = 0; i < k->n_learned; i++) {
		CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, k->learned[i].prefix), FAB_OK);
		fab__v1__bgp_route__init(&rows[i]);
		rows[i].addr = net.addr;
		rows[i].len = net.len;
		rows[i].peer = (char *)(uintptr_t)k->learned[i].peer;
		list[i] = &rows[i];
	}
	reply.routes = list;
	reply.n_routes = k->n_learned;
	fab_rpc_reply(call, &reply.base);
}

static void
fake_fault(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	const Fab__V1__FaultRequest *m = (const Fab__V1__FaultRequest *)req;
	Fab__V1__Empty reply = FAB__V1__EMPTY__INIT;
	struct fake *k = ctx;

	k->faults++;
	k->fault.cut_in = m->cut_in;
	k->fault.cut_out = m->cut_out;
	k->fault.link_down = m->link_down;
	snprintf(k->faulted, sizeof(k->faulted), "%s", m->peer);
	fab_rpc_reply(call, &reply.base);
}

static const struct fab_rpc_handler speaker_rows[] = {
	{ .method = "ListLearned", .unary = fake_list },
	{ .method = "ListAdvertised", .unary = fake_list },
	{ .method = "ListRoutes", .unary = fake_list },
	{ .method = NULL },
};
static const struct fab_rpc_handler node_rows[] = {
	{ .method = "Fault", .unary = fake_fault },
	{ .method = NULL },
};

void
fake_init(struct fake *k, struct fixture *fx, const char *name, const struct fake *said)
{
	static const struct fab_rpc_sub_ops sub_ops = { fake_config, fake_ended };
	static const struct fab_rpc_stream_ops stream_ops = { .snapshot = fake_snapshot };
	Fab__V1__WatchRequest req = FAB__V1__WATCH_REQUEST__INIT;

	memset(k, 0, sizeof(*k));
	if (said != NULL)
		*k = *said;
	k->fx = fx;
	snprintf(k->name, sizeof(k->name), "%s", name);
	snprintf(k->url, sizeof(k->url), "ipc://%s/%s.ipc", fx->dir.path, name);
	if (k->started_us == 0)
		k->started_us = fab_wall_us();
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&k->server, fx->loop), FAB_OK);
	fab_rpc_server_add(k->server, &fab__v1__speaker__descriptor, speaker_rows, k);
	fab_rpc_server_add(k->server, &fab__v1__node__descriptor, node_rows, k);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(k->server, k->url, NULL), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&k->client, fx->loop, fx->dir.url, NULL, NULL, NULL), FAB_OK);
	req.name = k->name;
	req.pid = 4711;
	req.listen_url = k->url;
	req.started_us = k->started_us;
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_subscribe(&k->watch, k->client, CONTROL, "Watch", &req.base, &sub_ops, k),
	    FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_publish(&k->report, k->client, CONTROL, "Report", &stream_ops, k), FAB_OK);
}

void
fake_fini(struct fake *k)
{
	fab_rpc_sub_free(k->watch);
	fab_rpc_stream_free(k->report);
	fab_rpc_client_free(k->client);
	fab_rpc_server_free(k->server);
	wire_conf_free(k->conf);
	memset(k, 0, sizeof(*k));
}
