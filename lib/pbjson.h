#ifndef LIB_PBJSON_H
#define LIB_PBJSON_H
/*
 * A protobuf-c message as a JSON tree, by reflection on its descriptor: the proto3 JSON mapping,
 * with every field present, whatever its value, so that readers need not know the defaults.
 * Command-line tools and HTTP fronts use it; nothing on the way of a route does.
 */
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

enum pbjson_flags {
	PBJSON_CAMEL = 0,        /* next_hop_type -> nextHopType, as the mapping says */
	PBJSON_SNAKE = 1 << 0,   /* field names as in the .proto file */
	PBJSON_NUMBERS = 1 << 1, /* 64-bit integers as JSON numbers; the mapping has strings */
};

/*
 * Returns a new object, the caller's, or NULL when out of memory. addresses names the fixed32
 * fields (as in the .proto file) that are IPv4 addresses in host byte order and become dotted
 * quads; the list ends with NULL and may be NULL. Enums become their names, bytes base64, unset
 * messages and unselected members of a oneof are left out. Octets of a string that are not UTF-8
 * become '?'.
 */
json_t *pbjson_encode(const ProtobufCMessage *msg, unsigned flags, const char *const *addresses);

#endif
