#ifndef VSWITCHD_VS_WATCH_H
#define VSWITCHD_VS_WATCH_H
/*
 * Service Capture: hands on what captures bring. Loop thread.
 */
#include "lib/loop.h"
#include "lib/rpc.h"
#include "vswitchd/vs_engine.h"

#define VS_WATCH_MAX 16 /* captures at a time */

struct vs_watch;

int vs_watch_new(struct vs_watch **out, struct fab_loop *loop, struct vs_engine *engine);
/* Before the engine. The streams may end later: they then bring nothing. NULL is fine. */
void vs_watch_free(struct vs_watch *w);

/* ctx of the rows is a struct vs_watch. */
extern const struct fab_rpc_handler vs_watch_table[];

#endif
