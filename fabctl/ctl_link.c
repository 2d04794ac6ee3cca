/* The verbs that change and show links. */
#include "fabctl/ctl_link.h"
#include "fabctl/ctl.h"
#include "lib/err.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELAY_MAX_US (60 * 1000000.0)
#define RATE_MIN     8000.0 /* bit/s */
#define RATE_MAX     1e12

/* ---- values with units ---- */

struct unit {
	const char *name;
	double factor;
};

/* text as a number and one of the units, times its factor. FAB_EINVAL. */
static int
parse_units(double *out, const char *text, const struct unit *units)
{
	char *end;
	double value;

	if (text[0] < '0' || text[0] > '9') /* no sign, no "inf", no blank */
		return FAB_EINVAL;
	value = strtod(text, &end);
	for (; units->name != NULL; units++)
		if (strcmp(end, units->name) == 0) {
			*out = value * units->factor;
			return FAB_OK;
		}
	return FAB_EINVAL;
}

int
ctl_link_delay(uint32_t *us, const char *text)
{
	static const struct unit units[] = { { "us", 1 }, { "ms", 1e3 }, { "s", 1e6 },
		{ NULL, 0 } };
	double value;

	if (strcmp(text, "0") == 0)
		value = 0;
	else if (parse_units(&value, text, units) != FAB_OK || value > DELAY_MAX_US)
		return FAB_EINVAL;
	*us = (uint32_t)(value + 0.5);
	return FAB_OK;
}

int
ctl_link_loss(uint32_t *ppm, const char *text)
{
	static const struct unit units[] = { { "%", 1e4 }, { NULL, 0 } };
	double value;

	if (strcmp(text, "0") == 0)
		value = 0;
	else if (parse_units(&value, text, units) != FAB_OK || value > 1e6)
		return FAB_EINVAL;
	*ppm = (uint32_t)(value + 0.5);
	return FAB_OK;
}

int
ctl_link_rate(uint64_t *bits, const char *text)
{
	static const struct unit units[] = { { "bit", 1 }, { "kbit", 1e3 }, { "mbit", 1e6 },
		{ "gbit", 1e9 }, { NULL, 0 } };
	double value;

	if (strcmp(text, "0") == 0)
		value = 0;
	else if (parse_units(&value, text, units) != FAB_OK || value < RATE_MIN || value > RATE_MAX)
		return FAB_EINVAL;
	*bits = (uint64_t)(value + 0.5);
	return FAB_OK;
}

/* ---- changing ---- */

static char *
word(const struct ctl_args *args, unsigned i)
{
	return (char *)(uintptr_t)(i < args->n_pos ? args->pos[i] : "");
}

static int
change(struct ctl *c, const struct ctl_args *args, Fab__V1__LinkRequest *req)
{
	ProtobufCMessage *reply;
	int status;

	req->a = word(args, 0);
	req->b = word(args, 1);
	req->one_way = args->opt[CTL_OPT_ONE_WAY] != NULL;
	if ((status = ctl_call(c, "Link", &req->base, &reply)) == CTL_OK)
		ctl_reply_free(reply);
	return status;
}

static int
cut_or_restore(struct ctl *c, const struct ctl_args *args, bool cut)
{
	static const struct ctl_column columns[] = {
		{ "A", "a" },
		{ "B", "b" },
		{ "Cut", "cut" },
		{ "One Way", "one_way" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns };
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	int status;

	req.cut = cut;
	req.restore = !cut;
	if ((status = change(c, args, &req)) != CTL_OK)
		return status;
	return ctl_answer(c,
	    json_pack("{s:s, s:s, s:b, s:b}", "a", req.a, "b", req.b, "cut", (int)cut, "one_way",
		(int)req.one_way),
	    &view);
}

int
ctl_link_cut(struct ctl *c, const struct ctl_args *args)
{
	return cut_or_restore(c, args, true);
}

int
ctl_link_restore(struct ctl *c, const struct ctl_args *args)
{
	return cut_or_restore(c, args, false);
}

static int
wrong_value(const char *option, const char *text, const char *such)
{
	return ctl_fail(CTL_USAGE, "USAGE", "--%s '%s' is not %s", option, text, such);
}

/* Takes over what was given. */
static int
read_shape(Fab__V1__LinkRequest *req, const struct ctl_args *args)
{
	const char *delay = args->opt[CTL_OPT_DELAY], *jitter = args->opt[CTL_OPT_JITTER],
		   *loss = args->opt[CTL_OPT_LOSS], *rate = args->opt[CTL_OPT_RATE];

	if (delay != NULL && ctl_link_delay(&req->delay_us, delay) != FAB_OK)
		return wrong_value("delay", delay, "a time such as 20ms, at most 60s");
	if (jitter != NULL && ctl_link_delay(&req->jitter_us, jitter) != FAB_OK)
		return wrong_value("jitter", jitter, "a time such as 2ms, at most 60s");
	if (loss != NULL && ctl_link_loss(&req->loss_ppm, loss) != FAB_OK)
		return wrong_value("loss", loss, "a share such as 1%, at most 100%");
	if (rate != NULL && ctl_link_rate(&req->rate, rate) != FAB_OK)
		return wrong_value("rate", rate, "a rate such as 100mbit, 8kbit to 1000gbit");
	if (delay != NULL)
		req->fields[req->n_fields++] = FAB__V1__LINK_FIELD__LINK_DELAY;
	if (jitter != NULL)
		req->fields[req->n_fields++] = FAB__V1__LINK_FIELD__LINK_JITTER;
	if (loss != NULL)
		req->fields[req->n_fields++] = FAB__V1__LINK_FIELD__LINK_LOSS;
	if (rate != NULL)
		req->fields[req->n_fields++] = FAB__V1__LINK_FIELD__LINK_RATE;
	if (req->n_fields == 0)
		return ctl_fail(CTL_USAGE, "USAGE",
		    "link set needs --delay, --jitter, --loss or --rate; 'link clear' takes them "
		    "off");
	return CTL_OK;
}

/* ---- showing ---- */

json_t *
ctl_link_json(const Fab__V1__LinkInfo *l)
{
	return json_pack("{s:s, s:s, s:s, s:b, s:b, s:f, s:f, s:f, s:I, s:b}", "kind", l->kind, "a",
	    l->a, "b", l->b, "one_way", (int)l->one_way, "cut", (int)l->cut, "delay_ms",
	    l->delay_us / 1e3, "jitter_ms", l->jitter_us / 1e3, "loss_percent", l->loss_ppm / 1e4,
	    "rate_bps", (json_int_t)l->rate, "from_topology", (int)l->from_topology);
}

/* "20ms 100mbit": the largest unit that leaves no fraction. */
static void
rate_text(char out[static 32], uint64_t rate)
{
	if (rate == 0)
		out[0] = '\0';
	else if (rate % 1000000000 == 0)
		snprintf(out, 32, "%" PRIu64 "gbit", rate / 1000000000);
	else if (rate % 1000000 == 0)
		snprintf(out, 32, "%" PRIu64 "mbit", rate / 1000000);
	else if (rate % 1000 == 0)
		snprintf(out, 32, "%" PRIu64 "kbit", rate / 1000);
	else
		snprintf(out, 32, "%" PRIu64 "bit", rate);
}

static json_t *
number_text(double value, const char *unit)
{
	return value == 0 ? json_string("") : json_sprintf("%g%s", value, unit);
}

__attribute__((format(printf, 2, 3))) static void
add(char out[static CTL_LINK_TEXT_MAX], const char *fmt, ...)
{
	size_t n = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, CTL_LINK_TEXT_MAX - n, fmt, ap);
	va_end(ap);
}

static double
number(const json_t *link, const char *key)
{
	return json_real_value(json_object_get(link, key));
}

void
ctl_link_text(char out[static CTL_LINK_TEXT_MAX], const json_t *link)
{
	const char *a = ctl_str(link, "a"), *b = ctl_str(link, "b");
	double delay = number(link, "delay_ms"), jitter = number(link, "jitter_ms"),
	       loss = number(link, "loss_percent");
	char rate[32];

	rate_text(rate, (uint64_t)json_integer_value(json_object_get(link, "rate_bps")));
	out[0] = '\0';
	add(out, "%s%s>%s%s", a, a[0] != '\0' ? " " : "", b[0] != '\0' ? " " : "", b);
	if (json_is_true(json_object_get(link, "cut")))
		add(out, " cut");
	if (delay > 0 || jitter > 0)
		add(out, " %gms", delay);
	if (jitter > 0)
		add(out, "+-%gms", jitter);
	if (loss > 0)
		add(out, " %g%%", loss);
	if (rate[0] != '\0')
		add(out, " %s", rate);
}

static json_t *
row(const json_t *link)
{
	char rate[32];

	rate_text(rate, (uint64_t)json_integer_value(json_object_get(link, "rate_bps")));
	return json_pack("{s:O, s:O, s:O, s:s, s:s, s:o, s:o, s:o, s:s, s:s}", "kind",
	    json_object_get(link, "kind"), "a", json_object_get(link, "a"), "b",
	    json_object_get(link, "b"), "way",
	    json_is_true(json_object_get(link, "one_way")) ? "->" : "<->", "cut",
	    json_is_true(json_object_get(link, "cut")) ? "cut" : "", "delay",
	    number_text(json_real_value(json_object_get(link, "delay_ms")), "ms"), "jitter",
	    number_text(json_real_value(json_object_get(link, "jitter_ms")), "ms"), "loss",
	    number_text(json_real_value(json_object_get(link, "loss_percent")), "%"), "rate", rate,
	    "source", json_is_true(json_object_get(link, "from_topology")) ? "topology" : "set");
}

static void
links_text(FILE *fp, const json_t *value)
{
	static const struct ctl_column columns[] = {
		{ "Kind", "kind" },
		{ "A", "a" },
		{ "", "way" },
		{ "B", "b" },
		{ "Cut", "cut" },
		{ "Delay", "delay" },
		{ "Jitter", "jitter" },
		{ "Loss", "loss" },
		{ "Rate", "rate" },
		{ "By", "source" },
		CTL_COLUMNS_END,
	};
	json_t *rows = json_array();
	const json_t *link;
	size_t i;

	json_array_foreach(json_object_get(value, "value"), i, link)
	    json_array_append_new(rows, row(link));
	ctl_table(fp, rows, columns);
	json_decref(rows);
}

static int
show(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = links_text };
	Fab__V1__LinkQuery req = FAB__V1__LINK_QUERY__INIT;
	ProtobufCMessage *reply;
	json_t *list;
	int status;

	req.a = word(args, 0);
	req.b = word(args, 1);
	if ((status = ctl_call(c, "Links", &req.base, &reply)) != CTL_OK)
		return status;
	list = json_array();
	for (size_t i = 0; i < CTL_REPLY(Fab__V1__LinkList, reply)->n_value; i++)
		json_array_append_new(
		    list, ctl_link_json(CTL_REPLY(Fab__V1__LinkList, reply)->value[i]));
	ctl_reply_free(reply);
	return ctl_answer(c, json_pack("{s:o}", "value", list), &view);
}

int
ctl_link_clear(struct ctl *c, const struct ctl_args *args)
{
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	int status;

	req.clear = true;
	if ((status = change(c, args, &req)) != CTL_OK)
		return status;
	return show(c, args);
}

int
ctl_link_set(struct ctl *c, const struct ctl_args *args)
{
	Fab__V1__LinkRequest req = FAB__V1__LINK_REQUEST__INIT;
	Fab__V1__LinkField fields[4];
	int status;

	req.set = true;
	req.fields = fields;
	if ((status = read_shape(&req, args)) != CTL_OK ||
	    (status = change(c, args, &req)) != CTL_OK)
		return status;
	return show(c, args);
}

int
ctl_link_list(struct ctl *c, const struct ctl_args *args)
{
	return show(c, args);
}

int
ctl_link_get(struct ctl *c, const struct ctl_args *args)
{
	return show(c, args);
}
