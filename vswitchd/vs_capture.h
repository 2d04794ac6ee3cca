#ifndef VSWITCHD_VS_CAPTURE_H
#define VSWITCHD_VS_CAPTURE_H
/*
 * What somebody who watches a port gets to see: a ring that the engine's thread fills and the loop
 * empties. The engine never waits: what does not fit is counted and told with the next packet.
 */
#include "vswitchd/vs_model.h"

#define VS_CAPTURE_RING (4u << 20) /* octets, a power of two */

struct vs_capture {
	struct vs_capture *next; /* of the same port; engine */
	uint32_t snap;           /* octets of a packet that are kept */
	struct vs_capture_ring *ring;
};

struct vs_captured {
	uint64_t at_us;
	bool from_guest;
	bool dropped;
	enum vs_drop why; /* if dropped */
	uint64_t lost;    /* before this one, because nobody took them */
	uint32_t size;    /* on the wire */
	uint32_t len;     /* octets that are here, from the Ethernet header on */
	const uint8_t *data;
};

int vs_capture_new(struct vs_capture **out, uint32_t snap);
void vs_capture_free(struct vs_capture *c); /* NULL is fine; no engine has it any more */

/* Engine's thread; p->lost is not read. */
void vs_capture_put(struct vs_capture *c, const struct vs_captured *p);

/* Loop thread. Becomes readable when something was put; vs_capture_take() empties it. */
int vs_capture_fd(const struct vs_capture *c);
/* False: the ring is empty. Data are valid until the next call. */
bool vs_capture_take(struct vs_capture *c, struct vs_captured *out);

#endif
