#ifndef FABRICD_FC_NODES_H
#define FABRICD_FC_NODES_H
/*
 * The nodes by name: what the topology says they are, which configuration they were given, and what
 * they last reported. fc_control feeds it from the wire; Ps, Wait, Link and the listings read it.
 *
 * A node of the topology has an entry from the start ("never seen"). A process whose name is not in
 * the topology has one as long as its report stream is there, so that it is known at once when the
 * name is added.
 */
#include "fabricd/fc.h"
#include "lib/rpc.h"

#include <uthash.h>

#define FC_NODE_NAME_MAX    128  /* octets of a name that a process may give itself */
#define FC_NODE_UNKNOWN_MAX 1024 /* processes with names that are not in the topology */
#define FC_NODE_SESSIONS    4096 /* sessions that one node may report */

struct fc_session {
	UT_hash_handle hh;
	char *peer;
	bool established, synced;
	bool repeated; /* by the snapshot that is under way */
	char state[16];
	char reason[160];
	uint64_t at_us;
	uint32_t routes_in;
};

struct fc_node {
	UT_hash_handle hh;
	char *name;
	int index;    /* in topo->nodes; -1: not in the topology */
	bool foreign; /* runs other software than ours */

	struct fc_watch *watch;       /* stream that carries its configuration; NULL: none */
	struct fc_reporter *reporter; /* stream that carries its reports; NULL: not connected */
	bool seen;                    /* was connected at some time */
	int32_t pid;
	uint64_t started_us;
	char url[FC_URL_MAX]; /* where it serves Node and Speaker; empty: unknown */
	struct fab_rpc_client *client;

	uint8_t *conf; /* packed NodeConfig without generation; NULL: none */
	size_t conf_len;
	uint64_t generation; /* of conf */
	size_t n_peers;      /* sessions that it lists and does not mark optional */

	uint64_t status_generation; /* reported: what is in force there */
	bool status_converged;
	uint32_t status_routes;
	struct fc_session *sessions;
};

int fc_nodes_new(struct fc_nodes **out, struct fc *f);
void fc_nodes_free(struct fc_nodes *ns);

struct fab_loop *fc_nodes_loop(const struct fc_nodes *ns);

/* The topology was replaced: indexes, configurations, entries of nodes that are gone. Pushes to
 * whoever watches what changed. FAB_ENOMEM: some node kept its old configuration. */
int fc_nodes_sync(struct fc_nodes *ns);

struct fc_node *fc_node_find(const struct fc_nodes *ns, const char *name);
/* Iteration in order of addition: NULL starts, NULL ends. */
struct fc_node *fc_node_next(const struct fc_nodes *ns, const struct fc_node *after);
/* Finds or adds. NULL: the name is too long, or too many unknown ones. */
struct fc_node *fc_node_add(struct fc_nodes *ns, const char *name);
/* Frees the entry if nothing holds it: not in the topology and no stream. */
void fc_node_release(struct fc_nodes *ns, struct fc_node *n);

/* Calls fn for the node of that name, or for each node of the resource of that name (rs1: rs1-0 and
 * rs1-1; circuit1: both MSEEs). Returns how many. */
typedef void fc_node_fn(void *arg, struct fc_node *n);
size_t fc_nodes_named(const struct fc_nodes *ns, const char *name, fc_node_fn *fn, void *arg);
/* The topology's record of the node; NULL if it is not in the topology. */
const struct topo_node *fc_node_topo(const struct fc_nodes *ns, const struct fc_node *n);
const char *fc_node_kind_name(enum topo_node_kind k); /* "route_server" */

/* "foreign", "never seen", "running", "lost". */
const char *fc_node_state(const struct fc_node *n);
static inline bool
fc_node_connected(const struct fc_node *n)
{
	return n->reporter != NULL;
}

/* It runs, has its configuration and all its sessions. */
bool fc_node_converged(const struct fc_node *n);

/* Client for its Node and Speaker services; dials on first use. NULL: not connected, or its URL is
 * not known. */
struct fab_rpc_client *fc_node_client(struct fc_nodes *ns, struct fc_node *n);
void fc_node_drop_client(struct fc_node *n);

struct fc_session *fc_session_find(const struct fc_node *n, const char *peer);
/* Finds or adds; NULL: FC_NODE_SESSIONS reached, or out of memory. */
struct fc_session *fc_session_add(struct fc_node *n, const char *peer);
void fc_session_remove(struct fc_node *n, struct fc_session *s);
void fc_sessions_clear(struct fc_node *n);

#endif
