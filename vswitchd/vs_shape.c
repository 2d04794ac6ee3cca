/*
 * Frames on slow links (see vs_shape.h): a heap of those that are held, by the time at which each
 * leaves the link that it is on.
 */
#include "vswitchd/vs_shape.h"

#include "lib/err.h"
#include "vswitchd/vs_idmap.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_US 1000u
#define NS_PER_MS 1000000u
#define NS_PER_S  1000000000u

/* One direction of a link. */
struct lane {
	uint32_t id;
	bool seen; /* scratch of sync */
	bool cut;
	uint64_t delay_ns, jitter_ns;
	uint32_t loss_ppm;
	uint64_t rate;
	uint64_t free_ns; /* the last frame has been sent then */
	uint64_t out_ns;  /* and has arrived then */
	size_t held;      /* octets of memory */
};

/* The way of a frame. */
struct trip {
	uint32_t links[VS_CROSSED_MAX];
	unsigned n, at; /* `at`: the next one to enter */
	uint32_t lane;  /* whose memory it counts for */
	uint32_t wire;
};

struct held {
	uint64_t due, seq;
	struct trip trip;
	void *from, *to;
	size_t len;
	uint8_t data[];
};

struct vs_shape {
	struct vs_idmap lanes;
	struct held **heap;
	size_t n, room;
	uint64_t seq, random;
	size_t held;
};

/* ---- life ---- */

int
vs_shape_new(struct vs_shape **out, uint64_t seed)
{
	struct vs_shape *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return FAB_ENOMEM;
	s->random = seed;
	*out = s;
	return FAB_OK;
}

void
vs_shape_free(struct vs_shape *s)
{
	if (s == NULL)
		return;
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->lanes, i)) != NULL;)
		free(i->p);
	vs_idmap_fini(&s->lanes);
	for (size_t i = 0; i < s->n; i++)
		free(s->heap[i]);
	free((void *)s->heap);
	free(s);
}

/* ---- links ---- */

static struct lane *
lane_get(struct vs_shape *s, uint32_t id)
{
	struct lane *l = vs_idmap_get(&s->lanes, id);

	if (l != NULL || (l = calloc(1, sizeof(*l))) == NULL)
		return l;
	l->id = id;
	if (vs_idmap_put(&s->lanes, id, l, NULL) == FAB_OK)
		return l;
	free(l);
	return NULL;
}

static void
drop_unseen(struct vs_shape *s)
{
	const struct vs_idslot *i = NULL;

	while ((i = vs_idmap_next(&s->lanes, i)) != NULL) {
		struct lane *l = i->p;

		if (l->seen)
			continue;
		vs_idmap_del(&s->lanes, l->id);
		free(l);
		i = NULL; /* deleting moves slots */
	}
}

int
vs_shape_sync(struct vs_shape *s, const struct vs_model *m)
{
	const struct vs_link_conf *c;
	int err = FAB_OK;

	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&s->lanes, i)) != NULL;)
		((struct lane *)i->p)->seen = false;
	for (size_t i = 0; (c = vs_model_link(m, i)) != NULL; i++) {
		struct lane *l = lane_get(s, c->id);

		if (l == NULL) {
			err = FAB_ENOMEM;
			continue;
		}
		if (l->rate != c->rate)
			l->free_ns = 0; /* what waits was promised its time already */
		l->seen = true;
		l->cut = c->cut;
		l->delay_ns = (uint64_t)c->delay_us * NS_PER_US;
		l->jitter_ns = (uint64_t)c->jitter_us * NS_PER_US;
		l->loss_ppm = c->loss_ppm;
		l->rate = c->rate;
	}
	drop_unseen(s);
	return err;
}

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators) */
static uint64_t
draw(struct vs_shape *s)
{
	uint64_t z = s->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* 0 ... n - 1, n up to 2^32 and then some: the bias is beyond measure. */
static uint64_t
draw_below(struct vs_shape *s, uint64_t n)
{
	return draw(s) % n;
}

static bool
is_lost(struct vs_shape *s, const struct trip *t)
{
	bool lost = false;

	for (unsigned i = 0; i < t->n; i++) {
		const struct lane *l = vs_idmap_get(&s->lanes, t->links[i]);

		if (l != NULL && l->loss_ppm > 0)
			lost |= draw_below(s, 1000000) < l->loss_ppm;
	}
	return lost;
}

/* ---- one link ---- */

static uint64_t
send_time(const struct lane *l, uint64_t octets)
{
	return (uint64_t)((double)octets * 8 * NS_PER_S / (double)l->rate);
}

/* When the frame has been sent; false: the queue is full. */
static bool
pass_rate(struct lane *l, uint64_t now, uint32_t wire, uint64_t *out)
{
	uint64_t start = l->free_ns > now ? l->free_ns : now;

	if (l->rate == 0) {
		*out = now;
		return true;
	}
	if (start - now > VS_SHAPE_QUEUE_MS * (uint64_t)NS_PER_MS &&
	    start - now > send_time(l, VS_SHAPE_QUEUE_OCTETS))
		return false;
	*out = l->free_ns = start + send_time(l, wire);
	return true;
}

static uint64_t
pass_delay(struct vs_shape *s, struct lane *l, uint64_t at)
{
	at += l->delay_ns;
	if (l->jitter_ns > 0) {
		uint64_t less = l->jitter_ns < l->delay_ns ? l->jitter_ns : l->delay_ns;

		at = at - less + draw_below(s, less + l->jitter_ns + 1);
	}
	if (at < l->out_ns)
		at = l->out_ns; /* nobody overtakes */
	return l->out_ns = at;
}

/* Goes on from link to link as long as that takes no time. HELD: until *due. */
static enum vs_fate
step(struct vs_shape *s, struct trip *t, uint64_t now, uint64_t *due)
{
	while (t->at < t->n) {
		struct lane *l = vs_idmap_get(&s->lanes, t->links[t->at++]);

		if (l == NULL)
			continue;
		if (l->cut || !pass_rate(l, now, t->wire, due))
			return VS_FATE_LOST;
		*due = pass_delay(s, l, *due);
		t->lane = l->id;
		if (*due > now)
			return VS_FATE_HELD;
	}
	return VS_FATE_PASS;
}

/* ---- the heap ---- */

static bool
before(const struct held *a, const struct held *b)
{
	return a->due != b->due ? a->due < b->due : a->seq < b->seq;
}

static void
sift_up(struct vs_shape *s, size_t i)
{
	struct held *h = s->heap[i];

	for (size_t up; i > 0 && before(h, s->heap[up = (i - 1) / 2]); i = up)
		s->heap[i] = s->heap[up];
	s->heap[i] = h;
}

static void
sift_down(struct vs_shape *s, size_t i)
{
	struct held *h = s->heap[i];
	size_t kid;

	while ((kid = 2 * i + 1) < s->n) {
		if (kid + 1 < s->n && before(s->heap[kid + 1], s->heap[kid]))
			kid++;
		if (!before(s->heap[kid], h))
			break;
		s->heap[i] = s->heap[kid];
		i = kid;
	}
	s->heap[i] = h;
}

/* Room is there. */
static void
push(struct vs_shape *s, struct held *h)
{
	h->seq = s->seq++;
	s->heap[s->n] = h;
	sift_up(s, s->n++);
}

static struct held *
pop(struct vs_shape *s)
{
	struct held *h = s->heap[0];

	s->heap[0] = s->heap[--s->n];
	if (s->n > 0)
		sift_down(s, 0);
	return h;
}

static int
make_room(struct vs_shape *s)
{
	size_t room = s->room == 0 ? 256 : 2 * s->room;
	struct held **heap;

	if (s->n < s->room)
		return FAB_OK;
	if ((heap = realloc((void *)s->heap, room * sizeof(*heap))) == NULL)
		return FAB_ENOMEM;
	s->heap = heap;
	s->room = room;
	return FAB_OK;
}

/* ---- memory ---- */

static size_t
memory_of(const struct held *h)
{
	return sizeof(*h) + h->len;
}

/* For the link that the frame is on. False: that holds too much. */
static bool
charge(struct vs_shape *s, const struct held *h)
{
	struct lane *l = vs_idmap_get(&s->lanes, h->trip.lane);

	if (s->held + memory_of(h) > VS_SHAPE_TOTAL_MAX ||
	    (l != NULL && l->held + memory_of(h) > VS_SHAPE_LINK_MAX))
		return false;
	s->held += memory_of(h);
	if (l != NULL)
		l->held += memory_of(h);
	return true;
}

/* The link may be another one of its number now, after fabricd began to count anew. */
static void
discharge(struct vs_shape *s, const struct held *h)
{
	struct lane *l = vs_idmap_get(&s->lanes, h->trip.lane);

	s->held -= memory_of(h);
	if (l != NULL)
		l->held -= memory_of(h) < l->held ? memory_of(h) : l->held;
}

/* ---- in and out ---- */

static enum vs_fate
hold(struct vs_shape *s, const struct trip *t, uint64_t due, const struct vs_shape_frame *f)
{
	struct held *h;

	if (make_room(s) != FAB_OK || (h = malloc(sizeof(*h) + f->len)) == NULL)
		return VS_FATE_LOST;
	*h = (struct held){ .due = due, .trip = *t, .from = f->from, .to = f->to, .len = f->len };
	memcpy(h->data, f->data, f->len);
	if (!charge(s, h)) {
		free(h);
		return VS_FATE_LOST;
	}
	push(s, h);
	return VS_FATE_HELD;
}

enum vs_fate
vs_shape_put(struct vs_shape *s, uint64_t now_ns, const uint32_t *links, unsigned n_links,
    const struct vs_shape_frame *f)
{
	struct trip t = { .n = n_links, .wire = f->wire };
	enum vs_fate fate;
	uint64_t due;

	FAB_ASSERT(n_links <= VS_CROSSED_MAX);
	memcpy(t.links, links, n_links * sizeof(links[0]));
	if (is_lost(s, &t))
		return VS_FATE_LOST;
	fate = step(s, &t, now_ns, &due);
	return fate == VS_FATE_HELD ? hold(s, &t, due, f) : fate;
}

bool
vs_shape_by_packet(const struct vs_shape *s, const uint32_t *links, unsigned n_links)
{
	for (unsigned i = 0; i < n_links; i++) {
		const struct lane *l = vs_idmap_get(&s->lanes, links[i]);

		if (l != NULL && (l->loss_ppm > 0 || l->rate > 0))
			return true;
	}
	return false;
}

uint64_t
vs_shape_due(const struct vs_shape *s)
{
	return s->n > 0 ? s->heap[0]->due : UINT64_MAX;
}

/* It leaves one link at its due time, however late it is now, and enters the next one. */
static void
go_on(struct vs_shape *s, struct held *h, const struct vs_shape_ops *ops, void *arg)
{
	const struct vs_shape_frame f = {
		.from = h->from, .to = h->to, .data = h->data, .len = h->len, .wire = h->trip.wire
	};
	enum vs_fate fate;

	discharge(s, h);
	fate = step(s, &h->trip, h->due, &h->due);
	if (fate == VS_FATE_HELD && charge(s, h)) {
		push(s, h);
		return;
	}
	if (fate == VS_FATE_PASS)
		ops->deliver(arg, &f);
	else
		ops->lost(arg, &f);
	free(h);
}

void
vs_shape_run(
    struct vs_shape *s, uint64_t now_ns, unsigned max, const struct vs_shape_ops *ops, void *arg)
{
	while (max-- > 0 && vs_shape_due(s) <= now_ns)
		go_on(s, pop(s), ops, arg);
}

void
vs_shape_forget(struct vs_shape *s, const void *port)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct held *h = s->heap[i];

		if (h->from == port)
			h->from = NULL;
		if (h->to != port) {
			s->heap[n++] = h;
			continue;
		}
		discharge(s, h);
		free(h);
	}
	s->n = n;
	for (size_t i = n / 2; i-- > 0;)
		sift_down(s, i);
}

size_t
vs_shape_held(const struct vs_shape *s)
{
	return s->held;
}
