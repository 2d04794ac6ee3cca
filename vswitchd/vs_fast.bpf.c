/*
 * The fast path: at the ingress of our end of each guest's veth. A packet whose way is plain (three
 * layers, a next hop, an owner: all of it on this host and nothing special about either end) goes
 * straight into the taker's namespace; everything else goes over the trunk to the userspace engine,
 * which judges, answers, counts and may send it back over the trunk. So nothing here drops a packet
 * or tells why one is dropped.
 *
 * The selection is that of vs_lookup.c, function by function. It is loaded with CAP_BPF and
 * CAP_NET_ADMIN only: no arithmetic with pointers beyond constants, every cell is asked for by its
 * number. Functions that are not static are verified by themselves, once; a loop is unrolled where
 * the verifier, which without CAP_PERFMON also follows what a processor may do in error, would not
 * see its end.
 */
#include "vswitchd/vs_fast.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual BSD/GPL";

/* Sizes are set before loading (vs_plane.c). */
#define CELLS(name_, type_)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, type_);                                                              \
	} name_ SEC(".maps")

CELLS(fast_control, struct fast_control);
CELLS(fast_roots, struct fast_root);
CELLS(fast_ports, struct fast_port);
CELLS(fast_tables, struct fast_table);
CELLS(fast_ranges, struct fast_range);
CELLS(fast_entries, struct fast_entry);
CELLS(fast_groups, struct fast_group);
CELLS(fast_members, struct fast_member);
CELLS(fast_links, struct fast_link);
CELLS(fast_tallies, struct fast_tally);

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FAST_MEMOS);
	__type(key, __u32);
	__type(value, struct fast_memo);
} fast_memos SEC(".maps");

#define RANGE_STEPS 27 /* halvings of a table, however large */
#define CHAIN_MAX   33 /* prefixes around an address, 0 to 32 */
#define MEMBERS_MAX 64

#define cell(map, i)                                                                               \
	({                                                                                         \
		__u32 key_ = (i);                                                                  \
		bpf_map_lookup_elem(&(map), &key_);                                                \
	})

/* One packet on its way. */
struct packet {
	__u32 src, dst; /* host order */
	__u32 hash, pair;
	__u32 size; /* as struct vs_frame has it */
};

/* ---- tables ---- */

/* The longest entry of table cell t around addr. */
__noinline __u32
fast_longest(__u32 t, __u32 addr)
{
	struct fast_table *table = cell(fast_tables, t);
	struct fast_range *r;
	__u32 base, n;

	if (!table)
		return FAST_NONE;
	base = table->ranges;
	n = table->n_ranges;
	for (int i = 0; i < RANGE_STEPS && n > 1; i++) {
		__u32 half = n / 2;

		r = cell(fast_ranges, base + half);
		if (!r)
			return FAST_NONE;
		if (r->start <= addr)
			base += half;
		n -= half;
	}
	r = cell(fast_ranges, base);
	return r ? r->entry : FAST_NONE;
}

static __always_inline __u32
longest(const struct fast_root *root, __u32 table, __u32 addr)
{
	return table != FAST_NONE ? fast_longest(root->tables + table, addr) : FAST_NONE;
}

static __always_inline __u32
shorter(const struct fast_entry *e)
{
	__u32 parent = e->parent >> FAST_LEN_BITS;

	return parent != FAST_NO_PARENT ? parent : FAST_NONE;
}

static __always_inline int
length(const struct fast_entry *e)
{
	return e ? (int)(e->parent & ((1 << FAST_LEN_BITS) - 1)) : -1;
}

/* SYS-5, EFF-7, as view_system(): the best entry, and the length below which BGP counts << 32. */
__noinline __u64
fast_system(__u32 t, __u32 groups, __u32 addr, __u32 overridden)
{
	__u32 at = fast_longest(t, addr), best = FAST_NONE;
	__u64 below = 33;

	for (int i = 0; i < CHAIN_MAX && at != FAST_NONE; i++) {
		struct fast_entry *e = cell(fast_entries, at);
		struct fast_group *g;

		if (!e || !(g = cell(fast_groups, groups + e->group)))
			break;
		if (best == FAST_NONE && !(overridden && g->drop == FAST_DROP_NONE))
			best = at;
		if (g->kind == FAST_DELIVER)
			below = (__u64)length(e);
		at = shorter(e);
	}
	return below << 32 | best;
}

/* The longest entry around addr that is shorter than below. */
__noinline __u32
fast_below(__u32 t, __u32 addr, __u32 below)
{
	__u32 at = fast_longest(t, addr);

	for (int i = 0; i < CHAIN_MAX && at != FAST_NONE; i++) {
		struct fast_entry *e = cell(fast_entries, at);

		if (!e)
			return FAST_NONE;
		if ((__u32)length(e) < below)
			return at;
		at = shorter(e);
	}
	return FAST_NONE;
}

/* Slot of the table that has the owners in the VNet around addr, as vnet_of(): RS-57, UDR-3. */
__noinline __u32
fast_vnet(__u32 t, __u32 groups, __u32 addr)
{
	__u32 at = fast_longest(t, addr);

	for (int i = 0; i < CHAIN_MAX && at != FAST_NONE; i++) {
		struct fast_entry *e = cell(fast_entries, at);
		struct fast_group *g;

		if (!e || !(g = cell(fast_groups, groups + e->group)))
			return FAST_NONE;
		if (g->kind == FAST_DELIVER)
			return g->arg;
		at = shorter(e);
	}
	return FAST_NONE;
}

static __always_inline bool
has_default(const struct fast_root *root, __u32 table)
{
	struct fast_table *t;

	return table != FAST_NONE && (t = cell(fast_tables, root->tables + table)) &&
	       t->has_default;
}

/* Cell of the group, FAST_NONE: no route (EFF-6, UDR-8), as select_route(). */
static __always_inline __u32
select_route(const struct fast_root *root, const struct fast_port *p, __u32 dst)
{
	__u32 at = longest(root, p->user, dst);
	struct fast_entry *best = 0, *e;
	__u64 sys = 33ull << 32 | FAST_NONE;

	if (p->system != FAST_NONE)
		sys = fast_system(root->tables + p->system, root->groups, dst,
		    has_default(root, p->user) || has_default(root, p->bgp));
	if (at != FAST_NONE)
		best = cell(fast_entries, at);
	at = p->bgp != FAST_NONE ? fast_below(root->tables + p->bgp, dst, sys >> 32) : FAST_NONE;
	if (at != FAST_NONE && (e = cell(fast_entries, at)) && length(e) > length(best))
		best = e;
	at = (__u32)sys;
	if (at != FAST_NONE && (e = cell(fast_entries, at)) && length(e) > length(best))
		best = e;
	return best ? root->groups + best->group : FAST_NONE;
}

/* MR-6, as select_group(). */
static __always_inline __u32
select_group(const struct fast_root *root, const struct fast_port *p, __u32 dst)
{
	struct fast_entry *e = cell(fast_entries, longest(root, p->tunnel, dst));
	struct fast_group *g = e ? cell(fast_groups, root->groups + e->group) : 0;

	if (!g || g->drop == FAST_DROP_NO_ROUTE)
		return select_route(root, p, dst);
	return root->groups + e->group;
}

/* ---- next hops ---- */

static __always_inline __u32
choose(__u32 hash, __u32 n)
{
	return (__u64)hash * n >> 32;
}

static __always_inline __u32
member(const struct fast_group *g, __u32 i)
{
	struct fast_member *m;

	if (g->n == 1)
		return g->arg;
	m = cell(fast_members, g->arg + i);
	return m ? m->what : FAST_NONE;
}

/* As fab_flow_behind() no router: there is none here. */
static __always_inline __u32
hash_here(__u32 h)
{
	h = (h ^ h >> 16) * 0x85ebca6bu;
	h = (h ^ h >> 13) * 0xc2b2ae35u;
	return h ^ h >> 16;
}

/* Slot of whoever has addr, by table cell t: SC-C, as to_owner(). */
__noinline __u32
fast_owner(__u32 t, __u32 groups, __u32 addr, __u32 pair)
{
	__u32 at = fast_longest(t, addr);
	struct fast_entry *e = cell(fast_entries, at);
	struct fast_group *g;

	if (!e || !(g = cell(fast_groups, groups + e->group)) || g->kind != FAST_PORTS)
		return FAST_NONE;
	return member(g, choose(pair, g->n));
}

/* Which members of group cell g are directly reachable by system table cell t: a bit each. */
__noinline __u64
fast_reachable(__u32 g, __u32 t, __u32 groups)
{
	struct fast_group *via = cell(fast_groups, g);
	__u64 found = 0;

	if (!via)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < MEMBERS_MAX; i++) {
		if (i >= via->n)
			break;
		if (fast_vnet(t, groups, member(via, i)) != FAST_NONE)
			found |= 1ull << i;
	}
	return found;
}

static __always_inline __u32
count_bits(__u64 x)
{
	x -= x >> 1 & 0x5555555555555555ull;
	x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return x * 0x0101010101010101ull >> 56;
}

/* The position of the nth bit that is set, by halves. */
static __always_inline __u32
nth_bit(__u64 bits, __u32 n)
{
	__u32 at = 0;

#pragma unroll
	for (__u32 width = MEMBERS_MAX / 2; width > 0; width /= 2) {
		__u32 low = count_bits(bits & ((1ull << width) - 1));

		if (n >= low) {
			n -= low;
			bits >>= width;
			at += width;
		}
	}
	return at;
}

/* The address of the one of several members that the flow's hash chooses (RS-60); 0: none. Group
 * cell g, system table cell t. */
__noinline __u32
fast_hop(__u32 g, __u32 t, __u32 groups, __u32 hash)
{
	struct fast_group *via = cell(fast_groups, g);
	__u64 bits = fast_reachable(g, t, groups);
	__u32 n = count_bits(bits);

	return via && n > 0 ? member(via, nth_bit(bits, choose(hash, n))) : 0;
}

static __always_inline struct fast_port *
port_at(const struct fast_root *root, __u32 slot)
{
	return slot < root->n_ports ? cell(fast_ports, root->ports + slot) : 0;
}

/* Slot of the port behind a next hop, FAST_NONE. */
static __always_inline __u32
to_next_hop(const struct fast_root *root, const struct fast_port *from,
    const struct fast_group *via, __u32 via_cell, const struct packet *k)
{
	__u32 system = root->tables + from->system, hop = via->arg, vnet, slot;
	struct fast_port *p;

	if (from->system == FAST_NONE)
		return FAST_NONE;
	if (via->n != 1)
		hop = fast_hop(via_cell, system, root->groups, hash_here(k->hash));
	vnet = fast_vnet(system, root->groups, hop);
	if (vnet == FAST_NONE)
		return FAST_NONE;
	slot = fast_owner(root->tables + vnet, root->groups, hop, k->pair);
	p = port_at(root, slot);
	if (!p || (!(p->flags & FAST_PORT_FORWARDING) && hop != k->dst))
		return FAST_NONE; /* UDR-3 */
	return slot;
}

static __always_inline __u32
follow(const struct fast_root *root, const struct fast_port *from, const struct packet *k)
{
	__u32 at = select_group(root, from, k->dst);
	struct fast_group *g = cell(fast_groups, at);

	if (!g)
		return FAST_NONE;
	switch (g->kind) {
	case FAST_DELIVER:
		return fast_owner(root->tables + g->arg, root->groups, k->dst, k->pair);
	case FAST_PORTS:
		return member(g, choose(hash_here(k->hash), g->n));
	case FAST_VIA:
		return to_next_hop(root, from, g, at, k);
	default:
		return FAST_NONE;
	}
}

/* ---- packets ---- */

static __always_inline __u32
mix(__u64 x, __u64 y)
{
	x = x * 0x9e3779b97f4a7c15ull ^ y;
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
	return x >> 32;
}

/* As lib/flow.c: both engines choose the same member (RS-60). */
static __always_inline void
flow_set(struct packet *k, __u32 ports, __u32 proto)
{
	__u32 sport = ports >> 16, dport = ports & 0xffff, back;

	k->hash = mix((__u64)k->src << 32 | k->dst, (__u64)proto << 32 | ports);
	back = mix((__u64)k->dst << 32 | k->src, (__u64)proto << 32 | dport << 16 | sport);
	k->pair =
	    mix(k->src < k->dst || (k->src == k->dst && sport < dport) ? k->hash : back, proto);
}

static __always_inline bool
has_ports(__u8 proto)
{
	return proto == 6 || proto == 17 || proto == 132 || proto == 136;
}

static __always_inline bool
not_unicast(__u32 addr)
{
	return addr >> 28 >= 0xe || addr >> 16 == 0xa9fe || addr >> 24 == 0;
}

/* False: not what the fast path takes. */
static __always_inline bool
parse(struct __sk_buff *skb, struct packet *k)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	__u32 header, total, ports = 0;

	if (data + sizeof(*eth) + sizeof(*ip) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    (eth->h_dest[0] & 1) || skb->vlan_present || ip->version != 4)
		return false;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	k->src = bpf_ntohl(ip->saddr);
	k->dst = bpf_ntohl(ip->daddr);
	if (header < sizeof(*ip) || total < header || total + sizeof(*eth) > skb->len ||
	    not_unicast(k->dst))
		return false;
	k->size = total;
	if (skb->gso_size > 0 && skb->gso_size + header < total)
		k->size = skb->gso_size + header;
	if (!(ip->frag_off & bpf_htons(0x3fff)) && has_ports(ip->protocol) && total >= header + 4) {
		if (bpf_skb_load_bytes(skb, sizeof(*eth) + header, &ports, sizeof(ports)))
			return false;
		ports = bpf_ntohl(ports);
	}
	flow_set(k, ports, ip->protocol);
	return true;
}

/* Sends from its own address only, unless it forwards (UDR-3). */
static __always_inline bool
may_send(const struct fast_port *p, const struct packet *k)
{
	if (!(p->flags & FAST_PORT_UP) || p->flags & (FAST_PORT_ROUTER | FAST_PORT_SPECIAL))
		return false;
	if (k->src == FAST_PLATFORM || k->dst == FAST_PLATFORM)
		return false;
	if (p->mtu && k->size > p->mtu)
		return false;
	return p->flags & FAST_PORT_FORWARDING || k->src == p->ip;
}

static __always_inline bool
may_take(const struct fast_port *p, const struct fast_port *from)
{
	return p->flags & FAST_PORT_UP && !(p->flags & (FAST_PORT_ROUTER | FAST_PORT_SPECIAL)) &&
	       p->zone == from->zone;
}

/* The flow's own cell among those of this processor, whatever is in there; NULL never. */
static __always_inline struct fast_memo *
memo_of(__u32 slot, const struct packet *k)
{
	return cell(fast_memos, (k->hash ^ slot * 0x9e3779b1u) & (FAST_MEMOS - 1));
}

static __always_inline bool
remembers(const struct fast_memo *m, __u32 epoch, __u32 slot, const struct packet *k)
{
	return m->epoch == epoch && m->slot == slot && m->dst == k->dst && m->hash == k->hash &&
	       m->pair == k->pair;
}

/* Slot of the taker of what slot sent, and the address of that; FAST_NONE: the userspace engine's.
 */
static __always_inline __u32
decide(struct __sk_buff *skb, const struct fast_control *c, __u32 slot, __u32 *ip)
{
	struct fast_root *root = cell(fast_roots, c->root), r;
	struct fast_port *from, *to;
	struct fast_memo *m;
	struct packet k;
	__u32 taker;

	if (!root || !parse(skb, &k))
		return FAST_NONE;
	r = *root;
	from = port_at(&r, slot);
	if (!from || !may_send(from, &k) || !(m = memo_of(slot, &k)))
		return FAST_NONE;
	if (remembers(m, r.epoch, slot, &k)) {
		*ip = m->ip;
		return m->taker;
	}
	taker = follow(&r, from, &k);
	to = port_at(&r, taker);
	if (!to || !may_take(to, from))
		return FAST_NONE;
	*ip = to->ip;
	*m = (struct fast_memo){ .epoch = r.epoch,
		.slot = slot,
		.dst = k.dst,
		.hash = k.hash,
		.pair = k.pair,
		.taker = taker,
		.ip = to->ip };
	return taker;
}

/* ---- on the wire ---- */

static __always_inline void
count(const struct fast_control *c, __u32 from, __u32 to, __u32 octets)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct fast_tally *t = cell(fast_tallies, from * c->cpus + cpu);

	if (t) {
		t->rx_packets++;
		t->rx_octets += octets;
	}
	t = cell(fast_tallies, to * c->cpus + cpu);
	if (t) {
		t->tx_packets++;
		t->tx_octets += octets;
	}
}

struct macs {
	__u8 dst[6], src[6];
};

#define FABRIC_MAC                                                                                 \
	{                                                                                          \
		0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc                                                 \
	}

/* To the guest's own namespace, as if it had come in by its eth0. */
static __always_inline int
deliver(struct __sk_buff *skb, __u32 ifindex)
{
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return bpf_redirect_peer(ifindex, 0);
}

static __always_inline int
to_guest(struct __sk_buff *skb, __u32 ifindex, __u32 ip)
{
	struct macs m = { { 0x02, 0xfa, ip >> 24, ip >> 16, ip >> 8, ip }, FABRIC_MAC };

	if (bpf_skb_store_bytes(skb, 0, &m, sizeof(m), 0))
		return TC_ACT_SHOT;
	return deliver(skb, ifindex);
}

static __always_inline int
to_trunk(struct __sk_buff *skb, __u32 trunk, __u32 slot)
{
	__u8 src[6] = { FAST_MAC_FROM >> 8, FAST_MAC_FROM & 255, slot >> 24, slot >> 16, slot >> 8,
		slot };

	if (bpf_skb_store_bytes(skb, 6, src, sizeof(src), 0))
		return TC_ACT_SHOT;
	return bpf_redirect(trunk, 0);
}

/* From a guest; which one is what vs_tc.c gave the filter. */
SEC("tc")
int
fast_port(struct __sk_buff *skb)
{
	struct fast_control *c = cell(fast_control, 0);
	__u32 slot = skb->tc_classid, len = skb->len, to, ip = 0;
	struct fast_link *link;

	if (!c)
		return TC_ACT_SHOT;
	to = decide(skb, c, slot, &ip);
	if (to == FAST_NONE || !(link = cell(fast_links, to)) || !link->ifindex)
		return to_trunk(skb, c->trunk, slot);
	count(c, slot, to, len);
	return to_guest(skb, link->ifindex, ip);
}

/* From the userspace engine, which has set the taker's address; the source is the taker's slot. */
SEC("tc")
int
fast_trunk(struct __sk_buff *skb)
{
	static const __u8 fabric[6] = FABRIC_MAC;
	struct fast_link *link;
	__u8 src[6];

	if (bpf_skb_load_bytes(skb, 6, src, sizeof(src)) || src[0] != FAST_MAC_TO >> 8 ||
	    src[1] != (FAST_MAC_TO & 255))
		return TC_ACT_SHOT;
	link = cell(
	    fast_links, (__u32)src[2] << 24 | (__u32)src[3] << 16 | (__u32)src[4] << 8 | src[5]);
	if (!link || !link->ifindex || bpf_skb_store_bytes(skb, 6, fabric, sizeof(fabric), 0))
		return TC_ACT_SHOT;
	return deliver(skb, link->ifindex);
}

/* At a guest's end that nobody has plugged in, or whose vswitchd has ended on purpose. */
SEC("tc")
int
fast_closed(struct __sk_buff *skb)
{
	return TC_ACT_SHOT;
}

/* For the test that compares us with vs_lookup(). */
SEC("?tc")
int
fast_test(struct __sk_buff *skb)
{
	struct fast_control *c = cell(fast_control, 0);
	__u32 ip = 0;

	if (!c)
		return TC_ACT_SHOT;
	skb->cb[FAST_TEST_TAKER] = decide(skb, c, skb->cb[FAST_TEST_SLOT], &ip);
	return TC_ACT_OK;
}
