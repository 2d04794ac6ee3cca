#include "vswitchd/vs_flows.h"

#include "lib/err.h"
#include "vswitchd/vs_idmap.h"

#include <stdlib.h>
#include <uthash.h>

struct flow {
	struct vs_flow_key key;
	struct vs_flow packet;     /* one of it, for vs_lookup() */
	uint32_t to;               /* slot of who gets it by the cache; 0: not there yet */
	uint32_t next;             /* the same when what is under way is committed; 0: gone */
	uint64_t packets, octets;  /* that have been told of */
	bool used;                 /* since the last vs_flows_age() */
	struct flow *next_changed; /* of those whose to and next differ */
	UT_hash_handle hh;
};

struct vs_flows {
	const struct vs_flows_ops *ops;
	void *ctx;
	struct flow *all;
	struct flow *changed;
	struct vs_idmap per_port; /* how many, by the sender's slot: a number, never followed */
	struct vs_flows_stats stats;
};

_Static_assert(sizeof(struct vs_flow_key) == 5 * sizeof(uint32_t), "a key has no holes");

int
vs_flows_new(struct vs_flows **out, const struct vs_flows_ops *ops, void *ctx)
{
	struct vs_flows *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return FAB_ENOMEM;
	f->ops = ops;
	f->ctx = ctx;
	*out = f;
	return FAB_OK;
}

/* ---- the set ---- */

static struct flow *
find(const struct vs_flows *f, const struct vs_flow_key *k)
{
	struct flow *flow;

	HASH_FIND(hh, f->all, k, sizeof(*k), flow);
	return flow;
}

static uintptr_t
of_port(const struct vs_flows *f, uint32_t slot)
{
	return (uintptr_t)vs_idmap_get(&f->per_port, slot);
}

static int
count_port(struct vs_flows *f, uint32_t slot, int more)
{
	uintptr_t n = of_port(f, slot) + (uintptr_t)more;

	if (n > 0)
		return vs_idmap_put(&f->per_port, slot, (void *)n, NULL);
	vs_idmap_del(&f->per_port, slot);
	return FAB_OK;
}

static struct flow *
flow_new(struct vs_flows *f, const struct vs_flow_key *k, const struct vs_flow *packet)
{
	struct flow *flow;

	if (HASH_COUNT(f->all) >= VS_FLOWS_MAX || of_port(f, k->from) >= VS_FLOWS_PORT_MAX ||
	    (flow = calloc(1, sizeof(*flow))) == NULL)
		return NULL;
	if (count_port(f, k->from, 1) != FAB_OK) {
		free(flow);
		return NULL;
	}
	flow->key = *k;
	flow->packet = *packet;
	flow->used = true;
	HASH_ADD(hh, f->all, key, sizeof(flow->key), flow);
	return flow;
}

static void
flow_free(struct vs_flows *f, struct flow *flow)
{
	count_port(f, flow->key.from, -1);
	HASH_DEL(f->all, flow);
	free(flow);
}

static void
free_all(struct vs_flows *f)
{
	struct flow *flow, *tmp;

	HASH_ITER (hh, f->all, flow, tmp)
		flow_free(f, flow);
	f->changed = NULL;
}

void
vs_flows_free(struct vs_flows *f)
{
	if (f == NULL)
		return;
	free_all(f);
	vs_idmap_fini(&f->per_port);
	free(f);
}

/* ---- changes ---- */

static void
change(struct vs_flows *f, struct flow *flow, uint32_t next)
{
	flow->next = next;
	flow->next_changed = f->changed;
	f->changed = flow;
	if (flow->to != 0)
		f->ops->del(f->ctx, &flow->key);
	if (next != 0)
		f->ops->add(f->ctx, &flow->key, next);
}

static void
settle(struct vs_flows *f, struct flow *flow)
{
	if (flow->to == 0)
		f->stats.added++;
	else if (flow->next != 0)
		f->stats.moved++;
	else
		f->stats.removed++;
	flow->to = flow->next;
	flow->packets = flow->octets = 0;
	if (flow->to == 0)
		flow_free(f, flow);
}

void
vs_flows_commit(struct vs_flows *f)
{
	struct flow *flow = f->changed, *next;

	if (flow == NULL)
		return;
	if (f->ops->commit(f->ctx) != FAB_OK) {
		f->stats.removed += HASH_COUNT(f->all);
		free_all(f);
		f->ops->clear(f->ctx);
		return;
	}
	f->changed = NULL;
	for (; flow != NULL; flow = next) {
		next = flow->next_changed;
		settle(f, flow);
	}
}

void
vs_flows_ask(struct vs_flows *f, const struct vs_flow_key *k, const struct vs_flow *packet)
{
	struct flow *flow = find(f, k);
	uint32_t to;

	if (flow != NULL) /* packets of before it was cached */
		return;
	to = f->ops->decide(f->ctx, k, packet);
	if (to == 0 || (flow = flow_new(f, k, packet)) == NULL)
		f->stats.refused++;
	else
		change(f, flow, to);
}

void
vs_flows_review(struct vs_flows *f)
{
	struct flow *flow, *tmp;

	HASH_ITER (hh, f->all, flow, tmp) {
		uint32_t to = f->ops->decide(f->ctx, &flow->key, &flow->packet);

		if (to != flow->to)
			change(f, flow, to);
	}
	vs_flows_commit(f);
}

void
vs_flows_forget(struct vs_flows *f, uint32_t slot)
{
	struct flow *flow, *tmp;

	HASH_ITER (hh, f->all, flow, tmp)
		if (flow->key.from == slot || flow->to == slot)
			change(f, flow, 0);
	vs_flows_commit(f);
}

void
vs_flows_age(struct vs_flows *f)
{
	struct flow *flow, *tmp;

	HASH_ITER (hh, f->all, flow, tmp) {
		if (!flow->used)
			change(f, flow, 0);
		flow->used = false;
	}
	vs_flows_commit(f);
}

/* ---- counters ---- */

void
vs_flows_counted(struct vs_flows *f, const struct vs_flow_key *k, uint64_t packets, uint64_t octets)
{
	struct flow *flow = find(f, k);

	if (flow == NULL || flow->to == 0 || packets <= flow->packets)
		return;
	f->ops->carried(f->ctx, k->from, flow->to, packets - flow->packets, octets - flow->octets);
	flow->packets = packets;
	flow->octets = octets;
	flow->used = true;
}

size_t
vs_flows_count(const struct vs_flows *f)
{
	return HASH_COUNT(f->all);
}

const struct vs_flows_stats *
vs_flows_stats(const struct vs_flows *f)
{
	return &f->stats;
}
