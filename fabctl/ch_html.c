/*
 * The report as one page: no script, no picture, nothing from elsewhere. Elements are rows, faults
 * are columns; a cell unfolds.
 */
#include "fabctl/ch_plan.h"
#include "fabctl/ch_report.h"
#include "fabctl/ctl_out.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char style[] =
    "body{font:14px/1.5 system-ui,sans-serif;margin:2em auto;max-width:75em;padding:0 1em;"
    "color:#1d2430;background:#fff}"
    "h1{font-size:1.4em;margin-bottom:0}h2{font-size:1.1em;margin-top:2em}"
    "p.sum{margin-top:.2em;color:#56606e}"
    "table{border-collapse:collapse;width:100%}"
    "th{text-align:left;font-weight:600;border-bottom:2px solid #c9d0d9;padding:.3em .6em}"
    "td{vertical-align:top;border-bottom:1px solid #e3e7ec;padding:.2em .6em}"
    "td.e{font-family:ui-monospace,monospace;white-space:nowrap}"
    "td.ok{background:#eaf6ec}td.lost{background:#fdf4dc}td.broken{background:#fbe3e1}"
    "td.none{background:#f6f7f9}"
    "summary{cursor:pointer}summary b{font-weight:600}"
    "ul{margin:.3em 0 .5em;padding-left:1.2em}li{margin:.2em 0}"
    ".mend{color:#22543d}.k{color:#56606e}"
    "@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181e}"
    "th{border-color:#3a4350}td{border-color:#29303a}td.ok{background:#16301d}"
    "td.lost{background:#38300f}td.broken{background:#431c1a}td.none{background:#191e25}"
    ".mend{color:#8fd3ac}.k,p.sum{color:#97a3b1}}";

static void
put(FILE *fp, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '<')
			fputs("&lt;", fp);
		else if (*text == '>')
			fputs("&gt;", fp);
		else if (*text == '&')
			fputs("&amp;", fp);
		else if (*text == '"')
			fputs("&quot;", fp);
		else
			fputc(*text, fp);
	}
}

/* ---- a cell ---- */

static void
put_time(FILE *fp, const json_t *cell, const char *key, const char *what)
{
	const json_t *v = json_object_get(cell, key);

	if (json_is_number(v))
		fprintf(fp, "<li><span class=k>%s after</span> %.1f ms</li>", what,
		    json_number_value(v));
}

static void
put_losses(FILE *fp, const json_t *cell)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(cell, "lost"), i, row)
	{
		const char *because = ctl_str(row, "because");

		fputs("<li>", fp);
		put(fp, ctl_str(row, "src"));
		fputs(" &rarr; ", fp);
		put(fp, ctl_str(row, "dst"));
		if (json_is_true(json_object_get(row, "stays"))) {
			fputs(" until repaired: ", fp);
			put(fp, because);
		} else {
			fprintf(fp, " %.1f ms", json_number_value(json_object_get(row, "ms")));
		}
		fputs("</li>", fp);
	}
}

static void
put_broken(FILE *fp, const json_t *cell)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(cell, "broken"), i, row)
	{
		const char *fix = ctl_str(row, "fix");

		fputs("<li><b>", fp);
		put(fp, ctl_str(row, "invariant"));
		fputs("</b> ", fp);
		put(fp, ctl_str(row, "rule"));
		fprintf(
		    fp, " (%lld): ", (long long)json_integer_value(json_object_get(row, "pairs")));
		put(fp, ctl_str(row, "what"));
		if (fix[0] != '\0') {
			fputs("<br><span class=mend>mend: ", fp);
			put(fp, fix);
			fputs("</span>", fp);
		}
		fputs("</li>", fp);
	}
}

static void
put_cell(FILE *fp, const json_t *cell)
{
	char verdict[160], lost[160], rules[160];
	bool ok;

	if (cell == NULL) {
		fputs("<td class=none></td>", fp);
		return;
	}
	ok = json_is_true(json_object_get(cell, "ok"));
	ch_cell_verdict(verdict, sizeof(verdict), cell);
	ch_cell_losses(lost, sizeof(lost), cell);
	ch_cell_rules(rules, sizeof(rules), cell);
	fprintf(fp, "<td class=%s><details><summary><b>", ok ? verdict : "broken");
	put(fp, verdict);
	fputs("</b> <span class=k>", fp);
	put(fp, rules);
	fputs("</span>", fp);
	if (lost[0] != '\0')
		fputs("<br>", fp);
	put(fp, lost);
	fputs("</summary><ul>", fp);
	put_time(fp, cell, "detect_ms", "noticed");
	put_time(fp, cell, "converge_ms", "converged");
	put_broken(fp, cell);
	put_losses(fp, cell);
	fputs("</ul></details></td>", fp);
}

/* ---- the matrix ---- */

/* The cell of that name, NULL if there is none. */
static const json_t *
cell_of(const json_t *cells, const char *name)
{
	const json_t *cell;
	size_t i;

	json_array_foreach(
	    cells, i, cell) if (strcmp(ctl_str(cell, "cell"), name) == 0) return cell;
	return NULL;
}

static const char *
element_of(const json_t *cell)
{
	const char *name = ctl_str(cell, "cell");

	return name + strcspn(name, " ") + (strchr(name, ' ') != NULL);
}

static bool
is_pair(const json_t *cell)
{
	return strstr(ctl_str(cell, "cell"), " + ") != NULL;
}

static bool
came_before(const json_t *cells, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!is_pair(json_array_get(cells, k)) &&
		    strcmp(element_of(json_array_get(cells, k)),
			element_of(json_array_get(cells, i))) == 0)
			return true;
	return false;
}

static void
put_matrix(FILE *fp, const json_t *cells)
{
	char name[CH_CELL_MAX];
	const json_t *cell;
	size_t i;

	fputs("<h2>Every single fault</h2><table><tr><th>element", fp);
	for (int f = 0; f < CH_FAULT_COUNT; f++)
		fprintf(fp, "<th>%s", ch_fault_name((enum ch_fault)f));
	fputs("</tr>\n", fp);
	json_array_foreach(cells, i, cell)
	{
		if (is_pair(cell) || came_before(cells, i))
			continue;
		fputs("<tr><td class=e>", fp);
		put(fp, element_of(cell));
		for (int f = 0; f < CH_FAULT_COUNT; f++) {
			snprintf(name, sizeof(name), "%s %s", ch_fault_name((enum ch_fault)f),
			    element_of(cell));
			put_cell(fp, cell_of(cells, name));
		}
		fputs("</tr>\n", fp);
	}
	fputs("</table>\n", fp);
}

static void
put_pairs(FILE *fp, const json_t *cells)
{
	bool any = false;
	const json_t *cell;
	size_t i;

	json_array_foreach(cells, i, cell)
	{
		if (!is_pair(cell))
			continue;
		if (!any)
			fputs("<h2>Two at once</h2><table>", fp);
		any = true;
		fputs("<tr><td class=e>", fp);
		put(fp, ctl_str(cell, "cell"));
		put_cell(fp, cell);
		fputs("</tr>\n", fp);
	}
	if (any)
		fputs("</table>\n", fp);
}

static void
put_page(FILE *fp, const json_t *report)
{
	const json_t *cells = json_object_get(report, "cells");

	fprintf(fp, "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
		    "content=\"width=device-width\"><title>chaos: ");
	put(fp, ctl_str(report, "name"));
	fprintf(fp, "</title><style>%s</style>\n<h1>chaos: ", style);
	put(fp, ctl_str(report, "name"));
	fprintf(fp, "</h1><p class=sum>%zu faults in %.0f s, seed %lld, timing ",
	    json_array_size(cells), json_number_value(json_object_get(report, "seconds")),
	    (long long)json_integer_value(json_object_get(report, "seed")));
	put(fp, ctl_str(report, "timing"));
	fprintf(fp, "; %s</p>\n<h2>At rest</h2><table><tr>",
	    json_is_true(json_object_get(report, "ok")) ? "no invariant broken"
							: "invariants broken");
	put_cell(fp, json_object_get(report, "at_rest"));
	fputs("</tr></table>\n", fp);
	put_matrix(fp, cells);
	put_pairs(fp, cells);
	fputs("</html>\n", fp);
}

int
ch_report_html(const char *path, const json_t *report)
{
	FILE *fp = fopen(path, "we");
	bool ok;

	if (fp == NULL)
		return FAB_EIO;
	put_page(fp, report);
	ok = ferror(fp) == 0;
	ok = fclose(fp) == 0 && ok;
	return ok ? FAB_OK : FAB_EIO;
}
