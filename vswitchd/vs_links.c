/*
 * Links and their index: ports and pairs, sorted, and what each port has to do with links at all.
 */
#include "vswitchd/vs_links.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY 128

/* A port, or a pair, that a link is there for. */
struct place {
	uint64_t pair; /* from, to */
	uint32_t kind;
	uint32_t link; /* index */
};

enum { MARK_ANY = 1, MARK_AMONG_PORTS = 2 };

struct vs_links {
	unsigned refs;
	struct vs_link_conf **v; /* name and ends behind each */
	size_t n, room;
	struct place *places; /* sorted */
	size_t n_places;
	struct vs_idmap marks; /* MARK_* of each port that a link names */
};

/* ---- building ---- */

static bool
is_fine(const struct vs_link_conf *c)
{
	bool from = c->kind != VS_LINK_IN, to = c->kind != VS_LINK_OUT;

	return c->id != 0 && c->name != NULL &&
	       strnlen(c->name, VS_LINK_NAME_MAX) < VS_LINK_NAME_MAX &&
	       (unsigned)c->kind < VS_LINK_KIND_COUNT && (c->n_from > 0) == from &&
	       (c->n_to > 0) == to && c->loss_ppm <= 1000000;
}

static size_t
n_places(const struct vs_link_conf *c)
{
	size_t from = c->n_from > 0 ? c->n_from : 1, to = c->n_to > 0 ? c->n_to : 1;

	return from > VS_LINK_PAIRS_MAX || to > VS_LINK_PAIRS_MAX ? VS_LINK_PAIRS_MAX + 1u
								  : from * to;
}

static struct vs_link_conf *
copy(const struct vs_link_conf *c)
{
	size_t ends = (c->n_from + c->n_to) * sizeof(uint32_t), len = strlen(c->name) + 1;
	struct vs_link_conf *l = malloc(sizeof(*l) + ends + len);
	uint32_t *p;

	if (l == NULL)
		return NULL;
	*l = *c;
	p = (uint32_t *)(l + 1);
	if (c->n_from > 0)
		memcpy(p, c->from, c->n_from * sizeof(*p));
	if (c->n_to > 0)
		memcpy(p + c->n_from, c->to, c->n_to * sizeof(*p));
	l->from = p;
	l->to = p + c->n_from;
	l->name = memcpy(p + c->n_from + c->n_to, c->name, len);
	return l;
}

static int
make_room(struct vs_links *l)
{
	size_t room = l->room == 0 ? 16 : 2 * l->room;
	struct vs_link_conf **v;

	if (l->n < l->room)
		return FAB_OK;
	if ((v = realloc((void *)l->v, room * sizeof(*v))) == NULL)
		return FAB_ENOMEM;
	l->v = v;
	l->room = room;
	return FAB_OK;
}

int
vs_links_add(struct vs_links **out, const struct vs_link_conf *conf, char why[static WHY])
{
	struct vs_links *l = *out;

	if (!is_fine(conf)) {
		snprintf(why, WHY, "link %u: no id, name, kind, ends or loss like that", conf->id);
		return FAB_EINVAL;
	}
	if (l == NULL && (l = calloc(1, sizeof(*l))) == NULL)
		return FAB_ENOMEM;
	l->refs = 1;
	*out = l;
	l->n_places += n_places(conf);
	if (l->n == VS_LINKS_MAX || l->n_places > VS_LINK_PAIRS_MAX) {
		snprintf(why, WHY, "too many links");
		return FAB_ETOOBIG;
	}
	if (make_room(l) != FAB_OK || (l->v[l->n] = copy(conf)) == NULL)
		return FAB_ENOMEM;
	l->n++;
	return FAB_OK;
}

/* ---- index ---- */

static int
place_cmp(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->pair < y->pair ? -1 : x->pair > y->pair;
}

static struct place *
put_places(struct place *p, const struct vs_link_conf *c, uint32_t link)
{
	static const uint32_t nobody[] = { 0 };
	const uint32_t *from = c->n_from > 0 ? c->from : nobody, *to = c->n_to > 0 ? c->to : nobody;

	for (size_t i = 0; i < (c->n_from > 0 ? c->n_from : 1); i++)
		for (size_t j = 0; j < (c->n_to > 0 ? c->n_to : 1); j++)
			*p++ = (struct place){ (uint64_t)from[i] << 32 | to[j], c->kind, link };
	return p;
}

static int
mark(struct vs_links *l, uint32_t port, unsigned flags)
{
	uintptr_t old = (uintptr_t)vs_idmap_get(&l->marks, port);

	/* The map's values are numbers here, and never followed. */
	return vs_idmap_put(&l->marks, port, (void *)(old | flags), NULL);
}

static bool
has_plain_port(const struct vs_idmap *ports, const uint32_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct vs_port_conf *p = vs_idmap_get(ports, v[i]);

		if (p != NULL && !p->router)
			return true;
	}
	return false;
}

static int
mark_ports(struct vs_links *l, const struct vs_link_conf *c, const struct vs_idmap *ports)
{
	bool hop = c->kind == VS_LINK_HOP;
	unsigned from = MARK_ANY, to = MARK_ANY;
	int err = FAB_OK;

	if (c->kind == VS_LINK_REGIONS)
		return FAB_OK;
	if (!hop || has_plain_port(ports, c->to, c->n_to))
		from |= MARK_AMONG_PORTS;
	if (!hop || has_plain_port(ports, c->from, c->n_from))
		to |= MARK_AMONG_PORTS;
	for (size_t i = 0; i < c->n_from && err == FAB_OK; i++)
		err = mark(l, c->from[i], from);
	for (size_t i = 0; i < c->n_to && err == FAB_OK; i++)
		err = mark(l, c->to[i], to);
	return err;
}

static int
find_twice(const struct vs_links *l, char why[static WHY])
{
	for (size_t i = 1; i < l->n_places; i++) {
		if (place_cmp(&l->places[i - 1], &l->places[i]) != 0)
			continue;
		snprintf(why, WHY, "links %u and %u share an end", l->v[l->places[i - 1].link]->id,
		    l->v[l->places[i].link]->id);
		return FAB_EINVAL;
	}
	return FAB_OK;
}

int
vs_links_index(struct vs_links *l, const struct vs_idmap *ports, char why[static WHY])
{
	struct place *p;
	int err;

	if (l == NULL)
		return FAB_OK;
	if ((err = vs_links_check(l, ports, why)) != FAB_OK)
		return err;
	if ((p = l->places = calloc(l->n_places, sizeof(*p))) == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < l->n && err == FAB_OK; i++) {
		p = put_places(p, l->v[i], (uint32_t)i);
		err = mark_ports(l, l->v[i], ports);
	}
	if (err != FAB_OK)
		return err;
	qsort(l->places, l->n_places, sizeof(*p), place_cmp);
	return find_twice(l, why);
}

int
vs_links_check(const struct vs_links *l, const struct vs_idmap *ports, char why[static WHY])
{
	for (size_t i = 0; l != NULL && i < l->n; i++) {
		const struct vs_link_conf *c = l->v[i];

		if (c->kind == VS_LINK_REGIONS)
			continue;
		for (size_t k = 0; k < c->n_from + c->n_to; k++) { /* `to` follows `from` */
			uint32_t id = c->from[k];

			if (id != 0 && vs_idmap_get(ports, id) != NULL)
				continue;
			snprintf(why, WHY, "link %u: no port %u", c->id, id);
			return FAB_EINVAL;
		}
	}
	return FAB_OK;
}

/* ---- life ---- */

struct vs_links *
vs_links_ref(struct vs_links *l)
{
	if (l != NULL)
		l->refs++;
	return l;
}

void
vs_links_unref(struct vs_links *l)
{
	if (l == NULL)
		return;
	FAB_ASSERT(l->refs > 0);
	if (--l->refs > 0)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free((void *)l->v);
	free(l->places);
	vs_idmap_fini(&l->marks);
	free(l);
}

size_t
vs_links_memory(const struct vs_links *l)
{
	size_t n = 0;

	if (l == NULL)
		return 0;
	for (size_t i = 0; i < l->n; i++)
		n += sizeof(*l->v[i]) + strlen(l->v[i]->name) + 1 +
		     (l->v[i]->n_from + l->v[i]->n_to) * sizeof(uint32_t);
	return n + sizeof(*l) + l->room * sizeof(l->v[0]) + l->n_places * sizeof(struct place) +
	       vs_idmap_memory(&l->marks);
}

/* ---- questions ---- */

const struct vs_link_conf *
vs_links_find(const struct vs_links *l, enum vs_link_kind kind, uint32_t from, uint32_t to)
{
	const struct place key = { .kind = kind, .pair = (uint64_t)from << 32 | to }, *p;

	if (l == NULL)
		return NULL;
	p = bsearch(&key, l->places, l->n_places, sizeof(key), place_cmp);
	return p != NULL ? l->v[p->link] : NULL;
}

static unsigned
marks_of(const struct vs_links *l, uint32_t port)
{
	return l != NULL ? (unsigned)(uintptr_t)vs_idmap_get(&l->marks, port) : 0;
}

bool
vs_links_at_port(const struct vs_links *l, uint32_t port)
{
	return marks_of(l, port) != 0;
}

bool
vs_links_among_ports(const struct vs_links *l, uint32_t port)
{
	return (marks_of(l, port) & MARK_AMONG_PORTS) != 0;
}

const struct vs_link_conf *
vs_links_at(const struct vs_links *l, size_t i)
{
	return l != NULL && i < l->n ? l->v[i] : NULL;
}
