/* Documents: resources by name, changes to one, differences between two. */
#include "lib/err.h"
#include "lib/topo.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/topo_case.h"

#include <stdlib.h>

static struct topo_doc *
parse(const char *text)
{
	struct topo_doc *doc = NULL;

	topo_case_errors.n = 0;
	CU_ASSERT_EQUAL(topo_parse_yaml(&doc, text, strlen(text), &topo_case_errors), FAB_OK);
	topo_case_print("parse", &topo_case_errors);
	CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
	return doc;
}

static const char base[] =
    "name: base\n"
    "vnets:\n"
    "  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, nva: "
    "10.1.2.0/24}}\n"
    "  spoke: {address_space: 10.11.0.0/16, subnets: {vms: {prefix: 10.11.0.0/24, route_table: "
    "rt}}}\n"
    "peerings: [{hub: hub, spoke: spoke}]\n"
    "route_tables: {rt: {routes: {a: {prefix: 10.9.0.0/16, next_hop: None}}}}\n"
    "route_servers: {rs: {vnet: hub, peers: [a]}}\n"
    "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, advertise: [0.0.0.0/0]}}\n"
    "sites: {dc: {asn: 64900, prefixes: [172.20.0.0/16]}}\n"
    "vms: {v: {subnet: spoke/vms, ip: 10.11.0.4}}\n";

static void
test_kinds(void)
{
	static const struct {
		const char *word;
		int err;
		enum topo_kind kind;
	} cases[] = { { "vnet", FAB_OK, TOPO_VNET }, { "vnets", FAB_OK, TOPO_VNET },
		{ "route_server", FAB_OK, TOPO_ROUTE_SERVER },
		{ "route-servers", FAB_OK, TOPO_ROUTE_SERVER }, { "fabric", FAB_OK, TOPO_FABRIC },
		{ "nvas", FAB_OK, TOPO_NVA }, { "", FAB_EINVAL, 0 }, { "s", FAB_EINVAL, 0 },
		{ "vnetss", FAB_EINVAL, 0 }, { "router", FAB_EINVAL, 0 },
		{ "a-very-long-word-that-is-no-kind-at-all", FAB_EINVAL, 0 } };
	enum topo_kind kind;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_EQUAL(topo_kind_parse(&kind, cases[i].word), cases[i].err);
		if (cases[i].err == FAB_OK)
			CU_ASSERT_EQUAL(kind, cases[i].kind);
	}
	for (enum topo_kind k = 0; k < TOPO_KIND_COUNT; k++) {
		CU_ASSERT_EQUAL(topo_kind_parse(&kind, topo_kind_name(k)), FAB_OK);
		CU_ASSERT_EQUAL(kind, k);
	}
}

static void
test_put_find_remove(void)
{
	struct topo_doc *doc = topo_doc_new(), *copy;
	char name[16];

	CU_ASSERT_PTR_NOT_NULL_FATAL(doc);
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "v%d", i * 37 % 50);
		CU_ASSERT_EQUAL(
		    topo_doc_put(doc, i % 2 ? TOPO_VM : TOPO_SITE, name, json_object()), FAB_OK);
	}
	CU_ASSERT_EQUAL(doc->n, 50);
	for (size_t i = 1; i < doc->n; i++)
		CU_ASSERT(doc->res[i - 1].kind < doc->res[i].kind ||
			  (doc->res[i - 1].kind == doc->res[i].kind &&
			      strcmp(doc->res[i - 1].name, doc->res[i].name) < 0));
	CU_ASSERT_EQUAL(topo_doc_put(doc, TOPO_SITE, "v0", json_pack("{s:i}", "asn", 7)), FAB_OK);
	CU_ASSERT_EQUAL(doc->n, 50);
	CU_ASSERT_EQUAL(topo_doc_put(doc, TOPO_SITE, "v0", json_integer(3)), FAB_EINVAL);
	CU_ASSERT_EQUAL(topo_doc_put(doc, TOPO_SITE, "v0", NULL), FAB_EINVAL);
	CU_ASSERT_PTR_NULL(topo_doc_find(doc, TOPO_NVA, "v0"));
	copy = topo_doc_copy(doc);
	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	CU_ASSERT_EQUAL(topo_doc_remove(doc, TOPO_SITE, "v0"), FAB_OK);
	CU_ASSERT_EQUAL(topo_doc_remove(doc, TOPO_SITE, "v0"), FAB_ENOENT);
	CU_ASSERT_PTR_NULL(topo_doc_find(doc, TOPO_SITE, "v0"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(topo_doc_find(copy, TOPO_SITE, "v0"));
	CU_ASSERT_EQUAL(
	    json_integer_value(json_object_get(topo_doc_find(copy, TOPO_SITE, "v0")->props, "asn")),
	    7);
	topo_doc_free(copy);
	topo_doc_free(doc);
	topo_doc_free(NULL);
}

/* ---- round trip ---- */

static size_t
count_changes(const struct topo_doc *from, const struct topo_doc *to)
{
	struct topo_change *changes = NULL;
	size_t n = 0;

	CU_ASSERT_EQUAL(topo_doc_diff(&changes, &n, from, to), FAB_OK);
	free(changes);
	return n;
}

/* What a store keeps: kind, name and JSON. The document and its model come back the same. */
static void
round_trip(const struct topo_doc *doc)
{
	struct topo_doc *back = topo_doc_new();
	struct topo *t;

	for (size_t i = 0; i < doc->n; i++) {
		char *text = json_dumps(doc->res[i].props, JSON_COMPACT);

		CU_ASSERT_EQUAL(topo_doc_put(back, doc->res[i].kind, doc->res[i].name,
				    json_loads(text, 0, NULL)),
		    FAB_OK);
		free(text);
	}
	CU_ASSERT_EQUAL(count_changes(doc, back), 0);
	topo_case_errors.n = 0;
	t = topo_build(back, &topo_case_errors, NULL);
	topo_case_print("back", &topo_case_errors);
	CU_ASSERT_PTR_NOT_NULL(t);
	topo_free(t);
	topo_doc_free(back);
}

static void
test_round_trips(void)
{
	static const char *const files[] = { "multi-region", "active-passive", "firewall",
		"vpn-to-expressroute", "nva-under-test" };
	struct topo_doc *doc = parse(base);

	round_trip(doc);
	topo_doc_free(doc);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[64];

		snprintf(path, sizeof(path), "topologies/%s.yaml", files[i]);
		topo_case_errors.n = 0;
		CU_ASSERT_EQUAL_FATAL(topo_parse_file(&doc, path, &topo_case_errors), FAB_OK);
		round_trip(doc);
		topo_doc_free(doc);
	}
}

/* Properties that never passed the schema are checked by the builder, without a line. */
static void
test_builder_checks_what_was_put(void)
{
	struct topo_doc *doc = parse(base);

	CU_ASSERT_EQUAL(topo_doc_put(doc, TOPO_SITE, "dc",
			    json_pack("{s:s, s:[i]}", "asn", "x", "prefixes", 5)),
	    FAB_OK);
	CU_ASSERT_EQUAL(topo_doc_put(doc, TOPO_PEERING, "nowhere", json_pack("{}")), FAB_OK);
	topo_case_errors.n = 0;
	CU_ASSERT_PTR_NULL(topo_build(doc, &topo_case_errors, NULL));
	CU_ASSERT_EQUAL_FATAL(topo_case_errors.n, 3);
	CU_ASSERT_STRING_EQUAL(
	    topo_case_errors.e[2].message, "peering nowhere: the name of a peering is VNET/REMOTE");
	CU_ASSERT_STRING_EQUAL(
	    topo_case_errors.e[0].message, "site dc: asn: must be a whole number, not \"x\"");
	CU_ASSERT_EQUAL(topo_case_errors.e[0].line, 0);
	topo_doc_free(doc);
}

/* ---- differences ---- */

static void
expect_diff(const struct topo_doc *from, const struct topo_doc *to, const char *want)
{
	static const char *const actions[] = {
		[TOPO_CREATE] = "+", [TOPO_UPDATE] = "~", [TOPO_DELETE] = "-"
	};
	struct topo_change *changes;
	char text[2048] = "";
	size_t n, at = 0;

	CU_ASSERT_EQUAL_FATAL(topo_doc_diff(&changes, &n, from, to), FAB_OK);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s%s %s", i > 0 ? ", " : "",
		    actions[changes[i].action], topo_kind_name(changes[i].kind), changes[i].name);
	CU_ASSERT_STRING_EQUAL(text, want);
	if (strcmp(text, want) != 0)
		printf("\n  got  %s\n  want %s", text, want);
	free(changes);
}

/* PEER-9: the object that allows the transit before the one that uses it; back, the other way. */
static void
test_differences_come_in_order(void)
{
	struct topo_doc *empty = topo_doc_new(), *doc = parse(base), *other = topo_doc_copy(doc);

	expect_diff(empty, doc,
	    "+fabric fabric, +route_table rt, +vnet hub, +vnet spoke, +site dc, +nva a, "
	    "+route_server rs, +peering hub/spoke, +peering spoke/hub, +vm v");
	expect_diff(doc, empty,
	    "-vm v, -peering spoke/hub, -peering hub/spoke, -route_server rs, -nva a, -site dc, "
	    "-vnet spoke, -vnet hub, -route_table rt, -fabric fabric");
	expect_diff(doc, doc, "");
	topo_case_errors.n = 0;
	CU_ASSERT_EQUAL(
	    topo_doc_set(other, TOPO_NVA, "a", "relay=false", &topo_case_errors), FAB_OK);
	CU_ASSERT_EQUAL(topo_doc_remove(other, TOPO_VM, "v"), FAB_OK);
	CU_ASSERT_EQUAL(topo_doc_put(other, TOPO_SITE, "dc2",
			    json_pack("{s:i, s:s}", "asn", 64901, "ip", "172.21.0.1")),
	    FAB_OK);
	expect_diff(doc, other, "+site dc2, ~nva a, -vm v");
	topo_doc_free(other);
	topo_doc_free(doc);
	topo_doc_free(empty);
}

/* ---- set ---- */

struct set_case {
	enum topo_kind kind;
	const char *name, *assignment;
	const char *pointer; /* key.key of the result */
	const char *want;    /* JSON; NULL: absent */
};

static json_t *
lookup(json_t *in, const char *path)
{
	char copy[128], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key = strtok_r(copy, ".", &save); key != NULL && in != NULL;
	     key = strtok_r(NULL, ".", &save))
		in = json_is_array(in) ? json_array_get(in, strtoul(key, NULL, 10))
				       : json_object_get(in, key);
	return in;
}

static void
expect_set(const struct set_case *c)
{
	struct topo_doc *doc = parse(base);
	json_t *want = c->want == NULL ? NULL : json_loads(c->want, JSON_DECODE_ANY, NULL), *got;
	struct topo *t;

	CU_ASSERT_EQUAL(
	    topo_doc_set(doc, c->kind, c->name, c->assignment, &topo_case_errors), FAB_OK);
	got = lookup(topo_doc_find(doc, c->kind, c->name)->props, c->pointer);
	CU_ASSERT((got == NULL) == (want == NULL));
	CU_ASSERT(got == NULL || json_equal(got, want));
	t = topo_build(doc, &topo_case_errors, NULL);
	CU_ASSERT_PTR_NOT_NULL(t);
	topo_case_print(c->assignment, &topo_case_errors);
	topo_free(t);
	json_decref(want);
	topo_doc_free(doc);
}

static void
test_set(void)
{
	static const struct set_case cases[] = {
		{ TOPO_NVA, "a", "asn=65010", "asn", "65010" },
		{ TOPO_NVA, "a", "ip_forwarding=false", "ip_forwarding", "false" },
		{ TOPO_NVA, "a", "advertise=[10.0.0.0/8]", "advertise.0.prefix", "\"10.0.0.0/8\"" },
		{ TOPO_NVA, "a", "advertise+=10.99.0.0/16", "advertise.1.prefix",
		    "\"10.99.0.0/16\"" },
		{ TOPO_NVA, "a", "advertise+={prefix: 10.99.0.0/16, prepend: 2}",
		    "advertise.1.prepend", "2" },
		{ TOPO_NVA, "a", "advertise+=[10.98.0.0/16, 10.99.0.0/16]", "advertise.2.prefix",
		    "\"10.99.0.0/16\"" },
		{ TOPO_NVA, "a", "advertise-=0.0.0.0/0", "advertise", "[]" },
		{ TOPO_NVA, "a", "advertise=", "advertise", NULL },
		{ TOPO_NVA, "a", "advertise.0.prepend=3", "advertise.0.prepend", "3" },
		{ TOPO_NVA, "a", "advertise.0=10.97.0.0/16", "advertise.0.prefix",
		    "\"10.97.0.0/16\"" },
		{ TOPO_NVA, "a", "advertise.0=", "advertise", "[]" },
		{ TOPO_NVA, "a", "to_route_server.prepend=4", "to_route_server.prepend", "4" },
		{ TOPO_NVA, "a", "to_route_server.strip_as+=65515", "to_route_server.strip_as",
		    "[65515]" },
		{ TOPO_NVA, "a", "peers+=dc", "peers", "{\"dc\": {}}" },
		{ TOPO_NVA, "a", "peers+={dc: {tunnel: true}}", "peers.dc.tunnel", "true" },
		{ TOPO_NVA, "a", "owns+=10.1.2.100", "owns", "[\"10.1.2.100\"]" },
		{ TOPO_ROUTE_SERVER, "rs", "branch_to_branch=true", "branch_to_branch", "true" },
		{ TOPO_ROUTE_SERVER, "rs", "branch_to_branch=", "branch_to_branch", "false" },
		{ TOPO_ROUTE_SERVER, "rs", "peers-=a", "peers", "{}" },
		{ TOPO_VNET, "spoke", "subnets.vms.route_table=", "subnets.vms.route_table", NULL },
		{ TOPO_VNET, "spoke", "subnets.new=10.11.9.0/24", "subnets.new.prefix",
		    "\"10.11.9.0/24\"" },
		{ TOPO_ROUTE_TABLE, "rt", "routes.a.next_hop=Internet", "routes.a.next_hop",
		    "\"Internet\"" },
		{ TOPO_ROUTE_TABLE, "rt",
		    "routes.b={prefix: 10.8.0.0/16, next_hop: "
		    "VirtualAppliance 10.1.2.4}",
		    "routes.b.next_hop", "\"VirtualAppliance 10.1.2.4\"" },
		{ TOPO_PEERING, "hub/spoke", "allow_forwarded_traffic=false",
		    "allow_forwarded_traffic", "false" },
		{ TOPO_FABRIC, "fabric", "timing=fast", "timing",
		    "{\"profile\": \"fast\", \"seed\": 1}" },
		{ TOPO_FABRIC, "fabric", "timing.bgp.hold=9s", "timing.bgp.hold", "\"9s\"" },
		{ TOPO_FABRIC, "fabric", "limits.bgp_peers=1", "limits.routes_per_peer", "4000" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_set(&cases[i]);
}

/* A refused change says why and leaves the document as it was. */
static void
test_refused_sets(void)
{
	static const struct {
		enum topo_kind kind;
		const char *name, *assignment, *code, *message;
	} cases[] = {
		{ TOPO_NVA, "b", "asn=1", "NotFound", "there is no nva b" },
		{ TOPO_NVA, "a", "asn", "InvalidAssignment",
		    "\"asn\" is not KEY=VALUE, KEY+=VALUE or KEY-=VALUE" },
		{ TOPO_NVA, "a", "=5", "InvalidAssignment",
		    "\"=5\" is not KEY=VALUE, KEY+=VALUE or KEY-=VALUE" },
		{ TOPO_NVA, "a", "+=5", "InvalidAssignment",
		    "\"+=5\" is not KEY=VALUE, KEY+=VALUE or KEY-=VALUE" },
		{ TOPO_NVA, "a", "asn=high", "WrongType",
		    "nva a: asn: must be a whole number, not \"high\"" },
		{ TOPO_NVA, "a", "ans=5", "UnknownKey",
		    "nva a: ans: unknown key; did you mean \"asn\"?" },
		{ TOPO_NVA, "a", "asn=", "MissingKey",
		    "nva a: asn is missing; it is a whole number" },
		{ TOPO_NVA, "a", "asn=[", "SyntaxError",
		    "this is not YAML: flow sequence without a closing bracket" },
		{ TOPO_NVA, "a", "advertise.7.prepend=1", "NotFound",
		    "nva a: \"advertise.7.prepend=1\" names nothing that can be changed" },
		{ TOPO_NVA, "a", "asn.x=1", "NotFound",
		    "nva a: \"asn.x=1\" names nothing that can be changed" },
		{ TOPO_NVA, "a", "advertise-=10.0.0.0/8", "NotFound",
		    "nva a: \"advertise-=10.0.0.0/8\" names nothing that can be changed" },
		{ TOPO_NVA, "a", "asn+=1", "NotFound",
		    "nva a: \"asn+=1\" names nothing that can be changed" },
		{ TOPO_NVA, "a", "hold=", "NotFound",
		    "nva a: \"hold=\" names nothing that can be changed" },
	};
	struct topo_doc *doc = parse(base), *before = topo_doc_copy(doc);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topo_case want = { NULL, 0, cases[i].code, cases[i].message };

		topo_case_errors.n = 0;
		CU_ASSERT_NOT_EQUAL(topo_doc_set(doc, cases[i].kind, cases[i].name,
					cases[i].assignment, &topo_case_errors),
		    FAB_OK);
		if (topo_case_errors.n == 1)
			topo_case_errors.e[0].line = 0; /* of the assignment, not of a file */
		topo_case_compare(&want, &topo_case_errors);
	}
	CU_ASSERT_EQUAL(count_changes(before, doc), 0);
	topo_doc_free(before);
	topo_doc_free(doc);
}

static CU_TestInfo tests[] = {
	{ "kinds by their words", test_kinds },
	{ "put, find, remove, copy", test_put_find_remove },
	{ "through JSON and back", test_round_trips },
	{ "the builder checks what was put", test_builder_checks_what_was_put },
	{ "differences in order of dependency: PEER-9", test_differences_come_in_order },
	{ "set", test_set },
	{ "refused sets change nothing", test_refused_sets },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("topo_doc", tests)
