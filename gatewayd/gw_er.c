/*
 * ExpressRoute gateway (policy: gw_policy.h).
 */
#include "gatewayd/gw.h"

#include "lib/err.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>

/* ER-17. */
#define WEIGHT_NETWORK 32768
#define WEIGHT_LEARNED 32769

/* ---- ER-21 ---- */

/* What one connection carries to on-premises. */
struct count {
	const struct route_map *map; /* of the connection; NULL: none */
	struct ipnet *v;
	size_t n, max;
};

static bool
count_out(void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best)
{
	static struct route_map_buf buf;
	struct count *c = arg;
	struct gw_route r = gw_route_of(path);
	struct bgp_attr_spec attrs = path->attrs->s;
	struct ipnet to = *prefix;

	if (!best || c->n == c->max || !gw_er_goes_out(&r))
		return true;
	if (c->map != NULL && !gw_is_address_space(r.from == NULL, r.tag) &&
	    !route_map_run(c->map, &to, &attrs, &buf))
		return true;
	/* Several winners of one prefix (ECMP) come one after the other. */
	if (c->n == 0 || !ipnet_eq(c->v[c->n - 1], to))
		c->v[c->n++] = to;
	return true;
}

static size_t
prefixes_out(struct gw *gw, const struct route_map *map)
{
	struct speaker *sp = wire_node_speaker(gw->base.w);
	struct count c = { .map = map, .max = speaker_prefix_count(sp) };
	size_t n = 0;

	c.v = calloc(c.max + 1, sizeof(*c.v));
	if (c.v == NULL)
		return c.max;
	speaker_walk_rib(sp, count_out, &c);
	if (c.n > 0)
		qsort(c.v, c.n, sizeof(*c.v), ipnet_cmp);
	for (size_t i = 0; i < c.n; i++)
		n += i == 0 || !ipnet_eq(c.v[i], c.v[i - 1]);
	free(c.v);
	return n;
}

static const struct route_map *
map_of_circuit(const struct gw *gw, const char *circuit)
{
	for (size_t i = 0; i < gw->conf->n_peers; i++)
		if (gw->conf->peers[i].role == WIRE_PEER_MSEE &&
		    strcmp(gw->conf->peers[i].resource, circuit) == 0)
			return gw->conf->peers[i].out_map;
	return NULL;
}

/* Above the limit the connection goes down, and comes back when below (ER-21). */
static bool
check_connection(struct gw *gw, size_t i)
{
	const struct wire_circuit *c = &gw->conf->gw->circuits[i];
	uint32_t max = gw->conf->gw->max_prefixes_out, bit = 1u << i;
	/* What is not even in the table cannot go out; the walk is for the few that are near. */
	size_t n = max == 0 ? 0 : speaker_prefix_count(wire_node_speaker(gw->base.w));

	if (n > max)
		n = prefixes_out(gw, map_of_circuit(gw, c->name));
	if ((n > max) == ((gw->over_limit & bit) != 0))
		return false;
	gw->over_limit ^= bit;
	if (n > max)
		fab_error(
		    "connection to %s goes down: %zu prefixes to on-premises, the limit is %u "
		    "(ER-21)",
		    c->name, n, max);
	else
		fab_info("connection to %s returns: %zu prefixes, limit %u", c->name, n, max);
	return true;
}

static void
check_limit(void *arg)
{
	struct gw *gw = arg;
	bool changed = false;

	for (size_t i = 0; gw->conf != NULL && i < gw->conf->gw->n_circuits && i < 32; i++)
		changed |= check_connection(gw, i);
	if (!changed)
		return;
	wire_apply_recheck(wire_node_apply(gw->base.w));
	wire_node_touch(gw->base.w);
}

static bool
wanted(void *ctx, const struct wire_peer *peer)
{
	const struct gw *gw = ctx;
	int circuit;

	if (peer->shut || peer->role != WIRE_PEER_MSEE)
		return !peer->shut;
	circuit = gw_circuit_index(gw->conf, peer);
	return circuit < 0 || circuit > 31 || (gw->over_limit >> circuit & 1) == 0;
}

/* ---- callbacks ---- */

static const struct gw_policy policy = { gw_er_import, gw_er_export };

static int
er_start(void **ctx)
{
	return gw_new(ctx, &policy, check_limit);
}

/* ER-10; with summaries these, and of what they cover nothing: the VNet's own prefixes go whether
 * they are covered or not (ER-14, GV-6). */
static void
originate(const struct wire_gw_conf *g, struct wire_apply *a)
{
	struct ipnet one;
	const struct wire_nets alone = { .v = &one, .n = 1 };

	gw_originate(
	    a, g->summaries.n > 0 ? &g->summaries : &g->vnet, 0, HRP_SRC_UNKNOWN, 0, GW_OWN_VNET);
	for (size_t i = 0; i < g->spokes.n; i++) {
		one = g->spokes.v[i];
		if (!wire_nets_cover(&g->summaries, &one))
			gw_originate(a, &alone, 0, HRP_SRC_UNKNOWN, 0, GW_OWN_SPOKE);
	}
}

static bool
er_config(void *ctx, const struct wire_conf *conf, struct wire_apply *a)
{
	struct gw *gw = ctx;
	bool again = gw_take_conf(gw, conf);

	gw->over_limit = 0; /* circuits may have other numbers; the recheck finds out */
	originate(conf->gw, a);
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
		.import_map = gw_import_map_cb,
		.export_map = gw_export_map_cb,
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
