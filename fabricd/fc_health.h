#ifndef FABRICD_FC_HEALTH_H
#define FABRICD_FC_HEALTH_H
/*
 * What health probes found, by load balancer and backend: what a vswitchd last said stays until it,
 * or the next one, says otherwise.
 */
#include "lib/topo.h"

#include <uthash.h>

#define FC_HEALTH_WHY_MAX 128

struct fc_health {
	UT_hash_handle hh; /* by key */
	char *key;         /* "BALANCER/BACKEND" */
	bool healthy;
	char why[FC_HEALTH_WHY_MAX]; /* it is not */
	uint64_t since_us;
};

void fc_health_free(struct fc_health **all);
/* Forgets backends that t does not probe. */
void fc_health_bind(struct fc_health **all, const struct topo *t);
/* NULL: not known. */
const struct fc_health *fc_health_find(
    const struct fc_health *all, const char *balancer, const char *backend);
/* Whether anything of it is new. FAB_ENOENT: t does not probe that backend; FAB_ENOMEM. */
int fc_health_put(struct fc_health **all, const struct topo *t, const char *balancer,
    const char *backend, const struct fc_health *what, bool *changed);

#endif
