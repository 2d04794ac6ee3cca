#include "fabctl/ch_report.h"

#include "fabctl/ctl_out.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool
is_ok(const json_t *cell)
{
	return json_is_true(json_object_get(cell, "ok"));
}

/* ---- one cell ---- */

struct losses {
	size_t passing, staying;
	double longest_ms; /* of those that pass */
};

static struct losses
count(const json_t *cell)
{
	struct losses l = { 0 };
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(cell, "lost"), i, row)
	{
		double ms = json_number_value(json_object_get(row, "ms"));

		if (json_is_true(json_object_get(row, "stays"))) {
			l.staying++;
			continue;
		}
		l.passing++;
		if (ms > l.longest_ms)
			l.longest_ms = ms;
	}
	return l;
}

static void
time_text(char out[static 32], double ms)
{
	if (ms < 100)
		snprintf(out, 32, "%.1f ms", ms);
	else
		snprintf(out, 32, "%.2f s", ms / 1000);
}

/* What real packets noticed. */
static void
put_packets(char *out, size_t size, const json_t *cell, bool more)
{
	const json_t *packets = json_object_get(cell, "packets"), *row;
	json_int_t lost = 0;
	double longest = 0;
	char text[32];
	size_t i;

	json_array_foreach(packets, i, row)
	{
		double ms = json_number_value(json_object_get(row, "outage_ms"));

		lost += json_integer_value(json_object_get(row, "lost"));
		longest = ms > longest ? ms : longest;
	}
	if (packets == NULL)
		return;
	time_text(text, longest);
	snprintf(out, size, "%s%lld packets%s%s", more ? "; " : "", (long long)lost,
	    lost > 0 ? " in " : "", lost > 0 ? text : "");
}

void
ch_cell_losses(char *out, size_t size, const json_t *cell)
{
	struct losses l = count(cell);
	const char *note = ctl_str(cell, "note");
	char longest[32];
	size_t len = 0;

	out[0] = '\0';
	if (l.passing > 0) {
		time_text(longest, l.longest_ms);
		len = (size_t)snprintf(out, size, "%zu for up to %s", l.passing, longest);
	}
	if (l.staying > 0 && len < size)
		len += (size_t)snprintf(out + len, size - len, "%s%zu until repaired%s%s%s",
		    len > 0 ? "; " : "", l.staying, note[0] != '\0' ? " (" : "", note,
		    note[0] != '\0' ? ")" : "");
	if (len < size)
		put_packets(out + len, size - len, cell, len > 0);
}

/* Values under key of what was broken, each once. */
static void
join(char *out, size_t size, const json_t *cell, const char *key)
{
	const json_t *row;
	size_t i, len = 0;

	out[0] = '\0';
	json_array_foreach(json_object_get(cell, "broken"), i, row)
	{
		const char *word = ctl_str(row, key);

		if (word[0] != '\0' && strstr(out, word) == NULL && len < size)
			len += (size_t)snprintf(
			    out + len, size - len, "%s%s", len > 0 ? " " : "", word);
	}
}

void
ch_cell_rules(char *out, size_t size, const json_t *cell)
{
	join(out, size, cell, "rule");
	if (out[0] == '\0')
		snprintf(out, size, "%s", ctl_str(cell, "rule"));
}

void
ch_cell_verdict(char *out, size_t size, const json_t *cell)
{
	if (is_ok(cell))
		snprintf(out, size, "%s", count(cell).staying > 0 ? "lost" : "ok");
	else
		join(out, size, cell, "invariant");
}

void
ch_report_line(char *out, size_t size, const json_t *cell)
{
	char lost[160], verdict[160];

	ch_cell_losses(lost, sizeof(lost), cell);
	ch_cell_verdict(verdict, sizeof(verdict), cell);
	snprintf(out, size, "%-9s %s%s%s (%.1f s)", is_ok(cell) ? verdict : "BROKEN",
	    ctl_str(cell, "cell"), lost[0] != '\0' ? ": " : "", lost,
	    json_number_value(json_object_get(cell, "seconds")));
}

/* ---- text ---- */

static json_t *
ms_text(const json_t *cell, const char *key)
{
	const json_t *v = json_object_get(cell, key);

	return json_is_number(v) ? json_sprintf("%.1f", json_number_value(v)) : json_string("");
}

static json_t *
row_of(const json_t *cell)
{
	char lost[160], rules[160], verdict[160];

	ch_cell_losses(lost, sizeof(lost), cell);
	ch_cell_rules(rules, sizeof(rules), cell);
	ch_cell_verdict(verdict, sizeof(verdict), cell);
	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s}", "cell", ctl_str(cell, "cell"), "detect",
	    ms_text(cell, "detect_ms"), "converge", ms_text(cell, "converge_ms"), "lost", lost,
	    "verdict", verdict, "rule", rules);
}

static void
put_broken(FILE *fp, const json_t *cell)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(cell, "broken"), i, row)
	{
		json_int_t pairs = json_integer_value(json_object_get(row, "pairs"));
		const char *rule = ctl_str(row, "rule"), *fix = ctl_str(row, "fix");

		fprintf(fp, "\n%s: %s%s%s\n  %s\n", ctl_str(cell, "cell"),
		    ctl_str(row, "invariant"), rule[0] != '\0' ? ", " : "", rule,
		    ctl_str(row, "what"));
		if (pairs > 1)
			fprintf(fp, "  and %lld more\n", (long long)pairs - 1);
		if (fix[0] != '\0')
			fprintf(fp, "  mend: %s\n", fix);
	}
}

void
ch_report_text(FILE *fp, const json_t *report)
{
	static const struct ctl_column columns[] = {
		{ "Fault", "cell" },
		{ "Noticed ms", "detect" },
		{ "Converged ms", "converge" },
		{ "Lost Pairs", "lost" },
		{ "Verdict", "verdict" },
		{ "Rule", "rule" },
		CTL_COLUMNS_END,
	};
	const json_t *cells = json_object_get(report, "cells"), *cell,
		     *rest = json_object_get(report, "at_rest");
	json_t *rows = json_array();
	size_t i, broken = !is_ok(rest);

	json_array_append_new(rows, row_of(rest));
	json_array_foreach(cells, i, cell)
	{
		json_array_append_new(rows, row_of(cell));
		broken += !is_ok(cell);
	}
	ctl_table(fp, rows, columns);
	json_decref(rows);
	put_broken(fp, rest);
	json_array_foreach(cells, i, cell) put_broken(fp, cell);
	fprintf(fp,
	    "\n%zu faults, %zu endpoints, %.0f s, seed %lld, timing %s: ", json_array_size(cells),
	    json_array_size(json_object_get(rest, "endpoints")),
	    json_number_value(json_object_get(report, "seconds")),
	    (long long)json_integer_value(json_object_get(report, "seed")),
	    ctl_str(report, "timing"));
	if (broken == 0)
		fprintf(fp, "no invariant broken\n");
	else
		fprintf(fp, "invariants broken in %zu\n", broken);
}

/* ---- JUnit ---- */

static char *
broken_text(const json_t *cell)
{
	char *text = NULL;
	size_t size;
	FILE *fp = open_memstream(&text, &size);

	FAB_ASSERT(fp != NULL);
	put_broken(fp, cell);
	fclose(fp);
	return text;
}

static json_t *
case_of(const json_t *report, const json_t *cell)
{
	char verdict[160], *text = broken_text(cell);
	json_t *c;

	ch_cell_verdict(verdict, sizeof(verdict), cell);
	c = json_pack("{s:s, s:s, s:b, s:f, s:i, s:s, s:s, s:s}", "scenario", ctl_str(cell, "cell"),
	    "file", ctl_str(report, "topology"), "ok", (int)is_ok(cell), "seconds",
	    json_number_value(json_object_get(cell, "seconds")), "line", 0, "step", verdict,
	    "message", text[0] == '\n' ? text + 1 : text, "kept", "nothing");
	FAB_ASSERT(c != NULL);
	free(text);
	return c;
}

json_t *
ch_report_cases(const json_t *report)
{
	json_t *list = json_array();
	const json_t *cell;
	size_t i;

	json_array_append_new(list, case_of(report, json_object_get(report, "at_rest")));
	json_array_foreach(json_object_get(report, "cells"), i, cell)
	    json_array_append_new(list, case_of(report, cell));
	return list;
}
