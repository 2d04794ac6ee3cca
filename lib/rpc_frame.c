/*
 * RPC frames to bytes and back; the only user of protobuf-c's pack and unpack in lib/rpc. A message
 * is packed straight into the frame that carries it.
 */
#include "lib/rpc_impl.h"

#include <stdlib.h>
#include <string.h>

#define BODY_TAG         ((7u << 3) | 2u)  /* field 7, length-delimited */
#define SNAPSHOT_END_TAG ((10u << 3) | 0u) /* field 10, varint */
#define MARK_LEN         2
#define VARINT_MAX       5

static const char *const status_names[] = {
	[FAB_RPC_OK] = "OK",
	[FAB_RPC_CANCELLED] = "CANCELLED",
	[FAB_RPC_UNKNOWN] = "UNKNOWN",
	[FAB_RPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
	[FAB_RPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
	[FAB_RPC_NOT_FOUND] = "NOT_FOUND",
	[FAB_RPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
	[FAB_RPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
	[FAB_RPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
	[FAB_RPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
	[FAB_RPC_ABORTED] = "ABORTED",
	[FAB_RPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
	[FAB_RPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
	[FAB_RPC_INTERNAL] = "INTERNAL",
	[FAB_RPC_UNAVAILABLE] = "UNAVAILABLE",
	[FAB_RPC_DATA_LOSS] = "DATA_LOSS",
	[FAB_RPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *
fab_rpc_status_name(enum fab_rpc_status s)
{
	if ((size_t)s >= sizeof(status_names) / sizeof(status_names[0]))
		return "UNKNOWN";
	return status_names[s];
}

enum fab_rpc_status
fab_rpc_status_of(int err)
{
	switch (err) {
	case FAB_OK:
		return FAB_RPC_OK;
	case FAB_EINVAL:
	case FAB_EBADMSG:
		return FAB_RPC_INVALID_ARGUMENT;
	case FAB_ENOMEM:
	case FAB_ETOOBIG:
	case FAB_EBUSY:
		return FAB_RPC_RESOURCE_EXHAUSTED;
	case FAB_ENOENT:
		return FAB_RPC_NOT_FOUND;
	case FAB_EEXIST:
		return FAB_RPC_ALREADY_EXISTS;
	case FAB_ECLOSED:
	case FAB_EUNREACH:
		return FAB_RPC_UNAVAILABLE;
	case FAB_ETIMEOUT:
		return FAB_RPC_DEADLINE_EXCEEDED;
	case FAB_ENOTSUP:
		return FAB_RPC_UNIMPLEMENTED;
	case FAB_EPERM:
		return FAB_RPC_PERMISSION_DENIED;
	default:
		return FAB_RPC_INTERNAL;
	}
}

static size_t
varint_put(uint8_t *out, uint32_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

int
rpc_frame_encode(struct fab_buf **out, const Fab__V1__RpcFrame *head, const ProtobufCMessage *body)
{
	size_t head_len = fab__v1__rpc_frame__get_packed_size(head);
	size_t body_len = body != NULL ? protobuf_c_message_get_packed_size(body) : 0;
	struct fab_buf *b;
	size_t n;

	if (body_len > FAB_CONN_FRAME_MAX ||
	    head_len + 1 + VARINT_MAX + body_len + MARK_LEN > FAB_CONN_FRAME_MAX)
		return FAB_ETOOBIG;
	b = fab_buf_new(head_len + 1 + VARINT_MAX + body_len + MARK_LEN);
	if (b == NULL)
		return FAB_ENOMEM;
	n = fab__v1__rpc_frame__pack(head, b->data);
	if (body_len > 0) {
		b->data[n++] = BODY_TAG;
		n += varint_put(b->data + n, (uint32_t)body_len);
		n += protobuf_c_message_pack(body, b->data + n);
	}
	b->len = (uint32_t)n;
	*out = b;
	return FAB_OK;
}

/* Fields of a protobuf message may come in any order, so this one can be appended. */
void
rpc_frame_mark_end(struct fab_buf *b)
{
	b->data[b->len++] = SNAPSHOT_END_TAG;
	b->data[b->len++] = 1;
}

struct budget {
	size_t left;
};

static void *
budget_alloc(void *arg, size_t size)
{
	struct budget *b = arg;

	if (size > b->left)
		return NULL;
	b->left -= size;
	return malloc(size);
}

static void
budget_free(void *arg, void *p)
{
	(void)arg;
	free(p);
}

static ProtobufCMessage *
bounded_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *data, size_t len)
{
	struct budget budget = { RPC_DECODE_MAX };
	ProtobufCAllocator allocator = { budget_alloc, budget_free, &budget };

	/* Freed later with the default allocator, which is free() as well. */
	return protobuf_c_message_unpack(type, &allocator, len, data);
}

Fab__V1__RpcFrame *
rpc_frame_decode(const uint8_t *data, size_t len)
{
	return (Fab__V1__RpcFrame *)bounded_unpack(&fab__v1__rpc_frame__descriptor, data, len);
}

ProtobufCMessage *
rpc_body_decode(const ProtobufCMessageDescriptor *type, const ProtobufCBinaryData *body)
{
	return bounded_unpack(type, body->data, body->len);
}

int
rpc_method_name(
    char *out, size_t size, const ProtobufCServiceDescriptor *service, const char *method)
{
	int n = snprintf(out, size, "%s/%s", service->name, method);

	return n > 0 && (size_t)n < size ? FAB_OK : FAB_ETOOBIG;
}

const ProtobufCMethodDescriptor *
rpc_method_find(
    char *name, size_t size, const ProtobufCServiceDescriptor *service, const char *method)
{
	const ProtobufCMethodDescriptor *m =
	    protobuf_c_service_descriptor_get_method_by_name(service, method);

	FAB_ASSERT(m != NULL && rpc_method_name(name, size, service, method) == FAB_OK);
	return m;
}
