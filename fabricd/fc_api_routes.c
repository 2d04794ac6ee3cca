/*
 * Service Fabric: effective routes, next hop, explanation and trace of a NIC's packets.
 */
#include "fabricd/fc_api_impl.h"
#include "fabricd/fc_eff.h"
#include "fabricd/fc_listing.h"
#include "fabricd/fc_trace_links.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Index of the NIC, -1 after having refused. */
static int
find_nic(const struct fc *f, struct fab_rpc_call *call, const char *name)
{
	int nic = topo_find_nic(f->topo, name);

	if (nic < 0)
		fab_rpc_fail(
		    call, FAB_RPC_NOT_FOUND, "no NIC '%s': expected the name of a VM or NVA", name);
	return nic;
}

static void
fail_nic(struct fab_rpc_call *call, int err, const char *name)
{
	if (err == FAB_ECLOSED) /* EFF-18 */
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "%s: the VM of '%s' does not run",
		    FC_ERR_NIC_STOPPED, name);
	else
		fab_rpc_fail(call, fab_rpc_status_of(err), "%s", fab_strerror(err));
}

static char *
net_text(struct fc_mem *mem, struct ipnet net)
{
	char *out = fc_mem_take(mem, IPNET_STRLEN, 1);

	return out == NULL ? fc_unconst("") : ipnet_format(out, net);
}

static char *
addr_text(struct fc_mem *mem, uint32_t addr)
{
	char *out = fc_mem_take(mem, IPADDR_STRLEN, 1);

	return out == NULL ? fc_unconst("") : ipaddr_format(out, addr);
}

/* ---- effective routes ---- */

/* With next hops first ... first + n - 1 of the route's. */
static void
fill_row(struct fc_mem *mem, Fab__V1__EffectiveRoute *out, const struct fc_eff_route *r,
    bool propagation_disabled, size_t first, size_t n)
{
	fab__v1__effective_route__init(out);
	if (r->name != NULL) /* EFF-12: User rows only */
		out->name = fc_unconst(r->name);
	out->source = fc_unconst(fc_source_name(r->source));
	out->state = fc_unconst(fc_state_name(r->state));
	out->next_hop_type = fc_unconst(fc_hop_name(r->hop));
	out->disable_bgp_route_propagation = propagation_disabled;
	if ((out->address_prefix = fc_mem_take(mem, 1, sizeof(char *))) != NULL)
		out->address_prefix[out->n_address_prefix++] = net_text(mem, r->prefix);
	out->next_hop_ip_address = fc_mem_take(mem, n, sizeof(char *));
	for (size_t i = first; i < first + n && out->next_hop_ip_address != NULL; i++)
		out->next_hop_ip_address[out->n_next_hop_ip_address++] =
		    addr_text(mem, r->next_hops[i]);
}

/* EFF-15, OPEN-10: one row with a list of next hops, or as in 2021 a row for each. */
static void
add_rows(struct fc_mem *mem, Fab__V1__EffectiveRouteList *list, Fab__V1__EffectiveRoute *rows,
    const struct fc_eff_route *r, bool disabled, bool each)
{
	size_t n = each && r->n_next_hops > 1 ? r->n_next_hops : 1;

	for (size_t i = 0; i < n; i++) {
		Fab__V1__EffectiveRoute *out = &rows[list->n_value];

		fill_row(mem, out, r, disabled, i, n > 1 ? 1 : r->n_next_hops);
		list->value[list->n_value++] = out;
	}
}

void
fc_api_routes_effective(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__NicRequest *req = (const Fab__V1__NicRequest *)msg;
	Fab__V1__EffectiveRouteList reply = FAB__V1__EFFECTIVE_ROUTE_LIST__INIT;
	const struct fc *f = ctx;
	struct fc_eff_route *rows = NULL;
	Fab__V1__EffectiveRoute *out;
	struct fc_mem mem = { 0 };
	bool disabled;
	size_t n = 0, room = 0;
	int nic, err;

	if (fc_api_server_routes(ctx, call, req->nic) || (nic = find_nic(f, call, req->nic)) < 0)
		return;
	if ((err = fc_eff_list(fc_listing_layers(f->listing), nic, &rows, &n)) != FAB_OK) {
		fail_nic(call, err, req->nic);
		return;
	}
	disabled = fc_eff_propagation_disabled(f->topo, nic);
	for (size_t i = 0; i < n; i++)
		room += rows[i].n_next_hops > 1 ? rows[i].n_next_hops : 1;
	out = fc_mem_take(&mem, room, sizeof(*out));
	reply.value = fc_mem_take(&mem, room, sizeof(*reply.value));
	for (size_t i = 0; i < n && reply.value != NULL; i++)
		add_rows(&mem, &reply, out, &rows[i], disabled, f->topo->quirks.row_per_next_hop);
	fc_api_reply(call, &mem, &reply.base);
	free(rows);
}

/* ---- one destination ---- */

void
fc_api_next_hop(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__NicAddressRequest *req = (const Fab__V1__NicAddressRequest *)msg;
	Fab__V1__NextHopReply reply = FAB__V1__NEXT_HOP_REPLY__INIT;
	const struct fc *f = ctx;
	int nic = find_nic(f, call, req->nic);
	struct fc_eff_route r;
	struct fc_mem mem = { 0 };
	uint32_t addr;

	if (nic < 0)
		return;
	if (ipaddr_parse(&addr, req->address) != FAB_OK) {
		fab_rpc_fail(
		    call, FAB_RPC_INVALID_ARGUMENT, "'%s' is not an address", req->address);
		return;
	}
	reply.next_hop_type = fc_unconst(fc_hop_name(FC_HOP_NONE));
	reply.route_table_id = fc_unconst("System Route"); /* Network Watcher's words */
	if (fc_eff_lookup(f->layers, nic, addr, &r)) {
		reply.next_hop_type = fc_unconst(fc_hop_name(r.hop));
		if (r.n_next_hops > 0)
			reply.next_hop_ip_address = addr_text(&mem, r.next_hops[0]);
		if (r.source == FC_SRC_USER && r.route_table >= 0)
			reply.route_table_id = f->topo->tables[r.route_table].name;
	}
	fc_api_reply(call, &mem, &reply.base);
}

static char *
hops_text(struct fc_mem *mem, const struct fc_eff_route *r)
{
	char *out = fc_mem_format(mem, "%s", fc_hop_name(r->hop));

	for (size_t i = 0; i < r->n_next_hops; i++)
		out = fc_mem_format(mem, "%s %s", out, addr_text(mem, r->next_hops[i]));
	return out;
}

/* A prefix, or an address as a /32. */
static int
parse_what(struct ipnet *out, const char *text)
{
	uint32_t addr;

	if (ipnet_parse(out, text) == FAB_OK)
		return FAB_OK;
	if (ipaddr_parse(&addr, text) != FAB_OK)
		return FAB_EINVAL;
	*out = (struct ipnet){ addr, 32 };
	return FAB_OK;
}

static void
add_candidates(
    struct fc_mem *mem, Fab__V1__ExplainReply *reply, const struct fc_candidate *v, size_t n)
{
	Fab__V1__Candidate *out = fc_mem_take(mem, n, sizeof(*out));

	reply->candidates = fc_mem_take(mem, n, sizeof(*reply->candidates));
	for (size_t i = 0; i < n && reply->candidates != NULL; i++) {
		fab__v1__candidate__init(&out[i]);
		out[i].source = fc_unconst(fc_source_name(v[i].route.source));
		out[i].prefix = net_text(mem, v[i].route.prefix);
		out[i].next_hop = hops_text(mem, &v[i].route);
		out[i].verdict = fc_unconst(v[i].verdict);
		out[i].rule = fc_unconst(v[i].rule == NULL ? "" : v[i].rule);
		reply->candidates[reply->n_candidates++] = &out[i];
	}
}

void
fc_api_explain(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__NicPrefixRequest *req = (const Fab__V1__NicPrefixRequest *)msg;
	Fab__V1__ExplainReply reply = FAB__V1__EXPLAIN_REPLY__INIT;
	const struct fc *f = ctx;
	int nic = find_nic(f, call, req->nic), err;
	struct fc_candidate *v = NULL;
	struct fc_mem mem = { 0 };
	struct ipnet what;
	size_t n = 0;

	if (nic < 0)
		return;
	if (parse_what(&what, req->prefix) != FAB_OK) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT,
		    "'%s' is neither a prefix nor an address", req->prefix);
		return;
	}
	if ((err = fc_eff_explain(f->layers, nic, what, &v, &n)) != FAB_OK) {
		fail_nic(call, err, req->nic);
		return;
	}
	add_candidates(&mem, &reply, v, n);
	fc_api_reply(call, &mem, &reply.base);
	free(v);
}

/* ---- trace ---- */

/* What is wrong with the way from hop i to the next one. */
static void
fill_links(
    struct fc_mem *mem, Fab__V1__TraceHop *out, const struct fc *f, struct fc_trace *t, size_t i)
{
	struct fc_crossed c[FC_CROSSED_MAX];
	size_t n = fc_trace_crossed(f->links, f->topo, t, i, c);
	Fab__V1__LinkInfo *v = fc_mem_take(mem, n, sizeof(*v));

	out->links = fc_mem_take(mem, n, sizeof(*out->links));
	for (size_t k = 0; k < n && v != NULL && out->links != NULL; k++) {
		fc_api_fill_link(&v[k], c[k].kind, c[k].from, c[k].to, &c[k].state, true);
		out->links[out->n_links++] = &v[k];
		if (c[k].state.cut && t->reason[0] == '\0')
			snprintf(t->reason, sizeof(t->reason),
			    "warning: link %.60s%s>%s%.60s is cut", c[k].from,
			    c[k].from[0] != '\0' ? " " : "", c[k].to[0] != '\0' ? " " : "",
			    c[k].to);
	}
}

static Fab__V1__TraceHop **
hops(struct fc_mem *mem, const struct fc *f, struct fc_trace *t, size_t *n)
{
	Fab__V1__TraceHop *out = fc_mem_take(mem, t->n_hops, sizeof(*out));
	Fab__V1__TraceHop **list = fc_mem_take(mem, t->n_hops, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < t->n_hops && list != NULL; i++) {
		fab__v1__trace_hop__init(&out[i]);
		out[i].node = fc_unconst(t->hops[i].node);
		out[i].nic = fc_unconst(t->hops[i].nic);
		out[i].route = fc_unconst(t->hops[i].route);
		out[i].rule = fc_unconst(t->hops[i].rule);
		fill_links(mem, &out[i], f, t, i);
		list[(*n)++] = &out[i];
	}
	return list;
}

static int
find_endpoint(
    const struct fc *f, struct fab_rpc_call *call, struct fc_endpoint *out, const char *text)
{
	int err = fc_endpoint_parse(f->layers, out, text);

	if (err == FAB_ENOENT)
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND,
		    "no endpoint '%s': expected a VM, NVA, site or address", text);
	else if (err != FAB_OK)
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "'%s' is not an endpoint", text);
	return err;
}

void
fc_api_trace(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__TraceRequest *req = (const Fab__V1__TraceRequest *)msg;
	Fab__V1__TraceReply reply = FAB__V1__TRACE_REPLY__INIT;
	const struct fc *f = ctx;
	struct fc_endpoint src, dst;
	struct fc_mem mem = { 0 };
	struct fc_trace *t;

	if (find_endpoint(f, call, &src, req->src) != FAB_OK ||
	    find_endpoint(f, call, &dst, req->dst) != FAB_OK)
		return;
	if (!fc_endpoint_is_source(&src)) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT,
		    "'%s' cannot send: a packet starts at a VM, NVA, site or the Internet",
		    req->src);
		return;
	}
	if ((t = fc_mem_take(&mem, 2, sizeof(*t))) == NULL)
		goto done;
	reply.dst_address = addr_text(&mem, fc_endpoint_address(f->layers, &src, &dst));
	fc_trace_run(f->layers, src, dst, &t[0]);
	reply.verdict = fc_unconst(fc_verdict_name(t[0].verdict));
	reply.reason = t[0].reason;
	reply.hops = hops(&mem, f, &t[0], &reply.n_hops);
	if (!req->both)
		goto done;
	if (!fc_endpoint_is_source(&dst)) {
		reply.back_reason = fc_unconst("nobody has this address");
		goto done;
	}
	fc_trace_back(f->layers, src, dst, &t[0], &t[1]);
	reply.back_verdict = fc_unconst(fc_verdict_name(t[1].verdict));
	reply.back_reason = t[1].reason;
	reply.back_hops = hops(&mem, f, &t[1], &reply.n_back_hops);
	reply.symmetric = fc_trace_symmetric(&t[0], &t[1]);
	reply.stateful_break = fc_trace_stateful_break(f->layers, &t[0], &t[1]);
done:
	fc_api_reply(call, &mem, &reply.base);
}
