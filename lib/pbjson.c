#include "lib/pbjson.h"

#include "lib/ipnet.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct encoder {
	unsigned flags;
	const char *const *addresses;
};

/* Text for names and values that peers control: JSON must stay valid whatever they send. */
static json_t *
text_json(const char *s)
{
	json_t *value = json_string(s);
	char *copy;

	if (value != NULL || (copy = strdup(s)) == NULL)
		return value;
	for (char *p = copy; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	value = json_string(copy);
	free(copy);
	return value;
}

static json_t *
base64_json(const uint8_t *data, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((len + 2) / 3 * 4 + 1), *out = text;
	json_t *value;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t b = (uint32_t)data[i] << 16;

		if (i + 1 < len)
			b |= (uint32_t)data[i + 1] << 8;
		if (i + 2 < len)
			b |= data[i + 2];
		*out++ = digits[b >> 18];
		*out++ = digits[b >> 12 & 63];
		*out++ = i + 1 < len ? digits[b >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[b & 63] : '=';
	}
	*out = '\0';
	value = json_string(text);
	free(text);
	return value;
}

static json_t *
wide_json(const struct encoder *e, bool negative, uint64_t magnitude)
{
	if ((e->flags & PBJSON_NUMBERS) != 0 && magnitude <= INT64_MAX)
		return json_integer(negative ? -(json_int_t)magnitude : (json_int_t)magnitude);
	return json_sprintf("%s%llu", negative ? "-" : "", (unsigned long long)magnitude);
}

static json_t *
enum_json(const ProtobufCEnumDescriptor *desc, int number)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(desc, number);

	return v != NULL ? json_string(v->name) : json_integer(number);
}

static json_t *
fixed32_json(const struct encoder *e, const char *name, uint32_t v)
{
	char buf[IPADDR_STRLEN];

	for (const char *const *a = e->addresses; a != NULL && *a != NULL; a++) {
		if (strcmp(*a, name) == 0)
			return json_string(ipaddr_format(buf, v));
	}
	return json_integer(v);
}

static json_t *message_json(const struct encoder *e, const ProtobufCMessage *msg);

/* Reads a member of generated code: where the descriptor says it is, with the type it says. */
#define MEMBER(type, at) (*(type const *)(at))

static json_t *
value_json(const struct encoder *e, const ProtobufCFieldDescriptor *f, const void *at)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_integer(MEMBER(int32_t, at));
	case PROTOBUF_C_TYPE_UINT32:
		return json_integer(MEMBER(uint32_t, at));
	case PROTOBUF_C_TYPE_FIXED32:
		return fixed32_json(e, f->name, MEMBER(uint32_t, at));
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64: {
		int64_t v = MEMBER(int64_t, at);

		return wide_json(e, v < 0, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
	}
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return wide_json(e, false, MEMBER(uint64_t, at));
	case PROTOBUF_C_TYPE_FLOAT:
		return json_real((double)MEMBER(float, at));
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_real(MEMBER(double, at));
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(MEMBER(protobuf_c_boolean, at));
	case PROTOBUF_C_TYPE_ENUM:
		return enum_json(f->descriptor, MEMBER(int, at));
	case PROTOBUF_C_TYPE_STRING:
		return text_json(MEMBER(char *, at) != NULL ? MEMBER(char *, at) : "");
	case PROTOBUF_C_TYPE_BYTES:
		return base64_json(
		    MEMBER(ProtobufCBinaryData, at).data, MEMBER(ProtobufCBinaryData, at).len);
	case PROTOBUF_C_TYPE_MESSAGE:
		return message_json(e, MEMBER(ProtobufCMessage *, at));
	}
	return NULL;
}

static size_t
element_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

static json_t *
list_json(const struct encoder *e, const ProtobufCFieldDescriptor *f, const uint8_t *base)
{
	size_t n = MEMBER(size_t, base + f->quantifier_offset);
	const uint8_t *v = MEMBER(uint8_t *, base + f->offset);
	json_t *list = json_array();

	for (size_t i = 0; list != NULL && i < n; i++) {
		if (json_array_append_new(list, value_json(e, f, v + i * element_size(f->type))) !=
		    0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static bool
left_out(const ProtobufCFieldDescriptor *f, const uint8_t *base)
{
	if ((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 &&
	    MEMBER(uint32_t, base + f->quantifier_offset) != f->id)
		return true;
	return f->label != PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_MESSAGE &&
	       MEMBER(ProtobufCMessage *, base + f->offset) == NULL;
}

/* The key of a field: its name, or that in lowerCamelCase. */
static void
field_key(const struct encoder *e, const char *name, char *key, size_t size)
{
	size_t n = 0;

	for (const char *p = name; *p != '\0' && n + 1 < size; p++) {
		if (*p != '_' || (e->flags & PBJSON_SNAKE) != 0)
			key[n++] = *p;
		else if (p[1] >= 'a' && p[1] <= 'z')
			key[n++] = (char)(*++p - 'a' + 'A');
	}
	key[n] = '\0';
}

static json_t *
message_json(const struct encoder *e, const ProtobufCMessage *msg)
{
	const uint8_t *base = (const uint8_t *)msg;
	json_t *object = json_object();
	char key[128];

	for (unsigned i = 0; object != NULL && i < msg->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &msg->descriptor->fields[i];
		json_t *value;

		if (left_out(f, base))
			continue;
		value = f->label == PROTOBUF_C_LABEL_REPEATED ? list_json(e, f, base)
							      : value_json(e, f, base + f->offset);
		field_key(e, f->name, key, sizeof(key));
		if (json_object_set_new(object, key, value) != 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

json_t *
pbjson_encode(const ProtobufCMessage *msg, unsigned flags, const char *const *addresses)
{
	const struct encoder e = { .flags = flags, .addresses = addresses };

	return message_json(&e, msg);
}
