#ifndef TESTS_UNIT_TOPO_CASE_H
#define TESTS_UNIT_TOPO_CASE_H
/*
 * Shared by the topology tests: a text goes through parser and builder, and what they complain
 * about is compared word for word.
 */
#include "lib/err.h"
#include "lib/topo.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct topo_errors topo_case_errors, topo_case_warnings;

/* The model of a text; NULL with topo_case_errors filled. */
static inline struct topo *
topo_case_build(const char *text, size_t len)
{
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;

	topo_case_errors.n = topo_case_warnings.n = 0;
	if (topo_parse_yaml(&doc, text, len, &topo_case_errors) == FAB_OK)
		t = topo_build(doc, &topo_case_errors, &topo_case_warnings);
	topo_doc_free(doc);
	return t;
}

static inline void
topo_case_print(const char *what, const struct topo_errors *errs)
{
	for (size_t i = 0; i < errs->n; i++)
		printf("\n  %s: %u: %s: %s", what, errs->e[i].line, errs->e[i].code,
		    errs->e[i].message);
}

struct topo_case {
	const char *text;
	unsigned line;
	const char *code, *message;
};

/* docs/topology.md explains every code. */
static inline bool
topo_case_documented(const char *code)
{
	static char doc[1u << 18];
	char quoted[80];
	FILE *f;

	if (doc[0] == '\0' && (f = fopen("docs/topology.md", "re")) != NULL) {
		doc[fread(doc, 1, sizeof(doc) - 1, f)] = '\0';
		fclose(f);
	}
	snprintf(quoted, sizeof(quoted), "| `%s`", code);
	return strstr(doc, quoted) != NULL;
}

/* The one complaint that a case expects. */
static inline void
topo_case_compare(const struct topo_case *c, const struct topo_errors *errs)
{
	bool same = errs->n == 1 && errs->e[0].line == c->line &&
		    strcmp(errs->e[0].code, c->code) == 0 &&
		    strcmp(errs->e[0].message, c->message) == 0;

	if (!same) {
		printf("\n--- %s %s", c->code, c->message);
		topo_case_print("got", errs);
	}
	CU_ASSERT(same);
	CU_ASSERT(topo_case_documented(c->code));
}

/* Each text is refused with exactly this. */
static inline void
topo_case_refused(const struct topo_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct topo *t = topo_case_build(cases[i].text, strlen(cases[i].text));

		CU_ASSERT_PTR_NULL(t);
		topo_case_compare(&cases[i], &topo_case_errors);
		topo_free(t);
	}
}

/* Each text is accepted with exactly this warning. */
static inline void
topo_case_warned(const struct topo_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct topo *t = topo_case_build(cases[i].text, strlen(cases[i].text));

		CU_ASSERT_PTR_NOT_NULL(t);
		topo_case_print(cases[i].code, &topo_case_errors);
		topo_case_compare(&cases[i], &topo_case_warnings);
		topo_free(t);
	}
}

#define TOPO_REFUSED(cases) topo_case_refused(cases, sizeof(cases) / sizeof((cases)[0]))
#define TOPO_WARNED(cases)  topo_case_warned(cases, sizeof(cases) / sizeof((cases)[0]))

#endif
