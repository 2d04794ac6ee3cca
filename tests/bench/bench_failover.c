/*
 * Failover as a client of fabricd sees it: a process is killed (or stopped), and the clock runs
 * from the signal until fabricd's effective routes of every NIC have left the victim's address. The
 * victim is then started again and the fabric waited for, before the next run.
 *
 * Needs a running fabric (script/bench failover starts one) and fabctl beside this program.
 */
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/fabric.pb-c.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NICS_MAX    4096
#define RUNS_MAX    10000
#define DEADLINE_US 60000000u

struct bench {
	struct fab_loop *loop;
	struct fab_rpc_client *client;
	char *nics[NICS_MAX];
	size_t n_nics;
	const char *victim;
	const char *address; /* the victim's, as a next hop */
	int signal;
	/* One round of questions, one per NIC. */
	size_t answers;
	size_t with_victim; /* tables that lead to the victim */
	size_t normally;    /* tables that do so while it is well */
	size_t failures;
};

static const ProtobufCServiceDescriptor *
fabric(void)
{
	return &fab__v1__fabric__descriptor;
}

static bool
leads_to(const Fab__V1__EffectiveRouteList *list, const char *address)
{
	for (size_t i = 0; i < list->n_value; i++) {
		const Fab__V1__EffectiveRoute *r = list->value[i];

		for (size_t j = 0; j < r->n_next_hop_ip_address; j++) {
			if (strcmp(r->next_hop_ip_address[j], address) == 0)
				return true;
		}
	}
	return false;
}

static void
on_table(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct bench *b = ctx;

	(void)message;
	b->answers++;
	if (status != FAB_RPC_OK)
		b->failures++;
	else if (leads_to((const Fab__V1__EffectiveRouteList *)reply, b->address))
		b->with_victim++;
}

/* Asks for every NIC's table at once; returns how many still lead to the victim. */
static size_t
ask_all(struct bench *b)
{
	b->answers = b->with_victim = b->failures = 0;
	for (size_t i = 0; i < b->n_nics; i++) {
		Fab__V1__NicRequest req = FAB__V1__NIC_REQUEST__INIT;

		req.nic = b->nics[i];
		fab_rpc_call(
		    b->client, fabric(), "RoutesEffective", &req.base, 5000, 5000, on_table, b);
	}
	while (b->answers < b->n_nics)
		fab_loop_turn(b->loop, 1000);
	return b->failures > 0 ? SIZE_MAX : b->with_victim;
}

/* Asks until exactly so many tables lead to the victim; *us is the time since start. */
static int
wait_until(struct bench *b, size_t tables, struct fab_mono start, uint64_t *us)
{
	for (;;) {
		size_t n = ask_all(b);
		uint64_t spent = fab_mono_us_between(start, fab_mono_now());

		if (n == tables) {
			*us = spent;
			return FAB_OK;
		}
		if (spent > DEADLINE_US)
			return FAB_ETIMEOUT;
	}
}

static ProtobufCMessage *
ask(struct bench *b, const char *method, const ProtobufCMessage *req)
{
	ProtobufCMessage *reply = NULL;
	char why[256];

	if (fab_rpc_call_sync(b->loop, b->client, fabric(), method, req, 60000, 5000, &reply,
		why) != FAB_RPC_OK) {
		fprintf(stderr, "bench_failover: %s: %s\n", method, why);
		return NULL;
	}
	return reply;
}

static int
add_nics(struct bench *b, const char *kind)
{
	Fab__V1__ResourceRef ref = FAB__V1__RESOURCE_REF__INIT;
	Fab__V1__ResourceList *list;
	char kind_copy[16];

	snprintf(kind_copy, sizeof(kind_copy), "%s", kind);
	ref.kind = kind_copy;
	list = (Fab__V1__ResourceList *)ask(b, "Get", &ref.base);
	if (list == NULL)
		return FAB_EIO;
	for (size_t i = 0; i < list->n_resources && b->n_nics < NICS_MAX; i++)
		b->nics[b->n_nics++] = strdup(list->resources[i]->name);
	protobuf_c_message_free_unpacked(&list->base, NULL);
	return FAB_OK;
}

static pid_t
victim_pid(struct bench *b)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	Fab__V1__NodeList *list = (Fab__V1__NodeList *)ask(b, "Ps", &req.base);
	pid_t pid = -1;

	for (size_t i = 0; list != NULL && i < list->n_nodes; i++) {
		if (strcmp(list->nodes[i]->name, b->victim) == 0)
			pid = list->nodes[i]->pid;
	}
	if (list != NULL)
		protobuf_c_message_free_unpacked(&list->base, NULL);
	return pid > 1 ? pid : -1;
}

/* fabctl VERB VICTIM, from the folder of this program. */
static int
fabctl(const char *url, const char *verb, const char *arg)
{
	char self[PATH_MAX] = "", path[PATH_MAX + 8];
	int status = -1;
	pid_t pid;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return FAB_EIO;
	snprintf(path, sizeof(path), "%s/fabctl", dirname(self));
	pid = fork();
	if (pid == 0) {
		if (freopen("/dev/null", "w", stdout) == NULL)
			_exit(127);
		execl(path, path, "--url", url, verb, arg, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return FAB_EIO;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? FAB_OK : FAB_EIO;
}

static int
compare_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
print_result(const struct bench *b, uint64_t *us, size_t n, bool json)
{
	qsort(us, n, sizeof(*us), compare_u64);
	size_t p99 = n * 99 / 100 < n ? n * 99 / 100 : n - 1;

	if (json)
		printf("{\"victim\":\"%s\",\"signal\":%d,\"runs\":%zu,\"nics\":%zu,\"min_us\":%llu,"
		       "\"median_us\":%llu,\"p99_us\":%llu,\"max_us\":%llu}\n",
		    b->victim, b->signal, n, b->n_nics, (unsigned long long)us[0],
		    (unsigned long long)us[n / 2], (unsigned long long)us[p99],
		    (unsigned long long)us[n - 1]);
	else
		printf(
		    "%s signal %d, %zu runs, %zu NICs: min %.2f ms, median %.2f ms, p99 %.2f ms, "
		    "max %.2f ms\n",
		    b->victim, b->signal, n, b->n_nics, (double)us[0] / 1e3,
		    (double)us[n / 2] / 1e3, (double)us[p99] / 1e3, (double)us[n - 1] / 1e3);
}

static int
one_run(struct bench *b, const char *url, uint64_t *us)
{
	pid_t pid = victim_pid(b);
	struct fab_mono start;
	uint64_t unused;

	if (pid < 0) {
		fprintf(stderr, "bench_failover: %s has no process\n", b->victim);
		return FAB_ENOENT;
	}
	if (wait_until(b, b->normally, fab_mono_now(), &unused) != FAB_OK)
		return FAB_ETIMEOUT;
	start = fab_mono_now(); /* before the signal: the victim may die before kill() returns */
	if (kill(pid, b->signal) != 0)
		return FAB_EIO;
	if (wait_until(b, 0, start, us) != FAB_OK)
		return FAB_ETIMEOUT;
	return fabctl(url, b->signal == SIGSTOP ? "resume" : "start", b->victim) == FAB_OK &&
		       fabctl(url, "wait", "converged") == FAB_OK
		   ? FAB_OK
		   : FAB_EIO;
}

static int
usage(void)
{
	fprintf(stderr, "usage: bench_failover --url URL --victim NODE --address NEXTHOP "
			"[--runs N] [--stop] [--json]\n");
	return 2;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "url", 1, NULL, 'u' },
		{ "victim", 1, NULL, 'v' }, { "address", 1, NULL, 'a' }, { "runs", 1, NULL, 'n' },
		{ "stop", 0, NULL, 's' }, { "json", 0, NULL, 'j' }, { 0 } };
	static struct bench b = { .signal = SIGKILL };
	static uint64_t us[RUNS_MAX];
	const char *url = getenv("FAB_URL");
	size_t runs = 50, done = 0;
	bool json = false;
	int opt, rc = 1;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'u':
			url = optarg;
			break;
		case 'v':
			b.victim = optarg;
			break;
		case 'a':
			b.address = optarg;
			break;
		case 'n':
			runs = strtoul(optarg, NULL, 10);
			break;
		case 's':
			b.signal = SIGSTOP;
			break;
		case 'j':
			json = true;
			break;
		default:
			return usage();
		}
	}
	if (url == NULL || b.victim == NULL || b.address == NULL || runs < 1 || runs > RUNS_MAX)
		return usage();
	if (fab_loop_new(&b.loop) != FAB_OK ||
	    fab_rpc_client_new(&b.client, b.loop, url, NULL, NULL, NULL) != FAB_OK)
		return 3;
	if (add_nics(&b, "vm") != FAB_OK || add_nics(&b, "nva") != FAB_OK)
		goto out;
	b.normally = ask_all(&b);
	if (b.normally == 0 || b.normally == SIZE_MAX) {
		fprintf(stderr, "bench_failover: no NIC has a route to %s\n", b.address);
		goto out;
	}
	while (done < runs && one_run(&b, url, &us[done]) == FAB_OK)
		done++;
	if (done > 0)
		print_result(&b, us, done, json);
	rc = done == runs ? 0 : 1;
out:
	for (size_t i = 0; i < b.n_nics; i++)
		free(b.nics[i]);
	fab_rpc_client_free(b.client);
	fab_loop_free(b.loop);
	return rc;
}
