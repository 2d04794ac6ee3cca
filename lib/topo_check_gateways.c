/*
 * Rules about Route Servers, gateways and circuits (RS-*, ER-*, VPN-*, B2B-3).
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- AS numbers ---- */

static bool
in_range(uint32_t v, uint32_t low, uint32_t high)
{
	return v >= low && v <= high;
}

/* Reserved by IANA: AS_TRANS, documentation (RFC 5398), 65535 and 65536 ... 65551. */
bool
topo_asn_is_iana_reserved(uint32_t asn)
{
	return asn == 0 || asn == 23456 || in_range(asn, 64496, 64511) ||
	       in_range(asn, 65535, 65551) || asn == UINT32_MAX;
}

/* RS-40, VPN-3; 65516 is no longer in the list (OPEN-4). */
bool
topo_asn_is_azure_reserved(uint32_t asn)
{
	return asn == 8074 || asn == 8075 || asn == TOPO_MSEE_ASN || asn == TOPO_RSV_ASN ||
	       in_range(asn, 65517, 65520);
}

/* ---- Route Servers ---- */

/* RS-24: this VNet and those that use it. */
static void
check_server_vnets(struct topo_build *b, size_t i)
{
	const struct topo *t = b->t;
	uint32_t n = 1;

	for (size_t k = 0; k < t->n_vnets; k++)
		n += t->vnets[k].scope == t->servers[i].vnet && (int)k != t->servers[i].vnet;
	if (n > t->limits.rs_vnets)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, "/vnet", "RouteServerVnetLimitReached",
		    "%u VNets use it; the limit is %u (RS-24)", n, t->limits.rs_vnets);
}

/* RS-4, RS-5, RS-7, ERR-9, OPEN-1. */
static void
check_server_place(struct topo_build *b, size_t i)
{
	const struct topo_route_server *s = &b->t->servers[i];
	const struct topo_vnet *v = &b->t->vnets[s->vnet];
	char p[IPNET_STRLEN];
	uint8_t len;

	if (strcmp(topo_get_text(b->props[TOPO_ROUTE_SERVER][i], "public_ip_sku"), "Basic") == 0)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, "/public_ip_sku", "InvalidOperation",
		    "PutHubIpConfiguration: the public address must be of SKU Standard (RS-7)");
	if (v->route_server != (int)i)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, "/vnet", "VnetAlreadyHasRouteServer",
		    "VNet %.64s has Route Server %.64s already (RS-4)", v->name,
		    b->t->servers[v->route_server].name);
	else
		check_server_vnets(b, i);
	if (v->route_server_subnet < 0) {
		topo_build_error(b, TOPO_ROUTE_SERVER, i, "/vnet", "RouteServerSubnetMissing",
		    "VNet %.64s has no subnet RouteServerSubnet, /26 or larger (RS-5)", v->name);
		return;
	}
	len = v->subnets[v->route_server_subnet].prefix.len;
	ipnet_format(p, v->subnets[v->route_server_subnet].prefix);
	if (len > 27 || (len == 27 && b->t->strict))
		topo_build_error(b, TOPO_ROUTE_SERVER, i, "/vnet", "RouteServerSubnetTooSmall",
		    "RouteServerSubnet %s is too small; /26 is the minimum (RS-5)", p);
	else if (len == 27)
		topo_build_warn(b, TOPO_ROUTE_SERVER, i, "/vnet", "RouteServerSubnetTooSmall",
		    "RouteServerSubnet %s works, but /26 is the documented minimum (OPEN-1)", p);
}

/* RS-34, RS-40 ... RS-43, ERR-13. */
static void
check_peer_asn(struct topo_build *b, size_t i, const struct topo_rs_peer *p, const char *pointer)
{
	if (p->peer_asn > 65535)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "InvalidPeerAsn",
		    "ASN %u does not fit in 16 bits (RS-34)", p->peer_asn);
	else if (topo_asn_is_azure_reserved(p->peer_asn) || topo_asn_is_iana_reserved(p->peer_asn))
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "InvalidPeerAsn",
		    "ASN %u is reserved (RS-40); take one of 64512-65514 or 65521-65534",
		    p->peer_asn);
	else if (p->peer_asn == 65516)
		topo_build_warn(b, TOPO_ROUTE_SERVER, i, pointer, "ReservedAsn",
		    "older documentation reserves ASN 65516 (OPEN-4)");
	if (p->nva >= 0 && p->peer_asn != b->t->nvas[p->nva].asn)
		topo_build_warn(b, TOPO_ROUTE_SERVER, i, pointer, "PeerAsnMismatch",
		    "NVA %.64s has ASN %u, not %u; the session will not come up", p->name,
		    b->t->nvas[p->nva].asn, p->peer_asn);
}

/* RS-37, RS-38, ERR-13. */
static void
check_peer_ip(struct topo_build *b, size_t i, const struct topo_rs_peer *p, const char *pointer)
{
	const struct topo *t = b->t;
	const struct topo_vnet *v = &t->vnets[t->servers[i].vnet];
	char a[IPADDR_STRLEN];
	bool known = b->complete[TOPO_VNET] && b->complete[TOPO_PEERING];

	ipaddr_format(a, p->peer_ip);
	if (p->vnet < 0 && known)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "InvalidPeerIp",
		    "%s is neither in VNet %.64s nor in one that is peered with it (RS-38)", a,
		    v->name);
	else if (p->nva >= 0 && p->peer_ip != t->nvas[p->nva].ip)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "InvalidPeerIp",
		    "%s is not the address of NVA %.64s (RS-37)", a, p->name);
	else if (p->nva < 0 && p->vnet >= 0 && topo_find_nic_by_ip(t, p->vnet, p->peer_ip) < 0)
		topo_build_warn(b, TOPO_ROUTE_SERVER, i, pointer, "PeerIpWithoutNic",
		    "no NIC has address %s (RS-37)", a);
	if (v->route_server_subnet >= 0 &&
	    ipnet_has_addr(v->subnets[v->route_server_subnet].prefix, p->peer_ip))
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "InvalidPeerIp",
		    "%s is in RouteServerSubnet", a);
}

static void
check_peer_transport(
    struct topo_build *b, size_t i, const struct topo_rs_peer *p, const char *pointer)
{
	const struct topo_route_server *s = &b->t->servers[i];
	bool foreign = p->nva >= 0 && b->t->nvas[p->nva].foreign;

	if (p->transport == TOPO_NNG && (foreign || p->transport_port != 0))
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "TransportConflict",
		    foreign ? "%.64s runs software of its own, which speaks BGP over TCP only"
			    : "%.64s: transport_port is for transport tcp",
		    p->name);
	if (p->transport_port != 0 && p->transport_address == 0)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "TransportAddressMissing",
		    "transport_port needs transport_address");
	if (p->transport == TOPO_TCP && p->transport_port == 0 && s->bgp_listen[0].port == 0)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, "BgpListenMissing",
		    "%.64s dials over TCP: give the Route Server bgp_listen, two of ADDRESS:PORT",
		    p->name);
}

/* Addresses that tell the peers of one Route Server apart; 0: none. */
static void
check_distinct(struct topo_build *b, size_t i, const char *code, const char *what,
    uint32_t (*address)(const struct topo_rs_peer *))
{
	const struct topo_route_server *s = &b->t->servers[i];
	struct topo_span *v = topo_arena_alloc(b->arena, s->n_peers, sizeof(*v));
	struct topo_clash clash = { 0 };
	char pointer[TOPO_POINTER_MAX], a[IPADDR_STRLEN];

	for (size_t k = 0; v != NULL && k < s->n_peers; k++)
		v[k] = (struct topo_span){ { address(&s->peers[k]), 32 }, k };
	while (v != NULL && topo_span_clash(v, s->n_peers, &clash)) {
		if (clash.b->net.addr == 0)
			continue;
		snprintf(pointer, sizeof(pointer), "/peers/%s", s->peers[clash.b->tag].name);
		topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer, code,
		    "peer %.64s has %s %s already", s->peers[clash.a->tag].name, what,
		    ipaddr_format(a, clash.b->net.addr));
	}
}

static uint32_t
peer_ip(const struct topo_rs_peer *p)
{
	return p->peer_ip;
}

/* RS-36: who connects over TCP is known by the address that he comes from. */
static uint32_t
peer_source(const struct topo_rs_peer *p)
{
	return p->transport == TOPO_TCP ? p->transport_address : 0;
}

static void
check_server_peers(struct topo_build *b, size_t i)
{
	const struct topo_route_server *s = &b->t->servers[i];
	char pointer[TOPO_POINTER_MAX];

	/* RS-20, ERR-7. */
	if (s->n_peers > b->t->limits.bgp_peers)
		topo_build_error(b, TOPO_ROUTE_SERVER, i, "/peers",
		    "MaximumLocalNetworkSitesLimitReachedForGateway",
		    "%zu peers; the limit is %u (RS-20)", s->n_peers, b->t->limits.bgp_peers);
	for (size_t k = 0; k < s->n_peers; k++) {
		const struct topo_rs_peer *p = &s->peers[k];

		snprintf(pointer, sizeof(pointer), "/peers/%s", p->name);
		if (p->peer_ip == 0 || p->peer_asn == 0) {
			/* MR-1: not even another Route Server */
			if (topo_doc_find(b->doc, TOPO_NVA, p->name) == NULL)
				topo_build_error(b, TOPO_ROUTE_SERVER, i, pointer,
				    "UnknownReference",
				    "there is no NVA \"%.64s\"; name one, or give peer_ip and "
				    "peer_asn",
				    p->name);
			continue;
		}
		check_peer_asn(b, i, p, pointer);
		if (s->vnet >= 0)
			check_peer_ip(b, i, p, pointer);
		check_peer_transport(b, i, p, pointer);
	}
	check_distinct(b, i, "DuplicatePeerIp", "address", peer_ip);
	check_distinct(b, i, "DuplicateTransportAddress", "transport_address", peer_source);
}

void
topo_check_servers(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_servers; i++) {
		if (b->t->servers[i].vnet >= 0)
			check_server_place(b, i);
		check_server_peers(b, i);
	}
}

/* ---- gateways ---- */

/* ER-34: one gateway of a type, in a GatewaySubnet that has room for all addresses. */
static void
check_gateway_place(struct topo_build *b, size_t i)
{
	const struct topo_gateway *g = &b->t->gateways[i];
	const struct topo_vnet *v = &b->t->vnets[g->vnet];
	int first = g->type == GW_VPN ? v->vpn_gateway : v->er_gateway;
	bool both = v->vpn_gateway >= 0 && v->er_gateway >= 0;
	uint8_t len, max = g->n_conns >= 16 ? 26 : both ? 27 : g->type == GW_VPN ? 29 : 28;
	char p[IPNET_STRLEN];

	if (first != (int)i)
		topo_build_error(b, TOPO_GATEWAY, i, "/vnet", "VnetAlreadyHasGateway",
		    "VNet %.64s has %s gateway %.64s already (ER-34)", v->name,
		    g->type == GW_VPN ? "VPN" : "ExpressRoute", b->t->gateways[first].name);
	if (v->gateway_subnet < 0) {
		topo_build_error(b, TOPO_GATEWAY, i, "/vnet", "GatewaySubnetMissing",
		    "VNet %.64s has no subnet GatewaySubnet, /27 or larger (ER-34)", v->name);
		return;
	}
	len = v->subnets[v->gateway_subnet].prefix.len;
	ipnet_format(p, v->subnets[v->gateway_subnet].prefix);
	if (len > max)
		topo_build_error(b, TOPO_GATEWAY, i, "/vnet", "GatewaySubnetTooSmall",
		    "GatewaySubnet %s is too small; this needs /%u or larger (ER-34)", p, max);
	else if (len > 27)
		topo_build_warn(b, TOPO_GATEWAY, i, "/vnet", "GatewaySubnetTooSmall",
		    "GatewaySubnet %s works, but /27 is recommended (ER-34)", p);
}

/* Keys that only the other type has. */
static void
check_gateway_keys(struct topo_build *b, size_t i)
{
	const struct topo_gateway *g = &b->t->gateways[i];
	const json_t *props = b->props[TOPO_GATEWAY][i];
	bool er = g->type == GW_EXPRESS_ROUTE;
	static const char *const er_wrong[] = { "connections", "p2s_pools", NULL };
	static const char *const vpn_wrong[] = { "circuits", NULL };

	for (const char *const *key = er ? er_wrong : vpn_wrong; *key != NULL; key++) {
		char pointer[32];

		snprintf(pointer, sizeof(pointer), "/%s", *key);
		if (json_object_get(props, *key) != NULL)
			topo_build_error(b, TOPO_GATEWAY, i, pointer, "WrongGatewayType",
			    "%s is for gateways of type %s", *key, er ? "Vpn" : "ExpressRoute");
	}
	if (er && g->active_active)
		topo_build_error(b, TOPO_GATEWAY, i, "/active_active", "WrongGatewayType",
		    "both instances of an ExpressRoute gateway always work; leave it out");
}

/* VPN-2, B2B-3. */
static void
check_gateway_asn(struct topo_build *b, size_t i)
{
	const struct topo_gateway *g = &b->t->gateways[i];
	int rs = g->vnet < 0 ? -1 : b->t->vnets[g->vnet].route_server;

	if (g->type == GW_EXPRESS_ROUTE && g->asn != TOPO_RSV_ASN)
		topo_build_error(b, TOPO_GATEWAY, i, "/asn", "InvalidGatewayAsn",
		    "an ExpressRoute gateway has ASN 65515");
	else if (g->type == GW_VPN && rs >= 0 && g->asn != TOPO_RSV_ASN)
		topo_build_error(b, TOPO_GATEWAY, i, "/asn", "InvalidGatewayAsn",
		    "a VPN gateway beside Route Server %.64s needs ASN 65515 (B2B-3)",
		    b->t->servers[rs].name);
	else if (g->asn != TOPO_RSV_ASN &&
		 (topo_asn_is_azure_reserved(g->asn) || topo_asn_is_iana_reserved(g->asn)))
		topo_build_error(b, TOPO_GATEWAY, i, "/asn", "InvalidGatewayAsn",
		    "ASN %u is reserved (VPN-2)", g->asn);
	if (g->type == GW_VPN && rs >= 0 && !g->active_active)
		topo_build_error(b, TOPO_GATEWAY, i, "/active_active", "VpnGatewayNotActiveActive",
		    "a VPN gateway beside Route Server %.64s must be active_active (B2B-3)",
		    b->t->servers[rs].name);
}

/* VPN-3, VPN-6. */
static void
check_connection(struct topo_build *b, size_t i, const struct topo_gw_connection *c)
{
	const struct topo_gateway *g = &b->t->gateways[i];
	const struct topo_site *s = c->index < 0 ? NULL : &b->t->sites[c->index];
	char pointer[TOPO_POINTER_MAX];

	snprintf(pointer, sizeof(pointer), "/connections/%s", c->name);
	if (s != NULL && c->bgp && s->asn == g->asn)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "InvalidSiteAsn",
		    "site %.64s has the gateway's own ASN %u (VPN-3)", s->name, s->asn);
	else if (s != NULL && c->bgp &&
		 (topo_asn_is_azure_reserved(s->asn) || topo_asn_is_iana_reserved(s->asn)))
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "InvalidSiteAsn",
		    "ASN %u of site %.64s is reserved (VPN-3)", s->asn, s->name);
	if (s != NULL && !c->bgp && c->prefixes.n == 0)
		topo_build_error(b, TOPO_GATEWAY, i, pointer, "StaticConnectionWithoutPrefixes",
		    "without BGP it needs prefixes, here or in site %.64s (VPN-6)", s->name);
}

/* A pool must not overlap what the gateway or NVA reaches as VNets: it could not be routed. */
static void
check_pools(
    struct topo_build *b, enum topo_kind kind, size_t i, int vnet, const struct topo_nets *pools)
{
	const struct topo *t = b->t;
	char x[IPNET_STRLEN], y[IPNET_STRLEN];

	for (size_t k = 0; k < pools->n && vnet >= 0; k++)
		for (size_t v = 0; v < t->n_vnets; v++) {
			if ((int)v != vnet && topo_find_peering(t, vnet, (int)v) < 0)
				continue;
			for (size_t m = 0; m < t->vnets[v].space.n; m++)
				if (ipnet_overlaps(pools->v[k], t->vnets[v].space.v[m]))
					topo_build_error(b, kind, i, "/p2s_pools",
					    "P2sPoolOverlaps", "%s overlaps %s of VNet %.64s",
					    ipnet_format(x, pools->v[k]),
					    ipnet_format(y, t->vnets[v].space.v[m]),
					    t->vnets[v].name);
		}
}

/* ER-2: a customer's ASN on ExpressRoute. */
static void
check_circuit_asn(struct topo_build *b, size_t i)
{
	const struct topo_circuit *c = &b->t->circuits[i];
	const struct topo_site *s = c->site < 0 ? NULL : &b->t->sites[c->site];

	if (s != NULL && (in_range(s->asn, 65515, 65520) || s->asn == TOPO_MSEE_ASN))
		topo_build_error(b, TOPO_CIRCUIT, i, "/site", "InvalidSiteAsn",
		    "ASN %u of site %.64s is reserved (ER-2)", s->asn, s->name);
}

/* ER-33: VNet links of a circuit; 100 is what the largest premium circuit takes. */
static void
check_circuit_vnets(struct topo_build *b, size_t i)
{
	const struct topo *t = b->t;
	unsigned n = 0, max = t->circuits[i].premium ? 100 : 10;

	for (size_t g = 0; g < t->n_gateways; g++)
		for (size_t k = 0; k < t->gateways[g].n_conns; k++)
			n += t->gateways[g].type == GW_EXPRESS_ROUTE &&
			     t->gateways[g].conns[k].index == (int)i;
	if (n > max)
		topo_build_error(b, TOPO_CIRCUIT, i, "/premium", "CircuitLinkLimitReached",
		    "%u gateways use it; the limit is %u (ER-33)", n, max);
}

/* ---- addresses of circuits ---- */

#define TAG_VNET SIZE_MAX

/* Links of all circuits and prefixes of all VNets, to be searched for overlaps. */
static void
check_links(struct topo_build *b)
{
	const struct topo *t = b->t;
	size_t max = 2 * t->n_circuits, n = 0;
	struct topo_span *v;
	struct topo_clash clash = { 0 };
	char x[IPNET_STRLEN], y[IPNET_STRLEN];

	for (size_t i = 0; i < t->n_vnets; i++)
		max += t->vnets[i].space.n;
	if (t->n_circuits == 0 || (v = topo_arena_alloc(b->arena, max, sizeof(*v))) == NULL)
		return;
	for (size_t i = 0; i < t->n_circuits; i++)
		for (size_t k = 0; k < t->circuits[i].links.n; k++)
			v[n++] = (struct topo_span){ t->circuits[i].links.v[k], i };
	for (size_t i = 0; i < t->n_vnets; i++)
		for (size_t k = 0; k < t->vnets[i].space.n; k++)
			v[n++] = (struct topo_span){ t->vnets[i].space.v[k], TAG_VNET };
	while (topo_span_clash(v, n, &clash)) {
		size_t i = clash.b->tag == TAG_VNET ? clash.a->tag : clash.b->tag;
		bool b_is_link = clash.b->tag != TAG_VNET;

		if (i == TAG_VNET)
			continue;
		topo_build_error(b, TOPO_CIRCUIT, i, "/links", "CircuitLinkOverlaps",
		    "link %s overlaps %s %s; set links",
		    ipnet_format(x, b_is_link ? clash.b->net : clash.a->net),
		    clash.a->tag == TAG_VNET || !b_is_link ? "VNet prefix" : "link",
		    ipnet_format(y, b_is_link ? clash.a->net : clash.b->net));
	}
}

/* ER-19: outside every VNet, and one circuit's alone. */
static void
check_next_hops(struct topo_build *b)
{
	const struct topo *t = b->t;
	size_t n = 2 * t->n_circuits;
	struct topo_span *v = topo_arena_alloc(b->arena, n, sizeof(*v));
	struct topo_clash clash = { 0 };
	char a[IPADDR_STRLEN];

	for (size_t i = 0; v != NULL && i < n; i++) {
		uint32_t hop = t->circuits[i / 2].nic_next_hop[i % 2];

		v[i] = (struct topo_span){ { hop, 32 }, i };
		for (size_t k = 0; k < t->n_vnets; k++)
			if (topo_vnet_has_addr(&t->vnets[k], hop))
				topo_build_error(b, TOPO_CIRCUIT, i / 2, "/nic_next_hop",
				    "NicNextHopOverlaps",
				    "%s is inside VNet %.64s; set nic_next_hop (ER-19)",
				    ipaddr_format(a, hop), t->vnets[k].name);
	}
	while (v != NULL && topo_span_clash(v, n, &clash))
		topo_build_error(b, TOPO_CIRCUIT, clash.b->tag / 2, "/nic_next_hop",
		    "NicNextHopOverlaps", "%s is used twice; set nic_next_hop",
		    ipaddr_format(a, clash.b->net.addr));
}

static void
check_circuit(struct topo_build *b, size_t i)
{
	const struct topo_circuit *c = &b->t->circuits[i];
	char p[IPNET_STRLEN];

	for (unsigned k = 0; k < c->links.n; k++)
		if (c->links.v[k].len != 30)
			topo_build_error(b, TOPO_CIRCUIT, i, "/links", "InvalidCircuitLink",
			    "%s is not a /30 (ER-1)", ipnet_format(p, c->links.v[k]));
	check_circuit_asn(b, i);
	check_circuit_vnets(b, i);
}

/* ERR-11, VPN-21. */
static void
check_vpn_sku(struct topo_build *b, size_t i, const char *sku)
{
	const struct topo_gateway *g = &b->t->gateways[i];
	bool zonal = topo_get_bool(b->props[TOPO_GATEWAY][i], "zonal_public_ip");
	bool basic = strcmp(sku, "Basic") == 0, az = strstr(sku, "AZ") != NULL;
	char pointer[TOPO_POINTER_MAX];

	if (!basic && !az)
		topo_build_error(b, TOPO_GATEWAY, i, "/sku", "NonAzSkusNotAllowedForVPNGateway",
		    "%s is not for new gateways; take %sAZ (ERR-11)", sku, sku);
	if (az && !zonal)
		topo_build_error(b, TOPO_GATEWAY, i, "/zonal_public_ip",
		    "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
		    "sku %s needs public addresses with zones (ERR-11)", sku);
	for (size_t k = 0; basic && k < g->n_conns; k++) {
		snprintf(pointer, sizeof(pointer), "/connections/%s", g->conns[k].name);
		if (g->conns[k].bgp)
			topo_build_error(b, TOPO_GATEWAY, i, pointer, "BasicSkuWithoutBgp",
			    "sku Basic has no BGP (VPN-21)");
	}
}

static void
check_gateway_sku(struct topo_build *b, size_t i)
{
	const char *sku = topo_get_text(b->props[TOPO_GATEWAY][i], "sku");
	bool er = b->t->gateways[i].type == GW_EXPRESS_ROUTE;
	bool vpn_sku = sku != NULL && (strncmp(sku, "Vpn", 3) == 0 || strcmp(sku, "Basic") == 0);

	if (er && vpn_sku)
		topo_build_error(b, TOPO_GATEWAY, i, "/sku", "WrongGatewayType",
		    "%s is for gateways of type Vpn", sku);
	else if (vpn_sku || !er)
		check_vpn_sku(b, i, vpn_sku ? sku : "VpnGw1AZ");
}

static void
check_gateway(struct topo_build *b, size_t i)
{
	const struct topo_gateway *g = &b->t->gateways[i];

	if (g->vnet >= 0)
		check_gateway_place(b, i);
	check_gateway_keys(b, i);
	check_gateway_sku(b, i);
	check_gateway_asn(b, i);
	check_pools(b, TOPO_GATEWAY, i, g->vnet, &g->p2s_pools);
	if (g->type == GW_EXPRESS_ROUTE && g->n_conns > g->max_circuits)
		topo_build_error(b, TOPO_GATEWAY, i, "/circuits", "CircuitLimitReached",
		    "%zu circuits; this sku takes %u (ER-33)", g->n_conns, g->max_circuits);
	for (size_t k = 0; g->type == GW_VPN && k < g->n_conns; k++)
		if (g->conns[k].gateway >= 0)
			topo_check_vnet_to_vnet(b, i, k);
		else
			check_connection(b, i, &g->conns[k]);
}

/* Derived addresses end somewhere: 192.168.255.0 and 203.0.113.255. */
#define DEFAULT_CIRCUITS_MAX 123
#define VPN_GATEWAYS_MAX     254

void
topo_check_gateways(struct topo_build *b)
{
	size_t n_vpn = 0;

	for (size_t i = 0; i < b->t->n_gateways; i++) {
		check_gateway(b, i);
		n_vpn += b->t->gateways[i].type == GW_VPN;
		if (n_vpn == VPN_GATEWAYS_MAX + 1 && b->t->gateways[i].type == GW_VPN)
			topo_build_error(b, TOPO_GATEWAY, i, "", "TooManyVpnGateways",
			    "there are public addresses for %d VPN gateways", VPN_GATEWAYS_MAX);
	}
	for (size_t i = 0; i < b->t->n_circuits; i++) {
		const json_t *props = b->props[TOPO_CIRCUIT][i];

		check_circuit(b, i);
		if (i >= DEFAULT_CIRCUITS_MAX &&
		    (json_object_get(props, "links") == NULL ||
			json_object_get(props, "nic_next_hop") == NULL))
			topo_build_error(b, TOPO_CIRCUIT, i, "", "CircuitAddressesMissing",
			    "there are default addresses for %d circuits; set links and "
			    "nic_next_hop",
			    DEFAULT_CIRCUITS_MAX);
	}
	check_links(b);
	check_next_hops(b);
	for (size_t i = 0; i < b->t->n_nvas; i++)
		check_pools(b, TOPO_NVA, i, b->t->nvas[i].vnet, &b->t->nvas[i].p2s_pools);
}
