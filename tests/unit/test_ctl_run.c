#include "tests/unit/fab_cunit.h"

#include "fabctl/ctl_run.h"
#include "lib/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[] = "/tmp/fabctl-run-XXXXXX";
static char base[64], dir[96];

static void
test_setup(void)
{
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
	setenv("XDG_RUNTIME_DIR", root, 1);
	snprintf(base, sizeof(base), "%s/hubspoke-%u", root, (unsigned)getuid());
	snprintf(dir, sizeof(dir), "%s/one", base);
}

static void
test_paths_and_urls(void)
{
	char buf[PATH_MAX];

	CU_ASSERT_EQUAL(ctl_run_base(buf), FAB_OK);
	CU_ASSERT_STRING_EQUAL(buf, base);
	CU_ASSERT_EQUAL(ctl_run_default(buf, "one"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(buf, dir);
	CU_ASSERT_EQUAL(ctl_run_url(buf, "/run/x"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(buf, "ipc:///run/x/fabricd.ipc");
	CU_ASSERT_EQUAL(ctl_run_of_url(buf, "ipc:///run/x/fabricd.ipc"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(buf, "/run/x");
	CU_ASSERT_EQUAL(ctl_run_of_url(buf, "tcp://127.0.0.1:5180"), FAB_EINVAL);
	CU_ASSERT_EQUAL(ctl_run_of_url(buf, "ipc:///run/x/other.ipc"), FAB_EINVAL);
	CU_ASSERT_EQUAL(ctl_run_of_url(buf, "ipc://"), FAB_EINVAL);
}

static void
test_socket_paths_are_short_enough(void)
{
	char path[CTL_SOCK_MAX + 1];

	memset(path, 'a', sizeof(path));
	path[CTL_SOCK_MAX - strlen("/nva1.ipc")] = '\0';
	CU_ASSERT_EQUAL(ctl_run_check_socket(path, "nva1"), FAB_OK);
	CU_ASSERT_EQUAL(ctl_run_check_socket(path, "nva12"), FAB_ETOOBIG);
}

static void
test_create_lock_and_remove(void)
{
	char path[128];
	struct stat st;
	int lock, second;
	json_t *info;

	CU_ASSERT_EQUAL_FATAL(ctl_run_create(&lock, dir, "one", "/x/one.yaml"), FAB_OK);
	CU_ASSERT_EQUAL(stat(dir, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0700);
	CU_ASSERT_EQUAL_FATAL(ctl_run_info(&info, dir), FAB_OK);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(info, "name")), "one");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(info, "topology")), "/x/one.yaml");
	json_decref(info);
	/* Another fabctl is at work here. */
	CU_ASSERT_EQUAL(ctl_run_lock(&second, dir, false), FAB_EBUSY);
	CU_ASSERT_EQUAL(ctl_run_create(&second, dir, "one", "x"), FAB_EEXIST);
	close(lock);
	CU_ASSERT_EQUAL(ctl_run_lock(&lock, dir, false), FAB_OK);
	close(lock);
	/* Whatever is in it goes, links are not followed. */
	snprintf(path, sizeof(path), "%s/sub", dir);
	CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/sub/link", dir);
	CU_ASSERT_EQUAL(symlink(root, path), 0);
	CU_ASSERT_EQUAL(ctl_run_remove(dir), FAB_OK);
	CU_ASSERT_EQUAL(access(dir, F_OK), -1);
	CU_ASSERT_EQUAL(access(root, F_OK), 0);
	CU_ASSERT_EQUAL(ctl_run_lock(&lock, dir, false), FAB_ENOENT);
	CU_ASSERT_EQUAL(ctl_run_info(&info, dir), FAB_ENOENT);
}

static void
test_directories_of_others_are_left_alone(void)
{
	char other[128], file[160];
	FILE *fp;
	int lock;

	snprintf(other, sizeof(other), "%s/other", root);
	snprintf(file, sizeof(file), "%s/precious.json", other);
	CU_ASSERT_EQUAL(mkdir(other, 0755), 0);
	fp = fopen(file, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
	fclose(fp);
	CU_ASSERT_EQUAL(ctl_run_create(&lock, other, "x", "x"), FAB_EINVAL);
	CU_ASSERT_EQUAL(ctl_run_remove(other), FAB_ENOENT);
	CU_ASSERT_EQUAL(access(file, F_OK), 0);
	CU_ASSERT_EQUAL(ctl_run_create(&lock, file, "x", "x"), FAB_EINVAL);
	unlink(file);
	CU_ASSERT_EQUAL(ctl_run_create(&lock, other, "x", "x"), FAB_OK); /* empty: welcome */
	close(lock);
	CU_ASSERT_EQUAL(ctl_run_remove(other), FAB_OK);
	snprintf(file, sizeof(file), "%s/no/such/parent", root);
	CU_ASSERT_NOT_EQUAL(ctl_run_create(&lock, file, "x", "x"), FAB_OK);
	CU_ASSERT_EQUAL(errno, ENOENT);
}

static void
test_base_that_others_can_write_is_refused(void)
{
	int lock;

	rmdir(base);
	CU_ASSERT_EQUAL(mkdir(base, 0700), 0);
	CU_ASSERT_EQUAL(chmod(base, 0777), 0);
	CU_ASSERT_EQUAL(ctl_run_create(&lock, dir, "one", "x"), FAB_EPERM);
	CU_ASSERT_EQUAL(rmdir(base), 0);
	CU_ASSERT_EQUAL(symlink(root, base), 0);
	CU_ASSERT_EQUAL(ctl_run_create(&lock, dir, "one", "x"), FAB_EPERM);
	CU_ASSERT_EQUAL(unlink(base), 0);
}

static void
test_current_leads_to_the_last_fabric(void)
{
	char buf[PATH_MAX];

	CU_ASSERT_EQUAL(ctl_run_current(buf), FAB_ENOENT);
	CU_ASSERT_EQUAL(ctl_run_set_current("/run/a"), FAB_OK);
	CU_ASSERT_EQUAL(ctl_run_set_current("/run/b"), FAB_OK);
	CU_ASSERT_EQUAL(ctl_run_current(buf), FAB_OK);
	CU_ASSERT_STRING_EQUAL(buf, "/run/b");
	ctl_run_clear_current("/run/a"); /* not the current one */
	CU_ASSERT_EQUAL(ctl_run_current(buf), FAB_OK);
	ctl_run_clear_current("/run/b");
	CU_ASSERT_EQUAL(ctl_run_current(buf), FAB_ENOENT);
}

static int
spawn(const char *name, const char *kind, json_t *argv)
{
	return ctl_state_spawn(
	    dir, &(struct ctl_state){ .name = name, .kind = kind, .argv = argv, .cwd = "/" });
}

static void
test_state_files(void)
{
	struct ctl_state s, *v;
	json_t *argv = json_pack("[s,s,s]", "/bin/sh", "-c", "exit 3");
	int lock, status;
	size_t n;

	CU_ASSERT_EQUAL_FATAL(ctl_run_create(&lock, dir, "one", "x"), FAB_OK);
	CU_ASSERT_EQUAL(spawn("nva1", "nva", argv), FAB_OK);
	CU_ASSERT_EQUAL(spawn("fabricd", "fabric", argv), FAB_OK);
	CU_ASSERT_EQUAL(spawn("dc1", "site", argv), FAB_OK);
	CU_ASSERT_EQUAL(ctl_state_load(&s, dir, "nva1"), FAB_OK);
	CU_ASSERT_STRING_EQUAL(s.kind, "nva");
	CU_ASSERT_STRING_EQUAL(s.cwd, "/");
	CU_ASSERT(json_equal(s.argv, argv));
	CU_ASSERT_EQUAL(ctl_proc_await_end(s.proc, 2000), FAB_OK);
	CU_ASSERT_EQUAL(waitpid(s.proc.pid, &status, 0), s.proc.pid);
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 3);
	ctl_state_fini(&s);

	CU_ASSERT_EQUAL(ctl_state_list(&v, &n, dir), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(n, 3);
	CU_ASSERT_STRING_EQUAL(v[0].name, "fabricd");
	CU_ASSERT_STRING_EQUAL(v[1].name, "dc1");
	CU_ASSERT_STRING_EQUAL(v[2].name, "nva1");
	for (size_t i = 0; i < n; i++) {
		if (ctl_proc_await_end(v[i].proc, 2000) == FAB_OK)
			waitpid(v[i].proc.pid, NULL, 0);
	}
	ctl_state_list_free(v, n);
	ctl_state_forget(dir, "dc1");
	CU_ASSERT_EQUAL(ctl_state_load(&s, dir, "dc1"), FAB_ENOENT);
	CU_ASSERT_EQUAL(ctl_state_load(&s, dir, "../one/nva1"), FAB_ENOENT);
	CU_ASSERT_EQUAL(ctl_state_load(&s, dir, ".run"), FAB_ENOENT);
	json_decref(argv);
	close(lock);
}

static void
test_files_that_are_no_state_are_skipped(void)
{
	static const char *const texts[] = { "", "[]", "{}", "{\"name\":\"bad\"}", "garbage",
		("{\"name\":\"other\",\"kind\":\"k\",\"pid\":1,\"start_time\":1,\"started_us\":1,"
		 "\"cwd\":\"/\",\"argv\":[\"x\"]}") };
	struct ctl_state s, *v;
	char path[128];
	size_t n;

	snprintf(path, sizeof(path), "%s/bad.json", dir);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *fp = fopen(path, "w");

		CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
		fputs(texts[i], fp);
		fclose(fp);
		CU_ASSERT_EQUAL(ctl_state_load(&s, dir, "bad"), FAB_EBADMSG);
		CU_ASSERT_EQUAL(ctl_state_list(&v, &n, dir), FAB_OK);
		CU_ASSERT_EQUAL(n, 2);
		ctl_state_list_free(v, n);
	}
}

/* All processes above have ended: `up` may take the directory again, as after a reboot. */
static void
test_remains_of_dead_processes_make_room(void)
{
	char path[128];
	int lock;

	CU_ASSERT_EQUAL(ctl_run_create(&lock, dir, "two", "x"), FAB_OK);
	snprintf(path, sizeof(path), "%s/nva1.json", dir);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
	close(lock);
}

static void
test_living_processes_keep_the_directory(void)
{
	json_t *argv = json_pack("[s,s]", "/bin/sleep", "60");
	struct ctl_state s;
	int lock;

	CU_ASSERT_EQUAL(spawn("nva1", "nva", argv), FAB_OK);
	CU_ASSERT_EQUAL(ctl_run_create(&lock, dir, "three", "x"), FAB_EEXIST);
	CU_ASSERT_EQUAL(ctl_state_load(&s, dir, "nva1"), FAB_OK);
	CU_ASSERT_EQUAL(ctl_proc_state(s.proc), CTL_PROC_RUNNING);
	ctl_proc_end_all(&s.proc, 1, 2000);
	waitpid(s.proc.pid, NULL, 0);
	ctl_state_fini(&s);
	json_decref(argv);
}

static void
test_log_tail(void)
{
	static const struct {
		const char *text, *want;
		unsigned lines;
	} cases[] = {
		{ "a\nb\nc\n", "b\nc", 2 },
		{ "a\nb\nc\n", "a\nb\nc", 9 },
		{ "one", "one", 1 },
		{ "", "", 3 },
		{ "\n\n\n", "", 3 },
		{ "a\nb", "b", 1 },
	};
	char path[128], *tail;

	snprintf(path, sizeof(path), "%s/x.log", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *fp = fopen(path, "w");

		CU_ASSERT_PTR_NOT_NULL_FATAL(fp);
		fputs(cases[i].text, fp);
		fclose(fp);
		tail = ctl_log_tail(dir, "x", cases[i].lines);
		CU_ASSERT_STRING_EQUAL(tail, cases[i].want);
		free(tail);
	}
	tail = ctl_log_tail(dir, "none", 3);
	CU_ASSERT_STRING_EQUAL(tail, "");
	free(tail);
}

static void
test_nothing_is_left(void)
{
	CU_ASSERT_EQUAL(ctl_run_remove(dir), FAB_OK);
	ctl_run_clear_current(dir); /* also the base, once it is empty */
	CU_ASSERT_EQUAL(rmdir(root), 0);
}

static CU_TestInfo tests[] = {
	{ "set up", test_setup },
	{ "paths and URLs", test_paths_and_urls },
	{ "socket paths are short enough", test_socket_paths_are_short_enough },
	{ "create, lock and remove", test_create_lock_and_remove },
	{ "directories of others are left alone", test_directories_of_others_are_left_alone },
	{ "base that others can write is refused", test_base_that_others_can_write_is_refused },
	{ "current leads to the last fabric", test_current_leads_to_the_last_fabric },
	{ "state files", test_state_files },
	{ "files that are no state are skipped", test_files_that_are_no_state_are_skipped },
	{ "remains of dead processes make room", test_remains_of_dead_processes_make_room },
	{ "living processes keep the directory", test_living_processes_keep_the_directory },
	{ "log tail", test_log_tail },
	{ "nothing is left", test_nothing_is_left },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("ctl_run", tests)
