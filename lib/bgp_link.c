/*
 * One connection of a session: messages in and out, its hold and keepalive timers, its end. Turns
 * what a transport tells into events for the state machine (bgp_fsm.c).
 */
#include "lib/bgp_fsm.h"
#include "lib/bgp_mrt.h"
#include "lib/err.h"

#include <stdlib.h> /* arc4random */

/* A burst sets the hold timer once a quarter of it at most. */
#define HOLD_RESET_US(hold_ms) ((uint64_t)(hold_ms)*250)

struct bgp_link *
bgp_link_other(struct bgp_link *l)
{
	return l == &l->s->link[BGP_DIALLER] ? &l->s->link[BGP_LISTENER] : &l->s->link[BGP_DIALLER];
}

void
bgp_link_event(struct bgp_link *l, enum bgp_event ev)
{
	struct bgp_session *s = l->s;

	s->depth++;
	bgp_fsm_step(l, ev);
	while (s->loser != NULL) {
		struct bgp_link *loser = s->loser;

		s->loser = NULL;
		bgp_fsm_step(loser, BGP_EV_RESET);
	}
	s->depth--;
	if (s->depth == 0 && s->stop.due)
		bgp_session_stop_now(s);
}

/* ---- sending and receiving ---- */

static void
record(const struct bgp_link *l, bool out, const uint8_t *data, size_t len)
{
	const struct bgp_mrt_ends e = { &l->s->conf, l->opts.as4 };

	if (bgp_mrt_is_open())
		bgp_mrt_message(&e, out, data, len);
}

void
bgp_link_send(struct bgp_link *l, struct fab_buf *b)
{
	struct bgp_session *s = l->s;

	if (b == NULL) {
		bgp_session_out_of_resources(s, "out of memory");
		return;
	}
	s->stats.msgs_out++;
	s->stats.octets_out += b->len;
	record(l, true, b->data, b->len);
	if (s->cut_out)
		bgp_cut_hold_out(l, b);
	else if (l->t->ops->send(l->t, b) == FAB_ENOMEM)
		bgp_session_out_of_resources(s, "out of memory");
	fab_buf_unref(b);
}

static enum bgp_event
event_of(const struct bgp_msg *m)
{
	static const enum bgp_event events[BGP_MSG_TYPE_COUNT] = {
		[BGP_MSG_OPEN] = BGP_EV_RX_OPEN,
		[BGP_MSG_UPDATE] = BGP_EV_RX_UPDATE,
		[BGP_MSG_NOTIFICATION] = BGP_EV_RX_NOTIFICATION,
		[BGP_MSG_KEEPALIVE] = BGP_EV_RX_KEEPALIVE,
		[BGP_MSG_REFRESH] = BGP_EV_RX_REFRESH,
		[BGP_MSG_HELLO] = BGP_EV_RX_BAD, /* it has been said, or has no place here */
	};

	return events[m->type];
}

/* Between KEEPALIVEs the timer never fires only to find that it is too early. */
static void
hold_heard(struct bgp_link *l)
{
	l->last_rx = fab_mono_now();
	if (l->hold_ms == 0 || l->hold_grace ||
	    fab_mono_us_between(l->hold_set, l->last_rx) < HOLD_RESET_US(l->hold_ms))
		return;
	l->hold_set = l->last_rx;
	fab_timer_set_ms(l->hold, l->hold_ms);
}

void
bgp_link_receive(struct bgp_link *l, const uint8_t *data, size_t len)
{
	struct bgp_session *s = l->s;
	enum bgp_event ev;
	struct bgp_msg m;
	int rc;

	if (s->reset.due || s->stop.due)
		return;
	s->stats.msgs_in++;
	s->stats.octets_in += len;
	record(l, false, data, len);
	hold_heard(l);
	l->err = (struct bgp_notify){ BGP_ERR_HEADER, BGP_HEADER_BAD_TYPE, 0, NULL };
	rc = l->t->ops->decode(&m, &s->scratch, &l->opts, data, len, &l->err);
	if (rc == FAB_ENOMEM)
		l->err = (struct bgp_notify){ BGP_ERR_CEASE, BGP_CEASE_OUT_OF_RESOURCES, 0, NULL };
	ev = rc == FAB_OK ? event_of(&m) : BGP_EV_RX_BAD;
	l->rx = &m;
	bgp_link_event(l, ev);
	l->rx = NULL;
}

static void
on_up(void *ctx)
{
	bgp_link_event(ctx, BGP_EV_CONN_UP);
}

static void
on_message(void *ctx, const uint8_t *data, size_t len)
{
	struct bgp_link *l = ctx;

	if (l->s->cut_in)
		bgp_cut_hold_in(l, data, len);
	else
		bgp_link_receive(l, data, len);
}

static void
on_down(void *ctx, int err)
{
	struct bgp_link *l = ctx;

	if (l->s->cut_in && l->state >= BGP_OPEN_SENT) {
		l->lost = err;
		return;
	}
	if (l->state < BGP_OPEN_SENT)
		bgp_session_set_error(l->s, "connect: %s", fab_strerror(err));
	else if (err == FAB_ECLOSED)
		bgp_session_set_error(l->s, "connection closed by the peer");
	else
		bgp_session_set_error(l->s, "connection lost: %s", fab_strerror(err));
	bgp_link_event(l, BGP_EV_CONN_DOWN);
}

static void
on_drained(void *ctx)
{
	struct bgp_link *l = ctx;
	struct bgp_session *s = l->s;

	if (l->state == BGP_ESTABLISHED && s->cb.drained != NULL)
		s->cb.drained(s->ctx, s);
}

const struct bgp_transport_cb bgp_link_cb = {
	.up = on_up,
	.message = on_message,
	.down = on_down,
	.drained = on_drained,
};

/* ---- the end ---- */

void
bgp_link_close(struct bgp_link *l, const struct bgp_notify *n)
{
	struct bgp_session *s = l->s;
	struct fab_buf *last = NULL;

	fab_timer_cancel(l->hold);
	fab_timer_cancel(l->keepalive);
	if (l->bfd_tx != NULL) {
		fab_timer_cancel(l->bfd_tx);
		fab_timer_cancel(l->bfd_rx);
	}
	if (l->state >= BGP_OPEN_CONFIRM && s->backoff_ms < BGP_RETRY_ERROR_MS)
		s->backoff_ms = BGP_RETRY_ERROR_MS;
	if (l->t == NULL)
		return;
	bgp_cut_drop(l);
	if (n != NULL && l->state >= BGP_OPEN_SENT) {
		last = l->t->ops->encode_notify(n);
		s->stats.notifications_out++;
		s->stats.msgs_out++;
		if (last != NULL)
			record(l, true, last->data, last->len);
	}
	if (s->cut_out)
		bgp_cut_park(s, l->t);
	else
		l->t->ops->close(l->t, last);
	fab_buf_unref(last);
	l->t = NULL;
}

/* ---- timers ---- */

/* RFC 4271 10: 75 to 100 percent, so that peers do not march in step. */
uint32_t
bgp_jitter(uint32_t ms)
{
	return ms - arc4random_uniform(ms / 4 + 1);
}

void
bgp_link_arm_hold(struct bgp_link *l, uint32_t ms)
{
	l->hold_ms = ms;
	l->hold_grace = false;
	l->last_rx = l->hold_set = fab_mono_now();
	if (ms > 0)
		fab_timer_set_ms(l->hold, ms);
	else
		fab_timer_cancel(l->hold);
}

/* Not set anew for each message, so it looks how long the silence is. Once it is long enough, what
 * has arrived meanwhile gets a chance to be read, should we be the slow ones. */
static void
on_hold(void *arg)
{
	struct bgp_link *l = arg;
	uint64_t silent_us = fab_mono_us_between(l->last_rx, fab_mono_now());
	uint64_t hold_us = (uint64_t)l->hold_ms * 1000;

	if (silent_us < hold_us) {
		l->hold_grace = false;
		fab_timer_set_ms(l->hold, (hold_us - silent_us) / 1000 + 1);
	} else if (!l->hold_grace) {
		l->hold_grace = true;
		fab_timer_set_ms(l->hold, BGP_HOLD_GRACE_MS);
	} else {
		bgp_link_event(l, BGP_EV_HOLD_EXPIRED);
	}
}

void
bgp_link_arm_keepalive(struct bgp_link *l)
{
	uint32_t ms = l->hold_ms / 3; /* RFC 4271 10 */

	if (l->hold_ms == 0)
		return;
	if (l->s->conf.keepalive_ms > 0 && l->s->conf.keepalive_ms < ms)
		ms = l->s->conf.keepalive_ms;
	/* The range of RFC 4271 10 for jitter, but daemons of a machine meet within it: the
	 * KEEPALIVEs of a fabric are most of what it does while idle. */
	fab_timer_set_within(l->keepalive, ms - ms / 4, ms);
}

static void
on_keepalive(void *arg)
{
	bgp_link_event(arg, BGP_EV_KEEPALIVE_DUE);
}

/* ---- BFD ---- */

/* RFC 5880 6.8.7: 75 to 100 percent of the interval. */
static void
on_bfd_tx(void *arg)
{
	struct bgp_link *l = arg;
	uint32_t ms = l->s->conf.bfd_ms;

	fab_timer_set_within(l->bfd_tx, ms - ms / 4, ms);
	bgp_link_send(l, l->s->ops->encode_keepalive());
}

/* Silence, whatever the hold timer says (TIME-12). As there, what has arrived is read first. */
static void
on_bfd_rx(void *arg)
{
	struct bgp_link *l = arg;
	uint64_t silent_us = fab_mono_us_between(l->last_rx, fab_mono_now());
	uint64_t limit_us = (uint64_t)l->s->conf.bfd_ms * BGP_BFD_MULTIPLIER * 1000;

	if (silent_us < limit_us) {
		fab_timer_set_ms(l->bfd_rx, (limit_us - silent_us) / 1000 + 1);
	} else if (silent_us < limit_us + BGP_BFD_GRACE_MS * 1000u) {
		fab_timer_set_ms(l->bfd_rx, BGP_BFD_GRACE_MS);
	} else {
		bgp_session_set_error(
		    l->s, "BFD: no packet for %u ms", (unsigned)(silent_us / 1000));
		l->err = (struct bgp_notify){ BGP_ERR_CEASE, BGP_CEASE_BFD_DOWN, 0, NULL };
		bgp_link_event(l, BGP_EV_RESET);
	}
}

void
bgp_link_start_bfd(struct bgp_link *l)
{
	uint32_t ms = l->s->conf.bfd_ms;

	if (ms == 0 || l->bfd_tx == NULL)
		return;
	fab_timer_set_within(l->bfd_tx, ms - ms / 4, ms);
	fab_timer_set_ms(l->bfd_rx, (uint64_t)ms * BGP_BFD_MULTIPLIER);
}

int
bgp_link_init(struct bgp_link *l, struct bgp_session *s)
{
	int rc;

	l->s = s;
	rc = fab_timer_new(&l->hold, s->loop, on_hold, l);
	if (rc == FAB_OK)
		rc = fab_timer_new(&l->keepalive, s->loop, on_keepalive, l);
	if (rc == FAB_OK && s->conf.bfd_ms > 0)
		rc = fab_timer_new(&l->bfd_tx, s->loop, on_bfd_tx, l);
	if (rc == FAB_OK && s->conf.bfd_ms > 0)
		rc = fab_timer_new(&l->bfd_rx, s->loop, on_bfd_rx, l);
	return rc;
}
