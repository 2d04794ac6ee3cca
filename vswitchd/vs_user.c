/*
 * The userspace engine.
 *
 * The loop thread owns the list of ports; the engine's thread owns what it does with those that it
 * was given. Between them there is one errand at a time (take this port, leave that one, end), for
 * which the loop waits: the engine looks for it after each burst. The model's lock is held for the
 * lookup of each packet and never over a system call, so an update waits for microseconds however
 * busy the engine is.
 */
#include "vswitchd/vs_user.h"

#include "lib/err.h"
#include "vswitchd/vs_capture.h"
#include "vswitchd/vs_delay.h"
#include "vswitchd/vs_frame.h"
#include "vswitchd/vs_idmap.h"
#include "vswitchd/vs_nat.h"
#include "vswitchd/vs_port.h"
#include "vswitchd/vs_trunk.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uthash.h>

#define BURST  32 /* frames of a port before it is the next one's turn */
#define EVENTS 64

struct user_port {
	struct vs_port p; /* first */
	UT_hash_handle hh;
	struct user_port *prev, *next; /* of those that the engine has */
};

enum errand_kind { ERRAND_TAKE, ERRAND_LEAVE, ERRAND_SHOW, ERRAND_HIDE, ERRAND_END };

struct errand {
	enum errand_kind kind;
	struct user_port *port;
	struct vs_capture *capture;
	int err;
};

struct vs_user {
	struct vs_engine engine; /* first */
	struct vs_model *model;
	int epoll, wake;
	pthread_t thread;

	struct user_port *ports; /* by name; loop thread */
	struct user_port trunk;  /* fd < 0: none */

	pthread_mutex_t lock; /* around errand */
	pthread_cond_t done;
	struct errand *errand;
	_Atomic bool waiting;

	/* Engine's thread. */
	struct vs_delay *delay; /* frames on slow links */
	struct user_port *taken;
	struct vs_idmap by_id;   /* struct vs_port, of the taken ones that the model has */
	struct vs_idmap by_slot; /* struct vs_port, of the taken ones at the trunk */
	uint64_t revision;       /* of the model's ports that by_id was made from */
	bool end;
	uint8_t frame[VS_FRAME_MAX + 1]; /* one more: too long is seen */
	uint8_t shown[VS_FRAME_MAX + 1]; /* as it was read, of a port that is captured */
};

/* ---- which port of the model is whose interface (under the model's lock) ---- */

static void
bind_port(struct vs_user *u, struct vs_port *p)
{
	const struct vs_port_conf *conf = vs_model_find(u->model, p->name);

	p->id = conf != NULL ? conf->id : 0;
	if (p->id == 0)
		return;
	if (vs_idmap_put(&u->by_id, p->id, p, NULL) != FAB_OK)
		p->id = 0; /* takes no part until the next change */
}

static void
unbind_port(struct vs_user *u, struct vs_port *p)
{
	if (p->id != 0)
		vs_idmap_del(&u->by_id, p->id);
	p->id = 0;
}

/* An update may have given a name another id. */
static void
rebind(struct vs_user *u)
{
	if (u->revision == vs_model_ports_revision(u->model))
		return;
	vs_idmap_fini(&u->by_id);
	for (struct user_port *i = u->taken; i != NULL; i = i->next)
		bind_port(u, &i->p);
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
route(const struct vs_user *u, const struct vs_port *from, const struct vs_frame *f,
    struct vs_verdict *v)
{
	const struct vs_port_conf *conf = vs_model_port(u->model, from->id);

	if (conf != NULL && conf->mtu != 0 && f->size > conf->mtu)
		return nowhere(VS_DROP_BAD_FRAME); /* its own interface would not have sent it */
	vs_lookup(u->model, from->id, &f->flow, v);
	if (v->n_links > 0)
		vs_delay_sync(u->delay, u->model);
	return v->action == VS_TO_PORT ? deliver_to(u, v->port) : nowhere(v->drop);
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

static void
send_frame(struct vs_port *from, struct vs_port *to, uint8_t *frame, size_t len)
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
forward(struct vs_user *u, struct vs_port *from, const struct vs_frame *f, size_t len)
{
	struct vs_verdict v = { .n_links = 0 };
	struct delivery d;

	vs_model_lock(u->model);
	rebind(u);
	d = route(u, from, f, &v);
	vs_model_unlock(u->model);
	if (d.to == NULL) {
		vs_port_dropped(from, d.why);
		return;
	}
	if ((v.src | v.dst) != 0)
		vs_nat_apply(u->frame, len, v.src, v.dst);
	vs_frame_set_macs(u->frame, d.ip);
	if (v.n_links == 0)
		send_frame(from, d.to, u->frame, len);
	else
		vs_delay_put(u->delay, &v, from, d.to, u->frame, len);
}

static void
answer_arp(struct vs_user *u, struct vs_port *from, const struct vs_frame *f)
{
	uint8_t reply[VS_ARP_REPLY_LEN];
	const struct vs_port_conf *conf;
	uint32_t own = 0;
	size_t len;

	vs_model_lock(u->model);
	rebind(u);
	if ((conf = vs_model_port(u->model, from->id)) != NULL && conf->up)
		own = conf->ip;
	vs_model_unlock(u->model);
	if (own == 0)
		vs_port_dropped(from, VS_DROP_PORT_DOWN);
	else if ((len = vs_frame_arp_reply(reply, f, own)) > 0)
		send_frame(from, from, reply, len);
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

/* The rest waits for the port's next turn: epoll reports it again, behind the others. */
static void
serve(struct vs_user *u, struct vs_port *p)
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
		if (from->captures == NULL)
			handle_frame(u, from, (size_t)n);
		else
			handle_and_show(u, from, (size_t)n);
	}
}

/* ---- errands ---- */

/* From now on frames of that port are looked at. */
static int
listen_to(struct vs_user *u, struct user_port *port)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = port };

	if (port->p.slot != 0)
		return vs_idmap_put(&u->by_slot, port->p.slot, &port->p, NULL);
	return epoll_ctl(u->epoll, EPOLL_CTL_ADD, port->p.fd, &ev) == 0 ? FAB_OK : FAB_EIO;
}

static int
take(struct vs_user *u, struct user_port *port)
{
	int err = listen_to(u, port);

	if (err != FAB_OK)
		return err;
	port->prev = NULL;
	if ((port->next = u->taken) != NULL)
		port->next->prev = port;
	u->taken = port;
	vs_model_lock(u->model);
	rebind(u);
	bind_port(u, &port->p);
	vs_model_unlock(u->model);
	atomic_store(&port->p.live, true);
	return FAB_OK;
}

static void
leave(struct vs_user *u, struct user_port *port)
{
	if (port->p.slot != 0)
		vs_idmap_del(&u->by_slot, port->p.slot);
	else
		epoll_ctl(u->epoll, EPOLL_CTL_DEL, port->p.fd, NULL); /* may have failed before */
	atomic_store(&port->p.live, false);
	vs_delay_forget(u->delay, &port->p);
	unbind_port(u, &port->p);
	if (port->next != NULL)
		port->next->prev = port->prev;
	if (port->prev != NULL)
		port->prev->next = port->next;
	else
		u->taken = port->next;
}

static void
show_to(struct vs_port *p, struct vs_capture *c)
{
	c->next = p->captures;
	p->captures = c;
}

static void
hide_from(struct vs_port *p, struct vs_capture *c)
{
	for (struct vs_capture **at = &p->captures; *at != NULL; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			return;
		}
}

static void
run_errand(struct vs_user *u)
{
	uint64_t n;

	pthread_mutex_lock(&u->lock);
	if (read(u->wake, &n, sizeof(n)) == (ssize_t)sizeof(n) && u->errand != NULL) {
		struct errand *e = u->errand;

		e->err = FAB_OK;
		if (e->kind == ERRAND_TAKE)
			e->err = take(u, e->port);
		else if (e->kind == ERRAND_LEAVE)
			leave(u, e->port);
		else if (e->kind == ERRAND_SHOW)
			show_to(&e->port->p, e->capture);
		else if (e->kind == ERRAND_HIDE)
			hide_from(&e->port->p, e->capture);
		else
			u->end = true;
		u->errand = NULL;
		atomic_store(&u->waiting, false);
		pthread_cond_signal(&u->done);
	}
	pthread_mutex_unlock(&u->lock);
}

/* Loop thread. */
static int
send_and_wait(struct vs_user *u, struct errand *e)
{
	uint64_t one = 1;

	pthread_mutex_lock(&u->lock);
	u->errand = e;
	atomic_store(&u->waiting, true);
	FAB_ASSERT(write(u->wake, &one, sizeof(one)) == (ssize_t)sizeof(one));
	while (u->errand != NULL)
		pthread_cond_wait(&u->done, &u->lock);
	pthread_mutex_unlock(&u->lock);
	return e->err;
}

static int
send_errand(struct vs_user *u, enum errand_kind kind, struct user_port *port)
{
	return send_and_wait(u, &(struct errand){ .kind = kind, .port = port });
}

static void *
run(void *arg)
{
	struct vs_user *u = arg;
	struct epoll_event ev[EVENTS];

	while (!u->end) {
		int n = epoll_wait(u->epoll, ev, EVENTS, -1);

		for (int i = 0; i < n && !atomic_load(&u->waiting); i++)
			if (ev[i].data.ptr == u->delay)
				vs_delay_run(u->delay);
			else if (ev[i].data.ptr != NULL)
				serve(u, &((struct user_port *)ev[i].data.ptr)->p);
		/* What an errand leaves may still be in ev: ask anew after it. */
		if (atomic_load(&u->waiting))
			run_errand(u);
	}
	return NULL;
}

/* ---- loop thread ---- */

static struct user_port *
port_find(const struct vs_user *u, const char *name)
{
	struct user_port *port;

	HASH_FIND_STR(u->ports, name, port);
	return port;
}

static void
port_free(struct vs_user *u, struct user_port *port)
{
	HASH_DEL(u->ports, port);
	free(port);
}

/* Names that nobody uses any more make room for new ones. */
static bool
have_room(struct vs_user *u)
{
	struct user_port *port, *tmp;

	if (HASH_COUNT(u->ports) < VS_PORTS_MAX)
		return true;
	HASH_ITER (hh, u->ports, port, tmp)
		if (port->p.fd < 0 && port->p.captures == NULL)
			port_free(u, port);
	return HASH_COUNT(u->ports) < VS_PORTS_MAX;
}

static int
port_get(struct vs_user *u, const char *name, struct user_port **out)
{
	struct user_port *port = port_find(u, name);
	size_t len = strnlen(name, VS_NAME_MAX);

	if (port == NULL) {
		if (len == 0 || len == VS_NAME_MAX)
			return FAB_EINVAL;
		if (!have_room(u))
			return FAB_ETOOBIG;
		if ((port = malloc(sizeof(*port))) == NULL)
			return FAB_ENOMEM;
		vs_port_init(&port->p, name);
		HASH_ADD_STR(u->ports, p.name, port);
	}
	*out = port;
	return port->p.fd < 0 ? FAB_OK : FAB_EEXIST;
}

static int
attach_port(struct vs_user *u, const char *name, int fd, uint32_t slot)
{
	struct user_port *port;
	int err;

	if ((err = port_get(u, name, &port)) != FAB_OK)
		return err;
	port->p.fd = fd;
	port->p.slot = slot;
	if ((err = send_errand(u, ERRAND_TAKE, port)) != FAB_OK)
		port->p.fd = -1;
	return err;
}

static int
user_attach(struct vs_engine *e, const char *name, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return FAB_EINVAL;
	return attach_port((struct vs_user *)e, name, fd, 0);
}

int
vs_user_attach_slot(struct vs_engine *e, const char *name, uint32_t slot)
{
	struct vs_user *u = (struct vs_user *)e;

	return attach_port(u, name, u->trunk.p.fd, slot);
}

int
vs_user_set_trunk(struct vs_engine *e, int fd)
{
	struct vs_user *u = (struct vs_user *)e;
	int err;

	u->trunk.p.fd = fd;
	if ((err = send_errand(u, ERRAND_TAKE, &u->trunk)) != FAB_OK)
		u->trunk.p.fd = -1;
	return err;
}

static void
port_close(struct user_port *port)
{
	if (port->p.fd >= 0 && port->p.slot == 0)
		close(port->p.fd);
	port->p.fd = -1;
}

static int
user_detach(struct vs_engine *e, const char *name)
{
	struct vs_user *u = (struct vs_user *)e;
	struct user_port *port = port_find(u, name);

	if (port == NULL || port->p.fd < 0)
		return FAB_ENOENT;
	send_errand(u, ERRAND_LEAVE, port);
	port_close(port);
	return FAB_OK;
}

static int
user_counters(const struct vs_engine *e, const char *name, struct vs_counters *out)
{
	const struct user_port *port = port_find((const struct vs_user *)e, name);

	if (port == NULL)
		return FAB_ENOENT;
	vs_port_counters(&port->p, out);
	return FAB_OK;
}

static void
user_each(const struct vs_engine *e, vs_counters_fn *fn, void *arg)
{
	const struct vs_user *u = (const struct vs_user *)e;
	struct user_port *port, *tmp;
	struct vs_counters c;

	HASH_ITER (hh, u->ports, port, tmp) {
		vs_port_counters(&port->p, &c);
		fn(arg, port->p.name, &c);
	}
}

static int
user_capture(struct vs_engine *e, const char *name, struct vs_capture *c, bool on)
{
	struct vs_user *u = (struct vs_user *)e;
	struct user_port *port = port_find(u, name);

	if (port == NULL)
		return FAB_ENOENT;
	return send_and_wait(u,
	    &(struct errand){ .kind = on ? ERRAND_SHOW : ERRAND_HIDE, .port = port, .capture = c });
}

static void
user_close(struct vs_user *u)
{
	if (u->epoll >= 0)
		close(u->epoll);
	if (u->wake >= 0)
		close(u->wake);
	pthread_cond_destroy(&u->done);
	pthread_mutex_destroy(&u->lock);
	vs_delay_free(u->delay);
	vs_idmap_fini(&u->by_id);
	vs_idmap_fini(&u->by_slot);
	free(u);
}

static void
user_free(struct vs_engine *e)
{
	struct vs_user *u = (struct vs_user *)e;
	struct user_port *port, *tmp;

	send_errand(u, ERRAND_END, NULL);
	pthread_join(u->thread, NULL);
	HASH_ITER (hh, u->ports, port, tmp) {
		port_close(port);
		port_free(u, port);
	}
	port_close(&u->trunk);
	user_close(u);
}

/* Signals are the loop's business. */
static int
start_thread(struct vs_user *u)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&u->thread, NULL, run, u);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0)
		return FAB_EIO;
	pthread_setname_np(u->thread, "packets");
	return FAB_OK;
}

static int
open_epoll(struct vs_user *u)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = NULL }; /* NULL: the errands */

	u->epoll = epoll_create1(EPOLL_CLOEXEC);
	u->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->epoll < 0 || u->wake < 0 || epoll_ctl(u->epoll, EPOLL_CTL_ADD, u->wake, &ev) != 0)
		return FAB_EIO;
	return FAB_OK;
}

static int
open_delay(struct vs_user *u)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int err = vs_delay_new(&u->delay, send_frame);

	if (err != FAB_OK)
		return err;
	ev.data.ptr = u->delay;
	return epoll_ctl(u->epoll, EPOLL_CTL_ADD, vs_delay_fd(u->delay), &ev) == 0 ? FAB_OK
										   : FAB_EIO;
}

static const struct vs_engine_ops user_ops = {
	.name = "userspace",
	.free = user_free,
	.attach = user_attach,
	.detach = user_detach,
	.counters = user_counters,
	.each = user_each,
	.capture = user_capture,
};

int
vs_user_new(struct vs_engine **out, struct vs_model *m)
{
	struct vs_user *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return FAB_ENOMEM;
	u->engine.ops = &user_ops;
	u->model = m;
	vs_port_init(&u->trunk.p, "");
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->done, NULL);
	if (open_epoll(u) != FAB_OK || open_delay(u) != FAB_OK || start_thread(u) != FAB_OK) {
		user_close(u);
		return FAB_EIO;
	}
	*out = &u->engine;
	return FAB_OK;
}
