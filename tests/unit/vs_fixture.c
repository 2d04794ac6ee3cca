#include "tests/unit/vs_fixture.h"

#include "lib/err.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <stdlib.h>

struct vs_fix *
fix_new(void)
{
	struct vs_fix *f = calloc(1, sizeof(*f));

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	return f;
}

void
fix_free(struct vs_fix *f)
{
	free(f);
}

void
fix_clear(struct vs_fix *f)
{
	f->n_groups = f->n_tables = f->n_ports = 0;
}

uint32_t
fix_addr(const char *text)
{
	uint32_t addr = 0;

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, text), FAB_OK);
	return addr;
}

/* ---- groups ---- */

static struct vs_group_conf *
group_new(struct vs_fix *f, uint32_t id, enum vs_group_kind kind)
{
	struct vs_group_conf *g = &f->groups[f->n_groups];

	CU_ASSERT_FATAL(f->n_groups < FIX_GROUPS);
	*g = (struct vs_group_conf){ .id = id, .kind = kind, .members = f->members[f->n_groups++] };
	return g;
}

void
fix_drop(struct vs_fix *f, uint32_t id, enum vs_drop reason)
{
	group_new(f, id, VS_GROUP_DROP)->reason = reason;
}

void
fix_deliver(struct vs_fix *f, uint32_t id, uint32_t table)
{
	group_new(f, id, VS_GROUP_DELIVER)->table = table;
}

static void
add_members(struct vs_fix *f, struct vs_group_conf *g, const uint32_t *members)
{
	for (; members[g->n_members] != 0; g->n_members++) {
		CU_ASSERT_FATAL(g->n_members < 8);
		f->members[g - f->groups][g->n_members] = members[g->n_members];
	}
}

void
fix_ports(struct vs_fix *f, uint32_t id, const uint32_t *members)
{
	add_members(f, group_new(f, id, VS_GROUP_PORTS), members);
}

void
fix_via(struct vs_fix *f, uint32_t id, const uint32_t *members)
{
	add_members(f, group_new(f, id, VS_GROUP_VIA), members);
}

void
fix_guarded(struct vs_fix *f, uint32_t id, uint32_t table, const uint32_t *members)
{
	struct vs_group_conf *g = group_new(f, id, VS_GROUP_GUARDED);

	g->table = table;
	add_members(f, g, members);
}

void
fix_internet(struct vs_fix *f, uint32_t id, uint32_t table, uint32_t port)
{
	struct vs_group_conf *g = group_new(f, id, VS_GROUP_INTERNET);

	g->table = table;
	add_members(f, g, (uint32_t[]){ port, 0 });
}

void
fix_public(struct vs_fix *f, uint32_t id, uint32_t port)
{
	add_members(f, group_new(f, id, VS_GROUP_PUBLIC), (uint32_t[]){ port, 0 });
}

/* ---- tables ---- */

struct vs_table_delta *
fix_table(struct vs_fix *f, uint32_t id)
{
	size_t i;

	for (i = 0; i < f->n_tables; i++)
		if (f->tables[i].id == id)
			return &f->tables[i];
	CU_ASSERT_FATAL(i < FIX_TABLES);
	f->n_tables++;
	f->tables[i] = (struct vs_table_delta){ .id = id,
		.addr = f->addr[i],
		.len = f->len[i],
		.group = f->group[i],
		.withdrawn_addr = f->gone_addr[i],
		.withdrawn_len = f->gone_len[i] };
	return &f->tables[i];
}

void
fix_net(struct vs_fix *f, uint32_t table, uint32_t addr, uint8_t len, uint32_t group)
{
	struct vs_table_delta *d = fix_table(f, table);
	size_t t = (size_t)(d - f->tables);

	CU_ASSERT_FATAL(d->n < FIX_ROUTES);
	f->addr[t][d->n] = addr;
	f->len[t][d->n] = len;
	f->group[t][d->n++] = group;
}

void
fix_route(struct vs_fix *f, uint32_t table, const char *prefix, uint32_t group)
{
	struct ipnet net = { 0, 0 };

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, prefix), FAB_OK);
	fix_net(f, table, net.addr, net.len, group);
}

void
fix_withdraw(struct vs_fix *f, uint32_t table, const char *prefix)
{
	struct vs_table_delta *d = fix_table(f, table);
	size_t t = (size_t)(d - f->tables);
	struct ipnet net = { 0, 0 };

	CU_ASSERT_EQUAL_FATAL(ipnet_parse(&net, prefix), FAB_OK);
	CU_ASSERT_FATAL(d->n_withdrawn < FIX_ROUTES);
	f->gone_addr[t][d->n_withdrawn] = net.addr;
	f->gone_len[t][d->n_withdrawn++] = net.len;
}

/* ---- ports, updates ---- */

struct vs_port_conf *
fix_port(struct vs_fix *f, uint32_t id, const char *name, const char *ip)
{
	struct vs_port_conf *p = &f->ports[f->n_ports];

	CU_ASSERT_FATAL(f->n_ports < FIX_PORTS);
	snprintf(f->names[f->n_ports], sizeof(f->names[0]), "%s", name);
	*p = (struct vs_port_conf){ .id = id,
		.name = f->names[f->n_ports++],
		.ip = fix_addr(ip),
		.prefix_len = 24,
		.up = true,
		.mtu = 1500 };
	return p;
}

struct vs_update
fix_update(const struct vs_fix *f, uint64_t generation)
{
	return (struct vs_update){ .generation = generation,
		.last = true,
		.groups = f->groups,
		.n_groups = f->n_groups,
		.tables = f->tables,
		.n_tables = f->n_tables,
		.ports = f->ports,
		.n_ports = f->n_ports };
}

int
fix_apply(struct vs_fix *f, struct vs_model *m, const struct vs_update *u)
{
	return vs_model_apply(m, u, f->why);
}

void
fix_snapshot(struct vs_fix *f, struct vs_model *m, uint64_t generation)
{
	struct vs_update u = fix_update(f, generation);

	u.snapshot = true;
	CU_ASSERT_EQUAL_FATAL(fix_apply(f, m, &u), FAB_OK);
}

struct vs_verdict
fix_lookup(struct vs_model *m, uint32_t from, const struct vs_flow *flow)
{
	struct vs_verdict v;

	vs_model_lock(m);
	vs_lookup(m, from, flow, &v);
	vs_model_unlock(m);
	return v;
}
