#include "lib/flow.h"

#include <stdbool.h>

static uint32_t
mix(uint64_t x, uint64_t y)
{
	x = x * 0x9e3779b97f4a7c15u ^ y;
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
	return (uint32_t)(x >> 32);
}

uint32_t
fab_flow_hash(struct fab_flow_end src, struct fab_flow_end dst, uint8_t proto)
{
	return mix((uint64_t)src.addr << 32 | dst.addr,
	    (uint64_t)proto << 32 | (uint32_t)src.port << 16 | dst.port);
}

uint32_t
fab_flow_pair(struct fab_flow_end src, struct fab_flow_end dst, uint8_t proto)
{
	bool up = src.addr < dst.addr || (src.addr == dst.addr && src.port < dst.port);

	return mix(up ? fab_flow_hash(src, dst, proto) : fab_flow_hash(dst, src, proto), proto);
}

uint32_t
fab_flow_behind(uint32_t hash, unsigned routers)
{
	uint32_t h = hash + routers * 0x9e3779b9u;

	h = (h ^ h >> 16) * 0x85ebca6bu;
	h = (h ^ h >> 13) * 0xc2b2ae35u;
	return h ^ h >> 16;
}

size_t
fab_flow_choose(uint32_t hash, size_t n)
{
	return (size_t)((uint64_t)hash * n >> 32);
}
