#ifndef VSWITCHD_VS_TAP_H
#define VSWITCHD_VS_TAP_H
/*
 * The TAP behind a guest's eth0, and whether the descriptors that a guest handed over are what they
 * should be: they are not believed, for with our capabilities a wrong one would change our own
 * namespace.
 */
#include "vswitchd/vs_netlink.h"

/* netns is a network namespace other than ours, rtnl an rtnetlink socket in it. FAB_EINVAL. */
int vs_guest_check(int netns, int rtnl, char why[static VS_WHY_MAX]);

/* A TAP (lib/tap.h) whose device is in netns, down and under a name that means nothing. The
 * descriptor is the caller's. FAB_EPERM, FAB_ENOENT (no /dev/net/tun), FAB_EIO. Takes some 20 ms:
 * the kernel waits for all readers when a device changes its namespace. */
int vs_tap_new(int *out, int netns, char why[static VS_WHY_MAX]);
/* A guest's TAP: fit for use, and its device is in netns. FAB_EINVAL; FAB_ENOENT: its device has
 * gone. */
int vs_tap_check(int tap, int netns, char why[static VS_WHY_MAX]);

#endif
