/*
 * What stands for an NVA or a VM in a container (fabctl compose): said here with its line, rather
 * than by docker with none.
 */
#include "lib/topo_priv.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static bool
is_variable(const char *text)
{
	const char *eq = strchr(text, '=');

	return eq != NULL && eq != text;
}

/* SOURCE:/TARGET[:ro|rw] */
static bool
is_volume(const char *text)
{
	const char *target = strchr(text, ':'), *mode;

	if (target == NULL || target == text || target[1] != '/')
		return false;
	mode = strchr(target + 1, ':');
	return mode == NULL || strcmp(mode, ":ro") == 0 || strcmp(mode, ":rw") == 0;
}

static bool
is_capability(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (!isupper((unsigned char)*p) && *p != '_')
			return false;
	return strncmp(text, "CAP_", 4) != 0;
}

struct list {
	const char *key, *want;
	bool (*good)(const char *text);
	char **texts;
	size_t n;
};

static void
check_list(struct topo_build *b, enum topo_kind kind, size_t i, const struct list *l)
{
	char pointer[64];

	for (size_t k = 0; k < l->n; k++) {
		if (l->good(l->texts[k]))
			continue;
		snprintf(pointer, sizeof(pointer), "/%s/%zu", l->key, k);
		topo_build_error(b, kind, i, pointer, "InvalidContainer", "'%.100s' is not %s",
		    l->texts[k], l->want);
	}
}

static void
check_container(struct topo_build *b, enum topo_kind kind, size_t i, const struct topo_container *c)
{
	const struct list lists[] = {
		{ "environment", "NAME=VALUE", is_variable, c->environment, c->n_environment },
		{ "volumes", "SOURCE:/TARGET or SOURCE:/TARGET:ro", is_volume, c->volumes,
		    c->n_volumes },
		{ "cap_add", "a capability such as NET_RAW", is_capability, c->cap_add,
		    c->n_cap_add },
	};
	const char *key = c->build != NULL       ? "build"
			  : c->n_command > 0     ? "command"
			  : c->n_environment > 0 ? "environment"
			  : c->n_volumes > 0     ? "volumes"
			  : c->has_cap_add       ? "cap_add"
						 : NULL;
	char pointer[64];

	for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++)
		check_list(b, kind, i, &lists[k]);
	if (c->image != NULL || key == NULL)
		return;
	snprintf(pointer, sizeof(pointer), "/%s", key);
	topo_build_error(
	    b, kind, i, pointer, "ImageMissing", "%s is for a container: give an image", key);
}

void
topo_check_containers(struct topo_build *b)
{
	for (size_t i = 0; i < b->t->n_nvas; i++)
		check_container(b, TOPO_NVA, i, &b->t->nvas[i].container);
	for (size_t i = 0; i < b->t->n_vms; i++)
		check_container(b, TOPO_VM, i, &b->t->vms[i].container);
}
