#ifndef VSWITCHD_VS_NETLINK_H
#define VSWITCHD_VS_NETLINK_H
/*
 * A guest's interface (vs_tap.h) as rtnetlink sees it: moved into the guest's namespace, and set up
 * there through a socket that was opened there. The kernel looks at the capabilities of who sends,
 * so the guest needs none and we never enter its namespace.
 *
 * Requests are answered by the kernel in the call, so nothing here waits, whatever the guest does
 * with its end of the socket. Every failure leaves one line in why[]: which step it was, what the
 * kernel said and, where we know, what to do.
 */
#include "lib/rtnl.h"

#include <stdbool.h>
#include <stdint.h>

#define VS_WHY_MAX     RTNL_WHY_MAX
#define VS_TXQUEUE_LEN 10000 /* frames; the default of 1,000 loses bursts */
#define VS_MTU_DEFAULT 1500

struct vs_iface {
	uint32_t ip;        /* host order */
	uint8_t prefix_len; /* of its subnet */
	uint16_t mtu;       /* 0: VS_MTU_DEFAULT */
	bool in_azure;      /* in a VNet: it has a route to the platform */
	bool beside;        /* not its only interface: the default route is somebody else's */
	bool everywhere;    /* has every address that it is asked by, see vs_answer.h */
};

/* Moves a device of our namespace; it keeps its name where that is free. FAB_EPERM, FAB_EIO. */
int vs_link_move(const char *name, int netns, char why[static VS_WHY_MAX]);

/* Index of a device in the guest's namespace. FAB_ENOENT. */
int vs_iface_find(int *index, int rtnl, const char *name, char why[static VS_WHY_MAX]);
/* What a new device needs: its name, and the loopback interface up. FAB_EEXIST. */
int vs_iface_init(int rtnl, int index, const char *name, char why[static VS_WHY_MAX]);
/* Address, MAC, MTU and queue as conf says, up, default route by the subnet's first address. What
 * is so already is not touched, routes neither; *changed tells whether there was anything to do. An
 * address that an earlier conf gave is taken away, others that the guest added are not. */
int vs_iface_apply(
    int rtnl, int index, const struct vs_iface *conf, bool *changed, char why[static VS_WHY_MAX]);

/* 02:fa and the octets of the address. */
void vs_guest_mac(uint8_t mac[static 6], uint32_t ip);

#endif
