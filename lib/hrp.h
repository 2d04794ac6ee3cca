#ifndef LIB_HRP_H
#define LIB_HRP_H
/*
 * Route selection of Azure's gateways and Route Servers for one prefix: sections 1.5 and 2.2 of the
 * semantics (RS-60, HRP-2 ... HRP-6, ER-18, ER-23). Pure functions; the Route Server uses them on
 * its Adj-RIB-In, fabricd where a scope has gateways but no Route Server.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hrp_pref { HRP_PREF_EXPRESS_ROUTE, HRP_PREF_VPN_GATEWAY, HRP_PREF_AS_PATH };

/* Numbers of fab.v1.RouteSource. */
enum hrp_source {
	HRP_SRC_UNKNOWN,
	HRP_SRC_NVA,
	HRP_SRC_EXPRESS_ROUTE,
	HRP_SRC_VPN,
	HRP_SRC_VPN_STATIC,
	HRP_SRC_P2S,
};

struct hrp_route {
	enum hrp_source source;
	uint16_t path_len; /* as the Route Server holds it (HRP-6) */
	uint32_t weight;   /* ER connection weight (ER-18) */
};

/* Marks in keep[] the routes that are used, all equal ones (ECMP). Returns how many. n >= 1. */
size_t hrp_select(enum hrp_pref pref, const struct hrp_route *routes, size_t n, bool *keep);

/* Why loser lost against winner: a rule id such as "HRP-2" or "RS-60"; static string. */
const char *hrp_reason(
    enum hrp_pref pref, const struct hrp_route *winner, const struct hrp_route *loser);

#endif
