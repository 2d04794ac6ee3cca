#ifndef VSWITCHD_VS_FAST_H
#define VSWITCHD_VS_FAST_H
/*
 * What vswitchd and its BPF programs (vs_fast.bpf.c) both see: the tables of vs_model.h as arrays
 * of cells, which the kernel shares with us as memory. A cell refers to others by their number.
 *
 *   control -> root -> ports, tables, groups     one slice of each is in force (a generation)
 *              table -> ranges -> entry -> group -> member
 *
 * Slices that a root leads to never change while it is in force, or while a packet may still be
 * looking at it; an update writes other slices and another root, and puts them in force with the
 * one store of control.root. Slots of ports are those of their names, whether a generation has them
 * or not: 1 and up.
 *
 * Compiled for BPF too: fixed-width types and no other header of ours.
 */
#include <linux/types.h>

#define FAST_NONE  0xffffffffu
#define FAST_ROOTS 64

struct fast_control {
	__u32 root;  /* cell of the root in force; 0: everything goes over the trunk */
	__u32 trunk; /* index of the interface that leads to the userspace engine */
	__u32 cpus;  /* tallies of a slot */
	__u32 pad;
};

struct fast_root {
	__u32 ports, n_ports; /* slots 0 ... n_ports - 1 */
	__u32 tables, groups;
	__u32 epoch; /* another one for each root that was ever in force; never 0 */
	__u32 pad;
};

#define FAST_PORT_HERE       1 /* this generation has it */
#define FAST_PORT_UP         2
#define FAST_PORT_FORWARDING 4
#define FAST_PORT_ROUTER     8
#define FAST_PORT_SPECIAL    16 /* everything from and to it is the userspace engine's */

struct fast_port {
	__u32 ip;
	__u32 user, bgp, system, tunnel; /* slots of tables, FAST_NONE */
	__u16 mtu;                       /* 0: any */
	__u16 flags;
	__u32 zone; /* between ports of different zones everything is the userspace engine's */
	__u32 pad;  /* cells are multiples of 8 octets */
};

struct fast_table {
	__u32 ranges, n_ranges; /* at least 1, the first one starts at 0.0.0.0 */
	__u32 has_default;
	__u32 pad;
};

struct fast_range {
	__u32 start;
	__u32 entry; /* FAST_NONE: a hole */
};

#define FAST_LEN_BITS  6
#define FAST_NO_PARENT (FAST_NONE >> FAST_LEN_BITS)
#define FAST_CELLS_MAX FAST_NO_PARENT /* of entries */

struct fast_entry {
	__u32 group;  /* slot */
	__u32 parent; /* cell of the next shorter entry << FAST_LEN_BITS | own length */
};

/* The order of enum vs_group_kind; further kinds are the userspace engine's. */
enum fast_kind { FAST_DROP, FAST_DELIVER, FAST_VIA, FAST_PORTS };

#define FAST_DROP_NONE     1 /* next hop None */
#define FAST_DROP_NO_ROUTE 2 /* in a port's table of tunnels: the other tables have it */

struct fast_group {
	__u8 kind;
	__u8 drop; /* DROP: one of these, 0: for another reason */
	__u16 n;   /* VIA, PORTS: members */
	__u32 arg; /* DELIVER: slot of the table. VIA, PORTS: the address or slot if there is one
		      member, else the cell of the first */
};

struct fast_member {
	__u32 what; /* VIA: an address; PORTS: a slot */
	__u32 pad;
};

/* Where a slot's packets go out: no part of a generation. */
struct fast_link {
	__u32 ifindex; /* our end of its veth; 0: none that takes packets */
	__u32 pad;
};

/* Where a flow of one slot went, by the tables of an epoch: what is asked again for every packet of
 * it. Each processor has its own, so no cell changes while it is read. */
#define FAST_MEMOS 4096 /* a power of two */
struct fast_memo {
	__u32 epoch, slot, dst; /* of all that the way depends on */
	__u32 hash, pair;
	__u32 taker, ip;
	__u32 pad;
};

/* Of one slot and processor, packets that the userspace engine never saw. A cache line. */
struct fast_tally {
	__u64 rx_packets, rx_octets;
	__u64 tx_packets, tx_octets;
	__u64 pad[4];
};

/* Source addresses in the trunk: 02:fb and the slot that sent, 02:fc and the slot that is to take
 * it. */
#define FAST_MAC_FROM 0x02fb
#define FAST_MAC_TO   0x02fc

/* 168.63.129.16: what is from it or for it is the userspace engine's. */
#define FAST_PLATFORM 0xa83f8110u

/* What the test program says of a packet, in __sk_buff.cb[]: the slot of the taker, or FAST_NONE:
 * the userspace engine's. */
#define FAST_TEST_SLOT  0 /* in: of the sender */
#define FAST_TEST_TAKER 1 /* out */

#endif
