/*
 * The BPF engine (see vs_bpf.h): which programs and tables are in force.
 */
#include "vswitchd/vs_bpf.h"

#include "lib/err.h"
#include "lib/log.h"
#include "vswitchd/vs_plane.h"
#include "vswitchd/vs_slab.h"
#include "vswitchd/vs_tc.h"
#include "vswitchd/vs_wired.h"

#include <stdio.h>
#include <stdlib.h>

#define SLOTS_MIN 256

_Static_assert(
    VS_BPF_WHY_MAX >= VS_PLANE_WHY_MAX && VS_BPF_WHY_MAX >= VS_WIRED_WHY_MAX, "reasons fit");

struct vs_bpf {
	struct vs_path path; /* first */
	struct vs_wired *w;  /* NULL: not started */
	struct vs_plane *plane;
	struct vs_flat *flat; /* NULL: bypassed, the userspace engine does it all */
};

/* ---- what the tables ask of ports ---- */

/* 0, which is too little room too: a larger plane is due. */
static uint32_t
slot_of(void *ctx, const char *name)
{
	struct vs_bpf *b = ctx;
	const struct vs_wired_port *p = vs_wired_port_get(b->w, name);

	return p != NULL && p->slot < b->plane->slots ? p->slot : 0;
}

static bool
is_special(void *ctx, const char *name)
{
	const struct vs_bpf *b = ctx;
	const struct vs_wired_port *p = vs_wired_port_find(b->w, name);

	return p != NULL && p->captures > 0;
}

/* Where the programs send what is for it. */
static void
link_set(const struct vs_bpf *b, const struct vs_wired_port *p)
{
	if (p->slot < b->plane->slots)
		__atomic_store_n(&b->plane->links[p->slot].ifindex,
		    p->carrier ? (uint32_t)p->ifindex : 0, __ATOMIC_RELEASE);
}

/* ---- planes ---- */

static int
trunk_attach(struct vs_bpf *b, char why[static VS_BPF_WHY_MAX])
{
	b->plane->cells.control->trunk = (uint32_t)b->w->trunk;
	return vs_tc_attach(b->w->rtnl, b->w->trunk, b->plane->trunk_program, 0, why);
}

static int
plane_make(
    struct vs_bpf *b, const struct vs_set *set, uint32_t slots, char why[static VS_BPF_WHY_MAX])
{
	struct vs_flat_conf conf = {
		.room = vs_flat_need(set, slots), .slot = slot_of, .special = is_special, .ctx = b
	};
	int err = vs_plane_new(&b->plane, &conf.room, slots, false, why);

	if (err != FAB_OK)
		return err;
	conf.cells = b->plane->cells;
	if ((err = vs_flat_new(&b->flat, &conf)) != FAB_OK)
		snprintf(why, VS_BPF_WHY_MAX, "out of memory");
	return err;
}

/* All at once, so that nobody's packets miss a taker. */
static void
programs_attach(struct vs_bpf *b)
{
	char why[VS_BPF_WHY_MAX];
	struct vs_wired_port *p, *tmp;

	HASH_ITER (hh, b->w->ports, p, tmp)
		link_set(b, p);
	HASH_ITER (hh, b->w->ports, p, tmp)
		if (vs_wired_has_link(p) && vs_tc_attach(b->w->rtnl, p->ifindex,
						b->plane->port_program, p->slot, why) != FAB_OK)
			fab_debug("guest %s: %s", p->name, why); /* its namespace has gone */
	if (trunk_attach(b, why) != FAB_OK)
		fab_error("packets: %s", why);
}

static void
plane_drop(struct vs_bpf *b, struct vs_plane *old, struct vs_flat *flat)
{
	struct vs_wired_port *p, *tmp;

	vs_slab_grace(); /* the last of its packets are counted */
	HASH_ITER (hh, b->w->ports, p, tmp)
		if (p->slot < old->slots)
			p->before = fast_tally_sum(p->before, vs_plane_tally(old, p->slot));
	vs_flat_free(flat);
	vs_plane_free(old);
}

/* Larger arrays, and the programs loaded for them, in the place of those that are there. On failure
 * those stay. */
static int
plane_replace(struct vs_bpf *b, const struct vs_set *set, char why[static VS_BPF_WHY_MAX])
{
	uint32_t slots = (b->w->next_slot + (uint32_t)set->ports.n) / 2 * 3 + SLOTS_MIN;
	struct vs_plane *old = b->plane, *fresh;
	struct vs_flat *old_flat = b->flat;
	int err;

	b->plane = NULL;
	b->flat = NULL;
	if ((err = plane_make(b, set, slots, why)) == FAB_OK &&
	    (err = vs_flat_put(b->flat, set)) == FAB_OK) {
		programs_attach(b);
		plane_drop(b, old, old_flat);
		return FAB_OK;
	}
	fresh = b->plane;
	vs_flat_free(b->flat);
	b->plane = old;
	b->flat = old_flat;
	vs_plane_free(fresh);
	return err;
}

/* Everything goes to the userspace engine: slower, and right. */
static void
bypass(struct vs_bpf *b, const char *why)
{
	fab_error("packets: no room for the tables in BPF arrays (%s); the userspace engine "
		  "carries them all",
	    why);
	__atomic_store_n(&b->plane->cells.control->root, 0, __ATOMIC_RELEASE);
	vs_flat_free(b->flat);
	b->flat = NULL;
}

/* ---- the fast path ---- */

static void
bpf_tables(struct vs_path *path)
{
	struct vs_bpf *b = (struct vs_bpf *)path;
	const struct vs_set *set = b->w->set;
	char why[VS_BPF_WHY_MAX] = "out of memory";

	if ((b->flat == NULL || vs_flat_put(b->flat, set) != FAB_OK) &&
	    plane_replace(b, set, why) != FAB_OK)
		bypass(b, why);
}

static void
bpf_take_over(struct vs_path *path)
{
	programs_attach((struct vs_bpf *)path);
}

static int
bpf_open(struct vs_path *path, struct vs_wired_port *p, char why[static VS_WIRED_WHY_MAX])
{
	struct vs_bpf *b = (struct vs_bpf *)path;
	int err;

	if (p->slot >= b->plane->slots && b->w->set != NULL &&
	    (err = plane_replace(b, b->w->set, why)) != FAB_OK)
		return err;
	link_set(b, p);
	return vs_tc_attach(b->w->rtnl, p->ifindex, b->plane->port_program, p->slot, why);
}

static void
bpf_close(struct vs_path *path, struct vs_wired_port *p, int ifindex)
{
	struct vs_bpf *b = (struct vs_bpf *)path;
	char why[VS_BPF_WHY_MAX];

	link_set(b, p);
	vs_tc_attach(b->w->rtnl, ifindex, b->plane->closed_program, 0, why);
}

static void
bpf_carrier(struct vs_path *path, struct vs_wired_port *p)
{
	link_set((struct vs_bpf *)path, p);
}

static void
bpf_captures(struct vs_path *path, struct vs_wired_port *p)
{
	struct vs_bpf *b = (struct vs_bpf *)path;

	(void)p;
	if (b->flat == NULL)
		return;
	vs_flat_ask_again(b->flat);
	bpf_tables(path);
}

static struct fast_tally
bpf_tally(struct vs_path *path, const struct vs_wired_port *p)
{
	const struct vs_bpf *b = (const struct vs_bpf *)path;

	return p->slot < b->plane->slots ? vs_plane_tally(b->plane, p->slot)
					 : (struct fast_tally){ 0 };
}

/* ---- life ---- */

static int
bpf_start(struct vs_path *path, struct vs_wired *w, char why[static VS_WIRED_WHY_MAX])
{
	struct vs_bpf *b = (struct vs_bpf *)path;

	b->w = w;
	return trunk_attach(b, why);
}

static void
bpf_free(struct vs_path *path)
{
	struct vs_bpf *b = (struct vs_bpf *)path;

	vs_flat_free(b->flat);
	vs_plane_free(b->plane);
	free(b);
}

static const struct vs_path_ops bpf_ops = {
	.name = "bpf",
	.free = bpf_free,
	.start = bpf_start,
	.tables = bpf_tables,
	.take_over = bpf_take_over,
	.open = bpf_open,
	.close = bpf_close,
	.carrier = bpf_carrier,
	.captures = bpf_captures,
	.tally = bpf_tally,
};

int
vs_bpf_new(struct vs_engine **out, struct vs_model *m, struct fab_loop *loop,
    char why[static VS_BPF_WHY_MAX])
{
	static const struct vs_set nothing;
	struct vs_bpf *b = calloc(1, sizeof(*b));
	int err;

	snprintf(why, VS_BPF_WHY_MAX, "out of memory");
	if (b == NULL)
		return FAB_ENOMEM;
	b->path.ops = &bpf_ops;
	if ((err = plane_make(b, &nothing, SLOTS_MIN, why)) != FAB_OK) {
		bpf_free(&b->path);
		return err;
	}
	return vs_wired_new(out, &b->path, m, loop, why);
}

size_t
vs_bpf_memory(const struct vs_engine *e)
{
	const struct vs_wired *w = (const struct vs_wired *)e;

	return ((const struct vs_bpf *)w->path)->plane->octets;
}
