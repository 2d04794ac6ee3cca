#ifndef VSWITCHD_VS_SYNC_H
#define VSWITCHD_VS_SYNC_H
/*
 * Between fabricd and the model: watches the tables, puts each update in force and acknowledges it;
 * reports who is attached, what the counters say and which backends the probes found healthy. While
 * fabricd is gone the switch forwards as before (fail-static); a new one, a gap or an update that
 * was refused starts with a snapshot.
 *
 * Loop thread only.
 */
#include "vswitchd/vs_prober.h"

struct fab_loop;
struct fab_rpc_client;

#define VS_SYNC_REPORT_MS 1000 /* between two reports of a port's counters, at least */
#define VS_SYNC_RETRY_MS  1000 /* after an update that was refused */

struct vs_sync_conf {
	struct fab_loop *loop;
	struct fab_rpc_client *client;  /* to fabricd; borrowed */
	struct vs_model *model;         /* borrowed */
	struct vs_engine *engine;       /* borrowed; NULL: nothing is counted */
	const struct vs_prober *prober; /* borrowed; NULL: nobody is probed */
	const char *host;               /* name of this vswitchd */
	const char *listen_url;         /* where it serves Node; NULL: nowhere */
	uint64_t started_us;
	/* A new set of tables is in force; may be NULL. */
	void (*applied)(void *ctx);
	void *ctx;
};

struct vs_sync_stats {
	uint64_t updates, snapshots, refused;
};

struct vs_sync;

/* Strings of conf are copied. */
int vs_sync_new(struct vs_sync **out, const struct vs_sync_conf *conf);
void vs_sync_free(struct vs_sync *s); /* NULL is fine */

/* A port was plugged in or pulled out: reported at once. */
void vs_sync_changed(struct vs_sync *s, const char *name);
/* A finding that has changed: reported at once. */
void vs_sync_found(struct vs_sync *s, const struct vs_finding *f);
/* The newest tables that we were told of are in force, all of them. */
bool vs_sync_current(const struct vs_sync *s);
const struct vs_sync_stats *vs_sync_stats(const struct vs_sync *s);

#endif
