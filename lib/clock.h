#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H
/*
 * Two clocks that cannot be mixed up: wall time in microseconds stamps events that other processes
 * compare; struct fab_mono measures spans inside one process and never jumps.
 */
#include <stdint.h>

struct fab_mono {
	uint64_t ns;
};

struct fab_mono fab_mono_now(void);
/* Microseconds from a to b; 0 when b is earlier. */
uint64_t fab_mono_us_between(struct fab_mono a, struct fab_mono b);

/* Microseconds since the Unix epoch. */
uint64_t fab_wall_us(void);

#endif
