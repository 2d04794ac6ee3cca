#include "vswitchd/vs_tap.h"

#include "lib/err.h"
#include "lib/tap.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* errno as it is, with what was attempted and what to do. */
static int
fail_errno(const char *step, const char *hint, char why[static VS_WHY_MAX])
{
	snprintf(why, VS_WHY_MAX, "cannot %s: %s%s", step, strerror(errno), hint);
	return fab_err_from_errno(errno);
}

static int
refuse(const char *what, char why[static VS_WHY_MAX])
{
	snprintf(why, VS_WHY_MAX, "%s", what);
	return FAB_EINVAL;
}

/* ---- namespaces ---- */

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool
is_netns(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC &&
	       ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/* ns, which an ioctl returned, is the same namespace as netns. Closes ns. */
static bool
leads_to(int ns, int netns)
{
	struct stat a, b;
	bool same = ns >= 0 && fstat(ns, &a) == 0 && fstat(netns, &b) == 0 && same_file(&a, &b);

	if (ns >= 0)
		close(ns);
	return same;
}

static bool
is_rtnetlink(int fd)
{
	int domain = 0, protocol = -1;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == NETLINK_ROUTE;
}

int
vs_guest_check(int netns, int rtnl, char why[static VS_WHY_MAX])
{
	struct stat own, guest;

	if (!is_netns(netns))
		return refuse("the first descriptor is not a network namespace", why);
	if (stat("/proc/self/ns/net", &own) != 0)
		return fail_errno("look at our own namespace", "; is /proc mounted?", why);
	if (fstat(netns, &guest) != 0 || same_file(&own, &guest))
		return refuse("the guest's network namespace is vswitchd's own; it needs one of "
			      "its own (fabattach --make, or network_mode: none)",
		    why);
	if (!is_rtnetlink(rtnl))
		return refuse("the second descriptor is not an rtnetlink socket", why);
	if (!leads_to(ioctl(rtnl, SIOCGSKNS), netns))
		return refuse("the rtnetlink socket is not in the guest's namespace, or vswitchd "
			      "has no CAP_NET_ADMIN over it",
		    why);
	return FAB_OK;
}

/* ---- TAPs ---- */

int
vs_tap_check(int tap, int netns, char why[static VS_WHY_MAX])
{
	int err;

	if ((err = fab_tap_adopt(tap, why)) != FAB_OK)
		return err;
	if (!leads_to(ioctl(tap, TUNGETDEVNETNS), netns))
		return refuse("the TAP's interface is not in the guest's namespace", why);
	return FAB_OK;
}

int
vs_tap_new(int *out, int netns, char why[static VS_WHY_MAX])
{
	char name[IFNAMSIZ] = "fabtap%d"; /* not yet eth0: our own namespace may have one */
	int fd = -1, err;

	if ((err = fab_tap_open(&fd, name, why)) != FAB_OK)
		return err;
	if ((err = vs_link_move(name, netns, why)) != FAB_OK) {
		close(fd);
		return err;
	}
	*out = fd;
	return FAB_OK;
}
