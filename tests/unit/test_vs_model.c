/*
 * Updates: what a message, a transaction and a snapshot do, and that nothing changes before an
 * update is complete and right.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"
#include "tests/unit/vs_fixture.h"
#include "vswitchd/vs_idmap.h"

#include <stdlib.h>
#include <string.h>

enum { OWNERS = 1, SYSTEM = 2, BGP = 3 };
enum { TO_VNET = 1, TO_VM2 = 2, TO_NOWHERE = 3 };
enum { VM1 = 1, VM2 = 2 };

/* Two machines in one VNet. */
static void
put_vnet(struct vs_fix *f)
{
	fix_clear(f);
	fix_deliver(f, TO_VNET, OWNERS);
	fix_ports(f, TO_VM2, (uint32_t[]){ VM2, 0 });
	fix_route(f, OWNERS, "10.0.0.5/32", TO_VM2);
	fix_route(f, SYSTEM, "10.0.0.0/16", TO_VNET);
	fix_port(f, VM1, "vm1", "10.0.0.4")->system = SYSTEM;
	fix_port(f, VM2, "vm2", "10.0.0.5")->system = SYSTEM;
}

static struct vs_model *
model_new(struct vs_fix *f)
{
	struct vs_model *m;

	CU_ASSERT_EQUAL_FATAL(vs_model_new(&m), FAB_OK);
	put_vnet(f);
	fix_snapshot(f, m, 1);
	return m;
}

static struct vs_verdict
ask(struct vs_model *m, const char *dst)
{
	struct vs_flow flow = { .src = fix_addr("10.0.0.4"), .dst = fix_addr(dst) };

	return fix_lookup(m, VM1, &flow);
}

static bool
reaches_vm2(struct vs_model *m)
{
	struct vs_verdict v = ask(m, "10.0.0.5");

	return v.action == VS_TO_PORT && v.port == VM2;
}

static bool
drops(struct vs_model *m, const char *dst, enum vs_drop why)
{
	struct vs_verdict v = ask(m, dst);

	return v.action == VS_DROPPED && v.drop == why;
}

static void
test_snapshot_comes_first(void)
{
	struct vs_fix *f = fix_new();
	struct vs_update u;
	struct vs_model *m;

	CU_ASSERT_EQUAL_FATAL(vs_model_new(&m), FAB_OK);
	CU_ASSERT_EQUAL(vs_model_generation(m), 0);
	CU_ASSERT_TRUE(drops(m, "10.0.0.5", VS_DROP_PORT_DOWN));
	put_vnet(f);
	u = fix_update(f, 1);
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_EINVAL);
	CU_ASSERT_STRING_NOT_EQUAL(f->why, "");
	fix_snapshot(f, m, 7);
	CU_ASSERT_STRING_EQUAL(f->why, "");
	CU_ASSERT_EQUAL(vs_model_generation(m), 7);
	CU_ASSERT_TRUE(reaches_vm2(m));
	CU_ASSERT_PTR_NOT_NULL_FATAL(vs_model_find(m, "vm2"));
	CU_ASSERT_EQUAL(vs_model_find(m, "vm2")->ip, fix_addr("10.0.0.5"));
	CU_ASSERT_PTR_NULL(vs_model_find(m, "vm3"));
	vs_model_free(m);
	fix_free(f);
}

static void
test_nothing_changes_before_last(void)
{
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);
	struct vs_update u;

	fix_clear(f);
	fix_withdraw(f, OWNERS, "10.0.0.5/32");
	u = fix_update(f, 2);
	u.last = false;
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	CU_ASSERT_TRUE(reaches_vm2(m));
	CU_ASSERT_EQUAL(vs_model_generation(m), 1);
	fix_clear(f);
	u = fix_update(f, 2);
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	CU_ASSERT_TRUE(drops(m, "10.0.0.5", VS_DROP_NO_OWNER));
	CU_ASSERT_EQUAL(vs_model_generation(m), 2);
	vs_model_free(m);
	fix_free(f);
}

/* References may point forward over messages: only the whole is looked at. */
static void
test_references_are_checked_at_the_end(void)
{
	struct vs_fix *f = fix_new();
	struct vs_update u;
	struct vs_model *m;

	CU_ASSERT_EQUAL_FATAL(vs_model_new(&m), FAB_OK);
	fix_port(f, VM1, "vm1", "10.0.0.4")->system = SYSTEM;
	fix_port(f, VM2, "vm2", "10.0.0.5");
	u = fix_update(f, 1);
	u.snapshot = true;
	u.last = false;
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	put_vnet(f);
	u = fix_update(f, 1);
	u.n_ports = 0;
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	CU_ASSERT_TRUE(reaches_vm2(m));
	vs_model_free(m);
	fix_free(f);
}

static void
test_snapshot_forgets_what_it_does_not_repeat(void)
{
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);

	fix_clear(f);
	fix_port(f, VM1, "vm1", "10.0.0.4");
	fix_snapshot(f, m, 9);
	CU_ASSERT_PTR_NULL(vs_model_find(m, "vm2"));
	CU_ASSERT_TRUE(drops(m, "10.0.0.5", VS_DROP_NO_ROUTE));
	vs_model_free(m);
	fix_free(f);
}

static void
test_table_changes(void)
{
	static const struct {
		const char *add, *withdraw, *add_too;
		bool replace;
		bool kept, new_one, both; /* 10.0.0.5/32, 10.0.0.6/32, 10.0.0.7/32 afterwards */
	} rows[] = {
		{ "10.0.0.6/32", NULL, NULL, false, true, true, false },
		{ "10.0.0.6/32", NULL, NULL, true, false, true, false },
		{ "10.0.0.6/32", "10.0.0.5/32", NULL, false, false, true, false },
		{ "10.0.0.6/32", "10.0.0.6/32", NULL, false, true, true, false },
		{ "10.0.0.6/32", "10.0.0.9/32", "10.0.0.7/32", false, true, true, true },
		{ "10.0.0.5/32", "10.0.0.5/32", "10.0.0.5/32", true, true, false, false },
	};
	struct vs_fix *f = fix_new();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vs_model *m = model_new(f);
		struct vs_update u;

		fix_clear(f);
		fix_route(f, OWNERS, rows[i].add, TO_VM2);
		if (rows[i].withdraw != NULL)
			fix_withdraw(f, OWNERS, rows[i].withdraw);
		if (rows[i].add_too != NULL)
			fix_route(f, OWNERS, rows[i].add_too, TO_VM2);
		fix_table(f, OWNERS)->replace = rows[i].replace;
		u = fix_update(f, 2);
		CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
		CU_ASSERT_EQUAL(reaches_vm2(m), rows[i].kept);
		CU_ASSERT_EQUAL(ask(m, "10.0.0.6").action == VS_TO_PORT, rows[i].new_one);
		CU_ASSERT_EQUAL(ask(m, "10.0.0.7").action == VS_TO_PORT, rows[i].both);
		vs_model_free(m);
	}
	fix_free(f);
}

static void
test_replace_forgets_earlier_messages_too(void)
{
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);
	struct vs_update u;

	fix_clear(f);
	fix_route(f, OWNERS, "10.0.0.6/32", TO_VM2);
	u = fix_update(f, 2);
	u.last = false;
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	fix_clear(f);
	fix_route(f, OWNERS, "10.0.0.7/32", TO_VM2);
	fix_table(f, OWNERS)->replace = true;
	u = fix_update(f, 2);
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	CU_ASSERT_TRUE(drops(m, "10.0.0.5", VS_DROP_NO_OWNER));
	CU_ASSERT_TRUE(drops(m, "10.0.0.6", VS_DROP_NO_OWNER));
	CU_ASSERT_EQUAL(ask(m, "10.0.0.7").port, VM2);
	vs_model_free(m);
	fix_free(f);
}

static void
test_renumbering_keeps_names(void)
{
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);
	uint64_t revision = vs_model_ports_revision(m);
	uint32_t gone = VM2;
	struct vs_update u;

	fix_clear(f);
	fix_ports(f, TO_VM2, (uint32_t[]){ 77, 0 });
	fix_port(f, 77, "vm2", "10.0.0.5");
	u = fix_update(f, 2);
	u.gone_ports = &gone;
	u.n_gone_ports = 1;
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	CU_ASSERT_EQUAL(ask(m, "10.0.0.5").port, 77);
	CU_ASSERT_EQUAL(vs_model_find(m, "vm2")->id, 77);
	CU_ASSERT_NOT_EQUAL(vs_model_ports_revision(m), revision);
	vs_model_free(m);
	fix_free(f);
}

/* ---- refusals ---- */

static void
no_such_table(struct vs_fix *f, struct vs_update *u)
{
	fix_port(f, VM1, "vm1", "10.0.0.4")->bgp = 99;
	u->ports = f->ports;
	u->n_ports = f->n_ports;
}

static void
no_such_group(struct vs_fix *f, struct vs_update *u)
{
	fix_route(f, SYSTEM, "0.0.0.0/0", 99);
	u->n_tables = f->n_tables;
}

static void
no_such_port(struct vs_fix *f, struct vs_update *u)
{
	fix_ports(f, TO_VM2, (uint32_t[]){ 99, 0 });
	u->n_groups = f->n_groups;
}

static void
deliver_without_table(struct vs_fix *f, struct vs_update *u)
{
	fix_deliver(f, 50, 99);
	u->n_groups = f->n_groups;
}

static void
no_members(struct vs_fix *f, struct vs_update *u)
{
	fix_via(f, 50, (uint32_t[]){ 0 });
	u->n_groups = f->n_groups;
}

static void
reason_of_the_switch_itself(struct vs_fix *f, struct vs_update *u)
{
	fix_drop(f, 50, VS_DROP_FULL);
	u->n_groups = f->n_groups;
}

static void
unknown_kind(struct vs_fix *f, struct vs_update *u)
{
	fix_drop(f, 50, VS_DROP_NO_ROUTE);
	f->groups[0].kind = (enum vs_group_kind)17;
	u->n_groups = f->n_groups;
}

static void
too_many_members(struct vs_fix *f, struct vs_update *u)
{
	fix_via(f, 50, (uint32_t[]){ 1, 0 });
	f->groups[0].n_members = VS_MEMBERS_MAX + 1;
	u->n_groups = f->n_groups;
}

static void
host_bits(struct vs_fix *f, struct vs_update *u)
{
	fix_net(f, SYSTEM, 0x0a000001, 8, TO_VNET);
	u->n_tables = f->n_tables;
}

static void
long_prefix(struct vs_fix *f, struct vs_update *u)
{
	fix_net(f, SYSTEM, 0, 33, TO_VNET);
	u->n_tables = f->n_tables;
}

static void
group_zero(struct vs_fix *f, struct vs_update *u)
{
	fix_route(f, SYSTEM, "0.0.0.0/0", 0);
	u->n_tables = f->n_tables;
}

static void
withdrawn_host_bits(struct vs_fix *f, struct vs_update *u)
{
	fix_withdraw(f, SYSTEM, "10.0.0.0/8");
	f->gone_addr[0][0] = 0x0a000001;
	u->n_tables = f->n_tables;
}

static void
table_zero(struct vs_fix *f, struct vs_update *u)
{
	fix_table(f, 0);
	u->n_tables = f->n_tables;
}

static void
port_zero(struct vs_fix *f, struct vs_update *u)
{
	fix_port(f, 0, "vm9", "10.0.0.9");
	u->n_ports = f->n_ports;
}

static void
group_zero_itself(struct vs_fix *f, struct vs_update *u)
{
	fix_deliver(f, 0, 1);
	u->n_groups = f->n_groups;
}

static void
no_name(struct vs_fix *f, struct vs_update *u)
{
	fix_port(f, 9, "", "10.0.0.9");
	u->n_ports = f->n_ports;
}

static void
long_name(struct vs_fix *f, struct vs_update *u)
{
	fix_port(f, 9, "vm", "10.0.0.9");
	memset(f->names[0], 'x', VS_NAME_MAX);
	f->names[0][VS_NAME_MAX] = '\0';
	u->n_ports = f->n_ports;
}

static void
name_twice(struct vs_fix *f, struct vs_update *u)
{
	fix_port(f, 9, "vm2", "10.0.0.9");
	u->n_ports = f->n_ports;
}

static void
subnet_of_33_bits(struct vs_fix *f, struct vs_update *u)
{
	fix_port(f, 9, "vm9", "10.0.0.9")->prefix_len = 33;
	u->n_ports = f->n_ports;
}

static const uint32_t one = 1, two = 2;

static void
table_gone_in_use(struct vs_fix *f, struct vs_update *u)
{
	(void)f;
	u->gone_tables = &two; /* SYSTEM */
	u->n_gone_tables = 1;
}

static void
group_gone_in_use(struct vs_fix *f, struct vs_update *u)
{
	(void)f;
	u->gone_groups = &one; /* TO_VNET */
	u->n_gone_groups = 1;
}

static void
port_gone_in_use(struct vs_fix *f, struct vs_update *u)
{
	(void)f;
	u->gone_ports = &two; /* VM2 */
	u->n_gone_ports = 1;
}

static void
test_refused_updates_leave_everything_in_force(void)
{
	static void (*const rows[])(struct vs_fix *, struct vs_update *) = { no_such_table,
		no_such_group, no_such_port, deliver_without_table, no_members,
		reason_of_the_switch_itself, unknown_kind, too_many_members, host_bits, long_prefix,
		group_zero, withdrawn_host_bits, table_zero, port_zero, group_zero_itself, no_name,
		long_name, name_twice, subnet_of_33_bits, table_gone_in_use, group_gone_in_use,
		port_gone_in_use };
	struct vs_fix *f = fix_new();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vs_model *m = model_new(f);
		struct vs_update u;

		fix_clear(f);
		u = fix_update(f, 2);
		rows[i](f, &u);
		CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_EINVAL);
		CU_ASSERT_STRING_NOT_EQUAL(f->why, "");
		CU_ASSERT_TRUE(reaches_vm2(m));
		CU_ASSERT_EQUAL(vs_model_generation(m), 1);
		vs_model_free(m);
	}
	fix_free(f);
}

/* The rest of a refused update must not come into force as if it were whole. */
static void
test_after_a_refusal_only_a_snapshot_helps(void)
{
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);
	struct vs_update u;

	fix_clear(f);
	fix_net(f, SYSTEM, 0x0a000001, 8, TO_VNET);
	u = fix_update(f, 2);
	u.last = false;
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_EINVAL);
	fix_clear(f);
	fix_withdraw(f, OWNERS, "10.0.0.5/32");
	u = fix_update(f, 2);
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_EINVAL);
	CU_ASSERT_TRUE(reaches_vm2(m));
	put_vnet(f);
	fix_snapshot(f, m, 3);
	CU_ASSERT_EQUAL(vs_model_generation(m), 3);
	vs_model_free(m);
	fix_free(f);
}

static void
test_new_snapshot_ends_an_unfinished_update(void)
{
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);
	struct vs_update u;

	fix_clear(f);
	fix_drop(f, TO_NOWHERE, VS_DROP_NONE_ROUTE);
	fix_route(f, OWNERS, "10.0.0.5/32", TO_NOWHERE);
	u = fix_update(f, 2);
	u.last = false;
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_OK);
	put_vnet(f);
	fix_snapshot(f, m, 3);
	CU_ASSERT_TRUE(reaches_vm2(m));
	vs_model_free(m);
	fix_free(f);
}

static void
test_limits(void)
{
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);
	uint32_t *addr = malloc(VS_ROUTES_MAX * sizeof(*addr)), *group;
	uint8_t *len = malloc(VS_ROUTES_MAX);
	struct vs_table_delta *d;
	struct vs_update u;

	CU_ASSERT_FATAL(addr != NULL && len != NULL);
	group = malloc(VS_ROUTES_MAX * sizeof(*group));
	CU_ASSERT_PTR_NOT_NULL_FATAL(group);
	for (uint32_t i = 0; i < VS_ROUTES_MAX; i++) {
		addr[i] = i << 8;
		len[i] = 24;
		group[i] = TO_VNET;
	}
	fix_clear(f);
	d = fix_table(f, BGP);
	d->addr = addr;
	d->len = len;
	d->group = group;
	d->n = VS_ROUTES_MAX; /* and two there are already */
	u = fix_update(f, 2);
	CU_ASSERT_EQUAL(fix_apply(f, m, &u), FAB_ETOOBIG);
	CU_ASSERT_TRUE(reaches_vm2(m));
	CU_ASSERT_TRUE(vs_model_memory(m) < 65536);
	free(addr);
	free(len);
	free(group);
	vs_model_free(m);
	fix_free(f);
}

/* ---- the map of ids ---- */

static void
test_ids_against_a_plain_array(void)
{
	static char known[512], *where[512];
	unsigned seed = fc_seed();
	struct vs_idmap m = { 0 };
	size_t n = 0;

	memset(where, 0, sizeof(where));
	for (unsigned i = 0; i < 200000; i++) {
		/* Few ids that meet in few places. */
		uint32_t k = (uint32_t)rand_r(&seed) % 512, id = (k + 1) * 64;

		if (rand_r(&seed) % 2 == 0) {
			void *old = &m;

			CU_ASSERT_EQUAL_FATAL(vs_idmap_put(&m, id, &known[k], &old), FAB_OK);
			CU_ASSERT_PTR_EQUAL(old, where[k]);
			n += where[k] == NULL;
			where[k] = &known[k];
		} else {
			CU_ASSERT_PTR_EQUAL(vs_idmap_del(&m, id), where[k]);
			n -= where[k] != NULL;
			where[k] = NULL;
		}
		k = (uint32_t)rand_r(&seed) % 512;
		CU_ASSERT_PTR_EQUAL(vs_idmap_get(&m, (k + 1) * 64), where[k]);
		CU_ASSERT_EQUAL(m.n, n);
	}
	CU_ASSERT_PTR_NULL(vs_idmap_get(&m, 0));
	for (const struct vs_idslot *s = NULL; (s = vs_idmap_next(&m, s)) != NULL; n--)
		CU_ASSERT_PTR_EQUAL(s->p, where[s->id / 64 - 1]);
	CU_ASSERT_EQUAL(n, 0);
	vs_idmap_fini(&m);
}

/* An update names all targets or none; later ones leave them alone. */
static void
test_targets(void)
{
	const struct vs_target_conf fine = { .balancer = "ilb1",
		.port = VM2,
		.tcp_port = 80,
		.path = "/up",
		.interval_ms = 500,
		.threshold = 2 };
	struct vs_target_conf wrong[5], t = fine;
	struct vs_update u = { .last = true, .targets = &t, .n_targets = 1 };
	struct vs_fix *f = fix_new();
	struct vs_model *m = model_new(f);
	char why[128];

	CU_ASSERT_PTR_NULL(vs_model_target(m, 0));
	u.replace_targets = true;
	CU_ASSERT_EQUAL(vs_model_apply(m, &u, why), FAB_OK);
	CU_ASSERT_PTR_NOT_NULL_FATAL(vs_model_target(m, 0));
	CU_ASSERT_STRING_EQUAL(vs_model_target(m, 0)->balancer, "ilb1");
	CU_ASSERT_STRING_EQUAL(vs_model_target(m, 0)->path, "/up");
	CU_ASSERT_PTR_NULL(vs_model_target(m, 1));
	CU_ASSERT_EQUAL(vs_model_apply(m, &(struct vs_update){ .last = true }, why), FAB_OK);
	CU_ASSERT_PTR_NOT_NULL(vs_model_target(m, 0));
	for (size_t i = 0; i < 5; i++)
		wrong[i] = fine;
	wrong[0].port = 4711;
	wrong[1].tcp_port = 0;
	wrong[2].interval_ms = 1;
	wrong[3].balancer = "";
	wrong[4].threshold = 0;
	for (size_t i = 0; i < 5; i++) {
		t = wrong[i];
		CU_ASSERT_EQUAL(vs_model_apply(m, &u, why), FAB_EINVAL);
		CU_ASSERT_EQUAL(vs_model_target(m, 0)->port, VM2); /* as before */
		fix_snapshot(f, m, 2);
		CU_ASSERT_PTR_NULL(vs_model_target(m, 0));
		t = fine;
		CU_ASSERT_EQUAL(vs_model_apply(m, &u, why), FAB_OK);
	}
	u.replace_targets = false;
	CU_ASSERT_EQUAL(vs_model_apply(m, &u, why), FAB_EINVAL);
	vs_model_free(m);
	fix_free(f);
}

static CU_TestInfo model_tests[] = {
	{ "targets of probes", test_targets },
	{ "a snapshot comes first", test_snapshot_comes_first },
	{ "nothing changes before `last`", test_nothing_changes_before_last },
	{ "references are checked at the end", test_references_are_checked_at_the_end },
	{ "a snapshot forgets what it does not repeat",
	    test_snapshot_forgets_what_it_does_not_repeat },
	{ "table changes", test_table_changes },
	{ "replace forgets earlier messages too", test_replace_forgets_earlier_messages_too },
	{ "renumbering keeps names", test_renumbering_keeps_names },
	{ "refused updates leave everything in force",
	    test_refused_updates_leave_everything_in_force },
	{ "after a refusal only a snapshot helps", test_after_a_refusal_only_a_snapshot_helps },
	{ "a new snapshot ends an unfinished update", test_new_snapshot_ends_an_unfinished_update },
	{ "limits", test_limits },
	{ "ids against a plain array", test_ids_against_a_plain_array },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_model", model_tests)
