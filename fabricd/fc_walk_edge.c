/*
 * Steps of a trace at the Internet: out by the public address of a NIC or of a site's router, and
 * in to one (SYS-2, SC-J); and clients that dialled in (VPN-20, B2B-8).
 */
#include "fabricd/fc_cover.h"
#include "fabricd/fc_walk.h"

#include <stdio.h>

/* ---- who has a public address ---- */

struct holder {
	int nic, site; /* one of them, the other -1 */
};

static bool
holder_of(const struct topo *t, uint32_t addr, struct holder *out)
{
	*out = (struct holder){ -1, -1 };
	for (size_t i = 0; i < t->n_nics && addr != 0; i++)
		if (t->nics[i].public_ip == addr)
			out->nic = (int)i;
	for (size_t i = 0; i < t->n_sites && addr != 0; i++)
		if (t->sites[i].public_ip == addr)
			out->site = (int)i;
	return out->nic >= 0 || out->site >= 0;
}

static const char *
holder_name(const struct topo *t, const struct holder *h)
{
	return h->nic >= 0 ? t->nics[h->nic].name : t->sites[h->site].name;
}

static void
arrive(struct fc_walk *w, const struct holder *h)
{
	const struct topo *t = w->t;

	if (h->site >= 0)
		fc_walk_deliver(w, FC_AT_SITE, h->site, t->sites[h->site].name);
	else if (t->nics[h->nic].vm >= 0 && !t->vms[t->nics[h->nic].vm].running)
		fc_walk_finish(w, FC_BLACKHOLE, "%s is not running", t->nics[h->nic].name);
	else
		fc_walk_deliver(w, FC_AT_NIC, h->nic, t->nics[h->nic].name);
}

/* ---- out ---- */

void
fc_walk_to_internet(struct fc_walk *w, const char *name, uint32_t ip, uint32_t public_ip)
{
	char buf[IPADDR_STRLEN];
	struct holder h;

	if (public_ip == 0) /* there is no default outbound access */
		fc_walk_finish(w, FC_BLACKHOLE, "%s has no public address", name);
	else if (w->from != ip)
		fc_walk_finish(w, FC_BLACKHOLE,
		    "%s does not translate what it forwards to the Internet (SC-J)", name);
	else if (holder_of(w->t, w->dst.addr, &h))
		arrive(w, &h);
	else if (w->dst.internet)
		fc_walk_deliver(w, FC_AT_INTERNET, 0, TOPO_INTERNET);
	else
		fc_walk_finish(
		    w, FC_BLACKHOLE, "%s is not on the Internet", ipaddr_format(buf, w->dst.addr));
}

void
fc_walk_translate(struct fc_walk *w, bool snat, uint32_t ip, struct fc_translator by)
{
	if (!snat || !w->dst.internet || w->from == ip || w->is_answer)
		return;
	w->from = ip;
	w->out->translator = by;
}

/* ---- in ---- */

static uint32_t
public_address(const struct topo *t, const struct fc_endpoint *e)
{
	if (e->nic >= 0)
		return t->nics[e->nic].public_ip;
	return e->site >= 0 ? t->sites[e->site].public_ip : e->addr;
}

/* Back to who translated the flow, and on to whom it translates back. */
static void
answer(struct fc_walk *w)
{
	const struct holder h = { w->answer_to.nic, w->answer_to.site };
	const struct topo *t = w->t;
	uint32_t addr = h.nic >= 0 ? t->nics[h.nic].public_ip : t->sites[h.site].public_ip;

	fc_walk_hop_to(w, FC_AT_INTERNET, 0, TOPO_INTERNET, "SC-J", (struct ipnet){ addr, 32 },
	    "public", holder_name(t, &h));
	if (h.nic >= 0)
		fc_walk_go(w, FC_STAGE_ROUTER, h.nic);
	else
		fc_walk_go(w, FC_STAGE_SITE, h.site);
}

void
fc_walk_internet(struct fc_walk *w)
{
	uint32_t addr = public_address(w->t, &w->dst);
	char buf[IPADDR_STRLEN];
	struct holder h;

	if (w->answer_to.nic >= 0 || w->answer_to.site >= 0) {
		answer(w);
	} else if (holder_of(w->t, addr, &h)) {
		fc_walk_hop_to(w, FC_AT_INTERNET, 0, TOPO_INTERNET, "ARM-14",
		    (struct ipnet){ addr, 32 }, "public", holder_name(w->t, &h));
		arrive(w, &h);
	} else {
		fc_walk_finish(w, FC_BLACKHOLE, "the Internet has no way to %s",
		    ipaddr_format(buf, w->dst.addr));
	}
}

/* ---- clients ---- */

bool
fc_walk_to_client(struct fc_walk *w, int gateway, int nva)
{
	int i = topo_find_client_by_ip(w->t, w->dst.addr);
	const struct topo_client *c = i >= 0 ? &w->t->clients[i] : NULL;

	if (c == NULL || c->gateway != gateway || c->nva != nva)
		return false;
	fc_walk_deliver(w, FC_AT_CLIENT, i, c->name);
	return true;
}

/* VPN-20: the VNets that the gateway serves, and sites by BGP; not what comes by ExpressRoute
 * (B2B-8). */
static int
cover_by_gateway(const struct fc_walk *w, int gw, struct ipnet *net)
{
	const struct topo_gateway *g = &w->t->gateways[gw];
	int best = fc_cover_region(w->t, g->vnet, w->dst.addr, net);

	for (size_t i = 0; i < g->n_conns; i++) {
		struct ipnet n;
		int len =
		    g->conns[i].bgp && g->conns[i].index >= 0
			? fc_cover_site(&w->t->sites[g->conns[i].index], w->dst.addr, false, &n)
			: -1;

		if (len <= best)
			continue;
		best = len;
		*net = n;
	}
	return best;
}

static void
dial_gateway(struct fc_walk *w, const struct topo_client *c)
{
	char buf[IPADDR_STRLEN];
	struct ipnet net;

	if (cover_by_gateway(w, c->gateway, &net) < 0) {
		fc_walk_finish(w, FC_BLACKHOLE, "nothing leads from %s to %s (VPN-20, B2B-8)",
		    c->name, ipaddr_format(buf, w->dst.addr));
		return;
	}
	w->instance = w->t->gateways[c->gateway].active_active ? (unsigned)fc_walk_choose(w, 2) : 0;
	fc_walk_hop_to(w, FC_AT_CLIENT, w->index, c->name, "VPN-20", net, "tunnel",
	    fc_walk_gateway_name(w->t, c->gateway, w->instance));
	fc_walk_go(w, FC_STAGE_GATEWAY, c->gateway);
}

/* Everything goes to an NVA, which knows what to do with it. */
static void
dial_nva(struct fc_walk *w, const struct topo_client *c)
{
	const struct topo *t = w->t;

	fc_walk_hop_to(w, FC_AT_CLIENT, w->index, c->name, "SC-D", (struct ipnet){ 0, 0 }, "tunnel",
	    t->nvas[c->nva].name);
	fc_walk_go(w, FC_STAGE_ROUTER, topo_find_nic(t, t->nvas[c->nva].name));
}

void
fc_walk_client(struct fc_walk *w)
{
	const struct topo_client *c = &w->t->clients[w->index];

	if (c->ip == w->dst.addr)
		fc_walk_deliver(w, FC_AT_CLIENT, w->index, c->name);
	else if (c->gateway >= 0)
		dial_gateway(w, c);
	else
		dial_nva(w, c);
}
