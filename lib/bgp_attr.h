#ifndef LIB_BGP_ATTR_H
#define LIB_BGP_ATTR_H
/*
 * Path attributes. struct bgp_attr_spec is a plain description with borrowed pointers: what a
 * decoder fills and a policy edits. struct bgp_attrs is the interned, immutable, counted form:
 * equal specs give the same pointer, so a route is a prefix and a pointer, and policy results can
 * be cached per attribute set. Storage: one table per process (struct bgp_attr_table).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BGP_AS_PATH_OCTETS_MAX 4096 /* a longer path is treat-as-withdraw */
#define BGP_OTHER_OCTETS_MAX   8192

#define BGP_ORIGIN_IGP        0
#define BGP_ORIGIN_EGP        1
#define BGP_ORIGIN_INCOMPLETE 2

#define BGP_COMMUNITY_NO_EXPORT    0xffffff01u /* RFC 1997 */
#define BGP_COMMUNITY_NO_ADVERTISE 0xffffff02u
#define BGP_COMMUNITY(hi, lo)      ((uint32_t)(hi) << 16 | (uint32_t)(lo))

/* AS_PATH segment types, RFC 4271 4.3 and RFC 5065. */
#define BGP_AS_SET             1
#define BGP_AS_SEQUENCE        2
#define BGP_AS_CONFED_SEQUENCE 3
#define BGP_AS_CONFED_SET      4

/* struct bgp_attr_spec.partial */
#define BGP_PARTIAL_AGGREGATOR  0x01
#define BGP_PARTIAL_COMMUNITIES 0x02
#define BGP_PARTIAL_LARGE       0x04

struct bgp_attr_spec {
	uint8_t origin;
	bool has_med;
	bool has_local_pref;
	bool atomic_aggregate;
	uint8_t
	    partial; /* BGP_PARTIAL_*: came with the Partial bit, which stays set (RFC 4271 5) */
	uint32_t next_hop; /* host order */
	uint32_t med;
	uint32_t local_pref;
	uint32_t aggregator_as; /* 0: none */
	uint32_t aggregator_addr;
	const uint8_t *as_path; /* segments in wire form, ASNs of 4 octets in network order */
	uint16_t as_path_octets;
	uint16_t n_communities;
	uint16_t n_large; /* triples */
	uint16_t other_octets;
	const uint32_t *communities; /* host order, sorted, no duplicates */
	const uint32_t *large;       /* 3 * n_large, host order, sorted, no duplicates */
	const uint8_t *other; /* attributes carried through, whole TLVs sorted by type; flags have
				 Partial set where RFC 4271 5 asks for it */
};

struct bgp_attrs {
	struct bgp_attr_spec s; /* pointers lead into this very object */
	uint32_t refs;
	uint32_t hash;
	uint16_t
	    as_path_len; /* as the decision process counts: an AS_SET is 1 (RFC 4271 9.1.2.2) */
	struct bgp_attrs *hash_next;
};

struct bgp_attr_table;

int bgp_attr_table_new(struct bgp_attr_table **out);
/* Every bgp_attrs must have been released. */
void bgp_attr_table_free(struct bgp_attr_table *t);
size_t bgp_attr_table_count(const struct bgp_attr_table *t);

/* The interned form of spec (copied), with one reference for the caller. NULL: out of memory. Sorts
 * and de-duplicates communities itself. */
struct bgp_attrs *bgp_attrs_intern(struct bgp_attr_table *t, const struct bgp_attr_spec *spec);
struct bgp_attrs *bgp_attrs_ref(struct bgp_attrs *a);
void bgp_attrs_unref(struct bgp_attr_table *t, struct bgp_attrs *a); /* NULL is fine */

/* ---- AS_PATH helpers, on wire-form segments ---- */

/* Well-formed segments only: known types, counts that fit. */
bool bgp_path_valid(const uint8_t *path, size_t octets);
uint16_t bgp_path_len(const uint8_t *path, size_t octets);
bool bgp_path_has(const uint8_t *path, size_t octets, uint32_t asn);
/* First ASN of a leading AS_SEQUENCE; 0 if there is none. */
uint32_t bgp_path_first(const uint8_t *path, size_t octets);
/* Origin (last) ASN, 0 for an empty path. */
uint32_t bgp_path_origin(const uint8_t *path, size_t octets);
/* Flattens into asns[max]; returns how many there are (may exceed max). */
size_t bgp_path_flatten(const uint8_t *path, size_t octets, uint32_t *asns, size_t max);

/* A path under construction. Edits return false when it would exceed BGP_AS_PATH_OCTETS_MAX. */
struct bgp_path_buf {
	uint16_t octets;
	uint8_t data[BGP_AS_PATH_OCTETS_MAX];
};

void bgp_path_load(struct bgp_path_buf *b, const uint8_t *path, size_t octets);
bool bgp_path_prepend(struct bgp_path_buf *b, uint32_t asn, unsigned times);
bool bgp_path_append(struct bgp_path_buf *b, uint32_t asn);
/* Every occurrence of from becomes to (as-override). */
void bgp_path_replace(struct bgp_path_buf *b, uint32_t from, uint32_t to);
/* Deletes every ASN for which drop() is true; empty segments vanish. */
void bgp_path_remove(struct bgp_path_buf *b, bool (*drop)(uint32_t asn, void *arg), void *arg);
/* RFC 6793: between ASNs of two octets (what an old peer sends and gets) and of four. from_as2 is
 * false when the result would exceed the limit; path2 must be valid with ASNs of two octets. */
bool bgp_path_from_as2(struct bgp_path_buf *b, const uint8_t *path2, size_t octets);
bool bgp_path2_valid(const uint8_t *path2, size_t octets);
/* Writes the two-octet form, at most `octets` long, AS_TRANS for what does not fit; its length. */
size_t bgp_path_to_as2(uint8_t *out, const uint8_t *path, size_t octets);
/* Whether an ASN above 65535 is in it, so that AS4_PATH has to go along. */
bool bgp_path_needs_as4(const uint8_t *path, size_t octets);
/* Replaces the tail of b by AS4_PATH as RFC 6793 4.2.3 says; b stays when AS4_PATH is longer or the
 * result exceeds the limit. Confederation segments of as4 are left out. */
void bgp_path_merge_as4(struct bgp_path_buf *b, const uint8_t *as4, size_t octets);
/* 64512-65534 and 4200000000-4294967294 (RFC 6996). */
bool bgp_asn_is_private(uint32_t asn);
/* 0, 23456, 65535, 4294967295 and documentation ranges are not usable as a neighbour's ASN. */
bool bgp_asn_is_reserved(uint32_t asn);

/* "65001 65002 {65003,65004}"; with sep '-' "65001-65002". Truncates to size; returns buf. */
char *bgp_path_format(char *buf, size_t size, const uint8_t *path, size_t octets, char sep);

bool bgp_attrs_has_community(const struct bgp_attrs *a, uint32_t community);
/* "65517:65517" or a well-known name (no-export, no-advertise). */
int bgp_community_parse(uint32_t *out, const char *text);
char *bgp_community_format(char buf[static 24], uint32_t community);

#endif
