#include "attach/at_make.h"

#include "attach/at_link.h"
#include "attach/at_netns.h"
#include "lib/attach.h"
#include "lib/err.h"
#include "lib/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

struct guest {
	char name[ATTACH_NAME_MAX];
	bool router;
	bool plain;  /* not a guest's */
	bool wanted; /* while a new set is put in force */
	int netns;
	struct at_link *link;
	UT_hash_handle hh;
};

struct at_make {
	struct fab_loop *loop;
	const char *path;
	char *dir;
	int home;
	struct guest *guests;
};

static int
fail_errno(const char *what, const char *name, char why[static AT_WHY_MAX])
{
	snprintf(why, AT_WHY_MAX, "%s %.100s: %s", what, name, strerror(errno));
	return fab_err_from_errno(errno);
}

/* ---- links ---- */

static int
guest_path(char buf[static PATH_MAX], const struct at_make *m, const char *name)
{
	int n = snprintf(buf, PATH_MAX, "%s/%s", m->dir, name);

	return n < 0 || n >= PATH_MAX ? FAB_ETOOBIG : FAB_OK;
}

/* In one step, over what a killed one left. */
static int
guest_publish(const struct at_make *m, const struct guest *g, char why[static AT_WHY_MAX])
{
	char path[PATH_MAX], fresh[PATH_MAX], target[64];

	if (guest_path(path, m, g->name) != FAB_OK || guest_path(fresh, m, ".new") != FAB_OK) {
		snprintf(why, AT_WHY_MAX, "the path of %s is too long", g->name);
		return FAB_ETOOBIG;
	}
	snprintf(target, sizeof(target), "/proc/%d/fd/%d", (int)getpid(), g->netns);
	unlink(fresh);
	if (symlink(target, fresh) != 0 || rename(fresh, path) != 0)
		return fail_errno("cannot link", path, why);
	return FAB_OK;
}

/* The name goes last: whoever waits for that knows that the link is down. */
static void
guest_free(struct at_make *m, struct guest *g)
{
	char path[PATH_MAX];

	at_link_free(g->link);
	if (guest_path(path, m, g->name) == FAB_OK)
		unlink(path);
	if (g->netns >= 0)
		close(g->netns);
	HASH_DEL(m->guests, g);
	free(g);
}

/* ---- guests ---- */

/* Packets between two guests pass only when both are back: none waits out its pause. */
static void
hurry_all(void *arg)
{
	struct at_make *m = arg;
	struct guest *g, *next;

	HASH_ITER (hh, m->guests, g, next) {
		if (g->link != NULL)
			at_link_hurry(g->link);
	}
}

/* Its namespace, to be found under its name. */
static int
guest_make(
    struct at_make *m, struct guest **out, const struct at_wanted *w, char why[static AT_WHY_MAX])
{
	struct guest *g = calloc(1, sizeof(*g));
	int err;

	if (g == NULL)
		return fail_errno("cannot make", w->name, why);
	*g = (struct guest){ .router = w->router, .wanted = true, .netns = -1 };
	snprintf(g->name, sizeof(g->name), "%s", w->name);
	HASH_ADD_STR(m->guests, name, g);
	if ((err = at_netns_new(&g->netns, m->home, g->router, why)) != FAB_OK ||
	    (err = guest_publish(m, g, why)) != FAB_OK) {
		guest_free(m, g);
		return err;
	}
	*out = g;
	return FAB_OK;
}

static int
guest_new(struct at_make *m, const struct at_wanted *w, char why[static AT_WHY_MAX])
{
	struct at_link_conf conf = { .loop = m->loop,
		.path = m->path,
		.name = w->name,
		.home = m->home,
		.found = hurry_all,
		.ctx = m };
	struct guest *g;
	int err;

	if ((err = guest_make(m, &g, w, why)) != FAB_OK)
		return err;
	conf.netns = g->netns;
	if ((err = at_link_new(&g->link, &conf)) == FAB_OK)
		return FAB_OK;
	snprintf(why, AT_WHY_MAX, "cannot make %s: %s", g->name, fab_strerror(err));
	guest_free(m, g);
	return err;
}

int
at_make_plain(struct at_make *m, const char *name, char why[static 192])
{
	struct guest *g;
	int err;

	if ((err = guest_make(m, &g, &(struct at_wanted){ .name = name }, why)) == FAB_OK)
		g->plain = true;
	return err;
}

static int
guest_want(struct at_make *m, const struct at_wanted *w, char why[static AT_WHY_MAX])
{
	struct guest *g;
	int err;

	if (attach_name_check(w->name) != FAB_OK) {
		snprintf(why, AT_WHY_MAX, "'%.70s' is not a name of a guest", w->name);
		return FAB_EINVAL;
	}
	HASH_FIND_STR(m->guests, w->name, g);
	if (g == NULL)
		return guest_new(m, w, why);
	if (g->plain) {
		snprintf(why, AT_WHY_MAX, "the name %s is taken", g->name);
		return FAB_EEXIST;
	}
	g->wanted = true;
	if (g->router == w->router)
		return FAB_OK;
	if ((err = at_netns_set_router(m->home, g->netns, w->router, why)) == FAB_OK)
		g->router = w->router;
	return err;
}

/* As a machine that loses its power: the link first. */
static void
guest_end(struct at_make *m, struct guest *g)
{
	char why[AT_WHY_MAX];

	if (at_netns_link_down(m->home, g->netns, why) != FAB_OK)
		fab_warn("guest %s: %s", g->name, why);
	guest_free(m, g);
}

int
at_make_set(struct at_make *m, const struct at_wanted *wanted, size_t n, char why[static 192])
{
	struct guest *g, *next;
	int err = FAB_OK;

	if (n > AT_GUESTS_MAX) {
		snprintf(why, AT_WHY_MAX, "more than %d guests", AT_GUESTS_MAX);
		return FAB_ETOOBIG;
	}
	HASH_ITER (hh, m->guests, g, next) {
		g->wanted = false;
	}
	for (size_t i = 0; i < n && err == FAB_OK; i++)
		err = wanted[i].off ? FAB_OK : guest_want(m, &wanted[i], why);
	if (err != FAB_OK)
		return err;
	HASH_ITER (hh, m->guests, g, next) {
		if (g->wanted || g->plain)
			continue;
		fab_info("guest %s: off, or not wanted any more", g->name);
		guest_end(m, g);
	}
	return FAB_OK;
}

/* ---- the whole ---- */

int
at_make_new(struct at_make **out, struct fab_loop *loop, const char *path, const char *dir,
    char why[static 192])
{
	struct at_make *m = calloc(1, sizeof(*m));
	int err = FAB_ENOMEM;

	if (m == NULL) {
		snprintf(why, AT_WHY_MAX, "out of memory");
		return FAB_ENOMEM;
	}
	*m = (struct at_make){ .loop = loop, .path = path, .dir = strdup(dir), .home = -1 };
	if (m->dir == NULL)
		snprintf(why, AT_WHY_MAX, "out of memory");
	else if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		err = fail_errno("cannot make the directory", dir, why);
	else
		err = at_netns_home(&m->home, why);
	if (err != FAB_OK) {
		at_make_free(m);
		return err;
	}
	*out = m;
	return FAB_OK;
}

void
at_make_free(struct at_make *m)
{
	struct guest *g, *next;

	if (m == NULL)
		return;
	HASH_ITER (hh, m->guests, g, next) {
		guest_free(m, g);
	}
	if (m->dir != NULL)
		rmdir(m->dir);
	if (m->home >= 0)
		close(m->home);
	free(m->dir);
	free(m);
}
