/*
 * Decoding of updates (see wire_switch.h).
 */
#include "vswitchd/wire_switch.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same numbers on the wire. */
_Static_assert((int)VS_LINK_REGIONS == (int)FAB__V1__SWITCH_LINK_KIND__LINK_REGIONS, "kinds");
_Static_assert((int)VS_GROUP_GUARDED == (int)FAB__V1__SWITCH_GROUP_KIND__GROUP_GUARDED, "kinds");
_Static_assert((int)VS_DROP_NO_BACKEND == (int)FAB__V1__SWITCH_DROP__DROP_NO_BACKEND, "reasons");

static int
bad(char why[static 128], const char *what, uint32_t id)
{
	snprintf(why, 128, "%s of %u", what, id);
	return FAB_EBADMSG;
}

static int
decode_group(struct vs_group_conf *out, const Fab__V1__SwitchGroup *g, char why[static 128])
{
	if ((unsigned)g->kind > VS_GROUP_GUARDED)
		return bad(why, "unknown kind of group", g->id);
	if ((unsigned)g->reason > VS_DROP_NO_BACKEND)
		return bad(why, "unknown reason of group", g->id);
	*out = (struct vs_group_conf){ .id = g->id,
		.kind = (enum vs_group_kind)g->kind,
		.reason = (enum vs_drop)g->reason,
		.table = g->table,
		.members = g->members,
		.n_members = g->n_members };
	return FAB_OK;
}

static int
decode_table(struct vs_table_delta *out, const Fab__V1__SwitchTable *t, char why[static 128])
{
	if (t->n_addr != t->len.len || t->n_addr != t->n_group ||
	    t->n_withdrawn_addr != t->withdrawn_len.len)
		return bad(why, "lists of unequal length in a change of table", t->id);
	*out = (struct vs_table_delta){ .id = t->id,
		.replace = t->replace,
		.addr = t->addr,
		.len = t->len.data,
		.group = t->group,
		.n = t->n_addr,
		.withdrawn_addr = t->withdrawn_addr,
		.withdrawn_len = t->withdrawn_len.data,
		.n_withdrawn = t->n_withdrawn_addr };
	return FAB_OK;
}

static int
decode_port(struct vs_port_conf *out, const Fab__V1__SwitchPort *p, char why[static 128])
{
	size_t len = strlen(p->name);

	if (len == 0 || len >= VS_NAME_MAX)
		return bad(why, "bad name of port", p->id);
	if (p->prefix_len > 32)
		return bad(why, "bad prefix length of port", p->id);
	if (p->mtu > UINT16_MAX)
		return bad(why, "bad MTU of port", p->id);
	*out = (struct vs_port_conf){ .id = p->id,
		.name = p->name,
		.router = p->router,
		.ip = p->ip,
		.prefix_len = (uint8_t)p->prefix_len,
		.up = p->up,
		.forwarding = p->forwarding,
		.user = p->user,
		.bgp = p->bgp,
		.system = p->system,
		.mtu = (uint16_t)p->mtu,
		.region = p->region,
		.public_ip = p->public_ip,
		.tunnel = p->tunnel };
	return FAB_OK;
}

static int
decode_link(struct vs_link_conf *out, const Fab__V1__SwitchLink *l, char why[static 128])
{
	size_t len = strlen(l->name);

	if ((unsigned)l->kind >= VS_LINK_KIND_COUNT)
		return bad(why, "unknown kind of link", l->id);
	if (len == 0 || len >= VS_LINK_NAME_MAX)
		return bad(why, "bad name of link", l->id);
	if (l->loss_ppm > 1000000)
		return bad(why, "more than everything lost on link", l->id);
	*out = (struct vs_link_conf){ .id = l->id,
		.name = l->name,
		.kind = (enum vs_link_kind)l->kind,
		.from = l->from,
		.to = l->to,
		.n_from = l->n_from,
		.n_to = l->n_to,
		.cut = l->cut,
		.delay_us = l->delay_us,
		.jitter_us = l->jitter_us,
		.loss_ppm = l->loss_ppm,
		.rate = l->rate };
	return FAB_OK;
}

static int
decode_target(struct vs_target_conf *out, const Fab__V1__SwitchProbe *p, char why[static 128])
{
	if (p->tcp_port > UINT16_MAX)
		return bad(why, "bad TCP port of probe", p->port);
	*out = (struct vs_target_conf){ .balancer = p->balancer,
		.port = p->port,
		.tcp_port = (uint16_t)p->tcp_port,
		.http = p->http,
		.path = p->path,
		.interval_ms = p->interval_ms,
		.threshold = p->threshold };
	return FAB_OK;
}

static int
decode_lists(struct wire_switch_update *out, const Fab__V1__SwitchUpdate *m, char why[static 128])
{
	int err = FAB_OK;

	for (size_t i = 0; i < m->n_groups && err == FAB_OK; i++)
		err = decode_group(&out->groups[i], m->groups[i], why);
	for (size_t i = 0; i < m->n_tables && err == FAB_OK; i++)
		err = decode_table(&out->tables[i], m->tables[i], why);
	for (size_t i = 0; i < m->n_ports && err == FAB_OK; i++)
		err = decode_port(&out->ports[i], m->ports[i], why);
	for (size_t i = 0; i < m->n_links && err == FAB_OK; i++)
		err = decode_link(&out->links[i], m->links[i], why);
	for (size_t i = 0; i < m->n_probes && err == FAB_OK; i++)
		err = decode_target(&out->targets[i], m->probes[i], why);
	return err;
}

int
wire_switch_decode(
    struct wire_switch_update *out, const Fab__V1__SwitchUpdate *m, char why[static 128])
{
	struct wire_switch_update w = {
		.groups = calloc(m->n_groups + 1, sizeof(*w.groups)),
		.tables = calloc(m->n_tables + 1, sizeof(*w.tables)),
		.ports = calloc(m->n_ports + 1, sizeof(*w.ports)),
		.links = calloc(m->n_links + 1, sizeof(*w.links)),
		.targets = calloc(m->n_probes + 1, sizeof(*w.targets)),
	};
	int err = FAB_ENOMEM;

	snprintf(why, 128, "out of memory");
	if (w.groups != NULL && w.tables != NULL && w.ports != NULL && w.links != NULL &&
	    w.targets != NULL)
		err = decode_lists(&w, m, why);
	if (err != FAB_OK) {
		wire_switch_release(&w);
		return err;
	}
	w.u = (struct vs_update){ .generation = m->generation,
		.snapshot = m->snapshot,
		.last = m->last,
		.groups = w.groups,
		.n_groups = m->n_groups,
		.tables = w.tables,
		.n_tables = m->n_tables,
		.ports = w.ports,
		.n_ports = m->n_ports,
		.replace_links = m->replace_links,
		.links = w.links,
		.n_links = m->n_links,
		.replace_targets = m->replace_probes,
		.targets = w.targets,
		.n_targets = m->n_probes,
		.gone_groups = m->gone_groups,
		.n_gone_groups = m->n_gone_groups,
		.gone_tables = m->gone_tables,
		.n_gone_tables = m->n_gone_tables,
		.gone_ports = m->gone_ports,
		.n_gone_ports = m->n_gone_ports };
	*out = w;
	return FAB_OK;
}

void
wire_switch_release(struct wire_switch_update *u)
{
	free(u->groups);
	free(u->tables);
	free(u->ports);
	free(u->links);
	free(u->targets);
	*u = (struct wire_switch_update){ 0 };
}
