/*
 * How a session behaves, over both transports: each test runs for TCP on loopback and for NNG over
 * ipc, two sessions in one process and one loop. Side 0 listens (rs1-0, AS 65515), side 1 dials
 * (nva1, AS 65001) unless a test says otherwise.
 */
#include "lib/bgp_session.h"

#include "lib/bgp_fsm.h"
#include "tests/unit/bgp_test.h"
#include "tests/unit/fab_cunit.h"

#include <stdio.h>
#include <unistd.h>

#define LOOPBACK 0x7f000001u
#define WAIT_MS  5000

enum { RS, NVA, SIDES };

struct side {
	struct bgp_session *s;
	struct bgp_listener *l;
	char url[128];
	struct bgp_session_conf conf;
	unsigned ups, downs, states, updates, eors, refreshes, first_keepalives, drains, accepts;
	size_t nlri, withdrawn;
	uint32_t accepted_from;
	enum bgp_cease refuse; /* with `refusing`: how */
	bool refusing;
	enum { QUIET, RESETS, STOPS } on_update;
	char reason[BGP_ERROR_TEXT_MAX];
};

struct pair {
	enum bgp_transport_kind kind;
	struct side side[SIDES];
};

static struct fab_loop *loop;
static struct bgp_attr_table *table;
static struct bgp_attrs *attrs;
static char dir[64];
static unsigned serial;

static const enum bgp_transport_kind kinds[] = { BGP_TRANSPORT_TCP, BGP_TRANSPORT_NNG };

/* ---- callbacks ---- */

static void
on_up(void *ctx, struct bgp_session *s)
{
	struct side *x = ctx;

	CU_ASSERT_EQUAL(bgp_session_state(s), BGP_ESTABLISHED);
	x->ups++;
}

static void
on_down(void *ctx, struct bgp_session *s, const char *reason)
{
	struct side *x = ctx;

	CU_ASSERT_NOT_EQUAL(bgp_session_state(s), BGP_ESTABLISHED);
	x->downs++;
	snprintf(x->reason, sizeof(x->reason), "%s", reason);
}

static void
on_state(void *ctx, struct bgp_session *s, enum bgp_state old, enum bgp_state now)
{
	struct side *x = ctx;

	CU_ASSERT(old != now && bgp_session_state(s) == now);
	x->states++;
}

static void
on_update(void *ctx, struct bgp_session *s, const struct bgp_update *u)
{
	struct side *x = ctx;

	x->updates++;
	x->eors += u->end_of_rib;
	x->nlri += u->n_nlri;
	x->withdrawn += u->n_withdrawn;
	if (x->on_update == RESETS) /* RS-21 */
		bgp_session_reset(s, BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIXES, "too many prefixes");
	else if (x->on_update == STOPS)
		bgp_session_stop(s, BGP_CEASE_ADMIN_SHUTDOWN, "enough");
}

static void
on_refresh(void *ctx, struct bgp_session *s)
{
	(void)s;
	((struct side *)ctx)->refreshes++;
}

static void
on_first_keepalive(void *ctx, struct bgp_session *s)
{
	(void)s;
	((struct side *)ctx)->first_keepalives++;
}

static void
on_drained(void *ctx, struct bgp_session *s)
{
	(void)s;
	((struct side *)ctx)->drains++;
}

static const struct bgp_session_cb callbacks = {
	.up = on_up,
	.down = on_down,
	.state = on_state,
	.update = on_update,
	.refresh = on_refresh,
	.first_keepalive = on_first_keepalive,
	.drained = on_drained,
};

static void
on_accept(void *ctx, struct bgp_incoming *in, uint32_t peer_addr)
{
	struct side *x = ctx;

	x->accepts++;
	x->accepted_from = peer_addr;
	if (x->refusing)
		bgp_incoming_refuse(in, x->refuse);
	else if (x->s != NULL)
		bgp_session_accept(x->s, in);
	/* otherwise neither: the listener closes it */
}

/* ---- pairs ---- */

static void
listen_side(struct pair *p, struct side *x)
{
	int rc;

	if (p->kind == BGP_TRANSPORT_TCP)
		rc = bgp_listen_tcp(&x->l, loop, LOOPBACK, x->conf.dial_port, on_accept, x);
	else
		rc = bgp_listen_nng(&x->l, loop, x->url, NULL, on_accept, x);
	CU_ASSERT_EQUAL_FATAL(rc, FAB_OK);
}

/* What is the same in every test; a test may change conf before pair_open(). */
static void
pair_init(struct pair *p, enum bgp_transport_kind kind)
{
	*p = (struct pair){ .kind = kind };
	for (int i = 0; i < SIDES; i++) {
		bool rs = i == RS;

		p->side[i].conf = (struct bgp_session_conf){
			.local_name = rs ? "rs1-0" : "nva1",
			.peer_name = rs ? "nva1" : "rs1-0",
			.local_as = rs ? 65515 : 65001,
			.peer_as = rs ? 65001 : 65515,
			.router_id = rs ? 0x0a010004 : 0x0a010204,
			.local_addr = rs ? 0x0a010004 : 0x0a010204,
			.peer_addr = rs ? 0x0a010204 : 0x0a010004,
			.hold_ms = 30000,
			.keepalive_ms = 50,
			.connect_retry_ms = 200,
			.transport = kind,
			.passive = rs,
		};
		snprintf(p->side[i].url, sizeof(p->side[i].url), "ipc://%s/%u.bgp", dir, serial++);
	}
}

/* Where x dials to. */
static void
aim(struct pair *p, struct side *x, struct side *target)
{
	x->conf.dial_url = target->url;
	x->conf.dial_addr = LOOPBACK;
	x->conf.dial_port = p->kind == BGP_TRANSPORT_TCP && target->l != NULL
				? bgp_listener_port(target->l)
				: target->conf.dial_port;
}

static void
session_open(struct side *x)
{
	CU_ASSERT_EQUAL_FATAL(bgp_session_new(&x->s, loop, &x->conf, &callbacks, x), FAB_OK);
	bgp_session_start(x->s);
}

static void
pair_open(struct pair *p)
{
	listen_side(p, &p->side[RS]);
	aim(p, &p->side[NVA], &p->side[RS]);
	for (int i = 0; i < SIDES; i++)
		session_open(&p->side[i]);
}

static void
pair_close(struct pair *p)
{
	for (int i = 0; i < SIDES; i++) {
		bgp_listener_free(p->side[i].l);
		bgp_session_free(p->side[i].s);
	}
}

static uint64_t
ms_since(struct fab_mono t)
{
	return fab_mono_us_between(t, fab_mono_now()) / 1000;
}

/* Turns the loop until the condition holds; fails the test after WAIT_MS. */
#define WAIT(condition)                                                                            \
	do {                                                                                       \
		struct fab_mono start_ = fab_mono_now();                                           \
                                                                                                   \
		while (!(condition) && ms_since(start_) < WAIT_MS)                                 \
			fab_loop_turn(loop, 20);                                                   \
		CU_ASSERT_FATAL(condition);                                                        \
	} while (0)

/* Turns the loop for a while, for what must not happen. */
static void
idle_for(uint64_t ms)
{
	struct fab_mono start = fab_mono_now();

	while (ms_since(start) < ms)
		fab_loop_turn(loop, 5);
}

static bool
both_up(const struct pair *p)
{
	return bgp_session_state(p->side[RS].s) == BGP_ESTABLISHED &&
	       bgp_session_state(p->side[NVA].s) == BGP_ESTABLISHED;
}

static struct bgp_link *
open_link(struct side *x)
{
	for (int i = 0; i < BGP_LINKS; i++) {
		if (x->s->link[i].t != NULL)
			return &x->s->link[i];
	}
	return NULL;
}

/* The process dies: the kernel closes its connections, nobody says goodbye. */
static void
kill_side(struct side *x)
{
	struct bgp_link *l = open_link(x);

	l->t->ops->close(l->t, NULL);
	l->t = NULL;
	l->state = BGP_IDLE;
	x->s->state = BGP_IDLE;
	fab_loop_defer(loop, &x->s->work);
}

static void
emit_to_session(void *arg, struct fab_buf *b)
{
	bgp_session_send(arg, b);
}

static void
send_prefixes(struct side *x, const struct ipnet *nets, size_t n)
{
	CU_ASSERT_EQUAL(bgp_encode_update(bgp_session_wire(x->s), false,
			    bgp_session_message_max(x->s), attrs, nets, n, emit_to_session, x->s),
	    FAB_OK);
}

static void
make_nets(struct ipnet *nets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		nets[i] = (struct ipnet){ 0x0a000000 + ((uint32_t)i << 8), 24 };
}

/* ---- the tests; each takes a pair that is not open yet ---- */

static void
expect_up(struct pair *p)
{
	struct side *rs = &p->side[RS], *nva = &p->side[NVA];

	pair_open(p);
	WAIT(both_up(p) && rs->first_keepalives == 1 && nva->first_keepalives == 1);
	CU_ASSERT(rs->ups == 1 && nva->ups == 1 && rs->downs == 0 && nva->downs == 0);
	CU_ASSERT_EQUAL(rs->accepted_from, p->kind == BGP_TRANSPORT_TCP ? LOOPBACK : 0x0a010204);
	CU_ASSERT_EQUAL(bgp_session_hold_sec(rs->s), 30);
	CU_ASSERT_EQUAL(bgp_session_peer_router_id(rs->s), 0x0a010204);
	CU_ASSERT_EQUAL(
	    bgp_session_wire(rs->s), p->kind == BGP_TRANSPORT_TCP ? BGP_WIRE_RFC_AS4 : BGP_WIRE_PB);
	CU_ASSERT(bgp_session_stats(rs->s)->msgs_in >= 3);
	CU_ASSERT_EQUAL(bgp_session_stats(rs->s)->transitions, 1);
	CU_ASSERT(bgp_session_since_us(rs->s) > 0);
	idle_for(200); /* three keepalives: it stays */
	CU_ASSERT(both_up(p) && rs->ups == 1);
}

static void
expect_updates(struct pair *p)
{
	static struct ipnet nets[3000];
	struct fab_buf *eor;

	make_nets(nets, 3000);
	pair_open(p);
	WAIT(both_up(p));
	send_prefixes(&p->side[NVA], nets, 3000);
	bgp_encode_update(bgp_session_wire(p->side[NVA].s), false, 4096, NULL, nets, 7,
	    emit_to_session, p->side[NVA].s);
	eor = bgp_encode_end_of_rib(bgp_session_wire(p->side[NVA].s));
	bgp_session_send(p->side[NVA].s, eor);
	fab_buf_unref(eor);
	WAIT(p->side[RS].eors == 1);
	CU_ASSERT_EQUAL(p->side[RS].nlri, 3000);
	CU_ASSERT_EQUAL(p->side[RS].withdrawn, 7);
	CU_ASSERT_EQUAL(bgp_session_stats(p->side[RS].s)->updates_in,
	    bgp_session_stats(p->side[NVA].s)->updates_out);
	WAIT(bgp_session_backlog(p->side[NVA].s) == 0);
}

/* RFC 9003: the reason travels. */
static void
expect_stop_with_text(struct pair *p)
{
	pair_open(p);
	WAIT(both_up(p));
	bgp_session_stop(p->side[NVA].s, BGP_CEASE_ADMIN_SHUTDOWN, "maintenance");
	CU_ASSERT_EQUAL(bgp_session_state(p->side[NVA].s), BGP_IDLE);
	WAIT(p->side[RS].downs == 1);
	CU_ASSERT_STRING_EQUAL(p->side[RS].reason,
	    "received NOTIFICATION Cease/Administrative Shutdown (\"maintenance\")");
	CU_ASSERT_EQUAL(p->side[NVA].downs, 0);
	idle_for(100);
	CU_ASSERT_EQUAL(bgp_session_state(p->side[NVA].s), BGP_IDLE);
	CU_ASSERT_EQUAL(bgp_session_state(p->side[RS].s), BGP_ACTIVE);
	bgp_session_start(p->side[NVA].s);
	WAIT(both_up(p));
	CU_ASSERT_EQUAL(p->side[NVA].ups, 2);
}

static void
expect_goodbye_on_free(struct pair *p)
{
	pair_open(p);
	WAIT(both_up(p));
	bgp_session_free(p->side[NVA].s);
	p->side[NVA].s = NULL;
	WAIT(p->side[RS].downs == 1);
	CU_ASSERT_STRING_EQUAL(
	    p->side[RS].reason, "received NOTIFICATION Cease/Peer De-configured");
	CU_ASSERT_EQUAL(p->side[NVA].downs, 0);
}

/* RS-96 rests on it. */
static void
expect_refresh(struct pair *p)
{
	p->side[RS].conf.offer_enhanced_refresh = true;
	p->side[NVA].conf.offer_enhanced_refresh = true;
	pair_open(p);
	CU_ASSERT_FALSE(bgp_session_refresh(p->side[RS].s));
	WAIT(both_up(p));
	CU_ASSERT(bgp_session_refresh(p->side[RS].s));
	WAIT(p->side[NVA].refreshes == 1);
	bgp_session_refresh_mark(p->side[NVA].s, false);
	bgp_session_refresh_mark(p->side[NVA].s, true);
	CU_ASSERT(bgp_session_refresh(p->side[NVA].s));
	WAIT(p->side[RS].refreshes == 1);
	CU_ASSERT(both_up(p));
}

/* Both dial at once: RFC 4271 6.8 leaves one connection. */
static void
expect_collision_resolved(struct pair *p)
{
	p->side[RS].conf.passive = false;
	listen_side(p, &p->side[RS]);
	listen_side(p, &p->side[NVA]);
	aim(p, &p->side[RS], &p->side[NVA]);
	aim(p, &p->side[NVA], &p->side[RS]);
	session_open(&p->side[RS]);
	session_open(&p->side[NVA]);
	WAIT(both_up(p) && p->side[RS].first_keepalives > 0 && p->side[NVA].first_keepalives > 0);
	idle_for(300);
	CU_ASSERT(both_up(p));
	for (int i = 0; i < SIDES; i++) {
		struct bgp_session *s = p->side[i].s;

		CU_ASSERT_NOT_EQUAL(s->link[0].t == NULL, s->link[1].t == NULL);
	}
	CU_ASSERT_NOT_EQUAL(open_link(&p->side[RS])->incoming, open_link(&p->side[NVA])->incoming);
}

/* RS-90: seen at once, and the way back needs no hold timer either. */
static void
expect_a_killed_peer_is_noticed(struct pair *p)
{
	struct fab_mono start;

	pair_open(p);
	WAIT(both_up(p));
	start = fab_mono_now();
	kill_side(&p->side[NVA]);
	WAIT(p->side[RS].downs == 1);
	CU_ASSERT(ms_since(start) < 1000); /* the hold time is 30 s */
	CU_ASSERT_STRING_EQUAL(p->side[RS].reason, "connection closed by the peer");
	WAIT(both_up(p));
	CU_ASSERT_EQUAL(p->side[RS].ups, 2);
}

/* A peer that was restarted dials before we have seen that its old connection is gone: RFC 4271
 * 6.8 refuses the new one while the old one is Established, so it succeeds soon after. */
static void
expect_a_second_connection_does_not_disturb(struct pair *p)
{
	struct side intruder = { .conf = p->side[NVA].conf };

	pair_open(p);
	WAIT(both_up(p));
	intruder.conf.dial_addr = LOOPBACK;
	aim(p, &intruder, &p->side[RS]);
	session_open(&intruder);
	WAIT(bgp_session_last_error(intruder.s)[0] != '\0');
	CU_ASSERT_STRING_EQUAL(bgp_session_last_error(intruder.s),
	    "received NOTIFICATION Cease/Connection Collision Resolution");
	CU_ASSERT(both_up(p) && p->side[RS].downs == 0);
	kill_side(&p->side[NVA]);
	bgp_session_stop(p->side[NVA].s, BGP_CEASE_ADMIN_SHUTDOWN, NULL);
	WAIT(bgp_session_state(intruder.s) == BGP_ESTABLISHED && p->side[RS].ups == 2);
	CU_ASSERT_EQUAL(p->side[RS].downs, 1);
	bgp_session_free(intruder.s);
}

/* As with TCP, a cut shorter than the hold time loses nothing. */
static void
expect_a_short_cut_delays(struct pair *p)
{
	static struct ipnet nets[10];

	make_nets(nets, 10);
	pair_open(p);
	WAIT(both_up(p));
	bgp_session_cut(p->side[RS].s, true, true);
	send_prefixes(&p->side[NVA], nets, 10);
	send_prefixes(&p->side[RS], nets, 5);
	idle_for(150);
	CU_ASSERT(p->side[RS].nlri == 0 && p->side[NVA].nlri == 0);
	CU_ASSERT(bgp_session_backlog(p->side[RS].s) > 0);
	bgp_session_cut(p->side[RS].s, false, false);
	WAIT(p->side[RS].nlri == 10 && p->side[NVA].nlri == 5);
	CU_ASSERT(p->side[RS].downs == 0 && p->side[NVA].downs == 0);

	/* The end of a connection is not seen either, but it is found later. */
	bgp_session_cut(p->side[RS].s, true, false);
	bgp_session_stop(p->side[NVA].s, BGP_CEASE_ADMIN_SHUTDOWN, NULL);
	idle_for(150);
	CU_ASSERT_EQUAL(p->side[RS].downs, 0);
	bgp_session_cut(p->side[RS].s, false, false);
	WAIT(p->side[RS].downs == 1);
	CU_ASSERT_STRING_EQUAL(
	    p->side[RS].reason, "received NOTIFICATION Cease/Administrative Shutdown");
}

/* RFC 4271 4.2: hold time 0, no keepalives and no expiry. */
static void
expect_no_timers_without_hold_time(struct pair *p)
{
	p->side[RS].conf.hold_ms = 0;
	pair_open(p);
	WAIT(both_up(p));
	CU_ASSERT_EQUAL(bgp_session_hold_sec(p->side[NVA].s), 0);
	for (int i = 0; i < SIDES; i++) {
		CU_ASSERT_FALSE(fab_timer_pending(open_link(&p->side[i])->hold));
		CU_ASSERT_FALSE(fab_timer_pending(open_link(&p->side[i])->keepalive));
	}
	idle_for(150);
	CU_ASSERT_EQUAL(p->side[RS].first_keepalives, 0);
}

/* RS-21: the owner ends the session from inside the update callback. */
static void
expect_reset_from_a_callback(struct pair *p)
{
	static struct ipnet nets[5000];
	struct fab_mono start;

	make_nets(nets, 5000);
	p->side[RS].conf.connect_retry_ms = 400;
	p->side[RS].on_update = RESETS;
	pair_open(p);
	WAIT(both_up(p));
	start = fab_mono_now();
	send_prefixes(&p->side[NVA], nets, 2500);
	send_prefixes(&p->side[NVA], nets + 2500, 2500);
	WAIT(p->side[RS].downs == 1 && p->side[NVA].downs == 1);
	CU_ASSERT_EQUAL(p->side[RS].updates, 1); /* and no more after that */
	CU_ASSERT_STRING_EQUAL(p->side[RS].reason, "too many prefixes");
	CU_ASSERT_STRING_EQUAL(
	    p->side[NVA].reason, "received NOTIFICATION Cease/Maximum Number of Prefixes Reached");
	WAIT(both_up(p)); /* not before connect_retry_ms, less jitter */
	CU_ASSERT(ms_since(start) >= 300);
}

/* RS-96: a session that is only to begin anew does not wait for connect_retry_ms. */
static void
expect_an_administrative_reset_to_be_short(struct pair *p)
{
	struct fab_mono start;

	p->side[RS].conf.connect_retry_ms = 30000;
	p->side[NVA].conf.connect_retry_ms = 30000;
	pair_open(p);
	WAIT(both_up(p));
	start = fab_mono_now();
	bgp_session_reset(p->side[RS].s, BGP_ERR_CEASE, BGP_CEASE_ADMIN_RESET, "to begin anew");
	WAIT(p->side[RS].downs == 1 && p->side[NVA].downs == 1);
	CU_ASSERT_STRING_EQUAL(p->side[RS].reason, "to begin anew");
	CU_ASSERT_STRING_EQUAL(
	    p->side[NVA].reason, "received NOTIFICATION Cease/Administrative Reset");
	WAIT(both_up(p));
	CU_ASSERT(ms_since(start) < 2000);
}

static void
expect_stop_from_a_callback(struct pair *p)
{
	static struct ipnet nets[2500];

	make_nets(nets, 2500);
	p->side[RS].on_update = STOPS;
	pair_open(p);
	WAIT(both_up(p));
	send_prefixes(&p->side[NVA], nets, 2500);
	WAIT(p->side[NVA].downs == 1);
	CU_ASSERT_STRING_EQUAL(p->side[NVA].reason,
	    "received NOTIFICATION Cease/Administrative Shutdown (\"enough\")");
	CU_ASSERT_EQUAL(p->side[RS].downs, 0);
	CU_ASSERT_EQUAL(p->side[RS].updates, 1);
	CU_ASSERT_EQUAL(bgp_session_state(p->side[RS].s), BGP_IDLE);
}

/* RS-30, RS-36: not the peer that was configured. */
static void
expect_a_wrong_peer_as_is_refused(struct pair *p)
{
	p->side[NVA].conf.local_as = 65002;
	pair_open(p);
	WAIT(bgp_session_last_error(p->side[RS].s)[0] != '\0' &&
	     bgp_session_last_error(p->side[NVA].s)[0] != '\0');
	CU_ASSERT_STRING_EQUAL(bgp_session_last_error(p->side[RS].s),
	    "sent NOTIFICATION OPEN Message Error/Bad Peer AS");
	CU_ASSERT_STRING_EQUAL(bgp_session_last_error(p->side[NVA].s),
	    "received NOTIFICATION OPEN Message Error/Bad Peer AS");
	CU_ASSERT(p->side[RS].ups == 0 && p->side[NVA].ups == 0 && p->side[RS].downs == 0);
}

static void
expect_refused_connections(struct pair *p)
{
	p->side[RS].refusing = true;
	p->side[RS].refuse = BGP_CEASE_REJECTED;
	pair_open(p);
	WAIT(bgp_session_last_error(p->side[NVA].s)[0] != '\0');
	CU_ASSERT_STRING_EQUAL(bgp_session_last_error(p->side[NVA].s),
	    "received NOTIFICATION Cease/Connection Rejected");
	p->side[RS].refuse = 0;
	WAIT(strcmp(bgp_session_last_error(p->side[NVA].s), "connection closed by the peer") == 0);
	p->side[RS].refusing = false;
	WAIT(both_up(p));
}

/* A fabric starts its processes in any order: a dial that comes too early is repeated soon. */
static void
expect_early_dials_are_repeated_soon(struct pair *p)
{
	struct fab_mono start;

	p->side[NVA].conf.connect_retry_ms = 30000;
	listen_side(p, &p->side[RS]); /* to learn a free port */
	aim(p, &p->side[NVA], &p->side[RS]);
	p->side[RS].conf.dial_port = p->side[NVA].conf.dial_port;
	bgp_listener_free(p->side[RS].l);
	p->side[RS].l = NULL;
	session_open(&p->side[NVA]);
	session_open(&p->side[RS]);
	idle_for(60);
	CU_ASSERT_STRING_EQUAL(bgp_session_last_error(p->side[NVA].s), "connect: unreachable");
	listen_side(p, &p->side[RS]);
	start = fab_mono_now();
	WAIT(both_up(p));
	CU_ASSERT(ms_since(start) < 1000); /* connect_retry_ms is 30 s */
}

static void
expect_large_messages(struct pair *p)
{
	static struct ipnet nets[16000];
	bool tcp = p->kind == BGP_TRANSPORT_TCP;

	make_nets(nets, 16000);
	p->side[RS].conf.offer_extended_message = true;
	p->side[NVA].conf.offer_extended_message = true;
	pair_open(p);
	WAIT(both_up(p));
	CU_ASSERT_EQUAL(bgp_session_message_max(p->side[NVA].s), 65535);
	send_prefixes(&p->side[NVA], nets, 16000);
	WAIT(p->side[RS].nlri == 16000);
	CU_ASSERT_EQUAL(p->side[RS].updates, tcp ? 1 : 2);
}

/* Above 1 MiB the owner may wait for drained(); the other side gets its turn meanwhile. */
static void
expect_backpressure(struct pair *p)
{
	static struct ipnet nets[1000];

	make_nets(nets, 1000);
	pair_open(p);
	WAIT(both_up(p));
	for (int i = 0; i < 1000; i++) /* 4 MiB */
		send_prefixes(&p->side[NVA], nets, 1000);
	CU_ASSERT(bgp_session_backlog(p->side[NVA].s) > BGP_HIGH_WATER);
	WAIT(p->side[RS].nlri == 1000 * 1000);
	CU_ASSERT_EQUAL(p->side[NVA].drains, 1);
	CU_ASSERT(both_up(p) && p->side[RS].downs == 0);
}

/* ---- both transports ---- */

static void
over_both(void (*test)(struct pair *))
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct pair p;

		pair_init(&p, kinds[i]);
		test(&p);
		pair_close(&p);
	}
	idle_for(0);
}

#define OVER_BOTH(name)                                                                            \
	static void test_##name(void)                                                              \
	{                                                                                          \
		over_both(expect_##name);                                                          \
	}

OVER_BOTH(up)
OVER_BOTH(updates)
OVER_BOTH(stop_with_text)
OVER_BOTH(goodbye_on_free)
OVER_BOTH(refresh)
OVER_BOTH(collision_resolved)
OVER_BOTH(a_killed_peer_is_noticed)
OVER_BOTH(a_second_connection_does_not_disturb)
OVER_BOTH(a_short_cut_delays)
OVER_BOTH(no_timers_without_hold_time)
OVER_BOTH(reset_from_a_callback)
OVER_BOTH(an_administrative_reset_to_be_short)
OVER_BOTH(stop_from_a_callback)
OVER_BOTH(a_wrong_peer_as_is_refused)
OVER_BOTH(refused_connections)
OVER_BOTH(early_dials_are_repeated_soon)
OVER_BOTH(large_messages)
OVER_BOTH(backpressure)

/* RFC 4271 6.5 over a cut link (design section 9), RS-91: nothing but the hold timer finds out.
 * Both transports wait at the same time. */
static void
test_hold_timers_find_a_cut(void)
{
	static struct pair p[2];
	struct fab_mono start[2]; /* before the last message of each */

	for (int i = 0; i < 2; i++) {
		pair_init(&p[i], kinds[i]);
		p[i].side[NVA].conf.hold_ms = 3000;
		start[i] = fab_mono_now();
		pair_open(&p[i]);
		WAIT(both_up(&p[i]));
	}
	for (int i = 0; i < 2; i++)
		bgp_session_cut(p[i].side[RS].s, true, true);
	for (int i = 0; i < 2; i++) {
		WAIT(p[i].side[RS].downs == 1 && p[i].side[NVA].downs == 1);
		CU_ASSERT(ms_since(start[i]) >= 3000);
		CU_ASSERT_STRING_EQUAL(p[i].side[RS].reason, "hold timer expired");
		CU_ASSERT_STRING_EQUAL(p[i].side[NVA].reason, "hold timer expired");
	}
	idle_for(50); /* no way around the cut */
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_FALSE(both_up(&p[i]));
		bgp_session_cut(p[i].side[RS].s, false, false);
		WAIT(both_up(&p[i]));
		pair_close(&p[i]);
	}
}

/* ER-4, TIME-12: with BFD a cut is found in three intervals, and the session stays up else. */
static void
test_bfd_finds_a_cut(void)
{
	struct fab_mono start;
	struct pair p;
	uint64_t ms;

	pair_init(&p, BGP_TRANSPORT_NNG);
	for (int i = 0; i < SIDES; i++) {
		p.side[i].conf.keepalive_ms = 10000;
		p.side[i].conf.bfd_ms = 100;
	}
	pair_open(&p);
	WAIT(both_up(&p));
	idle_for(600); /* no KEEPALIVE is due in this time */
	CU_ASSERT(both_up(&p) && p.side[RS].ups == 1);
	bgp_session_cut(p.side[RS].s, true, true);
	start = fab_mono_now();
	WAIT(p.side[RS].downs == 1 && p.side[NVA].downs == 1);
	ms = ms_since(start);
	CU_ASSERT(ms >= 200 && ms < 3000); /* the hold time is 30 s */
	CU_ASSERT_NSTRING_EQUAL(p.side[RS].reason, "BFD: no packet for", 18);
	CU_ASSERT_NSTRING_EQUAL(p.side[NVA].reason, "BFD: no packet for", 18);
	bgp_session_cut(p.side[RS].s, false, false);
	WAIT(both_up(&p));
	pair_close(&p);
}

/* VPN-4, OPEN-3: a VPN gateway keeps its own timers, so a peer with a hold time below the
 * gateway's KEEPALIVEs gives up again and again. */
static void
test_own_timers_let_a_short_hold_time_expire(void)
{
	struct pair p;

	pair_init(&p, BGP_TRANSPORT_NNG);
	p.side[RS].conf.hold_ms = 15000;
	p.side[RS].conf.keepalive_ms = 5000;
	p.side[RS].conf.own_timers = true;
	p.side[NVA].conf.hold_ms = 3000;
	p.side[NVA].conf.keepalive_ms = 500;
	pair_open(&p);
	WAIT(both_up(&p));
	CU_ASSERT_EQUAL(bgp_session_hold_sec(p.side[RS].s), 15);
	CU_ASSERT_EQUAL(bgp_session_hold_sec(p.side[NVA].s), 3);
	WAIT(p.side[NVA].downs == 1);
	CU_ASSERT_STRING_EQUAL(p.side[NVA].reason, "hold timer expired");
	WAIT(p.side[RS].ups == 2); /* and comes back, to lose it again */
	pair_close(&p);
}

/* ER-3: an MSEE takes a lower hold time, but not below 10 s. */
static void
test_least_hold_time(void)
{
	static const struct {
		uint32_t offered_ms, least_ms;
		bool up;
	} rows[] = { { 10000, 10000, true }, { 9000, 10000, false }, { 0, 10000, true },
		{ 3000, 3000, true } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pair p;

		pair_init(&p, BGP_TRANSPORT_NNG);
		p.side[RS].conf.min_hold_ms = rows[i].least_ms;
		p.side[NVA].conf.hold_ms = rows[i].offered_ms;
		pair_open(&p);
		if (rows[i].up) {
			WAIT(both_up(&p));
			CU_ASSERT_EQUAL(
			    bgp_session_hold_sec(p.side[RS].s), rows[i].offered_ms / 1000);
		} else {
			WAIT(strstr(bgp_session_last_error(p.side[NVA].s),
				 "OPEN Message Error/Unacceptable Hold Time") != NULL);
			CU_ASSERT_EQUAL(p.side[RS].ups, 0);
		}
		pair_close(&p);
	}
}

/* ---- configurations ---- */

static void
test_bad_configurations_are_refused(void)
{
	static const uint32_t holds[] = { 1, 1000, 2999, 65536000 };
	struct bgp_session_conf conf = { .local_as = 1, .peer_as = 2 };
	struct bgp_session *s = NULL;

	for (size_t i = 0; i < sizeof(holds) / sizeof(holds[0]); i++) {
		conf.hold_ms = holds[i];
		CU_ASSERT_EQUAL(bgp_session_new(&s, loop, &conf, &callbacks, NULL), FAB_EINVAL);
	}
	CU_ASSERT_PTR_NULL(s);
	bgp_session_free(NULL);
	bgp_listener_free(NULL);
}

/* Hello says whom the dialler wants; a connection to the wrong instance is refused. */
static void
test_hello_for_another_address_is_refused(void)
{
	struct pair p;

	pair_init(&p, BGP_TRANSPORT_NNG);
	p.side[NVA].conf.peer_addr = 0x0a010005;
	pair_open(&p);
	WAIT(bgp_session_last_error(p.side[NVA].s)[0] != '\0');
	CU_ASSERT_STRING_EQUAL(bgp_session_last_error(p.side[NVA].s),
	    "received NOTIFICATION Cease/Connection Rejected");
	CU_ASSERT_EQUAL(p.side[RS].ups, 0);
	pair_close(&p);
}

/* Many sessions in one loop come up together: nobody waits for a timer. */
static void
test_fifty_sessions_come_up_quickly(void)
{
	enum { N = 25 };
	static struct pair p[2 * N];
	struct fab_mono start = fab_mono_now();
	size_t up = 0;

	for (int i = 0; i < 2 * N; i++) {
		pair_init(&p[i], kinds[i % 2]);
		pair_open(&p[i]);
	}
	while (up < 2 * N && ms_since(start) < WAIT_MS) {
		fab_loop_turn(loop, 20);
		up = 0;
		for (int i = 0; i < 2 * N; i++)
			up += both_up(&p[i]);
	}
	CU_ASSERT_EQUAL(up, 2 * N);
	CU_ASSERT(ms_since(start) < 2000);
	for (int i = 0; i < 2 * N; i++)
		pair_close(&p[i]);
}

/* ---- set up once ---- */

static void
test_set_up(void)
{
	static const uint8_t path[] = { 2, 1, 0, 0, 0xfd, 0xe9 };

	snprintf(dir, sizeof(dir), "/tmp/test_bgp_session.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(bgp_attr_table_new(&table), FAB_OK);
	attrs = bgp_attrs_intern(
	    table, &(struct bgp_attr_spec){
		       .next_hop = 0x0a010204, .as_path = path, .as_path_octets = 6 });
}

static void
test_tear_down(void)
{
	idle_for(50);
	bgp_attrs_unref(table, attrs);
	bgp_attr_table_free(table);
	fab_loop_free(loop);
	for (unsigned i = 0; i < serial; i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%u.bgp", dir, i);
		unlink(path);
	}
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static CU_TestInfo tests[] = {
	{ "set up", test_set_up },
	{ "a session comes up and stays", test_up },
	{ "UPDATEs arrive", test_updates },
	{ "stop with a text (RFC 9003)", test_stop_with_text },
	{ "goodbye on free (RS-98)", test_goodbye_on_free },
	{ "route refresh (RFC 2918, RFC 7313)", test_refresh },
	{ "collision (RFC 4271 6.8)", test_collision_resolved },
	{ "a killed peer is noticed at once (RS-90)", test_a_killed_peer_is_noticed },
	{ "a second connection does not disturb", test_a_second_connection_does_not_disturb },
	{ "hold timers find a cut (RS-91)", test_hold_timers_find_a_cut },
	{ "ER-4, TIME-12: BFD finds a cut", test_bfd_finds_a_cut },
	{ "VPN-4, OPEN-3: own timers let a short hold time expire",
	    test_own_timers_let_a_short_hold_time_expire },
	{ "ER-3: least hold time", test_least_hold_time },
	{ "a short cut delays and loses nothing", test_a_short_cut_delays },
	{ "no timers without hold time", test_no_timers_without_hold_time },
	{ "reset from a callback (RS-21)", test_reset_from_a_callback },
	{ "an administrative reset is short (RS-96)", test_an_administrative_reset_to_be_short },
	{ "stop from a callback", test_stop_from_a_callback },
	{ "a wrong peer AS is refused", test_a_wrong_peer_as_is_refused },
	{ "refused connections (RS-36)", test_refused_connections },
	{ "early dials are repeated soon", test_early_dials_are_repeated_soon },
	{ "large messages (RFC 8654)", test_large_messages },
	{ "backpressure", test_backpressure },
	{ "bad configurations are refused", test_bad_configurations_are_refused },
	{ "Hello for another address is refused", test_hello_for_another_address_is_refused },
	{ "fifty sessions come up quickly", test_fifty_sessions_come_up_quickly },
	{ "tear down", test_tear_down },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("bgp_session", tests)
