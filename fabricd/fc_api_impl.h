#ifndef FABRICD_FC_API_IMPL_H
#define FABRICD_FC_API_IMPL_H
/*
 * What the fc_api*.c files share; nobody else includes this.
 */
#include "fabricd/fc_api.h"
#include "fabricd/fc_linkset.h"
#include "fabricd/fc_mem.h"
#include "fabricd/fc_switch.h"
#include "proto/fabric.pb-c.h"

/* Sends what was built in mem, or RESOURCE_EXHAUSTED if that failed; frees mem. */
void fc_api_reply(struct fab_rpc_call *call, struct fc_mem *mem, const ProtobufCMessage *reply);

/* fc_api.c: resources, waiting, faults */
fab_rpc_unary_fn fc_api_apply, fc_api_get, fc_api_set, fc_api_delete, fc_api_wait,
    fc_api_note_fault, fc_api_note_probe;

/* fc_api_links.c */
fab_rpc_unary_fn fc_api_link, fc_api_links;
/* One direction, or (not one_way) both, of a link; the names are borrowed. */
void fc_api_fill_link(Fab__V1__LinkInfo *out, enum fc_link_kind kind, const char *from,
    const char *to, const struct fc_link_state *s, bool one_way);

/* fc_api_servers.c: Route Servers as resources, and their tables */
fab_rpc_unary_fn fc_api_peerings;
/* Answers with the effective routes of the Route Server of that name; false: there is none. */
bool fc_api_server_routes(struct fc *f, struct fab_rpc_call *call, const char *name);

/* fc_api_routes.c: what packets of a NIC do */
fab_rpc_unary_fn fc_api_routes_effective, fc_api_next_hop, fc_api_explain, fc_api_trace;

/* fc_api_mesh.c */
fab_rpc_unary_fn fc_api_stale;
fab_rpc_open_fn fc_api_reach;

/* fc_api_nodes.c: processes, and what they know */
fab_rpc_unary_fn fc_api_ps, fc_api_routes_learned, fc_api_routes_advertised, fc_api_gateway_learned,
    fc_api_gateway_advertised, fc_api_gateway_peers, fc_api_server_peers, fc_api_circuit_routes,
    fc_api_router_routes;

/* fc_api_nics.c: what the packet path says */
fab_rpc_unary_fn fc_api_nics, fc_api_backends;
/* A vswitchd as a process. */
void fc_api_fill_switch(
    struct fc_mem *mem, Fab__V1__NodeInfo *out, const struct fc *f, const struct fc_switch_host *h);

/* fc_api_events.c */
fab_rpc_unary_fn fc_api_timeline;
fab_rpc_open_fn fc_api_events;

#endif
