#ifndef VSWITCHD_WIRE_SWITCH_H
#define VSWITCHD_WIRE_SWITCH_H
/*
 * fab.v1.SwitchUpdate as struct vs_update. Prefixes, members and names stay in the message; only
 * the lists of structs are made.
 */
#include "vswitchd/vs_model.h"

#include "proto/switch.pb-c.h"

struct wire_switch_update {
	struct vs_update u; /* valid while the message is */
	struct vs_group_conf *groups;
	struct vs_table_delta *tables;
	struct vs_port_conf *ports;
	struct vs_link_conf *links;
	struct vs_target_conf *targets;
};

/* FAB_EBADMSG: lists that do not fit each other, a kind, reason or number out of its range, a name
 * that is too long; why[] says what. FAB_ENOMEM. What the numbers lead to is vs_model_apply()'s to
 * check. */
int wire_switch_decode(
    struct wire_switch_update *out, const Fab__V1__SwitchUpdate *m, char why[static 128]);
void wire_switch_release(struct wire_switch_update *u);

#endif
