/*
 * Interrupted gateways (see fc_outage.h).
 */
#include "fabricd/fc_outage.h"

#include "fabricd/fc_nodes.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct outage {
	char vnet[FC_TIMELINE_NAME_MAX];
	uint64_t due_us, since_us; /* monotonic since the start of fabricd; wall clock */
	struct outage *prev, *next;
};

struct fc_outages {
	struct fc *f;
	struct outage *list;
	struct fab_timer *timer;
	uint64_t drawn;
};

static uint64_t
now_us(const struct fc_outages *o)
{
	return fab_mono_us_between(o->f->started, fab_mono_now());
}

static const struct outage *
first(const struct fc_outages *o)
{
	const struct outage *found = o->list;

	for (const struct outage *k = o->list; k != NULL; k = k->next)
		if (k->due_us < found->due_us)
			found = k;
	return found;
}

static void
arm(struct fc_outages *o)
{
	const struct outage *k = first(o);
	uint64_t now = now_us(o);

	if (k == NULL)
		fab_timer_cancel(o->timer);
	else
		fab_timer_set_ms(o->timer, k->due_us <= now ? 0 : (k->due_us - now + 999) / 1000);
}

static void
tell(struct fc_outages *o, const struct outage *k, uint32_t ms)
{
	char text[FC_TIMELINE_TEXT_MAX];
	struct fc_batch_stamps b = { .node = FC_NAME, .subject = "", .text = text };
	uint64_t now = fab_wall_us();

	if (ms > 0) {
		snprintf(text, sizeof(text), "gateways of %s are interrupted for %u ms (RS-11)",
		    k->vnet, ms);
		b.delay_us = now;
		b.delay_for_us = (uint64_t)ms * 1000;
		b.delay_text = text;
	} else {
		snprintf(text, sizeof(text), "gateways of %s go on", k->vnet);
		b.layer_us = now;
		b.since_us = k->since_us;
	}
	fc_events_add(o->f->events, FC_EVENT_CONFIG, now, k->vnet, "%s", text);
	fc_timeline_batch(o->f->timeline, &b);
}

static void
begin(struct fc_outages *o, const struct topo *t, const char *vnet)
{
	uint32_t ms = topo_draw_ms(t->timing.delays.rs_change, t->timing.seed, vnet, o->drawn++);
	struct outage *k = ms == 0 ? NULL : calloc(1, sizeof(*k));

	if (k == NULL)
		return;
	snprintf(k->vnet, sizeof(k->vnet), "%s", vnet);
	k->since_us = fab_wall_us();
	k->due_us = now_us(o) + (uint64_t)ms * 1000;
	DL_APPEND(o->list, k);
	tell(o, k, ms);
}

static void
set_flags(const struct fc_outages *o, struct topo *t)
{
	for (size_t i = 0; i < t->n_gateways; i++) {
		struct topo_gateway *g = &t->gateways[i];

		g->interrupted = false;
		for (const struct outage *k = o->list; k != NULL; k = k->next)
			if (strcmp(k->vnet, t->vnets[g->vnet].name) == 0)
				g->interrupted = true;
	}
}

void
fc_outages_mark(struct fc_outages *o, struct topo *t)
{
	const struct topo *old = o->f->topo;

	for (size_t i = 0; i < t->n_vnets; i++) {
		const struct topo_vnet *v = &t->vnets[i];
		int was = old == NULL ? -1 : topo_find_vnet(old, v->name);

		if (was < 0 || (v->er_gateway < 0 && v->vpn_gateway < 0) ||
		    (old->vnets[was].er_gateway < 0 && old->vnets[was].vpn_gateway < 0) ||
		    (old->vnets[was].route_server < 0) == (v->route_server < 0))
			continue;
		begin(o, t, v->name);
	}
	set_flags(o, t);
	arm(o);
}

static void
due_cb(void *arg)
{
	struct fc_outages *o = arg;
	struct outage *k, *next;

	DL_FOREACH_SAFE (o->list, k, next) {
		if (k->due_us > now_us(o))
			continue;
		DL_DELETE(o->list, k);
		tell(o, k, 0);
		free(k);
	}
	set_flags(o, o->f->topo);
	arm(o);
	fc_nodes_sync(o->f->nodes);
	fc_touch(o->f, true);
}

const char *
fc_outages_pending(const struct fc_outages *o, uint64_t *ms)
{
	const struct outage *k = first(o);
	uint64_t now = now_us(o);

	if (k == NULL)
		return NULL;
	*ms = k->due_us <= now ? 0 : (k->due_us - now) / 1000;
	return k->vnet;
}

int
fc_outages_new(struct fc_outages **out, struct fc *f)
{
	struct fc_outages *o = calloc(1, sizeof(*o));
	int err;

	if (o == NULL)
		return FAB_ENOMEM;
	o->f = f;
	if ((err = fab_timer_new(&o->timer, f->loop, due_cb, o)) != FAB_OK) {
		free(o);
		return err;
	}
	*out = o;
	return FAB_OK;
}

void
fc_outages_free(struct fc_outages *o)
{
	struct outage *k, *next;

	if (o == NULL)
		return;
	DL_FOREACH_SAFE (o->list, k, next)
		free(k);
	fab_timer_free(o->timer);
	free(o);
}
