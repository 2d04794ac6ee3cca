/*
 * System routes and the reach of a gateway scope.
 */
#include "fabricd/fc_system.h"

#include "lib/err.h"

#include <stdlib.h>

/* SYS-3, then SYS-4. They stay beside a VNet prefix that lies inside, unless quirks say
 * otherwise (OPEN-8). */
static const struct ipnet none_prefixes[] = {
	{ 0x0a000000, 8 },  /* 10.0.0.0/8 */
	{ 0xac100000, 12 }, /* 172.16.0.0/12 */
	{ 0xc0a80000, 16 }, /* 192.168.0.0/16 */
	{ 0x64400000, 10 }, /* 100.64.0.0/10 */
	{ 0x7f000000, 8 },  /* 127.0.0.0/8 */
	{ 0xc6120000, 15 }, /* 198.18.0.0/15 */
	{ 0x9d3b0000, 16 }, /* 157.59.0.0/16 */
	{ 0x68920000, 17 }, /* 104.146.0.0/17 */
	{ 0x68930000, 16 }, /* 104.147.0.0/16 */
	{ 0x286c0000, 17 }, /* 40.108.0.0/17 */
	{ 0x286d0000, 16 }, /* 40.109.0.0/16 */
	{ 0x17670000, 18 }, /* 23.103.0.0/18 */
	{ 0x1423fc00, 22 }, /* 20.35.252.0/22 */
};

#define N_NONE (sizeof(none_prefixes) / sizeof(none_prefixes[0]))

void
fc_sys_fini(struct fc_sys *s)
{
	free(s->v);
	fc_lpm_fini(&s->lpm);
	*s = (struct fc_sys){ 0 };
}

/* The first one to name a prefix has it: a VNet that uses exactly 10.0.0.0/8 has no None route
 * there (SYS-3). Room was made before. */
static void
sys_add(struct fc_sys *s, struct ipnet prefix, enum fc_hop hop, int peer_vnet)
{
	uint32_t *slot = fc_lpm_add(&s->lpm, prefix);

	if (*slot != FC_LPM_NONE)
		return;
	*slot = (uint32_t)s->n;
	s->v[s->n++] =
	    (struct fc_sys_route){ .prefix = prefix, .hop = hop, .peer_vnet = peer_vnet };
}

/* PEER-1: only a Connected peering carries routes; PEER-2: and only those of the peer itself. */
static bool
peering_counts(const struct topo_peering *p, int vnet)
{
	return p->vnet == vnet && p->state == PEERING_CONNECTED && !p->late;
}

static size_t
sys_size(const struct topo *t, int vnet)
{
	size_t n = t->vnets[vnet].space.n + 1 + N_NONE;

	for (size_t i = 0; i < t->n_peerings; i++)
		if (peering_counts(&t->peerings[i], vnet))
			n += t->peerings[i].space.n;
	return n;
}

/* OPEN-8 */
static bool
has_prefix_inside(const struct topo_nets *space, struct ipnet net)
{
	for (size_t i = 0; i < space->n; i++)
		if (ipnet_contains(net, space->v[i]))
			return true;
	return false;
}

/* SYS-6: every prefix of the peer's address space. */
static void
sys_add_peering(struct fc_sys *s, const struct topo_peering *p)
{
	const struct topo_nets *space = &p->space; /* PEER-4 */

	for (size_t i = 0; i < space->n; i++)
		sys_add(s, space->v[i],
		    p->global ? FC_HOP_VNET_GLOBAL_PEERING : FC_HOP_VNET_PEERING, p->remote);
}

int
fc_sys_build(struct fc_sys *s, const struct topo *t, int vnet)
{
	const struct topo_nets *space = &t->vnets[vnet].space;
	size_t n = sys_size(t, vnet);

	*s = (struct fc_sys){ 0 };
	s->v = calloc(n, sizeof(*s->v));
	if (s->v == NULL || fc_lpm_reserve(&s->lpm, n) != FAB_OK) {
		fc_sys_fini(s);
		return FAB_ENOMEM;
	}
	for (size_t i = 0; i < space->n; i++) /* SYS-1 */
		sys_add(s, space->v[i], FC_HOP_VNET_LOCAL, -1);
	for (size_t i = 0; i < t->n_peerings; i++)
		if (peering_counts(&t->peerings[i], vnet))
			sys_add_peering(s, &t->peerings[i]);
	sys_add(s, (struct ipnet){ 0, 0 }, FC_HOP_INTERNET, -1); /* SYS-2 */
	for (size_t i = 0; i < N_NONE; i++)
		if (!t->quirks.no_none_routes || !has_prefix_inside(space, none_prefixes[i]))
			sys_add(s, none_prefixes[i], FC_HOP_NONE, -1);
	return FAB_OK;
}

const struct fc_sys_route *
fc_sys_direct(const struct fc_sys *s, uint32_t addr)
{
	struct fc_lpm_hit hits[FC_LPM_DEPTH];
	size_t n = fc_lpm_match(&s->lpm, (struct ipnet){ addr, 32 }, hits);

	while (n-- > 0)
		if (fc_hop_is_vnet(s->v[hits[n].value].hop))
			return &s->v[hits[n].value];
	return NULL;
}

const struct fc_sys_route *
fc_sys_suppressor(const struct fc_sys *s, struct ipnet net)
{
	struct fc_lpm_hit hits[FC_LPM_DEPTH];
	size_t n = fc_lpm_match(&s->lpm, net, hits);

	for (size_t i = 0; i < n; i++)
		if (fc_hop_is_vnet(s->v[hits[i].value].hop))
			return &s->v[hits[i].value];
	return NULL;
}

bool
fc_sys_none_range(uint32_t addr)
{
	for (size_t i = 0; i < N_NONE; i++)
		if (ipnet_has_addr(none_prefixes[i], addr))
			return true;
	return false;
}

bool
fc_sys_none_prefix(size_t i, struct ipnet *out)
{
	if (i >= N_NONE)
		return false;
	*out = none_prefixes[i];
	return true;
}

int
fc_scope_of(const struct topo *t, int vnet)
{
	int scope = t->vnets[vnet].scope;
	const struct topo_peering *p;
	int i;

	if (scope < 0 || scope == vnet)
		return scope;
	if ((i = topo_find_peering(t, vnet, scope)) < 0)
		return -1;
	p = &t->peerings[i];
	if (p->late || !p->use_remote_gateways || p->state != PEERING_CONNECTED || p->reverse < 0 ||
	    !t->peerings[p->reverse].allow_gateway_transit)
		return -1;
	return scope;
}
