/*
 * Every route that could carry a prefix from a NIC, and why it does or does not: the same selection
 * as the listing, spelled out. Candidates are the routes that contain the prefix; a prefix that no
 * route names exactly also gets the routes inside it.
 */
#include "fabricd/fc_eff.h"

#include "fabricd/fc_layers_int.h"
#include "lib/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct explain {
	struct fc_view v;
	const struct fc_lpm *bgp; /* of the scope, whether it reaches the subnet or not */
	struct ipnet what;
	bool found;
	struct fc_eff_route winner;
	struct fc_candidate *c;
	size_t n, cap;
	bool exact; /* some route is for exactly this prefix */
	bool failed;
};

static struct fc_candidate *
add(struct explain *x, const struct fc_eff_route *row)
{
	struct fc_candidate *c;

	if (x->n == FC_EXPLAIN_MAX)
		return NULL;
	if (x->n == x->cap) {
		size_t cap = x->cap == 0 ? 16 : x->cap * 2;

		if ((c = realloc(x->c, cap * sizeof(*c))) == NULL) {
			x->failed = true;
			return NULL;
		}
		x->c = c;
		x->cap = cap;
	}
	c = &x->c[x->n++];
	c->route = *row;
	x->exact = x->exact || ipnet_eq(row->prefix, x->what);
	return c;
}

__attribute__((format(printf, 3, 4))) static void
say(struct fc_candidate *c, const char *rule, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->verdict, sizeof(c->verdict), fmt, ap);
	va_end(ap);
	c->rule = rule;
}

static bool
has(const struct fc_lpm *t, struct ipnet net)
{
	return t != NULL && fc_lpm_slot(t, net) != NULL;
}

/* An active route: does it carry the prefix? */
static void
judge_active(struct explain *x, struct fc_candidate *c)
{
	const struct fc_eff_route *r = &c->route, *w = &x->winner;
	char buf[IPNET_STRLEN];

	if (!ipnet_contains(r->prefix, x->what))
		say(c, fc_view_rule(&x->v, r, r->prefix), "active for its part of the prefix");
	else if (x->found && w->source == r->source && ipnet_eq(w->prefix, r->prefix))
		say(c, fc_view_rule(&x->v, r, x->what),
		    r->hop == FC_HOP_NONE && r->source == FC_SRC_GATEWAY
			? "chosen, but its next hop is not directly reachable: dropped"
			: "chosen");
	else if (r->source == FC_SRC_USER && fc_hop_is_vnet(w->hop) && w->source == FC_SRC_DEFAULT)
		say(c, "EFF-8", "beaten by longer prefix %s %s", ipnet_format(buf, w->prefix),
		    fc_hop_name(w->hop));
	else
		say(c, "EFF-6", "beaten by longer prefix %s", ipnet_format(buf, w->prefix));
}

/* A User route of the same prefix makes a row Invalid (EFF-13). */
static bool
judge_user(struct explain *x, struct fc_candidate *c)
{
	char buf[IPNET_STRLEN];

	if (!has(x->v.user, c->route.prefix))
		return false;
	c->route.state = FC_INVALID;
	say(c, "EFF-6", "beaten by User %s", ipnet_format(buf, c->route.prefix));
	return true;
}

/* It takes no route that anybody made or learned. */
static bool
is_platform(struct ipnet what)
{
	return what.addr == IPADDR_PLATFORM && what.len == 32;
}

static bool
judge_platform(const struct explain *x, struct fc_candidate *c)
{
	if (!is_platform(x->what))
		return false;
	say(c, "", "does not count: the platform has this address");
	return true;
}

static void
add_system(struct explain *x, const struct fc_sys_route *r)
{
	struct fc_eff_route row;
	struct fc_candidate *c;
	char buf[IPNET_STRLEN];

	fc_view_sys_row(&row, r);
	if ((c = add(x, &row)) == NULL)
		return;
	if (is_platform(x->what))
		judge_active(x, c);
	else if (r->hop == FC_HOP_NONE && x->v.default_overridden)
		say(c, "SYS-5", "absent: 0.0.0.0/0 is overridden");
	else if (!fc_hop_is_vnet(r->hop) && has(x->v.bgp, r->prefix))
		say(c, "EFF-14", "absent: BGP %s is present", ipnet_format(buf, r->prefix));
	else if (!judge_user(x, c))
		judge_active(x, c);
}

static void
add_user(struct explain *x, size_t udr)
{
	struct fc_eff_route row;
	struct fc_candidate *c;

	fc_view_user_row(&x->v, &row, udr);
	if ((c = add(x, &row)) != NULL && !judge_platform(x, c))
		judge_active(x, c);
}

static void
add_bgp(struct explain *x, struct fc_lpm_hit hit)
{
	const struct fc_sys_route *guard = fc_sys_suppressor(x->v.sys, hit.net);
	struct fc_eff_route row;
	struct fc_candidate *c;
	char buf[IPNET_STRLEN];

	fc_view_bgp_row(&x->v, &row, hit);
	if ((c = add(x, &row)) == NULL)
		return;
	if (judge_platform(x, c))
		return;
	if (!x->v.propagates)
		say(c, "UDR-7", "ignored: the route table disables BGP propagation");
	else if (x->v.starved)
		say(c, "RS-23", "ignored: the Route Server has no room for this VM yet");
	else if (guard != NULL)
		say(c, "EFF-7", "hidden: %s %s wins over BGP", fc_hop_name(guard->hop),
		    ipnet_format(buf, guard->prefix));
	else if (!judge_user(x, c))
		judge_active(x, c);
}

/* What reporters of the scope know for net and this NIC does not use. */
static void
add_others(struct explain *x, struct ipnet net)
{
	struct fc_bgp_other o[FC_FEEDS_MAX];
	size_t n = fc_bgp_others(&x->v.l->bgp, x->v.scope, x->v.instance, net, o);

	for (size_t i = 0; i < n; i++) {
		struct fc_eff_route row;
		struct fc_candidate *c;

		fc_view_bgp_row(&x->v, &row, (struct fc_lpm_hit){ net, o[i].value });
		if ((c = add(x, &row)) == NULL)
			return;
		if (strcmp(o[i].rule, "RS-66") == 0)
			say(c, o[i].rule, "known to %s, which does not serve this NIC",
			    o[i].reporter);
		else if (strcmp(o[i].rule, "RS-93") == 0)
			say(c, o[i].rule, "does not count: %s is gone", o[i].reporter);
		else
			say(c, o[i].rule, "of %s, beaten by another route of the same prefix",
			    o[i].reporter);
	}
}

/* PEER-4: whether the VNet has synced that prefix of its peer. */
static bool
knows(const struct topo_peering *p, struct ipnet net)
{
	for (size_t i = 0; i < p->space.n; i++)
		if (ipnet_eq(p->space.v[i], net))
			return true;
	return false;
}

/* PEER-1: a peering that is not Connected has no routes, and PEER-13: one that has just become so
 * neither; say so where one is asked for. */
static void
add_unconnected(struct explain *x)
{
	static const char *const states[] = {
		[PEERING_INITIATED] = "Initiated",
		[PEERING_CONNECTED] = "Connected",
		[PEERING_DISCONNECTED] = "Disconnected",
	};
	const struct topo *t = x->v.l->topo;

	for (size_t i = 0; i < t->n_peerings; i++) {
		const struct topo_peering *p = &t->peerings[i];
		const struct topo_nets *space = &t->vnets[p->remote].space;
		bool connected = p->state == PEERING_CONNECTED;

		if (p->vnet != x->v.vnet ||
		    (connected && !p->late && strcmp(topo_peering_sync(t, p), "FullyInSync") == 0))
			continue;
		for (size_t j = 0; j < space->n; j++) {
			struct fc_sys_route r = { space->v[j],
				p->global ? FC_HOP_VNET_GLOBAL_PEERING : FC_HOP_VNET_PEERING,
				p->remote };
			struct fc_eff_route row;
			struct fc_candidate *c;

			fc_view_sys_row(&row, &r);
			if ((connected && !p->late && knows(p, r.prefix)) ||
			    !ipnet_contains(r.prefix, x->what) || (c = add(x, &row)) == NULL)
				continue;
			if (connected && !p->late)
				say(c, "PEER-4", "absent: the peering is %s",
				    topo_peering_sync(t, p));
			else if (p->late)
				say(c, "PEER-13", "absent: NICs do not have its routes yet");
			else
				say(c, "PEER-1", "absent: the peering is %s", states[p->state]);
		}
	}
}

static void
add_containing(struct explain *x)
{
	struct fc_lpm_hit hits[FC_LPM_DEPTH];
	struct ipnet nets[FC_LPM_DEPTH];
	size_t n = fc_lpm_match(&x->v.sys->lpm, x->what, hits);

	for (size_t i = 0; i < n; i++)
		add_system(x, &x->v.sys->v[hits[i].value]);
	n = x->v.user != NULL ? fc_lpm_match(x->v.user, x->what, hits) : 0;
	for (size_t i = 0; i < n; i++)
		add_user(x, hits[i].value);
	n = x->bgp != NULL ? fc_lpm_match(x->bgp, x->what, hits) : 0;
	for (size_t i = 0; i < n; i++)
		add_bgp(x, hits[i]);
	n = fc_bgp_match_all(&x->v.l->bgp, x->v.scope, x->what, nets);
	for (size_t i = 0; i < n; i++)
		add_others(x, nets[i]);
	add_unconnected(x);
}

static void
add_inside(struct explain *x)
{
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;

	fc_lpm_walk(&it, &x->v.sys->lpm, x->what);
	while (fc_lpm_next(&it, &hit))
		add_system(x, &x->v.sys->v[hit.value]);
	if (x->v.user != NULL) {
		fc_lpm_walk(&it, x->v.user, x->what);
		while (fc_lpm_next(&it, &hit))
			add_user(x, hit.value);
	}
	if (x->bgp != NULL) {
		fc_lpm_walk(&it, x->bgp, x->what);
		while (fc_lpm_next(&it, &hit))
			add_bgp(x, hit);
	}
}

/* The chosen one, then longer prefixes, then user before BGP before system. */
static int
candidate_cmp(const void *a, const void *b)
{
	const struct fc_candidate *x = a, *y = b;
	bool cx = strncmp(x->verdict, "chosen", 6) == 0, cy = strncmp(y->verdict, "chosen", 6) == 0;

	if (cx != cy)
		return cx ? -1 : 1;
	if (x->route.prefix.len != y->route.prefix.len)
		return (int)y->route.prefix.len - (int)x->route.prefix.len;
	if (x->route.source != y->route.source)
		return (int)y->route.source - (int)x->route.source;
	return ipnet_cmp(&x->route.prefix, &y->route.prefix);
}

int
fc_eff_explain(
    const struct fc_layers *l, int nic, struct ipnet what, struct fc_candidate **out, size_t *n)
{
	struct explain x = { .what = what };
	struct fc_view only;

	fc_view_nic(&x.v, l, nic);
	x.bgp = fc_bgp_table(&l->bgp, x.v.scope, x.v.instance);
	only = x.v;
	if (is_platform(what))
		fc_view_only_system(&only);
	x.found = fc_view_lookup(&only, what, &x.winner);
	add_containing(&x);
	if (!x.exact)
		add_inside(&x);
	if (x.failed) {
		free(x.c);
		return FAB_ENOMEM;
	}
	if (x.n > 1)
		qsort(x.c, x.n, sizeof(*x.c), candidate_cmp);
	*out = x.c;
	*n = x.n;
	return FAB_OK;
}
