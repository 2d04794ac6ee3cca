/*
 * The layers as a whole: rebuilt from a topology, fed by reports, asked for their generation. The
 * work is in fc_system.c, fc_bgp.c and fc_router.c; fc_view.c puts the layers together for a NIC.
 */
#include "fabricd/fc_layers.h"

#include "fabricd/fc_layers_int.h"
#include "lib/err.h"

#include <stdlib.h>

int
fc_layers_new(struct fc_layers **out)
{
	struct fc_layers *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return FAB_ENOMEM;
	l->reach = calloc(1, sizeof(struct fc_reach *));
	if (l->reach == NULL) {
		free(l);
		return FAB_ENOMEM;
	}
	fc_bgp_init(&l->bgp);
	*out = l;
	return FAB_OK;
}

static void
static_layers_free(struct fc_layers *l)
{
	for (size_t i = 0; i < l->n_sys; i++)
		fc_sys_fini(&l->sys[i]);
	for (size_t i = 0; i < l->n_user; i++)
		fc_lpm_fini(&l->user[i]);
	free(l->sys);
	free(l->user);
	l->sys = NULL;
	l->user = NULL;
	l->n_sys = l->n_user = 0;
}

void
fc_layers_free(struct fc_layers *l)
{
	if (l == NULL)
		return;
	static_layers_free(l);
	fc_reach_clear(l->reach);
	fc_routers_free(&l->routers);
	fc_health_free(&l->health);
	fc_bgp_fini(&l->bgp);
	free(l->reach);
	free(l);
}

static void
touch(struct fc_layers *l)
{
	l->generation++;
	fc_reach_clear(l->reach);
}

/* UDR-4: one route for each prefix of a table; the topology has refused a second one. */
static int
user_build(struct fc_lpm *user, const struct topo_route_table *table)
{
	for (size_t i = 0; i < table->n_routes; i++) {
		uint32_t *slot = fc_lpm_add(user, table->routes[i].prefix);

		if (slot == NULL)
			return FAB_ENOMEM;
		if (*slot == FC_LPM_NONE)
			*slot = (uint32_t)i;
	}
	return FAB_OK;
}

static int
static_layers_build(struct fc_layers *l, const struct topo *t)
{
	int err = FAB_OK;

	l->sys = calloc(t->n_vnets + 1, sizeof(*l->sys));
	l->user = calloc(t->n_tables + 1, sizeof(*l->user));
	if (l->sys == NULL || l->user == NULL)
		return FAB_ENOMEM;
	for (; l->n_sys < t->n_vnets && err == FAB_OK; l->n_sys++)
		err = fc_sys_build(&l->sys[l->n_sys], t, (int)l->n_sys);
	for (; l->n_user < t->n_tables && err == FAB_OK; l->n_user++)
		err = user_build(&l->user[l->n_user], &t->tables[l->n_user]);
	return err;
}

int
fc_layers_bind(struct fc_layers *l, const struct topo *t)
{
	struct fc_layers fresh = { 0 };
	int err = static_layers_build(&fresh, t);

	if (err != FAB_OK) {
		static_layers_free(&fresh);
		return err;
	}
	static_layers_free(l);
	l->topo = t;
	l->sys = fresh.sys;
	l->n_sys = fresh.n_sys;
	l->user = fresh.user;
	l->n_user = fresh.n_user;
	fc_routers_bind(&l->routers, t);
	fc_health_bind(&l->health, t);
	touch(l);
	return fc_bgp_bind(&l->bgp, t);
}

int
fc_layers_copy_routes(struct fc_layers *to, const struct fc_layers *from)
{
	FAB_ASSERT(to->topo == from->topo);
	touch(to);
	return fc_bgp_copy(&to->bgp, &from->bgp);
}

const struct topo *
fc_layers_topo(const struct fc_layers *l)
{
	return l->topo;
}

int
fc_layers_snapshot_begin(struct fc_layers *l, const char *reporter)
{
	return fc_bgp_snapshot_begin(&l->bgp, reporter);
}

static int
changed_by(struct fc_layers *l, int err, size_t n, size_t *changed)
{
	fc_reach_clear(l->reach); /* group numbers may have been used again */
	if (n > 0)
		l->generation++;
	if (err == FAB_OK && changed != NULL)
		*changed = n;
	return err;
}

int
fc_layers_apply(
    struct fc_layers *l, const char *reporter, const struct fc_route_batch *b, size_t *changed)
{
	size_t n = 0;
	int err = fc_bgp_apply(&l->bgp, reporter, b, &n);

	return changed_by(l, err, n, changed);
}

int
fc_layers_snapshot_end(struct fc_layers *l, const char *reporter, size_t *changed)
{
	size_t n = 0;
	int err = fc_bgp_snapshot_end(&l->bgp, reporter, &n);

	return changed_by(l, err, n, changed);
}

void
fc_layers_reporter_state(struct fc_layers *l, const char *reporter, bool connected, bool converged)
{
	if (fc_bgp_state(&l->bgp, reporter, connected, converged))
		touch(l);
}

bool
fc_layers_settled(const struct fc_layers *l)
{
	return fc_bgp_settled(&l->bgp);
}

int
fc_layers_router_apply(struct fc_layers *l, const char *node, const struct fc_route_batch *b,
    bool snapshot_begin, bool snapshot_end)
{
	return fc_router_apply(&l->routers, l->topo, node, b, snapshot_begin, snapshot_end);
}

bool
fc_layers_router_lookup(const struct fc_layers *l, const char *node, uint32_t addr,
    struct ipnet *prefix, const char **peer)
{
	const struct fc_router *r = fc_router_find(l->routers, node);
	struct fc_lpm_hit hit;

	if (r == NULL || fc_router_is_dead(l, r) ||
	    !fc_lpm_longest(&r->rib, addr, FC_LPM_DEPTH, &hit))
		return false;
	*prefix = hit.net;
	*peer = r->peers[hit.value & ~FC_STALE];
	return true;
}

void
fc_layers_set_machines(struct fc_layers *l, bool (*stands)(void *ctx, const char *node), void *ctx)
{
	l->machine_stands = stands;
	l->machine_ctx = ctx;
}

bool
fc_backend_is_healthy(const struct fc_layers *l, const struct topo_load_balancer *lb, int nic)
{
	const struct topo_nic *n = &l->topo->nics[nic];
	const struct fc_router *r = fc_router_find(l->routers, n->name);
	const struct fc_health *h = fc_backend_health(l, lb, nic);

	if (n->vm >= 0 && !l->topo->vms[n->vm].running)
		return false;
	if (h != NULL)
		return h->healthy;
	if (l->faults.is_cut != NULL && l->faults.is_cut(l->faults.ctx, n->name, n->name))
		return false;
	return r == NULL || !r->gone;
}

const struct fc_health *
fc_backend_health(const struct fc_layers *l, const struct topo_load_balancer *lb, int nic)
{
	return fc_health_find(l->health, lb->name, l->topo->nics[nic].name);
}

int
fc_layers_health(struct fc_layers *l, const char *balancer, const char *backend,
    const struct fc_health *what, bool *changed)
{
	int err = fc_health_put(&l->health, l->topo, balancer, backend, what, changed);

	if (err == FAB_OK && *changed)
		touch(l);
	return err;
}

void
fc_layers_set_faults(struct fc_layers *l, const struct fc_layer_faults *faults)
{
	l->faults = *faults;
}

static bool
is_dead(const struct fc_layers *l, const char *node, bool gone)
{
	if (!gone && (l->faults.is_down == NULL || !l->faults.is_down(l->faults.ctx, node)))
		return false;
	return l->machine_stands == NULL || !l->machine_stands(l->machine_ctx, node);
}

bool
fc_router_is_dead(const struct fc_layers *l, const struct fc_router *r)
{
	return is_dead(l, r->name, r->gone);
}

bool
fc_node_is_dead(const struct fc_layers *l, const char *node)
{
	const struct fc_router *r = fc_router_find(l->routers, node);

	return is_dead(l, node, r != NULL && r->gone);
}

void
fc_layers_router_gone(struct fc_layers *l, const char *node)
{
	struct fc_router *r = fc_router_find(l->routers, node);

	if (r != NULL)
		r->gone = true;
}

uint64_t
fc_layers_generation(const struct fc_layers *l)
{
	return l->generation;
}

size_t
fc_layers_memory(const struct fc_layers *l)
{
	size_t octets = sizeof(*l) + fc_bgp_memory(&l->bgp) + fc_routers_memory(l->routers) +
			fc_reach_memory(l->reach);

	for (size_t i = 0; i < l->n_sys; i++)
		octets += sizeof(l->sys[i]) + l->sys[i].n * sizeof(l->sys[i].v[0]) +
			  fc_lpm_memory(&l->sys[i].lpm);
	for (size_t i = 0; i < l->n_user; i++)
		octets += sizeof(l->user[i]) + fc_lpm_memory(&l->user[i]);
	return octets;
}
