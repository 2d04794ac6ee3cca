/*
 * Putting updates in force: everything is built and checked beside the set that the engine reads,
 * then one pointer changes.
 */
#include "vswitchd/vs_model_int.h"

#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>

const char *
vs_drop_name(enum vs_drop d)
{
	static const char *const names[] = {
		[VS_DROP_NONE_ROUTE] = "none-route",
		[VS_DROP_NO_ROUTE] = "no-route",
		[VS_DROP_UNREACHABLE] = "unreachable",
		[VS_DROP_NOT_CARRIED] = "not-carried",
		[VS_DROP_NO_BACKEND] = "no-backend",
		[VS_DROP_NO_OWNER] = "no-owner",
		[VS_DROP_NOT_FORWARDING] = "not-forwarding",
		[VS_DROP_SOURCE] = "source",
		[VS_DROP_PORT_DOWN] = "port-down",
		[VS_DROP_LOOP] = "loop",
		[VS_DROP_BAD_FRAME] = "bad-frame",
		[VS_DROP_FULL] = "full",
		[VS_DROP_NOT_UNICAST] = "not-unicast",
		[VS_DROP_LINK_CUT] = "link-cut",
		[VS_DROP_IMPAIRMENT] = "impairment",
		[VS_DROP_FILTERED] = "filtered",
		[VS_DROP_NO_PUBLIC] = "no-public-address",
		[VS_DROP_NOT_TRANSLATED] = "not-translated",
	};

	_Static_assert(sizeof(names) / sizeof(names[0]) == VS_DROP_COUNT, "a reason has no name");
	return names[d];
}

int
vs_model_new(struct vs_model **out)
{
	struct vs_model *m = calloc(1, sizeof(*m));

	if (m == NULL || vs_set_new(&m->now, NULL) != FAB_OK ||
	    pthread_mutex_init(&m->lock, NULL) != 0) {
		if (m != NULL)
			vs_set_free(m->now, NULL);
		free(m);
		return FAB_ENOMEM;
	}
	m->need_snapshot = true;
	*out = m;
	return FAB_OK;
}

void
vs_model_free(struct vs_model *m)
{
	if (m == NULL)
		return;
	vs_stage_free(m->incoming);
	vs_set_free(m->now, NULL);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* ---- updates ---- */

static int
begin(struct vs_model *m, const struct vs_update *u, char why[static 128])
{
	if (u->snapshot) {
		vs_stage_free(m->incoming);
		m->incoming = NULL;
		m->need_snapshot = false;
	}
	if (m->need_snapshot) {
		snprintf(why, 128, "not a snapshot, which is due");
		return FAB_EINVAL;
	}
	return m->incoming == NULL ? vs_stage_new(&m->incoming, m->now, u->snapshot) : FAB_OK;
}

static void
put_in_force(struct vs_model *m, uint64_t generation)
{
	struct vs_set *old = m->now, *next = vs_stage_take(m->incoming);

	vs_model_lock(m);
	m->now = next;
	m->ports_revision += vs_stage_ports_changed(m->incoming);
	m->links_revision += next->links != old->links;
	vs_model_unlock(m);
	m->generation = generation;
	vs_stage_free(m->incoming);
	m->incoming = NULL;
	if (m->watch != NULL)
		m->watch(m->watch_ctx, next);
	vs_set_free(old, next);
}

int
vs_model_apply(struct vs_model *m, const struct vs_update *u, char why[static 128])
{
	int err;

	snprintf(why, 128, "out of memory");
	if ((err = begin(m, u, why)) == FAB_OK &&
	    (err = vs_stage_add(m->incoming, u, why)) == FAB_OK && u->last &&
	    (err = vs_stage_finish(m->incoming, why)) == FAB_OK)
		put_in_force(m, u->generation);
	if (err != FAB_OK) {
		vs_stage_free(m->incoming);
		m->incoming = NULL;
		m->need_snapshot = true;
		return err;
	}
	why[0] = '\0';
	return FAB_OK;
}

void
vs_model_watch(struct vs_model *m, void (*fn)(void *ctx, const struct vs_set *set), void *ctx)
{
	m->watch = fn;
	m->watch_ctx = ctx;
}

/* ---- questions ---- */

uint64_t
vs_model_generation(const struct vs_model *m)
{
	return m->generation;
}

size_t
vs_model_memory(const struct vs_model *m)
{
	return sizeof(*m) + vs_set_memory(m->now);
}

const struct vs_port_conf *
vs_model_find(const struct vs_model *m, const char *name)
{
	return vs_set_named(m->now, name);
}

const struct vs_target_conf *
vs_model_target(const struct vs_model *m, size_t i)
{
	return vs_targets_at(m->now->targets, i);
}

void
vs_model_lock(struct vs_model *m)
{
	pthread_mutex_lock(&m->lock);
}

void
vs_model_unlock(struct vs_model *m)
{
	pthread_mutex_unlock(&m->lock);
}

const struct vs_port_conf *
vs_model_port(const struct vs_model *m, uint32_t id)
{
	return id != 0 ? vs_set_port(m->now, id) : NULL;
}

uint64_t
vs_model_ports_revision(const struct vs_model *m)
{
	return m->ports_revision;
}

bool
vs_model_port_has_link(const struct vs_model *m, uint32_t id)
{
	return vs_links_among_ports(m->now->links, id);
}

bool
vs_model_regions_have_link(const struct vs_model *m, uint32_t a, uint32_t b)
{
	return a != b && (vs_links_find(m->now->links, VS_LINK_REGIONS, a, b) != NULL ||
			     vs_links_find(m->now->links, VS_LINK_REGIONS, b, a) != NULL);
}

uint64_t
vs_model_links_revision(const struct vs_model *m)
{
	return m->links_revision;
}

const struct vs_link_conf *
vs_model_link(const struct vs_model *m, size_t i)
{
	return vs_links_at(m->now->links, i);
}
