#ifndef VSWITCHD_VS_BPF_H
#define VSWITCHD_VS_BPF_H
/*
 * The BPF engine: guests have veths (vs_wired.h), and a program at our end of each moves packets in
 * the kernel (vs_fast.bpf.c) by a copy of the tables (vs_flat.h).
 *
 * When vswitchd is killed the programs go on: filters hold them and the tables. The next engine
 * puts its own programs in the place of the old ones. When it ends on purpose it leaves programs
 * that drop everything.
 */
#include "vswitchd/vs_engine.h"

#define VS_BPF_WHY_MAX 192

struct fab_loop;

/* FAB_ENOTSUP: this build has none; FAB_EPERM, FAB_ENOENT, FAB_EIO: why[] says in a line what is
 * missing. The model, which gets its watcher, and the loop are borrowed. */
int vs_bpf_new(struct vs_engine **out, struct vs_model *m, struct fab_loop *loop,
    char why[static VS_BPF_WHY_MAX]);

/* Octets of the arrays that the kernel and we share. */
size_t vs_bpf_memory(const struct vs_engine *e);

#endif
