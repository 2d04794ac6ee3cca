/*
 * What a node reports: any sequence of ReportItems, put into the sink of Control.Report of a small
 * fabric. Whatever comes, the effective routes of every NIC can be listed afterwards, and nothing
 * is left when the node is gone.
 *
 * Input: items, each a flag octet (1 snapshot begins, 2 within a snapshot, 4 snapshot ends), a
 * length in two octets, network order, and a packed ReportItem.
 */
#include "fabricd/fc_apply.h"
#include "fabricd/fc_control.h"
#include "fabricd/fc_eff.h"
#include "lib/err.h"
#include "lib/log.h"
#include "proto/control.pb-c.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char topology[] =
    "name: fuzz\n"
    "timing: fast\n"
    "vnets:\n"
    "  hub:\n"
    "    region: r\n"
    "    address_space: [10.1.0.0/16]\n"
    "    subnets: {RouteServerSubnet: 10.1.0.0/26, GatewaySubnet: 10.1.1.0/26,"
    " nva: 10.1.2.0/24}\n"
    "  spoke: {region: r, address_space: [10.11.0.0/16], subnets: {vms: 10.11.0.0/24}}\n"
    "peerings: [{hub: hub, spoke: spoke}]\n"
    "vms: {vm1: {subnet: spoke/vms, ip: 10.11.0.4}}\n"
    "route_servers: {rs: {vnet: hub, peers: {nva1: {}}}}\n"
    "nvas: {nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}}\n";

static struct fc *
fabric(void)
{
	static struct fc *f;
	const struct fc_conf conf = { .urls = { .bgp = "ipc:///nowhere/%s.bgp" } };
	struct fc_apply_result *r;
	struct fab_loop *loop;

	if (f != NULL)
		return f;
	fab_log_set_level(FAB_LOG_ERROR);
	r = fc_apply_result_new();
	FAB_ASSERT(r != NULL && fab_loop_new(&loop) == FAB_OK);
	FAB_ASSERT(fc_new(&f, loop, &conf) == FAB_OK);
	FAB_ASSERT(fc_apply_text(f, topology, strlen(topology), false, r) == FAB_OK);
	fc_apply_result_free(r);
	return f;
}

static const struct fab_rpc_sink_ops *
report_sink(void)
{
	const struct fab_rpc_handler *h = fc_control_table;

	while (strcmp(h->method, "Report") != 0)
		h++;
	return h->sink;
}

static void
check_tables(const struct fc *f)
{
	for (size_t i = 0; i < f->topo->n_nics; i++) {
		struct fc_eff_route *rows = NULL;
		size_t n = 0;

		FAB_ASSERT(fc_eff_list(f->layers, (int)i, &rows, &n) == FAB_OK && n > 0);
		free(rows);
	}
}

/* Takes one item off the input; NULL: nothing whole is left. An item that does not unpack is
 * skipped, as the RPC layer would have done. */
static const uint8_t *
feed(struct fc *f, void *stream, const uint8_t *at, const uint8_t *end)
{
	struct fab_rpc_item info = { 0 };
	Fab__V1__ReportItem *item;
	size_t len;

	if (end - at < 3)
		return NULL;
	info.snapshot_begin = at[0] & 1;
	info.in_snapshot = at[0] & 3;
	info.snapshot_end = at[0] & 4;
	len = (size_t)at[1] << 8 | at[2];
	at += 3;
	if ((size_t)(end - at) < len)
		return NULL;
	item = fab__v1__report_item__unpack(NULL, len, at);
	if (item != NULL)
		report_sink()->item(f, stream, &item->base, &info);
	if (item != NULL)
		fab__v1__report_item__free_unpacked(item, NULL);
	return at + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *at = data;
	struct fc *f = fabric();
	void *stream = NULL;

	report_sink()->open(f, &stream);
	while (at != NULL)
		at = feed(f, stream, at, data + size);
	check_tables(f);
	report_sink()->closed(f, stream);
	for (const struct fc_node *n = fc_node_next(f->nodes, NULL); n != NULL;
	     n = fc_node_next(f->nodes, n))
		FAB_ASSERT(n->index >= 0 && n->reporter == NULL && n->sessions == NULL);
	fab_loop_turn(f->loop, 0);
	check_tables(f);
	return 0;
}
