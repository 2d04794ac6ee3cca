/*
 * vswitchd: the packet path of one host. Everything is in vs_daemon.c and below.
 */
#include "lib/attach.h"
#include "vswitchd/vs_caps.h"
#include "vswitchd/vs_daemon.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
	attach_raise_limit(); /* root may, as long as it is root */
	if (vs_caps_drop() != 0)
		fprintf(stderr, "vswitchd: cannot let go of capabilities, goes on with all\n");
	return node_main(argc, argv, &vs_daemon_ops);
}
