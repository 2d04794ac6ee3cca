/*
 * Encodes UPDATEs as RFC 4271 says, with ASNs of four octets or, for old peers, of two
 * (RFC 6793). The attributes are encoded once and copied in front of as many prefixes as fit into
 * each message. The protobuf wire does the same in wire_bgp.c.
 */
#include "lib/bgp_msg.h"
#include "lib/conn.h"
#include "lib/err.h"
#include "lib/octets.h"
#include "lib/wire_bgp.h"

#include <stdlib.h>
#include <string.h>

#define FLAG_OPTIONAL   0x80
#define FLAG_TRANSITIVE 0x40
#define FLAG_PARTIAL    0x20
#define FLAG_EXTENDED   0x10
#define OPT_TRANSITIVE  (FLAG_OPTIONAL | FLAG_TRANSITIVE)

#define UPDATE_FIXED       (BGP_HEADER_OCTETS + 4) /* header and the two lengths */
#define PREFIX_OCTETS_MAX  5
#define LOCAL_PREF_DEFAULT 100

static uint8_t *
put_head(uint8_t *p, uint8_t flags, uint8_t type, size_t len)
{
	p = put8(p, len > 255 ? flags | FLAG_EXTENDED : flags);
	p = put8(p, type);
	return len > 255 ? put16(p, (unsigned)len) : put8(p, (unsigned)len);
}

static uint8_t *
put_octets(uint8_t *p, const void *data, size_t n)
{
	if (n > 0)
		memcpy(p, data, n);
	return p + n;
}

static uint8_t *
put_u32_attr(uint8_t *p, uint8_t flags, uint8_t type, uint32_t value)
{
	return put32(put_head(p, flags, type, 4), value);
}

static uint8_t *
put_words_attr(uint8_t *p, uint8_t type, bool partial, const uint32_t *words, size_t n)
{
	if (n == 0)
		return p;
	p = put_head(p, partial ? OPT_TRANSITIVE | FLAG_PARTIAL : OPT_TRANSITIVE, type, 4 * n);
	for (size_t i = 0; i < n; i++)
		p = put32(p, words[i]);
	return p;
}

/* Carried attributes up to and with the given type; moves *from behind them. */
static uint8_t *
put_other(uint8_t *p, const struct bgp_attr_spec *s, size_t *from, uint8_t up_to)
{
	while (*from < s->other_octets && s->other[*from + 1] <= up_to) {
		const uint8_t *tlv = s->other + *from;
		size_t n = tlv[0] & FLAG_EXTENDED ? 4u + get16(tlv + 2) : 3u + tlv[2];

		p = put_octets(p, tlv, n);
		*from += n;
	}
	return p;
}

static uint8_t *
put_as_path(uint8_t *p, const struct bgp_attr_spec *s, bool as4)
{
	/* The two-octet form is never longer, so it fits behind a header of either kind. */
	size_t n = s->as_path_octets;
	uint8_t *head = p;

	if (as4)
		return put_octets(put_head(p, FLAG_TRANSITIVE, 2, n), s->as_path, n);
	n = bgp_path_to_as2(p + 4, s->as_path, s->as_path_octets);
	p = put_head(head, FLAG_TRANSITIVE, 2, n);
	memmove(p, head + 4, n);
	return p + n;
}

static uint8_t *
put_aggregator(uint8_t *p, const struct bgp_attr_spec *s, bool as4)
{
	uint8_t flags = OPT_TRANSITIVE;
	uint32_t asn = s->aggregator_as;

	if (asn == 0)
		return p;
	if (s->partial & BGP_PARTIAL_AGGREGATOR)
		flags |= FLAG_PARTIAL;
	p = put_head(p, flags, 7, as4 ? 8 : 6);
	p = as4 ? put32(p, asn) : put16(p, asn > UINT16_MAX ? BGP_AS_TRANS : asn);
	return put32(p, s->aggregator_addr);
}

/* RFC 6793 4.2.2: what does not fit into two octets travels beside. */
static uint8_t *
put_as4_attrs(uint8_t *p, const struct bgp_attr_spec *s)
{
	if (bgp_path_needs_as4(s->as_path, s->as_path_octets)) {
		p = put_head(p, OPT_TRANSITIVE, 17, s->as_path_octets);
		p = put_octets(p, s->as_path, s->as_path_octets);
	}
	if (s->aggregator_as > UINT16_MAX) {
		p = put_head(p, OPT_TRANSITIVE, 18, 8);
		p = put32(put32(p, s->aggregator_as), s->aggregator_addr);
	}
	return p;
}

/* An upper bound of what put_attrs() writes. */
static size_t
attrs_bound(const struct bgp_attr_spec *s)
{
	return 128 + 2 * (size_t)s->as_path_octets + 4 * (size_t)s->n_communities +
	       12 * (size_t)s->n_large + s->other_octets;
}

/* In ascending order of type, as RFC 4271 5 recommends. */
static size_t
put_attrs(uint8_t *buf, const struct bgp_attr_spec *s, bool as4, bool ibgp)
{
	size_t other = 0;
	uint8_t *p = buf;

	p = put8(put_head(p, FLAG_TRANSITIVE, 1, 1), s->origin);
	p = put_as_path(p, s, as4);
	p = put_u32_attr(p, FLAG_TRANSITIVE, 3, s->next_hop);
	if (s->has_med)
		p = put_u32_attr(p, FLAG_OPTIONAL, 4, s->med);
	if (ibgp) /* RFC 4271 5.1.5: always to internal peers, never to external ones */
		p = put_u32_attr(
		    p, FLAG_TRANSITIVE, 5, s->has_local_pref ? s->local_pref : LOCAL_PREF_DEFAULT);
	if (s->atomic_aggregate)
		p = put_head(p, FLAG_TRANSITIVE, 6, 0);
	p = put_aggregator(p, s, as4);
	p = put_words_attr(
	    p, 8, s->partial & BGP_PARTIAL_COMMUNITIES, s->communities, s->n_communities);
	p = put_other(p, s, &other, 16);
	if (!as4)
		p = put_as4_attrs(p, s);
	p = put_other(p, s, &other, 31);
	p = put_words_attr(p, 32, s->partial & BGP_PARTIAL_LARGE, s->large, 3 * (size_t)s->n_large);
	p = put_other(p, s, &other, 255);
	return (size_t)(p - buf);
}

static size_t
prefix_octets(const struct ipnet *net)
{
	return 1 + (net->len + 7u) / 8;
}

static uint8_t *
put_prefixes(uint8_t *p, const struct ipnet *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		p = put8(p, prefixes[i].len);
		for (unsigned bit = 0; bit < prefixes[i].len; bit += 8)
			p = put8(p, prefixes[i].addr >> (24 - bit) & 255);
	}
	return p;
}

/* How many of the prefixes fit into room octets; *octets is what they take. */
static size_t
prefixes_that_fit(const struct ipnet *prefixes, size_t n, size_t room, size_t *octets)
{
	size_t i, sum = 0;

	for (i = 0; i < n && sum + prefix_octets(&prefixes[i]) <= room; i++)
		sum += prefix_octets(&prefixes[i]);
	*octets = sum;
	return i;
}

/* One message: withdrawn routes, or attributes with NLRI. */
static struct fab_buf *
update_message(const uint8_t *attrs, size_t attrs_len, const struct ipnet *prefixes, size_t n,
    size_t prefix_len)
{
	size_t len = UPDATE_FIXED + attrs_len + prefix_len;
	struct fab_buf *b = fab_buf_new(len);
	uint8_t *p;

	if (b == NULL)
		return NULL;
	memset(b->data, 0xff, 16);
	p = put8(put16(b->data + 16, (unsigned)len), BGP_MSG_UPDATE);
	if (attrs == NULL) {
		p = put_prefixes(put16(p, (unsigned)prefix_len), prefixes, n);
		put16(p, 0);
	} else {
		p = put16(put16(p, 0), (unsigned)attrs_len);
		put_prefixes(put_octets(p, attrs, attrs_len), prefixes, n);
	}
	return b;
}

static int
emit_messages(const uint8_t *attrs, size_t attrs_len, size_t message_max,
    const struct ipnet *prefixes, size_t n, bgp_emit_fn *emit, void *arg)
{
	size_t room = message_max - UPDATE_FIXED - attrs_len;

	while (n > 0) {
		size_t octets;
		size_t fit = prefixes_that_fit(prefixes, n, room, &octets);
		struct fab_buf *b = update_message(attrs, attrs_len, prefixes, fit, octets);

		if (b == NULL)
			return FAB_ENOMEM;
		emit(arg, b);
		fab_buf_unref(b);
		prefixes += fit;
		n -= fit;
	}
	return FAB_OK;
}

int
bgp_encode_update(enum bgp_wire wire, bool ibgp, size_t message_max, const struct bgp_attrs *attrs,
    const struct ipnet *prefixes, size_t n, bgp_emit_fn *emit, void *arg)
{
	uint8_t *buf;
	size_t len;
	int rc;

	if (wire == BGP_WIRE_PB)
		return wire_bgp_encode_update(ibgp, message_max, attrs, prefixes, n, emit, arg);
	if (attrs == NULL)
		return emit_messages(NULL, 0, message_max, prefixes, n, emit, arg);
	buf = malloc(attrs_bound(&attrs->s));
	if (buf == NULL)
		return FAB_ENOMEM;
	len = put_attrs(buf, &attrs->s, wire == BGP_WIRE_RFC_AS4, ibgp);
	rc = FAB_ETOOBIG;
	if (len + UPDATE_FIXED + PREFIX_OCTETS_MAX <= message_max)
		rc = emit_messages(buf, len, message_max, prefixes, n, emit, arg);
	free(buf);
	return rc;
}

struct fab_buf *
bgp_encode_end_of_rib(enum bgp_wire wire)
{
	if (wire == BGP_WIRE_PB)
		return wire_bgp_encode_end_of_rib();
	return update_message(NULL, 0, NULL, 0, 0);
}
