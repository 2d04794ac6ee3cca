#ifndef VSWITCHD_VS_VETH_H
#define VSWITCHD_VS_VETH_H
/*
 * The veth behind a guest's interface when a fast path moves packets (vs_wired.h): one end in the
 * guest, the other one
 * ("ours") in our namespace, where its alias is the name of the port. It lives as long as the
 * guest's namespace or ours; so a later vswitchd finds it again, from either side.
 */
#include "vswitchd/vs_netlink.h"

#define VS_VETH_ALIAS_MAX 64 /* with NUL; VS_NAME_MAX */

/* The sockets and descriptors of a guest and of ourselves. */
struct vs_veth_place {
	int guest, guest_netns; /* rtnetlink socket there, its namespace */
	const char *iface;      /* what the guest's end is called; borrowed */
	int own, own_netns;
};

/* Makes the pair: the guest's end has the name of the place, conf's MAC and MTU, down. Both numbers
 * are given in their own namespaces. FAB_EEXIST: the guest has an interface of that name. */
int vs_veth_make(int *theirs, int *ours, const struct vs_veth_place *p, const struct vs_iface *conf,
    char why[static VS_WHY_MAX]);
/* The pair that an earlier vswitchd made, which the guest still has. FAB_ENOENT: none. Guests are
 * not believed: our end must lead to this very guest. */
int vs_veth_find(
    int *theirs, int *ours, const struct vs_veth_place *p, char why[static VS_WHY_MAX]);
/* Our end: alias, no IPv6 chatter. It is up when its program is there. */
int vs_veth_furnish(int own, int ours, const char *alias, char why[static VS_WHY_MAX]);
int vs_veth_delete(int own, int ours, char why[static VS_WHY_MAX]);

/* What an earlier vswitchd left in our namespace: every veth with an alias. */
typedef void vs_veth_fn(void *ctx, const char *alias, int ours);
int vs_veth_each(int own, vs_veth_fn *fn, void *ctx, char why[static VS_WHY_MAX]);

/* Whether both ends are up; false too when ours has gone. */
bool vs_veth_has_carrier(int own, int ours);
int vs_link_up(int own, int index, char why[static VS_WHY_MAX]);
/* A TAP or other device of ours that only carries frames: no IPv6 chatter, room for every frame,
 * up. */
int vs_link_raise(int own, int index, uint32_t mtu, char why[static VS_WHY_MAX]);

#endif
