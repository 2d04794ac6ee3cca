#include "vswitchd/vs_carrier.h"

#include "lib/err.h"
#include "lib/loop.h"
#include "lib/rtnl.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_OCTETS 32768
#define READS_MAX    64 /* in one turn of the loop */

struct vs_carrier {
	int sock;
	struct event *readable;
	vs_carrier_fn *fn;
	void *ctx;
};

static int
take(const struct nlmsghdr *m, void *ctx)
{
	const struct ifinfomsg *i = mnl_nlmsg_get_payload(m);
	const struct vs_carrier *c = ctx;

	if ((m->nlmsg_type == RTM_NEWLINK || m->nlmsg_type == RTM_DELLINK) &&
	    mnl_nlmsg_get_payload_len(m) >= sizeof(*i))
		c->fn(c->ctx, i->ifi_index,
		    m->nlmsg_type == RTM_NEWLINK && (i->ifi_flags & IFF_LOWER_UP) != 0);
	return MNL_CB_OK;
}

/* Notices were lost: ask how everything is. */
static void
ask(struct vs_carrier *c)
{
	char why[RTNL_WHY_MAX];
	struct rtnl_request r;
	int sock;

	if (rtnl_open(&sock, 0) != FAB_OK)
		return;
	rtnl_init(&r, sock, "list interfaces", RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
	r.cb = take;
	r.ctx = c;
	rtnl_send(&r, why);
	close(sock);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	char buf[REPLY_OCTETS] __attribute__((aligned(8)));
	struct vs_carrier *c = arg;

	(void)what;
	for (int i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0 && errno == ENOBUFS)
			ask(c);
		else if (n < 0)
			return;
		for (const struct nlmsghdr *m = (const void *)buf; mnl_nlmsg_ok(m, left);
		     m = mnl_nlmsg_next(m, &left))
			take(m, c);
	}
}

int
vs_carrier_new(struct vs_carrier **out, struct fab_loop *loop, vs_carrier_fn *fn, void *ctx)
{
	struct vs_carrier *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return FAB_ENOMEM;
	*c = (struct vs_carrier){ .sock = -1, .fn = fn, .ctx = ctx };
	if ((err = rtnl_open(&c->sock, RTMGRP_LINK)) != FAB_OK)
		goto fail;
	c->readable = event_new(fab_loop_base(loop), c->sock, EV_READ | EV_PERSIST, on_readable, c);
	if (c->readable == NULL || event_add(c->readable, NULL) != 0) {
		err = FAB_ENOMEM;
		goto fail;
	}
	*out = c;
	return FAB_OK;
fail:
	vs_carrier_free(c);
	return err;
}

void
vs_carrier_free(struct vs_carrier *c)
{
	if (c == NULL)
		return;
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->sock >= 0)
		close(c->sock);
	free(c);
}
