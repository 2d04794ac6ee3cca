/*
 * The pool of next-hop groups.
 */
#include "fabricd/fc_group.h"

#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

/* key and hops are hashed as one run of octets, so neither may hold padding. */
_Static_assert(sizeof(struct fc_group_key) == 12, "fc_group_key has padding");
_Static_assert(
    offsetof(struct fc_group, hops) == offsetof(struct fc_group, key) + sizeof(struct fc_group_key),
    "hops do not follow the key");

void
fc_group_pool_init(struct fc_group_pool *p)
{
	*p = (struct fc_group_pool){ 0 };
}

void
fc_group_pool_fini(struct fc_group_pool *p)
{
	HASH_CLEAR(hh, p->by_key);
	for (uint32_t i = 0; i < p->n_ids; i++)
		free(p->by_id[i]);
	free(p->by_id);
	free(p->free_ids);
	fc_group_pool_init(p);
}

static int
hop_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint16_t
sort_unique(uint32_t *v, uint16_t n)
{
	uint16_t out = 0;

	if (n > 1)
		qsort(v, n, sizeof(*v), hop_cmp);
	for (uint16_t i = 0; i < n; i++)
		if (out == 0 || v[out - 1] != v[i])
			v[out++] = v[i];
	return out;
}

static int
ids_grow(struct fc_group_pool *p)
{
	uint32_t cap = p->cap == 0 ? 64 : p->cap * 2;
	struct fc_group **by_id = realloc(p->by_id, cap * sizeof(struct fc_group *));
	uint32_t *free_ids;

	if (by_id == NULL)
		return FAB_ENOMEM;
	p->by_id = by_id;
	free_ids = realloc(p->free_ids, cap * sizeof(*free_ids));
	if (free_ids == NULL)
		return FAB_ENOMEM;
	p->free_ids = free_ids;
	p->cap = cap;
	return FAB_OK;
}

static size_t
group_size(const struct fc_group *g)
{
	return sizeof(*g) + g->key.n_hops * sizeof(g->hops[0]);
}

static size_t
key_size(uint16_t n_hops)
{
	return sizeof(struct fc_group_key) + n_hops * sizeof(uint32_t);
}

int
fc_group_intern(
    struct fc_group_pool *p, struct fc_group_key key, const uint32_t *hops, struct fc_group **out)
{
	struct fc_group *g, *known;

	if (key.n_hops > FC_NEXT_HOPS_MAX)
		return FAB_ETOOBIG;
	g = calloc(1, sizeof(*g) + key.n_hops * sizeof(g->hops[0]));
	if (g == NULL)
		return FAB_ENOMEM;
	if (key.n_hops > 0)
		memcpy(g->hops, hops, key.n_hops * sizeof(g->hops[0]));
	key.n_hops = sort_unique(g->hops, key.n_hops);
	g->key = key;
	HASH_FIND(hh, p->by_key, &g->key, key_size(key.n_hops), known);
	if (known != NULL) {
		free(g);
		known->refs++;
		*out = known;
		return FAB_OK;
	}
	if (p->n_free == 0 && p->n_ids == p->cap && ids_grow(p) != FAB_OK) {
		free(g);
		return FAB_ENOMEM;
	}
	g->id = p->n_free > 0 ? p->free_ids[--p->n_free] : p->n_ids++;
	g->refs = 1;
	p->by_id[g->id] = g;
	p->octets += group_size(g);
	HASH_ADD(hh, p->by_key, key, key_size(key.n_hops), g);
	*out = g;
	return FAB_OK;
}

const struct fc_group *
fc_group_get(const struct fc_group_pool *p, uint32_t id)
{
	FAB_ASSERT(id < p->n_ids && p->by_id[id] != NULL);
	return p->by_id[id];
}

void
fc_group_ref(struct fc_group_pool *p, uint32_t id)
{
	FAB_ASSERT(id < p->n_ids && p->by_id[id] != NULL);
	p->by_id[id]->refs++;
}

void
fc_group_unref(struct fc_group_pool *p, uint32_t id)
{
	struct fc_group *g;

	FAB_ASSERT(id < p->n_ids && p->by_id[id] != NULL && p->by_id[id]->refs > 0);
	g = p->by_id[id];
	if (--g->refs > 0)
		return;
	HASH_DEL(p->by_key, g);
	p->by_id[id] = NULL;
	p->free_ids[p->n_free++] = id;
	p->octets -= group_size(g);
	free(g);
}

size_t
fc_group_memory(const struct fc_group_pool *p)
{
	return p->octets + p->cap * (sizeof(p->by_id[0]) + sizeof(p->free_ids[0])) +
	       (p->by_key != NULL ? HASH_OVERHEAD(hh, p->by_key) : 0);
}
