/*
 * Memory that dies together (see fc_mem.h).
 */
#include "fabricd/fc_mem.h"

#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN 4000 /* with malloc's own words just below a page */
#define ALIGN     _Alignof(max_align_t)

/* Small takes share a block: a reply of thousands of rows is tens of allocations. */
struct fc_block {
	struct fc_block *next;
	size_t used, room;
	_Alignas(max_align_t) char data[];
};

void *
fc_mem_take(struct fc_mem *m, size_t n, size_t size)
{
	struct fc_block *b = m->blocks;
	size_t need, room;
	char *p;

	if (n == 0 || m->err != FAB_OK)
		return NULL;
	if (n > (SIZE_MAX / 2) / size) {
		m->err = FAB_ENOMEM;
		return NULL;
	}
	need = (n * size + ALIGN - 1) / ALIGN * ALIGN;
	if (b == NULL || b->room - b->used < need) {
		room = need > BLOCK_MIN ? need : BLOCK_MIN;
		if ((b = calloc(1, sizeof(*b) + room)) == NULL) {
			m->err = FAB_ENOMEM;
			return NULL;
		}
		b->room = room;
		b->next = m->blocks;
		m->blocks = b;
	}
	p = b->data + b->used;
	b->used += need;
	return p;
}

char *
fc_mem_format(struct fc_mem *m, const char *fmt, ...)
{
	static char empty[1];
	va_list ap, again;
	char *out;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	out = fc_mem_take(m, (size_t)n + 1, 1);
	if (out != NULL)
		vsnprintf(out, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return out == NULL ? empty : out;
}

void
fc_mem_free(struct fc_mem *m)
{
	while (m->blocks != NULL) {
		struct fc_block *b = m->blocks;

		m->blocks = b->next;
		free(b);
	}
	m->err = FAB_OK;
}
