#ifndef LIB_WIRE_APPLY_H
#define LIB_WIRE_APPLY_H
/*
 * Applies a struct wire_conf to a speaker by difference: listeners, peers and originations that did
 * not change are left alone, so their sessions stay up and nothing is sent; what changed is
 * re-created. What counts as a change of a session is its speaker_peer_conf: policy, weight and
 * resource of a peer may change under a running session.
 */
#include "lib/bgp_speaker.h"
#include "lib/wire_conf.h"

struct wire_apply;

struct wire_apply_ops {
	/* Last word on a session before it is compared and created: export group, capabilities, TTL
	 * (pc is filled in from peer). Must give the same answer for the same peer as long as the
	 * session need not be re-created, but for the group, which may change under it. NULL: every
	 * peer is an export group of its own. */
	void (*peer)(void *ctx, const struct wire_peer *peer, struct speaker_peer_conf *pc);
	/* Whether the session shall exist now; NULL: unless peer->shut. */
	bool (*wanted)(void *ctx, const struct wire_peer *peer);
	/* A session ended because it is not wanted any more, or to be re-created. For wire_node; a
	 * role leaves it NULL. */
	void (*gone)(void *ctx, const struct wire_peer *peer);
};

/* What one application did; for logs and tests. */
struct wire_diff {
	unsigned added, removed, recreated, kept; /* sessions */
	unsigned originated, unoriginated;
};

/* Borrows speaker, tls and ops. tls may be NULL. */
int wire_apply_new(struct wire_apply **out, struct speaker *sp, const struct fab_tls *tls,
    const struct wire_apply_ops *ops, void *ctx);
/* Right before speaker_free(), which ends sessions (Cease/Administrative Shutdown) and listeners;
 * nothing may run in between, because sessions lead here. NULL is fine. */
void wire_apply_free(struct wire_apply *a);

/* Takes conf over, also on failure. FAB_OK, or the first error (a listener that cannot listen, a
 * peer the speaker refuses: why names it); the rest is applied all the same. The conf before this
 * one stays valid until the next call. */
int wire_apply_conf(
    struct wire_apply *a, struct wire_conf *conf, struct wire_diff *diff, char why[static 256]);
/* The conf in force; NULL before the first. */
const struct wire_conf *wire_apply_current(const struct wire_apply *a);
/* Asks ops->wanted again for every peer. */
void wire_apply_recheck(struct wire_apply *a);

/* The configured peer behind a session, always of the conf in force. */
const struct wire_peer *wire_peer_of(const struct speaker_peer *p);

/* Originations by difference, key (prefix, tag): begin, own for each, end (which unoriginates what
 * was not repeated). spec is copied. */
void wire_apply_own_begin(struct wire_apply *a);
int wire_apply_own(struct wire_apply *a, const struct ipnet *prefix,
    const struct bgp_attr_spec *spec, enum hrp_source source, uint32_t weight, uint32_t tag);
void wire_apply_own_end(struct wire_apply *a, struct wire_diff *diff);

/* Every wanted session but the optional ones is Established and synced. False before the first
 * conf. why (may be NULL) receives the first one that is not. */
bool wire_apply_converged(const struct wire_apply *a, char *why, size_t size);

#endif
