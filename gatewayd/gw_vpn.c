/*
 * VPN gateway (policy: gw_policy.h).
 *
 * Active-active: both instances work. Active-standby: instance 1 keeps only the session to its
 * sibling; when that is lost, or does not come up within the hold time after the start, it takes
 * over, which may take a while (VPN-17), and stands back when the sibling returns (VPN-1).
 */
#include "gatewayd/gw.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"

#define WEIGHT_LISTED 32768 /* VPN-15 */

/* ---- VPN-1: the instance that waits ---- */

static bool
stands_by(const struct gw *gw)
{
	return gw->conf != NULL && gw->conf->gw->standby && !gw->took_over;
}

/* VPN-6; the connection's inbound map is for these too (RM-2). */
static void
originate_static(const struct gw *gw, struct wire_apply *a, size_t i, uint32_t next_hop)
{
	const struct wire_static *s = &gw->conf->gw->statics[i];
	struct route_map_buf buf;

	for (size_t k = 0; k < s->prefixes.n; k++) {
		struct bgp_attr_spec spec = { .next_hop = next_hop };
		struct ipnet to = s->prefixes.v[k];

		if (s->in_map == NULL || route_map_run(s->in_map, &to, &spec, &buf))
			gw_originate_as(a, &to, &spec, HRP_SRC_VPN_STATIC, s->weight,
			    GW_OWN_STATIC + (uint32_t)i);
	}
}

/* Routes of its own: those of branches only while it works. */
static void
originate(const struct gw *gw, struct wire_apply *a)
{
	const struct wire_gw_conf *g = gw->conf->gw;
	uint32_t next_hop = gw_vpn_nic_next_hop(gw->conf);

	gw_originate(a, &g->vnet, 0, HRP_SRC_UNKNOWN, 0, GW_OWN_VNET);
	gw_originate(a, &g->spokes, 0, HRP_SRC_UNKNOWN, 0, GW_OWN_SPOKE);
	if (stands_by(gw))
		return;
	gw_originate(a, &g->p2s, next_hop, HRP_SRC_P2S, 0, GW_OWN_P2S);
	for (size_t i = 0; i < g->n_statics; i++)
		originate_static(gw, a, i, next_hop);
	for (size_t i = 0; i < gw->conf->n_peers; i++) {
		struct ipnet host = { .addr = gw->conf->peers[i].address, .len = 32 };
		struct wire_nets one = { .v = &host, .n = 1 };

		if (gw->conf->peers[i].role == WIRE_PEER_CUSTOMER) /* VPN-5 */
			gw_originate(a, &one, 0, HRP_SRC_UNKNOWN, 0, GW_OWN_PEER);
	}
}

static struct speaker_peer *
sibling_session(struct gw *gw)
{
	struct speaker *sp = wire_node_speaker(gw->base.w);

	for (struct speaker_peer *p = NULL; (p = speaker_peer_next(sp, p)) != NULL;)
		if (wire_peer_of(p)->role == WIRE_PEER_SIBLING)
			return p;
	return NULL;
}

static void
failover_over(void *arg)
{
	struct gw *gw = arg;

	gw->failed = true;
	gw_recheck_soon(gw);
}

/* VPN-17, TIME-15, OPEN-7: true once it has taken its time since the sibling was lost. A sibling
 * that was stopped said goodbye. */
static bool
has_failed_over(struct gw *gw, struct speaker_peer *sibling)
{
	const struct wire_gw_conf *g = gw->conf->gw;
	bool planned = sibling != NULL && bgp_session_was_shut_down(speaker_peer_session(sibling));
	uint32_t ms;

	if (gw->failing || gw->took_over)
		return gw->failed || gw->took_over;
	ms = topo_draw_ms(planned ? g->failover_planned : g->failover, gw->conf->seed,
	    gw->conf->name, gw->failovers++);
	gw->failing = true;
	gw->failing_us = fab_wall_us();
	gw->failed = ms == 0 || (gw->failover == NULL &&
				    fab_timer_new(&gw->failover, wire_node_loop(gw->base.w),
					failover_over, gw) != FAB_OK);
	if (!gw->failed) {
		fab_info("sibling is gone, %s: taking over in %u ms",
		    planned ? "on purpose" : "unexpectedly", ms);
		fab_timer_set_ms(gw->failover, ms);
		wire_node_touch(gw->base.w);
	}
	return gw->failed;
}

static void
forget_failover(struct gw *gw)
{
	if (gw->failover != NULL)
		fab_timer_cancel(gw->failover);
	gw->failing = gw->failed = false;
}

static bool
busy(void *ctx)
{
	const struct gw *gw = ctx;

	return gw->failing && !gw->failed;
}

/* Takes over when the sibling is gone for good, stands back when it is there. */
static void
check_standby(void *arg)
{
	struct gw *gw = arg;
	struct wire_apply *a = wire_node_apply(gw->base.w);
	struct speaker_peer *p = sibling_session(gw);
	bool up = p != NULL && bgp_session_state(speaker_peer_session(p)) == BGP_ESTABLISHED;
	bool take_over = !up && (gw->grace == NULL || !fab_timer_pending(gw->grace));
	struct wire_diff diff = { 0 };

	if (!gw->conf->gw->standby)
		return;
	if (up)
		forget_failover(gw);
	if (take_over)
		take_over = has_failed_over(gw, p);
	if (take_over == gw->took_over)
		return;
	gw->took_over = take_over;
	if (take_over && gw->failover != NULL)
		speaker_note_wait(wire_node_speaker(gw->base.w), gw->failing_us,
		    "failover of the gateway (VPN-17)");
	fab_info("%s", take_over ? "sibling is gone: taking over" : "sibling is back: standing by");
	wire_apply_own_begin(a);
	originate(gw, a);
	wire_apply_own_end(a, &diff);
	wire_apply_recheck(a);
	wire_node_touch(gw->base.w);
}

static void
grace_over(void *arg)
{
	gw_recheck_soon(arg);
}

/* Once: the sibling has a hold time to show up. */
static void
start_grace(struct gw *gw)
{
	uint32_t ms = 0;

	if (!gw->conf->gw->standby || gw->grace != NULL)
		return;
	for (size_t i = 0; i < gw->conf->n_peers; i++)
		if (gw->conf->peers[i].role == WIRE_PEER_SIBLING)
			ms = gw->conf->peers[i].hold_ms;
	if (fab_timer_new(&gw->grace, wire_node_loop(gw->base.w), grace_over, gw) == FAB_OK)
		fab_timer_set_ms(gw->grace, ms);
}

static bool
wanted(void *ctx, const struct wire_peer *peer)
{
	const struct gw *gw = ctx;

	return !peer->shut && (peer->role == WIRE_PEER_SIBLING || !stands_by(gw));
}

static void
vpn_peer_state(void *ctx, struct speaker_peer *p, enum bgp_state now)
{
	struct gw *gw = ctx;

	if (wire_peer_of(p)->role != WIRE_PEER_SIBLING || !gw->conf->gw->standby)
		return;
	/* Seen alive once, its loss is certain: no more grace. */
	if (now == BGP_ESTABLISHED && gw->grace != NULL)
		fab_timer_cancel(gw->grace);
	gw_recheck_soon(gw);
}

/* ---- callbacks ---- */

static const struct gw_policy policy = { gw_vpn_import, gw_vpn_export };

static int
vpn_start(void **ctx)
{
	return gw_new(ctx, &policy, check_standby);
}

static bool
vpn_config(void *ctx, const struct wire_conf *conf, struct wire_apply *a)
{
	struct gw *gw = ctx;
	bool again = gw_take_conf(gw, conf);

	if (!conf->gw->standby) {
		gw->took_over = false;
		forget_failover(gw);
	}
	start_grace(gw);
	originate(gw, a);
	return again;
}

static bool
export_prefix(
    void *ctx, struct speaker_peer *to, const struct ipnet *prefix, const struct speaker_path *path)
{
	const struct gw *gw = ctx;
	struct gw_route r = gw_route_of(path);

	return gw_vpn_export_prefix(gw->conf, &r, wire_peer_of(to), prefix);
}

/* Without a Route Server the gateway tells NICs about branches: learned, static and P2S. */
static bool
route(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best, size_t n_best,
    struct wire_route *out)
{
	const struct gw *gw = ctx;
	struct gw_route r;

	if (gw->conf->gw->has_route_server || stands_by(gw) || n_best == 0)
		return false;
	r = gw_route_of(best[0]);
	return gw_rank(&r) != GW_RANK_VNET && wire_route_any(NULL, prefix, best, n_best, out);
}

static void
row(void *ctx, enum wire_listing what, const struct speaker_peer *peer, struct wire_row *row)
{
	(void)ctx;
	row->network = peer == NULL;
	row->weight = what == WIRE_ADVERTISED ? 0 : WEIGHT_LISTED;
}

const struct wire_role gw_vpn_role = {
	.kinds = { WIRE_VPN_GATEWAY },
	.policy = {
		.import_attrs = gw_import_cb,
		.import_prefix = gw_import_prefix_cb,
		.select = gw_select_cb,
		.export_prefix = export_prefix,
		.export_attrs = gw_export_cb,
		.import_map = gw_import_map_cb,
		.export_map = gw_export_map_cb,
	},
	.apply = { .wanted = wanted },
	.route = route,
	.row = row,
	.own_in_learned = true,
	.start = vpn_start,
	.stop = gw_free,
	.check = gw_check_cb,
	.config = vpn_config,
	.applied = gw_applied_cb,
	.peer_state = vpn_peer_state,
	.busy = busy,
};
