/*
 * The effective-route engine at Azure's limits: one Route Server, 500 spokes, 4,000 machines, 8
 * NVAs with 4,000 routes each. Measures what the loss of an NVA costs, as its two instances report
 * it (RS-20, RS-21, RS-24), how long questions take afterwards, and what it all weighs.
 *
 * Exit status 1: a p99 or the memory is above its aim.
 */
#include "fabricd/fc_eff.h"
#include "fabricd/fc_layers.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPOKES       500
#define VMS_PER_VNET 8
#define PEERS        8
#define ROUTES       4000
#define RUNS_MAX     10000
#define MIB          (1024.0 * 1024.0)

struct bench {
	struct topo *t;
	struct fc_layers *l;
	uint32_t addr[PEERS][ROUTES]; /* /24s; row 0 is also what all announce alike */
	uint8_t len[ROUTES];
	uint32_t hop[PEERS];
	size_t runs;
	double *us; /* of one measurement */
	json_t *results;
	bool json, missed;
};

/* ---- the fabric ---- */

__attribute__((format(printf, 2, 3))) static void
append(FILE *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
}

static void
write_topology(FILE *f)
{
	append(f, "limits: {rs_vnets: 501}\nvnets:\n  hub: {address_space: 10.0.0.0/16, subnets: "
		  "{RouteServerSubnet: "
		  "10.0.0.0/26, nva: 10.0.1.0/24}}\n");
	for (unsigned i = 0; i < SPOKES; i++)
		append(f, "  s%u: {address_space: 10.%u.%u.0/24, subnets: {vms: 10.%u.%u.0/25}}\n",
		    i, 16 + i / 250, i % 250, 16 + i / 250, i % 250);
	append(f, "peerings:\n  - {hub: hub, spoke: [s0");
	for (unsigned i = 1; i < SPOKES; i++)
		append(f, ", s%u", i);
	append(f, "]}\nroute_servers: {rs: {vnet: hub, peers: [n0");
	for (unsigned i = 1; i < PEERS; i++)
		append(f, ", n%u", i);
	append(f, "]}}\nnvas:\n");
	for (unsigned i = 0; i < PEERS; i++)
		append(
		    f, "  n%u: {subnet: hub/nva, ip: 10.0.1.%u, asn: %u}\n", i, 4 + i, 65001 + i);
	append(f, "vms:\n");
	for (unsigned i = 0; i < SPOKES * VMS_PER_VNET; i++)
		append(f, "  vm%u: {subnet: s%u/vms, ip: 10.%u.%u.%u}\n", i, i / VMS_PER_VNET,
		    16 + i / VMS_PER_VNET / 250, i / VMS_PER_VNET % 250, 4 + i % VMS_PER_VNET);
}

static int
build(struct bench *b)
{
	static struct topo_errors errs;
	struct topo_doc *doc = NULL;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int err;

	if (f == NULL)
		return FAB_ENOMEM;
	write_topology(f);
	fclose(f);
	if ((err = topo_parse_yaml(&doc, text, len, &errs)) == FAB_OK &&
	    (b->t = topo_build(doc, &errs, NULL)) == NULL)
		err = FAB_EINVAL;
	for (size_t i = 0; i < errs.n; i++)
		fprintf(stderr, "bench_routes: %s: %s\n", errs.e[i].code, errs.e[i].message);
	topo_doc_free(doc);
	free(text);
	if (err == FAB_OK && (err = fc_layers_new(&b->l)) == FAB_OK)
		err = fc_layers_bind(b->l, b->t);
	return err;
}

/* 32,000 /24s outside of the VNets: 11.0.0.0/24 ... in no particular order. */
static void
make_routes(struct bench *b)
{
	for (uint32_t p = 0; p < PEERS; p++) {
		b->hop[p] = 0x0a000104 + p;
		for (uint32_t i = 0; i < ROUTES; i++)
			b->addr[p][i] =
			    0x0b000000 + ((p * ROUTES + i * 2741 % ROUTES) << 8); /* 2741: prime */
	}
	memset(b->len, 24, sizeof(b->len));
}

/* ---- reports ---- */

static const char *const instances[] = { "rs-0", "rs-1" };

static void
apply(struct bench *b, const struct fc_route_batch *batch)
{
	size_t changed;

	for (size_t i = 0; i < 2; i++)
		FAB_ASSERT(fc_layers_apply(b->l, instances[i], batch, &changed) == FAB_OK &&
			   changed == ROUTES);
}

static void
announce(struct bench *b, unsigned row, const uint32_t *hops, size_t n_hops)
{
	static const uint32_t path[] = { 65001 };
	struct fc_route_group g = { .source = HRP_SRC_NVA,
		.next_hops = hops,
		.n_next_hops = n_hops,
		.as_path = path,
		.n_as_path = 1,
		.addr = b->addr[row],
		.len = b->len,
		.n = ROUTES };

	apply(b, &(struct fc_route_batch){ .groups = &g, .n_groups = 1 });
}

static void
withdraw(struct bench *b, unsigned row)
{
	apply(b,
	    &(struct fc_route_batch){
		.withdrawn_addr = b->addr[row], .withdrawn_len = b->len, .n_withdrawn = ROUTES });
}

/* ---- measuring ---- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
result(struct bench *b, const char *name, double aim_ms)
{
	size_t n = b->runs, p99 = (n * 99 + 99) / 100 - 1; /* nearest rank */
	bool ok;

	qsort(b->us, n, sizeof(b->us[0]), by_value);
	ok = aim_ms <= 0 || b->us[p99] < aim_ms * 1000;
	b->missed = b->missed || !ok;
	json_array_append_new(b->results,
	    json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:b}", "name", name, "min_ms",
		b->us[0] / 1000, "median_ms", b->us[n / 2] / 1000, "p99_ms", b->us[p99] / 1000,
		"max_ms", b->us[n - 1] / 1000, "aim_ms", aim_ms, "ok", ok));
	if (b->json)
		return;
	printf("%-58s %9.3f %9.3f %9.3f %9.3f", name, b->us[0] / 1000, b->us[n / 2] / 1000,
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

static void
measure_loss_of_own_routes(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++) {
		unsigned row = (unsigned)i % PEERS;

		MEASURE(b, i, withdraw(b, row));
		announce(b, row, &b->hop[row], 1);
	}
	result(b, "withdraw 4,000 of 32,000 routes, both instances", 10);
}

static void
measure_loss_of_shared_routes(struct bench *b)
{
	announce(b, 0, b->hop, PEERS);
	for (size_t i = 0; i < b->runs; i++) {
		MEASURE(b, i, announce(b, 0, b->hop + 1, PEERS - 1));
		announce(b, 0, b->hop, PEERS);
	}
	announce(b, 0, b->hop, 1);
	result(b, "4,000 routes lose one of 8 next hops, both instances", 10);
}

static void
measure_snapshot(struct bench *b)
{
	size_t changed = 0;

	for (size_t i = 0; i < b->runs; i++) {
		struct fab_mono before = fab_mono_now();

		for (unsigned k = 0; k < 2; k++)
			fc_layers_snapshot_begin(b->l, instances[k]);
		for (unsigned row = 0; row < PEERS; row++) {
			struct fc_route_group g = { .source = HRP_SRC_NVA,
				.next_hops = &b->hop[row],
				.n_next_hops = 1,
				.n_as_path = 1,
				.addr = b->addr[row],
				.len = b->len,
				.n = ROUTES };
			struct fc_route_batch batch = { .groups = &g, .n_groups = 1 };

			for (unsigned k = 0; k < 2; k++)
				fc_layers_apply(b->l, instances[k], &batch, &changed);
		}
		for (unsigned k = 0; k < 2; k++)
			fc_layers_snapshot_end(b->l, instances[k], &changed);
		b->us[i] = (double)(fab_mono_now().ns - before.ns) / 1000;
		FAB_ASSERT(changed == 0);
	}
	result(b, "snapshot of 32,000 routes, both instances, unchanged", 0);
}

static void
list_one(struct bench *b, int nic)
{
	struct fc_eff_route *rows;
	size_t n;

	FAB_ASSERT(fc_eff_list(b->l, nic, &rows, &n) == FAB_OK && n > PEERS * ROUTES);
	free(rows);
}

static void
measure_table(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++) {
		int nic = (int)(i * 37 % b->t->n_nics);

		MEASURE(b, i, list_one(b, nic));
	}
	result(b, "effective table of one NIC, 32,000 routes", 20);
}

static void
look_up_all(struct bench *b)
{
	struct fc_eff_route r;

	for (size_t i = 0; i < b->t->n_nics; i++)
		FAB_ASSERT(fc_eff_lookup(b->l, (int)i, b->addr[i % PEERS][i % ROUTES] + 1, &r) &&
			   r.source == FC_SRC_GATEWAY);
}

static void
measure_lookup(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++)
		MEASURE(b, i, look_up_all(b));
	result(b, "next hop of one address from each of 4,008 NICs", 0);
}

static void
measure_bind(struct bench *b)
{
	for (size_t i = 0; i < b->runs; i++)
		MEASURE(b, i, FAB_ASSERT(fc_layers_bind(b->l, b->t) == FAB_OK));
	result(b, "new topology with 501 VNets, routes kept", 0);
}

static void
report_memory(struct bench *b)
{
	double mib = (double)fc_layers_memory(b->l) / MIB;
	bool ok = mib < 200;

	b->missed = b->missed || !ok;
	json_array_append_new(
	    b->results, json_pack("{s:s, s:f, s:f, s:b}", "name", "memory of all layers", "mib",
			    mib, "aim_mib", 200.0, "ok", ok));
	if (!b->json)
		printf("memory of all layers: %.1f MiB   < 200 %s\n", mib, ok ? "ok" : "MISSED");
}

static void
run(struct bench *b)
{
	if (!b->json)
		printf(
		    "%d spokes, %zu NICs, %d peers x %d routes, %zu runs\n%-58s %9s %9s %9s %9s   "
		    "aim (p99)\n",
		    SPOKES, b->t->n_nics, PEERS, ROUTES, b->runs, "ms", "min", "median", "p99",
		    "max");
	for (unsigned row = 0; row < PEERS; row++)
		announce(b, row, &b->hop[row], 1);
	measure_loss_of_own_routes(b);
	measure_loss_of_shared_routes(b);
	measure_snapshot(b);
	measure_table(b);
	measure_lookup(b);
	measure_bind(b);
	report_memory(b);
	if (b->json && json_dumpf(b->results, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0)
		printf("\n");
}

static int
usage(void)
{
	fprintf(stderr, "usage: bench_routes [--runs N] [--json]\n");
	return 2;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "runs", 1, NULL, 'r' }, { "json", 0, NULL, 'j' },
		{ 0 } };
	static struct bench b = { .runs = 100 };
	int c, err;

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
	make_routes(&b);
	err = b.us == NULL || b.results == NULL ? FAB_ENOMEM : build(&b);
	if (err == FAB_OK)
		run(&b);
	else
		fprintf(stderr, "bench_routes: %s\n", fab_strerror(err));
	fc_layers_free(b.l);
	topo_free(b.t);
	json_decref(b.results);
	free(b.us);
	return err == FAB_OK && !b.missed ? 0 : 1;
}
