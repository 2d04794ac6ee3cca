/*
 * The tree of a topology's values as JSON, and the line of each value by its JSON pointer.
 */
#include "lib/topo_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* YAML 1.2 core schema, integers in plain decimal only: what looks different stays text. */
static json_t *
scalar_json(const struct topo_yaml *y)
{
	const char *s = y->text, *digits = s[0] == '-' ? s + 1 : s;

	if (!y->plain)
		return json_string(s);
	if (s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0)
		return json_null();
	if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		return json_boolean(s[0] == 't');
	if (digits[0] != '\0' && strspn(digits, "0123456789") == strlen(digits) &&
	    strlen(digits) <= 18 && (digits[0] != '0' || digits[1] == '\0'))
		return json_integer(strtoll(s, NULL, 10));
	return json_string(s);
}

bool
topo_pointer_push(char path[static TOPO_POINTER_MAX], const char *key)
{
	size_t at = strlen(path), end = at;

	if (end + 1 >= TOPO_POINTER_MAX)
		return false;
	path[end++] = '/';
	for (; *key != '\0' && end + 2 < TOPO_POINTER_MAX; key++) {
		if (*key == '~' || *key == '/') {
			path[end++] = '~';
			path[end++] = *key == '~' ? '0' : '1';
		} else {
			path[end++] = *key;
		}
	}
	path[*key == '\0' ? end : at] = '\0';
	return *key == '\0';
}

struct to_json {
	json_t *lines;
	char path[TOPO_POINTER_MAX];
};

static json_t *value_json(struct to_json *j, const struct topo_yaml *y);

/* One value below y, under its key or number. */
static json_t *
child_json(struct to_json *j, const struct topo_yaml *y, size_t i)
{
	size_t at = strlen(j->path);
	char number[24];
	const char *key = number;
	json_t *child;

	if (y->type == TOPO_YAML_MAP)
		key = y->keys[i]->text;
	else
		snprintf(number, sizeof(number), "%zu", i);
	/* A path that does not fit has no line of its own; the value around it does. */
	if (topo_pointer_push(j->path, key) && j->lines != NULL)
		json_object_set_new(j->lines, j->path,
		    json_integer(y->type == TOPO_YAML_MAP ? y->keys[i]->line : y->items[i]->line));
	child = value_json(j, y->items[i]);
	j->path[at] = '\0';
	return child;
}

static json_t *
value_json(struct to_json *j, const struct topo_yaml *y)
{
	json_t *out, *child;
	int err = 0;

	if (y->type == TOPO_YAML_SCALAR)
		return scalar_json(y);
	out = y->type == TOPO_YAML_MAP ? json_object() : json_array();
	for (size_t i = 0; i < y->n && err == 0; i++) {
		child = child_json(j, y, i);
		err = y->type == TOPO_YAML_MAP ? json_object_set_new(out, y->keys[i]->text, child)
					       : json_array_append_new(out, child);
	}
	if (err == 0)
		return out;
	json_decref(out);
	return NULL;
}

json_t *
topo_yaml_json(const struct topo_yaml *y, json_t *lines)
{
	struct to_json j = { .lines = lines };

	return value_json(&j, y);
}
