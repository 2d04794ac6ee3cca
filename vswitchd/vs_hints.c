#include "vswitchd/vs_hints.h"

#include "lib/err.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SEEN_BITS 12 /* flows that are remembered; two in one place forget each other */
#define FIRST     2  /* told with this packet ... */
#define AGAIN     16 /* ... and, while they still come here, with each so many-th */

struct seen {
	struct vs_flow_key key;
	uint32_t packets;
};

struct vs_hints {
	int wake;
	_Atomic uint32_t head, tail; /* head: the engine's; tail: the loop's */
	struct vs_hint ring[VS_HINTS_ROOM];
	struct seen seen[1u << SEEN_BITS]; /* engine's thread */
};

int
vs_hints_new(struct vs_hints **out)
{
	struct vs_hints *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return FAB_ENOMEM;
	if ((h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		free(h);
		return FAB_EIO;
	}
	*out = h;
	return FAB_OK;
}

void
vs_hints_free(struct vs_hints *h)
{
	if (h == NULL)
		return;
	close(h->wake);
	free(h);
}

static struct seen *
place_of(struct vs_hints *h, const struct vs_flow_key *k)
{
	uint64_t x = ((uint64_t)k->src << 32 | k->dst) * 0x9e3779b97f4a7c15u;

	x = (x ^ k->from ^ (uint64_t)k->ports << 16 ^ k->proto) * 0xff51afd7ed558ccdu;
	return &h->seen[x >> (64 - SEEN_BITS)];
}

static void
put(struct vs_hints *h, const struct vs_hint *hint)
{
	uint32_t head = atomic_load_explicit(&h->head, memory_order_relaxed);
	uint32_t tail = atomic_load_explicit(&h->tail, memory_order_acquire);
	uint64_t one = 1;

	if (head - tail == VS_HINTS_ROOM)
		return;
	h->ring[head % VS_HINTS_ROOM] = *hint;
	atomic_store_explicit(&h->head, head + 1, memory_order_release);
	/* It cannot overflow: the loop empties it before the ring is full again. */
	FAB_ASSERT(write(h->wake, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

void
vs_hints_see(struct vs_hints *h, const struct vs_hint *hint)
{
	struct seen *s = place_of(h, &hint->key);

	if (memcmp(&s->key, &hint->key, sizeof(s->key)) != 0)
		*s = (struct seen){ .key = hint->key };
	s->packets++;
	if (s->packets == FIRST || s->packets % AGAIN == 0)
		put(h, hint);
}

int
vs_hints_fd(const struct vs_hints *h)
{
	return h->wake;
}

bool
vs_hints_take(struct vs_hints *h, struct vs_hint *out)
{
	uint32_t tail = atomic_load_explicit(&h->tail, memory_order_relaxed);
	uint64_t n;

	if (tail == atomic_load_explicit(&h->head, memory_order_acquire)) {
		/* What comes between the two is put with a wake-up of its own. */
		(void)!read(h->wake, &n, sizeof(n));
		if (tail == atomic_load_explicit(&h->head, memory_order_acquire))
			return false;
	}
	*out = h->ring[tail % VS_HINTS_ROOM];
	atomic_store_explicit(&h->tail, tail + 1, memory_order_release);
	return true;
}
