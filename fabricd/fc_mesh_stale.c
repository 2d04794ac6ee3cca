/*
 * Routes to what is dead: of all active routes of all NICs those whose next hop nobody takes any
 * more.
 */
#include "fabricd/fc_faults.h"
#include "fabricd/fc_layers_int.h"
#include "fabricd/fc_mesh.h"
#include "fabricd/fc_nodes.h"
#include "lib/err.h"

#include <stdlib.h>

struct search {
	const struct fc *f;
	fc_stale_fn *fn;
	void *ctx;
};

static bool
node_is_down(const struct fc *f, const char *name)
{
	const struct fc_node *n = fc_node_find(f->nodes, name);

	return fc_faults_down(f->faults, name) != FC_DOWN_NOT ||
	       (n != NULL && n->seen && !fc_node_connected(n));
}

static bool
none_is_healthy(const struct fc *f, const struct topo_load_balancer *l)
{
	for (size_t i = 0; i < l->n_backends; i++)
		if (fc_backend_is_healthy(f->layers, l, l->backends[i]))
			return false;
	return true;
}

/* An NVA, or a load balancer, in the NIC's VNet or one that is peered with it (UDR-3). */
static const char *
dead_appliance(const struct fc *f, const struct fc_sys *sys, int own_vnet, uint32_t hop)
{
	const struct fc_sys_route *direct = fc_sys_direct(sys, hop);
	int vnet = direct == NULL ? -1 : direct->peer_vnet >= 0 ? direct->peer_vnet : own_vnet;
	int nic = vnet >= 0 ? topo_find_nic_by_ip(f->topo, vnet, hop) : -1;
	int lb = vnet >= 0 && nic < 0 ? topo_find_balancer_by_ip(f->topo, vnet, hop) : -1;

	if (nic >= 0 && f->topo->nics[nic].nva >= 0 &&
	    fc_node_is_dead(f->layers, f->topo->nics[nic].name))
		return f->topo->nics[nic].name;
	if (lb >= 0 && none_is_healthy(f, &f->topo->balancers[lb]))
		return f->topo->balancers[lb].name;
	return NULL;
}

/* An MSEE (ER-19) or an instance of a VPN gateway (VPN-14). */
static const char *
dead_platform(const struct fc *f, uint32_t hop)
{
	const struct topo *t = f->topo;

	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct topo_node *n = &t->nodes[i];
		bool msee = n->kind == TOPO_NODE_MSEE &&
			    t->circuits[n->index].nic_next_hop[n->instance] == hop;
		bool vpn = n->kind == TOPO_NODE_VPN_GATEWAY &&
			   t->gateways[n->index].ip[n->instance] == hop;

		if ((msee || vpn) && node_is_down(f, n->name))
			return n->name;
	}
	return NULL;
}

static const char *
dead_hop(const struct fc *f, int nic, const struct fc_eff_route *r, uint32_t hop)
{
	const struct topo_nic *n = &f->topo->nics[nic];

	if (r->source == FC_SRC_USER || r->bgp_source == HRP_SRC_NVA)
		return dead_appliance(f, &f->layers->sys[n->vnet], n->vnet, hop);
	return dead_platform(f, hop);
}

static void
look_at_row(struct search *s, int nic, const struct fc_eff_route *r)
{
	for (size_t i = 0; i < r->n_next_hops && r->state == FC_ACTIVE; i++) {
		const char *node = dead_hop(s->f, nic, r, r->next_hops[i]);

		if (node != NULL)
			s->fn(s->ctx, &(struct fc_stale){ .nic = s->f->topo->nics[nic].name,
					  .node = node,
					  .route = r,
					  .next_hop = r->next_hops[i] });
	}
}

int
fc_stale_each(const struct fc *f, fc_stale_fn *fn, void *ctx)
{
	struct search s = { f, fn, ctx };
	int err;

	for (size_t i = 0; i < f->topo->n_nics; i++) {
		struct fc_eff_route *rows = NULL;
		size_t n = 0;

		err = fc_eff_list(f->layers, (int)i, &rows, &n);
		if (err == FAB_ECLOSED) /* EFF-18 */
			continue;
		if (err != FAB_OK)
			return err;
		for (size_t k = 0; k < n; k++)
			look_at_row(&s, (int)i, &rows[k]);
		free(rows);
	}
	return FAB_OK;
}
