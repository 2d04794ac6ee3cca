/*
 * Summaries that route maps make (RM-7): which route of which owner asks for which summary, and
 * with what. A summary exists while some route asks for it; of the parts that differ the best one
 * is taken, by what they are and not by when they came.
 */
#include "lib/bgp_speaker_priv.h"
#include "lib/err.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

/* No padding: it is hashed whole. */
struct sum_key {
	uint32_t owner, addr, len;
};

struct sum {
	struct sum_key key;
	struct sp_part *parts; /* best first */
	UT_hash_handle hh;
};

struct asking {
	struct sum_key key; /* the route */
	struct sum *sum;
	struct sp_part *part;
	UT_hash_handle hh;
};

struct sp_sums {
	struct sum *sums;
	struct asking *asking;
};

static struct sum_key
key_of(uint32_t owner, const struct ipnet *net)
{
	return (struct sum_key){ owner, net->addr, net->len };
}

static struct ipnet
net_of(const struct sum *s)
{
	return (struct ipnet){ .addr = s->key.addr, .len = (uint8_t)s->key.len };
}

static struct sum *
sum_find(const struct speaker *sp, uint32_t owner, const struct ipnet *to)
{
	struct sum_key key = key_of(owner, to);
	struct sum *s = NULL;

	if (sp->sums != NULL)
		HASH_FIND(hh, sp->sums->sums, &key, sizeof(key), s);
	return s;
}

static struct sum *
sum_get(struct speaker *sp, uint32_t owner, const struct ipnet *to)
{
	struct sum *s = sum_find(sp, owner, to);

	if (s != NULL)
		return s;
	s = calloc(1, sizeof(*s));
	FAB_ASSERT(s != NULL);
	s->key = key_of(owner, to);
	HASH_ADD(hh, sp->sums->sums, key, sizeof(s->key), s);
	return s;
}

/* Below 0: a is the better one. */
static int
part_cmp(const struct sp_part *a, const struct sp_part *b)
{
	const struct bgp_attrs *x = a->path.attrs, *y = b->path.attrs;

	if (x->as_path_len != y->as_path_len)
		return x->as_path_len < y->as_path_len ? -1 : 1;
	if (x->s.next_hop != y->s.next_hop)
		return x->s.next_hop < y->s.next_hop ? -1 : 1;
	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return a->from < b->from ? -1 : a->from > b->from;
}

/* The part like this one, with one more route. */
static struct sp_part *
part_get(struct sum *s, const struct speaker_path *path, uint32_t from)
{
	struct sp_part *p;

	LL_FOREACH (s->parts, p)
		if (p->path.attrs == path->attrs && p->from == from &&
		    p->path.source == path->source && p->path.weight == path->weight)
			break;
	if (p == NULL) {
		p = calloc(1, sizeof(*p));
		FAB_ASSERT(p != NULL);
		p->path = *path;
		bgp_attrs_ref(p->path.attrs);
		p->from = from;
		LL_INSERT_INORDER(s->parts, p, part_cmp);
	}
	p->n++;
	return p;
}

static void
part_put(struct speaker *sp, struct sum *s, struct sp_part *p)
{
	if (--p->n > 0)
		return;
	LL_DELETE(s->parts, p);
	bgp_attrs_unref(sp->attrs, p->path.attrs);
	free(p);
	if (s->parts != NULL)
		return;
	HASH_DEL(sp->sums->sums, s);
	free(s);
}

/* Ends what the route asks for. */
static void
stop_asking(struct speaker *sp, struct asking *a)
{
	HASH_DEL(sp->sums->asking, a);
	part_put(sp, a->sum, a->part);
	free(a);
}

static void
start_asking(struct speaker *sp, const struct sum_key *key, const struct ipnet *to,
    const struct speaker_path *path, uint32_t from)
{
	struct asking *a = calloc(1, sizeof(*a));

	FAB_ASSERT(a != NULL);
	a->key = *key;
	a->sum = sum_get(sp, key->owner, to);
	a->part = part_get(a->sum, path, from);
	HASH_ADD(hh, sp->sums->asking, key, sizeof(a->key), a);
}

size_t
speaker_sum_set(struct speaker *sp, uint32_t owner, const struct ipnet *net, const struct ipnet *to,
    const struct speaker_path *path, uint32_t from, struct ipnet changed[static 2])
{
	struct sum_key key = key_of(owner, net);
	struct asking *a = NULL;
	size_t n = 0;

	if (sp->sums == NULL) {
		if (to == NULL)
			return 0;
		sp->sums = calloc(1, sizeof(*sp->sums));
		FAB_ASSERT(sp->sums != NULL);
	}
	HASH_FIND(hh, sp->sums->asking, &key, sizeof(key), a);
	if (a == NULL && to == NULL)
		return 0;
	if (a != NULL)
		changed[n++] = net_of(a->sum);
	if (to != NULL && (n == 0 || !ipnet_eq(changed[0], *to)))
		changed[n++] = *to;
	/* First the new one: a summary that only changes its reason stays as it is. */
	if (a != NULL)
		HASH_DEL(sp->sums->asking, a);
	if (to != NULL)
		start_asking(sp, &key, to, path, from);
	if (a != NULL) {
		part_put(sp, a->sum, a->part);
		free(a);
	}
	return n;
}

const struct sp_part *
speaker_sum_best(const struct speaker *sp, uint32_t owner, const struct ipnet *to)
{
	const struct sum *s = sum_find(sp, owner, to);

	return s == NULL ? NULL : s->parts;
}

bool
speaker_sum_any(const struct speaker *sp, uint32_t owner)
{
	for (const struct sum *s = sp->sums == NULL ? NULL : sp->sums->sums; s != NULL;
	     s = s->hh.next)
		if (s->key.owner == owner)
			return true;
	return false;
}

void
speaker_sum_clear(struct speaker *sp, uint32_t owner,
    void (*gone)(struct speaker *sp, uint32_t owner, const struct ipnet *to))
{
	struct asking *a, *next;

	if (sp->sums == NULL)
		return;
	HASH_ITER (hh, sp->sums->asking, a, next) {
		struct ipnet to = net_of(a->sum);

		if (a->key.owner != owner)
			continue;
		stop_asking(sp, a);
		if (gone != NULL && sum_find(sp, owner, &to) == NULL)
			gone(sp, owner, &to);
	}
}

void
speaker_sum_fini(struct speaker *sp)
{
	struct asking *a, *next;

	if (sp->sums == NULL)
		return;
	HASH_ITER (hh, sp->sums->asking, a, next)
		stop_asking(sp, a);
	free(sp->sums);
	sp->sums = NULL;
}
