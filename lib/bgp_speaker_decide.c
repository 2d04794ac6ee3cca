/*
 * speaker_decide(): paths as candidates of bgp_decide().
 */
#include "lib/bgp_decide.h"
#include "lib/bgp_speaker_priv.h"
#include "lib/err.h"

#define LOCAL_PREF_DEFAULT 100

_Static_assert(SPEAKER_PATHS_MAX <= BGP_DECIDE_MAX, "every path is a candidate");

static struct bgp_candidate
candidate(const struct speaker_path *path)
{
	const struct bgp_attr_spec *s = &path->attrs->s;
	struct speaker_peer *p = path->peer;
	struct bgp_candidate c = {
		.weight = path->weight,
		.local = p == NULL,
		.local_pref = s->has_local_pref ? s->local_pref : LOCAL_PREF_DEFAULT,
		.path_len = path->attrs->as_path_len,
		.origin = s->origin,
		.med = s->has_med ? s->med : 0,
		.neighbor_as = bgp_path_first(s->as_path, s->as_path_octets),
	};

	if (p == NULL)
		return c;
	c.ibgp = p->conf.ibgp;
	c.current = p->sp->deciding == path;
	c.router_id = bgp_session_peer_router_id(p->session);
	c.peer_addr = p->conf.session.peer_addr;
	return c;
}

static size_t
decide(const struct speaker_path *const *paths, size_t n, bool stable, uint16_t *winners)
{
	struct bgp_candidate c[BGP_DECIDE_MAX];

	FAB_ASSERT(n <= BGP_DECIDE_MAX);
	for (size_t i = 0; i < n; i++)
		c[i] = candidate(paths[i]);
	winners[0] = (uint16_t)bgp_decide(c, n, stable, NULL);
	return 1;
}

size_t
speaker_decide(void *ctx, const struct ipnet *prefix, const struct speaker_path *const *paths,
    size_t n, uint16_t *winners)
{
	(void)ctx;
	(void)prefix;
	return decide(paths, n, false, winners);
}

size_t
speaker_decide_stable(void *ctx, const struct ipnet *prefix,
    const struct speaker_path *const *paths, size_t n, uint16_t *winners)
{
	(void)ctx;
	(void)prefix;
	return decide(paths, n, true, winners);
}
