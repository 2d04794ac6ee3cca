/* lib/rpc between two processes: the other one (rpc_peer) is killed, stopped, restarted. */
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/control.pb-c.h"
#include "proto/node.pb-c.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define NODE         (&fab__v1__node__descriptor)
#define CONTROL      (&fab__v1__control__descriptor)
#define HEARTBEAT_US (FAB_RPC_HEARTBEAT_MS * 1000)

struct peer {
	pid_t pid;
	unsigned port;
	FILE *out; /* what it prints */
};

/* One subscription with what it understood: a contiguous run of numbers since the snapshot. */
struct watcher {
	struct fab_rpc_client *client;
	struct fab_rpc_sub *sub;
	struct fab_rpc_stream *pub;
	bool connected;
	unsigned losses;
	unsigned snapshots;
	uint64_t number;
	bool bad;
	unsigned pub_snapshots;
};

struct net {
	struct fab_test_dir dir;
	struct fab_loop *loop;
	struct peer peer;
};

/* ---- the other process ---- */

static void
peer_path(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);

	CU_ASSERT_FATAL(n > 0);
	out[n] = '\0';
	snprintf(strrchr(out, '/'), size - (size_t)(strrchr(out, '/') - out), "/rpc_peer");
}

static void
peer_start(struct peer *p, const char *url, const struct fab_tls *tls)
{
	char path[512], line[64] = "";
	char *argv[6] = { "rpc_peer", strdup(url) };
	int fds[2];

	peer_path(path, sizeof(path));
	if (tls != NULL) {
		argv[2] = strdup(tls->cert);
		argv[3] = strdup(tls->key);
		argv[4] = strdup(tls->ca);
	}
	/* Freed memory goes back at once, so that its size can be judged. */
	setenv("ASAN_OPTIONS", "quarantine_size_mb=1", 1);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	p->pid = fork();
	if (p->pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		close(fds[0]);
		close(fds[1]);
		execv(path, argv);
		_exit(127);
	}
	close(fds[1]);
	p->out = fdopen(fds[0], "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(line, sizeof(line), p->out));
	CU_ASSERT_EQUAL_FATAL(sscanf(line, "ready %u", &p->port), 1);
	for (int i = 1; argv[i] != NULL; i++)
		free(argv[i]);
}

/* Returns the exit code, or minus the signal. */
static int
peer_end(struct peer *p, int sig)
{
	int status;

	if (p->pid == 0)
		return 0;
	/* Not afterwards: SIGCONT would take the SIGSTOP away by which the leak check at exit holds
	 * the process still, and both would wait for ever. */
	kill(p->pid, SIGCONT);
	kill(p->pid, sig);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		continue;
	p->pid = 0;
	fclose(p->out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Waits until it has all the numbers up to this one, without reading any of them. */
static void
peer_grown(const struct peer *p, uint64_t number)
{
	unsigned long long n = 0;
	char line[64];

	while (n < number) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(fgets(line, sizeof(line), p->out));
		CU_ASSERT_EQUAL_FATAL(sscanf(line, "grown %llu", &n), 1);
	}
}

/* VmRSS: the memory that it has now; VmHWM: the most that it ever had. */
static long
peer_kb(const struct peer *p, const char *what)
{
	char path[64], line[128];
	size_t len = strlen(what);
	long kb = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)p->pid);
	f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, what, len) == 0 && line[len] == ':')
			kb = atol(line + len + 1);
	fclose(f);
	CU_ASSERT_FATAL(kb >= 0);
	return kb;
}

static unsigned
open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* ---- fixture ---- */

static void
net_init(struct net *n)
{
	memset(n, 0, sizeof(*n));
	fab_test_dir_init(&n->dir);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&n->loop), FAB_OK);
	peer_start(&n->peer, n->dir.url, NULL);
}

static void
net_fini(struct net *n)
{
	CU_ASSERT_EQUAL(peer_end(&n->peer, SIGTERM), 0); /* leaks show as another code */
	fab_loop_drain(n->loop, 5000);
	fab_loop_free(n->loop);
	fab_test_dir_fini(&n->dir);
}

static void
on_state(void *ctx, bool connected)
{
	struct watcher *w = ctx;

	w->connected = connected;
	w->losses += !connected;
}

static void
on_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__NodeConfig *conf = (const Fab__V1__NodeConfig *)item;
	struct watcher *w = ctx;

	if (info->snapshot_begin)
		w->snapshots++;
	else if (conf->generation != w->number + 1)
		w->bad = true;
	w->number = conf->generation;
}

static const struct fab_rpc_sub_ops sub_ops = { on_item, NULL };

static void
pub_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	struct watcher *w = ctx;

	w->pub_snapshots++;
	fab_rpc_stream_put(s, &item.base);
}

static const struct fab_rpc_stream_ops pub_ops = { pub_snapshot, NULL };

static void
watcher_start(struct watcher *w, struct net *n)
{
	Fab__V1__WatchRequest req = FAB__V1__WATCH_REQUEST__INIT;

	memset(w, 0, sizeof(*w));
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&w->client, n->loop, n->dir.url, NULL, on_state, w), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_subscribe(&w->sub, w->client, CONTROL, "Watch", &req.base, &sub_ops, w),
	    FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_publish(&w->pub, w->client, CONTROL, "Report", &pub_ops, w), FAB_OK);
}

static void
watcher_stop(struct watcher *w)
{
	CU_ASSERT_FALSE(w->bad);
	fab_rpc_sub_free(w->sub);
	fab_rpc_stream_free(w->pub);
	fab_rpc_client_free(w->client);
}

static void
count_done(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *r)
{
	unsigned *count = ctx;

	(void)message;
	(void)r;
	count[status]++;
}

static void
call_many(struct watcher *w, const char *method, unsigned calls, unsigned *count)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;

	memset(count, 0, 17 * sizeof(*count));
	for (unsigned i = 0; i < calls; i++)
		fab_rpc_call(w->client, NODE, method, &empty.base, 0, 0, count_done, count);
}

static void
command(struct net *n, struct watcher *w, const char *text)
{
	Fab__V1__LogLevelRequest req = FAB__V1__LOG_LEVEL_REQUEST__INIT;
	unsigned count[17] = { 0 };
	char level[64];

	snprintf(level, sizeof(level), "%s", text);
	req.level = level;
	fab_rpc_call(w->client, NODE, "SetLogLevel", &req.base, 0, 0, count_done, count);
	AWAIT(n->loop, count[FAB_RPC_OK] == 1);
}

/* ---- tests ---- */

static void
test_killed_server_fails_calls_at_once(void)
{
	unsigned count[17], after[17];
	struct fab_mono start;
	struct watcher w;
	struct net n;

	net_init(&n);
	watcher_start(&w, &n);
	AWAIT(n.loop, w.connected);
	call_many(&w, "Stats", 10000, count); /* never answered */
	call_many(&w, "Dump", 1, after);      /* all were read when this one is answered */
	AWAIT(n.loop, after[FAB_RPC_OK] == 1);
	CU_ASSERT_EQUAL(count[FAB_RPC_UNAVAILABLE], 0);
	start = fab_mono_now();
	CU_ASSERT_EQUAL(peer_end(&n.peer, SIGKILL), -SIGKILL);
	AWAIT(n.loop, count[FAB_RPC_UNAVAILABLE] == 10000);
	CU_ASSERT(fab_mono_us_between(start, fab_mono_now()) < HEARTBEAT_US);
	CU_ASSERT_EQUAL(w.losses, 1);
	peer_start(&n.peer, n.dir.url, NULL); /* replaces the stale socket file */
	AWAIT(n.loop, w.connected);
	call_many(&w, "Dump", 1, count);
	AWAIT(n.loop, count[FAB_RPC_OK] == 1);
	watcher_stop(&w);
	net_fini(&n);
}

static void
test_heartbeat_finds_a_stopped_server(void)
{
	unsigned count[17];
	struct fab_mono start;
	struct watcher w;
	struct net n;
	uint64_t us;

	net_init(&n);
	watcher_start(&w, &n);
	AWAIT(n.loop, w.connected && w.snapshots == 1);
	kill(n.peer.pid, SIGSTOP);
	start = fab_mono_now();
	call_many(&w, "Dump", 1, count);
	AWAIT(n.loop, count[FAB_RPC_UNAVAILABLE] == 1);
	us = fab_mono_us_between(start, fab_mono_now());
	CU_ASSERT(us > 3 * HEARTBEAT_US && us < 6 * HEARTBEAT_US);
	CU_ASSERT_EQUAL(fab_rpc_client_stats(w.client)->silent_peers, 1);
	CU_ASSERT_FALSE(w.connected); /* although its socket still accepts */
	kill(n.peer.pid, SIGCONT);
	AWAIT(n.loop, w.connected && w.snapshots == 2);
	watcher_stop(&w);
	net_fini(&n);
}

static void
test_slow_reader_costs_the_server_little(void)
{
	struct watcher w;
	struct net n;
	unsigned snapshots;
	long before;

	net_init(&n);
	watcher_start(&w, &n);
	AWAIT(n.loop, w.snapshots == 1);
	command(&n, &w, "grow 5000 8192");
	AWAIT(n.loop, w.number == 5000);
	before = peer_kb(&n.peer, "VmRSS");
	snapshots = w.snapshots;
	command(&n, &w, "grow 50000 8192"); /* 400 MB */
	/* This process is the slow reader: it waits for the other one instead of reading. */
	peer_grown(&n.peer, 55000);
	AWAIT(n.loop, w.number == 55000);
	CU_ASSERT(w.snapshots > snapshots);
	/* window, one queue, one backlog, and what the allocators keep */
	CU_ASSERT(peer_kb(&n.peer, "VmHWM") - before < 100 * 1024);
	command(&n, &w, "grow 10 10");
	AWAIT(n.loop, w.number == 55010);
	watcher_stop(&w);
	net_fini(&n);
}

#define STORM_CLIENTS  5
#define STORM_RESTARTS 50

static bool
all_synced(const struct watcher *w, unsigned round)
{
	for (int i = 0; i < STORM_CLIENTS; i++)
		if (w[i].snapshots < round || w[i].pub_snapshots < round || !w[i].connected)
			return false;
	return true;
}

static void
test_reconnect_storm(void)
{
	struct watcher w[STORM_CLIENTS];
	unsigned files = 0;
	struct net n;

	net_init(&n);
	for (int i = 0; i < STORM_CLIENTS; i++)
		watcher_start(&w[i], &n);
	AWAIT(n.loop, all_synced(w, 1));
	for (unsigned round = 2; round <= STORM_RESTARTS + 1; round++) {
		/* Killed and stopped in turn. */
		int sig = round % 2 == 0 ? SIGKILL : SIGTERM;

		CU_ASSERT_EQUAL(peer_end(&n.peer, sig), sig == SIGKILL ? -SIGKILL : 0);
		peer_start(&n.peer, n.dir.url, NULL);
		AWAIT(n.loop, all_synced(w, round));
		if (round == 10)
			files = open_files();
	}
	CU_ASSERT(open_files() <= files);
	for (int i = 0; i < STORM_CLIENTS; i++) {
		CU_ASSERT_EQUAL(w[i].losses, STORM_RESTARTS);
		watcher_stop(&w[i]);
	}
	net_fini(&n);
}

static void
test_second_server_on_the_same_socket_gives_up(void)
{
	struct net n;
	char path[512];
	int status;
	pid_t pid;

	net_init(&n);
	peer_path(path, sizeof(path));
	pid = fork();
	if (pid == 0) {
		char *argv[] = { "rpc_peer", n.dir.url, NULL };

		fclose(stderr);
		execv(path, argv);
		_exit(127);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFEXITED(status));
	CU_ASSERT_EQUAL(WEXITSTATUS(status), 3);
	net_fini(&n);
}

struct files {
	char cert[96], key[96], ca[96];
};

static struct fab_tls
tls_files(struct files *f, const struct fab_test_dir *d, const char *own, const char *ca)
{
	snprintf(f->cert, sizeof(f->cert), "%s/%s.pem", d->path, own);
	snprintf(f->key, sizeof(f->key), "%s/%s.key", d->path, own);
	snprintf(f->ca, sizeof(f->ca), "%s/%s-ca.pem", d->path, ca);
	return (struct fab_tls){ f->cert, f->key, f->ca };
}

static enum fab_rpc_status
ask_over_tls(struct net *n, const struct peer *peer, const struct fab_tls *tls)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct fab_rpc_client *client;
	ProtobufCMessage *reply = NULL;
	enum fab_rpc_status status;
	char url[64], why[256];

	snprintf(url, sizeof(url), "tls+tcp://localhost:%u", peer->port);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_client_new(&client, n->loop, url, tls, NULL, NULL), FAB_OK);
	status =
	    fab_rpc_call_sync(n->loop, client, NODE, "Dump", &empty.base, 10000, 1500, &reply, why);
	if (status == FAB_RPC_OK)
		CU_ASSERT_EQUAL(atoi(((Fab__V1__DumpReply *)reply)->text), peer->pid);
	protobuf_c_message_free_unpacked(reply, NULL);
	fab_rpc_client_free(client);
	return status;
}

static void
test_tls_with_client_certificates(void)
{
	struct files good, wrong_ca, wrong_own;
	struct peer secure;
	struct fab_tls tls;
	struct net n;

	net_init(&n);
	CU_ASSERT_EQUAL_FATAL(fab_test_certs(&n.dir, "a"), 0);
	CU_ASSERT_EQUAL_FATAL(fab_test_certs(&n.dir, "b"), 0);
	tls = tls_files(&good, &n.dir, "a", "a");
	peer_start(&secure, "tls+tcp://127.0.0.1:0", &tls);
	CU_ASSERT_EQUAL(ask_over_tls(&n, &secure, &tls), FAB_RPC_OK);
	tls = tls_files(&wrong_ca, &n.dir, "a", "b");
	CU_ASSERT_EQUAL(ask_over_tls(&n, &secure, &tls), FAB_RPC_UNAVAILABLE);
	tls = tls_files(&wrong_own, &n.dir, "b", "a");
	CU_ASSERT_EQUAL(ask_over_tls(&n, &secure, &tls), FAB_RPC_UNAVAILABLE);
	tls = tls_files(&good, &n.dir, "a", "a"); /* refusals did it no harm */
	CU_ASSERT_EQUAL(ask_over_tls(&n, &secure, &tls), FAB_RPC_OK);
	CU_ASSERT_EQUAL(peer_end(&secure, SIGTERM), 0);
	net_fini(&n);
}

static CU_TestInfo tests[] = {
	{ "a killed server fails 10,000 calls at once", test_killed_server_fails_calls_at_once },
	{ "heartbeat finds a stopped server", test_heartbeat_finds_a_stopped_server },
	{ "a slow reader costs the server little", test_slow_reader_costs_the_server_little },
	{ "50 restarts under open streams", test_reconnect_storm },
	{ "a second server gives up", test_second_server_on_the_same_socket_gives_up },
	{ "TLS with client certificates", test_tls_with_client_certificates },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("rpc_process", tests)
