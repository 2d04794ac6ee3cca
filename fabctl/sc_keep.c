/*
 * What a scenario that failed leaves behind.
 */
#include "fabctl/sc_run_int.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

void
sc_keep(struct run *r)
{
	keep_answer(r, "events", (const char *[]){ "events", NULL });
	keep_answer(r, "timeline", (const char *[]){ "timeline", NULL });
	keep_answer(r, "ps", (const char *[]){ "ps", NULL });
	keep_answer(r, "nics", (const char *[]){ "nics", NULL });
	keep_logs(r);
}

void
sc_empty_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
		unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(path);
}
