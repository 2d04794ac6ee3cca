#ifndef FABRICD_FC_IMAGE_H
#define FABRICD_FC_IMAGE_H
/*
 * The layers as the virtual switch wants them: tables (prefix -> group), groups (what to do with a
 * packet) and ports, each with a number. The image is what was told last; an update compiles what
 * may have changed anew, compares, and tells the difference.
 *
 *   system/VNET        system layer                  port.system
 *   user/TABLE[/VNET]  route table; one for each VNet where an entry depends on the VNet
 *   bgp/SCOPE/I        BGP layer of a scope as the NICs of instance I have it (RS-66, RS-93)
 *   owners/VNET        who takes packets for an address in that VNet (DELIVER, VIA)
 *   owners/A/B         the same for packets out of VNet B, see fc_image_guard.c
 *   space/VNET         addresses of that VNet, see fc_image_guard.c
 *   tunnel/NVA         what it sends through tunnels, see fc_image_tunnel.c
 *   public             who has which public address, see fc_image_edge.c
 *   out/GATEWAY        out of Azure, see fc_image_far.c; there too:
 *   down/CIRCUIT, up/CIRCUIT, site/SITE, client/CLIENT
 *
 * A number stands for a name as long as the image has it and is never used again. Loop thread.
 */
#include "lib/topo.h"

#include <uthash.h>

struct fc_layers;
struct fc_linkset;
struct topo;
struct topo_node;

#define FC_IMAGE_NONE          0  /* no table */
#define FC_IMAGE_MEMBERS       64 /* of a group */
#define FC_IMAGE_MTU           1500
#define FC_IMAGE_NAME_MAX      64 /* of a resource */
#define FC_IMAGE_LINK_NAME_MAX 160

enum fc_img_kind { /* as SwitchGroupKind */
	FC_IMG_DROP,
	FC_IMG_DELIVER,
	FC_IMG_VIA,
	FC_IMG_PORTS,
	FC_IMG_INTERNET,
	FC_IMG_PUBLIC,
	FC_IMG_GUARDED,
};

enum fc_img_drop { /* as SwitchDrop */
	FC_IMG_NONE_ROUTE,
	FC_IMG_NO_ROUTE,
	FC_IMG_UNREACHABLE,
	FC_IMG_NOT_CARRIED,
	FC_IMG_NO_BACKEND,
};

struct fc_img_key {
	uint32_t kind;   /* enum fc_img_kind */
	uint32_t reason; /* DROP */
	uint32_t table;  /* DELIVER, INTERNET, GUARDED */
	uint32_t n_members;
};

struct fc_img_group {
	UT_hash_handle hh;
	uint32_t id;
	uint32_t refs;         /* entries that name it */
	bool told;             /* with the first entry that was told */
	struct fc_img_key key; /* the members follow it in memory: both are the hash key */
	uint32_t members[];    /* VIA: addresses; all others: port ids */
};

struct fc_img_entry {
	struct ipnet net;
	struct fc_img_group *group;
};

struct fc_img_port_conf {
	bool router;
	uint32_t ip;
	uint8_t prefix_len;
	bool up, forwarding;
	uint32_t user, bgp, system;
	uint32_t mtu;
	uint32_t region;    /* 0: none; else index in the topology, and 1 */
	uint32_t public_ip; /* 0: none */
	uint32_t tunnel;    /* table, or FC_IMAGE_NONE */
};

struct fc_img_port {
	UT_hash_handle hh; /* by name */
	char *name;
	uint32_t id;
	bool seen;
	struct fc_img_port_conf conf;
};

enum fc_img_link_kind { /* as SwitchLinkKind */
	FC_IMG_LINK_OUT,
	FC_IMG_LINK_IN,
	FC_IMG_LINK_HOP,
	FC_IMG_LINK_REGIONS,
};

/* One direction of a link that is not as good as new. */
struct fc_img_link {
	uint32_t id; /* stays with the name */
	char name[FC_IMAGE_LINK_NAME_MAX];
	enum fc_img_link_kind kind;
	uint32_t *from, *to; /* ports or regions, in one allocation that starts at from */
	size_t n_from, n_to;
	bool cut;
	uint32_t delay_us, jitter_us, loss_ppm;
	uint64_t rate;
};

/* A backend that a load balancer probes. */
struct fc_img_probe {
	uint32_t port; /* number of the backend's */
	uint16_t tcp_port;
	bool http;
	uint32_t interval_ms, threshold;
	char balancer[FC_IMAGE_NAME_MAX];
	char path[TOPO_PROBE_PATH_MAX]; /* HTTP, "" is / */
};

/* What differs, in any order but one: a group is told before an entry names it. All are one change:
 * they hold together once the update is over, and what they borrow lives until then. */
struct fc_img_sink {
	void (*group)(void *ctx, const struct fc_img_group *g);
	void (*table)(void *ctx, uint32_t id); /* new, empty */
	void (*route)(void *ctx, uint32_t table, struct ipnet net, uint32_t group);
	void (*withdraw)(void *ctx, uint32_t table, struct ipnet net);
	void (*port)(void *ctx, const struct fc_img_port *p); /* new or changed */
	/* All links, when one of them differs; they name ports that were told before. */
	void (*links)(void *ctx, const struct fc_img_link *v, size_t n);
	/* All backends that are probed, likewise. */
	void (*probes)(void *ctx, const struct fc_img_probe *v, size_t n);
	void (*gone_group)(void *ctx, uint32_t id);
	void (*gone_table)(void *ctx, uint32_t id);
	void (*gone_port)(void *ctx, uint32_t id);
};

struct fc_image;

/* Both are borrowed; links may be NULL: they are as the topology has them. The image is empty and
 * all of it is due. */
int fc_image_new(struct fc_image **out, const struct fc_layers *l, const struct fc_linkset *links);
void fc_image_free(struct fc_image *img);

/* The topology was replaced, or nobody kept track for a while: all of it may have changed. */
void fc_image_touch_all(struct fc_image *img);
/* What this node reports, or whether it is there, may have changed, and so the tables that depend
 * on it. Unknown names are ignored. */
void fc_image_touch_node(struct fc_image *img, const char *node);
/* A load balancer of that VNet has other healthy backends. */
void fc_image_touch_owners(struct fc_image *img, int vnet);
/* Somebody did something to links. */
void fc_image_touch_links(struct fc_image *img);
bool fc_image_is_due(const struct fc_image *img);
/* Whether tables are made of what this node says about its own table, beside the BGP layers. */
bool fc_image_reads(const struct topo *t, const struct topo_node *n);

/* Brings the image up to date. FAB_ENOMEM: what could not be compiled stays as it was told last and
 * stays due; what was told is consistent. */
int fc_image_update(struct fc_image *img, const struct fc_img_sink *sink, void *ctx);
/* Tells the whole image as it was told last. */
void fc_image_dump(const struct fc_image *img, const struct fc_img_sink *sink, void *ctx);

const struct fc_img_port *fc_image_port(const struct fc_image *img, const char *name);
size_t fc_image_n_ports(const struct fc_image *img);

#endif
