/*
 * Speaker changes as ReportItems. A batch is built in three steps: a struct wire_route for each
 * prefix, a group for each distinct route (uthash over its fixed key), then one message whose
 * arrays lead into the groups. Nothing is kept between calls.
 */
#include "lib/wire_report.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/wire_apply.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Two prefixes with equal keys share a RouteGroup. The attribute set is interned, so its address
 * stands for its path. Zeroed before use: padding counts in the hash. */
struct group_key {
	uint32_t source, weight;
	const struct bgp_attrs *path;
	const char *peer;
	size_t n_next_hops;
	uint32_t next_hops[WIRE_NEXT_HOPS_MAX];
};

struct group {
	UT_hash_handle hh;
	struct group_key key;
	Fab__V1__RouteGroup msg;
	size_t room;        /* of msg.addr and msg.len */
	uint32_t as_path[]; /* flattened */
};

/* Prefixes on their way into a message. */
struct batch {
	const struct wire_report_to *to;
	const struct speaker_cause *cause; /* NULL in a snapshot */
	struct group *groups, *last;
	uint32_t *gone_addr;
	uint8_t *gone_len;
	size_t n_gone, gone_room, n;
};

/* ---- one prefix ---- */

static int
u32_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void
wire_route_tidy(struct wire_route *r)
{
	size_t n = 0;

	qsort(r->next_hops, r->n_next_hops, sizeof(r->next_hops[0]), u32_cmp);
	for (size_t i = 0; i < r->n_next_hops; i++)
		if (n == 0 || r->next_hops[i] != r->next_hops[n - 1])
			r->next_hops[n++] = r->next_hops[i];
	r->n_next_hops = n;
}

static const char *
path_peer(const struct speaker_path *p)
{
	return p->peer == NULL ? "" : wire_peer_of(p->peer)->name;
}

/* The winner that is shown must not depend on the order of arrival. */
static bool
shown_before(const struct speaker_path *a, const struct speaker_path *b)
{
	if (a->attrs->s.next_hop != b->attrs->s.next_hop)
		return a->attrs->s.next_hop < b->attrs->s.next_hop;
	return strcmp(path_peer(a), path_peer(b)) < 0;
}

bool
wire_route_any(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best,
    size_t n_best, struct wire_route *out)
{
	const struct speaker_path *shown;

	(void)ctx;
	(void)prefix;
	if (n_best == 0)
		return false;
	shown = best[0];
	out->n_next_hops = 0;
	for (size_t i = 0; i < n_best && i < WIRE_NEXT_HOPS_MAX; i++) {
		out->next_hops[out->n_next_hops++] = best[i]->attrs->s.next_hop;
		if (shown_before(best[i], shown))
			shown = best[i];
	}
	wire_route_tidy(out);
	out->source = shown->source;
	out->weight = shown->weight;
	out->path = shown->attrs;
	out->peer = path_peer(shown);
	return true;
}

bool
wire_route_learned(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *best,
    size_t n_best, struct wire_route *out)
{
	const struct speaker_path *learned[WIRE_NEXT_HOPS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < n_best && n < WIRE_NEXT_HOPS_MAX; i++)
		if (best[i]->peer != NULL)
			learned[n++] = best[i];
	return wire_route_any(ctx, prefix, learned, n, out);
}

/* ---- groups ---- */

static struct group *
group_new(struct batch *b, const struct group_key *key)
{
	const struct bgp_attr_spec *s = &key->path->s;
	size_t n = bgp_path_flatten(s->as_path, s->as_path_octets, NULL, 0);
	struct group *g = calloc(1, sizeof(*g) + n * sizeof(g->as_path[0]));

	if (g == NULL)
		return NULL;
	g->key = *key;
	bgp_path_flatten(s->as_path, s->as_path_octets, g->as_path, n);
	fab__v1__route_group__init(&g->msg);
	g->msg.source = (Fab__V1__RouteSource)key->source;
	g->msg.weight = key->weight;
	g->msg.next_hops = g->key.next_hops;
	g->msg.n_next_hops = key->n_next_hops;
	g->msg.as_path = g->as_path;
	g->msg.n_as_path = n;
	g->msg.peer = (char *)(uintptr_t)key->peer;
	HASH_ADD(hh, b->groups, key, sizeof(g->key), g);
	return g;
}

static struct group *
group_get(struct batch *b, const struct wire_route *r)
{
	struct group_key key;
	struct group *g;

	memset(&key, 0, sizeof(key));
	key.source = (uint32_t)r->source;
	key.weight = r->weight;
	key.path = r->path;
	key.peer = r->peer;
	key.n_next_hops = r->n_next_hops;
	memcpy(key.next_hops, r->next_hops, r->n_next_hops * sizeof(key.next_hops[0]));
	if (b->last != NULL && memcmp(&b->last->key, &key, sizeof(key)) == 0)
		return b->last;
	HASH_FIND(hh, b->groups, &key, sizeof(key), g);
	return g != NULL ? g : group_new(b, &key);
}

/* Makes room for one more in a pair of arrays, address and length. */
static bool
grow(uint32_t **addr, uint8_t **len, size_t n, size_t *room)
{
	size_t want = *room == 0 ? 16 : *room * 2;
	uint32_t *a;
	uint8_t *l;

	if (n < *room)
		return true;
	a = realloc(*addr, want * sizeof(*a));
	if (a == NULL)
		return false;
	*addr = a;
	l = realloc(*len, want);
	if (l == NULL)
		return false;
	*len = l;
	*room = want;
	return true;
}

static bool
batch_announce(struct batch *b, const struct ipnet *prefix, const struct wire_route *r)
{
	struct group *g = group_get(b, r);

	if (g == NULL || !grow(&g->msg.addr, &g->msg.len.data, g->msg.n_addr, &g->room))
		return false;
	g->msg.addr[g->msg.n_addr++] = prefix->addr;
	g->msg.len.data[g->msg.len.len++] = prefix->len;
	b->last = g;
	return true;
}

static bool
batch_withdraw(struct batch *b, const struct ipnet *prefix)
{
	if (!grow(&b->gone_addr, &b->gone_len, b->n_gone, &b->gone_room))
		return false;
	b->gone_addr[b->n_gone] = prefix->addr;
	b->gone_len[b->n_gone++] = prefix->len;
	return true;
}

static void
batch_clear(struct batch *b)
{
	struct group *g, *tmp;

	HASH_ITER (hh, b->groups, g, tmp) {
		HASH_DEL(b->groups, g);
		free(g->msg.addr);
		free(g->msg.len.data);
		free(g);
	}
	b->last = NULL;
	b->n_gone = b->n = 0;
}

static void
fill_cause(Fab__V1__Cause *m, const struct speaker_cause *c)
{
	fab__v1__cause__init(m);
	m->text = (char *)(uintptr_t)c->text;
	m->subject = (char *)(uintptr_t)c->subject;
	m->detect_us = c->detect_us;
	m->withdraw_us = c->withdraw_us;
	m->best_path_us = c->best_path_us;
	m->sent_us = fab_wall_us();
	m->held_us = c->held_us;
	m->held = (char *)(uintptr_t)c->held;
}

static void
batch_send(struct batch *b, Fab__V1__RouteGroup **list)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__RouteBatch msg = FAB__V1__ROUTE_BATCH__INIT;
	Fab__V1__Cause cause;
	struct group *g, *tmp;

	HASH_ITER (hh, b->groups, g, tmp)
		list[msg.n_groups++] = &g->msg;
	msg.groups = list;
	msg.withdrawn_addr = b->gone_addr;
	msg.n_withdrawn_addr = b->n_gone;
	msg.withdrawn_len = (ProtobufCBinaryData){ .data = b->gone_len, .len = b->n_gone };
	if (b->cause != NULL) {
		fill_cause(&cause, b->cause);
		msg.cause = &cause;
	}
	item.body_case = FAB__V1__REPORT_ITEM__BODY_ROUTES;
	item.routes = &msg;
	b->to->send(b->to->arg, &item);
}

static void
batch_flush(struct batch *b)
{
	Fab__V1__RouteGroup **list;

	if (b->n != 0) {
		list = calloc(HASH_COUNT(b->groups) + 1, sizeof(Fab__V1__RouteGroup *));
		if (list != NULL)
			batch_send(b, list);
		else
			fab_debug("report: out of memory, %zu prefixes not reported", b->n);
		free(list);
	}
	batch_clear(b);
}

static void
batch_add(struct batch *b, const struct ipnet *prefix, const struct wire_route *r)
{
	bool ok = r != NULL ? batch_announce(b, prefix, r) : batch_withdraw(b, prefix);

	if (!ok) {
		fab_debug("report: out of memory");
		return;
	}
	if (++b->n == WIRE_BATCH_PREFIXES)
		batch_flush(b);
}

static void
batch_end(struct batch *b)
{
	batch_flush(b);
	free(b->gone_addr);
	free(b->gone_len);
}

void
wire_report_changes(const struct wire_report_to *to, wire_route_fn *fn, void *ctx,
    const struct speaker_change *changes, size_t n, const struct speaker_cause *cause)
{
	struct batch b = { .to = to, .cause = cause };
	struct wire_route r;

	for (size_t i = 0; i < n; i++) {
		const struct speaker_change *c = &changes[i];
		bool some = c->n_best > 0 && fn(ctx, &c->prefix, c->best, c->n_best, &r);

		batch_add(&b, &c->prefix, some ? &r : NULL);
	}
	batch_end(&b);
}

/* ---- snapshot ---- */

/* Winners of the prefix that the walk is at, copied: a path is valid during its callback only. */
struct walk {
	struct batch batch;
	wire_route_fn *fn;
	void *ctx;
	struct ipnet prefix;
	struct speaker_path paths[SPEAKER_PATHS_MAX];
	const struct speaker_path *best[SPEAKER_PATHS_MAX];
	size_t n_best;
};

static void
walk_prefix_done(struct walk *w)
{
	struct wire_route r;

	if (w->n_best > 0 && w->fn(w->ctx, &w->prefix, w->best, w->n_best, &r))
		batch_add(&w->batch, &w->prefix, &r);
	w->n_best = 0;
}

static bool
walk_path(void *arg, const struct ipnet *prefix, const struct speaker_path *path, bool best)
{
	struct walk *w = arg;

	if (!ipnet_eq(w->prefix, *prefix)) {
		walk_prefix_done(w);
		w->prefix = *prefix;
	}
	if (best && w->n_best < SPEAKER_PATHS_MAX) {
		w->paths[w->n_best] = *path;
		w->best[w->n_best] = &w->paths[w->n_best];
		w->n_best++;
	}
	return true;
}

void
wire_report_routes(
    const struct wire_report_to *to, wire_route_fn *fn, void *ctx, struct speaker *sp)
{
	struct walk w = { .batch = { .to = to }, .fn = fn, .ctx = ctx };

	speaker_walk_rib(sp, walk_path, &w);
	walk_prefix_done(&w);
	batch_end(&w.batch);
}

/* ---- sessions, status ---- */

static void
send_session(const struct wire_report_to *to, Fab__V1__SessionReport *m)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;

	item.body_case = FAB__V1__REPORT_ITEM__BODY_SESSION;
	item.session = m;
	to->send(to->arg, &item);
}

void
wire_report_session(const struct wire_report_to *to, struct speaker_peer *p, const char *reason)
{
	struct bgp_session *s = speaker_peer_session(p);
	enum bgp_state state = bgp_session_state(s);
	Fab__V1__SessionReport m;

	fab__v1__session_report__init(&m);
	m.peer = (char *)(uintptr_t)wire_peer_of(p)->name;
	m.established = state == BGP_ESTABLISHED;
	m.state = (char *)(uintptr_t)bgp_state_name(state);
	m.reason = (char *)(uintptr_t)(reason == NULL ? "" : reason);
	m.at_us = bgp_session_since_us(s);
	m.routes_in = speaker_peer_routes_in(p);
	m.synced = speaker_peer_synced(p);
	send_session(to, &m);
}

void
wire_report_session_gone(const struct wire_report_to *to, const char *peer)
{
	Fab__V1__SessionReport m;

	fab__v1__session_report__init(&m);
	m.peer = (char *)(uintptr_t)peer;
	m.state = (char *)(uintptr_t)bgp_state_name(BGP_IDLE);
	m.reason = (char *)(uintptr_t) "not wanted";
	m.at_us = fab_wall_us();
	send_session(to, &m);
}

void
wire_report_status(
    const struct wire_report_to *to, uint64_t generation, bool converged, uint32_t routes)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__NodeStatus m = FAB__V1__NODE_STATUS__INIT;

	m.generation = generation;
	m.converged = converged;
	m.routes = routes;
	item.body_case = FAB__V1__REPORT_ITEM__BODY_STATUS;
	item.status = &m;
	to->send(to->arg, &item);
}

void
wire_report_notice(const struct wire_report_to *to, const char *text)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__NodeNotice m = FAB__V1__NODE_NOTICE__INIT;

	m.at_us = fab_wall_us();
	m.text = (char *)(uintptr_t)text;
	item.body_case = FAB__V1__REPORT_ITEM__BODY_NOTICE;
	item.notice = &m;
	to->send(to->arg, &item);
}
