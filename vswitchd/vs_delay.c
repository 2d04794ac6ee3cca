#include "vswitchd/vs_delay.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "vswitchd/vs_frame.h"
#include "vswitchd/vs_gso.h"
#include "vswitchd/vs_shape.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BURST 64 /* frames before it is somebody else's turn */

struct vs_delay {
	struct vs_shape *shape;
	vs_delay_send_fn *send;
	int timer;
	uint64_t armed;    /* for when, UINT64_MAX: not */
	uint64_t revision; /* of the model's links */
};

/* A frame, or a packet of it, on its way in. */
struct passage {
	struct vs_delay *d;
	const struct vs_verdict *v;
	struct vs_port *from, *to;
	uint64_t now;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int
vs_delay_new(struct vs_delay **out, vs_delay_send_fn *send)
{
	struct vs_delay *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return FAB_ENOMEM;
	*d = (struct vs_delay){ .send = send, .armed = UINT64_MAX };
	d->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (d->timer < 0 || vs_shape_new(&d->shape, fab_wall_us()) != FAB_OK) {
		vs_delay_free(d);
		return FAB_EIO;
	}
	*out = d;
	return FAB_OK;
}

void
vs_delay_free(struct vs_delay *d)
{
	if (d == NULL)
		return;
	vs_shape_free(d->shape);
	if (d->timer >= 0)
		close(d->timer);
	free(d);
}

int
vs_delay_fd(const struct vs_delay *d)
{
	return d->timer;
}

/* ---- the timer ---- */

static void
arm(struct vs_delay *d)
{
	uint64_t due = vs_shape_due(d->shape);
	struct itimerspec t = { 0 };

	if (due == d->armed)
		return;
	d->armed = due;
	if (due != UINT64_MAX) {
		t.it_value.tv_sec = (time_t)(due / 1000000000u);
		t.it_value.tv_nsec = (long)(due % 1000000000u);
	}
	timerfd_settime(d->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static void
deliver(void *arg, const struct vs_shape_frame *f)
{
	struct vs_delay *d = arg;

	d->send(f->from, f->to, (uint8_t *)(uintptr_t)f->data, f->len);
}

static void
count_lost(struct vs_port *from)
{
	if (from != NULL)
		vs_port_dropped(from, VS_DROP_IMPAIRMENT);
}

static void
lost(void *arg, const struct vs_shape_frame *f)
{
	(void)arg;
	count_lost(f->from);
}

void
vs_delay_run(struct vs_delay *d)
{
	static const struct vs_shape_ops ops = { deliver, lost };

	vs_shape_run(d->shape, now_ns(), BURST, &ops, d);
	d->armed = 0; /* it has fired; one in the past fires at once */
	arm(d);
}

/* ---- frames ---- */

void
vs_delay_sync(struct vs_delay *d, const struct vs_model *m)
{
	if (d->revision == vs_model_links_revision(m))
		return;
	if (vs_shape_sync(d->shape, m) == FAB_OK)
		d->revision = vs_model_links_revision(m);
}

static void
put_one(void *arg, uint8_t *frame, size_t len)
{
	struct passage *p = arg;
	const struct vs_shape_frame f = { .from = p->from,
		.to = p->to,
		.data = frame,
		.len = len,
		.wire = (uint32_t)(len - VS_VNET_HDR) };

	switch (vs_shape_put(p->d->shape, p->now, p->v->links, p->v->n_links, &f)) {
	case VS_FATE_PASS:
		p->d->send(p->from, p->to, frame, len);
		break;
	case VS_FATE_HELD:
		break;
	case VS_FATE_LOST:
		count_lost(p->from);
		break;
	}
}

void
vs_delay_put(struct vs_delay *d, const struct vs_verdict *v, struct vs_port *from,
    struct vs_port *to, uint8_t *frame, size_t len)
{
	struct passage p = { d, v, from, to, now_ns() };

	if (!vs_shape_by_packet(d->shape, v->links, v->n_links) ||
	    !vs_gso_split(frame, len, put_one, &p))
		put_one(&p, frame, len);
	arm(d);
}

void
vs_delay_forget(struct vs_delay *d, struct vs_port *p)
{
	vs_shape_forget(d->shape, p);
	arm(d);
}
