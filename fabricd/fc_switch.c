/*
 * Service Switch (see fc_switch.h): hosts, and the streams of tables.
 */
#include "fabricd/fc_switch.h"

#include "fabricd/fc_control.h"
#include "fabricd/fc_link.h"
#include "fabricd/fc_mem.h"
#include "fabricd/fc_switch_int.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- hosts ---- */

static bool
name_is_valid(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < FC_SWITCH_NAME_MAX;
}

static struct fc_switch_host *
host_find(const struct fc_switch *sw, const char *name)
{
	struct fc_switch_host *h;

	HASH_FIND_STR(sw->hosts, name, h);
	return h;
}

void
fc_switch_forget_nics(struct fc_switch_host *h)
{
	struct fc_switch_nic *n, *tmp;

	HASH_ITER (hh, h->nics, n, tmp) {
		HASH_DEL(h->nics, n);
		free(n);
	}
}

static void
host_free(struct fc_switch *sw, struct fc_switch_host *h)
{
	HASH_DEL(sw->hosts, h);
	fc_switch_forget_nics(h);
	free(h);
}

/* Makes room among those that nobody needs any more. */
static void
forget_lost_host(struct fc_switch *sw)
{
	struct fc_switch_host *h;

	for (h = sw->hosts; h != NULL; h = h->hh.next) {
		if (h->watch != NULL || h->reporter != NULL)
			continue;
		host_free(sw, h);
		return;
	}
}

struct fc_switch_host *
fc_switch_host_add(struct fc_switch *sw, const char *name)
{
	struct fc_switch_host *h = host_find(sw, name);

	if (h != NULL || !name_is_valid(name))
		return h;
	if (HASH_COUNT(sw->hosts) >= FC_SWITCH_HOSTS_MAX)
		forget_lost_host(sw);
	if (HASH_COUNT(sw->hosts) >= FC_SWITCH_HOSTS_MAX || (h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	snprintf(h->name, sizeof(h->name), "%s", name);
	HASH_ADD_STR(sw->hosts, name, h);
	return h;
}

const struct fc_switch_host *
fc_switch_next(const struct fc_switch *sw, const struct fc_switch_host *after)
{
	return after == NULL ? sw->hosts : after->hh.next;
}

const struct fc_switch_nic *
fc_switch_nic(const struct fc_switch *sw, const char *name, const struct fc_switch_host **host)
{
	const struct fc_switch_nic *found = NULL, *n;

	for (const struct fc_switch_host *h = sw->hosts; h != NULL; h = h->hh.next) {
		HASH_FIND_STR(h->nics, name, n);
		if (n == NULL || (found != NULL && !n->attached))
			continue;
		found = n;
		*host = h;
		if (n->attached)
			break;
	}
	return found;
}

static bool
machine_stands(void *ctx, const char *node)
{
	const struct fc_switch_host *host;
	const struct fc_switch_nic *n = fc_switch_nic(ctx, node, &host);

	return n != NULL && n->attached;
}

/* ---- updates ---- */

struct audience {
	const struct fc_switch *sw;
	const struct fc_switch_watch *except;
};

static void
put_to_all(void *ctx, const ProtobufCMessage *m)
{
	struct audience *a = ctx;
	struct fc_switch_watch *w;

	DL_FOREACH (a->sw->watches, w)
		if (w != a->except)
			fab_rpc_stream_put(w->s, m);
}

static void
put_to_one(void *ctx, const ProtobufCMessage *m)
{
	fab_rpc_stream_put(ctx, m);
}

/* Compiles what is due and tells all watchers but one, whose snapshot is about to be written. */
static void
update(struct fc_switch *sw, const struct fc_switch_watch *except)
{
	struct audience audience = { sw, except };
	Fab__V1__Cause cause = FAB__V1__CAUSE__INIT;
	struct fc_switch_change *c = &sw->next;
	int err;

	if (!fc_image_is_due(sw->image)) {
		fc_switch_waits_arm(sw);
		return;
	}
	cause.text = c->text;
	cause.subject = c->subject;
	wire_switch_begin(sw->wire, sw->generation + 1, false, put_to_all, &audience);
	err = fc_image_update(sw->image, &wire_switch_sink, sw->wire);
	if (err != FAB_OK)
		fab_error("switch tables not up to date: %s", fab_strerror(err));
	wire_switch_end(sw->wire, &cause);
	if ((c->told = wire_switch_told(sw->wire)) > 0) {
		c->generation = ++sw->generation;
		sw->changes[c->generation % FC_SWITCH_CHANGES] = *c;
	}
	fc_switch_waits_arm(sw);
	*c = (struct fc_switch_change){ 0 };
}

static void
update_cb(void *arg)
{
	update(arg, NULL);
	fc_switch_waits_check(arg);
	fc_touch(((struct fc_switch *)arg)->f, false);
}

/* Whoever is heard of first is the reason of the update. */
static void
due(struct fc_switch *sw, const char *subject, const char *text)
{
	if (sw->next.text[0] == '\0') {
		snprintf(sw->next.subject, sizeof(sw->next.subject), "%s", subject);
		snprintf(sw->next.text, sizeof(sw->next.text), "%s", text);
	}
	fab_loop_defer(sw->f->loop, &sw->post);
}

void
fc_switch_touch_all(struct fc_switch *sw, const char *text)
{
	if (sw->watches == NULL)
		return;
	fc_image_touch_all(sw->image);
	due(sw, "", text);
}

void
fc_switch_touch_node(struct fc_switch *sw, const char *node, const char *subject, const char *text)
{
	if (sw->watches == NULL)
		return;
	fc_image_touch_node(sw->image, node);
	if (fc_image_is_due(sw->image))
		due(sw, subject, text);
}

void
fc_switch_touch_balancer(struct fc_switch *sw, size_t balancer, const char *text)
{
	const struct topo_load_balancer *l = &sw->f->topo->balancers[balancer];

	if (sw->watches == NULL)
		return;
	fc_image_touch_owners(sw->image, l->vnet);
	if (fc_image_is_due(sw->image))
		due(sw, l->name, text);
}

void
fc_switch_touch_links(struct fc_switch *sw, const char *subject, const char *text)
{
	if (sw->watches == NULL)
		return;
	fc_image_touch_links(sw->image);
	due(sw, subject, text);
}

uint64_t
fc_switch_generation(const struct fc_switch *sw)
{
	return sw->generation;
}

bool
fc_switch_host_converged(const struct fc_switch *sw, const struct fc_switch_host *h)
{
	return h->reporter != NULL && h->acknowledged && h->generation == sw->generation &&
	       !fc_image_is_due(sw->image);
}

bool
fc_switch_converged(const struct fc_switch *sw, char why[static 256])
{
	for (const struct fc_switch_host *h = sw->hosts; h != NULL; h = h->hh.next) {
		if (h->reporter == NULL || fc_switch_host_converged(sw, h))
			continue;
		snprintf(why, 256, "vswitchd on %s does not have the newest tables in force yet",
		    h->name);
		return false;
	}
	return true;
}

/* ---- Watch ---- */

static void
watch_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct fc_switch_watch *w = ctx;
	struct fc_switch *sw = w->sw;

	update(sw, w);
	wire_switch_begin(sw->wire, sw->generation, true, put_to_one, s);
	fc_image_dump(sw->image, &wire_switch_sink, sw->wire);
	wire_switch_end(sw->wire, NULL);
}

static void
watch_forget(struct fc_switch_watch *w)
{
	DL_DELETE(w->sw->watches, w);
	w->host->watch = NULL;
	free(w);
}

static void
watch_closed(void *ctx, struct fab_rpc_stream *s)
{
	(void)s;
	watch_forget(ctx);
}

static const struct fab_rpc_stream_ops watch_ops = {
	.snapshot = watch_snapshot,
	.closed = watch_closed,
};

static void
watch_detach(struct fc_switch_host *h)
{
	struct fab_rpc_stream *s;

	if (h->watch == NULL)
		return;
	s = h->watch->s;
	watch_forget(h->watch);
	fab_rpc_stream_end(s, FAB_RPC_ABORTED, "another process took over the name");
}

void
fc_switch_take_hello(struct fc_switch_host *h, const Fab__V1__SwitchHello *hello)
{
	h->pid = hello->pid;
	h->started_us = hello->started_us;
	snprintf(h->engine, sizeof(h->engine), "%s", hello->engine);
	snprintf(h->url, sizeof(h->url), "%s", hello->listen_url);
}

/* For the first one the image is not kept yet: all of it is due. */
static struct fc_switch_watch *
watch_new(
    struct fc_switch *sw, struct fc_switch_host *h, struct fab_rpc_stream *s, uint64_t started)
{
	struct fc_switch_watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	if (sw->watches == NULL)
		fc_image_touch_all(sw->image);
	*w = (struct fc_switch_watch){ .sw = sw, .host = h, .s = s, .started_us = started };
	DL_APPEND(sw->watches, w);
	h->watch = w;
	return w;
}

static bool
probes_anything(const struct topo *t)
{
	for (size_t i = 0; i < t->n_balancers; i++)
		if (t->balancers[i].probe.port != 0)
			return true;
	return false;
}

/* All routes, and what its probes know. */
static bool
is_settling(const struct fc *f, const struct fc_switch_host *h)
{
	bool settled = fc_control_settled(f) && (h->told || !probes_anything(f->topo));

	return !settled &&
	       fab_mono_us_between(f->started, fab_mono_now()) < FC_SWITCH_SETTLE_MS * 1000;
}

static enum fab_rpc_status
watch_open(void *ctx, const ProtobufCMessage *msg, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	const Fab__V1__SwitchHello *hello = (const Fab__V1__SwitchHello *)msg;
	struct fc_switch *sw = ((struct fc *)ctx)->sw;
	struct fc_switch_host *h = fc_switch_host_add(sw, hello->host);

	if (h == NULL) {
		snprintf(
		    why, 256, "host name '%.100s' is of no use, or too many hosts", hello->host);
		return FAB_RPC_INVALID_ARGUMENT;
	}
	if (h->watch != NULL && hello->started_us < h->watch->started_us) {
		snprintf(
		    why, 256, "vswitchd on '%.64s' is another process, pid %d", h->name, h->pid);
		return FAB_RPC_ALREADY_EXISTS;
	}
	if (hello->forwarding && is_settling(sw->f, h)) {
		snprintf(why, 256, "fabricd has just started and does not know all routes yet");
		return FAB_RPC_UNAVAILABLE; /* it asks again */
	}
	watch_detach(h);
	if ((*stream_ctx = watch_new(sw, h, s, hello->started_us)) == NULL)
		return FAB_RPC_RESOURCE_EXHAUSTED;
	fc_switch_take_hello(h, hello);
	*ops = &watch_ops;
	return FAB_RPC_OK;
}

const struct fab_rpc_handler fc_switch_table[] = {
	{ .method = "Watch", .open = watch_open },
	{ .method = "Report", .sink = &fc_switch_report_ops },
	{ .method = NULL },
};

/* ---- life ---- */

int
fc_switch_new(struct fc_switch **out, struct fc *f)
{
	struct fc_switch *sw = calloc(1, sizeof(*sw));
	int err = sw == NULL ? FAB_ENOMEM : FAB_OK;

	if (err == FAB_OK) {
		sw->f = f;
		sw->first = sw->generation = fab_wall_us();
		sw->post = (struct fab_post){ .fn = update_cb, .arg = sw };
		err = fc_image_new(&sw->image, f->layers, fc_links_set(f->links));
	}
	if (err == FAB_OK)
		err = wire_switch_new(&sw->wire);
	if (err != FAB_OK) {
		fc_switch_free(sw);
		return err;
	}
	fc_layers_set_machines(f->layers, machine_stands, sw);
	*out = sw;
	return FAB_OK;
}

void
fc_switch_free(struct fc_switch *sw)
{
	struct fc_switch_host *h, *tmp;

	if (sw == NULL)
		return;
	fc_switch_waits_free(sw);
	fc_layers_set_machines(sw->f->layers, NULL, NULL);
	HASH_ITER (hh, sw->hosts, h, tmp)
		host_free(sw, h);
	fab_loop_defer_cancel(sw->f->loop, &sw->post);
	wire_switch_free(sw->wire);
	fc_image_free(sw->image);
	free(sw);
}
