/*
 * Changes that take a while (see fc_hold.h).
 */
#include "fabricd/fc_hold.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum what {
	HOLD_TABLE,   /* a route table; what is new in it */
	HOLD_SUBNETS, /* which route tables the subnets of a VNet have */
	HOLD_PEERING, /* a new one */
	HOLD_PEERING_ROUTES,
	HOLD_COUNT
};

/* What comes in one order has one line. */
static const struct {
	const char *noun, *delay;
	enum topo_kind kind;
	enum what line;
} kinds[HOLD_COUNT] = {
	[HOLD_TABLE] = { "route table", "UDR programming", TOPO_ROUTE_TABLE, HOLD_TABLE },
	[HOLD_SUBNETS] = { "route tables of VNet", "UDR programming", TOPO_VNET, HOLD_TABLE },
	[HOLD_PEERING] = { "peering", "becoming Connected", TOPO_PEERING, HOLD_PEERING },
	[HOLD_PEERING_ROUTES] = { "routes of peering", "NIC programming", TOPO_PEERING,
	    HOLD_PEERING_ROUTES },
};

struct hold {
	enum what what;
	char *name;
	json_t *props;              /* as it will be; NULL: not there */
	uint64_t due_us, queued_us; /* monotonic since the start of fabricd; wall clock */
	struct hold *prev, *next;
};

struct fc_holds {
	struct fc *f;
	struct topo_doc *live; /* what f->topo was built from; NULL: f->doc */
	struct hold *list;     /* in the order in which they were queued */
	struct fab_timer *timer;
	uint64_t drawn;
};

static uint64_t
now_us(const struct fc_holds *h)
{
	return fab_mono_us_between(h->f->started, fab_mono_now());
}

static uint64_t
wait_us(const struct fc_holds *h, const struct hold *k)
{
	uint64_t now = now_us(h);

	return k->due_us <= now ? 0 : k->due_us - now;
}

/* ---- the list ---- */

static void
hold_free(struct hold *k)
{
	json_decref(k->props);
	free(k->name);
	free(k);
}

static void
forget_all(struct fc_holds *h)
{
	struct hold *k, *next;

	DL_FOREACH_SAFE (h->list, k, next) {
		DL_DELETE(h->list, k);
		hold_free(k);
	}
	topo_doc_free(h->live);
	h->live = NULL;
	fab_timer_cancel(h->timer);
}

static const struct hold *
first_due(const struct fc_holds *h)
{
	const struct hold *first = h->list;

	for (const struct hold *k = h->list; k != NULL; k = k->next)
		if (k->due_us < first->due_us)
			first = k;
	return first;
}

static void
arm(struct fc_holds *h)
{
	const struct hold *k = first_due(h);

	if (k == NULL)
		fab_timer_cancel(h->timer);
	else
		fab_timer_set_ms(h->timer, (wait_us(h, k) + 999) / 1000);
}

/* The last version of it that is queued; NULL: none is. */
static const struct hold *
queued(const struct fc_holds *h, enum what what, const char *name)
{
	const struct hold *last = NULL;

	for (const struct hold *k = h->list; k != NULL; k = k->next)
		if (k->what == what && strcmp(k->name, name) == 0)
			last = k;
	return last;
}

/* A stage of the timeline and an event: it begins to wait, or is in force. */
static void
tell(struct fc_holds *h, const struct hold *k, bool begins)
{
	char text[FC_TIMELINE_TEXT_MAX], delay[FC_TIMELINE_TEXT_MAX];
	struct fc_batch_stamps b = { .node = FC_NAME, .subject = "", .text = text };
	uint64_t now = fab_wall_us();

	snprintf(text, sizeof(text), "%s %.60s", kinds[k->what].noun, k->name);
	if (begins) {
		b.delay_text = delay;
		b.delay_us = now;
		b.delay_for_us = wait_us(h, k);
		snprintf(delay, sizeof(delay), "%.90s: %s takes %llu ms", text,
		    kinds[k->what].delay, (unsigned long long)b.delay_for_us / 1000);
	} else {
		b.layer_us = now;
		b.since_us = k->queued_us;
	}
	fc_events_add(h->f->events, FC_EVENT_CONFIG, now, k->name, "%s%s", begins ? delay : text,
	    begins ? "" : " is in force");
	fc_timeline_batch(h->f->timeline, &b);
}

/* Not before an earlier version of anything of its kind. */
static void
hold_add(struct fc_holds *h, enum what what, const char *name, json_t *props, uint32_t ms)
{
	struct hold *k = calloc(1, sizeof(*k));

	FAB_ASSERT(k != NULL && (k->name = strdup(name)) != NULL);
	k->what = what;
	k->props = props;
	k->queued_us = fab_wall_us();
	k->due_us = now_us(h) + (uint64_t)ms * 1000;
	for (const struct hold *o = h->list; o != NULL; o = o->next)
		if (kinds[o->what].line == kinds[what].line && o->due_us > k->due_us)
			k->due_us = o->due_us;
	DL_APPEND(h->list, k);
	tell(h, k, true);
}

/* ---- what has changed ---- */

/* Route tables of a VNet's subnets: {"vms": "rt", "nva": null}; a new reference. */
static json_t *
subnet_tables(const json_t *vnet)
{
	json_t *out = json_object(), *subnet;
	const char *name;

	json_object_foreach(json_object_get(vnet, "subnets"), name, subnet)
	{
		json_t *table = json_object_get(subnet, "route_table");

		json_object_set_new(out, name, table != NULL ? json_incref(table) : json_null());
	}
	return out;
}

static const json_t *
props_of(const struct topo_doc *doc, enum topo_kind kind, const char *name)
{
	const struct topo_resource *r = topo_doc_find(doc, kind, name);

	return r == NULL ? NULL : r->props;
}

/* What will be in force last as things are: what is queued, else what is in force. */
static const json_t *
latest(const struct fc_holds *h, enum what what, const char *name, const json_t *in_force)
{
	const struct hold *k = queued(h, what, name);

	return k != NULL ? k->props : in_force;
}

static bool
differs(const json_t *a, const json_t *b)
{
	return (a == NULL) != (b == NULL) || (a != NULL && !json_equal(a, b));
}

/* A table that is new is nobody's yet. */
static void
find_tables(struct fc_holds *h, const struct topo_doc *to, uint32_t ms)
{
	for (size_t i = 0; i < h->live->n; i++) {
		const struct topo_resource *r = &h->live->res[i];
		json_t *now;

		if (r->kind != TOPO_ROUTE_TABLE)
			continue;
		now = (json_t *)(uintptr_t)props_of(to, r->kind, r->name);
		if (differs(latest(h, HOLD_TABLE, r->name, r->props), now))
			hold_add(h, HOLD_TABLE, r->name, json_deep_copy(now), ms);
	}
}

static void
find_subnets(struct fc_holds *h, const struct topo_doc *to, uint32_t ms)
{
	for (size_t i = 0; i < h->live->n; i++) {
		const struct topo_resource *r = &h->live->res[i];
		const json_t *now = props_of(to, r->kind, r->name);
		json_t *was, *will;

		if (r->kind != TOPO_VNET || now == NULL)
			continue;
		was = subnet_tables(r->props);
		will = subnet_tables(now);
		/* What is new in one of the two is no change of a table. */
		json_object_update_missing(was, will);
		json_object_update_missing(will, was);
		if (differs(latest(h, HOLD_SUBNETS, r->name, was), will))
			hold_add(h, HOLD_SUBNETS, r->name, json_incref(will), ms);
		json_decref(was);
		json_decref(will);
	}
}

/* Of a pair whose second object is created now; whatever else happens to peerings is at once. */
static void
find_peerings(struct fc_holds *h, const struct topo_doc *to, const struct topo *t, uint32_t ms)
{
	for (size_t i = 0; i < t->n_peerings; i++) {
		const struct topo_peering *p = &t->peerings[i];
		char name[2 * 64];

		snprintf(
		    name, sizeof(name), "%s/%s", t->vnets[p->vnet].name, t->vnets[p->remote].name);
		if (p->state == PEERING_CONNECTED &&
		    props_of(h->live, TOPO_PEERING, name) == NULL &&
		    queued(h, HOLD_PEERING, name) == NULL)
			hold_add(h, HOLD_PEERING, name,
			    json_deep_copy(props_of(to, TOPO_PEERING, name)), ms);
	}
}

/* ---- the mix ---- */

static void
patch_subnets(json_t *vnet, const json_t *tables)
{
	json_t *subnets = json_object_get(vnet, "subnets"), *subnet, *table;
	const char *name;

	json_object_foreach(subnets, name, subnet)
	{
		if ((table = json_object_get(tables, name)) == NULL)
			continue;
		if (json_is_null(table))
			json_object_del(subnet, "route_table");
		else
			json_object_set(subnet, "route_table", table);
	}
}

/* Puts a version of what is held into a document. */
static void
put_version(struct topo_doc *doc, enum what what, const char *name, const json_t *props)
{
	struct topo_resource *r = topo_doc_find(doc, kinds[what].kind, name);
	int err = FAB_OK;

	if (what == HOLD_SUBNETS) {
		if (r != NULL && props != NULL)
			patch_subnets(r->props, props);
	} else if (props != NULL) {
		err = topo_doc_put(doc, kinds[what].kind, name, json_deep_copy(props));
	} else if (r != NULL) {
		err = topo_doc_remove(doc, kinds[what].kind, name);
	}
	FAB_ASSERT(err == FAB_OK);
}

/* `to` with what is held as it is in force; NULL: out of memory. */
static struct topo_doc *
mixed(const struct fc_holds *h, const struct topo_doc *to)
{
	struct topo_doc *out = topo_doc_copy(to);

	for (const struct hold *k = h->list; k != NULL && out != NULL; k = k->next) {
		const json_t *live = props_of(h->live, kinds[k->what].kind, k->name);
		json_t *tables;

		if (k->what == HOLD_PEERING_ROUTES)
			continue;
		tables = k->what == HOLD_SUBNETS && live != NULL ? subnet_tables(live) : NULL;
		put_version(out, k->what, k->name, tables != NULL ? tables : live);
		json_decref(tables);
	}
	return out;
}

/* NICs do not have the routes of these yet. */
static void
mark_late(const struct fc_holds *h, struct topo *t)
{
	for (size_t i = 0; i < t->n_peerings; i++) {
		struct topo_peering *p = &t->peerings[i];
		char name[2 * 64];

		snprintf(
		    name, sizeof(name), "%s/%s", t->vnets[p->vnet].name, t->vnets[p->remote].name);
		p->late = queued(h, HOLD_PEERING_ROUTES, name) != NULL;
	}
}

/* Builds the mix of `to` and what is held; NULL: there is no such fabric, or no memory. */
static struct topo *
build_mix(struct fc_holds *h, const struct topo_doc *to)
{
	struct topo_doc *mix = mixed(h, to);
	struct topo_errors *errs = calloc(1, sizeof(*errs));
	struct topo *t = mix == NULL || errs == NULL ? NULL : topo_build(mix, errs, NULL);

	free(errs);
	if (t == NULL) {
		topo_doc_free(mix);
		return NULL;
	}
	mark_late(h, t);
	topo_doc_free(h->live);
	h->live = mix;
	return t;
}

/* ---- changes ---- */

static uint32_t
draw(struct fc_holds *h, struct topo_range r, const char *name)
{
	return topo_draw_ms(r, h->f->topo->timing.seed, name, h->drawn++);
}

static bool
waits_for(const struct fc_holds *h, enum what what)
{
	for (const struct hold *k = h->list; k != NULL; k = k->next)
		if (kinds[k->what].line == kinds[what].line)
			return true;
	return false;
}

/* One draw for all that one change of the configuration does. */
static void
find_changes(struct fc_holds *h, const struct topo_doc *to, const struct topo *t)
{
	const struct topo_delays *d = &h->f->topo->timing.delays;
	uint32_t udr = draw(h, d->udr, "udr"), peering = draw(h, d->peering, "peering");

	if (udr > 0 || waits_for(h, HOLD_TABLE)) {
		find_tables(h, to, udr);
		find_subnets(h, to, udr);
	}
	if (peering > 0 || d->peering_routes.max_ms > 0)
		find_peerings(h, to, t, peering);
}

int
fc_holds_swap(struct fc_holds *h, struct topo_doc *doc, struct topo *topo)
{
	struct fc *f = h->f;
	struct topo *mix = NULL;
	int err;

	/* What a fabric begins with has no past that could go on. */
	if (!fc_empty(f)) {
		if (h->live == NULL && (h->live = topo_doc_copy(f->doc)) == NULL)
			return FAB_ENOMEM;
		find_changes(h, doc, topo);
		mix = h->list == NULL ? NULL : build_mix(h, doc);
		if (mix == NULL && h->list != NULL)
			fc_events_add(f->events, FC_EVENT_CONFIG, fab_wall_us(), FC_NAME,
			    "all at once: what was to come later does not go with the rest");
	}
	if (mix == NULL)
		forget_all(h);
	if ((err = fc_swap(f, doc, mix != NULL ? mix : topo)) != FAB_OK)
		topo_free(mix);
	else if (mix != NULL)
		topo_free(topo);
	arm(h);
	return err;
}

/* A peering that is Connected now has routes that follow. */
static void
come_into_force(struct fc_holds *h, struct hold *k)
{
	struct topo_range routes = h->f->topo->timing.delays.peering_routes;
	uint32_t ms = k->what != HOLD_PEERING ? 0 : draw(h, routes, "peering_routes");

	DL_DELETE(h->list, k);
	if (k->what != HOLD_PEERING_ROUTES)
		put_version(h->live, k->what, k->name, k->props);
	tell(h, k, false);
	if (ms > 0)
		hold_add(h, HOLD_PEERING_ROUTES, k->name, NULL, ms);
	hold_free(k);
}

static void
due_cb(void *arg)
{
	struct fc_holds *h = arg;
	struct hold *k, *next;
	struct topo *t;

	DL_FOREACH_SAFE (h->list, k, next)
		if (k->due_us <= now_us(h))
			come_into_force(h, k);
	if ((t = build_mix(h, h->f->doc)) == NULL) {
		forget_all(h);
		t = build_mix(h, h->f->doc);
	}
	FAB_ASSERT(t != NULL && fc_swap(h->f, NULL, t) == FAB_OK);
	if (h->list == NULL)
		forget_all(h);
	arm(h);
}

bool
fc_holds_pending(const struct fc_holds *h, char what[static 96], uint64_t *ms)
{
	const struct hold *k = first_due(h);

	if (k == NULL)
		return false;
	snprintf(what, 96, "%s %.60s", kinds[k->what].noun, k->name);
	*ms = wait_us(h, k) / 1000;
	return true;
}

int
fc_holds_new(struct fc_holds **out, struct fc *f)
{
	struct fc_holds *h = calloc(1, sizeof(*h));
	int err;

	if (h == NULL)
		return FAB_ENOMEM;
	h->f = f;
	if ((err = fab_timer_new(&h->timer, f->loop, due_cb, h)) != FAB_OK) {
		free(h);
		return err;
	}
	*out = h;
	return FAB_OK;
}

void
fc_holds_free(struct fc_holds *h)
{
	if (h == NULL)
		return;
	forget_all(h);
	fab_timer_free(h->timer);
	free(h);
}
