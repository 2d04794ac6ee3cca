#ifndef LIB_RTNL_H
#define LIB_RTNL_H
/*
 * One rtnetlink request and its answer (libmnl for the messages). The kernel answers within the
 * call, so nothing here waits, whoever opened the socket or reads it too. Every failure leaves one
 * line in why[]: which step it was, what the kernel said and, where we know, what to do.
 */
#include <libmnl/libmnl.h>
#include <stdint.h>

#define RTNL_WHY_MAX     192
#define RTNL_REQUEST_MAX 512 /* octets */

struct rtnl_request {
	int sock;
	const char *step; /* "set the address": for why[] */
	mnl_cb_t cb;      /* for each message of the answer; NULL: none is expected */
	void *ctx;
	struct nlmsghdr *nlh;
	char buf[RTNL_REQUEST_MAX];
};

/* A socket of the caller's network namespace; its groups are a mask of RTMGRP_*. FAB_EIO. */
int rtnl_open(int *sock, uint32_t groups);

/* Starts a request in r: fixed is the size of the family's own header, which is returned zeroed;
 * attributes follow with mnl_attr_put_*(r->nlh, ...). */
void *rtnl_init(struct rtnl_request *r, int sock, const char *step, uint16_t type, uint16_t flags,
    size_t fixed);
/* FAB_OK; FAB_ENOENT no such device; FAB_EPERM; FAB_EEXIST; others as of errno. */
int rtnl_send(struct rtnl_request *r, char why[static RTNL_WHY_MAX]);

#endif
