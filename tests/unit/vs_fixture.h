#ifndef TESTS_UNIT_VS_FIXTURE_H
#define TESTS_UNIT_VS_FIXTURE_H
/*
 * Updates of vswitchd's model put together one call at a time. Addresses and prefixes are text;
 * limits are asserted.
 */
#include "vswitchd/vs_model.h"

#define FIX_GROUPS 600
#define FIX_TABLES 48
#define FIX_ROUTES 6000 /* of a table */
#define FIX_PORTS  64

struct vs_fix {
	struct vs_group_conf groups[FIX_GROUPS];
	uint32_t members[FIX_GROUPS][8];
	size_t n_groups;
	struct vs_table_delta tables[FIX_TABLES];
	uint32_t addr[FIX_TABLES][FIX_ROUTES], group[FIX_TABLES][FIX_ROUTES];
	uint8_t len[FIX_TABLES][FIX_ROUTES];
	uint32_t gone_addr[FIX_TABLES][FIX_ROUTES];
	uint8_t gone_len[FIX_TABLES][FIX_ROUTES];
	size_t n_tables;
	struct vs_port_conf ports[FIX_PORTS];
	char names[FIX_PORTS][VS_NAME_MAX + 8];
	size_t n_ports;
	char why[128]; /* of the last fix_apply() */
};

/* Heap: it is large. fix_free() when done. */
struct vs_fix *fix_new(void);
void fix_free(struct vs_fix *f);
void fix_clear(struct vs_fix *f);

uint32_t fix_addr(const char *text);

void fix_drop(struct vs_fix *f, uint32_t id, enum vs_drop reason);
void fix_deliver(struct vs_fix *f, uint32_t id, uint32_t table);
/* table: of public addresses; port: who has all others. */
void fix_internet(struct vs_fix *f, uint32_t id, uint32_t table, uint32_t port);
void fix_public(struct vs_fix *f, uint32_t id, uint32_t port);
/* Up to 8 members; the list ends with 0. */
void fix_ports(struct vs_fix *f, uint32_t id, const uint32_t *members);
void fix_via(struct vs_fix *f, uint32_t id, const uint32_t *members);
/* table: of the sources that may pass. */
void fix_guarded(struct vs_fix *f, uint32_t id, uint32_t table, const uint32_t *members);

/* The table is begun by its first route; table_of() also gives one without routes. */
struct vs_table_delta *fix_table(struct vs_fix *f, uint32_t id);
void fix_route(struct vs_fix *f, uint32_t table, const char *prefix, uint32_t group);
void fix_net(struct vs_fix *f, uint32_t table, uint32_t addr, uint8_t len, uint32_t group);
void fix_withdraw(struct vs_fix *f, uint32_t table, const char *prefix);

/* Up, not forwarding, /24, MTU 1500, without tables; the rest is the caller's. */
struct vs_port_conf *fix_port(struct vs_fix *f, uint32_t id, const char *name, const char *ip);

/* Everything put together so far as one message; it stays for another one. */
struct vs_update fix_update(const struct vs_fix *f, uint64_t generation);
int fix_apply(struct vs_fix *f, struct vs_model *m, const struct vs_update *u);
/* A whole snapshot, which must be accepted. */
void fix_snapshot(struct vs_fix *f, struct vs_model *m, uint64_t generation);

/* vs_lookup() under the lock. */
struct vs_verdict fix_lookup(struct vs_model *m, uint32_t from, const struct vs_flow *flow);

#endif
