/*
 * Updates of the image on the wire (see wire_switch.h).
 */
#include "fabricd/wire_switch.h"

#include "fabricd/fc_mem.h"
#include "lib/err.h"

#include <stdlib.h>

#define ROUTES WIRE_SWITCH_ROUTES
#define ITEMS  WIRE_SWITCH_ITEMS

/* The same numbers on the wire. */
_Static_assert((int)FC_IMG_INTERNET == (int)FAB__V1__SWITCH_GROUP_KIND__GROUP_INTERNET, "kinds");
_Static_assert((int)FC_IMG_LINK_REGIONS == (int)FAB__V1__SWITCH_LINK_KIND__LINK_REGIONS, "kinds");
_Static_assert((int)FC_IMG_NOT_CARRIED == (int)FAB__V1__SWITCH_DROP__DROP_NOT_CARRIED, "reasons");

struct wire_switch {
	wire_switch_put_fn *put;
	void *ctx;
	size_t told;
	Fab__V1__SwitchUpdate m;
	Fab__V1__SwitchGroup group[ITEMS], *groups[ITEMS];
	Fab__V1__SwitchTable table[ITEMS], *tables[ITEMS];
	Fab__V1__SwitchPort port[ITEMS], *ports[ITEMS];
	Fab__V1__SwitchLink link[ITEMS], *links[ITEMS];
	Fab__V1__SwitchProbe probe[ITEMS], *probes[ITEMS];
	size_t n_link_ends; /* of the links of the message */
	uint32_t gone_groups[ITEMS], gone_tables[ITEMS], gone_ports[ITEMS];
	/* The routes of all tables of the message, one table after the other. */
	uint32_t addr[ROUTES], to[ROUTES], withdrawn_addr[ROUTES];
	uint8_t len[ROUTES], withdrawn_len[ROUTES];
	size_t n_routes, n_withdrawn;
};

static void
message_init(struct wire_switch *w, uint64_t generation, bool snapshot)
{
	fab__v1__switch_update__init(&w->m);
	w->m.generation = generation;
	w->m.snapshot = snapshot;
	w->m.groups = w->groups;
	w->m.tables = w->tables;
	w->m.ports = w->ports;
	w->m.links = w->links;
	w->m.probes = w->probes;
	w->m.gone_groups = w->gone_groups;
	w->m.gone_tables = w->gone_tables;
	w->m.gone_ports = w->gone_ports;
	w->n_routes = w->n_withdrawn = w->n_link_ends = 0;
}

void
wire_switch_begin(
    struct wire_switch *w, uint64_t generation, bool snapshot, wire_switch_put_fn *put, void *ctx)
{
	w->put = put;
	w->ctx = ctx;
	w->told = 0;
	message_init(w, generation, snapshot);
}

/* Only the first message says that a snapshot starts. */
static void
flush(struct wire_switch *w, bool last)
{
	uint64_t generation = w->m.generation;

	w->m.last = last;
	w->put(w->ctx, &w->m.base);
	message_init(w, generation, false);
}

/* Makes room for one more of something that the message has n of. */
static void
room_for_one(struct wire_switch *w, size_t n, size_t max)
{
	w->told++;
	if (n == max)
		flush(w, false);
}

size_t
wire_switch_told(const struct wire_switch *w)
{
	return w->told;
}

void
wire_switch_end(struct wire_switch *w, Fab__V1__Cause *cause)
{
	if (w->told == 0 && !w->m.snapshot)
		return;
	w->m.cause = cause;
	flush(w, true);
}

/* ---- the sink ---- */

static void
put_group(void *ctx, const struct fc_img_group *g)
{
	struct wire_switch *w = ctx;
	Fab__V1__SwitchGroup *out;

	room_for_one(w, w->m.n_groups, ITEMS);
	out = w->groups[w->m.n_groups] = &w->group[w->m.n_groups];
	w->m.n_groups++;
	fab__v1__switch_group__init(out);
	out->id = g->id;
	out->kind = (Fab__V1__SwitchGroupKind)g->key.kind;
	out->reason = (Fab__V1__SwitchDrop)g->key.reason;
	out->table = g->key.table;
	out->n_members = g->key.n_members;
	out->members = (uint32_t *)(uintptr_t)g->members; /* packing does not write */
}

static Fab__V1__SwitchTable *
open_table(struct wire_switch *w, uint32_t id)
{
	Fab__V1__SwitchTable *out;

	if (w->m.n_tables > 0 && w->tables[w->m.n_tables - 1]->id == id)
		return w->tables[w->m.n_tables - 1];
	if (w->m.n_tables == ITEMS)
		flush(w, false);
	out = w->tables[w->m.n_tables] = &w->table[w->m.n_tables];
	w->m.n_tables++;
	fab__v1__switch_table__init(out);
	out->id = id;
	out->addr = w->addr + w->n_routes;
	out->group = w->to + w->n_routes;
	out->len.data = w->len + w->n_routes;
	out->withdrawn_addr = w->withdrawn_addr + w->n_withdrawn;
	out->withdrawn_len.data = w->withdrawn_len + w->n_withdrawn;
	return out;
}

static void
put_table(void *ctx, uint32_t id)
{
	struct wire_switch *w = ctx;

	w->told++;
	open_table(w, id)->replace = true;
}

static void
put_route(void *ctx, uint32_t table, struct ipnet net, uint32_t group)
{
	struct wire_switch *w = ctx;
	Fab__V1__SwitchTable *out;

	room_for_one(w, w->n_routes, ROUTES);
	out = open_table(w, table);
	w->addr[w->n_routes] = net.addr;
	w->len[w->n_routes] = net.len;
	w->to[w->n_routes++] = group;
	out->n_addr = out->n_group = ++out->len.len;
}

static void
put_withdrawn(void *ctx, uint32_t table, struct ipnet net)
{
	struct wire_switch *w = ctx;
	Fab__V1__SwitchTable *out;

	room_for_one(w, w->n_withdrawn, ROUTES);
	out = open_table(w, table);
	w->withdrawn_addr[w->n_withdrawn] = net.addr;
	w->withdrawn_len[w->n_withdrawn++] = net.len;
	out->n_withdrawn_addr = ++out->withdrawn_len.len;
}

static void
put_port(void *ctx, const struct fc_img_port *p)
{
	struct wire_switch *w = ctx;
	Fab__V1__SwitchPort *out;

	room_for_one(w, w->m.n_ports, ITEMS);
	out = w->ports[w->m.n_ports] = &w->port[w->m.n_ports];
	w->m.n_ports++;
	fab__v1__switch_port__init(out);
	out->id = p->id;
	out->name = fc_unconst(p->name);
	out->router = p->conf.router;
	out->ip = p->conf.ip;
	out->prefix_len = p->conf.prefix_len;
	out->up = p->conf.up;
	out->forwarding = p->conf.forwarding;
	out->user = p->conf.user;
	out->bgp = p->conf.bgp;
	out->system = p->conf.system;
	out->mtu = p->conf.mtu;
	out->region = p->conf.region;
	out->public_ip = p->conf.public_ip;
	out->tunnel = p->conf.tunnel;
}

static void
put_link(struct wire_switch *w, const struct fc_img_link *l)
{
	Fab__V1__SwitchLink *out;

	if (w->m.n_links == ITEMS || w->n_link_ends > ROUTES)
		flush(w, false);
	out = w->links[w->m.n_links] = &w->link[w->m.n_links];
	w->m.n_links++;
	w->n_link_ends += l->n_from + l->n_to;
	fab__v1__switch_link__init(out);
	out->id = l->id;
	out->name = fc_unconst(l->name);
	out->kind = (Fab__V1__SwitchLinkKind)l->kind;
	out->from = l->from;
	out->n_from = l->n_from;
	out->to = l->to;
	out->n_to = l->n_to;
	out->cut = l->cut;
	out->delay_us = l->delay_us;
	out->jitter_us = l->jitter_us;
	out->loss_ppm = l->loss_ppm;
	out->rate = l->rate;
}

static void
put_links(void *ctx, const struct fc_img_link *v, size_t n)
{
	struct wire_switch *w = ctx;

	w->told++;
	w->m.replace_links = true;
	for (size_t i = 0; i < n; i++)
		put_link(w, &v[i]);
}

static void
put_probe(struct wire_switch *w, const struct fc_img_probe *p)
{
	Fab__V1__SwitchProbe *out;

	if (w->m.n_probes == ITEMS)
		flush(w, false);
	out = w->probes[w->m.n_probes] = &w->probe[w->m.n_probes];
	w->m.n_probes++;
	fab__v1__switch_probe__init(out);
	out->balancer = fc_unconst(p->balancer);
	out->port = p->port;
	out->tcp_port = p->tcp_port;
	out->http = p->http;
	out->path = fc_unconst(p->path);
	out->interval_ms = p->interval_ms;
	out->threshold = p->threshold;
}

static void
put_probes(void *ctx, const struct fc_img_probe *v, size_t n)
{
	struct wire_switch *w = ctx;

	w->told++;
	w->m.replace_probes = true;
	for (size_t i = 0; i < n; i++)
		put_probe(w, &v[i]);
}

static void
put_gone_group(void *ctx, uint32_t id)
{
	struct wire_switch *w = ctx;

	room_for_one(w, w->m.n_gone_groups, ITEMS);
	w->gone_groups[w->m.n_gone_groups++] = id;
}

static void
put_gone_table(void *ctx, uint32_t id)
{
	struct wire_switch *w = ctx;

	room_for_one(w, w->m.n_gone_tables, ITEMS);
	w->gone_tables[w->m.n_gone_tables++] = id;
}

static void
put_gone_port(void *ctx, uint32_t id)
{
	struct wire_switch *w = ctx;

	room_for_one(w, w->m.n_gone_ports, ITEMS);
	w->gone_ports[w->m.n_gone_ports++] = id;
}

const struct fc_img_sink wire_switch_sink = {
	.group = put_group,
	.table = put_table,
	.route = put_route,
	.withdraw = put_withdrawn,
	.port = put_port,
	.links = put_links,
	.probes = put_probes,
	.gone_group = put_gone_group,
	.gone_table = put_gone_table,
	.gone_port = put_gone_port,
};

/* ---- life ---- */

int
wire_switch_new(struct wire_switch **out)
{
	struct wire_switch *w = malloc(sizeof(*w)); /* begin() and message_init() fill it */

	if (w == NULL)
		return FAB_ENOMEM;
	*out = w;
	return FAB_OK;
}

void
wire_switch_free(struct wire_switch *w)
{
	free(w);
}
