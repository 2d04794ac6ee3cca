/*
 * Expectations about events: "event session rs1-0 session nva1 down: hold timer" is a kind, a
 * subject (or * for any) and a part of the text; since the last step began that did something.
 */
#include "fabctl/ctl_out.h"
#include "fabctl/sc_run_int.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct wanted {
	bool negated;
	char kind[32], subject[128];
	const char *text; /* "" is anything */
};

static const char *
skip_word(const char *p)
{
	p += strcspn(p, " ");
	return p + strspn(p, " ");
}

static void
take_word(char *out, size_t size, const char **p)
{
	snprintf(out, size, "%.*s", (int)strcspn(*p, " "), *p);
	*p = skip_word(*p);
}

bool
sc_is_event(const char *condition)
{
	if (strncmp(condition, "no ", 3) == 0)
		condition += 3;
	return strncmp(condition, "event ", 6) == 0;
}

static struct wanted
parse(const char *condition)
{
	struct wanted w = { .negated = strncmp(condition, "no ", 3) == 0 };

	condition = skip_word(w.negated ? condition + 3 : condition);
	take_word(w.kind, sizeof(w.kind), &condition);
	take_word(w.subject, sizeof(w.subject), &condition);
	w.text = condition;
	return w;
}

static bool
is_one(const struct wanted *w, const json_t *e)
{
	return strcmp(ctl_str(e, "kind"), w->kind) == 0 &&
	       (w->subject[0] == '\0' || strcmp(w->subject, "*") == 0 ||
		   strcmp(ctl_str(e, "subject"), w->subject) == 0) &&
	       strstr(ctl_str(e, "text"), w->text) != NULL;
}

/* The log is one JSON object a line. False after sc_fail(). */
static bool
happened(struct run *r, const struct wanted *w, bool *yes)
{
	struct sc_call c;
	char *save = NULL;
	bool ok = sc_call(&c, r->f->dir, r->url, true, (const char *[]){ "events", NULL }) == 0;

	*yes = false;
	for (char *line = ok && c.text[0] != NULL ? strtok_r(c.text[0], "\n", &save) : NULL;
	     line != NULL && !*yes; line = strtok_r(NULL, "\n", &save)) {
		json_t *e = json_loads(line, 0, NULL);

		*yes = (uint64_t)json_integer_value(json_object_get(e, "at_us")) >= r->since_us &&
		       is_one(w, e);
		json_decref(e);
	}
	if (!ok)
		sc_fail(r, "exit %d: %s", c.status, sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

/* Looks until it has happened or the time is over. */
static bool
look(struct run *r, const struct wanted *w, uint32_t ms, bool *yes)
{
	struct fab_mono since = fab_mono_now();

	while (happened(r, w, yes)) {
		if (*yes || sc_left(since, ms) == 0 || sc_interrupted)
			return true;
		usleep(SC_LOOK_MS * 1000);
	}
	return false;
}

bool
sc_event_holds(struct run *r, const char *condition, uint32_t within_ms)
{
	struct wanted w = parse(condition);
	bool yes;

	if (!look(r, &w, w.negated ? 0 : within_ms, &yes))
		return false;
	return yes != w.negated ||
	       sc_fail(r, "%s: %s", condition, yes ? "it happened" : "nothing like that happened");
}

/* What has happened stays so. */
bool
sc_event_stays(struct run *r, const char *condition, uint32_t ms)
{
	struct wanted w = parse(condition);
	bool yes = false;

	if (!w.negated)
		return true;
	return look(r, &w, ms, &yes) &&
	       (!yes || sc_fail(r, "%s: held, but not for %u ms", condition, ms));
}
