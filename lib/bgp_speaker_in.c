/*
 * Adj-RIB-In of a speaker. Import policy runs once per source and attribute set: the result hangs
 * on a struct sp_route that all prefixes of that set share. Policy per prefix comes on top. What
 * policy drops is not held (RS-50, RS-51; so RS-52 lists nothing, OPEN-5), only counted.
 *
 * A route map comes behind both. One that looks at attributes alone is part of the shared result;
 * one that looks at prefixes too makes further routes from the shared one, by prefix (by_prefix).
 * What it drops is held, hidden: the peer has announced it, and listings are as received (RS-112).
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

static const struct route_map *
map_of(struct speaker *sp, struct speaker_peer *from)
{
	return sp->role->import_map == NULL ? NULL : sp->role->import_map(sp->ctx, from);
}

static bool
by_prefix(const struct route_map *map)
{
	return map != NULL && map->by_prefix;
}

/* What the role makes of the route, and its map if that is one for all prefixes; path.attrs stays
 * NULL if one of them drops it. */
static void
route_import(struct speaker *sp, struct sp_route *r)
{
	struct speaker_path path = { .peer = r->path.peer };
	const struct route_map *map = map_of(sp, path.peer);
	struct bgp_attr_spec out = r->in->s;

	r->hidden = false;
	if (sp->role->import_attrs == NULL ||
	    sp->role->import_attrs(sp->ctx, path.peer, r->in, &out, &path)) {
		r->hidden =
		    map != NULL && !by_prefix(map) && !route_map_run(map, NULL, &out, &sp->map_buf);
		if (!r->hidden)
			path.attrs = bgp_attrs_intern(sp->attrs, &out);
	}
	r->path = path;
}

static bool
same_path(const struct speaker_path *a, const struct speaker_path *b)
{
	return a->attrs == b->attrs && a->source == b->source && a->weight == b->weight &&
	       a->tag == b->tag;
}

/* The route of from with these attributes, found or made; it has one more reference. For a peer the
 * path comes from import policy; originations, summaries and what a route map makes of a prefix
 * bring their own, whose attrs may be NULL: hidden. */
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
		if (r->from == from && r->in == in && r->by_prefix == (own != NULL) &&
		    (own == NULL || same_path(&r->path, own))) {
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
		r->by_prefix = true;
		r->hidden = own->attrs == NULL;
		if (own->attrs != NULL)
			bgp_attrs_ref(own->attrs);
	}
	return r;
}

/* Neither import policy nor a route map lets it be held. */
static bool
is_dropped(const struct sp_route *r)
{
	return r->path.attrs == NULL && !r->hidden;
}

/* ---- paths ---- */

static bool
is_received(uint32_t from)
{
	return (from & (ORIGIN | SUMMARY)) == 0;
}

/* The prefix has lost or got a path of that peer's, be it what a map made of its routes. */
static void
path_moved(struct speaker *sp, const struct rib_prefix *prefix, uint32_t from, bool lost)
{
	if ((from & ORIGIN) == 0)
		speaker_hold_path(sp, prefix, sp->by_slot[from & ~SUMMARY], lost);
}

static void ask_summary(struct speaker *sp, uint32_t from, const struct ipnet *net,
    const struct ipnet *to, const struct speaker_path *path);

static void
path_drop(struct speaker *sp, struct rib_prefix *prefix, uint32_t from)
{
	struct rib_path *path = rib_path_find(prefix, from);

	if (path == NULL)
		return;
	prefix->touched |= path->rank > 0;
	speaker_route_unref(sp, rib_path_remove(sp->rib, prefix, from));
	rib_dirty_add(sp->rib, prefix);
	path_moved(sp, prefix, from, true);
	if (!is_received(from))
		return;
	sp->by_slot[from]->routes_in--;
	if (sp->sums != NULL)
		ask_summary(sp, from, &prefix->net, NULL, NULL);
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
		if (is_received(r->from))
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
	path_moved(sp, prefix, r->from, false);
	return FAB_OK;
}

/* ---- summaries of inbound route maps ---- */

static void
summary_set(struct speaker *sp, uint32_t from, const struct ipnet *to)
{
	const struct sp_part *part = speaker_sum_best(sp, from, to);
	struct sp_route *r;

	if (part == NULL) {
		path_drop_net(sp, to, SUMMARY | from);
		return;
	}
	r = route_get(sp, SUMMARY | from, part->path.attrs, &part->path);
	FAB_ASSERT(r != NULL && path_set(sp, to, r) == FAB_OK);
	speaker_route_unref(sp, r);
}

/* Route net of the peer asks for the summary `to`; NULL: for none. */
static void
ask_summary(struct speaker *sp, uint32_t from, const struct ipnet *net, const struct ipnet *to,
    const struct speaker_path *path)
{
	struct ipnet changed[2];
	size_t n = speaker_sum_set(sp, from, net, to, path, from, changed);

	for (size_t i = 0; i < n; i++)
		summary_set(sp, from, &changed[i]);
}

/* The peer's map on one prefix of a route; base is what import policy made of it. */
static int
map_prefix(struct speaker_peer *p, const struct route_map *map, const struct sp_route *base,
    const struct ipnet *net)
{
	struct speaker *sp = p->sp;
	struct bgp_attr_spec out = base->path.attrs->s;
	struct speaker_path path = base->path, none = base->path;
	struct ipnet to = *net;
	struct sp_route *r;
	bool summary;
	int err = FAB_ENOMEM;

	path.attrs = none.attrs = NULL;
	if (route_map_run(map, &to, &out, &sp->map_buf))
		path.attrs = bgp_attrs_intern(sp->attrs, &out);
	summary = path.attrs != NULL && !ipnet_eq(to, *net);
	r = route_get(sp, p->slot, base->in, summary ? &none : &path);
	if (r != NULL) {
		err = path_set(sp, net, r);
		speaker_route_unref(sp, r);
	}
	if (err == FAB_OK && (summary || sp->sums != NULL))
		ask_summary(sp, p->slot, net, summary ? &to : NULL, &path);
	bgp_attrs_unref(sp->attrs, path.attrs);
	return err;
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
	const struct route_map *map = map_of(sp, p);
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
		if (!is_dropped(r) && prefix_wanted(sp, p, &u->nlri[i])) {
			err = by_prefix(map) ? map_prefix(p, map, r, &u->nlri[i])
					     : path_set(sp, &u->nlri[i], r);
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

static void
summary_gone(struct speaker *sp, uint32_t from, const struct ipnet *to)
{
	path_drop_net(sp, to, SUMMARY | from);
}

void
speaker_in_drop_all(struct speaker_peer *p)
{
	struct rib_prefix *prefix;
	size_t cursor = 0;

	speaker_sum_clear(p->sp, p->slot, summary_gone);
	while (p->routes_in > 0 && (prefix = rib_next(p->sp->rib, &cursor)) != NULL)
		path_drop(p->sp, prefix, p->slot);
}

/* ---- originations ---- */

int
speaker_originate(struct speaker *sp, const struct ipnet *prefix, const struct bgp_attr_spec *spec,
    enum hrp_source source, uint32_t weight, uint32_t tag)
{
	struct bgp_attrs *attrs = bgp_attrs_intern(sp->attrs, spec);
	struct speaker_path own = {
		.attrs = attrs, .source = source, .weight = weight, .tag = tag
	};
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

static void
route_reevaluate(struct speaker *sp, struct sp_route *r)
{
	struct speaker_path old = r->path;

	speaker_out_forget(r, sp);
	if (r->by_prefix)
		return;
	route_import(sp, r);
	if (!same_path(&old, &r->path))
		r->renewed = sp->renewed = true;
	bgp_attrs_unref(sp->attrs, old.attrs);
}

static void
refuse(struct speaker_peer *p, struct rib_prefix *prefix)
{
	path_drop(p->sp, prefix, p->slot);
	p->dropped++;
}

/* What the peer sent for the prefix passes a map that looks at prefixes, or did so before. */
static void
remap(struct speaker_peer *p, struct rib_prefix *prefix, struct bgp_attrs *in)
{
	struct speaker *sp = p->sp;
	const struct route_map *map = map_of(sp, p);
	struct sp_route *base = route_get(sp, p->slot, in, NULL);
	int err = FAB_OK;

	FAB_ASSERT(base != NULL);
	if (is_dropped(base) || !prefix_wanted(sp, p, &prefix->net)) {
		refuse(p, prefix);
	} else if (by_prefix(map)) {
		err = map_prefix(p, map, base, &prefix->net);
	} else {
		err = path_set(sp, &prefix->net, base);
		ask_summary(sp, p->slot, &prefix->net, NULL, NULL);
	}
	FAB_ASSERT(err == FAB_OK);
	speaker_route_unref(sp, base);
}

static void
prefix_reevaluate(struct speaker *sp, struct rib_prefix *prefix)
{
	struct rib_path *path, *next;

	for (path = prefix->paths; path != NULL; path = next) {
		struct sp_route *r = path->route;
		struct speaker_peer *peer = r->path.peer;

		next = path->next;
		if (!is_received(path->from))
			continue;
		if (r->by_prefix || by_prefix(map_of(sp, peer)))
			remap(peer, prefix, r->in);
		else if (is_dropped(r) || !prefix_wanted(sp, peer, &prefix->net))
			refuse(peer, prefix);
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
