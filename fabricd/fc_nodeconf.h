#ifndef FABRICD_FC_NODECONF_H
#define FABRICD_FC_NODECONF_H
/*
 * The configuration of one node, computed from the whole topology: a pure function. The result is
 * the same struct wire_conf that the node decodes at the other end; wire_nodeconf.h turns it into
 * the message.
 */
#include "fabricd/fc_mem.h"
#include "fabricd/fc_url.h"
#include "lib/topo.h"
#include "lib/wire_conf.h"

struct fc_nodeconf {
	struct wire_conf conf; /* its `blocks` is not used */
	uint32_t keepalive_ms, hold_ms;
	struct fc_mem mem; /* private */
};

/* Strings lead into t and urls, which must outlive the result. FAB_ENOMEM; FAB_ETOOBIG: a URL. */
int fc_nodeconf_new(
    struct fc_nodeconf **out, const struct topo *t, size_t node, const struct fc_urls *urls);
void fc_nodeconf_free(struct fc_nodeconf *nc);

#endif
