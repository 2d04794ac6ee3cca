#ifndef VSWITCHD_VS_CARRIER_H
#define VSWITCHD_VS_CARRIER_H
/*
 * Tells when interfaces of our namespace get or lose their carrier, or go: a veth has one while its
 * other end is up. Callbacks on the loop.
 */
#include <stdbool.h>

struct fab_loop;
struct vs_carrier;

/* A notice may repeat what is known, and one of an interface that has gone says so too. */
typedef void vs_carrier_fn(void *ctx, int ifindex, bool carrier);

int vs_carrier_new(struct vs_carrier **out, struct fab_loop *loop, vs_carrier_fn *fn, void *ctx);
void vs_carrier_free(struct vs_carrier *c); /* NULL is fine */

#endif
