/*
 * The resource store (see fc_store.h). The schema version is SQLite's user_version, the revision a
 * row of the table meta that is written in the same transaction as the resources.
 */
#include "fabricd/fc_store.h"

#include "lib/err.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

struct fc_store {
	sqlite3 *db;
	sqlite3_stmt *put, *del, *bump;
	uint64_t revision;
};

/* locking_mode=EXCLUSIVE: two fabrics on one store would overwrite each other's changes. The lock
 * dies with the process, also by SIGKILL. synchronous=FULL syncs the WAL at each commit, so an
 * acknowledged change survives the machine too, not only the process. */
static const char pragmas[] = "PRAGMA locking_mode=EXCLUSIVE;"
			      "PRAGMA journal_mode=WAL;"
			      "PRAGMA synchronous=FULL;";

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE resource(kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL,"
    " PRIMARY KEY(kind, name)) WITHOUT ROWID;"
    "CREATE TABLE link(key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('revision', 0);"
    "PRAGMA user_version=2;"
    "COMMIT;";

/* Schema 1 had cuts only: "FROM TO". */
static const char from_1[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE link(key TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;"
    "INSERT INTO link SELECT 'nodes'||char(9)||replace(key,' ',char(9)), 'cut=1' FROM cut;"
    "DROP TABLE cut;"
    "PRAGMA user_version=2;"
    "COMMIT;";
_Static_assert(FC_STORE_SCHEMA == 2, "schema[] and from_1[] write user_version and must follow");

static int
err_from_sqlite(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return FAB_OK;
	case SQLITE_NOMEM:
		return FAB_ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return FAB_EBUSY;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return FAB_EBADMSG;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return FAB_EPERM;
	default:
		return FAB_EIO;
	}
}

static int
failed(struct fc_store *s, int rc, const char *doing, char why[static FC_STORE_WHY_MAX])
{
	snprintf(why, FC_STORE_WHY_MAX, "%s: %s", doing,
	    s->db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(s->db));
	return err_from_sqlite(rc);
}

/* Reads the one integer that sql yields. */
static int
query_int(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		*out = sqlite3_column_int64(st, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(st);
	return rc;
}

static int
check_schema(struct fc_store *s, char why[static FC_STORE_WHY_MAX])
{
	int64_t version = 0;
	int rc = query_int(s->db, "PRAGMA user_version", &version);

	if (rc != SQLITE_OK)
		return failed(s, rc, "cannot read the store", why);
	if (version > FC_STORE_SCHEMA) {
		snprintf(why, FC_STORE_WHY_MAX,
		    "the store has schema %lld, this program knows only %d: use a newer fabricd",
		    (long long)version, FC_STORE_SCHEMA);
		return FAB_ENOTSUP;
	}
	if (version < FC_STORE_SCHEMA && (rc = sqlite3_exec(s->db, version == 0 ? schema : from_1,
					      NULL, NULL, NULL)) != SQLITE_OK)
		return failed(s, rc, "cannot set up the store", why);
	return FAB_OK;
}

static int
prepare(struct fc_store *s, char why[static FC_STORE_WHY_MAX])
{
	int64_t revision = 0;
	int rc;

	if ((rc = query_int(s->db, "SELECT value FROM meta WHERE key='revision'", &revision)) ==
		SQLITE_OK &&
	    (rc = sqlite3_prepare_v2(s->db,
		 "INSERT INTO resource VALUES(?1,?2,?3)"
		 " ON CONFLICT DO UPDATE SET body=excluded.body",
		 -1, &s->put, NULL)) == SQLITE_OK &&
	    (rc = sqlite3_prepare_v2(s->db, "DELETE FROM resource WHERE kind=?1 AND name=?2", -1,
		 &s->del, NULL)) == SQLITE_OK)
		rc = sqlite3_prepare_v2(s->db, "UPDATE meta SET value=value+1 WHERE key='revision'",
		    -1, &s->bump, NULL);
	if (rc != SQLITE_OK)
		return failed(s, rc, "cannot read the store", why);
	s->revision = (uint64_t)revision;
	return FAB_OK;
}

int
fc_store_open(struct fc_store **out, const char *path, char why[static FC_STORE_WHY_MAX])
{
	struct fc_store *s = calloc(1, sizeof(*s));
	int rc, err;

	if (s == NULL)
		return FAB_ENOMEM;
	rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (rc != SQLITE_OK)
		err = failed(s, rc, "cannot open the store", why);
	else if ((rc = sqlite3_exec(s->db, pragmas, NULL, NULL, NULL)) != SQLITE_OK)
		err = failed(s, rc, "cannot use the store", why);
	else if ((err = check_schema(s, why)) == FAB_OK)
		err = prepare(s, why);
	if (err != FAB_OK)
		fc_store_close(s);
	else
		*out = s;
	return err;
}

void
fc_store_close(struct fc_store *s)
{
	if (s == NULL)
		return;
	sqlite3_finalize(s->put);
	sqlite3_finalize(s->del);
	sqlite3_finalize(s->bump);
	sqlite3_close(s->db);
	free(s);
}

static int
run(sqlite3_stmt *st)
{
	int rc = sqlite3_step(st);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int
write_change(struct fc_store *s, const struct fc_store_change *c)
{
	sqlite3_stmt *st = c->remove ? s->del : s->put;

	sqlite3_bind_text(st, 1, c->kind, -1, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, c->name, -1, SQLITE_STATIC);
	if (!c->remove)
		sqlite3_bind_text(st, 3, c->body, -1, SQLITE_STATIC);
	return run(st);
}

/* Ends the transaction: with COMMIT, or after an error with ROLLBACK. */
static int
finish(struct fc_store *s, int rc, char why[static FC_STORE_WHY_MAX])
{
	int err;

	if (rc == SQLITE_OK)
		rc = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	if (rc == SQLITE_OK)
		return FAB_OK;
	err = failed(s, rc, "cannot write the store", why);
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int
fc_store_commit(struct fc_store *s, const struct fc_store_change *changes, size_t n,
    char why[static FC_STORE_WHY_MAX])
{
	int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	int err;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++)
		rc = write_change(s, &changes[i]);
	if (rc == SQLITE_OK)
		rc = run(s->bump);
	if ((err = finish(s, rc, why)) == FAB_OK)
		s->revision++;
	return err;
}

int
fc_store_set_links(
    struct fc_store *s, const struct fc_store_link *v, size_t n, char why[static FC_STORE_WHY_MAX])
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_exec(s->db, "BEGIN IMMEDIATE; DELETE FROM link", NULL, NULL, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_prepare_v2(s->db, "INSERT INTO link VALUES(?1,?2)", -1, &st, NULL);
	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		sqlite3_bind_text(st, 1, v[i].key, -1, SQLITE_STATIC);
		sqlite3_bind_text(st, 2, v[i].body, -1, SQLITE_STATIC);
		rc = run(st);
	}
	sqlite3_finalize(st);
	return finish(s, rc, why);
}

int
fc_store_each_link(struct fc_store *s, fc_store_link_fn *fn, void *arg)
{
	sqlite3_stmt *st = NULL;
	int rc =
	    sqlite3_prepare_v2(s->db, "SELECT key, body FROM link ORDER BY key", -1, &st, NULL);
	int err = err_from_sqlite(rc);

	while (err == FAB_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		err = fn(arg, (const char *)sqlite3_column_text(st, 0),
		    (const char *)sqlite3_column_text(st, 1));
	if (err == FAB_OK)
		err = err_from_sqlite(rc);
	sqlite3_finalize(st);
	return err;
}

uint64_t
fc_store_revision(const struct fc_store *s)
{
	return s->revision;
}

int
fc_store_each(struct fc_store *s, fc_store_row_fn *fn, void *arg)
{
	sqlite3_stmt *st = NULL;
	int rc = sqlite3_prepare_v2(
	    s->db, "SELECT kind, name, body FROM resource ORDER BY kind, name", -1, &st, NULL);
	int err = err_from_sqlite(rc);

	while (err == FAB_OK && (rc = sqlite3_step(st)) == SQLITE_ROW)
		err = fn(arg, (const char *)sqlite3_column_text(st, 0),
		    (const char *)sqlite3_column_text(st, 1),
		    (const char *)sqlite3_column_text(st, 2));
	if (err == FAB_OK)
		err = err_from_sqlite(rc);
	sqlite3_finalize(st);
	return err;
}

int64_t
fc_store_count(struct fc_store *s)
{
	int64_t n = 0;

	if (query_int(s->db, "SELECT count(*) FROM resource", &n) != SQLITE_OK)
		return -1;
	return n;
}
