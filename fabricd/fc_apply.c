/*
 * Changes of the resources (see fc_apply.h).
 */
#include "fabricd/fc_apply.h"

#include "fabricd/fc_hold.h"
#include "fabricd/fc_inuse.h"
#include "lib/err.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fc_apply_result *
fc_apply_result_new(void)
{
	return calloc(1, sizeof(struct fc_apply_result));
}

void
fc_apply_result_free(struct fc_apply_result *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n_changes; i++)
		free(r->changes[i].name);
	free(r->changes);
	free(r);
}

const char *
fc_action_name(const struct fc_applied *c)
{
	static const char *const names[] = { "create", "update", "delete" };

	return names[c->action];
}

/* Copies the list of changes: names are borrowed from docs that may go away. */
static int
note_changes(struct fc_apply_result *r, const struct topo_change *v, size_t n)
{
	if (n > 0 && (r->changes = calloc(n, sizeof(*r->changes))) == NULL)
		return FAB_ENOMEM;
	for (; r->n_changes < n; r->n_changes++) {
		const struct topo_change *c = &v[r->n_changes];
		struct fc_applied *a = &r->changes[r->n_changes];

		a->kind = c->kind;
		a->action = c->action == TOPO_CREATE   ? FC_CREATE
			    : c->action == TOPO_UPDATE ? FC_UPDATE
						       : FC_DELETE;
		if ((a->name = strdup(c->name)) == NULL)
			return FAB_ENOMEM;
	}
	return FAB_OK;
}

static int
store_changes(struct fc *f, const struct topo_doc *to, const struct topo_change *v, size_t n,
    char why[static FC_STORE_WHY_MAX])
{
	struct fc_store_change *rows;
	int err = FAB_OK;

	if (f->store == NULL) {
		f->revision++;
		return FAB_OK;
	}
	if ((rows = calloc(n + 1, sizeof(*rows))) == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < n && err == FAB_OK; i++) {
		const struct topo_resource *res = topo_doc_find(to, v[i].kind, v[i].name);

		rows[i] = (struct fc_store_change){ .remove = v[i].action == TOPO_DELETE,
			.kind = topo_kind_name(v[i].kind),
			.name = v[i].name };
		if (!rows[i].remove &&
		    (rows[i].body = json_dumps(res->props, JSON_COMPACT)) == NULL)
			err = FAB_ENOMEM;
	}
	if (err == FAB_OK)
		err = fc_store_commit(f->store, rows, n, why);
	for (size_t i = 0; i < n; i++)
		free((void *)(uintptr_t)rows[i].body);
	free(rows);
	f->revision = fc_store_revision(f->store);
	return err;
}

static void
log_change(struct fc *f, const struct fc_apply_result *r)
{
	char text[FC_TIMELINE_TEXT_MAX];
	const struct fc_applied *c = &r->changes[0];
	uint64_t now = fab_wall_us();

	for (size_t i = 0; i < r->n_changes; i++)
		fc_events_add(f->events, FC_EVENT_CONFIG, now, r->changes[i].name, "%s %s %s",
		    fc_action_name(&r->changes[i]), topo_kind_name(r->changes[i].kind),
		    r->changes[i].name);
	if (r->n_changes == 1)
		snprintf(text, sizeof(text), "%s %s %.80s", fc_action_name(c),
		    topo_kind_name(c->kind), c->name);
	else
		snprintf(text, sizeof(text), "%zu resources changed", r->n_changes);
	fc_timeline_config(f->timeline, now, text);
	fab_info("configuration: %s, revision %llu", text, (unsigned long long)f->revision);
}

static void
log_warnings(const struct topo_errors *w)
{
	for (size_t i = 0; i < w->n; i++)
		fab_warn("configuration: %s: %s", w->e[i].code, w->e[i].message);
}

/* Builds `to` and puts it into force. `to` is consumed. */
static int
apply_doc(struct fc *f, struct topo_doc *to, bool dry_run, struct fc_apply_result *r)
{
	struct topo_errors *warnings = calloc(1, sizeof(*warnings));
	struct topo_change *changes = NULL;
	struct topo *topo = NULL;
	size_t n = 0;
	int err = FAB_ENOMEM;

	if (to == NULL || warnings == NULL)
		goto done;
	if ((topo = topo_build(to, &r->errors, warnings)) == NULL) {
		err = r->errors.n > 0 ? FAB_EINVAL : FAB_ENOMEM;
		goto done;
	}
	if ((err = topo_doc_diff(&changes, &n, f->doc, to)) != FAB_OK ||
	    (err = note_changes(r, changes, n)) != FAB_OK || dry_run || n == 0)
		goto done;
	if ((err = store_changes(f, to, changes, n, r->why)) != FAB_OK)
		goto done;
	/* Stamped before the nodes are told, so that what they do comes after it. */
	log_change(f, r);
	log_warnings(warnings);
	/* The store has it: going on without it would be a lie, so this cannot be undone. */
	FAB_ASSERT(fc_holds_swap(f->holds, to, topo) == FAB_OK);
	to = NULL;
	topo = NULL;
done:
	if (err != FAB_OK && err != FAB_EINVAL && r->why[0] == '\0')
		snprintf(r->why, sizeof(r->why), "%s", fab_strerror(err));
	free(changes);
	topo_free(topo);
	topo_doc_free(to);
	free(warnings);
	return err;
}

int
fc_apply_text(struct fc *f, const char *text, size_t len, bool dry_run, struct fc_apply_result *r)
{
	struct topo_doc *doc = NULL;
	int err = topo_parse_yaml(&doc, text, len, &r->errors);

	return err != FAB_OK ? err : apply_doc(f, doc, dry_run, r);
}

int
fc_apply_first(
    struct fc *f, const char *path, const char *text, const char *timing, struct fc_apply_result *r)
{
	struct topo_doc *doc = NULL;
	int err = text != NULL ? topo_parse_yaml(&doc, text, strlen(text), &r->errors)
			       : topo_parse_file(&doc, path, &r->errors);

	if (err == FAB_OK && timing != NULL &&
	    (err = topo_doc_set_timing(doc, timing, &r->errors)) != FAB_OK)
		topo_doc_free(doc);
	return err != FAB_OK ? err : apply_doc(f, doc, false, r);
}

int
fc_apply_set(struct fc *f, enum topo_kind kind, const char *name, char *const *assignments,
    size_t n, struct fc_apply_result *r)
{
	struct topo_doc *doc;
	int err = FAB_OK;

	if (topo_doc_find(f->doc, kind, name) == NULL)
		return FAB_ENOENT;
	if ((doc = topo_doc_copy(f->doc)) == NULL)
		return FAB_ENOMEM;
	for (size_t i = 0; i < n && err == FAB_OK; i++)
		err = topo_doc_set(doc, kind, name, assignments[i], &r->errors);
	if (err == FAB_OK)
		fc_inuse_check(f->topo, doc, kind, name, &r->errors);
	if (err != FAB_OK || r->errors.n > 0) {
		topo_doc_free(doc);
		return r->errors.n > 0 ? FAB_EINVAL : err;
	}
	return apply_doc(f, doc, false, r);
}

int
fc_apply_delete(struct fc *f, enum topo_kind kind, const char *name, struct fc_apply_result *r)
{
	struct topo_doc *doc;
	int err;

	if (topo_doc_find(f->doc, kind, name) == NULL)
		return FAB_ENOENT;
	if ((doc = topo_doc_copy(f->doc)) == NULL)
		return FAB_ENOMEM;
	if ((err = topo_doc_remove(doc, kind, name)) == FAB_OK)
		fc_inuse_check(f->topo, doc, kind, name, &r->errors);
	if (err != FAB_OK || r->errors.n > 0) {
		topo_doc_free(doc);
		return err != FAB_OK ? err : FAB_EINVAL;
	}
	return apply_doc(f, doc, false, r);
}

/* ---- start-up ---- */

struct loading {
	struct topo_doc *doc;
	char *why;
};

static int
load_row(void *arg, const char *kind_name, const char *name, const char *body)
{
	struct loading *l = arg;
	enum topo_kind kind;
	json_t *props = json_loads(body, 0, NULL);

	if (topo_kind_parse(&kind, kind_name) != FAB_OK || props == NULL) {
		json_decref(props);
		snprintf(l->why, FC_STORE_WHY_MAX,
		    "the store has an unreadable resource %.60s %.60s", kind_name, name);
		return FAB_EBADMSG;
	}
	return topo_doc_put(l->doc, kind, name, props);
}

static int
build_stored(struct fc *f, struct topo_doc *doc, char why[static FC_STORE_WHY_MAX])
{
	struct topo_errors *errs = calloc(1, sizeof(*errs));
	struct topo *topo = errs == NULL ? NULL : topo_build(doc, errs, NULL);
	int err = FAB_ENOMEM;

	if (topo != NULL)
		err = fc_swap(f, doc, topo);
	else if (errs != NULL && errs->n > 0) {
		snprintf(why, FC_STORE_WHY_MAX,
		    "the store has resources that are refused: %.40s: %.150s", errs->e[0].code,
		    errs->e[0].message);
		err = FAB_EINVAL;
	}
	if (err != FAB_OK)
		topo_free(topo);
	free(errs);
	return err;
}

int
fc_apply_stored(struct fc *f, char why[static FC_STORE_WHY_MAX])
{
	struct loading l = { .doc = topo_doc_new(), .why = why };
	int err = l.doc == NULL ? FAB_ENOMEM : FAB_OK;
	bool taken = false;

	snprintf(why, FC_STORE_WHY_MAX, "cannot read the store");
	if (err == FAB_OK)
		err = fc_store_each(f->store, load_row, &l);
	if (err == FAB_OK && l.doc->n > 0) {
		err = build_stored(f, l.doc, why);
		taken = err == FAB_OK;
	}
	if (!taken)
		topo_doc_free(l.doc);
	return err;
}
