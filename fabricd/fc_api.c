/*
 * Service Fabric (see fc_api.h): the table, resources, waiting and faults.
 */
#include "fabricd/fc_api.h"

#include "fabricd/fc_api_impl.h"
#include "fabricd/fc_apply.h"
#include "fabricd/fc_carrier.h"
#include "fabricd/fc_faults.h"
#include "fabricd/fc_link.h"
#include "fabricd/fc_wait.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct fab_rpc_handler fc_api_table[] = {
	{ .method = "Apply", .unary = fc_api_apply },
	{ .method = "Get", .unary = fc_api_get },
	{ .method = "Set", .unary = fc_api_set },
	{ .method = "Delete", .unary = fc_api_delete },
	{ .method = "Ps", .unary = fc_api_ps },
	{ .method = "Nics", .unary = fc_api_nics },
	{ .method = "Backends", .unary = fc_api_backends },
	{ .method = "RoutesEffective", .unary = fc_api_routes_effective },
	{ .method = "NextHop", .unary = fc_api_next_hop },
	{ .method = "Explain", .unary = fc_api_explain },
	{ .method = "Trace", .unary = fc_api_trace },
	{ .method = "Reach", .open = fc_api_reach },
	{ .method = "Stale", .unary = fc_api_stale },
	{ .method = "RoutesLearned", .unary = fc_api_routes_learned },
	{ .method = "RouteServerPeerings", .unary = fc_api_peerings },
	{ .method = "RouteServerPeers", .unary = fc_api_server_peers },
	{ .method = "RoutesAdvertised", .unary = fc_api_routes_advertised },
	{ .method = "GatewayLearned", .unary = fc_api_gateway_learned },
	{ .method = "GatewayAdvertised", .unary = fc_api_gateway_advertised },
	{ .method = "GatewayPeers", .unary = fc_api_gateway_peers },
	{ .method = "CircuitRoutes", .unary = fc_api_circuit_routes },
	{ .method = "RouterRoutes", .unary = fc_api_router_routes },
	{ .method = "Wait", .unary = fc_api_wait },
	{ .method = "Events", .open = fc_api_events },
	{ .method = "Timeline", .unary = fc_api_timeline },
	{ .method = "NoteFault", .unary = fc_api_note_fault },
	{ .method = "NoteProbe", .unary = fc_api_note_probe },
	{ .method = "Link", .unary = fc_api_link },
	{ .method = "Links", .unary = fc_api_links },
	{ .method = NULL },
};

void
fc_api_reply(struct fab_rpc_call *call, struct fc_mem *mem, const ProtobufCMessage *reply)
{
	if (mem->err == FAB_OK)
		fab_rpc_reply(call, reply);
	else
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "out of memory");
	fc_mem_free(mem);
}

/* ---- resources ---- */

static void
add_changes(struct fc_mem *mem, Fab__V1__ApplyReply *reply, const struct fc_apply_result *r)
{
	Fab__V1__ResourceChange *c = fc_mem_take(mem, r->n_changes, sizeof(*c));

	reply->changes = fc_mem_take(mem, r->n_changes, sizeof(*reply->changes));
	for (size_t i = 0; i < r->n_changes && reply->changes != NULL; i++) {
		fab__v1__resource_change__init(&c[i]);
		c[i].action = fc_unconst(fc_action_name(&r->changes[i]));
		c[i].kind = fc_unconst(topo_kind_name(r->changes[i].kind));
		c[i].name = r->changes[i].name;
		reply->changes[reply->n_changes++] = &c[i];
	}
}

static void
add_errors(struct fc_mem *mem, Fab__V1__ApplyReply *reply, const struct topo_errors *errs)
{
	Fab__V1__ApplyError *e = fc_mem_take(mem, errs->n, sizeof(*e));

	reply->errors = fc_mem_take(mem, errs->n, sizeof(*reply->errors));
	for (size_t i = 0; i < errs->n && reply->errors != NULL; i++) {
		fab__v1__apply_error__init(&e[i]);
		e[i].code = fc_unconst(errs->e[i].code);
		e[i].message = fc_unconst(errs->e[i].message);
		e[i].line = errs->e[i].line;
		reply->errors[reply->n_errors++] = &e[i];
	}
}

/* A refusal (FAB_EINVAL with errors) is an answer; everything else is a status. Frees r. */
static void
reply_applied(struct fab_rpc_call *call, int err, struct fc_apply_result *r, const char *kind,
    const char *name)
{
	Fab__V1__ApplyReply reply = FAB__V1__APPLY_REPLY__INIT;
	struct fc_mem mem = { 0 };

	if (err == FAB_ENOENT) {
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no %s '%s'", kind, name);
	} else if (err != FAB_OK && r->errors.n == 0) {
		fab_rpc_fail(call, fab_rpc_status_of(err), "%s", r->why);
	} else {
		if (r->errors.n == 0)
			add_changes(&mem, &reply, r);
		add_errors(&mem, &reply, &r->errors);
		fc_api_reply(call, &mem, &reply.base);
	}
	fc_apply_result_free(r);
}

static struct fc_apply_result *
result_new(struct fab_rpc_call *call)
{
	struct fc_apply_result *r = fc_apply_result_new();

	if (r == NULL)
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "out of memory");
	return r;
}

static bool
known_kind(struct fab_rpc_call *call, const char *word, enum topo_kind *kind)
{
	if (topo_kind_parse(kind, word) == FAB_OK)
		return true;
	fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT,
	    "UnknownKind: '%s' is not fabric, vnet, peering, route_table, route_server, nva, "
	    "gateway, circuit, site or vm",
	    word);
	return false;
}

void
fc_api_apply(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__ApplyRequest *req = (const Fab__V1__ApplyRequest *)msg;
	struct fc_apply_result *r = result_new(call);
	int err;

	if (r == NULL)
		return;
	err = fc_apply_text(ctx, req->text, strlen(req->text), req->dry_run, r);
	reply_applied(call, err, r, "", "");
}

void
fc_api_set(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__SetRequest *req = (const Fab__V1__SetRequest *)msg;
	struct fc_apply_result *r;
	enum topo_kind kind;
	int err;

	if (!known_kind(call, req->kind, &kind) || (r = result_new(call)) == NULL)
		return;
	err = fc_apply_set(ctx, kind, req->name, req->assignments, req->n_assignments, r);
	reply_applied(call, err, r, topo_kind_name(kind), req->name);
}

void
fc_api_delete(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__ResourceRef *req = (const Fab__V1__ResourceRef *)msg;
	struct fc_apply_result *r;
	enum topo_kind kind;
	int err;

	if (!known_kind(call, req->kind, &kind) || (r = result_new(call)) == NULL)
		return;
	err = fc_apply_delete(ctx, kind, req->name, r);
	reply_applied(call, err, r, topo_kind_name(kind), req->name);
}

static void
add_resource(struct fc_mem *mem, Fab__V1__ResourceList *reply, const struct topo_resource *res)
{
	Fab__V1__Resource *out = fc_mem_take(mem, 1, sizeof(*out));
	char *json = json_dumps(res->props, JSON_COMPACT);

	if (out != NULL && json != NULL) {
		fab__v1__resource__init(out);
		out->kind = fc_unconst(topo_kind_name(res->kind));
		out->name = res->name;
		out->json = fc_mem_format(mem, "%s", json);
		reply->resources[reply->n_resources++] = out;
	} else {
		mem->err = FAB_ENOMEM;
	}
	free(json);
}

void
fc_api_get(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__ResourceRef *req = (const Fab__V1__ResourceRef *)msg;
	Fab__V1__ResourceList reply = FAB__V1__RESOURCE_LIST__INIT;
	const struct fc *f = ctx;
	struct fc_mem mem = { 0 };
	enum topo_kind kind;

	if (!known_kind(call, req->kind, &kind))
		return;
	if (req->name[0] != '\0' && topo_doc_find(f->doc, kind, req->name) == NULL) {
		fab_rpc_fail(
		    call, FAB_RPC_NOT_FOUND, "no %s '%s'", topo_kind_name(kind), req->name);
		return;
	}
	reply.resources = fc_mem_take(&mem, f->doc->n, sizeof(*reply.resources));
	for (size_t i = 0; i < f->doc->n && mem.err == FAB_OK; i++)
		if (f->doc->res[i].kind == kind &&
		    (req->name[0] == '\0' || strcmp(req->name, f->doc->res[i].name) == 0))
			add_resource(&mem, &reply, &f->doc->res[i]);
	fc_api_reply(call, &mem, &reply.base);
}

/* ---- waiting ---- */

struct wait_call {
	struct fab_rpc_call *call;
	struct fc_wait *wait;
};

static void
wait_over(void *ctx, enum fc_wait_end end, uint32_t waited_ms, const char *why)
{
	static const enum fab_rpc_status status[] = {
		[FC_WAIT_TIMEOUT] = FAB_RPC_DEADLINE_EXCEEDED,
		[FC_WAIT_REFUSED] = FAB_RPC_NOT_FOUND,
		[FC_WAIT_CANCELLED] = FAB_RPC_CANCELLED,
	};
	Fab__V1__WaitReply reply = FAB__V1__WAIT_REPLY__INIT;
	struct wait_call *wc = ctx;

	reply.ok = true;
	reply.waited_ms = waited_ms;
	if (end == FC_WAIT_HOLDS)
		fab_rpc_reply(wc->call, &reply.base);
	else
		fab_rpc_fail(wc->call, status[end], "%s", why);
	free(wc);
}

static void
wait_hung_up(void *arg)
{
	struct wait_call *wc = arg;

	fc_wait_cancel(wc->wait);
}

void
fc_api_wait(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__WaitRequest *req = (const Fab__V1__WaitRequest *)msg;
	struct fc *f = ctx;
	struct wait_call *wc;
	struct fc_expr expr;
	char why[256];
	int err;

	if (fc_expr_parse(&expr, req->expression, why) != FAB_OK) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "%s", why);
		return;
	}
	if ((wc = calloc(1, sizeof(*wc))) == NULL) {
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	wc->call = call;
	err = fc_wait_new(&wc->wait, f->waits, &expr, req->timeout_ms, wait_over, wc);
	if (err != FAB_OK) {
		free(wc);
		fab_rpc_fail(call, FAB_RPC_RESOURCE_EXHAUSTED, "more than %d callers wait already",
		    FC_WAITS_MAX);
		return;
	}
	fab_rpc_call_on_cancel(call, wait_hung_up, wc);
}

/* ---- faults ---- */

#define FC_POWER_OFF "kill guest"

/* Nobody closes a connection: only timers find it. */
static bool
is_silent(const struct fc *f, const char *action)
{
	if (strcmp(action, FC_POWER_OFF) == 0)
		return !f->topo->timing.link_detect;
	return strcmp(action, "pause") == 0;
}

void
fc_api_note_fault(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__FaultNote *req = (const Fab__V1__FaultNote *)msg;
	Fab__V1__Empty reply = FAB__V1__EMPTY__INIT;
	struct fc *f = ctx;
	uint64_t at = req->at_us != 0 ? req->at_us : fab_wall_us();
	char text[FC_TIMELINE_TEXT_MAX];

	snprintf(text, sizeof(text), "%.32s %.80s", req->action, req->node);
	fc_events_add(f->events, FC_EVENT_FAULT, at, req->node, "%s", text);
	fc_timeline_fault(f->timeline, at, req->node, text, is_silent(f, req->action));
	fc_faults_note(f->faults, req->action, req->node);
	if (strcmp(req->action, FC_POWER_OFF) == 0)
		fc_carrier_power_off(f->carrier, req->node);
	fc_touch(f, true); /* whoever waits for `converged` next shall not be told of before */
	fab_rpc_reply(call, &reply.base);
}
