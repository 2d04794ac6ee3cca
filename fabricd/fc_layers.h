#ifndef FABRICD_FC_LAYERS_H
#define FABRICD_FC_LAYERS_H
/*
 * The three shared layers behind every NIC's effective routes: user (one per route table), BGP (one
 * per gateway scope and instance), system (one per VNet). A NIC is a reference into them; nothing
 * is stored per NIC. Next hops are indirect (route -> next-hop group), so losing an NVA is one
 * write per group.
 *
 * The BGP layer of a scope is fed by reporters. With a Route Server in the scope these are its two
 * instances, each feeding the table of its own number (RS-66); without one they are all gateway
 * instances of the VNet, each feeding both tables, and hrp_select() chooses between them (ER-23).
 */
#include "fabricd/fc_health.h"
#include "lib/hrp.h"

struct fc_layers;

int fc_layers_new(struct fc_layers **out);
void fc_layers_free(struct fc_layers *l);

/* Rebuilds system and user layers from t (borrowed until the next bind) and keeps the BGP routes of
 * every scope (by VNet name) and reporter (by node name) that still exists. */
int fc_layers_bind(struct fc_layers *l, const struct topo *t);
/* Into layers that are bound to the same topology: routes and states of all reporters. */
int fc_layers_copy_routes(struct fc_layers *to, const struct fc_layers *from);
const struct topo *fc_layers_topo(const struct fc_layers *l);

/* Routes that share all but the prefix, as fab.v1.RouteGroup. Arrays are borrowed. */
struct fc_route_group {
	enum hrp_source source;
	const uint32_t *next_hops;
	size_t n_next_hops;
	const uint32_t *as_path;
	size_t n_as_path;
	uint32_t weight;
	const uint32_t *addr; /* n prefixes */
	const uint8_t *len;
	size_t n;
	const char *peer;
};

struct fc_route_batch {
	const struct fc_route_group *groups;
	size_t n_groups;
	const uint32_t *withdrawn_addr;
	const uint8_t *withdrawn_len;
	size_t n_withdrawn;
};

/* A reporter is the node name of a Route Server or gateway instance. FAB_ENOENT: no such reporter
 * in the topology (its routes are ignored). apply returns in *changed how many (scope, instance,
 * prefix) entries changed their outcome. */
int fc_layers_snapshot_begin(struct fc_layers *l, const char *reporter);
int fc_layers_apply(
    struct fc_layers *l, const char *reporter, const struct fc_route_batch *b, size_t *changed);
/* Drops what the reporter said before the snapshot began and did not repeat. */
int fc_layers_snapshot_end(struct fc_layers *l, const char *reporter, size_t *changed);

/* connected: its report stream is there; converged: it has all its sessions and their first tables,
 * or has waited for them long enough. A Route Server instance serves its NICs from the time it has
 * been converged until it disconnects; before and after that its sibling does if it can (RS-66,
 * RS-93). An instance that loses a session keeps its NICs, which then miss these routes (RS-94).
 * With both gone the last routes stay (RS-95). A gateway instance that is not connected loses its
 * routes unless all are gone (VPN-18); until the first one has connected, all count. */
void fc_layers_reporter_state(
    struct fc_layers *l, const char *reporter, bool connected, bool converged);
/* Whether every reporter of the topology is connected and has been converged since. */
bool fc_layers_settled(const struct fc_layers *l);

/* What nvad processes know, so that trace follows an NVA's own forwarding: longest match in the
 * last reported table of the NVA or site. peer receives the node name of the next router ("" = its
 * own origination or delivered locally). False: nothing known (also for foreign software). */
int fc_layers_router_apply(struct fc_layers *l, const char *node, const struct fc_route_batch *b,
    bool snapshot_begin, bool snapshot_end);
bool fc_layers_router_lookup(const struct fc_layers *l, const char *node, uint32_t addr,
    struct ipnet *prefix, const char **peer);
void fc_layers_router_gone(struct fc_layers *l, const char *node);
/* A router whose process is gone still forwards by its last table as long as its machine stands:
 * its kernel does. stands is asked for that, with the node's name; without it, or without packets,
 * the process is the machine. */
void fc_layers_set_machines(
    struct fc_layers *l, bool (*stands)(void *ctx, const char *node), void *ctx);

/* What is broken beside the layers (fc_faults.h); trace asks. Members may be NULL. */
struct fc_layer_faults {
	bool (*is_down)(void *ctx, const char *node); /* dead or hung, as was announced */
	bool (*is_cut)(void *ctx, const char *from, const char *to);
	bool (*session_is_down)(void *ctx, const char *a, const char *b); /* says a */
	void *ctx;
};
void fc_layers_set_faults(struct fc_layers *l, const struct fc_layer_faults *faults); /* copied */

/* Whether a load balancer sends packets to that backend, a NIC (RS-57): while its machine runs and
 * probes find it healthy; while nothing is known by probes, if its NIC is not cut and it has not
 * lost its router process. */
bool fc_backend_is_healthy(const struct fc_layers *l, const struct topo_load_balancer *lb, int nic);
/* What probes found last; NULL: nothing yet, or it is not probed. */
const struct fc_health *fc_backend_health(
    const struct fc_layers *l, const struct topo_load_balancer *lb, int nic);
/* Probes found something. *changed: it is not what was known. FAB_ENOENT: no backend that is
 * probed.
 */
int fc_layers_health(struct fc_layers *l, const char *balancer, const char *backend,
    const struct fc_health *what, bool *changed);

/* Changes whenever any NIC's table may have changed. */
uint64_t fc_layers_generation(const struct fc_layers *l);
/* Octets held, for the benchmark and Stats. */
size_t fc_layers_memory(const struct fc_layers *l);

#endif
