/*
 * The parts of vswitchd (see vs_daemon.h), and what it tells of itself.
 */
#include "vswitchd/vs_daemon.h"

#include "vswitchd/vs_attach.h"
#include "vswitchd/vs_bpf.h"
#include "vswitchd/vs_caps.h"
#include "vswitchd/vs_nft.h"
#include "vswitchd/vs_sync.h"
#include "vswitchd/vs_user.h"
#include "vswitchd/vs_watch.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "proto/capture.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_ATTACH, OWN_MODE, OWN_ENGINE };

static const struct node_own_option options[] = {
	[OWN_ATTACH] = { "attach", "PATH", "socket where guests are plugged in" },
	[OWN_MODE] = { "attach-mode", "MODE", "who may: 0600 (default) or 0666" },
	[OWN_ENGINE] = { "engine", "ENGINE",
	    "what moves packets: auto (default), bpf, userspace or taps" },
	{ NULL, NULL, NULL },
};

struct vs_daemon {
	struct node *node;
	uint64_t started_us;
	struct vs_model *model;
	struct vs_engine *engine;
	struct vs_attach *attach; /* NULL: no --attach */
	struct vs_watch *watch;   /* captures */
	struct vs_prober *prober;
	struct vs_sync *sync;    /* NULL: not yet */
	uint64_t ports_revision; /* that the guests were told of */
};

/* ---- start and end ---- */

static const struct vs_port_conf *
find_port(void *ctx, const char *name)
{
	const struct vs_daemon *d = ctx;

	return vs_model_find(d->model, name);
}

static void
guest_changed(void *ctx, const char *name, bool attached)
{
	struct vs_daemon *d = ctx;

	(void)attached; /* the counters say so */
	if (d->sync != NULL)
		vs_sync_changed(d->sync, name);
}

/* Routes come and go by the second; guests care for ports only. */
static void
tables_applied(void *ctx)
{
	struct vs_daemon *d = ctx;
	uint64_t revision;

	vs_model_lock(d->model);
	revision = vs_model_ports_revision(d->model);
	vs_model_unlock(d->model);
	vs_prober_refresh(d->prober);
	if (d->attach != NULL && revision != d->ports_revision)
		vs_attach_refresh(d->attach);
	d->ports_revision = revision;
}

static void
found(void *ctx, const struct vs_finding *f)
{
	struct vs_daemon *d = ctx;

	fab_info("load balancer %s: backend %s is %shealthy%s%s", f->balancer, f->backend,
	    f->healthy ? "" : "not ", f->why[0] != '\0' ? ": " : "", f->why);
	if (d->sync != NULL)
		vs_sync_found(d->sync, f);
}

static int
complain(const struct node_options *o, int option)
{
	char what[32];

	snprintf(what, sizeof(what), "unknown --%s", options[option].name);
	return fab_args_complain(o->args.program, what, o->own[option]);
}

/* The kernel helps where nothing is in the way of it. */
static int
start_userspace(struct vs_daemon *d)
{
	char why[VS_NFT_WHY_MAX];

	if (vs_nft_new(&d->engine, d->model, node_loop(d->node), why) == FAB_OK) {
		fab_info("engine userspace+nft: the kernel moves flows that it was told of");
		return FAB_OK;
	}
	fab_info("engine userspace, without a flow cache in the kernel: %s", why);
	return vs_user_new(&d->engine, d->model);
}

static int
start_bpf(struct vs_daemon *d, bool must)
{
	char why[VS_BPF_WHY_MAX];

	if (vs_bpf_new(&d->engine, d->model, node_loop(d->node), why) == FAB_OK) {
		fab_info("engine bpf: the kernel moves what is plain");
		return FAB_OK;
	}
	if (must)
		fab_error("the BPF engine is not possible here: %s", why);
	else
		fab_info("BPF is not possible here: %s", why);
	return FAB_ENOTSUP;
}

/* Which one it is to be, by name; auto tries. */
static int
engine_start(struct vs_daemon *d, const struct node_options *o)
{
	const char *name = o->own[OWN_ENGINE] != NULL ? o->own[OWN_ENGINE] : "auto";

	if (strcmp(name, "taps") == 0)
		return vs_user_new(&d->engine, d->model);
	if (strcmp(name, "bpf") == 0)
		return start_bpf(d, true);
	if (strcmp(name, "userspace") == 0)
		return start_userspace(d);
	if (strcmp(name, "auto") != 0)
		return complain(o, OWN_ENGINE);
	return start_bpf(d, false) == FAB_OK ? FAB_OK : start_userspace(d);
}

static int
attach_start(struct vs_daemon *d, const struct node_options *o)
{
	const char *mode = o->own[OWN_MODE];
	const struct vs_attach_conf conf = { .loop = node_loop(d->node),
		.path = o->own[OWN_ATTACH],
		.mode = mode != NULL && strcmp(mode, "0666") == 0 ? 0666 : 0600,
		.engine = d->engine,
		.port = find_port,
		.changed = guest_changed,
		.ctx = d };
	int err;

	if (mode != NULL && strcmp(mode, "0600") != 0 && strcmp(mode, "0666") != 0)
		return complain(o, OWN_MODE);
	if (conf.path == NULL)
		return FAB_OK;
	if (!vs_caps_has_net_admin()) {
		fab_error("CAP_NET_ADMIN is missing: no guest can be plugged in");
		return FAB_EPERM;
	}
	if ((err = vs_attach_new(&d->attach, &conf)) != FAB_OK)
		fab_error("cannot take guests at %s: %s", conf.path, fab_strerror(err));
	return err;
}

static int
prober_start(struct vs_daemon *d)
{
	const struct vs_prober_conf conf = { .loop = node_loop(d->node),
		.model = d->model,
		.engine = d->engine,
		.changed = found,
		.ctx = d };

	return vs_prober_new(&d->prober, &conf);
}

static int
watch_start(struct vs_daemon *d)
{
	int err = vs_watch_new(&d->watch, node_loop(d->node), d->engine);

	if (err != FAB_OK || node_options(d->node)->listen_url == NULL)
		return err;
	return node_serve(d->node, &fab__v1__capture__descriptor, vs_watch_table, d->watch);
}

/* Guests go first, then the engine; what reads the model last. */
static void
daemon_stop(void *ctx)
{
	struct vs_daemon *d = ctx;
	struct vs_sync *sync = d->sync;

	d->sync = NULL; /* guests lose no link with us: the next vswitchd has them again */
	vs_attach_free(d->attach);
	vs_watch_free(d->watch);
	vs_sync_free(sync);
	vs_prober_free(d->prober);
	vs_engine_free(d->engine);
	vs_model_free(d->model);
	free(d);
}

static int
daemon_start(struct node *n, void **ctx)
{
	struct vs_daemon *d = calloc(1, sizeof(*d));
	int err = d == NULL ? FAB_ENOMEM : FAB_OK;

	if (err == FAB_OK) {
		d->node = n;
		d->started_us = fab_wall_us();
		err = vs_model_new(&d->model);
	}
	if (err == FAB_OK)
		err = engine_start(d, node_options(n));
	if (err == FAB_OK)
		err = prober_start(d);
	if (err == FAB_OK)
		err = attach_start(d, node_options(n));
	if (err == FAB_OK)
		err = watch_start(d);
	if (err != FAB_OK) {
		if (d != NULL)
			daemon_stop(d);
		return err;
	}
	*ctx = d;
	return FAB_OK;
}

static int
daemon_connect(void *ctx, struct fab_rpc_client *client)
{
	struct vs_daemon *d = ctx;
	const struct vs_sync_conf conf = { .loop = node_loop(d->node),
		.client = client,
		.model = d->model,
		.engine = d->engine,
		.prober = d->prober,
		.host = node_name(d->node),
		.listen_url = node_options(d->node)->listen_url,
		.started_us = d->started_us,
		.applied = tables_applied,
		.ctx = d };

	return vs_sync_new(&d->sync, &conf);
}

/* ---- what it tells of itself ---- */

static bool
daemon_converged(void *ctx)
{
	const struct vs_daemon *d = ctx;

	return d->sync != NULL && vs_sync_current(d->sync);
}

static void
sum_up(void *arg, const char *name, const struct vs_counters *c)
{
	struct vs_counters *sum = arg;

	(void)name;
	sum->rx_packets += c->rx_packets;
	sum->rx_octets += c->rx_octets;
	sum->tx_packets += c->tx_packets;
	sum->tx_octets += c->tx_octets;
	for (int i = 0; i < VS_DROP_COUNT; i++)
		sum->drops[i] += c->drops[i];
}

static void
daemon_stats(void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg)
{
	const struct vs_daemon *d = ctx;
	struct vs_counters sum = { 0 };
	size_t waiting = 0;
	char name[64];

	vs_engine_each(d->engine, sum_up, &sum);
	vs_engine_stats(d->engine, add, arg);
	add(arg, "generation", vs_model_generation(d->model));
	add(arg, "tables_octets", vs_model_memory(d->model));
	if (d->sync != NULL) {
		add(arg, "updates", vs_sync_stats(d->sync)->updates);
		add(arg, "snapshots", vs_sync_stats(d->sync)->snapshots);
		add(arg, "updates_refused", vs_sync_stats(d->sync)->refused);
	}
	if (d->attach != NULL) {
		add(arg, "guests", vs_attach_count(d->attach, &waiting));
		add(arg, "guests_waiting", waiting);
	}
	add(arg, "rx_packets", sum.rx_packets);
	add(arg, "rx_octets", sum.rx_octets);
	add(arg, "tx_packets", sum.tx_packets);
	add(arg, "tx_octets", sum.tx_octets);
	for (int i = 0; i < VS_DROP_COUNT; i++) {
		snprintf(name, sizeof(name), "drops-%s", vs_drop_name((enum vs_drop)i));
		add(arg, name, sum.drops[i]);
	}
}

struct dump {
	FILE *out;
	const struct vs_daemon *d;
};

static void
dump_port(void *arg, const char *name, const struct vs_counters *c)
{
	const struct dump *dump = arg;
	const struct vs_port_conf *p = vs_model_find(dump->d->model, name);
	char addr[IPADDR_STRLEN];

	fprintf(dump->out, "port %s: %s, %s%s, in %llu (%llu octets), out %llu (%llu octets)", name,
	    p == NULL ? "unknown to fabricd" : ipaddr_format(addr, p->ip),
	    c->attached ? "attached" : "not attached", p != NULL && !p->up ? ", down" : "",
	    (unsigned long long)c->rx_packets, (unsigned long long)c->rx_octets,
	    (unsigned long long)c->tx_packets, (unsigned long long)c->tx_octets);
	for (int i = 0; i < VS_DROP_COUNT; i++)
		if (c->drops[i] > 0)
			fprintf(dump->out, ", %s %llu", vs_drop_name((enum vs_drop)i),
			    (unsigned long long)c->drops[i]);
	fprintf(dump->out, "\n");
}

static char *
daemon_dump(void *ctx)
{
	struct dump dump = { .d = ctx };
	char *text = NULL;
	size_t size;

	if ((dump.out = open_memstream(&text, &size)) == NULL)
		return NULL;
	fprintf(dump.out, "engine %s, tables %llu%s, %zu octets\n", dump.d->engine->ops->name,
	    (unsigned long long)vs_model_generation(dump.d->model),
	    daemon_converged(ctx) ? ", the newest" : "", vs_model_memory(dump.d->model));
	vs_engine_each(dump.d->engine, dump_port, &dump);
	fclose(dump.out);
	return text;
}

const struct node_ops vs_daemon_ops = {
	.program = "vswitchd",
	.options = options,
	.kind = FAB__V1__NODE_KIND__NODE_VSWITCH,
	.start = daemon_start,
	.connect = daemon_connect,
	.stats = daemon_stats,
	.dump = daemon_dump,
	.converged = daemon_converged,
	.stop = daemon_stop,
};
