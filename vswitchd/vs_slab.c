#include "vswitchd/vs_slab.h"

#include "lib/err.h"

#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- classes: four to each power of two ---- */

static uint8_t
class_of(uint32_t n)
{
	unsigned bits, step;

	if (n <= 4)
		return (uint8_t)(n - 1);
	bits = 31u - (unsigned)__builtin_clz(n - 1); /* 2^bits < n <= 2^(bits + 1) */
	step = (n - 1) >> (bits - 2);                /* 4 ... 7 */
	return (uint8_t)(4 + (bits - 2) * 4 + (step - 4));
}

static uint32_t
class_size(uint8_t class)
{
	unsigned bits, step;

	if (class < 4)
		return class + 1u;
	bits = (class - 4u) / 4 + 2;
	step = (class - 4u) % 4 + 4;
	return (step + 1) << (bits - 2);
}

uint32_t
vs_slab_size(uint32_t n)
{
	return class_size(class_of(n));
}

/* ---- resting ---- */

/* A grace period of RCU, under which programs run. */
int
vs_slab_grace(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0 ? FAB_OK : FAB_ENOTSUP;
}

/* Those that were freed before now - age. */
static void
wake(struct vs_slab *s, uint64_t age_ms)
{
	struct fab_mono now = fab_mono_now();
	struct vs_slice *i;

	while ((i = s->resting) != NULL && fab_mono_us_between(i->freed, now) >= age_ms * 1000) {
		s->resting = i->next;
		i->next = s->free[i->class];
		s->free[i->class] = i;
	}
	if (s->resting == NULL)
		s->resting_end = &s->resting;
}

static struct vs_slice *
pop(struct vs_slab *s, uint8_t class)
{
	struct vs_slice *i = s->free[class];

	if (i != NULL)
		s->free[class] = i->next;
	return i;
}

/* ---- slices ---- */

void
vs_slab_init(struct vs_slab *s, uint32_t room)
{
	*s = (struct vs_slab){ .room = room, .used = 1 };
	s->resting_end = &s->resting;
}

static void
free_list(struct vs_slice *i)
{
	for (struct vs_slice *next; i != NULL; i = next) {
		next = i->next;
		free(i);
	}
}

void
vs_slab_fini(struct vs_slab *s)
{
	for (size_t i = 0; i < VS_SLAB_CLASSES; i++)
		free_list(s->free[i]);
	free_list(s->resting);
	vs_slab_init(s, 0);
}

static int
fresh(struct vs_slab *s, struct vs_slice **out, uint8_t class)
{
	uint32_t size = class_size(class);
	struct vs_slice *i;

	if (size > s->room || s->used > s->room - size)
		return FAB_ETOOBIG;
	if ((i = calloc(1, sizeof(*i))) == NULL)
		return FAB_ENOMEM;
	*i = (struct vs_slice){ .at = s->used, .class = class };
	s->used += size;
	*out = i;
	return FAB_OK;
}

int
vs_slab_get(struct vs_slab *s, struct vs_slice **out, uint32_t n)
{
	uint8_t class = class_of(n);
	int err;

	wake(s, VS_SLAB_REST_MS);
	if ((*out = pop(s, class)) != NULL)
		return FAB_OK;
	if ((err = fresh(s, out, class)) != FAB_ETOOBIG || s->resting == NULL ||
	    vs_slab_grace() != FAB_OK)
		return err;
	wake(s, 0);
	return (*out = pop(s, class)) != NULL ? FAB_OK : FAB_ETOOBIG;
}

void
vs_slab_put(struct vs_slab *s, struct vs_slice *slice)
{
	if (slice == NULL)
		return;
	slice->freed = fab_mono_now();
	slice->next = NULL;
	*s->resting_end = slice;
	s->resting_end = &slice->next;
}
