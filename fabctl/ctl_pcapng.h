#ifndef FABCTL_CTL_PCAPNG_H
#define FABCTL_CTL_PCAPNG_H
/*
 * Writing of pcapng files (draft-ietf-opsawg-pcapng): one section, one Ethernet interface, packets
 * with their direction and a comment, statistics at the end. In the machine's byte order. Functions
 * return FAB_OK or FAB_EIO (errno says why).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ctl_pcapng_packet {
	uint64_t at_us;
	int from_guest;      /* else to it */
	uint64_t lost;       /* before this one */
	const char *comment; /* "": none */
	uint32_t size;       /* on the wire */
	const uint8_t *data;
	size_t len;
};

int ctl_pcapng_begin(FILE *fp, const char *interface, const char *program);
int ctl_pcapng_packet(FILE *fp, const struct ctl_pcapng_packet *p);
int ctl_pcapng_end(FILE *fp, uint64_t at_us, uint64_t seen, uint64_t lost);

#endif
