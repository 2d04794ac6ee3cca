#ifndef FABCTL_CTL_RUN_H
#define FABCTL_CTL_RUN_H
/*
 * The run directory of a local fabric: sockets, one log and one state file per process. It belongs
 * to one user (mode 0700). fabctl keeps nothing else: every call finds out from here what runs.
 *
 *   RUN_DIR/.run.json     the fabric: name, topology file; marks the directory as ours
 *   RUN_DIR/NAME.json     a process: kind, pid, start time, argv, cwd
 *   RUN_DIR/NAME.log      its standard output and error
 *   RUN_DIR/NAME.ipc, NAME.bgp, ...   what the daemons put there
 *   BASE/current          link to the run directory that `up` made last
 */
#include "fabctl/ctl_proc.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_FABRICD      "fabricd"  /* the name of fabricd's own process */
#define CTL_VSWITCHD     "vswitchd" /* and, with packets, of these two; see ctl_packets.h */
#define CTL_GUESTS       "guests"
#define CTL_SOCK_MAX     107 /* octets of a UNIX socket's path */
#define CTL_RUN_FILE_MAX (256 << 10)

/* Writes a path. FAB_ETOOBIG if it is longer than PATH_MAX. */
int ctl_path(char buf[static PATH_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ${XDG_RUNTIME_DIR:-/tmp}/hubspoke-UID */
int ctl_run_base(char buf[static PATH_MAX]);
/* BASE/NAME, for `up` without --run-dir. */
int ctl_run_default(char buf[static PATH_MAX], const char *fabric);
/* Where BASE/current leads; FAB_ENOENT when no fabric was started here. */
int ctl_run_current(char buf[static PATH_MAX]);
/* Points BASE/current to dir, or removes it if it leads there. */
int ctl_run_set_current(const char *dir);
void ctl_run_clear_current(const char *dir);

/* "ipc://DIR/fabricd.ipc"; and back: FAB_EINVAL unless url is such a one. */
int ctl_run_url(char buf[static PATH_MAX], const char *dir);
int ctl_run_of_url(char buf[static PATH_MAX], const char *url);
/* Names that no node can have: those of our own processes. */
bool ctl_run_name_is_taken(const char *name);
/* FAB_ETOOBIG if a socket of the node with this name would have too long a path. */
int ctl_run_check_socket(const char *dir, const char *node);

/*
 * Creates the run directory and locks it for this process. FAB_EEXIST: a fabric is in it already;
 * FAB_EINVAL: there is something in it that is not ours; FAB_EPERM: base directory of another user;
 * others: see errno. The lock is held until the descriptor is closed.
 */
int ctl_run_create(int *lock, const char *dir, const char *fabric, const char *topology);
/* Locks an existing one; wait says whether to wait for another fabctl that changes it now, or to
 * return FAB_EBUSY. FAB_ENOENT: no fabric in it. */
int ctl_run_lock(int *lock, const char *dir, bool wait);
/* Removes it with all that is in it; only directories that ctl_run_create() made. */
int ctl_run_remove(const char *dir);
/* {"name", "topology"} of the fabric in dir; FAB_ENOENT if there is none. The caller's. */
int ctl_run_info(json_t **out, const char *dir);

/* ---- processes ---- */

struct ctl_state {
	json_t *doc; /* owns the strings */
	const char *name, *kind, *cwd;
	json_t *argv;  /* list of strings, part of doc */
	bool in_guest; /* stands in the network namespace of the guest of its name */
	struct ctl_proc proc;
	uint64_t started_us;
};

/* Writes dir/NAME.json in one step. */
int ctl_state_save(const char *dir, const struct ctl_state *s);
/* FAB_ENOENT: no such process; FAB_EBADMSG: not a state file. */
int ctl_state_load(struct ctl_state *out, const char *dir, const char *name);
void ctl_state_fini(struct ctl_state *s);
void ctl_state_forget(const char *dir, const char *name);
/* All of a run directory, fabricd first, then the guests, then by name. malloc()ed array. */
int ctl_state_list(struct ctl_state **out, size_t *n, const char *dir);
void ctl_state_list_free(struct ctl_state *v, size_t n);
/* Every process of a run directory in the order in which they are to end, fabricd last. Those come
 * first that have no state file, because the fabctl that started them was killed. malloc()ed. */
int ctl_state_procs(struct ctl_proc **out, size_t *n, const char *dir);

/* Starts a process with its log in dir and saves its state. Of what, name, kind, argv, cwd and
 * in_guest count. argv[0] and cwd must be absolute paths or, argv[0], a name for PATH. FAB_ENOENT:
 * no such program, directory or guest; FAB_EPERM; others: see errno. */
int ctl_state_spawn(const char *dir, const struct ctl_state *what);

/* A JSON file of up to CTL_RUN_FILE_MAX octets. FAB_ENOENT, FAB_EBADMSG. */
int ctl_json_load(json_t **out, const char *path);
/* In one step: a reader sees the old file or the new one, never half of it. */
int ctl_json_save(const char *path, const json_t *doc);

/* The last lines of dir/NAME.log, at most 2 KiB; malloc()ed, "" if there is none. */
char *ctl_log_tail(const char *dir, const char *name, unsigned lines);

#endif
