#include "fabricd/fc_trace_links.h"

#include "fabricd/fc_system.h"

#include <stdio.h>
#include <string.h>

struct crossing {
	const struct fc_links *ls;
	struct fc_crossed *out;
	size_t n;
};

static void
note(struct crossing *c, enum fc_link_kind kind, const char *from, const char *to,
    const struct fc_link_state *s)
{
	if (s->cut || !fc_link_shape_is_nothing(&s->shape))
		c->out[c->n++] = (struct fc_crossed){ kind, from, to, *s };
}

static void
cross(struct crossing *c, enum fc_link_kind kind, const char *from, const char *to)
{
	const struct fc_link_state s = fc_links_state(c->ls, kind, from, to);

	note(c, kind, from, to, &s);
}

/* The region of a place inside a VNet, -1: it is in none. */
static int
region_of(const struct topo *t, const char *name)
{
	int nic = topo_find_nic(t, name), node = topo_find_node(t, name);

	if (nic >= 0)
		return t->vnets[t->nics[nic].vnet].region_index;
	return node >= 0 ? topo_node_region(t, &t->nodes[node]) : -1;
}

static void
cross_regions(struct crossing *c, const struct topo *t, const char *from, const char *to)
{
	int a = region_of(t, from), b = region_of(t, to);

	if (a >= 0 && b >= 0 && a != b)
		cross(c, FC_LINK_REGIONS, t->regions[a], t->regions[b]);
}

/* ER-19: the way out passes no gateway, but what the paths of both its instances have in common. */
static void
cross_to_msee(
    struct crossing *c, const struct topo *t, const struct fc_trace_hop *nic, const char *msee)
{
	int scope = fc_scope_of(t, t->nics[nic->index].vnet);
	int gw = scope >= 0 ? t->vnets[scope].er_gateway : -1;
	struct fc_link_state s[2];
	char name[2][64];

	if (gw < 0)
		return;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name[i], sizeof(name[i]), "%s-%u", t->gateways[gw].name, i);
		s[i] = fc_links_state(c->ls, FC_LINK_NODES, name[i], msee);
	}
	s[0] = fc_link_state_both(&s[0], &s[1]);
	note(c, FC_LINK_NODES, t->gateways[gw].name, msee, &s[0]);
}

size_t
fc_trace_crossed(const struct fc_links *ls, const struct topo *t, const struct fc_trace *tr,
    size_t i, struct fc_crossed out[static FC_CROSSED_MAX])
{
	struct crossing c = { .ls = ls, .out = out };
	const struct fc_trace_hop *from = &tr->hops[i], *to;

	/* A load balancer is no place: who sends to it sends to the backend. */
	for (i++; i < tr->n_hops && tr->hops[i].place == FC_AT_LOAD_BALANCER; i++)
		;
	if (i >= tr->n_hops || from->place == FC_AT_LOAD_BALANCER)
		return 0;
	to = &tr->hops[i];
	cross(&c, FC_LINK_NIC_OUT, from->node, "");
	cross_regions(&c, t, from->node, to->node);
	if (from->place == FC_AT_NIC && to->place == FC_AT_MSEE)
		cross_to_msee(&c, t, from, to->node);
	else
		cross(&c, FC_LINK_NODES, from->node, to->node);
	cross(&c, FC_LINK_NIC_IN, "", to->node);
	return c.n;
}
