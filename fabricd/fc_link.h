#ifndef FABRICD_FC_LINK_H
#define FABRICD_FC_LINK_H
/*
 * Links that are cut: which pairs of peers, in which direction. Both ends drop silently, so that
 * the hold timer has to find it. The cut is part of both ends' configuration, so it outlives their
 * restart and there is no moment in which a new session slips through; Node.Fault tells them too,
 * and its answer says that it is in force. A foreign end is not told; dropping at the other end is
 * enough. The store keeps the cuts: a fabricd that dies restores no link.
 */
#include "fabricd/fc_nodes.h"

struct fc_link_change {
	const char *a, *b; /* nodes or resources; a resource stands for all its nodes */
	bool cut;          /* or restore */
	bool one_way;      /* only what a sends to b */
};

/* Called once all ends that are there have answered. why: the first refusal, "" if none. */
typedef void fc_link_done_fn(void *ctx, int err, const char *why);

int fc_links_new(struct fc_links **out, struct fc *f);
void fc_links_free(struct fc_links *ls);

/* FAB_ENOENT: a and b have no session with each other; others: why. Nothing was changed then, and
 * done is not called. It may be called from inside. */
int fc_links_change(struct fc_links *ls, const struct fc_link_change *c, fc_link_done_fn *done,
    void *ctx, char why[static FC_STORE_WHY_MAX]);
/* From the store, before the resources. */
int fc_links_load(struct fc_links *ls);
/* Forgets pairs that are no longer in the topology. */
void fc_links_prune(struct fc_links *ls);
/* Whether what `from` sends to `to` (names of two ends) is dropped. */
bool fc_link_is_cut(const struct fc_links *ls, const char *from, const char *to);

#endif
