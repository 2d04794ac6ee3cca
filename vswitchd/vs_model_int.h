#ifndef VSWITCHD_VS_MODEL_INT_H
#define VSWITCHD_VS_MODEL_INT_H
/*
 * Inside of struct vs_model, for vs_model.c and vs_lookup.c.
 */
#include "vswitchd/vs_stage.h"

#include <pthread.h>

struct vs_model {
	pthread_mutex_t lock;
	struct vs_set *now;                                 /* written under the lock */
	uint64_t ports_revision;                            /* likewise */
	uint64_t links_revision;                            /* likewise */
	uint64_t generation;                                /* loop thread */
	struct vs_stage *incoming;                          /* NULL: between updates */
	void (*watch)(void *ctx, const struct vs_set *set); /* NULL: nobody */
	void *watch_ctx;
	bool need_snapshot; /* nothing yet, or an update was refused */
};

#endif
