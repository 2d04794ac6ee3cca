#include "lib/err.h"

#include <errno.h>

static const char *const err_names[] = {
	[-FAB_OK] = "ok",
	[-FAB_EINVAL] = "invalid argument",
	[-FAB_ENOMEM] = "out of memory",
	[-FAB_ENOENT] = "not found",
	[-FAB_EEXIST] = "already exists",
	[-FAB_EBADMSG] = "malformed message",
	[-FAB_ETOOBIG] = "limit exceeded",
	[-FAB_ECLOSED] = "closed",
	[-FAB_EUNREACH] = "unreachable",
	[-FAB_ETIMEOUT] = "timed out",
	[-FAB_ENOTSUP] = "not supported",
	[-FAB_EBUSY] = "busy",
	[-FAB_EIO] = "input/output error",
	[-FAB_EPERM] = "permission denied",
};

const char *
fab_strerror(int err)
{
	size_t i = (size_t) - (long)err;

	if (err > 0 || i >= sizeof(err_names) / sizeof(err_names[0]))
		return "unknown error";
	return err_names[i];
}

int
fab_err_from_errno(int error)
{
	switch (error) {
	case 0:
		return FAB_OK;
	case EINVAL:
		return FAB_EINVAL;
	case ENOMEM:
		return FAB_ENOMEM;
	case ENOENT:
		return FAB_ENOENT;
	case EEXIST:
	case EADDRINUSE:
		return FAB_EEXIST;
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
		return FAB_EUNREACH;
	case ECONNRESET:
	case EPIPE:
		return FAB_ECLOSED;
	case ETIMEDOUT:
		return FAB_ETIMEOUT;
	case EACCES:
	case EPERM:
		return FAB_EPERM;
	default:
		return FAB_EIO;
	}
}
