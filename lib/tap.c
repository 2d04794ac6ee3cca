#include "lib/tap.h"

#include "lib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TUN_PATH     "/dev/net/tun"
#define TUN_DEV      makedev(10, 200) /* Documentation/admin-guide/devices.txt */
#define TAP_FLAGS    (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
#define TAP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4)

/* errno as it is, with what was attempted and what to do. */
static int
fail_errno(const char *step, const char *hint, char why[static FAB_TAP_WHY_MAX])
{
	snprintf(why, FAB_TAP_WHY_MAX, "cannot %s: %s%s", step, strerror(errno), hint);
	return fab_err_from_errno(errno);
}

static int
refuse(const char *what, char why[static FAB_TAP_WHY_MAX])
{
	snprintf(why, FAB_TAP_WHY_MAX, "%s", what);
	return FAB_EINVAL;
}

static int
tap_make(int fd, char name[static IFNAMSIZ], char why[static FAB_TAP_WHY_MAX])
{
	struct ifreq ifr = { .ifr_flags = TAP_FLAGS };
	int len = FAB_TAP_HDR_LEN;

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &ifr) != 0)
		return fail_errno(
		    "make a TAP", errno == EPERM ? "; it needs CAP_NET_ADMIN" : "", why);
	if (ioctl(fd, TUNSETVNETHDRSZ, &len) != 0 || ioctl(fd, TUNSETOFFLOAD, TAP_OFFLOADS) != 0)
		return fail_errno("set the TAP's offloads", "", why);
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return FAB_OK;
}

int
fab_tap_open(int *out, char name[static IFNAMSIZ], char why[static FAB_TAP_WHY_MAX])
{
	int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0)
		return fail_errno("open " TUN_PATH,
		    errno == ENOENT || errno == ENODEV
			? "; load the module tun, or give the container this device"
			: "",
		    why);
	if ((err = tap_make(fd, name, why)) != FAB_OK) {
		close(fd);
		return err;
	}
	*out = fd;
	return FAB_OK;
}

int
fab_tap_keep(int tap)
{
	return ioctl(tap, TUNSETPERSIST, 1) == 0 ? FAB_OK : fab_err_from_errno(errno);
}

int
fab_tap_name(char name[static IFNAMSIZ], int tap, char why[static FAB_TAP_WHY_MAX])
{
	struct ifreq ifr = { 0 };

	if (ioctl(tap, TUNGETIFF, &ifr) != 0) {
		fail_errno("use the TAP", "; its interface has gone", why);
		return FAB_ENOENT;
	}
	if ((ifr.ifr_flags & TAP_FLAGS) != TAP_FLAGS)
		return refuse("the TAP is of another kind than vswitchd's", why);
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return FAB_OK;
}

int
fab_tap_adopt(int tap, char why[static FAB_TAP_WHY_MAX])
{
	char name[IFNAMSIZ];
	struct stat st;
	int len = 0, flags, err;

	if (fstat(tap, &st) != 0 || !S_ISCHR(st.st_mode) || st.st_rdev != TUN_DEV)
		return refuse("the third descriptor is not a TAP", why);
	if ((err = fab_tap_name(name, tap, why)) != FAB_OK)
		return err;
	if (ioctl(tap, TUNGETVNETHDRSZ, &len) != 0 || len != FAB_TAP_HDR_LEN)
		return refuse("the TAP is of another kind than vswitchd's", why);
	if (ioctl(tap, TUNSETOFFLOAD, TAP_OFFLOADS) != 0 || (flags = fcntl(tap, F_GETFL)) < 0 ||
	    fcntl(tap, F_SETFL, flags | O_NONBLOCK) != 0)
		return fail_errno("set the TAP up", "", why);
	return FAB_OK;
}
