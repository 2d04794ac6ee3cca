#ifndef FABRICD_WIRE_SWITCH_H
#define FABRICD_WIRE_SWITCH_H
/*
 * An update of the image as fab.v1.SwitchUpdate messages: a sink that collects what it is told and
 * hands on a message whenever one is full, so that neither side ever holds a whole large table.
 */
#include "fabricd/fc_image.h"
#include "lib/rpc.h"
#include "proto/switch.pb-c.h"

#define WIRE_SWITCH_ROUTES 8192 /* of one message, and as many withdrawn ones */
#define WIRE_SWITCH_ITEMS  2048 /* groups, tables, ports, numbers that are gone: of each */

struct wire_switch;

/* put gets each message, packed or copied before it returns. */
typedef void wire_switch_put_fn(void *ctx, const ProtobufCMessage *m);

int wire_switch_new(struct wire_switch **out);
void wire_switch_free(struct wire_switch *w);

/* One update at a time: begin, then the calls of wire_switch_sink with w as their ctx, then end. */
void wire_switch_begin(
    struct wire_switch *w, uint64_t generation, bool snapshot, wire_switch_put_fn *put, void *ctx);
extern const struct fc_img_sink wire_switch_sink;
/* How many things it was told since begin. */
size_t wire_switch_told(const struct wire_switch *w);
/* Sends what is left, marked as the last. cause may be NULL. An update that nothing was told of is
 * not sent, unless it is a snapshot. */
void wire_switch_end(struct wire_switch *w, Fab__V1__Cause *cause);

#endif
