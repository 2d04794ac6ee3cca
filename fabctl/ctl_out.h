#ifndef FABCTL_CTL_OUT_H
#define FABCTL_CTL_OUT_H
/*
 * How answers look. Every verb makes one JSON value, the contract for scripts; JSON and YAML print
 * it as it is, a view says how it reads as text.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum ctl_format { CTL_TABLE, CTL_JSON, CTL_YAML };

/* "table", "json", "yaml"; FAB_EINVAL for other words. */
int ctl_format_parse(enum ctl_format *out, const char *word);

struct ctl_column {
	const char *title;
	const char *key; /* "a.b": member b of member a */
};

#define CTL_COLUMNS_END                                                                            \
	{                                                                                          \
		NULL, NULL                                                                         \
	}

/* As text: either text(), or a table of the rows, which are the array under key rows, or the value
 * itself when rows is NULL (one row if it is an object). */
struct ctl_view {
	const struct ctl_column *columns; /* up to CTL_COLUMNS_END */
	const char *rows;
	const char *empty; /* what to say instead of a table without rows; NULL: nothing */
	void (*text)(FILE *fp, const json_t *value);
};

/* FAB_EIO when fp does not take it. */
int ctl_print(FILE *fp, enum ctl_format format, const json_t *value, const struct ctl_view *view);

/* Columns as wide as their cells, headings underlined; rows is an array of objects. Cells: lists
 * are joined with blanks, objects are compact JSON, absent and null are empty. */
void ctl_table(FILE *fp, const json_t *rows, const struct ctl_column *columns);

/* Compact JSON and a newline: one object a line. */
int ctl_json_line(FILE *fp, const json_t *value);

/* Wall time as the clock here shows it: "07:49:16.418009". */
void ctl_time_text(char *buf, size_t size, uint64_t at_us);

/* String member of an object, "" if absent. */
const char *ctl_str(const json_t *object, const char *key);

#endif
