#ifndef ATTACH_AT_NETNS_H
#define ATTACH_AT_NETNS_H
/*
 * Network namespaces of guests: made, entered for a moment, and left again. The process is at home,
 * in the namespace that it was started in, whenever one of these calls has returned; when it cannot
 * come back it ends at once with one line, for everything after would happen in a guest.
 */
#include <stdbool.h>

#define AT_WHY_MAX 192

/* The namespace that the process is in: a descriptor to come back by. */
int at_netns_home(int *out, char why[static AT_WHY_MAX]);

/* A new one, set up as a guest's: it takes what comes, sends no redirects, and forwards if it is a
 * router's. The descriptor is the caller's; the namespace and what is in it live as long as that or
 * a process in it. FAB_EPERM: needs root. */
int at_netns_new(int *out, int home, bool router, char why[static AT_WHY_MAX]);
/* A TAP (lib/tap.h) for its eth0, still down. Made here it costs nothing; vswitchd would have to
 * move one into it, which takes some 20 ms. The
 * descriptor is the caller's. */
int at_netns_tap(int *out, int home, int netns, char why[static AT_WHY_MAX]);
/* Forwards, or forwards no longer. */
int at_netns_set_router(int home, int netns, bool router, char why[static AT_WHY_MAX]);

/* Sets its eth0 down. FAB_EIO: it has none any more, among others. */
int at_netns_link_down(int home, int netns, char why[static AT_WHY_MAX]);

/* An rtnetlink socket in netns; home < 0: in the namespace where we are. The caller's. */
int at_netns_rtnl(int *out, int home, int netns, char why[static AT_WHY_MAX]);

#endif
