#ifndef FABRICD_FC_WALK_H
#define FABRICD_FC_WALK_H
/*
 * Inside of trace. A walk is at one place at a time; each step writes down the decision made there
 * and either goes on to the next place or finishes. fc_trace.c runs it, fc_walk_fabric.c has the
 * steps inside Azure (NICs, next hops, gateways), fc_walk_router.c those of NVAs, MSEEs and sites,
 * fc_walk_edge.c those of the Internet and of clients.
 */
#include "fabricd/fc_eff.h"
#include "fabricd/fc_layers_int.h"

enum fc_stage {
	FC_STAGE_NIC,       /* index of the NIC: about to leave the guest */
	FC_STAGE_ROUTER,    /* index of the NIC: delivered to a router */
	FC_STAGE_GATEWAY,   /* came from on premises */
	FC_STAGE_MSEE_UP,   /* towards Azure */
	FC_STAGE_MSEE_DOWN, /* towards the site */
	FC_STAGE_SITE,
	FC_STAGE_INTERNET, /* came from there */
	FC_STAGE_CLIENT,   /* about to enter its tunnel */
	FC_STAGE_COUNT
};

struct fc_walk {
	const struct fc_layers *l;
	const struct topo *t;
	struct fc_endpoint src, dst;
	struct fc_trace *out;
	uint32_t from;  /* the packet's source address here: src's, or a translator's */
	bool is_answer; /* of a flow whose other direction answer_to translated, or nobody */
	struct fc_translator answer_to;
	unsigned routers; /* of the platform's own, passed since a guest sent it */
	enum fc_stage stage;
	int index;
	unsigned instance; /* of a gateway or MSEE, for its name only */
	bool done;
	struct {
		enum fc_stage stage;
		int index;
	} seen[FC_TRACE_HOPS_MAX];
	size_t n_seen;
	struct fc_trace_hop spare; /* what comes after the last that fits */
};

void fc_walk_go(struct fc_walk *w, enum fc_stage stage, int index);
/* Not delivered, and why. */
void fc_walk_finish(struct fc_walk *w, enum fc_verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The packet has arrived. */
void fc_walk_deliver(struct fc_walk *w, enum fc_place place, int index, const char *node);
/* Which of n > 0 equal ways the packet takes here: each direction of a flow for itself (RS-60,
 * SC-C). */
size_t fc_walk_choose(const struct fc_walk *w, size_t n);
/* Which of n > 0 backends: the same one for both directions (RS-57, SC-C). */
size_t fc_walk_choose_pair(const struct fc_walk *w, size_t n);
/* Appends a hop whose route is still to be filled in; never NULL. */
struct fc_trace_hop *fc_walk_hop(
    struct fc_walk *w, enum fc_place place, int index, const char *node, const char *rule);
/* Appends a hop that is no effective route: "10.21.0.0/16 tunnel nva3". */
void fc_walk_hop_to(struct fc_walk *w, enum fc_place place, int index, const char *node,
    const char *rule, struct ipnet net, const char *how, const char *next);

const char *fc_walk_node_name(
    const struct topo *t, enum topo_node_kind kind, int index, unsigned instance);
const char *fc_walk_gateway_name(const struct topo *t, int gw, unsigned instance);
/* The instance of gw that peer, an MSEE or another gateway's instance, sends to: both announce it,
 * but for one whose session is down (ER-15, VPN-13). */
unsigned fc_walk_gateway_instance(const struct fc_walk *w, int gw, const char *peer);
/* The NVA's or site's process reported once and went away. */
bool fc_walk_is_gone(const struct fc_walk *w, const char *node);
/* And nothing forwards in its place. */
bool fc_walk_is_dead(const struct fc_walk *w, const char *node);

/* Leaves by a public address, 0: there is none. ip, name: whose. */
void fc_walk_to_internet(struct fc_walk *w, const char *name, uint32_t ip, uint32_t public_ip);
/* A router with that address passes the packet on, and translates what goes to the Internet; not
 * the answer in a flow that it does not know. */
void fc_walk_translate(struct fc_walk *w, bool snat, uint32_t ip, struct fc_translator by);

void fc_walk_nic(struct fc_walk *w);
void fc_walk_gateway(struct fc_walk *w);
void fc_walk_router(struct fc_walk *w);
void fc_walk_msee_up(struct fc_walk *w);
void fc_walk_msee_down(struct fc_walk *w);
void fc_walk_site(struct fc_walk *w);
void fc_walk_internet(struct fc_walk *w);
void fc_walk_client(struct fc_walk *w);
/* Delivers to the destination if it is a client of that VPN gateway, or NVA. */
bool fc_walk_to_client(struct fc_walk *w, int gateway, int nva);

#endif
