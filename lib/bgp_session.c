/*
 * A BGP session: two connections at most, each with its state machine (bgp_fsm.c), the timers, and
 * what its owner calls and is told. The dialler's connection and the one that the peer opens live
 * side by side until one of them is Established; a peer that comes back after a crash gets in while
 * the old connection is still dying. Everything that a callback may ask for while it runs (reset,
 * stop) is noted and done when it has returned.
 */
#include "lib/bgp_session.h"

#include "lib/bgp_fsm.h"
#include "lib/bgp_mrt.h"
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- small things ---- */

void
bgp_session_set_error(struct bgp_session *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->last_error, sizeof(s->last_error), fmt, ap);
	va_end(ap);
}

static bool
can_dial(const struct bgp_session *s)
{
	const struct bgp_session_conf *c = &s->conf;

	if (c->passive)
		return false;
	if (c->transport == BGP_TRANSPORT_TCP)
		return c->dial_port != 0;
	return c->dial_url != NULL && c->dial_url[0] != '\0';
}

static struct bgp_link *
established(struct bgp_session *s)
{
	for (int i = 0; i < BGP_LINKS; i++) {
		if (s->link[i].state == BGP_ESTABLISHED)
			return &s->link[i];
	}
	return NULL;
}

/* The state to show: of an open connection, otherwise of the side that does something. */
static enum bgp_state
session_state(const struct bgp_session *s)
{
	enum bgp_state d = s->link[BGP_DIALLER].state, l = s->link[BGP_LISTENER].state;
	enum bgp_state further = d > l ? d : l;

	if (further >= BGP_OPEN_SENT)
		return further;
	return can_dial(s) ? d : l;
}

void
bgp_session_changed(struct bgp_session *s, enum bgp_state now)
{
	enum bgp_state before = s->state;

	s->state = session_state(s);
	if (now < BGP_OPEN_SENT)
		fab_loop_defer(s->loop, &s->work); /* what comes next is decided there */
	if (s->state == before)
		return;
	s->since_us = fab_wall_us();
	bgp_mrt_state(&(struct bgp_mrt_ends){ .conf = &s->conf }, before, s->state);
	if (s->quiet)
		return;
	if (s->cb.state != NULL)
		s->cb.state(s->ctx, s, before, s->state);
	if (before == BGP_ESTABLISHED && !s->stopped)
		s->cb.down(s->ctx, s, s->last_error);
	if (s->state == BGP_ESTABLISHED && s->cb.up != NULL)
		s->cb.up(s->ctx, s);
}

/* ---- connections ---- */

/* Where an accepted connection goes: the listener's place, the dialler's if that is free, or that
 * of an older one from the same side, which the peer must have given up. */
static struct bgp_link *
place_for_incoming(struct bgp_session *s)
{
	static const int order[BGP_LINKS] = { BGP_LISTENER, BGP_DIALLER };

	for (int i = 0; i < BGP_LINKS; i++) {
		if (s->link[order[i]].t == NULL)
			return &s->link[order[i]];
	}
	for (int i = 0; i < BGP_LINKS; i++) {
		struct bgp_link *l = &s->link[order[i]];

		if (l->incoming && l->state < BGP_ESTABLISHED) {
			l->err = (struct bgp_notify){ BGP_ERR_CEASE, BGP_CEASE_COLLISION, 0, NULL };
			bgp_link_event(l, BGP_EV_RESET);
			return l;
		}
	}
	return NULL;
}

void
bgp_session_accept(struct bgp_session *s, struct bgp_incoming *in)
{
	struct bgp_transport *t = in->t;
	struct bgp_link *l;

	if (!s->running || s->cut_in || s->cut_out || t->ops != s->ops) {
		bgp_incoming_refuse(in, 0);
		return;
	}
	if (s->holdoff || (in->to_addr != 0 && in->to_addr != s->conf.local_addr) ||
	    (l = place_for_incoming(s)) == NULL) {
		bgp_incoming_refuse(in, BGP_CEASE_REJECTED);
		return;
	}
	in->t = NULL;
	l->t = t;
	l->incoming = true;
	t->ops->adopt(t, &s->conf, &bgp_link_cb, l);
	bgp_link_event(l, BGP_EV_CONN_UP);
}

void
bgp_incoming_refuse(struct bgp_incoming *in, enum bgp_cease subcode)
{
	const struct bgp_notify n = { BGP_ERR_CEASE, (uint8_t)subcode, 0, NULL };
	struct bgp_transport *t = in->t;
	struct fab_buf *last = (int)subcode == 0 ? NULL : t->ops->encode_notify(&n);

	in->t = NULL;
	t->ops->close(t, last);
	fab_buf_unref(last);
}

uint16_t
bgp_listener_port(const struct bgp_listener *l)
{
	return l->port;
}

void
bgp_listener_free(struct bgp_listener *l)
{
	if (l != NULL)
		l->free(l);
}

/* ---- timers ---- */

/* TIME-9. Each delay is half as long again, up to connect_retry_ms: whenever the peer appears, it
 * is found within half of the time that it took. */
void
bgp_session_arm_retry(struct bgp_session *s)
{
	uint32_t ms = s->backoff_ms;

	if (ms > s->conf.connect_retry_ms)
		ms = s->conf.connect_retry_ms;
	s->backoff_ms = ms > UINT32_MAX / 2 ? ms : ms + (ms + 1) / 2;
	fab_timer_set_ms(s->retry, bgp_jitter(ms));
}

/* ---- what comes next ---- */

/* A peer that only has to begin anew (RS-96) may do so at once; one that did wrong has to wait. */
static bool
reset_forgives(const struct bgp_session *s)
{
	return s->reset.code == BGP_ERR_CEASE && (s->reset.subcode == BGP_CEASE_ADMIN_RESET ||
						     s->reset.subcode == BGP_CEASE_CONFIG_CHANGE);
}

static void
reset_now(struct bgp_session *s)
{
	s->reset.due = false;
	if (!reset_forgives(s)) {
		s->holdoff = true;
		s->backoff_ms = s->conf.connect_retry_ms;
	}
	for (int i = 0; i < BGP_LINKS; i++) {
		struct bgp_link *l = &s->link[i];

		l->err = (struct bgp_notify){ s->reset.code, s->reset.subcode, 0, NULL };
		bgp_session_set_error(s, "%s", s->reset.reason);
		bgp_link_event(l, BGP_EV_RESET);
	}
}

/* At the end of a turn in which a connection ended, or something was asked for. RFC 4271 8.1.1,
 * DampPeerOscillations is not used: a session goes on trying by itself. */
static void
work(void *arg)
{
	struct bgp_session *s = arg;
	struct bgp_link *d = &s->link[BGP_DIALLER], *l = &s->link[BGP_LISTENER];

	if (s->reset.due)
		reset_now(s);
	if (!s->running || established(s) != NULL)
		return;
	if (!s->holdoff && l->state == BGP_IDLE)
		bgp_link_event(l, BGP_EV_START_PASSIVE);
	if (fab_timer_pending(s->retry))
		return;
	if (s->holdoff || (can_dial(s) && d->state <= BGP_ACTIVE && d->state != BGP_CONNECT &&
			      l->state < BGP_OPEN_SENT))
		bgp_session_arm_retry(s);
}

static void
on_retry(void *arg)
{
	struct bgp_session *s = arg;

	s->holdoff = false;
	if (can_dial(s) && s->link[BGP_DIALLER].state < BGP_OPEN_SENT &&
	    s->link[BGP_LISTENER].state < BGP_OPEN_SENT)
		bgp_link_event(&s->link[BGP_DIALLER], BGP_EV_RETRY);
	work(s);
}

/* ---- for the owner ---- */

/* Copies a string that conf leads to. */
static int
own(struct bgp_session *s, int i, const char **text)
{
	if (*text == NULL)
		return FAB_OK;
	s->strings[i] = strdup(*text);
	*text = s->strings[i];
	return *text == NULL ? FAB_ENOMEM : FAB_OK;
}

static int
own_conf(struct bgp_session *s, const struct bgp_session_conf *conf)
{
	static const char *const fallback = "";

	s->conf = *conf;
	if (s->conf.connect_retry_ms == 0)
		s->conf.connect_retry_ms = BGP_CONNECT_RETRY_MS;
	if (s->conf.local_name == NULL)
		s->conf.local_name = fallback;
	if (s->conf.peer_name == NULL)
		s->conf.peer_name = fallback;
	if (conf->tls != NULL) {
		s->tls = *conf->tls;
		s->conf.tls = &s->tls;
	}
	if (own(s, 0, &s->conf.local_name) != FAB_OK || own(s, 1, &s->conf.peer_name) != FAB_OK ||
	    own(s, 2, &s->conf.dial_url) != FAB_OK || own(s, 3, &s->tls.cert) != FAB_OK ||
	    own(s, 4, &s->tls.key) != FAB_OK || own(s, 5, &s->tls.ca) != FAB_OK)
		return FAB_ENOMEM;
	return FAB_OK;
}

int
bgp_session_new(struct bgp_session **out, struct fab_loop *loop,
    const struct bgp_session_conf *conf, const struct bgp_session_cb *cb, void *ctx)
{
	struct bgp_session *s;
	int rc;

	/* RFC 4271 4.2: zero or at least three seconds, in 16 bits. */
	if ((conf->hold_ms > 0 && conf->hold_ms < 3000) || conf->hold_ms / 1000 > UINT16_MAX)
		return FAB_EINVAL;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return FAB_ENOMEM;
	s->loop = loop;
	s->cb = *cb;
	s->ctx = ctx;
	s->ops = conf->transport == BGP_TRANSPORT_TCP ? &bgp_tcp_ops : &bgp_nng_ops;
	s->work = (struct fab_post){ .fn = work, .arg = s };
	s->since_us = fab_wall_us();
	s->backoff_ms = BGP_RETRY_FIRST_MS;
	rc = own_conf(s, conf);
	for (int i = 0; i < BGP_LINKS && rc == FAB_OK; i++)
		rc = bgp_link_init(&s->link[i], s);
	if (rc == FAB_OK)
		rc = fab_timer_new(&s->retry, loop, on_retry, s);
	if (rc != FAB_OK) {
		bgp_session_free(s);
		return rc;
	}
	*out = s;
	return FAB_OK;
}

void
bgp_session_free(struct bgp_session *s)
{
	if (s == NULL)
		return;
	FAB_ASSERT(s->depth == 0);
	s->quiet = true;
	if (s->running)
		bgp_session_stop(s, BGP_CEASE_PEER_DECONFIGURED, NULL);
	bgp_cut_fini(s);
	fab_loop_defer_cancel(s->loop, &s->work);
	for (int i = 0; i < BGP_LINKS; i++) {
		fab_timer_free(s->link[i].hold);
		fab_timer_free(s->link[i].keepalive);
		fab_timer_free(s->link[i].bfd_tx);
		fab_timer_free(s->link[i].bfd_rx);
	}
	fab_timer_free(s->retry);
	bgp_scratch_fini(&s->scratch);
	for (size_t i = 0; i < sizeof(s->strings) / sizeof(s->strings[0]); i++)
		free(s->strings[i]);
	free(s);
}

void
bgp_session_start(struct bgp_session *s)
{
	if (s->running)
		return;
	s->running = true;
	s->stopped = false;
	s->holdoff = false;
	s->backoff_ms = BGP_RETRY_FIRST_MS;
	bgp_link_event(&s->link[BGP_LISTENER], BGP_EV_START_PASSIVE);
	if (can_dial(s))
		bgp_link_event(&s->link[BGP_DIALLER], BGP_EV_START);
}

void
bgp_session_stop_now(struct bgp_session *s)
{
	const struct bgp_notify n = { BGP_ERR_CEASE, (uint8_t)s->stop.subcode, s->stop.data_len,
		s->stop.data };
	char text[BGP_ERROR_TEXT_MAX - 10];

	s->stop.due = false;
	s->reset.due = false;
	s->running = false;
	s->stopped = true;
	fab_timer_cancel(s->retry);
	bgp_session_set_error(s, "stopped: %s", bgp_notify_format(text, sizeof(text), &n));
	for (int i = 0; i < BGP_LINKS; i++) {
		s->link[i].err = n;
		bgp_link_event(&s->link[i], BGP_EV_STOP);
	}
}

void
bgp_session_stop(struct bgp_session *s, enum bgp_cease subcode, const char *text)
{
	s->stop.due = true;
	s->stop.subcode = subcode;
	s->stop.data_len = text == NULL ? 0 : (uint16_t)bgp_shutdown_encode(s->stop.data, text);
	if (s->depth == 0)
		bgp_session_stop_now(s);
}

void
bgp_session_reset(struct bgp_session *s, enum bgp_error code, uint8_t subcode, const char *reason)
{
	if (!s->running || s->reset.due)
		return;
	s->reset.due = true;
	s->reset.code = (uint8_t)code;
	s->reset.subcode = subcode;
	snprintf(s->reset.reason, sizeof(s->reset.reason), "%s", reason);
	fab_loop_defer(s->loop, &s->work);
}

void
bgp_session_out_of_resources(struct bgp_session *s, const char *why)
{
	bgp_session_reset(s, BGP_ERR_CEASE, BGP_CEASE_OUT_OF_RESOURCES, why);
}

void
bgp_session_send(struct bgp_session *s, struct fab_buf *b)
{
	struct bgp_link *l = established(s);

	if (l == NULL || s->reset.due)
		return;
	if (bgp_session_backlog(s) + b->len > BGP_BACKLOG_MAX) {
		bgp_session_out_of_resources(s, "the peer does not read: backlog above the limit");
		return;
	}
	s->stats.updates_out++;
	bgp_link_send(l, fab_buf_ref(b));
}

bool
bgp_session_refresh(struct bgp_session *s)
{
	static const struct bgp_refresh all = { .afi = 1, .safi = 1 };
	struct bgp_link *l = established(s);

	if (l == NULL || !l->peer.refresh)
		return false;
	bgp_link_send(l, s->ops->encode_refresh(&all));
	return true;
}

void
bgp_session_refresh_mark(struct bgp_session *s, bool end)
{
	const struct bgp_refresh mark = { .afi = 1, .safi = 1, .subtype = end ? 2 : 1 };
	struct bgp_link *l = established(s);

	if (l != NULL && l->peer.enhanced_refresh)
		bgp_link_send(l, s->ops->encode_refresh(&mark));
}

/* ---- questions ---- */

enum bgp_state
bgp_session_state(const struct bgp_session *s)
{
	return s->state;
}

/* The connection that matters most. */
static const struct bgp_link *
foremost(const struct bgp_session *s)
{
	const struct bgp_link *d = &s->link[BGP_DIALLER], *l = &s->link[BGP_LISTENER];

	return d->state > l->state ? d : l;
}

enum bgp_wire
bgp_session_wire(const struct bgp_session *s)
{
	if (s->conf.transport == BGP_TRANSPORT_NNG)
		return BGP_WIRE_PB;
	return foremost(s)->opts.as4 ? BGP_WIRE_RFC_AS4 : BGP_WIRE_RFC_AS2;
}

size_t
bgp_session_message_max(const struct bgp_session *s)
{
	bool large = s->conf.transport == BGP_TRANSPORT_NNG || foremost(s)->opts.extended;

	return large ? BGP_MESSAGE_EXTENDED : BGP_MESSAGE_MAX;
}

size_t
bgp_session_backlog(const struct bgp_session *s)
{
	const struct bgp_link *l = foremost(s);

	return l->t == NULL ? 0 : l->t->ops->backlog(l->t) + l->held_out.octets;
}

uint16_t
bgp_session_hold_sec(const struct bgp_session *s)
{
	const struct bgp_link *l = foremost(s);

	return l->state < BGP_OPEN_CONFIRM ? 0 : (uint16_t)(l->hold_ms / 1000);
}

uint32_t
bgp_session_peer_router_id(const struct bgp_session *s)
{
	const struct bgp_link *l = foremost(s);

	return l->state < BGP_OPEN_CONFIRM ? 0 : l->peer.router_id;
}

const struct bgp_session_stats *
bgp_session_stats(const struct bgp_session *s)
{
	return &s->stats;
}

const struct bgp_session_conf *
bgp_session_conf(const struct bgp_session *s)
{
	return &s->conf;
}

bool
bgp_session_was_shut_down(const struct bgp_session *s)
{
	return s->shut_down;
}

const char *
bgp_session_last_error(const struct bgp_session *s)
{
	return s->last_error;
}

uint64_t
bgp_session_since_us(const struct bgp_session *s)
{
	return s->since_us;
}
