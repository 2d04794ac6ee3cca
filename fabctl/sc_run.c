#include "fabctl/ctl_out.h"
#include "fabctl/sc_run_int.h"
#include "fabctl/sc_table.h"
#include "lib/err.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beyond what the platform takes for anything but scaling, with timing: azure (section 6). */
#define AZURE_MS  (15 * 60 * 1000)
#define UP_WAIT   "60s"
#define FIND_MS   (20 * 1000)
#define WORDS_MAX 64

#define EXIT_SKIP 77 /* of a command: this cannot be tried here */

/* ---- calls ---- */

bool
sc_fail(struct run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return false;
}

bool
sc_command(struct run *r, const char *const *words)
{
	struct sc_call c;
	bool ok = sc_call(&c, r->f->dir, r->url, false, words) == 0;

	if (!ok)
		sc_fail(r, "exit %d: %s", c.status, sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

/* The answer as JSON, NULL after sc_fail(). */
json_t *
sc_ask(struct run *r, const char *const *words)
{
	struct sc_call c;
	json_t *answer = NULL;

	if (sc_call(&c, r->f->dir, r->url, true, words) == 0)
		answer = json_loads(sc_call_out(&c), 0, NULL);
	if (answer == NULL)
		sc_fail(r, "exit %d: %s", c.status, sc_call_why(&c));
	sc_call_fini(&c);
	return answer;
}

/* ---- announce, withdraw ---- */

/* Announcements are texts, or maps with more to say about a prefix. */
static bool
is_for(const json_t *item, const char *prefix)
{
	const char *text = json_is_string(item) ? json_string_value(item) : ctl_str(item, "prefix");

	return text != NULL && strcmp(text, prefix) == 0;
}

static bool
change_list(struct run *r, json_t *list, const char *prefix, bool announce)
{
	size_t i = 0;

	while (i < json_array_size(list) && !is_for(json_array_get(list, i), prefix))
		i++;
	if (announce && i == json_array_size(list))
		return json_array_append_new(list, json_string(prefix)) == 0;
	if (!announce && i < json_array_size(list))
		return json_array_remove(list, i) == 0;
	return sc_fail(r, "%s is %s already", prefix, announce ? "announced" : "not announced");
}

/* What an NVA advertises, or the prefixes of a site. */
static bool
announce(struct run *r, const struct sc_step *s)
{
	const char *router = s->words[0], *prefix = s->words[1], *kind = "nva", *key = "advertise";
	json_t *node = sc_ask(r, (const char *[]){ "get", kind, router, NULL }), *list;
	char *text = NULL;
	bool ok;

	if (node == NULL) {
		kind = "site";
		key = "prefixes";
		node = sc_ask(r, (const char *[]){ "get", kind, router, NULL });
	}
	if (node == NULL)
		return sc_fail(r, "no NVA or site '%s'", router);
	list = json_deep_copy(json_object_get(json_object_get(node, "properties"), key));
	json_decref(node);
	if (list == NULL)
		list = json_array();
	ok = change_list(r, list, prefix, s->kind == SC_ANNOUNCE);
	if (ok && (text = json_dumps(list, JSON_COMPACT)) != NULL) {
		char *setting = NULL;

		FAB_ASSERT(asprintf(&setting, "%s=%s", key, text) > 0);
		ok = sc_command(r, (const char *[]){ "set", kind, router, setting, NULL });
		free(setting);
	}
	free(text);
	json_decref(list);
	return ok;
}

/* ---- expect ---- */

static bool
holds(struct run *r, const char *condition, uint32_t within_ms)
{
	static const char timeout[] = "TIMEOUT: ";
	char time[24];
	struct sc_call c;
	const char *why;
	int status;

	snprintf(time, sizeof(time), "%ums", within_ms > 0 ? within_ms : 1);
	status = sc_call(&c, r->f->dir, r->url, false,
	    (const char *[]){ "wait", condition, "--timeout", time, NULL });
	why = sc_call_why(&c);
	if (status == 1 && strncmp(why, timeout, strlen(timeout)) == 0)
		sc_fail(r, "%s: %s", condition, why + strlen(timeout));
	else if (status != 0)
		sc_fail(r, "%s: exit %d: %s", condition, status, why);
	sc_call_fini(&c);
	return status == 0;
}

/* The opposite must not come within that time. */
static bool
stays(struct run *r, const char *condition, uint32_t ms)
{
	bool negated = strncmp(condition, "no ", 3) == 0;
	char opposite[600], time[24];
	struct sc_call c;
	int status;

	snprintf(opposite, sizeof(opposite), "%s%s", negated ? "" : "no ",
	    negated ? condition + 3 : condition);
	snprintf(time, sizeof(time), "%ums", ms);
	status = sc_call(&c, r->f->dir, r->url, false,
	    (const char *[]){ "wait", opposite, "--timeout", time, NULL });
	if (status == 0)
		sc_fail(r, "%s: held, but not for %u ms", condition, ms);
	else if (status != 1)
		sc_fail(r, "%s: exit %d: %s", condition, status, sc_call_why(&c));
	sc_call_fini(&c);
	return status == 1;
}

uint32_t
sc_left(struct fab_mono since, uint32_t ms)
{
	uint64_t gone = fab_mono_us_between(since, fab_mono_now()) / 1000;

	return gone < ms ? ms - (uint32_t)gone : 0;
}

/* Files say what is due with the timing that they were written for. */
static uint32_t
within(const struct run *r, const struct sc_step *s)
{
	bool longer = s->within_ms > 0 && r->timing != NULL && strcmp(r->timing, "azure") == 0;

	return s->within_ms + (longer ? AZURE_MS : 0);
}

static bool
expect(struct run *r, const struct sc_step *s)
{
	struct fab_mono since = fab_mono_now();

	for (size_t i = 0; i < s->n_words; i++) {
		uint32_t ms = sc_left(since, within(r, s));

		if (!(sc_is_event(s->words[i]) ? sc_event_holds : holds)(r, s->words[i], ms))
			return false;
	}
	since = fab_mono_now();
	for (size_t i = 0; i < s->n_words && s->stays_ms > 0; i++) {
		uint32_t ms = sc_left(since, s->stays_ms) + 1;

		if (!(sc_is_event(s->words[i]) ? sc_event_stays : stays)(r, s->words[i], ms))
			return false;
	}
	return true;
}

/* ---- tables ---- */

static bool
table_is(struct run *r, const struct sc_step *s)
{
	json_t *answer = sc_ask(r, s->words), *tables;
	char *diff;
	bool ok;

	if (answer == NULL)
		return false;
	tables = sc_table_make(answer);
	diff = sc_table_diff(tables, s);
	ok = diff[0] == '\0' || sc_fail(r, "expected (-) and found (+):%s", diff);
	free(diff);
	json_decref(tables);
	json_decref(answer);
	return ok;
}

static bool
table(struct run *r, const struct sc_step *s)
{
	struct fab_mono since = fab_mono_now();

	while (!table_is(r, s)) {
		if (sc_left(since, within(r, s)) == 0 || sc_interrupted)
			return false;
		usleep(SC_LOOK_MS * 1000);
	}
	since = fab_mono_now();
	while (sc_left(since, s->stays_ms) > 0 && !sc_interrupted) {
		if (!table_is(r, s))
			return false;
		usleep(SC_LOOK_MS * 1000);
	}
	return true;
}

/* ---- steps ---- */

static bool do_steps(struct run *r, const struct sc_step *steps, size_t n);

static bool
judge_probe(struct run *r, const struct sc_step *s, struct sc_call *c)
{
	json_t *told = json_loads(sc_call_out(c), 0, NULL);
	json_int_t lost = json_integer_value(json_object_get(told, "lost"));
	bool ok = told != NULL && lost <= (json_int_t)s->lost;

	if (told == NULL)
		sc_fail(r, "exit %d: %s", c->status, sc_call_why(c));
	else if (!ok)
		sc_fail(r, "%lld of %lld packets lost, longest gap %.1f ms", (long long)lost,
		    (long long)json_integer_value(json_object_get(told, "sent")),
		    json_number_value(json_object_get(told, "longest_gap_ms")));
	json_decref(told);
	return ok;
}

/* With steps inside it runs as long as they do: SIGINT ends it with what it saw. */
static bool
probe(struct run *r, const struct sc_step *s)
{
	const char *words[WORDS_MAX + 3];
	struct sc_call c;
	size_t n = 0;
	bool ok = true;

	for (; n < s->n_words && n < WORDS_MAX; n++)
		words[n] = s->words[n];
	if (s->n_during > 0) {
		words[n++] = "--duration";
		words[n++] = "1h";
	}
	words[n] = NULL;
	if (sc_call_begin(&c, r->f->dir, r->url, true, words) != FAB_OK)
		return sc_fail(r, "cannot start a probe: %s", strerror(errno));
	if (s->n_during > 0) {
		ok = do_steps(r, s->during, s->n_during);
		kill(c.pid, SIGINT);
	}
	sc_call_end(&c);
	ok = ok && judge_probe(r, s, &c);
	sc_call_fini(&c);
	return ok;
}

/* It has ended: well, and with the right output? */
static bool
judge_output(struct run *r, const struct sc_step *s, struct sc_call *c)
{
	if (c->status != 0)
		return sc_fail(r, "exit %d: %s", c->status, sc_call_why(c));
	return s->output == NULL || strstr(sc_call_out(c), s->output) != NULL ||
	       sc_fail(r, "'%s' is not in what it prints:\n%s", s->output, sc_call_out(c));
}

static bool
exec(struct run *r, const struct sc_step *s)
{
	struct sc_call c;
	bool ok;

	sc_call(&c, r->f->dir, r->url, false, s->words);
	ok = judge_output(r, s, &c);
	sc_call_fini(&c);
	return ok;
}

static bool
run_once(struct run *r, const struct sc_step *s)
{
	struct sc_call c;
	bool ok;

	sc_call_shell(&c, r->f->dir, s->words[0]);
	ok = judge_output(r, s, &c);
	r->skipped = c.status == EXIT_SKIP;
	if (r->skipped)
		sc_fail(r, "%s", sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

/* The command finds the fabric in FAB_URL. With a time it is tried until all is well. */
static bool
run(struct run *r, const struct sc_step *s)
{
	struct fab_mono since = fab_mono_now();

	while (!run_once(r, s)) {
		if (r->skipped || sc_left(since, within(r, s)) == 0 || sc_interrupted)
			return false;
		usleep(SC_LOOK_MS * 1000);
	}
	return true;
}

static bool
pass_time(uint32_t ms)
{
	struct fab_mono since = fab_mono_now();

	while (sc_left(since, ms) > 0 && !sc_interrupted)
		usleep(SC_LOOK_MS * 1000);
	return true;
}

/* A command that is tried until it succeeds is a question, too. */
static bool
only_looks(const struct sc_step *s)
{
	return s->kind == SC_EXPECT || s->kind == SC_TABLE || s->kind == SC_WAIT ||
	       (s->kind == SC_RUN && s->within_ms > 0);
}

static bool
do_step(struct run *r, const struct sc_step *s)
{
	if (!only_looks(s))
		r->since_us = fab_wall_us();
	switch (s->kind) {
	case SC_COMMAND:
		return sc_command(r, s->words);
	case SC_EXEC:
		return exec(r, s);
	case SC_RUN:
		return run(r, s);
	case SC_WAIT:
		return pass_time(s->within_ms);
	case SC_OVERLAY:
		return sc_overlay(r, s->overlay);
	case SC_ANNOUNCE:
	case SC_WITHDRAW:
		return announce(r, s);
	case SC_EXPECT:
		return expect(r, s);
	case SC_TABLE:
		return table(r, s);
	case SC_PROBE:
		return probe(r, s);
	}
	return false;
}

static bool
do_steps(struct run *r, const struct sc_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (do_step(r, &steps[i]) && !sc_interrupted)
			continue;
		if (sc_interrupted)
			sc_fail(r, "interrupted");
		if (r->failed == NULL) /* the innermost */
			r->failed = &steps[i];
		return false;
	}
	return true;
}

/* ---- up and down ---- */

static bool
write_inside(struct run *r)
{
	FILE *fp = fopen(r->inside, "we");
	bool ok;

	if (fp == NULL)
		return sc_fail(r, "cannot write %s: %s", r->inside, strerror(errno));
	ok = fputs(r->f->inside, fp) >= 0;
	ok = fclose(fp) == 0 && ok;
	return ok || sc_fail(r, "cannot write %s: %s", r->inside, strerror(errno));
}

static bool
up(struct run *r)
{
	const char *topology = r->f->topology != NULL ? r->f->topology : r->inside;
	struct sc_call c;
	bool ok;

	if (r->f->topology == NULL && !write_inside(r))
		return false;
	ok = sc_call(&c, r->f->dir, NULL, false,
		 (const char *[]){ "up", topology, "--run-dir", r->run_dir, "--wait", UP_WAIT,
		     "--packets", r->f->packets, r->timing != NULL ? "--timing" : NULL, r->timing,
		     NULL }) == 0;
	if (!ok)
		sc_fail(r, "the fabric does not come up: %s", sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

static void
down(const struct run *r)
{
	struct sc_call c;

	sc_call(
	    &c, r->f->dir, NULL, false, (const char *[]){ "down", "--run-dir", r->run_dir, NULL });
	sc_call_fini(&c);
}

/* It may have been started a moment ago. Whether it is whole is for the steps to ask. */
static bool
find(struct run *r)
{
	struct fab_mono since = fab_mono_now();

	while (!sc_command(r, (const char *[]){ "ps", NULL })) {
		if (sc_left(since, FIND_MS) == 0 || sc_interrupted)
			return false;
		usleep(SC_LOOK_MS * 1000);
	}
	return true;
}

/* ---- one scenario ---- */

static json_t *
result(const struct run *r, bool ok, bool keep, double seconds)
{
	json_t *v = json_pack("{s:s, s:s, s:b, s:f, s:i}", "scenario", r->f->name, "file",
	    r->f->path, "ok", (int)ok, "seconds", seconds, "steps", (int)r->f->n);

	FAB_ASSERT(v != NULL);
	if (keep)
		json_object_set_new(v, "url", json_string(r->url));
	if (r->skipped)
		json_object_set_new(v, "skipped", json_string(r->why));
	if (ok)
		return v;
	json_object_set_new(v, "line", json_integer(r->failed != NULL ? r->failed->line : 0));
	json_object_set_new(v, "step", json_string(r->failed != NULL ? r->failed->text : "up"));
	json_object_set_new(v, "message", json_string(r->why));
	json_object_set_new(v, "kept", json_string(r->top));
	return v;
}

/* Nothing is left of what held. */
static void
clean(const struct run *r)
{
	char path[128];

	sc_empty_dir(r->mrt_dir);
	unlink(r->inside);
	for (unsigned i = 1; i <= r->applied; i++) {
		snprintf(path, sizeof(path), "%s/applied-%u.json", r->top, i);
		unlink(path);
	}
	rmdir(r->top);
}

/* Delays that are drawn, drawn in another way. */
static bool
sow(struct run *r, uint32_t seed)
{
	char setting[40];

	snprintf(setting, sizeof(setting), "timing.seed=%u", seed);
	return seed == 0 ||
	       sc_command(r, (const char *[]){ "set", "fabric", "fabric", setting, NULL });
}

json_t *
sc_run(const struct sc_file *f, const struct sc_options *o)
{
	struct run r = { .f = f, .timing = o->timing, .top = "/tmp/fab-test-XXXXXX" };
	struct fab_mono since = fab_mono_now();
	bool ok;

	if (mkdtemp(r.top) == NULL) {
		sc_fail(&r, "cannot make %s: %s", r.top, strerror(errno));
		return result(&r, false, false, 0);
	}
	snprintf(r.run_dir, sizeof(r.run_dir), "%s/run", r.top);
	snprintf(r.inside, sizeof(r.inside), "%s/topology.json", r.top);
	if (o->url != NULL)
		snprintf(r.url, sizeof(r.url), "%s", o->url);
	else
		snprintf(r.url, sizeof(r.url), "ipc://%s/fabricd.ipc", r.run_dir);
	snprintf(r.mrt_dir, sizeof(r.mrt_dir), "%s/mrt", r.top);
	setenv("XDG_RUNTIME_DIR", r.top, 1); /* the user's own current fabric stays that */
	if (mkdir(r.mrt_dir, 0755) == 0)
		setenv("FAB_MRT_DIR", r.mrt_dir, 1);
	setenv("FAB_URL", r.url, 1);
	ok = ((o->url != NULL ? find : up)(&r) && sow(&r, o->seed) &&
		 do_steps(&r, f->steps, f->n)) ||
	     r.skipped;
	if (!ok)
		sc_keep(&r);
	if (!o->keep && o->url == NULL)
		down(&r);
	if (ok && (!o->keep || o->url != NULL))
		clean(&r);
	return result(&r, ok, o->keep, (double)fab_mono_us_between(since, fab_mono_now()) / 1e6);
}
