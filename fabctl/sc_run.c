#include "fabctl/sc_run.h"

#include "fabctl/ctl_out.h"
#include "fabctl/sc_call.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UP_WAIT   "60s"
#define LOOK_MS   50 /* between two looks at a NIC's routes */
#define WORDS_MAX 64

struct run {
	const struct sc_file *f;
	char top[64]; /* the scenario's own directory: run/, and what is kept */
	char run_dir[80], url[128];
	char inside[96]; /* the topology, if it is the scenario's own */
	const struct sc_step *failed;
	char why[1024];
};

/* ---- calls ---- */

static bool fail(struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool
fail(struct run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return false;
}

/* A command line that must succeed. */
static bool
command(struct run *r, const char *const *words)
{
	struct sc_call c;
	bool ok = sc_call(&c, r->f->dir, r->url, false, words) == 0;

	if (!ok)
		fail(r, "exit %d: %s", c.status, sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

/* The answer as JSON, NULL after fail(). */
static json_t *
ask(struct run *r, const char *const *words)
{
	struct sc_call c;
	json_t *answer = NULL;

	if (sc_call(&c, r->f->dir, r->url, true, words) == 0)
		answer = json_loads(sc_call_out(&c), 0, NULL);
	if (answer == NULL)
		fail(r, "exit %d: %s", c.status, sc_call_why(&c));
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
	return fail(r, "%s is %s already", prefix, announce ? "announced" : "not announced");
}

/* What an NVA advertises, or the prefixes of a site. */
static bool
announce(struct run *r, const struct sc_step *s)
{
	const char *router = s->words[0], *prefix = s->words[1], *kind = "nva", *key = "advertise";
	json_t *node = ask(r, (const char *[]){ "get", kind, router, NULL }), *list;
	char *text = NULL;
	bool ok;

	if (node == NULL) {
		kind = "site";
		key = "prefixes";
		node = ask(r, (const char *[]){ "get", kind, router, NULL });
	}
	if (node == NULL)
		return fail(r, "no NVA or site '%s'", router);
	list = json_deep_copy(json_object_get(json_object_get(node, "properties"), key));
	json_decref(node);
	if (list == NULL)
		list = json_array();
	ok = change_list(r, list, prefix, s->kind == SC_ANNOUNCE);
	if (ok && (text = json_dumps(list, JSON_COMPACT)) != NULL) {
		char *setting = NULL;

		FAB_ASSERT(asprintf(&setting, "%s=%s", key, text) > 0);
		ok = command(r, (const char *[]){ "set", kind, router, setting, NULL });
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
		fail(r, "%s: %s", condition, why + strlen(timeout));
	else if (status != 0)
		fail(r, "%s: exit %d: %s", condition, status, why);
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
		fail(r, "%s: held, but not for %u ms", condition, ms);
	else if (status != 1)
		fail(r, "%s: exit %d: %s", condition, status, sc_call_why(&c));
	sc_call_fini(&c);
	return status == 1;
}

static uint32_t
left(struct fab_mono since, uint32_t ms)
{
	uint64_t gone = fab_mono_us_between(since, fab_mono_now()) / 1000;

	return gone < ms ? ms - (uint32_t)gone : 0;
}

static bool
expect(struct run *r, const struct sc_step *s)
{
	struct fab_mono since = fab_mono_now();

	for (size_t i = 0; i < s->n_words; i++)
		if (!holds(r, s->words[i], left(since, s->within_ms)))
			return false;
	since = fab_mono_now();
	for (size_t i = 0; i < s->n_words && s->stays_ms > 0; i++)
		if (!stays(r, s->words[i], left(since, s->stays_ms) + 1))
			return false;
	return true;
}

/* ---- routes ---- */

/* {"0.0.0.0/0": "VirtualNetworkGateway 10.1.2.4 10.1.2.5"} of the Active rows. */
static json_t *
route_table(struct run *r, const char *nic)
{
	json_t *answer = ask(r, (const char *[]){ "routes", "effective", nic, NULL });
	json_t *table = json_object(), *row, *net, *hop;
	char text[512];
	size_t i, k;

	json_array_foreach(json_object_get(answer, "value"), i, row)
	{
		size_t len =
		    (size_t)snprintf(text, sizeof(text), "%s", ctl_str(row, "nextHopType"));

		if (strcmp(ctl_str(row, "state"), "Active") != 0)
			continue;
		json_array_foreach(
		    json_object_get(row, "nextHopIpAddress"), k, hop) if (len < sizeof(text)) len +=
		    (size_t)snprintf(text + len, sizeof(text) - len, " %s", json_string_value(hop));
		json_array_foreach(json_object_get(row, "addressPrefix"), k, net)
		    json_object_set_new(table, json_string_value(net), json_string(text));
	}
	if (answer == NULL) {
		json_decref(table);
		return NULL;
	}
	json_decref(answer);
	return table;
}

/* "VirtualNetworkGateway 10.1.2.4" as it is, "10.1.2.4", "Internet", or anything for "". */
static bool
is_hop(const char *got, const char *want)
{
	const char *addresses = got != NULL ? strchr(got, ' ') : NULL;

	return got != NULL && (want[0] == '\0' || strcmp(got, want) == 0 ||
				  (addresses != NULL && strcmp(addresses + 1, want) == 0));
}

static const char *
wanted(const struct sc_rows *rows, const char *prefix)
{
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->prefix[i], prefix) == 0)
			return rows->hop[i];
	return NULL;
}

struct diff {
	char *text;
	size_t size;
	FILE *fp;
	size_t n;
};

static void
line(struct diff *d, char sign, const char *prefix, const char *hop)
{
	fprintf(d->fp, "\n  %c %s%s%s", sign, prefix, hop[0] != '\0' ? " " : "", hop);
	d->n++;
}

/* What is missing (-), and what is there against expectation (+). */
static void
compare(struct diff *d, const struct sc_step *s, const json_t *table)
{
	const struct sc_rows *must = s->equals.given ? &s->equals : &s->contains;
	const char *prefix;
	json_t *hop;

	for (size_t i = 0; i < must->n; i++) {
		const char *got = json_string_value(json_object_get(table, must->prefix[i]));

		if (is_hop(got, must->hop[i]))
			continue;
		line(d, '-', must->prefix[i], must->hop[i]);
		if (got != NULL)
			line(d, '+', must->prefix[i], got);
	}
	json_object_foreach((json_t *)(uintptr_t)table, prefix, hop)
	{
		const char *got = json_string_value(hop), *lacked = wanted(&s->lacks, prefix);

		if ((s->equals.given && wanted(&s->equals, prefix) == NULL) ||
		    (lacked != NULL && is_hop(got, lacked)))
			line(d, '+', prefix, got);
	}
}

static bool
routes_are(struct run *r, const struct sc_step *s)
{
	json_t *table = route_table(r, s->words[0]);
	struct diff d = { 0 };

	if (table == NULL)
		return false;
	FAB_ASSERT((d.fp = open_memstream(&d.text, &d.size)) != NULL);
	compare(&d, s, table);
	fclose(d.fp);
	if (d.n > 0)
		fail(r, "expected (-) and found (+):%s", d.text);
	free(d.text);
	json_decref(table);
	return d.n == 0;
}

static bool
routes(struct run *r, const struct sc_step *s)
{
	struct fab_mono since = fab_mono_now();

	while (!routes_are(r, s)) {
		if (left(since, s->within_ms) == 0 || sc_interrupted)
			return false;
		usleep(LOOK_MS * 1000);
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
		fail(r, "exit %d: %s", c->status, sc_call_why(c));
	else if (!ok)
		fail(r, "%lld of %lld packets lost, longest gap %.1f ms", (long long)lost,
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
		return fail(r, "cannot start a probe: %s", strerror(errno));
	if (s->n_during > 0) {
		ok = do_steps(r, s->during, s->n_during);
		kill(c.pid, SIGINT);
	}
	sc_call_end(&c);
	ok = ok && judge_probe(r, s, &c);
	sc_call_fini(&c);
	return ok;
}

static bool
do_step(struct run *r, const struct sc_step *s)
{
	switch (s->kind) {
	case SC_COMMAND:
		return command(r, s->words);
	case SC_ANNOUNCE:
	case SC_WITHDRAW:
		return announce(r, s);
	case SC_EXPECT:
		return expect(r, s);
	case SC_ROUTES:
		return routes(r, s);
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
			fail(r, "interrupted");
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
		return fail(r, "cannot write %s: %s", r->inside, strerror(errno));
	ok = fputs(r->f->inside, fp) >= 0;
	ok = fclose(fp) == 0 && ok;
	return ok || fail(r, "cannot write %s: %s", r->inside, strerror(errno));
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
		     "--packets", r->f->packets, NULL }) == 0;
	if (!ok)
		fail(r, "the fabric does not come up: %s", sc_call_why(&c));
	sc_call_fini(&c);
	return ok;
}

/* What a command prints, into a file of that name. */
static void
keep_answer(struct run *r, const char *name, const char *const *words)
{
	char path[128];
	struct sc_call c;
	FILE *fp;

	sc_call(&c, r->f->dir, r->url, false, words);
	snprintf(path, sizeof(path), "%s/%s.txt", r->top, name);
	if ((fp = fopen(path, "we")) != NULL) {
		fputs(sc_call_out(&c), fp);
		fclose(fp);
	}
	sc_call_fini(&c);
}

/* The logs outlive the run directory by their links. */
static void
keep_logs(const struct run *r)
{
	DIR *d = opendir(r->run_dir);
	char from[400], to[400];
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len < 4 || strcmp(e->d_name + len - 4, ".log") != 0)
			continue;
		snprintf(from, sizeof(from), "%s/%s", r->run_dir, e->d_name);
		snprintf(to, sizeof(to), "%s/%s", r->top, e->d_name);
		if (link(from, to) != 0)
			continue;
	}
	if (d != NULL)
		closedir(d);
}

static void
keep_all(struct run *r)
{
	keep_answer(r, "events", (const char *[]){ "events", NULL });
	keep_answer(r, "timeline", (const char *[]){ "timeline", NULL });
	keep_answer(r, "ps", (const char *[]){ "ps", NULL });
	keep_answer(r, "nics", (const char *[]){ "nics", NULL });
	keep_logs(r);
}

static void
down(const struct run *r)
{
	struct sc_call c;

	sc_call(
	    &c, r->f->dir, NULL, false, (const char *[]){ "down", "--run-dir", r->run_dir, NULL });
	sc_call_fini(&c);
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
	if (ok)
		return v;
	json_object_set_new(v, "line", json_integer(r->failed != NULL ? r->failed->line : 0));
	json_object_set_new(v, "step", json_string(r->failed != NULL ? r->failed->text : "up"));
	json_object_set_new(v, "message", json_string(r->why));
	json_object_set_new(v, "kept", json_string(r->top));
	return v;
}

json_t *
sc_run(const struct sc_file *f, bool keep)
{
	struct run r = { .f = f, .top = "/tmp/fab-test-XXXXXX" };
	struct fab_mono since = fab_mono_now();
	bool ok;

	if (mkdtemp(r.top) == NULL) {
		fail(&r, "cannot make %s: %s", r.top, strerror(errno));
		return result(&r, false, false, 0);
	}
	snprintf(r.run_dir, sizeof(r.run_dir), "%s/run", r.top);
	snprintf(r.inside, sizeof(r.inside), "%s/topology.json", r.top);
	snprintf(r.url, sizeof(r.url), "ipc://%s/fabricd.ipc", r.run_dir);
	setenv("XDG_RUNTIME_DIR", r.top, 1); /* the user's own current fabric stays that */
	ok = up(&r) && do_steps(&r, f->steps, f->n);
	if (!ok)
		keep_all(&r);
	if (!keep)
		down(&r);
	if (ok && !keep) {
		unlink(r.inside);
		rmdir(r.top);
	}
	return result(&r, ok, keep, (double)fab_mono_us_between(since, fab_mono_now()) / 1e6);
}
