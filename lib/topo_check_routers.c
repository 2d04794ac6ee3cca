/*
 * Rules about NVAs and sites as BGP routers: timers, transports, announcements, real addresses.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- timers ---- */

/* RFC 4271 4.2: zero or at least three seconds, in whole seconds. */
static const char *
timer_fault(uint32_t hold_ms, uint32_t keepalive_ms)
{
	if (hold_ms != 0 && hold_ms < 3000)
		return "hold must be 0 or at least 3s";
	if (hold_ms % 1000 != 0 || hold_ms > 65535000)
		return "hold must be whole seconds, at most 65535";
	if (hold_ms != 0 && keepalive_ms >= hold_ms)
		return "keepalive must be shorter than hold";
	if (hold_ms != 0 && keepalive_ms == 0)
		return "keepalive must not be 0 while hold is not";
	return NULL;
}

static void
check_timing(struct topo_build *b)
{
	const struct topo_timing *t = &b->t->timing;
	const char *fault = timer_fault(t->hold_ms, t->keepalive_ms);

	if (fault != NULL && b->n[TOPO_FABRIC] > 0)
		topo_build_error(b, TOPO_FABRIC, 0, "/timing/bgp", "InvalidTimer", "%s", fault);
	if (t->connect_retry_ms < 100 && b->n[TOPO_FABRIC] > 0)
		topo_build_error(b, TOPO_FABRIC, 0, "/timing/bgp/connect_retry", "InvalidTimer",
		    "connect_retry must be at least 100ms");
}

/* Of one router, where it has timers of its own. */
static void
check_router_timers(
    struct topo_build *b, enum topo_kind kind, size_t i, uint32_t hold_ms, uint32_t keepalive_ms)
{
	const struct topo_timing *t = &b->t->timing;
	const json_t *props = b->props[kind][i];
	const char *fault;

	if (topo_get_text(props, "hold") == NULL && topo_get_text(props, "keepalive") == NULL)
		return;
	fault = timer_fault(hold_ms != 0 ? hold_ms : t->hold_ms,
	    keepalive_ms != 0 ? keepalive_ms : t->keepalive_ms);
	if (hold_ms == 0 && topo_get_text(props, "hold") != NULL)
		fault = "hold of one router must be at least 3s";
	if (fault != NULL)
		topo_build_error(b, kind, i, "/hold", "InvalidTimer", "%s", fault);
}

/* ---- sessions ---- */

/* An NVA or a site. */
struct router {
	enum topo_kind kind;
	size_t index;
	const char *name;
	const struct topo_router_peer *peers;
	size_t n_peers;
	const struct topo_advert *adverts;
	size_t n_adverts;
	enum topo_transport transport;
	bool foreign;
	struct topo_tcp listen;
};

static struct router
nva_router(const struct topo *t, size_t i)
{
	const struct topo_nva *v = &t->nvas[i];

	return (struct router){ TOPO_NVA, i, v->name, v->peers, v->n_peers, v->adverts,
		v->n_adverts, v->transport, v->foreign, v->bgp_listen };
}

static struct router
site_router(const struct topo *t, size_t i)
{
	const struct topo_site *s = &t->sites[i];

	return (struct router){ TOPO_SITE, i, s->name, s->peers, s->n_peers, s->adverts,
		s->n_adverts, s->transport, s->n_run > 0, s->bgp_listen };
}

static const json_t *
given_peer(const struct topo_build *b, const struct router *r, const char *name)
{
	return json_object_get(json_object_get(b->props[r->kind][r->index], "peers"), name);
}

/* What both ends say must agree; what one end says holds for both. */
static void
check_agreement(
    struct topo_build *b, const struct router *r, const struct router *other, const char *pointer)
{
	const json_t *mine = given_peer(b, r, other->name), *theirs = given_peer(b, other, r->name);
	static const char *const keys[] = { "tunnel", "transport" };

	for (size_t k = 0; k < 2; k++) {
		const json_t *x = json_object_get(mine, keys[k]),
			     *y = json_object_get(theirs, keys[k]);

		if (x != NULL && y != NULL && !json_equal(x, y))
			topo_build_error(b, r->kind, r->index, pointer, "PeerMismatch",
			    "%s says something else about %s of this session", other->name,
			    keys[k]);
	}
}

static void
check_session(struct topo_build *b, const struct router *r, const struct topo_router_peer *p)
{
	const struct router other =
	    p->is_site ? site_router(b->t, (size_t)p->index) : nva_router(b->t, (size_t)p->index);
	char pointer[TOPO_POINTER_MAX];

	/* Once for a session: at the end that lists it, or the first by name. */
	if (given_peer(b, r, other.name) == NULL ||
	    (given_peer(b, &other, r->name) != NULL && strcmp(r->name, other.name) > 0))
		return;
	snprintf(pointer, sizeof(pointer), "/peers/%s", p->name);
	check_agreement(b, r, &other, pointer);
	if (p->transport == TOPO_NNG && (r->foreign || other.foreign))
		topo_build_error(b, r->kind, r->index, pointer, "TransportConflict",
		    "%s runs software of its own, which speaks BGP over TCP only",
		    r->foreign ? r->name : other.name);
	if (p->transport == TOPO_TCP && r->listen.port == 0 && other.listen.port == 0)
		topo_build_error(b, r->kind, r->index, pointer, "BgpListenMissing",
		    "a session over TCP: give %.64s or %.64s bgp_listen, ADDRESS:PORT", r->name,
		    other.name);
}

/* ---- announcements ---- */

static bool
is_server_peer(const struct topo *t, const struct router *r, const char *name, bool *known)
{
	for (size_t i = 0; i < t->n_servers; i++) {
		if (strcmp(t->servers[i].name, name) != 0)
			continue;
		*known = true;
		for (size_t k = 0; k < t->servers[i].n_peers; k++)
			if (r->kind == TOPO_NVA && t->servers[i].peers[k].nva == (int)r->index)
				return true;
	}
	return false;
}

static bool
is_gateway_peer(const struct topo *t, const struct router *r, const char *name, bool *known)
{
	for (size_t i = 0; i < t->n_circuits; i++)
		if (strcmp(t->circuits[i].name, name) == 0) {
			*known = true;
			return r->kind == TOPO_SITE && t->circuits[i].site == (int)r->index;
		}
	for (size_t i = 0; i < t->n_gateways; i++) {
		if (strcmp(t->gateways[i].name, name) != 0)
			continue;
		*known = true;
		for (size_t k = 0; k < t->gateways[i].n_conns; k++)
			if (r->kind == TOPO_SITE && t->gateways[i].type == GW_VPN &&
			    t->gateways[i].conns[k].index == (int)r->index)
				return true;
	}
	return false;
}

static void
check_target(struct topo_build *b, const struct router *r, size_t advert, const char *name)
{
	bool known =
	    topo_build_find(b, TOPO_NVA, name) >= 0 || topo_build_find(b, TOPO_SITE, name) >= 0;
	char pointer[TOPO_POINTER_MAX];

	for (size_t i = 0; i < r->n_peers; i++)
		if (strcmp(r->peers[i].name, name) == 0)
			return;
	if (is_server_peer(b->t, r, name, &known) || is_gateway_peer(b->t, r, name, &known))
		return;
	for (enum topo_kind k = 0; k < TOPO_KIND_COUNT && !known; k++)
		if (k != TOPO_VM && k != TOPO_VNET && k != TOPO_ROUTE_TABLE &&
		    topo_doc_find(b->doc, k, name) != NULL)
			return; /* broken */
	snprintf(pointer, sizeof(pointer), "/advertise/%zu/to", advert);
	if (!known)
		topo_build_error(b, r->kind, r->index, pointer, "UnknownReference",
		    "there is no Route Server, NVA, site, gateway or circuit \"%.64s\"", name);
	else
		topo_build_warn(b, r->kind, r->index, pointer, "NotAPeer",
		    "%.64s is not a peer of %.64s; nothing is announced to it", name, r->name);
}

static void
check_router(struct topo_build *b, const struct router *r)
{
	if (r->foreign && r->transport == TOPO_NNG)
		topo_build_error(b, r->kind, r->index, "/transport", "TransportConflict",
		    "software of your own (run, image) speaks BGP over TCP only");
	for (size_t i = 0; i < r->n_peers; i++)
		check_session(b, r, &r->peers[i]);
	for (size_t i = 0; i < r->n_adverts; i++)
		for (size_t k = 0; k < r->adverts[i].n_to; k++)
			check_target(b, r, i, r->adverts[i].to[k]);
}

/* ---- real addresses ---- */

struct listener {
	struct topo_tcp tcp;
	enum topo_kind kind;
	size_t index;
};

static int
by_endpoint(const void *a, const void *b)
{
	const struct listener *x = a, *y = b;

	if (x->tcp.addr != y->tcp.addr)
		return x->tcp.addr < y->tcp.addr ? -1 : 1;
	if (x->tcp.port != y->tcp.port)
		return x->tcp.port < y->tcp.port ? -1 : 1;
	return x->kind != y->kind ? (int)x->kind - (int)y->kind
				  : (int)(x->index > y->index) - (int)(x->index < y->index);
}

/* Two processes cannot listen at one place. */
static void
check_listeners(struct topo_build *b)
{
	const struct topo *t = b->t;
	size_t max = 2 * t->n_servers + t->n_nvas + t->n_sites, n = 0;
	struct listener *v = topo_arena_alloc(b->arena, max, sizeof(*v));
	char a[IPADDR_STRLEN];

	if (v == NULL)
		return;
	for (size_t i = 0; i < 2 * t->n_servers; i++)
		v[n++] = (struct listener){ t->servers[i / 2].bgp_listen[i % 2], TOPO_ROUTE_SERVER,
			i / 2 };
	for (size_t i = 0; i < t->n_nvas; i++)
		v[n++] = (struct listener){ t->nvas[i].bgp_listen, TOPO_NVA, i };
	for (size_t i = 0; i < t->n_sites; i++)
		v[n++] = (struct listener){ t->sites[i].bgp_listen, TOPO_SITE, i };
	qsort(v, n, sizeof(*v), by_endpoint);
	for (size_t i = 1; i < n; i++)
		if (v[i].tcp.port != 0 && v[i].tcp.port == v[i - 1].tcp.port &&
		    v[i].tcp.addr == v[i - 1].tcp.addr)
			topo_build_error(b, v[i].kind, v[i].index, "/bgp_listen", "EndpointInUse",
			    "%s:%u is where %s %.64s listens", ipaddr_format(a, v[i].tcp.addr),
			    v[i].tcp.port, topo_kind_name(v[i - 1].kind),
			    b->of[v[i - 1].kind][v[i - 1].index]->name);
}

void
topo_check_routers(struct topo_build *b)
{
	struct router r;

	check_timing(b);
	for (size_t i = 0; i < b->t->n_nvas; i++) {
		check_router_timers(
		    b, TOPO_NVA, i, b->t->nvas[i].hold_ms, b->t->nvas[i].keepalive_ms);
		r = nva_router(b->t, i);
		check_router(b, &r);
	}
	for (size_t i = 0; i < b->t->n_sites; i++) {
		if (b->t->sites[i].ip == 0)
			topo_build_error(b, TOPO_SITE, i, "", "SiteAddressMissing",
			    "give it ip or prefixes; its router needs an address");
		check_router_timers(
		    b, TOPO_SITE, i, b->t->sites[i].hold_ms, b->t->sites[i].keepalive_ms);
		r = site_router(b->t, i);
		check_router(b, &r);
	}
	check_listeners(b);
}
