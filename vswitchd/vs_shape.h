#ifndef VSWITCHD_VS_SHAPE_H
#define VSWITCHD_VS_SHAPE_H
/*
 * Links that are slow, lossy or narrow: holds frames back until they have crossed all links on
 * their way. For the userspace engine, whose thread it belongs to. It reads no clock and sets no
 * timer: every call is told the time, so tests need neither.
 *
 * A frame enters its links one after the other, each at the time it leaves the one before:
 *
 *   loss   drawn for all links when the frame comes, by a seeded generator
 *   rate   one frame after the other, in time proportional to its octets on the wire; who would
 *          wait longer than VS_SHAPE_QUEUE_MS, and behind more than VS_SHAPE_QUEUE_OCTETS, is lost
 *   delay  delay +- jitter, evenly spread. A link is a queue: nobody overtakes (netem does reorder
 *          when there is jitter), so a frame that drew less than the one before it waits for that.
 *
 * Bounded memory: what is more than the limits below is lost.
 */
#include "vswitchd/vs_model.h"

#define VS_SHAPE_QUEUE_MS     100
#define VS_SHAPE_QUEUE_OCTETS 65536
#define VS_SHAPE_LINK_MAX     (16u << 20) /* octets held on one link */
#define VS_SHAPE_TOTAL_MAX    (64u << 20) /* on all */

struct vs_shape;

int vs_shape_new(struct vs_shape **out, uint64_t seed);
void vs_shape_free(struct vs_shape *s); /* with all that it holds; NULL is fine */

/* The links as m has them, between its lock and unlock; frames under way stay. What links there are
 * no more is no longer in the way. FAB_ENOMEM: some are missing, which does the same. */
int vs_shape_sync(struct vs_shape *s, const struct vs_model *m);

struct vs_shape_frame {
	void *from, *to; /* the engine's: for the callbacks */
	const uint8_t *data;
	size_t len;
	uint32_t wire; /* octets on the wire, headers of all segments included */
};

enum vs_fate { VS_FATE_PASS, VS_FATE_HELD, VS_FATE_LOST };

/* PASS: nothing holds it, send it now. HELD: it was copied and comes back by vs_shape_run(). */
enum vs_fate vs_shape_put(struct vs_shape *s, uint64_t now_ns, const uint32_t *links,
    unsigned n_links, const struct vs_shape_frame *f);

/* Whether a link among these has a loss or a rate, so that what stands for many packets must be cut
 * into them first. */
bool vs_shape_by_packet(const struct vs_shape *s, const uint32_t *links, unsigned n_links);

/* When vs_shape_run() has something to do; UINT64_MAX: nothing is held. */
uint64_t vs_shape_due(const struct vs_shape *s);

struct vs_shape_ops {
	/* f->from NULL: that port has gone. data is writable and valid for the call. */
	void (*deliver)(void *arg, const struct vs_shape_frame *f);
	void (*lost)(void *arg, const struct vs_shape_frame *f);
};

/* Lets go what is due by now, at most max frames. */
void vs_shape_run(
    struct vs_shape *s, uint64_t now_ns, unsigned max, const struct vs_shape_ops *ops, void *arg);

/* The port leaves the engine: frames to it are dropped, those from it go on. */
void vs_shape_forget(struct vs_shape *s, const void *port);

size_t vs_shape_held(const struct vs_shape *s); /* octets */

#endif
