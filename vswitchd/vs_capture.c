/*
 * The ring of a capture (see vs_capture.h): records of a head and octets, one writer, one reader.
 */
#include "vswitchd/vs_capture.h"

#include "lib/err.h"
#include "vswitchd/vs_frame.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct vs_capture_ring {
	int fd;
	_Atomic uint64_t head, tail; /* octets put and taken, ever */
	uint64_t lost;               /* writer: since the last record */
	uint8_t taken[VS_FRAME_MAX];
	uint8_t data[VS_CAPTURE_RING];
};

int
vs_capture_new(struct vs_capture **out, uint32_t snap)
{
	struct vs_capture *c = calloc(1, sizeof(*c));

	if (c == NULL || (c->ring = calloc(1, sizeof(*c->ring))) == NULL) {
		free(c);
		return FAB_ENOMEM;
	}
	c->snap = snap > 0 && snap < VS_FRAME_MAX ? snap : VS_FRAME_MAX;
	if ((c->ring->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		vs_capture_free(c);
		return FAB_EIO;
	}
	*out = c;
	return FAB_OK;
}

void
vs_capture_free(struct vs_capture *c)
{
	if (c == NULL)
		return;
	if (c->ring->fd >= 0)
		close(c->ring->fd);
	free(c->ring);
	free(c);
}

int
vs_capture_fd(const struct vs_capture *c)
{
	return c->ring->fd;
}

/* ---- octets that may go round the end ---- */

static void
copy_in(struct vs_capture_ring *r, uint64_t at, const void *from, size_t n)
{
	size_t i = at % VS_CAPTURE_RING, first = VS_CAPTURE_RING - i < n ? VS_CAPTURE_RING - i : n;

	memcpy(r->data + i, from, first);
	memcpy(r->data, (const uint8_t *)from + first, n - first);
}

static void
copy_out(const struct vs_capture_ring *r, uint64_t at, void *to, size_t n)
{
	size_t i = at % VS_CAPTURE_RING, first = VS_CAPTURE_RING - i < n ? VS_CAPTURE_RING - i : n;

	memcpy(to, r->data + i, first);
	memcpy((uint8_t *)to + first, r->data, n - first);
}

/* ---- writer and reader ---- */

void
vs_capture_put(struct vs_capture *c, const struct vs_captured *p)
{
	struct vs_capture_ring *r = c->ring;
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire), one = 1;
	struct vs_captured rec = *p;

	rec.len = p->len < c->snap ? p->len : c->snap;
	rec.lost = r->lost;
	if (head - tail + sizeof(rec) + rec.len > VS_CAPTURE_RING) {
		r->lost++;
		return;
	}
	r->lost = 0;
	copy_in(r, head, &rec, sizeof(rec));
	copy_in(r, head + sizeof(rec), p->data, rec.len);
	atomic_store(&r->head, head + sizeof(rec) + rec.len);
	if (atomic_load(&r->tail) == head) /* the reader had everything before: it may be asleep */
		FAB_ASSERT(write(r->fd, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

bool
vs_capture_take(struct vs_capture *c, struct vs_captured *out)
{
	struct vs_capture_ring *r = c->ring;
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed), n;

	if (atomic_load_explicit(&r->head, memory_order_acquire) == tail) {
		while (read(r->fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
			;
		/* Who comes now sees that the reader has everything, and wakes it. */
		if (atomic_load(&r->head) == tail)
			return false;
	}
	copy_out(r, tail, out, sizeof(*out));
	copy_out(r, tail + sizeof(*out), r->taken, out->len);
	out->data = r->taken;
	atomic_store(&r->tail, tail + sizeof(*out) + out->len);
	return true;
}
