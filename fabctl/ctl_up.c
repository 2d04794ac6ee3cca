/* Starting and stopping a local fabric. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_nodes.h"
#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_ps.h"
#include "fabctl/ctl_run.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define UP_WAIT_MS    60000
#define UP_TURN_MS    50 /* how often children and the terminal are looked at while waiting */
#define UP_SLACK_MS   2000
#define UP_TAIL_LINES 5

struct up {
	struct ctl *c;
	struct topo *t;
	const char *file; /* as given; its directory and full name follow */
	char topology[PATH_MAX], topo_dir[PATH_MAX];
	json_t **argv; /* fabricd, then one for each of nodes */
	bool packets, rootless;
	const char *engine;      /* NULL: vswitchd's choice */
	const char *timing;      /* NULL: the topology's */
	struct topo_node *nodes; /* all that have a process, see ctl_nodes() */
	size_t n_nodes;
	json_t *vswitchd, *guests; /* command lines, with packets */
	uint32_t wait_ms;
	struct fab_mono since;
	/* While waiting for convergence: */
	bool answered;
	enum fab_rpc_status status;
	char why[256];
	uint32_t converged_ms;
	bool asking; /* a Ps for the terminal is under way */
	bool asking_guests, attached;
	char missing[64]; /* a guest that is not attached yet */
};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* ---- before anything is started ---- */

int
ctl_timing_option(const char **out, const struct ctl_args *args)
{
	const char *profile = args->opt[CTL_OPT_TIMING];

	if (profile != NULL && strcmp(profile, "azure") != 0 && strcmp(profile, "fast") != 0)
		return ctl_fail(
		    CTL_USAGE, "USAGE", "'%s' is not a timing profile: azure, fast", profile);
	*out = profile;
	return CTL_OK;
}

static int
up_options(struct up *u, const struct ctl_args *args)
{
	const char *wait = args->opt[CTL_OPT_WAIT];

	u->wait_ms = UP_WAIT_MS;
	if (wait != NULL && ctl_duration_ms(&u->wait_ms, wait) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not a time such as 60s", wait);
	if (u->c->run_dir_given && u->c->run_dir[0] == '\0')
		return ctl_fail(CTL_USAGE, "USAGE",
		    "%s is not a local fabric; unset FAB_URL or give --run-dir", u->c->url);
	return ctl_timing_option(&u->timing, args);
}

static int
up_load(struct up *u)
{
	struct topo_errors *e = calloc(2, sizeof(*e));
	int status;

	FAB_ASSERT(e != NULL);
	status = ctl_topo_load(&u->t, u->file, u->timing, &e[0], &e[1]);
	if (status == CTL_OK || e[0].n > 0)
		ctl_topo_complain(u->file, &e[0], &e[1]);
	free(e);
	if (status != CTL_OK)
		return status;
	if (realpath(u->file, u->topology) == NULL ||
	    ctl_topology_dir(u->topo_dir, u->file) != FAB_OK)
		return ctl_fail(
		    CTL_USAGE, "FILE", "cannot find %s again: %s", u->file, strerror(errno));
	return CTL_OK;
}

static int
up_place(struct up *u)
{
	struct ctl *c = u->c;

	if (!c->run_dir_given && ctl_run_default(c->run_dir, u->t->name) != FAB_OK)
		return ctl_fail(CTL_USAGE, "PATH", "the run directory's path is too long");
	if (ctl_run_url(c->url, c->run_dir) != FAB_OK)
		return ctl_fail(CTL_USAGE, "PATH", "the run directory's path is too long");
	for (size_t i = 0; i < u->t->n_nics; i++)
		if (strcmp(u->t->nics[i].name, CTL_VSWITCHD) == 0)
			return ctl_fail(CTL_REFUSED, "InvalidResourceName",
			    "a machine cannot be named %s; rename it", CTL_VSWITCHD);
	u->nodes = ctl_nodes(u->t, u->packets, &u->n_nodes);
	for (size_t i = 0; i <= u->n_nodes; i++) {
		const char *name = i == 0 ? CTL_FABRICD : u->nodes[i - 1].name;

		if (i > 0 && ctl_run_name_is_taken(name))
			return ctl_fail(CTL_REFUSED, "InvalidResourceName",
			    "a node cannot be named %s; rename it", name);
		if (ctl_run_check_socket(c->run_dir, name) != FAB_OK)
			return ctl_fail(CTL_USAGE, "PATH",
			    "the socket %s/%s.ipc would be longer than %d characters; "
			    "choose a shorter --run-dir",
			    c->run_dir, name, CTL_SOCK_MAX);
	}
	return CTL_OK;
}

/* All command lines first: a missing program is found before anything runs. */
static int
up_programs(struct up *u)
{
	char why[256];
	int err, status;

	FAB_ASSERT((u->argv = calloc(u->n_nodes + 1, sizeof(json_t *))) != NULL);
	err = ctl_fabricd_argv(&u->argv[0], u->c->run_dir, u->topology, u->packets, u->timing, why);
	for (size_t i = 0; err == FAB_OK && i < u->n_nodes; i++)
		err = ctl_node_argv(&u->argv[i + 1], &u->nodes[i], u->c->run_dir, u->topo_dir, why);
	if (err != FAB_OK)
		return ctl_fail(CTL_NO, "NOPROGRAM", "%s", why);
	if (!u->packets)
		return CTL_OK;
	status = ctl_packets_argv(&u->vswitchd, &u->guests, u->c->run_dir, u->engine);
	if (status == CTL_OK && u->rootless)
		json_array_append_new(u->guests, json_string("--userns"));
	return status;
}

static int
up_create(struct up *u, int *lock)
{
	const char *dir = u->c->run_dir;

	switch (ctl_run_create(lock, dir, u->t->name, u->topology)) {
	case FAB_OK:
		return CTL_OK;
	case FAB_EEXIST:
		return ctl_fail(
		    CTL_NO, "RUNNING", "a fabric runs in %s already; 'fabctl down' ends it", dir);
	case FAB_EINVAL:
		return ctl_fail(CTL_USAGE, "PATH",
		    "%s exists and is not a run directory; choose another --run-dir", dir);
	case FAB_EPERM:
		return ctl_fail(CTL_USAGE, "PATH",
		    "%s, or the directory it is in, is not this user's alone", dir);
	default:
		return ctl_fail(CTL_USAGE, "PATH", "cannot create %s: %s", dir, strerror(errno));
	}
}

/* ---- start ---- */

static int
up_spawn(struct up *u)
{
	const char *dir = u->c->run_dir, *name = CTL_FABRICD;
	struct ctl_place place = { u->t, dir, u->topo_dir, u->packets };
	int err = ctl_state_spawn(
	    dir, &(struct ctl_state){
		     .name = CTL_FABRICD, .kind = "fabric", .argv = u->argv[0], .cwd = dir });

	if (err == FAB_OK && u->packets) {
		int status;

		/* Guests are plugged in while sessions come up. */
		if ((status = ctl_packets_start(u->vswitchd, u->guests, dir, u->t)) != CTL_OK ||
		    (status = ctl_guests_await(dir, u->t)) != CTL_OK)
			return status;
	}
	for (size_t i = 0; err == FAB_OK && i < u->n_nodes; i++) {
		name = u->nodes[i].name;
		ctl_progress("starting %s (%zu of %zu)", name, i + 1, u->n_nodes);
		err = ctl_node_start(&u->nodes[i], u->argv[i + 1], &place);
	}
	return err == FAB_OK
		   ? CTL_OK
		   : ctl_fail(CTL_NO, "START", "cannot start %s: %s", name, fab_strerror(err));
}

/* ---- wait ---- */

static void
wait_done(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct up *u = ctx;

	(void)reply;
	u->answered = true;
	u->status = status;
	u->converged_ms = (uint32_t)(fab_mono_us_between(u->since, fab_mono_now()) / 1000);
	snprintf(u->why, sizeof(u->why), "%s", message);
}

static void
progress_done(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	const Fab__V1__NodeList *list = CTL_REPLY(Fab__V1__NodeList, reply);
	struct up *u = ctx;
	size_t converged = 0;

	(void)message;
	u->asking = false;
	if (status != FAB_RPC_OK || u->answered)
		return;
	for (size_t i = 0; i < list->n_nodes; i++)
		converged += list->nodes[i]->converged ? 1 : 0;
	ctl_progress("%zu of %zu processes converged, %.1f s", converged, list->n_nodes,
	    (double)fab_mono_us_between(u->since, fab_mono_now()) / 1e6);
}

static void
ask_progress(struct up *u)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;

	if (u->asking || !isatty(STDERR_FILENO))
		return;
	u->asking = true;
	fab_rpc_call(u->c->client, &fab__v1__fabric__descriptor, "Ps", &req.base, 1000, 1000,
	    progress_done, u);
}

static void
guests_done(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	const Fab__V1__NicList *list = CTL_REPLY(Fab__V1__NicList, reply);
	struct up *u = ctx;

	(void)message;
	u->asking_guests = false;
	if (status != FAB_RPC_OK)
		return;
	u->attached = !ctl_guest_missing(list, NULL, u->missing); /* none is off yet */
	if (u->attached)
		u->converged_ms = (uint32_t)(fab_mono_us_between(u->since, fab_mono_now()) / 1000);
}

/* Once the control plane has converged, the guests are all that is waited for. */
static void
ask_guests(struct up *u)
{
	Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;

	if (!u->packets || !u->answered || u->asking_guests)
		return;
	u->asking_guests = true;
	fab_rpc_call(u->c->client, &fab__v1__fabric__descriptor, "Nics", &req.base, UP_SLACK_MS,
	    UP_SLACK_MS, guests_done, u);
}

static bool
up_done(const struct up *u)
{
	if (!u->answered || u->status != FAB_RPC_OK || !u->packets)
		return u->answered;
	return u->attached || fab_mono_us_between(u->since, fab_mono_now()) / 1000 > u->wait_ms;
}

/* A process that ended while the fabric comes up. Returns its name, malloc()ed, or NULL. */
static char *
ended_child(struct up *u, int *how)
{
	struct ctl_state *v;
	char *name = NULL;
	pid_t pid = waitpid(-1, how, WNOHANG);
	size_t n;

	if (pid <= 0 || ctl_state_list(&v, &n, u->c->run_dir) != FAB_OK)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (v[i].proc.pid == pid)
			name = strdup(v[i].name);
	}
	ctl_state_list_free(v, n);
	return name;
}

static void
show_log(const struct up *u, const char *name)
{
	char *tail = ctl_log_tail(u->c->run_dir, name, UP_TAIL_LINES), *save = NULL;

	for (char *l = strtok_r(tail, "\n", &save); l != NULL; l = strtok_r(NULL, "\n", &save))
		fprintf(stderr, "  %s: %s\n", name, l);
	free(tail);
}

static int
child_failed(struct up *u, const char *name, int how)
{
	char what[64];
	int status;

	if (WIFSIGNALED(how))
		snprintf(what, sizeof(what), "was ended by signal %d", WTERMSIG(how));
	else
		snprintf(what, sizeof(what), "ended with exit code %d%s", WEXITSTATUS(how),
		    WEXITSTATUS(how) == 0 ? " (it has to stay in the foreground)" : "");
	status =
	    ctl_fail(CTL_NO, "DIED", "%s %s; its log: %s/%s.log", name, what, u->c->run_dir, name);
	show_log(u, name);
	return status;
}

/* Which nodes are not there yet, with what they said last. */
static void
show_missing(struct up *u)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	const Fab__V1__NodeList *list;
	ProtobufCMessage *reply;
	char why[256];

	if (ctl_ask(u->c, &fab__v1__fabric__descriptor, "Ps", &req.base, 1000, 1000, &reply, why) !=
	    FAB_RPC_OK) {
		show_log(u, CTL_FABRICD);
		return;
	}
	list = CTL_REPLY(Fab__V1__NodeList, reply);
	for (size_t i = 0; i < list->n_nodes; i++) {
		const Fab__V1__NodeInfo *n = list->nodes[i];

		if (n->converged)
			continue;
		fprintf(stderr, "%s: %s, %u of %u sessions\n", n->name, n->state, n->sessions_up,
		    n->sessions);
		show_log(u, n->name);
	}
	ctl_reply_free(reply);
}

static int
up_wait(struct up *u)
{
	Fab__V1__WaitRequest req = FAB__V1__WAIT_REQUEST__INIT;
	char expression[] = "converged", *name = NULL;
	int status, how = 0;

	if ((status = ctl_connect_later(u->c)) != CTL_OK)
		return status;
	req.expression = expression;
	req.timeout_ms = u->wait_ms;
	fab_rpc_call(u->c->client, &fab__v1__fabric__descriptor, "Wait", &req.base,
	    u->wait_ms + UP_SLACK_MS, u->wait_ms + UP_SLACK_MS, wait_done, u);
	while (!up_done(u) && !interrupted && (name = ended_child(u, &how)) == NULL) {
		ask_progress(u);
		ask_guests(u);
		fab_loop_turn(u->c->loop, UP_TURN_MS);
	}
	if (name != NULL) {
		status = child_failed(u, name, how);
		free(name);
	} else if (interrupted) {
		status = ctl_fail(CTL_NO, "INTERRUPTED", "interrupted; everything is taken down");
	} else if (u->status != FAB_RPC_OK) {
		status = ctl_fail(CTL_NO, "TIMEOUT", "not converged within %u ms: %s", u->wait_ms,
		    u->why[0] != '\0' ? u->why : fab_rpc_status_name(u->status));
		show_missing(u);
	} else if (u->packets && !u->attached) {
		status = ctl_fail(CTL_NO, "TIMEOUT", "guest %s is not attached within %u ms",
		    u->missing, u->wait_ms);
		show_log(u, CTL_VSWITCHD);
		show_log(u, CTL_GUESTS);
	}
	return status;
}

/* ---- answer ---- */

static void
up_text(FILE *fp, const json_t *v)
{
	ctl_ps_table(fp, json_object_get(v, "processes"));
	fprintf(fp, "\n%s is up in %s", ctl_str(v, "name"), ctl_str(v, "run_dir"));
	if (json_is_integer(json_object_get(v, "converged_ms")))
		fprintf(fp, ", converged after %.2f s",
		    (double)json_integer_value(json_object_get(v, "converged_ms")) / 1000);
	if (strchr(ctl_str(v, "timing"), ',') != NULL) /* with a seed */
		fprintf(fp, ", timing %s", ctl_str(v, "timing"));
	fputc('\n', fp);
}

static json_t *
up_processes(struct up *u)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	ProtobufCMessage *reply = NULL;
	struct ctl_state *v = NULL;
	char why[256];
	json_t *list;
	size_t n = 0;

	ctl_state_list(&v, &n, u->c->run_dir);
	if (u->wait_ms == 0 || ctl_ask(u->c, &fab__v1__fabric__descriptor, "Ps", &req.base,
				   CTL_CALL_MS, CTL_CONNECT_MS, &reply, why) != FAB_RPC_OK)
		reply = NULL;
	list = ctl_ps_join(v, n, CTL_REPLY(Fab__V1__NodeList, reply), fab_wall_us());
	ctl_reply_free(reply);
	ctl_state_list_free(v, n);
	return list;
}

static int
up_answer(struct up *u)
{
	static const struct ctl_view view = { .text = up_text };
	char timing[TOPO_TIMING_TEXT_MAX];
	json_t *value;

	value = json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", u->t->name, "run_dir", u->c->run_dir,
	    "url", u->c->url, "timing", topo_timing_text(timing, &u->t->timing), "converged_ms",
	    u->wait_ms > 0 ? json_integer(u->converged_ms) : json_null());
	if (value != NULL && u->c->format == CTL_TABLE)
		json_object_set_new(value, "processes", up_processes(u));
	return ctl_answer(u->c, value, &view);
}

/* ---- up, down ---- */

static int
up_run(struct up *u)
{
	int status, lock;

	if ((status = up_create(u, &lock)) != CTL_OK)
		return status;
	ctl_run_set_current(u->c->run_dir);
	u->since = fab_mono_now();
	status = up_spawn(u);
	close(lock);
	if (status == CTL_OK && u->wait_ms > 0)
		status = up_wait(u);
	if (status == CTL_OK)
		return up_answer(u);
	/* Nothing stays running; the logs stay until the next up or down. */
	ctl_end_everything(u->c->run_dir);
	return status;
}

int
ctl_up(struct ctl *c, const struct ctl_args *args)
{
	struct sigaction sa = { .sa_handler = on_interrupt };
	struct up u = { .c = c, .file = args->pos[0] };
	int status;

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	if ((status = up_options(&u, args)) == CTL_OK && (status = up_load(&u)) == CTL_OK &&
	    (status = ctl_packets_choose(
		 &u.packets, &u.rootless, args->opt[CTL_OPT_PACKETS], u.t)) == CTL_OK &&
	    (status = ctl_packets_engine(&u.engine, args->opt[CTL_OPT_ENGINE])) == CTL_OK &&
	    (status = up_place(&u)) == CTL_OK && (status = up_programs(&u)) == CTL_OK)
		status = up_run(&u);
	for (size_t i = 0; u.argv != NULL && i <= u.n_nodes; i++)
		json_decref(u.argv[i]);
	free(u.argv);
	free(u.nodes);
	json_decref(u.vswitchd);
	json_decref(u.guests);
	topo_free(u.t);
	return status;
}

int
ctl_down(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Name", "name" },
		{ "Run Directory", "run_dir" },
		{ "Ended", "ended" },
		{ "Killed", "killed" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns };
	struct ctl_state *v = NULL;
	size_t n = 0, killed;
	json_t *info = NULL;
	int lock, err;

	(void)args;
	if (c->run_dir[0] == '\0' || ctl_run_lock(&lock, c->run_dir, true) != FAB_OK)
		return ctl_fail(CTL_UNREACHABLE, "NOFABRIC", "no fabric runs %s%s",
		    c->run_dir[0] != '\0' ? "in " : "here", c->run_dir);
	ctl_progress("stopping the fabric in %s", c->run_dir);
	if (ctl_run_info(&info, c->run_dir) != FAB_OK)
		info = json_object();
	if (ctl_state_list(&v, &n, c->run_dir) == FAB_OK)
		ctl_state_list_free(v, n);
	killed = ctl_end_everything(c->run_dir);
	err = ctl_run_remove(c->run_dir);
	close(lock);
	ctl_run_clear_current(c->run_dir);
	if (err != FAB_OK) {
		json_decref(info);
		return ctl_fail(
		    CTL_NO, "REMOVE", "cannot remove %s: %s", c->run_dir, strerror(errno));
	}
	json_object_del(info, "topology");
	json_object_set_new(info, "run_dir", json_string(c->run_dir));
	json_object_set_new(info, "ended", json_integer((json_int_t)n));
	json_object_set_new(info, "killed", json_integer((json_int_t)killed));
	return ctl_answer(c, info, &view);
}
