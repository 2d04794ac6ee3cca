#include "fabctl/ch_paths.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From inside Azure outwards; gateways and MSEEs only pass on from one side to the other. */
enum side { SIDE_NIC, SIDE_GATEWAY, SIDE_MSEE, SIDE_OUTSIDE };

struct box {
	const char *name;
	enum side side;
	int nic;           /* index, -1: none */
	int gateway, msee; /* resource (circuit) of a node, -1 */
	unsigned instance;
	int site, client;
	bool internet;
};

struct graph {
	const struct topo *t;
	const struct ch_step *broken;
	size_t n_broken;
	struct box *v;
	size_t n;
};

/* ---- what is broken ---- */

bool
ch_is_broken(const struct ch_step *broken, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (broken[i].b[0] == '\0' && strcmp(broken[i].a, name) == 0)
			return true;
	return false;
}

static bool
joins(const struct ch_step *s, const char *a, const char *b)
{
	return s->b[0] != '\0' && ((strcmp(s->a, a) == 0 && strcmp(s->b, b) == 0) ||
				      (strcmp(s->a, b) == 0 && strcmp(s->b, a) == 0));
}

static const char *
region_of(const struct graph *g, const struct box *b)
{
	return b->nic >= 0 ? g->t->vnets[g->t->nics[b->nic].vnet].region : "";
}

static bool
is_cut(const struct graph *g, const struct box *a, const struct box *b)
{
	for (size_t i = 0; i < g->n_broken; i++)
		if (joins(&g->broken[i], a->name, b->name) ||
		    joins(&g->broken[i], region_of(g, a), region_of(g, b)))
			return true;
	return false;
}

/* ---- boxes ---- */

static struct box *
add(struct graph *g, const char *name, enum side side)
{
	struct box *b = &g->v[g->n];

	*b = (struct box){ .name = name,
		.side = side,
		.nic = -1,
		.gateway = -1,
		.msee = -1,
		.site = -1,
		.client = -1 };
	if (ch_is_broken(g->broken, g->n_broken, name))
		return b; /* the next one takes its place */
	g->n++;
	return b;
}

static void
add_node(struct graph *g, const struct topo_node *n)
{
	struct box *b;

	if (n->kind == TOPO_NODE_ER_GATEWAY || n->kind == TOPO_NODE_VPN_GATEWAY) {
		b = add(g, n->name, SIDE_GATEWAY);
		b->gateway = n->index;
		b->instance = n->instance;
	} else if (n->kind == TOPO_NODE_MSEE) {
		add(g, n->name, SIDE_MSEE)->msee = n->index;
	}
}

static void
build(struct graph *g)
{
	const struct topo *t = g->t;

	g->v = calloc(t->n_nics + t->n_nodes + t->n_sites + t->n_clients + 2, sizeof(*g->v));
	FAB_ASSERT(g->v != NULL);
	for (size_t i = 0; i < t->n_nics; i++)
		add(g, t->nics[i].name, SIDE_NIC)->nic = (int)i;
	for (size_t i = 0; i < t->n_nodes; i++)
		add_node(g, &t->nodes[i]);
	for (size_t i = 0; i < t->n_sites; i++)
		add(g, t->sites[i].name, SIDE_OUTSIDE)->site = (int)i;
	for (size_t i = 0; i < t->n_clients; i++)
		add(g, t->clients[i].name, SIDE_OUTSIDE)->client = (int)i;
	add(g, TOPO_INTERNET, SIDE_OUTSIDE)->internet = true;
}

static const struct box *
find(const struct graph *g, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (strcmp(g->v[i].name, name) == 0)
			return &g->v[i];
	return NULL;
}

/* ---- who can hand a packet to whom ---- */

static bool
vnets_meet(const struct topo *t, int a, int b)
{
	int p = a == b ? -1 : topo_find_peering(t, a, b);

	return a == b || (p >= 0 && t->peerings[p].state == PEERING_CONNECTED);
}

static bool
lists(const struct topo_router_peer *peers, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (peers[i].tunnel && strcmp(peers[i].name, name) == 0)
			return true;
	return false;
}

static int
nva_of(const struct graph *g, const struct box *b)
{
	return b->nic >= 0 ? g->t->nics[b->nic].nva : -1;
}

static bool
has_tunnel(const struct graph *g, const struct box *a, const struct box *b)
{
	const struct topo *t = g->t;
	int nva = nva_of(g, a);

	if (nva >= 0)
		return lists(t->nvas[nva].peers, t->nvas[nva].n_peers, b->name);
	return a->site >= 0 && lists(t->sites[a->site].peers, t->sites[a->site].n_peers, b->name);
}

/* A tunnel between two VPN gateways; the second instance as below. */
static bool
gateways_meet(const struct topo *t, const struct box *a, const struct box *b)
{
	const struct topo_gateway *g = &t->gateways[a->gateway], *far = &t->gateways[b->gateway];

	if ((!g->active_active && a->instance == 1) || (!far->active_active && b->instance == 1))
		return false;
	for (size_t i = 0; g->type == GW_VPN && i < g->n_conns; i++)
		if (g->conns[i].gateway == b->gateway)
			return g->conns[i].back >= 0;
	return false;
}

static bool
gateway_meets(const struct topo *t, const struct box *gw, const struct box *b)
{
	const struct topo_gateway *g = &t->gateways[gw->gateway];

	if (g->type == GW_VPN && !g->active_active && gw->instance == 1)
		return false; /* VPN-1: its place, if it has to work, is that of the first */
	if (b->nic >= 0)
		return t->vnets[t->nics[b->nic].vnet].scope == g->vnet;
	if (b->client >= 0)
		return t->clients[b->client].gateway == gw->gateway;
	for (size_t i = 0; i < g->n_conns; i++)
		if (g->conns[i].index == (g->type == GW_VPN ? b->site : b->msee))
			return g->conns[i].index >= 0;
	return false;
}

static bool
internet_meets(const struct topo *t, const struct box *b)
{
	if (b->nic >= 0)
		return t->nics[b->nic].public_ip != 0;
	return b->site >= 0 && t->sites[b->site].public_ip != 0;
}

/* a is not further out than b. */
static bool
meet_outwards(const struct graph *g, const struct box *a, const struct box *b)
{
	const struct topo *t = g->t;

	if (has_tunnel(g, a, b) || has_tunnel(g, b, a))
		return true;
	if (b->internet)
		return internet_meets(t, a);
	if (a->nic >= 0 && b->nic >= 0)
		return vnets_meet(t, t->nics[a->nic].vnet, t->nics[b->nic].vnet);
	if (a->nic >= 0 && b->client >= 0)
		return t->nics[a->nic].nva >= 0 && t->nics[a->nic].nva == t->clients[b->client].nva;
	if (a->gateway >= 0 && b->gateway >= 0)
		return gateways_meet(t, a, b);
	if (b->gateway >= 0)
		return gateway_meets(t, b, a);
	if (a->gateway >= 0)
		return gateway_meets(t, a, b);
	return a->msee >= 0 && b->site >= 0 && t->circuits[a->msee].site == b->site;
}

static bool
meet(const struct graph *g, const struct box *a, const struct box *b)
{
	bool outwards = a->side <= b->side;

	return !is_cut(g, a, b) && meet_outwards(g, outwards ? a : b, outwards ? b : a);
}

static bool
leads_to_vnet(const struct box *from, const struct box *to)
{
	return from->gateway >= 0 && to->gateway >= 0;
}

/* Whether what came from `from` may go on to `to`. */
static bool
passes(const struct graph *g, const struct box *from, const struct box *at, const struct box *to)
{
	int nva = nva_of(g, at);

	if (leads_to_vnet(from, at) || leads_to_vnet(at, to))
		return from->nic >= 0 || to->nic >= 0;
	if (at->side == SIDE_GATEWAY || at->side == SIDE_MSEE)
		return (from->side < at->side) != (to->side < at->side) && from->side != at->side &&
		       to->side != at->side;
	if (at->site >= 0)
		return g->t->sites[at->site].relay || to->internet;
	if (nva < 0 || !g->t->nvas[nva].ip_forwarding || from->internet)
		return false;
	return !to->internet || g->t->nvas[nva].snat;
}

/* ---- search ---- */

/* One way that was begun: the box it is at, and the way it came by. */
struct step {
	size_t at;
	int from; /* index of the step before, -1 */
};

static void
write_way(const struct graph *g, const struct step *steps, int last, char *way)
{
	size_t len;

	if (steps[last].from >= 0)
		write_way(g, steps, steps[last].from, way);
	len = strlen(way);
	snprintf(
	    way + len, CH_WAY_MAX - len, "%s%s", len > 0 ? " > " : "", g->v[steps[last].at].name);
}

/* Breadth first. A box is come to once from each side: which side matters to gateways and MSEEs. */
static bool
search(const struct graph *g, const struct box *src, const struct box *dst, char *way)
{
	struct step *steps = calloc(2 * g->n + 1, sizeof(*steps));
	bool *seen = calloc(2 * g->n, sizeof(*seen)), found = false;
	size_t n = 0;

	FAB_ASSERT(steps != NULL && seen != NULL);
	steps[n++] = (struct step){ (size_t)(src - g->v), -1 };
	for (size_t i = 0; i < n && !found; i++) {
		const struct box *at = &g->v[steps[i].at];
		const struct box *from = i > 0 ? &g->v[steps[steps[i].from].at] : NULL;

		for (size_t k = 0; k < g->n && !found; k++) {
			const struct box *to = &g->v[k];
			size_t key = 2 * k + (at->side < to->side);

			if (to == src || to == at || seen[key] || !meet(g, at, to) ||
			    (from != NULL && !passes(g, from, at, to)))
				continue;
			seen[key] = true;
			steps[n++] = (struct step){ k, (int)i };
			found = to == dst;
		}
	}
	if (found && way != NULL)
		write_way(g, steps, (int)n - 1, way);
	free(steps);
	free(seen);
	return found;
}

bool
ch_could_carry(const struct topo *t, const struct ch_step *broken, size_t n, const char *src,
    const char *dst, char *way)
{
	struct graph g = { .t = t, .broken = broken, .n_broken = n };
	const struct box *a, *b;
	bool found = false;

	build(&g);
	if (way != NULL)
		way[0] = '\0';
	a = find(&g, src);
	b = find(&g, dst);
	if (a != NULL && b != NULL)
		found = search(&g, a, b, way);
	free(g.v);
	return found;
}
