#include "vswitchd/vs_caps.h"

#include "lib/err.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_BPF
#define CAP_BPF 39 /* Linux 5.8 */
#endif

#define BIT(cap) (UINT64_C(1) << (cap))
#define NEEDED   (BIT(CAP_NET_ADMIN) | BIT(CAP_BPF))

/* glibc has no wrappers; version 3 of the interface comes in two halves. */
static int
read_caps(struct __user_cap_data_struct data[static _LINUX_CAPABILITY_U32S_3])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capget, &head, data) == 0 ? FAB_OK : fab_err_from_errno(errno);
}

/* The bounding set first: that needs a capability which is dropped next. */
static void
drop_bounding(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if ((NEEDED & BIT(cap)) == 0)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* an ordinary user may not */
}

int
vs_caps_drop(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int err;

	if ((err = read_caps(data)) != FAB_OK)
		return err;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	drop_bounding();
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (uint32_t)(NEEDED >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) == 0 ? FAB_OK : fab_err_from_errno(errno);
}

bool
vs_caps_has_net_admin(void)
{
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return read_caps(data) == FAB_OK && (data[0].effective & BIT(CAP_NET_ADMIN)) != 0;
}
