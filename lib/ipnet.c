#include "lib/ipnet.h"

#include "lib/err.h"

#include <stdio.h>
#include <string.h>

/* A decimal number of up to max, no sign, no leading zero; moves *p behind it. */
static bool
parse_number(const char **p, unsigned max, unsigned *out)
{
	const char *s = *p;
	unsigned v = 0;

	if (*s < '0' || *s > '9' || (s[0] == '0' && s[1] >= '0' && s[1] <= '9'))
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		v = v * 10 + (unsigned)(*s - '0');
		if (v > max)
			return false;
	}
	*p = s;
	*out = v;
	return true;
}

static bool
parse_quad(const char **p, uint32_t *out)
{
	uint32_t addr = 0;
	unsigned octet;

	for (int i = 0; i < 4; i++) {
		if (i > 0 && *(*p)++ != '.')
			return false;
		if (!parse_number(p, 255, &octet))
			return false;
		addr = addr << 8 | octet;
	}
	*out = addr;
	return true;
}

int
ipaddr_parse(uint32_t *out, const char *text)
{
	uint32_t addr;

	if (!parse_quad(&text, &addr) || *text != '\0')
		return FAB_EINVAL;
	*out = addr;
	return FAB_OK;
}

int
ipnet_parse(struct ipnet *out, const char *text)
{
	uint32_t addr;
	unsigned len;

	if (!parse_quad(&text, &addr) || *text++ != '/' || !parse_number(&text, 32, &len) ||
	    *text != '\0' || (addr & ~ipnet_mask((uint8_t)len)) != 0)
		return FAB_EINVAL;
	*out = (struct ipnet){ .addr = addr, .len = (uint8_t)len };
	return FAB_OK;
}

char *
ipaddr_format(char buf[static IPADDR_STRLEN], uint32_t addr)
{
	snprintf(buf, IPADDR_STRLEN, "%u.%u.%u.%u", addr >> 24, addr >> 16 & 255, addr >> 8 & 255,
	    addr & 255);
	return buf;
}

char *
ipnet_format(char buf[static IPNET_STRLEN], struct ipnet net)
{
	ipaddr_format(buf, net.addr);
	snprintf(buf + strlen(buf), 4, "/%u", net.len % 100u);
	return buf;
}

int
ipnet_cmp(const void *a, const void *b)
{
	const struct ipnet *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return (int)x->len - (int)y->len;
}
