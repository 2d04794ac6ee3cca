#ifndef ATTACH_AT_GUEST_H
#define ATTACH_AT_GUEST_H
/*
 * fabattach as the entry point of a guest: the process that was started becomes the guest's own
 * software as soon as the interface is there, as a machine boots with its NIC; a child of it keeps
 * the guest plugged in for as long as that software runs.
 */
#include <stdbool.h>

/* An interface of that name is here, up and has its other end. */
bool at_guest_is_up(const char *iface);

/*
 * Forks. Returns in the child only: *ready is what at_guest_ready() is due for, the child's. The
 * parent waits for that and becomes command, or ends: 126 and 127 as a shell does when command
 * cannot be run, 1 when the child has ended first, 128 + N on SIGTERM or SIGINT. FAB_EIO: cannot
 * fork.
 */
int at_guest_begin(int *ready, char **command);
/* Once; later calls do nothing. */
void at_guest_ready(int *ready);

#endif
