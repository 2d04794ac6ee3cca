/*
 * Service Control (see fc_control.h): the watch and report streams of the nodes.
 */
#include "fabricd/fc_control.h"

#include "fabricd/fc_faults.h"
#include "fabricd/fc_image.h"
#include "fabricd/fc_lag.h"
#include "fabricd/fc_listing.h"
#include "fabricd/fc_switch.h"
#include "fabricd/wire_batch.h"
#include "lib/err.h"
#include "lib/log.h"
#include "proto/control.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One stream that carries configurations to a node. */
struct fc_watch {
	struct fc *f;
	struct fc_node *node;
	struct fab_rpc_stream *s;
	uint64_t started_us;
};

/* One stream that carries a node's reports. */
struct fc_reporter {
	struct fc *f;
	struct fc_node *node; /* NULL: no hello yet, refused, or taken over */
	uint64_t started_us;
	bool warned;   /* of something in its reports; once is enough */
	bool complete; /* all that the node had to say when it came is here */
	struct fab_timer *patience;
	bool settled; /* has been converged: what it says from then on are changes */
	bool waited;  /* long enough: it counts as converged, whatever session is missing */
};

/* ---- Watch ---- */

/* Sends the configuration with `peers` of its peers and all else, or without any. */
static void
watch_send(struct fc_watch *w, bool with_peers)
{
	const struct fc_node *n = w->node;
	Fab__V1__NodeConfig *m = fab__v1__node_config__unpack(NULL, n->conf_len, n->conf);
	size_t n_peers, n_originate;

	if (m == NULL) {
		fab_error("node %s: cannot send its configuration: %s", n->name,
		    fab_strerror(FAB_ENOMEM));
		return;
	}
	n_peers = m->n_peers;
	n_originate = m->n_originate;
	if (!with_peers)
		m->n_peers = m->n_originate = 0;
	m->generation = with_peers ? n->generation : ++w->f->generation;
	fab_rpc_stream_put(w->s, &m->base);
	m->n_peers = n_peers; /* for free_unpacked() */
	m->n_originate = n_originate;
	fab__v1__node_config__free_unpacked(m, NULL);
}

static void
watch_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct fc_watch *w = ctx;

	(void)s;
	if (w->node->conf != NULL)
		watch_send(w, true);
}

static void
watch_closed(void *ctx, struct fab_rpc_stream *s)
{
	struct fc_watch *w = ctx;

	(void)s;
	w->node->watch = NULL;
	fc_node_release(w->f->nodes, w->node);
	free(w);
}

static const struct fab_rpc_stream_ops watch_ops = {
	.snapshot = watch_snapshot,
	.closed = watch_closed,
};

static void
watch_detach(struct fc_node *n, enum fab_rpc_status status, const char *why)
{
	struct fc_watch *w = n->watch;

	if (w == NULL)
		return;
	n->watch = NULL;
	fab_rpc_stream_end(w->s, status, why); /* forgets w: closed() does not follow */
	free(w);
}

static enum fab_rpc_status
watch_refusal(const struct fc_node *n, const Fab__V1__WatchRequest *req, char why[static 256])
{
	if (n == NULL || n->index < 0) {
		snprintf(why, 256, "no node '%.100s' in this fabric", req->name);
		return FAB_RPC_NOT_FOUND;
	}
	if (n->foreign) {
		snprintf(why, 256, "node '%.100s' runs other software", req->name);
		return FAB_RPC_FAILED_PRECONDITION;
	}
	if (n->watch != NULL && req->started_us < n->watch->started_us) {
		snprintf(why, 256, "node '%.100s' is another process, pid %d", req->name, n->pid);
		return FAB_RPC_ALREADY_EXISTS;
	}
	return FAB_RPC_OK;
}

static enum fab_rpc_status
watch_open(void *ctx, const ProtobufCMessage *msg, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	const Fab__V1__WatchRequest *req = (const Fab__V1__WatchRequest *)msg;
	struct fc *f = ctx;
	struct fc_node *n = fc_node_find(f->nodes, req->name);
	enum fab_rpc_status status = watch_refusal(n, req, why);
	struct fc_watch *w;

	if (status != FAB_RPC_OK)
		return status;
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return FAB_RPC_RESOURCE_EXHAUSTED;
	watch_detach(n, FAB_RPC_ABORTED, "another process took over the name");
	*w = (struct fc_watch){ .f = f, .node = n, .s = s, .started_us = req->started_us };
	n->watch = w;
	n->pid = req->pid;
	n->started_us = req->started_us;
	snprintf(n->url, sizeof(n->url), "%s", req->listen_url);
	*ops = &watch_ops;
	*stream_ctx = w;
	return FAB_RPC_OK;
}

void
fc_control_push(struct fc *f, struct fc_node *n)
{
	fc_touch(f, true);
	if (n->watch == NULL)
		return;
	if (n->conf != NULL)
		watch_send(n->watch, true);
	else
		fc_control_dismiss(f, n);
}

/* ---- Report ---- */

static bool
reports_layers(const struct topo_node *tn)
{
	return tn != NULL &&
	       (tn->kind == TOPO_NODE_ROUTE_SERVER || tn->kind == TOPO_NODE_ER_GATEWAY ||
		   tn->kind == TOPO_NODE_VPN_GATEWAY);
}

/* What a node says about itself does not count before its routes are here: its status may come
 * first. */
static bool
is_complete(const struct fc_node *n)
{
	return n->reporter != NULL && n->reporter->complete;
}

static void
reporter_state(struct fc *f, const char *node, bool connected, bool converged)
{
	fc_layers_reporter_state(f->layers, node, connected, converged);
	fc_listing_state(f->listing, node, connected, converged);
}

/* The layers hear how a reporter is; that may move NICs to another instance (RS-66, RS-93).
 * since_us: when the cause was, if that is a while ago. */
static void
tell_layers(struct fc *f, const struct fc_node *n, const char *text, uint64_t since_us)
{
	uint64_t before = fc_layers_generation(f->layers);
	bool converged =
	    is_complete(n) &&
	    (n->reporter->waited || (n->status_converged && n->status_generation == n->generation));

	if (reports_layers(fc_node_topo(f->nodes, n)))
		reporter_state(f, n->name, fc_node_connected(n), converged);
	else if (!fc_node_connected(n)) {
		fc_layers_router_gone(f->layers, n->name);
		fc_switch_touch_node(f->sw, n->name, n->name, "node lost"); /* RS-56 */
	}
	if (fc_layers_generation(f->layers) != before)
		fc_switch_touch_node(f->sw, n->name, n->name, text != NULL ? text : "");
	if (fc_layers_generation(f->layers) != before && text != NULL) {
		struct fc_batch_stamps b = {
			.node = n->name,
			.subject = n->name,
			.text = text,
			.layer_us = fab_wall_us(),
			.since_us = since_us,
		};

		fc_timeline_batch(f->timeline, &b);
		fc_touch(f, true);
	}
}

bool
fc_control_settled(const struct fc *f)
{
	const struct fc_node *n;

	for (n = fc_node_next(f->nodes, NULL); n != NULL; n = fc_node_next(f->nodes, n))
		if (!n->foreign && fc_image_reads(f->topo, fc_node_topo(f->nodes, n)) &&
		    !is_complete(n))
			return false;
	return fc_layers_settled(f->layers);
}

void
fc_control_restate(struct fc *f, struct fc_node *n)
{
	if (fc_node_connected(n))
		tell_layers(f, n, NULL, 0);
}

/* Puts a delay into the timeline; true if it has begun. */
static bool
delay(struct fc *f, struct fc_batch_stamps *b, const Fab__V1__RouteBatch *m, const char *what,
    uint32_t ms)
{
	char text[FC_TIMELINE_TEXT_MAX];

	if (ms == 0 || fc_lag_put(f->lag, b->node, m, ms) != FAB_OK)
		return false;
	if (b->delay_us != 0) { /* a first one, in the node */
		fc_timeline_batch(f->timeline, b);
		*b = (struct fc_batch_stamps){ .node = b->node,
			.subject = b->subject,
			.text = b->text,
			.since_us = b->since_us,
			.routes = b->routes };
	}
	snprintf(text, sizeof(text), "%s takes %u ms", what, ms);
	b->delay_text = text;
	b->delay_us = fab_wall_us();
	b->delay_for_us = (uint64_t)ms * 1000;
	fc_timeline_batch(f->timeline, b);
	return true;
}

/* The layers hear of the loss when the platform has noticed (TIME-20). */
static void
tell_loss(struct fc *f, struct fc_node *n)
{
	const struct topo_node *tn = fc_node_topo(f->nodes, n);
	const struct topo_delays *d = &f->topo->timing.delays;
	struct fc_batch_stamps b = { .node = n->name, .subject = n->name, .text = "node lost" };
	uint32_t ms = 0;

	if (reports_layers(tn))
		ms = fc_lag_draw(f->lag, n->name,
		    tn->kind == TOPO_NODE_ROUTE_SERVER ? d->instance_failover : d->nic_programming);
	if (!delay(f, &b, NULL, "failover of NICs", ms))
		tell_layers(f, n, "node lost", 0);
}

static void
node_lost(struct fc *f, struct fc_node *n)
{
	uint64_t now = fab_wall_us();

	n->reporter = NULL;
	n->status_converged = false;
	fc_sessions_clear(n);
	fc_node_drop_client(n);
	fc_events_add(f->events, FC_EVENT_NODE, now, n->name, "lost, was pid %d", n->pid);
	fc_timeline_session(f->timeline, now, FC_NAME, n->name, "node lost");
	tell_loss(f, n);
	fc_touch(f, true);
}

void
fc_control_dismiss(struct fc *f, struct fc_node *n)
{
	if (n->watch != NULL && n->conf != NULL)
		watch_send(n->watch, false);
	watch_detach(n, FAB_RPC_NOT_FOUND, "the node left the fabric");
	fc_sessions_clear(n);
	fc_layers_router_gone(f->layers, n->name);
}

static void
patience_over(void *arg)
{
	struct fc_reporter *r = arg;

	r->waited = true;
	if (r->node != NULL)
		tell_layers(r->f, r->node, "node has waited for its sessions", 0);
}

/* A peer that stays down must not keep a Route Server instance from its NICs for good (RS-66): in
 * this time every session that can come up has come up. */
static void
start_patience(struct fc_reporter *r)
{
	const struct topo_timing *t = &r->f->topo->timing;

	if (fab_timer_new(&r->patience, r->f->loop, patience_over, r) == FAB_OK)
		fab_timer_set_ms(r->patience, t->hold_ms + 2ull * t->connect_retry_ms);
}

static void
report_hello(struct fc_reporter *r, const Fab__V1__ReportHello *hello)
{
	struct fc *f = r->f;
	struct fc_node *n;

	if (r->node != NULL)
		return;
	if ((n = fc_node_add(f->nodes, hello->name)) == NULL) {
		fab_warn(
		    "report stream of '%.100s' ignored: name or number of nodes over the limit",
		    hello->name);
		return;
	}
	if (n->reporter != NULL && hello->started_us < n->reporter->started_us) {
		fab_warn("node %s: reports of pid %d ignored, pid %d started later", n->name,
		    hello->pid, n->pid);
		return;
	}
	if (n->reporter != NULL) {
		n->reporter->node = NULL;
		node_lost(f, n);
	}
	r->node = n;
	r->started_us = hello->started_us;
	n->reporter = r;
	n->seen = true;
	fc_faults_hello(f->faults, n->name);
	n->pid = hello->pid;
	n->started_us = hello->started_us;
	fc_events_add(f->events, FC_EVENT_NODE, fab_wall_us(), n->name, "running, pid %d", n->pid);
	start_patience(r);
	/* It may have come back before its loss was to be noticed: it has no routes now. */
	reporter_state(f, n->name, false, false);
	tell_layers(f, n, NULL, 0);
	fc_touch(f, true);
}

static void
complain(struct fc_reporter *r, const char *what, const char *why)
{
	if (!r->warned)
		fab_warn("node %s: %s refused: %s", r->node->name, what, why);
	r->warned = true;
}

static void
begin_layers(struct fc *f, const char *node)
{
	fc_layers_snapshot_begin(f->layers, node);
	fc_listing_snapshot(f->listing, node, true);
}

static void
snapshot_begin(struct fc_reporter *r)
{
	struct fc_route_batch none = { 0 };
	struct fc_node *n = r->node;
	struct fc_session *s, *tmp;

	HASH_ITER (hh, n->sessions, s, tmp)
		s->repeated = false;
	fc_lag_drop(r->f->lag, n->name);
	if (reports_layers(fc_node_topo(r->f->nodes, n)))
		begin_layers(r->f, n->name);
	else {
		fc_layers_router_apply(r->f->layers, n->name, &none, true, false);
		fc_switch_touch_node(r->f->sw, n->name, n->name, "node is back");
	}
}

/* Puts the outcome of a batch into log and timeline. */
static void
layer_changed(struct fc *f, struct fc_batch_stamps *b)
{
	const char *why = b->text[0] == '\0' ? "snapshot" : b->text;

	b->layer_us = fab_wall_us();
	b->text = why;
	fc_events_add(f->events, FC_EVENT_ROUTES, b->layer_us, b->node, "%u entries changed: %s",
	    b->changed, why);
	fc_switch_touch_node(f->sw, b->node, b->subject, why);
}

static void
snapshot_end(struct fc_reporter *r)
{
	struct fc_batch_stamps b = { .node = r->node->name, .subject = "", .text = "" };
	struct fc_route_batch none = { 0 };
	struct fc_session *s, *tmp;
	size_t changed = 0;

	HASH_ITER (hh, r->node->sessions, s, tmp)
		if (!s->repeated)
			fc_session_remove(r->node, s);
	r->complete = true;
	if (!reports_layers(fc_node_topo(r->f->nodes, r->node))) {
		fc_layers_router_apply(r->f->layers, r->node->name, &none, false, true);
		fc_switch_touch_node(r->f->sw, r->node->name, r->node->name, "routes of a router");
		return;
	}
	fc_layers_snapshot_end(r->f->layers, r->node->name, &changed);
	fc_listing_snapshot(r->f->listing, r->node->name, false);
	tell_layers(r->f, r->node, "all routes are here", 0);
	if (changed == 0)
		return;
	b.changed = (uint32_t)changed;
	layer_changed(r->f, &b);
	fc_timeline_batch(r->f->timeline, &b);
	fc_touch(r->f, true);
}

/* What a site knows is where it sends packets, and so is what an NVA knows of tunnels that are the
 * switch's; the rest is the NVA's own business (MR-5). */
static int
router_routes(struct fc *f, const struct fc_node *n, const struct fc_route_batch *batch)
{
	if (fc_image_reads(f->topo, fc_node_topo(f->nodes, n)))
		fc_switch_touch_node(f->sw, n->name, n->name, "routes of a router");
	return fc_layers_router_apply(f->layers, n->name, batch, false, false);
}

static int
layers_apply(struct fc *f, const char *node, const Fab__V1__RouteBatch *m,
    const struct fc_route_batch *batch, bool old_news, size_t *changed)
{
	fc_listing_batch(f->listing, node, m, batch, old_news);
	return fc_layers_apply(f->layers, node, batch, changed);
}

static void
complain_batch(const char *node, int err)
{
	if (err != FAB_OK && err != FAB_ENOENT) /* ENOENT: not a reporter of its scope */
		fab_error("node %s: routes not applied: %s", node, fab_strerror(err));
}

/* The hot path: from here to fc_touch() is what lies between a batch and the NICs. */
static void
report_routes(struct fc_reporter *r, const Fab__V1__RouteBatch *m, bool in_snapshot)
{
	struct fc *f = r->f;
	struct fc_node *n = r->node;
	struct fc_mem mem = { 0 };
	struct fc_route_batch batch;
	struct fc_batch_stamps b;
	size_t changed = 0;
	bool layers = reports_layers(fc_node_topo(f->nodes, n));
	struct topo_range nic = f->topo->timing.delays.nic_programming;
	uint32_t ms = layers && !in_snapshot && r->settled ? fc_lag_draw(f->lag, n->name, nic) : 0,
		 prefixes;
	int err = wire_batch_decode(&mem, &batch, &prefixes, m);

	if (err != FAB_OK) {
		complain(r, "route batch", fab_strerror(err));
		goto done;
	}
	f->batches++;
	f->routes += prefixes;
	wire_batch_stamps(&b, n->name, m);
	if (in_snapshot) /* old news: no stamps of the node */
		b = (struct fc_batch_stamps){ .node = n->name, .subject = "", .text = "" };
	b.routes = prefixes;
	if (delay(f, &b, m, "NIC programming", ms))
		goto touch;
	if (layers)
		err = layers_apply(f, n->name, m, &batch, in_snapshot || !r->settled, &changed);
	else
		err = router_routes(f, n, &batch);
	complain_batch(n->name, err);
	b.changed = (uint32_t)changed;
	if (changed > 0)
		layer_changed(f, &b);
	if (changed > 0 || b.detect_us != 0 || b.delay_us != 0)
		fc_timeline_batch(f->timeline, &b);
touch:
	fc_touch(f, true);
done:
	fc_mem_free(&mem);
}

/* What was queued has reached the NICs. */
void
fc_control_late(struct fc *f, const char *node, const Fab__V1__RouteBatch *m, uint64_t queued_us)
{
	struct fc_mem mem = { 0 };
	struct fc_route_batch batch;
	struct fc_batch_stamps b = { .node = node, .subject = "", .text = "" };
	struct fc_node *n;
	size_t changed = 0;

	if (m == NULL) {
		if ((n = fc_node_find(f->nodes, node)) != NULL)
			tell_layers(f, n, "node lost", queued_us);
		fc_touch(f, true);
		return;
	}
	if (m->cause != NULL) {
		b.subject = m->cause->subject;
		b.text = m->cause->text;
	}
	b.since_us = m->cause != NULL && m->cause->held_us != 0 ? m->cause->held_us : queued_us;
	if (wire_batch_decode(&mem, &batch, &b.routes, m) == FAB_OK)
		complain_batch(node, layers_apply(f, node, m, &batch, false, &changed));
	b.changed = (uint32_t)changed;
	if (changed > 0) {
		layer_changed(f, &b);
		fc_timeline_batch(f->timeline, &b);
	}
	fc_touch(f, true);
	fc_mem_free(&mem);
}

static void
session_changed(struct fc *f, const struct fc_node *n, const struct fc_session *s, bool stamp)
{
	char text[FC_TIMELINE_TEXT_MAX];
	bool why = !s->established && s->reason[0] != '\0';

	snprintf(text, sizeof(text), "session %.40s %s%s%.60s", s->peer,
	    s->established ? "up" : "down", why ? ": " : "", why ? s->reason : "");
	fc_events_add(f->events, FC_EVENT_SESSION, s->at_us, n->name, "%s", text);
	if (stamp)
		fc_timeline_session(f->timeline, s->at_us, n->name, s->peer, text);
}

/* An MSEE sends nothing to a gateway instance that it has no session with (ER-15). */
static void
session_moves_packets(struct fc *f, const struct fc_node *n, const struct fc_session *s)
{
	const struct topo_node *tn = fc_node_topo(f->nodes, n);

	if (tn != NULL && tn->kind == TOPO_NODE_MSEE)
		fc_switch_touch_node(f->sw, n->name, s->peer, "session of an MSEE");
	if (tn != NULL && tn->kind == TOPO_NODE_VPN_GATEWAY)
		fc_switch_touch_node(f->sw, n->name, s->peer, "session of a VPN gateway");
}

static void
report_session(struct fc_reporter *r, const Fab__V1__SessionReport *m, bool in_snapshot)
{
	struct fc_session *s = fc_session_find(r->node, m->peer);
	bool was = s != NULL && s->established;

	if (s == NULL && (s = fc_session_add(r->node, m->peer)) == NULL) {
		complain(r, "session report", "too many sessions, or a name too long");
		return;
	}
	s->established = m->established;
	s->synced = m->synced;
	s->repeated = true;
	s->at_us = m->at_us;
	s->routes_in = m->routes_in;
	snprintf(s->state, sizeof(s->state), "%s", m->state);
	snprintf(s->reason, sizeof(s->reason), "%s", m->reason);
	if (s->established != was) {
		session_changed(r->f, r->node, s, !in_snapshot);
		session_moves_packets(r->f, r->node, s);
	}
	fc_touch(r->f, s->established != was);
}

static void
report_status(struct fc_reporter *r, const Fab__V1__NodeStatus *m)
{
	struct fc_node *n = r->node;

	n->status_generation = m->generation;
	n->status_converged = m->converged;
	r->settled |= m->converged;
	n->status_routes = m->routes;
	tell_layers(r->f, n, m->converged ? "node converged" : "node not converged", 0);
	fc_touch(r->f, false);
}

static void
report_open(void *ctx, void **stream_ctx)
{
	struct fc_reporter *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->f = ctx;
	*stream_ctx = r;
}

static void
report_item(
    void *ctx, void *stream_ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__ReportItem *m = (const Fab__V1__ReportItem *)item;
	struct fc_reporter *r = stream_ctx;

	(void)ctx;
	if (r == NULL)
		return;
	if (m != NULL && m->body_case == FAB__V1__REPORT_ITEM__BODY_HELLO)
		report_hello(r, m->hello);
	if (r->node == NULL)
		return;
	if (info->snapshot_begin)
		snapshot_begin(r);
	if (m != NULL && m->body_case == FAB__V1__REPORT_ITEM__BODY_ROUTES)
		report_routes(r, m->routes, info->in_snapshot);
	else if (m != NULL && m->body_case == FAB__V1__REPORT_ITEM__BODY_SESSION)
		report_session(r, m->session, info->in_snapshot);
	else if (m != NULL && m->body_case == FAB__V1__REPORT_ITEM__BODY_STATUS)
		report_status(r, m->status);
	else if (m != NULL && m->body_case == FAB__V1__REPORT_ITEM__BODY_NOTICE)
		fc_events_add(r->f->events, FC_EVENT_NODE, m->notice->at_us, r->node->name, "%s",
		    m->notice->text);
	if (info->snapshot_end)
		snapshot_end(r);
}

static void
report_closed(void *ctx, void *stream_ctx)
{
	struct fc_reporter *r = stream_ctx;

	(void)ctx;
	if (r != NULL && r->node != NULL) {
		node_lost(r->f, r->node);
		fc_node_release(r->f->nodes, r->node);
	}
	if (r != NULL)
		fab_timer_free(r->patience);
	free(r);
}

static const struct fab_rpc_sink_ops report_ops = {
	.open = report_open,
	.item = report_item,
	.closed = report_closed,
};

const struct fab_rpc_handler fc_control_table[] = {
	{ .method = "Watch", .open = watch_open },
	{ .method = "Report", .sink = &report_ops },
	{ .method = NULL },
};
