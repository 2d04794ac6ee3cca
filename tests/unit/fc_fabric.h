#ifndef TESTS_UNIT_FC_FABRIC_H
#define TESTS_UNIT_FC_FABRIC_H
/*
 * For tests of fabricd as a whole: a fabric with its RPC server, a client, and stand-ins for node
 * daemons, all on one loop. A stand-in watches its configuration, reports what the test puts into
 * it, and serves Speaker and Node.
 */
#include "fabricd/fc.h"
#include "fabricd/fc_nodes.h"
#include "lib/wire_conf.h"
#include "proto/control.pb-c.h"
#include "proto/fabric.pb-c.h"
#include "proto/node.pb-c.h"
#include "proto/speaker.pb-c.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <string.h>

/* A hub with a Route Server, its peers, and one spoke with a VM; then two NVAs. */
#define SMALL_NET(peers)                                                                           \
	"name: small\n"                                                                            \
	"timing: {profile: fast, converge_quiet: 20ms}\n"                                          \
	"vnets:\n"                                                                                 \
	"  hub:\n"                                                                                 \
	"    region: r\n"                                                                          \
	"    address_space: [10.1.0.0/16]\n"                                                       \
	"    subnets: {RouteServerSubnet: 10.1.0.0/26, nva: 10.1.2.0/24}\n"                        \
	"  spoke:\n"                                                                               \
	"    region: r\n"                                                                          \
	"    address_space: [10.11.0.0/16]\n"                                                      \
	"    subnets: {vms: 10.11.0.0/24}\n"                                                       \
	"peerings: [{hub: hub, spoke: spoke}]\n"                                                   \
	"vms: {vm1: {subnet: spoke/vms, ip: 10.11.0.4}}\n"                                         \
	"route_servers:\n"                                                                         \
	"  rs:\n"                                                                                  \
	"    vnet: hub\n"                                                                          \
	"    bgp_listen: [127.0.0.1:1790, 127.0.0.2:1790]\n"                                       \
	"    peers: {" peers "}\n"
#define SMALL                                                                                      \
	SMALL_NET("nva1: {}, nva2: {}")                                                            \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub/nva, ip: 10.1.2.4, asn: 65001}\n"                                    \
	"  nva2: {subnet: hub/nva, ip: 10.1.2.5, asn: 65002}\n"

struct fixture {
	struct fab_test_dir dir;
	char store[64], bgp[64];
	struct fab_loop *loop;
	struct fc *f;
	struct fab_rpc_server *server;
	struct fab_rpc_client *client;
	char why[256]; /* of the last call that failed */
};

/* yaml NULL: empty. with_store: keeps its resources over fixture_restart(). */
void fixture_init(struct fixture *fx, const char *yaml, bool with_store);
void fixture_fini(struct fixture *fx);
/* fabricd dies and starts again; clients and nodes reconnect by themselves. */
void fixture_kill_fabric(struct fixture *fx);
void fixture_start_fabric(struct fixture *fx);

/* Applies a topology; fatal for the test unless it is taken. */
void fixture_apply(struct fixture *fx, const char *yaml);
/* A call of service Fabric. The reply is the caller's, NULL unless *status is OK. */
ProtobufCMessage *fixture_call(struct fixture *fx, const char *method, const ProtobufCMessage *req,
    enum fab_rpc_status *status);
/* The next hops of the active route for exactly this prefix: "10.1.2.4 10.1.2.5", or its next hop
 * type, or "-" if there is none. Static storage. */
const char *fixture_effective(struct fixture *fx, const char *nic, const char *prefix);
enum fab_rpc_status fixture_wait(struct fixture *fx, const char *expr, uint32_t timeout_ms);
enum fab_rpc_status fixture_set(
    struct fixture *fx, const char *kind, const char *name, const char *assignment);

#define FAKE_ROWS 8
#define FAKE_HOPS 4

struct fake_route {
	const char *prefix, *next_hop, *peer; /* "10.1.2.4 10.1.2.5" is ECMP */
};

/* The default routes of SMALL's two NVAs. */
extern const struct fake_route default_nva1, default_nva2;

struct fake {
	struct fixture *fx;
	char name[32], url[64];
	uint64_t started_us;
	struct fab_rpc_server *server;
	struct fab_rpc_client *client;
	struct fab_rpc_sub *watch;
	struct fab_rpc_stream *report;
	/* What it has received. */
	struct wire_conf *conf;
	unsigned configs, faults;
	enum fab_rpc_status ended;   /* status with which its watch ended last */
	Fab__V1__FaultRequest fault; /* the last one */
	char faulted[32];            /* its peer */
	/* What it says. */
	struct fake_route routes[FAKE_ROWS], learned[FAKE_ROWS];
	size_t n_routes, n_learned;
	const char *up[FAKE_ROWS]; /* peers with an established session */
	size_t n_up;
	bool converged;
};

/* Starts it; its first snapshot has what is in *said (may be NULL). Wait for k->conf. */
void fake_init(struct fake *k, struct fixture *fx, const char *name, const struct fake *said);
/* As SIGKILL. */
void fake_fini(struct fake *k);
/* Deltas; the state of the stand-in follows. detect_us 0: no stamps. */
void fake_announce(struct fake *k, struct fake_route r, uint64_t detect_us);
void fake_withdraw(struct fake *k, const char *prefix, uint64_t detect_us);
void fake_session(struct fake *k, const char *peer, bool up, const char *reason);
void fake_status(struct fake *k, bool converged);
/* Both instances of SMALL's Route Server, converged; they have the default route of nva1, and vm1
 * has it too when this returns. */
void fake_route_servers(struct fixture *fx, struct fake rs[2]);
const struct wire_peer *fake_peer(const struct fake *k, const char *name);

#endif
