/*
 * The wanted routes are kept here (by prefix), because the address may come long after the first
 * UPDATE; from then on each change is one request.
 */
#include "nvad/nva_kernel.h"

#include "lib/err.h"
#include "lib/log.h"
#include "lib/rtnl.h"
#include "nvad/nva_firewall.h"
#include "nvad/nva_snat.h"
#include "nvad/nva_tunnel.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#define METRIC 20 /* behind the default route that the platform set */

struct route {
	UT_hash_handle hh;
	uint64_t key; /* of the prefix */
	struct ipnet prefix;
	const char *peer; /* behind the struct in memory */
};

struct nva_kernel {
	struct event *news;
	int sock, news_sock;
	struct route *routes;
	struct nva_tunnel *tunnels;
	size_t n_tunnels;
	uint32_t ip; /* 0: not wanted */
	uint32_t gateway;
	int index; /* of eth0; 0: the address is not there yet */
	bool snat, stateful;
	bool complained;
};

static void
complain(struct nva_kernel *k, const char *why)
{
	if (!k->complained)
		fab_warn("kernel routes: %s", why);
	k->complained = true;
}

/* An IPv4 address among the attributes of a message. */
struct addr_attr {
	uint16_t type;
	uint32_t addr; /* 0: not there */
};

static int
addr_attr(const struct nlattr *a, void *ctx)
{
	struct addr_attr *out = ctx;

	if (mnl_attr_get_type(a) == out->type && mnl_attr_get_payload_len(a) == 4)
		out->addr = ntohl(mnl_attr_get_u32(a));
	return MNL_CB_OK;
}

/* ---- the own address ---- */

struct own {
	const struct nva_kernel *k;
	int index;
	uint8_t len;
};

static int
own_message(const struct nlmsghdr *m, void *ctx)
{
	const struct ifaddrmsg *i = mnl_nlmsg_get_payload(m);
	struct own *o = ctx;
	struct addr_attr ip = { .type = IFA_LOCAL };
	char name[IFNAMSIZ];

	if (m->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(m) < sizeof(*i))
		return MNL_CB_OK;
	mnl_attr_parse(m, sizeof(*i), addr_attr, &ip);
	/* A guest may have its address on lo too, to answer from it when eth0 is down. */
	if (ip.addr == o->k->ip && if_indextoname(i->ifa_index, name) != NULL &&
	    strcmp(name, "lo") != 0) {
		o->index = (int)i->ifa_index;
		o->len = i->ifa_prefixlen;
	}
	return MNL_CB_OK;
}

static int
up_message(const struct nlmsghdr *m, void *ctx)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);

	if (m->nlmsg_type == RTM_NEWLINK && mnl_nlmsg_get_payload_len(m) >= sizeof(*i))
		*(bool *)ctx = (i->ifi_flags & IFF_UP) != 0;
	return MNL_CB_OK;
}

/* Routes need a link that is up; it gets its address first. */
static bool
is_up(const struct nva_kernel *k, int index)
{
	struct rtnl_request r;
	struct ifinfomsg *i =
	    rtnl_init(&r, k->sock, "look at the interface", RTM_GETLINK, 0, sizeof(*i));
	char why[RTNL_WHY_MAX];
	bool up = false;

	i->ifi_index = index;
	r.cb = up_message;
	r.ctx = &up;
	return rtnl_send(&r, why) == FAB_OK && up;
}

/* Which interface has the address, if it is up, and which gateway that means. It is eth0 but in a
 * container that is on another network too. */
static bool
find_own(struct nva_kernel *k)
{
	struct own o = { .k = k };
	struct rtnl_request r;
	struct ifaddrmsg *i =
	    rtnl_init(&r, k->sock, "read the addresses", RTM_GETADDR, NLM_F_DUMP, sizeof(*i));
	char why[RTNL_WHY_MAX];

	i->ifa_family = AF_INET;
	r.cb = own_message;
	r.ctx = &o;
	if (rtnl_send(&r, why) != FAB_OK)
		complain(k, why);
	k->index = o.index != 0 && is_up(k, o.index) ? o.index : 0;
	k->gateway = (k->ip & ipnet_mask(o.len)) + 1;
	return k->index != 0;
}

/* ---- tunnels ---- */

static struct nva_tunnel *
tunnel_find(const struct nva_kernel *k, const char *peer)
{
	for (size_t i = 0; i < k->n_tunnels; i++)
		if (strcmp(k->tunnels[i].peer, peer) == 0)
			return &k->tunnels[i];
	return NULL;
}

/* ---- routes ---- */

static uint64_t
route_key(const struct ipnet *p)
{
	return (uint64_t)p->addr << 8 | p->len;
}

static struct route *
route_find(const struct nva_kernel *k, const struct ipnet *p)
{
	uint64_t key = route_key(p);
	struct route *r;

	HASH_FIND(hh, k->routes, &key, sizeof(key), r);
	return r;
}

struct request_route {
	struct ipnet prefix;
	uint16_t type;              /* RTM_* */
	const struct nva_tunnel *t; /* NULL: by the gateway */
};

static int
route_send(const struct nva_kernel *k, const struct request_route *q, char why[static RTNL_WHY_MAX])
{
	bool add = q->type == RTM_NEWROUTE;
	struct rtnl_request r;
	struct rtmsg *m = rtnl_init(&r, k->sock, add ? "set a route" : "remove a route", q->type,
	    add ? NLM_F_CREATE | NLM_F_REPLACE : 0, sizeof(*m));

	m->rtm_family = AF_INET;
	m->rtm_dst_len = q->prefix.len;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_BGP;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(r.nlh, RTA_DST, htonl(q->prefix.addr));
	mnl_attr_put_u32(r.nlh, RTA_PRIORITY, METRIC);
	if (!add) {
		m->rtm_scope = RT_SCOPE_NOWHERE; /* any */
		m->rtm_type = RTN_UNSPEC;
	} else if (q->t == NULL) {
		mnl_attr_put_u32(r.nlh, RTA_GATEWAY, htonl(k->gateway));
		mnl_attr_put_u32(r.nlh, RTA_OIF, (uint32_t)k->index);
	} else if (q->t->index != 0) {
		m->rtm_flags = RTNH_F_ONLINK;
		mnl_attr_put_u32(r.nlh, RTA_GATEWAY, htonl(q->t->remote));
		mnl_attr_put_u32(r.nlh, RTA_OIF, (uint32_t)q->t->index);
	} else {
		m->rtm_type = RTN_BLACKHOLE; /* rather than out of eth0 and back again (RS-64) */
	}
	return rtnl_send(&r, why);
}

/* The tunnel's own packets go by the gateway, whatever is learned for its other end. */
static bool
is_tunnel_end(const struct nva_kernel *k, const struct ipnet *p)
{
	for (size_t i = 0; i < k->n_tunnels; i++)
		if (p->len == 32 && p->addr == k->tunnels[i].remote)
			return true;
	return false;
}

static void
tunnel_end_write(struct nva_kernel *k, const struct nva_tunnel *t, uint16_t type)
{
	const struct request_route q = { { t->remote, 32 }, type, NULL };
	char why[RTNL_WHY_MAX];

	if (route_send(k, &q, why) != FAB_OK && type == RTM_NEWROUTE)
		complain(k, why);
}

/* A default route into a tunnel is two halves, so that it beats the platform's. */
static void
route_write(struct nva_kernel *k, const struct route *r, uint16_t type)
{
	struct request_route q = { r->prefix, type, tunnel_find(k, r->peer) };
	char why[RTNL_WHY_MAX];
	size_t n = 1;

	if (is_tunnel_end(k, &r->prefix))
		return;
	if (r->prefix.len == 0) {
		if (q.t == NULL && type == RTM_NEWROUTE)
			return;
		q.prefix.len = 1;
		n = 2;
	}
	for (; n > 0; n--, q.prefix.addr = 0x80000000)
		if (route_send(k, &q, why) != FAB_OK && type == RTM_NEWROUTE)
			complain(k, why);
}

struct leftover {
	struct ipnet prefix;
	struct leftover *next;
};

static int
route_message(const struct nlmsghdr *m, void *ctx)
{
	const struct rtmsg *t = mnl_nlmsg_get_payload(m);
	struct addr_attr dst = { .type = RTA_DST };
	struct leftover **list = ctx, *l;

	if (m->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(m) < sizeof(*t) ||
	    t->rtm_protocol != RTPROT_BGP || t->rtm_table != RT_TABLE_MAIN ||
	    (l = calloc(1, sizeof(*l))) == NULL)
		return MNL_CB_OK;
	l->prefix.len = t->rtm_dst_len;
	mnl_attr_parse(m, sizeof(*t), addr_attr, &dst);
	l->prefix.addr = dst.addr;
	l->next = *list;
	*list = l;
	return MNL_CB_OK;
}

/* In the kernel's shape: a default route into a tunnel is two halves. */
static bool
is_wanted(const struct nva_kernel *k, const struct ipnet *p)
{
	const struct ipnet any = { 0, 0 };
	struct route *r;

	if (k->ip == 0)
		return false;
	if (p->len == 1 && (r = route_find(k, &any)) != NULL && tunnel_find(k, r->peer) != NULL)
		return true;
	return p->len != 0 && (route_find(k, p) != NULL || is_tunnel_end(k, p));
}

void
nva_kernel_sweep(struct nva_kernel *k)
{
	struct leftover *list = NULL;
	struct rtnl_request r;
	struct rtmsg *m =
	    rtnl_init(&r, k->sock, "read the routes", RTM_GETROUTE, NLM_F_DUMP, sizeof(*m));
	char why[RTNL_WHY_MAX];

	m->rtm_family = AF_INET;
	r.cb = route_message;
	r.ctx = &list;
	if (rtnl_send(&r, why) != FAB_OK)
		complain(k, why);
	while (list != NULL) {
		struct leftover *l = list;

		list = l->next;
		if (!is_wanted(k, &l->prefix))
			route_send(
			    k, &(struct request_route){ l->prefix, RTM_DELROUTE, NULL }, why);
		free(l);
	}
}

/* Everything that is wanted. */
static void
sync_all(struct nva_kernel *k)
{
	struct route *r, *tmp;
	char why[RTNL_WHY_MAX];

	if (k->ip == 0 || !find_own(k))
		return;
	for (size_t i = 0; i < k->n_tunnels; i++) {
		tunnel_end_write(k, &k->tunnels[i], RTM_NEWROUTE);
		if (nva_tunnel_make(&k->tunnels[i], k->sock, why) != FAB_OK)
			complain(k, why);
	}
	HASH_ITER (hh, k->routes, r, tmp)
		route_write(k, r, RTM_NEWROUTE);
	if (nva_snat_apply(k->snat, k->ip, why) != FAB_OK && k->snat)
		complain(k, why);
	if (nva_firewall_apply(k->stateful, why) != FAB_OK && k->stateful)
		complain(k, why);
}

/* ---- news ---- */

/* Addresses or links changed: perhaps ours. What the messages say is not looked at. */
static void
on_news(evutil_socket_t fd, short what, void *arg)
{
	struct nva_kernel *k = arg;
	int before = k->index;
	char buf[8192];

	(void)what;
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		continue;
	if (k->ip != 0 && find_own(k) && before == 0)
		sync_all(k);
}

/* ---- interface ---- */

int
nva_kernel_new(struct nva_kernel **out, struct fab_loop *loop)
{
	struct nva_kernel *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return FAB_ENOMEM;
	k->sock = k->news_sock = -1;
	if (rtnl_open(&k->sock, 0) != FAB_OK ||
	    rtnl_open(&k->news_sock, RTMGRP_LINK | RTMGRP_IPV4_IFADDR) != FAB_OK ||
	    (k->news = event_new(
		 fab_loop_base(loop), k->news_sock, EV_READ | EV_PERSIST, on_news, k)) == NULL ||
	    event_add(k->news, NULL) != 0) {
		nva_kernel_free(k);
		return FAB_EIO;
	}
	*out = k;
	return FAB_OK;
}

void
nva_kernel_free(struct nva_kernel *k)
{
	struct route *r, *tmp;

	if (k == NULL)
		return;
	if (k->news != NULL)
		event_free(k->news);
	if (k->sock >= 0)
		close(k->sock);
	if (k->news_sock >= 0)
		close(k->news_sock);
	HASH_ITER (hh, k->routes, r, tmp) {
		HASH_DEL(k->routes, r);
		free(r);
	}
	free(k->tunnels);
	free(k);
}

static bool
tunnel_wanted(const struct wire_conf *conf, const struct nva_tunnel *t)
{
	for (size_t i = 0; i < conf->n_peers; i++)
		if (conf->kernel_routes && conf->peers[i].tunnel &&
		    strcmp(conf->peers[i].name, t->peer) == 0)
			return true;
	return false;
}

static void
tunnels_config(struct nva_kernel *k, const struct wire_conf *conf)
{
	struct nva_tunnel *v = calloc(conf->n_peers + 1, sizeof(*v));
	size_t n = 0;

	if (v == NULL)
		return; /* as before */
	for (size_t i = 0; i < k->n_tunnels; i++)
		if (!tunnel_wanted(conf, &k->tunnels[i])) {
			tunnel_end_write(k, &k->tunnels[i], RTM_DELROUTE);
			nva_tunnel_remove(&k->tunnels[i], k->sock);
		}
	for (size_t i = 0; i < conf->n_peers && conf->kernel_routes; i++) {
		const struct wire_peer *p = &conf->peers[i];

		if (!p->tunnel)
			continue;
		nva_tunnel_init(&v[n++], p);
	}
	free(k->tunnels);
	k->tunnels = v;
	k->n_tunnels = n;
}

void
nva_kernel_config(struct nva_kernel *k, const struct wire_conf *conf)
{
	bool wrote = k->index != 0;

	k->complained = false;
	tunnels_config(k, conf);
	k->ip = conf->kernel_routes ? conf->address : 0;
	k->snat = conf->snat;
	k->stateful = conf->stateful;
	k->index = 0;
	if (k->ip != 0)
		sync_all(k);
	else if (wrote)
		nva_kernel_sweep(k);
}

static void
route_free(struct nva_kernel *k, struct route *r)
{
	HASH_DEL(k->routes, r);
	free(r);
}

int
nva_kernel_set(struct nva_kernel *k, const struct ipnet *prefix, const char *peer)
{
	size_t len = strlen(peer) + 1;
	struct route *r, *old = route_find(k, prefix);

	if (old != NULL && strcmp(old->peer, peer) == 0)
		return FAB_OK;
	if ((r = calloc(1, sizeof(*r) + len)) == NULL)
		return FAB_ENOMEM;
	r->key = route_key(prefix);
	r->prefix = *prefix;
	r->peer = memcpy(r + 1, peer, len);
	if (old != NULL) {
		if (k->index != 0 && prefix->len == 0 && tunnel_find(k, peer) == NULL)
			route_write(k, old, RTM_DELROUTE); /* its halves */
		route_free(k, old);
	}
	HASH_ADD(hh, k->routes, key, sizeof(r->key), r);
	if (k->index != 0)
		route_write(k, r, RTM_NEWROUTE);
	return FAB_OK;
}

void
nva_kernel_del(struct nva_kernel *k, const struct ipnet *prefix)
{
	struct route *r = route_find(k, prefix);

	if (r == NULL)
		return;
	if (k->index != 0)
		route_write(k, r, RTM_DELROUTE);
	route_free(k, r);
}
