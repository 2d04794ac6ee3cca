#ifndef FABRICD_FC_CONVERGE_H
#define FABRICD_FC_CONVERGE_H
/*
 * Whether a condition (fc_expr.h) holds now. Reads the fabric, changes nothing. What needs the
 * nodes' answers (fc_expr_asks()) is not decided here: see fc_wait.
 */
#include "fabricd/fc_expr.h"
#include "fabricd/fc_nodes.h"

#define FC_WHY_MAX 256

/* All of fc_expr.h's "converged". Otherwise why says what is missing first, and *recheck_ms is set
 * when only the passing of time can make it true. */
bool fc_converged(const struct fc *f, char why[static FC_WHY_MAX], uint64_t *recheck_ms);

/* All of its "settled", the same way. */
bool fc_settled(const struct fc *f, char why[static FC_WHY_MAX], uint64_t *recheck_ms);

/* Any condition that no node has to be asked about. FAB_ENOENT: it names something that does not
 * exist. */
int fc_expr_holds(const struct fc *f, const struct fc_expr *e, bool *holds,
    char why[static FC_WHY_MAX], uint64_t *recheck_ms);

#endif
