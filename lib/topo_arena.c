/*
 * Memory of a YAML tree or of a model: taken in blocks, freed as a whole. An allocation that fails
 * is remembered, so a builder may go on with empty strings and arrays and ask once at its end.
 */
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE 16384

struct block {
	struct block *next;
	size_t used, size;
	max_align_t data[];
};

struct topo_arena {
	struct block *blocks;
	bool failed;
};

static char no_text[1];

struct topo_arena *
topo_arena_new(void)
{
	return calloc(1, sizeof(struct topo_arena));
}

void
topo_arena_free(struct topo_arena *a)
{
	if (a == NULL)
		return;
	for (struct block *b = a->blocks, *next; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

/* A large object gets a block of its own behind the current one, which stays in use. */
static struct block *
block_add(struct topo_arena *a, size_t need)
{
	size_t size = need > BLOCK_SIZE / 4 ? need : BLOCK_SIZE;
	struct block *b = malloc(sizeof(*b) + size);

	if (b == NULL)
		return NULL;
	b->used = 0;
	b->size = size;
	if (size == need && a->blocks != NULL) {
		b->next = a->blocks->next;
		a->blocks->next = b;
	} else {
		b->next = a->blocks;
		a->blocks = b;
	}
	return b;
}

void *
topo_arena_alloc(struct topo_arena *a, size_t n, size_t size)
{
	const size_t align = sizeof(max_align_t);
	struct block *b = a->blocks;
	size_t need;
	char *p;

	if (size != 0 && n > (SIZE_MAX / 2 - align) / size) {
		a->failed = true;
		return NULL;
	}
	need = (n * size + align - 1) / align * align;
	if (b == NULL || b->size - b->used < need)
		b = block_add(a, need);
	if (b == NULL) {
		a->failed = true;
		return NULL;
	}
	p = (char *)b->data + b->used;
	b->used += need;
	memset(p, 0, need);
	return p;
}

char *
topo_arena_text(struct topo_arena *a, const char *text, size_t len)
{
	char *p = topo_arena_alloc(a, len + 1, 1);

	if (p == NULL)
		return no_text;
	if (len > 0)
		memcpy(p, text, len);
	return p;
}

bool
topo_arena_failed(const struct topo_arena *a)
{
	return a->failed;
}
