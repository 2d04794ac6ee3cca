#include "fabctl/sc_table.h"

#include "fabctl/ctl_out.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64

/* ---- rows ---- */

static void
add_row(json_t *table, const char *prefix, json_t *row)
{
	json_t *rows = json_object_get(table, prefix);

	if (rows == NULL)
		json_object_set_new(table, prefix, rows = json_array());
	json_array_append_new(rows, row);
}

static void
append(char *text, size_t size, const char *word)
{
	size_t len = strlen(text);

	if (word[0] != '\0' && len < size)
		snprintf(text + len, size - len, "%s%s", len > 0 ? " " : "", word);
}

/* A row of Azure's effective routes. */
static void
add_effective(json_t *table, const json_t *row)
{
	char hops[512] = "";
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(row, "nextHopIpAddress"), i, item)
	    append(hops, sizeof(hops), json_string_value(item));
	json_array_foreach(json_object_get(row, "addressPrefix"), i, item)
	    add_row(table, json_string_value(item),
		json_pack("{s:s, s:s, s:s, s:s}", "source", ctl_str(row, "source"), "state",
		    ctl_str(row, "state"), "type", ctl_str(row, "nextHopType"), "hops", hops));
}

/* "65515 65001 I", as an MSEE shows it, with dashes as everywhere else. */
static void
dashes(char *out, size_t size, const char *path)
{
	size_t len;

	snprintf(out, size, "%s", path);
	len = strlen(out);
	if (len > 0 && strchr("Ie?", out[len - 1]) != NULL)
		out[--len] = '\0';
	while (len > 0 && out[len - 1] == ' ')
		out[--len] = '\0';
	for (char *p = out; *p != '\0'; p++)
		if (*p == ' ')
			*p = '-';
}

/* A row of a BGP table: of a Route Server, a gateway, a router that says which is best, or an MSEE,
 * which lists the best first. */
static void
add_bgp(json_t *table, const json_t *row)
{
	bool msee = json_object_get(row, "path") != NULL;
	const char *network = ctl_str(row, "network");
	char path[512];
	json_t *out;

	dashes(path, sizeof(path), ctl_str(row, msee ? "path" : "asPath"));
	out = json_pack("{s:s, s:s, s:s, s:s, s:b}", "via", ctl_str(row, "nextHop"), "path",
	    path[0] != '\0' ? path : "none", "from", ctl_str(row, "sourcePeer"), "origin",
	    ctl_str(row, "origin"), "best",
	    json_is_true(json_object_get(row, "best")) ||
		(msee && json_object_get(table, network) == NULL));
	json_object_set(out, "community", json_object_get(row, "communities"));
	add_row(table, network, out);
}

static json_t *
make_one(const json_t *rows)
{
	json_t *table = json_object(), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (json_object_get(row, "addressPrefix") != NULL)
			add_effective(table, row);
		else
			add_bgp(table, row);
	}
	return table;
}

json_t *
sc_table_make(const json_t *answer)
{
	json_t *tables = json_object(), *rows;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)answer, name, rows)
	    json_object_set_new(tables, strcmp(name, "value") == 0 ? "" : name, make_one(rows));
	return tables;
}

/* ---- effective routes ---- */

static bool
is_effective(const json_t *row)
{
	return json_object_get(row, "state") != NULL;
}

static bool
is_active(const json_t *row)
{
	return !is_effective(row) || strcmp(ctl_str(row, "state"), "Active") == 0;
}

/* Takes word and the blank behind it off *text, if it begins so. */
static bool
take_word(const char **text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*text, word, len) != 0 || ((*text)[len] != ' ' && (*text)[len] != '\0'))
		return false;
	*text += len + ((*text)[len] == ' ');
	return true;
}

static bool
effective_is(const json_t *row, const char *want)
{
	const char *source = ctl_str(row, "source"), *type = ctl_str(row, "type"),
		   *hops = ctl_str(row, "hops");

	if (take_word(&want, "Invalid") == is_active(row))
		return false;
	if (strcmp(source, type) != 0)
		take_word(&want, source);
	if (want[0] == '\0' || strcmp(want, hops) == 0)
		return true;
	return take_word(&want, type) && (want[0] == '\0' || strcmp(want, hops) == 0);
}

static void
effective_text(FILE *fp, const json_t *row)
{
	const char *hops = ctl_str(row, "hops");

	fprintf(fp, "%s%s%s%s%s", is_active(row) ? "" : "Invalid ",
	    strcmp(ctl_str(row, "source"), "User") == 0 ? "User " : "", ctl_str(row, "type"),
	    hops[0] != '\0' ? " " : "", hops);
}

/* ---- BGP routes ---- */

/* Those that count: of the best route's path, or all. */
static json_t *
rows_that_count(const json_t *rows)
{
	json_t *out = json_array(), *row;
	const char *best = NULL;
	size_t i;

	json_array_foreach(rows, i, row) if (json_is_true(json_object_get(row, "best"))) best =
	    ctl_str(row, "path");
	json_array_foreach(rows, i, row) if (best == NULL || strcmp(best, ctl_str(row, "path")) ==
								 0) json_array_append(out, row);
	return out;
}

/* A text of the row, or one of a list. */
static bool
has_value(const json_t *row, const char *key, const char *value, size_t len)
{
	const json_t *v = json_object_get(row, key), *item;
	size_t i;

	if (json_is_string(v))
		return strlen(json_string_value(v)) == len &&
		       strncmp(json_string_value(v), value, len) == 0;
	json_array_foreach(
	    v, i, item) if (strlen(json_string_value(item)) == len &&
			    strncmp(json_string_value(item), value, len) == 0) return true;
	return false;
}

/* Each of the values is one of a row, and for `via` and `path` no row has another one. */
static bool
values_are(
    const json_t *rows, const char *key, const char *const *values, const size_t *lens, size_t n)
{
	bool all = strcmp(key, "community") == 0,
	     only = strcmp(key, "via") == 0 || strcmp(key, "path") == 0;
	size_t i, k, have;
	json_t *row;

	for (k = 0; k < n; k++) {
		have = 0;
		json_array_foreach(rows, i, row) have += has_value(row, key, values[k], lens[k]);
		if (have == 0 || (all && have < json_array_size(rows)))
			return false;
	}
	json_array_foreach(rows, i, row)
	{
		for (k = 0; only && k < n && !has_value(row, key, values[k], lens[k]); k++)
			;
		if (only && k == n)
			return false;
	}
	return true;
}

static const char *
find_key(const char *word, size_t len)
{
	static const char *const keys[] = { "via", "path", "community", "from", "origin" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strlen(keys[i]) == len && strncmp(keys[i], word, len) == 0)
			return keys[i];
	return NULL;
}

/* Keeps the rows from an address or of an origin; the others are not spoken of. */
static void
keep_rows(json_t *rows, const char *key, const char *value, size_t len)
{
	for (size_t i = json_array_size(rows); i-- > 0;)
		if (!has_value(json_array_get(rows, i), key, value, len))
			json_array_remove(rows, i);
}

/* One turn over the words of want: first those that choose rows, then those that judge them. */
static bool
judge(json_t *rows, const char *want, bool choose)
{
	const char *key = NULL, *values[WORDS_MAX];
	size_t lens[WORDS_MAX], n = 0;
	bool ok = true;

	for (const char *p = want; ok;) {
		size_t len = strcspn(p += strspn(p, " "), " ");
		const char *next = find_key(p, len);

		if (len == 0 || next != NULL) {
			if (key != NULL && !choose && strcmp(key, "from") != 0 &&
			    strcmp(key, "origin") != 0)
				ok = n > 0 && values_are(rows, key, values, lens, n);
			if (len == 0)
				break;
			key = next;
			n = 0;
		} else if (key == NULL || n == WORDS_MAX) {
			return false;
		} else {
			values[n] = p;
			lens[n++] = len;
			if (choose && (strcmp(key, "from") == 0 || strcmp(key, "origin") == 0))
				keep_rows(rows, key, p, len);
		}
		p += len;
	}
	return ok;
}

static bool
bgp_is(const json_t *rows, const char *want)
{
	json_t *some = json_deep_copy(rows), *count;
	bool ok;

	judge(some, want, true);
	count = rows_that_count(some);
	ok = json_array_size(count) > 0 && judge(count, want, false);
	json_decref(count);
	json_decref(some);
	return ok;
}

static void
print_values(FILE *fp, const json_t *rows, const char *key)
{
	json_t *seen = json_object(), *row, *item, *v;
	const char *value;
	size_t i, k;

	json_array_foreach(rows, i, row)
	{
		v = json_object_get(row, key);
		if (json_is_string(v) && json_string_value(v)[0] != '\0')
			json_object_set_new(seen, json_string_value(v), json_true());
		json_array_foreach(v, k, item)
		    json_object_set_new(seen, json_string_value(item), json_true());
	}
	if (json_object_size(seen) > 0)
		fprintf(fp, "%s%s", strcmp(key, "via") == 0 ? "" : " ", key);
	json_object_foreach(seen, value, item) fprintf(fp, " %s", value);
	json_decref(seen);
}

static void
bgp_text(FILE *fp, const json_t *rows)
{
	static const char *const keys[] = { "via", "path", "community", "origin" };
	json_t *count = rows_that_count(rows);

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		print_values(fp, count, keys[i]);
	json_decref(count);
}

/* ---- both ---- */

/* Whether what is said of a prefix is so. */
static bool
is_so(const json_t *rows, const char *want)
{
	bool effective = is_effective(json_array_get(rows, 0)), ok = false;
	json_t *row;
	size_t i;

	if (rows == NULL)
		return false;
	if (!effective)
		return want[0] == '\0' || bgp_is(rows, want);
	json_array_foreach(rows, i, row) ok = ok || effective_is(row, want);
	return ok;
}

static bool
has_active(const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) if (is_active(row)) return true;
	return false;
}

static void
found(FILE *fp, const char *name, const char *prefix, const json_t *rows)
{
	json_t *row;
	size_t i;

	if (!is_effective(json_array_get(rows, 0))) {
		fprintf(fp, "\n  + %s%s%s ", name, name[0] != '\0' ? " " : "", prefix);
		bgp_text(fp, rows);
		return;
	}
	json_array_foreach(rows, i, row)
	{
		fprintf(fp, "\n  + %s ", prefix);
		effective_text(fp, row);
	}
}

static const char *
wanted(const struct sc_rows *rows, const char *prefix)
{
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->prefix[i], prefix) == 0)
			return rows->want[i];
	return NULL;
}

static void
missing(FILE *fp, const char *name, const json_t *table, const struct sc_rows *must)
{
	for (size_t i = 0; i < must->n; i++) {
		const char *prefix = must->prefix[i], *want = must->want[i];
		const json_t *rows = json_object_get(table, prefix);

		if (is_so(rows, want))
			continue;
		fprintf(fp, "\n  - %s%s%s%s%s", name, name[0] != '\0' ? " " : "", prefix,
		    want[0] != '\0' ? " " : "", want);
		if (rows != NULL)
			found(fp, name, prefix, rows);
	}
}

static void
diff_one(FILE *fp, const char *name, const json_t *table, const struct sc_step *s)
{
	const char *prefix;
	json_t *rows;

	missing(fp, name, table, &s->contains);
	missing(fp, name, table, &s->equals);
	json_object_foreach((json_t *)(uintptr_t)table, prefix, rows)
	{
		const char *lacked = wanted(&s->lacks, prefix);

		if ((s->equals.given && has_active(rows) && wanted(&s->equals, prefix) == NULL) ||
		    (lacked != NULL && has_active(rows) && is_so(rows, lacked)))
			found(fp, name, prefix, rows);
	}
}

char *
sc_table_diff(const json_t *tables, const struct sc_step *s)
{
	char *text = NULL;
	const char *name;
	json_t *table;
	size_t size;
	FILE *fp;

	FAB_ASSERT((fp = open_memstream(&text, &size)) != NULL);
	json_object_foreach((json_t *)(uintptr_t)tables, name, table) diff_one(fp, name, table, s);
	fclose(fp);
	return text;
}
