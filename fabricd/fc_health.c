#include "fabricd/fc_health.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 160

static void
forget(struct fc_health **all, struct fc_health *h)
{
	HASH_DEL(*all, h);
	free(h->key);
	free(h);
}

void
fc_health_free(struct fc_health **all)
{
	struct fc_health *h, *tmp;

	HASH_ITER (hh, *all, h, tmp)
		forget(all, h);
}

static bool
has_backend(const struct topo *t, const struct topo_load_balancer *l, const char *backend)
{
	for (size_t k = 0; k < l->n_backends; k++)
		if (strcmp(t->nics[l->backends[k]].name, backend) == 0)
			return true;
	return false;
}

static bool
is_probed(const struct topo *t, const char *balancer, const char *backend)
{
	for (size_t i = 0; i < t->n_balancers; i++) {
		const struct topo_load_balancer *l = &t->balancers[i];

		if (strcmp(l->name, balancer) == 0)
			return l->probe.port != 0 && has_backend(t, l, backend);
	}
	return false;
}

void
fc_health_bind(struct fc_health **all, const struct topo *t)
{
	struct fc_health *h, *tmp;

	HASH_ITER (hh, *all, h, tmp) {
		char balancer[KEY_MAX];
		char *slash;

		snprintf(balancer, sizeof(balancer), "%s", h->key);
		slash = strchr(balancer, '/');
		*slash = '\0';
		if (!is_probed(t, balancer, slash + 1))
			forget(all, h);
	}
}

const struct fc_health *
fc_health_find(const struct fc_health *all, const char *balancer, const char *backend)
{
	struct fc_health *h;
	char key[KEY_MAX];

	snprintf(key, sizeof(key), "%s/%s", balancer, backend);
	HASH_FIND_STR(all, key, h);
	return h;
}

static struct fc_health *
add(struct fc_health **all, const char *balancer, const char *backend)
{
	struct fc_health *h = calloc(1, sizeof(*h));

	if (h == NULL || asprintf(&h->key, "%s/%s", balancer, backend) < 0) {
		free(h);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, *all, h->key, strlen(h->key), h);
	return h;
}

int
fc_health_put(struct fc_health **all, const struct topo *t, const char *balancer,
    const char *backend, const struct fc_health *what, bool *changed)
{
	struct fc_health *h;

	if (!is_probed(t, balancer, backend))
		return FAB_ENOENT;
	h = (struct fc_health *)(uintptr_t)fc_health_find(*all, balancer, backend);
	*changed = h == NULL || h->healthy != what->healthy;
	if (h == NULL && (h = add(all, balancer, backend)) == NULL)
		return FAB_ENOMEM;
	if (*changed)
		h->since_us = what->since_us;
	h->healthy = what->healthy;
	snprintf(h->why, sizeof(h->why), "%s", what->why);
	return FAB_OK;
}
