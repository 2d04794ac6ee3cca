/*
 * The calling side: one connection that is dialled again for as long as the client lives, and what
 * uses it: the unary calls of rpc_call.c and the streams of rpc_sub.c.
 */
#include "lib/rpc_client_impl.h"

#include "lib/clock.h"
#include "lib/log.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

void
rpc_client_enter(struct fab_rpc_client *c)
{
	c->in_cb++;
}

void
rpc_client_leave(struct fab_rpc_client *c)
{
	if (--c->in_cb == 0 && c->freed)
		free(c);
}

/* A cheap generator; only has to keep clients from dialling in step. */
static uint32_t
jitter(uint32_t bound)
{
	static uint64_t state;

	if (state == 0)
		state = fab_mono_now().ns | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state % bound);
}

uint32_t
rpc_backoff(uint32_t *delay)
{
	uint32_t now = *delay < RPC_BACKOFF_MIN_MS ? RPC_BACKOFF_MIN_MS : *delay;

	*delay = 2 * now < RPC_BACKOFF_MAX_MS ? 2 * now : RPC_BACKOFF_MAX_MS;
	return now / 2 + 1 + jitter(now / 2);
}

/* ---- streams ---- */

static void
stream_open(struct rpc_client_stream *s)
{
	s->call = ++s->client->next_id;
	fab_timer_cancel(s->retry);
	s->open(s, s->client->link);
}

static void
on_stream_retry(void *arg)
{
	struct rpc_client_stream *s = arg;

	if (s->client != NULL && s->client->connected && s->call == 0)
		stream_open(s);
}

int
rpc_client_stream_init(struct rpc_client_stream *s, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method)
{
	int err = fab_timer_new(&s->retry, c->loop, on_stream_retry, s);

	if (err != FAB_OK)
		return err;
	s->client = c;
	s->method = rpc_method_find(s->name, sizeof(s->name), service, method);
	DL_APPEND(c->streams, s);
	fab_timer_set_ms(s->retry, 0); /* not from inside this call */
	return FAB_OK;
}

void
rpc_client_stream_fini(struct rpc_client_stream *s)
{
	if (s->client != NULL) {
		if (s->call != 0)
			rpc_link_send_cancel(s->client->link, s->call);
		DL_DELETE(s->client->streams, s);
	}
	fab_timer_free(s->retry);
}

void
rpc_client_stream_restart(struct rpc_client_stream *s)
{
	if (s->call != 0)
		rpc_link_send_cancel(s->client->link, s->call);
	s->call = 0;
	fab_timer_set_ms(s->retry, rpc_backoff(&s->delay));
}

static struct rpc_client_stream *
stream_find(struct fab_rpc_client *c, uint64_t call)
{
	struct rpc_client_stream *s;

	DL_FOREACH (c->streams, s)
		if (s->call == call)
			return s;
	return NULL;
}

static int
stream_frame(struct fab_rpc_client *c, struct rpc_client_stream *s, const Fab__V1__RpcFrame *f)
{
	switch (f->kind) {
	case FAB__V1__RPC_FRAME__KIND__ITEM:
		if (s->item != NULL)
			return s->item(s, f);
		break;
	case FAB__V1__RPC_FRAME__KIND__ACK:
		if (s->ack != NULL)
			return s->ack(s, f);
		break;
	case FAB__V1__RPC_FRAME__KIND__RESPONSE:
		s->call = 0;
		fab_timer_set_ms(s->retry, rpc_backoff(&s->delay));
		s->ended(s, (enum fab_rpc_status)f->status, f->message);
		return FAB_OK;
	default:
		break;
	}
	c->stats.stray_frames++;
	return FAB_OK;
}

/* ---- connection ---- */

static int
on_frame(void *ctx, const Fab__V1__RpcFrame *f)
{
	struct fab_rpc_client *c = ctx;
	struct rpc_client_stream *s;
	int err = FAB_OK;

	rpc_client_enter(c);
	if (!rpc_calls_frame(c, f)) {
		if (f->call != 0 && (s = stream_find(c, f->call)) != NULL)
			err = stream_frame(c, s, f);
		else
			c->stats.stray_frames++;
	}
	rpc_client_leave(c);
	return err;
}

static void
client_retry(struct fab_rpc_client *c, int err)
{
	c->last_err = err;
	fab_timer_set_ms(c->retry, rpc_backoff(&c->delay));
}

/* Everything that was sent on the lost connection fails now; streams fall back to closed. */
static void
fail_sent(struct fab_rpc_client *c, int err)
{
	struct rpc_client_stream *s;
	char text[RPC_MESSAGE_MAX];

	snprintf(text, sizeof(text), "connection to %s lost: %s", c->url, fab_strerror(err));
	rpc_calls_fail_sent(c, text);
	do {
		/* Anew after each callback, which may free any stream. */
		DL_FOREACH (c->streams, s)
			if (s->call != 0)
				break;
		if (s != NULL) {
			s->call = 0;
			s->ended(s, FAB_RPC_UNAVAILABLE, text);
		}
	} while (s != NULL && !c->freed);
}

static void
on_down(void *ctx, int err)
{
	struct fab_rpc_client *c = ctx;
	bool was_connected = c->connected;

	fab_debug("rpc: %s: %s", c->url, fab_strerror(err));
	rpc_client_enter(c);
	rpc_link_free(c->link);
	c->link = NULL;
	c->connected = false;
	client_retry(c, err);
	fail_sent(c, err);
	if (!c->freed && was_connected && c->state != NULL)
		c->state(c->ctx, false);
	rpc_client_leave(c);
}

static void
on_up(void *ctx)
{
	struct fab_rpc_client *c = ctx;
	struct rpc_client_stream *s, *next;

	c->connected = true;
	c->delay = 0;
	c->stats.connections++;
	rpc_client_enter(c);
	if (c->state != NULL)
		c->state(c->ctx, true);
	if (!c->freed) {
		rpc_calls_send_waiting(c);
		/* Streams open by their timers: a snapshot may do anything to the list. */
		DL_FOREACH_SAFE (c->streams, s, next) {
			s->delay = 0;
			fab_timer_set_ms(s->retry, 0);
		}
	}
	rpc_client_leave(c);
}

static const struct rpc_link_ops link_ops = { on_frame, on_up, on_down };

static void
on_dialled(void *ctx, struct fab_conn *conn, int err)
{
	struct fab_rpc_client *c = ctx;

	fab_dial_free(c->dial);
	c->dial = NULL;
	if (err == FAB_OK)
		err = rpc_link_new(&c->link, c->loop, conn, false, &link_ops, c, &c->stats);
	if (err != FAB_OK)
		client_retry(c, err);
}

static int
client_try(struct fab_rpc_client *c)
{
	return fab_conn_dial(&c->dial, c->loop, c->url, c->has_tls ? &c->tls : NULL, on_dialled, c);
}

static void
client_dial(void *arg)
{
	struct fab_rpc_client *c = arg;
	int err = client_try(c);

	if (err != FAB_OK)
		client_retry(c, err);
}

/* ---- interface ---- */

static int
client_copy_tls(struct fab_rpc_client *c, const struct fab_tls *tls)
{
	const char *from[3];

	if (tls == NULL)
		return FAB_OK;
	from[0] = tls->cert;
	from[1] = tls->key;
	from[2] = tls->ca;
	for (int i = 0; i < 3; i++)
		if (from[i] != NULL && (c->tls_files[i] = strdup(from[i])) == NULL)
			return FAB_ENOMEM;
	c->tls = (struct fab_tls){ c->tls_files[0], c->tls_files[1], c->tls_files[2] };
	c->has_tls = true;
	return FAB_OK;
}

int
fab_rpc_client_new(struct fab_rpc_client **out, struct fab_loop *loop, const char *url,
    const struct fab_tls *tls, fab_rpc_state_fn *state, void *ctx)
{
	struct fab_rpc_client *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return FAB_ENOMEM;
	c->loop = loop;
	c->state = state;
	c->ctx = ctx;
	c->last_err = FAB_EUNREACH;
	rpc_calls_init(c);
	err = fab_timer_new(&c->retry, loop, client_dial, c);
	if (err == FAB_OK && (c->url = strdup(url)) == NULL)
		err = FAB_ENOMEM;
	if (err == FAB_OK)
		err = client_copy_tls(c, tls);
	if (err == FAB_OK)
		err = client_try(c);
	if (err != FAB_OK) {
		fab_rpc_client_free(c);
		return err;
	}
	*out = c;
	return FAB_OK;
}

static void
client_orphan_streams(struct fab_rpc_client *c)
{
	struct rpc_client_stream *s, *next;

	DL_FOREACH_SAFE (c->streams, s, next) {
		bool open = s->call != 0;

		DL_DELETE(c->streams, s);
		s->client = NULL;
		s->call = 0;
		fab_timer_cancel(s->retry);
		if (open)
			s->ended(s, FAB_RPC_CANCELLED, NULL);
	}
}

void
fab_rpc_client_free(struct fab_rpc_client *c)
{
	if (c == NULL || c->freed)
		return;
	c->freed = true;
	rpc_client_enter(c);
	fab_timer_free(c->retry);
	fab_dial_free(c->dial);
	client_orphan_streams(c);
	rpc_link_flush_free(c->link);
	c->link = NULL;
	c->connected = false;
	rpc_calls_fini(c);
	for (size_t i = 0; i < 3; i++)
		free(c->tls_files[i]);
	free(c->url);
	rpc_client_leave(c);
}

bool
fab_rpc_client_connected(const struct fab_rpc_client *c)
{
	return c->connected;
}

const struct fab_rpc_stats *
fab_rpc_client_stats(const struct fab_rpc_client *c)
{
	return &c->stats;
}
