/*
 * The first eight octets are new addresses, the rest is a frame: translating it reads and writes
 * nothing beyond its end, and leaves it a frame that parses as before.
 */
#include "lib/err.h"
#include "lib/octets.h"
#include "vswitchd/vs_frame.h"
#include "vswitchd/vs_nat.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
translate(const struct vs_frame *f, const uint8_t *frame, size_t size, uint32_t src, uint32_t dst)
{
	uint8_t *copy = malloc(size);
	struct vs_frame after;

	FAB_ASSERT(copy != NULL);
	memcpy(copy, frame, size);
	vs_nat_apply(copy, size, src, dst);
	vs_frame_parse(&after, copy, size);
	FAB_ASSERT(after.kind == VS_FRAME_IPV4 || after.kind == VS_FRAME_NOT_UNICAST);
	FAB_ASSERT(after.size == f->size);
	FAB_ASSERT(after.flow.src == (src != 0 ? src : f->flow.src));
	FAB_ASSERT(after.flow.dst == (dst != 0 ? dst : f->flow.dst));
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vs_frame f;

	if (size < 8)
		return 0;
	vs_frame_parse(&f, data + 8, size - 8);
	if (f.kind == VS_FRAME_IPV4)
		translate(&f, data + 8, size - 8, get32(data), get32(data + 4));
	return 0;
}
