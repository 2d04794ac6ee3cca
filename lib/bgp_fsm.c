/*
 * The state machine of RFC 4271 8, as a table: rows are states, columns events. Each connection of
 * a session runs it (8.2.1 has one machine per connection while two are open): one dials, one waits
 * for the peer to dial. The actions are below in the order of a session's life.
 */
#include "lib/bgp_fsm.h"
#include "lib/err.h"

/* ---- connecting ---- */

/* RFC 4271 8.2.2: the retry timer bounds the attempt. */
static int
act_connect(struct bgp_link *l)
{
	struct bgp_session *s = l->s;
	int rc = FAB_OK;

	bgp_link_close(l, NULL);
	if (!s->cut_in && !s->cut_out) /* a SYN would be lost as well */
		rc = s->ops->dial(&l->t, s->loop, &s->conf, &bgp_link_cb, l);
	l->incoming = false;
	if (l->t != NULL) {
		fab_timer_set_ms(s->retry, s->conf.connect_retry_ms > BGP_DIAL_MIN_MS
					       ? s->conf.connect_retry_ms
					       : BGP_DIAL_MIN_MS);
		return 0;
	}
	if (rc != FAB_OK)
		bgp_session_set_error(s, "connect: %s", fab_strerror(rc));
	bgp_session_arm_retry(s);
	return 0;
}

static int
act_wait(struct bgp_link *l)
{
	(void)l;
	return 0;
}

static int
act_connect_failed(struct bgp_link *l)
{
	bgp_link_close(l, NULL);
	bgp_session_arm_retry(l->s);
	return 0;
}

/* RFC 4271 8.2.2, OpenSent: the other side has closed before its OPEN; a dialler tries again. */
static int
act_open_lost(struct bgp_link *l)
{
	bool dialler = l == &l->s->link[BGP_DIALLER];

	bgp_link_close(l, NULL);
	if (dialler && l->incoming)
		return -1; /* it was a guest in this place */
	if (dialler)
		bgp_session_arm_retry(l->s);
	return 0;
}

static int
act_send_open(struct bgp_link *l)
{
	const struct bgp_session_conf *c = &l->s->conf;
	const struct bgp_open open = { .version = 4,
		.hold_sec = (uint16_t)(c->hold_ms / 1000),
		.asn = c->local_as,
		.router_id = c->router_id,
		.as4 = true,
		.ipv4 = true,
		.ipv6 = c->offer_ipv6,
		.refresh = true,
		.enhanced_refresh = c->offer_enhanced_refresh,
		.extended_message = c->offer_extended_message };

	if (l == &l->s->link[BGP_DIALLER])
		fab_timer_cancel(l->s->retry);
	l->opts = (struct bgp_decode_opts){
		.as4 = true, .ibgp = c->peer_as == c->local_as, .local_addr = c->local_addr
	};
	l->seen_keepalive = false;
	bgp_link_arm_hold(l, c->hold_ms > 0 ? c->hold_ms : BGP_OPEN_HOLD_MS);
	bgp_link_send(l, l->s->ops->encode_open(&open));
	return 0;
}

/* ---- OPEN ---- */

/* RFC 4271 6.8: of two connections, the one survives that the speaker with the higher identifier
 * opened (RFC 6286 2.3: with the higher ASN if they are equal). Of two that the same side opened,
 * the newer one: the peer has forgotten the other. */
static bool
collision_keeps_new(const struct bgp_link *l, const struct bgp_link *other)
{
	const struct bgp_session_conf *c = &l->s->conf;
	bool peer_wins = l->peer.router_id != c->router_id ? l->peer.router_id > c->router_id
							   : c->peer_as > c->local_as;

	if (l->incoming == other->incoming)
		return true;
	return peer_wins == l->incoming;
}

/* True: l may go on. */
static bool
resolve_collision(struct bgp_link *l)
{
	struct bgp_link *other = bgp_link_other(l), *loser = NULL;

	if (other->state == BGP_ESTABLISHED)
		loser = l;
	else if (other->state == BGP_OPEN_CONFIRM)
		loser = collision_keeps_new(l, other) ? other : l;
	if (loser == NULL)
		return true;
	loser->err = (struct bgp_notify){ BGP_ERR_CEASE, BGP_CEASE_COLLISION, 0, NULL };
	if (loser == l) {
		bgp_link_close(l, &l->err);
		return false;
	}
	l->s->loser = other;
	return true;
}

static void
negotiate(struct bgp_link *l)
{
	const struct bgp_session_conf *c = &l->s->conf;
	uint32_t hold_sec = c->hold_ms / 1000;

	/* RFC 4271 4.2, RS-32: the smaller one; not so an Azure VPN gateway (VPN-4, OPEN-3) */
	if (l->peer.hold_sec < hold_sec && !c->own_timers)
		hold_sec = l->peer.hold_sec;
	l->opts.as4 = l->peer.as4;
	l->opts.extended = c->offer_extended_message && l->peer.extended_message;
	l->t->extended = l->opts.extended;
	l->peer.enhanced_refresh &= c->offer_enhanced_refresh;
	bgp_link_arm_hold(l, hold_sec * 1000);
	bgp_link_arm_keepalive(l);
}

/* Tells the peer, notes it as the reason, ends the connection. */
static int
refuse(struct bgp_link *l, const struct bgp_notify *n)
{
	char text[BGP_ERROR_TEXT_MAX - 20];

	bgp_session_set_error(
	    l->s, "sent NOTIFICATION %s", bgp_notify_format(text, sizeof(text), n));
	bgp_link_close(l, n);
	return -1;
}

/* RFC 4271 4.2: a speaker may refuse a hold time; an MSEE does so below 10 s (ER-3). */
static bool
hold_acceptable(const struct bgp_link *l, uint32_t hold_sec, struct bgp_notify *why)
{
	if (hold_sec == 0 || hold_sec * 1000 >= l->s->conf.min_hold_ms)
		return true;
	*why = (struct bgp_notify){ BGP_ERR_OPEN, BGP_OPEN_BAD_HOLD_TIME, 0, NULL };
	return false;
}

static int
act_rx_open(struct bgp_link *l)
{
	const struct bgp_session_conf *c = &l->s->conf;

	if (!bgp_open_acceptable(&l->rx->open, c->local_as, c->peer_as, c->router_id, &l->err) ||
	    !hold_acceptable(l, l->rx->open.hold_sec, &l->err))
		return refuse(l, &l->err);
	l->peer = l->rx->open;
	if (!resolve_collision(l))
		return -1;
	negotiate(l);
	bgp_link_send(l, l->s->ops->encode_keepalive());
	return 0;
}

/* ---- Established ---- */

static int
act_established(struct bgp_link *l)
{
	struct bgp_link *other = bgp_link_other(l);

	l->s->backoff_ms = BGP_RETRY_FIRST_MS;
	l->s->stats.transitions++;
	l->s->shut_down = false;
	bgp_link_start_bfd(l);
	/* The other one has lost, or it stops waiting. */
	other->err = (struct bgp_notify){ BGP_ERR_CEASE, BGP_CEASE_COLLISION, 0, NULL };
	l->s->loser = other;
	return 0;
}

static int
act_update(struct bgp_link *l)
{
	const struct bgp_updates *all = &l->rx->updates;
	struct bgp_session *s = l->s;

	s->stats.updates_in++;
	for (size_t i = 0; i < all->n && !s->reset.due && !s->stop.due; i++) {
		s->stats.treat_as_withdraw += all->u[i].treat_as_withdraw;
		s->cb.update(s->ctx, s, &all->u[i]);
	}
	return 0;
}

static int
act_keepalive(struct bgp_link *l)
{
	struct bgp_session *s = l->s;

	if (!l->seen_keepalive && s->cb.first_keepalive != NULL)
		s->cb.first_keepalive(s->ctx, s);
	l->seen_keepalive = true;
	return 0;
}

/* RFC 2918 4; begin and end marks of RFC 7313 are not acted on, we keep no stale routes. */
static int
act_refresh(struct bgp_link *l)
{
	const struct bgp_refresh *r = &l->rx->refresh;
	struct bgp_session *s = l->s;

	if (r->afi == 1 && r->safi == 1 && r->subtype == 0 && s->cb.refresh != NULL)
		s->cb.refresh(s->ctx, s);
	return 0;
}

static int
act_send_keepalive(struct bgp_link *l)
{
	bgp_link_send(l, l->s->ops->encode_keepalive());
	bgp_link_arm_keepalive(l);
	return 0;
}

/* ---- the end ---- */

static int
act_hold_expired(struct bgp_link *l)
{
	static const struct bgp_notify expired = { BGP_ERR_HOLD_TIMER, 0, 0, NULL };

	bgp_session_set_error(l->s, "hold timer expired");
	bgp_link_close(l, &expired);
	return 0;
}

static int
act_rx_notification(struct bgp_link *l)
{
	char text[BGP_ERROR_TEXT_MAX - 24];

	l->s->stats.notifications_in++;
	l->s->shut_down = l->rx->notify.code == BGP_ERR_CEASE &&
			  l->rx->notify.subcode == BGP_CEASE_ADMIN_SHUTDOWN;
	bgp_session_set_error(l->s, "received NOTIFICATION %s",
	    bgp_notify_format(text, sizeof(text), &l->rx->notify));
	bgp_link_close(l, NULL);
	return 0;
}

static int
act_rx_bad(struct bgp_link *l)
{
	return refuse(l, &l->err);
}

/* The owner's NOTIFICATION; who asked for it has set the reason. */
static int
act_cease(struct bgp_link *l)
{
	bgp_link_close(l, &l->err);
	return 0;
}

static int
act_close(struct bgp_link *l)
{
	bgp_link_close(l, NULL);
	return 0;
}

static int
act_ignore(struct bgp_link *l)
{
	(void)l;
	return 0;
}

/* RFC 4271 6.6, RFC 6608 3 */
static int
act_fsm_error(struct bgp_link *l)
{
	static const uint8_t subcode[BGP_STATE_COUNT] = {
		[BGP_OPEN_SENT] = BGP_FSM_IN_OPEN_SENT,
		[BGP_OPEN_CONFIRM] = BGP_FSM_IN_OPEN_CONFIRM,
		[BGP_ESTABLISHED] = BGP_FSM_IN_ESTABLISHED,
	};
	const struct bgp_notify n = { BGP_ERR_FSM, subcode[l->state], 0, NULL };

	if (l->t == NULL)
		return 0;
	return refuse(l, &n);
}

/* ---- the table ---- */

struct bgp_transition {
	int (*act)(struct bgp_link *l); /* 0, or -1 to fall to Idle */
	enum bgp_state next;
};

/* A cell left empty: NOTIFICATION if a connection is open, then Idle. */
static const struct bgp_transition unexpected = { act_fsm_error, BGP_IDLE };

/* clang-format off */
static const struct bgp_transition fsm[BGP_STATE_COUNT][BGP_EV_COUNT] = {
	[BGP_IDLE] = {
		[BGP_EV_START]           = { act_connect,         BGP_CONNECT },
		[BGP_EV_START_PASSIVE]   = { act_wait,            BGP_ACTIVE },
		[BGP_EV_STOP]            = { act_ignore,          BGP_IDLE },
		[BGP_EV_RESET]           = { act_ignore,          BGP_IDLE },
		[BGP_EV_RETRY]           = { act_connect,         BGP_CONNECT },
		[BGP_EV_CONN_UP]         = { act_send_open,       BGP_OPEN_SENT },
		[BGP_EV_CONN_DOWN]       = { act_close,           BGP_IDLE },
		[BGP_EV_HOLD_EXPIRED]    = { act_ignore,          BGP_IDLE },
		[BGP_EV_KEEPALIVE_DUE]   = { act_ignore,          BGP_IDLE },
	},
	[BGP_CONNECT] = {
		[BGP_EV_START]           = { act_ignore,          BGP_CONNECT },
		[BGP_EV_START_PASSIVE]   = { act_ignore,          BGP_CONNECT },
		[BGP_EV_STOP]            = { act_close,           BGP_IDLE },
		[BGP_EV_RESET]           = { act_close,           BGP_IDLE },
		[BGP_EV_RETRY]           = { act_connect,         BGP_CONNECT },
		[BGP_EV_CONN_UP]         = { act_send_open,       BGP_OPEN_SENT },
		[BGP_EV_CONN_DOWN]       = { act_connect_failed,  BGP_ACTIVE },
	},
	[BGP_ACTIVE] = {
		[BGP_EV_START]           = { act_ignore,          BGP_ACTIVE },
		[BGP_EV_START_PASSIVE]   = { act_ignore,          BGP_ACTIVE },
		[BGP_EV_STOP]            = { act_close,           BGP_IDLE },
		[BGP_EV_RESET]           = { act_close,           BGP_IDLE },
		[BGP_EV_RETRY]           = { act_connect,         BGP_CONNECT },
		[BGP_EV_CONN_UP]         = { act_send_open,       BGP_OPEN_SENT },
		[BGP_EV_CONN_DOWN]       = { act_close,           BGP_ACTIVE },
	},
	[BGP_OPEN_SENT] = {
		[BGP_EV_START]           = { act_ignore,          BGP_OPEN_SENT },
		[BGP_EV_START_PASSIVE]   = { act_ignore,          BGP_OPEN_SENT },
		[BGP_EV_STOP]            = { act_cease,           BGP_IDLE },
		[BGP_EV_RESET]           = { act_cease,           BGP_IDLE },
		[BGP_EV_RETRY]           = { act_ignore,          BGP_OPEN_SENT },
		[BGP_EV_CONN_DOWN]       = { act_open_lost,       BGP_ACTIVE },
		[BGP_EV_HOLD_EXPIRED]    = { act_hold_expired,    BGP_IDLE },
		[BGP_EV_KEEPALIVE_DUE]   = { act_ignore,          BGP_OPEN_SENT },
		[BGP_EV_RX_OPEN]         = { act_rx_open,         BGP_OPEN_CONFIRM },
		[BGP_EV_RX_NOTIFICATION] = { act_rx_notification, BGP_IDLE },
		[BGP_EV_RX_BAD]          = { act_rx_bad,          BGP_IDLE },
	},
	[BGP_OPEN_CONFIRM] = {
		[BGP_EV_START]           = { act_ignore,          BGP_OPEN_CONFIRM },
		[BGP_EV_START_PASSIVE]   = { act_ignore,          BGP_OPEN_CONFIRM },
		[BGP_EV_STOP]            = { act_cease,           BGP_IDLE },
		[BGP_EV_RESET]           = { act_cease,           BGP_IDLE },
		[BGP_EV_RETRY]           = { act_ignore,          BGP_OPEN_CONFIRM },
		[BGP_EV_CONN_DOWN]       = { act_close,           BGP_IDLE },
		[BGP_EV_HOLD_EXPIRED]    = { act_hold_expired,    BGP_IDLE },
		[BGP_EV_KEEPALIVE_DUE]   = { act_send_keepalive,  BGP_OPEN_CONFIRM },
		[BGP_EV_RX_NOTIFICATION] = { act_rx_notification, BGP_IDLE },
		[BGP_EV_RX_KEEPALIVE]    = { act_established,     BGP_ESTABLISHED },
		[BGP_EV_RX_BAD]          = { act_rx_bad,          BGP_IDLE },
	},
	[BGP_ESTABLISHED] = {
		[BGP_EV_START]           = { act_ignore,          BGP_ESTABLISHED },
		[BGP_EV_START_PASSIVE]   = { act_ignore,          BGP_ESTABLISHED },
		[BGP_EV_STOP]            = { act_cease,           BGP_IDLE },
		[BGP_EV_RESET]           = { act_cease,           BGP_IDLE },
		[BGP_EV_RETRY]           = { act_ignore,          BGP_ESTABLISHED },
		[BGP_EV_CONN_DOWN]       = { act_close,           BGP_IDLE },
		[BGP_EV_HOLD_EXPIRED]    = { act_hold_expired,    BGP_IDLE },
		[BGP_EV_KEEPALIVE_DUE]   = { act_send_keepalive,  BGP_ESTABLISHED },
		[BGP_EV_RX_UPDATE]       = { act_update,          BGP_ESTABLISHED },
		[BGP_EV_RX_NOTIFICATION] = { act_rx_notification, BGP_IDLE },
		[BGP_EV_RX_KEEPALIVE]    = { act_keepalive,       BGP_ESTABLISHED },
		[BGP_EV_RX_REFRESH]      = { act_refresh,         BGP_ESTABLISHED },
		[BGP_EV_RX_BAD]          = { act_rx_bad,          BGP_IDLE },
	},
};
/* clang-format on */

static const char *const state_names[] = {
	[BGP_IDLE] = "Idle",
	[BGP_CONNECT] = "Connect",
	[BGP_ACTIVE] = "Active",
	[BGP_OPEN_SENT] = "OpenSent",
	[BGP_OPEN_CONFIRM] = "OpenConfirm",
	[BGP_ESTABLISHED] = "Established",
};

_Static_assert(sizeof(state_names) / sizeof(state_names[0]) == BGP_STATE_COUNT, "a name each");

const char *
bgp_state_name(enum bgp_state s)
{
	return s < BGP_STATE_COUNT ? state_names[s] : "?";
}

void
bgp_fsm_step(struct bgp_link *l, enum bgp_event ev)
{
	const struct bgp_transition *t = &fsm[l->state][ev];
	enum bgp_state old = l->state;

	if (t->act == NULL)
		t = &unexpected;
	l->state = t->act(l) == 0 ? t->next : BGP_IDLE;
	if (l->state != old)
		bgp_session_changed(l->s, l->state);
}
