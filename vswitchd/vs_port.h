#ifndef VSWITCHD_VS_PORT_H
#define VSWITCHD_VS_PORT_H
/*
 * An interface of the userspace engine: a descriptor that gives and takes one frame at a time, and
 * what went through it. The engine's thread reads, writes and counts; the loop thread may read the
 * counters at any time.
 */
#include "vswitchd/vs_engine.h"

#include <stdatomic.h>
#include <sys/types.h>

/* One writer, so adding needs no locked instruction. */
struct vs_tally {
	_Atomic uint64_t packets, octets;
};

struct vs_port {
	char name[VS_NAME_MAX];
	int fd;         /* -1: none; set by the loop while the engine does not have the port */
	uint32_t slot;  /* 0: fd is its own; else the trunk's, and that is how it is told there */
	uint32_t id;    /* in the model in force, 0: none; engine */
	unsigned heard; /* frames that it may still send to the platform; engine */
	_Atomic bool live; /* attached, and the interface has not failed */
	struct vs_tally rx, tx;
	_Atomic uint64_t drops[VS_DROP_COUNT];
	struct vs_capture *captures; /* those who watch it; engine */
	enum vs_drop last_drop;      /* that was counted; engine */
};

/* name: 1 ... VS_NAME_MAX - 1 octets. */
void vs_port_init(struct vs_port *p, const char *name);

/* A frame of at most size octets, header included; 0: none is waiting; negative enum fab_err: the
 * interface is gone for good. Counts what it read. */
ssize_t vs_port_read(struct vs_port *p, uint8_t *buf, size_t size);

/* A frame of it that was read elsewhere: from the trunk. */
void vs_port_count_read(struct vs_port *p, size_t len);

/* FAB_OK, counted. FAB_EBUSY: the queue is full. FAB_EINVAL: the kernel does not like the frame.
 * FAB_ECLOSED: the interface is down or gone. */
int vs_port_write(struct vs_port *p, const uint8_t *buf, size_t len);

/* To those who watch it: a frame that it sent, or gets. why: dropped; VS_DROP_COUNT: not. */
void vs_port_show(
    const struct vs_port *p, const uint8_t *frame, size_t len, bool from_guest, enum vs_drop why);

void vs_port_dropped(struct vs_port *p, enum vs_drop why);
void vs_port_counters(const struct vs_port *p, struct vs_counters *out);

#endif
