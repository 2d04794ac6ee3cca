/*
 * gatewayd: ExpressRoute gateway, VPN gateway or MSEE, by --role. Everything is in gw_*.c.
 */
#include "gatewayd/gw.h"

#include "lib/err.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = { "er", "vpn", "msee", NULL };
static const struct wire_role *const roles[] = { &gw_er_role, &gw_vpn_role, &gw_msee_role };

static int
start(struct node *n, void **ctx)
{
	const char *word = node_options(n)->role;

	for (size_t i = 0; words[i] != NULL; i++)
		if (word != NULL && strcmp(words[i], word) == 0)
			return wire_node_start(n, roles[i], ctx);
	fprintf(stderr, "gatewayd: --role er, vpn or msee is required\n");
	return FAB_EINVAL;
}

int
main(int argc, char **argv)
{
	static const struct node_ops ops = {
		.program = "gatewayd", .roles = words, .start = start, WIRE_NODE_OPS
	};

	return node_main(argc, argv, &ops);
}
