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
feed_free(struct fc_bgp *b, struct fc_feed *r)
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
	struct fc_feed *r, *tmp;

	scopes_free(b, b->scopes, b->n_scopes);
	HASH_ITER (hh, b->feeds, r, tmp) {
		HASH_DEL(b->feeds, r);
		feed_free(b, r);
	}
	fc_group_pool_fini(&b->groups);
	fc_bgp_init(b);
}

static struct fc_feed *
feed_find(const struct fc_bgp *b, const char *name)
{
	struct fc_feed *r;

	HASH_FIND_STR(b->feeds, name, r);
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

static struct fc_feed *
feed_new(const char *name, const char *vnet_name)
{
	struct fc_feed *r = calloc(1, sizeof(*r));

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
feed_adopt(struct fc_bgp *b, const struct topo *t, const struct topo_node *n, int vnet)
{
	struct fc_feed *r = feed_find(b, n->name);

	if (r != NULL && strcmp(r->vnet_name, t->vnets[vnet].name) != 0) {
		HASH_DEL(b->feeds, r);
		feed_free(b, r);
		r = NULL;
	}
	if (r == NULL) {
		if ((r = feed_new(n->name, t->vnets[vnet].name)) == NULL)
			return FAB_ENOMEM;
		HASH_ADD_KEYPTR(hh, b->feeds, r->name, strlen(r->name), r);
	}
	r->seen = true;
	r->vnet = vnet;
	r->instance = n->instance;
	return FAB_OK;
}

static void
feeds_sweep(struct fc_bgp *b)
{
	struct fc_feed *r, *tmp;

	HASH_ITER (hh, b->feeds, r, tmp) {
		if (r->seen)
			continue;
		HASH_DEL(b->feeds, r);
		feed_free(b, r);
	}
}

static void
scope_add(struct fc_scope *s, struct fc_feed *r, bool has_rs)
{
	FAB_ASSERT(s->n_feeds < FC_FEEDS_MAX);
	s->has_rs = has_rs;
	s->feed[s->n_feeds++] = r;
}

static const struct fc_feed *
scope_instance(const struct fc_scope *s, unsigned instance)
{
	for (size_t i = 0; i < s->n_feeds; i++)
		if (s->feed[i]->instance == instance)
			return s->feed[i];
	return NULL;
}

/* Maintenance takes one instance at a time (RS-10, ER-38), so there is always one that is there.
 * 0: gone, 1: there, 2: there and has had all its routes since (or has had time enough). */
static int
rank(const struct fc_feed *r)
{
	return r == NULL || !r->connected ? 0 : r->ready ? 2 : 1;
}

/* Whose table the NICs of an instance use now (RS-66). */
static unsigned
choose(unsigned own, unsigned now, const int ranks[2])
{
	unsigned sibling = 1 - own;

	if (ranks[own] == 0 && ranks[sibling] == 0)
		return now; /* RS-95, OPEN-16 */
	if (ranks[own] == 2 || ranks[sibling] == 0)
		return own;
	/* RS-93: there is no hurry to leave a sibling for one that may not have all routes yet. */
	return ranks[own] == 0 || ranks[sibling] == 2 ? sibling : now;
}

/* Losing a session later does not make an instance worse: its NICs miss these routes (RS-94). */
static bool
scope_choose(const struct fc_bgp *b, struct fc_scope *s)
{
	const int ranks[2] = { rank(scope_instance(s, 0)), rank(scope_instance(s, 1)) };
	unsigned first = choose(0, s->serving[0], ranks), second = choose(1, s->serving[1], ranks);
	bool dark = b->withdraws && ranks[0] == 0 && ranks[1] == 0; /* OPEN-16 */
	bool changed = first != s->serving[0] || second != s->serving[1] || dark != s->dark;

	s->dark = dark;
	s->serving[0] = first;
	s->serving[1] = second;
	return changed;
}

/* Gateways: the routes of those that are connected count; with all gone those that did last. */
static bool
scope_count(struct fc_bgp *b, struct fc_scope *s)
{
	size_t changed = 0;
	bool any = false;

	for (size_t i = 0; i < s->n_feeds; i++)
		any = any || s->feed[i]->connected;
	for (size_t i = 0; any && i < s->n_feeds; i++) {
		struct fc_feed *r = s->feed[i];

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

		if (b->scopes[i].n_feeds == 0)
			continue;
		vnet = topo_find_vnet(t, b->scopes[i].feed[0]->vnet_name);
		if (vnet >= 0)
			memcpy(scopes[vnet].serving, b->scopes[i].serving,
			    sizeof(scopes[vnet].serving));
	}
}

static int
scopes_fill(struct fc_bgp *b, struct fc_scope *scopes, const struct topo *t)
{
	struct fc_feed *r, *tmp;
	size_t changed = 0;
	int err = FAB_OK;

	HASH_ITER (hh, b->feeds, r, tmp)
		scope_add(&scopes[r->vnet], r, t->vnets[r->vnet].route_server >= 0);
	for (size_t i = 0; i < t->n_vnets; i++)
		for (size_t j = 0; j < scopes[i].n_feeds && !scopes[i].has_rs; j++)
			if (err == FAB_OK)
				err =
				    fc_best_update_all(b, &scopes[i], scopes[i].feed[j], &changed);
	return err;
}

int
fc_bgp_bind(struct fc_bgp *b, const struct topo *t)
{
	struct fc_scope *scopes = calloc(t->n_vnets > 0 ? t->n_vnets : 1, sizeof(*scopes));
	struct fc_feed *r, *tmp;
	int err = FAB_OK, vnet;

	if (scopes == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < t->n_vnets; i++)
		scopes[i].serving[1] = 1;
	scopes_inherit(b, t, scopes);
	HASH_ITER (hh, b->feeds, r, tmp)
		r->seen = false;
	for (size_t i = 0; i < t->n_nodes && err == FAB_OK; i++)
		if ((vnet = node_scope(t, &t->nodes[i])) >= 0)
			err = feed_adopt(b, t, &t->nodes[i], vnet);
	scopes_free(b, b->scopes, b->n_scopes);
	b->scopes = scopes;
	b->n_scopes = t->n_vnets;
	b->withdraws = t->quirks.withdraw_on_total_failure;
	feeds_sweep(b);
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
rib_set(struct fc_bgp *b, struct fc_feed *r, struct ipnet net, uint32_t id, size_t *changed)
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
rib_del(struct fc_bgp *b, struct fc_feed *r, struct ipnet net, size_t *changed)
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
feed_copy(
    struct fc_bgp *to, struct fc_feed *out, const struct fc_bgp *from, const struct fc_feed *in)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;
	size_t changed = 0;
	int err = fc_lpm_reserve(&out->rib, in->rib.count);

	out->connected = in->connected;
	out->ready = in->ready;
	out->counted = in->counted;
	fc_lpm_walk(&it, &in->rib, (struct ipnet){ 0, 0 });
	while (err == FAB_OK && fc_lpm_next(&it, &hit)) {
		const struct fc_group *g = fc_bgp_group(from, hit.value);
		struct fc_group *mine;

		if ((err = fc_group_intern(&to->groups, g->key, g->hops, &mine)) != FAB_OK)
			break;
		err = rib_set(to, out, hit.net, mine->id, &changed);
		fc_group_unref(&to->groups, mine->id);
	}
	return err;
}

int
fc_bgp_copy(struct fc_bgp *to, const struct fc_bgp *from)
{
	int err = FAB_OK;

	for (const struct fc_feed *in = from->feeds; in != NULL && err == FAB_OK; in = in->hh.next)
		err = feed_copy(to, feed_find(to, in->name), from, in);
	for (size_t i = 0; i < from->n_scopes; i++) {
		memcpy(
		    to->scopes[i].serving, from->scopes[i].serving, sizeof(to->scopes[i].serving));
		to->scopes[i].dark = from->scopes[i].dark;
	}
	return err;
}

static int
group_apply(struct fc_bgp *b, struct fc_feed *r, const struct fc_route_group *in, size_t *changed)
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
	struct fc_feed *r = feed_find(b, reporter);
	size_t announced = fc_batch_announced(batch), n = 0;
	int err;

	if (r == NULL)
		return FAB_ENOENT;
	if (!fc_batch_valid(batch))
		return FAB_EINVAL;
	if (r->rib.count + announced > FC_FEED_ROUTES_MAX)
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
	struct fc_feed *r = feed_find(b, reporter);
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
	struct fc_feed *r = feed_find(b, reporter);
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
	struct fc_feed *r = feed_find(b, reporter);
	struct fc_scope *s;

	if (r == NULL)
		return false;
	r->connected = connected;
	r->ready = connected && (r->ready || converged);
	s = &b->scopes[r->vnet];
	return s->has_rs ? scope_choose(b, s) : scope_count(b, s);
}

/* ---- questions ---- */

bool
fc_bgp_settled(const struct fc_bgp *b)
{
	for (const struct fc_feed *r = b->feeds; r != NULL; r = r->hh.next)
		if (rank(r) != 2)
			return false;
	return true;
}

const struct fc_lpm *
fc_bgp_table(const struct fc_bgp *b, int vnet, unsigned instance)
{
	const struct fc_scope *s;
	const struct fc_feed *r;

	if (vnet < 0 || (size_t)vnet >= b->n_scopes || b->scopes[vnet].n_feeds == 0)
		return NULL;
	s = &b->scopes[vnet];
	if (!s->has_rs)
		return &s->best;
	if (s->dark)
		return &s->best; /* a Route Server's scope has nothing there */
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
    struct fc_bgp_other out[static FC_FEEDS_MAX])
{
	const struct fc_lpm *own = fc_bgp_table(b, vnet, instance);
	const struct fc_scope *s;
	size_t n = 0;

	if (own == NULL)
		return 0;
	s = &b->scopes[vnet];
	if (!s->has_rs)
		return fc_best_losers(b, s, net, out);
	for (size_t i = 0; i < s->n_feeds; i++) {
		const uint32_t *slot = fc_lpm_slot(&s->feed[i]->rib, net);
		const uint32_t *mine = fc_lpm_slot(own, net);

		if (&s->feed[i]->rib == own || slot == NULL ||
		    (mine != NULL && (*mine & ~FC_STALE) == (*slot & ~FC_STALE)))
			continue;
		out[n++] = (struct fc_bgp_other){ s->feed[i]->name, *slot, "RS-66" };
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
	for (size_t i = 0; i < b->scopes[vnet].n_feeds; i++) {
		struct fc_lpm_hit hits[FC_LPM_DEPTH];
		size_t n_hits = fc_lpm_match(&b->scopes[vnet].feed[i]->rib, net, hits);

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
	struct fc_feed *r, *tmp;

	for (size_t i = 0; i < b->n_scopes; i++)
		octets += fc_lpm_memory(&b->scopes[i].best);
	HASH_ITER (hh, b->feeds, r, tmp)
		octets += sizeof(*r) + fc_lpm_memory(&r->rib);
	return octets;
}
