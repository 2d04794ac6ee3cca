#ifndef FABRICD_FC_CARRIER_H
#define FABRICD_FC_CARRIER_H
/*
 * NICs that lose their link: the VM behind was stopped or crashed. Azure tells nobody; a Route
 * Server keeps the routes of a dead NVA until its hold timer expires (RS-91). With
 * timing.link_detect at_once, which Azure does not have, the platform tells the Route Servers and
 * gateways that are peers of the dead NVA, by Node.Fault, and they end these sessions at once. NVAs
 * and sites are never told: their sessions with it are not the platform's.
 *
 * A vswitchd that is gone says nothing about links, and what it has not had plugged in yet has lost
 * none: only who was attached and is not any more has.
 *
 * Without at_once a machine that loses its power must not say goodbye either: over TCP its packets
 * do not leave; sessions over NNG do not run through the fabric, so fabricd cuts them from the
 * moment that fabctl announces the fault until the NIC is plugged in again.
 */
#include "fabricd/fc.h"

struct fc_carrier;

int fc_carrier_new(struct fc_carrier **out, struct fc *f);
void fc_carrier_free(struct fc_carrier *c); /* NULL is fine */

/* The machine behind this node is about to lose its power. */
void fc_carrier_power_off(struct fc_carrier *c, const char *node);
/* vswitchd says that the NIC of this name was unplugged at that time, or plugged in. */
void fc_carrier_lost(struct fc_carrier *c, const char *nic, const char *host, uint64_t at_us);
void fc_carrier_found(struct fc_carrier *c, const char *nic);

/* Whether all links of this node count as cut. */
bool fc_carrier_is_dark(const struct fc_carrier *c, const char *node);

#endif
