#ifndef VSWITCHD_VS_FIB_H
#define VSWITCHD_VS_FIB_H
/*
 * A guest's rules for which routing table counts, set through a socket of its namespace.
 */
#include "vswitchd/vs_netlink.h"

#include <stdbool.h>
#include <stdint.h>

struct vs_fib_rule {
	uint16_t type;   /* RTM_NEWRULE, RTM_DELRULE */
	const char *iif; /* NULL: any */
	uint32_t dst;    /* host order */
	uint8_t dst_len, table;
	uint32_t priority;
	bool no_default; /* a default route of that table does not count */
};

/* What is so already is no error. FAB_EPERM, FAB_EIO. */
int vs_fib_rule(int rtnl, const struct vs_fib_rule *rule, char why[static VS_WHY_MAX]);

#endif
