/*
 * BGP messages as protobuf. protobuf-c unpacks into an arena in the decoder's scratch memory, which
 * is as large as the message justifies: a peer cannot make us allocate more, and nothing has to be
 * freed.
 */
#include "lib/wire_bgp.h"

#include "lib/conn.h"
#include "lib/err.h"
#include "proto/bgp.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_FIXED        8192 /* structs, and a few fields that we do not know */
#define LOCAL_PREF_DEFAULT 100
#define NAME_MAX_OCTETS    255
#define PARTIAL_KNOWN      (BGP_PARTIAL_AGGREGATOR | BGP_PARTIAL_COMMUNITIES | BGP_PARTIAL_LARGE)

/* Tags and lengths around the prefixes of one message. */
#define UPDATE_OVERHEAD 24

/* ---- decoding ---- */

struct arena {
	uint8_t *at;
	uint8_t *end;
};

static void *
arena_alloc(void *ctx, size_t size)
{
	struct arena *a = ctx;
	void *p = a->at;

	size = (size + 15) & ~(size_t)15;
	if (size > (size_t)(a->end - a->at))
		return NULL;
	a->at += size;
	return p;
}

static void
arena_free(void *ctx, void *p)
{
	(void)ctx;
	(void)p;
}

static int
arena_reserve(struct bgp_scratch *sc, size_t len)
{
	uint8_t *p;

	if (len <= sc->arena_len)
		return FAB_OK;
	p = realloc(sc->arena, len);
	if (p == NULL)
		return FAB_ENOMEM;
	sc->arena = p;
	sc->arena_len = len;
	return FAB_OK;
}

static int
fail(struct bgp_notify *err, uint8_t code, uint8_t subcode)
{
	*err = (struct bgp_notify){ code, subcode, 0, NULL };
	return FAB_EBADMSG;
}

static int
decode_open(struct bgp_open *open, const Fab__V1__BgpOpen *m, struct bgp_notify *err)
{
	*open = (struct bgp_open){ .version = (uint8_t)m->version,
		.asn = m->asn,
		.hold_sec = (uint16_t)m->hold_sec,
		.router_id = m->router_id };
	if (m->version > UINT8_MAX || m->hold_sec > UINT16_MAX ||
	    !bgp_caps_decode(open, m->capabilities.data, m->capabilities.len))
		return fail(err, BGP_ERR_OPEN, 0);
	return FAB_OK;
}

/* The attributes as a spec; false: RFC 7606 has the routes withdrawn. */
static bool
decode_attrs(
    struct bgp_attr_spec *s, const Fab__V1__BgpAttributes *m, const struct bgp_decode_opts *opts)
{
	if (m->origin > BGP_ORIGIN_INCOMPLETE || m->as_path.len > BGP_AS_PATH_OCTETS_MAX ||
	    !bgp_path_valid(m->as_path.data, m->as_path.len) || m->n_large_communities % 3 != 0 ||
	    m->n_communities > UINT16_MAX || !bgp_other_valid(m->other.data, m->other.len) ||
	    !bgp_next_hop_usable(m->next_hop, opts->local_addr) ||
	    (opts->ibgp && !m->local_pref_set))
		return false;
	*s = (struct bgp_attr_spec){ .origin = (uint8_t)m->origin,
		.has_med = m->med_set,
		.has_local_pref = opts->ibgp,
		.atomic_aggregate = m->atomic_aggregate,
		.partial = m->partial & PARTIAL_KNOWN,
		.next_hop = m->next_hop,
		.med = m->med,
		.local_pref = m->local_pref,
		.aggregator_as = m->aggregator_asn,
		.aggregator_addr = m->aggregator_address,
		.as_path = m->as_path.data,
		.as_path_octets = (uint16_t)m->as_path.len,
		.communities = m->communities,
		.n_communities = (uint16_t)m->n_communities,
		.large = m->large_communities,
		.n_large = (uint16_t)(m->n_large_communities / 3),
		.other = m->other.data,
		.other_octets = (uint16_t)m->other.len };
	return true;
}

static bool
decode_prefixes(struct ipnet *out, const uint32_t *addr, size_t n, const ProtobufCBinaryData *len)
{
	if (len->len != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (len->data[i] > 32)
			return false;
		out[i] = (struct ipnet){ addr[i] & ipnet_mask(len->data[i]), len->data[i] };
	}
	return true;
}

static int
decode_update(struct bgp_updates *out, struct bgp_scratch *sc, const struct bgp_decode_opts *opts,
    const Fab__V1__BgpUpdate *m, struct bgp_notify *err)
{
	struct bgp_update *u = &out->u[0];
	struct ipnet *nlri;

	if (bgp_scratch_reserve(sc, m->n_withdrawn_addr + m->n_nlri_addr, 0) != FAB_OK)
		return FAB_ENOMEM;
	nlri = sc->prefixes + m->n_withdrawn_addr;
	if (!decode_prefixes(
		sc->prefixes, m->withdrawn_addr, m->n_withdrawn_addr, &m->withdrawn_len) ||
	    !decode_prefixes(nlri, m->nlri_addr, m->n_nlri_addr, &m->nlri_len))
		return fail(err, BGP_ERR_UPDATE, BGP_UPDATE_BAD_NETWORK);
	out->n = 1;
	*u = (struct bgp_update){ .withdrawn = sc->prefixes,
		.n_withdrawn = m->n_withdrawn_addr,
		.nlri = nlri,
		.n_nlri = m->n_nlri_addr };
	if (u->n_nlri > 0)
		u->treat_as_withdraw =
		    m->attributes == NULL || !decode_attrs(&u->attrs, m->attributes, opts);
	u->end_of_rib = u->n_nlri == 0 && u->n_withdrawn == 0 && m->attributes == NULL;
	if (u->n_nlri == 0 && u->n_withdrawn == 0 && !u->end_of_rib)
		out->n = 0;
	return FAB_OK;
}

static int
decode_message(struct bgp_msg *out, struct bgp_scratch *sc, const struct bgp_decode_opts *opts,
    const Fab__V1__BgpMessage *m, struct bgp_notify *err)
{
	switch (m->body_case) {
	case FAB__V1__BGP_MESSAGE__BODY_HELLO:
		out->type = BGP_MSG_HELLO;
		out->hello = (struct bgp_hello){ m->hello->name, m->hello->from_address,
			m->hello->to_address };
		return strlen(m->hello->name) > NAME_MAX_OCTETS
			   ? fail(err, BGP_ERR_HEADER, BGP_HEADER_BAD_LENGTH)
			   : FAB_OK;
	case FAB__V1__BGP_MESSAGE__BODY_OPEN:
		out->type = BGP_MSG_OPEN;
		return decode_open(&out->open, m->open, err);
	case FAB__V1__BGP_MESSAGE__BODY_UPDATE:
		out->type = BGP_MSG_UPDATE;
		return decode_update(&out->updates, sc, opts, m->update, err);
	case FAB__V1__BGP_MESSAGE__BODY_NOTIFICATION:
		out->type = BGP_MSG_NOTIFICATION;
		out->notify = (struct bgp_notify){ (uint8_t)m->notification->code,
			(uint8_t)m->notification->subcode, (uint16_t)m->notification->data.len,
			m->notification->data.data };
		return FAB_OK;
	case FAB__V1__BGP_MESSAGE__BODY_KEEPALIVE:
		out->type = BGP_MSG_KEEPALIVE;
		return FAB_OK;
	case FAB__V1__BGP_MESSAGE__BODY_ROUTE_REFRESH:
		out->type = BGP_MSG_REFRESH;
		out->refresh = (struct bgp_refresh){ (uint16_t)m->route_refresh->afi,
			(uint8_t)m->route_refresh->safi, (uint8_t)m->route_refresh->subtype };
		return FAB_OK;
	default:
		return fail(err, BGP_ERR_HEADER, BGP_HEADER_BAD_TYPE);
	}
}

int
wire_bgp_decode(struct bgp_msg *out, struct bgp_scratch *sc, const struct bgp_decode_opts *opts,
    const uint8_t *p, size_t n, struct bgp_notify *err)
{
	ProtobufCAllocator allocator = { arena_alloc, arena_free, NULL };
	Fab__V1__BgpMessage *m;
	struct arena arena;

	if (n > WIRE_BGP_MESSAGE_MAX)
		return fail(err, BGP_ERR_HEADER, BGP_HEADER_BAD_LENGTH);
	if (arena_reserve(sc, ARENA_FIXED + 2 * n) != FAB_OK)
		return FAB_ENOMEM;
	arena = (struct arena){ sc->arena, sc->arena + ARENA_FIXED + 2 * n };
	allocator.allocator_data = &arena;
	m = fab__v1__bgp_message__unpack(&allocator, n, p);
	if (m == NULL)
		return fail(err, BGP_ERR_HEADER, BGP_HEADER_NOT_SYNCHRONISED);
	return decode_message(out, sc, opts, m, err);
}

/* ---- encoding ---- */

static struct fab_buf *
pack(const Fab__V1__BgpMessage *m)
{
	struct fab_buf *b = fab_buf_new(fab__v1__bgp_message__get_packed_size(m));

	if (b != NULL)
		fab__v1__bgp_message__pack(m, b->data);
	return b;
}

/* protobuf-c's structs have no const members; packing does not write. */
static void *
unconst(const void *p)
{
	union {
		const void *in;
		void *out;
	} u = { .in = p };

	return u.out;
}

struct fab_buf *
wire_bgp_encode_hello(const struct bgp_hello *h)
{
	Fab__V1__BgpMessage m = FAB__V1__BGP_MESSAGE__INIT;
	Fab__V1__BgpHello hello;

	fab__v1__bgp_hello__init(&hello);
	hello.name = unconst(h->name);
	hello.from_address = h->from_addr;
	hello.to_address = h->to_addr;
	m.body_case = FAB__V1__BGP_MESSAGE__BODY_HELLO;
	m.hello = &hello;
	return pack(&m);
}

struct fab_buf *
wire_bgp_encode_open(const struct bgp_open *open)
{
	Fab__V1__BgpOpen o = FAB__V1__BGP_OPEN__INIT;
	Fab__V1__BgpMessage m = FAB__V1__BGP_MESSAGE__INIT;
	uint8_t caps[BGP_CAPS_OCTETS_MAX];

	o.version = open->version;
	o.asn = open->asn;
	o.hold_sec = open->hold_sec;
	o.router_id = open->router_id;
	o.capabilities = (ProtobufCBinaryData){ bgp_caps_encode(caps, open), caps };
	m.body_case = FAB__V1__BGP_MESSAGE__BODY_OPEN;
	m.open = &o;
	return pack(&m);
}

struct fab_buf *
wire_bgp_encode_notify(const struct bgp_notify *n)
{
	Fab__V1__BgpNotification o = FAB__V1__BGP_NOTIFICATION__INIT;
	Fab__V1__BgpMessage m = FAB__V1__BGP_MESSAGE__INIT;

	o.code = n->code;
	o.subcode = n->subcode;
	o.data = (ProtobufCBinaryData){ n->len, unconst(n->data) };
	m.body_case = FAB__V1__BGP_MESSAGE__BODY_NOTIFICATION;
	m.notification = &o;
	return pack(&m);
}

struct fab_buf *
wire_bgp_encode_keepalive(void)
{
	Fab__V1__BgpKeepalive k = FAB__V1__BGP_KEEPALIVE__INIT;
	Fab__V1__BgpMessage m = FAB__V1__BGP_MESSAGE__INIT;

	m.body_case = FAB__V1__BGP_MESSAGE__BODY_KEEPALIVE;
	m.keepalive = &k;
	return pack(&m);
}

struct fab_buf *
wire_bgp_encode_refresh(const struct bgp_refresh *r)
{
	Fab__V1__BgpRouteRefresh o = FAB__V1__BGP_ROUTE_REFRESH__INIT;
	Fab__V1__BgpMessage m = FAB__V1__BGP_MESSAGE__INIT;

	o.afi = r->afi;
	o.safi = r->safi;
	o.subtype = r->subtype;
	m.body_case = FAB__V1__BGP_MESSAGE__BODY_ROUTE_REFRESH;
	m.route_refresh = &o;
	return pack(&m);
}

static struct fab_buf *
pack_update(Fab__V1__BgpUpdate *u)
{
	Fab__V1__BgpMessage m = FAB__V1__BGP_MESSAGE__INIT;

	m.body_case = FAB__V1__BGP_MESSAGE__BODY_UPDATE;
	m.update = u;
	return pack(&m);
}

struct fab_buf *
wire_bgp_encode_end_of_rib(void)
{
	Fab__V1__BgpUpdate u = FAB__V1__BGP_UPDATE__INIT;

	return pack_update(&u);
}

static void
fill_attrs(Fab__V1__BgpAttributes *m, const struct bgp_attr_spec *s, bool ibgp)
{
	m->origin = s->origin;
	m->as_path = (ProtobufCBinaryData){ s->as_path_octets, unconst(s->as_path) };
	m->next_hop = s->next_hop;
	m->med_set = s->has_med;
	m->med = s->med;
	m->local_pref_set = ibgp; /* RFC 4271 5.1.5 */
	if (ibgp)
		m->local_pref = s->has_local_pref ? s->local_pref : LOCAL_PREF_DEFAULT;
	m->n_communities = s->n_communities;
	m->communities = unconst(s->communities);
	m->n_large_communities = 3 * (size_t)s->n_large;
	m->large_communities = unconst(s->large);
	m->other = (ProtobufCBinaryData){ s->other_octets, unconst(s->other) };
	m->atomic_aggregate = s->atomic_aggregate;
	m->partial = s->partial;
	m->aggregator_asn = s->aggregator_as;
	m->aggregator_address = s->aggregator_addr;
}

static void
fill_prefixes(uint32_t *addr, uint8_t *len, const struct ipnet *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		addr[i] = prefixes[i].addr;
		len[i] = prefixes[i].len;
	}
}

/* One message of n prefixes, whose columns are addr and len. */
static struct fab_buf *
update_message(Fab__V1__BgpAttributes *attrs, uint32_t *addr, uint8_t *len, size_t n)
{
	Fab__V1__BgpUpdate u = FAB__V1__BGP_UPDATE__INIT;

	if (attrs == NULL) {
		u.n_withdrawn_addr = n;
		u.withdrawn_addr = addr;
		u.withdrawn_len = (ProtobufCBinaryData){ n, len };
	} else {
		u.attributes = attrs;
		u.n_nlri_addr = n;
		u.nlri_addr = addr;
		u.nlri_len = (ProtobufCBinaryData){ n, len };
	}
	return pack_update(&u);
}

int
wire_bgp_encode_update(bool ibgp, size_t message_max, const struct bgp_attrs *attrs,
    const struct ipnet *prefixes, size_t n, bgp_emit_fn *emit, void *arg)
{
	Fab__V1__BgpAttributes a = FAB__V1__BGP_ATTRIBUTES__INIT;
	size_t used = UPDATE_OVERHEAD, batch;
	uint32_t *addr = NULL;
	int rc = FAB_OK;

	if (attrs != NULL) {
		fill_attrs(&a, &attrs->s, ibgp);
		used += fab__v1__bgp_attributes__get_packed_size(&a);
	}
	if (used + 5 > message_max)
		return FAB_ETOOBIG;
	batch = (message_max - used) / 5; /* an address and a length each */
	if (batch > n)
		batch = n;
	addr = malloc(batch * (sizeof(*addr) + 1) + 1);
	if (addr == NULL)
		return FAB_ENOMEM;
	for (size_t at = 0; at < n && rc == FAB_OK; at += batch) {
		size_t k = n - at < batch ? n - at : batch;
		uint8_t *len = (uint8_t *)(addr + batch);
		struct fab_buf *b;

		fill_prefixes(addr, len, prefixes + at, k);
		b = update_message(attrs != NULL ? &a : NULL, addr, len, k);
		if (b == NULL) {
			rc = FAB_ENOMEM;
			break;
		}
		emit(arg, b);
		fab_buf_unref(b);
	}
	free(addr);
	return rc;
}
