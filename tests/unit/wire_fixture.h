#ifndef TESTS_UNIT_WIRE_FIXTURE_H
#define TESTS_UNIT_WIRE_FIXTURE_H
/*
 * For tests of the roles: NodeConfigs written in a few lines, and a reporter that keeps what a node
 * told, as fabricd would.
 */
#include "lib/ipnet.h"
#include "lib/wire_report.h"
#include "proto/control.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

#define FX_PEERS_MAX     16
#define FX_ORIGINATE_MAX 2048
#define FX_NETS_MAX      16
#define FX_ROUTES_MAX    4096

/* A NodeConfig and everything it leads to. Must stay where it is. */
struct fx_conf {
	Fab__V1__NodeConfig m;
	Fab__V1__Timers timers;
	Fab__V1__BgpPeerConfig peers[FX_PEERS_MAX];
	Fab__V1__BgpPeerConfig *peer_list[FX_PEERS_MAX];
	Fab__V1__RouterPolicy policies[FX_PEERS_MAX];
	Fab__V1__Originate originates[FX_ORIGINATE_MAX];
	Fab__V1__Originate *originate_list[FX_ORIGINATE_MAX];
	Fab__V1__RouterConfig router;
	Fab__V1__GatewayConfig gateway;
	Fab__V1__MseeConfig msee;
	Fab__V1__CircuitConnection circuits[2];
	Fab__V1__CircuitConnection *circuit_list[2];
	uint32_t next_hops[2][2];
	Fab__V1__StaticConnection statics[2];
	Fab__V1__StaticConnection *static_list[2];
	Fab__V1__Prefix nets[FX_NETS_MAX];
	Fab__V1__Prefix *net_lists[FX_NETS_MAX];
	size_t n_nets;
};

uint32_t fx_ip(const char *text);
struct ipnet fx_net(const char *text);

/* Hold 3 s, keepalive 1 s, connect retry 200 ms; no BGP listener; generation 1. Strings are
 * borrowed. */
void fx_conf_init(
    struct fx_conf *c, const char *name, Fab__V1__NodeKind kind, uint32_t asn, const char *address);
/* A passive NNG peer; set the rest in the result. Its policy is there, all zero. */
Fab__V1__BgpPeerConfig *fx_peer(struct fx_conf *c, const char *name, Fab__V1__PeerRole role,
    uint32_t asn, const char *address, const char *local);
Fab__V1__Originate *fx_originate(struct fx_conf *c, const char *prefix);
/* "10.1.0.0/16 10.2.0.0/16" into a list of the message. */
void fx_nets(struct fx_conf *c, Fab__V1__Prefix ***list, size_t *n, const char *prefixes);
/* The gateway section with these VNet prefixes and spokes. */
Fab__V1__GatewayConfig *fx_gateway(struct fx_conf *c, const char *vnet, const char *spokes);
void fx_circuit(struct fx_conf *c, const char *name, uint32_t weight, const char *primary,
    const char *secondary);
void fx_static(struct fx_conf *c, const char *name, const char *prefixes);

/* ---- reports ---- */

struct fx_route {
	struct ipnet net;
	enum hrp_source source;
	uint32_t next_hops[8];
	size_t n_next_hops;
	uint32_t weight;
	char path[64];
	char peer[32];
};

struct fx_report {
	unsigned notices;
	char notice[128]; /* the last one */
	struct fx_route routes[FX_ROUTES_MAX];
	size_t n_routes;
	unsigned items, batches, withdrawn, sessions, statuses;
	char cause[160];
	char last_session[96];     /* "rs1-0 Established synced" */
	char up[FX_PEERS_MAX][32]; /* names of peers with a session */
	size_t sessions_up;
	bool converged;
	uint64_t generation;
	uint32_t status_routes;
};

/* For struct wire_report_to; arg is a struct fx_report. */
void fx_report_send(void *arg, const Fab__V1__ReportItem *item);
/* NULL: not reported. */
const struct fx_route *fx_reported(const struct fx_report *r, const char *prefix);
/* "10.1.2.4 10.1.2.5"; "" if not reported. */
const char *fx_reported_hops(const struct fx_report *r, const char *prefix);

#endif
