#include "vswitchd/vs_veth.h"

#include "lib/err.h"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define MTU_MAX 65535 /* guests' frames are judged, not lost on the way to the judge */

static const uint8_t fabric_mac[6] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc };

static struct ifinfomsg *
request_link(
    struct rtnl_request *r, int sock, const char *step, uint16_t type, uint16_t flags, int index)
{
	struct ifinfomsg *i = rtnl_init(r, sock, step, type, flags, sizeof(*i));

	i->ifi_family = AF_UNSPEC;
	i->ifi_index = index;
	return i;
}

/* ---- reading ---- */

struct link {
	int index;
	int peer;
	bool veth;
	unsigned flags;
	int32_t nsid; /* of the peer's namespace; -1: our own */
	char alias[VS_VETH_ALIAS_MAX];
};

static int
info_attr(const struct nlattr *a, void *ctx)
{
	struct link *l = ctx;

	if (mnl_attr_get_type(a) == IFLA_INFO_KIND && mnl_attr_get_payload_len(a) >= 5)
		l->veth = memcmp(mnl_attr_get_payload(a), "veth", 5) == 0;
	return MNL_CB_OK;
}

static int
link_attr(const struct nlattr *a, void *ctx)
{
	struct link *l = ctx;
	uint16_t len = mnl_attr_get_payload_len(a);

	switch (mnl_attr_get_type(a)) {
	case IFLA_LINK:
		l->peer = len == 4 ? (int)mnl_attr_get_u32(a) : 0;
		break;
	case IFLA_LINK_NETNSID:
		l->nsid = len == 4 ? (int32_t)mnl_attr_get_u32(a) : -1;
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(a, info_attr, l);
		break;
	case IFLA_IFALIAS:
		if (len > 0 && len <= sizeof(l->alias))
			memcpy(l->alias, mnl_attr_get_payload(a), len);
		l->alias[sizeof(l->alias) - 1] = '\0';
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static bool
parse_link(struct link *out, const struct nlmsghdr *m)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);

	if (m->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(m) < sizeof(*i))
		return false;
	*out = (struct link){ .index = i->ifi_index, .flags = i->ifi_flags, .nsid = -1 };
	mnl_attr_parse(m, sizeof(*i), link_attr, out);
	return true;
}

static int
one_link(const struct nlmsghdr *m, void *ctx)
{
	parse_link(ctx, m);
	return MNL_CB_OK;
}

/* By index, or by name when that is not NULL. FAB_ENOENT. */
static int
get_link(struct link *out, int sock, int index, const char *name, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;

	*out = (struct link){ .nsid = -1 };
	request_link(&r, sock, "look at the guest's interface", RTM_GETLINK, 0, index);
	if (name != NULL)
		mnl_attr_put_strz(r.nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(r.nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r.cb = one_link;
	r.ctx = out;
	return rtnl_send(&r, why);
}

static int
nsid_attr(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == NETNSA_NSID && mnl_attr_get_payload_len(a) == 4)
		*(int32_t *)ctx = (int32_t)mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int
nsid_message(const struct nlmsghdr *m, void *ctx)
{
	if (m->nlmsg_type == RTM_NEWNSID)
		mnl_attr_parse(m, sizeof(struct rtgenmsg), nsid_attr, ctx);
	return MNL_CB_OK;
}

/* By what number our namespace knows netns; -1: by none. */
static int32_t
nsid_of(int own, int netns, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	struct rtgenmsg *g =
	    rtnl_init(&r, own, "number the guest's namespace", RTM_GETNSID, 0, sizeof(*g));
	int32_t nsid = -1;

	g->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(r.nlh, NETNSA_FD, (uint32_t)netns);
	r.cb = nsid_message;
	r.ctx = &nsid;
	return rtnl_send(&r, why) == FAB_OK ? nsid : -1;
}

/* ---- the pair ---- */

int
vs_veth_make(int *theirs, int *ours, const struct vs_veth_place *p, const struct vs_iface *conf,
    char why[static VS_WHY_MAX])
{
	static const char step[] = "make the guest's interface";
	struct nlattr *info, *data, *peer;
	struct rtnl_request r;
	struct link l;
	uint8_t mac[6];
	int err;

	vs_guest_mac(mac, conf->ip);
	request_link(&r, p->guest, step, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	mnl_attr_put_strz(r.nlh, IFLA_IFNAME, p->iface);
	mnl_attr_put(r.nlh, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put_u32(r.nlh, IFLA_MTU, conf->mtu != 0 ? conf->mtu : VS_MTU_DEFAULT);
	mnl_attr_put_u32(r.nlh, IFLA_TXQLEN, VS_TXQUEUE_LEN);
	info = mnl_attr_nest_start(r.nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(r.nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(r.nlh, IFLA_INFO_DATA);
	/* Ours is the peer: one that is up when it is made finds its other end missing. */
	peer = mnl_attr_nest_start(r.nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(r.nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(r.nlh, IFLA_IFNAME, "fab%d");
	mnl_attr_put_u32(r.nlh, IFLA_MTU, MTU_MAX);
	mnl_attr_put(r.nlh, IFLA_ADDRESS, sizeof(fabric_mac), fabric_mac);
	mnl_attr_put_u32(r.nlh, IFLA_NET_NS_FD, (uint32_t)p->own_netns);
	mnl_attr_nest_end(r.nlh, peer);
	mnl_attr_nest_end(r.nlh, data);
	mnl_attr_nest_end(r.nlh, info);
	if ((err = rtnl_send(&r, why)) == FAB_EEXIST)
		snprintf(why, VS_WHY_MAX,
		    "cannot make %s: the guest has one of that name already "
		    "(containers: network_mode: none, or fabattach --interface)",
		    p->iface);
	if (err != FAB_OK || (err = get_link(&l, p->guest, 0, p->iface, why)) != FAB_OK)
		return err;
	*theirs = l.index;
	*ours = l.peer;
	return FAB_OK;
}

int
vs_veth_find(int *theirs, int *ours, const struct vs_veth_place *p, char why[static VS_WHY_MAX])
{
	struct link there, here;
	int err;

	if ((err = get_link(&there, p->guest, 0, p->iface, why)) != FAB_OK)
		return err;
	if (!there.veth || there.peer == 0 ||
	    get_link(&here, p->own, there.peer, NULL, why) != FAB_OK)
		return FAB_ENOENT;
	if (!here.veth || here.peer != there.index || here.alias[0] == '\0' || here.nsid < 0 ||
	    here.nsid != nsid_of(p->own, p->guest_netns, why))
		return FAB_ENOENT;
	*theirs = there.index;
	*ours = here.index;
	return FAB_OK;
}

/* Before it is up: neither router solicitations nor an address of its own. */
static void
put_no_ipv6(struct rtnl_request *r)
{
	struct nlattr *af = mnl_attr_nest_start(r->nlh, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(r->nlh, AF_INET6);

	mnl_attr_put_u8(r->nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(r->nlh, inet6);
	mnl_attr_nest_end(r->nlh, af);
}

int
vs_link_up(int own, int index, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	struct ifinfomsg *i = request_link(&r, own, "set our end of it up", RTM_SETLINK, 0, index);

	i->ifi_change = i->ifi_flags = IFF_UP | IFF_NOARP;
	return rtnl_send(&r, why);
}

/* A kernel without IPv6 has nothing to switch off. */
static void
silence(int own, int index)
{
	struct rtnl_request r;
	char why[VS_WHY_MAX];

	request_link(&r, own, "switch IPv6 off", RTM_SETLINK, 0, index);
	put_no_ipv6(&r);
	rtnl_send(&r, why);
}

bool
vs_veth_has_carrier(int own, int ours)
{
	char why[VS_WHY_MAX];
	struct link l;

	return get_link(&l, own, ours, NULL, why) == FAB_OK && (l.flags & IFF_LOWER_UP) != 0;
}

int
vs_link_raise(int own, int index, uint32_t mtu, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;
	int err;

	silence(own, index);
	request_link(&r, own, "set MTU and queue of our end", RTM_SETLINK, 0, index);
	mnl_attr_put_u32(r.nlh, IFLA_MTU, mtu);
	mnl_attr_put_u32(r.nlh, IFLA_TXQLEN, VS_TXQUEUE_LEN);
	if ((err = rtnl_send(&r, why)) != FAB_OK)
		return err;
	return vs_link_up(own, index, why);
}

int
vs_veth_furnish(int own, int ours, const char *alias, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;

	silence(own, ours);
	request_link(&r, own, "name our end of it", RTM_SETLINK, 0, ours);
	mnl_attr_put_str(r.nlh, IFLA_IFALIAS, alias);
	return rtnl_send(&r, why);
}

int
vs_veth_delete(int own, int ours, char why[static VS_WHY_MAX])
{
	struct rtnl_request r;

	request_link(&r, own, "remove the interface", RTM_DELLINK, 0, ours);
	return rtnl_send(&r, why);
}

struct each {
	vs_veth_fn *fn;
	void *ctx;
};

static int
each_link(const struct nlmsghdr *m, void *ctx)
{
	const struct each *e = ctx;
	struct link l;

	if (parse_link(&l, m) && l.veth && l.alias[0] != '\0')
		e->fn(e->ctx, l.alias, l.index);
	return MNL_CB_OK;
}

int
vs_veth_each(int own, vs_veth_fn *fn, void *ctx, char why[static VS_WHY_MAX])
{
	struct each e = { fn, ctx };
	struct rtnl_request r;

	request_link(&r, own, "list our interfaces", RTM_GETLINK, NLM_F_DUMP, 0);
	mnl_attr_put_u32(r.nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r.cb = each_link;
	r.ctx = &e;
	return rtnl_send(&r, why);
}
