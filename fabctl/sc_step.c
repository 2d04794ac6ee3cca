/*
 * The steps of a scenario file. A step is a map with one verb and, for some, keys beside it that
 * say how long or how many.
 */
#include "fabctl/ctl.h"
#include "fabctl/sc_load.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WITHIN_MS 10000
#define LOST_ANY  UINT32_MAX

enum {
	KEY_WITHIN,
	KEY_STAYS,
	KEY_CONTAINS,
	KEY_EQUALS,
	KEY_LACKS,
	KEY_LOST,
	KEY_DURING,
	KEY_OUTPUT,
	KEYS
};

static const char *const beside[KEYS] = { "within", "stays", "contains", "equals", "lacks", "lost",
	"during", "output" };

#define BIT(key) (1u << (key))

#define TABLE                                                                                      \
	(BIT(KEY_WITHIN) | BIT(KEY_STAYS) | BIT(KEY_CONTAINS) | BIT(KEY_EQUALS) | BIT(KEY_LACKS))

/* argv: what fabctl is called with before the words of the step. */
static const struct verb {
	const char *name;
	enum sc_kind kind;
	unsigned min, max; /* words */
	unsigned keys;     /* BIT()s of those that may stand beside it */
	const char *argv[2];
	const char *usage;
} verbs[] = {
	{ "expect", SC_EXPECT, 1, SC_STEPS_MAX, BIT(KEY_WITHIN) | BIT(KEY_STAYS), { NULL },
	    "a condition of 'fabctl wait', or a list of them" },
	{ "routes", SC_TABLE, 1, 1, TABLE, { "routes", "effective" }, "a NIC" },
	{ "learned", SC_TABLE, 2, 2, TABLE, { "routes", "learned" }, "RS PEER" },
	{ "advertised", SC_TABLE, 2, 2, TABLE, { "routes", "advertised" }, "RS PEER" },
	{ "knows", SC_TABLE, 1, 1, TABLE, { "router", "routes" }, "an NVA or a site" },
	{ "gateway", SC_TABLE, 1, 2, TABLE, { "gateway", "learned" }, "GATEWAY [PEER]" },
	{ "circuit", SC_TABLE, 2, 2, TABLE, { "circuit", "routes" }, "CIRCUIT primary|secondary" },
	{ "probe", SC_PROBE, 2, 16, BIT(KEY_LOST) | BIT(KEY_DURING), { "probe" },
	    "SRC DST, and options of 'fabctl probe'" },
	{ "announce", SC_ANNOUNCE, 2, 2, 0, { NULL }, "ROUTER PREFIX" },
	{ "withdraw", SC_WITHDRAW, 2, 2, 0, { NULL }, "ROUTER PREFIX" },
	{ "kill", SC_COMMAND, 1, 2, 0, { "kill" }, "NAME" },
	{ "pause", SC_COMMAND, 1, 1, 0, { "pause" }, "NAME" },
	{ "resume", SC_COMMAND, 1, 1, 0, { "resume" }, "NAME" },
	{ "stop", SC_COMMAND, 1, 1, 0, { "stop" }, "NAME" },
	{ "start", SC_COMMAND, 1, 1, 0, { "start" }, "NAME" },
	{ "restart", SC_COMMAND, 1, 1, 0, { "restart" }, "NAME" },
	{ "cut", SC_COMMAND, 1, 3, 0, { "link", "cut" }, "A B" },
	{ "restore", SC_COMMAND, 1, 3, 0, { "link", "restore" }, "A B" },
	{ "link", SC_COMMAND, 2, CTL_POS_MAX, 0, { "link" }, "words of 'fabctl link'" },
	{ "set", SC_COMMAND, 3, CTL_POS_MAX, 0, { "set" }, "KIND NAME KEY=VALUE..." },
	{ "delete", SC_COMMAND, 2, 2, 0, { "delete" }, "KIND NAME" },
	{ "apply", SC_COMMAND, 1, 1, 0, { "apply" }, "FILE, or a map: part of a topology" },
	{ "exec", SC_EXEC, 2, CTL_POS_MAX, BIT(KEY_OUTPUT), { "exec" }, "GUEST COMMAND..." },
	{ "run", SC_RUN, 1, 1, BIT(KEY_OUTPUT) | BIT(KEY_WITHIN), { NULL },
	    "a command line of the shell" },
	{ "wait", SC_WAIT, 1, 1, 0, { NULL }, "a time such as 2s" },
};

/* ---- values ---- */

static bool
duration(struct sc_load *l, const struct topo_yaml *y, uint32_t *ms)
{
	if (sc_is_text(y) && ctl_duration_ms(ms, y->text) == FAB_OK)
		return true;
	return sc_complain(l, y, "'%.60s' is not a time such as 5s", sc_is_text(y) ? y->text : "");
}

/* At blanks; quotes of either kind keep them. */
static size_t
split(char *text, const char **words, size_t max)
{
	size_t n = 0;
	char *in = text, *out = text;

	while (n < max) {
		char quote = '\0';

		in += strspn(in, " \t\n");
		if (*in == '\0')
			break;
		words[n++] = out;
		for (; *in != '\0' && (quote != '\0' || strchr(" \t\n", *in) == NULL); in++) {
			if (quote == '\0' && (*in == '"' || *in == '\''))
				quote = *in;
			else if (*in == quote)
				quote = '\0';
			else
				*out++ = *in;
		}
		in += *in != '\0';
		*out++ = '\0';
	}
	return n;
}

/* One text: split into words, or whole. A list: its items as they are. */
static bool
take_words(struct sc_load *l, struct sc_step *s, const struct topo_yaml *y, bool whole)
{
	const struct topo_yaml *one[] = { y };
	size_t n = y->type == TOPO_YAML_LIST ? y->n : 1, room = n + 1;
	const struct topo_yaml *const *items =
	    y->type == TOPO_YAML_LIST ? (const struct topo_yaml *const *)y->items : one;

	for (size_t i = 0; i < n; i++)
		if (!sc_is_text(items[i]))
			return sc_complain(
			    l, y, "%s: text, or a list of texts, is expected", s->text);
	if (y->type == TOPO_YAML_SCALAR && !whole)
		room = strlen(y->text) + 1;
	s->words = topo_arena_alloc(l->f->arena, room + 1, sizeof(*s->words));
	if (s->words == NULL)
		return sc_complain(l, y, "%s: out of memory", s->text);
	if (y->type == TOPO_YAML_SCALAR && !whole) {
		s->n_words =
		    split(topo_arena_text(l->f->arena, y->text, strlen(y->text)), s->words, room);
		return true;
	}
	for (size_t i = 0; i < n; i++)
		s->words[i] = items[i]->text;
	s->n_words = n;
	return true;
}

/* A map prefix -> what is said of it, or a list of prefixes. */
static bool
take_rows(struct sc_load *l, struct sc_rows *r, const struct topo_yaml *y)
{
	r->given = true;
	r->n = y->n;
	r->prefix = topo_arena_alloc(l->f->arena, y->n, sizeof(*r->prefix));
	r->want = topo_arena_alloc(l->f->arena, y->n, sizeof(*r->want));
	if (y->type == TOPO_YAML_SCALAR || r->prefix == NULL || r->want == NULL)
		return sc_complain(l, y,
		    "'%.60s' is neither a list of prefixes nor a map of prefix to what it leads to",
		    y->type == TOPO_YAML_SCALAR ? y->text : "");
	for (size_t i = 0; i < y->n; i++) {
		bool map = y->type == TOPO_YAML_MAP;
		const struct topo_yaml *prefix = map ? y->keys[i] : y->items[i];
		struct ipnet net;

		if (!sc_is_text(prefix) || ipnet_parse(&net, prefix->text) != FAB_OK)
			return sc_complain(l, prefix, "'%.60s' is not a prefix such as 10.1.0.0/16",
			    sc_is_text(prefix) ? prefix->text : "");
		if (map && y->items[i]->type != TOPO_YAML_SCALAR)
			return sc_complain(
			    l, prefix, "%.60s: what it leads to is text", prefix->text);
		r->prefix[i] = prefix->text;
		r->want[i] = map ? y->items[i]->text : "";
	}
	return true;
}

/* "at most 5", "5" */
static bool
take_lost(struct sc_load *l, struct sc_step *s, const struct topo_yaml *y)
{
	const char *text = sc_is_text(y) ? y->text : "";
	const char *number = strncmp(text, "at most ", 8) == 0 ? text + 8 : text;

	if (number[0] == '\0' || strlen(number) > 9 ||
	    strspn(number, "0123456789") != strlen(number))
		return sc_complain(
		    l, y, "'%.60s' is not a number of packets such as 'at most 5'", text);
	s->lost = (uint32_t)strtoul(number, NULL, 10);
	return true;
}

/* ---- steps ---- */
static bool
take_key(struct sc_load *l, struct sc_step *s, unsigned key, const struct topo_yaml *y)
{
	switch (key) {
	case KEY_WITHIN:
		return duration(l, y, &s->within_ms);
	case KEY_STAYS:
		return duration(l, y, &s->stays_ms);
	case KEY_CONTAINS:
		return take_rows(l, &s->contains, y);
	case KEY_EQUALS:
		return take_rows(l, &s->equals, y);
	case KEY_LACKS:
		return take_rows(l, &s->lacks, y);
	case KEY_LOST:
		return take_lost(l, s, y);
	case KEY_OUTPUT:
		s->output = y->text;
		return sc_is_text(y) || sc_complain(l, y, "%s: text is expected", beside[key]);
	default:
		return sc_take_steps(l, y, true, &s->during, &s->n_during);
	}
}

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
find_key(const char *name)
{
	for (int i = 0; i < KEYS; i++)
		if (strcmp(beside[i], name) == 0)
			return i;
	return -1;
}

/* "kill nva1", as the file has it. */
static const char *
describe(struct sc_load *l, const struct verb *v, const struct topo_yaml *y)
{
	char text[200];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", v->name);

	for (size_t i = 0; y->type == TOPO_YAML_LIST && i < y->n && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : " ",
		    sc_is_text(y->items[i]) ? y->items[i]->text : "");
	if (y->type == TOPO_YAML_SCALAR)
		snprintf(text + len, sizeof(text) - len, " %s", y->text);
	return topo_arena_text(l->f->arena, text, strlen(text));
}

/* fabctl's own words go before those of the step. */
static bool
put_argv(struct sc_load *l, struct sc_step *s, const struct verb *v)
{
	size_t n = 0;
	const char **all;

	while (n < 2 && v->argv[n] != NULL)
		n++;
	all = topo_arena_alloc(l->f->arena, n + s->n_words + 1, sizeof(*all));
	if (all == NULL)
		return false;
	memcpy((void *)all, (const void *)v->argv, n * sizeof(*all));
	memcpy((void *)(all + n), (const void *)s->words, s->n_words * sizeof(*all));
	s->words = all;
	s->n_words += n;
	return true;
}

/* Its keys are the text: "apply nvas, vms". */
static bool
take_overlay(struct sc_load *l, struct sc_step *s, const struct topo_yaml *y)
{
	char text[200] = "apply";
	size_t len = strlen(text);

	s->kind = SC_OVERLAY;
	for (size_t i = 0; i < y->n && len < sizeof(text); i++)
		len += (size_t)snprintf(
		    text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : " ", y->keys[i]->text);
	s->text = topo_arena_text(l->f->arena, text, strlen(text));
	s->overlay = topo_yaml_json(y, NULL);
	return s->overlay != NULL || sc_complain(l, y, "%s: out of memory", s->text);
}

static bool
take_verb(struct sc_load *l, struct sc_step *s, const struct verb *v, const struct topo_yaml *y)
{
	*s = (struct sc_step){
		.kind = v->kind, .line = y->line, .within_ms = WITHIN_MS, .lost = LOST_ANY
	};
	s->text = describe(l, v, y);
	if (y->type == TOPO_YAML_MAP && strcmp(v->name, "apply") == 0)
		return take_overlay(l, s, y);
	if (y->type == TOPO_YAML_MAP)
		return sc_complain(l, y, "%s: text, or a list of texts, is expected", v->name);
	if (v->kind == SC_RUN)
		s->within_ms = 0;
	if (!take_words(l, s, y, v->kind == SC_EXPECT || v->kind == SC_RUN))
		return false;
	if (s->n_words == 1 && v->kind == SC_WAIT)
		return duration(l, y, &s->within_ms);
	if (s->n_words >= v->min && s->n_words <= v->max)
		return put_argv(l, s, v);
	topo_error_add(l->errs, y->line, "InvalidScenario", "%s: expected %s", s->text, v->usage);
	return false;
}

static bool
check_keys(struct sc_load *l, const struct sc_step *s, const struct verb *v, unsigned given,
    const struct topo_yaml *y)
{
	for (unsigned i = 0; i < KEYS; i++)
		if ((given & ~v->keys & BIT(i)) != 0) {
			topo_error_add(l->errs, y->line, "InvalidScenario",
			    "%s: '%s' does not go with it", s->text, beside[i]);
			return false;
		}
	if (s->kind == SC_TABLE && !s->contains.given && !s->equals.given && !s->lacks.given)
		return sc_complain(
		    l, y, "%s: one of contains, equals and lacks is expected", s->text);
	if (s->kind == SC_PROBE && (given & BIT(KEY_DURING)) == 0 && s->lost == LOST_ANY)
		return sc_complain(l, y, "%s: 'lost' or 'during' is expected", s->text);
	return true;
}

static bool
take_step(struct sc_load *l, const struct topo_yaml *y, struct sc_step *s)
{
	const struct verb *v = NULL;
	unsigned given = 0;
	int key;

	for (size_t i = 0; y->type == TOPO_YAML_MAP && i < y->n && v == NULL; i++)
		if ((v = find_verb(y->keys[i]->text)) != NULL && !take_verb(l, s, v, y->items[i]))
			return false;
	if (v == NULL)
		return sc_complain(l, y, "no step begins with '%.60s'; see docs/scenarios.md",
		    y->type == TOPO_YAML_MAP && y->n > 0 ? y->keys[0]->text : "");
	for (size_t i = 0; i < y->n; i++) {
		if (strcmp(y->keys[i]->text, v->name) == 0)
			continue;
		if ((key = find_key(y->keys[i]->text)) < 0) {
			topo_error_add(l->errs, y->keys[i]->line, "InvalidScenario",
			    "%s: unknown key '%.60s'", s->text, y->keys[i]->text);
			return false;
		}
		given |= BIT((unsigned)key);
		if (!take_key(l, s, (unsigned)key, y->items[i]))
			return false;
	}
	return check_keys(l, s, v, given, y);
}

bool
sc_take_steps(
    struct sc_load *l, const struct topo_yaml *y, bool inner, struct sc_step **out, size_t *n)
{
	bool fine = true;

	if (y->type != TOPO_YAML_LIST || y->n == 0 || y->n > SC_STEPS_MAX)
		return sc_complain(
		    l, y, "%s: a list of steps is expected", inner ? "during" : "steps");
	*out = topo_arena_alloc(l->f->arena, y->n, sizeof(**out));
	if (*out == NULL)
		return sc_complain(l, y, "%s: out of memory", "steps");
	*n = y->n;
	for (size_t i = 0; i < y->n; i++) {
		fine = take_step(l, y->items[i], &(*out)[i]) && fine;
		if (fine && inner && (*out)[i].kind == SC_PROBE)
			fine = sc_complain(l, y->items[i],
			    "%s: a probe cannot be inside another one", (*out)[i].text);
	}
	return fine;
}
