/* lib/rpc against peers that do not keep the rules: what each kind of nonsense leads to, and that
 * the other side always survives it. */
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/control.pb-c.h"
#include "proto/node.pb-c.h"
#include "proto/rpc.pb-c.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <string.h>

#define NODE       (&fab__v1__node__descriptor)
#define CONTROL    (&fab__v1__control__descriptor)
#define BIG_REPLY  100000
#define SEEN_MAX   32
#define KIND(name) FAB__V1__RPC_FRAME__KIND__##name

/* A frame that came back. */
struct seen {
	Fab__V1__RpcFrame__Kind kind;
	uint64_t call;
	uint32_t status;
};

struct net {
	struct fab_test_dir dir;
	struct fab_loop *loop;
	/* Server under test, with a raw connection to it. */
	struct fab_rpc_server *server;
	struct fab_dial *dial;
	/* Client under test, with a raw listener for it. */
	struct fab_conn_listener *listener;
	struct fab_rpc_client *client;

	struct fab_conn *raw;
	bool closed;
	struct seen seen[SEEN_MAX];
	size_t seen_count;
	size_t responses;

	struct fab_rpc_call *held;
	unsigned served, sink_closed, sink_items;
	unsigned done;
	enum fab_rpc_status status;
	unsigned ended;
	enum fab_rpc_status ended_status;
	unsigned sub_items;
};

/* ---- handlers ---- */

static void
serve_dump(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	Fab__V1__DumpReply rep = FAB__V1__DUMP_REPLY__INIT;
	static char text[BIG_REPLY + 1];
	struct net *n = ctx;

	(void)req;
	n->served++;
	memset(text, 'x', BIG_REPLY);
	rep.text = text;
	fab_rpc_reply(call, &rep.base);
}

static void
serve_stats(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	struct net *n = ctx;

	(void)req;
	CU_ASSERT_PTR_NULL(n->held);
	n->held = call;
}

static void
watch_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	Fab__V1__NodeConfig conf = FAB__V1__NODE_CONFIG__INIT;

	(void)ctx;
	fab_rpc_stream_put(s, &conf.base);
}

static const struct fab_rpc_stream_ops watch_ops = { .snapshot = watch_snapshot };

static enum fab_rpc_status
open_watch(void *ctx, const ProtobufCMessage *req, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	(void)req;
	(void)s;
	(void)why;
	*ops = &watch_ops;
	*stream_ctx = ctx;
	return FAB_RPC_OK;
}

static void
report_open(void *ctx, void **stream_ctx)
{
	*stream_ctx = ctx;
}

static void
report_item(
    void *ctx, void *stream_ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	struct net *n = ctx;

	(void)stream_ctx;
	(void)item;
	(void)info;
	n->sink_items++;
}

static void
report_closed(void *ctx, void *stream_ctx)
{
	struct net *n = ctx;

	(void)stream_ctx;
	n->sink_closed++;
}

static const struct fab_rpc_sink_ops sink = { report_open, report_item, report_closed };

static const struct fab_rpc_handler node_rows[] = {
	{ .method = "Dump", .unary = serve_dump },
	{ .method = "Stats", .unary = serve_stats },
	{ NULL },
};

static const struct fab_rpc_handler control_rows[] = {
	{ .method = "Watch", .open = open_watch },
	{ .method = "Report", .sink = &sink },
	{ NULL },
};

/* ---- fixture ---- */

static void
raw_frame(void *ctx, struct fab_conn *c, const uint8_t *data, size_t len)
{
	Fab__V1__RpcFrame *f = fab__v1__rpc_frame__unpack(NULL, len, data);
	struct net *n = ctx;

	(void)c;
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	if (f->kind == KIND(RESPONSE))
		n->responses++;
	if (f->kind != KIND(PING) && n->seen_count < SEEN_MAX)
		n->seen[n->seen_count++] = (struct seen){ f->kind, f->call, f->status };
	fab__v1__rpc_frame__free_unpacked(f, NULL);
}

static void
raw_closed(void *ctx, struct fab_conn *c, int err)
{
	struct net *n = ctx;

	(void)err;
	fab_conn_free(c);
	n->raw = NULL;
	n->closed = true;
}

static const struct fab_conn_cb raw_cb = { raw_frame, raw_closed, NULL };

static void
on_dialled(void *ctx, struct fab_conn *c, int err)
{
	struct net *n = ctx;

	CU_ASSERT_EQUAL_FATAL(err, FAB_OK);
	n->raw = c;
	fab_conn_set_cb(c, &raw_cb, n);
	fab_dial_free(n->dial);
	n->dial = NULL;
}

static void
raw_dial(struct net *n)
{
	n->closed = false;
	n->seen_count = n->responses = 0;
	CU_ASSERT_EQUAL_FATAL(
	    fab_conn_dial(&n->dial, n->loop, n->dir.url, NULL, on_dialled, n), FAB_OK);
	AWAIT(n->loop, n->raw != NULL);
}

static void
net_init(struct net *n)
{
	memset(n, 0, sizeof(*n));
	fab_test_dir_init(&n->dir);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&n->loop), FAB_OK);
}

/* A server under test and a raw connection to it. */
static void
net_server(struct net *n)
{
	net_init(n);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n->server, n->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n->server, NODE, node_rows, n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n->server, CONTROL, control_rows, n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(n->server, n->dir.url, NULL), FAB_OK);
	raw_dial(n);
}

static void
on_accept(void *ctx, struct fab_conn *c)
{
	struct net *n = ctx;

	fab_conn_free(n->raw);
	n->raw = c;
	n->closed = false;
	n->seen_count = 0;
	fab_conn_set_cb(c, &raw_cb, n);
}

/* A client under test and the raw connection that it made. */
static void
net_client(struct net *n)
{
	net_init(n);
	CU_ASSERT_EQUAL_FATAL(
	    fab_conn_listen(&n->listener, n->loop, n->dir.url, NULL, on_accept, n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&n->client, n->loop, n->dir.url, NULL, NULL, NULL), FAB_OK);
	AWAIT(n->loop, n->raw != NULL);
}

static void
net_fini(struct net *n)
{
	fab_rpc_client_free(n->client);
	fab_rpc_server_free(n->server);
	fab_conn_free(n->raw);
	fab_dial_free(n->dial);
	fab_conn_listener_free(n->listener);
	if (n->held != NULL)
		fab_rpc_fail(n->held, FAB_RPC_ABORTED, "the test is over");
	fab_loop_drain(n->loop, 1000);
	fab_loop_free(n->loop);
	fab_test_dir_fini(&n->dir);
}

static void
raw_send_bytes(struct net *n, const uint8_t *data, size_t len)
{
	struct fab_buf *b = fab_buf_new(len);

	memcpy(b->data, data, len);
	if (n->raw != NULL)
		fab_conn_send(n->raw, b);
	fab_buf_unref(b);
}

static void
raw_send(struct net *n, const Fab__V1__RpcFrame *f)
{
	size_t len = fab__v1__rpc_frame__get_packed_size(f);
	uint8_t *data = malloc(len);

	fab__v1__rpc_frame__pack(f, data);
	raw_send_bytes(n, data, len);
	free(data);
}

static void
raw_kind(struct net *n, Fab__V1__RpcFrame__Kind kind, uint64_t call)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;

	f.kind = kind;
	f.call = call;
	raw_send(n, &f);
}

static void
raw_request(struct net *n, uint64_t call, const char *method)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	char name[64];

	snprintf(name, sizeof(name), "%s", method);
	f.kind = KIND(REQUEST);
	f.call = call;
	f.method = name;
	raw_send(n, &f);
}

static void
raw_item(struct net *n, uint64_t call, uint64_t epoch, uint64_t seq, const char *body)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	uint8_t octets[16];

	f.kind = KIND(ITEM);
	f.call = call;
	f.epoch = epoch;
	f.seq = seq;
	memcpy(octets, body, strlen(body));
	f.body.data = octets;
	f.body.len = strlen(body);
	raw_send(n, &f);
}

/* The number of the last REQUEST that the client under test sent; 0: none. */
static uint64_t
last_request(const struct net *n)
{
	for (size_t i = n->seen_count; i > 0; i--)
		if (n->seen[i - 1].kind == KIND(REQUEST))
			return n->seen[i - 1].call;
	return 0;
}

/* The server still answers on a new connection. */
static void
check_alive(struct net *n)
{
	fab_conn_free(n->raw);
	n->raw = NULL;
	raw_dial(n);
	raw_request(n, 1, "fab.v1.Node/Dump");
	AWAIT(n->loop, n->responses == 1);
	CU_ASSERT_EQUAL(n->seen[0].status, FAB_RPC_OK);
}

/* ---- tests ---- */

static void
test_garbage_ends_the_connection(void)
{
	static const uint8_t garbage[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3 };
	struct net n;

	net_server(&n);
	raw_send_bytes(&n, garbage, sizeof(garbage));
	AWAIT(n.loop, n.closed);
	CU_ASSERT_EQUAL(fab_rpc_server_stats(n.server)->bad_frames, 1);
	check_alive(&n);
	net_fini(&n);
}

static void
test_wrong_call_numbers_end_the_connection(void)
{
	struct net n;

	net_server(&n);
	raw_request(&n, 0, "fab.v1.Node/Dump");
	AWAIT(n.loop, n.closed);
	raw_dial(&n);
	raw_request(&n, 7, "fab.v1.Node/Stats");
	AWAIT(n.loop, n.held != NULL);
	raw_request(&n, 7, "fab.v1.Node/Dump"); /* in use */
	AWAIT(n.loop, n.closed);
	CU_ASSERT_EQUAL(n.served, 0);
	CU_ASSERT_EQUAL(fab_rpc_server_stats(n.server)->bad_frames, 2);
	check_alive(&n);
	net_fini(&n);
}

static void
test_stray_frames_are_counted_and_ignored(void)
{
	static const Fab__V1__RpcFrame__Kind kinds[] = { KIND(ITEM), KIND(ACK), KIND(CANCEL),
		KIND(RESPONSE), KIND(KIND_UNSPECIFIED), (Fab__V1__RpcFrame__Kind)99 };
	struct net n;

	net_server(&n);
	raw_request(&n, 5, "fab.v1.Node/Stats");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		raw_kind(&n, kinds[i], 4711);
	raw_kind(&n, KIND(ITEM), 5); /* not a stream */
	raw_kind(&n, KIND(ACK), 5);
	raw_kind(&n, KIND(PONG), 0);
	raw_request(&n, 6, "fab.v1.Node/Dump");
	AWAIT(n.loop, n.responses == 1);
	CU_ASSERT_EQUAL(n.seen[0].call, 6);
	CU_ASSERT_EQUAL(fab_rpc_server_stats(n.server)->stray_frames, 8);
	CU_ASSERT_FALSE(n.closed);
	net_fini(&n);
}

static void
test_requests_that_cannot_be_served(void)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	uint8_t bad[] = { 0x0a, 0x7f, 'x' }; /* a string of 127 octets, cut off */
	struct net n;

	net_server(&n);
	raw_request(&n, 1, "");
	raw_request(&n, 2, "fab.v1.Node/Fly");
	raw_request(&n, 3, "Dump");
	f.kind = KIND(REQUEST);
	f.call = 4;
	f.method = "fab.v1.Control/Watch";
	f.body.data = bad;
	f.body.len = sizeof(bad);
	raw_send(&n, &f);
	AWAIT(n.loop, n.responses == 4);
	for (size_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(n.seen[i].status, FAB_RPC_UNIMPLEMENTED);
	CU_ASSERT_EQUAL(n.seen[3].status, FAB_RPC_INVALID_ARGUMENT);
	CU_ASSERT_EQUAL(n.seen[3].call, 4);
	net_fini(&n);
}

static void
test_bad_items_end_their_stream_only(void)
{
	static const struct {
		uint64_t epoch, seq;
		const char *body;
	} rows[] = {
		{ 1, 3, "" },         /* gap */
		{ 1, 1, "" },         /* again */
		{ 2, 2, "" },         /* a new epoch starts with 1 */
		{ 1, 2, "\x0a\x7f" }, /* does not decode */
	};
	struct net n;

	net_server(&n);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t call = i + 1;

		n.seen_count = n.responses = n.sink_items = 0;
		raw_request(&n, call, "fab.v1.Control/Report");
		raw_item(&n, call, 1, 1, "");
		raw_item(&n, call, rows[i].epoch, rows[i].seq, rows[i].body);
		raw_item(&n, call, 1, 2, ""); /* stray by then */
		AWAIT(n.loop, n.responses == 1);
		CU_ASSERT_EQUAL(n.sink_items, 1);
		CU_ASSERT_EQUAL(n.sink_closed, i + 1);
		for (size_t k = 0; k < n.seen_count; k++)
			if (n.seen[k].kind == KIND(RESPONSE))
				CU_ASSERT_EQUAL(n.seen[k].status, FAB_RPC_DATA_LOSS);
		CU_ASSERT_FALSE(n.closed);
	}
	net_fini(&n);
}

static void
test_ack_of_the_unsent_ends_the_connection(void)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	struct net n;

	net_server(&n);
	raw_request(&n, 1, "fab.v1.Control/Watch");
	AWAIT(n.loop, n.seen_count == 1);
	CU_ASSERT_EQUAL(n.seen[0].kind, KIND(ITEM));
	f.kind = KIND(ACK);
	f.call = 1;
	f.epoch = 1;
	f.seq = 1000000;
	raw_send(&n, &f);
	AWAIT(n.loop, n.closed);
	check_alive(&n);
	net_fini(&n);
}

static void
test_too_many_streams_are_refused(void)
{
	struct net n;

	net_server(&n);
	for (uint64_t i = 1; i <= FAB_RPC_STREAMS_MAX; i++)
		raw_request(&n, i, "fab.v1.Control/Report");
	raw_request(&n, FAB_RPC_STREAMS_MAX + 1, "fab.v1.Control/Report");
	raw_request(&n, FAB_RPC_STREAMS_MAX + 2, "fab.v1.Control/Watch");
	AWAIT(n.loop, n.responses == 2);
	CU_ASSERT_EQUAL(n.seen[0].status, FAB_RPC_RESOURCE_EXHAUSTED);
	CU_ASSERT_EQUAL(n.seen[1].status, FAB_RPC_RESOURCE_EXHAUSTED);
	raw_kind(&n, KIND(CANCEL), 1);
	raw_request(&n, FAB_RPC_STREAMS_MAX + 3, "fab.v1.Control/Report"); /* room again */
	raw_request(&n, FAB_RPC_STREAMS_MAX + 4, "fab.v1.Node/Dump");
	AWAIT(n.loop, n.responses == 3);
	CU_ASSERT_EQUAL(n.seen[2].status, FAB_RPC_OK);
	CU_ASSERT_EQUAL(fab_rpc_server_stats(n.server)->refused, 2);
	net_fini(&n);
}

/* Who asks and asks and never reads the answers is not read any more. */
static void
test_unread_answers_stop_the_requests(void)
{
	const unsigned asked = 300; /* 30 MB of answers */
	struct net n;
	unsigned served;

	net_server(&n);
	fab_conn_pause(n.raw, true);
	for (unsigned i = 1; i <= asked; i++)
		raw_request(&n, i, "fab.v1.Node/Dump");
	AWAIT(n.loop, n.served > 20);
	for (int i = 0; i < 50; i++)
		fab_loop_turn(n.loop, 2);
	served = n.served;
	CU_ASSERT(served < 200); /* 4 MiB of backlog, and what the socket holds */
	fab_conn_pause(n.raw, false);
	AWAIT(n.loop, n.responses == asked);
	CU_ASSERT_FALSE(n.closed);
	net_fini(&n);
}

/* 14 MB of empty submessages would become hundreds of MB of structs. */
static void
test_decoding_has_a_memory_bound(void)
{
	const size_t count = 7u << 20, head = 5;
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	uint8_t *body = malloc(head + 2 * count);
	struct net n;

	body[0] = (2 << 3) | 2; /* ReportItem.routes, its length as a varint of 4 octets */
	for (size_t i = 1, v = 2 * count; i < head; i++, v >>= 7)
		body[i] = (uint8_t)((v & 0x7f) | (i + 1 < head ? 0x80 : 0));
	for (size_t i = 0; i < count; i++) {
		body[head + 2 * i] = (2 << 3) | 2; /* RouteBatch.groups, each empty */
		body[head + 2 * i + 1] = 0;
	}
	net_server(&n);
	raw_request(&n, 1, "fab.v1.Control/Report");
	f.kind = KIND(ITEM);
	f.call = 1;
	f.epoch = f.seq = 1;
	f.body.data = body;
	f.body.len = head + 2 * count;
	raw_send(&n, &f);
	AWAIT(n.loop, n.responses == 1);
	CU_ASSERT_EQUAL(n.seen[0].status, FAB_RPC_DATA_LOSS);
	CU_ASSERT_EQUAL(n.sink_items, 0);
	check_alive(&n);
	free(body);
	net_fini(&n);
}

static void
test_mutated_requests_never_hurt(void)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	uint8_t wire[128], copy[128];
	struct net n;
	size_t len;

	f.kind = KIND(REQUEST);
	f.call = 9;
	f.method = "fab.v1.Control/Report";
	f.timeout_ms = 1000;
	f.epoch = 1;
	f.seq = 1;
	len = fab__v1__rpc_frame__pack(&f, wire);
	net_server(&n);
	for (size_t i = 0; i < 2 * len; i++) {
		size_t cut = i < len ? i + 1 : len;

		if (n.raw == NULL)
			raw_dial(&n);
		memcpy(copy, wire, len);
		if (i >= len)
			copy[i - len] ^= 0xff;
		raw_send_bytes(&n, copy, cut);
		raw_kind(&n, KIND(CANCEL), 9);
		fab_loop_turn(n.loop, 1);
	}
	check_alive(&n);
	net_fini(&n);
}

/* ---- the client against a strange server ---- */

static void
on_done(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct net *n = ctx;

	(void)message;
	CU_ASSERT_EQUAL(reply != NULL, status == FAB_RPC_OK);
	n->done++;
	n->status = status;
}

static void
client_call(struct net *n, uint32_t timeout_ms)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;

	n->done = 0;
	fab_rpc_call(n->client, NODE, "Dump", &empty.base, timeout_ms, timeout_ms, on_done, n);
}

static void
test_server_that_never_greets_is_no_connection(void)
{
	struct net n;

	net_client(&n);
	client_call(&n, 50);
	AWAIT(n.loop, n.done == 1);
	CU_ASSERT_EQUAL(n.status, FAB_RPC_UNAVAILABLE);
	CU_ASSERT_EQUAL(n.seen_count, 0); /* nothing was sent to it */
	CU_ASSERT_FALSE(fab_rpc_client_connected(n.client));
	net_fini(&n);
}

static void
test_answers_that_make_no_sense(void)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;
	uint8_t bad[] = { 0x0a, 0x7f, 'x' };
	struct net n;
	uint64_t call;

	net_client(&n);
	raw_kind(&n, KIND(PING), 0);
	client_call(&n, 10000);
	AWAIT(n.loop, (call = last_request(&n)) != 0);
	raw_kind(&n, KIND(RESPONSE), 4711);
	raw_kind(&n, KIND(REQUEST), 1);
	raw_item(&n, call, 1, 1, "");
	raw_kind(&n, KIND(ACK), call);
	raw_kind(&n, (Fab__V1__RpcFrame__Kind)99, call);
	AWAIT(n.loop, fab_rpc_client_stats(n.client)->stray_frames == 5);
	CU_ASSERT_EQUAL(n.done, 0);
	f.kind = KIND(RESPONSE);
	f.call = call;
	f.body.data = bad;
	f.body.len = sizeof(bad);
	raw_send(&n, &f);
	AWAIT(n.loop, n.done == 1);
	CU_ASSERT_EQUAL(n.status, FAB_RPC_INTERNAL);
	CU_ASSERT_TRUE(fab_rpc_client_connected(n.client));
	raw_send_bytes(&n, bad, sizeof(bad));
	AWAIT(n.loop, n.closed);
	CU_ASSERT_EQUAL(fab_rpc_client_stats(n.client)->bad_frames, 1);
	net_fini(&n);
}

static void
sub_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	struct net *n = ctx;

	(void)item;
	(void)info;
	n->sub_items++;
}

static void
sub_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct net *n = ctx;

	(void)message;
	n->ended++;
	n->ended_status = status;
}

static void
test_gap_restarts_the_subscription(void)
{
	static const struct fab_rpc_sub_ops ops = { sub_item, sub_ended };
	Fab__V1__WatchRequest req = FAB__V1__WATCH_REQUEST__INIT;
	struct fab_rpc_sub *sub;
	struct net n;
	uint64_t first;

	net_client(&n);
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_subscribe(&sub, n.client, CONTROL, "Watch", &req.base, &ops, &n), FAB_OK);
	raw_kind(&n, KIND(PING), 0);
	AWAIT(n.loop, (first = last_request(&n)) != 0);
	raw_item(&n, first, 8, 1, "");
	raw_item(&n, first, 8, 3, "");
	AWAIT(n.loop, n.ended == 1);
	CU_ASSERT_EQUAL(n.ended_status, FAB_RPC_DATA_LOSS);
	CU_ASSERT_EQUAL(n.sub_items, 1);
	AWAIT(n.loop, last_request(&n) != first);
	raw_item(&n, first, 8, 2, ""); /* the old call means nothing any more */
	raw_item(&n, last_request(&n), 9, 1, "");
	AWAIT(n.loop, n.sub_items == 2);
	CU_ASSERT_EQUAL(n.ended, 1);
	fab_rpc_sub_free(sub);
	net_fini(&n);
}

static CU_TestInfo tests[] = {
	{ "garbage ends the connection", test_garbage_ends_the_connection },
	{ "wrong call numbers end the connection", test_wrong_call_numbers_end_the_connection },
	{ "stray frames are counted and ignored", test_stray_frames_are_counted_and_ignored },
	{ "requests that cannot be served", test_requests_that_cannot_be_served },
	{ "bad items end their stream only", test_bad_items_end_their_stream_only },
	{ "ACK of the unsent ends the connection", test_ack_of_the_unsent_ends_the_connection },
	{ "too many streams are refused", test_too_many_streams_are_refused },
	{ "unread answers stop the requests", test_unread_answers_stop_the_requests },
	{ "decoding has a memory bound", test_decoding_has_a_memory_bound },
	{ "mutated requests never hurt", test_mutated_requests_never_hurt },
	{ "a server that never greets is none", test_server_that_never_greets_is_no_connection },
	{ "answers that make no sense", test_answers_that_make_no_sense },
	{ "a gap restarts the subscription", test_gap_restarts_the_subscription },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("rpc_hostile", tests)
