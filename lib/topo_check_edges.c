/*
 * Rules about what lies at the edges: public addresses, internal load balancers, clients.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- public addresses ---- */

/* Who has one; names nothing when it is the fabric's own. */
struct holder {
	uint32_t addr;
	const char *name;
	enum topo_kind kind;
	size_t index;
	bool given; /* by the file, so that it can be complained about */
};

struct holders {
	struct holder *v;
	size_t n;
};

static void
hold(struct holders *h, struct holder one)
{
	if (one.addr != 0)
		h->v[h->n++] = one;
}

/* In an order in which of two equal addresses the second one can be complained about. */
static void
list_holders(const struct topo *t, struct holders *h)
{
	hold(h, (struct holder){ .addr = TOPO_INTERNET_IP, .name = "the Internet" });
	hold(h, (struct holder){ .addr = IPADDR_PLATFORM, .name = "Azure's platform" });
	for (size_t i = 0; i < t->n_gateways; i++) /* VPN-14 */
		hold(h, (struct holder){ t->gateways[i].public_ip, t->gateways[i].name,
			    TOPO_GATEWAY, i, false });
	for (size_t i = 0; i < t->n_nvas; i++)
		hold(
		    h, (struct holder){ t->nvas[i].public_ip, t->nvas[i].name, TOPO_NVA, i, true });
	for (size_t i = 0; i < t->n_sites; i++)
		hold(h,
		    (struct holder){ t->sites[i].public_ip, t->sites[i].name, TOPO_SITE, i, true });
	for (size_t i = 0; i < t->n_vms; i++)
		hold(h, (struct holder){ t->vms[i].public_ip, t->vms[i].name, TOPO_VM, i, true });
}

/* Stable: the address, then the order of the list. */
static int
by_address(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->given != y->given)
		return x->given - y->given;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* What the Internet does not route (SYS-3), or nobody may have. */
static bool
is_private(uint32_t addr)
{
	static const struct ipnet nets[] = { { 0x00000000, 8 }, { 0x0a000000, 8 },
		{ 0x64400000, 10 }, { 0x7f000000, 8 }, { 0xa9fe0000, 16 }, { 0xac100000, 12 },
		{ 0xc0a80000, 16 }, { 0xc6120000, 15 }, { 0xe0000000, 3 } };

	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (ipnet_has_addr(nets[i], addr))
			return true;
	return false;
}

static void
check_public(struct topo_build *b, const struct holder *h, const struct holder *before)
{
	const struct topo *t = b->t;
	char a[IPADDR_STRLEN];

	ipaddr_format(a, h->addr);
	if (is_private(h->addr))
		topo_build_error(b, h->kind, h->index, "/public_ip", "InvalidPublicIPAddress",
		    "%s is no address of the Internet", a);
	for (size_t i = 0; i < t->n_vnets; i++)
		if (topo_vnet_has_addr(&t->vnets[i], h->addr))
			topo_build_error(b, h->kind, h->index, "/public_ip",
			    "InvalidPublicIPAddress", "%s is inside VNet %.64s", a,
			    t->vnets[i].name);
	if (before != NULL && before->addr == h->addr)
		topo_build_error(b, h->kind, h->index, "/public_ip", "PublicIPAddressInUse",
		    "%s is the address of %.64s already", a, before->name);
}

static void
check_publics(struct topo_build *b)
{
	const struct topo *t = b->t;
	size_t max = 2 + t->n_gateways + t->n_nvas + t->n_sites + t->n_vms;
	struct holders h = { .v = topo_arena_alloc(b->arena, max, sizeof(*h.v)) };

	if (h.v == NULL)
		return;
	list_holders(t, &h);
	qsort(h.v, h.n, sizeof(*h.v), by_address);
	for (size_t i = 0; i < h.n; i++)
		if (h.v[i].given)
			check_public(b, &h.v[i], i > 0 ? &h.v[i - 1] : NULL);
}

/* ---- load balancers ---- */

static void
check_backends(struct topo_build *b, size_t i)
{
	const struct topo_load_balancer *l = &b->t->balancers[i];
	char pointer[TOPO_POINTER_MAX];

	for (size_t k = 0; k < l->n_backend_names; k++) {
		const char *name = l->backend_names[k];
		int nic = topo_find_nic(b->t, name);

		snprintf(pointer, sizeof(pointer), "/backends/%zu", k);
		if (nic < 0 && (topo_doc_find(b->doc, TOPO_NVA, name) != NULL ||
				   topo_doc_find(b->doc, TOPO_VM, name) != NULL))
			continue; /* broken */
		if (nic < 0)
			topo_build_error(b, TOPO_LOAD_BALANCER, i, pointer, "UnknownReference",
			    "there is no NVA and no VM \"%.64s\"", name);
		else if (l->vnet >= 0 && b->t->nics[nic].vnet != l->vnet)
			topo_build_error(b, TOPO_LOAD_BALANCER, i, pointer, "InvalidBackend",
			    "%.64s is in another VNet than the load balancer", name);
	}
}

#define PROBE_INTERVAL_MIN_MS 100

/* It becomes part of a request's first line. */
static bool
path_is_fine(const char *path)
{
	for (const char *s = path; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~')
			return false;
	return path[0] == '/' && strlen(path) < TOPO_PROBE_PATH_MAX;
}

static void
check_health_probe(struct topo_build *b, size_t i)
{
	const struct topo_health_probe *p = &b->t->balancers[i].probe;

	if (p->port == 0)
		return;
	if (p->path != NULL && !p->http)
		topo_build_error(b, TOPO_LOAD_BALANCER, i, "/probe/path", "InvalidProbe",
		    "only probes with protocol Http ask for something");
	else if (p->path != NULL && !path_is_fine(p->path))
		topo_build_error(b, TOPO_LOAD_BALANCER, i, "/probe/path", "InvalidProbe",
		    "\"%.64s\" is not the path of a URL, such as /health", p->path);
	if (p->interval_ms < PROBE_INTERVAL_MIN_MS)
		topo_build_error(b, TOPO_LOAD_BALANCER, i, "/probe/interval", "InvalidProbe",
		    "must be at least %dms", PROBE_INTERVAL_MIN_MS);
}

static void
check_balancers(struct topo_build *b)
{
	const struct topo *t = b->t;
	char a[IPADDR_STRLEN];

	for (size_t i = 0; i < t->n_balancers; i++) {
		const struct topo_load_balancer *l = &t->balancers[i];
		int nic = topo_find_nic_by_ip(t, l->vnet, l->ip), other;

		topo_check_address(b, TOPO_LOAD_BALANCER, i, l->vnet, l->subnet, l->ip);
		check_backends(b, i);
		check_health_probe(b, i);
		if (l->vnet < 0)
			continue;
		other = topo_find_balancer_by_ip(t, l->vnet, l->ip);
		if (nic >= 0 || other != (int)i)
			topo_build_error(b, TOPO_LOAD_BALANCER, i, "/ip",
			    "PrivateIPAddressIsAllocated", "%s is allocated to %s",
			    ipaddr_format(a, l->ip),
			    nic >= 0 ? t->nics[nic].name : t->balancers[other].name);
	}
}

/* ---- clients ---- */

static void
check_client(struct topo_build *b, size_t i)
{
	const struct topo_client *c = &b->t->clients[i];
	const struct topo_nets *pools =
	    c->gateway >= 0 ? &b->t->gateways[c->gateway].p2s_pools : &b->t->nvas[c->nva].p2s_pools;
	int other = topo_find_client_by_ip(b->t, c->ip);
	char a[IPADDR_STRLEN];
	bool found = false;

	ipaddr_format(a, c->ip);
	for (size_t k = 0; k < pools->n; k++)
		found = found || ipnet_has_addr(pools->v[k], c->ip);
	if (!found)
		topo_build_error(b, TOPO_CLIENT, i, "/ip", "ClientAddressNotInPool",
		    "%s is in none of the p2s_pools of %.64s", a,
		    topo_get_text(b->props[TOPO_CLIENT][i], "via"));
	if (other != (int)i)
		topo_build_error(b, TOPO_CLIENT, i, "/ip", "PrivateIPAddressIsAllocated",
		    "%s is allocated to %s", a, b->t->clients[other].name);
}

void
topo_check_edges(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_clients; i++)
		if (b->t->clients[i].gateway >= 0 || b->t->clients[i].nva >= 0)
			check_client(b, i);
	check_publics(b);
	check_balancers(b);
}
