/*
 * A part of a topology over the one that runs: the resources as fabricd has them, in their full
 * form (so what earlier steps have set stays), with the part merged into them as RFC 7386 does it:
 * a map into a map, null takes away, everything else replaces. Peerings, a list in a file, are
 * named VNET/REMOTE here; a list of them in the part adds to those that are there.
 */
#include "fabctl/ctl_out.h"
#include "fabctl/sc_run_int.h"
#include "lib/err.h"
#include "lib/topo.h"

#include <stdio.h>
#include <string.h>

static void
merge(json_t *into, const json_t *part)
{
	const char *key;
	json_t *v, *have;

	json_object_foreach((json_t *)(uintptr_t)part, key, v)
	{
		have = json_object_get(into, key);
		if (json_is_null(v)) {
			json_object_del(into, key);
		} else if (json_is_object(v)) {
			if (!json_is_object(have))
				json_object_set_new(into, key, have = json_object());
			merge(have, v);
		} else {
			json_object_set(into, key, v);
		}
	}
}

/* {name: properties}; the fabric's own are keys of the file. */
static bool
take_kind(struct run *r, json_t *file, enum topo_kind kind)
{
	json_t *list = sc_ask(r, (const char *[]){ "get", topo_kind_name(kind), NULL }), *item;
	char section[64];
	json_t *map;
	size_t i;

	if (list == NULL)
		return false;
	map = kind == TOPO_FABRIC ? json_incref(file) : json_object();
	json_array_foreach(list, i, item)
	{
		json_t *props = json_object_get(item, "properties");

		if (kind == TOPO_FABRIC)
			json_object_update(map, props);
		else
			json_object_set(map, ctl_str(item, "name"), props);
	}
	snprintf(section, sizeof(section), "%ss", topo_kind_name(kind));
	if (kind != TOPO_FABRIC)
		json_object_set(file, section, map);
	json_decref(map);
	json_decref(list);
	return true;
}

/* {"hub1/spoke11": {...}} as {from: hub1, to: spoke11, ...} */
static json_t *
peering_list(const json_t *map)
{
	json_t *list = json_array(), *props;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)map, name, props)
	{
		json_t *one = json_deep_copy(props);
		size_t len = strcspn(name, "/");

		json_object_set_new(one, "from", json_stringn(name, len));
		json_object_set_new(one, "to", json_string(name + len + (name[len] == '/')));
		json_array_append_new(list, one);
	}
	return list;
}

static void
lay(json_t *file, const json_t *part)
{
	json_t *rest = json_copy((json_t *)(uintptr_t)part), *list,
	       *added = json_incref(json_object_get(part, "peerings"));

	if (json_is_array(added))
		json_object_del(rest, "peerings");
	merge(file, rest);
	list = peering_list(json_object_get(file, "peerings"));
	if (json_is_array(added))
		json_array_extend(list, added);
	json_object_set_new(file, "peerings", list);
	json_decref(added);
	json_decref(rest);
}

static bool
apply(struct run *r, const json_t *file)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/applied-%u.json", r->top, ++r->applied);
	if (json_dump_file(file, path, JSON_INDENT(1)) != 0)
		return sc_fail(r, "cannot write %s", path);
	return sc_command(r, (const char *[]){ "apply", path, NULL });
}

bool
sc_overlay(struct run *r, const json_t *part)
{
	json_t *file = json_object();
	bool ok = true;

	for (enum topo_kind k = 0; k < TOPO_KIND_COUNT && ok; k++)
		ok = take_kind(r, file, k);
	if (ok) {
		lay(file, part);
		ok = apply(r, file);
	}
	json_decref(file);
	return ok;
}
