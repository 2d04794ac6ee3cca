#ifndef VSWITCHD_VS_WIRED_H
#define VSWITCHD_VS_WIRED_H
/*
 * The engine of guests whose interfaces are veths, with a fast path in the kernel: BPF programs
 * (vs_bpf.h) or a flow cache of nftables (vs_nft.h). What the fast path does not take goes to a
 * userspace engine, which this one has inside, over a TAP for all ports (vs_trunk.h); that one also
 * serves guests whose interface is a TAP, and counts every drop.
 *
 * When vswitchd is killed the fast path goes on. The next engine finds the veths in its namespace
 * by their aliases, and once its first tables are in force it takes them over; who does not come
 * for his within VS_WIRED_CLAIM_MS is unplugged. When it ends on purpose nothing passes any more.
 *
 * For fast paths; everybody else sees a struct vs_engine. Loop thread only.
 */
#include "vswitchd/vs_engine.h"
#include "vswitchd/vs_fast.h"

#include <uthash.h>

#define VS_WIRED_CLAIM_MS 30000
#define VS_WIRED_WHY_MAX  192

struct fab_loop;
struct vs_set;
struct vs_carrier;

struct vs_wired_port {
	char name[VS_NAME_MAX];
	uint32_t slot;            /* of its name, for good */
	int ifindex;              /* our end of its veth; 0: none */
	bool claimed;             /* by a helper; else it is what an earlier vswitchd left */
	bool carrier;             /* the guest's end is up */
	unsigned captures;        /* of its packets; the userspace engine has them all then */
	struct fast_tally before; /* what the fast path carried for it and no longer counts */
	UT_hash_handle hh;
};

struct vs_wired {
	struct vs_engine engine; /* first */
	struct vs_engine_ops ops;
	struct vs_path *path;
	struct vs_model *model;
	struct vs_engine *user;
	int rtnl;
	int trunk;                /* index of the interface */
	const struct vs_set *set; /* in force; NULL: none yet */
	struct vs_wired_port *ports;
	uint32_t next_slot;
	struct vs_carrier *carrier;
	struct fab_timer *patience; /* with those that an earlier vswitchd left */
};

/* A fast path. Begins the struct of each. */
struct vs_path {
	const struct vs_path_ops *ops;
};

struct vs_path_ops {
	const char *name; /* of the engine that has it */
	void (*free)(struct vs_path *p);
	/* w, which lives longer than p, has its trunk and no port yet. */
	int (*start)(struct vs_path *p, struct vs_wired *w, char why[static VS_WIRED_WHY_MAX]);
	/* w->set is in force; nothing is carried any more that was decided by the one before. */
	void (*tables)(struct vs_path *p);
	/* After the first tables: ports that have an interface are those of an earlier vswitchd. */
	void (*take_over)(struct vs_path *p);
	/* What comes in by the port's interface is its own, and what is for it goes out there. */
	int (*open)(
	    struct vs_path *p, struct vs_wired_port *port, char why[static VS_WIRED_WHY_MAX]);
	/* What comes in by that interface is dropped; the port has none any more. */
	void (*close)(struct vs_path *p, struct vs_wired_port *port, int ifindex);
	/* Its carrier has come or gone: without one its packets are the userspace engine's. */
	void (*carrier)(struct vs_path *p, struct vs_wired_port *port);
	/* Somebody began, or ended, to watch it: while it is watched all of its packets are the
	 * userspace engine's. */
	void (*captures)(struct vs_path *p, struct vs_wired_port *port);
	/* What it carried beyond port->before. */
	struct fast_tally (*tally)(struct vs_path *p, const struct vs_wired_port *port);
	/* May be NULL. */
	void (*stats)(struct vs_path *p, vs_stat_fn *add, void *arg);
};

/* Takes path over, on failure too. The model, which gets its watcher, and the loop are borrowed.
 * why[] says in a line what is missing. */
int vs_wired_new(struct vs_engine **out, struct vs_path *path, struct vs_model *m,
    struct fab_loop *loop, char why[static VS_WIRED_WHY_MAX]);

/* The port of that name, made if there is none; NULL: out of memory, or no name of a port. */
struct vs_wired_port *vs_wired_port_get(struct vs_wired *w, const char *name);
struct vs_wired_port *vs_wired_port_find(const struct vs_wired *w, const char *name);

static inline bool
vs_wired_has_link(const struct vs_wired_port *p)
{
	return p->ifindex != 0;
}

static inline struct fast_tally
fast_tally_sum(struct fast_tally a, struct fast_tally b)
{
	a.rx_packets += b.rx_packets;
	a.rx_octets += b.rx_octets;
	a.tx_packets += b.tx_packets;
	a.tx_octets += b.tx_octets;
	return a;
}

#endif
