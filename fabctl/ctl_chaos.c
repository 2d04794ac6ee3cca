/*
 * Every fault of a topology, measured and judged: several fabrics at a time, each in a process of
 * its own, which takes every n-th cell of the plan.
 */
#include "fabctl/ch_cell.h"
#include "fabctl/ch_plan.h"
#include "fabctl/ch_report.h"
#include "fabctl/ctl.h"
#include "fabctl/ctl_nodes.h"
#include "fabctl/sc_call.h"
#include "fabctl/sc_report.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX 16
#define BOUND_MS 5000 /* what Azure takes at most after a fault that is announced */
#define SEED     1

struct worker {
	pid_t pid;    /* 0: none */
	FILE *fp;     /* its results, one a line */
	char top[64]; /* where its fabric is; "" before that */
};

struct chaos {
	struct ctl *c;
	struct topo *t;
	const char *file;
	char topology[PATH_MAX];
	const char *packets;
	struct ch_filter filter;
	struct ch_cell replay; /* n 0: the whole plan */
	uint32_t bound_ms;
	size_t jobs;
	struct worker workers[JOBS_MAX];
	/* Collected: */
	json_t *order;          /* names of all cells as in the matrix, from the first worker */
	json_t *rest, *by_name; /* results */
	char failed[512];       /* a fabric that does not come up, a name that is not there */
	enum ctl_exit status;
};

static void
on_signal(int sig)
{
	sc_interrupted = sig;
}

/* ---- a worker ---- */

static void
tell(FILE *fp, const char *key, json_t *value)
{
	json_t *line = json_object();

	json_object_set_new(line, key, value);
	json_dumpf(line, fp, JSON_COMPACT);
	fputc('\n', fp);
	fflush(fp);
	json_decref(line);
}

static bool
tell_failure(FILE *fp, enum ctl_exit status, const char *why)
{
	tell(fp, "failed", json_pack("{s:i, s:s}", "status", (int)status, "why", why));
	return false;
}

static bool
make_plan(struct ch_fabric *f, struct ch_plan *plan, const struct ch_filter *filter, FILE *fp)
{
	char missing[CH_NAME_MAX], why[200];
	struct ch_element *v = NULL;
	size_t n = 0;
	int err;

	if (!ch_fabric_elements(f, &v, &n))
		return tell_failure(fp, CTL_NO, f->why);
	err = ch_plan_make(plan, v, n, filter, missing);
	free(v);
	if (err == FAB_OK)
		return true;
	if (err == FAB_ENOENT)
		snprintf(why, sizeof(why), "no process or link '%s' in this topology", missing);
	else
		snprintf(why, sizeof(why), "too many faults: %s", fab_strerror(err));
	return tell_failure(fp, CTL_USAGE, why);
}

/* Names of the cells that are to be done, as the matrix has them. */
static json_t *
names(const struct ch_plan *all, const struct ch_plan *done)
{
	char name[CH_CELL_MAX], other[CH_CELL_MAX];
	json_t *list = json_array(), *set = json_object();

	for (size_t i = 0; i < done->n; i++) {
		ch_cell_name(other, &done->cells[i]);
		json_object_set_new(set, other, json_true());
	}
	for (size_t i = 0; i < all->n; i++) {
		ch_cell_name(name, &all->cells[i]);
		if (json_object_get(set, name) != NULL)
			json_array_append_new(list, json_string(name));
	}
	json_decref(set);
	return list;
}

static bool
has_cell(const struct ch_plan *p, const struct ch_cell *c)
{
	char name[CH_CELL_MAX], other[CH_CELL_MAX];

	ch_cell_name(name, c);
	for (size_t i = 0; i < p->n; i++) {
		ch_cell_name(other, &p->cells[i]);
		if (strcmp(name, other) == 0)
			return true;
	}
	return false;
}

/* Keeps the one cell; each of its steps must be one of the plan's. */
static bool
only_replay(const struct chaos *ch, struct ch_plan *plan, FILE *fp)
{
	char name[CH_CELL_MAX], why[CH_CELL_MAX + 64];

	for (size_t i = 0; i < ch->replay.n; i++) {
		const struct ch_cell one = { .step = { ch->replay.step[i] }, .n = 1 };

		if (has_cell(plan, &one))
			continue;
		ch_cell_name(name, &one);
		snprintf(why, sizeof(why), "no fault '%s' in this topology", name);
		return tell_failure(fp, CTL_USAGE, why);
	}
	plan->cells[0] = ch->replay;
	plan->n = 1;
	return true;
}

/* In the order of doing; names in that of the matrix go to the parent. */
static bool
plan_all(const struct chaos *ch, struct ch_fabric *f, struct ch_plan *plan, size_t number, FILE *fp)
{
	struct ch_filter sorted = ch->filter;
	struct ch_plan all;
	bool ok;

	sorted.seed = 0;
	sorted.limit = 0;
	if (!make_plan(f, plan, &ch->filter, fp))
		return false;
	if (!make_plan(f, &all, &sorted, fp)) {
		ch_plan_fini(plan);
		return false;
	}
	ok = ch->replay.n == 0 || only_replay(ch, plan, fp);
	if (ok && number == 0)
		tell(fp, "plan", ch->replay.n == 0 ? names(&all, plan) : names(plan, plan));
	ch_plan_fini(&all);
	if (!ok)
		ch_plan_fini(plan);
	return ok;
}

static bool
bring_up(struct ch_fabric *f, struct ch_rest *rest, FILE *fp)
{
	if (!ch_fabric_place(f))
		return tell_failure(fp, CTL_NO, f->why);
	tell(fp, "fabric", json_string(f->top));
	if (ch_fabric_up(f) && ch_rest_take(rest, f))
		return true;
	return tell_failure(fp, CTL_NO, f->why);
}

/* A fabric that did not come back to what it was is replaced. */
static void
do_cells(const struct chaos *ch, struct ch_fabric *f, struct ch_rest *rest,
    const struct ch_plan *plan, size_t number, FILE *fp)
{
	bool good = true;

	for (size_t i = number; i < plan->n && !sc_interrupted; i += ch->jobs) {
		if (!good) {
			ch_rest_fini(rest);
			ch_fabric_down(f);
			if (!bring_up(f, rest, fp))
				return;
		}
		tell(fp, "cell", ch_cell_run(f, rest, &plan->cells[i], ch->bound_ms, &good));
	}
}

static void
work(const struct chaos *ch, size_t number, int fd)
{
	struct ch_fabric f = { .t = ch->t, .topology = ch->topology, .packets = ch->packets };
	struct ch_rest rest = { 0 };
	struct ch_plan plan = { 0 };
	FILE *fp = fdopen(fd, "w");

	FAB_ASSERT(fp != NULL);
	unsetenv("FAB_URL");
	if (bring_up(&f, &rest, fp) && plan_all(ch, &f, &plan, number, fp)) {
		if (number == 0)
			tell(fp, "rest", ch_rest_judge(&f, &rest));
		do_cells(ch, &f, &rest, &plan, number, fp);
	}
	ch_rest_fini(&rest);
	ch_fabric_down(&f);
	ch_plan_fini(&plan);
	fclose(fp);
}

static bool
start(struct chaos *ch, size_t number)
{
	struct worker *w = &ch->workers[number];
	int fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return false;
	if ((w->pid = fork()) == 0) {
		work(ch, number, fd[1]);
		exit(0);
	}
	close(fd[1]);
	if (w->pid > 0 && (w->fp = fdopen(fd[0], "r")) != NULL)
		return true;
	close(fd[0]);
	return false;
}

/* ---- collecting ---- */

static void
take_cell(struct chaos *ch, json_t *cell)
{
	char line[512];

	json_object_set(ch->by_name, ctl_str(cell, "cell"), cell);
	ch_report_line(line, sizeof(line), cell);
	if (isatty(STDERR_FILENO))
		ctl_progress("%zu of %zu: %.100s", json_object_size(ch->by_name),
		    json_array_size(ch->order), line);
}

static void
take_line(struct chaos *ch, struct worker *w, const json_t *line)
{
	const json_t *failed = json_object_get(line, "failed");

	if (json_object_get(line, "fabric") != NULL)
		snprintf(w->top, sizeof(w->top), "%s", ctl_str(line, "fabric"));
	if (json_object_get(line, "plan") != NULL)
		ch->order = json_incref(json_object_get(line, "plan"));
	if (json_object_get(line, "rest") != NULL)
		ch->rest = json_incref(json_object_get(line, "rest"));
	if (json_object_get(line, "cell") != NULL)
		take_cell(ch, json_object_get(line, "cell"));
	if (failed == NULL || ch->failed[0] != '\0')
		return;
	ch->status = (enum ctl_exit)json_integer_value(json_object_get(failed, "status"));
	snprintf(ch->failed, sizeof(ch->failed), "%s", ctl_str(failed, "why"));
}

/* False: it has ended. */
static bool
read_worker(struct chaos *ch, struct worker *w)
{
	char *text = NULL;
	size_t size = 0;
	ssize_t n = getline(&text, &size, w->fp);
	json_t *line = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;

	if (line != NULL)
		take_line(ch, w, line);
	json_decref(line);
	free(text);
	return n > 0 || (ferror(w->fp) && errno == EINTR);
}

static void
finish(struct worker *w)
{
	fclose(w->fp);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (w->top[0] != '\0' && access(w->top, F_OK) == 0) /* it died before it could */
		ch_fabric_clear(w->top);
	*w = (struct worker){ 0 };
}

static size_t
poll_workers(struct chaos *ch)
{
	struct pollfd p[JOBS_MAX];
	size_t running = 0;

	for (size_t i = 0; i < ch->jobs; i++) {
		running += ch->workers[i].fp != NULL;
		p[i] = (struct pollfd){ .fd = ch->workers[i].fp != NULL ? fileno(ch->workers[i].fp)
									: -1,
			.events = POLLIN };
	}
	if (running == 0)
		return 0;
	if (poll(p, ch->jobs, -1) < 0) { /* a signal may have come to us alone */
		for (size_t i = 0; i < ch->jobs && sc_interrupted; i++)
			if (ch->workers[i].pid > 0)
				kill(ch->workers[i].pid, SIGTERM);
		return running;
	}
	for (size_t i = 0; i < ch->jobs; i++)
		if (p[i].revents != 0 && !read_worker(ch, &ch->workers[i]))
			finish(&ch->workers[i]);
	return running;
}

static int
run_all(struct chaos *ch)
{
	int status = CTL_OK;

	fflush(stdout);
	for (size_t i = 0; i < ch->jobs && status == CTL_OK; i++)
		if (!start(ch, i))
			status =
			    ctl_fail(CTL_NO, "START", "cannot start a worker: %s", strerror(errno));
	while (poll_workers(ch) > 0)
		;
	ctl_progress(NULL);
	if (status == CTL_OK && sc_interrupted)
		return ctl_fail(CTL_NO, "INTERRUPTED", "interrupted; all fabrics are taken down");
	if (status == CTL_OK && ch->failed[0] != '\0')
		return ctl_fail(
		    ch->status, ch->status == CTL_USAGE ? "USAGE" : "UP", "%s", ch->failed);
	return status;
}

/* ---- the report ---- */

static bool
is_ok(const json_t *cell)
{
	return json_is_true(json_object_get(cell, "ok"));
}

static json_t *
report(const struct chaos *ch, double seconds)
{
	json_t *cells = json_array(), *name;
	bool ok = is_ok(ch->rest);
	size_t i;

	json_array_foreach(ch->order, i, name)
	{
		json_t *cell = json_object_get(ch->by_name, json_string_value(name));

		if (cell == NULL)
			continue;
		ok = ok && is_ok(cell);
		json_array_append(cells, cell);
	}
	return json_pack("{s:s, s:s, s:s, s:I, s:i, s:f, s:b, s:O, s:o}", "topology", ch->file,
	    "name", ch->t->name, "timing", ch->t->timing.profile, "seed",
	    (json_int_t)ch->filter.seed, "bound_ms", (int)ch->bound_ms, "seconds", seconds, "ok",
	    (int)ok, "at_rest", ch->rest, "cells", cells);
}

static int
write_files(const struct ctl_args *args, const json_t *r)
{
	const char *junit = args->opt[CTL_OPT_JUNIT], *html = args->opt[CTL_OPT_HTML];
	json_t *cases = ch_report_cases(r);
	int err = junit != NULL ? sc_report_junit(junit, cases) : FAB_OK;

	json_decref(cases);
	if (err != FAB_OK)
		return ctl_fail(CTL_NO, "WRITE", "cannot write %s: %s", junit, strerror(errno));
	if (html != NULL && ch_report_html(html, r) != FAB_OK)
		return ctl_fail(CTL_NO, "WRITE", "cannot write %s: %s", html, strerror(errno));
	return CTL_OK;
}

static int
answer(struct chaos *ch, const struct ctl_args *args, double seconds)
{
	static const struct ctl_view view = { .text = ch_report_text };
	json_t *r;
	bool ok;
	int status;

	if (ch->rest == NULL || json_object_size(ch->by_name) < json_array_size(ch->order))
		return ctl_fail(CTL_NO, "LOST", "a worker ended without its results");
	FAB_ASSERT((r = report(ch, seconds)) != NULL);
	ok = is_ok(r);
	if ((status = write_files(args, r)) != CTL_OK) {
		json_decref(r);
		return status;
	}
	status = ctl_answer(ch->c, r, &view);
	return status != CTL_OK ? status : ok ? CTL_OK : CTL_NO;
}

/* ---- the verb ---- */

/* A number in decimal, at least min. */
static int
number(uint64_t *out, const char *option, const char *text, uint64_t min, uint64_t max)
{
	char *end = NULL;
	unsigned long long v;

	if (text == NULL)
		return CTL_OK;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || v < min || v > max)
		return ctl_fail(CTL_USAGE, "USAGE", "--%s '%s' is not a number from %llu to %llu",
		    option, text, (unsigned long long)min, (unsigned long long)max);
	*out = v;
	return CTL_OK;
}

static int
numbers(struct chaos *ch, const struct ctl_args *args)
{
	uint64_t seed = SEED, limit = 0, jobs = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
	int status = number(&seed, "seed", args->opt[CTL_OPT_SEED], 0, INT64_MAX);

	if (status == CTL_OK)
		status = number(&limit, "limit", args->opt[CTL_OPT_LIMIT], 1, 1000000);
	if (status == CTL_OK)
		status = number(&jobs, "jobs", args->opt[CTL_OPT_JOBS], 1, JOBS_MAX);
	ch->filter.seed = seed;
	ch->filter.limit = (size_t)limit;
	if (limit > 0 && jobs > limit)
		jobs = limit;
	ch->jobs = jobs < JOBS_MAX ? (size_t)jobs : JOBS_MAX;
	return status;
}

static int
options(struct chaos *ch, const struct ctl_args *args)
{
	const char *faults = args->opt[CTL_OPT_FAULTS], *bound = args->opt[CTL_OPT_BOUND],
		   *replay = args->opt[CTL_OPT_REPLAY], *packets = args->opt[CTL_OPT_PACKETS];

	if (ch_faults_parse(ch->filter.faults, faults != NULL ? faults : "kill,pause,cut") !=
	    FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE",
		    "--faults '%s' is not a list of kill, pause and cut", faults);
	if (replay != NULL && ch_cell_parse(&ch->replay, replay) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE",
		    "--replay '%s' is not a fault such as 'kill nva1' or 'cut nva1 rs1-0 + pause "
		    "nva2'",
		    replay);
	ch->bound_ms = BOUND_MS;
	if (bound != NULL && ctl_duration_ms(&ch->bound_ms, bound) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE", "--bound '%s' is not a time such as 5s", bound);
	ch->packets = packets != NULL ? packets : "off";
	ch->filter.pairs = args->opt[CTL_OPT_PAIRS] != NULL;
	ch->filter.only = args->opt[CTL_OPT_ONLY];
	return numbers(ch, args);
}

/* The cell alone, whatever else is said. */
static void
prepare_replay(struct chaos *ch)
{
	if (ch->replay.n == 0)
		return;
	for (int i = 0; i < CH_FAULT_COUNT; i++)
		ch->filter.faults[i] = true;
	ch->filter.pairs = false;
	ch->filter.only = NULL;
	ch->filter.limit = 0;
	ch->jobs = 1;
}

static int
load(struct chaos *ch)
{
	struct topo_errors *e = calloc(2, sizeof(*e));
	int status;

	FAB_ASSERT(e != NULL);
	status = ctl_topo_load(&ch->t, ch->file, NULL, &e[0], &e[1]);
	if (e[0].n > 0)
		ctl_topo_complain(ch->file, &e[0], &e[1]);
	free(e);
	if (status == CTL_OK && realpath(ch->file, ch->topology) == NULL)
		status = ctl_fail(
		    CTL_USAGE, "FILE", "cannot find %s again: %s", ch->file, strerror(errno));
	return status;
}

int
ctl_chaos(struct ctl *c, const struct ctl_args *args)
{
	struct sigaction sa = { .sa_handler = on_signal }; /* calls return early */
	struct chaos *ch = calloc(1, sizeof(*ch));
	struct fab_mono since = fab_mono_now();
	int status;

	FAB_ASSERT(ch != NULL);
	ch->c = c;
	ch->file = args->pos[0];
	ch->by_name = json_object();
	if ((status = options(ch, args)) == CTL_OK && (status = load(ch)) == CTL_OK) {
		prepare_replay(ch);
		sigaction(SIGINT, &sa, NULL);
		sigaction(SIGTERM, &sa, NULL);
		status = run_all(ch);
	}
	if (status == CTL_OK)
		status = answer(ch, args, (double)fab_mono_us_between(since, fab_mono_now()) / 1e6);
	json_decref(ch->order);
	json_decref(ch->rest);
	json_decref(ch->by_name);
	topo_free(ch->t);
	free(ch);
	return status;
}
