/*
 * Routing infrastructure units (see fc_capacity.h).
 */
#include "fabricd/fc_capacity.h"

#include "fabricd/fc_switch.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define UNITS_DEFAULT 2 /* RS-13 */

/* A NIC that has its routes. */
struct served {
	UT_hash_handle hh;
	char name[FC_TIMELINE_NAME_MAX];
};

struct server {
	UT_hash_handle hh;
	char name[FC_TIMELINE_NAME_MAX];
	uint32_t units, target; /* target: when it has scaled out */
	bool scales, starves;   /* starves: some NIC waits */
	bool seen;
	uint64_t due_us, since_us; /* monotonic since the start of fabricd; wall clock */
	struct served *served;
};

struct fc_capacity {
	struct fc *f;
	struct server *servers;
	struct fab_timer *timer;
	uint64_t drawn;
};

static uint64_t
now_us(const struct fc_capacity *c)
{
	return fab_mono_us_between(c->f->started, fab_mono_now());
}

/* ---- servers ---- */

static struct server *
server_find(const struct fc_capacity *c, const char *name)
{
	struct server *s;

	HASH_FIND_STR(c->servers, name, s);
	return s;
}

static void
forget_served(struct served **set)
{
	struct served *n, *next;

	HASH_ITER (hh, *set, n, next) {
		HASH_DEL(*set, n);
		free(n);
	}
}

static void
server_free(struct fc_capacity *c, struct server *s)
{
	HASH_DEL(c->servers, s);
	forget_served(&s->served);
	free(s);
}

static void
arm(struct fc_capacity *c)
{
	uint64_t first = UINT64_MAX, now = now_us(c);

	for (const struct server *s = c->servers; s != NULL; s = s->hh.next)
		if (s->scales && s->due_us < first)
			first = s->due_us;
	if (first == UINT64_MAX)
		fab_timer_cancel(c->timer);
	else
		fab_timer_set_ms(c->timer, first <= now ? 0 : (first - now + 999) / 1000);
}

/* ---- how much is needed ---- */

/* RS-12 */
static uint64_t
vms_of(const struct topo_limits *l, uint32_t units)
{
	return l->rs_vms + (uint64_t)(units - UNITS_DEFAULT) * l->rs_vms_per_unit;
}

static uint32_t
units_for(const struct topo *t, const struct topo_route_server *rs, size_t vms)
{
	uint32_t units = rs->min_capacity;

	while (units < TOPO_RS_UNITS_MAX && vms_of(&t->limits, units) < vms)
		units++;
	return units;
}

/* Whether VMs of that VNet count: the Route Server's own and all that are peered with it. */
static bool
counts(const struct topo *t, const struct topo_route_server *rs, int vnet)
{
	int i = vnet == rs->vnet ? -1 : topo_find_peering(t, vnet, rs->vnet);

	return vnet == rs->vnet || (i >= 0 && t->peerings[i].state == PEERING_CONNECTED);
}

static size_t
count_vms(const struct topo *t, const struct topo_route_server *rs)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_nics; i++)
		n += counts(t, rs, t->nics[i].vnet);
	return n;
}

/* ---- scaling ---- */

static void
tell(struct fc_capacity *c, const struct server *s, uint32_t ms)
{
	char text[FC_TIMELINE_TEXT_MAX];
	struct fc_batch_stamps b = { .node = FC_NAME, .subject = s->name, .text = text };
	uint64_t now = fab_wall_us();

	if (ms > 0) {
		snprintf(text, sizeof(text), "%s: scaling out to %u units takes %u ms", s->name,
		    s->target, ms);
		b.delay_us = now;
		b.delay_for_us = (uint64_t)ms * 1000;
		b.delay_text = text;
	} else {
		snprintf(text, sizeof(text), "%s has %u units", s->name, s->units);
		b.layer_us = now;
		b.since_us = s->since_us;
	}
	fc_events_add(c->f->events, FC_EVENT_CONFIG, now, s->name, "%s", text);
	fc_timeline_batch(c->f->timeline, &b);
}

/* Down at once, up when it has taken its time; what exists from the beginning has what it needs. */
static void
scale(struct fc_capacity *c, struct server *s, const struct topo *t, uint32_t target, bool fresh)
{
	uint32_t ms = 0;

	if (s->scales)
		return;
	if (!fresh && target > s->units)
		ms = topo_draw_ms(t->timing.delays.scale_out, t->timing.seed, s->name, c->drawn++);
	if (ms == 0) {
		s->units = target;
		return;
	}
	s->scales = true;
	s->target = target;
	s->since_us = fab_wall_us();
	s->due_us = now_us(c) + (uint64_t)ms * 1000;
	tell(c, s, ms);
}

/* ---- whom it serves ---- */

static void
serve(struct server *s, struct served **now, struct topo_nic *nic)
{
	struct served *n;

	HASH_FIND_STR(s->served, nic->name, n);
	if (n != NULL)
		HASH_DEL(s->served, n);
	else if ((n = calloc(1, sizeof(*n))) != NULL)
		snprintf(n->name, sizeof(n->name), "%s", nic->name);
	if (n != NULL)
		HASH_ADD_STR(*now, name, n);
}

static void
starve(struct fc_capacity *c, struct server *s, struct topo_nic *nic)
{
	s->starves = nic->starved = true;
	fc_events_add(c->f->events, FC_EVENT_CONFIG, fab_wall_us(), nic->name,
	    "no routes of %s, which serves all VMs that its %u units allow (RS-23)", s->name,
	    s->units);
	fab_warn("%s: no routes of %s, which serves all VMs that its %u units allow (RS-23)",
	    nic->name, s->name, s->units);
}

/* Those that were served before come first. */
static void
hand_out(
    struct fc_capacity *c, struct server *s, struct topo *t, const struct topo_route_server *rs)
{
	uint64_t room = vms_of(&t->limits, s->units);
	struct served *now = NULL, *n;

	s->starves = false;
	for (int newcomers = 0; newcomers < 2; newcomers++)
		for (size_t i = 0; i < t->n_nics; i++) {
			struct topo_nic *nic = &t->nics[i];

			if (!counts(t, rs, nic->vnet))
				continue;
			HASH_FIND_STR(now, nic->name, n);
			if (n != NULL)
				continue;
			HASH_FIND_STR(s->served, nic->name, n);
			if ((n == NULL) != newcomers)
				continue;
			if (HASH_COUNT(now) < room)
				serve(s, &now, nic);
			else if (t->vnets[nic->vnet].scope == rs->vnet)
				starve(c, s, nic);
		}
	forget_served(&s->served);
	s->served = now;
}

static void
mark_server(struct fc_capacity *c, struct topo *t, const struct topo_route_server *rs)
{
	struct server *s = server_find(c, rs->name);
	bool fresh = s == NULL;

	if (fresh) {
		if ((s = calloc(1, sizeof(*s))) == NULL)
			return; /* without memory nobody is kept waiting */
		snprintf(s->name, sizeof(s->name), "%s", rs->name);
		HASH_ADD_STR(c->servers, name, s);
	}
	s->seen = true;
	scale(c, s, t, units_for(t, rs, count_vms(t, rs)), fresh);
	hand_out(c, s, t, rs);
}

void
fc_capacity_mark(struct fc_capacity *c, struct topo *t)
{
	struct server *s, *next;

	for (s = c->servers; s != NULL; s = s->hh.next)
		s->seen = false;
	for (size_t i = 0; i < t->n_nics; i++)
		t->nics[i].starved = false;
	for (size_t i = 0; i < t->n_servers; i++)
		mark_server(c, t, &t->servers[i]);
	HASH_ITER (hh, c->servers, s, next)
		if (!s->seen)
			server_free(c, s);
	arm(c);
}

/* The model is the same, what NICs may have is not. */
static void
due_cb(void *arg)
{
	struct fc_capacity *c = arg;
	struct fc *f = c->f;

	for (struct server *s = c->servers; s != NULL; s = s->hh.next) {
		if (!s->scales || s->due_us > now_us(c))
			continue;
		s->scales = false;
		s->units = s->target;
		tell(c, s, 0);
	}
	fc_capacity_mark(c, f->topo);
	FAB_ASSERT(fc_layers_bind(f->layers, f->topo) == FAB_OK);
	fc_switch_touch_all(f->sw, "Route Server has scaled out");
	fc_touch(f, true);
}

/* ---- questions ---- */

uint32_t
fc_capacity_units(const struct fc_capacity *c, const char *server)
{
	const struct server *s = server_find(c, server);

	return s == NULL ? 0 : s->units;
}

const char *
fc_capacity_pending(const struct fc_capacity *c, uint64_t *ms)
{
	uint64_t now = now_us(c);

	for (const struct server *s = c->servers; s != NULL; s = s->hh.next)
		if (s->scales && s->starves) {
			*ms = s->due_us <= now ? 0 : (s->due_us - now) / 1000;
			return s->name;
		}
	return NULL;
}

int
fc_capacity_new(struct fc_capacity **out, struct fc *f)
{
	struct fc_capacity *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return FAB_ENOMEM;
	c->f = f;
	if ((err = fab_timer_new(&c->timer, f->loop, due_cb, c)) != FAB_OK) {
		free(c);
		return err;
	}
	*out = c;
	return FAB_OK;
}

void
fc_capacity_free(struct fc_capacity *c)
{
	struct server *s, *next;

	if (c == NULL)
		return;
	HASH_ITER (hh, c->servers, s, next)
		server_free(c, s);
	fab_timer_free(c->timer);
	free(c);
}
