/*
 * Service Switch: stand-ins for vswitchd watch the tables and report, beside stand-ins for nodes.
 */
#include "fabricd/fc_switch.h"
#include "fabricd/wire_switch.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"
#include "proto/switch.pb-c.h"
#include "tests/unit/fc_fabric.h"
#include "tests/unit/img_ref.h"

/* With one NVA less. */
static const char other[] =
    SMALL_NET("nva1: {}") "nvas: {nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}}\n";

struct host {
	struct fixture *fx;
	char name[32];
	uint64_t started_us;
	bool mute;       /* acknowledges nothing */
	bool forwarding; /* says that it has tables already */
	struct fab_rpc_client *client;
	struct fab_rpc_sub *watch;
	struct fab_rpc_stream *report;
	struct ref *ref;
	uint64_t generation; /* of the last complete update */
	unsigned updates, snapshots, messages;
	size_t most_routes; /* in one message */
	bool open;          /* an update has begun and its last message is still to come */
	enum fab_rpc_status ended;
};

/* ---- the receiving side ---- */

static void
take_groups(struct ref *r, const Fab__V1__SwitchUpdate *m)
{
	for (size_t i = 0; i < m->n_groups; i++) {
		const Fab__V1__SwitchGroup *in = m->groups[i];
		struct fc_img_group *g =
		    calloc(1, sizeof(*g) + in->n_members * sizeof(in->members[0]));

		g->id = in->id;
		g->key = (struct fc_img_key){ (uint32_t)in->kind, (uint32_t)in->reason, in->table,
			(uint32_t)in->n_members };
		for (size_t j = 0; j < in->n_members; j++)
			g->members[j] = in->members[j];
		ref_on_group(r, g);
		free(g);
	}
}

static void
take_table(struct ref *r, const Fab__V1__SwitchTable *t)
{
	CU_ASSERT_EQUAL_FATAL(t->n_addr, t->len.len);
	CU_ASSERT_EQUAL_FATAL(t->n_addr, t->n_group);
	CU_ASSERT_EQUAL_FATAL(t->n_withdrawn_addr, t->withdrawn_len.len);
	if (t->replace)
		ref_on_table(r, t->id);
	for (size_t i = 0; i < t->n_withdrawn_addr; i++)
		ref_on_withdraw(
		    r, t->id, (struct ipnet){ t->withdrawn_addr[i], t->withdrawn_len.data[i] });
	for (size_t i = 0; i < t->n_addr; i++)
		ref_on_route(r, t->id, (struct ipnet){ t->addr[i], t->len.data[i] }, t->group[i]);
}

static void
take_ports(struct ref *r, const Fab__V1__SwitchUpdate *m)
{
	for (size_t i = 0; i < m->n_ports; i++) {
		const Fab__V1__SwitchPort *in = m->ports[i];
		const struct fc_img_port p = { .id = in->id,
			.name = in->name,
			.conf = { .router = in->router,
			    .ip = in->ip,
			    .prefix_len = (uint8_t)in->prefix_len,
			    .up = in->up,
			    .forwarding = in->forwarding,
			    .user = in->user,
			    .bgp = in->bgp,
			    .system = in->system,
			    .mtu = in->mtu,
			    .tunnel = in->tunnel } };

		ref_on_port(r, &p);
	}
}

static void
acknowledge(struct host *h, uint64_t generation)
{
	Fab__V1__SwitchReport m = FAB__V1__SWITCH_REPORT__INIT;

	m.body_case = FAB__V1__SWITCH_REPORT__BODY_GENERATION;
	m.generation = generation;
	m.at_us = fab_wall_us();
	fab_rpc_stream_put(h->report, &m.base);
}

static void
host_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__SwitchUpdate *m = (const Fab__V1__SwitchUpdate *)item;
	struct host *h = ctx;
	size_t routes = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(info->snapshot_begin, m->snapshot);
	if (m->snapshot) {
		ref_free(h->ref);
		h->ref = calloc(1, sizeof(*h->ref));
		h->snapshots++;
	} else if (!h->open) {
		CU_ASSERT_EQUAL(m->generation, h->generation + 1);
	}
	take_groups(h->ref, m);
	for (size_t i = 0; i < m->n_tables; i++) {
		take_table(h->ref, m->tables[i]);
		routes += m->tables[i]->n_addr;
	}
	take_ports(h->ref, m);
	for (size_t i = 0; i < m->n_gone_groups; i++)
		ref_on_gone_group(h->ref, m->gone_groups[i]);
	for (size_t i = 0; i < m->n_gone_tables; i++)
		ref_on_gone_table(h->ref, m->gone_tables[i]);
	for (size_t i = 0; i < m->n_gone_ports; i++)
		ref_on_gone_port(h->ref, m->gone_ports[i]);
	h->messages++;
	h->most_routes = routes > h->most_routes ? routes : h->most_routes;
	h->open = !m->last;
	if (!m->last)
		return;
	h->updates++;
	h->generation = m->generation;
	if (!h->mute)
		acknowledge(h, h->generation);
}

static void
host_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct host *h = ctx;

	(void)message;
	h->ended = status;
}

/* ---- the reporting side ---- */

static void
fill_hello(struct host *h, Fab__V1__SwitchHello *hello)
{
	fab__v1__switch_hello__init(hello);
	hello->host = h->name;
	hello->pid = 4711;
	hello->started_us = h->started_us;
	hello->engine = (char *)(uintptr_t) "userspace";
	hello->forwarding = h->forwarding;
	hello->listen_url = (char *)(uintptr_t) "ipc:///nowhere/vswitchd.ipc";
}

static void
host_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	Fab__V1__SwitchReport m = FAB__V1__SWITCH_REPORT__INIT;
	Fab__V1__SwitchHello hello;
	struct host *h = ctx;

	fill_hello(h, &hello);
	m.body_case = FAB__V1__SWITCH_REPORT__BODY_HELLO;
	m.hello = &hello;
	fab_rpc_stream_put(s, &m.base);
	if (h->generation == 0 || h->mute)
		return;
	fab__v1__switch_report__init(&m);
	m.body_case = FAB__V1__SWITCH_REPORT__BODY_GENERATION;
	m.generation = h->generation;
	fab_rpc_stream_put(s, &m.base);
}

static void
host_port(struct host *h, const char *name, uint64_t packets, const char *reason)
{
	Fab__V1__SwitchReport m = FAB__V1__SWITCH_REPORT__INIT;
	Fab__V1__SwitchPortReport p = FAB__V1__SWITCH_PORT_REPORT__INIT;
	Fab__V1__SwitchCounter c = FAB__V1__SWITCH_COUNTER__INIT, *list[1] = { &c };

	c.reason = (char *)(uintptr_t)reason;
	c.packets = packets;
	p.name = (char *)(uintptr_t)name;
	p.attached = true;
	p.rx_packets = packets + 1;
	p.tx_packets = packets + 2;
	p.drops = list;
	p.n_drops = 1;
	m.body_case = FAB__V1__SWITCH_REPORT__BODY_PORT;
	m.port = &p;
	fab_rpc_stream_put(h->report, &m.base);
}

/* The rest of h is as the caller set it. */
static void
host_init(struct host *h, struct fixture *fx, const char *name)
{
	static const struct fab_rpc_sub_ops sub_ops = { host_item, host_ended };
	static const struct fab_rpc_stream_ops stream_ops = { .snapshot = host_snapshot };
	Fab__V1__SwitchHello hello;

	h->fx = fx;
	h->ref = calloc(1, sizeof(*h->ref));
	snprintf(h->name, sizeof(h->name), "%s", name);
	fill_hello(h, &hello);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&h->client, fx->loop, fx->dir.url, NULL, NULL, NULL), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_subscribe(&h->watch, h->client, &fab__v1__switch__descriptor,
				  "Watch", &hello.base, &sub_ops, h),
	    FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_publish(&h->report, h->client, &fab__v1__switch__descriptor,
				  "Report", &stream_ops, h),
	    FAB_OK);
}

static void
host_fini(struct host *h)
{
	fab_rpc_sub_free(h->watch);
	fab_rpc_stream_free(h->report);
	fab_rpc_client_free(h->client);
	ref_free(h->ref);
}

/* It has what fabricd has. */
static bool
up_to_date(const struct host *h)
{
	const struct fc_switch *sw = h->fx->f->sw;

	return h->updates > 0 && h->generation == fc_switch_generation(sw);
}

static const struct fc_switch_host *
known(struct fixture *fx, const char *name)
{
	const struct fc_switch_host *h = NULL;

	while ((h = fc_switch_next(fx->f->sw, h)) != NULL && strcmp(h->name, name) != 0)
		;
	return h;
}

static bool
acknowledged(struct host *h)
{
	const struct fc_switch_host *k = known(h->fx, h->name);

	return k != NULL && fc_switch_host_converged(h->fx->f->sw, k);
}

static void
expect_bgp(struct host *h, const char *nic, const char *want)
{
	const struct ref_port *p = ref_port_named(h->ref, nic);
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	ref_print_table(out, h->ref, p->conf.bgp);
	fclose(out);
	CU_ASSERT_STRING_EQUAL(text, want);
	free(text);
}

/* ---- tests: tables ---- */

/* Who was there all the time has what one that comes now gets. */
static void
expect_as_newcomer(struct host *h)
{
	struct host late = { .mute = true };

	host_init(&late, h->fx, "late");
	AWAIT(h->fx->loop, up_to_date(&late));
	AWAIT(h->fx->loop, up_to_date(h));
	ref_expect_same(h->ref, late.ref);
	host_fini(&late);
	AWAIT(h->fx->loop, known(h->fx, "late")->watch == NULL);
}

static void
test_a_snapshot_then_differences(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct host h = { 0 };

	fixture_init(&fx, SMALL, false);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h));
	expect_bgp(&h, "vm1", "");
	fake_route_servers(&fx, rs);
	AWAIT(fx.loop, up_to_date(&h));
	expect_bgp(&h, "vm1", "0.0.0.0/0 via 10.1.2.4\n");
	expect_as_newcomer(&h);
	for (int i = 0; i < 2; i++)
		fake_announce(&rs[i], default_nva2, 0);
	AWAIT(fx.loop, strcmp(fixture_effective(&fx, "vm1", "0.0.0.0/0"), "10.1.2.5") == 0);
	AWAIT(fx.loop, up_to_date(&h));
	expect_bgp(&h, "vm1", "0.0.0.0/0 via 10.1.2.5\n");
	fixture_apply(&fx, other);
	AWAIT(fx.loop, ref_port_named(h.ref, "nva2") == NULL && up_to_date(&h));
	expect_as_newcomer(&h);
	CU_ASSERT_EQUAL(h.snapshots, 1);
	host_fini(&h);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* Of the tunnels that the switch stands for; static storage. */
static const char *
tunnels(struct host *h, const char *nva)
{
	const struct ref_port *p = ref_port_named(h->ref, nva);
	static char text[512];
	FILE *out = fmemopen(text, sizeof(text), "w");

	text[0] = '\0';
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	ref_print_table(out, h->ref, p->conf.tunnel);
	fclose(out);
	return text;
}

/* SC-D: what an NVA learns through a tunnel reaches the tables when it learns it, not with the next
 * change of something else. */
static void
test_what_an_nva_learns_in_a_tunnel_reaches_the_tables(void)
{
	static const char yaml[] = SMALL_NET(
	    "nva1: {}, nva2: {}") "nvas:\n"
				  "  nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, "
				  "peers: {branch: {tunnel: true}}}\n"
				  "  nva2: {subnet: hub/nva, ip: 10.1.2.5, asn: 65002}\n"
				  "sites: {branch: {asn: 64901, ip: 172.21.0.1, prefixes: "
				  "[172.21.0.0/16]}}\n";
	static const struct fake_route learned = { "172.22.0.0/16", "172.21.0.1", "branch" };
	struct fixture fx;
	struct host h = { 0 };
	struct fake nva1;

	fixture_init(&fx, yaml, false);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h));
	CU_ASSERT_STRING_EQUAL(tunnels(&h, "nva1"), "172.21.0.0/16 ports branch\n");
	fake_init(&nva1, &fx, "nva1", NULL);
	AWAIT(fx.loop, up_to_date(&h) && tunnels(&h, "nva1")[0] == '\0');
	fake_announce(&nva1, learned, 0);
	AWAIT(fx.loop, strcmp(tunnels(&h, "nva1"), "172.22.0.0/16 ports branch\n") == 0);
	host_fini(&h);
	fake_fini(&nva1);
	fixture_fini(&fx);
}

/* fabricd dies and starts again: a vswitchd that forwards is not told before all routes are back.
 */
static void
test_a_new_fabricd_does_not_take_routes_away(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct host old = { .forwarding = true }, fresh = { 0 };

	fixture_init(&fx, SMALL, false);
	host_init(&old, &fx, "host1");
	host_init(&fresh, &fx, "host2");
	AWAIT(fx.loop, up_to_date(&fresh) && old.ended == FAB_RPC_UNAVAILABLE);
	CU_ASSERT_EQUAL(old.messages, 0);
	fake_route_servers(&fx, rs);
	AWAIT(fx.loop, up_to_date(&old));
	expect_bgp(&old, "vm1", "0.0.0.0/0 via 10.1.2.4\n");
	CU_ASSERT_EQUAL(old.updates, 1);
	host_fini(&old);
	host_fini(&fresh);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* RS-93: the loss of an instance reaches the tables too. */
static void
test_the_loss_of_an_instance_reaches_the_tables(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct host h = { 0 };

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	fake_announce(&rs[1], default_nva2, 0); /* the instances differ, RS-66 */
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h));
	fake_fini(&rs[0]);
	AWAIT(fx.loop, !fc_node_connected(fc_node_find(fx.f->nodes, "rs-0")));
	AWAIT(fx.loop, up_to_date(&h));
	expect_bgp(&h, "vm1", "0.0.0.0/0 via 10.1.2.5\n");
	expect_bgp(&h, "nva1", "0.0.0.0/0 via 10.1.2.5\n");
	fake_fini(&rs[1]);
	host_fini(&h);
	fixture_fini(&fx);
}

/* Routes of a scope by the thousand. */
static void
announce_many(struct fake *k, size_t n)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__RouteBatch b = FAB__V1__ROUTE_BATCH__INIT;
	Fab__V1__RouteGroup g = FAB__V1__ROUTE_GROUP__INIT, *groups[1] = { &g };
	uint32_t *addr = calloc(n, sizeof(*addr)), hop = 0x0a010204;
	uint8_t *len = calloc(n, 1);

	for (size_t i = 0; i < n; i++) {
		addr[i] = 0xac000000 + ((uint32_t)i << 8);
		len[i] = 24;
	}
	g.source = FAB__V1__ROUTE_SOURCE__SOURCE_NVA;
	g.next_hops = &hop;
	g.n_next_hops = 1;
	g.addr = addr;
	g.n_addr = n;
	g.len = (ProtobufCBinaryData){ n, len };
	b.groups = groups;
	b.n_groups = 1;
	item.body_case = FAB__V1__REPORT_ITEM__BODY_ROUTES;
	item.routes = &b;
	fab_rpc_stream_put(k->report, &item.base);
	free(addr);
	free(len);
}

static void
test_large_tables_come_in_pieces(void)
{
	struct fixture fx;
	struct fake rs;
	struct host h = { 0 };
	unsigned messages, updates;

	fixture_init(&fx, SMALL, false);
	fake_init(&rs, &fx, "rs-0", NULL);
	AWAIT(fx.loop, rs.configs == 1);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h));
	messages = h.messages;
	updates = h.updates;
	announce_many(&rs, 3 * WIRE_SWITCH_ROUTES);
	AWAIT(fx.loop, fx.f->routes == 3 * WIRE_SWITCH_ROUTES && up_to_date(&h));
	CU_ASSERT_EQUAL(h.updates, updates + 1);   /* one change, */
	CU_ASSERT_TRUE(h.messages > messages + 3); /* in several messages, */
	CU_ASSERT_TRUE(h.most_routes <= WIRE_SWITCH_ROUTES);
	expect_as_newcomer(&h); /* and so does a snapshot come */
	host_fini(&h);
	fake_fini(&rs);
	fixture_fini(&fx);
}

static void
test_nothing_is_computed_for_nobody(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct host h = { 0 };
	uint64_t before;

	fixture_init(&fx, SMALL, false);
	before = fc_switch_generation(fx.f->sw);
	fake_route_servers(&fx, rs);
	CU_ASSERT_EQUAL(fc_switch_generation(fx.f->sw), before);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h));
	expect_bgp(&h, "vm1", "0.0.0.0/0 via 10.1.2.4\n");
	before = fc_switch_generation(fx.f->sw);
	/* What no table shows is no update. */
	fixture_set(&fx, "nva", "nva2", "stateful=true");
	fixture_set(&fx, "vm", "vm1", "running=false");
	AWAIT(fx.loop, up_to_date(&h) && !ref_port_named(h.ref, "vm1")->conf.up);
	CU_ASSERT_EQUAL(fc_switch_generation(fx.f->sw), before + 1);
	host_fini(&h);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static void
test_a_new_fabricd_starts_with_a_snapshot(void)
{
	struct fixture fx;
	struct host h = { 0 };
	uint64_t before;

	fixture_init(&fx, SMALL, false);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h));
	before = h.generation;
	fixture_kill_fabric(&fx);
	fixture_start_fabric(&fx);
	fixture_apply(&fx, SMALL);
	AWAIT(fx.loop, h.snapshots == 2 && up_to_date(&h));
	CU_ASSERT_TRUE(h.generation > before);
	AWAIT(fx.loop, acknowledged(&h));
	host_fini(&h);
	fixture_fini(&fx);
}

static void
test_the_process_that_started_last_has_the_host(void)
{
	struct fixture fx;
	struct host older = { .started_us = 1000 }, newer = { .started_us = 2000 },
		    nameless = { 0 };

	fixture_init(&fx, SMALL, false);
	host_init(&older, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&older));
	host_init(&newer, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&newer) && older.ended == FAB_RPC_ALREADY_EXISTS);
	host_init(&nameless, &fx, "");
	AWAIT(fx.loop, nameless.ended == FAB_RPC_INVALID_ARGUMENT);
	host_fini(&older);
	fixture_set(&fx, "vm", "vm1", "running=false");
	AWAIT(fx.loop, acknowledged(&newer));
	CU_ASSERT_EQUAL(known(&fx, "host1")->started_us, 2000);
	host_fini(&nameless);
	host_fini(&newer);
	AWAIT(fx.loop, known(&fx, "host1")->reporter == NULL);
	fixture_fini(&fx);
}

static void
test_the_number_of_hosts_is_limited(void)
{
	struct fixture fx;
	static struct host hosts[FC_SWITCH_HOSTS_MAX + 1];
	char name[32];
	int i;

	memset(hosts, 0, sizeof(hosts));
	fixture_init(&fx, SMALL, false);
	for (i = 0; i <= FC_SWITCH_HOSTS_MAX; i++) {
		snprintf(name, sizeof(name), "host%d", i);
		host_init(&hosts[i], &fx, name);
		AWAIT(fx.loop, up_to_date(&hosts[i]) || hosts[i].ended != FAB_RPC_OK);
	}
	CU_ASSERT_EQUAL(hosts[--i].ended, FAB_RPC_INVALID_ARGUMENT);
	/* One that is lost makes room. */
	host_fini(&hosts[0]);
	AWAIT(fx.loop, up_to_date(&hosts[i]));
	CU_ASSERT_PTR_NULL(known(&fx, "host0"));
	for (; i > 0; i--)
		host_fini(&hosts[i]);
	fixture_fini(&fx);
}

/* ---- tests: reports ---- */

static void
test_converged_waits_for_the_tables_in_force(void)
{
	struct fixture fx;
	struct host h = { .mute = true };
	char why[256] = "";

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_TRUE(fc_switch_converged(fx.f->sw, why)); /* nobody to wait for */
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h) && known(&fx, "host1")->reporter != NULL);
	CU_ASSERT_FALSE(fc_switch_converged(fx.f->sw, why));
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "host1"));
	acknowledge(&h, h.generation);
	AWAIT(fx.loop, fc_switch_converged(fx.f->sw, why));
	acknowledge(&h, h.generation + 1000); /* of something that never was */
	fixture_set(&fx, "vm", "vm1", "running=false");
	AWAIT(fx.loop, up_to_date(&h));
	CU_ASSERT_FALSE(fc_switch_converged(fx.f->sw, why));
	host_fini(&h);
	AWAIT(fx.loop, fc_switch_converged(fx.f->sw, why)); /* a lost one is not waited for */
	fixture_fini(&fx);
}

/* `wait converged` as a whole: routes are quiet, and then the switch has them. */
static void
test_wait_converged(void)
{
	struct fixture fx;
	struct fake rs[2], nva[2];
	struct host h = { .mute = true };

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	for (int i = 0; i < 2; i++) {
		fake_init(&nva[i], &fx, i == 0 ? "nva1" : "nva2", NULL);
		AWAIT(fx.loop, nva[i].configs == 1);
		fake_status(&nva[i], true);
	}
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20000), FAB_RPC_OK);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&h) && known(&fx, "host1")->reporter != NULL);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 1), FAB_RPC_DEADLINE_EXCEEDED);
	acknowledge(&h, h.generation);
	CU_ASSERT_EQUAL(fixture_wait(&fx, "converged", 20000), FAB_RPC_OK);
	host_fini(&h);
	for (int i = 0; i < 2; i++) {
		fake_fini(&nva[i]);
		fake_fini(&rs[i]);
	}
	fixture_fini(&fx);
}

/* Stages "programmed" of the newest change. */
static size_t
programmed(struct fixture *fx)
{
	const struct fc_change *c = fc_timeline_get(fx->f->timeline, 0);
	size_t n = 0;

	for (size_t i = 0; c != NULL && i < c->n_stages; i++) {
		if (c->stages[i].kind != FC_STAGE_PROGRAMMED)
			continue;
		n++;
		CU_ASSERT_STRING_EQUAL(c->stages[i].node, "host1");
		CU_ASSERT_STRING_EQUAL(c->stages[i].text, "peer nva1: connection closed");
		CU_ASSERT_STRING_EQUAL(c->stages[i].subject, "nva1");
		CU_ASSERT_TRUE(i > 0 && c->stages[i].at_us >= c->stages[i - 1].at_us);
	}
	return n;
}

static void
test_the_timeline_ends_in_the_switch(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct host h = { 0 };

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&h));
	CU_ASSERT_EQUAL(programmed(&fx), 0); /* a snapshot is no change */
	fake_withdraw(&rs[0], "0.0.0.0/0", fab_wall_us());
	AWAIT(fx.loop, programmed(&fx) == 1);
	host_fini(&h);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static Fab__V1__NicList *
nics(struct fixture *fx, const char *name, enum fab_rpc_status *status)
{
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;

	req.nic = (char *)(uintptr_t)name;
	return (Fab__V1__NicList *)fixture_call(fx, "Nics", &req.base, status);
}

static void
test_counters_are_listed(void)
{
	struct fixture fx;
	struct host h = { 0 };
	enum fab_rpc_status status;
	Fab__V1__NicList *list;

	fixture_init(&fx, SMALL, false);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&h));
	host_port(&h, "nobody", 1, "no-route"); /* no port of ours */
	host_port(&h, "vm1", 5, "no-route");
	AWAIT(fx.loop, HASH_COUNT(known(&fx, "host1")->nics) == 1);
	list = nics(&fx, "vm1", &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	CU_ASSERT_EQUAL_FATAL(list->n_value, 1);
	CU_ASSERT_STRING_EQUAL(list->value[0]->host, "host1");
	CU_ASSERT_STRING_EQUAL(list->value[0]->ip_address, "10.11.0.4");
	CU_ASSERT_TRUE(list->value[0]->attached);
	CU_ASSERT_EQUAL(list->value[0]->rx_packets, 6);
	CU_ASSERT_EQUAL(list->value[0]->tx_packets, 7);
	CU_ASSERT_EQUAL_FATAL(list->value[0]->n_drops, 1);
	CU_ASSERT_STRING_EQUAL(list->value[0]->drops[0]->name, "no-route");
	CU_ASSERT_EQUAL(list->value[0]->drops[0]->value, 5);
	fab__v1__nic_list__free_unpacked(list, NULL);

	list = nics(&fx, "", &status);
	CU_ASSERT_EQUAL_FATAL(list->n_value, 3);
	fab__v1__nic_list__free_unpacked(list, NULL);
	CU_ASSERT_PTR_NULL(nics(&fx, "nobody", &status));
	CU_ASSERT_EQUAL(status, FAB_RPC_NOT_FOUND);

	host_fini(&h);
	AWAIT(fx.loop, known(&fx, "host1")->reporter == NULL);
	list = nics(&fx, "vm1", &status);
	CU_ASSERT_STRING_EQUAL(list->value[0]->host, "");
	fab__v1__nic_list__free_unpacked(list, NULL);
	fixture_fini(&fx);
}

static void
test_hosts_are_processes(void)
{
	struct fixture fx;
	struct host h = { .started_us = 77 };
	enum fab_rpc_status status;
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	Fab__V1__NodeList *list;
	const Fab__V1__NodeInfo *n;

	fixture_init(&fx, SMALL, false);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&h));
	host_port(&h, "vm1", 5, "no-route");
	host_port(&h, "nva1", 7, "no-route");
	AWAIT(fx.loop, HASH_COUNT(known(&fx, "host1")->nics) == 2);
	list = (Fab__V1__NodeList *)fixture_call(&fx, "Ps", &req.base, &status);
	CU_ASSERT_EQUAL_FATAL(status, FAB_RPC_OK);
	CU_ASSERT_EQUAL_FATAL(list->n_nodes, fx.f->topo->n_nodes + 2);
	n = list->nodes[list->n_nodes - 1];
	CU_ASSERT_STRING_EQUAL(n->name, "host1");
	CU_ASSERT_STRING_EQUAL(n->kind, "vswitch");
	CU_ASSERT_STRING_EQUAL(n->state, "running");
	CU_ASSERT_EQUAL(n->pid, 4711);
	CU_ASSERT_EQUAL(n->started_us, 77);
	CU_ASSERT_TRUE(n->converged);
	CU_ASSERT_EQUAL_FATAL(n->n_counters, 6);
	CU_ASSERT_STRING_EQUAL(n->counters[0]->name, "attached");
	CU_ASSERT_EQUAL(n->counters[0]->value, 2);
	CU_ASSERT_STRING_EQUAL(n->counters[5]->name, "no-route");
	CU_ASSERT_EQUAL(n->counters[5]->value, 12);
	fab__v1__node_list__free_unpacked(list, NULL);
	host_fini(&h);
	AWAIT(fx.loop, known(&fx, "host1")->reporter == NULL);
	list = (Fab__V1__NodeList *)fixture_call(&fx, "Ps", &req.base, &status);
	CU_ASSERT_STRING_EQUAL(list->nodes[list->n_nodes - 1]->state, "lost");
	fab__v1__node_list__free_unpacked(list, NULL);
	fixture_fini(&fx);
}

/* ---- tests: links of NICs ---- */

static void
host_plug(struct host *h, const char *name, bool attached)
{
	Fab__V1__SwitchReport m = FAB__V1__SWITCH_REPORT__INIT;
	Fab__V1__SwitchPortReport p = FAB__V1__SWITCH_PORT_REPORT__INIT;

	p.name = (char *)(uintptr_t)name;
	p.attached = attached;
	m.body_case = FAB__V1__SWITCH_REPORT__BODY_PORT;
	m.port = &p;
	fab_rpc_stream_put(h->report, &m.base);
}

static bool
is_attached(struct fixture *fx, const char *name)
{
	const struct fc_switch_host *host;
	const struct fc_switch_nic *n = fc_switch_nic(fx->f->sw, name, &host);

	return n != NULL && n->attached;
}

/* Not RS-91: what timing.link_detect at_once is for. Who was never attached has lost nothing, and
 * neither has who was attached to a vswitchd that is gone. */
static void
test_route_servers_hear_of_a_lost_link(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct host h = { 0 };

	fixture_init(&fx, SMALL, false);
	fake_route_servers(&fx, rs);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&h));
	host_plug(&h, "nva2", false);
	host_plug(&h, "nva1", true);
	AWAIT(fx.loop, is_attached(&fx, "nva1"));
	host_plug(&h, "nva1", false);
	AWAIT(fx.loop, rs[0].faults == 1 && rs[1].faults == 1);
	CU_ASSERT_STRING_EQUAL(rs[0].faulted, "nva1");
	CU_ASSERT_TRUE(rs[0].fault.link_down);
	CU_ASSERT_FALSE(rs[0].fault.cut_in || rs[0].fault.cut_out);
	host_plug(&h, "nva1", true);
	AWAIT(fx.loop, is_attached(&fx, "nva1"));
	host_fini(&h); /* as SIGKILL */
	AWAIT(fx.loop, !is_attached(&fx, "nva1"));
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&h));
	host_plug(&h, "nva1", false);
	host_plug(&h, "nva2", true);
	AWAIT(fx.loop, is_attached(&fx, "nva2"));
	CU_ASSERT_EQUAL(rs[0].faults, 1);
	host_fini(&h);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

static void
note_power_off(struct fixture *fx, const char *node)
{
	Fab__V1__FaultNote note = FAB__V1__FAULT_NOTE__INIT;
	enum fab_rpc_status status;
	ProtobufCMessage *reply;

	note.action = (char *)(uintptr_t) "kill guest";
	note.node = (char *)(uintptr_t)node;
	reply = fixture_call(fx, "NoteFault", &note.base, &status);
	CU_ASSERT_EQUAL(status, FAB_RPC_OK);
	protobuf_c_message_free_unpacked(reply, NULL);
}

/* RS-91: a machine without power closes no connection, over NNG neither. */
static void
test_a_machine_without_power_is_cut_off(void)
{
	struct fixture fx;
	struct fake rs[2];
	struct host h = { 0 };

	fixture_init(&fx, SMALL, false);
	CU_ASSERT_EQUAL(
	    fixture_set(&fx, "fabric", "fabric", "timing.link_detect=hold_timer"), FAB_RPC_OK);
	fake_route_servers(&fx, rs);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&h));
	host_plug(&h, "nva1", true);
	AWAIT(fx.loop, is_attached(&fx, "nva1"));
	note_power_off(&fx, "nva1");
	AWAIT(fx.loop, fake_peer(&rs[0], "nva1")->cut_in && fake_peer(&rs[1], "nva1")->cut_in);
	CU_ASSERT_TRUE(fake_peer(&rs[0], "nva1")->cut_out);
	CU_ASSERT_FALSE(fake_peer(&rs[0], "nva2")->cut_in);
	host_plug(&h, "nva1", false);
	AWAIT(fx.loop, !is_attached(&fx, "nva1"));
	CU_ASSERT_TRUE(fake_peer(&rs[0], "nva1")->cut_in);
	host_plug(&h, "nva1", true);
	AWAIT(fx.loop, !fake_peer(&rs[0], "nva1")->cut_in && !fake_peer(&rs[1], "nva1")->cut_in);
	CU_ASSERT_EQUAL(rs[0].faults, 0); /* nobody is told */
	host_fini(&h);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* ---- tests: health of backends ---- */

#define PROBED                                                                                     \
	"load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.100, backends: [nva1, nva2], probe: "   \
	"{port: 80}}}\n"

static void
host_found(struct host *h, const char *balancer, const char *backend, bool healthy)
{
	Fab__V1__SwitchReport m = FAB__V1__SWITCH_REPORT__INIT;
	Fab__V1__SwitchHealth p = FAB__V1__SWITCH_HEALTH__INIT;

	p.balancer = (char *)(uintptr_t)balancer;
	p.backend = (char *)(uintptr_t)backend;
	p.healthy = healthy;
	p.why = (char *)(uintptr_t)(healthy ? "" : "connection refused");
	m.body_case = FAB__V1__SWITCH_REPORT__BODY_HEALTH;
	m.health = &p;
	fab_rpc_stream_put(h->report, &m.base);
}

/* How many members the group has that takes packets for 10.1.2.100. */
static size_t
backends_told(const struct host *h)
{
	uint32_t addr = 0x0a010264;

	for (size_t i = 0; i < REF_MAX; i++) {
		uint32_t *slot = fc_lpm_slot(&h->ref->tables[i].routes, (struct ipnet){ addr, 32 });

		if (slot != NULL)
			return ref_group(h->ref, *slot)->key.n_members;
	}
	return 0;
}

static bool
has_event(struct fixture *fx, const char *subject, const char *text)
{
	const struct fc_event *e = NULL;

	for (uint64_t seq = 0; (e = fc_events_after(fx->f->events, seq)) != NULL; seq = e->seq)
		if (strcmp(e->subject, subject) == 0 && strcmp(e->text, text) == 0)
			return true;
	return false;
}

static bool
is_healthy(struct fixture *fx, const char *backend)
{
	const struct topo *t = fx->f->topo;

	return fc_backend_is_healthy(fx->f->layers, &t->balancers[0], topo_find_nic(t, backend));
}

/* RS-57: findings become groups, events and the end of a wait; they stay when vswitchd goes. */
static void
test_findings_reach_the_tables(void)
{
	struct fixture fx;
	struct host h = { 0 };

	fixture_init(&fx, SMALL PROBED, false);
	host_init(&h, &fx, "host1");
	AWAIT(fx.loop, acknowledged(&h) && backends_told(&h) == 2);
	host_found(&h, "lb", "nobody", false);
	host_found(&h, "nobody", "nva1", false);
	host_found(&h, "lb", "nva1", false);
	AWAIT(fx.loop, backends_told(&h) == 1 && acknowledged(&h));
	CU_ASSERT_FALSE(is_healthy(&fx, "nva1"));
	CU_ASSERT_TRUE(has_event(&fx, "lb", "probe of nva1 failed: connection refused"));
	host_fini(&h); /* as SIGKILL */
	AWAIT(fx.loop, known(&fx, "host1")->reporter == NULL);
	CU_ASSERT_FALSE(is_healthy(&fx, "nva1"));
	host_init(&h, &fx, "host1"); /* another process, which knows nothing */
	AWAIT(fx.loop, acknowledged(&h) && backends_told(&h) == 1);
	host_found(&h, "lb", "nva1", true);
	AWAIT(fx.loop, backends_told(&h) == 2 && acknowledged(&h));
	CU_ASSERT_TRUE(has_event(&fx, "lb", "probe of nva1 succeeded"));
	host_fini(&h);
	fixture_fini(&fx);
}

/* A new fabricd hears what the probes found before it tells a vswitchd that forwards anything. */
static void
test_a_new_fabricd_asks_for_findings_first(void)
{
	struct host silent = { .forwarding = true }, fresh = { 0 };
	struct fixture fx;
	struct fake rs[2];

	fixture_init(&fx, SMALL PROBED, false);
	fake_route_servers(&fx, rs);
	host_init(&fresh, &fx, "host2");
	AWAIT(fx.loop, up_to_date(&fresh));
	host_init(&silent, &fx, "host1");
	fab_rpc_stream_free(silent.report); /* it says nothing of itself */
	silent.report = NULL;
	AWAIT(fx.loop, silent.ended == FAB_RPC_UNAVAILABLE);
	CU_ASSERT_EQUAL(silent.messages, 0);
	host_fini(&silent);
	silent = (struct host){ .forwarding = true };
	host_init(&silent, &fx, "host1");
	AWAIT(fx.loop, up_to_date(&silent));
	CU_ASSERT_TRUE(known(&fx, "host1")->told);
	host_fini(&silent);
	host_fini(&fresh);
	fake_fini(&rs[0]);
	fake_fini(&rs[1]);
	fixture_fini(&fx);
}

/* ---- tests: links ---- */

struct asked {
	bool done;
	enum fab_rpc_status status;
};

static void
link_answered(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct asked *a = ctx;

	(void)message;
	(void)reply;
	a->done = true;
	a->status = status;
}

static void
ask_link(struct fixture *fx, struct asked *a, uint32_t delay_us)
{
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	Fab__V1__LinkField field = FAB__V1__LINK_FIELD__LINK_DELAY;

	*a = (struct asked){ .done = false };
	req.a = (char *)(uintptr_t) "vm1";
	req.set = true;
	req.fields = &field;
	req.n_fields = 1;
	req.delay_us = delay_us;
	fab_rpc_call(fx->client, &fab__v1__fabric__descriptor, "Link", &req.base, 20000, 20000,
	    link_answered, a);
}

/* An answer says that every vswitchd that is there has the change in force. */
static void
test_a_link_is_answered_when_in_force(void)
{
	struct host quick = { 0 }, slow = { .mute = true };
	struct fixture fx;
	struct asked a;

	fixture_init(&fx, SMALL, false);
	ask_link(&fx, &a, 1000); /* nobody is there */
	AWAIT(fx.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_OK);
	host_init(&quick, &fx, "host1");
	host_init(&slow, &fx, "host2");
	AWAIT(fx.loop, acknowledged(&quick) && up_to_date(&slow));
	ask_link(&fx, &a, 2000);
	AWAIT(fx.loop, acknowledged(&quick) && up_to_date(&slow) && slow.updates == 2);
	fab_loop_turn(fx.loop, 50);
	CU_ASSERT_FALSE(a.done);
	acknowledge(&slow, slow.generation - 1); /* something else */
	AWAIT(fx.loop, known(&fx, "host2")->generation == slow.generation - 1);
	CU_ASSERT_FALSE(a.done);
	acknowledge(&slow, slow.generation);
	AWAIT(fx.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_OK);
	ask_link(&fx, &a, 2000); /* as it is already: nothing is sent */
	AWAIT(fx.loop, a.done);
	CU_ASSERT_EQUAL(slow.updates, 2);
	ask_link(&fx, &a, 3000);
	AWAIT(fx.loop, up_to_date(&slow) && slow.updates == 3);
	CU_ASSERT_FALSE(a.done);
	host_fini(&slow); /* who is gone is not waited for */
	AWAIT(fx.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_OK);
	host_fini(&quick);
	fixture_fini(&fx);
}

static CU_TestInfo tests[] = {
	{ "a link is answered when in force", test_a_link_is_answered_when_in_force },
	{ "RS-57: findings of probes reach the tables", test_findings_reach_the_tables },
	{ "a new fabricd asks for findings first", test_a_new_fabricd_asks_for_findings_first },
	{ "SC-D: what an NVA learns in a tunnel reaches the tables",
	    test_what_an_nva_learns_in_a_tunnel_reaches_the_tables },
	{ "a new fabricd does not take routes away", test_a_new_fabricd_does_not_take_routes_away },
	{ "a snapshot, then differences", test_a_snapshot_then_differences },
	{ "RS-93: the loss of an instance reaches the tables",
	    test_the_loss_of_an_instance_reaches_the_tables },
	{ "large tables come in pieces", test_large_tables_come_in_pieces },
	{ "nothing is computed for nobody", test_nothing_is_computed_for_nobody },
	{ "a new fabricd starts with a snapshot", test_a_new_fabricd_starts_with_a_snapshot },
	{ "the process that started last has the host",
	    test_the_process_that_started_last_has_the_host },
	{ "the number of hosts is limited", test_the_number_of_hosts_is_limited },
	{ "converged waits for the tables in force", test_converged_waits_for_the_tables_in_force },
	{ "wait converged", test_wait_converged },
	{ "the timeline ends in the switch", test_the_timeline_ends_in_the_switch },
	{ "counters are listed", test_counters_are_listed },
	{ "hosts are processes", test_hosts_are_processes },
	{ "Route Servers hear of a lost link at once, if they are to",
	    test_route_servers_hear_of_a_lost_link },
	{ "RS-91: a machine without power is cut off", test_a_machine_without_power_is_cut_off },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_switch", tests)
