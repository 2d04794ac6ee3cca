#ifndef TESTS_UNIT_FC_PLAN_H
#define TESTS_UNIT_FC_PLAN_H
/*
 * The reference address plan of the semantics document as a topology, in pieces, and the rows that
 * many effective-route tables of it share.
 */

#define HUB1                                                                                       \
	"vnets:\n"                                                                                 \
	"  hub1:\n"                                                                                \
	"    address_space: 10.1.0.0/16\n"                                                         \
	"    subnets:\n"                                                                           \
	"      RouteServerSubnet: 10.1.0.0/26\n"                                                   \
	"      GatewaySubnet: 10.1.1.0/26\n"                                                       \
	"      nva: 10.1.2.0/24\n"                                                                 \
	"      outside: 10.1.3.0/24\n"                                                             \
	"      work: 10.1.10.0/24\n"                                                               \
	"      out: {prefix: 10.1.11.0/24, route_table: rt-internet}\n"                            \
	"      still: {prefix: 10.1.12.0/24, route_table: rt-still}\n"
#define SPOKES                                                                                     \
	"  s11: {address_space: 10.11.0.0/16, subnets: {vms: 10.11.0.0/24, udr: {prefix: "         \
	"10.11.1.0/24, route_table: rt-udr}}}\n"                                                   \
	"  s12: {address_space: 10.12.0.0/16, subnets: {vms: 10.12.0.0/24}}\n"
#define PEERINGS "peerings: [{hub: hub1, spoke: [s11, s12]}]\n"
#define TABLES                                                                                     \
	"route_tables:\n"                                                                          \
	"  rt-internet: {routes: {out: {prefix: 0.0.0.0/0, next_hop: Internet}}}\n"                \
	"  rt-still: {disable_bgp_route_propagation: true}\n"                                      \
	"  rt-udr:\n"                                                                              \
	"    routes:\n"                                                                            \
	"      all: {prefix: 10.0.0.0/8, next_hop: VirtualAppliance 10.1.2.4}\n"                   \
	"      local: {prefix: 10.11.0.0/16, next_hop: VirtualAppliance 10.1.2.4}\n"               \
	"      drop: {prefix: 10.1.2.128/25, next_hop: None}\n"                                    \
	"      vpn: {prefix: 172.21.0.0/16, next_hop: VirtualNetworkGateway}\n"
#define RS "route_servers: {rs1: {vnet: hub1, branch_to_branch: true, peers: [nva1, nva2]}}\n"
#define NVAS                                                                                       \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001}\n"                                   \
	"  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001}\n"
#define VMS                                                                                        \
	"vms:\n"                                                                                   \
	"  vm11: {subnet: s11/vms, ip: 10.11.0.4}\n"                                               \
	"  udr11: {subnet: s11/udr, ip: 10.11.1.4}\n"                                              \
	"  off11: {subnet: s11/vms, ip: 10.11.0.9, running: false}\n"                              \
	"  vm12: {subnet: s12/vms, ip: 10.12.0.4}\n"                                               \
	"  work1: {subnet: hub1/work, ip: 10.1.10.4}\n"                                            \
	"  out1: {subnet: hub1/out, ip: 10.1.11.4}\n"                                              \
	"  still1: {subnet: hub1/still, ip: 10.1.12.4}\n"

#define PLAN HUB1 SPOKES PEERINGS TABLES RS NVAS VMS

/* Rows that many tables share. */
#define D_S11      "Default Active 10.11.0.0/16 VnetLocal\n"
#define D_S12      "Default Active 10.12.0.0/16 VnetLocal\n"
#define D_HUB      "Default Active 10.1.0.0/16 VNetPeering\n"
#define D_INTERNET "Default Active 0.0.0.0/0 Internet\n"
#define D_HUB_VM                                                                                   \
	"Default Active 10.1.0.0/16 VnetLocal\n"                                                   \
	"Default Active 10.11.0.0/16 VNetPeering\n"                                                \
	"Default Active 10.12.0.0/16 VNetPeering\n"
#define NONE      "13 None\n"
#define VIA(p, h) "VirtualNetworkGateway Active " p " VirtualNetworkGateway " h "\n"

#endif
