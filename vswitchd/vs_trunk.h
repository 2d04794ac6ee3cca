#ifndef VSWITCHD_VS_TRUNK_H
#define VSWITCHD_VS_TRUNK_H
/*
 * The trunk: one TAP for all ports whose interfaces are veths (vs_wired.h). Which
 * port a frame is from, or for, is told by its source address; programs or rules in the kernel
 * write the one and take the other away, so guests cannot.
 */
#include "lib/octets.h"
#include "vswitchd/vs_fast.h"
#include "vswitchd/vs_frame.h"

#define VS_TRUNK_SRC (VS_VNET_HDR + 6)

/* Slot that sent the frame; 0: it is not from a program of ours. */
static inline uint32_t
vs_trunk_sender(const uint8_t *buf, size_t len)
{
	if (len < VS_VNET_HDR + 14 || get16(buf + VS_TRUNK_SRC) != FAST_MAC_FROM)
		return 0;
	return get32(buf + VS_TRUNK_SRC + 2);
}

/* In the place of the fabric's own address. */
static inline void
vs_trunk_address(uint8_t *buf, uint32_t slot)
{
	put32(put16(buf + VS_TRUNK_SRC, FAST_MAC_TO), slot);
}

#endif
