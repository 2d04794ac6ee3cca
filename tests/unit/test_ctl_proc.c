#include "tests/unit/fab_cunit.h"

#include "fabctl/ctl_proc.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/fabctl-proc-XXXXXX";
static char log_path[64];

static struct ctl_proc
spawn_sh(const char *script)
{
	char text[256];
	char *argv[] = { "/bin/sh", "-c", text, NULL };
	struct ctl_proc p = { 0 };

	snprintf(text, sizeof(text), "%s", script);
	CU_ASSERT_EQUAL_FATAL(
	    ctl_proc_spawn(&p, &(struct ctl_spawn){ .argv = argv, .cwd = dir, .log = log_path }),
	    FAB_OK);
	return p;
}

/* Waits until the process has the state, at most two seconds. */
static bool
becomes(struct ctl_proc p, enum ctl_proc_state want)
{
	struct fab_mono since = fab_mono_now();

	while (ctl_proc_state(p) != want) {
		if (fab_mono_us_between(since, fab_mono_now()) > 2000000)
			return false;
		poll(NULL, 0, 1);
	}
	return true;
}

static bool
file_appears(const char *name)
{
	struct fab_mono since = fab_mono_now();
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	while (access(path, F_OK) != 0) {
		if (fab_mono_us_between(since, fab_mono_now()) > 2000000)
			return false;
		poll(NULL, 0, 1);
	}
	unlink(path);
	return true;
}

/* Not there, or a zombie that nobody has waited for. */
static bool
gone(pid_t pid)
{
	char path[64], text[1024];
	struct ctl_stat st;
	size_t n;
	FILE *fp;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((fp = fopen(path, "r")) == NULL)
		return true;
	n = fread(text, 1, sizeof(text) - 1, fp);
	fclose(fp);
	text[n] = '\0';
	return ctl_stat_parse(&st, text) != FAB_OK || st.state == 'Z' || st.state == 'X';
}

static void
test_stat_line(void)
{
	static const struct {
		const char *text;
		int err;
		char state;
		pid_t group;
		uint64_t start;
	} cases[] = {
		{ "12 (sh) S 1 12 12 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 1", FAB_OK, 'S',
		    12, 4711 },
		{ "12 (a) b) (c) Z 1 9 9 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 "
		  "18446744073709551615 1",
		    FAB_OK, 'Z', 9, UINT64_MAX },
		{ "12 (sh) S 1 12", FAB_EBADMSG, 0, 0, 0 },
		{ "", FAB_EBADMSG, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ctl_stat st = { 0 };

		CU_ASSERT_EQUAL(ctl_stat_parse(&st, cases[i].text), cases[i].err);
		CU_ASSERT_EQUAL(st.state, cases[i].state);
		CU_ASSERT_EQUAL(st.group, cases[i].group);
		CU_ASSERT_EQUAL(st.start, cases[i].start);
	}
}

static void
test_life_of_a_process(void)
{
	struct ctl_proc p = spawn_sh("exec sleep 60");

	CU_ASSERT_TRUE(becomes(p, CTL_PROC_RUNNING));
	CU_ASSERT_EQUAL(getsid(p.pid), p.pid);
	CU_ASSERT_EQUAL(ctl_proc_signal(p, SIGSTOP), FAB_OK);
	CU_ASSERT_TRUE(becomes(p, CTL_PROC_PAUSED));
	CU_ASSERT_EQUAL(ctl_proc_signal(p, SIGCONT), FAB_OK);
	CU_ASSERT_TRUE(becomes(p, CTL_PROC_RUNNING));
	CU_ASSERT_EQUAL(ctl_proc_await_end(p, 1), FAB_ETIMEOUT);
	CU_ASSERT_EQUAL(ctl_proc_signal(p, SIGKILL), FAB_OK);
	CU_ASSERT_EQUAL(ctl_proc_await_end(p, 2000), FAB_OK);
	/* Nobody has waited for it: a zombie, dead for us. */
	CU_ASSERT_EQUAL(ctl_proc_state(p), CTL_PROC_DEAD);
	CU_ASSERT_EQUAL(ctl_proc_signal(p, SIGKILL), FAB_ENOENT);
	CU_ASSERT_EQUAL(waitpid(p.pid, NULL, 0), p.pid);
	CU_ASSERT_EQUAL(ctl_proc_state(p), CTL_PROC_DEAD);
}

static void
test_other_process_of_the_same_pid_is_left_alone(void)
{
	struct ctl_proc p = spawn_sh("exec sleep 60"), before = p;

	before.start--;
	CU_ASSERT_EQUAL(ctl_proc_state(before), CTL_PROC_DEAD);
	CU_ASSERT_EQUAL(ctl_proc_signal(before, SIGKILL), FAB_ENOENT);
	CU_ASSERT_EQUAL(ctl_proc_end_all(&before, 1, 0), 0);
	CU_ASSERT_EQUAL(ctl_proc_state(p), CTL_PROC_RUNNING);
	CU_ASSERT_EQUAL(ctl_proc_end_all(&p, 1, 2000), 0);
	waitpid(p.pid, NULL, 0);
}

static void
test_end_all_of_stopped_stubborn_and_forked(void)
{
	struct ctl_proc v[3] = {
		spawn_sh("exec sleep 60"),
		spawn_sh("trap '' TERM; touch stubborn; while :; do sleep 60; done"),
		spawn_sh("sleep 60 & echo $! > child; touch forked; trap 'exit 0' TERM; wait"),
	};
	char path[64], pid[16] = "";
	FILE *fp;

	CU_ASSERT_TRUE(file_appears("stubborn"));
	CU_ASSERT_TRUE(file_appears("forked"));
	snprintf(path, sizeof(path), "%s/child", dir);
	fp = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	CU_ASSERT_PTR_NOT_NULL(fgets(pid, sizeof(pid), fp));
	fclose(fp);
	unlink(path);
	CU_ASSERT_EQUAL(ctl_proc_signal(v[0], SIGSTOP), FAB_OK);
	CU_ASSERT_TRUE(becomes(v[0], CTL_PROC_PAUSED));

	/* The stubborn one has to be killed (its sleep ends by SIGTERM); nothing is left. */
	CU_ASSERT(ctl_proc_end_all(v, 3, 300) >= 1);
	for (int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(ctl_proc_state(v[i]), CTL_PROC_DEAD);
		waitpid(v[i].pid, NULL, 0);
	}
	CU_ASSERT_TRUE(gone((pid_t)strtol(pid, NULL, 10)));
}

static void
test_spawn_errors(void)
{
	char *none[] = { "/nonexistent/program", NULL }, *sh[] = { "/bin/sh", NULL };
	char *plain[] = { "/etc/passwd", NULL };
	struct ctl_proc p = { .pid = 1 };

	CU_ASSERT_EQUAL(
	    ctl_proc_spawn(&p, &(struct ctl_spawn){ .argv = none, .cwd = dir, .log = log_path }),
	    FAB_ENOENT);
	CU_ASSERT_EQUAL(
	    ctl_proc_spawn(
		&p, &(struct ctl_spawn){ .argv = sh, .cwd = "/nonexistent", .log = log_path }),
	    FAB_ENOENT);
	CU_ASSERT_EQUAL(
	    ctl_proc_spawn(&p, &(struct ctl_spawn){ .argv = plain, .cwd = dir, .log = log_path }),
	    FAB_EPERM);
	CU_ASSERT_EQUAL(p.pid, 1); /* untouched */
}

static void
test_output_goes_to_the_log(void)
{
	struct ctl_proc p = spawn_sh("echo out; echo err >&2; pwd");
	char text[256] = "";
	FILE *fp;
	size_t n;

	CU_ASSERT_EQUAL(ctl_proc_await_end(p, 2000), FAB_OK);
	waitpid(p.pid, NULL, 0);
	fp = fopen(log_path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	n = fread(text, 1, sizeof(text) - 1, fp);
	fclose(fp);
	text[n] = '\0';
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "out\nerr\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, dir));
}

/* First and last: the directory that the others use. */
static void
test_setup(void)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(log_path, sizeof(log_path), "%s/log", dir);
}

static void
test_nothing_is_left(void)
{
	unlink(log_path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static CU_TestInfo tests[] = {
	{ "set up", test_setup },
	{ "stat line", test_stat_line },
	{ "life of a process", test_life_of_a_process },
	{ "other process of the same pid is left alone",
	    test_other_process_of_the_same_pid_is_left_alone },
	{ "end all: stopped, stubborn and forked", test_end_all_of_stopped_stubborn_and_forked },
	{ "spawn errors", test_spawn_errors },
	{ "output goes to the log", test_output_goes_to_the_log },
	{ "nothing is left", test_nothing_is_left },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_proc", tests)
