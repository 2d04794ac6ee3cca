#include "vswitchd/vs_port.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "vswitchd/vs_capture.h"
#include "vswitchd/vs_frame.h"

#include <errno.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

static void
add(_Atomic uint64_t *n, uint64_t more)
{
	atomic_store_explicit(
	    n, atomic_load_explicit(n, memory_order_relaxed) + more, memory_order_relaxed);
}

static uint64_t
get(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void
count(struct vs_tally *t, size_t len)
{
	add(&t->packets, 1);
	add(&t->octets, len > VS_VNET_HDR ? len - VS_VNET_HDR : 0);
}

void
vs_port_init(struct vs_port *p, const char *name)
{
	*p = (struct vs_port){ .fd = -1 };
	snprintf(p->name, sizeof(p->name), "%s", name);
}

/* Never waits. The guest's helper has a duplicate of the descriptor and may clear O_NONBLOCK, which
 * both share; the engine must not hang on one guest. Older kernels cannot do this on sockets, which
 * only tests use. */
static ssize_t
read_at_once(int fd, uint8_t *buf, size_t size)
{
	const struct iovec iov = { .iov_base = buf, .iov_len = size };
	ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);

	return n < 0 && errno == EOPNOTSUPP ? read(fd, buf, size) : n;
}

ssize_t
vs_port_read(struct vs_port *p, uint8_t *buf, size_t size)
{
	ssize_t n = read_at_once(p->fd, buf, size);

	if (n > 0) {
		count(&p->rx, (size_t)n);
		return n;
	}
	if (n == 0) /* a socket's end; a TAP has none */
		return FAB_ECLOSED;
	return errno == EAGAIN || errno == EINTR ? 0 : FAB_EIO;
}

void
vs_port_count_read(struct vs_port *p, size_t len)
{
	count(&p->rx, len);
}

int
vs_port_write(struct vs_port *p, const uint8_t *buf, size_t len)
{
	ssize_t n;

	do
		n = write(p->fd, buf, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0) {
		count(&p->tx, len);
		return FAB_OK;
	}
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return FAB_EBUSY;
	case EINVAL:
	case EMSGSIZE:
		return FAB_EINVAL;
	default: /* EIO: set down in the guest; EBADFD: its namespace is gone */
		return FAB_ECLOSED;
	}
}

void
vs_port_dropped(struct vs_port *p, enum vs_drop why)
{
	add(&p->drops[why], 1);
	p->last_drop = why;
}

void
vs_port_show(
    const struct vs_port *p, const uint8_t *frame, size_t len, bool from_guest, enum vs_drop why)
{
	const struct vs_captured shown = { .at_us = fab_wall_us(),
		.from_guest = from_guest,
		.dropped = why != VS_DROP_COUNT,
		.why = why,
		.size = (uint32_t)(len - VS_VNET_HDR),
		.len = (uint32_t)(len - VS_VNET_HDR),
		.data = frame + VS_VNET_HDR };

	for (struct vs_capture *c = p->captures; len > VS_VNET_HDR && c != NULL; c = c->next)
		vs_capture_put(c, &shown);
}

void
vs_port_counters(const struct vs_port *p, struct vs_counters *out)
{
	*out = (struct vs_counters){ .attached = atomic_load(&p->live),
		.rx_packets = get(&p->rx.packets),
		.rx_octets = get(&p->rx.octets),
		.tx_packets = get(&p->tx.packets),
		.tx_octets = get(&p->tx.octets) };
	for (size_t i = 0; i < VS_DROP_COUNT; i++)
		out->drops[i] = get(&p->drops[i]);
}
