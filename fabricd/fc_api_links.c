/*
 * Service Fabric: links.
 */
#include "fabricd/fc_api_impl.h"
#include "fabricd/fc_link.h"
#include "fabricd/fc_link_places.h"
#include "fabricd/fc_wait.h"
#include "lib/clock.h"
#include "lib/err.h"

#include <stdio.h>
#include <string.h>

/* ---- changing ---- */

static void
link_done(void *ctx, int err, const char *why)
{
	Fab__V1__Empty reply = FAB__V1__EMPTY__INIT;
	struct fab_rpc_call *call = ctx;

	if (err == FAB_OK)
		fab_rpc_reply(call, &reply.base);
	else
		fab_rpc_fail(call,
		    err == FAB_ETIMEOUT ? FAB_RPC_DEADLINE_EXCEEDED : FAB_RPC_ABORTED, "%s",
		    why[0] == '\0' ? fab_strerror(err) : why);
}

/* What is wrong with the request; NULL: nothing. */
static const char *
read_change(struct fc_link_change *c, const Fab__V1__LinkRequest *req)
{
	*c = (struct fc_link_change){ .a = req->a,
		.b = req->b,
		.op = req->cut       ? FC_LINK_CUT
		      : req->restore ? FC_LINK_RESTORE
		      : req->clear   ? FC_LINK_CLEAR
				     : FC_LINK_SET,
		.one_way = req->one_way,
		.shape = { .delay_us = req->delay_us,
		    .jitter_us = req->jitter_us,
		    .loss_ppm = req->loss_ppm,
		    .rate = req->rate } };
	for (size_t i = 0; i < req->n_fields; i++)
		if ((unsigned)req->fields[i] <= FAB__V1__LINK_FIELD__LINK_RATE)
			c->fields |= 1u << req->fields[i];
	if (req->cut + req->restore + req->clear + req->set != 1)
		return "a link is either cut, restored, set or cleared";
	if (c->a[0] == '\0')
		return "a link has a name";
	if (c->op == FC_LINK_SET && c->fields == 0)
		return "nothing to set: delay, jitter, loss or rate";
	if (c->shape.delay_us > FC_LINK_DELAY_MAX_US || c->shape.jitter_us > FC_LINK_DELAY_MAX_US)
		return "a delay is at most 60s";
	if (c->shape.loss_ppm > 1000000)
		return "loss is at most 100%";
	return NULL;
}

static void
fail(struct fab_rpc_call *call, int err, const struct fc_link_change *c, const char *why)
{
	if (err != FAB_ENOENT)
		fab_rpc_fail(call, fab_rpc_status_of(err), "%s", why);
	else if (c->b[0] == '\0')
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND, "no NIC or node '%s'", c->a);
	else
		fab_rpc_fail(call, FAB_RPC_NOT_FOUND,
		    "'%s' and '%s' have no session with each other, and are not two regions", c->a,
		    c->b);
}

static void
describe(char text[static FC_TIMELINE_TEXT_MAX], const struct fc_link_change *c)
{
	static const char *const verbs[] = { [FC_LINK_CUT] = "cut",
		[FC_LINK_RESTORE] = "restore",
		[FC_LINK_SET] = "set",
		[FC_LINK_CLEAR] = "clear" };
	const char *arrow = c->one_way ? "->" : "<->";

	snprintf(text, FC_TIMELINE_TEXT_MAX, "link %s %.40s%s%s%s%.40s", verbs[c->op], c->a,
	    c->b[0] != '\0' ? " " : "", c->b[0] != '\0' ? arrow : "", c->b[0] != '\0' ? " " : "",
	    c->b);
}

void
fc_api_link(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__LinkRequest *req = (const Fab__V1__LinkRequest *)msg;
	char text[FC_TIMELINE_TEXT_MAX], subject[FC_TIMELINE_NAME_MAX], why[FC_STORE_WHY_MAX];
	const char *wrong;
	struct fc_link_change c;
	uint64_t now = fab_wall_us();
	struct fc *f = ctx;
	bool cut = req->cut;
	int err;

	if ((wrong = read_change(&c, req)) != NULL) {
		fab_rpc_fail(call, FAB_RPC_INVALID_ARGUMENT, "%s", wrong);
		return;
	}
	snprintf(subject, sizeof(subject), "%s", req->a);
	describe(text, &c);
	err = fc_links_change(f->links, &c, link_done, call, why); /* may end call, and req */
	if (err != FAB_OK) {
		fail(call, err, &c, why);
		return;
	}
	fc_events_add(f->events, FC_EVENT_FAULT, now, subject, "%s", text);
	fc_timeline_fault(f->timeline, now, subject, text, cut);
	fc_touch(f, true);
}

/* ---- listing ---- */

struct list {
	const struct fc *f;
	struct fc_mem *mem;
	Fab__V1__LinkInfo **v;
	size_t n, room;
	bool all; /* those as good as new too */
};

void
fc_api_fill_link(Fab__V1__LinkInfo *out, enum fc_link_kind kind, const char *from, const char *to,
    const struct fc_link_state *s, bool one_way)
{
	static const char *const kinds[] = { [FC_LINK_NODES] = "path",
		[FC_LINK_NIC_OUT] = "nic",
		[FC_LINK_NIC_IN] = "nic",
		[FC_LINK_REGIONS] = "regions" };

	fab__v1__link_info__init(out);
	out->kind = fc_unconst(kinds[kind]);
	out->a = fc_unconst(from);
	out->b = fc_unconst(to);
	out->one_way = one_way;
	out->cut = s->cut;
	out->delay_us = s->shape.delay_us;
	out->jitter_us = s->shape.jitter_us;
	out->loss_ppm = s->shape.loss_ppm;
	out->rate = s->shape.rate;
	out->from_topology = !s->cut && !s->shaped;
}

static void
fill(struct list *l, const struct fc_link_place *p, const struct fc_link_state *s, bool one_way)
{
	Fab__V1__LinkInfo *out = l->n < l->room ? fc_mem_take(l->mem, 1, sizeof(*out)) : NULL;

	if (out == NULL)
		return;
	fc_api_fill_link(out, p->kind, p->from, p->to, s, one_way);
	l->v[l->n++] = out;
}

static bool
says_nothing(const struct fc_link_state *s)
{
	return !s->cut && fc_link_shape_is_nothing(&s->shape);
}

/* One entry for both directions where they are alike: that of the first name, or of the sender. */
static void
list_place(void *arg, const struct fc_link_place *p)
{
	static const enum fc_link_kind back[] = { [FC_LINK_NODES] = FC_LINK_NODES,
		[FC_LINK_NIC_OUT] = FC_LINK_NIC_IN,
		[FC_LINK_NIC_IN] = FC_LINK_NIC_OUT,
		[FC_LINK_REGIONS] = FC_LINK_REGIONS };
	struct list *l = arg;
	const struct fc_links *ls = l->f->links;
	struct fc_link_state there = fc_links_state(ls, p->kind, p->from, p->to),
			     other = fc_links_state(ls, back[p->kind], p->to, p->from);
	bool alike = fc_link_state_eq(&there, &other);
	bool first =
	    p->kind == back[p->kind] ? strcmp(p->from, p->to) < 0 : p->kind == FC_LINK_NIC_OUT;

	if ((alike && !first) || (!l->all && says_nothing(&there) && !there.shaped))
		return;
	fill(l, p, &there, !alike);
}

static void
list_all(struct list *l)
{
	const struct topo *t = l->f->topo;

	for (const struct fc_link_row *r = NULL;
	     (r = fc_linkset_next(fc_links_set(l->f->links), r)) != NULL;)
		if (r->kind != FC_LINK_REGIONS)
			list_place(l, &(struct fc_link_place){ r->kind, r->from, r->to });
	for (size_t a = 0; a < t->n_regions; a++)
		for (size_t b = 0; b < t->n_regions; b++)
			if (a != b)
				list_place(l, &(struct fc_link_place){
						  FC_LINK_REGIONS, t->regions[a], t->regions[b] });
}

static void
count_place(void *arg, const struct fc_link_place *p)
{
	(void)p;
	++*(size_t *)arg;
}

/* No more places than these. */
static size_t
room_for(const struct fc *f, bool every)
{
	size_t n = FC_LINKS_MAX + f->topo->n_regions * f->topo->n_regions;

	if (every)
		fc_link_places_all(f->topo, count_place, &n);
	return n;
}

void
fc_api_links(void *ctx, struct fab_rpc_call *call, const ProtobufCMessage *msg)
{
	const Fab__V1__LinkQuery *req = (const Fab__V1__LinkQuery *)msg;
	Fab__V1__LinkList reply = FAB__V1__LINK_LIST__INIT;
	const struct fc *f = ctx;
	struct fc_mem mem = { 0 };
	bool every = req->every && req->a[0] == '\0';
	struct list l = {
		.f = f, .mem = &mem, .room = room_for(f, every), .all = every || req->a[0] != '\0'
	};
	const struct fc_link_change asked = { .a = req->a, .b = req->b };

	l.v = fc_mem_take(&mem, l.room, sizeof(struct Fab__V1__LinkInfo *));
	if (l.v == NULL)
		l.room = 0;
	if (every) {
		fc_link_places_all(f->topo, list_place, &l);
	} else if (!l.all) {
		list_all(&l);
	} else if (fc_link_places(f->topo, req->a, req->b, false, list_place, &l) == 0) {
		fc_mem_free(&mem);
		fail(call, FAB_ENOENT, &asked, "");
		return;
	}
	reply.value = l.v;
	reply.n_value = l.n;
	fc_api_reply(call, &mem, &reply.base);
}
