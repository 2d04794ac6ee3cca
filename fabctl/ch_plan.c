#include "fabctl/ch_plan.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX 1000000
#define JOINT     " + "
#define FABRICD   "fabricd"

static const char *const names[] = { "kill", "pause", "cut" };
_Static_assert(sizeof(names) / sizeof(names[0]) == CH_FAULT_COUNT, "names");

const char *
ch_fault_name(enum ch_fault f)
{
	return names[f];
}

static int
fault_parse(enum ch_fault *out, const char *word, size_t len)
{
	for (int i = 0; i < CH_FAULT_COUNT; i++) {
		if (strlen(names[i]) != len || strncmp(names[i], word, len) != 0)
			continue;
		*out = (enum ch_fault)i;
		return FAB_OK;
	}
	return FAB_EINVAL;
}

int
ch_faults_parse(bool out[static CH_FAULT_COUNT], const char *text)
{
	bool set[CH_FAULT_COUNT] = { false };
	enum ch_fault f;

	for (;;) {
		size_t len = strcspn(text, ",");

		if (fault_parse(&f, text, len) != FAB_OK)
			return FAB_EINVAL;
		set[f] = true;
		if (text[len] == '\0')
			break;
		text += len + 1;
	}
	memcpy(out, set, sizeof(set));
	return FAB_OK;
}

/* ---- names ---- */

void
ch_cell_name(char out[static CH_CELL_MAX], const struct ch_cell *c)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < c->n; i++) {
		const struct ch_step *s = &c->step[i];

		len += (size_t)snprintf(out + len, CH_CELL_MAX - len, "%s%s %s%s%s",
		    i > 0 ? JOINT : "", names[s->fault], s->a, s->b[0] != '\0' ? " " : "", s->b);
	}
}

static int
take_name(char out[static CH_NAME_MAX], const char **at, const char *end)
{
	size_t len = 0;

	while (*at + len < end && (*at)[len] != ' ')
		len++;
	if (len == 0 || len >= CH_NAME_MAX)
		return FAB_EINVAL;
	snprintf(out, CH_NAME_MAX, "%.*s", (int)len, *at);
	*at += len + (*at + len < end);
	return FAB_OK;
}

static int
step_parse(struct ch_step *s, const char *at, const char *end)
{
	char word[CH_NAME_MAX];

	*s = (struct ch_step){ .fault = CH_KILL };
	if (take_name(word, &at, end) != FAB_OK ||
	    fault_parse(&s->fault, word, strlen(word)) != FAB_OK ||
	    take_name(s->a, &at, end) != FAB_OK)
		return FAB_EINVAL;
	if (at < end && (s->fault != CH_CUT || take_name(s->b, &at, end) != FAB_OK))
		return FAB_EINVAL;
	return at == end ? FAB_OK : FAB_EINVAL;
}

int
ch_cell_parse(struct ch_cell *out, const char *name)
{
	struct ch_cell c = { .n = 0 };
	const char *end;

	do {
		const char *joint = strstr(name, JOINT);

		end = joint != NULL ? joint : name + strlen(name);
		if (c.n == CH_STEPS_MAX || step_parse(&c.step[c.n++], name, end) != FAB_OK)
			return FAB_EINVAL;
		name = joint != NULL ? joint + strlen(JOINT) : end;
	} while (*end != '\0');
	*out = c;
	return FAB_OK;
}

void
ch_step_words(const char *out[static CH_WORDS_MAX], const struct ch_step *s, bool repair)
{
	static const char *const undo[] = { "start", "resume", "restore" };
	size_t n = 0;

	if (s->fault == CH_CUT)
		out[n++] = "link";
	out[n++] = repair ? undo[s->fault] : names[s->fault];
	out[n++] = s->a;
	if (s->b[0] != '\0')
		out[n++] = s->b;
	out[n] = NULL;
}

/* ---- filter ---- */

/* Whether the list has that name. */
static bool
listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; len > 0; p++) {
		size_t n = strcspn(p, ",");

		if (n == len && strncmp(p, name, n) == 0)
			return true;
		p += n;
		if (*p == '\0')
			break;
	}
	return false;
}

static bool
wanted(const struct ch_element *e, const char *only)
{
	return only == NULL || listed(only, e->a) || listed(only, e->b);
}

static int
check_only(const struct ch_element *v, size_t n, const char *only, char missing[static CH_NAME_MAX])
{
	for (const char *p = only; p != NULL;) {
		size_t len = strcspn(p, ",");
		bool found = false;

		snprintf(missing, CH_NAME_MAX, "%.*s", (int)len, p);
		for (size_t i = 0; i < n && !found; i++)
			found = strcmp(v[i].a, missing) == 0 || strcmp(v[i].b, missing) == 0;
		if (!found)
			return FAB_ENOENT;
		p = p[len] != '\0' ? p + len + 1 : NULL;
	}
	return FAB_OK;
}

/* ---- cells ---- */

static int
add(struct ch_plan *p, size_t *room, const struct ch_step *a, const struct ch_step *b)
{
	struct ch_cell *more;

	if (p->n == CELLS_MAX)
		return FAB_ETOOBIG;
	if (p->n == *room) {
		*room = *room == 0 ? 64 : 2 * *room;
		if ((more = realloc(p->cells, *room * sizeof(*more))) == NULL)
			return FAB_ENOMEM;
		p->cells = more;
	}
	p->cells[p->n] = (struct ch_cell){ .n = b != NULL ? 2 : 1 };
	p->cells[p->n].step[0] = *a;
	if (b != NULL)
		p->cells[p->n].step[1] = *b;
	p->n++;
	return FAB_OK;
}

static int
add_singles(struct ch_plan *p, size_t *room, const struct ch_element *v, size_t n,
    const struct ch_filter *filter)
{
	int err = FAB_OK;

	for (int f = 0; f < CH_FAULT_COUNT; f++)
		for (size_t i = 0; i < n && err == FAB_OK && filter->faults[f]; i++) {
			struct ch_step s = { .fault = (enum ch_fault)f };

			if (v[i].is_link != (f == CH_CUT) || !wanted(&v[i], filter->only))
				continue;
			snprintf(s.a, sizeof(s.a), "%s", v[i].a);
			snprintf(s.b, sizeof(s.b), "%s", v[i].b);
			err = add(p, room, &s, NULL);
		}
	return err;
}

static bool
same_element(const struct ch_step *a, const struct ch_step *b)
{
	return (a->fault == CH_CUT) == (b->fault == CH_CUT) && strcmp(a->a, b->a) == 0 &&
	       strcmp(a->b, b->b) == 0;
}

static int
add_pairs(struct ch_plan *p, size_t *room)
{
	size_t singles = p->n;
	int err = FAB_OK;

	for (size_t i = 0; i < singles; i++)
		for (size_t k = i + 1; k < singles && err == FAB_OK; k++) {
			const struct ch_step a = p->cells[i].step[0], b = p->cells[k].step[0];

			/* One process does not die and hang at once, and without fabricd nobody
			 * looks. */
			if (!same_element(&a, &b) && strcmp(a.a, FABRICD) != 0 &&
			    strcmp(b.a, FABRICD) != 0)
				err = add(p, room, &a, &b);
		}
	return err;
}

/* xorshift64*; its state is never 0. */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

static void
shuffle(struct ch_plan *p, uint64_t seed)
{
	uint64_t state = seed * 0x9e3779b97f4a7c15u | 1;

	for (size_t i = p->n; i > 1; i--) {
		size_t k = (size_t)((next_random(&state) >> 11) % i);
		struct ch_cell swap = p->cells[i - 1];

		p->cells[i - 1] = p->cells[k];
		p->cells[k] = swap;
	}
}

int
ch_plan_make(struct ch_plan *out, const struct ch_element *v, size_t n,
    const struct ch_filter *filter, char missing[static CH_NAME_MAX])
{
	struct ch_plan p = { .n = 0 };
	size_t room = 0;
	int err = check_only(v, n, filter->only, missing);

	if (err == FAB_OK)
		err = add_singles(&p, &room, v, n, filter);
	if (err == FAB_OK && filter->pairs)
		err = add_pairs(&p, &room);
	if (err != FAB_OK) {
		ch_plan_fini(&p);
		return err;
	}
	if (filter->seed != 0)
		shuffle(&p, filter->seed);
	if (filter->limit > 0 && p.n > filter->limit)
		p.n = filter->limit;
	*out = p;
	return FAB_OK;
}

void
ch_plan_fini(struct ch_plan *p)
{
	free(p->cells);
	*p = (struct ch_plan){ 0 };
}
