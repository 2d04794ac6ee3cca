/*
 * Memory that dies together (see fc_mem.h).
 */
#include "fabricd/fc_mem.h"

#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct fc_block {
	struct fc_block *next;
	_Alignas(max_align_t) char data[];
};

void *
fc_mem_take(struct fc_mem *m, size_t n, size_t size)
{
	struct fc_block *b;

	if (n == 0 || m->err != FAB_OK)
		return NULL;
	if (n > (SIZE_MAX - sizeof(*b)) / size || (b = calloc(1, sizeof(*b) + n * size)) == NULL) {
		m->err = FAB_ENOMEM;
		return NULL;
	}
	b->next = m->blocks;
	m->blocks = b;
	return b->data;
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
