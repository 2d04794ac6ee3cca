/*
 * Shared by the roles of gatewayd (see gw.h).
 */
#include "gatewayd/gw.h"

#include "lib/err.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>

int
gw_new(void **ctx, const struct gw_policy *policy, fab_loop_fn *fn)
{
	struct gw *gw = calloc(1, sizeof(*gw));

	if (gw == NULL)
		return FAB_ENOMEM;
	gw->policy = policy;
	gw->recheck = (struct fab_post){ .fn = fn, .arg = gw };
	*ctx = gw;
	return FAB_OK;
}

void
gw_free(void *ctx)
{
	struct gw *gw = ctx;

	if (gw->base.w != NULL)
		fab_loop_defer_cancel(wire_node_loop(gw->base.w), &gw->recheck);
	fab_timer_free(gw->grace);
	fab_timer_free(gw->failover);
	free(gw);
}

void
gw_recheck_soon(struct gw *gw)
{
	if (gw->recheck.fn != NULL)
		fab_loop_defer(wire_node_loop(gw->base.w), &gw->recheck);
}

/* ---- callbacks ---- */

struct gw_route
gw_route_of(const struct speaker_path *p)
{
	return (struct gw_route){ .from = p->peer == NULL ? NULL : wire_peer_of(p->peer),
		.tag = p->tag,
		.weight = p->weight,
		.attrs = &p->attrs->s };
}

bool
gw_import_cb(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	const struct gw *gw = ctx;
	struct gw_import mark;

	(void)in;
	if (!gw->policy->import(gw->conf, wire_peer_of(from), out, &mark))
		return false;
	path->source = mark.source;
	path->weight = mark.weight;
	return true;
}

bool
gw_export_cb(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	const struct gw *gw = ctx;
	struct gw_route r = gw_route_of(path);

	return gw->policy->export(
	    gw->conf, &r, wire_peer_of(to), speaker_scratch(wire_node_speaker(gw->base.w)), out);
}

const struct route_map *
gw_import_map_cb(void *ctx, struct speaker_peer *from)
{
	(void)ctx;
	return wire_peer_of(from)->in_map;
}

const struct route_map *
gw_export_map_cb(void *ctx, struct speaker_peer *to, const struct speaker_path *path)
{
	(void)ctx;
	if (path != NULL && gw_is_address_space(path->peer == NULL, path->tag))
		return NULL;
	return wire_peer_of(to)->out_map;
}

bool
gw_take_conf(struct gw *gw, const struct wire_conf *conf)
{
	const struct wire_conf *before = gw->conf;

	gw->alone = before != NULL && before->gw->has_route_server && !conf->gw->has_route_server;
	gw->conf = conf;
	return before != NULL;
}

/* What the Route Server has told NICs about is for us to tell now. */
void
gw_applied_cb(void *ctx, const struct wire_diff *diff)
{
	struct gw *gw = ctx;

	(void)diff;
	if (gw->alone)
		wire_node_tell_routes(gw->base.w);
}

bool
gw_check_cb(void *ctx, const struct wire_conf *conf, char why[static 256])
{
	(void)ctx;
	if (conf->gw == NULL)
		snprintf(why, 256, "%s: the gateway section is missing", conf->name);
	return conf->gw != NULL;
}

size_t
gw_select_cb(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *paths,
    size_t n, uint16_t *winners)
{
	const struct gw *gw = ctx;
	struct gw_route routes[SPEAKER_PATHS_MAX];

	(void)prefix;
	if (n > SPEAKER_PATHS_MAX)
		n = SPEAKER_PATHS_MAX;
	for (size_t i = 0; i < n; i++)
		routes[i] = gw_route_of(paths[i]);
	return gw_select(gw->conf, routes, n, winners);
}

bool
gw_import_prefix_cb(void *ctx, struct speaker_peer *from, const struct ipnet *prefix)
{
	const struct gw *gw = ctx;

	(void)from;
	return !gw_is_vnet_prefix(gw->conf, prefix);
}

void
gw_originate_as(struct wire_apply *a, const struct ipnet *prefix, const struct bgp_attr_spec *spec,
    enum hrp_source source, uint32_t weight, uint32_t tag)
{
	char text[IPNET_STRLEN];
	int err = wire_apply_own(a, prefix, spec, source, weight, tag);

	if (err != FAB_OK)
		fab_error(
		    "%s is not announced: %s", ipnet_format(text, *prefix), fab_strerror(err));
}

void
gw_originate(struct wire_apply *a, const struct wire_nets *nets, uint32_t next_hop,
    enum hrp_source source, uint32_t weight, uint32_t tag)
{
	struct bgp_attr_spec spec = { .next_hop = next_hop };

	for (size_t i = 0; i < nets->n; i++)
		gw_originate_as(a, &nets->v[i], &spec, source, weight, tag);
}
