/*
 * A link that is cut (design section 9): what is sent waits, what arrives waits, the end of the
 * connection is not seen, and a connection that is closed meanwhile stays open towards the peer.
 * As with TCP on a broken path, a cut shorter than the hold time delays messages and loses none;
 * dropping them would leave both sides with different routes for good.
 */
#include "lib/bgp_fsm.h"
#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

#define HELD_MIN 16

/* Takes its own reference. FAB_ETOOBIG above the backlog that a session may have. */
static int
held_add(struct bgp_held *h, struct fab_buf *b)
{
	if (h->octets + b->len > BGP_BACKLOG_MAX)
		return FAB_ETOOBIG;
	if (h->n == h->cap) {
		size_t cap = h->cap == 0 ? HELD_MIN : 2 * h->cap;
		struct fab_buf **bufs = realloc(h->bufs, cap * sizeof(struct fab_buf *));

		if (bufs == NULL)
			return FAB_ENOMEM;
		h->bufs = bufs;
		h->cap = cap;
	}
	h->bufs[h->n++] = fab_buf_ref(b);
	h->octets += b->len;
	return FAB_OK;
}

static void
held_free(struct bgp_held *h)
{
	for (size_t i = 0; i < h->n; i++)
		fab_buf_unref(h->bufs[i]);
	free(h->bufs);
	*h = (struct bgp_held){ .bufs = NULL };
}

static void
too_much(struct bgp_link *l)
{
	bgp_session_reset(l->s, BGP_ERR_CEASE, BGP_CEASE_OUT_OF_RESOURCES,
	    "too much waits for a link that is cut");
}

void
bgp_cut_hold_in(struct bgp_link *l, const uint8_t *data, size_t len)
{
	struct fab_buf *b = fab_buf_new(len);

	if (b != NULL)
		memcpy(b->data, data, len);
	if (b == NULL || held_add(&l->held_in, b) != FAB_OK)
		too_much(l);
	fab_buf_unref(b);
}

void
bgp_cut_hold_out(struct bgp_link *l, struct fab_buf *b)
{
	if (held_add(&l->held_out, b) != FAB_OK)
		too_much(l);
}

void
bgp_cut_drop(struct bgp_link *l)
{
	held_free(&l->held_in);
	held_free(&l->held_out);
	l->lost = FAB_OK;
}

/* ---- connections that are closed behind the cut ---- */

static void
ignore_message(void *ctx, const uint8_t *data, size_t len)
{
	(void)ctx;
	(void)data;
	(void)len;
}

static void
ignore_down(void *ctx, int err)
{
	(void)ctx;
	(void)err;
}

static void
ignore_event(void *ctx)
{
	(void)ctx;
}

static const struct bgp_transport_cb ignore_cb = {
	.up = ignore_event,
	.message = ignore_message,
	.down = ignore_down,
	.drained = ignore_event,
};

static void
unpark(void *arg)
{
	struct bgp_session *s = arg;

	for (int i = 0; i < BGP_LINKS; i++) {
		if (s->parked[i] != NULL)
			s->parked[i]->ops->close(s->parked[i], NULL);
		s->parked[i] = NULL;
	}
}

/* Takes over t. The peer is on its own until its hold timer fires, or we give up waiting for it. */
void
bgp_cut_park(struct bgp_session *s, struct bgp_transport *t)
{
	uint32_t ms = s->conf.hold_ms > 0 ? s->conf.hold_ms : BGP_OPEN_HOLD_MS;

	if (s->unpark == NULL && fab_timer_new(&s->unpark, s->loop, unpark, s) != FAB_OK) {
		t->ops->close(t, NULL);
		return;
	}
	if (s->parked[1] != NULL)
		s->parked[1]->ops->close(s->parked[1], NULL);
	s->parked[1] = s->parked[0];
	s->parked[0] = t;
	t->cb = &ignore_cb;
	fab_timer_set_ms(s->unpark, ms);
}

void
bgp_cut_fini(struct bgp_session *s)
{
	unpark(s);
	fab_timer_free(s->unpark);
	for (int i = 0; i < BGP_LINKS; i++)
		bgp_cut_drop(&s->link[i]);
}

/* ---- restoring ---- */

/* Delivers what has arrived, in order; a message may end the connection. */
static void
restore_in(struct bgp_link *l)
{
	struct bgp_held held = l->held_in;
	struct bgp_transport *t = l->t;
	int lost = l->lost;

	l->held_in = (struct bgp_held){ .bufs = NULL };
	l->lost = FAB_OK;
	for (size_t i = 0; i < held.n && l->t != NULL && l->t == t; i++)
		bgp_link_receive(l, held.bufs[i]->data, held.bufs[i]->len);
	held_free(&held);
	if (lost != FAB_OK && l->t != NULL && l->t == t)
		bgp_link_cb.down(l, lost);
}

static void
restore_out(struct bgp_link *l)
{
	struct bgp_held held = l->held_out;

	l->held_out = (struct bgp_held){ .bufs = NULL };
	for (size_t i = 0; i < held.n && l->t != NULL; i++)
		(void)l->t->ops->send(l->t, held.bufs[i]); /* if it is closed, down() follows */
	held_free(&held);
}

void
bgp_session_cut(struct bgp_session *s, bool in, bool out)
{
	bool was_in = s->cut_in, was_out = s->cut_out;

	s->cut_in = in;
	s->cut_out = out;
	if (was_out && !out) {
		unpark(s);
		for (int i = 0; i < BGP_LINKS; i++)
			restore_out(&s->link[i]);
	}
	if (was_in && !in) {
		for (int i = 0; i < BGP_LINKS; i++)
			restore_in(&s->link[i]);
	}
	if ((was_in || was_out) && !in && !out && s->running && !s->holdoff) {
		s->backoff_ms = BGP_RETRY_FIRST_MS;
		if (s->state < BGP_OPEN_SENT && fab_timer_pending(s->retry))
			fab_timer_set_ms(s->retry, 0);
	}
}
