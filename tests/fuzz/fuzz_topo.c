/*
 * The topology parser and builder. Whatever comes in: no crash, an error exactly when something is
 * refused, messages of one line in UTF-8; and what is accepted survives the way through JSON, which
 * is the way through the store.
 */
#include "lib/err.h"
#include "lib/topo.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_messages(const struct topo_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++) {
		json_t *text = json_string(errs->e[i].message);

		FAB_ASSERT(text != NULL && errs->e[i].code[0] != '\0');
		FAB_ASSERT(strpbrk(errs->e[i].message, "\r\n") == NULL);
		json_decref(text);
	}
}

static struct topo_doc *
through_json(const struct topo_doc *doc)
{
	struct topo_doc *back = topo_doc_new();

	for (size_t i = 0; i < doc->n; i++) {
		const struct topo_resource *r = &doc->res[i];
		char *text = json_dumps(r->props, JSON_COMPACT);

		FAB_ASSERT(
		    topo_doc_put(back, r->kind, r->name, json_loads(text, 0, NULL)) == FAB_OK);
		free(text);
	}
	return back;
}

static void
check_round_trip(const struct topo_doc *doc, bool good)
{
	static struct topo_errors errs;
	struct topo_doc *back = through_json(doc);
	struct topo_change *changes;
	struct topo *t;
	size_t n;

	errs.n = 0;
	FAB_ASSERT(topo_doc_diff(&changes, &n, doc, back) == FAB_OK && n == 0);
	free(changes);
	t = topo_build(back, &errs, NULL);
	FAB_ASSERT((t != NULL) == good);
	topo_free(t);
	topo_doc_free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct topo_errors errs, warnings;
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;

	errs.n = warnings.n = 0;
	if (topo_parse_yaml(&doc, (const char *)data, size, &errs) == FAB_OK) {
		FAB_ASSERT(errs.n == 0);
		t = topo_build(doc, &errs, &warnings);
		FAB_ASSERT((t == NULL) == (errs.n > 0));
		check_round_trip(doc, t != NULL);
	} else {
		FAB_ASSERT(doc == NULL && errs.n > 0);
	}
	check_messages(&errs);
	check_messages(&warnings);
	topo_free(t);
	topo_doc_free(doc);
	return 0;
}
