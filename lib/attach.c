#include "lib/attach.h"

#include "lib/err.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HELLO_MAGIC  0x46414231u /* "FAB1" */
#define ANSWER_MAGIC 0x46414232u
#define HAS_TAP      1u
#define KNOWS_VETH   2u
#define MAKES_TAP    4u

#define HELLO_FDS_MAX 3 /* namespace, rtnetlink, TAP */

/* What travels. Both begin with magic and version, in every version to come. */
struct wire_head {
	uint32_t magic;
	uint32_t version;
};

struct wire_hello {
	struct wire_head head;
	uint32_t flags;
	char name[ATTACH_NAME_MAX];
	char iface[IFNAMSIZ];
};

struct wire_answer {
	struct wire_head head;
	int32_t status;
	char text[ATTACH_TEXT_MAX];
};

_Static_assert(sizeof(struct wire_hello) == 12 + ATTACH_NAME_MAX + IFNAMSIZ, "no holes");
_Static_assert(sizeof(struct wire_answer) == 12 + ATTACH_TEXT_MAX, "no holes");

/* ---- packets with descriptors ---- */

static int
head_check(const struct wire_head *h, uint32_t magic, char why[static ATTACH_TEXT_MAX])
{
	if (h->magic != magic) {
		snprintf(why, ATTACH_TEXT_MAX, "this is not the attach protocol");
		return FAB_EBADMSG;
	}
	if (h->version != ATTACH_VERSION) {
		snprintf(why, ATTACH_TEXT_MAX,
		    "version %u of the attach protocol, this side speaks %u; update the older one",
		    h->version, ATTACH_VERSION);
		return FAB_ENOTSUP;
	}
	return FAB_OK;
}

/* Room for one more descriptor than is ever right, so that too many can be told from enough. */
union control {
	struct cmsghdr align;
	char buf[CMSG_SPACE(sizeof(int) * (HELLO_FDS_MAX + 1))];
};

static int
packet_send(int sock, const void *data, size_t len, const int *fds, size_t n_fds)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	union control control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	while ((n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 && errno == EINTR)
		continue;
	if (n < 0)
		return errno == EAGAIN ? FAB_EBUSY : fab_err_from_errno(errno);
	return (size_t)n == len ? FAB_OK : FAB_EIO;
}

static void
close_fds(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

/* Collects the descriptors of a message. */
static size_t
take_fds(struct msghdr *msg, int fds[static HELLO_FDS_MAX + 1])
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		FAB_ASSERT(n <= HELLO_FDS_MAX + 1); /* more do not fit into union control */
		memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	}
	return n;
}

/* One packet of exactly len octets, head and all, of this version; *n_fds descriptors are the
 * caller's. */
static int
packet_recv(int sock, struct wire_head *head, uint32_t magic, size_t len,
    int fds[static HELLO_FDS_MAX + 1], size_t *n_fds, char why[static ATTACH_TEXT_MAX])
{
	struct iovec iov = { .iov_base = head, .iov_len = len };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	ssize_t n;
	int err = FAB_OK;

	while ((n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		continue;
	if (n < 0)
		return errno == EAGAIN ? FAB_EBUSY : fab_err_from_errno(errno);
	*n_fds = take_fds(&msg, fds);
	if (n == 0 && *n_fds == 0)
		return FAB_ECLOSED;
	/* Another version's may have another size; to know the version is more. */
	if ((size_t)n >= sizeof(*head))
		err = head_check(head, magic, why);
	if (err == FAB_OK &&
	    ((size_t)n != len || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)) {
		snprintf(why, ATTACH_TEXT_MAX,
		    "a message of a wrong size, or with too many descriptors");
		err = FAB_EBADMSG;
	}
	if (err != FAB_OK)
		close_fds(fds, *n_fds);
	return err;
}

/* ---- hello ---- */

static int
text_check(const char *name, size_t size)
{
	size_t len = strnlen(name, size);

	if (len == 0 || len == size || !isalnum((unsigned char)name[0]))
		return FAB_EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && strchr("-_.", name[i]) == NULL)
			return FAB_EINVAL;
	}
	return FAB_OK;
}

int
attach_name_check(const char *name)
{
	return text_check(name, ATTACH_NAME_MAX);
}

int
attach_iface_check(const char *name)
{
	return text_check(name, IFNAMSIZ);
}

int
attach_hello_send(int sock, const struct attach_hello *h)
{
	const char *iface = h->iface[0] != '\0' ? h->iface : ATTACH_IFACE;
	struct wire_hello w = { .head = { HELLO_MAGIC, ATTACH_VERSION } };
	int fds[HELLO_FDS_MAX] = { h->netns, h->rtnl, h->tap };

	if (attach_name_check(h->name) != FAB_OK || attach_iface_check(iface) != FAB_OK)
		return FAB_EINVAL;
	w.flags = (h->tap >= 0 ? HAS_TAP : 0) | (h->knows_veth ? KNOWS_VETH : 0) |
		  (h->makes_tap ? MAKES_TAP : 0);
	memcpy(w.name, h->name, strlen(h->name));
	memcpy(w.iface, iface, strlen(iface));
	return packet_send(sock, &w, sizeof(w), fds, h->tap >= 0 ? 3 : 2);
}

static int
hello_check(const struct wire_hello *w, size_t n_fds, char why[static ATTACH_TEXT_MAX])
{
	if ((w->flags & ~(HAS_TAP | KNOWS_VETH | MAKES_TAP)) != 0 ||
	    n_fds != ((w->flags & HAS_TAP) != 0 ? 3 : 2)) {
		snprintf(why, ATTACH_TEXT_MAX, "a hello with the wrong number of descriptors");
		return FAB_EBADMSG;
	}
	if (attach_name_check(w->name) != FAB_OK || attach_iface_check(w->iface) != FAB_OK) {
		snprintf(why, ATTACH_TEXT_MAX, "a hello without a proper name");
		return FAB_EINVAL;
	}
	return FAB_OK;
}

int
attach_hello_recv(int sock, struct attach_hello *out, char why[static ATTACH_TEXT_MAX])
{
	int fds[HELLO_FDS_MAX + 1], err;
	struct wire_hello w;
	size_t n_fds;

	if ((err = packet_recv(sock, &w.head, HELLO_MAGIC, sizeof(w), fds, &n_fds, why)) != FAB_OK)
		return err;
	if ((err = hello_check(&w, n_fds, why)) != FAB_OK) {
		close_fds(fds, n_fds);
		return err;
	}
	*out = (struct attach_hello){ .netns = fds[0],
		.rtnl = fds[1],
		.tap = n_fds == 3 ? fds[2] : -1,
		.knows_veth = (w.flags & KNOWS_VETH) != 0,
		.makes_tap = (w.flags & MAKES_TAP) != 0 };
	memcpy(out->name, w.name, sizeof(out->name));
	memcpy(out->iface, w.iface, sizeof(out->iface));
	return FAB_OK;
}

static void
close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
attach_hello_close(struct attach_hello *h)
{
	close_one(&h->netns);
	close_one(&h->rtnl);
	close_one(&h->tap);
}

/* ---- answer ---- */

int
attach_answer_send(int sock, const struct attach_answer *a)
{
	struct wire_answer w = { .head = { ANSWER_MAGIC, ATTACH_VERSION }, .status = a->status };

	snprintf(w.text, sizeof(w.text), "%s", a->text);
	return packet_send(
	    sock, &w, sizeof(w), &a->tap, a->status == FAB_OK && a->tap >= 0 ? 1 : 0);
}

/* Text of the other side ends in our log: one line, printable. */
static void
text_take(char out[static ATTACH_TEXT_MAX], const char text[static ATTACH_TEXT_MAX])
{
	size_t len = strnlen(text, ATTACH_TEXT_MAX - 1);

	for (size_t i = 0; i < len; i++)
		out[i] = isprint((unsigned char)text[i]) ? text[i] : ' ';
	out[len] = '\0';
}

int
attach_answer_recv(int sock, struct attach_answer *out, char why[static ATTACH_TEXT_MAX])
{
	int fds[HELLO_FDS_MAX + 1], err;
	struct wire_answer w;
	size_t n_fds;

	if ((err = packet_recv(sock, &w.head, ANSWER_MAGIC, sizeof(w), fds, &n_fds, why)) != FAB_OK)
		return err;
	if (n_fds > (w.status == FAB_OK ? 1 : 0)) {
		snprintf(why, ATTACH_TEXT_MAX, "an answer with the wrong number of descriptors");
		err = FAB_EBADMSG;
	}
	if (err != FAB_OK) {
		close_fds(fds, n_fds);
		return err;
	}
	out->status = (w.status <= FAB_OK && w.status >= FAB_EPERM) || w.status == ATTACH_BRING_TAP
			  ? w.status
			  : FAB_EIO;
	out->tap = n_fds == 1 ? fds[0] : -1;
	text_take(out->text, w.text);
	return FAB_OK;
}

void
attach_answer_close(struct attach_answer *a)
{
	close_one(&a->tap);
}

/* ---- sockets ---- */

void
attach_raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int
address(struct sockaddr_un *out, const char *path)
{
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(out->sun_path))
		return FAB_ETOOBIG;
	memcpy(out->sun_path, path, strlen(path));
	return FAB_OK;
}

static int
socket_new(int *out)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fab_err_from_errno(errno);
	*out = fd;
	return FAB_OK;
}

int
attach_connect(int *out, const char *path)
{
	struct sockaddr_un at;
	int fd = -1, err;

	if ((err = address(&at, path)) != FAB_OK || (err = socket_new(&fd)) != FAB_OK)
		return err;
	if (connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0) {
		*out = fd;
		return FAB_OK;
	}
	err = errno == EAGAIN ? FAB_EBUSY : fab_err_from_errno(errno);
	close(fd);
	return err;
}

/* A socket whose owner was killed stays in the file system. */
static int
clear_path(const char *path)
{
	struct stat st;
	int fd = -1, err;

	if (lstat(path, &st) != 0)
		return FAB_OK;
	if (!S_ISSOCK(st.st_mode))
		return FAB_EEXIST;
	err = attach_connect(&fd, path);
	if (err == FAB_OK)
		close(fd);
	if (err != FAB_EUNREACH)
		return FAB_EEXIST;
	return unlink(path) == 0 || errno == ENOENT ? FAB_OK : fab_err_from_errno(errno);
}

int
attach_listen(int *out, const char *path, mode_t mode)
{
	struct sockaddr_un at;
	int fd = -1, err;

	if ((err = address(&at, path)) != FAB_OK || (err = clear_path(path)) != FAB_OK ||
	    (err = socket_new(&fd)) != FAB_OK)
		return err;
	/* chmod before listen: nobody can connect in between. */
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, ATTACH_BACKLOG) != 0) {
		err = fab_err_from_errno(errno);
		close(fd);
		return err;
	}
	*out = fd;
	return FAB_OK;
}
