#ifndef FABRICD_FC_CONTROL_H
#define FABRICD_FC_CONTROL_H
/*
 * Service Control: nodes watch their configuration and stream their reports.
 *
 * A name belongs to the process that started last: an older one (paused and replaced) is refused,
 * so two processes never fight over a name. The loss of the report stream is the loss of the node.
 */
#include "fabricd/fc_nodes.h"
#include "proto/control.pb-c.h"

/* ctx of the rows is a struct fc. */
extern const struct fab_rpc_handler fc_control_table[];

/* The node's configuration changed: sends it, if somebody watches. */
void fc_control_push(struct fc *f, struct fc_node *n);
/* Whether every node whose routes the switch's tables are made of is there and has told all of
 * them: before that these tables are not to be trusted. */
bool fc_control_settled(const struct fc *f);
/* The layers were bound anew: tells them how the node is. */
void fc_control_restate(struct fc *f, struct fc_node *n);
/* The node left the topology: sends a configuration without peers, so that its sessions close, and
 * ends its watch with NOT_FOUND. What it reported is dropped. */
void fc_control_dismiss(struct fc *f, struct fc_node *n);
/* For fc_lag_new(). */
void fc_control_late(
    struct fc *f, const char *node, const Fab__V1__RouteBatch *m, uint64_t queued_us);

#endif
