#ifndef LIB_BGP_MSG_H
#define LIB_BGP_MSG_H
/*
 * The messages of RFC 4271 as plain structs, and their encoding on TCP: header, OPEN with
 * capabilities, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE-REFRESH. Knows no socket and no session.
 * lib/wire_bgp.h has the same messages as protobuf; both give the same structs, so that the session
 * does not care which wire they came over.
 *
 * Files: bgp_msg.c (all but UPDATE), bgp_update.c (decodes UPDATE, RFC 7606), bgp_encode.c (encodes
 * UPDATE). Decoders never allocate per route: prefixes and communities go into a struct
 * bgp_scratch that grows to the largest message and is used again; the rest points into the
 * message.
 */
#include "lib/bgp_attr.h"
#include "lib/ipnet.h"

struct fab_buf;

#define BGP_AS_TRANS         23456 /* RFC 6793: stands for an ASN that needs four octets */
#define BGP_HEADER_OCTETS    19
#define BGP_MESSAGE_MAX      4096
#define BGP_MESSAGE_EXTENDED 65535 /* RFC 8654 */

enum bgp_msg_type {
	BGP_MSG_OPEN = 1,
	BGP_MSG_UPDATE = 2,
	BGP_MSG_NOTIFICATION = 3,
	BGP_MSG_KEEPALIVE = 4,
	BGP_MSG_REFRESH = 5,
	BGP_MSG_HELLO = 6, /* NNG only: who dials */
	BGP_MSG_TYPE_COUNT
};

/* NOTIFICATION codes and subcodes, RFC 4271 4.5, RFC 4486, RFC 6608, RFC 7313. */
enum bgp_error {
	BGP_ERR_HEADER = 1,
	BGP_ERR_OPEN = 2,
	BGP_ERR_UPDATE = 3,
	BGP_ERR_HOLD_TIMER = 4,
	BGP_ERR_FSM = 5,
	BGP_ERR_CEASE = 6,
	BGP_ERR_ROUTE_REFRESH = 7,
};
enum bgp_cease {
	BGP_CEASE_MAX_PREFIXES = 1,
	BGP_CEASE_ADMIN_SHUTDOWN = 2,
	BGP_CEASE_PEER_DECONFIGURED = 3,
	BGP_CEASE_ADMIN_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CONFIG_CHANGE = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_OUT_OF_RESOURCES = 8,
	BGP_CEASE_BFD_DOWN = 10, /* RFC 9384 */
};
/* Subcodes, each under its code. */
enum bgp_header_error {
	BGP_HEADER_NOT_SYNCHRONISED = 1,
	BGP_HEADER_BAD_LENGTH = 2,
	BGP_HEADER_BAD_TYPE = 3,
};
enum bgp_open_error {
	BGP_OPEN_BAD_VERSION = 1,
	BGP_OPEN_BAD_PEER_AS = 2,
	BGP_OPEN_BAD_ID = 3,
	BGP_OPEN_BAD_PARAMETER = 4,
	BGP_OPEN_BAD_HOLD_TIME = 6,
	BGP_OPEN_BAD_CAPABILITY = 7,
};
enum bgp_update_error {
	BGP_UPDATE_BAD_LIST = 1,
	BGP_UPDATE_UNKNOWN_WELL_KNOWN = 2,
	BGP_UPDATE_BAD_OPTIONAL = 9,
	BGP_UPDATE_BAD_NETWORK = 10,
};
enum bgp_fsm_error { /* RFC 6608 */
	BGP_FSM_IN_OPEN_SENT = 1,
	BGP_FSM_IN_OPEN_CONFIRM = 2,
	BGP_FSM_IN_ESTABLISHED = 3,
};

/* A NOTIFICATION, received or to be sent. data is borrowed: it leads into the message it is about
 * or to static storage. */
struct bgp_notify {
	uint8_t code;
	uint8_t subcode;
	uint16_t len;
	const uint8_t *data;
};

struct bgp_open {
	uint8_t version;
	uint16_t hold_sec;
	uint32_t asn; /* the four-octet one if the capability is there */
	uint32_t router_id;
	bool as4;              /* capability 65, RFC 6793 */
	bool ipv4;             /* multiprotocol IPv4 unicast, or no multiprotocol capability */
	bool ipv6;             /* multiprotocol IPv6 unicast */
	bool refresh;          /* RFC 2918 */
	bool enhanced_refresh; /* RFC 7313 */
	bool extended_message; /* RFC 8654 */
};

struct bgp_refresh {
	uint16_t afi;
	uint8_t safi;
	uint8_t subtype; /* RFC 7313: 0 request, 1 begin, 2 end of the routes */
};

struct bgp_hello {
	const char *name;
	uint32_t from_addr;
	uint32_t to_addr;
};

/* One decoded UPDATE. Everything is borrowed and valid during the callback only. */
struct bgp_update {
	const struct ipnet *withdrawn;
	size_t n_withdrawn;
	const struct ipnet *nlri;
	size_t n_nlri;
	struct bgp_attr_spec attrs; /* meaningful when n_nlri > 0 */
	bool treat_as_withdraw;     /* RFC 7606: nlri are to be withdrawn, attrs is not usable */
	bool end_of_rib;
};

/* What one UPDATE message holds: none (only other address families), one, or two when it carries
 * NLRI of IPv4 both in its body and in MP_REACH_NLRI with a next hop of its own. */
struct bgp_updates {
	struct bgp_update u[2];
	size_t n;
};

struct bgp_msg {
	enum bgp_msg_type type;
	union {
		struct bgp_open open;
		struct bgp_updates updates;
		struct bgp_notify notify;
		struct bgp_refresh refresh;
		struct bgp_hello hello;
	};
};

/* Memory of a decoder, used again for each message. Zero it before first use. */
struct bgp_scratch {
	struct ipnet *prefixes;
	size_t prefixes_len;
	uint32_t *words; /* communities, large communities */
	size_t words_len;
	struct bgp_path_buf *path; /* made when a peer speaks two-octet ASNs */
	uint8_t other[BGP_OTHER_OCTETS_MAX];
	uint8_t *arena; /* wire_bgp.c: the unpacked message */
	size_t arena_len;
};

void bgp_scratch_fini(struct bgp_scratch *sc);
/* Room for at least so many; FAB_ENOMEM. */
int bgp_scratch_reserve(struct bgp_scratch *sc, size_t prefixes, size_t words);

/* What a decoder has to know about the session. */
struct bgp_decode_opts {
	bool as4; /* ASNs of four octets in AS_PATH and AGGREGATOR */
	bool ibgp;
	bool extended;       /* messages above 4,096 octets are allowed */
	uint32_t local_addr; /* a NEXT_HOP of this address is of no use; 0: unknown */
};

/* ---- RFC 4271 encoding ---- */

/* Length of the message that begins at p[0 ... n), or 0 while more octets are needed to know. A
 * header that is wrong gives BGP_HEADER_OCTETS: bgp_msg_decode() of these says what is wrong. */
size_t bgp_msg_frame(const uint8_t *p, size_t n, size_t message_max);

/* Decodes one whole message. FAB_EBADMSG: *err is what to notify the peer of. FAB_ENOMEM. The
 * result leads into p and sc. */
int bgp_msg_decode(struct bgp_msg *out, struct bgp_scratch *sc, const struct bgp_decode_opts *opts,
    const uint8_t *p, size_t n, struct bgp_notify *err);

/* NULL: out of memory. */
struct fab_buf *bgp_msg_encode_open(const struct bgp_open *open);
struct fab_buf *bgp_msg_encode_notify(const struct bgp_notify *n);
struct fab_buf *bgp_msg_encode_keepalive(void);
struct fab_buf *bgp_msg_encode_refresh(const struct bgp_refresh *r);

/* The body of an UPDATE, behind its header. As bgp_msg_decode(). */
int bgp_update_decode(struct bgp_updates *out, struct bgp_scratch *sc,
    const struct bgp_decode_opts *opts, const uint8_t *body, size_t len, struct bgp_notify *err);

/* ---- shared with the protobuf wire ---- */

/* Parameters of an OPEN: capabilities as RFC 5492 TLVs. */
#define BGP_CAPS_OCTETS_MAX 64 /* what we offer */
size_t bgp_caps_encode(uint8_t buf[static BGP_CAPS_OCTETS_MAX], const struct bgp_open *open);
/* Sets the flags and asn of *open. False: a capability is cut short or has a wrong length. */
bool bgp_caps_decode(struct bgp_open *open, const uint8_t *caps, size_t len);
/* RFC 4271 6.2 with RFC 6286: version, ASN, hold time, identifier, address family. */
bool bgp_open_acceptable(const struct bgp_open *open, uint32_t local_as, uint32_t peer_as,
    uint32_t local_id, struct bgp_notify *err);
/* RFC 4271 5.1.3 and 6.3: an address that cannot be forwarded to. */
bool bgp_next_hop_usable(uint32_t next_hop, uint32_t local_addr);
/* Attributes that are carried through: whole TLVs, sorted by type, none of a type that struct
 * bgp_attr_spec has a field for. */
bool bgp_other_valid(const uint8_t *other, size_t octets);

/* "Cease/Administrative Shutdown (\"text\")"; text of RFC 9003 with control characters masked. */
char *bgp_notify_format(char *buf, size_t size, const struct bgp_notify *n);
/* RFC 9003: fills out (data of a Shutdown or Reset), cut at a character boundary; its length. */
#define BGP_SHUTDOWN_TEXT_MAX 255
size_t bgp_shutdown_encode(uint8_t out[static 1 + BGP_SHUTDOWN_TEXT_MAX], const char *text);

/* ---- UPDATE encoding, shared by all sessions of a wire format ---- */

/* How UPDATEs to a peer are encoded; sessions of equal wire can share a buffer. */
enum bgp_wire { BGP_WIRE_RFC_AS4, BGP_WIRE_RFC_AS2, BGP_WIRE_PB, BGP_WIRE_COUNT };

/* Calls emit with as few messages as fit into message_max octets each. attrs NULL: a withdrawal.
 * FAB_ENOMEM, or FAB_ETOOBIG when the attributes alone do not fit (nothing is emitted then). ibgp
 * decides whether LOCAL_PREF is sent. The emitter borrows b. */
typedef void bgp_emit_fn(void *arg, struct fab_buf *b);
int bgp_encode_update(enum bgp_wire wire, bool ibgp, size_t message_max,
    const struct bgp_attrs *attrs, const struct ipnet *prefixes, size_t n, bgp_emit_fn *emit,
    void *arg);
struct fab_buf *bgp_encode_end_of_rib(enum bgp_wire wire);

#endif
