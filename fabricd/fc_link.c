/*
 * Cut links (see fc_link.h).
 */
#include "fabricd/fc_link.h"

#include "fabricd/fc_mem.h"
#include "fabricd/fc_pairs.h"
#include "lib/err.h"
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
	/* A node that is gone is told when it comes back. */
	if (status != FAB_RPC_OK && status != FAB_RPC_UNAVAILABLE && status != FAB_RPC_CANCELLED &&
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

struct change_walk {
	struct fc_links *ls;
	const struct fc_link_change *c;
	struct link_job *job;
	size_t found;
	int err;
};

static void
change_pair(struct change_walk *w, const struct fc_end *a, const struct fc_end *b)
{
	int err = cut_set(w->ls, a->name, b->name, w->c->cut);

	if (err == FAB_OK && !w->c->one_way)
		err = cut_set(w->ls, b->name, a->name, w->c->cut);
	if (err != FAB_OK)
		w->err = err;
	w->found++;
	tell_end(w->ls, a, b, w->job);
	tell_end(w->ls, b, a, w->job);
}

static void
change_if_named(void *arg, const struct fc_pair *p)
{
	struct change_walk *w = arg;
	const struct topo *t = w->ls->f->topo;

	if (fc_end_named(t, &p->dial, w->c->a) && fc_end_named(t, &p->listen, w->c->b))
		change_pair(w, &p->dial, &p->listen);
	else if (fc_end_named(t, &p->listen, w->c->a) && fc_end_named(t, &p->dial, w->c->b))
		change_pair(w, &p->listen, &p->dial);
}

int
fc_links_change(
    struct fc_links *ls, const struct fc_link_change *c, fc_link_done_fn *done, void *ctx)
{
	struct link_job *job = calloc(1, sizeof(*job));
	struct change_walk w = { .ls = ls, .c = c, .job = job };

	if (job == NULL)
		return FAB_ENOMEM;
	*job = (struct link_job){ .pending = 1, .done = done, .ctx = ctx };
	fc_pairs_each(ls->f->topo, change_if_named, &w);
	if (w.found == 0) {
		free(job);
		return FAB_ENOENT;
	}
	fc_nodes_sync(ls->f->nodes);
	job->err = w.err;
	job_release(job); /* calls done at once if nobody was there to be told */
	return FAB_OK;
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
	struct fc_cut *c, *tmp;

	if (ls->cuts == NULL)
		return;
	HASH_ITER (hh, ls->cuts, c, tmp)
		c->in_topology = false;
	fc_pairs_each(ls->f->topo, mark_pair, ls);
	HASH_ITER (hh, ls->cuts, c, tmp)
		if (!c->in_topology)
			cut_free(ls, c);
}
