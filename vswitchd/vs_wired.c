/*
 * The engine around a fast path (see vs_wired.h): which interface is whose.
 */
#include "vswitchd/vs_wired.h"

#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/tap.h"
#include "vswitchd/vs_carrier.h"
#include "vswitchd/vs_user.h"
#include "vswitchd/vs_veth.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRUNK_NAME "fabtrunk%d"
#define TRUNK_MTU  65521 /* a TAP's most */

_Static_assert(
    VS_WIRED_WHY_MAX >= FAB_TAP_WHY_MAX && VS_WIRED_WHY_MAX >= VS_WHY_MAX, "reasons fit");
_Static_assert(VS_VETH_ALIAS_MAX >= VS_NAME_MAX, "names fit");

/* ---- ports ---- */

struct vs_wired_port *
vs_wired_port_find(const struct vs_wired *w, const char *name)
{
	struct vs_wired_port *p;

	HASH_FIND_STR(w->ports, name, p);
	return p;
}

struct vs_wired_port *
vs_wired_port_get(struct vs_wired *w, const char *name)
{
	struct vs_wired_port *p = vs_wired_port_find(w, name);

	if (p != NULL || strnlen(name, VS_NAME_MAX) == VS_NAME_MAX ||
	    (p = calloc(1, sizeof(*p))) == NULL)
		return p;
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->slot = w->next_slot++;
	HASH_ADD_STR(w->ports, name, p);
	return p;
}

/* ---- tables ---- */

static void
first_tables(struct vs_wired *w)
{
	struct vs_wired_port *p, *tmp;

	HASH_ITER (hh, w->ports, p, tmp)
		if (vs_wired_has_link(p))
			vs_user_attach_slot(w->user, p->name, p->slot);
	w->path->ops->take_over(w->path);
	fab_timer_set_ms(w->patience, VS_WIRED_CLAIM_MS);
}

static void
on_tables(void *ctx, const struct vs_set *set)
{
	struct vs_wired *w = ctx;
	bool first = w->set == NULL;

	w->set = set;
	w->path->ops->tables(w->path);
	if (first)
		first_tables(w);
}

/* ---- carriers ---- */

/* The guest has set its interface up or down, or is gone: what is for it is dropped, and counted,
 * by the userspace engine. A notice may be older than what we know: ask. */
static void
on_carrier(void *ctx, int ifindex, bool carrier)
{
	struct vs_wired *w = ctx;
	struct vs_wired_port *p, *tmp;

	HASH_ITER (hh, w->ports, p, tmp) {
		if (p->ifindex != ifindex)
			continue;
		if (p->carrier == carrier || vs_veth_has_carrier(w->rtnl, ifindex) != carrier)
			return;
		p->carrier = carrier;
		w->path->ops->carrier(w->path, p);
		if (carrier)
			vs_user_attach_slot(w->user, p->name, p->slot);
		else
			vs_engine_detach(w->user, p->name);
		return;
	}
}

/* ---- the engine ---- */

static int
wired_attach(struct vs_engine *e, const char *name, int fd)
{
	struct vs_wired *w = (struct vs_wired *)e;
	const struct vs_wired_port *p = vs_wired_port_find(w, name);

	return p != NULL && vs_wired_has_link(p) ? FAB_EEXIST : vs_engine_attach(w->user, name, fd);
}

/* Nobody's any more: what comes from it is dropped. */
static void
port_close(struct vs_wired *w, struct vs_wired_port *p)
{
	int ifindex = p->ifindex;

	p->ifindex = 0;
	p->claimed = p->carrier = false;
	w->path->ops->close(w->path, p, ifindex);
	vs_engine_detach(w->user, p->name);
}

static int
port_open(struct vs_wired *w, struct vs_wired_port *p, int ifindex)
{
	char why[VS_WIRED_WHY_MAX];
	int err;

	if ((err = vs_user_attach_slot(w->user, p->name, p->slot)) != FAB_OK)
		return err;
	p->ifindex = ifindex;
	p->carrier = true;
	if ((err = w->path->ops->open(w->path, p, why)) == FAB_OK &&
	    (err = vs_link_up(w->rtnl, ifindex, why)) == FAB_OK)
		return FAB_OK;
	fab_debug("guest %s: %s", p->name, why);
	port_close(w, p);
	return err;
}

static int
wired_attach_link(struct vs_engine *e, const char *name, int ifindex)
{
	struct vs_wired *w = (struct vs_wired *)e;
	struct vs_wired_port *p;
	int err;

	if (name[0] == '\0' || strnlen(name, VS_NAME_MAX) == VS_NAME_MAX)
		return FAB_EINVAL;
	if (HASH_COUNT(w->ports) >= VS_PORTS_MAX * 2)
		return FAB_ETOOBIG;
	if ((p = vs_wired_port_get(w, name)) == NULL)
		return FAB_ENOMEM;
	if (p->claimed)
		return FAB_EEXIST;
	if (p->ifindex != 0 && p->ifindex != ifindex)
		port_close(w, p);
	if (p->ifindex == 0 && (err = port_open(w, p, ifindex)) != FAB_OK)
		return err;
	p->claimed = true;
	return FAB_OK;
}

static int
wired_detach(struct vs_engine *e, const char *name)
{
	struct vs_wired *w = (struct vs_wired *)e;
	struct vs_wired_port *p = vs_wired_port_find(w, name);

	if (p == NULL || !vs_wired_has_link(p))
		return vs_engine_detach(w->user, name);
	port_close(w, p);
	return FAB_OK;
}

static void
add_fast(const struct vs_wired *w, const char *name, struct vs_counters *c)
{
	const struct vs_wired_port *p = vs_wired_port_find(w, name);
	struct fast_tally t;

	if (p == NULL)
		return;
	t = w->path->ops->tally(w->path, p); /* may add to before */
	t = fast_tally_sum(t, p->before);
	c->rx_packets += t.rx_packets;
	c->rx_octets += t.rx_octets;
	c->tx_packets += t.tx_packets;
	c->tx_octets += t.tx_octets;
}

static int
wired_counters(const struct vs_engine *e, const char *name, struct vs_counters *out)
{
	const struct vs_wired *w = (const struct vs_wired *)e;
	int err = vs_engine_counters(w->user, name, out);

	if (err == FAB_OK)
		add_fast(w, name, out);
	return err;
}

struct each {
	const struct vs_wired *w;
	vs_counters_fn *fn;
	void *arg;
};

static void
each_one(void *arg, const char *name, const struct vs_counters *c)
{
	const struct each *each = arg;
	struct vs_counters all = *c;

	add_fast(each->w, name, &all);
	each->fn(each->arg, name, &all);
}

static void
wired_each(const struct vs_engine *e, vs_counters_fn *fn, void *arg)
{
	const struct vs_wired *w = (const struct vs_wired *)e;
	struct each each = { w, fn, arg };

	vs_engine_each(w->user, each_one, &each);
}

static int
wired_platform(struct vs_engine *e, int fd)
{
	return vs_engine_platform(((struct vs_wired *)e)->user, fd);
}

static int
wired_capture(struct vs_engine *e, const char *name, struct vs_capture *c, bool on)
{
	struct vs_wired *w = (struct vs_wired *)e;
	struct vs_wired_port *p = vs_wired_port_get(w, name);
	int err = vs_engine_capture(w->user, name, c, on);

	if (err != FAB_OK || p == NULL)
		return err;
	p->captures += on ? 1 : -1u;
	if (w->set != NULL)
		w->path->ops->captures(w->path, p);
	return FAB_OK;
}

static void
wired_stats(const struct vs_engine *e, vs_stat_fn *add, void *arg)
{
	const struct vs_wired *w = (const struct vs_wired *)e;

	if (w->path->ops->stats != NULL)
		w->path->ops->stats(w->path, add, arg);
}

/* ---- life ---- */

static void
wired_free(struct vs_engine *e)
{
	struct vs_wired *w = (struct vs_wired *)e;
	struct vs_wired_port *p, *tmp;

	vs_model_watch(w->model, NULL, NULL);
	vs_carrier_free(w->carrier);
	fab_timer_free(w->patience);
	HASH_ITER (hh, w->ports, p, tmp)
		if (vs_wired_has_link(p))
			port_close(w, p);
	vs_engine_free(w->user);
	w->path->ops->free(w->path);
	HASH_ITER (hh, w->ports, p, tmp) {
		HASH_DEL(w->ports, p);
		free(p);
	}
	if (w->rtnl >= 0)
		close(w->rtnl);
	free(w);
}

/* Helpers that did not come back: their guests are as good as unplugged. */
static void
on_patience(void *arg)
{
	struct vs_wired *w = arg;
	struct vs_wired_port *p, *tmp;

	HASH_ITER (hh, w->ports, p, tmp)
		if (vs_wired_has_link(p) && !p->claimed) {
			fab_info("guest %s: its helper did not come back", p->name);
			port_close(w, p);
		}
}

static void
keep_veth(void *ctx, const char *alias, int ours)
{
	struct vs_wired_port *p = vs_wired_port_get(ctx, alias);

	if (p == NULL)
		return;
	p->ifindex = ours;
	p->carrier = true;
}

static int
trunk_open(struct vs_wired *w, char why[static VS_WIRED_WHY_MAX])
{
	char name[IFNAMSIZ] = TRUNK_NAME;
	int fd, err;

	if ((err = fab_tap_open(&fd, name, why)) != FAB_OK)
		return err;
	w->trunk = (int)if_nametoindex(name);
	if ((err = vs_link_raise(w->rtnl, w->trunk, TRUNK_MTU, why)) == FAB_OK &&
	    (err = vs_user_set_trunk(w->user, fd)) == FAB_OK)
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
start(struct vs_wired *w, struct fab_loop *loop, char why[static VS_WIRED_WHY_MAX])
{
	int err;

	if ((err = rtnl_open(&w->rtnl, 0)) != FAB_OK)
		return err;
	stay_on_processor();
	if ((err = vs_user_new(&w->user, w->model)) != FAB_OK ||
	    (err = trunk_open(w, why)) != FAB_OK ||
	    (err = w->path->ops->start(w->path, w, why)) != FAB_OK ||
	    (err = vs_carrier_new(&w->carrier, loop, on_carrier, w)) != FAB_OK ||
	    (err = fab_timer_new(&w->patience, loop, on_patience, w)) != FAB_OK)
		return err;
	return vs_veth_each(w->rtnl, keep_veth, w, why);
}

static const struct vs_engine_ops wired_ops = {
	.free = wired_free,
	.attach = wired_attach,
	.attach_link = wired_attach_link,
	.detach = wired_detach,
	.counters = wired_counters,
	.each = wired_each,
	.platform = wired_platform,
	.capture = wired_capture,
	.stats = wired_stats,
};

int
vs_wired_new(struct vs_engine **out, struct vs_path *path, struct vs_model *m,
    struct fab_loop *loop, char why[static VS_WIRED_WHY_MAX])
{
	struct vs_wired *w = calloc(1, sizeof(*w));
	int err;

	snprintf(why, VS_WIRED_WHY_MAX, "out of memory");
	if (w == NULL) {
		path->ops->free(path);
		return FAB_ENOMEM;
	}
	*w = (struct vs_wired){
		.ops = wired_ops, .path = path, .model = m, .rtnl = -1, .next_slot = 1
	};
	w->ops.name = path->ops->name;
	w->engine.ops = &w->ops;
	if ((err = start(w, loop, why)) != FAB_OK) {
		wired_free(&w->engine);
		return err;
	}
	vs_model_watch(m, on_tables, w);
	*out = &w->engine;
	return FAB_OK;
}
