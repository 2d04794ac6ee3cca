#ifndef FABRICD_FC_ASK_H
#define FABRICD_FC_ASK_H
/*
 * A question to the Speaker service of some nodes at once, and their answers when all are there. A
 * node that does not run, does not answer in time or refuses is an answer too: not reachable.
 */
#include "fabricd/fc_expr.h"
#include "fabricd/fc_nodes.h"

#define FC_ASK_TIMEOUT_MS 2000
#define FC_ASK_NODES_MAX  2 /* instances of a resource */

struct fc_ask;

struct fc_answer {
	const char *node;
	unsigned instance;
	bool reachable;
	enum fab_rpc_status status;    /* of a node that answered with a refusal */
	const ProtobufCMessage *reply; /* NULL unless status is OK */
};

/* Valid during the call; the ask is freed after it. */
typedef void fc_ask_fn(void *ctx, const struct fc_answer *answers, size_t n);

struct fc_question {
	const char *name;   /* resource or node */
	unsigned kinds;     /* bits 1u << enum topo_node_kind */
	int instance;       /* 0 or 1; -1: both */
	const char *method; /* "ListLearned" */
	const ProtobufCMessage *req;
};

/* FAB_ENOENT: no such node of these kinds. FAB_ENOTSUP: it runs foreign software. fn is called
 * exactly once, never from inside, unless the ask is freed before. */
int fc_ask_new(struct fc_ask **out, struct fc_nodes *ns, const struct fc_question *q, fc_ask_fn *fn,
    void *ctx);
/* Forgets the question. NULL is fine. */
void fc_ask_free(struct fc_ask *a);

/* What decides a condition that fc_expr_asks(): what the instances of a Route Server learned from a
 * peer or announce to it, or the table of a router. */
int fc_ask_expr(
    struct fc_ask **out, struct fc_nodes *ns, const struct fc_expr *e, fc_ask_fn *fn, void *ctx);
/* Whether such an answer has it. */
bool fc_answer_has(const struct fc_answer *a, const struct fc_expr *e);

#endif
