#ifndef LIB_WIRE_BGP_H
#define LIB_WIRE_BGP_H
/*
 * The border between proto/bgp.proto and struct bgp_msg: BGP messages between our own daemons, one
 * frame of lib/conn each. Everything that RFC 7606 asks of a decoder holds here too: a broken frame
 * ends the session, a bad attribute withdraws the routes it came with.
 */
#include "lib/bgp_msg.h"

#define WIRE_BGP_MESSAGE_MAX BGP_MESSAGE_EXTENDED /* octets of a frame */

/* As bgp_msg_decode(); of opts, as4 and extended do not matter. The result leads into sc. */
int wire_bgp_decode(struct bgp_msg *out, struct bgp_scratch *sc, const struct bgp_decode_opts *opts,
    const uint8_t *p, size_t n, struct bgp_notify *err);

/* NULL: out of memory. */
struct fab_buf *wire_bgp_encode_hello(const struct bgp_hello *h);
struct fab_buf *wire_bgp_encode_open(const struct bgp_open *open);
struct fab_buf *wire_bgp_encode_notify(const struct bgp_notify *n);
struct fab_buf *wire_bgp_encode_keepalive(void);
struct fab_buf *wire_bgp_encode_refresh(const struct bgp_refresh *r);
struct fab_buf *wire_bgp_encode_end_of_rib(void);

/* As bgp_encode_update(). */
int wire_bgp_encode_update(bool ibgp, size_t message_max, const struct bgp_attrs *attrs,
    const struct ipnet *prefixes, size_t n, bgp_emit_fn *emit, void *arg);

#endif
