#include "lib/clock.h"

#include <time.h>

struct fab_mono
fab_mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct fab_mono){ (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec };
}

uint64_t
fab_mono_us_between(struct fab_mono a, struct fab_mono b)
{
	return b.ns > a.ns ? (b.ns - a.ns) / 1000 : 0;
}

uint64_t
fab_wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000;
}
