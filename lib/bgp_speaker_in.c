/*
 * Adj-RIB-In of a speaker. Import policy runs once per source and attribute set: the result hangs
 * on a struct sp_route that all prefixes of that set share. Policy per prefix comes on top. What
 * policy drops is not held (RS-50, RS-51; so RS-52 lists nothing, OPEN-5), only counted.
 */
#include "lib/bgp_speaker_priv.h"
#include "lib/err.h"

#include <stdlib.h>
#include <utlist.h>

/* ---- routes: one per source and attribute set ---- */

#define BUCKETS_MIN 64

static size_t
route_hash(uint32_t from, const struct bgp_attrs *in)
{
	uint64_t h = (uint64_t)(uintptr_t)in ^ (uint64_t)from << 40;

	h *= 0x9e3779b97f4a7c15u;
	return h >> 32;
}

static void
routes_rehash(struct speaker *sp)
{
	size_t n = sp->n_route_buckets == 0 ? BUCKETS_MIN : sp->n_route_buckets * 2;
	struct sp_route **buckets = calloc(n, sizeof(struct sp_route *));

	if (buckets == NULL)
		return; /* longer chains then */
	for (size_t i = 0; i < sp->n_route_buckets; i++) {
		struct sp_route *r, *next;

		for (r = sp->routes[i]; r != NULL; r = next) {
			size_t b = route_hash(r->from, r->in) & (n - 1);

			next = r->hash_next;
			r->hash_next = buckets[b];
			buckets[b] = r;
		}
	}
	free(sp->routes);
	sp->routes = buckets;
	sp->n_route_buckets = n;
}

static void
route_free(struct speaker *sp, struct sp_route *r)
{
	struct sp_route **at = &sp->routes[route_hash(r->from, r->in) & (sp->n_route_buckets - 1)];

	while (*at != r)
		at = &(*at)->hash_next;
	*at = r->hash_next;
	sp->n_routes--;
	speaker_out_forget(r, sp);
	bgp_attrs_unref(sp->attrs, r->path.attrs);
	bgp_attrs_unref(sp->attrs, r->in);
	free(r->exports);
	free(r);
}

void
speaker_route_unref(struct speaker *sp, struct sp_route *r)
{
	FAB_ASSERT(r->refs > 0);
	if (--r->refs == 0)
		route_free(sp, r);
}

/* What the role makes of the route; path.attrs stays NULL if it drops it. */
static void
route_import(struct speaker *sp, struct sp_route *r)
{
	struct speaker_path path = { .peer = r->path.peer };
	struct bgp_attr_spec out = r->in->s;

	if (sp->role->import_attrs == NULL ||
	    sp->role->import_attrs(sp->ctx, path.peer, r->in, &out, &path))
		path.attrs = bgp_attrs_intern(sp->attrs, &out);
	r->path = path;
}

/* The route of from with these attributes, found or made; it has one more reference. For a peer,
 * source and weight come from import policy; an origination brings its own. */
static struct sp_route *
route_get(struct speaker *sp, uint32_t from, struct bgp_attrs *in, const struct speaker_path *own)
{
	struct sp_route *r;
	size_t b;

	if (sp->n_routes >= sp->n_route_buckets)
		routes_rehash(sp);
	if (sp->n_route_buckets == 0)
		return NULL;
	b = route_hash(from, in) & (sp->n_route_buckets - 1);
	for (r = sp->routes[b]; r != NULL; r = r->hash_next)
		if (r->from == from && r->in == in &&
		    (own == NULL ||
			(r->path.source == own->source && r->path.weight == own->weight))) {
			r->refs++;
			return r;
		}
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->in = bgp_attrs_ref(in);
	r->from = from;
	r->refs = 1;
	r->hash_next = sp->routes[b];
	sp->routes[b] = r;
	sp->n_routes++;
	if (own == NULL) {
		r->path.peer = sp->by_slot[from];
		route_import(sp, r);
	} else {
		r->path = *own;
		r->path.attrs = bgp_attrs_ref(in);
	}
	return r;
}

/* ---- paths ---- */

static void
path_drop(struct speaker *sp, struct rib_prefix *prefix, uint32_t from)
{
	struct rib_path *path = rib_path_find(prefix, from);

	if (path == NULL)
		return;
	prefix->touched |= path->rank > 0;
	speaker_route_unref(sp, rib_path_remove(sp->rib, prefix, from));
	rib_dirty_add(sp->rib, prefix);
	if ((from & ORIGIN) == 0)
		sp->by_slot[from]->routes_in--;
}

static void
path_drop_net(struct speaker *sp, const struct ipnet *net, uint32_t from)
{
	struct rib_prefix *prefix = rib_prefix_find(sp->rib, *net);

	if (prefix != NULL)
		path_drop(sp, prefix, from);
}

/* Announces or replaces; the same again changes nothing. FAB_ENOMEM. */
static int
path_set(struct speaker *sp, const struct ipnet *net, struct sp_route *r)
{
	struct rib_prefix *prefix = rib_prefix_add(sp->rib, *net);
	struct rib_path *path;

	if (prefix == NULL)
		return FAB_ENOMEM;
	path = rib_path_find(prefix, r->from);
	if (path == NULL) {
		path = rib_path_add(sp->rib, prefix, r->from);
		if (path == NULL) {
			rib_prefix_release(sp->rib, prefix);
			return FAB_ENOMEM;
		}
		if ((r->from & ORIGIN) == 0)
			sp->by_slot[r->from]->routes_in++;
	} else if (path->route == r) {
		return FAB_OK;
	} else {
		prefix->touched |= path->rank > 0;
		speaker_route_unref(sp, path->route);
	}
	r->refs++;
	path->route = r;
	rib_dirty_add(sp->rib, prefix);
	return FAB_OK;
}

static bool
prefix_wanted(struct speaker *sp, struct speaker_peer *p, const struct ipnet *net)
{
	return sp->role->import_prefix == NULL || sp->role->import_prefix(sp->ctx, p, net);
}

/* ---- UPDATE ---- */

/* See "Without a data plane" in bgp_speaker.h. */
static uint32_t
real_next_hop(const struct speaker_peer *p, uint32_t next_hop)
{
	const struct bgp_session_conf *c = &p->conf.session;

	if (c->transport != BGP_TRANSPORT_TCP)
		return next_hop;
	if (next_hop >> 24 == 127 || next_hop == c->dial_addr || next_hop == p->conf.accept_addr)
		return c->peer_addr;
	return next_hop;
}

static int
learn(struct speaker_peer *p, const struct bgp_update *u)
{
	struct speaker *sp = p->sp;
	struct bgp_attr_spec spec = u->attrs;
	struct bgp_attrs *in;
	struct sp_route *r;
	int err = FAB_OK;

	spec.next_hop = real_next_hop(p, spec.next_hop);
	if (!p->conf.ibgp) { /* means nothing between two ASes (RFC 4271 5.1.5) */
		spec.has_local_pref = false;
		spec.local_pref = 0;
	}
	in = bgp_attrs_intern(sp->attrs, &spec);
	if (in == NULL)
		return FAB_ENOMEM;
	r = route_get(sp, p->slot, in, NULL);
	bgp_attrs_unref(sp->attrs, in);
	if (r == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < u->n_nlri && err == FAB_OK; i++) {
		if (r->path.attrs != NULL && prefix_wanted(sp, p, &u->nlri[i])) {
			err = path_set(sp, &u->nlri[i], r);
		} else {
			/* What the peer had announced before is replaced by nothing. */
			path_drop_net(sp, &u->nlri[i], p->slot);
			p->dropped++;
		}
	}
	speaker_route_unref(sp, r);
	return err;
}

int
speaker_in_update(struct speaker_peer *p, const struct bgp_update *u)
{
	struct speaker *sp = p->sp;
	int err = FAB_OK;

	for (size_t i = 0; i < u->n_withdrawn; i++)
		path_drop_net(sp, &u->withdrawn[i], p->slot);
	if (u->treat_as_withdraw)
		for (size_t i = 0; i < u->n_nlri; i++)
			path_drop_net(sp, &u->nlri[i], p->slot);
	else if (p->conf.max_prefixes != 0 &&
		 (uint64_t)p->routes_in + u->n_nlri > p->conf.max_prefixes)
		err = FAB_ETOOBIG; /* RS-22: prefixes that are only replaced count twice */
	else if (u->n_nlri > 0)
		err = learn(p, u);
	speaker_schedule(sp);
	return err;
}

void
speaker_in_drop_all(struct speaker_peer *p)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	while (p->routes_in > 0 && (prefix = rib_next(p->sp->rib, &cursor)) != NULL)
		path_drop(p->sp, prefix, p->slot);
}

/* ---- originations ---- */

int
speaker_originate(struct speaker *sp, const struct ipnet *prefix, const struct bgp_attr_spec *spec,
    enum hrp_source source, uint32_t weight, uint32_t tag)
{
	struct speaker_path own = { .source = source, .weight = weight, .tag = tag };
	struct bgp_attrs *attrs = bgp_attrs_intern(sp->attrs, spec);
	struct sp_route *r;
	int err;

	FAB_ASSERT((tag & ORIGIN) == 0);
	if (attrs == NULL)
		return FAB_ENOMEM;
	r = route_get(sp, ORIGIN | tag, attrs, &own);
	bgp_attrs_unref(sp->attrs, attrs);
	if (r == NULL)
		return FAB_ENOMEM;
	err = path_set(sp, prefix, r);
	speaker_route_unref(sp, r);
	speaker_note(sp, CAUSE_CONFIG, "", "origination changed");
	speaker_schedule(sp);
	return err;
}

void
speaker_unoriginate(struct speaker *sp, const struct ipnet *prefix, uint32_t tag)
{
	path_drop_net(sp, prefix, ORIGIN | tag);
	speaker_note(sp, CAUSE_CONFIG, "", "origination removed");
	speaker_schedule(sp);
}

/* ---- a changed policy ---- */

static bool
same_path(const struct speaker_path *a, const struct speaker_path *b)
{
	return a->attrs == b->attrs && a->source == b->source && a->weight == b->weight &&
	       a->tag == b->tag;
}

static void
route_reevaluate(struct speaker *sp, struct sp_route *r)
{
	struct speaker_path old = r->path;

	speaker_out_forget(r, sp);
	if (r->path.peer == NULL)
		return;
	route_import(sp, r);
	if (!same_path(&old, &r->path))
		r->renewed = sp->renewed = true;
	bgp_attrs_unref(sp->attrs, old.attrs);
}

static void
prefix_reevaluate(struct speaker *sp, struct rib_prefix *prefix)
{
	struct rib_path *path, *next;

	for (path = prefix->paths; path != NULL; path = next) {
		struct sp_route *r = path->route;
		struct speaker_peer *peer = r->path.peer;

		next = path->next;
		if (peer == NULL ||
		    (r->path.attrs != NULL && prefix_wanted(sp, peer, &prefix->net)))
			continue;
		path_drop(sp, prefix, path->from);
		peer->dropped++;
	}
	rib_dirty_add(sp->rib, prefix);
}

void
speaker_in_reevaluate(struct speaker *sp)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	for (size_t i = 0; i < sp->n_route_buckets; i++)
		for (struct sp_route *r = sp->routes[i]; r != NULL; r = r->hash_next)
			route_reevaluate(sp, r);
	while ((prefix = rib_next(sp->rib, &cursor)) != NULL)
		prefix_reevaluate(sp, prefix);
}

void
speaker_in_settle(struct speaker *sp)
{
	if (!sp->renewed)
		return;
	sp->renewed = false;
	for (size_t i = 0; i < sp->n_route_buckets; i++)
		for (struct sp_route *r = sp->routes[i]; r != NULL; r = r->hash_next)
			r->renewed = false;
}

void
speaker_in_fini(struct speaker *sp)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	while ((prefix = rib_next(sp->rib, &cursor)) != NULL)
		while (prefix->paths != NULL)
			speaker_route_unref(
			    sp, rib_path_remove(sp->rib, prefix, prefix->paths->from));
	free(sp->routes);
}
