/*
 * Conditions (see fc_converge.h).
 */
#include "fabricd/fc_converge.h"

#include "fabricd/fc_capacity.h"
#include "fabricd/fc_cond.h"
#include "fabricd/fc_faults.h"
#include "fabricd/fc_hold.h"
#include "fabricd/fc_lag.h"
#include "fabricd/fc_link.h"
#include "fabricd/fc_listing.h"
#include "fabricd/fc_outage.h"
#include "fabricd/fc_pairs.h"
#include "fabricd/fc_switch.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- converged ---- */

static void
why_waiting(const struct fc_node *n, char why[static FC_WHY_MAX])
{
	const struct fc_session *s;

	for (s = n->sessions; s != NULL; s = s->hh.next)
		if (!s->established || !s->synced)
			break;
	if (s != NULL)
		snprintf(why, FC_WHY_MAX, "node %.60s: session with %.60s is %.15s", n->name,
		    s->peer, s->established ? "without its first table" : s->state);
	else if (n->sessions != NULL)
		snprintf(why, FC_WHY_MAX, "node %.60s has changes that wait", n->name);
	else
		snprintf(why, FC_WHY_MAX, "node %.60s waits for its sessions", n->name);
}

static bool
node_converged(const struct fc_node *n, char why[static FC_WHY_MAX])
{
	if (n->index < 0 || n->foreign)
		return true;
	if (!fc_node_connected(n))
		snprintf(
		    why, FC_WHY_MAX, "node %.60s is not running (%s)", n->name, fc_node_state(n));
	else if (n->status_generation != n->generation)
		snprintf(why, FC_WHY_MAX, "node %.60s has not taken over its configuration yet",
		    n->name);
	else if (!n->status_converged)
		why_waiting(n, why);
	else
		return true;
	return false;
}

struct foreign_walk {
	const struct fc *f;
	const char *node, *peer; /* first session that is not up */
};

/* Our end speaks for a session with foreign software. */
static void
foreign_session(void *arg, const struct fc_pair *p)
{
	struct foreign_walk *w = arg;
	const struct fc_end *ends[2] = { &p->dial, &p->listen };

	for (int i = 0; i < 2 && w->node == NULL; i++) {
		const struct fc_end *ours = ends[i], *other = ends[1 - i];
		const struct fc_node *n;
		const struct fc_session *s;

		if (ours->node == NULL || ours->node->foreign ||
		    (other->node != NULL && !other->node->foreign) ||
		    (n = fc_node_find(w->f->nodes, ours->node->name)) == NULL)
			continue;
		s = fc_session_find(n, other->name);
		if (s == NULL || !s->established) {
			w->node = ours->name;
			w->peer = other->name;
		}
	}
}

static bool
is_quiet(const struct fc *f, char why[static FC_WHY_MAX], uint64_t *recheck_ms)
{
	uint64_t quiet_us = (uint64_t)f->topo->timing.converge_quiet_ms * 1000;
	uint64_t since_us = fab_mono_us_between(f->last_change, fab_mono_now());

	if (since_us >= quiet_us)
		return true;
	snprintf(why, FC_WHY_MAX, "routes have changed less than %u ms ago",
	    f->topo->timing.converge_quiet_ms);
	*recheck_ms = (quiet_us - since_us) / 1000 + 1;
	return false;
}

/* What nodes have told and the platform takes its time with. */
static bool
nothing_pending(const struct fc *f, char why[static FC_WHY_MAX])
{
	const char *late;
	uint64_t late_ms;
	char what[96];

	if ((late = fc_lag_pending(f->lag, &late_ms)) != NULL)
		snprintf(why, FC_WHY_MAX, "NICs get a change of node %.60s in %llu ms", late,
		    (unsigned long long)late_ms);
	else if ((late = fc_listing_pending(f->listing, &late_ms)) != NULL)
		snprintf(why, FC_WHY_MAX, "a change of node %.60s is listed in %llu ms", late,
		    (unsigned long long)late_ms);
	else if ((late = fc_outages_pending(f->outages, &late_ms)) != NULL)
		snprintf(why, FC_WHY_MAX, "gateways of %.60s go on in %llu ms (RS-11)", late,
		    (unsigned long long)late_ms);
	else if ((late = fc_capacity_pending(f->capacity, &late_ms)) != NULL)
		snprintf(why, FC_WHY_MAX, "Route Server %.60s has scaled out in %llu ms", late,
		    (unsigned long long)late_ms);
	else if (fc_holds_pending(f->holds, what, &late_ms))
		snprintf(why, FC_WHY_MAX, "%s: in %llu ms", what, (unsigned long long)late_ms);
	else
		return true;
	return false;
}

bool
fc_converged(const struct fc *f, char why[static FC_WHY_MAX], uint64_t *recheck_ms)
{
	struct foreign_walk w = { .f = f };

	for (const struct fc_node *n = fc_node_next(f->nodes, NULL); n != NULL;
	     n = fc_node_next(f->nodes, n))
		if (!node_converged(n, why))
			return false;
	fc_pairs_each(f->topo, foreign_session, &w);
	if (w.node != NULL) {
		snprintf(why, FC_WHY_MAX, "node %.60s: no session with %.60s yet", w.node, w.peer);
		return false;
	}
	return nothing_pending(f, why) && fc_switch_converged(f->sw, why) &&
	       is_quiet(f, why, recheck_ms);
}

/* ---- settled ---- */

static bool
is_backend(const struct topo *t, const struct topo_node *n)
{
	for (size_t i = 0; i < t->n_balancers; i++)
		for (size_t k = 0; k < t->balancers[i].n_backends; k++)
			if (strcmp(t->nics[t->balancers[i].backends[k]].name, n->name) == 0)
				return true;
	return false;
}

/* A report stream that hangs ends late. Routes of reporters wait for that (RS-66), and so do load
 * balancers (RS-57). */
static bool
waits_for_its_end(const struct topo *t, const struct topo_node *n)
{
	return n->kind == TOPO_NODE_ROUTE_SERVER || n->kind == TOPO_NODE_VPN_GATEWAY ||
	       n->kind == TOPO_NODE_ER_GATEWAY || is_backend(t, n);
}

static bool
node_settled(const struct fc *f, const struct fc_node *n, char why[static FC_WHY_MAX])
{
	const struct topo_node *tn = fc_node_topo(f->nodes, n);
	enum fc_down how = fc_faults_down(f->faults, n->name);

	if (n->foreign || tn == NULL || (!fc_node_connected(n) && n->seen))
		return true;
	if (how != FC_DOWN_NOT) {
		snprintf(why, FC_WHY_MAX, "fabricd has not missed %.60s yet", n->name);
		return how == FC_DOWN_HUNG && !waits_for_its_end(f->topo, tn);
	}
	if (fc_node_connected(n) && n->status_generation == n->generation)
		return true;
	snprintf(why, FC_WHY_MAX, "node %.60s has not taken over its configuration yet", n->name);
	return false;
}

struct settle_walk {
	const struct fc *f;
	char *why; /* of the first session that is not as it should be */
	bool settled;
};

static bool
end_stands(const struct fc *f, const struct fc_end *e)
{
	const struct fc_node *n = e->node != NULL ? fc_node_find(f->nodes, e->name) : NULL;

	if (fc_faults_down(f->faults, e->name) != FC_DOWN_NOT)
		return false;
	return n == NULL || n->foreign || fc_node_connected(n);
}

/* Whether the session is, by this end, as it should be. Ends that cannot speak say nothing. */
static bool
end_settled(const struct fc *f, const struct fc_end *me, const struct fc_end *other, bool up)
{
	const struct fc_node *n = me->node != NULL ? fc_node_find(f->nodes, me->name) : NULL;
	const struct fc_session *s;

	if (n == NULL || n->foreign || !end_stands(f, me))
		return true;
	s = fc_session_find(n, other->name);
	return up ? s != NULL && s->established && s->synced : s == NULL || !s->established;
}

static void
session_settled(void *arg, const struct fc_pair *p)
{
	struct settle_walk *w = arg;
	const struct fc *f = w->f;
	bool up = end_stands(f, &p->dial) && end_stands(f, &p->listen) &&
		  !fc_link_is_cut(f->links, p->dial.name, p->listen.name) &&
		  !fc_link_is_cut(f->links, p->listen.name, p->dial.name);

	if (p->dial.standby || p->listen.standby)
		return; /* VPN-1: up or not */
	if (!w->settled ||
	    (end_settled(f, &p->dial, &p->listen, up) && end_settled(f, &p->listen, &p->dial, up)))
		return;
	w->settled = false;
	snprintf(w->why, FC_WHY_MAX, "the session between %.60s and %.60s is not %s yet",
	    p->dial.name, p->listen.name, up ? "up" : "missed");
}

bool
fc_settled(const struct fc *f, char why[static FC_WHY_MAX], uint64_t *recheck_ms)
{
	struct settle_walk w = { f, why, true };

	for (const struct fc_node *n = fc_node_next(f->nodes, NULL); n != NULL;
	     n = fc_node_next(f->nodes, n))
		if (!node_settled(f, n, why))
			return false;
	fc_pairs_each(f->topo, session_settled, &w);
	return w.settled && nothing_pending(f, why) && fc_switch_converged(f->sw, why) &&
	       is_quiet(f, why, recheck_ms);
}

/* ---- the others ---- */

static bool
has_hop(const struct fc_eff_route *r, uint32_t addr)
{
	for (size_t i = 0; i < r->n_next_hops; i++)
		if (r->next_hops[i] == addr)
			return true;
	return false;
}

static int
effective_holds(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	int nic = topo_find_nic(f->topo, e->a), err;
	struct fc_eff_route *rows = NULL;
	char net[IPNET_STRLEN];
	size_t n = 0;

	if (nic < 0) {
		snprintf(why, FC_WHY_MAX, "no NIC '%.60s'", e->a);
		return FAB_ENOENT;
	}
	*holds = false;
	if ((err = fc_eff_list(fc_listing_layers(f->listing), nic, &rows, &n)) != FAB_OK)
		return err == FAB_ECLOSED ? FAB_OK : err; /* its VM does not run: no routes */
	for (size_t i = 0; i < n; i++)
		if (rows[i].state == FC_ACTIVE && ipnet_eq(rows[i].prefix, e->prefix) &&
		    (!e->has_via || has_hop(&rows[i], e->via)))
			*holds = true;
	free(rows);
	snprintf(why, FC_WHY_MAX, "%.60s has %s effective route for %s", e->a,
	    *holds ? "an" : "no such", ipnet_format(net, e->prefix));
	return FAB_OK;
}

struct session_walk {
	const struct fc *f;
	const struct fc_expr *e;
	size_t pairs, up;
};

/* What one end says: 1 up, 0 down, -1 nothing (foreign, or not running). */
static int
end_says(const struct session_walk *w, const struct fc_end *me, const struct fc_end *other)
{
	const struct fc_node *n =
	    me->node == NULL ? NULL : fc_node_find(w->f->nodes, me->node->name);
	const struct fc_session *s = n == NULL ? NULL : fc_session_find(n, other->name);

	if (n == NULL || n->foreign || !fc_node_connected(n))
		return -1;
	return s != NULL && s->established ? 1 : 0;
}

/* Up when every end that can speak says so. One end that gave it up is enough for down: the other
 * may hang (RS-91). */
static void
session_state(void *arg, const struct fc_pair *p)
{
	struct session_walk *w = arg;
	const struct topo *t = w->f->topo;
	int a, b;

	if (!(fc_end_named(t, &p->dial, w->e->a) && fc_end_named(t, &p->listen, w->e->b)) &&
	    !(fc_end_named(t, &p->dial, w->e->b) && fc_end_named(t, &p->listen, w->e->a)))
		return;
	a = end_says(w, &p->dial, &p->listen);
	b = end_says(w, &p->listen, &p->dial);
	w->pairs++;
	w->up += a != 0 && b != 0 && (a == 1 || b == 1);
}

static int
session_holds(const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	struct session_walk w = { .f = f, .e = e };

	fc_pairs_each(f->topo, session_state, &w);
	if (w.pairs == 0) {
		snprintf(why, FC_WHY_MAX, "%.60s and %.60s have no session", e->a, e->b);
		return FAB_ENOENT;
	}
	*holds = e->up ? w.up == w.pairs : w.up == 0;
	snprintf(why, FC_WHY_MAX, "%zu of %zu sessions between %.60s and %.60s are up", w.up,
	    w.pairs, e->a, e->b);
	return FAB_OK;
}

static void
count_up(void *arg, struct fc_node *n)
{
	*(size_t *)arg += fc_node_connected(n);
}

static int
node_holds(const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	size_t up = 0, all = fc_nodes_named(f->nodes, e->a, count_up, &up);

	if (all == 0) {
		snprintf(why, FC_WHY_MAX, "no node '%.60s'", e->a);
		return FAB_ENOENT;
	}
	*holds = e->up ? up == all : up == 0;
	snprintf(why, FC_WHY_MAX, "%zu of %zu nodes of %.60s are up", up, all, e->a);
	return FAB_OK;
}

int
fc_expr_holds(const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX],
    uint64_t *recheck_ms)
{
	int err = FAB_ENOTSUP;

	switch (e->kind) {
	case FC_EXPR_CONVERGED:
		*holds = fc_converged(f, why, recheck_ms);
		return FAB_OK;
	case FC_EXPR_SETTLED:
		*holds = fc_settled(f, why, recheck_ms);
		return FAB_OK;
	case FC_EXPR_EFFECTIVE:
		err = effective_holds(f, e, holds, why);
		break;
	case FC_EXPR_SESSION:
		err = session_holds(f, e, holds, why);
		break;
	case FC_EXPR_NODE:
		err = node_holds(f, e, holds, why);
		break;
	case FC_EXPR_BACKEND:
		err = fc_cond_backend(f, e, holds, why);
		break;
	case FC_EXPR_KNOWS:
		err = fc_cond_knows(f, e, holds, why);
		break;
	case FC_EXPR_TRACE:
		err = fc_cond_trace(f, e, holds, why);
		break;
	case FC_EXPR_SYMMETRIC:
		err = fc_cond_symmetric(f, e, holds, why);
		break;
	case FC_EXPR_LOOP:
		err = fc_cond_loop(f, e, holds, why);
		break;
	case FC_EXPR_LEARNED:
	case FC_EXPR_ADVERTISED:
	case FC_EXPR_KIND_COUNT:
		break;
	}
	if (err == FAB_OK)
		*holds ^= e->negate;
	return err;
}
