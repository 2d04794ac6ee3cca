/* Rules between resources: one row per mistake, with code, line and message. */
#include "tests/unit/fab_cunit.h"
#include "tests/unit/topo_case.h"

/* clang-format off */

#define HUB \
	"  hub: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, " \
	"GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24}}\n"
#define SPOKE "  spoke: {address_space: 10.11.0.0/16, subnets: {vms: 10.11.0.0/24}}\n"
#define NET   "vnets:\n" HUB SPOKE /* lines 1 to 3 */
#define RS    "route_servers: {rs: {vnet: hub, peers: [a]}}\n"

static const struct topo_case reference_cases[] = {
	{ NET "vms: {v: {subnet: hubb/nva, ip: 10.1.2.4}}\n", 4, "UnknownReference",
	    "vm v: subnet: there is no vnet \"hubb\"; did you mean \"hub\"?" },
	{ NET "vms: {v: {subnet: hub/nvas, ip: 10.1.2.4}}\n", 4, "UnknownReference",
	    "vm v: subnet: VNet hub has no subnet \"nvas\"" },
	{ "vnets:\n  a:\n    address_space: 10.1.0.0/16\n    subnets:\n"
	    "      s:\n        prefix: 10.1.0.0/24\n        route_table: rt\n", 7,
	    "UnknownReference", "vnet a: subnets.s.route_table: there is no route_table \"rt\"" },
	{ NET "peerings: [{from: hub, to: spok}]\n", 4, "UnknownReference",
	    "peering hub/spok: there is no vnet \"spok\"; did you mean \"spoke\"?" },
	{ "vnets: {a: {region: west, address_space: 10.1.0.0/16}}\n"
	    "regions:\n  delays:\n    - {between: [west, north], delay: 1ms}\n", 4,
	    "UnknownReference", "fabric: regions.delays.0.between: no VNet is in region \"north\"" },
	{ "vnets: {a: {region: west, address_space: 10.1.0.0/16}}\n"
	    "regions: {delays: [{between: [west, west], delay: 1ms}]}\n", 2, "InvalidRegionPair",
	    "fabric: regions.delays.0.between: a region and itself; within a region packets take no "
	    "time" },
	{ "vnets: {a: {region: w, address_space: 10.1.0.0/16}, b: {region: n, address_space: "
	    "10.2.0.0/16}}\nregions:\n  delays:\n    - {between: [n, w], delay: 1ms}\n"
	    "    - {between: [w, n], delay: 1ms}\n", 3, "InvalidRegionPair",
	    "fabric: regions.delays: n and w are there twice" },
	{ NET "route_servers: {rs: {vnet: nowhere}}\n", 4, "UnknownReference",
	    "route_server rs: vnet: there is no vnet \"nowhere\"" },
	{ NET "route_servers:\n  rs:\n    vnet: hub\n    peers:\n      nva9:\n", 8,
	    "UnknownReference", "route_server rs: peers.nva9: there is no NVA \"nva9\"; name one, or "
	    "give peer_ip and peer_asn" },
	/* MR-1 */
	{ "vnets:\n" HUB "  hub2: {address_space: 10.2.0.0/16, subnets: {RouteServerSubnet: 10.2.0.0/26}}\n"
	    "route_servers:\n  rs: {vnet: hub, peers: [rs2]}\n  rs2: {vnet: hub2}\n", 5,
	    "UnknownReference", "route_server rs: peers.rs2: there is no NVA \"rs2\"; name one, or "
	    "give peer_ip and peer_asn" },
	{ NET "gateways: {er: {vnet: hub, type: ExpressRoute, circuits: [c1]}}\n", 4,
	    "UnknownReference", "gateway er: circuits.c1: there is no circuit \"c1\"" },
	{ NET "gateways: {vpn: {vnet: hub, type: Vpn, connections: {dc: {}}}}\n", 4,
	    "UnknownReference", "gateway vpn: connections.dc: there is no site \"dc\"" },
	{ "circuits: {c: {site: dc}}\n", 1, "UnknownReference",
	    "circuit c: site: there is no site \"dc\"" },
	{ NET "nvas:\n  a:\n    subnet: hub/nva\n    ip: 10.1.2.4\n    asn: 65001\n"
	    "    peers: {b: {}}\n", 9, "UnknownReference",
	    "nva a: peers.b: there is no NVA and no site \"b\"; Route Servers list their peers "
	    "themselves" },
	{ NET "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, peers: [a]}}\n", 4,
	    "PeerIsItself", "nva a: peers.a: a router has no session with itself" },
	{ NET "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, "
	    "advertise: [{prefix: 0.0.0.0/0, to: [rs9]}]}}\n", 4, "UnknownReference",
	    "nva a: advertise.0.to: there is no Route Server, NVA, site, gateway or circuit "
	    "\"rs9\"" },
};

static const struct topo_case name_cases[] = {
	{ NET "vms: {x: {subnet: hub/nva, ip: 10.1.2.4}}\n"
	    "nvas: {x: {subnet: hub/nva, ip: 10.1.2.5, asn: 65001}}\n", 4, "NameConflict",
	    "vm x: \"x\" is the name of the nva x too" },
	{ NET "route_servers: {rs: {vnet: hub}}\n"
	    "nvas: {rs-0: {subnet: hub/nva, ip: 10.1.2.5, asn: 65001}}\n", 5, "NameConflict",
	    "nva rs-0: \"rs-0\" is the name of a process of route_server rs too" },
	{ "sites: {fabricd: {asn: 64900, ip: 172.20.0.1}}\n", 1, "NameConflict",
	    "site fabricd: the name is taken by the fabric's own daemon" },
};

static const struct topo_case vnet_cases[] = {
	{ "vnets: {a: {address_space: [10.1.0.0/16, 10.1.2.0/24]}}\n", 1, "AddressSpaceOverlaps",
	    "vnet a: address_space: 10.1.0.0/16 and 10.1.2.0/24 overlap" },
	{ "vnets: {a: {address_space: 0.0.0.0/0}}\n", 1, "InvalidAddressSpace",
	    "vnet a: address_space: 0.0.0.0/0: a VNet's prefixes are from /2 to /29" },
	/* ERR-4 */
	{ "vnets:\n  a:\n    address_space: 10.1.0.0/16\n    subnets:\n      s: 10.2.0.0/24\n", 5,
	    "NetcfgInvalidSubnet",
	    "vnet a: subnets.s.prefix: 10.2.0.0/24 is not inside the VNet's address space" },
	{ "vnets: {a: {address_space: 10.1.0.0/16, subnets: {s: 10.1.0.0/30}}}\n", 1,
	    "NetcfgInvalidSubnet",
	    "vnet a: subnets.s.prefix: 10.1.0.0/30 is too small; a subnet is /29 or larger" },
	{ "vnets: {a: {address_space: 10.1.0.0/16, subnets: {s: 10.1.0.0/24, t: 10.1.0.128/25}}}\n",
	    1, "NetcfgSubnetRangesOverlap",
	    "vnet a: subnets.t.prefix: 10.1.0.128/25 overlaps subnet s 10.1.0.0/24" },
};

static const struct topo_case address_cases[] = {
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.3.4}}\n", 4, "PrivateIPAddressNotInSubnet",
	    "vm v: ip: 10.1.3.4 is not in subnet nva 10.1.2.0/24" },
	/* ARM-6 */
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.3}}\n", 4, "PrivateIPAddressInReservedRange",
	    "vm v: ip: 10.1.2.3 is one of the five addresses that Azure keeps in 10.1.2.0/24" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.255}}\n", 4,
	    "PrivateIPAddressInReservedRange",
	    "vm v: ip: 10.1.2.255 is one of the five addresses that Azure keeps in 10.1.2.0/24" },
	{ NET "vms:\n  v: {subnet: hub/nva, ip: 10.1.2.4}\n  w: {subnet: hub/nva, ip: 10.1.2.4}\n",
	    6, "PrivateIPAddressIsAllocated", "vm w: ip: 10.1.2.4 is allocated to v" },
	/* ERR-5, RS-5 */
	{ NET "vms: {v: {subnet: hub/GatewaySubnet, ip: 10.1.1.20}}\n", 4, "GatewaySubnet",
	    "vm v: subnet: GatewaySubnet can be used only for the Gateway resource" },
	{ NET "nvas: {a: {subnet: hub/RouteServerSubnet, ip: 10.1.0.20, asn: 65001}}\n", 4,
	    "RouteServerSubnet",
	    "nva a: subnet: RouteServerSubnet can be used only for the Route Server" },
};

static const struct topo_case peering_cases[] = {
	{ NET "peerings: [{from: hub, to: hub}]\n", 4, "PeeringWithItself",
	    "peering hub/hub: a VNet cannot be peered with itself" },
	/* PEER-12 */
	{ NET "peerings:\n  - {from: hub, to: spoke}\n  - {between: [spoke, hub]}\n", 6,
	    "AnotherPeeringAlreadyReferencesRemoteVnet",
	    "peering hub/spoke: line 5 has this peering already; one VNet has one peering to "
	    "another" },
	/* PEER-3, ERR-2 */
	{ "vnets: {a: {address_space: 10.0.0.0/8}, b: {address_space: [172.16.0.0/16, "
	    "10.2.0.0/16]}}\npeerings: [{between: [a, b]}]\n", 2, "VnetAddressSpacesOverlap",
	    "peering a/b: address spaces overlap: 10.0.0.0/8 of a and 10.2.0.0/16 of b" },
	{ "vnets: {a: {address_space: 10.1.0.0/16}, b: {address_space: 10.2.0.0/16}, "
	    "c: {address_space: 10.2.0.0/24}}\n"
	    "peerings:\n  - {between: [a, b]}\n  - {between: [a, c]}\n", 4,
	    "VnetAddressSpaceOverlapsWithAlreadyPeeredVnet",
	    "peering a/c: 10.2.0.0/24 of c overlaps b, which is peered with a too" },
	/* PEER-9, ERR-1 */
	{ NET "peerings: [{hub: hub, spoke: spoke}]\n", 4, "RemoteVnetHasNoGateways",
	    "peering spoke/hub: use_remote_gateways needs a gateway or Route Server in hub; add one "
	    "or set do_not_verify_remote_gateways" },
	{ NET "route_servers: {rs: {vnet: hub}}\n"
	    "peerings:\n  - {from: spoke, to: hub, use_remote_gateways: true}\n"
	    "  - {from: hub, to: spoke}\n", 6, "RemotePeeringHasNoGatewayTransit",
	    "peering spoke/hub: use_remote_gateways needs allow_gateway_transit in the peering of "
	    "hub with spoke" },
	{ NET "route_servers: {rs: {vnet: hub}}\n"
	    "peerings:\n  - {from: spoke, to: hub, use_remote_gateways: true}\n", 6,
	    "RemotePeeringHasNoGatewayTransit",
	    "peering spoke/hub: use_remote_gateways needs allow_gateway_transit in the peering of "
	    "hub with spoke" },
	/* PEER-10 */
	{ "vnets:\n" HUB
	    "  hub2: {address_space: 10.2.0.0/16, subnets: {RouteServerSubnet: 10.2.0.0/26}}\n"
	    "route_servers: {rs: {vnet: hub}, rs2: {vnet: hub2}}\n"
	    "peerings: [{hub: hub, spoke: hub2}]\n", 5, "VnetHasOwnGateway",
	    "peering hub2/hub: hub2 has a gateway or Route Server of its own and cannot use those "
	    "of hub" },
	{ "vnets:\n" HUB SPOKE
	    "  hub2: {address_space: 10.2.0.0/16, subnets: {RouteServerSubnet: 10.2.0.0/26}}\n"
	    "route_servers: {rs: {vnet: hub}, rs2: {vnet: hub2}}\n"
	    "peerings:\n  - {hub: hub, spoke: spoke}\n  - {hub: hub2, spoke: spoke}\n", 8,
	    "OnlyOneUseRemoteGateways",
	    "peering spoke/hub2: VNet spoke uses the gateways of hub already; one peering of a VNet "
	    "may have use_remote_gateways" },
	/* PEER-13 */
	{ "limits: {peerings_per_vnet: 1}\nvnets: {a: {address_space: 10.1.0.0/16}, "
	    "b: {address_space: 10.2.0.0/16}, c: {address_space: 10.3.0.0/16}}\n"
	    "peerings:\n  - {from: a, to: b}\n  - {from: a, to: c}\n", 5,
	    "PeeringsPerVnetLimitReached",
	    "peering a/c: VNet a has 2 peerings; the limit is 1" },
};

#define TABLED(subnet, routes) \
	"vnets:\n  hub:\n    address_space: 10.1.0.0/16\n    subnets:\n" \
	"      RouteServerSubnet: 10.1.0.0/26\n" \
	"      GatewaySubnet: {prefix: 10.1.1.0/26, route_table: " subnet "}\n" \
	"      nva: {prefix: 10.1.2.0/24, route_table: rt}\n" \
	"route_tables:\n  empty: {}\n  rt:\n    routes:\n" routes /* routes: from line 12 */

static const struct topo_case table_cases[] = {
	/* UDR-4, ERR-3 */
	{ TABLED("empty", "      a: {prefix: 0.0.0.0/0, next_hop: Internet}\n"
	    "      b: {prefix: 10.0.0.0/8, next_hop: None}\n"
	    "      c: {prefix: 10.0.0.0/8, next_hop: Internet}\n"), 14, "RouteConflict",
	    "route_table rt: routes.c.prefix: route b has prefix 10.0.0.0/8 already" },
	/* UDR-6 */
	{ "limits: {routes_per_table: 1}\nroute_tables: {rt: {routes: {\n"
	    "  a: {prefix: 10.0.0.0/8, next_hop: None}, b: {prefix: 10.1.0.0/16, next_hop: None}}}}\n",
	    2, "RoutesPerTableLimitReached",
	    "route_table rt: routes: 2 routes; the limit is 1 (UDR-6)" },
	/* UDR-3 */
	{ TABLED("empty", "      a: {prefix: 0.0.0.0/0, next_hop: VirtualAppliance 10.9.9.9}\n"), 12,
	    "NextHopNotReachable",
	    "route_table rt: routes.a.next_hop: 10.9.9.9 is neither in VNet hub, whose subnet nva "
	    "has this table, nor in a peered one (UDR-3)" },
	/* ER-37 */
	{ TABLED("empty", "      a: {prefix: 172.16.0.0/12, next_hop: VirtualNetworkGateway}\n")
	    "gateways: {er: {vnet: hub, type: ExpressRoute}}\n", 12,
	    "VirtualNetworkGatewayHopNeedsVpn",
	    "route_table rt: routes.a.next_hop: VirtualNetworkGateway means a VPN gateway, but "
	    "subnet hub/nva has ExpressRoute only (ER-37)" },
	/* ER-35 */
	{ TABLED("rt", "      a: {prefix: 0.0.0.0/0, next_hop: Internet}\n"), 6,
	    "GatewaySubnetDefaultRoute",
	    "vnet hub: subnets.GatewaySubnet.route_table: route table rt has a route for 0.0.0.0/0, "
	    "which GatewaySubnet does not support (ER-35)" },
	{ "vnets: {hub: {address_space: 10.1.0.0/16, subnets: {\n"
	    "  GatewaySubnet: {prefix: 10.1.1.0/26, route_table: rt}}}}\n"
	    "route_tables: {rt: {disable_bgp_route_propagation: true}}\n", 2,
	    "GatewaySubnetPropagationDisabled",
	    "vnet hub: subnets.GatewaySubnet.route_table: route table rt disables BGP route "
	    "propagation; the gateway would stop working (ER-35)" },
	{ "vnets: {hub: {address_space: 10.1.0.0/16, subnets: {\n"
	    "  GatewaySubnet: {prefix: 10.1.1.0/26, nsg: true}}}}\n", 2, "GatewaySubnetNsg",
	    "vnet hub: subnets.GatewaySubnet.nsg: GatewaySubnet must not have a network security "
	    "group (ER-35)" },
	/* RS-6 */
	{ "vnets: {hub: {address_space: 10.1.0.0/16, subnets: {\n"
	    "  RouteServerSubnet: {prefix: 10.1.1.0/26, route_table: rt}}}}\nroute_tables: {rt: {}}\n",
	    2, "RouteServerSubnetRouteTable",
	    "vnet hub: subnets.RouteServerSubnet.route_table: RouteServerSubnet must not have a "
	    "route table (RS-6)" },
	{ "vnets: {hub: {address_space: 10.1.0.0/16, subnets: {\n"
	    "  RouteServerSubnet: {prefix: 10.1.1.0/26, nsg: true}}}}\n", 2, "RouteServerSubnetNsg",
	    "vnet hub: subnets.RouteServerSubnet.nsg: RouteServerSubnet must not have a network "
	    "security group (RS-6)" },
	/* UDR-5 */
	{ "route_tables:\n  rt:\n    routes:\n      a: {prefix: Storag, next_hop: Internet}\n", 4,
	    "UnknownServiceTag",
	    "route_table rt: routes.a.prefix: \"Storag\" is no known service tag; did you mean "
	    "Storage?" },
	{ "route_tables:\n  rt:\n    routes:\n      a: {prefix: Xyzzy.Moon, next_hop: Internet}\n",
	    4, "UnknownServiceTag", "route_table rt: routes.a.prefix: \"Xyzzy.Moon\" is no known "
	    "service tag; name it in service_tags" },
	{ "route_tables:\n  rt:\n    routes:\n      a: {prefix: Storage, next_hop: Internet}\n"
	    "      b: {prefix: storage, next_hop: None}\n", 5, "RouteConflict",
	    "route_table rt: routes.b.prefix: route a has tag Storage already" },
	{ "route_tables:\n  rt:\n    routes:\n      a: {prefix: 10.0.0.0, next_hop: Internet}\n", 4,
	    "InvalidAddressPrefixFormat", "route_table rt: routes.a.prefix: \"10.0.0.0\" is not an "
	    "IPv4 prefix such as 10.1.0.0/16 or a service tag such as Storage.WestEurope" },
};

#define NVA(asn) "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: " asn "}}\n"

static const struct topo_case server_cases[] = {
	/* RS-35 */
	{ NET NVA("65001") "route_servers:\n  rs:\n    vnet: hub\n    peers:\n      a:\n"
	    "        md5: secret\n", 10, "UnknownKey", "route_server rs: peers.a.md5: unknown key; "
	    "known are peer_ip, peer_asn, transport, transport_address, transport_port, inbound_map, "
	    "outbound_map, hub_connection" },
	/* RS-7, ERR-9 */
	{ NET "route_servers:\n  rs:\n    vnet: hub\n    public_ip_sku: Basic\n", 7,
	    "InvalidOperation", "route_server rs: public_ip_sku: PutHubIpConfiguration: the public "
	    "address must be of SKU Standard (RS-7)" },
	/* RS-4 */
	{ NET "route_servers:\n  rs: {vnet: hub}\n  rs2: {vnet: hub}\n", 6,
	    "VnetAlreadyHasRouteServer",
	    "route_server rs2: vnet: VNet hub has Route Server rs already (RS-4)" },
	/* RS-5 */
	{ NET "route_servers: {rs: {vnet: spoke}}\n", 4, "RouteServerSubnetMissing",
	    "route_server rs: vnet: VNet spoke has no subnet RouteServerSubnet, /26 or larger "
	    "(RS-5)" },
	{ "vnets: {h: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/28}}}\n"
	    "route_servers: {rs: {vnet: h}}\n", 2, "RouteServerSubnetTooSmall",
	    "route_server rs: vnet: RouteServerSubnet 10.1.0.0/28 is too small; /26 is the minimum "
	    "(RS-5)" },
	/* OPEN-1 */
	{ "vnets: {h: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/27}}}\n"
	    "route_servers: {rs: {vnet: h}}\nstrict: true\n", 2, "RouteServerSubnetTooSmall",
	    "route_server rs: vnet: RouteServerSubnet 10.1.0.0/27 is too small; /26 is the minimum "
	    "(RS-5)" },
	/* RS-20, ERR-7 */
	{ NET "limits: {bgp_peers: 1}\n"
	    "nvas:\n  a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}\n"
	    "  b: {subnet: hub/nva, ip: 10.1.2.5, asn: 65001}\n"
	    "route_servers:\n  rs:\n    vnet: hub\n    peers: [a, b]\n", 11,
	    "MaximumLocalNetworkSitesLimitReachedForGateway",
	    "route_server rs: peers: 2 peers; the limit is 1 (RS-20)" },
	/* RS-24 */
	{ NET "limits: {rs_vnets: 1}\nroute_servers: {rs: {vnet: hub}}\n"
	    "peerings: [{hub: hub, spoke: spoke}]\n", 5, "RouteServerVnetLimitReached",
	    "route_server rs: vnet: 2 VNets use it; the limit is 1 (RS-24)" },
	/* RS-34, RS-40, RS-43, ERR-13 */
	{ NET NVA("70000") RS, 5, "InvalidPeerAsn",
	    "route_server rs: peers.a: ASN 70000 does not fit in 16 bits (RS-34)" },
	{ NET NVA("65515") RS, 5, "InvalidPeerAsn", "route_server rs: peers.a: ASN 65515 is reserved "
	    "(RS-40); take one of 64512-65514 or 65521-65534" },
	{ NET NVA("65520") RS, 5, "InvalidPeerAsn", "route_server rs: peers.a: ASN 65520 is reserved "
	    "(RS-40); take one of 64512-65514 or 65521-65534" },
	{ NET NVA("12076") RS, 5, "InvalidPeerAsn", "route_server rs: peers.a: ASN 12076 is reserved "
	    "(RS-40); take one of 64512-65514 or 65521-65534" },
	{ NET NVA("65535") RS, 5, "InvalidPeerAsn", "route_server rs: peers.a: ASN 65535 is reserved "
	    "(RS-40); take one of 64512-65514 or 65521-65534" },
	{ NET NVA("65517") RS, 5, "InvalidPeerAsn", "route_server rs: peers.a: ASN 65517 is reserved "
	    "(RS-40); take one of 64512-65514 or 65521-65534" },
	{ NET NVA("23456") RS, 5, "InvalidPeerAsn", "route_server rs: peers.a: ASN 23456 is reserved "
	    "(RS-40); take one of 64512-65514 or 65521-65534" },
	{ NET NVA("64511") RS, 5, "InvalidPeerAsn", "route_server rs: peers.a: ASN 64511 is reserved "
	    "(RS-40); take one of 64512-65514 or 65521-65534" },
	/* RS-37, RS-38, ERR-13 */
	{ NET "nvas: {a: {subnet: spoke/vms, ip: 10.11.0.4, asn: 65001}}\n" RS, 5, "InvalidPeerIp",
	    "route_server rs: peers.a: 10.11.0.4 is neither in VNet hub nor in one that is peered "
	    "with it (RS-38)" },
	{ NET "nvas: {a: {subnet: spoke/vms, ip: 10.11.0.4, asn: 65001}}\n" RS
	    "peerings: [{from: hub, to: spoke}]\n", 5, "InvalidPeerIp",
	    "route_server rs: peers.a: 10.11.0.4 is neither in VNet hub nor in one that is peered "
	    "with it (RS-38)" },
	{ NET NVA("65001") "route_servers: {rs: {vnet: hub, peers: {a: {peer_ip: 10.1.2.9}}}}\n", 5,
	    "InvalidPeerIp",
	    "route_server rs: peers.a: 10.1.2.9 is not the address of NVA a (RS-37)" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4}}\nroute_servers:\n  rs:\n    vnet: hub\n"
	    "    bgp_listen: [127.0.0.1:1790, 127.0.0.2:1790]\n    peers:\n"
	    "      x: {peer_ip: 10.1.2.4, peer_asn: 65001}\n"
	    "      y: {peer_ip: 10.1.2.4, peer_asn: 65002}\n", 11, "DuplicatePeerIp",
	    "route_server rs: peers.y: peer x has address 10.1.2.4 already" },
	{ NET "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, run: [bird]}, "
	    "b: {subnet: hub/nva, ip: 10.1.2.5, asn: 65001, run: [bird]}}\n"
	    "route_servers:\n  rs:\n    vnet: hub\n"
	    "    bgp_listen: ['127.0.0.1:1790', '127.0.0.2:1790']\n    peers:\n"
	    "      a: {transport_address: 127.0.1.1}\n      b: {transport_address: 127.0.1.1}\n",
	    11, "DuplicateTransportAddress",
	    "route_server rs: peers.b: peer a has transport_address 127.0.1.1 already" },
	/* transports */
	{ NET "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, run: [bird]}}\n"
	    "route_servers: {rs: {vnet: hub, peers: {a: {transport: nng}}}}\n", 5,
	    "TransportConflict", "route_server rs: peers.a: a runs software of its own, which speaks "
	    "BGP over TCP only" },
	{ NET NVA("65001") "route_servers: {rs: {vnet: hub, peers: {a: {transport_port: 179, "
	    "transport_address: 127.0.1.1}}}}\n", 5, "TransportConflict",
	    "route_server rs: peers.a: a: transport_port is for transport tcp" },
	{ NET NVA("65001") "route_servers: {rs: {vnet: hub, peers: {a: {transport: tcp, "
	    "transport_port: 179}}}}\n", 5, "TransportAddressMissing",
	    "route_server rs: peers.a: transport_port needs transport_address" },
	{ NET "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001, run: [bird]}}\n" RS, 5,
	    "BgpListenMissing", "route_server rs: peers.a: a dials over TCP: give the Route Server "
	    "bgp_listen, two of ADDRESS:PORT" },
};

#define SITE "sites: {dc: {asn: 64900, prefixes: [172.20.0.0/16]}}\n"

#define VPN2(near, asn, far) \
	"vnets:\n" HUB "  hub9: {address_space: 10.9.0.0/16, subnets: {GatewaySubnet: " \
	"10.9.1.0/26}}\n\ngateways:\n  g: {vnet: hub, type: Vpn, connections: " near "}\n" \
	"  h: {vnet: hub9, type: Vpn, asn: " asn ", connections: " far "}\n"

static const struct topo_case gateway_cases[] = {
	/* ER-34 */
	{ NET "gateways:\n  g: {vnet: hub, type: Vpn}\n  h: {vnet: hub, type: Vpn}\n", 6,
	    "VnetAlreadyHasGateway",
	    "gateway h: vnet: VNet hub has VPN gateway g already (ER-34)" },
	{ NET "gateways: {g: {vnet: spoke, type: Vpn}}\n", 4, "GatewaySubnetMissing",
	    "gateway g: vnet: VNet spoke has no subnet GatewaySubnet, /27 or larger (ER-34)" },
	{ "vnets: {h: {address_space: 10.1.0.0/16, subnets: {GatewaySubnet: 10.1.0.0/29}}}\n"
	    "gateways: {g: {vnet: h, type: ExpressRoute}}\n", 2, "GatewaySubnetTooSmall",
	    "gateway g: vnet: GatewaySubnet 10.1.0.0/29 is too small; this needs /28 or larger "
	    "(ER-34)" },
	{ NET "gateways: {g: {vnet: hub, type: ExpressRoute, p2s_pools: [192.168.0.0/24]}}\n", 4,
	    "WrongGatewayType", "gateway g: p2s_pools: p2s_pools is for gateways of type Vpn" },
	{ NET "gateways: {g: {vnet: hub, type: Vpn, circuits: {}}}\n", 4, "WrongGatewayType",
	    "gateway g: circuits: circuits is for gateways of type ExpressRoute" },
	{ NET "gateways: {g: {vnet: hub, type: ExpressRoute, active_active: true}}\n", 4,
	    "WrongGatewayType", "gateway g: active_active: both instances of an ExpressRoute gateway "
	    "always work; leave it out" },
	/* VPN-2, B2B-3 */
	{ NET "gateways: {g: {vnet: hub, type: ExpressRoute, asn: 65001}}\n", 4, "InvalidGatewayAsn",
	    "gateway g: asn: an ExpressRoute gateway has ASN 65515" },
	{ NET "gateways: {g: {vnet: hub, type: Vpn, asn: 8075}}\n", 4, "InvalidGatewayAsn",
	    "gateway g: asn: ASN 8075 is reserved (VPN-2)" },
	{ NET "gateways: {g: {vnet: hub, type: Vpn, active_active: true, asn: 65001}}\n"
	    "route_servers: {rs: {vnet: hub}}\n", 4, "InvalidGatewayAsn",
	    "gateway g: asn: a VPN gateway beside Route Server rs needs ASN 65515 (B2B-3)" },
	{ NET "gateways:\n  g:\n    vnet: hub\n    type: Vpn\n    active_active: false\n"
	    "route_servers: {rs: {vnet: hub}}\n", 8, "VpnGatewayNotActiveActive",
	    "gateway g: active_active: a VPN gateway beside Route Server rs must be active_active "
	    "(B2B-3)" },
	/* ER-33 */
	{ NET SITE "circuits: {c1: {site: dc}, c2: {site: dc}, c3: {site: dc}, c4: {site: dc}, "
	    "c5: {site: dc}}\n"
	    "gateways: {g: {vnet: hub, type: ExpressRoute, circuits: [c1, c2, c3, c4, c5]}}\n", 6,
	    "CircuitLimitReached", "gateway g: circuits: 5 circuits; this sku takes 4 (ER-33)" },
	/* VPN-3, VPN-6 */
	{ NET "sites: {dc: {asn: 65515, prefixes: [172.20.0.0/16]}}\n"
	    "gateways: {g: {vnet: hub, type: Vpn, connections: [dc]}}\n", 5, "InvalidSiteAsn",
	    "gateway g: connections.dc: site dc has the gateway's own ASN 65515 (VPN-3)" },
	{ NET "sites: {dc: {asn: 65517, prefixes: [172.20.0.0/16]}}\n"
	    "gateways: {g: {vnet: hub, type: Vpn, connections: [dc]}}\n", 5, "InvalidSiteAsn",
	    "gateway g: connections.dc: ASN 65517 of site dc is reserved (VPN-3)" },
	{ NET "sites: {dc: {asn: 64900, ip: 172.20.0.1}}\n"
	    "gateways: {g: {vnet: hub, type: Vpn, connections: {dc: {bgp: false}}}}\n", 5,
	    "StaticConnectionWithoutPrefixes",
	    "gateway g: connections.dc: without BGP it needs prefixes, here or in site dc (VPN-6)" },
	/* VPN-2, VPN-3, VPN-6: with the gateway of another VNet */
	{ VPN2("{b: {gateway: h}}", "65515", "{a: {gateway: g}}"), 6, "InvalidSiteAsn",
	    "gateway g: connections.b: gateway h has the gateway's own ASN 65515 (VPN-3)" },
	{ VPN2("{b: {gateway: h}}", "65517", "{a: {gateway: g}}"), 7, "InvalidGatewayAsn",
	    "gateway h: asn: ASN 65517 is reserved (VPN-2)" },
	{ VPN2("{b: {gateway: h}}", "65010", "{a: {gateway: g, bgp: false}}"), 6,
	    "ConnectionBgpMismatch",
	    "gateway g: connections.b: bgp is true here and false in gateway h" },
	{ VPN2("{b: {gateway: g}}", "65010", "{}"), 6, "ConnectionWithItself",
	    "gateway g: connections.b: a gateway has no connection with itself" },
	{ VPN2("{b: {gateway: h}, c: {gateway: h}}", "65010", "{a: {gateway: g}}"), 6,
	    "DuplicateConnection", "gateway g: connections.c: connection b leads to gateway h "
	    "already" },
	{ VPN2("{b: {gateway: h, bgp: false, prefixes: 10.9.0.0/16}}", "65010",
	    "{a: {gateway: g, bgp: false}}"), 6, "PrefixesOfGateway",
	    "gateway g: connections.b: prefixes are of a local network gateway; h has its VNet's "
	    "(VPN-6)" },
	{ VPN2("{b: {gateway: hh}}", "65010", "{}"), 6, "UnknownReference",
	    "gateway g: connections.b: there is no gateway \"hh\"; did you mean \"h\"?" },
	{ NET "gateways: {g: {vnet: hub, type: Vpn, p2s_pools: [10.1.128.0/24]}}\n", 4,
	    "P2sPoolOverlaps",
	    "gateway g: p2s_pools: 10.1.128.0/24 overlaps 10.1.0.0/16 of VNet hub" },
	/* ER-1, ER-2, ER-19 */
	{ "sites: {dc: {asn: 65516, prefixes: [172.20.0.0/16]}}\ncircuits: {c: {site: dc}}\n", 2,
	    "InvalidSiteAsn", "circuit c: site: ASN 65516 of site dc is reserved (ER-2)" },
	{ SITE "circuits: {c: {site: dc, links: [192.168.0.0/29, 192.168.0.8/30]}}\n", 2,
	    "InvalidCircuitLink", "circuit c: links: 192.168.0.0/29 is not a /30 (ER-1)" },
	{ SITE "circuits: {c: {site: dc, links: [192.168.0.0/30, 192.168.0.0/30]}}\n", 2,
	    "CircuitLinkOverlaps",
	    "circuit c: links: link 192.168.0.0/30 overlaps link 192.168.0.0/30; set links" },
	{ SITE "vnets: {v: {address_space: 192.168.10.0/24}}\ncircuits: {c: {site: dc}}\n", 3,
	    "CircuitLinkOverlaps", "circuit c: links: link 192.168.10.0/30 overlaps VNet prefix "
	    "192.168.10.0/24; set links" },
	{ SITE "vnets: {v: {address_space: 10.24.0.0/24}}\ncircuits: {c: {site: dc, nic_next_hop: "
	    "[10.24.0.4, 10.25.0.4]}}\n", 3, "NicNextHopOverlaps",
	    "circuit c: nic_next_hop: 10.24.0.4 is inside VNet v; set nic_next_hop (ER-19)" },
	{ SITE "circuits: {c: {site: dc, nic_next_hop: [10.24.0.4, 10.24.0.4]}}\n", 2,
	    "NicNextHopOverlaps",
	    "circuit c: nic_next_hop: 10.24.0.4 is used twice; set nic_next_hop" },
	/* VPN-20 */
	{ NET "gateways: {g: {vnet: hub, type: Vpn, p2s_pools: [192.168.9.0/24]}}\n"
	    "clients: {c: {via: g, ip: 10.9.0.4}}\n", 5, "ClientAddressNotInPool",
	    "client c: ip: 10.9.0.4 is in none of the p2s_pools of g" },
	{ NET "clients: {c: {via: g, ip: 10.9.0.4}}\n", 4, "UnknownReference",
	    "client c: via: there is no VPN gateway and no NVA \"g\"" },
	/* RS-56 */
	{ NET "vms: {v: {subnet: spoke/vms, ip: 10.11.0.4}}\n"
	    "load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.100, backends: v}}\n", 5,
	    "InvalidBackend", "load_balancer lb: backends.0: v is in another VNet than the load "
	    "balancer" },
	{ NET "load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.100, backends: w}}\n", 4,
	    "UnknownReference", "load_balancer lb: backends.0: there is no NVA and no VM \"w\"" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4}}\n"
	    "load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.4, backends: v}}\n", 5,
	    "PrivateIPAddressIsAllocated", "load_balancer lb: ip: 10.1.2.4 is allocated to v" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4}}\n"
	    "load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.9, backends: v, "
	    "probe: {port: 80, path: /up}}}\n", 5, "InvalidProbe",
	    "load_balancer lb: probe.path: only probes with protocol Http ask for something" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4}}\n"
	    "load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.9, backends: v, "
	    "probe: {protocol: Http, port: 80, path: \"/a b\"}}}\n", 5, "InvalidProbe",
	    "load_balancer lb: probe.path: \"/a b\" is not the path of a URL, such as /health" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4}}\n"
	    "load_balancers: {lb: {subnet: hub/nva, ip: 10.1.2.9, backends: v, "
	    "probe: {port: 80, interval: 50ms}}}\n", 5, "InvalidProbe",
	    "load_balancer lb: probe.interval: must be at least 100ms" },
	/* ARM-14 */
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4, public_ip: 168.63.129.16}}\n", 4,
	    "PublicIPAddressInUse",
	    "vm v: public_ip: 168.63.129.16 is the address of Azure's platform already" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4, public_ip: 192.168.1.1}}\n", 4,
	    "InvalidPublicIPAddress",
	    "vm v: public_ip: 192.168.1.1 is no address of the Internet" },
	{ NET "sites: {dc: {asn: 64900, ip: 172.20.0.1, public_ip: 8.8.8.8}}\n", 4,
	    "PublicIPAddressInUse",
	    "site dc: public_ip: 8.8.8.8 is the address of the Internet already" },
	{ NET "vms: {v: {subnet: hub/nva, ip: 10.1.2.4, public_ip: 198.51.100.4}}\n"
	    "nvas: {a: {subnet: hub/nva, ip: 10.1.2.5, asn: 65001, public_ip: 198.51.100.4}}\n", 4,
	    "PublicIPAddressInUse",
	    "vm v: public_ip: 198.51.100.4 is the address of a already" },
	{ "vnets: {v: {address_space: 198.51.100.0/24}}\n"
	    "sites: {dc: {asn: 64900, ip: 172.20.0.1, public_ip: 198.51.100.4}}\n", 2,
	    "InvalidPublicIPAddress", "site dc: public_ip: 198.51.100.4 is inside VNet v" },
	{ SITE "circuits: {internet: {site: dc}}\n", 2, "NameConflict",
	    "circuit internet: the name stands for what is outside of the fabric" },
};

#define TWO(first, second) \
	NET "nvas:\n  a: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001" first "}\n" \
	"  b: {subnet: hub/nva, ip: 10.1.2.5, asn: 65002" second "}\n"

static const struct topo_case router_cases[] = {
	{ "timing: {bgp: {hold: 2s}}\n", 1, "InvalidTimer",
	    "fabric: timing.bgp: hold must be 0 or at least 3s" },
	{ "timing: {bgp: {hold: 3500ms}}\n", 1, "InvalidTimer",
	    "fabric: timing.bgp: hold must be whole seconds, at most 65535" },
	{ "timing: {bgp: {keepalive: 3s, hold: 3s}}\n", 1, "InvalidTimer",
	    "fabric: timing.bgp: keepalive must be shorter than hold" },
	{ "timing: {bgp: {keepalive: 0, hold: 3s}}\n", 1, "InvalidTimer",
	    "fabric: timing.bgp: keepalive must not be 0 while hold is not" },
	{ "timing: {bgp: {connect_retry: 10ms}}\n", 1, "InvalidTimer",
	    "fabric: timing.bgp.connect_retry: connect_retry must be at least 100ms" },
	{ TWO(", hold: 1s", ""), 5, "InvalidTimer",
	    "nva a: hold: hold must be 0 or at least 3s" },
	{ TWO(", hold: 0", ""), 5, "InvalidTimer",
	    "nva a: hold: hold of one router must be at least 3s" },
	{ TWO(", run: [bird], transport: nng", ""), 5, "TransportConflict",
	    "nva a: transport: software of your own (run, image) speaks BGP over TCP only" },
	{ TWO(", image: my/nva, transport: nng", ""), 5, "TransportConflict",
	    "nva a: transport: software of your own (run, image) speaks BGP over TCP only" },
	{ TWO(", command: [bird]", ""), 5, "ImageMissing",
	    "nva a: command: command is for a container: give an image" },
	{ TWO(", image: my/nva, environment: [A=1, =2]", ""), 5, "InvalidContainer",
	    "nva a: environment.1: '=2' is not NAME=VALUE" },
	{ TWO(", image: my/nva, volumes: ['conf:etc']", ""), 5, "InvalidContainer",
	    "nva a: volumes.0: 'conf:etc' is not SOURCE:/TARGET or SOURCE:/TARGET:ro" },
	{ TWO(", image: my/nva, cap_add: CAP_NET_RAW", ""), 5, "InvalidContainer",
	    "nva a: cap_add.0: 'CAP_NET_RAW' is not a capability such as NET_RAW" },
	{ TWO(", run: [bird], peers: {b: {transport: nng}}", ""), 5, "TransportConflict",
	    "nva a: peers.b: a runs software of its own, which speaks BGP over TCP only" },
	{ TWO(", peers: {b: {transport: tcp}}", ""), 5, "BgpListenMissing",
	    "nva a: peers.b: a session over TCP: give a or b bgp_listen, ADDRESS:PORT" },
	{ TWO(", peers: {b: {tunnel: true}}", ", peers: {a: {tunnel: false}}"), 5, "PeerMismatch",
	    "nva a: peers.b: b says something else about tunnel of this session" },
	{ TWO(", bgp_listen: '127.0.1.1:179'", ", bgp_listen: '127.0.1.1:179'"), 6, "EndpointInUse",
	    "nva b: bgp_listen: 127.0.1.1:179 is where nva a listens" },
	{ "sites: {dc: {asn: 64900}}\n", 1, "SiteAddressMissing",
	    "site dc: give it ip or prefixes; its router needs an address" },
};

static const struct topo_case warning_cases[] = {
	{ VPN2("{b: {gateway: h}}", "65010", "{}"), 6, "ConnectionWithoutCounterpart",
	    "gateway g: connections.b: gateway h has no connection with g; there is no tunnel "
	    "(VPN-3)" },
	/* OPEN-1 */
	{ "vnets: {h: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/27}}}\n"
	    "route_servers: {rs: {vnet: h}}\n", 2, "RouteServerSubnetTooSmall",
	    "route_server rs: vnet: RouteServerSubnet 10.1.0.0/27 works, but /26 is the documented "
	    "minimum (OPEN-1)" },
	/* OPEN-4 */
	{ NET NVA("65516") RS, 5, "ReservedAsn",
	    "route_server rs: peers.a: older documentation reserves ASN 65516 (OPEN-4)" },
	{ NET NVA("65001") "route_servers: {rs: {vnet: hub, peers: {a: {peer_asn: 65002}}}}\n", 5,
	    "PeerAsnMismatch",
	    "route_server rs: peers.a: NVA a has ASN 65001, not 65002; the session will not come "
	    "up" },
	{ NET "route_servers: {rs: {vnet: hub, bgp_listen: ['127.0.0.1:1790', '127.0.0.2:1790'], "
	    "peers: {x: {peer_ip: 10.1.2.9, peer_asn: 65001}}}}\n", 4, "PeerIpWithoutNic",
	    "route_server rs: peers.x: no NIC has address 10.1.2.9 (RS-37)" },
	/* UDR-3 */
	{ TABLED("empty", "      a: {prefix: 0.0.0.0/0, next_hop: VirtualAppliance 10.1.2.9}\n"), 12,
	    "NextHopWithoutNic",
	    "route_table rt: routes.a.next_hop: no NIC has address 10.1.2.9; packets are dropped" },
	{ TABLED("empty", "      a: {prefix: 0.0.0.0/0, next_hop: VirtualAppliance 10.1.2.4}\n")
	    "vms: {v: {subnet: hub/nva, ip: 10.1.2.4}}\n", 12, "NextHopDoesNotForward",
	    "route_table rt: routes.a.next_hop: v has address 10.1.2.4 but not ip_forwarding; "
	    "packets are dropped (UDR-3)" },
	/* ER-34, ER-35, ER-36 */
	{ "vnets: {h: {address_space: 10.1.0.0/16, subnets: {GatewaySubnet: 10.1.0.0/28}}}\n"
	    "gateways: {g: {vnet: h, type: ExpressRoute}}\n", 2, "GatewaySubnetTooSmall",
	    "gateway g: vnet: GatewaySubnet 10.1.0.0/28 works, but /27 is recommended (ER-34)" },
	{ TABLED("rt", "      a: {prefix: 10.1.1.0/24, next_hop: None}\n"), 6,
	    "GatewaySubnetCovered", "vnet hub: subnets.GatewaySubnet.route_table: route a 10.1.1.0/24 "
	    "covers GatewaySubnet or the gateway's public address (ER-35)" },
	{ TABLED("rt", "      a: {prefix: 203.0.113.0/24, next_hop: None}\n")
	    "gateways: {g: {vnet: hub, type: Vpn}}\n", 6, "GatewaySubnetCovered",
	    "vnet hub: subnets.GatewaySubnet.route_table: route a 203.0.113.0/24 covers "
	    "GatewaySubnet or the gateway's public address (ER-35)" },
	{ TABLED("rt", "      a: {prefix: 10.1.0.0/24, next_hop: None}\n")
	    "route_servers: {rs: {vnet: hub}}\n", 6, "RouteServerSubnetCovered",
	    "vnet hub: subnets.GatewaySubnet.route_table: route a 10.1.0.0/24 catches the sessions "
	    "between gateway and Route Server; add a route for RouteServerSubnet to VnetLocal "
	    "(ER-36)" },
	/* ER-37 */
	{ TABLED("empty", "      a: {prefix: 172.16.0.0/12, next_hop: VirtualNetworkGateway}\n")
	    "gateways: {er: {vnet: hub, type: ExpressRoute}, vpn: {vnet: hub, type: Vpn}}\n", 12,
	    "VirtualNetworkGatewayHopUnsupported",
	    "route_table rt: routes.a.next_hop: VirtualNetworkGateway is not supported where VPN and "
	    "ExpressRoute coexist, as for subnet hub/nva (ER-37)" },
	{ TWO(", advertise: [{prefix: 0.0.0.0/0, to: [b]}]", ""), 5, "NotAPeer",
	    "nva a: advertise.0.to: b is not a peer of a; nothing is announced to it" },
};

/* clang-format on */

#define CASES(name)                                                                                \
	static void test_##name(void)                                                              \
	{                                                                                          \
		TOPO_REFUSED(name##_cases);                                                        \
	}

CASES(reference)
CASES(name)
CASES(vnet)
CASES(address)
CASES(peering)
CASES(table)
CASES(server)
CASES(gateway)
CASES(router)

/* RS-41: the private ASNs that are left, at their borders, and public ones. */
static void
test_usable_asns(void)
{
	static const char *const asns[] = { "64512", "65514", "65521", "65534", "1", "64495",
		"8073", "12075" };
	char text[1024];

	for (size_t i = 0; i < sizeof(asns) / sizeof(asns[0]); i++) {
		struct topo *t;

		snprintf(text, sizeof(text),
		    "%snvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: %s}}\n%s", NET, asns[i], RS);
		t = topo_case_build(text, strlen(text));
		topo_case_print(asns[i], &topo_case_errors);
		CU_ASSERT_PTR_NOT_NULL(t);
		CU_ASSERT_EQUAL(topo_case_warnings.n, 0);
		topo_free(t);
	}
}

static void
test_warnings(void)
{
	TOPO_WARNED(warning_cases);
}

/* RS-41; 65516 between them is OPEN-4. */
static void
test_rs41_private_asns(void)
{
	static const char *const asns[] = { "64512", "65001", "65514", "65521", "65534" };
	char text[512];

	for (size_t i = 0; i < sizeof(asns) / sizeof(asns[0]); i++) {
		struct topo *t;

		snprintf(text, sizeof(text),
		    NET "nvas: {a: {subnet: hub/nva, ip: 10.1.2.4, asn: %s}}\n" RS, asns[i]);
		t = topo_case_build(text, strlen(text));
		topo_case_print(asns[i], &topo_case_errors);
		topo_case_print(asns[i], &topo_case_warnings);
		CU_ASSERT_PTR_NOT_NULL(t);
		CU_ASSERT_EQUAL(topo_case_warnings.n, 0);
		topo_free(t);
	}
}

/* A map of rs that is on the peer a, with one rule. */
#define MAP(rule)                                                                                  \
	NET NVA("65001") "route_maps:\n  m:\n    route_server: rs\n    rules:\n      - " rule "\n" \
			 "route_servers: {rs: {vnet: hub, peers: {a: {inbound_map: m}}}}\n"
#define FAR                                                                                        \
	NET "peerings: [{from: hub, to: spoke}, {from: spoke, to: hub}]\n"                         \
	    "nvas: {a: {subnet: spoke/vms, ip: 10.11.0.4, asn: 65001}}\n"
#define HUB2                                                                                       \
	"  hub2: {address_space: 10.2.0.0/16, subnets: {RouteServerSubnet: 10.2.0.0/26, "          \
	"GatewaySubnet: 10.2.1.0/26, nva: 10.2.2.0/24}}\n"

static const struct topo_case map_cases[] = {
	/* RM-7 */
	{ MAP("actions: {type: Drop, prefixes: 10.0.0.0/8}"), 9, "InvalidRouteMapAction",
	    "route_map m: rules.0.actions.0: Drop takes no list (RM-7)" },
	{ MAP("actions: Add"), 9, "InvalidRouteMapAction",
	    "route_map m: rules.0.actions.0: name one of prefixes, as_path and communities "
	    "(RM-7)" },
	{ MAP("actions: {type: Add, as_path: 3320, communities: ['65001:1']}"), 9,
	    "InvalidRouteMapAction",
	    "route_map m: rules.0.actions.0: name one of prefixes, as_path and communities "
	    "(RM-7)" },
	{ MAP("actions: {type: Add, prefixes: 10.0.0.0/8}"), 9, "InvalidRouteMapAction",
	    "route_map m: rules.0.actions.0: prefixes can only be replaced (RM-7)" },
	{ MAP("actions: {type: Remove, as_path: 3320}"), 9, "InvalidRouteMapAction",
	    "route_map m: rules.0.actions.0: of an AS path nothing can be removed; replace it "
	    "(RM-7)" },
	/* RM-8 */
	{ MAP("actions: {type: Add, as_path: 65001}"), 9, "InvalidRouteMapAsn",
	    "route_map m: rules.0.actions.0: ASN 65001 is private or reserved and cannot be put "
	    "into a path (RM-8)" },
	{ MAP("actions: {type: Replace, as_path: 65515}"), 9, "InvalidRouteMapAsn",
	    "route_map m: rules.0.actions.0: ASN 65515 is private or reserved and cannot be put "
	    "into a path (RM-8)" },
	{ MAP("actions: {type: Add, as_path: 12076}"), 9, "InvalidRouteMapAsn",
	    "route_map m: rules.0.actions.0: ASN 12076 is private or reserved and cannot be put "
	    "into a path (RM-8)" },
	{ MAP("actions: {type: Add, as_path: 200000}"), 9, "InvalidRouteMapAsn",
	    "route_map m: rules.0.actions.0: ASN 200000 does not fit in 16 bits (RM-8)" },
	{ MAP("match: {condition: Contains, as_path: 200000}"), 9, "InvalidRouteMapAsn",
	    "route_map m: rules.0.match.0: ASN 200000 does not fit in 16 bits (RM-8)" },
	/* RS-80 */
	{ MAP("actions: {type: Remove, communities: ['65517:65517']}"), 9,
	    "InvalidRouteMapCommunity",
	    "route_map m: rules.0.actions.0: 65517:65517 is a marker of the platform and cannot be "
	    "removed (RS-80)" },
	/* RM-1 */
	{ NET "route_servers: {rs: {vnet: hub}}\nroute_maps: {m: {route_server: rs9}}\n", 5,
	    "UnknownReference",
	    "route_map m: route_server: there is no route_server \"rs9\"; did "
	    "you mean \"rs\"?" },
	{ NET NVA("65001") "route_servers: {rs: {vnet: hub, peers: {a: {inbound_map: m}}}}\n", 5,
	    "UnknownReference",
	    "route_server rs: peers.a.inbound_map: there is no route_map \"m\"" },
	{ "vnets:\n" HUB HUB2 NVA("65001") "route_servers:\n  rs: {vnet: hub, peers: {a: "
					   "{outbound_map: m}}}\n  rs2: {vnet: hub2}\nroute_maps: "
					   "{m: {route_server: rs2}}\n",
	    6, "RouteMapOfAnotherRouteServer",
	    "route_server rs: peers.a: route map m belongs to Route Server rs2" },
	{ "vnets:\n" HUB HUB2 "route_servers: {rs: {vnet: hub}}\nroute_maps: {m: {route_server: "
	  "rs}}\nsites: {dc: {asn: 64900, ip: 172.20.0.1}}\ncircuits: {c: {site: dc}}\n"
	  "gateways: {g: {vnet: hub2, type: ExpressRoute, circuits: {c: {inbound_map: m}}}}\n",
	    8, "RouteMapWithoutRouteServer",
	    "gateway g: circuits.c: route map m needs its Route Server rs in this VNet (RM-1)" },
	/* RM-10 */
	{ "vnets:\n" HUB "route_servers: {rs: {vnet: hub}}\nroute_maps: {m: {route_server: rs}}\n"
	  "sites: {far: {asn: 65010, ip: 172.20.0.1}}\ngateways: {g: {vnet: hub, type: Vpn, "
	  "active_active: true, connections: {far: {type: Vnet2Vnet, outbound_map: m}}}}\n",
	    6, "InvalidRoutingConfigurationForConnectionType",
	    "gateway g: connections.far: a connection of type Vnet2Vnet takes no route maps "
	    "(RM-10)" },
	/* RM-11 */
	{ NET "sites: {dc: {asn: 64900, ip: 172.20.0.1}}\n"
	      "circuits: {c: {site: dc, inbound_map: m}}\n",
	    5, "UnknownKey",
	    "circuit c: inbound_map: unknown key; known are site, premium, maintenance, bfd, "
	    "links, nic_next_hop" },
	/* RM-12, OPEN-20 */
	{ FAR "route_servers: {rs: {vnet: hub, peers: {a: {inbound_map: m}}}}\n"
	      "route_maps: {m: {route_server: rs}}\n",
	    6, "HubBgpConnectionFromSpokeVnetCannotReferenceRouteMap",
	    "route_server rs: peers.a: a is in VNet spoke; only peers in hub take route maps "
	    "(RM-12)" },
	{ FAR "route_servers: {rs: {vnet: hub, route_map_tier: true, peers: [a]}}\n", 6,
	    "HubBgpConnectionMustReferenceFullyProvisionedHubVirtualNetworkConnection",
	    "route_server rs: peers.a: a is in VNet spoke and needs hub_connection (RM-12)" },
	{ FAR "route_servers: {rs: {vnet: hub, route_map_tier: true, peers: {a: {hub_connection: "
	      "true}}}}\n",
	    6, "VNetPeeringInFailedState",
	    "route_server rs: peers.a: hub_connection needs use_remote_gateways in the peering of "
	    "spoke with hub (RM-12)" },
};

static void
test_maps(void)
{
	static const char *const good[] = {
		/* RM-8: public ASNs of 16 bits; RM-3: a rule may do nothing but end */
		MAP("{match: {condition: Equals, as_path: [65001, 65002]}, actions: [{type: Add, "
		    "as_path: [3320, 3320]}, {type: Replace, as_path: []}]}"),
		MAP("{match: [{condition: NotContains, prefixes: 10.0.0.0/8}], next: Terminate}"),
		MAP("actions: {type: Replace, prefixes: 10.200.0.0/16}"),
		/* OPEN-20: without the tier a directly peered VNet is enough */
		FAR "route_servers: {rs: {vnet: hub, peers: [a]}}\n",
		NET "peerings: [{hub: hub, spoke: spoke}]\n"
		    "nvas: {a: {subnet: spoke/vms, ip: 10.11.0.4, asn: 65001}}\n"
		    "route_servers: {rs: {vnet: hub, route_map_tier: true, peers: {a: "
		    "{hub_connection: true}}}}\n",
		/* OPEN-13 */
		"vnets:\n" HUB "sites: {far: {asn: 65010, ip: 172.20.0.1}}\ngateways: {g: {vnet: "
		"hub, type: Vpn, connections: {far: {type: Vnet2Vnet}}}}\n",
	};

	TOPO_REFUSED(map_cases);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct topo *t = topo_case_build(good[i], strlen(good[i]));

		topo_case_print(good[i], &topo_case_errors);
		CU_ASSERT_PTR_NOT_NULL(t);
		topo_free(t);
	}
}

#define VPN(keys)                                                                                  \
	"sites: {dc: {asn: 64900, ip: 172.20.0.1}}\n" NET                                          \
	"gateways: {g: {vnet: hub, type: Vpn, connections: [dc], " keys "}}\n"

static const struct topo_case sku_cases[] = {
	{ VPN("sku: VpnGw2"), 5, "NonAzSkusNotAllowedForVPNGateway",
	    "gateway g: sku: VpnGw2 is not for new gateways; take VpnGw2AZ (ERR-11)" },
	{ VPN("zonal_public_ip: false"), 5, "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
	    "gateway g: zonal_public_ip: sku VpnGw1AZ needs public addresses with zones (ERR-11)" },
	{ VPN("sku: Basic"), 5, "BasicSkuWithoutBgp",
	    "gateway g: connections.dc: sku Basic has no BGP (VPN-21)" },
	{ NET "gateways: {g: {vnet: hub, type: ExpressRoute, sku: VpnGw1AZ}}\n", 4,
	    "WrongGatewayType", "gateway g: sku: VpnGw1AZ is for gateways of type Vpn" },
};

static void
test_skus(void)
{
	TOPO_REFUSED(sku_cases);
}

/* UDR-5: 25 routes to service tags in a table; they count as one each for UDR-6. */
static void
test_service_tag_limit(void)
{
	static char text[8192];

	for (unsigned n = 25; n <= 26; n++) {
		size_t at = (size_t)snprintf(
		    text, sizeof(text), "limits: {routes_per_table: 26}\nservice_tags:\n");
		struct topo *t;

		for (unsigned i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    "  - {tag: T%u, prefixes: [20.%u.0.0/16, 21.%u.0.0/16]}\n", i, i, i);
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, "route_tables:\n  rt:\n    routes:\n");
		for (unsigned i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at,
			    "      r%u: {prefix: T%u, next_hop: Internet}\n", i, i);
		t = topo_case_build(text, at);
		CU_ASSERT_EQUAL(t != NULL, n == 25);
		if (t != NULL) {
			CU_ASSERT_EQUAL(t->tables[0].n_routes, 50);
		} else {
			CU_ASSERT_EQUAL(topo_case_errors.n, 1);
			CU_ASSERT_STRING_EQUAL(
			    topo_case_errors.e[0].code, "ServiceTagsPerTableLimitReached");
			CU_ASSERT(topo_case_documented("ServiceTagsPerTableLimitReached"));
		}
		topo_free(t);
	}
}

static CU_TestInfo tests[] = {
	{ "UDR-5: so many service tags in a table", test_service_tag_limit },
	{ "gateway SKUs: ERR-11, VPN-21", test_skus },
	{ "references lead somewhere", test_reference },
	{ "names are unique across processes", test_name },
	{ "VNets and subnets: ERR-4", test_vnet },
	{ "NIC addresses: ARM-6, ERR-5", test_address },
	{ "peerings: PEER-3, PEER-9, PEER-10, PEER-12, PEER-13", test_peering },
	{ "route tables: UDR-3, UDR-4, UDR-5, UDR-6, RS-6, ER-35, ER-37", test_table },
	{ "RS-41: private ASNs that a Route Server takes", test_rs41_private_asns },
	{ "Route Servers: RS-4, RS-5, RS-7, ERR-9, RS-20, RS-24, RS-34, RS-37, RS-38, RS-40, RS-43",
	    test_server },
	{ "usable ASNs: RS-41", test_usable_asns },
	{ "route maps: RM-1, RM-7, RM-8, RM-10, RM-11, RM-12, RS-80, OPEN-20, ERR-10", test_maps },
	{ "gateways and circuits: ER-1, ER-2, ER-19, ER-33, ER-34, VPN-2, VPN-3, VPN-6, B2B-3",
	    test_gateway },
	{ "NVAs and sites: timers, transports, addresses", test_router },
	{ "warnings: OPEN-1, OPEN-4, RS-37, UDR-3, ER-34, ER-35, ER-36", test_warnings },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("topo_check", tests)
