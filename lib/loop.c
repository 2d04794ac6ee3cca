/*
 * The event loop: libevent for descriptors, signals and timers; a mutexed queue and an eventfd for
 * what other threads hand over (fab_loop_post()); a list of work for the end of the turn
 * (fab_loop_defer()). struct fab_loop is a daemon's only one; everything that waits hangs on it.
 */
#include "lib/loop.h"

#include "lib/clock.h"
#include "lib/err.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Deferred work may defer more; that still belongs to the turn, but not without end. */
#define DEFER_ROUNDS_MAX 8
/* Where timers with a window gather, on CLOCK_MONOTONIC, which all processes of a machine share. */
#define GRID_US UINT64_C(1000000)

struct post_list {
	struct fab_post *head;
	struct fab_post **tail;
};

struct fab_loop {
	struct event_base *base;
	struct event *wake;
	struct event *guard; /* bounds fab_loop_turn() */
	struct event *sigterm;
	struct event *sigint;
	struct post_list deferred;
	struct fab_exit *exits;
	bool stopping;
	int fd;

	pthread_mutex_t lock; /* guards the two below */
	struct post_list posted;
	bool woken; /* the eventfd is readable, or about to be */
};

struct fab_timer {
	struct event *ev;
	fab_loop_fn *fn;
	void *arg;
};

static void
list_init(struct post_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void
list_add(struct post_list *l, struct fab_post *node)
{
	node->next = NULL;
	node->queued = true;
	*l->tail = node;
	l->tail = &node->next;
}

static struct fab_post *
list_pop(struct post_list *l)
{
	struct fab_post *node = l->head;

	if (node == NULL)
		return NULL;
	l->head = node->next;
	if (l->head == NULL)
		l->tail = &l->head;
	node->queued = false;
	return node;
}

static bool
list_remove(struct post_list *l, struct fab_post *node)
{
	for (struct fab_post **at = &l->head; *at != NULL; at = &(*at)->next) {
		if (*at != node)
			continue;
		*at = node->next;
		if (*at == NULL)
			l->tail = at;
		node->queued = false;
		return true;
	}
	return false;
}

static void
wake(struct fab_loop *loop)
{
	uint64_t one = 1;

	/* EAGAIN means that the counter is full, so the loop will wake anyway. */
	while (write(loop->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/* Runs what was posted before this turn; later posts wake the loop again, so that they cannot keep
 * descriptors from being served. */
static void
posted_cb(evutil_socket_t fd, short what, void *arg)
{
	struct fab_loop *loop = arg;
	struct fab_post *node;
	uint64_t count;
	size_t n = 0;

	(void)what;
	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		continue;
	pthread_mutex_lock(&loop->lock);
	loop->woken = false;
	for (node = loop->posted.head; node != NULL; node = node->next)
		n++;
	while (n-- > 0 && (node = list_pop(&loop->posted)) != NULL) {
		pthread_mutex_unlock(&loop->lock);
		node->fn(node->arg);
		pthread_mutex_lock(&loop->lock);
	}
	pthread_mutex_unlock(&loop->lock);
}

static void
guard_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg; /* only ends the wait */
}

static void
signal_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fab_loop_stop(arg);
}

static struct event_base *
base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* Timers that never fire early need the fine clock, read anew for each timer. */
	if (event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER |
					      EVENT_BASE_FLAG_NO_CACHE_TIME |
					      EVENT_BASE_FLAG_NOLOCK) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

int
fab_loop_new(struct fab_loop **out)
{
	struct fab_loop *loop = calloc(1, sizeof(*loop));

	if (loop == NULL)
		return FAB_ENOMEM;
	pthread_mutex_init(&loop->lock, NULL);
	list_init(&loop->posted);
	list_init(&loop->deferred);
	loop->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->fd < 0 || (loop->base = base_new()) == NULL)
		goto fail;
	loop->wake = event_new(loop->base, loop->fd, EV_READ | EV_PERSIST, posted_cb, loop);
	loop->guard = evtimer_new(loop->base, guard_cb, NULL);
	if (loop->wake == NULL || loop->guard == NULL || event_add(loop->wake, NULL) != 0)
		goto fail;
	*out = loop;
	return FAB_OK;
fail:
	fab_loop_free(loop);
	return FAB_EIO;
}

void
fab_loop_free(struct fab_loop *loop)
{
	struct event *events[4];

	if (loop == NULL)
		return;
	while (loop->exits != NULL) {
		struct fab_exit *e = loop->exits;

		fab_loop_exit_remove(loop, e);
		e->fn(e->arg);
	}
	events[0] = loop->wake;
	events[1] = loop->guard;
	events[2] = loop->sigterm;
	events[3] = loop->sigint;
	for (size_t i = 0; i < 4; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->fd >= 0)
		close(loop->fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

void
fab_loop_exit_add(struct fab_loop *loop, struct fab_exit *e)
{
	e->prev = NULL;
	e->next = loop->exits;
	if (e->next != NULL)
		e->next->prev = e;
	loop->exits = e;
}

void
fab_loop_exit_remove(struct fab_loop *loop, struct fab_exit *e)
{
	if (e->prev != NULL)
		e->prev->next = e->next;
	else
		loop->exits = e->next;
	if (e->next != NULL)
		e->next->prev = e->prev;
	e->prev = e->next = NULL;
}

static void
run_deferred(struct fab_loop *loop)
{
	struct fab_post *last, *node;

	for (int i = 0; i < DEFER_ROUNDS_MAX && loop->deferred.head != NULL; i++) {
		/* A round ends at the node that is last now, or with the list should that node be
		 * taken out meanwhile. */
		for (last = loop->deferred.head; last->next != NULL; last = last->next)
			continue;
		do {
			node = list_pop(&loop->deferred);
			if (node != NULL)
				node->fn(node->arg);
		} while (node != NULL && node != last);
	}
}

static void
turn(struct fab_loop *loop, bool wait)
{
	wait = wait && loop->deferred.head == NULL;
	event_base_loop(loop->base, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK);
	run_deferred(loop);
}

void
fab_loop_run(struct fab_loop *loop)
{
	while (!loop->stopping)
		turn(loop, true);
	loop->stopping = false;
}

void
fab_loop_turn(struct fab_loop *loop, uint32_t timeout_ms)
{
	struct timeval tv = { timeout_ms / 1000, (suseconds_t)(timeout_ms % 1000) * 1000 };

	if (timeout_ms > 0)
		event_add(loop->guard, &tv);
	turn(loop, timeout_ms > 0);
	if (timeout_ms > 0)
		event_del(loop->guard);
}

void
fab_loop_drain(struct fab_loop *loop, uint32_t timeout_ms)
{
	struct fab_mono start = fab_mono_now();
	uint64_t spent = 0;

	while (loop->exits != NULL && spent < timeout_ms) {
		fab_loop_turn(loop, timeout_ms - (uint32_t)spent);
		spent = fab_mono_us_between(start, fab_mono_now()) / 1000;
	}
}

void
fab_loop_stop(struct fab_loop *loop)
{
	loop->stopping = true;
}

bool
fab_loop_stopping(const struct fab_loop *loop)
{
	return loop->stopping;
}

struct event_base *
fab_loop_base(struct fab_loop *loop)
{
	return loop->base;
}

void
fab_loop_post(struct fab_loop *loop, struct fab_post *node)
{
	bool first = false;

	pthread_mutex_lock(&loop->lock);
	if (!node->queued) {
		list_add(&loop->posted, node);
		first = !loop->woken;
		loop->woken = true;
	}
	/* Under the lock: the loop may be freed as soon as the poster's last node ran. */
	if (first)
		wake(loop);
	pthread_mutex_unlock(&loop->lock);
}

void
fab_loop_post_cancel(struct fab_loop *loop, struct fab_post *node)
{
	pthread_mutex_lock(&loop->lock);
	if (node->queued)
		list_remove(&loop->posted, node);
	pthread_mutex_unlock(&loop->lock);
}

void
fab_loop_defer(struct fab_loop *loop, struct fab_post *node)
{
	if (!node->queued)
		list_add(&loop->deferred, node);
}

void
fab_loop_defer_cancel(struct fab_loop *loop, struct fab_post *node)
{
	if (node->queued)
		list_remove(&loop->deferred, node);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct fab_timer *t = arg;

	(void)fd;
	(void)what;
	t->fn(t->arg);
}

int
fab_timer_new(struct fab_timer **out, struct fab_loop *loop, fab_loop_fn *fn, void *arg)
{
	struct fab_timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return FAB_ENOMEM;
	t->fn = fn;
	t->arg = arg;
	t->ev = evtimer_new(loop->base, timer_cb, t);
	if (t->ev == NULL) {
		free(t);
		return FAB_ENOMEM;
	}
	*out = t;
	return FAB_OK;
}

void
fab_timer_free(struct fab_timer *t)
{
	if (t == NULL)
		return;
	event_free(t->ev);
	free(t);
}

static void
timer_set_us(struct fab_timer *t, uint64_t us)
{
	struct timeval tv = { (time_t)(us / 1000000), (suseconds_t)(us % 1000000) };

	evtimer_add(t->ev, &tv);
}

void
fab_timer_set_ms(struct fab_timer *t, uint64_t ms)
{
	timer_set_us(t, ms * 1000);
}

void
fab_timer_set_within(struct fab_timer *t, uint64_t earliest_ms, uint64_t latest_ms)
{
	uint64_t now_us = fab_mono_now().ns / 1000;
	uint64_t latest_us = latest_ms * 1000;
	uint64_t past_us = (now_us + latest_us) % GRID_US; /* from the last grid point to the end */

	if (past_us <= (latest_ms - earliest_ms) * 1000)
		timer_set_us(t, latest_us - past_us);
	else
		fab_timer_set_ms(
		    t, latest_ms - arc4random_uniform((uint32_t)(latest_ms - earliest_ms) + 1));
}

void
fab_timer_cancel(struct fab_timer *t)
{
	evtimer_del(t->ev);
}

bool
fab_timer_pending(const struct fab_timer *t)
{
	return evtimer_pending(t->ev, NULL) != 0;
}

static int
signal_add(struct fab_loop *loop, struct event **out, int sig)
{
	if (*out == NULL)
		*out = evsignal_new(loop->base, sig, signal_cb, loop);
	if (*out == NULL || evsignal_add(*out, NULL) != 0)
		return FAB_EIO;
	return FAB_OK;
}

int
fab_loop_handle_signals(struct fab_loop *loop)
{
	int err;

	signal(SIGPIPE, SIG_IGN);
	err = signal_add(loop, &loop->sigterm, SIGTERM);
	if (err == FAB_OK)
		err = signal_add(loop, &loop->sigint, SIGINT);
	return err;
}
