#include "vswitchd/vs_prober.h"

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "vswitchd/vs_platform.h"
#include "vswitchd/vs_probe.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>

#define STEPS           3 /* of a probe; at the end of each but the last it is said again */
#define RESTING         STEPS
#define FRAMES_PER_TURN 64 /* that are read before other work */
#define SPORT_MIN       49152

_Static_assert(VS_TARGETS_MAX <= 65536 - SPORT_MIN, "every target has a source port of its own");

struct address {
	uint32_t port, sport;
};

#define TARGET_NAME_MAX (2 * VS_NAME_MAX) /* "BALANCER/BACKEND" */

struct target {
	struct vs_prober *owner;
	char name[TARGET_NAME_MAX];
	char balancer[VS_NAME_MAX], backend[VS_NAME_MAX];
	struct address at; /* how its answers are known; sport 0: none are due */
	struct vs_probe_conf conf;
	uint32_t interval_ms, threshold;
	struct vs_probe probe;
	struct vs_health health;
	char why[VS_PROBE_WHY_MAX]; /* the last probe failed */
	unsigned step;              /* of the probe that runs, or RESTING */
	bool seen;                  /* by the refresh that runs */
	bool met;                   /* its guest was there */
	struct fab_mono since;      /* we know of it */
	struct fab_timer *timer;
	UT_hash_handle hh; /* by name */
	UT_hash_handle ha; /* by at */
};

struct vs_prober {
	struct vs_prober_conf conf;
	int fd; /* our end; the engine has the other one */
	struct event *readable;
	struct target *targets, *by_address;
	uint16_t last_sport;
	uint8_t frame[VS_FRAME_MAX];
};

/* ---- results ---- */

static void
tell(const struct target *t, vs_finding_fn *fn, void *ctx)
{
	const struct vs_finding f = { .balancer = t->balancer,
		.backend = t->backend,
		.healthy = t->health.state == VS_HEALTH_UP,
		.why = t->health.state == VS_HEALTH_UP ? "" : t->why };

	fn(ctx, &f);
}

/* Was there no result before, and is there one now? What the backend says after that is still
 * heard.
 */
static void
judge(struct target *t, bool was_pending)
{
	const struct vs_probe *p = &t->probe;
	bool fine = p->result == VS_PROBE_OK, at_once = p->result == VS_PROBE_SHUT && p->conf.http;

	if (!was_pending || p->result == VS_PROBE_PENDING)
		return;
	if (!fine) {
		snprintf(t->why, sizeof(t->why), "%s", p->why);
		fab_debug("%s: probe of %s failed: %s", t->balancer, t->backend, p->why);
	}
	if (vs_health_note(&t->health, fine, t->threshold, at_once))
		tell(t, t->owner->conf.changed, t->owner->conf.ctx);
}

static bool
is_pending(const struct target *t)
{
	return t->probe.result == VS_PROBE_PENDING;
}

/* ---- answers ---- */

static void
hear(struct vs_prober *p, size_t len)
{
	struct vs_segment s;
	struct address at;
	struct target *t;
	bool pending;

	if (!vs_segment_read(&s, p->frame, len))
		return;
	at = (struct address){ vs_platform_port(p->frame + VS_PLATFORM_SRC), s.dport };
	HASH_FIND(ha, p->by_address, &at, sizeof(at), t);
	if (t == NULL)
		return;
	pending = is_pending(t);
	vs_probe_input(&t->probe, &s);
	judge(t, pending);
}

static void
hear_all(struct vs_prober *p)
{
	for (int i = 0; i < FRAMES_PER_TURN; i++) {
		ssize_t n = recv(p->fd, p->frame, sizeof(p->frame), MSG_DONTWAIT);

		if (n < 0)
			return;
		if (n == 0) { /* the engine has ended */
			event_del(p->readable);
			return;
		}
		hear(p, (size_t)n);
	}
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	hear_all(arg);
}

/* ---- time ---- */

static void
send_segment(void *ctx, const struct vs_segment *s)
{
	uint8_t frame[VS_SEGMENT_MAX];
	const struct target *t = ctx;
	size_t len = vs_segment_write(frame, s);

	vs_platform_address(frame + VS_PLATFORM_DST, t->at.port);
	if (send(t->owner->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		fab_debug("%s: probe of %s is not sent", t->balancer, t->backend);
}

static void
forget_address(struct target *t)
{
	if (t->at.sport != 0)
		HASH_DELETE(ha, t->owner->by_address, t);
	t->at.sport = 0;
}

/* The numbers of a connection are higher than those of any before: the guest may still remember one
 * from the same port (TIME-WAIT), and takes no other one then. */
static uint32_t
next_seq(void)
{
	return (uint32_t)(fab_mono_us_between((struct fab_mono){ 0 }, fab_mono_now()) / 4);
}

static void
start(struct target *t)
{
	struct vs_prober *p = t->owner;

	p->last_sport = p->last_sport == UINT16_MAX ? SPORT_MIN : p->last_sport + 1;
	forget_address(t);
	t->at.sport = p->last_sport;
	HASH_ADD(ha, p->by_address, at, sizeof(t->at), t);
	t->step = 0;
	vs_probe_start(&t->probe, &t->conf, p->last_sport, next_seq());
}

static uint32_t
timeout_of(const struct target *t)
{
	return t->interval_ms < VS_PROBER_TIMEOUT_MS ? t->interval_ms : VS_PROBER_TIMEOUT_MS;
}

static bool
is_there(const struct target *t)
{
	struct vs_counters c;

	return vs_engine_counters(t->owner->conf.engine, t->backend, &c) == FAB_OK && c.attached;
}

/* It may be that we have just been started, and its helper comes in a moment. */
static bool
may_still_come(struct target *t)
{
	t->met = t->met || is_there(t);
	return !t->met &&
	       fab_mono_us_between(t->since, fab_mono_now()) < VS_PROBER_ABSENT_MS * 1000;
}

static void
expire(struct target *t)
{
	char why[VS_PROBE_WHY_MAX];
	bool pending = is_pending(t);

	if (is_there(t))
		snprintf(why, sizeof(why), "no answer within %u ms", timeout_of(t));
	else
		snprintf(why, sizeof(why), "its machine is not plugged in");
	vs_probe_expire(&t->probe, why);
	judge(t, pending);
}

static void
on_time(void *arg)
{
	struct target *t = arg;
	uint32_t timeout = timeout_of(t), next = timeout / STEPS;

	hear_all(t->owner); /* we may be late ourselves */
	if (t->step == RESTING && !may_still_come(t)) {
		start(t);
	} else if (t->step < STEPS && ++t->step < STEPS) {
		vs_probe_again(&t->probe);
	} else if (t->at.sport != 0) {
		expire(t);
		forget_address(t);
		next = t->interval_ms - timeout;
	}
	fab_timer_set_ms(t->timer, next);
}

/* ---- targets ---- */

static void
target_free(struct target *t)
{
	forget_address(t);
	HASH_DEL(t->owner->targets, t);
	fab_timer_free(t->timer);
	free(t);
}

static struct target *
target_new(struct vs_prober *p, const char *balancer, const char *backend)
{
	struct target *t = calloc(1, sizeof(*t));

	if (t == NULL || fab_timer_new(&t->timer, p->conf.loop, on_time, t) != FAB_OK) {
		free(t);
		return NULL;
	}
	t->owner = p;
	snprintf(t->name, sizeof(t->name), "%s/%s", balancer, backend);
	snprintf(t->balancer, sizeof(t->balancer), "%s", balancer);
	snprintf(t->backend, sizeof(t->backend), "%s", backend);
	t->since = fab_mono_now();
	t->probe.send = send_segment;
	t->probe.ctx = t;
	t->step = RESTING;
	HASH_ADD_STR(p->targets, name, t);
	fab_timer_set_ms(t->timer, 0);
	return t;
}

static struct target *
target_get(struct vs_prober *p, const char *balancer, const char *backend)
{
	char name[TARGET_NAME_MAX];
	struct target *t;

	snprintf(name, sizeof(name), "%s/%s", balancer, backend);
	HASH_FIND_STR(p->targets, name, t);
	return t != NULL ? t : target_new(p, balancer, backend);
}

/* An update may have given the port another number while an answer is awaited. */
static void
readdress(struct target *t, uint32_t port)
{
	uint32_t sport = t->at.sport;

	if (t->at.port == port)
		return;
	forget_address(t);
	t->at = (struct address){ port, sport };
	if (sport != 0)
		HASH_ADD(ha, t->owner->by_address, at, sizeof(t->at), t);
}

/* A probe that runs ends as it began. Out of memory: that backend is not probed. */
static void
refresh(struct vs_prober *p, const struct vs_target_conf *c)
{
	const struct vs_port_conf *port = vs_model_port(p->conf.model, c->port);
	struct target *t = target_get(p, c->balancer, port->name);

	if (t == NULL)
		return;
	t->seen = true;
	readdress(t, c->port);
	t->conf = (struct vs_probe_conf){ .ip = port->ip, .port = c->tcp_port, .http = c->http };
	snprintf(t->conf.path, sizeof(t->conf.path), "%s", c->path);
	t->interval_ms = c->interval_ms;
	t->threshold = c->threshold;
}

void
vs_prober_refresh(struct vs_prober *p)
{
	const struct vs_target_conf *c;
	struct target *t, *tmp;

	for (t = p->targets; t != NULL; t = t->hh.next)
		t->seen = false;
	for (size_t i = 0; (c = vs_model_target(p->conf.model, i)) != NULL; i++)
		refresh(p, c);
	HASH_ITER (hh, p->targets, t, tmp)
		if (!t->seen)
			target_free(t);
}

void
vs_prober_each(const struct vs_prober *p, vs_finding_fn *fn, void *ctx)
{
	for (const struct target *t = p->targets; t != NULL; t = t->hh.next)
		if (t->health.state != VS_HEALTH_UNKNOWN)
			tell(t, fn, ctx);
}

/* ---- life ---- */

int
vs_prober_new(struct vs_prober **out, const struct vs_prober_conf *conf)
{
	struct vs_prober *p = calloc(1, sizeof(*p));
	int fd[2], err = FAB_EIO;

	if (p == NULL)
		return FAB_ENOMEM;
	p->conf = *conf;
	p->fd = -1;
	p->last_sport = (uint16_t)(SPORT_MIN + next_seq() % (UINT16_MAX - SPORT_MIN));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) != 0)
		goto fail;
	p->fd = fd[0];
	if ((err = vs_engine_platform(conf->engine, fd[1])) != FAB_OK) {
		close(fd[1]);
		goto fail;
	}
	p->readable =
	    event_new(fab_loop_base(conf->loop), p->fd, EV_READ | EV_PERSIST, on_readable, p);
	if (p->readable != NULL && event_add(p->readable, NULL) == 0) {
		*out = p;
		return FAB_OK;
	}
	err = FAB_ENOMEM;
fail:
	vs_prober_free(p);
	return err;
}

void
vs_prober_free(struct vs_prober *p)
{
	struct target *t, *tmp;

	if (p == NULL)
		return;
	HASH_ITER (hh, p->targets, t, tmp)
		target_free(t);
	if (p->readable != NULL)
		event_free(p->readable);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}
