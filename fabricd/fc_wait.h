#ifndef FABRICD_FC_WAIT_H
#define FABRICD_FC_WAIT_H
/*
 * Those who wait for a condition. Whenever something changed (fc_touch) each condition is looked at
 * once, at the end of the loop's turn; nothing is polled, but for `learned` and `advertised`, which
 * ask the Route Server's instances again after FC_WAIT_ASK_MS.
 */
#include "fabricd/fc_converge.h"

#define FC_WAITS_MAX   1024 /* at a time */
#define FC_WAIT_ASK_MS 50

struct fc_wait;

enum fc_wait_end { FC_WAIT_HOLDS, FC_WAIT_TIMEOUT, FC_WAIT_REFUSED, FC_WAIT_CANCELLED };

/* Called exactly once, never from inside fc_wait_new(); it must not end another wait. why: what is
 * missing, or wrong. */
typedef void fc_wait_fn(void *ctx, enum fc_wait_end end, uint32_t waited_ms, const char *why);

int fc_waits_new(struct fc_waits **out, struct fc *f);
/* Ends all with FC_WAIT_CANCELLED. */
void fc_waits_free(struct fc_waits *ws);
void fc_waits_check(struct fc_waits *ws);

/* timeout_ms 0: looks once. FAB_ETOOBIG: FC_WAITS_MAX are waiting. */
int fc_wait_new(struct fc_wait **out, struct fc_waits *ws, const struct fc_expr *e,
    uint32_t timeout_ms, fc_wait_fn *fn, void *ctx);
void fc_wait_cancel(struct fc_wait *w);

#endif
