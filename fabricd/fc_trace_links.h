#ifndef FABRICD_FC_TRACE_LINKS_H
#define FABRICD_FC_TRACE_LINKS_H
/*
 * Which links that are cut, slow or lossy a traced packet crosses: those that the switch applies
 * between the same places (fc_image_links.c).
 */
#include "fabricd/fc_eff.h"
#include "fabricd/fc_link.h"

#define FC_CROSSED_MAX 4 /* from one place to the next: out, regions, between the two, in */

struct fc_crossed {
	enum fc_link_kind kind;
	const char *from, *to; /* "" as in fc_linkset.h; the topology's, or the trace's */
	struct fc_link_state state;
};

/* Between hop i and the next place; returns how many. */
size_t fc_trace_crossed(const struct fc_links *ls, const struct topo *t, const struct fc_trace *tr,
    size_t i, struct fc_crossed out[static FC_CROSSED_MAX]);

#endif
