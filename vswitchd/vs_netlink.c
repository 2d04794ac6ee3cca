#include "vswitchd/vs_netlink.h"

#include "lib/err.h"
#include "lib/ipnet.h"
#include "lib/rtnl.h"
#include "vswitchd/vs_fib.h"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LO_INDEX        1     /* in every namespace */
#define TABLE_BESIDE    100   /* of a guest that is on another network too */
#define PRIORITY_BESIDE 30000 /* before the main table's 32766 */

static struct ifinfomsg *
request_link(struct rtnl_request *r, int sock, const char *step, uint16_t type, int index)
{
	struct ifinfomsg *i = rtnl_init(r, sock, step, type, 0, sizeof(*i));

	i->ifi_family = AF_UNSPEC;
	i->ifi_index = index;
	return i;
}

/* ---- reading ---- */

struct link_state {
	int index;
	unsigned flags;
	uint32_t mtu, txqlen;
	uint8_t mac[6];
};

static int
link_attr(const struct nlattr *a, void *ctx)
{
	struct link_state *l = ctx;
	uint16_t len = mnl_attr_get_payload_len(a);

	switch (mnl_attr_get_type(a)) {
	case IFLA_MTU:
		l->mtu = len == 4 ? mnl_attr_get_u32(a) : 0;
		break;
	case IFLA_TXQLEN:
		l->txqlen = len == 4 ? mnl_attr_get_u32(a) : 0;
		break;
	case IFLA_ADDRESS:
		if (len == sizeof(l->mac))
			memcpy(l->mac, mnl_attr_get_payload(a), sizeof(l->mac));
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int
link_message(const struct nlmsghdr *m, void *ctx)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
	struct link_state *l = ctx;

	if (m->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(m) < sizeof(*i))
		return MNL_CB_OK;
	l->index = i->ifi_index;
	l->flags = i->ifi_flags;
	mnl_attr_parse(m, sizeof(*i), link_attr, l);
	return MNL_CB_OK;
}

/* By index, or by name when name is not NULL. */
static int
link_get(struct link_state *out, int rtnl, int index, const char *name, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	int err;

	*out = (struct link_state){ 0 };
	request_link(&r, rtnl, "find the interface", RTM_GETLINK, index);
	if (name != NULL)
		mnl_attr_put_strz(r.nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(r.nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r.cb = link_message;
	r.ctx = out;
	if ((err = rtnl_send(&r, why)) == FAB_OK && out->index == 0) {
		snprintf(why, VS_WHY_MAX, "cannot find the interface");
		err = FAB_ENOENT;
	}
	return err;
}

struct addr_search {
	int index;
	const struct vs_iface *conf;
	uint32_t old; /* to be taken away; 0: none */
	bool found;
	uint8_t old_len; /* how it is there; 0: it is not */
};

static int
addr_attr(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == IFA_LOCAL && mnl_attr_get_payload_len(a) == 4)
		*(uint32_t *)ctx = ntohl(mnl_attr_get_u32(a));
	return MNL_CB_OK;
}

static int
addr_message(const struct nlmsghdr *m, void *ctx)
{
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(m);
	struct addr_search *s = ctx;
	uint32_t ip = 0;

	if (m->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(m) < sizeof(*i) ||
	    (int)i->ifa_index != s->index)
		return MNL_CB_OK;
	mnl_attr_parse(m, sizeof(*i), addr_attr, &ip);
	if (ip == s->conf->ip && i->ifa_prefixlen == s->conf->prefix_len) {
		s->found = true;
	} else if (ip == s->conf->ip || (ip != 0 && ip == s->old)) {
		s->old = ip;
		s->old_len = i->ifa_prefixlen;
	}
	return MNL_CB_OK;
}

static int
addr_get(struct addr_search *s, int rtnl, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	struct ifaddrmsg *i =
	    rtnl_init(&r, rtnl, "read the addresses", RTM_GETADDR, NLM_F_DUMP, sizeof(*i));

	i->ifa_family = AF_INET;
	r.cb = addr_message;
	r.ctx = s;
	return rtnl_send(&r, why);
}

/* ---- writing ---- */

static int
link_up(int rtnl, int index, const char *step, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	struct ifinfomsg *i = request_link(&r, rtnl, step, RTM_SETLINK, index);

	i->ifi_change = i->ifi_flags = IFF_UP;
	return rtnl_send(&r, why);
}

static int
addr_change(int rtnl, int index, uint16_t type, uint32_t ip, uint8_t len, const char *step,
    char why[static VS_WHY_MAX])
{
	uint16_t flags = type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_REPLACE : 0;
	struct rtnl_request r;
	struct ifaddrmsg *i = rtnl_init(&r, rtnl, step, type, flags, sizeof(*i));

	i->ifa_family = AF_INET;
	i->ifa_prefixlen = len;
	i->ifa_scope = RT_SCOPE_UNIVERSE;
	i->ifa_index = (uint32_t)index;
	mnl_attr_put_u32(r.nlh, IFA_LOCAL, htonl(ip));
	mnl_attr_put_u32(r.nlh, IFA_ADDRESS, htonl(ip));
	return rtnl_send(&r, why);
}

/* Azure's gateway is the subnet's first address; the switch answers for it. */
static int
route_set(
    int rtnl, int index, const struct vs_iface *conf, struct ipnet dst, char why[static VS_WHY_MAX])
{
	uint32_t gateway = (conf->ip & ipnet_mask(conf->prefix_len)) + 1;
	struct rtnl_request r;
	struct rtmsg *m = rtnl_init(
	    &r, rtnl, "set a route", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = dst.len;
	m->rtm_table = conf->beside && dst.len == 0 ? TABLE_BESIDE : RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	m->rtm_flags = conf->prefix_len >= 31 ? RTNH_F_ONLINK : 0;
	if (dst.len > 0)
		mnl_attr_put_u32(r.nlh, RTA_DST, htonl(dst.addr));
	mnl_attr_put_u32(r.nlh, RTA_GATEWAY, htonl(gateway));
	mnl_attr_put_u32(r.nlh, RTA_OIF, (uint32_t)index);
	return rtnl_send(&r, why);
}

/* Who is on another network too has our default route in a table of its own, which counts before
 * the default route of the other one: docker sets and loses that as it likes, and fails where it
 * finds one that is not its own. */
static int
own_default(int rtnl, char why[static VS_WHY_MAX])
{
	static const struct vs_fib_rule rules[] = {
		{ .type = RTM_NEWRULE,
		    .table = RT_TABLE_MAIN,
		    .priority = PRIORITY_BESIDE,
		    .no_default = true },
		{ .type = RTM_NEWRULE, .table = TABLE_BESIDE, .priority = PRIORITY_BESIDE + 1 },
	};
	int err = FAB_OK;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]) && err == FAB_OK; i++)
		err = vs_fib_rule(rtnl, &rules[i], why);
	return err;
}

/* The platform has a route of its own, as DHCP gives it in Azure: an NVA that learns a default
 * route through a tunnel still answers its probes. */
static int
routes_set(int rtnl, int index, const struct vs_iface *conf, char why[static VS_WHY_MAX])
{
	int err = route_set(rtnl, index, conf, (struct ipnet){ 0, 0 }, why);

	if (err == FAB_OK && conf->beside)
		err = own_default(rtnl, why);
	if (err != FAB_OK || !conf->in_azure)
		return err;
	return route_set(rtnl, index, conf, (struct ipnet){ IPADDR_PLATFORM, 32 }, why);
}

static int
link_set(int rtnl, const struct link_state *l, const uint8_t mac[static 6], uint32_t mtu,
    bool *changed, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;

	request_link(&r, rtnl, "set MAC, MTU and queue", RTM_SETLINK, l->index);
	if (memcmp(l->mac, mac, sizeof(l->mac)) != 0)
		mnl_attr_put(r.nlh, IFLA_ADDRESS, sizeof(l->mac), mac);
	if (l->mtu != mtu)
		mnl_attr_put_u32(r.nlh, IFLA_MTU, mtu);
	if (l->txqlen != VS_TXQUEUE_LEN)
		mnl_attr_put_u32(r.nlh, IFLA_TXQLEN, VS_TXQUEUE_LEN);
	if (mnl_nlmsg_get_payload_len(r.nlh) == sizeof(struct ifinfomsg))
		return FAB_OK;
	*changed = true;
	return rtnl_send(&r, why);
}

/* The MAC names the address that an earlier configuration gave. */
static uint32_t
mac_to_ip(const uint8_t mac[static 6])
{
	if (mac[0] != 0x02 || mac[1] != 0xfa)
		return 0;
	return (uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
}

void
vs_guest_mac(uint8_t mac[static 6], uint32_t ip)
{
	const uint8_t out[6] = { 0x02, 0xfa, (uint8_t)(ip >> 24), (uint8_t)(ip >> 16),
		(uint8_t)(ip >> 8), (uint8_t)ip };

	memcpy(mac, out, sizeof(out));
}

/* ---- the interface ---- */

int
vs_link_move(const char *name, int netns, char why[static VS_WHY_MAX])
{
	static const char step[] = "move the interface to the guest";
	int index = (int)if_nametoindex(name);
	struct rtnl_request r;
	int sock, err;

	if ((err = rtnl_open(&sock, 0)) != FAB_OK) {
		snprintf(why, VS_WHY_MAX, "cannot open an rtnetlink socket");
		return err;
	}
	request_link(&r, sock, step, RTM_SETLINK, index);
	mnl_attr_put_u32(r.nlh, IFLA_NET_NS_FD, (uint32_t)netns);
	err = rtnl_send(&r, why);
	close(sock);
	return err;
}

int
vs_iface_find(int *index, int rtnl, const char *name, char why[static VS_WHY_MAX])
{
	struct link_state l;
	int err;

	if ((err = link_get(&l, rtnl, 0, name, why)) != FAB_OK)
		return err;
	*index = l.index;
	return FAB_OK;
}

int
vs_iface_init(int rtnl, int index, const char *name, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	int err;

	request_link(&r, rtnl, "name the interface", RTM_SETLINK, index);
	mnl_attr_put_strz(r.nlh, IFLA_IFNAME, name);
	if ((err = rtnl_send(&r, why)) == FAB_EEXIST)
		snprintf(why, VS_WHY_MAX,
		    "cannot name the interface %s: the guest has one of that name already "
		    "(containers: network_mode: none, or fabattach --interface)",
		    name);
	if (err != FAB_OK)
		return err;
	return link_up(rtnl, LO_INDEX, "set lo up", why);
}

/* The new address comes first: with the last one of an interface the kernel takes all its routes.
 * It comes again at the end: with the first one of a subnet go the others of it, unless the guest
 * has promote_secondaries. */
static int
addr_apply(int rtnl, const struct addr_search *s, bool *changed, char why[static VS_WHY_MAX])
{
	static const char step[] = "set the address";
	const struct vs_iface *conf = s->conf;
	int err = FAB_OK;

	if (s->found && s->old_len == 0)
		return FAB_OK;
	*changed = true;
	if (!s->found)
		err =
		    addr_change(rtnl, s->index, RTM_NEWADDR, conf->ip, conf->prefix_len, step, why);
	if (err == FAB_OK && s->old_len != 0)
		err = addr_change(rtnl, s->index, RTM_DELADDR, s->old, s->old_len,
		    "remove the former address", why);
	if (err == FAB_OK && s->old_len != 0)
		err =
		    addr_change(rtnl, s->index, RTM_NEWADDR, conf->ip, conf->prefix_len, step, why);
	return err;
}

int
vs_iface_apply(
    int rtnl, int index, const struct vs_iface *conf, bool *changed, char why[static VS_WHY_MAX])
{
	struct addr_search s = { .index = index, .conf = conf };
	struct link_state l;
	uint8_t mac[6];
	bool readdress = false;
	int err;

	*changed = false;
	vs_guest_mac(mac, conf->ip);
	if ((err = link_get(&l, rtnl, index, NULL, why)) != FAB_OK)
		return err;
	if (memcmp(l.mac, mac, sizeof(mac)) != 0)
		s.old = mac_to_ip(l.mac);
	if ((err = addr_get(&s, rtnl, why)) != FAB_OK ||
	    (err = link_set(rtnl, &l, mac, conf->mtu != 0 ? conf->mtu : VS_MTU_DEFAULT, changed,
		 why)) != FAB_OK ||
	    (err = addr_apply(rtnl, &s, &readdress, why)) != FAB_OK)
		return err;
	if ((l.flags & IFF_UP) == 0) {
		readdress = true;
		err = link_up(rtnl, index, "set the interface up", why);
	}
	if (err == FAB_OK && readdress) {
		*changed = true;
		err = routes_set(rtnl, index, conf, why);
	}
	return err;
}
