/*
 * The store: transactions, refusals, and that no acknowledged change is lost to SIGKILL.
 */
#include "fabricd/fc_store.h"

#include "fab_cunit.h"
#include "lib/err.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 12 /* rounds of the SIGKILL test */

static char dir[64], path[96];

static void
setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/fc_store.XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fabric.db", dir);
}

static void
teardown(void)
{
	static const char *const suffix[] = { "", "-wal", "-shm", "-journal" };
	char name[128];

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		unlink(name);
	}
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

static struct fc_store *
open_store(void)
{
	struct fc_store *s = NULL;
	char why[FC_STORE_WHY_MAX] = "";

	CU_ASSERT_EQUAL(fc_store_open(&s, path, why), FAB_OK);
	CU_ASSERT_STRING_EQUAL(why, "");
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static int
append_row(void *arg, const char *kind, const char *name, const char *body)
{
	char *text = arg;

	snprintf(text + strlen(text), 512 - strlen(text), "%s %s %s;", kind, name, body);
	return FAB_OK;
}

static int
refuse_row(void *arg, const char *kind, const char *name, const char *body)
{
	(void)kind, (void)name, (void)body;
	++*(int *)arg;
	return FAB_EBADMSG;
}

static void
test_changes_are_there_after_reopening(void)
{
	static const struct fc_store_change first[] = {
		{ .kind = "vnet", .name = "hub1", .body = "{\"a\":1}" },
		{ .kind = "nva", .name = "nva1", .body = "{}" },
	}, second[] = {
		{ .kind = "vnet", .name = "hub1", .body = "{\"a\":2}" },
		{ .remove = true, .kind = "nva", .name = "nva1" },
		{ .remove = true, .kind = "nva", .name = "never there" },
		{ .kind = "vm", .name = "it's; -- \"vm\"", .body = "{}" },
	};
	char why[FC_STORE_WHY_MAX], text[512] = "";
	struct fc_store *s;
	int calls = 0;

	setup();
	s = open_store();
	CU_ASSERT_EQUAL(fc_store_revision(s), 0);
	CU_ASSERT_EQUAL(fc_store_count(s), 0);
	CU_ASSERT_EQUAL(fc_store_commit(s, first, 2, why), FAB_OK);
	CU_ASSERT_EQUAL(fc_store_commit(s, second, 4, why), FAB_OK);
	fc_store_close(s);
	s = open_store();
	CU_ASSERT_EQUAL(fc_store_revision(s), 2);
	CU_ASSERT_EQUAL(fc_store_count(s), 2);
	CU_ASSERT_EQUAL(fc_store_each(s, append_row, text), FAB_OK);
	CU_ASSERT_STRING_EQUAL(text, "vm it's; -- \"vm\" {};vnet hub1 {\"a\":2};");
	CU_ASSERT_EQUAL(fc_store_each(s, refuse_row, &calls), FAB_EBADMSG);
	CU_ASSERT_EQUAL(calls, 1);
	fc_store_close(s);
	fc_store_close(NULL);
	teardown();
}

static int
append_link(void *arg, const char *key, const char *body)
{
	char *text = arg;

	snprintf(text + strlen(text), 512 - strlen(text), "%s=%s;", key, body);
	return FAB_OK;
}

static void
test_links_are_replaced_as_a_whole(void)
{
	static const struct fc_store_link first[] = { { "a b", "1" }, { "b a", "2" } },
					  second[] = { { "c d", "3" } },
					  twice[] = { { "e f", "4" }, { "e f", "5" } };
	char why[FC_STORE_WHY_MAX], text[512] = "";
	struct fc_store *s;

	setup();
	s = open_store();
	CU_ASSERT_EQUAL(fc_store_set_links(s, first, 2, why), FAB_OK);
	CU_ASSERT_EQUAL(fc_store_set_links(s, second, 1, why), FAB_OK);
	CU_ASSERT_NOT_EQUAL(fc_store_set_links(s, twice, 2, why), FAB_OK); /* changes nothing */
	CU_ASSERT_EQUAL(fc_store_revision(s), 0);
	fc_store_close(s);
	s = open_store();
	CU_ASSERT_EQUAL(fc_store_each_link(s, append_link, text), FAB_OK);
	CU_ASSERT_STRING_EQUAL(text, "c d=3;");
	CU_ASSERT_EQUAL(fc_store_set_links(s, NULL, 0, why), FAB_OK);
	CU_ASSERT_EQUAL(fc_store_each_link(s, append_link, text), FAB_OK);
	CU_ASSERT_STRING_EQUAL(text, "c d=3;");
	fc_store_close(s);
	teardown();
}

static void
test_a_failing_change_leaves_nothing(void)
{
	static const struct fc_store_change changes[] = {
		{ .kind = "vnet", .name = "hub1", .body = "{}" },
		{ .kind = "vnet", .name = "hub2", .body = NULL }, /* NOT NULL constraint */
	};
	char why[FC_STORE_WHY_MAX] = "";
	struct fc_store *s;

	setup();
	s = open_store();
	CU_ASSERT_NOT_EQUAL(fc_store_commit(s, changes, 2, why), FAB_OK);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cannot write the store: "));
	CU_ASSERT_EQUAL(fc_store_count(s), 0);
	CU_ASSERT_EQUAL(fc_store_revision(s), 0);
	CU_ASSERT_EQUAL(fc_store_commit(s, changes, 1, why), FAB_OK);
	CU_ASSERT_EQUAL(fc_store_revision(s), 1);
	fc_store_close(s);
	teardown();
}

static void
write_schema_1(void)
{
	static const char sql[] =
	    "CREATE TABLE resource(kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,"
	    " PRIMARY KEY(kind, name)) WITHOUT ROWID;"
	    "CREATE TABLE cut(key TEXT PRIMARY KEY) WITHOUT ROWID;"
	    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	    "INSERT INTO meta VALUES('revision', 7); INSERT INTO cut VALUES('nva1 rs1-0');"
	    "PRAGMA user_version=1;";
	sqlite3 *db = NULL;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
test_a_store_of_schema_1_is_taken_over(void)
{
	char text[512] = "";
	struct fc_store *s;

	setup();
	write_schema_1();
	fc_store_close(open_store());
	s = open_store(); /* and again */
	CU_ASSERT_EQUAL(fc_store_revision(s), 7);
	CU_ASSERT_EQUAL(fc_store_each_link(s, append_link, text), FAB_OK);
	CU_ASSERT_STRING_EQUAL(text, "nodes\tnva1\trs1-0=cut=1;");
	fc_store_close(s);
	teardown();
}

static void
write_garbage(void)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	for (int i = 0; i < 2000; i++)
		fputs("no store ", f);
	fclose(f);
}

static void
write_newer_schema(void)
{
	sqlite3 *db = NULL;

	CU_ASSERT_EQUAL_FATAL(sqlite3_open(path, &db), SQLITE_OK);
	CU_ASSERT_EQUAL(sqlite3_exec(db, "PRAGMA user_version=3", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
test_refusals_are_one_line(void)
{
	static const struct {
		void (*make)(void);
		int err;
		const char *why;
	} rows[] = {
		{ write_garbage, FAB_EBADMSG, "cannot use the store: file is not a database" },
		{ write_newer_schema, FAB_ENOTSUP,
		    "the store has schema 3, this program knows only 2: use a newer fabricd" },
	};
	char why[FC_STORE_WHY_MAX];
	struct fc_store *s = NULL;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup();
		rows[i].make();
		CU_ASSERT_EQUAL(fc_store_open(&s, path, why), rows[i].err);
		CU_ASSERT_STRING_EQUAL(why, rows[i].why);
		CU_ASSERT_PTR_NULL(s);
		teardown();
	}
	CU_ASSERT_NOT_EQUAL(fc_store_open(&s, "/nonexistent/fabric.db", why), FAB_OK);
	CU_ASSERT_STRING_EQUAL(why, "cannot open the store: unable to open database file");
}

/* Opens the store a second time in another process: POSIX locks do not exclude their own. */
static int
open_elsewhere(void)
{
	char why[FC_STORE_WHY_MAX];
	struct fc_store *s = NULL;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fc_store_open(&s, path, why) == FAB_EBUSY ? 1 : 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_a_store_has_one_fabric(void)
{
	struct fc_store *s;

	setup();
	s = open_store();
	CU_ASSERT_EQUAL(open_elsewhere(), 1);
	fc_store_close(s);
	CU_ASSERT_EQUAL(open_elsewhere(), 0);
	teardown();
}

/* Child: commits without end and acknowledges each commit with its number. */
static void
commit_for_ever(int ack)
{
	char why[FC_STORE_WHY_MAX], name[32];
	struct fc_store *s = NULL;

	if (fc_store_open(&s, path, why) != FAB_OK)
		_exit(1);
	for (uint32_t n = (uint32_t)fc_store_revision(s) + 1;; n++) {
		/* Two rows per change, so that a torn transaction would show. */
		struct fc_store_change c[2] = { { .kind = "a", .name = name, .body = "{}" },
			{ .kind = "b", .name = name, .body = "{}" } };

		snprintf(name, sizeof(name), "%010u", n);
		if (fc_store_commit(s, c, 2, why) != FAB_OK ||
		    write(ack, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

/* Runs the child until it has acknowledged some commits, kills it wherever it is, and returns the
 * last number that it acknowledged. */
static uint32_t
kill_in_mid_stream(int round)
{
	uint32_t n, last = 0;
	int fds[2], status;
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	if ((pid = fork()) == 0)
		commit_for_ever(fds[1]);
	close(fds[1]);
	for (int i = 0; i < 3 + round && read(fds[0], &n, sizeof(n)) == sizeof(n); i++)
		last = n;
	usleep((useconds_t)(round * 97)); /* moves the instant of death through a commit */
	kill(pid, SIGKILL);
	while (read(fds[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	close(fds[0]);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFSIGNALED(status));
	return last;
}

struct kinds {
	uint32_t a, b;
};

static int
count_kind(void *arg, const char *kind, const char *name, const char *body)
{
	struct kinds *k = arg;
	uint32_t *n = kind[0] == 'a' ? &k->a : &k->b;

	(void)body;
	CU_ASSERT_EQUAL((uint32_t)strtoul(name, NULL, 10), ++*n); /* no gap */
	return FAB_OK;
}

static void
test_no_acknowledged_change_is_lost_to_sigkill(void)
{
	setup();
	for (int round = 0; round < KILLS; round++) {
		uint32_t acked = kill_in_mid_stream(round);
		struct fc_store *s = open_store();
		struct kinds k = { 0 };

		CU_ASSERT_TRUE(acked > 0);
		CU_ASSERT_EQUAL(fc_store_each(s, count_kind, &k), FAB_OK);
		/* At most the one commit that was not acknowledged any more is there besides. */
		CU_ASSERT_TRUE(k.a >= acked && k.a <= acked + 1);
		CU_ASSERT_EQUAL(k.a, k.b);
		CU_ASSERT_EQUAL(fc_store_revision(s), k.a);
		fc_store_close(s);
	}
	teardown();
}

static CU_TestInfo tests[] = {
	{ "changes are there after reopening", test_changes_are_there_after_reopening },
	{ "links are replaced as a whole", test_links_are_replaced_as_a_whole },
	{ "a store of schema 1 is taken over", test_a_store_of_schema_1_is_taken_over },
	{ "a failing change leaves nothing", test_a_failing_change_leaves_nothing },
	{ "refusals are one line", test_refusals_are_one_line },
	{ "a store has one fabric", test_a_store_has_one_fabric },
	{ "no acknowledged change is lost to SIGKILL",
	    test_no_acknowledged_change_is_lost_to_sigkill },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_store", tests)
