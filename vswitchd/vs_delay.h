#ifndef VSWITCHD_VS_DELAY_H
#define VSWITCHD_VS_DELAY_H
/*
 * What stands between the userspace engine and vs_shape.h: the clock, a timer, and frames that
 * stand for many packets. Engine's thread, but for new and free.
 */
#include "vswitchd/vs_port.h"

struct vs_delay;

/* How the engine sends. from NULL: that port has gone; then nothing is counted for it. */
typedef void vs_delay_send_fn(struct vs_port *from, struct vs_port *to, uint8_t *frame, size_t len);

int vs_delay_new(struct vs_delay **out, vs_delay_send_fn *send);
void vs_delay_free(struct vs_delay *d); /* NULL is fine */

/* Becomes readable when vs_delay_run() has something to do. */
int vs_delay_fd(const struct vs_delay *d);
void vs_delay_run(struct vs_delay *d);

/* Between the model's lock and unlock, before vs_delay_put() for its verdict: takes over links that
 * have changed. */
void vs_delay_sync(struct vs_delay *d, const struct vs_model *m);

/* Sends a frame, IPv4, over the links of the verdict: at once, later, or not at all, which counts
 * as impairment for from. */
void vs_delay_put(struct vs_delay *d, const struct vs_verdict *v, struct vs_port *from,
    struct vs_port *to, uint8_t *frame, size_t len);

/* The port is about to leave. */
void vs_delay_forget(struct vs_delay *d, struct vs_port *p);

#endif
