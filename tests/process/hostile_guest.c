/*
 * A guest that means no good: hostile_guest KIND OWN_ADDRESS OTHER_ADDRESS, in the guest's
 * namespace. Sends frames of that kind from eth0 as fast as it can until SIGTERM and then prints
 * how many. Frames that the guest's own kernel refuses count as well: it tried.
 */
#include "lib/err.h"
#include "lib/ipnet.h"
#include "tests/unit/vs_packet.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct guest {
	uint32_t own, other;
	uint32_t seed;
	uint8_t frame[VS_FRAME_MAX];
};

static volatile sig_atomic_t ended;

static void
on_term(int sig)
{
	(void)sig;
	ended = 1;
}

static uint32_t
next_random(struct guest *g)
{
	g->seed ^= g->seed << 13;
	g->seed ^= g->seed >> 17;
	g->seed ^= g->seed << 5;
	return g->seed;
}

static size_t
random_udp(struct guest *g, uint32_t src, size_t n)
{
	uint32_t ports = next_random(g);

	return pkt_udp(g->frame, src, g->other, (uint16_t)(ports >> 16), (uint16_t)ports, n);
}

/* ---- kinds ---- */

static size_t
make_udp(struct guest *g)
{
	return random_udp(g, g->own, 22);
}

static size_t
make_spoofed(struct guest *g)
{
	return random_udp(g, next_random(g), 22);
}

static size_t
make_arp(struct guest *g)
{
	return pkt_arp(g->frame, g->own, next_random(g));
}

static size_t
make_broadcast(struct guest *g)
{
	size_t len = make_udp(g);

	memset(g->frame + PKT_ETH, 0xff, 6);
	put32(g->frame + PKT_IP + 16, 0xffffffff);
	return len;
}

/* Of packets that never become whole. */
static size_t
make_fragments(struct guest *g)
{
	size_t len = random_udp(g, g->own, 1400);

	put16(g->frame + PKT_IP + 4, next_random(g));
	put16(g->frame + PKT_IP + 6, 0x2000 | (next_random(g) & 0x1fff)); /* more, anywhere */
	return len;
}

/* 64 KiB that claim to be segments of any size. */
static size_t
make_oversized(struct guest *g)
{
	static const uint8_t types[] = { VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_UDP, 5, 0 };
	size_t len = random_udp(g, g->own, 65000);
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = types[next_random(g) % sizeof(types)],
		.gso_size = (uint16_t)(next_random(g) % 3 == 0 ? 1 : next_random(g)),
		.hdr_len = 54,
		.csum_start = 34,
		.csum_offset = 16 };

	if (h.gso_type == VIRTIO_NET_HDR_GSO_TCPV4) {
		g->frame[PKT_IP + 9] = 6;
		g->frame[PKT_L4 + 12] = 0x50;
	} else {
		h.csum_offset = 6;
	}
	pkt_offload(g->frame, &h);
	return len;
}

/* A good frame with a few octets changed and cut anywhere. */
static size_t
make_malformed(struct guest *g)
{
	size_t len = random_udp(g, g->own, 100);

	for (unsigned i = 0; i < 4; i++)
		g->frame[PKT_ETH + 12 + next_random(g) % 40] = (uint8_t)next_random(g);
	return PKT_IP + next_random(g) % (len - PKT_IP);
}

static const struct {
	const char *name;
	size_t (*make)(struct guest *g);
} kinds[] = {
	{ "udp", make_udp },
	{ "spoofed", make_spoofed },
	{ "arp", make_arp },
	{ "broadcast", make_broadcast },
	{ "fragments", make_fragments },
	{ "oversized", make_oversized },
	{ "malformed", make_malformed },
};

/* ---- sending ---- */

static int
open_eth0(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1; /* 0: it takes nothing */

	to.sll_ifindex = (int)if_nametoindex("eth0");
	if (fd < 0 || to.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) != 0 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		return -1;
	return fd;
}

int
main(int argc, char **argv)
{
	struct guest g = { .seed = 4711 };
	struct sigaction term = { .sa_handler = on_term }; /* no SA_RESTART */
	size_t kind = 0;
	uint64_t n = 0;
	int fd;

	while (argc == 4 && kind < sizeof(kinds) / sizeof(kinds[0]) &&
	       strcmp(kinds[kind].name, argv[1]) != 0)
		kind++;
	if (argc != 4 || kind == sizeof(kinds) / sizeof(kinds[0]) ||
	    ipaddr_parse(&g.own, argv[2]) != FAB_OK || ipaddr_parse(&g.other, argv[3]) != FAB_OK) {
		fprintf(stderr, "usage: hostile_guest KIND OWN_ADDRESS OTHER_ADDRESS\n");
		return 2;
	}
	sigaction(SIGTERM, &term, NULL);
	if ((fd = open_eth0()) < 0) {
		perror("eth0");
		return 1;
	}
	for (; !ended; n++) {
		size_t len = kinds[kind].make(&g);

		if (send(fd, g.frame, len, 0) < 0)
			continue; /* the guest's own queue is full, or its kernel knows better */
	}
	printf("%llu\n", (unsigned long long)n);
	close(fd);
	return 0;
}
