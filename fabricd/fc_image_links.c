/*
 * Links of the image: the rows that somebody made, by names of nodes and NICs, as ports; and the
 * topology's delays between regions.
 *
 * The ports of a node are all that its packets pass: a gateway instance has up to three. What
 * leaves Azure by ExpressRoute passes none of them, it goes from the NIC to the MSEE (ER-19); so
 * where the paths of all of a gateway's instances to an MSEE are impaired, the NICs' way there is
 * too.
 */
#include "fabricd/fc_image_int.h"

#include "fabricd/fc_linkset.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_PORTS 3

/* ---- the list ---- */

void
fc_img_links_fini(struct fc_img_links *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].from);
	free(l->v);
	*l = (struct fc_img_links){ 0 };
}

static bool
link_eq(const struct fc_img_link *a, const struct fc_img_link *b)
{
	return a->id == b->id && a->kind == b->kind && a->cut == b->cut &&
	       a->delay_us == b->delay_us && a->jitter_us == b->jitter_us &&
	       a->loss_ppm == b->loss_ppm && a->rate == b->rate && a->n_from == b->n_from &&
	       a->n_to == b->n_to &&
	       memcmp(a->from, b->from, (a->n_from + a->n_to) * sizeof(a->from[0])) == 0;
}

/* Who had a number keeps it: packets that are under way belong to it. */
void
fc_img_links_number(struct fc_img_links *l, const struct fc_img_links *old, uint32_t *last)
{
	for (size_t i = 0; i < l->n; i++) {
		for (size_t k = 0; k < old->n && l->v[i].id == 0; k++)
			if (strcmp(old->v[k].name, l->v[i].name) == 0)
				l->v[i].id = old->v[k].id;
		if (l->v[i].id == 0)
			l->v[i].id = ++*last;
	}
}

bool
fc_img_links_eq(const struct fc_img_links *a, const struct fc_img_links *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++)
		if (!link_eq(&a->v[i], &b->v[i]))
			return false;
	return a->n == b->n;
}

struct ends {
	const uint32_t *v;
	size_t n;
};

/* A link without ports at an end that it needs is none. */
static int
add(struct fc_img_links *l, enum fc_img_link_kind kind, const char *name, struct ends from,
    struct ends to, const struct fc_link_state *s)
{
	size_t room = l->room == 0 ? 16 : 2 * l->room;
	struct fc_img_link *p;
	uint32_t *ends;

	if ((from.n == 0 && kind != FC_IMG_LINK_IN) || (to.n == 0 && kind != FC_IMG_LINK_OUT) ||
	    (!s->cut && fc_link_shape_is_nothing(&s->shape)))
		return FAB_OK;
	if (l->n == l->room) {
		if ((p = realloc(l->v, room * sizeof(*p))) == NULL)
			return FAB_ENOMEM;
		l->v = p;
		l->room = room;
	}
	if ((ends = malloc((from.n + to.n) * sizeof(*ends))) == NULL)
		return FAB_ENOMEM;
	if (from.n > 0)
		memcpy(ends, from.v, from.n * sizeof(*ends));
	if (to.n > 0)
		memcpy(ends + from.n, to.v, to.n * sizeof(*ends));
	p = &l->v[l->n++];
	*p = (struct fc_img_link){ .kind = kind,
		.from = ends,
		.to = ends + from.n,
		.n_from = from.n,
		.n_to = to.n,
		.cut = s->cut,
		.delay_us = s->shape.delay_us,
		.jitter_us = s->shape.jitter_us,
		.loss_ppm = s->shape.loss_ppm,
		.rate = s->shape.rate };
	snprintf(p->name, sizeof(p->name), "%s", name);
	return FAB_OK;
}

/* ---- rows ---- */

static struct ends
ports_of(const struct fc_image *img, const char *node, uint32_t out[static NODE_PORTS])
{
	static const char *const suffixes[NODE_PORTS] = { "", "/in", "/out" };
	struct ends e = { .v = out };

	for (size_t i = 0; i < NODE_PORTS; i++) {
		const struct fc_img_port *p;
		char name[FC_IMG_NAME_MAX];

		snprintf(name, sizeof(name), "%s%s", node, suffixes[i]);
		if ((p = fc_image_port(img, name)) != NULL)
			out[e.n++] = p->id;
	}
	return e;
}

static int
add_row(struct fc_img_links *l, const struct fc_image *img, const struct fc_link_row *r)
{
	uint32_t from[NODE_PORTS], to[NODE_PORTS];
	const struct ends none = { 0 };
	char name[FC_IMAGE_LINK_NAME_MAX];

	switch (r->kind) {
	case FC_LINK_NODES:
		snprintf(name, sizeof(name), "%s > %s", r->from, r->to);
		return add(l, FC_IMG_LINK_HOP, name, ports_of(img, r->from, from),
		    ports_of(img, r->to, to), &r->state);
	case FC_LINK_NIC_OUT:
		snprintf(name, sizeof(name), "%s >", r->from);
		return add(l, FC_IMG_LINK_OUT, name, ports_of(img, r->from, from), none, &r->state);
	case FC_LINK_NIC_IN:
		snprintf(name, sizeof(name), "> %s", r->to);
		return add(l, FC_IMG_LINK_IN, name, none, ports_of(img, r->to, to), &r->state);
	default: /* regions: with the topology's */
		return FAB_OK;
	}
}

/* ---- ER-19: from NICs to MSEEs ---- */

/* NICs whose BGP layer is the gateway's. */
static int
add_direct(struct fc_img_links *l, const struct fc_image *img, int vnet, const char *msee,
    const struct fc_link_state *s)
{
	const struct topo *t = img->l->topo;
	uint32_t *from, to[NODE_PORTS];
	char name[FC_IMAGE_LINK_NAME_MAX];
	struct ends e = { 0 };
	int err;

	if ((from = malloc((t->n_nics + 1) * sizeof(*from))) == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < t->n_nics; i++)
		if (fc_scope_of(t, t->nics[i].vnet) == vnet)
			from[e.n++] = img->nics[i]->id;
	e.v = from;
	snprintf(name, sizeof(name), "%.70s > %.70s", t->vnets[vnet].name, msee);
	err = add(l, FC_IMG_LINK_HOP, name, e, ports_of(img, msee, to), s);
	free(from);
	return err;
}

static int
add_gateway(struct fc_img_links *l, const struct fc_image *img, const struct topo_gateway *g)
{
	static const char *const suffixes[] = { "-primary", "-secondary" };
	const struct topo *t = img->l->topo;
	int err = FAB_OK;

	for (size_t i = 0; i < g->n_conns; i++) {
		for (size_t k = 0; k < 2 && err == FAB_OK; k++) {
			char msee[FC_IMG_NAME_MAX], from[2][FC_IMG_NAME_MAX];
			struct fc_link_state s[2];

			snprintf(msee, sizeof(msee), "%s%s", t->circuits[g->conns[i].index].name,
			    suffixes[k]);
			for (unsigned n = 0; n < 2; n++) {
				snprintf(from[n], sizeof(from[n]), "%s-%u", g->name, n);
				s[n] = fc_linkset_get(img->linkset, FC_LINK_NODES, from[n], msee);
			}
			s[0] = fc_link_state_both(&s[0], &s[1]);
			err = add_direct(l, img, g->vnet, msee, &s[0]);
		}
	}
	return err;
}

/* ---- regions ---- */

static int
add_regions(struct fc_img_links *l, const struct fc_image *img, uint32_t a, uint32_t b)
{
	const struct topo *t = img->l->topo;
	const struct topo_region_path p = topo_region_path(t, (int)a, (int)b);
	const uint32_t from = a + 1, to = b + 1;
	char name[FC_IMAGE_LINK_NAME_MAX];
	struct fc_link_state s = { 0 };

	if (img->linkset != NULL)
		s = fc_linkset_get(img->linkset, FC_LINK_REGIONS, t->regions[a], t->regions[b]);
	if (!s.shaped)
		s.shape = (struct fc_link_shape){ .delay_us = p.delay_ms * 1000,
			.jitter_us = p.jitter_ms * 1000 };
	snprintf(name, sizeof(name), "%.70s > %.70s", t->regions[a], t->regions[b]);
	return add(
	    l, FC_IMG_LINK_REGIONS, name, (struct ends){ &from, 1 }, (struct ends){ &to, 1 }, &s);
}

int
fc_img_links_compile(struct fc_img_links *out, const struct fc_image *img)
{
	const struct topo *t = img->l->topo;
	const struct fc_link_row *r = NULL;
	int err = FAB_OK;

	*out = (struct fc_img_links){ 0 };
	while (
	    err == FAB_OK && img->linkset != NULL && (r = fc_linkset_next(img->linkset, r)) != NULL)
		err = add_row(out, img, r);
	for (size_t i = 0; err == FAB_OK && img->linkset != NULL && i < t->n_gateways; i++)
		if (t->gateways[i].type == GW_EXPRESS_ROUTE)
			err = add_gateway(out, img, &t->gateways[i]);
	for (uint32_t a = 0; a < t->n_regions; a++)
		for (uint32_t b = 0; b < t->n_regions && err == FAB_OK; b++)
			if (a != b)
				err = add_regions(out, img, a, b);
	if (err != FAB_OK)
		fc_img_links_fini(out);
	return err;
}
