#ifndef FABRICD_FC_OUTAGE_H
#define FABRICD_FC_OUTAGE_H
/*
 * Creating or deleting a Route Server interrupts the gateways of its VNet for a while (RS-11,
 * timing.delays.rs_change): their sessions with circuits and sites are down. Gateways elsewhere on
 * the same circuit go on.
 */
#include "fabricd/fc.h"

struct fc_outages;

int fc_outages_new(struct fc_outages **out, struct fc *f);
void fc_outages_free(struct fc_outages *o);

/* Marks the gateways of t that are interrupted, because t has a Route Server more or less than what
 * is in force, or did lately. Before t is put into force. */
void fc_outages_mark(struct fc_outages *o, struct topo *t);
/* The VNet with an interruption that ends first, and when; NULL: none. */
const char *fc_outages_pending(const struct fc_outages *o, uint64_t *ms);

#endif
