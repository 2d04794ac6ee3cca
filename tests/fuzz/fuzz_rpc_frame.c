/*
 * One RPC frame: whatever decodes must encode to something that decodes to the same; the body is
 * tried as the request and the answer of the method that the frame names.
 */
#include "lib/err.h"
#include "lib/rpc_impl.h"
#include "proto/control.pb-c.h"
#include "proto/fabric.pb-c.h"
#include "proto/node.pb-c.h"
#include "proto/speaker.pb-c.h"

#include <stdlib.h>
#include <string.h>

static const ProtobufCServiceDescriptor *const services[] = {
	&fab__v1__control__descriptor,
	&fab__v1__fabric__descriptor,
	&fab__v1__node__descriptor,
	&fab__v1__speaker__descriptor,
};

static uint8_t *
pack(const ProtobufCMessage *m, size_t *len)
{
	uint8_t *data = malloc(protobuf_c_message_get_packed_size(m) + 1);

	FAB_ASSERT(data != NULL);
	*len = protobuf_c_message_pack(m, data);
	return data;
}

static void
try_body(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body)
{
	ProtobufCMessage *m = rpc_body_decode(type, body), *again;
	ProtobufCBinaryData packed, repacked;

	if (m == NULL)
		return;
	packed.data = pack(m, &packed.len);
	again = rpc_body_decode(type, &packed);
	FAB_ASSERT(again != NULL);
	repacked.data = pack(again, &repacked.len);
	FAB_ASSERT(packed.len == repacked.len);
	FAB_ASSERT(memcmp(packed.data, repacked.data, packed.len) == 0);
	free(packed.data);
	free(repacked.data);
	protobuf_c_message_free_unpacked(m, NULL);
	protobuf_c_message_free_unpacked(again, NULL);
}

static void
try_methods(const Fab__V1__RpcFrame *f)
{
	char name[128];

	for (size_t s = 0; s < sizeof(services) / sizeof(services[0]); s++) {
		for (unsigned i = 0; i < services[s]->n_methods; i++) {
			const ProtobufCMethodDescriptor *m = &services[s]->methods[i];

			FAB_ASSERT(
			    rpc_method_name(name, sizeof(name), services[s], m->name) == FAB_OK);
			if (strcmp(name, f->method) != 0)
				continue;
			try_body(m->input, &f->body);
			try_body(m->output, &f->body);
		}
	}
}

/* What we send ourselves: the head, and a body packed straight behind it. */
static void
try_encode(const Fab__V1__RpcFrame *f)
{
	Fab__V1__RpcFrame head = *f, *back;
	Fab__V1__Counter body = FAB__V1__COUNTER__INIT;
	struct fab_buf *b;

	head.body = (ProtobufCBinaryData){ 0, NULL };
	head.base.n_unknown_fields = 0;
	body.name = f->message;
	body.value = f->seq;
	if (rpc_frame_encode(&b, &head, &body.base) != FAB_OK)
		return;
	rpc_frame_mark_end(b);
	back = rpc_frame_decode(b->data, b->len);
	FAB_ASSERT(back != NULL && back->call == f->call && back->epoch == f->epoch);
	FAB_ASSERT(back->snapshot_end && strcmp(back->method, f->method) == 0);
	FAB_ASSERT(back->body.len == fab__v1__counter__get_packed_size(&body));
	fab__v1__rpc_frame__free_unpacked(back, NULL);
	fab_buf_unref(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Fab__V1__RpcFrame *f = rpc_frame_decode(data, size);

	if (f == NULL)
		return 0;
	try_methods(f);
	try_encode(f);
	fab__v1__rpc_frame__free_unpacked(f, NULL);
	return 0;
}
