#ifndef LIB_TOPO_H
#define LIB_TOPO_H
/*
 * The resource model. A topology file, a stored fabric and a running one are all a struct topo_doc:
 * a list of resources (kind, name, properties as JSON in the file's own key names). topo_build()
 * turns a doc into a struct topo, the linked and validated model with everything derived (instance
 * addresses, defaults), or into a list of errors: all of them at once, each with Azure's code where
 * Azure has one and the line of the file.
 *
 * doc <- topo_parse_yaml() | store rows | topo_doc_set()
 * topo <- topo_build(doc); immutable afterwards; everything in it lives and dies with it.
 */
#include "lib/hrp.h"
#include "lib/ipnet.h"
#include "lib/route_map.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPO_FILE_MAX     (8u << 20) /* octets of a topology file */
#define TOPO_ERRORS_MAX   200
#define TOPO_RSV_ASN      65515 /* RS-1 */
#define TOPO_MSEE_ASN     12076 /* ER-1 */
#define TOPO_RS_UNITS_MAX 48    /* RS-12 */
#define TOPO_BGP_PORT     179   /* RFC 4271 4 */

/* The guest that stands for the Internet, and the address that it has of its own. */
#define TOPO_INTERNET    "internet"
#define TOPO_INTERNET_IP 0x08080808

/* ---- documents ---- */

enum topo_kind {
	TOPO_FABRIC, /* one, named "fabric": name, timing, limits, strict, packets */
	TOPO_VNET,
	TOPO_PEERING, /* directed: "hub1/spoke11" is the object in hub1 that points to spoke11 */
	TOPO_ROUTE_TABLE,
	TOPO_ROUTE_SERVER,
	TOPO_NVA,
	TOPO_GATEWAY,
	TOPO_CIRCUIT,
	TOPO_SITE,
	TOPO_VM,
	TOPO_LOAD_BALANCER,
	TOPO_CLIENT,
	TOPO_ROUTE_MAP,
	TOPO_KIND_COUNT
};

const char *topo_kind_name(enum topo_kind k);               /* "route_server" */
int topo_kind_parse(enum topo_kind *out, const char *word); /* singular or plural */

struct topo_resource {
	enum topo_kind kind;
	char *name;
	json_t *props; /* object; short forms of the file are expanded to full form */
	json_t *lines; /* object: JSON pointer ("/subnets/vms/prefix") -> line; NULL when not from
			  a file */
	unsigned line; /* of the resource itself; 0: not from a file */
	bool checked;  /* props went through the schema: full form, defaults filled in */
	bool broken;   /* only while a file with errors is checked: present, but not usable */
};

struct topo_doc {
	struct topo_resource *res; /* sorted by kind, then name */
	size_t n;
};

struct topo_error {
	char code[80];     /* "VnetAddressSpacesOverlap", or ours, e.g. "UnknownKey" */
	char message[256]; /* what is wrong and what to do; one line */
	unsigned line;     /* 0: unknown */
};

struct topo_errors {
	struct topo_error e[TOPO_ERRORS_MAX];
	size_t n; /* at most TOPO_ERRORS_MAX; the last then says that more were left out */
};

void topo_error_add(struct topo_errors *errs, unsigned line, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Parses a topology file from memory (not NUL-terminated). FAB_EINVAL with at least one error:
 * syntax, unknown key, wrong type, alias bomb, too large. */
int topo_parse_yaml(struct topo_doc **out, const char *text, size_t len, struct topo_errors *errs);
/* The same from a file: also says when it cannot be read or is larger than TOPO_FILE_MAX. */
int topo_parse_file(struct topo_doc **out, const char *path, struct topo_errors *errs);
struct topo_doc *topo_doc_new(void);
struct topo_doc *topo_doc_copy(const struct topo_doc *doc);
void topo_doc_free(struct topo_doc *doc);
/* Adds or replaces; steals a reference to props. */
int topo_doc_put(struct topo_doc *doc, enum topo_kind kind, const char *name, json_t *props);
int topo_doc_remove(struct topo_doc *doc, enum topo_kind kind, const char *name);
struct topo_resource *topo_doc_find(
    const struct topo_doc *doc, enum topo_kind kind, const char *name);
/* Applies "key.sub=value" (value in YAML) to a resource's properties. */
int topo_doc_set(struct topo_doc *doc, enum topo_kind kind, const char *name,
    const char *assignment, struct topo_errors *errs);

/* Takes another profile; what the topology sets by itself stays. */
int topo_doc_set_timing(struct topo_doc *doc, const char *profile, struct topo_errors *errs);

struct topo_change {
	enum { TOPO_CREATE, TOPO_UPDATE, TOPO_DELETE } action;
	enum topo_kind kind;
	const char *name; /* borrowed from the doc that has it */
};
/* What turns from into to, in dependency order (deletes last, in reverse). malloc()ed array. */
int topo_doc_diff(
    struct topo_change **out, size_t *n, const struct topo_doc *from, const struct topo_doc *to);

/* ---- model ---- */

struct topo_nets {
	struct ipnet *v;
	size_t n;
};

/* Packets between two regions take so long, one way. */
struct topo_region_path {
	int a, b; /* index into regions, a < b */
	uint32_t delay_ms, jitter_ms;
};

/* A delay that is drawn anew each time; min == max: always the same. */
struct topo_range {
	uint32_t min_ms, max_ms;
};

/* How long the platform takes (section 6 of the semantics); 0: it takes no time. */
struct topo_delays {
	struct topo_range nic_programming;   /* TIME-2, TIME-3, TIME-20 */
	struct topo_range effective_routes;  /* what is listed lags behind (TIME-5 ... 7) */
	struct topo_range instance_failover; /* NICs leave a dead Route Server instance (TIME-20) */
	struct topo_range udr;               /* TIME-10 */
	struct topo_range peering;           /* until Connected (TIME-11, PEER-13) */
	struct topo_range peering_routes;    /* from then on until NICs have its routes */
	struct topo_range anti_flap;         /* RS-99, TIME-4; a window, min == max */
	struct topo_range ibgp;              /* between Route Server and gateways (TIME-20) */
	struct topo_range er_reconvergence;  /* a lost route of an MSEE (ER-5, TIME-13) */
	struct topo_range vpn_failover;      /* active-standby, unplanned (VPN-17, OPEN-7) */
	struct topo_range vpn_failover_planned;
	struct topo_range scale_out; /* of a Route Server (RS-12, TIME-19) */
	struct topo_range
	    rs_change; /* gateways are down when a Route Server comes or goes (RS-11) */
};

struct topo_timing {
	char profile[16]; /* azure, fast, custom */
	uint32_t keepalive_ms, hold_ms, connect_retry_ms;
	uint32_t bfd_ms;            /* interval of heartbeats between MSEE and site (ER-4) */
	uint32_t converge_quiet_ms; /* no route change for this long counts as converged */
	bool link_detect; /* Route Servers hear at once that a NIC lost its link (not RS-91) */
	uint32_t seed;    /* of all draws */
	struct topo_delays delays;
	uint32_t probe_interval_ms; /* of load balancers that do not say */
};

/* Whether anything is drawn, so that the seed is worth telling. */
bool topo_timing_draws(const struct topo_timing *t);
/* "azure, seed 7", or "fast" where nothing is drawn. */
#define TOPO_TIMING_TEXT_MAX 48
const char *topo_timing_text(char out[static TOPO_TIMING_TEXT_MAX], const struct topo_timing *t);
/* The n-th delay of that name: depends on seed, name and n alone, so that a run can be repeated. */
uint32_t topo_draw_ms(struct topo_range r, uint32_t seed, const char *name, uint64_t n);

struct topo_limits {                  /* Azure's values are the defaults */
	uint32_t bgp_peers;           /* RS-20: 8 */
	uint32_t routes_per_peer;     /* RS-21: 4000 */
	uint32_t rs_vnets;            /* RS-24: 500 */
	uint32_t rs_prefixes;         /* RS-25: 10000 */
	uint32_t rs_vms;              /* RS-12: 4000, with two units */
	uint32_t rs_vms_per_unit;     /* RS-12: 1000, with each further one */
	uint32_t er_prefixes_out;     /* RS-26, ER-21: 1000 */
	uint32_t next_hops;           /* RS-27: 8 */
	uint32_t er_prefixes_in;      /* ER-6: 4000 */
	uint32_t vpn_routes_per_peer; /* VPN-7: 4000 */
	uint32_t routes_per_table;    /* UDR-6: 400 */
	uint32_t peerings_per_vnet;   /* PEER-13: 500 */
};

/* Where Azure's behaviour is not documented, or its documents and labs disagree (section 10 of the
 * semantics). Zero is what is recommended. */
enum topo_forwarded { FORWARDED_BY_NSG, FORWARDED_DROP, FORWARDED_PASS };

struct topo_quirks {
	bool no_none_routes;            /* beside a VNet prefix inside of them (OPEN-8) */
	enum topo_forwarded forwarded;  /* effect of allowForwardedTraffic false (OPEN-9) */
	bool row_per_next_hop;          /* of effective routes (OPEN-10) */
	bool withdraw_on_total_failure; /* of both Route Server instances (OPEN-16, RS-95) */
	bool no_export_passes;          /* a Route Server ignores NO_EXPORT (OPEN-18) */
	bool lists_covered;             /* an NVA's routes inside VNets, without effect (OPEN-5) */
	bool b2b_makes_sessions;        /* of a Route Server with gateways (OPEN-11) */
	bool announces_all_spokes;      /* those without gateway transit too (OPEN-12) */
	bool vnet2vnet_own_only;        /* no Route Server's routes over such a tunnel (OPEN-13) */
	bool strips_public;             /* ASNs too, towards the customer of a circuit (OPEN-17) */
};

struct topo_subnet {
	char *name;
	struct ipnet prefix;
	int route_table; /* index, -1: none */
	bool nsg;
};

struct topo_vnet {
	char *name, *region;
	int region_index; /* into regions */
	struct topo_nets space;
	struct topo_nets summaries; /* what an ExpressRoute gateway announces instead (ER-14) */
	struct topo_subnet *subnets;
	size_t n_subnets;
	int gateway_subnet, route_server_subnet; /* index into subnets, -1: none */
	int route_server;                        /* index or -1 */
	int vpn_gateway, er_gateway;
	/* The scope whose BGP layer the NICs of this VNet use: this VNet itself if it has a Route
	 * Server or gateway, else the VNet behind its useRemoteGateways peering if that is
	 * Connected, else -1. */
	int scope;
};

enum topo_peering_state { PEERING_INITIATED, PEERING_CONNECTED, PEERING_DISCONNECTED };

struct topo_peering { /* directed, PEER-1 */
	int vnet, remote;
	bool allow_virtual_network_access, allow_forwarded_traffic, allow_gateway_transit,
	    use_remote_gateways, do_not_verify_remote_gateways;
	bool global; /* different regions */
	bool late;   /* Connected, but NICs do not have its routes yet (PEER-13); set by fabricd */
	struct topo_nets space; /* of the remote VNet, as this one knows it (PEER-4) */
	enum topo_peering_state state;
	int reverse; /* index of the object on the other side, -1 */
};

enum topo_hop { HOP_VIRTUAL_APPLIANCE, HOP_VNET_GATEWAY, HOP_VNET_LOCAL, HOP_INTERNET, HOP_NONE };

struct topo_udr {
	char *name;
	const char *tag; /* UDR-5: the service tag that prefix is one of; NULL: none */
	struct ipnet prefix;
	enum topo_hop hop;
	uint32_t address; /* VirtualAppliance */
};

struct topo_route_table {
	char *name;
	bool disable_bgp_route_propagation;
	struct topo_udr *routes; /* tags are written out: one for each prefix that they win */
	size_t n_routes;
	size_t n_given, n_tags; /* as the file has them */
};

/* UDR-5: given in the file, or one of those that come with the emulator. */
struct topo_service_tag {
	char *name;
	struct topo_nets nets;
};

enum topo_transport { TOPO_NNG, TOPO_TCP };

struct topo_rs_peer {
	char *name;
	int nva; /* index of the NVA with this name, -1: only an address */
	uint32_t peer_ip, peer_asn;
	int vnet; /* that holds peer_ip: the Route Server's own or a peered one (RS-38) */
	enum topo_transport transport;
	uint32_t transport_address; /* real source address without a data plane; 0: unset */
	uint16_t transport_port;    /* dial it there; 0: it dials */
	int in_map, out_map;        /* RM-1; -1: none */
	bool hub_connection;        /* RM-12 */
};

struct topo_tcp {
	uint32_t addr;
	uint16_t port;
};

struct topo_route_server {
	char *name;
	int vnet;
	uint32_t ip[2]; /* RS-2 */
	bool branch_to_branch;
	enum hrp_pref hub_routing_preference;
	uint32_t min_capacity; /* routing infrastructure units (RS-13) */
	struct topo_rs_peer *peers;
	size_t n_peers;
	struct topo_tcp bgp_listen[2]; /* per instance; port 0: none; also the real source
					  address when the instance dials */
	bool route_map_tier;           /* OPEN-20: upgraded for route maps, RM-12 holds */
};

struct topo_advert {
	struct ipnet prefix;
	uint32_t prepend;
	uint32_t *communities;
	size_t n_communities;
	uint32_t *large;
	size_t n_large;    /* triples */
	uint32_t next_hop; /* 0: self */
	bool has_med;
	uint32_t med;
	char **to;
	size_t n_to;
};

struct topo_prefix_rule {
	struct ipnet prefix;
	uint8_t ge, le;
	bool deny;
};

/* What an NVA does towards one kind of peer, MR-3 and MR-4. */
struct topo_policy {
	bool as_override, default_originate, next_hop_unchanged;
	uint32_t prepend;
	uint32_t *strip_as;
	size_t n_strip_as;
	uint32_t *communities;
	size_t n_communities;
	struct topo_prefix_rule *export_rules;
	size_t n_export;
	struct topo_prefix_rule *import_rules;
	size_t n_import;
};

struct topo_router_peer { /* nva <-> nva, nva <-> site; both ends list it */
	char *name;
	bool is_site;
	int index;   /* of the other end */
	bool tunnel; /* MR-6: trace sees one hop from end to end */
	enum topo_transport transport;
	struct topo_policy policy;
};

/* What stands for a machine when a fabric runs in containers (fabctl compose). */
struct topo_container {
	char *image;        /* NULL: none given */
	char *build;        /* where the image is built, as written; NULL: nowhere */
	char **command;     /* entry point and arguments; empty: the image's own */
	char **environment; /* "NAME=VALUE" */
	char **volumes;     /* "SOURCE:TARGET[:ro]" */
	char **cap_add;     /* "NET_RAW"; these and no others */
	bool has_cap_add;   /* false: docker's own set; true and empty: none */
	size_t n_command, n_environment, n_volumes, n_cap_add;
};

struct topo_nva {
	char *name;
	int vnet, subnet;
	uint32_t ip;
	uint32_t asn;
	uint32_t public_ip; /* 0: none */
	bool snat;          /* translates what it forwards to the Internet (SC-J) */
	bool ip_forwarding; /* true */
	bool stateful;      /* a firewall: both directions must pass the same instance */
	bool relay;         /* passes learned routes on */
	uint32_t hold_ms, keepalive_ms; /* 0: as timing */
	enum topo_transport transport;
	struct topo_advert *adverts;
	size_t n_adverts;
	struct topo_policy to_route_server;
	struct topo_router_peer *peers;
	size_t n_peers;
	char **run;
	size_t n_run; /* foreign software instead of nvad */
	struct topo_container container;
	bool foreign;               /* it runs, or has an image, of its own */
	struct topo_tcp bgp_listen; /* real TCP listener for router peers; port 0: none */
	struct topo_nets owns;      /* addresses and prefixes terminated here (P2S pools, tunnels);
				       trace delivers them. P2S pools are among the adverts too */
	struct topo_nets p2s_pools;
};

enum topo_gw_type { GW_EXPRESS_ROUTE, GW_VPN };

struct topo_gw_connection {
	char *name;
	int index;   /* circuit (ER) or site (VPN); -1 of a connection with another gateway */
	int gateway; /* VPN: the other gateway, of which `back` is the same tunnel's entry there; -1
		      */
	int back;    /* -1: it has none, so there is no tunnel */
	uint32_t routing_weight;
	bool bgp;                  /* VPN: false = static, prefixes from the site */
	bool vnet_to_vnet;         /* VPN: to a gateway of another VNet, or a site that stands for
				      one (RM-10) */
	int in_map, out_map;       /* RM-1; -1: none */
	struct topo_nets prefixes; /* VPN-6: local network gateway prefixes */
};

struct topo_gateway {
	char *name;
	int vnet;
	enum topo_gw_type type;
	uint32_t asn;
	bool active_active;
	bool interrupted;    /* a Route Server beside it comes or goes (RS-11); set by fabricd */
	uint32_t ip[2];      /* ER .12/.13 (ER-16); VPN .4/.5 alone, .6/.7 beside ER. An
				active-standby VPN gateway has the one BGP address ip[0] (VPN-1) */
	uint32_t msee_ip[2]; /* ER: the MSEE neighbours' addresses in GatewaySubnet, .4 primary and
				.5 secondary (ER-16) */
	unsigned max_circuits; /* ER: by SKU (ER-33) */
	uint32_t public_ip;    /* VPN-14 */
	struct topo_gw_connection *conns;
	size_t n_conns;
	struct topo_nets p2s_pools;
};

struct topo_circuit {
	char *name;
	int site;
	uint32_t msee_ip[2];      /* customer-facing: second host of the /30 (ER-1) */
	uint32_t site_ip[2];      /* first host */
	uint32_t nic_next_hop[2]; /* ER-19 */
	struct topo_nets links;   /* primary, secondary /30 */
	bool premium;
	bool bfd;        /* ER-4 */
	int maintenance; /* the MSEE that prepends: 0 primary, 1 secondary, -1 none (ER-9) */
};

struct topo_site {
	char *name;
	uint32_t asn;
	uint32_t ip;        /* router's address: first host of its first prefix unless given */
	uint32_t public_ip; /* 0: none */
	bool snat;          /* as topo_nva */
	uint32_t hold_ms, keepalive_ms; /* 0: as timing */
	struct topo_nets prefixes;
	struct topo_advert *adverts;
	size_t n_adverts; /* prefixes, with attributes */
	struct topo_policy policy;
	struct topo_router_peer *peers;
	size_t n_peers;
	enum topo_transport transport;
	bool relay;
	char **run;
	size_t n_run;
	struct topo_tcp bgp_listen; /* as topo_nva */
};

struct topo_vm {
	char *name;
	int vnet, subnet;
	uint32_t ip;
	uint32_t public_ip; /* 0: none */
	bool ip_forwarding;
	bool running;
	char **run; /* the user's own program in its guest; empty: none */
	size_t n_run;
	struct topo_container container;
};

#define TOPO_PROBE_PATH_MAX 256 /* with NUL */

/* How a load balancer finds out which of its backends are healthy. */
struct topo_health_probe {
	uint16_t port; /* 0: not by probes */
	bool http;     /* else TCP: a connection is enough */
	char *path;    /* HTTP */
	uint32_t interval_ms;
	uint32_t threshold; /* so many in a row change its mind */
};

/* An internal load balancer with HA ports: every port and protocol of its address (RS-57). */
struct topo_load_balancer {
	char *name;
	int vnet, subnet;
	uint32_t ip;
	int *backends; /* NICs, in its VNet */
	size_t n_backends;
	char **backend_names;
	size_t n_backend_names;
	struct topo_health_probe probe;
};

/* A client that dialled in (P2S), to a VPN gateway (VPN-20) or to an NVA (B2B-8). */
struct topo_client {
	char *name;
	int gateway, nva; /* one of them, the other -1 */
	uint32_t ip;      /* out of its pool */
};

/* Of a Route Server, for its peers and the connections of the gateways beside it (RM-1). */
struct topo_route_map {
	char *name;
	int server;
	struct route_map map;
};

struct topo {
	char *name;
	struct topo_timing timing;
	struct topo_limits limits;
	bool strict;  /* OPEN-1 */
	bool packets; /* BGP over TCP runs through the data plane */
	struct topo_quirks quirks;
	char **regions; /* that VNets are in, sorted */
	size_t n_regions;
	uint32_t region_delay_ms;              /* of pairs that are not among the paths */
	struct topo_region_path *region_paths; /* sorted by a, b */
	size_t n_region_paths;
	struct topo_vnet *vnets;
	size_t n_vnets;
	struct topo_peering *peerings;
	size_t n_peerings;
	struct topo_service_tag *tags; /* of the file */
	size_t n_tags;
	struct topo_route_table *tables;
	size_t n_tables;
	struct topo_route_server *servers;
	size_t n_servers;
	struct topo_nva *nvas;
	size_t n_nvas;
	struct topo_gateway *gateways;
	size_t n_gateways;
	struct topo_circuit *circuits;
	size_t n_circuits;
	struct topo_site *sites;
	size_t n_sites;
	struct topo_vm *vms;
	size_t n_vms;
	struct topo_load_balancer *balancers;
	size_t n_balancers;
	struct topo_client *clients;
	size_t n_clients;
	struct topo_route_map *maps;
	size_t n_maps;
	struct topo_nic *nics;
	size_t n_nics;
	struct topo_node *nodes;
	size_t n_nodes;
	struct topo_index *index; /* private to topo_build.c */
};

/* Everything with a readable effective-route table (EFF-18): VMs and NVAs. */
struct topo_nic {
	char *name; /* of the VM or NVA */
	int vnet, subnet;
	uint32_t ip;
	bool ip_forwarding;
	int vm, nva;        /* one of them, the other -1 */
	uint32_t public_ip; /* 0: none */
	unsigned instance;  /* RS-66: top bit of the address times 2654435769, 0 or 1 */
	bool starved;       /* its Route Server has no room for it yet (RS-23); set by fabricd */
};

/* One process of the fabric, fabricd excepted. */
enum topo_node_kind {
	TOPO_NODE_ROUTE_SERVER,
	TOPO_NODE_ER_GATEWAY,
	TOPO_NODE_VPN_GATEWAY,
	TOPO_NODE_MSEE,
	TOPO_NODE_NVA,
	TOPO_NODE_SITE
};

struct topo_node {
	char *name; /* "rs1-0", "er1-1", "circuit1-primary", "nva1", "dc1" */
	enum topo_node_kind kind;
	int index;         /* of the resource in its array */
	unsigned instance; /* 0 or 1 (1 = secondary) */
	char **run;
	size_t n_run; /* command line of foreign software */
	bool foreign; /* not our daemon: it has that, or an image of its own */
};

/* NULL with errors in errs. Warnings (OPEN-1, OPEN-4) go to warnings, which may be NULL. */
struct topo *topo_build(
    const struct topo_doc *doc, struct topo_errors *errs, struct topo_errors *warnings);
void topo_free(struct topo *t);

/* Look-ups; -1 if absent. Logarithmic in the number of objects. */
/* Azure's word for how well the two objects know the VNets (PEER-4). */
const char *topo_peering_sync(const struct topo *t, const struct topo_peering *p);
int topo_find_vnet(const struct topo *t, const char *name);
int topo_find_region(const struct topo *t, const char *name);
int topo_find_nic(const struct topo *t, const char *name);
int topo_find_node(const struct topo *t, const char *name);
int topo_find_nic_by_ip(const struct topo *t, int vnet, uint32_t ip);
int topo_find_client_by_ip(const struct topo *t, uint32_t ip);
int topo_find_balancer_by_ip(const struct topo *t, int vnet, uint32_t ip);
/* From region a to another one, b, as the topology has it. */
struct topo_region_path topo_region_path(const struct topo *t, int a, int b);
/* Region of the node's VNet, -1: it is in none. */
int topo_node_region(const struct topo *t, const struct topo_node *n);
/* The VNet that the node is in; -1: none (MSEEs, sites). */
int topo_node_vnet(const struct topo *t, const struct topo_node *n);
/* VNet and Azure address of a Route Server or gateway instance; false for other nodes, and for the
 * standby of an active-standby VPN gateway, which has none (VPN-1). */
bool topo_platform_address(
    const struct topo *t, const struct topo_node *n, int *vnet, uint32_t *ip);
/* With a data plane: whether the node's process stands in the network namespace of its NIC. With
 * `packets` Route Server instances and NVAs do; otherwise NVAs do that speak no BGP over the host's
 * loopback addresses. */
bool topo_node_in_guest(const struct topo *t, const struct topo_node *n);
/* The peering object of vnet towards remote, -1 if there is none. */
int topo_find_peering(const struct topo *t, int vnet, int remote);

#endif
