/*
 * Links of the model: which of them a packet's way crosses, in which order and direction, and what
 * an update may say of them.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/vs_fixture.h"

#include <stdlib.h>

/* Two machines, an appliance and a far machine behind a router; the far one is in region 2. */
enum { VM1 = 1, VM2, NVA, FAR, ROUTER };
enum { OWN = 1, SYS, USER1, USER_ROUTER };
enum { DELIVER = 1, VIA_NVA, TO_ROUTER, TO_FAR, G_PORT = 100 };

static const char *const addrs[] = { "", "10.0.0.4", "10.0.0.5", "10.0.1.4", "10.9.0.4",
	"10.0.2.4" };

struct world {
	struct vs_fix *fix;
	struct vs_model *m;
	uint64_t generation;
};

static void
put_fabric(struct vs_fix *f)
{
	static const char *const names[] = { "", "vm1", "vm2", "nva", "far", "router" };

	fix_deliver(f, DELIVER, OWN);
	fix_via(f, VIA_NVA, (uint32_t[]){ fix_addr(addrs[NVA]), 0 });
	fix_ports(f, TO_ROUTER, (uint32_t[]){ ROUTER, 0 });
	fix_ports(f, TO_FAR, (uint32_t[]){ FAR, 0 });
	for (uint32_t i = VM1; i <= ROUTER; i++) {
		struct vs_port_conf *p = fix_port(f, i, names[i], addrs[i]);

		p->system = SYS;
		p->region = i == FAR ? 2 : 1;
		p->forwarding = i == NVA || i == ROUTER;
		p->router = i == ROUTER;
		fix_ports(f, G_PORT + i, (uint32_t[]){ i, 0 });
		fix_net(f, OWN, p->ip, 32, G_PORT + i);
	}
	f->ports[VM1 - 1].user = USER1;
	f->ports[ROUTER - 1].user = USER_ROUTER;
	f->ports[ROUTER - 1].region = 0;
	fix_route(f, SYS, "10.0.0.0/16", DELIVER);
	fix_route(f, SYS, "10.9.0.0/16", DELIVER);
	fix_route(f, USER1, "11.0.0.0/8", VIA_NVA);
	fix_route(f, USER1, "12.0.0.0/8", TO_ROUTER);
	fix_route(f, USER_ROUTER, "12.0.0.0/8", TO_FAR);
}

static struct world *
world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	w->fix = fix_new();
	put_fabric(w->fix);
	CU_ASSERT_EQUAL_FATAL(vs_model_new(&w->m), FAB_OK);
	fix_snapshot(w->fix, w->m, w->generation = 1);
	fix_clear(w->fix);
	return w;
}

static void
world_free(struct world *w)
{
	vs_model_free(w->m);
	fix_free(w->fix);
	free(w);
}

static int
set_links(struct world *w, const struct vs_link_conf *v, size_t n)
{
	struct vs_update u = fix_update(w->fix, ++w->generation);

	u.replace_links = true;
	u.links = v;
	u.n_links = n;
	return fix_apply(w->fix, w->m, &u);
}

static struct vs_link_conf
link_of(uint32_t id, enum vs_link_kind kind, const uint32_t *from, const uint32_t *to)
{
	return (struct vs_link_conf){ .id = id,
		.name = "a > b",
		.kind = kind,
		.from = from,
		.n_from = from != NULL,
		.to = to,
		.n_to = to != NULL,
		.delay_us = 1000 };
}

/* The links on the way, as a number: 12 is link 1, then link 2; -1: dropped because of a cut. */
static int
way(struct world *w, uint32_t from, const char *dst)
{
	const struct vs_flow flow = { .src = fix_addr(addrs[from]), .dst = fix_addr(dst) };
	struct vs_verdict v = fix_lookup(w->m, from, &flow);
	int text = 0;

	if (v.action == VS_DROPPED)
		return v.drop == VS_DROP_LINK_CUT ? -1 : -2;
	for (unsigned i = 0; i < v.n_links; i++)
		text = 10 * text + (int)v.links[i];
	return text;
}

static const uint32_t one[] = { 1 }, two[] = { 2 }, vm1[] = { VM1 }, vm2[] = { VM2 },
		      nva[] = { NVA }, far[] = { FAR }, router[] = { ROUTER };

static void
test_links_are_crossed_in_order(void)
{
	struct world *w = world_new();
	const struct vs_link_conf all[] = {
		link_of(1, VS_LINK_OUT, vm1, NULL),
		link_of(2, VS_LINK_HOP, vm1, nva),
		link_of(3, VS_LINK_IN, NULL, nva),
		link_of(4, VS_LINK_REGIONS, one, two),
		link_of(5, VS_LINK_IN, NULL, far),
		link_of(6, VS_LINK_OUT, router, NULL),
		link_of(7, VS_LINK_IN, NULL, router),
		link_of(8, VS_LINK_HOP, router, far),
	};

	CU_ASSERT_EQUAL(way(w, VM1, "11.0.0.1"), 0);
	CU_ASSERT_EQUAL_FATAL(set_links(w, all, 8), FAB_OK);
	CU_ASSERT_EQUAL(way(w, VM1, "11.0.0.1"), 123);
	CU_ASSERT_EQUAL(way(w, VM1, addrs[VM2]), 1);
	CU_ASSERT_EQUAL(way(w, VM2, addrs[NVA]), 3);
	CU_ASSERT_EQUAL(way(w, VM2, addrs[FAR]), 45);
	CU_ASSERT_EQUAL(way(w, VM1, "12.0.0.1"), 17685); /* the router has no region */
	CU_ASSERT_EQUAL(way(w, FAR, addrs[VM2]), 0);     /* the other direction has none */
	CU_ASSERT_EQUAL(way(w, VM2, addrs[VM1]), 0);
	world_free(w);
}

static void
test_cut_links_end_the_way(void)
{
	static const struct {
		enum vs_link_kind kind;
		const uint32_t *from, *to;
		int expect[4]; /* vm1 by the appliance, vm1 by the router, vm2 to vm1, vm2 to far */
	} cases[] = {
		{ VS_LINK_OUT, vm1, NULL, { -1, -1, 0, 0 } },
		{ VS_LINK_IN, NULL, vm1, { 0, 0, -1, 0 } },
		{ VS_LINK_HOP, vm1, nva, { -1, 0, 0, 0 } },
		{ VS_LINK_HOP, nva, vm1, { 0, 0, 0, 0 } },
		{ VS_LINK_HOP, router, far, { 0, -1, 0, 0 } },
		{ VS_LINK_OUT, router, NULL, { 0, -1, 0, 0 } },
		{ VS_LINK_REGIONS, one, two, { 0, 0, 0, -1 } },
		{ VS_LINK_REGIONS, two, one, { 0, 0, 0, 0 } },
	};
	struct world *w = world_new();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vs_link_conf l = link_of(1, cases[i].kind, cases[i].from, cases[i].to);

		l.cut = true;
		CU_ASSERT_EQUAL_FATAL(set_links(w, &l, 1), FAB_OK);
		CU_ASSERT_EQUAL(way(w, VM1, "11.0.0.1"), cases[i].expect[0]);
		CU_ASSERT_EQUAL(way(w, VM1, "12.0.0.1"), cases[i].expect[1]);
		CU_ASSERT_EQUAL(way(w, VM2, addrs[VM1]), cases[i].expect[2]);
		CU_ASSERT_EQUAL(way(w, VM2, addrs[FAR]), cases[i].expect[3]);
	}
	world_free(w);
}

static void
test_what_a_fast_path_asks(void)
{
	struct world *w = world_new();
	const struct vs_link_conf all[] = {
		link_of(1, VS_LINK_OUT, vm1, NULL),
		link_of(2, VS_LINK_HOP, vm2, router),
		link_of(3, VS_LINK_REGIONS, one, two),
		link_of(4, VS_LINK_HOP, nva, far),
	};
	uint64_t before = vs_model_links_revision(w->m);

	CU_ASSERT_FALSE(vs_model_port_has_link(w->m, VM1));
	CU_ASSERT_FALSE(vs_model_regions_have_link(w->m, 1, 2));
	CU_ASSERT_PTR_NULL(vs_model_link(w->m, 0));
	CU_ASSERT_EQUAL_FATAL(set_links(w, all, 4), FAB_OK);
	CU_ASSERT_NOT_EQUAL(vs_model_links_revision(w->m), before);
	CU_ASSERT_TRUE(vs_model_port_has_link(w->m, VM1));
	CU_ASSERT_FALSE(vs_model_port_has_link(w->m, VM2)); /* only on its way to a router */
	CU_ASSERT_TRUE(vs_model_port_has_link(w->m, NVA));
	CU_ASSERT_TRUE(vs_model_port_has_link(w->m, FAR));
	CU_ASSERT_TRUE(vs_model_regions_have_link(w->m, 2, 1));
	CU_ASSERT_FALSE(vs_model_regions_have_link(w->m, 1, 1));
	CU_ASSERT_EQUAL(vs_model_link(w->m, 3)->id, 4);
	CU_ASSERT_PTR_NULL(vs_model_link(w->m, 4));
	world_free(w);
}

static void
test_links_stay_until_replaced(void)
{
	struct world *w = world_new();
	const struct vs_link_conf l = link_of(1, VS_LINK_OUT, vm1, NULL);
	struct vs_update u;
	uint64_t revision;

	CU_ASSERT_EQUAL_FATAL(set_links(w, &l, 1), FAB_OK);
	revision = vs_model_links_revision(w->m);
	fix_route(w->fix, USER1, "13.0.0.0/8", VIA_NVA);
	u = fix_update(w->fix, ++w->generation);
	CU_ASSERT_EQUAL(fix_apply(w->fix, w->m, &u), FAB_OK);
	CU_ASSERT_EQUAL(vs_model_links_revision(w->m), revision);
	CU_ASSERT_EQUAL(way(w, VM1, "13.0.0.1"), 1);
	fix_clear(w->fix);
	put_fabric(w->fix);
	fix_snapshot(w->fix, w->m, ++w->generation); /* without links */
	CU_ASSERT_EQUAL(way(w, VM1, "11.0.0.1"), 0);
	world_free(w);
}

/* Nothing of them changes what is in force. */
static void
test_what_is_refused(void)
{
	static const uint32_t nobody[] = { 99 };
	struct world *w = world_new();
	struct vs_link_conf twice[] = { link_of(1, VS_LINK_OUT, vm1, NULL),
		link_of(2, VS_LINK_OUT, vm1, NULL) };
	struct vs_link_conf bad[] = {
		link_of(0, VS_LINK_OUT, vm1, NULL),
		link_of(1, VS_LINK_OUT, NULL, vm1),
		link_of(1, VS_LINK_OUT, vm1, vm2),
		link_of(1, VS_LINK_IN, vm1, vm2),
		link_of(1, VS_LINK_HOP, vm1, NULL),
		link_of(1, VS_LINK_HOP, vm1, nobody),
		link_of(1, VS_LINK_KIND_COUNT, vm1, vm2),
		link_of(1, VS_LINK_OUT, vm1, NULL),
	};
	struct vs_update u;

	bad[7].loss_ppm = 1000001;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_EQUAL(set_links(w, &bad[i], 1), FAB_EINVAL);
		put_fabric(w->fix);
		fix_snapshot(w->fix, w->m, ++w->generation);
		fix_clear(w->fix);
	}
	CU_ASSERT_EQUAL(set_links(w, twice, 2), FAB_EINVAL);
	CU_ASSERT_STRING_EQUAL(w->fix->why, "links 1 and 2 share an end");
	put_fabric(w->fix);
	fix_snapshot(w->fix, w->m, ++w->generation);
	fix_clear(w->fix);
	u = fix_update(w->fix, ++w->generation);
	u.links = twice;
	u.n_links = 1;
	CU_ASSERT_EQUAL(fix_apply(w->fix, w->m, &u), FAB_EINVAL);
	world_free(w);
}

/* A port goes while a link still names it. */
static void
test_links_need_their_ports(void)
{
	static const uint32_t gone[] = { VM2 };
	struct world *w = world_new();
	const struct vs_link_conf l = link_of(1, VS_LINK_HOP, vm1, vm2);
	struct vs_update u;

	CU_ASSERT_EQUAL_FATAL(set_links(w, &l, 1), FAB_OK);
	fix_ports(w->fix, G_PORT + VM2, (uint32_t[]){ VM1, 0 });
	u = fix_update(w->fix, ++w->generation);
	u.gone_ports = gone;
	u.n_gone_ports = 1;
	CU_ASSERT_EQUAL(fix_apply(w->fix, w->m, &u), FAB_EINVAL);
	CU_ASSERT_STRING_EQUAL(w->fix->why, "link 1: no port 2");
	CU_ASSERT_EQUAL(way(w, VM1, addrs[VM2]), 1); /* as before */
	world_free(w);
}

static CU_TestInfo links_tests[] = {
	{ "links are crossed in order", test_links_are_crossed_in_order },
	{ "cut links end the way", test_cut_links_end_the_way },
	{ "what a fast path asks", test_what_a_fast_path_asks },
	{ "links stay until replaced", test_links_stay_until_replaced },
	{ "what is refused", test_what_is_refused },
	{ "links need their ports", test_links_need_their_ports },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("vs_links", links_tests)
