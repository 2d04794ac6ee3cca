/*
 * Layers that lag behind (see fc_listing.h).
 */
#include "fabricd/fc_listing.h"

#include "fabricd/fc_lag.h"
#include "fabricd/wire_batch.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdlib.h>

struct fc_listing {
	struct fc *f;
	struct fc_layers *layers; /* NULL: those of f */
	struct fc_lag *lag;
};

/* Its time has come. */
static void
late(struct fc *f, const char *node, const Fab__V1__RouteBatch *m, uint64_t queued_us)
{
	struct fc_mem mem = { 0 };
	struct fc_route_batch batch;
	uint32_t prefixes;
	size_t changed = 0;

	(void)queued_us;
	if (m != NULL && f->listing->layers != NULL &&
	    wire_batch_decode(&mem, &batch, &prefixes, m) == FAB_OK)
		fc_layers_apply(f->listing->layers, node, &batch, &changed);
	fc_mem_free(&mem);
	fc_touch(f, changed > 0);
}

static void
in_step(struct fc_listing *li)
{
	fc_layers_free(li->layers);
	li->layers = NULL;
	fc_lag_drop_all(li->lag);
}

static int
fall_behind(struct fc_listing *li)
{
	int err = fc_layers_new(&li->layers);

	if (err == FAB_OK)
		err = fc_layers_bind(li->layers, li->f->topo);
	if (err == FAB_OK)
		err = fc_layers_copy_routes(li->layers, li->f->layers);
	return err;
}

void
fc_listing_follow(struct fc_listing *li)
{
	int err = FAB_OK;

	if (li->f->topo->timing.delays.effective_routes.max_ms == 0)
		in_step(li);
	else if (li->layers == NULL)
		err = fall_behind(li);
	else
		err = fc_layers_bind(li->layers, li->f->topo);
	if (err == FAB_OK)
		return;
	fab_error("effective routes are listed without delay: %s", fab_strerror(err));
	in_step(li);
}

const struct fc_layers *
fc_listing_layers(const struct fc_listing *li)
{
	return li->layers != NULL ? li->layers : li->f->layers;
}

void
fc_listing_batch(struct fc_listing *li, const char *node, const Fab__V1__RouteBatch *m,
    const struct fc_route_batch *batch, bool in_snapshot)
{
	struct topo_range r = li->f->topo->timing.delays.effective_routes;
	size_t changed;
	uint32_t ms;

	if (li->layers == NULL)
		return;
	ms = in_snapshot ? 0 : fc_lag_draw(li->lag, node, r);
	if (ms == 0 || fc_lag_put(li->lag, node, m, ms) != FAB_OK)
		fc_layers_apply(li->layers, node, batch, &changed);
}

void
fc_listing_snapshot(struct fc_listing *li, const char *node, bool begin)
{
	size_t changed;

	if (li->layers == NULL)
		return;
	if (begin) {
		fc_lag_drop(li->lag, node);
		fc_layers_snapshot_begin(li->layers, node);
	} else {
		fc_layers_snapshot_end(li->layers, node, &changed);
	}
}

void
fc_listing_state(struct fc_listing *li, const char *node, bool connected, bool converged)
{
	if (li->layers != NULL)
		fc_layers_reporter_state(li->layers, node, connected, converged);
}

const char *
fc_listing_pending(const struct fc_listing *li, uint64_t *ms)
{
	return fc_lag_pending(li->lag, ms);
}

int
fc_listing_new(struct fc_listing **out, struct fc *f)
{
	struct fc_listing *li = calloc(1, sizeof(*li));
	int err;

	if (li == NULL)
		return FAB_ENOMEM;
	li->f = f;
	if ((err = fc_lag_new(&li->lag, f, late)) != FAB_OK) {
		free(li);
		return err;
	}
	*out = li;
	return FAB_OK;
}

void
fc_listing_free(struct fc_listing *li)
{
	if (li == NULL)
		return;
	fc_lag_free(li->lag);
	fc_layers_free(li->layers);
	free(li);
}
