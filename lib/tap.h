#ifndef LIB_TAP_H
#define LIB_TAP_H
/*
 * The TAP behind a guest's interface, as vswitchd and fabattach both make it: no packet
 * information, a virtio header before each frame, checksum and TSO offload, non-blocking. The
 * device is made in the network namespace that the caller is in.
 */
#include <net/if.h>

#define FAB_TAP_HDR_LEN 10 /* struct virtio_net_hdr without num_buffers */
#define FAB_TAP_WHY_MAX 192

/* name is that of the device, or a pattern such as "tap%d" and becomes it. The descriptor is the
 * caller's; the device, which is down, goes with the last duplicate of it. FAB_EPERM, FAB_ENOENT
 * (no /dev/net/tun), FAB_EEXIST, FAB_EIO: one line in why[], with what to do. */
int fab_tap_open(int *out, char name[static IFNAMSIZ], char why[static FAB_TAP_WHY_MAX]);
/* From now on the device goes with its namespace, not with the last descriptor. That is much
 * faster: the kernel takes one device after the other, but namespaces together. */
int fab_tap_keep(int tap);

/* Name of the device, wherever it is now. FAB_ENOENT: the device has gone; FAB_EINVAL: not one of
 * ours. */
int fab_tap_name(char name[static IFNAMSIZ], int tap, char why[static FAB_TAP_WHY_MAX]);
/* The same for a descriptor that somebody else gave us: it is a TAP with our header, and is set as
 * fab_tap_open() does it. */
int fab_tap_adopt(int tap, char why[static FAB_TAP_WHY_MAX]);

#endif
