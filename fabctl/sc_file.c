/*
 * Reading a scenario file. A step is a map with one verb and, for some, keys beside it that say how
 * long or how many.
 */
#include "fabctl/sc_file.h"

#include "fabctl/ctl.h"
#include "fabctl/ctl_nodes.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WITHIN_MS 10000
#define LOST_ANY  UINT32_MAX

enum { KEY_WITHIN, KEY_STAYS, KEY_CONTAINS, KEY_EQUALS, KEY_LACKS, KEY_LOST, KEY_DURING, KEYS };

static const char *const beside[KEYS] = { "within", "stays", "contains", "equals", "lacks", "lost",
	"during" };

#define BIT(key) (1u << (key))

/* argv: what fabctl is called with before the words of the step. lists: each item of a list is a
 * whole condition, not a word. */
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
	{ "routes", SC_ROUTES, 1, 1,
	    BIT(KEY_WITHIN) | BIT(KEY_CONTAINS) | BIT(KEY_EQUALS) | BIT(KEY_LACKS), { NULL },
	    "a NIC" },
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
	{ "apply", SC_COMMAND, 1, 1, 0, { "apply" }, "FILE" },
	{ "exec", SC_COMMAND, 2, CTL_POS_MAX, 0, { "exec" }, "GUEST COMMAND..." },
};

struct load {
	struct sc_file *f;
	struct topo_errors *errs;
};

static bool
complain(struct load *l, const struct topo_yaml *y, const char *what, const char *text)
{
	topo_error_add(l->errs, y->line, "InvalidScenario", what, text);
	return false;
}

/* ---- values ---- */

static const struct topo_yaml *
child(const struct topo_yaml *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->items[i];
	return NULL;
}

static bool
is_text(const struct topo_yaml *y)
{
	return y != NULL && y->type == TOPO_YAML_SCALAR && y->text[0] != '\0';
}

static bool
duration(struct load *l, const struct topo_yaml *y, uint32_t *ms)
{
	if (is_text(y) && ctl_duration_ms(ms, y->text) == FAB_OK)
		return true;
	return complain(l, y, "'%.60s' is not a time such as 5s", is_text(y) ? y->text : "");
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
take_words(struct load *l, struct sc_step *s, const struct topo_yaml *y, bool whole)
{
	const struct topo_yaml *one[] = { y };
	size_t n = y->type == TOPO_YAML_LIST ? y->n : 1, room = n + 1;
	const struct topo_yaml *const *items =
	    y->type == TOPO_YAML_LIST ? (const struct topo_yaml *const *)y->items : one;

	for (size_t i = 0; i < n; i++)
		if (!is_text(items[i]))
			return complain(l, y, "%s: text, or a list of texts, is expected", s->text);
	if (y->type == TOPO_YAML_SCALAR && !whole)
		room = strlen(y->text) + 1;
	s->words = topo_arena_alloc(l->f->arena, room + 1, sizeof(*s->words));
	if (s->words == NULL)
		return complain(l, y, "%s: out of memory", s->text);
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

/* A map prefix -> next hop, or a list of prefixes. */
static bool
take_rows(struct load *l, struct sc_rows *r, const struct topo_yaml *y)
{
	r->given = true;
	r->n = y->n;
	r->prefix = topo_arena_alloc(l->f->arena, y->n, sizeof(*r->prefix));
	r->hop = topo_arena_alloc(l->f->arena, y->n, sizeof(*r->hop));
	if (y->type == TOPO_YAML_SCALAR || r->prefix == NULL || r->hop == NULL)
		return complain(l, y,
		    "'%.60s' is neither a list of prefixes nor a map of prefix to next hop",
		    y->type == TOPO_YAML_SCALAR ? y->text : "");
	for (size_t i = 0; i < y->n; i++) {
		bool map = y->type == TOPO_YAML_MAP;
		const struct topo_yaml *prefix = map ? y->keys[i] : y->items[i];
		struct ipnet net;

		if (!is_text(prefix) || ipnet_parse(&net, prefix->text) != FAB_OK)
			return complain(l, prefix, "'%.60s' is not a prefix such as 10.1.0.0/16",
			    is_text(prefix) ? prefix->text : "");
		if (map && y->items[i]->type != TOPO_YAML_SCALAR)
			return complain(l, prefix, "%.60s: a next hop is text", prefix->text);
		r->prefix[i] = prefix->text;
		r->hop[i] = map ? y->items[i]->text : "";
	}
	return true;
}

/* "at most 5", "5" */
static bool
take_lost(struct load *l, struct sc_step *s, const struct topo_yaml *y)
{
	const char *text = is_text(y) ? y->text : "";
	const char *number = strncmp(text, "at most ", 8) == 0 ? text + 8 : text;

	if (number[0] == '\0' || strlen(number) > 9 ||
	    strspn(number, "0123456789") != strlen(number))
		return complain(
		    l, y, "'%.60s' is not a number of packets such as 'at most 5'", text);
	s->lost = (uint32_t)strtoul(number, NULL, 10);
	return true;
}

/* ---- steps ---- */

static bool take_steps(
    struct load *l, const struct topo_yaml *y, bool inner, struct sc_step **out, size_t *n);

static bool
take_key(struct load *l, struct sc_step *s, unsigned key, const struct topo_yaml *y)
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
	default:
		return take_steps(l, y, true, &s->during, &s->n_during);
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
describe(struct load *l, const struct verb *v, const struct topo_yaml *y)
{
	char text[200];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", v->name);

	for (size_t i = 0; y->type == TOPO_YAML_LIST && i < y->n && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? ", " : " ",
		    is_text(y->items[i]) ? y->items[i]->text : "");
	if (y->type == TOPO_YAML_SCALAR)
		snprintf(text + len, sizeof(text) - len, " %s", y->text);
	return topo_arena_text(l->f->arena, text, strlen(text));
}

/* fabctl's own words go before those of the step. */
static bool
put_argv(struct load *l, struct sc_step *s, const struct verb *v)
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

static bool
take_verb(struct load *l, struct sc_step *s, const struct verb *v, const struct topo_yaml *y)
{
	*s = (struct sc_step){
		.kind = v->kind, .line = y->line, .within_ms = WITHIN_MS, .lost = LOST_ANY
	};
	s->text = describe(l, v, y);
	if (y->type == TOPO_YAML_MAP)
		return complain(l, y, "%s: text, or a list of texts, is expected", v->name);
	if (!take_words(l, s, y, v->kind == SC_EXPECT))
		return false;
	if (s->n_words >= v->min && s->n_words <= v->max)
		return put_argv(l, s, v);
	topo_error_add(l->errs, y->line, "InvalidScenario", "%s: expected %s", s->text, v->usage);
	return false;
}

static bool
check_keys(struct load *l, const struct sc_step *s, const struct verb *v, unsigned given,
    const struct topo_yaml *y)
{
	for (unsigned i = 0; i < KEYS; i++)
		if ((given & ~v->keys & BIT(i)) != 0) {
			topo_error_add(l->errs, y->line, "InvalidScenario",
			    "%s: '%s' does not go with it", s->text, beside[i]);
			return false;
		}
	if (s->kind == SC_ROUTES && !s->contains.given && !s->equals.given && !s->lacks.given)
		return complain(l, y, "%s: one of contains, equals and lacks is expected", s->text);
	if (s->kind == SC_PROBE && (given & BIT(KEY_DURING)) == 0 && s->lost == LOST_ANY)
		return complain(l, y, "%s: 'lost' or 'during' is expected", s->text);
	return true;
}

static bool
take_step(struct load *l, const struct topo_yaml *y, struct sc_step *s)
{
	const struct verb *v = NULL;
	unsigned given = 0;
	int key;

	for (size_t i = 0; y->type == TOPO_YAML_MAP && i < y->n && v == NULL; i++)
		if ((v = find_verb(y->keys[i]->text)) != NULL && !take_verb(l, s, v, y->items[i]))
			return false;
	if (v == NULL)
		return complain(l, y, "no step begins with '%.60s'; see docs/scenarios.md",
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

static bool
take_steps(struct load *l, const struct topo_yaml *y, bool inner, struct sc_step **out, size_t *n)
{
	bool fine = true;

	if (y->type != TOPO_YAML_LIST || y->n == 0 || y->n > SC_STEPS_MAX)
		return complain(
		    l, y, "%s: a list of steps is expected", inner ? "during" : "steps");
	*out = topo_arena_alloc(l->f->arena, y->n, sizeof(**out));
	if (*out == NULL)
		return complain(l, y, "%s: out of memory", "steps");
	*n = y->n;
	for (size_t i = 0; i < y->n; i++) {
		fine = take_step(l, y->items[i], &(*out)[i]) && fine;
		if (fine && inner && (*out)[i].kind == SC_PROBE)
			fine = complain(l, y->items[i], "%s: a probe cannot be inside another one",
			    (*out)[i].text);
	}
	return fine;
}

/* ---- the file ---- */

static bool
take_topology(struct load *l, const struct topo_yaml *y)
{
	json_t *json;

	if (is_text(y)) {
		l->f->topology = y->text;
		return true;
	}
	if (y->type != TOPO_YAML_MAP)
		return complain(l, y, "%s: a path or a map is expected", "topology");
	if ((json = topo_yaml_json(y, NULL)) != NULL)
		l->f->inside = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
	return l->f->inside != NULL || complain(l, y, "%s: out of memory", "topology");
}

static bool
take_packets(struct load *l, const struct topo_yaml *y)
{
	static const char *const words[] = { "auto", "on", "off" };

	for (size_t i = 0; is_text(y) && i < 3; i++)
		if (strcmp(words[i], y->text) == 0 ||
		    (i > 0 && y->plain && strcmp(y->text, i == 1 ? "true" : "false") == 0)) {
			l->f->packets = words[i];
			return true;
		}
	return complain(l, y, "packets: '%.60s' is not auto, on or off", is_text(y) ? y->text : "");
}

static bool
take_key_of_file(struct load *l, const struct topo_yaml *key, const struct topo_yaml *y)
{
	if (strcmp(key->text, "scenario") == 0) {
		l->f->name = is_text(y) ? y->text : "";
		return l->f->name[0] != '\0' ||
		       complain(l, y, "%s: a sentence is expected", key->text);
	}
	if (strcmp(key->text, "topology") == 0)
		return take_topology(l, y);
	if (strcmp(key->text, "packets") == 0)
		return take_packets(l, y);
	if (strcmp(key->text, "steps") == 0)
		return take_steps(l, y, false, &l->f->steps, &l->f->n);
	return complain(
	    l, key, "unknown key '%.60s': expected scenario, topology, packets, steps", key->text);
}

static bool
take_file(struct load *l, const struct topo_yaml *y)
{
	static const char *const required[] = { "scenario", "topology", "steps" };
	bool fine = true;

	if (y->type != TOPO_YAML_MAP)
		return complain(l, y, "%s", "a scenario is a map of scenario, topology and steps");
	for (size_t i = 0; i < y->n; i++)
		fine = take_key_of_file(l, y->keys[i], y->items[i]) && fine;
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
		if (child(y, required[i]) == NULL)
			fine = complain(l, y, "'%s' is missing", required[i]);
	return fine;
}

static int
parse(struct sc_file *f, const char *text, size_t len)
{
	struct topo_errors *errs = calloc(2, sizeof(*errs));
	struct load l = { f, errs };
	struct topo_yaml *y;
	bool fine;

	FAB_ASSERT(errs != NULL);
	fine = topo_yaml_parse(&y, f->arena, text, len, errs) == FAB_OK && take_file(&l, y);
	ctl_topo_complain(f->path, &errs[0], &errs[1]);
	free(errs);
	return fine ? CTL_OK : CTL_REFUSED;
}

int
sc_file_load(struct sc_file **out, const char *path)
{
	struct sc_file *f = calloc(1, sizeof(*f));
	char *text = NULL;
	size_t len;
	int status;

	FAB_ASSERT(f != NULL && (f->arena = topo_arena_new()) != NULL);
	f->path = path;
	f->packets = "off";
	if ((status = ctl_read_file(&text, &len, path, SC_FILE_MAX)) == CTL_OK)
		status = parse(f, text, len);
	free(text);
	if (status == CTL_OK && ctl_topology_dir(f->dir, path) != FAB_OK)
		status = ctl_fail(CTL_USAGE, "FILE", "cannot find the directory of %s", path);
	if (status != CTL_OK) {
		sc_file_free(f);
		return status;
	}
	*out = f;
	return CTL_OK;
}

void
sc_file_free(struct sc_file *f)
{
	if (f == NULL)
		return;
	topo_arena_free(f->arena);
	free(f->inside);
	free(f);
}
