/*
 * fabricd's model and the data plane agree: for every NIC of every topology that people run, and
 * many destinations, the packet goes where trace says. The tables take the whole way: image,
 * differences, wire, vswitchd's model.
 */
#include "fabricd/fc_image.h"
#include "fabricd/wire_switch.h"
#include "lib/err.h"
#include "tests/unit/fab_cunit.h"
#include "tests/unit/fc_fixture.h"
#include "tests/unit/fc_plan.h"
#include "tests/unit/fc_seed.h"
#include "vswitchd/vs_model.h"
#include "vswitchd/wire_switch.h"

#include <glob.h>

#define SPOKE11      "  s11: {address_space: 10.11.0.0/16, subnets: {vms: 10.11.0.0/24}}\n"
#define DESTINATIONS 4096

#define NOBODYS_PUBLIC 0xc63364c8 /* 198.51.100.200 */

#define HASHES 64 /* flows tried per decision: enough to meet each of a few members */

struct both {
	struct fix f;
	struct fc_image *image;
	struct wire_switch *wire;
	struct vs_model *model;
	uint64_t generation;
	uint32_t dst[DESTINATIONS];
	size_t n_dst;
	size_t compared, passed, dropped, internet; /* decisions, and what became of them */
	uint32_t missed; /* which sessions of MSEEs are down: a seed; 0: none */
};

/* ---- from fabricd to vswitchd ---- */

static void
apply_packed(void *ctx, const ProtobufCMessage *m)
{
	struct both *b = ctx;
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *buf = malloc(size);
	Fab__V1__SwitchUpdate *in;
	struct wire_switch_update u;
	char why[128] = "";

	protobuf_c_message_pack(m, buf);
	in = fab__v1__switch_update__unpack(NULL, size, buf);
	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	CU_ASSERT_EQUAL_FATAL(wire_switch_decode(&u, in, why), FAB_OK);
	if (vs_model_apply(b->model, &u.u, why) != FAB_OK)
		printf("\n%s\n", why);
	CU_ASSERT_STRING_EQUAL_FATAL(why, "");
	wire_switch_release(&u);
	fab__v1__switch_update__free_unpacked(in, NULL);
	free(buf);
}

static void
bring_up_to_date(struct both *b)
{
	bool first = b->generation == 0;

	wire_switch_begin(b->wire, ++b->generation, first, apply_packed, b);
	CU_ASSERT_EQUAL_FATAL(fc_image_update(b->image, &wire_switch_sink, b->wire), FAB_OK);
	wire_switch_end(b->wire, NULL);
	CU_ASSERT_TRUE(
	    vs_model_generation(b->model) == b->generation || wire_switch_told(b->wire) == 0);
}

static void
both_open(struct both *b, const char *yaml)
{
	memset(b, 0, sizeof(*b));
	fix_open(&b->f, yaml);
	CU_ASSERT_EQUAL_FATAL(fc_image_new(&b->image, b->f.l, NULL), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(wire_switch_new(&b->wire), FAB_OK);
	CU_ASSERT_EQUAL_FATAL(vs_model_new(&b->model), FAB_OK);
	bring_up_to_date(b);
}

static void
both_close(struct both *b)
{
	vs_model_free(b->model);
	wire_switch_free(b->wire);
	fc_image_free(b->image);
	fix_close(&b->f);
}

/* ---- what they say ---- */

static void
describe(struct both *b, const struct vs_verdict *v, char out[static 96])
{
	switch (v->action) {
	case VS_TO_PORT:
		snprintf(out, 96, "%s", vs_model_port(b->model, v->port)->name);
		break;
	case VS_TO_PLATFORM: /* which the engine takes there only as the answer to a probe */
		snprintf(out, 96, "%s", vs_drop_name(VS_DROP_NOT_CARRIED));
		break;
	case VS_DROPPED:
		snprintf(out, 96, "%s", vs_drop_name(v->drop));
		break;
	}
}

/* The same flow in both directions is not asked for: `pair` is as good as any number. */
static void
ask(struct both *b, const char *from, uint32_t src, uint32_t dst, uint32_t hash,
    char out[static 96])
{
	const struct vs_port_conf *p = vs_model_find(b->model, from);
	struct vs_flow flow = { .src = src, .dst = dst, .hash = hash, .pair = hash };
	struct vs_verdict v;

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	vs_model_lock(b->model);
	vs_lookup(b->model, p->id, &flow, &v);
	describe(b, &v, out);
	vs_model_unlock(b->model);
}

#define ANY_DROP "any drop"
#define ANY      "anything"

/* Gateways and MSEEs are passed within one decision of the switch. */
static bool
is_passed(const struct fc_trace *tr, size_t i)
{
	enum fc_place place = tr->hops[i].place;

	return (place == FC_AT_LOAD_BALANCER || place == FC_AT_MSEE || place == FC_AT_ER_GATEWAY ||
		   place == FC_AT_VPN_GATEWAY) &&
	       !(i + 1 == tr->n_hops && tr->verdict == FC_DELIVERED);
}

static bool
is_gateway_address(const struct topo *t, uint32_t addr)
{
	for (size_t i = 0; i < t->n_gateways; i++)
		if (t->gateways[i].ip[0] == addr || t->gateways[i].ip[1] == addr)
			return true;
	return false;
}

/* What becomes of a packet that trace does not see arrive anywhere after hop i. */
static const char *
wanted_end(const struct fc_trace *tr, bool passed, char name[static 96])
{
	static const struct {
		const char *part, *reason;
	} drops[] = {
		{ "has next hop None", "none-route" },
		{ "not directly reachable", "unreachable" },
		{ "nobody in", "no-owner" },
		{ "IP forwarding is off", "not-forwarding" },
		{ "is not running", "port-down" },
		{ "is not on the Internet", "no-route" },
		{ "no backend of", "no-backend" },
		{ "has no public address", "no-public-address" },
		{ "allowVirtualNetworkAccess is off", "filtered" },
		{ "allowForwardedTraffic is off", "filtered" },
		{ "does not translate", "not-translated" },
		{ "the Internet has no way", "no-route" },
		{ "no VPN gateway", "not-carried" },
		{ "no circuit has next hop", "not-carried" },
		{ "does not announce it", ANY_DROP },
		{ "announces it (ER-12)", ANY_DROP },
		{ "no connection of", ANY_DROP },
		{ "the platform hears", "source" },
		{ "the platform takes answers", "not-carried" }, /* nothing was asked */
		{ "has no route", "no-route" },
	};
	const char *second = strstr(tr->reason, " gets the packet a second time");
	const char *site = strstr(tr->reason, " has no route to ");

	if (tr->verdict == FC_LOOP && second == NULL)
		return ANY;           /* between gateways; choosing anew may find a way out */
	if (tr->verdict == FC_LOOP) { /* back to who had it before (RS-64) */
		snprintf(name, 96, "%.*s", (int)(second - tr->reason), tr->reason);
		return name;
	}
	if (site != NULL) { /* it got the packet */
		snprintf(name, 96, "%.*s", (int)(site - tr->reason), tr->reason);
		return name;
	}
	for (size_t k = 0; k < sizeof(drops) / sizeof(drops[0]); k++)
		if (strstr(tr->reason, drops[k].part) != NULL)
			return passed ? ANY_DROP : drops[k].reason;
	return passed ? ANY_DROP : "?";
}

/* What the switch should say where trace went from hop i on. */
static const char *
wanted(const struct both *b, const struct fc_trace *tr, size_t i, uint32_t dst, bool *passed,
    char name[static 96])
{
	const struct fc_trace_hop *next;

	*passed = false;
	for (i++; i < tr->n_hops && is_passed(tr, i); i++)
		*passed = true;
	if (i == tr->n_hops)
		return wanted_end(tr, *passed, name);
	next = &tr->hops[i];
	if ((next->place == FC_AT_ER_GATEWAY || next->place == FC_AT_VPN_GATEWAY) &&
	    !is_gateway_address(b->f.t, dst))
		return "not-carried"; /* VPN-20: clients are not guests */
	snprintf(name, 96, "%s", next->node);
	return name;
}

/* EFF-16: a route whose next hops are all out of reach is listed with next hop None. A next hop
 * that neither runs nor forwards is dropped for either reason. */
static bool
same(struct both *b, const char *want, const char *got)
{
	bool dropped = vs_model_find(b->model, got) == NULL;

	return strcmp(want, got) == 0 || strcmp(want, ANY) == 0 ||
	       (strcmp(want, ANY_DROP) == 0 && dropped) ||
	       (strcmp(want, "none-route") == 0 && strcmp(got, "unreachable") == 0) ||
	       (strcmp(want, "not-forwarding") == 0 && strcmp(got, "port-down") == 0);
}

/* Whether the decision is one of several: an ECMP set, or a service of several NVAs. */
static bool
is_choice(struct both *b, const struct fc_trace_hop *at, uint32_t dst)
{
	struct fc_eff_route r;
	size_t owning = 0;

	if (at->place != FC_AT_NIC ||
	    (fc_eff_lookup(b->f.l, at->index, dst, &r) && r.n_next_hops > 1))
		return true;
	for (size_t i = 0; i < b->f.t->n_nvas; i++)
		owning += b->f.t->nvas[i].owns.n > 0;
	if (b->f.t->n_balancers > 0)
		return true;
	return owning > 1;
}

static void
compare(struct both *b, const struct fc_trace *tr, size_t i, uint32_t src, uint32_t dst)
{
	const char *from = tr->hops[i].node, *want;
	char name[96], got[96], a[IPADDR_STRLEN], z[IPADDR_STRLEN];
	bool passed, met = false, choice;

	want = wanted(b, tr, i, dst, &passed, name);
	choice = passed || is_choice(b, &tr->hops[i], dst);
	for (uint32_t k = 0; k < HASHES && !met; k++) {
		ask(b, from, src, dst, k * (UINT32_MAX / HASHES), got);
		met = same(b, want, got);
		if (!met && !choice)
			break;
	}
	if (!met)
		printf("\n%s: %s to %s: got %s, wanted %s (%s)\n", from, ipaddr_format(a, src),
		    ipaddr_format(z, dst), got, want, tr->reason);
	CU_ASSERT_TRUE(met);
	b->compared++;
	b->passed += passed;
	b->internet += strcmp(got, "internet") == 0;
	b->dropped += vs_model_find(b->model, got) == NULL;
}

/* A tunnel to another NVA is in its guest, one to a site the switch stands for. */
static bool
is_nvas_own(const struct topo *t, const struct fc_trace_hop *h)
{
	const char *peer = strrchr(h->route, ' ');

	if (h->place != FC_AT_NIC || strcmp(h->rule, "MR-6") != 0)
		return false;
	for (size_t i = 0; i < t->n_sites; i++)
		if (strcmp(t->sites[i].name, peer + 1) == 0)
			return false;
	return true;
}

/* Each decision of the trace that the switch has to make; what an NVA does by itself is not the
 * switch's. */
static void
compare_trace(struct both *b, const char *from, uint32_t dst)
{
	struct fc_trace tr;
	char text[IPADDR_STRLEN];

	tr = fix_trace(&b->f, from, ipaddr_format(text, dst));
	for (size_t i = 0; i < tr.n_hops; i++) {
		const struct fc_trace_hop *h = &tr.hops[i];
		bool last = i + 1 == tr.n_hops && tr.verdict == FC_DELIVERED;

		if ((h->place != FC_AT_NIC && h->place != FC_AT_SITE &&
			h->place != FC_AT_INTERNET && h->place != FC_AT_CLIENT) ||
		    last || (h->rule[0] == '\0' && dst != IPADDR_PLATFORM) ||
		    is_nvas_own(b->f.t, h))
			continue;
		compare(b, &tr, i, h->src, dst);
	}
}

/* ---- destinations ---- */

static void
add_dst(struct both *b, uint32_t addr)
{
	CU_ASSERT_FATAL(b->n_dst < DESTINATIONS);
	if (addr != 0) /* no destination; routers of the switch have it as theirs */
		b->dst[b->n_dst++] = addr;
}

static void
add_edges(struct both *b, struct ipnet net)
{
	uint32_t last = net.addr | ~ipnet_mask(net.len);

	add_dst(b, net.addr);
	add_dst(b, last);
	add_dst(b, net.addr - 1);
	add_dst(b, last + 1);
}

static bool
is_public(const struct topo *t, uint32_t addr)
{
	for (size_t i = 0; i < t->n_nics; i++)
		if (t->nics[i].public_ip == addr)
			return true;
	return addr == NOBODYS_PUBLIC;
}

/* All that has a name, the edges of all that has a prefix, and any addresses. */
static void
list_destinations(struct both *b)
{
	const struct topo *t = b->f.t;

	b->n_dst = 0;
	add_dst(b, 0x08080808);
	add_dst(b, NOBODYS_PUBLIC);
	add_dst(b, IPADDR_PLATFORM);
	for (size_t i = 0; i < t->n_nics; i++) {
		add_dst(b, t->nics[i].ip);
		add_dst(b, t->nics[i].public_ip);
	}
	for (size_t i = 0; i < t->n_sites; i++) {
		add_dst(b, t->sites[i].ip);
		add_dst(b, t->sites[i].public_ip);
		for (size_t k = 0; k < t->sites[i].prefixes.n; k++)
			add_edges(b, t->sites[i].prefixes.v[k]);
	}
	for (size_t i = 0; i < t->n_gateways; i++) {
		add_dst(b, t->gateways[i].ip[0]);
		for (size_t k = 0; k < t->gateways[i].p2s_pools.n; k++)
			add_edges(b, t->gateways[i].p2s_pools.v[k]);
	}
	for (size_t i = 0; i < t->n_servers; i++)
		for (int k = 0; k < 2; k++)
			add_dst(b, t->servers[i].ip[k]);
	for (size_t i = 0; i < t->n_vnets; i++)
		for (size_t k = 0; k < t->vnets[i].space.n; k++)
			add_edges(b, t->vnets[i].space.v[k]);
	for (size_t i = 0; i < t->n_tables; i++)
		for (size_t k = 0; k < t->tables[i].n_routes; k++)
			add_edges(b, t->tables[i].routes[k].prefix);
	for (size_t i = 0; i < t->n_clients; i++)
		add_dst(b, t->clients[i].ip);
	for (size_t i = 0; i < t->n_balancers; i++)
		add_dst(b, t->balancers[i].ip);
	for (size_t i = 0; i < t->n_nvas; i++)
		for (size_t k = 0; k < t->nvas[i].owns.n; k++)
			add_edges(b, t->nvas[i].owns.v[k]);
	for (int i = 0; i < 40; i++)
		add_dst(b, (uint32_t)rand() ^ (uint32_t)rand() << 16);
	for (int i = 0; i < 40; i++)
		add_dst(b, 0x0a000000 | (uint32_t)rand() % 0x1000000);
}

static void
compare_all(struct both *b)
{
	bring_up_to_date(b);
	list_destinations(b);
	for (size_t k = 0; k < b->n_dst; k++) {
		for (size_t i = 0; i < b->f.t->n_nics; i++) {
			const struct topo_nic *n = &b->f.t->nics[i];

			if (n->vm < 0 || b->f.t->vms[n->vm].running)
				compare_trace(b, n->name, b->dst[k]);
		}
		for (size_t i = 0; i < b->f.t->n_sites; i++)
			compare_trace(b, b->f.t->sites[i].name, b->dst[k]);
		for (size_t i = 0; i < b->f.t->n_clients; i++)
			compare_trace(b, b->f.t->clients[i].name, b->dst[k]);
		if (is_public(b->f.t, b->dst[k]))
			compare_trace(b, TOPO_INTERNET, b->dst[k]);
	}
}

/* ---- routes ---- */

/* Next hops of one class, as a reporter of that VNet may have them; returns how many. */
static size_t
random_hops(const struct topo *t, enum hrp_source source, uint32_t hops[static 3])
{
	size_t n = 0;

	if (source == HRP_SRC_NVA)
		for (size_t i = 0; i < t->n_nvas && n < 3; i++)
			if (rand() % 2)
				hops[n++] = t->nvas[i].ip;
	if (source == HRP_SRC_EXPRESS_ROUTE && t->n_circuits > 0)
		hops[n++] = t->circuits[(size_t)rand() % t->n_circuits].nic_next_hop[rand() % 2];
	if (source == HRP_SRC_VPN)
		for (size_t i = 0; i < t->n_gateways && n == 0; i++)
			if (t->gateways[i].type == GW_VPN)
				hops[n++] = t->gateways[i].ip[0];
	if (n == 0)
		hops[n++] = 0x0a630101; /* nobody's */
	return n;
}

static struct ipnet
random_net(const struct topo *t)
{
	static const struct ipnet nets[] = { { 0, 0 }, { 0x0a000000, 8 }, { 0x08080000, 16 },
		{ 0xac100000, 12 } };
	const struct topo_vnet *v = &t->vnets[(size_t)rand() % t->n_vnets];
	struct ipnet net = v->space.v[0];
	uint8_t len;

	switch (rand() % 4) {
	case 0:
		return nets[rand() % 4];
	case 1: /* in a VNet, around it, or itself: EFF-7 */
		len = (uint8_t)(net.len - 2 + rand() % 12);
		return (struct ipnet){ net.addr & ipnet_mask(len), len };
	case 2:
		return t->n_sites > 0 ? t->sites[(size_t)rand() % t->n_sites].prefixes.v[0]
				      : nets[3];
	default:
		len = (uint8_t)(8 + rand() % 17);
		return (struct ipnet){
			((uint32_t)rand() ^ (uint32_t)rand() << 16) & ipnet_mask(len), len
		};
	}
}

static void
random_report(struct both *b, const char *reporter)
{
	static const enum hrp_source sources[] = { HRP_SRC_NVA, HRP_SRC_NVA, HRP_SRC_NVA,
		HRP_SRC_EXPRESS_ROUTE, HRP_SRC_VPN };
	static const uint32_t path[2] = { 65001, 65002 };
	uint32_t hops[3], addr[24];
	uint8_t len[24];
	struct fc_route_group g = { .source = sources[rand() % 5],
		.next_hops = hops,
		.as_path = path,
		.n_as_path = 1 + (size_t)rand() % 2,
		.addr = addr,
		.len = len,
		.n = 1 + (size_t)rand() % 24 };
	struct fc_route_batch batch = { .groups = &g, .n_groups = 1 };
	size_t changed;

	/* A VPN gateway has no other routes. Of an NVA's they would form one ECMP set with those of
	 * the other instance, where a hop that nobody has is no choice to the switch. */
	if (b->f.t->nodes[topo_find_node(b->f.t, reporter)].kind == TOPO_NODE_VPN_GATEWAY)
		g.source = HRP_SRC_VPN;
	g.n_next_hops = random_hops(b->f.t, g.source, hops);
	for (size_t i = 0; i < g.n; i++) {
		struct ipnet net = random_net(b->f.t);

		addr[i] = net.addr;
		len[i] = net.len;
	}
	if (rand() % 4 == 0)
		batch = (struct fc_route_batch){
			.withdrawn_addr = addr, .withdrawn_len = len, .n_withdrawn = g.n
		};
	(void)fc_layers_apply(b->f.l, reporter, &batch, &changed); /* ENOENT: an MSEE */
	fc_image_touch_node(b->image, reporter);
}

/* What a site says of its table: prefixes, each with somebody it has a session or tunnel with. */
static void
random_site(struct both *b, const struct topo_site *s)
{
	char text[512] = "", net[IPNET_STRLEN];

	for (int n = rand() % 6; n > 0; n--) {
		const struct topo_node *to = &b->f.t->nodes[(size_t)rand() % b->f.t->n_nodes];
		bool peer = false;

		for (size_t i = 0; i < s->n_peers; i++)
			peer = peer || strcmp(s->peers[i].name, to->name) == 0;
		if (!peer && to->kind != TOPO_NODE_MSEE && to->kind != TOPO_NODE_VPN_GATEWAY)
			to = NULL; /* its own */
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s>%s ",
		    ipnet_format(net, random_net(b->f.t)), to != NULL ? to->name : "");
	}
	fix_router(&b->f, s->name, text);
	fc_image_touch_node(b->image, s->name);
}

/* The same for an NVA whose software is ours. */
static void
random_nva(struct both *b, const struct topo_nva *nva)
{
	char text[512] = "", net[IPNET_STRLEN];

	if (nva->n_run > 0 || nva->n_peers == 0)
		return;
	for (int n = rand() % 6; n > 0; n--) {
		const struct topo_router_peer *p = &nva->peers[(size_t)rand() % nva->n_peers];
		struct ipnet prefix = random_net(b->f.t);

		if (p->is_site && rand() % 2)
			prefix = b->f.t->sites[p->index].prefixes.v[0];
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s>%s ",
		    ipnet_format(net, prefix), rand() % 4 ? p->name : "rs1-0");
	}
	fix_router(&b->f, nva->name, text);
	fc_image_touch_node(b->image, nva->name);
}

/* What health probes may find. */
static void
random_health(struct both *b, const struct topo_load_balancer *l)
{
	for (size_t i = 0; i < l->n_backends; i++) {
		const struct fc_health what = { .healthy = rand() % 2 };
		bool changed;

		if (rand() % 2)
			CU_ASSERT_EQUAL(fc_layers_health(b->f.l, l->name,
					    b->f.t->nics[l->backends[i]].name, &what, &changed),
			    l->probe.port != 0 ? FAB_OK : FAB_ENOENT);
	}
	fc_image_touch_owners(b->image, l->vnet);
}

static void
random_reports(struct both *b)
{
	for (size_t i = 0; i < b->f.t->n_balancers; i++)
		random_health(b, &b->f.t->balancers[i]);
	for (size_t i = 0; i < b->f.t->n_sites; i++)
		if (rand() % 2)
			random_site(b, &b->f.t->sites[i]);
	for (size_t i = 0; i < b->f.t->n_nvas; i++)
		if (rand() % 2)
			random_nva(b, &b->f.t->nvas[i]);
	for (size_t i = 0; i < b->f.t->n_nodes; i++)
		for (int k = rand() % 3; k > 0; k--)
			random_report(b, b->f.t->nodes[i].name);
}

/* ER-15, VPN-13: each session of an MSEE or VPN gateway by itself, every third one. */
static bool
session_is_down(void *ctx, const char *a, const char *b)
{
	const struct both *both = ctx;
	uint32_t h = both->missed;

	for (const char *p = a; both->missed != 0 && *p != '\0'; p++)
		h = h * 31 + (unsigned char)*p;
	for (const char *p = b; both->missed != 0 && *p != '\0'; p++)
		h = h * 31 + (unsigned char)*p;
	return both->missed != 0 && h % 3 == 0;
}

static void
random_sessions(struct both *b)
{
	b->missed = (uint32_t)rand();
	for (size_t i = 0; i < b->f.t->n_nodes; i++)
		if (b->f.t->nodes[i].kind == TOPO_NODE_MSEE ||
		    b->f.t->nodes[i].kind == TOPO_NODE_VPN_GATEWAY)
			fc_image_touch_node(b->image, b->f.t->nodes[i].name);
}

/* ---- tests ---- */

static void
agree(const char *yaml)
{
	struct both *b = calloc(1, sizeof(*b));

	both_open(b, yaml);
	fc_layers_set_faults(
	    b->f.l, &(struct fc_layer_faults){ .session_is_down = session_is_down, .ctx = b });
	compare_all(b);
	for (int round = 0; round < 4; round++) {
		random_reports(b);
		random_sessions(b);
		compare_all(b);
	}
	CU_ASSERT_TRUE(b->compared > b->dropped + b->internet); /* some arrive */
	CU_ASSERT_TRUE(b->dropped > 0);
	CU_ASSERT_EQUAL(b->internet > 0, strstr(yaml, "public_ip") != NULL);
	CU_ASSERT_TRUE(b->passed > 0 || b->f.t->n_gateways == 0);
	both_close(b);
	free(b);
}

static char *
file_text(const char *path)
{
	static char text[TOPO_FILE_MAX / 64];
	FILE *in = fopen(path, "r");
	size_t n;

	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	CU_ASSERT_TRUE(feof(in));
	text[n] = '\0';
	fclose(in);
	return text;
}

static void
test_topologies(void)
{
	glob_t g;

	srand(fc_seed());
	CU_ASSERT_EQUAL_FATAL(glob("topologies/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		agree(file_text(g.gl_pathv[i]));
	CU_ASSERT_TRUE(g.gl_pathc >= 5);
	globfree(&g);
}

/* UDR-3 ... UDR-8, SYS-5, RS-57: the semantics' own plan has every kind of route. */
static void
test_plan(void)
{
	srand(fc_seed());
	agree(PLAN);
}

/* RS-56: services of several NVAs; next hops that nobody has, that do not forward, or that are out
 * of reach. */
static void
test_next_hops(void)
{
	srand(fc_seed());
	agree(HUB1
	    "      bad: {prefix: 10.1.13.0/24, route_table: rt-bad}\n"
	    "      here: {prefix: 10.1.14.0/24, route_table: rt-here}\n" SPOKES PEERINGS TABLES
	    "  rt-bad:\n"
	    "    routes:\n"
	    "      nobody: {prefix: 10.50.0.0/16, next_hop: VirtualAppliance 10.1.2.99}\n"
	    "      still: {prefix: 10.51.0.0/16, next_hop: VirtualAppliance 10.1.10.4}\n"
	    "      service: {prefix: 10.52.0.0/16, next_hop: VirtualAppliance 10.1.3.100}\n"
	    "      spoke: {prefix: 10.53.0.0/16, next_hop: VirtualAppliance 10.11.0.4}\n"
	    "      down: {prefix: 10.54.0.0/16, next_hop: VirtualAppliance 10.11.0.9}\n"
	    "  rt-here: {routes: {all: {prefix: 0.0.0.0/0, next_hop: VnetLocal}}}\n" RS "nvas:\n"
	    "  nva1: {subnet: hub1/nva, ip: 10.1.2.4, public_ip: 198.51.100.4, snat: true, "
	    "asn: 65001, owns: [10.1.3.100/32, 10.1.3.128/25]}\n"
	    "  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, owns: [10.1.3.100/32, "
	    "10.1.3.192/26]}\n" VMS
	    "  bad1: {subnet: hub1/bad, ip: 10.1.13.4, public_ip: 198.51.100.5}\n"
	    "  here1: {subnet: hub1/here, ip: 10.1.14.4}\n");
}

/* Circuits of one gateway with different sites, one of them foreign (its table is guessed); VPN
 * with and without BGP; a route table on the GatewaySubnet (UDR-9). */
static void
test_gateways(void)
{
	srand(fc_seed());
	agree("vnets:\n"
	      "  hub1:\n"
	      "    address_space: 10.1.0.0/16\n"
	      "    subnets:\n"
	      "      RouteServerSubnet: 10.1.0.0/26\n"
	      "      GatewaySubnet: {prefix: 10.1.1.0/26, route_table: rt-gw}\n"
	      "      nva: 10.1.2.0/24\n"
	      "      work: {prefix: 10.1.3.0/24, route_table: rt-vpn}\n" SPOKE11
	      "peerings: [{hub: hub1, spoke: [s11]}]\n"
	      "route_tables:\n"
	      "  rt-gw: {routes: {in: {prefix: 10.11.0.0/16, next_hop: VirtualAppliance "
	      "10.1.2.4}}}\n"
	      "  rt-vpn: {routes: {vpn: {prefix: 172.16.0.0/12, next_hop: "
	      "VirtualNetworkGateway}}}\n" RS "gateways:\n"
	      "  er1: {vnet: hub1, type: ExpressRoute, circuits: {c1: {}, c2: {}}}\n"
	      "  vpn1: {vnet: hub1, type: Vpn, active_active: true, p2s_pools: "
	      "[192.168.99.0/24], connections: {branch1: {}, branch2: {bgp: false}}}\n"
	      "circuits: {c1: {site: dc1}, c2: {site: dc2}}\n"
	      "sites:\n"
	      "  dc1: {asn: 64900, prefixes: 172.20.0.0/16, advertise: [0.0.0.0/0], "
	      "public_ip: 198.51.100.20, snat: true}\n"
	      "  dc2: {asn: 64902, prefixes: 172.22.0.0/16, run: [bird]}\n"
	      "  branch1: {asn: 64901, prefixes: 172.21.0.0/16, run: [bird]}\n"
	      "  branch2: {asn: 64903, prefixes: 172.23.0.0/16}\n" NVAS
	      "clients: {c9: {via: vpn1, ip: 192.168.99.5}}\n"
	      "vms:\n"
	      "  vm11: {subnet: s11/vms, ip: 10.11.0.4}\n"
	      "  work1: {subnet: hub1/work, ip: 10.1.3.4}\n");
}

/* OPEN-9: spokes behind security groups, peered with one switch or the other off; a gateway's
 * traffic is not forwarded traffic. */
#define GUARDED                                                                                    \
	"vnets:\n"                                                                                 \
	"  hub1: {address_space: 10.1.0.0/16, subnets: {RouteServerSubnet: 10.1.0.0/26, "          \
	"GatewaySubnet: 10.1.1.0/26, nva: {prefix: 10.1.2.0/24, nsg: true}, work: "                \
	"10.1.3.0/24}}\n"                                                                          \
	"  s11: {address_space: 10.11.0.0/16, subnets: {vms: {prefix: 10.11.0.0/24, nsg: "         \
	"true, route_table: rt}, open: 10.11.1.0/24}}\n"                                           \
	"  s12: {address_space: 10.12.0.0/16, subnets: {vms: {prefix: 10.12.0.0/24, nsg: "         \
	"true, route_table: rt}}}\n"                                                               \
	"  s13: {address_space: 10.13.0.0/16, subnets: {vms: {prefix: 10.13.0.0/24, nsg: "         \
	"true}}}\n"                                                                                \
	"peerings:\n"                                                                              \
	"  - {hub: hub1, spoke: s11, allow_forwarded_traffic: false}\n"                            \
	"  - {hub: hub1, spoke: s12, allow_virtual_network_access: false}\n"                       \
	"  - {between: [hub1, s13]}\n"                                                             \
	"route_tables: {rt: {routes: {all: {prefix: 10.0.0.0/8, next_hop: VirtualAppliance "       \
	"10.1.2.4}}}}\n" RS                                                                        \
	"gateways: {vpn1: {vnet: hub1, type: Vpn, active_active: true, connections: "              \
	"{branch1: {}}}}\n"                                                                        \
	"sites: {branch1: {asn: 64901, prefixes: 172.21.0.0/16, run: [bird]}}\n" NVAS "vms:\n"     \
	"  vm11: {subnet: s11/vms, ip: 10.11.0.4}\n"                                               \
	"  open11: {subnet: s11/open, ip: 10.11.1.4}\n"                                            \
	"  vm12: {subnet: s12/vms, ip: 10.12.0.4}\n"                                               \
	"  vm13: {subnet: s13/vms, ip: 10.13.0.4}\n"                                               \
	"  work1: {subnet: hub1/work, ip: 10.1.3.4}\n"

static void
test_security_groups(void)
{
	static const char *const yaml[] = { GUARDED, "quirks: {forwarded_traffic: drop}\n" GUARDED,
		"quirks: {forwarded_traffic: pass}\n" GUARDED };

	for (size_t i = 0; i < 3; i++) {
		srand(fc_seed());
		agree(yaml[i]);
	}
}

/* RS-56, RS-57, SC-C: load balancers as next hop and as destination, one without a backend that
 * runs. */
static void
test_load_balancers(void)
{
	srand(fc_seed());
	agree(HUB1
	    "      lb: {prefix: 10.1.13.0/24, route_table: rt-lb}\n" SPOKES PEERINGS TABLES
	    "  rt-lb:\n"
	    "    routes:\n"
	    "      both: {prefix: 10.50.0.0/16, next_hop: VirtualAppliance 10.1.2.100}\n"
	    "      none: {prefix: 10.51.0.0/16, next_hop: VirtualAppliance 10.1.2.101}\n"
	    "      still: {prefix: 10.52.0.0/16, next_hop: VirtualAppliance 10.1.2.102}\n" RS NVAS
	    "load_balancers:\n"
	    "  ilb1: {subnet: hub1/nva, ip: 10.1.2.100, backends: [nva1, nva2], probe: {port: "
	    "8080}}\n"
	    "  ilb2: {subnet: hub1/nva, ip: 10.1.2.101, backends: off13}\n"
	    "  ilb3: {subnet: hub1/nva, ip: 10.1.2.102, backends: lb1}\n" VMS
	    "  lb1: {subnet: hub1/lb, ip: 10.1.13.4}\n"
	    "  off13: {subnet: hub1/lb, ip: 10.1.13.5, running: false}\n");
}

/* SC-D: tunnels of NVAs to sites, one NVA foreign; what is more exact does not go there. */
static void
test_tunnels(void)
{
	srand(fc_seed());
	agree("packets: true\n" HUB1 SPOKES PEERINGS TABLES RS "sites:\n"
	      "  branch1: {asn: 64901, prefixes: 172.21.0.0/16}\n"
	      "  branch2: {asn: 64902, prefixes: [172.22.0.0/16, 172.21.7.0/24]}\n"
	      "nvas:\n"
	      "  nva1: {subnet: hub1/nva, ip: 10.1.2.4, asn: 65001, peers: {branch1: {tunnel: "
	      "true}, branch2: {}}}\n"
	      "  nva2: {subnet: hub1/nva, ip: 10.1.2.5, asn: 65001, run: [bird], "
	      "peers: {branch2: {tunnel: true}, nva1: {tunnel: "
	      "true}}}\n" VMS);
}

/* VPN-3, VPN-6, VPN-9, OPEN-13: two VPN gateways; site, NVA and spoke behind the other one. */
static void
test_vnet_to_vnet(void)
{
	static const char *const bgp[] = { "true", "false" };
	char yaml[4096];

	for (size_t i = 0; i < 2; i++) {
		snprintf(yaml, sizeof(yaml),
		    "packets: true\n" HUB1 SPOKES "  hub9: {address_space: 10.9.0.0/16, subnets: "
		    "{GatewaySubnet: 10.9.1.0/26, vms: "
		    "10.9.2.0/24}}\n" PEERINGS TABLES RS NVAS VMS
		    "  vm9: {subnet: hub9/vms, ip: 10.9.2.4}\n"
		    "gateways:\n"
		    "  vpn1: {vnet: hub1, type: Vpn, active_active: true, connections: {to9: "
		    "{gateway: vpn9, bgp: %s}, branch1: {}}}\n"
		    "  vpn9: {vnet: hub9, type: Vpn, asn: 65010, connections: {to1: {gateway: "
		    "vpn1, bgp: %s}, branch2: {}}}\n"
		    "sites:\n"
		    "  branch1: {asn: 64901, prefixes: 172.21.0.0/16}\n"
		    "  branch2: {asn: 64902, prefixes: 172.22.0.0/16}\n",
		    bgp[i], bgp[i]);
		srand(fc_seed());
		agree(yaml);
	}
}

static CU_TestInfo tests[] = {
	{ "VPN-3, VPN-6, VPN-9, OPEN-13: two VPN gateways", test_vnet_to_vnet },
	{ "PEER-5, PEER-6, OPEN-9: security groups", test_security_groups },
	{ "SC-D, MR-6: tunnels to sites", test_tunnels },
	{ "RS-56, RS-57, SC-C: internal load balancers", test_load_balancers },
	{ "SYS-6, RS-60, ER-19, VPN-14: every topology that people run", test_topologies },
	{ "EFF-6, EFF-7, SYS-5, UDR-7, UDR-8, RS-57: the reference plan", test_plan },
	{ "RS-56, UDR-3: next hops of every kind", test_next_hops },
	{ "ER-1, ER-10, ER-20, ER-22, ER-30, VPN-6, VPN-8, VPN-20, VPN-22, UDR-9, B2B-2: gateways",
	    test_gateways },
	CU_TEST_INFO_NULL,
};

FAB_CUNIT_MAIN("switch_agrees", tests)
