/*
 * From words to links (see fc_link_places.h).
 */
#include "fabricd/fc_link_places.h"

#include "fabricd/fc_pairs.h"

#include <string.h>

struct search {
	const struct topo *t;
	const char *a, *b;
	bool one_way;
	fc_link_place_fn *fn;
	void *arg;
	size_t n;
};

static void
emit(struct search *s, enum fc_link_kind kind, const char *from, const char *to)
{
	s->fn(s->arg, &(struct fc_link_place){ kind, from, to });
	s->n++;
}

static void
emit_both(struct search *s, enum fc_link_kind kind, const char *from, const char *to)
{
	emit(s, kind, from, to);
	if (!s->one_way)
		emit(s, kind, to, from);
}

/* ---- two ends ---- */

static void
match_pair(void *arg, const struct fc_pair *p)
{
	const struct fc_end *x = &p->dial, *y = &p->listen;
	struct search *s = arg;

	if (fc_end_named(s->t, x, s->a) && fc_end_named(s->t, y, s->b))
		emit_both(s, FC_LINK_NODES, x->name, y->name);
	else if (fc_end_named(s->t, y, s->a) && fc_end_named(s->t, x, s->b))
		emit_both(s, FC_LINK_NODES, y->name, x->name);
}

static bool
node_named(const struct topo *t, const struct topo_node *n, const char *name)
{
	return strcmp(n->name, name) == 0 || strcmp(fc_node_resource(t, n), name) == 0;
}

/* The nth node at the other end of a connection, a site or a gateway's instance; NULL: no more. */
static const struct topo_node *
far_node(const struct topo *t, const struct topo_gw_connection *c, size_t nth)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		const struct topo_node *n = &t->nodes[i];
		bool is_far = c->gateway >= 0 ? n->kind == TOPO_NODE_VPN_GATEWAY &&
						    n->index == c->gateway && c->back >= 0
					      : n->kind == TOPO_NODE_SITE && n->index == c->index;

		if (is_far && nth-- == 0)
			return n;
	}
	return NULL;
}

static void
match_tunnel(struct search *s, const struct topo_node *gateway, const struct topo_node *far)
{
	if (node_named(s->t, gateway, s->a) && node_named(s->t, far, s->b))
		emit_both(s, FC_LINK_NODES, gateway->name, far->name);
	else if (node_named(s->t, gateway, s->b) && node_named(s->t, far, s->a))
		emit_both(s, FC_LINK_NODES, far->name, gateway->name);
}

/* Both gateways list the tunnel between them; the first by name tells it. */
static bool
tells(const struct topo_node *gateway, const struct topo_gw_connection *c)
{
	return !c->bgp && (c->gateway < 0 || gateway->index < c->gateway);
}

/* VPN-6: connections without BGP have no session, but a tunnel. */
static void
match_static(struct search *s, const struct topo_node *gateway)
{
	const struct topo_gateway *g = &s->t->gateways[gateway->index];
	const struct topo_node *far;

	for (size_t i = 0; i < g->n_conns; i++)
		for (size_t n = 0; tells(gateway, &g->conns[i]) &&
				   (far = far_node(s->t, &g->conns[i], n)) != NULL;
		     n++)
			match_tunnel(s, gateway, far);
}

static void
match_regions(struct search *s)
{
	int a = topo_find_region(s->t, s->a), b = topo_find_region(s->t, s->b);

	if (a >= 0 && b >= 0 && a != b)
		emit_both(s, FC_LINK_REGIONS, s->t->regions[a], s->t->regions[b]);
}

/* ---- one ---- */

static void
emit_nic(struct search *s, const char *name)
{
	emit(s, FC_LINK_NIC_OUT, name, "");
	if (!s->one_way)
		emit(s, FC_LINK_NIC_IN, "", name);
}

/* The NIC of an NVA is its node. */
static void
match_one(struct search *s)
{
	int nic = topo_find_nic(s->t, s->a);

	if (nic >= 0) {
		emit_nic(s, s->t->nics[nic].name);
		return;
	}
	for (size_t i = 0; i < s->t->n_nodes; i++)
		if (node_named(s->t, &s->t->nodes[i], s->a))
			emit_nic(s, s->t->nodes[i].name);
}

size_t
fc_link_places(const struct topo *t, const char *a, const char *b, bool one_way,
    fc_link_place_fn *fn, void *arg)
{
	struct search s = { .t = t, .a = a, .b = b, .one_way = one_way, .fn = fn, .arg = arg };

	if (b[0] == '\0') {
		match_one(&s);
		return s.n;
	}
	fc_pairs_each(t, match_pair, &s);
	for (size_t i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].kind == TOPO_NODE_VPN_GATEWAY)
			match_static(&s, &t->nodes[i]);
	if (s.n == 0)
		match_regions(&s);
	return s.n;
}

/* ---- all ---- */

static void
emit_pair(void *arg, const struct fc_pair *p)
{
	emit_both(arg, FC_LINK_NODES, p->dial.name, p->listen.name);
}

static void
emit_static(struct search *s, const struct topo_node *gateway)
{
	const struct topo_gateway *g = &s->t->gateways[gateway->index];
	const struct topo_node *far;

	for (size_t i = 0; i < g->n_conns; i++)
		for (size_t n = 0; tells(gateway, &g->conns[i]) &&
				   (far = far_node(s->t, &g->conns[i], n)) != NULL;
		     n++)
			emit_both(s, FC_LINK_NODES, gateway->name, far->name);
}

void
fc_link_places_all(const struct topo *t, fc_link_place_fn *fn, void *arg)
{
	struct search s = { .t = t, .fn = fn, .arg = arg };

	fc_pairs_each(t, emit_pair, &s);
	for (size_t i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].kind == TOPO_NODE_VPN_GATEWAY)
			emit_static(&s, &t->nodes[i]);
	for (size_t i = 0; i < t->n_nics; i++)
		emit_nic(&s, t->nics[i].name);
	for (size_t i = 0; i < t->n_regions; i++)
		for (size_t k = i + 1; k < t->n_regions; k++)
			emit_both(&s, FC_LINK_REGIONS, t->regions[i], t->regions[k]);
}

/* ---- what is still there ---- */

struct lookup {
	const struct fc_link_row *row;
	bool found;
};

static void
compare(void *arg, const struct fc_link_place *p)
{
	struct lookup *l = arg;

	l->found |= p->kind == l->row->kind && strcmp(p->from, l->row->from) == 0 &&
		    strcmp(p->to, l->row->to) == 0;
}

bool
fc_link_place_exists(const struct topo *t, const struct fc_link_row *r)
{
	struct lookup l = { .row = r };
	bool in = r->kind == FC_LINK_NIC_IN;

	fc_link_places(t, in ? r->to : r->from, in ? "" : r->to, false, compare, &l);
	return l.found;
}
