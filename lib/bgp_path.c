/*
 * AS paths in wire form: a row of segments, each a type octet, a count octet and that many ASNs of
 * four octets in network order. Policy edits paths in this form, so that a route never has to be
 * unpacked and packed again. Every function but bgp_path_valid() expects a valid path.
 */
#include "lib/bgp_msg.h"
#include "lib/err.h"
#include "lib/octets.h"

#include <stdio.h>
#include <string.h>

#define SEG_HEAD  2
#define SEG_COUNT 255 /* ASNs that fit into one segment */

static size_t
seg_octets(const uint8_t *seg)
{
	return SEG_HEAD + 4 * (size_t)seg[1];
}

/* RFC 7606 7.2: an unknown type, an empty segment, an overrun or a single octet left over. */
bool
bgp_path_valid(const uint8_t *path, size_t octets)
{
	size_t at = 0;

	while (at < octets) {
		if (octets - at < SEG_HEAD || path[at] < BGP_AS_SET ||
		    path[at] > BGP_AS_CONFED_SET || path[at + 1] == 0 ||
		    seg_octets(path + at) > octets - at)
			return false;
		at += seg_octets(path + at);
	}
	return true;
}

/* RFC 4271 9.1.2.2 a: a set counts as one; RFC 5065 5.3: confederation segments do not count. */
uint16_t
bgp_path_len(const uint8_t *path, size_t octets)
{
	unsigned len = 0;

	for (size_t at = 0; at < octets; at += seg_octets(path + at)) {
		if (path[at] == BGP_AS_SEQUENCE)
			len += path[at + 1];
		else if (path[at] == BGP_AS_SET)
			len++;
	}
	return (uint16_t)len;
}

bool
bgp_path_has(const uint8_t *path, size_t octets, uint32_t asn)
{
	for (size_t at = 0; at < octets; at += seg_octets(path + at)) {
		for (size_t i = 0; i < path[at + 1]; i++) {
			if (get32(path + at + SEG_HEAD + 4 * i) == asn)
				return true;
		}
	}
	return false;
}

uint32_t
bgp_path_first(const uint8_t *path, size_t octets)
{
	return octets > 0 && path[0] == BGP_AS_SEQUENCE ? get32(path + SEG_HEAD) : 0;
}

uint32_t
bgp_path_origin(const uint8_t *path, size_t octets)
{
	return octets > 0 ? get32(path + octets - 4) : 0;
}

size_t
bgp_path_flatten(const uint8_t *path, size_t octets, uint32_t *asns, size_t max)
{
	size_t n = 0;

	for (size_t at = 0; at < octets; at += seg_octets(path + at)) {
		for (size_t i = 0; i < path[at + 1]; i++, n++) {
			if (n < max)
				asns[n] = get32(path + at + SEG_HEAD + 4 * i);
		}
	}
	return n;
}

void
bgp_path_load(struct bgp_path_buf *b, const uint8_t *path, size_t octets)
{
	FAB_ASSERT(octets <= sizeof(b->data));
	if (octets > 0)
		memmove(b->data, path, octets);
	b->octets = (uint16_t)octets;
}

/* Octets that n more ASNs take when the neighbouring AS_SEQUENCE has room for some of them. */
static size_t
growth(size_t n, size_t room)
{
	if (n <= room)
		return 4 * n;
	return 4 * n + SEG_HEAD * ((n - room + SEG_COUNT - 1) / SEG_COUNT);
}

/* RFC 4271 5.1.2 b: into the leading AS_SEQUENCE, or a new one when it is full or not one. */
bool
bgp_path_prepend(struct bgp_path_buf *b, uint32_t asn, unsigned times)
{
	bool seq = b->octets > 0 && b->data[0] == BGP_AS_SEQUENCE;
	size_t need = growth(times, seq ? SEG_COUNT - b->data[1] : 0);

	if (times > sizeof(b->data) || need > sizeof(b->data) - b->octets)
		return false;
	while (times > 0) {
		unsigned n;
		bool join =
		    b->octets > 0 && b->data[0] == BGP_AS_SEQUENCE && b->data[1] < SEG_COUNT;
		size_t head = join ? 0 : SEG_HEAD;
		unsigned room = join ? SEG_COUNT - b->data[1] : SEG_COUNT;

		n = times < room ? times : room;
		memmove(b->data + head + 4 * (size_t)n, b->data, b->octets);
		b->data[1] = (uint8_t)(join ? b->data[1 + 4 * (size_t)n] + n : n);
		b->data[0] = BGP_AS_SEQUENCE;
		for (unsigned i = 0; i < n; i++)
			put32(b->data + SEG_HEAD + 4 * (size_t)i, asn);
		b->octets = (uint16_t)(b->octets + head + 4 * (size_t)n);
		times -= n;
	}
	return true;
}

bool
bgp_path_append(struct bgp_path_buf *b, uint32_t asn)
{
	size_t last = 0;
	bool join;

	for (size_t at = 0; at < b->octets; at += seg_octets(b->data + at))
		last = at;
	join = b->octets > 0 && b->data[last] == BGP_AS_SEQUENCE && b->data[last + 1] < SEG_COUNT;
	if ((size_t)b->octets + growth(1, join ? 1 : 0) > sizeof(b->data))
		return false;
	if (!join) {
		last = b->octets;
		b->data[last] = BGP_AS_SEQUENCE;
		b->data[last + 1] = 0;
		b->octets += SEG_HEAD;
	}
	b->data[last + 1]++;
	put32(b->data + b->octets, asn);
	b->octets += 4;
	return true;
}

void
bgp_path_replace(struct bgp_path_buf *b, uint32_t from, uint32_t to)
{
	for (size_t at = 0; at < b->octets; at += seg_octets(b->data + at)) {
		for (size_t i = 0; i < b->data[at + 1]; i++) {
			uint8_t *p = b->data + at + SEG_HEAD + 4 * i;

			if (get32(p) == from)
				put32(p, to);
		}
	}
}

void
bgp_path_remove(struct bgp_path_buf *b, bool (*drop)(uint32_t asn, void *arg), void *arg)
{
	size_t out = 0, next;

	for (size_t at = 0; at < b->octets; at = next) {
		uint8_t type = b->data[at], count = b->data[at + 1], kept = 0;

		next = at + seg_octets(b->data + at);
		for (size_t i = 0; i < count; i++) {
			uint32_t asn = get32(b->data + at + SEG_HEAD + 4 * i);

			if (!drop(asn, arg))
				put32(b->data + out + SEG_HEAD + 4 * (size_t)kept++, asn);
		}
		if (kept == 0)
			continue;
		b->data[out] = type;
		b->data[out + 1] = kept;
		out += SEG_HEAD + 4 * (size_t)kept;
	}
	b->octets = (uint16_t)out;
}

/* ---- two-octet ASNs (RFC 6793) ---- */

bool
bgp_path2_valid(const uint8_t *path2, size_t octets)
{
	size_t at = 0;

	while (at < octets) {
		if (octets - at < SEG_HEAD || path2[at] < BGP_AS_SET ||
		    path2[at] > BGP_AS_CONFED_SET || path2[at + 1] == 0 ||
		    SEG_HEAD + 2 * (size_t)path2[at + 1] > octets - at)
			return false;
		at += SEG_HEAD + 2 * (size_t)path2[at + 1];
	}
	return true;
}

bool
bgp_path_from_as2(struct bgp_path_buf *b, const uint8_t *path2, size_t octets)
{
	size_t out = 0;

	for (size_t at = 0; at < octets; at += SEG_HEAD + 2 * (size_t)path2[at + 1]) {
		uint8_t count = path2[at + 1];

		if (SEG_HEAD + 4 * (size_t)count > sizeof(b->data) - out)
			return false;
		b->data[out++] = path2[at];
		b->data[out++] = count;
		for (size_t i = 0; i < count; i++, out += 4)
			put32(b->data + out, get16(path2 + at + SEG_HEAD + 2 * i));
	}
	b->octets = (uint16_t)out;
	return true;
}

size_t
bgp_path_to_as2(uint8_t *out, const uint8_t *path, size_t octets)
{
	uint8_t *p = out;

	for (size_t at = 0; at < octets; at += seg_octets(path + at)) {
		p = put8(p, path[at]);
		p = put8(p, path[at + 1]);
		for (size_t i = 0; i < path[at + 1]; i++) {
			uint32_t asn = get32(path + at + SEG_HEAD + 4 * i);

			p = put16(p, asn > UINT16_MAX ? BGP_AS_TRANS : asn);
		}
	}
	return (size_t)(p - out);
}

bool
bgp_path_needs_as4(const uint8_t *path, size_t octets)
{
	for (size_t at = 0; at < octets; at += seg_octets(path + at)) {
		for (size_t i = 0; i < path[at + 1]; i++) {
			if (get32(path + at + SEG_HEAD + 4 * i) > UINT16_MAX)
				return true;
		}
	}
	return false;
}

/* Cuts b behind its first `keep` ASNs, counted as bgp_path_len() does. */
static void
cut_behind(struct bgp_path_buf *b, size_t keep)
{
	size_t at = 0;

	while (at < b->octets && keep > 0) {
		uint8_t *seg = b->data + at;

		if (seg[0] == BGP_AS_SEQUENCE && seg[1] > keep)
			seg[1] = (uint8_t)keep;
		if (seg[0] == BGP_AS_SEQUENCE)
			keep -= seg[1];
		else if (seg[0] == BGP_AS_SET)
			keep--;
		at += seg_octets(seg);
	}
	b->octets = (uint16_t)at;
}

/* Adds a segment, into the last one of b if both are an AS_SEQUENCE and it fits. */
static bool
add_segment(struct bgp_path_buf *b, const uint8_t *seg)
{
	size_t last = 0, asns = 4 * (size_t)seg[1];
	bool join;

	for (size_t at = 0; at < b->octets; at += seg_octets(b->data + at))
		last = at;
	join = b->octets > 0 && b->data[last] == BGP_AS_SEQUENCE && seg[0] == BGP_AS_SEQUENCE &&
	       b->data[last + 1] + seg[1] <= SEG_COUNT;
	if (asns + (join ? 0 : SEG_HEAD) > sizeof(b->data) - b->octets)
		return false;
	if (join) {
		b->data[last + 1] = (uint8_t)(b->data[last + 1] + seg[1]);
	} else {
		b->data[b->octets++] = seg[0];
		b->data[b->octets++] = seg[1];
	}
	memcpy(b->data + b->octets, seg + SEG_HEAD, asns);
	b->octets = (uint16_t)(b->octets + asns);
	return true;
}

void
bgp_path_merge_as4(struct bgp_path_buf *b, const uint8_t *as4, size_t octets)
{
	size_t have = bgp_path_len(b->data, b->octets), want = bgp_path_len(as4, octets);
	struct bgp_path_buf merged;

	if (want > have || want == 0)
		return;
	bgp_path_load(&merged, b->data, b->octets);
	cut_behind(&merged, have - want);
	for (size_t at = 0; at < octets; at += seg_octets(as4 + at)) {
		if (as4[at] != BGP_AS_SEQUENCE && as4[at] != BGP_AS_SET)
			continue;
		if (!add_segment(&merged, as4 + at))
			return;
	}
	bgp_path_load(b, merged.data, merged.octets);
}

bool
bgp_asn_is_private(uint32_t asn)
{
	return (asn >= 64512 && asn <= 65534) || (asn >= 4200000000u && asn <= 4294967294u);
}

bool
bgp_asn_is_reserved(uint32_t asn)
{
	return asn == 0 || asn == 23456 || asn == UINT32_MAX || (asn >= 64496 && asn <= 64511) ||
	       (asn >= 65535 && asn <= 65551);
}

/* Appends formatted text; a text that does not fit is cut. */
static size_t
add_text(char *buf, size_t size, size_t at, const char *text)
{
	int n;

	if (at >= size)
		return at;
	n = snprintf(buf + at, size - at, "%s", text);
	return n < 0 || (size_t)n >= size - at ? size - 1 : at + (size_t)n;
}

char *
bgp_path_format(char *buf, size_t size, const uint8_t *path, size_t octets, char sep)
{
	static const char *const brackets[][2] = {
		[BGP_AS_SET] = { "{", "}" },
		[BGP_AS_SEQUENCE] = { "", "" },
		[BGP_AS_CONFED_SEQUENCE] = { "(", ")" },
		[BGP_AS_CONFED_SET] = { "[", "]" },
	};
	const char between[2] = { sep, '\0' };
	char number[12];
	size_t end = 0;

	if (size == 0)
		return buf;
	buf[0] = '\0';
	for (size_t at = 0; at < octets; at += seg_octets(path + at)) {
		uint8_t type = path[at];
		bool set = type == BGP_AS_SET || type == BGP_AS_CONFED_SET;

		end = add_text(buf, size, end, at > 0 ? between : "");
		end = add_text(buf, size, end, brackets[type][0]);
		for (size_t i = 0; i < path[at + 1]; i++) {
			snprintf(number, sizeof(number), "%u", get32(path + at + SEG_HEAD + 4 * i));
			end = add_text(buf, size, end, i == 0 ? "" : set ? "," : between);
			end = add_text(buf, size, end, number);
		}
		end = add_text(buf, size, end, brackets[type][1]);
	}
	return buf;
}
