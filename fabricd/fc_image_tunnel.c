/*
 * What an NVA sends through tunnels to sites and clients (SC-D, MR-6). The switch stands for these
 * tunnels: its NIC's routes never see what is inside of them. As in trace, the NVA's own table says
 * what goes there, and for foreign software the prefixes behind the tunnels do. Tunnels between
 * NVAs are in their guests (nvad).
 */
#include "fabricd/fc_image_int.h"

#include <string.h>

static bool
is_ours(const struct topo_router_peer *p)
{
	return p->tunnel && p->is_site;
}

void
fc_img_tunnel_declare(struct fc_image *img, struct fc_img_port_conf *c, int nva)
{
	const struct topo_nva *n = &img->l->topo->nvas[nva];

	for (size_t i = 0; i < n->n_peers && c->tunnel == FC_IMAGE_NONE; i++)
		if (is_ours(&n->peers[i]))
			c->tunnel = fc_img_table_declare(img, FC_IMG_TUNNEL, nva, -1);
	for (size_t i = 0; i < img->l->topo->n_clients && c->tunnel == FC_IMAGE_NONE; i++)
		if (img->l->topo->clients[i].nva == nva)
			c->tunnel = fc_img_table_declare(img, FC_IMG_TUNNEL, nva, -1);
}

bool
fc_image_reads(const struct topo *t, const struct topo_node *n)
{
	const struct topo_nva *nva;

	if (n == NULL || n->kind != TOPO_NODE_NVA)
		return n != NULL && n->kind == TOPO_NODE_SITE;
	nva = &t->nvas[n->index];
	for (size_t i = 0; i < nva->n_peers; i++)
		if (is_ours(&nva->peers[i]))
			return true;
	return false;
}

/* To the other end; NULL: its NIC's routes decide. */
static struct fc_img_group *
peer_group(struct fc_img_build *b, const struct topo_router_peer *p)
{
	const struct fc_img_port *port = NULL;

	if (p != NULL && is_ours(p))
		port = fc_image_port(b->img, p->name);
	if (port == NULL)
		return fc_img_group(b->img,
		    (struct fc_img_key){ .kind = FC_IMG_DROP, .reason = FC_IMG_NO_ROUTE }, NULL);
	return fc_img_group(
	    b->img, (struct fc_img_key){ .kind = FC_IMG_PORTS, .n_members = 1 }, &port->id);
}

static const struct topo_router_peer *
peer_named(const struct topo_nva *n, const char *name)
{
	for (size_t i = 0; i < n->n_peers; i++)
		if (strcmp(n->peers[i].name, name) == 0)
			return &n->peers[i];
	return NULL;
}

/* ---- by its own table ---- */

/* Whether a shorter prefix leads into a tunnel, so that this one has to be told apart. */
static bool
is_inside(const struct fc_router *r, const struct topo_nva *n, struct ipnet net)
{
	const struct topo_router_peer *p;
	struct fc_lpm_hit hits[FC_LPM_DEPTH];
	size_t found = fc_lpm_match(&r->rib, net, hits);

	while (found-- > 0) {
		p = peer_named(n, r->peers[hits[found].value & ~FC_STALE]);
		if (p != NULL && is_ours(p))
			return true;
	}
	return false;
}

static void
add_reported(struct fc_img_build *b, const struct topo_nva *n, const struct fc_router *r)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, &r->rib, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit)) {
		const struct topo_router_peer *p = peer_named(n, r->peers[hit.value & ~FC_STALE]);

		if ((p != NULL && is_ours(p)) || is_inside(r, n, hit.net))
			fc_img_add(b, hit.net, peer_group(b, p));
	}
}

/* ---- by what lies behind the tunnels ---- */

static void
add_nets(struct fc_img_build *b, const struct topo_nets *nets, const struct topo_router_peer *p)
{
	for (size_t i = 0; i < nets->n; i++)
		fc_img_add(b, nets->v[i], peer_group(b, p));
}

static void
add_guess(struct fc_img_build *b, const struct topo_router_peer *p)
{
	const struct topo *t = b->img->l->topo;
	const struct fc_router *r = fc_router_find(b->img->l->routers, p->name);
	int vnet = p->is_site ? -1 : t->nvas[p->index].vnet;
	int scope = vnet >= 0 ? fc_scope_of(t, vnet) : -1;

	if (!p->tunnel || (r != NULL && fc_router_is_dead(b->img->l, r)))
		return;
	if (p->is_site)
		add_nets(b, &t->sites[p->index].prefixes, p);
	for (size_t i = 0; vnet >= 0 && i < t->n_vnets; i++)
		if ((int)i == (scope >= 0 ? scope : vnet) ||
		    (scope >= 0 && fc_scope_of(t, (int)i) == scope))
			add_nets(b, &t->vnets[i].space, p);
}

static void
add_clients(struct fc_img_build *b, int nva)
{
	const struct topo *t = b->img->l->topo;

	for (size_t i = 0; i < t->n_clients; i++) {
		const struct topo_client *c = &t->clients[i];
		const struct fc_img_port *p = fc_image_port(b->img, c->name);

		if (c->nva == nva && p != NULL)
			fc_img_add(b, (struct ipnet){ c->ip, 32 },
			    fc_img_group(b->img,
				(struct fc_img_key){ .kind = FC_IMG_PORTS, .n_members = 1 },
				&p->id));
	}
}

void
fc_img_tunnel_compile(struct fc_img_build *b, int nva)
{
	const struct topo_nva *n = &b->img->l->topo->nvas[nva];
	const struct fc_router *r = fc_router_find(b->img->l->routers, n->name);

	add_clients(b, nva);
	if (r != NULL)
		add_reported(b, n, r);
	else
		for (size_t i = 0; i < n->n_peers; i++)
			add_guess(b, &n->peers[i]);
	fc_img_sort(b);
}

/* A guess depends on who is there. */
bool
fc_img_tunnel_depends(const struct topo_node *n)
{
	return n->kind == TOPO_NODE_SITE || n->kind == TOPO_NODE_NVA;
}
