/*
 * vswitchd: the packet path of one host. Everything is in vs_daemon.c and below.
 */
#include "vswitchd/vs_daemon.h"

int
main(int argc, char **argv)
{
	return node_main(argc, argv, &vs_daemon_ops);
}
