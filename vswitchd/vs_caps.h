#ifndef VSWITCHD_VS_CAPS_H
#define VSWITCHD_VS_CAPS_H
/*
 * What vswitchd may do: CAP_NET_ADMIN, for the interfaces of guests and the flow cache, and
 * CAP_BPF, for the BPF engine. As an ordinary user it has what it was given (ambient capabilities,
 * or those of the file); started with more it lets the rest go for good, before it has a thread or
 * a descriptor.
 */
#include <stdbool.h>

/* Keeps of the two what is there and drops everything else: also from the bounding set, and no
 * program that is executed gets more. FAB_EPERM and others: it has what it had. */
int vs_caps_drop(void);
bool vs_caps_has_net_admin(void);

#endif
