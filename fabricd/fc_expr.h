#ifndef FABRICD_FC_EXPR_H
#define FABRICD_FC_EXPR_H
/*
 * The conditions that `fabctl wait` waits for. Words are separated by blanks:
 *
 *   converged                        every node runs, has its configuration and its sessions,
 *                                    and nothing has changed for timing.converge_quiet
 *   settled                          the same, as far as what is broken allows: who was killed,
 *                                    or hangs, is missed by all his peers, and so is each
 *                                    other by the ends of a link that is cut
 *   effective NIC PREFIX [via ADDR]  an active route for exactly this prefix (and this next hop)
 *   learned RS PEER PREFIX [AS]      every running instance holds the prefix from this peer
 *   advertised RS PEER PREFIX [AS]   every running instance announces the prefix to this peer
 *   knows ROUTER PREFIX [via NODE] [AS]
 *                                    the NVA or site has it in its table (and from this neighbour);
 *                                    AS: path 65515-65001 (none: empty), community 65517:65517
 *   trace SRC DST VERDICT [via WAY]  the modelled path ends so: delivered, loop, blackhole or
 *                                    filtered; WAY: the NVAs on it in order, nva1,nva3 or none
 *   symmetric A B                    delivered both ways, and by the same nodes
 *   loop [A B]                       a packet from A to B goes in circles; without names: one from
 *                                    anybody to anybody
 *   session A B up|down              all sessions between A and B: up when both their ends
 *                                    say so, down when one end says that
 *   node NAME up|down                its processes are connected, or none is
 *   backend LB NAME up|down          the load balancer sends to this backend, or does not
 *   no CONDITION                     the opposite of any but converged and settled
 *
 * A, B and NAME are nodes (rs1-0) or resources (rs1, both its nodes).
 */
#include "fabricd/fc_eff.h"

#define FC_EXPR_MAX  512 /* octets of an expression */
#define FC_EXPR_WORD 128

enum fc_expr_kind {
	FC_EXPR_CONVERGED,
	FC_EXPR_SETTLED,
	FC_EXPR_EFFECTIVE,
	FC_EXPR_LEARNED,
	FC_EXPR_ADVERTISED,
	FC_EXPR_KNOWS,
	FC_EXPR_TRACE,
	FC_EXPR_SYMMETRIC,
	FC_EXPR_LOOP,
	FC_EXPR_SESSION,
	FC_EXPR_NODE,
	FC_EXPR_BACKEND,
	FC_EXPR_KIND_COUNT
};

struct fc_expr {
	enum fc_expr_kind kind;
	bool negate;
	char a[FC_EXPR_WORD], b[FC_EXPR_WORD]; /* NIC, RS and PEER, A and B, SRC and DST, NAME */
	struct ipnet prefix;
	bool has_via;
	uint32_t via;           /* effective */
	char way[FC_EXPR_WORD]; /* knows: NODE; trace: WAY, "none" is "" */
	enum fc_verdict verdict;
	bool up;
	char path[FC_EXPR_WORD]; /* "65515-65001", "none"; "": any */
	bool has_community;
	uint32_t community;
};

/* Whether only the node's own answer can tell. */
bool fc_expr_asks(const struct fc_expr *e);

/* FAB_EINVAL with one line in why. */
int fc_expr_parse(struct fc_expr *out, const char *text, char why[static 256]);

#endif
