/*
 * Topology text to a tree of values with line numbers, on libfyaml's event parser. The tree is
 * built here rather than by libfyaml's documents because a file is input from anywhere: aliases
 * become shared pointers and are counted as if they were copies, so a file of a few lines that
 * expands to billions of values (an alias bomb) is refused without expanding anything.
 *
 * Accepted: one document; maps, lists, scalars; anchors, aliases, merge keys (<<). Refused: tags,
 * duplicate keys, keys that are not scalars, NUL, text that is not UTF-8.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <inttypes.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* libfyaml 0.7 exports it without declaring it; its result type is public. */
const struct fy_mark *fy_event_start_mark(struct fy_event *fye);

#define MERGE_MAX 16 /* maps that one << may name */

struct anchor {
	UT_hash_handle hh;
	const char *name;
	struct topo_yaml *node;
};

struct parser {
	struct fy_parser *fy;
	struct fy_diag *diag;
	struct fy_token_iter *iter;
	char *text; /* the scalar that is being read */
	size_t text_size;
	struct topo_arena *arena;
	struct topo_errors *errs;
	struct anchor *anchors;
	unsigned line; /* of the last event with a mark */
	size_t values; /* in memory: events and merged pairs */
};

static int parse_value(
    struct parser *p, struct fy_event *ev, unsigned depth, struct topo_yaml **out);

/* An implicit document start has no mark; the last line seen is near enough. */
static unsigned
line_of(struct parser *p, struct fy_event *ev)
{
	const struct fy_mark *m = fy_event_start_mark(ev);

	if (m != NULL)
		p->line = (unsigned)m->line + 1;
	return p->line;
}

static int
refuse_too_many(struct parser *p, unsigned line)
{
	topo_error_add(p->errs, line, "TooManyValues",
	    "the file holds more than %d values, aliases expanded; split it or use fewer aliases",
	    TOPO_NODES_MAX);
	return FAB_EINVAL;
}

/* What the parser stumbled over; libfyaml's own words, its first error only. */
static void
report_syntax(struct parser *p)
{
	void *prev = NULL;
	struct fy_diag_error *e = fy_diag_errors_iterate(p->diag, &prev);

	if (e == NULL || e->msg == NULL)
		topo_error_add(p->errs, 0, "SyntaxError", "this is not YAML");
	else
		topo_error_add(p->errs, e->line > 0 ? (unsigned)e->line : 1, "SyntaxError",
		    "this is not YAML: %s", e->msg);
}

/* The next event that carries content; NULL with an error at the end of the input. */
static struct fy_event *
next_event(struct parser *p)
{
	struct fy_event *ev = fy_parser_parse(p->fy);

	if (ev == NULL || fy_parser_get_stream_error(p->fy)) {
		fy_parser_event_free(p->fy, ev);
		report_syntax(p);
		return NULL;
	}
	return ev;
}

/* Appends to the scalar in p->text, which has len octets so far. */
static int
append_text(struct parser *p, size_t len, const char *more, size_t n)
{
	char *grown;

	if (len + n > p->text_size) {
		if ((grown = realloc(p->text, 2 * (len + n))) == NULL)
			return FAB_ENOMEM;
		p->text = grown;
		p->text_size = 2 * (len + n);
	}
	if (n > 0)
		memcpy(p->text + len, more, n);
	return FAB_OK;
}

/* A scalar's text into p->text. Chunk by chunk, since of libfyaml 0.7 fy_token_get_text() leaks
 * memory for a scalar with many escapes, and fy_token_iter_read() mixes them up. */
static int
read_token(struct parser *p, struct fy_token *token, size_t *len)
{
	const struct fy_iter_chunk *chunk = NULL;
	int err = FAB_OK, failed = 0;

	*len = 0;
	fy_token_iter_start(token, p->iter);
	while (
	    err == FAB_OK && (chunk = fy_token_iter_chunk_next(p->iter, chunk, &failed)) != NULL) {
		err = append_text(p, *len, chunk->str, chunk->len);
		*len += chunk->len;
	}
	fy_token_iter_finish(p->iter);
	return failed != 0 ? FAB_EINVAL : err;
}

static int
text_of(struct parser *p, struct fy_token *token, unsigned line, const char **out)
{
	size_t len = 0;
	json_t *probe = NULL;
	int err = token == NULL ? FAB_OK : read_token(p, token, &len);

	if (err == FAB_ENOMEM)
		return err;
	if (err == FAB_OK)
		probe = json_stringn(len == 0 ? "" : p->text, len);
	if (probe == NULL || (len > 0 && memchr(p->text, '\0', len) != NULL)) {
		json_decref(probe);
		topo_error_add(p->errs, line, "InvalidText", "text with NUL or not in UTF-8");
		return FAB_EINVAL;
	}
	json_decref(probe);
	*out = topo_arena_text(p->arena, p->text, len);
	return FAB_OK;
}

/* An anchor names its value once that is complete, so no value can contain itself. */
static int
anchor_set(struct parser *p, struct fy_token *token, struct topo_yaml *node)
{
	struct anchor *a, *old;
	const char *name;

	if (token == NULL)
		return FAB_OK;
	if (text_of(p, token, node->line, &name) != FAB_OK)
		return FAB_EINVAL;
	if ((a = topo_arena_alloc(p->arena, 1, sizeof(*a))) == NULL)
		return FAB_ENOMEM;
	a->name = name;
	a->node = node;
	HASH_FIND_STR(p->anchors, name, old);
	if (old != NULL)
		HASH_DEL(p->anchors, old);
	HASH_ADD_KEYPTR(hh, p->anchors, a->name, strlen(a->name), a);
	return FAB_OK;
}

static int
alias_get(struct parser *p, struct fy_event *ev, struct topo_yaml **out)
{
	const char *name;
	struct anchor *a;

	if (text_of(p, ev->alias.anchor, line_of(p, ev), &name) != FAB_OK)
		return FAB_EINVAL;
	HASH_FIND_STR(p->anchors, name, a);
	if (a == NULL) {
		topo_error_add(p->errs, line_of(p, ev), "UnknownAlias",
		    "*%s refers to nothing that is complete before it", name);
		return FAB_EINVAL;
	}
	*out = a->node;
	return FAB_OK;
}

static struct topo_yaml *
node_new(struct parser *p, enum topo_yaml_type type, unsigned line)
{
	struct topo_yaml *y;

	if (++p->values > TOPO_NODES_MAX) {
		refuse_too_many(p, line);
		return NULL;
	}
	if ((y = topo_arena_alloc(p->arena, 1, sizeof(*y))) == NULL)
		return NULL;
	*y = (struct topo_yaml){ .type = type, .line = line, .weight = 1 };
	return y;
}

static int
parse_scalar(struct parser *p, struct fy_event *ev, struct topo_yaml **out)
{
	struct topo_yaml *y = node_new(p, TOPO_YAML_SCALAR, line_of(p, ev));

	if (y == NULL)
		return FAB_EINVAL;
	y->plain = fy_token_scalar_style(ev->scalar.value) == FYSS_PLAIN;
	if (text_of(p, ev->scalar.value, y->line, &y->text) != FAB_OK)
		return FAB_EINVAL;
	/* libfyaml 0.7 misreads '' directly behind '': 'a''''b' becomes a'''. */
	if (fy_token_scalar_style(ev->scalar.value) == FYSS_SINGLE_QUOTED &&
	    strstr(y->text, "''") != NULL) {
		topo_error_add(p->errs, y->line, "InvalidText",
		    "write text with several ' in a row in double quotes");
		return FAB_EINVAL;
	}
	*out = y;
	return anchor_set(p, ev->scalar.anchor, y);
}

/* Grows an array of a collection in the arena, doubling. */
static int
append(struct parser *p, struct topo_yaml ***array, size_t n, struct topo_yaml *item)
{
	struct topo_yaml **grown;

	if (n == 0 || (n >= 4 && (n & (n - 1)) == 0)) {
		grown = topo_arena_alloc(p->arena, n == 0 ? 4 : 2 * n, sizeof(*grown));
		if (grown == NULL)
			return FAB_ENOMEM;
		if (n > 0)
			memcpy(grown, *array, n * sizeof(*grown));
		*array = grown;
	}
	(*array)[n] = item;
	return FAB_OK;
}

/* Adds value, and key for a map. The weight of an alias counts each time (TOPO_NODES_MAX). */
static int
add_item(struct parser *p, struct topo_yaml *y, struct topo_yaml *key, struct topo_yaml *value)
{
	y->weight += value->weight;
	if (y->weight > TOPO_NODES_MAX)
		return refuse_too_many(p, p->line);
	if (key != NULL && append(p, &y->keys, y->n, key) != FAB_OK)
		return FAB_ENOMEM;
	if (append(p, &y->items, y->n, value) != FAB_OK)
		return FAB_ENOMEM;
	y->n++;
	return FAB_OK;
}

static int
parse_list(struct parser *p, struct fy_event *start, unsigned depth, struct topo_yaml **out)
{
	struct topo_yaml *y = node_new(p, TOPO_YAML_LIST, line_of(p, start)), *item;
	struct fy_event *ev;
	int err = FAB_OK;

	if (y == NULL)
		return FAB_EINVAL;
	while (err == FAB_OK) {
		if ((ev = next_event(p)) == NULL)
			return FAB_EINVAL;
		if (ev->type == FYET_SEQUENCE_END) {
			fy_parser_event_free(p->fy, ev);
			*out = y;
			return anchor_set(p, start->sequence_start.anchor, y);
		}
		err = parse_value(p, ev, depth + 1, &item);
		fy_parser_event_free(p->fy, ev);
		if (err == FAB_OK)
			err = add_item(p, y, NULL, item);
	}
	return err;
}

static int
by_text(const void *a, const void *b)
{
	const struct topo_yaml *const *x = a, *const *y = b;

	return strcmp((*x)->text, (*y)->text);
}

static int
by_text_and_line(const void *a, const void *b)
{
	const struct topo_yaml *const *x = a, *const *y = b;
	int c = by_text(a, b);

	return c != 0 ? c : (int)((*x)->line > (*y)->line) - (int)((*x)->line < (*y)->line);
}

/* The keys in order; YAML leaves open what a key that comes twice means, here it is a mistake. */
static int
sort_keys(struct parser *p, const struct topo_yaml *y, struct topo_yaml ***out)
{
	struct topo_yaml **sorted = topo_arena_alloc(p->arena, y->n, sizeof(struct topo_yaml *));
	int err = FAB_OK;

	if (sorted == NULL)
		return FAB_ENOMEM;
	if (y->n > 0)
		memcpy(sorted, y->keys, y->n * sizeof(struct topo_yaml *));
	qsort(sorted, y->n, sizeof(struct topo_yaml *), by_text_and_line);
	for (size_t i = 1; i < y->n; i++) {
		if (by_text(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		topo_error_add(p->errs, sorted[i]->line, "DuplicateKey",
		    "key \"%.64s\" is there twice, first in line %u", sorted[i]->text,
		    sorted[i - 1]->line);
		err = FAB_EINVAL;
	}
	*out = sorted;
	return err;
}

/* Adds the pairs of from whose keys y does not have. */
static int
merge_from(struct parser *p, struct topo_yaml *y, const struct topo_yaml *from)
{
	struct topo_yaml **sorted;
	size_t n = y->n;
	int err = sort_keys(p, y, &sorted);

	p->values += from->n;
	if (p->values > TOPO_NODES_MAX)
		return refuse_too_many(p, y->line);
	for (size_t i = 0; err == FAB_OK && i < from->n; i++)
		if (bsearch(&from->keys[i], sorted, n, sizeof(struct topo_yaml *), by_text) == NULL)
			err = add_item(p, y, from->keys[i], from->items[i]);
	return err;
}

/* "<<: *base" or "<<: [*base1, *base2]": the map's own keys win, then the first base. */
static int
merge(struct parser *p, struct topo_yaml *y, const struct topo_yaml *source)
{
	bool ok = source->type == TOPO_YAML_LIST && source->n <= MERGE_MAX;
	int err = FAB_OK;

	if (source->type == TOPO_YAML_MAP)
		return merge_from(p, y, source);
	for (size_t i = 0; ok && i < source->n; i++)
		ok = source->items[i]->type == TOPO_YAML_MAP;
	if (!ok) {
		topo_error_add(p->errs, source->line, "WrongType",
		    "<< takes a map or a list of up to %d maps", MERGE_MAX);
		return FAB_EINVAL;
	}
	for (size_t i = 0; err == FAB_OK && i < source->n; i++)
		err = merge_from(p, y, source->items[i]);
	return err;
}

/* A key and its value; *source receives the value of a merge key. */
static int
parse_pair(struct parser *p, struct fy_event *ev, unsigned depth, struct topo_yaml *y,
    struct topo_yaml **source)
{
	struct topo_yaml *key, *value;
	struct fy_event *next;
	int err;

	if ((err = parse_value(p, ev, depth + 1, &key)) != FAB_OK)
		return err;
	if (key->type != TOPO_YAML_SCALAR) {
		topo_error_add(p->errs, key->line, "WrongType", "a key must be text");
		return FAB_EINVAL;
	}
	if ((next = next_event(p)) == NULL)
		return FAB_EINVAL;
	err = parse_value(p, next, depth + 1, &value);
	fy_parser_event_free(p->fy, next);
	if (err != FAB_OK)
		return err;
	if (!key->plain || strcmp(key->text, "<<") != 0)
		return add_item(p, y, key, value);
	if (*source != NULL) {
		topo_error_add(p->errs, key->line, "DuplicateKey",
		    "key \"<<\" is there twice; write <<: [*a, *b]");
		return FAB_EINVAL;
	}
	*source = value;
	return FAB_OK;
}

static int
parse_map(struct parser *p, struct fy_event *start, unsigned depth, struct topo_yaml **out)
{
	struct topo_yaml *y = node_new(p, TOPO_YAML_MAP, line_of(p, start)), *source = NULL,
			 **sorted;
	struct fy_event *ev;
	bool end = false;
	int err = y == NULL ? FAB_EINVAL : FAB_OK;

	while (err == FAB_OK && !end) {
		if ((ev = next_event(p)) == NULL)
			return FAB_EINVAL;
		end = ev->type == FYET_MAPPING_END;
		if (!end)
			err = parse_pair(p, ev, depth, y, &source);
		fy_parser_event_free(p->fy, ev);
	}
	if (err == FAB_OK)
		err = sort_keys(p, y, &sorted);
	if (err == FAB_OK && source != NULL)
		err = merge(p, y, source);
	if (err != FAB_OK)
		return err;
	*out = y;
	return anchor_set(p, start->mapping_start.anchor, y);
}

static int
refuse_tag(struct parser *p, struct fy_event *ev)
{
	topo_error_add(p->errs, line_of(p, ev), "TagNotSupported",
	    "tags (!name) have no meaning here; leave it out");
	return FAB_EINVAL;
}

/* Recursion is bounded by TOPO_DEPTH_MAX. ev stays the caller's. */
static int
parse_value(struct parser *p, struct fy_event *ev, unsigned depth, struct topo_yaml **out)
{
	if (depth > TOPO_DEPTH_MAX) {
		topo_error_add(p->errs, line_of(p, ev), "TooDeep",
		    "more than %d maps and lists inside each other", TOPO_DEPTH_MAX);
		return FAB_EINVAL;
	}
	switch (ev->type) {
	case FYET_SCALAR:
		return ev->scalar.tag != NULL ? refuse_tag(p, ev) : parse_scalar(p, ev, out);
	case FYET_ALIAS:
		return alias_get(p, ev, out);
	case FYET_SEQUENCE_START:
		return ev->sequence_start.tag != NULL ? refuse_tag(p, ev)
						      : parse_list(p, ev, depth, out);
	case FYET_MAPPING_START:
		return ev->mapping_start.tag != NULL ? refuse_tag(p, ev)
						     : parse_map(p, ev, depth, out);
	default:
		topo_error_add(p->errs, line_of(p, ev), "SyntaxError", "a value is missing here");
		return FAB_EINVAL;
	}
}

/* The one document of the stream. */
static int
parse_stream(struct parser *p, struct topo_yaml **out)
{
	struct topo_yaml *root = NULL;
	struct fy_event *ev;
	bool end = false;
	int err = FAB_OK;

	while (err == FAB_OK && !end) {
		if ((ev = next_event(p)) == NULL)
			return FAB_EINVAL;
		end = ev->type == FYET_STREAM_END;
		if (ev->type == FYET_DOCUMENT_START && root != NULL) {
			topo_error_add(p->errs, line_of(p, ev), "SyntaxError",
			    "a second document starts here; one file is one topology");
			err = FAB_EINVAL;
		} else if (ev->type != FYET_STREAM_START && ev->type != FYET_DOCUMENT_START &&
			   ev->type != FYET_DOCUMENT_END && !end) {
			err = parse_value(p, ev, 0, &root);
		}
		fy_parser_event_free(p->fy, ev);
	}
	if (err == FAB_OK && root == NULL) {
		topo_error_add(p->errs, 1, "EmptyFile", "there is nothing in it");
		err = FAB_EINVAL;
	}
	if (err == FAB_OK)
		*out = root;
	return err;
}

static int
parser_open(struct parser *p, const char *text, size_t len)
{
	struct fy_diag_cfg diag_cfg;
	struct fy_parse_cfg cfg = { .flags = FYPCF_QUIET | FYPCF_JSON_NONE };

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag_cfg.colorize = false;
	if ((p->diag = fy_diag_create(&diag_cfg)) == NULL)
		return FAB_ENOMEM;
	fy_diag_set_collect_errors(p->diag, true);
	cfg.diag = p->diag;
	if ((p->iter = fy_token_iter_create(NULL)) == NULL)
		return FAB_ENOMEM;
	if ((p->fy = fy_parser_create(&cfg)) == NULL || fy_parser_set_string(p->fy, text, len) != 0)
		return FAB_ENOMEM;
	return FAB_OK;
}

int
topo_yaml_parse(struct topo_yaml **out, struct topo_arena *arena, const char *text, size_t len,
    struct topo_errors *errs)
{
	struct parser p = { .arena = arena, .errs = errs };
	size_t errors = errs->n;
	int err;

	if (topo_text_check(text, len, errs) != FAB_OK)
		return FAB_EINVAL;
	if ((err = parser_open(&p, text, len)) == FAB_OK)
		err = parse_stream(&p, out);
	HASH_CLEAR(hh, p.anchors);
	if (p.fy != NULL)
		fy_parser_destroy(p.fy);
	fy_diag_destroy(p.diag);
	if (p.iter != NULL)
		fy_token_iter_destroy(p.iter);
	free(p.text);
	if (err != FAB_OK && errs->n == errors)
		topo_error_add(errs, 0, "OutOfMemory", "no memory for the file's values");
	return err == FAB_OK ? FAB_OK : FAB_EINVAL;
}
