#ifndef VSWITCHD_VS_TARGETS_H
#define VSWITCHD_VS_TARGETS_H
/*
 * Whom the load balancers of a set probe. As with links, an update names all of them or none; the
 * list is built once, then immutable and shared by later sets; the writer counts the references.
 * NULL is the empty list.
 */
#include "vswitchd/vs_idmap.h"
#include "vswitchd/vs_model.h"

struct vs_targets;

/* Appends a copy; *t NULL: makes one. FAB_EINVAL, FAB_ETOOBIG, FAB_ENOMEM: *t is still the
 * caller's. */
int vs_targets_add(struct vs_targets **t, const struct vs_target_conf *conf, char why[static 128]);
/* Every port that a target names is there. */
int vs_targets_check(
    const struct vs_targets *t, const struct vs_idmap *ports, char why[static 128]);

struct vs_targets *vs_targets_ref(struct vs_targets *t); /* NULL is fine */
void vs_targets_unref(struct vs_targets *t);
size_t vs_targets_memory(const struct vs_targets *t);
/* NULL: no more. */
const struct vs_target_conf *vs_targets_at(const struct vs_targets *t, size_t i);

#endif
