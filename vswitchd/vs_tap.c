#include "vswitchd/vs_tap.h"

#include "lib/err.h"

#include <errno.h>
#include <fcntl.h>
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
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define TUN_PATH     "/dev/net/tun"
#define TUN_DEV      makedev(10, 200) /* Documentation/admin-guide/devices.txt */
#define TAP_FLAGS    (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
#define TAP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4)
#define VNET_HDR_LEN 10 /* struct virtio_net_hdr without num_buffers */

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
vs_tap_name(char out[static IFNAMSIZ], int tap, char why[static VS_WHY_MAX])
{
	struct ifreq ifr = { 0 };

	if (ioctl(tap, TUNGETIFF, &ifr) != 0) {
		fail_errno("use the TAP", "; its interface has gone", why);
		return FAB_ENOENT;
	}
	if ((ifr.ifr_flags & TAP_FLAGS) != TAP_FLAGS)
		return refuse("the TAP was not made by vswitchd", why);
	memcpy(out, ifr.ifr_name, IFNAMSIZ);
	return FAB_OK;
}

int
vs_tap_check(int tap, int netns, char why[static VS_WHY_MAX])
{
	char name[IFNAMSIZ];
	struct stat st;
	int len = 0, err;

	if (fstat(tap, &st) != 0 || !S_ISCHR(st.st_mode) || st.st_rdev != TUN_DEV)
		return refuse("the third descriptor is not a TAP", why);
	if ((err = vs_tap_name(name, tap, why)) != FAB_OK)
		return err;
	if (ioctl(tap, TUNGETVNETHDRSZ, &len) != 0 || len != VNET_HDR_LEN)
		return refuse("the TAP was not made by vswitchd", why);
	if (!leads_to(ioctl(tap, TUNGETDEVNETNS), netns))
		return refuse("the TAP's interface is not in the guest's namespace", why);
	return FAB_OK;
}

static int
tap_open(int *out, char name[static IFNAMSIZ], char why[static VS_WHY_MAX])
{
	struct ifreq ifr = { .ifr_flags = TAP_FLAGS };
	int len = VNET_HDR_LEN, fd, err;

	if ((fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
		return fail_errno("open " TUN_PATH,
		    errno == ENOENT || errno == ENODEV
			? "; load the module tun, or give the container this device"
			: "",
		    why);
	/* Not yet eth0: our own namespace may have one. */
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "fabtap%%d");
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		err = fail_errno(
		    "make a TAP", errno == EPERM ? "; vswitchd needs CAP_NET_ADMIN" : "", why);
	else if (ioctl(fd, TUNSETVNETHDRSZ, &len) != 0 ||
		 ioctl(fd, TUNSETOFFLOAD, TAP_OFFLOADS) != 0)
		err = fail_errno("set the TAP's offloads", "", why);
	else
		err = FAB_OK;
	if (err != FAB_OK) {
		close(fd);
		return err;
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	*out = fd;
	return FAB_OK;
}

int
vs_tap_new(int *out, int netns, char why[static VS_WHY_MAX])
{
	char name[IFNAMSIZ];
	int fd = -1, err;

	if ((err = tap_open(&fd, name, why)) != FAB_OK)
		return err;
	if ((err = vs_link_move(name, netns, why)) != FAB_OK) {
		close(fd);
		return err;
	}
	*out = fd;
	return FAB_OK;
}
