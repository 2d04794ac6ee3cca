#ifndef VSWITCHD_VS_TC_H
#define VSWITCHD_VS_TC_H
/*
 * BPF programs at the ingress of interfaces: a clsact qdisc with one filter. Requests go through an
 * rtnetlink socket of the interface's namespace.
 */
#include "lib/rtnl.h"

/* The program, a descriptor, sees class as __sk_buff.tc_classid. In the place of what an earlier
 * call, or an earlier process, put there, without a packet that meets neither. */
int vs_tc_attach(int rtnl, int ifindex, int program, uint32_t class, char why[static RTNL_WHY_MAX]);
/* FAB_ENOENT: the interface or the filter has gone. */
int vs_tc_detach(int rtnl, int ifindex, char why[static RTNL_WHY_MAX]);

#endif
