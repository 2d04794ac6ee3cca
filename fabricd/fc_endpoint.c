/*
 * Ends of a trace, and what two traces of one flow say together.
 */
#include "fabricd/fc_cover.h"
#include "fabricd/fc_eff.h"
#include "fabricd/fc_layers_int.h"
#include "lib/err.h"

#include <string.h>

static int
nic_with(const struct topo *t, uint32_t addr)
{
	for (size_t i = 0; i < t->n_nics; i++)
		if (t->nics[i].ip == addr)
			return (int)i;
	return -1;
}

/* The NIC of an NVA that owns addr, such as a client of its VPN. */
static int
nic_owning(const struct topo *t, uint32_t addr)
{
	struct ipnet net;

	for (size_t i = 0; i < t->n_nics; i++)
		if (t->nics[i].nva >= 0 &&
		    fc_cover_nets(&t->nvas[t->nics[i].nva].owns, addr, &net) >= 0)
			return (int)i;
	return -1;
}

static int
gateway_with(const struct topo *t, uint32_t addr)
{
	struct ipnet net;

	for (size_t i = 0; i < t->n_gateways; i++)
		if (fc_cover_nets(&t->gateways[i].p2s_pools, addr, &net) >= 0)
			return (int)i;
	return -1;
}

static int
site_with(const struct topo *t, uint32_t addr)
{
	int best = -1, found = -1;
	struct ipnet net;

	for (size_t i = 0; i < t->n_sites; i++) {
		int len = fc_cover_site(&t->sites[i], addr, false, &net);

		if (len <= best)
			continue;
		best = len;
		found = (int)i;
	}
	return found;
}

static bool
in_some_vnet(const struct topo *t, uint32_t addr)
{
	struct ipnet net;

	for (size_t i = 0; i < t->n_vnets; i++)
		if (fc_cover_nets(&t->vnets[i].space, addr, &net) >= 0)
			return true;
	return false;
}

static void
resolve_address(const struct topo *t, struct fc_endpoint *out)
{
	if ((out->client = topo_find_client_by_ip(t, out->addr)) >= 0)
		return;
	out->nic = nic_with(t, out->addr);
	if (out->nic < 0)
		out->nic = nic_owning(t, out->addr);
	if (out->nic < 0)
		out->gateway = gateway_with(t, out->addr);
	if (out->nic < 0 && out->gateway < 0)
		out->site = site_with(t, out->addr);
	out->internet = !fc_endpoint_is_source(out) && !in_some_vnet(t, out->addr) &&
			!fc_sys_none_range(out->addr);
}

int
fc_endpoint_parse(const struct fc_layers *l, struct fc_endpoint *out, const char *text)
{
	const struct topo *t = l->topo;
	struct fc_endpoint e = { .nic = -1, .site = -1, .client = -1, .gateway = -1 };

	if (ipaddr_parse(&e.addr, text) == FAB_OK) {
		resolve_address(t, &e);
	} else if (strcmp(text, TOPO_INTERNET) == 0) {
		e.addr = TOPO_INTERNET_IP;
		e.internet = true;
	} else if ((e.nic = topo_find_nic(t, text)) >= 0) {
		e.addr = t->nics[e.nic].ip;
	} else {
		for (size_t i = 0; i < t->n_sites; i++)
			if (strcmp(t->sites[i].name, text) == 0)
				e.site = (int)i;
		for (size_t i = 0; i < t->n_clients; i++)
			if (strcmp(t->clients[i].name, text) == 0)
				e.client = (int)i;
		if (e.site < 0 && e.client < 0)
			return FAB_ENOENT;
		e.addr = e.site >= 0 ? t->sites[e.site].ip : t->clients[e.client].ip;
	}
	*out = e;
	return FAB_OK;
}

bool
fc_endpoint_is_source(const struct fc_endpoint *e)
{
	return e->nic >= 0 || e->site >= 0 || e->client >= 0 || e->gateway >= 0 || e->internet;
}

uint32_t
fc_endpoint_address(
    const struct fc_layers *l, const struct fc_endpoint *src, const struct fc_endpoint *dst)
{
	uint32_t addr = 0;

	if (src->internet && dst->nic >= 0)
		addr = l->topo->nics[dst->nic].public_ip;
	else if (src->internet && dst->site >= 0)
		addr = l->topo->sites[dst->site].public_ip;
	return addr != 0 ? addr : dst->addr;
}

/* ---- both directions ---- */

static bool
passes_nic(const struct fc_trace *tr, int nic)
{
	for (size_t i = 0; i < tr->n_hops; i++)
		if (tr->hops[i].place == FC_AT_NIC && tr->hops[i].index == nic)
			return true;
	return false;
}

static bool
one_sided(const struct fc_layers *l, const struct fc_trace *a, const struct fc_trace *b)
{
	const struct topo *t = l->topo;

	for (size_t i = 0; i < a->n_hops; i++) {
		const struct fc_trace_hop *h = &a->hops[i];

		if (h->place == FC_AT_NIC && t->nics[h->index].nva >= 0 &&
		    t->nvas[t->nics[h->index].nva].stateful && !passes_nic(b, h->index))
			return true;
	}
	return false;
}

bool
fc_trace_stateful_break(
    const struct fc_layers *l, const struct fc_trace *there, const struct fc_trace *back)
{
	if (there->verdict != FC_DELIVERED || back->verdict != FC_DELIVERED)
		return false;
	return one_sided(l, there, back) || one_sided(l, back, there);
}

struct way {
	struct {
		enum fc_place place;
		int index;
	} v[FC_TRACE_HOPS_MAX];
	size_t n;
};

static void
way_of(struct way *w, const struct fc_trace *tr)
{
	w->n = 0;
	for (size_t i = 0; i < tr->n_hops; i++) {
		const struct fc_trace_hop *h = &tr->hops[i];

		if (h->place == FC_AT_ER_GATEWAY || h->place == FC_AT_LOAD_BALANCER)
			continue;
		if (w->n > 0 && w->v[w->n - 1].place == h->place &&
		    w->v[w->n - 1].index == h->index)
			continue;
		w->v[w->n].place = h->place;
		w->v[w->n++].index = h->index;
	}
}

bool
fc_trace_symmetric(const struct fc_trace *there, const struct fc_trace *back)
{
	struct way a, b;

	way_of(&a, there);
	way_of(&b, back);
	if (there->verdict != FC_DELIVERED || back->verdict != FC_DELIVERED || a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (a.v[i].place != b.v[b.n - 1 - i].place ||
		    a.v[i].index != b.v[b.n - 1 - i].index)
			return false;
	return true;
}
