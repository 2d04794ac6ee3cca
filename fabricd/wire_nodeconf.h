#ifndef FABRICD_WIRE_NODECONF_H
#define FABRICD_WIRE_NODECONF_H
/*
 * struct fc_nodeconf as fab.v1.NodeConfig: the opposite of wire_conf_decode().
 */
#include "fabricd/fc_nodeconf.h"

#include <stddef.h>
#include <stdint.h>

/* The packed message, generation 0, malloc()ed: equal bytes mean equal configuration. FAB_ENOMEM.
 */
int wire_nodeconf_encode(uint8_t **out, size_t *len, const struct fc_nodeconf *nc);

#endif
