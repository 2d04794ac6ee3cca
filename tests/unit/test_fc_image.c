/*
 * The image: what tables, groups and ports hold for the semantics' address plan, and that
 * differences lead to what a dump says.
 */
#include "fabricd/fc_image.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"
#include "tests/unit/fc_plan.h"
#include "tests/unit/fc_seed.h"
#include "tests/unit/img_ref.h"

#define OWNS                                                                                       \
	HUB1 SPOKES PEERINGS TABLES RS                                                             \
	    "nvas:\n"                                                                              \
	    "  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, owns: [10.1.3.100/32, "          \
	    "10.99.0.0/16]}\n"                                                                     \
	    "  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, owns: [10.1.3.100/32, "          \
	    "10.99.7.0/24]}\n" VMS

struct img {
	struct fix f;
	struct fc_image *image;
	struct ref *ref;
};

static void
img_update(struct img *m)
{
	m->ref->told = 0;
	CU_ASSERT_EQUAL_FATAL(fc_image_update(m->image, &ref_sink, m->ref), FAB_OK);
	CU_ASSERT_FALSE(fc_image_is_due(m->image));
}

static void
img_open(struct img *m, const char *yaml)
{
	fix_open(&m->f, yaml);
	m->ref = calloc(1, sizeof(*m->ref));
	CU_ASSERT_EQUAL_FATAL(fc_image_new(&m->image, m->f.l, NULL), FAB_OK);
	CU_ASSERT_TRUE(fc_image_is_due(m->image));
	img_update(m);
}

static void
img_close(struct img *m)
{
	ref_free(m->ref);
	fc_image_free(m->image);
	fix_close(&m->f);
}

static struct ref_port *
port(struct img *m, const char *name)
{
	struct ref_port *p = ref_port_named(m->ref, name);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

static void
expect_table(struct img *m, uint32_t table, const char *want)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	ref_print_table(out, m->ref, table);
	fclose(out);
	if (strcmp(text, want) != 0)
		printf("\ngot\n%swanted\n%s", text, want);
	CU_ASSERT_STRING_EQUAL(text, want);
	free(text);
}

/* What the table that the system table delivers addr to says of it: "vm11", "nva1 nva2", "-". */
static void
expect_owner(struct img *m, const char *nic, const char *addr_text, const char *want)
{
	struct ref_table *t = ref_table(m->ref, port(m, nic)->conf.system);
	const struct ref_group *g;
	struct fc_lpm_hit hit;
	char text[256] = "";
	uint32_t addr;

	CU_ASSERT_EQUAL_FATAL(ipaddr_parse(&addr, addr_text), FAB_OK);
	CU_ASSERT_FATAL(fc_lpm_longest(&t->routes, addr, FC_LPM_DEPTH, &hit));
	g = ref_group(m->ref, hit.value);
	CU_ASSERT_EQUAL_FATAL(g->key.kind, FC_IMG_DELIVER);
	t = ref_table(m->ref, g->key.table);
	if (fc_lpm_longest(&t->routes, addr, FC_LPM_DEPTH, &hit)) {
		g = ref_group(m->ref, hit.value);
		CU_ASSERT_EQUAL(g->key.kind, FC_IMG_PORTS);
		for (uint32_t i = 0; i < g->key.n_members; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			    i > 0 ? " " : "", ref_port(m->ref, g->members[i])->name);
	}
	CU_ASSERT_STRING_EQUAL(text[0] != '\0' ? text : "-", want);
}

/* ---- what it holds ---- */

static void
test_ports(void)
{
	struct img m;
	const struct ref_port *p;

	img_open(&m, PLAN);
	p = port(&m, "vm11");
	CU_ASSERT_EQUAL(p->conf.ip, 0x0a0b0004);
	CU_ASSERT_EQUAL(p->conf.prefix_len, 24);
	CU_ASSERT_TRUE(p->conf.up);
	CU_ASSERT_FALSE(p->conf.forwarding);
	CU_ASSERT_FALSE(p->conf.router);
	CU_ASSERT_EQUAL(p->conf.user, FC_IMAGE_NONE);
	CU_ASSERT_NOT_EQUAL(p->conf.bgp, FC_IMAGE_NONE);
	CU_ASSERT_FALSE(port(&m, "off11")->conf.up); /* EFF-18 */
	CU_ASSERT_TRUE(port(&m, "nva1")->conf.forwarding);
	/* One system table for each VNet, whatever the subnet. */
	CU_ASSERT_EQUAL(port(&m, "udr11")->conf.system, p->conf.system);
	CU_ASSERT_NOT_EQUAL(port(&m, "vm12")->conf.system, p->conf.system);
	/* RS-66: the table of the NIC's own instance. */
	for (size_t i = 0; i < m.f.t->n_nics; i++)
		for (size_t j = 0; j < m.f.t->n_nics; j++) {
			const struct topo_nic *a = &m.f.t->nics[i], *b = &m.f.t->nics[j];
			uint32_t x = port(&m, a->name)->conf.bgp, y = port(&m, b->name)->conf.bgp;

			if (x != FC_IMAGE_NONE && y != FC_IMAGE_NONE)
				CU_ASSERT_EQUAL(x == y, a->instance == b->instance);
		}
	/* UDR-7 */
	CU_ASSERT_EQUAL(port(&m, "still1")->conf.bgp, FC_IMAGE_NONE);
	CU_ASSERT_NOT_EQUAL(port(&m, "still1")->conf.user, FC_IMAGE_NONE);
	/* RS-8 */
	CU_ASSERT_EQUAL(port(&m, "rs1-0")->conf.ip, m.f.t->servers[0].ip[0]);
	img_close(&m);
}

/* SYS-1 ... SYS-6 */
static void
test_system_tables(void)
{
	struct img m;

	img_open(&m, PLAN);
	expect_table(&m, port(&m, "vm11")->conf.system,
	    "0.0.0.0/0 internet internet\n"
	    "10.0.0.0/8 drop none-route\n"
	    "10.1.0.0/16 deliver\n"
	    "10.11.0.0/16 deliver\n"
	    "20.35.252.0/22 drop none-route\n"
	    "23.103.0.0/18 drop none-route\n"
	    "40.108.0.0/17 drop none-route\n"
	    "40.109.0.0/16 drop none-route\n"
	    "100.64.0.0/10 drop none-route\n"
	    "104.146.0.0/17 drop none-route\n"
	    "104.147.0.0/16 drop none-route\n"
	    "127.0.0.0/8 drop none-route\n"
	    "157.59.0.0/16 drop none-route\n"
	    "172.16.0.0/12 drop none-route\n"
	    "192.168.0.0/16 drop none-route\n"
	    "198.18.0.0/15 drop none-route\n");
	expect_owner(&m, "vm11", "10.11.0.4", "vm11");
	expect_owner(&m, "vm11", "10.1.2.4", "nva1"); /* SYS-6: delivered in the peer */
	expect_owner(&m, "work1", "10.12.0.4", "vm12");
	expect_owner(&m, "vm11", "10.11.0.77", "-");
	expect_owner(&m, "vm11", "10.1.0.4", "rs1-0"); /* RS-8 */
	img_close(&m);
}

/* UDR-3, UDR-4, VPN-22 */
static void
test_user_tables(void)
{
	struct img m;

	img_open(&m, PLAN);
	expect_table(&m, port(&m, "udr11")->conf.user,
	    "10.0.0.0/8 via 10.1.2.4\n"
	    "10.1.2.128/25 drop none-route\n"
	    "10.11.0.0/16 via 10.1.2.4\n"
	    "172.21.0.0/16 drop not-carried\n");
	expect_table(&m, port(&m, "out1")->conf.user, "0.0.0.0/0 internet internet\n");
	expect_table(&m, port(&m, "still1")->conf.user, "");
	img_close(&m);
}

/* VnetLocal means the VNet of the sender: a table that says so is one table for each VNet. */
static void
test_a_table_with_vnet_local_is_one_for_each_vnet(void)
{
	struct img m;

	img_open(&m,
	    "vnets:\n"
	    "  a: {address_space: 10.1.0.0/16, subnets: {x: {prefix: 10.1.0.0/24, route_table: "
	    "rt}, y: {prefix: 10.1.1.0/24, route_table: plain}}}\n"
	    "  b: {address_space: 10.2.0.0/16, subnets: {x: {prefix: 10.2.0.0/24, route_table: "
	    "rt}, y: {prefix: 10.2.1.0/24, route_table: plain}}}\n"
	    "route_tables:\n"
	    "  rt: {routes: {here: {prefix: 10.0.0.0/8, next_hop: VnetLocal}}}\n"
	    "  plain: {routes: {away: {prefix: 10.0.0.0/8, next_hop: None}}}\n"
	    "vms:\n"
	    "  ax: {subnet: a/x, ip: 10.1.0.4}\n"
	    "  ay: {subnet: a/y, ip: 10.1.1.4}\n"
	    "  bx: {subnet: b/x, ip: 10.2.0.4}\n"
	    "  by: {subnet: b/y, ip: 10.2.1.4}\n");
	CU_ASSERT_NOT_EQUAL(port(&m, "ax")->conf.user, port(&m, "bx")->conf.user);
	CU_ASSERT_EQUAL(port(&m, "ay")->conf.user, port(&m, "by")->conf.user);
	expect_table(&m, port(&m, "ax")->conf.user, "10.0.0.0/8 deliver\n");
	img_close(&m);
}

/* RS-60, RS-65: what an NVA announced leads to it, all of an ECMP set. */
static void
test_bgp_tables(void)
{
	struct img m;
	uint32_t table;

	img_open(&m, PLAN);
	table = port(&m, "vm11")->conf.bgp;
	expect_table(&m, table, "");
	fix_nva(&m.f, "rs1", "0.0.0.0/0 172.20.0.0/16", "10.1.2.5 10.1.2.4");
	fix_nva(&m.f, "rs1", "172.21.0.0/16", "10.1.2.4");
	fix_both(&m.f, "rs1", HRP_SRC_EXPRESS_ROUTE, "172.22.0.0/16", "10.1.1.4");
	fc_image_touch_node(m.image, "rs1-0");
	CU_ASSERT_TRUE(fc_image_is_due(m.image));
	img_update(&m);
	expect_table(&m, table,
	    "0.0.0.0/0 via 10.1.2.4 10.1.2.5\n"
	    "172.20.0.0/16 via 10.1.2.4 10.1.2.5\n"
	    "172.21.0.0/16 via 10.1.2.4\n"
	    "172.22.0.0/16 drop not-carried\n");
	img_close(&m);
}

/* RS-93: with an instance gone its table is that of the other one; RS-95: with both gone it stays.
 */
static void
test_the_instance_that_serves_fills_the_table(void)
{
	struct img m;
	uint32_t table[2];

	img_open(&m, PLAN);
	for (size_t i = 0; i < m.f.t->n_nics; i++)
		if (port(&m, m.f.t->nics[i].name)->conf.bgp != FC_IMAGE_NONE)
			table[m.f.t->nics[i].instance] = port(&m, m.f.t->nics[i].name)->conf.bgp;
	for (int i = 0; i < 2; i++)
		fc_layers_reporter_state(m.f.l, i == 0 ? "rs1-0" : "rs1-1", true, true);
	fix_tell(&m.f, "rs1-0", (struct fix_route){ HRP_SRC_NVA, 1, 0 }, "0.0.0.0/0", "10.1.2.4");
	fix_tell(&m.f, "rs1-1", (struct fix_route){ HRP_SRC_NVA, 1, 0 }, "0.0.0.0/0", "10.1.2.5");
	fc_image_touch_node(m.image, "rs1-1");
	img_update(&m);
	expect_table(&m, table[0], "0.0.0.0/0 via 10.1.2.4\n");
	expect_table(&m, table[1], "0.0.0.0/0 via 10.1.2.5\n");
	fc_layers_reporter_state(m.f.l, "rs1-0", false, false);
	fc_image_touch_node(m.image, "rs1-0");
	img_update(&m);
	expect_table(&m, table[0], "0.0.0.0/0 via 10.1.2.5\n");
	fc_layers_reporter_state(m.f.l, "rs1-1", false, false);
	fc_image_touch_node(m.image, "rs1-1");
	img_update(&m);
	expect_table(&m, table[0], "0.0.0.0/0 via 10.1.2.5\n");
	expect_table(&m, table[1], "0.0.0.0/0 via 10.1.2.5\n");
	img_close(&m);
}

/* RS-56: an address that several NVAs own is taken by those that are alive; a NIC with the address
 * comes first. */
static void
test_owners(void)
{
	struct img m;

	img_open(&m, OWNS);
	expect_owner(&m, "vm11", "10.1.3.100", "nva1 nva2");
	fix_router(&m.f, "nva1", "0.0.0.0/0>");
	fc_layers_router_gone(m.f.l, "nva1");
	fc_image_touch_node(m.image, "nva1");
	img_update(&m);
	expect_owner(&m, "vm11", "10.1.3.100", "nva2");
	expect_owner(&m, "vm11", "10.1.2.4", "nva1"); /* the NIC stays where it is */
	fix_router(&m.f, "nva1", "0.0.0.0/0>");
	fc_image_touch_node(m.image, "nva1");
	img_update(&m);
	expect_owner(&m, "vm11", "10.1.3.100", "nva1 nva2");
	img_close(&m);
}

/* ---- differences ---- */

static void
test_a_small_change_is_told_in_few_words(void)
{
	struct img m;
	uint32_t id;

	img_open(&m, PLAN);
	id = port(&m, "vm11")->id;
	fix_nva(&m.f, "rs1", "0.0.0.0/0 172.20.0.0/16", "10.1.2.4");
	fc_image_touch_node(m.image, "rs1-0");
	img_update(&m);
	CU_ASSERT_EQUAL(m.ref->told, 4); /* two routes in two tables; the group is there */
	/* Nothing changed: nothing is said. */
	fc_image_touch_all(m.image);
	img_update(&m);
	CU_ASSERT_EQUAL(m.ref->told, 0);
	/* One route of two leads elsewhere: the new group, and twice one route. */
	fix_nva(&m.f, "rs1", "172.20.0.0/16", "10.1.2.5");
	fc_image_touch_node(m.image, "rs1-1");
	img_update(&m);
	CU_ASSERT_EQUAL(m.ref->told, 3);
	/* Its last route gone, the group goes too. */
	fix_both_withdraw(&m.f, "rs1", "172.20.0.0/16");
	fc_image_touch_node(m.image, "rs1-1");
	img_update(&m);
	CU_ASSERT_EQUAL(m.ref->told, 3);
	CU_ASSERT_EQUAL(port(&m, "vm11")->id, id);
	img_close(&m);
}

static void
test_nodes_of_other_kinds_change_nothing(void)
{
	struct img m;

	img_open(&m, PLAN);
	fc_image_touch_node(m.image, "nobody");
	CU_ASSERT_FALSE(fc_image_is_due(m.image));
	img_close(&m);
}

/* A number stands for a name while the name is there, and for nothing else ever. */
static void
test_numbers_stay(void)
{
	struct img m;
	uint32_t vm11, user, gone;

	img_open(&m, PLAN);
	vm11 = port(&m, "vm11")->id;
	user = port(&m, "udr11")->conf.user;
	gone = port(&m, "vm12")->id;
	fix_rebind(&m.f,
	    HUB1 SPOKES PEERINGS TABLES RS NVAS "vms:\n"
						"  new: {subnet: s11/vms, ip: 10.11.0.77}\n"
						"  vm11: {subnet: s11/vms, ip: 10.11.0.5}\n"
						"  udr11: {subnet: s11/udr, ip: 10.11.1.4}\n");
	fc_image_touch_all(m.image);
	img_update(&m);
	CU_ASSERT_EQUAL(port(&m, "vm11")->id, vm11);
	CU_ASSERT_EQUAL(port(&m, "vm11")->conf.ip, 0x0a0b0005);
	CU_ASSERT_EQUAL(port(&m, "udr11")->conf.user, user);
	CU_ASSERT_PTR_NULL(ref_port_named(m.ref, "vm12"));
	CU_ASSERT_PTR_NULL(ref_port(m.ref, gone));
	expect_owner(&m, "udr11", "10.11.0.77", "new");
	fix_rebind(&m.f, PLAN);
	fc_image_touch_all(m.image);
	img_update(&m);
	CU_ASSERT_EQUAL(port(&m, "vm11")->id, vm11);
	CU_ASSERT_NOT_EQUAL(port(&m, "vm12")->id, gone);
	img_close(&m);
}

/* ---- deltas equal snapshots ---- */

static const char *const variants[] = {
	PLAN,
	OWNS,
	HUB1 SPOKES PEERINGS TABLES RS NVAS,
	HUB1 SPOKES "peerings: [{hub: hub1, spoke: s11}]\n" TABLES RS NVAS VMS,
	HUB1 SPOKES
	"peerings: [{hub: hub1, spoke: [s11, s12], do_not_verify_remote_gateways: true}]\n" TABLES
	    NVAS VMS,
};

static void
random_routes(struct img *m, const char *reporter)
{
	static const uint32_t hops[] = { 0x0a010204, 0x0a010205, 0x0a010104 };
	static const uint32_t path[4] = { 65001 };
	uint32_t addr[FIX_ROUTES_MAX], from = (uint32_t)rand() % 2;
	uint8_t len[FIX_ROUTES_MAX];
	struct fc_route_group g = { .source = rand() % 4 ? HRP_SRC_NVA : HRP_SRC_EXPRESS_ROUTE,
		.next_hops = hops + from,
		.n_next_hops = 1 + (size_t)rand() % 2,
		.as_path = path,
		.n_as_path = 1 + (size_t)rand() % 2,
		.addr = addr,
		.len = len };
	struct fc_route_batch b = { .withdrawn_addr = addr, .withdrawn_len = len };
	size_t n = 1 + (size_t)rand() % FIX_ROUTES_MAX, changed;

	for (size_t i = 0; i < n; i++) {
		len[i] = (uint8_t)(8 + rand() % 17);
		addr[i] = (0x0a000000 | (uint32_t)rand() % 0x400000) & ipnet_mask(len[i]);
	}
	if (rand() % 3) {
		g.n = n;
		b.groups = &g;
		b.n_groups = 1;
	} else {
		b.n_withdrawn = n;
	}
	(void)fc_layers_apply(m->f.l, reporter, &b, &changed); /* FAB_ENOENT: not in this variant */
	fc_image_touch_node(m->image, reporter);
}

static void
random_event(struct img *m)
{
	static const char *const reporters[] = { "rs1-0", "rs1-1" };
	const char *reporter = reporters[rand() % 2];
	int what = rand() % 16;

	if (what == 0) {
		fix_rebind(
		    &m->f, variants[(size_t)rand() % (sizeof(variants) / sizeof(*variants))]);
		fc_image_touch_all(m->image);
	} else if (what < 3) {
		fc_layers_reporter_state(m->f.l, reporter, rand() % 2, rand() % 2);
		fc_image_touch_node(m->image, reporter);
	} else if (what == 3) {
		fix_router(&m->f, "nva1", "");
		if (rand() % 2)
			fc_layers_router_gone(m->f.l, "nva1");
		fc_image_touch_node(m->image, "nva1");
	} else {
		random_routes(m, reporter);
	}
}

/* What was told so far is what a reader who comes now would be told, and what a fresh image of the
 * same layers says, but for its numbers. */
static void
check_image(struct img *m)
{
	struct ref *dump = calloc(1, sizeof(*dump));

	fc_image_dump(m->image, &ref_sink, dump);
	ref_expect_same(m->ref, dump);
	ref_free(dump);
}

static char *
tables_of(struct ref *r, const struct topo *t)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < t->n_nics; i++) {
		const struct ref_port *p = ref_port_named(r, t->nics[i].name);
		const uint32_t ids[] = { p->conf.user, p->conf.bgp, p->conf.system };

		for (size_t j = 0; j < 3; j++) {
			fprintf(out, "%s %zu:\n", p->name, j);
			if (ids[j] != FC_IMAGE_NONE)
				ref_print_table(out, r, ids[j]);
		}
	}
	fclose(out);
	return text;
}

static void
check_against_fresh(struct img *m)
{
	struct ref *ref = calloc(1, sizeof(*ref));
	struct fc_image *fresh;
	char *a, *b;

	CU_ASSERT_EQUAL_FATAL(fc_image_new(&fresh, m->f.l, NULL), FAB_OK);
	CU_ASSERT_EQUAL(fc_image_update(fresh, &ref_sink, ref), FAB_OK);
	a = tables_of(m->ref, m->f.t);
	b = tables_of(ref, m->f.t);
	CU_ASSERT_STRING_EQUAL(a, b);
	CU_ASSERT_EQUAL(HASH_COUNT(m->ref->groups), HASH_COUNT(ref->groups));
	free(a);
	free(b);
	ref_free(ref);
	fc_image_free(fresh);
}

static void
test_differences_lead_to_the_whole(void)
{
	struct img m;

	srand(fc_seed());
	img_open(&m, PLAN);
	for (int round = 0; round < 80; round++) {
		for (int i = rand() % 4; i >= 0; i--)
			random_event(&m);
		if (fc_image_is_due(m.image))
			img_update(&m);
		check_image(&m);
		check_against_fresh(&m);
	}
	img_close(&m);
}

/* ER-15: an MSEE spreads flows over the gateway instances that it has a session with; each for
 * itself. */
static bool
primary_misses_the_second(void *ctx, const char *a, const char *b)
{
	return *(bool *)ctx && strcmp(a, "c1-primary") == 0 && strcmp(b, "er1-1") == 0;
}

static void
test_msee_and_the_instance_that_is_left(void)
{
	static const char both[] = "10.1.0.0/16 ports er1-0/in er1-1/in\n",
			  one[] = "10.1.0.0/16 ports er1-0/in\n";
	bool missed = false;
	struct img m;

	img_open(&m,
	    "vnets:\n"
	    "  hub1: {address_space: 10.1.0.0/16, subnets: {GatewaySubnet: 10.1.1.0/26, work: "
	    "10.1.3.0/24}}\n"
	    "gateways: {er1: {vnet: hub1, type: ExpressRoute, circuits: [c1]}}\n"
	    "circuits: {c1: {site: dc1}}\n"
	    "sites: {dc1: {asn: 64900, prefixes: 172.20.0.0/16}}\n"
	    "vms: {vm1: {subnet: hub1/work, ip: 10.1.3.4}}\n");
	fc_layers_set_faults(
	    m.f.l, &(struct fc_layer_faults){
		       .session_is_down = primary_misses_the_second, .ctx = &missed });
	expect_table(&m, port(&m, "c1-primary/in")->conf.user, both);
	missed = true;
	fc_image_touch_node(m.image, "c1-primary");
	img_update(&m);
	expect_table(&m, port(&m, "c1-primary/in")->conf.user, one);
	expect_table(&m, port(&m, "c1-secondary/in")->conf.user, both);
	missed = false;
	fc_image_touch_node(m.image, "c1-primary");
	img_update(&m);
	expect_table(&m, port(&m, "c1-primary/in")->conf.user, both);
	img_close(&m);
}

#define BALANCED                                                                                   \
	HUB1 SPOKES PEERINGS TABLES RS NVAS                                                        \
	    "load_balancers:\n"                                                                    \
	    "  ilb1: {subnet: hub1/nva, ip: 10.1.2.100, backends: [nva1, nva2]PROBE}\n" VMS

static char *
balanced(const char *probe)
{
	static char text[8192];
	const char *at = strstr(BALANCED, "PROBE");

	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - BALANCED), BALANCED, probe, at + 5);
	return text;
}

/* RS-57: probes are told as a whole when one of them changes; what they find moves owners only. */
static void
test_probes(void)
{
	struct fc_health down = { .healthy = false }, up = { .healthy = true };
	struct img m;
	bool changed;

	img_open(&m, balanced(""));
	CU_ASSERT_EQUAL(m.ref->n_probes, 0);
	expect_owner(&m, "nva1", "10.1.2.100", "nva1 nva2");
	CU_ASSERT_EQUAL(fc_layers_health(m.f.l, "ilb1", "nva1", &down, &changed), FAB_ENOENT);
	fix_rebind(&m.f, balanced(", probe: {protocol: Http, port: 80, path: /up, interval: 3s}"));
	fc_image_touch_all(m.image);
	img_update(&m);
	CU_ASSERT_EQUAL_FATAL(m.ref->n_probes, 2);
	CU_ASSERT_EQUAL(m.ref->told, 1);
	for (size_t i = 0; i < 2; i++) {
		const struct fc_img_probe *p = &m.ref->probes[i];

		CU_ASSERT_STRING_EQUAL(p->balancer, "ilb1");
		CU_ASSERT_EQUAL(p->port, port(&m, i == 0 ? "nva1" : "nva2")->id);
		CU_ASSERT_TRUE(p->http && p->tcp_port == 80 && p->interval_ms == 3000);
		CU_ASSERT_EQUAL(p->threshold, 2);
		CU_ASSERT_STRING_EQUAL(p->path, "/up");
	}
	fc_image_touch_all(m.image);
	img_update(&m);
	CU_ASSERT_EQUAL(m.ref->told, 0);
	expect_owner(&m, "nva1", "10.1.2.100", "nva1 nva2"); /* nothing is known yet */
	CU_ASSERT_EQUAL(fc_layers_health(m.f.l, "ilb1", "nva1", &down, &changed), FAB_OK);
	CU_ASSERT_TRUE(changed);
	fc_image_touch_owners(m.image, m.f.t->balancers[0].vnet);
	img_update(&m);
	expect_owner(&m, "nva1", "10.1.2.100", "nva2");
	fc_layers_router_gone(m.f.l, "nva2"); /* its process is not what is asked */
	CU_ASSERT_EQUAL(fc_layers_health(m.f.l, "ilb1", "nva2", &up, &changed), FAB_OK);
	fc_image_touch_owners(m.image, m.f.t->balancers[0].vnet);
	img_update(&m);
	expect_owner(&m, "nva1", "10.1.2.100", "nva2");
	img_close(&m);
}

static CU_TestInfo tests[] = {
	{ "RS-57: probes and what they find", test_probes },
	{ "UDR-7, RS-8, RS-66, EFF-18: ports", test_ports },
	{ "SYS-1 ... SYS-6: system tables", test_system_tables },
	{ "UDR-3, UDR-4, VPN-22: user tables", test_user_tables },
	{ "a table with VnetLocal is one for each VNet",
	    test_a_table_with_vnet_local_is_one_for_each_vnet },
	{ "RS-60, RS-65: BGP tables", test_bgp_tables },
	{ "RS-93, RS-95: the instance that serves fills the table",
	    test_the_instance_that_serves_fills_the_table },
	{ "RS-56: owners", test_owners },
	{ "a small change is told in few words", test_a_small_change_is_told_in_few_words },
	{ "nodes of other kinds change nothing", test_nodes_of_other_kinds_change_nothing },
	{ "numbers stay", test_numbers_stay },
	{ "differences lead to the whole", test_differences_lead_to_the_whole },
	{ "ER-15: an MSEE and the instance that is left", test_msee_and_the_instance_that_is_left },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_image", tests)
