#ifndef FABRICD_FC_STORE_H
#define FABRICD_FC_STORE_H
/*
 * The desired resources on disk: one SQLite file with the table resource(kind, name, body) and a
 * revision that counts the changes, and beside it the links that somebody changed. fabricd keeps
 * nothing else; everything else comes back from the nodes.
 *
 * fc_store_commit() is one transaction. Once it has returned FAB_OK the change survives kill -9 of
 * this process and a loss of power (WAL, synchronous=FULL); before that, nothing of it is visible
 * after a restart. All calls block for the disk; commits are rare (a person's change).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FC_STORE_SCHEMA  2
#define FC_STORE_WHY_MAX 256

struct fc_store;

/* Opens or creates path. On failure why gets one line: a file that is no store, one of a newer
 * schema (FAB_ENOTSUP), one that another process uses (FAB_EBUSY). */
int fc_store_open(struct fc_store **out, const char *path, char why[static FC_STORE_WHY_MAX]);
void fc_store_close(struct fc_store *s);

struct fc_store_change {
	bool remove;
	const char *kind, *name;
	const char *body; /* JSON; not used when removing */
};

/* All changes or none of them; the revision grows by one. FAB_EIO with why: nothing was changed. */
int fc_store_commit(struct fc_store *s, const struct fc_store_change *changes, size_t n,
    char why[static FC_STORE_WHY_MAX]);

/* Number of the last commit, 0 for a new store. Never falls, over restarts too. */
uint64_t fc_store_revision(const struct fc_store *s);

/* Calls fn for each resource, by kind and name; stops at the first error of fn and returns it. */
typedef int fc_store_row_fn(void *arg, const char *kind, const char *name, const char *body);
int fc_store_each(struct fc_store *s, fc_store_row_fn *fn, void *arg);

/* One row of fc_linkset.h. */
struct fc_store_link {
	const char *key;
	char body[160];
};

/* The list of links, replaced as a whole; not part of the revision. */
int fc_store_set_links(
    struct fc_store *s, const struct fc_store_link *v, size_t n, char why[static FC_STORE_WHY_MAX]);
typedef int fc_store_link_fn(void *arg, const char *key, const char *body);
int fc_store_each_link(struct fc_store *s, fc_store_link_fn *fn, void *arg);
/* -1 when it cannot be read. */
int64_t fc_store_count(struct fc_store *s);

#endif
