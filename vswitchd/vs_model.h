#ifndef VSWITCHD_VS_MODEL_H
#define VSWITCHD_VS_MODEL_H
/*
 * What the switch knows: ports, groups and tables, as fabricd streams them. Nothing is kept per
 * port but references: a port names up to three tables (layers), and a table's entry names a group.
 *
 *   port  -> user, bgp, system: tables of prefix -> group
 *   group -> deliver (by destination address, in a table of owners) | via (addresses of next hops)
 *            | ports, guarded or not | Internet | a public address | drop
 *   link  -> what happens to packets between ports, or regions: cut, delay, loss, rate
 *
 * Readers (the engine) and the one writer (the loop) meet at a mutex: the engine holds it for the
 * lookup of a packet, the writer while it puts a new set of tables in force, not while it builds
 * them.
 */
#include "vswitchd/vs_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VS_NONE          0  /* no table; ids start at 1 */
#define VS_NAME_MAX      64 /* with NUL */
#define VS_MEMBERS_MAX   64
#define VS_PORTS_MAX     65536
#define VS_ROUTES_MAX    (4u << 20) /* entries of all tables together */
#define VS_GROUPS_MAX    (1u << 20)
#define VS_TABLES_MAX    65536
#define VS_LINKS_MAX     16384
#define VS_LINK_NAME_MAX 160 /* with NUL */
#define VS_CROSSED_MAX   16  /* links that do something to one packet */
#define VS_TARGETS_MAX   16384

/* Why a packet was dropped. The first five are those of SwitchDrop, in its order; only these can be
 * the reason of a group. */
enum vs_drop {
	VS_DROP_NONE_ROUTE, /* next hop None (SYS-3, UDR-4) */
	VS_DROP_NO_ROUTE,
	VS_DROP_UNREACHABLE,    /* next hop that is not directly reachable (EFF-16, UDR-3) */
	VS_DROP_NOT_CARRIED,    /* a destination that the data plane does not model */
	VS_DROP_NO_BACKEND,     /* a load balancer none of whose backends is healthy */
	VS_DROP_NO_OWNER,       /* nobody has the destination, or the next hop, address */
	VS_DROP_NOT_FORWARDING, /* next hop without IP forwarding (UDR-3) */
	VS_DROP_SOURCE,         /* a source address that is not the sender's (UDR-3) */
	VS_DROP_PORT_DOWN,      /* the taker is down or nobody is attached: a dead member */
	VS_DROP_LOOP,           /* too many routers without leaving the switch */
	VS_DROP_BAD_FRAME,      /* not Ethernet, ARP or IPv4, or cut short */
	VS_DROP_FULL,           /* the taker's queue was full */
	VS_DROP_NOT_UNICAST,    /* broadcast, multicast, link-local: Azure carries none of them */
	VS_DROP_LINK_CUT,
	VS_DROP_IMPAIRMENT,     /* lost on a link by its loss or because its queue was full */
	VS_DROP_FILTERED,       /* by default rules of a network security group (PEER-5, PEER-6) */
	VS_DROP_NO_PUBLIC,      /* to the Internet, and the sender has no public address */
	VS_DROP_NOT_TRANSLATED, /* to the Internet from another address than the sender's (SC-J) */
	VS_DROP_COUNT
};

const char *vs_drop_name(enum vs_drop d); /* "none-route" */

enum vs_group_kind {
	VS_GROUP_DROP,
	VS_GROUP_DELIVER,
	VS_GROUP_VIA,
	VS_GROUP_PORTS,
	VS_GROUP_INTERNET, /* by the public address that the sender has */
	VS_GROUP_PUBLIC,   /* to a port by its public address, which becomes its own */
	VS_GROUP_GUARDED   /* PORTS for sources that the table has, and for what routers pass on */
};

struct vs_group_conf {
	uint32_t id;
	enum vs_group_kind kind;
	enum vs_drop reason;     /* DROP */
	uint32_t table;          /* DELIVER: owners; INTERNET: PUBLIC groups; GUARDED: sources */
	const uint32_t *members; /* VIA: addresses; PORTS, GUARDED: port ids; 1 ... VS_MEMBERS_MAX.
				    PUBLIC: one port; INTERNET: one, for what the table has not */
	size_t n_members;
};

struct vs_port_conf {
	uint32_t id;
	const char *name;
	bool router; /* no interface: what it gets is looked up again in its own tables */
	uint32_t ip;
	uint8_t prefix_len; /* of its subnet */
	bool up;
	bool forwarding;
	uint32_t user, bgp, system; /* tables, VS_NONE */
	uint16_t mtu;
	uint32_t region;    /* 0: none */
	uint32_t public_ip; /* 0: none */
	/* Table of what its guest sends through tunnels (MR-6), VS_NONE. A group DROP there that
	 * says NO_ROUTE means: not through a tunnel. */
	uint32_t tunnel;
};

enum vs_link_kind { VS_LINK_OUT, VS_LINK_IN, VS_LINK_HOP, VS_LINK_REGIONS, VS_LINK_KIND_COUNT };

/* One direction. No two links of a set have a port (OUT, IN) or a pair (HOP, REGIONS) in common. */
struct vs_link_conf {
	uint32_t id;
	const char *name;
	enum vs_link_kind kind;
	const uint32_t *from, *to; /* port ids; REGIONS: regions */
	size_t n_from, n_to;       /* OUT has no `to`, IN no `from` */
	bool cut;
	uint32_t delay_us, jitter_us;
	uint32_t loss_ppm;
	uint64_t rate; /* bit/s, 0: unlimited */
};

#define VS_TARGET_INTERVAL_MIN_MS 50

/* A backend that a load balancer probes. */
struct vs_target_conf {
	const char *balancer;
	uint32_t port;     /* id of the backend's */
	uint16_t tcp_port; /* where it has to answer */
	bool http;
	const char *path; /* HTTP, "" is / */
	uint32_t interval_ms;
	uint32_t threshold; /* results in a row that change its mind */
};

/* The table is made when it is not there yet. What it withdraws goes first, then what it adds
 * comes; of a prefix named twice the later one counts. Withdrawing what is not there does nothing.
 */
struct vs_table_delta {
	uint32_t id;
	bool replace;         /* forget what it held */
	const uint32_t *addr; /* n entries: prefix and group */
	const uint8_t *len;
	const uint32_t *group;
	size_t n;
	const uint32_t *withdrawn_addr;
	const uint8_t *withdrawn_len;
	size_t n_withdrawn;
};

/* One message of the stream. Everything is borrowed for the call. Ids are any numbers but 0. Within
 * a message the gone ones go first; what refers to what is looked at when `last` has come. */
struct vs_update {
	uint64_t generation;
	bool snapshot; /* starts a snapshot: what is not repeated up to `last` is gone */
	bool last;     /* put in force what came since the last `last` */
	const struct vs_group_conf *groups;
	size_t n_groups;
	const struct vs_table_delta *tables;
	size_t n_tables;
	const struct vs_port_conf *ports;
	size_t n_ports;
	bool replace_links; /* forget all links; those of this message and of later ones are all */
	const struct vs_link_conf *links;
	size_t n_links;
	bool replace_targets; /* likewise */
	const struct vs_target_conf *targets;
	size_t n_targets;
	const uint32_t *gone_groups, *gone_tables, *gone_ports;
	size_t n_gone_groups, n_gone_tables, n_gone_ports;
};

struct vs_model;

int vs_model_new(struct vs_model **out);
void vs_model_free(struct vs_model *m);

/* Loop thread. FAB_EINVAL (why says what): an id that is not there, a prefix with host bits, a name
 * twice; FAB_ETOOBIG: a limit; FAB_ENOMEM. What came since the last `last` is then forgotten, the
 * switch forwards as before, and everything up to the next snapshot is refused: the caller asks for
 * one. Fail-static: nothing ever removes what is in force but a complete update. */
int vs_model_apply(struct vs_model *m, const struct vs_update *u, char why[static 128]);
/* fn is called when an update has come into force, before what it replaced is freed; the set
 * (vs_set.h) stays until it has been called for the next one. One watcher; NULL: none. Loop thread.
 */
struct vs_set;
void vs_model_watch(struct vs_model *m, void (*fn)(void *ctx, const struct vs_set *set), void *ctx);
uint64_t vs_model_generation(const struct vs_model *m); /* in force; 0: nothing yet */
size_t vs_model_memory(const struct vs_model *m);       /* octets */
/* The port of that name, NULL: none. Loop thread: valid until the next apply; elsewhere: between
 * lock and unlock. */
const struct vs_port_conf *vs_model_find(const struct vs_model *m, const char *name);

/* The i-th backend that is to be probed, NULL: no more. Loop thread, valid until the next apply. */
const struct vs_target_conf *vs_model_target(const struct vs_model *m, size_t i);

/* ---- for the engine: between lock and unlock ---- */

void vs_model_lock(struct vs_model *m);
void vs_model_unlock(struct vs_model *m);

/* Valid until unlock; NULL: none. While the revision stays, so do the ports and their ids. */
const struct vs_port_conf *vs_model_port(const struct vs_model *m, uint32_t id);
uint64_t vs_model_ports_revision(const struct vs_model *m);

/* Whether a link may concern packets between this port and another one that is no router, or
 * between ports of these two regions, in either direction: then they are not for a fast path. Both
 * answers stay while the links' revision does. */
bool vs_model_port_has_link(const struct vs_model *m, uint32_t id);
bool vs_model_regions_have_link(const struct vs_model *m, uint32_t a, uint32_t b);
uint64_t vs_model_links_revision(const struct vs_model *m);
/* The i-th link, NULL: no more. Valid until unlock. */
const struct vs_link_conf *vs_model_link(const struct vs_model *m, size_t i);

struct vs_flow {
	uint32_t src, dst; /* host order */
	uint32_t hash;     /* 5-tuple, each direction on its own (RS-60) */
	uint32_t pair;     /* the same for both directions (SC-C: internal load balancer) */
};

enum vs_action { VS_TO_PORT, VS_TO_PLATFORM, VS_DROPPED };

struct vs_verdict {
	enum vs_action action;
	uint32_t port;     /* TO_PORT: the taker, never a router */
	uint32_t src, dst; /* TO_PORT: the packet's addresses from here on; 0: as they were */
	enum vs_drop drop; /* DROPPED */
	/* Not DROPPED: ids of the links on the way that do something, in order. */
	uint32_t links[VS_CROSSED_MAX];
	unsigned n_links;
	bool by_hash; /* one of several takers, or ways: other ports, another one */
};

/* Where a packet goes that port `from` sent (EFF-1 ... EFF-7, SYS-5, UDR-3). Source checks and cut
 * links included. */
void vs_lookup(
    const struct vs_model *m, uint32_t from, const struct vs_flow *flow, struct vs_verdict *out);
/* The same for a packet of the platform to that port. */
void vs_lookup_probe(const struct vs_model *m, uint32_t to, struct vs_verdict *out);

#endif
