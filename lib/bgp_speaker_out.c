/*
 * Export groups, Adj-RIB-Out and packing. Adj-RIB-Out is kept once per group; what a member was
 * sent is that, less the prefixes that came from the member itself (split horizon). So a change of
 * one prefix concerns at most three audiences: everybody but the old and the new source, the old
 * source, the new source. A run collects prefixes in buckets of equal attributes and audience and
 * encodes each bucket once per wire format.
 */
#include "lib/bgp_speaker_priv.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define KEEP_MAX 4096       /* elements; larger buffers are given back after a run */
#define NONE     UINT32_MAX /* end of a list of indexes */

enum audience { TO_ALL_BUT, TO_ONE, TO_DUE_BUT };

struct bucket_key {
	struct bgp_attrs *attrs; /* NULL: withdrawal; lives in Adj-RIB-Out */
	uint32_t a, b;           /* slots */
	enum audience to;
};

struct bucket {
	struct bucket_key key;
	uint32_t first, n; /* list of entries, newest first */
	uint32_t hash_next;
};

struct entry {
	struct ipnet net;
	uint32_t next;
};

struct sp_batch {
	struct bucket *buckets;
	struct entry *entries;
	uint32_t *heads; /* hash of buckets, a power of two of them */
	struct ipnet *nets;
	size_t n_buckets, max_buckets, n_entries, max_entries, n_heads, max_nets;
};

/* ---- collecting ---- */

static size_t
key_hash(const struct bucket_key *k)
{
	uint64_t h = (uint64_t)(uintptr_t)k->attrs ^ (uint64_t)k->a << 44 ^ (uint64_t)k->b << 52 ^
		     (uint64_t)k->to << 62;

	h *= 0x9e3779b97f4a7c15u;
	return h >> 32;
}

static bool
key_eq(const struct bucket_key *x, const struct bucket_key *y)
{
	return x->attrs == y->attrs && x->a == y->a && x->b == y->b && x->to == y->to;
}

static void
heads_grow(struct sp_batch *batch)
{
	size_t n = batch->n_heads == 0 ? 64 : batch->n_heads * 2;
	uint32_t *heads = realloc(batch->heads, n * sizeof(*heads));

	FAB_ASSERT(heads != NULL);
	memset(heads, 0xff, n * sizeof(*heads)); /* NONE */
	for (uint32_t i = 0; i < batch->n_buckets; i++) {
		struct bucket *b = &batch->buckets[i];
		size_t h = key_hash(&b->key) & (n - 1);

		b->hash_next = heads[h];
		heads[h] = i;
	}
	batch->heads = heads;
	batch->n_heads = n;
}

static struct bucket *
bucket_get(struct sp_batch *batch, const struct bucket_key *key)
{
	struct bucket *b;
	size_t h;

	/* Neighbouring changes mostly share everything. */
	if (batch->n_buckets > 0 && key_eq(&batch->buckets[batch->n_buckets - 1].key, key))
		return &batch->buckets[batch->n_buckets - 1];
	if (batch->n_buckets >= batch->n_heads)
		heads_grow(batch);
	h = key_hash(key) & (batch->n_heads - 1);
	for (uint32_t i = batch->heads[h]; i != NONE; i = batch->buckets[i].hash_next)
		if (key_eq(&batch->buckets[i].key, key))
			return &batch->buckets[i];
	batch->buckets = speaker_grow(
	    batch->buckets, &batch->max_buckets, batch->n_buckets + 1, sizeof(*batch->buckets));
	b = &batch->buckets[batch->n_buckets];
	*b = (struct bucket){ .key = *key, .first = NONE, .hash_next = batch->heads[h] };
	batch->heads[h] = (uint32_t)batch->n_buckets++;
	return b;
}

static void
batch_add(struct sp_group *g, struct bucket_key key, const struct ipnet *net)
{
	struct sp_batch *batch = g->batch;
	struct bucket *b = bucket_get(batch, &key);

	batch->entries = speaker_grow(
	    batch->entries, &batch->max_entries, batch->n_entries + 1, sizeof(*batch->entries));
	batch->entries[batch->n_entries] = (struct entry){ *net, b->first };
	b->first = (uint32_t)batch->n_entries++;
	b->n++;
}

static void
batch_clear(struct sp_batch *batch)
{
	for (size_t i = 0; i < batch->n_heads; i++)
		batch->heads[i] = NONE;
	batch->n_buckets = batch->n_entries = 0;
	if (batch->max_entries <= KEEP_MAX)
		return;
	free(batch->buckets);
	free(batch->entries);
	free(batch->heads);
	free(batch->nets);
	memset(batch, 0, sizeof(*batch));
}

static void
batch_free(struct sp_batch *batch)
{
	if (batch == NULL)
		return;
	free(batch->buckets);
	free(batch->entries);
	free(batch->heads);
	free(batch->nets);
	free(batch);
}

/* ---- Adj-RIB-Out ---- */

/* What the group is sent for this path: the role's answer, cached on the route. */
static struct bgp_attrs *
export_of(
    struct speaker *sp, struct sp_group *g, const struct ipnet *net, const struct rib_path *path)
{
	struct sp_route *r = path->route;
	struct bgp_attr_spec out = r->path.attrs->s;
	struct sp_export *x;

	if (sp->role->export_prefix != NULL &&
	    !sp->role->export_prefix(sp->ctx, g->members, net, &r->path))
		return NULL;
	if (r->n_exports < sp->n_groups) {
		r->exports = realloc(r->exports, sp->n_groups * sizeof(*r->exports));
		FAB_ASSERT(r->exports != NULL);
		memset(&r->exports[r->n_exports], 0,
		    (sp->n_groups - r->n_exports) * sizeof(*r->exports));
		r->n_exports = sp->n_groups;
	}
	x = &r->exports[g->slot];
	if (x->known)
		return x->attrs;
	x->known = true;
	if (sp->role->export_attrs == NULL ||
	    sp->role->export_attrs(sp->ctx, g->members, &r->path, &out))
		x->attrs = bgp_attrs_intern(sp->attrs, &out);
	return x->attrs;
}

void
speaker_out_forget(struct sp_route *r, struct speaker *sp)
{
	for (uint16_t i = 0; i < r->n_exports; i++) {
		bgp_attrs_unref(sp->attrs, r->exports[i].attrs);
		r->exports[i] = (struct sp_export){ 0 };
	}
}

/* Who has to be told what when the group's entry turns from (old, a) into (now, b). */
static void
tell(struct sp_group *g, const struct ipnet *net, struct bgp_attrs *old, uint32_t a,
    struct bgp_attrs *now, uint32_t b)
{
	if (now != old)
		batch_add(g, (struct bucket_key){ now, a, b, TO_ALL_BUT }, net);
	if (a == b)
		return;
	if (a != FROM_NONE && now != NULL) /* had nothing: it was the source */
		batch_add(g, (struct bucket_key){ now, a, FROM_NONE, TO_ONE }, net);
	if (b != FROM_NONE && old != NULL) /* becomes the source (RS-77) */
		batch_add(g, (struct bucket_key){ NULL, b, FROM_NONE, TO_ONE }, net);
}

static void
out_store(struct speaker *sp, struct sp_group *g, struct rib_prefix *prefix, struct rib_out *out,
    struct bgp_attrs *attrs, uint32_t from)
{
	struct speaker_peer *was = out != NULL ? speaker_member(sp, g, out->from) : NULL;
	struct speaker_peer *is = attrs != NULL ? speaker_member(sp, g, from) : NULL;

	if (was != NULL)
		was->out_own--;
	if (is != NULL)
		is->out_own++;
	if (attrs == NULL) {
		bgp_attrs_unref(sp->attrs, rib_out_remove(sp->rib, prefix, g->slot));
		g->n_out--;
		return;
	}
	if (out == NULL) {
		out = rib_out_add(sp->rib, prefix, g->slot);
		FAB_ASSERT(out != NULL);
		g->n_out++;
	}
	bgp_attrs_ref(attrs);
	bgp_attrs_unref(sp->attrs, out->attrs);
	out->attrs = attrs;
	out->from = from;
}

static void
group_prefix(
    struct speaker *sp, struct sp_group *g, struct rib_prefix *prefix, const struct rib_path *best)
{
	struct rib_out *out = rib_out_find(prefix, g->slot);
	struct bgp_attrs *old = out != NULL ? out->attrs : NULL;
	struct bgp_attrs *now = best != NULL ? export_of(sp, g, &prefix->net, best) : NULL;
	uint32_t a = out != NULL ? out->from : FROM_NONE;
	uint32_t b = now != NULL ? best->from : FROM_NONE;

	if (now == old && a == b)
		return;
	if (g->live)
		tell(g, &prefix->net, old, speaker_member(sp, g, a) != NULL ? a : FROM_NONE, now,
		    speaker_member(sp, g, b) != NULL ? b : FROM_NONE);
	out_store(sp, g, prefix, out, now, b);
}

void
speaker_out_prefix(struct speaker *sp, struct rib_prefix *prefix, const struct rib_path *best)
{
	for (uint16_t i = 0; i < sp->n_groups; i++)
		if (sp->groups[i] != NULL)
			group_prefix(sp, sp->groups[i], prefix, best);
}

/* ---- sending ---- */

static bool
hears_deltas(const struct speaker_peer *m)
{
	return m->up && m->due != TABLE_FIRST;
}

static bool
in_audience(const struct bucket_key *k, const struct speaker_peer *m)
{
	switch (k->to) {
	case TO_ALL_BUT:
		return hears_deltas(m) && m->slot != k->a && m->slot != k->b;
	case TO_ONE:
		return hears_deltas(m) && m->slot == k->a;
	case TO_DUE_BUT:
		return m->up && m->due != TABLE_NONE && m->slot != k->a;
	}
	return false;
}

static bool
same_wire(const struct speaker_peer *x, const struct speaker_peer *y)
{
	return bgp_session_wire(x->session) == bgp_session_wire(y->session) &&
	       bgp_session_message_max(x->session) == bgp_session_message_max(y->session) &&
	       x->conf.ibgp == y->conf.ibgp;
}

/* Numbers the wire formats among the members that are up. */
static void
classify(struct sp_group *g)
{
	struct speaker_peer *m, *first;

	g->classes = 0;
	LL_FOREACH2(g->members, m, group_next)
	{
		if (!m->up)
			continue;
		LL_FOREACH2(g->members, first, group_next)
		if (first == m || (first->up && same_wire(first, m)))
			break;
		m->wire_class = first == m ? g->classes++ : first->wire_class;
	}
}

struct emission {
	struct sp_group *g;
	const struct bucket_key *key;
	unsigned wire_class;
};

static void
emit(void *arg, struct fab_buf *b)
{
	const struct emission *e = arg;
	struct speaker_peer *m;

	LL_FOREACH2(e->g->members, m, group_next)
	if (m->wire_class == e->wire_class && in_audience(e->key, m))
		bgp_session_send(m->session, b);
}

static void
send_to_class(struct sp_group *g, const struct bucket *b, unsigned wire_class)
{
	struct emission e = { g, &b->key, wire_class };
	const struct ipnet *nets = g->batch->nets;
	const struct speaker_peer *m;
	struct bgp_session *s;
	int err;

	LL_FOREACH2(g->members, m, group_next)
	if (m->wire_class == wire_class && in_audience(&b->key, m))
		break;
	if (m == NULL)
		return;
	s = m->session;
	err = bgp_encode_update(bgp_session_wire(s), m->conf.ibgp, bgp_session_message_max(s),
	    b->key.attrs, nets, b->n, emit, &e);
	/* Attributes too large for the peer's messages: it must not keep what it had (RFC 8654 4).
	 */
	if (err == FAB_ETOOBIG)
		err = bgp_encode_update(bgp_session_wire(s), m->conf.ibgp,
		    bgp_session_message_max(s), NULL, nets, b->n, emit, &e);
	FAB_ASSERT(err == FAB_OK);
}

/* Oldest entry first, so that routes leave in the order in which they came. */
static void
send_bucket(struct sp_group *g, const struct bucket *b)
{
	struct sp_batch *batch = g->batch;
	size_t at = b->n;

	batch->nets = speaker_grow(batch->nets, &batch->max_nets, b->n, sizeof(*batch->nets));
	for (uint32_t i = b->first; i != NONE; i = batch->entries[i].next)
		batch->nets[--at] = batch->entries[i].net;
	for (unsigned c = 0; c < g->classes; c++)
		send_to_class(g, b, c);
}

static void
send_batch(struct sp_group *g)
{
	for (size_t i = 0; i < g->batch->n_buckets; i++)
		send_bucket(g, &g->batch->buckets[i]);
	batch_clear(g->batch);
}

static void
send_end_of_rib(struct speaker_peer *m)
{
	struct fab_buf *b = bgp_encode_end_of_rib(bgp_session_wire(m->session));

	if (b == NULL)
		return; /* the peer's first KEEPALIVE does as well */
	bgp_session_send(m->session, b);
	fab_buf_unref(b);
}

/* The whole Adj-RIB-Out for members that came up or asked for a refresh, all of them at once. */
static void
send_tables(struct speaker *sp, struct sp_group *g)
{
	struct speaker_peer *m;
	struct rib_prefix *prefix;
	size_t cursor = 0;

	LL_FOREACH2(g->members, m, group_next)
	if (m->up && m->due == TABLE_AGAIN)
		bgp_session_refresh_mark(m->session, false);
	while ((prefix = rib_next(sp->rib, &cursor)) != NULL) {
		struct rib_out *out = rib_out_find(prefix, g->slot);
		uint32_t from;

		if (out == NULL)
			continue;
		from = speaker_member(sp, g, out->from) != NULL ? out->from : FROM_NONE;
		batch_add(g, (struct bucket_key){ out->attrs, from, FROM_NONE, TO_DUE_BUT },
		    &prefix->net);
	}
	send_batch(g);
	LL_FOREACH2(g->members, m, group_next)
	{
		if (!m->up)
			continue;
		if (m->due == TABLE_FIRST)
			send_end_of_rib(m); /* after a first table, GR or not */
		else if (m->due == TABLE_AGAIN)
			bgp_session_refresh_mark(m->session, true);
		m->due = TABLE_NONE;
	}
}

void
speaker_out_begin(struct speaker *sp)
{
	struct speaker_peer *m;

	for (uint16_t i = 0; i < sp->n_groups; i++) {
		struct sp_group *g = sp->groups[i];

		if (g == NULL)
			continue;
		g->live = false;
		LL_FOREACH2(g->members, m, group_next)
		g->live |= hears_deltas(m);
	}
}

void
speaker_out_flush(struct speaker *sp)
{
	for (uint16_t i = 0; i < sp->n_groups; i++) {
		struct sp_group *g = sp->groups[i];
		struct speaker_peer *m;
		bool due = false;

		if (g == NULL)
			continue;
		LL_FOREACH2(g->members, m, group_next)
		due |= m->up && m->due != TABLE_NONE;
		if (g->batch->n_buckets == 0 && !due)
			continue;
		classify(g);
		send_batch(g);
		if (due)
			send_tables(sp, g);
	}
}

/* ---- groups ---- */

static struct sp_group *
group_find(struct speaker *sp, uint32_t number, uint16_t *free_slot)
{
	*free_slot = sp->n_groups;
	for (uint16_t i = 0; i < sp->n_groups; i++) {
		if (sp->groups[i] == NULL)
			*free_slot = i;
		else if (sp->groups[i]->number == number)
			return sp->groups[i];
	}
	return NULL;
}

static struct sp_group *
group_new(struct speaker *sp, uint32_t number, uint16_t slot)
{
	struct sp_group **groups, *g;

	if (slot == sp->n_groups) {
		if (slot == UINT16_MAX)
			return NULL;
		groups = realloc(sp->groups, (slot + 1u) * sizeof(struct sp_group *));
		if (groups == NULL)
			return NULL;
		sp->groups = groups;
		sp->groups[sp->n_groups++] = NULL;
	}
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return NULL;
	g->batch = calloc(1, sizeof(*g->batch));
	if (g->batch == NULL) {
		free(g);
		return NULL;
	}
	g->number = number;
	g->slot = slot;
	sp->groups[slot] = g;
	return g;
}

int
speaker_out_join(struct speaker_peer *p)
{
	struct speaker *sp = p->sp;
	struct rib_prefix *prefix;
	size_t cursor = 0;
	uint16_t slot;
	struct sp_group *g = group_find(sp, p->conf.group, &slot);

	if (g == NULL) {
		g = group_new(sp, p->conf.group, slot);
		if (g == NULL)
			return FAB_ENOMEM;
		/* Its Adj-RIB-Out comes from the run, which looks at every prefix again. */
		while ((prefix = rib_next(sp->rib, &cursor)) != NULL)
			rib_dirty_add(sp->rib, prefix);
		speaker_schedule(sp);
	}
	p->group = g;
	LL_PREPEND2(g->members, p, group_next);
	return FAB_OK;
}

static void
group_free(struct speaker *sp, struct sp_group *g)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	while (g->n_out > 0 && (prefix = rib_next(sp->rib, &cursor)) != NULL)
		if (rib_out_find(prefix, g->slot) != NULL) {
			bgp_attrs_unref(sp->attrs, rib_out_remove(sp->rib, prefix, g->slot));
			g->n_out--;
			rib_prefix_release(sp->rib, prefix);
		}
	for (size_t i = 0; i < sp->n_route_buckets; i++)
		for (struct sp_route *r = sp->routes[i]; r != NULL; r = r->hash_next)
			if (g->slot < r->n_exports) {
				bgp_attrs_unref(sp->attrs, r->exports[g->slot].attrs);
				r->exports[g->slot] = (struct sp_export){ 0 };
			}
	sp->groups[g->slot] = NULL;
	batch_free(g->batch);
	free(g);
}

void
speaker_out_leave(struct speaker_peer *p)
{
	struct sp_group *g = p->group;

	p->group = NULL;
	if (g == NULL)
		return;
	LL_DELETE2(g->members, p, group_next);
	if (g->members == NULL)
		group_free(p->sp, g);
}

void
speaker_out_fini(struct speaker *sp)
{
	for (uint16_t i = 0; i < sp->n_groups; i++)
		if (sp->groups[i] != NULL)
			group_free(sp, sp->groups[i]);
	free(sp->groups);
	sp->groups = NULL;
	sp->n_groups = 0;
}
