/*
 * The prefix trie. Lengths grow strictly from parent to child, so no path is deeper than 33 nodes;
 * a node without a prefix of its own always has two children.
 */
#include "fabricd/fc_lpm.h"

#include "lib/err.h"

#include <stdlib.h>

#define LPM_CAP_MIN 16u

void
fc_lpm_init(struct fc_lpm *t)
{
	*t = (struct fc_lpm){ 0 };
}

void
fc_lpm_fini(struct fc_lpm *t)
{
	free(t->nodes);
	fc_lpm_init(t);
}

/* The bit of addr that chooses below a node of that length; len < 32. */
static unsigned
bit_at(uint32_t addr, uint8_t len)
{
	return addr >> (31 - len) & 1;
}

static struct ipnet
node_net(const struct fc_lpm_node *n)
{
	return (struct ipnet){ n->addr, n->len };
}

static int
lpm_grow(struct fc_lpm *t, uint32_t cap)
{
	struct fc_lpm_node *nodes = realloc(t->nodes, cap * sizeof(*nodes));

	if (nodes == NULL)
		return FAB_ENOMEM;
	t->nodes = nodes;
	t->cap = cap;
	if (t->n_nodes == 0)
		t->n_nodes = 1; /* index 0 means none */
	return FAB_OK;
}

int
fc_lpm_reserve(struct fc_lpm *t, size_t n)
{
	size_t need = (size_t)t->n_nodes + 1 + 2 * n; /* each prefix may need a fork */
	size_t cap = t->cap < LPM_CAP_MIN ? LPM_CAP_MIN : t->cap;

	if (need > UINT32_MAX / 2)
		return FAB_ETOOBIG;
	while (cap < need)
		cap *= 2;
	return cap == t->cap ? FAB_OK : lpm_grow(t, (uint32_t)cap);
}

/* There is room: fc_lpm_reserve() came before. */
static uint32_t
node_new(struct fc_lpm *t, struct ipnet net)
{
	uint32_t i = t->free;

	if (i != 0)
		t->free = t->nodes[i].child[0];
	else
		i = t->n_nodes++;
	t->nodes[i] =
	    (struct fc_lpm_node){ .addr = net.addr, .len = net.len, .value = FC_LPM_NONE };
	return i;
}

static void
node_free(struct fc_lpm *t, uint32_t i)
{
	t->nodes[i].child[0] = t->free;
	t->free = i;
}

/* The longest prefix that contains both. */
static struct ipnet
common(struct ipnet a, struct ipnet b)
{
	uint8_t len = a.len < b.len ? a.len : b.len;
	uint32_t diff = a.addr ^ b.addr;

	if (diff != 0 && __builtin_clz(diff) < len)
		len = (uint8_t)__builtin_clz(diff);
	return (struct ipnet){ a.addr & ipnet_mask(len), len };
}

static uint32_t *
node_use(struct fc_lpm *t, uint32_t i)
{
	if (!t->nodes[i].used) {
		t->nodes[i].used = true;
		t->nodes[i].value = FC_LPM_NONE;
		t->count++;
	}
	return &t->nodes[i].value;
}

/* Puts a node for net in place of *link, which does not contain it; what was there goes below. */
static uint32_t
insert_above(struct fc_lpm *t, uint32_t *link, struct ipnet net)
{
	uint32_t old = *link, i = node_new(t, net), fork;
	struct ipnet top = common(net, node_net(&t->nodes[old]));

	if (top.len == net.len) {
		*link = i;
		t->nodes[i].child[bit_at(t->nodes[old].addr, net.len)] = old;
		return i;
	}
	*link = fork = node_new(t, top);
	t->nodes[fork].child[bit_at(net.addr, top.len)] = i;
	t->nodes[fork].child[bit_at(t->nodes[old].addr, top.len)] = old;
	return i;
}

uint32_t *
fc_lpm_add(struct fc_lpm *t, struct ipnet net)
{
	uint32_t *link = &t->root;

	if (fc_lpm_reserve(t, 1) != FAB_OK)
		return NULL;
	while (*link != 0) {
		struct fc_lpm_node *n = &t->nodes[*link];

		if (!ipnet_contains(node_net(n), net))
			return node_use(t, insert_above(t, link, net));
		if (n->len == net.len)
			return node_use(t, *link);
		link = &n->child[bit_at(net.addr, n->len)];
	}
	*link = node_new(t, net);
	return node_use(t, *link);
}

uint32_t *
fc_lpm_slot(const struct fc_lpm *t, struct ipnet net)
{
	uint32_t i = t->root;

	while (i != 0) {
		struct fc_lpm_node *n = &t->nodes[i];

		if (n->len >= net.len)
			return n->used && ipnet_eq(node_net(n), net) ? &n->value : NULL;
		i = n->child[bit_at(net.addr, n->len)];
	}
	return NULL;
}

uint32_t
fc_lpm_get(const struct fc_lpm *t, struct ipnet net)
{
	const uint32_t *v = fc_lpm_slot(t, net);

	return v != NULL ? *v : FC_LPM_NONE;
}

/* What should stand in place of node i: itself, its only child, or nothing. */
static uint32_t
collapse(struct fc_lpm *t, uint32_t i)
{
	struct fc_lpm_node *n = &t->nodes[i];
	uint32_t rest = n->child[0] != 0 ? n->child[0] : n->child[1];

	if (n->used || (n->child[0] != 0 && n->child[1] != 0))
		return i;
	node_free(t, i);
	return rest;
}

uint32_t
fc_lpm_del(struct fc_lpm *t, struct ipnet net)
{
	uint32_t *link = &t->root, *up = NULL, value;
	struct fc_lpm_node *n;

	for (;;) {
		if (*link == 0)
			return FC_LPM_NONE;
		n = &t->nodes[*link];
		if (n->len >= net.len)
			break;
		up = link;
		link = &n->child[bit_at(net.addr, n->len)];
	}
	if (!n->used || !ipnet_eq(node_net(n), net))
		return FC_LPM_NONE;
	value = n->value;
	n->used = false;
	t->count--;
	*link = collapse(t, *link);
	if (up != NULL)
		*up = collapse(t, *up);
	return value;
}

size_t
fc_lpm_match(const struct fc_lpm *t, struct ipnet net, struct fc_lpm_hit hits[static FC_LPM_DEPTH])
{
	uint32_t i = t->root;
	size_t n_hits = 0;

	while (i != 0) {
		const struct fc_lpm_node *n = &t->nodes[i];

		if (!ipnet_contains(node_net(n), net))
			break;
		if (n->used)
			hits[n_hits++] = (struct fc_lpm_hit){ node_net(n), n->value };
		if (n->len == 32)
			break;
		i = n->child[bit_at(net.addr, n->len)];
	}
	return n_hits;
}

bool
fc_lpm_longest(const struct fc_lpm *t, uint32_t addr, unsigned below, struct fc_lpm_hit *hit)
{
	uint32_t i = t->root;
	bool found = false;

	while (i != 0) {
		const struct fc_lpm_node *n = &t->nodes[i];

		if (n->len >= below || !ipnet_has_addr(node_net(n), addr))
			break;
		if (n->used) {
			*hit = (struct fc_lpm_hit){ node_net(n), n->value };
			found = true;
		}
		if (n->len == 32)
			break;
		i = n->child[bit_at(addr, n->len)];
	}
	return found;
}

void
fc_lpm_walk(struct fc_lpm_iter *it, const struct fc_lpm *t, struct ipnet inside)
{
	uint32_t i = t->root;

	it->t = t;
	it->depth = 0;
	while (i != 0 && t->nodes[i].len < inside.len)
		i = t->nodes[i].child[bit_at(inside.addr, t->nodes[i].len)];
	if (i != 0 && ipnet_contains(inside, node_net(&t->nodes[i])))
		it->stack[it->depth++] = i;
}

bool
fc_lpm_next(struct fc_lpm_iter *it, struct fc_lpm_hit *hit)
{
	while (it->depth > 0) {
		const struct fc_lpm_node *n = &it->t->nodes[it->stack[--it->depth]];

		if (n->child[1] != 0)
			it->stack[it->depth++] = n->child[1];
		if (n->child[0] != 0)
			it->stack[it->depth++] = n->child[0];
		if (n->used) {
			*hit = (struct fc_lpm_hit){ node_net(n), n->value };
			return true;
		}
	}
	return false;
}

size_t
fc_lpm_memory(const struct fc_lpm *t)
{
	return t->cap * sizeof(*t->nodes);
}
