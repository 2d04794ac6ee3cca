#ifndef VSWITCHD_VS_GSO_H
#define VSWITCHD_VS_GSO_H
/*
 * A frame of up to 64 KiB that stands for many packets (generic segmentation offload), as these
 * packets: on a link that loses some, or sends one after the other, each has to count for itself.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* frame is writable and valid for the call; its virtio header asks for the checksum. */
typedef void vs_gso_fn(void *arg, uint8_t *frame, size_t len);

/* frame: as vs_frame_parse() found fine, IPv4, virtio header first. False: it is one packet
 * already, or nothing that can be cut (UDP fragments, odd headers); fn was not called. */
bool vs_gso_split(const uint8_t *frame, size_t len, vs_gso_fn *fn, void *arg);

#endif
