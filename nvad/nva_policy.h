#ifndef NVAD_NVA_POLICY_H
#define NVAD_NVA_POLICY_H
/*
 * Policy of a router (NVA or site) on single routes: what it takes, and what it makes of a route
 * for one peer. Pure functions of configuration and attributes; the role (nva_role.c) feeds them
 * from a speaker.
 *
 * An NVA brings routes from region to region, or from one Route Server to another (MR-10); as every
 * Route Server is AS 65515, paths need a remedy on the way (MR-2).
 *
 * Order of an export (MR-3): prefixes of the rules, strip_as, as_override, then the own ASN as many
 * times as configured.
 */
#include "lib/bgp_speaker.h"
#include "lib/wire_conf.h"

/* False: rejected. The own ASN in the path (RS-42, RFC 4271 9.1.2), or the own address as next
 * hop. */
bool nva_import(
    const struct wire_conf *conf, const struct wire_peer *from, const struct bgp_attr_spec *in);

/* Whether a prefix may go to `to` at all (export_rules). */
bool nva_export_prefix(const struct wire_peer *to, const struct ipnet *prefix);

/* A learned route on its way to another peer: false, or *out for that peer. out's pointers lead
 * into in and buf. */
bool nva_export_learned(const struct wire_conf *conf, const struct wire_peer *from,
    const struct wire_peer *to, const struct bgp_attr_spec *in, struct speaker_scratch *buf,
    struct bgp_attr_spec *out);

/* A route of our own. */
bool nva_export_own(const struct wire_conf *conf, const struct wire_peer *to,
    const struct wire_originate *o, struct speaker_scratch *buf, struct bgp_attr_spec *out);
/* Its `to` names the peer, or the peer's resource, or nobody (all). */
bool nva_own_is_for(const struct wire_originate *o, const struct wire_peer *to);

#endif
