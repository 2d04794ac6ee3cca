/*
 * Listens for BGP over TCP: accepts, wraps each connection (bgp_tcp.c) and offers it to the owner,
 * who knows by the source address whose it is.
 */
#include "lib/bgp_transport.h"
#include "lib/err.h"
#include "lib/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG          128
#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_MS  100 /* when the process has no descriptors left */

struct tcp_listener {
	struct bgp_listener base;
	struct fab_loop *loop;
	int fd;
	struct event *readable;
	struct fab_timer *resume;
	bgp_accept_fn *fn;
	void *ctx;
};

static void
offer(struct tcp_listener *l, int fd, uint32_t from)
{
	struct bgp_incoming in = { .t = NULL };

	if (bgp_tcp_from_fd(&in.t, l->loop, fd) != FAB_OK) {
		close(fd);
		return;
	}
	l->fn(l->ctx, &in, from);
	if (in.t != NULL)
		bgp_incoming_refuse(&in, 0);
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct tcp_listener *l = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		int conn =
		    accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (conn >= 0) {
			offer(l, conn, ntohl(from.sin_addr.s_addr));
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK) {
			/* Out of descriptors: they stay in the backlog, do not spin on them. */
			event_del(l->readable);
			fab_timer_set_ms(l->resume, ACCEPT_PAUSE_MS);
		}
		return;
	}
}

static void
on_resume(void *arg)
{
	struct tcp_listener *l = arg;

	event_add(l->readable, NULL);
}

static void
tcp_listener_free(struct bgp_listener *base)
{
	struct tcp_listener *l = (struct tcp_listener *)base;

	if (l->readable != NULL)
		event_free(l->readable);
	fab_timer_free(l->resume);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

/* An address that is not there yet will come: a NIC gets its own when the switch plugs it in. */
static int
bind_to(int fd, const struct sockaddr_in *at)
{
	int on = 1;

	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0)
		return 0;
	if (errno != EADDRNOTAVAIL || setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) != 0)
		return -1;
	fab_debug("bgp: listening on an address that is not here yet");
	return bind(fd, (const struct sockaddr *)at, sizeof(*at));
}

static int
listen_socket(int *out, uint32_t addr, uint16_t port, uint16_t *bound)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(addr)
	};
	socklen_t len = sizeof(at);
	int on = 1, rc;

	if (fd < 0)
		return fab_err_from_errno(errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind_to(fd, &at) != 0 || listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
		rc = fab_err_from_errno(errno);
		close(fd);
		return rc;
	}
	*bound = ntohs(at.sin_port);
	*out = fd;
	return FAB_OK;
}

int
bgp_listen_tcp(struct bgp_listener **out, struct fab_loop *loop, uint32_t addr, uint16_t port,
    bgp_accept_fn *fn, void *ctx)
{
	struct tcp_listener *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return FAB_ENOMEM;
	*l = (struct tcp_listener){
		.base.free = tcp_listener_free, .loop = loop, .fd = -1, .fn = fn, .ctx = ctx
	};
	rc = listen_socket(&l->fd, addr, port, &l->base.port);
	if (rc != FAB_OK)
		goto fail;
	rc = FAB_ENOMEM;
	l->readable = event_new(fab_loop_base(loop), l->fd, EV_READ | EV_PERSIST, on_acceptable, l);
	if (l->readable == NULL || fab_timer_new(&l->resume, loop, on_resume, l) != FAB_OK ||
	    event_add(l->readable, NULL) != 0)
		goto fail;
	*out = &l->base;
	return FAB_OK;
fail:
	tcp_listener_free(&l->base);
	return rc;
}
