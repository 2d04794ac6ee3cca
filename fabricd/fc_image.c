/*
 * Numbers, differences and the life of an image (see fc_image.h).
 */
#include "fabricd/fc_image_int.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- groups ---- */

/* Remembers to look at g when the update ends: it may be named by nobody. */
static int
note_unused(struct fc_image *img, struct fc_img_group *g)
{
	size_t room = img->unused_room == 0 ? 64 : 2 * img->unused_room;
	struct fc_img_group **p;

	if (img->n_unused == img->unused_room) {
		if ((p = realloc(img->unused, room * sizeof(*p))) == NULL)
			return FAB_ENOMEM;
		img->unused = p;
		img->unused_room = room;
	}
	img->unused[img->n_unused++] = g;
	return FAB_OK;
}

struct fc_img_group *
fc_img_group(struct fc_image *img, struct fc_img_key key, const uint32_t *members)
{
	size_t octets = sizeof(key) + key.n_members * sizeof(members[0]);
	struct fc_img_group *g, *found;

	FAB_ASSERT(key.n_members <= FC_IMAGE_MEMBERS);
	if ((g = calloc(1, sizeof(*g) + key.n_members * sizeof(members[0]))) == NULL)
		return NULL;
	g->key = key;
	if (key.n_members > 0)
		memcpy(g->members, members, key.n_members * sizeof(members[0]));
	HASH_FIND(hh, img->groups, &g->key, octets, found);
	if (found != NULL || note_unused(img, g) != FAB_OK) {
		free(g);
		return found;
	}
	g->id = ++img->last_group;
	HASH_ADD(hh, img->groups, key, octets, g);
	return g;
}

/* Out of memory: the group stays, named by nobody, which is harmless. */
static void
group_unref(struct fc_image *img, struct fc_img_group *g)
{
	FAB_ASSERT(g->refs > 0);
	if (--g->refs == 0)
		(void)note_unused(img, g);
}

static int
by_group(const void *a, const void *b)
{
	const struct fc_img_group *x = *(struct fc_img_group *const *)a,
				  *y = *(struct fc_img_group *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* A group may be noted several times. */
static void
sweep_groups(struct fc_image *img)
{
	qsort(img->unused, img->n_unused, sizeof(img->unused[0]), by_group);
	for (size_t i = 0; i < img->n_unused; i++) {
		struct fc_img_group *g = img->unused[i];
		bool again = i + 1 < img->n_unused && img->unused[i + 1] == g;

		if (again || g->refs > 0)
			continue;
		HASH_DEL(img->groups, g);
		if (g->told)
			img->sink->gone_group(img->ctx, g->id);
		free(g);
	}
	img->n_unused = 0;
}

/* ---- tables ---- */

void
fc_img_add(struct fc_img_build *b, struct ipnet net, struct fc_img_group *g)
{
	size_t room = b->room == 0 ? 64 : 2 * b->room;
	struct fc_img_entry *p;

	if (g == NULL)
		b->err = FAB_ENOMEM;
	if (b->err != FAB_OK)
		return;
	if (b->n == b->room) {
		if ((p = realloc(b->v, room * sizeof(*p))) == NULL) {
			b->err = FAB_ENOMEM;
			return;
		}
		b->v = p;
		b->room = room;
	}
	g->refs++;
	b->v[b->n++] = (struct fc_img_entry){ net, g };
}

void
fc_img_swap(struct fc_img_build *b, size_t i, struct fc_img_group *g)
{
	if (g == NULL) {
		b->err = FAB_ENOMEM;
		return;
	}
	g->refs++;
	group_unref(b->img, b->v[i].group);
	b->v[i].group = g;
}

static int
by_net(const void *a, const void *b)
{
	const struct fc_img_entry *x = a, *y = b;

	return ipnet_cmp(&x->net, &y->net);
}

void
fc_img_sort(struct fc_img_build *b)
{
	size_t n = 0;

	if (b->n == 0)
		return;
	qsort(b->v, b->n, sizeof(b->v[0]), by_net);
	for (size_t i = 0; i < b->n; i++) {
		if (n > 0 && ipnet_eq(b->v[n - 1].net, b->v[i].net))
			group_unref(b->img, b->v[i].group);
		else
			b->v[n++] = b->v[i];
	}
	b->n = n;
}

static void
release(struct fc_image *img, struct fc_img_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		group_unref(img, v[i].group);
	free(v);
}

/* Only now: one that no entry names in the end would be gone before the update is over. */
static void
tell_route(struct fc_image *img, const struct fc_img_table *t, const struct fc_img_entry *e)
{
	if (!e->group->told)
		img->sink->group(img->ctx, e->group);
	e->group->told = true;
	img->sink->route(img->ctx, t->id, e->net, e->group->id);
}

/* Tells what turns the table into b, by one walk through both. */
static void
tell_difference(struct fc_image *img, const struct fc_img_table *t, const struct fc_img_build *b)
{
	size_t i = 0, j = 0;

	while (i < t->n || j < b->n) {
		int c = i == t->n ? 1 : j == b->n ? -1 : ipnet_cmp(&t->v[i].net, &b->v[j].net);

		if (c < 0)
			img->sink->withdraw(img->ctx, t->id, t->v[i].net);
		else if (c > 0 || t->v[i].group != b->v[j].group)
			tell_route(img, t, &b->v[j]);
		i += c <= 0;
		j += c >= 0;
	}
}

static void
table_update(struct fc_image *img, struct fc_img_table *t)
{
	struct fc_img_build b = { .img = img };

	fc_img_compile(&b, t);
	if (b.err != FAB_OK) {
		release(img, b.v, b.n);
		img->err = b.err;
		return;
	}
	tell_difference(img, t, &b);
	release(img, t->v, t->n);
	t->v = b.v;
	t->n = b.n;
	t->due = false;
}

static void
table_name(
    char out[static FC_IMG_NAME_MAX], const struct topo *t, enum fc_img_source source, int a, int b)
{
	const char *vnet = b >= 0 && source == FC_IMG_USER ? t->vnets[b].name : "";

	switch (source) {
	case FC_IMG_SYSTEM:
		snprintf(out, FC_IMG_NAME_MAX, "system/%s", t->vnets[a].name);
		break;
	case FC_IMG_USER:
		snprintf(out, FC_IMG_NAME_MAX, "user/%s%s%s", t->tables[a].name, b >= 0 ? "/" : "",
		    vnet);
		break;
	case FC_IMG_BGP:
		snprintf(out, FC_IMG_NAME_MAX, "bgp/%s/%d", t->vnets[a].name, b);
		break;
	case FC_IMG_OWNERS:
		snprintf(out, FC_IMG_NAME_MAX, "owners/%s", t->vnets[a].name);
		break;
	case FC_IMG_OUT:
		snprintf(out, FC_IMG_NAME_MAX, "out/%s/%d", t->gateways[a].name, b);
		break;
	case FC_IMG_DOWN:
		snprintf(out, FC_IMG_NAME_MAX, "down/%s/%d", t->circuits[a].name, b);
		break;
	case FC_IMG_UP:
		snprintf(out, FC_IMG_NAME_MAX, "up/%s/%d", t->circuits[a].name, b);
		break;
	case FC_IMG_SITE:
		snprintf(out, FC_IMG_NAME_MAX, "site/%s", t->sites[a].name);
		break;
	case FC_IMG_GUARDED_OWNERS:
		snprintf(out, FC_IMG_NAME_MAX, "owners/%s/%s", t->vnets[a].name, t->vnets[b].name);
		break;
	case FC_IMG_SPACE:
		snprintf(out, FC_IMG_NAME_MAX, "space/%s", a >= 0 ? t->vnets[a].name : "");
		break;
	case FC_IMG_TUNNEL:
		snprintf(out, FC_IMG_NAME_MAX, "tunnel/%s", t->nvas[a].name);
		break;
	case FC_IMG_CLIENT:
		snprintf(out, FC_IMG_NAME_MAX, "client/%s", t->clients[a].name);
		break;
	case FC_IMG_PUBLICS:
		snprintf(out, FC_IMG_NAME_MAX, "public");
		break;
	}
}

static struct fc_img_table *
table_new(struct fc_image *img, const char *name)
{
	struct fc_img_table *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->name = strdup(name)) == NULL) {
		free(t);
		return NULL;
	}
	t->id = ++img->last_table;
	HASH_ADD_KEYPTR(hh, img->tables, t->name, strlen(t->name), t);
	img->sink->table(img->ctx, t->id);
	return t;
}

uint32_t
fc_img_table_declare(struct fc_image *img, enum fc_img_source source, int a, int b)
{
	struct fc_img_table *t;
	char name[FC_IMG_NAME_MAX];

	table_name(name, img->l->topo, source, a, b);
	HASH_FIND_STR(img->tables, name, t);
	if (t == NULL && (t = table_new(img, name)) == NULL) {
		img->err = FAB_ENOMEM;
		return FC_IMAGE_NONE;
	}
	t->source = source;
	t->a = a;
	t->b = b;
	t->seen = t->due = true;
	return t->id;
}

static void
table_free(struct fc_image *img, struct fc_img_table *t)
{
	HASH_DEL(img->tables, t);
	release(img, t->v, t->n);
	free(t->name);
	free(t);
}

/* ---- ports ---- */

static bool
same_conf(const struct fc_img_port_conf *a, const struct fc_img_port_conf *b)
{
	return a->router == b->router && a->ip == b->ip && a->prefix_len == b->prefix_len &&
	       a->up == b->up && a->forwarding == b->forwarding && a->user == b->user &&
	       a->bgp == b->bgp && a->system == b->system && a->mtu == b->mtu &&
	       a->region == b->region && a->public_ip == b->public_ip && a->tunnel == b->tunnel;
}

static struct fc_img_port *
port_new(struct fc_image *img, const char *name)
{
	struct fc_img_port *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->name = strdup(name)) == NULL) {
		free(p);
		return NULL;
	}
	p->id = ++img->last_port;
	HASH_ADD_KEYPTR(hh, img->ports, p->name, strlen(p->name), p);
	return p;
}

struct fc_img_port *
fc_img_port_declare(struct fc_image *img, const char *name, const struct fc_img_port_conf *conf)
{
	struct fc_img_port *p;
	bool fresh;

	HASH_FIND_STR(img->ports, name, p);
	fresh = p == NULL;
	if (fresh && (p = port_new(img, name)) == NULL) {
		img->err = FAB_ENOMEM;
		return NULL;
	}
	p->seen = true;
	if (fresh || !same_conf(&p->conf, conf)) {
		p->conf = *conf;
		img->sink->port(img->ctx, p);
	}
	return p;
}

static void
port_free(struct fc_image *img, struct fc_img_port *p)
{
	HASH_DEL(img->ports, p);
	free(p->name);
	free(p);
}

const struct fc_img_port *
fc_image_port(const struct fc_image *img, const char *name)
{
	struct fc_img_port *p;

	HASH_FIND_STR(img->ports, name, p);
	return p;
}

size_t
fc_image_n_ports(const struct fc_image *img)
{
	return HASH_COUNT(img->ports);
}

/* ---- what is due ---- */

void
fc_image_touch_all(struct fc_image *img)
{
	img->all_due = true;
}

void
fc_image_touch_node(struct fc_image *img, const char *node)
{
	const struct topo *t = img->l->topo;
	struct fc_img_table *table;
	int i;

	if (img->all_due || (i = topo_find_node(t, node)) < 0)
		return;
	for (table = img->tables; table != NULL; table = table->hh.next) {
		if (!fc_img_depends(img, table, &t->nodes[i]))
			continue;
		table->due = img->some_due = true;
	}
}

void
fc_image_touch_owners(struct fc_image *img, int vnet)
{
	struct fc_img_table *t;

	for (t = img->tables; t != NULL; t = t->hh.next) {
		if ((t->source != FC_IMG_OWNERS && t->source != FC_IMG_GUARDED_OWNERS) ||
		    t->a != vnet)
			continue;
		t->due = img->some_due = true;
	}
}

void
fc_image_touch_links(struct fc_image *img)
{
	img->links_due = true;
}

bool
fc_image_is_due(const struct fc_image *img)
{
	return img->all_due || img->some_due || img->links_due;
}

/* ---- update ---- */

static void
declare(struct fc_image *img)
{
	struct fc_img_table *t;
	struct fc_img_port *p;

	for (t = img->tables; t != NULL; t = t->hh.next)
		t->seen = false;
	for (p = img->ports; p != NULL; p = p->hh.next)
		p->seen = false;
	fc_img_declare(img);
}

/* What the topology has no more. */
static void
drop_unseen(struct fc_image *img)
{
	struct fc_img_table *t, *next_table;
	struct fc_img_port *p, *next_port;

	HASH_ITER (hh, img->tables, t, next_table) {
		if (t->seen)
			continue;
		img->sink->gone_table(img->ctx, t->id);
		table_free(img, t);
	}
	HASH_ITER (hh, img->ports, p, next_port) {
		if (p->seen)
			continue;
		img->sink->gone_port(img->ctx, p->id);
		port_free(img, p);
	}
}

static void
update_links(struct fc_image *img)
{
	struct fc_img_links links;

	if ((img->err = fc_img_links_compile(&links, img)) != FAB_OK)
		return;
	fc_img_links_number(&links, &img->links, &img->last_link);
	if (!fc_img_links_eq(&links, &img->links))
		img->sink->links(img->ctx, links.v, links.n);
	fc_img_links_fini(&img->links);
	img->links = links;
}

static void
update_probes(struct fc_image *img)
{
	struct fc_img_probes probes;

	if ((img->err = fc_img_probes_compile(&probes, img)) != FAB_OK)
		return;
	if (!fc_img_probes_eq(&probes, &img->probes))
		img->sink->probes(img->ctx, probes.v, probes.n);
	fc_img_probes_fini(&img->probes);
	img->probes = probes;
}

int
fc_image_update(struct fc_image *img, const struct fc_img_sink *sink, void *ctx)
{
	struct fc_img_table *t;

	img->sink = sink;
	img->ctx = ctx;
	img->err = FAB_OK;
	if (img->all_due)
		declare(img);
	for (t = img->tables; t != NULL && img->err == FAB_OK; t = t->hh.next)
		if (t->due && t->seen)
			table_update(img, t);
	if (img->err == FAB_OK && img->all_due)
		drop_unseen(img);
	if (img->err == FAB_OK && (img->all_due || img->links_due))
		update_links(img);
	if (img->err == FAB_OK && img->all_due)
		update_probes(img);
	if (img->err == FAB_OK)
		img->all_due = img->some_due = img->links_due = false;
	sweep_groups(img);
	img->sink = NULL;
	return img->err;
}

void
fc_image_dump(const struct fc_image *img, const struct fc_img_sink *sink, void *ctx)
{
	const struct fc_img_group *g;
	const struct fc_img_table *t;
	const struct fc_img_port *p;

	for (g = img->groups; g != NULL; g = g->hh.next)
		if (g->told)
			sink->group(ctx, g);
	for (t = img->tables; t != NULL; t = t->hh.next) {
		sink->table(ctx, t->id);
		for (size_t i = 0; i < t->n; i++)
			sink->route(ctx, t->id, t->v[i].net, t->v[i].group->id);
	}
	for (p = img->ports; p != NULL; p = p->hh.next)
		sink->port(ctx, p);
	if (img->links.n > 0)
		sink->links(ctx, img->links.v, img->links.n);
	if (img->probes.n > 0)
		sink->probes(ctx, img->probes.v, img->probes.n);
}

/* ---- life ---- */

int
fc_image_new(struct fc_image **out, const struct fc_layers *l, const struct fc_linkset *links)
{
	struct fc_image *img = calloc(1, sizeof(*img));

	if (img == NULL)
		return FAB_ENOMEM;
	img->l = l;
	img->linkset = links;
	img->all_due = true;
	*out = img;
	return FAB_OK;
}

void
fc_image_free(struct fc_image *img)
{
	struct fc_img_table *t, *next_table;
	struct fc_img_port *p, *next_port;
	struct fc_img_group *g, *next_group;

	if (img == NULL)
		return;
	HASH_ITER (hh, img->tables, t, next_table)
		table_free(img, t);
	HASH_ITER (hh, img->ports, p, next_port)
		port_free(img, p);
	HASH_ITER (hh, img->groups, g, next_group) {
		HASH_DEL(img->groups, g);
		free(g);
	}
	fc_img_links_fini(&img->links);
	fc_img_probes_fini(&img->probes);
	free(img->unused);
	free(img->nics);
	free(img->owners);
	free(img->guards);
	free(img);
}
