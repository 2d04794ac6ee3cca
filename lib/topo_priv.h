#ifndef LIB_TOPO_PRIV_H
#define LIB_TOPO_PRIV_H
/*
 * What the topo_*.c files share and nobody else includes: the schema and the state of one
 * topo_build().
 *
 * The way of a file: topo_yaml.c (text -> tree with lines) -> topo_file.c (sections -> resources)
 * -> topo_schema.c (short forms, types, defaults; keys in topo_keys.c, words in topo_value.c)
 * -> topo_build.c (JSON -> model) -> topo_derive.c (addresses, links) -> topo_check_*.c (rules).
 */
#include "lib/topo_yaml.h"

#define TOPO_NAME_MAX   48   /* characters of a name; it becomes part of file and host names */
#define TOPO_TEXT_MAX   1024 /* characters of any other text value */
#define TOPO_BLANKS_MAX 256  /* blanks in a row */

/* ---- text (topo_text.c) ---- */

/* Octets of the UTF-8 character at text, of which left octets are there; 0: it is none. */
size_t topo_utf8_length(const char *text, size_t left);
/* Makes one line of valid UTF-8 of it: blanks for control characters, ? for what is no character.
 */
void topo_text_clean(char *text);
/* FAB_EINVAL with one error for what is not text. */
int topo_text_check(const char *text, size_t len, struct topo_errors *errs);

#define TOPO_POINTER_MAX 512

/* Appends "/key", escaped as RFC 6901 says, to a JSON pointer. False: no room, path unchanged. */
bool topo_pointer_push(char path[static TOPO_POINTER_MAX], const char *key);

/* ---- words (topo_value.c) ---- */

#define TOPO_DURATION_MAX (24u * 3600u * 1000u)

int topo_duration_parse(uint32_t *ms, const char *text);             /* "500ms", "3s", "1m" */
int topo_range_parse(struct topo_range *out, const char *text);      /* "1s..5s", "300ms" */
int topo_endpoint_parse(struct topo_tcp *out, const char *text);     /* "127.0.0.1:1790" */
int topo_community_parse(uint32_t *out, const char *text);           /* "65001:7", "no-export" */
int topo_large_parse(uint32_t out[static 3], const char *text);      /* "65001:1:2" */
int topo_rule_parse(struct topo_prefix_rule *out, const char *text); /* "deny 10.0.0.0/8 le 32" */
/* "Internet", "VirtualAppliance 10.1.2.4" (UDR-2) */
int topo_hop_parse(enum topo_hop *hop, uint32_t *addr, const char *text);
/* "10.0.0.0/8" or an address as its /32. */
int topo_net_parse(struct ipnet *out, const char *text);
bool topo_name_ok(const char *name);
/* The word of n that is most like text; NULL: none is. */
const char *topo_suggest(const char *text, const char *const *words, size_t n);

/* ---- schema (topo_schema.c walks, topo_keys.c has the tables) ---- */

enum topo_type {
	TOPO_T_BOOL,
	TOPO_T_UINT,
	TOPO_T_WORD, /* one of words */
	TOPO_T_TEXT,
	TOPO_T_NAME,
	TOPO_T_SUBNET, /* "vnet/subnet" */
	TOPO_T_ADDR,
	TOPO_T_PREFIX,
	TOPO_T_DEST, /* prefix or service tag */
	TOPO_T_TAG,
	TOPO_T_NET, /* prefix or address */
	TOPO_T_DURATION,
	TOPO_T_RANGE, /* of durations */
	TOPO_T_ENDPOINT,
	TOPO_T_COMMUNITY,
	TOPO_T_LARGE,
	TOPO_T_HOP,
	TOPO_T_RULE,
	TOPO_T_STRUCT, /* keys in sub */
	TOPO_T_MAP,    /* name -> struct with the keys in sub */
	TOPO_T_LIST,   /* of sub[0] */
	TOPO_T_COUNT
};

struct topo_key {
	const char *name; /* NULL ends a table */
	enum topo_type type;
	const char *doc;            /* one sentence for docs/topology.md */
	const char *def;            /* default as JSON; NULL: none, or derived (doc says how) */
	const struct topo_key *sub; /* STRUCT, MAP, LIST */
	const char *const *words;   /* WORD: NULL-terminated */
	uint32_t min, max;          /* UINT: range; LIST, MAP: number of entries; max 0: none */
	bool required;
	bool brief; /* a lone value in place of the struct is the value of this key */
	bool one;   /* LIST: a lone value is a list of one; MAP: a list of names is allowed */
};

const struct topo_key *topo_keys_of(enum topo_kind kind);
/* How an entry of "peerings" is written. */
enum topo_peering_form { TOPO_PEERING_HUB, TOPO_PEERING_BETWEEN, TOPO_PEERING_FROM };
const struct topo_key *topo_keys_of_peering(enum topo_peering_form form);
/* "a prefix such as 10.1.0.0/16" */
const char *topo_type_noun(enum topo_type type);

/* Whom a message is about: its kind and name begin the message, its line ends it. */
struct topo_subject {
	const char *kind;
	const char *name;
	const json_t *lines;
	unsigned line;
};

/* Line of a JSON pointer, or of the nearest value around it. */
unsigned topo_line(const struct topo_subject *s, const char *pointer);
/* Adds "kind name: key.sub: message"; pointer "" leaves the key out. */
void topo_complain(struct topo_errors *errs, const struct topo_subject *s, const char *pointer,
    const char *code, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Full form of props with defaults: a new reference, or NULL with errors (all of them). */
json_t *topo_schema_apply(const struct topo_key *keys, json_t *props, const struct topo_subject *s,
    struct topo_errors *errs);

/* ---- documents (topo_doc.c) ---- */

/* Appends without looking for duplicates; the caller sorts when all are in. Steals both. */
struct topo_resource *topo_doc_append(
    struct topo_doc *doc, enum topo_kind kind, const char *name, json_t *props, json_t *lines);
void topo_doc_sort(struct topo_doc *doc);
struct topo_subject topo_subject_of(const struct topo_resource *r);

/* ---- building (topo_build*.c, topo_derive.c, topo_nodes.c, topo_check_*.c) ---- */

struct topo_index {
	struct topo_arena *arena;
	int *by_address; /* NICs by (VNet, address) */
	int *nodes_by_name;
};

struct topo_build {
	const struct topo_doc *doc;
	struct topo *t;
	struct topo_arena *arena;
	struct topo_errors *errs, *warnings;
	/* The resource behind each object of the model: of[TOPO_VNET][i] is t->vnets[i]. */
	const struct topo_resource **of[TOPO_KIND_COUNT];
	json_t **props[TOPO_KIND_COUNT]; /* in full form; owned */
	size_t n[TOPO_KIND_COUNT];
	/* No resource of the kind is broken, so what is absent is really absent. */
	bool complete[TOPO_KIND_COUNT];
};

/* An error or a warning about object i of a kind. */
void topo_build_error(struct topo_build *b, enum topo_kind kind, size_t i, const char *pointer,
    const char *code, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void topo_build_warn(struct topo_build *b, enum topo_kind kind, size_t i, const char *pointer,
    const char *code, const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Index of the object of a kind that has this name, -1 if there is none. */
int topo_build_find(const struct topo_build *b, enum topo_kind kind, const char *name);
/* The same for a reference in key pointer of object i: complains (UnknownReference), with the name
 * that was probably meant, unless the object is there but broken. NULL name: -1. */
int topo_build_ref(struct topo_build *b, enum topo_kind from, size_t i, const char *pointer,
    enum topo_kind kind, const char *name);
/* Number of objects and array of a kind's list or map; 0 with *items untouched when absent. */
void *topo_build_alloc(struct topo_build *b, size_t *n, size_t want, size_t size);

/* Values of full-form JSON; zero, NULL or empty when absent. */
bool topo_get_bool(const json_t *o, const char *key);
uint32_t topo_get_u32(const json_t *o, const char *key);
const char *topo_get_text(const json_t *o, const char *key);
uint32_t topo_get_addr(const json_t *o, const char *key);
uint32_t topo_get_ms(const json_t *o, const char *key);
struct topo_tcp topo_get_endpoint(const json_t *o, const char *key);
struct ipnet topo_get_net(const json_t *o, const char *key);
struct topo_nets topo_get_nets(struct topo_build *b, const json_t *o, const char *key);
char *topo_get_copy(struct topo_build *b, const json_t *o, const char *key);
char **topo_get_texts(struct topo_build *b, const json_t *o, const char *key, size_t *n);

struct topo_timing topo_timing_build(const json_t *fabric);
void topo_tags_build(struct topo_build *b); /* of the file; before the tables */
/* The routes of a table with its service tags written out. */
void topo_tags_expand(struct topo_build *b, size_t table, json_t *routes);
/* "Storage", "Storage.WestEurope" */
bool topo_tag_ok(const char *text);
void topo_regions_build(struct topo_build *b); /* after the VNets */
/* topo_vnet2vnet.c: connections between two VPN gateways, once all gateways are built. */
bool topo_build_names_gateway(const json_t *connection);
void topo_build_vnet_to_vnet(struct topo_build *b);
void topo_check_vnet_to_vnet(struct topo_build *b, size_t gateway, size_t conn);
void topo_build_routing(struct topo_build *b); /* Route Servers, NVAs, gateways, circuits, sites */
void topo_build_maps(struct topo_build *b);    /* route maps */
void topo_derive(struct topo_build *b);
void topo_nodes_build(struct topo_build *b);
void topo_check_names(struct topo_build *b);
void topo_check_net(struct topo_build *b);
void topo_check_address(
    struct topo_build *b, enum topo_kind kind, size_t i, int vnet, int subnet, uint32_t ip);
void topo_check_tables(struct topo_build *b);
void topo_check_servers(struct topo_build *b);
void topo_check_maps(struct topo_build *b);
void topo_check_gateways(struct topo_build *b);
void topo_check_routers(struct topo_build *b);
void topo_check_containers(struct topo_build *b);
void topo_check_edges(struct topo_build *b);

/* 0, AS_TRANS, documentation (RFC 5398), 65535 ... 65551 and the last one; RS-40, VPN-3. */
bool topo_asn_is_iana_reserved(uint32_t asn);
bool topo_asn_is_azure_reserved(uint32_t asn);

bool topo_vnet_has_addr(const struct topo_vnet *v, uint32_t addr);
/* Where the peerings of a VNet begin; they lie side by side. */
size_t topo_first_peering(const struct topo *t, int vnet);

/* A prefix and what it belongs to. */
struct topo_span {
	struct ipnet net;
	size_t tag;
};

/* Two that overlap: b is inside of or equal to a, or its tag is larger. Starts zeroed. */
struct topo_clash {
	const struct topo_span *a, *b;
	size_t outer, next; /* private */
};

/* The next pair of n spans that overlap; sorts them at the first call. False: no more. */
bool topo_span_clash(struct topo_span *v, size_t n, struct topo_clash *at);

#endif
