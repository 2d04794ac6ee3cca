/*
 * The table of interned attribute sets and what there is to ask about communities. A set lives in
 * one allocation: the struct, then its communities, AS path and carried attributes; equal specs
 * share it. The hash table is open (chained) and of our own making because it is on the path of
 * every received UPDATE. Called by the session's owner for each distinct set in an UPDATE.
 */
#include "lib/bgp_attr.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64

struct bgp_attr_table {
	struct bgp_attrs **buckets;
	size_t n_buckets; /* a power of two */
	size_t count;
	uint32_t *scratch; /* sorted communities of a spec that came unsorted */
	size_t scratch_len;
};

int
bgp_attr_table_new(struct bgp_attr_table **out)
{
	struct bgp_attr_table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return FAB_ENOMEM;
	t->n_buckets = BUCKETS_MIN;
	t->buckets = calloc(t->n_buckets, sizeof(struct bgp_attrs *));
	if (t->buckets == NULL) {
		free(t);
		return FAB_ENOMEM;
	}
	*out = t;
	return FAB_OK;
}

void
bgp_attr_table_free(struct bgp_attr_table *t)
{
	if (t == NULL)
		return;
	FAB_ASSERT(t->count == 0);
	free(t->scratch);
	free(t->buckets);
	free(t);
}

size_t
bgp_attr_table_count(const struct bgp_attr_table *t)
{
	return t->count;
}

/* ---- canonical form ---- */

/* Orders values of `width` words each. Returns < 0, 0, > 0 as memcmp does. */
static int
words_cmp(const uint32_t *a, const uint32_t *b, size_t width)
{
	for (size_t i = 0; i < width; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return 0;
}

static int
community_cmp(const void *a, const void *b)
{
	return words_cmp(a, b, 1);
}

static int
large_cmp(const void *a, const void *b)
{
	return words_cmp(a, b, 3);
}

static bool
is_canonical(const uint32_t *v, size_t n, size_t width)
{
	for (size_t i = 1; i < n; i++) {
		if (words_cmp(v + (i - 1) * width, v + i * width, width) >= 0)
			return false;
	}
	return true;
}

/* Sorts n values at v and drops repeated ones (RFC 8092 5 for large communities). */
static size_t
sort_unique(uint32_t *v, size_t n, size_t width)
{
	size_t kept = 0;

	qsort(v, n, width * sizeof(*v), width == 1 ? community_cmp : large_cmp);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && words_cmp(v + (kept - 1) * width, v + i * width, width) == 0)
			continue;
		memmove(v + kept * width, v + i * width, width * sizeof(*v));
		kept++;
	}
	return kept;
}

static int
scratch_reserve(struct bgp_attr_table *t, size_t words)
{
	uint32_t *p;

	if (words <= t->scratch_len)
		return FAB_OK;
	p = realloc(t->scratch, words * sizeof(*p));
	if (p == NULL)
		return FAB_ENOMEM;
	t->scratch = p;
	t->scratch_len = words;
	return FAB_OK;
}

/* Brings a spec into the one form that equal sets have; its pointers may then lead into t. */
static int
canonicalise(struct bgp_attr_table *t, struct bgp_attr_spec *s)
{
	size_t large_words = 3 * (size_t)s->n_large;

	if (!s->has_med)
		s->med = 0;
	if (!s->has_local_pref)
		s->local_pref = 0;
	if (s->aggregator_as == 0) {
		s->aggregator_addr = 0;
		s->partial &= (uint8_t)~BGP_PARTIAL_AGGREGATOR;
	}
	if (s->n_communities == 0)
		s->partial &= (uint8_t)~BGP_PARTIAL_COMMUNITIES;
	if (s->n_large == 0)
		s->partial &= (uint8_t)~BGP_PARTIAL_LARGE;
	if (is_canonical(s->communities, s->n_communities, 1) &&
	    is_canonical(s->large, s->n_large, 3))
		return FAB_OK;
	if (scratch_reserve(t, s->n_communities + large_words) != FAB_OK)
		return FAB_ENOMEM;
	if (s->n_communities > 0)
		memcpy(t->scratch, s->communities, s->n_communities * sizeof(uint32_t));
	if (large_words > 0)
		memcpy(t->scratch + s->n_communities, s->large, large_words * sizeof(uint32_t));
	s->communities = t->scratch;
	s->large = t->scratch + s->n_communities;
	s->n_large = (uint16_t)sort_unique(t->scratch + s->n_communities, s->n_large, 3);
	s->n_communities = (uint16_t)sort_unique(t->scratch, s->n_communities, 1);
	return FAB_OK;
}

/* ---- the table ---- */

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint64_t
mix_octets(uint64_t h, const void *data, size_t n)
{
	const uint8_t *p = data;
	uint64_t v;

	h = mix(h, n);
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&v, p, 8);
		h = mix(h, v);
	}
	v = 0;
	if (n > 0)
		memcpy(&v, p, n);
	return mix(h, v);
}

static uint32_t
spec_hash(const struct bgp_attr_spec *s)
{
	uint64_t h =
	    mix(1, (uint64_t)s->origin | (uint64_t)s->has_med << 8 |
		       (uint64_t)s->has_local_pref << 9 | (uint64_t)s->atomic_aggregate << 10 |
		       (uint64_t)s->partial << 16 | (uint64_t)s->next_hop << 32);

	h = mix(h, (uint64_t)s->med << 32 | s->local_pref);
	h = mix(h, (uint64_t)s->aggregator_as << 32 | s->aggregator_addr);
	h = mix_octets(h, s->as_path, s->as_path_octets);
	h = mix_octets(h, s->communities, s->n_communities * sizeof(uint32_t));
	h = mix_octets(h, s->large, 3 * (size_t)s->n_large * sizeof(uint32_t));
	h = mix_octets(h, s->other, s->other_octets);
	return (uint32_t)(h >> 32);
}

static bool
same_octets(const void *a, const void *b, size_t n)
{
	return n == 0 || memcmp(a, b, n) == 0;
}

static bool
spec_eq(const struct bgp_attr_spec *a, const struct bgp_attr_spec *b)
{
	return a->origin == b->origin && a->has_med == b->has_med &&
	       a->has_local_pref == b->has_local_pref &&
	       a->atomic_aggregate == b->atomic_aggregate && a->partial == b->partial &&
	       a->next_hop == b->next_hop && a->med == b->med && a->local_pref == b->local_pref &&
	       a->aggregator_as == b->aggregator_as && a->aggregator_addr == b->aggregator_addr &&
	       a->as_path_octets == b->as_path_octets && a->n_communities == b->n_communities &&
	       a->n_large == b->n_large && a->other_octets == b->other_octets &&
	       same_octets(a->as_path, b->as_path, a->as_path_octets) &&
	       same_octets(a->communities, b->communities, a->n_communities * sizeof(uint32_t)) &&
	       same_octets(a->large, b->large, 3 * (size_t)a->n_large * sizeof(uint32_t)) &&
	       same_octets(a->other, b->other, a->other_octets);
}

/* Copies n octets to *at and moves it behind them; where they are now. */
static void *
place(uint8_t **at, const void *data, size_t n)
{
	void *where = *at;

	if (n > 0)
		memcpy(where, data, n);
	*at += n;
	return where;
}

static struct bgp_attrs *
attrs_build(const struct bgp_attr_spec *s, uint32_t hash)
{
	size_t comm = s->n_communities * sizeof(uint32_t);
	size_t large = 3 * (size_t)s->n_large * sizeof(uint32_t);
	struct bgp_attrs *a =
	    malloc(sizeof(*a) + comm + large + s->as_path_octets + s->other_octets);
	uint8_t *at;

	if (a == NULL)
		return NULL;
	*a = (struct bgp_attrs){ .s = *s, .refs = 1, .hash = hash };
	at = (uint8_t *)(a + 1);
	a->s.communities = place(&at, s->communities, comm);
	a->s.large = place(&at, s->large, large);
	a->s.as_path = place(&at, s->as_path, s->as_path_octets);
	a->s.other = place(&at, s->other, s->other_octets);
	a->as_path_len = bgp_path_len(a->s.as_path, a->s.as_path_octets);
	return a;
}

/* Growing is optional: without memory the chains get longer. */
static void
table_grow(struct bgp_attr_table *t)
{
	size_t n = t->n_buckets * 2;
	struct bgp_attrs **buckets = calloc(n, sizeof(struct bgp_attrs *));

	if (buckets == NULL)
		return;
	for (size_t i = 0; i < t->n_buckets; i++) {
		for (struct bgp_attrs *a = t->buckets[i], *next; a != NULL; a = next) {
			next = a->hash_next;
			a->hash_next = buckets[a->hash & (n - 1)];
			buckets[a->hash & (n - 1)] = a;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->n_buckets = n;
}

struct bgp_attrs *
bgp_attrs_intern(struct bgp_attr_table *t, const struct bgp_attr_spec *spec)
{
	struct bgp_attr_spec s = *spec;
	struct bgp_attrs *a;
	uint32_t hash;

	if (canonicalise(t, &s) != FAB_OK)
		return NULL;
	hash = spec_hash(&s);
	for (a = t->buckets[hash & (t->n_buckets - 1)]; a != NULL; a = a->hash_next) {
		if (a->hash == hash && spec_eq(&a->s, &s))
			return bgp_attrs_ref(a);
	}
	a = attrs_build(&s, hash);
	if (a == NULL)
		return NULL;
	if (t->count++ >= t->n_buckets)
		table_grow(t);
	a->hash_next = t->buckets[hash & (t->n_buckets - 1)];
	t->buckets[hash & (t->n_buckets - 1)] = a;
	return a;
}

struct bgp_attrs *
bgp_attrs_ref(struct bgp_attrs *a)
{
	a->refs++;
	return a;
}

void
bgp_attrs_unref(struct bgp_attr_table *t, struct bgp_attrs *a)
{
	struct bgp_attrs **p;

	if (a == NULL)
		return;
	FAB_ASSERT(a->refs > 0);
	if (--a->refs > 0)
		return;
	for (p = &t->buckets[a->hash & (t->n_buckets - 1)]; *p != a; p = &(*p)->hash_next)
		FAB_ASSERT(*p != NULL);
	*p = a->hash_next;
	t->count--;
	free(a);
}

/* ---- communities ---- */

bool
bgp_attrs_has_community(const struct bgp_attrs *a, uint32_t community)
{
	size_t lo = 0, hi = a->s.n_communities;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (a->s.communities[mid] < community)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < a->s.n_communities && a->s.communities[lo] == community;
}

/* A decimal number up to 65535 without sign, blanks or leading zeros; moves *p behind it. */
static bool
parse_half(const char **p, uint32_t *out)
{
	const char *s = *p;
	uint32_t v = 0;

	if (*s < '0' || *s > '9' || (s[0] == '0' && s[1] >= '0' && s[1] <= '9'))
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (uint32_t)(*s - '0');
		if (v > UINT16_MAX)
			return false;
	}
	*p = s;
	*out = v;
	return true;
}

int
bgp_community_parse(uint32_t *out, const char *text)
{
	static const struct {
		const char *name;
		uint32_t value;
	} known[] = {
		{ "no-export", BGP_COMMUNITY_NO_EXPORT },
		{ "no-advertise", BGP_COMMUNITY_NO_ADVERTISE },
	};
	uint32_t hi, lo;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].name) == 0) {
			*out = known[i].value;
			return FAB_OK;
		}
	}
	if (!parse_half(&text, &hi) || *text++ != ':' || !parse_half(&text, &lo) || *text != '\0')
		return FAB_EINVAL;
	*out = BGP_COMMUNITY(hi, lo);
	return FAB_OK;
}

char *
bgp_community_format(char buf[static 24], uint32_t community)
{
	snprintf(buf, 24, "%u:%u", community >> 16, community & 0xffff);
	return buf;
}
