#ifndef LIB_LOOP_H
#define LIB_LOOP_H
/*
 * The one event loop of a daemon (libevent). All state of a daemon belongs to the thread that runs
 * it; the only thing another thread may do is fab_loop_post().
 */
#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct fab_loop;
struct fab_timer;

typedef void fab_loop_fn(void *arg);

/* FAB_ENOMEM or FAB_EIO on failure. The loop is the caller's until fab_loop_free(), which must come
 * after everything that hangs on the loop was freed. */
int fab_loop_new(struct fab_loop **out);
void fab_loop_free(struct fab_loop *loop);
/* Runs until fab_loop_stop(); returns at once if that was called before. */
void fab_loop_run(struct fab_loop *loop);
/* Handles what is ready, waiting at most timeout_ms (0: do not wait). For tests and synchronous
 * clients. */
void fab_loop_turn(struct fab_loop *loop, uint32_t timeout_ms);
void fab_loop_stop(struct fab_loop *loop);
/* fab_loop_stop() was called (or a signal came) and fab_loop_run() has not returned since. Who
 * drives the loop by fab_loop_turn() asks this. */
bool fab_loop_stopping(const struct fab_loop *loop);
/* For code that registers its own file descriptors. */
struct event_base *fab_loop_base(struct fab_loop *loop);

/* An embedded node for fab_loop_post(); zero it before first use. One node can be queued once at a
 * time; posting a queued node again does nothing. */
struct fab_post {
	fab_loop_fn *fn;
	void *arg;
	struct fab_post *next;
	bool queued;
};

/* Thread-safe: runs node->fn(node->arg) on the loop's thread, soon, in order of posting. The node
 * must stay valid until it ran or was cancelled. */
void fab_loop_post(struct fab_loop *loop, struct fab_post *node);
/* Loop thread only: takes a queued node out again. */
void fab_loop_post_cancel(struct fab_loop *loop, struct fab_post *node);

/* Runs fn once at the end of the current loop turn, after all ready descriptors were served: the
 * place to batch. What deferred work defers still runs in this turn (within reason). Loop thread
 * only; a node serves either fab_loop_post() or fab_loop_defer(). */
void fab_loop_defer(struct fab_loop *loop, struct fab_post *node);
void fab_loop_defer_cancel(struct fab_loop *loop, struct fab_post *node);

/* Work for fab_loop_free(), for objects that live on without an owner (connections being flushed).
 * Each entry is removed before its fn(arg) runs. Loop thread only. */
struct fab_exit {
	fab_loop_fn *fn;
	void *arg;
	struct fab_exit *prev, *next;
};

void fab_loop_exit_add(struct fab_loop *loop, struct fab_exit *e);
void fab_loop_exit_remove(struct fab_loop *loop, struct fab_exit *e);
/* Turns the loop until no such object is left, at most timeout_ms: the last thing to do before
 * fab_loop_free() for those who want their last words heard. */
void fab_loop_drain(struct fab_loop *loop, uint32_t timeout_ms);

/* One-shot timer, re-armed by set. Never fires early. fn may free the timer. */
int fab_timer_new(struct fab_timer **out, struct fab_loop *loop, fab_loop_fn *fn, void *arg);
void fab_timer_free(struct fab_timer *t);
void fab_timer_set_ms(struct fab_timer *t, uint64_t ms);
/* Fires at some moment between earliest_ms and latest_ms from now: at the last whole second of the
 * machine's clock in that window, or at a random moment when there is none. For what need not be
 * punctual: the timers of all daemons that fall together cost each of them one wake-up. */
void fab_timer_set_within(struct fab_timer *t, uint64_t earliest_ms, uint64_t latest_ms);
void fab_timer_cancel(struct fab_timer *t);
bool fab_timer_pending(const struct fab_timer *t);

/* Ends the loop on SIGTERM and SIGINT; ignores SIGPIPE. */
int fab_loop_handle_signals(struct fab_loop *loop);

#endif
