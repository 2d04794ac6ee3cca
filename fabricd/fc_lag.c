/*
 * Queues in front of the layers (see fc_lag.h).
 */
#include "fabricd/fc_lag.h"

#include "fabricd/fc.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* A batch is kept as it came over the wire: it borrows from a message that goes away. */
struct item {
	uint64_t due_us, queued_us; /* monotonic since the start of fabricd; wall clock */
	bool loss;                  /* of the node; else a batch */
	size_t octets;
	struct item *prev, *next;
	uint8_t packed[];
};

struct queue {
	UT_hash_handle hh; /* by name */
	char *node;
	uint64_t drawn; /* so many delays */
	struct item *items;
	size_t n;
};

struct fc_lag {
	struct fc *f;
	fc_lag_fn *fn;
	struct queue *queues; /* one for each node that has ever had a delay */
	struct fab_timer *timer;
};

static uint64_t
now_us(const struct fc_lag *l)
{
	return fab_mono_us_between(l->f->started, fab_mono_now());
}

static struct queue *
queue_find(const struct fc_lag *l, const char *node)
{
	struct queue *q;

	HASH_FIND_STR(l->queues, node, q);
	return q;
}

static struct queue *
queue_add(struct fc_lag *l, const char *node)
{
	struct queue *q = queue_find(l, node);

	if (q != NULL)
		return q;
	if ((q = calloc(1, sizeof(*q))) == NULL || (q->node = strdup(node)) == NULL) {
		free(q);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, l->queues, q->node, strlen(q->node), q);
	return q;
}

static struct item *
earliest(const struct fc_lag *l, struct queue **of)
{
	struct item *first = NULL;

	for (struct queue *q = l->queues; q != NULL; q = q->hh.next)
		if (q->items != NULL && (first == NULL || q->items->due_us < first->due_us)) {
			first = q->items;
			*of = q;
		}
	return first;
}

static void
arm(struct fc_lag *l)
{
	struct queue *q;
	const struct item *it = earliest(l, &q);
	uint64_t now = now_us(l);

	if (it == NULL)
		fab_timer_cancel(l->timer);
	else
		fab_timer_set_ms(l->timer, it->due_us <= now ? 0 : (it->due_us - now + 999) / 1000);
}

static void
apply(struct fc_lag *l, const struct queue *q, const struct item *it)
{
	Fab__V1__RouteBatch *m = NULL;

	if (!it->loss && (m = fab__v1__route_batch__unpack(NULL, it->octets, it->packed)) == NULL)
		return; /* out of memory: as if the batch had been lost; a snapshot repairs it */
	l->fn(l->f, q->node, m, it->queued_us);
	if (m != NULL)
		fab__v1__route_batch__free_unpacked(m, NULL);
}

/* What l->fn does may queue and drop, so the item leaves its queue first. */
static void
take_first(struct fc_lag *l, struct queue *q)
{
	struct item *it = q->items;

	DL_DELETE(q->items, it);
	q->n--;
	apply(l, q, it);
	free(it);
}

static void
due_cb(void *arg)
{
	struct fc_lag *l = arg;
	struct queue *q;
	struct item *it;

	while ((it = earliest(l, &q)) != NULL && it->due_us <= now_us(l))
		take_first(l, q);
	arm(l);
}

uint32_t
fc_lag_draw(struct fc_lag *l, const char *node, struct topo_range r)
{
	struct queue *q = queue_find(l, node);
	bool waits = q != NULL && q->items != NULL;
	uint32_t ms;

	if ((r.max_ms == 0 && !waits) || (q = queue_add(l, node)) == NULL)
		return 0;
	ms = topo_draw_ms(r, l->f->topo->timing.seed, node, q->drawn++);
	return ms == 0 && waits ? 1 : ms; /* behind what waits */
}

int
fc_lag_put(struct fc_lag *l, const char *node, const Fab__V1__RouteBatch *m, uint32_t delay_ms)
{
	size_t octets = m == NULL ? 0 : fab__v1__route_batch__get_packed_size(m);
	struct queue *q = queue_add(l, node);
	struct item *it = q == NULL ? NULL : calloc(1, sizeof(*it) + octets);

	if (it == NULL)
		return FAB_ENOMEM;
	while (q->n >= FC_LAG_ITEMS_MAX)
		take_first(l, q);
	it->loss = m == NULL;
	it->octets = octets;
	it->queued_us = fab_wall_us();
	it->due_us = now_us(l) + (uint64_t)delay_ms * 1000;
	if (q->items != NULL && q->items->prev->due_us > it->due_us)
		it->due_us = q->items->prev->due_us;
	if (m != NULL)
		fab__v1__route_batch__pack(m, it->packed);
	DL_APPEND(q->items, it);
	q->n++;
	arm(l);
	return FAB_OK;
}

void
fc_lag_drop(struct fc_lag *l, const char *node)
{
	struct queue *q = queue_find(l, node);
	struct item *it, *next;

	if (q == NULL)
		return;
	DL_FOREACH_SAFE (q->items, it, next)
		free(it);
	q->items = NULL;
	q->n = 0;
	arm(l);
}

void
fc_lag_drop_all(struct fc_lag *l)
{
	for (struct queue *q = l->queues; q != NULL; q = q->hh.next)
		fc_lag_drop(l, q->node);
}

const char *
fc_lag_pending(const struct fc_lag *l, uint64_t *ms)
{
	struct queue *q;
	const struct item *it = earliest(l, &q);
	uint64_t now = now_us(l);

	if (it == NULL)
		return NULL;
	*ms = it->due_us <= now ? 0 : (it->due_us - now) / 1000;
	return q->node;
}

int
fc_lag_new(struct fc_lag **out, struct fc *f, fc_lag_fn *fn)
{
	struct fc_lag *l = calloc(1, sizeof(*l));
	int err;

	if (l == NULL)
		return FAB_ENOMEM;
	*l = (struct fc_lag){ .f = f, .fn = fn };
	if ((err = fab_timer_new(&l->timer, f->loop, due_cb, l)) != FAB_OK) {
		free(l);
		return err;
	}
	*out = l;
	return FAB_OK;
}

void
fc_lag_free(struct fc_lag *l)
{
	struct queue *q, *next;

	if (l == NULL)
		return;
	HASH_ITER (hh, l->queues, q, next) {
		struct item *it, *after;

		DL_FOREACH_SAFE (q->items, it, after)
			free(it);
		HASH_DEL(l->queues, q);
		free(q->node);
		free(q);
	}
	fab_timer_free(l->timer);
	free(l);
}
