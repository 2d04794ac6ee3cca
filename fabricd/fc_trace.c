/*
 * The modelled path of a packet: runs a walk from place to place until somebody takes the packet,
 * drops it, or sees it a second time. Every decision depends on the place and the two addresses
 * alone, so twice at one place is a loop.
 */
#include "fabricd/fc_eff.h"

#include "fabricd/fc_system.h"
#include "fabricd/fc_walk.h"
#include "lib/err.h"
#include "lib/flow.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *
fc_verdict_name(enum fc_verdict v)
{
	static const char *const names[] = {
		[FC_DELIVERED] = "delivered",
		[FC_LOOP] = "loop",
		[FC_BLACKHOLE] = "blackhole",
		[FC_FILTERED] = "filtered",
	};

	return names[v];
}

/* ---- writing down ---- */

void
fc_walk_finish(struct fc_walk *w, enum fc_verdict verdict, const char *fmt, ...)
{
	va_list ap;

	w->out->verdict = verdict;
	w->done = true;
	va_start(ap, fmt);
	vsnprintf(w->out->reason, sizeof(w->out->reason), fmt, ap);
	va_end(ap);
}

static void
copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

struct fc_trace_hop *
fc_walk_hop(struct fc_walk *w, enum fc_place place, int index, const char *node, const char *rule)
{
	struct fc_trace_hop *h;

	if (w->out->n_hops == FC_TRACE_HOPS_MAX) {
		fc_walk_finish(w, FC_LOOP, "more than %d hops", FC_TRACE_HOPS_MAX);
		return &w->spare;
	}
	h = &w->out->hops[w->out->n_hops++];
	*h = (struct fc_trace_hop){ .place = place, .index = index, .src = w->from };
	copy(h->node, sizeof(h->node), node);
	copy(h->rule, sizeof(h->rule), rule);
	return h;
}

void
fc_walk_deliver(struct fc_walk *w, enum fc_place place, int index, const char *node)
{
	struct fc_trace_hop *h = fc_walk_hop(w, place, index, node, "");

	if (place == FC_AT_NIC)
		copy(h->nic, sizeof(h->nic), node);
	if (w->done)
		return;                 /* no room for the hop */
	w->out->verdict = FC_DELIVERED; /* a warning stays where it is */
	w->done = true;
}

void
fc_walk_go(struct fc_walk *w, enum fc_stage stage, int index)
{
	if (stage == FC_STAGE_GATEWAY || stage == FC_STAGE_MSEE_UP || stage == FC_STAGE_MSEE_DOWN)
		w->routers++;
	else
		w->routers = 0; /* a guest sends it anew */
	w->stage = stage;
	w->index = index;
}

const char *
fc_walk_node_name(const struct topo *t, enum topo_node_kind kind, int index, unsigned instance)
{
	for (size_t i = 0; i < t->n_nodes; i++)
		if (t->nodes[i].kind == kind && t->nodes[i].index == index &&
		    t->nodes[i].instance == instance)
			return t->nodes[i].name;
	return "?";
}

const char *
fc_walk_gateway_name(const struct topo *t, int gw, unsigned instance)
{
	return fc_walk_node_name(t,
	    t->gateways[gw].type == GW_VPN ? TOPO_NODE_VPN_GATEWAY : TOPO_NODE_ER_GATEWAY, gw,
	    instance);
}

void
fc_walk_hop_to(struct fc_walk *w, enum fc_place place, int index, const char *node,
    const char *rule, struct ipnet net, const char *how, const char *next)
{
	struct fc_trace_hop *h = fc_walk_hop(w, place, index, node, rule);
	char buf[IPNET_STRLEN];

	snprintf(h->route, sizeof(h->route), "%s %s %s", ipnet_format(buf, net), how, next);
}

bool
fc_walk_is_gone(const struct fc_walk *w, const char *node)
{
	const struct fc_router *r = fc_router_find(w->l->routers, node);

	return r != NULL && r->gone;
}

bool
fc_walk_is_dead(const struct fc_walk *w, const char *node)
{
	return fc_node_is_dead(w->l, node);
}

/* ---- links ---- */

static bool
is_cut(const struct fc_walk *w, const char *from, const char *to)
{
	const struct fc_layer_faults *fs = &w->l->faults;

	return fs->is_cut != NULL && fs->is_cut(fs->ctx, from, to);
}

/* What leaves Azure by ExpressRoute takes no gateway (ER-19), but needs one that the MSEE can
 * reach. */
static bool
msee_is_cut_off(
    const struct fc_walk *w, const struct fc_trace_hop *nic, const struct fc_trace_hop *h)
{
	const struct topo *t = w->t;
	int scope = fc_scope_of(t, t->nics[nic->index].vnet);
	int gw = scope >= 0 ? t->vnets[scope].er_gateway : -1;

	return gw >= 0 && is_cut(w, fc_walk_gateway_name(t, gw, 0), h->node) &&
	       is_cut(w, fc_walk_gateway_name(t, gw, 1), h->node);
}

/* The walk went where routes lead; the packet ends at the first link that lets nothing through.
 * Load balancers are no end of a link. */
static void
end_at_cut(struct fc_walk *w)
{
	const struct fc_trace_hop *from = NULL;

	for (size_t i = 0; i < w->out->n_hops; i++) {
		const struct fc_trace_hop *h = &w->out->hops[i];

		if (h->place == FC_AT_LOAD_BALANCER)
			continue;
		if (from != NULL && strcmp(from->node, h->node) != 0 &&
		    (is_cut(w, from->node, h->node) ||
			(from->place == FC_AT_NIC && h->place == FC_AT_MSEE &&
			    msee_is_cut_off(w, from, h)))) {
			fc_walk_finish(
			    w, FC_BLACKHOLE, "the link from %s to %s is cut", from->node, h->node);
			w->out->n_hops = i;
			return;
		}
		from = h;
	}
}

/* ---- the walk ---- */

static void (*const steps[FC_STAGE_COUNT])(struct fc_walk *) = {
	[FC_STAGE_NIC] = fc_walk_nic,
	[FC_STAGE_ROUTER] = fc_walk_router,
	[FC_STAGE_GATEWAY] = fc_walk_gateway,
	[FC_STAGE_MSEE_UP] = fc_walk_msee_up,
	[FC_STAGE_MSEE_DOWN] = fc_walk_msee_down,
	[FC_STAGE_SITE] = fc_walk_site,
	[FC_STAGE_INTERNET] = fc_walk_internet,
	[FC_STAGE_CLIENT] = fc_walk_client,
};

/* A trace is of a ping: a protocol without ports. */
#define PROTO_ICMP 1

size_t
fc_walk_choose(const struct fc_walk *w, size_t n)
{
	const struct fab_flow_end src = { .addr = w->from }, dst = { .addr = w->dst.addr };

	return fab_flow_choose(fab_flow_behind(fab_flow_hash(src, dst, PROTO_ICMP), w->routers), n);
}

size_t
fc_walk_choose_pair(const struct fc_walk *w, size_t n)
{
	const struct fab_flow_end src = { .addr = w->from }, dst = { .addr = w->dst.addr };

	return fab_flow_choose(fab_flow_pair(src, dst, PROTO_ICMP), n);
}

static bool
been_here(struct fc_walk *w)
{
	for (size_t i = 0; i < w->n_seen; i++)
		if (w->seen[i].stage == w->stage && w->seen[i].index == w->index)
			return true;
	if (w->n_seen == FC_TRACE_HOPS_MAX)
		return true;
	w->seen[w->n_seen].stage = w->stage;
	w->seen[w->n_seen++].index = w->index;
	return false;
}

static void
start(struct fc_walk *w)
{
	const struct topo_nic *n;

	if (w->src.nic < 0) {
		if (w->src.site >= 0)
			fc_walk_go(w, FC_STAGE_SITE, w->src.site);
		else if (w->src.client >= 0)
			fc_walk_go(w, FC_STAGE_CLIENT, w->src.client);
		else if (w->src.gateway >= 0)
			fc_walk_go(w, FC_STAGE_GATEWAY, w->src.gateway);
		else
			fc_walk_go(w, FC_STAGE_INTERNET, 0);
		return;
	}
	n = &w->t->nics[w->src.nic];
	if (n->vm >= 0 && !w->t->vms[n->vm].running)
		fc_walk_finish(w, FC_BLACKHOLE, "%s is not running", n->name);
	fc_walk_go(w, n->nva >= 0 ? FC_STAGE_ROUTER : FC_STAGE_NIC, w->src.nic);
}

static void
report_loop(struct fc_walk *w)
{
	const char *last = w->out->n_hops > 0 ? w->out->hops[w->out->n_hops - 1].rule : "";
	bool self = strcmp(last, "RS-64") == 0;

	if (w->stage == FC_STAGE_NIC || w->stage == FC_STAGE_ROUTER)
		fc_walk_finish(w, FC_LOOP, "%s gets the packet a second time%s",
		    w->t->nics[w->index].name, self ? ": its own route leads back to it" : "");
	else
		fc_walk_finish(w, FC_LOOP, "the packet is back where it was");
}

static void
trace(const struct fc_layers *l, struct fc_endpoint src, struct fc_endpoint dst,
    const struct fc_trace *answer_to, struct fc_trace *out)
{
	struct fc_walk w = { .l = l,
		.t = l->topo,
		.src = src,
		.dst = dst,
		.out = out,
		.from = src.addr,
		.is_answer = answer_to != NULL,
		.answer_to =
		    answer_to != NULL ? answer_to->translator : (struct fc_translator){ -1, -1 } };

	FAB_ASSERT(fc_endpoint_is_source(&src));
	*out = (struct fc_trace){ .verdict = FC_BLACKHOLE, .translator = { -1, -1 } };
	start(&w);
	while (!w.done) {
		if (been_here(&w))
			report_loop(&w);
		else
			steps[w.stage](&w);
	}
	if (l->faults.is_cut != NULL)
		end_at_cut(&w);
}

void
fc_trace_run(
    const struct fc_layers *l, struct fc_endpoint src, struct fc_endpoint dst, struct fc_trace *out)
{
	trace(l, src, dst, NULL, out);
}

void
fc_trace_back(const struct fc_layers *l, struct fc_endpoint src, struct fc_endpoint dst,
    const struct fc_trace *there, struct fc_trace *out)
{
	trace(l, dst, src, there, out);
}
