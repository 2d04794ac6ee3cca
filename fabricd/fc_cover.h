#ifndef FABRICD_FC_COVER_H
#define FABRICD_FC_COVER_H
/*
 * Who leads to an address, where no reported table says so: what sites have, what gateways announce
 * to their circuits and connections, what the region of an NVA owns. Each answers with the length
 * of the longest prefix that holds addr, -1 for none; net receives it.
 */
#include "fabricd/fc_layers.h"

/* VNets of a scope: the scope itself and those that use it (RS-62, ER-10). */
int fc_cover_region(const struct topo *t, int scope, uint32_t addr, struct ipnet *net);
/* A gateway of the scope announces that VNet on premises (ER-10, VPN-8, OPEN-12). */
bool fc_cover_announces(const struct topo *t, int scope, int vnet);
/* What that makes of an address: as fc_cover_region() but for OPEN-12. */
int fc_cover_announced(const struct topo *t, int scope, uint32_t addr, struct ipnet *net);
/* The site's own prefixes; with adverts, also what it announces beyond them. */
int fc_cover_site(const struct topo_site *s, uint32_t addr, bool adverts, struct ipnet *net);
/* What a gateway announces on premises: native = its region (ER-10, VPN-8), else what its Route
 * Server hands it with branch-to-branch on (B2B-2). */
int fc_cover_gateway(
    const struct fc_layers *l, int gateway, uint32_t addr, bool native, struct ipnet *net);
/* Prefixes behind one VPN connection: of its local network gateway (VPN-6) and of the site; of
 * another gateway by BGP what that announces, nothing without an entry of its own (VPN-3). */
int fc_cover_connection(const struct fc_layers *l, const struct topo_gw_connection *c,
    uint32_t addr, struct ipnet *net);
/* A route that a gateway got from its Route Server and hands on to its circuits (B2B-8) ... */
bool fc_cover_exchanged(enum hrp_source s);
/* ... and to another VNet's gateway (OPEN-13). */
bool fc_cover_crosses(enum hrp_source s);
int fc_cover_nets(const struct topo_nets *nets, uint32_t addr, struct ipnet *net);

#endif
