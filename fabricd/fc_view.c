/*
 * The three layers as one subnet sees them, and the selection of section 5.4 for one address.
 */
#include "fabricd/fc_layers_int.h"

#include "lib/err.h"

#include <stdlib.h>

/* ---- reachable next hops (RS-57) ---- */

/* What is left of a group for one VNet, where that is not all or nothing of it. */
struct fc_reach {
	UT_hash_handle hh;
	uint64_t key; /* group and VNet */
	size_t n;
	const uint32_t *hops; /* the group's own or those below */
	uint32_t some[];
};

void
fc_reach_clear(struct fc_reach **cache)
{
	struct fc_reach *r, *tmp;

	HASH_ITER (hh, *cache, r, tmp) {
		HASH_DEL(*cache, r);
		free(r);
	}
}

size_t
fc_reach_memory(struct fc_reach *const *cache)
{
	return *cache != NULL
		   ? HASH_OVERHEAD(hh, *cache) + HASH_COUNT(*cache) * sizeof(struct fc_reach)
		   : 0;
}

/* Gateways are reached through the platform (ER-19, VPN-14); an NVA must be in this VNet or in one
 * peered with it directly, the Route Server's own being one of these. */
static bool
hop_reachable(const struct fc_sys *sys, const struct fc_group *g, uint32_t hop)
{
	if (g->key.source != HRP_SRC_NVA && g->key.source != HRP_SRC_UNKNOWN)
		return true;
	return fc_sys_direct(sys, hop) != NULL;
}

static struct fc_reach *
reach_new(const struct fc_sys *sys, const struct fc_group *g)
{
	struct fc_reach *r = calloc(1, sizeof(*r) + g->key.n_hops * sizeof(r->some[0]));

	if (r == NULL)
		return NULL;
	for (uint16_t i = 0; i < g->key.n_hops; i++)
		if (hop_reachable(sys, g, g->hops[i]))
			r->some[r->n++] = g->hops[i];
	r->hops = r->some;
	return r;
}

/* Remembered, because rows borrow the array and thousands of rows ask for the same group. NULL: out
 * of memory. */
static const struct fc_reach *
reach_get(const struct fc_view *v, const struct fc_group *g)
{
	struct fc_reach **cache = v->l->reach, *r;
	uint64_t key = (uint64_t)g->id << 32 | (uint32_t)v->vnet;

	HASH_FIND(hh, *cache, &key, sizeof(key), r);
	if (r != NULL || (r = reach_new(v->sys, g)) == NULL)
		return r;
	r->key = key;
	HASH_ADD(hh, *cache, key, sizeof(r->key), r);
	return r;
}

/* ---- rows ---- */

void
fc_view_sys_row(struct fc_eff_route *out, const struct fc_sys_route *r)
{
	*out = (struct fc_eff_route){ .source = FC_SRC_DEFAULT,
		.state = FC_ACTIVE,
		.hop = r->hop,
		.prefix = r->prefix,
		.route_table = -1,
		.peer_vnet = r->peer_vnet };
}

void
fc_view_bgp_row(const struct fc_view *v, struct fc_eff_route *out, struct fc_lpm_hit hit)
{
	const struct fc_group *g = fc_bgp_group(&v->l->bgp, hit.value);
	const struct fc_reach *r = reach_get(v, g);

	*out = (struct fc_eff_route){ .source = FC_SRC_GATEWAY,
		.state = FC_ACTIVE,
		.hop = FC_HOP_GATEWAY,
		.prefix = hit.net,
		.bgp_source = g->key.source,
		.route_table = -1,
		.peer_vnet = -1 };
	if (r != NULL && r->n > 0) {
		out->next_hops = r->hops;
		out->n_next_hops = r->n;
	} else {
		out->hop = FC_HOP_NONE; /* EFF-16 */
	}
}

void
fc_view_user_row(const struct fc_view *v, struct fc_eff_route *out, size_t udr)
{
	static const enum fc_hop hops[] = {
		[HOP_VIRTUAL_APPLIANCE] = FC_HOP_VIRTUAL_APPLIANCE,
		[HOP_VNET_GATEWAY] = FC_HOP_GATEWAY,
		[HOP_VNET_LOCAL] = FC_HOP_VNET_LOCAL,
		[HOP_INTERNET] = FC_HOP_INTERNET,
		[HOP_NONE] = FC_HOP_NONE,
	};
	const struct topo_udr *u = &v->l->topo->tables[v->table].routes[udr];

	*out = (struct fc_eff_route){ .source = FC_SRC_USER,
		.state = FC_ACTIVE,
		.hop = hops[u->hop],
		.prefix = u->prefix,
		.name = u->name,
		.route_table = v->table,
		.peer_vnet = -1 };
	if (u->hop == HOP_VIRTUAL_APPLIANCE) {
		out->next_hops = &u->address;
		out->n_next_hops = 1;
	}
}

/* ---- views ---- */

static bool
has_default(const struct fc_lpm *t)
{
	return t != NULL && fc_lpm_slot(t, (struct ipnet){ 0, 0 }) != NULL;
}

void
fc_view_subnet(
    struct fc_view *v, const struct fc_layers *l, int vnet, int subnet, unsigned instance)
{
	const struct topo *t = l->topo;

	*v = (struct fc_view){ .l = l,
		.vnet = vnet,
		.scope = fc_scope_of(t, vnet),
		.instance = instance,
		.table = subnet >= 0 ? t->vnets[vnet].subnets[subnet].route_table : -1,
		.propagates = true,
		.sys = &l->sys[vnet] };
	if (v->table >= 0) {
		v->user = &l->user[v->table];
		v->propagates = !t->tables[v->table].disable_bgp_route_propagation;
	}
	if (v->propagates) /* UDR-7, RS-63, SYS-8: all of them or none */
		v->bgp = fc_bgp_table(&l->bgp, v->scope, instance);
	v->default_overridden = has_default(v->user) || has_default(v->bgp);
}

void
fc_view_nic(struct fc_view *v, const struct fc_layers *l, int nic)
{
	const struct topo_nic *n = &l->topo->nics[nic];

	fc_view_subnet(v, l, n->vnet, n->subnet, n->instance);
	if (!n->starved)
		return;
	v->starved = true;
	v->bgp = NULL; /* RS-23 */
	v->default_overridden = has_default(v->user);
}

void
fc_view_only_system(struct fc_view *v)
{
	v->user = v->bgp = NULL;
	v->default_overridden = false;
}

/* ---- selection ---- */

static const struct fc_sys_route *
longest_system(const struct fc_view *v, struct ipnet net)
{
	struct fc_lpm_hit hits[FC_LPM_DEPTH];
	size_t n = fc_lpm_match(&v->sys->lpm, net, hits);

	while (n-- > 0) {
		const struct fc_sys_route *r = &v->sys->v[hits[n].value];

		if (r->hop != FC_HOP_NONE || !v->default_overridden) /* SYS-5 */
			return r;
	}
	return NULL;
}

/* Longest prefix first (HRP-1); of equal ones user, then BGP, then system (EFF-6, UDR-8). BGP
 * routes as long as a VNet prefix around net, or longer, do not take part (EFF-7). */
bool
fc_view_lookup(const struct fc_view *v, struct ipnet net, struct fc_eff_route *out)
{
	const struct fc_sys_route *guard = fc_sys_suppressor(v->sys, net);
	const struct fc_sys_route *sys = longest_system(v, net);
	unsigned below = net.len + 1u, bgp_below = guard != NULL ? guard->prefix.len : below;
	struct fc_lpm_hit user, bgp;
	int user_len = -1, bgp_len = -1, sys_len = sys != NULL ? sys->prefix.len : -1;

	if (v->user != NULL && fc_lpm_longest(v->user, net.addr, below, &user))
		user_len = user.net.len;
	if (v->bgp != NULL && fc_lpm_longest(v->bgp, net.addr, bgp_below, &bgp))
		bgp_len = bgp.net.len;
	if (user_len >= 0 && user_len >= bgp_len && user_len >= sys_len)
		fc_view_user_row(v, out, user.value);
	else if (bgp_len >= 0 && bgp_len >= sys_len)
		fc_view_bgp_row(v, out, bgp);
	else if (sys != NULL)
		fc_view_sys_row(out, sys);
	else
		return false;
	return true;
}

static const char *
bgp_rule(const struct fc_eff_route *r)
{
	if (r->hop == FC_HOP_NONE)
		return "RS-57";
	switch (r->bgp_source) {
	case HRP_SRC_EXPRESS_ROUTE:
		return "ER-19";
	case HRP_SRC_VPN:
	case HRP_SRC_VPN_STATIC:
	case HRP_SRC_P2S:
		return "VPN-14";
	default:
		return r->n_next_hops > 1 ? "RS-60" : "RS-65";
	}
}

const char *
fc_view_rule(const struct fc_view *v, const struct fc_eff_route *r, struct ipnet net)
{
	static const char *const sys_rules[] = {
		[FC_HOP_VNET_LOCAL] = "SYS-1",
		[FC_HOP_VNET_PEERING] = "SYS-6",
		[FC_HOP_VNET_GLOBAL_PEERING] = "SYS-6",
		[FC_HOP_INTERNET] = "SYS-2",
		[FC_HOP_NONE] = "SYS-3",
		[FC_HOP_SERVICE_ENDPOINT] = "SYS-7",
	};
	struct fc_lpm_hit hit;

	if (r->source == FC_SRC_USER)
		return "EFF-6";
	if (r->source == FC_SRC_GATEWAY)
		return bgp_rule(r);
	if (fc_hop_is_vnet(r->hop) && v->bgp != NULL &&
	    fc_lpm_longest(v->bgp, net.addr, net.len + 1u, &hit) && hit.net.len >= r->prefix.len)
		return "EFF-7"; /* BGP would have had it */
	return sys_rules[r->hop];
}
