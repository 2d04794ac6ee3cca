#ifndef FABRICD_FC_EFF_H
#define FABRICD_FC_EFF_H
/*
 * Effective routes of one NIC, resolved from the layers on demand: section 5.4 and 5.5 of the
 * semantics (EFF-6 ... EFF-18). The listing, the next hop of one address and the explanation of one
 * prefix all run the same selection.
 */
#include "fabricd/fc_layers.h"

enum fc_source { FC_SRC_DEFAULT, FC_SRC_GATEWAY, FC_SRC_USER }; /* EFF-10 */
enum fc_state { FC_ACTIVE, FC_INVALID };
enum fc_hop { /* EFF-11 */
	FC_HOP_VNET_LOCAL,
	FC_HOP_VNET_PEERING,
	FC_HOP_VNET_GLOBAL_PEERING,
	FC_HOP_INTERNET,
	FC_HOP_NONE,
	FC_HOP_VIRTUAL_APPLIANCE,
	FC_HOP_GATEWAY,
	FC_HOP_SERVICE_ENDPOINT,
};

/* Azure's spelling: "VirtualNetworkGateway", "Active", "VNetGlobalPeering". */
const char *fc_source_name(enum fc_source s);
const char *fc_state_name(enum fc_state s);
const char *fc_hop_name(enum fc_hop h);

#define FC_ERR_NIC_STOPPED "NicMustBeAttachedToRunningVmToGetEffectiveRoutes" /* ERR-6 */

struct fc_eff_route {
	enum fc_source source;
	enum fc_state state;
	enum fc_hop hop;
	struct ipnet prefix;
	const uint32_t *next_hops; /* borrowed from the layer, valid until it changes */
	size_t n_next_hops;
	const char *name;           /* User rows, NULL otherwise (EFF-12) */
	int route_table;            /* User rows: index, else -1 */
	int peer_vnet;              /* peering rows: the VNet behind it, else -1 */
	enum hrp_source bgp_source; /* VirtualNetworkGateway rows: what announced it */
};

/* The table as `az network nic show-effective-route-table` lists it: rows in Azure's order
 * (Default, VirtualNetworkGateway, User), Invalid rows included (EFF-13), suppressed ones absent
 * (EFF-7, EFF-14, EFF-17, SYS-5). rows is malloc()ed, the caller frees it. nic is an index into
 * topo->nics. FAB_ECLOSED: its VM does not run (EFF-18), Azure says FC_ERR_NIC_STOPPED. */
int fc_eff_list(const struct fc_layers *l, int nic, struct fc_eff_route **rows, size_t *n);
/* Whether BGP propagation is disabled on the NIC's subnet (EFF-12 repeats it on every row). */
bool fc_eff_propagation_disabled(const struct topo *t, int nic);

/* Longest match among the active routes; false: no route at all. */
bool fc_eff_lookup(const struct fc_layers *l, int nic, uint32_t addr, struct fc_eff_route *out);

struct fc_candidate {
	struct fc_eff_route route;
	char verdict[96]; /* "chosen", "beaten by User 0.0.0.0/0", ... */
	const char *rule; /* "EFF-6"; static */
};
/* Every candidate that could carry the prefix, best first: all that contain it and, if none of them
 * is for exactly this prefix, all inside it; at most FC_EXPLAIN_MAX. malloc()ed (NULL if there is
 * none). */
#define FC_EXPLAIN_MAX 1000
int fc_eff_explain(
    const struct fc_layers *l, int nic, struct ipnet what, struct fc_candidate **out, size_t *n);

/* ---- trace ---- */

#define FC_TRACE_HOPS_MAX 64

enum fc_verdict { FC_DELIVERED, FC_LOOP, FC_BLACKHOLE, FC_FILTERED, FC_VERDICT_COUNT };
const char *fc_verdict_name(enum fc_verdict v);

enum fc_place {
	FC_AT_NIC, /* VM or NVA; index of the NIC */
	FC_AT_SITE,
	FC_AT_MSEE, /* index of the circuit */
	FC_AT_ER_GATEWAY,
	FC_AT_VPN_GATEWAY,
	FC_AT_ROUTE_SERVER, /* only as destination */
	FC_AT_INTERNET,
	FC_AT_LOAD_BALANCER,
	FC_AT_CLIENT,
};

/* One decision. The last hop of a delivered packet is its destination and decides nothing. */
struct fc_trace_hop {
	enum fc_place place;
	int index;
	uint32_t src; /* source address that the packet leaves with */
	char node[64];
	char nic[64];    /* it leaves through; "" if it leaves through none */
	char route[192]; /* "0.0.0.0/0 VirtualNetworkGateway 10.1.2.4", the next hop taken first */
	char rule[16];
};

/* Who put his own address in place of the sender's (SC-J): a NIC, a site's router, or nobody. */
struct fc_translator {
	int nic, site; /* -1 */
};

struct fc_trace {
	enum fc_verdict verdict;
	struct fc_translator translator; /* the last one */
	struct fc_trace_hop hops[FC_TRACE_HOPS_MAX];
	size_t n_hops;
	char reason[160]; /* why not delivered; or a warning (OPEN-9); else "" */
};

/* Ends of a trace: a NIC, a site, a client of a VPN gateway or the Internet; dst: any address. */
struct fc_endpoint {
	int nic;       /* -1 if not a NIC; addr may also be one that its NVA owns */
	int site;      /* -1 if not a site */
	int client;    /* -1 if not a client that the topology names */
	int gateway;   /* -1 unless addr is in a client pool of this VPN gateway (VPN-20) */
	uint32_t addr; /* address of the endpoint */
	bool internet; /* outside of everything known, public addresses included */
};

/* "vm11", "dc1", "nva1", "internet", "10.21.0.4", "8.8.8.8". FAB_ENOENT: no such name. An address
 * that nobody has is fine; it cannot be a source. */
int fc_endpoint_parse(const struct fc_layers *l, struct fc_endpoint *out, const char *text);
bool fc_endpoint_is_source(const struct fc_endpoint *e);
/* By which address src knows dst: the Internet by its public one, if it has one. */
uint32_t fc_endpoint_address(
    const struct fc_layers *l, const struct fc_endpoint *src, const struct fc_endpoint *dst);

/* Follows one flow in one direction; of several next hops the one that a hash of the two addresses
 * picks, as a host would (SC-C). src must be a source. */
void fc_trace_run(const struct fc_layers *l, struct fc_endpoint src, struct fc_endpoint dst,
    struct fc_trace *out);
/* The other direction of the flow that `there` followed from src to dst: from dst to src, by way of
 * who translated it. dst must be a source. */
void fc_trace_back(const struct fc_layers *l, struct fc_endpoint src, struct fc_endpoint dst,
    const struct fc_trace *there, struct fc_trace *out);
/* True if a stateful NVA sees only one of the two directions (MR-9, SC-I). Both must be delivered.
 */
bool fc_trace_stateful_break(
    const struct fc_layers *l, const struct fc_trace *there, const struct fc_trace *back);
/* True if back passes what there passes, in reverse. ExpressRoute gateways do not count: the way
 * out never sees them (ER-19, ER-20); nor do load balancers, which come before the NVA both ways
 * (SC-C). */
bool fc_trace_symmetric(const struct fc_trace *there, const struct fc_trace *back);

#endif
