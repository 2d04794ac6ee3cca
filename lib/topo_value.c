/*
 * The words of a topology file: durations, endpoints, communities, next hops, filter rules, names.
 * Each parser takes the whole text or refuses it, and leaves its output untouched on failure.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A decimal number up to max, no sign; moves *s behind it. */
static bool
take_number(const char **s, uint64_t max, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		v = v * 10 + (uint64_t)(*p - '0');
		if (v > max)
			return false;
	}
	*s = p;
	*out = v;
	return true;
}

int
topo_duration_parse(uint32_t *ms, const char *text)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 } };
	uint64_t v;

	if (!take_number(&text, TOPO_DURATION_MAX, &v))
		return FAB_EINVAL;
	if (v == 0 && *text == '\0') {
		*ms = 0;
		return FAB_OK;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(text, units[i].unit) == 0 && v * units[i].ms <= TOPO_DURATION_MAX) {
			*ms = (uint32_t)v * units[i].ms;
			return FAB_OK;
		}
	return FAB_EINVAL;
}

/* "1s..5s"; a duration alone is a range of one. */
int
topo_range_parse(struct topo_range *out, const char *text)
{
	struct topo_range r;
	const char *dots = strstr(text, "..");
	char low[16] = "";

	if (dots == NULL) {
		if (topo_duration_parse(&r.min_ms, text) != FAB_OK)
			return FAB_EINVAL;
		r.max_ms = r.min_ms;
	} else {
		if ((size_t)(dots - text) >= sizeof(low))
			return FAB_EINVAL;
		memcpy(low, text, (size_t)(dots - text));
		if (topo_duration_parse(&r.min_ms, low) != FAB_OK ||
		    topo_duration_parse(&r.max_ms, dots + 2) != FAB_OK || r.min_ms > r.max_ms)
			return FAB_EINVAL;
	}
	*out = r;
	return FAB_OK;
}

int
topo_endpoint_parse(struct topo_tcp *out, const char *text)
{
	char addr_text[IPADDR_STRLEN];
	const char *colon = strchr(text, ':');
	uint64_t port;
	uint32_t addr;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(addr_text))
		return FAB_EINVAL;
	memcpy(addr_text, text, (size_t)(colon - text));
	addr_text[colon - text] = '\0';
	colon++;
	if (ipaddr_parse(&addr, addr_text) != FAB_OK || !take_number(&colon, 65535, &port) ||
	    *colon != '\0' || port == 0)
		return FAB_EINVAL;
	*out = (struct topo_tcp){ .addr = addr, .port = (uint16_t)port };
	return FAB_OK;
}

/* RFC 1997, RFC 3765, RFC 7999, RFC 8326. */
static const struct {
	const char *name;
	uint32_t value;
} well_known[] = {
	{ "no-export", 0xffffff01 },
	{ "no-advertise", 0xffffff02 },
	{ "no-export-subconfed", 0xffffff03 },
	{ "no-peer", 0xffffff04 },
	{ "blackhole", 0xffff029a },
	{ "graceful-shutdown", 0xffff0000 },
};

int
topo_community_parse(uint32_t *out, const char *text)
{
	uint64_t high, low;

	for (size_t i = 0; i < sizeof(well_known) / sizeof(well_known[0]); i++)
		if (strcmp(text, well_known[i].name) == 0) {
			*out = well_known[i].value;
			return FAB_OK;
		}
	if (!take_number(&text, 65535, &high) || *text++ != ':' ||
	    !take_number(&text, 65535, &low) || *text != '\0')
		return FAB_EINVAL;
	*out = (uint32_t)(high << 16 | low);
	return FAB_OK;
}

int
topo_large_parse(uint32_t out[static 3], const char *text)
{
	uint64_t v[3];

	for (int i = 0; i < 3; i++)
		if ((i > 0 && *text++ != ':') || !take_number(&text, UINT32_MAX, &v[i]))
			return FAB_EINVAL;
	if (*text != '\0')
		return FAB_EINVAL;
	for (int i = 0; i < 3; i++)
		out[i] = (uint32_t)v[i];
	return FAB_OK;
}

int
topo_net_parse(struct ipnet *out, const char *text)
{
	uint32_t addr;

	if (ipaddr_parse(&addr, text) != FAB_OK)
		return ipnet_parse(out, text);
	*out = (struct ipnet){ .addr = addr, .len = 32 };
	return FAB_OK;
}

/* Copies the next blank-separated word; false: none left, or longer than any that is valid. */
static bool
take_word(const char **s, char *word, size_t size)
{
	size_t n;

	*s += strspn(*s, " ");
	n = strcspn(*s, " ");
	if (n == 0 || n >= size)
		return false;
	memcpy(word, *s, n);
	word[n] = '\0';
	*s += n;
	return true;
}

int
topo_hop_parse(enum topo_hop *hop, uint32_t *addr, const char *text)
{
	static const char *const names[] = {
		[HOP_VIRTUAL_APPLIANCE] = "VirtualAppliance",
		[HOP_VNET_GATEWAY] = "VirtualNetworkGateway",
		[HOP_VNET_LOCAL] = "VnetLocal",
		[HOP_INTERNET] = "Internet",
		[HOP_NONE] = "None",
	};
	char word[32];
	uint32_t a = 0;
	size_t i;

	if (!take_word(&text, word, sizeof(word)))
		return FAB_EINVAL;
	for (i = 0; i < sizeof(names) / sizeof(names[0]) && strcmp(word, names[i]) != 0; i++)
		continue;
	if (i == sizeof(names) / sizeof(names[0]))
		return FAB_EINVAL;
	if (i == HOP_VIRTUAL_APPLIANCE &&
	    (!take_word(&text, word, sizeof(word)) || ipaddr_parse(&a, word) != FAB_OK))
		return FAB_EINVAL;
	if (text[strspn(text, " ")] != '\0')
		return FAB_EINVAL;
	*hop = (enum topo_hop)i;
	*addr = a;
	return FAB_OK;
}

/* "ge N" and "le N" behind the prefix of a rule. */
static bool
take_bound(const char **s, const char *word, struct topo_prefix_rule *r)
{
	uint8_t *bound = strcmp(word, "ge") == 0 ? &r->ge : strcmp(word, "le") == 0 ? &r->le : NULL;
	uint64_t v;

	*s += strspn(*s, " ");
	if (bound == NULL || *bound != 0 || !take_number(s, 32, &v) || v < r->prefix.len || v == 0)
		return false;
	*bound = (uint8_t)v;
	return true;
}

int
topo_rule_parse(struct topo_prefix_rule *out, const char *text)
{
	struct topo_prefix_rule r = { .deny = false };
	char word[32];

	if (!take_word(&text, word, sizeof(word)))
		return FAB_EINVAL;
	r.deny = strcmp(word, "deny") == 0;
	if ((r.deny || strcmp(word, "permit") == 0) && !take_word(&text, word, sizeof(word)))
		return FAB_EINVAL;
	if (ipnet_parse(&r.prefix, word) != FAB_OK)
		return FAB_EINVAL;
	while (take_word(&text, word, sizeof(word)))
		if (!take_bound(&text, word, &r))
			return FAB_EINVAL;
	if (*text != '\0' || (r.ge != 0 && r.le != 0 && r.ge > r.le))
		return FAB_EINVAL;
	if (r.le != 0 && r.ge == 0)
		r.ge = r.prefix.len;
	else if (r.ge != 0 && r.le == 0)
		r.le = 32;
	*out = r;
	return FAB_OK;
}

bool
topo_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > TOPO_NAME_MAX || !isalnum((unsigned char)name[0]))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_')
			return false;
	return true;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* How many letters must be changed, left out, put in or swapped with their neighbour (optimal
 * string alignment); case ignored. Both texts are at most TOPO_NAME_MAX long. */
static size_t
distance(const char *x, const char *y)
{
	size_t rows[3][TOPO_NAME_MAX + 1], nx = strlen(x), ny = strlen(y);

	for (size_t i = 0; i <= nx; i++) {
		size_t *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= ny; j++) {
			int a = i == 0 ? 0 : tolower((unsigned char)x[i - 1]);
			int b = tolower((unsigned char)y[j - 1]);

			if (i == 0) {
				row[j] = j;
				continue;
			}
			row[j] = least(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a != b));
			if (i > 1 && j > 1 && a == tolower((unsigned char)y[j - 2]) &&
			    b == tolower((unsigned char)x[i - 2]) && up2[j - 2] + 1 < row[j])
				row[j] = up2[j - 2] + 1;
		}
	}
	return rows[nx % 3][ny];
}

const char *
topo_suggest(const char *text, const char *const *words, size_t n)
{
	size_t len = strlen(text), limit = len < 4 ? 1 : len < 8 ? 2 : 3, d;
	const char *best = NULL;

	if (len > TOPO_NAME_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) > TOPO_NAME_MAX)
			continue;
		d = distance(text, words[i]);
		if (d <= limit && d < len) {
			best = words[i];
			limit = d == 0 ? 0 : d - 1;
			if (d == 0)
				break;
		}
	}
	return best;
}
