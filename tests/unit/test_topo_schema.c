/* Keys, types, defaults and short forms; and that docs/topology.md says the same. */
#include "lib/topo_priv.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/topo_case.h"

#include <stdlib.h>

/* clang-format off */

static const struct topo_case key_cases[] = {
	{ "vnets:\n  hub:\n    adress_space: 10.1.0.0/16\n", 3, "UnknownKey",
	    "vnet hub: adress_space: unknown key; did you mean \"address_space\"?" },
	{ "vms:\n  v:\n    subnet: a/b\n    ip: 10.1.0.4\n    color: red\n", 5, "UnknownKey",
	    "vm v: color: unknown key; known are subnet, ip, public_ip, ip_forwarding, "
	    "running, image, build, command, environment, volumes, cap_add, run" },
	{ "vnets: {hub: {}}\n", 1, "MissingKey",
	    "vnet hub: address_space is missing; it is a list" },
	{ "vnets:\n  hub:\n", 2, "MissingKey", "vnet hub: address_space is missing; it is a list" },
	{ "vnets:\n  hub: 10.1.0.0/16\n", 2, "WrongType",
	    "vnet hub: must be a map, not \"10.1.0.0/16\"" },
	{ "vnets:\n  hub:\n    address_space: 10.1.0.0/16\n    subnets:\n      a:\n        nsg: true\n",
	    5, "MissingKey",
	    "vnet hub: subnets.a: prefix is missing; it is an IPv4 prefix such as 10.1.0.0/16" },
	{ "vnets:\n  hub_with spaces: {address_space: 10.1.0.0/16}\n", 2, "InvalidName",
	    "vnet \"hub_with spaces\": not a name: letters, digits, - and _, a letter or digit "
	    "first, at most 48" },
	{ "vnets:\n  a: {address_space: 10.1.0.0/16, subnets: {x/y: 10.1.0.0/24}}\n", 2, "InvalidName",
	    "vnet a: subnets.x/y: \"x/y\" is not a name: letters, digits, - and _, a letter or digit "
	    "first, at most 48" },
	{ "timing: slow\n", 1, "InvalidValue",
	    "fabric: timing.profile: \"slow\" is unknown; known are azure, fast" },
	{ "timing: fats\n", 1, "InvalidValue",
	    "fabric: timing.profile: \"fats\" is unknown; did you mean fast?" },
	{ "timing:\n  bgp:\n    hold: 3\n", 3, "InvalidValue",
	    "fabric: timing.bgp.hold: \"3\" is not a duration such as 500ms, 3s or 1m" },
	{ "timing: {bgp: {hold: 25h}}\n", 1, "InvalidValue",
	    "fabric: timing.bgp.hold: \"25h\" is not a duration such as 500ms, 3s or 1m" },
	{ "timing: {delays: {udr: 5s..1s}}\n", 1, "InvalidValue",
	    "fabric: timing.delays.udr: \"5s..1s\" is not a duration or a range of two, such as "
	    "300ms or 1s..5s" },
	{ "timing: {delays: {udr: 1s..}}\n", 1, "InvalidValue",
	    "fabric: timing.delays.udr: \"1s..\" is not a duration or a range of two, such as "
	    "300ms or 1s..5s" },
	{ "timing: {delays: {anti_flap: 1s..5s}}\n", 1, "InvalidValue",
	    "fabric: timing.delays.anti_flap: \"1s..5s\" is not a duration such as 500ms, 3s or "
	    "1m" },
	{ "limits:\n  bgp_peers: many\n", 2, "WrongType",
	    "fabric: limits.bgp_peers: must be a whole number, not \"many\"" },
	{ "limits: {bgp_peers: 0}\n", 1, "InvalidValue",
	    "fabric: limits.bgp_peers: must be from 1 to 1000000, not 0" },
	{ "limits: {bgp_peers: 99999999999999999999}\n", 1, "WrongType",
	    "fabric: limits.bgp_peers: must be a whole number, not \"99999999999999999999\"" },
	{ "strict: yes\n", 1, "WrongType", "fabric: strict: must be true or false, not \"yes\"" },
	{ "strict: \"true\"\n", 1, "WrongType", "fabric: strict: must be true or false, not \"true\"" },
	{ "name: [a]\n", 1, "WrongType", "fabric: name: must be a name, not a list" },
	{ "name: -x\n", 1, "InvalidName",
	    "fabric: name: \"-x\" is not a name: letters, digits, - and _, a letter or digit first, at "
	    "most 48" },
};

static const struct topo_case value_cases[] = {
	{ "vnets: {a: {address_space: 10.1.2.0/16}}\n", 1, "InvalidCIDRNotation",
	    "vnet a: address_space: 10.1.2.0/16 has host bits set; write 10.1.0.0/16" },
	{ "vnets:\n  a:\n    address_space:\n      - 10.1.0.0/16\n      - 10.2.0.0/33\n", 5,
	    "InvalidAddressPrefixFormat",
	    "vnet a: address_space.1: \"10.2.0.0/33\" is not an IPv4 prefix such as 10.1.0.0/16" },
	{ "vnets: {a: {address_space: 10.1.0.0}}\n", 1, "InvalidAddressPrefixFormat",
	    "vnet a: address_space: \"10.1.0.0\" is not an IPv4 prefix such as 10.1.0.0/16" },
	{ "vnets: {a: {address_space: []}}\n", 1, "InvalidValue",
	    "vnet a: address_space: must have from 1 to 500 entries, not 0" },
	{ "vnets: {a: {address_space: 'fd00::/48'}}\n", 1, "InvalidAddressPrefixFormat",
	    "vnet a: address_space: \"fd00::/48\" is not an IPv4 prefix such as 10.1.0.0/16; a Route "
	    "Server's VNet must not have IPv6 (RS-9)" },
	/* RS-35: Azure has no MD5, TCP-AO or BFD for peers of a Route Server. */
	{ "route_servers: {rs: {vnet: a, peers: {n: {md5: secret}}}}\n", 1, "UnknownKey",
	    "route_server rs: peers.n.md5: unknown key; known are peer_ip, peer_asn, transport, "
	    "transport_address, transport_port, inbound_map, outbound_map, hub_connection" },
	{ "route_servers: {rs: {vnet: a, peers: {n: {bfd: true}}}}\n", 1, "UnknownKey",
	    "route_server rs: peers.n.bfd: unknown key; known are peer_ip, peer_asn, transport, "
	    "transport_address, transport_port, inbound_map, outbound_map, hub_connection" },
	{ "vms: {v: {subnet: a, ip: 10.1.0.4}}\n", 1, "InvalidValue",
	    "vm v: subnet: \"a\" is not a subnet, written VNET/SUBNET" },
	{ "vms: {v: {subnet: a/b/c, ip: 10.1.0.4}}\n", 1, "InvalidValue",
	    "vm v: subnet: \"a/b/c\" is not a subnet, written VNET/SUBNET" },
	{ "vms: {v: {subnet: a/b, ip: 10.1.0}}\n", 1, "InvalidValue",
	    "vm v: ip: \"10.1.0\" is not an IPv4 address such as 10.1.0.4" },
	{ "route_tables: {t: {routes: {r: {prefix: 10.0.0.0/8, next_hop: VNetPeering}}}}\n", 1,
	    "InvalidValue",
	    "route_table t: routes.r.next_hop: \"VNetPeering\" is not VirtualAppliance ADDRESS, "
	    "VirtualNetworkGateway, VnetLocal, Internet or None" }, /* UDR-2 */
	{ "route_tables: {t: {routes: {r: {prefix: 10.0.0.0/8, next_hop: VirtualAppliance}}}}\n", 1,
	    "InvalidValue",
	    "route_table t: routes.r.next_hop: \"VirtualAppliance\" is not VirtualAppliance ADDRESS, "
	    "VirtualNetworkGateway, VnetLocal, Internet or None" },
	{ "route_tables: {t: {routes: {r: {prefix: 10.0.0.0/8, next_hop: Internet 10.1.0.4}}}}\n", 1,
	    "InvalidValue",
	    "route_table t: routes.r.next_hop: \"Internet 10.1.0.4\" is not VirtualAppliance ADDRESS, "
	    "VirtualNetworkGateway, VnetLocal, Internet or None" },
	{ "sites: {s: {asn: 0, ip: 172.20.0.1}}\n", 1, "InvalidValue",
	    "site s: asn: must be from 1 to 4294967294, not 0" },
	{ "sites: {s: {asn: 64900, prefixes: [172.20.0.0/16], advertise: [{prefix: 0.0.0.0/0, "
	    "communities: [no-adverts]}]}}\n", 1, "InvalidValue",
	    "site s: advertise.0.communities.0: \"no-adverts\" is not a community such as 65001:7 or "
	    "no-export" },
	{ "sites: {s: {asn: 64900, ip: 172.20.0.1, advertise: [{prefix: 0.0.0.0/0, "
	    "large_communities: ['1:2']}]}}\n", 1, "InvalidValue",
	    "site s: advertise.0.large_communities.0: \"1:2\" is not a large community such as "
	    "65001:1:2" },
	{ "sites: {s: {asn: 64900, ip: 172.20.0.1, policy: {export: [permit 10.0.0.0/8 le 7]}}}\n", 1,
	    "InvalidValue",
	    "site s: policy.export.0: \"permit 10.0.0.0/8 le 7\" is not [permit|deny] PREFIX [ge N] "
	    "[le N]" },
	{ "sites: {s: {asn: 64900, ip: 172.20.0.1, bgp_listen: 127.0.0.1}}\n", 1, "InvalidValue",
	    "site s: bgp_listen: \"127.0.0.1\" is not ADDRESS:PORT such as 127.0.0.1:1790" },
	{ "sites: {s: {asn: 64900, ip: 172.20.0.1, bgp_listen: '127.0.0.1:0'}}\n", 1, "InvalidValue",
	    "site s: bgp_listen: \"127.0.0.1:0\" is not ADDRESS:PORT such as 127.0.0.1:1790" },
	{ "sites: {s: {asn: 64900, ip: 172.20.0.1, run: bird -f}}\n", 1, "WrongType",
	    "site s: run: must be a list, not \"bird -f\"" },
	{ "sites: {s: {asn: 64900, ip: 172.20.0.1, run: [\"a\\tb\"]}}\n", 1, "InvalidValue",
	    "site s: run.0: \"a b\" is not one line of text" },
	{ "gateways: {g: {vnet: v, type: VPN}}\n", 1, "InvalidValue",
	    "gateway g: type: \"VPN\" is unknown; did you mean Vpn?" },
	{ "gateways: {g: {vnet: v, type: ExpressRoute, circuits: {c: {routing_weight: 40000}}}}\n", 1,
	    "InvalidValue", "gateway g: circuits.c.routing_weight: must be from 0 to 32000, not 40000" },
	{ "route_servers: {r: {vnet: v, peers: [a, a]}}\n", 1, "DuplicateKey",
	    "route_server r: peers: a is there twice" },
	{ "route_servers: {r: {vnet: v, bgp_listen: ['127.0.0.1:1790']}}\n", 1, "InvalidValue",
	    "route_server r: bgp_listen: must have 2 entries, not 1" },
	{ "peerings: [{hub: a}]\n", 1, "MissingKey",
	    "peering number 1: spoke is missing; it is a list" },
	{ "peerings:\n  - {between: [a]}\n", 2, "InvalidValue",
	    "peering number 1: between: must have 2 entries, not 1" },
	{ "peerings:\n  - {hub: a, spoke: b, use_remote_gateways: true}\n", 2, "UnknownKey",
	    "peering number 1: use_remote_gateways: unknown key; known are hub, spoke, "
	    "allow_virtual_network_access, allow_forwarded_traffic, do_not_verify_remote_gateways" },
	{ "peerings: [a]\n", 1, "WrongType", "peering number 1: must be a map, not \"a\"" },
};

/* clang-format on */

static void
test_keys(void)
{
	TOPO_REFUSED(key_cases);
}

static void
test_values(void)
{
	TOPO_REFUSED(value_cases);
}

/* Schema and rules in one go; what is broken draws no further complaints. */
static void
test_all_errors_at_once(void)
{
	static const char text[] =
	    "strict: maybe\n"
	    "vnets:\n"
	    "  hub: {adress_space: 10.1.0.0/16}\n"
	    "  spoke: {address_space: 10.11.0.0/16, subnets: {vms: 10.12.0.0/24}}\n"
	    "peerings:\n"
	    "  - {hub: hub, spoke: spoke}\n"
	    "  - {hub: nowhere, spok: spoke}\n"
	    "route_servers: {rs: {vnet: hub, peers: [a, b]}}\n"
	    "nvas:\n"
	    "  a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65515}\n"
	    "  b: {subnet: hub/nva, ip: 10.1.2.5, asn: no}\n"
	    "vms: {v: {subnet: spok/vms, ip: 10.11.0.4}}\n";
	static const struct {
		unsigned line;
		const char *code;
	} want[] = { { 1, "WrongType" }, { 3, "UnknownKey" }, { 4, "NetcfgInvalidSubnet" },
		{ 7, "UnknownKey" }, { 8, "InvalidPeerAsn" }, { 11, "WrongType" },
		{ 12, "UnknownReference" } };

	CU_ASSERT_PTR_NULL(topo_case_build(text, strlen(text)));
	if (topo_case_errors.n != sizeof(want) / sizeof(want[0]))
		topo_case_print("all", &topo_case_errors);
	CU_ASSERT_EQUAL_FATAL(topo_case_errors.n, sizeof(want) / sizeof(want[0]));
	for (size_t i = 0; i < topo_case_errors.n; i++) {
		CU_ASSERT_STRING_EQUAL(topo_case_errors.e[i].code, want[i].code);
		CU_ASSERT_EQUAL(topo_case_errors.e[i].line, want[i].line);
	}
}

/* JSON written with single quotes. */
static json_t *
quoted(const char *json)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s", json);
	for (char *s = text; *s != '\0'; s++)
		*s = *s == '\'' ? '"' : *s;
	return json_loads(text, 0, NULL);
}

/* Short form of a resource's properties, and what is stored. */
static void
test_full_forms(void)
{
	static const struct {
		enum topo_kind kind;
		const char *given, *full;
	} cases[] = {
		{ TOPO_FABRIC, "{'timing':'fast'}",
		    "{'name':'fabric','timing':{'profile':'fast','seed':1},'strict':false,'packets'"
		    ":"
		    "false}" },
		{ TOPO_VNET, "{'address_space':'10.1.0.0/16','subnets':{'a':'10.1.0.0/24'}}",
		    "{'region':'westeurope','address_space':['10.1.0.0/16'],'subnets':{'a':{'"
		    "prefix':'10.1.0.0/24','nsg':false}}}" },
		{ TOPO_ROUTE_SERVER, "{'vnet':'hub','peers':['a','b']}",
		    "{'vnet':'hub','branch_to_branch':false,'hub_routing_preference':'ExpressRoute'"
		    ",'min_capacity':2,'peers':{'a':{'hub_connection':false},'b':{'hub_connection':"
		    "false}},'public_ip_sku':'Standard','route_map_tier':false}" },
		{ TOPO_ROUTE_SERVER, "{'vnet':1,'peers':{'a':null}}",
		    "{'vnet':'1','branch_to_branch':false,'hub_routing_preference':'ExpressRoute','"
		    "min_capacity':2,'peers':{'a':{'hub_connection':false}},'public_ip_sku':'"
		    "Standard','route_map_tier':false}" },
		{ TOPO_SITE, "{'asn':64900,'advertise':'10.0.0.0/8','policy':{'strip_as':65515}}",
		    "{'asn':64900,'snat':false,'advertise':[{'prefix':'10.0.0.0/8','prepend':0}],'"
		    "policy':{'as_"
		    "override':false,'strip_as':[65515],'prepend':0,'default_originate':false,'"
		    "next_hop_unchanged':false},'relay':false}" },
		{ TOPO_CIRCUIT, "{'site':'dc','premium':null}",
		    "{'site':'dc','premium':false,'maintenance':'none','bfd':true}" },
	};
	struct topo_subject subject = { .kind = "test", .name = "x" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *given = quoted(cases[i].given), *want = quoted(cases[i].full), *full,
		       *again;

		CU_ASSERT_PTR_NOT_NULL_FATAL(given);
		CU_ASSERT_PTR_NOT_NULL_FATAL(want);
		topo_case_errors.n = 0;
		full = topo_schema_apply(
		    topo_keys_of(cases[i].kind), given, &subject, &topo_case_errors);
		topo_case_print(cases[i].given, &topo_case_errors);
		CU_ASSERT_PTR_NOT_NULL_FATAL(full);
		CU_ASSERT(json_equal(full, want));
		if (!json_equal(full, want))
			json_dumpf(full, stdout, JSON_COMPACT);
		again = topo_schema_apply(
		    topo_keys_of(cases[i].kind), full, &subject, &topo_case_errors);
		CU_ASSERT(json_equal(full, again));
		json_decref(again);
		json_decref(full);
		json_decref(given);
		json_decref(want);
	}
}

/* ---- words ---- */

static void
test_durations(void)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} good[] = { { "0", 0 }, { "500ms", 500 }, { "3s", 3000 }, { "2m", 120000 },
		{ "24h", 86400000 } };
	static const char *const bad[] = { "", "3", "s", "-1s", "1.5s", "3 s", "3S", "25h",
		"99999999999s", "1s " };
	uint32_t ms = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(topo_duration_parse(&ms, bad[i]), FAB_EINVAL);
	CU_ASSERT_EQUAL(ms, 7);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(topo_duration_parse(&ms, good[i].text), FAB_OK);
		CU_ASSERT_EQUAL(ms, good[i].ms);
	}
}

static void
test_rules(void)
{
	static const struct {
		const char *text;
		uint8_t ge, le;
		bool deny;
	} good[] = { { "10.0.0.0/8", 0, 0, false }, { "permit 10.0.0.0/8", 0, 0, false },
		{ "deny 10.0.0.0/8 le 24", 8, 24, true }, { "10.0.0.0/8 ge 16", 16, 32, false },
		{ "deny 10.0.0.0/8  ge 9 le 9", 9, 9, true }, { "0.0.0.0/0 le 32", 0, 32, false } };
	static const char *const bad[] = { "", "deny", "10.0.0.0", "deny permit 10.0.0.0/8",
		"10.0.0.0/8 le", "10.0.0.0/8 le 33", "10.0.0.0/8 le 7", "10.0.0.0/8 ge 20 le 10",
		"10.0.0.0/8 le 9 le 9", "10.0.0.0/8 24", "10.0.0.1/8",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
	struct topo_prefix_rule r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(topo_rule_parse(&r, bad[i]), FAB_EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(topo_rule_parse(&r, good[i].text), FAB_OK);
		CU_ASSERT_EQUAL(r.ge, good[i].ge);
		CU_ASSERT_EQUAL(r.le, good[i].le);
		CU_ASSERT_EQUAL(r.deny, good[i].deny);
	}
}

static void
test_communities(void)
{
	static const struct {
		const char *text;
		uint32_t value;
	} good[] = { { "65001:7", 0xfde90007 }, { "0:0", 0 }, { "no-export", 0xffffff01 },
		{ "no-advertise", 0xffffff02 }, { "65535:65535", 0xffffffff } };
	static const char *const bad[] = { "", ":", "1", "1:", ":1", "65536:1", "1:65536", "1:2:3",
		"-1:2", "no_export", "1: 2" };
	uint32_t v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(topo_community_parse(&v, bad[i]), FAB_EINVAL);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CU_ASSERT_EQUAL(topo_community_parse(&v, good[i].text), FAB_OK);
		CU_ASSERT_EQUAL(v, good[i].value);
	}
}

static void
test_suggestions(void)
{
	static const char *const words[] = { "address_space", "region", "subnets", "ip" };
	static const struct {
		const char *text, *like;
	} cases[] = { { "adress_space", "address_space" }, { "Region", "region" },
		{ "subnet", "subnets" }, { "pi", "ip" }, { "ipp", "ip" }, { "xyz", NULL },
		{ "", NULL } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *like = topo_suggest(cases[i].text, words, 4);

		CU_ASSERT((like == NULL) == (cases[i].like == NULL));
		if (like != NULL && cases[i].like != NULL)
			CU_ASSERT_STRING_EQUAL(like, cases[i].like);
	}
}

/* ---- docs/topology.md ---- */

#define DOC_MAX    262144
#define TABLES_MAX 64

static char doc[DOC_MAX];

struct doc_walk {
	const struct topo_key *seen[TABLES_MAX];
	char path[TABLES_MAX][64];
	size_t n;
};

static const char *
path_of(const struct doc_walk *w, const struct topo_key *table)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->seen[i] == table)
			return w->path[i];
	return NULL;
}

static void
add_table(struct doc_walk *w, const struct topo_key *keys, const char *path)
{
	char sub[64];

	if (path_of(w, keys) != NULL)
		return;
	CU_ASSERT_FATAL(w->n < TABLES_MAX);
	w->seen[w->n] = keys;
	snprintf(w->path[w->n++], sizeof(w->path[0]), "%s", path);
	for (; keys->name != NULL; keys++) {
		const struct topo_key *below = keys->sub;

		if (keys->type == TOPO_T_LIST)
			below = keys->sub[0].type == TOPO_T_STRUCT ? keys->sub[0].sub : NULL;
		snprintf(sub, sizeof(sub), "%.40s.%.20s", path, keys->name);
		if (below != NULL)
			add_table(w, below, sub);
	}
}

static void
write_type(FILE *out, const struct doc_walk *w, const struct topo_key *key)
{
	static const char *const names[TOPO_T_COUNT] = { [TOPO_T_BOOL] = "boolean",
		[TOPO_T_UINT] = "number",
		[TOPO_T_TEXT] = "text",
		[TOPO_T_NAME] = "name",
		[TOPO_T_SUBNET] = "VNET/SUBNET",
		[TOPO_T_ADDR] = "address",
		[TOPO_T_PREFIX] = "prefix",
		[TOPO_T_DEST] = "prefix or service tag",
		[TOPO_T_TAG] = "service tag",
		[TOPO_T_NET] = "prefix or address",
		[TOPO_T_DURATION] = "duration",
		[TOPO_T_RANGE] = "range",
		[TOPO_T_ENDPOINT] = "ADDRESS:PORT",
		[TOPO_T_COMMUNITY] = "community",
		[TOPO_T_LARGE] = "large community",
		[TOPO_T_HOP] = "next hop",
		[TOPO_T_RULE] = "rule" };

	if (key->type == TOPO_T_LIST) {
		fprintf(out, "list of ");
		write_type(out, w, &key->sub[0]);
	} else if (key->type == TOPO_T_STRUCT || key->type == TOPO_T_MAP) {
		fprintf(out, "%s `%s`", key->type == TOPO_T_MAP ? "names, each" : "map",
		    path_of(w, key->sub));
	} else if (key->type == TOPO_T_WORD) {
		for (size_t i = 0; key->words[i] != NULL; i++)
			fprintf(out, "%s`%s`", i > 0 ? ", " : "", key->words[i]);
	} else if (key->type == TOPO_T_UINT && (key->min > 0 || key->max > 0)) {
		fprintf(out, "%u ... %u", key->min, key->max == 0 ? UINT32_MAX : key->max);
	} else {
		fprintf(out, "%s", names[key->type]);
	}
}

static void
write_default(FILE *out, const struct topo_key *key)
{
	size_t n = key->def == NULL ? 0 : strlen(key->def);

	if (key->required)
		fprintf(out, "required");
	else if (n > 2 && key->def[0] == '"')
		fprintf(out, "`%.*s`", (int)n - 2, key->def + 1);
	else if (n > 0)
		fprintf(out, "`%s`", key->def);
}

/* The lines that the document has to have, table by table. */
static void
expect_table(const struct doc_walk *w, size_t i)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	fprintf(out, "<!-- keys: %s -->\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n",
	    w->path[i]);
	for (const struct topo_key *key = w->seen[i]; key->name != NULL; key++) {
		fprintf(out, "| `%s` | ", key->name);
		write_type(out, w, key);
		fprintf(out, " | ");
		write_default(out, key);
		fprintf(out, " | %s |\n", key->doc);
	}
	fprintf(out, "<!-- end -->\n");
	fclose(out);
	if (strstr(doc, text) == NULL)
		printf("\ndocs/topology.md should have:\n%s", text);
	CU_ASSERT_PTR_NOT_NULL(strstr(doc, text));
	free(text);
}

static void
test_documentation_has_every_key(void)
{
	static struct doc_walk w;
	FILE *f = fopen("docs/topology.md", "re");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	doc[fread(doc, 1, sizeof(doc) - 1, f)] = '\0';
	fclose(f);
	for (enum topo_kind k = 0; k < TOPO_KIND_COUNT; k++)
		add_table(&w, topo_keys_of(k), topo_kind_name(k));
	add_table(&w, topo_keys_of_peering(TOPO_PEERING_HUB), "peering.hub");
	add_table(&w, topo_keys_of_peering(TOPO_PEERING_BETWEEN), "peering.between");
	add_table(&w, topo_keys_of_peering(TOPO_PEERING_FROM), "peering.from");
	for (size_t i = 0; i < w.n; i++)
		expect_table(&w, i);
}

static CU_TestInfo tests[] = {
	{ "keys", test_keys },
	{ "values", test_values },
	{ "all errors at once, schema and rules", test_all_errors_at_once },
	{ "short forms and defaults; a full form stays as it is", test_full_forms },
	{ "durations", test_durations },
	{ "filter rules", test_rules },
	{ "communities", test_communities },
	{ "suggestions", test_suggestions },
	{ "docs/topology.md has every key", test_documentation_has_every_key },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("topo_schema", tests)
