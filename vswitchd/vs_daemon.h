#ifndef VSWITCHD_VS_DAEMON_H
#define VSWITCHD_VS_DAEMON_H
/*
 * vswitchd as a process: the model, an engine, the place where guests are plugged in, and the
 * streams to fabricd, put together in the frame of lib/node.h.
 */
#include "lib/node.h"

extern const struct node_ops vs_daemon_ops;

#endif
