/*
 * ExpressRoute gateway (policy: gw_policy.h).
 */
#include "gatewayd/gw.h"

#include "lib/err.h"
#include "lib/log.h"

/* ER-17. */
#define WEIGHT_NETWORK 32768
#define WEIGHT_LEARNED 32769

/* ---- ER-21 ---- */

struct count {
	struct ipnet last;
	bool any;
	size_t n;
};

/* Once per prefix: several winners of one prefix (ECMP) are of one rank, so they all go out or none
 * does. */
static bool
count_out(void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best)
{
	struct count *c = arg;
	struct gw_route r = gw_route_of(path);

	if (!best || !gw_er_goes_out(&r) || (c->any && ipnet_eq(c->last, *prefix)))
		return true;
	c->last = *prefix;
	c->any = true;
	c->n++;
	return true;
}

/* Prefixes that a connection carries to on-premises. */
static size_t
prefixes_out(struct gw *gw)
{
	struct count c = { 0 };

	speaker_walk_rib(wire_node_speaker(gw->base.w), count_out, &c);
	return c.n;
}

/* Above the limit the connections go down, and come back when below (ER-21). */
static void
check_limit(void *arg)
{
	struct gw *gw = arg;
	uint32_t max = gw->conf == NULL ? 0 : gw->conf->gw->max_prefixes_out;
	size_t n;
	bool over;

	/* What is not even in the table cannot go out; the walk is for the few that are near. */
	n = max == 0 ? 0 : speaker_prefix_count(wire_node_speaker(gw->base.w));
	if (n > max)
		n = prefixes_out(gw);
	over = n > max;
	if (over == gw->over_limit)
		return;
	gw->over_limit = over;
	if (over)
		fab_error("connections to circuits go down: %zu prefixes to on-premises, the "
			  "limit is %u (ER-21)",
		    n, max);
	else
		fab_info("connections to circuits return: %zu prefixes, limit %u", n, max);
	wire_apply_recheck(wire_node_apply(gw->base.w));
	wire_node_touch(gw->base.w);
}

static bool
wanted(void *ctx, const struct wire_peer *peer)
{
	const struct gw *gw = ctx;

	return !peer->shut && !(peer->role == WIRE_PEER_MSEE && gw->over_limit);
}

/* ---- callbacks ---- */

static const struct gw_policy policy = { gw_er_import, gw_er_export };

static int
er_start(void **ctx)
{
	return gw_new(ctx, &policy, check_limit);
}

static bool
er_config(void *ctx, const struct wire_conf *conf, struct wire_apply *a)
{
	struct gw *gw = ctx;
	bool again = gw_take_conf(gw, conf);

	gw_originate(a, &conf->gw->vnet, 0, HRP_SRC_UNKNOWN, 0, GW_OWN_VNET);
	gw_originate(a, &conf->gw->spokes, 0, HRP_SRC_UNKNOWN, 0, GW_OWN_SPOKE);
	gw_recheck_soon(gw);
	return again;
}

static void
er_changed(void *ctx, const struct speaker_change *changes, size_t n)
{
	(void)changes;
	(void)n;
	gw_recheck_soon(ctx);
}

/* Where there is a Route Server, it alone reports: it knows these routes by iBGP. */
static bool
route(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best, size_t n_best,
    struct wire_route *out)
{
	const struct gw *gw = ctx;

	return !gw->conf->gw->has_route_server &&
	       wire_route_learned(NULL, prefix, best, n_best, out);
}

static void
row(void *ctx, enum wire_listing what, const struct speaker_peer *peer, struct wire_row *row)
{
	(void)ctx;
	row->network = peer == NULL;
	if (what == WIRE_ADVERTISED)
		row->weight = 0;
	else
		row->weight = peer == NULL ? WEIGHT_NETWORK : WEIGHT_LEARNED; /* ER-17 */
}

const struct wire_role gw_er_role = {
	.kinds = { WIRE_ER_GATEWAY },
	.policy = {
		.import_attrs = gw_import_cb,
		.import_prefix = gw_import_prefix_cb,
		.select = gw_select_cb,
		.export_attrs = gw_export_cb,
	},
	.apply = { .wanted = wanted },
	.route = route,
	.row = row,
	.own_in_learned = true,
	.start = er_start,
	.stop = gw_free,
	.check = gw_check_cb,
	.config = er_config,
	.applied = gw_applied_cb,
	.changed = er_changed,
};
