#ifndef FABRICD_FC_HOLD_H
#define FABRICD_FC_HOLD_H
/*
 * Resources that have changed while the platform still works by what they were: a route table takes
 * a while to reach NICs (TIME-10), a new peering to become Connected, and its routes a while longer
 * (TIME-11, PEER-13). Until then fc.topo is built from a mix: those resources as they were, all
 * others as they are in fc.doc. Where such a mix cannot exist (what the old version needs is gone)
 * all is in force at once. Nothing of this is stored: a new fabricd begins with what is wanted.
 */
#include "fabricd/fc.h"

struct fc_holds;

int fc_holds_new(struct fc_holds **out, struct fc *f);
void fc_holds_free(struct fc_holds *h);

/* As fc_swap(), at once or bit by bit: doc and the model built from it. */
int fc_holds_swap(struct fc_holds *h, struct topo_doc *doc, struct topo *topo);
/* "route table rt" that is waited for, and how long; false: none. */
bool fc_holds_pending(const struct fc_holds *h, char what[static 96], uint64_t *ms);

#endif
