#include "fabctl/sc_report.h"

#include "fabctl/ctl_out.h"
#include "lib/err.h"

#include <stdbool.h>
#include <string.h>

static bool
is_ok(const json_t *r)
{
	return json_is_true(json_object_get(r, "ok"));
}

/* Why it was not tried to its end; NULL if it was. */
static const char *
skipped(const json_t *r)
{
	return json_string_value(json_object_get(r, "skipped"));
}

static double
seconds(const json_t *r)
{
	return json_number_value(json_object_get(r, "seconds"));
}

static int
line_of(const json_t *r)
{
	return (int)json_integer_value(json_object_get(r, "line"));
}

/* Each line of text behind indent. */
static void
put_lines(FILE *fp, const char *indent, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		fprintf(fp, "%s%.*s\n", indent, (int)n, text);
		text += n + (text[n] != '\0');
	}
}

static void
put_failure(FILE *fp, const char *indent, const json_t *r)
{
	fprintf(fp, "%s%s:%d: %s\n", indent, ctl_str(r, "file"), line_of(r), ctl_str(r, "step"));
	put_lines(fp, indent, ctl_str(r, "message"));
	fprintf(fp, "%skept: %s\n", indent, ctl_str(r, "kept"));
}

void
sc_report_text(FILE *fp, const json_t *r)
{
	fprintf(fp, "%s  %s (%.1f s)\n",
	    skipped(r) ? "skip"
	    : is_ok(r) ? "ok  "
		       : "FAIL",
	    ctl_str(r, "scenario"), seconds(r));
	if (skipped(r) != NULL)
		fprintf(fp, "      %s\n", skipped(r));
	if (!is_ok(r))
		put_failure(fp, "      ", r);
	if (json_object_get(r, "url") != NULL)
		fprintf(fp, "      runs: fabctl --url %s ...\n", ctl_str(r, "url"));
	fflush(fp);
}

void
sc_report_tap(FILE *fp, const json_t *r, size_t number)
{
	fprintf(fp, "%sok %zu - %s%s%s\n", is_ok(r) ? "" : "not ", number, ctl_str(r, "scenario"),
	    skipped(r) != NULL ? " # SKIP " : "", skipped(r) != NULL ? skipped(r) : "");
	if (!is_ok(r))
		put_failure(fp, "# ", r);
	fflush(fp);
}

/* XML 1.0 has no control characters but tab and line ends. */
static void
put_xml(FILE *fp, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch == '<')
			fputs("&lt;", fp);
		else if (ch == '>')
			fputs("&gt;", fp);
		else if (ch == '&')
			fputs("&amp;", fp);
		else if (ch == '"')
			fputs("&quot;", fp);
		else if (ch == '\n')
			fputs("&#10;", fp);
		else
			fputc(ch < ' ' && ch != '\t' ? ' ' : ch, fp);
	}
}

static void
put_case(FILE *fp, const json_t *r)
{
	fputs("  <testcase classname=\"", fp);
	put_xml(fp, ctl_str(r, "file"));
	fputs("\" name=\"", fp);
	put_xml(fp, ctl_str(r, "scenario"));
	fprintf(fp, "\" time=\"%.3f\"", seconds(r));
	if (skipped(r) != NULL) {
		fputs("><skipped message=\"", fp);
		put_xml(fp, skipped(r));
		fputs("\"/></testcase>\n", fp);
		return;
	}
	if (is_ok(r)) {
		fputs("/>\n", fp);
		return;
	}
	fprintf(fp, ">\n    <failure message=\"line %d: ", line_of(r));
	put_xml(fp, ctl_str(r, "step"));
	fputs("\">", fp);
	put_xml(fp, ctl_str(r, "message"));
	fputs("&#10;kept: ", fp);
	put_xml(fp, ctl_str(r, "kept"));
	fputs("</failure>\n  </testcase>\n", fp);
}

int
sc_report_junit(const char *path, const json_t *results)
{
	FILE *fp = fopen(path, "we");
	size_t i, failed = 0, not_tried = 0;
	double time = 0;
	json_t *r;
	bool ok;

	if (fp == NULL)
		return FAB_EIO;
	json_array_foreach(results, i, r)
	{
		failed += !is_ok(r);
		not_tried += skipped(r) != NULL;
		time += seconds(r);
	}
	fprintf(fp,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<testsuite name=\"hubspoke\" tests=\"%zu\" failures=\"%zu\" skipped=\"%zu\" "
	    "time=\"%.3f\">\n",
	    json_array_size(results), failed, not_tried, time);
	json_array_foreach(results, i, r) put_case(fp, r);
	fputs("</testsuite>\n", fp);
	ok = ferror(fp) == 0;
	ok = fclose(fp) == 0 && ok;
	return ok ? FAB_OK : FAB_EIO;
}
