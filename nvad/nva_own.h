#ifndef NVAD_NVA_OWN_H
#define NVAD_NVA_OWN_H
/*
 * What a router originates. A prefix may be announced differently to different peers, so a prefix
 * has a list of originations; prefixes with equal lists share a variant. The variant's number is
 * the tag of the route in the speaker: it stays the same as long as the list says the same, so a
 * new configuration touches only the prefixes that changed.
 */
#include "lib/wire_apply.h"

struct nva_own;

struct nva_own *nva_own_new(void); /* NULL: out of memory */
void nva_own_free(struct nva_own *own);

/* Takes over what conf originates, default_originate of its peers included, and hands it to a with
 * wire_apply_own(). conf must stay until the next call. FAB_ENOMEM. */
int nva_own_apply(struct nva_own *own, const struct wire_conf *conf, struct wire_apply *a);

/* What the variant says to one peer; NULL: nothing. */
const struct wire_originate *nva_own_for(
    const struct nva_own *own, uint32_t tag, const struct wire_peer *to);
/* True if the variant exists only because of default_originate: it is for others, not for this
 * router's own forwarding, and is sent whatever the export rules say. */
bool nva_own_is_default_only(const struct nva_own *own, uint32_t tag);
/* True if `to` gets it because of default_originate. */
bool nva_own_is_default(const struct nva_own *own, const struct wire_originate *o);

#endif
