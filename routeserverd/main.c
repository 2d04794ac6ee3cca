/*
 * routeserverd: one instance of a Route Server.
 */
#include "routeserverd/rs.h"

static int
start(struct node *n, void **ctx)
{
	return wire_node_start(n, &rs_role, ctx);
}

static const struct node_ops ops = { .program = "routeserverd", .start = start, WIRE_NODE_OPS };

int
main(int argc, char **argv)
{
	return node_main(argc, argv, &ops);
}
