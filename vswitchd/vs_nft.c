/*
 * The fast path by nftables (see vs_nft.h): which flows are plain, and what becomes of the cache
 * when ports, tables or captures change.
 */
#include "vswitchd/vs_nft.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/rtnl.h"
#include "vswitchd/vs_hints.h"
#include "vswitchd/vs_idmap.h"
#include "vswitchd/vs_rules.h"
#include "vswitchd/vs_user.h"
#include "vswitchd/vs_wired.h"

#include <event2/event.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

_Static_assert(
    VS_NFT_WHY_MAX >= VS_WIRED_WHY_MAX && VS_WIRED_WHY_MAX >= VS_RULES_WHY_MAX, "reasons fit");

struct vs_nft {
	struct vs_path path; /* first */
	struct fab_loop *loop;
	struct vs_wired *w; /* NULL: not started */
	struct vs_rules *rules;
	struct vs_flows *flows;
	struct vs_hints *hints;
	struct event *hinted;
	struct fab_timer *age;
	struct vs_idmap by_slot; /* struct vs_wired_port, of those that we were given */
	uint64_t ports_revision; /* that the rules were made from */
	struct fab_mono counted; /* when */
	uint64_t packets;        /* by the cache */
};

/* ---- what is plain ---- */

static bool
is_open(const struct vs_nft *t, const struct vs_wired_port *p)
{
	return p != NULL && vs_wired_has_link(p) && p->carrier && p->captures == 0 &&
	       vs_rules_port(t->rules, p->slot) != NULL;
}

/* What the userspace engine would do no more with than send it on. What it checks of each packet is
 * the rules' business. */
static uint32_t
decide(void *ctx, const struct vs_flow_key *k, const struct vs_flow *packet)
{
	const struct vs_nft *t = ctx;
	const struct vs_wired_port *from = vs_idmap_get(&t->by_slot, k->from), *to;
	const struct vs_port_conf *conf;
	struct vs_verdict v;

	if (!is_open(t, from) || (conf = vs_model_find(t->w->model, from->name)) == NULL)
		return 0;
	vs_lookup(t->w->model, conf->id, packet, &v);
	if (v.action != VS_TO_PORT || v.n_links > 0 || (v.src | v.dst) != 0 ||
	    (v.by_hash && k->proto == 0))
		return 0;
	conf = vs_model_port(t->w->model, v.port);
	to = conf != NULL ? vs_wired_port_find(t->w, conf->name) : NULL;
	return is_open(t, to) ? to->slot : 0;
}

/* ---- the cache ---- */

static void
flow_add(void *ctx, const struct vs_flow_key *k, uint32_t to)
{
	struct vs_nft *t = ctx;

	vs_rules_flow_add(t->rules, k, to);
}

static void
flow_del(void *ctx, const struct vs_flow_key *k)
{
	struct vs_nft *t = ctx;

	vs_rules_flow_del(t->rules, k);
}

static int
flows_commit(void *ctx)
{
	char why[VS_RULES_WHY_MAX];
	struct vs_nft *t = ctx;
	int err = vs_rules_flows_commit(t->rules, why);

	if (err != FAB_OK)
		fab_warn("packets: %s; the cache starts anew", why);
	return err;
}

static void
flows_clear(void *ctx)
{
	char why[VS_RULES_WHY_MAX];
	struct vs_nft *t = ctx;

	if (vs_rules_flows_clear(t->rules, why) != FAB_OK)
		fab_error("packets: some may go by old routes: %s", why);
}

static void
carried(void *ctx, uint32_t from, uint32_t to, uint64_t packets, uint64_t octets)
{
	struct vs_nft *t = ctx;
	struct vs_wired_port *p;

	t->packets += packets;
	if ((p = vs_idmap_get(&t->by_slot, from)) != NULL) {
		p->before.rx_packets += packets;
		p->before.rx_octets += octets;
	}
	if ((p = vs_idmap_get(&t->by_slot, to)) != NULL) {
		p->before.tx_packets += packets;
		p->before.tx_octets += octets;
	}
}

static const struct vs_flows_ops flows_ops = {
	.decide = decide,
	.add = flow_add,
	.del = flow_del,
	.commit = flows_commit,
	.clear = flows_clear,
	.carried = carried,
};

static void
on_counted(void *ctx, const struct vs_flow_key *k, uint64_t packets, uint64_t octets)
{
	const struct vs_nft *t = ctx;

	vs_flows_counted(t->flows, k, packets, octets);
}

static void
on_hints(evutil_socket_t fd, short what, void *arg)
{
	struct vs_nft *t = arg;
	struct vs_hint hint;

	(void)fd;
	(void)what;
	for (int i = 0; i < VS_HINTS_ROOM && vs_hints_take(t->hints, &hint); i++)
		vs_flows_ask(t->flows, &hint.key, &hint.packet);
	vs_flows_commit(t->flows);
}

static void
on_age(void *arg)
{
	struct vs_nft *t = arg;

	vs_rules_flows_count(t->rules);
	vs_flows_age(t->flows);
	fab_timer_set_ms(t->age, VS_NFT_IDLE_MS);
}

/* ---- ports ---- */

static struct vs_rules_port
port_conf(const struct vs_nft *t, const struct vs_wired_port *p)
{
	const struct vs_port_conf *conf = vs_model_find(t->w->model, p->name);

	return (struct vs_rules_port){ .slot = p->slot,
		.ifindex = p->ifindex,
		.ip = conf != NULL ? conf->ip : 0,
		.mtu = conf != NULL ? conf->mtu : 0 };
}

static int
port_open(struct vs_nft *t, struct vs_wired_port *p, char why[static VS_WIRED_WHY_MAX])
{
	const struct vs_rules_port want = port_conf(t, p);
	const struct vs_rules_port *is = vs_rules_port(t->rules, p->slot);

	if (is != NULL && is->ifindex == want.ifindex && is->ip == want.ip && is->mtu == want.mtu)
		return FAB_OK;
	vs_flows_forget(t->flows, p->slot);
	return vs_rules_open(t->rules, &want, why);
}

static void
open_all(struct vs_nft *t)
{
	char why[VS_WIRED_WHY_MAX];
	struct vs_wired_port *p, *tmp;

	HASH_ITER (hh, t->w->ports, p, tmp)
		if (vs_wired_has_link(p) && vs_idmap_get(&t->by_slot, p->slot) != NULL &&
		    port_open(t, p, why) != FAB_OK)
			fab_debug("guest %s: %s", p->name, why); /* its namespace has gone */
}

static int
nft_open(struct vs_path *path, struct vs_wired_port *p, char why[static VS_WIRED_WHY_MAX])
{
	struct vs_nft *t = (struct vs_nft *)path;

	snprintf(why, VS_WIRED_WHY_MAX, "out of memory");
	if (vs_idmap_put(&t->by_slot, p->slot, p, NULL) != FAB_OK)
		return FAB_ENOMEM;
	return port_open(t, p, why);
}

static void
nft_close(struct vs_path *path, struct vs_wired_port *p, int ifindex)
{
	struct vs_nft *t = (struct vs_nft *)path;

	(void)ifindex; /* the rules know */
	if (t->flows != NULL)
		vs_flows_forget(t->flows, p->slot);
	if (t->rules != NULL)
		vs_rules_close(t->rules, p->slot);
}

static void
nft_changed(struct vs_path *path, struct vs_wired_port *p)
{
	struct vs_nft *t = (struct vs_nft *)path;

	if (!is_open(t, p))
		vs_flows_forget(t->flows, p->slot);
}

/* ---- tables ---- */

static void
nft_tables(struct vs_path *path)
{
	struct vs_nft *t = (struct vs_nft *)path;
	uint64_t revision = vs_model_ports_revision(t->w->model);

	if (revision != t->ports_revision)
		open_all(t);
	t->ports_revision = revision;
	vs_flows_review(t->flows);
}

/* A vswitchd with the BPF engine was here before: its programs come before our rules. */
static void
drop_programs(const struct vs_nft *t, int ifindex)
{
	char why[RTNL_WHY_MAX];
	struct rtnl_request r;
	struct tcmsg *m =
	    rtnl_init(&r, t->w->rtnl, "remove BPF programs", RTM_DELQDISC, 0, sizeof(struct tcmsg));

	m->tcm_family = AF_UNSPEC;
	m->tcm_ifindex = ifindex;
	m->tcm_parent = TC_H_CLSACT;
	rtnl_send(&r, why); /* rarely there are any */
}

/* The exits first, so that nobody's packets miss a taker. */
static void
nft_take_over(struct vs_path *path)
{
	struct vs_nft *t = (struct vs_nft *)path;
	char why[VS_RULES_WHY_MAX];
	struct vs_wired_port *p, *tmp;

	HASH_ITER (hh, t->w->ports, p, tmp)
		if (vs_wired_has_link(p)) {
			const struct vs_rules_port conf = port_conf(t, p);

			vs_rules_exit(t->rules, &conf, why);
			vs_idmap_put(&t->by_slot, p->slot, p, NULL);
		}
	open_all(t);
	HASH_ITER (hh, t->w->ports, p, tmp)
		if (vs_wired_has_link(p))
			drop_programs(t, p->ifindex);
	vs_rules_take_over(t->rules);
}

/* ---- counters ---- */

static void
count(struct vs_nft *t)
{
	struct fab_mono now = fab_mono_now();

	if (fab_mono_us_between(t->counted, now) < VS_NFT_COUNTED_MS * 1000)
		return;
	vs_rules_flows_count(t->rules);
	t->counted = now;
}

/* All that it carried is in port->before. */
static struct fast_tally
nft_tally(struct vs_path *path, const struct vs_wired_port *p)
{
	(void)p;
	count((struct vs_nft *)path);
	return (struct fast_tally){ 0 };
}

static void
nft_stats(struct vs_path *path, vs_stat_fn *add, void *arg)
{
	struct vs_nft *t = (struct vs_nft *)path;
	const struct vs_flows_stats *s = vs_flows_stats(t->flows);

	count(t);
	add(arg, "flows", vs_flows_count(t->flows));
	add(arg, "flows_added", s->added);
	add(arg, "flows_moved", s->moved);
	add(arg, "flows_removed", s->removed);
	add(arg, "flows_refused", s->refused);
	add(arg, "flow_packets", t->packets);
}

/* ---- life ---- */

static int
listen_to_hints(struct vs_nft *t)
{
	int err = vs_hints_new(&t->hints);

	if (err != FAB_OK)
		return err;
	t->hinted = event_new(
	    fab_loop_base(t->loop), vs_hints_fd(t->hints), EV_READ | EV_PERSIST, on_hints, t);
	if (t->hinted == NULL || event_add(t->hinted, NULL) != 0)
		return FAB_ENOMEM;
	vs_user_set_hints(t->w->user, t->hints);
	return FAB_OK;
}

static int
nft_start(struct vs_path *path, struct vs_wired *w, char why[static VS_WIRED_WHY_MAX])
{
	struct vs_nft *t = (struct vs_nft *)path;
	const struct vs_rules_conf conf = { w->trunk, on_counted, t };
	int err;

	t->w = w;
	if ((err = vs_rules_new(&t->rules, &conf, why)) != FAB_OK)
		return err;
	snprintf(why, VS_WIRED_WHY_MAX, "out of memory");
	if ((err = vs_flows_new(&t->flows, &flows_ops, t)) != FAB_OK ||
	    (err = listen_to_hints(t)) != FAB_OK ||
	    (err = fab_timer_new(&t->age, t->loop, on_age, t)) != FAB_OK)
		return err;
	fab_timer_set_ms(t->age, VS_NFT_IDLE_MS);
	return FAB_OK;
}

static void
nft_free(struct vs_path *path)
{
	struct vs_nft *t = (struct vs_nft *)path;

	if (t->hinted != NULL)
		event_free(t->hinted);
	fab_timer_free(t->age);
	vs_hints_free(t->hints);
	vs_flows_free(t->flows);
	vs_rules_free(t->rules);
	vs_idmap_fini(&t->by_slot);
	free(t);
}

static const struct vs_path_ops nft_ops = {
	.name = "userspace+nft",
	.free = nft_free,
	.start = nft_start,
	.tables = nft_tables,
	.take_over = nft_take_over,
	.open = nft_open,
	.close = nft_close,
	.carrier = nft_changed,
	.captures = nft_changed,
	.tally = nft_tally,
	.stats = nft_stats,
};

int
vs_nft_new(struct vs_engine **out, struct vs_model *m, struct fab_loop *loop,
    char why[static VS_NFT_WHY_MAX])
{
	struct vs_nft *t = calloc(1, sizeof(*t));

	snprintf(why, VS_NFT_WHY_MAX, "out of memory");
	if (t == NULL)
		return FAB_ENOMEM;
	t->path.ops = &nft_ops;
	t->loop = loop;
	return vs_wired_new(out, &t->path, m, loop, why);
}
