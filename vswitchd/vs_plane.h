#ifndef VSWITCHD_VS_PLANE_H
#define VSWITCHD_VS_PLANE_H
/*
 * The BPF programs (vs_fast.bpf.c) loaded with arrays of a certain size, which we share with them
 * as memory. Filters that hold the programs keep both alive beyond this struct and this process.
 */
#include "vswitchd/vs_flat.h"

#define VS_PLANE_WHY_MAX 192

struct vs_plane {
	struct vs_flat_cells cells;
	struct fast_link *links;    /* a slot each */
	struct fast_tally *tallies; /* control->cpus of each slot */
	uint32_t slots;
	int port_program, trunk_program, closed_program; /* descriptors */
	int test_program;                                /* < 0 if not asked for */
	struct bpf_object *object;
	size_t octets; /* of all arrays */
	struct {
		void *at;
		size_t size;
	} maps[16];
	size_t n_maps;
};

/* FAB_EPERM: a capability is missing, why[] says which; FAB_ENOTSUP: the kernel cannot, or this
 * build has no programs; FAB_ENOMEM. test: with the program of the differential test. */
int vs_plane_new(struct vs_plane **out, const struct vs_flat_room *room, uint32_t slots, bool test,
    char why[static VS_PLANE_WHY_MAX]);
void vs_plane_free(struct vs_plane *p); /* NULL is fine */

/* What all processors counted for a slot. */
struct fast_tally vs_plane_tally(const struct vs_plane *p, uint32_t slot);

#endif
