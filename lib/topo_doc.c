/*
 * Documents: sorted lists of resources with their properties as JSON. A file parses into one, a
 * store loads into one, `set` changes one; topo_build() makes a model of it.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[TOPO_KIND_COUNT] = {
	[TOPO_FABRIC] = "fabric",
	[TOPO_VNET] = "vnet",
	[TOPO_PEERING] = "peering",
	[TOPO_ROUTE_TABLE] = "route_table",
	[TOPO_ROUTE_SERVER] = "route_server",
	[TOPO_NVA] = "nva",
	[TOPO_GATEWAY] = "gateway",
	[TOPO_CIRCUIT] = "circuit",
	[TOPO_SITE] = "site",
	[TOPO_VM] = "vm",
	[TOPO_LOAD_BALANCER] = "load_balancer",
	[TOPO_CLIENT] = "client",
	[TOPO_ROUTE_MAP] = "route_map",
};

const char *
topo_kind_name(enum topo_kind k)
{
	return k < TOPO_KIND_COUNT ? kind_names[k] : "unknown";
}

int
topo_kind_parse(enum topo_kind *out, const char *word)
{
	char name[32];
	size_t n = strlen(word);

	if (n == 0 || n >= sizeof(name))
		return FAB_EINVAL;
	for (size_t i = 0; i <= n; i++)
		name[i] = word[i] == '-' ? '_' : word[i];
	for (int pass = 0; pass < 2; pass++) {
		for (enum topo_kind k = 0; k < TOPO_KIND_COUNT; k++)
			if (strcmp(name, kind_names[k]) == 0) {
				*out = k;
				return FAB_OK;
			}
		if (name[n - 1] != 's')
			return FAB_EINVAL;
		name[n - 1] = '\0';
	}
	return FAB_EINVAL;
}

/* ---- errors ---- */

void
topo_error_add(struct topo_errors *errs, unsigned line, const char *code, const char *fmt, ...)
{
	struct topo_error *e;
	va_list ap;

	if (errs == NULL || errs->n == TOPO_ERRORS_MAX)
		return;
	e = &errs->e[errs->n++];
	*e = (struct topo_error){ .line = line };
	if (errs->n == TOPO_ERRORS_MAX) {
		snprintf(e->code, sizeof(e->code), "TooManyErrors");
		snprintf(e->message, sizeof(e->message),
		    "more errors were left out; correct these first");
		e->line = 0;
		return;
	}
	snprintf(e->code, sizeof(e->code), "%s", code);
	va_start(ap, fmt);
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
	va_end(ap);
	topo_text_clean(e->message);
}

/* ---- resources ---- */

struct topo_doc *
topo_doc_new(void)
{
	return calloc(1, sizeof(struct topo_doc));
}

static void
resource_fini(struct topo_resource *r)
{
	free(r->name);
	json_decref(r->props);
	json_decref(r->lines);
}

void
topo_doc_free(struct topo_doc *doc)
{
	if (doc == NULL)
		return;
	for (size_t i = 0; i < doc->n; i++)
		resource_fini(&doc->res[i]);
	free(doc->res);
	free(doc);
}

/* Position of the resource, or where it would be. */
static size_t
lower_bound(const struct topo_doc *doc, enum topo_kind kind, const char *name)
{
	size_t low = 0, high = doc->n, mid;
	const struct topo_resource *r;

	while (low < high) {
		mid = low + (high - low) / 2;
		r = &doc->res[mid];
		if (r->kind < kind || (r->kind == kind && strcmp(r->name, name) < 0))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct topo_resource *
topo_doc_find(const struct topo_doc *doc, enum topo_kind kind, const char *name)
{
	size_t i = lower_bound(doc, kind, name);

	if (i == doc->n || doc->res[i].kind != kind || strcmp(doc->res[i].name, name) != 0)
		return NULL;
	return &doc->res[i];
}

/* Room for one more resource at position at. */
static struct topo_resource *
open_slot(struct topo_doc *doc, size_t at)
{
	struct topo_resource *grown;

	if (doc->n == 0 || (doc->n & (doc->n - 1)) == 0) {
		grown = reallocarray(doc->res, doc->n == 0 ? 1 : 2 * doc->n, sizeof(*grown));
		if (grown == NULL)
			return NULL;
		doc->res = grown;
	}
	memmove(&doc->res[at + 1], &doc->res[at], (doc->n - at) * sizeof(*doc->res));
	doc->n++;
	return &doc->res[at];
}

static struct topo_resource *
insert(struct topo_doc *doc, size_t at, enum topo_kind kind, const char *name, json_t *props,
    json_t *lines)
{
	char *copy = strdup(name);
	struct topo_resource *r = copy == NULL || props == NULL ? NULL : open_slot(doc, at);

	if (r == NULL) {
		free(copy);
		json_decref(props);
		json_decref(lines);
		return NULL;
	}
	*r = (struct topo_resource){ .kind = kind, .name = copy, .props = props, .lines = lines };
	return r;
}

struct topo_resource *
topo_doc_append(
    struct topo_doc *doc, enum topo_kind kind, const char *name, json_t *props, json_t *lines)
{
	return insert(doc, doc->n, kind, name, props, lines);
}

static int
by_kind_and_name(const void *a, const void *b)
{
	const struct topo_resource *x = a, *y = b;
	int c = x->kind == y->kind ? strcmp(x->name, y->name) : x->kind < y->kind ? -1 : 1;

	return c != 0 ? c : (int)(x->line > y->line) - (int)(x->line < y->line);
}

void
topo_doc_sort(struct topo_doc *doc)
{
	if (doc->n > 0)
		qsort(doc->res, doc->n, sizeof(*doc->res), by_kind_and_name);
}

int
topo_doc_put(struct topo_doc *doc, enum topo_kind kind, const char *name, json_t *props)
{
	struct topo_resource *r = topo_doc_find(doc, kind, name);

	if (!json_is_object(props)) {
		json_decref(props);
		return FAB_EINVAL;
	}
	if (r == NULL)
		return insert(doc, lower_bound(doc, kind, name), kind, name, props, NULL) == NULL
			   ? FAB_ENOMEM
			   : FAB_OK;
	json_decref(r->props);
	json_decref(r->lines);
	r->props = props;
	r->lines = NULL;
	r->line = 0;
	r->checked = false;
	return FAB_OK;
}

int
topo_doc_remove(struct topo_doc *doc, enum topo_kind kind, const char *name)
{
	struct topo_resource *r = topo_doc_find(doc, kind, name);

	if (r == NULL)
		return FAB_ENOENT;
	resource_fini(r);
	doc->n--;
	memmove(r, r + 1, (size_t)(&doc->res[doc->n] - r) * sizeof(*r));
	return FAB_OK;
}

struct topo_doc *
topo_doc_copy(const struct topo_doc *doc)
{
	struct topo_doc *copy = topo_doc_new();
	struct topo_resource *r;

	for (size_t i = 0; copy != NULL && i < doc->n; i++) {
		const struct topo_resource *from = &doc->res[i];

		r = topo_doc_append(copy, from->kind, from->name, json_deep_copy(from->props),
		    json_incref(from->lines));
		if (r == NULL) {
			topo_doc_free(copy);
			return NULL;
		}
		r->line = from->line;
		r->checked = from->checked;
		r->broken = from->broken;
	}
	return copy;
}

struct topo_subject
topo_subject_of(const struct topo_resource *r)
{
	bool fabric = r->kind == TOPO_FABRIC;

	return (struct topo_subject){ .kind = topo_kind_name(r->kind),
		.name = fabric ? "" : r->name,
		.lines = r->lines,
		.line = r->line };
}
