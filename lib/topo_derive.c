/*
 * What follows from several resources together: addresses that Azure assigns, states of peerings,
 * the scope of each VNet, NICs, and the indices behind the look-ups.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- addresses ---- */

/* RS-2: the first two assignable addresses, .4 and .5 of the subnet. */
static void
derive_server(struct topo *t, size_t i)
{
	struct topo_route_server *s = &t->servers[i];
	struct topo_vnet *v = s->vnet < 0 ? NULL : &t->vnets[s->vnet];

	if (v == NULL)
		return;
	if (v->route_server < 0)
		v->route_server = (int)i;
	if (v->route_server_subnet < 0)
		return;
	for (unsigned k = 0; k < 2; k++)
		s->ip[k] = v->subnets[v->route_server_subnet].prefix.addr + 4 + k;
}

static void
link_gateway(struct topo *t, size_t i)
{
	struct topo_gateway *g = &t->gateways[i];
	struct topo_vnet *v = g->vnet < 0 ? NULL : &t->vnets[g->vnet];
	int *slot;

	if (v == NULL)
		return;
	slot = g->type == GW_VPN ? &v->vpn_gateway : &v->er_gateway;
	if (*slot < 0)
		*slot = (int)i;
}

/* ER-16 for ExpressRoute; a VPN gateway beside one starts at .6. VPN-14: public address, from the
 * documentation range of RFC 5737. */
static void
derive_gateway(struct topo *t, size_t i, unsigned *n_vpn)
{
	struct topo_gateway *g = &t->gateways[i];
	const struct topo_vnet *v = g->vnet < 0 ? NULL : &t->vnets[g->vnet];
	bool er = g->type == GW_EXPRESS_ROUTE;
	uint32_t base;

	if (!er)
		g->public_ip = 0xcb007100 + ++*n_vpn;
	if (v == NULL || v->gateway_subnet < 0)
		return;
	base = v->subnets[v->gateway_subnet].prefix.addr;
	for (unsigned k = 0; k < 2; k++) {
		g->ip[k] = base + (er ? 12 : v->er_gateway >= 0 ? 6 : 4) + k;
		if (er)
			g->msee_ip[k] = base + 4 + k;
	}
}

/* ER-1: /30 links, customer first, Microsoft second. ER-19: next hops that NICs see. */
static void
derive_circuit(struct topo_build *b, size_t i)
{
	struct topo_circuit *c = &b->t->circuits[i];
	size_t n;

	if (c->links.n != 2) {
		c->links.v = topo_build_alloc(b, &n, 2, sizeof(*c->links.v));
		c->links.n = n;
		for (unsigned k = 0; k < n; k++)
			c->links.v[k] =
			    (struct ipnet){ 0xc0a80000 + ((10 + 2 * (uint32_t)i + k) << 8), 30 };
	}
	for (unsigned k = 0; k < c->links.n; k++) {
		c->site_ip[k] = c->links.v[k].addr + 1;
		c->msee_ip[k] = c->links.v[k].addr + 2;
		if (c->nic_next_hop[k] == 0)
			c->nic_next_hop[k] = 0x0a180004 + ((uint32_t)i << 8) + k;
	}
}

static void
listen_at(struct topo_tcp *listen, uint32_t ip)
{
	if (listen->port == 0)
		*listen = (struct topo_tcp){ ip, TOPO_BGP_PORT };
}

/* RS-31, RS-39: inside the fabric, BGP software peers as it does in production. */
static void
derive_listeners(struct topo *t)
{
	for (size_t i = 0; i < t->n_servers; i++)
		for (unsigned k = 0; k < 2; k++)
			listen_at(&t->servers[i].bgp_listen[k], t->servers[i].ip[k]);
	for (size_t i = 0; i < t->n_nvas; i++)
		listen_at(&t->nvas[i].bgp_listen, t->nvas[i].ip);
}

static void
derive_addresses(struct topo_build *b)
{
	struct topo *t = b->t;
	unsigned n_vpn = 0;

	for (size_t i = 0; i < t->n_servers; i++)
		derive_server(t, i);
	for (size_t i = 0; i < t->n_gateways; i++)
		link_gateway(t, i);
	for (size_t i = 0; i < t->n_gateways; i++)
		derive_gateway(t, i, &n_vpn);
	for (size_t i = 0; i < t->n_circuits; i++)
		derive_circuit(b, i);
	for (size_t i = 0; i < t->n_sites; i++)
		if (t->sites[i].ip == 0 && t->sites[i].prefixes.n > 0)
			t->sites[i].ip =
			    t->sites[i].prefixes.v[0].addr + (t->sites[i].prefixes.v[0].len < 31);
	if (t->packets)
		derive_listeners(t);
}

/* ---- peerings and scopes ---- */

struct peering_key {
	int vnet, remote;
	size_t at;
};

static int
by_ends(const void *a, const void *b)
{
	const struct peering_key *x = a, *y = b;

	if (x->vnet != y->vnet)
		return x->vnet < y->vnet ? -1 : 1;
	return x->remote < y->remote ? -1 : x->remote > y->remote;
}

/* By VNet, then remote VNet, for topo_find_peering(); of[] and props[] move along. */
static void
sort_peerings(struct topo_build *b)
{
	size_t n = b->t->n_peerings;
	struct topo_peering *sorted = topo_arena_alloc(b->arena, n, sizeof(*sorted));
	const struct topo_resource **of = topo_arena_alloc(b->arena, n, sizeof(*of));
	json_t **props = topo_arena_alloc(b->arena, n, sizeof(json_t *));
	struct peering_key *keys = topo_arena_alloc(b->arena, n, sizeof(*keys));

	if (n == 0 || sorted == NULL || of == NULL || props == NULL || keys == NULL)
		return;
	for (size_t i = 0; i < n; i++)
		keys[i] =
		    (struct peering_key){ b->t->peerings[i].vnet, b->t->peerings[i].remote, i };
	qsort(keys, n, sizeof(*keys), by_ends);
	for (size_t i = 0; i < n; i++) {
		sorted[i] = b->t->peerings[keys[i].at];
		of[i] = b->of[TOPO_PEERING][keys[i].at];
		props[i] = b->props[TOPO_PEERING][keys[i].at];
	}
	b->t->peerings = sorted;
	b->of[TOPO_PEERING] = of;
	b->props[TOPO_PEERING] = props;
}

/* PEER-1: Connected when both objects exist. */
static void
derive_peerings(struct topo *t)
{
	for (size_t i = 0; i < t->n_peerings; i++) {
		struct topo_peering *p = &t->peerings[i];

		if (p->vnet < 0 || p->remote < 0)
			continue;
		p->reverse = topo_find_peering(t, p->remote, p->vnet);
		if (p->space.n == 0) /* PEER-4: in sync */
			p->space = t->vnets[p->remote].space;
		p->state = p->reverse < 0 ? PEERING_INITIATED : PEERING_CONNECTED;
		p->global = strcmp(t->vnets[p->vnet].region, t->vnets[p->remote].region) != 0;
	}
}

static bool
same_nets(const struct topo_nets *a, const struct topo_nets *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; i < a->n && same; i++) {
		same = false;
		for (size_t k = 0; k < b->n; k++)
			same = same || ipnet_eq(a->v[i], b->v[k]);
	}
	return same;
}

const char *
topo_peering_sync(const struct topo *t, const struct topo_peering *p)
{
	const struct topo_peering *back = p->reverse < 0 ? NULL : &t->peerings[p->reverse];
	bool local = same_nets(&p->space, &t->vnets[p->remote].space);
	bool remote = back == NULL || same_nets(&back->space, &t->vnets[p->vnet].space);

	return local    ? (remote ? "FullyInSync" : "RemoteNotInSync")
	       : remote ? "LocalNotInSync"
			: "LocalAndRemoteNotInSync";
}

static bool
has_gateway(const struct topo_vnet *v)
{
	return v->route_server >= 0 || v->vpn_gateway >= 0 || v->er_gateway >= 0;
}

/* PEER-8: routes come from the VNet itself or through its one peering with useRemoteGateways, be it
 * global or not (PEER-11). */
static void
derive_scopes(struct topo *t)
{
	for (size_t i = 0; i < t->n_vnets; i++)
		if (has_gateway(&t->vnets[i]))
			t->vnets[i].scope = (int)i;
	for (size_t i = 0; i < t->n_peerings; i++) {
		const struct topo_peering *p = &t->peerings[i];

		if (p->use_remote_gateways && p->state == PEERING_CONNECTED && p->vnet >= 0 &&
		    t->vnets[p->vnet].scope < 0 && has_gateway(&t->vnets[p->remote]))
			t->vnets[p->vnet].scope = p->remote;
	}
}

bool
topo_vnet_has_addr(const struct topo_vnet *v, uint32_t addr)
{
	for (size_t i = 0; i < v->space.n; i++)
		if (ipnet_has_addr(v->space.v[i], addr))
			return true;
	return false;
}

/* RS-38, OPEN-20: in the Route Server's VNet or in one that is peered with it directly; that is
 * enough. */
static void
derive_rs_peers(struct topo *t)
{
	for (size_t i = 0; i < t->n_servers; i++) {
		struct topo_route_server *s = &t->servers[i];

		for (size_t k = 0; k < s->n_peers && s->vnet >= 0; k++) {
			struct topo_rs_peer *p = &s->peers[k];

			p->vnet = topo_vnet_has_addr(&t->vnets[s->vnet], p->peer_ip) ? s->vnet : -1;
			for (size_t q = topo_first_peering(t, s->vnet);
			     q < t->n_peerings && p->vnet < 0 && t->peerings[q].vnet == s->vnet;
			     q++)
				if (t->peerings[q].state == PEERING_CONNECTED &&
				    topo_vnet_has_addr(
					&t->vnets[t->peerings[q].remote], p->peer_ip))
					p->vnet = t->peerings[q].remote;
		}
	}
}

/* ---- NICs ---- */

static int
by_nic_name(const void *a, const void *b)
{
	const struct topo_nic *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
by_nic_address(const void *a, const void *b, void *nics)
{
	const struct topo_nic *x = (struct topo_nic *)nics + *(const int *)a;
	const struct topo_nic *y = (struct topo_nic *)nics + *(const int *)b;

	if (x->vnet != y->vnet)
		return x->vnet < y->vnet ? -1 : 1;
	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

/* RS-66: which Route Server instance serves an address. Neighbouring addresses spread. */
static unsigned
instance_of(uint32_t addr)
{
	return addr * 2654435769u >> 31;
}

static void
derive_nics(struct topo_build *b)
{
	struct topo *t = b->t;
	size_t n = 0, unused;

	t->nics = topo_build_alloc(b, &t->n_nics, t->n_vms + t->n_nvas, sizeof(*t->nics));
	t->index->by_address = topo_build_alloc(b, &unused, t->n_nics, sizeof(int));
	if (t->index->by_address == NULL) {
		t->n_nics = 0;
		return;
	}
	for (size_t i = 0; i < t->n_vms; i++) {
		const struct topo_vm *v = &t->vms[i];

		t->nics[n++] = (struct topo_nic){ v->name, v->vnet, v->subnet, v->ip,
			v->ip_forwarding, (int)i, -1, v->public_ip, instance_of(v->ip) };
	}
	for (size_t i = 0; i < t->n_nvas; i++) {
		const struct topo_nva *v = &t->nvas[i];

		t->nics[n++] = (struct topo_nic){ v->name, v->vnet, v->subnet, v->ip,
			v->ip_forwarding, -1, (int)i, v->public_ip, instance_of(v->ip) };
	}
	qsort(t->nics, n, sizeof(*t->nics), by_nic_name);
	for (size_t i = 0; i < n; i++)
		t->index->by_address[i] = (int)i;
	qsort_r(t->index->by_address, n, sizeof(int), by_nic_address, t->nics);
}

/* Names that are no NIC's are complained about later. */
static void
derive_balancers(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_balancers; i++) {
		struct topo_load_balancer *l = &b->t->balancers[i];
		size_t room;

		l->backends = topo_build_alloc(b, &room, l->n_backend_names, sizeof(int));
		for (size_t k = 0; k < room; k++) {
			int nic = topo_find_nic(b->t, l->backend_names[k]);

			if (nic >= 0)
				l->backends[l->n_backends++] = nic;
		}
	}
}

void
topo_derive(struct topo_build *b)
{
	derive_addresses(b);
	sort_peerings(b);
	derive_peerings(b->t);
	derive_scopes(b->t);
	derive_rs_peers(b->t);
	derive_nics(b);
	derive_balancers(b);
}

/* ---- look-ups ---- */

/* Position among n objects of size octets that begin with their name and are sorted by it. */
static int
find_name(const void *array, size_t n, size_t size, const char *name)
{
	size_t low = 0, high = n, mid;
	const char *at;
	int c;

	while (low < high) {
		mid = low + (high - low) / 2;
		memcpy(&at, (const char *)array + mid * size, sizeof(at));
		if ((c = strcmp(at, name)) == 0)
			return (int)mid;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

int
topo_find_vnet(const struct topo *t, const char *name)
{
	return find_name(t->vnets, t->n_vnets, sizeof(*t->vnets), name);
}

int
topo_find_nic(const struct topo *t, const char *name)
{
	return find_name(t->nics, t->n_nics, sizeof(*t->nics), name);
}

int
topo_find_nic_by_ip(const struct topo *t, int vnet, uint32_t ip)
{
	size_t low = 0, high = t->n_nics, mid;
	const struct topo_nic *nic;

	while (low < high) {
		mid = low + (high - low) / 2;
		nic = &t->nics[t->index->by_address[mid]];
		if (nic->vnet == vnet && nic->ip == ip)
			return t->index->by_address[mid];
		if (nic->vnet < vnet || (nic->vnet == vnet && nic->ip < ip))
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

int
topo_find_client_by_ip(const struct topo *t, uint32_t ip)
{
	for (size_t i = 0; i < t->n_clients; i++)
		if (t->clients[i].ip == ip)
			return (int)i;
	return -1;
}

int
topo_find_balancer_by_ip(const struct topo *t, int vnet, uint32_t ip)
{
	for (size_t i = 0; i < t->n_balancers; i++)
		if (t->balancers[i].vnet == vnet && t->balancers[i].ip == ip)
			return (int)i;
	return -1;
}

/* First peering that is not before (vnet, remote). */
static size_t
peering_bound(const struct topo *t, int vnet, int remote)
{
	size_t low = 0, high = t->n_peerings, mid;
	const struct topo_peering *p;

	while (low < high) {
		mid = low + (high - low) / 2;
		p = &t->peerings[mid];
		if (p->vnet < vnet || (p->vnet == vnet && p->remote < remote))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t
topo_first_peering(const struct topo *t, int vnet)
{
	return peering_bound(t, vnet, -1);
}

int
topo_find_peering(const struct topo *t, int vnet, int remote)
{
	size_t i = peering_bound(t, vnet, remote);

	return i < t->n_peerings && t->peerings[i].vnet == vnet && t->peerings[i].remote == remote
		   ? (int)i
		   : -1;
}
