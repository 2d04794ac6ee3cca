#ifndef LIB_IPNET_H
#define LIB_IPNET_H
/*
 * IPv4 addresses and prefixes. An address is a uint32_t in host byte order (10.1.0.4 is
 * 0x0a010004); a prefix is struct ipnet with all host bits zero.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipnet {
	uint32_t addr;
	uint8_t len; /* 0 ... 32 */
};

#define IPADDR_STRLEN 16 /* "255.255.255.255" and NUL */
#define IPNET_STRLEN  19 /* with "/32" */

/* 168.63.129.16, by which a VM knows the Azure host that it runs on: health probes come from there.
 * No route leads elsewhere. */
#define IPADDR_PLATFORM 0xa83f8110u

/* Network mask of a prefix length, 0 for 0. */
static inline uint32_t
ipnet_mask(uint8_t len)
{
	return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

/* Strict dotted quad: four decimal numbers, nothing before or behind. FAB_EINVAL otherwise. */
int ipaddr_parse(uint32_t *out, const char *text);
/* "10.1.0.0/16". FAB_EINVAL: malformed, length above 32, or host bits set. */
int ipnet_parse(struct ipnet *out, const char *text);

/* Write into buf and return it. */
char *ipaddr_format(char buf[static IPADDR_STRLEN], uint32_t addr);
char *ipnet_format(char buf[static IPNET_STRLEN], struct ipnet net);

static inline bool
ipnet_eq(struct ipnet a, struct ipnet b)
{
	return a.addr == b.addr && a.len == b.len;
}

static inline bool
ipnet_has_addr(struct ipnet net, uint32_t addr)
{
	return (addr & ipnet_mask(net.len)) == net.addr;
}

/* inner is equal to or more specific than outer. */
static inline bool
ipnet_contains(struct ipnet outer, struct ipnet inner)
{
	return inner.len >= outer.len && ipnet_has_addr(outer, inner.addr);
}

static inline bool
ipnet_overlaps(struct ipnet a, struct ipnet b)
{
	return ipnet_contains(a, b) || ipnet_contains(b, a);
}

/* Total order by address, then length (shorter first). For qsort of struct ipnet. */
int ipnet_cmp(const void *a, const void *b);

#endif
