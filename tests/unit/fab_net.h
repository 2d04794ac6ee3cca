#ifndef TESTS_UNIT_FAB_NET_H
#define TESTS_UNIT_FAB_NET_H
/*
 * For tests with sockets: a directory under /tmp that lives as long as the test, certificates made
 * by the openssl command, and AWAIT(), which turns the loop until a condition holds.
 */
#include "lib/clock.h"
#include "lib/loop.h"

#include <CUnit/Basic.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define AWAIT_LIMIT_US 20000000

/* Turns loop until cond holds; fatal for the test after 20 s. */
#define AWAIT(loop, cond)                                                                          \
	do {                                                                                       \
		struct fab_mono await_start_ = fab_mono_now();                                     \
                                                                                                   \
		while (                                                                            \
		    !(cond) && fab_mono_us_between(await_start_, fab_mono_now()) < AWAIT_LIMIT_US) \
			fab_loop_turn(loop, 100);                                                  \
		CU_ASSERT_FATAL(cond);                                                             \
	} while (0)

struct fab_test_dir {
	char path[32];
	char url[64]; /* ipc URL of a socket in it */
};

static inline void
fab_test_dir_init(struct fab_test_dir *d)
{
	snprintf(d->path, sizeof(d->path), "/tmp/fabtest.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(d->path));
	snprintf(d->url, sizeof(d->url), "ipc://%s/s.ipc", d->path);
}

static inline int
fab_test_dir_remove_(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void
fab_test_dir_fini(struct fab_test_dir *d)
{
	nftw(d->path, fab_test_dir_remove_, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes NAME-ca.pem and, signed by it, NAME.pem and NAME.key for host "localhost". */
static inline int
fab_test_certs(const struct fab_test_dir *d, const char *name)
{
	char cmd[1024];

	snprintf(cmd, sizeof(cmd),
	    "cd %s && exec 2>openssl.log && "
	    "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=%s-ca "
	    "-keyout %s-ca.key -out %s-ca.pem && "
	    "openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout %s.key -out %s.csr && "
	    "openssl x509 -req -in %s.csr -CA %s-ca.pem -CAkey %s-ca.key -CAcreateserial -days 2 "
	    "-out %s.pem",
	    d->path, name, name, name, name, name, name, name, name, name);
	return system(cmd);
}

#endif
