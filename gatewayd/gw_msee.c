/*
 * MSEE (policy: gw_policy.h). Chooses between gateways by the full path (ER-13, MR-12).
 */
#include "gatewayd/gw.h"

/* ---- callbacks ---- */

static const struct gw_policy policy = { gw_msee_import, gw_msee_export };

static int
msee_start(void **ctx)
{
	return gw_new(ctx, &policy, NULL);
}

static bool
msee_config(void *ctx, const struct wire_conf *conf, struct wire_apply *a)
{
	struct gw *gw = ctx;
	const struct wire_conf *old = gw->conf;

	(void)a;
	gw->conf = conf;
	return old != NULL && (wire_conf_policy_differs(old, conf) ||
				  old->msee->prepend != conf->msee->prepend); /* ER-9 */
}

/* No NIC and no trace asks an MSEE. */
static bool
route(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best, size_t n_best,
    struct wire_route *out)
{
	(void)ctx;
	(void)prefix;
	(void)best;
	(void)n_best;
	(void)out;
	return false;
}

const struct wire_role gw_msee_role = {
	.kinds = { WIRE_MSEE },
	.policy = {
		.import_attrs = gw_import_cb,
		.export_attrs = gw_export_cb,
	},
	.route = route,
	.start = msee_start,
	.stop = gw_free,
	.config = msee_config,
};
