/*
 * topo_doc_set(): "key.sub=value" on the properties of one resource. key+=value adds to a list or a
 * map of names, key-=value removes from it, an empty value removes the key (back to its default).
 * The change is made on a copy and checked by the schema before it takes effect.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>
#include <string.h>

#define ASSIGNMENT_MAX 65536

struct assignment {
	char path[TOPO_POINTER_MAX]; /* dots between keys */
	char op;                     /* '=', '+', '-' */
	json_t *value;               /* NULL: remove the key */
};

static int
parse_assignment(struct assignment *a, const char *text, struct topo_errors *errs)
{
	const char *equal = strchr(text, '=');
	size_t n = equal == NULL ? 0 : (size_t)(equal - text);
	struct topo_arena *arena;
	struct topo_yaml *y;
	int err = FAB_EINVAL;

	a->op = n > 0 && (equal[-1] == '+' || equal[-1] == '-') ? equal[-1] : '=';
	n -= a->op != '=';
	if (n == 0 || n >= sizeof(a->path) || strlen(text) > ASSIGNMENT_MAX) {
		topo_error_add(errs, 0, "InvalidAssignment",
		    "\"%.64s\" is not KEY=VALUE, KEY+=VALUE or KEY-=VALUE", text);
		return FAB_EINVAL;
	}
	memcpy(a->path, text, n);
	a->path[n] = '\0';
	if (equal[1 + strspn(equal + 1, " ")] == '\0')
		return FAB_OK;
	if ((arena = topo_arena_new()) == NULL)
		return FAB_ENOMEM;
	if (topo_yaml_parse(&y, arena, equal + 1, strlen(equal + 1), errs) == FAB_OK) {
		a->value = topo_yaml_json(y, NULL);
		err = a->value == NULL ? FAB_ENOMEM : FAB_OK;
	}
	topo_arena_free(arena);
	return err;
}

/* Member of a map or item of a list; NULL: none. */
static json_t *
member(json_t *in, const char *key)
{
	char *end;
	unsigned long i;

	if (json_is_object(in))
		return json_object_get(in, key);
	i = strtoul(key, &end, 10);
	return json_is_array(in) && *key != '\0' && *end == '\0' ? json_array_get(in, i) : NULL;
}

/* Puts value (stolen; NULL removes) under key. */
static int
put_member(json_t *in, const char *key, json_t *value)
{
	char *end;
	size_t i = strtoul(key, &end, 10);
	int err = -1;

	if (json_is_object(in) && value == NULL)
		return json_object_del(in, key) == 0 ? FAB_OK : FAB_ENOENT;
	if (json_is_object(in))
		return json_object_set_new(in, key, value) == 0 ? FAB_OK : FAB_ENOMEM;
	if (json_is_array(in) && *key != '\0' && *end == '\0' && i < json_array_size(in))
		err = value == NULL ? json_array_remove(in, i) : json_array_set_new(in, i, value);
	else
		json_decref(value);
	return err == 0 ? FAB_OK : FAB_ENOENT;
}

/* Whether an item of a list is what value names: the same, or the entry with that prefix. */
static bool
same_item(json_t *item, json_t *value)
{
	return json_equal(item, value) || json_equal(json_object_get(item, "prefix"), value);
}

static int
remove_item(json_t *list, json_t *value)
{
	bool found = false;

	if (json_is_object(list) && json_is_string(value))
		return json_object_del(list, json_string_value(value)) == 0 ? FAB_OK : FAB_ENOENT;
	for (size_t i = json_array_size(list); i-- > 0;)
		if (same_item(json_array_get(list, i), value)) {
			json_array_remove(list, i);
			found = true;
		}
	return found ? FAB_OK : FAB_ENOENT;
}

/* Adds to the list or map under key of in, which it makes where there is none. */
static int
add_item(json_t *in, const char *key, json_t *value)
{
	json_t *list = member(in, key);

	if (list == NULL) {
		list = json_is_object(value) ? json_object() : json_array();
		if (put_member(in, key, list) != FAB_OK)
			return FAB_ENOENT;
	}
	if (json_is_object(list) && json_is_object(value))
		return json_object_update(list, value) == 0 ? FAB_OK : FAB_ENOMEM;
	if (json_is_object(list) && json_is_string(value))
		return json_object_set_new(list, json_string_value(value), json_object()) == 0
			   ? FAB_OK
			   : FAB_ENOMEM;
	if (json_is_array(list) && json_is_array(value))
		return json_array_extend(list, value) == 0 ? FAB_OK : FAB_ENOMEM;
	return json_is_array(list) && json_array_append(list, value) == 0 ? FAB_OK : FAB_ENOENT;
}

static int
assign(json_t *props, struct assignment *a)
{
	char *key = a->path, *dot;
	json_t *in = props, *next;

	for (; (dot = strchr(key, '.')) != NULL; key = dot + 1, in = next) {
		*dot = '\0';
		if ((next = member(in, key)) != NULL)
			continue;
		next = json_object();
		if (a->value == NULL || put_member(in, key, next) != FAB_OK)
			return FAB_ENOENT;
	}
	if (a->op == '+')
		return a->value == NULL ? FAB_ENOENT : add_item(in, key, a->value);
	if (a->op == '-')
		return a->value == NULL ? FAB_ENOENT : remove_item(member(in, key), a->value);
	return put_member(in, key, json_incref(a->value));
}

int
topo_doc_set(struct topo_doc *doc, enum topo_kind kind, const char *name, const char *assignment,
    struct topo_errors *errs)
{
	struct topo_resource *r = topo_doc_find(doc, kind, name);
	struct topo_subject subject;
	struct assignment a = { .op = '=' };
	json_t *props = NULL, *full = NULL;
	int err;

	if (r == NULL) {
		topo_error_add(
		    errs, 0, "NotFound", "there is no %s %.64s", topo_kind_name(kind), name);
		return FAB_ENOENT;
	}
	subject = topo_subject_of(r);
	subject.lines = NULL;
	subject.line = 0;
	if ((err = parse_assignment(&a, assignment, errs)) != FAB_OK)
		goto done;
	props = json_deep_copy(r->props);
	if ((err = assign(props, &a)) != FAB_OK) {
		topo_complain(errs, &subject, "", "NotFound",
		    "\"%.64s\" names nothing that can be changed", assignment);
		goto done;
	}
	full = topo_schema_apply(topo_keys_of(kind), props, &subject, errs);
	err = full == NULL ? FAB_EINVAL : topo_doc_put(doc, kind, name, full);
	if (err == FAB_OK)
		r->checked = true;
done:
	json_decref(a.value);
	json_decref(props);
	return err;
}

int
topo_doc_set_timing(struct topo_doc *doc, const char *profile, struct topo_errors *errs)
{
	char setting[64];

	snprintf(setting, sizeof(setting), "timing.profile=%.40s", profile);
	return topo_doc_set(doc, TOPO_FABRIC, "fabric", setting, errs);
}
