#ifndef VSWITCHD_VS_RULES_H
#define VSWITCHD_VS_RULES_H
/*
 * What the nft fast path (vs_nft.h) has in the kernel: one table of the family netdev.
 *
 *   map flows        slot, source, destination            -> MACs and interface
 *   map connections  the same, protocol and ports         -> MACs and interface
 *   map links        MAC of a slot (vs_fast.h)            -> interface
 *   chain from-SLOT-N  at the ingress of a port's interface: a packet that the maps know gets these
 *                    addresses and goes out there; any other gets the slot into its source
 *                    address, and goes to the trunk
 *   chain trunk      at the ingress of the trunk: by the map of links to an interface
 *
 * Elements are data, not jumps to a chain for each port: with jumps the kernel would follow every
 * one of them from every chain whenever anything changes.
 *
 * The table stays when the process ends, and so does what it does. The next one makes another table
 * beside it, which sees packets first, and then deletes the old one.
 */
#include "vswitchd/vs_flows.h"

#define VS_RULES_WHY_MAX 192

struct vs_rules;

struct vs_rules_port {
	uint32_t slot;
	int ifindex;
	uint32_t ip;
	uint16_t mtu; /* 0: any */
};

/* What the kernel counted for a flow since it was added; octets are those of frames. */
typedef void vs_rules_count_fn(
    void *ctx, const struct vs_flow_key *k, uint64_t packets, uint64_t octets);

struct vs_rules_conf {
	int trunk; /* index of its interface */
	vs_rules_count_fn *counted;
	void *ctx;
};

/* FAB_EPERM, FAB_EIO ...: why[] says what is missing. */
int vs_rules_new(
    struct vs_rules **out, const struct vs_rules_conf *conf, char why[static VS_RULES_WHY_MAX]);
/* NULL is fine. */
void vs_rules_free(struct vs_rules *r);
/* Tables of earlier ones go. */
void vs_rules_take_over(struct vs_rules *r);

/* What is for the port, from the trunk and by flows that are added, goes out there. */
int vs_rules_exit(
    struct vs_rules *r, const struct vs_rules_port *p, char why[static VS_RULES_WHY_MAX]);
/* And what comes in there is the port's. No flow leads to it if it was open otherwise before. */
int vs_rules_open(
    struct vs_rules *r, const struct vs_rules_port *p, char why[static VS_RULES_WHY_MAX]);
/* What comes in by its interface is dropped, and nothing goes out there. No flow leads to it. */
void vs_rules_close(struct vs_rules *r, uint32_t slot);
/* As it was opened; NULL: it is not open. */
const struct vs_rules_port *vs_rules_port(const struct vs_rules *r, uint32_t slot);

/* Between these and the commit nothing else is called; the kernel may have some of it before. to:
 * slot of a port that has an exit. */
void vs_rules_flow_add(struct vs_rules *r, const struct vs_flow_key *k, uint32_t to);
void vs_rules_flow_del(struct vs_rules *r, const struct vs_flow_key *k);
/* All of it is so, and what was deleted is counted. Otherwise: some of it, or none. */
int vs_rules_flows_commit(struct vs_rules *r, char why[static VS_RULES_WHY_MAX]);
/* All flows go, uncounted. */
int vs_rules_flows_clear(struct vs_rules *r, char why[static VS_RULES_WHY_MAX]);
/* Counts each of them. */
void vs_rules_flows_count(struct vs_rules *r);

#endif
