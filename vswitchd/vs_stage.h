#ifndef VSWITCHD_VS_STAGE_H
#define VSWITCHD_VS_STAGE_H
/*
 * An update while it comes in: the next set of ports, groups and tables, and for each table the
 * changes that are to be merged into it once all of them are known.
 */
#include "vswitchd/vs_set.h"

struct vs_stage;

/* base: the set in force, which must stay until the stage is freed or its set was taken. snapshot:
 * begin with nothing. */
int vs_stage_new(struct vs_stage **out, const struct vs_set *base, bool snapshot);
void vs_stage_free(struct vs_stage *s); /* NULL is fine */

/* Errors as vs_model_apply(); the stage is then only good for vs_stage_free(). */
int vs_stage_add(struct vs_stage *s, const struct vs_update *u, char why[static 128]);
/* Compiles what has changed and checks the whole. */
int vs_stage_finish(struct vs_stage *s, char why[static 128]);
bool vs_stage_ports_changed(const struct vs_stage *s);
/* The set is the caller's. */
struct vs_set *vs_stage_take(struct vs_stage *s);

#endif
