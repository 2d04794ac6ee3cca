#ifndef GATEWAYD_GW_POLICY_H
#define GATEWAYD_GW_POLICY_H
/*
 * What gateways and MSEEs do with single routes: pure functions of configuration and attributes,
 * one group per role. gw_er.c, gw_vpn.c and gw_msee.c feed them from a speaker.
 *
 * Weights: the routing weight of a connection (ER-18) is the weight of its routes here. Over iBGP
 * it travels as LOCAL_PREF, GW_LOCAL_PREF plus the weight, so that the Route Server and the sibling
 * instance prefer what this gateway prefers.
 */
#include "lib/bgp_speaker.h"
#include "lib/wire_conf.h"

#define GW_LOCAL_PREF 100u

/* Tags of own routes; a static connection (VPN-6) is GW_OWN_STATIC plus its index. */
enum gw_own {
	GW_OWN_VNET,  /* ER-10, VPN-8 */
	GW_OWN_SPOKE, /* VNets peered with gateway transit */
	GW_OWN_P2S,   /* VPN-20 */
	GW_OWN_PEER,  /* /32 of a BGP peer, for listings only (VPN-5, VPN-15) */
	GW_OWN_STATIC = 16,
};

/* Address space of VNets, which route maps leave alone (RM-9). */
static inline bool
gw_is_address_space(bool own, uint32_t tag)
{
	return own && tag < GW_OWN_STATIC;
}

/* A route as policy sees it: from is NULL for own routes, tag then says which. */
struct gw_route {
	const struct wire_peer *from;
	uint32_t tag;
	uint32_t weight;
	const struct bgp_attr_spec *attrs;
};

/* Order of preference between kinds of paths of one prefix. */
enum gw_rank { GW_RANK_VNET, GW_RANK_BRANCH, GW_RANK_ROUTE_SERVER, GW_RANK_SIBLING };
enum gw_rank gw_rank(const struct gw_route *r);

/* Number of the MSEE that a peer is within its circuit: 0 primary, 1 secondary (ER-16: neighbour
 * addresses ascend). */
unsigned gw_msee_number(const struct wire_conf *conf, const struct wire_peer *msee);
/* Index of the peer's circuit in conf->gw->circuits; -1 if there is none. */
int gw_circuit_index(const struct wire_conf *conf, const struct wire_peer *msee);

/* All best routes, best first: rank, weight (ER-18), AS path length, all equal ones (ECMP). Among
 * equals instance 0 puts the primary MSEE first and instance 1 the secondary, so that a Route
 * Server with a session to each learns both next hops of a prefix (ER-19). */
size_t gw_select(
    const struct wire_conf *conf, const struct gw_route *routes, size_t n, uint16_t *winners);

/* VPN-10: equal to or inside the gateway's VNet or a VNet that uses its transit. */
bool gw_is_vnet_prefix(const struct wire_conf *conf, const struct ipnet *p);

/* What import policy makes of a route beside its attributes. */
struct gw_import {
	enum hrp_source source;
	uint32_t weight;
};

/*
 * ExpressRoute gateway, sections 3.2 and 3.3 of the semantics:
 *
 *	MSEE -> Route Server, sibling     12076 64900, next hop the MSEE as NICs see it (ER-19)
 *	own, Route Server -> MSEE         65515 ... (ER-10, ER-11, ER-12)
 *
 * Nothing goes from one MSEE to another: circuits are not joined by a gateway (B2B-9, ER-32).
 *
 * import: false rejects; out starts as a copy of what came. export: false is not for this peer; out
 * starts as a copy of r->attrs.
 */
bool gw_er_import(const struct wire_conf *conf, const struct wire_peer *from,
    struct bgp_attr_spec *out, struct gw_import *mark);
bool gw_er_export(const struct wire_conf *conf, const struct gw_route *r,
    const struct wire_peer *to, struct speaker_scratch *buf, struct bgp_attr_spec *out);
/* Whether a route counts against ER-21: it goes to MSEEs. */
bool gw_er_goes_out(const struct gw_route *r);

/*
 * VPN gateway, section 4:
 *
 *	site -> other sites, Route Server, sibling   VPN-9, B2B-6, VPN-13
 *	Route Server -> sites                        65515 65001 (B2B-7)
 *	own prefixes -> sites                        VPN-8
 *	prefixes of static connections (VPN-6) -> sites of other connections, Route Server
 *	P2S pools (VPN-20) -> sites; to the Route Server with NO_ADVERTISE: its NICs need them, but
 *	    they are not exchanged with ExpressRoute or NVAs (B2B-6, B2B-8, RS-78)
 *
 * The gateway of another VNet is a site to this one, and this one to it: what the Route Server
 * hands over crosses, or does not (OPEN-13).
 *
 * 0/0 is taken (VPN-11) and never passed on to a site (VPN-12).
 */
bool gw_vpn_import(const struct wire_conf *conf, const struct wire_peer *from,
    struct bgp_attr_spec *out, struct gw_import *mark);
/* Whether a prefix may go to this peer: VPN-8, VPN-12. */
bool gw_vpn_export_prefix(const struct wire_conf *conf, const struct gw_route *r,
    const struct wire_peer *to, const struct ipnet *prefix);
bool gw_vpn_export(const struct wire_conf *conf, const struct gw_route *r,
    const struct wire_peer *to, struct speaker_scratch *buf, struct bgp_attr_spec *out);
/* Next hop of NICs to this gateway: its BGP address, active-standby its public one (VPN-14). */
uint32_t gw_vpn_nic_next_hop(const struct wire_conf *conf);

/*
 * MSEE, section 3.1:
 *
 *	customer -> gateways   12076 64900, any length and 0/0 (ER-7); communities of the customer
 *	                       are ignored (ER-8)
 *	gateway -> customer    12076: private ASNs removed (ER-11), public ones too or not (OPEN-17)
 *
 * Prefixes of one gateway are not reflected to another (ER-30): new gateways block them by default
 * (ER-31).
 */
bool gw_msee_import(const struct wire_conf *conf, const struct wire_peer *from,
    struct bgp_attr_spec *out, struct gw_import *mark);
bool gw_msee_export(const struct wire_conf *conf, const struct gw_route *r,
    const struct wire_peer *to, struct speaker_scratch *buf, struct bgp_attr_spec *out);

#endif
