/*
 * The way of a packet through the userspace engine: read, parse, look up, translate, send or hand
 * to the links that hold it back. Everything here runs on the engine's thread.
 */
#include "lib/err.h"
#include "vswitchd/vs_capture.h"
#include "vswitchd/vs_nat.h"
#include "vswitchd/vs_platform.h"
#include "vswitchd/vs_trunk.h"
#include "vswitchd/vs_user_int.h"

#include <string.h>
#include <sys/epoll.h>

#define BURST 32 /* frames of a port before it is the next one's turn */

/* ---- which port of the model is whose interface (under the model's lock) ---- */

void
vs_user_bind(struct vs_user *u, struct vs_port *p)
{
	const struct vs_port_conf *conf = vs_model_find(u->model, p->name);

	p->id = conf != NULL ? conf->id : 0;
	if (p->id == 0)
		return;
	if (vs_idmap_put(&u->by_id, p->id, p, NULL) != FAB_OK)
		p->id = 0; /* takes no part until the next change */
}

void
vs_user_unbind(struct vs_user *u, struct vs_port *p)
{
	if (p->id != 0)
		vs_idmap_del(&u->by_id, p->id);
	p->id = 0;
}

void
vs_user_rebind(struct vs_user *u)
{
	if (u->revision == vs_model_ports_revision(u->model))
		return;
	vs_idmap_fini(&u->by_id);
	for (struct user_port *i = u->taken; i != NULL; i = i->next)
		vs_user_bind(u, &i->p);
	u->revision = vs_model_ports_revision(u->model);
}

/* ---- packets ---- */

/* Where a frame goes. */
struct delivery {
	struct vs_port *to; /* NULL: nowhere, because of why */
	uint32_t ip;        /* the taker's */
	enum vs_drop why;
};

static struct delivery
nowhere(enum vs_drop why)
{
	return (struct delivery){ .why = why };
}

static struct delivery
deliver_to(const struct vs_user *u, uint32_t id)
{
	const struct vs_port_conf *conf = vs_model_port(u->model, id);
	struct vs_port *p = vs_idmap_get(&u->by_id, id);

	if (p == NULL || conf == NULL)
		return nowhere(VS_DROP_PORT_DOWN);
	return (struct delivery){ .to = p, .ip = conf->ip };
}

static struct delivery
deliver_to_platform(struct vs_user *u, struct vs_port *from)
{
	if (from->heard == 0)
		return nowhere(VS_DROP_NOT_CARRIED);
	from->heard--;
	return (struct delivery){ .to = &u->platform.p, .ip = IPADDR_PLATFORM };
}

static struct delivery
deliver(struct vs_user *u, struct vs_port *from, const struct vs_verdict *v)
{
	if (v->n_links > 0)
		vs_delay_sync(u->delay, u->model);
	switch (v->action) {
	case VS_TO_PORT:
		return deliver_to(u, v->port);
	case VS_TO_PLATFORM:
		return deliver_to_platform(u, from);
	case VS_DROPPED:
		break;
	}
	return nowhere(v->drop);
}

static struct delivery
route(struct vs_user *u, struct vs_port *from, const struct vs_frame *f, struct vs_verdict *v)
{
	const struct vs_port_conf *conf = vs_model_port(u->model, from->id);

	if (conf != NULL && conf->mtu != 0 && f->size > conf->mtu)
		return nowhere(VS_DROP_BAD_FRAME); /* its own interface would not have sent it */
	vs_lookup(u->model, from->id, &f->flow, v);
	return deliver(u, from, v);
}

/* from NULL: nobody who would be to blame is left. */
static void
blame(struct vs_port *from, enum vs_drop why)
{
	if (from != NULL)
		vs_port_dropped(from, why);
}

static int
write_frame(struct vs_port *to, uint8_t *frame, size_t len)
{
	if (to->slot != 0)
		vs_trunk_address(frame, to->slot);
	return vs_port_write(to, frame, len);
}

/* The trunk's address in the frame is nobody's to see. */
static int
write_and_show(struct vs_port *to, uint8_t *frame, size_t len)
{
	uint8_t macs[12];
	int err;

	memcpy(macs, frame + VS_VNET_HDR, sizeof(macs));
	err = write_frame(to, frame, len);
	memcpy(frame + VS_VNET_HDR, macs, sizeof(macs));
	vs_port_show(to, frame, len, false, err == FAB_EBUSY ? VS_DROP_FULL : VS_DROP_COUNT);
	return err;
}

void
vs_user_send(struct vs_port *from, struct vs_port *to, uint8_t *frame, size_t len)
{
	int err =
	    to->captures == NULL ? write_frame(to, frame, len) : write_and_show(to, frame, len);

	switch (err) {
	case FAB_OK:
		return;
	case FAB_EBUSY:
		vs_port_dropped(to, VS_DROP_FULL);
		return;
	case FAB_EINVAL:
		blame(from, VS_DROP_BAD_FRAME);
		return;
	default:
		blame(from, VS_DROP_PORT_DOWN);
	}
}

static void
send_over(struct vs_user *u, const struct vs_verdict *v, struct vs_port *from, struct vs_port *to,
    size_t len)
{
	if (v->n_links == 0)
		vs_user_send(from, to, u->frame, len);
	else
		vs_delay_put(u->delay, v, from, to, u->frame, len);
}

/* A cache could have carried it: what it was sent by, nothing on the way has touched it. */
static void
give_hint(const struct vs_user *u, const struct vs_port *from, const struct vs_frame *f,
    const struct vs_verdict *v, const struct vs_port *to)
{
	struct vs_hint hint = {
		.key = { .from = from->slot, .src = f->flow.src, .dst = f->flow.dst },
		.packet = f->flow
	};

	if (u->hints == NULL || from->slot == 0 || to->slot == 0 || v->n_links > 0 ||
	    (v->src | v->dst) != 0 || (v->by_hash && f->ports == 0))
		return;
	if (v->by_hash) {
		hint.key.proto = f->proto;
		hint.key.ports = f->ports;
	}
	vs_hints_see(u->hints, &hint);
}

static void
forward(struct vs_user *u, struct vs_port *from, const struct vs_frame *f, size_t len)
{
	struct vs_verdict v = { .n_links = 0 };
	struct delivery d;

	vs_model_lock(u->model);
	vs_user_rebind(u);
	d = route(u, from, f, &v);
	vs_model_unlock(u->model);
	if (d.to == NULL) {
		vs_port_dropped(from, d.why);
		return;
	}
	if (v.action == VS_TO_PORT)
		give_hint(u, from, f, &v, d.to);
	if ((v.src | v.dst) != 0)
		vs_nat_apply(u->frame, len, v.src, v.dst);
	vs_frame_set_macs(u->frame, d.ip);
	if (v.action == VS_TO_PLATFORM)
		vs_platform_address(u->frame + VS_PLATFORM_SRC, from->id);
	send_over(u, &v, from, d.to, len);
}

/* A frame of the platform's. */
static void
probe(struct vs_user *u, size_t len)
{
	struct vs_verdict v = { .n_links = 0 };
	struct delivery d;
	struct vs_frame f;

	vs_frame_parse(&f, u->frame, len);
	if (f.kind != VS_FRAME_IPV4)
		return;
	vs_model_lock(u->model);
	vs_user_rebind(u);
	vs_lookup_probe(u->model, vs_platform_port(u->frame + VS_PLATFORM_DST), &v);
	d = deliver(u, NULL, &v);
	vs_model_unlock(u->model);
	if (d.to == NULL)
		return; /* whoever asks notices that nobody answers */
	d.to->heard = VS_PLATFORM_CREDIT;
	vs_frame_set_macs(u->frame, d.ip);
	send_over(u, &v, &u->platform.p, d.to, len);
}

static void
answer_arp(struct vs_user *u, struct vs_port *from, const struct vs_frame *f)
{
	uint8_t reply[VS_ARP_REPLY_LEN];
	const struct vs_port_conf *conf;
	uint32_t own = 0;
	size_t len;

	vs_model_lock(u->model);
	vs_user_rebind(u);
	if ((conf = vs_model_port(u->model, from->id)) != NULL && conf->up)
		own = conf->ip;
	vs_model_unlock(u->model);
	if (own == 0)
		vs_port_dropped(from, VS_DROP_PORT_DOWN);
	else if ((len = vs_frame_arp_reply(reply, f, own)) > 0)
		vs_user_send(from, from, reply, len);
}

static void
handle_frame(struct vs_user *u, struct vs_port *from, size_t len)
{
	struct vs_frame f;

	vs_frame_parse(&f, u->frame, len);
	switch (f.kind) {
	case VS_FRAME_IPV4:
		forward(u, from, &f, len);
		break;
	case VS_FRAME_ARP:
		answer_arp(u, from, &f);
		break;
	case VS_FRAME_ARP_OTHER:
		break;
	case VS_FRAME_NOT_UNICAST: /* also DHCP's, from 0.0.0.0 (UDR-3) */
		vs_port_dropped(
		    from, f.size > 0 && f.flow.src == 0 ? VS_DROP_SOURCE : VS_DROP_NOT_UNICAST);
		break;
	case VS_FRAME_BAD:
		vs_port_dropped(from, VS_DROP_BAD_FRAME);
		break;
	}
}

/* Who sent the frame that was read from p; NULL: nobody who is attached. */
static struct vs_port *
sender(struct vs_user *u, struct vs_port *p, size_t len)
{
	struct vs_port *from = p;

	if (p == &u->trunk.p &&
	    (from = vs_idmap_get(&u->by_slot, vs_trunk_sender(u->frame, len))) != NULL)
		vs_port_count_read(from, len);
	return from;
}

/* As it came, with what became of it. A question is shown before its answer. */
static void
handle_and_show(struct vs_user *u, struct vs_port *from, size_t len)
{
	bool arp = vs_frame_is_arp(u->frame, len);

	memcpy(u->shown, u->frame, len);
	from->last_drop = VS_DROP_COUNT;
	if (arp)
		vs_port_show(from, u->shown, len, true, VS_DROP_COUNT);
	handle_frame(u, from, len);
	if (!arp)
		vs_port_show(from, u->shown, len, true, from->last_drop);
}

void
vs_user_serve(struct vs_user *u, struct vs_port *p)
{
	for (unsigned i = 0; i < BURST; i++) {
		ssize_t n = vs_port_read(p, u->frame, sizeof(u->frame));
		struct vs_port *from;

		if (n == 0)
			return;
		if (n < 0) { /* or epoll would report its end for ever */
			epoll_ctl(u->epoll, EPOLL_CTL_DEL, p->fd, NULL);
			atomic_store(&p->live, false);
			return;
		}
		if ((from = sender(u, p, (size_t)n)) == NULL)
			continue;
		if (from == &u->platform.p)
			probe(u, (size_t)n);
		else if (from->captures == NULL)
			handle_frame(u, from, (size_t)n);
		else
			handle_and_show(u, from, (size_t)n);
	}
}
