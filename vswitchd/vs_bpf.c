/*
 * The BPF engine (see vs_bpf.h): which interface is whose, which programs and tables are in force.
 */
#include "vswitchd/vs_bpf.h"

#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/tap.h"
#include "vswitchd/vs_carrier.h"
#include "vswitchd/vs_plane.h"
#include "vswitchd/vs_slab.h"
#include "vswitchd/vs_tc.h"
#include "vswitchd/vs_user.h"
#include "vswitchd/vs_veth.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#define TRUNK_NAME "fabtrunk%d"
#define TRUNK_MTU  65521 /* a TAP's most */
#define SLOTS_MIN  256

_Static_assert(VS_BPF_WHY_MAX >= VS_PLANE_WHY_MAX && VS_BPF_WHY_MAX >= FAB_TAP_WHY_MAX &&
		   VS_BPF_WHY_MAX >= VS_WHY_MAX,
    "reasons fit");
_Static_assert(VS_VETH_ALIAS_MAX >= VS_NAME_MAX, "names fit");

struct bpf_port {
	char name[VS_NAME_MAX];
	uint32_t slot;
	int ifindex;              /* our end of its veth; 0: none */
	bool claimed;             /* by a helper; else it is what an earlier vswitchd left */
	bool carrier;             /* the guest's end is up */
	unsigned captures;        /* of its packets; the userspace engine has them all then */
	struct fast_tally before; /* of planes that were replaced */
	UT_hash_handle hh;
};

struct vs_bpf {
	struct vs_engine engine; /* first */
	struct vs_model *model;
	struct vs_engine *user;
	int rtnl;
	int trunk; /* index of the interface */
	struct vs_plane *plane;
	struct vs_flat *flat;     /* NULL: bypassed, the userspace engine does it all */
	const struct vs_set *set; /* in force; NULL: none yet */
	struct bpf_port *ports;
	uint32_t next_slot;
	struct vs_carrier *carrier;
	struct fab_timer *patience; /* with those that an earlier vswitchd left */
};

/* ---- ports ---- */

static struct bpf_port *
port_find(const struct vs_bpf *b, const char *name)
{
	struct bpf_port *p;

	HASH_FIND_STR(b->ports, name, p);
	return p;
}

static struct bpf_port *
port_get(struct vs_bpf *b, const char *name)
{
	struct bpf_port *p = port_find(b, name);

	if (p != NULL || strnlen(name, VS_NAME_MAX) == VS_NAME_MAX ||
	    (p = calloc(1, sizeof(*p))) == NULL)
		return p;
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->slot = b->next_slot++;
	HASH_ADD_STR(b->ports, name, p);
	return p;
}

/* 0, which is too little room too: a larger plane is due. */
static uint32_t
slot_of(void *ctx, const char *name)
{
	struct vs_bpf *b = ctx;
	const struct bpf_port *p = port_get(b, name);

	return p != NULL && p->slot < b->plane->slots ? p->slot : 0;
}

static bool
is_special(void *ctx, const char *name)
{
	const struct bpf_port *p = port_find(ctx, name);

	return p != NULL && p->captures > 0;
}

static bool
port_is_wired(const struct bpf_port *p)
{
	return p->ifindex != 0;
}

/* Where the programs send what is for it. */
static void
link_set(const struct vs_bpf *b, const struct bpf_port *p)
{
	if (p->slot < b->plane->slots)
		__atomic_store_n(&b->plane->links[p->slot].ifindex,
		    p->carrier ? (uint32_t)p->ifindex : 0, __ATOMIC_RELEASE);
}

/* ---- planes ---- */

static int
trunk_attach(struct vs_bpf *b, char why[static VS_BPF_WHY_MAX])
{
	b->plane->cells.control->trunk = (uint32_t)b->trunk;
	return vs_tc_attach(b->rtnl, b->trunk, b->plane->trunk_program, 0, why);
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
	struct bpf_port *p, *tmp;

	HASH_ITER (hh, b->ports, p, tmp)
		link_set(b, p);
	HASH_ITER (hh, b->ports, p, tmp)
		if (port_is_wired(p) && vs_tc_attach(b->rtnl, p->ifindex, b->plane->port_program,
					    p->slot, why) != FAB_OK)
			fab_debug("guest %s: %s", p->name, why); /* its namespace has gone */
	if (trunk_attach(b, why) != FAB_OK)
		fab_error("packets: %s", why);
}

static struct fast_tally
sum(struct fast_tally a, struct fast_tally b)
{
	a.rx_packets += b.rx_packets;
	a.rx_octets += b.rx_octets;
	a.tx_packets += b.tx_packets;
	a.tx_octets += b.tx_octets;
	return a;
}

static void
plane_drop(struct vs_bpf *b, struct vs_plane *old, struct vs_flat *flat)
{
	struct bpf_port *p, *tmp;

	vs_slab_grace(); /* the last of its packets are counted */
	HASH_ITER (hh, b->ports, p, tmp)
		if (p->slot < old->slots)
			p->before = sum(p->before, vs_plane_tally(old, p->slot));
	vs_flat_free(flat);
	vs_plane_free(old);
}

/* Larger arrays, and the programs loaded for them, in the place of those that are there. On failure
 * those stay. */
static int
plane_replace(struct vs_bpf *b, const struct vs_set *set, char why[static VS_BPF_WHY_MAX])
{
	uint32_t slots = (b->next_slot + (uint32_t)set->ports.n) / 2 * 3 + SLOTS_MIN;
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

static void
first_tables(struct vs_bpf *b)
{
	struct bpf_port *p, *tmp;

	HASH_ITER (hh, b->ports, p, tmp)
		if (port_is_wired(p))
			vs_user_attach_slot(b->user, p->name, p->slot);
	programs_attach(b);
	fab_timer_set_ms(b->patience, VS_BPF_CLAIM_MS);
}

static void
on_tables(void *ctx, const struct vs_set *set)
{
	struct vs_bpf *b = ctx;
	char why[VS_BPF_WHY_MAX] = "out of memory";
	bool first = b->set == NULL;

	b->set = set;
	if ((b->flat == NULL || vs_flat_put(b->flat, set) != FAB_OK) &&
	    plane_replace(b, set, why) != FAB_OK)
		bypass(b, why);
	if (first)
		first_tables(b);
}

/* ---- carriers ---- */

/* The guest has set its interface up or down, or is gone: what is for it is dropped, and counted,
 * by the userspace engine. A notice may be older than what we know: ask. */
static void
on_carrier(void *ctx, int ifindex, bool carrier)
{
	struct vs_bpf *b = ctx;
	struct bpf_port *p, *tmp;

	HASH_ITER (hh, b->ports, p, tmp) {
		if (p->ifindex != ifindex)
			continue;
		if (p->carrier == carrier || vs_veth_has_carrier(b->rtnl, ifindex) != carrier)
			return;
		p->carrier = carrier;
		link_set(b, p);
		if (carrier)
			vs_user_attach_slot(b->user, p->name, p->slot);
		else
			vs_engine_detach(b->user, p->name);
		return;
	}
}

/* ---- the engine ---- */

static int
bpf_attach(struct vs_engine *e, const char *name, int fd)
{
	struct vs_bpf *b = (struct vs_bpf *)e;
	const struct bpf_port *p = port_find(b, name);

	return p != NULL && port_is_wired(p) ? FAB_EEXIST : vs_engine_attach(b->user, name, fd);
}

/* Nobody's any more: what comes from it is dropped. */
static void
port_close(struct vs_bpf *b, struct bpf_port *p)
{
	char why[VS_BPF_WHY_MAX];
	int ifindex = p->ifindex;

	p->ifindex = 0;
	p->claimed = p->carrier = false;
	link_set(b, p);
	vs_engine_detach(b->user, p->name);
	vs_tc_attach(b->rtnl, ifindex, b->plane->closed_program, 0, why);
}

static int
port_open(struct vs_bpf *b, struct bpf_port *p, int ifindex)
{
	char why[VS_BPF_WHY_MAX];
	int err;

	if (p->slot >= b->plane->slots && b->set != NULL &&
	    (err = plane_replace(b, b->set, why)) != FAB_OK)
		return err;
	if ((err = vs_user_attach_slot(b->user, p->name, p->slot)) != FAB_OK)
		return err;
	p->ifindex = ifindex;
	p->carrier = true;
	link_set(b, p);
	if ((err = vs_tc_attach(b->rtnl, ifindex, b->plane->port_program, p->slot, why)) ==
		FAB_OK &&
	    (err = vs_link_up(b->rtnl, ifindex, why)) == FAB_OK)
		return FAB_OK;
	fab_debug("guest %s: %s", p->name, why);
	port_close(b, p);
	return err;
}

static int
bpf_attach_link(struct vs_engine *e, const char *name, int ifindex)
{
	struct vs_bpf *b = (struct vs_bpf *)e;
	struct bpf_port *p;
	int err;

	if (name[0] == '\0' || strnlen(name, VS_NAME_MAX) == VS_NAME_MAX)
		return FAB_EINVAL;
	if (HASH_COUNT(b->ports) >= VS_PORTS_MAX * 2)
		return FAB_ETOOBIG;
	if ((p = port_get(b, name)) == NULL)
		return FAB_ENOMEM;
	if (p->claimed)
		return FAB_EEXIST;
	if (p->ifindex != 0 && p->ifindex != ifindex)
		port_close(b, p);
	if (p->ifindex == 0 && (err = port_open(b, p, ifindex)) != FAB_OK)
		return err;
	p->claimed = true;
	return FAB_OK;
}

static int
bpf_detach(struct vs_engine *e, const char *name)
{
	struct vs_bpf *b = (struct vs_bpf *)e;
	struct bpf_port *p = port_find(b, name);

	if (p == NULL || !port_is_wired(p))
		return vs_engine_detach(b->user, name);
	port_close(b, p);
	return FAB_OK;
}

static void
add_fast(const struct vs_bpf *b, const char *name, struct vs_counters *c)
{
	const struct bpf_port *p = port_find(b, name);
	struct fast_tally t;

	if (p == NULL)
		return;
	t = p->before;
	if (p->slot < b->plane->slots)
		t = sum(t, vs_plane_tally(b->plane, p->slot));
	c->rx_packets += t.rx_packets;
	c->rx_octets += t.rx_octets;
	c->tx_packets += t.tx_packets;
	c->tx_octets += t.tx_octets;
}

static int
bpf_counters(const struct vs_engine *e, const char *name, struct vs_counters *out)
{
	const struct vs_bpf *b = (const struct vs_bpf *)e;
	int err = vs_engine_counters(b->user, name, out);

	if (err == FAB_OK)
		add_fast(b, name, out);
	return err;
}

struct each {
	const struct vs_bpf *b;
	vs_counters_fn *fn;
	void *arg;
};

static void
each_one(void *arg, const char *name, const struct vs_counters *c)
{
	const struct each *each = arg;
	struct vs_counters all = *c;

	add_fast(each->b, name, &all);
	each->fn(each->arg, name, &all);
}

static void
bpf_each(const struct vs_engine *e, vs_counters_fn *fn, void *arg)
{
	const struct vs_bpf *b = (const struct vs_bpf *)e;
	struct each each = { b, fn, arg };

	vs_engine_each(b->user, each_one, &each);
}

static int
bpf_platform(struct vs_engine *e, int fd)
{
	return vs_engine_platform(((struct vs_bpf *)e)->user, fd);
}

static int
bpf_capture(struct vs_engine *e, const char *name, struct vs_capture *c, bool on)
{
	struct vs_bpf *b = (struct vs_bpf *)e;
	struct bpf_port *p = port_get(b, name);
	int err = vs_engine_capture(b->user, name, c, on);

	if (err != FAB_OK || p == NULL)
		return err;
	p->captures += on ? 1 : -1u;
	if (b->flat == NULL || b->set == NULL)
		return FAB_OK;
	vs_flat_ask_again(b->flat);
	on_tables(b, b->set);
	return FAB_OK;
}

/* ---- life ---- */

static void
bpf_free(struct vs_engine *e)
{
	struct vs_bpf *b = (struct vs_bpf *)e;
	struct bpf_port *p, *tmp;

	vs_model_watch(b->model, NULL, NULL);
	vs_carrier_free(b->carrier);
	fab_timer_free(b->patience);
	HASH_ITER (hh, b->ports, p, tmp) {
		if (port_is_wired(p) && b->plane != NULL)
			port_close(b, p);
		HASH_DEL(b->ports, p);
		free(p);
	}
	vs_engine_free(b->user);
	vs_flat_free(b->flat);
	vs_plane_free(b->plane);
	if (b->rtnl >= 0)
		close(b->rtnl);
	free(b);
}

/* Helpers that did not come back: their guests are as good as unplugged. */
static void
on_patience(void *arg)
{
	struct vs_bpf *b = arg;
	struct bpf_port *p, *tmp;

	HASH_ITER (hh, b->ports, p, tmp)
		if (port_is_wired(p) && !p->claimed) {
			fab_info("guest %s: its helper did not come back", p->name);
			port_close(b, p);
		}
}

static void
keep_veth(void *ctx, const char *alias, int ours)
{
	struct bpf_port *p = port_get(ctx, alias);

	if (p == NULL)
		return;
	p->ifindex = ours;
	p->carrier = true;
}

static int
trunk_open(struct vs_bpf *b, char why[static VS_BPF_WHY_MAX])
{
	char name[IFNAMSIZ] = TRUNK_NAME;
	int fd, err;

	if ((err = fab_tap_open(&fd, name, why)) != FAB_OK)
		return err;
	b->trunk = (int)if_nametoindex(name);
	if ((err = vs_link_raise(b->rtnl, b->trunk, TRUNK_MTU, why)) == FAB_OK &&
	    (err = vs_user_set_trunk(b->user, fd)) == FAB_OK)
		return FAB_OK;
	close(fd);
	return err;
}

/* A frame goes its whole way on the processor of who sends it. Handing it to another one at each of
 * our ends (RPS) would keep the order of a flow whose sender moves between processors, which costs
 * it twice what the way itself does; senders move rarely, and TCP does not mind. Where it may not
 * be written the owner of the namespace decides. */
static void
stay_on_processor(void)
{
	FILE *fp = fopen("/proc/sys/net/core/rps_default_mask", "we");

	if (fp == NULL)
		return;
	fputs("0\n", fp);
	fclose(fp);
}

static int
start(struct vs_bpf *b, struct fab_loop *loop, char why[static VS_BPF_WHY_MAX])
{
	static const struct vs_set nothing;
	int err;

	if ((err = plane_make(b, &nothing, SLOTS_MIN, why)) != FAB_OK)
		return err;
	if ((err = rtnl_open(&b->rtnl, 0)) != FAB_OK)
		return err;
	stay_on_processor();
	if ((err = vs_user_new(&b->user, b->model)) != FAB_OK ||
	    (err = trunk_open(b, why)) != FAB_OK || (err = trunk_attach(b, why)) != FAB_OK ||
	    (err = vs_carrier_new(&b->carrier, loop, on_carrier, b)) != FAB_OK ||
	    (err = fab_timer_new(&b->patience, loop, on_patience, b)) != FAB_OK)
		return err;
	return vs_veth_each(b->rtnl, keep_veth, b, why);
}

static const struct vs_engine_ops bpf_ops = {
	.name = "bpf",
	.free = bpf_free,
	.attach = bpf_attach,
	.attach_link = bpf_attach_link,
	.detach = bpf_detach,
	.counters = bpf_counters,
	.each = bpf_each,
	.platform = bpf_platform,
	.capture = bpf_capture,
};

int
vs_bpf_new(struct vs_engine **out, struct vs_model *m, struct fab_loop *loop,
    char why[static VS_BPF_WHY_MAX])
{
	struct vs_bpf *b = calloc(1, sizeof(*b));
	int err;

	snprintf(why, VS_BPF_WHY_MAX, "out of memory");
	if (b == NULL)
		return FAB_ENOMEM;
	*b = (struct vs_bpf){ .engine.ops = &bpf_ops, .model = m, .rtnl = -1, .next_slot = 1 };
	if ((err = start(b, loop, why)) != FAB_OK) {
		bpf_free(&b->engine);
		return err;
	}
	vs_model_watch(m, on_tables, b);
	*out = &b->engine;
	return FAB_OK;
}

size_t
vs_bpf_memory(const struct vs_engine *e)
{
	return ((const struct vs_bpf *)e)->plane->octets;
}
