#ifndef LIB_WIRE_CONF_H
#define LIB_WIRE_CONF_H
/*
 * NodeConfig as plain structs: the border between fab.v1 and everything that decides by
 * configuration. wire_conf_decode() checks, converts and owns; a struct wire_conf is immutable, and
 * all it leads to lives and dies with it.
 *
 * wire_apply.h applies peers, listeners and originations to a speaker by difference; wire_node.h
 * puts both under a daemon.
 */
#include "lib/ipnet.h"
#include "lib/route_map.h"
#include "lib/topo.h"
#include "proto/control.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_PEERS_MAX       4096    /* sessions of one node */
#define WIRE_ORIGINATE_MAX   1000000 /* prefixes of one node */
#define WIRE_LIST_MAX        65536   /* entries of any other list */
#define WIRE_PREPEND_MAX     64
#define WIRE_COMMUNITIES_MAX 768 /* of one origination; ASNs of its path too */

/* Numbers of fab.v1.NodeKind. */
enum wire_kind {
	WIRE_UNKNOWN,
	WIRE_FABRIC,
	WIRE_ROUTE_SERVER,
	WIRE_ER_GATEWAY,
	WIRE_VPN_GATEWAY,
	WIRE_MSEE,
	WIRE_NVA,
	WIRE_SITE,
	WIRE_KIND_COUNT
};

/* "route server"; for messages. */
const char *wire_kind_name(enum wire_kind k);

/* What a peer is to this node. Numbers of fab.v1.PeerRole. */
enum wire_peer_role {
	WIRE_PEER_UNKNOWN,
	WIRE_PEER_NVA,
	WIRE_PEER_ROUTE_SERVER,
	WIRE_PEER_ER_GATEWAY,
	WIRE_PEER_VPN_GATEWAY,
	WIRE_PEER_MSEE,
	WIRE_PEER_CUSTOMER,
	WIRE_PEER_ROUTER,
	WIRE_PEER_SIBLING,
	WIRE_PEER_ROLE_COUNT
};

struct wire_nets {
	struct ipnet *v;
	size_t n;
};

struct wire_u32s {
	uint32_t *v;
	size_t n;
};

struct wire_tcp {
	uint32_t addr;
	uint16_t port;
};

struct wire_prefix_rule {
	struct ipnet prefix;
	uint8_t ge, le; /* lengths that match; filled in for exact rules too */
	bool deny;
};

struct wire_rules {
	struct wire_prefix_rule *v;
	size_t n;
};

/* nvad's policy towards one peer (MR-3, MR-4). */
struct wire_policy {
	bool as_override, default_originate, next_hop_unchanged;
	uint32_t prepend;
	struct wire_u32s strip_as, add_communities;
	struct wire_rules export_rules, import_rules;
};

struct wire_peer {
	const char *name;
	enum wire_peer_role role;
	uint32_t asn, address, local_address;
	bool tcp; /* transport */
	bool passive, no_export_of_learned, shut;
	bool optional;           /* `converged` does not wait for it */
	bool cut_in, cut_out;    /* the link is cut: drop silently what arrives, what is sent */
	bool tunnel;             /* MR-6 */
	const char *url;         /* NNG: where it listens; "" when it dials */
	struct wire_tcp dial;    /* TCP; port 0: it dials */
	uint32_t source_address; /* TCP: real address; 0: any */
	uint32_t max_prefixes;
	uint32_t keepalive_ms, hold_ms; /* resolved against the node's timers */
	uint32_t weight;                /* ER-18 */
	const char *resource;           /* "" if none */
	struct topo_range delay;        /* of what changes there (ER-5, TIME-20) */
	bool delay_losses;              /* only of what is lost there */
	uint32_t bfd_ms;                /* ER-4; 0: none */
	bool own_timers;                /* VPN-4 */
	uint32_t min_hold_ms;           /* ER-3; 0: none */
	struct wire_policy policy;
	const struct route_map *in_map, *out_map; /* RM-1; NULL: none */
	uint32_t out_map_number;                  /* from 1, in wire_conf.maps; 0: none */
};

struct wire_originate {
	struct ipnet prefix;
	uint32_t prepend;
	struct wire_u32s communities, large, as_path; /* large: three values each */
	uint32_t next_hop;                            /* 0: self (RS-56) */
	bool has_med;
	uint32_t med;
	uint8_t origin;
	const char **to; /* peers or resources; none: all */
	size_t n_to;
};

struct wire_rs_conf {
	struct wire_nets vnet, spokes;
	bool branch_to_branch;
	uint32_t hub_routing_preference; /* enum hrp_pref */
	uint32_t max_next_hops, max_prefixes_total;
	uint32_t anti_flap_ms; /* RS-99 */
	bool no_export_passes; /* OPEN-18 */
	bool lists_covered;    /* OPEN-5 */
	const char *sibling, *resource;
};

struct wire_static {
	const char *name;
	struct wire_nets prefixes;
	uint32_t weight;
	bool up;
	const struct route_map *in_map; /* NULL: none */
};

struct wire_circuit {
	const char *name;
	uint32_t weight;
	struct wire_u32s next_hops; /* ER-19: primary, secondary */
};

struct wire_gw_conf {
	struct wire_nets vnet, spokes, p2s, ignored;
	bool active_active, has_route_server, standby;
	struct wire_static *statics;
	size_t n_statics;
	struct wire_circuit *circuits;
	size_t n_circuits;
	const char *resource;
	uint32_t max_prefixes_out; /* ER-21; 0: none */
	uint32_t sibling_address;
	uint32_t public_address;                      /* VPN-14; 0: none */
	struct topo_range failover, failover_planned; /* VPN-17 */
	struct wire_nets summaries;                   /* ER-14 */
};

struct wire_msee_conf {
	const char *circuit;
	bool secondary;
	uint32_t max_customer_prefixes, max_gateway_prefixes;
	uint32_t nic_next_hop; /* ER-19 */
	uint32_t prepend;      /* ER-9 */
	bool strips_public;    /* OPEN-17 */
};

struct wire_conf {
	const char *name, *fabric;
	enum wire_kind kind;
	unsigned instance; /* 0 or 1 */
	uint32_t asn, router_id, address;
	const char *bgp_url; /* "": none */
	struct wire_tcp *listen;
	size_t n_listen;
	uint32_t connect_retry_ms;
	struct wire_peer *peers;
	size_t n_peers;
	struct wire_originate *originate;
	size_t n_originate;
	struct route_map *maps; /* that peers and connections name */
	size_t n_maps;
	uint64_t generation;
	uint32_t seed;                 /* of delays that are drawn */
	bool relay;                    /* nvad */
	bool kernel_routes;            /* nvad: program the kernel */
	bool snat;                     /* nvad: with source NAT towards the Internet */
	bool stateful;                 /* nvad: a stateful firewall (MR-9) */
	const struct wire_rs_conf *rs; /* NULL when absent, as the next two */
	const struct wire_gw_conf *gw;
	const struct wire_msee_conf *msee;
	struct wire_block *blocks; /* what holds all of it; private to wire_conf.c */
};

/* FAB_EINVAL with one line in why: a name missing or twice, a prefix with host bits, a hold time of
 * 1 or 2 s (RFC 4271 4.2), a list over its limit. FAB_ENOMEM. */
int wire_conf_decode(struct wire_conf **out, const Fab__V1__NodeConfig *m, char why[static 256]);
void wire_conf_free(struct wire_conf *c); /* NULL is fine */

/* Whether what policy depends on differs: ASN, relay, and of the peers that both have role,
 * resource, weight and policy. */
bool wire_conf_policy_differs(const struct wire_conf *a, const struct wire_conf *b);

/* Whether some peer that both have has other route maps, or maps with other rules. */
bool wire_conf_maps_differ(const struct wire_conf *a, const struct wire_conf *b);

/* True if some member of nets contains p (equal or more specific: RS-51, VPN-10). */
bool wire_nets_cover(const struct wire_nets *nets, const struct ipnet *p);
bool wire_nets_overlap(const struct wire_nets *nets, const struct ipnet *p);
/* First match decides; no match accepts. */
bool wire_rules_accept(const struct wire_rules *rules, const struct ipnet *p);

#endif
