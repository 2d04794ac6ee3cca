#ifndef VSWITCHD_VS_SEGMENT_H
#define VSWITCHD_VS_SEGMENT_H
/*
 * TCP segments as frames (vs_frame.h): what a health probe says and hears. No allocation, nothing
 * is kept.
 */
#include "vswitchd/vs_frame.h"

#define VS_SEGMENT_DATA_MAX 1024 /* of one that is written */
#define VS_SEGMENT_MAX      (VS_VNET_HDR + 14 + 20 + 24 + VS_SEGMENT_DATA_MAX)

enum { VS_TCP_FIN = 1, VS_TCP_SYN = 2, VS_TCP_RST = 4, VS_TCP_PSH = 8, VS_TCP_ACK = 16 };

struct vs_segment {
	uint32_t src, dst; /* host order */
	uint16_t sport, dport;
	uint32_t seq, ack;
	unsigned flags;
	const uint8_t *data; /* len octets of payload, or read: those of them that are there */
	size_t len;
	size_t size; /* read: octets of payload on the wire */
};

/* Both checksums are right; MAC addresses are zero. Returns its length. len: at most
 * VS_SEGMENT_DATA_MAX. */
size_t vs_segment_write(uint8_t buf[static VS_SEGMENT_MAX], const struct vs_segment *s);

/* Of a frame of which `len` octets were read; borrows from buf. False: no TCP segment, or a
 * fragment. Checksums are not looked at: a guest's kernel leaves them to the card, and what it
 * says of itself is believed anyway. */
bool vs_segment_read(struct vs_segment *out, const uint8_t *buf, size_t len);

#endif
