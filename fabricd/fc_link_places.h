#ifndef FABRICD_FC_LINK_PLACES_H
#define FABRICD_FC_LINK_PLACES_H
/*
 * Which links two words mean. One word: a NIC, a node, or all nodes of a resource, with everything
 * that goes in and out. Two: nodes or resources that have sessions with each other, or a VPN
 * gateway and a site that it reaches by static routes; else two regions.
 */
#include "fabricd/fc_linkset.h"
#include "lib/topo.h"

/* One direction; the names lead into the topology. */
struct fc_link_place {
	enum fc_link_kind kind;
	const char *from, *to;
};

typedef void fc_link_place_fn(void *arg, const struct fc_link_place *p);

/* b "": one word. one_way: only what goes from a to b, or what a sends. Returns how many. */
size_t fc_link_places(const struct topo *t, const char *a, const char *b, bool one_way,
    fc_link_place_fn *fn, void *arg);
/* Every one there is, both directions: between nodes, of NICs, between regions. */
void fc_link_places_all(const struct topo *t, fc_link_place_fn *fn, void *arg);
/* Whether the topology has what the row is about. */
bool fc_link_place_exists(const struct topo *t, const struct fc_link_row *r);

#endif
