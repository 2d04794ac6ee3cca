/*
 * Every cell of the state machine (RFC 4271 8.2.2), on a transport that only writes down what it is
 * asked to do.
 */
#include "lib/bgp_fsm.h"
#include "tests/unit/bgp_test.h"
#include "tests/unit/fab_cunit.h"

#include <stdio.h>

static struct fab_loop *loop;

/* ---- a transport for the table ---- */

struct fake {
	struct bgp_transport base;
};

static struct {
	unsigned dials, opens, keepalives, closes, notifications, ups, downs, updates, refreshes;
	struct bgp_notify last;
} seen;

static void
note_notification(struct fab_buf *b)
{
	seen.notifications++;
	seen.last = (struct bgp_notify){ b->data[19], b->data[20], 0, NULL };
}

static int
fake_send(struct bgp_transport *t, struct fab_buf *b)
{
	(void)t;
	seen.opens += b->data[18] == BGP_MSG_OPEN;
	seen.keepalives += b->data[18] == BGP_MSG_KEEPALIVE;
	return FAB_OK;
}

static size_t
fake_backlog(const struct bgp_transport *t)
{
	(void)t;
	return 0;
}

static void
fake_close(struct bgp_transport *t, struct fab_buf *last)
{
	seen.closes++;
	if (last != NULL)
		note_notification(last);
	free(t);
}

static int fake_dial(struct bgp_transport **out, struct fab_loop *l,
    const struct bgp_session_conf *conf, const struct bgp_transport_cb *cb, void *ctx);

static const struct bgp_transport_ops fake_ops = {
	.dial = fake_dial,
	.send = fake_send,
	.backlog = fake_backlog,
	.close = fake_close,
	.decode = bgp_msg_decode,
	.encode_open = bgp_msg_encode_open,
	.encode_notify = bgp_msg_encode_notify,
	.encode_keepalive = bgp_msg_encode_keepalive,
	.encode_refresh = bgp_msg_encode_refresh,
};

static struct bgp_transport *
fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->base.ops = &fake_ops;
	return &f->base;
}

static int
fake_dial(struct bgp_transport **out, struct fab_loop *l, const struct bgp_session_conf *conf,
    const struct bgp_transport_cb *cb, void *ctx)
{
	(void)l;
	(void)conf;
	seen.dials++;
	*out = fake_new();
	(*out)->cb = cb;
	(*out)->ctx = ctx;
	return FAB_OK;
}

/* ---- a session in a given state ---- */

static void
on_up(void *ctx, struct bgp_session *s)
{
	(void)ctx;
	(void)s;
	seen.ups++;
}

static void
on_down(void *ctx, struct bgp_session *s, const char *reason)
{
	(void)ctx;
	(void)s;
	CU_ASSERT(reason[0] != '\0');
	seen.downs++;
}

static void
on_update(void *ctx, struct bgp_session *s, const struct bgp_update *u)
{
	(void)ctx;
	(void)s;
	(void)u;
	seen.updates++;
}

static void
on_refresh(void *ctx, struct bgp_session *s)
{
	(void)ctx;
	(void)s;
	seen.refreshes++;
}

static const struct bgp_session_cb callbacks = {
	.up = on_up,
	.down = on_down,
	.update = on_update,
	.refresh = on_refresh,
};

static const struct bgp_open good_open = { .version = 4,
	.asn = 65001,
	.router_id = 9,
	.hold_sec = 30,
	.ipv4 = true,
	.as4 = true,
	.refresh = true };

static struct bgp_session *
session_new(void)
{
	static const struct bgp_session_conf conf = { .local_name = "rs1-0",
		.peer_name = "nva1",
		.local_as = 65515,
		.peer_as = 65001,
		.router_id = 5,
		.hold_ms = 90000,
		.connect_retry_ms = 60000,
		.transport = BGP_TRANSPORT_TCP,
		.dial_port = 179 };
	struct bgp_session *s;

	CU_ASSERT_EQUAL_FATAL(bgp_session_new(&s, loop, &conf, &callbacks, NULL), FAB_OK);
	s->ops = &fake_ops;
	s->running = true;
	bgp_session_set_error(s, "none yet");
	return s;
}

/* Puts the link into a state, with the connection that belongs to it. */
static void
put_into(struct bgp_link *l, enum bgp_state state)
{
	struct bgp_session *s = l->s;

	if (state == BGP_CONNECT || state >= BGP_OPEN_SENT) {
		l->t = fake_new();
		l->t->cb = &bgp_link_cb;
		l->t->ctx = l;
	}
	l->state = state;
	l->peer = good_open;
	l->hold_ms = 30000;
	l->opts.as4 = true;
	s->state = state;
	memset(&seen, 0, sizeof(seen));
}

static void
step(struct bgp_link *l, enum bgp_event ev)
{
	struct bgp_msg m = { .type = BGP_MSG_UPDATE };

	l->err = (struct bgp_notify){ BGP_ERR_CEASE, BGP_CEASE_ADMIN_RESET, 0, NULL };
	if (ev == BGP_EV_RX_OPEN)
		m.open = good_open;
	else if (ev == BGP_EV_RX_UPDATE)
		m.updates.n = 1;
	else if (ev == BGP_EV_RX_NOTIFICATION)
		m.notify = (struct bgp_notify){ 6, 2, 0, NULL };
	else if (ev == BGP_EV_RX_REFRESH)
		m.refresh = (struct bgp_refresh){ 1, 1, 0 };
	else if (ev == BGP_EV_RX_BAD)
		l->err = (struct bgp_notify){ BGP_ERR_UPDATE, BGP_UPDATE_BAD_LIST, 0, NULL };
	l->rx = &m;
	bgp_link_event(l, ev);
	l->rx = NULL;
}

/* ---- the cells ---- */

#define NONE    0
#define CEASE   BGP_ERR_CEASE
#define FSM_ERR BGP_ERR_FSM

/* What each cell leads to: next state, NOTIFICATION code. In the order of enum bgp_event. */
static const struct cell {
	enum bgp_state next;
	uint8_t code;
} cells[BGP_STATE_COUNT][BGP_EV_COUNT] = {
	[BGP_IDLE] = {
	    [BGP_EV_START] = { BGP_CONNECT },
	    [BGP_EV_START_PASSIVE] = { BGP_ACTIVE },
	    [BGP_EV_RETRY] = { BGP_CONNECT },
	    [BGP_EV_CONN_UP] = { BGP_OPEN_SENT },
	    /* everything else leaves it in Idle */
	},
	[BGP_CONNECT] = {
	    [BGP_EV_START] = { BGP_CONNECT },
	    [BGP_EV_START_PASSIVE] = { BGP_CONNECT },
	    [BGP_EV_RETRY] = { BGP_CONNECT },
	    [BGP_EV_CONN_UP] = { BGP_OPEN_SENT },
	    [BGP_EV_CONN_DOWN] = { BGP_ACTIVE },
	},
	[BGP_ACTIVE] = {
	    [BGP_EV_START] = { BGP_ACTIVE },
	    [BGP_EV_START_PASSIVE] = { BGP_ACTIVE },
	    [BGP_EV_RETRY] = { BGP_CONNECT },
	    [BGP_EV_CONN_UP] = { BGP_OPEN_SENT },
	    [BGP_EV_CONN_DOWN] = { BGP_ACTIVE },
	},
	[BGP_OPEN_SENT] = {
	    [BGP_EV_START] = { BGP_OPEN_SENT },
	    [BGP_EV_START_PASSIVE] = { BGP_OPEN_SENT },
	    [BGP_EV_STOP] = { BGP_IDLE, CEASE },
	    [BGP_EV_RESET] = { BGP_IDLE, CEASE },
	    [BGP_EV_RETRY] = { BGP_OPEN_SENT },
	    [BGP_EV_CONN_UP] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_CONN_DOWN] = { BGP_ACTIVE },
	    [BGP_EV_HOLD_EXPIRED] = { BGP_IDLE, BGP_ERR_HOLD_TIMER },
	    [BGP_EV_KEEPALIVE_DUE] = { BGP_OPEN_SENT },
	    [BGP_EV_RX_OPEN] = { BGP_OPEN_CONFIRM },
	    [BGP_EV_RX_UPDATE] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_RX_NOTIFICATION] = { BGP_IDLE },
	    [BGP_EV_RX_KEEPALIVE] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_RX_REFRESH] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_RX_BAD] = { BGP_IDLE, BGP_ERR_UPDATE },
	},
	[BGP_OPEN_CONFIRM] = {
	    [BGP_EV_START] = { BGP_OPEN_CONFIRM },
	    [BGP_EV_START_PASSIVE] = { BGP_OPEN_CONFIRM },
	    [BGP_EV_STOP] = { BGP_IDLE, CEASE },
	    [BGP_EV_RESET] = { BGP_IDLE, CEASE },
	    [BGP_EV_RETRY] = { BGP_OPEN_CONFIRM },
	    [BGP_EV_CONN_UP] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_CONN_DOWN] = { BGP_IDLE },
	    [BGP_EV_HOLD_EXPIRED] = { BGP_IDLE, BGP_ERR_HOLD_TIMER },
	    [BGP_EV_KEEPALIVE_DUE] = { BGP_OPEN_CONFIRM },
	    [BGP_EV_RX_OPEN] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_RX_UPDATE] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_RX_NOTIFICATION] = { BGP_IDLE },
	    [BGP_EV_RX_KEEPALIVE] = { BGP_ESTABLISHED },
	    [BGP_EV_RX_REFRESH] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_RX_BAD] = { BGP_IDLE, BGP_ERR_UPDATE },
	},
	[BGP_ESTABLISHED] = {
	    [BGP_EV_START] = { BGP_ESTABLISHED },
	    [BGP_EV_START_PASSIVE] = { BGP_ESTABLISHED },
	    [BGP_EV_STOP] = { BGP_IDLE, CEASE },
	    [BGP_EV_RESET] = { BGP_IDLE, CEASE },
	    [BGP_EV_RETRY] = { BGP_ESTABLISHED },
	    [BGP_EV_CONN_UP] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_CONN_DOWN] = { BGP_IDLE },
	    [BGP_EV_HOLD_EXPIRED] = { BGP_IDLE, BGP_ERR_HOLD_TIMER },
	    [BGP_EV_KEEPALIVE_DUE] = { BGP_ESTABLISHED },
	    [BGP_EV_RX_OPEN] = { BGP_IDLE, FSM_ERR },
	    [BGP_EV_RX_UPDATE] = { BGP_ESTABLISHED },
	    [BGP_EV_RX_NOTIFICATION] = { BGP_IDLE },
	    [BGP_EV_RX_KEEPALIVE] = { BGP_ESTABLISHED },
	    [BGP_EV_RX_REFRESH] = { BGP_ESTABLISHED },
	    [BGP_EV_RX_BAD] = { BGP_IDLE, BGP_ERR_UPDATE },
	},
};

/* An IDLE cell of Connect and Active that the table above leaves out: nothing to notify there. */
static bool
drops_to_idle(enum bgp_state state, enum bgp_state now)
{
	return state < BGP_OPEN_SENT && now == BGP_IDLE;
}

static void
test_every_cell(void)
{
	for (int state = 0; state < BGP_STATE_COUNT; state++) {
		for (int ev = 0; ev < BGP_EV_COUNT; ev++) {
			const struct cell *want = &cells[state][ev];
			struct bgp_session *s = session_new();
			struct bgp_link *l = &s->link[BGP_DIALLER];

			put_into(l, (enum bgp_state)state);
			if (ev == BGP_EV_CONN_UP && state < BGP_CONNECT)
				l->t = fake_new(); /* accepted */
			if (ev == BGP_EV_CONN_UP && state == BGP_ACTIVE)
				l->t = fake_new();
			step(l, (enum bgp_event)ev);
			if (l->state != want->next)
				printf("cell %s, event %d: %s\n",
				    bgp_state_name((enum bgp_state)state), ev,
				    bgp_state_name(l->state));
			CU_ASSERT_EQUAL(l->state, want->next);
			if (drops_to_idle((enum bgp_state)state, l->state)) {
				CU_ASSERT_PTR_NULL(l->t);
				CU_ASSERT_EQUAL(seen.notifications, 0);
			} else {
				CU_ASSERT_EQUAL(seen.notifications, want->code != NONE);
				CU_ASSERT_EQUAL(seen.last.code, want->code);
			}
			if (l->state == BGP_IDLE)
				CU_ASSERT_PTR_NULL(l->t);
			CU_ASSERT_EQUAL(
			    seen.ups, state != BGP_ESTABLISHED && l->state == BGP_ESTABLISHED);
			CU_ASSERT_EQUAL(
			    seen.downs, state == BGP_ESTABLISHED && l->state != BGP_ESTABLISHED);
			bgp_session_free(s);
		}
	}
}

/* RFC 6608 3: the subcode names the state. */
static void
test_unexpected_messages_name_the_state(void)
{
	static const struct {
		enum bgp_state state;
		enum bgp_event ev;
		uint8_t subcode;
	} cases[] = {
		{ BGP_OPEN_SENT, BGP_EV_RX_UPDATE, BGP_FSM_IN_OPEN_SENT },
		{ BGP_OPEN_CONFIRM, BGP_EV_RX_UPDATE, BGP_FSM_IN_OPEN_CONFIRM },
		{ BGP_ESTABLISHED, BGP_EV_RX_OPEN, BGP_FSM_IN_ESTABLISHED },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_session *s = session_new();

		put_into(&s->link[BGP_DIALLER], cases[i].state);
		step(&s->link[BGP_DIALLER], cases[i].ev);
		CU_ASSERT_EQUAL(seen.last.code, BGP_ERR_FSM);
		CU_ASSERT_EQUAL(seen.last.subcode, cases[i].subcode);
		bgp_session_free(s);
	}
}

static void
test_what_actions_send_and_call(void)
{
	static const struct {
		enum bgp_state state;
		enum bgp_event ev;
		unsigned dials, opens, keepalives, updates, refreshes;
	} cases[] = {
		{ BGP_IDLE, BGP_EV_START, 1, 0, 0, 0, 0 },
		{ BGP_ACTIVE, BGP_EV_RETRY, 1, 0, 0, 0, 0 },
		{ BGP_CONNECT, BGP_EV_RETRY, 1, 0, 0, 0, 0 },
		{ BGP_CONNECT, BGP_EV_CONN_UP, 0, 1, 0, 0, 0 },
		{ BGP_OPEN_SENT, BGP_EV_RX_OPEN, 0, 0, 1, 0, 0 },
		{ BGP_OPEN_CONFIRM, BGP_EV_KEEPALIVE_DUE, 0, 0, 1, 0, 0 },
		{ BGP_ESTABLISHED, BGP_EV_KEEPALIVE_DUE, 0, 0, 1, 0, 0 },
		{ BGP_ESTABLISHED, BGP_EV_RX_UPDATE, 0, 0, 0, 1, 0 },
		{ BGP_ESTABLISHED, BGP_EV_RX_REFRESH, 0, 0, 0, 0, 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_session *s = session_new();

		put_into(&s->link[BGP_DIALLER], cases[i].state);
		step(&s->link[BGP_DIALLER], cases[i].ev);
		CU_ASSERT_EQUAL(seen.dials, cases[i].dials);
		CU_ASSERT_EQUAL(seen.opens, cases[i].opens);
		CU_ASSERT_EQUAL(seen.keepalives, cases[i].keepalives);
		CU_ASSERT_EQUAL(seen.updates, cases[i].updates);
		CU_ASSERT_EQUAL(seen.refreshes, cases[i].refreshes);
		bgp_session_free(s);
	}
}

/* RFC 4271 6.2: an OPEN that is not acceptable, by subcode. */
static void
test_bad_opens_are_refused(void)
{
	static const struct {
		struct bgp_open open;
		uint8_t subcode;
	} cases[] = {
		{ { .version = 3, .asn = 65001, .router_id = 9, .ipv4 = true }, 1 },
		{ { .version = 4, .asn = 65002, .router_id = 9, .ipv4 = true }, 2 },
		{ { .version = 4, .asn = 65001, .router_id = 0, .ipv4 = true }, 3 },
		{ { .version = 4, .asn = 65001, .router_id = 9, .hold_sec = 2, .ipv4 = true }, 6 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_session *s = session_new();
		struct bgp_link *l = &s->link[BGP_DIALLER];
		struct bgp_msg m = { .type = BGP_MSG_OPEN, .open = cases[i].open };

		put_into(l, BGP_OPEN_SENT);
		l->rx = &m;
		bgp_link_event(l, BGP_EV_RX_OPEN);
		CU_ASSERT_EQUAL(l->state, BGP_IDLE);
		CU_ASSERT_EQUAL(seen.last.code, BGP_ERR_OPEN);
		CU_ASSERT_EQUAL(seen.last.subcode, cases[i].subcode);
		bgp_session_free(s);
	}
}

/* RS-32, RFC 4271 4.2 and 10: the smaller hold time; a third of it, or what is configured. */
static void
test_negotiation(void)
{
	static const struct {
		uint32_t ours_ms;
		uint16_t theirs;
		bool ours_extended, theirs_extended, as4;
		uint16_t hold;
		size_t message_max;
	} cases[] = {
		{ 180000, 30, false, true, true, 30, 4096 },
		{ 15000, 180, true, true, true, 15, 65535 },
		{ 180000, 0, true, false, false, 0, 4096 },
		{ 0, 180, false, false, true, 0, 4096 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_session *s = session_new();
		struct bgp_link *l = &s->link[BGP_DIALLER];
		struct bgp_msg m = { .type = BGP_MSG_OPEN, .open = good_open };

		s->conf.hold_ms = cases[i].ours_ms;
		s->conf.offer_extended_message = cases[i].ours_extended;
		m.open.hold_sec = cases[i].theirs;
		m.open.extended_message = cases[i].theirs_extended;
		m.open.as4 = cases[i].as4;
		put_into(l, BGP_OPEN_SENT);
		l->rx = &m;
		bgp_link_event(l, BGP_EV_RX_OPEN);
		CU_ASSERT_EQUAL(bgp_session_hold_sec(s), cases[i].hold);
		CU_ASSERT_EQUAL(fab_timer_pending(l->hold), cases[i].hold != 0);
		CU_ASSERT_EQUAL(fab_timer_pending(l->keepalive), cases[i].hold != 0);
		CU_ASSERT_EQUAL(bgp_session_message_max(s), cases[i].message_max);
		CU_ASSERT_EQUAL(
		    bgp_session_wire(s), cases[i].as4 ? BGP_WIRE_RFC_AS4 : BGP_WIRE_RFC_AS2);
		CU_ASSERT_EQUAL(bgp_session_peer_router_id(s), 9);
		bgp_session_free(s);
	}
}

/* ---- collisions, RFC 4271 6.8 ---- */

static void
test_collisions(void)
{
	static const struct {
		const char *what;
		uint32_t peer_id;
		enum bgp_state other;
		bool new_incoming, other_incoming, new_survives;
	} cases[] = {
		{ "we have the lower id: the peer's connection stays", 9, BGP_OPEN_CONFIRM, true,
		    false, true },
		{ "and ours goes", 9, BGP_OPEN_CONFIRM, false, true, false },
		{ "we have the higher id: ours stays", 1, BGP_OPEN_CONFIRM, false, true, true },
		{ "and the peer's goes", 1, BGP_OPEN_CONFIRM, true, false, false },
		{ "equal ids (RFC 6286 2.3): we have the higher ASN", 5, BGP_OPEN_CONFIRM, true,
		    false, false },
		{ "an Established one stays whatever the ids are", 9, BGP_ESTABLISHED, true, false,
		    false },
		{ "in OpenSent nothing is known yet", 9, BGP_OPEN_SENT, false, true, true },
		{ "the peer has dialled twice: the new one", 1, BGP_OPEN_CONFIRM, true, true,
		    true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bgp_session *s = session_new();
		struct bgp_link *l = &s->link[BGP_LISTENER], *other = &s->link[BGP_DIALLER];
		struct bgp_msg m = { .type = BGP_MSG_OPEN, .open = good_open };
		bool gone;

		put_into(other, cases[i].other);
		put_into(l, BGP_OPEN_SENT);
		s->state = cases[i].other == BGP_ESTABLISHED ? BGP_ESTABLISHED : BGP_OPEN_CONFIRM;
		other->incoming = cases[i].other_incoming;
		l->incoming = cases[i].new_incoming;
		m.open.router_id = cases[i].peer_id;
		l->rx = &m;
		bgp_link_event(l, BGP_EV_RX_OPEN);
		l->rx = NULL;
		CU_ASSERT_EQUAL(l->state, cases[i].new_survives ? BGP_OPEN_CONFIRM : BGP_IDLE);
		gone = cases[i].new_survives && cases[i].other == BGP_OPEN_CONFIRM;
		CU_ASSERT_EQUAL(other->state, gone ? BGP_IDLE : cases[i].other);
		if (seen.notifications > 0) {
			CU_ASSERT_EQUAL(seen.last.code, BGP_ERR_CEASE);
			CU_ASSERT_EQUAL(seen.last.subcode, BGP_CEASE_COLLISION);
		}
		CU_ASSERT_EQUAL(seen.notifications, gone || !cases[i].new_survives);
		CU_ASSERT_EQUAL(seen.downs, 0);
		bgp_session_free(s);
	}
}

static void
test_the_first_established_ends_the_other(void)
{
	struct bgp_session *s = session_new();

	put_into(&s->link[BGP_DIALLER], BGP_OPEN_SENT);
	put_into(&s->link[BGP_LISTENER], BGP_OPEN_CONFIRM);
	step(&s->link[BGP_LISTENER], BGP_EV_RX_KEEPALIVE);
	CU_ASSERT_EQUAL(s->link[BGP_LISTENER].state, BGP_ESTABLISHED);
	CU_ASSERT_EQUAL(s->link[BGP_DIALLER].state, BGP_IDLE);
	CU_ASSERT_EQUAL(seen.ups, 1);
	CU_ASSERT_EQUAL(seen.notifications, 1);
	CU_ASSERT_EQUAL(bgp_session_state(s), BGP_ESTABLISHED);
	bgp_session_free(s);
}

static void
test_set_up(void)
{
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
}

static void
test_tear_down(void)
{
	fab_loop_free(loop);
}

static CU_TestInfo tests[] = {
	{ "set up", test_set_up },
	{ "every cell (RFC 4271 8.2.2)", test_every_cell },
	{ "unexpected messages name the state (RFC 6608)",
	    test_unexpected_messages_name_the_state },
	{ "what actions send and call", test_what_actions_send_and_call },
	{ "bad OPENs are refused (RFC 4271 6.2)", test_bad_opens_are_refused },
	{ "negotiation (RS-32)", test_negotiation },
	{ "collisions (RFC 4271 6.8, RFC 6286 2.3)", test_collisions },
	{ "the first Established ends the other", test_the_first_established_ends_the_other },
	{ "tear down", test_tear_down },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("bgp_fsm", tests)
