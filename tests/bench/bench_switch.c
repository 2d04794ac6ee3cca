/*
 * The switch's tables at Azure's limits: 500 VNets peered with a hub, 4,000 machines, 8 NVAs with
 * 4,000 routes each in the BGP tables of both instances (RS-20, RS-21, RS-24). Measures what it
 * takes to put updates in force, how many packets a second can be looked up, and what it all
 * weighs; then updates again with the BPF engine, where it is possible: in force means that the
 * kernel has them.
 *
 * Exit status 1: a p99 or the memory is above its aim.
 */
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "vswitchd/vs_bpf.h"
#include "vswitchd/vs_model.h"
#include "vswitchd/vs_slab.h"

#include <getopt.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SPOKES       500
#define VMS_PER_VNET 8
#define MACHINES     (SPOKES * VMS_PER_VNET)
#define PEERS        8
#define ROUTES       4000
#define LOOKUPS      1000000
#define RUNS_MAX     10000
#define APART_MAX    20 /* runs with a rest between them */
#define MIB          (1024.0 * 1024.0)

/* Ids. VNet 0 is the hub. */
#define T_OWNERS(vnet) (1 + (vnet))
#define T_SYSTEM(vnet) (1001 + (vnet))
#define T_BGP(inst)    (2001 + (inst))
#define G_VNET(vnet)   (1 + (vnet))
#define G_VIA(peer)    (1001 + (peer))
#define G_INTERNET     1101
#define G_NONE         1102
#define G_PORT(port)   (2000 + (port))

struct bench {
	struct vs_model *m;
	uint64_t generation;
	uint32_t addr[PEERS][ROUTES]; /* /24s */
	uint32_t group[PEERS][ROUTES];
	uint8_t len[ROUTES];
	size_t runs;
	double *us; /* of one measurement */
	json_t *results;
	struct vs_engine *bpf; /* NULL: not there (yet) */
	struct fab_loop *loop; /* with bpf */
	bool apart;            /* a peer fails once in a while, not a hundred times a second */
	bool json, missed;
};

static uint32_t
vnet_net(uint32_t vnet)
{
	return vnet == 0 ? 0x0a000000 : 0x0a100000 + (vnet << 8);
}

static uint8_t
vnet_len(uint32_t vnet)
{
	return vnet == 0 ? 16 : 24;
}

/* The hub's are its NVAs. */
static uint32_t
port_ip(uint32_t port)
{
	if (port <= PEERS)
		return 0x0a000104 + port - 1;
	port -= PEERS + 1;
	return vnet_net(1 + port / VMS_PER_VNET) + 4 + port % VMS_PER_VNET;
}

static uint32_t
port_vnet(uint32_t port)
{
	return port <= PEERS ? 0 : 1 + (port - PEERS - 1) / VMS_PER_VNET;
}

/* ---- updates ---- */

static void
apply(struct bench *b, struct vs_update *u)
{
	char why[128];

	u->generation = ++b->generation;
	if (vs_model_apply(b->m, u, why) == FAB_OK)
		return;
	fprintf(stderr, "bench_switch: %s\n", why);
	abort();
}

static void
put_tables(struct bench *b, const struct vs_table_delta *d, size_t n, bool last)
{
	apply(b, &(struct vs_update){ .tables = d, .n_tables = n, .last = last });
}

static void
put_group(struct bench *b, struct vs_group_conf g)
{
	apply(b, &(struct vs_update){ .groups = &g, .n_groups = 1 });
}

static void
put_groups(struct bench *b)
{
	for (uint32_t v = 0; v <= SPOKES; v++)
		put_group(b, (struct vs_group_conf){
				 .id = G_VNET(v), .kind = VS_GROUP_DELIVER, .table = T_OWNERS(v) });
	for (uint32_t p = 0; p < PEERS; p++)
		put_group(b, (struct vs_group_conf){ .id = G_VIA(p),
				 .kind = VS_GROUP_VIA,
				 .members = (uint32_t[]){ port_ip(1 + p) },
				 .n_members = 1 });
	for (uint32_t p = 1; p <= PEERS + MACHINES; p++)
		put_group(b,
		    (struct vs_group_conf){
			.id = G_PORT(p), .kind = VS_GROUP_PORTS, .members = &p, .n_members = 1 });
	put_group(b, (struct vs_group_conf){ .id = G_INTERNET,
			 .kind = VS_GROUP_INTERNET,
			 .table = T_OWNERS(0), /* nobody there has a public address */
			 .members = (uint32_t[]){ 1 },
			 .n_members = 1 });
	put_group(b, (struct vs_group_conf){ .id = G_NONE, .kind = VS_GROUP_DROP });
}

static void
put_route(struct bench *b, uint32_t table, uint32_t addr, uint8_t len, uint32_t group)
{
	struct vs_table_delta d = {
		.id = table, .addr = &addr, .len = &len, .group = &group, .n = 1
	};

	put_tables(b, &d, 1, false);
}

static void
put_system(struct bench *b, uint32_t vnet)
{
	static const struct ipnet none[] = { { 0x0a000000, 8 }, { 0xac100000, 12 },
		{ 0xc0a80000, 16 }, { 0x64400000, 10 }, { 0x7f000000, 8 }, { 0xc6120000, 15 } };

	put_route(b, T_SYSTEM(vnet), 0, 0, G_INTERNET);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		put_route(b, T_SYSTEM(vnet), none[i].addr, none[i].len, G_NONE);
	for (uint32_t v = 0; v <= SPOKES; v++)
		if (v == vnet || v == 0 || vnet == 0)
			put_route(b, T_SYSTEM(vnet), vnet_net(v), vnet_len(v), G_VNET(v));
}

static void
put_port(struct bench *b, uint32_t id)
{
	char name[16];
	struct vs_port_conf p = { .id = id,
		.name = name,
		.ip = port_ip(id),
		.prefix_len = 24,
		.up = true,
		.forwarding = id <= PEERS,
		.bgp = T_BGP(id % 2),
		.system = T_SYSTEM(port_vnet(id)),
		.mtu = 1500 };

	snprintf(name, sizeof(name), "port%u", id);
	put_route(b, T_OWNERS(port_vnet(id)), p.ip, 32, G_PORT(id));
	apply(b, &(struct vs_update){ .ports = &p, .n_ports = 1 });
}

/* One peer's routes, in the tables of both instances. */
static void
announce(struct bench *b, unsigned row, bool last)
{
	struct vs_table_delta d[2];

	for (uint32_t i = 0; i < 2; i++)
		d[i] = (struct vs_table_delta){ .id = T_BGP(i),
			.addr = b->addr[row],
			.len = b->len,
			.group = b->group[row],
			.n = ROUTES };
	put_tables(b, d, 2, last);
}

static void
withdraw(struct bench *b, unsigned row)
{
	struct vs_table_delta d[2];

	for (uint32_t i = 0; i < 2; i++)
		d[i] = (struct vs_table_delta){ .id = T_BGP(i),
			.withdrawn_addr = b->addr[row],
			.withdrawn_len = b->len,
			.n_withdrawn = ROUTES };
	put_tables(b, d, 2, true);
}

static void
snapshot(struct bench *b)
{
	apply(b, &(struct vs_update){ .snapshot = true });
	put_groups(b);
	for (uint32_t v = 0; v <= SPOKES; v++)
		put_system(b, v);
	for (uint32_t p = 1; p <= PEERS + MACHINES; p++)
		put_port(b, p);
	for (unsigned row = 0; row < PEERS; row++)
		announce(b, row, row == PEERS - 1);
}

/* 11.0.0.0/24 and on, in no particular order. */
static void
make_routes(struct bench *b)
{
	for (uint32_t p = 0; p < PEERS; p++)
		for (uint32_t i = 0; i < ROUTES; i++) {
			b->addr[p][i] =
			    0x0b000000 + ((p * ROUTES + i * 2741 % ROUTES) << 8); /* 2741: prime */
			b->group[p][i] = G_VIA(p);
		}
	memset(b->len, 24, sizeof(b->len));
}

/* ---- measuring ---- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
result(struct bench *b, const char *name, size_t n, double aim_ms)
{
	size_t p99 = (n * 99 + 99) / 100 - 1; /* nearest rank */
	char full[80];
	bool ok;

	snprintf(full, sizeof(full), "%s%s", name, b->bpf != NULL ? ", BPF" : "");

	qsort(b->us, n, sizeof(b->us[0]), by_value);
	ok = aim_ms <= 0 || b->us[p99] < aim_ms * 1000;
	b->missed = b->missed || !ok;
	json_array_append_new(b->results,
	    json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:b}", "name", full, "min_ms",
		b->us[0] / 1000, "median_ms", b->us[n / 2] / 1000, "p99_ms", b->us[p99] / 1000,
		"max_ms", b->us[n - 1] / 1000, "aim_ms", aim_ms, "ok", ok));
	if (b->json)
		return;
	printf("%-58s %9.3f %9.3f %9.3f %9.3f", full, b->us[0] / 1000, b->us[n / 2] / 1000,
	    b->us[p99] / 1000, b->us[n - 1] / 1000);
	if (aim_ms > 0)
		printf("   < %g %s", aim_ms, ok ? "ok" : "MISSED");
	printf("\n");
}

#define MEASURE(b, i, statement)                                                                   \
	do {                                                                                       \
		struct fab_mono before = fab_mono_now();                                           \
		statement;                                                                         \
		(b)->us[i] = (double)(fab_mono_now().ns - before.ns) / 1000;                       \
	} while (0)

/* What was replaced before rests for so long; sooner the next change may have to wait for RCU. */
static void
rest(const struct bench *b)
{
	const struct timespec t = { .tv_sec = VS_SLAB_REST_MS / 1000,
		.tv_nsec = VS_SLAB_REST_MS % 1000 * 1000000L };

	if (b->apart)
		nanosleep(&t, NULL);
}

static void
measure_snapshot(struct bench *b)
{
	size_t n = b->runs < 10 ? b->runs : 10;

	for (size_t i = 0; i < n; i++)
		MEASURE(b, i, snapshot(b));
	result(b, "snapshot in many small messages", n, 0);
}

static void
measure_withdrawal(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++) {
		unsigned row = (unsigned)i % PEERS;

		rest(b);
		MEASURE(b, i, withdraw(b, row));
		announce(b, row, true);
	}
	result(b, "withdraw 4,000 of 32,000 routes, both instances", b->runs, 20);
}

/* A storm, which has to wait for room now and then. */
static void
measure_storm(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++) {
		unsigned row = (unsigned)i % PEERS;

		MEASURE(b, i, {
			withdraw(b, row);
			announce(b, row, true);
		});
	}
	result(b, "withdraw and announce, without a pause", b->runs, 0);
}

static void
measure_announcement(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++) {
		unsigned row = (unsigned)i % PEERS;

		withdraw(b, row);
		rest(b);
		MEASURE(b, i, announce(b, row, true));
	}
	result(b, "announce them again", b->runs, 20);
}

/* Losing an NVA that others stand in for: one group. */
static void
measure_group(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++) {
		struct vs_group_conf g = { .id = G_VIA(0),
			.kind = VS_GROUP_VIA,
			.members = (uint32_t[]){ port_ip(1 + i % 2) },
			.n_members = 1 };
		struct vs_update u = { .groups = &g, .n_groups = 1, .last = true };

		rest(b);
		MEASURE(b, i, apply(b, &u));
	}
	result(b, "one next hop of 4,000 routes", b->runs, 5);
}

/* Half of the packets follow a BGP route to an NVA, half stay in their VNet. */
static void
look_up(struct bench *b, uint32_t n)
{
	struct vs_verdict v;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = PEERS + 1 + i * 2654435761u % MACHINES;
		struct vs_flow flow = { .src = port_ip(from), .hash = i * 2654435761u };

		flow.dst = i % 2 == 0 ? b->addr[i % PEERS][i * 40503u % ROUTES] + 1
				      : vnet_net(port_vnet(from)) + 4 + i / 2 % VMS_PER_VNET;
		vs_model_lock(b->m);
		vs_lookup(b->m, from, &flow, &v);
		vs_model_unlock(b->m);
		FAB_ASSERT(v.action == VS_TO_PORT);
	}
}

static void
measure_lookup(struct bench *b)
{
	struct fab_mono before = fab_mono_now();
	double rate;

	look_up(b, LOOKUPS);
	rate = LOOKUPS * 1e9 / (double)(fab_mono_now().ns - before.ns);
	json_array_append_new(
	    b->results, json_pack("{s:s, s:f}", "name", "lookups", "per_second", rate));
	if (!b->json)
		printf("lookups: %.2f million a second\n", rate / 1e6);
}

/* The model alone, and with all that was ever needed to make it. */
static void
report_memory(struct bench *b)
{
	struct rusage usage;
	double model = (double)vs_model_memory(b->m) / MIB, process;
	double arrays = b->bpf != NULL ? (double)vs_bpf_memory(b->bpf) / MIB : 0;
	bool ok;

	getrusage(RUSAGE_SELF, &usage);
	process = (double)usage.ru_maxrss / 1024;
	ok = process < 100;
	b->missed = b->missed || !ok;
	json_array_append_new(b->results,
	    json_pack("{s:s, s:f, s:f, s:f, s:f, s:b}", "name", "memory", "model_mib", model,
		"bpf_arrays_mib", arrays, "process_mib", process, "aim_mib", 100.0, "ok", ok));
	if (!b->json)
		printf("memory: model %.1f MiB, BPF arrays %.1f MiB, process %.1f MiB   < 100 %s\n",
		    model, arrays, process, ok ? "ok" : "MISSED");
}

/* The same with the engine that has tables of its own; in a namespace where its interface is. */
static void
with_bpf(struct bench *b)
{
	struct vs_engine *e;
	struct fab_loop *loop;
	char why[VS_BPF_WHY_MAX];

	fab_log_init("bench_switch", FAB_LOG_ERROR);
	if (unshare(CLONE_NEWNET) != 0 || fab_loop_new(&loop) != FAB_OK)
		return;
	if (vs_bpf_new(&e, b->m, loop, why) == FAB_OK) {
		b->bpf = e;
		b->loop = loop;
		measure_snapshot(b);
		measure_storm(b);
		b->runs = b->runs < APART_MAX ? b->runs : APART_MAX;
		b->apart = true;
		measure_withdrawal(b);
		measure_announcement(b);
		measure_group(b);
		return;
	}
	fprintf(stderr, "bench_switch: without the BPF engine: %s\n", why);
	fab_loop_free(loop);
}

static void
run(struct bench *b)
{
	if (!b->json)
		printf(
		    "%d VNets, %d ports, %d peers x %d routes, %zu runs\n%-58s %9s %9s %9s %9s   "
		    "aim (p99)\n",
		    SPOKES + 1, PEERS + MACHINES, PEERS, ROUTES, b->runs, "ms", "min", "median",
		    "p99", "max");
	measure_snapshot(b);
	measure_withdrawal(b);
	measure_announcement(b);
	measure_group(b);
	measure_lookup(b);
	with_bpf(b);
	report_memory(b);
	if (b->json && json_dumpf(b->results, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0)
		printf("\n");
}

static int
usage(void)
{
	fprintf(stderr, "usage: bench_switch [--runs N] [--json]\n");
	return 2;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "runs", 1, NULL, 'r' }, { "json", 0, NULL, 'j' },
		{ 0 } };
	static struct bench b = { .runs = 100 };
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			b.json = true;
		else if (c == 'r')
			b.runs = strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (optind < argc || b.runs == 0 || b.runs > RUNS_MAX)
		return usage();
	b.us = calloc(b.runs, sizeof(b.us[0]));
	b.results = json_array();
	FAB_ASSERT(b.us != NULL && b.results != NULL && vs_model_new(&b.m) == FAB_OK);
	make_routes(&b);
	run(&b);
	vs_engine_free(b.bpf);
	if (b.loop != NULL)
		fab_loop_free(b.loop);
	vs_model_free(b.m);
	json_decref(b.results);
	free(b.us);
	return b.missed ? 1 : 0;
}
