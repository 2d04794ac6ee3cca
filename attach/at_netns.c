#include "attach/at_netns.h"

#include "lib/attach.h"
#include "lib/err.h"
#include "lib/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SELF "/proc/self/ns/net"

static int
fail_errno(const char *step, const char *hint, char why[static AT_WHY_MAX])
{
	snprintf(why, AT_WHY_MAX, "cannot %s: %s%s", step, strerror(errno), hint);
	return fab_err_from_errno(errno);
}

static void
go_home(int home)
{
	if (setns(home, CLONE_NEWNET) == 0)
		return;
	fprintf(stderr, "fabattach: cannot come back to my own network namespace: %s\n",
	    strerror(errno));
	_exit(1);
}

static int
enter(int netns, char why[static AT_WHY_MAX])
{
	if (setns(netns, CLONE_NEWNET) != 0)
		return fail_errno("enter the guest's namespace",
		    errno == EPERM ? "; it needs CAP_SYS_ADMIN" : "", why);
	return FAB_OK;
}

int
at_netns_home(int *out, char why[static AT_WHY_MAX])
{
	int fd = open(SELF, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return fail_errno("open " SELF, "; is /proc mounted?", why);
	*out = fd;
	return FAB_OK;
}

/* ---- sysctls ---- */

struct sysctl {
	const char *path; /* below /proc/sys/net, which shows the namespace that we are in */
	const char *value;
};

static int
sysctl_write(const struct sysctl *s)
{
	char path[128];
	int fd, err = FAB_OK;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", s->path);
	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
		return fab_err_from_errno(errno);
	if (write(fd, s->value, strlen(s->value)) < 0)
		err = fab_err_from_errno(errno);
	close(fd);
	return err;
}

/* The interface comes later and takes what `default` says. Where a kernel lacks one of these, or
 * /proc/sys is read-only, a guest still works for most uses. */
static void
guest_sysctls(void)
{
	static const struct sysctl list[] = {
		/* The fabric carries no IPv6; without it a guest is quiet. */
		{ "ipv6/conf/all/disable_ipv6", "1" },
		{ "ipv6/conf/default/disable_ipv6", "1" },
		/* Packets come and go by the fabric's routes, not by the guest's. */
		{ "ipv4/conf/all/rp_filter", "0" },
		{ "ipv4/conf/default/rp_filter", "0" },
		/* In and out by the same interface is what an NVA is for. */
		{ "ipv4/conf/all/send_redirects", "0" },
		{ "ipv4/conf/default/send_redirects", "0" },
		{ "ipv4/conf/all/accept_redirects", "0" },
		/* A new address of the NIC does not take those that the guest added. */
		{ "ipv4/conf/all/promote_secondaries", "1" },
		{ "ipv4/conf/default/accept_redirects", "0" },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		sysctl_write(&list[i]);
}

/* Every processor may handle what comes in; without this one does it for all flows. */
static void
rps_sysctl(void)
{
	long n = sysconf(_SC_NPROCESSORS_CONF);
	char mask[128] = "";
	size_t len = 0;

	if (n <= 0 || n > 256)
		return;
	/* Groups of 32 bits, the highest first. */
	for (long group = (n - 1) / 32; group >= 0; group--) {
		long bits = n - group * 32;

		len += (size_t)snprintf(mask + len, sizeof(mask) - len, "%x%s",
		    bits >= 32 ? UINT32_MAX : (1u << bits) - 1, group > 0 ? "," : "");
	}
	sysctl_write(&(struct sysctl){ "core/rps_default_mask", mask });
}

static int
forward(bool router, char why[static AT_WHY_MAX])
{
	if (sysctl_write(&(struct sysctl){ "ipv4/ip_forward", router ? "1" : "0" }) == FAB_OK)
		return FAB_OK;
	return fail_errno("set net.ipv4.ip_forward", "; is /proc/sys read-only?", why);
}

/* ---- namespaces ---- */

/* In the namespace where we are. */
static int
set_flags(const char *name, short flags, const char *step, char why[static AT_WHY_MAX])
{
	struct ifreq ifr = { .ifr_flags = flags };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = FAB_OK;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) != 0)
		err = fail_errno(step, "", why);
	if (fd >= 0)
		close(fd);
	return err;
}

static int
lo_up(char why[static AT_WHY_MAX])
{
	struct ifreq ifr = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = FAB_OK;

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) != 0)
		err = fail_errno("set lo up", "", why);
	if (fd >= 0)
		close(fd);
	return err;
}

/* In the new namespace. */
static int
furnish(int *out, bool router, char why[static AT_WHY_MAX])
{
	int err;

	guest_sysctls();
	rps_sysctl();
	err = forward(router, why); /* a new namespace begins with what the first one does */
	if (err != FAB_OK && router)
		return err; /* others do not mind */
	if ((err = lo_up(why)) != FAB_OK)
		return err;
	if ((*out = open(SELF, O_RDONLY | O_CLOEXEC)) < 0)
		return fail_errno("open " SELF, "", why);
	return FAB_OK;
}

int
at_netns_new(int *out, int home, bool router, char why[static AT_WHY_MAX])
{
	int fd = -1, err;

	if (unshare(CLONE_NEWNET) != 0)
		return fail_errno("make a network namespace",
		    errno == EPERM ? "; it needs root (CAP_SYS_ADMIN)" : "", why);
	err = furnish(&fd, router, why);
	go_home(home);
	if (err == FAB_OK)
		*out = fd;
	return err;
}

int
at_netns_tap(int *out, int home, int netns, char why[static AT_WHY_MAX])
{
	char name[IFNAMSIZ] = ATTACH_IFACE;
	int fd, err;

	if ((err = enter(netns, why)) != FAB_OK)
		return err;
	err = fab_tap_open(&fd, name, why);
	go_home(home);
	if (err != FAB_OK)
		return err;
	fab_tap_keep(fd);
	*out = fd;
	return FAB_OK;
}

int
at_netns_set_router(int home, int netns, bool router, char why[static AT_WHY_MAX])
{
	int err;

	if ((err = enter(netns, why)) != FAB_OK)
		return err;
	err = forward(router, why);
	go_home(home);
	return err;
}

int
at_netns_link_down(int home, int netns, char why[static AT_WHY_MAX])
{
	int err;

	if ((err = enter(netns, why)) != FAB_OK)
		return err;
	err = set_flags(ATTACH_IFACE, 0, "set " ATTACH_IFACE " down", why);
	go_home(home);
	return err;
}

int
at_netns_rtnl(int *out, int home, int netns, char why[static AT_WHY_MAX])
{
	int fd, err = FAB_OK;

	if (home >= 0 && (err = enter(netns, why)) != FAB_OK)
		return err;
	if ((fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) < 0)
		err = fail_errno("open an rtnetlink socket", "", why);
	if (home >= 0)
		go_home(home);
	if (err == FAB_OK)
		*out = fd;
	return err;
}
