/*
 * Decodes UPDATE. One table says for each path attribute which flags it must have, what to do when
 * it is malformed (RFC 7606: the worst class found decides about the whole message) and which
 * function reads it; a new attribute is a new row. The result leads into the message, except for
 * prefixes, communities, two-octet AS paths and attributes that are carried through, which go into
 * the scratch memory.
 */
#include "lib/bgp_msg.h"
#include "lib/err.h"
#include "lib/octets.h"

#include <stdlib.h>
#include <string.h>

#define FLAG_OPTIONAL   0x80
#define FLAG_TRANSITIVE 0x40
#define FLAG_PARTIAL    0x20
#define FLAG_EXTENDED   0x10

#define ATTR_ORIGIN           1
#define ATTR_AS_PATH          2
#define ATTR_NEXT_HOP         3
#define ATTR_MED              4
#define ATTR_LOCAL_PREF       5
#define ATTR_ATOMIC_AGGREGATE 6
#define ATTR_AGGREGATOR       7
#define ATTR_COMMUNITIES      8
#define ATTR_ORIGINATOR_ID    9
#define ATTR_CLUSTER_LIST     10
#define ATTR_MP_REACH         14
#define ATTR_MP_UNREACH       15
#define ATTR_EXT_COMMUNITIES  16
#define ATTR_AS4_PATH         17
#define ATTR_AS4_AGGREGATOR   18
#define ATTR_IPV6_EXT_COMM    25
#define ATTR_LARGE            32

#define OTHER_MAX 32 /* attributes that are carried through; with more, treat as withdraw */

#define AFI_IPV4     1
#define AFI_IPV6     2
#define SAFI_UNICAST 1

/* What an error leads to, in order of severity: RFC 7606 2. */
enum verdict { FINE, DISCARD, WITHDRAW, RESET };

struct attr {
	uint8_t flags;
	uint8_t type;
	uint16_t len;
	const uint8_t *value;
	const uint8_t *tlv; /* where it begins */
};

/* A field of prefixes that is decoded once all attributes are known. */
struct nlri {
	const uint8_t *p;
	size_t len;
};

struct decoder {
	const struct bgp_decode_opts *opts;
	struct bgp_scratch *sc;
	struct bgp_attr_spec spec;
	enum verdict verdict;
	bool out_of_memory;
	uint64_t seen[4]; /* one bit per type */
	struct bgp_notify *err;
	size_t n_prefixes;
	size_t n_words;
	struct nlri mp_reach, mp_unreach; /* IPv4 unicast */
	bool mp_reach_ipv4, mp_unreach_ipv4, mp_reach_other, mp_unreach_other;
	uint32_t mp_next_hop;
	struct attr as4_path, as4_aggregator;
	const uint8_t *other[OTHER_MAX]; /* TLVs to carry through, sorted by type */
	size_t n_other;
	bool has_path_attr; /* any but MP_UNREACH_NLRI */
};

static void
worsen(struct decoder *d, enum verdict v)
{
	if (v > d->verdict)
		d->verdict = v;
}

static int
fail(struct bgp_notify *err, uint8_t subcode, const uint8_t *data, size_t len)
{
	*err = (struct bgp_notify){ BGP_ERR_UPDATE, subcode, (uint16_t)len, data };
	return FAB_EBADMSG;
}

/* ---- one function per attribute: false when it is malformed ---- */

static bool
read_origin(struct decoder *d, const struct attr *a)
{
	if (a->len != 1 || a->value[0] > BGP_ORIGIN_INCOMPLETE)
		return false;
	d->spec.origin = a->value[0];
	return true;
}

static bool
has_confed(const uint8_t *path, size_t octets, size_t asn_octets)
{
	for (size_t at = 0; at < octets; at += 2 + asn_octets * path[at + 1]) {
		if (path[at] == BGP_AS_CONFED_SEQUENCE || path[at] == BGP_AS_CONFED_SET)
			return true;
	}
	return false;
}

/* RFC 5065 5: confederation segments from outside the confederation are malformed; we are never in
 * one. RFC 7607 2: so is AS 0. */
static bool
read_as_path(struct decoder *d, const struct attr *a)
{
	if (d->opts->as4) {
		if (!bgp_path_valid(a->value, a->len) || has_confed(a->value, a->len, 4) ||
		    a->len > BGP_AS_PATH_OCTETS_MAX || bgp_path_has(a->value, a->len, 0))
			return false;
		d->spec.as_path = a->value;
		d->spec.as_path_octets = a->len;
		return true;
	}
	if (!bgp_path2_valid(a->value, a->len) || has_confed(a->value, a->len, 2))
		return false;
	if (d->sc->path == NULL && (d->sc->path = malloc(sizeof(*d->sc->path))) == NULL) {
		d->out_of_memory = true;
		return true;
	}
	if (!bgp_path_from_as2(d->sc->path, a->value, a->len))
		return false;
	d->spec.as_path = d->sc->path->data;
	d->spec.as_path_octets = d->sc->path->octets;
	return !bgp_path_has(d->sc->path->data, d->sc->path->octets, 0);
}

static bool
read_next_hop(struct decoder *d, const struct attr *a)
{
	if (a->len != 4)
		return false;
	d->spec.next_hop = get32(a->value);
	return true;
}

static bool
read_med(struct decoder *d, const struct attr *a)
{
	if (a->len != 4)
		return false;
	d->spec.has_med = true;
	d->spec.med = get32(a->value);
	return true;
}

static bool
read_local_pref(struct decoder *d, const struct attr *a)
{
	if (a->len != 4)
		return false;
	d->spec.has_local_pref = true;
	d->spec.local_pref = get32(a->value);
	return true;
}

static bool
read_atomic_aggregate(struct decoder *d, const struct attr *a)
{
	d->spec.atomic_aggregate = a->len == 0;
	return a->len == 0;
}

static bool
read_aggregator(struct decoder *d, const struct attr *a)
{
	if (a->len != (d->opts->as4 ? 8 : 6))
		return false;
	d->spec.aggregator_as = d->opts->as4 ? get32(a->value) : get16(a->value);
	d->spec.aggregator_addr = get32(a->value + a->len - 4);
	if (d->spec.aggregator_as == 0)
		return false; /* RFC 7607 2 */
	if (a->flags & FLAG_PARTIAL)
		d->spec.partial |= BGP_PARTIAL_AGGREGATOR;
	return true;
}

/* Converts a row of 32-bit words into scratch memory. */
static const uint32_t *
take_words(struct decoder *d, const struct attr *a)
{
	uint32_t *words = d->sc->words + d->n_words;

	for (size_t i = 0; i < a->len / 4u; i++)
		words[i] = get32(a->value + 4 * i);
	d->n_words += a->len / 4u;
	return words;
}

static bool
read_communities(struct decoder *d, const struct attr *a)
{
	if (a->len == 0 || a->len % 4 != 0)
		return false;
	d->spec.communities = take_words(d, a);
	d->spec.n_communities = a->len / 4;
	if (a->flags & FLAG_PARTIAL)
		d->spec.partial |= BGP_PARTIAL_COMMUNITIES;
	return true;
}

static bool
read_large(struct decoder *d, const struct attr *a)
{
	if (a->len == 0 || a->len % 12 != 0)
		return false;
	d->spec.large = take_words(d, a);
	d->spec.n_large = a->len / 12;
	if (a->flags & FLAG_PARTIAL)
		d->spec.partial |= BGP_PARTIAL_LARGE;
	return true;
}

/* ORIGINATOR_ID and CLUSTER_LIST: checked, then dropped; nobody here reflects routes. */
static bool
check_originator_id(struct decoder *d, const struct attr *a)
{
	(void)d;
	return a->len == 4;
}

static bool
check_cluster_list(struct decoder *d, const struct attr *a)
{
	(void)d;
	return a->len > 0 && a->len % 4 == 0;
}

static bool
carry(struct decoder *d, const struct attr *a)
{
	size_t i = d->n_other;

	if (i == OTHER_MAX)
		return false;
	for (; i > 0 && d->other[i - 1][1] > a->type; i--)
		d->other[i] = d->other[i - 1];
	d->other[i] = a->tlv;
	d->n_other++;
	return true;
}

static bool
carry_ext_communities(struct decoder *d, const struct attr *a)
{
	return a->len > 0 && a->len % 8 == 0 && carry(d, a);
}

static bool
carry_ipv6_ext_communities(struct decoder *d, const struct attr *a)
{
	return a->len > 0 && a->len % 20 == 0 && carry(d, a);
}

static bool
read_as4_path(struct decoder *d, const struct attr *a)
{
	if (!bgp_path_valid(a->value, a->len) || bgp_path_has(a->value, a->len, 0))
		return false;
	d->as4_path = *a;
	return true;
}

static bool
read_as4_aggregator(struct decoder *d, const struct attr *a)
{
	if (a->len != 8 || get32(a->value) == 0)
		return false;
	d->as4_aggregator = *a;
	return true;
}

/* Prefixes of the given address family fill the field exactly. */
static bool
prefixes_fit(const uint8_t *p, size_t len, uint8_t len_max)
{
	size_t at = 0;

	while (at < len) {
		if (p[at] > len_max || 1 + (p[at] + 7u) / 8 > len - at)
			return false;
		at += 1 + (p[at] + 7u) / 8;
	}
	return true;
}

/* RFC 4760 3, RFC 7606 7.11: AFI, SAFI, next hop with length, a reserved octet, NLRI. */
static bool
read_mp_reach(struct decoder *d, const struct attr *a)
{
	size_t nh_len, nlri_at;
	uint16_t afi;

	if (a->len < 5)
		return false;
	afi = get16(a->value);
	nh_len = a->value[3];
	nlri_at = 4 + nh_len + 1;
	if (nlri_at > a->len)
		return false;
	if (a->value[2] == SAFI_UNICAST && afi == AFI_IPV4) {
		if (nh_len != 4)
			return false;
		d->mp_reach_ipv4 = true;
		d->mp_next_hop = get32(a->value + 4);
		d->mp_reach = (struct nlri){ a->value + nlri_at, a->len - nlri_at };
		return true;
	}
	d->mp_reach_other = true;
	if (a->value[2] == SAFI_UNICAST && afi == AFI_IPV6)
		return (nh_len == 16 || nh_len == 32) &&
		       prefixes_fit(a->value + nlri_at, a->len - nlri_at, 128);
	return true; /* a family that nobody negotiated: ignored */
}

/* RFC 4760 4, RFC 7606 7.12. */
static bool
read_mp_unreach(struct decoder *d, const struct attr *a)
{
	uint16_t afi;

	if (a->len < 3)
		return false;
	afi = get16(a->value);
	if (a->value[2] == SAFI_UNICAST && afi == AFI_IPV4) {
		d->mp_unreach_ipv4 = true;
		d->mp_unreach = (struct nlri){ a->value + 3, a->len - 3u };
		return true;
	}
	d->mp_unreach_other = true;
	if (a->value[2] == SAFI_UNICAST && afi == AFI_IPV6)
		return prefixes_fit(a->value + 3, a->len - 3u, 128);
	return true;
}

/* ---- the table ---- */

struct attr_desc {
	uint8_t flags;            /* Optional and Transitive as they must be */
	enum verdict wrong_flags; /* RFC 7606 3 c */
	enum verdict malformed;   /* RFC 7606 7 */
	bool ibgp_only;           /* from an external peer: discarded, whatever it holds */
	bool old_peer_only;       /* from a peer with four-octet ASNs: discarded (RFC 6793 3) */
	bool (*read)(struct decoder *d, const struct attr *a);
};

#define WELL_KNOWN     FLAG_TRANSITIVE
#define OPT_TRANSITIVE (FLAG_OPTIONAL | FLAG_TRANSITIVE)

static const struct attr_desc attrs[256] = {
	/* RFC 7606 7.1 */
	[ATTR_ORIGIN] = { WELL_KNOWN, WITHDRAW, WITHDRAW, .read = read_origin },
	/* 7.2 */
	[ATTR_AS_PATH] = { WELL_KNOWN, WITHDRAW, WITHDRAW, .read = read_as_path },
	/* 7.3 */
	[ATTR_NEXT_HOP] = { WELL_KNOWN, WITHDRAW, WITHDRAW, .read = read_next_hop },
	/* 7.4 */
	[ATTR_MED] = { FLAG_OPTIONAL, WITHDRAW, WITHDRAW, .read = read_med },
	/* 7.5 */
	[ATTR_LOCAL_PREF] = { WELL_KNOWN, WITHDRAW, WITHDRAW, .ibgp_only = true,
	    .read = read_local_pref },
	/* 7.6 */
	[ATTR_ATOMIC_AGGREGATE] = { WELL_KNOWN, WITHDRAW, DISCARD, .read = read_atomic_aggregate },
	/* 7.7 */
	[ATTR_AGGREGATOR] = { OPT_TRANSITIVE, WITHDRAW, DISCARD, .read = read_aggregator },
	/* 7.8 */
	[ATTR_COMMUNITIES] = { OPT_TRANSITIVE, WITHDRAW, WITHDRAW, .read = read_communities },
	/* 7.9 */
	[ATTR_ORIGINATOR_ID] = { FLAG_OPTIONAL, WITHDRAW, WITHDRAW, .ibgp_only = true,
	    .read = check_originator_id },
	/* 7.10 */
	[ATTR_CLUSTER_LIST] = { FLAG_OPTIONAL, WITHDRAW, WITHDRAW, .ibgp_only = true,
	    .read = check_cluster_list },
	/* 7.11, 7.12: what it was about is unknown, so the session has to go */
	[ATTR_MP_REACH] = { FLAG_OPTIONAL, WITHDRAW, RESET, .read = read_mp_reach },
	[ATTR_MP_UNREACH] = { FLAG_OPTIONAL, WITHDRAW, RESET, .read = read_mp_unreach },
	/* 7.14 */
	[ATTR_EXT_COMMUNITIES] = { OPT_TRANSITIVE, WITHDRAW, WITHDRAW,
	    .read = carry_ext_communities },
	/* RFC 6793 6 */
	[ATTR_AS4_PATH] = { OPT_TRANSITIVE, DISCARD, DISCARD, .old_peer_only = true,
	    .read = read_as4_path },
	[ATTR_AS4_AGGREGATOR] = { OPT_TRANSITIVE, DISCARD, DISCARD, .old_peer_only = true,
	    .read = read_as4_aggregator },
	/* RFC 7606 7.15 */
	[ATTR_IPV6_EXT_COMM] = { OPT_TRANSITIVE, WITHDRAW, WITHDRAW,
	    .read = carry_ipv6_ext_communities },
	/* RFC 8092 6 */
	[ATTR_LARGE] = { OPT_TRANSITIVE, WITHDRAW, WITHDRAW, .read = read_large },
};

/* An attribute without a row. RFC 4271 5: transitive ones are passed on, others quietly ignored;
 * 6.3: without Optional it claims to be well-known, and nobody can go on without knowing it. */
static int
read_unknown(struct decoder *d, const struct attr *a, size_t octets)
{
	if (!(a->flags & FLAG_OPTIONAL))
		return fail(d->err, BGP_UPDATE_UNKNOWN_WELL_KNOWN, a->tlv, octets);
	if (a->flags & FLAG_TRANSITIVE && !carry(d, a))
		worsen(d, WITHDRAW);
	return FAB_OK;
}

static bool
has(const struct decoder *d, uint8_t type)
{
	return d->seen[type / 64] >> type % 64 & 1;
}

static int
read_attr(struct decoder *d, const struct attr *a, size_t octets)
{
	const struct attr_desc *desc = &attrs[a->type];
	bool mp = a->type == ATTR_MP_REACH || a->type == ATTR_MP_UNREACH;

	/* RFC 7606 3 g: the first one counts, but twice MP_* is beyond repair. */
	if (has(d, a->type))
		return mp ? fail(d->err, BGP_UPDATE_BAD_LIST, NULL, 0) : FAB_OK;
	d->seen[a->type / 64] |= UINT64_C(1) << a->type % 64;
	d->has_path_attr |= a->type != ATTR_MP_UNREACH;
	if (desc->read == NULL)
		return read_unknown(d, a, octets);
	if ((desc->ibgp_only && !d->opts->ibgp) || (desc->old_peer_only && d->opts->as4))
		return FAB_OK;
	if ((a->flags & (FLAG_OPTIONAL | FLAG_TRANSITIVE)) != desc->flags) {
		/* With the wrong flags an MP_* attribute still says what to withdraw. */
		worsen(d, desc->wrong_flags);
		if (!mp)
			return FAB_OK;
	}
	if (desc->read(d, a))
		return FAB_OK;
	if (desc->malformed == RESET)
		return fail(d->err, BGP_UPDATE_BAD_OPTIONAL, a->tlv, octets);
	worsen(d, desc->malformed);
	return FAB_OK;
}

/* RFC 7606 4: an attribute that overruns the total length ends the list, which is then not usable;
 * the NLRI behind it are still where the total length says. */
static int
read_attrs(struct decoder *d, const uint8_t *p, size_t len)
{
	while (len > 0) {
		size_t head = p[0] & FLAG_EXTENDED ? 4 : 3;
		struct attr a;
		int rc;

		if (len < head) {
			worsen(d, WITHDRAW);
			d->has_path_attr = true;
			break;
		}
		a = (struct attr){ .flags = p[0],
			.type = p[1],
			.value = p + head,
			.tlv = p,
			.len = head == 4 ? get16(p + 2) : p[2] };
		if (a.len > len - head) {
			worsen(d, WITHDRAW);
			d->has_path_attr = true;
			break;
		}
		rc = read_attr(d, &a, head + a.len);
		if (rc != FAB_OK)
			return rc;
		p += head + a.len;
		len -= head + a.len;
	}
	return FAB_OK;
}

/* ---- after the list ---- */

/* RFC 6793 4.2.3: what an old peer could not say itself. */
static void
merge_as4(struct decoder *d)
{
	const struct attr *agg = &d->as4_aggregator;

	if (d->spec.aggregator_as != 0 && agg->value != NULL) {
		if (d->spec.aggregator_as != BGP_AS_TRANS)
			return; /* set by an old speaker after the AS4_* attributes: they are stale
				 */
		d->spec.aggregator_as = get32(agg->value);
		d->spec.aggregator_addr = get32(agg->value + 4);
	}
	if (d->as4_path.value != NULL && d->spec.as_path != NULL && d->sc->path != NULL) {
		bgp_path_merge_as4(d->sc->path, d->as4_path.value, d->as4_path.len);
		d->spec.as_path_octets = d->sc->path->octets;
	}
}

/* Writes the carried attributes in order of type into scratch memory, each with the shortest
 * possible header and Partial set where we do not know what it means (RFC 4271 5). */
static bool
gather_other(struct decoder *d)
{
	uint8_t *p = d->sc->other;

	for (size_t i = 0; i < d->n_other; i++) {
		const uint8_t *tlv = d->other[i];
		bool extended = tlv[0] & FLAG_EXTENDED;
		size_t len = extended ? get16(tlv + 2) : tlv[2];
		size_t head = len > 255 ? 4 : 3;

		if (head + len > (size_t)(d->sc->other + sizeof(d->sc->other) - p))
			return false;
		*p = OPT_TRANSITIVE | (tlv[0] & FLAG_PARTIAL);
		if (attrs[tlv[1]].read == NULL)
			*p |= FLAG_PARTIAL;
		if (len > 255)
			*p |= FLAG_EXTENDED;
		p[1] = tlv[1];
		if (len > 255)
			put16(p + 2, (unsigned)len);
		else
			p[2] = (uint8_t)len;
		memcpy(p + head, tlv + (extended ? 4 : 3), len);
		p += head + len;
	}
	d->spec.other = d->sc->other;
	d->spec.other_octets = (uint16_t)(p - d->sc->other);
	return true;
}

/* RFC 4271 4.3: octets of the prefix as its length needs, the host bits irrelevant. */
static int
read_prefixes(struct decoder *d, struct nlri field)
{
	const uint8_t *p = field.p;
	size_t left = field.len;

	while (left > 0) {
		uint8_t len = *p++;
		size_t octets = (len + 7u) / 8;
		uint32_t addr = 0;

		left--;
		if (len > 32 || octets > left)
			return fail(d->err, BGP_UPDATE_BAD_NETWORK, NULL, 0); /* RFC 7606 5.3 */
		for (size_t i = 0; i < octets; i++)
			addr |= (uint32_t)p[i] << (24 - 8 * i);
		p += octets;
		left -= octets;
		d->sc->prefixes[d->n_prefixes++] =
		    (struct ipnet){ .addr = addr & ipnet_mask(len), .len = len };
	}
	return FAB_OK;
}

/* RFC 4271 6.3 and RFC 7606 3 d. LOCAL_PREF is mandatory between internal peers. */
static bool
mandatory_present(const struct decoder *d, bool next_hop)
{
	return has(d, ATTR_ORIGIN) && has(d, ATTR_AS_PATH) &&
	       (!next_hop || has(d, ATTR_NEXT_HOP)) && (!d->opts->ibgp || has(d, ATTR_LOCAL_PREF));
}

bool
bgp_next_hop_usable(uint32_t next_hop, uint32_t local_addr)
{
	return next_hop != 0 && next_hop < 0xe0000000u &&
	       (local_addr == 0 || next_hop != local_addr);
}

/* One set of NLRI with its next hop. */
static void
add_update(
    struct bgp_updates *out, const struct decoder *d, const struct ipnet *nlri, size_t n, bool mp)
{
	struct bgp_update *u = &out->u[out->n++];

	*u = (struct bgp_update){ .nlri = nlri, .n_nlri = n, .attrs = d->spec };
	if (mp)
		u->attrs.next_hop = d->mp_next_hop;
	u->treat_as_withdraw =
	    n > 0 && (d->verdict == WITHDRAW || !mandatory_present(d, !mp) ||
			 !bgp_next_hop_usable(u->attrs.next_hop, d->opts->local_addr));
}

static int
collect(struct bgp_updates *out, struct decoder *d, struct nlri withdrawn, struct nlri nlri)
{
	const struct ipnet *at = d->sc->prefixes;
	size_t n_withdrawn, n_body, n_mp;
	bool empty = withdrawn.len == 0 && nlri.len == 0;
	int rc = read_prefixes(d, withdrawn);

	if (rc == FAB_OK)
		rc = read_prefixes(d, d->mp_unreach);
	n_withdrawn = d->n_prefixes;
	if (rc == FAB_OK)
		rc = read_prefixes(d, nlri);
	n_body = d->n_prefixes - n_withdrawn;
	if (rc == FAB_OK)
		rc = read_prefixes(d, d->mp_reach);
	if (rc != FAB_OK)
		return rc;
	n_mp = d->n_prefixes - n_withdrawn - n_body;
	out->n = 0;
	if (n_body > 0 || (n_withdrawn > 0 && n_mp == 0))
		add_update(out, d, at + n_withdrawn, n_body, false);
	if (n_mp > 0)
		add_update(out, d, at + n_withdrawn + n_body, n_mp, true);
	/* RFC 4724 2: an empty UPDATE, or an MP_UNREACH_NLRI without prefixes and nothing else. */
	if (empty && !d->has_path_attr && n_withdrawn == 0 && !d->mp_unreach_other) {
		out->u[out->n++] = (struct bgp_update){ .end_of_rib = true };
		return FAB_OK;
	}
	if (out->n > 0) {
		out->u[0].withdrawn = at;
		out->u[0].n_withdrawn = n_withdrawn;
	}
	return FAB_OK;
}

int
bgp_update_decode(struct bgp_updates *out, struct bgp_scratch *sc,
    const struct bgp_decode_opts *opts, const uint8_t *body, size_t len, struct bgp_notify *err)
{
	struct decoder d = { .opts = opts, .sc = sc, .err = err };
	struct nlri withdrawn, nlri;
	size_t attrs_len;
	int rc;

	/* RFC 7606 3 b: without lengths that fit, nothing can be found in it. */
	if (len < 4 || get16(body) > len - 4)
		return fail(err, BGP_UPDATE_BAD_LIST, NULL, 0);
	withdrawn = (struct nlri){ body + 2, get16(body) };
	body += 2 + withdrawn.len;
	len -= 2 + withdrawn.len;
	attrs_len = get16(body);
	if (attrs_len > len - 2)
		return fail(err, BGP_UPDATE_BAD_LIST, NULL, 0);
	nlri = (struct nlri){ body + 2 + attrs_len, len - 2 - attrs_len };
	if (bgp_scratch_reserve(sc, withdrawn.len + len, attrs_len / 4) != FAB_OK)
		return FAB_ENOMEM;
	rc = read_attrs(&d, body + 2, attrs_len);
	if (rc != FAB_OK)
		return rc;
	if (d.out_of_memory)
		return FAB_ENOMEM;
	if (!opts->as4)
		merge_as4(&d);
	if (d.n_other > 0 && !gather_other(&d))
		worsen(&d, WITHDRAW);
	/* RFC 7606 5.2: with no NLRI to withdraw, they may have been lost in the broken part. */
	if (d.verdict == WITHDRAW && d.has_path_attr && nlri.len == 0 && !d.mp_reach_ipv4 &&
	    !d.mp_reach_other)
		return fail(err, BGP_UPDATE_BAD_LIST, NULL, 0);
	return collect(out, &d, withdrawn, nlri);
}

bool
bgp_other_valid(const uint8_t *other, size_t octets)
{
	int last = -1;
	size_t at = 0;

	while (at < octets) {
		size_t head = other[at] & FLAG_EXTENDED ? 4 : 3, len;

		if (octets - at < head)
			return false;
		len = head == 4 ? get16(other + at + 2) : other[at + 2];
		if (len > octets - at - head || (int)other[at + 1] <= last ||
		    (other[at] & OPT_TRANSITIVE) != OPT_TRANSITIVE)
			return false;
		last = other[at + 1];
		if (attrs[last].read != NULL && last != ATTR_EXT_COMMUNITIES &&
		    last != ATTR_IPV6_EXT_COMM)
			return false;
		at += head + len;
	}
	return octets <= BGP_OTHER_OCTETS_MAX;
}
