#include "attach/at_netns.h"

#include "lib/err.h"
#include "lib/rtnl.h"
#include "lib/tap.h"
#include "lib/topo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define SELF  "/proc/self/ns/net"
#define IFACE "eth0"

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
	char name[IFNAMSIZ] = "eth0";
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
	err = set_flags(IFACE, 0, "set " IFACE " down", why);
	go_home(home);
	return err;
}

/* ---- every address ---- */

struct rule {
	uint16_t type; /* RTM_* */
	const char *iif;
	uint32_t dst;
	uint8_t dst_len;
	uint32_t priority;
};

static int
rule_send(int sock, const struct rule *rule, char why[static AT_WHY_MAX])
{
	struct rtnl_request r;
	struct fib_rule_hdr *h = rtnl_init(&r, sock, "set a routing rule", rule->type,
	    rule->type == RTM_NEWRULE ? NLM_F_CREATE | NLM_F_EXCL : 0, sizeof(*h));

	h->family = AF_INET;
	h->table = RT_TABLE_LOCAL;
	h->action = FR_ACT_TO_TBL;
	h->dst_len = rule->dst_len;
	mnl_attr_put_u32(r.nlh, FRA_PRIORITY, rule->priority);
	if (rule->iif != NULL)
		mnl_attr_put_strz(r.nlh, FRA_IIFNAME, rule->iif);
	if (rule->dst_len > 0)
		mnl_attr_put_u32(r.nlh, FRA_DST, htonl(rule->dst));
	return rtnl_send(&r, why);
}

/* In the table that says which addresses are local. */
static int
local_route(int sock, uint8_t type, uint32_t dst, uint8_t len, char why[static AT_WHY_MAX])
{
	struct rtnl_request r;
	struct rtmsg *m = rtnl_init(
	    &r, sock, "take every address", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_table = RT_TABLE_LOCAL;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	m->rtm_type = type;
	m->rtm_dst_len = len;
	if (len > 0)
		mnl_attr_put_u32(r.nlh, RTA_DST, htonl(dst));
	if (type == RTN_LOCAL)
		mnl_attr_put_u32(r.nlh, RTA_OIF, if_nametoindex("lo"));
	return rtnl_send(&r, why);
}

/* What is sent must not be local too: only what comes in, and 127.0.0.0/8, looks there. The gateway
 * of the own address, which vswitchd will set, is somebody else. */
static int
answer_all(int sock, char why[static AT_WHY_MAX])
{
	static const struct rule rules[] = { { RTM_NEWRULE, "eth0", 0, 0, 1 },
		{ RTM_NEWRULE, NULL, 0x7f000000, 8, 2 }, { RTM_DELRULE, NULL, 0, 0, 0 } };
	int err = local_route(sock, RTN_LOCAL, 0, 0, why);

	if (err == FAB_OK)
		err = local_route(sock, RTN_THROW, TOPO_INTERNET_IP + 1, 32, why);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && err == FAB_OK; i++)
		err = rule_send(sock, &rules[i], why);
	return err;
}

int
at_netns_answer_all(int home, int netns, char why[static AT_WHY_MAX])
{
	int sock, err;

	if ((err = enter(netns, why)) != FAB_OK)
		return err;
	if ((err = rtnl_open(&sock, 0)) == FAB_OK) {
		err = answer_all(sock, why);
		close(sock);
	} else {
		snprintf(why, AT_WHY_MAX, "cannot open an rtnetlink socket");
	}
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
