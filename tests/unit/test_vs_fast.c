/*
 * The BPF program against vs_lookup(): random fabrics, each changed again and again, and for each
 * state random packets, run through the program in the kernel (BPF_PROG_TEST_RUN). What the program
 * delivers goes to the port that vs_lookup() names; what it leaves to the userspace engine is not
 * plain. Needs CAP_BPF and CAP_NET_ADMIN.
 */
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_seed.h"
#include "tests/unit/vs_fixture.h"
#include "tests/unit/vs_packet.h"
#include "vswitchd/vs_caps.h"
#include "vswitchd/vs_plane.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>

enum { VNETS = 3, PORTS = 24, GROUPS = 40, ROUNDS = 12, UPDATES = 8, PACKETS = 250 };
enum { T_OWN = 1, T_SYS = 4, T_USER = 7, T_BGP = 10, T_END = 13 }; /* three tables of each kind */
enum { G_DELIVER = 1, G_NONE = 4, G_NO_ROUTE, G_INTERNET, G_FIRST = 10 };
enum { MTU = 1400, FRAME_MAX = 1600, SENT = 64 };

struct sent {
	uint32_t from;
	size_t len; /* 0: none yet */
	uint8_t frame[FRAME_MAX];
};

struct world {
	unsigned seed;
	bool routers; /* some ports are */
	struct vs_fix *fix;
	struct vs_model *m;
	struct vs_plane *plane;
	struct vs_flat *flat;
	uint64_t generation;
	int put; /* what the last update that does not fit came to */
	struct sent sent[SENT];
	unsigned fast, slow, plain_kinds[VS_DROP_COUNT + 3];
};

/* ---- random fabrics ---- */

static uint32_t
pick(struct world *w, uint32_t n)
{
	return (uint32_t)rand_r(&w->seed) % n;
}

/* Addresses meet often: few bits vary. Rarely one that is no machine's. */
static uint32_t
random_addr(struct world *w)
{
	uint32_t top = pick(w, 40) == 0 ? 0xe0000000 : (1 + pick(w, 3)) << 30;

	if (pick(w, 40) == 0)
		return IPADDR_PLATFORM;
	return top | pick(w, 8) << 14 | pick(w, 16);
}

static void
random_groups(struct world *w)
{
	for (uint32_t v = 0; v < VNETS; v++)
		fix_deliver(w->fix, G_DELIVER + v, T_OWN + v);
	fix_drop(w->fix, G_NONE, VS_DROP_NONE_ROUTE);
	fix_drop(w->fix, G_NO_ROUTE, VS_DROP_NO_ROUTE);
	for (uint32_t id = G_FIRST; id < G_FIRST + GROUPS; id++) {
		uint32_t members[9] = { 0 }, n = 1 + pick(w, 4);
		bool hops = id % 2 == 0;

		for (uint32_t i = 0; i < n; i++)
			members[i] = hops ? random_addr(w) | 1 : 1 + pick(w, PORTS);
		(hops ? fix_via : fix_ports)(w->fix, id, members);
	}
}

static uint32_t
random_group(struct world *w, uint32_t table)
{
	uint32_t any = G_FIRST + pick(w, GROUPS);

	if (table < T_SYS)
		return pick(w, 30) == 0 ? G_NONE : any | 1;
	if (table < T_USER)
		return 1 + pick(w, 5);
	return pick(w, 6) == 0 ? 1 + pick(w, 5) : any;
}

static struct ipnet
random_net(struct world *w, uint32_t table)
{
	static const uint8_t lens[] = { 1, 2, 2, 14, 16, 18, 20, 28, 30, 31, 32 };
	uint8_t len = lens[pick(w, sizeof(lens))];

	if (table < T_SYS)
		len = (uint8_t)(28 + pick(w, 5));
	else if (pick(w, 100) == 0)
		len = 0;
	return (struct ipnet){ random_addr(w) & ipnet_mask(len), len };
}

static void
random_routes(struct world *w, uint32_t table, uint32_t n)
{
	fix_table(w->fix, table);
	for (uint32_t i = 0; i < n; i++) {
		struct ipnet net = random_net(w, table);

		fix_net(w->fix, table, net.addr, net.len, random_group(w, table));
	}
}

static void
random_port(struct world *w, uint32_t id)
{
	struct vs_port_conf *p;
	char name[16];

	snprintf(name, sizeof(name), "p%u", id);
	p = fix_port(w->fix, id, name, "0.0.0.0");
	p->ip = random_addr(w) | 1;
	p->router = w->routers && id <= 4;
	p->forwarding = pick(w, 2) == 0;
	p->up = pick(w, 12) != 0;
	p->mtu = pick(w, 8) == 0 ? 0 : MTU;
	p->user = pick(w, 3) == 0 ? VS_NONE : T_USER + pick(w, 3);
	p->bgp = pick(w, 3) == 0 ? VS_NONE : T_BGP + pick(w, 3);
	p->system = pick(w, 20) == 0 ? VS_NONE : T_SYS + pick(w, 3);
	p->tunnel = pick(w, 6) == 0 ? T_USER + pick(w, 3) : VS_NONE;
	p->public_ip = pick(w, 2) == 0 ? random_addr(w) : 0;
	p->region = pick(w, 3);
}

/* A port with a link of its own, and, every other time, delays between the regions. */
static void
random_links(struct world *w, struct vs_update *u, struct vs_link_conf links[2], uint32_t *ids)
{
	ids[0] = 1 + pick(w, PORTS);
	ids[1] = 1;
	ids[2] = 2;
	links[0] = (struct vs_link_conf){
		.id = 1, .name = "one", .kind = VS_LINK_OUT, .from = ids, .n_from = 1, .delay_us = 1
	};
	links[1] = (struct vs_link_conf){ .id = 2,
		.name = "two",
		.kind = VS_LINK_REGIONS,
		.from = ids + 1,
		.n_from = 1,
		.to = ids + 2,
		.n_to = 1,
		.delay_us = 1 };
	u->replace_links = true;
	u->links = links;
	u->n_links = pick(w, 3);
}

/* What the program sees is what the model has. */
static void
apply(struct world *w, struct vs_update *u)
{
	struct vs_link_conf links[2];
	uint32_t ids[3];

	u->generation = ++w->generation;
	if (u->snapshot || pick(w, 3) == 0)
		random_links(w, u, links, ids);
	CU_ASSERT_EQUAL_FATAL(fix_apply(w->fix, w->m, u), FAB_OK);
}

static void
put_fabric(struct world *w)
{
	struct vs_update u;

	fix_clear(w->fix);
	random_groups(w);
	for (uint32_t t = T_OWN; t < T_END; t++)
		random_routes(w, t, pick(w, t < T_SYS ? 400 : 120));
	for (uint32_t id = 1; id <= PORTS; id++)
		random_port(w, id);
	u = fix_update(w->fix, 0);
	u.snapshot = true;
	apply(w, &u);
}

/* Some of everything, and sometimes a port or a group takes another one's number. */
static void
change_fabric(struct world *w)
{
	struct vs_update u;
	uint32_t table = T_OWN + pick(w, T_END - T_OWN);

	fix_clear(w->fix);
	if (pick(w, 2) == 0)
		random_groups(w);
	if (pick(w, 2) == 0)
		random_routes(w, table, pick(w, 60));
	if (pick(w, 6) == 0)
		fix_table(w->fix, table)->replace = true;
	if (pick(w, 2) == 0)
		random_port(w, 1 + pick(w, PORTS));
	u = fix_update(w->fix, 0);
	apply(w, &u);
}

/* ---- the program ---- */

static uint32_t
slot_of_name(void *ctx, const char *name)
{
	(void)ctx;
	return (uint32_t)strtoul(name + 1, NULL, 10) * 7 % 64 + 1; /* not the order of the ids */
}

static uint32_t
slot_of(uint32_t id)
{
	char name[16];

	snprintf(name, sizeof(name), "p%u", id);
	return slot_of_name(NULL, name);
}

static void
on_tables(void *ctx, const struct vs_set *set)
{
	struct world *w = ctx;

	CU_ASSERT_EQUAL_FATAL(vs_flat_put(w->flat, set), FAB_OK);
}

/* Slot of the taker, FAST_NONE: the userspace engine's. frame: with its virtio header. */
static uint32_t
run_program(struct world *w, uint32_t from, const uint8_t *frame, size_t len)
{
	struct virtio_net_hdr h;
	struct __sk_buff in = { 0 }, out = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, o, .data_in = frame + VS_VNET_HDR,
	    .data_size_in = (uint32_t)(len - VS_VNET_HDR), .ctx_in = &in, .ctx_size_in = sizeof(in),
	    .ctx_out = &out, .ctx_size_out = sizeof(out));

	memcpy(&h, frame, sizeof(h));
	in.gso_size = h.gso_size;
	in.cb[FAST_TEST_SLOT] = slot_of(from);
	CU_ASSERT_EQUAL_FATAL(bpf_prog_test_run_opts(w->plane->test_program, &o), 0);
	CU_ASSERT_EQUAL_FATAL(o.retval, 0);
	return out.cb[FAST_TEST_TAKER];
}

/* ---- packets ---- */

/* Some are cut, too long, for everybody, fragments or have options. */
static size_t
random_packet(struct world *w, uint8_t *buf, uint32_t src, uint32_t dst)
{
	static const uint8_t protos[] = { 1, 6, 17, 17, 132, 136, 47 };
	size_t payload = pick(w, 10) == 0 ? MTU + pick(w, 60) - 30 : pick(w, 60) + 8;
	size_t len = pkt_udp(buf, src, dst, (uint16_t)pick(w, 4), (uint16_t)pick(w, 4), payload);
	uint8_t *ip = buf + PKT_IP;

	ip[9] = protos[pick(w, sizeof(protos))];
	if (pick(w, 8) == 0)
		ip[0] = (uint8_t)(0x43 + pick(w, 5)); /* 3: too short; 4 and 5 octets of options */
	if (pick(w, 8) == 0)
		put16(ip + 6, 1u << pick(w, 16));
	if (pick(w, 30) == 0)
		put16(ip + 2, pick(w, 200));
	if (pick(w, 30) == 0)
		buf[PKT_ETH] |= 1;
	if (pick(w, 30) == 0)
		put16(buf + PKT_ETH + 12, 0x88cc);
	if (pick(w, 10) == 0)
		pkt_offload(buf, &(struct virtio_net_hdr){ .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
				     .gso_size = (uint16_t)(1 + pick(w, 40)) });
	return len;
}

struct expected {
	uint32_t port; /* 0: none */
	bool plain;
};

static bool
is_special(const struct world *w, uint32_t from, uint32_t to)
{
	const struct vs_port_conf *a = vs_model_port(w->m, from), *b = vs_model_port(w->m, to);

	if (vs_model_port_has_link(w->m, from) || vs_model_port_has_link(w->m, to))
		return true;
	/* One pair of regions that has a link makes all pairs special. */
	return a->region != b->region && vs_model_regions_have_link(w->m, 1, 2);
}

static struct expected
expect(struct world *w, uint32_t from, const uint8_t *frame, size_t len)
{
	const struct vs_port_conf *p = vs_model_port(w->m, from);
	struct expected e = { 0, false };
	struct vs_verdict v;
	struct vs_frame f;

	vs_frame_parse(&f, frame, len);
	if (f.kind != VS_FRAME_IPV4 || p->router || (p->mtu != 0 && f.size > p->mtu))
		return e;
	v = fix_lookup(w->m, from, &f.flow);
	if (v.action == VS_TO_PLATFORM)
		return e;
	w->plain_kinds[v.action == VS_TO_PORT ? VS_DROP_COUNT : v.drop]++;
	if (v.action != VS_TO_PORT)
		return e;
	e.port = v.port;
	e.plain = v.src == 0 && v.dst == 0 && !is_special(w, from, v.port) &&
		  f.flow.dst != IPADDR_PLATFORM;
	CU_ASSERT_TRUE(!e.plain || v.n_links == 0 || w->routers);
	return e;
}

/* Half of them were sent before, some under other tables: what the program remembers of them must
 * not outlive these. */
static const struct sent *
next_packet(struct world *w)
{
	struct sent *s = &w->sent[pick(w, SENT)];
	uint32_t dst;

	if (s->len != 0 && pick(w, 2) == 0)
		return s;
	s->from = 1 + pick(w, PORTS);
	dst = pick(w, 3) == 0 ? vs_model_port(w->m, 1 + pick(w, PORTS))->ip : random_addr(w);
	s->len = random_packet(
	    w, s->frame, pick(w, 8) == 0 ? random_addr(w) : vs_model_port(w->m, s->from)->ip, dst);
	return s;
}

static void
compare(struct world *w)
{
	const struct sent *s = next_packet(w);
	struct expected e = expect(w, s->from, s->frame, s->len);
	uint32_t taker = run_program(w, s->from, s->frame, s->len);

	/* Behind a router nothing is plain, which vs_lookup() does not tell. */
	CU_ASSERT_TRUE_FATAL(
	    taker != FAST_NONE ? e.plain && slot_of(e.port) == taker : !e.plain || w->routers);
	CU_ASSERT_EQUAL(run_program(w, s->from, s->frame, s->len), taker);
	w->fast += taker != FAST_NONE;
	w->slow += taker == FAST_NONE;
}

/* ---- tests ---- */

static int
world_init(struct world *w, char why[static VS_PLANE_WHY_MAX])
{
	static const struct vs_set nothing;
	struct vs_flat_conf conf = { .room = vs_flat_need(&nothing, 64), .slot = slot_of_name };
	int err;

	conf.room.ranges = conf.room.entries = 20000;
	if ((err = vs_plane_new(&w->plane, &conf.room, 128, true, why)) != FAB_OK)
		return err;
	conf.cells = w->plane->cells;
	w->fix = fix_new();
	CU_ASSERT_EQUAL_FATAL(vs_flat_new(&w->flat, &conf), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(vs_model_new(&w->m), FAB_OK);
	vs_model_watch(w->m, on_tables, w);
	return FAB_OK;
}

static void
world_fini(struct world *w)
{
	vs_model_free(w->m);
	vs_flat_free(w->flat);
	vs_plane_free(w->plane);
	fix_free(w->fix);
}

static void
test_rounds(bool routers)
{
	struct world w = { .seed = fc_seed(), .routers = routers };
	char why[VS_PLANE_WHY_MAX];

	CU_ASSERT_EQUAL_FATAL(world_init(&w, why), FAB_OK);
	for (int round = 0; round < ROUNDS; round++) {
		put_fabric(&w);
		for (int update = 0; update < UPDATES; update++) {
			for (int i = 0; i < PACKETS; i++)
				compare(&w);
			change_fabric(&w);
		}
	}
	printf("(%u fast, %u not) ", w.fast, w.slow);
	CU_ASSERT_TRUE(w.fast > 300 && w.slow > 300); /* both were put to the test */
	CU_ASSERT_TRUE(w.plain_kinds[VS_DROP_SOURCE] > 0 && w.plain_kinds[VS_DROP_NO_OWNER] > 0 &&
		       w.plain_kinds[VS_DROP_NOT_FORWARDING] > 0);
	world_fini(&w);
}

static void
test_same_takers(void)
{
	test_rounds(false);
}

static void
test_routers_are_not_plain(void)
{
	test_rounds(true);
}

/* Keeps the error of an update that does not fit. */
static void
on_large_tables(void *ctx, const struct vs_set *set)
{
	struct world *w = ctx;

	w->put = vs_flat_put(w->flat, set);
}

static void
test_no_room(void)
{
	struct world w = { .seed = fc_seed() };
	char why[VS_PLANE_WHY_MAX];
	struct vs_update u;
	uint32_t root;

	CU_ASSERT_EQUAL_FATAL(world_init(&w, why), FAB_OK);
	put_fabric(&w);
	root = w.plane->cells.control->root;
	fix_clear(w.fix);
	for (uint32_t t = T_USER; t < T_END; t++)
		for (uint32_t i = 0; i < FIX_ROUTES; i++)
			fix_net(w.fix, t, 0x40000000 + i * 512, 24, G_FIRST);
	u = fix_update(w.fix, ++w.generation);
	vs_model_watch(w.m, on_large_tables, &w);
	CU_ASSERT_EQUAL_FATAL(fix_apply(w.fix, w.m, &u), FAB_OK);
	CU_ASSERT_EQUAL(w.put, FAB_ETOOBIG);
	CU_ASSERT_EQUAL(w.plane->cells.control->root, root);
	world_fini(&w);
}

static CU_TestInfo fast_tests[] = {
	{ "EFF-6, EFF-7, SYS-5, UDR-3, RS-60: the program's takers are vs_lookup()'s",
	    test_same_takers },
	{ "what passes a router is not plain", test_routers_are_not_plain },
	{ "an update without room changes nothing", test_no_room },
	CU_TEST_INFO_NULL,
};

int
main(void)
{
	struct vs_flat_room room = { 1, 1, 1, 1, 1, 1 };
	struct vs_plane *p;
	char why[VS_PLANE_WHY_MAX];

	vs_caps_drop(); /* CAP_PERFMON too: the verifier must do without */
	if (vs_plane_new(&p, &room, 1, true, why) != FAB_OK) {
		printf("vs_fast: skipped: %s\n", why);
		return FAB_CUNIT_SKIPPED;
	}
	vs_plane_free(p);
	return fab_cunit_run("vs_fast", fast_tests);
}
