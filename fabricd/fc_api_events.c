/*
 * Service Fabric: the event log as a stream, and the timeline of one change.
 */
#include "fabricd/fc_api_impl.h"

#include <stdlib.h>

/* ---- Events ---- */

struct event_stream {
	struct fc *f;
	struct fab_rpc_stream *s;
	uint64_t since;
	bool follow;
	struct fc_event_sub sub;
};

static void
put_event(struct fab_rpc_stream *s, const struct fc_event *e)
{
	Fab__V1__Event m = FAB__V1__EVENT__INIT;

	m.seq = e->seq;
	m.at_us = e->at_us;
	m.kind = fc_unconst(fc_event_kind_name(e->kind));
	m.subject = fc_unconst(e->subject);
	m.text = fc_unconst(e->text);
	fab_rpc_stream_put(s, &m.base);
}

static void
event_added(void *ctx, const struct fc_event *e)
{
	struct event_stream *es = ctx;

	put_event(es->s, e);
}

static void
stream_free(struct event_stream *es)
{
	if (es->follow)
		fc_events_unsubscribe(es->f->events, &es->sub);
	free(es);
}

/* The log from `since` on. After an overflow it is sent again; readers know events by number. */
static void
events_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct event_stream *es = ctx;
	uint64_t seq = es->since;
	const struct fc_event *e;

	for (; (e = fc_events_after(es->f->events, seq)) != NULL; seq = e->seq)
		put_event(s, e);
	if (es->follow)
		return;
	stream_free(es);
	fab_rpc_stream_end(s, FAB_RPC_OK, "");
}

static void
events_closed(void *ctx, struct fab_rpc_stream *s)
{
	(void)s;
	stream_free(ctx);
}

enum fab_rpc_status
fc_api_events(void *ctx, const ProtobufCMessage *msg, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	static const struct fab_rpc_stream_ops event_ops = {
		.snapshot = events_snapshot,
		.closed = events_closed,
	};
	const Fab__V1__EventsRequest *req = (const Fab__V1__EventsRequest *)msg;
	struct event_stream *es = calloc(1, sizeof(*es));

	(void)why;
	if (es == NULL)
		return FAB_RPC_RESOURCE_EXHAUSTED;
	es->f = ctx;
	es->s = s;
	es->since = req->since;
	es->follow = req->follow;
	es->sub = (struct fc_event_sub){ .fn = event_added, .ctx = es };
	if (es->follow)
		fc_events_subscribe(es->f->events, &es->sub);
	*ops = &event_ops;
	*stream_ctx = es;
	return FAB_RPC_OK;
}

/* ---- Timeline ---- */

static void
probe_text(char out[static FC_TIMELINE_TEXT_MAX], const Fab__V1__ProbeNote *req)
{
	double ms = (double)req->gap_us / 1000;

	if (req->lost > 0)
		snprintf(out, FC_TIMELINE_TEXT_MAX,
		    "%.32s > %.32s: packets arrive again, %llu lost in %.2f ms", req->src, req->dst,
		    (unsigned long long)req->lost, ms);
	else
		snprintf(out, FC_TIMELINE_TEXT_MAX,
		    "%.32s > %.32s: none of %llu packets lost, at most %.2f ms between two",
		    req->src, req->dst, (unsigned long long)req->sent, ms);
}

void
fc_api_note_probe(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__ProbeNote *req = (const Fab__V1__ProbeNote *)msg;
	Fab__V1__Empty reply = FAB__V1__EMPTY__INIT;
	char text[FC_TIMELINE_TEXT_MAX];
	struct fc *f = ctx;

	probe_text(text, req);
	fc_events_add(f->events, FC_EVENT_PROBE, req->gap_end_us, req->src, "%s", text);
	fc_timeline_probe(f->timeline, &(struct fc_probe){ .node = req->src,
					   .text = text,
					   .from_us = req->gap_end_us - req->gap_us,
					   .to_us = req->gap_end_us,
					   .lost = req->lost > 0 });
	fab_rpc_reply(call, &reply.base);
}

static void
fill_stage(Fab__V1__TimelineStage *out, const struct fc_stage *st, uint64_t start_us)
{
	fab__v1__timeline_stage__init(out);
	out->stage = fc_unconst(fc_stage_name(st->kind));
	out->node = fc_unconst(st->node);
	out->at_us = st->at_us;
	out->offset_us = st->at_us > start_us ? st->at_us - start_us : 0;
	out->text = fc_unconst(st->text);
	out->routes = st->routes;
}

void
fc_api_timeline(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__TimelineRequest *req = (const Fab__V1__TimelineRequest *)msg;
	Fab__V1__TimelineReply reply = FAB__V1__TIMELINE_REPLY__INIT;
	const struct fc *f = ctx;
	const struct fc_change *c = fc_timeline_get(f->timeline, req->back);
	Fab__V1__TimelineStage *out;
	char timing[TOPO_TIMING_TEXT_MAX];
	struct fc_mem mem = { 0 };

	if (c == NULL) {
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "there is no such change; %d are kept",
		    FC_TIMELINE_CHANGES);
		return;
	}
	reply.start_us = c->start_us;
	reply.total_us = c->last_us - c->start_us;
	reply.cause = fc_unconst(c->cause);
	reply.timing = fc_unconst(topo_timing_text(timing, &f->topo->timing));
	out = fc_mem_take(&mem, c->n_stages, sizeof(*out));
	reply.stages = fc_mem_take(&mem, c->n_stages, sizeof(*reply.stages));
	for (size_t i = 0; i < c->n_stages && reply.stages != NULL; i++) {
		fill_stage(&out[i], &c->stages[i], c->start_us);
		reply.stages[reply.n_stages++] = &out[i];
	}
	fc_api_reply(call, &mem, &reply.base);
}
