/*
 * Originations of a router (see nva_own.h).
 */
#include "nvad/nva_own.h"

#include "lib/err.h"
#include "nvad/nva_policy.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct variant {
	UT_hash_handle hh;     /* by key */
	UT_hash_handle hh_tag; /* by tag */
	uint8_t *key;          /* everything but the prefix, in order */
	size_t key_octets;
	uint32_t tag;
	uint64_t mark;                      /* last configuration that has it */
	const struct wire_originate **list; /* entries of the configuration in force */
	size_t n;
};

struct nva_own {
	struct variant *by_key, *by_tag;
	uint32_t next_tag;
	uint64_t mark;
	/* default_originate of the configuration in force, as originations. */
	struct wire_originate *defaults;
	const char **names; /* their `to`, one each */
	size_t n_defaults;
};

/* A key under construction. */
struct text {
	uint8_t *data;
	size_t n, room;
	bool fail;
};

struct nva_own *
nva_own_new(void)
{
	return calloc(1, sizeof(struct nva_own));
}

static void
variant_free(struct nva_own *own, struct variant *v)
{
	HASH_DELETE(hh, own->by_key, v);
	HASH_DELETE(hh_tag, own->by_tag, v);
	free(v->key);
	free(v->list);
	free(v);
}

void
nva_own_free(struct nva_own *own)
{
	struct variant *v, *tmp;

	if (own == NULL)
		return;
	HASH_ITER (hh, own->by_key, v, tmp)
		variant_free(own, v);
	free(own->defaults);
	free(own->names);
	free(own);
}

/* ---- keys ---- */

static void
put(struct text *t, const void *data, size_t n)
{
	size_t room = t->room == 0 ? 128 : t->room;
	uint8_t *grown;

	if (t->fail || n == 0)
		return;
	while (room < t->n + n)
		room *= 2;
	if (room != t->room) {
		grown = realloc(t->data, room);
		if (grown == NULL) {
			t->fail = true;
			return;
		}
		t->data = grown;
		t->room = room;
	}
	memcpy(&t->data[t->n], data, n);
	t->n += n;
}

static void
put_u32(struct text *t, uint32_t v)
{
	put(t, &v, sizeof(v));
}

static void
put_u32s(struct text *t, const struct wire_u32s *list)
{
	put_u32(t, (uint32_t)list->n);
	put(t, list->v, list->n * sizeof(*list->v));
}

static void
put_originate(struct text *t, const struct wire_originate *o, bool is_default)
{
	put_u32(t, is_default);
	put_u32(t, o->prepend);
	put_u32s(t, &o->communities);
	put_u32s(t, &o->large);
	put_u32s(t, &o->as_path);
	put_u32(t, o->next_hop);
	put_u32(t, o->has_med);
	put_u32(t, o->med);
	put_u32(t, o->origin);
	put_u32(t, (uint32_t)o->n_to);
	for (size_t i = 0; i < o->n_to; i++)
		put(t, o->to[i], strlen(o->to[i]) + 1);
}

/* ---- variants ---- */

bool
nva_own_is_default(const struct nva_own *own, const struct wire_originate *o)
{
	return o >= own->defaults && o < own->defaults + own->n_defaults;
}

static struct variant *
variant_new(struct nva_own *own, struct text *key)
{
	struct variant *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return NULL;
	v->key = key->data;
	v->key_octets = key->n;
	key->data = NULL; /* the variant's now */
	v->tag = own->next_tag++ & 0x7fffffffu;
	HASH_ADD_KEYPTR(hh, own->by_key, v->key, v->key_octets, v);
	HASH_ADD(hh_tag, own->by_tag, tag, sizeof(v->tag), v);
	return v;
}

/* The variant of one prefix's originations, found or made; its list is theirs. */
static struct variant *
variant_of(struct nva_own *own, const struct wire_originate *const *list, size_t n)
{
	const struct wire_originate **copy;
	struct text key = { 0 };
	struct variant *v = NULL;

	for (size_t i = 0; i < n; i++)
		put_originate(&key, list[i], nva_own_is_default(own, list[i]));
	if (key.fail)
		goto done;
	HASH_FIND(hh, own->by_key, key.data, key.n, v);
	if (v == NULL)
		v = variant_new(own, &key);
	if (v == NULL || v->mark == own->mark)
		goto done;
	copy = malloc(n * sizeof(const struct wire_originate *));
	if (copy == NULL) {
		v = NULL;
		goto done;
	}
	memcpy(copy, list, n * sizeof(const struct wire_originate *));
	free(v->list);
	v->list = copy;
	v->n = n;
	v->mark = own->mark;
done:
	free(key.data);
	return v;
}

/* What the router's own table shows: the attributes without prepends, which belong to peers. */
static int
originate(
    struct wire_apply *a, const struct ipnet *prefix, const struct variant *v, uint32_t address)
{
	const struct wire_originate *o = v->list[0];
	struct bgp_path_buf path;
	struct bgp_attr_spec spec = {
		.origin = o->origin,
		.next_hop = o->next_hop != 0 ? o->next_hop : address,
		.has_med = o->has_med,
		.med = o->med,
		.communities = o->communities.v,
		.n_communities = (uint16_t)o->communities.n,
		.large = o->large.v,
		.n_large = (uint16_t)(o->large.n / 3),
	};

	bgp_path_load(&path, NULL, 0);
	for (size_t i = 0; i < o->as_path.n; i++)
		if (!bgp_path_append(&path, o->as_path.v[i]))
			return FAB_ETOOBIG;
	spec.as_path = path.data;
	spec.as_path_octets = path.octets;
	return wire_apply_own(a, prefix, &spec, HRP_SRC_UNKNOWN, 0, v->tag);
}

/* ---- one configuration ---- */

/* An origination and its place in the configuration; defaults come last. */
struct ranked {
	const struct wire_originate *o;
	size_t place;
};

static int
by_prefix(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int c = ipnet_cmp(&x->o->prefix, &y->o->prefix);

	return c != 0 ? c : (x->place > y->place) - (x->place < y->place);
}

/* Everything to originate, sorted by prefix; malloc()ed. NULL: out of memory. */
static const struct wire_originate **
sorted(const struct nva_own *own, const struct wire_conf *conf, size_t *n)
{
	size_t total = conf->n_originate + own->n_defaults;
	struct ranked *r = calloc(total + 1, sizeof(*r));
	const struct wire_originate **out = calloc(total + 1, sizeof(*out));

	for (size_t i = 0; i < total && r != NULL; i++)
		r[i] = (struct ranked){ .place = i,
			.o = i < conf->n_originate ? &conf->originate[i]
						   : &own->defaults[i - conf->n_originate] };
	if (r != NULL && out != NULL) {
		qsort(r, total, sizeof(*r), by_prefix);
		for (*n = 0; *n < total; (*n)++)
			out[*n] = r[*n].o;
	} else {
		free(out);
		out = NULL;
	}
	free(r);
	return out;
}

/* Replaces the defaults; the old ones go to *old and *old_names, because variants still lead there.
 */
static int
take_defaults(struct nva_own *own, const struct wire_conf *conf, struct wire_originate **old,
    const char ***old_names)
{
	struct wire_originate *defaults = calloc(conf->n_peers + 1, sizeof(*defaults));
	const char **names = calloc(conf->n_peers + 1, sizeof(*names));
	size_t n = 0;

	if (defaults == NULL || names == NULL) {
		free(defaults);
		free(names);
		return FAB_ENOMEM;
	}
	for (size_t i = 0; i < conf->n_peers; i++) {
		if (!conf->peers[i].policy.default_originate)
			continue;
		names[n] = conf->peers[i].name;
		defaults[n] = (struct wire_originate){ .to = &names[n], .n_to = 1 };
		n++;
	}
	*old = own->defaults;
	*old_names = own->names;
	own->defaults = defaults;
	own->names = names;
	own->n_defaults = n;
	return FAB_OK;
}

static int
apply_sorted(struct nva_own *own, const struct wire_originate *const *all, size_t n,
    const struct wire_conf *conf, struct wire_apply *a)
{
	int err = FAB_OK;

	for (size_t i = 0, end; i < n && err == FAB_OK; i = end) {
		const struct variant *v;

		for (end = i + 1; end < n && ipnet_eq(all[end]->prefix, all[i]->prefix); end++)
			;
		v = variant_of(own, &all[i], end - i);
		err = v == NULL ? FAB_ENOMEM : originate(a, &all[i]->prefix, v, conf->address);
	}
	return err;
}

int
nva_own_apply(struct nva_own *own, const struct wire_conf *conf, struct wire_apply *a)
{
	const struct wire_originate **all;
	struct wire_originate *old;
	const char **old_names;
	struct variant *v, *tmp;
	size_t n = 0;
	int err = take_defaults(own, conf, &old, &old_names);

	if (err != FAB_OK)
		return err;
	own->mark++;
	all = sorted(own, conf, &n);
	err = all == NULL ? FAB_ENOMEM : apply_sorted(own, all, n, conf, a);
	HASH_ITER (hh, own->by_key, v, tmp)
		if (v->mark != own->mark)
			variant_free(own, v);
	free(all);
	free(old);
	free(old_names);
	return err;
}

/* ---- questions ---- */

static const struct variant *
variant_find(const struct nva_own *own, uint32_t tag)
{
	struct variant *v;

	HASH_FIND(hh_tag, own->by_tag, &tag, sizeof(tag), v);
	return v;
}

const struct wire_originate *
nva_own_for(const struct nva_own *own, uint32_t tag, const struct wire_peer *to)
{
	const struct variant *v = variant_find(own, tag);

	/* The first that fits: what an operator wrote goes before default_originate. */
	for (size_t i = 0; v != NULL && i < v->n; i++)
		if (nva_own_is_for(v->list[i], to))
			return v->list[i];
	return NULL;
}

bool
nva_own_is_default_only(const struct nva_own *own, uint32_t tag)
{
	const struct variant *v = variant_find(own, tag);

	for (size_t i = 0; v != NULL && i < v->n; i++)
		if (!nva_own_is_default(own, v->list[i]))
			return false;
	return v != NULL;
}
