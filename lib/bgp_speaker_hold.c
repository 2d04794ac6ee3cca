/*
 * Decisions that wait. Two reasons: the prefix has changed a short while ago (RS-99), or changes
 * from that peer take their time (role->delay_ms). Adj-RIB-In has the change at once; selection,
 * and with it everything that follows, comes when the wait is over.
 *
 * There is an entry for each prefix that waits, or that may not change again yet.
 */
#include "lib/bgp_speaker_priv.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct sp_hold {
	UT_hash_handle hh; /* by prefix */
	struct ipnet net;
	uint64_t free_us;  /* monotonic: it may change again from then on */
	uint64_t due_us;   /* monotonic: decided then */
	uint64_t since_us; /* wall clock: when its change came */
	bool waits;
	const char *why;
};

static uint64_t
now_us(const struct speaker *sp)
{
	return fab_mono_us_between(sp->started, fab_mono_now());
}

/* The key is the whole struct, padding and all. */
static struct ipnet
key_of(const struct ipnet *net)
{
	struct ipnet key;

	memset(&key, 0, sizeof(key));
	key.addr = net->addr;
	key.len = net->len;
	return key;
}

static struct sp_hold *
hold_find(const struct speaker *sp, const struct ipnet *net)
{
	struct ipnet key = key_of(net);
	struct sp_hold *h;

	HASH_FIND(hh, sp->holds, &key, sizeof(key), h);
	return h;
}

static struct sp_hold *
hold_get(struct speaker *sp, const struct ipnet *net)
{
	struct sp_hold *h = hold_find(sp, net);

	if (h != NULL)
		return h;
	h = calloc(1, sizeof(*h));
	FAB_ASSERT(h != NULL);
	h->net = key_of(net);
	HASH_ADD(hh, sp->holds, net, sizeof(h->net), h);
	return h;
}

static void
hold_drop(struct speaker *sp, struct sp_hold *h)
{
	HASH_DEL(sp->holds, h);
	free(h);
}

/* The timer also forgets what has been quiet long enough. */
static void
arm(struct speaker *sp)
{
	uint64_t first = UINT64_MAX, now = now_us(sp), at;

	for (const struct sp_hold *h = sp->holds; h != NULL; h = h->hh.next) {
		at = h->waits ? h->due_us : h->free_us;
		first = at < first ? at : first;
	}
	if (first == UINT64_MAX)
		fab_timer_cancel(sp->hold_timer);
	else
		fab_timer_set_ms(sp->hold_timer, first <= now ? 0 : (first - now + 999) / 1000);
}

static void
wait_until(struct speaker *sp, struct sp_hold *h, uint64_t due_us, const char *why)
{
	if (h->waits)
		return;
	h->waits = true;
	h->due_us = due_us;
	h->since_us = fab_wall_us();
	h->why = why;
	sp->n_held++;
}

/* Its turn: the run at the end of this turn decides it. */
static void
release(struct speaker *sp, struct sp_hold *h)
{
	struct rib_prefix *prefix = rib_prefix_find(sp->rib, h->net);

	h->waits = false;
	h->free_us = 0;
	sp->n_held--;
	if (prefix == NULL)
		return;
	rib_dirty_add(sp->rib, prefix);
	speaker_note_wait(sp, h->since_us, h->why);
	fab_loop_defer(sp->loop, &sp->post);
}

/* The wait is what there is to tell of the cause, unless the turn has another one. */
void
speaker_note_wait(struct speaker *sp, uint64_t since_us, const char *why)
{
	struct speaker_cause *c = &sp->cause;

	if (c->held_us == 0 || since_us < c->held_us)
		c->held_us = since_us;
	snprintf(c->held, sizeof(c->held), "%s", why);
	if (sp->cause_rank == 0)
		snprintf(c->text, sizeof(c->text), "%s", why);
}

static void
timer_cb(void *arg)
{
	struct speaker *sp = arg;
	uint64_t now = now_us(sp);
	struct sp_hold *h, *next;

	HASH_ITER (hh, sp->holds, h, next) {
		if (h->waits && h->due_us <= now)
			release(sp, h);
		if (!h->waits && h->free_us <= now)
			hold_drop(sp, h);
	}
	arm(sp);
}

bool
speaker_hold_waits(struct speaker *sp, const struct rib_prefix *prefix)
{
	struct sp_hold *h = sp->holds == NULL ? NULL : hold_find(sp, &prefix->net);

	if (h == NULL)
		return false;
	if (!h->waits && h->free_us > now_us(sp))
		wait_until(sp, h, h->free_us, "changed again too soon (RS-99)");
	return h->waits;
}

void
speaker_hold_changed(struct speaker *sp, const struct rib_prefix *prefix)
{
	uint64_t now;

	if (sp->window_ms == 0) /* the usual case, of every prefix: no clock is read */
		return;
	if ((now = now_us(sp)) >= sp->window_from_us)
		hold_get(sp, &prefix->net)->free_us = now + (uint64_t)sp->window_ms * 1000;
}

void
speaker_hold_path(
    struct speaker *sp, const struct rib_prefix *prefix, struct speaker_peer *peer, bool lost)
{
	uint32_t *ms = &peer->delay_ms[lost];

	if (sp->role->delay_ms == NULL)
		return;
	if (!peer->delay_drawn[lost]) /* one for all of a turn */
		*ms = sp->role->delay_ms(sp->ctx, peer, lost);
	peer->delay_drawn[lost] = true;
	if (*ms > 0)
		wait_until(sp, hold_get(sp, &prefix->net), now_us(sp) + (uint64_t)*ms * 1000,
		    "propagation takes its time (ER-5, TIME-20)");
}

void
speaker_hold_begin(struct speaker *sp)
{
	struct sp_hold *h;

	/* Slots of peers that are gone are used again: nothing may name them any longer. */
	for (h = sp->gone == NULL ? NULL : sp->holds; h != NULL; h = h->hh.next)
		if (h->waits)
			release(sp, h);
}

void
speaker_hold_end(struct speaker *sp)
{
	struct speaker_peer *p;

	for (p = sp->peers; p != NULL; p = p->next)
		p->delay_drawn[0] = p->delay_drawn[1] = false;
	if (sp->holds != NULL)
		arm(sp);
	if (sp->told_held != sp->n_held && sp->role->held != NULL)
		sp->role->held(sp->ctx);
	sp->told_held = sp->n_held;
}

int
speaker_hold_init(struct speaker *sp)
{
	sp->started = fab_mono_now();
	return fab_timer_new(&sp->hold_timer, sp->loop, timer_cb, sp);
}

void
speaker_hold_fini(struct speaker *sp)
{
	struct sp_hold *h, *next;

	HASH_ITER (hh, sp->holds, h, next)
		hold_drop(sp, h);
	fab_timer_free(sp->hold_timer);
}

void
speaker_set_window(struct speaker *sp, uint32_t window_ms, uint32_t after_ms)
{
	sp->window_ms = window_ms;
	sp->window_from_us = now_us(sp) + (uint64_t)after_ms * 1000;
}

size_t
speaker_held(const struct speaker *sp)
{
	return sp->n_held;
}
