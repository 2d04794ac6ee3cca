#ifndef FABRICD_FC_MEM_H
#define FABRICD_FC_MEM_H
/*
 * Memory that dies together: what one configuration or one reply is built of. The error is sticky,
 * so a builder checks once at its end.
 */
#include <stddef.h>
#include <stdint.h>

struct fc_mem {
	struct fc_block *blocks;
	int err; /* FAB_OK, or the first thing that went wrong */
};

/* n elements of size octets, zeroed. NULL for n of 0, and after an error. */
void *fc_mem_take(struct fc_mem *m, size_t n, size_t size);
/* Never NULL: "" after an error. */
char *fc_mem_format(struct fc_mem *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void fc_mem_free(struct fc_mem *m);

/* protobuf-c's structs have no const; packing does not write. */
static inline char *
fc_unconst(const char *s)
{
	return (char *)(uintptr_t)s;
}

#endif
