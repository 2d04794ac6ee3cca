/*
 * A frame of a guest: whatever it is, nothing is read beyond its end, and what counts as IPv4 keeps
 * the promises that the engine relies on.
 */
#include "lib/err.h"
#include "lib/octets.h"
#include "vswitchd/vs_segment.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_ipv4(const struct vs_frame *f, const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size);
	struct vs_frame again;

	FAB_ASSERT(copy != NULL && size >= VS_VNET_HDR + 34);
	FAB_ASSERT(f->size >= 20 && f->size <= size - VS_VNET_HDR - 14);
	FAB_ASSERT(f->flow.src == get32(data + VS_VNET_HDR + 26));
	FAB_ASSERT(f->flow.dst == get32(data + VS_VNET_HDR + 30));
	memcpy(copy, data, size);
	vs_frame_set_macs(copy, f->flow.dst);
	vs_frame_parse(&again, copy, size);
	FAB_ASSERT(again.kind == VS_FRAME_IPV4 && again.flow.hash == f->flow.hash);
	FAB_ASSERT(again.size == f->size && again.flow.pair == f->flow.pair);
	free(copy);
}

static void
check_arp(const struct vs_frame *f)
{
	uint8_t reply[VS_ARP_REPLY_LEN];
	struct vs_frame back;
	size_t n = vs_frame_arp_reply(reply, f, 0x0a010004);

	FAB_ASSERT((n == 0) == (f->arp.target == 0x0a010004));
	if (n == 0)
		return;
	vs_frame_parse(&back, reply, n);
	FAB_ASSERT(back.kind == VS_FRAME_ARP_OTHER);
	FAB_ASSERT(back.arp.sender == f->arp.target && back.arp.target == f->arp.sender);
}

/* What the platform hears of a guest; the frame is a copy that ends where it ends. */
static void
check_segment(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	struct vs_segment s;

	FAB_ASSERT(copy != NULL);
	memcpy(copy, data, size);
	if (vs_segment_read(&s, copy, size))
		FAB_ASSERT(s.len <= s.size && s.data >= copy && s.data + s.len <= copy + size);
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vs_frame f;

	check_segment(data, size);
	vs_frame_parse(&f, data, size);
	if (f.kind == VS_FRAME_IPV4)
		check_ipv4(&f, data, size);
	else if (f.kind == VS_FRAME_ARP)
		check_arp(&f);
	return 0;
}
