#ifndef VSWITCHD_VS_PROBER_H
#define VSWITCHD_VS_PROBER_H
/*
 * Who sends the health probes (vs_probe.h) to the targets of the model, as 168.63.129.16, and says
 * what they found. It is at the other end of the engine's platform interface (vs_platform.h), so a
 * probe is a packet: captures show it, links hold it, and what the guest does with it counts.
 *
 * Nothing is said of a backend before its first threshold of results, so that whoever knows what an
 * earlier vswitchd found may stay with that; and a guest that was not plugged in yet, because its
 * helper is still on the way back to us, is not asked for VS_PROBER_ABSENT_MS. Loop thread only.
 */
#include "vswitchd/vs_engine.h"

#define VS_PROBER_ABSENT_MS  10000
#define VS_PROBER_TIMEOUT_MS 30000 /* for an answer, if the interval is longer */

struct fab_loop;
struct vs_prober;

struct vs_finding {
	const char *balancer, *backend;
	bool healthy;
	const char *why; /* not healthy: what was wrong with the last probe; else "" */
};

typedef void vs_finding_fn(void *ctx, const struct vs_finding *f);

struct vs_prober_conf {
	struct fab_loop *loop;
	const struct vs_model *model; /* borrowed, both */
	struct vs_engine *engine;
	vs_finding_fn *changed; /* a backend became healthy, or no longer is */
	void *ctx;
};

int vs_prober_new(struct vs_prober **out, const struct vs_prober_conf *conf);
void vs_prober_free(struct vs_prober *p); /* NULL is fine */

/* The model has other targets, or other ports, in force. */
void vs_prober_refresh(struct vs_prober *p);
/* What is known so far. */
void vs_prober_each(const struct vs_prober *p, vs_finding_fn *fn, void *ctx);

#endif
