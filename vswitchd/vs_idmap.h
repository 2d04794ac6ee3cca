#ifndef VSWITCHD_VS_IDMAP_H
#define VSWITCHD_VS_IDMAP_H
/*
 * Ids to pointers, for the packet path: open addressing, one cache line for nearly every question.
 * Zeroed storage is an empty map. Ids are any numbers but 0; the map owns nothing that it points
 * at.
 */
#include <stddef.h>
#include <stdint.h>

struct vs_idslot {
	uint32_t id; /* 0: free */
	void *p;
};

struct vs_idmap {
	struct vs_idslot *slots;
	size_t n;
	unsigned bits; /* 2^bits slots, at most half of them taken */
};

void vs_idmap_fini(struct vs_idmap *m);
/* Replaces what id had; *old (may be NULL) receives that or NULL. FAB_ENOMEM. */
int vs_idmap_put(struct vs_idmap *m, uint32_t id, void *p, void **old);
/* Returns what id had, NULL if nothing. */
void *vs_idmap_del(struct vs_idmap *m, uint32_t id);
/* out is uninitialised storage. FAB_ENOMEM. */
int vs_idmap_copy(struct vs_idmap *out, const struct vs_idmap *m);
size_t vs_idmap_memory(const struct vs_idmap *m);

/* Multiplication spreads ids that count up over the whole map. */
static inline size_t
vs_idmap_home(const struct vs_idmap *m, uint32_t id)
{
	return (uint32_t)(id * 0x9e3779b1u) >> (32 - m->bits);
}

static inline void *
vs_idmap_get(const struct vs_idmap *m, uint32_t id)
{
	size_t mask, i;

	if (m->n == 0)
		return NULL;
	mask = ((size_t)1 << m->bits) - 1;
	for (i = vs_idmap_home(m, id); m->slots[i].id != 0; i = (i + 1) & mask)
		if (m->slots[i].id == id)
			return m->slots[i].p;
	return NULL;
}

/* Walks in no order: start with NULL, ends with NULL. The map must not change meanwhile. */
static inline const struct vs_idslot *
vs_idmap_next(const struct vs_idmap *m, const struct vs_idslot *s)
{
	const struct vs_idslot *end = m->slots != NULL ? m->slots + ((size_t)1 << m->bits) : NULL;

	for (s = s != NULL ? s + 1 : m->slots; s != end; s++)
		if (s->id != 0)
			return s;
	return NULL;
}

#endif
