/*
 * The Internet: one port that takes what goes there, and a table of public addresses, each of which
 * stands for the one of a NIC or a site's router (SYS-2, ARM-14).
 */
#include "fabricd/fc_image_int.h"
#include "fabricd/fc_system.h"

void
fc_img_edge_declare(struct fc_image *img)
{
	struct fc_img_port_conf c = { .ip = TOPO_INTERNET_IP,
		.prefix_len = 32,
		.up = true,
		.forwarding = true, /* it speaks for every address */
		.mtu = FC_IMAGE_MTU };
	const struct fc_img_port *p;

	c.user = img->publics = fc_img_table_declare(img, FC_IMG_PUBLICS, -1, -1);
	p = fc_img_port_declare(img, TOPO_INTERNET, &c);
	img->internet = p != NULL ? p->id : 0;
}

struct fc_img_group *
fc_img_internet(struct fc_img_build *b)
{
	return fc_img_group(b->img,
	    (struct fc_img_key){
		.kind = FC_IMG_INTERNET, .table = b->img->publics, .n_members = 1 },
	    &b->img->internet);
}

static void
add_public(struct fc_img_build *b, uint32_t public_ip, const struct fc_img_port *p)
{
	if (public_ip != 0 && p != NULL)
		fc_img_add(b, (struct ipnet){ public_ip, 32 },
		    fc_img_group(b->img,
			(struct fc_img_key){ .kind = FC_IMG_PUBLIC, .n_members = 1 }, &p->id));
}

static void
add_nets(struct fc_img_build *b, const struct topo_nets *nets, struct fc_img_group *g)
{
	for (size_t i = 0; i < nets->n; i++)
		fc_img_add(b, nets->v[i], g);
}

/* What a route to the Internet leads out, and nobody there has. */
static void
add_private(struct fc_img_build *b)
{
	const struct fc_img_key nowhere = { .kind = FC_IMG_DROP, .reason = FC_IMG_NO_ROUTE };
	struct fc_img_group *g = fc_img_group(b->img, nowhere, NULL);
	const struct topo *t = b->img->l->topo;
	struct ipnet net;

	for (size_t i = 0; fc_sys_none_prefix(i, &net); i++) /* SYS-3 */
		fc_img_add(b, net, g);
	for (size_t i = 0; i < t->n_vnets; i++)
		add_nets(b, &t->vnets[i].space, g);
	for (size_t i = 0; i < t->n_sites; i++)
		add_nets(b, &t->sites[i].prefixes, g);
	for (size_t i = 0; i < t->n_gateways; i++)
		add_nets(b, &t->gateways[i].p2s_pools, g);
	for (size_t i = 0; i < t->n_nvas; i++)
		add_nets(b, &t->nvas[i].owns, g);
}

void
fc_img_publics_compile(struct fc_img_build *b)
{
	const struct topo *t = b->img->l->topo;

	add_private(b);
	for (size_t i = 0; i < t->n_nics; i++)
		add_public(b, t->nics[i].public_ip, b->img->nics[i]);
	for (size_t i = 0; i < t->n_sites; i++)
		add_public(b, t->sites[i].public_ip, fc_image_port(b->img, t->sites[i].name));
	fc_img_sort(b);
}
