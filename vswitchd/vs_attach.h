#ifndef VSWITCHD_VS_ATTACH_H
#define VSWITCHD_VS_ATTACH_H
/*
 * Where guests are plugged in (lib/attach.h). Each connection is one guest: after its hello it
 * waits until fabricd has a port of that name, then gets its interface, which is the engine's until
 * the connection closes. A guest that brings the TAP of an earlier vswitchd keeps its interface,
 * with everything that it added itself; only what the configuration changed meanwhile is set anew.
 *
 * Loop thread only; nothing blocks. What guests send is checked, limited, and at worst ends their
 * connection.
 */
#include "vswitchd/vs_engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define VS_ATTACH_MAX      16384 /* connections */
#define VS_ATTACH_HELLO_MS 5000  /* for the hello to come */

struct fab_loop;
struct vs_attach;

struct vs_attach_conf {
	struct fab_loop *loop;
	const char *path; /* of the socket, see attach_listen() */
	mode_t mode;
	struct vs_engine *engine; /* borrowed; outlives the struct vs_attach */
	/* The port of a name, NULL: not known (yet). Valid until the loop turns. */
	const struct vs_port_conf *(*port)(void *ctx, const char *name);
	/* Plugged in, pulled out; may be NULL. */
	void (*changed)(void *ctx, const char *name, bool attached);
	void *ctx;
};

/* Listens. FAB_EEXIST: somebody else does, and others of attach_listen(). */
int vs_attach_new(struct vs_attach **out, const struct vs_attach_conf *conf);
/* Detaches everything and removes the socket; guests keep their interfaces and come to the next
 * vswitchd. NULL is fine. */
void vs_attach_free(struct vs_attach *a);

/* After each update that may have changed ports: plugs in who waited, sets changed addresses, and
 * disconnects guests whose port has gone (they try again). */
void vs_attach_refresh(struct vs_attach *a);

/* How many guests are plugged in, and how many wait for their port. */
size_t vs_attach_count(const struct vs_attach *a, size_t *waiting);

#endif
