#ifndef LIB_ERR_H
#define LIB_ERR_H
/*
 * Error codes of every call in this tree that can fail: FAB_OK or a negative enum fab_err. Results
 * leave through out-parameters, untouched on failure. Foreign codes (errno, NNG, SQLite) are
 * translated once, in the wrapper that made the call.
 */
#include <stdio.h>
#include <stdlib.h>

enum fab_err {
	FAB_OK = 0,
	FAB_EINVAL = -1, /* an argument or input is malformed */
	FAB_ENOMEM = -2,
	FAB_ENOENT = -3, /* no such object */
	FAB_EEXIST = -4,
	FAB_EBADMSG = -5,  /* a message does not decode */
	FAB_ETOOBIG = -6,  /* a named limit is exceeded */
	FAB_ECLOSED = -7,  /* the object or connection is closed */
	FAB_EUNREACH = -8, /* nobody listens there */
	FAB_ETIMEOUT = -9,
	FAB_ENOTSUP = -10,
	FAB_EBUSY = -11,
	FAB_EIO = -12, /* anything else the system refused; errno says more */
	FAB_EPERM = -13,
};

/* A short phrase for err; never NULL, static storage. */
const char *fab_strerror(int err);
/* The fab_err that stands for a value of errno. */
int fab_err_from_errno(int error);

/* A broken invariant ends the process; input from a peer never may. */
#define FAB_ASSERT(x)                                                                              \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "%s:%d: assertion failed: %s\n", __FILE__, __LINE__, #x);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
