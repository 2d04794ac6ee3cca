/*
 * What lies beyond the VNets: gateways, MSEEs and sites, as ports that packets pass (routers) or
 * reach (sites), and their tables. These follow the steps of trace (fc_walk_router.c): where a
 * router reports its table, that decides; for foreign software it is guessed from the topology.
 *
 *   er1-0/in, vpn1-0/in      in from on premises: GatewaySubnet's own tables (ER-20, UDR-9)
 *   vpn1-0/out               out of Azure, into the tunnels
 *   circuit1-primary         an MSEE, towards the site
 *   circuit1-primary/in      the same, towards Azure
 *   dc1                      a site's router
 */
#include "fabricd/fc_cover.h"
#include "fabricd/fc_image_int.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT "/out"
#define IN  "/in"

/* A table in the making: the levels that are done, each prefix of which beats whatever a later
 * level has for the same addresses, and the one that is filled, in which the longest prefix wins
 * and of equal ones the first. Values are indexes of groups. */
struct far {
	struct fc_img_build *b;
	struct fc_lpm done, level;
	struct fc_img_group **groups;
	size_t n_groups;
};

static void
far_init(struct far *f, struct fc_img_build *b)
{
	*f = (struct far){ .b = b };
	fc_lpm_init(&f->done);
	fc_lpm_init(&f->level);
}

static uint32_t
far_group(struct far *f, struct fc_img_group *g)
{
	struct fc_img_group **p;

	if (f->n_groups > 0 && f->groups[f->n_groups - 1] == g)
		return (uint32_t)f->n_groups - 1;
	p = realloc(f->groups, (f->n_groups + 1) * sizeof(*p));
	if (g == NULL || p == NULL) {
		f->b->err = FAB_ENOMEM;
		f->groups = p != NULL ? p : f->groups;
		return FC_LPM_NONE;
	}
	f->groups = p;
	f->groups[f->n_groups] = g;
	return (uint32_t)f->n_groups++;
}

static void
far_put(struct far *f, struct fc_lpm *to, struct ipnet net, uint32_t value)
{
	uint32_t *slot = f->b->err == FAB_OK ? fc_lpm_add(to, net) : NULL;

	if (slot == NULL)
		f->b->err = FAB_ENOMEM;
	else if (*slot == FC_LPM_NONE)
		*slot = value;
}

static void
far_add(struct far *f, struct ipnet net, struct fc_img_group *g)
{
	uint32_t value = far_group(f, g);

	if (value != FC_LPM_NONE)
		far_put(f, &f->level, net, value);
}

static void
far_add_nets(struct far *f, const struct topo_nets *nets, struct fc_img_group *g)
{
	for (size_t i = 0; i < nets->n; i++)
		far_add(f, nets->v[i], g);
}

static bool
far_covers(const struct far *f, struct ipnet net)
{
	struct fc_lpm_hit hit;

	return fc_lpm_longest(&f->done, net.addr, net.len + 1u, &hit);
}

/* The level is full: what the levels before it do not cover joins them. */
static void
far_close(struct far *f)
{
	struct fc_lpm_hit *keep = malloc((f->level.count + 1) * sizeof(*keep)), hit;
	struct fc_lpm_iter it;
	size_t n = 0;

	if (keep == NULL)
		f->b->err = FAB_ENOMEM;
	fc_lpm_walk(&it, &f->level, (struct ipnet){ 0, 0 });
	while (keep != NULL && fc_lpm_next(&it, &hit))
		if (!far_covers(f, hit.net))
			keep[n++] = hit;
	for (size_t i = 0; i < n; i++)
		far_put(f, &f->done, keep[i].net, keep[i].value);
	free(keep);
	fc_lpm_fini(&f->level);
	fc_lpm_init(&f->level);
}

/* Hands the table over. */
static void
far_end(struct far *f)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, &f->done, (struct ipnet){ 0, 0 });
	while (f->b->err == FAB_OK && fc_lpm_next(&it, &hit))
		fc_img_add(f->b, hit.net, f->groups[hit.value]);
	fc_lpm_fini(&f->done);
	fc_lpm_fini(&f->level);
	free(f->groups);
}

/* ---- ports ---- */

static uint32_t
node_port(const struct fc_image *img, enum topo_node_kind kind, int index, unsigned instance,
    const char *suffix)
{
	const struct topo *t = img->l->topo;
	const struct fc_img_port *p = NULL;
	char name[FC_IMG_NAME_MAX];

	for (size_t i = 0; i < t->n_nodes && p == NULL; i++) {
		const struct topo_node *n = &t->nodes[i];

		if (n->kind != kind || n->index != index || n->instance != instance)
			continue;
		snprintf(name, sizeof(name), "%s%s", n->name, suffix);
		p = fc_image_port(img, name);
	}
	return p != NULL ? p->id : 0;
}

static struct fc_img_group *
ports(struct fc_img_build *b, const uint32_t *v, size_t n)
{
	if (n == 0)
		return fc_img_group(b->img,
		    (struct fc_img_key){ .kind = FC_IMG_DROP, .reason = FC_IMG_NOT_CARRIED }, NULL);
	return fc_img_group(
	    b->img, (struct fc_img_key){ .kind = FC_IMG_PORTS, .n_members = (uint32_t)n }, v);
}

/* Both instances of something, or only the first. */
static struct fc_img_group *
instances(
    struct fc_img_build *b, enum topo_node_kind kind, int index, unsigned n, const char *suffix)
{
	const uint32_t v[2] = { node_port(b->img, kind, index, 0, suffix),
		node_port(b->img, kind, index, 1, suffix) };

	return ports(b, v, n);
}

static struct fc_img_group *
site_group(struct fc_img_build *b, int site)
{
	return instances(b, TOPO_NODE_SITE, site, 1, "");
}

/* In from on premises; a VPN gateway in active-standby has one instance at work (VPN-1). */
static struct fc_img_group *
gateway_group(struct fc_img_build *b, int gw)
{
	const struct topo_gateway *g = &b->img->l->topo->gateways[gw];

	if (g->type == GW_EXPRESS_ROUTE) /* ER-15: both instances announce it */
		return instances(b, TOPO_NODE_ER_GATEWAY, gw, 2, IN);
	return instances(b, TOPO_NODE_VPN_GATEWAY, gw, g->active_active ? 2 : 1, IN);
}

static const char *
node_name(const struct topo *t, enum topo_node_kind kind, int index, unsigned instance)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].kind == kind && t->nodes[i].index == index &&
		    t->nodes[i].instance == instance)
			return t->nodes[i].name;
	return "";
}

/* Both instances announce it (ER-15, VPN-13), but for one whose session with peer is down. */
static struct fc_img_group *
gateway_with_session(struct fc_img_build *b, int gw, const char *peer)
{
	const struct fc_layer_faults *fs = &b->img->l->faults;
	const struct topo *t = b->img->l->topo;
	enum topo_node_kind kind =
	    t->gateways[gw].type == GW_VPN ? TOPO_NODE_VPN_GATEWAY : TOPO_NODE_ER_GATEWAY;
	uint32_t v[2];
	size_t n = 0;

	for (unsigned i = 0; i < 2; i++)
		if (fs->session_is_down == NULL ||
		    !fs->session_is_down(fs->ctx, peer, node_name(t, kind, gw, i)))
			v[n++] = node_port(b->img, kind, gw, i, IN);
	return n > 0 ? ports(b, v, n) : gateway_group(b, gw);
}

static struct fc_img_group *
gateway_at_msee(struct fc_img_build *b, int gw, int circuit, unsigned instance)
{
	return gateway_with_session(
	    b, gw, node_name(b->img->l->topo, TOPO_NODE_MSEE, circuit, instance));
}

static uint32_t
msee_with(const struct fc_image *img, uint32_t via)
{
	const struct topo *t = img->l->topo;

	for (size_t i = 0; i < t->n_circuits; i++)
		for (unsigned j = 0; j < 2; j++)
			if (t->circuits[i].nic_next_hop[j] == via)
				return node_port(img, TOPO_NODE_MSEE, (int)i, j, "");
	return 0;
}

/* VPN-14: an address of one instance, or the public one of an active-standby pair. */
static uint32_t
vpn_with(const struct fc_image *img, uint32_t via)
{
	const struct topo *t = img->l->topo;

	for (size_t i = 0; i < t->n_gateways; i++) {
		const struct topo_gateway *g = &t->gateways[i];

		if (g->type == GW_VPN &&
		    (g->ip[0] == via || g->ip[1] == via || g->public_ip == via))
			return node_port(img, TOPO_NODE_VPN_GATEWAY, (int)i,
			    g->active_active && g->ip[1] == via ? 1 : 0, OUT);
	}
	return 0;
}

struct fc_img_group *
fc_img_far_hops(struct fc_img_build *b, const struct fc_group *g)
{
	uint32_t v[FC_IMAGE_MEMBERS];
	size_t n = 0;

	for (uint16_t i = 0; i < g->key.n_hops; i++) {
		uint32_t port = g->key.source == HRP_SRC_EXPRESS_ROUTE
				    ? msee_with(b->img, g->hops[i]) /* ER-19 */
				    : vpn_with(b->img, g->hops[i]);

		if (port != 0)
			v[n++] = port;
	}
	return ports(b, v, n);
}

struct fc_img_group *
fc_img_far_gateway(struct fc_img_build *b, int vnet)
{
	const struct topo *t = b->img->l->topo;
	int scope = fc_scope_of(t, vnet), gw = scope >= 0 ? t->vnets[scope].vpn_gateway : -1;

	if (gw < 0) /* ER-37 */
		return ports(b, NULL, 0);
	return instances(b, TOPO_NODE_VPN_GATEWAY, gw, 1, OUT);
}

/* ---- VPN gateways, out of Azure ---- */

/* ER-10, VPN-8: what a gateway has natively is its region. */
static void
add_region(struct far *f, int gw, struct fc_img_group *g)
{
	const struct topo *t = f->b->img->l->topo;
	int scope = t->gateways[gw].vnet;

	for (size_t i = 0; i < t->n_vnets; i++)
		if (fc_cover_announces(t, scope, (int)i))
			far_add_nets(f, &t->vnets[i].space, g);
}

static void
add_exchanged(struct far *f, int gw, bool (*passes)(enum hrp_source), struct fc_img_group *g)
{
	const struct fc_layers *l = f->b->img->l;
	const struct topo_vnet *v = &l->topo->vnets[l->topo->gateways[gw].vnet];
	const struct fc_lpm *bgp = fc_bgp_table(&l->bgp, l->topo->gateways[gw].vnet, 0);
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	if (v->route_server < 0 || !l->topo->servers[v->route_server].branch_to_branch ||
	    bgp == NULL) /* B2B-1, B2B-12 */
		return;
	fc_lpm_walk(&it, bgp, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		if (passes(fc_bgp_group(&l->bgp, hit.value)->key.source))
			far_add(f, hit.net, g);
}

/* VPN-6, VPN-9 */
static void
add_site(struct far *f, const struct topo_gw_connection *c, struct fc_img_group *g)
{
	const struct topo_site *s = c->index < 0 ? NULL : &f->b->img->l->topo->sites[c->index];

	far_add_nets(f, &c->prefixes, g);
	if (s != NULL)
		far_add_nets(f, &s->prefixes, g);
	for (size_t i = 0; s != NULL && c->bgp && i < s->n_adverts; i++)
		far_add(f, s->adverts[i].prefix, g);
}

/* What the other gateway of a tunnel announces (VPN-8, as fc_cover_connection() has it). */
static void
add_announced(struct far *f, int gw, struct fc_img_group *g)
{
	const struct topo_gateway *far = &f->b->img->l->topo->gateways[gw];

	add_region(f, gw, g);
	if (!f->b->img->l->topo->quirks.vnet2vnet_own_only) /* OPEN-13 */
		add_exchanged(f, gw, fc_cover_crosses, g);
	for (size_t i = 0; i < far->n_conns; i++)
		add_site(f, &far->conns[i], g);
}

/* VPN-13: the tunnels of one instance; one whose session is down leads nowhere. */
static struct fc_img_group *
other_gateway(struct fc_img_build *b, const struct topo_gw_connection *c, int gw, unsigned instance)
{
	if (!b->img->l->topo->gateways[c->gateway].active_active)
		return gateway_group(b, c->gateway); /* VPN-1: whichever instance works */
	return gateway_with_session(
	    b, c->gateway, node_name(b->img->l->topo, TOPO_NODE_VPN_GATEWAY, gw, instance));
}

/* Of gw. */
static void
add_connection(struct far *f, const struct topo_gw_connection *c, int gw, unsigned instance)
{
	if (c->gateway < 0)
		add_site(f, c, site_group(f->b, c->index));
	else if (c->back >= 0 && !c->bgp)
		far_add_nets(f, &c->prefixes, other_gateway(f->b, c, gw, instance));
	else if (c->back >= 0)
		add_announced(f, c->gateway, other_gateway(f->b, c, gw, instance));
}

static struct fc_img_group *
client_group(struct fc_img_build *b, const char *name)
{
	const struct fc_img_port *p = fc_image_port(b->img, name);

	return ports(b, p != NULL ? &p->id : NULL, p != NULL);
}

static void
compile_out(struct far *f, const struct topo_gateway *g, unsigned instance)
{
	const struct topo *t = f->b->img->l->topo;

	for (size_t i = 0; i < t->n_clients; i++) /* VPN-20 */
		if (t->clients[i].gateway == (int)(g - t->gateways))
			far_add(f, (struct ipnet){ t->clients[i].ip, 32 },
			    client_group(f->b, t->clients[i].name));
	far_close(f);
	far_add_nets(f, &g->p2s_pools, ports(f->b, NULL, 0)); /* who is no guest */
	far_close(f);
	for (size_t i = 0; i < g->n_conns; i++)
		add_connection(f, &g->conns[i], (int)(g - t->gateways), instance);
	far_close(f);
}

/* ---- MSEEs ---- */

static bool
is_linked(const struct topo_gateway *g, int circuit)
{
	for (size_t i = 0; g->type == GW_EXPRESS_ROUTE && i < g->n_conns; i++)
		if (g->conns[i].index == circuit)
			return true;
	return false;
}

/* The circuit's gateways as one MSEE has them, or for to != NULL whatever leads to them: natively
 * first, then what they carry for others (SC-G, ER-13). */
static void
add_circuit(struct far *f, int circuit, unsigned msee, struct fc_img_group *to)
{
	const struct topo *t = f->b->img->l->topo;

	for (size_t i = 0; i < t->n_gateways; i++)
		if (is_linked(&t->gateways[i], circuit))
			add_region(f, (int)i,
			    to != NULL ? to : gateway_at_msee(f->b, (int)i, circuit, msee));
	far_close(f);
	for (size_t i = 0; i < t->n_gateways; i++)
		if (is_linked(&t->gateways[i], circuit))
			add_exchanged(f, (int)i, fc_cover_exchanged,
			    to != NULL ? to : gateway_at_msee(f->b, (int)i, circuit, msee));
	far_close(f);
}

/* ER-1, ER-30: the site, or another gateway of the circuit that has it more exactly. */
static void
compile_down(struct far *f, int circuit, unsigned msee)
{
	const struct topo *t = f->b->img->l->topo;
	const struct topo_site *s = &t->sites[t->circuits[circuit].site];
	struct fc_img_group *g = site_group(f->b, t->circuits[circuit].site);

	far_add_nets(f, &s->prefixes, g);
	for (size_t i = 0; i < s->n_adverts; i++)
		far_add(f, s->adverts[i].prefix, g);
	for (size_t i = 0; i < t->n_gateways; i++)
		if (is_linked(&t->gateways[i], circuit))
			add_region(f, (int)i, gateway_at_msee(f->b, (int)i, circuit, msee));
	far_close(f);
}

/* ---- sites ---- */

static const struct topo_router_peer *
peer_named(const struct topo_site *s, const char *name)
{
	for (size_t i = 0; i < s->n_peers; i++)
		if (strcmp(s->peers[i].name, name) == 0)
			return &s->peers[i];
	return NULL;
}

/* MR-6: the packet appears at the other end of the tunnel. */
static struct fc_img_group *
peer_group(struct fc_img_build *b, const struct topo_router_peer *p)
{
	const struct topo *t = b->img->l->topo;

	if (p->is_site)
		return site_group(b, p->index);
	for (size_t i = 0; i < t->n_nics; i++)
		if (t->nics[i].nva == p->index)
			return ports(b, &b->img->nics[i]->id, 1);
	return ports(b, NULL, 0);
}

/* Who is next by the site's own table; NULL: nobody, the prefix is its own announcement. */
static struct fc_img_group *
next_group(struct fc_img_build *b, const struct topo_site *s, const char *name)
{
	const struct topo_router_peer *p = peer_named(s, name);
	const struct topo *t = b->img->l->topo;
	const struct topo_node *n;
	uint32_t port = 0;
	int i;

	if (p != NULL)
		return peer_group(b, p);
	if ((i = topo_find_node(t, name)) < 0)
		return NULL;
	n = &t->nodes[i];
	if (n->kind == TOPO_NODE_VPN_GATEWAY && !t->gateways[n->index].active_active)
		return gateway_group(b, n->index); /* VPN-1: whichever instance works */
	if (n->kind == TOPO_NODE_MSEE || n->kind == TOPO_NODE_VPN_GATEWAY)
		port = node_port(b->img, n->kind, n->index, n->instance, IN);
	return ports(b, &port, port != 0);
}

static void
add_reported(struct far *f, const struct topo_site *s, const struct fc_router *r)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, &r->rib, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit)) {
		struct fc_img_group *g = next_group(f->b, s, r->peers[hit.value & ~FC_STALE]);

		if (g != NULL)
			far_add(f, hit.net, g);
	}
	far_close(f);
}

/* The site routes statically into the tunnels of connections without BGP, and into everything if
 * its table is not known. */
static void
add_connections(struct far *f, int site, bool with_bgp)
{
	const struct topo *t = f->b->img->l->topo;

	for (size_t i = 0; i < t->n_gateways; i++) {
		const struct topo_gateway *g = &t->gateways[i];

		for (size_t j = 0; g->type == GW_VPN && j < g->n_conns; j++) {
			if (g->conns[j].index != site || (g->conns[j].bgp && !with_bgp))
				continue;
			add_region(f, (int)i, gateway_group(f->b, (int)i));
			far_close(f);
		}
	}
}

static void
add_tunnels(struct far *f, const struct topo_site *s)
{
	const struct topo *t = f->b->img->l->topo;

	for (size_t i = 0; i < s->n_peers; i++) {
		const struct topo_router_peer *p = &s->peers[i];
		struct fc_img_group *g = peer_group(f->b, p);
		int vnet = p->is_site ? -1 : t->nvas[p->index].vnet;
		int scope = vnet >= 0 ? fc_scope_of(t, vnet) : -1;

		if (!p->tunnel)
			continue;
		if (p->is_site)
			far_add_nets(f, &t->sites[p->index].prefixes, g);
		for (size_t k = 0; vnet >= 0 && k < t->n_vnets; k++)
			if ((int)k == (scope >= 0 ? scope : vnet) ||
			    (scope >= 0 && fc_scope_of(t, (int)k) == scope))
				far_add_nets(f, &t->vnets[k].space, g);
	}
	far_close(f);
}

static void
add_guesses(struct far *f, int site)
{
	const struct topo *t = f->b->img->l->topo;

	for (size_t i = 0; i < t->n_circuits; i++)
		if (t->circuits[i].site == site)
			add_circuit(f, (int)i, 0, instances(f->b, TOPO_NODE_MSEE, (int)i, 2, IN));
	add_connections(f, site, true);
	add_tunnels(f, &t->sites[site]);
}

static void
compile_site(struct far *f, int site)
{
	const struct topo_site *s = &f->b->img->l->topo->sites[site];
	const struct fc_router *r = fc_router_find(f->b->img->l->routers, s->name);

	if (r != NULL)
		add_reported(f, s, r);
	add_connections(f, site, false);
	if (r == NULL)
		add_guesses(f, site);
	for (size_t i = 0; i < s->n_adverts; i++) /* ER-22: it announced the way out */
		far_add(f, s->adverts[i].prefix, fc_img_internet(f->b));
	far_close(f);
	if (s->public_ip != 0)
		far_add(f, (struct ipnet){ 0, 0 }, fc_img_internet(f->b));
	far_close(f);
}

/* ---- clients ---- */

/* VPN-20: the VNets that the gateway serves, and sites by BGP; everything to an NVA. */
static void
compile_client(struct far *f, const struct topo_client *c)
{
	const struct topo *t = f->b->img->l->topo;
	const struct topo_gateway *g = c->gateway >= 0 ? &t->gateways[c->gateway] : NULL;
	int nic = g == NULL ? topo_find_nic(t, t->nvas[c->nva].name) : -1;

	if (nic >= 0)
		far_add(f, (struct ipnet){ 0, 0 }, ports(f->b, &f->b->img->nics[nic]->id, 1));
	far_add(f, (struct ipnet){ c->ip, 32 }, client_group(f->b, c->name));
	if (g != NULL)
		add_region(f, c->gateway, gateway_group(f->b, c->gateway));
	for (size_t i = 0; g != NULL && i < g->n_conns; i++)
		if (g->conns[i].bgp && g->conns[i].index >= 0)
			far_add_nets(f, &t->sites[g->conns[i].index].prefixes,
			    gateway_group(f->b, c->gateway));
	far_close(f);
}

void
fc_img_clients_declare(struct fc_image *img)
{
	const struct topo *t = img->l->topo;

	for (size_t i = 0; i < t->n_clients; i++) {
		const struct fc_img_port_conf c = { .ip = t->clients[i].ip,
			.prefix_len = 32,
			.up = true,
			.user = fc_img_table_declare(img, FC_IMG_CLIENT, (int)i, -1),
			.mtu = FC_IMAGE_MTU };

		fc_img_port_declare(img, t->clients[i].name, &c);
	}
}

void
fc_img_far_compile(struct fc_img_build *b, const struct fc_img_table *table)
{
	struct far f;

	far_init(&f, b);
	if (table->source == FC_IMG_OUT)
		compile_out(&f, &b->img->l->topo->gateways[table->a], (unsigned)table->b);
	else if (table->source == FC_IMG_DOWN)
		compile_down(&f, table->a, (unsigned)table->b);
	else if (table->source == FC_IMG_UP)
		add_circuit(&f, table->a, (unsigned)table->b, NULL);
	else if (table->source == FC_IMG_CLIENT)
		compile_client(&f, &b->img->l->topo->clients[table->a]);
	else
		compile_site(&f, table->a);
	far_end(&f);
}

/* ---- declaring them ---- */

static void
declare_router(
    struct fc_image *img, const struct topo_node *n, const char *suffix, struct fc_img_port_conf c)
{
	char name[FC_IMG_NAME_MAX];

	c.router = c.up = c.forwarding = true;
	c.prefix_len = 32;
	c.mtu = FC_IMAGE_MTU;
	snprintf(name, sizeof(name), "%s%s", n->name, suffix);
	fc_img_port_declare(img, name, &c);
}

/* Only one instance of an active-standby pair has an address (VPN-1). */
static void
declare_gateway(struct fc_image *img, const struct topo_node *n)
{
	const struct topo_gateway *g = &img->l->topo->gateways[n->index];
	struct fc_img_port_conf in = { 0 }, out = { 0 };

	if (g->ip[n->instance] == 0)
		return;
	in.region = out.region = fc_img_region(img->l->topo, g->vnet);
	fc_img_name_tables(img, &in, g->vnet, img->l->topo->vnets[g->vnet].gateway_subnet, 0);
	declare_router(img, n, IN, in);
	if (g->type != GW_VPN)
		return;
	out.user = fc_img_table_declare(img, FC_IMG_OUT, n->index, (int)n->instance);
	declare_router(img, n, OUT, out);
}

static void
declare_msee(struct fc_image *img, const struct topo_node *n)
{
	const int msee = (int)n->instance;
	struct fc_img_port_conf down = { .user = fc_img_table_declare(
					     img, FC_IMG_DOWN, n->index, msee) },
				up = { .user =
					    fc_img_table_declare(img, FC_IMG_UP, n->index, msee) };

	declare_router(img, n, "", down);
	declare_router(img, n, IN, up);
}

static void
declare_site(struct fc_image *img, const struct topo_node *n)
{
	struct fc_img_port_conf c = { .ip = img->l->topo->sites[n->index].ip,
		.prefix_len = 32,
		.up = true,
		.forwarding = true,
		.user = fc_img_table_declare(img, FC_IMG_SITE, n->index, -1),
		.mtu = FC_IMAGE_MTU,
		.public_ip = img->l->topo->sites[n->index].public_ip };

	fc_img_port_declare(img, n->name, &c);
}

void
fc_img_far_declare(struct fc_image *img, const struct topo_node *n)
{
	switch (n->kind) {
	case TOPO_NODE_ER_GATEWAY:
	case TOPO_NODE_VPN_GATEWAY:
		declare_gateway(img, n);
		break;
	case TOPO_NODE_MSEE:
		declare_msee(img, n);
		break;
	case TOPO_NODE_SITE:
		declare_site(img, n);
		break;
	default:
		break;
	}
}

/* ---- what they depend on ---- */

static bool
leads_to_gateway(const struct topo_gateway *g)
{
	for (size_t i = 0; i < g->n_conns; i++)
		if (g->conns[i].gateway >= 0)
			return true;
	return false;
}

bool
fc_img_far_depends(
    const struct fc_image *img, const struct fc_img_table *table, const struct topo_node *n)
{
	const struct topo *t = img->l->topo;

	if (table->source == FC_IMG_SITE)
		return n->kind == TOPO_NODE_SITE
			   ? n->index == table->a
			   : n->kind != TOPO_NODE_NVA &&
				 fc_router_find(img->l->routers, t->sites[table->a].name) == NULL;
	if (table->source == FC_IMG_OUT) /* what another gateway announces of its Route Server's */
		return leads_to_gateway(&t->gateways[table->a]) &&
		       (n->kind == TOPO_NODE_ROUTE_SERVER || n->kind == TOPO_NODE_VPN_GATEWAY);
	if (table->source == FC_IMG_DOWN)
		return n->kind == TOPO_NODE_MSEE && n->index == table->a;
	return table->source == FC_IMG_UP && n->kind != TOPO_NODE_SITE && n->kind != TOPO_NODE_NVA;
}
