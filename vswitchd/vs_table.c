/*
 * Compiling prefixes to ranges.
 */
#include "vswitchd/vs_table.h"

#include "lib/err.h"

#include <stdlib.h>

/* ---- sorting ---- */

struct input {
	struct ipnet net;
	uint32_t group;
	uint32_t order; /* the later one of two counts */
};

static int
input_cmp(const void *a, const void *b)
{
	const struct input *x = a, *y = b;
	int c = ipnet_cmp(&x->net, &y->net);

	if (c != 0)
		return c;
	return x->order < y->order ? -1 : 1;
}

static bool
well_formed(const uint32_t *addr, const uint8_t *len, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (len[i] > 32 || (addr[i] & ~ipnet_mask(len[i])) != 0)
			return false;
	return n < VS_NO_ENTRY / 2; /* ranges: up to twice as many, and one */
}

static bool
strictly_sorted(const uint32_t *addr, const uint8_t *len, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (addr[i - 1] > addr[i] || (addr[i - 1] == addr[i] && len[i - 1] >= len[i]))
			return false;
	return true;
}

/* Writes entries in order, without parents; returns how many are left of n. */
static size_t
fill_sorted(
    struct vs_entry *e, const uint32_t *addr, const uint8_t *len, const uint32_t *group, size_t n)
{
	for (size_t i = 0; i < n; i++)
		e[i] = (struct vs_entry){ .addr = addr[i], .len = len[i], .group = group[i] };
	return n;
}

static size_t
fill_inputs(struct vs_entry *e, const struct input *in, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && ipnet_eq(in[i].net, in[i + 1].net))
			continue;
		e[k++] = (struct vs_entry){
			.addr = in[i].net.addr, .len = in[i].net.len, .group = in[i].group
		};
	}
	return k;
}

static int
fill_entries(struct vs_entry *e, const uint32_t *addr, const uint8_t *len, const uint32_t *group,
    size_t n, size_t *n_out)
{
	struct input *in;

	if (strictly_sorted(addr, len, n)) {
		*n_out = fill_sorted(e, addr, len, group, n);
		return FAB_OK;
	}
	if ((in = malloc(n * sizeof(*in))) == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < n; i++)
		in[i] = (struct input){ { addr[i], len[i] }, group[i], (uint32_t)i };
	qsort(in, n, sizeof(*in), input_cmp);
	*n_out = fill_inputs(e, in, n);
	free(in);
	return FAB_OK;
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

/* Leaves the entries that end before addr; the stack of open ones is the chain of parents. */
static uint32_t
close_before(struct compiler *c, uint32_t open, uint32_t addr)
{
	while (open != VS_NO_ENTRY && last_addr(&c->entries[open]) < addr) {
		uint32_t end = last_addr(&c->entries[open]);

		open = c->entries[open].parent;
		emit(c, end + 1, open);
	}
	return open;
}

/* In ipnet_cmp() order whatever contains an entry comes before it. */
static void
compile(struct compiler *c, size_t n)
{
	uint32_t open = VS_NO_ENTRY;

	c->ranges[c->n_ranges++] = (struct vs_range){ 0, VS_NO_ENTRY };
	for (uint32_t i = 0; i < n; i++) {
		open = close_before(c, open, c->entries[i].addr);
		c->entries[i].parent = open;
		emit(c, c->entries[i].addr, i);
		open = i;
	}
	while (open != VS_NO_ENTRY && last_addr(&c->entries[open]) != UINT32_MAX) {
		uint32_t end = last_addr(&c->entries[open]);

		open = c->entries[open].parent;
		emit(c, end + 1, open);
	}
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
vs_table_build(struct vs_table **out, const uint32_t *addr, const uint8_t *len,
    const uint32_t *group, size_t n)
{
	struct compiler c = { 0 };
	struct vs_table *t = NULL;
	int err = FAB_ENOMEM;

	if (!well_formed(addr, len, n))
		return FAB_EINVAL;
	c.entries = malloc((n + 1) * sizeof(*c.entries));
	c.ranges = malloc((2 * n + 1) * sizeof(*c.ranges));
	if (c.entries != NULL && c.ranges != NULL &&
	    (err = fill_entries(c.entries, addr, len, group, n, &n)) == FAB_OK &&
	    (t = table_new(&c, n)) == NULL)
		err = FAB_ENOMEM;
	if (t == NULL) {
		free(c.entries);
		free(c.ranges);
		return err;
	}
	*out = t;
	return FAB_OK;
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
