/*
 * Links: what words mean, what rows become in the image, and that the store gives back what it got.
 */
#include "fabricd/fc_image.h"
#include "fabricd/fc_link_places.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"
#include "tests/unit/img_ref.h"

#define FABRIC                                                                                     \
	"name: links\n"                                                                            \
	"regions:\n"                                                                               \
	"  delay: 1ms\n"                                                                           \
	"  delays: [{between: [west, north], delay: 9ms, jitter: 2ms}]\n"                          \
	"vnets:\n"                                                                                 \
	"  hub1: {region: west, address_space: [10.1.0.0/16], subnets: {RouteServerSubnet: "       \
	"10.1.0.0/26, GatewaySubnet: 10.1.1.0/26, nva: 10.1.2.0/24, vms: 10.1.3.0/24}}\n"          \
	"  hub2: {region: north, address_space: [10.2.0.0/16], subnets: {nva: 10.2.2.0/24}}\n"     \
	"peerings: [{between: [hub1, hub2]}]\n"                                                    \
	"route_servers: {rs1: {vnet: hub1, peers: {nva1: {}}}}\n"                                  \
	"nvas:\n"                                                                                  \
	"  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, peers: {nva3: {tunnel: true}}}\n"    \
	"  nva3: {subnet: hub2/nva, ip: 10.2.2.4, asn: 65003}\n"                                   \
	"gateways:\n"                                                                              \
	"  er1: {vnet: hub1, type: ExpressRoute, circuits: {circuit1: {}}}\n"                      \
	"  vpn1: {vnet: hub1, type: Vpn, active_active: true, connections: {office: {bgp: "        \
	"false}}}\n"                                                                               \
	"circuits: {circuit1: {site: dc1}}\n"                                                      \
	"sites:\n"                                                                                 \
	"  dc1: {asn: 64900, prefixes: [172.20.0.0/16]}\n"                                         \
	"  office: {asn: 64901, prefixes: [172.21.0.0/16]}\n"                                      \
	"vms: {vm1: {subnet: hub1/vms, ip: 10.1.3.4}}\n"
#define DEFAULTS "north > west: 1 x 1 9000 2000 0 0\nwest > north: 1 x 1 9000 2000 0 0\n"

struct world {
	struct fix f;
	struct fc_linkset *set;
	struct fc_image *image;
	struct ref *ref;
};

static void
world_open(struct world *w)
{
	fix_open(&w->f, FABRIC);
	CU_ASSERT_EQUAL_FATAL(fc_linkset_new(&w->set), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fc_image_new(&w->image, w->f.l, w->set), FAB_OK);
	w->ref = calloc(1, sizeof(*w->ref));
	CU_ASSERT_EQUAL_FATAL(fc_image_update(w->image, &ref_sink, w->ref), FAB_OK);
}

static void
world_close(struct world *w)
{
	fc_image_free(w->image);
	ref_free(w->ref);
	fc_linkset_free(w->set);
	fix_close(&w->f);
}

/* ---- words ---- */

static void
append_place(void *arg, const struct fc_link_place *p)
{
	static const char *const kinds[] = { "nodes", "out", "in", "regions" };
	char *text = arg;

	snprintf(
	    text + strlen(text), 1024 - strlen(text), "%s %s>%s\n", kinds[p->kind], p->from, p->to);
}

static void
test_what_words_mean(void)
{
	static const struct {
		const char *a, *b;
		bool one_way;
		const char *want;
	} rows[] = {
		{ "nva1", "rs1-0", false, "nodes nva1>rs1-0\nnodes rs1-0>nva1\n" },
		{ "rs1", "nva1", true, "nodes rs1-0>nva1\nnodes rs1-1>nva1\n" },
		{ "nva3", "nva1", true, "nodes nva3>nva1\n" },
		{ "circuit1-primary", "er1", true,
		    "nodes circuit1-primary>er1-0\nnodes circuit1-primary>er1-1\n" },
		{ "dc1", "circuit1-secondary", true, "nodes dc1>circuit1-secondary\n" },
		{ "vpn1-1", "office", false, "nodes vpn1-1>office\nnodes office>vpn1-1\n" },
		{ "office", "vpn1", true, "nodes office>vpn1-0\nnodes office>vpn1-1\n" },
		{ "vm1", "", false, "out vm1>\nin >vm1\n" },
		{ "vm1", "", true, "out vm1>\n" },
		{ "nva1", "", true, "out nva1>\n" },
		{ "rs1", "", true, "out rs1-0>\nout rs1-1>\n" },
		{ "circuit1-primary", "", true, "out circuit1-primary>\n" },
		{ "west", "north", false, "regions west>north\nregions north>west\n" },
		{ "west", "west", false, "" },
		{ "west", "", false, "" },
		{ "vm1", "nva1", false, "" },
		{ "nva1", "nobody", false, "" },
		{ "nobody", "", false, "" },
	};
	struct world w;

	world_open(&w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[1024] = "";
		size_t n = fc_link_places(
		    w.f.t, rows[i].a, rows[i].b, rows[i].one_way, append_place, text);

		CU_ASSERT_STRING_EQUAL(text, rows[i].want);
		CU_ASSERT_EQUAL(n == 0, text[0] == '\0');
	}
	world_close(&w);
}

/* ---- the image ---- */

static void
put(struct world *w, enum fc_link_kind kind, const char *from, const char *to,
    struct fc_link_state state)
{
	CU_ASSERT_EQUAL(fc_linkset_put(w->set, kind, from, to, &state), FAB_OK);
}

static void
expect_links(struct world *w, const char *want)
{
	fc_image_touch_links(w->image);
	CU_ASSERT_TRUE(fc_image_is_due(w->image));
	CU_ASSERT_EQUAL(fc_image_update(w->image, &ref_sink, w->ref), FAB_OK);
	CU_ASSERT_FALSE(fc_image_is_due(w->image));
	if (strcmp(w->ref->links, want) != 0)
		printf("\ngot\n%swanted\n%s", w->ref->links, want);
	CU_ASSERT_STRING_EQUAL(w->ref->links, want);
}

static const struct fc_link_state cut = { .cut = true }, none,
				  slow = { .shaped = true, .shape = { .delay_us = 5000 } };

static void
test_rows_become_links_of_ports(void)
{
	struct world w;

	world_open(&w);
	expect_links(&w, DEFAULTS);
	put(&w, FC_LINK_NIC_OUT, "vm1", "", slow);
	put(&w, FC_LINK_NIC_IN, "", "er1-0", cut); /* itself, its way in */
	put(&w, FC_LINK_NODES, "nva1", "nva3",
	    (struct fc_link_state){ .shaped = true, .shape = { 1, 2, 3, 4 } });
	put(&w, FC_LINK_NODES, "vpn1-0", "office", cut);
	put(&w, FC_LINK_NODES, "nva1", "somebody elsewhere", cut);
	expect_links(&w, "> er1-0: 0 x 2 cut 0 0 0 0\n"
			 "nva1 > nva3: 1 x 1 1 2 3 4\n"
			 "vpn1-0 > office: 3 x 1 cut 0 0 0 0\n"
			 "vm1 >: 1 x 0 5000 0 0 0\n" DEFAULTS);
	put(&w, FC_LINK_NIC_OUT, "vm1", "", none);
	put(&w, FC_LINK_NIC_IN, "", "er1-0", none);
	put(&w, FC_LINK_NODES, "nva1", "nva3", none);
	put(&w, FC_LINK_NODES, "vpn1-0", "office", none);
	expect_links(&w, DEFAULTS);
	world_close(&w);
}

static void
test_regions_have_the_topologys_delay_until_told(void)
{
	struct world w;

	world_open(&w);
	put(&w, FC_LINK_REGIONS, "west", "north", cut);
	expect_links(&w, "north > west: 1 x 1 9000 2000 0 0\n"
			 "west > north: 1 x 1 cut 9000 2000 0 0\n");
	put(&w, FC_LINK_REGIONS, "west", "north", (struct fc_link_state){ .shaped = true });
	expect_links(&w, "north > west: 1 x 1 9000 2000 0 0\n");
	put(&w, FC_LINK_REGIONS, "west", "north", slow);
	expect_links(&w, "north > west: 1 x 1 9000 2000 0 0\nwest > north: 1 x 1 5000 0 0 0\n");
	world_close(&w);
}

/* What leaves by ExpressRoute passes no gateway: it is impaired when the paths of both instances
 * are. */
static void
test_nics_reach_msees_past_the_gateway(void)
{
	struct fc_link_state slower = { .shaped = true, .shape = { .delay_us = 7000 } };
	struct world w;

	world_open(&w);
	put(&w, FC_LINK_NODES, "er1-0", "circuit1-primary", slow);
	expect_links(&w, "er1-0 > circuit1-primary: 2 x 2 5000 0 0 0\n" DEFAULTS);
	put(&w, FC_LINK_NODES, "er1-1", "circuit1-primary", slower);
	expect_links(&w, "er1-0 > circuit1-primary: 2 x 2 5000 0 0 0\n"
			 "er1-1 > circuit1-primary: 2 x 2 7000 0 0 0\n"
			 "hub1 > circuit1-primary: 2 x 2 5000 0 0 0\n" DEFAULTS);
	slower.cut = true;
	put(&w, FC_LINK_NODES, "er1-0", "circuit1-primary", cut);
	put(&w, FC_LINK_NODES, "er1-1", "circuit1-primary", slower);
	expect_links(&w, "er1-0 > circuit1-primary: 2 x 2 cut 0 0 0 0\n"
			 "er1-1 > circuit1-primary: 2 x 2 cut 7000 0 0 0\n"
			 "hub1 > circuit1-primary: 2 x 2 cut 0 0 0 0\n" DEFAULTS);
	world_close(&w);
}

static void
test_unchanged_links_are_not_told_again(void)
{
	struct world w;

	world_open(&w);
	put(&w, FC_LINK_NIC_OUT, "vm1", "", slow);
	fc_image_touch_links(w.image);
	CU_ASSERT_EQUAL(fc_image_update(w.image, &ref_sink, w.ref), FAB_OK);
	w.ref->told = 0;
	fc_image_touch_links(w.image);
	CU_ASSERT_EQUAL(fc_image_update(w.image, &ref_sink, w.ref), FAB_OK);
	CU_ASSERT_EQUAL(w.ref->told, 0);
	world_close(&w);
}

/* ---- rows ---- */

static void
test_rows_come_back_from_the_store(void)
{
	const struct fc_link_state s = { true, true, { 1, 2, 1000000, 123456789012 } };
	struct fc_linkset *set, *copy;
	const struct fc_link_row *r = NULL;
	char body[FC_LINK_BODY_MAX];
	struct fc_link_state got;

	CU_ASSERT_EQUAL_FATAL(fc_linkset_new(&set), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(fc_linkset_new(&copy), FAB_OK);
	CU_ASSERT_EQUAL(fc_linkset_put(set, FC_LINK_REGIONS, "West Europe", "north", &s), FAB_OK);
	CU_ASSERT_EQUAL(fc_linkset_put(set, FC_LINK_NIC_IN, "", "vm1", &cut), FAB_OK);
	while ((r = fc_linkset_next(set, r)) != NULL) {
		fc_link_state_format(body, &r->state);
		CU_ASSERT_EQUAL(fc_linkset_load(copy, r->key, body), FAB_OK);
	}
	got = fc_linkset_get(copy, FC_LINK_REGIONS, "West Europe", "north");
	CU_ASSERT_TRUE(fc_link_state_eq(&got, &s));
	CU_ASSERT_TRUE(fc_linkset_get(copy, FC_LINK_NIC_IN, "", "vm1").cut);
	CU_ASSERT_EQUAL(fc_linkset_count(copy), 2);
	CU_ASSERT_EQUAL(fc_linkset_load(copy, "nodes\ta\tb", "cut=1"), FAB_OK); /* schema 1 */
	CU_ASSERT_TRUE(fc_linkset_get(copy, FC_LINK_NODES, "a", "b").cut);
	fc_linkset_free(set);
	fc_linkset_free(copy);
}

static void
test_rows_that_are_none(void)
{
	static const char *const rows[][2] = { { "nodes\ta", "cut=1" }, { "a b", "cut=1" },
		{ "spoon\ta\tb", "cut=1" }, { "nodes\ta\tb", "cut" }, { "nodes\ta\tb", "cut=x" },
		{ "nodes\ta\tb", "cut=1x" }, { "nodes\ta\tb", "knife=1" },
		{ "nodes\ta\tb", "loss_ppm=1000001" } };
	struct fc_linkset *set;
	char name[64];

	CU_ASSERT_EQUAL_FATAL(fc_linkset_new(&set), FAB_OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(fc_linkset_load(set, rows[i][0], rows[i][1]), FAB_EBADMSG);
	for (unsigned i = 0; i < FC_LINKS_MAX; i++) {
		snprintf(name, sizeof(name), "vm%u", i);
		CU_ASSERT_EQUAL(fc_linkset_put(set, FC_LINK_NIC_OUT, name, "", &cut), FAB_OK);
	}
	CU_ASSERT_EQUAL(fc_linkset_put(set, FC_LINK_NIC_OUT, "x", "", &cut), FAB_ETOOBIG);
	CU_ASSERT_EQUAL(fc_linkset_put(set, FC_LINK_NIC_OUT, name, "", &slow), FAB_OK);
	fc_linkset_free(set);
	fc_linkset_free(NULL);
}

static CU_TestInfo links_tests[] = {
	{ "what words mean", test_what_words_mean },
	{ "rows become links of ports", test_rows_become_links_of_ports },
	{ "regions have the topology's delay until told",
	    test_regions_have_the_topologys_delay_until_told },
	{ "ER-19: NICs reach MSEEs past the gateway", test_nics_reach_msees_past_the_gateway },
	{ "unchanged links are not told again", test_unchanged_links_are_not_told_again },
	{ "rows come back from the store", test_rows_come_back_from_the_store },
	{ "rows that are none", test_rows_that_are_none },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("fc_links", links_tests)
