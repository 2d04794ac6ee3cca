#ifndef FABRICD_FC_IMAGE_INT_H
#define FABRICD_FC_IMAGE_INT_H
/*
 * Inside of the image: fc_image.c keeps numbers and differences, fc_image_compile.c knows what
 * tables and ports hold, fc_image_far.c what lies beyond the VNets, fc_image_edge.c the Internet,
 * fc_image_links.c what is wrong with links, fc_image_probes.c which backends are probed. Nobody
 * else includes this.
 */
#include "fabricd/fc_image.h"
#include "fabricd/fc_layers_int.h"

#define FC_IMG_NAME_MAX 192 /* of a table or port */

enum fc_img_source {
	FC_IMG_SYSTEM,
	FC_IMG_USER,
	FC_IMG_BGP,
	FC_IMG_OWNERS,
	FC_IMG_OUT,  /* a VPN gateway, out of Azure */
	FC_IMG_DOWN, /* a circuit, towards its site */
	FC_IMG_UP,   /* a circuit, towards Azure */
	FC_IMG_SITE,
	FC_IMG_PUBLICS, /* public addresses */
	FC_IMG_GUARDED_OWNERS,
	FC_IMG_SPACE, /* of a VNet, or nothing */
	FC_IMG_TUNNEL,
	FC_IMG_CLIENT, /* what it sends */
};

struct fc_img_table {
	UT_hash_handle hh; /* by name */
	char *name;
	uint32_t id;
	enum fc_img_source source;
	/* SYSTEM, OWNERS: VNet; USER: route table, VNet or -1; BGP: scope, instance; OUT, DOWN,
	 * UP, SITE: gateway, circuit, circuit, site. PUBLICS: none; GUARDED_OWNERS: VNet,
	 * VNet of the sender; SPACE: VNet or -1; TUNNEL: NVA; CLIENT: client. */
	int a, b;
	bool seen, due;
	struct fc_img_entry *v; /* in ipnet_cmp() order */
	size_t n;
};

struct fc_img_links {
	struct fc_img_link *v;
	size_t n, room;
};

struct fc_img_probes {
	struct fc_img_probe *v;
	size_t n;
};

/* Tables for packets of a peer that is not let in freely: owners, and sources that are; 0: it is.
 */
struct fc_img_guard {
	uint32_t owners, sources;
	uint32_t
	    anywhere; /* sources for NICs without a security group; 0: they take all (OPEN-9) */
};

struct fc_image {
	const struct fc_layers *l;
	const struct fc_linkset *linkset; /* NULL: none */
	struct fc_img_links links;        /* as told */
	struct fc_img_probes probes;      /* likewise */
	struct fc_img_table *tables;
	struct fc_img_port *ports;
	struct fc_img_group *groups;
	struct fc_img_group **unused; /* groups whose last entry went away, or never came */
	size_t n_unused, unused_room;
	uint32_t last_table, last_port, last_group, last_link; /* numbers given so far */
	bool all_due, some_due, links_due;
	int err; /* of the update that runs */
	/* Of the topology that was declared last. */
	struct fc_img_port **nics;   /* by index */
	uint32_t *owners;            /* table by VNet */
	struct fc_img_guard *guards; /* by peering */
	uint32_t publics;            /* table */
	uint32_t internet;           /* port */
	/* While an update runs. */
	const struct fc_img_sink *sink;
	void *ctx;
};

/* Entries of one table while it is compiled; each holds a reference. */
struct fc_img_build {
	struct fc_image *img;
	struct fc_img_entry *v;
	size_t n, room;
	int err;
};

/* ---- fc_image.c ---- */

/* Find or add, and mark as seen; NULL or FC_IMAGE_NONE: out of memory, img->err is set. */
uint32_t fc_img_table_declare(struct fc_image *img, enum fc_img_source source, int a, int b);
struct fc_img_port *fc_img_port_declare(
    struct fc_image *img, const char *name, const struct fc_img_port_conf *conf);
/* NULL: out of memory. */
struct fc_img_group *fc_img_group(
    struct fc_image *img, struct fc_img_key key, const uint32_t *members);
/* Appends; g NULL is FAB_ENOMEM. Errors are sticky. */
void fc_img_add(struct fc_img_build *b, struct ipnet net, struct fc_img_group *g);
/* Another group for entry i; g NULL is FAB_ENOMEM. */
void fc_img_swap(struct fc_img_build *b, size_t i, struct fc_img_group *g);
/* For entries that came in any order: sorts, and keeps one of each prefix. */
void fc_img_sort(struct fc_img_build *b);

/* ---- fc_image_compile.c ---- */

/* Declares every table and port of the topology. */
void fc_img_declare(struct fc_image *img);
void fc_img_compile(struct fc_img_build *b, const struct fc_img_table *table);
/* Whether what the node reports, or its being there, may change the table. */
bool fc_img_depends(
    const struct fc_image *img, const struct fc_img_table *table, const struct topo_node *n);
/* Names the tables of a NIC in that subnet (-1: in none), as fc_view_subnet() has them. */
void fc_img_name_tables(
    struct fc_image *img, struct fc_img_port_conf *c, int vnet, int subnet, int instance);

/* Number of the VNet's region. */
uint32_t fc_img_region(const struct topo *t, int vnet);

void fc_img_owners_compile(struct fc_img_build *b, int vnet);

/* ---- fc_image_guard.c ---- */

/* Owners of that VNet, as packets of a peer find them (PEER-5, PEER-6). */
uint32_t fc_img_owners_for(const struct fc_image *img, int vnet, int from);
void fc_img_guards_declare(struct fc_image *img);
void fc_img_guarded_compile(struct fc_img_build *b, int vnet, int from);
void fc_img_space_compile(struct fc_img_build *b, int vnet);

/* ---- fc_image_tunnel.c ---- */

/* Sets c->tunnel if the NVA has tunnels that the switch stands for. */
void fc_img_tunnel_declare(struct fc_image *img, struct fc_img_port_conf *c, int nva);
void fc_img_tunnel_compile(struct fc_img_build *b, int nva);
bool fc_img_tunnel_depends(const struct topo_node *n);

/* ---- fc_image_edge.c ---- */

/* The port that stands for the Internet, and its table; before anything that leads there. */
void fc_img_edge_declare(struct fc_image *img);
void fc_img_publics_compile(struct fc_img_build *b);
struct fc_img_group *fc_img_internet(struct fc_img_build *b);

/* ---- fc_image_far.c ---- */

/* Next hops of a route that a gateway learned: MSEEs (ER-19) or VPN gateways (VPN-14). */
struct fc_img_group *fc_img_far_hops(struct fc_img_build *b, const struct fc_group *g);
/* The gateway that next hop VirtualNetworkGateway means in that VNet (VPN-22). */
struct fc_img_group *fc_img_far_gateway(struct fc_img_build *b, int vnet);
/* Clients that dialled in. */
void fc_img_clients_declare(struct fc_image *img);
void fc_img_far_declare(struct fc_image *img, const struct topo_node *n);
void fc_img_far_compile(struct fc_img_build *b, const struct fc_img_table *table);
bool fc_img_far_depends(
    const struct fc_image *img, const struct fc_img_table *table, const struct topo_node *n);

/* ---- fc_image_links.c ---- */

/* All links as they are now. FAB_ENOMEM: *out is empty. */
int fc_img_links_compile(struct fc_img_links *out, const struct fc_image *img);
void fc_img_links_number(struct fc_img_links *l, const struct fc_img_links *old, uint32_t *last);
bool fc_img_links_eq(const struct fc_img_links *a, const struct fc_img_links *b);
void fc_img_links_fini(struct fc_img_links *l);

/* ---- fc_image_probes.c ---- */

/* FAB_ENOMEM: *out is empty. */
int fc_img_probes_compile(struct fc_img_probes *out, const struct fc_image *img);
bool fc_img_probes_eq(const struct fc_img_probes *a, const struct fc_img_probes *b);
void fc_img_probes_fini(struct fc_img_probes *p);

#endif
