#ifndef LIB_WIRE_NODE_H
#define LIB_WIRE_NODE_H
/*
 * A daemon that is a BGP speaker with a role: joins lib/node (RPC, configuration stream, report
 * stream) with a struct speaker through wire_conf, wire_apply, wire_report and wire_speaker. A role
 * supplies policy and nothing else; its main() is a struct node_ops of the functions below:
 *
 *	static int rs_start(struct node *n, void **ctx) { return wire_node_start(n, &rs_role, ctx);
 *} static const struct node_ops ops = { .program = "routeserverd", .start = rs_start, WIRE_NODE_OPS
 *};
 *
 * Order of a new configuration: decode, role->check(), role->config() (which rebuilds what policy
 * needs and lists originations), peers and listeners by difference, speaker_reevaluate() if
 *config() asked for it, status report. A refused configuration is logged in one line and changes
 *nothing.
 */
#include "lib/node.h"
#include "lib/wire_apply.h"
#include "lib/wire_report.h"
#include "lib/wire_speaker.h"

struct wire_node;

/* A role's state starts with this, so that the speaker's callbacks reach both. */
struct wire_base {
	struct wire_node *w;
};

struct wire_role {
	enum wire_kind kinds[4]; /* NodeConfig.kind must be one of these; ends with 0 */
	/* import_attrs, import_prefix, select, export_attrs, export_prefix; the others are set by
	 * wire_node. Their ctx is the role's state. */
	struct speaker_role policy;
	struct wire_apply_ops apply;
	wire_route_fn *route; /* NULL: wire_route_learned() */
	void (*row)(void *ctx, enum wire_listing what, const struct speaker_peer *peer,
	    struct wire_row *row);
	bool own_in_learned;
	/* Creates the state: a struct that starts with struct wire_base (filled in afterwards). */
	int (*start)(void **ctx);
	void (*stop)(void *ctx); /* after the speaker is gone */
	/* False refuses, with one line in why; changes nothing. May be NULL. */
	bool (*check)(void *ctx, const struct wire_conf *conf, char why[static 256]);
	/* conf is about to come into force; the one before it is still there until the next call.
	 * Calls wire_apply_own() for each origination. Returns true if routes that are held must
	 * pass the policy again. */
	bool (*config)(void *ctx, const struct wire_conf *conf, struct wire_apply *a);
	/* After conf is in force. May be NULL, as all below. */
	void (*applied)(void *ctx, const struct wire_diff *diff);
	/* After the report was sent. */
	void (*changed)(void *ctx, const struct speaker_change *changes, size_t n);
	void (*peer_state)(void *ctx, struct speaker_peer *p, enum bgp_state now);
	/* True while something is still to come by itself; it is not converged then. */
	bool (*busy)(void *ctx);
	/* All sessions are up and synced, having not been so before. */
	void (*converged)(void *ctx);
	void (*stats)(
	    void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg);
};

/* Without a struct node: for tests and for whoever brings his own streams. name, tls and role are
 * borrowed. */
int wire_node_new(struct wire_node **out, struct fab_loop *loop, const char *name,
    const struct fab_tls *tls, const struct wire_role *role, const struct wire_report_to *to);
void wire_node_free(struct wire_node *w);

/* ---- functions of struct node_ops; ctx is the struct wire_node ---- */

int wire_node_start(struct node *n, const struct wire_role *role, void **ctx);
void wire_node_config(void *ctx, const Fab__V1__NodeConfig *conf);
void wire_node_snapshot(void *ctx, struct fab_rpc_stream *s);
void wire_node_stats(
    void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg);
char *wire_node_dump(void *ctx);
int wire_node_fault(void *ctx, const Fab__V1__FaultRequest *req);
bool wire_node_converged(void *ctx);
void wire_node_stop(void *ctx);

#define WIRE_NODE_OPS                                                                              \
	.config = wire_node_config, .snapshot = wire_node_snapshot, .stats = wire_node_stats,      \
	.dump = wire_node_dump, .fault = wire_node_fault, .converged = wire_node_converged,        \
	.stop = wire_node_stop

/* ---- for roles ---- */

struct speaker *wire_node_speaker(struct wire_node *w);
struct wire_apply *wire_node_apply(struct wire_node *w);
void *wire_node_role_ctx(struct wire_node *w);
struct fab_loop *wire_node_loop(struct wire_node *w);
const char *wire_node_name(const struct wire_node *w);
/* The conf in force; NULL before the first. */
const struct wire_conf *wire_node_conf(const struct wire_node *w);
/* Session states or wanted peers changed: reports status at the end of this turn. */
void wire_node_touch(struct wire_node *w);
/* A line for the log of the fabric, and for ours. */
void wire_node_notice(struct wire_node *w, const char *text);
/* Every route once more, because role->route() has another opinion than before. */
void wire_node_tell_routes(struct wire_node *w);

#endif
