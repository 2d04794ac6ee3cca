/*
 * Feeds nva_policy and nva_own from a speaker's callbacks.
 */
#include "nvad/nva_role.h"

#include "lib/err.h"
#include "lib/log.h"
#include "nvad/nva_kernel.h"
#include "nvad/nva_own.h"
#include "nvad/nva_policy.h"

#include <stdlib.h>
#include <string.h>

struct nva {
	struct wire_base base;
	const struct wire_conf *conf; /* in force; NULL before the first */
	struct nva_own *own;
	struct nva_kernel *kernel; /* NULL until a configuration asks for it */
};

static int
nva_start(void **ctx)
{
	struct nva *nva = calloc(1, sizeof(*nva));

	if (nva == NULL)
		return FAB_ENOMEM;
	nva->own = nva_own_new();
	if (nva->own == NULL) {
		free(nva);
		return FAB_ENOMEM;
	}
	*ctx = nva;
	return FAB_OK;
}

static void
nva_stop(void *ctx)
{
	struct nva *nva = ctx;

	nva_kernel_free(nva->kernel);
	nva_own_free(nva->own);
	free(nva);
}

/* ---- the kernel's forwarding table ---- */

static bool route(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best,
    size_t n_best, struct wire_route *out);

static void
kernel_route(
    struct nva *nva, const struct ipnet *prefix, const struct speaker_path *const *best, size_t n)
{
	struct wire_route r;

	if (!route(nva, prefix, best, n, &r))
		nva_kernel_del(nva->kernel, prefix);
	else if (nva_kernel_set(nva->kernel, prefix, r.peer) != FAB_OK)
		fab_error("kernel routes: out of memory");
}

static void
nva_changed(void *ctx, const struct speaker_change *changes, size_t n)
{
	struct nva *nva = ctx;

	for (size_t i = 0; i < n && nva->kernel != NULL; i++)
		kernel_route(nva, &changes[i].prefix, changes[i].best, changes[i].n_best);
}

/* For the case that routes were there before the kernel mattered. */
static bool
kernel_first(void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best)
{
	struct nva *nva = arg;

	if (best && !(path->peer == NULL && nva_own_is_default_only(nva->own, path->tag)))
		kernel_route(nva, prefix, &path, 1);
	return true;
}

static void
nva_converged(void *ctx)
{
	struct nva *nva = ctx;

	if (nva->kernel != NULL)
		nva_kernel_sweep(nva->kernel);
}

static void
nva_applied(void *ctx, const struct wire_diff *diff)
{
	struct nva *nva = ctx;

	(void)diff;
	if (nva->kernel == NULL && nva->conf->kernel_routes) {
		if (nva_kernel_new(&nva->kernel, wire_node_loop(nva->base.w)) != FAB_OK) {
			fab_error("kernel routes: cannot open an rtnetlink socket");
			return;
		}
		speaker_walk_rib(wire_node_speaker(nva->base.w), kernel_first, nva);
	}
	if (nva->kernel != NULL)
		nva_kernel_config(nva->kernel, nva->conf);
}

static bool
nva_config(void *ctx, const struct wire_conf *conf, struct wire_apply *a)
{
	struct nva *nva = ctx;
	const struct wire_conf *old = nva->conf;
	int err;

	nva->conf = conf;
	err = nva_own_apply(nva->own, conf, a);
	if (err != FAB_OK)
		fab_error("not every prefix is announced: %s", fab_strerror(err));
	return old != NULL && wire_conf_policy_differs(old, conf);
}

static void
nva_peer(void *ctx, const struct wire_peer *peer, struct speaker_peer_conf *pc)
{
	(void)ctx;
	(void)peer;
	pc->session.offer_enhanced_refresh = true;
	pc->session.offer_extended_message = true;
}

/* ---- import ---- */

static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	struct nva *nva = ctx;

	(void)path;
	if (!nva_import(nva->conf, wire_peer_of(from), &in->s))
		return false;
	/* LOCAL_PREF of another AS means nothing here (RFC 4271 5.1.5). */
	out->has_local_pref = out->has_local_pref && speaker_peer_conf(from)->ibgp;
	return true;
}

static bool
import_prefix(void *ctx, struct speaker_peer *from, const struct ipnet *prefix)
{
	(void)ctx;
	return wire_rules_accept(&wire_peer_of(from)->policy.import_rules, prefix);
}

/* ---- selection ---- */

/* A default route that exists for others only does not keep the router from using a learned one:
 * both win, and the one for others is advertised. */
static size_t
select_paths(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *paths,
    size_t n, uint16_t *winners)
{
	struct nva *nva = ctx;
	const struct speaker_path *learned[SPEAKER_PATHS_MAX];
	uint16_t index[SPEAKER_PATHS_MAX], best;
	size_t n_learned = 0;
	bool for_others = false;

	for (size_t i = 0; i < n; i++) {
		if (paths[i]->peer == NULL && nva_own_is_default_only(nva->own, paths[i]->tag)) {
			for_others = true;
			winners[0] = (uint16_t)i;
			continue;
		}
		learned[n_learned] = paths[i];
		index[n_learned++] = (uint16_t)i;
	}
	if (!for_others)
		return speaker_decide(NULL, prefix, paths, n, winners);
	if (n_learned == 0)
		return 1;
	speaker_decide(NULL, prefix, learned, n_learned, &best);
	winners[1] = index[best];
	return 2;
}

/* What the router itself uses, for `trace`. */
static bool
route(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best, size_t n_best,
    struct wire_route *out)
{
	if (n_best > 1)
		return wire_route_any(ctx, prefix, &best[1], 1, out);
	return wire_route_any(ctx, prefix, best, n_best, out);
}

/* ---- export ---- */

static bool
export_prefix(
    void *ctx, struct speaker_peer *to, const struct ipnet *prefix, const struct speaker_path *path)
{
	struct nva *nva = ctx;
	const struct wire_originate *o;

	if (path->peer == NULL) {
		o = nva_own_for(nva->own, path->tag, wire_peer_of(to));
		if (o == NULL)
			return false;
		if (nva_own_is_default(nva->own, o))
			return true;
	}
	return nva_export_prefix(wire_peer_of(to), prefix);
}

static bool
export_attrs(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	struct nva *nva = ctx;
	struct speaker_scratch *buf = speaker_scratch(wire_node_speaker(nva->base.w));
	const struct wire_peer *peer = wire_peer_of(to);
	const struct wire_originate *o;

	if (path->peer != NULL)
		return nva_export_learned(
		    nva->conf, wire_peer_of(path->peer), peer, &path->attrs->s, buf, out);
	o = nva_own_for(nva->own, path->tag, peer);
	return o != NULL && nva_export_own(nva->conf, peer, o, buf, out);
}

const struct wire_role nva_role = {
	.kinds = { WIRE_NVA, WIRE_SITE },
	.policy = {
		.import_attrs = import_attrs,
		.import_prefix = import_prefix,
		.select = select_paths,
		.export_prefix = export_prefix,
		.export_attrs = export_attrs,
	},
	.apply = { .peer = nva_peer },
	.route = route,
	.start = nva_start,
	.stop = nva_stop,
	.config = nva_config,
	.applied = nva_applied,
	.changed = nva_changed,
	.converged = nva_converged,
};
