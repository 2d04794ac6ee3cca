#ifndef LIB_NODE_H
#define LIB_NODE_H
/*
 * What every daemon but fabricd is made of: command line, loop, RPC server with Node and Speaker,
 * the watch on its configuration and the stream of its reports. A daemon starts with three facts
 * (--fabric URL --name NAME [--listen URL]), asks fabricd for the rest and can be killed at any
 * moment.
 */
#include "lib/rpc.h"
#include "proto/control.pb-c.h"
#include "proto/node.pb-c.h"

struct node;

struct node_options {
	const char *fabric_url;
	const char *name;
	const char *listen_url; /* NULL: serves nobody */
	struct fab_tls tls;
	bool has_tls;
	const char *role; /* --role WORD, daemons that have roles; NULL otherwise */
};

/* What a daemon implements; every function is called on the loop. */
struct node_ops {
	const char *program;      /* "routeserverd" */
	const char *const *roles; /* words --role accepts, NULL-terminated; or NULL */
	/* Creates the daemon's state; *ctx is passed to the others. */
	int (*start)(struct node *n, void **ctx);
	/* A new configuration. Applies the difference; sessions that did not change stay up. */
	void (*config)(void *ctx, const Fab__V1__NodeConfig *conf);
	/* Writes sessions, routes and status with node_report(): the snapshot of the report stream.
	 */
	void (*snapshot)(void *ctx, struct fab_rpc_stream *s);
	/* Adds counters to a Stats reply; may be NULL. */
	void (*stats)(
	    void *ctx, void (*add)(void *arg, const char *name, uint64_t value), void *arg);
	/* Text for Dump, malloc()ed; may be NULL. */
	char *(*dump)(void *ctx);
	int (*fault)(void *ctx, const Fab__V1__FaultRequest *req);
	bool (*converged)(void *ctx);
	void (*stop)(void *ctx); /* close sessions with Cease, free everything */
	/* Further services on the listen URL, e.g. Speaker; NULL-terminated pairs by node_serve().
	 */
};

/* main() of a daemon: parses argv, runs until SIGTERM, returns the exit code (0 clean stop, 2
 * usage, 3 cannot listen). --help and --version answer by themselves. */
int node_main(int argc, char **argv, const struct node_ops *ops);

struct fab_loop *node_loop(struct node *n);
const char *node_name(const struct node *n);
const struct node_options *node_options(const struct node *n);
/* From start(): registers another service on the listen URL. */
int node_serve(struct node *n, const ProtobufCServiceDescriptor *service,
    const struct fab_rpc_handler *table, void *ctx);
/* Sends one report item; dropped while the stream is out of sync (the snapshot will tell). */
void node_report(struct node *n, const Fab__V1__ReportItem *item);

#endif
