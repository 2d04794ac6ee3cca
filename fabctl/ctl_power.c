#include "fabctl/ctl_power.h"

#include "fabctl/ctl_fault.h"
#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_run.h"
#include "lib/err.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_MS 5000 /* for a process that got SIGKILL */

/* ---- the list ---- */

/* One line of it, as fabattach has them: "NAME [router] [off]". */
struct entry {
	char name[256];
	bool router, off;
};

static bool
entry_read(struct entry *e, FILE *fp)
{
	char line[512], word[2][16] = { "", "" };

	*e = (struct entry){ .name = "" };
	if (fgets(line, sizeof(line), fp) == NULL ||
	    sscanf(line, "%255s %15s %15s", e->name, word[0], word[1]) < 1)
		return false;
	for (int i = 0; i < 2; i++) {
		e->router |= strcmp(word[i], "router") == 0;
		e->off |= strcmp(word[i], "off") == 0;
	}
	return true;
}

static FILE *
list_open(const char *run_dir)
{
	char path[PATH_MAX];

	if (ctl_path(path, "%s/" CTL_GUESTS ".list", run_dir) != FAB_OK)
		return NULL;
	return fopen(path, "re");
}

json_t *
ctl_power_off(const char *run_dir)
{
	FILE *fp = list_open(run_dir);
	json_t *set = json_object();
	struct entry e;

	FAB_ASSERT(set != NULL);
	while (fp != NULL && entry_read(&e, fp))
		if (e.off)
			json_object_set_new(set, e.name, json_true());
	if (fp != NULL)
		fclose(fp);
	return set;
}

bool
ctl_power_is_off(const char *run_dir, const char *name)
{
	json_t *set = ctl_power_off(run_dir);
	bool off = json_object_get(set, name) != NULL;

	json_decref(set);
	return off;
}

/* Writes the list anew with one guest switched; in one step, as fabattach may read it now. */
static int
list_switch(const char *run_dir, const char *name, bool off)
{
	char path[PATH_MAX], fresh[PATH_MAX];
	FILE *in = list_open(run_dir), *out = NULL;
	struct entry e;
	bool ok;

	if (in == NULL || ctl_path(path, "%s/" CTL_GUESTS ".list", run_dir) != FAB_OK ||
	    ctl_path(fresh, "%s.tmp", path) != FAB_OK || (out = fopen(fresh, "we")) == NULL) {
		if (in != NULL)
			fclose(in);
		return FAB_EIO;
	}
	while (entry_read(&e, in)) {
		if (strcmp(e.name, name) == 0)
			e.off = off;
		fprintf(out, "%s%s%s\n", e.name, e.router ? " router" : "", e.off ? " off" : "");
	}
	ok = ferror(in) == 0 && ferror(out) == 0;
	fclose(in);
	ok = fclose(out) == 0 && ok;
	if (ok && rename(fresh, path) == 0)
		return FAB_OK;
	unlink(fresh);
	return FAB_EIO;
}

/* Switches, and waits until fabattach has done it. */
static int
power(const char *run_dir, const char *name, bool on)
{
	struct ctl_state holder;
	int status = CTL_OK;

	if (ctl_state_load(&holder, run_dir, CTL_GUESTS) != FAB_OK)
		return ctl_fail(CTL_REFUSED, "PACKETS", "the fabric has no packets");
	if (ctl_proc_state(holder.proc) == CTL_PROC_DEAD)
		status = ctl_fail(CTL_REFUSED, "NOTRUNNING",
		    "the guests are dead; 'fabctl start " CTL_GUESTS "' makes them anew");
	else if (list_switch(run_dir, name, !on) != FAB_OK ||
		 ctl_proc_signal(holder.proc, SIGHUP) != FAB_OK)
		status = ctl_fail(
		    CTL_NO, "WRITE", "cannot switch %s in %s/" CTL_GUESTS ".list", name, run_dir);
	ctl_state_fini(&holder);
	return status == CTL_OK ? ctl_guest_await(run_dir, name, on) : status;
}

/* ---- off ---- */

static int
power_answer(struct ctl *c, const char *name, size_t ended)
{
	static const struct ctl_column columns[] = {
		{ "Action", "action" },
		{ "Name", "name" },
		{ "Ended", "ended" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns };

	return ctl_answer(c,
	    json_pack("{s:s, s:s, s:I}", "action", "kill guest", "name", name, "ended",
		(json_int_t)ended),
	    &view);
}

/* The node of that name may stand outside of its guest (a site's router): it dies all the same. */
static void
end_node(const char *run_dir, const char *name)
{
	struct ctl_state s;

	if (ctl_state_load(&s, run_dir, name) != FAB_OK)
		return;
	if (ctl_proc_signal(s.proc, SIGKILL) == FAB_OK)
		ctl_proc_await_end(s.proc, END_MS);
	ctl_state_fini(&s);
}

/* The link goes first: what dies afterwards can tell nobody (RS-91). */
static int
pull_the_plug(struct ctl *c, const char *name, int netns)
{
	struct stat st;
	size_t ended;
	int status;

	if (fstat(netns, &st) != 0)
		return ctl_fail(CTL_NO, "GUEST", "cannot look at %s: %s", name, strerror(errno));
	ctl_fault_note(c, name, "kill guest");
	if ((status = power(c->run_dir, name, false)) != CTL_OK)
		return status;
	ended = ctl_guest_end_all(st.st_ino);
	end_node(c->run_dir, name);
	return power_answer(c, name, ended);
}

int
ctl_power_kill(struct ctl *c, const char *name)
{
	int lock, netns, status;

	if (c->run_dir[0] != '\0' && ctl_power_is_off(c->run_dir, name))
		return ctl_fail(CTL_REFUSED, "NOTRUNNING",
		    "%s is off; 'fabctl start %s' switches it on", name, name);
	if ((status = ctl_guest_open(&netns, c, name)) != CTL_OK)
		return status;
	if (ctl_run_lock(&lock, c->run_dir, true) != FAB_OK) {
		close(netns);
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC", "no fabric runs in %s", c->run_dir);
	}
	status = pull_the_plug(c, name, netns);
	close(netns);
	close(lock);
	return status;
}

/* ---- on ---- */

int
ctl_power_on(struct ctl *c, const char *name)
{
	return power(c->run_dir, name, true);
}
