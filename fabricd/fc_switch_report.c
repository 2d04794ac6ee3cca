/*
 * Service Switch: what the hosts report (see fc_switch.h).
 */
#include "fabricd/fc_carrier.h"
#include "fabricd/fc_switch_int.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
host_lost(struct fc *f, struct fc_switch_host *h)
{
	h->reporter = NULL;
	h->acknowledged = h->told = false;
	fc_switch_forget_nics(h);
	fc_events_add(
	    f->events, FC_EVENT_NODE, fab_wall_us(), h->name, "vswitchd lost, was pid %d", h->pid);
	fc_switch_waits_check(f->sw);
	fc_touch(f, true);
}

static void
report_hello(struct fc_switch_reporter *r, const Fab__V1__SwitchHello *hello)
{
	struct fc *f = r->sw->f;
	struct fc_switch_host *h;

	if (r->host != NULL)
		return;
	if ((h = fc_switch_host_add(r->sw, hello->host)) == NULL ||
	    (h->reporter != NULL && hello->started_us < h->reporter->started_us)) {
		fab_warn(
		    "reports of vswitchd on '%.100s', pid %d, ignored", hello->host, hello->pid);
		return;
	}
	if (h->reporter != NULL) {
		h->reporter->host = NULL;
		host_lost(f, h);
	}
	r->host = h;
	r->started_us = hello->started_us;
	h->reporter = r;
	fc_switch_take_hello(h, hello);
	fc_events_add(f->events, FC_EVENT_NODE, fab_wall_us(), h->name,
	    "vswitchd running, pid %d, engine %s", h->pid, h->engine);
	fc_touch(f, true);
}

/* The last stage of a change: what the layers say is in force on the host. */
static void
stamp(
    struct fc *f, const struct fc_switch_host *h, const struct fc_switch_change *c, uint64_t at_us)
{
	struct fc_batch_stamps b = { .node = h->name,
		.subject = c->subject,
		.text = c->text,
		.programmed_us = at_us,
		.changed = (uint32_t)c->told };

	fc_timeline_batch(f->timeline, &b);
}

/* What a snapshot brings is no change. */
static void
report_generation(struct fc_switch_reporter *r, uint64_t generation, uint64_t at_us)
{
	struct fc_switch *sw = r->sw;
	struct fc_switch_host *h = r->host;
	uint64_t from = h->generation;

	if (generation < sw->first || generation > sw->generation)
		return; /* of a fabricd before us */
	h->generation = generation;
	if (h->acknowledged && generation > from && generation - from > FC_SWITCH_CHANGES)
		from = generation - FC_SWITCH_CHANGES;
	for (uint64_t g = from + 1; h->acknowledged && g <= generation; g++)
		if (sw->changes[g % FC_SWITCH_CHANGES].generation == g)
			stamp(sw->f, h, &sw->changes[g % FC_SWITCH_CHANGES],
			    at_us != 0 ? at_us : fab_wall_us());
	h->acknowledged = true;
	fc_switch_waits_check(sw);
	fc_touch(sw->f, false);
}

/* Of ports that are gone; what remains is bounded by the number of ports. */
static void
forget_gone_nics(struct fc_switch_reporter *r)
{
	struct fc_switch_nic *n, *tmp;

	HASH_ITER (hh, r->host->nics, n, tmp) {
		if (fc_image_port(r->sw->image, n->name) != NULL)
			continue;
		HASH_DEL(r->host->nics, n);
		free(n);
	}
}

static struct fc_switch_nic *
nic_add(struct fc_switch_reporter *r, const char *name)
{
	struct fc_switch_nic *n;

	HASH_FIND_STR(r->host->nics, name, n);
	if (n != NULL)
		return n;
	/* Only of ports that we told it of. */
	if (strlen(name) >= sizeof(n->name) || fc_image_port(r->sw->image, name) == NULL ||
	    (n = calloc(1, sizeof(*n))) == NULL)
		return NULL;
	if (HASH_COUNT(r->host->nics) >= fc_image_n_ports(r->sw->image))
		forget_gone_nics(r);
	snprintf(n->name, sizeof(n->name), "%s", name);
	HASH_ADD_STR(r->host->nics, name, n);
	return n;
}

/* Only changes that this stream saw: what was attached before it is not known. */
static void
attached(struct fc_switch_reporter *r, struct fc_switch_nic *n, bool now, uint64_t at_us)
{
	bool before = n->attached;

	n->attached = now;
	if (before && !now)
		fc_carrier_lost(r->sw->f->carrier, n->name, r->host->name, at_us);
	else if (!before && now)
		fc_carrier_found(r->sw->f->carrier, n->name);
	if (before != now) /* what its machine forwards comes or goes with it */
		fc_switch_touch_node(r->sw, n->name, n->name, now ? "attached" : "unplugged");
}

static void
report_port(struct fc_switch_reporter *r, const Fab__V1__SwitchPortReport *m, uint64_t at_us)
{
	struct fc_switch_nic *n = nic_add(r, m->name);

	if (n == NULL)
		return;
	attached(r, n, m->attached, at_us != 0 ? at_us : fab_wall_us());
	n->rx_packets = m->rx_packets;
	n->rx_octets = m->rx_octets;
	n->tx_packets = m->tx_packets;
	n->tx_octets = m->tx_octets;
	n->n_drops = 0;
	for (size_t i = 0; i < m->n_drops && n->n_drops < FC_SWITCH_REASONS_MAX; i++) {
		struct fc_switch_drops *d = &n->drops[n->n_drops++];

		snprintf(d->reason, sizeof(d->reason), "%s", m->drops[i]->reason);
		d->packets = m->drops[i]->packets;
	}
}

static size_t
balancer_index(const struct topo *t, const char *name)
{
	size_t i = 0;

	while (strcmp(t->balancers[i].name, name) != 0)
		i++;
	return i;
}

/* RS-57 */
static void
report_health(struct fc_switch_reporter *r, const Fab__V1__SwitchHealth *m, uint64_t at_us)
{
	struct fc_health what = { .healthy = m->healthy,
		.since_us = at_us != 0 ? at_us : fab_wall_us() };
	char text[FC_TIMELINE_TEXT_MAX];
	struct fc *f = r->sw->f;
	bool changed;

	snprintf(what.why, sizeof(what.why), "%s", m->why);
	if (fc_layers_health(f->layers, m->balancer, m->backend, &what, &changed) != FAB_OK ||
	    !changed)
		return;
	if (what.healthy)
		snprintf(text, sizeof(text), "probe of %.48s succeeded", m->backend);
	else
		snprintf(text, sizeof(text), "probe of %.48s failed: %.60s", m->backend, what.why);
	fc_events_add(f->events, FC_EVENT_NODE, what.since_us, m->balancer, "%s", text);
	fc_switch_touch_balancer(r->sw, balancer_index(f->topo, m->balancer), text);
	fc_touch(f, true);
}

static void
report_open(void *ctx, void **stream_ctx)
{
	struct fc_switch_reporter *r = calloc(1, sizeof(*r));

	if (r != NULL)
		r->sw = ((struct fc *)ctx)->sw;
	*stream_ctx = r;
}

static void
report_item(
    void *ctx, void *stream_ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__SwitchReport *m = (const Fab__V1__SwitchReport *)item;
	struct fc_switch_reporter *r = stream_ctx;

	(void)ctx;
	if (r == NULL || m == NULL)
		return;
	if (m->body_case == FAB__V1__SWITCH_REPORT__BODY_HELLO)
		report_hello(r, m->hello);
	if (r->host == NULL)
		return;
	if (info->snapshot_begin)
		fc_switch_forget_nics(r->host);
	if (m->body_case == FAB__V1__SWITCH_REPORT__BODY_GENERATION)
		report_generation(r, m->generation, m->at_us);
	else if (m->body_case == FAB__V1__SWITCH_REPORT__BODY_PORT)
		report_port(r, m->port, m->at_us);
	else if (m->body_case == FAB__V1__SWITCH_REPORT__BODY_HEALTH)
		report_health(r, m->health, m->at_us);
	r->host->told |= info->snapshot_end;
}

static void
report_closed(void *ctx, void *stream_ctx)
{
	struct fc_switch_reporter *r = stream_ctx;

	if (r != NULL && r->host != NULL)
		host_lost(ctx, r->host);
	free(r);
}

const struct fab_rpc_sink_ops fc_switch_report_ops = {
	.open = report_open,
	.item = report_item,
	.closed = report_closed,
};
