#ifndef VSWITCHD_VS_PLATFORM_H
#define VSWITCHD_VS_PLATFORM_H
/*
 * The platform's own interface, 168.63.129.16: one for all VNets, whose addresses may overlap. So a
 * frame from there says by its destination MAC which port is to get it, and a frame to there by its
 * source MAC which port it is from: 02:fd and the number of the port. The engine writes the one and
 * takes the other away, so guests see nothing of it, and can forge nothing.
 *
 * A guest is heard as far as it was asked: each frame from the platform lets it send
 * VS_PLATFORM_CREDIT to there, and what comes without is dropped as not-carried.
 */
#include "lib/octets.h"
#include "vswitchd/vs_frame.h"

#define VS_PLATFORM_DST    VS_VNET_HDR
#define VS_PLATFORM_SRC    (VS_VNET_HDR + 6)
#define VS_PLATFORM_MAC    0x02fd
#define VS_PLATFORM_CREDIT 64

static inline void
vs_platform_address(uint8_t *mac, uint32_t port)
{
	put32(put16(mac, VS_PLATFORM_MAC), port);
}

/* Number of the port; 0: there is none in that MAC. */
static inline uint32_t
vs_platform_port(const uint8_t *mac)
{
	return get16(mac) == VS_PLATFORM_MAC ? get32(mac + 2) : 0;
}

#endif
