/*
 * Service tags as destinations of route tables (UDR-5). A tag stands for prefixes; of several
 * routes of a table with the same prefix the most explicit one counts: a prefix as such, a tag of a
 * service in a region, of a service, AzureCloud in a region, AzureCloud.
 *
 * The tags here are a small sample, enough to try what a tag does: a few large ranges each, none of
 * them complete. Whoever needs more gives `service_tags` in the file.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define TAG_NETS_MAX 6

static const struct known {
	const char *name;
	const char *nets[TAG_NETS_MAX];
} known[] = {
	{ "AzureCloud", { "13.64.0.0/11", "20.64.0.0/10", "40.64.0.0/10", "52.224.0.0/11" } },
	{ "AzureCloud.WestEurope", { "13.69.0.0/17", "20.60.26.0/24", "40.68.0.0/16" } },
	{ "AzureCloud.NorthEurope", { "13.69.128.0/17", "20.60.40.0/23", "40.69.0.0/18" } },
	{ "AzureCloud.EastUS", { "13.68.128.0/17", "20.60.0.0/24", "40.71.0.0/16" } },
	{ "Storage", { "20.60.0.0/24", "20.60.26.0/24", "20.60.40.0/23" } },
	{ "Storage.WestEurope", { "20.60.26.0/24" } },
	{ "Storage.NorthEurope", { "20.60.40.0/23" } },
	{ "Storage.EastUS", { "20.60.0.0/24" } },
	{ "Sql", { "40.68.37.0/24", "40.69.4.0/24", "40.71.8.0/24" } },
	{ "Sql.WestEurope", { "40.68.37.0/24" } },
	{ "Sql.NorthEurope", { "40.69.4.0/24" } },
	{ "Sql.EastUS", { "40.71.8.0/24" } },
	{ "AzureActiveDirectory", { "20.190.128.0/18", "40.126.0.0/18" } },
};
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

bool
topo_tag_ok(const char *text)
{
	size_t n = strlen(text), dots = 0;

	if (n == 0 || n > TOPO_NAME_MAX || !isalpha((unsigned char)text[0]) || text[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++) {
		dots += text[i] == '.';
		if (!isalnum((unsigned char)text[i]) && text[i] != '.')
			return false;
	}
	return dots <= 1;
}

/* Lower is more explicit; 0 is for a prefix as such. */
static unsigned
rank_of(const char *tag)
{
	bool cloud = strncasecmp(tag, "AzureCloud", 10) == 0 && (tag[10] == '.' || tag[10] == '\0');

	return (strchr(tag, '.') != NULL ? 1 : 2) + (cloud ? 2 : 0);
}

#define RANKS 5

void
topo_tags_build(struct topo_build *b)
{
	const json_t *list = b->n[TOPO_FABRIC] == 0
				 ? NULL
				 : json_object_get(b->props[TOPO_FABRIC][0], "service_tags");
	struct topo *t = b->t;

	t->tags = topo_build_alloc(b, &t->n_tags, json_array_size(list), sizeof(*t->tags));
	for (size_t i = 0; i < t->n_tags; i++) {
		t->tags[i].name = topo_get_copy(b, json_array_get(list, i), "tag");
		t->tags[i].nets = topo_get_nets(b, json_array_get(list, i), "prefixes");
	}
}

static const struct known *
find_known(const char *tag)
{
	for (size_t i = 0; i < N_KNOWN; i++)
		if (strcasecmp(known[i].name, tag) == 0)
			return &known[i];
	return NULL;
}

/* What the tag stands for; the file's word goes before ours. False: nobody knows it. */
static bool
nets_of(struct topo_build *b, const char *tag, struct topo_nets *out)
{
	const struct known *k;

	for (size_t i = 0; i < b->t->n_tags; i++)
		if (strcasecmp(b->t->tags[i].name, tag) == 0) {
			*out = b->t->tags[i].nets;
			return true;
		}
	if ((k = find_known(tag)) == NULL)
		return false;
	out->v = topo_arena_alloc(b->arena, TAG_NETS_MAX, sizeof(*out->v));
	for (out->n = 0; out->v != NULL && out->n < TAG_NETS_MAX && k->nets[out->n] != NULL;
	     out->n++)
		FAB_ASSERT(ipnet_parse(&out->v[out->n], k->nets[out->n]) == FAB_OK);
	return true;
}

static void
refuse_tag(struct topo_build *b, size_t table, const char *route, const char *tag)
{
	const char *names[N_KNOWN], *like;
	char pointer[TOPO_POINTER_MAX];

	for (size_t i = 0; i < N_KNOWN; i++)
		names[i] = known[i].name;
	like = topo_suggest(tag, names, N_KNOWN);
	snprintf(pointer, sizeof(pointer), "/routes/%s/prefix", route);
	topo_build_error(b, TOPO_ROUTE_TABLE, table, pointer, "UnknownServiceTag",
	    like != NULL ? "\"%.64s\" is no known service tag; did you mean %s?"
			 : "\"%.64s\" is no known service tag; name it in service_tags",
	    tag, like);
}

/* One route of the file: a prefix, or what a tag stands for. nets.n 0: refused. */
struct given {
	const char *name, *tag; /* tag NULL: none */
	struct topo_nets nets;
	unsigned rank;
	const json_t *item;
};

static void
take_given(
    struct topo_build *b, size_t table, struct given *g, const char *name, const json_t *item)
{
	const char *text = topo_get_text(item, "prefix");

	*g = (struct given){ .name = topo_arena_text(b->arena, name, strlen(name)), .item = item };
	if (topo_tag_ok(text)) {
		g->tag = topo_arena_text(b->arena, text, strlen(text));
		g->rank = rank_of(text);
		if (!nets_of(b, text, &g->nets))
			refuse_tag(b, table, name, text);
		return;
	}
	g->nets.v = topo_build_alloc(b, &g->nets.n, 1, sizeof(*g->nets.v));
	if (g->nets.n > 0)
		g->nets.v[0] = topo_get_net(item, "prefix");
}

static bool
has_route(const struct topo_route_table *t, struct ipnet net)
{
	for (size_t i = 0; i < t->n_routes; i++)
		if (ipnet_eq(t->routes[i].prefix, net))
			return true;
	return false;
}

/* UDR-4: one route for a tag, as for a prefix. */
static void
check_twice(struct topo_build *b, size_t table, const struct given *g, size_t n)
{
	char pointer[TOPO_POINTER_MAX];

	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; g[i].tag != NULL && k < i; k++) {
			if (g[k].tag == NULL || strcasecmp(g[i].tag, g[k].tag) != 0)
				continue;
			snprintf(pointer, sizeof(pointer), "/routes/%s/prefix", g[i].name);
			topo_build_error(b, TOPO_ROUTE_TABLE, table, pointer, "RouteConflict",
			    "route %.64s has tag %s already", g[k].name, g[k].tag);
		}
}

static void
add_routes(struct topo_route_table *t, const struct given *g)
{
	for (size_t k = 0; k < g->nets.n; k++) {
		struct topo_udr *r = &t->routes[t->n_routes];

		/* Two equal prefixes are a conflict, which is found later; a tag gives way. */
		if (g->tag != NULL && has_route(t, g->nets.v[k]))
			continue;
		*r = (struct topo_udr){ .tag = g->tag, .prefix = g->nets.v[k] };
		r->name = (char *)(uintptr_t)g->name;
		topo_hop_parse(&r->hop, &r->address, topo_get_text(g->item, "next_hop"));
		t->n_routes++;
	}
}

void
topo_tags_expand(struct topo_build *b, size_t table, json_t *routes)
{
	struct topo_route_table *t = &b->t->tables[table];
	size_t n = 0, room = 0, unused;
	struct given *g;
	const char *name;
	json_t *item;

	g = topo_build_alloc(b, &t->n_given, json_object_size(routes), sizeof(*g));
	if (t->n_given == 0)
		return;
	json_object_foreach(routes, name, item)
	{
		take_given(b, table, &g[n], name, item);
		t->n_tags += g[n].tag != NULL;
		room += g[n++].nets.n;
	}
	check_twice(b, table, g, n);
	t->routes = topo_build_alloc(b, &unused, room, sizeof(*t->routes));
	for (unsigned rank = 0; unused > 0 && rank < RANKS; rank++)
		for (size_t i = 0; i < n; i++)
			if (g[i].rank == rank)
				add_routes(t, &g[i]);
}
