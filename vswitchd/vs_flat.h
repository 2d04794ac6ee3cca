#ifndef VSWITCHD_VS_FLAT_H
#define VSWITCHD_VS_FLAT_H
/*
 * The tables in force as cells (vs_fast.h). Each vs_flat_put() writes what differs from the set
 * before beside what packets are using, and puts the whole in force with one store. What differs is
 * told by the objects' addresses: sets share what an update left alone (vs_set.h).
 *
 * Loop thread only.
 */
#include "vswitchd/vs_fast.h"
#include "vswitchd/vs_set.h"

/* Cells of each array. */
struct vs_flat_room {
	uint32_t ports, tables, ranges, entries, groups, members;
};

/* The arrays, which live elsewhere. */
struct vs_flat_cells {
	struct fast_control *control;
	struct fast_root *roots; /* FAST_ROOTS */
	struct fast_port *ports;
	struct fast_table *tables;
	struct fast_range *ranges;
	struct fast_entry *entries;
	struct fast_group *groups;
	struct fast_member *members;
};

struct vs_flat_conf {
	struct vs_flat_room room;
	struct vs_flat_cells cells;
	/* Slot of a port's name, the same each time; 0: out of memory. */
	uint32_t (*slot)(void *ctx, const char *name);
	/* Whether packets of the port are not for the fast path. May be NULL: no. */
	bool (*special)(void *ctx, const char *name);
	void *ctx;
};

struct vs_flat;

/* Room for that set and some updates of it, with slots up to that one. */
struct vs_flat_room vs_flat_need(const struct vs_set *set, uint32_t slots);

int vs_flat_new(struct vs_flat **out, const struct vs_flat_conf *conf);
void vs_flat_free(struct vs_flat *f); /* NULL is fine; the cells stay as they are */

/* Puts set in force; it must live until the next call has returned. FAB_ETOOBIG: the room is too
 * small; FAB_ENOMEM. Then nothing has changed for packets, and f is only good for vs_flat_free().
 */
int vs_flat_put(struct vs_flat *f, const struct vs_set *set);
/* The next put asks for each port whether it is special. */
void vs_flat_ask_again(struct vs_flat *f);

#endif
