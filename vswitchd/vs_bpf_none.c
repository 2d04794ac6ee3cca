/*
 * In the place of vs_bpf.c where clang or libbpf was missing.
 */
#include "vswitchd/vs_bpf.h"

#include "lib/err.h"

#include <stdio.h>

int
vs_bpf_new(struct vs_engine **out, struct vs_model *m, struct fab_loop *loop,
    char why[static VS_BPF_WHY_MAX])
{
	(void)out;
	(void)m;
	(void)loop;
	snprintf(why, VS_BPF_WHY_MAX,
	    "this vswitchd was built without it (clang and libbpf-dev were not there)");
	return FAB_ENOTSUP;
}

size_t
vs_bpf_memory(const struct vs_engine *e)
{
	(void)e;
	return 0;
}
