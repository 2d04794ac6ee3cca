#ifndef FABCTL_CH_CELL_H
#define FABCTL_CH_CELL_H
/*
 * One cell of the matrix: break, wait until everybody has settled, look, repair, and compare with
 * how it was.
 */
#include "fabctl/ch_fabric.h"

/* How a fabric was before any fault. */
struct ch_rest {
	struct ch_watch *watch;
	json_t *routes;
};

/* False: why of the fabric. */
bool ch_rest_take(struct ch_rest *out, struct ch_fabric *f);
void ch_rest_fini(struct ch_rest *r);

/* Results, as docs/chaos.md has them; the caller's. */
json_t *ch_rest_judge(struct ch_fabric *f, const struct ch_rest *r);
/* bound_ms: beyond the hold time, where only that finds the fault. *good: the fabric is as it was
 * and can be broken again. */
json_t *ch_cell_run(struct ch_fabric *f, const struct ch_rest *r, const struct ch_cell *cell,
    uint32_t bound_ms, bool *good);

#endif
