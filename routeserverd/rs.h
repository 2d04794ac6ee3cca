#ifndef ROUTESERVERD_RS_H
#define ROUTESERVERD_RS_H
/*
 * A Route Server instance as a role under wire_node (lib/wire_node.h).
 */
#include "lib/wire_node.h"

extern const struct wire_role rs_role;

#endif
