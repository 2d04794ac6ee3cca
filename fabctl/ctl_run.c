#include "fabctl/ctl_run.h"

#include "lib/clock.h"
#include "lib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_MARK ".run.json"

int
ctl_path(char buf[static PATH_MAX], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, PATH_MAX, fmt, ap);
	va_end(ap);
	return n < 0 || n >= PATH_MAX ? FAB_ETOOBIG : FAB_OK;
}

/* ---- where ---- */

int
ctl_run_base(char buf[static PATH_MAX])
{
	const char *dir = getenv("XDG_RUNTIME_DIR");

	if (dir == NULL || dir[0] != '/')
		dir = "/tmp";
	return ctl_path(buf, "%s/hubspoke-%u", dir, (unsigned)getuid());
}

int
ctl_run_default(char buf[static PATH_MAX], const char *fabric)
{
	char base[PATH_MAX];
	int err = ctl_run_base(base);

	return err != FAB_OK ? err : ctl_path(buf, "%s/%s", base, fabric);
}

/* Our own directory, not a link, and nobody else's: in /tmp anyone can create one with this name.
 */
static int
base_check(const char *base, bool create)
{
	struct stat st;

	if (create && mkdir(base, 0700) != 0 && errno != EEXIST)
		return fab_err_from_errno(errno);
	if (lstat(base, &st) != 0)
		return errno == ENOENT ? FAB_ENOENT : fab_err_from_errno(errno);
	if (!S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 022) != 0)
		return FAB_EPERM;
	return FAB_OK;
}

static int
current_link(char buf[static PATH_MAX], bool create)
{
	char base[PATH_MAX];
	int err;

	if ((err = ctl_run_base(base)) != FAB_OK || (err = base_check(base, create)) != FAB_OK)
		return err;
	return ctl_path(buf, "%s/current", base);
}

int
ctl_run_current(char buf[static PATH_MAX])
{
	char link[PATH_MAX];
	ssize_t n;
	int err;

	if ((err = current_link(link, false)) != FAB_OK)
		return err;
	if ((n = readlink(link, buf, PATH_MAX - 1)) < 0)
		return FAB_ENOENT;
	buf[n] = '\0';
	return FAB_OK;
}

int
ctl_run_set_current(const char *dir)
{
	char link[PATH_MAX], fresh[PATH_MAX];
	int err;

	if ((err = current_link(link, true)) != FAB_OK ||
	    (err = ctl_path(fresh, "%s.%d", link, (int)getpid())) != FAB_OK)
		return err;
	if (symlink(dir, fresh) != 0 || rename(fresh, link) != 0) {
		err = fab_err_from_errno(errno);
		unlink(fresh);
	}
	return err;
}

void
ctl_run_clear_current(const char *dir)
{
	char link[PATH_MAX], target[PATH_MAX], base[PATH_MAX];

	if (ctl_run_current(target) == FAB_OK && strcmp(target, dir) == 0 &&
	    current_link(link, false) == FAB_OK)
		unlink(link);
	if (ctl_run_base(base) == FAB_OK)
		rmdir(base); /* only if that was the last one */
}

int
ctl_run_url(char buf[static PATH_MAX], const char *dir)
{
	return ctl_path(buf, "ipc://%s/" CTL_FABRICD ".ipc", dir);
}

int
ctl_run_of_url(char buf[static PATH_MAX], const char *url)
{
	static const char head[] = "ipc://", tail[] = "/" CTL_FABRICD ".ipc";
	size_t len = strlen(url);

	if (strncmp(url, head, strlen(head)) != 0 || len < strlen(head) + strlen(tail) ||
	    strcmp(url + len - strlen(tail), tail) != 0)
		return FAB_EINVAL;
	return ctl_path(buf, "%.*s", (int)(len - strlen(head) - strlen(tail)), url + strlen(head));
}

bool
ctl_run_name_is_taken(const char *name)
{
	return strcmp(name, CTL_FABRICD) == 0 || strcmp(name, CTL_VSWITCHD) == 0 ||
	       strcmp(name, CTL_GUESTS) == 0;
}

int
ctl_run_check_socket(const char *dir, const char *node)
{
	return strlen(dir) + 1 + strlen(node) + strlen(".ipc") > CTL_SOCK_MAX ? FAB_ETOOBIG
									      : FAB_OK;
}

/* ---- JSON files ---- */

int
ctl_json_load(json_t **out, const char *path)
{
	json_error_t je;
	struct stat st;
	json_t *doc;

	if (stat(path, &st) != 0)
		return FAB_ENOENT;
	if (!S_ISREG(st.st_mode) || st.st_size > CTL_RUN_FILE_MAX)
		return FAB_EBADMSG;
	if ((doc = json_load_file(path, 0, &je)) == NULL)
		return FAB_EBADMSG;
	*out = doc;
	return FAB_OK;
}

int
ctl_json_save(const char *path, const json_t *doc)
{
	char fresh[PATH_MAX];
	int err;

	if ((err = ctl_path(fresh, "%s.tmp", path)) != FAB_OK)
		return err;
	if (json_dump_file(doc, fresh, JSON_INDENT(2)) != 0 || rename(fresh, path) != 0) {
		err = errno != 0 ? fab_err_from_errno(errno) : FAB_EIO;
		unlink(fresh);
	}
	return err;
}

/* ---- the directory ---- */

static int
mark_path(char buf[static PATH_MAX], const char *dir)
{
	return ctl_path(buf, "%s/" RUN_MARK, dir);
}

int
ctl_run_lock(int *lock, const char *dir, bool wait)
{
	char path[PATH_MAX];
	int fd, err;

	if ((err = mark_path(path, dir)) != FAB_OK)
		return err;
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		return errno == ENOENT || errno == ENOTDIR ? FAB_ENOENT : fab_err_from_errno(errno);
	while (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
		if (errno == EINTR)
			continue;
		close(fd);
		return FAB_EBUSY;
	}
	*lock = fd;
	return FAB_OK;
}

static bool
any_alive(const char *dir)
{
	struct ctl_proc *v;
	bool alive = false;
	size_t n;

	if (ctl_state_procs(&v, &n, dir) != FAB_OK)
		return true; /* unreadable: leave it alone */
	for (size_t i = 0; i < n; i++)
		alive |= ctl_proc_state(v[i]) != CTL_PROC_DEAD;
	free(v);
	return alive;
}

/* Makes room: what a fabric left whose processes are all gone (after a reboot) may go. */
static int
clear_remains(const char *dir)
{
	int lock, err;

	if (rmdir(dir) == 0 || errno == ENOENT)
		return FAB_OK;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return errno == ENOTDIR ? FAB_EINVAL : fab_err_from_errno(errno);
	err = ctl_run_lock(&lock, dir, false);
	if (err != FAB_OK)
		return err == FAB_ENOENT ? FAB_EINVAL : FAB_EEXIST;
	err = any_alive(dir) ? FAB_EEXIST : ctl_run_remove(dir);
	close(lock);
	return err;
}

int
ctl_run_create(int *lock, const char *dir, const char *fabric, const char *topology)
{
	char base[PATH_MAX], path[PATH_MAX];
	json_t *doc = NULL;
	int fd = -1, err;

	if ((err = ctl_run_base(base)) != FAB_OK || (err = base_check(base, true)) != FAB_OK ||
	    (err = mark_path(path, dir)) != FAB_OK || (err = clear_remains(dir)) != FAB_OK)
		return err;
	if (mkdir(dir, 0700) != 0)
		return fab_err_from_errno(errno);
	if ((fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
		return fab_err_from_errno(errno);
	doc = json_pack("{s:s, s:s}", "name", fabric, "topology", topology);
	if (doc == NULL)
		err = FAB_ENOMEM;
	else if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		err = FAB_EEXIST;
	else if (json_dumpfd(doc, fd, JSON_COMPACT) != 0)
		err = FAB_EIO;
	json_decref(doc);
	if (err == FAB_OK)
		*lock = fd;
	else
		close(fd);
	return err;
}

static int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	/* The directory and its mark go last: what an interruption leaves can still be removed. */
	if (ftw->level == 0 || (ftw->level == 1 && strcmp(path + ftw->base, RUN_MARK) == 0))
		return 0;
	return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

int
ctl_run_remove(const char *dir)
{
	char path[PATH_MAX];
	int err;

	if ((err = mark_path(path, dir)) != FAB_OK)
		return err;
	if (access(path, F_OK) != 0)
		return FAB_ENOENT; /* not ours */
	/* Physical walk, no links followed, children first. */
	if (nftw(dir, remove_entry, 16, FTW_PHYS | FTW_DEPTH | FTW_MOUNT) != 0 ||
	    unlink(path) != 0 || rmdir(dir) != 0)
		return fab_err_from_errno(errno);
	return FAB_OK;
}

int
ctl_run_info(json_t **out, const char *dir)
{
	char path[PATH_MAX];
	json_t *doc;
	int err;

	if ((err = mark_path(path, dir)) != FAB_OK || (err = ctl_json_load(&doc, path)) != FAB_OK)
		return err;
	if (!json_is_string(json_object_get(doc, "name")) ||
	    !json_is_string(json_object_get(doc, "topology"))) {
		json_decref(doc);
		return FAB_EBADMSG;
	}
	*out = doc;
	return FAB_OK;
}

char *
ctl_log_tail(const char *dir, const char *name, unsigned lines)
{
	char path[PATH_MAX], *text = calloc(1, 2049), *p;
	ssize_t n = 0;
	int fd = -1;

	FAB_ASSERT(text != NULL);
	if (ctl_path(path, "%s/%s.log", dir, name) == FAB_OK &&
	    (fd = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
		if (lseek(fd, -2048, SEEK_END) < 0)
			lseek(fd, 0, SEEK_SET);
		if ((n = read(fd, text, 2048)) < 0)
			n = 0;
		close(fd);
	}
	text[n] = '\0';
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	for (p = text + n; p > text; p--) {
		if (p[-1] == '\n' && --lines == 0)
			break;
	}
	memmove(text, p, strlen(p) + 1);
	return text;
}
