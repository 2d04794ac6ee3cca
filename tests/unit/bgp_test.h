#ifndef TESTS_UNIT_BGP_TEST_H
#define TESTS_UNIT_BGP_TEST_H
/*
 * Helpers of the BGP codec tests: messages from hexadecimal text, collected encodings, decoding
 * from a buffer of exactly the right size, so that the address sanitizer sees every octet read too
 * far.
 */
#include "lib/bgp_msg.h"
#include "lib/conn.h"
#include "lib/err.h"
#include "lib/wire_bgp.h"

#include <stdlib.h>
#include <string.h>

#define COLLECT_MAX 64

struct octets {
	size_t n;
	uint8_t d[70000];
};

static inline void
add_octets(struct octets *o, const void *data, size_t n)
{
	memcpy(o->d + o->n, data, n);
	o->n += n;
}

/* "40 01 01 00", blanks anywhere. */
static inline void
add_hex(struct octets *o, const char *hex)
{
	for (; *hex != '\0'; hex++) {
		char pair[3] = { hex[0], hex[1], '\0' };

		if (*hex == ' ')
			continue;
		o->d[o->n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex++;
	}
}

/* An UPDATE of hexadecimal parts. */
static inline void
make_update(struct octets *o, const char *withdrawn, const char *attrs, const char *nlri)
{
	size_t at;

	o->n = 0;
	add_hex(o, "ffffffffffffffffffffffffffffffff 0000 02 0000");
	add_hex(o, withdrawn);
	o->d[20] = (uint8_t)(o->n - 21);
	at = o->n;
	add_hex(o, "0000");
	add_hex(o, attrs);
	o->d[at] = (uint8_t)((o->n - at - 2) >> 8);
	o->d[at + 1] = (uint8_t)(o->n - at - 2);
	add_hex(o, nlri);
	o->d[16] = (uint8_t)(o->n >> 8);
	o->d[17] = (uint8_t)o->n;
}

struct collected {
	struct fab_buf *b[COLLECT_MAX];
	size_t n;
};

static inline void
collect_cb(void *arg, struct fab_buf *b)
{
	struct collected *c = arg;

	FAB_ASSERT(c->n < COLLECT_MAX);
	c->b[c->n++] = fab_buf_ref(b);
}

static inline void
collected_free(struct collected *c)
{
	while (c->n > 0)
		fab_buf_unref(c->b[--c->n]);
}

static inline int
decode_on(enum bgp_wire wire, struct bgp_msg *out, struct bgp_scratch *sc,
    const struct bgp_decode_opts *opts, const uint8_t *p, size_t n, struct bgp_notify *err)
{
	if (wire == BGP_WIRE_PB)
		return wire_bgp_decode(out, sc, opts, p, n, err);
	return bgp_msg_decode(out, sc, opts, p, n, err);
}

#endif
