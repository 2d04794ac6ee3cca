/*
 * The BGP layer of every scope: reporters and their reports, and whose table a NIC uses.
 */
#include "fabricd/fc_bgp.h"

#include "fabricd/fc_best.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

void
fc_bgp_init(struct fc_bgp *b)
{
	*b = (struct fc_bgp){ 0 };
	fc_group_pool_init(&b->groups);
}

static void
reporter_free(struct fc_bgp *b, struct fc_reporter *r)
{
	fc_table_clear(&b->groups, &r->rib);
	free(r->name);
	free(r->vnet_name);
	free(r);
}

static void
scopes_free(struct fc_bgp *b, struct fc_scope *scopes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fc_table_clear(&b->groups, &scopes[i].best);
	free(scopes);
}

void
fc_bgp_fini(struct fc_bgp *b)
{
	struct fc_reporter *r, *tmp;

	scopes_free(b, b->scopes, b->n_scopes);
	HASH_ITER (hh, b->reporters, r, tmp) {
		HASH_DEL(b->reporters, r);
		reporter_free(b, r);
	}
	fc_group_pool_fini(&b->groups);
	fc_bgp_init(b);
}

static struct fc_reporter *
reporter_find(const struct fc_bgp *b, const char *name)
{
	struct fc_reporter *r;

	HASH_FIND_STR(b->reporters, name, r);
	return r;
}

/* ---- topology ---- */

/* The VNet that a node reports for; -1: it does not report routes to NICs. */
static int
node_scope(const struct topo *t, const struct topo_node *n)
{
	int vnet;

	switch (n->kind) {
	case TOPO_NODE_ROUTE_SERVER:
		return t->servers[n->index].vnet;
	case TOPO_NODE_ER_GATEWAY:
	case TOPO_NODE_VPN_GATEWAY:
		vnet = t->gateways[n->index].vnet;
		return t->vnets[vnet].route_server < 0 ? vnet : -1;
	default:
		return -1;
	}
}

static struct fc_reporter *
reporter_new(const char *name, const char *vnet_name)
{
	struct fc_reporter *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->name = strdup(name);
	r->vnet_name = strdup(vnet_name);
	r->counted = true;
	if (r->name == NULL || r->vnet_name == NULL) {
		free(r->name);
		free(r->vnet_name);
		free(r);
		return NULL;
	}
	return r;
}

/* A reporter that moved to another VNet starts afresh. */
static int
reporter_adopt(struct fc_bgp *b, const struct topo *t, const struct topo_node *n, int vnet)
{
	struct fc_reporter *r = reporter_find(b, n->name);

	if (r != NULL && strcmp(r->vnet_name, t->vnets[vnet].name) != 0) {
		HASH_DEL(b->reporters, r);
		reporter_free(b, r);
		r = NULL;
	}
	if (r == NULL) {
		if ((r = reporter_new(n->name, t->vnets[vnet].name)) == NULL)
			return FAB_ENOMEM;
		HASH_ADD_KEYPTR(hh, b->reporters, r->name, strlen(r->name), r);
	}
	r->seen = true;
	r->vnet = vnet;
	r->instance = n->instance;
	return FAB_OK;
}

static void
reporters_sweep(struct fc_bgp *b)
{
	struct fc_reporter *r, *tmp;

	HASH_ITER (hh, b->reporters, r, tmp) {
		if (r->seen)
			continue;
		HASH_DEL(b->reporters, r);
		reporter_free(b, r);
	}
}

static void
scope_add(struct fc_scope *s, struct fc_reporter *r, bool has_rs)
{
	FAB_ASSERT(s->n_rep < FC_REPORTERS_MAX);
	s->has_rs = has_rs;
	s->rep[s->n_rep++] = r;
}

static const struct fc_reporter *
scope_instance(const struct fc_scope *s, unsigned instance)
{
	for (size_t i = 0; i < s->n_rep; i++)
		if (s->rep[i]->instance == instance)
			return s->rep[i];
	return NULL;
}

/* 0: gone, 1: there, 2: there and has had all its routes since. */
static int
rank(const struct fc_reporter *r)
{
	return r == NULL || !r->connected ? 0 : r->ready ? 2 : 1;
}

/* RS-66: its own instance, unless the other one is better (RS-93); with both gone whatever was
 * there last (RS-95). Losing a session later does not make an instance worse: its NICs then miss
 * these routes, as RS-94 says. */
static bool
scope_choose(struct fc_scope *s)
{
	int r0 = rank(scope_instance(s, 0)), r1 = rank(scope_instance(s, 1));
	unsigned first = r0 >= r1 ? 0 : 1, second = r1 >= r0 ? 1 : 0;

	if ((r0 == 0 && r1 == 0) || (s->serving[0] == first && s->serving[1] == second))
		return false;
	s->serving[0] = first;
	s->serving[1] = second;
	return true;
}

/* Gateways: the routes of those that are connected count; with all gone those that did last. */
static bool
scope_count(struct fc_bgp *b, struct fc_scope *s)
{
	size_t changed = 0;
	bool any = false;

	for (size_t i = 0; i < s->n_rep; i++)
		any = any || s->rep[i]->connected;
	for (size_t i = 0; any && i < s->n_rep; i++) {
		struct fc_reporter *r = s->rep[i];

		if (r->counted == r->connected)
			continue;
		r->counted = r->connected;
		fc_best_update_all(b, s, r, &changed);
	}
	return changed > 0;
}

/* Which instance served is remembered across a change of the topology (RS-95). */
static void
scopes_inherit(struct fc_bgp *b, const struct topo *t, struct fc_scope *scopes)
{
	for (size_t i = 0; i < b->n_scopes; i++) {
		int vnet;

		if (b->scopes[i].n_rep == 0)
			continue;
		vnet = topo_find_vnet(t, b->scopes[i].rep[0]->vnet_name);
		if (vnet >= 0)
			memcpy(scopes[vnet].serving, b->scopes[i].serving,
			    sizeof(scopes[vnet].serving));
	}
}

static int
scopes_fill(struct fc_bgp *b, struct fc_scope *scopes, const struct topo *t)
{
	struct fc_reporter *r, *tmp;
	size_t changed = 0;
	int err = FAB_OK;

	HASH_ITER (hh, b->reporters, r, tmp)
		scope_add(&scopes[r->vnet], r, t->vnets[r->vnet].route_server >= 0);
	for (size_t i = 0; i < t->n_vnets; i++)
		for (size_t j = 0; j < scopes[i].n_rep && !scopes[i].has_rs; j++)
			if (err == FAB_OK)
				err = fc_best_update_all(b, &scopes[i], scopes[i].rep[j], &changed);
	return err;
}

int
fc_bgp_bind(struct fc_bgp *b, const struct topo *t)
{
	struct fc_scope *scopes = calloc(t->n_vnets > 0 ? t->n_vnets : 1, sizeof(*scopes));
	struct fc_reporter *r, *tmp;
	int err = FAB_OK, vnet;

	if (scopes == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < t->n_vnets; i++)
		scopes[i].serving[1] = 1;
	scopes_inherit(b, t, scopes);
	HASH_ITER (hh, b->reporters, r, tmp)
		r->seen = false;
	for (size_t i = 0; i < t->n_nodes && err == FAB_OK; i++)
		if ((vnet = node_scope(t, &t->nodes[i])) >= 0)
			err = reporter_adopt(b, t, &t->nodes[i], vnet);
	scopes_free(b, b->scopes, b->n_scopes);
	b->scopes = scopes;
	b->n_scopes = t->n_vnets;
	reporters_sweep(b);
	return err == FAB_OK ? scopes_fill(b, scopes, t) : err;
}

/* ---- reports ---- */

static bool
net_valid(uint32_t addr, uint8_t len)
{
	return len <= 32 && (addr & ~ipnet_mask(len)) == 0;
}

bool
fc_batch_valid(const struct fc_route_batch *b)
{
	for (size_t i = 0; i < b->n_withdrawn; i++)
		if (!net_valid(b->withdrawn_addr[i], b->withdrawn_len[i]))
			return false;
	for (size_t i = 0; i < b->n_groups; i++) {
		const struct fc_route_group *g = &b->groups[i];

		if (g->n_next_hops > FC_NEXT_HOPS_MAX)
			return false;
		for (size_t j = 0; j < g->n; j++)
			if (!net_valid(g->addr[j], g->len[j]))
				return false;
	}
	return true;
}

size_t
fc_batch_announced(const struct fc_route_batch *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_groups; i++)
		n += b->groups[i].n;
	return n;
}

/* One reporter's route changed: in a scope with a Route Server that is the outcome. */
static int
rib_set(struct fc_bgp *b, struct fc_reporter *r, struct ipnet net, uint32_t id, size_t *changed)
{
	struct fc_scope *s = &b->scopes[r->vnet];
	size_t one = 0;
	int err;

	fc_group_ref(&b->groups, id);
	err = fc_table_set(&b->groups, &r->rib, net, id, &one);
	if (err == FAB_OK && one > 0 && !s->has_rs)
		return fc_best_update(b, s, net, changed);
	*changed += one;
	return err;
}

static int
rib_del(struct fc_bgp *b, struct fc_reporter *r, struct ipnet net, size_t *changed)
{
	struct fc_scope *s = &b->scopes[r->vnet];

	if (!fc_table_del(&b->groups, &r->rib, net))
		return FAB_OK;
	if (!s->has_rs)
		return fc_best_update(b, s, net, changed);
	++*changed;
	return FAB_OK;
}

static int
group_apply(
    struct fc_bgp *b, struct fc_reporter *r, const struct fc_route_group *in, size_t *changed)
{
	struct fc_group_key key = { .source = in->source,
		.weight = in->weight,
		.path_len = (uint16_t)(in->n_as_path > UINT16_MAX ? UINT16_MAX : in->n_as_path),
		.n_hops = (uint16_t)in->n_next_hops };
	struct fc_group *g;
	int err = fc_group_intern(&b->groups, key, in->next_hops, &g);

	if (err != FAB_OK)
		return err;
	for (size_t i = 0; i < in->n && err == FAB_OK; i++)
		err = rib_set(b, r, (struct ipnet){ in->addr[i], in->len[i] }, g->id, changed);
	fc_group_unref(&b->groups, g->id);
	return err;
}

int
fc_bgp_apply(
    struct fc_bgp *b, const char *reporter, const struct fc_route_batch *batch, size_t *changed)
{
	struct fc_reporter *r = reporter_find(b, reporter);
	size_t announced = fc_batch_announced(batch), n = 0;
	int err;

	if (r == NULL)
		return FAB_ENOENT;
	if (!fc_batch_valid(batch))
		return FAB_EINVAL;
	if (r->rib.count + announced > FC_REPORTER_ROUTES_MAX)
		return FAB_ETOOBIG;
	if ((err = fc_lpm_reserve(&r->rib, announced)) != FAB_OK)
		return err;
	for (size_t i = 0; i < batch->n_withdrawn && err == FAB_OK; i++)
		err = rib_del(
		    b, r, (struct ipnet){ batch->withdrawn_addr[i], batch->withdrawn_len[i] }, &n);
	for (size_t i = 0; i < batch->n_groups && err == FAB_OK; i++)
		err = group_apply(b, r, &batch->groups[i], &n);
	*changed = n;
	return err;
}

int
fc_bgp_snapshot_begin(struct fc_bgp *b, const char *reporter)
{
	struct fc_reporter *r = reporter_find(b, reporter);
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	if (r == NULL)
		return FAB_ENOENT;
	fc_lpm_walk(&it, &r->rib, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		*fc_lpm_slot(&r->rib, hit.net) |= FC_STALE;
	return FAB_OK;
}

int
fc_bgp_snapshot_end(struct fc_bgp *b, const char *reporter, size_t *changed)
{
	struct fc_reporter *r = reporter_find(b, reporter);
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;
	struct ipnet *stale;
	size_t n_stale = 0, n = 0;
	int err = FAB_OK;

	if (r == NULL)
		return FAB_ENOENT;
	stale = malloc((r->rib.count + 1) * sizeof(*stale));
	if (stale == NULL)
		return FAB_ENOMEM;
	fc_lpm_walk(&it, &r->rib, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit))
		if (hit.value & FC_STALE)
			stale[n_stale++] = hit.net;
	for (size_t i = 0; i < n_stale && err == FAB_OK; i++)
		err = rib_del(b, r, stale[i], &n);
	free(stale);
	*changed = n;
	return err;
}

bool
fc_bgp_state(struct fc_bgp *b, const char *reporter, bool connected, bool converged)
{
	struct fc_reporter *r = reporter_find(b, reporter);
	struct fc_scope *s;

	if (r == NULL)
		return false;
	r->connected = connected;
	r->ready = connected && (r->ready || converged);
	s = &b->scopes[r->vnet];
	return s->has_rs ? scope_choose(s) : scope_count(b, s);
}

/* ---- questions ---- */

const struct fc_lpm *
fc_bgp_table(const struct fc_bgp *b, int vnet, unsigned instance)
{
	const struct fc_scope *s;
	const struct fc_reporter *r;

	if (vnet < 0 || (size_t)vnet >= b->n_scopes || b->scopes[vnet].n_rep == 0)
		return NULL;
	s = &b->scopes[vnet];
	if (!s->has_rs)
		return &s->best;
	r = scope_instance(s, s->serving[instance & 1]);
	return r != NULL ? &r->rib : NULL;
}

const struct fc_group *
fc_bgp_group(const struct fc_bgp *b, uint32_t value)
{
	return fc_group_get(&b->groups, value & ~FC_STALE);
}

size_t
fc_bgp_others(const struct fc_bgp *b, int vnet, unsigned instance, struct ipnet net,
    struct fc_bgp_other out[static FC_REPORTERS_MAX])
{
	const struct fc_lpm *own = fc_bgp_table(b, vnet, instance);
	const struct fc_scope *s;
	size_t n = 0;

	if (own == NULL)
		return 0;
	s = &b->scopes[vnet];
	if (!s->has_rs)
		return fc_best_losers(b, s, net, out);
	for (size_t i = 0; i < s->n_rep; i++) {
		const uint32_t *slot = fc_lpm_slot(&s->rep[i]->rib, net);
		const uint32_t *mine = fc_lpm_slot(own, net);

		if (&s->rep[i]->rib == own || slot == NULL ||
		    (mine != NULL && (*mine & ~FC_STALE) == (*slot & ~FC_STALE)))
			continue;
		out[n++] = (struct fc_bgp_other){ s->rep[i]->name, *slot, "RS-66" };
	}
	return n;
}

size_t
fc_bgp_match_all(
    const struct fc_bgp *b, int vnet, struct ipnet net, struct ipnet out[static FC_LPM_DEPTH])
{
	bool seen[FC_LPM_DEPTH] = { false };
	size_t n = 0;

	if (vnet < 0 || (size_t)vnet >= b->n_scopes)
		return 0;
	for (size_t i = 0; i < b->scopes[vnet].n_rep; i++) {
		struct fc_lpm_hit hits[FC_LPM_DEPTH];
		size_t n_hits = fc_lpm_match(&b->scopes[vnet].rep[i]->rib, net, hits);

		for (size_t j = 0; j < n_hits; j++)
			seen[hits[j].net.len] = true;
	}
	for (uint8_t len = 0; len < FC_LPM_DEPTH; len++)
		if (seen[len])
			out[n++] = (struct ipnet){ net.addr & ipnet_mask(len), len };
	return n;
}

size_t
fc_bgp_memory(const struct fc_bgp *b)
{
	size_t octets = fc_group_memory(&b->groups) + b->n_scopes * sizeof(*b->scopes);
	struct fc_reporter *r, *tmp;

	for (size_t i = 0; i < b->n_scopes; i++)
		octets += fc_lpm_memory(&b->scopes[i].best);
	HASH_ITER (hh, b->reporters, r, tmp)
		octets += sizeof(*r) + fc_lpm_memory(&r->rib);
	return octets;
}
