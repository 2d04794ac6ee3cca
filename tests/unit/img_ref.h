#ifndef TESTS_UNIT_IMG_REF_H
#define TESTS_UNIT_IMG_REF_H
/*
 * The receiver of an image, as simple as it can be: keeps what it was told, refuses what a receiver
 * could not use, and gives it back as text. Static, because each test program is one file.
 */
#include "fabricd/fc_image.h"
#include "fabricd/fc_lpm.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REF_UNUSED __attribute__((unused))
#define REF_MAX    256 /* tables and ports */

struct ref_group {
	UT_hash_handle hh;
	uint32_t id;
	struct fc_img_key key;
	uint32_t members[FC_IMAGE_MEMBERS];
};

struct ref_table {
	uint32_t id; /* 0: free */
	struct fc_lpm routes;
};

struct ref_port {
	uint32_t id; /* 0: free */
	char name[64];
	struct fc_img_port_conf conf;
};

struct ref {
	struct ref_group *groups;
	struct ref_table tables[REF_MAX];
	struct ref_port ports[REF_MAX];
	uint32_t last_group;         /* numbers are never used again */
	char links[4096];            /* "a > b: 1 x 2 cut delay jitter loss rate" */
	struct fc_img_probe *probes; /* as told last */
	size_t n_probes;
	size_t told;
};

static REF_UNUSED struct ref_group *
ref_group(const struct ref *r, uint32_t id)
{
	struct ref_group *g;

	HASH_FIND(hh, r->groups, &id, sizeof(id), g);
	return g;
}

static REF_UNUSED struct ref_table *
ref_table(struct ref *r, uint32_t id)
{
	for (size_t i = 0; i < REF_MAX; i++)
		if (r->tables[i].id == id)
			return &r->tables[i];
	return NULL;
}

static REF_UNUSED struct ref_port *
ref_port(struct ref *r, uint32_t id)
{
	for (size_t i = 0; i < REF_MAX; i++)
		if (r->ports[i].id == id)
			return &r->ports[i];
	return NULL;
}

static REF_UNUSED struct ref_port *
ref_port_named(struct ref *r, const char *name)
{
	for (size_t i = 0; i < REF_MAX; i++)
		if (r->ports[i].id != 0 && strcmp(r->ports[i].name, name) == 0)
			return &r->ports[i];
	return NULL;
}

/* ---- the sink ---- */

static REF_UNUSED void
ref_on_group(void *ctx, const struct fc_img_group *g)
{
	struct ref *r = ctx;
	struct ref_group *own = calloc(1, sizeof(*own));

	r->told++;
	CU_ASSERT_PTR_NULL(ref_group(r, g->id));
	own->id = g->id;
	own->key = g->key;
	memcpy(own->members, g->members, g->key.n_members * sizeof(g->members[0]));
	HASH_ADD(hh, r->groups, id, sizeof(own->id), own);
}

static REF_UNUSED void
ref_on_table(void *ctx, uint32_t id)
{
	struct ref *r = ctx;
	struct ref_table *t;

	r->told++;
	CU_ASSERT_PTR_NULL(ref_table(r, id));
	CU_ASSERT_PTR_NOT_NULL_FATAL(t = ref_table(r, 0));
	t->id = id;
}

static REF_UNUSED void
ref_on_route(void *ctx, uint32_t table, struct ipnet net, uint32_t group)
{
	struct ref *r = ctx;
	struct ref_table *t = ref_table(r, table);

	r->told++;
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_PTR_NOT_NULL(ref_group(r, group));
	*fc_lpm_add(&t->routes, net) = group;
}

static REF_UNUSED void
ref_on_withdraw(void *ctx, uint32_t table, struct ipnet net)
{
	struct ref *r = ctx;
	struct ref_table *t = ref_table(r, table);

	r->told++;
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_NOT_EQUAL(fc_lpm_del(&t->routes, net), FC_LPM_NONE);
}

static REF_UNUSED void
ref_on_port(void *ctx, const struct fc_img_port *p)
{
	struct ref *r = ctx;
	struct ref_port *own = ref_port(r, p->id);

	r->told++;
	if (own == NULL)
		own = ref_port(r, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(own);
	own->id = p->id;
	snprintf(own->name, sizeof(own->name), "%s", p->name);
	own->conf = p->conf;
}

static REF_UNUSED void
ref_on_gone_group(void *ctx, uint32_t id)
{
	struct ref *r = ctx;
	struct ref_group *g = ref_group(r, id);

	r->told++;
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	HASH_DEL(r->groups, g);
	free(g);
}

static REF_UNUSED void
ref_on_gone_table(void *ctx, uint32_t id)
{
	struct ref *r = ctx;
	struct ref_table *t = ref_table(r, id);

	r->told++;
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	fc_lpm_fini(&t->routes);
	t->id = 0;
}

static REF_UNUSED void
ref_on_gone_port(void *ctx, uint32_t id)
{
	struct ref *r = ctx;
	struct ref_port *p = ref_port(r, id);

	r->told++;
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	p->id = 0;
}

static REF_UNUSED void
ref_on_links(void *ctx, const struct fc_img_link *v, size_t n)
{
	struct ref *r = ctx;

	r->told++;
	r->links[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		CU_ASSERT_TRUE(v[i].id != 0 && (i == 0 || v[i].id != v[i - 1].id));
		for (size_t k = 0; v[i].kind != FC_IMG_LINK_REGIONS && k < v[i].n_from; k++)
			CU_ASSERT_PTR_NOT_NULL(ref_port(r, v[i].from[k]));
		for (size_t k = 0; v[i].kind != FC_IMG_LINK_REGIONS && k < v[i].n_to; k++)
			CU_ASSERT_PTR_NOT_NULL(ref_port(r, v[i].to[k]));
		snprintf(r->links + strlen(r->links), sizeof(r->links) - strlen(r->links),
		    "%s: %zu x %zu%s %u %u %u %llu\n", v[i].name, v[i].n_from, v[i].n_to,
		    v[i].cut ? " cut" : "", v[i].delay_us, v[i].jitter_us, v[i].loss_ppm,
		    (unsigned long long)v[i].rate);
	}
}

static REF_UNUSED void
ref_on_probes(void *ctx, const struct fc_img_probe *v, size_t n)
{
	struct ref *r = ctx;

	r->told++;
	free(r->probes);
	r->probes = calloc(n + 1, sizeof(*v));
	memcpy(r->probes, v, n * sizeof(*v));
	r->n_probes = n;
}

static const struct fc_img_sink ref_sink REF_UNUSED = {
	.group = ref_on_group,
	.table = ref_on_table,
	.route = ref_on_route,
	.withdraw = ref_on_withdraw,
	.port = ref_on_port,
	.links = ref_on_links,
	.probes = ref_on_probes,
	.gone_group = ref_on_gone_group,
	.gone_table = ref_on_gone_table,
	.gone_port = ref_on_gone_port,
};

static REF_UNUSED void
ref_free(struct ref *r)
{
	struct ref_group *g, *tmp;

	HASH_ITER (hh, r->groups, g, tmp) {
		HASH_DEL(r->groups, g);
		free(g);
	}
	for (size_t i = 0; i < REF_MAX; i++)
		fc_lpm_fini(&r->tables[i].routes);
	free(r->probes);
	free(r);
}

/* ---- as text ---- */

static REF_UNUSED void
ref_print_member(FILE *out, struct ref *r, enum fc_img_kind kind, uint32_t member)
{
	const struct ref_port *p = kind != FC_IMG_VIA ? ref_port(r, member) : NULL;
	char addr[IPADDR_STRLEN];

	CU_ASSERT_TRUE(kind == FC_IMG_VIA || p != NULL);
	fprintf(out, " %s", p != NULL ? p->name : ipaddr_format(addr, member));
}

/* "0.0.0.0/0 via 10.1.2.4 10.1.2.5" */
static REF_UNUSED void
ref_print_table(FILE *out, struct ref *r, uint32_t id)
{
	static const char *const kinds[] = { "drop", "deliver", "via", "ports", "internet",
		"public", "guarded" };
	static const char *const drops[] = { "none-route", "no-route", "unreachable", "not-carried",
		"no-backend" };
	struct ref_table *t = ref_table(r, id);
	struct fc_lpm_iter it;
	struct fc_lpm_hit hit;
	char net[IPNET_STRLEN];

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	fc_lpm_walk(&it, &t->routes, (struct ipnet){ 0, 0 });
	while (fc_lpm_next(&it, &hit)) {
		const struct ref_group *g = ref_group(r, hit.value);

		CU_ASSERT_PTR_NOT_NULL_FATAL(g);
		fprintf(out, "%s %s", ipnet_format(net, hit.net), kinds[g->key.kind]);
		if (g->key.kind == FC_IMG_DROP)
			fprintf(out, " %s", drops[g->key.reason]);
		if (g->key.kind == FC_IMG_DELIVER || g->key.kind == FC_IMG_INTERNET ||
		    g->key.kind == FC_IMG_GUARDED)
			CU_ASSERT_PTR_NOT_NULL(ref_table(r, g->key.table));
		for (uint32_t i = 0; i < g->key.n_members; i++)
			ref_print_member(out, r, g->key.kind, g->members[i]);
		fprintf(out, "\n");
	}
}

static REF_UNUSED int
ref_by_line(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Everything, one line each, with its numbers. */
static REF_UNUSED char *
ref_text(struct ref *r)
{
	const struct ref_group *g;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < REF_MAX; i++) {
		const struct ref_port *p = &r->ports[i];

		if (p->id != 0)
			fprintf(out, "port %u %s %d %08x/%u %d %d %u %u %u %u\n", p->id, p->name,
			    p->conf.router, p->conf.ip, p->conf.prefix_len, p->conf.up,
			    p->conf.forwarding, p->conf.user, p->conf.bgp, p->conf.system,
			    p->conf.mtu);
	}
	for (g = r->groups; g != NULL; g = g->hh.next) {
		fprintf(out, "group %u %u %u %u", g->id, g->key.kind, g->key.reason, g->key.table);
		for (uint32_t i = 0; i < g->key.n_members; i++)
			fprintf(out, " %08x", g->members[i]);
		fprintf(out, "\n");
	}
	for (size_t i = 0; i < REF_MAX; i++) {
		struct fc_lpm_iter it;
		struct fc_lpm_hit hit;

		if (r->tables[i].id == 0)
			continue;
		fprintf(out, "table %u\n", r->tables[i].id);
		fc_lpm_walk(&it, &r->tables[i].routes, (struct ipnet){ 0, 0 });
		while (fc_lpm_next(&it, &hit))
			fprintf(out, "route %u %08x/%u %u\n", r->tables[i].id, hit.net.addr,
			    hit.net.len, hit.value);
	}
	fclose(out);
	return text;
}

/* The lines of both, in any order, are the same. */
static REF_UNUSED void
ref_expect_same(struct ref *a, struct ref *b)
{
	char *text[2] = { ref_text(a), ref_text(b) };
	static char *lines[2][65536];
	size_t n[2] = { 0, 0 };

	for (int i = 0; i < 2; i++) {
		char *save = NULL;

		for (char *l = strtok_r(text[i], "\n", &save); l != NULL;
		     l = strtok_r(NULL, "\n", &save)) {
			CU_ASSERT_FATAL(n[i] < 65536);
			lines[i][n[i]++] = l;
		}
		qsort(lines[i], n[i], sizeof(lines[i][0]), ref_by_line);
	}
	CU_ASSERT_EQUAL_FATAL(n[0], n[1]);
	for (size_t i = 0; i < n[0]; i++)
		CU_ASSERT_STRING_EQUAL_FATAL(lines[0][i], lines[1][i]);
	free(text[0]);
	free(text[1]);
}

#endif
