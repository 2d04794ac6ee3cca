/*
 * Steps of a trace at the Internet: out by the public address of a NIC or of a site's router, and
 * in to one (SYS-2, SC-J).
 */
#include "fabricd/fc_walk.h"

#include <stdio.h>

/* ---- who has a public address ---- */

struct holder {
	int nic, site; /* one of them, the other -1 */
};

static bool
holder_of(const struct topo *t, uint32_t addr, struct holder *out)
{
	*out = (struct holder){ -1, -1 };
	for (size_t i = 0; i < t->n_nics && addr != 0; i++)
		if (t->nics[i].public_ip == addr)
			out->nic = (int)i;
	for (size_t i = 0; i < t->n_sites && addr != 0; i++)
		if (t->sites[i].public_ip == addr)
			out->site = (int)i;
	return out->nic >= 0 || out->site >= 0;
}

static const char *
holder_name(const struct topo *t, const struct holder *h)
{
	return h->nic >= 0 ? t->nics[h->nic].name : t->sites[h->site].name;
}

static void
arrive(struct fc_walk *w, const struct holder *h)
{
	const struct topo *t = w->t;

	if (h->site >= 0)
		fc_walk_deliver(w, FC_AT_SITE, h->site, t->sites[h->site].name);
	else if (t->nics[h->nic].vm >= 0 && !t->vms[t->nics[h->nic].vm].running)
		fc_walk_finish(w, FC_BLACKHOLE, "%s is not running", t->nics[h->nic].name);
	else
		fc_walk_deliver(w, FC_AT_NIC, h->nic, t->nics[h->nic].name);
}

/* ---- out ---- */

void
fc_walk_to_internet(struct fc_walk *w, const char *name, uint32_t ip, uint32_t public_ip)
{
	char buf[IPADDR_STRLEN];
	struct holder h;

	if (public_ip == 0) /* there is no default outbound access */
		fc_walk_finish(w, FC_BLACKHOLE, "%s has no public address", name);
	else if (w->from != ip)
		fc_walk_finish(w, FC_BLACKHOLE,
		    "%s does not translate what it forwards to the Internet (SC-J)", name);
	else if (holder_of(w->t, w->dst.addr, &h))
		arrive(w, &h);
	else if (w->dst.internet)
		fc_walk_deliver(w, FC_AT_INTERNET, 0, TOPO_INTERNET);
	else
		fc_walk_finish(
		    w, FC_BLACKHOLE, "%s is not on the Internet", ipaddr_format(buf, w->dst.addr));
}

void
fc_walk_translate(struct fc_walk *w, bool snat, uint32_t ip, struct fc_translator by)
{
	if (!snat || !w->dst.internet || w->from == ip || w->is_answer)
		return;
	w->from = ip;
	w->out->translator = by;
}

/* ---- in ---- */

static uint32_t
public_address(const struct topo *t, const struct fc_endpoint *e)
{
	if (e->nic >= 0)
		return t->nics[e->nic].public_ip;
	return e->site >= 0 ? t->sites[e->site].public_ip : e->addr;
}

/* Back to who translated the flow, and on to whom it translates back. */
static void
answer(struct fc_walk *w)
{
	const struct holder h = { w->answer_to.nic, w->answer_to.site };
	const struct topo *t = w->t;
	uint32_t addr = h.nic >= 0 ? t->nics[h.nic].public_ip : t->sites[h.site].public_ip;

	fc_walk_hop_to(w, FC_AT_INTERNET, 0, TOPO_INTERNET, "SC-J", (struct ipnet){ addr, 32 },
	    "public", holder_name(t, &h));
	if (h.nic >= 0)
		fc_walk_go(w, FC_STAGE_ROUTER, h.nic);
	else
		fc_walk_go(w, FC_STAGE_SITE, h.site);
}

void
fc_walk_internet(struct fc_walk *w)
{
	uint32_t addr = public_address(w->t, &w->dst);
	char buf[IPADDR_STRLEN];
	struct holder h;

	if (w->answer_to.nic >= 0 || w->answer_to.site >= 0) {
		answer(w);
	} else if (holder_of(w->t, addr, &h)) {
		fc_walk_hop_to(w, FC_AT_INTERNET, 0, TOPO_INTERNET, "ARM-14",
		    (struct ipnet){ addr, 32 }, "public", holder_name(w->t, &h));
		arrive(w, &h);
	} else {
		fc_walk_finish(w, FC_BLACKHOLE, "the Internet has no way to %s",
		    ipaddr_format(buf, w->dst.addr));
	}
}
