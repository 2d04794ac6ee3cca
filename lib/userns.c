#include "lib/userns.h"

#include "lib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error;
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	error = errno;
	close(fd);
	errno = error;
	return ok;
}

int
fab_userns_make(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", (unsigned)geteuid());
	snprintf(gids, sizeof(gids), "0 %u 1", (unsigned)getegid());
	/* A group may be mapped by its own member only where nobody can leave groups. */
	if (unshare(CLONE_NEWUSER) != 0 || !put("/proc/self/setgroups", "deny") ||
	    !put("/proc/self/uid_map", uids) || !put("/proc/self/gid_map", gids) ||
	    unshare(CLONE_NEWNET) != 0)
		return fab_err_from_errno(errno);
	return FAB_OK;
}

/* The user namespace of netns, -1 if it is ours or above ours. */
static int
other_userns(int netns)
{
	int fd = ioctl(netns, NS_GET_USERNS);
	struct stat own, its;

	if (fd < 0)
		return -1;
	if (fstat(fd, &its) == 0 && stat("/proc/self/ns/user", &own) == 0 &&
	    (its.st_ino != own.st_ino || its.st_dev != own.st_dev))
		return fd;
	close(fd);
	return -1;
}

bool
fab_userns_is_other(int netns)
{
	int fd = other_userns(netns);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool
fab_userns_enter(int netns)
{
	int fd = other_userns(netns), error;
	bool ok = fd < 0 || setns(fd, CLONE_NEWUSER) == 0;

	error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return ok && setns(netns, CLONE_NEWNET) == 0;
}
