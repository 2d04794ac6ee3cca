#ifndef FABRICD_FC_MESH_H
#define FABRICD_FC_MESH_H
/*
 * Who reaches whom: the traces of all ordered pairs of some endpoints at once, looked at again at
 * the end of each loop turn in which something changed. What `fabctl chaos` judges. And the routes
 * that lead to something dead.
 */
#include "fabricd/fc.h"

#define FC_MESH_ENDS_MAX 64 /* endpoints; work grows with the square */
#define FC_MESH_WAY_MAX  256

struct fc_mesh_pair {
	enum fc_verdict verdict; /* towards the Internet: of the answer, if only that is lost */
	bool symmetric, stateful_break;
	char rule[16];             /* why not delivered; "" if none is to be named */
	char reason[160];          /* the same as words; or a warning */
	char way[FC_MESH_WAY_MAX]; /* "vm11 > nva1 > vm12"; of what is lost, as far as it came */
};

/* Names of all running VMs, sites, clients, and "internet" if somebody has a public address; of too
 * many VMs some from everywhere, so that there are at most max. Borrowed from t. */
size_t fc_mesh_ends(const struct topo *t, const char **names, size_t max);

/* One pair as it is now. */
void fc_mesh_look(
    const struct fc_layers *l, const char *src, const char *dst, struct fc_mesh_pair *out);

/* ---- following ---- */

struct fc_mesh;
/* Pairs that changed: src and dst are numbers of endpoints. */
typedef void fc_mesh_fn(
    void *ctx, uint64_t at_us, size_t src, size_t dst, const struct fc_mesh_pair *p);

int fc_meshes_new(struct fc_meshes **out, struct fc *f);
void fc_meshes_free(struct fc_meshes *ms);
void fc_meshes_check(struct fc_meshes *ms);

/* names: copied. FAB_ETOOBIG: more than FC_MESH_ENDS_MAX. */
int fc_mesh_new(struct fc_mesh **out, struct fc_meshes *ms, const char *const *names, size_t n,
    fc_mesh_fn *fn, void *ctx);
void fc_mesh_free(struct fc_mesh *m);
size_t fc_mesh_count(const struct fc_mesh *m);
const char *fc_mesh_name(const struct fc_mesh *m, size_t i);
/* All pairs, changed or not. */
void fc_mesh_tell_all(struct fc_mesh *m);

/* ---- stale routes ---- */

/* An active route of a NIC whose next hop is dead, or has no backend left. Strings live until the
 * next change. */
struct fc_stale {
	const char *nic, *node;
	const struct fc_eff_route *route;
	uint32_t next_hop;
};
typedef void fc_stale_fn(void *ctx, const struct fc_stale *s);
/* FAB_ENOMEM: not all were told. */
int fc_stale_each(const struct fc *f, fc_stale_fn *fn, void *ctx);

#endif
