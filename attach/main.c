/*
 * fabattach: plugs guests into vswitchd, see at_make.h and at_link.h.
 */
#include "attach/at_args.h"
#include "attach/at_guest.h"
#include "attach/at_link.h"
#include "attach/at_netns.h"
#include "lib/attach.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/userns.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_SYSTEM 1

struct attach {
	struct fab_loop *loop;
	struct at_args args;
	struct at_make *make; /* --make */
	struct at_link *link; /* --name */
	int netns;
	int ready; /* -1: nobody waits */
	struct event *sighup;
};

static void
on_sighup(evutil_socket_t sig, short what, void *arg)
{
	struct attach *t = arg;
	char why[AT_WHY_MAX];

	(void)sig;
	(void)what;
	if (at_args_reload(&t->args, why) != FAB_OK ||
	    at_make_set(t->make, t->args.guests, t->args.n_guests, why) != FAB_OK)
		fab_error("guests: %s", why);
}

/* Before there is a thread: the namespaces that are made belong to it. */
static int
start_userns(char why[static AT_WHY_MAX])
{
	int err = fab_userns_make();

	if (err != FAB_OK)
		snprintf(why, AT_WHY_MAX, "cannot make a user namespace: %s", strerror(errno));
	return err;
}

static int
start_make(struct attach *t, char why[static AT_WHY_MAX])
{
	int err = at_make_new(&t->make, t->loop, t->args.socket, t->args.make, why);

	if (err == FAB_OK && t->args.plain != NULL)
		err = at_make_plain(t->make, t->args.plain, why);
	if (err != FAB_OK)
		return err;
	if (t->args.list != NULL) {
		t->sighup = evsignal_new(fab_loop_base(t->loop), SIGHUP, on_sighup, t);
		if (t->sighup == NULL || event_add(t->sighup, NULL) != 0)
			return FAB_ENOMEM;
	}
	return at_make_set(t->make, t->args.guests, t->args.n_guests, why);
}

static void
on_found(void *arg)
{
	struct attach *t = arg;

	at_guest_ready(&t->ready);
}

static int
start_sidecar(struct attach *t, char why[static AT_WHY_MAX])
{
	struct at_link_conf conf = { .loop = t->loop,
		.path = t->args.socket,
		.name = t->args.name,
		.iface = t->args.iface,
		.home = -1,
		.found = on_found,
		.ctx = t };
	int err;

	if ((err = at_netns_home(&t->netns, why)) != FAB_OK)
		return err;
	conf.netns = t->netns;
	return at_link_new(&t->link, &conf);
}

static int
run(struct attach *t)
{
	char why[AT_WHY_MAX] = "out of memory";
	int err;

	if ((t->args.command != NULL &&
		(err = at_guest_begin(&t->ready, t->args.command)) != FAB_OK) ||
	    (t->args.userns && (err = start_userns(why)) != FAB_OK) ||
	    (err = fab_loop_new(&t->loop)) != FAB_OK ||
	    (err = fab_loop_handle_signals(t->loop)) != FAB_OK ||
	    (err = t->args.make != NULL ? start_make(t, why) : start_sidecar(t, why)) != FAB_OK)
		fab_error("%s", why);
	else
		fab_loop_run(t->loop);
	at_make_free(t->make);
	at_link_free(t->link);
	if (t->sighup != NULL)
		event_free(t->sighup);
	if (t->loop != NULL)
		fab_loop_free(t->loop);
	if (t->netns >= 0)
		close(t->netns);
	if (t->ready >= 0)
		close(t->ready);
	return err == FAB_OK ? 0 : EXIT_SYSTEM;
}

int
main(int argc, char **argv)
{
	struct attach t = { .netns = -1, .ready = -1 };
	int code;

	switch (at_args_parse(&t.args, argc, argv)) {
	case AT_EXIT_OK:
		return 0;
	case AT_EXIT_NO:
		return 1;
	case AT_EXIT_USAGE:
		return 2;
	default:
		break;
	}
	srandom((unsigned)getpid());
	attach_raise_limit();
	code = run(&t);
	at_args_fini(&t.args);
	return code;
}
