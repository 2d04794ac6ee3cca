#include "attach/at_link.h"

#include "attach/at_netns.h"
#include "lib/attach.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"

#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct at_link {
	struct at_link_conf conf;
	char name[ATTACH_NAME_MAX];
	int sock; /* -1: none */
	struct event *readable;
	struct fab_timer *retry;
	uint32_t pause_ms;
	int tap;                    /* kept; -1: none yet */
	char said[ATTACH_TEXT_MAX]; /* the last complaint: once is enough */
};

static void
hang_up(struct at_link *l)
{
	if (l->readable != NULL)
		event_free(l->readable);
	l->readable = NULL;
	if (l->sock >= 0)
		close(l->sock);
	l->sock = -1;
}

/* Between half of the pause and all of it, so that a thousand guests do not come at once. */
static void
try_again(struct at_link *l, const char *why)
{
	hang_up(l);
	if (strcmp(l->said, why) != 0)
		fab_info("guest %s: not attached: %s", l->name, why);
	snprintf(l->said, sizeof(l->said), "%s", why);
	fab_timer_set_ms(l->retry, l->pause_ms / 2 + (uint32_t)random() % (l->pause_ms / 2 + 1));
	l->pause_ms = l->pause_ms * 2 < AT_RETRY_MAX_MS ? l->pause_ms * 2 : AT_RETRY_MAX_MS;
}

/* Makes the TAP that vswitchd asks for, and comes again with it. */
static void
bring_tap(struct at_link *l)
{
	char why[AT_WHY_MAX];

	if (l->tap >= 0 || l->conf.home < 0)
		try_again(l, "vswitchd asks for a TAP");
	else if (at_netns_tap(&l->tap, l->conf.home, l->conf.netns, why) != FAB_OK)
		try_again(l, why);
	else {
		hang_up(l);
		fab_timer_set_ms(l->retry, 0);
	}
}

static void
take_answer(struct at_link *l, const struct attach_answer *a)
{
	if (a->status == ATTACH_BRING_TAP) {
		bring_tap(l);
		return;
	}
	if (a->status != FAB_OK) {
		try_again(l, a->text);
		return;
	}
	if (l->tap >= 0)
		close(l->tap);
	l->tap = a->tap; /* of a veth there is nothing to hold */
	l->pause_ms = AT_RETRY_MIN_MS;
	l->said[0] = '\0';
	fab_info("guest %s: attached", l->name);
	if (l->conf.found != NULL)
		l->conf.found(l->conf.ctx);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	char why[ATTACH_TEXT_MAX] = "";
	struct at_link *l = arg;
	struct attach_answer a;
	int err = attach_answer_recv(fd, &a, why);

	(void)what;
	if (err == FAB_EBUSY)
		return;
	if (err == FAB_OK)
		take_answer(l, &a); /* a later one tells why we are unplugged */
	else
		try_again(l, why[0] != '\0' ? why : "vswitchd has gone");
}

static int
say_hello(struct at_link *l, char why[static AT_WHY_MAX])
{
	struct attach_hello h = { .netns = l->conf.netns,
		.rtnl = -1,
		.tap = l->tap,
		.knows_veth = true,
		.makes_tap = l->conf.home >= 0 };
	int err;

	if ((err = at_netns_rtnl(&h.rtnl, l->conf.home, l->conf.netns, why)) != FAB_OK)
		return err;
	memcpy(h.name, l->name, sizeof(h.name));
	if (l->conf.iface != NULL)
		snprintf(h.iface, sizeof(h.iface), "%s", l->conf.iface);
	if ((err = attach_hello_send(l->sock, &h)) != FAB_OK)
		snprintf(why, AT_WHY_MAX, "cannot say hello: %s", fab_strerror(err));
	close(h.rtnl);
	return err;
}

static void
on_retry(void *arg)
{
	struct at_link *l = arg;
	char why[AT_WHY_MAX];

	if (attach_connect(&l->sock, l->conf.path) != FAB_OK) {
		snprintf(why, sizeof(why), "nobody answers on %.140s", l->conf.path);
		try_again(l, why);
		return;
	}
	l->readable =
	    event_new(fab_loop_base(l->conf.loop), l->sock, EV_READ | EV_PERSIST, on_readable, l);
	if (l->readable == NULL || event_add(l->readable, NULL) != 0)
		try_again(l, "out of memory");
	else if (say_hello(l, why) != FAB_OK)
		try_again(l, why);
}

int
at_link_new(struct at_link **out, const struct at_link_conf *conf)
{
	struct at_link *l;
	int err;

	if (attach_name_check(conf->name) != FAB_OK ||
	    (conf->iface != NULL && attach_iface_check(conf->iface) != FAB_OK))
		return FAB_EINVAL;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return FAB_ENOMEM;
	*l = (struct at_link){ .conf = *conf, .sock = -1, .tap = -1, .pause_ms = AT_RETRY_MIN_MS };
	snprintf(l->name, sizeof(l->name), "%s", conf->name);
	if ((err = fab_timer_new(&l->retry, conf->loop, on_retry, l)) != FAB_OK) {
		free(l);
		return err;
	}
	fab_timer_set_ms(l->retry, 0);
	*out = l;
	return FAB_OK;
}

void
at_link_hurry(struct at_link *l)
{
	if (l->sock < 0)
		fab_timer_set_ms(l->retry, 0);
}

void
at_link_free(struct at_link *l)
{
	if (l == NULL)
		return;
	hang_up(l);
	fab_timer_free(l->retry);
	if (l->tap >= 0)
		close(l->tap);
	free(l);
}
