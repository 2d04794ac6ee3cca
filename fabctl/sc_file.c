/*
 * Reading a scenario file (see sc_load.h for its steps).
 */
#include "fabctl/sc_load.h"

#include "fabctl/ctl.h"
#include "fabctl/ctl_nodes.h"
#include "lib/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
sc_complain(struct sc_load *l, const struct topo_yaml *y, const char *what, const char *text)
{
	topo_error_add(l->errs, y->line, "InvalidScenario", what, text);
	return false;
}

bool
sc_is_text(const struct topo_yaml *y)
{
	return y != NULL && y->type == TOPO_YAML_SCALAR && y->text[0] != '\0';
}

static const struct topo_yaml *
child(const struct topo_yaml *map, const char *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->items[i];
	return NULL;
}

/* A topology of the file's own is refused as one in a file would be, before anything runs. */
static bool
check_topology(struct sc_load *l, const struct topo_yaml *y)
{
	struct topo_errors *warnings = calloc(1, sizeof(*warnings));
	struct topo_doc *doc = NULL;
	struct topo *t = NULL;

	FAB_ASSERT(warnings != NULL);
	if (topo_parse_tree(&doc, y, l->errs) == FAB_OK)
		t = topo_build(doc, l->errs, warnings);
	topo_doc_free(doc);
	topo_free(t);
	free(warnings);
	return t != NULL;
}

static bool
take_topology(struct sc_load *l, const struct topo_yaml *y)
{
	json_t *json;

	if (sc_is_text(y)) {
		l->f->topology = y->text;
		return true;
	}
	if (y->type != TOPO_YAML_MAP)
		return sc_complain(l, y, "%s: a path or a map is expected", "topology");
	if (!check_topology(l, y))
		return false;
	if ((json = topo_yaml_json(y, NULL)) != NULL)
		l->f->inside = json_dumps(json, JSON_INDENT(1));
	json_decref(json);
	return l->f->inside != NULL || sc_complain(l, y, "%s: out of memory", "topology");
}

static bool
take_packets(struct sc_load *l, const struct topo_yaml *y)
{
	static const char *const words[] = { "auto", "on", "off" };

	for (size_t i = 0; sc_is_text(y) && i < 3; i++)
		if (strcmp(words[i], y->text) == 0 ||
		    (i > 0 && y->plain && strcmp(y->text, i == 1 ? "true" : "false") == 0)) {
			l->f->packets = words[i];
			return true;
		}
	return sc_complain(
	    l, y, "packets: '%.60s' is not auto, on or off", sc_is_text(y) ? y->text : "");
}

static bool
take_key_of_file(struct sc_load *l, const struct topo_yaml *key, const struct topo_yaml *y)
{
	if (strcmp(key->text, "scenario") == 0) {
		l->f->name = sc_is_text(y) ? y->text : "";
		return l->f->name[0] != '\0' ||
		       sc_complain(l, y, "%s: a sentence is expected", key->text);
	}
	if (strcmp(key->text, "topology") == 0)
		return take_topology(l, y);
	if (strcmp(key->text, "packets") == 0)
		return take_packets(l, y);
	if (strcmp(key->text, "steps") == 0)
		return sc_take_steps(l, y, false, &l->f->steps, &l->f->n);
	return sc_complain(
	    l, key, "unknown key '%.60s': expected scenario, topology, packets, steps", key->text);
}

static bool
take_file(struct sc_load *l, const struct topo_yaml *y)
{
	static const char *const required[] = { "scenario", "steps" };
	bool fine = true;

	if (y->type != TOPO_YAML_MAP)
		return sc_complain(
		    l, y, "%s", "a scenario is a map of scenario, topology and steps");
	for (size_t i = 0; i < y->n; i++)
		fine = take_key_of_file(l, y->keys[i], y->items[i]) && fine;
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++)
		if (child(y, required[i]) == NULL)
			fine = sc_complain(l, y, "'%s' is missing", required[i]);
	return fine;
}

static int
parse(struct sc_file *f, const char *text, size_t len)
{
	struct topo_errors *errs = calloc(2, sizeof(*errs));
	struct sc_load l = { f, errs };
	struct topo_yaml *y;
	bool fine;

	FAB_ASSERT(errs != NULL);
	fine = topo_yaml_parse(&y, f->arena, text, len, errs) == FAB_OK && take_file(&l, y);
	ctl_topo_complain(f->path, &errs[0], &errs[1]);
	free(errs);
	return fine ? CTL_OK : CTL_REFUSED;
}

int
sc_file_load(struct sc_file **out, const char *path)
{
	struct sc_file *f = calloc(1, sizeof(*f));
	char *text = NULL;
	size_t len;
	int status;

	FAB_ASSERT(f != NULL && (f->arena = topo_arena_new()) != NULL);
	FAB_ASSERT((f->path = topo_arena_text(f->arena, path, strlen(path))) != NULL);
	f->packets = "off";
	if ((status = ctl_read_file(&text, &len, path, SC_FILE_MAX)) == CTL_OK)
		status = parse(f, text, len);
	free(text);
	if (status == CTL_OK && ctl_topology_dir(f->dir, path) != FAB_OK)
		status = ctl_fail(CTL_USAGE, "FILE", "cannot find the directory of %s", path);
	if (status != CTL_OK) {
		sc_file_free(f);
		return status;
	}
	*out = f;
	return CTL_OK;
}

static void
drop_overlays(const struct sc_step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_decref(steps[i].overlay);
		drop_overlays(steps[i].during, steps[i].n_during);
	}
}

void
sc_file_free(struct sc_file *f)
{
	if (f == NULL)
		return;
	drop_overlays(f->steps, f->n);
	topo_arena_free(f->arena);
	free(f->inside);
	free(f);
}
