#include "vswitchd/vs_targets.h"

#include "lib/err.h"
#include "vswitchd/vs_probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY 128

struct vs_targets {
	unsigned refs;
	struct vs_target_conf *v; /* each with its texts in one allocation, at balancer */
	size_t n, room;
};

static bool
is_fine(const struct vs_target_conf *c)
{
	size_t name = strnlen(c->balancer, VS_NAME_MAX), path = strnlen(c->path, VS_PROBE_PATH_MAX);

	return name > 0 && name < VS_NAME_MAX && path < VS_PROBE_PATH_MAX && c->tcp_port != 0 &&
	       c->interval_ms >= VS_TARGET_INTERVAL_MIN_MS && c->threshold > 0;
}

static int
grow(struct vs_targets *t)
{
	size_t room = t->room == 0 ? 16 : 2 * t->room;
	struct vs_target_conf *v;

	if (t->n < t->room)
		return FAB_OK;
	if ((v = realloc(t->v, room * sizeof(*v))) == NULL)
		return FAB_ENOMEM;
	t->v = v;
	t->room = room;
	return FAB_OK;
}

int
vs_targets_add(struct vs_targets **t, const struct vs_target_conf *conf, char why[static WHY])
{
	size_t name = strlen(conf->balancer) + 1, path = strlen(conf->path) + 1;
	struct vs_target_conf *c;
	char *texts;

	if (!is_fine(conf)) {
		snprintf(why, WHY, "probe of port %u: bad name, path, port or times", conf->port);
		return FAB_EINVAL;
	}
	if (*t == NULL && (*t = calloc(1, sizeof(**t))) == NULL)
		return FAB_ENOMEM;
	(*t)->refs = (*t)->refs > 0 ? (*t)->refs : 1;
	if ((*t)->n == VS_TARGETS_MAX) {
		snprintf(why, WHY, "more than %d probes", VS_TARGETS_MAX);
		return FAB_ETOOBIG;
	}
	if (grow(*t) != FAB_OK || (texts = malloc(name + path)) == NULL)
		return FAB_ENOMEM;
	c = &(*t)->v[(*t)->n++];
	*c = *conf;
	c->balancer = memcpy(texts, conf->balancer, name);
	c->path = memcpy(texts + name, conf->path, path);
	return FAB_OK;
}

int
vs_targets_check(const struct vs_targets *t, const struct vs_idmap *ports, char why[static WHY])
{
	for (size_t i = 0; t != NULL && i < t->n; i++) {
		if (vs_idmap_get(ports, t->v[i].port) != NULL)
			continue;
		snprintf(why, WHY, "probe of %s: no port %u", t->v[i].balancer, t->v[i].port);
		return FAB_EINVAL;
	}
	return FAB_OK;
}

struct vs_targets *
vs_targets_ref(struct vs_targets *t)
{
	if (t != NULL)
		t->refs++;
	return t;
}

void
vs_targets_unref(struct vs_targets *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	for (size_t i = 0; i < t->n; i++)
		free((char *)(uintptr_t)t->v[i].balancer);
	free(t->v);
	free(t);
}

size_t
vs_targets_memory(const struct vs_targets *t)
{
	size_t n = t != NULL ? sizeof(*t) + t->room * sizeof(t->v[0]) : 0;

	for (size_t i = 0; t != NULL && i < t->n; i++)
		n += strlen(t->v[i].balancer) + strlen(t->v[i].path) + 2;
	return n;
}

const struct vs_target_conf *
vs_targets_at(const struct vs_targets *t, size_t i)
{
	return t != NULL && i < t->n ? &t->v[i] : NULL;
}
