#include "nvad/nva_tunnel.h"

#include "lib/err.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#define VXLAN_PORT   4789 /* RFC 7348 */
#define VXLAN_OCTETS 50   /* IPv4, UDP, VXLAN, Ethernet */
#define MTU          (1500 - VXLAN_OCTETS)
#define MAC_LEN      6

void
nva_tunnel_init(struct nva_tunnel *t, const struct wire_peer *p)
{
	*t = (struct nva_tunnel){ .local = p->local_address, .remote = p->address };
	snprintf(t->peer, sizeof(t->peer), "%s", p->name);
	snprintf(t->dev, sizeof(t->dev), NVA_TUNNEL_PREFIX "%.13s", p->name);
}

/* The same at both ends. */
static uint32_t
tunnel_vni(const struct nva_tunnel *t)
{
	uint32_t low = t->local < t->remote ? t->local : t->remote;

	return (low * 31 + (low ^ t->local ^ t->remote)) & 0xffffff;
}

/* Of the end at `from` of the tunnel to `to`. */
static void
tunnel_mac(uint8_t mac[static MAC_LEN], uint32_t from, uint32_t to)
{
	uint32_t h = from * 0x9e3779b1u ^ to;
	const uint8_t out[MAC_LEN] = { 0x02, 0xfb, (uint8_t)(h >> 24), (uint8_t)(h >> 16),
		(uint8_t)(h >> 8), (uint8_t)h };

	memcpy(mac, out, MAC_LEN);
}

static void
put_vxlan(struct nlmsghdr *nlh, const struct nva_tunnel *t)
{
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "vxlan");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_VXLAN_ID, tunnel_vni(t));
	mnl_attr_put_u32(nlh, IFLA_VXLAN_LOCAL, htonl(t->local));
	mnl_attr_put_u32(nlh, IFLA_VXLAN_GROUP, htonl(t->remote));
	mnl_attr_put_u16(nlh, IFLA_VXLAN_PORT, htons(VXLAN_PORT));
	mnl_attr_put_u8(nlh, IFLA_VXLAN_LEARNING, 0);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

static int
tunnel_request(int sock, const struct nva_tunnel *t, char why[static RTNL_WHY_MAX])
{
	uint8_t mac[MAC_LEN];
	struct rtnl_request r;
	struct ifinfomsg *i = rtnl_init(
	    &r, sock, "make the tunnel", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));

	tunnel_mac(mac, t->local, t->remote);
	i->ifi_change = i->ifi_flags = IFF_UP;
	mnl_attr_put_strz(r.nlh, IFLA_IFNAME, t->dev);
	mnl_attr_put(r.nlh, IFLA_ADDRESS, sizeof(mac), mac);
	mnl_attr_put_u32(r.nlh, IFLA_MTU, MTU);
	put_vxlan(r.nlh, t);
	return rtnl_send(&r, why);
}

static int
link_attr(const struct nlattr *a, void *ctx)
{
	if (mnl_attr_get_type(a) == IFLA_ADDRESS && mnl_attr_get_payload_len(a) == MAC_LEN)
		memcpy(ctx, mnl_attr_get_payload(a), MAC_LEN);
	return MNL_CB_OK;
}

static int
link_message(const struct nlmsghdr *m, void *ctx)
{
	if (m->nlmsg_type == RTM_NEWLINK)
		mnl_attr_parse(m, sizeof(struct ifinfomsg), link_attr, ctx);
	return MNL_CB_OK;
}

/* One that an earlier nvad left stays, with its traffic, if it leads to the same place: its MAC
 * says so. */
static bool
tunnel_is_there(int sock, const struct nva_tunnel *t)
{
	uint8_t want[MAC_LEN], mac[MAC_LEN] = { 0 };
	char why[RTNL_WHY_MAX];
	struct rtnl_request r;

	rtnl_init(&r, sock, "find the tunnel", RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(r.nlh, IFLA_IFNAME, t->dev);
	r.cb = link_message;
	r.ctx = mac;
	tunnel_mac(want, t->local, t->remote);
	return rtnl_send(&r, why) == FAB_OK && memcmp(mac, want, MAC_LEN) == 0;
}

/* The other end is a neighbour that needs no asking. */
static int
tunnel_neighbour(int sock, const struct nva_tunnel *t, char why[static RTNL_WHY_MAX])
{
	struct rtnl_request r;
	struct ndmsg *n = rtnl_init(&r, sock, "set the tunnel's neighbour", RTM_NEWNEIGH,
	    NLM_F_CREATE | NLM_F_REPLACE, sizeof(*n));
	uint8_t mac[MAC_LEN];

	n->ndm_family = AF_INET;
	n->ndm_state = NUD_PERMANENT;
	n->ndm_ifindex = t->index;
	tunnel_mac(mac, t->remote, t->local);
	mnl_attr_put_u32(r.nlh, NDA_DST, htonl(t->remote));
	mnl_attr_put(r.nlh, NDA_LLADDR, sizeof(mac), mac);
	return rtnl_send(&r, why);
}

void
nva_tunnel_remove(const struct nva_tunnel *t, int sock)
{
	struct rtnl_request r;
	char why[RTNL_WHY_MAX];

	rtnl_init(&r, sock, "remove the tunnel", RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(r.nlh, IFLA_IFNAME, t->dev);
	rtnl_send(&r, why); /* gone is gone */
}

int
nva_tunnel_make(struct nva_tunnel *t, int sock, char why[static RTNL_WHY_MAX])
{
	int err;

	t->index = 0;
	if (!tunnel_is_there(sock, t)) {
		nva_tunnel_remove(t, sock);
		if ((err = tunnel_request(sock, t, why)) != FAB_OK)
			return err;
	}
	t->index = (int)if_nametoindex(t->dev);
	return tunnel_neighbour(sock, t, why);
}
