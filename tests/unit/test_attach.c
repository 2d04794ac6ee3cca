#include "tests/unit/fab_cunit.h"

#include "lib/attach.h"
#include "lib/err.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int pair[2];
static char why[ATTACH_TEXT_MAX];

static void
pair_open(void)
{
	CU_ASSERT_EQUAL_FATAL(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	why[0] = '\0';
}

static void
pair_close(void)
{
	close(pair[0]);
	close(pair[1]);
}

static int
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int
null_fd(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	return fd;
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

/* A packet with n descriptors, around all checks of the sender. */
static void
send_raw(const void *data, size_t len, size_t n)
{
	int fds[8];
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(fds))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	for (size_t i = 0; i < n; i++)
		fds[i] = pair[0];
	if (n > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	CU_ASSERT_EQUAL(sendmsg(pair[0], &msg, 0), (ssize_t)len);
}

/* Octets of a good message, as the sender makes them. */
static size_t
good_hello(unsigned char buf[static 512])
{
	struct attach_hello h = { .name = "vm11", .netns = pair[0], .rtnl = pair[0], .tap = -1 };
	ssize_t n;

	CU_ASSERT_EQUAL(attach_hello_send(pair[0], &h), FAB_OK);
	n = recv(pair[1], buf, 512, 0); /* its descriptors are dropped */
	CU_ASSERT_FATAL(n > 16);
	return (size_t)n;
}

static void
test_hello(void)
{
	int a = null_fd(), b, before;
	struct attach_hello h, got;

	pair_open();
	b = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	before = open_fds();
	for (int tap = -1; tap <= b; tap += b + 1) {
		h = (struct attach_hello){ .netns = a,
			.rtnl = b,
			.tap = tap,
			.knows_veth = tap < 0,
			.makes_tap = tap >= 0 };
		snprintf(h.name, sizeof(h.name), "spoke11.vm_1-%c", tap < 0 ? 'a' : 'b');
		CU_ASSERT_EQUAL(attach_hello_send(pair[0], &h), FAB_OK);
		CU_ASSERT_EQUAL_FATAL(attach_hello_recv(pair[1], &got, why), FAB_OK);
		CU_ASSERT_STRING_EQUAL(got.name, h.name);
		CU_ASSERT(same_file(got.netns, a) && same_file(got.rtnl, b));
		CU_ASSERT(tap < 0 ? got.tap == -1 : same_file(got.tap, b));
		CU_ASSERT(got.knows_veth == h.knows_veth && got.makes_tap == h.makes_tap);
		CU_ASSERT((fcntl(got.netns, F_GETFD) & FD_CLOEXEC) != 0);
		attach_hello_close(&got);
		CU_ASSERT_EQUAL(got.netns, -1);
		CU_ASSERT_EQUAL(open_fds(), before);
	}
	close(a);
	close(b);
	pair_close();
}

static void
test_answer(void)
{
	struct attach_answer a = { .status = FAB_OK, .tap = null_fd() }, got;
	int before;

	pair_open();
	before = open_fds();
	CU_ASSERT_EQUAL(attach_answer_send(pair[0], &a), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(attach_answer_recv(pair[1], &got, why), FAB_OK);
	CU_ASSERT_EQUAL(got.status, FAB_OK);
	CU_ASSERT(same_file(got.tap, a.tap));
	attach_answer_close(&got);
	close(a.tap);

	a = (struct attach_answer){ FAB_EEXIST, "vm11 is\nattached \033[1m", -1 };
	CU_ASSERT_EQUAL(attach_answer_send(pair[0], &a), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(attach_answer_recv(pair[1], &got, why), FAB_OK);
	CU_ASSERT_EQUAL(got.status, FAB_EEXIST);
	CU_ASSERT_EQUAL(got.tap, -1);
	CU_ASSERT_STRING_EQUAL(got.text, "vm11 is attached  [1m");
	for (int status = FAB_OK; status <= ATTACH_BRING_TAP;
	     status++) { /* no TAP comes with them */
		a = (struct attach_answer){ .status = status, .tap = -1 };
		CU_ASSERT_EQUAL(attach_answer_send(pair[0], &a), FAB_OK);
		CU_ASSERT_EQUAL_FATAL(attach_answer_recv(pair[1], &got, why), FAB_OK);
		CU_ASSERT(got.status == status && got.tap == -1);
	}
	a.status = -12345;
	CU_ASSERT_EQUAL(attach_answer_send(pair[0], &a), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(attach_answer_recv(pair[1], &got, why), FAB_OK);
	CU_ASSERT_EQUAL(got.status, FAB_EIO);
	CU_ASSERT_EQUAL(open_fds(), before - 1);
	pair_close();
}

static void
test_nothing_there_and_gone(void)
{
	struct attach_answer a;
	struct attach_hello h;

	pair_open();
	CU_ASSERT_EQUAL(attach_hello_recv(pair[1], &h, why), FAB_EBUSY);
	CU_ASSERT_EQUAL(attach_answer_recv(pair[1], &a, why), FAB_EBUSY);
	close(pair[0]);
	CU_ASSERT_EQUAL(attach_hello_recv(pair[1], &h, why), FAB_ECLOSED);
	CU_ASSERT_EQUAL(attach_answer_recv(pair[1], &a, why), FAB_ECLOSED);
	h = (struct attach_hello){ .name = "vm11", .netns = pair[1], .rtnl = pair[1], .tap = -1 };
	CU_ASSERT_EQUAL(attach_hello_send(pair[1], &h), FAB_ECLOSED); /* no SIGPIPE */
	close(pair[1]);
}

static void
test_wrong_number_of_descriptors(void)
{
	unsigned char good[512];
	struct attach_hello h;
	size_t len;
	int before;

	pair_open();
	len = good_hello(good);
	before = open_fds();
	for (size_t n = 0; n <= 8; n++) {
		if (n == 2)
			continue;
		send_raw(good, len, n);
		CU_ASSERT_EQUAL(attach_hello_recv(pair[1], &h, why), FAB_EBADMSG);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "descriptors"));
		CU_ASSERT_EQUAL(open_fds(), before); /* those that came were closed */
	}
	send_raw(good, len, 2); /* and the connection still works */
	CU_ASSERT_EQUAL_FATAL(attach_hello_recv(pair[1], &h, why), FAB_OK);
	attach_hello_close(&h);
	pair_close();
}

static void
test_cut_and_long_messages(void)
{
	unsigned char good[512];
	struct attach_answer a;
	struct attach_hello h;
	size_t len;
	int before;

	pair_open();
	len = good_hello(good);
	before = open_fds();
	for (size_t n = 1; n < sizeof(good); n++) {
		if (n == len)
			continue;
		send_raw(good, n, 2);
		CU_ASSERT_EQUAL(attach_hello_recv(pair[1], &h, why), FAB_EBADMSG);
	}
	send_raw(good, len, 2);
	CU_ASSERT_EQUAL(attach_answer_recv(pair[1], &a, why), FAB_EBADMSG); /* of the other kind */
	CU_ASSERT_EQUAL(open_fds(), before);
	pair_close();
}

static void
test_garbage(void)
{
	unsigned char good[512], bad[512];
	struct attach_hello h;
	size_t len;
	int before;

	pair_open();
	len = good_hello(good);
	before = open_fds();
	/* Magic, version and flags: every bit counts but the two that say what a helper can do. */
	for (size_t bit = 0; bit < 96; bit++) {
		if (bit == 65 || bit == 66)
			continue;
		memcpy(bad, good, len);
		bad[bit / 8] ^= (unsigned char)(1u << bit % 8);
		send_raw(bad, len, 2);
		CU_ASSERT_EQUAL(
		    attach_hello_recv(pair[1], &h, why), bit / 32 == 1 ? FAB_ENOTSUP : FAB_EBADMSG);
		CU_ASSERT_NOT_EQUAL(why[0], '\0');
	}
	srandom(1);
	for (int i = 0; i < 200; i++) {
		for (size_t k = 0; k < len; k++)
			bad[k] = (unsigned char)random();
		send_raw(bad, len, (size_t)i % 4);
		CU_ASSERT_EQUAL(attach_hello_recv(pair[1], &h, why), FAB_EBADMSG);
	}
	CU_ASSERT_EQUAL(open_fds(), before);
	pair_close();
}

static void
test_version_is_named(void)
{
	unsigned char buf[512];
	struct attach_hello h;
	uint32_t version = 7;
	size_t len;

	pair_open();
	len = good_hello(buf);
	memcpy(buf + 4, &version, sizeof(version));
	send_raw(buf, len, 2);
	CU_ASSERT_EQUAL(attach_hello_recv(pair[1], &h, why), FAB_ENOTSUP);
	CU_ASSERT_STRING_EQUAL(
	    why, "version 7 of the attach protocol, this side speaks 2; update the older one");
	pair_close();
}

static void
test_names(void)
{
	static const struct {
		const char *name;
		int err;
	} cases[] = {
		{ "vm11", FAB_OK },
		{ "a", FAB_OK },
		{ "hub1.nva-1_x", FAB_OK },
		{ "", FAB_EINVAL },
		{ ".run", FAB_EINVAL },
		{ "-x", FAB_EINVAL },
		{ "..", FAB_EINVAL },
		{ "a/b", FAB_EINVAL },
		{ "a b", FAB_EINVAL },
		{ "a\n", FAB_EINVAL },
	};
	struct attach_hello h = { .netns = 0, .rtnl = 1, .tap = -1 };
	unsigned char buf[512];
	size_t len;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(attach_name_check(cases[i].name), cases[i].err);
	pair_open();
	CU_ASSERT_EQUAL(attach_hello_send(pair[0], &h), FAB_EINVAL);
	len = good_hello(buf);
	memset(buf + 12, 'x', ATTACH_NAME_MAX); /* a name without an end */
	send_raw(buf, len, 2);
	CU_ASSERT_EQUAL(attach_hello_recv(pair[1], &h, why), FAB_EINVAL);
	pair_close();
}

static void
test_listen(void)
{
	char dir[] = "/tmp/attach-XXXXXX", path[64], deep[256];
	int l, other, c;
	struct stat st;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	CU_ASSERT_EQUAL(attach_connect(&c, path), FAB_ENOENT);
	CU_ASSERT_EQUAL_FATAL(attach_listen(&l, path, 0600), FAB_OK);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
	CU_ASSERT_EQUAL(attach_listen(&other, path, 0600), FAB_EEXIST);
	CU_ASSERT_EQUAL_FATAL(attach_connect(&c, path), FAB_OK);
	close(c);
	close(l); /* as if killed: the file stays */
	CU_ASSERT_EQUAL(attach_connect(&c, path), FAB_EUNREACH);
	CU_ASSERT_EQUAL_FATAL(attach_listen(&l, path, 0600), FAB_OK);
	close(l);
	unlink(path);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0); /* not ours to replace */
	CU_ASSERT_EQUAL(attach_listen(&l, path, 0600), FAB_EEXIST);
	rmdir(path);
	snprintf(deep, sizeof(deep), "%s/%0200d", dir, 0);
	CU_ASSERT_EQUAL(attach_listen(&l, deep, 0600), FAB_ETOOBIG);
	CU_ASSERT_EQUAL(attach_connect(&l, deep), FAB_ETOOBIG);
	rmdir(dir);
}

static CU_TestInfo tests[] = {
	{ "a hello brings its descriptors", test_hello },
	{ "an answer brings the TAP or one printable line", test_answer },
	{ "nothing there yet, and a peer that has gone", test_nothing_there_and_gone },
	{ "too few and too many descriptors are refused and closed",
	    test_wrong_number_of_descriptors },
	{ "messages cut short, too long, or of the other kind", test_cut_and_long_messages },
	{ "garbage is refused", test_garbage },
	{ "another version is named", test_version_is_named },
	{ "names that could leave a directory or a line are refused", test_names },
	{ "a socket left behind is replaced, one in use is not", test_listen },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("attach", tests)
