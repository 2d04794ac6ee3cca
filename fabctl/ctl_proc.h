#ifndef FABCTL_CTL_PROC_H
#define FABCTL_CTL_PROC_H
/*
 * Local processes that outlive the fabctl that started them. A process is known by its pid and its
 * start time, so that a reused pid is never signalled; it leads a session and process group of its
 * own, so that what it starts ends with it. Processes that ended and wait for their parent
 * (zombies) count as dead.
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ctl_proc {
	pid_t pid;
	uint64_t start; /* field 22 of /proc/PID/stat, clock ticks since boot */
};

enum ctl_proc_state { CTL_PROC_DEAD, CTL_PROC_RUNNING, CTL_PROC_PAUSED };

/* Fields of one /proc/PID/stat line that we need; for tests as well. FAB_EBADMSG if it is none. */
struct ctl_stat {
	char state;
	pid_t group;
	uint64_t start;
};
int ctl_stat_parse(struct ctl_stat *out, const char *text);

struct ctl_spawn {
	char *const *argv; /* ends with NULL; argv[0] is a path or is looked for in PATH */
	const char *cwd;
	const char *log; /* file that standard output and error are appended to */
	int netns;       /* descriptor of the network namespace to stand in; 0: the caller's */
};

/* FAB_ENOENT: no such program or directory; FAB_EPERM; FAB_EIO: see errno. */
int ctl_proc_spawn(struct ctl_proc *out, const struct ctl_spawn *s);
enum ctl_proc_state ctl_proc_state(struct ctl_proc p);
/* To the whole process group. FAB_ENOENT: the process is dead. */
int ctl_proc_signal(struct ctl_proc p, int sig);
/* Waits until p is dead. FAB_ETIMEOUT if it is not after timeout_ms. */
int ctl_proc_await_end(struct ctl_proc p, uint32_t timeout_ms);
/* Leaders of process groups, other than the caller, that write to a log in dir: what was started
 * there, whether or not anybody noted it. *out is malloc()ed; NULL if there are none. */
int ctl_proc_find(struct ctl_proc **out, size_t *n_out, const char *dir);
/*
 * Ends all processes and what is left of their groups: SIGCONT and SIGTERM in the order given, then
 * SIGKILL for what still lives after grace_ms. Returns how many had to be killed.
 */
size_t ctl_proc_end_all(const struct ctl_proc *v, size_t n, uint32_t grace_ms);

#endif
