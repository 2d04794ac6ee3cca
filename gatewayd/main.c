/*
 * gatewayd: ExpressRoute gateway, VPN gateway or MSEE, by --role. Everything is in gw_*.c.
 */
#include "gatewayd/gw.h"

#include <string.h>

static const char *const words[] = { "er", "vpn", "msee", NULL };
static const struct wire_role *const roles[] = { &gw_er_role, &gw_vpn_role, &gw_msee_role };

static int
start(struct node *n, void **ctx)
{
	size_t i = 0;

	/* node_main() has checked that the role is there and one of the words. */
	while (strcmp(words[i], node_options(n)->role) != 0)
		i++;
	return wire_node_start(n, roles[i], ctx);
}

int
main(int argc, char **argv)
{
	static const struct node_ops ops = {
		.program = "gatewayd", .roles = words, .start = start, WIRE_NODE_OPS
	};

	return node_main(argc, argv, &ops);
}
