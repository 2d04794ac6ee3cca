#ifndef FABRICD_FC_SYSTEM_H
#define FABRICD_FC_SYSTEM_H
/*
 * The system layer of one VNet: what every NIC in it has without any configuration (SYS-1 ...
 * SYS-6). Built from the topology, never changed. Service endpoints (SYS-7) are not in the model.
 */
#include "fabricd/fc_eff.h"
#include "fabricd/fc_lpm.h"

struct fc_sys_route {
	struct ipnet prefix;
	enum fc_hop hop;
	int peer_vnet; /* peering routes: the VNet behind it, else -1 */
};

struct fc_sys {
	struct fc_sys_route *v; /* in listing order: local, peerings, Internet, None */
	size_t n;
	struct fc_lpm lpm; /* prefix -> index in v */
};

int fc_sys_build(struct fc_sys *s, const struct topo *t, int vnet);
void fc_sys_fini(struct fc_sys *s);

/* Routes that win over BGP whatever the prefix length (EFF-7, MR-8). */
static inline bool
fc_hop_is_vnet(enum fc_hop h)
{
	return h == FC_HOP_VNET_LOCAL || h == FC_HOP_VNET_PEERING ||
	       h == FC_HOP_VNET_GLOBAL_PEERING || h == FC_HOP_SERVICE_ENDPOINT;
}

/* The longest VnetLocal or peering route for addr; NULL: not directly reachable. */
const struct fc_sys_route *fc_sys_direct(const struct fc_sys *s, uint32_t addr);
/* The shortest VnetLocal or peering route that contains net: BGP routes as long or longer do not
 * count there (EFF-7). NULL: none. */
const struct fc_sys_route *fc_sys_suppressor(const struct fc_sys *s, struct ipnet net);

/* Whether addr lies in a range that the Internet does not route (SYS-3, SYS-4). */
bool fc_sys_none_range(uint32_t addr);
/* The i-th of these ranges; false: no more. */
bool fc_sys_none_prefix(size_t i, struct ipnet *out);

/* The VNet whose Route Server or gateways program the NICs of vnet (RS-62): itself, or the one
 * behind a peering that is Connected with gateway transit; -1: none. */
int fc_scope_of(const struct topo *t, int vnet);

#endif
