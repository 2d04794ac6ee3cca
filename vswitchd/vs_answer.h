#ifndef VSWITCHD_VS_ANSWER_H
#define VSWITCHD_VS_ANSWER_H
/*
 * The guest that stands for the Internet: whatever comes in by its interface is for itself, and it
 * answers from the address that it was asked by.
 */
#include "vswitchd/vs_netlink.h"

/* rtnl: a socket of the guest's namespace; iface: its interface there. What is so already stays.
 * FAB_EPERM, FAB_EIO. */
int vs_answer_all(int rtnl, const char *iface, char why[static VS_WHY_MAX]);

#endif
