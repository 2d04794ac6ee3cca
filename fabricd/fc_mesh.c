#include "fabricd/fc_mesh.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct fc_mesh {
	struct fc_meshes *ms;
	char **names;
	size_t n;
	struct fc_mesh_pair *pairs; /* n times n; src * n + dst */
	fc_mesh_fn *fn;
	void *ctx;
	struct fc_mesh *prev, *next;
};

struct fc_meshes {
	struct fc *f;
	struct fc_mesh *all;
	struct fab_post check;
};

/* ---- endpoints ---- */

static bool
has_internet(const struct topo *t)
{
	for (size_t i = 0; i < t->n_nics; i++)
		if (t->nics[i].public_ip != 0)
			return true;
	for (size_t i = 0; i < t->n_sites; i++)
		if (t->sites[i].public_ip != 0)
			return true;
	return false;
}

/* Of n that run, as many as there is room for, spread evenly. */
static size_t
add_vms(const struct topo *t, const char **names, size_t n_names, size_t max)
{
	size_t running = 0, room = max - n_names, seen = 0;

	for (size_t i = 0; i < t->n_vms; i++)
		running += t->vms[i].running;
	for (size_t i = 0; i < t->n_vms; i++) {
		if (!t->vms[i].running)
			continue;
		if (running <= room || (seen + 1) * room / running > seen * room / running)
			names[n_names++] = t->vms[i].name;
		seen++;
	}
	return n_names;
}

size_t
fc_mesh_ends(const struct topo *t, const char **names, size_t max)
{
	size_t n = 0;

	if (n < max && has_internet(t))
		names[n++] = TOPO_INTERNET;
	for (size_t i = 0; i < t->n_sites && n < max; i++)
		names[n++] = t->sites[i].name;
	for (size_t i = 0; i < t->n_clients && n < max; i++)
		names[n++] = t->clients[i].name;
	return add_vms(t, names, n, max);
}

/* ---- one pair ---- */

static void
write_way(char out[static FC_MESH_WAY_MAX], const struct fc_trace *tr)
{
	const char *last = "";
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < tr->n_hops && len < FC_MESH_WAY_MAX; i++) {
		const char *node = tr->hops[i].node;

		if (strcmp(node, last) != 0)
			len += (size_t)snprintf(
			    out + len, FC_MESH_WAY_MAX - len, "%s%s", len > 0 ? " > " : "", node);
		last = node;
	}
}

/* "... (RS-91)": what the walk itself named. */
static bool
rule_of_reason(char out[static 16], const char *reason)
{
	const char *open = strrchr(reason, '('), *dash = open != NULL ? strchr(open, '-') : NULL;
	size_t n = open != NULL ? strcspn(open + 1, ",)") : 0;

	if (dash == NULL || open[1] < 'A' || open[1] > 'Z' || n == 0 || n >= 16)
		return false;
	snprintf(out, 16, "%.*s", (int)n, open + 1);
	return true;
}

static void
write_rule(struct fc_mesh_pair *p, const struct fc_trace *tr)
{
	p->rule[0] = '\0';
	if (tr->verdict == FC_DELIVERED || rule_of_reason(p->rule, tr->reason))
		return;
	for (size_t i = 0; i < tr->n_hops && tr->verdict == FC_LOOP; i++)
		if (strcmp(tr->hops[i].rule, "RS-64") == 0)
			snprintf(p->rule, sizeof(p->rule), "RS-64");
	if (p->rule[0] == '\0' && tr->n_hops > 0)
		snprintf(p->rule, sizeof(p->rule), "%s", tr->hops[tr->n_hops - 1].rule);
}

static void
describe(struct fc_mesh_pair *p, const struct fc_trace *tr)
{
	p->verdict = tr->verdict;
	snprintf(p->reason, sizeof(p->reason), "%s", tr->reason);
	write_way(p->way, tr);
	write_rule(p, tr);
}

static void
look(const struct fc_layers *l, struct fc_endpoint src, struct fc_endpoint dst,
    struct fc_mesh_pair *out)
{
	static struct fc_trace there, back; /* large; one thread */

	fc_trace_run(l, src, dst, &there);
	describe(out, &there);
	fc_trace_back(l, src, dst, &there, &back);
	out->symmetric = fc_trace_symmetric(&there, &back);
	out->stateful_break = fc_trace_stateful_break(l, &there, &back);
	if (dst.internet && there.verdict == FC_DELIVERED && back.verdict != FC_DELIVERED)
		describe(out, &back);
}

void
fc_mesh_look(const struct fc_layers *l, const char *src, const char *dst, struct fc_mesh_pair *out)
{
	struct fc_endpoint a, b;

	memset(out, 0, sizeof(*out)); /* they are compared octet by octet */
	if (fc_endpoint_parse(l, &a, src) == FAB_OK && fc_endpoint_parse(l, &b, dst) == FAB_OK &&
	    fc_endpoint_is_source(&a) && fc_endpoint_is_source(&b)) {
		look(l, a, b, out);
		return;
	}
	out->verdict = FC_BLACKHOLE;
	snprintf(out->reason, sizeof(out->reason), "one of the two is no endpoint any more");
}

/* ---- following ---- */

/* Strings are as long as they say: what lies behind their ends must not make a difference. */
static bool
pair_eq(const struct fc_mesh_pair *a, const struct fc_mesh_pair *b)
{
	return a->verdict == b->verdict && a->symmetric == b->symmetric &&
	       a->stateful_break == b->stateful_break && strcmp(a->rule, b->rule) == 0 &&
	       strcmp(a->reason, b->reason) == 0 && strcmp(a->way, b->way) == 0;
}

static void
check_mesh(struct fc_mesh *m, uint64_t now_us)
{
	struct fc_mesh_pair fresh;

	for (size_t i = 0; i < m->n * m->n; i++) {
		if (i / m->n == i % m->n)
			continue;
		fc_mesh_look(m->ms->f->layers, m->names[i / m->n], m->names[i % m->n], &fresh);
		if (pair_eq(&fresh, &m->pairs[i]))
			continue;
		m->pairs[i] = fresh;
		m->fn(m->ctx, now_us, i / m->n, i % m->n, &m->pairs[i]);
	}
}

static void
check_all(void *arg)
{
	struct fc_meshes *ms = arg;
	uint64_t now_us = fab_wall_us();
	struct fc_mesh *m;

	DL_FOREACH (ms->all, m)
		check_mesh(m, now_us);
}

void
fc_meshes_check(struct fc_meshes *ms)
{
	if (ms->all != NULL)
		fab_loop_defer(ms->f->loop, &ms->check);
}

int
fc_meshes_new(struct fc_meshes **out, struct fc *f)
{
	struct fc_meshes *ms = calloc(1, sizeof(*ms));

	if (ms == NULL)
		return FAB_ENOMEM;
	ms->f = f;
	ms->check = (struct fab_post){ .fn = check_all, .arg = ms };
	*out = ms;
	return FAB_OK;
}

void
fc_meshes_free(struct fc_meshes *ms)
{
	if (ms == NULL)
		return;
	fab_loop_defer_cancel(ms->f->loop, &ms->check);
	free(ms);
}

static int
copy_names(struct fc_mesh *m, const char *const *names, size_t n)
{
	m->names = calloc(n + 1, sizeof(*m->names));
	m->pairs = calloc(n * n + 1, sizeof(*m->pairs));
	if (m->names == NULL || m->pairs == NULL)
		return FAB_ENOMEM;
	for (; m->n < n; m->n++)
		if ((m->names[m->n] = strdup(names[m->n])) == NULL)
			return FAB_ENOMEM;
	return FAB_OK;
}

static void
release(struct fc_mesh *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->names[i]);
	free(m->names);
	free(m->pairs);
	free(m);
}

int
fc_mesh_new(struct fc_mesh **out, struct fc_meshes *ms, const char *const *names, size_t n,
    fc_mesh_fn *fn, void *ctx)
{
	struct fc_mesh *m;
	int err;

	if (n > FC_MESH_ENDS_MAX)
		return FAB_ETOOBIG;
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return FAB_ENOMEM;
	*m = (struct fc_mesh){ .ms = ms, .fn = fn, .ctx = ctx };
	if ((err = copy_names(m, names, n)) != FAB_OK) {
		release(m);
		return err;
	}
	for (size_t i = 0; i < n * n; i++)
		if (i / n != i % n)
			fc_mesh_look(ms->f->layers, m->names[i / n], m->names[i % n], &m->pairs[i]);
	DL_APPEND(ms->all, m);
	*out = m;
	return FAB_OK;
}

void
fc_mesh_free(struct fc_mesh *m)
{
	if (m == NULL)
		return;
	DL_DELETE(m->ms->all, m);
	release(m);
}

size_t
fc_mesh_count(const struct fc_mesh *m)
{
	return m->n;
}

const char *
fc_mesh_name(const struct fc_mesh *m, size_t i)
{
	return m->names[i];
}

void
fc_mesh_tell_all(struct fc_mesh *m)
{
	uint64_t now_us = fab_wall_us();

	for (size_t i = 0; i < m->n * m->n; i++)
		if (i / m->n != i % m->n)
			m->fn(m->ctx, now_us, i / m->n, i % m->n, &m->pairs[i]);
}
