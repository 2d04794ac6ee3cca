#ifndef VSWITCHD_VS_BPF_H
#define VSWITCHD_VS_BPF_H
/*
 * The BPF engine. A guest's interface is a veth, and a program at our end of it moves packets in
 * the kernel (vs_fast.bpf.c) by a copy of the tables (vs_flat.h). What is not plain goes to a
 * userspace engine, which this one has inside, over a TAP for all ports (vs_trunk.h); that one also
 * serves guests whose interface is a TAP, and counts every drop.
 *
 * When vswitchd is killed the programs go on: filters hold them and the tables. The next engine
 * finds the veths in its namespace, and once its first tables are in force it puts its own programs
 * in the place of the old ones. When it ends on purpose nothing passes any more.
 */
#include "vswitchd/vs_engine.h"

#define VS_BPF_WHY_MAX 192
#define VS_BPF_CLAIM_MS                                                                            \
	30000 /* after the first tables: who has not come until then is unplugged                  \
	       */

struct fab_loop;

/* FAB_ENOTSUP: this build has none; FAB_EPERM, FAB_ENOENT, FAB_EIO: why[] says in a line what is
 * missing. The model, which gets its watcher, and the loop are borrowed. */
int vs_bpf_new(struct vs_engine **out, struct vs_model *m, struct fab_loop *loop,
    char why[static VS_BPF_WHY_MAX]);

/* Octets of the arrays that the kernel and we share. */
size_t vs_bpf_memory(const struct vs_engine *e);

#endif
