/*
 * Cut links (see fc_link.h).
 */
#include "fabricd/fc_link.h"

#include "fabricd/fc_mem.h"
#include "fabricd/fc_pairs.h"
#include "lib/err.h"
#include "lib/log.h"
#include "proto/node.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAULT_TIMEOUT_MS 2000

/* One direction of one pair. */
struct fc_cut {
	UT_hash_handle hh;
	bool in_topology; /* scratch of prune */
	char key[];       /* "FROM TO" */
};

struct fc_links {
	struct fc *f;
	struct fc_cut *cuts;
};

/* Who waits for the ends to answer. */
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

	if (ls == NULL)
		return FAB_ENOMEM;
	ls->f = f;
	*out = ls;
	return FAB_OK;
}

static void
cut_free(struct fc_links *ls, struct fc_cut *c)
{
	HASH_DEL(ls->cuts, c);
	free(c);
}

void
fc_links_free(struct fc_links *ls)
{
	struct fc_cut *c, *tmp;

	if (ls == NULL)
		return;
	HASH_ITER (hh, ls->cuts, c, tmp)
		cut_free(ls, c);
	free(ls);
}

static struct fc_cut *
cut_find(const struct fc_links *ls, const char *from, const char *to)
{
	char key[2 * FC_NODE_NAME_MAX];
	struct fc_cut *c;

	snprintf(key, sizeof(key), "%s %s", from, to);
	HASH_FIND_STR(ls->cuts, key, c);
	return c;
}

bool
fc_link_is_cut(const struct fc_links *ls, const char *from, const char *to)
{
	return cut_find(ls, from, to) != NULL;
}

static int
cut_set(struct fc_links *ls, const char *from, const char *to, bool cut)
{
	struct fc_cut *c = cut_find(ls, from, to);
	size_t size = strlen(from) + strlen(to) + 2;

	if (c != NULL && !cut)
		cut_free(ls, c);
	if (c != NULL || !cut)
		return FAB_OK;
	if ((c = calloc(1, sizeof(*c) + size)) == NULL)
		return FAB_ENOMEM;
	snprintf(c->key, size, "%s %s", from, to);
	HASH_ADD_STR(ls->cuts, key, c);
	return FAB_OK;
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

/* ---- changing ---- */

/* A session that a change names, its ends in the order of the change. */
struct hit {
	struct fc_end a, b;
	bool was_ab, was_ba;
};

struct search {
	const struct fc_links *ls;
	const struct fc_link_change *c;
	struct hit *hits; /* NULL: only count */
	size_t n;
};

static void
find_hit(void *arg, const struct fc_pair *p)
{
	struct search *s = arg;
	const struct topo *t = s->ls->f->topo;
	const struct fc_end *a = &p->dial, *b = &p->listen;

	if (!fc_end_named(t, a, s->c->a) || !fc_end_named(t, b, s->c->b)) {
		a = &p->listen;
		b = &p->dial;
		if (!fc_end_named(t, a, s->c->a) || !fc_end_named(t, b, s->c->b))
			return;
	}
	if (s->hits != NULL)
		s->hits[s->n] = (struct hit){ .a = *a,
			.b = *b,
			.was_ab = fc_link_is_cut(s->ls, a->name, b->name),
			.was_ba = fc_link_is_cut(s->ls, b->name, a->name) };
	s->n++;
}

static int
set_all(struct fc_links *ls, const struct search *s)
{
	int err = FAB_OK;

	for (size_t i = 0; i < s->n && err == FAB_OK; i++) {
		err = cut_set(ls, s->hits[i].a.name, s->hits[i].b.name, s->c->cut);
		if (err == FAB_OK && !s->c->one_way)
			err = cut_set(ls, s->hits[i].b.name, s->hits[i].a.name, s->c->cut);
	}
	return err;
}

static void
set_back(struct fc_links *ls, const struct search *s)
{
	for (size_t i = 0; i < s->n; i++) {
		cut_set(ls, s->hits[i].a.name, s->hits[i].b.name, s->hits[i].was_ab);
		cut_set(ls, s->hits[i].b.name, s->hits[i].a.name, s->hits[i].was_ba);
	}
}

/* The cuts as the store keeps them. */
static int
save(struct fc_links *ls, char why[static FC_STORE_WHY_MAX])
{
	size_t n = HASH_COUNT(ls->cuts), i = 0;
	const char **keys;
	int err;

	if (ls->f->store == NULL)
		return FAB_OK;
	if ((keys = calloc(n + 1, sizeof(*keys))) == NULL)
		return FAB_ENOMEM;
	for (const struct fc_cut *c = ls->cuts; c != NULL; c = c->hh.next)
		keys[i++] = c->key;
	err = fc_store_set_cuts(ls->f->store, keys, n, why);
	free(keys);
	return err;
}

static int
load_cut(void *arg, const char *key)
{
	struct fc_links *ls = arg;
	char copy[2 * FC_NODE_NAME_MAX], *to;

	snprintf(copy, sizeof(copy), "%s", key);
	if ((to = strchr(copy, ' ')) == NULL)
		return FAB_EBADMSG;
	*to++ = '\0';
	return cut_set(ls, copy, to, true);
}

int
fc_links_load(struct fc_links *ls)
{
	return fc_store_each_cut(ls->f->store, load_cut, ls);
}

static void
tell_all(struct fc_links *ls, const struct search *s, struct link_job *job)
{
	for (size_t i = 0; i < s->n; i++) {
		tell_end(ls, &s->hits[i].a, &s->hits[i].b, job);
		tell_end(ls, &s->hits[i].b, &s->hits[i].a, job);
	}
}

int
fc_links_change(struct fc_links *ls, const struct fc_link_change *c, fc_link_done_fn *done,
    void *ctx, char why[static FC_STORE_WHY_MAX])
{
	struct search s = { .ls = ls, .c = c };
	struct link_job *job = calloc(1, sizeof(*job));
	int err = job == NULL ? FAB_ENOMEM : FAB_OK;

	fc_pairs_each(ls->f->topo, find_hit, &s);
	if (s.n == 0)
		err = FAB_ENOENT;
	else if ((s.hits = calloc(s.n, sizeof(*s.hits))) == NULL)
		err = FAB_ENOMEM;
	snprintf(why, FC_STORE_WHY_MAX, "%s", fab_strerror(err));
	if (err != FAB_OK)
		goto done;
	s.n = 0;
	fc_pairs_each(ls->f->topo, find_hit, &s);
	if ((err = set_all(ls, &s)) != FAB_OK || (err = save(ls, why)) != FAB_OK) {
		set_back(ls, &s);
		goto done;
	}
	fc_nodes_sync(ls->f->nodes);
	*job = (struct link_job){ .pending = 1, .done = done, .ctx = ctx };
	tell_all(ls, &s, job);
	job_release(job); /* calls done at once if nobody was there to be told */
	job = NULL;
done:
	free(s.hits);
	free(job);
	return err;
}

static void
mark_pair(void *arg, const struct fc_pair *p)
{
	struct fc_links *ls = arg;
	struct fc_cut *there = cut_find(ls, p->dial.name, p->listen.name);
	struct fc_cut *back = cut_find(ls, p->listen.name, p->dial.name);

	if (there != NULL)
		there->in_topology = true;
	if (back != NULL)
		back->in_topology = true;
}

void
fc_links_prune(struct fc_links *ls)
{
	char why[FC_STORE_WHY_MAX];
	struct fc_cut *c, *tmp;
	bool gone = false;

	if (ls->cuts == NULL)
		return;
	HASH_ITER (hh, ls->cuts, c, tmp)
		c->in_topology = false;
	fc_pairs_each(ls->f->topo, mark_pair, ls);
	HASH_ITER (hh, ls->cuts, c, tmp)
		if (!c->in_topology) {
			cut_free(ls, c);
			gone = true;
		}
	if (gone && save(ls, why) != FAB_OK)
		fab_warn("cut links: %s", why);
}
