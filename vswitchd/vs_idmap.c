#include "vswitchd/vs_idmap.h"

#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

#define BITS_MIN 4

static size_t
slots_of(const struct vs_idmap *m)
{
	return m->slots != NULL ? (size_t)1 << m->bits : 0;
}

void
vs_idmap_fini(struct vs_idmap *m)
{
	free(m->slots);
	*m = (struct vs_idmap){ 0 };
}

/* Where id is, or the free slot where it belongs. */
static size_t
find(const struct vs_idmap *m, uint32_t id)
{
	size_t mask = slots_of(m) - 1, i = vs_idmap_home(m, id);

	while (m->slots[i].id != 0 && m->slots[i].id != id)
		i = (i + 1) & mask;
	return i;
}

static int
grow(struct vs_idmap *m)
{
	struct vs_idmap bigger = { .n = m->n, .bits = m->slots != NULL ? m->bits + 1 : BITS_MIN };

	if ((bigger.slots = calloc((size_t)1 << bigger.bits, sizeof(*bigger.slots))) == NULL)
		return FAB_ENOMEM;
	for (const struct vs_idslot *s = NULL; (s = vs_idmap_next(m, s)) != NULL;)
		bigger.slots[find(&bigger, s->id)] = *s;
	free(m->slots);
	*m = bigger;
	return FAB_OK;
}

int
vs_idmap_put(struct vs_idmap *m, uint32_t id, void *p, void **old)
{
	struct vs_idslot *s;

	FAB_ASSERT(id != 0);
	if (2 * (m->n + 1) > slots_of(m) && grow(m) != FAB_OK)
		return FAB_ENOMEM;
	s = &m->slots[find(m, id)];
	if (old != NULL)
		*old = s->id != 0 ? s->p : NULL;
	m->n += s->id == 0;
	*s = (struct vs_idslot){ id, p };
	return FAB_OK;
}

/* Moves back what a search would no longer reach over the hole. */
static void
close_hole(struct vs_idmap *m, size_t hole)
{
	size_t mask = slots_of(m) - 1;

	for (size_t i = (hole + 1) & mask; m->slots[i].id != 0; i = (i + 1) & mask) {
		size_t home = vs_idmap_home(m, m->slots[i].id);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct vs_idslot){ 0 };
}

void *
vs_idmap_del(struct vs_idmap *m, uint32_t id)
{
	size_t i;
	void *p;

	if (m->n == 0)
		return NULL;
	i = find(m, id);
	if (m->slots[i].id == 0)
		return NULL;
	p = m->slots[i].p;
	m->n--;
	close_hole(m, i);
	return p;
}

int
vs_idmap_copy(struct vs_idmap *out, const struct vs_idmap *m)
{
	struct vs_idmap copy = *m;

	if (m->slots != NULL) {
		if ((copy.slots = malloc(vs_idmap_memory(m))) == NULL)
			return FAB_ENOMEM;
		memcpy(copy.slots, m->slots, vs_idmap_memory(m));
	}
	*out = copy;
	return FAB_OK;
}

size_t
vs_idmap_memory(const struct vs_idmap *m)
{
	return slots_of(m) * sizeof(*m->slots);
}
