#ifndef FABRICD_FC_PAIRS_H
#define FABRICD_FC_PAIRS_H
/*
 * Who is whose BGP peer: every session of a topology, each told once with both of its ends. The
 * configuration of a node (fc_nodeconf) takes the ends that belong to it, so the two ends cannot
 * disagree about addresses, ASNs or who dials.
 *
 *   NVA    -> Route Server   eBGP, both instances (RS-30)
 *   gateway-> Route Server   iBGP, 2 x 2 (B2B-4, OPEN-11)
 *   ER gateway -> MSEE       eBGP, both MSEEs of each circuit (ER-16)
 *   site   -> MSEE           eBGP (ER-1)
 *   site   -> VPN gateway    eBGP, both instances, connections with BGP
 *   VPN gateway -> VPN gateway  eBGP, 2 x 2, connections with BGP; the first by name dials
 *   gateway instance 0 -> 1  iBGP (B2B-4)
 *   router -> router         eBGP, NVAs and sites; the lower node name dials
 *
 * The arrow points from who dials to who listens. A foreign NVA dials too, unless its peer entry
 * names a port: then the Route Server dials it.
 */
#include "lib/topo.h"
#include "lib/wire_conf.h"

/* One end, and what it knows or does about the session. */
struct fc_end {
	const struct topo_node *node; /* NULL: a peer known only by its address */
	const char *name;             /* how the other end calls it */
	enum wire_peer_role role;     /* what it is to the other end */
	uint32_t asn, address;
	const char *resource;             /* what this end files the session under; "" if nothing */
	const char *alias;                /* another word for it in `to` of an advert; "" if none */
	uint32_t max_prefixes;            /* that this end accepts; 0: no limit */
	uint32_t weight;                  /* ER-18, given by this end */
	const struct topo_policy *policy; /* of this end towards the other; NULL: none */
	const struct topo_route_map *in_map, *out_map; /* RM-1; NULL: none */
	bool own_only; /* OPEN-13: this end gives nothing of its Route Server's */
	bool standby;  /* VPN-1: not up until its sibling is gone; nobody waits for the session */
};

struct fc_pair {
	struct fc_end dial, listen;
	enum topo_transport transport;
	struct topo_tcp tcp; /* TCP: where the listener listens */
	uint32_t tcp_source; /* TCP: real address of the dialler; 0: any */
	bool tunnel;         /* MR-6 */
};

typedef void fc_pair_fn(void *arg, const struct fc_pair *p);
/* All strings and pointers lead into t. */
void fc_pairs_each(const struct topo *t, fc_pair_fn *fn, void *arg);

/* It has sessions with a Route Server, which then tells of its routes: always where there is one,
 * or with branch-to-branch only (OPEN-11). */
bool fc_gateway_has_server(const struct topo *t, int gateway);

/* "rs1" of rs1-0, "circuit1" of circuit1-primary, "nva1" of nva1. */
const char *fc_node_resource(const struct topo *t, const struct topo_node *n);
/* The end has this name, or is a node of the resource of this name. */
bool fc_end_named(const struct topo *t, const struct fc_end *e, const char *name);

#endif
