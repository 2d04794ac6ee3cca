/*
 * Service Fabric: who reaches whom, as a stream, and stale routes.
 */
#include "fabricd/fc_api_impl.h"
#include "fabricd/fc_mesh.h"
#include "lib/err.h"

#include <stdlib.h>

/* ---- Reach ---- */

struct reach_stream {
	struct fab_rpc_stream *s;
	struct fc_mesh *mesh;
};

static void
put_pair(void *ctx, uint64_t at_us, size_t src, size_t dst, const struct fc_mesh_pair *p)
{
	Fab__V1__ReachPair m = FAB__V1__REACH_PAIR__INIT;
	struct reach_stream *rs = ctx;

	m.at_us = at_us;
	m.src = fc_unconst(fc_mesh_name(rs->mesh, src));
	m.dst = fc_unconst(fc_mesh_name(rs->mesh, dst));
	m.verdict = fc_unconst(fc_verdict_name(p->verdict));
	m.rule = fc_unconst(p->rule);
	m.reason = fc_unconst(p->reason);
	m.way = fc_unconst(p->way);
	m.symmetric = p->symmetric;
	m.stateful_break = p->stateful_break;
	fab_rpc_stream_put(rs->s, &m.base);
}

static void
reach_snapshot(void *ctx, struct fab_rpc_stream *s)
{
	struct reach_stream *rs = ctx;

	(void)s;
	fc_mesh_tell_all(rs->mesh);
}

static void
reach_closed(void *ctx, struct fab_rpc_stream *s)
{
	struct reach_stream *rs = ctx;

	(void)s;
	fc_mesh_free(rs->mesh);
	free(rs);
}

enum fab_rpc_status
fc_api_reach(void *ctx, const ProtobufCMessage *msg, struct fab_rpc_stream *s,
    const struct fab_rpc_stream_ops **ops, void **stream_ctx, char why[static 256])
{
	static const struct fab_rpc_stream_ops reach_ops = {
		.snapshot = reach_snapshot,
		.closed = reach_closed,
	};
	const Fab__V1__ReachRequest *req = (const Fab__V1__ReachRequest *)msg;
	const char *all[FC_MESH_ENDS_MAX];
	struct fc *f = ctx;
	const char *const *names = (const char *const *)req->endpoints;
	size_t n = req->n_endpoints;
	struct reach_stream *rs = calloc(1, sizeof(*rs));
	int err;

	if (rs == NULL)
		return FAB_RPC_RESOURCE_EXHAUSTED;
	rs->s = s;
	if (n == 0) {
		n = fc_mesh_ends(f->topo, all, FC_MESH_ENDS_MAX);
		names = all;
	}
	if ((err = fc_mesh_new(&rs->mesh, f->meshes, names, n, put_pair, rs)) != FAB_OK) {
		free(rs);
		snprintf(why, 256, "at most %d endpoints at a time", FC_MESH_ENDS_MAX);
		return FAB_RPC_RESOURCE_EXHAUSTED;
	}
	*ops = &reach_ops;
	*stream_ctx = rs;
	return FAB_RPC_OK;
}

/* ---- Stale ---- */

struct stale_list {
	struct fc_mem mem;
	Fab__V1__StaleRoute **v;
	size_t n, room;
};

/* Doubles in memory that dies with the reply. */
static bool
make_room(struct stale_list *l)
{
	size_t room = l->room == 0 ? 16 : 2 * l->room;
	Fab__V1__StaleRoute **v;

	if (l->n < l->room)
		return true;
	if ((v = fc_mem_take(&l->mem, room, sizeof(struct Fab__V1__StaleRoute *))) == NULL)
		return false;
	for (size_t i = 0; i < l->n; i++)
		v[i] = l->v[i];
	l->v = v;
	l->room = room;
	return true;
}

static void
add_stale(void *ctx, const struct fc_stale *s)
{
	struct stale_list *l = ctx;
	Fab__V1__StaleRoute *out = fc_mem_take(&l->mem, 1, sizeof(*out));
	char net[IPNET_STRLEN], addr[IPADDR_STRLEN];

	if (out == NULL || !make_room(l))
		return;
	fab__v1__stale_route__init(out);
	out->nic = fc_unconst(s->nic);
	out->node = fc_unconst(s->node);
	out->source = fc_unconst(fc_source_name(s->route->source));
	out->prefix = fc_mem_format(&l->mem, "%s", ipnet_format(net, s->route->prefix));
	out->next_hop = fc_mem_format(&l->mem, "%s", ipaddr_format(addr, s->next_hop));
	l->v[l->n++] = out;
}

void
fc_api_stale(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	Fab__V1__StaleList reply = FAB__V1__STALE_LIST__INIT;
	struct stale_list l = { .v = NULL };

	(void)msg;
	if (fc_stale_each(ctx, add_stale, &l) != FAB_OK)
		l.mem.err = FAB_ENOMEM;
	reply.value = l.v;
	reply.n_value = l.n;
	fc_api_reply(call, &l.mem, &reply.base);
}
