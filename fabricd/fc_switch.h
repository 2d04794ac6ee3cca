#ifndef FABRICD_FC_SWITCH_H
#define FABRICD_FC_SWITCH_H
/*
 * Service Switch: keeps every vswitchd's tables as the layers are, and hears what is in force
 * there, who is attached and what was dropped.
 *
 * What may have changed is noted at once (fc_switch_touch_*) and compiled, compared and sent at the
 * end of the same loop turn. While nobody watches nothing is computed. One vswitchd per host; of
 * two with one name the process that started last has it.
 */
#include "fabricd/fc.h"
#include "fabricd/fc_image.h"
#include "lib/rpc.h"

#define FC_SWITCH_HOSTS_MAX   64
#define FC_SWITCH_NAME_MAX    64
#define FC_SWITCH_REASONS_MAX 32 /* of drops, per port */
#define FC_SWITCH_REASON_LEN  24

struct fc_switch_drops {
	char reason[FC_SWITCH_REASON_LEN];
	uint64_t packets;
};

/* What a vswitchd last said of one port. */
struct fc_switch_nic {
	UT_hash_handle hh;
	char name[FC_SWITCH_NAME_MAX];
	bool attached;
	uint64_t rx_packets, rx_octets; /* from the guest */
	uint64_t tx_packets, tx_octets; /* to the guest */
	struct fc_switch_drops drops[FC_SWITCH_REASONS_MAX];
	size_t n_drops;
};

struct fc_switch_host {
	UT_hash_handle hh;
	char name[FC_SWITCH_NAME_MAX];
	struct fc_switch_watch *watch;       /* stream that carries its tables; NULL: none */
	struct fc_switch_reporter *reporter; /* stream that carries its reports; NULL: lost */
	int32_t pid;
	uint64_t started_us;
	char engine[16];
	char url[FC_URL_MAX]; /* where it serves Node; empty: unknown */
	bool acknowledged;    /* since it connected */
	bool told;            /* all that it knew when it connected, findings of its probes too */
	uint64_t generation;  /* in force there */
	struct fc_switch_nic *nics;
};

int fc_switch_new(struct fc_switch **out, struct fc *f);
void fc_switch_free(struct fc_switch *sw);

/* ctx of the rows is a struct fc. */
extern const struct fab_rpc_handler fc_switch_table[];

/* The topology was replaced. */
void fc_switch_touch_all(struct fc_switch *sw, const char *text);
/* What this node reports, or whether it is there, changed; text and subject say why. */
void fc_switch_touch_node(
    struct fc_switch *sw, const char *node, const char *subject, const char *text);

/* A load balancer, by its index, has other healthy backends. */
void fc_switch_touch_balancer(struct fc_switch *sw, size_t balancer, const char *text);

/* Somebody did something to links. */
void fc_switch_touch_links(struct fc_switch *sw, const char *subject, const char *text);

/* What was touched so far is in force at every vswitchd that is connected, or is not within
 * FC_SWITCH_AWAIT_MS: FAB_ETIMEOUT, why says where; FAB_ECLOSED: fabricd ends. Called once, never
 * from inside. */
#define FC_SWITCH_AWAIT_MS 3000
typedef void fc_switch_await_fn(void *ctx, int err, const char *why);
/* False: none is connected, or out of memory, and fn will not be called. */
bool fc_switch_await(struct fc_switch *sw, fc_switch_await_fn *fn, void *ctx);

/* Whether every connected vswitchd has the newest tables in force; else why says who has not. */
bool fc_switch_converged(const struct fc_switch *sw, char why[static 256]);
bool fc_switch_host_converged(const struct fc_switch *sw, const struct fc_switch_host *h);
uint64_t fc_switch_generation(const struct fc_switch *sw);

/* A vswitchd that forwards by the tables of an earlier fabricd keeps them until all reporters are
 * back with their routes, but not longer than this after fabricd's start: half a table would lose
 * packets that a dead fabricd did not. */
#define FC_SWITCH_SETTLE_MS 5000

/* Iteration in order of addition: NULL starts, NULL ends. Lost ones are kept. */
const struct fc_switch_host *fc_switch_next(
    const struct fc_switch *sw, const struct fc_switch_host *after);
/* What is known of the port of that name, from the host that has it attached if there is one; NULL:
 * nothing. *host receives who says so. */
const struct fc_switch_nic *fc_switch_nic(
    const struct fc_switch *sw, const char *name, const struct fc_switch_host **host);

#endif
