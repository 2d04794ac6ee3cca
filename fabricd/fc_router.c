/*
 * Tables of NVAs and sites.
 */
#include "fabricd/fc_router.h"

#include "fabricd/fc_bgp.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

static void
router_free(struct fc_router *r)
{
	for (size_t i = 0; i < r->n_peers; i++)
		free(r->peers[i]);
	free(r->peers);
	fc_lpm_fini(&r->rib);
	free(r->name);
	free(r);
}

void
fc_routers_free(struct fc_router **all)
{
	struct fc_router *r, *tmp;

	HASH_ITER (hh, *all, r, tmp) {
		HASH_DEL(*all, r);
		router_free(r);
	}
}

bool
fc_is_router(const struct topo *t, const char *node)
{
	int i = topo_find_node(t, node);

	return i >= 0 && (t->nodes[i].kind == TOPO_NODE_NVA || t->nodes[i].kind == TOPO_NODE_SITE);
}

void
fc_routers_bind(struct fc_router **all, const struct topo *t)
{
	struct fc_router *r, *tmp;

	HASH_ITER (hh, *all, r, tmp) {
		if (fc_is_router(t, r->name))
			continue;
		HASH_DEL(*all, r);
		router_free(r);
	}
}

struct fc_router *
fc_router_find(struct fc_router *all, const char *node)
{
	struct fc_router *r;

	HASH_FIND_STR(all, node, r);
	return r;
}

static struct fc_router *
router_add(struct fc_router **all, const char *node)
{
	struct fc_router *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	if ((r->name = strdup(node)) == NULL) {
		free(r);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, *all, r->name, strlen(r->name), r);
	return r;
}

static int
peer_index(struct fc_router *r, const char *peer, uint32_t *out)
{
	char **peers;

	for (size_t i = 0; i < r->n_peers; i++) {
		if (strcmp(r->peers[i], peer) == 0) {
			*out = (uint32_t)i;
			return FAB_OK;
		}
	}
	if (r->n_peers == FC_ROUTER_PEERS_MAX)
		return FAB_ETOOBIG;
	peers = realloc(r->peers, (r->n_peers + 1) * sizeof(*peers));
	if (peers == NULL)
		return FAB_ENOMEM;
	r->peers = peers;
	if ((peers[r->n_peers] = strdup(peer)) == NULL)
		return FAB_ENOMEM;
	*out = (uint32_t)r->n_peers++;
	return FAB_OK;
}

static void
mark_all(struct fc_router *r)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, &r->rib, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		*fc_lpm_slot(&r->rib, hit.net) |= FC_STALE;
}

static int
sweep(struct fc_router *r)
{
	struct ipnet *stale = malloc((r->rib.count + 1) * sizeof(*stale));
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;
	size_t n = 0;

	if (stale == NULL)
		return FAB_ENOMEM;
	fc_lpm_walk(&it, &r->rib, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		if (hit.value & FC_STALE)
			stale[n++] = hit.net;
	while (n-- > 0)
		fc_lpm_del(&r->rib, stale[n]);
	free(stale);
	return FAB_OK;
}

static int
announce(struct fc_router *r, const struct fc_route_group *g)
{
	uint32_t peer, *slot;
	int err = peer_index(r, g->peer != NULL ? g->peer : "", &peer);

	for (size_t i = 0; i < g->n && err == FAB_OK; i++) {
		slot = fc_lpm_add(&r->rib, (struct ipnet){ g->addr[i], g->len[i] });
		if (slot == NULL)
			err = FAB_ENOMEM;
		else
			*slot = peer;
	}
	return err;
}

int
fc_router_apply(struct fc_router **all, const struct topo *t, const char *node,
    const struct fc_route_batch *b, bool snapshot_begin, bool snapshot_end)
{
	struct fc_router *r = fc_router_find(*all, node);
	int err = FAB_OK;

	if (!fc_is_router(t, node))
		return FAB_ENOENT;
	if (b != NULL && !fc_batch_valid(b))
		return FAB_EINVAL;
	if (r == NULL && (r = router_add(all, node)) == NULL)
		return FAB_ENOMEM;
	if (b != NULL && r->rib.count + fc_batch_announced(b) > FC_ROUTER_ROUTES_MAX)
		return FAB_ETOOBIG;
	r->gone = false;
	if (snapshot_begin)
		mark_all(r);
	for (size_t i = 0; b != NULL && i < b->n_withdrawn; i++)
		fc_lpm_del(&r->rib, (struct ipnet){ b->withdrawn_addr[i], b->withdrawn_len[i] });
	for (size_t i = 0; b != NULL && i < b->n_groups && err == FAB_OK; i++)
		err = announce(r, &b->groups[i]);
	if (err == FAB_OK && snapshot_end)
		err = sweep(r);
	return err;
}

size_t
fc_routers_memory(const struct fc_router *all)
{
	size_t octets = 0;

	for (const struct fc_router *r = all; r != NULL; r = r->hh.next)
		octets += sizeof(*r) + fc_lpm_memory(&r->rib);
	return octets;
}
