#ifndef FABRICD_FC_LAYERS_INT_H
#define FABRICD_FC_LAYERS_INT_H
/*
 * Inside of struct fc_layers, for the fc_* modules that resolve routes. Everyone else uses
 * fc_layers.h and fc_eff.h.
 */
#include "fabricd/fc_bgp.h"
#include "fabricd/fc_router.h"
#include "fabricd/fc_system.h"

struct fc_reach; /* fc_view.c */

struct fc_layers {
	const struct topo *topo;
	struct fc_sys *sys; /* per VNet */
	size_t n_sys;
	struct fc_lpm *user; /* per route table: prefix -> index of the UDR */
	size_t n_user;
	struct fc_bgp bgp;
	struct fc_router *routers;
	struct fc_health *health;                            /* of backends */
	bool (*machine_stands)(void *ctx, const char *node); /* NULL: processes are machines */
	void *machine_ctx;
	struct fc_layer_faults faults;
	struct fc_reach **reach; /* cache, emptied by every change */
	uint64_t generation;
};

/* Its process went away, and nothing forwards in its place. */
bool fc_router_is_dead(const struct fc_layers *l, const struct fc_router *r);
/* The same by name; foreign software, which reports nothing, as far as somebody announced it. */
bool fc_node_is_dead(const struct fc_layers *l, const char *node);

/* ---- fc_view.c: the layers as one subnet sees them ---- */

struct fc_view {
	const struct fc_layers *l;
	int vnet, scope;
	unsigned instance;
	int table;       /* route table or -1 */
	bool propagates; /* BGP routes reach this subnet (UDR-7) */
	bool starved;    /* but not this NIC (RS-23) */
	const struct fc_sys *sys;
	const struct fc_lpm *bgp;  /* NULL: no scope or no propagation */
	const struct fc_lpm *user; /* NULL: no route table */
	bool default_overridden;   /* SYS-5 */
};

void fc_view_nic(struct fc_view *v, const struct fc_layers *l, int nic);
/* As a NIC in that subnet would see it; subnet -1: without a route table. */
void fc_view_subnet(
    struct fc_view *v, const struct fc_layers *l, int vnet, int subnet, unsigned instance);

/* As the platform's own address is seen: by no route that anybody made or learned. */
void fc_view_only_system(struct fc_view *v);

/* Rows, all Active. */
void fc_view_sys_row(struct fc_eff_route *out, const struct fc_sys_route *r);
void fc_view_bgp_row(const struct fc_view *v, struct fc_eff_route *out, struct fc_lpm_hit hit);
void fc_view_user_row(const struct fc_view *v, struct fc_eff_route *out, size_t udr);

/* The route that carries all of net; for an address, net is a /32. */
bool fc_view_lookup(const struct fc_view *v, struct ipnet net, struct fc_eff_route *out);
/* The rule by which r carries net; static. */
const char *fc_view_rule(const struct fc_view *v, const struct fc_eff_route *r, struct ipnet net);

void fc_reach_clear(struct fc_reach **cache);
size_t fc_reach_memory(struct fc_reach *const *cache);

#endif
