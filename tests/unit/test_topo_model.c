/* From a topology file to the model: defaults, derived addresses, links between resources. */
#include "lib/err.h"
#include "lib/topo.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/topo_case.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

/* The model of a text that must be good. */
static struct topo *
build_text(const char *text)
{
	struct topo *t = topo_case_build(text, strlen(text));

	topo_case_print("text", &topo_case_errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

static struct topo *
build_file(const char *path)
{
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;

	topo_case_errors.n = topo_case_warnings.n = 0;
	if (topo_parse_file(&doc, path, &topo_case_errors) == FAB_OK)
		t = topo_build(doc, &topo_case_errors, &topo_case_warnings);
	topo_doc_free(doc);
	topo_case_print(path, &topo_case_errors);
	topo_case_print(path, &topo_case_warnings);
	return t;
}

static uint32_t
addr(const char *text)
{
	uint32_t a = 0;

	CU_ASSERT_EQUAL(ipaddr_parse(&a, text), FAB_OK);
	return a;
}

static void
test_multi_region(void)
{
	static const char *const names[] = { "rs1-0", "rs1-1", "rs2-0", "rs2-1", "er1-0", "er1-1",
		"er2-0", "er2-1", "circuit1-primary", "circuit1-secondary", "circuit2-primary",
		"circuit2-secondary", "nva1", "nva2", "nva3", "nva4", "dc1" };
	struct topo *t = build_file("topologies/multi-region.yaml");

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL_FATAL(t->n_nodes, sizeof(names) / sizeof(names[0]));
	for (size_t i = 0; i < t->n_nodes; i++) {
		CU_ASSERT_STRING_EQUAL(t->nodes[i].name, names[i]);
		CU_ASSERT_EQUAL(topo_find_node(t, names[i]), (int)i);
	}
	CU_ASSERT_EQUAL(topo_find_node(t, "rs1-2"), -1);
	CU_ASSERT_EQUAL(t->n_nics, 10);
	topo_free(t);
}

/* RS-2, ER-1, ER-16, ER-19, VPN-14. */
static void
test_derived_addresses(void)
{
	struct topo *t = build_text("vnets:\n"
				    "  hub:\n"
				    "    address_space: 10.1.0.0/16\n"
				    "    subnets: {RouteServerSubnet: 10.1.0.64/26, "
				    "GatewaySubnet: 10.1.1.0/26}\n"
				    "  alone: {address_space: 10.2.0.0/16, subnets: "
				    "{GatewaySubnet: 10.2.1.0/27}}\n"
				    "route_servers: {rs: {vnet: hub}}\n"
				    "gateways:\n"
				    "  er: {vnet: hub, type: ExpressRoute, circuits: [c0, c1]}\n"
				    "  vpn: {vnet: hub, type: Vpn, active_active: true}\n"
				    "  vpn2: {vnet: alone, type: Vpn}\n"
				    "circuits: {c0: {site: dc}, c1: {site: dc}}\n"
				    "sites: {dc: {asn: 64900, prefixes: [172.20.0.0/16]}}\n");

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(t->servers[0].ip[0], addr("10.1.0.68"));
	CU_ASSERT_EQUAL(t->servers[0].ip[1], addr("10.1.0.69"));
	CU_ASSERT_EQUAL(t->gateways[0].ip[0], addr("10.1.1.12"));
	CU_ASSERT_EQUAL(t->gateways[0].ip[1], addr("10.1.1.13"));
	CU_ASSERT_EQUAL(t->gateways[0].msee_ip[0], addr("10.1.1.4"));
	CU_ASSERT_EQUAL(t->gateways[0].msee_ip[1], addr("10.1.1.5"));
	CU_ASSERT_EQUAL(t->gateways[1].ip[0], addr("10.1.1.6"));
	CU_ASSERT_EQUAL(t->gateways[1].ip[1], addr("10.1.1.7"));
	CU_ASSERT_EQUAL(t->gateways[1].public_ip, addr("203.0.113.1"));
	CU_ASSERT_EQUAL(t->gateways[2].ip[0], addr("10.2.1.4"));
	CU_ASSERT_EQUAL(t->gateways[2].public_ip, addr("203.0.113.2"));
	CU_ASSERT_EQUAL(t->circuits[0].site_ip[0], addr("192.168.10.1"));
	CU_ASSERT_EQUAL(t->circuits[0].msee_ip[0], addr("192.168.10.2"));
	CU_ASSERT_EQUAL(t->circuits[1].site_ip[1], addr("192.168.13.1"));
	CU_ASSERT_EQUAL(t->circuits[0].nic_next_hop[0], addr("10.24.0.4"));
	CU_ASSERT_EQUAL(t->circuits[1].nic_next_hop[1], addr("10.24.1.5"));
	CU_ASSERT_EQUAL(t->sites[0].ip, addr("172.20.0.1"));
	topo_free(t);
}

/* Everything in topologies/ is good, without a warning. */
static void
test_topologies(void)
{
	glob_t g;

	CU_ASSERT_EQUAL_FATAL(glob("topologies/*.yaml", 0, NULL, &g), 0);
	CU_ASSERT(g.gl_pathc >= 5);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct topo *t = build_file(g.gl_pathv[i]);

		CU_ASSERT_PTR_NOT_NULL(t);
		CU_ASSERT_EQUAL(topo_case_warnings.n, 0);
		topo_free(t);
	}
	globfree(&g);
}

#define HUB                                                                                        \
	"vnets:\n"                                                                                 \
	"  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "           \
	"GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24}}\n"                                         \
	"  far: {region: northeurope, address_space: 10.12.0.0/16, subnets: {vms: "                \
	"10.12.0.0/24}}\n"                                                                         \
	"  near: {address_space: [10.11.0.0/16, 10.13.0.0/16], subnets: {vms: 10.13.0.0/24}}\n"

static void
test_defaults(void)
{
	struct topo *t = build_text("vnets: {}\n");
	/* RS-20, OPEN-2, ... */
	const struct topo_limits want = { 8, 4000, 500, 10000, 4000, 1000, 1000, 8, 4000, 4000, 400,
		500 };

	CU_ASSERT_STRING_EQUAL(t->name, "fabric");
	CU_ASSERT_STRING_EQUAL(t->timing.profile, "azure"); /* TIME-1 */
	CU_ASSERT_EQUAL(t->timing.keepalive_ms, 60000);
	CU_ASSERT_EQUAL(t->timing.hold_ms, 180000);
	CU_ASSERT_EQUAL(t->timing.connect_retry_ms, 30000);
	CU_ASSERT_EQUAL(memcmp(&t->limits, &want, sizeof(want)), 0);
	CU_ASSERT_FALSE(t->strict);
	topo_free(t);
}

static void
test_timing(void)
{
	static const struct {
		const char *text, *profile;
		uint32_t keepalive, hold, retry, quiet;
	} cases[] = {
		{ "timing: azure\n", "azure", 60000, 180000, 30000, 1000 },
		{ "timing: fast\n", "fast", 1000, 3000, 1000, 100 },
		{ "timing: {profile: fast}\n", "fast", 1000, 3000, 1000, 100 },
		{ "timing: {profile: fast, bgp: {connect_retry: 500ms}}\n", "custom", 1000, 3000,
		    500, 100 },
		{ "timing: {bgp: {hold: 15s}}\n", "custom", 5000, 15000, 30000, 1000 },
		{ "timing: {bgp: {hold: 9s, keepalive: 2s}, converge_quiet: 1m}\n", "custom", 2000,
		    9000, 30000, 60000 },
		{ "timing: {bgp: {hold: 0}}\n", "custom", 0, 0, 30000, 1000 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topo *t = build_text(cases[i].text);

		CU_ASSERT_STRING_EQUAL(t->timing.profile, cases[i].profile);
		CU_ASSERT_EQUAL(t->timing.keepalive_ms, cases[i].keepalive);
		CU_ASSERT_EQUAL(t->timing.hold_ms, cases[i].hold);
		CU_ASSERT_EQUAL(t->timing.connect_retry_ms, cases[i].retry);
		CU_ASSERT_EQUAL(t->timing.converge_quiet_ms, cases[i].quiet);
		topo_free(t);
	}
}

static void
assert_range(struct topo_range r, uint32_t min, uint32_t max)
{
	CU_ASSERT_EQUAL(r.min_ms, min);
	CU_ASSERT_EQUAL(r.max_ms, max);
}

/* TIME-2 ... 4, TIME-10 ... 15, TIME-20, RS-99, ER-4, ER-5, VPN-17, OPEN-7. */
static void
test_delays_of_azure(void)
{
	struct topo *t = build_text("timing: azure\n");
	const struct topo_delays *d = &t->timing.delays;

	assert_range(d->nic_programming, 1000, 5000);
	assert_range(d->instance_failover, 180000, 180000);
	/* TIME-5, TIME-6: with programming 20 to 30 s */
	assert_range(d->effective_routes, 19000, 25000);
	assert_range(d->udr, 10000, 60000);
	assert_range(d->peering, 15000, 60000);
	/* PEER-13: 30 to 90 s together */
	assert_range(d->peering_routes, 15000, 30000);
	assert_range(d->anti_flap, 30000, 30000);
	assert_range(d->ibgp, 1000, 3000);
	assert_range(d->er_reconvergence, 0, 60000);
	assert_range(d->vpn_failover, 60000, 180000);
	assert_range(d->vpn_failover_planned, 10000, 15000);
	assert_range(d->scale_out, 1500000, 1500000); /* TIME-19 */
	assert_range(d->rs_change, 600000, 600000);   /* RS-11 */
	CU_ASSERT_EQUAL(t->timing.bfd_ms, 300);
	CU_ASSERT_EQUAL(t->timing.seed, 1);
	topo_free(t);
}

static void
test_delays_of_fast_and_overrides(void)
{
	static const struct topo_delays none;
	struct topo *t = build_text("timing: fast\n");
	char text[TOPO_TIMING_TEXT_MAX];

	CU_ASSERT_EQUAL(memcmp(&t->timing.delays, &none, sizeof(none)), 0);
	CU_ASSERT_STRING_EQUAL(topo_timing_text(text, &t->timing), "fast");
	topo_free(t);
	t = build_text(
	    "timing: {profile: fast, seed: 7, delays: {udr: 10ms..20ms, anti_flap: 1s}}\n");
	assert_range(t->timing.delays.udr, 10, 20);
	assert_range(t->timing.delays.anti_flap, 1000, 1000);
	assert_range(t->timing.delays.nic_programming, 0, 0);
	CU_ASSERT_STRING_EQUAL(topo_timing_text(text, &t->timing), "custom, seed 7");
	topo_free(t);
	t = build_text("timing: {delays: {nic_programming: 300ms}}\n");
	assert_range(t->timing.delays.nic_programming, 300, 300);
	assert_range(t->timing.delays.udr, 10000, 60000);
	topo_free(t);
}

static void
test_draws(void)
{
	const struct topo_range r = { 1000, 5000 }, one = { 7, 7 };
	uint32_t low = UINT32_MAX, high = 0;
	size_t same = 0;

	for (uint64_t n = 0; n < 2000; n++) {
		uint32_t ms = topo_draw_ms(r, 1, "rs1-0", n);

		low = ms < low ? ms : low;
		high = ms > high ? ms : high;
		CU_ASSERT_EQUAL(ms, topo_draw_ms(r, 1, "rs1-0", n));
		same += ms == topo_draw_ms(r, 2, "rs1-0", n);
		same += ms == topo_draw_ms(r, 1, "rs1-1", n);
	}
	CU_ASSERT(low >= 1000 && low < 1050);
	CU_ASSERT(high <= 5000 && high > 4950);
	CU_ASSERT(same < 20);
	CU_ASSERT_EQUAL(topo_draw_ms(one, 1, "x", 3), 7);
}

#define BALANCER                                                                                   \
	HUB "vms: {v: {subnet: hub/nva, ip: 10.1.2.4}}\n"                                          \
	    "load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.9, backends: v"

/* RS-57 */
static void
test_health_probes(void)
{
	static const struct {
		const char *text;
		unsigned port, interval, threshold;
		bool http;
		const char *path;
	} cases[] = {
		{ BALANCER "}}\n", 0, 5000, 0, false, NULL },
		{ BALANCER ", probe: {port: 22}}}\n", 22, 5000, 2, false, NULL },
		{ BALANCER ", probe: {port: 22}}}\ntiming: fast\n", 22, 1000, 2, false, NULL },
		{ BALANCER ", probe: {protocol: Http, port: 8080, path: /up, interval: 3s, "
			   "unhealthy_after: 4}}}\ntiming: fast\n",
		    8080, 3000, 4, true, "/up" },
		{ BALANCER ", probe: {protocol: Http, port: 80}}}\n", 80, 5000, 2, true, NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topo *t = build_text(cases[i].text);
		const struct topo_health_probe *p = &t->balancers[0].probe;

		CU_ASSERT_EQUAL(p->port, cases[i].port);
		CU_ASSERT_EQUAL(p->interval_ms, cases[i].interval);
		CU_ASSERT_EQUAL(p->threshold, cases[i].threshold);
		CU_ASSERT_EQUAL(p->http, cases[i].http);
		CU_ASSERT((p->path == NULL) == (cases[i].path == NULL));
		if (p->path != NULL && cases[i].path != NULL)
			CU_ASSERT_STRING_EQUAL(p->path, cases[i].path);
		topo_free(t);
	}
}

/* PEER-1, PEER-7, PEER-8; scopes behind them. */
static void
test_peerings(void)
{
	struct topo *t = build_text(HUB "route_servers: {rs: {vnet: hub}}\n"
					"peerings:\n"
					"  - {hub: hub, spoke: near}\n"
					"  - {from: hub, to: far, allow_gateway_transit: true}\n");
	int hub = topo_find_vnet(t, "hub"), near = topo_find_vnet(t, "near"),
	    far = topo_find_vnet(t, "far");
	const struct topo_peering *there, *back, *half;

	CU_ASSERT_EQUAL_FATAL(t->n_peerings, 3);
	there = &t->peerings[topo_find_peering(t, hub, near)];
	back = &t->peerings[topo_find_peering(t, near, hub)];
	half = &t->peerings[topo_find_peering(t, hub, far)];
	CU_ASSERT_EQUAL(topo_find_peering(t, far, hub), -1);
	CU_ASSERT_EQUAL(there->state, PEERING_CONNECTED);
	CU_ASSERT_EQUAL(half->state, PEERING_INITIATED);
	CU_ASSERT_EQUAL(half->reverse, -1);
	CU_ASSERT_PTR_EQUAL(&t->peerings[there->reverse], back);
	CU_ASSERT(there->allow_gateway_transit && !there->use_remote_gateways);
	CU_ASSERT(back->use_remote_gateways && !back->allow_gateway_transit);
	CU_ASSERT(there->allow_forwarded_traffic && back->allow_forwarded_traffic);
	CU_ASSERT(there->allow_virtual_network_access && !half->allow_forwarded_traffic);
	CU_ASSERT(half->global && !there->global);
	CU_ASSERT_EQUAL(t->vnets[hub].scope, hub);
	CU_ASSERT_EQUAL(t->vnets[near].scope, hub);
	CU_ASSERT_EQUAL(t->vnets[far].scope, -1);
	CU_ASSERT_EQUAL(t->vnets[hub].route_server, 0);
	CU_ASSERT_EQUAL(t->vnets[hub].route_server_subnet, 0);
	CU_ASSERT_EQUAL(t->vnets[hub].gateway_subnet, 1);
	topo_free(t);
}

/* PEER-11: gateways serve a VNet of another region too. */
static void
test_gateway_transit_is_global(void)
{
	struct topo *t = build_text(HUB "route_servers: {rs: {vnet: hub}}\n"
					"peerings: [{hub: hub, spoke: far}]\n");
	int hub = topo_find_vnet(t, "hub"), far = topo_find_vnet(t, "far");

	CU_ASSERT(t->peerings[topo_find_peering(t, far, hub)].global);
	CU_ASSERT_EQUAL(t->vnets[far].scope, hub);
	topo_free(t);
}

/* What a Route Server's peer does not say comes from the NVA of its name; RS-38, and OPEN-20: a
 * plain peering is enough for one in another VNet. */
static void
test_route_server_peers(void)
{
	struct topo *t = build_text(
	    HUB "peerings: [{between: [hub, near]}]\n"
		"nvas:\n"
		"  a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}\n"
		"  b: {subnet: near/vms, ip: 10.13.0.4, asn: 65002, run: [bird, -f], bgp_listen: "
		"'127.0.1.2:179', hold: 15s}\n"
		"vms: {c: {subnet: hub/nva, ip: 10.1.2.9}}\n"
		"route_servers:\n"
		"  rs:\n"
		"    vnet: hub\n"
		"    hub_routing_preference: ASPath\n"
		"    bgp_listen: ['127.0.0.1:1790', '127.0.0.2:1790']\n"
		"    peers: {a:, b: {}, c: {peer_ip: 10.1.2.9, peer_asn: 65003, "
		"transport_address: 127.0.1.3, transport_port: 179}}\n");
	const struct topo_rs_peer *p = t->servers[0].peers;

	CU_ASSERT_EQUAL_FATAL(t->servers[0].n_peers, 3);
	CU_ASSERT_EQUAL(t->servers[0].hub_routing_preference, HRP_PREF_AS_PATH);
	CU_ASSERT_EQUAL(t->servers[0].bgp_listen[1].addr, addr("127.0.0.2"));
	CU_ASSERT_EQUAL(p[0].peer_ip, addr("10.1.2.4"));
	CU_ASSERT_EQUAL(p[0].peer_asn, 65001);
	CU_ASSERT_EQUAL(p[0].transport, TOPO_NNG);
	CU_ASSERT_EQUAL(p[0].vnet, topo_find_vnet(t, "hub"));
	CU_ASSERT_EQUAL(p[1].nva, 1);
	CU_ASSERT_EQUAL(p[1].transport, TOPO_TCP);
	CU_ASSERT_EQUAL(p[1].transport_address, addr("127.0.1.2"));
	CU_ASSERT_EQUAL(p[1].transport_port, 0);
	CU_ASSERT_EQUAL(p[1].vnet, topo_find_vnet(t, "near"));
	CU_ASSERT_EQUAL(p[2].nva, -1);
	CU_ASSERT_EQUAL(p[2].transport, TOPO_TCP);
	CU_ASSERT_EQUAL(p[2].transport_port, 179);
	CU_ASSERT_EQUAL(t->nvas[1].hold_ms, 15000);
	CU_ASSERT_EQUAL(t->nvas[1].keepalive_ms, 5000);
	CU_ASSERT_EQUAL(t->nodes[topo_find_node(t, "b")].n_run, 2);
	CU_ASSERT_STRING_EQUAL(t->nodes[topo_find_node(t, "b")].run[1], "-f");
	topo_free(t);
}

/* A session is listed at one end or at both; each end has it once, with its own policy. */
static void
test_router_peers_are_mirrored(void)
{
	struct topo *t = build_text(HUB
	    "nvas:\n"
	    "  a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, peers: {b: {tunnel: true, policy: "
	    "{prepend: 2}}, dc: {}}}\n"
	    "  b: {subnet: hub/nva, ip: 10.1.2.5, asn: 65002, peers: {a: {policy: {prepend: "
	    "3}}}}\n"
	    "sites:\n"
	    "  dc: {asn: 64900, prefixes: [172.20.0.0/16]}\n"
	    "  dc2: {asn: 64901, ip: 172.21.0.9, transport: tcp, bgp_listen: "
	    "'127.0.1.9:179', peers: [dc, a]}\n");
	const struct topo_nva *a = &t->nvas[0], *b = &t->nvas[1];
	const struct topo_site *dc = &t->sites[0], *dc2 = &t->sites[1];

	CU_ASSERT_EQUAL_FATAL(a->n_peers, 3);
	CU_ASSERT_EQUAL_FATAL(b->n_peers, 1);
	CU_ASSERT_EQUAL_FATAL(dc->n_peers, 2);
	CU_ASSERT_EQUAL_FATAL(dc2->n_peers, 2);
	CU_ASSERT_STRING_EQUAL(a->peers[0].name, "b");
	CU_ASSERT_EQUAL(a->peers[0].policy.prepend, 2);
	CU_ASSERT_EQUAL(b->peers[0].policy.prepend, 3);
	CU_ASSERT(a->peers[0].tunnel && b->peers[0].tunnel);
	CU_ASSERT(a->peers[1].is_site);
	CU_ASSERT_EQUAL(a->peers[1].transport, TOPO_NNG);
	CU_ASSERT_STRING_EQUAL(a->peers[2].name, "dc2");
	CU_ASSERT_EQUAL(a->peers[2].transport, TOPO_TCP);
	CU_ASSERT_STRING_EQUAL(dc->peers[0].name, "a");
	CU_ASSERT_FALSE(dc->peers[0].is_site);
	CU_ASSERT_EQUAL(dc->peers[0].index, 0);
	CU_ASSERT_STRING_EQUAL(dc->peers[1].name, "dc2");
	CU_ASSERT_EQUAL(dc2->ip, addr("172.21.0.9"));
	topo_free(t);
}

static void
test_announcements(void)
{
	struct topo *t = build_text(
	    HUB "nvas:\n"
		"  a:\n"
		"    subnet: hub/nva\n"
		"    ip: 10.1.2.4\n"
		"    asn: 65001\n"
		"    p2s_pools: [192.168.250.0/24, 192.168.251.0/24]\n"
		"    owns: 10.1.2.100\n"
		"    advertise: [{prefix: 192.168.250.0/24, prepend: 1, med: 0, communities: "
		"[no-export, '65001:7'], large_communities: '65001:1:2', next_hop: 10.1.2.100}, "
		"0.0.0.0/0]\n"
		"    to_route_server: {strip_as: [65515, 12076], export: [deny 10.0.0.0/8 le 32, "
		"0.0.0.0/0 le 32], import: 10.1.0.0/16}\n"
		"sites: {dc: {asn: 64900, prefixes: [172.20.0.0/16, 172.21.0.0/16], advertise: "
		"[{prefix: 172.21.0.0/16, med: 5}]}}\n");
	const struct topo_nva *a = &t->nvas[0];
	const struct topo_site *dc = &t->sites[0];

	CU_ASSERT_EQUAL_FATAL(a->n_adverts, 3);
	CU_ASSERT_EQUAL(a->adverts[0].prefix.addr, addr("192.168.250.0"));
	CU_ASSERT_EQUAL(a->adverts[0].prepend, 1);
	CU_ASSERT(a->adverts[0].has_med && a->adverts[0].med == 0);
	CU_ASSERT_EQUAL(a->adverts[0].n_communities, 2);
	CU_ASSERT_EQUAL(a->adverts[0].communities[0], 0xffffff01);
	CU_ASSERT_EQUAL(a->adverts[0].n_large, 1);
	CU_ASSERT_EQUAL(a->adverts[0].large[2], 2);
	CU_ASSERT_EQUAL(a->adverts[0].next_hop, addr("10.1.2.100"));
	CU_ASSERT_FALSE(a->adverts[1].has_med);
	CU_ASSERT_EQUAL(a->adverts[2].prefix.addr, addr("192.168.251.0"));
	CU_ASSERT_EQUAL_FATAL(a->owns.n, 3);
	CU_ASSERT_EQUAL(a->owns.v[0].len, 32);
	CU_ASSERT_EQUAL(a->owns.v[2].addr, addr("192.168.251.0"));
	CU_ASSERT_EQUAL(a->to_route_server.n_strip_as, 2);
	CU_ASSERT_EQUAL(a->to_route_server.strip_as[1], 12076);
	CU_ASSERT_EQUAL(a->to_route_server.n_export, 2);
	CU_ASSERT(a->to_route_server.export_rules[0].deny);
	CU_ASSERT_EQUAL(a->to_route_server.n_import, 1);
	CU_ASSERT_EQUAL_FATAL(dc->n_adverts, 2);
	CU_ASSERT_EQUAL(dc->adverts[0].med, 5);
	CU_ASSERT_EQUAL(dc->adverts[1].prefix.addr, addr("172.20.0.0"));
	CU_ASSERT_EQUAL(dc->prefixes.n, 2);
	topo_free(t);
}

/* VPN-6, ER-18, ER-33. */
static void
test_connections(void)
{
	struct topo *t = build_text(HUB
	    "gateways:\n"
	    "  er: {vnet: hub, type: ExpressRoute, sku: ErGw3AZ, circuits: {c1: "
	    "{routing_weight: 10}, c2: {}}}\n"
	    "  vpn: {vnet: hub, type: Vpn, asn: 65010, connections: {dc: {bgp: false}, dc2: {bgp: "
	    "false, prefixes: 172.30.0.0/16}, dc3: {}}}\n"
	    "circuits: {c1: {site: dc, links: [192.168.0.0/30, 192.168.0.4/30], nic_next_hop: "
	    "[10.99.0.4, 10.99.0.5]}, c2: {site: dc2}}\n"
	    "sites: {dc: {asn: 64900, prefixes: [172.20.0.0/16]}, dc2: {asn: 64901, prefixes: "
	    "[172.21.0.0/16]}, dc3: {asn: 64902, ip: 172.22.0.1}}\n");
	const struct topo_gateway *er = &t->gateways[0], *vpn = &t->gateways[1];

	CU_ASSERT_EQUAL(er->max_circuits, 16);
	CU_ASSERT_EQUAL(er->conns[0].routing_weight, 10);
	CU_ASSERT_EQUAL(er->conns[1].index, 1);
	CU_ASSERT_FALSE(vpn->conns[0].bgp);
	CU_ASSERT_EQUAL(vpn->conns[0].prefixes.v[0].addr, addr("172.20.0.0"));
	CU_ASSERT_EQUAL(vpn->conns[1].prefixes.v[0].addr, addr("172.30.0.0"));
	CU_ASSERT(vpn->conns[2].bgp);
	CU_ASSERT_EQUAL(vpn->conns[2].prefixes.n, 0);
	CU_ASSERT_EQUAL(t->circuits[0].msee_ip[1], addr("192.168.0.6"));
	CU_ASSERT_EQUAL(t->circuits[0].nic_next_hop[0], addr("10.99.0.4"));
	CU_ASSERT_EQUAL(t->circuits[1].site_ip[0], addr("192.168.12.1"));
	topo_free(t);
}

/* RS-66: every NIC has its instance, and neighbours are spread over both. */
static void
test_nics(void)
{
	struct topo *t;
	char text[8192];
	size_t n = 0, ones = 0;

	n += (size_t)snprintf(text, sizeof(text), HUB "vms:\n");
	for (int i = 4; i < 104; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "  v%d: {subnet: hub/nva, ip: 10.1.2.%d, running: %s}\n", i, i,
		    i == 4 ? "false" : "true");
	t = build_text(text);
	CU_ASSERT_EQUAL_FATAL(t->n_nics, 100);
	for (uint32_t i = 4; i < 104; i++) {
		int at = topo_find_nic_by_ip(t, topo_find_vnet(t, "hub"), 0x0a010200 + i);
		char name[8];

		snprintf(name, sizeof(name), "v%u", i);
		CU_ASSERT_EQUAL_FATAL(topo_find_nic(t, name), at);
		CU_ASSERT_STRING_EQUAL(t->nics[at].name, name);
		CU_ASSERT_EQUAL(t->vms[t->nics[at].vm].running, i != 4);
		ones += t->nics[at].instance;
	}
	CU_ASSERT(ones > 40 && ones < 60);
	CU_ASSERT_EQUAL(topo_find_nic_by_ip(t, 0, 0x0a010204), -1);
	CU_ASSERT_EQUAL(topo_find_nic(t, "v104"), -1);
	topo_free(t);
}

/* ER-33: ten VNets on a circuit, a hundred on a premium one; and where default addresses end. */
static void
test_amounts_of_circuits(void)
{
	static char text[65536];

	for (int premium = 0; premium < 2; premium++) {
		size_t n = (size_t)snprintf(text, sizeof(text),
		    "sites: {dc: {asn: 64900, ip: 172.20.0.1}}\n"
		    "circuits: {c: {site: dc, premium: %s}}\nvnets:\n",
		    premium ? "true" : "false");
		struct topo *t;

		for (int i = 0; i < 11; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "  v%d: {address_space: 10.%d.0.0/16, subnets: {GatewaySubnet: "
			    "10.%d.0.0/26}}\n",
			    i, 100 + i, 100 + i);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "gateways:\n");
		for (int i = 0; i < 11; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "  g%d: {vnet: v%d, type: ExpressRoute, circuits: [c]}\n", i, i);
		t = topo_case_build(text, n);
		CU_ASSERT((t != NULL) == (premium == 1));
		if (t == NULL)
			CU_ASSERT_STRING_EQUAL(
			    topo_case_errors.e[0].code, "CircuitLinkLimitReached");
		topo_free(t);
	}
	for (int circuits = 123; circuits < 125; circuits++) {
		size_t n = (size_t)snprintf(
		    text, sizeof(text), "sites: {dc: {asn: 64900, ip: 172.20.0.1}}\ncircuits:\n");
		struct topo *t;

		for (int i = 0; i < circuits; i++)
			n += (size_t)snprintf(
			    text + n, sizeof(text) - n, "  c%03d: {site: dc}\n", i);
		t = topo_case_build(text, n);
		CU_ASSERT((t != NULL) == (circuits == 123));
		if (t == NULL)
			CU_ASSERT_STRING_EQUAL(
			    topo_case_errors.e[0].code, "CircuitAddressesMissing");
		topo_free(t);
	}
}

/* Inside the fabric BGP software peers as in production: with the instances' addresses, on 179. */
static void
test_bgp_through_the_data_plane(void)
{
	static const char text[] =
	    "packets: true\n"
	    "vnets: {hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "
	    "nva: 10.1.2.0/24}}}\n"
	    "nvas:\n"
	    "  a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, run: [bird]}\n"
	    "  b: {subnet: hub/nva, ip: 10.1.2.5, asn: 65002, bgp_listen: 127.0.0.9:1790}\n"
	    "route_servers: {rs: {vnet: hub, peers: {a: {}, b: {}}}}\n";
	struct topo *t = topo_case_build(text, sizeof(text) - 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_TRUE(t->packets);
	for (unsigned k = 0; k < 2; k++) {
		CU_ASSERT_EQUAL(t->servers[0].bgp_listen[k].addr, 0x0a010004 + k);
		CU_ASSERT_EQUAL(t->servers[0].bgp_listen[k].port, 179);
	}
	CU_ASSERT_EQUAL(t->nvas[0].bgp_listen.addr, 0x0a010204);
	CU_ASSERT_EQUAL(t->nvas[0].bgp_listen.port, 179);
	CU_ASSERT_EQUAL(t->nvas[1].bgp_listen.port, 1790);
	CU_ASSERT_EQUAL(t->servers[0].peers[0].transport_address, 0); /* comes from its own */
	topo_free(t);
}

static void
test_regions(void)
{
	struct topo *t = build_text("regions:\n"
				    "  delay: 3ms\n"
				    "  delays: [{between: [w, n], delay: 9ms, jitter: 1ms}]\n"
				    "vnets:\n"
				    "  a: {region: w, address_space: 10.1.0.0/16}\n"
				    "  b: {region: n, address_space: 10.2.0.0/16}\n"
				    "  c: {region: e, address_space: 10.3.0.0/16}\n"
				    "  d: {region: w, address_space: 10.4.0.0/16}\n");
	int e = topo_find_region(t, "e"), n = topo_find_region(t, "n"),
	    w = topo_find_region(t, "w");

	CU_ASSERT_EQUAL(t->n_regions, 3);
	CU_ASSERT_TRUE(e == 0 && n == 1 && w == 2 && topo_find_region(t, "x") == -1);
	CU_ASSERT_TRUE(t->vnets[0].region_index == w && t->vnets[3].region_index == w);
	CU_ASSERT_TRUE(
	    topo_region_path(t, w, n).delay_ms == 9 && topo_region_path(t, n, w).delay_ms == 9);
	CU_ASSERT_TRUE(topo_region_path(t, n, w).jitter_ms == 1);
	CU_ASSERT_TRUE(
	    topo_region_path(t, e, w).delay_ms == 3 && topo_region_path(t, e, w).jitter_ms == 0);
	topo_free(t);
	t = build_text("vnets: {a: {address_space: 10.1.0.0/16}}\n");
	CU_ASSERT_TRUE(t->n_regions == 1 && t->region_delay_ms == 0);
	topo_free(t);
}

static CU_TestInfo tests[] = {
	{ "multi-region builds, with its nodes in order", test_multi_region },
	{ "topologies/ is good", test_topologies },
	{ "addresses that Azure assigns are derived: RS-2, ER-1, ER-16, ER-19, VPN-14",
	    test_derived_addresses },
	{ "defaults are Azure's: TIME-1", test_defaults },
	{ "timing profiles and overrides", test_timing },
	{ "azure has the documented delays", test_delays_of_azure },
	{ "fast has none, and each can be given", test_delays_of_fast_and_overrides },
	{ "delays are drawn by seed and name", test_draws },
	{ "regions and the delays between them", test_regions },
	{ "RS-57: health probes and their defaults", test_health_probes },
	{ "peerings, their states and scopes: PEER-1, PEER-7, PEER-8", test_peerings },
	{ "gateway transit over global peering: PEER-11", test_gateway_transit_is_global },
	{ "peers of Route Servers: RS-38", test_route_server_peers },
	{ "peers of routers are mirrored", test_router_peers_are_mirrored },
	{ "announcements and policies", test_announcements },
	{ "gateway connections: VPN-6, ER-18, ER-33", test_connections },
	{ "NICs and their instance: RS-66", test_nics },
	{ "BGP through the data plane: RS-2, RS-31", test_bgp_through_the_data_plane },
	{ "many circuits: ER-33", test_amounts_of_circuits },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("topo_model", tests)
