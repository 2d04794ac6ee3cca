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
#include "vswitchd/vs_user_int.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS 64

enum errand_kind { ERRAND_TAKE, ERRAND_LEAVE, ERRAND_SHOW, ERRAND_HIDE, ERRAND_END };

struct errand {
	enum errand_kind kind;
	struct user_port *port;
	struct vs_capture *capture;
	int err;
};

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
	vs_user_rebind(u);
	vs_user_bind(u, &port->p);
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
	vs_user_unbind(u, &port->p);
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
				vs_user_serve(u, &((struct user_port *)ev[i].data.ptr)->p);
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

static int
user_platform(struct vs_engine *e, int fd)
{
	struct vs_user *u = (struct vs_user *)e;
	int err;

	u->platform.p.fd = fd;
	if ((err = send_errand(u, ERRAND_TAKE, &u->platform)) != FAB_OK)
		u->platform.p.fd = -1;
	return err;
}

void
vs_user_set_hints(struct vs_engine *e, struct vs_hints *hints)
{
	((struct vs_user *)e)->hints = hints;
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
	port_close(&u->platform);
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
	int err = vs_delay_new(&u->delay, vs_user_send);

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
	.platform = user_platform,
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
	vs_port_init(&u->platform.p, "");
	pthread_mutex_init(&u->lock, NULL);
	pthread_cond_init(&u->done, NULL);
	if (open_epoll(u) != FAB_OK || open_delay(u) != FAB_OK || start_thread(u) != FAB_OK) {
		user_close(u);
		return FAB_EIO;
	}
	*out = &u->engine;
	return FAB_OK;
}
