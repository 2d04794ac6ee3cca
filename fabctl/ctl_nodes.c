#include "fabctl/ctl_nodes.h"

#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_run.h"
#include "lib/err.h"
#include "proto/fabric.pb-c.h"

#include <errno.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node_program {
	const char *kind, *daemon, *role;
};

static const struct node_program programs[] = {
	[TOPO_NODE_ROUTE_SERVER] = { "route_server", "routeserverd", NULL },
	[TOPO_NODE_ER_GATEWAY] = { "er_gateway", "gatewayd", "er" },
	[TOPO_NODE_VPN_GATEWAY] = { "vpn_gateway", "gatewayd", "vpn" },
	[TOPO_NODE_MSEE] = { "msee", "gatewayd", "msee" },
	[TOPO_NODE_NVA] = { "nva", "nvad", NULL },
	[TOPO_NODE_SITE] = { "site", "nvad", NULL },
	[CTL_NODE_VM] = { "vm", NULL, NULL },
};

const char *
ctl_node_kind(enum topo_node_kind kind)
{
	return programs[kind].kind;
}

void
ctl_node_program(enum topo_node_kind kind, const char **daemon, const char **role)
{
	*daemon = programs[kind].daemon;
	*role = programs[kind].role;
}

struct topo_node *
ctl_nodes(const struct topo *t, bool packets, size_t *n_out)
{
	struct topo_node *v = calloc(t->n_nodes + t->n_vms + 1, sizeof(*v));
	size_t n = t->n_nodes;

	FAB_ASSERT(v != NULL);
	if (n > 0)
		memcpy(v, t->nodes, n * sizeof(*v));
	for (size_t i = 0; i < t->n_vms && packets; i++)
		if (t->vms[i].n_run > 0 && t->vms[i].running)
			v[n++] = (struct topo_node){ .name = t->vms[i].name,
				.kind = CTL_NODE_VM,
				.index = (int)i,
				.run = t->vms[i].run,
				.n_run = t->vms[i].n_run };
	*n_out = n;
	return v;
}

bool
ctl_node_in_guest(const struct topo *t, const struct topo_node *n)
{
	return n->kind == CTL_NODE_VM || topo_node_in_guest(t, n);
}

/* ---- programs ---- */

static int
find_in(char buf[static PATH_MAX], const char *path, const char *name)
{
	while (path != NULL && *path != '\0') {
		size_t len = strcspn(path, ":");

		if (len > 0 && ctl_path(buf, "%.*s/%s", (int)len, path, name) == FAB_OK &&
		    access(buf, X_OK) == 0)
			return FAB_OK;
		path += len + (path[len] == ':');
	}
	return FAB_ENOENT;
}

int
ctl_find_daemon(char buf[static PATH_MAX], const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = '\0';
		if ((slash = strrchr(self, '/')) != NULL) {
			*slash = '\0';
			if (find_in(buf, self, name) == FAB_OK)
				return FAB_OK;
		}
	}
	return find_in(buf, getenv("PATH"), name);
}

/* Routing software lives where the PATH of an ordinary user does not lead. */
static int
find_foreign(char buf[static PATH_MAX], const char *name)
{
	if (strchr(name, '/') != NULL)
		return ctl_path(buf, "%s", name);
	if (find_in(buf, getenv("PATH"), name) == FAB_OK)
		return FAB_OK;
	return find_in(buf, "/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/frr", name);
}

/* ---- command lines ---- */

/* word with {run_dir}, {name} and {dir} filled in. */
static json_t *
expand(const char *word, const char *run_dir, const char *name, const char *dir)
{
	const struct {
		const char *key, *value;
	} keys[] = { { "{run_dir}", run_dir }, { "{name}", name }, { "{dir}", dir } };
	char *text = NULL;
	size_t size, i;
	FILE *fp = open_memstream(&text, &size);
	json_t *v;

	FAB_ASSERT(fp != NULL);
	while (*word != '\0') {
		for (i = 0; i < 3; i++) {
			if (strncmp(word, keys[i].key, strlen(keys[i].key)) == 0)
				break;
		}
		if (i < 3) {
			fputs(keys[i].value, fp);
			word += strlen(keys[i].key);
		} else {
			fputc(*word++, fp);
		}
	}
	fclose(fp);
	v = json_string(text);
	free(text);
	return v;
}

static int
foreign_argv(json_t **out, const struct topo_node *n, const char *run_dir, const char *topo_dir,
    char why[static 256])
{
	json_t *argv = json_array();
	char path[PATH_MAX];

	for (size_t i = 0; i < n->n_run; i++)
		json_array_append_new(argv, expand(n->run[i], run_dir, n->name, topo_dir));
	if (json_array_size(argv) != n->n_run) {
		json_decref(argv);
		snprintf(why, 256, "the command line of %.100s is not text", n->name);
		return FAB_EINVAL;
	}
	if (find_foreign(path, json_string_value(json_array_get(argv, 0))) != FAB_OK) {
		snprintf(why, 256, "'%.100s', which %.60s runs, is not installed",
		    json_string_value(json_array_get(argv, 0)), n->name);
		json_decref(argv);
		return FAB_ENOENT;
	}
	json_array_set_new(argv, 0, json_string(path));
	*out = argv;
	return FAB_OK;
}

int
ctl_node_argv(json_t **out, const struct topo_node *n, const char *run_dir, const char *topo_dir,
    char why[static 256])
{
	const struct node_program *p = &programs[n->kind];
	char path[PATH_MAX], url[PATH_MAX];
	json_t *argv;

	if (n->n_run > 0)
		return foreign_argv(out, n, run_dir, topo_dir, why);
	if (n->foreign) {
		snprintf(why, 256,
		    "%.60s has an image, which runs in a container (fabctl compose); give it 'run' "
		    "too",
		    n->name);
		return FAB_ENOENT;
	}
	if (ctl_find_daemon(path, p->daemon) != FAB_OK) {
		snprintf(why, 256, "%s is neither beside fabctl nor in PATH", p->daemon);
		return FAB_ENOENT;
	}
	if (ctl_run_url(url, run_dir) != FAB_OK)
		return FAB_ETOOBIG;
	argv = json_pack("[s, s, s, s, s, s, o]", path, "--fabric", url, "--name", n->name,
	    "--listen", json_sprintf("ipc://%s/%s.ipc", run_dir, n->name));
	FAB_ASSERT(argv != NULL);
	if (p->role != NULL) {
		json_array_append_new(argv, json_string("--role"));
		json_array_append_new(argv, json_string(p->role));
	}
	*out = argv;
	return FAB_OK;
}

int
ctl_fabricd_argv(json_t **out, const char *run_dir, const char *topology, bool packets,
    const char *timing, char why[static 256])
{
	char path[PATH_MAX], url[PATH_MAX];

	if (ctl_find_daemon(path, CTL_FABRICD) != FAB_OK) {
		snprintf(why, 256, CTL_FABRICD " is neither beside fabctl nor in PATH");
		return FAB_ENOENT;
	}
	if (ctl_run_url(url, run_dir) != FAB_OK)
		return FAB_ETOOBIG;
	*out = json_pack("[s, s, s, s, s, s, s]", path, "--listen", url, "--run-dir", run_dir,
	    "--topology", topology);
	FAB_ASSERT(*out != NULL);
	if (packets)
		json_array_append_new(*out, json_string("--packets"));
	if (timing != NULL) {
		json_array_append_new(*out, json_string("--timing"));
		json_array_append_new(*out, json_string(timing));
	}
	return FAB_OK;
}

/* ---- processes ---- */

int
ctl_node_start(const struct topo_node *n, json_t *argv, const struct ctl_place *p)
{
	struct ctl_state s = { .name = n->name,
		.kind = programs[n->kind].kind,
		.argv = argv,
		.cwd = n->n_run > 0 ? p->topo_dir : p->run_dir,
		.in_guest = p->packets && ctl_node_in_guest(p->t, n) };

	return ctl_state_spawn(p->run_dir, &s);
}

size_t
ctl_end_everything(const char *run_dir)
{
	struct ctl_state *v;
	struct ctl_proc *procs;
	size_t n, killed;

	ctl_guests_clear(run_dir);
	if (ctl_state_procs(&procs, &n, run_dir) != FAB_OK)
		return 0;
	killed = ctl_proc_end_all(procs, n, CTL_END_GRACE_MS);
	free(procs);
	if (ctl_state_list(&v, &n, run_dir) != FAB_OK)
		return killed;
	for (size_t i = 0; i < n; i++)
		ctl_state_forget(run_dir, v[i].name);
	ctl_state_list_free(v, n);
	return killed;
}

/* ---- reconcile ---- */

/* The resources that fabricd has now, as a model. */
static int
fetch_kind(struct ctl *c, struct topo_doc *doc, enum topo_kind kind)
{
	Fab__V1__ResourceRef req = FAB__V1__RESOURCE_REF__INIT;
	const Fab__V1__ResourceList *list;
	ProtobufCMessage *reply;
	int status;

	req.kind = (char *)(uintptr_t)topo_kind_name(kind);
	if ((status = ctl_call(c, "Get", &req.base, &reply)) != CTL_OK)
		return status;
	list = CTL_REPLY(Fab__V1__ResourceList, reply);
	for (size_t i = 0; i < list->n_resources; i++) {
		json_t *props = json_loads(list->resources[i]->json, 0, NULL);

		if (props != NULL)
			topo_doc_put(doc, kind, list->resources[i]->name, props);
	}
	ctl_reply_free(reply);
	return CTL_OK;
}

static int
fetch_topology(struct ctl *c, struct topo **out)
{
	struct topo_doc *doc = topo_doc_new();
	struct topo_errors *errs = calloc(1, sizeof(*errs));
	int status = CTL_OK;

	FAB_ASSERT(doc != NULL && errs != NULL);
	for (int k = 0; k < TOPO_KIND_COUNT && status == CTL_OK; k++)
		status = fetch_kind(c, doc, (enum topo_kind)k);
	if (status == CTL_OK && (*out = topo_build(doc, errs, NULL)) == NULL)
		status = ctl_fail(CTL_NO, errs->e[0].code, "%s", errs->e[0].message);
	topo_doc_free(doc);
	free(errs);
	return status;
}

/* The state file tells of the software that the topology wants. Another build of our own daemon
 * will do; other software has to have the same command line. */
static bool
same_software(const struct topo_node *n, const struct ctl_state *s, const json_t *argv)
{
	const char *path = json_string_value(json_array_get(s->argv, 0));
	const char *slash = strrchr(path, '/');

	if (n->n_run > 0)
		return json_equal(s->argv, argv);
	return strcmp(slash != NULL ? slash + 1 : path, programs[n->kind].daemon) == 0;
}

static int
start_one(const struct topo_node *n, const struct ctl_place *p)
{
	struct ctl_state s;
	json_t *argv;
	char why[256];
	bool keep;
	int status = CTL_OK;

	if (ctl_run_name_is_taken(n->name))
		return ctl_fail(CTL_NO, "START", "a node cannot be named %s; rename it", n->name);
	if (ctl_node_argv(&argv, n, p->run_dir, p->topo_dir, why) != FAB_OK)
		return ctl_fail(CTL_NO, "START", "%s", why);
	if (ctl_state_load(&s, p->run_dir, n->name) == FAB_OK) {
		keep = same_software(n, &s, argv); /* it runs, or was stopped on purpose */
		if (!keep)
			ctl_proc_end_all(&s.proc, 1, CTL_END_GRACE_MS);
		ctl_state_fini(&s);
		if (keep)
			goto done;
	}
	if (ctl_node_start(n, argv, p) != FAB_OK)
		status = ctl_fail(CTL_NO, "START", "cannot start %s", n->name);
done:
	json_decref(argv);
	return status;
}

static int
start_new(const struct ctl_place *p)
{
	size_t n;
	struct topo_node *v = ctl_nodes(p->t, p->packets, &n);
	int status = CTL_OK, one;

	for (size_t i = 0; i < n; i++) {
		if ((one = start_one(&v[i], p)) != CTL_OK)
			status = one;
	}
	free(v);
	return status;
}

static bool
is_named(const struct topo_node *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return true;
	return false;
}

static void
end_gone(const struct topo *t, const char *run_dir)
{
	struct ctl_state *v;
	struct topo_node *nodes;
	size_t n, n_nodes;

	if (ctl_state_list(&v, &n, run_dir) != FAB_OK)
		return;
	nodes = ctl_nodes(t, true, &n_nodes);
	for (size_t i = 0; i < n; i++) {
		if (ctl_run_name_is_taken(v[i].name) || is_named(nodes, n_nodes, v[i].name))
			continue;
		ctl_proc_end_all(&v[i].proc, 1, CTL_END_GRACE_MS);
		ctl_state_forget(run_dir, v[i].name);
	}
	free(nodes);
	ctl_state_list_free(v, n);
}

int
ctl_topology_dir(char buf[static PATH_MAX], const char *file)
{
	char path[PATH_MAX];

	if (realpath(file, path) == NULL)
		return fab_err_from_errno(errno);
	return ctl_path(buf, "%s", dirname(path));
}

int
ctl_reconcile(struct ctl *c)
{
	char topo_dir[PATH_MAX];
	struct ctl_place place;
	struct topo *t = NULL;
	json_t *info;
	int lock, status;

	if (c->run_dir[0] == '\0' || ctl_run_info(&info, c->run_dir) != FAB_OK)
		return CTL_OK;
	if (ctl_topology_dir(topo_dir, ctl_str(info, "topology")) != FAB_OK)
		topo_dir[0] = '\0'; /* the file has gone since; foreign software will miss it */
	json_decref(info);
	if ((status = fetch_topology(c, &t)) != CTL_OK)
		return status;
	if (ctl_run_lock(&lock, c->run_dir, true) == FAB_OK) {
		place =
		    (struct ctl_place){ t, c->run_dir, topo_dir[0] != '\0' ? topo_dir : c->run_dir,
			    ctl_packets_are_on(c->run_dir) };
		end_gone(t, c->run_dir);
		if (place.packets)
			status = ctl_packets_follow(c->run_dir, t);
		if (status == CTL_OK)
			status = start_new(&place);
		close(lock);
	}
	topo_free(t);
	return status;
}
