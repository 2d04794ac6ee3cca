#include "fabricd/fc_cond.h"

#include "fabricd/fc_layers_int.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- knows ---- */

int
fc_cond_knows(const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	const struct fc_router *r;
	const uint32_t *slot = NULL;
	const char *peer = "";
	char net[IPNET_STRLEN];

	if (!fc_is_router(f->topo, e->a)) {
		snprintf(why, FC_WHY_MAX, "no NVA or site '%.60s'", e->a);
		return FAB_ENOENT;
	}
	r = fc_router_find(f->layers->routers, e->a);
	if (r != NULL && !fc_router_is_dead(f->layers, r))
		slot = fc_lpm_slot(&r->rib, e->prefix);
	if (slot != NULL)
		peer = r->peers[*slot & ~FC_STALE];
	*holds = slot != NULL && (!e->has_via || strcmp(peer, e->way) == 0);
	ipnet_format(net, e->prefix);
	if (r == NULL)
		snprintf(why, FC_WHY_MAX, "%.60s has not told its table", e->a);
	else if (slot == NULL)
		snprintf(why, FC_WHY_MAX, "%.60s does not know %s", e->a, net);
	else
		snprintf(why, FC_WHY_MAX, "%.60s knows %s from %.60s", e->a, net,
		    *peer != '\0' ? peer : "itself");
	return FAB_OK;
}

/* ---- trace ---- */

static int
find_end(const struct fc *f, const char *name, bool source, struct fc_endpoint *out,
    char why[static FC_WHY_MAX])
{
	if (fc_endpoint_parse(f->layers, out, name) != FAB_OK) {
		snprintf(why, FC_WHY_MAX, "no endpoint '%.60s'", name);
		return FAB_ENOENT;
	}
	if (!source || fc_endpoint_is_source(out))
		return FAB_OK;
	snprintf(
	    why, FC_WHY_MAX, "'%.60s' cannot send: a packet starts at a VM, NVA or site", name);
	return FAB_ENOENT;
}

/* The NVAs between the two ends, in the order of the packet: "nva1,nva3". */
static void
write_way(const struct fc *f, const struct fc_trace *t, char out[static FC_EXPR_WORD])
{
	size_t len = 0, last = t->verdict == FC_DELIVERED ? t->n_hops - 1 : t->n_hops;

	out[0] = '\0';
	for (size_t i = 1; i < last && len < FC_EXPR_WORD; i++) {
		const struct fc_trace_hop *h = &t->hops[i];

		if (h->place == FC_AT_NIC && f->topo->nics[h->index].nva >= 0)
			len += (size_t)snprintf(
			    out + len, FC_EXPR_WORD - len, "%s%s", len > 0 ? "," : "", h->node);
	}
}

int
fc_cond_trace(const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	struct fc_endpoint src, dst;
	char way[FC_EXPR_WORD];
	struct fc_trace *t;
	int err;

	if ((err = find_end(f, e->a, true, &src, why)) != FAB_OK ||
	    (err = find_end(f, e->b, false, &dst, why)) != FAB_OK)
		return err;
	if ((t = malloc(sizeof(*t))) == NULL)
		return FAB_ENOMEM;
	fc_trace_run(f->layers, src, dst, t);
	write_way(f, t, way);
	*holds = t->verdict == e->verdict && (!e->has_via || strcmp(way, e->way) == 0);
	snprintf(why, FC_WHY_MAX, "%.50s to %.50s: %s via %.60s%s%.60s", e->a, e->b,
	    fc_verdict_name(t->verdict), way[0] != '\0' ? way : "none",
	    t->reason[0] != '\0' ? ": " : "", t->reason);
	free(t);
	return FAB_OK;
}

int
fc_cond_symmetric(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	struct fc_endpoint a, b;
	char there[FC_EXPR_WORD], back[FC_EXPR_WORD];
	struct fc_trace *t;
	int err;

	if ((err = find_end(f, e->a, true, &a, why)) != FAB_OK ||
	    (err = find_end(f, e->b, true, &b, why)) != FAB_OK)
		return err;
	if ((t = calloc(2, sizeof(*t))) == NULL)
		return FAB_ENOMEM;
	fc_trace_run(f->layers, a, b, &t[0]);
	fc_trace_back(f->layers, a, b, &t[0], &t[1]);
	*holds = t[0].verdict == FC_DELIVERED && t[1].verdict == FC_DELIVERED &&
		 fc_trace_symmetric(&t[0], &t[1]);
	write_way(f, &t[0], there);
	write_way(f, &t[1], back);
	snprintf(why, FC_WHY_MAX, "%.40s to %.40s: %s via %.40s; back: %s via %.40s", e->a, e->b,
	    fc_verdict_name(t[0].verdict), there[0] != '\0' ? there : "none",
	    fc_verdict_name(t[1].verdict), back[0] != '\0' ? back : "none");
	free(t);
	return FAB_OK;
}

/* ---- loop ---- */

/* Endpoint i of all that can send: NICs, sites, clients, the Internet. NULL: there are no more. */
static const char *
end_name(const struct topo *t, size_t i)
{
	if (i < t->n_nics)
		return t->nics[i].name;
	i -= t->n_nics;
	if (i < t->n_sites)
		return t->sites[i].name;
	i -= t->n_sites;
	if (i < t->n_clients)
		return t->clients[i].name;
	return i == t->n_clients ? TOPO_INTERNET : NULL;
}

static bool
loops(const struct fc *f, const char *a, const char *b, struct fc_trace *t)
{
	struct fc_endpoint src, dst;

	return fc_endpoint_parse(f->layers, &src, a) == FAB_OK &&
	       fc_endpoint_parse(f->layers, &dst, b) == FAB_OK &&
	       (fc_trace_run(f->layers, src, dst, t), t->verdict == FC_LOOP);
}

static void
any_loop(const struct fc *f, bool *holds, char why[static FC_WHY_MAX], struct fc_trace *t)
{
	const char *a, *b;

	snprintf(why, FC_WHY_MAX, "no packet loops");
	for (size_t i = 0; (a = end_name(f->topo, i)) != NULL; i++)
		for (size_t k = 0; (b = end_name(f->topo, k)) != NULL; k++) {
			if (i == k || !loops(f, a, b, t))
				continue;
			*holds = true;
			snprintf(why, FC_WHY_MAX, "%.60s to %.60s: loop: %.100s", a, b, t->reason);
			return;
		}
}

int
fc_cond_loop(const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	size_t n = f->topo->n_nics + f->topo->n_sites + f->topo->n_clients + 1;
	struct fc_expr one = *e;
	struct fc_trace *t;

	one.verdict = FC_LOOP;
	if (e->a[0] != '\0')
		return fc_cond_trace(f, &one, holds, why);
	if (n > FC_COND_LOOP_ENDS) {
		snprintf(why, FC_WHY_MAX,
		    "%zu endpoints are too many to try every pair; name two of them", n);
		return FAB_ETOOBIG;
	}
	if ((t = malloc(sizeof(*t))) == NULL)
		return FAB_ENOMEM;
	*holds = false;
	any_loop(f, holds, why, t);
	free(t);
	return FAB_OK;
}

/* ---- backend ---- */

int
fc_cond_backend(
    const struct fc *f, const struct fc_expr *e, bool *holds, char why[static FC_WHY_MAX])
{
	const struct topo *t = f->topo;

	for (size_t i = 0; i < t->n_balancers; i++) {
		const struct topo_load_balancer *l = &t->balancers[i];

		for (size_t k = 0; k < l->n_backends; k++) {
			bool healthy;

			if (strcmp(l->name, e->a) != 0 ||
			    strcmp(t->nics[l->backends[k]].name, e->b) != 0)
				continue;
			healthy = fc_backend_is_healthy(f->layers, l, l->backends[k]);
			*holds = healthy == e->up;
			snprintf(why, FC_WHY_MAX, "backend %.60s of %.60s is %s", e->b, e->a,
			    healthy ? "up" : "down");
			return FAB_OK;
		}
	}
	snprintf(why, FC_WHY_MAX, "no load balancer '%.60s' with a backend '%.60s'", e->a, e->b);
	return FAB_ENOENT;
}
