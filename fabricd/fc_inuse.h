#ifndef FABRICD_FC_INUSE_H
#define FABRICD_FC_INUSE_H
/*
 * What a change of one resource would take away from under others (ERR-12). Azure refuses that by
 * codes of its own; a whole file is different, there what uses a thing may change together with it.
 */
#include "lib/topo.h"

/* The resource is about to become what `to` has of it. Adds an error for each use in the way. */
void fc_inuse_check(const struct topo *now, const struct topo_doc *to, enum topo_kind kind,
    const char *name, struct topo_errors *errs);

#endif
