/*
 * Tables in, reports out (see vs_sync.h).
 */
#include "vswitchd/vs_sync.h"

#include "vswitchd/wire_switch.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/rpc.h"
#include "lib/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#define SERVICE (&fab__v1__switch__descriptor)

/* What was last said of a port. */
struct told {
	UT_hash_handle hh;
	char name[VS_NAME_MAX];
	struct vs_counters counters;
};

struct vs_sync {
	struct vs_sync_conf conf;
	char host[VS_NAME_MAX], listen_url[256], engine[32], version[64];
	struct fab_rpc_sub *watch;
	struct fab_rpc_stream *report;
	struct fab_timer *tick, *retry;
	struct told *told;
	bool current; /* since the last message of an update, until the first of another */
	enum fab_rpc_status refused; /* the watch's last status that was logged */
	struct vs_sync_stats stats;
};

/* ---- reports ---- */

static void
fill_hello(struct vs_sync *s, Fab__V1__SwitchHello *hello)
{
	fab__v1__switch_hello__init(hello);
	hello->host = s->host;
	hello->pid = getpid();
	hello->version = s->version;
	hello->started_us = s->conf.started_us;
	hello->engine = s->engine;
	hello->listen_url = s->listen_url;
	hello->forwarding = vs_model_generation(s->conf.model) != 0;
}

static void
put(struct fab_rpc_stream *stream, Fab__V1__SwitchReport__BodyCase body, void *part)
{
	Fab__V1__SwitchReport m = FAB__V1__SWITCH_REPORT__INIT;

	m.body_case = body;
	m.at_us = fab_wall_us();
	if (body == FAB__V1__SWITCH_REPORT__BODY_HELLO)
		m.hello = part;
	else if (body == FAB__V1__SWITCH_REPORT__BODY_HEALTH)
		m.health = part;
	else
		m.port = part;
	fab_rpc_stream_put(stream, &m.base);
}

static void
put_generation(struct vs_sync *s, struct fab_rpc_stream *stream)
{
	Fab__V1__SwitchReport m = FAB__V1__SWITCH_REPORT__INIT;

	m.body_case = FAB__V1__SWITCH_REPORT__BODY_GENERATION;
	m.generation = vs_model_generation(s->conf.model);
	m.at_us = fab_wall_us();
	fab_rpc_stream_put(stream, &m.base);
}

static void
put_port(struct fab_rpc_stream *stream, struct told *t)
{
	Fab__V1__SwitchPortReport m = FAB__V1__SWITCH_PORT_REPORT__INIT;
	Fab__V1__SwitchCounter rows[VS_DROP_COUNT], *list[VS_DROP_COUNT];
	const struct vs_counters *c = &t->counters;

	m.name = t->name;
	m.attached = c->attached;
	m.rx_packets = c->rx_packets;
	m.rx_octets = c->rx_octets;
	m.tx_packets = c->tx_packets;
	m.tx_octets = c->tx_octets;
	m.drops = list;
	for (int i = 0; i < VS_DROP_COUNT; i++) {
		Fab__V1__SwitchCounter *row = &rows[m.n_drops];

		if (c->drops[i] == 0)
			continue;
		fab__v1__switch_counter__init(row);
		row->reason = (char *)(uintptr_t)vs_drop_name((enum vs_drop)i);
		row->packets = c->drops[i];
		list[m.n_drops++] = row;
	}
	put(stream, FAB__V1__SWITCH_REPORT__BODY_PORT, &m);
}

static bool
same_counters(const struct vs_counters *a, const struct vs_counters *b)
{
	return a->attached == b->attached && a->rx_packets == b->rx_packets &&
	       a->rx_octets == b->rx_octets && a->tx_packets == b->tx_packets &&
	       a->tx_octets == b->tx_octets && memcmp(a->drops, b->drops, sizeof(a->drops)) == 0;
}

/* Out of memory: the port is told of another time. */
static struct told *
told_add(struct vs_sync *s, const char *name)
{
	struct told *t;

	HASH_FIND_STR(s->told, name, t);
	if (t != NULL || strlen(name) >= sizeof(t->name) || (t = calloc(1, sizeof(*t))) == NULL)
		return t;
	snprintf(t->name, sizeof(t->name), "%s", name);
	HASH_ADD_STR(s->told, name, t);
	return t;
}

static void
told_forget(struct vs_sync *s)
{
	struct told *t, *tmp;

	HASH_ITER (hh, s->told, t, tmp) {
		HASH_DEL(s->told, t);
		free(t);
	}
}

/* Tells of a port whose counters are not those that were told last. */
static void
report_port(void *arg, const char *name, const struct vs_counters *c)
{
	struct vs_sync *s = arg;
	struct told *t;

	HASH_FIND_STR(s->told, name, t);
	if ((t != NULL && same_counters(&t->counters, c)) || (t = told_add(s, name)) == NULL)
		return;
	t->counters = *c;
	put_port(s->report, t);
}

static void
report_ports(struct vs_sync *s)
{
	if (s->conf.engine != NULL && s->report != NULL && fab_rpc_stream_live(s->report))
		vs_engine_each(s->conf.engine, report_port, s);
}

static void
tick(void *arg)
{
	struct vs_sync *s = arg;

	report_ports(s);
	fab_timer_set_within(s->tick, VS_SYNC_REPORT_MS, 2 * VS_SYNC_REPORT_MS);
}

void
vs_sync_changed(struct vs_sync *s, const char *name)
{
	struct vs_counters c;

	if (s->conf.engine != NULL && fab_rpc_stream_live(s->report) &&
	    vs_engine_counters(s->conf.engine, name, &c) == FAB_OK)
		report_port(s, name, &c);
}

static void
put_finding(void *stream, const struct vs_finding *f)
{
	Fab__V1__SwitchHealth m = FAB__V1__SWITCH_HEALTH__INIT;

	m.balancer = (char *)(uintptr_t)f->balancer;
	m.backend = (char *)(uintptr_t)f->backend;
	m.healthy = f->healthy;
	m.why = (char *)(uintptr_t)f->why;
	put(stream, FAB__V1__SWITCH_REPORT__BODY_HEALTH, &m);
}

void
vs_sync_found(struct vs_sync *s, const struct vs_finding *f)
{
	if (fab_rpc_stream_live(s->report))
		put_finding(s->report, f);
}

static void
report_findings(struct vs_sync *s, struct fab_rpc_stream *stream)
{
	if (s->conf.prober != NULL)
		vs_prober_each(s->conf.prober, put_finding, stream);
}

struct snapshot {
	struct vs_sync *s;
	struct fab_rpc_stream *stream;
};

static void
snapshot_port(void *arg, const char *name, const struct vs_counters *c)
{
	struct snapshot *sn = arg;
	struct told *t = told_add(sn->s, name);

	if (t == NULL)
		return;
	t->counters = *c;
	put_port(sn->stream, t);
}

static void
report_snapshot(void *ctx, struct fab_rpc_stream *stream)
{
	struct snapshot sn = { ctx, stream };
	Fab__V1__SwitchHello hello;
	struct vs_sync *s = ctx;

	fill_hello(s, &hello);
	put(stream, FAB__V1__SWITCH_REPORT__BODY_HELLO, &hello);
	if (vs_model_generation(s->conf.model) != 0)
		put_generation(s, stream);
	told_forget(s);
	if (s->conf.engine != NULL)
		vs_engine_each(s->conf.engine, snapshot_port, &sn);
	report_findings(s, stream);
}

static const struct fab_rpc_stream_ops report_ops = { .snapshot = report_snapshot };

/* ---- tables ---- */

/* fabricd forgets what it was told of ports that it did not know of; with its snapshot it does. */
static void
in_force(struct vs_sync *s, bool snapshot)
{
	s->current = true;
	s->stats.updates++;
	put_generation(s, s->report);
	if (s->conf.applied != NULL)
		s->conf.applied(s->conf.ctx);
	if (!snapshot)
		return;
	told_forget(s);
	report_ports(s);
}

static int
apply(struct vs_sync *s, const Fab__V1__SwitchUpdate *m, char why[static 128])
{
	struct wire_switch_update w;
	int err = wire_switch_decode(&w, m, why);

	if (err != FAB_OK)
		return err;
	err = vs_model_apply(s->conf.model, &w.u, why);
	wire_switch_release(&w);
	return err;
}

static int subscribe(struct vs_sync *s);

/* A stream that brought something wrong is left; another one starts with a snapshot. */
static void
start_again(struct vs_sync *s)
{
	fab_rpc_sub_free(s->watch);
	s->watch = NULL;
	fab_timer_set_ms(s->retry, VS_SYNC_RETRY_MS);
}

static void
retry(void *arg)
{
	struct vs_sync *s = arg;

	if (s->watch == NULL && subscribe(s) != FAB_OK)
		fab_timer_set_ms(s->retry, VS_SYNC_RETRY_MS);
}

static void
watch_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__SwitchUpdate *m = (const Fab__V1__SwitchUpdate *)item;
	struct vs_sync *s = ctx;
	char why[128];
	int err;

	if (m == NULL)
		return;
	s->refused = FAB_RPC_OK;
	s->current = false;
	s->stats.snapshots += m->snapshot;
	if ((err = apply(s, m, why)) != FAB_OK) {
		s->stats.refused++;
		fab_error("tables %llu refused, forwarding as before: %s: %s",
		    (unsigned long long)m->generation, fab_strerror(err), why);
		start_again(s);
	} else if (m->last) {
		fab_debug("tables %llu in force", (unsigned long long)m->generation);
		in_force(s, info->in_snapshot);
	}
}

/* Whether we forward is another thing now than when the stream was opened. */
static void
ask_as_we_are(struct vs_sync *s)
{
	Fab__V1__SwitchHello hello;

	fill_hello(s, &hello);
	if (s->watch != NULL && fab_rpc_sub_set_request(s->watch, &hello.base) != FAB_OK)
		fab_warn("out of memory: fabricd may take us for one that has no tables");
}

/* The library asks again by itself; one line for each new reason is enough. */
static void
watch_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct vs_sync *s = ctx;

	s->current = false;
	ask_as_we_are(s);
	if (status == s->refused || status == FAB_RPC_UNAVAILABLE)
		return; /* a lost connection has its own line */
	s->refused = status;
	fab_warn("no tables from fabricd: %s: %s", fab_rpc_status_name(status), message);
}

static const struct fab_rpc_sub_ops watch_ops = { watch_item, watch_ended };

static int
subscribe(struct vs_sync *s)
{
	Fab__V1__SwitchHello hello;

	fill_hello(s, &hello);
	return fab_rpc_subscribe(
	    &s->watch, s->conf.client, SERVICE, "Watch", &hello.base, &watch_ops, s);
}

bool
vs_sync_current(const struct vs_sync *s)
{
	return s->current;
}

const struct vs_sync_stats *
vs_sync_stats(const struct vs_sync *s)
{
	return &s->stats;
}

/* ---- life ---- */

static int
start(struct vs_sync *s)
{
	int err = fab_timer_new(&s->tick, s->conf.loop, tick, s);

	if (err == FAB_OK)
		err = fab_timer_new(&s->retry, s->conf.loop, retry, s);
	if (err == FAB_OK)
		err =
		    fab_rpc_publish(&s->report, s->conf.client, SERVICE, "Report", &report_ops, s);
	if (err == FAB_OK)
		err = subscribe(s);
	if (err == FAB_OK)
		fab_timer_set_ms(s->tick, VS_SYNC_REPORT_MS);
	return err;
}

int
vs_sync_new(struct vs_sync **out, const struct vs_sync_conf *conf)
{
	struct vs_sync *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return FAB_ENOMEM;
	s->conf = *conf;
	snprintf(s->host, sizeof(s->host), "%s", conf->host);
	snprintf(s->listen_url, sizeof(s->listen_url), "%s",
	    conf->listen_url != NULL ? conf->listen_url : "");
	snprintf(s->engine, sizeof(s->engine), "%s",
	    conf->engine != NULL ? conf->engine->ops->name : "none");
	snprintf(s->version, sizeof(s->version), "%s", fab_version());
	if ((err = start(s)) != FAB_OK) {
		vs_sync_free(s);
		return err;
	}
	*out = s;
	return FAB_OK;
}

void
vs_sync_free(struct vs_sync *s)
{
	if (s == NULL)
		return;
	fab_rpc_sub_free(s->watch);
	fab_rpc_stream_free(s->report);
	fab_timer_free(s->tick);
	fab_timer_free(s->retry);
	told_forget(s);
	free(s);
}
