#ifndef FABCTL_CTL_NODES_H
#define FABCTL_CTL_NODES_H
/*
 * Which process plays which node of a topology, and the processes of a run directory as a whole.
 */
#include "fabctl/ctl.h"
#include "lib/topo.h"

#include <jansson.h>
#include <stdint.h>

#define CTL_END_GRACE_MS 3000 /* between SIGTERM and SIGKILL */

/* Reads, parses and checks a topology file. timing: a profile instead of its own, or NULL. CTL_OK;
 * CTL_REFUSED with the reasons in errs, or after saying it when errs is empty; CTL_USAGE after
 * saying that it cannot be read. */
int ctl_topo_load(struct topo **out, const char *file, const char *timing, struct topo_errors *errs,
    struct topo_errors *warnings);
/* All of them on standard error: "file:line: code: message". */
void ctl_topo_complain(
    const char *file, const struct topo_errors *errs, const struct topo_errors *warnings);

/* "route_server", "er_gateway", ... */
const char *ctl_node_kind(enum topo_node_kind kind);
/* "gatewayd" and "vpn"; role is NULL where there is only one. */
void ctl_node_program(enum topo_node_kind kind, const char **daemon, const char **role);

/* Path of one of our daemons: beside fabctl, or in PATH. FAB_ENOENT. */
int ctl_find_daemon(char buf[static PATH_MAX], const char *name);

/* Command line of a node, the caller's; {run_dir}, {name} and {dir} (of the topology file) in the
 * words of foreign software are filled in. FAB_ENOENT: why[] names the missing program. */
int ctl_node_argv(json_t **out, const struct topo_node *n, const char *run_dir,
    const char *topo_dir, char why[static 256]);
/* timing: a profile instead of the topology's, NULL: that one. */
int ctl_fabricd_argv(json_t **out, const char *run_dir, const char *topology, bool packets,
    const char *timing, char why[static 256]);

/*
 * What has a process of its own: the nodes of t and, with packets, VMs that run something, which
 * are no nodes to fabricd. malloc()ed array of shallow copies, valid as long as t.
 */
#define CTL_NODE_VM ((enum topo_node_kind)(TOPO_NODE_SITE + 1))
struct topo_node *ctl_nodes(const struct topo *t, bool packets, size_t *n);
/* Such a one, as opposed to a node of fabricd's. */
bool ctl_node_in_guest(const struct topo *t, const struct topo_node *n);

/* Directory of a topology file, absolute. */
int ctl_topology_dir(char buf[static PATH_MAX], const char *file);

/* Where the nodes of a local fabric run. */
struct ctl_place {
	const struct topo *t;
	const char *run_dir, *topo_dir; /* logs and state; working directory of foreign software */
	bool packets;
};

/* Starts a node, with packets in its guest if it belongs there. As ctl_state_spawn(). */
int ctl_node_start(const struct topo_node *n, json_t *argv, const struct ctl_place *p);

/* SIGTERM to all in reverse order of start, SIGKILL after a grace period, forgets them. Returns how
 * many had to be killed. */
size_t ctl_end_everything(const char *run_dir);

/* After a change of resources: starts the processes of new nodes, ends those of nodes that are
 * gone, and replaces those that are to run other software. Does nothing without a local run
 * directory. */
int ctl_reconcile(struct ctl *c);

#endif
