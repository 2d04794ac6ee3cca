#ifndef NVAD_NVA_TUNNEL_H
#define NVAD_NVA_TUNNEL_H
/*
 * A tunnel between two NVAs (MR-6): a VXLAN device (RFC 7348) in the namespace of each, whose VNI
 * and MAC addresses follow from the two NVAs' own addresses, so that nothing has to be agreed. The
 * other end is a permanent neighbour; routes lead to it by `remote`, on link.
 */
#include "lib/rtnl.h"
#include "lib/wire_conf.h"

#include <net/if.h>

#define NVA_TUNNEL_PREFIX "t-" /* of the device's name, before that of the peer */

struct nva_tunnel {
	char peer[64];
	char dev[IFNAMSIZ];
	uint32_t local, remote;
	int index; /* of the device; 0: there is none */
};

void nva_tunnel_init(struct nva_tunnel *t, const struct wire_peer *p);
/* sock: rtnetlink. Makes the device unless an earlier nvad left it, and sets t->index. On failure
 * why[] has one line, and t->index is 0 if there is no device. */
int nva_tunnel_make(struct nva_tunnel *t, int sock, char why[static RTNL_WHY_MAX]);
void nva_tunnel_remove(const struct nva_tunnel *t, int sock);

#endif
