#ifndef FABRICD_FC_LINK_H
#define FABRICD_FC_LINK_H
/*
 * Links that somebody cut, or made slow or lossy.
 *
 * A cut holds for sessions and packets alike. Both ends of a session drop silently, so that the
 * hold timer has to find it; the cut is part of both ends' configuration, so it outlives their
 * restart and there is no moment in which a new session slips through; Node.Fault tells them too,
 * and its answer says that it is in force. A foreign end is not told; dropping at the other end is
 * enough. Packets are dropped by vswitchd, which gets all links with its tables (fc_image_links.c).
 * Delay, loss and rate are for packets only: BGP feels them where it runs through the fabric.
 *
 * The store keeps the rows: a fabricd that dies restores no link.
 */
#include "fabricd/fc_linkset.h"
#include "fabricd/fc_nodes.h"

enum fc_link_op {
	FC_LINK_CUT,
	FC_LINK_RESTORE, /* undoes the cut */
	FC_LINK_SET,     /* those of fields */
	FC_LINK_CLEAR,   /* as the topology has it */
};

/* 1 << LinkField */
enum { FC_LINK_DELAY = 1, FC_LINK_JITTER = 2, FC_LINK_LOSS = 4, FC_LINK_RATE = 8 };

struct fc_link_change {
	const char *a, *b; /* see fc_link_places(); b "": one word */
	enum fc_link_op op;
	bool one_way;
	unsigned fields; /* SET: FC_LINK_DELAY ... */
	struct fc_link_shape shape;
};

/* Called once all ends that are there have answered, and every vswitchd that is connected has the
 * change in force. why: the first refusal, "" if none. FAB_ETIMEOUT: a vswitchd did not say so in
 * time; the change stands. */
typedef void fc_link_done_fn(void *ctx, int err, const char *why);

int fc_links_new(struct fc_links **out, struct fc *f);
void fc_links_free(struct fc_links *ls);
const struct fc_linkset *fc_links_set(const struct fc_links *ls);

/* FAB_ENOENT: there is no such link; others: why. Nothing was changed then, and done is not called.
 * It may be called from inside. */
int fc_links_change(struct fc_links *ls, const struct fc_link_change *c, fc_link_done_fn *done,
    void *ctx, char why[static FC_STORE_WHY_MAX]);
/* From the store, before the resources. */
int fc_links_load(struct fc_links *ls);
/* Forgets what is no longer in the topology. */
void fc_links_prune(struct fc_links *ls);
/* One direction as it is, with what the topology says of regions. */
struct fc_link_state fc_links_state(
    const struct fc_links *ls, enum fc_link_kind kind, const char *from, const char *to);
/* Whether what `from` sends to `to` (names of two ends) is dropped: the link between them, one of
 * their own, or that between their regions is cut. */
bool fc_link_is_cut(const struct fc_links *ls, const char *from, const char *to);

#endif
