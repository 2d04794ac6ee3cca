#ifndef FABRICD_FC_LINKSET_H
#define FABRICD_FC_LINKSET_H
/*
 * What somebody did to links: one row for each direction of a place that is not as the topology has
 * it. Places are named, so that a row outlives restarts of whom it concerns.
 *
 *   NODES    what one node sends to another one      "nva1" "rs1-0"
 *   NIC_OUT  everything that a NIC or node sends      "vm11" ""
 *   NIC_IN   everything that goes to it               "" "vm11"
 *   REGIONS  what goes from one region to another     "westeurope" "northeurope"
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#define FC_LINKS_MAX         4096 /* rows */
#define FC_LINK_KEY_MAX      2304 /* regions are any text */
#define FC_LINK_BODY_MAX     160
#define FC_LINK_DELAY_MAX_US (60u * 1000000u)

enum fc_link_kind {
	FC_LINK_NODES,
	FC_LINK_NIC_OUT,
	FC_LINK_NIC_IN,
	FC_LINK_REGIONS,
	FC_LINK_KIND_COUNT
};

struct fc_link_shape {
	uint32_t delay_us, jitter_us; /* one way */
	uint32_t loss_ppm;
	uint64_t rate; /* bit/s, 0: unlimited */
};

struct fc_link_state {
	bool cut;
	bool shaped; /* shape counts, even if it is all zero (then it is what a default is not) */
	struct fc_link_shape shape;
};

struct fc_link_row {
	UT_hash_handle hh;
	enum fc_link_kind kind;
	char *from, *to;
	struct fc_link_state state;
	char key[]; /* as the store has it */
};

struct fc_linkset;

int fc_linkset_new(struct fc_linkset **out);
void fc_linkset_free(struct fc_linkset *s);

/* A state that says nothing removes the row. FAB_ETOOBIG: too many rows, too long names. */
int fc_linkset_put(struct fc_linkset *s, enum fc_link_kind kind, const char *from, const char *to,
    const struct fc_link_state *state);
/* Of no row: one that says nothing. */
struct fc_link_state fc_linkset_get(
    const struct fc_linkset *s, enum fc_link_kind kind, const char *from, const char *to);
/* In order of the keys; NULL starts, NULL ends. The row that was returned may be removed. */
const struct fc_link_row *fc_linkset_next(
    const struct fc_linkset *s, const struct fc_link_row *after);
size_t fc_linkset_count(const struct fc_linkset *s);

bool fc_link_state_eq(const struct fc_link_state *a, const struct fc_link_state *b);
/* What both have in common. */
struct fc_link_state fc_link_state_both(
    const struct fc_link_state *a, const struct fc_link_state *b);
bool fc_link_shape_is_nothing(const struct fc_link_shape *shape);
/* "cut=1 shaped=0 ..."; what the text does not name is zero. */
void fc_link_state_format(char out[static FC_LINK_BODY_MAX], const struct fc_link_state *state);
/* A row as the store had it. FAB_EBADMSG. */
int fc_linkset_load(struct fc_linkset *s, const char *key, const char *body);

#endif
