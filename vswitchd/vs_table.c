/*
 * Compiling prefixes to ranges.
 */
#include "vswitchd/vs_table.h"

#include "lib/err.h"

#include <stdlib.h>

/* ---- merging ---- */

static int
change_cmp(const void *a, const void *b)
{
	const struct vs_change *x = a, *y = b;
	int c = ipnet_cmp(&x->net, &y->net);

	if (c != 0)
		return c;
	return x->order < y->order ? -1 : 1;
}

static void
sort_changes(struct vs_change *c, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if (ipnet_cmp(&c[i - 1].net, &c[i].net) < 0)
			continue;
		qsort(c, n, sizeof(*c), change_cmp);
		return;
	}
}

static bool
well_formed(const struct vs_table *old, const struct vs_change *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (c[i].net.len > 32 || (c[i].net.addr & ~ipnet_mask(c[i].net.len)) != 0)
			return false;
	/* Ranges: up to twice as many as entries, and one. */
	return n < VS_NO_ENTRY / 2 && (old != NULL ? old->n_entries : 0) < VS_NO_ENTRY / 2 - n;
}

struct merge {
	const struct vs_entry *old, *end;
	struct vs_entry *out;
	size_t n;
};

/* Copies the old entries before net and leaves out that of net itself. */
static void
copy_up_to(struct merge *m, struct ipnet net)
{
	for (; m->old < m->end; m->old++) {
		struct ipnet was = { m->old->addr, m->old->len };
		int order = ipnet_cmp(&was, &net);

		if (order > 0)
			return;
		if (order < 0)
			m->out[m->n++] = *m->old;
	}
}

/* Both are sorted. Writes entries without parents and returns how many. */
static size_t
merge(struct vs_entry *out, const struct vs_table *old, const struct vs_change *c, size_t n)
{
	struct merge m = { .out = out };

	if (old != NULL) {
		m.old = old->entries;
		m.end = old->entries + old->n_entries;
	}
	for (size_t i = 0; i < n; i++) {
		bool outdone = i + 1 < n && ipnet_eq(c[i].net, c[i + 1].net);

		copy_up_to(&m, c[i].net);
		if (!outdone && c[i].group != 0)
			out[m.n++] = (struct vs_entry){
				.addr = c[i].net.addr, .len = c[i].net.len, .group = c[i].group
			};
	}
	while (m.old < m.end)
		out[m.n++] = *m.old++;
	return m.n;
}

/* ---- compiling ---- */

struct compiler {
	struct vs_entry *entries;
	struct vs_range *ranges;
	uint32_t n_ranges;
};

static uint32_t
last_addr(const struct vs_entry *e)
{
	return e->addr | ~ipnet_mask(e->len);
}

/* From start on it is entry's turn: a range without an address gives way, and one that repeats its
 * neighbour is left out. */
static void
emit(struct compiler *c, uint32_t start, uint32_t entry)
{
	struct vs_range *last = &c->ranges[c->n_ranges - 1];

	if (last->start == start)
		last->entry = entry;
	else if (last->entry != entry)
		c->ranges[c->n_ranges++] = (struct vs_range){ start, entry };
}

/* Behind an entry it is its parent's turn again. */
static uint32_t
leave(struct compiler *c, uint32_t open)
{
	uint32_t behind = last_addr(&c->entries[open]) + 1;

	open = c->entries[open].parent;
	emit(c, behind, open);
	return open;
}

/* In ipnet_cmp() order whatever contains an entry comes before it: the entries that are open form a
 * stack, and the chain of parents is that stack. */
static void
compile(struct compiler *c, size_t n)
{
	uint32_t open = VS_NO_ENTRY;

	c->ranges[c->n_ranges++] = (struct vs_range){ 0, VS_NO_ENTRY };
	for (uint32_t i = 0; i < n; i++) {
		while (open != VS_NO_ENTRY && last_addr(&c->entries[open]) < c->entries[i].addr)
			open = leave(c, open);
		c->entries[i].parent = open;
		emit(c, c->entries[i].addr, i);
		open = i;
	}
	while (open != VS_NO_ENTRY && last_addr(&c->entries[open]) != UINT32_MAX)
		open = leave(c, open);
}

/* ---- tables ---- */

/* Gives back what duplicates and merged ranges did not need. */
static void *
shrink(void *p, size_t n, size_t size)
{
	void *q = realloc(p, (n > 0 ? n : 1) * size);

	return q != NULL ? q : p;
}

static struct vs_table *
table_new(struct compiler *c, size_t n)
{
	struct vs_table *t = malloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	compile(c, n);
	*t = (struct vs_table){ .entries = shrink(c->entries, n, sizeof(*c->entries)),
		.ranges = shrink(c->ranges, c->n_ranges, sizeof(*c->ranges)),
		.n_entries = (uint32_t)n,
		.n_ranges = c->n_ranges };
	t->has_default = n > 0 && t->entries[0].len == 0; /* it sorts first */
	return t;
}

int
vs_table_merge(
    struct vs_table **out, const struct vs_table *old, struct vs_change *changes, size_t n)
{
	size_t room = n + (old != NULL ? old->n_entries : 0);
	struct compiler c = { 0 };
	struct vs_table *t = NULL;

	if (!well_formed(old, changes, n))
		return FAB_EINVAL;
	sort_changes(changes, n);
	c.entries = malloc((room + 1) * sizeof(*c.entries));
	c.ranges = malloc((2 * room + 1) * sizeof(*c.ranges));
	if (c.entries != NULL && c.ranges != NULL)
		t = table_new(&c, merge(c.entries, old, changes, n));
	if (t == NULL) {
		free(c.entries);
		free(c.ranges);
		return FAB_ENOMEM;
	}
	*out = t;
	return FAB_OK;
}

int
vs_table_build(struct vs_table **out, const uint32_t *addr, const uint8_t *len,
    const uint32_t *group, size_t n)
{
	struct vs_change *c = malloc((n + 1) * sizeof(*c));
	int err;

	if (c == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < n; i++)
		c[i] = (struct vs_change){ { addr[i], len[i] }, group[i], (uint32_t)i };
	err = vs_table_merge(out, NULL, c, n);
	free(c);
	return err;
}

void
vs_table_free(struct vs_table *t)
{
	if (t == NULL)
		return;
	free((void *)(uintptr_t)t->entries);
	free((void *)(uintptr_t)t->ranges);
	free(t);
}

size_t
vs_table_memory(const struct vs_table *t)
{
	return sizeof(*t) + t->n_entries * sizeof(t->entries[0]) +
	       t->n_ranges * sizeof(t->ranges[0]);
}

uint32_t
vs_table_find(const struct vs_table *t, uint32_t addr)
{
	const struct vs_range *r = t->ranges;

	for (uint32_t n = t->n_ranges; n > 1;) { /* r[0].start <= addr always */
		uint32_t half = n / 2;

		if (r[half].start <= addr)
			r += half;
		n -= half;
	}
	return r->entry;
}
