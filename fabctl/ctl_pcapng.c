#include "fabctl/ctl_pcapng.h"

#include "lib/err.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_SECTION    0x0a0d0d0au
#define BLOCK_INTERFACE  1u
#define BLOCK_STATISTICS 5u
#define BLOCK_PACKET     6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_ETHER   1u
#define OPT_END          0u
#define OPT_COMMENT      1u
#define OPT_SHB_USERAPPL 4u
#define OPT_IF_NAME      2u
#define OPT_EPB_FLAGS    2u
#define OPT_EPB_DROPS    4u
#define OPT_ISB_IFRECV   4u
#define OPT_ISB_IFDROP   5u
#define FLAG_INBOUND     1u /* as the NIC sees it */
#define FLAG_OUTBOUND    2u

/* One block in the making. */
struct block {
	uint8_t *data;
	size_t n, room;
	int err;
};

static void
put(struct block *b, const void *p, size_t n)
{
	size_t room = b->room == 0 ? 512 : b->room;
	uint8_t *data;

	while (room < b->n + n)
		room *= 2;
	if (room > b->room && (data = realloc(b->data, room)) == NULL) {
		b->err = FAB_ENOMEM;
		return;
	}
	if (room > b->room) {
		b->data = data;
		b->room = room;
	}
	if (n > 0)
		memcpy(b->data + b->n, p, n);
	b->n += n;
}

static void
put_u16(struct block *b, uint16_t v)
{
	put(b, &v, sizeof(v));
}

static void
put_u32(struct block *b, uint32_t v)
{
	put(b, &v, sizeof(v));
}

/* Everything is a multiple of four octets long. */
static void
put_padded(struct block *b, const void *p, size_t n)
{
	static const uint8_t zeros[4];

	put(b, p, n);
	put(b, zeros, (4 - n % 4) % 4);
}

static void
put_option(struct block *b, uint16_t code, const void *p, size_t n)
{
	put_u16(b, code);
	put_u16(b, (uint16_t)n);
	put_padded(b, p, n);
}

static void
put_text(struct block *b, uint16_t code, const char *text)
{
	if (text[0] != '\0')
		put_option(b, code, text, strnlen(text, 1024));
}

static void
block_begin(struct block *b, uint32_t type)
{
	*b = (struct block){ 0 };
	put_u32(b, type);
	put_u32(b, 0); /* the length, which block_end() knows */
}

static int
block_end(struct block *b, FILE *fp)
{
	uint32_t total;
	int err;

	put_u32(b, OPT_END);
	total = (uint32_t)b->n + 4;
	put_u32(b, total);
	if ((err = b->err) == FAB_OK) {
		memcpy(b->data + 4, &total, sizeof(total));
		err = fwrite(b->data, 1, b->n, fp) == b->n ? FAB_OK : FAB_EIO;
	}
	free(b->data);
	return err;
}

int
ctl_pcapng_begin(FILE *fp, const char *interface, const char *program)
{
	static const uint8_t unknown_length[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
	struct block b;
	int err;

	block_begin(&b, BLOCK_SECTION);
	put_u32(&b, BYTE_ORDER_MAGIC);
	put_u16(&b, 1); /* version 1.0 */
	put_u16(&b, 0);
	put(&b, unknown_length, sizeof(unknown_length));
	put_text(&b, OPT_SHB_USERAPPL, program);
	if ((err = block_end(&b, fp)) != FAB_OK)
		return err;
	block_begin(&b, BLOCK_INTERFACE);
	put_u16(&b, LINKTYPE_ETHER);
	put_u16(&b, 0);
	put_u32(&b, 0); /* packets are whole */
	put_text(&b, OPT_IF_NAME, interface);
	return block_end(&b, fp);
}

static void
put_time(struct block *b, uint64_t at_us)
{
	put_u32(b, (uint32_t)(at_us >> 32));
	put_u32(b, (uint32_t)at_us);
}

int
ctl_pcapng_packet(FILE *fp, const struct ctl_pcapng_packet *p)
{
	const uint32_t flags = p->from_guest ? FLAG_OUTBOUND : FLAG_INBOUND;
	struct block b;

	block_begin(&b, BLOCK_PACKET);
	put_u32(&b, 0); /* the interface */
	put_time(&b, p->at_us);
	put_u32(&b, (uint32_t)p->len);
	put_u32(&b, p->size);
	put_padded(&b, p->data, p->len);
	put_option(&b, OPT_EPB_FLAGS, &flags, sizeof(flags));
	if (p->lost > 0)
		put_option(&b, OPT_EPB_DROPS, &p->lost, sizeof(p->lost));
	put_text(&b, OPT_COMMENT, p->comment);
	return block_end(&b, fp);
}

int
ctl_pcapng_end(FILE *fp, uint64_t at_us, uint64_t seen, uint64_t lost)
{
	struct block b;

	block_begin(&b, BLOCK_STATISTICS);
	put_u32(&b, 0);
	put_time(&b, at_us);
	put_option(&b, OPT_ISB_IFRECV, &seen, sizeof(seen));
	put_option(&b, OPT_ISB_IFDROP, &lost, sizeof(lost));
	return block_end(&b, fp);
}
