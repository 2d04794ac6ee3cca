/*
 * Service Fabric: what the packet path says, by NIC and by host.
 */
#include "fabricd/fc_api_impl.h"
#include "lib/err.h"

#include <string.h>

/* ---- counters ---- */

struct counters {
	Fab__V1__Counter *rows;
	Fab__V1__Counter **list;
	size_t n, room;
};

static void
counters_init(struct counters *c, struct fc_mem *mem, size_t room)
{
	*c = (struct counters){ 0 };
	c->rows = fc_mem_take(mem, room, sizeof(*c->rows));
	c->list = fc_mem_take(mem, room, sizeof(*c->list));
	c->room = c->rows != NULL && c->list != NULL ? room : 0;
}

/* Adds to the counter of that name, a new one if there is none. name is borrowed. */
static void
counters_add(struct counters *c, const char *name, uint64_t value)
{
	size_t i = 0;

	while (i < c->n && strcmp(c->rows[i].name, name) != 0)
		i++;
	if (i == c->room)
		return;
	if (i == c->n) {
		fab__v1__counter__init(&c->rows[i]);
		c->rows[i].name = fc_unconst(name);
		c->list[c->n++] = &c->rows[i];
	}
	c->rows[i].value += value;
}

/* ---- hosts ---- */

#define HOST_COUNTERS (5 + FC_SWITCH_REASONS_MAX)

static void
sum_up(struct counters *c, const struct fc_switch_host *h)
{
	const struct fc_switch_nic *n;

	counters_add(c, "attached", 0);
	for (n = h->nics; n != NULL; n = n->hh.next) {
		counters_add(c, "attached", n->attached);
		counters_add(c, "rx_packets", n->rx_packets);
		counters_add(c, "rx_octets", n->rx_octets);
		counters_add(c, "tx_packets", n->tx_packets);
		counters_add(c, "tx_octets", n->tx_octets);
		for (size_t i = 0; i < n->n_drops; i++)
			counters_add(c, n->drops[i].reason, n->drops[i].packets);
	}
}

void
fc_api_fill_switch(
    struct fc_mem *mem, Fab__V1__NodeInfo *out, const struct fc *f, const struct fc_switch_host *h)
{
	struct counters c;

	fab__v1__node_info__init(out);
	out->name = fc_unconst(h->name);
	out->kind = fc_unconst("vswitch");
	out->state = fc_unconst(h->reporter != NULL ? "running" : "lost");
	out->converged = fc_switch_host_converged(f->sw, h);
	if (h->reporter != NULL) {
		out->pid = h->pid;
		out->started_us = h->started_us;
		out->engine = fc_unconst(h->engine);
	}
	if (h->url[0] != '\0' && (out->endpoints = fc_mem_take(mem, 1, sizeof(char *))) != NULL)
		out->endpoints[out->n_endpoints++] = fc_unconst(h->url);
	counters_init(&c, mem, HOST_COUNTERS);
	sum_up(&c, h);
	out->counters = c.list;
	out->n_counters = c.n;
}

/* ---- NICs ---- */

static void
fill_counters(struct fc_mem *mem, Fab__V1__NicInfo *out, const struct fc_switch_nic *n)
{
	struct counters c;

	out->attached = n->attached;
	out->rx_packets = n->rx_packets;
	out->rx_octets = n->rx_octets;
	out->tx_packets = n->tx_packets;
	out->tx_octets = n->tx_octets;
	counters_init(&c, mem, n->n_drops);
	for (size_t i = 0; i < n->n_drops; i++)
		counters_add(&c, n->drops[i].reason, n->drops[i].packets);
	out->drops = c.list;
	out->n_drops = c.n;
}

static void
fill_nic(struct fc_mem *mem, Fab__V1__NicInfo *out, const struct fc *f, const struct topo_nic *nic)
{
	const struct topo_vnet *v = &f->topo->vnets[nic->vnet];
	const struct fc_switch_host *host = NULL;
	const struct fc_switch_nic *n = fc_switch_nic(f->sw, nic->name, &host);
	char addr[IPADDR_STRLEN];

	fab__v1__nic_info__init(out);
	out->name = fc_unconst(nic->name);
	out->kind = fc_unconst(nic->vm >= 0 ? "vm" : "nva");
	out->virtual_network = v->name;
	out->subnet = v->subnets[nic->subnet].name;
	out->ip_address = fc_mem_format(mem, "%s", ipaddr_format(addr, nic->ip));
	out->ip_forwarding = nic->ip_forwarding;
	out->running = nic->vm < 0 || f->topo->vms[nic->vm].running;
	if (n == NULL)
		return;
	out->host = fc_unconst(host->name);
	fill_counters(mem, out, n);
}

void
fc_api_nics(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__NicRequest *req = (const Fab__V1__NicRequest *)msg;
	Fab__V1__NicList reply = FAB__V1__NIC_LIST__INIT;
	const struct fc *f = ctx;
	bool all = req->nic[0] == '\0';
	int one = all ? 0 : topo_find_nic(f->topo, req->nic);
	size_t n = all ? f->topo->n_nics : 1;
	struct fc_mem mem = { 0 };
	Fab__V1__NicInfo *out;

	if (one < 0) {
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no NIC '%.100s'", req->nic);
		return;
	}
	out = fc_mem_take(&mem, n, sizeof(*out));
	reply.value = fc_mem_take(&mem, n, sizeof(*reply.value));
	for (size_t i = 0; i < n && reply.value != NULL; i++) {
		fill_nic(&mem, &out[i], f, &f->topo->nics[(size_t)one + i]);
		reply.value[reply.n_value++] = &out[i];
	}
	fc_api_reply(call, &mem, &reply.base);
}

/* ---- backends ---- */

static char *
probe_text(struct fc_mem *mem, const struct topo_health_probe *p)
{
	if (p->port == 0)
		return fc_mem_format(mem, "%s", "");
	if (!p->http)
		return fc_mem_format(mem, "Tcp %u", p->port);
	return fc_mem_format(mem, "Http %u %s", p->port, p->path != NULL ? p->path : "/");
}

static void
fill_backend(struct fc_mem *mem, Fab__V1__BackendInfo *out, const struct fc *f,
    const struct topo_load_balancer *l, int nic)
{
	const struct fc_health *h = fc_backend_health(f->layers, l, nic);
	const struct topo_nic *n = &f->topo->nics[nic];
	char addr[IPADDR_STRLEN];

	fab__v1__backend_info__init(out);
	out->balancer = l->name;
	out->name = n->name;
	out->ip_address = fc_mem_format(mem, "%s", ipaddr_format(addr, n->ip));
	out->probe = probe_text(mem, &l->probe);
	out->healthy = fc_backend_is_healthy(f->layers, l, nic);
	out->known_by = fc_unconst(h != NULL ? "probe" : "process");
	if (h == NULL)
		return;
	out->reason = fc_unconst(h->why);
	out->since_us = h->since_us;
}

void
fc_api_backends(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__BackendRequest *req = (const Fab__V1__BackendRequest *)msg;
	Fab__V1__BackendList reply = FAB__V1__BACKEND_LIST__INIT;
	const struct fc *f = ctx;
	const struct topo *t = f->topo;
	struct fc_mem mem = { 0 };
	bool found = req->balancer[0] == '\0';
	size_t room = 0;

	for (size_t i = 0; i < t->n_balancers; i++)
		room += t->balancers[i].n_backends;
	reply.value = fc_mem_take(&mem, room, sizeof(*reply.value));
	for (size_t i = 0; i < t->n_balancers; i++) {
		const struct topo_load_balancer *l = &t->balancers[i];
		Fab__V1__BackendInfo *out;

		if (req->balancer[0] != '\0' && strcmp(l->name, req->balancer) != 0)
			continue;
		found = true;
		out = fc_mem_take(&mem, l->n_backends, sizeof(*out));
		for (size_t k = 0; out != NULL && reply.value != NULL && k < l->n_backends; k++) {
			fill_backend(&mem, &out[k], f, l, l->backends[k]);
			reply.value[reply.n_value++] = &out[k];
		}
	}
	if (found) {
		fc_api_reply(call, &mem, &reply.base);
		return;
	}
	fc_mem_free(&mem);
	fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no load balancer '%.100s'", req->balancer);
}
