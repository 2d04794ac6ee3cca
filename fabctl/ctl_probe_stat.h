#ifndef FABCTL_CTL_PROBE_STAT_H
#define FABCTL_CTL_PROBE_STAT_H
/*
 * What became of the numbered packets of a probe.
 */
#include <stddef.h>
#include <stdint.h>

/* One number; times are CLOCK_MONOTONIC in nanoseconds, 0: never. */
struct ctl_probe_record {
	uint64_t sent_ns, arrived_ns, answered_ns;
	uint32_t arrivals;
};

struct ctl_probe_stat {
	size_t sent, received, lost; /* received: at the destination, each number once */
	size_t duplicated;           /* further copies of a number */
	size_t reordered;            /* arrived after a higher number (RFC 4737 3.3) */
	size_t answered;             /* came back to the source */
	/* Between two arrivals, from the first sending to the first arrival, or from the last
	 * arrival to the last sending: an outage at either end counts too. */
	uint64_t longest_gap_ns, gap_end_ns;
	/* The longest run of lost packets, from the sending of the first to the next arrival, or to
	 * the last sending; 0: none was lost. */
	uint64_t outage_ns, outage_end_ns;
	uint64_t rtt_median_ns, rtt_p99_ns; /* of what came back; 0: nothing did */
};

/* Of the numbers 0 ... n - 1, all of which were sent. FAB_ENOMEM. */
int ctl_probe_stat(struct ctl_probe_stat *out, const struct ctl_probe_record *r, size_t n);

#endif
