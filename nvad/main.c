/*
 * nvad: reference NVA and on-premises router. Everything is in nva_role.c and below.
 */
#include "nvad/nva_role.h"

static int
start(struct node *n, void **ctx)
{
	return wire_node_start(n, &nva_role, ctx);
}

int
main(int argc, char **argv)
{
	static const struct node_ops ops = { .program = "nvad", .start = start, WIRE_NODE_OPS };

	return node_main(argc, argv, &ops);
}
