/*
 * A client's streams: subscriptions (we receive a server stream) and publications (we send a client
 * stream). Both are rpc_client_streams, which rpc_client.c opens on each new connection.
 */
#include "lib/rpc_impl.h"

#include <stdlib.h>
#include <string.h>

struct fab_rpc_sub {
	struct rpc_client_stream cs;
	struct rpc_rx rx;
	ProtobufCMessage *req;
	const struct fab_rpc_sub_ops *ops;
	void *ctx;
	bool in_cb;
	bool freed;
};

struct publication {
	struct fab_rpc_stream s; /* first: that is what the owner holds */
	struct rpc_client_stream cs;
};

static void
send_open(struct rpc_client_stream *cs, struct rpc_link *link, const ProtobufCMessage *req)
{
	Fab__V1__RpcFrame f = FAB__V1__RPC_FRAME__INIT;

	f.kind = FAB__V1__RPC_FRAME__KIND__REQUEST;
	f.call = cs->call;
	f.method = cs->name;
	rpc_link_send(link, &f, req);
}

/* ---- subscriptions ---- */

static struct fab_rpc_sub *
sub_of(struct rpc_client_stream *cs)
{
	return (struct fab_rpc_sub *)((char *)cs - offsetof(struct fab_rpc_sub, cs));
}

static void
sub_enter(struct fab_rpc_sub *s)
{
	s->in_cb = true;
}

static void
sub_leave(struct fab_rpc_sub *s)
{
	s->in_cb = false;
	if (s->freed)
		free(s);
}

static void
sub_open(struct rpc_client_stream *cs, struct rpc_link *link)
{
	struct fab_rpc_sub *s = sub_of(cs);

	rpc_rx_init(&s->rx, link, cs->call);
	send_open(cs, link, s->req);
}

static void
sub_ended(struct rpc_client_stream *cs, enum fab_rpc_status status, const char *message)
{
	struct fab_rpc_sub *s = sub_of(cs);

	rpc_rx_fini(&s->rx);
	if (cs->client == NULL || s->ops->ended == NULL)
		return;
	sub_enter(s);
	s->ops->ended(s->ctx, status, message);
	sub_leave(s);
}

static int
sub_item(struct rpc_client_stream *cs, const Fab__V1__RpcFrame *f)
{
	struct fab_rpc_sub *s = sub_of(cs);
	struct fab_rpc_item info;
	ProtobufCMessage *item;

	if (rpc_rx_item(&s->rx, f, cs->method->output, &item, &info) != FAB_OK) {
		rpc_client_stream_restart(cs);
		sub_ended(cs, FAB_RPC_DATA_LOSS, "malformed item or gap");
		return FAB_OK;
	}
	cs->delay = 0;
	sub_enter(s);
	s->ops->item(s->ctx, item, &info);
	sub_leave(s);
	protobuf_c_message_free_unpacked(item, NULL);
	return FAB_OK;
}

static int
message_copy(ProtobufCMessage **out, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *data = malloc(len + 1);

	if (data == NULL)
		return FAB_ENOMEM;
	protobuf_c_message_pack(m, data);
	*out = protobuf_c_message_unpack(m->descriptor, NULL, len, data);
	free(data);
	return *out != NULL ? FAB_OK : FAB_ENOMEM;
}

int
fab_rpc_subscribe(struct fab_rpc_sub **out, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method, const ProtobufCMessage *req,
    const struct fab_rpc_sub_ops *ops, void *ctx)
{
	struct fab_rpc_sub *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return FAB_ENOMEM;
	s->ops = ops;
	s->ctx = ctx;
	s->cs.open = sub_open;
	s->cs.item = sub_item;
	s->cs.ended = sub_ended;
	err = message_copy(&s->req, req);
	if (err == FAB_OK)
		err = rpc_client_stream_init(&s->cs, c, service, method);
	if (err != FAB_OK) {
		protobuf_c_message_free_unpacked(s->req, NULL);
		free(s);
		return err;
	}
	*out = s;
	return FAB_OK;
}

int
fab_rpc_sub_set_request(struct fab_rpc_sub *s, const ProtobufCMessage *req)
{
	ProtobufCMessage *copy;
	int err = message_copy(&copy, req);

	if (err != FAB_OK)
		return err;
	protobuf_c_message_free_unpacked(s->req, NULL);
	s->req = copy;
	return FAB_OK;
}

void
fab_rpc_sub_free(struct fab_rpc_sub *s)
{
	if (s == NULL)
		return;
	rpc_rx_fini(&s->rx);
	rpc_client_stream_fini(&s->cs);
	protobuf_c_message_free_unpacked(s->req, NULL);
	s->freed = true;
	if (!s->in_cb)
		free(s);
}

/* ---- publications ---- */

static struct publication *
publication_of(struct rpc_client_stream *cs)
{
	return (struct publication *)((char *)cs - offsetof(struct publication, cs));
}

static void
publication_open(struct rpc_client_stream *cs, struct rpc_link *link)
{
	send_open(cs, link, NULL);
	rpc_stream_attach(&publication_of(cs)->s, link, cs->call);
}

static int
publication_ack(struct rpc_client_stream *cs, const Fab__V1__RpcFrame *f)
{
	cs->delay = 0;
	return rpc_stream_ack(&publication_of(cs)->s, f->epoch, f->seq);
}

static void
publication_ended(struct rpc_client_stream *cs, enum fab_rpc_status status, const char *message)
{
	(void)status;
	(void)message;
	rpc_stream_detach(&publication_of(cs)->s);
}

int
fab_rpc_publish(struct fab_rpc_stream **out, struct fab_rpc_client *c,
    const ProtobufCServiceDescriptor *service, const char *method,
    const struct fab_rpc_stream_ops *ops, void *ctx)
{
	struct publication *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return FAB_ENOMEM;
	rpc_stream_init(&p->s);
	p->s.ops = ops;
	p->s.ctx = ctx;
	p->cs.open = publication_open;
	p->cs.ack = publication_ack;
	p->cs.ended = publication_ended;
	err = rpc_client_stream_init(&p->cs, c, service, method);
	if (err != FAB_OK) {
		free(p);
		return err;
	}
	*out = &p->s;
	return FAB_OK;
}

void
fab_rpc_stream_free(struct fab_rpc_stream *s)
{
	struct publication *p = (struct publication *)s;

	if (s == NULL)
		return;
	rpc_client_stream_fini(&p->cs);
	rpc_stream_fini(s);
	s->freed = true;
	if (!s->in_cb)
		free(p);
}
