/*
 * Collecting an update. Ports and groups go into the next set at once; routes wait, so that a table
 * that comes in many messages is compiled once.
 */
#include "vswitchd/vs_stage.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>

#define WHY         128
#define CHANGES_MAX (2 * (size_t)VS_ROUTES_MAX) /* each route withdrawn, and one in its place */

/* What is to become of one table. */
struct changes {
	bool replace;
	struct vs_change *v;
	size_t n, room;
};

struct vs_stage {
	const struct vs_set *base;
	struct vs_set *next;
	struct vs_idmap changes; /* per table: struct changes */
	size_t n_changes;        /* in all of them */
	bool ports_changed, groups_gone, links_replaced, targets_replaced;
};

/* ---- life ---- */

static void
changes_free(struct changes *c)
{
	if (c != NULL)
		free(c->v);
	free(c);
}

int
vs_stage_new(struct vs_stage **out, const struct vs_set *base, bool snapshot)
{
	struct vs_stage *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return FAB_ENOMEM;
	s->base = base;
	s->ports_changed = s->groups_gone = s->links_replaced = s->targets_replaced = snapshot;
	if (vs_set_new(&s->next, snapshot ? NULL : base) != FAB_OK) {
		free(s);
		return FAB_ENOMEM;
	}
	*out = s;
	return FAB_OK;
}

static void
forget_changes(struct vs_stage *s)
{
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->changes, i)) != NULL;)
		changes_free(i->p);
	vs_idmap_fini(&s->changes);
}

void
vs_stage_free(struct vs_stage *s)
{
	if (s == NULL)
		return;
	forget_changes(s);
	vs_set_free(s->next, s->base);
	free(s);
}

/* ---- collecting ---- */

static int
changes_get(struct vs_stage *s, uint32_t id, struct changes **out)
{
	struct changes *c = vs_idmap_get(&s->changes, id);

	if (c == NULL) {
		if ((c = calloc(1, sizeof(*c))) == NULL)
			return FAB_ENOMEM;
		if (vs_idmap_put(&s->changes, id, c, NULL) != FAB_OK) {
			free(c);
			return FAB_ENOMEM;
		}
	}
	*out = c;
	return FAB_OK;
}

static void
table_gone(struct vs_stage *s, uint32_t id)
{
	struct changes *c = id != 0 ? vs_idmap_del(&s->changes, id) : NULL;

	if (c != NULL)
		s->n_changes -= c->n;
	changes_free(c);
	vs_set_del_table(s->next, s->base, id);
}

static int
reserve(struct vs_stage *s, struct changes *c, size_t n)
{
	size_t room = c->room > 0 ? c->room : 64;
	struct vs_change *v;

	if (n > CHANGES_MAX - s->n_changes)
		return FAB_ETOOBIG;
	while (room < c->n + n)
		room *= 2;
	if (room == c->room)
		return FAB_OK;
	if ((v = realloc(c->v, room * sizeof(*v))) == NULL)
		return FAB_ENOMEM;
	c->v = v;
	c->room = room;
	return FAB_OK;
}

static void
push(struct vs_stage *s, struct changes *c, uint32_t addr, uint8_t len, uint32_t group)
{
	c->v[c->n] = (struct vs_change){ { addr, len }, group, (uint32_t)c->n };
	c->n++;
	s->n_changes++;
}

static bool
delta_fine(const struct vs_table_delta *d)
{
	if (d->id == 0)
		return false;
	for (size_t i = 0; i < d->n; i++)
		if (d->len[i] > 32 || (d->addr[i] & ~ipnet_mask(d->len[i])) != 0 ||
		    d->group[i] == 0)
			return false;
	for (size_t i = 0; i < d->n_withdrawn; i++)
		if (d->withdrawn_len[i] > 32 ||
		    (d->withdrawn_addr[i] & ~ipnet_mask(d->withdrawn_len[i])) != 0)
			return false;
	return true;
}

static int
add_table(struct vs_stage *s, const struct vs_table_delta *d, char why[static WHY])
{
	struct changes *c;
	int err;

	if (!delta_fine(d)) {
		snprintf(why, WHY, "table %u: no id, a prefix that is none, or no group", d->id);
		return FAB_EINVAL;
	}
	if ((err = changes_get(s, d->id, &c)) != FAB_OK)
		return err;
	if (d->replace) {
		s->n_changes -= c->n;
		c->n = 0;
		c->replace = true;
	}
	if ((err = reserve(s, c, d->n_withdrawn + d->n)) != FAB_OK) {
		snprintf(why, WHY, "table %u: too many changes at once", d->id);
		return err;
	}
	for (size_t i = 0; i < d->n_withdrawn; i++)
		push(s, c, d->withdrawn_addr[i], d->withdrawn_len[i], 0);
	for (size_t i = 0; i < d->n; i++)
		push(s, c, d->addr[i], d->len[i], d->group[i]);
	return FAB_OK;
}

static void
add_gone(struct vs_stage *s, const struct vs_update *u)
{
	for (size_t i = 0; i < u->n_gone_ports; i++)
		vs_set_del_port(s->next, s->base, u->gone_ports[i]);
	for (size_t i = 0; i < u->n_gone_groups; i++)
		vs_set_del_group(s->next, s->base, u->gone_groups[i]);
	for (size_t i = 0; i < u->n_gone_tables; i++)
		table_gone(s, u->gone_tables[i]);
	s->ports_changed |= u->n_gone_ports > 0;
	s->groups_gone |= u->n_gone_groups > 0;
}

static int
add_links(struct vs_stage *s, const struct vs_update *u, char why[static WHY])
{
	int err = FAB_OK;

	if (u->replace_links) {
		vs_links_unref(s->next->links);
		s->next->links = NULL;
		s->links_replaced = true;
	}
	if (u->n_links > 0 && !s->links_replaced) {
		snprintf(why, WHY, "links without a word that they replace the others");
		return FAB_EINVAL;
	}
	for (size_t i = 0; err == FAB_OK && i < u->n_links; i++)
		err = vs_links_add(&s->next->links, &u->links[i], why);
	return err;
}

static int
add_targets(struct vs_stage *s, const struct vs_update *u, char why[static WHY])
{
	int err = FAB_OK;

	if (u->replace_targets) {
		vs_targets_unref(s->next->targets);
		s->next->targets = NULL;
		s->targets_replaced = true;
	}
	if (u->n_targets > 0 && !s->targets_replaced) {
		snprintf(why, WHY, "probes without a word that they replace the others");
		return FAB_EINVAL;
	}
	for (size_t i = 0; err == FAB_OK && i < u->n_targets; i++)
		err = vs_targets_add(&s->next->targets, &u->targets[i], why);
	return err;
}

/* So that one long update cannot hold more than a set may. */
static int
check_room(const struct vs_stage *s, char why[static WHY])
{
	if (s->next->ports.n <= VS_PORTS_MAX && s->next->groups.n <= VS_GROUPS_MAX &&
	    s->changes.n <= VS_TABLES_MAX)
		return FAB_OK;
	snprintf(why, WHY, "too many ports, groups or tables in an update");
	return FAB_ETOOBIG;
}

int
vs_stage_add(struct vs_stage *s, const struct vs_update *u, char why[static WHY])
{
	int err = FAB_OK;

	add_gone(s, u);
	for (size_t i = 0; err == FAB_OK && i < u->n_groups; i++)
		err = vs_set_put_group(s->next, s->base, &u->groups[i], why);
	for (size_t i = 0; err == FAB_OK && i < u->n_tables; i++)
		err = add_table(s, &u->tables[i], why);
	for (size_t i = 0; err == FAB_OK && i < u->n_ports; i++)
		err = vs_set_put_port(s->next, s->base, &u->ports[i], why);
	s->ports_changed |= u->n_ports > 0;
	if (err == FAB_OK)
		err = add_links(s, u, why);
	if (err == FAB_OK)
		err = add_targets(s, u, why);
	return err == FAB_OK ? check_room(s, why) : err;
}

/* ---- finishing ---- */

static int
finish_table(struct vs_stage *s, uint32_t id, struct changes *c)
{
	const struct vs_table *old = c->replace ? NULL : vs_set_table(s->next, id);
	struct vs_table *t;
	int err;

	if (old != NULL && c->n == 0)
		return FAB_OK;
	if ((err = vs_table_merge(&t, old, c->v, c->n)) != FAB_OK)
		return err;
	return vs_set_put_table(s->next, s->base, id, t);
}

/* A table that did not change can only have lost a group. */
static int
check_tables(const struct vs_stage *s, char why[static WHY])
{
	const struct vs_idmap *which = s->groups_gone ? &s->next->tables : &s->changes;
	int err = FAB_OK;

	for (const struct vs_idslot *i = NULL;
	     err == FAB_OK && (i = vs_idmap_next(which, i)) != NULL;)
		err = vs_set_check_table(s->next, i->id, vs_set_table(s->next, i->id), why);
	return err;
}

int
vs_stage_finish(struct vs_stage *s, char why[static WHY])
{
	int err = FAB_OK;

	for (const struct vs_idslot *i = NULL;
	     err == FAB_OK && (i = vs_idmap_next(&s->changes, i)) != NULL;)
		err = finish_table(s, i->id, i->p);
	if (err == FAB_OK && s->next->by_name == NULL)
		err = vs_set_index(s->next, why);
	if (err == FAB_OK && s->links_replaced)
		err = vs_links_index(s->next->links, &s->next->ports, why);
	if (err == FAB_OK)
		err = vs_set_check(s->next, why);
	return err == FAB_OK ? check_tables(s, why) : err;
}

bool
vs_stage_ports_changed(const struct vs_stage *s)
{
	return s->ports_changed;
}

struct vs_set *
vs_stage_take(struct vs_stage *s)
{
	struct vs_set *set = s->next;

	s->next = NULL;
	return set;
}
