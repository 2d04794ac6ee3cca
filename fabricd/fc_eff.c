/*
 * Effective routes of a NIC: Azure's names and the listing of section 5.5.
 */
#include "fabricd/fc_eff.h"

#include "fabricd/fc_layers_int.h"
#include "lib/err.h"

#include <stdlib.h>

const char *
fc_source_name(enum fc_source s)
{
	static const char *const names[] = {
		[FC_SRC_DEFAULT] = "Default",
		[FC_SRC_GATEWAY] = "VirtualNetworkGateway",
		[FC_SRC_USER] = "User",
	};

	return names[s];
}

const char *
fc_state_name(enum fc_state s)
{
	return s == FC_ACTIVE ? "Active" : "Invalid";
}

const char *
fc_hop_name(enum fc_hop h)
{
	static const char *const names[] = {
		[FC_HOP_VNET_LOCAL] = "VnetLocal",
		[FC_HOP_VNET_PEERING] = "VNetPeering",
		[FC_HOP_VNET_GLOBAL_PEERING] = "VNetGlobalPeering",
		[FC_HOP_INTERNET] = "Internet",
		[FC_HOP_NONE] = "None",
		[FC_HOP_VIRTUAL_APPLIANCE] = "VirtualAppliance",
		[FC_HOP_GATEWAY] = "VirtualNetworkGateway",
		[FC_HOP_SERVICE_ENDPOINT] = "VirtualNetworkServiceEndpoint",
	};

	return names[h];
}

struct listing {
	const struct fc_view *v;
	struct fc_eff_route *rows;
	size_t n;
};

static bool
has(const struct fc_lpm *t, struct ipnet net)
{
	return t != NULL && fc_lpm_slot(t, net) != NULL;
}

static void
list_system(struct listing *out)
{
	const struct fc_view *v = out->v;

	for (size_t i = 0; i < v->sys->n; i++) {
		const struct fc_sys_route *r = &v->sys->v[i];
		struct fc_eff_route *row = &out->rows[out->n];

		if (r->hop == FC_HOP_NONE && v->default_overridden)
			continue; /* SYS-5 */
		if (!fc_hop_is_vnet(r->hop) && has(v->bgp, r->prefix))
			continue; /* EFF-14: replaced, with a UDR beside it or not */
		fc_view_sys_row(row, r);
		if (has(v->user, r->prefix))
			row->state = FC_INVALID; /* EFF-13 */
		out->n++;
	}
}

static void
list_bgp(struct listing *out)
{
	const struct fc_view *v = out->v;
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	if (v->bgp == NULL)
		return;
	fc_lpm_walk(&it, v->bgp, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit)) {
		struct fc_eff_route *row = &out->rows[out->n];

		if (fc_sys_suppressor(v->sys, hit.net) != NULL)
			continue; /* EFF-7, EFF-17 */
		fc_view_bgp_row(v, row, hit);
		if (has(v->user, hit.net))
			row->state = FC_INVALID; /* EFF-13 */
		out->n++;
	}
}

static void
list_user(struct listing *out)
{
	const struct fc_view *v = out->v;

	if (v->user == NULL)
		return;
	for (size_t i = 0; i < v->l->topo->tables[v->table].n_routes; i++)
		fc_view_user_row(v, &out->rows[out->n++], i);
}

static bool
nic_runs(const struct topo *t, int nic)
{
	int vm = t->nics[nic].vm;

	return vm < 0 || t->vms[vm].running;
}

int
fc_eff_list(const struct fc_layers *l, int nic, struct fc_eff_route **rows, size_t *n)
{
	struct fc_view v;
	struct listing out = { .v = &v };
	size_t max;

	if (!nic_runs(l->topo, nic))
		return FAB_ECLOSED; /* EFF-18 */
	fc_view_nic(&v, l, nic);
	max = v.sys->n + (v.bgp != NULL ? v.bgp->count : 0) +
	      (v.table >= 0 ? l->topo->tables[v.table].n_routes : 0);
	if ((out.rows = malloc((max + 1) * sizeof(*out.rows))) == NULL)
		return FAB_ENOMEM;
	list_system(&out);
	list_bgp(&out);
	list_user(&out);
	*rows = out.rows;
	*n = out.n;
	return FAB_OK;
}

bool
fc_eff_propagation_disabled(const struct topo *t, int nic)
{
	const struct topo_nic *c = &t->nics[nic];
	int table = t->vnets[c->vnet].subnets[c->subnet].route_table;

	return table >= 0 && t->tables[table].disable_bgp_route_propagation;
}

bool
fc_eff_lookup(const struct fc_layers *l, int nic, uint32_t addr, struct fc_eff_route *out)
{
	struct fc_view v;

	fc_view_nic(&v, l, nic);
	if (addr == IPADDR_PLATFORM)
		fc_view_only_system(&v);
	return fc_view_lookup(&v, (struct ipnet){ addr, 32 }, out);
}
