/*
 * The fabric as a whole (see fc.h).
 */
#include "fabricd/fc.h"

#include "fabricd/fc_apply.h"
#include "fabricd/fc_capacity.h"
#include "fabricd/fc_carrier.h"
#include "fabricd/fc_control.h"
#include "fabricd/fc_faults.h"
#include "fabricd/fc_hold.h"
#include "fabricd/fc_lag.h"
#include "fabricd/fc_link.h"
#include "fabricd/fc_listing.h"
#include "fabricd/fc_mesh.h"
#include "fabricd/fc_nodes.h"
#include "fabricd/fc_outage.h"
#include "fabricd/fc_switch.h"
#include "fabricd/fc_wait.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>

/* A doc without resources, and the model of it: so that topo is never NULL. */
static int
empty_model(struct fc *f)
{
	struct topo_errors *errs = calloc(1, sizeof(*errs));
	int err = FAB_ENOMEM;

	f->doc = topo_doc_new();
	if (errs != NULL && f->doc != NULL && (f->topo = topo_build(f->doc, errs, NULL)) != NULL)
		err = fc_layers_bind(f->layers, f->topo);
	free(errs);
	return err;
}

int
fc_new(struct fc **out, struct fab_loop *loop, const struct fc_conf *conf)
{
	struct fc *f = calloc(1, sizeof(*f));
	int err;

	if (f == NULL)
		return FAB_ENOMEM;
	f->loop = loop;
	f->conf = *conf;
	f->started = f->last_change = fab_mono_now();
	f->generation = f->started_us = fab_wall_us();
	if ((err = fc_layers_new(&f->layers)) != FAB_OK ||
	    (err = fc_events_new(&f->events)) != FAB_OK ||
	    (err = fc_timeline_new(&f->timeline)) != FAB_OK ||
	    (err = fc_nodes_new(&f->nodes, f)) != FAB_OK ||
	    (err = fc_links_new(&f->links, f)) != FAB_OK ||
	    (err = fc_carrier_new(&f->carrier, f)) != FAB_OK ||
	    (err = fc_holds_new(&f->holds, f)) != FAB_OK ||
	    (err = fc_capacity_new(&f->capacity, f)) != FAB_OK ||
	    (err = fc_outages_new(&f->outages, f)) != FAB_OK ||
	    (err = fc_listing_new(&f->listing, f)) != FAB_OK ||
	    (err = fc_lag_new(&f->lag, f, fc_control_late)) != FAB_OK ||
	    (err = fc_faults_new(&f->faults, f)) != FAB_OK ||
	    (err = fc_meshes_new(&f->meshes, f)) != FAB_OK ||
	    (err = fc_waits_new(&f->waits, f)) != FAB_OK || (err = empty_model(f)) != FAB_OK ||
	    (err = fc_switch_new(&f->sw, f)) != FAB_OK) {
		fc_free(f);
		return err;
	}
	*out = f;
	return FAB_OK;
}

void
fc_free(struct fc *f)
{
	if (f == NULL)
		return;
	fc_waits_free(f->waits);
	fc_meshes_free(f->meshes);
	fc_switch_free(f->sw);
	fc_links_free(f->links);
	fc_carrier_free(f->carrier);
	fc_faults_free(f->faults);
	fc_nodes_free(f->nodes);
	fc_lag_free(f->lag);
	fc_listing_free(f->listing);
	fc_holds_free(f->holds);
	fc_capacity_free(f->capacity);
	fc_outages_free(f->outages);
	fc_timeline_free(f->timeline);
	fc_events_free(f->events);
	fc_layers_free(f->layers);
	topo_free(f->topo);
	topo_doc_free(f->doc);
	fc_store_close(f->store);
	free(f);
}

int
fc_open(struct fc *f, const char *path, char why[static FC_STORE_WHY_MAX])
{
	int err = fc_store_open(&f->store, path, why);

	if (err != FAB_OK)
		return err;
	f->revision = fc_store_revision(f->store);
	snprintf(why, FC_STORE_WHY_MAX, "cannot read the store");
	if ((err = fc_links_load(f->links)) != FAB_OK)
		return err;
	return fc_apply_stored(f, why);
}

bool
fc_empty(const struct fc *f)
{
	return f->doc->n == 0;
}

int
fc_swap(struct fc *f, struct topo_doc *doc, struct topo *topo)
{
	int err;

	fc_capacity_mark(f->capacity, topo);
	fc_outages_mark(f->outages, topo);
	if ((err = fc_layers_bind(f->layers, topo)) != FAB_OK) {
		/* Back to what was bound before; it fitted into memory then. */
		FAB_ASSERT(fc_layers_bind(f->layers, f->topo) == FAB_OK);
		return err;
	}
	if (doc != NULL) {
		topo_doc_free(f->doc);
		f->doc = doc;
	}
	topo_free(f->topo);
	f->topo = topo;
	fc_timeline_timing(f->timeline, (uint64_t)topo->timing.hold_ms * 1000,
	    (uint64_t)topo->timing.keepalive_ms * 1000);
	fc_listing_follow(f->listing);
	fc_links_prune(f->links);
	fc_nodes_sync(f->nodes);
	fc_switch_touch_all(f->sw, "configuration");
	fc_touch(f, true);
	return FAB_OK;
}

void
fc_touch(struct fc *f, bool moved)
{
	if (moved)
		f->last_change = fab_mono_now();
	fc_waits_check(f->waits);
	fc_meshes_check(f->meshes);
}
