/*
 * The stream of tables and the reports, against a stand-in for fabricd in the same process.
 */
#include "vswitchd/vs_sync.h"

#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/switch.pb-c.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <string.h>

#define SERVICE (&fab__v1__switch__descriptor)
#define PORTS   3

/* ---- a stand-in for fabricd ---- */

struct fabric {
	struct fab_loop *loop;
	struct fab_test_dir dir;
	struct fab_rpc_server *server;
	struct fab_rpc_stream *watch;
	uint64_t generation;
	bool up;      /* of vm1 */
	bool garbage; /* the next snapshot is one that must be refused */
	enum fab_rpc_status refuse;
	unsigned opened, snapshots;
	/* What it was told. */
	unsigned hellos, reports;
	char host[32], url[64], engine[16];
	bool forwarding; /* as it said when it opened its watch last */
	uint64_t started_us, acked;
	struct {
		char name[32];
		bool attached;
		uint64_t rx, tx, no_route;
		unsigned times;
	} port[PORTS];
	size_t n_ports;
};

/* Port 1 "vm1", whose system table 1 leads to itself. */
static void
put_tables(struct fabric *f, struct fab_rpc_stream *s, bool snapshot, bool last)
{
	Fab__V1__SwitchUpdate m = FAB__V1__SWITCH_UPDATE__INIT;
	Fab__V1__SwitchGroup g = FAB__V1__SWITCH_GROUP__INIT, *groups[1] = { &g };
	Fab__V1__SwitchTable t = FAB__V1__SWITCH_TABLE__INIT, *tables[1] = { &t };
	Fab__V1__SwitchPort p = FAB__V1__SWITCH_PORT__INIT, *ports[1] = { &p };
	uint32_t addr = 0, group = 1;
	uint8_t len = f->garbage ? 33 : 0;

	g.id = 1;
	g.kind = FAB__V1__SWITCH_GROUP_KIND__GROUP_PORTS;
	g.members = &group;
	g.n_members = 1;
	t.id = 1;
	t.replace = snapshot;
	t.addr = &addr;
	t.group = &group;
	t.n_addr = t.n_group = 1;
	t.len = (ProtobufCBinaryData){ 1, &len };
	p.id = 1;
	p.name = (char *)(uintptr_t) "vm1";
	p.ip = 0x0a0b0004;
	p.prefix_len = 24;
	p.up = f->up;
	p.system = 1;
	p.mtu = 1500;
	m.generation = f->generation;
	m.snapshot = snapshot;
	m.last = last;
	m.groups = groups;
	m.n_groups = 1;
	m.tables = tables;
	m.n_tables = 1;
	m.ports = ports;
	m.n_ports = last ? 1 : 0;
	fab_rpc_stream_put(s, &m.base);
}

static void
fabric_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct fabric *f = ctx;

	f->snapshots++;
	put_tables(f, s, true, false);
	put_tables(f, s, false, true);
	f->garbage = false;
}

static void
fabric_closed(void *ctx, struct fab_rpc_stream *s)
{
	struct fabric *f = ctx;

	(void)s;
	f->watch = NULL;
}

static void
take_hello(struct fabric *f, const Fab__V1__SwitchHello *h)
{
	snprintf(f->host, sizeof(f->host), "%s", h->host);
	snprintf(f->url, sizeof(f->url), "%s", h->listen_url);
	snprintf(f->engine, sizeof(f->engine), "%s", h->engine);
	f->started_us = h->started_us;
}

static enum fab_rpc_status
watch_open(void *ctx, const ProtobufCMessage *req, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	static const struct fab_rpc_stream_ops stream_ops = { fabric_snapshot, fabric_closed };
	struct fabric *f = ctx;

	f->opened++;
	snprintf(why, 256, "not now");
	if (f->refuse != FAB_RPC_OK)
		return f->refuse;
	take_hello(f, (const Fab__V1__SwitchHello *)req);
	f->forwarding = ((const Fab__V1__SwitchHello *)req)->forwarding;
	f->watch = s;
	*ops = &stream_ops;
	*stream_ctx = f;
	return FAB_RPC_OK;
}

static void
take_port(struct fabric *f, const Fab__V1__SwitchPortReport *p)
{
	size_t i = 0;

	while (i < f->n_ports && strcmp(f->port[i].name, p->name) != 0)
		i++;
	CU_ASSERT_FATAL(i < PORTS);
	if (i == f->n_ports)
		snprintf(f->port[f->n_ports++].name, sizeof(f->port[i].name), "%s", p->name);
	f->port[i].attached = p->attached;
	f->port[i].rx = p->rx_packets;
	f->port[i].tx = p->tx_packets;
	f->port[i].times++;
	f->port[i].no_route = 0;
	for (size_t k = 0; k < p->n_drops; k++) {
		CU_ASSERT_STRING_EQUAL(p->drops[k]->reason, "no-route");
		f->port[i].no_route = p->drops[k]->packets;
	}
}

static void
report_open(void *ctx, void **stream_ctx)
{
	((struct fabric *)ctx)->reports++;
	*stream_ctx = NULL;
}

static void
report_item(
    void *ctx, void *stream_ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__SwitchReport *m = (const Fab__V1__SwitchReport *)item;
	struct fabric *f = ctx;

	(void)stream_ctx;
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_TRUE(m->at_us != 0);
	CU_ASSERT_EQUAL(info->snapshot_begin, m->body_case == FAB__V1__SWITCH_REPORT__BODY_HELLO);
	if (m->body_case == FAB__V1__SWITCH_REPORT__BODY_HELLO) {
		f->hellos++;
		take_hello(f, m->hello);
	} else if (m->body_case == FAB__V1__SWITCH_REPORT__BODY_GENERATION) {
		f->acked = m->generation;
	} else {
		take_port(f, m->port);
	}
}

static void
report_closed(void *ctx, void *stream_ctx)
{
	(void)ctx;
	(void)stream_ctx;
}

static void
fabric_start(struct fabric *f)
{
	static const struct fab_rpc_sink_ops sink = { report_open, report_item, report_closed };
	static const struct fab_rpc_handler rows[] = {
		{ .method = "Watch", .open = watch_open },
		{ .method = "Report", .sink = &sink },
		{ .method = NULL },
	};

	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&f->server, f->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(f->server, SERVICE, rows, f), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(f->server, f->dir.url, NULL), FAB_OK);
}

/* ---- an engine that only counts ---- */

struct counting {
	struct vs_engine engine;
	const char *names[PORTS];
	struct vs_counters counters[PORTS];
	size_t n;
};

static int
counting_counters(const struct vs_engine *e, const char *name, struct vs_counters *out)
{
	const struct counting *c = (const struct counting *)e;

	for (size_t i = 0; i < c->n; i++) {
		if (strcmp(c->names[i], name) != 0)
			continue;
		*out = c->counters[i];
		return FAB_OK;
	}
	return FAB_ENOENT;
}

static void
counting_each(const struct vs_engine *e, vs_counters_fn *fn, void *arg)
{
	const struct counting *c = (const struct counting *)e;

	for (size_t i = 0; i < c->n; i++)
		fn(arg, c->names[i], &c->counters[i]);
}

static const struct vs_engine_ops counting_ops = {
	.name = "counting",
	.counters = counting_counters,
	.each = counting_each,
};

/* ---- both together ---- */

struct sync {
	struct fabric f;
	struct counting engine;
	struct vs_model *model;
	struct fab_rpc_client *client;
	struct vs_sync *s;
	unsigned applied;
};

static void
count_applied(void *ctx)
{
	((struct sync *)ctx)->applied++;
}

static void
sync_init(struct sync *y)
{
	const struct vs_sync_conf conf = { .host = "host1",
		.listen_url = "ipc:///nowhere/vs.ipc",
		.started_us = 4711,
		.engine = &y->engine.engine,
		.applied = count_applied,
		.ctx = y };
	struct vs_sync_conf c = conf;

	memset(y, 0, sizeof(*y));
	y->engine.engine.ops = &counting_ops;
	fab_test_dir_init(&y->f.dir);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&y->f.loop), FAB_OK);
	y->f.generation = 100;
	y->f.up = true;
	fabric_start(&y->f);
	CU_ASSERT_EQUAL_FATAL(vs_model_new(&y->model), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&y->client, y->f.loop, y->f.dir.url, NULL, NULL, NULL), FAB_OK);
	c.loop = y->f.loop;
	c.client = y->client;
	c.model = y->model;
	CU_ASSERT_EQUAL_FATAL(vs_sync_new(&y->s, &c), FAB_OK);
}

static void
sync_fini(struct sync *y)
{
	vs_sync_free(y->s);
	fab_rpc_client_free(y->client);
	fab_rpc_server_free(y->f.server);
	vs_model_free(y->model);
	fab_loop_drain(y->f.loop, 1000);
	fab_loop_free(y->f.loop);
	fab_test_dir_fini(&y->f.dir);
}

/* Where a packet of vm1 to 8.8.8.8 goes. */
static enum vs_action
action(struct sync *y, enum vs_drop *why)
{
	const struct vs_flow flow = { .src = 0x0a0b0004, .dst = 0x08080808 };
	const struct vs_port_conf *p = vs_model_find(y->model, "vm1");
	struct vs_verdict v;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	vs_model_lock(y->model);
	vs_lookup(y->model, p->id, &flow, &v);
	vs_model_unlock(y->model);
	*why = v.drop;
	return v.action;
}

static void
expect_forwarding(struct sync *y)
{
	enum vs_drop why;

	CU_ASSERT_EQUAL(action(y, &why), VS_TO_PORT);
}

/* ---- tests ---- */

static void
test_updates_are_put_in_force_and_acknowledged(void)
{
	struct sync y;
	enum vs_drop why;

	sync_init(&y);
	AWAIT(y.f.loop, y.f.acked == 100);
	CU_ASSERT_STRING_EQUAL(y.f.host, "host1");
	CU_ASSERT_STRING_EQUAL(y.f.url, "ipc:///nowhere/vs.ipc");
	CU_ASSERT_STRING_EQUAL(y.f.engine, "counting");
	CU_ASSERT_EQUAL(y.f.started_us, 4711);
	CU_ASSERT_EQUAL(y.applied, 1);
	CU_ASSERT_TRUE(vs_sync_current(y.s));
	expect_forwarding(&y);

	y.f.generation++;
	y.f.up = false;
	put_tables(&y.f, y.f.watch, false, true);
	AWAIT(y.f.loop, y.f.acked == 101);
	CU_ASSERT_EQUAL(action(&y, &why), VS_DROPPED);
	CU_ASSERT_EQUAL(why, VS_DROP_PORT_DOWN);
	CU_ASSERT_EQUAL(y.applied, 2);
	CU_ASSERT_EQUAL(vs_sync_stats(y.s)->updates, 2);
	CU_ASSERT_EQUAL(vs_sync_stats(y.s)->snapshots, 1);
	sync_fini(&y);
}

static void
test_half_an_update_is_none(void)
{
	struct sync y;

	sync_init(&y);
	AWAIT(y.f.loop, y.f.acked == 100);
	y.f.generation++;
	put_tables(&y.f, y.f.watch, false, false);
	AWAIT(y.f.loop, !vs_sync_current(y.s));
	CU_ASSERT_EQUAL(vs_model_generation(y.model), 100);
	CU_ASSERT_EQUAL(y.applied, 1);
	put_tables(&y.f, y.f.watch, false, true);
	AWAIT(y.f.loop, y.f.acked == 101);
	sync_fini(&y);
}

/* Fail-static: without fabricd all stays as it is; the next one starts with a snapshot. */
static void
test_the_loss_of_fabricd_changes_nothing(void)
{
	struct sync y;
	enum vs_drop why;

	sync_init(&y);
	AWAIT(y.f.loop, y.f.acked == 100);
	CU_ASSERT_FALSE(y.f.forwarding);
	fab_rpc_server_free(y.f.server);
	AWAIT(y.f.loop, !fab_rpc_client_connected(y.client));
	CU_ASSERT_FALSE(vs_sync_current(y.s));
	CU_ASSERT_EQUAL(vs_model_generation(y.model), 100);
	expect_forwarding(&y);

	y.f.generation = 7; /* another fabricd counts as it likes */
	y.f.up = false;
	fabric_start(&y.f);
	AWAIT(y.f.loop, y.f.acked == 7);
	CU_ASSERT_EQUAL(y.f.snapshots, 2);
	CU_ASSERT_EQUAL(y.f.hellos, 2);
	CU_ASSERT_TRUE(y.f.forwarding); /* so that a fabricd that knows little yet can wait */
	CU_ASSERT_EQUAL(action(&y, &why), VS_DROPPED);
	sync_fini(&y);
}

static void
test_a_refused_update_asks_for_a_snapshot(void)
{
	struct sync y;

	sync_init(&y);
	AWAIT(y.f.loop, y.f.acked == 100);
	y.f.generation++;
	y.f.garbage = true;
	put_tables(&y.f, y.f.watch, false, true);
	y.f.garbage = false;
	AWAIT(y.f.loop, vs_sync_stats(y.s)->refused == 1);
	expect_forwarding(&y);
	CU_ASSERT_EQUAL(vs_model_generation(y.model), 100);
	/* And again while the snapshot is no better. */
	y.f.garbage = true;
	AWAIT(y.f.loop, vs_sync_stats(y.s)->refused == 2);
	expect_forwarding(&y);
	AWAIT(y.f.loop, y.f.acked == 101);
	CU_ASSERT_EQUAL(y.f.snapshots, 3);
	CU_ASSERT_EQUAL(y.f.opened, 3);
	sync_fini(&y);
}

static void
test_who_is_not_wanted_asks_again(void)
{
	struct sync y;

	sync_init(&y);
	AWAIT(y.f.loop, y.f.acked == 100);
	y.f.refuse = FAB_RPC_ALREADY_EXISTS;
	fab_rpc_stream_end(y.f.watch, FAB_RPC_ABORTED, "another process took over the name");
	AWAIT(y.f.loop, y.f.opened >= 2);
	expect_forwarding(&y);
	y.f.refuse = FAB_RPC_OK;
	y.f.generation++;
	AWAIT(y.f.loop, y.f.acked == 101);
	sync_fini(&y);
}

static void
test_counters_are_told_when_they_move(void)
{
	struct sync y;

	sync_init(&y);
	y.engine.names[0] = "vm1";
	y.engine.names[1] = "nva1";
	y.engine.counters[0] = (struct vs_counters){ .attached = true, .rx_packets = 5 };
	y.engine.counters[0].drops[VS_DROP_NO_ROUTE] = 2;
	y.engine.n = 2;
	AWAIT(y.f.loop, y.f.n_ports == 2);
	CU_ASSERT_STRING_EQUAL(y.f.port[0].name, "vm1");
	CU_ASSERT_TRUE(y.f.port[0].attached);
	CU_ASSERT_EQUAL(y.f.port[0].rx, 5);
	CU_ASSERT_EQUAL(y.f.port[0].no_route, 2);
	CU_ASSERT_FALSE(y.f.port[1].attached);
	AWAIT(y.f.loop, y.f.acked == 100);
	y.f.port[0].times = y.f.port[1].times = 0;

	/* What moved is told, the other one not. */
	y.engine.counters[1].tx_packets = 9;
	AWAIT(y.f.loop, y.f.port[1].tx == 9);
	y.engine.counters[1].tx_packets = 10;
	AWAIT(y.f.loop, y.f.port[1].tx == 10);
	CU_ASSERT_EQUAL(y.f.port[0].times, 0);
	CU_ASSERT_EQUAL(y.f.port[1].times, 2);

	/* Plugging in is told without waiting for the others' turn. */
	y.engine.counters[0].rx_packets = 6;
	y.engine.counters[1].attached = true;
	vs_sync_changed(y.s, "nva1");
	vs_sync_changed(y.s, "nobody");
	AWAIT(y.f.loop, y.f.port[1].attached);
	sync_fini(&y);
}

/* fabricd forgets, or did not know the port when it was told: with each snapshot all is told. */
static void
test_a_snapshot_brings_all_counters_again(void)
{
	struct sync y;

	sync_init(&y);
	y.engine.names[0] = "vm1";
	y.engine.counters[0].attached = true;
	y.engine.n = 1;
	AWAIT(y.f.loop, y.f.n_ports == 1 && y.f.acked == 100);
	y.f.port[0].times = 0;
	y.f.generation++;
	fab_rpc_stream_end(y.f.watch, FAB_RPC_OK, "");
	AWAIT(y.f.loop, y.f.acked == 101);
	AWAIT(y.f.loop, y.f.port[0].times == 1);
	CU_ASSERT_EQUAL(y.f.reports, 1); /* by the stream that was there */
	sync_fini(&y);
}

static CU_TestInfo tests[] = {
	{ "updates are put in force and acknowledged",
	    test_updates_are_put_in_force_and_acknowledged },
	{ "half an update is none", test_half_an_update_is_none },
	{ "the loss of fabricd changes nothing", test_the_loss_of_fabricd_changes_nothing },
	{ "a refused update asks for a snapshot", test_a_refused_update_asks_for_a_snapshot },
	{ "who is not wanted asks again", test_who_is_not_wanted_asks_again },
	{ "counters are told when they move", test_counters_are_told_when_they_move },
	{ "a snapshot brings all counters again", test_a_snapshot_brings_all_counters_again },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_sync", tests)
