#ifndef FABCTL_CTL_WIRE_H
#define FABCTL_CTL_WIRE_H
/*
 * Tables of BGP routes and peers, from protobuf to the JSON that az prints for the same question.
 * All return new values, the caller's; out of memory ends the program.
 */
#include "proto/fabric.pb-c.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* {"RouteServiceRole_IN_0": [...], "RouteServiceRole_IN_1": [...]}; a peer that is down gives empty
 * lists (RS-113). */
json_t *ctl_wire_learned(const Fab__V1__InstanceRoutes *m);
json_t *ctl_wire_advertised(const Fab__V1__InstanceRoutes *m);

/* {"value": [...]} over all instances. */
json_t *ctl_wire_gateway_learned(const Fab__V1__InstanceRoutes *m);
json_t *ctl_wire_gateway_advertised(const Fab__V1__InstanceRoutes *m);
json_t *ctl_wire_gateway_peers(const Fab__V1__InstancePeers *m, uint64_t now_us);
/* star: "*" behind the next hop of best routes (ER-15), for people. */
json_t *ctl_wire_circuit(const Fab__V1__InstanceRoutes *m, bool star);
json_t *ctl_wire_router(const Fab__V1__InstanceRoutes *m);

/* {name: value} */
json_t *ctl_wire_counters(Fab__V1__Counter *const *rows, size_t n);

/* "65515-65001": AS numbers joined by sep. malloc()ed. */
char *ctl_as_path(const uint32_t *asn, size_t n, char sep);

#endif
