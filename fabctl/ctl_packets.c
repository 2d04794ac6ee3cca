#include "fabctl/ctl_packets.h"

#include "fabctl/ctl_nodes.h"
#include "fabctl/ctl_power.h"
#include "fabctl/ctl_run.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/userns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TUN_PATH     "/dev/net/tun"
#define CLEAR_MS     1000
#define AWAIT_MS     10000
#define GUEST_TARGET 64 /* "/proc/PID/fd/N" */

/* ---- may we ---- */

/* In a child, which takes the namespace with it: the two things that vswitchd and fabattach do. */
static int
try_packets(bool rootless)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd;

	if (rootless && fab_userns_make() != FAB_OK)
		return 4;
	if (unshare(CLONE_NEWNET) != 0)
		return 1;
	if ((fd = open(TUN_PATH, O_RDWR | O_CLOEXEC)) < 0)
		return 2;
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		return 3;
	ioctl(fd, TUNSETPERSIST, 1); /* it goes with the namespace: nobody waits for that */
	return 0;
}

static int
in_child(bool rootless)
{
	pid_t pid = fork();
	int how = 0;

	if (pid == 0)
		_exit(try_packets(rootless));
	while (pid > 0 && waitpid(pid, &how, 0) < 0 && errno == EINTR)
		continue;
	return pid > 0 && WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

/* NULL, or why there can be no packets here. *rootless: only in a user namespace. */
static const char *
objection(bool *rootless)
{
	static const char *const reasons[] = {
		NULL,
		"network namespaces cannot be made here (CAP_SYS_ADMIN is missing)",
		TUN_PATH " cannot be opened",
		"a TAP cannot be made (CAP_NET_ADMIN is missing)",
		"they need root, or user namespaces, and these cannot be made here",
	};
	char path[PATH_MAX];
	int how;

	if (access(TUN_PATH, F_OK) != 0)
		return "there is no " TUN_PATH;
	if (ctl_find_daemon(path, CTL_VSWITCHD) != FAB_OK ||
	    ctl_find_daemon(path, "fabattach") != FAB_OK)
		return "vswitchd and fabattach are neither beside fabctl nor in PATH";
	*rootless = false;
	if ((how = in_child(false)) == 1 && geteuid() != 0) {
		*rootless = true;
		how = in_child(true);
	}
	if (how < 0 || (size_t)how >= sizeof(reasons) / sizeof(reasons[0]))
		return "it cannot be tried out";
	return reasons[how];
}

int
ctl_packets_choose(bool *on, bool *rootless, const char *word, const struct topo *t)
{
	const char *why;

	if (word == NULL && ((word = getenv("FAB_PACKETS")) == NULL || word[0] == '\0'))
		word = "auto";
	*on = false;
	if (strcmp(word, "off") == 0)
		return t->packets
			   ? ctl_fail(CTL_REFUSED, "PACKETS",
				 "%s has 'packets: true', it does not work without them", t->name)
			   : CTL_OK;
	if (strcmp(word, "auto") != 0 && strcmp(word, "on") != 0)
		return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not auto, on or off", word);
	if ((why = objection(rootless)) == NULL) {
		*on = true;
		return CTL_OK;
	}
	if (strcmp(word, "on") == 0 || t->packets)
		return ctl_fail(CTL_NO, "PACKETS", "no packets: %s", why);
	fprintf(stderr, "fabctl: control plane only, no packets: %s\n", why);
	return CTL_OK;
}

/* ---- the two processes ---- */

int
ctl_packets_engine(const char **engine, const char *word)
{
	static const char *const known[] = { "auto", "bpf", "userspace", "taps" };

	if (word == NULL && (word = getenv("FAB_ENGINE")) != NULL && word[0] == '\0')
		word = NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (word == NULL || strcmp(word, known[i]) == 0) {
			*engine = word;
			return CTL_OK;
		}
	return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not auto, bpf, userspace or taps", word);
}

int
ctl_packets_argv(json_t **vswitchd, json_t **guests, const char *run_dir, const char *engine)
{
	char sw[PATH_MAX], attach[PATH_MAX], url[PATH_MAX];

	if (ctl_find_daemon(sw, CTL_VSWITCHD) != FAB_OK ||
	    ctl_find_daemon(attach, "fabattach") != FAB_OK)
		return ctl_fail(CTL_NO, "NOPROGRAM",
		    "vswitchd and fabattach are neither beside fabctl nor in PATH");
	if (ctl_run_url(url, run_dir) != FAB_OK ||
	    ctl_run_check_socket(run_dir, CTL_VSWITCHD ".attach") != FAB_OK)
		return ctl_fail(CTL_USAGE, "PATH", "the run directory's path is too long");
	*vswitchd = json_pack("[s, s, s, s, s, s, o, s, o]", sw, "--fabric", url, "--name",
	    CTL_VSWITCHD, "--listen", json_sprintf("ipc://%s/" CTL_VSWITCHD ".ipc", run_dir),
	    "--attach", json_sprintf("%s/" CTL_VSWITCHD ".attach", run_dir));
	if (engine != NULL) {
		json_array_append_new(*vswitchd, json_string("--engine"));
		json_array_append_new(*vswitchd, json_string(engine));
	}
	*guests = json_pack("[s, s, o, s, o, s, s, s, o]", attach, "--socket",
	    json_sprintf("%s/" CTL_VSWITCHD ".attach", run_dir), "--make",
	    json_sprintf("%s/" CTL_GUESTS, run_dir), "--plain", CTL_VSWITCHD, "--list",
	    json_sprintf("%s/" CTL_GUESTS ".list", run_dir));
	FAB_ASSERT(*vswitchd != NULL && *guests != NULL);
	return CTL_OK;
}

static void
write_guest(FILE *fp, const json_t *off, const char *name, const char *kind)
{
	fprintf(fp, "%s%s%s\n", name, kind, json_object_get(off, name) != NULL ? " off" : "");
}

/* In one step: fabattach reads the old list or the new one. */
static int
write_list(const char *run_dir, const struct topo *t)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	int vnet, err;
	json_t *off;
	uint32_t ip;
	bool ok;
	FILE *fp;

	if ((err = ctl_path(path, "%s/" CTL_GUESTS ".list", run_dir)) != FAB_OK ||
	    (err = ctl_path(fresh, "%s.tmp", path)) != FAB_OK)
		return err;
	if ((fp = fopen(fresh, "we")) == NULL)
		return fab_err_from_errno(errno);
	off = ctl_power_off(run_dir); /* who is off stays so */
	for (size_t i = 0; i < t->n_nics; i++)
		write_guest(fp, off, t->nics[i].name, t->nics[i].nva >= 0 ? " router" : "");
	for (size_t i = 0; i < t->n_nodes; i++) /* they answer pings (RS-8) */
		if (topo_platform_address(t, &t->nodes[i], &vnet, &ip))
			write_guest(fp, off, t->nodes[i].name, "");
	for (size_t i = 0; i < t->n_sites; i++)
		write_guest(fp, off, t->sites[i].name, "");
	for (size_t i = 0; i < t->n_clients; i++)
		write_guest(fp, off, t->clients[i].name, "");
	write_guest(fp, off, TOPO_INTERNET, "");
	json_decref(off);
	ok = ferror(fp) == 0;
	if (fclose(fp) == 0 && ok && rename(fresh, path) == 0)
		return FAB_OK;
	err = fab_err_from_errno(errno);
	unlink(fresh);
	return err;
}

int
ctl_packets_start(json_t *vswitchd, json_t *guests, const char *run_dir, const struct topo *t)
{
	struct ctl_state sw = { .name = CTL_VSWITCHD,
		.kind = "vswitch",
		.argv = vswitchd,
		.cwd = run_dir,
		.in_guest = true };
	struct ctl_state holder = {
		.name = CTL_GUESTS, .kind = "guests", .argv = guests, .cwd = run_dir
	};
	const char *name = CTL_GUESTS;
	int err = write_list(run_dir, t), status;

	if (err == FAB_OK)
		err = ctl_state_spawn(run_dir, &holder);
	if (err == FAB_OK) {
		if ((status = ctl_guest_await(run_dir, CTL_VSWITCHD, true)) != CTL_OK)
			return status;
		name = CTL_VSWITCHD;
		err = ctl_state_spawn(run_dir, &sw);
	}
	return err == FAB_OK
		   ? CTL_OK
		   : ctl_fail(CTL_NO, "START", "cannot start %s: %s", name, fab_strerror(err));
}

bool
ctl_packets_are_on(const char *run_dir)
{
	struct ctl_state s;

	if (ctl_state_load(&s, run_dir, CTL_GUESTS) != FAB_OK)
		return false;
	ctl_state_fini(&s);
	return true;
}

int
ctl_packets_follow(const char *run_dir, const struct topo *t)
{
	struct ctl_state s;
	int err;

	if ((err = write_list(run_dir, t)) != FAB_OK)
		return ctl_fail(CTL_NO, "WRITE", "cannot write %s/" CTL_GUESTS ".list: %s", run_dir,
		    fab_strerror(err));
	if ((err = ctl_state_load(&s, run_dir, CTL_GUESTS)) != FAB_OK)
		return CTL_OK; /* was taken down meanwhile */
	err = ctl_proc_signal(s.proc, SIGHUP);
	ctl_state_fini(&s);
	/* A dead one reads the list when it is started again. */
	return err == FAB_OK ? ctl_guests_await(run_dir, t) : CTL_OK;
}

/* ---- guests ---- */

/* Where a guest's link leads, if that is a network namespace that the living holder holds: a number
 * of a process may be somebody else's by now. */
static int
open_link(const char *path, const struct ctl_state *holder)
{
	char target[GUEST_TARGET], prefix[GUEST_TARGET];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	int fd;

	if (n < 0 || ctl_proc_state(holder->proc) == CTL_PROC_DEAD)
		return -1;
	target[n] = '\0';
	snprintf(prefix, sizeof(prefix), "/proc/%d/fd/", (int)holder->proc.pid);
	if (strncmp(target, prefix, strlen(prefix)) != 0 ||
	    (fd = open(target, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		return -1;
	if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		return fd;
	close(fd);
	return -1;
}

static int
guest_fd(const char *run_dir, const char *name, const struct ctl_state *holder)
{
	char path[PATH_MAX];

	errno = ENOENT;
	if (strchr(name, '/') != NULL ||
	    ctl_path(path, "%s/" CTL_GUESTS "/%s", run_dir, name) != FAB_OK)
		return -1;
	return open_link(path, holder);
}

int
ctl_guest_find(int *out, const char *run_dir, const char *name)
{
	struct ctl_state holder;
	int fd;

	if (ctl_state_load(&holder, run_dir, CTL_GUESTS) != FAB_OK)
		return FAB_ENOENT;
	fd = guest_fd(run_dir, name, &holder);
	ctl_state_fini(&holder);
	if (fd < 0)
		return FAB_ENOENT;
	*out = fd;
	return FAB_OK;
}

static bool
guest_is_there(const char *run_dir, const char *name)
{
	int fd;

	if (ctl_guest_find(&fd, run_dir, name) != FAB_OK)
		return false;
	close(fd);
	return true;
}

/* fabattach renames a link into the directory when the namespace behind it is ready, and removes it
 * once the guest has no link any more. */
int
ctl_guest_await(const char *run_dir, const char *name, bool wanted)
{
	struct pollfd fd = { .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = POLLIN };
	struct fab_mono since = fab_mono_now();
	uint64_t spent_ms = 0;
	char dir[PATH_MAX], news[4096];
	bool there;

	if (ctl_path(dir, "%s/" CTL_GUESTS, run_dir) == FAB_OK)
		mkdir(dir, 0700); /* fabattach may not have come so far */
	if (fd.fd < 0 || inotify_add_watch(fd.fd, dir, IN_MOVED_TO | IN_DELETE) < 0) {
		close(fd.fd);
		return ctl_fail(CTL_NO, "START", "cannot watch %s: %s", dir, strerror(errno));
	}
	while ((there = guest_is_there(run_dir, name)) != wanted && spent_ms < AWAIT_MS) {
		poll(&fd, 1, (int)(AWAIT_MS - spent_ms));
		while (read(fd.fd, news, sizeof(news)) > 0)
			continue;
		spent_ms = fab_mono_us_between(since, fab_mono_now()) / 1000;
	}
	close(fd.fd);
	return there == wanted
		   ? CTL_OK
		   : ctl_fail(CTL_NO, "START", "%s namespace for %s; see %s/" CTL_GUESTS ".log",
			 wanted ? "no" : "there is still a", name, run_dir);
}

int
ctl_guests_await(const char *run_dir, const struct topo *t)
{
	json_t *off = ctl_power_off(run_dir);
	size_t n;
	struct topo_node *v = ctl_nodes(t, true, &n);
	int status = CTL_OK;

	for (size_t i = 0; i < n && status == CTL_OK; i++)
		if (ctl_node_in_guest(t, &v[i]) && json_object_get(off, v[i].name) == NULL)
			status = ctl_guest_await(run_dir, v[i].name, true);
	free(v);
	json_decref(off);
	return status;
}

static int
move_in(const char *run_dir, const struct ctl_state *s)
{
	int err, status = ctl_guest_await(run_dir, s->name, true);

	if (status != CTL_OK)
		return status;
	ctl_proc_end_all(&s->proc, 1, CLEAR_MS); /* in the namespace that has gone */
	err = ctl_state_spawn(run_dir, s);
	return err == FAB_OK
		   ? CTL_OK
		   : ctl_fail(CTL_NO, "START", "cannot start %s: %s", s->name, fab_strerror(err));
}

int
ctl_guests_refill(const char *run_dir)
{
	int status = CTL_OK;
	struct ctl_state *v;
	size_t n;

	if (ctl_state_list(&v, &n, run_dir) != FAB_OK)
		return CTL_OK;
	for (size_t i = 0; i < n && status == CTL_OK; i++)
		if (v[i].in_guest && ctl_proc_state(v[i].proc) != CTL_PROC_DEAD)
			status = move_in(run_dir, &v[i]);
	ctl_state_list_free(v, n);
	return status;
}

int
ctl_guest_open(int *out, const struct ctl *c, const char *name)
{
	struct ctl_state holder;
	int fd = -1;

	if (c->run_dir[0] == '\0')
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC",
		    "no local fabric; start one with 'fabctl up FILE' or name its --run-dir");
	if (ctl_state_load(&holder, c->run_dir, CTL_GUESTS) != FAB_OK)
		return ctl_fail(CTL_REFUSED, "PACKETS",
		    "the fabric in %s has no packets; as root, 'fabctl up --packets on' has",
		    c->run_dir);
	fd = guest_fd(c->run_dir, name, &holder);
	if (fd >= 0)
		*out = fd;
	else if (ctl_proc_state(holder.proc) == CTL_PROC_DEAD)
		ctl_fail(CTL_REFUSED, "NOTRUNNING",
		    "the guests are dead; 'fabctl start " CTL_GUESTS "' makes them anew");
	else if (errno == EACCES || errno == EPERM)
		ctl_fail(CTL_REFUSED, "PERMISSION", "only root may enter a guest");
	else if (ctl_power_is_off(c->run_dir, name))
		ctl_fail(CTL_REFUSED, "NOTRUNNING", "%s is off; 'fabctl start %s' switches it on",
		    name, name);
	else
		ctl_fail(CTL_REFUSED, "NOT_FOUND", "no guest '%s'; %s/" CTL_GUESTS " has them all",
		    name, c->run_dir);
	ctl_state_fini(&holder);
	return fd >= 0 ? CTL_OK : CTL_REFUSED;
}

struct namespaces {
	ino_t *v;
	size_t n;
};

static int
inode_cmp(const void *a, const void *b)
{
	ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

	return (x > y) - (x < y);
}

/* Inodes of all guests' namespaces; never our own. */
static void
list_namespaces(struct namespaces *out, const char *run_dir, const struct ctl_state *holder)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct stat st, own;
	struct dirent *e;
	DIR *d = NULL;
	int fd;

	*out = (struct namespaces){ 0 };
	if (stat("/proc/self/ns/net", &own) != 0 ||
	    ctl_path(dir, "%s/" CTL_GUESTS, run_dir) != FAB_OK || (d = opendir(dir)) == NULL)
		return;
	while ((e = readdir(d)) != NULL) {
		if (ctl_path(path, "%s/%s", dir, e->d_name) != FAB_OK ||
		    (fd = open_link(path, holder)) < 0)
			continue;
		if (fstat(fd, &st) == 0 && st.st_ino != own.st_ino) {
			out->v = realloc(out->v, (out->n + 1) * sizeof(*out->v));
			FAB_ASSERT(out->v != NULL);
			out->v[out->n++] = st.st_ino;
		}
		close(fd);
	}
	closedir(d);
	if (out->n > 0)
		qsort(out->v, out->n, sizeof(*out->v), inode_cmp);
}

static bool
lives_in(const struct namespaces *ns, const char *pid)
{
	char path[PATH_MAX];
	struct stat st;

	return ctl_path(path, "/proc/%s/ns/net", pid) == FAB_OK && stat(path, &st) == 0 &&
	       bsearch(&st.st_ino, ns->v, ns->n, sizeof(*ns->v), inode_cmp) != NULL;
}

/* Sends sig to all that live there. Returns how many there are. */
static size_t
signal_inhabitants(const struct namespaces *ns, int sig)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid <= 0 || pid == getpid() || !lives_in(ns, e->d_name))
			continue;
		n++;
		kill(pid, sig);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

size_t
ctl_guest_end_all(ino_t netns)
{
	const struct namespaces ns = { .v = &netns, .n = 1 };
	struct fab_mono since = fab_mono_now();
	size_t n = signal_inhabitants(&ns, SIGKILL);

	while (signal_inhabitants(&ns, SIGKILL) > 0 &&
	       fab_mono_us_between(since, fab_mono_now()) < CLEAR_MS * 1000)
		poll(NULL, 0, 1);
	return n;
}

void
ctl_guests_clear(const char *run_dir)
{
	struct ctl_state holder;
	struct namespaces ns;

	if (ctl_state_load(&holder, run_dir, CTL_GUESTS) != FAB_OK)
		return;
	list_namespaces(&ns, run_dir, &holder);
	ctl_state_fini(&holder);
	if (ns.n > 0 && signal_inhabitants(&ns, SIGTERM) > 0) {
		struct fab_mono since = fab_mono_now();

		while (signal_inhabitants(&ns, 0) > 0 &&
		       fab_mono_us_between(since, fab_mono_now()) < CLEAR_MS * 1000)
			poll(NULL, 0, 10);
		signal_inhabitants(&ns, SIGKILL);
	}
	free(ns.v);
}

/* ---- exec ---- */

/* Becomes the command, so its exit status, its signals and its terminal are the user's. */
int
ctl_exec(struct ctl *c, const struct ctl_args *args)
{
	int netns, status;

	if ((status = ctl_guest_open(&netns, c, args->pos[0])) != CTL_OK)
		return status;
	if (!fab_userns_enter(netns))
		return ctl_fail(CTL_REFUSED, "PERMISSION", "cannot enter %s: %s", args->pos[0],
		    strerror(errno));
	signal(SIGPIPE, SIG_DFL);
	execvp(args->rest[0], args->rest);
	status = errno == ENOENT ? 127 : 126; /* as the shell has it */
	return ctl_fail(status, "EXEC", "cannot run %s: %s", args->rest[0], strerror(errno));
}
