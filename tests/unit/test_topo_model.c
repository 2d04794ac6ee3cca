/* From a topology file to the model: defaults, derived addresses, links between resources. */
#include "lib/err.h"
#include "lib/topo.h"
#include "tests/unit/fab_cunit.h"

#include <string.h>

static struct topo_errors errors, warnings;

static void
print_errors(const char *what)
{
	for (size_t i = 0; i < errors.n; i++)
		printf("%s:%u: %s: %s\n", what, errors.e[i].line, errors.e[i].code,
		    errors.e[i].message);
}

static struct topo *
build_file(const char *path)
{
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;

	errors.n = warnings.n = 0;
	if (topo_parse_file(&doc, path, &errors) == FAB_OK)
		t = topo_build(doc, &errors, &warnings);
	topo_doc_free(doc);
	print_errors(path);
	return t;
}

static struct topo *
build_text(const char *text)
{
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;

	errors.n = warnings.n = 0;
	if (topo_parse_yaml(&doc, text, strlen(text), &errors) == FAB_OK)
		t = topo_build(doc, &errors, &warnings);
	topo_doc_free(doc);
	print_errors("text");
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

static CU_TestInfo tests[] = {
	{ "multi-region builds, with its nodes in order", test_multi_region },
	{ "addresses that Azure assigns are derived", test_derived_addresses },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("topo_model", tests)
