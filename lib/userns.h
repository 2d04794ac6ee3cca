#ifndef LIB_USERNS_H
#define LIB_USERNS_H
/*
 * User namespaces, in which an ordinary user has every capability over network namespaces that were
 * made there: what packets without root stand on.
 */
#include <stdbool.h>

/* The caller becomes root of a user namespace of its own, in which it is the only user, and moves
 * into a network namespace that belongs to it: to the one before it could never come back. Single
 * threads only. FAB_EPERM and others; errno says why. */
int fab_userns_make(void);

/* Whether a network namespace belongs to another user namespace than ours, one that we may enter.
 */
bool fab_userns_is_other(int netns);
/* Goes into a network namespace, and before that, for good, into the user namespace that it belongs
 * to if that is another one (single threads only). Nothing but system calls: may be called between
 * fork() and exec(). False: errno. */
bool fab_userns_enter(int netns);

#endif
