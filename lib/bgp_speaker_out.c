/*
 * Adj-RIB-Out of export groups, and packing. Adj-RIB-Out is kept once per group; what a member was
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

enum audience { TO_ALL_BUT, TO_ONE, TO_DUE_BUT, TO_MOVED };

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

struct sp_batch *
speaker_batch_new(void)
{
	return calloc(1, sizeof(struct sp_batch));
}

void
speaker_batch_free(struct sp_batch *batch)
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

static bool
may_go(struct speaker *sp, struct sp_group *g, const struct ipnet *net, const struct sp_route *r)
{
	return sp->role->export_prefix == NULL ||
	       sp->role->export_prefix(sp->ctx, g->members, net, &r->path);
}

static const struct route_map *
map_of(struct speaker *sp, struct sp_group *g, const struct speaker_path *path)
{
	return sp->role->export_map == NULL ? NULL
					    : sp->role->export_map(sp->ctx, g->members, path);
}

/* The group's map, if it has one, then the role (RM-2). */
static struct bgp_attrs *
export_new(struct speaker *sp, struct sp_group *g, const struct route_map *map, struct ipnet *net,
    const struct sp_route *r)
{
	struct bgp_attr_spec out = r->path.attrs->s;

	if (map != NULL && !route_map_run(map, net, &out, &sp->map_buf))
		return NULL;
	if (sp->role->export_attrs != NULL &&
	    !sp->role->export_attrs(sp->ctx, g->members, &r->path, &out))
		return NULL;
	return bgp_attrs_intern(sp->attrs, &out);
}

/* What the group is sent for this path, with a reference; NULL: nothing. A map may make another
 * prefix of *net. The answer is cached on the route unless it depends on the prefix. */
struct bgp_attrs *
speaker_export(
    struct speaker *sp, struct sp_group *g, struct ipnet *net, const struct rib_path *path)
{
	struct sp_route *r = path->route;
	const struct route_map *map = map_of(sp, g, &r->path);
	struct sp_export *x;

	if (!may_go(sp, g, net, r))
		return NULL;
	if (map != NULL && map->by_prefix) {
		struct ipnet before = *net;
		struct bgp_attrs *attrs = export_new(sp, g, map, net, r);

		if (attrs == NULL || ipnet_eq(before, *net) || may_go(sp, g, net, r))
			return attrs;
		bgp_attrs_unref(sp->attrs, attrs);
		return NULL;
	}
	if (r->n_exports < sp->n_groups) {
		r->exports = realloc(r->exports, sp->n_groups * sizeof(*r->exports));
		FAB_ASSERT(r->exports != NULL);
		memset(&r->exports[r->n_exports], 0,
		    (sp->n_groups - r->n_exports) * sizeof(*r->exports));
		r->n_exports = sp->n_groups;
	}
	x = &r->exports[g->slot];
	if (!x->known)
		x->attrs = export_new(sp, g, map, NULL, r);
	x->known = true;
	return x->attrs == NULL ? NULL : bgp_attrs_ref(x->attrs);
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

/* The group's entry becomes (now, from); takes the reference. */
void
speaker_out_set(struct speaker *sp, struct sp_group *g, struct rib_prefix *prefix,
    struct bgp_attrs *now, uint32_t from)
{
	struct rib_out *out = rib_out_find(prefix, g->slot);
	struct bgp_attrs *old = out != NULL ? out->attrs : NULL;
	uint32_t a = out != NULL ? out->from : FROM_NONE;
	uint32_t b = now != NULL ? from & ~SUMMARY : FROM_NONE;

	if (now != old || a != b) {
		if (g->live)
			tell(g, &prefix->net, old, speaker_member(sp, g, a) != NULL ? a : FROM_NONE,
			    now, speaker_member(sp, g, b) != NULL ? b : FROM_NONE);
		out_store(sp, g, prefix, out, now, b);
	}
	bgp_attrs_unref(sp->attrs, now);
}

static void
group_prefix(
    struct speaker *sp, struct sp_group *g, struct rib_prefix *prefix, const struct rib_path *best)
{
	struct ipnet net = prefix->net;

	speaker_out_set(sp, g, prefix, best != NULL ? speaker_export(sp, g, &net, best) : NULL,
	    best != NULL ? best->from : FROM_NONE);
}

void
speaker_out_prefix(struct speaker *sp, struct rib_prefix *prefix, const struct rib_path *best)
{
	for (uint16_t i = 0; i < sp->n_groups; i++) {
		struct sp_group *g = sp->groups[i];

		if (g != NULL && g->deferred)
			speaker_late_prefix(sp, g, prefix, best);
		else if (g != NULL)
			group_prefix(sp, g, prefix, best);
	}
}

/* ---- sending ---- */

static bool
hears_deltas(const struct speaker_peer *m)
{
	return m->up && m->due != TABLE_FIRST && !m->moved;
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
	case TO_MOVED:
		return m->up && m->slot == k->a;
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

static int
moved_cmp(const void *a, const void *b)
{
	const struct sp_moved *x = a, *y = b;

	return ipnet_cmp(&x->net, &y->net);
}

/* What the member that came from another group has to hear about one prefix. */
static void
moved_prefix(struct sp_group *g, struct speaker_peer *m, const struct rib_prefix *prefix)
{
	const struct rib_out *out = rib_out_find(prefix, g->slot);
	struct sp_moved key = { .net = prefix->net }, *had;

	if (out == NULL || out->from == m->slot)
		return;
	had = m->n_had == 0 ? NULL : bsearch(&key, m->had, m->n_had, sizeof(*m->had), moved_cmp);
	if (had != NULL)
		had->kept = true;
	if (had == NULL || had->attrs != out->attrs)
		batch_add(g, (struct bucket_key){ out->attrs, m->slot, FROM_NONE, TO_MOVED },
		    &prefix->net);
}

/* RM-13: no new session, only the difference. */
static void
send_moved(struct speaker *sp, struct sp_group *g, struct speaker_peer *m)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	if (m->n_had > 0)
		qsort(m->had, m->n_had, sizeof(*m->had), moved_cmp);
	while ((prefix = rib_next(sp->rib, &cursor)) != NULL)
		moved_prefix(g, m, prefix);
	for (size_t i = 0; i < m->n_had; i++)
		if (!m->had[i].kept)
			batch_add(g, (struct bucket_key){ NULL, m->slot, FROM_NONE, TO_MOVED },
			    &m->had[i].net);
	send_batch(g);
	speaker_out_moved_free(m);
}

void
speaker_out_begin(struct speaker *sp)
{
	struct speaker_peer *m;

	for (uint16_t i = 0; i < sp->n_groups; i++) {
		struct sp_group *g = sp->groups[i];
		const struct route_map *map;

		if (g == NULL)
			continue;
		map = map_of(sp, g, NULL);
		g->deferred =
		    (map != NULL && map->summarizes) || speaker_sum_any(sp, ORIGIN | g->slot);
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
		bool due = false, moved = false;

		if (g == NULL)
			continue;
		LL_FOREACH2(g->members, m, group_next)
		{
			due |= m->up && m->due != TABLE_NONE;
			moved |= m->moved;
		}
		if (g->batch->n_buckets == 0 && !due && !moved)
			continue;
		classify(g);
		send_batch(g);
		LL_FOREACH2(g->members, m, group_next)
		if (m->moved)
			send_moved(sp, g, m);
		if (due)
			send_tables(sp, g);
	}
}
