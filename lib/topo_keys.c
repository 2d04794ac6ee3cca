/*
 * The schema: every key of a topology file with its type, default and meaning. The same tables
 * check a file, fill in defaults and are compared with docs/topology.md by the unit test, so a key
 * cannot exist without its documentation.
 */
#include "lib/topo_priv.h"

/* A list of one type needs a table of one row without a name. */
#define ITEM(t) ((const struct topo_key[]){ { .name = "", .type = (t) } })

/* clang-format off */

static const char *const transports[] = { "nng", "tcp", NULL };

static const struct topo_key timing_bgp[] = {
	{ "keepalive", TOPO_T_DURATION, "time between KEEPALIVE messages; default: as the profile" },
	{ "hold", TOPO_T_DURATION,
	    "hold time, whole seconds, 0 (no supervision) or at least 3s; default: as the profile" },
	{ "connect_retry", TOPO_T_DURATION,
	    "pause before a session is tried again; default: as the profile" },
	{ "bfd", TOPO_T_DURATION,
	    "interval of BFD packets between MSEE and site, three of which may be lost; 0: no BFD "
	    "(ER-4); default: as the profile" },
	{ NULL },
};

static const char *const profiles[] = { "azure", "fast", NULL };

static const char *const detects[] = { "hold_timer", "at_once", NULL };

#define DELAY(key, text) { key, TOPO_T_RANGE, text "; default: as the profile" }

static const struct topo_key timing_delays[] = {
	DELAY("nic_programming",
	    "from a change of the routes of a Route Server or gateway until NICs have it (TIME-2, "
	    "TIME-3, TIME-20)"),
	DELAY("effective_routes",
	    "from then on until `routes effective` shows it; trace and packets do not wait (TIME-5, "
	    "TIME-6, TIME-7)"),
	DELAY("instance_failover",
	    "until the NICs of a dead Route Server instance use the other one (RS-93, TIME-20)"),
	DELAY("udr", "from a change of a route table until NICs have it (TIME-10)"),
	DELAY("peering", "until a new peering is Connected (TIME-11, PEER-13)"),
	DELAY("peering_routes", "from then on until NICs have its routes (TIME-11, PEER-13)"),
	{ "anti_flap", TOPO_T_DURATION,
	    "a Route Server applies a second change of a prefix this long after the first (RS-99, "
	    "TIME-4); default: as the profile" },
	DELAY("ibgp", "of routes between Route Server and gateways (TIME-14, TIME-20)"),
	DELAY("er_reconvergence",
	    "until an ExpressRoute gateway gives up routes that it lost (ER-5, TIME-13)"),
	DELAY("vpn_failover",
	    "until the standby instance of a VPN gateway takes over from one that died (VPN-17, "
	    "TIME-15, OPEN-7)"),
	DELAY("vpn_failover_planned", "the same after `fabctl stop` and `restart`"),
	DELAY("rs_change",
	    "for which the gateways of a VNet lose circuits and sites when it gets a Route Server or "
	    "loses it (RS-11)"),
	DELAY("scale_out", "until a Route Server serves more VMs (RS-12, TIME-19)"),
	{ NULL },
};

static const struct topo_key timing[] = {
	{ "profile", TOPO_T_WORD, "where values come from that are not given",
	    .def = "\"azure\"", .words = profiles, .brief = true },
	{ "bgp", TOPO_T_STRUCT, "timers of all BGP sessions", .sub = timing_bgp },
	{ "converge_quiet", TOPO_T_DURATION,
	    "no route change for this long counts as converged; default: as the profile" },
	{ "link_detect", TOPO_T_WORD,
	    "how a Route Server notices that an NVA's NIC has lost its link, because the VM was "
	    "stopped or crashed: only by the hold timer (RS-91), or at once, told by the platform; "
	    "default: as the profile",
	    .words = detects },
	{ "delays", TOPO_T_STRUCT, "how long the platform takes for what it does",
	    .sub = timing_delays },
	{ "seed", TOPO_T_UINT, "of the delays drawn from ranges: the same seed, the same delays",
	    .def = "1" },
	{ NULL },
};

#define LIMIT(key, value, text) { key, TOPO_T_UINT, text, .def = value, .min = 1, .max = 1000000 }

static const struct topo_key limits[] = {
	LIMIT("bgp_peers", "8", "peers of one Route Server (RS-20)"),
	LIMIT("routes_per_peer", "4000", "routes a Route Server takes from one peer (RS-21, OPEN-2)"),
	LIMIT("rs_vnets", "500", "VNets that one Route Server serves (RS-24)"),
	LIMIT("rs_prefixes", "10000", "prefixes in one Route Server (RS-25)"),
	LIMIT("rs_vms", "4000",
	    "VMs that a Route Server of two units serves, in its VNet and all peered ones (RS-12)"),
	LIMIT("rs_vms_per_unit", "1000", "and with each unit more, of which there are 48 at most (RS-12)"),
	LIMIT("er_prefixes_out", "1000", "prefixes sent to one circuit (RS-26, ER-21)"),
	LIMIT("next_hops", "8", "equal-cost next hops of one prefix (RS-27)"),
	LIMIT("er_prefixes_in", "4000",
	    "on-premises prefixes of one circuit that is not premium; a premium one takes 10000 "
	    "or this, whatever is more (ER-6)"),
	LIMIT("vpn_routes_per_peer", "4000", "routes a VPN gateway takes from one peer (VPN-7)"),
	LIMIT("routes_per_table", "400", "routes of one route table (UDR-6)"),
	LIMIT("peerings_per_vnet", "500", "peerings of one VNet (PEER-13)"),
	{ NULL },
};

static const struct topo_key region_delay[] = {
	{ "between", TOPO_T_LIST, "two regions that VNets are in", .sub = ITEM(TOPO_T_TEXT),
	    .min = 2, .max = 2, .required = true },
	{ "delay", TOPO_T_DURATION, "one way; half of what a ping shows", .required = true },
	{ "jitter", TOPO_T_DURATION, "each packet takes up to this much more or less",
	    .def = "\"0\"" },
	{ NULL },
};

static const struct topo_key regions[] = {
	{ "delay", TOPO_T_DURATION, "one way, between two regions that `delays` does not name",
	    .def = "\"0\"" },
	{ "delays", TOPO_T_LIST, "by pair",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_STRUCT, .sub = region_delay } },
	    .max = 5000 },
	{ NULL },
};

static const struct topo_key service_tag[] = {
	{ "tag", TOPO_T_TAG, "its name", .required = true },
	{ "prefixes", TOPO_T_LIST, "what it stands for", .sub = ITEM(TOPO_T_PREFIX), .min = 1,
	    .max = 2000, .required = true, .one = true },
	{ NULL },
};

static const char *const none_routes[] = { "keep", "remove", NULL };
static const char *const forwarded[] = { "nsg", "drop", "pass", NULL };
static const char *const ecmp_rows[] = { "one", "each", NULL };
static const char *const total_failures[] = { "fail_static", "withdraw", NULL };
static const char *const no_exports[] = { "standard", "ignore", NULL };
static const char *const covered_routes[] = { "drop", "list", NULL };
static const char *const gateway_sessions[] = { "always", "branch_to_branch", NULL };
static const char *const other_spokes[] = { "hide", "announce", NULL };
static const char *const vnet2vnet[] = { "like_sites", "without_route_server", NULL };
static const char *const stripped_asns[] = { "private", "all", NULL };

static const struct topo_key quirks[] = {
	{ "none_routes_next_to_vnet", TOPO_T_WORD,
	    "routes to None that contain a prefix of the VNet stay, as in real tables, or are removed, "
	    "as documented (OPEN-8)",
	    .def = "\"keep\"", .words = none_routes },
	{ "forwarded_traffic", TOPO_T_WORD,
	    "what allow_forwarded_traffic: false does: enforced by network security groups, by every "
	    "NIC, or by nobody (OPEN-9)",
	    .def = "\"nsg\"", .words = forwarded },
	{ "ecmp_rows", TOPO_T_WORD,
	    "effective routes with several next hops are one row, or a row each as in 2021 (OPEN-10)",
	    .def = "\"one\"", .words = ecmp_rows },
	{ "rs_total_failure", TOPO_T_WORD,
	    "with both instances of a Route Server gone NICs keep its last routes, or lose them "
	    "(OPEN-16, RS-95)",
	    .def = "\"fail_static\"", .words = total_failures },
	{ "no_export", TOPO_T_WORD,
	    "a Route Server heeds the community NO_EXPORT, or not (OPEN-18, RS-79)",
	    .def = "\"standard\"", .words = no_exports },
	{ "covered_routes", TOPO_T_WORD,
	    "routes of an NVA that are equal to a VNet's prefix or inside are dropped, or listed as "
	    "learned without effect (OPEN-5, RS-52)",
	    .def = "\"drop\"", .words = covered_routes },
	{ "gateway_sessions", TOPO_T_WORD,
	    "a Route Server has sessions with the gateways of its VNet always, or only with "
	    "branch-to-branch (OPEN-11)",
	    .def = "\"always\"", .words = gateway_sessions },
	{ "spokes_without_transit", TOPO_T_WORD,
	    "what gateways announce on premises of VNets that are peered without gateway transit: "
	    "nothing, or their prefixes too (OPEN-12)",
	    .def = "\"hide\"", .words = other_spokes },
	{ "vnet_to_vnet", TOPO_T_WORD,
	    "a VPN gateway tells another VNet's gateway what it tells sites, or nothing of its Route "
	    "Server's (OPEN-13)",
	    .def = "\"like_sites\"", .words = vnet2vnet },
	{ "circuit_strips", TOPO_T_WORD,
	    "which ASNs the customer of a circuit does not see: private ones, or all but 12076 "
	    "(OPEN-17, ER-11)",
	    .def = "\"private\"", .words = stripped_asns },
	{ NULL },
};

static const struct topo_key fabric[] = {
	{ "name", TOPO_T_NAME, "name of the fabric", .def = "\"fabric\"" },
	{ "timing", TOPO_T_STRUCT, "a profile, or a profile with overrides; default: azure",
	    .sub = timing },
	{ "limits", TOPO_T_STRUCT, "Azure's limits, to be changed for tests", .sub = limits },
	{ "strict", TOPO_T_BOOL, "refuse what works on Azure against its documentation (OPEN-1)",
	    .def = "false" },
	{ "packets", TOPO_T_BOOL,
	    "BGP over TCP runs through the data plane: Route Servers and NVAs listen on port 179 of "
	    "their Azure addresses unless they have a bgp_listen; `fabctl up` then needs packets",
	    .def = "false" },
	{ "quirks", TOPO_T_STRUCT, "choices where it is not known what Azure does", .sub = quirks },
	{ "regions", TOPO_T_STRUCT,
	    "how long packets take between regions; within one they take no time",
	    .sub = regions },
	{ "service_tags", TOPO_T_LIST,
	    "service tags for route tables, beside and instead of those that are known (UDR-5)",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_STRUCT, .sub = service_tag } },
	    .max = 500 },
	{ NULL },
};

static const struct topo_key subnet[] = {
	{ "prefix", TOPO_T_PREFIX, "address range", .required = true, .brief = true },
	{ "route_table", TOPO_T_NAME, "route table of its NICs (UDR-1)" },
	{ "nsg", TOPO_T_BOOL, "has a network security group with the default rules (OPEN-9)",
	    .def = "false" },
	{ NULL },
};

static const struct topo_key vnet[] = {
	{ "region", TOPO_T_TEXT, "Azure region; peerings between regions are global",
	    .def = "\"westeurope\"" },
	{ "address_space", TOPO_T_LIST, "prefixes of the VNet", .sub = ITEM(TOPO_T_PREFIX),
	    .min = 1, .max = 500, .required = true, .one = true },
	{ "subnets", TOPO_T_MAP, "by name; a lone prefix is enough", .sub = subnet, .max = 3000 },
	{ "summarized_gateway_prefixes", TOPO_T_LIST,
	    "an ExpressRoute gateway here announces these instead of the VNet's prefixes and of "
	    "those of peered VNets that they cover (ER-14)",
	    .sub = ITEM(TOPO_T_PREFIX), .max = 500, .one = true },
	{ NULL },
};

static const struct topo_key peering[] = {
	{ "allow_virtual_network_access", TOPO_T_BOOL,
	    "false takes the remote VNet out of the VirtualNetwork tag (PEER-5)", .def = "true" },
	{ "allow_forwarded_traffic", TOPO_T_BOOL,
	    "accept packets that an appliance in the remote VNet forwards (PEER-6)",
	    .def = "false" },
	{ "allow_gateway_transit", TOPO_T_BOOL,
	    "let the remote VNet use gateways and Route Server of this one (PEER-7)",
	    .def = "false" },
	{ "use_remote_gateways", TOPO_T_BOOL,
	    "use gateways and Route Server of the remote VNet (PEER-8)", .def = "false" },
	{ "do_not_verify_remote_gateways", TOPO_T_BOOL,
	    "accept use_remote_gateways before the remote VNet has a gateway (PEER-9)",
	    .def = "false" },
	{ "remote_address_space", TOPO_T_LIST,
	    "address space of the remote VNet when it was last synced; default: it is in sync (PEER-4)",
	    .sub = ITEM(TOPO_T_PREFIX), .max = 500, .one = true },
	{ NULL },
};

static const struct topo_key peering_hub[] = {
	{ "hub", TOPO_T_NAME, "VNet that lends its gateways", .required = true },
	{ "spoke", TOPO_T_LIST, "VNet or list of VNets that use them", .sub = ITEM(TOPO_T_NAME),
	    .min = 1, .max = 500, .required = true, .one = true },
	{ "allow_virtual_network_access", TOPO_T_BOOL, "for both objects", .def = "true" },
	{ "allow_forwarded_traffic", TOPO_T_BOOL, "for both objects", .def = "true" },
	{ "do_not_verify_remote_gateways", TOPO_T_BOOL, "for the spoke's object",
	    .def = "false" },
	{ NULL },
};

static const struct topo_key peering_between[] = {
	{ "between", TOPO_T_LIST, "two VNets", .sub = ITEM(TOPO_T_NAME), .min = 2, .max = 2,
	    .required = true },
	{ "allow_virtual_network_access", TOPO_T_BOOL, "for both objects", .def = "true" },
	{ "allow_forwarded_traffic", TOPO_T_BOOL, "for both objects", .def = "true" },
	{ NULL },
};

static const struct topo_key peering_from[] = {
	{ "from", TOPO_T_NAME, "VNet that holds the object", .required = true },
	{ "to", TOPO_T_NAME, "the remote VNet", .required = true },
	{ "allow_virtual_network_access", TOPO_T_BOOL, "PEER-5", .def = "true" },
	{ "allow_forwarded_traffic", TOPO_T_BOOL, "PEER-6", .def = "false" },
	{ "allow_gateway_transit", TOPO_T_BOOL, "PEER-7", .def = "false" },
	{ "use_remote_gateways", TOPO_T_BOOL, "PEER-8", .def = "false" },
	{ "do_not_verify_remote_gateways", TOPO_T_BOOL, "PEER-9", .def = "false" },
	{ "remote_address_space", TOPO_T_LIST, "PEER-4", .sub = ITEM(TOPO_T_PREFIX), .max = 500,
	    .one = true },
	{ NULL },
};

static const struct topo_key route[] = {
	{ "prefix", TOPO_T_DEST, "destination; once in a table (UDR-4, UDR-5)", .required = true },
	{ "next_hop", TOPO_T_HOP,
	    "VirtualAppliance ADDRESS, VirtualNetworkGateway, VnetLocal, Internet or None (UDR-2)",
	    .required = true },
	{ NULL },
};

static const struct topo_key route_table[] = {
	{ "disable_bgp_route_propagation", TOPO_T_BOOL,
	    "its subnets get neither gateway nor Route Server routes (UDR-7)", .def = "false" },
	{ "routes", TOPO_T_MAP, "user-defined routes by name", .sub = route },
	{ NULL },
};

#define CONTAINER_KEYS                                                                            \
	{ "image", TOPO_T_TEXT, "what runs in its place in a container (fabctl compose)" },        \
	    { "build", TOPO_T_TEXT, "directory where that image is built, from that of the file" }, \
	    { "command", TOPO_T_LIST,                                                              \
		"entry point and arguments of the container; default: the image's own, behind a "  \
		"sidecar",                                                                         \
		.sub = ITEM(TOPO_T_TEXT), .min = 1, .max = 64 },                                   \
	    { "environment", TOPO_T_LIST, "NAME=VALUE, for the container",                         \
		.sub = ITEM(TOPO_T_TEXT), .max = 64 },                                             \
	    { "volumes", TOPO_T_LIST, "SOURCE:TARGET[:ro], for the container",                     \
		.sub = ITEM(TOPO_T_TEXT), .max = 64 },                                             \
	    { "cap_add", TOPO_T_LIST, "capabilities of the container, such as NET_RAW, and no others; default: docker's",            \
		.sub = ITEM(TOPO_T_TEXT), .max = 41, .one = true }

#define INBOUND_MAP                                                                        \
	{ "inbound_map", TOPO_T_NAME, "route map for what comes from it (RM-1, RM-2)" }
#define OUTBOUND_MAP                                                                       \
	{ "outbound_map", TOPO_T_NAME, "route map for what goes to it (RM-1, RM-2)" }

/* RS-35: no MD5, TCP-AO or BFD, as Azure's resource has none. */
static const struct topo_key rs_peer[] = {
	{ "peer_ip", TOPO_T_ADDR,
	    "address of the peer (RS-38); default: the NVA of this name" },
	{ "peer_asn", TOPO_T_UINT, "its ASN (RS-40); default: the NVA of this name", .min = 1,
	    .max = UINT32_MAX },
	{ "transport", TOPO_T_WORD, "default: as the NVA of this name, else tcp",
	    .words = transports },
	{ "transport_address", TOPO_T_ADDR,
	    "real address its TCP session comes from or goes to, without a data plane; default: "
	    "that of the NVA's bgp_listen" },
	{ "transport_port", TOPO_T_UINT,
	    "dial the peer at this TCP port; default: the peer dials", .min = 1, .max = 65535 },
	INBOUND_MAP,
	OUTBOUND_MAP,
	{ "hub_connection", TOPO_T_BOOL,
	    "a peer in another VNet has a hub virtual network connection, which `route_map_tier` "
	    "asks for (RM-12)", .def = "false" },
	{ NULL },
};

static const char *const public_ip_skus[] = { "Standard", "Basic", NULL };
static const char *const preferences[] = { "ExpressRoute", "VpnGateway", "ASPath", NULL };

static const struct topo_key route_server[] = {
	{ "vnet", TOPO_T_NAME, "VNet with a RouteServerSubnet (RS-5)", .required = true },
	{ "branch_to_branch", TOPO_T_BOOL,
	    "exchange routes between NVAs and gateways (B2B-1, B2B-2)", .def = "false" },
	{ "hub_routing_preference", TOPO_T_WORD, "which source wins for one prefix (HRP-2 ... 4)",
	    .def = "\"ExpressRoute\"", .words = preferences },
	{ "min_capacity", TOPO_T_UINT,
	    "routing infrastructure units that it has at least; it scales out by itself (RS-12, RS-13)",
	    .def = "2", .min = 2, .max = TOPO_RS_UNITS_MAX },
	{ "peers", TOPO_T_MAP, "by name of the NVA, or any name with peer_ip and peer_asn; a list "
	    "of names is enough", .sub = rs_peer, .one = true },
	{ "bgp_listen", TOPO_T_LIST,
	    "real ADDRESS:PORT of instance 0 and of instance 1, for peers over TCP without a data "
	    "plane", .sub = ITEM(TOPO_T_ENDPOINT), .min = 2, .max = 2 },
	{ "public_ip_sku", TOPO_T_WORD, "of the address that Azure manages it by (RS-7)",
	    .def = "\"Standard\"", .words = public_ip_skus },
	{ "route_map_tier", TOPO_T_BOOL,
	    "upgraded for route maps: a peer in another VNet needs `hub_connection` (OPEN-20)",
	    .def = "false" },
	{ NULL },
};

static const struct topo_key advert[] = {
	{ "prefix", TOPO_T_PREFIX, "what is announced", .required = true, .brief = true },
	{ "prepend", TOPO_T_UINT, "own ASN this many more times", .def = "0", .max = 64 },
	{ "communities", TOPO_T_LIST, "a:b or a well-known name", .sub = ITEM(TOPO_T_COMMUNITY),
	    .max = 64, .one = true },
	{ "large_communities", TOPO_T_LIST, "a:b:c", .sub = ITEM(TOPO_T_LARGE), .max = 64,
	    .one = true },
	{ "next_hop", TOPO_T_ADDR, "other next hop than the router itself (RS-56)" },
	{ "med", TOPO_T_UINT, "MULTI_EXIT_DISC; default: none", .max = UINT32_MAX },
	{ "to", TOPO_T_LIST,
	    "only to these peers: Route Servers, NVAs, sites, gateways, circuits; default: all",
	    .sub = ITEM(TOPO_T_NAME), .max = 64, .one = true },
	{ NULL },
};

static const struct topo_key policy[] = {
	{ "as_override", TOPO_T_BOOL, "replace the peer's ASN in the path by the own one (MR-3)",
	    .def = "false" },
	{ "strip_as", TOPO_T_LIST, "delete these ASNs from the path (MR-3)",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_UINT, .min = 1, .max = UINT32_MAX } },
	    .max = 64, .one = true },
	{ "prepend", TOPO_T_UINT, "own ASN this many more times", .def = "0", .max = 64 },
	{ "communities", TOPO_T_LIST, "add these communities",
	    .sub = ITEM(TOPO_T_COMMUNITY), .max = 64, .one = true },
	{ "default_originate", TOPO_T_BOOL, "announce 0.0.0.0/0", .def = "false" },
	{ "next_hop_unchanged", TOPO_T_BOOL, "keep the next hop of learned routes",
	    .def = "false" },
	{ "export", TOPO_T_LIST,
	    "[permit|deny] PREFIX [ge N] [le N]; the first match decides, no match permits",
	    .sub = ITEM(TOPO_T_RULE), .max = 1000, .one = true },
	{ "import", TOPO_T_LIST, "the same for what the peer sends", .sub = ITEM(TOPO_T_RULE),
	    .max = 1000, .one = true },
	{ NULL },
};

static const struct topo_key router_peer[] = {
	{ "tunnel", TOPO_T_BOOL,
	    "the session and its traffic run in a tunnel: NIC routes do not see it (MR-6); "
	    "default: as the other end says, else false" },
	{ "transport", TOPO_T_WORD, "default: tcp if one of the two ends uses it, else nng",
	    .words = transports },
	{ "policy", TOPO_T_STRUCT, "towards this peer", .sub = policy },
	{ NULL },
};

static const struct topo_key nva[] = {
	{ "subnet", TOPO_T_SUBNET, "VNET/SUBNET of its NIC", .required = true },
	{ "ip", TOPO_T_ADDR, "address of its NIC", .required = true },
	{ "asn", TOPO_T_UINT, "own ASN (RS-41)", .min = 1, .max = 4294967294, .required = true },
	{ "public_ip", TOPO_T_ADDR, "address of its NIC on the Internet; default: none (SYS-2)" },
	{ "snat", TOPO_T_BOOL,
	    "translates what it forwards to the Internet to its own address (SC-J)",
	    .def = "false" },
	{ "ip_forwarding", TOPO_T_BOOL, "its NIC forwards packets (UDR-3)", .def = "true" },
	{ "stateful", TOPO_T_BOOL, "a firewall that must see both directions (MR-9); our nvad in its guest then is one",
	    .def = "false" },
	{ "relay", TOPO_T_BOOL, "pass learned routes on to other peers", .def = "true" },
	{ "hold", TOPO_T_DURATION, "hold time of its sessions; default: as timing" },
	{ "keepalive", TOPO_T_DURATION, "default: as timing" },
	{ "transport", TOPO_T_WORD, "of its sessions; tcp is a must with run",
	    .words = transports },
	{ "advertise", TOPO_T_LIST, "what it originates; a prefix is enough",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_STRUCT, .sub = advert } },
	    .max = 100000, .one = true },
	{ "to_route_server", TOPO_T_STRUCT, "policy towards Route Servers", .sub = policy },
	{ "peers", TOPO_T_MAP, "other NVAs and sites by name, for both ends", .sub = router_peer,
	    .one = true },
	{ "owns", TOPO_T_LIST,
	    "addresses and prefixes that end here, such as an inner load balancer address",
	    .sub = ITEM(TOPO_T_NET), .max = 1000, .one = true },
	{ "p2s_pools", TOPO_T_LIST,
	    "client pools that end here; they are announced too", .sub = ITEM(TOPO_T_PREFIX),
	    .max = 100, .one = true },
	CONTAINER_KEYS,
	{ "run", TOPO_T_LIST,
	    "command line of your own BGP software in place of ours; {run_dir}, {name} and {dir} "
	    "(directory of the file) are replaced", .sub = ITEM(TOPO_T_TEXT), .min = 1,
	    .max = 64 },
	{ "bgp_listen", TOPO_T_ENDPOINT,
	    "real ADDRESS:PORT where it takes TCP sessions of NVAs and sites" },
	{ NULL },
};

static const struct topo_key gateway_circuit[] = {
	{ "routing_weight", TOPO_T_UINT, "the highest wins, before the AS path (ER-18)",
	    .def = "0", .max = 32000 },
	INBOUND_MAP,
	OUTBOUND_MAP,
	{ NULL },
};

static const char *const connection_types[] = { "IPsec", "Vnet2Vnet", NULL };

static const struct topo_key connection[] = {
	{ "type", TOPO_T_WORD,
	    "Vnet2Vnet: the site stands for a gateway in another VNet, whose connection takes no "
	    "route maps (RM-10, OPEN-13)",
	    .def = "\"IPsec\"", .words = connection_types },
	{ "gateway", TOPO_T_NAME,
	    "VPN gateway of another VNet instead of a site, which names this one in turn (VPN-3, "
	    "OPEN-13)" },
	{ "bgp", TOPO_T_BOOL, "false: static routes only", .def = "true" },
	{ "prefixes", TOPO_T_LIST,
	    "prefixes of the local network gateway (VPN-6); default without BGP: the site's",
	    .sub = ITEM(TOPO_T_PREFIX), .max = 1000, .one = true },
	{ "routing_weight", TOPO_T_UINT, "the highest wins", .def = "0", .max = 32000 },
	INBOUND_MAP,
	OUTBOUND_MAP,
	{ NULL },
};

static const char *const gateway_types[] = { "ExpressRoute", "Vpn", NULL };
static const char *const gateway_skus[] = { "Standard", "HighPerformance", "UltraPerformance",
	"ErGw1AZ", "ErGw2AZ", "ErGw3AZ", "Basic", "VpnGw1", "VpnGw2", "VpnGw3", "VpnGw4", "VpnGw5",
	"VpnGw1AZ", "VpnGw2AZ", "VpnGw3AZ", "VpnGw4AZ", "VpnGw5AZ", NULL };

static const struct topo_key gateway[] = {
	{ "vnet", TOPO_T_NAME, "VNet with a GatewaySubnet", .required = true },
	{ "type", TOPO_T_WORD, "one of each type in a VNet (ER-34)", .words = gateway_types,
	    .required = true },
	{ "asn", TOPO_T_UINT, "own ASN (VPN-2)", .def = "65515", .min = 1, .max = 4294967294 },
	{ "active_active", TOPO_T_BOOL, "VPN: both instances work (VPN-1)", .def = "false" },
	{ "sku", TOPO_T_WORD,
	    "of its type; ExpressRoute: sets how many circuits it takes (ER-33); default: ErGw1AZ, "
	    "VpnGw1AZ",
	    .words = gateway_skus },
	{ "zonal_public_ip", TOPO_T_BOOL, "its public addresses are in all zones (ERR-11)",
	    .def = "true" },
	{ "circuits", TOPO_T_MAP, "ExpressRoute: connections by circuit", .sub = gateway_circuit,
	    .one = true },
	{ "connections", TOPO_T_MAP, "VPN: connections by site, or by any name with gateway", .sub = connection, .one = true },
	{ "p2s_pools", TOPO_T_LIST, "VPN: client pools (VPN-20)", .sub = ITEM(TOPO_T_PREFIX),
	    .max = 100, .one = true },
	{ NULL },
};

static const char *const maintenances[] = { "none", "primary", "secondary", NULL };

/* RM-11: no route map here; a gateway's connection to the circuit has them. */
static const struct topo_key circuit[] = {
	{ "site", TOPO_T_NAME, "customer end", .required = true },
	{ "premium", TOPO_T_BOOL, "premium circuit: larger limits (ER-6, ER-33)",
	    .def = "false" },
	{ "maintenance", TOPO_T_WORD,
	    "the MSEE that prepends its ASN to all paths, so that the other one is preferred (ER-9)",
	    .def = "\"none\"", .words = maintenances },
	{ "bfd", TOPO_T_BOOL,
	    "BFD between MSEEs and site, unless that runs software of its own (ER-4)",
	    .def = "true" },
	{ "links", TOPO_T_LIST,
	    "primary and secondary /30 (ER-1); default: 192.168.(10+2n).0/30 and "
	    "192.168.(11+2n).0/30 for the n-th circuit by name, from 0",
	    .sub = ITEM(TOPO_T_PREFIX), .min = 2, .max = 2 },
	{ "nic_next_hop", TOPO_T_LIST,
	    "MSEE addresses that NICs see as next hops (ER-19); default: 10.24.n.4 and 10.24.n.5",
	    .sub = ITEM(TOPO_T_ADDR), .min = 2, .max = 2 },
	{ NULL },
};

static const struct topo_key site[] = {
	{ "asn", TOPO_T_UINT, "own ASN (ER-2, VPN-3)", .min = 1, .max = 4294967294,
	    .required = true },
	{ "ip", TOPO_T_ADDR, "address of its router; default: first host of its first prefix" },
	{ "public_ip", TOPO_T_ADDR, "address of its router on the Internet; default: none" },
	{ "snat", TOPO_T_BOOL, "as for an NVA", .def = "false" },
	{ "hold", TOPO_T_DURATION, "hold time of its sessions (ER-3, VPN-4); default: as timing" },
	{ "keepalive", TOPO_T_DURATION, "default: as timing" },
	{ "prefixes", TOPO_T_LIST, "networks of the site; they are announced",
	    .sub = ITEM(TOPO_T_PREFIX), .max = 100000, .one = true },
	{ "advertise", TOPO_T_LIST,
	    "further prefixes, or attributes for those above; a prefix is enough",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_STRUCT, .sub = advert } },
	    .max = 100000, .one = true },
	{ "policy", TOPO_T_STRUCT, "towards all its peers", .sub = policy },
	{ "peers", TOPO_T_MAP, "NVAs and sites by name, for both ends", .sub = router_peer,
	    .one = true },
	{ "relay", TOPO_T_BOOL, "pass learned routes on to other peers", .def = "false" },
	{ "transport", TOPO_T_WORD, "of its sessions; tcp is a must with run",
	    .words = transports },
	{ "run", TOPO_T_LIST, "as for an NVA", .sub = ITEM(TOPO_T_TEXT), .min = 1, .max = 64 },
	{ "bgp_listen", TOPO_T_ENDPOINT, "real ADDRESS:PORT where it takes TCP sessions" },
	{ NULL },
};

static const struct topo_key vm[] = {
	{ "subnet", TOPO_T_SUBNET, "VNET/SUBNET of its NIC", .required = true },
	{ "ip", TOPO_T_ADDR, "address of its NIC", .required = true },
	{ "public_ip", TOPO_T_ADDR, "address of its NIC on the Internet; default: none (SYS-2)" },
	{ "ip_forwarding", TOPO_T_BOOL, "its NIC forwards packets (UDR-3)", .def = "false" },
	{ "running", TOPO_T_BOOL, "false: its routes cannot be read (EFF-18)", .def = "true" },
	CONTAINER_KEYS,
	{ "run", TOPO_T_LIST,
	    "command line of a program in its namespace, with packets only; {run_dir}, {name} and "
	    "{dir} as for an NVA",
	    .sub = ITEM(TOPO_T_TEXT), .min = 1, .max = 64 },
	{ NULL },
};

static const char *const probe_protocols[] = { "Tcp", "Http", NULL };

static const struct topo_key health_probe[] = {
	{ "protocol", TOPO_T_WORD,
	    "Tcp: whoever takes the connection is healthy; Http: whoever answers 200 to a GET",
	    .def = "\"Tcp\"", .words = probe_protocols },
	{ "port", TOPO_T_UINT, "port of the backend's NIC", .min = 1, .max = 65535,
	    .required = true },
	{ "path", TOPO_T_TEXT, "Http: what is asked for; default: /" },
	{ "interval", TOPO_T_DURATION,
	    "from one probe to the next, at least 100ms, and how long an answer may take; "
	    "default: 5s, or 1s with the profile fast" },
	{ "unhealthy_after", TOPO_T_UINT,
	    "probes in a row that have to fail; as many have to succeed before it is healthy again",
	    .def = "2", .min = 1, .max = 100 },
	{ NULL },
};

static const struct topo_key load_balancer[] = {
	{ "subnet", TOPO_T_SUBNET, "VNET/SUBNET of its address", .required = true },
	{ "ip", TOPO_T_ADDR, "its address, a next hop for routes (RS-56, UDR-3)", .required = true },
	{ "backends", TOPO_T_LIST, "NVAs or VMs in its VNet, by name", .sub = ITEM(TOPO_T_NAME),
	    .min = 1, .max = 64, .required = true, .one = true },
	{ "probe", TOPO_T_STRUCT,
	    "how it finds out which backends are healthy, with packets; default: see below",
	    .sub = health_probe },
	{ NULL },
};

static const struct topo_key client[] = {
	{ "via", TOPO_T_NAME, "VPN gateway or NVA that it dialled in to (VPN-20, B2B-8)",
	    .required = true },
	{ "ip", TOPO_T_ADDR, "its address, in one of the p2s_pools there", .required = true },
	{ NULL },
};

static const char *const map_conditions[] = { "Equals", "Contains", "NotEquals", "NotContains",
	NULL };
static const char *const map_actions[] = { "Drop", "Add", "Replace", "Remove", NULL };
static const char *const map_next[] = { "Continue", "Terminate", NULL };
#define MAP_ASNS                                                                           \
	((const struct topo_key[]){ { "", TOPO_T_UINT, .min = 1, .max = UINT32_MAX } })

static const struct topo_key map_match[] = {
	{ "condition", TOPO_T_WORD, "how the lists are meant", .words = map_conditions,
	    .required = true },
	{ "prefixes", TOPO_T_LIST, "Equals: one of them; Contains: inside of one (RM-4)",
	    .sub = ITEM(TOPO_T_PREFIX), .max = 1000, .one = true },
	{ "communities", TOPO_T_LIST, "Equals: has all of them; Contains: has one (RM-5)",
	    .sub = ITEM(TOPO_T_COMMUNITY), .max = 64, .one = true },
	{ "as_path", TOPO_T_LIST, "Equals: is this; Contains: has one of them (RM-6)",
	    .sub = MAP_ASNS, .max = 64, .one = true },
	{ NULL },
};

static const struct topo_key map_action[] = {
	{ "type", TOPO_T_WORD, "what is done (RM-7)", .words = map_actions, .required = true,
	    .brief = true },
	{ "prefixes", TOPO_T_LIST, "Replace: the summary that stands for the route",
	    .sub = ITEM(TOPO_T_PREFIX), .min = 1, .max = 1000, .one = true },
	{ "communities", TOPO_T_LIST, "Add, Replace, Remove", .sub = ITEM(TOPO_T_COMMUNITY),
	    .max = 64, .one = true },
	{ "as_path", TOPO_T_LIST, "Add: in front of the path; Replace: [] leaves it empty (RM-8)",
	    .sub = MAP_ASNS, .max = 64, .one = true },
	{ NULL },
};

static const struct topo_key map_rule[] = {
	{ "name", TOPO_T_NAME, "of the rule; default: none" },
	{ "match", TOPO_T_LIST, "all of them must hold; none: every route (RM-3)",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_STRUCT, .sub = map_match } },
	    .max = 16, .one = true },
	{ "actions", TOPO_T_LIST, "in this order",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_STRUCT, .sub = map_action } },
	    .max = 16, .one = true },
	{ "next", TOPO_T_WORD, "after a match (RM-3)", .def = "\"Continue\"", .words = map_next },
	{ NULL },
};

static const struct topo_key route_map[] = {
	{ "route_server", TOPO_T_NAME, "whose it is", .required = true },
	{ "rules", TOPO_T_LIST, "in this order; the end of the list permits (RM-3)",
	    .sub = (const struct topo_key[]){ { "", TOPO_T_STRUCT, .sub = map_rule } },
	    .max = 1000, .one = true },
	{ NULL },
};

/* clang-format on */

const struct topo_key *
topo_keys_of(enum topo_kind kind)
{
	static const struct topo_key *const tables[TOPO_KIND_COUNT] = {
		[TOPO_FABRIC] = fabric,
		[TOPO_VNET] = vnet,
		[TOPO_PEERING] = peering,
		[TOPO_ROUTE_TABLE] = route_table,
		[TOPO_ROUTE_SERVER] = route_server,
		[TOPO_NVA] = nva,
		[TOPO_GATEWAY] = gateway,
		[TOPO_CIRCUIT] = circuit,
		[TOPO_SITE] = site,
		[TOPO_VM] = vm,
		[TOPO_LOAD_BALANCER] = load_balancer,
		[TOPO_CLIENT] = client,
		[TOPO_ROUTE_MAP] = route_map,
	};

	return tables[kind];
}

const struct topo_key *
topo_keys_of_peering(enum topo_peering_form form)
{
	return form == TOPO_PEERING_HUB       ? peering_hub
	       : form == TOPO_PEERING_BETWEEN ? peering_between
					      : peering_from;
}
