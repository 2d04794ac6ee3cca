#ifndef GATEWAYD_GW_H
#define GATEWAYD_GW_H
/*
 * What the roles of gatewayd share: the state of one gateway instance or MSEE, and the callbacks
 * that join policy (gw_policy.h) with a speaker.
 */
#include "gatewayd/gw_policy.h"
#include "lib/wire_node.h"

extern const struct wire_role gw_er_role;   /* gw_er.c */
extern const struct wire_role gw_vpn_role;  /* gw_vpn.c */
extern const struct wire_role gw_msee_role; /* gw_msee.c */

/* A role's part of gw_policy.h. */
struct gw_policy {
	bool (*import)(const struct wire_conf *conf, const struct wire_peer *from,
	    struct bgp_attr_spec *out, struct gw_import *mark);
	bool (*export)(const struct wire_conf *conf, const struct gw_route *r,
	    const struct wire_peer *to, struct speaker_scratch *buf, struct bgp_attr_spec *out);
};

struct gw {
	struct wire_base base;
	const struct gw_policy *policy;
	const struct wire_conf *conf; /* in force; NULL before the first */
	struct fab_post recheck;      /* end of turn: which sessions are wanted may have changed */
	uint32_t over_limit;          /* ER-21: a bit for each circuit connection */
	bool alone;                 /* the VNet's Route Server is leaving: we report in its place */
	bool took_over;             /* VPN-1: standby that works, its sibling is gone */
	struct fab_timer *grace;    /* VPN-1: a standby's time to find its sibling */
	struct fab_timer *failover; /* VPN-17: how long it takes to take over; NULL: never did */
	bool failing, failed;       /* the sibling is gone: that runs, or is over */
	uint64_t failing_us;        /* wall clock */
	uint64_t failovers;         /* so far */
};

/* start and stop of every role here; recheck runs fn(gw), NULL: nothing. */
int gw_new(void **ctx, const struct gw_policy *policy, fab_loop_fn *fn);
void gw_free(void *ctx);
/* Runs the recheck function at the end of this turn. */
void gw_recheck_soon(struct gw *gw);

/* ---- callbacks that several roles use ---- */

struct gw_route gw_route_of(const struct speaker_path *p);
bool gw_import_cb(void *ctx, struct speaker_peer *from, const struct bgp_attrs *in,
    struct bgp_attr_spec *out, struct speaker_path *path);
bool gw_export_cb(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path, struct bgp_attr_spec *out);
/* conf comes into force, for config of these roles: true if there was one before. */
bool gw_take_conf(struct gw *gw, const struct wire_conf *conf);
/* applied of these roles. */
void gw_applied_cb(void *ctx, const struct wire_diff *diff);
/* RM-1: maps of the peer's connection. */
const struct route_map *gw_import_map_cb(void *ctx, struct speaker_peer *from);
const struct route_map *gw_export_map_cb(
    void *ctx, struct speaker_peer *to, const struct speaker_path *path);
/* check of the roles with a gateway section. */
bool gw_check_cb(void *ctx, const struct wire_conf *conf, char why[static 256]);
size_t gw_select_cb(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *paths,
    size_t n, uint16_t *winners);
bool gw_import_prefix_cb(void *ctx, struct speaker_peer *from, const struct ipnet *prefix);
void gw_originate_as(struct wire_apply *a, const struct ipnet *prefix,
    const struct bgp_attr_spec *spec, enum hrp_source source, uint32_t weight, uint32_t tag);
/* Originates every prefix of nets. next_hop 0: none shown. */
void gw_originate(struct wire_apply *a, const struct wire_nets *nets, uint32_t next_hop,
    enum hrp_source source, uint32_t weight, uint32_t tag);

#endif
