/*
 * Where packets go: the rules one by one, then random fabrics against a search through plain lists.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"
#include "tests/unit/vs_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one fabric for the rules ---- */

/* Spoke (10.1.0.0/16) peered with hub (10.0.0.0/16); far (10.2.0.0/16) is peered with the hub only.
 * The hub has two NVAs, a machine that does not forward, and an internal load balancer, 10.0.1.100,
 * over both NVAs. vm and nva1 have public addresses, 20.0.0.4 and 20.0.1.4. */
enum {
	OWN_HUB = 1,
	OWN_SPOKE,
	OWN_FAR,
	SYS_HUB,
	SYS_SPOKE,
	SYS_FAR,
	USER,
	BGP,
	USER_GW,
	PUBLIC,
	GUARD,
	TUNNEL
};
enum {
	IN_HUB = 1,
	IN_SPOKE,
	IN_FAR,
	INTERNET,
	NONE,
	G_PORT = 100,
	G_ILB = 50,
	G_PUBLIC = 30,
	G_TEST = 60
};
enum { VM = 1, VM2, NVA1, NVA2, PLAIN, FARVM, GW1, GW2, NET };

static void
put_owner(struct vs_fix *f, uint32_t table, uint32_t id, const char *name, const char *ip)
{
	uint32_t addr = fix_addr(ip);

	fix_port(f, id, name, ip);
	fix_ports(f, G_PORT + id, (uint32_t[]){ id, 0 });
	fix_net(f, table, addr, 32, G_PORT + id);
}

static void
put_system(struct vs_fix *f, uint32_t table, const char *own, uint32_t own_group)
{
	fix_route(f, table, own, own_group);
	fix_route(f, table, "0.0.0.0/0", INTERNET);
	fix_route(f, table, "10.0.0.0/8", NONE);
	fix_route(f, table, "172.16.0.0/12", NONE);
}

static void
put_tables(struct vs_fix *f)
{
	put_system(f, SYS_HUB, "10.0.0.0/16", IN_HUB);
	fix_route(f, SYS_HUB, "10.1.0.0/16", IN_SPOKE);
	fix_route(f, SYS_HUB, "10.2.0.0/16", IN_FAR);
	put_system(f, SYS_SPOKE, "10.1.0.0/16", IN_SPOKE);
	fix_route(f, SYS_SPOKE, "10.0.0.0/16", IN_HUB);
	put_system(f, SYS_FAR, "10.2.0.0/16", IN_FAR);
	fix_route(f, SYS_FAR, "10.0.0.0/16", IN_HUB);
	fix_table(f, USER);
	fix_table(f, BGP);
	fix_table(f, USER_GW);
}

static void
put_port_tables(struct vs_fix *f)
{
	static const uint32_t systems[] = {
		[VM] = SYS_SPOKE,
		[VM2] = SYS_SPOKE,
		[NVA1] = SYS_HUB,
		[NVA2] = SYS_HUB,
		[PLAIN] = SYS_HUB,
		[FARVM] = SYS_FAR,
		[GW1] = SYS_HUB,
		[GW2] = SYS_HUB,
		[NET] = VS_NONE,
	};

	for (size_t i = 0; i < f->n_ports; i++)
		f->ports[i].system = systems[f->ports[i].id];
	f->ports[VM - 1].user = USER;
	f->ports[VM - 1].bgp = BGP;
}

/* Whoever has a public address, and "internet" for all others. */
static void
put_internet(struct vs_fix *f)
{
	struct vs_port_conf *net = fix_port(f, NET, "internet", "8.8.8.8");

	net->forwarding = true;
	net->user = PUBLIC;
	fix_internet(f, INTERNET, PUBLIC, NET);
	fix_public(f, G_PUBLIC + VM, VM);
	fix_public(f, G_PUBLIC + NVA1, NVA1);
	fix_route(f, PUBLIC, "20.0.0.4/32", G_PUBLIC + VM);
	fix_route(f, PUBLIC, "20.0.1.4/32", G_PUBLIC + NVA1);
	fix_drop(f, G_PUBLIC, VS_DROP_NO_ROUTE);
	fix_route(f, PUBLIC, "192.168.0.0/16", G_PUBLIC);
	f->ports[VM - 1].public_ip = fix_addr("20.0.0.4");
	f->ports[NVA1 - 1].public_ip = fix_addr("20.0.1.4");
}

static struct vs_fix *
fabric_new(void)
{
	struct vs_fix *f = fix_new();

	fix_deliver(f, IN_HUB, OWN_HUB);
	fix_deliver(f, IN_SPOKE, OWN_SPOKE);
	fix_deliver(f, IN_FAR, OWN_FAR);
	fix_drop(f, NONE, VS_DROP_NONE_ROUTE);
	put_owner(f, OWN_SPOKE, VM, "vm", "10.1.0.4");
	put_owner(f, OWN_SPOKE, VM2, "vm2", "10.1.0.5");
	put_owner(f, OWN_HUB, NVA1, "nva1", "10.0.1.4");
	put_owner(f, OWN_HUB, NVA2, "nva2", "10.0.1.5");
	put_owner(f, OWN_HUB, PLAIN, "plain", "10.0.2.4");
	put_owner(f, OWN_FAR, FARVM, "farvm", "10.2.0.4");
	put_owner(f, OWN_HUB, GW1, "gw1", "10.0.3.4");
	put_owner(f, OWN_HUB, GW2, "gw2", "10.0.3.5");
	fix_ports(f, G_ILB, (uint32_t[]){ NVA1, NVA2, 0 });
	fix_route(f, OWN_HUB, "10.0.1.100/32", G_ILB);
	put_tables(f);
	put_internet(f);
	put_port_tables(f);
	fix_table(f, GUARD);
	fix_table(f, TUNNEL);
	f->ports[NVA1 - 1].forwarding = f->ports[NVA2 - 1].forwarding = true;
	f->ports[GW1 - 1].router = f->ports[GW2 - 1].router = true;
	return f;
}

/* A group VIA these addresses; the list ends with NULL. */
static uint32_t
via(struct vs_fix *f, const char *const *hops)
{
	uint32_t members[9] = { 0 }, id = G_TEST + (uint32_t)f->n_groups;

	for (size_t i = 0; i < 8 && hops[i] != NULL; i++)
		members[i] = fix_addr(hops[i]);
	fix_via(f, id, members);
	return id;
}

static uint32_t
via1(struct vs_fix *f, const char *hop)
{
	return via(f, (const char *const[]){ hop, NULL });
}

static struct vs_model *
model_of(struct vs_fix *f)
{
	struct vs_model *m;

	CU_ASSERT_EQUAL_FATAL(vs_model_new(&m), FAB_OK);
	fix_snapshot(f, m, 1);
	return m;
}

static struct vs_verdict
ask_from(struct vs_model *m, uint32_t port, const char *src, const char *dst, uint32_t hash)
{
	struct vs_flow flow = {
		.src = fix_addr(src), .dst = fix_addr(dst), .hash = hash, .pair = ~hash
	};

	return fix_lookup(m, port, &flow);
}

/* Verdicts as text, so that a failure says something. */
static const char *
verdict_text(struct vs_verdict v)
{
	static const char *const ports[] = { "?", "vm", "vm2", "nva1", "nva2", "plain", "farvm",
		"gw1", "gw2", "internet" };

	return v.action == VS_TO_PORT ? ports[v.port] : vs_drop_name(v.drop);
}

static void
expect(struct vs_model *m, const char *dst, const char *want)
{
	CU_ASSERT_STRING_EQUAL(verdict_text(ask_from(m, VM, "10.1.0.4", dst, 7)), want);
}

static void
end(struct vs_fix *f, struct vs_model *m)
{
	vs_model_free(m);
	fix_free(f);
}

/* ---- rules ---- */

static void
test_system_routes(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m = model_of(f);

	expect(m, "10.1.0.5", "vm2"); /* VnetLocal */
	expect(m, "10.1.0.4", "vm");
	expect(m, "10.0.2.4", "plain"); /* peering, and it need not forward */
	expect(m, "10.0.0.99", "no-owner");
	expect(m, "10.2.0.4", "none-route"); /* not peered: 10.0.0.0/8 */
	expect(m, "172.16.0.1", "none-route");
	expect(m, "8.8.8.8", "internet");
	end(f, m);
}

static void
test_longest_prefix_then_user_bgp_system(void)
{
	struct vs_fix *f = fabric_new();
	uint32_t nva1 = via1(f, "10.0.1.4"), nva2 = via1(f, "10.0.1.5");
	struct vs_model *m;

	fix_route(f, USER, "11.0.0.0/8", nva1);
	fix_route(f, BGP, "11.0.0.0/8", nva2);
	fix_route(f, BGP, "11.1.0.0/16", nva2);
	fix_route(f, BGP, "0.0.0.0/0", nva2);
	fix_route(f, USER, "10.1.0.0/16", nva1); /* as long as VnetLocal */
	m = model_of(f);
	expect(m, "11.2.0.1", "nva1");
	expect(m, "11.1.0.1", "nva2");
	expect(m, "8.8.8.8", "nva2"); /* EFF-14 */
	expect(m, "10.1.0.5", "nva1");
	expect(m, "10.0.2.4", "plain");
	end(f, m);
}

static void
test_vnet_routes_silence_bgp(void)
{
	struct vs_fix *f = fabric_new();
	uint32_t nva1 = via1(f, "10.0.1.4"), nva2 = via1(f, "10.0.1.5");
	struct vs_model *m;

	fix_route(f, BGP, "10.0.0.0/16", nva1);
	fix_route(f, BGP, "10.0.2.0/24", nva1);
	fix_route(f, BGP, "10.0.2.4/32", nva1);
	fix_route(f, BGP, "10.0.0.0/15", nva1);
	fix_route(f, BGP, "10.2.0.0/24", nva2);
	fix_route(f, USER, "10.0.2.64/26", nva2);
	m = model_of(f);
	expect(m, "10.0.2.4", "plain");
	expect(m, "10.0.2.65", "nva2"); /* user routes are not silenced */
	expect(m, "10.2.0.4", "nva2");  /* nobody's VNet here: 10.0.0.0/8 is None */
	end(f, m);
}

/* Also where a longer system route, which is not the VNet's, is the one that counts. */
static void
test_any_vnet_prefix_around_is_a_guard(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	fix_route(f, SYS_SPOKE, "20.0.0.0/8", IN_FAR);
	fix_route(f, SYS_SPOKE, "20.1.1.0/24", NONE);
	fix_route(f, BGP, "20.1.0.0/16", via1(f, "10.0.1.4"));
	fix_route(f, BGP, "20.0.0.0/7", via1(f, "10.0.1.5"));
	fix_route(f, BGP, "20.1.1.0/25", via1(f, "10.0.1.4"));
	m = model_of(f);
	expect(m, "20.1.2.3", "no-owner");   /* 20.0.0.0/8, not BGP's /16 */
	expect(m, "20.1.1.1", "none-route"); /* not BGP's /25 */
	expect(m, "21.0.0.1", "nva2");
	end(f, m);
}

static void
test_none_routes_give_way_to_a_default_route(void)
{
	static const uint32_t layers[] = { USER, BGP };

	for (size_t i = 0; i < 2; i++) {
		struct vs_fix *f = fabric_new();
		struct vs_model *m;

		fix_route(f, layers[i], "0.0.0.0/0", via1(f, "10.0.1.4"));
		m = model_of(f);
		expect(m, "172.16.0.1", "nva1");
		expect(m, "10.2.0.4", "nva1");
		expect(m, "10.1.0.5", "vm2");
		end(f, m);
	}
}

/* The None of a UDR stays (UDR-4), and a default route that the port does not name is none. */
static void
test_none_of_a_udr_stays(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	fix_route(f, USER, "0.0.0.0/0", via1(f, "10.0.1.4"));
	fix_route(f, USER, "11.0.0.0/8", NONE);
	fix_route(f, USER_GW, "0.0.0.0/0", via1(f, "10.0.1.4"));
	m = model_of(f);
	expect(m, "11.1.1.1", "none-route");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, VM2, "10.1.0.5", "172.16.0.1", 1)), "none-route");
	end(f, m);
}

static void
test_no_route_without_tables(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	f->ports[VM - 1].system = f->ports[VM - 1].user = f->ports[VM - 1].bgp = VS_NONE;
	m = model_of(f);
	expect(m, "10.1.0.5", "no-route");
	end(f, m);
}

static void
test_next_hops_must_be_directly_reachable(void)
{
	struct vs_fix *f = fabric_new();
	uint32_t id = via(f, (const char *const[]){ "10.2.0.4", "10.0.1.5", "8.8.8.8", NULL });
	struct vs_model *m;

	fix_route(f, BGP, "11.0.0.0/8", id);
	fix_route(f, BGP, "12.0.0.0/8", via1(f, "10.2.0.4"));
	fix_route(f, USER, "13.0.0.0/8", via1(f, "8.8.8.8"));
	fix_route(f, USER, "14.0.0.0/8", via1(f, "10.0.1.99"));
	m = model_of(f);
	for (uint32_t hash = 0; hash < 64; hash++)
		CU_ASSERT_STRING_EQUAL(
		    verdict_text(ask_from(m, VM, "10.1.0.4", "11.1.1.1", hash * 0x10000001)),
		    "nva2");
	expect(m, "12.1.1.1", "unreachable");
	expect(m, "13.1.1.1", "unreachable");
	expect(m, "14.1.1.1", "no-owner"); /* a black hole: nobody has that address */
	end(f, m);
}

static void
test_next_hop_must_forward(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	fix_route(f, USER, "11.0.0.0/8", via1(f, "10.0.2.4"));
	fix_route(f, USER, "10.0.2.0/24", via1(f, "10.0.2.4"));
	m = model_of(f);
	expect(m, "11.1.1.1", "not-forwarding");
	expect(m, "10.0.2.5", "not-forwarding");
	expect(m, "10.0.2.4", "plain"); /* its own address */
	end(f, m);
}

static void
test_own_address_as_next_hop_is_a_loop(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	f->ports[NVA1 - 1].bgp = BGP;
	fix_route(f, BGP, "11.0.0.0/8", via1(f, "10.0.1.4"));
	m = model_of(f);
	CU_ASSERT_STRING_EQUAL(verdict_text(ask_from(m, NVA1, "10.1.0.4", "11.1.1.1", 1)), "nva1");
	end(f, m);
}

static void
test_senders_address(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m = model_of(f);

	CU_ASSERT_STRING_EQUAL(verdict_text(ask_from(m, VM, "10.1.0.5", "10.1.0.5", 1)), "source");
	CU_ASSERT_STRING_EQUAL(verdict_text(ask_from(m, VM, "0.0.0.0", "10.1.0.5", 1)), "source");
	CU_ASSERT_STRING_EQUAL(verdict_text(ask_from(m, NVA1, "172.16.0.9", "10.1.0.5", 1)), "vm2");
	end(f, m);
}

static void
test_dead_members_stay_chosen(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	fix_route(f, USER, "11.0.0.0/8", via1(f, "10.0.1.4"));
	f->ports[NVA1 - 1].up = false;
	f->ports[VM2 - 1].up = false;
	m = model_of(f);
	expect(m, "11.1.1.1", "port-down");
	expect(m, "10.1.0.5", "port-down");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, VM2, "10.1.0.5", "10.1.0.4", 1)), "port-down");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, 999, "10.1.0.5", "10.1.0.4", 1)), "port-down");
	end(f, m);
}

/* About a quarter for each of four; a flow stays where it is. */
static void
test_ecmp_spreads_and_keeps_flows(void)
{
	struct vs_fix *f = fabric_new();
	unsigned seed = fc_seed(), seen[FARVM + 1] = { 0 };
	struct vs_model *m;

	f->ports[PLAIN - 1].forwarding = true;
	fix_route(f, BGP, "11.0.0.0/8",
	    via(f, (const char *const[]){ "10.0.1.4", "10.0.1.5", "10.0.2.4", NULL }));
	m = model_of(f);
	for (unsigned i = 0; i < 6000; i++) {
		uint32_t hash = (uint32_t)rand_r(&seed) << 8 ^ (uint32_t)rand_r(&seed);
		struct vs_verdict a = ask_from(m, VM, "10.1.0.4", "11.1.1.1", hash),
				  b = ask_from(m, VM, "10.1.0.4", "11.1.1.1", hash);

		CU_ASSERT_EQUAL_FATAL(a.action, VS_TO_PORT);
		CU_ASSERT_EQUAL(a.port, b.port);
		CU_ASSERT_TRUE(a.by_hash);
		seen[a.port]++;
	}
	CU_ASSERT_TRUE(seen[NVA1] > 1600 && seen[NVA2] > 1600 && seen[PLAIN] > 1600);
	end(f, m);
}

static void
test_load_balancer_takes_both_directions_alike(void)
{
	struct vs_fix *f = fabric_new();
	unsigned seed = fc_seed(), seen[FARVM + 1] = { 0 };
	uint32_t ilb = via1(f, "10.0.1.100");
	struct vs_model *m;

	fix_route(f, USER, "10.2.0.0/16", ilb);
	fix_route(f, USER_GW, "10.1.0.0/16", ilb);
	f->ports[FARVM - 1].user = USER_GW;
	m = model_of(f);
	for (unsigned i = 0; i < 1000; i++) {
		struct vs_flow there = { fix_addr("10.1.0.4"), fix_addr("10.2.0.4"),
			(uint32_t)rand_r(&seed), (uint32_t)rand_r(&seed) << 1 };
		struct vs_flow back = { there.dst, there.src, (uint32_t)rand_r(&seed), there.pair };
		struct vs_verdict a = fix_lookup(m, VM, &there), b = fix_lookup(m, FARVM, &back);

		CU_ASSERT_EQUAL_FATAL(a.action, VS_TO_PORT);
		CU_ASSERT_EQUAL(a.port, b.port);
		CU_ASSERT_TRUE(a.by_hash && b.by_hash);
		seen[a.port]++;
	}
	CU_ASSERT_TRUE(seen[NVA1] > 300 && seen[NVA2] > 300);
	end(f, m);
}

/* The address of a load balancer, or of a client, that is no NIC's own. */
static void
test_next_hop_that_is_the_destination_need_not_forward(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	fix_ports(f, G_TEST + 91, (uint32_t[]){ PLAIN, 0 });
	fix_route(f, OWN_HUB, "10.0.1.200/32", G_TEST + 91);
	fix_route(f, USER, "10.0.1.200/32", via1(f, "10.0.1.200"));
	fix_route(f, USER, "11.0.0.0/8", via1(f, "10.0.1.200"));
	m = model_of(f);
	expect(m, "10.0.1.200", "plain");
	expect(m, "11.1.1.1", "not-forwarding");
	end(f, m);
}

static void
expect_translated(
    struct vs_model *m, uint32_t from, const char *flow[2], const char *want, const char *to[2])
{
	struct vs_verdict v = ask_from(m, from, flow[0], flow[1], 7);

	CU_ASSERT_STRING_EQUAL(verdict_text(v), want);
	CU_ASSERT_EQUAL(v.src, fix_addr(to[0]));
	CU_ASSERT_EQUAL(v.dst, fix_addr(to[1]));
}

#define PAIR(a, b) ((const char *[2]){ a, b })

/* SC-J: an NVA has to translate what it forwards. */
static void
test_internet_by_public_addresses_only(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m = model_of(f);

	expect_translated(
	    m, VM, PAIR("10.1.0.4", "8.8.8.8"), "internet", PAIR("20.0.0.4", "0.0.0.0"));
	expect_translated(
	    m, VM, PAIR("10.1.0.4", "20.0.1.4"), "nva1", PAIR("20.0.0.4", "10.0.1.4"));
	expect_translated(m, NET, PAIR("1.1.1.1", "20.0.0.4"), "vm", PAIR("0.0.0.0", "10.1.0.4"));
	expect_translated(
	    m, NET, PAIR("8.8.8.8", "20.0.0.5"), "no-route", PAIR("0.0.0.0", "0.0.0.0"));
	expect(m, "192.168.0.1", "no-route");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, VM2, "10.1.0.5", "8.8.8.8", 7)), "no-public-address");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, NVA1, "10.1.0.5", "8.8.8.8", 7)), "not-translated");
	end(f, m);
}

static void
test_guarded_owners(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	fix_guarded(f, G_TEST + 91, GUARD, (uint32_t[]){ PLAIN, 0 });
	fix_route(f, GUARD, "10.1.0.0/16", IN_SPOKE);
	fix_route(f, OWN_HUB, "10.0.2.4/32", G_TEST + 91);
	m = model_of(f);
	expect(m, "10.0.2.4", "plain");
	CU_ASSERT_STRING_EQUAL(verdict_text(ask_from(m, NVA1, "10.1.0.5", "10.0.2.4", 7)), "plain");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, NVA1, "10.2.0.4", "10.0.2.4", 7)), "filtered");
	end(f, m);
}

/* Not the NIC's routes, not even its own prefix (RS-64), but the tunnel. */
static void
test_tunnels_come_first(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	fix_ports(f, G_TEST + 91, (uint32_t[]){ FARVM, 0 });
	fix_route(f, TUNNEL, "172.21.0.0/16", G_TEST + 91);
	fix_route(f, TUNNEL, "172.21.9.0/24", G_PUBLIC); /* no route there */
	fix_route(f, USER_GW, "172.21.9.0/24", via1(f, "10.0.1.5"));
	fix_route(f, USER_GW, "172.21.0.0/24", via1(f, "10.0.1.4"));
	f->ports[NVA1 - 1].tunnel = TUNNEL;
	f->ports[NVA1 - 1].user = f->ports[NVA2 - 1].user = USER_GW;
	m = model_of(f);
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, NVA1, "10.1.0.5", "172.21.0.1", 7)), "farvm");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, NVA2, "10.1.0.5", "172.21.0.1", 7)), "nva1");
	CU_ASSERT_STRING_EQUAL(
	    verdict_text(ask_from(m, NVA1, "10.1.0.5", "172.21.9.1", 7)), "nva2");
	end(f, m);
}

static void
test_routers_are_looked_through(void)
{
	struct vs_fix *f = fabric_new();
	uint32_t gateways = G_TEST + 90;
	struct vs_model *m;

	fix_ports(f, gateways, (uint32_t[]){ GW1, GW2, 0 });
	fix_route(f, BGP, "11.0.0.0/8", gateways);
	fix_route(f, USER_GW, "11.1.0.0/16", via1(f, "10.0.1.4")); /* UDR-9 */
	fix_route(f, USER_GW, "11.2.0.0/16", gateways);            /* for ever */
	f->ports[GW1 - 1].user = f->ports[GW2 - 1].user = USER_GW;
	m = model_of(f);
	expect(m, "11.1.1.1", "nva1");
	expect(m, "11.2.1.1", "loop");
	expect(m, "11.3.1.1", "no-public-address");
	expect(m, "10.0.3.4", "not-carried"); /* the gateway itself answers nobody */
	end(f, m);
}

/* A chain of routers, each with a table of its own, and behind it an NVA. */
static const char *
ask_chain(uint32_t routers)
{
	enum { FIRST_TABLE = 10, FIRST_PORT = 10, FIRST_GROUP = 200 };
	struct vs_fix *f = fabric_new();
	const char *text;
	struct vs_model *m;

	for (uint32_t i = 0; i < routers; i++) {
		struct vs_port_conf *p;
		char name[16];

		snprintf(name, sizeof(name), "r%u", i);
		p = fix_port(f, FIRST_PORT + i, name, "10.0.9.1");
		p->router = true;
		p->user = FIRST_TABLE + i;
		fix_ports(f, FIRST_GROUP + i, (uint32_t[]){ FIRST_PORT + i, 0 });
		if (i > 0)
			fix_route(f, FIRST_TABLE + i - 1, "11.0.0.0/8", FIRST_GROUP + i);
	}
	fix_route(f, FIRST_TABLE + routers - 1, "11.0.0.0/8", G_PORT + NVA1);
	fix_route(f, USER, "11.0.0.0/8", FIRST_GROUP);
	m = model_of(f);
	text = verdict_text(ask_from(m, VM, "10.1.0.4", "11.1.1.1", 1));
	end(f, m);
	return text;
}

static void
test_no_more_than_32_routers(void)
{
	CU_ASSERT_STRING_EQUAL(ask_chain(1), "nva1");
	CU_ASSERT_STRING_EQUAL(ask_chain(32), "nva1");
	CU_ASSERT_STRING_EQUAL(ask_chain(33), "loop");
}

/* The second choice must not follow from the first one. */
static void
test_routers_choose_anew(void)
{
	struct vs_fix *f = fabric_new();
	unsigned seed = fc_seed(), seen[FARVM + 1] = { 0 };
	struct vs_model *m;

	fix_ports(f, G_TEST, (uint32_t[]){ GW1, GW2, 0 });
	fix_route(f, BGP, "11.0.0.0/8", G_TEST);
	fix_route(f, USER_GW, "11.0.0.0/8",
	    via(f, (const char *const[]){ "10.0.1.4", "10.0.1.5", NULL }));
	f->ports[GW1 - 1].user = USER_GW; /* and GW2 loses its half to the Internet */
	m = model_of(f);
	for (unsigned i = 0; i < 4000; i++) {
		struct vs_verdict v = ask_from(m, VM, "10.1.0.4", "11.1.1.1",
		    (uint32_t)rand_r(&seed) << 8 ^ (uint32_t)rand_r(&seed));

		seen[v.action == VS_TO_PORT ? v.port : 0]++;
	}
	CU_ASSERT_TRUE(seen[0] > 1600 && seen[NVA1] > 800 && seen[NVA2] > 800);
	end(f, m);
}

/* ---- random fabrics against plain lists ----
 *
 * Three VNets, tables full of nested prefixes, next hops of every kind. The search below goes by
 * the rules alone: it knows lists of routes and nothing of ranges, parents or hashes. Where a hash
 * decides it keeps all possible outcomes. */

enum { R_VNETS = 3, R_PORTS = 24, R_ROUTERS = 4, R_GROUPS = 40 };
enum { T_OWN = 1, T_SYS = 4, T_USER = 7, T_BGP = 10, T_END = 13 }; /* three tables of each kind */
enum { T_TUNNEL = T_END };
enum { R_DELIVER = 1, R_NONE = 4, R_NO_ROUTE = 5, R_INTERNET = 6, R_FIRST = 10 };

static uint32_t
pick(unsigned *seed, uint32_t n)
{
	return (uint32_t)rand_r(seed) % n;
}

/* Addresses meet often: few bits vary. */
static uint32_t
random_addr(unsigned *seed)
{
	return pick(seed, 4) << 30 | pick(seed, 8) << 14 | pick(seed, 16);
}

static void
random_groups(struct vs_fix *f, unsigned *seed)
{
	for (uint32_t v = 0; v < R_VNETS; v++)
		fix_deliver(f, R_DELIVER + v, T_OWN + v);
	fix_drop(f, R_NONE, VS_DROP_NONE_ROUTE);
	fix_drop(f, R_NO_ROUTE, VS_DROP_NO_ROUTE);
	fix_internet(f, R_INTERNET, T_OWN, 1 + pick(seed, R_PORTS));
	for (uint32_t id = R_FIRST; id < R_FIRST + R_GROUPS; id++) {
		uint32_t members[9] = { 0 }, n = 1 + pick(seed, 4);
		bool hops = id % 2 == 0;

		for (uint32_t i = 0; i < n; i++)
			members[i] = hops ? random_addr(seed) | 1 : 1 + pick(seed, R_PORTS);
		if (!hops && pick(seed, 4) == 0)
			fix_guarded(f, id, T_USER + pick(seed, 3), members);
		else if (!hops && pick(seed, 4) == 0)
			fix_public(f, id, members[0]);
		else
			(hops ? fix_via : fix_ports)(f, id, members);
	}
}

static uint32_t
random_group(unsigned *seed, uint32_t table)
{
	uint32_t any = R_FIRST + pick(seed, R_GROUPS);

	if (table < T_SYS) /* owners; sometimes something that is none */
		return pick(seed, 30) == 0 ? R_NONE : pick(seed, 30) == 0 ? R_INTERNET : any | 1;
	if (table < T_USER)
		return 1 + pick(seed, 6);
	return pick(seed, 6) == 0 ? 1 + pick(seed, 6) : any;
}

static void
random_table(struct vs_fix *f, uint32_t table, unsigned *seed)
{
	uint32_t n = pick(seed, table < T_SYS ? 400 : 120);

	fix_table(f, table);
	for (uint32_t i = 0; i < n; i++) {
		static const uint8_t lens[] = { 1, 2, 2, 14, 16, 18, 20, 28, 30, 31, 32 };
		uint8_t len =
		    table < T_SYS ? (uint8_t)(28 + pick(seed, 5)) : lens[pick(seed, sizeof(lens))];

		if (pick(seed, 400) == 0)
			len = 0;
		fix_net(
		    f, table, random_addr(seed) & ipnet_mask(len), len, random_group(seed, table));
	}
}

static void
random_ports(struct vs_fix *f, unsigned *seed)
{
	for (uint32_t id = 1; id <= R_PORTS; id++) {
		char name[16];
		struct vs_port_conf *p;

		snprintf(name, sizeof(name), "p%u", id);
		p = fix_port(f, id, name, "0.0.0.0");
		p->ip = random_addr(seed) | 1;
		p->router = id <= R_ROUTERS;
		p->forwarding = pick(seed, 2) == 0;
		p->up = pick(seed, 12) != 0;
		p->user = pick(seed, 3) == 0 ? VS_NONE : T_USER + pick(seed, 3);
		p->bgp = pick(seed, 3) == 0 ? VS_NONE : T_BGP + pick(seed, 3);
		p->system = pick(seed, 20) == 0 ? VS_NONE : T_SYS + pick(seed, 3);
		p->public_ip = pick(seed, 2) == 0 ? random_addr(seed) | 1 : 0;
		p->tunnel = pick(seed, 3) == 0 ? T_TUNNEL : VS_NONE;
	}
}

static struct vs_fix *
random_fabric(unsigned *seed)
{
	struct vs_fix *f = fix_new();

	random_groups(f, seed);
	for (uint32_t t = T_OWN; t <= T_TUNNEL; t++)
		random_table(f, t, seed);
	random_ports(f, seed);
	return f;
}

/* What may become of a packet. */
struct outcomes {
	bool port[R_PORTS + 1]; /* an interface, or a router that asks again */
	bool drop[VS_DROP_COUNT];
};

static const struct vs_group_conf *
group_of(const struct vs_fix *f, uint32_t id)
{
	for (size_t i = 0; i < f->n_groups; i++)
		if (f->groups[i].id == id)
			return &f->groups[i];
	return NULL;
}

struct route {
	int len; /* -1: none */
	const struct vs_group_conf *group;
};

static bool
is_deliver(const struct vs_group_conf *g)
{
	return g->kind == VS_GROUP_DELIVER;
}

static bool
is_not_none(const struct vs_group_conf *g)
{
	return g->kind != VS_GROUP_DROP || g->reason != VS_DROP_NONE_ROUTE;
}

/* The longest route of a table for addr, shorter than below, that is wanted; NULL: any is. */
static struct route
find(const struct vs_fix *f, uint32_t table, uint32_t addr, int below,
    bool (*wanted)(const struct vs_group_conf *))
{
	struct route best = { -1, NULL };
	size_t t;

	for (t = 0; t < f->n_tables && f->tables[t].id != table; t++)
		;
	if (t == f->n_tables)
		return best;
	for (size_t i = 0; i < f->tables[t].n; i++) {
		struct ipnet net = { f->addr[t][i], f->len[t][i] };
		bool outdone = false;

		if (!ipnet_has_addr(net, addr) || net.len >= below || net.len < best.len)
			continue;
		for (size_t k = i + 1; k < f->tables[t].n; k++) /* a later one counts */
			outdone |= ipnet_eq(net, (struct ipnet){ f->addr[t][k], f->len[t][k] });
		if (outdone || (wanted != NULL && !wanted(group_of(f, f->group[t][i]))))
			continue;
		best = (struct route){ net.len, group_of(f, f->group[t][i]) };
	}
	return best;
}

static struct route
naive_select(const struct vs_fix *f, const struct vs_port_conf *p, uint32_t dst)
{
	bool overridden = find(f, p->user, 0x55555555, 1, NULL).len == 0 ||
			  find(f, p->bgp, 0x55555555, 1, NULL).len == 0;
	struct route user = find(f, p->user, dst, 33, NULL), bgp, guard,
		     sys = find(f, p->system, dst, 33, overridden ? is_not_none : NULL);
	struct route tunnel = find(f, p->tunnel, dst, 33, NULL);
	int below = 33;

	if (tunnel.len >= 0 &&
	    (tunnel.group->kind != VS_GROUP_DROP || tunnel.group->reason != VS_DROP_NO_ROUTE))
		return tunnel;
	while ((guard = find(f, p->system, dst, below, is_deliver)).len >= 0)
		below = guard.len; /* EFF-7: down to the shortest */
	bgp = find(f, p->bgp, dst, below, NULL);
	if (user.len >= 0 && user.len >= bgp.len && user.len >= sys.len)
		return user;
	return bgp.len >= 0 && bgp.len >= sys.len ? bgp : sys;
}

/* Of a flow. */
struct ends {
	uint32_t src, dst;
};

static void
naive_ports(const struct vs_fix *f, const struct vs_port_conf *at, const struct vs_group_conf *g,
    struct ends e, uint32_t hop, struct outcomes *o)
{
	if (g->kind == VS_GROUP_GUARDED && !at->router &&
	    find(f, g->table, e.src, 33, NULL).len < 0) {
		o->drop[VS_DROP_FILTERED] = true;
		return;
	}
	for (size_t i = 0; i < g->n_members; i++) {
		const struct vs_port_conf *p = &f->ports[g->members[i] - 1];

		if (!p->up)
			o->drop[VS_DROP_PORT_DOWN] = true;
		else if (hop != 0 && !p->forwarding && !p->router && hop != e.dst)
			o->drop[VS_DROP_NOT_FORWARDING] = true;
		else
			o->port[p->id] = true;
	}
}

static void
naive_owner(const struct vs_fix *f, const struct vs_port_conf *at,
    const struct vs_group_conf *deliver, struct ends e, uint32_t hop, struct outcomes *o)
{
	struct route r = find(f, deliver->table, hop != 0 ? hop : e.dst, 33, NULL);

	if (r.len >= 0 && (r.group->kind == VS_GROUP_PORTS || r.group->kind == VS_GROUP_GUARDED))
		naive_ports(f, at, r.group, e, hop, o);
	else
		o->drop[r.len >= 0 && r.group->kind == VS_GROUP_DROP ? r.group->reason
								     : VS_DROP_NO_OWNER] = true;
}

/* Between two public addresses, or from one to everybody else. */
static void
naive_internet(const struct vs_fix *f, const struct vs_port_conf *p, const struct vs_group_conf *g,
    struct ends e, struct outcomes *o)
{
	struct route r = find(f, g->table, e.dst, 33, NULL);

	if (p->public_ip == 0)
		o->drop[VS_DROP_NO_PUBLIC] = true;
	else if (p->ip != e.src)
		o->drop[VS_DROP_NOT_TRANSLATED] = true;
	else if (r.len >= 0 && r.group->kind == VS_GROUP_DROP)
		o->drop[r.group->reason] = true;
	else
		naive_ports(
		    f, p, r.len >= 0 && r.group->kind == VS_GROUP_PUBLIC ? r.group : g, e, 0, o);
}

static void
naive_step(const struct vs_fix *f, const struct vs_port_conf *p, struct ends e, struct outcomes *o)
{
	struct route r = naive_select(f, p, e.dst);
	bool reachable = false;

	if (r.len < 0) {
		o->drop[VS_DROP_NO_ROUTE] = true;
	} else if (r.group->kind == VS_GROUP_VIA) {
		for (size_t i = 0; i < r.group->n_members; i++) {
			uint32_t hop = r.group->members[i];
			struct route vnet = find(f, p->system, hop, 33, is_deliver);

			if (vnet.len >= 0)
				naive_owner(f, p, vnet.group, e, hop, o);
			reachable |= vnet.len >= 0;
		}
		if (!reachable)
			o->drop[VS_DROP_UNREACHABLE] = true;
	} else if (r.group->kind == VS_GROUP_DELIVER) {
		naive_owner(f, p, r.group, e, 0, o);
	} else if (r.group->kind == VS_GROUP_INTERNET) {
		naive_internet(f, p, r.group, e, o);
	} else if (r.group->kind == VS_GROUP_DROP) {
		o->drop[r.group->reason] = true;
	} else {
		naive_ports(f, p, r.group, e, 0, o);
	}
}

/* All routers that a packet may stand at after n steps; no more than 32 of them. */
static void
naive_routers(const struct vs_fix *f, struct ends e, struct outcomes *o)
{
	for (unsigned n = 0; n <= 32; n++) {
		struct outcomes next = *o;
		bool any = false;

		memset(next.port, 0, R_ROUTERS + 1);
		for (uint32_t id = 1; id <= R_ROUTERS; id++) {
			if (!o->port[id])
				continue;
			if (f->ports[id - 1].ip == e.dst)
				next.drop[VS_DROP_NOT_CARRIED] = true;
			else if (n == 32)
				next.drop[VS_DROP_LOOP] = true;
			else
				naive_step(f, &f->ports[id - 1], e, &next);
		}
		*o = next;
		for (uint32_t id = 1; id <= R_ROUTERS; id++)
			any |= o->port[id];
		if (!any)
			return;
	}
}

static struct outcomes
naive_lookup(const struct vs_fix *f, uint32_t from, uint32_t src, uint32_t dst)
{
	const struct vs_port_conf *p = &f->ports[from - 1];
	struct ends e = { src, dst };
	struct outcomes o = { .port = { false } };

	if (!p->up)
		o.drop[VS_DROP_PORT_DOWN] = true;
	else if (!p->forwarding && !p->router && src != p->ip)
		o.drop[VS_DROP_SOURCE] = true;
	else
		naive_step(f, p, e, &o);
	naive_routers(f, e, &o);
	return o;
}

static bool
allowed(const struct outcomes *o, struct vs_verdict v)
{
	return v.action == VS_TO_PORT ? o->port[v.port] : o->drop[v.drop];
}

static void
compare(const struct vs_fix *f, struct vs_model *m, unsigned *seed, unsigned *seen)
{
	uint32_t from = 1 + pick(seed, R_PORTS);
	bool aimed = pick(seed, 3) == 0;
	struct vs_flow flow = {
		.src = pick(seed, 8) == 0 ? random_addr(seed) : f->ports[from - 1].ip,
		.dst = aimed ? f->ports[pick(seed, R_PORTS)].ip : random_addr(seed),
		.hash = (uint32_t)rand_r(seed) << 8 ^ (uint32_t)rand_r(seed),
		.pair = (uint32_t)rand_r(seed) << 8 ^ (uint32_t)rand_r(seed),
	};
	struct vs_verdict v = fix_lookup(m, from, &flow);
	struct outcomes o = naive_lookup(f, from, flow.src, flow.dst);

	CU_ASSERT_TRUE_FATAL(allowed(&o, v));
	seen[v.action == VS_DROPPED ? v.drop : VS_DROP_COUNT + v.action]++;
}

static void
test_same_answers_as_plain_lists(void)
{
	static const unsigned must[] = { VS_DROP_NONE_ROUTE, VS_DROP_NO_ROUTE, VS_DROP_UNREACHABLE,
		VS_DROP_NOT_CARRIED, VS_DROP_NO_OWNER, VS_DROP_NOT_FORWARDING, VS_DROP_SOURCE,
		VS_DROP_PORT_DOWN, VS_DROP_LOOP, VS_DROP_FILTERED, VS_DROP_NO_PUBLIC,
		VS_DROP_NOT_TRANSLATED, VS_DROP_COUNT + VS_TO_PORT };
	unsigned seed = fc_seed(), seen[VS_DROP_COUNT + VS_DROPPED] = { 0 };

	for (unsigned round = 0; round < 30; round++) {
		struct vs_fix *f = random_fabric(&seed);
		struct vs_model *m = model_of(f);

		for (unsigned i = 0; i < 300; i++)
			compare(f, m, &seed, seen);
		end(f, m);
	}
	for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++)
		CU_ASSERT_TRUE(seen[must[i]] > 0); /* each verdict was put to the test */
}

/* No route leads elsewhere, whoever made it, and nobody else speaks as the platform. */
static void
test_the_platform(void)
{
	static const struct {
		uint32_t port;
		const char *src, *dst, *want;
	} rows[] = {
		{ VM, "10.1.0.4", "168.63.129.16", "platform" },
		{ VM, "10.1.0.5", "168.63.129.16", "source" },
		{ NVA1, "10.0.1.4", "168.63.129.16", "platform" },
		{ NVA1, "10.1.0.4", "168.63.129.16", "source" }, /* it may forward, not this */
		{ NVA1, "168.63.129.16", "10.1.0.4", "source" },
		{ NET, "168.63.129.16", "20.0.0.4", "source" },
		{ FARVM, "10.2.0.4", "168.63.129.16", "no-public-address" }, /* in no VNet */
		{ VM, "10.1.0.4", "168.63.129.17", "nva1" },
	};
	struct vs_fix *f = fabric_new();
	struct vs_model *m;

	for (size_t i = 0; i < f->n_ports; i++)
		f->ports[i].region = f->ports[i].id != FARVM && f->ports[i].id != NET;
	fix_route(f, USER, "0.0.0.0/0", via1(f, "10.0.1.4"));
	fix_route(f, USER, "168.63.129.16/32", NONE);
	fix_route(f, TUNNEL, "0.0.0.0/0", G_PORT + FARVM);
	f->ports[NVA1 - 1].tunnel = TUNNEL;
	m = model_of(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vs_verdict v =
		    ask_from(m, rows[i].port, rows[i].src, rows[i].dst, (uint32_t)i);

		CU_ASSERT_STRING_EQUAL(
		    v.action == VS_TO_PLATFORM ? "platform" : verdict_text(v), rows[i].want);
	}
	vs_model_free(m);
	fix_free(f);
}

static void
test_probes_reach_ports_by_number(void)
{
	struct vs_fix *f = fabric_new();
	struct vs_model *m;
	struct vs_verdict v;

	f->ports[VM2 - 1].up = false;
	m = model_of(f);
	vs_model_lock(m);
	vs_lookup_probe(m, VM, &v);
	CU_ASSERT_TRUE(v.action == VS_TO_PORT && v.port == VM && v.n_links == 0);
	vs_lookup_probe(m, VM2, &v);
	CU_ASSERT_TRUE(v.action == VS_DROPPED && v.drop == VS_DROP_PORT_DOWN);
	vs_lookup_probe(m, GW1, &v);
	CU_ASSERT_TRUE(v.action == VS_DROPPED && v.drop == VS_DROP_PORT_DOWN);
	vs_lookup_probe(m, 0, &v);
	CU_ASSERT_TRUE(v.action == VS_DROPPED && v.drop == VS_DROP_PORT_DOWN);
	vs_model_unlock(m);
	vs_model_free(m);
	fix_free(f);
}

static CU_TestInfo lookup_tests[] = {
	{ "the platform: no route leads elsewhere", test_the_platform },
	{ "the platform: probes reach ports by number", test_probes_reach_ports_by_number },
	{ "SYS-1, SYS-2, SYS-3, SYS-6: system routes", test_system_routes },
	{ "EFF-6, UDR-8: longest prefix, then user, BGP, system",
	    test_longest_prefix_then_user_bgp_system },
	{ "EFF-7: VNet and peering routes silence BGP", test_vnet_routes_silence_bgp },
	{ "EFF-7: any VNet prefix around is a guard", test_any_vnet_prefix_around_is_a_guard },
	{ "SYS-5: None routes give way to a default route",
	    test_none_routes_give_way_to_a_default_route },
	{ "SYS-5: the None of a UDR stays", test_none_of_a_udr_stays },
	{ "no route without tables", test_no_route_without_tables },
	{ "RS-57, UDR-3: next hops must be directly reachable",
	    test_next_hops_must_be_directly_reachable },
	{ "UDR-3: a next hop must forward", test_next_hop_must_forward },
	{ "RS-64: the own address as next hop is a loop", test_own_address_as_next_hop_is_a_loop },
	{ "UDR-3: a machine sends from its own address", test_senders_address },
	{ "dead members stay chosen", test_dead_members_stay_chosen },
	{ "RS-60: ECMP spreads, and keeps flows", test_ecmp_spreads_and_keeps_flows },
	{ "SC-C: a load balancer takes both directions alike",
	    test_load_balancer_takes_both_directions_alike },
	{ "UDR-3: a next hop that is the destination need not forward",
	    test_next_hop_that_is_the_destination_need_not_forward },
	{ "SYS-2, SC-J: the Internet by public addresses only",
	    test_internet_by_public_addresses_only },
	{ "PEER-5, PEER-6: owners behind a security group", test_guarded_owners },
	{ "MR-6: tunnels come first", test_tunnels_come_first },
	{ "routers are looked through", test_routers_are_looked_through },
	{ "no more than 32 routers", test_no_more_than_32_routers },
	{ "routers behind each other choose anew", test_routers_choose_anew },
	{ "same answers as plain lists", test_same_answers_as_plain_lists },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_lookup", lookup_tests)
