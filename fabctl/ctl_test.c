/* Running scenarios: each in a process and a fabric of its own, several at a time. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_run.h"
#include "fabctl/sc_report.h"
#include "fabctl/sc_run.h"
#include "lib/err.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX   64
#define RESULT_MAX 65536

struct job {
	pid_t pid; /* 0: free */
	int fd;    /* its result comes here */
	const struct sc_file *f;
	char text[RESULT_MAX];
	size_t len;
};

struct test {
	struct ctl *c;
	struct sc_file *files[CTL_POS_MAX];
	size_t n, next;
	struct job *jobs;
	size_t n_jobs, running;
	bool tap, keep;
	const char *timing; /* NULL: the topologies' */
	const char *url;    /* of a fabric that runs; NULL: one is made for each of them */
	uint32_t seed;      /* 0: files in the order given, delays as the topologies draw them */
	json_t *results;
};

static void
on_signal(int sig)
{
	sc_interrupted = sig;
}

/* ---- the scenario's process ---- */

static void
run_one(const struct test *t, const struct sc_file *f, int fd)
{
	json_t *result;

	unsetenv("FAB_URL");
	result = sc_run(f, &(struct sc_options){ t->keep, t->seed, t->timing, t->url });
	if (json_dumpfd(result, fd, JSON_COMPACT) != 0)
		_exit(1);
	json_decref(result);
	_exit(0);
}

static bool
start(struct test *t, struct job *j, struct sc_file *f)
{
	int fd[2];

	*j = (struct job){ .f = f };
	if (pipe2(fd, O_CLOEXEC) != 0)
		return false;
	if ((j->pid = fork()) == 0)
		run_one(t, f, fd[1]);
	close(fd[1]);
	j->fd = fd[0];
	if (j->pid > 0) {
		t->running++;
		return true;
	}
	close(fd[0]);
	j->pid = 0;
	return false;
}

/* ---- collecting ---- */

static json_t *
result_of(struct job *j)
{
	json_t *r = json_loadb(j->text, j->len, 0, NULL);

	if (r != NULL)
		return r;
	return json_pack("{s:s, s:s, s:b, s:f, s:i, s:s, s:s, s:s}", "scenario", j->f->name, "file",
	    j->f->path, "ok", 0, "seconds", 0.0, "line", 0, "step", "", "message",
	    "its process ended without a result", "kept", "");
}

static void
finish(struct test *t, struct job *j)
{
	json_t *r = result_of(j);

	close(j->fd);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		;
	j->pid = 0;
	t->running--;
	if (t->seed != 0)
		json_object_set_new(r, "seed", json_integer(t->seed));
	json_array_append_new(t->results, r);
	if (t->tap)
		sc_report_tap(stdout, r, json_array_size(t->results));
	else if (t->c->format == CTL_TABLE)
		sc_report_text(stdout, r);
}

static void
collect(struct test *t, struct job *j)
{
	ssize_t n = read(j->fd, j->text + j->len, sizeof(j->text) - j->len);

	if (n > 0)
		j->len += (size_t)n;
	else if (n == 0 || errno != EINTR)
		finish(t, j);
}

/* A signal may have come to us alone: each of them takes its fabric down. */
static void
pass_on(const struct test *t)
{
	for (size_t i = 0; i < t->n_jobs && sc_interrupted; i++)
		if (t->jobs[i].pid > 0)
			kill(t->jobs[i].pid, SIGTERM);
}

static void
turn(struct test *t)
{
	struct pollfd p[JOBS_MAX];

	for (size_t i = 0; i < t->n_jobs; i++)
		p[i] = (struct pollfd){ .fd = t->jobs[i].pid > 0 ? t->jobs[i].fd : -1,
			.events = POLLIN };
	if (poll(p, t->n_jobs, -1) < 0) {
		pass_on(t);
		return;
	}
	for (size_t i = 0; i < t->n_jobs; i++)
		if (p[i].revents != 0)
			collect(t, &t->jobs[i]);
}

static int
run_all(struct test *t)
{
	while (t->running > 0 || (t->next < t->n && !sc_interrupted)) {
		for (size_t i = 0; i < t->n_jobs && t->next < t->n && !sc_interrupted; i++)
			if (t->jobs[i].pid == 0 && !start(t, &t->jobs[i], t->files[t->next++]))
				return ctl_fail(CTL_NO, "START", "cannot start a scenario: %s",
				    strerror(errno));
		turn(t);
	}
	return CTL_OK;
}

/* ---- the verb ---- */

static int
verdict(struct test *t, const char *junit)
{
	size_t i, ok = 0;
	json_t *r;
	int status;

	json_array_foreach(t->results, i, r) ok += json_is_true(json_object_get(r, "ok"));
	if (junit != NULL && sc_report_junit(junit, t->results) != FAB_OK)
		return ctl_fail(CTL_NO, "WRITE", "cannot write %s: %s", junit, strerror(errno));
	if (t->c->format != CTL_TABLE && !t->tap) {
		static const struct ctl_view view = { .columns = NULL };

		status = ctl_answer(t->c, json_incref(t->results), &view);
		if (status != CTL_OK)
			return status;
	} else if (!t->tap) {
		printf("%zu of %zu scenarios hold\n", ok, t->n);
	}
	return ok == t->n ? CTL_OK : CTL_NO;
}

static void
catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal }; /* calls return early */

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

/* All files first: a mistake in the last one is told before the first one has run. */
static int
load_one(struct test *t, const char *path)
{
	const struct sc_file *f;
	int status;

	if (t->n == CTL_POS_MAX)
		return ctl_fail(CTL_USAGE, "USAGE", "more than %d scenarios", CTL_POS_MAX);
	if ((status = sc_file_load(&t->files[t->n], path)) != CTL_OK)
		return status;
	f = t->files[t->n++];
	if (f->topology != NULL || f->inside != NULL || t->url != NULL)
		return CTL_OK;
	return ctl_fail(CTL_REFUSED, "InvalidScenario",
	    "%s: 'topology' is missing; without it a scenario is for a fabric that runs "
	    "(--running)",
	    path);
}

static int
is_yaml(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return e->d_name[0] != '.' && dot != NULL &&
	       (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

/* Every scenario of a directory, by name. Not a directory: FAB_ENOENT. */
static int
load_dir(struct test *t, const char *dir, int *status)
{
	struct dirent **found;
	int n = scandir(dir, &found, is_yaml, alphasort), one;
	char path[PATH_MAX];

	if (n < 0)
		return FAB_ENOENT;
	if (n == 0)
		*status = ctl_fail(CTL_USAGE, "FILE", "%s has no .yaml in it", dir);
	for (int i = 0; i < n; i++) {
		if (ctl_path(path, "%s/%s", dir, found[i]->d_name) == FAB_OK &&
		    (one = load_one(t, path)) != CTL_OK)
			*status = one;
		free(found[i]);
	}
	free(found);
	return FAB_OK;
}

static int
load_all(struct test *t, const struct ctl_args *args)
{
	int status = CTL_OK, one;

	for (unsigned i = 0; i < args->n_pos; i++)
		if (load_dir(t, args->pos[i], &status) != FAB_OK &&
		    (one = load_one(t, args->pos[i])) != CTL_OK)
			status = one;
	return status;
}

static int
jobs_option(struct test *t, const struct ctl_args *args)
{
	const char *text = args->opt[CTL_OPT_JOBS];
	long n = text != NULL ? strtol(text, NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 1 || n > JOBS_MAX || (text != NULL && strspn(text, "0123456789") != strlen(text)))
		return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not a number of jobs from 1 to %d",
		    text != NULL ? text : "", JOBS_MAX);
	t->n_jobs = (size_t)n;
	FAB_ASSERT((t->jobs = calloc(t->n_jobs, sizeof(*t->jobs))) != NULL);
	return CTL_OK;
}

static int
seed_option(struct test *t, const struct ctl_args *args)
{
	const char *text = args->opt[CTL_OPT_SEED];
	unsigned long n = text != NULL ? strtoul(text, NULL, 10) : 0;

	if (text != NULL && (n < 1 || n > UINT32_MAX || strspn(text, "0123456789") != strlen(text)))
		return ctl_fail(
		    CTL_USAGE, "USAGE", "'%s' is not a number from 1 to %u", text, UINT32_MAX);
	t->seed = (uint32_t)n;
	return CTL_OK;
}

/* The same for the same seed: what only holds in one order is found, and found again. */
static void
shuffle(struct test *t)
{
	uint64_t x = t->seed;

	for (size_t i = t->n; t->seed != 0 && i > 1; i--) {
		struct sc_file *f = t->files[i - 1];
		size_t k;

		x = x * 6364136223846793005u + 1442695040888963407u;
		k = (size_t)((x >> 33) % i);
		t->files[i - 1] = t->files[k];
		t->files[k] = f;
	}
}

static void
say_seed(const struct test *t)
{
	if (t->seed != 0 && (t->tap || t->c->format == CTL_TABLE))
		printf("%sseed %u\n", t->tap ? "# " : "", t->seed);
}

/* They share the one fabric: one after the other, as they stand. */
static int
running_option(struct test *t, const struct ctl_args *args)
{
	if (args->opt[CTL_OPT_RUNNING] == NULL)
		return CTL_OK;
	if (t->timing != NULL || args->opt[CTL_OPT_JOBS] != NULL)
		return ctl_fail(
		    CTL_USAGE, "USAGE", "--running goes with neither --timing nor --jobs");
	if (t->c->url[0] == '\0')
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC", "no fabric runs here; see --url");
	t->url = t->c->url;
	t->n_jobs = 1;
	return CTL_OK;
}

int
ctl_test(struct ctl *c, const struct ctl_args *args)
{
	struct test t = { .c = c,
		.tap = args->opt[CTL_OPT_TAP] != NULL,
		.keep = args->opt[CTL_OPT_KEEP] != NULL,
		.results = json_array() };
	int status = jobs_option(&t, args);

	if (status == CTL_OK)
		status = seed_option(&t, args);
	if (status == CTL_OK)
		status = ctl_timing_option(&t.timing, args);
	if (status == CTL_OK)
		status = running_option(&t, args);
	if (status == CTL_OK)
		status = load_all(&t, args);
	if (status == CTL_OK) {
		catch_signals();
		shuffle(&t);
		if (t.tap)
			printf("1..%zu\n", t.n);
		say_seed(&t);
		fflush(stdout);
		status = run_all(&t);
	}
	if (status == CTL_OK)
		status = verdict(&t, args->opt[CTL_OPT_JUNIT]);
	for (size_t i = 0; i < t.n; i++)
		sc_file_free(t.files[i]);
	free(t.jobs);
	json_decref(t.results);
	return status;
}
