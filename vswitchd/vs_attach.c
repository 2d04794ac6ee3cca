#include "vswitchd/vs_attach.h"

#include "lib/attach.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/tap.h"
#include "lib/topo.h"
#include "vswitchd/vs_answer.h"
#include "vswitchd/vs_netlink.h"
#include "vswitchd/vs_tap.h"
#include "vswitchd/vs_veth.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#define ACCEPTS_PER_TURN 64
#define ACCEPT_PAUSE_MS  100  /* when the process has no descriptors left */
#define WARNINGS_MAX     10   /* lines about what guests did wrong ... */
#define WARNINGS_MS      1000 /* ... in this time */

_Static_assert(ATTACH_NAME_MAX == VS_NAME_MAX, "every name of a port fits into a hello");
_Static_assert(ATTACH_TEXT_MAX >= VS_WHY_MAX && VS_WHY_MAX >= FAB_TAP_WHY_MAX, "reasons fit");

enum conn_state {
	CONN_NEW,     /* no hello yet */
	CONN_WAITING, /* for its port; what the hello brought is in hello */
	CONN_PLUGGED  /* the engine has the TAP */
};

struct conn {
	struct vs_attach *a;
	enum conn_state state;
	int sock;
	struct event *readable;
	struct fab_timer *patience; /* CONN_NEW */
	struct attach_hello hello;
	int index;             /* of the interface, CONN_PLUGGED */
	struct vs_iface iface; /* in force, CONN_PLUGGED */
	UT_hash_handle hh;     /* by hello.name, once that is known */
	struct conn *prev, *next;
};

struct vs_attach {
	struct vs_attach_conf conf;
	char *path;
	int sock;
	int own_rtnl, own_netns; /* of ourselves, for veths; < 0: not yet */
	struct event *readable;
	struct fab_timer *resume;  /* accepting again */
	struct fab_timer *silence; /* runs while warnings are counted */
	unsigned warnings;
	struct conn *conns, *by_name;
	size_t n_conns, n_plugged, n_waiting;
};

/* ---- words ---- */

/* What a guest did wrong: it can do so as often as it likes. */
static void
warn_peer(struct vs_attach *a, const char *name, const char *what)
{
	if (!fab_timer_pending(a->silence)) {
		a->warnings = 0;
		fab_timer_set_ms(a->silence, WARNINGS_MS);
	}
	if (a->warnings++ < WARNINGS_MAX)
		fab_warn("guest %s: not attached: %s", name[0] != '\0' ? name : "(no name)", what);
}

static void
on_silence(void *arg)
{
	struct vs_attach *a = arg;

	if (a->warnings > WARNINGS_MAX)
		fab_warn("guests: %u more were not attached", a->warnings - WARNINGS_MAX);
}

static void
tell(struct conn *c, bool attached)
{
	if (c->a->conf.changed != NULL)
		c->a->conf.changed(c->a->conf.ctx, c->hello.name, attached);
}

/* ---- the end of a connection ---- */

static void
conn_unplug(struct conn *c)
{
	c->a->n_plugged--;
	vs_engine_detach(c->a->conf.engine, c->hello.name);
	tell(c, false);
}

static void
conn_free(struct conn *c)
{
	struct vs_attach *a = c->a;

	if (c->state == CONN_PLUGGED)
		conn_unplug(c);
	if (c->state == CONN_WAITING)
		a->n_waiting--;
	if (c->state != CONN_NEW)
		HASH_DEL(a->by_name, c);
	DL_DELETE(a->conns, c);
	a->n_conns--;
	attach_hello_close(&c->hello);
	fab_timer_free(c->patience);
	event_free(c->readable);
	close(c->sock);
	free(c);
}

static void
conn_refuse(struct conn *c, int err, const char *why)
{
	struct attach_answer answer = { .status = err, .tap = -1 };

	warn_peer(c->a, c->hello.name, why);
	snprintf(answer.text, sizeof(answer.text), "%s", why);
	attach_answer_send(c->sock, &answer); /* best effort */
	conn_free(c);
}

/* ---- plugging in ---- */

/* The TAP that the guest brings, or a new one whose interface has no name yet; *kept says which. */
static int
tap_take(struct conn *c, int *tap, bool *kept, char why[static VS_WHY_MAX])
{
	struct attach_hello *h = &c->hello;
	int err = FAB_ENOENT;

	if (h->tap >= 0 && (err = vs_tap_check(h->tap, h->netns, why)) == FAB_OK) {
		*kept = true;
		*tap = h->tap;
		h->tap = -1;
		return FAB_OK;
	}
	if (err != FAB_ENOENT) /* one whose device has gone is no reason to refuse */
		return err;
	*kept = false;
	return vs_tap_new(tap, h->netns, why);
}

static int
iface_take(struct conn *c, int tap, bool kept, const struct vs_iface *conf, bool *changed,
    char why[static VS_WHY_MAX])
{
	char name[IFNAMSIZ];
	int err;

	if ((err = fab_tap_name(name, tap, why)) != FAB_OK ||
	    (err = vs_iface_find(&c->index, c->hello.rtnl, name, why)) != FAB_OK ||
	    (!kept &&
		(err = vs_iface_init(c->hello.rtnl, c->index, c->hello.iface, why)) != FAB_OK))
		return err;
	return vs_iface_apply(c->hello.rtnl, c->index, conf, changed, why);
}

/* The engine gets the descriptor, the guest a duplicate of it. */
static int
hand_over(struct conn *c, int tap, char why[static VS_WHY_MAX])
{
	struct attach_answer answer = { .status = FAB_OK };
	int err;

	if ((answer.tap = fcntl(tap, F_DUPFD_CLOEXEC, 0)) < 0) {
		err = fab_err_from_errno(errno);
	} else if ((err = vs_engine_attach(c->a->conf.engine, c->hello.name, tap)) == FAB_OK) {
		if ((err = attach_answer_send(c->sock, &answer)) != FAB_OK)
			vs_engine_detach(c->a->conf.engine, c->hello.name);
		tap = -1;
	}
	if (answer.tap >= 0)
		close(answer.tap);
	if (err == FAB_OK)
		return FAB_OK;
	if (tap >= 0)
		close(tap);
	snprintf(why, VS_WHY_MAX, "cannot hand the TAP over: %s", fab_strerror(err));
	return err;
}

static int
plug_tap(struct conn *c, const struct vs_iface *conf, bool *changed, char why[static VS_WHY_MAX])
{
	bool kept;
	int tap, err;

	if ((err = tap_take(c, &tap, &kept, why)) != FAB_OK)
		return err;
	if ((err = iface_take(c, tap, kept, conf, changed, why)) != FAB_OK) {
		close(tap);
		return err;
	}
	return hand_over(c, tap, why);
}

/* What making a veth needs of ourselves. */
static int
own_open(struct vs_attach *a, char why[static VS_WHY_MAX])
{
	if (a->own_netns < 0)
		a->own_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (a->own_rtnl < 0)
		rtnl_open(&a->own_rtnl, 0);
	if (a->own_netns >= 0 && a->own_rtnl >= 0)
		return FAB_OK;
	snprintf(why, VS_WHY_MAX, "cannot look at our own namespace");
	return FAB_EIO;
}

/* The pair that is there, or a new one. */
static int
veth_take(struct conn *c, int *ours, const struct vs_iface *conf, char why[static VS_WHY_MAX])
{
	const struct vs_veth_place place = { c->hello.rtnl, c->hello.netns, c->hello.iface,
		c->a->own_rtnl, c->a->own_netns };
	int err = vs_veth_find(&c->index, ours, &place, why);

	if (err != FAB_ENOENT)
		return err;
	if ((err = vs_veth_make(&c->index, ours, &place, conf, why)) != FAB_OK ||
	    (err = vs_veth_furnish(place.own, *ours, c->hello.name, why)) != FAB_OK)
		return err;
	return vs_iface_init(c->hello.rtnl, c->index, c->hello.iface, why);
}

static int
plug_veth(struct conn *c, const struct vs_iface *conf, bool *changed, char why[static VS_WHY_MAX])
{
	struct attach_answer answer = { .status = FAB_OK, .tap = -1 };
	int ours, err;

	if ((err = own_open(c->a, why)) != FAB_OK ||
	    (err = veth_take(c, &ours, conf, why)) != FAB_OK ||
	    (err = vs_iface_apply(c->hello.rtnl, c->index, conf, changed, why)) != FAB_OK)
		return err;
	if ((err = vs_engine_attach_link(c->a->conf.engine, c->hello.name, ours)) == FAB_OK &&
	    (err = attach_answer_send(c->sock, &answer)) != FAB_OK)
		vs_engine_detach(c->a->conf.engine, c->hello.name);
	if (err != FAB_OK)
		snprintf(why, VS_WHY_MAX, "cannot plug the veth in: %s", fab_strerror(err));
	return err;
}

/* A guest that comes with a TAP keeps it. */
static int
plug(struct conn *c, const struct vs_iface *conf, char why[static VS_WHY_MAX])
{
	bool veth = vs_engine_takes_links(c->a->conf.engine) && c->hello.knows_veth &&
		    c->hello.tap < 0,
	     changed;
	int err = veth ? plug_veth(c, conf, &changed, why) : plug_tap(c, conf, &changed, why);

	if (err == FAB_OK && conf->everywhere)
		err = vs_answer_all(c->hello.rtnl, c->hello.iface, why);
	if (err != FAB_OK)
		return err;
	c->iface = *conf;
	fab_info("guest %s: attached%s", c->hello.name, changed ? "" : " again, as it was");
	return FAB_OK;
}

static struct vs_iface
iface_of(const struct conn *c, const struct vs_port_conf *p)
{
	return (struct vs_iface){ .ip = p->ip,
		.prefix_len = p->prefix_len,
		.mtu = p->mtu,
		.in_azure = p->region != 0,
		.beside = strcmp(c->hello.iface, ATTACH_IFACE) != 0,
		.everywhere = strcmp(p->name, TOPO_INTERNET) == 0 };
}

/* A guest with a name; does nothing while there is no port for it. May free c. */
static void
conn_try(struct conn *c)
{
	struct vs_attach *a = c->a;
	const struct vs_port_conf *p = a->conf.port(a->conf.ctx, c->hello.name);
	struct vs_iface conf;
	char why[VS_WHY_MAX];
	int err;

	if (p == NULL)
		return;
	if (p->router) {
		conn_refuse(c, FAB_EINVAL, "it is a router of the platform, not a guest");
		return;
	}
	conf = iface_of(c, p);
	if ((err = plug(c, &conf, why)) != FAB_OK) {
		conn_refuse(c, err, why);
		return;
	}
	close(c->hello.netns); /* the rtnetlink socket is enough from now on */
	c->hello.netns = -1;
	c->state = CONN_PLUGGED;
	a->n_waiting--;
	a->n_plugged++;
	tell(c, true);
}

/* ---- what comes in ---- */

static bool
has_gone(const struct conn *c)
{
	struct pollfd p = { .fd = c->sock, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* A name is its first bearer's until he goes, even if nobody has read his going yet. */
static int
name_take(struct conn *c, char why[static ATTACH_TEXT_MAX])
{
	struct conn *other;

	HASH_FIND_STR(c->a->by_name, c->hello.name, other);
	if (other != NULL && !has_gone(other)) {
		snprintf(why, ATTACH_TEXT_MAX, "another helper has attached a guest of that name");
		return FAB_EEXIST;
	}
	if (other != NULL)
		conn_free(other);
	HASH_ADD_STR(c->a->by_name, hello.name, c);
	c->state = CONN_WAITING;
	c->a->n_waiting++;
	return FAB_OK;
}

/* Moving a TAP into the guest's namespace would take longer. */
static bool
conn_wants_tap(struct conn *c)
{
	struct attach_answer answer = { .status = ATTACH_BRING_TAP, .tap = -1 };

	if (vs_engine_takes_links(c->a->conf.engine) || !c->hello.makes_tap || c->hello.tap >= 0)
		return false;
	attach_answer_send(c->sock, &answer); /* best effort */
	return true;
}

static void
conn_hello(struct conn *c)
{
	char why[ATTACH_TEXT_MAX] = "";
	int err = attach_hello_recv(c->sock, &c->hello, why);

	if (err == FAB_EBUSY)
		return;
	if (err == FAB_ECLOSED) {
		conn_free(c);
		return;
	}
	if (err == FAB_OK && conn_wants_tap(c)) {
		conn_free(c);
		return;
	}
	if (err == FAB_OK && (err = vs_guest_check(c->hello.netns, c->hello.rtnl, why)) == FAB_OK)
		err = name_take(c, why);
	if (err != FAB_OK) {
		conn_refuse(c, err, why[0] != '\0' ? why : fab_strerror(err));
		return;
	}
	fab_timer_free(c->patience);
	c->patience = NULL;
	conn_try(c);
}

/* Nothing more is to come but the end. */
static void
conn_input(struct conn *c)
{
	char octet;
	ssize_t n = recv(c->sock, &octet, 1, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		warn_peer(c->a, c->hello.name, "it said something after its hello");
	else
		fab_info("guest %s: its helper has gone", c->hello.name);
	conn_free(c);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	if (c->state == CONN_NEW)
		conn_hello(c);
	else
		conn_input(c);
}

static void
on_impatience(void *arg)
{
	conn_refuse(arg, FAB_ETIMEOUT, "no hello came");
}

static void
conn_new(struct vs_attach *a, int sock)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		goto fail;
	*c = (struct conn){ .a = a, .sock = sock, .hello = { .netns = -1, .rtnl = -1, .tap = -1 } };
	c->readable =
	    event_new(fab_loop_base(a->conf.loop), sock, EV_READ | EV_PERSIST, on_readable, c);
	if (c->readable == NULL || event_add(c->readable, NULL) != 0 ||
	    fab_timer_new(&c->patience, a->conf.loop, on_impatience, c) != FAB_OK)
		goto fail;
	fab_timer_set_ms(c->patience, VS_ATTACH_HELLO_MS);
	DL_APPEND(a->conns, c);
	a->n_conns++;
	return;
fail:
	if (c != NULL && c->readable != NULL)
		event_free(c->readable);
	free(c);
	close(sock);
}

/* Full, or out of descriptors: they wait in the backlog, and we do not spin on them. */
static void
pause_accepting(struct vs_attach *a)
{
	event_del(a->readable);
	fab_timer_set_ms(a->resume, ACCEPT_PAUSE_MS);
}

static void
on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct vs_attach *a = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int sock = -1;

		if (a->n_conns < VS_ATTACH_MAX)
			sock = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (sock >= 0) {
			conn_new(a, sock);
			continue;
		}
		if (a->n_conns < VS_ATTACH_MAX && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (a->n_conns >= VS_ATTACH_MAX || errno != EAGAIN)
			pause_accepting(a);
		return;
	}
}

static void
on_resume(void *arg)
{
	struct vs_attach *a = arg;

	event_add(a->readable, NULL);
}

/* ---- the whole ---- */

int
vs_attach_new(struct vs_attach **out, const struct vs_attach_conf *conf)
{
	struct vs_attach *a = calloc(1, sizeof(*a));
	int err;

	if (a == NULL)
		return FAB_ENOMEM;
	attach_raise_limit();
	a->conf = *conf;
	a->sock = a->own_rtnl = a->own_netns = -1;
	if ((a->path = strdup(conf->path)) == NULL) {
		err = FAB_ENOMEM;
		goto fail;
	}
	if ((err = fab_timer_new(&a->resume, conf->loop, on_resume, a)) != FAB_OK ||
	    (err = fab_timer_new(&a->silence, conf->loop, on_silence, a)) != FAB_OK ||
	    (err = attach_listen(&a->sock, conf->path, conf->mode)) != FAB_OK)
		goto fail;
	a->readable =
	    event_new(fab_loop_base(conf->loop), a->sock, EV_READ | EV_PERSIST, on_acceptable, a);
	if (a->readable == NULL || event_add(a->readable, NULL) != 0) {
		err = FAB_ENOMEM;
		goto fail;
	}
	*out = a;
	return FAB_OK;
fail:
	vs_attach_free(a);
	return err;
}

void
vs_attach_free(struct vs_attach *a)
{
	struct conn *c, *next;

	if (a == NULL)
		return;
	DL_FOREACH_SAFE (a->conns, c, next)
		conn_free(c);
	if (a->readable != NULL)
		event_free(a->readable);
	if (a->sock >= 0) {
		close(a->sock);
		unlink(a->path);
	}
	if (a->own_rtnl >= 0)
		close(a->own_rtnl);
	if (a->own_netns >= 0)
		close(a->own_netns);
	fab_timer_free(a->resume);
	fab_timer_free(a->silence);
	free(a->path);
	free(a);
}

static bool
iface_eq(const struct vs_iface *a, const struct vs_iface *b)
{
	return a->ip == b->ip && a->prefix_len == b->prefix_len && a->mtu == b->mtu &&
	       a->in_azure == b->in_azure;
}

/* A guest that is plugged in, after a change of ports. May free c. */
static void
conn_follow(struct conn *c)
{
	const struct vs_port_conf *p = c->a->conf.port(c->a->conf.ctx, c->hello.name);
	struct vs_iface conf;
	char why[VS_WHY_MAX];
	bool changed;
	int err;

	if (p == NULL || p->router) {
		fab_info("guest %s: its port has gone", c->hello.name);
		conn_free(c);
		return;
	}
	conf = iface_of(c, p);
	if (iface_eq(&conf, &c->iface))
		return;
	if ((err = vs_iface_apply(c->hello.rtnl, c->index, &conf, &changed, why)) != FAB_OK) {
		conn_refuse(c, err, why);
		return;
	}
	c->iface = conf;
	fab_info("guest %s: its interface was changed", c->hello.name);
}

void
vs_attach_refresh(struct vs_attach *a)
{
	struct conn *c, *next;

	DL_FOREACH_SAFE (a->conns, c, next) {
		if (c->state == CONN_WAITING)
			conn_try(c);
		else if (c->state == CONN_PLUGGED)
			conn_follow(c);
	}
}

size_t
vs_attach_count(const struct vs_attach *a, size_t *waiting)
{
	*waiting = a->n_waiting;
	return a->n_plugged;
}
