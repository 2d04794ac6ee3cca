/*
 * Changes of links, and telling the ends of sessions (see fc_link.h).
 */
#include "fabricd/fc_link.h"

#include "fabricd/fc_link_places.h"
#include "fabricd/fc_mem.h"
#include "fabricd/fc_pairs.h"
#include "fabricd/fc_switch.h"
#include "lib/err.h"
#include "lib/log.h"
#include "proto/node.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT_TIMEOUT_MS 2000

struct fc_links {
	struct fc *f;
	struct fc_linkset *set;
};

/* Who waits for the ends, and the switch, to answer. */
struct link_job {
	size_t pending;
	int err;
	char why[256];
	fc_link_done_fn *done;
	void *ctx;
};

int
fc_links_new(struct fc_links **out, struct fc *f)
{
	struct fc_links *ls = calloc(1, sizeof(*ls));

	if (ls == NULL || fc_linkset_new(&ls->set) != FAB_OK) {
		free(ls);
		return FAB_ENOMEM;
	}
	ls->f = f;
	*out = ls;
	return FAB_OK;
}

void
fc_links_free(struct fc_links *ls)
{
	if (ls == NULL)
		return;
	fc_linkset_free(ls->set);
	free(ls);
}

const struct fc_linkset *
fc_links_set(const struct fc_links *ls)
{
	return ls->set;
}

/* ---- what is cut ---- */

static bool
row_is_cut(const struct fc_links *ls, enum fc_link_kind kind, const char *from, const char *to)
{
	return fc_linkset_get(ls->set, kind, from, to).cut;
}

/* Of a node, or of the NIC of a VM. */
static int
region_of(const struct topo *t, const char *name)
{
	int i = topo_find_node(t, name), nic = i < 0 ? topo_find_nic(t, name) : -1;

	if (nic >= 0)
		return t->vnets[t->nics[nic].vnet].region_index;
	return i >= 0 ? topo_node_region(t, &t->nodes[i]) : -1;
}

static bool
regions_are_cut(const struct fc_links *ls, const char *from, const char *to)
{
	const struct topo *t = ls->f->topo;
	int a = region_of(t, from), b = region_of(t, to);

	return a >= 0 && b >= 0 && a != b &&
	       row_is_cut(ls, FC_LINK_REGIONS, t->regions[a], t->regions[b]);
}

bool
fc_link_is_cut(const struct fc_links *ls, const char *from, const char *to)
{
	if (fc_linkset_count(ls->set) == 0)
		return false;
	return row_is_cut(ls, FC_LINK_NODES, from, to) ||
	       row_is_cut(ls, FC_LINK_NIC_OUT, from, "") ||
	       row_is_cut(ls, FC_LINK_NIC_IN, "", to) || regions_are_cut(ls, from, to);
}

/* ---- telling the ends ---- */

static void
job_release(struct link_job *job)
{
	if (--job->pending > 0)
		return;
	if (job->done != NULL)
		job->done(job->ctx, job->err, job->why);
	free(job);
}

static void
fault_answered(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct link_job *job = ctx;

	(void)reply;
	/* One that is gone, paused, or has not its peers yet is told by its configuration. */
	if (status != FAB_RPC_OK && status != FAB_RPC_UNAVAILABLE && status != FAB_RPC_CANCELLED &&
	    status != FAB_RPC_DEADLINE_EXCEEDED && status != FAB_RPC_NOT_FOUND &&
	    job->err == FAB_OK) {
		job->err = FAB_EIO;
		snprintf(
		    job->why, sizeof(job->why), "%s: %.200s", fab_rpc_status_name(status), message);
	}
	job_release(job);
}

/* Tells one end what of the link to the other is cut. */
static void
tell_end(
    struct fc_links *ls, const struct fc_end *me, const struct fc_end *other, struct link_job *job)
{
	struct fc_node *n = me->node == NULL ? NULL : fc_node_find(ls->f->nodes, me->node->name);
	struct fab_rpc_client *client;
	Fab__V1__FaultRequest req = FAB__V1__FAULT_REQUEST__INIT;

	if (n == NULL || n->foreign || (client = fc_node_client(ls->f->nodes, n)) == NULL)
		return;
	req.peer = fc_unconst(other->name);
	req.cut_in = fc_link_is_cut(ls, other->name, me->name);
	req.cut_out = fc_link_is_cut(ls, me->name, other->name);
	job->pending++;
	fab_rpc_call(client, &fab__v1__node__descriptor, "Fault", &req.base, FAULT_TIMEOUT_MS,
	    FAULT_TIMEOUT_MS, fault_answered, job);
}

static void
switch_answered(void *ctx, int err, const char *why)
{
	struct link_job *job = ctx;

	if (err != FAB_OK && err != FAB_ECLOSED && job->err == FAB_OK) {
		job->err = err;
		snprintf(job->why, sizeof(job->why), "changed, but %.230s", why);
	}
	job_release(job);
}

static void
tell_switch(struct fc_links *ls, const struct fc_link_change *c, struct link_job *job)
{
	fc_switch_touch_links(ls->f->sw, c->a, c->op == FC_LINK_CUT ? "link cut" : "link changed");
	if (fc_switch_await(ls->f->sw, switch_answered, job))
		job->pending++;
}

/* ---- sessions that a change concerns ---- */

struct session {
	struct fc_end a, b;
	bool was_ab, was_ba;
};

struct sessions {
	const struct fc_links *ls;
	struct session *v; /* NULL: only count */
	size_t n;
};

static void
note_session(void *arg, const struct fc_pair *p)
{
	struct sessions *s = arg;

	if (s->v != NULL)
		s->v[s->n] = (struct session){ .a = p->dial,
			.b = p->listen,
			.was_ab = fc_link_is_cut(s->ls, p->dial.name, p->listen.name),
			.was_ba = fc_link_is_cut(s->ls, p->listen.name, p->dial.name) };
	s->n++;
}

/* All sessions as they are before the change. */
static int
note_sessions(struct sessions *s, const struct fc_links *ls)
{
	*s = (struct sessions){ .ls = ls };
	fc_pairs_each(ls->f->topo, note_session, s);
	if ((s->v = calloc(s->n + 1, sizeof(*s->v))) == NULL)
		return FAB_ENOMEM;
	s->n = 0;
	fc_pairs_each(ls->f->topo, note_session, s);
	return FAB_OK;
}

static void
tell_sessions(struct fc_links *ls, const struct sessions *s, struct link_job *job)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct session *p = &s->v[i];

		if (fc_link_is_cut(ls, p->a.name, p->b.name) == p->was_ab &&
		    fc_link_is_cut(ls, p->b.name, p->a.name) == p->was_ba)
			continue;
		tell_end(ls, &p->a, &p->b, job);
		tell_end(ls, &p->b, &p->a, job);
	}
}

/* ---- rows that a change concerns ---- */

struct hit {
	struct fc_link_place place;
	struct fc_link_state was;
};

struct hits {
	const struct fc_links *ls;
	struct hit *v; /* NULL: only count */
	size_t n;
};

static void
note_hit(void *arg, const struct fc_link_place *p)
{
	struct hits *h = arg;

	if (h->v != NULL)
		h->v[h->n] =
		    (struct hit){ *p, fc_linkset_get(h->ls->set, p->kind, p->from, p->to) };
	h->n++;
}

static int
find_hits(struct hits *h, const struct fc_links *ls, const struct fc_link_change *c)
{
	const struct topo *t = ls->f->topo;

	*h = (struct hits){ .ls = ls };
	if (fc_link_places(t, c->a, c->b, c->one_way, note_hit, h) == 0)
		return FAB_ENOENT;
	if ((h->v = calloc(h->n, sizeof(*h->v))) == NULL)
		return FAB_ENOMEM;
	h->n = 0;
	fc_link_places(t, c->a, c->b, c->one_way, note_hit, h);
	return FAB_OK;
}

/* Between regions what the topology says counts until somebody says otherwise. */
struct fc_link_state
fc_links_state(const struct fc_links *ls, enum fc_link_kind kind, const char *from, const char *to)
{
	struct fc_link_state s = fc_linkset_get(ls->set, kind, from, to);
	const struct topo *t = ls->f->topo;
	struct topo_region_path p;

	if (s.shaped || kind != FC_LINK_REGIONS)
		return s;
	p = topo_region_path(t, topo_find_region(t, from), topo_find_region(t, to));
	s.shape = (struct fc_link_shape){ .delay_us = p.delay_ms * 1000,
		.jitter_us = p.jitter_ms * 1000 };
	return s;
}

static void
set_fields(struct fc_link_shape *to, const struct fc_link_change *c)
{
	if ((c->fields & FC_LINK_DELAY) != 0)
		to->delay_us = c->shape.delay_us;
	if ((c->fields & FC_LINK_JITTER) != 0)
		to->jitter_us = c->shape.jitter_us;
	if ((c->fields & FC_LINK_LOSS) != 0)
		to->loss_ppm = c->shape.loss_ppm;
	if ((c->fields & FC_LINK_RATE) != 0)
		to->rate = c->shape.rate;
}

static struct fc_link_state
changed(const struct fc_links *ls, const struct hit *h, const struct fc_link_change *c)
{
	struct fc_link_state s = h->was;

	switch (c->op) {
	case FC_LINK_CUT:
	case FC_LINK_RESTORE:
		s.cut = c->op == FC_LINK_CUT;
		break;
	case FC_LINK_SET:
		s.shape = fc_links_state(ls, h->place.kind, h->place.from, h->place.to).shape;
		set_fields(&s.shape, c);
		s.shaped = h->place.kind == FC_LINK_REGIONS || !fc_link_shape_is_nothing(&s.shape);
		break;
	case FC_LINK_CLEAR:
		s = (struct fc_link_state){ 0 };
		break;
	}
	return s;
}

static int
set_all(struct fc_links *ls, const struct hits *h, const struct fc_link_change *c)
{
	int err = FAB_OK;

	for (size_t i = 0; i < h->n && err == FAB_OK; i++) {
		const struct fc_link_state s = changed(ls, &h->v[i], c);

		err = fc_linkset_put(
		    ls->set, h->v[i].place.kind, h->v[i].place.from, h->v[i].place.to, &s);
	}
	return err;
}

static void
set_back(struct fc_links *ls, const struct hits *h)
{
	for (size_t i = 0; i < h->n; i++)
		(void)fc_linkset_put(ls->set, h->v[i].place.kind, h->v[i].place.from,
		    h->v[i].place.to, &h->v[i].was);
}

/* ---- the store ---- */

static int
save(struct fc_links *ls, char why[static FC_STORE_WHY_MAX])
{
	size_t n = fc_linkset_count(ls->set), i = 0;
	const struct fc_link_row *r = NULL;
	struct fc_store_link *v;
	int err;

	if (ls->f->store == NULL)
		return FAB_OK;
	if ((v = calloc(n + 1, sizeof(*v))) == NULL)
		return FAB_ENOMEM;
	for (; (r = fc_linkset_next(ls->set, r)) != NULL; i++) {
		v[i].key = r->key;
		fc_link_state_format(v[i].body, &r->state);
	}
	err = fc_store_set_links(ls->f->store, v, n, why);
	free(v);
	return err;
}

static int
load_link(void *arg, const char *key, const char *body)
{
	return fc_linkset_load(((struct fc_links *)arg)->set, key, body);
}

int
fc_links_load(struct fc_links *ls)
{
	return fc_store_each_link(ls->f->store, load_link, ls);
}

void
fc_links_prune(struct fc_links *ls)
{
	const struct fc_link_row *r, *next;
	const struct fc_link_state nothing = { 0 };
	char why[FC_STORE_WHY_MAX];
	bool gone = false;

	for (r = fc_linkset_next(ls->set, NULL); r != NULL; r = next) {
		next = fc_linkset_next(ls->set, r);
		if (fc_link_place_exists(ls->f->topo, r))
			continue;
		(void)fc_linkset_put(ls->set, r->kind, r->from, r->to, &nothing);
		gone = true;
	}
	if (gone && save(ls, why) != FAB_OK)
		fab_warn("links: %s", why);
}

/* ---- changing ---- */

static void
put_in_force(struct fc_links *ls, const struct fc_link_change *c, const struct sessions *s,
    struct link_job *job)
{
	fc_nodes_sync(ls->f->nodes);
	tell_switch(ls, c, job);
	if (ls->f->topo->n_balancers > 0) /* RS-57: it may be that of a backend */
		fc_switch_touch_all(ls->f->sw, "link of a backend");
	tell_sessions(ls, s, job);
	job_release(job); /* calls done at once if nobody was there to be told */
}

int
fc_links_change(struct fc_links *ls, const struct fc_link_change *c, fc_link_done_fn *done,
    void *ctx, char why[static FC_STORE_WHY_MAX])
{
	struct link_job *job = calloc(1, sizeof(*job));
	struct sessions s = { 0 };
	struct hits h = { 0 };
	int err = job == NULL ? FAB_ENOMEM : find_hits(&h, ls, c);

	if (err == FAB_OK)
		err = note_sessions(&s, ls);
	snprintf(why, FC_STORE_WHY_MAX, "%s", fab_strerror(err));
	if (err != FAB_OK)
		goto done;
	if ((err = set_all(ls, &h, c)) != FAB_OK)
		snprintf(why, FC_STORE_WHY_MAX, "%s", fab_strerror(err));
	else
		err = save(ls, why);
	if (err != FAB_OK) {
		set_back(ls, &h);
		goto done;
	}
	*job = (struct link_job){ .pending = 1, .done = done, .ctx = ctx };
	put_in_force(ls, c, &s, job);
	job = NULL;
done:
	free(h.v);
	free(s.v);
	free(job);
	return err;
}
