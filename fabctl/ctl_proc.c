#include "fabctl/ctl_proc.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/userns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int
ctl_stat_parse(struct ctl_stat *out, const char *text)
{
	const char *p = strrchr(text, ')'); /* the name before may hold anything */
	struct ctl_stat st;
	unsigned long long start;

	/* Fields 3 state, 5 process group, 22 start time (proc(5)). */
	if (p == NULL ||
	    sscanf(p + 1,
		" %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		&st.state, &st.group, &start) != 3)
		return FAB_EBADMSG;
	st.start = start;
	*out = st;
	return FAB_OK;
}

static int
stat_read(struct ctl_stat *out, pid_t pid)
{
	char path[64], text[1024];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return FAB_ENOENT;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return FAB_ENOENT;
	text[n] = '\0';
	return ctl_stat_parse(out, text);
}

/* ---- start ---- */

static int
spawn_actions(posix_spawn_file_actions_t *fa, const struct ctl_spawn *s)
{
	int error;

	(void)((error = posix_spawn_file_actions_addopen(fa, 0, "/dev/null", O_RDONLY, 0)) != 0 ||
	       (error = posix_spawn_file_actions_addopen(
		    fa, 1, s->log, O_WRONLY | O_CREAT | O_APPEND, 0600)) != 0 ||
	       (error = posix_spawn_file_actions_adddup2(fa, 1, 2)) != 0 ||
	       (error = posix_spawn_file_actions_addchdir_np(fa, s->cwd)) != 0 ||
	       (error = posix_spawn_file_actions_addclosefrom_np(fa, 3)) != 0);
	return error;
}

/* A session of its own, all signals as usual: nothing of this terminal reaches it. */
static void
spawn_attributes(posix_spawnattr_t *attr)
{
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(attr, &set);
	posix_spawnattr_setflags(
	    attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int
spawn(pid_t *pid, const struct ctl_spawn *s, const posix_spawn_file_actions_t *fa,
    const posix_spawnattr_t *attr)
{
	return posix_spawnp(pid, s->argv[0], fa, attr, s->argv, environ);
}

/* A child stands where this thread stands at that moment. Returns an errno. */
static int
spawn_in_netns(pid_t *pid, const struct ctl_spawn *s, const posix_spawn_file_actions_t *fa,
    const posix_spawnattr_t *attr)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int error;

	if (home < 0)
		return errno;
	if (setns(s->netns, CLONE_NEWNET) != 0) {
		error = errno;
	} else {
		error = spawn(pid, s, fa, attr);
		FAB_ASSERT(setns(home, CLONE_NEWNET) == 0); /* we came from there */
	}
	close(home);
	return error;
}

/* The child's way to its program when it has to leave our user namespace first, which only a
 * process with one thread can: system calls only until exec. */
static void
become(const struct ctl_spawn *s)
{
	const struct sigaction usual = { .sa_handler = SIG_DFL };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int log = open(s->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	sigset_t none;

	sigemptyset(&none);
	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &usual, NULL); /* of some it cannot be changed */
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() >= 0 && null >= 0 && log >= 0 && dup2(null, 0) == 0 && dup2(log, 1) == 1 &&
	    dup2(log, 2) == 2 && chdir(s->cwd) == 0 && fab_userns_enter(s->netns) &&
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		execvp(s->argv[0], s->argv);
}

/* Returns an errno: the child writes its own into a pipe that closes when it has become another. */
static int
spawn_in_userns(pid_t *pid, const struct ctl_spawn *s)
{
	int error = 0, p[2];

	if (pipe2(p, O_CLOEXEC) != 0)
		return errno;
	if ((*pid = fork()) == 0) {
		become(s);
		error = errno;
		(void)!write(p[1], &error, sizeof(error));
		_exit(127);
	}
	error = *pid < 0 ? errno : 0;
	close(p[1]);
	while (*pid > 0 && read(p[0], &error, sizeof(error)) < 0 && errno == EINTR)
		continue;
	close(p[0]);
	if (*pid > 0 && error != 0)
		waitpid(*pid, NULL, 0);
	return error;
}

int
ctl_proc_spawn(struct ctl_proc *out, const struct ctl_spawn *s)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	struct ctl_stat st;
	int error;
	pid_t pid;

	if (posix_spawn_file_actions_init(&fa) != 0)
		return FAB_ENOMEM;
	if (posix_spawnattr_init(&attr) != 0) {
		posix_spawn_file_actions_destroy(&fa);
		return FAB_ENOMEM;
	}
	spawn_attributes(&attr);
	if ((error = spawn_actions(&fa, s)) == 0)
		error = s->netns == 0                   ? spawn(&pid, s, &fa, &attr)
			: fab_userns_is_other(s->netns) ? spawn_in_userns(&pid, s)
							: spawn_in_netns(&pid, s, &fa, &attr);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	if (error != 0) {
		errno = error;
		return error == ENOENT ? FAB_ENOENT : fab_err_from_errno(error);
	}
	/* Not waited for yet: /proc has it, even if it ended at once. */
	if (stat_read(&st, pid) != FAB_OK)
		return FAB_EIO;
	*out = (struct ctl_proc){ .pid = pid, .start = st.start };
	return FAB_OK;
}

/* ---- look ---- */

enum ctl_proc_state
ctl_proc_state(struct ctl_proc p)
{
	struct ctl_stat st;

	if (p.pid <= 0 || stat_read(&st, p.pid) != FAB_OK || st.start != p.start ||
	    strchr("ZXx", st.state) != NULL)
		return CTL_PROC_DEAD;
	return st.state == 'T' || st.state == 't' ? CTL_PROC_PAUSED : CTL_PROC_RUNNING;
}

int
ctl_proc_signal(struct ctl_proc p, int sig)
{
	if (ctl_proc_state(p) == CTL_PROC_DEAD)
		return FAB_ENOENT;
	if (killpg(p.pid, sig) != 0)
		return errno == ESRCH ? FAB_ENOENT : fab_err_from_errno(errno);
	return FAB_OK;
}

static uint32_t
ms_left(struct fab_mono since, uint32_t timeout_ms)
{
	uint64_t ms = fab_mono_us_between(since, fab_mono_now()) / 1000;

	return ms >= timeout_ms ? 0 : timeout_ms - (uint32_t)ms;
}

int
ctl_proc_await_end(struct ctl_proc p, uint32_t timeout_ms)
{
	struct fab_mono since = fab_mono_now();
	struct pollfd pfd = { .fd = (int)syscall(SYS_pidfd_open, p.pid, 0), .events = POLLIN };
	bool dead;

	/* The descriptor becomes readable when the process ends; without one (an old kernel, or
	 * the process is gone) poll() is only the pause between two looks. */
	while (!(dead = ctl_proc_state(p) == CTL_PROC_DEAD)) {
		uint32_t left = ms_left(since, timeout_ms);

		if (left == 0)
			break;
		if (pfd.fd >= 0)
			poll(&pfd, 1, (int)left);
		else
			poll(NULL, 0, left < 5 ? (int)left : 5);
	}
	if (pfd.fd >= 0)
		close(pfd.fd);
	return dead ? FAB_OK : FAB_ETIMEOUT;
}

/* Whether the process's standard output is a log in dir, a directory's full name without links. */
static bool
logs_into(pid_t pid, const char *dir)
{
	size_t len = strlen(dir);
	char path[64], target[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)pid);
	if ((n = readlink(path, target, sizeof(target) - 1)) < 0)
		return false; /* gone, or not ours to look at */
	target[n] = '\0';
	return (size_t)n > len + 4 && strncmp(target, dir, len) == 0 && target[len] == '/' &&
	       strcmp(target + n - 4, ".log") == 0;
}

int
ctl_proc_find(struct ctl_proc **out, size_t *n_out, const char *dir)
{
	char real[PATH_MAX];
	struct ctl_proc *v = NULL;
	struct dirent *d;
	struct ctl_stat st;
	size_t n = 0;
	DIR *proc;

	if (realpath(dir, real) == NULL)
		return FAB_ENOENT;
	if ((proc = opendir("/proc")) == NULL)
		return fab_err_from_errno(errno);
	while ((d = readdir(proc)) != NULL) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid() || !logs_into(pid, real) ||
		    stat_read(&st, pid) != FAB_OK || st.group != pid)
			continue;
		FAB_ASSERT((v = realloc(v, (n + 1) * sizeof(*v))) != NULL);
		v[n++] = (struct ctl_proc){ .pid = pid, .start = st.start };
	}
	closedir(proc);
	*out = v;
	*n_out = n;
	return FAB_OK;
}

/* ---- end ---- */

/* SIGKILL to what a process leaves in its group when it ends. The number of the group cannot have
 * been given to others while it has members; a new leader of that number is somebody else's. */
static size_t
kill_orphans(const struct ctl_proc *v, size_t n)
{
	DIR *dir = opendir("/proc");
	struct ctl_stat st, leader;
	struct dirent *d;
	size_t killed = 0;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)strtol(d->d_name, NULL, 10);

		if (pid <= 0 || stat_read(&st, pid) != FAB_OK || st.state == 'Z')
			continue;
		for (size_t i = 0; i < n; i++) {
			if (v[i].pid != st.group ||
			    (stat_read(&leader, st.group) == FAB_OK && leader.start != v[i].start))
				continue;
			if (kill(pid, SIGKILL) == 0) {
				ctl_proc_await_end(
				    (struct ctl_proc){ .pid = pid, .start = st.start }, 1000);
				killed++;
			}
		}
	}
	if (dir != NULL)
		closedir(dir);
	return killed;
}

size_t
ctl_proc_end_all(const struct ctl_proc *v, size_t n, uint32_t grace_ms)
{
	struct fab_mono since = fab_mono_now();
	size_t killed = 0;

	for (size_t i = 0; i < n; i++) {
		/* In this order: a SIGCONT later on would undo the SIGSTOPs by which a leak checker
		 * halts the threads of a process that is ending, and both would wait for ever. */
		ctl_proc_signal(v[i], SIGCONT);
		ctl_proc_signal(v[i], SIGTERM);
	}
	for (size_t i = 0; i < n; i++) {
		if (ctl_proc_await_end(v[i], ms_left(since, grace_ms)) == FAB_OK)
			continue;
		ctl_proc_signal(v[i], SIGKILL);
		ctl_proc_await_end(v[i], 5000);
		killed++;
	}
	return killed + kill_orphans(v, n);
}
