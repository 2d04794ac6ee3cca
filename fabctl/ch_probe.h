#ifndef FABCTL_CH_PROBE_H
#define FABCTL_CH_PROBE_H
/*
 * Real packets while something is broken, in a fabric that has them: `fabctl probe` between some
 * guests, by preference such as talk through what is about to break.
 */
#include "fabctl/ch_fabric.h"
#include "fabctl/sc_call.h"

#define CH_PROBES_MAX 2

/* Pairs of endpoints by number. Pure: of those that talk at rest, are guests, and are not broken
 * themselves; first those whose way leads by one of the names in the steps. Returns how many. */
size_t ch_probe_choose(int pairs[static CH_PROBES_MAX][2], const struct topo *t,
    const struct ch_watch *rest, const struct ch_step *steps, size_t n_steps);

struct ch_probe {
	const char *src, *dst;
	struct sc_call call;
};

struct ch_probes {
	struct ch_probe v[CH_PROBES_MAX];
	size_t n;
};

/* Starts them and returns when packets flow, or should. Nothing without packets. */
void ch_probes_begin(struct ch_probes *p, struct ch_fabric *f, const struct ch_watch *rest,
    const struct ch_step *steps, size_t n_steps);
/* [{"src", "dst", "sent", "lost", "outage_ms"}], the caller's; NULL: there were none. *worst_us:
 * the longest outage, of the pair that *worst names. */
json_t *ch_probes_end(struct ch_probes *p, uint64_t *worst_us, char worst[static 128]);

#endif
