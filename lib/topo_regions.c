/*
 * Regions: those that VNets name, and how long packets take between them.
 */
#include "lib/topo_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- which there are ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
collect_regions(struct topo_build *b)
{
	struct topo *t = b->t;
	size_t n;

	t->regions = topo_build_alloc(b, &n, t->n_vnets, sizeof(*t->regions));
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		t->regions[i] = t->vnets[i].region;
	qsort(t->regions, n, sizeof(*t->regions), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || strcmp(t->regions[i], t->regions[t->n_regions - 1]) != 0)
			t->regions[t->n_regions++] = t->regions[i];
	for (size_t i = 0; i < t->n_vnets; i++)
		t->vnets[i].region_index = topo_find_region(t, t->vnets[i].region);
}

int
topo_find_region(const struct topo *t, const char *name)
{
	char *const *p = t->n_regions == 0 ? NULL
					   : bsearch(&name, t->regions, t->n_regions,
						 sizeof(*t->regions), by_text);

	return p != NULL ? (int)(p - t->regions) : -1;
}

int
topo_node_region(const struct topo *t, const struct topo_node *n)
{
	int vnet = topo_node_vnet(t, n);

	return vnet >= 0 ? t->vnets[vnet].region_index : -1;
}

/* ---- what is between them ---- */

static int
by_pair(const void *x, const void *y)
{
	const struct topo_region_path *a = x, *b = y;

	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	return (a->b > b->b) - (a->b < b->b);
}

/* -1, after a message, unless a VNet is in it. */
static int
region_ref(struct topo_build *b, const char *pointer, const char *name)
{
	int i = topo_find_region(b->t, name);

	if (i < 0 && b->complete[TOPO_VNET])
		topo_build_error(b, TOPO_FABRIC, 0, pointer, "UnknownReference",
		    "no VNet is in region \"%.64s\"", name);
	return i;
}

static void
read_path(struct topo_build *b, const json_t *item, size_t i)
{
	const json_t *between = json_object_get(item, "between");
	struct topo_region_path p = { .delay_ms = topo_get_ms(item, "delay"),
		.jitter_ms = topo_get_ms(item, "jitter") };
	char pointer[TOPO_POINTER_MAX];

	snprintf(pointer, sizeof(pointer), "/regions/delays/%zu/between", i);
	p.a = region_ref(b, pointer, json_string_value(json_array_get(between, 0)));
	p.b = region_ref(b, pointer, json_string_value(json_array_get(between, 1)));
	if (p.a < 0 || p.b < 0)
		return;
	if (p.a == p.b) {
		topo_build_error(b, TOPO_FABRIC, 0, pointer, "InvalidRegionPair",
		    "a region and itself; within a region packets take no time");
		return;
	}
	if (p.a > p.b) {
		int swap = p.a;

		p.a = p.b;
		p.b = swap;
	}
	b->t->region_paths[b->t->n_region_paths++] = p;
}

static void
check_twice(struct topo_build *b)
{
	const struct topo *t = b->t;

	for (size_t i = 1; i < t->n_region_paths; i++)
		if (by_pair(&t->region_paths[i - 1], &t->region_paths[i]) == 0)
			topo_build_error(b, TOPO_FABRIC, 0, "/regions/delays", "InvalidRegionPair",
			    "%.64s and %.64s are there twice", t->regions[t->region_paths[i].a],
			    t->regions[t->region_paths[i].b]);
}

void
topo_regions_build(struct topo_build *b)
{
	const json_t *given, *list, *item;
	size_t n, i;

	collect_regions(b);
	if (b->n[TOPO_FABRIC] == 0 ||
	    (given = json_object_get(b->props[TOPO_FABRIC][0], "regions")) == NULL)
		return;
	list = json_object_get(given, "delays");
	b->t->region_delay_ms = topo_get_ms(given, "delay");
	b->t->region_paths =
	    topo_build_alloc(b, &n, json_array_size(list), sizeof(*b->t->region_paths));
	if (n == 0)
		return;
	json_array_foreach((json_t *)(uintptr_t)list, i, item) read_path(b, item, i);
	qsort(b->t->region_paths, b->t->n_region_paths, sizeof(*b->t->region_paths), by_pair);
	check_twice(b);
}

struct topo_region_path
topo_region_path(const struct topo *t, int a, int b)
{
	struct topo_region_path key = { .a = a < b ? a : b, .b = a < b ? b : a };
	const struct topo_region_path *p =
	    t->n_region_paths == 0
		? NULL
		: bsearch(&key, t->region_paths, t->n_region_paths, sizeof(key), by_pair);

	if (p != NULL)
		return *p;
	key.delay_ms = t->region_delay_ms;
	return key;
}
