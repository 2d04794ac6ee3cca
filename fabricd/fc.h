#ifndef FABRICD_FC_H
#define FABRICD_FC_H
/*
 * One fabric: the resources, the model built from them, the layers behind the NICs, the nodes and
 * what they last said, the log. All modules of fabricd work on this struct; all of it belongs to
 * the loop's thread. fc_new() makes an empty fabric, fc_open() fills it from a store.
 *
 * What hangs together: doc -> topo (built from it, see fc_hold.h) -> layers (bound to it) and nodes
 * (indexes into it). fc_swap() is the only place that replaces them.
 */
#include "fabricd/fc_eff.h"
#include "fabricd/fc_events.h"
#include "fabricd/fc_layers.h"
#include "fabricd/fc_store.h"
#include "fabricd/fc_timeline.h"
#include "fabricd/fc_url.h"
#include "lib/clock.h"
#include "lib/conn.h"
#include "lib/loop.h"
#include "lib/topo.h"

#define FC_NAME "fabricd"

struct fc_conf {
	struct fc_urls urls;
	const struct fab_tls *tls; /* for calls to nodes; NULL: none */
	const char *listen_url;    /* for Ps; may be NULL */
};

struct fc {
	struct fab_loop *loop;
	struct fc_conf conf;
	struct fc_store *store; /* NULL: nothing is kept (tests) */
	uint64_t revision;      /* of the resources */
	uint64_t generation; /* last one given to a node; starts at the clock, so it never falls */
	struct topo_doc *doc;
	struct topo *topo; /* never NULL */
	struct fc_layers *layers;
	struct fc_events *events;
	struct fc_timeline *timeline;
	struct fc_nodes *nodes;
	struct fc_links *links;
	struct fc_carrier *carrier;
	struct fc_faults *faults;
	struct fc_waits *waits;
	struct fc_holds *holds; /* in front of topo */
	struct fc_capacity *capacity;
	struct fc_outages *outages;
	struct fc_listing *listing;
	struct fc_lag *lag; /* in front of the layers */
	struct fc_meshes *meshes;
	struct fc_switch *sw; /* the tables of vswitchd */
	uint64_t started_us;
	struct fab_mono started, last_change; /* of anything that `converged` waits to calm down */
	uint64_t batches, routes;             /* counters: route batches and their prefixes */
};

/* What conf leads to is borrowed. */
int fc_new(struct fc **out, struct fab_loop *loop, const struct fc_conf *conf);
/* After the RPC server was freed: that tells f of the end of its streams. Calls that still wait for
 * something are answered. */
void fc_free(struct fc *f);

/* Opens the store, which then belongs to f, and takes its resources into force. why gets one line.
 * A store whose resources this program refuses is FAB_EINVAL. */
int fc_open(struct fc *f, const char *path, char why[static FC_STORE_WHY_MAX]);
bool fc_empty(const struct fc *f);

/* Puts doc (NULL: the present one) and the model built from it into force; both then belong to f.
 * FAB_ENOMEM: nothing changed, both are still the caller's. */
int fc_swap(struct fc *f, struct topo_doc *doc, struct topo *topo);

/* Something changed that a waiter may wait for: its condition is looked at again at the end of this
 * turn. moved: routes, sessions or configuration moved, so the quiet time starts again. */
void fc_touch(struct fc *f, bool moved);

#endif
