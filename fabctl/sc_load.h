#ifndef FABCTL_SC_LOAD_H
#define FABCTL_SC_LOAD_H
/*
 * Reading a scenario file, between its two halves: sc_file.c (the file) and sc_step.c (its steps).
 */
#include "fabctl/sc_file.h"

struct sc_load {
	struct sc_file *f;
	struct topo_errors *errs;
};

/* Adds a mistake of that line; what has one %s. Always false. */
bool sc_complain(struct sc_load *l, const struct topo_yaml *y, const char *what, const char *text);

/* A scalar with something in it. */
bool sc_is_text(const struct topo_yaml *y);

/* A list of steps; inner: those of a probe. */
bool sc_take_steps(
    struct sc_load *l, const struct topo_yaml *y, bool inner, struct sc_step **out, size_t *n);

#endif
