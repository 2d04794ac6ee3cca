/*
 * What turns one document into another, in an order in which each step finds what it needs: first
 * creations and updates from VNets to VMs, then deletions from VMs to VNets.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <stdlib.h>

/* A kind comes behind those that it refers to. */
static const enum topo_kind order[TOPO_KIND_COUNT] = { TOPO_FABRIC, TOPO_ROUTE_TABLE, TOPO_VNET,
	TOPO_SITE, TOPO_CIRCUIT, TOPO_NVA, TOPO_ROUTE_SERVER, TOPO_GATEWAY, TOPO_PEERING, TOPO_VM,
	TOPO_LOAD_BALANCER, TOPO_CLIENT, TOPO_ROUTE_MAP };

struct diff {
	struct topo_change *v;
	size_t n;
};

static void
add(struct diff *d, int action, const struct topo_resource *r)
{
	d->v[d->n++] = (struct topo_change){ .action = action, .kind = r->kind, .name = r->name };
}

/* PEER-9: an object with use_remote_gateways comes after the one that allows the transit. */
static bool
is_late(const struct topo_resource *r)
{
	return r->kind == TOPO_PEERING && topo_get_bool(r->props, "use_remote_gateways");
}

static void
add_changed(struct diff *d, const struct topo_doc *from, const struct topo_doc *to,
    enum topo_kind kind, bool late)
{
	for (size_t i = 0; i < to->n; i++) {
		const struct topo_resource *r = &to->res[i], *old;

		if (r->kind != kind || is_late(r) != late)
			continue;
		old = topo_doc_find(from, kind, r->name);
		if (old == NULL)
			add(d, TOPO_CREATE, r);
		else if (!json_equal(old->props, r->props))
			add(d, TOPO_UPDATE, r);
	}
}

static void
add_deleted(struct diff *d, const struct topo_doc *from, const struct topo_doc *to,
    enum topo_kind kind, bool late)
{
	for (size_t i = from->n; i-- > 0;) {
		const struct topo_resource *r = &from->res[i];

		if (r->kind == kind && is_late(r) == late &&
		    topo_doc_find(to, kind, r->name) == NULL)
			add(d, TOPO_DELETE, r);
	}
}

int
topo_doc_diff(
    struct topo_change **out, size_t *n, const struct topo_doc *from, const struct topo_doc *to)
{
	struct diff d = { .v = calloc(from->n + to->n + 1, sizeof(*d.v)) };

	if (d.v == NULL)
		return FAB_ENOMEM;
	for (size_t k = 0; k < TOPO_KIND_COUNT; k++) {
		add_changed(&d, from, to, order[k], false);
		add_changed(&d, from, to, order[k], true);
	}
	for (size_t k = TOPO_KIND_COUNT; k-- > 0;) {
		add_deleted(&d, from, to, order[k], true);
		add_deleted(&d, from, to, order[k], false);
	}
	*out = d.v;
	*n = d.n;
	return FAB_OK;
}
