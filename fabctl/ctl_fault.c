/* The verbs that do harm to local processes and to links, and undo it. */
#include "fabctl/ctl_fault.h"

#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_power.h"
#include "fabctl/ctl_run.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NOTE_MS 500   /* a fault does not wait longer for fabricd to note it */
#define STOP_MS 10000 /* between SIGTERM and giving up */

/* ---- what a fault needs ---- */

struct fault {
	struct ctl *c;
	const char *name;
	struct ctl_state state;
	int lock;
};

static int
fault_open(struct fault *f, struct ctl *c, const char *name)
{
	*f = (struct fault){ .c = c, .name = name };
	if (c->run_dir[0] == '\0')
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC",
		    "no local fabric; start one with 'fabctl up FILE' or name its --run-dir");
	if (ctl_run_lock(&f->lock, c->run_dir, true) != FAB_OK)
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC", "no fabric runs in %s", c->run_dir);
	if (ctl_state_load(&f->state, c->run_dir, name) != FAB_OK) {
		close(f->lock);
		return ctl_fail(
		    CTL_REFUSED, "NOT_FOUND", "no process '%s' here; 'fabctl ps' lists them", name);
	}
	return CTL_OK;
}

static void
fault_close(struct fault *f)
{
	ctl_state_fini(&f->state);
	close(f->lock);
}

static bool
connected(struct ctl *c)
{
	struct fab_mono since = fab_mono_now();

	while (!fab_rpc_client_connected(c->client)) {
		if (fab_mono_us_between(since, fab_mono_now()) > NOTE_MS * 1000)
			return false;
		fab_loop_turn(c->loop, 50);
	}
	return true;
}

void
ctl_fault_note(struct ctl *c, const char *node, const char *action)
{
	Fab__V1__FaultNote req = FAB__V1__FAULT_NOTE__INIT;
	ProtobufCMessage *reply;
	enum fab_rpc_status rpc = FAB_RPC_UNAVAILABLE;
	char why[256];

	if (strcmp(node, CTL_FABRICD) == 0)
		return;
	req.action = (char *)(uintptr_t)action;
	req.node = (char *)(uintptr_t)node;
	if (ctl_fabricd_runs(c) && ctl_connect(c) == CTL_OK && connected(c)) {
		req.at_us = fab_wall_us(); /* the way to fabricd is not part of the fault */
		rpc = ctl_ask(c, &fab__v1__fabric__descriptor, "NoteFault", &req.base, NOTE_MS,
		    NOTE_MS, &reply, why);
	}
	if (rpc == FAB_RPC_OK)
		ctl_reply_free(reply);
	else
		fprintf(
		    stderr, "fabctl: fabricd does not answer; the timeline will not have this\n");
}

static int
fault_answer(struct fault *f, const char *action)
{
	static const struct ctl_column columns[] = {
		{ "Action", "action" },
		{ "Name", "name" },
		{ "PID", "pid" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns };

	return ctl_answer(f->c,
	    json_pack("{s:s, s:s, s:o}", "action", action, "name", f->name, "pid",
		f->state.proc.pid > 0 ? json_integer(f->state.proc.pid) : json_null()),
	    &view);
}

/* ---- signals ---- */

static int
not_running(const struct fault *f)
{
	return ctl_fail(CTL_REFUSED, "NOTRUNNING", "%s is dead; 'fabctl start %s' starts it again",
	    f->name, f->name);
}

/* The whole group is told, one process is waited for. */
static int
signal_and_end(struct fault *f, int sig)
{
	if (sig == SIGTERM)
		ctl_proc_signal(f->state.proc, SIGCONT); /* a paused one ends too */
	if (ctl_proc_signal(f->state.proc, sig) != FAB_OK)
		return not_running(f);
	if (ctl_proc_await_end(f->state.proc, STOP_MS) != FAB_OK)
		return ctl_fail(CTL_NO, "TIMEOUT",
		    "%s (pid %d) does not end; 'fabctl kill %s' does", f->name,
		    (int)f->state.proc.pid, f->name);
	return CTL_OK;
}

static int
send_signal(struct ctl *c, const char *name, const char *action, int sig, bool ends)
{
	struct fault f;
	int status;

	if ((status = fault_open(&f, c, name)) != CTL_OK)
		return status;
	if (ctl_proc_state(f.state.proc) == CTL_PROC_DEAD) {
		status = not_running(&f);
		goto done;
	}
	ctl_fault_note(c, name, action);
	if (ends)
		status = signal_and_end(&f, sig);
	else if (ctl_proc_signal(f.state.proc, sig) != FAB_OK)
		status = not_running(&f);
	if (status == CTL_OK)
		status = fault_answer(&f, action);
done:
	fault_close(&f);
	return status;
}

int
ctl_kill(struct ctl *c, const struct ctl_args *args)
{
	if (args->opt[CTL_OPT_GUEST] != NULL)
		return ctl_power_kill(c, args->pos[0]);
	return send_signal(c, args->pos[0], "kill", SIGKILL, true);
}

int
ctl_stop(struct ctl *c, const struct ctl_args *args)
{
	return send_signal(c, args->pos[0], "stop", SIGTERM, true);
}

int
ctl_pause(struct ctl *c, const struct ctl_args *args)
{
	return send_signal(c, args->pos[0], "pause", SIGSTOP, false);
}

int
ctl_resume(struct ctl *c, const struct ctl_args *args)
{
	return send_signal(c, args->pos[0], "resume", SIGCONT, false);
}

/* ---- start ---- */

static int
respawn(struct fault *f)
{
	const struct ctl_state *s = &f->state;
	struct ctl_state fresh;
	int err = ctl_state_spawn(f->c->run_dir, s);

	if (err == FAB_OK)
		err = ctl_state_load(&fresh, f->c->run_dir, f->name);
	if (err != FAB_OK)
		return ctl_fail(CTL_NO, "START", "cannot start %s: %s", f->name, fab_strerror(err));
	ctl_state_fini(&f->state);
	f->state = fresh;
	return strcmp(f->name, CTL_GUESTS) == 0 ? ctl_guests_refill(f->c->run_dir) : CTL_OK;
}

static bool
is_off(const struct ctl *c, const char *name)
{
	return c->run_dir[0] != '\0' && ctl_power_is_off(c->run_dir, name);
}

/* A guest without power, and then the process of its name if there is one. */
static int
start_machine(struct ctl *c, const char *name)
{
	struct fault f = { .c = c, .name = name };
	int status;

	if (ctl_run_lock(&f.lock, c->run_dir, true) != FAB_OK)
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC", "no fabric runs in %s", c->run_dir);
	ctl_fault_note(c, name, "start");
	if ((status = ctl_power_on(c, name)) == CTL_OK &&
	    ctl_state_load(&f.state, c->run_dir, name) == FAB_OK)
		status = respawn(&f);
	if (status == CTL_OK)
		status = fault_answer(&f, "start");
	fault_close(&f);
	return status;
}

int
ctl_start(struct ctl *c, const struct ctl_args *args)
{
	struct fault f;
	int status;

	if (is_off(c, args->pos[0]))
		return start_machine(c, args->pos[0]);
	if ((status = fault_open(&f, c, args->pos[0])) != CTL_OK)
		return status;
	if (ctl_proc_state(f.state.proc) != CTL_PROC_DEAD) {
		status = ctl_fail(CTL_REFUSED, "RUNNING", "%s runs already, pid %d", f.name,
		    (int)f.state.proc.pid);
		goto done;
	}
	ctl_fault_note(c, f.name, "start");
	if ((status = respawn(&f)) == CTL_OK)
		status = fault_answer(&f, "start");
done:
	fault_close(&f);
	return status;
}

int
ctl_restart(struct ctl *c, const struct ctl_args *args)
{
	struct fault f;
	int status;

	if (is_off(c, args->pos[0]))
		return start_machine(c, args->pos[0]);
	if ((status = fault_open(&f, c, args->pos[0])) != CTL_OK)
		return status;
	ctl_fault_note(c, f.name, "restart");
	if (ctl_proc_state(f.state.proc) != CTL_PROC_DEAD)
		status = signal_and_end(&f, SIGTERM);
	if (status == CTL_OK && (status = respawn(&f)) == CTL_OK)
		status = fault_answer(&f, "restart");
	fault_close(&f);
	return status;
}
