#ifndef LIB_ATTACH_H
#define LIB_ATTACH_H
/*
 * How a guest is plugged into the virtual switch, over a UNIX SEQPACKET socket. The helper in the
 * guest's network namespace (fabattach) says one hello: its name, what its interface is to be
 * called and, by SCM_RIGHTS, descriptors of the namespace and of an rtnetlink socket that was
 * opened there. vswitchd answers when the guest's interface is up, with a duplicate of the TAP's
 * descriptor. Whoever closes the connection pulls the plug; a helper that offers the duplicate to
 * the next vswitchd keeps the interface as it is.
 *
 *   helper -> vswitchd   hello {name, interface, netns, rtnetlink [, TAP kept from before]}
 *   vswitchd -> helper   answer {FAB_OK [, TAP]} | {ATTACH_BRING_TAP} | {error, one line of text}
 *
 * Which kind of interface it is to be is vswitchd's to say: a veth, of which the helper has nothing
 * to hold, or a TAP. It asks for a TAP when the helper can make one, which is much cheaper inside
 * of the guest's namespace: the helper hangs up, makes it and comes again.
 *
 * Both sides run on the same kernel: numbers are in host order, a message is one packet of a fixed
 * size. Nothing here blocks; sockets are non-blocking. FAB_EBUSY: nothing to read, or no room, yet.
 */
#include <net/if.h>
#include <stdbool.h>
#include <sys/types.h>

#define ATTACH_VERSION  2
#define ATTACH_NAME_MAX 64      /* with NUL */
#define ATTACH_IFACE    "eth0"  /* as on a VM of Azure */
#define ATTACH_BESIDE   "vnet0" /* beside the eth0 of another network (fabctl compose) */
#define ATTACH_TEXT_MAX 192     /* with NUL */
#define ATTACH_BACKLOG  4096

#define ATTACH_BRING_TAP 1 /* status of an answer */

struct attach_hello {
	char name[ATTACH_NAME_MAX];
	char iface[IFNAMSIZ]; /* "": ATTACH_IFACE */
	int netns;
	int rtnl;
	int tap;         /* -1: none */
	bool knows_veth; /* an answer without a TAP will do */
	bool makes_tap;  /* so will ATTACH_BRING_TAP */
};

struct attach_answer {
	int status; /* FAB_OK or why not; what this build does not know becomes FAB_EIO */
	char text[ATTACH_TEXT_MAX];
	int tap; /* with FAB_OK: a descriptor, or -1: the interface is a veth; else -1 */
};

/* Descriptors stay the caller's. */
int attach_hello_send(int sock, const struct attach_hello *h);
int attach_answer_send(int sock, const struct attach_answer *a);

/* On FAB_OK the descriptors in out, close-on-exec, are the caller's until attach_*_close(). On
 * failure none is left open. FAB_ECLOSED: the peer has gone. FAB_EBADMSG, FAB_ENOTSUP (another
 * version), FAB_EINVAL (name): why[] says it in a line. */
int attach_hello_recv(int sock, struct attach_hello *out, char why[static ATTACH_TEXT_MAX]);
int attach_answer_recv(int sock, struct attach_answer *out, char why[static ATTACH_TEXT_MAX]);
void attach_hello_close(struct attach_hello *h);
void attach_answer_close(struct attach_answer *a);

/* Names are those of resources: letters and digits, and '-', '_', '.' but not first. */
int attach_name_check(const char *name);
/* Of an interface: likewise, and it fits into IFNAMSIZ. */
int attach_iface_check(const char *name);

/* Each guest takes three descriptors, on either side: raises the process's limit as far as the
 * system lets it. */
void attach_raise_limit(void);

/* Listens on path; mode says who may connect (0600, or 0666 where the directory guards it). A
 * socket that nobody listens on any more is replaced. FAB_EEXIST: somebody does, or it is something
 * else; FAB_ETOOBIG: the path is too long. The descriptor is the caller's. */
int attach_listen(int *out, const char *path, mode_t mode);
/* FAB_ENOENT, FAB_EUNREACH: nobody listens there; FAB_EBUSY: his backlog is full. */
int attach_connect(int *out, const char *path);

#endif
