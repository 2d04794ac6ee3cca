#ifndef LIB_TOPO_YAML_H
#define LIB_TOPO_YAML_H
/*
 * YAML as a tree with lines: topologies, and other files that people write. Limits are those of a
 * topology file (TOPO_FILE_MAX, TOPO_NODES_MAX, TOPO_DEPTH_MAX).
 */
#include "lib/topo.h"

#define TOPO_NODES_MAX 500000 /* values of a file, aliases expanded */
#define TOPO_DEPTH_MAX 24     /* maps and lists inside each other */

/* ---- memory that is freed as a whole (topo_arena.c) ---- */

struct topo_arena;

struct topo_arena *topo_arena_new(void);
void topo_arena_free(struct topo_arena *a);
/* n zeroed objects; never NULL for n = 0. NULL: no memory, which the arena remembers. */
void *topo_arena_alloc(struct topo_arena *a, size_t n, size_t size);
/* A copy with a NUL behind it. Without memory an empty string, which the arena remembers. */
char *topo_arena_text(struct topo_arena *a, const char *text, size_t len);
bool topo_arena_failed(const struct topo_arena *a);

/* ---- trees (topo_yaml.c, topo_yaml_json.c) ---- */

enum topo_yaml_type { TOPO_YAML_SCALAR, TOPO_YAML_MAP, TOPO_YAML_LIST };

struct topo_yaml {
	enum topo_yaml_type type;
	unsigned line;
	const char *text; /* scalar */
	bool plain;       /* scalar without quotes: may be a number, a boolean or null */
	size_t n;
	struct topo_yaml **items;
	struct topo_yaml **keys; /* map: scalars, unique */
	size_t weight;           /* this value and all below, aliases expanded */
};

/* The tree is shared where the file has aliases and lives in the arena. FAB_EINVAL with errors. */
int topo_yaml_parse(struct topo_yaml **out, struct topo_arena *arena, const char *text, size_t len,
    struct topo_errors *errs);
/* As JSON; a new reference, NULL without memory. Adds "pointer below" -> line to lines unless that
 * is NULL. */
json_t *topo_yaml_json(const struct topo_yaml *y, json_t *lines);
/* The topology that the tree is, with its lines: as topo_parse_yaml(). The tree is not kept. */
int topo_parse_tree(struct topo_doc **out, const struct topo_yaml *root, struct topo_errors *errs);

#endif
