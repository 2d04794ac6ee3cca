/*
 * The Speaker service. Replies are built as the generated code would have unpacked them (every part
 * malloc()ed), so that one free function fits all.
 */
#include "lib/wire_speaker.h"

#include "lib/err.h"
#include "lib/wire_apply.h"

#include <stdlib.h>
#include <string.h>

/* A list under construction. fail: out of memory, the list is short. */
struct listing {
	const struct wire_speaker *ws;
	enum wire_listing what;
	Fab__V1__BgpRouteList *list;
	size_t room;
	bool fail;
};

/* ---- messages ---- */

static uint32_t *
copy_u32s(const uint32_t *v, size_t n)
{
	uint32_t *copy = n == 0 ? NULL : malloc(n * sizeof(*v));

	if (copy != NULL)
		memcpy(copy, v, n * sizeof(*v));
	return copy;
}

static bool
fill_path(Fab__V1__BgpRoute *m, const struct bgp_attr_spec *s)
{
	size_t n = bgp_path_flatten(s->as_path, s->as_path_octets, NULL, 0);

	if (n == 0)
		return true;
	m->as_path = malloc(n * sizeof(*m->as_path));
	if (m->as_path == NULL)
		return false;
	m->n_as_path = n;
	bgp_path_flatten(s->as_path, s->as_path_octets, m->as_path, n);
	return true;
}

static bool
fill_attrs(Fab__V1__BgpRoute *m, const struct bgp_attr_spec *s)
{
	m->next_hop = s->next_hop;
	m->origin = s->origin;
	m->med = s->has_med ? s->med : 0;
	m->local_pref = s->has_local_pref ? s->local_pref : 0;
	m->communities = copy_u32s(s->communities, s->n_communities);
	m->n_communities = m->communities == NULL ? 0 : s->n_communities;
	m->large_communities = copy_u32s(s->large, (size_t)s->n_large * 3);
	m->n_large_communities = m->large_communities == NULL ? 0 : (size_t)s->n_large * 3;
	return fill_path(m, s) && m->n_communities == s->n_communities &&
	       m->n_large_communities == (size_t)s->n_large * 3;
}

static bool
fill_peer(Fab__V1__BgpRoute *m, const struct wire_speaker *ws, const struct speaker_peer *peer)
{
	const struct wire_peer *wp;

	m->local_address = ws->address;
	if (peer == NULL)
		return true;
	wp = wire_peer_of(peer);
	m->peer_address = wp->address;
	m->local_address = wp->local_address;
	m->ibgp = speaker_peer_conf(peer)->ibgp;
	m->peer = strdup(wp->name);
	return m->peer != NULL;
}

/* Appends an empty row; NULL: out of memory. */
static Fab__V1__BgpRoute *
row_new(struct listing *l)
{
	size_t room = l->room == 0 ? 64 : l->room * 2;
	Fab__V1__BgpRoute **v, *m;

	if (l->list->n_routes == l->room) {
		v = realloc(l->list->routes, room * sizeof(Fab__V1__BgpRoute *));
		if (v == NULL)
			return NULL;
		l->list->routes = v;
		l->room = room;
	}
	m = malloc(sizeof(*m));
	if (m == NULL)
		return NULL;
	fab__v1__bgp_route__init(m);
	l->list->routes[l->list->n_routes++] = m;
	return m;
}

static Fab__V1__BgpRoute *
row_add(struct listing *l, const struct ipnet *prefix, const struct bgp_attrs *attrs,
    const struct speaker_peer *peer, struct wire_row row)
{
	Fab__V1__BgpRoute *m = row_new(l);

	if (m == NULL || !fill_attrs(m, &attrs->s) || !fill_peer(m, l->ws, peer)) {
		l->fail = true;
		return NULL;
	}
	if (l->ws->row != NULL)
		l->ws->row(l->ws->ctx, l->what, peer, &row);
	m->addr = prefix->addr;
	m->len = prefix->len;
	m->weight = row.weight;
	m->network = row.network;
	return m;
}

static Fab__V1__BgpRouteList *
listing_start(struct listing *l, const struct wire_speaker *ws, enum wire_listing what)
{
	*l = (struct listing){ .ws = ws, .what = what, .list = malloc(sizeof(*l->list)) };
	if (l->list != NULL)
		fab__v1__bgp_route_list__init(l->list);
	return l->list;
}

/* By prefix, then peer: a listing does not depend on the order of arrival. */
static int
row_cmp(const void *a, const void *b)
{
	const Fab__V1__BgpRoute *x = *(Fab__V1__BgpRoute *const *)a;
	const Fab__V1__BgpRoute *y = *(Fab__V1__BgpRoute *const *)b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return strcmp(x->peer, y->peer);
}

static Fab__V1__BgpRouteList *
listing_end(struct listing *l)
{
	if (!l->fail && l->list->n_routes > 0)
		qsort(l->list->routes, l->list->n_routes, sizeof(l->list->routes[0]), row_cmp);
	if (!l->fail)
		return l->list;
	fab__v1__bgp_route_list__free_unpacked(l->list, NULL);
	return NULL;
}

/* ---- walks ---- */

static bool
add_adjacent(
    void *arg, const struct ipnet *prefix, const struct bgp_attrs *attrs, struct speaker_peer *peer)
{
	return row_add(arg, prefix, attrs, peer, (struct wire_row){ 0 }) != NULL;
}

static bool
add_rib(void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best)
{
	struct wire_row row = { .weight = path->weight, .network = path->peer == NULL };
	Fab__V1__BgpRoute *m = row_add(arg, prefix, path->attrs, path->peer, row);

	if (m == NULL)
		return false;
	m->best = best;
	m->source = (Fab__V1__RouteSource)path->source;
	return true;
}

static bool
add_own(void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best)
{
	return path->peer != NULL || add_rib(arg, prefix, path, best);
}

static bool
is_which(const struct speaker_peer *p, const char *which)
{
	const struct wire_peer *wp = wire_peer_of(p);
	uint32_t addr;

	return which[0] == '\0' || strcmp(wp->name, which) == 0 ||
	       (ipaddr_parse(&addr, which) == FAB_OK && addr == wp->address);
}

/* RS-112: as received, before the import policy. */
Fab__V1__BgpRouteList *
wire_speaker_learned(const struct wire_speaker *ws, const char *which, bool *found)
{
	struct listing l;

	if (listing_start(&l, ws, WIRE_LEARNED) == NULL)
		return NULL;
	*found = which[0] == '\0';
	if (*found && ws->own_in_learned)
		speaker_walk_rib(ws->sp, add_own, &l);
	for (struct speaker_peer *p = NULL; (p = speaker_peer_next(ws->sp, p)) != NULL;) {
		if (!is_which(p, which))
			continue;
		*found = true;
		speaker_walk_in(ws->sp, p, add_adjacent, &l);
	}
	return listing_end(&l);
}

Fab__V1__BgpRouteList *
wire_speaker_advertised(const struct wire_speaker *ws, const char *which, bool *found)
{
	struct listing l;

	if (listing_start(&l, ws, WIRE_ADVERTISED) == NULL)
		return NULL;
	*found = which[0] == '\0';
	for (struct speaker_peer *p = NULL; (p = speaker_peer_next(ws->sp, p)) != NULL;) {
		if (!is_which(p, which))
			continue;
		*found = true;
		speaker_walk_out(ws->sp, p, add_adjacent, &l);
	}
	return listing_end(&l);
}

Fab__V1__BgpRouteList *
wire_speaker_routes(const struct wire_speaker *ws)
{
	struct listing l;

	if (listing_start(&l, ws, WIRE_RIB) == NULL)
		return NULL;
	speaker_walk_rib(ws->sp, add_rib, &l);
	return listing_end(&l);
}

/* ---- peers ---- */

static bool
fill_status(Fab__V1__PeerStatus *m, struct speaker_peer *p)
{
	const struct wire_peer *wp = wire_peer_of(p);
	struct bgp_session *s = speaker_peer_session(p);
	const struct bgp_session_stats *st = bgp_session_stats(s);

	fab__v1__peer_status__init(m);
	m->name = strdup(wp->name);
	m->address = wp->address;
	m->local_address = wp->local_address;
	m->asn = wp->asn;
	m->state = strdup(bgp_state_name(bgp_session_state(s)));
	m->since_us = bgp_session_since_us(s);
	m->routes_in = speaker_peer_routes_in(p);
	m->routes_out = speaker_peer_routes_out(p);
	m->messages_in = st->msgs_in;
	m->messages_out = st->msgs_out;
	m->hold_sec = bgp_session_hold_sec(s);
	m->last_error = strdup(bgp_session_last_error(s));
	m->transport = strdup(wp->tcp ? "tcp" : "nng");
	return m->name != NULL && m->state != NULL && m->last_error != NULL && m->transport != NULL;
}

Fab__V1__PeerList *
wire_speaker_peers(const struct wire_speaker *ws)
{
	Fab__V1__PeerList *list = malloc(sizeof(*list));
	struct speaker_peer *p = NULL;
	size_t n = 0;

	if (list == NULL)
		return NULL;
	fab__v1__peer_list__init(list);
	while ((p = speaker_peer_next(ws->sp, p)) != NULL)
		n++;
	list->peers = calloc(n + 1, sizeof(Fab__V1__PeerStatus *));
	while (list->peers != NULL && (p = speaker_peer_next(ws->sp, p)) != NULL) {
		Fab__V1__PeerStatus *m = malloc(sizeof(*m));

		if (m == NULL)
			break;
		list->peers[list->n_peers++] = m;
		if (!fill_status(m, p))
			break;
	}
	if (list->peers != NULL && p == NULL)
		return list;
	fab__v1__peer_list__free_unpacked(list, NULL);
	return NULL;
}

/* ---- the service ---- */

static void
answer_routes(struct fab_rpc_call *call, Fab__V1__BgpRouteList *list, bool found, const char *which)
{
	if (list == NULL)
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "out of memory");
	else if (!found)
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no peer %.64s", which);
	else
		fab_rpc_reply(call, &list->base);
	if (list != NULL)
		fab__v1__bgp_route_list__free_unpacked(list, NULL);
}

static void
list_peers(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	Fab__V1__PeerList *list = wire_speaker_peers(ctx);

	(void)req;
	if (list == NULL) {
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	fab_rpc_reply(call, &list->base);
	fab__v1__peer_list__free_unpacked(list, NULL);
}

static void
list_learned(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	const char *which = ((const Fab__V1__PeerRoutesRequest *)req)->peer;
	bool found = false;
	Fab__V1__BgpRouteList *list = wire_speaker_learned(ctx, which, &found);

	answer_routes(call, list, found, which);
}

static void
list_advertised(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	const char *which = ((const Fab__V1__PeerRoutesRequest *)req)->peer;
	bool found = false;
	Fab__V1__BgpRouteList *list = wire_speaker_advertised(ctx, which, &found);

	answer_routes(call, list, found, which);
}

static void
list_routes(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	(void)req;
	answer_routes(call, wire_speaker_routes(ctx), true, "");
}

const struct fab_rpc_handler wire_speaker_table[] = {
	{ .method = "ListPeers", .unary = list_peers },
	{ .method = "ListLearned", .unary = list_learned },
	{ .method = "ListAdvertised", .unary = list_advertised },
	{ .method = "ListRoutes", .unary = list_routes },
	{ .method = NULL },
};
