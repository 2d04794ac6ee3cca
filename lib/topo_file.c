/*
 * The layout of a topology file: sections of resources, and the short ways to write a peering.
 * Everything that is wrong is reported: where some resources do not pass the schema, the rest is
 * built and checked all the same, and what refers to a broken resource is not held against it.
 */
#include "lib/err.h"
#include "lib/topo_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct reader {
	struct topo_doc *doc;
	struct topo_errors *errs;
	bool failed;
};

static const struct {
	const char *name;
	enum topo_kind kind;
} sections[] = {
	{ "vnets", TOPO_VNET },
	{ "peerings", TOPO_PEERING },
	{ "route_tables", TOPO_ROUTE_TABLE },
	{ "route_servers", TOPO_ROUTE_SERVER },
	{ "nvas", TOPO_NVA },
	{ "gateways", TOPO_GATEWAY },
	{ "circuits", TOPO_CIRCUIT },
	{ "sites", TOPO_SITE },
	{ "vms", TOPO_VM },
	{ "load_balancers", TOPO_LOAD_BALANCER },
	{ "clients", TOPO_CLIENT },
	{ "route_maps", TOPO_ROUTE_MAP },
};
#define N_SECTIONS (sizeof(sections) / sizeof(sections[0]))

/* Adds a resource whose properties are still as written. */
static void
read_resource(struct reader *r, enum topo_kind kind, const char *name, unsigned line, json_t *given,
    json_t *lines)
{
	struct topo_subject subject = { .kind = topo_kind_name(kind),
		.name = kind == TOPO_FABRIC ? "" : name,
		.lines = lines,
		.line = line };
	json_t *props = topo_schema_apply(topo_keys_of(kind), given, &subject, r->errs);
	struct topo_resource *res;

	if (props == NULL)
		r->failed = true;
	res = topo_doc_append(r->doc, kind, name, props != NULL ? props : json_object(), lines);
	if (res == NULL) {
		topo_error_add(r->errs, line, "OutOfMemory", "no memory for %.64s", name);
		r->failed = true;
		return;
	}
	res->line = line;
	res->checked = true;
	res->broken = props == NULL;
}

static void
read_entry(struct reader *r, enum topo_kind kind, const struct topo_yaml *key,
    const struct topo_yaml *value)
{
	json_t *lines = json_object(), *given;

	if (!topo_name_ok(key->text)) {
		topo_error_add(r->errs, key->line, "InvalidName",
		    "%s \"%.64s\": not a name: letters, digits, - and _, a letter or digit first, "
		    "at most %d",
		    topo_kind_name(kind), key->text, TOPO_NAME_MAX);
		r->failed = true;
		json_decref(lines);
		return;
	}
	given = topo_yaml_json(value, lines);
	read_resource(r, kind, key->text, key->line, given, lines);
	json_decref(given);
}

/* ---- peerings ---- */

/* One directed object; keys that its schema does not know (hub, from, ...) are left behind. */
static void
add_peering(struct reader *r, const char *from, const char *to, json_t *flags, unsigned line)
{
	const struct topo_key *keys = topo_keys_of(TOPO_PEERING);
	char name[2 * TOPO_NAME_MAX + 2];
	json_t *given = json_object();

	for (; keys->name != NULL; keys++)
		json_object_set(given, keys->name, json_object_get(flags, keys->name));
	snprintf(name, sizeof(name), "%s/%s", from, to);
	read_resource(r, TOPO_PEERING, name, line, given, NULL);
	json_decref(given);
}

/* hub -> spoke lends the gateways, spoke -> hub uses them (PEER-7, PEER-8). */
static void
add_hub(struct reader *r, json_t *entry, unsigned line)
{
	const char *hub = topo_get_text(entry, "hub"), *spoke;
	json_t *there = json_copy(entry), *back = json_copy(entry), *item;
	size_t i;

	json_object_set_new(there, "allow_gateway_transit", json_true());
	json_object_del(there, "do_not_verify_remote_gateways");
	json_object_set_new(back, "use_remote_gateways", json_true());
	json_array_foreach(json_object_get(entry, "spoke"), i, item)
	{
		spoke = json_string_value(item);
		add_peering(r, hub, spoke, there, line);
		add_peering(r, spoke, hub, back, line);
	}
	json_decref(there);
	json_decref(back);
}

/* Keeps in mind that a peering is missing, so that its absence is not complained about. */
static void
read_broken(struct reader *r, const char *name)
{
	struct topo_resource *res =
	    topo_doc_append(r->doc, TOPO_PEERING, name, json_object(), NULL);

	r->failed = true;
	if (res != NULL)
		res->broken = true;
}

static void
read_peering(struct reader *r, const struct topo_yaml *item, size_t number)
{
	char name[32];
	json_t *lines = json_object(), *given = topo_yaml_json(item, lines), *entry;
	struct topo_subject subject = {
		.kind = "peering", .name = name, .lines = lines, .line = item->line
	};
	bool hub = json_object_get(given, "hub") != NULL || json_object_get(given, "spoke") != NULL;
	enum topo_peering_form form = hub ? TOPO_PEERING_HUB
				      : json_object_get(given, "between") != NULL
					  ? TOPO_PEERING_BETWEEN
					  : TOPO_PEERING_FROM;

	snprintf(name, sizeof(name), "number %zu", number + 1);
	entry = topo_schema_apply(topo_keys_of_peering(form), given, &subject, r->errs);
	if (entry == NULL) {
		read_broken(r, name);
	} else if (form == TOPO_PEERING_HUB) {
		add_hub(r, entry, item->line);
	} else if (form == TOPO_PEERING_BETWEEN) {
		json_t *ends = json_object_get(entry, "between");
		const char *a = json_string_value(json_array_get(ends, 0));
		const char *b = json_string_value(json_array_get(ends, 1));

		add_peering(r, a, b, entry, item->line);
		add_peering(r, b, a, entry, item->line);
	} else {
		add_peering(
		    r, topo_get_text(entry, "from"), topo_get_text(entry, "to"), entry, item->line);
	}
	json_decref(entry);
	json_decref(given);
	json_decref(lines);
}

/* PEER-12: a VNet has at most one object for a remote one. The later of two goes. */
static void
refuse_double_peerings(struct reader *r)
{
	struct topo_resource *a, *b;

	for (size_t i = 1; i < r->doc->n; i++) {
		a = &r->doc->res[i - 1];
		b = &r->doc->res[i];
		if (a->kind != TOPO_PEERING || b->kind != TOPO_PEERING ||
		    strcmp(a->name, b->name) != 0)
			continue;
		topo_error_add(r->errs, b->line, "AnotherPeeringAlreadyReferencesRemoteVnet",
		    "peering %s: line %u has this peering already; one VNet has one peering to "
		    "another",
		    b->name, a->line);
		b->broken = true;
		r->failed = true;
	}
}

/* ---- sections ---- */

static void
read_section(struct reader *r, enum topo_kind kind, const char *name, const struct topo_yaml *y)
{
	enum topo_yaml_type want = kind == TOPO_PEERING ? TOPO_YAML_LIST : TOPO_YAML_MAP;

	if (y->type == TOPO_YAML_SCALAR && y->plain && y->text[0] == '\0')
		return;
	if (y->type != want) {
		topo_error_add(r->errs, y->line, "WrongType", "%s must be %s", name,
		    want == TOPO_YAML_MAP ? "a map: a name, then its properties"
					  : "a list: - {hub: A, spoke: B}");
		r->failed = true;
		return;
	}
	for (size_t i = 0; i < y->n; i++) {
		if (kind == TOPO_PEERING)
			read_peering(r, y->items[i], i);
		else
			read_entry(r, kind, y->keys[i], y->items[i]);
	}
}

static const struct topo_key *
fabric_key(const char *name)
{
	const struct topo_key *keys = topo_keys_of(TOPO_FABRIC);

	for (; keys->name != NULL; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

static void
refuse_section(struct reader *r, const struct topo_yaml *key)
{
	const char *names[N_SECTIONS + 8], *like;
	const struct topo_key *keys = topo_keys_of(TOPO_FABRIC);
	size_t n = 0;

	for (; n < N_SECTIONS; n++)
		names[n] = sections[n].name;
	for (; keys->name != NULL && n < N_SECTIONS + 8; keys++)
		names[n++] = keys->name;
	if ((like = topo_suggest(key->text, names, n)) != NULL)
		topo_error_add(r->errs, key->line, "UnknownKey",
		    "%.64s: unknown key; did you mean \"%s\"?", key->text, like);
	else
		topo_error_add(r->errs, key->line, "UnknownKey",
		    "%.64s: unknown key; known are name, timing, limits, strict, packets, quirks, "
		    "regions, vnets, peerings, route_tables, route_servers, nvas, gateways, "
		    "circuits, sites, vms",
		    key->text);
	r->failed = true;
}

/* The keys that belong to the fabric itself, as one resource. */
static void
read_fabric(struct reader *r, const struct topo_yaml *root)
{
	struct topo_yaml *keys[8], *items[8];
	struct topo_yaml y = { .type = TOPO_YAML_MAP, .line = 1, .keys = keys, .items = items };
	json_t *lines = json_object(), *given;

	for (size_t i = 0; i < root->n && y.n < 8; i++)
		if (fabric_key(root->keys[i]->text) != NULL) {
			keys[y.n] = root->keys[i];
			items[y.n++] = root->items[i];
		}
	given = topo_yaml_json(&y, lines);
	read_resource(r, TOPO_FABRIC, "fabric", 1, given, lines);
	json_decref(given);
}

static void
read_root(struct reader *r, const struct topo_yaml *root)
{
	size_t s;

	if (root->type != TOPO_YAML_MAP) {
		topo_error_add(r->errs, root->line, "WrongType",
		    "a topology is a map with keys such as name, vnets and peerings");
		r->failed = true;
		return;
	}
	read_fabric(r, root);
	for (size_t i = 0; i < root->n; i++) {
		for (s = 0; s < N_SECTIONS; s++)
			if (strcmp(root->keys[i]->text, sections[s].name) == 0)
				break;
		if (s < N_SECTIONS)
			read_section(r, sections[s].kind, sections[s].name, root->items[i]);
		else if (fabric_key(root->keys[i]->text) == NULL)
			refuse_section(r, root->keys[i]);
	}
	topo_doc_sort(r->doc);
	refuse_double_peerings(r);
	if (r->failed)
		topo_free(topo_build(r->doc, r->errs, NULL));
}

int
topo_parse_tree(struct topo_doc **out, const struct topo_yaml *root, struct topo_errors *errs)
{
	struct reader r = { .errs = errs, .doc = topo_doc_new() };

	if (r.doc == NULL) {
		topo_error_add(errs, 0, "OutOfMemory", "no memory for the file");
		return FAB_EINVAL;
	}
	read_root(&r, root);
	if (r.failed) {
		topo_doc_free(r.doc);
		return FAB_EINVAL;
	}
	*out = r.doc;
	return FAB_OK;
}

int
topo_parse_yaml(struct topo_doc **out, const char *text, size_t len, struct topo_errors *errs)
{
	struct topo_arena *arena;
	struct topo_yaml *root;
	int err;

	if (len > TOPO_FILE_MAX) {
		topo_error_add(errs, 0, "FileTooLarge",
		    "%zu octets; a topology file has at most %u", len, TOPO_FILE_MAX);
		return FAB_EINVAL;
	}
	if ((arena = topo_arena_new()) == NULL) {
		topo_error_add(errs, 0, "OutOfMemory", "no memory for the file");
		return FAB_EINVAL;
	}
	if ((err = topo_yaml_parse(&root, arena, text, len, errs)) == FAB_OK)
		err = topo_parse_tree(out, root, errs);
	topo_arena_free(arena);
	return err == FAB_OK ? FAB_OK : FAB_EINVAL;
}

/* ---- files ---- */

/* Whole content of a regular file that is small enough; NULL with an error. */
static char *
read_all(FILE *f, const char *path, size_t *len, struct topo_errors *errs)
{
	struct stat st;
	char *text;

	if (fstat(fileno(f), &st) != 0 || S_ISDIR(st.st_mode)) {
		topo_error_add(errs, 0, "FileUnreadable", "%.128s: is a directory", path);
		return NULL;
	}
	if (st.st_size > (off_t)TOPO_FILE_MAX) {
		topo_error_add(errs, 0, "FileTooLarge",
		    "%.128s: %lld octets; a topology file has at most %u", path,
		    (long long)st.st_size, TOPO_FILE_MAX);
		return NULL;
	}
	if ((text = malloc(TOPO_FILE_MAX + 2)) == NULL) {
		topo_error_add(errs, 0, "OutOfMemory", "%.128s: no memory", path);
		return NULL;
	}
	*len = fread(text, 1, TOPO_FILE_MAX + 1, f);
	if (!ferror(f))
		return text;
	topo_error_add(errs, 0, "FileUnreadable", "%.128s: %s", path, strerror(errno));
	free(text);
	return NULL;
}

int
topo_parse_file(struct topo_doc **out, const char *path, struct topo_errors *errs)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t len;
	int err = FAB_EINVAL;

	if (f == NULL) {
		topo_error_add(errs, 0, "FileUnreadable", "%.128s: %s", path, strerror(errno));
		return FAB_EINVAL;
	}
	if ((text = read_all(f, path, &len, errs)) != NULL)
		err = topo_parse_yaml(out, text, len, errs);
	free(text);
	fclose(f);
	return err;
}
