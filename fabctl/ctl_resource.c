/* The verbs about resources: check, apply, diff, get, set, delete. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_nodes.h"
#include "lib/err.h"
#include "lib/pbjson.h"
#include "lib/topo.h"
#include "proto/fabric.pb-c.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- check ---- */

/* "file:line: code: message", as compilers write it. */
static void
file_error(const char *file, unsigned line, const char *kind, const char *code, const char *message)
{
	char at[16] = "";

	if (line > 0)
		snprintf(at, sizeof(at), "%u:", line);
	fprintf(stderr, "%s:%s %s%s: %s\n", file, at, kind, code, message);
}

void
ctl_topo_complain(
    const char *file, const struct topo_errors *errs, const struct topo_errors *warnings)
{
	for (size_t i = 0; i < warnings->n; i++)
		file_error(file, warnings->e[i].line, "warning: ", warnings->e[i].code,
		    warnings->e[i].message);
	for (size_t i = 0; i < errs->n; i++)
		file_error(file, errs->e[i].line, "", errs->e[i].code, errs->e[i].message);
}

int
ctl_topo_load(struct topo **out, const char *file, const char *timing, struct topo_errors *errs,
    struct topo_errors *warnings)
{
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;
	size_t len;
	char *text;
	int status;

	*errs = *warnings = (struct topo_errors){ 0 };
	if ((status = ctl_read_file(&text, &len, file, TOPO_FILE_MAX)) != CTL_OK)
		return status;
	if (topo_parse_yaml(&doc, text, len, errs) == FAB_OK &&
	    (timing == NULL || topo_doc_set_timing(doc, timing, errs) == FAB_OK))
		t = topo_build(doc, errs, warnings);
	topo_doc_free(doc);
	free(text);
	if (t == NULL)
		return CTL_REFUSED;
	*out = t;
	return CTL_OK;
}

static json_t *
error_list(const struct topo_errors *errs)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errs->n; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:i}", "code", errs->e[i].code, "message",
			      errs->e[i].message, "line", (int)errs->e[i].line));
	return list;
}

static void
check_text(FILE *fp, const json_t *value)
{
	if (json_is_true(json_object_get(value, "valid")))
		fprintf(fp, "valid\n");
}

int
ctl_check(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = check_text };
	struct topo_errors *e = calloc(2, sizeof(*e));
	struct topo *t = NULL;
	int status, answer = CTL_OK;

	FAB_ASSERT(e != NULL);
	status = ctl_topo_load(&t, args->pos[0], NULL, &e[0], &e[1]);
	if (status == CTL_OK || e[0].n > 0) {
		ctl_topo_complain(args->pos[0], &e[0], &e[1]);
		answer = ctl_answer(c,
		    json_pack("{s:b, s:o}", "valid", t != NULL, "errors", error_list(&e[0])),
		    &view);
	}
	topo_free(t);
	free(e);
	return status != CTL_OK ? status : answer;
}

/* ---- apply, diff, set, delete ---- */

static const struct ctl_view change_view = {
	.columns =
	    (const struct ctl_column[]){
		{ "Action", "action" },
		{ "Kind", "kind" },
		{ "Name", "name" },
		CTL_COLUMNS_END,
	    },
	.empty = "no changes",
};

/* Says what fabricd refused; file may be NULL. */
static int
refused(const Fab__V1__ApplyReply *r, const char *file)
{
	for (size_t i = 0; i < r->n_errors; i++) {
		if (file != NULL)
			file_error(file, r->errors[i]->line, "", r->errors[i]->code,
			    r->errors[i]->message);
		else
			ctl_fail(CTL_REFUSED, r->errors[i]->code, "%s", r->errors[i]->message);
	}
	return r->n_errors > 0 ? CTL_REFUSED : CTL_OK;
}

static json_t *
change_list(const Fab__V1__ApplyReply *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n_changes; i++)
		json_array_append_new(
		    list, pbjson_encode(&r->changes[i]->base, PBJSON_SNAKE, NULL));
	return list;
}

/* Whether there may be other processes afterwards than before. */
static bool
touches_processes(const json_t *changes)
{
	static const char *const kinds[] = { "route_server", "nva", "gateway", "circuit", "site",
		"vm" }; /* with packets each has a namespace */
	const json_t *change;
	size_t i;

	json_array_foreach(changes, i, change)
	{
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			if (strcmp(ctl_str(change, "kind"), kinds[k]) == 0)
				return true;
		}
	}
	return false;
}

static int
apply(struct ctl *c, const char *file, bool dry_run)
{
	Fab__V1__ApplyRequest req = FAB__V1__APPLY_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *changes = NULL;
	size_t len;
	int status;

	if ((status = ctl_read_file(&req.text, &len, file, TOPO_FILE_MAX)) != CTL_OK)
		return status;
	if (strlen(req.text) != len) {
		free(req.text);
		return ctl_fail(CTL_REFUSED, "InvalidFile", "%s is not a text file", file);
	}
	req.file_name = (char *)(uintptr_t)file;
	req.dry_run = dry_run;
	status = ctl_call(c, "Apply", &req.base, &reply);
	free(req.text);
	if (status != CTL_OK)
		return status;
	status = refused(CTL_REPLY(Fab__V1__ApplyReply, reply), file);
	if (status == CTL_OK)
		changes = change_list(CTL_REPLY(Fab__V1__ApplyReply, reply));
	ctl_reply_free(reply);
	if (status == CTL_OK && !dry_run && touches_processes(changes))
		status = ctl_reconcile(c);
	if (changes != NULL && status == CTL_OK)
		return ctl_answer(c, changes, &change_view);
	json_decref(changes);
	return status;
}

int
ctl_apply(struct ctl *c, const struct ctl_args *args)
{
	return apply(c, args->pos[0], args->opt[CTL_OPT_DRY_RUN] != NULL);
}

int
ctl_diff(struct ctl *c, const struct ctl_args *args)
{
	return apply(c, args->pos[0], true);
}

/* ---- get, set, delete ---- */

static const struct ctl_view resource_view = {
	.columns =
	    (const struct ctl_column[]){
		{ "Kind", "kind" },
		{ "Name", "name" },
		{ "Properties", "properties" },
		CTL_COLUMNS_END,
	    },
	.empty = "none",
};

static json_t *
resource_json(const Fab__V1__Resource *r)
{
	json_t *props = json_loads(r->json, 0, NULL);

	return json_pack("{s:s, s:s, s:o}", "kind", r->kind, "name", r->name, "properties",
	    props != NULL ? props : json_object());
}

/* One resource as an object, or all of a kind as a list. */
static int
fetch(struct ctl *c, const char *kind, const char *name, json_t **out)
{
	Fab__V1__ResourceRef req = FAB__V1__RESOURCE_REF__INIT;
	const Fab__V1__ResourceList *list;
	ProtobufCMessage *reply;
	json_t *value;
	int status;

	req.kind = (char *)(uintptr_t)kind;
	if (name != NULL)
		req.name = (char *)(uintptr_t)name;
	if ((status = ctl_call(c, "Get", &req.base, &reply)) != CTL_OK)
		return status;
	list = CTL_REPLY(Fab__V1__ResourceList, reply);
	if (name != NULL && list->n_resources == 1) {
		value = resource_json(list->resources[0]);
	} else {
		value = json_array();
		for (size_t i = 0; i < list->n_resources; i++)
			json_array_append_new(value, resource_json(list->resources[i]));
	}
	ctl_reply_free(reply);
	*out = value;
	return CTL_OK;
}

int
ctl_get(struct ctl *c, const struct ctl_args *args)
{
	const char *name = args->n_pos > 1 ? args->pos[1] : NULL;
	json_t *value;
	int status;

	if (strcmp(args->pos[0], "nic") == 0 || strcmp(args->pos[0], "nics") == 0)
		return ctl_nics(c, &(struct ctl_args){ .pos = { name }, .n_pos = args->n_pos - 1 });
	if ((status = fetch(c, args->pos[0], name, &value)) != CTL_OK)
		return status;
	if (name != NULL && json_is_array(value)) {
		json_decref(value);
		return ctl_fail(
		    CTL_REFUSED, "NOT_FOUND", "there is no %s '%s'", args->pos[0], name);
	}
	return ctl_answer(c, value, &resource_view);
}

static int
change(struct ctl *c, const char *method, const ProtobufCMessage *req)
{
	ProtobufCMessage *reply;
	json_t *changes;
	int status;

	if ((status = ctl_call(c, method, req, &reply)) != CTL_OK)
		return status;
	status = refused(CTL_REPLY(Fab__V1__ApplyReply, reply), NULL);
	changes = change_list(CTL_REPLY(Fab__V1__ApplyReply, reply));
	ctl_reply_free(reply);
	if (status == CTL_OK && touches_processes(changes))
		status = ctl_reconcile(c);
	json_decref(changes);
	return status;
}

/* Answers with the resource as it is now. */
int
ctl_set(struct ctl *c, const struct ctl_args *args)
{
	Fab__V1__SetRequest req = FAB__V1__SET_REQUEST__INIT;
	char *assignments[CTL_POS_MAX];
	json_t *value;
	int status;

	for (unsigned i = 2; i < args->n_pos; i++) {
		if (strchr(args->pos[i], '=') == NULL)
			return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not KEY=VALUE", args->pos[i]);
		assignments[req.n_assignments++] = (char *)(uintptr_t)args->pos[i];
	}
	req.kind = (char *)(uintptr_t)args->pos[0];
	req.name = (char *)(uintptr_t)args->pos[1];
	req.assignments = assignments;
	if ((status = change(c, "Set", &req.base)) != CTL_OK ||
	    (status = fetch(c, args->pos[0], args->pos[1], &value)) != CTL_OK)
		return status;
	return ctl_answer(c, value, &resource_view);
}

/* Answers with the resource as it was. */
int
ctl_delete(struct ctl *c, const struct ctl_args *args)
{
	Fab__V1__ResourceRef req = FAB__V1__RESOURCE_REF__INIT;
	json_t *value;
	int status;

	if ((status = fetch(c, args->pos[0], args->pos[1], &value)) != CTL_OK)
		return status;
	req.kind = (char *)(uintptr_t)args->pos[0];
	req.name = (char *)(uintptr_t)args->pos[1];
	if ((status = change(c, "Delete", &req.base)) != CTL_OK) {
		json_decref(value);
		return status;
	}
	return ctl_answer(c, value, &resource_view);
}
