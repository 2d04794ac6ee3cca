/*
 * Chaos: what was lost and for how long, what else could have carried it, and which rule explains
 * it. Everything from plain structs.
 */
#include "fabctl/ch_judge.h"
#include "fabctl/ch_probe.h"
#include "fabctl/ch_report.h"
#include "fabctl/ch_rules.h"
#include "fabctl/sc_report.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/topo_case.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two regions, two NVAs each but the second only one; a data centre on both circuits. */
static const char estate[] =
    "timing: fast\n"
    "vnets:\n"
    "  hub1: {region: r1, address_space: [10.1.0.0/16], subnets: {RouteServerSubnet: 10.1.0.0/26, "
    "GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24}}\n"
    "  s11: {region: r1, address_space: [10.11.0.0/16], subnets: {vms: 10.11.0.0/24, own: "
    "{prefix: 10.11.1.0/24, route_table: rt}}}\n"
    "  s12: {region: r1, address_space: [10.12.0.0/16], subnets: {vms: 10.12.0.0/24}}\n"
    "  hub2: {region: r2, address_space: [10.2.0.0/16], subnets: {RouteServerSubnet: 10.2.0.0/26, "
    "GatewaySubnet: 10.2.1.0/26, nva: 10.2.2.0/24}}\n"
    "  s21: {region: r2, address_space: [10.21.0.0/16], subnets: {vms: 10.21.0.0/24}}\n"
    "peerings: [{hub: hub1, spoke: [s11, s12]}, {hub: hub2, spoke: s21}]\n"
    "route_tables: {rt: {disable_bgp_route_propagation: true}}\n"
    "route_servers: {rs1: {vnet: hub1, peers: [nva1, nva2]}, rs2: {vnet: hub2, peers: [nva3]}}\n"
    "nvas:\n"
    "  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, public_ip: 20.0.0.4, snat: true, "
    "stateful: true, peers: {nva3: {tunnel: true}}}\n"
    "  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, stateful: true}\n"
    "  nva3: {subnet: hub2/nva, ip: 10.2.2.4, asn: 65002, to_route_server: {as_override: true}}\n"
    "gateways:\n"
    "  er1: {vnet: hub1, type: ExpressRoute, circuits: [c1]}\n"
    "  er2: {vnet: hub2, type: ExpressRoute, circuits: [c2]}\n"
    "circuits: {c1: {site: dc1}, c2: {site: dc1}}\n"
    "sites: {dc1: {asn: 64900, prefixes: [172.20.0.0/16]}}\n"
    "vms:\n"
    "  vm11: {subnet: s11/vms, ip: 10.11.0.4}\n"
    "  own: {subnet: s11/own, ip: 10.11.1.4}\n"
    "  vm12: {subnet: s12/vms, ip: 10.12.0.4}\n"
    "  vm21: {subnet: s21/vms, ip: 10.21.0.4}\n";

static struct topo *
load(void)
{
	struct topo *t = topo_case_build(estate, sizeof(estate) - 1);

	topo_case_print("error", &topo_case_errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

static struct ch_cell
cell(const char *name)
{
	struct ch_cell c = { .n = 0 };

	if (name[0] != '\0')
		CU_ASSERT_EQUAL_FATAL(ch_cell_parse(&c, name), FAB_OK);
	return c;
}

/* ---- what else could carry it ---- */

static void
test_what_could_carry_a_packet(void)
{
	static const struct {
		const char *broken, *src, *dst, *way; /* NULL: nothing */
	} cases[] = {
		{ "", "vm11", "vm12", "vm11 > nva1 > vm12" },
		{ "", "vm11", "own", "vm11 > own" },
		{ "kill nva1", "vm11", "vm12", "vm11 > nva2 > vm12" },
		{ "cut nva1", "vm11", "vm12", "vm11 > nva2 > vm12" },
		{ "kill nva1 + pause nva2", "vm11", "vm12", NULL },
		{ "kill rs1-0", "vm11", "vm12", "vm11 > nva1 > vm12" },
		{ "", "vm11", "vm21", "vm11 > nva1 > nva3 > vm21" },
		{ "kill nva1", "vm11", "vm21", NULL }, /* B2B-9: not over the data centre */
		{ "cut nva1 nva3", "vm11", "vm21", NULL },
		{ "cut nva3 nva1", "vm21", "vm11", NULL },
		{ "cut r1 r2", "vm11", "vm21", NULL },
		{ "cut r1 r2", "vm11", "vm12", "vm11 > nva1 > vm12" },
		{ "", "vm11", "dc1", "vm11 > er1-0 > c1-primary > dc1" },
		{ "cut er1-0 c1-primary", "vm11", "dc1", "vm11 > er1-0 > c1-secondary > dc1" },
		{ "kill er1-0", "dc1", "vm11", "dc1 > c1-primary > er1-1 > vm11" },
		{ "kill c1-primary + kill c1-secondary", "vm11", "dc1",
		    "vm11 > nva1 > nva3 > er2-0 > c2-primary > dc1" },
		{ "kill er1-0 + kill er1-1", "vm11", "vm12", "vm11 > nva1 > vm12" },
		{ "kill dc1", "vm11", "dc1", NULL },
		{ "", "vm11", "internet", "vm11 > nva1 > internet" },
		{ "kill nva1", "vm11", "internet", NULL }, /* nva2 has no public address */
		{ "", "internet", "vm11", NULL },          /* an NVA lets nothing in */
		{ "", "internet", "nva1", "internet > nva1" },
		{ "", "vm11", "nobody", NULL },
	};
	struct topo *t = load();
	char way[CH_WAY_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ch_cell c = cell(cases[i].broken);
		bool could = ch_could_carry(t, c.step, c.n, cases[i].src, cases[i].dst, way);

		if (could != (cases[i].way != NULL) || (could && strcmp(way, cases[i].way) != 0))
			printf("\n  %s: %s to %s: '%s'", cases[i].broken, cases[i].src,
			    cases[i].dst, way);
		CU_ASSERT_EQUAL_FATAL(could, cases[i].way != NULL);
		if (could)
			CU_ASSERT_STRING_EQUAL(way, cases[i].way);
	}
	topo_free(t);
}

/* ---- who reaches whom ---- */

static struct ch_watch *
watch_new(void)
{
	struct ch_watch *w = calloc(1, sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	return w;
}

static void
say(struct ch_watch *w, const char *src, const char *dst, struct ch_look look, uint64_t at_us)
{
	int a = ch_watch_end(w, src), b = ch_watch_end(w, dst);

	ch_watch_take(w, a, b, &look, at_us);
}

#define DELIVERED ((struct ch_look){ .verdict = CH_DELIVERED, .way = "vm11 > nva1 > vm12" })
#define GONE                                                                                       \
	((struct ch_look){                                                                         \
	    .verdict = CH_BLACKHOLE, .rule = "RS-91", .reason = "nva1 is gone (RS-91)" })

static void
test_losses_add_up(void)
{
	struct ch_watch *w = watch_new();
	const struct ch_loss *l = &w->loss[0][1];

	say(w, "vm11", "vm12", DELIVERED, 100);
	CU_ASSERT_EQUAL(ch_loss_us(l, 1000), 0);
	say(w, "vm11", "vm12", GONE, 1000);
	say(w, "vm11", "vm12", (struct ch_look){ .verdict = CH_LOOP, .rule = "RS-64" }, 1500);
	CU_ASSERT_EQUAL(ch_loss_us(l, 1600), 600);
	say(w, "vm11", "vm12", DELIVERED, 3000);
	CU_ASSERT_EQUAL(ch_loss_us(l, 9000), 2000);
	say(w, "vm11", "vm12", GONE, 10000);
	CU_ASSERT_EQUAL(ch_loss_us(l, 10500), 2500);
	CU_ASSERT_TRUE(l->looped);
	CU_ASSERT_STRING_EQUAL(l->rule, "RS-91"); /* of the first */

	ch_watch_restart(w, 20000); /* what is lost still is, from now on */
	CU_ASSERT_EQUAL(ch_loss_us(l, 20700), 700);
	CU_ASSERT_FALSE(l->looped);
	for (int i = 2; i < CH_ENDS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%d", i);
		CU_ASSERT_EQUAL(ch_watch_end(w, name), i);
	}
	CU_ASSERT_EQUAL(ch_watch_end(w, "one more"), -1);
	CU_ASSERT_EQUAL(ch_watch_end(w, "vm12"), 1);
	CU_ASSERT_EQUAL(ch_verdict_parse("loop"), CH_LOOP);
	CU_ASSERT_EQUAL(ch_verdict_parse("nonsense"), CH_BLACKHOLE);
	free(w);
}

/* ---- judging ---- */

struct court {
	struct topo *t;
	struct ch_watch *before, *after;
	struct ch_cell cell;
	struct ch_seen seen;
	struct ch_verdicts v;
};

/* vm11 and vm12 talk, both ways; name "": at rest. */
static void
court_open(struct court *c, const char *name)
{
	*c = (struct court){
		.t = load(), .before = watch_new(), .after = watch_new(), .cell = cell(name)
	};
	for (int i = 0; i < 2; i++) {
		say(i == 0 ? c->before : c->after, "vm11", "vm12", DELIVERED, 1);
		say(i == 0 ? c->before : c->after, "vm12", "vm11", DELIVERED, 1);
	}
	c->seen = (struct ch_seen){ .steps = c->cell.step,
		.n_steps = c->cell.n,
		.before = c->before,
		.after = c->after,
		.settled_us = 10000000,
		.bound_us = 5000000,
		.settled = true,
		.returned = true,
		.why = "" };
}

static void
court_close(struct court *c)
{
	ch_verdicts_fini(&c->v);
	free(c->before);
	free(c->after);
	topo_free(c->t);
}

static void
judge(struct court *c)
{
	if (c->cell.n == 0)
		c->seen.before = c->after;
	ch_judge(&c->v, c->t, &c->seen);
}

/* The only finding. */
static void
expect(const struct court *c, enum ch_invariant inv, const char *rule, const char *words)
{
	CU_ASSERT_EQUAL_FATAL(c->v.n_findings, 1);
	CU_ASSERT_EQUAL(c->v.findings[0].invariant, inv);
	CU_ASSERT_STRING_EQUAL(c->v.findings[0].rule, rule);
	if (strstr(c->v.findings[0].what, words) == NULL)
		printf("\n  '%s' lacks '%s'", c->v.findings[0].what, words);
	CU_ASSERT_PTR_NOT_NULL(strstr(c->v.findings[0].what, words));
}

static void
test_a_gap_within_the_bound_is_none(void)
{
	struct court c;

	court_open(&c, "pause nva1");
	say(c.after, "vm11", "vm12", GONE, 1000000);
	say(c.after, "vm11", "vm12", DELIVERED, 4000000);
	judge(&c);
	CU_ASSERT_EQUAL(c.v.n_findings, 0);
	CU_ASSERT_EQUAL_FATAL(c.v.n_lost, 1);
	CU_ASSERT_EQUAL(c.v.lost[0].us, 3000000);
	CU_ASSERT_FALSE(c.v.lost[0].stays);
	CU_ASSERT_STRING_EQUAL(c.v.rule, "RS-91");
	ch_verdicts_fini(&c.v);
	c.seen.bound_us = 2999999;
	judge(&c);
	expect(&c, CH_INV_BLACKHOLE, "RS-91", "vm11 to vm12: lost for 3.0 s: nva1 is gone");
	court_close(&c);
}

/* Whether something else could have carried it. */
static void
test_what_stays_lost(void)
{
	struct court c;

	court_open(&c, "kill nva1");
	say(c.after, "vm11", "vm12", GONE, 1000000);
	judge(&c);
	expect(&c, CH_INV_DELIVERED, "RS-91", "vm11 > nva2 > vm12 could carry it");
	CU_ASSERT_STRING_EQUAL(c.v.note, "");
	CU_ASSERT_STRING_NOT_EQUAL(c.v.findings[0].fix, "");
	court_close(&c);

	court_open(&c, "kill nva1 + kill nva2");
	say(c.after, "vm11", "vm12", GONE, 1000000);
	judge(&c);
	CU_ASSERT_EQUAL(c.v.n_findings, 0);
	CU_ASSERT_TRUE(c.v.lost[0].stays && c.v.lost[0].alone && !c.v.lost[0].itself);
	CU_ASSERT_STRING_EQUAL(c.v.note, "no third instance");
	court_close(&c);

	court_open(&c, "kill rs1-0 + kill rs1-1"); /* the NVAs learn nothing any more */
	say(c.after, "vm11", "vm12", GONE, 1000000);
	judge(&c);
	expect(&c, CH_INV_DELIVERED, "RS-95", "vm11 > nva1 > vm12 could carry it");
	court_close(&c);

	court_open(&c, "cut nva1 rs1-0"); /* NICs of that instance, RS-66 */
	say(c.after, "vm11", "vm12", GONE, 1000000);
	judge(&c);
	expect(&c, CH_INV_DELIVERED, "RS-94", "vm11 > nva1 > vm12 could carry it");
	court_close(&c);

	court_open(&c, "cut vm12");
	say(c.after, "vm11", "vm12", GONE, 1000000);
	judge(&c);
	CU_ASSERT_EQUAL(c.v.n_findings, 0);
	CU_ASSERT_TRUE(c.v.lost[0].itself);
	CU_ASSERT_STRING_EQUAL(c.v.note, "vm12 itself is lost");
	court_close(&c);

	court_open(&c, "kill nva1"); /* one that could not talk before is not missed */
	say(c.before, "vm11", "vm21", GONE, 1);
	say(c.after, "vm11", "vm21", GONE, 1000000);
	judge(&c);
	CU_ASSERT_EQUAL(c.v.n_lost + c.v.n_findings, 0);
	court_close(&c);
}

/* MR-9: what sees one direction only; RS-94: because one session of two is lost. */
static void
test_one_sided_firewalls(void)
{
	static const struct {
		const char *cell, *rule;
	} cases[] = { { "kill nva3", "MR-9" }, { "cut nva1 rs1-0", "RS-94" } };
	struct ch_look look = DELIVERED;
	struct court c;

	look.stateful_break = true;
	for (size_t i = 0; i < 2; i++) {
		court_open(&c, cases[i].cell);
		say(c.after, "vm11", "vm12", look, 2);
		say(c.after, "vm12", "vm11", look, 2);
		judge(&c);
		expect(&c, CH_INV_SYMMETRIC, cases[i].rule, "sees one direction only");
		CU_ASSERT_EQUAL(c.v.findings[0].pairs, 1); /* the two directions are one */
		court_close(&c);
	}
	court_open(&c, "kill nva3"); /* it was so before: a row of its own, at rest */
	say(c.before, "vm11", "vm12", look, 2);
	say(c.after, "vm11", "vm12", look, 2);
	judge(&c);
	CU_ASSERT_EQUAL(c.v.n_findings, 0);
	court_close(&c);
}

static void
test_stale_routes(void)
{
	static const struct {
		const char *cell, *source, *rule;
	} cases[] = { { "kill nva1", "User", "UDR-3" },
		{ "kill nva1", "VirtualNetworkGateway", "RS-91" },
		{ "kill rs1-0 + kill rs1-1", "VirtualNetworkGateway", "RS-95" } };
	struct court c;

	for (size_t i = 0; i < 3; i++) {
		struct ch_stale stale = { "vm11", "0.0.0.0/0", "", "10.1.2.4", "nva1" };

		snprintf(stale.source, sizeof(stale.source), "%s", cases[i].source);
		court_open(&c, cases[i].cell);
		c.seen.stale = &stale;
		c.seen.n_stale = 1;
		judge(&c);
		expect(&c, CH_INV_STALE, cases[i].rule, "leads to 10.1.2.4, and nva1 is dead");
		court_close(&c);
	}
}

static void
test_what_does_not_settle_or_return(void)
{
	struct court c;

	court_open(&c, "kill nva1");
	c.seen.settled = false;
	c.seen.why = "rs1-0 flaps";
	judge(&c);
	expect(&c, CH_INV_SETTLES, "", "rs1-0 flaps");
	court_close(&c);

	court_open(&c, "kill nva1");
	c.seen.returned = false;
	c.seen.why = "vm11 goes another way";
	judge(&c);
	expect(&c, CH_INV_RETURNS, "", "vm11 goes another way");
	court_close(&c);

	court_open(&c, "kill nva1");
	c.seen.return_us = 5000001;
	judge(&c);
	expect(&c, CH_INV_BLACKHOLE, "", "while it was repaired");
	court_close(&c);

	court_open(&c, "pause nva1");
	c.seen.outage_us = 6000000;
	c.seen.outage = "vm11 to vm12";
	judge(&c);
	expect(&c, CH_INV_BLACKHOLE, "RS-91", "packets from vm11 to vm12: lost for 6.0 s");
	court_close(&c);
}

/* ---- at rest ---- */

static void
test_design_faults_at_rest(void)
{
	static const struct {
		const char *src, *dst;
		struct ch_look look;
		enum ch_invariant inv; /* CH_INV_COUNT: none */
		const char *rule;
	} cases[] = {
		{ "vm11", "vm21", { .verdict = CH_LOOP, .rule = "RS-64" }, CH_INV_LOOP, "MR-5" },
		{ "vm11", "internet", { .verdict = CH_LOOP, .rule = "RS-64" }, CH_INV_LOOP,
		    "SC-H" },
		{ "vm11", "vm12", { .verdict = CH_LOOP, .rule = "RS-64" }, CH_INV_LOOP, "RS-64" },
		{ "vm11", "vm21",
		    { .verdict = CH_BLACKHOLE, .rule = "SYS-3", .reason = "x has next hop None" },
		    CH_INV_DELIVERED, "MR-2" },
		{ "vm21", "vm11", /* nva3 overrides 65515, so it must be something else */
		    { .verdict = CH_BLACKHOLE, .rule = "SYS-3", .reason = "x has next hop None" },
		    CH_INV_DELIVERED, "SYS-3" },
		{ "own", "vm12", /* its route table wants no BGP routes */
		    { .verdict = CH_BLACKHOLE, .rule = "SYS-3", .reason = "x has next hop None" },
		    CH_INV_COUNT, "" },
		{ "vm11", "vm12", { .verdict = CH_FILTERED, .rule = "PEER-5" }, CH_INV_COUNT, "" },
		{ "internet", "nva1", { .verdict = CH_BLACKHOLE }, CH_INV_COUNT, "" },
		{ "vm11", "internet", { .verdict = CH_BLACKHOLE, .rule = "SYS-2" }, CH_INV_COUNT,
		    "" },
		{ "vm11", "internet", { .verdict = CH_BLACKHOLE, .rule = "SC-J" }, CH_INV_DELIVERED,
		    "SC-J" },
	};
	struct court c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		court_open(&c, "");
		say(c.after, cases[i].src, cases[i].dst, cases[i].look, 1);
		for (int k = 0; k < (int)c.after->n; k++) /* all others are fine */
			for (int m = 0; m < (int)c.after->n; m++)
				if (c.after->now[k][m].way[0] == '\0' &&
				    !(k == ch_watch_end(c.after, cases[i].src) &&
					m == ch_watch_end(c.after, cases[i].dst)))
					c.after->now[k][m] = DELIVERED;
		judge(&c);
		CU_ASSERT_EQUAL(c.v.n_lost, 0);
		if (cases[i].inv == CH_INV_COUNT) {
			CU_ASSERT_EQUAL(c.v.n_findings, 0);
		} else {
			expect(&c, cases[i].inv, cases[i].rule, cases[i].dst);
		}
		court_close(&c);
	}
}

static void
test_rules_of_faults(void)
{
	static const struct {
		const char *cell, *rule;
	} cases[] = { { "kill nva1", "RS-90" }, { "pause nva1", "RS-91" }, { "cut nva1", "RS-91" },
		{ "kill rs1-0", "RS-93" }, { "pause er1-0", "ER-15" },
		{ "kill c1-primary", "ER-1" }, { "cut nva1 rs1-0", "RS-94" },
		{ "cut er1-0 rs1-0", "B2B-4" }, { "cut c1-primary er1-0", "ER-16" },
		{ "cut c1-primary dc1", "ER-1" }, { "cut nva1 nva3", "MR-6" }, { "cut vm11", "" },
		{ "cut r1 r2", "" }, { "kill fabricd", "" } };
	struct topo *t = load();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ch_cell c = cell(cases[i].cell);

		CU_ASSERT_STRING_EQUAL(ch_rule_of_fault(t, &c.step[0]), cases[i].rule);
	}
	CU_ASSERT_STRING_NOT_EQUAL(ch_fix_of("MR-5"), "");
	CU_ASSERT_STRING_EQUAL(ch_fix_of("nothing"), "");
	topo_free(t);
}

/* ---- probes ---- */

static void
test_probes_go_through_what_breaks(void)
{
	struct ch_watch *w = watch_new();
	struct ch_cell c = cell("kill nva2");
	int pairs[CH_PROBES_MAX][2];
	struct ch_look by1 = DELIVERED, by2 = DELIVERED;
	struct topo *t = load();

	snprintf(by2.way, sizeof(by2.way), "vm11 > nva2 > vm21");
	snprintf(by1.way, sizeof(by1.way), "x > nva22 > y");
	say(w, "internet", "vm11", by2, 1); /* no guest of the topology's */
	say(w, "vm11", "vm12", by1, 1);
	say(w, "vm11", "vm21", by2, 1);
	say(w, "vm12", "vm21", GONE, 1);
	CU_ASSERT_EQUAL(ch_probe_choose(pairs, t, w, c.step, c.n), 2);
	CU_ASSERT_STRING_EQUAL(w->names[pairs[0][0]], "vm11");
	CU_ASSERT_STRING_EQUAL(w->names[pairs[0][1]], "vm21");
	CU_ASSERT_STRING_EQUAL(w->names[pairs[1][1]], "vm12");
	c = cell("cut vm11");
	CU_ASSERT_EQUAL(ch_probe_choose(pairs, t, w, c.step, c.n), 0);
	topo_free(t);
	free(w);
}

/* ---- the report ---- */

static json_t *
sample(void)
{
	json_t *r =
	    json_loads("{\"name\": \"x<y\", \"topology\": \"x.yaml\", \"timing\": \"fast\", "
		       "\"seed\": 3, \"seconds\": 12.4, "
		       "\"ok\": false, \"at_rest\": {\"cell\": \"(at rest)\", \"ok\": true, "
		       "\"rule\": \"\", \"note\": \"\", "
		       "\"lost\": [], \"broken\": [], \"endpoints\": [\"a\", \"b\"]}, \"cells\": ["
		       "{\"cell\": \"kill nva1\", \"ok\": true, \"rule\": \"RS-90\", \"note\": "
		       "\"\", \"detect_ms\": 5.25, "
		       "\"converge_ms\": null, \"seconds\": 2.0, \"lost\": [{\"src\": \"a\", "
		       "\"dst\": \"b\", \"ms\": 20.5, "
		       "\"stays\": false}, {\"src\": \"b\", \"dst\": \"a\", \"ms\": 1200, "
		       "\"stays\": false}], \"broken\": [], "
		       "\"packets\": [{\"src\": \"a\", \"dst\": \"b\", \"sent\": 100, \"lost\": 3, "
		       "\"outage_ms\": 2.5}]},"
		       "{\"cell\": \"pause nva1\", \"ok\": true, \"rule\": \"RS-91\", \"note\": "
		       "\"no second instance of "
		       "nva1\", \"seconds\": 2.0, \"lost\": [{\"src\": \"a\", \"dst\": \"b\", "
		       "\"ms\": 3000, \"stays\": true, "
		       "\"because\": \"nothing else could carry it\"}], \"broken\": []},"
		       "{\"cell\": \"cut nva1 + cut nva2\", \"ok\": false, \"rule\": \"RS-91\", "
		       "\"note\": \"\", \"seconds\": "
		       "2.0, \"lost\": [], \"broken\": [{\"invariant\": \"no-loop\", \"rule\": "
		       "\"MR-5\", \"what\": \"a to b "
		       "& back\", \"pairs\": 3, \"fix\": \"a tunnel\"}, {\"invariant\": "
		       "\"no-loop\", \"rule\": \"SC-H\", "
		       "\"what\": \"x\", \"pairs\": 1, \"fix\": \"\"}]}]}",
		0, NULL);

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	return r;
}

static char *
text_of(const json_t *r)
{
	char *text = NULL;
	size_t size;
	FILE *fp = open_memstream(&text, &size);

	ch_report_text(fp, r);
	fclose(fp);
	return text;
}

static void
test_report_as_text(void)
{
	json_t *r = sample();
	char *text = text_of(r);

	CU_ASSERT_PTR_NOT_NULL(
	    strstr(text, "kill nva1            5.2                       2 for up to 1.20 s; 3 "
			 "packets in 2.5 ms"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "1 until repaired (no second instance of nva1)  "));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "no-loop  MR-5 SC-H"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text,
	    "cut nva1 + cut nva2: no-loop, MR-5\n  a to b & back\n  and 2 more\n  mend: a "
	    "tunnel\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(
	    text, "3 faults, 2 endpoints, 12 s, seed 3, timing fast: invariants broken in 1\n"));
	free(text);
	json_decref(r);
}

static char *
slurp(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *fp = fopen(path, "re");

	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	text[fread(text, 1, 65535, fp)] = '\0';
	fclose(fp);
	unlink(path);
	return text;
}

static void
test_report_as_page_and_as_junit(void)
{
	char path[] = "/tmp/fab-ch-XXXXXX";
	json_t *r = sample(), *cases;
	char *text;

	close(mkstemp(path));
	CU_ASSERT_EQUAL(ch_report_html(path, r), FAB_OK);
	text = slurp(path);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "<title>chaos: x&lt;y</title>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "<td class=lost>"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "a to b &amp; back"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "Two at once"));
	CU_ASSERT_PTR_NULL(strstr(text, "<script"));
	free(text);

	cases = ch_report_cases(r);
	CU_ASSERT_EQUAL(sc_report_junit(path, cases), FAB_OK);
	text = slurp(path);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "tests=\"4\" failures=\"1\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "name=\"cut nva1 + cut nva2\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "mend: a tunnel"));
	free(text);
	json_decref(cases);
	json_decref(r);
	CU_ASSERT_EQUAL(ch_report_html("/nowhere/x.html", NULL), FAB_EIO);
}

static CU_TestInfo tests[] = {
	{ "PEER-2, B2B-9: what could carry a packet", test_what_could_carry_a_packet },
	{ "losses add up", test_losses_add_up },
	{ "a gap within the bound is none", test_a_gap_within_the_bound_is_none },
	{ "what stays lost", test_what_stays_lost },
	{ "MR-9, RS-94: one-sided firewalls", test_one_sided_firewalls },
	{ "UDR-3, RS-91, RS-95: stale routes", test_stale_routes },
	{ "what does not settle or return", test_what_does_not_settle_or_return },
	{ "MR-2, MR-5, SC-H, SC-J: design faults at rest", test_design_faults_at_rest },
	{ "rules of faults", test_rules_of_faults },
	{ "probes go through what breaks", test_probes_go_through_what_breaks },
	{ "report as text", test_report_as_text },
	{ "report as page and as JUnit", test_report_as_page_and_as_junit },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ch_judge", tests)
