#ifndef TESTS_UNIT_FC_SEED_H
#define TESTS_UNIT_FC_SEED_H
/*
 * Seed of a test with random input: a new one each time, printed; FAB_SEED repeats a run.
 */
#include "lib/clock.h"

#include <stdio.h>
#include <stdlib.h>

static inline unsigned
fc_seed(void)
{
	const char *text = getenv("FAB_SEED");
	unsigned seed =
	    text != NULL ? (unsigned)strtoul(text, NULL, 10) : (unsigned)fab_mono_now().ns;

	printf("(FAB_SEED=%u) ", seed);
	return seed;
}

#endif
