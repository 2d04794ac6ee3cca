#ifndef VSWITCHD_VS_HINTS_H
#define VSWITCHD_VS_HINTS_H
/*
 * Flows that the userspace engine sees again and again, for a cache that would take them
 * (vs_flows.h): from the engine's thread to the loop. The engine never waits: what does not fit, or
 * was refused, is told again while its packets keep coming.
 */
#include "vswitchd/vs_flows.h"

#define VS_HINTS_ROOM 1024 /* a power of two */

struct vs_hint {
	struct vs_flow_key key;
	struct vs_flow packet;
};

struct vs_hints;

int vs_hints_new(struct vs_hints **out);
void vs_hints_free(struct vs_hints *h); /* NULL is fine */

/* Engine's thread: a packet of that flow was sent. */
void vs_hints_see(struct vs_hints *h, const struct vs_hint *hint);

/* Loop thread. Becomes readable when there is something; vs_hints_take() empties it. */
int vs_hints_fd(const struct vs_hints *h);
bool vs_hints_take(struct vs_hints *h, struct vs_hint *out);

#endif
