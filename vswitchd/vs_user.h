#ifndef VSWITCHD_VS_USER_H
#define VSWITCHD_VS_USER_H
/*
 * The userspace engine: one thread, one epoll, a TAP descriptor for each port. It reads a burst of
 * a port's frames, asks vs_lookup() for each of them, writes it to the taker unchanged but for the
 * MAC addresses, and goes on to the next port that has something, so that a guest that floods
 * takes no more than its turn.
 */
#include "vswitchd/vs_engine.h"

struct vs_hints;

/* Starts the thread. The model is borrowed and must outlive the engine. FAB_ENOMEM, FAB_EIO. */
int vs_user_new(struct vs_engine **out, struct vs_model *m);

/* For engines with a fast path: fd, the engine's from now on, is the trunk (vs_trunk.h). Once. */
int vs_user_set_trunk(struct vs_engine *e, int fd);
/* Like vs_engine_attach(), for a port that is reached by the trunk; slot is not 0. */
int vs_user_attach_slot(struct vs_engine *e, const char *name, uint32_t slot);
/* Flows between ports at the trunk are told there; borrowed. Before the first such port. */
void vs_user_set_hints(struct vs_engine *e, struct vs_hints *hints);

#endif
