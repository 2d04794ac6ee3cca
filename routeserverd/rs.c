/*
 * A Route Server instance: rs_policy.c under a speaker. Keeps nothing but what the configuration
 * says. It has three export groups: NVAs, ExpressRoute gateways, VPN gateways; members of each get
 * the same routes. NVAs with an outbound route map (RM-1) are a group for each map.
 */
#include "routeserverd/rs.h"

#include "lib/err.h"
#include "lib/log.h"
#include "routeserverd/rs_policy.h"

#include <stdio.h>
#include <stdlib.h>

#define WEIGHT_LEARNED 32768 /* RS-110 */

/* Numbers of export groups: the side, and above it the outbound map. */
#define GROUP_SIDE   3u
#define GROUP_MAP(n) ((n) * (GROUP_SIDE + 1))
_Static_assert(RS_SIDE_COUNT <= GROUP_SIDE + 1, "a side fits");

struct rs {
	struct wire_base base; /* first */
	struct rs_policy policy;
	bool ask_nvas;    /* RS-96, until the configuration is in force */
	bool settled;     /* has been converged once */
	bool surplus;     /* RS-25: told once, until there is room again */
	uint64_t refused; /* prefixes over RS-25 */
};

static const enum rs_side side_of_role[WIRE_PEER_ROLE_COUNT] = {
	[WIRE_PEER_NVA] = RS_SIDE_NVA,
	[WIRE_PEER_ER_GATEWAY] = RS_SIDE_ER,
	[WIRE_PEER_VPN_GATEWAY] = RS_SIDE_VPN,
};

static enum rs_side
side_of(const struct speaker_peer *p)
{
	return p == NULL ? RS_SIDE_OWN : side_of_role[wire_peer_of(p)->role];
}

/* ---- policy callbacks ---- */

static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	(void)ctx;
	(void)out;
	return rs_import_attrs(side_of(from), in, path);
}

/* Prefixes learned from gateways; of the instances of one gateway, the one that has more. */
static size_t
on_premises_prefixes(struct speaker *sp)
{
	size_t most[RS_SIDE_COUNT] = { 0 };

	for (struct speaker_peer *p = NULL; (p = speaker_peer_next(sp, p)) != NULL;) {
		size_t n = speaker_peer_routes_in(p);

		if (n > most[side_of(p)])
			most[side_of(p)] = n;
	}
	return most[RS_SIDE_ER] + most[RS_SIDE_VPN];
}

/* RS-25: on-premises and VNet prefixes together; what is over is not accepted. */
static bool
has_room(struct rs *rs, const struct ipnet *prefix)
{
	struct speaker *sp = wire_node_speaker(rs->base.w);
	char text[128];
	size_t n;

	if (rs->policy.max_prefixes == 0 || speaker_has_prefix(sp, prefix))
		return true;
	n = rs->policy.n_vnet_prefixes + on_premises_prefixes(sp);
	if (n < rs->policy.max_prefixes) {
		rs->surplus = false;
		return true;
	}
	if (!rs->surplus) {
		snprintf(text, sizeof(text),
		    "more than %zu on-premises and VNet prefixes: the rest is refused (RS-25)",
		    rs->policy.max_prefixes);
		wire_node_notice(rs->base.w, text);
	}
	rs->surplus = true;
	rs->refused++;
	return false;
}

static bool
import_prefix(void *ctx, struct speaker_peer *from, const struct ipnet *prefix)
{
	struct rs *rs = ctx;

	if (side_of(from) == RS_SIDE_NVA) /* RS-52 */
		return rs->policy.lists_covered || rs_import_prefix(&rs->policy, prefix);
	return rs_import_prefix(&rs->policy, prefix) && has_room(rs, prefix);
}

static size_t
select_paths(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *paths,
    size_t n, uint16_t *winners)
{
	struct rs_candidate c[SPEAKER_PATHS_MAX];
	uint16_t number[SPEAKER_PATHS_MAX];
	size_t n_c = 0;
	struct rs *rs = ctx;
	bool covered = rs->policy.lists_covered && !rs_import_prefix(&rs->policy, prefix);

	for (size_t i = 0; i < n; i++) {
		const struct speaker_path *path = paths[i];

		if (covered &&
		    side_of(path->peer) == RS_SIDE_NVA) /* listed, and no more (OPEN-5) */
			continue;
		number[n_c] = (uint16_t)i;
		c[n_c++] = (struct rs_candidate){
			.route = { path->source, path->attrs->as_path_len, path->weight },
			.next_hop = path->attrs->s.next_hop,
			.peer_addr = path->peer == NULL
					 ? 0
					 : speaker_peer_conf(path->peer)->session.peer_addr,
		};
	}
	n = n_c == 0 ? 0 : rs_select(&rs->policy, c, n_c, winners);
	for (size_t i = 0; i < n; i++)
		winners[i] = number[winners[i]];
	return n;
}

static bool
export_attrs(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	struct rs *rs = ctx;
	struct rs_export x = {
		.from = side_of(path->peer),
		.to = side_of(to),
		.tag = path->tag,
		.in = path->attrs,
	};

	return rs_export(&rs->policy, &x, speaker_scratch(wire_node_speaker(rs->base.w)), out);
}

/* RM-1, RM-2: maps of NVA peers; those of gateway connections are with the gateways. */
static const struct route_map *
import_map(void *ctx, struct speaker_peer *from)
{
	(void)ctx;
	return wire_peer_of(from)->in_map;
}

/* RM-9: VNet prefixes are left alone. */
static const struct route_map *
export_map(void *ctx, struct speaker_peer *to, const struct speaker_path *path)
{
	(void)ctx;
	return path != NULL && path->peer == NULL ? NULL : wire_peer_of(to)->out_map;
}

/* ---- configuration ---- */

static bool
check_peer(const struct wire_peer *peer, char why[static 256])
{
	if (side_of_role[peer->role] == RS_SIDE_OWN) {
		snprintf(why, 256, "peer %s: a Route Server has no such peer", peer->name);
		return false;
	}
	if (peer->role == WIRE_PEER_NVA && peer->asn == RS_ASN) { /* RS-30, RS-43 */
		snprintf(why, 256, "peer %s: AS %d is the Route Server's own", peer->name, RS_ASN);
		return false;
	}
	return true;
}

static bool
check(void *ctx, const struct wire_conf *conf, char why[static 256])
{
	(void)ctx;
	if (conf->rs == NULL || conf->asn != RS_ASN || conf->router_id != conf->address ||
	    conf->rs->hub_routing_preference > HRP_PREF_AS_PATH) {
		/* RS-1, RS-2 */
		snprintf(why, 256, "not the configuration of a Route Server instance");
		return false;
	}
	for (size_t i = 0; i < conf->n_peers; i++)
		if (!check_peer(&conf->peers[i], why))
			return false;
	return true;
}

/* RS-75: one origination per address-space entry, and nothing else: no default route (RS-74). The
 * path is filled in on export. */
static void
originate(struct wire_apply *a, const struct wire_nets *nets, uint32_t address, enum rs_tag tag)
{
	struct bgp_attr_spec spec = { .origin = BGP_ORIGIN_IGP, .next_hop = address };

	for (size_t i = 0; i < nets->n; i++)
		if (wire_apply_own(a, &nets->v[i], &spec, HRP_SRC_UNKNOWN, 0, tag) != FAB_OK)
			fab_error("out of memory: a VNet prefix is not announced");
}

static bool
has_net(const struct wire_nets *nets, const struct ipnet *net)
{
	for (size_t i = 0; i < nets->n; i++)
		if (ipnet_eq(nets->v[i], *net))
			return true;
	return false;
}

/* RS-96: a VNet has been peered. */
static bool
gained_spokes(const struct wire_conf *old, const struct wire_conf *now)
{
	for (size_t i = 0; old != NULL && i < now->rs->spokes.n; i++)
		if (!has_net(&old->rs->spokes, &now->rs->spokes.v[i]))
			return true;
	return false;
}

/* RS-99, TIME-4: what is learned at the start is no flapping, and begins no window. */
static void
anti_flap(struct rs *rs, const struct wire_conf *conf)
{
	uint32_t ms = conf->rs->anti_flap_ms;

	speaker_set_window(wire_node_speaker(rs->base.w), ms, rs->settled ? 0 : ms);
}

static void
converged(void *ctx)
{
	struct rs *rs = ctx;

	rs->settled = true;
	anti_flap(rs, wire_node_conf(rs->base.w));
}

static bool
config(void *ctx, const struct wire_conf *conf, struct wire_apply *a)
{
	struct rs *rs = ctx;
	struct rs_policy policy;
	bool again;

	if (rs_policy_init(&policy, conf->rs, conf->address) != FAB_OK) {
		fab_error("out of memory: the former policy stays");
		return false;
	}
	again = rs_policy_differs(&rs->policy, &policy) ||
		(wire_apply_current(a) != NULL &&
		    wire_conf_maps_differ(wire_apply_current(a), conf)); /* RM-13 */
	rs_policy_fini(&rs->policy);
	rs->policy = policy;
	anti_flap(rs, conf);
	rs->ask_nvas = gained_spokes(wire_apply_current(a), conf);
	originate(a, &conf->rs->vnet, conf->address, RS_TAG_VNET);    /* RS-70 */
	originate(a, &conf->rs->spokes, conf->address, RS_TAG_SPOKE); /* RS-71, RS-97 */
	return again;
}

static void
applied(void *ctx, const struct wire_diff *diff)
{
	struct rs *rs = ctx;

	(void)diff;
	if (rs->ask_nvas)
		speaker_refresh_peers(wire_node_speaker(rs->base.w), RS_SIDE_NVA, GROUP_SIDE);
	rs->ask_nvas = false;
}

static void
peer_conf(void *ctx, const struct wire_peer *peer, struct speaker_peer_conf *pc)
{
	(void)ctx;
	pc->group = side_of_role[peer->role] | GROUP_MAP(peer->out_map_number);
	pc->session.ttl = 0; /* RS-31: multihop, as far as the system's TTL goes */
	/* RS-33: IPv4, IPv6, route refresh, 4-octet AS; nothing else is offered. RS-35: no MD5,
	 * TCP-AO or BFD, which nobody can ask for either. */
	pc->session.offer_ipv6 = true;
	pc->session.offer_enhanced_refresh = pc->session.offer_extended_message = false;
}

/* ---- listings and life ---- */

/* RS-110, RS-111 */
static void
row(void *ctx, enum wire_listing what, const struct speaker_peer *peer, struct wire_row *out)
{
	(void)ctx;
	(void)peer;
	if (what == WIRE_LEARNED)
		out->weight = WEIGHT_LEARNED;
}

static void
stats(void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct rs *rs = ctx;

	add(arg, "prefixes_over_limit", rs->refused);
}

static int
start(void **ctx)
{
	struct rs *rs = calloc(1, sizeof(*rs));

	if (rs == NULL)
		return FAB_ENOMEM;
	*ctx = rs;
	return FAB_OK;
}

static void
stop(void *ctx)
{
	struct rs *rs = ctx;

	rs_policy_fini(&rs->policy);
	free(rs);
}

const struct wire_role rs_role = {
	.kinds = { WIRE_ROUTE_SERVER },
	.policy = { .import_attrs = import_attrs,
	    .import_prefix = import_prefix,
	    .select = select_paths,
	    .export_attrs = export_attrs,
	    .import_map = import_map,
	    .export_map = export_map },
	.apply = { .peer = peer_conf },
	.row = row,
	.start = start,
	.stop = stop,
	.check = check,
	.config = config,
	.applied = applied,
	.converged = converged,
	.stats = stats,
};
