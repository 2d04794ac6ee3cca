/*
 * A topology as a compose file: one service for each process and machine. What is in it is meant to
 * be read and edited; compose/README.md explains it line by line.
 */
#include "fabctl/ctl.h"
#include "fabctl/ctl_nodes.h"
#include "fabctl/ctl_packets.h"
#include "fabctl/ctl_run.h"
#include "lib/attach.h"
#include "lib/err.h"
#include "lib/topo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_MAX     (120u << 10) /* octets of one environment variable, less than the kernel takes */
#define SERVICE_TEST "test"
#define FILE_NAME    "docker-compose.yaml"
#define RUN_DIR      "/run/hubspoke"
#define HELPER       RUN_DIR "/bin/fabattach"
#define SOCKET       RUN_DIR "/" CTL_VSWITCHD ".attach"
#define INDENT       "      "
#define CONTROL_BITS 20 /* one /20 for each estate out of 100.64.0.0/10 */
#define CONTROL_POOL 0x64400000u
#define CONTROL_LEN  10

struct compose {
	FILE *fp;
	const struct topo *t;
	char *text; /* of the topology */
	char topo_dir[PATH_MAX], out_dir[PATH_MAX];
	const char *file, *image, *engine, *timing;
	const char *test;   /* directory of scenarios in the image; NULL: no verdict */
	const char *source; /* where the image is built; NULL: it is there */
	const char *target; /* directory of the compose file, as given; NULL: standard output */
	bool packets;
};

/* ---- words ---- */

/* In double quotes: a value of YAML, in which compose finds variables or not. */
static void
put_quoted(const struct compose *m, const char *text, bool variables)
{
	fputc('"', m->fp);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', m->fp);
		if (*text == '$' && !variables)
			fputc('$', m->fp);
		fputc(*text, m->fp);
	}
	fputc('"', m->fp);
}

static void
put_text(const struct compose *m, const char *text)
{
	put_quoted(m, text, false);
}

static void
put_list(const struct compose *m, const char *key, char *const *texts, size_t n)
{
	fprintf(m->fp, "    %s: [", key);
	for (size_t i = 0; i < n; i++) {
		fputs(i > 0 ? ", " : "", m->fp);
		put_text(m, texts[i]);
	}
	fputs("]\n", m->fp);
}

/* path as seen from the directory of the compose file. */
static void
put_relative(const struct compose *m, const char *path)
{
	const char *from = m->out_dir;
	size_t common = 0;
	char *way;

	for (size_t i = 0;; i++) {
		if ((path[i] == '/' || path[i] == '\0') && (from[i] == '/' || from[i] == '\0'))
			common = i;
		if (path[i] != from[i] || path[i] == '\0')
			break;
	}
	FAB_ASSERT((way = malloc(3 * PATH_MAX)) != NULL);
	way[0] = '\0';
	for (const char *p = from + common; *p != '\0'; p++)
		if (p[0] == '/' && p[1] != '\0')
			strcat(way, "../");
	strcat(way, path + common + (path[common] == '/'));
	if (way[0] == '\0')
		strcpy(way, ".");
	else if (way[strlen(way) - 1] == '/')
		way[strlen(way) - 1] = '\0';
	put_quoted(m, way, true);
	free(way);
}

/* ---- what services share ---- */

/* Written by whom, from what, and how it is used. */
static void
put_head(const struct compose *m)
{
	fprintf(
	    m->fp, "# %s as containers, written by\n#\n#   fabctl compose %s", m->t->name, m->file);
	if (m->target != NULL)
		fprintf(m->fp, " -o %s", m->target);
	if (m->source != NULL)
		fprintf(m->fp, " --build %s", m->source);
	if (m->test != NULL)
		fprintf(m->fp, " --test %s", m->test);
	if (strcmp(m->image, "hubspoke") != 0)
		fprintf(m->fp, " --image %s", m->image);
	if (!m->packets)
		fputs(" --packets off", m->fp);
	if (m->engine != NULL)
		fprintf(m->fp, " --engine %s", m->engine);
	if (m->timing != NULL)
		fprintf(m->fp, " --timing %s", m->timing);
	fprintf(m->fp,
	    "\n#\n"
	    "#   docker-compose up -d%s\n"
	    "#   docker-compose exec fabricd fabctl ps\n"
	    "#   docker-compose down -v\n#\n"
	    "# compose/README.md explains every line of it.\n",
	    m->source != NULL ? " --build" : "");
}

/* The file as it is, comments and all, so that it can be edited here. */
static void
put_topology(const struct compose *m)
{
	bool fresh = true;

	fputs("x-topology: &topology |2\n", m->fp);
	for (const char *p = m->text; *p != '\0'; p++) {
		if (*p == '\r')
			continue;
		if (fresh && *p != '\n')
			fputs("  ", m->fp);
		if (*p == '$')
			fputc('$', m->fp);
		fputc(*p, m->fp);
		fresh = *p == '\n';
	}
	fputs(fresh ? "\n" : "\n\n", m->fp);
}

static void
put_anchors(const struct compose *m)
{
	fputs("# Our own processes: no privilege, nothing to write to, and one network for RPC.\n"
	      "x-daemon: &daemon\n"
	      "  image: ",
	    m->fp);
	put_text(m, m->image);
	fputs("\n"
	      "  networks: [control]\n"
	      "  read_only: true\n"
	      "  cap_drop: [ALL]\n"
	      "  security_opt: [\"no-new-privileges:true\"]\n"
	      "  stop_grace_period: 2s\n"
	      "\n"
	      "# One that asks fabricd what it is. Healthy: it is configured and has all its "
	      "sessions.\n"
	      "x-node: &node\n"
	      "  <<: *daemon\n"
	      "  depends_on: [fabricd]\n"
	      "  healthcheck:\n"
	      "    test: [CMD, fabctl, --url, \"tcp://127.0.0.1:5180\", health]\n"
	      "    interval: 3s\n"
	      "    timeout: 5s\n"
	      "    retries: 30\n"
	      "\n",
	    m->fp);
	if (!m->packets)
		return;
	fputs("# Of a machine: the fabric routes, not the machine (UDR-3).\n"
	      "x-nic: &nic\n"
	      "  net.ipv4.ip_forward: 0\n"
	      "  net.ipv4.ip_unprivileged_port_start: 0\n"
	      "  net.ipv4.conf.all.rp_filter: 0\n"
	      "  net.ipv4.conf.default.rp_filter: 0\n"
	      "  net.ipv4.conf.all.send_redirects: 0\n"
	      "  net.ipv4.conf.default.send_redirects: 0\n"
	      "  net.ipv4.conf.all.accept_redirects: 0\n"
	      "  net.ipv4.conf.default.accept_redirects: 0\n"
	      "\n"
	      "# An NVA: packets of others go through it.\n"
	      "x-router: &router\n"
	      "  <<: *nic\n"
	      "  net.ipv4.ip_forward: 1\n"
	      "\n"
	      "# A process with a NIC in the fabric, " ATTACH_BESIDE
	      ", beside its place in the control network.\n"
	      "x-member: &member\n"
	      "  <<: *node\n"
	      "  depends_on: [fabricd, " CTL_VSWITCHD "]\n"
	      "  volumes: [\"run:" RUN_DIR ":ro\"]\n"
	      "  sysctls: *nic\n"
	      "\n"
	      "# A machine with nothing but its NIC, eth0. Healthy: that is up.\n"
	      "x-machine: &machine\n"
	      "  image: ",
	    m->fp);
	put_text(m, m->image);
	fputs("\n"
	      "  network_mode: none\n"
	      "  depends_on: [" CTL_VSWITCHD "]\n"
	      "  volumes: [\"run:" RUN_DIR ":ro\"]\n"
	      "  sysctls: *nic\n"
	      "  stop_grace_period: 2s\n"
	      "  healthcheck:\n"
	      "    test: [CMD, " HELPER ", --is-up, eth0]\n"
	      "    interval: 3s\n"
	      "    timeout: 5s\n"
	      "    retries: 30\n"
	      "\n"
	      "# One that only is there, to be reached and to be looked around from.\n"
	      "x-idle: &idle\n"
	      "  <<: *machine\n"
	      "  read_only: true\n"
	      "  cap_drop: [ALL]\n"
	      "  security_opt: [\"no-new-privileges:true\"]\n"
	      "\n",
	    m->fp);
}

/* ---- fabricd and vswitchd ---- */

static void
put_fabricd(const struct compose *m)
{
	fputs("  fabricd:\n    <<: *daemon\n", m->fp);
	if (m->source != NULL) {
		char path[PATH_MAX];

		if (realpath(m->source, path) == NULL)
			snprintf(path, sizeof(path), "%s", m->source);
		fputs("    build: {context: ", m->fp);
		put_relative(m, path);
		fputs(", dockerfile: compose/Dockerfile}\n", m->fp);
	}
	fputs("    command: [fabricd, --listen, \"tcp://0.0.0.0:5170\", --run-dir, "
	      "/var/lib/hubspoke,\n" INDENT
	      "--topology-env, FAB_TOPOLOGY, --node-url, \"tcp://%s:5180\", --bgp-url,\n" INDENT
	      "\"tcp://%s:1790\"",
	    m->fp);
	if (m->timing != NULL)
		fprintf(m->fp, ", --timing, %s", m->timing);
	fprintf(m->fp,
	    "%s, --insecure]\n"
	    "    environment: {FAB_URL: \"tcp://127.0.0.1:5170\", FAB_TOPOLOGY: *topology}\n"
	    "    networks: [control, host]\n"
	    "    ports: [\"127.0.0.1:${FAB_PORT:-5170}:5170\"]\n"
	    "    volumes: [\"store:/var/lib/hubspoke\"]\n"
	    "    healthcheck:\n"
	    "      test: [CMD, fabctl, health]\n"
	    "      interval: 2s\n"
	    "      timeout: 5s\n"
	    "      retries: 60\n\n",
	    m->packets ? ", --packets" : "");
}

/* CAP_BPF on request only: engines of 2020 do not know it yet and refuse the whole service. */
static void
put_vswitchd(const struct compose *m)
{
	bool bpf = m->engine != NULL && strcmp(m->engine, "bpf") == 0;

	fputs("  " CTL_VSWITCHD ":\n"
	      "    <<: *node\n"
	      "    user: \"0:0\"\n"
	      "    cap_add: [NET_ADMIN",
	    m->fp);
	fputs(bpf ? ", BPF]\n" : "]\n", m->fp);
	fputs("    devices: [/dev/net/tun]\n"
	      "    volumes: [\"run:" RUN_DIR "\"]\n"
	      "    command: [vswitchd, --fabric, \"tcp://fabricd:5170\", --name, " CTL_VSWITCHD
	      ",\n" INDENT "--listen, \"tcp://0.0.0.0:5180\", --attach, " SOCKET ",\n" INDENT
	      "--attach-mode, \"0666\"",
	    m->fp);
	if (m->engine != NULL)
		fprintf(m->fp, ", --engine, %s", m->engine);
	fputs(", --insecure]\n\n", m->fp);
}

/* ---- our own daemons ---- */

/* beside: on the control network too, and a command follows. */
static void
put_attach(const struct compose *m, const char *name, bool beside)
{
	fprintf(m->fp, "fabattach, --socket, " SOCKET ", --name, ");
	put_text(m, name);
	if (beside)
		fputs(", --interface, " ATTACH_BESIDE ", \"--\",\n" INDENT, m->fp);
}

static void
put_daemon(const struct compose *m, const struct topo_node *n)
{
	bool nva = n->kind == TOPO_NODE_NVA, attached;
	const char *daemon, *role;
	uint32_t ip;
	int vnet;

	attached = m->packets &&
		   (nva || n->kind == TOPO_NODE_SITE || topo_platform_address(m->t, n, &vnet, &ip));
	ctl_node_program(n->kind, &daemon, &role);
	fprintf(m->fp, "  %s:\n    <<: *%s\n", n->name, attached ? "member" : "node");
	if (attached && nva)
		fputs("    user: \"0:0\"\n    cap_add: [NET_ADMIN]\n    sysctls: *router\n", m->fp);
	fputs("    command: [", m->fp);
	if (attached)
		put_attach(m, n->name, true);
	fputs(daemon, m->fp);
	if (role != NULL)
		fprintf(m->fp, ", --role, %s", role);
	fputs(", --fabric, \"tcp://fabricd:5170\", --name, ", m->fp);
	put_text(m, n->name);
	fputs(",\n" INDENT "--listen, \"tcp://0.0.0.0:5180\", --insecure]\n\n", m->fp);
}

/* ---- machines ---- */

static void
put_idle(const struct compose *m, const char *name)
{
	fprintf(m->fp, "  %s:\n    <<: *idle\n    command: [", name);
	put_attach(m, name, false);
	fputs("]\n\n", m->fp);
}

static void
put_build(const struct compose *m, const char *build)
{
	char path[PATH_MAX], full[PATH_MAX];

	if (build[0] == '/')
		snprintf(path, sizeof(path), "%s", build);
	else if (ctl_path(path, "%s/%s", m->topo_dir, build) != FAB_OK)
		return;
	if (realpath(path, full) == NULL)
		snprintf(full, sizeof(full), "%s", path); /* it may be made later */
	fputs("    build: ", m->fp);
	put_relative(m, full);
	fputc('\n', m->fp);
}

/* Image, environment, volumes and capabilities, as the topology gives them. */
static void
put_container(const struct compose *m, const struct topo_container *c, bool helper)
{
	fputs("    image: ", m->fp);
	put_quoted(m, c->image, true);
	fputc('\n', m->fp);
	if (c->build != NULL)
		put_build(m, c->build);
	if (c->n_environment > 0)
		put_list(m, "environment", c->environment, c->n_environment);
	if (c->n_volumes > 0) {
		fputs("    volumes: [", m->fp);
		if (helper)
			fputs("\"run:" RUN_DIR ":ro\"", m->fp);
		for (size_t i = 0; i < c->n_volumes; i++) {
			fputs(i > 0 || helper ? ", " : "", m->fp);
			put_text(m, c->volumes[i]);
		}
		fputs("]\n", m->fp);
	}
	if (c->has_cap_add)
		fputs("    cap_drop: [ALL]\n", m->fp);
	if (c->n_cap_add > 0)
		put_list(m, "cap_add", c->cap_add, c->n_cap_add);
}

/* The image's own entry point, in the namespace of a sidecar that has the NIC. */
static void
put_beside(
    const struct compose *m, const char *name, const struct topo_container *c, const char *sysctls)
{
	fprintf(m->fp, "  %s-nic:\n    <<: *idle\n    sysctls: *%s\n    command: [", name, sysctls);
	put_attach(m, name, false);
	fprintf(m->fp,
	    "]\n\n  %s:\n    network_mode: \"service:%s-nic\"\n    stop_grace_period: 2s\n    "
	    "depends_on: {%s-nic: "
	    "{condition: service_healthy}}\n",
	    name, name, name);
	put_container(m, c, false);
	fputc('\n', m->fp);
}

/* Software that is not ours; the helper is its entry point, so that it starts with its NIC. */
static void
put_machine(
    const struct compose *m, const char *name, const struct topo_container *c, const char *sysctls)
{
	if (c->n_command == 0) {
		put_beside(m, name, c, sysctls);
		return;
	}
	fprintf(m->fp, "  %s:\n    <<: *machine\n    sysctls: *%s\n", name, sysctls);
	put_container(m, c, true);
	fputs("    entrypoint: [" HELPER ", --socket, " SOCKET ", --name, ", m->fp);
	put_text(m, name);
	fputs(", \"--\"]\n", m->fp);
	put_list(m, "command", c->command, c->n_command);
	fputc('\n', m->fp);
}

static void
put_vms(const struct compose *m)
{
	for (size_t i = 0; i < m->t->n_vms; i++) {
		const struct topo_vm *v = &m->t->vms[i];

		if (v->running && v->container.image != NULL)
			put_machine(m, v->name, &v->container, v->ip_forwarding ? "router" : "nic");
		else if (v->running)
			put_idle(m, v->name);
	}
	for (size_t i = 0; i < m->t->n_clients; i++)
		put_idle(m, m->t->clients[i].name);
	put_idle(m, TOPO_INTERNET);
}

/* docker-compose up --exit-code-from test */
static void
put_test(const struct compose *m)
{
	fputs("  " SERVICE_TEST ":\n"
	      "    <<: *daemon\n"
	      "    depends_on: [fabricd]\n"
	      "    tmpfs: [/tmp]\n"
	      "    environment: {FAB_URL: \"tcp://fabricd:5170\"}\n"
	      "    command: [fabctl, test, --running, ",
	    m->fp);
	put_text(m, m->test);
	fputs("]\n\n", m->fp);
}

/* ---- the network for RPC ---- */

/* Machines may be on it too, so no prefix of the topology may lie in it: their packets would go
 * there. */
static bool
is_free(const struct topo *t, struct ipnet net)
{
	for (size_t i = 0; i < t->n_vnets; i++)
		for (size_t k = 0; k < t->vnets[i].space.n; k++)
			if (ipnet_overlaps(t->vnets[i].space.v[k], net))
				return false;
	for (size_t i = 0; i < t->n_sites; i++)
		for (size_t k = 0; k < t->sites[i].prefixes.n; k++)
			if (ipnet_overlaps(t->sites[i].prefixes.v[k], net))
				return false;
	return true;
}

/* Which one follows from the name, so that two estates on one host rarely meet. */
static struct ipnet
control_net(const struct topo *t)
{
	uint32_t count = 1u << (CONTROL_BITS - CONTROL_LEN), hash = 2166136261u;
	struct ipnet net = { .len = CONTROL_BITS };

	for (const char *p = t->name; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	for (uint32_t i = 0; i < count; i++) {
		net.addr = CONTROL_POOL | ((hash + i) % count) << (32 - CONTROL_BITS);
		if (is_free(t, net))
			break;
	}
	return net;
}

static void
put_networks(const struct compose *m)
{
	char text[IPNET_STRLEN];

	ipnet_format(text, control_net(m->t));
	fprintf(m->fp,
	    "networks:\n"
	    "  control: # for RPC; nothing gets out of it\n"
	    "    internal: true\n"
	    "    ipam: {config: [{subnet: \"${FAB_CONTROL_SUBNET:-%s}\"}]}\n"
	    "  host: # fabricd's published port needs one that is not internal\n\n"
	    "volumes:\n"
	    "  store: # desired state, fabricd's\n%s",
	    text,
	    m->packets ? "  run: # vswitchd's socket for NICs, and the helper that uses it\n" : "");
}

/* ---- before anything is written ---- */

static int
check_names(const struct compose *m)
{
	const char *taken[] = { CTL_FABRICD, CTL_VSWITCHD, TOPO_INTERNET,
		m->test != NULL ? SERVICE_TEST : CTL_FABRICD };

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (topo_find_node(m->t, taken[i]) >= 0 || topo_find_nic(m->t, taken[i]) >= 0)
			return ctl_fail(CTL_REFUSED, "InvalidResourceName",
			    "%s is a service of its own; rename the one in the topology", taken[i]);
	}
	return CTL_OK;
}

static int
no_image(const char *name)
{
	return ctl_fail(CTL_REFUSED, "ImageMissing",
	    "%s has a 'run' of its own, which is for a local process; give it an 'image' too",
	    name);
}

/* What cannot be a container, and why. */
static int
check_machines(const struct compose *m)
{
	for (size_t i = 0; i < m->t->n_nodes; i++) {
		const struct topo_node *n = &m->t->nodes[i];
		bool image =
		    n->kind == TOPO_NODE_NVA && m->t->nvas[n->index].container.image != NULL;

		if (n->foreign && !image)
			return no_image(n->name);
		if (n->foreign && (!m->packets || !m->t->packets))
			return ctl_fail(CTL_REFUSED, "PACKETS",
			    "%s speaks BGP over its NIC: the topology needs 'packets: true'",
			    n->name);
	}
	for (size_t i = 0; i < m->t->n_vms && m->packets; i++)
		if (m->t->vms[i].n_run > 0 && m->t->vms[i].container.image == NULL)
			return no_image(m->t->vms[i].name);
	if (strlen(m->text) > TEXT_MAX)
		return ctl_fail(CTL_REFUSED, "TooLarge",
		    "%s is larger than %u KiB, which an environment variable does not hold",
		    m->file, TEXT_MAX >> 10);
	return CTL_OK;
}

/* ---- the whole ---- */

static void
put_all(const struct compose *m)
{
	put_head(m);
	put_topology(m);
	put_anchors(m);
	fputs("services:\n", m->fp);
	put_fabricd(m);
	if (m->packets)
		put_vswitchd(m);
	for (size_t i = 0; i < m->t->n_nodes; i++) {
		const struct topo_node *n = &m->t->nodes[i];

		if (n->foreign)
			put_machine(m, n->name, &m->t->nvas[n->index].container, "router");
		else
			put_daemon(m, n);
	}
	if (m->packets)
		put_vms(m);
	if (m->test != NULL)
		put_test(m);
	put_networks(m);
}

static int
write_all(struct compose *m)
{
	char path[PATH_MAX] = "standard output";
	bool ok;

	if (m->target == NULL)
		m->fp = stdout;
	else if (ctl_path(path, "%s/" FILE_NAME, m->target) != FAB_OK ||
		 (m->fp = fopen(path, "we")) == NULL)
		return ctl_fail(CTL_USAGE, "FILE", "cannot write %s: %s", path, strerror(errno));
	put_all(m);
	ok = fflush(m->fp) == 0 && ferror(m->fp) == 0;
	if (m->target != NULL && fclose(m->fp) != 0)
		ok = false;
	if (!ok)
		return ctl_fail(CTL_NO, "WRITE", "cannot write %s: %s", path, strerror(errno));
	if (m->target != NULL)
		printf("%s\n", path);
	return CTL_OK;
}

static int
find_dirs(struct compose *m)
{
	if (m->target != NULL && mkdir(m->target, 0777) != 0 && errno != EEXIST)
		return ctl_fail(
		    CTL_USAGE, "FILE", "cannot make %s: %s", m->target, strerror(errno));
	if (ctl_topology_dir(m->topo_dir, m->file) != FAB_OK ||
	    realpath(m->target != NULL ? m->target : ".", m->out_dir) == NULL)
		return ctl_fail(CTL_USAGE, "FILE", "cannot find %s: %s",
		    m->target != NULL ? m->target : m->file, strerror(errno));
	return CTL_OK;
}

static int
load(struct compose *m, struct topo **t)
{
	struct topo_errors *e = calloc(2, sizeof(*e));
	size_t len;
	int status;

	FAB_ASSERT(e != NULL);
	status = ctl_topo_load(t, m->file, m->timing, &e[0], &e[1]);
	if (status == CTL_OK || e[0].n > 0)
		ctl_topo_complain(m->file, &e[0], &e[1]);
	free(e);
	if (status == CTL_OK)
		status = ctl_read_file(&m->text, &len, m->file, TOPO_FILE_MAX);
	m->t = *t;
	return status;
}

int
ctl_compose(struct ctl *c, const struct ctl_args *args)
{
	const char *image = args->opt[CTL_OPT_IMAGE], *packets = args->opt[CTL_OPT_PACKETS];
	struct compose m = { .file = args->pos[0],
		.image = image != NULL ? image : "hubspoke",
		.source = args->opt[CTL_OPT_BUILD],
		.test = args->opt[CTL_OPT_TEST],
		.target = args->opt[CTL_OPT_DIR],
		.packets = packets == NULL || strcmp(packets, "off") != 0 };
	struct topo *t = NULL;
	int status;

	(void)c;
	if ((status = ctl_timing_option(&m.timing, args)) == CTL_OK &&
	    (status = ctl_packets_engine(&m.engine, args->opt[CTL_OPT_ENGINE])) == CTL_OK &&
	    (status = load(&m, &t)) == CTL_OK && (status = check_names(&m)) == CTL_OK &&
	    (status = check_machines(&m)) == CTL_OK && (status = find_dirs(&m)) == CTL_OK)
		status = write_all(&m);
	free(m.text);
	topo_free(t);
	return status;
}
