/* lib/rpc: unary calls, both ends on one loop. Streams are in test_rpc_stream.c, frames that no
 * client of ours would send in test_rpc_hostile.c. */
#include "lib/err.h"
#include "lib/rpc.h"
#include "proto/node.pb-c.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fab_net.h"

#include <string.h>

#define NODE (&fab__v1__node__descriptor)

struct answer {
	unsigned done;
	enum fab_rpc_status status;
	char message[256];
	char text[64]; /* DumpReply */
};

struct net {
	struct fab_test_dir dir;
	struct fab_loop *loop;
	struct fab_rpc_server *server;
	struct fab_rpc_client *client;
	struct fab_rpc_call *held[4]; /* Stats calls that the test answers itself */
	size_t held_count;
	unsigned cancelled;
	bool connected;
	unsigned losses;
	bool free_client;
};

static void
serve_dump(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	Fab__V1__DumpReply rep = FAB__V1__DUMP_REPLY__INIT;

	(void)ctx;
	(void)req;
	rep.text = "hello";
	fab_rpc_reply(call, &rep.base);
}

static void
serve_level(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	const Fab__V1__LogLevelRequest *r = (const Fab__V1__LogLevelRequest *)req;

	(void)ctx;
	fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "%s is no level", r->level);
}

static void
on_cancel(void *arg)
{
	struct net *n = arg;

	n->cancelled++;
}

static void
serve_stats(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *req)
{
	struct net *n = ctx;

	(void)req;
	fab_rpc_call_on_cancel(call, on_cancel, n);
	n->held[n->held_count++ % 4] = call;
}

static const struct fab_rpc_handler table[] = {
	{ .method = "Dump", .unary = serve_dump },
	{ .method = "SetLogLevel", .unary = serve_level },
	{ .method = "Stats", .unary = serve_stats },
	{ NULL },
};

static void
on_state(void *ctx, bool connected)
{
	struct net *n = ctx;

	CU_ASSERT_NOT_EQUAL(n->connected, connected);
	n->connected = connected;
	n->losses += !connected;
}

static void
on_done(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct answer *a = ctx;

	a->done++;
	a->status = status;
	snprintf(a->message, sizeof(a->message), "%s", message);
	CU_ASSERT_EQUAL(reply != NULL, status == FAB_RPC_OK);
	if (reply != NULL && reply->descriptor == &fab__v1__dump_reply__descriptor)
		snprintf(a->text, sizeof(a->text), "%s", ((const Fab__V1__DumpReply *)reply)->text);
}

static void
serve(struct net *n)
{
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n->server, n->loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n->server, NODE, table, n), FAB_OK);
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
	fab_test_dir_init(&n->dir);
	CU_ASSERT_EQUAL_FATAL(fab_loop_new(&n->loop), FAB_OK);
}

static void
net_dial(struct net *n)
{
	CU_ASSERT_EQUAL_FATAL(
	    fab_rpc_client_new(&n->client, n->loop, n->dir.url, NULL, on_state, n), FAB_OK);
}

static void
net_connect(struct net *n)
{
	net_init(n);
	serve(n);
	net_dial(n);
	AWAIT(n->loop, n->connected);
}

static void
net_fini(struct net *n)
{
	fab_rpc_client_free(n->client);
	fab_rpc_server_free(n->server);
	fab_loop_drain(n->loop, 5000);
	fab_loop_free(n->loop);
	fab_test_dir_fini(&n->dir);
}

static uint64_t
call(struct net *n, const char *method, uint32_t timeout_ms, uint32_t wait_ms, struct answer *a)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	Fab__V1__LogLevelRequest level = FAB__V1__LOG_LEVEL_REQUEST__INIT;
	uint64_t id;

	memset(a, 0, sizeof(*a));
	level.level = "loud";
	id = fab_rpc_call(n->client, NODE, method,
	    strcmp(method, "SetLogLevel") == 0 ? &level.base : &empty.base, timeout_ms, wait_ms,
	    on_done, a);
	CU_ASSERT_EQUAL(a->done, 0); /* never from inside the call */
	return id;
}

static void
answer_held(struct net *n, size_t i)
{
	Fab__V1__StatsReply rep = FAB__V1__STATS_REPLY__INIT;

	fab_rpc_reply(n->held[i], &rep.base);
	n->held[i] = NULL;
}

static void
test_call_is_answered(void)
{
	struct answer ok, fails;
	struct net n;

	net_connect(&n);
	call(&n, "Dump", 1000, 0, &ok);
	call(&n, "SetLogLevel", 0, 0, &fails);
	AWAIT(n.loop, ok.done && fails.done);
	CU_ASSERT_EQUAL(ok.status, FAB_RPC_OK);
	CU_ASSERT_STRING_EQUAL(ok.text, "hello");
	CU_ASSERT_STRING_EQUAL(ok.message, "");
	CU_ASSERT_EQUAL(fails.status, FAB_RPC_INVALID_ARGUMENT);
	CU_ASSERT_STRING_EQUAL(fails.message, "loud is no level");
	CU_ASSERT_EQUAL(fab_rpc_server_stats(n.server)->calls, 2);
	CU_ASSERT_EQUAL(fab_rpc_client_stats(n.client)->calls, 2);
	net_fini(&n);
}

static void
test_method_without_row_is_unimplemented(void)
{
	struct answer a;
	struct net n;

	net_connect(&n);
	call(&n, "Health", 1000, 0, &a);
	AWAIT(n.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_UNIMPLEMENTED);
	net_fini(&n);
}

static void
test_answer_may_come_later(void)
{
	struct answer a, b;
	struct net n;

	net_connect(&n);
	call(&n, "Stats", 0, 0, &a);
	call(&n, "Stats", 60000, 0, &b);
	AWAIT(n.loop, n.held_count == 2);
	answer_held(&n, 1); /* out of order */
	AWAIT(n.loop, b.done);
	CU_ASSERT_EQUAL(a.done, 0);
	answer_held(&n, 0);
	AWAIT(n.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_OK);
	CU_ASSERT_EQUAL(n.cancelled, 0);
	net_fini(&n);
}

static void
test_deadline_ends_both_sides(void)
{
	struct fab_mono start = fab_mono_now();
	struct answer a;
	struct net n;

	net_connect(&n);
	call(&n, "Stats", 30, 0, &a);
	AWAIT(n.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT(fab_mono_us_between(start, fab_mono_now()) >= 30000);
	AWAIT(n.loop, n.cancelled == 1);
	answer_held(&n, 0); /* nobody waits, still allowed */
	call(&n, "Dump", 1000, 0, &a);
	AWAIT(n.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_OK);
	net_fini(&n);
}

static void
test_cancel_tells_the_handler(void)
{
	struct answer a;
	struct net n;
	uint64_t id;

	net_connect(&n);
	id = call(&n, "Stats", 0, 0, &a);
	AWAIT(n.loop, n.held_count == 1);
	fab_rpc_cancel(n.client, id);
	CU_ASSERT_EQUAL(a.done, 0);
	fab_rpc_cancel(n.client, id); /* twice does nothing */
	fab_rpc_cancel(n.client, 4711);
	AWAIT(n.loop, a.done && n.cancelled);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_CANCELLED);
	answer_held(&n, 0);
	for (int i = 0; i < 20; i++)
		fab_loop_turn(n.loop, 1);
	CU_ASSERT_EQUAL(a.done, 1);
	net_fini(&n);
}

static void
test_calls_wait_for_the_connection(void)
{
	struct answer no_wait, waits, gives_up, late, cancelled;
	struct net n;
	uint64_t id;

	net_init(&n);
	net_dial(&n);
	call(&n, "Dump", 60000, 0, &no_wait);
	call(&n, "Dump", 0, 60000, &waits);
	call(&n, "Dump", 60000, 40, &gives_up);
	call(&n, "Dump", 30, 60000, &late);
	id = call(&n, "Dump", 0, 60000, &cancelled);
	fab_rpc_cancel(n.client, id);
	AWAIT(n.loop, no_wait.done);
	CU_ASSERT_EQUAL(no_wait.status, FAB_RPC_UNAVAILABLE);
	CU_ASSERT_PTR_NOT_NULL(strstr(no_wait.message, n.dir.url));
	AWAIT(n.loop, gives_up.done && late.done && cancelled.done);
	CU_ASSERT_EQUAL(gives_up.status, FAB_RPC_UNAVAILABLE);
	CU_ASSERT_EQUAL(late.status, FAB_RPC_DEADLINE_EXCEEDED);
	CU_ASSERT_EQUAL(cancelled.status, FAB_RPC_CANCELLED);
	CU_ASSERT_EQUAL(waits.done, 0);
	serve(&n);
	AWAIT(n.loop, waits.done);
	CU_ASSERT_EQUAL(waits.status, FAB_RPC_OK);
	net_fini(&n);
}

static void
test_loss_fails_calls_in_flight_and_client_returns(void)
{
	struct answer a, b, c;
	struct net n;

	net_connect(&n);
	call(&n, "Stats", 0, 0, &a);
	call(&n, "Stats", 60000, 60000, &b);
	AWAIT(n.loop, n.held_count == 2);
	stop_serving(&n);
	CU_ASSERT_EQUAL(n.cancelled, 2);
	AWAIT(n.loop, a.done && b.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_UNAVAILABLE);
	CU_ASSERT_EQUAL(b.status, FAB_RPC_UNAVAILABLE); /* sent once, never again */
	CU_ASSERT_EQUAL(n.losses, 1);
	answer_held(&n, 0); /* their server is gone, they are still answered */
	answer_held(&n, 1);
	call(&n, "Dump", 0, 60000, &c);
	serve(&n);
	AWAIT(n.loop, c.done);
	CU_ASSERT_EQUAL(c.status, FAB_RPC_OK);
	CU_ASSERT_EQUAL(n.held_count, 2);
	net_fini(&n);
}

static void
test_first_connect_is_quick_once_the_socket_is_there(void)
{
	struct fab_mono start;
	struct net n;

	net_init(&n);
	net_dial(&n);
	for (int i = 0; i < 3; i++)
		fab_loop_turn(n.loop, 5); /* the first dials fail */
	serve(&n);
	start = fab_mono_now();
	AWAIT(n.loop, n.connected);
	/* 20 ms by design; the rest is for a busy machine */
	CU_ASSERT(fab_mono_us_between(start, fab_mono_now()) < 500000);
	net_fini(&n);
}

static void
free_client_inside(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct net *n = ctx;

	(void)message;
	(void)reply;
	CU_ASSERT_EQUAL(status, FAB_RPC_OK);
	fab_rpc_client_free(n->client);
	n->client = NULL;
}

static void
test_client_free_cancels_also_from_inside(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct answer a, b;
	struct net n;

	net_connect(&n);
	call(&n, "Stats", 0, 0, &a);
	call(&n, "Stats", 0, 0, &b);
	AWAIT(n.loop, n.held_count == 2);
	fab_rpc_call(n.client, NODE, "Dump", &empty.base, 0, 0, free_client_inside, &n);
	AWAIT(n.loop, n.client == NULL && n.cancelled == 2);
	CU_ASSERT_EQUAL(a.done, 1);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_CANCELLED);
	CU_ASSERT_EQUAL(b.status, FAB_RPC_CANCELLED);
	answer_held(&n, 0);
	answer_held(&n, 1);
	net_fini(&n);
}

/* One that tries again, and gives up what else it had asked for. */
struct stubborn {
	struct net *n;
	uint64_t other;
	struct answer again;
};

static void
on_done_again(
    void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *reply)
{
	struct stubborn *s = ctx;

	(void)message;
	(void)reply;
	CU_ASSERT_EQUAL(status, FAB_RPC_CANCELLED);
	fab_rpc_cancel(s->n->client, s->other);
	call(s->n, "Dump", 0, 60000, &s->again);
}

static void
test_client_free_ends_what_its_callbacks_start(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct stubborn s = { 0 };
	struct answer other;
	struct net n;

	net_connect(&n);
	s.n = &n;
	fab_rpc_call(n.client, NODE, "Stats", &empty.base, 0, 0, on_done_again, &s);
	s.other = call(&n, "Stats", 0, 0, &other);
	AWAIT(n.loop, n.held_count == 2);
	fab_rpc_client_free(n.client);
	n.client = NULL;
	CU_ASSERT_EQUAL(other.done, 1);
	CU_ASSERT_EQUAL(other.status, FAB_RPC_CANCELLED);
	CU_ASSERT_EQUAL(s.again.done, 1);
	CU_ASSERT_EQUAL(s.again.status, FAB_RPC_CANCELLED);
	AWAIT(n.loop, n.cancelled == 2);
	answer_held(&n, 0);
	answer_held(&n, 1);
	net_fini(&n);
}

#define MANY 10000

static struct fab_rpc_call *many_calls[MANY];
static size_t many_count;

static void
serve_many(void *ctx, struct fab_rpc_call *c, const ProtobufCMessage *req)
{
	(void)ctx;
	(void)req;
	many_calls[many_count++] = c;
}

static const struct fab_rpc_handler many_table[] = {
	{ .method = "Stats", .unary = serve_many },
	{ NULL },
};

static void
count_done(void *ctx, enum fab_rpc_status status, const char *message, const ProtobufCMessage *r)
{
	unsigned *count = ctx;

	(void)message;
	(void)r;
	count[status]++;
}

static void
test_ten_thousand_calls_in_flight(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	Fab__V1__StatsReply rep = FAB__V1__STATS_REPLY__INIT;
	unsigned count[17] = { 0 };
	struct net n;

	many_count = 0;
	net_init(&n);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n.server, n.loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n.server, NODE, many_table, &n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(n.server, n.dir.url, NULL), FAB_OK);
	net_dial(&n);
	AWAIT(n.loop, n.connected);
	for (int i = 0; i < MANY; i++)
		fab_rpc_call(n.client, NODE, "Stats", &empty.base, 60000, 0, count_done, count);
	AWAIT(n.loop, many_count == MANY);
	CU_ASSERT_EQUAL(count[FAB_RPC_OK], 0);
	while (many_count > 0)
		fab_rpc_reply(many_calls[--many_count], &rep.base);
	AWAIT(n.loop, count[FAB_RPC_OK] == MANY);
	net_fini(&n);
}

static void
test_too_many_calls_are_refused(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	unsigned count[17] = { 0 };
	struct net n;

	net_init(&n);
	net_dial(&n); /* nobody serves: they all wait */
	for (int i = 0; i < FAB_RPC_CALLS_MAX + 3; i++)
		fab_rpc_call(n.client, NODE, "Stats", &empty.base, 0, 60000, count_done, count);
	AWAIT(n.loop, count[FAB_RPC_RESOURCE_EXHAUSTED] == 3);
	fab_rpc_client_free(n.client);
	n.client = NULL;
	CU_ASSERT_EQUAL(count[FAB_RPC_CANCELLED], FAB_RPC_CALLS_MAX);
	net_fini(&n);
}

static void
test_oversized_request_is_refused(void)
{
	Fab__V1__LogLevelRequest req = FAB__V1__LOG_LEVEL_REQUEST__INIT;
	struct answer a = { 0 };
	struct net n;

	net_connect(&n);
	req.level = malloc(FAB_CONN_FRAME_MAX + 1);
	memset(req.level, 'x', FAB_CONN_FRAME_MAX);
	req.level[FAB_CONN_FRAME_MAX] = '\0';
	fab_rpc_call(n.client, NODE, "SetLogLevel", &req.base, 0, 0, on_done, &a);
	free(req.level);
	AWAIT(n.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_RESOURCE_EXHAUSTED);
	CU_ASSERT_TRUE(fab_rpc_client_connected(n.client));
	net_fini(&n);
}

static void
serve_huge(void *ctx, struct fab_rpc_call *c, const ProtobufCMessage *req)
{
	Fab__V1__DumpReply rep = FAB__V1__DUMP_REPLY__INIT;

	(void)ctx;
	(void)req;
	rep.text = malloc(FAB_CONN_FRAME_MAX + 1);
	memset(rep.text, 'x', FAB_CONN_FRAME_MAX);
	rep.text[FAB_CONN_FRAME_MAX] = '\0';
	fab_rpc_reply(c, &rep.base);
	free(rep.text);
}

static const struct fab_rpc_handler huge_table[] = {
	{ .method = "Dump", .unary = serve_huge },
	{ NULL },
};

static void
test_oversized_reply_becomes_a_status(void)
{
	struct answer a;
	struct net n;

	net_init(&n);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n.server, n.loop), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_add(n.server, NODE, huge_table, &n), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_listen(n.server, n.dir.url, NULL), FAB_OK);
	net_dial(&n);
	call(&n, "Dump", 0, 5000, &a);
	AWAIT(n.loop, a.done);
	CU_ASSERT_EQUAL(a.status, FAB_RPC_RESOURCE_EXHAUSTED);
	net_fini(&n);
}

static void
test_tables_are_checked(void)
{
	static const struct fab_rpc_handler none[] = { { .method = "Dump" }, { NULL } };
	static const struct fab_rpc_handler unknown[] = {
		{ .method = "Fly", .unary = serve_dump },
		{ NULL },
	};
	struct net n;

	net_init(&n);
	CU_ASSERT_EQUAL_FATAL(fab_rpc_server_new(&n.server, n.loop), FAB_OK);
	CU_ASSERT_EQUAL(fab_rpc_server_add(n.server, NODE, none, &n), FAB_EINVAL);
	CU_ASSERT_EQUAL(fab_rpc_server_add(n.server, NODE, unknown, &n), FAB_ENOENT);
	CU_ASSERT_EQUAL(fab_rpc_server_add(n.server, NODE, table, &n), FAB_OK);
	CU_ASSERT_EQUAL(fab_rpc_server_add(n.server, NODE, table, &n), FAB_EEXIST);
	CU_ASSERT_EQUAL(
	    fab_rpc_client_new(&n.client, n.loop, "http://x", NULL, NULL, NULL), FAB_EINVAL);
	CU_ASSERT_PTR_NULL(n.client);
	net_fini(&n);
}

static void
test_sync_call(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	ProtobufCMessage *reply = NULL;
	char why[256];
	struct net n;

	net_init(&n);
	net_dial(&n);
	CU_ASSERT_EQUAL(
	    fab_rpc_call_sync(n.loop, n.client, NODE, "Dump", &empty.base, 1000, 20, &reply, why),
	    FAB_RPC_UNAVAILABLE);
	CU_ASSERT_PTR_NULL(reply);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "no connection"));
	serve(&n);
	CU_ASSERT_EQUAL(
	    fab_rpc_call_sync(n.loop, n.client, NODE, "Dump", &empty.base, 5000, 5000, &reply, why),
	    FAB_RPC_OK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(reply);
	CU_ASSERT_STRING_EQUAL(((Fab__V1__DumpReply *)reply)->text, "hello");
	protobuf_c_message_free_unpacked(reply, NULL);
	fab_loop_stop(n.loop); /* as SIGINT does */
	CU_ASSERT_EQUAL(
	    fab_rpc_call_sync(n.loop, n.client, NODE, "Stats", &empty.base, 60000, 0, &reply, why),
	    FAB_RPC_CANCELLED);
	fab_loop_run(n.loop); /* clears the stop */
	AWAIT(n.loop, n.held_count == 0 || n.cancelled == 1);
	if (n.held_count > 0)
		answer_held(&n, 0);
	net_fini(&n);
}

static void
test_handler_without_any_socket(void)
{
	Fab__V1__Empty empty = FAB__V1__EMPTY__INIT;
	struct answer now = { 0 }, later = { 0 };
	struct net n = { 0 };

	fab_rpc_call_handler(table, &n, "Dump", &empty.base, on_done, &now);
	CU_ASSERT_EQUAL(now.done, 1);
	CU_ASSERT_STRING_EQUAL(now.text, "hello");
	fab_rpc_call_handler(table, &n, "Stats", &empty.base, on_done, &later);
	CU_ASSERT_EQUAL(later.done, 0);
	answer_held(&n, 0);
	CU_ASSERT_EQUAL(later.done, 1);
	CU_ASSERT_EQUAL(later.status, FAB_RPC_OK);
}

static void
test_status_names(void)
{
	CU_ASSERT_STRING_EQUAL(fab_rpc_status_name(FAB_RPC_OK), "OK");
	CU_ASSERT_STRING_EQUAL(fab_rpc_status_name(FAB_RPC_NOT_FOUND), "NOT_FOUND");
	CU_ASSERT_STRING_EQUAL(fab_rpc_status_name(FAB_RPC_UNAUTHENTICATED), "UNAUTHENTICATED");
	CU_ASSERT_STRING_EQUAL(fab_rpc_status_name((enum fab_rpc_status)99), "UNKNOWN");
}

static CU_TestInfo tests[] = {
	{ "a call is answered", test_call_is_answered },
	{ "UNIMPLEMENTED", test_method_without_row_is_unimplemented },
	{ "the answer may come later", test_answer_may_come_later },
	{ "a deadline ends both sides", test_deadline_ends_both_sides },
	{ "cancel tells the handler", test_cancel_tells_the_handler },
	{ "calls wait for the connection", test_calls_wait_for_the_connection },
	{ "loss fails calls, the client returns",
	    test_loss_fails_calls_in_flight_and_client_returns },
	{ "first connect is quick", test_first_connect_is_quick_once_the_socket_is_there },
	{ "freeing the client cancels", test_client_free_cancels_also_from_inside },
	{ "freeing the client ends what that starts",
	    test_client_free_ends_what_its_callbacks_start },
	{ "10,000 calls in flight", test_ten_thousand_calls_in_flight },
	{ "too many calls are refused", test_too_many_calls_are_refused },
	{ "oversized request is refused", test_oversized_request_is_refused },
	{ "oversized reply becomes a status", test_oversized_reply_becomes_a_status },
	{ "tables and URLs are checked", test_tables_are_checked },
	{ "synchronous calls", test_sync_call },
	{ "a handler without any socket", test_handler_without_any_socket },
	{ "status names", test_status_names },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("rpc", tests)
