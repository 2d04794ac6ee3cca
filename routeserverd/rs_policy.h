#ifndef ROUTESERVERD_RS_POLICY_H
#define ROUTESERVERD_RS_POLICY_H
/*
 * What a Route Server instance does with routes: import, selection and export rules of sections 1.4
 * to 1.6 and 2 of the semantics. Pure functions over struct rs_policy, which is made from one
 * configuration; rs.c hangs them under a speaker.
 */
#include "lib/bgp_speaker.h"
#include "lib/wire_conf.h"

#define RS_ASN             65515                       /* RS-1 */
#define RS_COMMUNITY_ROUTE BGP_COMMUNITY(65517, 65517) /* RS-72, RS-73 */
#define RS_COMMUNITY_SPOKE BGP_COMMUNITY(65518, 65518) /* RS-71 */
#define RS_COMMUNITIES_MAX 1000                        /* a route with more goes to no peer */
#define RS_GW_LOCAL_PREF   100                         /* of a gateway's route with weight 0 */

/* The four kinds of ends that a route can have. */
enum rs_side { RS_SIDE_OWN, RS_SIDE_NVA, RS_SIDE_ER, RS_SIDE_VPN, RS_SIDE_COUNT };

/* Tags of originations. */
enum rs_tag { RS_TAG_VNET, RS_TAG_SPOKE };

struct rs_policy {
	uint32_t address; /* of this instance */
	bool branch_to_branch;
	bool no_export_passes; /* OPEN-18 */
	bool lists_covered;    /* OPEN-5 */
	enum hrp_pref preference;
	size_t max_next_hops;  /* RS-27 */
	size_t max_prefixes;   /* RS-25; 0: none */
	struct ipnet *covered; /* VNet and spoke prefixes, disjoint and ascending (RS-51) */
	size_t n_covered;
	size_t n_vnet_prefixes; /* all of them, for RS-25 */
};

/* FAB_ENOMEM. */
int rs_policy_init(struct rs_policy *p, const struct wire_rs_conf *conf, uint32_t address);
void rs_policy_fini(struct rs_policy *p);
/* True if routes that are held must be imported, selected and exported again. */
bool rs_policy_differs(const struct rs_policy *a, const struct rs_policy *b);

/* Fills in source and weight. False: dropped (RS-50, B2B-10). */
bool rs_import_attrs(enum rs_side from, const struct bgp_attrs *in, struct speaker_path *path);
/* False: equal to or inside a VNet or spoke prefix (RS-51). */
bool rs_import_prefix(const struct rs_policy *p, const struct ipnet *prefix);

/* One path as selection sees it. */
struct rs_candidate {
	struct hrp_route route;
	uint32_t next_hop;
	uint32_t peer_addr; /* 0: originated here */
};

/* Writes the indexes of the winners, lowest peer address first (which does not depend on the order
 * of arrival, so both instances agree), at most max_next_hops distinct next hops; how many. */
size_t rs_select(
    const struct rs_policy *p, const struct rs_candidate *c, size_t n, uint16_t *winners);

/* Fills out, which starts as a copy of in; may use sc. tag: of an origination. False: not sent. */
struct rs_export {
	enum rs_side from, to;
	uint32_t tag;
	const struct bgp_attrs *in;
};
bool rs_export(const struct rs_policy *p, const struct rs_export *x, struct speaker_scratch *sc,
    struct bgp_attr_spec *out);

#endif
