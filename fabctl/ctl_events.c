/* The verbs about time: waiting, the log, one change stage by stage; and health. */
#include "fabctl/ctl.h"
#include "fabctl/ctl_packets.h"
#include "lib/clock.h"
#include "lib/err.h"
#include "lib/pbjson.h"
#include "proto/fabric.pb-c.h"
#include "proto/node.pb-c.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_DEFAULT_MS 30000
#define WAIT_SLACK_MS   5000 /* for the answer to a wait that ran to its end */

/* ---- wait ---- */

static int
wait_answer(const struct ctl *c, bool ok, uint32_t waited_ms)
{
	static const struct ctl_column columns[] = {
		{ "OK", "ok" },
		{ "Waited ms", "waited_ms" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns };

	return ctl_answer(
	    c, json_pack("{s:b, s:i}", "ok", (int)ok, "waited_ms", (int)waited_ms), &view);
}

/* Packets need more than fabricd waits for. False: not in time, because of why. */
static bool
wait_for_guests(struct ctl *c, const char *expression, struct fab_mono since, uint32_t timeout_ms,
    char why[static 256])
{
	char missing[64];

	if (strcmp(expression, "converged") != 0 ||
	    ctl_guests_attached(c, since, timeout_ms, missing))
		return true;
	snprintf(why, 256, "guest %s is not plugged in", missing);
	return false;
}

int
ctl_wait(struct ctl *c, const struct ctl_args *args)
{
	Fab__V1__WaitRequest req = FAB__V1__WAIT_REQUEST__INIT;
	struct fab_mono since = fab_mono_now(), answered;
	uint32_t timeout_ms = WAIT_DEFAULT_MS, waited_ms;
	const char *text = args->opt[CTL_OPT_TIMEOUT];
	enum fab_rpc_status rpc;
	ProtobufCMessage *reply;
	char why[256];
	int status;

	if (text != NULL && ctl_duration_ms(&timeout_ms, text) != FAB_OK)
		return ctl_fail(CTL_USAGE, "USAGE", "'%s' is not a time such as 30s", text);
	req.expression = (char *)(uintptr_t)args->pos[0];
	req.timeout_ms = timeout_ms;
	if ((status = ctl_connect(c)) != CTL_OK)
		return status;
	ctl_progress("waiting for %s, at most %u s", args->pos[0], timeout_ms / 1000);
	rpc = ctl_ask(c, &fab__v1__fabric__descriptor, "Wait", &req.base,
	    timeout_ms + WAIT_SLACK_MS, CTL_CONNECT_MS, &reply, why);
	if (rpc == FAB_RPC_OK) {
		waited_ms = CTL_REPLY(Fab__V1__WaitReply, reply)->waited_ms;
		ctl_reply_free(reply);
		answered = fab_mono_now();
		if (wait_for_guests(c, args->pos[0], since, timeout_ms, why))
			return wait_answer(c, true,
			    waited_ms +
				(uint32_t)(fab_mono_us_between(answered, fab_mono_now()) / 1000));
	}
	if (rpc != FAB_RPC_OK && rpc != FAB_RPC_DEADLINE_EXCEEDED)
		return ctl_fail_rpc(rpc, why);
	if (c->format != CTL_TABLE)
		wait_answer(
		    c, false, (uint32_t)(fab_mono_us_between(since, fab_mono_now()) / 1000));
	return ctl_fail(CTL_NO, "TIMEOUT", "not within %u ms: %s", timeout_ms, why);
}

/* ---- events ---- */

struct follower {
	const struct ctl *c;
	struct fab_loop *loop;
	bool follow;
	uint64_t last_us, last_seq; /* what was printed already, should the stream start again */
	int status;
};

static void
event_print(struct follower *f, const Fab__V1__Event *e)
{
	char at[32];
	json_t *v;
	int err;

	if (f->c->format == CTL_TABLE) {
		ctl_time_text(at, sizeof(at), e->at_us);
		printf("%s  %-8s %-18s %s\n", at, e->kind, e->subject, e->text);
		err = fflush(stdout) == 0 ? FAB_OK : FAB_EIO;
	} else {
		/* One JSON object a line, which is YAML too once each is a document. */
		if (f->c->format == CTL_YAML)
			fputs("--- ", stdout);
		FAB_ASSERT(
		    (v = pbjson_encode(&e->base, PBJSON_SNAKE | PBJSON_NUMBERS, NULL)) != NULL);
		err = ctl_json_line(stdout, v);
		json_decref(v);
	}
	if (err != FAB_OK) { /* the reader has gone */
		f->status = CTL_NO;
		fab_loop_stop(f->loop);
	}
}

static void
event_item(void *ctx, const ProtobufCMessage *item, const struct fab_rpc_item *info)
{
	const Fab__V1__Event *e = CTL_REPLY(Fab__V1__Event, item);
	struct follower *f = ctx;

	if (e != NULL &&
	    (e->at_us > f->last_us || (e->at_us == f->last_us && e->seq > f->last_seq))) {
		f->last_us = e->at_us;
		f->last_seq = e->seq;
		event_print(f, e);
	}
	if (info->snapshot_end && !f->follow)
		fab_loop_stop(f->loop);
}

static void
event_ended(void *ctx, enum fab_rpc_status status, const char *message)
{
	struct follower *f = ctx;

	if (status == FAB_RPC_UNAVAILABLE && f->follow)
		return; /* fabricd is away; the subscription opens itself again */
	if (status != FAB_RPC_OK)
		f->status = ctl_fail_rpc(status, message);
	fab_loop_stop(f->loop);
}

/* fabricd answers at all: streams wait for ever. */
static int
check_fabric(struct ctl *c)
{
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	ProtobufCMessage *reply;
	int status;

	if ((status = ctl_call(c, "Ps", &req.base, &reply)) == CTL_OK)
		ctl_reply_free(reply);
	return status;
}

int
ctl_events(struct ctl *c, const struct ctl_args *args)
{
	static const struct fab_rpc_sub_ops ops = { .item = event_item, .ended = event_ended };
	Fab__V1__EventsRequest req = FAB__V1__EVENTS_REQUEST__INIT;
	struct follower f = { .c = c, .follow = args->opt[CTL_OPT_FOLLOW] != NULL };
	struct fab_rpc_sub *sub;
	int status;

	if ((status = check_fabric(c)) != CTL_OK)
		return status;
	f.loop = c->loop;
	req.follow = f.follow;
	if (fab_loop_handle_signals(c->loop) != FAB_OK ||
	    fab_rpc_subscribe(&sub, c->client, &fab__v1__fabric__descriptor, "Events", &req.base,
		&ops, &f) != FAB_OK)
		return ctl_fail(CTL_NO, "MEMORY", "cannot open the stream of events");
	fab_loop_run(c->loop);
	fab_rpc_sub_free(sub);
	return f.status;
}

/* ---- timeline ---- */

static void
timeline_text(FILE *fp, const json_t *v)
{
	const json_t *stages = json_object_get(v, "stages"), *s;
	size_t i;

	fprintf(fp, "%s (timing %s)\n", ctl_str(v, "cause"), ctl_str(v, "timing"));
	fprintf(fp, "%10s  %-10s  %-18s  %6s  %s\n", "ms", "Stage", "Node", "Routes", "What");
	json_array_foreach(stages, i, s)
	{
		json_int_t us = json_integer_value(json_object_get(s, "offset_us"));

		fprintf(fp, "%10.3f  %-10s  %-18s  %6d  %s\n", (double)us / 1000,
		    ctl_str(s, "stage"), ctl_str(s, "node"),
		    (int)json_integer_value(json_object_get(s, "routes")), ctl_str(s, "text"));
	}
	fprintf(fp, "%10.3f  total\n",
	    (double)json_integer_value(json_object_get(v, "total_us")) / 1000);
}

int
ctl_timeline(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_view view = { .text = timeline_text };
	Fab__V1__TimelineRequest req = FAB__V1__TIMELINE_REQUEST__INIT;
	ProtobufCMessage *reply;
	json_t *value;
	char *end = NULL;
	int status;

	if (args->n_pos > 0) {
		unsigned long back = strtoul(args->pos[0], &end, 10);

		if (*end != '\0' || back < 1 || back > 1000000)
			return ctl_fail(CTL_USAGE, "USAGE",
			    "'%s' is not the number of a change; 1 is the last one", args->pos[0]);
		req.back = (uint32_t)back;
	}
	if ((status = ctl_call(c, "Timeline", &req.base, &reply)) != CTL_OK)
		return status;
	value = pbjson_encode(reply, PBJSON_SNAKE | PBJSON_NUMBERS, NULL);
	ctl_reply_free(reply);
	return ctl_answer(c, value, &view);
}

/* ---- health ---- */

/* Of any daemon, by --url. Exit 1 while it has not got its configuration and all its sessions. */
int
ctl_health(struct ctl *c, const struct ctl_args *args)
{
	static const struct ctl_column columns[] = {
		{ "Name", "name" },
		{ "Kind", "kind" },
		{ "OK", "ok" },
		{ "Converged", "converged" },
		{ "PID", "pid" },
		{ "Version", "version" },
		CTL_COLUMNS_END,
	};
	static const struct ctl_view view = { .columns = columns };
	Fab__V1__Empty req = FAB__V1__EMPTY__INIT;
	const Fab__V1__HealthReply *h;
	enum fab_rpc_status rpc;
	ProtobufCMessage *reply;
	char why[256];
	json_t *value;
	bool well;
	int status;

	(void)args;
	if ((status = ctl_connect(c)) != CTL_OK)
		return status;
	rpc = ctl_ask(c, &fab__v1__node__descriptor, "Health", &req.base, CTL_CONNECT_MS,
	    CTL_CONNECT_MS, &reply, why);
	if (rpc != FAB_RPC_OK)
		return rpc == FAB_RPC_DEADLINE_EXCEEDED
			   ? ctl_fail(CTL_UNREACHABLE, "UNAVAILABLE", "%s does not answer", c->url)
			   : ctl_fail_rpc(rpc, why);
	h = CTL_REPLY(Fab__V1__HealthReply, reply);
	well = h->ok && h->converged;
	value = pbjson_encode(reply, PBJSON_SNAKE | PBJSON_NUMBERS, NULL);
	ctl_reply_free(reply);
	status = ctl_answer(c, value, &view);
	return status != CTL_OK ? status : well ? CTL_OK : CTL_NO;
}
