/*
 * What a router does with a route (see nva_policy.h).
 */
#include "nvad/nva_policy.h"

#include <string.h>

#define LOCAL_PREF_DEFAULT 100

bool
nva_import(
    const struct wire_conf *conf, const struct wire_peer *from, const struct bgp_attr_spec *in)
{
	/* Two NVAs of one ASN reject each other's routes here (RS-42). */
	if (bgp_path_has(in->as_path, in->as_path_octets, conf->asn))
		return false;
	return in->next_hop != from->local_address; /* RFC 4271 5.1.3 */
}

bool
nva_export_prefix(const struct wire_peer *to, const struct ipnet *prefix)
{
	return wire_rules_accept(&to->policy.export_rules, prefix);
}

static bool
has_community(const struct bgp_attr_spec *s, uint32_t community)
{
	for (size_t i = 0; i < s->n_communities; i++)
		if (s->communities[i] == community)
			return true;
	return false;
}

/* RFC 1997: NO_ADVERTISE goes to nobody, NO_EXPORT to no other AS. */
static bool
communities_allow(const struct bgp_attr_spec *s, bool ibgp)
{
	return !has_community(s, BGP_COMMUNITY_NO_ADVERTISE) &&
	       (ibgp || !has_community(s, BGP_COMMUNITY_NO_EXPORT));
}

/* The two instances of a Route Server, or the two ends of a circuit, are one neighbour: what one
 * told must not come back over the other, where it would look like a shorter path (MR-4). */
static bool
same_neighbour(const struct wire_peer *a, const struct wire_peer *b)
{
	return a->resource[0] != '\0' && strcmp(a->resource, b->resource) == 0;
}

static bool
is_stripped(uint32_t asn, void *arg)
{
	const struct wire_u32s *strip = arg;

	for (size_t i = 0; i < strip->n; i++)
		if (strip->v[i] == asn)
			return true;
	return false;
}

/* MR-3: deletion shortens the path, override keeps its length. Over iBGP the path stays as it is.
 */
static bool
path_for(struct bgp_path_buf *b, const struct wire_conf *conf, const struct wire_peer *to,
    uint32_t own_prepend)
{
	const struct wire_policy *p = &to->policy;
	struct wire_u32s strip = p->strip_as;

	if (to->asn == conf->asn)
		return true;
	if (strip.n > 0)
		bgp_path_remove(b, is_stripped, &strip);
	if (p->as_override)
		bgp_path_replace(b, to->asn, conf->asn);
	return bgp_path_prepend(b, conf->asn, 1 + p->prepend + own_prepend);
}

/* Adds the policy's communities; false if there is no room for them. */
static bool
communities_for(struct bgp_attr_spec *out, const struct wire_policy *p, struct speaker_scratch *buf)
{
	size_t room = sizeof(buf->communities) / sizeof(buf->communities[0]);
	size_t n = out->n_communities;

	if (p->add_communities.n == 0)
		return true;
	if (n + p->add_communities.n > room)
		return false;
	if (n > 0)
		memmove(buf->communities, out->communities, n * sizeof(buf->communities[0]));
	memcpy(&buf->communities[n], p->add_communities.v,
	    p->add_communities.n * sizeof(buf->communities[0]));
	out->communities = buf->communities;
	out->n_communities = (uint16_t)(n + p->add_communities.n);
	return true;
}

static void
set_path(struct bgp_attr_spec *out, const struct bgp_path_buf *b)
{
	out->as_path = b->data;
	out->as_path_octets = b->octets;
}

bool
nva_export_learned(const struct wire_conf *conf, const struct wire_peer *from,
    const struct wire_peer *to, const struct bgp_attr_spec *in, struct speaker_scratch *buf,
    struct bgp_attr_spec *out)
{
	bool ibgp = to->asn == conf->asn;

	if (!conf->relay || to->no_export_of_learned || same_neighbour(from, to) ||
	    !communities_allow(in, ibgp) || (ibgp && from->asn == conf->asn))
		return false;
	*out = *in;
	bgp_path_load(&buf->path, in->as_path, in->as_path_octets);
	if (!path_for(&buf->path, conf, to, 0) || !communities_for(out, &to->policy, buf))
		return false;
	set_path(out, &buf->path);
	if (!to->policy.next_hop_unchanged)
		out->next_hop = to->local_address;
	out->has_med = ibgp && in->has_med; /* RFC 4271 5.1.4: not to another AS */
	out->has_local_pref = ibgp;
	out->local_pref = in->has_local_pref ? in->local_pref : LOCAL_PREF_DEFAULT;
	return true;
}

bool
nva_own_is_for(const struct wire_originate *o, const struct wire_peer *to)
{
	for (size_t i = 0; i < o->n_to; i++)
		if (strcmp(o->to[i], to->name) == 0 ||
		    (to->resource[0] != '\0' && strcmp(o->to[i], to->resource) == 0))
			return true;
	return o->n_to == 0;
}

bool
nva_export_own(const struct wire_conf *conf, const struct wire_peer *to,
    const struct wire_originate *o, struct speaker_scratch *buf, struct bgp_attr_spec *out)
{
	*out = (struct bgp_attr_spec){
		.origin = o->origin,
		.next_hop = o->next_hop != 0 ? o->next_hop : to->local_address, /* RS-56 */
		.has_med = o->has_med,
		.med = o->med,
		.has_local_pref = to->asn == conf->asn,
		.local_pref = LOCAL_PREF_DEFAULT,
		.communities = o->communities.v,
		.n_communities = (uint16_t)o->communities.n,
		.large = o->large.v,
		.n_large = (uint16_t)(o->large.n / 3),
	};
	bgp_path_load(&buf->path, NULL, 0);
	for (size_t i = 0; i < o->as_path.n; i++)
		if (!bgp_path_append(&buf->path, o->as_path.v[i]))
			return false;
	if (!path_for(&buf->path, conf, to, o->prepend) || !communities_for(out, &to->policy, buf))
		return false;
	set_path(out, &buf->path);
	return true;
}
