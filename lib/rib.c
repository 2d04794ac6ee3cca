/*
 * The prefix table (rib.h): a chained hash whose nodes, like paths and outs, come from pools of
 * fixed chunks. Chunks are never moved, which is what makes walking by slot number safe.
 */
#include "lib/rib.h"

#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK       256 /* objects; a power of two */
#define BUCKETS_MIN 256
#define LINE_BITS   3 /* buckets in a cache line */
#define LINE        (1u << LINE_BITS)

/* A free object holds the pointer to the next free one in its first octets. */
struct pool {
	size_t size; /* of an object */
	char **chunks;
	size_t n_chunks;
	void *free;
};

struct rib {
	struct pool prefixes, paths, outs;
	struct rib_prefix **buckets;
	unsigned shift; /* 64 minus log2 of the number of buckets */
	size_t count;
	struct rib_prefix *dirty_first, *dirty_last;
};

/* rib_next() reads this mark of free objects too. */
_Static_assert(offsetof(struct rib_prefix, used) >= sizeof(void *), "free list keeps off the mark");

/* ---- pools ---- */

static bool
pool_grow(struct pool *pool)
{
	char **chunks = realloc(pool->chunks, (pool->n_chunks + 1) * sizeof(*chunks));
	char *chunk;

	if (chunks == NULL)
		return false;
	pool->chunks = chunks;
	chunk = calloc(CHUNK, pool->size);
	if (chunk == NULL)
		return false;
	chunks[pool->n_chunks++] = chunk;
	for (size_t i = CHUNK; i-- > 0;) {
		void *obj = chunk + i * pool->size;

		memcpy(obj, &pool->free, sizeof(void *));
		pool->free = obj;
	}
	return true;
}

/* Zeroed. */
static void *
pool_get(struct pool *pool)
{
	void *obj;

	if (pool->free == NULL && !pool_grow(pool))
		return NULL;
	obj = pool->free;
	memcpy(&pool->free, obj, sizeof(void *));
	memset(obj, 0, sizeof(void *)); /* the rest of a free one is zero */
	return obj;
}

static void
pool_put(struct pool *pool, void *obj)
{
	memset(obj, 0, pool->size);
	memcpy(obj, &pool->free, sizeof(void *));
	pool->free = obj;
}

static void
pool_fini(struct pool *pool)
{
	for (size_t i = 0; i < pool->n_chunks; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
}

/* ---- table ---- */

int
rib_new(struct rib **out)
{
	struct rib *rib = calloc(1, sizeof(*rib));

	if (rib == NULL)
		return FAB_ENOMEM;
	rib->buckets = calloc(BUCKETS_MIN, sizeof(struct rib_prefix *));
	if (rib->buckets == NULL) {
		free(rib);
		return FAB_ENOMEM;
	}
	rib->shift = 64 - 8;
	_Static_assert(BUCKETS_MIN == 1 << 8, "shift follows BUCKETS_MIN");
	rib->prefixes.size = sizeof(struct rib_prefix);
	rib->paths.size = sizeof(struct rib_path);
	rib->outs.size = sizeof(struct rib_out);
	*out = rib;
	return FAB_OK;
}

void
rib_free(struct rib *rib)
{
	if (rib == NULL)
		return;
	pool_fini(&rib->prefixes);
	pool_fini(&rib->paths);
	pool_fini(&rib->outs);
	free(rib->buckets);
	free(rib);
}

size_t
rib_count(const struct rib *rib)
{
	return rib->count;
}

/* Eight neighbours, such as 10.0.0.0/24 ... 10.0.7.0/24, share a cache line of buckets: routes come
 * and go in order, and a line for each of them is most of what a large table costs. Which line, and
 * where in it they begin, Fibonacci hashing says: the top bits of a multiplication depend on all
 * bits of the prefix. */
static size_t
bucket_of(struct ipnet net, unsigned shift)
{
	uint64_t number = net.len == 0 ? 0 : net.addr >> (32 - net.len);
	uint64_t hash = ((number / LINE) << 6 | net.len) * 0x9e3779b97f4a7c15u;
	uint64_t first = hash >> (shift - LINE_BITS); /* the next bits below the line's */

	return (hash >> shift & ~(uint64_t)(LINE - 1)) | ((number + first) & (LINE - 1));
}

/* Doubles the number of buckets; without memory the chains just get longer. */
static void
rehash(struct rib *rib)
{
	size_t old = (size_t)1 << (64 - rib->shift);
	struct rib_prefix **buckets = calloc(old * 2, sizeof(struct rib_prefix *));

	if (buckets == NULL)
		return;
	for (size_t i = 0; i < old; i++) {
		struct rib_prefix *p, *next;

		for (p = rib->buckets[i]; p != NULL; p = next) {
			size_t b = bucket_of(p->net, rib->shift - 1);

			next = p->hash_next;
			p->hash_next = buckets[b];
			buckets[b] = p;
		}
	}
	free(rib->buckets);
	rib->buckets = buckets;
	rib->shift--;
}

struct rib_prefix *
rib_prefix_find(const struct rib *rib, struct ipnet net)
{
	struct rib_prefix *p = rib->buckets[bucket_of(net, rib->shift)];

	while (p != NULL && !ipnet_eq(p->net, net))
		p = p->hash_next;
	return p;
}

struct rib_prefix *
rib_prefix_add(struct rib *rib, struct ipnet net)
{
	struct rib_prefix *p = rib_prefix_find(rib, net);
	size_t b;

	if (p != NULL)
		return p;
	p = pool_get(&rib->prefixes);
	if (p == NULL)
		return NULL;
	if (rib->count >= (size_t)1 << (64 - rib->shift))
		rehash(rib);
	b = bucket_of(net, rib->shift);
	p->net = net;
	p->used = true;
	p->hash_next = rib->buckets[b];
	rib->buckets[b] = p;
	rib->count++;
	return p;
}

void
rib_prefix_release(struct rib *rib, struct rib_prefix *p)
{
	struct rib_prefix **at = &rib->buckets[bucket_of(p->net, rib->shift)];

	if (p->paths != NULL || p->outs != NULL || p->dirty_next != NULL)
		return;
	while (*at != p)
		at = &(*at)->hash_next;
	*at = p->hash_next;
	rib->count--;
	pool_put(&rib->prefixes, p);
}

/* ---- paths and outs ---- */

struct rib_path *
rib_path_find(const struct rib_prefix *p, uint32_t from)
{
	struct rib_path *path = p->paths;

	while (path != NULL && path->from != from)
		path = path->next;
	return path;
}

struct rib_path *
rib_path_add(struct rib *rib, struct rib_prefix *p, uint32_t from)
{
	struct rib_path *path = pool_get(&rib->paths);
	struct rib_path **at = &p->paths;

	if (path == NULL)
		return NULL;
	path->from = from;
	while (*at != NULL)
		at = &(*at)->next;
	*at = path;
	return path;
}

void *
rib_path_remove(struct rib *rib, struct rib_prefix *p, uint32_t from)
{
	struct rib_path **at = &p->paths, *path;
	void *route;

	while ((*at)->from != from)
		at = &(*at)->next;
	path = *at;
	route = path->route;
	*at = path->next;
	pool_put(&rib->paths, path);
	return route;
}

struct rib_out *
rib_out_find(const struct rib_prefix *p, uint16_t group)
{
	struct rib_out *out = p->outs;

	while (out != NULL && out->group != group)
		out = out->next;
	return out;
}

struct rib_out *
rib_out_add(struct rib *rib, struct rib_prefix *p, uint16_t group)
{
	struct rib_out *out = pool_get(&rib->outs);

	if (out == NULL)
		return NULL;
	out->group = group;
	out->next = p->outs;
	p->outs = out;
	return out;
}

void *
rib_out_remove(struct rib *rib, struct rib_prefix *p, uint16_t group)
{
	struct rib_out **at = &p->outs, *out;
	void *attrs;

	while ((*at)->group != group)
		at = &(*at)->next;
	out = *at;
	attrs = out->attrs;
	*at = out->next;
	pool_put(&rib->outs, out);
	return attrs;
}

/* ---- the dirty list: the last element points to itself ---- */

void
rib_dirty_add(struct rib *rib, struct rib_prefix *p)
{
	if (p->dirty_next != NULL)
		return;
	p->dirty_next = p;
	if (rib->dirty_first == NULL)
		rib->dirty_first = p;
	else
		rib->dirty_last->dirty_next = p;
	rib->dirty_last = p;
}

struct rib_prefix *
rib_dirty_take(struct rib *rib)
{
	struct rib_prefix *p = rib->dirty_first;

	if (p == NULL)
		return NULL;
	rib->dirty_first = p->dirty_next == p ? NULL : p->dirty_next;
	p->dirty_next = NULL;
	return p;
}

struct rib_prefix *
rib_next(const struct rib *rib, size_t *cursor)
{
	size_t end = rib->prefixes.n_chunks * CHUNK;

	while (*cursor < end) {
		size_t slot = (*cursor)++;
		void *obj =
		    rib->prefixes.chunks[slot / CHUNK] + slot % CHUNK * sizeof(struct rib_prefix);
		struct rib_prefix *p = obj;

		if (p->used)
			return p;
	}
	return NULL;
}
