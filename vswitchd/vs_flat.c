#include "vswitchd/vs_flat.h"

#include "lib/err.h"
#include "vswitchd/vs_links.h"
#include "vswitchd/vs_slab.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_TIMES 3 /* what is in force, what rests, what is to come */
#define ROOM_MORE  4096
#define REST_TIMES 6 /* more of what rests: many updates a second need not wait for packets ... */
#define REST_MAX   (1u << 20) /* ... but not at any price */

_Static_assert((int)FAST_DROP == VS_GROUP_DROP && (int)FAST_DELIVER == VS_GROUP_DELIVER &&
		   (int)FAST_VIA == VS_GROUP_VIA && (int)FAST_PORTS == VS_GROUP_PORTS,
    "kinds are in one order");
_Static_assert(FAST_PLATFORM == IPADDR_PLATFORM, "the platform's address");
_Static_assert(VS_ROUTES_MAX < FAST_CELLS_MAX / (ROOM_TIMES + 1), "cells of entries have numbers");

/* A table or a group, by its id: its slot stays for as long as one set after the other has it. */
struct object {
	uint32_t id, slot;
	const void *was;        /* what was written; NULL: nothing yet */
	struct vs_slice *a, *b; /* table: ranges and entries; group: members */
	uint64_t round;         /* of the last set that had it */
};

struct objects {
	struct vs_idmap by_id;
	uint32_t *free_slots;
	size_t n_free, room_free;
	uint32_t n_slots;
};

/* The arrays of cells that slices are taken from. */
enum pool { PORTS, TABLES, RANGES, ENTRIES, GROUPS, MEMBERS, ROOTS, POOLS };

struct vs_flat {
	struct vs_flat_conf conf;
	struct vs_slab slabs[POOLS];
	uint64_t round;
	struct objects tables, groups;
	const struct vs_port_conf **ports; /* by name, as written */
	size_t n_ports;
	uint32_t n_port_cells;
	const struct vs_links *links; /* as written */
	bool ask_again;               /* who is special */
	struct vs_idmap slot_of_port; /* by id: pointers into slots */
	uint32_t *slots;
	struct vs_slice *in_force[POOLS]; /* PORTS, TABLES, GROUPS, ROOTS */
	struct vs_slice *gone[POOLS];     /* to be put when the next root is in force */
};

/* ---- room ---- */

static uint32_t
enough(uint64_t n)
{
	uint64_t rest = n * REST_TIMES;

	n = n * ROOM_TIMES + ROOM_MORE + (rest < REST_MAX ? rest : REST_MAX);
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

struct vs_flat_room
vs_flat_need(const struct vs_set *set, uint32_t slots)
{
	uint64_t ranges = 0, entries = 0, members = 0;

	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&set->tables, i)) != NULL;) {
		const struct vs_table *t = i->p;

		ranges += vs_slab_size(t->n_ranges);
		entries += vs_slab_size(t->n_entries + 1);
	}
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&set->groups, i)) != NULL;)
		members += ((const struct vs_group_conf *)i->p)->n_members * 2;
	return (struct vs_flat_room){ .ports = enough(vs_slab_size(slots + 1)),
		.tables = enough(vs_slab_size((uint32_t)set->tables.n + 1)),
		.ranges = enough(ranges),
		.entries = enough(entries),
		.groups = enough(vs_slab_size((uint32_t)set->groups.n + 1)),
		.members = enough(members) };
}

/* ---- life ---- */

int
vs_flat_new(struct vs_flat **out, const struct vs_flat_conf *conf)
{
	struct vs_flat *f = calloc(1, sizeof(*f));
	const struct vs_flat_room *r = &conf->room;
	const uint32_t room[POOLS] = { [PORTS] = r->ports,
		[TABLES] = r->tables,
		[RANGES] = r->ranges,
		[ENTRIES] = r->entries,
		[GROUPS] = r->groups,
		[MEMBERS] = r->members,
		[ROOTS] = FAST_ROOTS };

	if (f == NULL)
		return FAB_ENOMEM;
	f->conf = *conf;
	for (int i = 0; i < POOLS; i++)
		vs_slab_init(&f->slabs[i], room[i]);
	*out = f;
	return FAB_OK;
}

static void
objects_fini(struct objects *o)
{
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&o->by_id, i)) != NULL;) {
		struct object *obj = i->p;

		free(obj->a);
		free(obj->b);
		free(obj);
	}
	vs_idmap_fini(&o->by_id);
	free(o->free_slots);
}

void
vs_flat_free(struct vs_flat *f)
{
	if (f == NULL)
		return;
	objects_fini(&f->tables);
	objects_fini(&f->groups);
	for (int i = 0; i < POOLS; i++) {
		for (struct vs_slice *s = f->gone[i], *next; s != NULL; s = next) {
			next = s->next;
			free(s);
		}
		free(f->in_force[i]);
		vs_slab_fini(&f->slabs[i]);
	}
	vs_idmap_fini(&f->slot_of_port);
	free((void *)f->ports);
	free(f->slots);
	free(f);
}

/* ---- slices ---- */

/* Packets still look at it: it is put back when the next root is in force. */
static void
discard(struct vs_flat *f, enum pool pool, struct vs_slice **slice)
{
	if (*slice == NULL)
		return;
	(*slice)->next = f->gone[pool];
	f->gone[pool] = *slice;
	*slice = NULL;
}

static int
replace(struct vs_flat *f, enum pool pool, struct vs_slice **slice, size_t n)
{
	if (n >= UINT32_MAX)
		return FAB_ETOOBIG;
	discard(f, pool, slice);
	return vs_slab_get(&f->slabs[pool], slice, n > 0 ? (uint32_t)n : 1);
}

static void
put_gone(struct vs_flat *f)
{
	for (int i = 0; i < POOLS; i++)
		while (f->gone[i] != NULL) {
			struct vs_slice *s = f->gone[i];

			f->gone[i] = s->next;
			vs_slab_put(&f->slabs[i], s);
		}
}

/* ---- tables and groups by id ---- */

static int
slot_put(struct objects *o, uint32_t slot)
{
	if (o->n_free == o->room_free) {
		size_t room = o->room_free > 0 ? o->room_free * 2 : 64;
		uint32_t *v = realloc(o->free_slots, room * sizeof(*v));

		if (v == NULL)
			return FAB_ENOMEM;
		o->free_slots = v;
		o->room_free = room;
	}
	o->free_slots[o->n_free++] = slot;
	return FAB_OK;
}

static int
object_new(struct object **out, struct objects *o, uint32_t id)
{
	struct object *obj = calloc(1, sizeof(*obj));

	if (obj == NULL)
		return FAB_ENOMEM;
	if (vs_idmap_put(&o->by_id, id, obj, NULL) != FAB_OK) {
		free(obj);
		return FAB_ENOMEM;
	}
	obj->id = id;
	obj->slot = o->n_free > 0 ? o->free_slots[--o->n_free] : o->n_slots++;
	*out = obj;
	return FAB_OK;
}

static int
object_gone(struct vs_flat *f, struct objects *o, struct object *obj)
{
	int err = slot_put(o, obj->slot);

	vs_idmap_del(&o->by_id, obj->id);
	discard(f, o == &f->tables ? RANGES : MEMBERS, &obj->a);
	discard(f, ENTRIES, &obj->b);
	free(obj);
	return err;
}

/* Those that this set does not have. */
static int
sweep(struct vs_flat *f, struct objects *o)
{
	struct object **v = malloc((o->by_id.n + 1) * sizeof(struct object *));
	int err = v != NULL ? FAB_OK : FAB_ENOMEM;
	size_t n = 0;

	for (const struct vs_idslot *i = NULL;
	     v != NULL && (i = vs_idmap_next(&o->by_id, i)) != NULL;)
		if (((struct object *)i->p)->round != f->round)
			v[n++] = i->p;
	for (size_t i = 0; i < n && err == FAB_OK; i++)
		err = object_gone(f, o, v[i]);
	free((void *)v);
	return err;
}

/* One object for each id of next; *changed: what they have to say is not what it was. */
static int
meet(struct vs_flat *f, struct objects *o, const struct vs_idmap *next, bool *changed)
{
	*changed = false;
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(next, i)) != NULL;) {
		struct object *obj = vs_idmap_get(&o->by_id, i->id);

		if (obj == NULL && object_new(&obj, o, i->id) != FAB_OK)
			return FAB_ENOMEM;
		obj->round = f->round;
		*changed = *changed || obj->was != i->p;
	}
	if (o->by_id.n == next->n)
		return FAB_OK;
	*changed = true;
	return sweep(f, o);
}

/* FAST_NONE: none of that id. */
static uint32_t
slot_of(const struct objects *o, uint32_t id)
{
	const struct object *obj = id != 0 ? vs_idmap_get(&o->by_id, id) : NULL;

	return obj != NULL ? obj->slot : FAST_NONE;
}

/* ---- ports ---- */

static bool
same_ports(const struct vs_flat *f, const struct vs_set *set)
{
	return f->ports != NULL && f->n_ports == set->ports.n &&
	       memcmp((const void *)f->ports, (const void *)set->by_name,
		   f->n_ports * sizeof(f->ports[0])) == 0;
}

/* Remembers them, and the slot of each. */
static int
meet_ports(struct vs_flat *f, const struct vs_set *set)
{
	size_t n = set->ports.n;

	free((void *)f->ports);
	free(f->slots);
	vs_idmap_fini(&f->slot_of_port);
	f->n_ports = f->n_port_cells = 0;
	f->ports = malloc((n + 1) * sizeof(f->ports[0]));
	f->slots = malloc((n + 1) * sizeof(f->slots[0]));
	if (f->ports == NULL || f->slots == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t slot = f->conf.slot(f->conf.ctx, set->by_name[i]->name);

		f->ports[i] = set->by_name[i];
		f->slots[i] = slot;
		if (slot == 0 ||
		    vs_idmap_put(&f->slot_of_port, f->ports[i]->id, &f->slots[i], NULL) != FAB_OK)
			return FAB_ENOMEM;
		if (slot >= f->n_port_cells)
			f->n_port_cells = slot + 1;
	}
	f->n_ports = n;
	return FAB_OK;
}

/* What a link does to packets is the userspace engine's to do. */
static uint16_t
port_flags(const struct vs_flat *f, const struct vs_port_conf *p)
{
	bool special = vs_links_among_ports(f->links, p->id) ||
		       (f->conf.special != NULL && f->conf.special(f->conf.ctx, p->name));

	return (uint16_t)(FAST_PORT_HERE | (p->up ? FAST_PORT_UP : 0) |
			  (p->forwarding ? FAST_PORT_FORWARDING : 0) |
			  (p->router ? FAST_PORT_ROUTER : 0) | (special ? FAST_PORT_SPECIAL : 0));
}

static bool
has_region_links(const struct vs_links *links)
{
	const struct vs_link_conf *l;

	for (size_t i = 0; (l = vs_links_at(links, i)) != NULL; i++)
		if (l->kind == VS_LINK_REGIONS)
			return true;
	return false;
}

static int
put_ports(struct vs_flat *f)
{
	bool zones = has_region_links(f->links);
	struct vs_slice **s = &f->in_force[PORTS];
	struct fast_port *cells;
	int err;

	if ((err = replace(f, PORTS, s, f->n_port_cells)) != FAB_OK)
		return err;
	cells = f->conf.cells.ports + (*s)->at;
	memset(cells, 0, f->n_port_cells * sizeof(*cells));
	for (size_t i = 0; i < f->n_ports; i++) {
		const struct vs_port_conf *p = f->ports[i];

		cells[f->slots[i]] = (struct fast_port){ .ip = p->ip,
			.user = slot_of(&f->tables, p->user),
			.bgp = slot_of(&f->tables, p->bgp),
			.system = slot_of(&f->tables, p->system),
			.tunnel = slot_of(&f->tables, p->tunnel),
			.mtu = p->mtu,
			.flags = port_flags(f, p),
			.zone = zones ? p->region : 0 };
	}
	return FAB_OK;
}

/* ---- tables ---- */

static void
write_ranges(struct fast_range *out, const struct vs_table *t, uint32_t entries)
{
	for (uint32_t i = 0; i < t->n_ranges; i++) {
		uint32_t e = t->ranges[i].entry;

		out[i] = (struct fast_range){ t->ranges[i].start,
			e != VS_NO_ENTRY ? entries + e : FAST_NONE };
	}
}

static void
write_entries(
    const struct vs_flat *f, struct fast_entry *out, const struct vs_table *t, uint32_t entries)
{
	uint32_t group = 0, slot = FAST_NONE; /* neighbours often share a group */

	for (uint32_t i = 0; i < t->n_entries; i++) {
		const struct vs_entry *e = &t->entries[i];
		uint32_t parent = e->parent != VS_NO_ENTRY ? entries + e->parent : FAST_NO_PARENT;

		if (e->group != group) {
			group = e->group;
			slot = slot_of(&f->groups, group);
		}
		out[i] = (struct fast_entry){ slot, parent << FAST_LEN_BITS | e->len };
	}
}

static int
put_table(struct vs_flat *f, struct object *obj, const struct vs_table *t)
{
	int err;

	if ((err = replace(f, RANGES, &obj->a, t->n_ranges)) != FAB_OK ||
	    (err = replace(f, ENTRIES, &obj->b, t->n_entries)) != FAB_OK)
		return err;
	write_ranges(f->conf.cells.ranges + obj->a->at, t, obj->b->at);
	write_entries(f, f->conf.cells.entries + obj->b->at, t, obj->b->at);
	obj->was = t;
	return FAB_OK;
}

static int
put_tables(struct vs_flat *f, const struct vs_set *set)
{
	struct vs_slice **s = &f->in_force[TABLES];
	struct fast_table *cells;
	int err;

	if ((err = replace(f, TABLES, s, f->tables.n_slots)) != FAB_OK)
		return err;
	cells = f->conf.cells.tables + (*s)->at;
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&set->tables, i)) != NULL;) {
		struct object *obj = vs_idmap_get(&f->tables.by_id, i->id);
		const struct vs_table *t = i->p;

		if (obj->was != t && (err = put_table(f, obj, t)) != FAB_OK)
			return err;
		cells[obj->slot] = (struct fast_table){
			.ranges = obj->a->at, .n_ranges = t->n_ranges, .has_default = t->has_default
		};
	}
	return FAB_OK;
}

/* ---- groups ---- */

/* Ports become slots, addresses stay. */
static uint32_t
member(const struct vs_flat *f, const struct vs_group_conf *g, size_t i)
{
	const uint32_t *slot;

	if (g->kind == VS_GROUP_VIA)
		return g->members[i];
	slot = vs_idmap_get(&f->slot_of_port, g->members[i]);
	return slot != NULL ? *slot : 0;
}

static int
put_members(struct vs_flat *f, struct object *obj, const struct vs_group_conf *g)
{
	int err;

	if ((err = replace(f, MEMBERS, &obj->a, g->n_members)) != FAB_OK)
		return err;
	for (size_t i = 0; i < g->n_members; i++)
		f->conf.cells.members[obj->a->at + i].what = member(f, g, i);
	return FAB_OK;
}

static uint32_t
group_arg(const struct vs_flat *f, const struct object *obj, const struct vs_group_conf *g)
{
	if (g->kind == VS_GROUP_DELIVER)
		return slot_of(&f->tables, g->table);
	if (g->n_members == 1)
		return member(f, g, 0);
	return obj->a != NULL ? obj->a->at : 0;
}

static uint8_t
group_drop(const struct vs_group_conf *g)
{
	if (g->kind != VS_GROUP_DROP)
		return 0;
	if (g->reason == VS_DROP_NONE_ROUTE)
		return FAST_DROP_NONE;
	return g->reason == VS_DROP_NO_ROUTE ? FAST_DROP_NO_ROUTE : 0;
}

static int
put_group(struct vs_flat *f, struct object *obj, const struct vs_group_conf *g,
    struct fast_group *out, bool ports_moved)
{
	int err;

	if (g->n_members <= 1)
		discard(f, MEMBERS, &obj->a);
	else if ((obj->was != g || ports_moved) && (err = put_members(f, obj, g)) != FAB_OK)
		return err;
	obj->was = g;
	*out = (struct fast_group){ .kind = (uint8_t)g->kind,
		.drop = group_drop(g),
		.n = (uint16_t)g->n_members,
		.arg = group_arg(f, obj, g) };
	return FAB_OK;
}

static int
put_groups(struct vs_flat *f, const struct vs_set *set, bool ports_moved)
{
	struct vs_slice **s = &f->in_force[GROUPS];
	int err;

	if ((err = replace(f, GROUPS, s, f->groups.n_slots)) != FAB_OK)
		return err;
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&set->groups, i)) != NULL;) {
		struct object *obj = vs_idmap_get(&f->groups.by_id, i->id);

		if ((err = put_group(f, obj, i->p, f->conf.cells.groups + (*s)->at + obj->slot,
			 ports_moved)) != FAB_OK)
			return err;
	}
	return FAB_OK;
}

/* ---- the whole ---- */

static int
put_root(struct vs_flat *f)
{
	struct vs_slice **s = &f->in_force[ROOTS];
	int err;

	if ((err = replace(f, ROOTS, s, 1)) != FAB_OK)
		return err;
	f->conf.cells.roots[(*s)->at] = (struct fast_root){ .ports = f->in_force[PORTS]->at,
		.n_ports = f->n_port_cells,
		.tables = f->in_force[TABLES]->at,
		.groups = f->in_force[GROUPS]->at,
		.epoch = (uint32_t)f->round };
	__atomic_store_n(&f->conf.cells.control->root, (*s)->at, __ATOMIC_RELEASE);
	put_gone(f);
	return FAB_OK;
}

int
vs_flat_put(struct vs_flat *f, const struct vs_set *set)
{
	bool ports = !same_ports(f, set), tables, groups, first = f->round == 0;
	bool links = f->links != set->links || f->ask_again;
	int err;

	f->round++;
	f->links = set->links;
	f->ask_again = false;
	if ((ports && (err = meet_ports(f, set)) != FAB_OK) ||
	    (err = meet(f, &f->tables, &set->tables, &tables)) != FAB_OK ||
	    (err = meet(f, &f->groups, &set->groups, &groups)) != FAB_OK)
		return err;
	if (((ports || links || first) && (err = put_ports(f)) != FAB_OK) ||
	    ((tables || first) && (err = put_tables(f, set)) != FAB_OK) ||
	    ((groups || ports || first) && (err = put_groups(f, set, ports)) != FAB_OK))
		return err;
	return put_root(f);
}

void
vs_flat_ask_again(struct vs_flat *f)
{
	f->ask_again = true;
}
