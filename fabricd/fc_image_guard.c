/*
 * Peerings that do not let everything in (PEER-5, PEER-6, OPEN-9). Network security groups are
 * modelled as their default rules: they let in what comes from the VirtualNetwork tag, of which
 * allowVirtualNetworkAccess takes a peer out, and allowForwardedTraffic what is not the peer's own.
 * So the owners of a VNet are others for packets of such a peer: NICs in subnets with a group take
 * packets of certain sources only.
 */
#include "fabricd/fc_image_int.h"

/* Quirks may say that all NICs enforce what comes with forwarding, or none (OPEN-9). */
static bool
guards_forwarded(const struct topo *t, const struct topo_peering *p)
{
	return !p->allow_forwarded_traffic && t->quirks.forwarded != FORWARDED_PASS;
}

static bool
has_nsg(const struct topo *t, int vnet)
{
	for (size_t i = 0; i < t->vnets[vnet].n_subnets; i++)
		if (t->vnets[vnet].subnets[i].nsg)
			return true;
	return false;
}

void
fc_img_guards_declare(struct fc_image *img)
{
	const struct topo *t = img->l->topo;

	for (size_t i = 0; i < t->n_peerings; i++) {
		const struct topo_peering *p = &t->peerings[i];

		bool everywhere = guards_forwarded(t, p) && t->quirks.forwarded == FORWARDED_DROP;

		if ((p->allow_virtual_network_access && !guards_forwarded(t, p)) ||
		    (!has_nsg(t, p->vnet) && !everywhere))
			continue;
		img->guards[i] = (struct fc_img_guard){
			.owners =
			    fc_img_table_declare(img, FC_IMG_GUARDED_OWNERS, p->vnet, p->remote),
			.sources = fc_img_table_declare(img, FC_IMG_SPACE,
			    p->allow_virtual_network_access ? p->remote : -1, -1),
			.anywhere = everywhere
					? fc_img_table_declare(img, FC_IMG_SPACE, p->remote, -1)
					: FC_IMAGE_NONE,
		};
	}
}

uint32_t
fc_img_owners_for(const struct fc_image *img, int vnet, int from)
{
	int i = topo_find_peering(img->l->topo, vnet, from);

	return i >= 0 && img->guards[i].owners != FC_IMAGE_NONE ? img->guards[i].owners
								: img->owners[vnet];
}

/* Only that there is an entry matters. */
void
fc_img_space_compile(struct fc_img_build *b, int vnet)
{
	const struct topo *t = b->img->l->topo;
	struct fc_img_group *any = fc_img_group(
	    b->img, (struct fc_img_key){ .kind = FC_IMG_DROP, .reason = FC_IMG_NO_ROUTE }, NULL);

	for (size_t i = 0; vnet >= 0 && i < t->vnets[vnet].space.n; i++)
		fc_img_add(b, t->vnets[vnet].space.v[i], any);
}

static bool
is_behind_nsg(const struct fc_image *img, uint32_t port)
{
	const struct topo *t = img->l->topo;

	for (size_t i = 0; i < t->n_nics; i++)
		if (img->nics[i]->id == port)
			return t->vnets[t->nics[i].vnet].subnets[t->nics[i].subnet].nsg;
	return false;
}

/* The plain owners, where one of them is guarded all of a load balancer's are. */
void
fc_img_guarded_compile(struct fc_img_build *b, int vnet, int from)
{
	const struct fc_img_guard *guard =
	    &b->img->guards[topo_find_peering(b->img->l->topo, vnet, from)];

	fc_img_owners_compile(b, vnet);
	for (size_t i = 0; b->err == 0 && i < b->n; i++) {
		struct fc_img_group *g = b->v[i].group, *guarded;
		bool nsg = false;

		for (uint32_t k = 0; g->key.kind == FC_IMG_PORTS && k < g->key.n_members; k++)
			nsg = nsg || is_behind_nsg(b->img, g->members[k]);
		if (g->key.kind != FC_IMG_PORTS || (!nsg && guard->anywhere == FC_IMAGE_NONE))
			continue;
		guarded = fc_img_group(b->img,
		    (struct fc_img_key){ .kind = FC_IMG_GUARDED,
			.table = nsg ? guard->sources : guard->anywhere,
			.n_members = g->key.n_members },
		    g->members);
		fc_img_swap(b, i, guarded);
	}
}
