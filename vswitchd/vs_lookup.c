/*
 * Where a packet goes. The selection is the one that the effective routes are listed by: longest
 * prefix, then user, BGP, system, with Azure's exceptions; a next hop is then followed to the port
 * that has its address.
 */
#include "lib/flow.h"
#include "vswitchd/vs_model_int.h"

#define ROUTERS_MAX 32

/* One packet on its way. */
struct walk {
	const struct vs_set *set;
	const struct vs_flow *flow;
	const struct vs_port_conf *at; /* whose tables are asked */
	unsigned routers;              /* passed so far */
	struct vs_verdict *out;
};

static const struct vs_port_conf *
drop(struct walk *w, enum vs_drop why)
{
	w->out->action = VS_DROPPED;
	w->out->drop = why;
	return NULL;
}

/* ---- links ---- */

/* False: the way ends here. */
static bool
cross(struct walk *w, const struct vs_link_conf *link)
{
	if (link == NULL)
		return true;
	if (link->cut) {
		drop(w, VS_DROP_LINK_CUT);
		return false;
	}
	if (w->out->n_links == VS_CROSSED_MAX) {
		drop(w, VS_DROP_LOOP);
		return false;
	}
	w->out->links[w->out->n_links++] = link->id;
	return true;
}

/* What leaves a port: its own link. */
static bool
cross_out(struct walk *w, const struct vs_port_conf *from)
{
	const struct vs_links *l = w->set->links;

	return !vs_links_at_port(l, from->id) ||
	       cross(w, vs_links_find(l, VS_LINK_OUT, from->id, 0));
}

/* From one port straight to another one: between their regions, between the two, to the taker. */
static bool
cross_to(struct walk *w, const struct vs_port_conf *from, const struct vs_port_conf *to)
{
	const struct vs_links *l = w->set->links;

	if (from->region != to->region && from->region != 0 && to->region != 0 &&
	    !cross(w, vs_links_find(l, VS_LINK_REGIONS, from->region, to->region)))
		return false;
	if (!vs_links_at_port(l, to->id))
		return true;
	return cross(w, vs_links_find(l, VS_LINK_HOP, from->id, to->id)) &&
	       cross(w, vs_links_find(l, VS_LINK_IN, 0, to->id));
}

/* ---- selection ---- */

/* The system layer as one address sees it. */
struct system_view {
	const struct vs_entry *best;
	unsigned bgp_below; /* only BGP prefixes shorter than this count (EFF-7) */
};

/* Of each prefix around addr, the longest first. */
static const struct vs_entry *
longest(const struct vs_table *t, uint32_t addr)
{
	uint32_t e = t != NULL ? vs_table_find(t, addr) : VS_NO_ENTRY;

	return e != VS_NO_ENTRY ? &t->entries[e] : NULL;
}

static const struct vs_entry *
shorter(const struct vs_table *t, const struct vs_entry *e)
{
	return e->parent != VS_NO_ENTRY ? &t->entries[e->parent] : NULL;
}

static bool
is_none(const struct vs_group_conf *g)
{
	return g->kind == VS_GROUP_DROP && g->reason == VS_DROP_NONE_ROUTE;
}

/* SYS-5: None routes give way to a default route of the user or BGP layer. EFF-7: the shortest VNet
 * or peering prefix around addr keeps out BGP routes as long as it, or longer. */
static struct system_view
view_system(const struct vs_set *set, const struct vs_table *t, uint32_t addr, bool overridden)
{
	struct system_view v = { .bgp_below = 33 };

	for (const struct vs_entry *e = longest(t, addr); e != NULL; e = shorter(t, e)) {
		const struct vs_group_conf *g = vs_set_group(set, e->group);

		if (v.best == NULL && !(overridden && is_none(g)))
			v.best = e;
		if (g->kind == VS_GROUP_DELIVER)
			v.bgp_below = e->len;
	}
	return v;
}

static bool
has_default(const struct vs_table *t)
{
	return t != NULL && t->has_default;
}

static int
length(const struct vs_entry *e)
{
	return e != NULL ? e->len : -1;
}

/* Longest prefix first; of equal ones user, then BGP, then system (EFF-6, UDR-8). NULL: no route.
 */
static const struct vs_group_conf *
select_route(const struct walk *w, uint32_t dst)
{
	const struct vs_table *user = vs_set_table(w->set, w->at->user);
	const struct vs_table *bgp = vs_set_table(w->set, w->at->bgp);
	struct system_view sys = view_system(w->set, vs_set_table(w->set, w->at->system), dst,
	    has_default(user) || has_default(bgp));
	const struct vs_entry *best = longest(user, dst), *b = longest(bgp, dst);

	while (b != NULL && b->len >= sys.bgp_below)
		b = shorter(bgp, b);
	if (length(b) > length(best))
		best = b;
	if (length(sys.best) > length(best))
		best = sys.best;
	return best != NULL ? vs_set_group(w->set, best->group) : NULL;
}

/* ---- next hops ---- */

static size_t
choose(struct walk *w, uint32_t hash, size_t n)
{
	w->out->by_hash |= n > 1;
	return fab_flow_choose(hash, n);
}

static const struct vs_port_conf *
to_port(struct walk *w, uint32_t id)
{
	const struct vs_port_conf *p = vs_set_port(w->set, id);

	if (!p->up)
		return drop(w, VS_DROP_PORT_DOWN);
	w->out->action = VS_TO_PORT;
	w->out->port = id;
	return p;
}

/* Default rules of the taker's network security group know the sender's VNet by its addresses, and
 * what comes by gateway transit is not forwarded traffic (PEER-5, PEER-6). */
static bool
is_filtered(const struct walk *w, const struct vs_group_conf *g)
{
	return g->kind == VS_GROUP_GUARDED && !w->at->router &&
	       longest(vs_set_table(w->set, g->table), w->flow->src) == NULL;
}

/* Whoever has addr in that VNet. Several have it behind an internal load balancer, which must find
 * the same one for both directions of a flow (SC-C). */
static const struct vs_port_conf *
to_owner(struct walk *w, const struct vs_group_conf *deliver, uint32_t addr)
{
	const struct vs_entry *e = longest(vs_set_table(w->set, deliver->table), addr);
	const struct vs_group_conf *g = e != NULL ? vs_set_group(w->set, e->group) : NULL;

	if (g != NULL && g->kind == VS_GROUP_DROP)
		return drop(w, g->reason);
	if (g == NULL || (g->kind != VS_GROUP_PORTS && g->kind != VS_GROUP_GUARDED))
		return drop(w, VS_DROP_NO_OWNER);
	if (is_filtered(w, g))
		return drop(w, VS_DROP_FILTERED);
	return to_port(w, g->members[choose(w, w->flow->pair, g->n_members)]);
}

/* The VNet, the sender's or one peered with it, that has a next hop (RS-57, UDR-3). NULL: not
 * directly reachable. */
static const struct vs_group_conf *
vnet_of(const struct walk *w, uint32_t addr)
{
	const struct vs_table *t = vs_set_table(w->set, w->at->system);

	for (const struct vs_entry *e = longest(t, addr); e != NULL; e = shorter(t, e)) {
		const struct vs_group_conf *g = vs_set_group(w->set, e->group);

		if (g->kind == VS_GROUP_DELIVER)
			return g;
	}
	return NULL;
}

/* One of the reachable members by the flow's hash (RS-60). It must forward unless the packet is for
 * itself (UDR-3). The sender may be the one: a loop, as in Azure (RS-64). */
static const struct vs_port_conf *
to_next_hop(struct walk *w, const struct vs_group_conf *via)
{
	const struct vs_group_conf *vnet[VS_MEMBERS_MAX];
	uint32_t hop[VS_MEMBERS_MAX];
	const struct vs_port_conf *p;
	size_t n = 0, i;

	for (i = 0; i < via->n_members; i++) {
		hop[n] = via->members[i];
		if ((vnet[n] = vnet_of(w, hop[n])) != NULL)
			n++;
	}
	if (n == 0)
		return drop(w, VS_DROP_UNREACHABLE);
	i = choose(w, fab_flow_behind(w->flow->hash, w->routers), n);
	p = to_owner(w, vnet[i], hop[i]);
	if (p != NULL && !p->forwarding && !p->router && hop[i] != w->flow->dst)
		return drop(w, VS_DROP_NOT_FORWARDING);
	return p;
}

/* ---- the Internet ---- */

/* A packet for the public address of a port, which knows only its own. */
static const struct vs_port_conf *
to_public(struct walk *w, uint32_t id)
{
	const struct vs_port_conf *p = to_port(w, id);

	if (p != NULL)
		w->out->dst = p->ip;
	return p;
}

/* Each public address stands for one private one, and no other gets out: an NVA has to translate
 * what it forwards (SC-J). */
static const struct vs_port_conf *
to_internet(struct walk *w, const struct vs_group_conf *internet)
{
	const struct vs_entry *e = longest(vs_set_table(w->set, internet->table), w->flow->dst);
	const struct vs_group_conf *g = e != NULL ? vs_set_group(w->set, e->group) : NULL;
	const struct vs_port_conf *p;

	if (w->at->public_ip == 0)
		return drop(w, VS_DROP_NO_PUBLIC);
	if (w->at->ip != w->flow->src)
		return drop(w, VS_DROP_NOT_TRANSLATED);
	if (g != NULL && g->kind == VS_GROUP_DROP)
		return drop(w, g->reason);
	if (g != NULL && g->kind == VS_GROUP_PUBLIC)
		p = to_public(w, g->members[0]);
	else
		p = to_port(w, internet->members[0]);
	if (p != NULL)
		w->out->src = w->at->public_ip;
	return p;
}

/* ---- the walk ---- */

/* What leaves through a tunnel does not show its addresses to the fabric (MR-6). */
static const struct vs_group_conf *
select_group(const struct walk *w)
{
	const struct vs_entry *e = longest(vs_set_table(w->set, w->at->tunnel), w->flow->dst);
	const struct vs_group_conf *g = e != NULL ? vs_set_group(w->set, e->group) : NULL;

	if (g == NULL || (g->kind == VS_GROUP_DROP && g->reason == VS_DROP_NO_ROUTE))
		return select_route(w, w->flow->dst);
	return g;
}

/* The taker; NULL when the verdict is another one. */
static const struct vs_port_conf *
follow(struct walk *w)
{
	const struct vs_group_conf *g = select_group(w);

	if (g == NULL)
		return drop(w, VS_DROP_NO_ROUTE);
	if (is_filtered(w, g))
		return drop(w, VS_DROP_FILTERED);
	switch (g->kind) {
	case VS_GROUP_DELIVER:
		return to_owner(w, g, w->flow->dst);
	case VS_GROUP_VIA:
		return to_next_hop(w, g);
	case VS_GROUP_PORTS:
	case VS_GROUP_GUARDED:
		return to_port(w, g->members[choose(w, fab_flow_behind(w->flow->hash, w->routers),
				      g->n_members)]);
	case VS_GROUP_INTERNET:
		return to_internet(w, g);
	case VS_GROUP_PUBLIC:
		return to_public(w, g->members[0]);
	case VS_GROUP_DROP:
		break;
	}
	return drop(w, g->reason);
}

/* Whether the router looks the packet up again. */
static bool
pass_router(struct walk *w)
{
	if (w->at->ip == w->flow->dst)
		drop(w, VS_DROP_NOT_CARRIED); /* it is no interface that would answer */
	else if (w->routers++ == ROUTERS_MAX)
		drop(w, VS_DROP_LOOP);
	else if (w->set->links != NULL)
		return cross_out(w, w->at);
	return w->out->action == VS_TO_PORT;
}

/* Whether another step follows. */
static bool
step(struct walk *w)
{
	const struct vs_port_conf *from = w->at;

	if ((w->at = follow(w)) == NULL)
		return false;
	if (w->set->links != NULL && !cross_to(w, from, w->at))
		return false;
	return w->at->router && pass_router(w);
}

/* The host that a VNet's guest runs on has that address, whatever its routes say. */
static bool
is_for_platform(const struct vs_port_conf *from, uint32_t dst)
{
	return dst == IPADDR_PLATFORM && from->region != 0 && !from->router;
}

static void
to_platform(struct walk *w)
{
	if (w->at->ip != w->flow->src)
		drop(w, VS_DROP_SOURCE); /* it answers nobody else */
	else
		w->out->action = VS_TO_PLATFORM;
}

static bool
may_send(const struct vs_port_conf *from, uint32_t src)
{
	if (src == IPADDR_PLATFORM)
		return false; /* nobody else's, not even an NVA's */
	return from->forwarding || from->router || src == from->ip; /* UDR-3 */
}

void
vs_lookup(
    const struct vs_model *m, uint32_t from, const struct vs_flow *flow, struct vs_verdict *out)
{
	struct walk w = { .set = m->now, .flow = flow, .out = out };

	out->n_links = 0;
	out->src = out->dst = 0;
	out->by_hash = false;
	w.at = vs_model_port(m, from);
	if (w.at == NULL || !w.at->up)
		drop(&w, VS_DROP_PORT_DOWN);
	else if (!may_send(w.at, flow->src))
		drop(&w, VS_DROP_SOURCE);
	else if (w.set->links != NULL && !cross_out(&w, w.at))
		return;
	else if (is_for_platform(w.at, flow->dst))
		to_platform(&w);
	else
		while (step(&w))
			;
}

void
vs_lookup_probe(const struct vs_model *m, uint32_t to, struct vs_verdict *out)
{
	struct walk w = { .set = m->now, .out = out };
	const struct vs_port_conf *p = vs_model_port(m, to);

	out->n_links = 0;
	out->src = out->dst = 0;
	if (p == NULL || p->router)
		drop(&w, VS_DROP_PORT_DOWN);
	else if (to_port(&w, to) != NULL && w.set->links != NULL)
		cross(&w, vs_links_find(w.set->links, VS_LINK_IN, 0, to));
}
