#ifndef VSWITCHD_VS_LINKS_H
#define VSWITCHD_VS_LINKS_H
/*
 * The links of a set: which ports, pairs of ports and pairs of regions have one. Built once, then
 * immutable and shared by every set that an update of other things leads to; the writer counts the
 * references. NULL is the set without links, and the only question that it costs is whether it is.
 */
#include "vswitchd/vs_idmap.h"
#include "vswitchd/vs_model.h"

#define VS_LINK_PAIRS_MAX (1u << 20) /* ports and pairs of all links together */

struct vs_links;

/* Appends a copy; *l NULL: makes one. FAB_EINVAL, FAB_ETOOBIG, FAB_ENOMEM: *l is still the
 * caller's. */
int vs_links_add(struct vs_links **l, const struct vs_link_conf *conf, char why[static 128]);
/* After the last vs_links_add(), once. FAB_EINVAL: two links of one port or pair. */
int vs_links_index(struct vs_links *l, const struct vs_idmap *ports, char why[static 128]);
/* Every port that a link names is there. */
int vs_links_check(const struct vs_links *l, const struct vs_idmap *ports, char why[static 128]);

struct vs_links *vs_links_ref(struct vs_links *l); /* NULL is fine */
void vs_links_unref(struct vs_links *l);
size_t vs_links_memory(const struct vs_links *l);

/* OUT: (port, 0); IN: (0, port); HOP: two ports; REGIONS: two regions. */
const struct vs_link_conf *vs_links_find(
    const struct vs_links *l, enum vs_link_kind kind, uint32_t from, uint32_t to);
/* Whether any link names the port. */
bool vs_links_at_port(const struct vs_links *l, uint32_t port);
/* Whether one does that is its own, or leads to or from another port that is no router. */
bool vs_links_among_ports(const struct vs_links *l, uint32_t port);
const struct vs_link_conf *vs_links_at(const struct vs_links *l, size_t i);

#endif
