#ifndef VSWITCHD_VS_SLAB_H
#define VSWITCHD_VS_SLAB_H
/*
 * Slices of an array that is shared with BPF programs. What is given back rests before it is given
 * out again, for a packet may be on its way that began with the tables of before: a second, or,
 * when there is no other room, until every processor has been seen outside of the programs.
 *
 * Sizes are rounded up to classes (at most a quarter is lost), and a slice stays in its class: when
 * there is no room, a larger array, filled anew, is the way out.
 */
#include "lib/clock.h"

#include <stddef.h>
#include <stdint.h>

#define VS_SLAB_REST_MS 1000
#define VS_SLAB_CLASSES 128

struct vs_slice {
	uint32_t at; /* first cell */
	uint8_t class;
	struct fab_mono freed;
	struct vs_slice *next;
};

struct vs_slab {
	uint32_t room; /* cells */
	uint32_t used; /* cells that were ever given out */
	struct vs_slice *free[VS_SLAB_CLASSES];
	struct vs_slice *resting, **resting_end; /* the oldest first */
};

/* Cell 0 is never given out. */
void vs_slab_init(struct vs_slab *s, uint32_t room);
/* Slices that are out are the caller's to free(). */
void vs_slab_fini(struct vs_slab *s);

/* n >= 1. FAB_ETOOBIG: no room; FAB_ENOMEM. */
int vs_slab_get(struct vs_slab *s, struct vs_slice **out, uint32_t n);
/* Takes the slice; NULL is fine. Nothing leads to it any more. */
void vs_slab_put(struct vs_slab *s, struct vs_slice *slice);

/* How many cells a slice of n takes. */
uint32_t vs_slab_size(uint32_t n);

/* Waits until no program runs that ran when it was called, some milliseconds. FAB_ENOTSUP. */
int vs_slab_grace(void);

#endif
