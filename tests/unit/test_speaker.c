#include "lib/bgp_speaker.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fake_session.h"

#include <stdlib.h>
#include <string.h>

#define OWN_AS    65515
#define SELF      0x0a010004u /* 10.1.0.4 */
#define PATH(...) ((const uint32_t[]){ __VA_ARGS__, 0 })

/* A role that behaves like a Route Server with NVAs: drops its own AS, prepends it, next-hop-self.
 */
struct role {
	struct fab_loop *loop;
	struct speaker *sp;
	struct ipnet refused; /* import_prefix drops what is inside; len 0: nothing */
	uint32_t light;       /* import gives weight 1 to all peers but this one; 0: no weights */
	bool silent;          /* export sends nothing */
	unsigned imports, exports;
	/* What the last batch said. */
	unsigned batches;
	size_t n_changes, n_gone;
	struct speaker_cause cause;
	char log[512]; /* peer_state and peer_synced, one letter and name each */
};

static bool
import_attrs(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path)
{
	struct role *r = ctx;

	(void)out;
	r->imports++;
	path->source = HRP_SRC_NVA;
	if (r->light != 0)
		path->weight = speaker_peer_conf(from)->session.peer_addr != r->light;
	return !bgp_path_has(in->s.as_path, in->s.as_path_octets, OWN_AS);
}

static bool
import_prefix(void *ctx, struct speaker_peer *from, const struct ipnet *prefix)
{
	struct role *r = ctx;

	(void)from;
	return r->refused.len == 0 || !ipnet_contains(r->refused, *prefix);
}

static bool
export_attrs(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out)
{
	struct role *r = ctx;
	struct speaker_scratch *sc = speaker_scratch(r->sp);

	r->exports++;
	bgp_path_load(&sc->path, out->as_path, out->as_path_octets);
	bgp_path_prepend(&sc->path, OWN_AS, 1);
	out->as_path = sc->path.data;
	out->as_path_octets = sc->path.octets;
	out->next_hop = speaker_peer_conf(to)->session.local_addr;
	out->has_med = false;
	return !r->silent && path->tag != 9;
}

static void
changed(
    void *ctx, const struct speaker_change *changes, size_t n, const struct speaker_cause *cause)
{
	struct role *r = ctx;

	r->batches++;
	r->n_changes = n;
	r->n_gone = 0;
	for (size_t i = 0; i < n; i++)
		r->n_gone += changes[i].n_best == 0;
	r->cause = *cause;
}

static void
note(struct role *r, char what, struct speaker_peer *p)
{
	size_t n = strlen(r->log);

	snprintf(
	    r->log + n, sizeof(r->log) - n, "%c%s ", what, speaker_peer_conf(p)->session.peer_name);
}

static void
peer_state(void *ctx, struct speaker_peer *p, enum bgp_state now, const char *reason)
{
	(void)reason;
	note(ctx, now == BGP_ESTABLISHED ? '+' : '-', p);
}

static void
peer_synced(void *ctx, struct speaker_peer *p)
{
	note(ctx, 's', p);
}

static const struct speaker_role speaker_role = {
	.import_attrs = import_attrs,
	.import_prefix = import_prefix,
	.export_attrs = export_attrs,
	.changed = changed,
	.peer_state = peer_state,
	.peer_synced = peer_synced,
};

static void
setup(struct role *r)
{
	*r = (struct role){ 0 };
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&r->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(speaker_new(&r->sp, r->loop, &speaker_role, r), FAB_OK);
}

/* Leak checks of the attribute table and of the sanitizer come with it. */
static void
teardown(struct role *r)
{
	speaker_free(r->sp);
	fab_loop_free(r->loop);
}

static void
turn(struct role *r)
{
	fab_loop_turn(r->loop, 0);
	fake_settle();
	fab_loop_turn(r->loop, 0);
}

static struct bgp_session *
add_peer(struct role *r, const char *name, uint32_t addr, uint32_t group, uint32_t max_prefixes)
{
	struct speaker_peer_conf conf = {
		.session = { .local_name = "rs1-0",
		    .peer_name = name,
		    .local_as = OWN_AS,
		    .peer_as = 65001,
		    .local_addr = SELF,
		    .peer_addr = addr },
		.group = group,
		.max_prefixes = max_prefixes,
	};

	CU_ASSERT_EQUAL_FATAL(speaker_peer_add(r->sp, &conf, NULL), FAB_OK);
	return fake_find(name);
}

static struct bgp_session *
up_peer(struct role *r, const char *name, uint32_t addr)
{
	struct bgp_session *s = add_peer(r, name, addr, 0, 0);

	fake_up(s);
	turn(r);
	return s;
}

static void
rx(struct role *r, struct bgp_session *s, const char *announce, const uint32_t *path)
{
	fake_rx(s, &(struct fake_update){
		       .announce = announce, .path = path, .next_hop = s->conf.peer_addr });
	turn(r);
}

static void
rx_withdraw(struct role *r, struct bgp_session *s, const char *withdraw)
{
	fake_rx(s, &(struct fake_update){ .withdraw = withdraw });
	turn(r);
}

static void
originate(struct role *r, const char *prefix, uint32_t tag, uint32_t community)
{
	struct bgp_attr_spec spec = { .next_hop = SELF };
	struct ipnet net;

	spec.communities = &community;
	spec.n_communities = community != 0;
	ipnet_parse(&net, prefix);
	CU_ASSERT_EQUAL(speaker_originate(r->sp, &net, &spec, HRP_SRC_UNKNOWN, 0, tag), FAB_OK);
}

/* ---- tables and split horizon ---- */

static void
test_new_peer_gets_table_then_end_of_rib(void)
{
	struct bgp_session *a, *b;
	struct role r;

	setup(&r);
	originate(&r, "10.1.0.0/16", 0, 0);
	originate(&r, "10.2.0.0/16", 0, 0);
	a = up_peer(&r, "a", 1);
	CU_ASSERT_EQUAL(a->n_table, 2);
	CU_ASSERT_EQUAL(a->end_of_ribs, 1);
	CU_ASSERT_EQUAL(a->messages, 2); /* both prefixes in one, then End-of-RIB */
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(a, "10.1.0.0/16")), "65515");
	CU_ASSERT_EQUAL(fake_has(a, "10.1.0.0/16")->next_hop, SELF);
	rx(&r, a, "192.168.0.0/16", PATH(65001));
	b = up_peer(&r, "b", 2);
	CU_ASSERT_EQUAL(b->n_table, 3);
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(b, "192.168.0.0/16")), "65515 65001");
	CU_ASSERT_PTR_NULL(fake_has(a, "192.168.0.0/16"));
	CU_ASSERT_EQUAL(speaker_peer_routes_out(speaker_peer_find(r.sp, "a")), 2);
	CU_ASSERT_EQUAL(speaker_peer_routes_out(speaker_peer_find(r.sp, "b")), 3);
	/* A table that is empty still ends. */
	CU_ASSERT_EQUAL(fake_find("b")->end_of_ribs, 1);
	teardown(&r);
}

/* RS-77, through every way in which the source of the best path can change. */
static void
test_no_route_goes_back_to_its_source(void)
{
	struct bgp_session *a, *b, *c;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	c = up_peer(&r, "c", 3);
	rx(&r, b, "10.0.0.0/8", PATH(65001));
	CU_ASSERT_PTR_NULL(fake_has(b, "10.0.0.0/8"));
	CU_ASSERT_PTR_NOT_NULL(fake_has(a, "10.0.0.0/8"));
	/* Same attributes out, better source: only the two sources notice. */
	rx(&r, a, "10.0.0.0/8", PATH(65001));
	CU_ASSERT_PTR_NULL(fake_has(a, "10.0.0.0/8"));
	CU_ASSERT_PTR_NOT_NULL(fake_has(b, "10.0.0.0/8"));
	CU_ASSERT_EQUAL(c->announced, 1);
	/* Longer path from a: b is the source again, and c hears nothing new but the same. */
	rx(&r, a, "10.0.0.0/8", PATH(65001, 65001));
	CU_ASSERT_PTR_NOT_NULL(fake_has(a, "10.0.0.0/8"));
	CU_ASSERT_PTR_NULL(fake_has(b, "10.0.0.0/8"));
	CU_ASSERT_EQUAL(c->announced, 1);
	rx_withdraw(&r, b, "10.0.0.0/8");
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(b, "10.0.0.0/8")), "65515 65001 65001");
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(c, "10.0.0.0/8")), "65515 65001 65001");
	CU_ASSERT_PTR_NULL(fake_has(a, "10.0.0.0/8"));
	rx_withdraw(&r, a, "10.0.0.0/8");
	CU_ASSERT_EQUAL(a->n_table + b->n_table + c->n_table, 0);
	CU_ASSERT_EQUAL(a->strays + b->strays + c->strays, 0);
	CU_ASSERT_EQUAL(speaker_prefix_count(r.sp), 0);
	teardown(&r);
}

static void
test_peers_of_a_group_share_one_encoding(void)
{
	struct ipnet nets[1000];
	struct bgp_session *a, *b, *c, *old;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	c = up_peer(&r, "c", 3);
	old = add_peer(&r, "old", 4, 0, 0);
	old->wire = BGP_WIRE_RFC_AS2;
	fake_up(old);
	turn(&r);
	r.exports = 0;
	for (unsigned i = 0; i < 1000; i++)
		nets[i] = (struct ipnet){ 0x0a000000u + (i << 8), 24 };
	b->messages = c->messages = old->messages = 0;
	fake_rx_nets(a, nets, 1000, 1, PATH(65001));
	turn(&r);
	CU_ASSERT_EQUAL(b->n_table, 1000);
	CU_ASSERT_EQUAL(old->n_table, 1000);
	CU_ASSERT_EQUAL(b->messages, 1); /* 1000 x 4 octets and attributes: 4,065 */
	CU_ASSERT_PTR_EQUAL(b->last, c->last);
	CU_ASSERT_PTR_NOT_EQUAL(b->last, old->last);
	CU_ASSERT_EQUAL(r.exports, 1); /* policy ran once for the attribute set */
	CU_ASSERT_EQUAL(r.n_changes, 1000);
	CU_ASSERT_EQUAL(r.batches, 1);
	teardown(&r);
}

static void
test_refresh_replays_adj_rib_out(void)
{
	struct bgp_session *a, *b;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	rx(&r, a, "10.1.0.0/16 10.2.0.0/16", PATH(65001));
	b->n_table = 0; /* lost its mind */
	b->cb->refresh(b->ctx, b);
	/* A withdrawal in the same turn must not be undone by the replay. */
	rx_withdraw(&r, a, "10.2.0.0/16");
	CU_ASSERT_EQUAL(b->n_table, 1);
	CU_ASSERT_PTR_NOT_NULL(fake_has(b, "10.1.0.0/16"));
	CU_ASSERT_EQUAL(b->end_of_ribs, 1); /* of the first table only */
	CU_ASSERT_EQUAL(b->marks, 2);       /* RFC 7313 */
	CU_ASSERT_EQUAL(a->marks, 0);
	CU_ASSERT_EQUAL(a->announced, 0);
	teardown(&r);
}

/* ---- import ---- */

/* RS-21, RS-22, GV-7: held + NLRI of the UPDATE, replaced prefixes count twice. */
static void
test_maximum_of_prefixes(void)
{
	static const struct {
		unsigned limit, held, then;
		bool dropped;
	} rows[] = {
		{ 1000, 500, 500, false }, /* 500 + 500 = 1000 */
		{ 1000, 501, 501, true },  /* 501 + 501 = 1002 */
		{ 1000, 1000, 1, true },
		{ 1000, 999, 1, false },
		{ 1000, 0, 1000, false },
		{ 1000, 0, 1001, true },
		{ 0, 1000, 1000, false },
	};
	static struct ipnet nets[1001];

	for (unsigned i = 0; i < 1001; i++)
		nets[i] = (struct ipnet){ 0x0a000000u + (i << 8), 24 };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bgp_session *a, *b;
		struct role r;

		setup(&r);
		a = add_peer(&r, "a", 1, 0, rows[i].limit);
		b = up_peer(&r, "b", 2);
		fake_up(a);
		fake_rx_nets(a, nets, rows[i].held, 1, PATH(65001));
		turn(&r);
		CU_ASSERT_EQUAL(a->resets, 0);
		CU_ASSERT_EQUAL(b->n_table, rows[i].held);
		fake_rx_nets(a, nets, rows[i].then, 9, PATH(65001)); /* a new next hop */
		turn(&r);
		CU_ASSERT_EQUAL(a->resets, rows[i].dropped);
		if (rows[i].dropped) {
			CU_ASSERT_EQUAL(a->reset_code, BGP_ERR_CEASE);
			CU_ASSERT_EQUAL(a->reset_subcode, BGP_CEASE_MAX_PREFIXES);
			CU_ASSERT_EQUAL(b->n_table, 0);
			CU_ASSERT_EQUAL(b->strays, 0);
		}
		teardown(&r);
	}
}

/* RS-50, RS-51, OPEN-5: dropped means not held, and what was held of the prefix is replaced. */
static void
test_dropped_routes_are_not_held(void)
{
	struct bgp_session *a, *b;
	struct speaker_peer *pa;
	struct role r;

	setup(&r);
	ipnet_parse(&r.refused, "10.1.0.0/16");
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	pa = speaker_peer_find(r.sp, "a");
	rx(&r, a, "10.1.0.0/16 10.1.5.0/24 10.0.0.0/8 10.2.0.0/16", PATH(65001));
	CU_ASSERT_EQUAL(speaker_peer_routes_in(pa), 2);
	CU_ASSERT_EQUAL(b->n_table, 2);
	rx(&r, a, "10.2.0.0/16", PATH(65001, OWN_AS));
	CU_ASSERT_EQUAL(speaker_peer_routes_in(pa), 1);
	CU_ASSERT_PTR_NULL(fake_has(b, "10.2.0.0/16"));
	CU_ASSERT_EQUAL(a->state, BGP_ESTABLISHED);
	/* What was dropped comes back on request when policy changes (RFC 2918). */
	r.refused.len = 0;
	speaker_reevaluate(r.sp, "prefixes changed");
	CU_ASSERT_EQUAL(a->refreshes, 1);
	CU_ASSERT_EQUAL(b->refreshes, 0);
	turn(&r);
	rx(&r, a, "10.1.5.0/24", PATH(65001));
	CU_ASSERT_PTR_NOT_NULL(fake_has(b, "10.1.5.0/24"));
	/* And what is held goes when policy refuses it now. */
	ipnet_parse(&r.refused, "10.1.0.0/16");
	speaker_reevaluate(r.sp, "prefixes changed");
	turn(&r);
	CU_ASSERT_PTR_NULL(fake_has(b, "10.1.5.0/24"));
	CU_ASSERT_EQUAL(speaker_peer_routes_in(pa), 1);
	CU_ASSERT_STRING_EQUAL(r.cause.text, "prefixes changed");
	teardown(&r);
}

static void
test_import_runs_once_per_attribute_set(void)
{
	struct bgp_session *a;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	rx(&r, a, "10.1.0.0/16 10.2.0.0/16", PATH(65001));
	rx(&r, a, "10.3.0.0/16", PATH(65001));
	CU_ASSERT_EQUAL(r.imports, 1);
	/* The same again is no change at all. */
	r.batches = 0;
	rx(&r, a, "10.3.0.0/16", PATH(65001));
	CU_ASSERT_EQUAL(r.batches, 0);
	rx(&r, a, "10.3.0.0/16", PATH(65001, 65001));
	CU_ASSERT_EQUAL(r.imports, 2);
	CU_ASSERT_EQUAL(r.batches, 1);
	CU_ASSERT_EQUAL(r.n_changes, 1);
	teardown(&r);
}

static bool
next_hop_of(
    void *arg, const struct ipnet *prefix, const struct bgp_attrs *attrs, struct speaker_peer *peer)
{
	(void)prefix;
	(void)peer;
	*(uint32_t *)arg = attrs->s.next_hop;
	return false;
}

static void
test_loopback_next_hop_stands_for_the_peer(void)
{
	static const struct {
		enum bgp_transport_kind kind;
		uint32_t sent, held;
	} rows[] = {
		{ BGP_TRANSPORT_TCP, 0x7f000101, 0x0a010204 }, /* the real address */
		{ BGP_TRANSPORT_TCP, 0x7f000001, 0x0a010204 }, /* 127/8 */
		{ BGP_TRANSPORT_TCP, 0xc0000201, 0x0a010204 }, /* real address off loopback */
		{ BGP_TRANSPORT_TCP, 0x0a010264, 0x0a010264 }, /* third party, RS-56 */
		{ BGP_TRANSPORT_NNG, 0x7f000101, 0x7f000101 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct speaker_peer_conf conf = {
			.session = { .peer_name = "a",
			    .peer_addr = 0x0a010204,
			    .transport = rows[i].kind,
			    .dial_addr = 0xc0000201 },
			.accept_addr = 0x7f000101,
		};
		struct speaker_peer *p;
		struct role r;
		uint32_t got = 0;

		setup(&r);
		CU_ASSERT_EQUAL_FATAL(speaker_peer_add(r.sp, &conf, &p), FAB_OK);
		fake_up(fake_find("a"));
		fake_rx(fake_find("a"),
		    &(struct fake_update){
			.announce = "10.0.0.0/8", .path = PATH(65001), .next_hop = rows[i].sent });
		turn(&r);
		speaker_walk_in(r.sp, p, next_hop_of, &got);
		CU_ASSERT_EQUAL(got, rows[i].held);
		teardown(&r);
	}
}

static void
test_local_pref_of_another_as_is_ignored(void)
{
	struct bgp_session *a, *b, *c;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	c = up_peer(&r, "c", 3);
	rx(&r, a, "10.0.0.0/8", PATH(65001));
	fake_rx(b, &(struct fake_update){ .announce = "10.0.0.0/8",
		       .path = PATH(65001, 65002),
		       .has_local_pref = true,
		       .local_pref = 500,
		       .next_hop = 2 });
	turn(&r);
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(c, "10.0.0.0/8")), "65515 65001");
	teardown(&r);
}

/* ---- sessions ---- */

/* RS-90, RS-92: one batch, whatever the number of routes. */
static void
test_lost_peer_withdraws_everything_at_once(void)
{
	struct ipnet nets[500];
	struct bgp_session *a, *b;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	for (unsigned i = 0; i < 500; i++)
		nets[i] = (struct ipnet){ 0x0a000000u + (i << 8), 24 };
	fake_rx_nets(a, nets, 500, 1, PATH(65001));
	turn(&r);
	r.batches = 0;
	b->messages = 0;
	fake_down(a, "hold timer expired");
	turn(&r);
	CU_ASSERT_EQUAL(r.batches, 1);
	CU_ASSERT_EQUAL(r.n_gone, 500);
	CU_ASSERT_EQUAL(b->n_table, 0);
	CU_ASSERT_EQUAL(b->messages, 1);
	CU_ASSERT_STRING_EQUAL(r.cause.text, "peer a: hold timer expired");
	CU_ASSERT_STRING_EQUAL(r.cause.subject, "a");
	CU_ASSERT(r.cause.detect_us > 0 && r.cause.detect_us <= r.cause.withdraw_us &&
		  r.cause.withdraw_us <= r.cause.best_path_us);
	CU_ASSERT_EQUAL(speaker_prefix_count(r.sp), 0);
	teardown(&r);
}

/* The batch is about the loss even if an UPDATE came earlier in the same turn. */
static void
test_loss_outdoes_other_causes(void)
{
	struct bgp_session *a, *b;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	rx(&r, a, "10.0.0.0/8", PATH(65001));
	CU_ASSERT_STRING_EQUAL(r.cause.text, "peer a: UPDATE");
	fake_rx(b, &(struct fake_update){ .announce = "10.2.0.0/16", .path = PATH(65001) });
	fake_down(a, "connection closed");
	turn(&r);
	CU_ASSERT_STRING_EQUAL(r.cause.text, "peer a: connection closed");
	CU_ASSERT_EQUAL(r.n_changes, 2);
	rx_withdraw(&r, b, "10.2.0.0/16");
	CU_ASSERT_STRING_EQUAL(r.cause.text, "peer b: withdrawal");
	teardown(&r);
}

/* RS-98 */
static void
test_removed_peer_withdraws_and_frees_its_group(void)
{
	struct bgp_session *a, *b;
	struct role r;

	setup(&r);
	a = add_peer(&r, "a", 1, 7, 0);
	fake_up(a);
	b = up_peer(&r, "b", 2);
	rx(&r, a, "10.0.0.0/8", PATH(65001));
	rx(&r, b, "10.2.0.0/16", PATH(65001));
	CU_ASSERT_PTR_NOT_NULL(fake_has(a, "10.2.0.0/16"));
	speaker_peer_remove(r.sp, speaker_peer_find(r.sp, "a"));
	CU_ASSERT_PTR_NULL(speaker_peer_find(r.sp, "a"));
	/* Its name and its group are free at once. */
	a = add_peer(&r, "a", 1, 8, 0);
	turn(&r);
	CU_ASSERT_EQUAL(b->n_table, 0);
	CU_ASSERT_EQUAL(b->strays, 0);
	fake_up(a);
	turn(&r);
	CU_ASSERT_EQUAL(a->n_table, 1);
	rx(&r, a, "10.0.0.0/8", PATH(65001));
	CU_ASSERT_PTR_NOT_NULL(fake_has(b, "10.0.0.0/8"));
	CU_ASSERT_EQUAL(speaker_peer_add(r.sp,
			    &(struct speaker_peer_conf){ .session = { .peer_name = "b" } }, NULL),
	    FAB_EEXIST);
	teardown(&r);
}

static void
test_synced_follows_the_routes(void)
{
	struct bgp_session *a;
	struct role r;

	setup(&r);
	a = add_peer(&r, "a", 1, 0, 0);
	fake_up(a);
	fake_rx(a, &(struct fake_update){ .announce = "10.0.0.0/8", .path = PATH(65001) });
	fake_end_of_rib(a);
	CU_ASSERT_STRING_EQUAL(r.log, "+a ");
	CU_ASSERT_FALSE(speaker_peer_synced(speaker_peer_find(r.sp, "a")));
	turn(&r);
	CU_ASSERT_STRING_EQUAL(r.log, "+a sa ");
	a->cb->first_keepalive(a->ctx, a); /* told once */
	turn(&r);
	CU_ASSERT_STRING_EQUAL(r.log, "+a sa ");
	fake_down(a, "closed");
	fake_up(a);
	CU_ASSERT_FALSE(speaker_peer_synced(speaker_peer_find(r.sp, "a")));
	a->cb->first_keepalive(a->ctx, a);
	turn(&r);
	CU_ASSERT_STRING_EQUAL(r.log, "+a sa -a +a sa ");
	CU_ASSERT(speaker_peer_synced(speaker_peer_find(r.sp, "a")));
	teardown(&r);
}

/* RS-96 */
static void
test_refresh_of_peers_or_reset(void)
{
	struct bgp_session *a, *b, *c;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	c = add_peer(&r, "c", 3, 1, 0);
	fake_up(c);
	b->can_refresh = false;
	speaker_refresh_peers(r.sp, 0, UINT32_MAX);
	CU_ASSERT_EQUAL(a->refreshes, 1);
	CU_ASSERT_EQUAL(a->resets, 0);
	CU_ASSERT_EQUAL(b->resets, 1);
	CU_ASSERT_EQUAL(b->reset_subcode, BGP_CEASE_ADMIN_RESET);
	CU_ASSERT_EQUAL(c->refreshes + c->resets, 0);
	turn(&r);
	teardown(&r);
}

/* RS-36 */
static void
test_only_configured_peers_are_accepted(void)
{
	struct speaker_peer_conf tcp = { .session = { .peer_name = "tcp",
					     .peer_addr = 0x0a010204,
					     .transport = BGP_TRANSPORT_TCP },
		.accept_addr = 0x7f000101 };
	struct speaker_peer_conf plain = { .session = { .peer_name = "plain",
					       .peer_addr = 0x0a010205,
					       .transport = BGP_TRANSPORT_TCP } };
	struct speaker_peer_conf nng = { .session = { .peer_name = "nng",
					     .peer_addr = 0x0a010206,
					     .transport = BGP_TRANSPORT_NNG } };
	struct role r;

	setup(&r);
	CU_ASSERT_EQUAL(speaker_listen_tcp(r.sp, 0x7f000001, 0), FAB_OK);
	CU_ASSERT_EQUAL(speaker_listen_nng(r.sp, "ipc:///tmp/x", NULL), FAB_OK);
	CU_ASSERT_EQUAL(speaker_listen_port(r.sp), 179);
	CU_ASSERT_EQUAL(speaker_peer_add(r.sp, &tcp, NULL), FAB_OK);
	CU_ASSERT_EQUAL(speaker_peer_add(r.sp, &plain, NULL), FAB_OK);
	CU_ASSERT_EQUAL(speaker_peer_add(r.sp, &nng, NULL), FAB_OK);
	CU_ASSERT_STRING_EQUAL(fake_connect(BGP_TRANSPORT_TCP, 0x7f000101), "tcp");
	CU_ASSERT_STRING_EQUAL(fake_connect(BGP_TRANSPORT_TCP, 0x0a010205), "plain");
	CU_ASSERT_STRING_EQUAL(fake_connect(BGP_TRANSPORT_NNG, 0x0a010206), "nng");
	CU_ASSERT_PTR_NULL(fake_connect(BGP_TRANSPORT_TCP, 0x0a010204));
	CU_ASSERT_PTR_NULL(fake_connect(BGP_TRANSPORT_NNG, 0x0a010204));
	CU_ASSERT_PTR_NULL(fake_connect(BGP_TRANSPORT_TCP, 0x0a010206));
	teardown(&r);
}

/* ---- policy and originations ---- */

static void
test_reevaluation_changes_winners_and_exports(void)
{
	struct bgp_session *a, *b, *c;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	c = up_peer(&r, "c", 3);
	rx(&r, a, "10.0.0.0/8", PATH(65001));
	rx(&r, b, "10.0.0.0/8", PATH(65002, 65002));
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(c, "10.0.0.0/8")), "65515 65001");
	r.light = 1;
	speaker_reevaluate(r.sp, "weights");
	turn(&r);
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(c, "10.0.0.0/8")), "65515 65002 65002");
	CU_ASSERT_EQUAL(r.n_changes, 1);
	/* Export only: nobody's best route changes, so the role hears nothing. */
	r.silent = true;
	r.batches = 0;
	speaker_reevaluate(r.sp, "b2b off");
	turn(&r);
	CU_ASSERT_EQUAL(a->n_table + b->n_table + c->n_table, 0);
	CU_ASSERT_EQUAL(r.batches, 0);
	r.silent = false;
	speaker_reevaluate(r.sp, "b2b on");
	turn(&r);
	CU_ASSERT_EQUAL(a->n_table, 1);
	CU_ASSERT_EQUAL(b->n_table, 0);
	CU_ASSERT_EQUAL(c->n_table, 1);
	CU_ASSERT_EQUAL(a->strays + b->strays + c->strays, 0);
	teardown(&r);
}

static void
test_originations_come_and_go(void)
{
	struct ipnet net = { 0x0a010000, 16 };
	struct bgp_session *a;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	originate(&r, "10.1.0.0/16", 0, 0);
	turn(&r);
	CU_ASSERT_EQUAL(fake_has(a, "10.1.0.0/16")->n_communities, 0);
	originate(&r, "10.1.0.0/16", 0, BGP_COMMUNITY(65518, 65518));
	turn(&r);
	CU_ASSERT_EQUAL(fake_has(a, "10.1.0.0/16")->communities[0], BGP_COMMUNITY(65518, 65518));
	/* Our own beats a peer's, and is not mixed up with an origination of another tag. */
	rx(&r, a, "10.1.0.0/16", PATH(65001));
	CU_ASSERT_PTR_NOT_NULL(fake_has(a, "10.1.0.0/16"));
	originate(&r, "10.9.0.0/16", 9, 0); /* export policy keeps this tag to itself */
	turn(&r);
	CU_ASSERT_PTR_NULL(fake_has(a, "10.9.0.0/16"));
	speaker_unoriginate(r.sp, &net, 5); /* no such tag */
	turn(&r);
	CU_ASSERT_PTR_NOT_NULL(fake_has(a, "10.1.0.0/16"));
	speaker_unoriginate(r.sp, &net, 0);
	turn(&r);
	CU_ASSERT_PTR_NULL(fake_has(a, "10.1.0.0/16")); /* now the peer's own route is best */
	teardown(&r);
}

/* RFC 8654 4 */
static void
test_attributes_too_large_for_a_peer_withdraw(void)
{
	struct bgp_session *a, *b, *c;
	struct role r;

	setup(&r);
	a = up_peer(&r, "a", 1);
	b = up_peer(&r, "b", 2);
	c = add_peer(&r, "c", 3, 0, 0);
	c->message_max = 65535;
	fake_up(c);
	turn(&r);
	rx(&r, a, "10.0.0.0/8", PATH(65001));
	fake_rx(a, &(struct fake_update){ .announce = "10.0.0.0/8",
		       .path = PATH(65001, 65001),
		       .next_hop = 1,
		       .padding = 5000 });
	turn(&r);
	CU_ASSERT_PTR_NULL(fake_has(b, "10.0.0.0/8"));
	CU_ASSERT_STRING_EQUAL(fake_path(fake_has(c, "10.0.0.0/8")), "65515 65001 65001");
	teardown(&r);
}

static CU_TestInfo tests[] = {
	{ "a new peer gets the table, then End-of-RIB", test_new_peer_gets_table_then_end_of_rib },
	{ "RS-77: no route goes back to its source", test_no_route_goes_back_to_its_source },
	{ "peers of a group share one encoding per wire",
	    test_peers_of_a_group_share_one_encoding },
	{ "ROUTE-REFRESH replays Adj-RIB-Out", test_refresh_replays_adj_rib_out },
	{ "RS-21, RS-22: maximum of prefixes", test_maximum_of_prefixes },
	{ "RS-50, RS-51: dropped routes are not held", test_dropped_routes_are_not_held },
	{ "import runs once per attribute set", test_import_runs_once_per_attribute_set },
	{ "a loopback next hop stands for the peer", test_loopback_next_hop_stands_for_the_peer },
	{ "LOCAL_PREF of another AS is ignored", test_local_pref_of_another_as_is_ignored },
	{ "RS-90: a lost peer withdraws everything at once",
	    test_lost_peer_withdraws_everything_at_once },
	{ "a session loss outdoes other causes", test_loss_outdoes_other_causes },
	{ "RS-98: a removed peer withdraws", test_removed_peer_withdraws_and_frees_its_group },
	{ "synced is told after the routes", test_synced_follows_the_routes },
	{ "RS-96: refresh, or reset without the capability", test_refresh_of_peers_or_reset },
	{ "RS-36: only configured peers are accepted", test_only_configured_peers_are_accepted },
	{ "reevaluation changes winners and exports",
	    test_reevaluation_changes_winners_and_exports },
	{ "originations come and go", test_originations_come_and_go },
	{ "attributes too large for a peer withdraw",
	    test_attributes_too_large_for_a_peer_withdraw },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("speaker", tests)
