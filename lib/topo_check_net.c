/*
 * Rules about names, address spaces, subnets, NIC addresses and peerings. Azure's error code where
 * the semantics know one; the others are ours and marked so in docs/topology.md.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- ranges ---- */

static int
by_net(const void *a, const void *b)
{
	const struct topo_span *x = a, *y = b;
	int c = ipnet_cmp(&x->net, &y->net);

	return c != 0 ? c : (int)(x->tag > y->tag) - (int)(x->tag < y->tag);
}

/* Two prefixes overlap only if one holds the other, so in sorted order each prefix is compared with
 * the last one that nothing before it holds. */
bool
topo_span_clash(struct topo_span *v, size_t n, struct topo_clash *at)
{
	if (at->next == 0 && n > 0) {
		qsort(v, n, sizeof(*v), by_net);
		at->next = 1;
	}
	for (; at->next < n; at->next++) {
		at->a = &v[at->outer];
		at->b = &v[at->next];
		if (ipnet_overlaps(at->a->net, at->b->net)) {
			at->next++;
			return true;
		}
		at->outer = at->next;
	}
	return false;
}

/* ---- names ---- */

struct owner {
	const char *name;
	enum topo_kind kind;
	size_t index;
	bool node; /* the name of one of its processes */
};

static int
by_owner_name(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;
	int c = strcmp(x->name, y->name);

	return c != 0 ? c : (int)(x->kind > y->kind) - (int)(x->kind < y->kind);
}

/* Everything that a command line or an announcement names without its kind. */
static size_t
list_owners(const struct topo_build *b, struct owner *v)
{
	static const enum topo_kind kinds[] = { TOPO_ROUTE_SERVER, TOPO_NVA, TOPO_GATEWAY,
		TOPO_CIRCUIT, TOPO_SITE, TOPO_VM, TOPO_LOAD_BALANCER, TOPO_CLIENT };
	static const enum topo_kind node_kinds[] = {
		[TOPO_NODE_ROUTE_SERVER] = TOPO_ROUTE_SERVER,
		[TOPO_NODE_ER_GATEWAY] = TOPO_GATEWAY,
		[TOPO_NODE_VPN_GATEWAY] = TOPO_GATEWAY,
		[TOPO_NODE_MSEE] = TOPO_CIRCUIT,
		[TOPO_NODE_NVA] = TOPO_NVA,
		[TOPO_NODE_SITE] = TOPO_SITE,
	};
	size_t n = 0;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t i = 0; i < b->n[kinds[k]]; i++)
			v[n++] = (struct owner){ b->of[kinds[k]][i]->name, kinds[k], i, false };
	for (size_t i = 0; i < b->t->n_nodes; i++) {
		const struct topo_node *node = &b->t->nodes[i];

		if (node->kind != TOPO_NODE_NVA && node->kind != TOPO_NODE_SITE)
			v[n++] = (struct owner){ node->name, node_kinds[node->kind],
				(size_t)node->index, true };
	}
	return n;
}

void
topo_check_names(struct topo_build *b)
{
	size_t max = b->doc->n + b->t->n_nodes, n;
	struct owner *v = topo_arena_alloc(b->arena, max, sizeof(*v));

	if (v == NULL)
		return;
	n = list_owners(b, v);
	qsort(v, n, sizeof(*v), by_owner_name);
	for (size_t i = 0; i < n; i++) {
		const struct owner *o = &v[i], *first = &v[i > 0 ? i - 1 : 0];

		if (strcmp(o->name, TOPO_INTERNET) == 0)
			topo_build_error(b, o->kind, o->index, "", "NameConflict",
			    "the name stands for what is outside of the fabric");
		if (strcmp(o->name, "fabricd") == 0)
			topo_build_error(b, o->kind, o->index, "", "NameConflict",
			    "the name is taken by the fabric's own daemon");
		if (i == 0 || strcmp(first->name, o->name) != 0)
			continue;
		topo_build_error(b, o->kind, o->index, "", "NameConflict",
		    "%s\"%.64s\" is the name of %s %s %.64s too", o->node ? "its process " : "",
		    o->name, first->node ? "a process of" : "the", topo_kind_name(first->kind),
		    b->of[first->kind][first->index]->name);
	}
}

/* ---- VNets and subnets ---- */

/* The VNet FAQ: from /2 to /29. */
static void
check_space(struct topo_build *b, size_t i)
{
	const struct topo_nets *space = &b->t->vnets[i].space;
	struct topo_span *v = topo_arena_alloc(b->arena, space->n, sizeof(*v));
	struct topo_clash clash = { 0 };
	char x[IPNET_STRLEN], y[IPNET_STRLEN];

	for (size_t k = 0; v != NULL && k < space->n; k++) {
		v[k] = (struct topo_span){ space->v[k], k };
		if (space->v[k].len < 2 || space->v[k].len > 29)
			topo_build_error(b, TOPO_VNET, i, "/address_space", "InvalidAddressSpace",
			    "%s: a VNet's prefixes are from /2 to /29",
			    ipnet_format(x, space->v[k]));
	}
	while (v != NULL && topo_span_clash(v, space->n, &clash))
		topo_build_error(b, TOPO_VNET, i, "/address_space", "AddressSpaceOverlaps",
		    "%s and %s overlap", ipnet_format(x, clash.a->net),
		    ipnet_format(y, clash.b->net));
}

/* ERR-4: inside one prefix of the VNet, and large enough for Azure's five addresses. */
static void
check_subnet(struct topo_build *b, size_t i, const struct topo_subnet *s)
{
	const struct topo_nets *space = &b->t->vnets[i].space;
	char pointer[TOPO_POINTER_MAX], text[IPNET_STRLEN];
	bool inside = false;

	snprintf(pointer, sizeof(pointer), "/subnets/%s/prefix", s->name);
	for (size_t k = 0; k < space->n; k++)
		inside = inside || ipnet_contains(space->v[k], s->prefix);
	if (!inside)
		topo_build_error(b, TOPO_VNET, i, pointer, "NetcfgInvalidSubnet",
		    "%s is not inside the VNet's address space", ipnet_format(text, s->prefix));
	if (s->prefix.len > 29)
		topo_build_error(b, TOPO_VNET, i, pointer, "NetcfgInvalidSubnet",
		    "%s is too small; a subnet is /29 or larger", ipnet_format(text, s->prefix));
}

static void
check_subnets(struct topo_build *b, size_t i)
{
	const struct topo_vnet *v = &b->t->vnets[i];
	struct topo_span *spans = topo_arena_alloc(b->arena, v->n_subnets, sizeof(*spans));
	struct topo_clash clash = { 0 };
	char pointer[TOPO_POINTER_MAX], x[IPNET_STRLEN], y[IPNET_STRLEN];

	for (size_t k = 0; spans != NULL && k < v->n_subnets; k++) {
		spans[k] = (struct topo_span){ v->subnets[k].prefix, k };
		check_subnet(b, i, &v->subnets[k]);
	}
	while (spans != NULL && topo_span_clash(spans, v->n_subnets, &clash)) {
		const struct topo_subnet *s = &v->subnets[clash.b->tag];

		snprintf(pointer, sizeof(pointer), "/subnets/%s/prefix", s->name);
		topo_build_error(b, TOPO_VNET, i, pointer, "NetcfgSubnetRangesOverlap",
		    "%s overlaps subnet %.64s %s", ipnet_format(x, s->prefix),
		    v->subnets[clash.a->tag].name, ipnet_format(y, clash.a->net));
	}
}

/* ---- NIC addresses ---- */

/* An address that something in a subnet gives itself; key: "/ip". */
void
topo_check_address(
    struct topo_build *b, enum topo_kind kind, size_t i, int vnet, int subnet, uint32_t ip)
{
	const struct topo_subnet *s;
	char a[IPADDR_STRLEN], p[IPNET_STRLEN];
	uint32_t last;

	if (subnet < 0)
		return;
	s = &b->t->vnets[vnet].subnets[subnet];
	last = s->prefix.addr | ~ipnet_mask(s->prefix.len);
	if (strcmp(s->name, "GatewaySubnet") == 0) /* ERR-5 */
		topo_build_error(b, kind, i, "/subnet", "GatewaySubnet",
		    "GatewaySubnet can be used only for the Gateway resource");
	if (strcmp(s->name, "RouteServerSubnet") == 0) /* RS-5 */
		topo_build_error(b, kind, i, "/subnet", "RouteServerSubnet",
		    "RouteServerSubnet can be used only for the Route Server");
	if (!ipnet_has_addr(s->prefix, ip))
		topo_build_error(b, kind, i, "/ip", "PrivateIPAddressNotInSubnet",
		    "%s is not in subnet %.64s %s", ipaddr_format(a, ip), s->name,
		    ipnet_format(p, s->prefix));
	else if (ip < s->prefix.addr + 4 || ip == last) /* ARM-6 */
		topo_build_error(b, kind, i, "/ip", "PrivateIPAddressInReservedRange",
		    "%s is one of the five addresses that Azure keeps in %s", ipaddr_format(a, ip),
		    ipnet_format(p, s->prefix));
}

static void
check_nic(struct topo_build *b, const struct topo_nic *nic)
{
	topo_check_address(b, nic->vm >= 0 ? TOPO_VM : TOPO_NVA,
	    (size_t)(nic->vm >= 0 ? nic->vm : nic->nva), nic->vnet, nic->subnet, nic->ip);
}

static void
check_nics(struct topo_build *b)
{
	const struct topo *t = b->t;
	char a[IPADDR_STRLEN];

	for (size_t i = 0; i < t->n_nics; i++)
		check_nic(b, &t->nics[i]);
	for (size_t i = 1; i < t->n_nics; i++) {
		const struct topo_nic *x = &t->nics[t->index->by_address[i - 1]];
		const struct topo_nic *y = &t->nics[t->index->by_address[i]];

		if (x->vnet < 0 || x->vnet != y->vnet || x->ip != y->ip)
			continue;
		topo_build_error(b, y->vm >= 0 ? TOPO_VM : TOPO_NVA,
		    (size_t)(y->vm >= 0 ? y->vm : y->nva), "/ip", "PrivateIPAddressIsAllocated",
		    "%s is allocated to %s", ipaddr_format(a, y->ip), x->name);
	}
}

/* ---- peerings ---- */

/* PEER-3, ERR-2: the first pair of prefixes that overlap, reported once for the two objects. */
static void
check_overlap(struct topo_build *b, size_t i)
{
	const struct topo_peering *p = &b->t->peerings[i];
	const struct topo_nets *x = &b->t->vnets[p->vnet].space, *y = &b->t->vnets[p->remote].space;
	char s[IPNET_STRLEN], u[IPNET_STRLEN];

	if (p->reverse >= 0 && (size_t)p->reverse < i)
		return;
	for (size_t k = 0; k < x->n; k++)
		for (size_t m = 0; m < y->n; m++) {
			if (!ipnet_overlaps(x->v[k], y->v[m]))
				continue;
			topo_build_error(b, TOPO_PEERING, i, "", "VnetAddressSpacesOverlap",
			    "address spaces overlap: %s of %.64s and %s of %.64s",
			    ipnet_format(s, x->v[k]), b->t->vnets[p->vnet].name,
			    ipnet_format(u, y->v[m]), b->t->vnets[p->remote].name);
			return;
		}
}

static bool
has_gateway(const struct topo_vnet *v)
{
	return v->route_server >= 0 || v->vpn_gateway >= 0 || v->er_gateway >= 0;
}

/* PEER-9, PEER-10, ERR-1. */
static void
check_remote_gateways(struct topo_build *b, size_t i)
{
	const struct topo *t = b->t;
	const struct topo_peering *p = &t->peerings[i];
	const char *remote = t->vnets[p->remote].name;
	bool transit = p->reverse >= 0 && t->peerings[p->reverse].allow_gateway_transit;
	bool known = b->complete[TOPO_GATEWAY] && b->complete[TOPO_ROUTE_SERVER];

	if (known && !has_gateway(&t->vnets[p->remote]) && !p->do_not_verify_remote_gateways)
		topo_build_error(b, TOPO_PEERING, i, "", "RemoteVnetHasNoGateways",
		    "use_remote_gateways needs a gateway or Route Server in %.64s; add one or set "
		    "do_not_verify_remote_gateways",
		    remote);
	if (!transit && b->complete[TOPO_PEERING])
		topo_build_error(b, TOPO_PEERING, i, "", "RemotePeeringHasNoGatewayTransit",
		    "use_remote_gateways needs allow_gateway_transit in the peering of %.64s "
		    "with %.64s",
		    remote, t->vnets[p->vnet].name);
	if (has_gateway(&t->vnets[p->vnet]))
		topo_build_error(b, TOPO_PEERING, i, "", "VnetHasOwnGateway",
		    "%.64s has a gateway or Route Server of its own and cannot use those of %.64s",
		    t->vnets[p->vnet].name, remote);
}

/* The peerings of one VNet, which lie side by side: at ... at + n. */
static void
check_vnet_peerings(struct topo_build *b, size_t at, size_t n)
{
	const struct topo *t = b->t;
	const struct topo_vnet *v = &t->vnets[t->peerings[at].vnet];
	int gateways = -1;

	if (n > t->limits.peerings_per_vnet)
		topo_build_error(b, TOPO_PEERING, at + n - 1, "", "PeeringsPerVnetLimitReached",
		    "VNet %.64s has %zu peerings; the limit is %u", v->name, n,
		    t->limits.peerings_per_vnet);
	for (size_t i = at; i < at + n; i++) {
		if (!t->peerings[i].use_remote_gateways)
			continue;
		if (gateways >= 0)
			topo_build_error(b, TOPO_PEERING, i, "", "OnlyOneUseRemoteGateways",
			    "VNet %.64s uses the gateways of %.64s already; one peering of a VNet "
			    "may have use_remote_gateways",
			    v->name, t->vnets[t->peerings[gateways].remote].name);
		else
			gateways = (int)i;
	}
}

/* PEER-3: two VNets that are peered with the same one must not overlap either. */
static void
check_siblings(struct topo_build *b, size_t at, size_t n)
{
	const struct topo *t = b->t;
	struct topo_span *v;
	struct topo_clash clash = { 0 };
	size_t total = 0, used = 0;

	for (size_t i = at; i < at + n; i++)
		total += t->vnets[t->peerings[i].remote].space.n;
	if ((v = topo_arena_alloc(b->arena, total, sizeof(*v))) == NULL)
		return;
	for (size_t i = at; i < at + n; i++)
		for (size_t k = 0; k < t->vnets[t->peerings[i].remote].space.n; k++)
			v[used++] =
			    (struct topo_span){ t->vnets[t->peerings[i].remote].space.v[k], i };
	while (topo_span_clash(v, total, &clash)) {
		const struct topo_peering *x = &t->peerings[clash.a->tag];
		const struct topo_peering *y = &t->peerings[clash.b->tag];
		char p[IPNET_STRLEN];

		if (clash.a->tag == clash.b->tag)
			continue;
		topo_build_error(b, TOPO_PEERING, clash.b->tag, "",
		    "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
		    "%s of %.64s overlaps %.64s, which is peered with %.64s too",
		    ipnet_format(p, clash.b->net), t->vnets[y->remote].name,
		    t->vnets[x->remote].name, t->vnets[x->vnet].name);
	}
}

static void
check_peerings(struct topo_build *b)
{
	const struct topo *t = b->t;
	size_t at, n;

	for (size_t i = 0; i < t->n_peerings; i++) {
		const struct topo_peering *p = &t->peerings[i];

		if (p->vnet < 0 || p->remote < 0)
			continue;
		if (p->vnet == p->remote) {
			topo_build_error(b, TOPO_PEERING, i, "", "PeeringWithItself",
			    "a VNet cannot be peered with itself");
			continue;
		}
		check_overlap(b, i);
		if (p->use_remote_gateways)
			check_remote_gateways(b, i);
	}
	for (at = 0; at < t->n_peerings; at += n) {
		n = 1;
		if (t->peerings[at].vnet < 0 || t->peerings[at].remote < 0)
			continue;
		while (at + n < t->n_peerings && t->peerings[at + n].vnet == t->peerings[at].vnet)
			n++;
		check_vnet_peerings(b, at, n);
		check_siblings(b, at, n);
	}
}

void
topo_check_net(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_vnets; i++) {
		check_space(b, i);
		check_subnets(b, i);
	}
	check_nics(b);
	check_peerings(b);
}
