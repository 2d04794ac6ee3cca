#ifndef FABRICD_FC_APPLY_H
#define FABRICD_FC_APPLY_H
/*
 * Changes of the resources. Whatever the way in (a topology file, set, delete), a change is a whole
 * new doc: it is compared with the one in force, built and validated, written to the store in one
 * transaction and only then put into force. Until the transaction is through nothing has changed;
 * after it nothing can fail but for memory.
 */
#include "fabricd/fc.h"

struct fc_applied {
	enum { FC_CREATE, FC_UPDATE, FC_DELETE } action;
	enum topo_kind kind;
	char *name;
};

struct fc_apply_result {
	struct fc_applied *changes; /* what was (or, dry, would be) done, in order */
	size_t n_changes;
	struct topo_errors errors;  /* not empty: nothing was changed */
	char why[FC_STORE_WHY_MAX]; /* of every other failure */
};

/* zeroed, malloc()ed; NULL: out of memory. */
struct fc_apply_result *fc_apply_result_new(void);
void fc_apply_result_free(struct fc_apply_result *r);
const char *fc_action_name(const struct fc_applied *c); /* "create" */

/* FAB_OK. FAB_EINVAL: refused, r->errors says why (all reasons at once). FAB_ENOENT: no such
 * resource. FAB_EIO and others of the store, FAB_ENOMEM: r->why. */
int fc_apply_text(
    struct fc *f, const char *text, size_t len, bool dry_run, struct fc_apply_result *r);
/* What fabricd begins with: a file, or a text when that is not NULL; timing: a profile instead of
 * its own, or NULL. */
int fc_apply_first(struct fc *f, const char *path, const char *text, const char *timing,
    struct fc_apply_result *r);
/* Assignments are those of topo_doc_set(): "key=value", value in YAML. */
int fc_apply_set(struct fc *f, enum topo_kind kind, const char *name, char *const *assignments,
    size_t n, struct fc_apply_result *r);
int fc_apply_delete(struct fc *f, enum topo_kind kind, const char *name, struct fc_apply_result *r);

/* Puts the resources of f->store into force, for start-up. */
int fc_apply_stored(struct fc *f, char why[static FC_STORE_WHY_MAX]);

#endif
