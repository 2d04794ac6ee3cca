#include "fabctl/ctl_out.h"

#include "lib/err.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COLUMNS_MAX 16

int
ctl_format_parse(enum ctl_format *out, const char *word)
{
	static const char *const names[] = { "table", "json", "yaml" };

	for (int i = 0; i < 3; i++) {
		if (strcmp(word, names[i]) == 0) {
			*out = (enum ctl_format)i;
			return FAB_OK;
		}
	}
	return FAB_EINVAL;
}

const char *
ctl_str(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

/* ---- cells ---- */

static char *cell_text(const json_t *v);

static char *
list_text(const json_t *list)
{
	size_t size = 0;
	char *text = NULL, *item;
	FILE *fp = open_memstream(&text, &size);
	const json_t *v;
	size_t i;

	FAB_ASSERT(fp != NULL);
	json_array_foreach(list, i, v)
	{
		item = cell_text(v);
		fprintf(fp, "%s%s", i > 0 ? " " : "", item);
		free(item);
	}
	fclose(fp);
	return text;
}

/* malloc()ed; out of memory ends a command-line tool. */
static char *
cell_text(const json_t *v)
{
	char *text = NULL;

	switch (v != NULL ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING:
		text = strdup(json_string_value(v));
		break;
	case JSON_INTEGER:
		if (asprintf(&text, "%" JSON_INTEGER_FORMAT, json_integer_value(v)) < 0)
			text = NULL;
		break;
	case JSON_REAL:
		if (asprintf(&text, "%g", json_real_value(v)) < 0)
			text = NULL;
		break;
	case JSON_TRUE:
		text = strdup("True"); /* as az writes it */
		break;
	case JSON_FALSE:
		text = strdup("False");
		break;
	case JSON_ARRAY:
		text = list_text(v);
		break;
	case JSON_OBJECT:
		text = json_dumps(v, JSON_COMPACT);
		break;
	case JSON_NULL:
		text = strdup("");
		break;
	}
	FAB_ASSERT(text != NULL);
	return text;
}

static const json_t *
member(const json_t *row, const char *path)
{
	char key[64];
	size_t len;

	for (;; path += len + 1) {
		len = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		row = json_object_get(row, key);
		if (row == NULL || path[len] == '\0')
			return row;
	}
}

/* ---- tables ---- */

static void
table_line(FILE *fp, char *const *cells, const size_t *width, size_t n)
{
	while (n > 1 && cells[n - 1][0] == '\0') /* no blanks at the end of a line */
		n--;
	for (size_t c = 0; c < n; c++) {
		if (c + 1 < n)
			fprintf(fp, "%-*s  ", (int)width[c], cells[c]);
		else
			fprintf(fp, "%s\n", cells[c]);
	}
}

static void
table_rule(FILE *fp, const size_t *width, size_t n)
{
	for (size_t c = 0; c < n; c++) {
		for (size_t i = 0; i < width[c]; i++)
			fputc('-', fp);
		fputs(c + 1 < n ? "  " : "\n", fp);
	}
}

void
ctl_table(FILE *fp, const json_t *rows, const struct ctl_column *columns)
{
	size_t n = 0, n_rows = json_array_size(rows), width[COLUMNS_MAX];
	char **cells;

	while (columns[n].title != NULL)
		n++;
	FAB_ASSERT(n >= 1 && n <= COLUMNS_MAX);
	cells = calloc((n_rows + 1) * n, sizeof(*cells));
	FAB_ASSERT(cells != NULL);
	for (size_t c = 0; c < n; c++) {
		width[c] = strlen(columns[c].title);
		FAB_ASSERT((cells[c] = strdup(columns[c].title)) != NULL);
		for (size_t r = 1; r <= n_rows; r++) {
			char *text = cell_text(member(json_array_get(rows, r - 1), columns[c].key));

			if (strlen(text) > width[c])
				width[c] = strlen(text);
			cells[r * n + c] = text;
		}
	}
	table_line(fp, cells, width, n);
	table_rule(fp, width, n);
	for (size_t r = 1; r <= n_rows; r++)
		table_line(fp, cells + r * n, width, n);
	for (size_t i = 0; i < (n_rows + 1) * n; i++)
		free(cells[i]);
	free(cells);
}

/* ---- YAML ---- */

/* Words that YAML 1.1 or 1.2 reads as something else than text. */
static bool
yaml_reserved(const char *s)
{
	static const char *const words[] = { "true", "false", "null", "yes", "no", "on", "off", "y",
		"n" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(s, words[i]) == 0)
			return true;
	}
	return false;
}

/* Plain where no reader can take it for something else, else in double quotes, as in JSON. */
static void
yaml_text(FILE *fp, const char *s)
{
	bool plain = isalpha((unsigned char)s[0]) && !yaml_reserved(s);
	json_t *quoted;

	for (const char *p = s; plain && *p != '\0'; p++)
		plain = isalnum((unsigned char)*p) || strchr("_./-", *p) != NULL;
	if (plain) {
		fputs(s, fp);
		return;
	}
	FAB_ASSERT((quoted = json_string(s)) != NULL);
	json_dumpf(quoted, fp, JSON_ENCODE_ANY);
	json_decref(quoted);
}

static bool
yaml_nests(const json_t *v)
{
	return json_array_size(v) > 0 || json_object_size(v) > 0;
}

/* Block style. The first line of a nested value goes on where the "- " of its list stands. */
static void
yaml_value(FILE *fp, const json_t *v, int depth)
{
	const char *key;
	const json_t *item;
	size_t i = 0;
	bool first = true;

	if (!yaml_nests(v)) {
		if (json_is_string(v))
			yaml_text(fp, json_string_value(v));
		else
			json_dumpf(v, fp, JSON_ENCODE_ANY);
		fputc('\n', fp);
		return;
	}
	json_array_foreach(v, i, item)
	{
		fprintf(fp, "%*s- ", first ? 0 : 2 * depth, "");
		yaml_value(fp, item, depth + 1);
		first = false;
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, item)
	{
		fprintf(fp, "%*s", first ? 0 : 2 * depth, "");
		yaml_text(fp, key);
		if (yaml_nests(item))
			fprintf(fp, ":\n%*s", 2 * (depth + 1), "");
		else
			fputs(": ", fp);
		yaml_value(fp, item, depth + 1);
		first = false;
	}
}

/* ---- whole values ---- */

static void
print_view(FILE *fp, const json_t *value, const struct ctl_view *view)
{
	const json_t *rows = view->rows != NULL ? json_object_get(value, view->rows) : value;
	json_t *one = NULL;

	if (view->text != NULL) {
		view->text(fp, value);
		return;
	}
	if (json_is_object(rows)) {
		FAB_ASSERT((one = json_array()) != NULL);
		json_array_append_new(one, json_deep_copy(rows));
		rows = one;
	}
	if (json_array_size(rows) > 0)
		ctl_table(fp, rows, view->columns);
	else if (view->empty != NULL)
		fprintf(fp, "%s\n", view->empty);
	json_decref(one);
}

int
ctl_json_line(FILE *fp, const json_t *value)
{
	if (json_dumpf(value, fp, JSON_COMPACT | JSON_ENCODE_ANY) != 0 || fputc('\n', fp) == EOF)
		return FAB_EIO;
	return fflush(fp) == 0 ? FAB_OK : FAB_EIO;
}

int
ctl_print(FILE *fp, enum ctl_format format, const json_t *value, const struct ctl_view *view)
{
	int err = FAB_OK;

	if (format == CTL_TABLE)
		print_view(fp, value, view);
	else if (format == CTL_YAML)
		yaml_value(fp, value, 0);
	else if (json_dumpf(value, fp, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0 ||
		 fputc('\n', fp) == EOF)
		err = FAB_EIO;
	if (err == FAB_OK && (fflush(fp) != 0 || ferror(fp)))
		err = FAB_EIO;
	return err;
}

void
ctl_time_text(char *buf, size_t size, uint64_t at_us)
{
	time_t sec = (time_t)(at_us / 1000000);
	struct tm tm;
	size_t n;

	localtime_r(&sec, &tm);
	n = strftime(buf, size, "%H:%M:%S", &tm);
	snprintf(buf + n, size - n, ".%06u", (unsigned)(at_us % 1000000));
}
