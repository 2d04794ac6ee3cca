/*
 * The processes of a fabric, fabricd excepted: two per Route Server, gateway and circuit, one per
 * NVA and site; in this order, each kind by name.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
add_node(struct topo_build *b, enum topo_node_kind kind, size_t index, unsigned instance,
    const char *name, const char *suffix)
{
	struct topo_node *n = &b->t->nodes[b->t->n_nodes++];
	char text[TOPO_NAME_MAX + 16];
	int len = snprintf(text, sizeof(text), "%s%s", name, suffix);

	*n = (struct topo_node){ .kind = kind, .index = (int)index, .instance = instance };
	n->name = topo_arena_text(b->arena, text, (size_t)len);
}

static void
add_pair(struct topo_build *b, enum topo_node_kind kind, size_t index, const char *name,
    const char *first, const char *second)
{
	add_node(b, kind, index, 0, name, first);
	add_node(b, kind, index, 1, name, second);
}

static void
add_router(struct topo_build *b, enum topo_node_kind kind, size_t index, const char *name,
    char **run, size_t n_run)
{
	add_node(b, kind, index, 0, name, "");
	b->t->nodes[b->t->n_nodes - 1].run = run;
	b->t->nodes[b->t->n_nodes - 1].n_run = n_run;
	b->t->nodes[b->t->n_nodes - 1].foreign =
	    n_run > 0 || (kind == TOPO_NODE_NVA && b->t->nvas[index].foreign);
}

static int
by_node_name(const void *a, const void *b, void *nodes)
{
	const struct topo_node *x = (struct topo_node *)nodes + *(const int *)a;
	const struct topo_node *y = (struct topo_node *)nodes + *(const int *)b;

	return strcmp(x->name, y->name);
}

void
topo_nodes_build(struct topo_build *b)
{
	struct topo *t = b->t;
	size_t n = 2 * (t->n_servers + t->n_gateways + t->n_circuits) + t->n_nvas + t->n_sites;

	t->nodes = topo_arena_alloc(b->arena, n, sizeof(*t->nodes));
	t->index->nodes_by_name = topo_arena_alloc(b->arena, n, sizeof(int));
	if (t->nodes == NULL || t->index->nodes_by_name == NULL)
		return;
	for (size_t i = 0; i < t->n_servers; i++)
		add_pair(b, TOPO_NODE_ROUTE_SERVER, i, t->servers[i].name, "-0", "-1");
	for (size_t i = 0; i < t->n_gateways; i++)
		add_pair(b,
		    t->gateways[i].type == GW_VPN ? TOPO_NODE_VPN_GATEWAY : TOPO_NODE_ER_GATEWAY, i,
		    t->gateways[i].name, "-0", "-1");
	for (size_t i = 0; i < t->n_circuits; i++)
		add_pair(b, TOPO_NODE_MSEE, i, t->circuits[i].name, "-primary", "-secondary");
	for (size_t i = 0; i < t->n_nvas; i++)
		add_router(b, TOPO_NODE_NVA, i, t->nvas[i].name, t->nvas[i].run, t->nvas[i].n_run);
	for (size_t i = 0; i < t->n_sites; i++)
		add_router(
		    b, TOPO_NODE_SITE, i, t->sites[i].name, t->sites[i].run, t->sites[i].n_run);
	for (size_t i = 0; i < t->n_nodes; i++)
		t->index->nodes_by_name[i] = (int)i;
	if (n > 0)
		qsort_r(t->index->nodes_by_name, n, sizeof(int), by_node_name, t->nodes);
}

int
topo_node_vnet(const struct topo *t, const struct topo_node *n)
{
	switch (n->kind) {
	case TOPO_NODE_ROUTE_SERVER:
		return t->servers[n->index].vnet;
	case TOPO_NODE_ER_GATEWAY:
	case TOPO_NODE_VPN_GATEWAY:
		return t->gateways[n->index].vnet;
	case TOPO_NODE_NVA:
		return t->nvas[n->index].vnet;
	case TOPO_NODE_MSEE:
	case TOPO_NODE_SITE:
		break;
	}
	return -1;
}

bool
topo_platform_address(const struct topo *t, const struct topo_node *n, int *vnet, uint32_t *ip)
{
	switch (n->kind) {
	case TOPO_NODE_ROUTE_SERVER:
		*vnet = t->servers[n->index].vnet;
		*ip = t->servers[n->index].ip[n->instance];
		break;
	case TOPO_NODE_ER_GATEWAY:
	case TOPO_NODE_VPN_GATEWAY:
		*vnet = t->gateways[n->index].vnet;
		*ip = t->gateways[n->index].ip[n->instance];
		break;
	default:
		return false;
	}
	return *ip != 0;
}

static bool
speaks_tcp(const struct topo *t, int nva)
{
	const struct topo_nva *v = &t->nvas[nva];

	for (size_t i = 0; i < t->n_servers; i++)
		for (size_t k = 0; k < t->servers[i].n_peers; k++)
			if (t->servers[i].peers[k].nva == nva &&
			    t->servers[i].peers[k].transport == TOPO_TCP)
				return true;
	for (size_t i = 0; i < v->n_peers; i++)
		if (v->peers[i].transport == TOPO_TCP)
			return true;
	return v->foreign || v->bgp_listen.port != 0;
}

bool
topo_node_in_guest(const struct topo *t, const struct topo_node *n)
{
	if (n->kind == TOPO_NODE_NVA)
		return t->packets || !speaks_tcp(t, n->index);
	return t->packets && n->kind == TOPO_NODE_ROUTE_SERVER;
}

int
topo_find_node(const struct topo *t, const char *name)
{
	size_t low = 0, high = t->n_nodes, mid;
	int at, c;

	while (low < high) {
		mid = low + (high - low) / 2;
		at = t->index->nodes_by_name[mid];
		if ((c = strcmp(t->nodes[at].name, name)) == 0)
			return at;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}
