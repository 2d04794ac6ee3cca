#include "lib/rtnl.h"

#include "lib/err.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_OCTETS 32768
#define REPLIES_MAX  4096 /* read for one request before we call it answered by noise */

int
rtnl_open(int *sock, uint32_t groups)
{
	struct sockaddr_nl self = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return FAB_EIO;
	if (bind(fd, (const struct sockaddr *)&self, sizeof(self)) < 0) {
		close(fd);
		return FAB_EIO;
	}
	*sock = fd;
	return FAB_OK;
}

void *
rtnl_init(
    struct rtnl_request *r, int sock, const char *step, uint16_t type, uint16_t flags, size_t fixed)
{
	static uint32_t seq;

	*r = (struct rtnl_request){ .sock = sock, .step = step };
	r->nlh = mnl_nlmsg_put_header(r->buf);
	r->nlh->nlmsg_type = type;
	r->nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	r->nlh->nlmsg_seq = ++seq;
	return mnl_nlmsg_put_extra_header(r->nlh, fixed);
}

static int
request_error(const struct rtnl_request *r, int error, char why[static RTNL_WHY_MAX])
{
	snprintf(why, RTNL_WHY_MAX, "cannot %s: %s%s", r->step, strerror(error),
	    error == EPERM || error == EACCES ? "; this needs CAP_NET_ADMIN" : "");
	return error == ENODEV ? FAB_ENOENT : fab_err_from_errno(error);
}

/* The messages of one packet. True when the answer is complete; *error is then its errno. */
static bool
take_packet(const struct rtnl_request *r, const char *buf, size_t len, int *error)
{
	int left = (int)len;

	for (const struct nlmsghdr *m = (const void *)buf; mnl_nlmsg_ok(m, left);
	     m = mnl_nlmsg_next(m, &left)) {
		if (m->nlmsg_seq != r->nlh->nlmsg_seq)
			continue; /* a notification, or of an earlier user of this socket */
		if (m->nlmsg_type == NLMSG_DONE)
			return true;
		if (m->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);

			*error = mnl_nlmsg_get_payload_len(m) >= sizeof(*e) ? -e->error : EBADMSG;
			return true;
		}
		if (r->cb != NULL)
			r->cb(m, r->ctx);
	}
	return false;
}

/* Only what the kernel (port 0) sent counts. */
int
rtnl_send(struct rtnl_request *r, char why[static RTNL_WHY_MAX])
{
	char buf[REPLY_OCTETS] __attribute__((aligned(8)));
	struct sockaddr_nl to = { .nl_family = AF_NETLINK }, from;
	int error = 0;

	/* An explicit address: the kernel then asks for our capability, not the opener's. */
	if (sendto(r->sock, r->nlh, r->nlh->nlmsg_len, MSG_DONTWAIT, (const struct sockaddr *)&to,
		sizeof(to)) < 0)
		return request_error(r, errno, why);
	for (int i = 0; i < REPLIES_MAX; i++) {
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(
		    r->sock, buf, sizeof(buf), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

		if (n < 0 && errno != EINTR && errno != ENOBUFS)
			return request_error(r, errno, why);
		if (n < 0 || len != sizeof(from) || from.nl_pid != 0)
			continue;
		if (take_packet(r, buf, (size_t)n, &error))
			return error == 0 ? FAB_OK : request_error(r, error, why);
	}
	return request_error(r, EBADMSG, why);
}
