#ifndef FABRICD_FC_CAPACITY_H
#define FABRICD_FC_CAPACITY_H
/*
 * How many VMs each Route Server serves (RS-12): as many as its routing infrastructure units allow,
 * in its VNet and all that are peered with it. More of them make it scale out, which takes a while
 * (timing.delays.scale_out, TIME-19). Until then those that came last have no routes of it (RS-23,
 * OPEN-19, SC-L); above the most units that Azure has they never get any.
 */
#include "fabricd/fc.h"

struct fc_capacity;

int fc_capacity_new(struct fc_capacity **out, struct fc *f);
void fc_capacity_free(struct fc_capacity *c);

/* Marks the NICs of t that have to wait. Before t is put into force. */
void fc_capacity_mark(struct fc_capacity *c, struct topo *t);
/* Units of that Route Server now; 0: there is none. */
uint32_t fc_capacity_units(const struct fc_capacity *c, const char *server);
/* A Route Server that scales out while NICs wait, and how long still; NULL: none. */
const char *fc_capacity_pending(const struct fc_capacity *c, uint64_t *ms);

#endif
