#ifndef FABCTL_CTL_PROBE_RUN_H
#define FABCTL_CTL_PROBE_RUN_H
/*
 * The two ends of a probe: processes in the namespaces of the source and of the destination, and
 * memory that both of them and fabctl see. The destination answers every packet by sending it back.
 *
 * The ends are forked before fabctl has threads (its RPC client has), then wait: start() makes
 * them, go() lets them send, and end() waits for them.
 */
#include "fabctl/ctl_probe_stat.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_PROBE_PPS_MAX     200000u
#define CTL_PROBE_PACKETS_MAX 4000000u
#define CTL_PROBE_WHY_MAX     128

struct ctl_probe;

struct ctl_probe_conf {
	int src, dst; /* network namespaces; borrowed for start() */
	bool tcp;
	uint32_t pps;
	size_t packets;
};

/* FAB_OK: the destination listens. Otherwise why[] says what failed. */
int ctl_probe_start(
    struct ctl_probe **out, const struct ctl_probe_conf *conf, char why[static CTL_PROBE_WHY_MAX]);
/* Starts sending to this address (host order). */
void ctl_probe_go(struct ctl_probe *p, uint32_t dst);
/* Waits until all was sent and nothing more comes, or *stop is set: then what was sent so far
 * counts. Returns the records, which live as long as p, and how many of them were sent. FAB_EIO:
 * why[]. */
int ctl_probe_end(struct ctl_probe *p, const volatile sig_atomic_t *stop,
    const struct ctl_probe_record **records, size_t *n, char why[static CTL_PROBE_WHY_MAX]);
/* Ends what still runs. NULL is fine. */
void ctl_probe_free(struct ctl_probe *p);

#endif
