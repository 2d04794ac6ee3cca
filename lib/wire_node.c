/*
 * The glue of routeserverd, gatewayd and nvad. Owns the speaker, what wire_apply made of the
 * configuration, and the role's state; reports go to whatever struct wire_report_to names
 * (node_report() in a daemon).
 */
#include "lib/wire_node.h"

#include "lib/err.h"
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wire_node {
	struct fab_loop *loop;
	const char *name;
	const struct wire_role *role;
	void *ctx; /* the role's state; starts with struct wire_base */
	struct speaker *sp;
	struct speaker_role callbacks; /* role->policy and our own */
	struct wire_apply_ops apply_ops;
	struct wire_apply *apply;
	struct wire_speaker service;
	struct wire_report_to to;
	struct fab_post status_post;
	/* Last NodeStatus sent. */
	uint64_t told_generation;
	uint32_t told_routes;
	bool told_converged;
	uint64_t delays; /* drawn so far */
};

static struct wire_node *
node_of(void *role_ctx)
{
	struct wire_base *base = role_ctx;

	return base->w;
}

static wire_route_fn *
route_fn(const struct wire_node *w)
{
	return w->role->route != NULL ? w->role->route : wire_route_learned;
}

/* ---- status ---- */

static bool
is_converged(const struct wire_node *w)
{
	return wire_apply_converged(w->apply, NULL, 0) && speaker_held(w->sp) == 0 &&
	       (w->role->busy == NULL || !w->role->busy(w->ctx));
}

static void
send_status(struct wire_node *w, const struct wire_report_to *to)
{
	const struct wire_conf *conf = wire_apply_current(w->apply);

	w->told_generation = conf == NULL ? 0 : conf->generation;
	w->told_converged = is_converged(w);
	w->told_routes = (uint32_t)speaker_prefix_count(w->sp);
	wire_report_status(to, w->told_generation, w->told_converged, w->told_routes);
}

/* End of a turn in which something happened. */
static void
status_cb(void *arg)
{
	struct wire_node *w = arg;
	const struct wire_conf *conf = wire_apply_current(w->apply);
	bool before = w->told_converged;

	if (conf == NULL)
		return;
	if (w->told_generation != conf->generation || w->told_converged != is_converged(w) ||
	    w->told_routes != (uint32_t)speaker_prefix_count(w->sp))
		send_status(w, &w->to);
	if (w->told_converged && !before && w->role->converged != NULL)
		w->role->converged(w->ctx);
}

void
wire_node_touch(struct wire_node *w)
{
	fab_loop_defer(w->loop, &w->status_post);
}

/* ---- callbacks of the speaker ---- */

static void
on_changed(
    void *ctx, const struct speaker_change *changes, size_t n, const struct speaker_cause *cause)
{
	struct wire_node *w = node_of(ctx);

	wire_report_changes(&w->to, route_fn(w), ctx, changes, n, cause);
	if (w->role->changed != NULL)
		w->role->changed(ctx, changes, n);
	wire_node_touch(w);
}

static void
log_peer(const struct speaker_peer *p, enum bgp_state now, const char *reason)
{
	const struct wire_peer *peer = wire_peer_of(p);
	char addr[IPADDR_STRLEN];

	ipaddr_format(addr, peer->address);
	if (now == BGP_ESTABLISHED)
		fab_info("peer %s (%s): Established", peer->name, addr);
	else
		fab_error("peer %s (%s): lost: %s", peer->name, addr,
		    reason == NULL || reason[0] == '\0' ? "closed" : reason);
}

static void
on_peer_state(void *ctx, struct speaker_peer *p, enum bgp_state now, const char *reason)
{
	struct wire_node *w = node_of(ctx);

	log_peer(p, now, reason);
	wire_report_session(&w->to, p, reason);
	if (w->role->peer_state != NULL)
		w->role->peer_state(ctx, p, now);
	wire_node_touch(w);
}

static void
on_peer_synced(void *ctx, struct speaker_peer *p)
{
	struct wire_node *w = node_of(ctx);

	wire_report_session(&w->to, p, NULL);
	wire_node_touch(w);
}

static void
on_session_gone(void *ctx, const struct wire_peer *peer)
{
	struct wire_node *w = node_of(ctx);

	wire_report_session_gone(&w->to, peer->name);
	wire_node_touch(w);
}

static void
on_held(void *ctx)
{
	wire_node_touch(node_of(ctx));
}

/* ER-5, TIME-20 */
static uint32_t
on_delay(void *ctx, struct speaker_peer *from, bool lost)
{
	struct wire_node *w = node_of(ctx);
	const struct wire_conf *conf = wire_apply_current(w->apply);
	const struct wire_peer *peer = wire_peer_of(from);

	if (peer->delay.max_ms == 0 || (peer->delay_losses && !lost))
		return 0;
	return topo_draw_ms(peer->delay, conf->seed, peer->name, w->delays++);
}

/* ---- life ---- */

static int
build(struct wire_node *w, const struct fab_tls *tls)
{
	const struct wire_role *role = w->role;
	struct wire_base *base;
	int err;

	err = role->start(&w->ctx);
	if (err != FAB_OK)
		return err;
	base = w->ctx;
	base->w = w;
	w->callbacks = role->policy;
	w->callbacks.delay_ms = on_delay;
	w->callbacks.held = on_held;
	w->callbacks.changed = on_changed;
	w->callbacks.peer_state = on_peer_state;
	w->callbacks.peer_synced = on_peer_synced;
	err = speaker_new(&w->sp, w->loop, &w->callbacks, w->ctx);
	if (err != FAB_OK)
		return err;
	w->service = (struct wire_speaker){
		.sp = w->sp, .own_in_learned = role->own_in_learned, .row = role->row, .ctx = w->ctx
	};
	w->apply_ops = role->apply;
	w->apply_ops.gone = on_session_gone;
	return wire_apply_new(&w->apply, w->sp, tls, &w->apply_ops, w->ctx);
}

int
wire_node_new(struct wire_node **out, struct fab_loop *loop, const char *name,
    const struct fab_tls *tls, const struct wire_role *role, const struct wire_report_to *to)
{
	struct wire_node *w = calloc(1, sizeof(*w));
	int err;

	if (w == NULL)
		return FAB_ENOMEM;
	*w = (struct wire_node){ .loop = loop,
		.name = name,
		.role = role,
		.to = *to,
		.status_post = { .fn = status_cb, .arg = w } };
	err = build(w, tls);
	if (err != FAB_OK) {
		wire_node_free(w);
		return err;
	}
	*out = w;
	return FAB_OK;
}

void
wire_node_free(struct wire_node *w)
{
	if (w == NULL)
		return;
	wire_apply_free(w->apply);
	speaker_free(w->sp);
	fab_loop_defer_cancel(w->loop, &w->status_post);
	if (w->ctx != NULL)
		w->role->stop(w->ctx);
	free(w);
}

static void
report_to_node(void *arg, const Fab__V1__ReportItem *item)
{
	node_report(arg, item);
}

int
wire_node_start(struct node *n, const struct wire_role *role, void **ctx)
{
	const struct node_options *o = node_options(n);
	struct wire_report_to to = { .send = report_to_node, .arg = n };
	struct wire_node *w;
	int err;

	err = wire_node_new(&w, node_loop(n), node_name(n), fab_args_tls(&o->args), role, &to);
	if (err != FAB_OK)
		return err;
	err = node_serve(n, &fab__v1__speaker__descriptor, wire_speaker_table, &w->service);
	if (err != FAB_OK) {
		wire_node_free(w);
		return err;
	}
	*ctx = w;
	return FAB_OK;
}

void
wire_node_stop(void *ctx)
{
	wire_node_free(ctx);
}

/* ---- configuration ---- */

static bool
role_takes(const struct wire_role *role, enum wire_kind kind)
{
	for (size_t i = 0; i < sizeof(role->kinds) / sizeof(role->kinds[0]); i++)
		if (kind != WIRE_UNKNOWN && role->kinds[i] == kind)
			return true;
	return false;
}

static bool
acceptable(struct wire_node *w, const struct wire_conf *conf, char why[static 256])
{
	if (!role_takes(w->role, conf->kind)) {
		snprintf(why, 256, "%s is configured as %s, this process plays %s", conf->name,
		    wire_kind_name(conf->kind), wire_kind_name(w->role->kinds[0]));
		return false;
	}
	return w->role->check == NULL || w->role->check(w->ctx, conf, why);
}

static void
report_sessions(struct wire_node *w, const struct wire_report_to *to)
{
	for (struct speaker_peer *p = NULL; (p = speaker_peer_next(w->sp, p)) != NULL;)
		wire_report_session(to, p, bgp_session_last_error(speaker_peer_session(p)));
}

static void
put_in_force(struct wire_node *w, struct wire_conf *conf)
{
	struct wire_diff diff = { 0 };
	char why[256];
	bool again;

	w->service.address = conf->address;
	wire_apply_own_begin(w->apply);
	again = w->role->config(w->ctx, conf, w->apply);
	wire_apply_own_end(w->apply, &diff);
	if (wire_apply_conf(w->apply, conf, &diff, why) != FAB_OK)
		fab_error("configuration %llu: %s", (unsigned long long)conf->generation, why);
	if (again)
		speaker_reevaluate(w->sp, "configuration");
	if (w->role->applied != NULL)
		w->role->applied(w->ctx, &diff);
	fab_info("configuration %llu: sessions +%u -%u changed %u kept %u, prefixes +%u -%u",
	    (unsigned long long)conf->generation, diff.added, diff.removed, diff.recreated,
	    diff.kept, diff.originated, diff.unoriginated);
	if (diff.added + diff.removed + diff.recreated > 0)
		report_sessions(w, &w->to);
	wire_node_touch(w);
}

void
wire_node_config(void *ctx, const Fab__V1__NodeConfig *m)
{
	struct wire_node *w = ctx;
	struct wire_conf *conf = NULL;
	char why[256] = "out of memory";

	if (wire_conf_decode(&conf, m, why) == FAB_OK && acceptable(w, conf, why)) {
		put_in_force(w, conf);
		return;
	}
	wire_conf_free(conf);
	fab_error("configuration %llu refused: %s", (unsigned long long)m->generation, why);
}

void
wire_node_notice(struct wire_node *w, const char *text)
{
	fab_warn("%s", text);
	wire_report_notice(&w->to, text);
}

void
wire_node_tell_routes(struct wire_node *w)
{
	wire_report_routes(&w->to, route_fn(w), w->ctx, w->sp);
}

/* ---- the rest of struct node_ops ---- */

static void
report_to_stream(void *arg, const Fab__V1__ReportItem *item)
{
	fab_rpc_stream_put(arg, &item->base);
}

void
wire_node_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct wire_node *w = ctx;
	struct wire_report_to to = { .send = report_to_stream, .arg = s };

	report_sessions(w, &to);
	wire_report_routes(&to, route_fn(w), w->ctx, w->sp);
	send_status(w, &to);
}

void
wire_node_stats(void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg)
{
	struct wire_node *w = ctx;
	const struct wire_conf *conf = wire_apply_current(w->apply);
	uint64_t peers = 0, up = 0;

	for (struct speaker_peer *p = NULL; (p = speaker_peer_next(w->sp, p)) != NULL; peers++)
		up += bgp_session_state(speaker_peer_session(p)) == BGP_ESTABLISHED;
	add(arg, "peers", peers);
	add(arg, "peers_established", up);
	add(arg, "prefixes", speaker_prefix_count(w->sp));
	add(arg, "attribute_sets", bgp_attr_table_count(speaker_attrs(w->sp)));
	add(arg, "config_generation", conf == NULL ? 0 : conf->generation);
	if (w->role->stats != NULL)
		w->role->stats(w->ctx, add, arg);
}

static void
dump_peer(FILE *f, struct speaker_peer *p)
{
	const struct wire_peer *peer = wire_peer_of(p);
	struct bgp_session *s = speaker_peer_session(p);
	char addr[IPADDR_STRLEN];

	fprintf(f, "peer %s %s AS %u %s%s in %u out %u group %u backlog %zu up %llu times%s%s\n",
	    peer->name, ipaddr_format(addr, peer->address), peer->asn,
	    bgp_state_name(bgp_session_state(s)), speaker_peer_synced(p) ? " synced" : "",
	    speaker_peer_routes_in(p), speaker_peer_routes_out(p), speaker_peer_conf(p)->group,
	    bgp_session_backlog(s), (unsigned long long)bgp_session_stats(s)->transitions,
	    bgp_session_last_error(s)[0] != '\0' ? " last error: " : "", bgp_session_last_error(s));
}

char *
wire_node_dump(void *ctx)
{
	struct wire_node *w = ctx;
	const struct wire_conf *conf = wire_apply_current(w->apply);
	char *text = NULL, why[256] = "";
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	if (conf != NULL)
		fprintf(f, "%s: %s, AS %u, configuration %llu\n", conf->name,
		    wire_kind_name(conf->kind), conf->asn, (unsigned long long)conf->generation);
	if (!wire_apply_converged(w->apply, why, sizeof(why)))
		fprintf(f, "not converged: %s\n", why);
	for (struct speaker_peer *p = NULL; (p = speaker_peer_next(w->sp, p)) != NULL;)
		dump_peer(f, p);
	fprintf(f, "prefixes %zu\n", speaker_prefix_count(w->sp));
	fclose(f);
	return text;
}

int
wire_node_fault(void *ctx, const Fab__V1__FaultRequest *req)
{
	struct wire_node *w = ctx;
	struct speaker_peer *p = speaker_peer_find(w->sp, req->peer);

	if (p == NULL)
		return FAB_ENOENT;
	if (req->link_down) /* not the peer's fault: as a reset, it may come back at once */
		bgp_session_reset(speaker_peer_session(p), BGP_ERR_CEASE, BGP_CEASE_ADMIN_RESET,
		    "the peer's link is down");
	else
		bgp_session_cut(speaker_peer_session(p), req->cut_in, req->cut_out);
	return FAB_OK;
}

bool
wire_node_converged(void *ctx)
{
	return is_converged(ctx);
}

/* ---- for roles ---- */

struct speaker *
wire_node_speaker(struct wire_node *w)
{
	return w->sp;
}

struct wire_apply *
wire_node_apply(struct wire_node *w)
{
	return w->apply;
}

void *
wire_node_role_ctx(struct wire_node *w)
{
	return w->ctx;
}

struct fab_loop *
wire_node_loop(struct wire_node *w)
{
	return w->loop;
}

const char *
wire_node_name(const struct wire_node *w)
{
	return w->name;
}

const struct wire_conf *
wire_node_conf(const struct wire_node *w)
{
	return w->apply == NULL ? NULL : wire_apply_current(w->apply);
}
