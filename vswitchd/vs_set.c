/*
 * Sets of ports, groups and tables: copies of the descriptions, references between them, freeing
 * what two sets do not share.
 */
#include "vswitchd/vs_set.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY 128

/* ---- life ---- */

static void
table_free(void *p)
{
	vs_table_free(p);
}

static int
copy_names(struct vs_set *s, const struct vs_set *base)
{
	size_t size = (base->ports.n + 1) * sizeof(s->by_name[0]);

	if (base->by_name == NULL)
		return FAB_OK;
	if ((s->by_name = malloc(size)) == NULL)
		return FAB_ENOMEM;
	memcpy((void *)s->by_name, (const void *)base->by_name, size);
	return FAB_OK;
}

int
vs_set_new(struct vs_set **out, const struct vs_set *base)
{
	static const struct vs_set empty;
	struct vs_set *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return FAB_ENOMEM;
	if (base == NULL)
		base = &empty;
	if (copy_names(s, base) == FAB_OK && vs_idmap_copy(&s->ports, &base->ports) == FAB_OK &&
	    vs_idmap_copy(&s->groups, &base->groups) == FAB_OK &&
	    vs_idmap_copy(&s->tables, &base->tables) == FAB_OK) {
		s->links = vs_links_ref(base->links);
		s->targets = vs_targets_ref(base->targets);
		*out = s;
		return FAB_OK;
	}
	vs_set_free(s, base);
	return FAB_ENOMEM;
}

static void
free_map(struct vs_idmap *m, const struct vs_idmap *other, void (*fn)(void *))
{
	for (const struct vs_idslot *s = NULL; (s = vs_idmap_next(m, s)) != NULL;)
		if (other == NULL || vs_idmap_get(other, s->id) != s->p)
			fn(s->p);
	vs_idmap_fini(m);
}

void
vs_set_free(struct vs_set *s, const struct vs_set *other)
{
	if (s == NULL)
		return;
	free_map(&s->ports, other != NULL ? &other->ports : NULL, free);
	free_map(&s->groups, other != NULL ? &other->groups : NULL, free);
	free_map(&s->tables, other != NULL ? &other->tables : NULL, table_free);
	free((void *)s->by_name);
	vs_links_unref(s->links);
	vs_targets_unref(s->targets);
	free(s);
}

/* ---- objects ---- */

/* Takes p over, on failure too. */
static int
map_put(struct vs_idmap *m, const struct vs_idmap *base, uint32_t id, void *p, void (*fn)(void *))
{
	void *old;

	if (vs_idmap_put(m, id, p, &old) != FAB_OK) {
		fn(p);
		return FAB_ENOMEM;
	}
	if (old != NULL && vs_idmap_get(base, id) != old)
		fn(old);
	return FAB_OK;
}

static void
map_del(struct vs_idmap *m, const struct vs_idmap *base, uint32_t id, void (*fn)(void *))
{
	void *old = id != 0 ? vs_idmap_del(m, id) : NULL;

	if (old != NULL && vs_idmap_get(base, id) != old)
		fn(old);
}

static void
forget_names(struct vs_set *s)
{
	free((void *)s->by_name);
	s->by_name = NULL;
}

int
vs_set_put_port(struct vs_set *s, const struct vs_set *base, const struct vs_port_conf *conf,
    char why[static WHY])
{
	size_t len = conf->name != NULL ? strnlen(conf->name, VS_NAME_MAX) : 0;
	struct vs_port_conf *p;

	if (conf->id == 0 || len == 0 || len == VS_NAME_MAX || conf->prefix_len > 32) {
		snprintf(why, WHY, "port %u: no id, no name, or no such prefix length", conf->id);
		return FAB_EINVAL;
	}
	if ((p = malloc(sizeof(*p) + len + 1)) == NULL)
		return FAB_ENOMEM;
	forget_names(s);
	*p = *conf;
	p->name = memcpy(p + 1, conf->name, len + 1);
	return map_put(&s->ports, &base->ports, p->id, p, free);
}

static bool
group_fine(const struct vs_group_conf *g)
{
	if (g->id == 0)
		return false;
	switch (g->kind) {
	case VS_GROUP_DROP:
		return g->reason <= VS_DROP_NO_BACKEND;
	case VS_GROUP_VIA:
	case VS_GROUP_PORTS:
	case VS_GROUP_GUARDED:
		return g->n_members >= 1 && g->n_members <= VS_MEMBERS_MAX;
	case VS_GROUP_INTERNET:
	case VS_GROUP_PUBLIC:
		return g->n_members == 1;
	case VS_GROUP_DELIVER:
		return g->n_members == 0;
	}
	return false;
}

int
vs_set_put_group(struct vs_set *s, const struct vs_set *base, const struct vs_group_conf *conf,
    char why[static WHY])
{
	size_t size = conf->n_members * sizeof(conf->members[0]);
	struct vs_group_conf *g;

	if (!group_fine(conf)) {
		snprintf(why, WHY, "group %u: no id, kind, reason or number of members like that",
		    conf->id);
		return FAB_EINVAL;
	}
	if ((g = malloc(sizeof(*g) + size)) == NULL)
		return FAB_ENOMEM;
	*g = *conf;
	g->members = size > 0 ? memcpy(g + 1, conf->members, size) : NULL;
	return map_put(&s->groups, &base->groups, g->id, g, free);
}

int
vs_set_put_table(struct vs_set *s, const struct vs_set *base, uint32_t id, struct vs_table *t)
{
	return map_put(&s->tables, &base->tables, id, t, table_free);
}

void
vs_set_del_port(struct vs_set *s, const struct vs_set *base, uint32_t id)
{
	forget_names(s);
	map_del(&s->ports, &base->ports, id, free);
}

void
vs_set_del_group(struct vs_set *s, const struct vs_set *base, uint32_t id)
{
	map_del(&s->groups, &base->groups, id, free);
}

void
vs_set_del_table(struct vs_set *s, const struct vs_set *base, uint32_t id)
{
	map_del(&s->tables, &base->tables, id, table_free);
}

/* ---- names ---- */

static int
name_cmp(const void *a, const void *b)
{
	const struct vs_port_conf *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

int
vs_set_index(struct vs_set *s, char why[static WHY])
{
	size_t n = 0;

	forget_names(s);
	if ((s->by_name = malloc((s->ports.n + 1) * sizeof(s->by_name[0]))) == NULL)
		return FAB_ENOMEM;
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->ports, i)) != NULL;)
		s->by_name[n++] = i->p;
	qsort((void *)s->by_name, n, sizeof(s->by_name[0]), name_cmp);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(s->by_name[i - 1]->name, s->by_name[i]->name) != 0)
			continue;
		snprintf(why, WHY, "two ports are named %s", s->by_name[i]->name);
		return FAB_EINVAL;
	}
	return FAB_OK;
}

const struct vs_port_conf *
vs_set_named(const struct vs_set *s, const char *name)
{
	struct vs_port_conf key = { .name = name }, *k = &key;
	const struct vs_port_conf **p;

	if (s->by_name == NULL)
		return NULL;
	p = bsearch(&k, (const void *)s->by_name, s->ports.n, sizeof(s->by_name[0]), name_cmp);
	return p != NULL ? *p : NULL;
}

/* ---- references ---- */

static int
check_port(const struct vs_set *s, const struct vs_port_conf *p, char why[static WHY])
{
	const uint32_t tables[] = { p->user, p->bgp, p->system, p->tunnel };

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		if (tables[i] == VS_NONE || vs_set_table(s, tables[i]) != NULL)
			continue;
		snprintf(why, WHY, "port %s: no table %u", p->name, tables[i]);
		return FAB_EINVAL;
	}
	return FAB_OK;
}

static int
check_group(const struct vs_set *s, const struct vs_group_conf *g, char why[static WHY])
{
	bool has_table = g->kind == VS_GROUP_DELIVER || g->kind == VS_GROUP_INTERNET ||
			 g->kind == VS_GROUP_GUARDED;

	if (has_table && vs_set_table(s, g->table) == NULL) {
		snprintf(why, WHY, "group %u: no table %u", g->id, g->table);
		return FAB_EINVAL;
	}
	for (size_t i = 0; g->kind != VS_GROUP_VIA && i < g->n_members; i++) {
		if (vs_set_port(s, g->members[i]) != NULL)
			continue;
		snprintf(why, WHY, "group %u: no port %u", g->id, g->members[i]);
		return FAB_EINVAL;
	}
	return FAB_OK;
}

static int
check_limits(const struct vs_set *s, char why[static WHY])
{
	size_t routes = 0;

	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->tables, i)) != NULL;)
		routes += ((const struct vs_table *)i->p)->n_entries;
	if (s->ports.n <= VS_PORTS_MAX && s->groups.n <= VS_GROUPS_MAX &&
	    s->tables.n <= VS_TABLES_MAX && routes <= VS_ROUTES_MAX)
		return FAB_OK;
	snprintf(why, WHY, "%zu ports, %zu groups, %zu tables, %zu routes are too many", s->ports.n,
	    s->groups.n, s->tables.n, routes);
	return FAB_ETOOBIG;
}

int
vs_set_check(const struct vs_set *s, char why[static WHY])
{
	int err = check_limits(s, why);

	for (const struct vs_idslot *i = NULL;
	     err == FAB_OK && (i = vs_idmap_next(&s->ports, i)) != NULL;)
		err = check_port(s, i->p, why);
	for (const struct vs_idslot *i = NULL;
	     err == FAB_OK && (i = vs_idmap_next(&s->groups, i)) != NULL;)
		err = check_group(s, i->p, why);
	if (err == FAB_OK)
		err = vs_links_check(s->links, &s->ports, why);
	return err == FAB_OK ? vs_targets_check(s->targets, &s->ports, why) : err;
}

int
vs_set_check_table(
    const struct vs_set *s, uint32_t id, const struct vs_table *t, char why[static WHY])
{
	uint32_t known = 0; /* neighbours often share a group */

	for (uint32_t i = 0; i < t->n_entries; i++) {
		uint32_t group = t->entries[i].group;

		if (group == known)
			continue;
		if (vs_set_group(s, group) == NULL) {
			snprintf(why, WHY, "table %u: no group %u", id, group);
			return FAB_EINVAL;
		}
		known = group;
	}
	return FAB_OK;
}

size_t
vs_set_memory(const struct vs_set *s)
{
	size_t n = sizeof(*s) + vs_idmap_memory(&s->ports) + vs_idmap_memory(&s->groups) +
		   vs_idmap_memory(&s->tables) + s->ports.n * sizeof(s->by_name[0]) +
		   vs_links_memory(s->links) + vs_targets_memory(s->targets);

	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->ports, i)) != NULL;)
		n += sizeof(struct vs_port_conf) +
		     strlen(((const struct vs_port_conf *)i->p)->name) + 1;
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->groups, i)) != NULL;)
		n += sizeof(struct vs_group_conf) +
		     ((const struct vs_group_conf *)i->p)->n_members * sizeof(uint32_t);
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->tables, i)) != NULL;)
		n += vs_table_memory(i->p);
	return n;
}
