#include "vswitchd/vs_rules.h"

#include "lib/err.h"
#include "lib/octets.h"
#include "vswitchd/vs_fast.h"
#include "vswitchd/vs_idmap.h"
#include "vswitchd/vs_nf.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE     "hubspoke-"
#define NAME_SIZE 32
#define ETH_LEN   14

#define LINKS_MAX 65536
/* What was deleted takes its room until the kernel has freed it. */
#define ELEMENTS_MAX (2 * VS_FLOWS_MAX)

/* nft's names for the parts of keys: only for who lists the table. */
enum {
	T_IPADDR = 7,
	T_IP6ADDR = 8,
	T_ETHERADDR = 9,
	T_PROTO = 12,
	T_PORT = 13,
	T_MARK = 19,
	T_IFINDEX = 20
};
#define T_FLOW (T_MARK << 12 | T_IPADDR << 6 | T_IPADDR)
#define T_CONN ((uint32_t)T_FLOW << 12 | T_PROTO << 6 | T_MARK)

#define T_EXIT T_IP6ADDR /* nothing else has 16 octets */

enum { FLOW_KEY = 12, CONN_KEY = 20, MACS = 12, EXIT = 16 };

/* Registers: a key, and what a map has for it. */
enum { R_KEY = 0, R_ADDRS = 1, R_PROTO = 3, R_PORTS = 4, R_MACS = 5, R_DEV = 8, R_SCRATCH = 10 };

/* Octets of the IPv4 header. */
enum { IP_VERSION = 0, IP_TOTAL = 2, IP_FRAGMENT = 6, IP_PROTO = 9, IP_ADDRS = 12, IP_BEHIND = 20 };

_Static_assert(VS_RULES_WHY_MAX >= VS_NF_WHY_MAX, "reasons fit");

struct port {
	struct vs_rules_port conf;
	uint32_t serial; /* of its chain at the ingress; 0: never had one */
	bool exit, open;
};

struct vs_rules {
	struct vs_rules_conf conf;
	struct vs_nf *nf;
	char table[NAME_SIZE];
	struct vs_nf_map flows, connections, links;
	struct vs_idmap ports; /* struct port, by slot */
	uint32_t serial;
	bool begun; /* a transaction of flows */
	int failed; /* what came to one of them */
	char why[VS_RULES_WHY_MAX];
};

/* ---- names ---- */

static const char *
ingress_name(char out[static NAME_SIZE], const struct port *p)
{
	snprintf(out, NAME_SIZE, "from-%u-%u", p->conf.slot, p->serial);
	return out;
}

static void
link_key(uint8_t out[static 6], uint32_t slot)
{
	put32(put16(out, FAST_MAC_TO), slot);
}

static const uint8_t fabric_mac[6] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc };

/* ---- rules ---- */

static void
check_u8(struct vs_nf *nf, unsigned at, enum nft_cmp_ops op, uint8_t value)
{
	vs_nf_load(nf, VS_NF_REG(R_SCRATCH), NFT_PAYLOAD_NETWORK_HEADER, at, 1);
	vs_nf_check(nf, VS_NF_REG(R_SCRATCH), op, &value, 1);
}

/* To the trunk, as vs_trunk.h has it. */
static void
put_detour(const struct vs_rules *r, uint32_t slot)
{
	uint32_t dev = (uint32_t)r->conf.trunk;
	uint8_t mac[6];

	put32(put16(mac, FAST_MAC_FROM), slot);
	vs_nf_set(r->nf, VS_NF_REG(R_MACS), mac, sizeof(mac));
	vs_nf_store(r->nf, VS_NF_REG(R_MACS), NFT_PAYLOAD_LL_HEADER, 6, sizeof(mac));
	vs_nf_set(r->nf, VS_NF_REG(R_DEV), &dev, sizeof(dev));
	vs_nf_forward(r->nf, VS_NF_REG(R_DEV));
}

/* Larger than the MTU is for the userspace engine to judge. A rule cannot tell segments that the
 * sender's kernel has put together from one large packet; TCP's are the former, for its segments
 * are as large as both ends' MTUs let them be. */
static void
put_oversize_rule(const struct vs_rules *r, const char *chain, const struct vs_rules_port *p)
{
	uint8_t mtu[2];

	if (p->mtu == 0)
		return;
	put16(mtu, p->mtu);
	vs_nf_rule_begin(r->nf, r->table, chain);
	vs_nf_load(r->nf, VS_NF_REG(R_SCRATCH), NFT_PAYLOAD_NETWORK_HEADER, IP_TOTAL, 2);
	vs_nf_check(r->nf, VS_NF_REG(R_SCRATCH), NFT_CMP_GT, mtu, sizeof(mtu));
	check_u8(r->nf, IP_PROTO, NFT_CMP_NEQ, IPPROTO_TCP);
	put_detour(r, p->slot);
	vs_nf_rule_end(r->nf);
}

/* IPv4 for one machine, without options, and its key. */
static void
put_key(const struct vs_rules *r, uint32_t slot)
{
	static const uint8_t ipv4[2] = { ETH_P_IP >> 8, ETH_P_IP & 255 }, unicast = PACKET_HOST;
	struct vs_nf *nf = r->nf;
	uint8_t from[4];

	put32(from, slot);
	vs_nf_load_meta(nf, VS_NF_REG(R_SCRATCH), NFT_META_PROTOCOL);
	vs_nf_check(nf, VS_NF_REG(R_SCRATCH), NFT_CMP_EQ, ipv4, sizeof(ipv4));
	vs_nf_load_meta(nf, VS_NF_REG(R_SCRATCH), NFT_META_PKTTYPE);
	vs_nf_check(nf, VS_NF_REG(R_SCRATCH), NFT_CMP_EQ, &unicast, sizeof(unicast));
	check_u8(nf, IP_VERSION, NFT_CMP_EQ, 0x45);
	vs_nf_set(nf, VS_NF_REG(R_KEY), from, sizeof(from));
	vs_nf_load(nf, VS_NF_REG(R_ADDRS), NFT_PAYLOAD_NETWORK_HEADER, IP_ADDRS, 8);
}

static void
put_delivery(const struct vs_rules *r, const struct vs_nf_map *map)
{
	vs_nf_look_up(r->nf, map, VS_NF_REG(R_KEY), VS_NF_REG(R_MACS));
	vs_nf_store(r->nf, VS_NF_REG(R_MACS), NFT_PAYLOAD_LL_HEADER, 0, MACS);
	vs_nf_forward(r->nf, VS_NF_REG(R_DEV));
}

static void
put_flow_rule(const struct vs_rules *r, const char *chain, uint32_t slot)
{
	vs_nf_rule_begin(r->nf, r->table, chain);
	put_key(r, slot);
	put_delivery(r, &r->flows);
	vs_nf_rule_end(r->nf);
}

/* Fragments have no ports, as in vs_frame.c. */
static void
put_connection_rule(const struct vs_rules *r, const char *chain, uint32_t slot)
{
	static const uint8_t fragment[2] = { 0x3f, 0xff }, none[2];
	struct vs_nf *nf = r->nf;

	vs_nf_rule_begin(nf, r->table, chain);
	put_key(r, slot);
	vs_nf_load(nf, VS_NF_REG(R_SCRATCH), NFT_PAYLOAD_NETWORK_HEADER, IP_FRAGMENT, 2);
	vs_nf_mask(nf, VS_NF_REG(R_SCRATCH), fragment, sizeof(fragment));
	vs_nf_check(nf, VS_NF_REG(R_SCRATCH), NFT_CMP_EQ, none, sizeof(none));
	vs_nf_load(nf, VS_NF_REG(R_PROTO), NFT_PAYLOAD_NETWORK_HEADER, IP_PROTO, 1);
	vs_nf_load(nf, VS_NF_REG(R_PORTS), NFT_PAYLOAD_NETWORK_HEADER, IP_BEHIND, 4);
	put_delivery(r, &r->connections);
	vs_nf_rule_end(nf);
}

static void
put_ingress_rules(const struct vs_rules *r, const char *chain, const struct vs_rules_port *p)
{
	put_oversize_rule(r, chain, p);
	put_flow_rule(r, chain, p->slot);
	put_connection_rule(r, chain, p->slot);
	vs_nf_rule_begin(r->nf, r->table, chain);
	put_detour(r, p->slot);
	vs_nf_rule_end(r->nf);
}

/* From the userspace engine, which has set the taker's address; the source is the taker's slot. */
static void
put_trunk_rule(const struct vs_rules *r, const char *chain)
{
	struct vs_nf *nf = r->nf;

	vs_nf_rule_begin(nf, r->table, chain);
	vs_nf_load(nf, VS_NF_REG(R_KEY), NFT_PAYLOAD_LL_HEADER, 6, 6);
	vs_nf_look_up(nf, &r->links, VS_NF_REG(R_KEY), VS_NF_REG(R_DEV));
	vs_nf_set(nf, VS_NF_REG(R_MACS), fabric_mac, sizeof(fabric_mac));
	vs_nf_store(nf, VS_NF_REG(R_MACS), NFT_PAYLOAD_LL_HEADER, 6, sizeof(fabric_mac));
	vs_nf_forward(nf, VS_NF_REG(R_DEV));
	vs_nf_rule_end(nf);
}

/* ---- the table ---- */

static unsigned
number_of(const char *table)
{
	unsigned n;

	return sscanf(table, TABLE "%u", &n) == 1 ? n : 0;
}

static void
find_newest(void *ctx, const char *name)
{
	unsigned *newest = ctx, n = number_of(name);

	if (n > *newest)
		*newest = n;
}

static void
name_all(struct vs_rules *r, unsigned number)
{
	snprintf(r->table, sizeof(r->table), TABLE "%u", number);
	r->flows = (struct vs_nf_map){ .table = r->table,
		.name = "flows",
		.key_type = T_FLOW,
		.key_len = FLOW_KEY,
		.data_type = T_EXIT,
		.data_len = EXIT,
		.size = ELEMENTS_MAX,
		.counts = true };
	r->connections = r->flows;
	r->connections.name = "connections";
	r->connections.key_type = T_CONN;
	r->connections.key_len = CONN_KEY;
	r->links = (struct vs_nf_map){ .table = r->table,
		.name = "links",
		.key_type = T_ETHERADDR,
		.key_len = 6,
		.data_type = T_IFINDEX,
		.data_len = 4,
		.size = LINKS_MAX };
}

/* With the rules of a port that nothing leads to: what the kernel lacks is told now. */
static int
make_table(struct vs_rules *r, char why[static VS_RULES_WHY_MAX])
{
	static const struct vs_rules_port nobody = { .slot = 0, .ifindex = 1, .mtu = 1500 };
	char dev[IF_NAMESIZE];

	if (if_indextoname((unsigned)r->conf.trunk, dev) == NULL) {
		snprintf(why, VS_RULES_WHY_MAX, "the trunk has gone");
		return FAB_ENOENT;
	}
	vs_nf_begin(r->nf);
	vs_nf_table_add(r->nf, r->table);
	vs_nf_map_add(r->nf, &r->flows);
	vs_nf_map_add(r->nf, &r->connections);
	vs_nf_map_add(r->nf, &r->links);
	vs_nf_chain_add(r->nf, r->table, "trunk", dev);
	put_trunk_rule(r, "trunk");
	vs_nf_chain_add(r->nf, r->table, "test", NULL);
	put_ingress_rules(r, "test", &nobody);
	vs_nf_chain_flush(r->nf, r->table, "test");
	vs_nf_chain_del(r->nf, r->table, "test");
	return vs_nf_commit(r->nf, "make the switch's table", NULL, NULL, why);
}

int
vs_rules_new(
    struct vs_rules **out, const struct vs_rules_conf *conf, char why[static VS_RULES_WHY_MAX])
{
	struct vs_rules *r = calloc(1, sizeof(*r));
	unsigned newest = 0;
	int err;

	snprintf(why, VS_RULES_WHY_MAX, "out of memory");
	if (r == NULL)
		return FAB_ENOMEM;
	r->conf = *conf;
	if ((err = vs_nf_new(&r->nf)) == FAB_OK) {
		snprintf(why, VS_RULES_WHY_MAX, "this kernel has no nftables");
		err = vs_nf_each_table(r->nf, find_newest, &newest);
	}
	if (err == FAB_OK) {
		name_all(r, newest + 1);
		err = make_table(r, why);
	}
	if (err != FAB_OK) {
		vs_rules_free(r);
		return err;
	}
	*out = r;
	return FAB_OK;
}

void
vs_rules_free(struct vs_rules *r)
{
	if (r == NULL)
		return;
	for (const struct vs_idslot *i = NULL; (i = vs_idmap_next(&r->ports, i)) != NULL;)
		free(i->p);
	vs_idmap_fini(&r->ports);
	vs_nf_free(r->nf);
	free(r);
}

struct tables {
	unsigned numbers[64];
	size_t n;
};

static void
note_table(void *ctx, const char *name)
{
	struct tables *t = ctx;

	if (number_of(name) != 0 && t->n < sizeof(t->numbers) / sizeof(t->numbers[0]))
		t->numbers[t->n++] = number_of(name);
}

void
vs_rules_take_over(struct vs_rules *r)
{
	char name[NAME_SIZE], why[VS_RULES_WHY_MAX];
	struct tables t = { .n = 0 };

	vs_nf_each_table(r->nf, note_table, &t);
	for (size_t i = 0; i < t.n; i++) {
		snprintf(name, sizeof(name), TABLE "%u", t.numbers[i]);
		if (strcmp(name, r->table) == 0)
			continue;
		vs_nf_begin(r->nf);
		vs_nf_table_del(r->nf, name);
		vs_nf_commit(r->nf, "delete a former switch's table", NULL, NULL, why);
	}
}

/* ---- ports ---- */

static struct port *
port_get(struct vs_rules *r, uint32_t slot)
{
	struct port *p = vs_idmap_get(&r->ports, slot);

	if (p != NULL || (p = calloc(1, sizeof(*p))) == NULL)
		return p;
	if (vs_idmap_put(&r->ports, slot, p, NULL) != FAB_OK) {
		free(p);
		return NULL;
	}
	p->conf.slot = slot;
	return p;
}

static bool
same_exit(const struct port *p, const struct vs_rules_port *conf)
{
	return p->exit && p->conf.ifindex == conf->ifindex;
}

int
vs_rules_exit(
    struct vs_rules *r, const struct vs_rules_port *conf, char why[static VS_RULES_WHY_MAX])
{
	struct port *p = port_get(r, conf->slot);
	uint32_t dev = (uint32_t)conf->ifindex;
	uint8_t key[6];
	int err;

	snprintf(why, VS_RULES_WHY_MAX, "out of memory");
	if (p == NULL)
		return FAB_ENOMEM;
	if (!same_exit(p, conf)) {
		link_key(key, conf->slot);
		vs_nf_begin(r->nf);
		if (p->exit)
			vs_nf_elem_del(r->nf, &r->links, key);
		vs_nf_elem_add(r->nf, &r->links, key, &dev);
		if ((err = vs_nf_commit(r->nf, "open a port", NULL, NULL, why)) != FAB_OK)
			return err;
	}
	p->exit = true;
	p->conf = *conf;
	return FAB_OK;
}

/* The chain of an interface that it had before: gone with that, or of no use. */
static void
drop_ingress(const struct vs_rules *r, const struct port *p)
{
	char chain[NAME_SIZE], why[VS_RULES_WHY_MAX];

	if (p->serial == 0)
		return;
	ingress_name(chain, p);
	vs_nf_begin(r->nf);
	vs_nf_chain_flush(r->nf, r->table, chain);
	vs_nf_chain_del(r->nf, r->table, chain);
	vs_nf_commit(r->nf, "delete a port's rules", NULL, NULL, why);
}

int
vs_rules_open(
    struct vs_rules *r, const struct vs_rules_port *conf, char why[static VS_RULES_WHY_MAX])
{
	int err = vs_rules_exit(r, conf, why);
	char dev[IF_NAMESIZE], chain[NAME_SIZE];
	struct port *p, next;

	if (err != FAB_OK)
		return err;
	if (if_indextoname((unsigned)conf->ifindex, dev) == NULL) {
		snprintf(why, VS_RULES_WHY_MAX, "its interface has gone");
		return FAB_ENOENT;
	}
	p = vs_idmap_get(&r->ports, conf->slot);
	next = *p;
	next.serial = ++r->serial;
	next.open = true;
	vs_nf_begin(r->nf);
	vs_nf_chain_add(r->nf, r->table, ingress_name(chain, &next), dev);
	put_ingress_rules(r, chain, conf);
	if ((err = vs_nf_commit(r->nf, "open a port", NULL, NULL, why)) != FAB_OK)
		return err;
	drop_ingress(r, p);
	*p = next;
	return FAB_OK;
}

/* Without rules a chain drops. */
void
vs_rules_close(struct vs_rules *r, uint32_t slot)
{
	struct port *p = vs_idmap_get(&r->ports, slot);
	char chain[NAME_SIZE], why[VS_RULES_WHY_MAX];
	uint8_t key[6];

	if (p == NULL || !p->exit)
		return;
	link_key(key, slot);
	vs_nf_begin(r->nf);
	vs_nf_elem_del(r->nf, &r->links, key);
	vs_nf_commit(r->nf, "close a port", NULL, NULL, why);
	if (p->open) {
		vs_nf_begin(r->nf);
		vs_nf_chain_flush(r->nf, r->table, ingress_name(chain, p));
		vs_nf_commit(r->nf, "close a port", NULL, NULL, why); /* it may have gone */
	}
	p->exit = p->open = false;
}

const struct vs_rules_port *
vs_rules_port(const struct vs_rules *r, uint32_t slot)
{
	const struct port *p = vs_idmap_get(&r->ports, slot);

	return p != NULL && p->open ? &p->conf : NULL;
}

/* ---- flows ---- */

static const struct vs_nf_map *
map_of(const struct vs_rules *r, const struct vs_flow_key *k)
{
	return k->proto != 0 ? &r->connections : &r->flows;
}

/* As the rules put it together in registers. */
static void
encode_key(uint8_t out[static VS_NF_KEY_MAX], const struct vs_flow_key *k)
{
	uint8_t *p = put32(put32(put32(out, k->from), k->src), k->dst);

	put32(put32(p, k->proto << 24), k->ports);
}

/* The kernel counts from the IP header on. */
static void
on_elem(void *ctx, const struct vs_nf_elem *e)
{
	const struct vs_rules *r = ctx;
	struct vs_flow_key k = { .proto = 0 };

	if (e->key_len != FLOW_KEY && e->key_len != CONN_KEY)
		return;
	k.from = get32(e->key);
	k.src = get32(e->key + 4);
	k.dst = get32(e->key + 8);
	if (e->key_len == CONN_KEY) {
		k.proto = e->key[FLOW_KEY];
		k.ports = get32(e->key + FLOW_KEY + 4);
	}
	r->conf.counted(r->conf.ctx, &k, e->packets, e->octets + e->packets * ETH_LEN);
}

static void
commit_flows(struct vs_rules *r)
{
	int err;

	if (!r->begun)
		return;
	r->begun = false;
	err = vs_nf_commit(r->nf, "change the cached flows", on_elem, r, r->why);
	if (err != FAB_OK)
		r->failed = err;
}

static void
begin_flows(struct vs_rules *r)
{
	if (r->begun && vs_nf_is_full(r->nf))
		commit_flows(r);
	if (!r->begun)
		vs_nf_begin(r->nf);
	r->begun = true;
}

void
vs_rules_flow_del(struct vs_rules *r, const struct vs_flow_key *k)
{
	uint8_t key[VS_NF_KEY_MAX];

	begin_flows(r);
	encode_key(key, k);
	vs_nf_elem_del(r->nf, map_of(r, k), key);
}

/* As vs_frame_set_macs(), and where to. */
static void
encode_exit(uint8_t out[static EXIT], const struct vs_rules_port *to)
{
	uint32_t dev = (uint32_t)to->ifindex;
	uint8_t *p = put32(put16(out, 0x02fa), to->ip);

	memcpy(p, fabric_mac, sizeof(fabric_mac));
	memcpy(out + MACS, &dev, sizeof(dev));
}

void
vs_rules_flow_add(struct vs_rules *r, const struct vs_flow_key *k, uint32_t to)
{
	const struct port *p = vs_idmap_get(&r->ports, to);
	uint8_t key[VS_NF_KEY_MAX], exit[EXIT];

	FAB_ASSERT(p != NULL && p->exit);
	begin_flows(r);
	encode_key(key, k);
	encode_exit(exit, &p->conf);
	vs_nf_elem_add(r->nf, map_of(r, k), key, exit);
}

int
vs_rules_flows_commit(struct vs_rules *r, char why[static VS_RULES_WHY_MAX])
{
	int err;

	commit_flows(r);
	err = r->failed;
	r->failed = FAB_OK;
	if (err != FAB_OK)
		snprintf(why, VS_RULES_WHY_MAX, "%s", r->why);
	return err;
}

int
vs_rules_flows_clear(struct vs_rules *r, char why[static VS_RULES_WHY_MAX])
{
	vs_nf_begin(r->nf);
	vs_nf_map_flush(r->nf, &r->flows);
	vs_nf_map_flush(r->nf, &r->connections);
	return vs_nf_commit(r->nf, "forget the cached flows", NULL, NULL, why);
}

void
vs_rules_flows_count(struct vs_rules *r)
{
	vs_nf_each_elem(r->nf, r->table, r->flows.name, on_elem, r);
	vs_nf_each_elem(r->nf, r->table, r->connections.name, on_elem, r);
}
