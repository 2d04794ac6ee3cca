#ifndef VSWITCHD_VS_SET_H
#define VSWITCHD_VS_SET_H
/*
 * A set of ports, groups and tables that is, or is to be, in force. The objects never change once
 * they are in a set; a new set shares with the one in force what an update left alone, so whoever
 * frees one of the two says which other one lives on.
 */
#include "vswitchd/vs_idmap.h"
#include "vswitchd/vs_links.h"
#include "vswitchd/vs_model.h"
#include "vswitchd/vs_targets.h"

struct vs_set {
	struct vs_idmap ports;               /* struct vs_port_conf, name behind it */
	struct vs_idmap groups;              /* struct vs_group_conf, members behind it */
	struct vs_idmap tables;              /* struct vs_table */
	const struct vs_port_conf **by_name; /* sorted, ports.n; NULL: ports have changed */
	struct vs_links *links;              /* counted; NULL: none */
	struct vs_targets *targets;          /* likewise */
};

/* Like base, which may be NULL: empty. */
int vs_set_new(struct vs_set **out, const struct vs_set *base);
/* Frees the set and those of its objects that other (may be NULL) does not share. */
void vs_set_free(struct vs_set *s, const struct vs_set *other);

/* Copies conf; what had its id before is freed unless `base` shares it. */
int vs_set_put_port(struct vs_set *s, const struct vs_set *base, const struct vs_port_conf *conf,
    char why[static 128]);
int vs_set_put_group(struct vs_set *s, const struct vs_set *base, const struct vs_group_conf *conf,
    char why[static 128]);
/* Takes t over, on failure too. */
int vs_set_put_table(struct vs_set *s, const struct vs_set *base, uint32_t id, struct vs_table *t);
void vs_set_del_port(struct vs_set *s, const struct vs_set *base, uint32_t id);
void vs_set_del_group(struct vs_set *s, const struct vs_set *base, uint32_t id);
void vs_set_del_table(struct vs_set *s, const struct vs_set *base, uint32_t id);

/* Puts the ports in order of their names. FAB_EINVAL: two of one name. */
int vs_set_index(struct vs_set *s, char why[static 128]);
/* What ports and groups refer to is there, limits are kept. */
int vs_set_check(const struct vs_set *s, char why[static 128]);
/* Every group that the table names is there. */
int vs_set_check_table(
    const struct vs_set *s, uint32_t id, const struct vs_table *t, char why[static 128]);

const struct vs_port_conf *vs_set_named(const struct vs_set *s, const char *name);
size_t vs_set_memory(const struct vs_set *s);

static inline const struct vs_port_conf *
vs_set_port(const struct vs_set *s, uint32_t id)
{
	return vs_idmap_get(&s->ports, id);
}

static inline const struct vs_group_conf *
vs_set_group(const struct vs_set *s, uint32_t id)
{
	return vs_idmap_get(&s->groups, id);
}

/* VS_NONE: NULL. */
static inline const struct vs_table *
vs_set_table(const struct vs_set *s, uint32_t id)
{
	return id != VS_NONE ? vs_idmap_get(&s->tables, id) : NULL;
}

#endif
