#include "fabricd/fc_faults.h"

#include "fabricd/fc_layers_int.h"
#include "fabricd/fc_link.h"
#include "fabricd/fc_nodes.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct down {
	UT_hash_handle hh;
	enum fc_down how;
	char name[FC_NODE_NAME_MAX];
};

struct fc_faults {
	struct fc *f;
	struct down *down;
};

/* ---- who is down ---- */

static struct down *
find(const struct fc_faults *fs, const char *node)
{
	struct down *d;

	HASH_FIND_STR(fs->down, node, d);
	return d;
}

enum fc_down
fc_faults_down(const struct fc_faults *fs, const char *node)
{
	const struct down *d = find(fs, node);

	return d != NULL ? d->how : FC_DOWN_NOT;
}

void
fc_faults_hello(struct fc_faults *fs, const char *node)
{
	struct down *d = find(fs, node);

	if (d == NULL)
		return;
	HASH_DEL(fs->down, d);
	free(d);
}

/* Out of memory: the others find it later, as ever. */
static void
mark(struct fc_faults *fs, const char *node, enum fc_down how)
{
	struct down *d = find(fs, node);

	if (d == NULL) {
		if (topo_find_node(fs->f->topo, node) < 0 || (d = calloc(1, sizeof(*d))) == NULL)
			return;
		snprintf(d->name, sizeof(d->name), "%s", node);
		HASH_ADD_STR(fs->down, name, d);
	}
	d->how = how;
}

void
fc_faults_note(struct fc_faults *fs, const char *action, const char *node)
{
	static const struct {
		const char *action;
		enum fc_down how;
	} known[] = {
		{ "kill", FC_DOWN_DEAD },
		{ "kill guest", FC_DOWN_DEAD },
		{ "stop", FC_DOWN_DEAD },
		{ "pause", FC_DOWN_HUNG },
		{ "resume", FC_DOWN_NOT },
		{ "start", FC_DOWN_NOT },
		{ "restart", FC_DOWN_NOT },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].action, action) != 0)
			continue;
		if (known[i].how == FC_DOWN_NOT)
			fc_faults_hello(fs, node);
		else
			mark(fs, node, known[i].how);
	}
}

/* ---- what the layers ask ---- */

bool
fc_faults_session_is_down(const struct fc *f, const char *a, const char *b)
{
	const struct fc_node *n = fc_node_find(f->nodes, a);
	const struct fc_session *s = n != NULL ? fc_session_find(n, b) : NULL;

	return s != NULL && !s->established;
}

static bool
is_down(void *ctx, const char *node)
{
	return fc_faults_down(ctx, node) != FC_DOWN_NOT;
}

static bool
is_cut(void *ctx, const char *from, const char *to)
{
	const struct fc_faults *fs = ctx;

	return fc_link_is_cut(fs->f->links, from, to);
}

static bool
session_is_down(void *ctx, const char *a, const char *b)
{
	const struct fc_faults *fs = ctx;

	return fc_faults_session_is_down(fs->f, a, b);
}

/* ---- life ---- */

int
fc_faults_new(struct fc_faults **out, struct fc *f)
{
	struct fc_faults *fs = calloc(1, sizeof(*fs));

	if (fs == NULL)
		return FAB_ENOMEM;
	fs->f = f;
	fc_layers_set_faults(f->layers, &(struct fc_layer_faults){ .is_down = is_down,
					    .is_cut = is_cut,
					    .session_is_down = session_is_down,
					    .ctx = fs });
	*out = fs;
	return FAB_OK;
}

void
fc_faults_free(struct fc_faults *fs)
{
	struct down *d, *tmp;

	if (fs == NULL)
		return;
	fc_layers_set_faults(fs->f->layers, &(struct fc_layer_faults){ 0 });
	HASH_ITER (hh, fs->down, d, tmp) {
		HASH_DEL(fs->down, d);
		free(d);
	}
	free(fs);
}
