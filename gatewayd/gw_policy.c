/*
 * Policy of gateways and MSEEs (see gw_policy.h).
 */
#include "gatewayd/gw_policy.h"

#include <string.h>

#define LOCAL_PREF_LISTED 100 /* ER-15 */

/* ---- preference ---- */

enum gw_rank
gw_rank(const struct gw_route *r)
{
	if (r->from == NULL)
		return r->tag == GW_OWN_P2S || r->tag >= GW_OWN_STATIC ? GW_RANK_BRANCH
								       : GW_RANK_VNET;
	if (r->from->role == WIRE_PEER_SIBLING)
		return GW_RANK_SIBLING;
	return r->from->role == WIRE_PEER_ROUTE_SERVER ? GW_RANK_ROUTE_SERVER : GW_RANK_BRANCH;
}

unsigned
gw_msee_number(const struct wire_conf *conf, const struct wire_peer *msee)
{
	unsigned n = 0;

	for (size_t i = 0; i < conf->n_peers; i++) {
		const struct wire_peer *p = &conf->peers[i];

		n += p->role == WIRE_PEER_MSEE && p->address < msee->address &&
		     strcmp(p->resource, msee->resource) == 0;
	}
	return n;
}

int
gw_circuit_index(const struct wire_conf *conf, const struct wire_peer *msee)
{
	for (size_t i = 0; conf->gw != NULL && i < conf->gw->n_circuits; i++)
		if (strcmp(conf->gw->circuits[i].name, msee->resource) == 0)
			return (int)i;
	return -1;
}

/* What gw_select() compares, in this order. */
struct rating {
	enum gw_rank rank;
	uint32_t weight;
	uint16_t path_len;
	/* Among equals, lowest first: circuit, then MSEE, then address. */
	uint32_t circuit, side, address;
};

static struct rating
rate(const struct wire_conf *conf, const struct gw_route *r)
{
	struct rating x = {
		.rank = gw_rank(r),
		.weight = r->weight,
		.path_len = bgp_path_len(r->attrs->as_path, r->attrs->as_path_octets),
	};

	if (r->from == NULL)
		return x;
	x.address = r->from->address;
	if (r->from->role == WIRE_PEER_MSEE) {
		x.circuit = (uint32_t)gw_circuit_index(conf, r->from);
		x.side = gw_msee_number(conf, r->from) != conf->instance;
	}
	return x;
}

/* Below 0: a is better; 0: equal, so both are used. */
static int
compare(const struct rating *a, const struct rating *b)
{
	if (a->rank != b->rank) /* 1. own, branches, Route Server, sibling */
		return a->rank < b->rank ? -1 : 1;
	if (a->weight != b->weight) /* 2. routing weight, before AS path (ER-18) */
		return a->weight > b->weight ? -1 : 1;
	if (a->path_len != b->path_len) /* 3. shortest AS path */
		return a->path_len < b->path_len ? -1 : 1;
	return 0;
}

static bool
goes_first(const struct rating *a, const struct rating *b)
{
	if (a->circuit != b->circuit) /* B2B-11: one connection for all */
		return a->circuit < b->circuit;
	if (a->side != b->side)
		return a->side < b->side;
	return a->address < b->address;
}

size_t
gw_select(const struct wire_conf *conf, const struct gw_route *routes, size_t n, uint16_t *winners)
{
	struct rating r[SPEAKER_PATHS_MAX];
	size_t n_best = 0, first = 0;

	for (size_t i = 0; i < n; i++) {
		int c;

		r[i] = rate(conf, &routes[i]);
		c = n_best == 0 ? -1 : compare(&r[i], &r[winners[0]]);
		if (c < 0)
			n_best = 0;
		if (c <= 0)
			winners[n_best++] = (uint16_t)i;
	}
	for (size_t i = 1; i < n_best; i++)
		if (goes_first(&r[winners[i]], &r[winners[first]]))
			first = i;
	if (first != 0) {
		uint16_t swap = winners[0];

		winners[0] = winners[first];
		winners[first] = swap;
	}
	return n_best;
}

/* ---- pieces of policy ---- */

bool
gw_is_vnet_prefix(const struct wire_conf *conf, const struct ipnet *p)
{
	return conf->gw != NULL &&
	       (wire_nets_cover(&conf->gw->vnet, p) || wire_nets_cover(&conf->gw->spokes, p));
}

static bool
communities_allow(const struct bgp_attr_spec *s)
{
	for (size_t i = 0; i < s->n_communities; i++)
		if (s->communities[i] == BGP_COMMUNITY_NO_ADVERTISE ||
		    s->communities[i] == BGP_COMMUNITY_NO_EXPORT)
			return false;
	return true;
}

static bool
path_has(const struct bgp_attr_spec *s, uint32_t asn)
{
	return bgp_path_has(s->as_path, s->as_path_octets, asn);
}

static bool
export_ebgp(const struct wire_conf *conf, const struct wire_peer *to, struct bgp_path_buf *buf,
    struct bgp_attr_spec *out)
{
	bgp_path_load(buf, out->as_path, out->as_path_octets);
	if (!bgp_path_prepend(buf, conf->asn, 1))
		return false;
	out->as_path = buf->data;
	out->as_path_octets = buf->octets;
	out->next_hop = to->local_address;
	out->has_med = false;
	out->has_local_pref = false;
	return true;
}

static void
export_ibgp(uint32_t next_hop, uint32_t weight, struct bgp_attr_spec *out)
{
	out->next_hop = next_hop;
	out->has_local_pref = true;
	out->local_pref = GW_LOCAL_PREF + weight;
	out->has_med = false;
}

static uint32_t
weight_of(const struct bgp_attr_spec *in)
{
	return in->has_local_pref && in->local_pref > GW_LOCAL_PREF ? in->local_pref - GW_LOCAL_PREF
								    : 0;
}

/* ---- ExpressRoute gateway ---- */

/* ER-19: NICs send to the MSEE itself, under another address than the neighbour's. */
static uint32_t
nic_next_hop(const struct wire_conf *conf, const struct wire_peer *msee, uint32_t neighbour)
{
	int circuit = gw_circuit_index(conf, msee);
	unsigned side = gw_msee_number(conf, msee);

	if (circuit < 0 || side >= conf->gw->circuits[circuit].next_hops.n)
		return neighbour;
	return conf->gw->circuits[circuit].next_hops.v[side];
}

bool
gw_er_import(const struct wire_conf *conf, const struct wire_peer *from, struct bgp_attr_spec *out,
    struct gw_import *mark)
{
	if (path_has(out, conf->asn))
		return false;
	*mark = (struct gw_import){ .source = HRP_SRC_NVA };
	if (from->role == WIRE_PEER_MSEE) {
		mark->source = HRP_SRC_EXPRESS_ROUTE;
		mark->weight = from->weight; /* ER-18 */
		out->next_hop = nic_next_hop(conf, from, out->next_hop);
	} else if (from->role == WIRE_PEER_SIBLING) {
		mark->source = HRP_SRC_EXPRESS_ROUTE;
		mark->weight = weight_of(out);
	}
	return true;
}

bool
gw_er_goes_out(const struct gw_route *r)
{
	if (r->from == NULL)
		return r->tag == GW_OWN_VNET || r->tag == GW_OWN_SPOKE; /* ER-10 */
	/* RS routes, only there with branch-to-branch; 0/0 among them (ER-12). */
	return r->from->role == WIRE_PEER_ROUTE_SERVER && communities_allow(r->attrs);
}

bool
gw_er_export(const struct wire_conf *conf, const struct gw_route *r, const struct wire_peer *to,
    struct speaker_scratch *buf, struct bgp_attr_spec *out)
{
	if (to->role == WIRE_PEER_MSEE)
		return gw_er_goes_out(r) && export_ebgp(conf, to, &buf->path, out); /* ER-11 */
	/* B2B-4, B2B-6: to the Route Server and the sibling what came from an MSEE. */
	if (r->from == NULL || r->from->role != WIRE_PEER_MSEE)
		return false;
	export_ibgp(out->next_hop, r->weight, out);
	return true;
}

/* ---- VPN gateway ---- */

uint32_t
gw_vpn_nic_next_hop(const struct wire_conf *conf)
{
	bool alone = !conf->gw->active_active && conf->gw->public_address != 0;

	return alone ? conf->gw->public_address : conf->address;
}

bool
gw_vpn_import(const struct wire_conf *conf, const struct wire_peer *from, struct bgp_attr_spec *out,
    struct gw_import *mark)
{
	if (path_has(out, conf->asn))
		return false;
	*mark = (struct gw_import){ .source = HRP_SRC_NVA };
	if (from->role == WIRE_PEER_CUSTOMER) {
		mark->source = HRP_SRC_VPN;
		mark->weight = from->weight;
		out->next_hop = gw_vpn_nic_next_hop(conf); /* the tunnel ends here */
	} else if (from->role == WIRE_PEER_SIBLING) {
		mark->source = HRP_SRC_VPN;
		mark->weight = weight_of(out);
	}
	return true;
}

static bool
is_static(const struct gw_route *r)
{
	return r->from == NULL && r->tag >= GW_OWN_STATIC;
}

static const struct wire_static *
static_of(const struct wire_conf *conf, const struct gw_route *r)
{
	size_t i = r->tag - GW_OWN_STATIC;

	return i < conf->gw->n_statics ? &conf->gw->statics[i] : NULL;
}

bool
gw_vpn_export_prefix(const struct wire_conf *conf, const struct gw_route *r,
    const struct wire_peer *to, const struct ipnet *prefix)
{
	if (to->role != WIRE_PEER_CUSTOMER || r->from == NULL)
		return true;
	if (prefix->len == 0) /* VPN-12, B2B-14 */
		return false;
	/* VPN-8. Overlapping means equal or inside: halves of 0/0 do pass (VPN-12). */
	return !gw_is_vnet_prefix(conf, prefix);
}

/* VPN-8, VPN-9: everything, but not back to the connection that it came from. */
static bool
export_to_site(const struct wire_conf *conf, const struct gw_route *r, const struct wire_peer *to,
    struct bgp_path_buf *buf, struct bgp_attr_spec *out)
{
	const char *came_over = "";

	if (is_static(r) && static_of(conf, r) != NULL)
		came_over = static_of(conf, r)->name;
	else if (r->from != NULL && r->from->role == WIRE_PEER_CUSTOMER)
		came_over = r->from->resource;
	else if (r->from == NULL && r->tag == GW_OWN_PEER)
		return false;
	if (came_over[0] != '\0' && strcmp(came_over, to->resource) == 0)
		return false;
	if (to->no_export_of_learned && r->from != NULL &&
	    r->from->role == WIRE_PEER_ROUTE_SERVER) /* OPEN-13 */
		return false;
	return communities_allow(r->attrs) && export_ebgp(conf, to, buf, out);
}

/* B2B-8: NO_ADVERTISE keeps the pool inside the Route Server's NICs (RS-78). */
static void
mark_no_advertise(struct speaker_scratch *buf, struct bgp_attr_spec *out)
{
	buf->communities[0] = BGP_COMMUNITY_NO_ADVERTISE;
	out->communities = buf->communities;
	out->n_communities = 1;
}

bool
gw_vpn_export(const struct wire_conf *conf, const struct gw_route *r, const struct wire_peer *to,
    struct speaker_scratch *buf, struct bgp_attr_spec *out)
{
	bool learned = r->from != NULL && r->from->role == WIRE_PEER_CUSTOMER;
	bool p2s = r->from == NULL && r->tag == GW_OWN_P2S;

	if (to->role == WIRE_PEER_CUSTOMER)
		return export_to_site(conf, r, to, &buf->path, out);
	if (to->role == WIRE_PEER_SIBLING) /* VPN-13 */
		p2s = false;
	/* B2B-6: routes of sites and static prefixes; nothing that iBGP brought. */
	if (!learned && !p2s && !(is_static(r) && to->role == WIRE_PEER_ROUTE_SERVER))
		return false;
	export_ibgp(gw_vpn_nic_next_hop(conf), r->weight, out);
	if (p2s)
		mark_no_advertise(buf, out);
	return true;
}

/* ---- MSEE ---- */

bool
gw_msee_import(const struct wire_conf *conf, const struct wire_peer *from,
    struct bgp_attr_spec *out, struct gw_import *mark)
{
	if (path_has(out, conf->asn))
		return false;
	*mark = (struct gw_import){ .source = HRP_SRC_EXPRESS_ROUTE };
	if (from->role == WIRE_PEER_CUSTOMER) /* ER-8 */
		out->n_communities = out->n_large = 0;
	out->has_local_pref = true;
	out->local_pref = LOCAL_PREF_LISTED;
	return true;
}

static bool
is_private(uint32_t asn, void *arg)
{
	(void)arg;
	return bgp_asn_is_private(asn);
}

static bool
is_any(uint32_t asn, void *arg)
{
	(void)asn;
	(void)arg;
	return true;
}

/* ER-11: the customer sees 12076, so prepends with private ASNs do not reach it; public ones do, or
 * not (OPEN-17). */
static bool
export_to_customer(const struct wire_conf *conf, const struct wire_peer *to,
    struct bgp_path_buf *buf, struct bgp_attr_spec *out)
{
	bgp_path_load(buf, out->as_path, out->as_path_octets);
	bgp_path_remove(
	    buf, conf->msee != NULL && conf->msee->strips_public ? is_any : is_private, NULL);
	out->as_path = buf->data;
	out->as_path_octets = buf->octets;
	out->n_communities = out->n_large = 0; /* Azure's internal marks stay inside (RS-80) */
	return export_ebgp(conf, to, buf, out);
}

bool
gw_msee_export(const struct wire_conf *conf, const struct gw_route *r, const struct wire_peer *to,
    struct speaker_scratch *buf, struct bgp_attr_spec *out)
{
	uint32_t prepend = conf->msee == NULL ? 0 : conf->msee->prepend;
	bool sent;

	if (r->from == NULL || r->from->role == to->role || !communities_allow(out))
		return false;
	sent = to->role == WIRE_PEER_CUSTOMER
		   ? export_to_customer(conf, to, &buf->path, out)
		   : to->role == WIRE_PEER_ER_GATEWAY && export_ebgp(conf, to, &buf->path, out);
	if (!sent || prepend == 0)
		return sent;
	/* ER-9: under maintenance, in both directions. */
	bgp_path_load(&buf->path, out->as_path, out->as_path_octets);
	bgp_path_prepend(&buf->path, conf->asn, prepend);
	out->as_path = buf->path.data;
	out->as_path_octets = buf->path.octets;
	return true;
}
