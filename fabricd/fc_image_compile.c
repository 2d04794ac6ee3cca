/*
 * What the tables and ports of an image hold: the layers and the topology, translated.
 */
#include "fabricd/fc_cover.h"
#include "fabricd/fc_image_int.h"
#include "lib/err.h"

#include <stdlib.h>

/* ---- groups ---- */

static struct fc_img_group *
drop(struct fc_img_build *b, enum fc_img_drop reason)
{
	return fc_img_group(
	    b->img, (struct fc_img_key){ .kind = FC_IMG_DROP, .reason = reason }, NULL);
}

static struct fc_img_group *
deliver(struct fc_img_build *b, int vnet)
{
	return fc_img_group(b->img,
	    (struct fc_img_key){ .kind = FC_IMG_DELIVER, .table = b->img->owners[vnet] }, NULL);
}

static struct fc_img_group *
deliver_in_peer(struct fc_img_build *b, int vnet, int from)
{
	return fc_img_group(b->img,
	    (struct fc_img_key){
		.kind = FC_IMG_DELIVER, .table = fc_img_owners_for(b->img, vnet, from) },
	    NULL);
}

static struct fc_img_group *
members(struct fc_img_build *b, enum fc_img_kind kind, const uint32_t *v, size_t n)
{
	return fc_img_group(
	    b->img, (struct fc_img_key){ .kind = kind, .n_members = (uint32_t)n }, v);
}

/* ---- system: SYS-1 ... SYS-7, PEER-2 ---- */

static struct fc_img_group *
system_group(struct fc_img_build *b, int vnet, const struct fc_sys_route *r)
{
	switch (r->hop) {
	case FC_HOP_VNET_LOCAL:
		return deliver(b, vnet);
	case FC_HOP_VNET_PEERING:
	case FC_HOP_VNET_GLOBAL_PEERING:
		return deliver_in_peer(b, r->peer_vnet, vnet);
	case FC_HOP_INTERNET:
		return fc_img_internet(b);
	case FC_HOP_NONE:
		return drop(b, FC_IMG_NONE_ROUTE);
	default:
		return drop(b, FC_IMG_NOT_CARRIED);
	}
}

static void
compile_system(struct fc_img_build *b, int vnet)
{
	const struct fc_sys *s = &b->img->l->sys[vnet];
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, &s->lpm, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		fc_img_add(b, hit.net, system_group(b, vnet, &s->v[hit.value]));
}

/* ---- user: UDR-1 ... UDR-5 ---- */

/* Whether an entry means something else in each VNet. */
static bool
depends_on_vnet(const struct topo_route_table *t)
{
	for (size_t i = 0; i < t->n_routes; i++)
		if (t->routes[i].hop == HOP_VNET_LOCAL || t->routes[i].hop == HOP_VNET_GATEWAY)
			return true;
	return false;
}

static struct fc_img_group *
user_group(struct fc_img_build *b, int vnet, const struct topo_udr *u)
{
	switch (u->hop) {
	case HOP_VIRTUAL_APPLIANCE: /* UDR-3 */
		return members(b, FC_IMG_VIA, &u->address, 1);
	case HOP_VNET_LOCAL:
		return deliver(b, vnet);
	case HOP_INTERNET:
		return fc_img_internet(b);
	case HOP_NONE: /* UDR-4 */
		return drop(b, FC_IMG_NONE_ROUTE);
	case HOP_VNET_GATEWAY:
		return fc_img_far_gateway(b, vnet);
	}
	return drop(b, FC_IMG_NOT_CARRIED);
}

static void
compile_user(struct fc_img_build *b, int table, int vnet)
{
	const struct topo_route_table *t = &b->img->l->topo->tables[table];
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, &b->img->l->user[table], (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		fc_img_add(b, hit.net, user_group(b, vnet, &t->routes[hit.value]));
}

/* ---- BGP: RS-60 ... RS-66 ---- */

/* Which of several NVAs can be reached at all is for the sender's VNet to say (RS-57, EFF-16). */
static struct fc_img_group *
bgp_group(struct fc_img_build *b, const struct fc_group *g)
{
	if (g->key.n_hops == 0)
		return drop(b, FC_IMG_UNREACHABLE);
	if (g->key.source == HRP_SRC_NVA || g->key.source == HRP_SRC_UNKNOWN)
		return members(b, FC_IMG_VIA, g->hops, g->key.n_hops);
	return fc_img_far_hops(b, g);
}

static void
compile_bgp(struct fc_img_build *b, int scope, int instance)
{
	const struct fc_bgp *bgp = &b->img->l->bgp;
	const struct fc_lpm *t = fc_bgp_table(bgp, scope, (unsigned)instance);
	const struct fc_group *last = NULL, *g;
	struct fc_img_group *to = NULL;
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	if (t == NULL)
		return;
	fc_lpm_walk(&it, t, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit)) {
		g = fc_bgp_group(bgp, hit.value);
		if (g != last) /* thousands of neighbours share one */
			to = bgp_group(b, g);
		last = g;
		fc_img_add(b, hit.net, to);
	}
}

/* ---- owners ---- */

static bool
is_alive(const struct fc_layers *l, const char *nva)
{
	const struct fc_router *r = fc_router_find(l->routers, nva);

	return r == NULL || !r->gone;
}

/* The NVA behind a NIC in vnet that takes part in what NVAs own there; NULL: none. */
static const struct topo_nva *
owning_nva(const struct fc_layers *l, size_t nic, int vnet)
{
	const struct topo_nic *n = &l->topo->nics[nic];

	return n->vnet == vnet && n->nva >= 0 && is_alive(l, n->name) ? &l->topo->nvas[n->nva]
								      : NULL;
}

static bool
owns_all(const struct topo_nva *nva, struct ipnet net)
{
	for (size_t i = 0; i < nva->owns.n; i++)
		if (ipnet_contains(nva->owns.v[i], net))
			return true;
	return false;
}

/* Behind an inner load balancer: the NVAs in vnet that own all of net and are alive (RS-56). */
static size_t
owners_of(
    const struct fc_image *img, int vnet, struct ipnet net, uint32_t out[static FC_IMAGE_MEMBERS])
{
	const struct topo *t = img->l->topo;
	size_t n = 0;

	for (size_t i = 0; i < t->n_nics && n < FC_IMAGE_MEMBERS; i++) {
		const struct topo_nva *nva = owning_nva(img->l, i, vnet);

		if (nva != NULL && owns_all(nva, net))
			out[n++] = img->nics[i]->id;
	}
	return n;
}

static void
add_nics(struct fc_img_build *b, int vnet)
{
	const struct topo *t = b->img->l->topo;

	for (size_t i = 0; i < t->n_nics; i++)
		if (t->nics[i].vnet == vnet)
			fc_img_add(b, (struct ipnet){ t->nics[i].ip, 32 },
			    members(b, FC_IMG_PORTS, &b->img->nics[i]->id, 1));
}

/* A NIC with the address comes first. */
static void
add_owned(struct fc_img_build *b, int vnet)
{
	const struct topo *t = b->img->l->topo;
	uint32_t ports[FC_IMAGE_MEMBERS];

	for (size_t i = 0; i < t->n_nics; i++) {
		const struct topo_nva *nva = owning_nva(b->img->l, i, vnet);

		for (size_t j = 0; nva != NULL && j < nva->owns.n; j++) {
			struct ipnet net = nva->owns.v[j];
			size_t n;

			if (net.len == 32 && (topo_find_nic_by_ip(t, vnet, net.addr) >= 0 ||
						 topo_find_balancer_by_ip(t, vnet, net.addr) >= 0))
				continue;
			n = owners_of(b->img, vnet, net, ports);
			fc_img_add(b, net, members(b, FC_IMG_PORTS, ports, n));
		}
	}
}

/* RS-56, SC-C: whoever of the backends is healthy, chosen by a hash that is the same for both
 * directions. */
static void
add_balancers(struct fc_img_build *b, int vnet)
{
	const struct topo *t = b->img->l->topo;
	uint32_t ports[FC_IMAGE_MEMBERS];

	for (size_t i = 0; i < t->n_balancers; i++) {
		const struct topo_load_balancer *l = &t->balancers[i];
		size_t n = 0;

		if (l->vnet != vnet)
			continue;
		for (size_t k = 0; k < l->n_backends; k++)
			if (fc_backend_is_healthy(b->img->l, l, l->backends[k]))
				ports[n++] = b->img->nics[l->backends[k]]->id;
		fc_img_add(b, (struct ipnet){ l->ip, 32 },
		    n > 0 ? members(b, FC_IMG_PORTS, ports, n) : drop(b, FC_IMG_NO_BACKEND));
	}
}

/* Route Server instances answer pings (RS-8), gateways terminate tunnels; NICs and what NVAs own
 * come first. */
static void
add_platform(struct fc_img_build *b, int vnet)
{
	const struct topo *t = b->img->l->topo;
	uint32_t ports[FC_IMAGE_MEMBERS];

	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct fc_img_port *p;
		struct ipnet net = { 0, 32 };
		int at;

		if (!topo_platform_address(t, &t->nodes[i], &at, &net.addr) || at != vnet ||
		    topo_find_nic_by_ip(t, vnet, net.addr) >= 0 ||
		    owners_of(b->img, vnet, net, ports) > 0)
			continue;
		if ((p = fc_image_port(b->img, t->nodes[i].name)) != NULL)
			fc_img_add(b, net, members(b, FC_IMG_PORTS, &p->id, 1));
	}
}

void
fc_img_owners_compile(struct fc_img_build *b, int vnet)
{
	add_nics(b, vnet);
	add_balancers(b, vnet);
	add_owned(b, vnet);
	add_platform(b, vnet);
	fc_img_sort(b);
}

void
fc_img_compile(struct fc_img_build *b, const struct fc_img_table *table)
{
	switch (table->source) {
	case FC_IMG_SYSTEM:
		compile_system(b, table->a);
		break;
	case FC_IMG_USER:
		compile_user(b, table->a, table->b);
		break;
	case FC_IMG_BGP:
		compile_bgp(b, table->a, table->b);
		break;
	case FC_IMG_OWNERS:
		fc_img_owners_compile(b, table->a);
		break;
	case FC_IMG_GUARDED_OWNERS:
		fc_img_guarded_compile(b, table->a, table->b);
		break;
	case FC_IMG_SPACE:
		fc_img_space_compile(b, table->a);
		break;
	case FC_IMG_TUNNEL:
		fc_img_tunnel_compile(b, table->a);
		break;
	case FC_IMG_PUBLICS:
		fc_img_publics_compile(b);
		break;
	default:
		fc_img_far_compile(b, table);
		break;
	}
}

bool
fc_img_depends(
    const struct fc_image *img, const struct fc_img_table *table, const struct topo_node *n)
{
	const struct topo *t = img->l->topo;

	switch (n->kind) {
	case TOPO_NODE_NVA:
		if (table->source == FC_IMG_TUNNEL)
			return fc_img_tunnel_depends(n);
		return (table->source == FC_IMG_OWNERS || table->source == FC_IMG_GUARDED_OWNERS) &&
		       table->a == t->nvas[n->index].vnet;
	case TOPO_NODE_SITE:
		if (table->source == FC_IMG_TUNNEL)
			return fc_img_tunnel_depends(n);
		break;
	default:
		break;
	}
	if (table->source == FC_IMG_BGP)
		return table->a == topo_node_vnet(t, n);
	return fc_img_far_depends(img, table, n);
}

/* ---- ports ---- */

void
fc_img_name_tables(
    struct fc_image *img, struct fc_img_port_conf *c, int vnet, int subnet, int instance)
{
	const struct topo *t = img->l->topo;
	int table = subnet >= 0 ? t->vnets[vnet].subnets[subnet].route_table : -1;
	int scope = fc_scope_of(t, vnet);
	bool propagates = table < 0 || !t->tables[table].disable_bgp_route_propagation; /* UDR-7 */

	c->system = fc_img_table_declare(img, FC_IMG_SYSTEM, vnet, -1);
	if (table >= 0)
		c->user = fc_img_table_declare(
		    img, FC_IMG_USER, table, depends_on_vnet(&t->tables[table]) ? vnet : -1);
	if (propagates && fc_bgp_table(&img->l->bgp, scope, (unsigned)instance) != NULL)
		c->bgp = fc_img_table_declare(img, FC_IMG_BGP, scope, instance); /* RS-66 */
}

uint32_t
fc_img_region(const struct topo *t, int vnet)
{
	return (uint32_t)t->vnets[vnet].region_index + 1;
}

static void
declare_nic(struct fc_image *img, size_t nic)
{
	const struct topo *t = img->l->topo;
	const struct topo_nic *n = &t->nics[nic];
	struct fc_img_port_conf c = { .ip = n->ip,
		.prefix_len = t->vnets[n->vnet].subnets[n->subnet].prefix.len,
		.up = n->vm < 0 || t->vms[n->vm].running,
		.forwarding = n->ip_forwarding,
		.mtu = FC_IMAGE_MTU,
		.region = fc_img_region(t, n->vnet),

		.public_ip = n->public_ip };

	fc_img_name_tables(img, &c, n->vnet, n->subnet, (int)n->instance);
	if (n->starved) /* RS-23 */
		c.bgp = FC_IMAGE_NONE;
	if (n->nva >= 0)
		fc_img_tunnel_declare(img, &c, n->nva);
	img->nics[nic] = fc_img_port_declare(img, n->name, &c);
}

static void
declare_platform(struct fc_image *img, const struct topo_node *n)
{
	const struct topo *t = img->l->topo;
	struct fc_img_port_conf c = { .up = true, .mtu = FC_IMAGE_MTU };
	const struct topo_vnet *v;
	int vnet, subnet;

	if (!topo_platform_address(t, n, &vnet, &c.ip))
		return;
	v = &t->vnets[vnet];
	c.region = fc_img_region(t, vnet);
	subnet = n->kind == TOPO_NODE_ROUTE_SERVER ? v->route_server_subnet : v->gateway_subnet;
	c.prefix_len = subnet >= 0 ? v->subnets[subnet].prefix.len : 32;
	fc_img_name_tables(img, &c, vnet, subnet, 0);
	fc_img_port_declare(img, n->name, &c);
}

static int
make_room(struct fc_image *img, const struct topo *t)
{
	struct fc_img_port **nics = calloc(t->n_nics + 1, sizeof(*nics));
	uint32_t *owners = calloc(t->n_vnets + 1, sizeof(*owners));
	struct fc_img_guard *guards = calloc(t->n_peerings + 1, sizeof(*guards));

	if (nics == NULL || owners == NULL || guards == NULL) {
		free(nics);
		free(owners);
		free(guards);
		return FAB_ENOMEM;
	}
	free(img->nics);
	free(img->owners);
	free(img->guards);
	img->nics = nics;
	img->owners = owners;
	img->guards = guards;
	return FAB_OK;
}

void
fc_img_declare(struct fc_image *img)
{
	const struct topo *t = img->l->topo;

	if ((img->err = make_room(img, t)) != FAB_OK)
		return;
	fc_img_edge_declare(img);
	fc_img_guards_declare(img);
	for (size_t i = 0; i < t->n_vnets; i++)
		img->owners[i] = fc_img_table_declare(img, FC_IMG_OWNERS, (int)i, -1);
	for (size_t i = 0; i < t->n_nics; i++)
		declare_nic(img, i);
	fc_img_clients_declare(img);
	for (size_t i = 0; i < t->n_nodes; i++) {
		declare_platform(img, &t->nodes[i]);
		fc_img_far_declare(img, &t->nodes[i]);
	}
}
