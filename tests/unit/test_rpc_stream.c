/* lib/rpc streams: snapshots, deltas, slow readers, reconnects; both directions, on one loop. */
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/control.pb-c.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <string.h>

#define CONTROL    (&fab__v1__control__descriptor)
#define STREAM_MAX 8

/* A state of numbers that a stream mirrors: item N means "N belongs to it". */
struct source {
	unsigned first, count; /* the state: first ... first + count - 1 */
	size_t item_len;       /* padding */
	unsigned snapshots;
	unsigned closed;
	bool end_in_snapshot;
	struct fab_rpc_stream *streams[STREAM_MAX];
	size_t stream_count;
};

/* What a reader has understood. */
struct mirror {
	unsigned first, next; /* contiguous numbers seen */
	unsigned items;
	unsigned begins, ends, empties;
	bool bad; /* order, epoch or flags make no sense */
	bool in_snapshot;
	uint64_t epoch, seq;
	unsigned opened, closed;
	enum fab_rpc_status last_status;
	unsigned refusals;
};

struct net {
	struct fab_test_dir dir;
	struct fab_loop *loop;
	struct fab_rpc_server *server;
	struct fab_rpc_client *client;
	struct fab_rpc_sub *sub;
	struct fab_rpc_stream *pub;
	struct source source;
	struct mirror mirror;
	enum fab_rpc_status refuse;
	bool free_sub_in_item;
	bool free_sub_in_ended;
	bool free_pub_in_snapshot;
};

/* ---- the sending end ---- */

static void
put(const struct source *src, struct fab_rpc_stream *s, unsigned number)
{
	Fab__V1__ReportItem item = FAB__V1__REPORT_ITEM__INIT;
	Fab__V1__NodeConfig conf = FAB__V1__NODE_CONFIG__INIT;
	Fab__V1__ReportHello hello = FAB__V1__REPORT_HELLO__INIT;
	char *pad = malloc(src->item_len + 1);

	memset(pad, 'x', src->item_len);
	pad[src->item_len] = '\0';
	if (src->stream_count > 0) { /* server stream: NodeConfig */
		conf.generation = number;
		conf.name = pad;
		fab_rpc_stream_put(s, &conf.base);
	} else {
		hello.started_us = number;
		hello.name = pad;
		item.body_case = FAB__V1__REPORT_ITEM__BODY_HELLO;
		item.hello = &hello;
		fab_rpc_stream_put(s, &item.base);
	}
	free(pad);
}

static void
write_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct source *src = ctx;

	src->snapshots++;
	for (unsigned i = 0; i < src->count; i++)
		put(src, s, src->first + i);
	if (src->end_in_snapshot)
		fab_rpc_stream_end(s, FAB_RPC_OK, "that was all");
}

static void
source_closed(void *ctx, struct fab_rpc_stream *s)
{
	struct source *src = ctx;

	src->closed++;
	for (size_t i = 0; i < src->stream_count; i++)
		if (src->streams[i] == s)
			src->streams[i] = src->streams[--src->stream_count];
}

static const struct fab_rpc_stream_ops source_ops = { write_snapshot, source_closed };

static enum fab_rpc_status
open_watch(void *ctx, const ProtobufCMessage *req, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	struct net *n = ctx;
	const Fab__V1__WatchRequest *r = (const Fab__V1__WatchRequest *)req;

	if (n->refuse != FAB_RPC_OK) {
		snprintf(why, 256, "no node %s", r->name);
		return n->refuse;
	}
	FAB_ASSERT(n->source.stream_count < STREAM_MAX);
	n->source.streams[n->source.stream_count++] = s;
	*ops = &source_ops;
	*stream_ctx = &n->source;
	return FAB_RPC_OK;
}

/* One more number, told to all. */
static void
grow(struct net *n)
{
	unsigned number = n->source.first + n->source.count++;

	for (size_t i = 0; i < n->source.stream_count; i++)
		put(&n->source, n->source.streams[i], number);
	if (n->pub != NULL)
		put(&n->source, n->pub, number);
}

/* ---- the receiving end ---- */

static void
mirror_item(struct mirror *m, bool have, unsigned number, const struct fab_rpc_item *info)
{
	if (info->snapshot_begin != (m->epoch != info->epoch || m->seq == 0) ||
	    info->seq != (info->snapshot_begin ? 1 : m->seq + 1))
		m->bad = true;
	if (info->snapshot_begin) {
		m->begins++;
		m->in_snapshot = true;
		m->first = m->next = number;
	}
	if (info->in_snapshot != m->in_snapshot || (have && number != m->next))
		m->bad = true;
	if (info->snapshot_end) {
		m->ends++;
		m->in_snapshot = false;
		m->empties += !have;
	}
	m->epoch = info->epoch;
	m->seq = info->seq;
	m->next += have;
	m->items += have;
}

static void
watch_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	struct net *n = ctx;
	const Fab__V1__NodeConfig *conf = (const Fab__V1__NodeConfig *)item;

	mirror_item(&n->mirror, conf != NULL, conf != NULL ? (unsigned)conf->generation : 0, info);
	if (n->free_sub_in_item) {
		fab_rpc_sub_free(n->sub);
		n->sub = NULL;
	}
}

static void
mirror_lost(struct mirror *m)
{
	m->seq = 0;
	m->in_snapshot = false;
}

static void
watch_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct net *n = ctx;

	n->mirror.last_status = status;
	n->mirror.refusals++;
	mirror_lost(&n->mirror);
	if (status == FAB_RPC_NOT_FOUND)
		CU_ASSERT_STRING_EQUAL(message, "no node rs1-0");
	if (n->free_sub_in_ended) {
		fab_rpc_sub_free(n->sub);
		n->sub = NULL;
	}
}

static const struct fab_rpc_sub_ops watch_ops = { watch_item, watch_ended };

static void
report_open(void *ctx, void **stream_ctx)
{
	struct net *n = ctx;

	n->mirror.opened++;
	mirror_lost(&n->mirror);
	*stream_ctx = &n->mirror;
}

static void
report_item(
    void *ctx, void *stream_ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__ReportItem *r = (const Fab__V1__ReportItem *)item;

	(void)ctx;
	mirror_item(stream_ctx, r != NULL, r != NULL ? (unsigned)r->hello->started_us : 0, info);
}

static void
report_closed(void *ctx, void *stream_ctx)
{
	struct mirror *m = stream_ctx;

	(void)ctx;
	m->closed++;
}

static const struct fab_rpc_sink_ops report_ops = { report_open, report_item, report_closed };

static const struct fab_rpc_handler table[] = {
	{ .method = "Watch", .open = open_watch },
	{ .method = "Report", .sink = &report_ops },
	{ NULL },
};

/* ---- fixture ---- */

static void
serve(struct net *n)
{
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n->server, n->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n->server, CONTROL, table, n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(n->server, n->dir.url, NULL), FAB_OK);
}

static void
stop_serving(struct net *n)
{
	fab_rpc_server_free(n->server);
	n->server = NULL;
}

static void
net_init(struct net *n)
{
	memset(n, 0, sizeof(*n));
	n->source.first = 100;
	fab_test_dir_init(&n->dir);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&n->loop), FAB_OK);
	serve(n);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&n->client, n->loop, n->dir.url, NULL, NULL, NULL), FAB_OK);
}

static void
net_fini(struct net *n)
{
	CU_ASSERT_FALSE(n->mirror.bad);
	fab_rpc_sub_free(n->sub);
	fab_rpc_stream_free(n->pub);
	fab_rpc_client_free(n->client);
	fab_rpc_server_free(n->server);
	fab_loop_drain(n->loop, 5000);
	fab_loop_free(n->loop);
	fab_test_dir_fini(&n->dir);
}

static void
subscribe(struct net *n)
{
	Fab__V1__WatchRequest req = FAB__V1__WATCH_REQUEST__INIT;

	req.name = "rs1-0";
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_subscribe(&n->sub, n->client, CONTROL, "Watch", &req.base, &watch_ops, n),
	    FAB_OK);
}

static void
pub_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct net *n = ctx;

	write_snapshot(&n->source, s);
	if (n->free_pub_in_snapshot) {
		fab_rpc_stream_free(n->pub);
		n->pub = NULL;
	}
}

static const struct fab_rpc_stream_ops pub_ops = { pub_snapshot, NULL };

static void
publish(struct net *n)
{
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_publish(&n->pub, n->client, CONTROL, "Report", &pub_ops, n), FAB_OK);
	CU_ASSERT_EQUAL(n->source.snapshots, 0); /* never from inside */
}

static bool
in_sync(const struct net *n)
{
	return n->mirror.begins == n->mirror.ends && n->mirror.begins > 0 &&
	       n->mirror.first == n->source.first &&
	       n->mirror.next == n->source.first + n->source.count;
}

/* Every test of the common behaviour runs in both directions. */
typedef void start_fn(struct net *n);
static start_fn *const directions[] = { subscribe, publish };

static void
test_snapshot_then_deltas(void)
{
	static const unsigned counts[] = { 1, 2, 1023, 1024, 1025, 5000 };

	for (size_t d = 0; d < 2; d++) {
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			struct net n;

			net_init(&n);
			n.source.count = counts[i];
			directions[d](&n);
			AWAIT(n.loop, in_sync(&n));
			for (int k = 0; k < 10; k++)
				grow(&n);
			AWAIT(n.loop, in_sync(&n));
			CU_ASSERT_EQUAL(n.source.snapshots, 1);
			CU_ASSERT_EQUAL(n.mirror.begins, 1);
			CU_ASSERT_EQUAL(n.mirror.items, counts[i] + 10);
			CU_ASSERT_EQUAL(n.mirror.empties, 0);
			net_fini(&n);
		}
	}
}

static void
test_empty_snapshot_then_delta(void)
{
	for (size_t d = 0; d < 2; d++) {
		struct net n;

		net_init(&n);
		directions[d](&n);
		AWAIT(n.loop, n.mirror.ends == 1);
		CU_ASSERT_EQUAL(n.mirror.empties, 1);
		CU_ASSERT_EQUAL(n.mirror.items, 0);
		n.mirror.next = n.mirror.first = n.source.first;
		grow(&n);
		AWAIT(n.loop, in_sync(&n));
		CU_ASSERT_EQUAL(n.mirror.begins, 1);
		net_fini(&n);
	}
}

static void
test_large_items_pass_the_window(void)
{
	for (size_t d = 0; d < 2; d++) {
		struct net n;

		net_init(&n);
		n.source.count = 3;
		n.source.item_len = 3u << 20; /* each larger than the window */
		directions[d](&n);
		AWAIT(n.loop, in_sync(&n));
		grow(&n);
		AWAIT(n.loop, in_sync(&n));
		CU_ASSERT_EQUAL(n.source.snapshots, 1);
		net_fini(&n);
	}
}

/* The reader does not get a turn while a loop like this runs. */
static void
test_slow_reader_gets_a_new_snapshot(void)
{
	for (size_t d = 0; d < 2; d++) {
		const struct fab_rpc_stats *stats;
		struct net n;

		net_init(&n);
		n.source.count = 10;
		directions[d](&n);
		AWAIT(n.loop, in_sync(&n));
		for (int i = 0; i < 3 * FAB_RPC_STREAM_QUEUE; i++)
			grow(&n);
		stats = d == 0 ? fab_rpc_server_stats(n.server) : fab_rpc_client_stats(n.client);
		CU_ASSERT_EQUAL(stats->overflows, 1);
		CU_ASSERT_FALSE(fab_rpc_stream_live(d == 0 ? n.source.streams[0] : n.pub));
		AWAIT(n.loop, in_sync(&n));
		CU_ASSERT_EQUAL(n.source.snapshots, 2);
		CU_ASSERT_EQUAL(n.mirror.begins, 2);
		CU_ASSERT_TRUE(fab_rpc_stream_live(d == 0 ? n.source.streams[0] : n.pub));
		grow(&n);
		AWAIT(n.loop, in_sync(&n));
		CU_ASSERT_EQUAL(n.source.snapshots, 2);
		net_fini(&n);
	}
}

/* An overflow while the snapshot itself still waits must not cut it off. */
static void
test_overflow_during_a_large_snapshot(void)
{
	for (size_t d = 0; d < 2; d++) {
		struct net n;

		net_init(&n);
		n.source.count = 20000;
		directions[d](&n);
		AWAIT(n.loop, n.source.snapshots == 1);
		for (int i = 0; i < 2 * FAB_RPC_STREAM_QUEUE; i++)
			grow(&n);
		AWAIT(n.loop, in_sync(&n));
		CU_ASSERT_EQUAL(n.mirror.begins, 2);
		CU_ASSERT_EQUAL(n.mirror.ends, 2);
		CU_ASSERT_EQUAL(n.mirror.items, 20000 + 20000 + 2 * FAB_RPC_STREAM_QUEUE);
		net_fini(&n);
	}
}

static void
test_queue_is_bounded_in_octets_too(void)
{
	struct net n;

	net_init(&n);
	n.source.item_len = 1u << 20;
	subscribe(&n);
	AWAIT(n.loop, n.mirror.ends == 1);
	for (int i = 0; i < 40; i++)
		grow(&n);
	CU_ASSERT_EQUAL(fab_rpc_server_stats(n.server)->overflows, 1);
	AWAIT(n.loop, in_sync(&n));
	net_fini(&n);
}

static void
test_reconnect_starts_with_a_snapshot(void)
{
	for (size_t d = 0; d < 2; d++) {
		struct net n;

		net_init(&n);
		n.source.count = 5;
		directions[d](&n);
		AWAIT(n.loop, in_sync(&n));
		stop_serving(&n);
		CU_ASSERT_EQUAL(n.source.closed, d == 0);
		CU_ASSERT_EQUAL(n.mirror.closed, d == 1);
		AWAIT(n.loop, !fab_rpc_client_connected(n.client));
		for (int i = 0; i < 7; i++)
			grow(&n); /* nobody listens: the snapshot will contain it */
		serve(&n);
		AWAIT(n.loop, in_sync(&n));
		CU_ASSERT_EQUAL(n.source.snapshots, 2);
		net_fini(&n);
	}
}

static void
test_refused_subscription_asks_again(void)
{
	struct net n;

	net_init(&n);
	n.source.count = 1;
	n.refuse = FAB_RPC_NOT_FOUND;
	subscribe(&n);
	AWAIT(n.loop, n.mirror.refusals == 3);
	CU_ASSERT_EQUAL(n.mirror.last_status, FAB_RPC_NOT_FOUND);
	n.refuse = FAB_RPC_OK;
	AWAIT(n.loop, in_sync(&n));
	net_fini(&n);
}

static void
test_unknown_stream_method_asks_again(void)
{
	static const struct fab_rpc_handler empty[] = { { NULL } };
	struct net n;

	net_init(&n);
	stop_serving(&n);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n.server, n.loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n.server, CONTROL, empty, &n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(n.server, n.dir.url, NULL), FAB_OK);
	subscribe(&n);
	publish(&n);
	AWAIT(n.loop, n.mirror.refusals == 2);
	CU_ASSERT_EQUAL(n.mirror.last_status, FAB_RPC_UNIMPLEMENTED);
	AWAIT(n.loop, fab_rpc_server_stats(n.server)->calls >= 4);
	CU_ASSERT(n.source.snapshots >= 1);
	CU_ASSERT_EQUAL(n.mirror.opened, 0);
	net_fini(&n);
}

static void
test_stream_end_comes_after_the_items(void)
{
	struct net n;

	net_init(&n);
	n.source.count = 3000; /* more than the window */
	n.source.end_in_snapshot = true;
	n.free_sub_in_ended = true;
	subscribe(&n);
	AWAIT(n.loop, n.sub == NULL);
	CU_ASSERT_EQUAL(n.mirror.last_status, FAB_RPC_OK);
	CU_ASSERT_EQUAL(n.mirror.items, 3000);
	CU_ASSERT_EQUAL(n.mirror.ends, 1);
	CU_ASSERT_EQUAL(n.source.closed, 0);
	n.source.stream_count = 0;
	net_fini(&n);
}

static void
test_freed_subscription_closes_the_stream(void)
{
	struct net n;

	net_init(&n);
	n.source.count = 2000;
	n.free_sub_in_item = true;
	subscribe(&n);
	AWAIT(n.loop, n.source.closed == 1);
	CU_ASSERT_PTR_NULL(n.sub);
	CU_ASSERT_EQUAL(n.mirror.items, 1);
	net_fini(&n);
}

static void
test_freed_publication_closes_the_sink(void)
{
	struct net n;

	net_init(&n);
	n.source.count = 2000;
	publish(&n);
	AWAIT(n.loop, in_sync(&n));
	fab_rpc_stream_free(n.pub);
	n.pub = NULL;
	AWAIT(n.loop, n.mirror.closed == 1);
	CU_ASSERT_EQUAL(n.mirror.opened, 1);
	n.free_pub_in_snapshot = true;
	n.source.snapshots = 0;
	publish(&n);
	AWAIT(n.loop, n.pub == NULL && n.mirror.closed == 2);
	net_fini(&n);
}

static void
test_client_may_go_before_its_streams(void)
{
	struct net n;

	net_init(&n);
	n.source.count = 5;
	subscribe(&n);
	AWAIT(n.loop, in_sync(&n));
	fab_rpc_client_free(n.client);
	n.client = NULL;
	AWAIT(n.loop, n.source.closed == 1);
	CU_ASSERT_EQUAL(n.mirror.refusals, 0);
	net_fini(&n); /* frees the subscription */
}

static void
test_many_streams_on_one_connection(void)
{
	struct fab_rpc_sub *subs[STREAM_MAX];
	struct net n;

	net_init(&n);
	n.source.count = 3;
	for (int i = 0; i < STREAM_MAX; i++) {
		subscribe(&n);
		subs[i] = n.sub;
	}
	n.sub = NULL;
	AWAIT(n.loop, n.source.snapshots == STREAM_MAX && n.mirror.items == 3 * STREAM_MAX);
	n.mirror.bad = false; /* one mirror for all makes no sense */
	for (int i = 0; i < STREAM_MAX; i++)
		fab_rpc_sub_free(subs[i]);
	AWAIT(n.loop, n.source.closed == STREAM_MAX);
	net_fini(&n);
}

static CU_TestInfo tests[] = {
	{ "snapshot, then deltas", test_snapshot_then_deltas },
	{ "empty snapshot, then a delta", test_empty_snapshot_then_delta },
	{ "items larger than the window", test_large_items_pass_the_window },
	{ "a slow reader gets a new snapshot", test_slow_reader_gets_a_new_snapshot },
	{ "overflow during a large snapshot", test_overflow_during_a_large_snapshot },
	{ "the queue is bounded in octets too", test_queue_is_bounded_in_octets_too },
	{ "reconnect starts with a snapshot", test_reconnect_starts_with_a_snapshot },
	{ "refused subscription asks again", test_refused_subscription_asks_again },
	{ "unknown stream method asks again", test_unknown_stream_method_asks_again },
	{ "the end comes after the items", test_stream_end_comes_after_the_items },
	{ "freed subscription closes the stream", test_freed_subscription_closes_the_stream },
	{ "freed publication closes the sink", test_freed_publication_closes_the_sink },
	{ "the client may go before its streams", test_client_may_go_before_its_streams },
	{ "many streams on one connection", test_many_streams_on_one_connection },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("rpc_stream", tests)
