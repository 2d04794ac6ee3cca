#ifndef VSWITCHD_VS_FRAME_H
#define VSWITCHD_VS_FRAME_H
/*
 * Frames as a TAP with IFF_VNET_HDR gives them: virtio_net_hdr (10 octets, in the machine's byte
 * order), Ethernet, ARP or IPv4. Guests are not trusted: nothing is read beyond the length, and
 * what the kernel would take from the header at the other TAP is checked here. Nothing is kept or
 * allocated.
 */
#include "vswitchd/vs_model.h"

#define VS_VNET_HDR      10
#define VS_FRAME_MAX     (VS_VNET_HDR + 14 + 65535) /* with that header */
#define VS_ARP_REPLY_LEN (VS_VNET_HDR + 42)

enum vs_frame_kind {
	VS_FRAME_BAD,
	VS_FRAME_ARP,         /* a request */
	VS_FRAME_ARP_OTHER,   /* an answer, or an announcement: nothing to do */
	VS_FRAME_IPV4,        /* to be looked up */
	VS_FRAME_NOT_UNICAST, /* broadcast, multicast, link-local */
};

struct vs_frame {
	enum vs_frame_kind kind;
	struct vs_flow flow; /* IPV4; NOT_UNICAST: 0 if it is not IPv4 */
	uint32_t size;       /* IPV4: octets of the IP packets on the wire, each, at least */
	uint8_t proto;       /* IPV4 */
	uint32_t ports;      /* IPV4: source << 16 | destination; 0: it has none */
	struct {
		uint32_t sender, target;
		uint8_t mac[6]; /* the sender's */
	} arp;
};

void vs_frame_parse(struct vs_frame *out, const uint8_t *buf, size_t len);

/* By its type alone. */
bool vs_frame_is_arp(const uint8_t *buf, size_t len);

/* The fabric answers for every address (its MAC is 12:34:56:78:9a:bc) but own, which is the
 * asker's. Returns VS_ARP_REPLY_LEN, or 0: no answer is due. */
size_t vs_frame_arp_reply(
    uint8_t buf[static VS_ARP_REPLY_LEN], const struct vs_frame *request, uint32_t own);

/* From the fabric to the guest with that address (02:fa and its four octets); buf was parsed as
 * IPv4. TTL and the rest stay as they are. */
void vs_frame_set_macs(uint8_t *buf, uint32_t taker);

#endif
