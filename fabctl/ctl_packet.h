#ifndef FABCTL_CTL_PACKET_H
#define FABCTL_CTL_PACKET_H
/*
 * A captured frame in words: "10.11.0.4 > 10.12.0.4 ICMP echo request, id 7, seq 1". Whatever is in
 * it, the words fit and nothing is read beyond len.
 */
#include <stddef.h>
#include <stdint.h>

#define CTL_PACKET_TEXT 160

void ctl_packet_text(char out[static CTL_PACKET_TEXT], const uint8_t *eth, size_t len);

#endif
