#ifndef FABRICD_FC_COND_H
#define FABRICD_FC_COND_H
/*
 * The conditions about the ways of packets: what routers know, what trace says, where
 * load balancers send. Errors as
 * fc_expr_holds(); negation is the caller's.
 */
#include "fabricd/fc_converge.h"

int fc_cond_knows(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX]);
int fc_cond_trace(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX]);
int fc_cond_backend(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX]);
int fc_cond_symmetric(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX]);
/* Without names it tries every pair of at most FC_COND_LOOP_ENDS endpoints; FAB_ETOOBIG above. */
#define FC_COND_LOOP_ENDS 64
int fc_cond_loop(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX]);

#endif
