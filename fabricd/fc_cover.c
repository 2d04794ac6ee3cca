/*
 * Coverage of an address by sites, gateways and regions; trace asks.
 */
#include "fabricd/fc_cover.h"

#include "fabricd/fc_layers_int.h"

static int
longer(int best, struct ipnet candidate, uint32_t addr, struct ipnet *net)
{
	if (!ipnet_has_addr(candidate, addr) || candidate.len <= best)
		return best;
	*net = candidate;
	return candidate.len;
}

static int
longest_of(int best, const struct topo_nets *nets, uint32_t addr, struct ipnet *net)
{
	for (size_t i = 0; i < nets->n; i++)
		best = longer(best, nets->v[i], addr, net);
	return best;
}

int
fc_cover_nets(const struct topo_nets *nets, uint32_t addr, struct ipnet *net)
{
	return longest_of(-1, nets, addr, net);
}

int
fc_cover_region(const struct topo *t, int scope, uint32_t addr, struct ipnet *net)
{
	int best = -1;

	for (size_t i = 0; i < t->n_vnets; i++)
		if ((int)i == scope || fc_scope_of(t, (int)i) == scope)
			best = longest_of(best, &t->vnets[i].space, addr, net);
	return best;
}

bool
fc_cover_announces(const struct topo *t, int scope, int vnet)
{
	int p;

	if (vnet == scope || fc_scope_of(t, vnet) == scope)
		return true;
	p = t->quirks.announces_all_spokes ? topo_find_peering(t, scope, vnet) : -1;
	return p >= 0 && t->peerings[p].state == PEERING_CONNECTED;
}

int
fc_cover_announced(const struct topo *t, int scope, uint32_t addr, struct ipnet *net)
{
	int best = -1;

	for (size_t i = 0; i < t->n_vnets; i++)
		if (fc_cover_announces(t, scope, (int)i))
			best = longest_of(best, &t->vnets[i].space, addr, net);
	return best;
}

int
fc_cover_site(const struct topo_site *s, uint32_t addr, bool adverts, struct ipnet *net)
{
	int best = longest_of(-1, &s->prefixes, addr, net);

	for (size_t i = 0; adverts && i < s->n_adverts; i++)
		best = longer(best, s->adverts[i].prefix, addr, net);
	return best;
}

/* B2B-8: P2S pools are not exchanged; routes from on premises do not go back there. */
bool
fc_cover_exchanged(enum hrp_source s)
{
	return s == HRP_SRC_NVA || s == HRP_SRC_VPN || s == HRP_SRC_VPN_STATIC;
}

bool
fc_cover_crosses(enum hrp_source s)
{
	return s == HRP_SRC_NVA || s == HRP_SRC_EXPRESS_ROUTE; /* B2B-2; its own sites apart */
}

static int
cover_exchanged(const struct fc_layers *l, int vnet, bool (*passes)(enum hrp_source), uint32_t addr,
    struct ipnet *net)
{
	const struct topo *t = l->topo;
	const struct fc_lpm *bgp = fc_bgp_table(&l->bgp, vnet, 0);
	int rs = t->vnets[vnet].route_server;
	struct fc_lpm_hit hits[FC_LPM_DEPTH];
	size_t n;

	if (rs < 0 || !t->servers[rs].branch_to_branch || bgp == NULL) /* B2B-1, B2B-12 */
		return -1;
	n = fc_lpm_match(bgp, (struct ipnet){ addr, 32 }, hits);
	while (n-- > 0) {
		if (!passes(fc_bgp_group(&l->bgp, hits[n].value)->key.source))
			continue;
		*net = hits[n].net;
		return hits[n].net.len;
	}
	return -1;
}

int
fc_cover_gateway(
    const struct fc_layers *l, int gateway, uint32_t addr, bool native, struct ipnet *net)
{
	int vnet = l->topo->gateways[gateway].vnet;

	return native ? fc_cover_announced(l->topo, vnet, addr, net)
		      : cover_exchanged(l, vnet, fc_cover_exchanged, addr, net);
}

static int
cover_to_site(
    const struct topo *t, const struct topo_gw_connection *c, uint32_t addr, struct ipnet *net)
{
	struct ipnet of_site;
	int best = longest_of(-1, &c->prefixes, addr, net);
	int site = c->index < 0 ? -1 : fc_cover_site(&t->sites[c->index], addr, c->bgp, &of_site);

	if (site <= best)
		return best;
	*net = of_site;
	return site;
}

/* VPN-8: its region, what its Route Server hands it, and its other connections (VPN-9). Sites of
 * gateways further away are not looked for. */
static int
cover_announced(const struct fc_layers *l, int gateway, uint32_t addr, struct ipnet *net)
{
	const struct topo_gateway *g = &l->topo->gateways[gateway];
	int best = fc_cover_announced(l->topo, g->vnet, addr, net);
	struct ipnet n;
	int len = l->topo->quirks.vnet2vnet_own_only /* OPEN-13 */
		      ? -1
		      : cover_exchanged(l, g->vnet, fc_cover_crosses, addr, &n);

	for (size_t i = 0;; i++) {
		if (len > best && n.len > 0) { /* VPN-12 */
			best = len;
			*net = n;
		}
		if (i == g->n_conns)
			return best;
		len = cover_to_site(l->topo, &g->conns[i], addr, &n);
	}
}

int
fc_cover_connection(
    const struct fc_layers *l, const struct topo_gw_connection *c, uint32_t addr, struct ipnet *net)
{
	if (c->gateway >= 0 && c->back < 0)
		return -1;
	if (c->gateway >= 0 && c->bgp)
		return cover_announced(l, c->gateway, addr, net);
	return cover_to_site(l->topo, c, addr, net);
}
