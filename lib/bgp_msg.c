/*
 * Codec of RFC 4271 messages but UPDATE: the header, OPEN with its capabilities (RFC 5492),
 * NOTIFICATION with its texts, KEEPALIVE and ROUTE-REFRESH; and the decoder's scratch memory.
 * Called by the TCP transport (framing) and the session (bgp_msg_decode); the capability and
 * notification parts also by wire_bgp.c.
 */
#include "lib/bgp_msg.h"

#include "lib/conn.h"
#include "lib/err.h"
#include "lib/octets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MULTIPROTOCOL    1
#define CAP_REFRESH          2
#define CAP_EXTENDED_MESSAGE 6
#define CAP_AS4              65
#define CAP_ENHANCED_REFRESH 70

#define OPEN_PARAM_CAPS     2
#define OPEN_PARAM_EXTENDED 255 /* RFC 9072 */
#define OPEN_FIXED_OCTETS   10

#define AFI_IPV4     1
#define AFI_IPV6     2
#define SAFI_UNICAST 1

/* ---- scratch ---- */

void
bgp_scratch_fini(struct bgp_scratch *sc)
{
	free(sc->prefixes);
	free(sc->words);
	free(sc->path);
	free(sc->arena);
	*sc = (struct bgp_scratch){ .prefixes = NULL };
}

int
bgp_scratch_reserve(struct bgp_scratch *sc, size_t prefixes, size_t words)
{
	void *p;

	if (prefixes == 0)
		prefixes = 1; /* never NULL, so that decoders may point behind the last one */
	if (prefixes > sc->prefixes_len) {
		p = realloc(sc->prefixes, prefixes * sizeof(*sc->prefixes));
		if (p == NULL)
			return FAB_ENOMEM;
		sc->prefixes = p;
		sc->prefixes_len = prefixes;
	}
	if (words > sc->words_len) {
		p = realloc(sc->words, words * sizeof(*sc->words));
		if (p == NULL)
			return FAB_ENOMEM;
		sc->words = p;
		sc->words_len = words;
	}
	return FAB_OK;
}

/* ---- header ---- */

static const uint8_t marker[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

size_t
bgp_msg_frame(const uint8_t *p, size_t n, size_t message_max)
{
	uint16_t len;

	if (n < BGP_HEADER_OCTETS)
		return 0;
	len = get16(p + 16);
	if (memcmp(p, marker, sizeof(marker)) != 0 || len < BGP_HEADER_OCTETS || len > message_max)
		return BGP_HEADER_OCTETS;
	return n < len ? 0 : len;
}

static int
fail(struct bgp_notify *err, uint8_t code, uint8_t subcode, const uint8_t *data, size_t len)
{
	*err = (struct bgp_notify){ code, subcode, (uint16_t)len, data };
	return FAB_EBADMSG;
}

/* RFC 4271 6.1. Lengths by message type; RFC 8654 4: OPEN and KEEPALIVE never exceed 4,096. */
static int
check_header(const uint8_t *p, size_t n, bool extended, struct bgp_notify *err)
{
	static const struct {
		uint16_t min, max;
	} lengths[] = {
		[BGP_MSG_OPEN] = { BGP_HEADER_OCTETS + OPEN_FIXED_OCTETS, BGP_MESSAGE_MAX },
		[BGP_MSG_UPDATE] = { BGP_HEADER_OCTETS + 4, BGP_MESSAGE_EXTENDED },
		[BGP_MSG_NOTIFICATION] = { BGP_HEADER_OCTETS + 2, BGP_MESSAGE_EXTENDED },
		[BGP_MSG_KEEPALIVE] = { BGP_HEADER_OCTETS, BGP_HEADER_OCTETS },
		[BGP_MSG_REFRESH] = { BGP_HEADER_OCTETS + 4, BGP_HEADER_OCTETS + 4 },
	};
	uint16_t len;
	uint8_t type;

	if (n < BGP_HEADER_OCTETS || memcmp(p, marker, sizeof(marker)) != 0)
		return fail(err, BGP_ERR_HEADER, BGP_HEADER_NOT_SYNCHRONISED, NULL, 0);
	len = get16(p + 16);
	type = p[18];
	if (len < BGP_HEADER_OCTETS || (len > BGP_MESSAGE_MAX && !extended))
		return fail(err, BGP_ERR_HEADER, BGP_HEADER_BAD_LENGTH, p + 16, 2);
	if (type < BGP_MSG_OPEN || type > BGP_MSG_REFRESH)
		return fail(err, BGP_ERR_HEADER, BGP_HEADER_BAD_TYPE, p + 18, 1);
	if (len < lengths[type].min || len > lengths[type].max || len != n)
		return fail(err, BGP_ERR_HEADER, BGP_HEADER_BAD_LENGTH, p + 16, 2);
	return FAB_OK;
}

/* A message with `body` octets behind its header; *at points to them. */
static struct fab_buf *
message_new(uint8_t type, size_t body, uint8_t **at)
{
	struct fab_buf *b = fab_buf_new(BGP_HEADER_OCTETS + body);

	if (b == NULL)
		return NULL;
	memcpy(b->data, marker, sizeof(marker));
	put16(b->data + 16, (unsigned)(BGP_HEADER_OCTETS + body));
	b->data[18] = type;
	*at = b->data + BGP_HEADER_OCTETS;
	return b;
}

/* ---- OPEN ---- */

static uint8_t *
put_multiprotocol(uint8_t *p, uint16_t afi)
{
	p = put8(p, CAP_MULTIPROTOCOL);
	p = put8(p, 4);
	p = put16(p, afi);
	p = put8(p, 0);
	return put8(p, SAFI_UNICAST);
}

size_t
bgp_caps_encode(uint8_t buf[static BGP_CAPS_OCTETS_MAX], const struct bgp_open *open)
{
	const struct {
		bool offered;
		uint8_t code;
	} flags[] = {
		{ open->refresh, CAP_REFRESH },
		{ open->extended_message, CAP_EXTENDED_MESSAGE },
		{ open->enhanced_refresh, CAP_ENHANCED_REFRESH },
	};
	uint8_t *p = buf;

	if (open->ipv4)
		p = put_multiprotocol(p, AFI_IPV4);
	if (open->ipv6)
		p = put_multiprotocol(p, AFI_IPV6);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (flags[i].offered) {
			p = put8(p, flags[i].code);
			p = put8(p, 0);
		}
	}
	if (open->as4) {
		p = put8(p, CAP_AS4);
		p = put8(p, 4);
		p = put32(p, open->asn);
	}
	return (size_t)(p - buf);
}

/* One capability. False: its length is wrong. Unknown ones are ignored (RFC 5492 3). */
static bool
decode_capability(struct bgp_open *open, bool *multiprotocol, const uint8_t *cap)
{
	const uint8_t *value = cap + 2;
	uint8_t len = cap[1];

	switch (cap[0]) {
	case CAP_MULTIPROTOCOL:
		if (len != 4)
			return false;
		*multiprotocol = true;
		if (value[3] == SAFI_UNICAST) {
			open->ipv4 |= get16(value) == AFI_IPV4;
			open->ipv6 |= get16(value) == AFI_IPV6;
		}
		return true;
	case CAP_AS4:
		if (len != 4)
			return false;
		open->as4 = true;
		open->asn = get32(value);
		return true;
	case CAP_REFRESH:
		open->refresh = true;
		return len == 0;
	case CAP_EXTENDED_MESSAGE:
		open->extended_message = true;
		return len == 0;
	case CAP_ENHANCED_REFRESH:
		open->enhanced_refresh = true;
		return len == 0;
	default:
		return true;
	}
}

/* A row of capabilities; *multiprotocol is set when one of them is. */
static bool
decode_capabilities(struct bgp_open *open, bool *multiprotocol, const uint8_t *caps, size_t len)
{
	size_t at = 0;

	while (at < len) {
		if (len - at < 2 || caps[at + 1] > len - at - 2)
			return false;
		if (!decode_capability(open, multiprotocol, caps + at))
			return false;
		at += 2 + (size_t)caps[at + 1];
	}
	return true;
}

bool
bgp_caps_decode(struct bgp_open *open, const uint8_t *caps, size_t len)
{
	bool multiprotocol = false;

	if (!decode_capabilities(open, &multiprotocol, caps, len))
		return false;
	/* RFC 4760 8: without the capability, IPv4 unicast is what BGP-4 carries. */
	open->ipv4 |= !multiprotocol;
	return true;
}

/* The optional parameters: type, length, value; lengths of two octets with RFC 9072. */
static int
decode_parameters(struct bgp_open *open, const uint8_t *p, size_t len, struct bgp_notify *err)
{
	bool extended = len >= 4 && p[0] == 255 && p[1] == OPEN_PARAM_EXTENDED;
	size_t total = extended ? get16(p + 2) : p[0];
	size_t head = extended ? 3 : 2, at = extended ? 4 : 1;
	bool multiprotocol = false;

	if (total != len - at)
		return fail(err, BGP_ERR_OPEN, 0, NULL, 0);
	while (at < len) {
		size_t plen;

		if (len - at < head)
			return fail(err, BGP_ERR_OPEN, 0, NULL, 0);
		plen = extended ? get16(p + at + 1) : p[at + 1];
		if (plen > len - at - head)
			return fail(err, BGP_ERR_OPEN, 0, NULL, 0);
		if (p[at] != OPEN_PARAM_CAPS)
			return fail(err, BGP_ERR_OPEN, BGP_OPEN_BAD_PARAMETER, p + at, head + plen);
		if (!decode_capabilities(open, &multiprotocol, p + at + head, plen))
			return fail(err, BGP_ERR_OPEN, 0, NULL, 0);
		at += head + plen;
	}
	open->ipv4 |= !multiprotocol;
	return FAB_OK;
}

static int
decode_open(struct bgp_open *open, const uint8_t *p, size_t len, struct bgp_notify *err)
{
	*open = (struct bgp_open){ .version = p[0],
		.asn = get16(p + 1),
		.hold_sec = get16(p + 3),
		.router_id = get32(p + 5) };
	if (open->version != 4)
		return FAB_OK; /* the rest may look different; bgp_open_acceptable() refuses it */
	return decode_parameters(open, p + 9, len - 9, err);
}

struct fab_buf *
bgp_msg_encode_open(const struct bgp_open *open)
{
	uint8_t caps[BGP_CAPS_OCTETS_MAX], *p;
	size_t n = bgp_caps_encode(caps, open);
	struct fab_buf *b = message_new(BGP_MSG_OPEN, OPEN_FIXED_OCTETS + 2 + n, &p);

	if (b == NULL)
		return NULL;
	p = put8(p, open->version);
	p = put16(p, open->asn > UINT16_MAX ? BGP_AS_TRANS : open->asn);
	p = put16(p, open->hold_sec);
	p = put32(p, open->router_id);
	p = put8(p, (unsigned)(2 + n));
	p = put8(p, OPEN_PARAM_CAPS);
	p = put8(p, (unsigned)n);
	memcpy(p, caps, n);
	return b;
}

bool
bgp_open_acceptable(const struct bgp_open *open, uint32_t local_as, uint32_t peer_as,
    uint32_t local_id, struct bgp_notify *err)
{
	static const uint8_t our_version[2] = { 0, 4 };
	static const uint8_t cap_ipv4[] = { CAP_MULTIPROTOCOL, 4, 0, AFI_IPV4, 0, SAFI_UNICAST };

	if (open->version != 4)
		fail(err, BGP_ERR_OPEN, BGP_OPEN_BAD_VERSION, our_version, sizeof(our_version));
	else if (open->asn != peer_as)
		fail(err, BGP_ERR_OPEN, BGP_OPEN_BAD_PEER_AS, NULL, 0);
	else if (open->router_id == 0 ||
		 (open->router_id == local_id && open->asn == local_as)) /* RFC 6286 2.2 */
		fail(err, BGP_ERR_OPEN, BGP_OPEN_BAD_ID, NULL, 0);
	else if (open->hold_sec == 1 || open->hold_sec == 2)
		fail(err, BGP_ERR_OPEN, BGP_OPEN_BAD_HOLD_TIME, NULL, 0);
	else if (!open->ipv4) /* RFC 5492 3 */
		fail(err, BGP_ERR_OPEN, BGP_OPEN_BAD_CAPABILITY, cap_ipv4, sizeof(cap_ipv4));
	else
		return true;
	return false;
}

/* ---- the other messages ---- */

static const uint8_t *
borrow(const uint8_t *p, size_t len)
{
	return len > 0 ? p : NULL;
}

int
bgp_msg_decode(struct bgp_msg *out, struct bgp_scratch *sc, const struct bgp_decode_opts *opts,
    const uint8_t *p, size_t n, struct bgp_notify *err)
{
	int rc = check_header(p, n, opts->extended, err);
	size_t len;

	if (rc != FAB_OK)
		return rc;
	out->type = (enum bgp_msg_type)p[18];
	p += BGP_HEADER_OCTETS;
	len = n - BGP_HEADER_OCTETS;
	switch (out->type) {
	case BGP_MSG_OPEN:
		return decode_open(&out->open, p, len, err);
	case BGP_MSG_UPDATE:
		return bgp_update_decode(&out->updates, sc, opts, p, len, err);
	case BGP_MSG_NOTIFICATION:
		out->notify =
		    (struct bgp_notify){ p[0], p[1], (uint16_t)(len - 2), borrow(p + 2, len - 2) };
		return FAB_OK;
	case BGP_MSG_REFRESH:
		out->refresh = (struct bgp_refresh){ get16(p), p[3], p[2] };
		return FAB_OK;
	default:
		return FAB_OK;
	}
}

struct fab_buf *
bgp_msg_encode_notify(const struct bgp_notify *n)
{
	size_t len = n->len;
	struct fab_buf *b;
	uint8_t *p;

	if (len > BGP_MESSAGE_MAX - BGP_HEADER_OCTETS - 2)
		len = BGP_MESSAGE_MAX - BGP_HEADER_OCTETS - 2;
	b = message_new(BGP_MSG_NOTIFICATION, 2 + len, &p);
	if (b == NULL)
		return NULL;
	p = put8(p, n->code);
	p = put8(p, n->subcode);
	if (len > 0)
		memcpy(p, n->data, len);
	return b;
}

struct fab_buf *
bgp_msg_encode_keepalive(void)
{
	uint8_t *p;

	return message_new(BGP_MSG_KEEPALIVE, 0, &p);
}

struct fab_buf *
bgp_msg_encode_refresh(const struct bgp_refresh *r)
{
	uint8_t *p;
	struct fab_buf *b = message_new(BGP_MSG_REFRESH, 4, &p);

	if (b == NULL)
		return NULL;
	p = put16(p, r->afi);
	p = put8(p, r->subtype);
	put8(p, r->safi);
	return b;
}

/* ---- texts ---- */

#define SUBCODES_MAX 12

static const char *const subcode_names[][SUBCODES_MAX] = {
	[BGP_ERR_HEADER] = { [1] = "Connection Not Synchronized",
	    [2] = "Bad Message Length",
	    [3] = "Bad Message Type" },
	[BGP_ERR_OPEN] = { [1] = "Unsupported Version Number",
	    [2] = "Bad Peer AS",
	    [3] = "Bad BGP Identifier",
	    [4] = "Unsupported Optional Parameter",
	    [6] = "Unacceptable Hold Time",
	    [7] = "Unsupported Capability" },
	[BGP_ERR_UPDATE] = { [1] = "Malformed Attribute List",
	    [2] = "Unrecognized Well-known Attribute",
	    [3] = "Missing Well-known Attribute",
	    [4] = "Attribute Flags Error",
	    [5] = "Attribute Length Error",
	    [6] = "Invalid ORIGIN Attribute",
	    [8] = "Invalid NEXT_HOP Attribute",
	    [9] = "Optional Attribute Error",
	    [10] = "Invalid Network Field",
	    [11] = "Malformed AS_PATH" },
	[BGP_ERR_FSM] = { [1] = "Unexpected Message in OpenSent State",
	    [2] = "Unexpected Message in OpenConfirm State",
	    [3] = "Unexpected Message in Established State" },
	[BGP_ERR_CEASE] = { [1] = "Maximum Number of Prefixes Reached",
	    [2] = "Administrative Shutdown",
	    [3] = "Peer De-configured",
	    [4] = "Administrative Reset",
	    [5] = "Connection Rejected",
	    [6] = "Other Configuration Change",
	    [7] = "Connection Collision Resolution",
	    [8] = "Out of Resources" },
	[BGP_ERR_ROUTE_REFRESH] = { [1] = "Invalid Message Length" },
};

static const char *const code_names[] = {
	[BGP_ERR_HEADER] = "Message Header Error",
	[BGP_ERR_OPEN] = "OPEN Message Error",
	[BGP_ERR_UPDATE] = "UPDATE Message Error",
	[BGP_ERR_HOLD_TIMER] = "Hold Timer Expired",
	[BGP_ERR_FSM] = "Finite State Machine Error",
	[BGP_ERR_CEASE] = "Cease",
	[BGP_ERR_ROUTE_REFRESH] = "ROUTE-REFRESH Message Error",
};

_Static_assert(
    sizeof(subcode_names) / sizeof(subcode_names[0]) == sizeof(code_names) / sizeof(code_names[0]),
    "each code has its row of subcodes");

/* The text of RFC 9003 2, or nothing if there is none or it is malformed. */
static size_t
shutdown_text(char out[static BGP_SHUTDOWN_TEXT_MAX + 1], const struct bgp_notify *n)
{
	size_t len;

	if (n->code != BGP_ERR_CEASE || n->len < 2 || n->data[0] > n->len - 1 ||
	    (n->subcode != BGP_CEASE_ADMIN_SHUTDOWN && n->subcode != BGP_CEASE_ADMIN_RESET))
		return 0;
	len = n->data[0];
	for (size_t i = 0; i < len; i++) {
		uint8_t c = n->data[1 + i];

		/* Control characters would forge log lines. */
		out[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	out[len] = '\0';
	return len;
}

char *
bgp_notify_format(char *buf, size_t size, const struct bgp_notify *n)
{
	char text[BGP_SHUTDOWN_TEXT_MAX + 1];
	const char *sub = NULL;
	int at;

	if (n->code >= sizeof(code_names) / sizeof(code_names[0]) || code_names[n->code] == NULL) {
		snprintf(buf, size, "error %u/%u", n->code, n->subcode);
		return buf;
	}
	if (n->subcode < SUBCODES_MAX)
		sub = subcode_names[n->code][n->subcode];
	if (n->subcode == 0)
		at = snprintf(buf, size, "%s", code_names[n->code]);
	else if (sub != NULL)
		at = snprintf(buf, size, "%s/%s", code_names[n->code], sub);
	else
		at = snprintf(buf, size, "%s/%u", code_names[n->code], n->subcode);
	if (at > 0 && (size_t)at < size && shutdown_text(text, n) > 0)
		snprintf(buf + at, size - (size_t)at, " (\"%s\")", text);
	return buf;
}

size_t
bgp_shutdown_encode(uint8_t out[static 1 + BGP_SHUTDOWN_TEXT_MAX], const char *text)
{
	size_t len = strlen(text);

	if (len > BGP_SHUTDOWN_TEXT_MAX) {
		/* Not in the middle of a UTF-8 character. */
		for (len = BGP_SHUTDOWN_TEXT_MAX; len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80;)
			len--;
	}
	out[0] = (uint8_t)len;
	memcpy(out + 1, text, len);
	return 1 + len;
}
