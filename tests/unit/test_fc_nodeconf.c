/*
 * Node configurations, as the nodes decode them: the sessions of multi-region one by one, both ends
 * of every session of every topology, and what each kind of node is told.
 */
#include "fabricd/fc_nodeconf.h"
#include "fabricd/fc_pairs.h"
#include "fabricd/wire_nodeconf.h"

#include "fab_cunit.h"
#include "lib/err.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fc_urls urls = { .node = "ipc:///run/x/%s.ipc", .bgp = "ipc:///run/x/%s.bgp" };

/* A topology and the decoded configuration of each of its nodes. */
struct fabric {
	struct topo_doc *doc;
	struct topo *t;
	struct wire_conf **conf; /* by node */
};

static struct wire_conf *
conf_of(const struct topo *t, size_t node)
{
	struct fc_nodeconf *nc = NULL;
	struct wire_conf *out = NULL;
	Fab__V1__NodeConfig *m;
	uint8_t *buf = NULL;
	size_t len = 0;
	char why[256] = "";

	CU_ASSERT_EQUAL_FATAL(fc_nodeconf_new(&nc, t, node, &urls), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_nodeconf_encode(&buf, &len, nc), FAB_OK);
	fc_nodeconf_free(nc);
	m = fab__v1__node_config__unpack(NULL, len, buf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(wire_conf_decode(&out, m, why), FAB_OK);
	CU_ASSERT_STRING_EQUAL(why, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	fab__v1__node_config__free_unpacked(m, NULL);
	free(buf);
	return out;
}

static void
fabric_build(struct fabric *f, struct topo_doc *doc)
{
	struct topo_errors *errs = calloc(1, sizeof(*errs));

	f->doc = doc;
	f->t = topo_build(doc, errs, NULL);
	for (size_t i = 0; i < errs->n; i++)
		printf("%u: %s: %s\n", errs->e[i].line, errs->e[i].code, errs->e[i].message);
	free(errs);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f->t);
	f->conf = calloc(f->t->n_nodes, sizeof(struct wire_conf *));
	for (size_t i = 0; i < f->t->n_nodes; i++)
		f->conf[i] = conf_of(f->t, i);
}

static void
fabric_load(struct fabric *f, const char *path)
{
	struct topo_errors *errs = calloc(1, sizeof(*errs));
	struct topo_doc *doc = NULL;

	CU_ASSERT_EQUAL_FATAL(topo_parse_file(&doc, path, errs), FAB_OK);
	free(errs);
	fabric_build(f, doc);
}

static void
fabric_parse(struct fabric *f, const char *yaml)
{
	struct topo_errors *errs = calloc(1, sizeof(*errs));
	struct topo_doc *doc = NULL;
	int err = topo_parse_yaml(&doc, yaml, strlen(yaml), errs);

	for (size_t i = 0; i < errs->n; i++)
		printf("%u: %s: %s\n", errs->e[i].line, errs->e[i].code, errs->e[i].message);
	free(errs);
	CU_ASSERT_EQUAL_FATAL(err, FAB_OK);
	fabric_build(f, doc);
}

static void
fabric_free(struct fabric *f)
{
	for (size_t i = 0; i < f->t->n_nodes; i++)
		wire_conf_free(f->conf[i]);
	free(f->conf);
	topo_free(f->t);
	topo_doc_free(f->doc);
}

static const struct wire_conf *
node(const struct fabric *f, const char *name)
{
	int i = topo_find_node(f->t, name);

	CU_ASSERT_FATAL(i >= 0);
	return f->conf[i];
}

static const struct wire_peer *
peer(const struct fabric *f, const char *name, const char *of)
{
	const struct wire_conf *c = node(f, name);

	for (size_t i = 0; i < c->n_peers; i++)
		if (strcmp(c->peers[i].name, of) == 0)
			return &c->peers[i];
	printf("%s has no peer %s\n", name, of);
	CU_FAIL_FATAL("no such peer");
	return NULL;
}

static const char *
addr(uint32_t a)
{
	static char buf[4][IPADDR_STRLEN];
	static unsigned at;

	return ipaddr_format(buf[at++ % 4], a);
}

static bool
nets_are(const struct wire_nets *nets, const char *want)
{
	char text[512] = "", net[IPNET_STRLEN];

	for (size_t i = 0; i < nets->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
		    i == 0 ? "" : " ", ipnet_format(net, nets->v[i]));
	if (strcmp(text, want) != 0)
		printf("nets are '%s', expected '%s'\n", text, want);
	return strcmp(text, want) == 0;
}

/* ---- sessions ---- */

/* Who dials whom, from which address to which, and the ASNs: RS-30 (both instances), B2B-4 (2 x 2
 * and the sibling), ER-16 (both MSEEs), ER-1 (one per /30), then nvad to nvad. */
static const char *const multi_region_sessions[] = {
	"circuit1-primary <- dc1 192.168.10.1 192.168.10.2 64900 12076",
	"circuit1-primary <- er1-0 10.1.1.12 10.1.1.4 65515 12076",
	"circuit1-primary <- er1-1 10.1.1.13 10.1.1.4 65515 12076",
	"circuit1-secondary <- dc1 192.168.11.1 192.168.11.2 64900 12076",
	"circuit1-secondary <- er1-0 10.1.1.12 10.1.1.5 65515 12076",
	"circuit1-secondary <- er1-1 10.1.1.13 10.1.1.5 65515 12076",
	"circuit2-primary <- dc1 192.168.12.1 192.168.12.2 64900 12076",
	"circuit2-primary <- er2-0 10.2.1.12 10.2.1.4 65515 12076",
	"circuit2-primary <- er2-1 10.2.1.13 10.2.1.4 65515 12076",
	"circuit2-secondary <- dc1 192.168.13.1 192.168.13.2 64900 12076",
	"circuit2-secondary <- er2-0 10.2.1.12 10.2.1.5 65515 12076",
	"circuit2-secondary <- er2-1 10.2.1.13 10.2.1.5 65515 12076",
	"er1-1 <- er1-0 10.1.1.12 10.1.1.13 65515 65515",
	"er2-1 <- er2-0 10.2.1.12 10.2.1.13 65515 65515",
	"nva3 <- nva1 10.1.2.4 10.2.2.4 65001 65002",
	"nva3 <- nva2 10.1.2.5 10.2.2.4 65001 65002",
	"nva4 <- nva1 10.1.2.4 10.2.2.5 65001 65002",
	"nva4 <- nva2 10.1.2.5 10.2.2.5 65001 65002",
	"rs1-0 <- er1-0 10.1.1.12 10.1.0.4 65515 65515",
	"rs1-0 <- er1-1 10.1.1.13 10.1.0.4 65515 65515",
	"rs1-0 <- nva1 10.1.2.4 10.1.0.4 65001 65515",
	"rs1-0 <- nva2 10.1.2.5 10.1.0.4 65001 65515",
	"rs1-1 <- er1-0 10.1.1.12 10.1.0.5 65515 65515",
	"rs1-1 <- er1-1 10.1.1.13 10.1.0.5 65515 65515",
	"rs1-1 <- nva1 10.1.2.4 10.1.0.5 65001 65515",
	"rs1-1 <- nva2 10.1.2.5 10.1.0.5 65001 65515",
	"rs2-0 <- er2-0 10.2.1.12 10.2.0.4 65515 65515",
	"rs2-0 <- er2-1 10.2.1.13 10.2.0.4 65515 65515",
	"rs2-0 <- nva3 10.2.2.4 10.2.0.4 65002 65515",
	"rs2-0 <- nva4 10.2.2.5 10.2.0.4 65002 65515",
	"rs2-1 <- er2-0 10.2.1.12 10.2.0.5 65515 65515",
	"rs2-1 <- er2-1 10.2.1.13 10.2.0.5 65515 65515",
	"rs2-1 <- nva3 10.2.2.4 10.2.0.5 65002 65515",
	"rs2-1 <- nva4 10.2.2.5 10.2.0.5 65002 65515",
};
#define N_SESSIONS (sizeof(multi_region_sessions) / sizeof(multi_region_sessions[0]))

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
test_sessions_of_multi_region(void)
{
	struct fabric f;
	char got[2 * N_SESSIONS][128];
	size_t n = 0;

	fabric_load(&f, "topologies/multi-region.yaml");
	CU_ASSERT_EQUAL(f.t->n_nodes, 17);
	for (size_t i = 0; i < f.t->n_nodes; i++) {
		const struct wire_conf *c = f.conf[i];

		for (size_t k = 0; k < c->n_peers && n < 2 * N_SESSIONS; k++) {
			const struct wire_peer *p = &c->peers[k];

			if (p->passive)
				snprintf(got[n++], sizeof(got[0]), "%s <- %s %s %s %u %u", c->name,
				    p->name, addr(p->address), addr(p->local_address), p->asn,
				    c->asn);
		}
	}
	CU_ASSERT_EQUAL_FATAL(n, N_SESSIONS);
	qsort(got, n, sizeof(got[0]), by_text);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(got[i], multi_region_sessions[i]) != 0)
			printf("got '%s', expected '%s'\n", got[i], multi_region_sessions[i]);
		CU_ASSERT_STRING_EQUAL(got[i], multi_region_sessions[i]);
	}
	fabric_free(&f);
}

/* What role the other end must have, given what the peer is to this one. */
static bool
roles_fit(enum wire_kind mine, enum wire_peer_role role)
{
	switch (mine) {
	case WIRE_ROUTE_SERVER:
		return role == WIRE_PEER_NVA || role == WIRE_PEER_ER_GATEWAY ||
		       role == WIRE_PEER_VPN_GATEWAY;
	case WIRE_ER_GATEWAY:
		return role == WIRE_PEER_ROUTE_SERVER || role == WIRE_PEER_MSEE ||
		       role == WIRE_PEER_SIBLING;
	case WIRE_VPN_GATEWAY:
		return role == WIRE_PEER_ROUTE_SERVER || role == WIRE_PEER_CUSTOMER ||
		       role == WIRE_PEER_SIBLING;
	case WIRE_MSEE:
		return role == WIRE_PEER_ER_GATEWAY || role == WIRE_PEER_CUSTOMER;
	case WIRE_NVA:
		return role == WIRE_PEER_ROUTE_SERVER || role == WIRE_PEER_ROUTER;
	case WIRE_SITE:
		return role == WIRE_PEER_MSEE || role == WIRE_PEER_VPN_GATEWAY ||
		       role == WIRE_PEER_ROUTER;
	default:
		return false;
	}
}

static bool
listens_at(const struct wire_conf *c, struct wire_tcp at)
{
	for (size_t i = 0; i < c->n_listen; i++)
		if (c->listen[i].addr == at.addr && c->listen[i].port == at.port)
			return true;
	return false;
}

static void
check_both_ends(const struct fabric *f, const struct wire_conf *c, const struct wire_peer *p)
{
	const struct wire_conf *o = node(f, p->name);
	const struct wire_peer *back = peer(f, p->name, c->name);

	CU_ASSERT_TRUE(roles_fit(c->kind, p->role));
	CU_ASSERT_EQUAL(p->address, back->local_address);
	CU_ASSERT_EQUAL(p->local_address, back->address);
	CU_ASSERT_NOT_EQUAL(p->address, p->local_address);
	CU_ASSERT_EQUAL(p->asn, o->asn);
	CU_ASSERT_EQUAL(p->tcp, back->tcp);
	CU_ASSERT_NOT_EQUAL(p->passive, back->passive);
	CU_ASSERT_EQUAL(p->optional, back->optional);
	if (p->passive) {
		CU_ASSERT_STRING_EQUAL(p->url, "");
		CU_ASSERT_EQUAL(p->dial.port, 0);
	} else if (p->tcp) {
		CU_ASSERT_TRUE(listens_at(o, p->dial));
	} else {
		CU_ASSERT_STRING_EQUAL(p->url, o->bgp_url);
	}
}

static void
test_both_ends_of_every_session_agree(void)
{
	glob_t g;

	CU_ASSERT_EQUAL_FATAL(glob("topologies/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct fabric f;

		fabric_load(&f, g.gl_pathv[i]);
		for (size_t n = 0; n < f.t->n_nodes; n++) {
			for (size_t k = 0; k < f.conf[n]->n_peers; k++) {
				const struct wire_peer *p = &f.conf[n]->peers[k];

				if (topo_find_node(f.t, p->name) >= 0) /* else by address only */
					check_both_ends(&f, f.conf[n], p);
			}
		}
		fabric_free(&f);
	}
	globfree(&g);
}

/* ---- what each kind of node is told ---- */

static void
test_route_server(void)
{
	struct fabric f;
	const struct wire_conf *c;

	fabric_load(&f, "topologies/multi-region.yaml");
	c = node(&f, "rs1-1");
	CU_ASSERT_EQUAL(c->kind, WIRE_ROUTE_SERVER);
	CU_ASSERT_EQUAL(c->instance, 1);
	CU_ASSERT_EQUAL(c->asn, 65515);                         /* RS-1 */
	CU_ASSERT_STRING_EQUAL(addr(c->router_id), "10.1.0.5"); /* RS-2 */
	CU_ASSERT_EQUAL(c->address, c->router_id);
	CU_ASSERT_STRING_EQUAL(c->bgp_url, "ipc:///run/x/rs1-1.bgp");
	CU_ASSERT_STRING_EQUAL(c->fabric, "multi-region");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->rs);
	CU_ASSERT_PTR_NULL(c->gw);
	CU_ASSERT_TRUE(nets_are(&c->rs->vnet, "10.1.0.0/16")); /* RS-70 */
	/* RS-71, RS-76, OPEN-12: hub2 is peered without gateway transit. */
	CU_ASSERT_TRUE(nets_are(&c->rs->spokes, "10.11.0.0/16 10.12.0.0/16"));
	CU_ASSERT_TRUE(c->rs->branch_to_branch);
	CU_ASSERT_STRING_EQUAL(c->rs->sibling, "rs1-0");
	CU_ASSERT_STRING_EQUAL(c->rs->resource, "rs1");
	CU_ASSERT_EQUAL(c->rs->max_next_hops, 8);                       /* RS-27 */
	CU_ASSERT_EQUAL(c->rs->max_prefixes_total, 10000);              /* RS-25 */
	CU_ASSERT_EQUAL(peer(&f, "rs1-1", "nva1")->max_prefixes, 4000); /* RS-21 */
	CU_ASSERT_EQUAL(peer(&f, "rs1-1", "er1-0")->max_prefixes, 0);
	CU_ASSERT_EQUAL(peer(&f, "rs1-1", "nva1")->hold_ms, 3000);
	CU_ASSERT_EQUAL(peer(&f, "rs1-1", "nva1")->keepalive_ms, 1000);
	fabric_free(&f);
}

static void
test_er_gateway_and_msee(void)
{
	struct fabric f;
	const struct wire_conf *c;

	fabric_load(&f, "topologies/multi-region.yaml");
	c = node(&f, "er1-0");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->gw);
	CU_ASSERT_TRUE(nets_are(&c->gw->vnet, "10.1.0.0/16"));                 /* ER-10 */
	CU_ASSERT_TRUE(nets_are(&c->gw->spokes, "10.11.0.0/16 10.12.0.0/16")); /* OPEN-12 */
	CU_ASSERT_TRUE(nets_are(&c->gw->ignored, "10.2.0.0/16"));              /* VPN-10 */
	CU_ASSERT_TRUE(c->gw->has_route_server);
	CU_ASSERT_FALSE(c->gw->standby);
	CU_ASSERT_EQUAL(c->gw->max_prefixes_out, 1000); /* RS-26, ER-21 */
	CU_ASSERT_STRING_EQUAL(addr(c->gw->sibling_address), "10.1.1.13");
	CU_ASSERT_EQUAL_FATAL(c->gw->n_circuits, 1);
	CU_ASSERT_STRING_EQUAL(c->gw->circuits[0].name, "circuit1");
	CU_ASSERT_EQUAL_FATAL(c->gw->circuits[0].next_hops.n, 2); /* ER-19 */
	CU_ASSERT_STRING_EQUAL(addr(c->gw->circuits[0].next_hops.v[0]), "10.24.0.4");
	CU_ASSERT_STRING_EQUAL(addr(c->gw->circuits[0].next_hops.v[1]), "10.24.0.5");
	CU_ASSERT_STRING_EQUAL(peer(&f, "er1-0", "circuit1-primary")->resource, "circuit1");

	c = node(&f, "circuit2-secondary");
	CU_ASSERT_EQUAL(c->asn, 12076); /* ER-1 */
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->msee);
	CU_ASSERT_TRUE(c->msee->secondary);
	CU_ASSERT_STRING_EQUAL(c->msee->circuit, "circuit2");
	CU_ASSERT_EQUAL(c->msee->max_customer_prefixes, 4000); /* ER-6 */
	CU_ASSERT_EQUAL(c->msee->max_gateway_prefixes, 1000);  /* ER-21 */
	CU_ASSERT_EQUAL(peer(&f, "circuit2-secondary", "dc1")->max_prefixes, 4000);
	CU_ASSERT_STRING_EQUAL(addr(c->msee->nic_next_hop), "10.24.1.5");
	fabric_free(&f);
}

static void
test_nva_policy_and_adverts(void)
{
	struct fabric f;
	const struct wire_conf *c;
	const struct wire_peer *p;

	fabric_load(&f, "topologies/multi-region.yaml");
	c = node(&f, "nva2");
	CU_ASSERT_EQUAL_FATAL(c->n_originate, 1);
	CU_ASSERT_EQUAL(c->originate[0].prefix.len, 0);
	CU_ASSERT_EQUAL_FATAL(c->originate[0].n_to, 1);
	CU_ASSERT_STRING_EQUAL(c->originate[0].to[0], "rs1");
	CU_ASSERT_EQUAL_FATAL(c->originate[0].communities.n, 1);
	CU_ASSERT_EQUAL(c->originate[0].communities.v[0], 0xffffff02); /* RS-78: NO_ADVERTISE */
	p = peer(&f, "nva2", "rs1-0");
	CU_ASSERT_STRING_EQUAL(p->resource, "rs1");     /* so that nvad does not relay to rs1-1 */
	CU_ASSERT_EQUAL_FATAL(p->policy.strip_as.n, 2); /* MR-3 */
	CU_ASSERT_EQUAL(p->policy.strip_as.v[0], 65515);
	CU_ASSERT_EQUAL(p->policy.strip_as.v[1], 12076);
	CU_ASSERT_EQUAL(p->policy.prepend, 2);
	p = peer(&f, "nva2", "nva3");
	CU_ASSERT_EQUAL(p->role, WIRE_PEER_ROUTER);
	CU_ASSERT_EQUAL(p->policy.strip_as.n, 0);
	CU_ASSERT_STRING_EQUAL(p->resource, "");
	c = node(&f, "dc1");
	CU_ASSERT_EQUAL_FATAL(c->n_originate, 1);
	CU_ASSERT_EQUAL(c->originate[0].n_to, 0);
	CU_ASSERT_STRING_EQUAL(peer(&f, "dc1", "circuit1-primary")->resource, "circuit1");
	fabric_free(&f);
}

#define HUB                                                                                        \
	"name: t\ntiming: azure\n"                                                                 \
	"vnets:\n"                                                                                 \
	"  hub:\n"                                                                                 \
	"    region: r\n"                                                                          \
	"    address_space: [10.1.0.0/16]\n"                                                       \
	"    subnets: {RouteServerSubnet: 10.1.0.0/26, GatewaySubnet: 10.1.1.0/26,"                \
	" nva: 10.1.2.0/24}\n"

/* An address-only peer, foreign software that dials, foreign software that is dialled, and nvad by
 * TCP. */
static void
test_tcp_peers(void)
{
	struct fabric f;
	const struct wire_peer *p;

	fabric_parse(&f, HUB "route_servers:\n"
			     "  rs:\n"
			     "    vnet: hub\n"
			     "    bgp_listen: [127.0.0.1:1790, 127.0.0.2:1790]\n"
			     "    peers:\n"
			     "      fw: {transport_address: 127.0.1.1}\n"
			     "      lb: {transport_address: 127.0.1.2, transport_port: 2179}\n"
			     "      our: {transport: tcp, transport_address: 127.0.1.3}\n"
			     "      far: {peer_ip: 10.1.2.9, peer_asn: 65009}\n"
			     "nvas:\n"
			     "  fw: {subnet: hub/nva, ip: 10.1.2.6, asn: 65003, run: [bird]}\n"
			     "  lb: {subnet: hub/nva, ip: 10.1.2.7, asn: 65004, run: [bird]}\n"
			     "  our: {subnet: hub/nva, ip: 10.1.2.8, asn: 65005, hold: 15s}\n");
	CU_ASSERT_EQUAL_FATAL(node(&f, "rs-1")->n_listen, 1);
	CU_ASSERT_STRING_EQUAL(addr(node(&f, "rs-1")->listen[0].addr), "127.0.0.2");
	p = peer(&f, "rs-1", "fw");
	CU_ASSERT_TRUE(p->tcp && p->passive);
	CU_ASSERT_EQUAL(p->dial.port, 0);
	CU_ASSERT_STRING_EQUAL(addr(p->source_address), "127.0.1.1");
	CU_ASSERT_STRING_EQUAL(addr(p->address), "10.1.2.6");
	p = peer(&f, "rs-1", "lb");
	CU_ASSERT_TRUE(p->tcp && !p->passive);
	CU_ASSERT_EQUAL(p->dial.port, 2179);
	CU_ASSERT_STRING_EQUAL(addr(p->dial.addr), "127.0.1.2");
	CU_ASSERT_STRING_EQUAL(addr(p->source_address), "127.0.0.2");
	p = peer(&f, "rs-1", "far");
	CU_ASSERT_TRUE(p->tcp && p->passive);
	CU_ASSERT_STRING_EQUAL(addr(p->source_address), "10.1.2.9");
	CU_ASSERT_EQUAL(p->asn, 65009);
	p = peer(&f, "our", "rs-1");
	CU_ASSERT_TRUE(p->tcp && !p->passive);
	CU_ASSERT_STRING_EQUAL(addr(p->dial.addr), "127.0.0.2");
	CU_ASSERT_EQUAL(p->dial.port, 1790);
	CU_ASSERT_STRING_EQUAL(addr(p->source_address), "127.0.1.3");
	/* RS-32: an NVA may propose a lower hold time; its keepalives follow. */
	CU_ASSERT_EQUAL(p->hold_ms, 15000);
	CU_ASSERT_EQUAL(p->keepalive_ms, 5000);
	CU_ASSERT_EQUAL(peer(&f, "rs-1", "our")->hold_ms, 180000);
	fabric_free(&f);
}

#define VPN(aa)                                                                                    \
	HUB "gateways:\n"                                                                          \
	    "  vpn: {vnet: hub, type: Vpn, active_active: " aa ", connections: {b1: {},"           \
	    " b2: {bgp: false, prefixes: [172.22.0.0/16]}}}\n"                                     \
	    "sites:\n"                                                                             \
	    "  b1: {asn: 64901, prefixes: [172.21.0.0/16], advertise: [{prefix: 172.30.0.0/16,"    \
	    " to: [b1]}]}\n"                                                                       \
	    "  b2: {asn: 64902, prefixes: [172.22.0.0/16]}\n"

static void
test_vpn_gateway_active_active(void)
{
	struct fabric f;
	const struct wire_conf *c;

	fabric_parse(&f, VPN("true"));
	c = node(&f, "vpn-1");
	CU_ASSERT_PTR_NOT_NULL_FATAL(c->gw);
	CU_ASSERT_TRUE(c->gw->active_active);
	CU_ASSERT_FALSE(c->gw->standby);
	CU_ASSERT_FALSE(c->gw->has_route_server);
	CU_ASSERT_EQUAL(c->n_peers, 2); /* the sibling and b1; b2 has no BGP */
	CU_ASSERT_EQUAL_FATAL(c->gw->n_statics, 1);
	CU_ASSERT_STRING_EQUAL(c->gw->statics[0].name, "b2");
	CU_ASSERT_TRUE(nets_are(&c->gw->statics[0].prefixes, "172.22.0.0/16")); /* VPN-6 */
	CU_ASSERT_TRUE(c->gw->statics[0].up); /* VPN-21: no session, no tunnel, and there */
	CU_ASSERT_STRING_EQUAL(addr(c->address), "10.1.1.5");
	CU_ASSERT_EQUAL(peer(&f, "vpn-1", "b1")->max_prefixes, 4000); /* VPN-7 */
	CU_ASSERT_STRING_EQUAL(peer(&f, "vpn-1", "b1")->resource, "b1");
	CU_ASSERT_STRING_EQUAL(peer(&f, "b1", "vpn-0")->resource, "vpn");
	CU_ASSERT_FALSE(peer(&f, "b1", "vpn-1")->optional);
	/* `to` names the connection; nvad knows peers and resources. */
	c = node(&f, "b1");
	CU_ASSERT_EQUAL_FATAL(c->n_originate, 2);
	CU_ASSERT_EQUAL_FATAL(c->originate[0].n_to, 2);
	CU_ASSERT_STRING_EQUAL(c->originate[0].to[0], "vpn-0");
	CU_ASSERT_STRING_EQUAL(c->originate[0].to[1], "vpn-1");
	fabric_free(&f);
}

static void
test_vpn_gateway_active_standby(void)
{
	struct fabric f;
	const struct wire_peer *p;

	fabric_parse(&f, VPN("false"));
	CU_ASSERT_FALSE(node(&f, "vpn-0")->gw->standby);
	CU_ASSERT_TRUE(node(&f, "vpn-1")->gw->standby); /* VPN-1 */
	/* One BGP address, whichever instance holds it. */
	for (int i = 0; i < 2; i++) {
		p = peer(&f, "b1", i == 0 ? "vpn-0" : "vpn-1");
		CU_ASSERT_STRING_EQUAL(addr(p->address), "10.1.1.4");
		CU_ASSERT_EQUAL(p->optional, i == 1); /* nobody waits for the standby */
	}
	CU_ASSERT_FALSE(peer(&f, "vpn-0", "vpn-1")->optional);
	fabric_free(&f);
}

#define VPN2(bgp, aa)                                                                              \
	HUB "  hub9: {address_space: 10.9.0.0/16, subnets: {GatewaySubnet: 10.9.1.0/26}}\n"        \
	    "gateways:\n"                                                                          \
	    "  vpn: {vnet: hub, type: Vpn, active_active: true, connections: {to9: {gateway: "     \
	    "vpn9, "                                                                               \
	    "bgp: " bgp "}}}\n"                                                                    \
	    "  vpn9: {vnet: hub9, type: Vpn, asn: 65010, active_active: " aa ", connections: "     \
	    "{to1: {gateway: vpn, bgp: " bgp "}}}\n"

/* VPN-3, VPN-7, VPN-13, OPEN-13: each end is a site to the other, every instance to every one. */
static void
test_vnet_to_vnet(void)
{
	struct fabric f;
	const struct wire_peer *p;

	fabric_parse(&f, VPN2("true", "true"));
	CU_ASSERT_EQUAL(node(&f, "vpn-1")->n_peers, 3); /* sibling and both of the others */
	p = peer(&f, "vpn-1", "vpn9-0");
	CU_ASSERT_EQUAL(p->role, WIRE_PEER_CUSTOMER);
	CU_ASSERT_EQUAL(p->asn, 65010);
	CU_ASSERT_STRING_EQUAL(p->resource, "to9");
	CU_ASSERT_STRING_EQUAL(addr(p->address), "10.9.1.4");
	CU_ASSERT_EQUAL(p->max_prefixes, 4000);
	CU_ASSERT_FALSE(p->passive || p->optional);
	p = peer(&f, "vpn9-0", "vpn-1");
	CU_ASSERT_EQUAL(p->role, WIRE_PEER_CUSTOMER);
	CU_ASSERT_EQUAL(p->asn, 65515);
	CU_ASSERT_STRING_EQUAL(p->resource, "to1");
	CU_ASSERT_TRUE(p->passive);
	fabric_free(&f);
	/* VPN-1: the standby has its pair's address, and nobody waits for it. */
	fabric_parse(&f, VPN2("true", "false"));
	p = peer(&f, "vpn-0", "vpn9-1");
	CU_ASSERT_STRING_EQUAL(addr(p->address), "10.9.1.4");
	CU_ASSERT_TRUE(p->optional);
	CU_ASSERT_FALSE(peer(&f, "vpn-0", "vpn9-0")->optional);
	fabric_free(&f);
	/* VPN-6: without BGP the other VNet's address space, and no session. */
	fabric_parse(&f, VPN2("false", "true"));
	CU_ASSERT_EQUAL(node(&f, "vpn-0")->n_peers, 1);
	CU_ASSERT_EQUAL_FATAL(node(&f, "vpn-0")->gw->n_statics, 1);
	CU_ASSERT_TRUE(nets_are(&node(&f, "vpn-0")->gw->statics[0].prefixes, "10.9.0.0/16"));
	CU_ASSERT_TRUE(nets_are(&node(&f, "vpn9-0")->gw->statics[0].prefixes, "10.1.0.0/16"));
	fabric_free(&f);
}

/* Both quirks of each kind. OPEN-11: sessions of a Route Server and a gateway; OPEN-12: who is
 * announced on premises; OPEN-13: what crosses to another VNet's gateway; OPEN-5, OPEN-17: what
 * nodes are told. */
static void
test_quirks(void)
{
	static const char rest[] =
	    "vnets:\n"
	    "  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "
	    "GatewaySubnet: 10.1.1.0/26}}\n"
	    "  spoke: {address_space: 10.11.0.0/16, subnets: {vms: 10.11.0.0/24}}\n"
	    "  other: {address_space: 10.12.0.0/16, subnets: {vms: 10.12.0.0/24}}\n"
	    "peerings: [{hub: hub, spoke: spoke}, {between: [hub, other]}]\n"
	    "route_servers: {rs: {vnet: hub, branch_to_branch: %s}}\n"
	    "gateways: {er: {vnet: hub, type: ExpressRoute, circuits: {c1: {}}}}\n"
	    "circuits: {c1: {site: dc1}}\n"
	    "sites: {dc1: {asn: 64900, prefixes: 172.20.0.0/16}}\n";
	static const char other[] =
	    "quirks: {gateway_sessions: branch_to_branch, spokes_without_transit: announce, "
	    "covered_routes: list, circuit_strips: all}\n";
	char yaml[2048];
	struct fabric f;

	for (int i = 0; i < 4; i++) {
		bool quirks = i >= 2, b2b = i % 2 == 1, sessions = b2b || !quirks;
		size_t n = (size_t)snprintf(yaml, sizeof(yaml), "%s", quirks ? other : "");

		snprintf(yaml + n, sizeof(yaml) - n, rest, b2b ? "true" : "false");
		fabric_parse(&f, yaml);
		CU_ASSERT_EQUAL(node(&f, "rs-0")->n_peers, sessions ? 2 : 0);
		CU_ASSERT_EQUAL(node(&f, "er-0")->gw->has_route_server, sessions);
		CU_ASSERT_TRUE(nets_are(&node(&f, "er-0")->gw->spokes,
		    quirks ? "10.12.0.0/16 10.11.0.0/16" : "10.11.0.0/16"));
		CU_ASSERT_TRUE(nets_are(&node(&f, "rs-0")->rs->spokes, "10.11.0.0/16"));
		CU_ASSERT_EQUAL(node(&f, "rs-0")->rs->lists_covered, quirks);
		CU_ASSERT_EQUAL(node(&f, "c1-primary")->msee->strips_public, quirks);
		fabric_free(&f);
	}
	fabric_parse(&f, VPN2("true", "true"));
	CU_ASSERT_FALSE(peer(&f, "vpn-0", "vpn9-0")->no_export_of_learned);
	fabric_free(&f);
	fabric_parse(&f, "quirks: {vnet_to_vnet: without_route_server}\n" VPN2("true", "true"));
	CU_ASSERT_TRUE(peer(&f, "vpn-0", "vpn9-0")->no_export_of_learned);
	CU_ASSERT_TRUE(peer(&f, "vpn9-1", "vpn-1")->no_export_of_learned);
	fabric_free(&f);
}

/* ---- changes ---- */

static int
encode_named(const struct topo *t, const char *name, uint8_t **buf, size_t *len)
{
	struct fc_nodeconf *nc = NULL;
	int err = fc_nodeconf_new(&nc, t, (size_t)topo_find_node(t, name), &urls);

	if (err == FAB_OK)
		err = wire_nodeconf_encode(buf, len, nc);
	fc_nodeconf_free(nc);
	return err;
}

/* Only nodes that a change concerns get other bytes, so nobody else hears of it. */
static void
test_a_change_concerns_few_nodes(void)
{
	static const struct {
		const char *node, *assignment;
		bool changes;
	} rows[] = {
		{ "nva1", "to_route_server.prepend=1", true },
		{ "nva2", "to_route_server.prepend=1", false },
		{ "rs1-0", "to_route_server.prepend=1", false },
		{ "nva1", "asn=65011", true },
		{ "rs1-0", "asn=65011", true },
		{ "nva3", "asn=65011", true },
		{ "rs2-0", "asn=65011", false },
		{ "er1-0", "asn=65011", false },
		{ "rs1-0", "ip=10.1.2.9", true },
		{ "nva1", "stateful=true", false },
	};
	struct topo_errors *errs = calloc(1, sizeof(*errs));

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct topo_doc *doc = NULL, *copy;
		uint8_t *before = NULL, *after = NULL;
		size_t n_before = 0, n_after = 0;
		struct topo *t, *t2;

		CU_ASSERT_EQUAL_FATAL(
		    topo_parse_file(&doc, "topologies/multi-region.yaml", errs), FAB_OK);
		copy = topo_doc_copy(doc);
		CU_ASSERT_EQUAL_FATAL(
		    topo_doc_set(copy, TOPO_NVA, "nva1", rows[i].assignment, errs), FAB_OK);
		t = topo_build(doc, errs, NULL);
		t2 = topo_build(copy, errs, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t2);
		CU_ASSERT_EQUAL(encode_named(t, rows[i].node, &before, &n_before), FAB_OK);
		CU_ASSERT_EQUAL(encode_named(t2, rows[i].node, &after, &n_after), FAB_OK);
		CU_ASSERT_EQUAL(
		    n_before != n_after || memcmp(before, after, n_after) != 0, rows[i].changes);
		free(before);
		free(after);
		topo_free(t);
		topo_free(t2);
		topo_doc_free(doc);
		topo_doc_free(copy);
	}
	free(errs);
}

static void
test_url_templates(void)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "ipc:///run/x/%s.ipc", FAB_OK },
		{ "tcp://%s:5180", FAB_OK },
		{ "tls+tcp://%s:5180", FAB_OK },
		{ "tcp://host:5180", FAB_EINVAL },
		{ "tcp://%s:%s", FAB_EINVAL },
		{ "tcp://%d:1", FAB_EINVAL },
		{ "http://%s/", FAB_EINVAL },
		{ "", FAB_EINVAL },
	};
	char buf[FC_URL_MAX], dir[16], longest[FC_URL_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(fc_url_check(rows[i].text), rows[i].err);
	CU_ASSERT_EQUAL(fc_url_format(buf, "tcp://%s:5180", "rs1-0"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(buf, "tcp://rs1-0:5180");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CU_ASSERT_EQUAL(fc_url_format(buf, "tcp://%s:5180", longest), FAB_ETOOBIG);
	CU_ASSERT_EQUAL(fc_url_run_dir(dir, sizeof(dir), "ipc:///run/x/f.ipc"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(dir, "/run/x");
	CU_ASSERT_EQUAL(fc_url_run_dir(dir, sizeof(dir), "ipc://f.ipc"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(dir, ".");
	CU_ASSERT_EQUAL(fc_url_run_dir(dir, sizeof(dir), "ipc:///f.ipc"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(dir, "/");
	CU_ASSERT_EQUAL(fc_url_run_dir(dir, sizeof(dir), "tcp://h:1"), FAB_EINVAL);
	CU_ASSERT_EQUAL(
	    fc_url_run_dir(dir, sizeof(dir), "ipc:///a/directory/too/long/f.ipc"), FAB_ETOOBIG);
}

/* MR-6: whose traffic runs in tunnels, and who has a kernel to program. */
static void
test_tunnels_and_kernels(void)
{
	struct fabric f;

	fabric_load(&f, "topologies/multi-region.yaml");
	CU_ASSERT_TRUE(peer(&f, "nva1", "nva3")->tunnel);
	CU_ASSERT_TRUE(peer(&f, "nva3", "nva1")->tunnel);
	CU_ASSERT_FALSE(peer(&f, "nva1", "rs1-0")->tunnel);
	CU_ASSERT_FALSE(node(&f, "nva1")->kernel_routes);
	fabric_free(&f);
	urls.packets = true;
	fabric_load(&f, "topologies/multi-region.yaml");
	CU_ASSERT_TRUE(node(&f, "nva1")->kernel_routes);
	CU_ASSERT_FALSE(node(&f, "dc1")->kernel_routes); /* sites are not in the data plane */
	CU_ASSERT_FALSE(node(&f, "rs1-0")->kernel_routes);
	fabric_free(&f);
	urls.packets = false;
}

/* RM-1: who has which map, and all that is in it. */
static void
test_route_maps(void)
{
	static const char *const yaml =
	    "vnets: {hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "
	    "GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24}}}\n"
	    "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}, b: {subnet: hub/nva, ip: "
	    "10.1.2.5, asn: 65002}, c: {subnet: hub/nva, ip: 10.1.2.6, asn: 65003}}\n"
	    "route_servers: {rs: {vnet: hub, peers: {a: {inbound_map: m1, outbound_map: m2}, b: "
	    "{outbound_map: m2}, c: {}}}}\n"
	    "sites: {dc: {asn: 64900, prefixes: 172.20.0.0/16}, br: {asn: 64901, prefixes: "
	    "172.21.0.0/16}}\n"
	    "circuits: {c1: {site: dc}}\n"
	    "gateways:\n"
	    "  er: {vnet: hub, type: ExpressRoute, circuits: {c1: {outbound_map: m1}}}\n"
	    "  vpn: {vnet: hub, type: Vpn, active_active: true, connections: {br: {inbound_map: "
	    "m2, "
	    "prefixes: 172.22.0.0/16}}}\n"
	    "route_maps:\n"
	    "  m1:\n"
	    "    route_server: rs\n"
	    "    rules:\n"
	    "      - {name: r1, match: [{condition: NotContains, prefixes: [10.0.0.0/8, "
	    "192.168.0.0/16]}, {condition: Equals, as_path: [65001, 65002], communities: "
	    "['65001:7']}], actions: [{type: Replace, prefixes: 10.200.0.0/16}, {type: Add, "
	    "as_path: "
	    "[3320, 3330]}, {type: Remove, communities: ['65001:8']}], next: Terminate}\n"
	    "      - actions: Drop\n"
	    "  m2: {route_server: rs, rules: {actions: {type: Replace, as_path: []}}}\n";
	const struct route_map *m;
	const struct route_map_rule *r;
	struct fabric f;

	fabric_parse(&f, yaml);
	CU_ASSERT_EQUAL(node(&f, "rs-0")->n_maps, 2);
	m = peer(&f, "rs-0", "a")->in_map;
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_STRING_EQUAL(m->name, "m1");
	CU_ASSERT(m->by_prefix && m->summarizes);
	CU_ASSERT_EQUAL_FATAL(m->n_rules, 2);
	r = &m->rules[0];
	CU_ASSERT_STRING_EQUAL(r->name, "r1");
	CU_ASSERT_TRUE(r->terminate);
	CU_ASSERT_EQUAL_FATAL(r->n_conditions, 2);
	CU_ASSERT_EQUAL(r->conditions[0].match, RM_NOT_CONTAINS);
	CU_ASSERT_EQUAL(r->conditions[0].prefixes.n, 2);
	CU_ASSERT_EQUAL(r->conditions[0].prefixes.v[1].len, 16);
	CU_ASSERT_EQUAL(r->conditions[1].match, RM_EQUALS);
	CU_ASSERT_EQUAL(r->conditions[1].as_path.v[1], 65002);
	CU_ASSERT_EQUAL(r->conditions[1].communities.v[0], 65001u << 16 | 7);
	CU_ASSERT_EQUAL_FATAL(r->n_actions, 3);
	CU_ASSERT(r->actions[0].act == RM_REPLACE && r->actions[0].on == RM_PREFIX);
	CU_ASSERT_EQUAL(r->actions[0].prefixes.v[0].addr, 0x0ac80000);
	CU_ASSERT(r->actions[1].act == RM_ADD && r->actions[1].on == RM_AS_PATH);
	CU_ASSERT_EQUAL(r->actions[1].values.v[1], 3330);
	CU_ASSERT(r->actions[2].act == RM_REMOVE && r->actions[2].on == RM_COMMUNITY);
	CU_ASSERT_EQUAL(r->actions[2].values.v[0], 65001u << 16 | 8);
	CU_ASSERT(m->rules[1].actions[0].act == RM_DROP && !m->rules[1].terminate);
	/* Peers with one outbound map are told apart from those with none. */
	CU_ASSERT_STRING_EQUAL(peer(&f, "rs-1", "a")->out_map->name, "m2");
	CU_ASSERT_EQUAL(
	    peer(&f, "rs-1", "a")->out_map_number, peer(&f, "rs-1", "b")->out_map_number);
	CU_ASSERT_EQUAL(peer(&f, "rs-1", "c")->out_map_number, 0);
	CU_ASSERT_PTR_NULL(peer(&f, "rs-1", "b")->in_map);
	/* RM-11: connections of gateways; the far ends know nothing. */
	CU_ASSERT_STRING_EQUAL(peer(&f, "er-1", "c1-secondary")->out_map->name, "m1");
	CU_ASSERT_PTR_NULL(peer(&f, "er-1", "c1-secondary")->in_map);
	CU_ASSERT_PTR_NULL(peer(&f, "er-1", "rs-0")->out_map);
	CU_ASSERT_EQUAL(node(&f, "c1-primary")->n_maps, 0);
	CU_ASSERT_STRING_EQUAL(peer(&f, "vpn-0", "br")->in_map->name, "m2");
	m = node(&f, "vpn-0")->gw->statics[0].in_map;
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT(m->rules[0].actions[0].on == RM_AS_PATH && m->rules[0].actions[0].values.n == 0);
	CU_ASSERT_EQUAL(node(&f, "a")->n_maps, 0);
	fabric_free(&f);
}

/* What only some sessions have: delays (ER-5, TIME-20), BFD (ER-4), timers that are not negotiated
 * (VPN-4) or not below 10 s (ER-3); RS-99 and VPN-17 for their nodes. */
static void
test_timing_of_sessions(void)
{
	struct fabric f;
	const struct wire_peer *p;

	fabric_parse(&f,
	    HUB "  alone: {address_space: 10.2.0.0/16, subnets: {GatewaySubnet: 10.2.1.0/26}}\n"
		"route_servers: {rs: {vnet: hub, peers: [nva1]}}\n"
		"nvas: {nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}}\n"
		"gateways:\n"
		"  er: {vnet: hub, type: ExpressRoute, circuits: [c1, c2]}\n"
		"  vpn: {vnet: alone, type: Vpn, connections: [dc]}\n"
		"circuits: {c1: {site: dc}, c2: {site: dc, bfd: false}}\n"
		"sites: {dc: {asn: 64900, prefixes: [172.20.0.0/16], hold: 30s}}\n");
	p = peer(&f, "rs-0", "nva1");
	CU_ASSERT(p->delay.max_ms == 0 && p->bfd_ms == 0 && !p->own_timers && p->min_hold_ms == 0);
	p = peer(&f, "rs-0", "er-1");
	CU_ASSERT(p->delay.min_ms == 1000 && p->delay.max_ms == 3000 && !p->delay_losses);
	p = peer(&f, "er-1", "rs-0");
	CU_ASSERT(p->delay.min_ms == 1000 && p->delay.max_ms == 3000 && !p->delay_losses);
	p = peer(&f, "er-0", "c1-primary");
	CU_ASSERT(p->delay.min_ms == 0 && p->delay.max_ms == 60000 && p->delay_losses);
	CU_ASSERT_EQUAL(p->bfd_ms, 0); /* ER-5: not between gateway and MSEE */
	p = peer(&f, "c1-primary", "er-0");
	CU_ASSERT(p->delay.max_ms == 0 && p->bfd_ms == 0 && p->min_hold_ms == 0);
	p = peer(&f, "c1-primary", "dc");
	CU_ASSERT(p->bfd_ms == 300 && p->min_hold_ms == 10000 && !p->own_timers);
	CU_ASSERT_EQUAL(peer(&f, "dc", "c1-primary")->bfd_ms, 300);
	CU_ASSERT_EQUAL(peer(&f, "c2-primary", "dc")->bfd_ms, 0);
	CU_ASSERT_EQUAL(peer(&f, "dc", "c2-secondary")->bfd_ms, 0);
	p = peer(&f, "vpn-0", "dc");
	CU_ASSERT(p->own_timers && p->min_hold_ms == 0 && p->bfd_ms == 0);
	CU_ASSERT_FALSE(peer(&f, "vpn-0", "vpn-1")->own_timers);
	p = peer(&f, "dc", "vpn-0");
	CU_ASSERT(p->hold_ms == 30000 && p->keepalive_ms == 10000 && !p->own_timers);
	CU_ASSERT_EQUAL(node(&f, "rs-0")->rs->anti_flap_ms, 30000);
	CU_ASSERT_EQUAL(node(&f, "vpn-1")->gw->failover.max_ms, 180000);
	CU_ASSERT_EQUAL(node(&f, "vpn-1")->gw->failover_planned.min_ms, 10000);
	CU_ASSERT_EQUAL(node(&f, "vpn-1")->seed, 1);
	fabric_free(&f);
}

static CU_TestInfo tests[] = {
	{ "RM-1, RM-11: route maps", test_route_maps },
	{ "timing of sessions (ER-3, ER-4, ER-5, VPN-4)", test_timing_of_sessions },
	{ "MR-6: tunnels, and kernels to program", test_tunnels_and_kernels },
	{ "sessions of multi-region (RS-30, B2B-4, ER-1, ER-16)", test_sessions_of_multi_region },
	{ "both ends of every session agree", test_both_ends_of_every_session_agree },
	{ "Route Server (RS-1, RS-2, RS-21, RS-70, RS-71, RS-76)", test_route_server },
	{ "ExpressRoute gateway and MSEE (ER-6, ER-10, ER-19, ER-21)", test_er_gateway_and_msee },
	{ "NVA policy and adverts (MR-3)", test_nva_policy_and_adverts },
	{ "TCP peers (RS-32)", test_tcp_peers },
	{ "VPN-1, VPN-3, VPN-6, VPN-7, VPN-13, OPEN-13: two VPN gateways", test_vnet_to_vnet },
	{ "VPN gateway, active-active (VPN-6, VPN-7)", test_vpn_gateway_active_active },
	{ "VPN gateway, active-standby (VPN-1)", test_vpn_gateway_active_standby },
	{ "OPEN-5, OPEN-11, OPEN-12, OPEN-13, OPEN-17: switches", test_quirks },
	{ "a change concerns few nodes", test_a_change_concerns_few_nodes },
	{ "URL templates", test_url_templates },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_nodeconf", tests)
