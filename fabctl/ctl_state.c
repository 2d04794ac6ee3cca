/* State files: what a run directory knows about each process. */
#include "fabctl/ctl_run.h"

#include "fabctl/ctl_packets.h"

#include "lib/clock.h"
#include "lib/err.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGV_MAX 256

/* Names become file names: no way out of the directory, nothing hidden. */
static int
state_path(char buf[static PATH_MAX], const char *dir, const char *name)
{
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
		return FAB_EINVAL;
	return ctl_path(buf, "%s/%s.json", dir, name);
}

int
ctl_state_save(const char *dir, const struct ctl_state *s)
{
	char path[PATH_MAX];
	json_t *doc;
	int err;

	if ((err = state_path(path, dir, s->name)) != FAB_OK)
		return err;
	doc = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:O, s:b}", "name", s->name, "kind",
	    s->kind, "pid", (json_int_t)s->proc.pid, "start_time", (json_int_t)s->proc.start,
	    "started_us", (json_int_t)s->started_us, "cwd", s->cwd, "argv", s->argv, "in_guest",
	    s->in_guest);
	if (doc == NULL)
		return FAB_ENOMEM;
	err = ctl_json_save(path, doc);
	json_decref(doc);
	return err;
}

int
ctl_state_load(struct ctl_state *out, const char *dir, const char *name)
{
	struct ctl_state s = { 0 };
	json_int_t pid, start, started;
	char path[PATH_MAX];
	int in_guest = 0, err;

	if ((err = state_path(path, dir, name)) != FAB_OK)
		return err == FAB_EINVAL ? FAB_ENOENT : err;
	if ((err = ctl_json_load(&s.doc, path)) != FAB_OK)
		return err;
	if (json_unpack(s.doc, "{s:s, s:s, s:I, s:I, s:I, s:s, s:o, s?b}", "name", &s.name, "kind",
		&s.kind, "pid", &pid, "start_time", &start, "started_us", &started, "cwd", &s.cwd,
		"argv", &s.argv, "in_guest", &in_guest) != 0 ||
	    strcmp(s.name, name) != 0 || json_array_size(s.argv) == 0) {
		json_decref(s.doc);
		return FAB_EBADMSG;
	}
	s.in_guest = in_guest != 0;
	s.proc = (struct ctl_proc){ .pid = (pid_t)pid, .start = (uint64_t)start };
	s.started_us = (uint64_t)started;
	*out = s;
	return FAB_OK;
}

void
ctl_state_fini(struct ctl_state *s)
{
	json_decref(s->doc);
	*s = (struct ctl_state){ 0 };
}

void
ctl_state_forget(const char *dir, const char *name)
{
	char path[PATH_MAX];

	if (state_path(path, dir, name) == FAB_OK)
		unlink(path);
}

/* What others need comes first, and so ends last. */
static int
state_rank(const struct ctl_state *s)
{
	if (strcmp(s->name, CTL_FABRICD) == 0)
		return 0;
	return strcmp(s->name, CTL_GUESTS) == 0 ? 1 : 2;
}

static int
state_cmp(const void *a, const void *b)
{
	const struct ctl_state *x = a, *y = b;
	int rx = state_rank(x), ry = state_rank(y);

	return rx != ry ? rx - ry : strcmp(x->name, y->name);
}

int
ctl_state_list(struct ctl_state **out, size_t *n_out, const char *dir)
{
	struct ctl_state *v = NULL;
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	if (d == NULL)
		return FAB_ENOENT;
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len <= 5 || strcmp(e->d_name + len - 5, ".json") != 0)
			continue;
		e->d_name[len - 5] = '\0';
		FAB_ASSERT((v = realloc(v, (n + 1) * sizeof(*v))) != NULL);
		if (ctl_state_load(&v[n], dir, e->d_name) == FAB_OK)
			n++; /* others are not ours: foreign software may write JSON too */
	}
	closedir(d);
	if (n > 0)
		qsort(v, n, sizeof(*v), state_cmp);
	*out = v;
	*n_out = n;
	return FAB_OK;
}

void
ctl_state_list_free(struct ctl_state *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ctl_state_fini(&v[i]);
	free(v);
}

static bool
is_noted(const struct ctl_state *v, size_t n, struct ctl_proc p)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].proc.pid == p.pid && v[i].proc.start == p.start)
			return true;
	return false;
}

int
ctl_state_procs(struct ctl_proc **out, size_t *n_out, const char *dir)
{
	struct ctl_proc *found = NULL, *all;
	struct ctl_state *v = NULL;
	size_t n = 0, n_found = 0, n_all = 0;
	int err;

	if ((err = ctl_state_list(&v, &n, dir)) != FAB_OK)
		return err;
	ctl_proc_find(&found, &n_found, dir); /* best effort: needs /proc */
	FAB_ASSERT((all = calloc(n + n_found + 1, sizeof(*all))) != NULL);
	for (size_t i = 0; i < n_found; i++)
		if (!is_noted(v, n, found[i]))
			all[n_all++] = found[i];
	for (size_t i = n; i-- > 0;)
		all[n_all++] = v[i].proc;
	free(found);
	ctl_state_list_free(v, n);
	*out = all;
	*n_out = n_all;
	return FAB_OK;
}

int
ctl_state_spawn(const char *dir, const struct ctl_state *what)
{
	struct ctl_state s = *what;
	char log[PATH_MAX], *words[ARGV_MAX + 1];
	struct ctl_spawn spawn = { .argv = words, .cwd = s.cwd, .log = log };
	size_t n = json_array_size(s.argv);
	int err;

	if (n == 0 || n > ARGV_MAX)
		return FAB_ETOOBIG;
	for (size_t i = 0; i < n; i++) {
		const char *word = json_string_value(json_array_get(s.argv, i));

		if (word == NULL)
			return FAB_EINVAL;
		words[i] = (char *)(uintptr_t)word; /* posix_spawn() does not write to it */
	}
	words[n] = NULL;
	if ((err = ctl_path(log, "%s/%s.log", dir, s.name)) != FAB_OK)
		return err;
	if (s.in_guest && (err = ctl_guest_find(&spawn.netns, dir, s.name)) != FAB_OK)
		return err;
	s.started_us = fab_wall_us();
	err = ctl_proc_spawn(&s.proc, &spawn);
	if (s.in_guest)
		close(spawn.netns);
	if (err == FAB_OK && (err = ctl_state_save(dir, &s)) != FAB_OK)
		ctl_proc_end_all(&s.proc, 1, 0); /* nobody would find it again */
	return err;
}
